/* wire/jwt: the form, what a header may hold, signatures of every algorithm of ours, and claims. */
#include "wire/jwt.h"

#include "page.h"
#include "tap.h"
#include "tokens.h"

static char mem[1 << 17];

static enum jwt_error read_token(struct jwt *t, struct span token, bool want_jwk)
{
	static char *page;
	static size_t page_n;

	if (page != NULL)
		page_free(page, page_n);
	page = page_copy(token.p, token.n);
	page_n = token.n;
	return jwt_read(t, tokens_table(), span_of(page, token.n), want_jwk);
}

static void base64url(void)
{
	static const struct { const char *text, *bytes; size_t n; } right[] = {
		{ "", "", 0 }, { "Zg", "f", 1 }, { "Zm8", "fo", 2 }, { "Zm9v", "foo", 3 }, { "Zm9vYg", "foob", 4 }, { "__-_", "\xff\xff\xbf", 3 }, { "AA", "\0", 1 },
	};
	static const char *const wrong[] = { "Z", "Zg==", "Zh", "Zm9", "Zm9v\n", "Zm+v", "Zm/v", "Zm9v=", " Zm9v", "Zm9vYg=", "Zm9vY", "Zm\x80v" };
	char out[16], text[400], back[300];
	bool same = true;
	size_t n;

	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		struct buf b = buf_on(out, sizeof out);

		base64url_write(&b, span_of(right[i].bytes, right[i].n));
		is_mem(b.p, b.n, right[i].text, strlen(right[i].text), "written");
		ok(base64url_decode(span_z(right[i].text), out, right[i].n, &n) && n == right[i].n && memcmp(out, right[i].bytes, n) == 0, "and read");
		if (right[i].n > 0)
			ok(!base64url_decode(span_z(right[i].text), out, right[i].n - 1, &n) && n == 0, "not where it does not fit");
	}
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!ok(!base64url_decode(span_z(wrong[i]), out, sizeof out, &n) && n == 0, "one way to write it"))
			diag("%s", wrong[i]);
	for (size_t len = 0; len < sizeof back; len++) {
		struct buf b = buf_on(text, sizeof text);

		for (size_t i = 0; i < len; i++)
			back[i] = (char)(unsigned char)(i * 7 + len);
		base64url_write(&b, span_of(back, len));
		same = same && base64url_decode(buf_span(&b), text, sizeof text, &n) && n == len && memcmp(text, back, n) == 0;
	}
	ok(same, "there and back, in place");
	struct buf b = buf_on(out, 3);
	base64url_write(&b, SPAN("foo"));
	ok(b.full && b.n == 0, "what does not fit writes nothing");
}

static void form(void)
{
	static const char *const wrong[] = {
		"", ".", "..", "...", "e30", "e30.e30", "e30.e30.", ".e30.AAAA", "e30..AAAA", "e30.e30.AAAA.AAAA", "e30.e30.AAAA.AAAA.AAAA", "e30.e30.AAAA=",
		"e30=.e30.AAAA", "e30.e30=.AAAA", " e30.e30.AAAA", "e30.e30.AAAA ", "e30.e30.AA/A", "e30.e30.AA+A", "e30.e3\n0.AAAA", "e30.e31.AAAA", "e31.e30.AAAA",
		"e30.e30.AAB", "e30.e30.A", "e30.e30.AA\xc3\xa4", "e30,e30,AAAA",
	};
	struct jwt t;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (!ok(read_token(&t, span_z(wrong[i]), false) == JWT_FORM && span_absent(t.payload), "no form of a token"))
			diag("%s", wrong[i]);
	struct buf b = buf_on(mem, sizeof mem);
	BUF_LIT(&b, "e30.e30.");
	while (b.n < JWT_MAX)
		BUF_LIT(&b, "AAAA");
	ok(read_token(&t, buf_span(&b), false) != JWT_FORM, "8 KiB are read");
	BUF_LIT(&b, "AAAA");
	ok(read_token(&t, buf_span(&b), false) == JWT_FORM, "more is not");
}

static void head_n(struct span header, enum jwt_error want, bool want_jwk, const char *name)
{
	struct buf b = buf_on(mem, sizeof mem);
	struct jwt t;
	enum jwt_error got;

	base64url_write(&b, header);
	BUF_LIT(&b, ".e30.AAAA");
	got = read_token(&t, buf_span(&b), want_jwk);
	if (!ok(got == want, name))
		diag("%.200s: %d, want %d", header.p, (int)got, (int)want);
	ok(want == JWT_FORM || span_eq(t.payload, SPAN("e30")), "its parts are there");
}

static void head(const char *header, enum jwt_error want, const char *name)
{
	head_n(span_z(header), want, false, name);
}

static void headers(void)
{
	char text[4096];
	struct jwt t;
	struct buf b;

	head("{\"alg\":\"ES256\"}", JWT_OK, "the least");
	head(" {\n\"alg\" : \"RS512\" , \"x\":[1]}", JWT_OK, "white space and what is not known");
	head("{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"jku\":\"http://127.0.0.1/\",\"x5u\":7,\"x5c\":[],\"x5t\":null}", JWT_OK, "keys in the header are not looked at");
	head("{}", JWT_ALG, "no alg");
	head("{\"alg\":null}", JWT_ALG, "alg null");
	head("{\"alg\":256}", JWT_ALG, "alg is a number");
	head("{\"alg\":[\"ES256\"]}", JWT_ALG, "alg is a list");
	head("{\"alg\":\"\"}", JWT_ALG, "alg is empty");
	head("{\"alg\":\"none\"}", JWT_ALG, "none");
	head("{\"alg\":\"nOnE\"}", JWT_ALG, "nOnE");
	head("{\"alg\":\"HS256\"}", JWT_ALG, "HS256");
	head("{\"alg\":\"es256\"}", JWT_ALG, "es256");
	head("{\"alg\":\"ES256\\u0000\"}", JWT_ALG, "a NUL behind it");
	head("{\"ALG\":\"ES256\"}", JWT_ALG, "the member is alg");
	head("{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", JWT_CRITICAL, "crit");
	head("{\"alg\":\"ES256\",\"crit\":[]}", JWT_CRITICAL, "an empty crit");
	head("{\"alg\":\"ES256\",\"crit\":null}", JWT_CRITICAL, "crit null");
	head("{\"alg\":\"ES256\",\"b64\":false}", JWT_CRITICAL, "b64");
	head("{\"alg\":\"ES256\",\"b64\":true}", JWT_CRITICAL, "b64 true");
	head("{\"alg\":\"ES256\",\"zip\":\"DEF\"}", JWT_HEADER, "zip");
	head("{\"alg\":\"ES256\",\"enc\":\"A128GCM\"}", JWT_HEADER, "enc");
	head("{\"alg\":\"ES256\",\"alg\":\"ES256\"}", JWT_HEADER, "alg twice");
	head("{\"alg\":\"ES256\",\"kid\":\"a\",\"\\u006bid\":\"a\"}", JWT_HEADER, "kid twice, once escaped");
	head("{\"alg\":\"ES256\",\"kid\":1}", JWT_HEADER, "kid is a number");
	head("{\"alg\":\"ES256\",\"kid\":\"\"}", JWT_HEADER, "kid is empty");
	head("[]", JWT_HEADER, "a list");
	head("\"alg\"", JWT_HEADER, "a string");
	head("{\"alg\":\"ES256\"", JWT_HEADER, "cut off");
	head("{\"alg\":\"ES256\"}{}", JWT_HEADER, "twice");
	head("\xef\xbb\xbf{\"alg\":\"ES256\"}", JWT_HEADER, "BOM");
	head("{\"alg\":\"ES256\",\"a\":\"\xff\"}", JWT_HEADER, "not UTF-8");
	head("{\"alg\":\"ES256\",\"typ\":1}", JWT_TYPE, "typ is a number");
	head("{\"alg\":\"ES256\",\"typ\":\"012345678901234567890123456789012\"}", JWT_TYPE, "typ of 33 bytes");
	for (unsigned len = 128; len <= 129; len++) {
		b = buf_on(text, sizeof text);
		BUF_LIT(&b, "{\"alg\":\"ES256\",\"kid\":\"");
		for (unsigned i = 0; i < len; i++)
			buf_char(&b, '/');
		BUF_LIT(&b, "\"}");
		head_n(buf_span(&b), len == 128 ? JWT_OK : JWT_HEADER, false, len == 128 ? "a kid of 128 bytes" : "a kid of 129");
	}
	for (unsigned len = 2048; len <= 2049; len++) {
		b = buf_on(text, sizeof text);
		BUF_LIT(&b, "{\"alg\":\"ES256\"");
		while (b.n + 1 < len)
			buf_char(&b, ' ');
		BUF_LIT(&b, "}");
		head_n(buf_span(&b), len == 2048 ? JWT_OK : JWT_HEADER, false, len == 2048 ? "2,048 bytes" : "one more");
	}
	b = buf_on(text, sizeof text);
	BUF_LIT(&b, "{\"alg\":\"ES256\",\"a\":");
	for (unsigned i = 0; i < 500; i++)
		buf_char(&b, '[');
	for (unsigned i = 0; i < 500; i++)
		buf_char(&b, ']');
	BUF_LIT(&b, "}");
	head_n(buf_span(&b), JWT_HEADER, false, "deep");

	b = buf_on(mem, sizeof mem);
	base64url_write(&b, SPAN("{\"typ\":\"Application/AT+JWT\",\"alg\":\"RS384\",\"kid\":\"\\u002e\\/..\"}"));
	BUF_LIT(&b, ".e30.AAAA");
	is_int(read_token(&t, buf_span(&b), false), JWT_OK, "a header");
	ok(span_eq(t.typ, SPAN("at+jwt")), "typ without case and prefix");
	ok(span_eq(t.kid, SPAN("./..")), "kid as it is meant");
	is_int(t.alg, JWK_RS384, "alg");
	ok(!t.has_jwk && span_eq(t.signature, SPAN("AAAA")), "signature");
	for (unsigned e = 0; e < JWT_ERRORS; e++)
		if (jwt_error_text((enum jwt_error)e).n == 0 || span_eq(jwt_error_text((enum jwt_error)e), SPAN("unknown")))
			ok(false, "every error has its text");
}

static void embedded(void)
{
	char text[2048];
	struct buf b = buf_on(text, sizeof text);

	BUF_LIT(&b, "{\"alg\":\"ES256\",\"jwk\":");
	tokens_jwk(&b, TOKENS_P256, "");
	BUF_LIT(&b, "}");
	head_n(buf_span(&b), JWT_OK, true, "a key in the header, where it is wanted");
	b.n -= 2;
	BUF_LIT(&b, ",\"d\":\"AA\"}}");
	head_n(buf_span(&b), JWT_NO_KEY, true, "a private one");
	head_n(buf_span(&b), JWT_OK, false, "where none is wanted it is nothing");
	head_n(SPAN("{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}"), JWT_NO_KEY, true, "a symmetric one");
	head_n(SPAN("{\"alg\":\"ES256\",\"jwk\":\"AAAA\"}"), JWT_NO_KEY, true, "a string");
}

static const struct { enum tokens_key key; enum jwk_alg alg; const char *header; } signers[] = {
	{ TOKENS_P256, JWK_ES256, "{\"alg\":\"ES256\",\"kid\":\"p256\"}" }, { TOKENS_P384, JWK_ES384, "{\"alg\":\"ES384\",\"kid\":\"p384\"}" },
	{ TOKENS_RSA, JWK_RS256, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}" }, { TOKENS_RSA, JWK_RS384, "{\"alg\":\"RS384\",\"kid\":\"rsa\"}" },
	{ TOKENS_RSA, JWK_RS512, "{\"alg\":\"RS512\",\"kid\":\"rsa\"}" },
};

static void signatures(void)
{
	static struct jwk_set set;
	struct buf b = buf_on(mem, sizeof mem);

	tokens_set(&b, TOKENS_P256, 4);
	is_int(jwk_set_read(&set, tokens_table(), buf_span(&b)), JWK_OK, "the keys");
	for (size_t i = 0; i < sizeof signers / sizeof signers[0]; i++) {
		unsigned char sig[512];
		unsigned taken = 0;
		struct jwt t;
		struct json j;
		char claims[64];
		size_t dot, n;

		buf_reset(&b);
		tokens_write(&b, span_z(signers[i].header), SPAN("{\"iss\":\"me\",\"n\":1}"), signers[i].key, signers[i].alg);
		is_int(read_token(&t, buf_span(&b), false), JWT_OK, signers[i].header);
		is_int(jwt_verify(&t, jwk_find(&set, t.kid)), JWT_OK, "verified");
		ok(jwt_claims(&t, tokens_table(), claims, sizeof claims, &j) == JWT_OK && json_is(&j, json_get(&j, JSON_ROOT, SPAN("iss")), SPAN("me")), "and its claims read");
		ok(jwt_claims(&t, tokens_table(), claims, 17, &j) == JWT_CLAIMS, "not where they do not fit");
		for (unsigned k = 0; k < set.n; k++)
			if (&set.keys[k] != jwk_find(&set, t.kid))
				taken += jwt_verify(&t, &set.keys[k]) == JWT_OK;
		is_int(taken, 0, "under no other key");
		for (unsigned a = 0; a < JWK_ALGS; a++) {
			enum jwk_alg own = t.alg;

			t.alg = (enum jwk_alg)a;
			taken += t.alg != own && jwt_verify(&t, jwk_find(&set, t.kid)) == JWT_OK;
			t.alg = own;
		}
		is_int(taken, 0, "under no other algorithm");
		struct jwk narrow = *jwk_find(&set, t.kid);
		narrow.algs = (uint8_t)(narrow.algs & ~(1u << t.alg));
		is_int(jwt_verify(&t, &narrow), JWT_ALG, "not under its own, if that is for something else");

		/* A byte of what is signed, a bit of the signature. */
		dot = t.signed_part.n;
		for (size_t at = 0; at < dot; at += 3) {
			char was = b.p[at];

			if (was == '.')
				continue;
			b.p[at] = was == 'A' ? 'B' : 'A';
			taken += read_token(&t, buf_span(&b), false) == JWT_OK && jwt_verify(&t, &set.keys[signers[i].key]) == JWT_OK;
			b.p[at] = was;
		}
		is_int(read_token(&t, buf_span(&b), false), JWT_OK, "as it was");
		is_int(base64url_decode(t.signature, (char *)sig, sizeof sig, &n), 1, "its signature");
		for (size_t bit = 0; bit < n * 8; bit += 37) {
			sig[bit / 8] ^= (unsigned char)(1 << bit % 8);
			b.n = dot + 1;
			base64url_write(&b, span_of((const char *)sig, n));
			taken += read_token(&t, buf_span(&b), false) == JWT_OK && jwt_verify(&t, &set.keys[signers[i].key]) == JWT_OK;
			sig[bit / 8] ^= (unsigned char)(1 << bit % 8);
		}
		for (size_t len = 0; len <= n + 2; len++) {
			if (len == n)
				continue;
			sig[n] = sig[n + 1] = 0;
			b.n = dot + 1;
			base64url_write(&b, span_of((const char *)sig, len));
			taken += read_token(&t, buf_span(&b), false) == JWT_OK && jwt_verify(&t, &set.keys[signers[i].key]) == JWT_OK;
		}
		b.n = dot + 1; /* a zero in front, as big integers are written elsewhere */
		memmove(sig + 1, sig, n);
		sig[0] = 0;
		base64url_write(&b, span_of((const char *)sig, n + 1));
		taken += read_token(&t, buf_span(&b), false) == JWT_OK && jwt_verify(&t, &set.keys[signers[i].key]) == JWT_OK;
		is_int(taken, 0, "nothing else is taken");
	}
}

static void claims_form(void)
{
	static const char *const wrong[] = { "[]", "1", "\"a\"", "{", "{\"a\":1,\"a\":1}", "{}x", "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}" };
	struct buf b = buf_on(mem, sizeof mem);
	char text[64];
	struct json j;
	struct jwt t;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		buf_reset(&b);
		tokens_write(&b, SPAN("{\"alg\":\"ES256\"}"), span_z(wrong[i]), TOKENS_P256, JWK_ES256);
		ok(read_token(&t, buf_span(&b), false) == JWT_OK && jwt_claims(&t, tokens_table(), text, sizeof text, &j) == JWT_CLAIMS, wrong[i]);
	}
}

int main(void)
{
	base64url();
	form();
	headers();
	embedded();
	signatures();
	claims_form();
	return done_testing();
}
