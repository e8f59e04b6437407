/* wire/jwt.h: JSON Web Tokens as compact JWS (RFC 7515, 7519), and base64url (RFC 4648 5, canonical, without padding).
 *
 * The order is that of an attacker's expectations: form, header, key, algorithm of the key, signature; the claims are not looked at before
 * the signature is right. Nothing a header says leads anywhere but to a key that was there before: jwk, jku, x5u, x5c and x5t are ignored. */
#ifndef POSTERN_WIRE_JWT_H
#define POSTERN_WIRE_JWT_H

#include "wire/jwk.h"

enum { JWT_MAX = 8192, JWT_HEADER_MAX = 2048, JWT_CLAIMS_MAX = 6144 };

/* Decodes into `to` (in place is fine when to == text.p). False: a byte outside the alphabet, an impossible length, trailing bits set. */
bool base64url_decode(struct span text, char *to, size_t cap, size_t *n);
void base64url_write(struct buf *b, struct span bytes);

enum jwt_error { JWT_OK, JWT_FORM, JWT_HEADER, JWT_CRITICAL, JWT_ALG, JWT_TYPE, JWT_NO_KEY, JWT_SIGNATURE, JWT_CLAIMS, JWT_ERRORS };
/* For logs and metrics, never for the caller of the API. */
struct span jwt_error_text(enum jwt_error e);

struct jwt {
	struct span signed_part;      /* header.payload, in the token */
	struct span signature;        /* base64url */
	struct span payload;          /* base64url */
	char kid_mem[JWK_KID_MAX];
	struct span kid;              /* absent without one */
	struct span typ;              /* in typ_mem, lower case, without "application/"; absent without one */
	char typ_mem[32];
	enum jwk_alg alg;
	bool has_jwk;                 /* with want_jwk */
	struct jwk jwk;
};

/* Form and header. `table` is lent for the call. want_jwk: the header's `jwk` is read (DPoP only). The three parts are set unless the
 * answer is JWT_FORM; after any other error nothing else of `t` is for use. */
enum jwt_error jwt_read(struct jwt *t, struct json_table *table, struct span token, bool want_jwk);
/* The signature under this key: its algorithms must include the header's. */
enum jwt_error jwt_verify(const struct jwt *t, const struct jwk *key);
/* The claims, decoded into `mem` and read; the view lives as long as both. Only after jwt_verify(), but for one thing: `iss` may be looked
 * at before, to choose among issuers that were there before. */
enum jwt_error jwt_claims(const struct jwt *t, struct json_table *table, char *mem, size_t cap, struct json *claims);

#endif
