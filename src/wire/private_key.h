/* wire/private_key.h: private keys as files have them, and signatures with them, over BearSSL.
 *
 * PEM or DER; PKCS#8 (RFC 5958) or what came before it (RFC 8017 A.1.2, RFC 5915); RSA of 2048 to 4096 bits, P-256, P-384; not encrypted.
 * In PEM other blocks beside the one key (certificates, EC PARAMETERS) are passed over.
 *
 * struct private_key is one piece without pointers: the caller chooses the memory it lies in. What reading leaves behind is wiped: the bench
 * and the stack that was used. So is the stack after each signature. */
#ifndef POSTERN_WIRE_PRIVATE_KEY_H
#define POSTERN_WIRE_PRIVATE_KEY_H

#include "wire/tls.h"

enum { PRIVATE_KEY_TEXT_MAX = 16384, PRIVATE_KEY_PART = 264 };

enum private_key_error {
	PRIVATE_KEY_OK,
	PRIVATE_KEY_NONE,          /* no private key in it */
	PRIVATE_KEY_BAD_PEM,       /* a block that does not end, or is not base64 */
	PRIVATE_KEY_ENCRYPTED,
	PRIVATE_KEY_TWO,           /* more than one: which is meant? */
	PRIVATE_KEY_BAD_DER,       /* not a private key, or one that contradicts itself */
	PRIVATE_KEY_KIND,          /* neither RSA of 2048 to 4096 bits nor P-256 nor P-384 */
	PRIVATE_KEY_FOREIGN,       /* private_key_of(): the certificate is another key's */
	PRIVATE_KEY_ERRORS
};
struct span private_key_error_text(enum private_key_error e);

struct private_key {
	uint8_t kind;              /* enum x509_key */
	bool bound;                /* private_key_of() has said yes */
	uint16_t bits, modulus_n, exponent_n;
	uint16_t part_n[5];        /* RSA: p q dp dq iq; EC: x */
	uint8_t part[5][PRIVATE_KEY_PART];
	uint8_t modulus[512], exponent[16]; /* RSA: the public key */
};

/* Bytes that reading works in; as secret as the key, so from the same memory. Aligned to 16. */
size_t private_key_bench(void);
/* On an error *k is wiped. */
enum private_key_error private_key_read(struct private_key *k, void *bench, struct span text);
/* Whether the certificate (DER) is this key's: the public keys are compared, and a signature made with one is checked with the other. */
enum private_key_error private_key_of(struct private_key *k, struct span certificate);

/* Bytes of a digest; 0 for what is not signed. */
size_t private_key_digest(enum tls_hash hash);
/* As struct tls_signer. 0: another length than the digest's, no such hash, a key that is bound to no certificate, or a fault: an RSA signature
 * is checked before it leaves, because a wrong one made with the Chinese remainder theorem gives the key away. ECDSA nonces are those of
 * RFC 6979: no randomness is needed. */
size_t private_key_sign(const struct private_key *k, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX]);

#endif
