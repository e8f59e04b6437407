#include "wire/oauth.h"

#include "base/text.h"
#include "wire/crypto.h"
#include "wire/jwt.h"

#define ACCESS_TOKEN "urn:ietf:params:oauth:token-type:access_token"

/* ---- forms ---- */

/* What one byte is in a form: itself, '+', or %XX; returns how many bytes of out. */
static size_t form_byte(char c, char out[3])
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;

	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '*') {
		out[0] = c;
		return 1;
	}
	if (c == ' ') {
		out[0] = '+';
		return 1;
	}
	out[0] = '%';
	out[1] = hex[u >> 4];
	out[2] = hex[u & 15];
	return 3;
}

static void form_text(struct buf *b, struct span s)
{
	char out[3];

	for (size_t i = 0; i < s.n && !b->full; i++) {
		size_t n = form_byte(s.p[i], out);

		for (size_t k = 0; k < n; k++)
			buf_char(b, out[k]);
	}
}

void oauth_form(struct buf *b, struct span name, struct span value)
{
	if (b->n > 0)
		buf_char(b, '&');
	form_text(b, name);
	buf_char(b, '=');
	form_text(b, value);
}

/* base64 of a text that is never in one piece: whole groups of three bytes go out as they fill. */
struct groups {
	struct buf *to;
	char at[3];
	size_t n;
};

static void group_byte(struct groups *g, char c)
{
	g->at[g->n++] = c;
	if (g->n == sizeof g->at) {
		b64_encode(g->to, g->at, g->n);
		g->n = 0;
	}
}

static void group_form(struct groups *g, struct span s)
{
	char out[3];

	for (size_t i = 0; i < s.n; i++) {
		size_t n = form_byte(s.p[i], out);

		for (size_t k = 0; k < n; k++)
			group_byte(g, out[k]);
	}
	crypto_wipe(out, sizeof out);
}

void oauth_basic(struct buf *b, struct span id, struct span secret)
{
	struct groups g = { b, { 0 }, 0 };

	BUF_LIT(b, "Basic ");
	group_form(&g, id);
	group_byte(&g, ':');
	group_form(&g, secret);
	b64_encode(b, g.at, g.n);
	crypto_wipe(&g, sizeof g);
}

static void optional(struct buf *b, struct span name, struct span value)
{
	if (!span_absent(value))
		oauth_form(b, name, value);
}

void oauth_token_request(struct buf *b, const struct oauth_ask *ask)
{
	if (ask->exchange) {
		oauth_form(b, SPAN("grant_type"), SPAN("urn:ietf:params:oauth:grant-type:token-exchange"));
		oauth_form(b, SPAN("subject_token"), ask->subject);
		oauth_form(b, SPAN("subject_token_type"), SPAN(ACCESS_TOKEN));
		oauth_form(b, SPAN("requested_token_type"), SPAN(ACCESS_TOKEN));
	} else {
		oauth_form(b, SPAN("grant_type"), SPAN("client_credentials"));
	}
	optional(b, SPAN("resource"), ask->resource);
	optional(b, SPAN("audience"), ask->audience);
	optional(b, SPAN("scope"), ask->scope);
}

void oauth_introspection_request(struct buf *b, struct span token)
{
	oauth_form(b, SPAN("token"), token);
	oauth_form(b, SPAN("token_type_hint"), SPAN("access_token"));
}

/* ---- answers ---- */

struct span oauth_error_text(enum oauth_error e)
{
	switch (e) {
	case OAUTH_OK: return SPAN("it is right");
	case OAUTH_NOT_JSON: return SPAN("it is not a JSON object");
	case OAUTH_NO_TOKEN: return SPAN("access_token is missing, too long, or not visible ASCII");
	case OAUTH_NOT_BEARER: return SPAN("token_type is not Bearer");
	case OAUTH_BAD_LIFE: return SPAN("expires_in is not a whole number of seconds from 1 on");
	case OAUTH_BAD_SCOPE: return SPAN("scope is not a list of scopes");
	case OAUTH_WIDER: return SPAN("scope is wider than what was asked for");
	case OAUTH_BAD_KIND: return SPAN("issued_token_type is not that of an access token");
	case OAUTH_OTHER_AUDIENCE: return SPAN("the token is for another audience than was asked for");
	case OAUTH_NOT_ACTIVE_OR_NOT: return SPAN("active is neither true nor false");
	case OAUTH_ERRORS: break;
	}
	return SPAN("it is wrong");
}

static bool object(struct json *j, struct json_table *table, struct span text)
{
	size_t where;

	return json_read(j, table, text, &where) == JSON_OK && json_type(j, JSON_ROOT) == JSON_OBJECT;
}

static bool visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.n > 0;
}

/* The next of the words that single spaces part; false: there is none, or it is not a scope-token (then *wrong). */
static bool next_scope(struct span *list, struct span *word, bool *wrong)
{
	size_t n = 0;

	*wrong = false;
	if (list->n == 0)
		return false;
	while (n < list->n && list->p[n] != ' ')
		n++;
	*word = span_of(list->p, n);
	*wrong = !visible(*word) || memchr(word->p, '"', n) || memchr(word->p, '\\', n) || n + 1 == list->n;
	*list = span_from(*list, n + 1);
	return !*wrong;
}

static bool has_scope(struct span list, struct span wanted)
{
	struct span word;
	bool wrong;

	while (next_scope(&list, &word, &wrong))
		if (span_eq(word, wanted))
			return true;
	return false;
}

static enum oauth_error judge_scopes(struct span list, const struct oauth_ask *ask)
{
	struct span word;
	bool wrong = false;

	while (next_scope(&list, &word, &wrong))
		if (!span_absent(ask->scope) && !has_scope(ask->scope, word))
			return OAUTH_WIDER;
	return wrong ? OAUTH_BAD_SCOPE : OAUTH_OK;
}

/* The text is unescaped into what is free of `mem`, which is given back. */
static enum oauth_error judge_scope(const struct json *j, const struct oauth_ask *ask, const struct buf *mem)
{
	uint32_t token = json_get(j, JSON_ROOT, SPAN("scope"));
	struct buf text = buf_on(mem->p + mem->n, buf_room(mem));

	if (token == JSON_NONE)
		return OAUTH_OK;
	if (json_type(j, token) != JSON_STRING)
		return OAUTH_BAD_SCOPE;
	json_text(j, token, &text);
	return text.full ? OAUTH_BAD_SCOPE : judge_scopes(buf_span(&text), ask);
}

static bool is_bearer(const struct json *j)
{
	struct span type = json_inner(j, json_get(j, JSON_ROOT, SPAN("token_type")));

	return !span_absent(type) && span_ieq(type, SPAN("Bearer"));
}

static bool read_token(struct oauth_token *t, const struct json *j, struct buf *mem)
{
	uint32_t token = json_get(j, JSON_ROOT, SPAN("access_token"));
	size_t before = mem->n;

	if (json_type(j, token) != JSON_STRING)
		return false;
	json_text(j, token, mem);
	t->token = span_of(mem->p + before, mem->n - before);
	if (!mem->full && t->token.n <= OAUTH_TOKEN_MAX && visible(t->token))
		return true;
	crypto_wipe(mem->p + before, mem->n - before);
	mem->n = before;
	mem->full = false;
	t->token = span_of(NULL, 0);
	return false;
}

enum oauth_error oauth_token_read(struct oauth_token *t, struct json_table *table, struct span text, const struct oauth_ask *ask, struct buf *mem)
{
	struct json j;
	uint32_t life;
	enum oauth_error scope;

	*t = (struct oauth_token){ span_of(NULL, 0), 0 };
	if (!object(&j, table, text))
		return OAUTH_NOT_JSON;
	if (!is_bearer(&j))
		return OAUTH_NOT_BEARER;
	life = json_get(&j, JSON_ROOT, SPAN("expires_in"));
	if (life != JSON_NONE && (!json_int(&j, life, &t->life_s) || t->life_s < 1 || t->life_s > OAUTH_LIFE_MAX)) {
		t->life_s = 0;
		return OAUTH_BAD_LIFE;
	}
	scope = judge_scope(&j, ask, mem);
	if (scope != OAUTH_OK)
		return scope;
	if (ask->exchange && !json_is(&j, json_get(&j, JSON_ROOT, SPAN("issued_token_type")), SPAN(ACCESS_TOKEN)))
		return OAUTH_BAD_KIND;
	return read_token(t, &j, mem) ? OAUTH_OK : OAUTH_NO_TOKEN;
}

/* The part of a compact JWS (RFC 7515 7.1) between its two dots; absent: it is none. */
static struct span middle(struct span token)
{
	const char *one = memchr(token.p, '.', token.n), *two;
	size_t left = one ? token.n - (size_t)(one + 1 - token.p) : 0;

	two = left > 0 ? memchr(one + 1, '.', left) : NULL;
	if (!two || memchr(two + 1, '.', (size_t)(token.p + token.n - (two + 1))))
		return span_of(NULL, 0);
	return span_of(one + 1, (size_t)(two - (one + 1)));
}

static bool wanted_audience(const struct json *j, uint32_t aud, const struct oauth_ask *ask)
{
	return (!span_absent(ask->resource) && json_is(j, aud, ask->resource)) || (!span_absent(ask->audience) && json_is(j, aud, ask->audience));
}

static bool for_us(const struct json *j, const struct oauth_ask *ask)
{
	uint32_t aud = json_get(j, JSON_ROOT, SPAN("aud"));

	if (aud == JSON_NONE || (span_absent(ask->resource) && span_absent(ask->audience)))
		return true;
	if (json_type(j, aud) != JSON_ARRAY)
		return wanted_audience(j, aud, ask);
	for (uint32_t one = json_first(j, aud); one != JSON_NONE; one = json_next(j, aud, one))
		if (wanted_audience(j, one, ask))
			return true;
	return false;
}

enum oauth_error oauth_token_judge(struct json_table *table, struct span token, const struct oauth_ask *ask, char *scratch, size_t cap)
{
	struct span payload = middle(token);
	enum oauth_error wrong = OAUTH_OK;
	struct json j;
	uint32_t scope;
	size_t n;

	if (span_absent(payload) || !base64url_decode(payload, scratch, cap, &n) || !object(&j, table, span_of(scratch, n)))
		return OAUTH_OK;
	if (!for_us(&j, ask))
		return OAUTH_OTHER_AUDIENCE;
	scope = json_get(&j, JSON_ROOT, SPAN("scope"));
	if (json_type(&j, scope) == JSON_STRING) /* as written: a scope with an escape in it is none that was asked for */
		wrong = judge_scopes(json_inner(&j, scope), ask);
	for (uint32_t one = json_type(&j, scope) == JSON_ARRAY ? json_first(&j, scope) : JSON_NONE; one != JSON_NONE && wrong == OAUTH_OK;
		one = json_next(&j, scope, one))
		wrong = judge_scopes(json_inner(&j, one), ask);
	return wrong == OAUTH_WIDER ? OAUTH_WIDER : OAUTH_OK;
}

struct span oauth_error_code(struct json_table *table, struct span text)
{
	static const struct { const char *p; size_t n; } codes[] = {
#define CODE(text) { text, sizeof(text) - 1 }
		CODE("invalid_request"), CODE("invalid_client"), CODE("invalid_grant"), CODE("unauthorized_client"),
		CODE("unsupported_grant_type"), CODE("invalid_scope"), CODE("invalid_target"), CODE("access_denied"), CODE("server_error"),
		CODE("temporarily_unavailable"), CODE("unsupported_token_type"),
#undef CODE
	};
	struct json j;
	uint32_t error;

	if (!object(&j, table, text))
		return SPAN("no error code");
	error = json_get(&j, JSON_ROOT, SPAN("error"));
	if (json_type(&j, error) != JSON_STRING)
		return SPAN("no error code");
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (json_is(&j, error, span_of(codes[i].p, codes[i].n)))
			return span_of(codes[i].p, codes[i].n);
	return SPAN("an error code that is not in RFC 6749, 7009, 8693 or 8707");
}

enum oauth_error oauth_introspection_read(struct oauth_introspection *i, struct json_table *table, struct span text)
{
	struct json j;
	uint32_t exp;
	enum json_type active;

	*i = (struct oauth_introspection){ false, 0 };
	if (!object(&j, table, text))
		return OAUTH_NOT_JSON;
	active = json_type(&j, json_get(&j, JSON_ROOT, SPAN("active")));
	if (active != JSON_TRUE && active != JSON_FALSE)
		return OAUTH_NOT_ACTIVE_OR_NOT;
	i->active = active == JSON_TRUE;
	exp = json_get(&j, JSON_ROOT, SPAN("exp"));
	if (exp != JSON_NONE && (!json_int(&j, exp, &i->until_s) || i->until_s < 0))
		i->until_s = -1;
	return OAUTH_OK;
}
