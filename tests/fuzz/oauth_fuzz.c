/*
 * What an authorization server answers. First byte: what was asked for. However the rest is read, nothing but a bounded bearer token of
 * visible ASCII comes out, with no scope that was not asked for; an error leaves the buffer as it was; texts for the log are ours.
 */
#include <stdlib.h>

#include "wire/oauth.h"

enum { TOKENS = 1024, ROOM = OAUTH_TOKEN_MAX + 100 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct json_table *table;

static void must(bool right)
{
	if (!right)
		__builtin_trap();
}

static void start(void)
{
	static const uint8_t seed[16];
	size_t need = (json_table_need(TOKENS) + 15) & ~(size_t)15;

	table = aligned_alloc(16, need);
	must(table != NULL);
	table = json_table_place(table, TOKENS, seed);
}

static void is_visible(struct span s)
{
	must(s.n > 0 && s.n <= OAUTH_TOKEN_MAX);
	for (size_t i = 0; i < s.n; i++)
		must(s.p[i] > 0x20 && s.p[i] < 0x7f);
}

static void token(struct span text, const struct oauth_ask *ask)
{
	static char mem[ROOM], scratch[ROOM];
	struct buf b = buf_on(mem, sizeof mem);
	struct oauth_token t;
	enum oauth_error e;

	BUF_LIT(&b, "head");
	e = oauth_token_read(&t, table, text, ask, &b);
	must(!b.full && memcmp(mem, "head", 4) == 0);
	if (e != OAUTH_OK) {
		must(b.n == 4 && span_absent(t.token));
		return;
	}
	must(t.token.p == mem + 4 && b.n == 4 + t.token.n && t.life_s >= 0 && t.life_s <= OAUTH_LIFE_MAX);
	is_visible(t.token);
	e = oauth_token_judge(table, t.token, ask, scratch, sizeof scratch);
	must(e == OAUTH_OK || e == OAUTH_WIDER || e == OAUTH_OTHER_AUDIENCE);
}

/* A form is ASCII of a small alphabet, and what was written as its value can be read back. */
static void form(struct span value)
{
	static char mem[3 * 4096 + 2];
	struct buf b = buf_on(mem, sizeof mem);
	size_t at = 2;

	if (value.n > 4096)
		return;
	oauth_form(&b, SPAN("v"), value);
	must(!b.full && b.n >= 2 && memcmp(mem, "v=", 2) == 0);
	for (size_t i = 0; i < value.n; i++) {
		char c = b.p[at++];

		if (c == '%') {
			const char *hex = "0123456789ABCDEF", *h = memchr(hex, b.p[at], 16), *l = memchr(hex, b.p[at + 1], 16);

			must(h && l);
			c = (char)(unsigned char)((h - hex) << 4 | (l - hex));
			at += 2;
		} else if (c == '+') {
			c = ' ';
		}
		must(c == value.p[i]);
	}
	must(at == b.n && !memchr(mem, '&', b.n) && !memchr(mem, '\n', b.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct oauth_ask ask = { .exchange = n > 0 && (data[0] & 1) };
	struct oauth_introspection i;
	struct span text, code;
	char basic[16 + 64 * 8];
	struct buf b = buf_on(basic, sizeof basic);

	if (n < 1)
		return 0;
	if (!table)
		start();
	if (data[0] & 2)
		ask.scope = SPAN("a b https://x/y");
	if (data[0] & 4)
		ask.resource = SPAN("https://up.example/mcp");
	if (data[0] & 8)
		ask.audience = SPAN("up");
	text = span_of((const char *)data + 1, n - 1);
	token(text, &ask);
	code = oauth_error_code(table, text);
	must(code.n > 0 && code.n < 64 && !(code.p >= text.p && code.p < text.p + text.n));
	if (oauth_introspection_read(&i, table, text) == OAUTH_OK)
		must(i.until_s >= -1);
	else
		must(!i.active);
	form(text);
	oauth_basic(&b, span_of(text.p, text.n < 64 ? text.n : 64), SPAN("s"));
	must(!b.full && memcmp(b.p, "Basic ", 6) == 0 && (b.n - 6) % 4 == 0);
	return 0;
}
