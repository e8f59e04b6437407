/* gate/auth_priv.h: what the parts of auth share. */
#ifndef POSTERN_GATE_AUTH_PRIV_H
#define POSTERN_GATE_AUTH_PRIV_H

#include "gate/auth.h"
#include "wire/crypto.h"

/* What a token says, once it is known to be true. */
struct auth_facts {
	struct identity identity;
	bool to_certificate, to_key;  /* sender constraints (RFC 8705 3.1, 9449 6.1) and what they name */
	uint8_t certificate[32], key[32];
};

/* The claims of a JWT that was verified under a key of `issuer`, or of an introspection answer by it. */
enum auth_reason auth_claims(struct auth_facts *f, const struct auth_rules *rules, unsigned issuer, bool introspected, const struct json *j, int64_t now_ms);
/* The issuer that the claims name, byte for byte; AUTH_ISSUERS_MAX: none. */
unsigned auth_claims_issuer(const struct auth_rules *rules, const struct json *j);
/* A NumericDate: digits, with a fraction perhaps, up to the year 9999. In ms. */
bool auth_date(const struct json *j, uint32_t token, int64_t *ms);
/* A string of 1 to `cap` printable ASCII bytes. */
bool auth_text(const struct json *j, uint32_t token, char *to, size_t cap, size_t *n);

/* The DPoP proof of r (RFC 9449 4.3) for this token and this key (its thumbprint). Marks it as used. */
enum auth_reason auth_proof(const struct auth_bench *on, const struct auth_request *r, struct span token, const uint8_t thumbprint[32], int64_t now_ms);
/* Do these URIs name the same resource (RFC 3986 6.2.2, 6.2.3)? Both without query and fragment. */
bool auth_same_uri(struct span a, struct span b);

/* What a token is looked up by: only the holder of the cache's seed could make two tokens meet. */
void auth_cache_hash(const struct auth_cache *c, struct span token, uint8_t hash[CRYPTO_TAG]);
/* What is known about the token with this hash; NULL: nothing. *refused: that its issuer said it is not active. */
const struct auth_facts *auth_cache_find(const struct auth_cache *c, const uint8_t hash[CRYPTO_TAG], int64_t now_ms, bool *refused);
/* facts NULL: it is not active. */
void auth_cache_keep(struct auth_cache *c, const uint8_t hash[CRYPTO_TAG], const struct auth_facts *facts, int64_t now_ms, int64_t until_ms);

#endif
