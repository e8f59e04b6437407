/* wire/jwk: which keys are taken, passed over and refused, and RFC 7638's own thumbprint. */
#include "wire/jwk.h"

#include "page.h"
#include "tap.h"
#include "tokens.h"

static struct jwk_set set;
static char mem[1 << 18];

static enum jwk_error read_set(struct span text)
{
	char *page = page_copy(text.p, text.n);
	enum jwk_error e;

	memset(&set, 0xaa, sizeof set);
	e = jwk_set_read(&set, tokens_table(), span_of(page, text.n));
	page_free(page, text.n);
	return e;
}

static void set_is(const char *text, enum jwk_error want, unsigned n, const char *name)
{
	enum jwk_error got = read_set(span_z(text));

	if (!ok(got == want && set.n == n, name)) {
		diag("%s", text);
		diag("%s (%d), %u keys", jwk_error_text(got).p, (int)got, set.n);
	}
}

/* A set of one key whose text is `key` with the first `from` made `to`. */
static void changed(enum tokens_key key, const char *from, const char *to, enum jwk_error want, const char *name)
{
	char text[4096], out[4200];
	struct buf b = buf_on(text, sizeof text - 1);
	char *at;

	tokens_jwk(&b, key, "");
	text[b.n] = '\0';
	at = strstr(text, from);
	if (at == NULL) {
		ok(false, name);
		return;
	}
	snprintf(out, sizeof out, "{\"keys\":[%.*s%s%s]}", (int)(at - text), text, to, at + strlen(from));
	set_is(out, want, want == JWK_OK, name);
}

static void kinds(void)
{
	struct buf b = buf_on(mem, sizeof mem);

	tokens_set(&b, TOKENS_P256, 4);
	is_int(read_set(buf_span(&b)), JWK_OK, "a set of all our kinds");
	is_int(set.n, 4, "has four");
	is_int(set.keys[0].kind, JWK_P256, "P-256");
	is_int(set.keys[0].algs, 1 << JWK_ES256, "may verify ES256");
	is_int(set.keys[2].algs, 1 << JWK_ES384, "P-384 may verify ES384");
	is_int(set.keys[3].algs, 1 << JWK_RS256 | 1 << JWK_RS384 | 1 << JWK_RS512, "RSA may verify its three");
	is_int(set.keys[3].n_n, 256, "its modulus has 256 bytes");
	ok(jwk_find(&set, SPAN("p384")) == &set.keys[2], "found by kid");
	ok(jwk_find(&set, SPAN("p38")) == NULL && jwk_find(&set, SPAN("p3844")) == NULL && jwk_find(&set, SPAN("P384")) == NULL, "byte for byte");
	ok(jwk_find(&set, SPAN("")) == NULL, "an empty kid is none of them");
	ok(jwk_find(&set, span_of(NULL, 0)) == NULL, "without a kid, of several none");
	set.n = 1;
	ok(jwk_find(&set, span_of(NULL, 0)) == &set.keys[0], "of one that one");
	ok(jwk_find(&set, SPAN("other")) == NULL, "but not under another kid");

	changed(TOKENS_RSA, "\"kty\"", "\"alg\":\"RS384\",\"kty\"", JWK_OK, "an RSA key for RS384");
	is_int(set.keys[0].algs, 1 << JWK_RS384, "is for that alone");
	changed(TOKENS_P256, "\"kty\"", "\"key_ops\":[\"verify\"],\"use\":\"sig\",\"kty\"", JWK_OK, "with key_ops and use");
	changed(TOKENS_P256, "\"kid\":\"p256\",", "", JWK_OK, "without kid");
	ok(set.keys[0].kid_n == 0, "has none");
	changed(TOKENS_P256, "\"kid\":\"p256\"", "\"kid\":\"\\u0070256\"", JWK_OK, "an escaped kid");
	ok(jwk_find(&set, SPAN("p256")) != NULL, "is what it stands for");
	changed(TOKENS_P256, "\"kid\":\"p256\"",
		"\"kid\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456\"", JWK_OK,
		"a kid of 127 bytes");
}

static void passed_over(void)
{
	changed(TOKENS_P256, "\"kty\"", "\"use\":\"enc\",\"kty\"", JWK_NO_KEYS, "a key for encryption");
	changed(TOKENS_P256, "\"kty\"", "\"key_ops\":[\"sign\",\"encrypt\"],\"kty\"", JWK_NO_KEYS, "key_ops without verify");
	changed(TOKENS_P256, "\"kty\"", "\"key_ops\":[],\"kty\"", JWK_NO_KEYS, "no key_ops at all");
	changed(TOKENS_RSA, "\"kty\"", "\"alg\":\"PS256\",\"kty\"", JWK_NO_KEYS, "an algorithm that is none of ours");
	changed(TOKENS_RSA, "\"kty\"", "\"alg\":\"HS256\",\"kty\"", JWK_NO_KEYS, "nor is HS256 one");
	changed(TOKENS_RSA, "\"kty\"", "\"alg\":\"none\",\"kty\"", JWK_NO_KEYS, "nor none");
	changed(TOKENS_P256, "P-256", "P-521", JWK_NO_KEYS, "another curve");
	set_is("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}", JWK_NO_KEYS, 0, "another kind");
	set_is("{\"keys\":[{\"kty\":\"ec\"}]}", JWK_NO_KEYS, 0, "case matters");
	set_is("{\"keys\":[]}", JWK_NO_KEYS, 0, "no key");
	set_is("{}", JWK_NO_KEYS, 0, "no keys");
	set_is("{\"keys\":{}}", JWK_NO_KEYS, 0, "keys that are no list");
	set_is("[]", JWK_NO_KEYS, 0, "no object");
}

static void refused(void)
{
	static const char *const secrets[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };
	char text[64];

	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		snprintf(text, sizeof text, "\"%s\":null,\"kty\"", secrets[i]);
		changed(i % 2 ? TOKENS_P256 : TOKENS_RSA, "\"kty\"", text, JWK_SECRET, "a private member");
	}
	set_is("{\"keys\":[{\"kty\":\"oct\"}]}", JWK_SECRET, 0, "a symmetric key");
	set_is("{\"keys\":[{\"kty\":\"OKP\",\"d\":\"AAAA\"}]}", JWK_SECRET, 0, "a private key of a kind that is passed over");
	changed(TOKENS_P256, "P-256\",\"x\":\"", "P-256\",\"x\":\"A", JWK_BROKEN, "a coordinate that is too long");
	changed(TOKENS_P256, "P-256", "P-384", JWK_BROKEN, "coordinates of another curve");
	changed(TOKENS_P384, "P-384", "P-256", JWK_BROKEN, "and the reverse");
	changed(TOKENS_P256, "\"y\":\"", "\"Y\":\"", JWK_BROKEN, "y is not there");
	changed(TOKENS_P256, "\"kty\"", "\"alg\":\"RS256\",\"kty\"", JWK_BROKEN, "an algorithm of another kind");
	changed(TOKENS_P256, "\"kty\"", "\"alg\":\"ES384\",\"kty\"", JWK_BROKEN, "an algorithm of another curve");
	changed(TOKENS_P256, "\"kty\"", "\"alg\":256,\"kty\"", JWK_BROKEN, "alg is a number");
	changed(TOKENS_P256, "\"kty\"", "\"use\":[\"sig\"],\"kty\"", JWK_BROKEN, "use is a list");
	changed(TOKENS_P256, "\"kty\"", "\"key_ops\":\"verify\",\"kty\"", JWK_BROKEN, "key_ops is none");
	changed(TOKENS_P256, "\"kty\"", "\"key_ops\":[\"verify\",\"verify\"],\"kty\"", JWK_BROKEN, "key_ops twice the same");
	changed(TOKENS_P256, "\"kty\"", "\"key_ops\":[1],\"kty\"", JWK_BROKEN, "key_ops of numbers");
	changed(TOKENS_P256, "\"kid\":\"p256\"", "\"kid\":1", JWK_BROKEN, "kid is a number");
	changed(TOKENS_P256, "\"kid\":\"p256\"", "\"kid\":\"\"", JWK_BROKEN, "kid is empty");
	changed(TOKENS_P256, "\"kid\":\"p256\"",
		"\"kid\":\"012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678\"", JWK_BROKEN,
		"a kid of 129 bytes");
	changed(TOKENS_P256, "\"crv\":\"P-256\",", "", JWK_BROKEN, "no curve");
	changed(TOKENS_RSA, "\"e\":\"AQAB\"", "\"e\":\"AQ\"", JWK_WEAK, "e = 1");
	changed(TOKENS_RSA, "\"e\":\"AQAB\"", "\"e\":\"Aw\"", JWK_WEAK, "e = 3");
	changed(TOKENS_RSA, "\"e\":\"AQAB\"", "\"e\":\"__8\"", JWK_WEAK, "e = 65535");
	changed(TOKENS_RSA, "\"e\":\"AQAB\"", "\"e\":\"AQAA\"", JWK_BROKEN, "an even e");
	changed(TOKENS_RSA, "\"e\":\"AQAB\"", "\"e\":\"AAEAAQ\"", JWK_BROKEN, "e with a leading zero");
	changed(TOKENS_RSA, "\"e\":\"AQAB\"", "\"e\":\"AQAAAAAAAAAB\"", JWK_BROKEN, "e of nine bytes");
	changed(TOKENS_RSA, "\"n\":\"", "\"n\":\"AAAA", JWK_BROKEN, "n with leading zeros");
	changed(TOKENS_RSA, "\"n\":\"", "\"n\":\"+", JWK_BROKEN, "n that is not base64url");
	set_is("{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"________________\"}]}", JWK_WEAK, 0, "a short modulus");
	set_is("{\"keys\":[1]}", JWK_BROKEN, 0, "a key that is no object");
	set_is("{\"keys\":[{}]}", JWK_BROKEN, 0, "a key without kty");
	set_is("{\"keys\":[{\"kty\":1}]}", JWK_BROKEN, 0, "kty is a number");
	set_is("{\"keys\":[", JWK_NOT_JSON, 0, "cut off");
	set_is("{\"keys\":[],\"keys\":[]}", JWK_NOT_JSON, 0, "a name twice");
	set_is("", JWK_NOT_JSON, 0, "nothing");
}

static enum jwk_error read_point(enum tokens_key key, const unsigned char *q, size_t size)
{
	struct buf b = buf_on(mem, sizeof mem);

	buf_put(&b, key == TOKENS_P384 ? SPAN("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"") : SPAN("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\""));
	base64url_write(&b, span_of((const char *)q + 1, size));
	BUF_LIT(&b, "\",\"y\":\"");
	base64url_write(&b, span_of((const char *)q + 1 + size, size));
	BUF_LIT(&b, "\"}]}");
	return read_set(buf_span(&b));
}

/* A bit of a public point changed: no longer on the curve. (The negative of a point is on it too, and more than a bit away.) */
static void off_the_curve(void)
{
	for (unsigned k = TOKENS_P256; k <= TOKENS_P384; k++) {
		unsigned char q[BR_EC_KBUF_PUB_MAX_SIZE];
		size_t size = (tokens_point((enum tokens_key)k, q) - 1) / 2;
		unsigned taken = 0;

		is_int(read_point((enum tokens_key)k, q, size), JWK_OK, "a point");
		for (size_t bit = 0; bit < 16 * size; bit += 7) {
			q[1 + bit / 8] ^= (unsigned char)(1 << bit % 8);
			taken += read_point((enum tokens_key)k, q, size) != JWK_BROKEN;
			q[1 + bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		is_int(taken, 0, "no point with a bit changed is taken");
		memset(q + 1, 0, 2 * size);
		is_int(read_point((enum tokens_key)k, q, size), JWK_BROKEN, "nor zeros");
		memset(q + 1, 0xff, 2 * size);
		is_int(read_point((enum tokens_key)k, q, size), JWK_BROKEN, "nor coordinates beyond the field");
	}
}

static void many(void)
{
	struct buf b = buf_on(mem, sizeof mem);

	BUF_LIT(&b, "{\"keys\":[");
	tokens_jwk(&b, TOKENS_P256, "");
	buf_char(&b, ',');
	tokens_jwk(&b, TOKENS_P256B, "");
	BUF_LIT(&b, "]}");
	memcpy(strstr(b.p, "p256b"), "p256\"  ", 6); /* "kid":"p256" , */
	is_int(read_set(buf_span(&b)), JWK_TWICE, "two keys with the same kid");
	is_int(set.n, 0, "and nothing of the set is used");
	for (unsigned n = 16; n <= 17; n++) {
		buf_reset(&b);
		BUF_LIT(&b, "{\"keys\":[");
		for (unsigned i = 0; i < n; i++) {
			char one[1024];
			struct buf o = buf_on(one, sizeof one);

			tokens_jwk(&o, TOKENS_P256, "");
			buf_put(&b, i > 0 ? SPAN(",{\"kid\":\"") : SPAN("{\"kid\":\""));
			buf_u64(&b, i);
			buf_put(&b, span_from(buf_span(&o), sizeof "{\"kid\":\"p256" - 1));
		}
		BUF_LIT(&b, "]}");
		is_int(read_set(buf_span(&b)), n == 16 ? JWK_OK : JWK_MANY, n == 16 ? "sixteen keys" : "seventeen");
		is_int(set.n, n == 16 ? 16 : 0, "all or none");
	}
	buf_reset(&b);
	BUF_LIT(&b, "{\"keys\":[");
	for (unsigned i = 0; i < 2200; i++)
		buf_put(&b, i == 0 ? SPAN("{\"kty\":\"OKP\",\"x\":\"AAAA\"}") : SPAN(",{\"kty\":\"OKP\",\"x\":\"AAAA\"}"));
	BUF_LIT(&b, "]}");
	is_int(read_set(buf_span(&b)), JWK_NO_KEYS, "2,200 keys of another kind");
	for (unsigned i = 0; i < 3000; i++)
		BUF_LIT(&b, "                  ");
	is_int(read_set(buf_span(&b)), JWK_LONG, "a text of more than 64 KiB");
	buf_reset(&b);
	BUF_LIT(&b, "{\"keys\":[");
	for (unsigned i = 0; i < 10000; i++)
		buf_put(&b, i == 0 ? SPAN("{}") : SPAN(",{}"));
	BUF_LIT(&b, "]}");
	is_int(read_set(buf_span(&b)), JWK_BROKEN, "10,000 empty ones");
}

/* RFC 7638 3.1, and the thumbprint of a P-256 key as RFC 9449 6.1 has it. */
static void thumbprints(void)
{
	static const char rsa[] = "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"
		"BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6"
		"qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\","
		"\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}]}";
	static const char ec[] = "{\"keys\":[{\"kty\":\"EC\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\",\"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\",\"crv\":\"P-256\"}]}";
	uint8_t hash[32];
	struct buf b = buf_on(mem, sizeof mem);

	is_int(read_set(span_z(rsa)), JWK_OK, "the key of RFC 7638");
	jwk_thumbprint(&set.keys[0], hash);
	base64url_write(&b, span_of((const char *)hash, 32));
	is_mem(b.p, b.n, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", 43, "has its thumbprint");
	buf_reset(&b);
	is_int(read_set(span_z(ec)), JWK_OK, "the key of RFC 9449");
	jwk_thumbprint(&set.keys[0], hash);
	base64url_write(&b, span_of((const char *)hash, 32));
	is_mem(b.p, b.n, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", 43, "has its thumbprint");
}

static void names(void)
{
	for (unsigned a = 0; a < JWK_ALGS; a++)
		if (jwk_alg_read(jwk_alg_name((enum jwk_alg)a)) != (enum jwk_alg)a)
			ok(false, "a name is read back");
	static const char *const others[] = { "", "none", "None", "es256", "ES256 ", "HS256", "PS256", "ES512", "EdDSA" };

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		is_int(jwk_alg_read(span_z(others[i])), JWK_ALGS, others[i]);
	for (unsigned e = 0; e < JWK_ERRORS; e++)
		if (jwk_error_text((enum jwk_error)e).n == 0 || span_eq(jwk_error_text((enum jwk_error)e), SPAN("unknown")))
			ok(false, "every error has its text");
}

int main(void)
{
	names();
	kinds();
	passed_over();
	refused();
	off_the_curve();
	many();
	thumbprints();
	return done_testing();
}
