/* wire/crypto.h: the few primitives that more than one place needs, thin over BearSSL. All run in time that depends on lengths only. */
#ifndef POSTERN_WIRE_CRYPTO_H
#define POSTERN_WIRE_CRYPTO_H

#include "base/span.h"

enum { CRYPTO_HASH = 32 };

void crypto_sha256(const void *data, size_t n, uint8_t out[CRYPTO_HASH]);

/* HMAC-SHA256 (RFC 2104) over the parts as if they stood in one piece: where one ends and the next begins is not authenticated, so the
 * caller makes that plain in the bytes. */
void crypto_hmac_sha256(const void *key, size_t key_len, const struct span *parts, size_t nparts, uint8_t out[CRYPTO_HASH]);

/* A keyed universal hash: GHASH (NIST SP 800-38D 6.4) of the bytes as its ciphertext, with their length. Whoever does not know the key finds two texts
 * of the same tag by a chance below 2^-118 a try. No MAC: tags must stay secret too. Much cheaper than SHA-256. */
enum { CRYPTO_TAG = 16 };
void crypto_tag(const uint8_t key[CRYPTO_TAG], const void *data, size_t n, uint8_t out[CRYPTO_TAG]);

/* Byte for byte, without telling by its duration where the two differ. */
bool crypto_equal(const void *a, const void *b, size_t n);

/* Zeroes that the compiler does not leave out. */
void crypto_wipe(void *p, size_t n);

/* HMAC_DRBG with SHA-256 (NIST SP 800-90A): random bytes without a system call, from a seed of at least 32 fresh bytes. */
struct crypto_drbg { uint64_t state[18]; };
void crypto_drbg_start(struct crypto_drbg *d, const void *seed, size_t n);
void crypto_drbg_take(struct crypto_drbg *d, void *to, size_t n);

#endif
