#include "wire/jwt.h"

#include <bearssl.h>

#include "wire/crypto.h"

enum { HASH_MAX = 64, DIGEST_INFO = 19 };

struct span jwt_error_text(enum jwt_error e)
{
	static const char *const text[JWT_ERRORS] = {
		[JWT_OK] = "no error",
		[JWT_FORM] = "not three parts of canonical base64url",
		[JWT_HEADER] = "the header is not what RFC 7515 asks for",
		[JWT_CRITICAL] = "the header has an extension that is not known here",
		[JWT_ALG] = "no algorithm that is accepted",
		[JWT_TYPE] = "another type of token",
		[JWT_NO_KEY] = "no key that could verify it",
		[JWT_SIGNATURE] = "the signature is wrong",
		[JWT_CLAIMS] = "the claims are no JSON object",
	};

	return span_z(e < JWT_ERRORS ? text[e] : "unknown");
}

static unsigned digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '-' ? 62 : c == '_' ? 63 : 64;
}

bool base64url_decode(struct span text, char *to, size_t cap, size_t *n)
{
	size_t size = text.n / 4 * 3 + (text.n % 4 == 0 ? 0 : text.n % 4 - 1), at = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	*n = 0;
	if (text.n % 4 == 1 || size > cap)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		unsigned v = digit(text.p[i]);

		if (v > 63)
			return false;
		bits = (bits << 6 | v) & 0xFFFF;
		have += 6;
		if (have >= 8) {
			have -= 8;
			to[at++] = (char)(unsigned char)(bits >> have & 0xFF);
		}
	}
	if ((bits & ((1u << have) - 1)) != 0)
		return false;
	*n = at;
	return true;
}

void base64url_write(struct buf *b, struct span bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned have = 0;
	size_t start = b->n;

	for (size_t i = 0; i < bytes.n; i++) {
		bits = (bits << 8 | (unsigned char)bytes.p[i]) & 0xFFFF;
		for (have += 8; have >= 6; have -= 6)
			buf_char(b, digits[bits >> (have - 6) & 63]);
	}
	if (have > 0)
		buf_char(b, digits[bits << (6 - have) & 63]);
	if (b->full)
		b->n = start;
}

/* One way to write some bytes, and at least one. */
static bool canonical(struct span text)
{
	static const uint8_t spare[4] = { 0, 0, 15, 3 };

	if (text.n == 0 || text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (digit(text.p[i]) > 63)
			return false;
	return (digit(text.p[text.n - 1]) & spare[text.n % 4]) == 0;
}

static enum jwt_error split(struct jwt *t, struct span token, struct span *header)
{
	size_t dot[2] = { 0, 0 };
	unsigned dots = 0;

	if (token.n > JWT_MAX)
		return JWT_FORM;
	for (size_t i = 0; i < token.n; i++) {
		if (token.p[i] != '.')
			continue;
		if (dots == 2) /* more parts: a JWE has five */
			return JWT_FORM;
		dot[dots++] = i;
	}
	if (dots != 2)
		return JWT_FORM;
	*header = span_of(token.p, dot[0]);
	t->payload = span_of(token.p + dot[0] + 1, dot[1] - dot[0] - 1);
	t->signed_part = span_of(token.p, dot[1]);
	t->signature = span_from(token, dot[1] + 1);
	return canonical(*header) && canonical(t->payload) && canonical(t->signature) ? JWT_OK : JWT_FORM;
}

static enum jwt_error read_typ(struct jwt *t, const struct json *j)
{
	uint32_t typ = json_get(j, JSON_ROOT, SPAN("typ"));
	struct buf b = buf_on(t->typ_mem, sizeof t->typ_mem);
	struct span rest;

	if (typ == JSON_NONE)
		return JWT_OK;
	if (json_type(j, typ) != JSON_STRING)
		return JWT_TYPE;
	json_text(j, typ, &b);
	if (b.full)
		return JWT_TYPE;
	for (size_t i = 0; i < b.n; i++)
		t->typ_mem[i] = span_lower(t->typ_mem[i]);
	t->typ = buf_span(&b);
	/* RFC 7515 4.1.9: without the prefix it is understood, if what is left has no slash. */
	rest = span_from(t->typ, sizeof "application/" - 1);
	if (span_starts(t->typ, SPAN("application/")) && (rest.n == 0 || memchr(rest.p, '/', rest.n) == NULL))
		t->typ = rest;
	return JWT_OK;
}

static enum jwt_error read_header(struct jwt *t, const struct json *j, bool want_jwk)
{
	uint32_t alg = json_get(j, JSON_ROOT, SPAN("alg")), kid = json_get(j, JSON_ROOT, SPAN("kid"));
	uint32_t jwk = json_get(j, JSON_ROOT, SPAN("jwk"));

	if (json_type(j, JSON_ROOT) != JSON_OBJECT)
		return JWT_HEADER;
	if (json_get(j, JSON_ROOT, SPAN("crit")) != JSON_NONE || json_get(j, JSON_ROOT, SPAN("b64")) != JSON_NONE)
		return JWT_CRITICAL;
	if (json_get(j, JSON_ROOT, SPAN("zip")) != JSON_NONE || json_get(j, JSON_ROOT, SPAN("enc")) != JSON_NONE)
		return JWT_HEADER;
	if (kid != JSON_NONE) {
		struct buf b = buf_on(t->kid_mem, sizeof t->kid_mem);

		if (json_type(j, kid) != JSON_STRING)
			return JWT_HEADER;
		json_text(j, kid, &b);
		if (b.full || b.n == 0)
			return JWT_HEADER;
		t->kid = buf_span(&b);
	}
	if (json_type(j, alg) != JSON_STRING)
		return JWT_ALG;
	t->alg = jwk_alg_read(json_inner(j, alg));
	if (t->alg == JWK_ALGS)
		return JWT_ALG;
	if (want_jwk && jwk != JSON_NONE) {
		if (jwk_read(&t->jwk, j, jwk) != JWK_OK)
			return JWT_NO_KEY;
		t->has_jwk = true;
	}
	return read_typ(t, j);
}

enum jwt_error jwt_read(struct jwt *t, struct json_table *table, struct span token, bool want_jwk)
{
	char mem[JWT_HEADER_MAX];
	struct span header;
	struct json j;
	size_t n, where;
	enum jwt_error e;

	memset(t, 0, sizeof *t);
	t->alg = JWK_ALGS;
	e = split(t, token, &header);
	if (e != JWT_OK) {
		t->signed_part = t->signature = t->payload = span_of(NULL, 0);
		return e;
	}
	if (!base64url_decode(header, mem, sizeof mem, &n) || json_read(&j, table, span_of(mem, n), &where) != JSON_OK)
		return JWT_HEADER;
	return read_header(t, &j, want_jwk);
}

static size_t digest(enum jwk_alg alg, struct span text, uint8_t out[HASH_MAX])
{
	br_sha256_context c256;
	br_sha384_context c384;
	br_sha512_context c512;

	switch (alg) {
	case JWK_ES256:
	case JWK_RS256:
		br_sha256_init(&c256);
		br_sha256_update(&c256, text.p, text.n);
		br_sha256_out(&c256, out);
		return 32;
	case JWK_ES384:
	case JWK_RS384:
		br_sha384_init(&c384);
		br_sha384_update(&c384, text.p, text.n);
		br_sha384_out(&c384, out);
		return 48;
	case JWK_RS512:
		br_sha512_init(&c512);
		br_sha512_update(&c512, text.p, text.n);
		br_sha512_out(&c512, out);
		return 64;
	case JWK_ALGS:
		break;
	}
	return 0;
}

/* RFC 8017 8.2.2: the whole encoding is made and compared; nothing of what the signature holds is parsed. */
static bool verify_rsa(const struct jwk *key, const uint8_t *hash, size_t hash_n, uint8_t *sig, size_t n)
{
	static const uint8_t info[3][DIGEST_INFO] = {
		{ 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 },
		{ 0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30 },
		{ 0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40 },
	};
	uint8_t want[JWK_RSA_MAX], nn[JWK_RSA_MAX], ee[sizeof key->e];
	br_rsa_public_key pk = { nn, key->n_n, ee, key->e_n };
	size_t tail = DIGEST_INFO + hash_n;

	if (n != key->n_n || n < tail + 11 || n > sizeof want)
		return false;
	memcpy(nn, key->n, sizeof nn);
	memcpy(ee, key->e, sizeof ee);
	if (!br_rsa_public_get_default()(sig, n, &pk))
		return false;
	memset(want, 0xff, n - tail);
	want[0] = 0;
	want[1] = 1;
	want[n - tail - 1] = 0;
	memcpy(want + n - tail, info[hash_n / 16 - 2], DIGEST_INFO);
	memcpy(want + n - hash_n, hash, hash_n);
	return crypto_equal(want, sig, n);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return any == 0;
}

static bool verify_ec(const struct jwk *key, const uint8_t *hash, size_t hash_n, const uint8_t *sig, size_t n)
{
	bool small = key->kind == JWK_P256;
	size_t size = small ? 32 : 48;
	unsigned char q[sizeof key->point];
	br_ec_public_key pk = { small ? BR_EC_secp256r1 : BR_EC_secp384r1, q, key->point_n };

	/* Under the order: BearSSL looks. Not zero: of r it does not. */
	if (n != 2 * size || key->point_n != 1 + 2 * size || all_zero(sig, size) || all_zero(sig + size, size))
		return false;
	memcpy(q, key->point, sizeof q);
	return br_ecdsa_i31_vrfy_raw(small ? &br_ec_p256_m31 : &br_ec_prime_i31, hash, hash_n, &pk, sig, n) == 1;
}

enum jwt_error jwt_verify(const struct jwt *t, const struct jwk *key)
{
	uint8_t hash[HASH_MAX], sig[JWK_RSA_MAX];
	size_t n, hash_n;
	bool right;

	if (t->alg >= JWK_ALGS || !(key->algs >> t->alg & 1))
		return JWT_ALG;
	if ((t->alg == JWK_ES256) != (key->kind == JWK_P256) || (t->alg == JWK_ES384) != (key->kind == JWK_P384))
		return JWT_ALG;
	if (!base64url_decode(t->signature, (char *)sig, sizeof sig, &n))
		return JWT_SIGNATURE;
	hash_n = digest(t->alg, t->signed_part, hash);
	right = key->kind == JWK_RSA ? verify_rsa(key, hash, hash_n, sig, n) : verify_ec(key, hash, hash_n, sig, n);
	return right ? JWT_OK : JWT_SIGNATURE;
}

enum jwt_error jwt_claims(const struct jwt *t, struct json_table *table, char *mem, size_t cap, struct json *claims)
{
	size_t n, where;

	if (!base64url_decode(t->payload, mem, cap, &n) || json_read(claims, table, span_of(mem, n), &where) != JSON_OK)
		return JWT_CLAIMS;
	return json_type(claims, JSON_ROOT) == JSON_OBJECT ? JWT_OK : JWT_CLAIMS;
}
