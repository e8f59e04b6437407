/* wire/jwk.h: public keys of issuers: JSON Web Key sets (RFC 7517, 7518), read strictly, as fixed structs that can travel in a message. */
#ifndef POSTERN_WIRE_JWK_H
#define POSTERN_WIRE_JWK_H

#include "wire/json_read.h"

enum { JWK_SET_MAX = 16, JWK_KID_MAX = 128, JWK_RSA_MAX = 512, JWK_TEXT_MAX = 65536 };

enum jwk_alg { JWK_ES256, JWK_ES384, JWK_RS256, JWK_RS384, JWK_RS512, JWK_ALGS };
/* "ES256" …; JWK_ALGS if it is none of them. Case matters. */
enum jwk_alg jwk_alg_read(struct span name);
struct span jwk_alg_name(enum jwk_alg alg);

enum jwk_kind { JWK_RSA, JWK_P256, JWK_P384 };

struct jwk {
	uint8_t kind;
	uint8_t algs;                 /* bit 1 << enum jwk_alg: what it may verify: its `alg`, or without one all that fit its kind */
	uint8_t kid_n;                /* 0: none */
	uint8_t e_n, point_n;         /* EC: 65 or 97 */
	uint16_t n_n;                 /* bytes, without leading zeros */
	char kid[JWK_KID_MAX];
	uint8_t n[JWK_RSA_MAX], e[8];
	uint8_t point[97];            /* uncompressed, on its curve */
};

struct jwk_set {
	uint32_t n;
	struct jwk keys[JWK_SET_MAX];
};

enum jwk_error {
	JWK_OK,
	JWK_NOT_JSON,
	JWK_LONG,                     /* more than JWK_TEXT_MAX bytes, or more values than the table holds */
	JWK_NO_KEYS,                  /* no `keys` list, or none in it that can verify a signature */
	JWK_MANY,                     /* more than JWK_SET_MAX usable ones */
	JWK_TWICE,                    /* two with the same kid */
	JWK_SECRET,                   /* a symmetric key, or a private member: nothing of the set is used */
	JWK_WEAK,                     /* an RSA key that is known to be weak: its length, its exponent, a small factor, a broken generator */
	JWK_BROKEN,                   /* a usable kty whose members are not what RFC 7518 6 asks for: length, base64url, curve, even RSA */
	JWK_ERRORS
};
/* For the operator, after "key set: ". */
struct span jwk_error_text(enum jwk_error e);

/* `table` is lent for the call. Keys of other kinds, for encryption (`use`, `key_ops`) or for other algorithms are passed over; those of ours
 * must be right: RSA 2048 to 4096 bits, odd, e odd and at least 65537; a point on its curve. On an error set->n is 0. */
enum jwk_error jwk_set_read(struct jwk_set *set, struct json_table *table, struct span text);
/* One key object of a document read already (DPoP's `jwk` header); private members are an error. JWK_NO_KEYS: it is of another kind, or for
 * something else. */
enum jwk_error jwk_read(struct jwk *key, const struct json *j, uint32_t object);
/* RFC 7638, SHA-256. */
void jwk_thumbprint(const struct jwk *key, uint8_t out[32]);
/* The key for a kid (absent: only if the set has exactly one key); NULL: none. */
const struct jwk *jwk_find(const struct jwk_set *set, struct span kid);

#endif
