#include "wire/jwk.h"

#include <bearssl.h>

#include "wire/crypto.h"
#include "wire/jwt.h"

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = JWK_RSA_MAX * 8, OPS_MAX = 16 };

static const struct { struct span name; enum jwk_kind kind; } algs[JWK_ALGS] = {
	[JWK_ES256] = { { "ES256", 5 }, JWK_P256 },
	[JWK_ES384] = { { "ES384", 5 }, JWK_P384 },
	[JWK_RS256] = { { "RS256", 5 }, JWK_RSA },
	[JWK_RS384] = { { "RS384", 5 }, JWK_RSA },
	[JWK_RS512] = { { "RS512", 5 }, JWK_RSA },
};

enum jwk_alg jwk_alg_read(struct span name)
{
	unsigned a = 0;

	while (a < JWK_ALGS && !span_eq(name, algs[a].name))
		a++;
	return (enum jwk_alg)a;
}

struct span jwk_alg_name(enum jwk_alg alg)
{
	return alg < JWK_ALGS ? algs[alg].name : SPAN("none of ours");
}

struct span jwk_error_text(enum jwk_error e)
{
	static const char *const text[JWK_ERRORS] = {
		[JWK_OK] = "no error",
		[JWK_NOT_JSON] = "it is not JSON, or has a name twice",
		[JWK_LONG] = "it is longer than 65536 bytes, or has more values than can be read",
		[JWK_NO_KEYS] = "it has no `keys` with a key that can verify ES256, ES384, RS256, RS384 or RS512 signatures",
		[JWK_MANY] = "it has more than 16 keys that can verify signatures",
		[JWK_TWICE] = "two keys have the same kid",
		[JWK_SECRET] = "it has a symmetric or a private key; only public keys belong here",
		[JWK_WEAK] = "it has an RSA key that is known to be weak: under 2048 or over 4096 bits, a small exponent, a small factor, or made by a broken generator",
		[JWK_BROKEN] = "it has a key whose members are not what RFC 7518 asks for",
	};

	return span_z(e < JWK_ERRORS ? text[e] : "unknown");
}

/* The remainder of n by a small number. */
static unsigned remainder_of(const uint8_t *n, size_t size, unsigned by)
{
	unsigned r = 0;

	for (size_t i = 0; i < size; i++)
		r = (r << 8 | n[i]) % by;
	return r;
}

/* Primes of a broken generator (CVE-2017-15361) are powers of 65537 modulo the product of the first primes, and so is their product: an
 * honest modulus is that modulo all of these with a chance of less than one in 10^8. Besides, no factor is this small. */
static bool rsa_weak(const uint8_t *n, size_t size)
{
	static const uint8_t primes[] = {
		3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137,
		139, 149, 151, 157, 163, 167,
	};
	bool powers = true;

	for (size_t i = 0; i < sizeof primes; i++) {
		unsigned p = primes[i], r = remainder_of(n, size, p), power = 1, k = 0;

		if (r == 0)
			return true;
		while (k < p && power != r) {
			power = power * (65537 % p) % p;
			k++;
		}
		powers = powers && power == r;
	}
	return powers;
}

static unsigned bits_of(const uint8_t *n, size_t size)
{
	unsigned top = size > 0 ? n[0] : 0, bits = (unsigned)size * 8;

	for (unsigned bit = 0x80; bit != 0 && !(top & bit); bit >>= 1)
		bits--;
	return bits;
}

/* A base64url member, decoded; without escapes, as there is one way to write it. */
static bool member(const struct json *j, uint32_t object, struct span name, uint8_t *to, size_t cap, size_t *n)
{
	struct span text = json_inner(j, json_get(j, object, name));

	return !span_absent(text) && text.n > 0 && base64url_decode(text, (char *)to, cap, n);
}

static enum jwk_error read_rsa(struct jwk *key, const struct json *j, uint32_t object)
{
	size_t n = 0, e = 0;

	if (json_inner(j, json_get(j, object, SPAN("n"))).n > ((size_t)JWK_RSA_MAX * 4 + 2) / 3)
		return JWK_WEAK;
	if (!member(j, object, SPAN("n"), key->n, sizeof key->n, &n) || !member(j, object, SPAN("e"), key->e, sizeof key->e, &e))
		return JWK_BROKEN;
	if (key->n[0] == 0 || key->e[0] == 0) /* RFC 7518 2: the minimum number of octets */
		return JWK_BROKEN;
	if (!(key->n[n - 1] & 1) || !(key->e[e - 1] & 1))
		return JWK_BROKEN;
	/* Odd and three bytes or more without a leading zero: an exponent of at least 65537. */
	if (e < 3 || bits_of(key->n, n) < RSA_BITS_MIN || bits_of(key->n, n) > RSA_BITS_MAX || rsa_weak(key->n, n))
		return JWK_WEAK;
	key->n_n = (uint16_t)n;
	key->e_n = (uint8_t)e;
	return JWK_OK;
}

static enum jwk_error read_point(struct jwk *key, const struct json *j, uint32_t object)
{
	static const unsigned char one[] = { 1 };
	size_t size = key->kind == JWK_P256 ? 32 : 48, x = 0, y = 0;
	unsigned char trial[97];
	uint32_t there;

	/* Full length, with leading zeros (RFC 7518 6.2.1.2). */
	key->point[0] = 4;
	if (!member(j, object, SPAN("x"), key->point + 1, size, &x) || !member(j, object, SPAN("y"), key->point + 1 + size, size, &y)
		|| x != size || y != size)
		return JWK_BROKEN;
	key->point_n = (uint8_t)(1 + 2 * size);
	memcpy(trial, key->point, key->point_n);
	/* One times the point: what comes back is whether it was on the curve, and its coordinates in the field. */
	there = key->kind == JWK_P256 ? br_ec_p256_m31.mul(trial, key->point_n, one, 1, BR_EC_secp256r1)
		: br_ec_prime_i31.mul(trial, key->point_n, one, 1, BR_EC_secp384r1);
	return there ? JWK_OK : JWK_BROKEN;
}

/* May it verify signatures? JWK_NO_KEYS: no, and nothing is wrong with that. */
static enum jwk_error read_purpose(const struct json *j, uint32_t object)
{
	uint32_t use = json_get(j, object, SPAN("use")), ops = json_get(j, object, SPAN("key_ops")), n = 0;
	bool verify = false;

	if (use != JSON_NONE && json_type(j, use) != JSON_STRING)
		return JWK_BROKEN;
	if (use != JSON_NONE && !json_is(j, use, SPAN("sig")))
		return JWK_NO_KEYS;
	if (ops == JSON_NONE)
		return JWK_OK;
	if (json_type(j, ops) != JSON_ARRAY || json_size(j, ops) > OPS_MAX)
		return JWK_BROKEN;
	for (uint32_t op = json_first(j, ops); op != JSON_NONE && n < OPS_MAX; op = json_next(j, ops, op), n++) {
		if (json_type(j, op) != JSON_STRING)
			return JWK_BROKEN;
		if (json_is(j, op, SPAN("verify"))) {
			if (verify) /* RFC 7517 4.3: no value twice */
				return JWK_BROKEN;
			verify = true;
		}
	}
	return verify ? JWK_OK : JWK_NO_KEYS;
}

static enum jwk_error read_kind(struct jwk *key, const struct json *j, uint32_t object)
{
	uint32_t kty = json_get(j, object, SPAN("kty")), crv = json_get(j, object, SPAN("crv"));

	if (json_type(j, kty) != JSON_STRING)
		return JWK_BROKEN;
	if (json_is(j, kty, SPAN("RSA"))) {
		key->kind = JWK_RSA;
		return JWK_OK;
	}
	if (!json_is(j, kty, SPAN("EC")))
		return JWK_NO_KEYS;
	if (json_type(j, crv) != JSON_STRING)
		return JWK_BROKEN;
	key->kind = json_is(j, crv, SPAN("P-256")) ? JWK_P256 : JWK_P384;
	return key->kind == JWK_P256 || json_is(j, crv, SPAN("P-384")) ? JWK_OK : JWK_NO_KEYS;
}

static enum jwk_error read_algs(struct jwk *key, const struct json *j, uint32_t object)
{
	uint32_t alg = json_get(j, object, SPAN("alg"));

	if (alg != JSON_NONE && json_type(j, alg) != JSON_STRING)
		return JWK_BROKEN;
	for (unsigned a = 0; a < JWK_ALGS; a++) {
		bool fits = algs[a].kind == key->kind;

		if (alg == JSON_NONE && fits)
			key->algs |= (uint8_t)(1u << a);
		if (alg == JSON_NONE || !json_is(j, alg, algs[a].name))
			continue;
		if (!fits)
			return JWK_BROKEN;
		key->algs |= (uint8_t)(1u << a);
	}
	return key->algs != 0 ? JWK_OK : JWK_NO_KEYS;
}

static bool is_secret(const struct json *j, uint32_t object)
{
	static const struct span private[] = {
		{ "d", 1 }, { "p", 1 }, { "q", 1 }, { "dp", 2 }, { "dq", 2 }, { "qi", 2 }, { "oth", 3 }, { "k", 1 }, { "priv", 4 },
	};

	for (size_t i = 0; i < sizeof private / sizeof private[0]; i++)
		if (json_get(j, object, private[i]) != JSON_NONE)
			return true;
	return json_is(j, json_get(j, object, SPAN("kty")), SPAN("oct"));
}

enum jwk_error jwk_read(struct jwk *key, const struct json *j, uint32_t object)
{
	uint32_t kid;
	enum jwk_error e;

	memset(key, 0, sizeof *key);
	if (json_type(j, object) != JSON_OBJECT)
		return JWK_BROKEN;
	if (is_secret(j, object))
		return JWK_SECRET;
	e = read_kind(key, j, object);
	if (e == JWK_OK)
		e = read_purpose(j, object);
	if (e == JWK_OK)
		e = read_algs(key, j, object);
	if (e != JWK_OK)
		return e;

	kid = json_get(j, object, SPAN("kid"));
	if (kid != JSON_NONE) {
		struct buf b = buf_on(key->kid, sizeof key->kid);

		if (json_type(j, kid) != JSON_STRING)
			return JWK_BROKEN;
		json_text(j, kid, &b);
		if (b.full || b.n == 0)
			return JWK_BROKEN;
		key->kid_n = (uint8_t)b.n;
	}
	return key->kind == JWK_RSA ? read_rsa(key, j, object) : read_point(key, j, object);
}

static enum jwk_error add(struct jwk_set *set, const struct json *j, uint32_t object)
{
	struct jwk key;
	enum jwk_error e = jwk_read(&key, j, object);

	if (e != JWK_OK)
		return e == JWK_NO_KEYS ? JWK_OK : e;
	if (set->n == JWK_SET_MAX)
		return JWK_MANY;
	for (uint32_t i = 0; key.kid_n > 0 && i < set->n; i++)
		if (set->keys[i].kid_n == key.kid_n && memcmp(set->keys[i].kid, key.kid, key.kid_n) == 0)
			return JWK_TWICE;
	set->keys[set->n++] = key;
	return JWK_OK;
}

static enum jwk_error read_set(struct jwk_set *set, const struct json *j)
{
	uint32_t keys = json_get(j, JSON_ROOT, SPAN("keys"));
	enum jwk_error e = JWK_OK;

	if (json_type(j, JSON_ROOT) != JSON_OBJECT || json_type(j, keys) != JSON_ARRAY)
		return JWK_NO_KEYS;
	for (uint32_t t = json_first(j, keys); t != JSON_NONE && e == JWK_OK; t = json_next(j, keys, t))
		e = add(set, j, t);
	return e == JWK_OK && set->n == 0 ? JWK_NO_KEYS : e;
}

enum jwk_error jwk_set_read(struct jwk_set *set, struct json_table *table, struct span text)
{
	struct json j;
	size_t where;
	enum json_error broken;
	enum jwk_error e;

	memset(set, 0, sizeof *set);
	if (text.n > JWK_TEXT_MAX)
		return JWK_LONG;
	broken = json_read(&j, table, text, &where);
	e = broken == JSON_TOO_MANY ? JWK_LONG : broken != JSON_OK ? JWK_NOT_JSON : read_set(set, &j);
	if (e != JWK_OK)
		memset(set, 0, sizeof *set);
	return e;
}

void jwk_thumbprint(const struct jwk *key, uint8_t out[32])
{
	char mem[JWK_RSA_MAX * 4 / 3 + 96];
	struct buf b = buf_on(mem, sizeof mem);

	if (key->kind == JWK_RSA) {
		BUF_LIT(&b, "{\"e\":\"");
		base64url_write(&b, span_of((const char *)key->e, key->e_n));
		BUF_LIT(&b, "\",\"kty\":\"RSA\",\"n\":\"");
		base64url_write(&b, span_of((const char *)key->n, key->n_n));
	} else {
		size_t size = key->kind == JWK_P256 ? 32 : 48;

		buf_put(&b, key->kind == JWK_P256 ? SPAN("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"") : SPAN("{\"crv\":\"P-384\",\"kty\":\"EC\",\"x\":\""));
		base64url_write(&b, span_of((const char *)key->point + 1, size));
		BUF_LIT(&b, "\",\"y\":\"");
		base64url_write(&b, span_of((const char *)key->point + 1 + size, size));
	}
	BUF_LIT(&b, "\"}");
	crypto_sha256(b.p, b.n, out);
}

const struct jwk *jwk_find(const struct jwk_set *set, struct span kid)
{
	if (span_absent(kid))
		return set->n == 1 ? &set->keys[0] : NULL;
	for (uint32_t i = 0; i < set->n && i < JWK_SET_MAX; i++)
		if (kid.n > 0 && set->keys[i].kid_n == kid.n && memcmp(set->keys[i].kid, kid.p, kid.n) == 0)
			return &set->keys[i];
	return NULL;
}
