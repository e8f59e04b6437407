/* wire/oauth: RFC 6749 (2.3.1, appendix B, 5), RFC 8693 2, RFC 7662 2: what is written, and what is taken from an answer. */
#include "wire/oauth.h"

#include <stdlib.h>

#include "wire/jwt.h"

#include "page.h"
#include "tap.h"

static struct json_table *table;

static void is_text(const struct buf *b, const char *want, const char *name)
{
	if (b->full)
		ok(false, "it fits");
	is_mem(b->p, b->n, want, strlen(want), name);
}

static void forms(void)
{
	char mem[512], small[16];
	struct buf b = buf_on(mem, sizeof mem);
	struct buf s = buf_on(small, sizeof small);

	oauth_form(&b, SPAN("a"), SPAN("1 2&3=4+5"));
	oauth_form(&b, SPAN("b c"), SPAN(""));
	oauth_form(&b, SPAN("d"), SPAN("AZaz09-._*~%/:\x01\xc3\xa9\n"));
	is_text(&b, "a=1+2%263%3D4%2B5&b+c=&d=AZaz09-._*%7E%25%2F%3A%01%C3%A9%0A", "form-urlencoded (RFC 6749 appendix B)");
	buf_reset(&b);
	oauth_form(&b, SPAN("x"), SPAN(" %&+\xc2\xa3\xe2\x82\xac"));
	is_text(&b, "x=+%25%26%2B%C2%A3%E2%82%AC", "the example of RFC 6749 appendix B");
	oauth_form(&s, SPAN("name"), SPAN("0123456789abcdef"));
	ok(s.full, "what does not fit says so");
}

static void basic(void)
{
	static const struct { const char *id, *secret, *want; } cases[] = {
		{ "s6BhdRkqt3", "gX1fBat3bV", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW" }, /* RFC 6749 4.1.3 */
		{ "a", "", "Basic YTo=" },
		{ "a", "b", "Basic YTpi" },
		{ "ab", "b", "Basic YWI6Yg==" },
		{ "a:b", "p q/%", "Basic YSUzQWI6cCtxJTJGJTI1" }, /* a%3Ab:p+q%2F%25 */
	};
	char mem[128];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf b = buf_on(mem, sizeof mem);

		oauth_basic(&b, span_z(cases[i].id), span_z(cases[i].secret));
		is_text(&b, cases[i].want, "HTTP Basic of form-encoded id and secret (RFC 6749 2.3.1)");
	}
}

static void requests(void)
{
	char mem[1024];
	struct buf b = buf_on(mem, sizeof mem);
	struct oauth_ask ask = { .scope = SPAN("a b"), .resource = SPAN("https://up.example/mcp") };

	oauth_token_request(&b, &ask);
	is_text(&b, "grant_type=client_credentials&resource=https%3A%2F%2Fup.example%2Fmcp&scope=a+b", "client credentials");
	buf_reset(&b);
	oauth_token_request(&b, &(struct oauth_ask){ .exchange = false });
	is_text(&b, "grant_type=client_credentials", "client credentials with nothing besides");
	buf_reset(&b);
	ask = (struct oauth_ask){ .exchange = true, .subject = SPAN("t/k+n="), .audience = SPAN("up") };
	oauth_token_request(&b, &ask);
	is_text(&b, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=t%2Fk%2Bn%3D"
		"&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
		"&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&audience=up", "token exchange");
	buf_reset(&b);
	oauth_introspection_request(&b, SPAN("a+b"));
	is_text(&b, "token=a%2Bb&token_type_hint=access_token", "introspection");
}

/* A token answer; `scope` asked for (NULL: none); what it must be read as. */
static void token(const char *text, const char *scope, bool exchange, enum oauth_error want, const char *token_want, int64_t life_want)
{
	size_t n = strlen(text);
	char *page = page_str(text), mem[OAUTH_TOKEN_MAX + 64];
	struct buf b = buf_on(mem, sizeof mem);
	struct oauth_ask ask = { .exchange = exchange, .scope = span_z(scope) };
	struct oauth_token t;
	enum oauth_error got;

	BUF_LIT(&b, "before");
	got = oauth_token_read(&t, table, span_of(page, n), &ask, &b);
	is_int(got, want, text);
	if (want == OAUTH_OK) {
		is_mem(t.token.p, t.token.n, token_want, strlen(token_want), "the token");
		is_int(t.life_s, life_want, "its life");
		ok(t.token.p == mem + 6 && b.n == 6 + t.token.n, "behind what was there");
	} else {
		ok(span_absent(t.token) && b.n == 6 && !b.full && memcmp(mem, "before", 6) == 0, "and the buffer is as it was");
	}
	page_free(page, n);
}

#define T "\"access_token\":\"tok\",\"token_type\":\"Bearer\""
#define ISSUED ",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\""

static void tokens(void)
{
	char *text = malloc(OAUTH_TOKEN_MAX + 200), *value = malloc(OAUTH_TOKEN_MAX + 2);

	token("{" T "}", NULL, false, OAUTH_OK, "tok", 0);
	token("{" T ",\"expires_in\":3600,\"refresh_token\":\"r\",\"x\":[{}]}", NULL, false, OAUTH_OK, "tok", 3600);
	token("{\"access_token\":\"a\\/b\\u0041~+=\",\"token_type\":\"bEARER\",\"expires_in\":1}", NULL, false, OAUTH_OK, "a/bA~+=", 1);
	token("{" T ",\"expires_in\":315360000}", NULL, false, OAUTH_OK, "tok", OAUTH_LIFE_MAX);
	/* life */
	token("{" T ",\"expires_in\":315360001}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	token("{" T ",\"expires_in\":0}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	token("{" T ",\"expires_in\":-1}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	token("{" T ",\"expires_in\":1.5}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	token("{" T ",\"expires_in\":1e9}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	token("{" T ",\"expires_in\":99999999999999999999}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	token("{" T ",\"expires_in\":\"3600\"}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	token("{" T ",\"expires_in\":null}", NULL, false, OAUTH_BAD_LIFE, NULL, 0);
	/* the token */
	token("{\"token_type\":\"Bearer\"}", NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	token("{\"access_token\":\"\",\"token_type\":\"Bearer\"}", NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	token("{\"access_token\":7,\"token_type\":\"Bearer\"}", NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	token("{\"access_token\":\"a b\",\"token_type\":\"Bearer\"}", NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	token("{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"Bearer\"}", NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	token("{\"access_token\":\"a\\u0000\",\"token_type\":\"Bearer\"}", NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	token("{\"access_token\":\"t\xc3\xa9\",\"token_type\":\"Bearer\"}", NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	memset(value, 'x', OAUTH_TOKEN_MAX + 1);
	value[OAUTH_TOKEN_MAX] = 0;
	snprintf(text, OAUTH_TOKEN_MAX + 200, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\"}", value);
	token(text, NULL, false, OAUTH_OK, value, 0);
	snprintf(text, OAUTH_TOKEN_MAX + 200, "{\"access_token\":\"%sy\",\"token_type\":\"Bearer\"}", value);
	token(text, NULL, false, OAUTH_NO_TOKEN, NULL, 0);
	/* its type */
	token("{\"access_token\":\"t\"}", NULL, false, OAUTH_NOT_BEARER, NULL, 0);
	token("{\"access_token\":\"t\",\"token_type\":\"DPoP\"}", NULL, false, OAUTH_NOT_BEARER, NULL, 0);
	token("{\"access_token\":\"t\",\"token_type\":\"N_A\"}", NULL, true, OAUTH_NOT_BEARER, NULL, 0);
	token("{\"access_token\":\"t\",\"token_type\":[\"Bearer\"]}", NULL, false, OAUTH_NOT_BEARER, NULL, 0);
	/* scope: no wider than asked */
	token("{" T ",\"scope\":\"a\"}", "a b", false, OAUTH_OK, "tok", 0);
	token("{" T ",\"scope\":\"b a\"}", "a b", false, OAUTH_OK, "tok", 0);
	token("{" T ",\"scope\":\"\"}", "a b", false, OAUTH_OK, "tok", 0);
	token("{" T ",\"scope\":\"https:\\/\\/x\\/y\"}", "https://x/y", false, OAUTH_OK, "tok", 0);
	token("{" T ",\"scope\":\"anything at all\"}", NULL, false, OAUTH_OK, "tok", 0);
	token("{" T ",\"scope\":\"a b c\"}", "a b", false, OAUTH_WIDER, NULL, 0);
	token("{" T ",\"scope\":\"A\"}", "a b", false, OAUTH_WIDER, NULL, 0);
	token("{" T ",\"scope\":\"ab\"}", "a b", false, OAUTH_WIDER, NULL, 0);
	token("{" T ",\"scope\":\"a\"}", "", false, OAUTH_WIDER, NULL, 0);
	token("{" T ",\"scope\":\"a  b\"}", "a b", false, OAUTH_BAD_SCOPE, NULL, 0);
	token("{" T ",\"scope\":\" a\"}", "a b", false, OAUTH_BAD_SCOPE, NULL, 0);
	token("{" T ",\"scope\":\"a \"}", "a b", false, OAUTH_BAD_SCOPE, NULL, 0);
	token("{" T ",\"scope\":\"a\\tb\"}", NULL, false, OAUTH_BAD_SCOPE, NULL, 0);
	token("{" T ",\"scope\":\"a\\\"\"}", NULL, false, OAUTH_BAD_SCOPE, NULL, 0);
	token("{" T ",\"scope\":[\"a\"]}", "a b", false, OAUTH_BAD_SCOPE, NULL, 0);
	/* exchange */
	token("{" T ISSUED "}", NULL, true, OAUTH_OK, "tok", 0);
	token("{" T "}", NULL, true, OAUTH_BAD_KIND, NULL, 0);
	token("{" T ",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:refresh_token\"}", NULL, true, OAUTH_BAD_KIND, NULL, 0);
	token("{" T ",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:refresh_token\"}", NULL, false, OAUTH_OK, "tok", 0);
	/* JSON */
	token("", NULL, false, OAUTH_NOT_JSON, NULL, 0);
	token("[]", NULL, false, OAUTH_NOT_JSON, NULL, 0);
	token("{" T, NULL, false, OAUTH_NOT_JSON, NULL, 0);
	token("{" T "}x", NULL, false, OAUTH_NOT_JSON, NULL, 0);
	token("{" T "," T "}", NULL, false, OAUTH_NOT_JSON, NULL, 0);
	token("access_token=tok&token_type=bearer", NULL, false, OAUTH_NOT_JSON, NULL, 0);
	free(text);
	free(value);
}

/* A JWT with these claims, asked for with scope "a b" and what is given. */
static void judge(const char *claims, const char *resource, const char *audience, enum oauth_error want)
{
	char mem[1024], scratch[512];
	struct buf b = buf_on(mem, sizeof mem);
	struct oauth_ask ask = { .scope = SPAN("a b"), .resource = span_z(resource), .audience = span_z(audience) };

	BUF_LIT(&b, "eyJhbGciOiJub25lIn0.");
	base64url_write(&b, span_z(claims));
	BUF_LIT(&b, ".c2ln");
	is_int(oauth_token_judge(table, buf_span(&b), &ask, scratch, sizeof scratch), want, claims);
	BUF_LIT(&b, ".");
	is_int(oauth_token_judge(table, buf_span(&b), &ask, scratch, sizeof scratch), OAUTH_OK, "with a dot more it is none");
	is_int(oauth_token_judge(table, span_of(b.p + 20, b.n - 26), &ask, scratch, sizeof scratch), OAUTH_OK, "with both dots less too");
}

static void judgements(void)
{
	static const char up[] = "https://up.example/mcp";
	char scratch[4];

	judge("{\"aud\":\"https://up.example/mcp\",\"scope\":\"a\"}", up, NULL, OAUTH_OK);
	judge("{\"aud\":[\"x\",\"https://up.example/mcp\"]}", up, NULL, OAUTH_OK);
	judge("{\"aud\":[\"x\",\"up\"]}", up, "up", OAUTH_OK);
	judge("{\"aud\":\"https://up.example/mcp/\"}", up, "up", OAUTH_OTHER_AUDIENCE);
	judge("{\"aud\":\"https://up.example/\"}", up, NULL, OAUTH_OTHER_AUDIENCE);
	judge("{\"aud\":[]}", up, NULL, OAUTH_OTHER_AUDIENCE);
	judge("{\"aud\":{\"https://up.example/mcp\":1}}", up, NULL, OAUTH_OTHER_AUDIENCE);
	judge("{\"aud\":\"anybody\"}", NULL, NULL, OAUTH_OK);
	judge("{\"sub\":\"x\"}", up, "up", OAUTH_OK);
	judge("{\"scope\":\"a b\"}", NULL, NULL, OAUTH_OK);
	judge("{\"scope\":\"a admin\"}", NULL, NULL, OAUTH_WIDER);
	judge("{\"scope\":[\"b\",\"a\"]}", NULL, NULL, OAUTH_OK);
	judge("{\"scope\":[\"b\",\"admin\"]}", NULL, NULL, OAUTH_WIDER);
	judge("{\"scope\":7}", NULL, NULL, OAUTH_OK);
	judge("no claims", up, NULL, OAUTH_OK);
	is_int(oauth_token_judge(table, SPAN("a.eyJhdWQiOiJ4In0.b"), &(struct oauth_ask){ .audience = SPAN("y") }, scratch, sizeof scratch), OAUTH_OK,
		"too long to be looked at");
	is_int(oauth_token_judge(table, SPAN("a.!.b"), &(struct oauth_ask){ .audience = SPAN("y") }, scratch, sizeof scratch), OAUTH_OK, "no base64url");
	is_int(oauth_token_judge(table, SPAN("opaque"), &(struct oauth_ask){ .audience = SPAN("y") }, scratch, sizeof scratch), OAUTH_OK, "opaque");
	is_int(oauth_token_judge(table, SPAN("."), &(struct oauth_ask){ .audience = SPAN("y") }, scratch, sizeof scratch), OAUTH_OK, "a dot");
}

static void is_code(const char *text, const char *want)
{
	struct span got = oauth_error_code(table, span_z(text));

	is_mem(got.p, got.n, want, strlen(want), text);
}

static void errors(void)
{
	is_code("{\"error\":\"invalid_client\",\"error_description\":\"the secret hunter2 is wrong\"}", "invalid_client");
	is_code("{\"error\":\"invalid_targe\\u0074\"}", "invalid_target");
	is_code("{\"error\":\"your token abc\"}", "an error code that is not in RFC 6749, 7009, 8693 or 8707");
	is_code("{\"error\":{}}", "no error code");
	is_code("{}", "no error code");
	is_code("<html>", "no error code");
	for (int e = 0; e < OAUTH_ERRORS; e++)
		for (int k = 0; k < e; k++)
			if (span_eq(oauth_error_text((enum oauth_error)e), oauth_error_text((enum oauth_error)k)))
				ok(false, "each error has a sentence of its own");
	ok(oauth_error_text(OAUTH_ERRORS).n > 0, "each error has a sentence");
}

static void active(const char *text, enum oauth_error want, bool active_want, int64_t until_want)
{
	struct oauth_introspection i;

	is_int(oauth_introspection_read(&i, table, span_z(text)), want, text);
	ok(i.active == active_want, "active or not");
	is_int(i.until_s, until_want, "until when");
}

static void introspection(void)
{
	active("{\"active\":true,\"exp\":1419356238,\"sub\":\"x\"}", OAUTH_OK, true, 1419356238);
	active("{\"active\":false}", OAUTH_OK, false, 0);
	active("{\"active\":true}", OAUTH_OK, true, 0);
	active("{\"active\":true,\"exp\":1.5}", OAUTH_OK, true, -1);
	active("{\"active\":true,\"exp\":-7}", OAUTH_OK, true, -1);
	active("{\"active\":true,\"exp\":\"soon\"}", OAUTH_OK, true, -1);
	active("{\"active\":\"true\"}", OAUTH_NOT_ACTIVE_OR_NOT, false, 0);
	active("{\"active\":1}", OAUTH_NOT_ACTIVE_OR_NOT, false, 0);
	active("{}", OAUTH_NOT_ACTIVE_OR_NOT, false, 0);
	active("{\"active\":false,\"active\":true}", OAUTH_NOT_JSON, false, 0);
	active("true", OAUTH_NOT_JSON, false, 0);
}

int main(void)
{
	static const uint8_t seed[16] = { 3 };
	void *mem = aligned_alloc(16, (json_table_need(512) + 15) & ~(size_t)15);

	table = json_table_place(mem, 512, seed);
	forms();
	basic();
	requests();
	tokens();
	judgements();
	errors();
	introspection();
	free(mem);
	return done_testing();
}
