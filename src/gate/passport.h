/* gate/passport.h: who a caller is, sealed, so that another process can carry it without being able to change or make it.
 *
 * A worker that has recognised a caller gives the elder such a text with the request, and takes it back, on inner connections only, with the
 * requests that the elder makes of it. A seal (gate/seal.h, "i1.") of expiry and identity. Numbers in it are those of one
 * configuration: it is good among the workers of one generation. */
#ifndef POSTERN_GATE_PASSPORT_H
#define POSTERN_GATE_PASSPORT_H

#include "gate/identity.h"
#include "gate/seal.h"
#include "wire/crypto.h"

enum {
	PASSPORT_PLAIN = 8 + 32 + IDENTITY_SUBJECT_MAX,
	PASSPORT_MAX = SEAL_TEXT(PASSPORT_PLAIN), /* characters */
	PASSPORT_MS = 3600000                     /* good for so long, and never longer than the identity in it */
};

struct passport_keys { uint8_t seal[CRYPTO_HASH], principal[CRYPTO_HASH]; };

/* From 32 random bytes that nobody else has. */
void passport_keys(struct passport_keys *k, const uint8_t seed[32]);
/* Appends the text; b is full if it has no room or `who` is nobody. */
void passport_write(struct buf *b, const struct passport_keys *k, const struct identity *who, int64_t now_unix_ms);
/* False: it was not written with these keys, or is not good any more; *who is then untouched. */
bool passport_read(struct span text, const struct passport_keys *k, int64_t now_unix_ms, struct identity *who);
/* A keyed hash of kind, issuer, tenant and subject: the same for the same caller whatever roles and scopes it comes with. All anonymous callers
 * of a tenant are one. */
void passport_principal(const struct passport_keys *k, const struct identity *who, uint8_t out[CRYPTO_HASH]);

#endif
