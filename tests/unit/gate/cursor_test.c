/* gate/cursor: what was sealed opens, and nothing else does. */
#include "gate/cursor.h"

#include "page.h"
#include "tap.h"

static const uint8_t key[SEAL_KEY] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct span names[256];

struct opened {
	bool good, has_inner;
	unsigned server;
	uint32_t skip;
	char mem[MCP_CURSOR_MAX];
	struct buf inner;
};

static void open_as(struct opened *o, struct span text, const uint8_t *with, enum mcp_method method)
{
	char *page = page_copy(text.p, text.n);

	struct cursor_place at = { .server = 999 };

	o->inner = buf_on(o->mem, sizeof o->mem);
	o->good = cursor_open(span_of(page, text.n), with, method, names, 256, &at, &o->inner);
	o->server = at.server;
	o->has_inner = at.has_inner;
	o->skip = at.skip;
	if (o->good && at.inner.p != o->mem)
		o->good = false;
	page_free(page, text.n);
}

static struct span seal_at(char *mem, size_t cap, enum mcp_method method, unsigned server, bool has_inner, uint32_t skip, struct span inner)
{
	struct buf b = buf_on(mem, cap);

	cursor_seal(&b, key, method, names[server & 255], &(struct cursor_place){ server, has_inner, skip, inner });
	return b.full ? span_of(NULL, 0) : buf_span(&b);
}

static struct span seal(char *mem, size_t cap, enum mcp_method method, unsigned server, bool has_inner, struct span inner)
{
	return seal_at(mem, cap, method, server, has_inner, 0, inner);
}

static void there_and_back(void)
{
	static const struct { unsigned server; bool has_inner; struct span inner; const char *name; } cases[] = {
		{ 0, false, { NULL, 0 }, "the beginning of the first list" },
		{ 7, true, { "", 0 }, "an empty inner cursor" },
		{ 255, true, { "a", 1 }, "one byte" },
		{ 3, true, { "ab", 2 }, "two bytes" },
		{ 3, true, { "abc", 3 }, "three bytes" },
		{ 3, true, { "\0\xff\"\\\n", 5 }, "bytes that mean something elsewhere" },
	};
	static struct opened o;
	char mem[MCP_CURSOR_MAX];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct span text = seal(mem, sizeof mem, MCP_TOOLS_LIST, cases[i].server, cases[i].has_inner, cases[i].inner);
		bool plain = span_starts(text, SPAN("p3."));

		for (size_t k = 3; k < text.n; k++)
			plain = plain && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text.p[k]) != NULL;
		ok(plain, "the text is p3. and base64url");
		open_as(&o, text, key, MCP_TOOLS_LIST);
		ok(o.good && o.server == cases[i].server && o.has_inner == cases[i].has_inner, cases[i].name);
		is_mem(o.mem, o.inner.n, cases[i].inner.p, cases[i].inner.n, cases[i].name);
	}
}

static void lengths(void)
{
	static char inner[CURSOR_INNER_MAX + 1], mem[MCP_CURSOR_MAX];
	static struct opened o;
	bool all = true;

	memset(inner, 'x', sizeof inner);
	for (size_t n = 0; n <= CURSOR_INNER_MAX; n++) {
		struct span text = seal(mem, sizeof mem, MCP_PROMPTS_LIST, 1, true, span_of(inner, n));
		struct buf tight = buf_on(mem, text.n - 1);

		open_as(&o, text, key, MCP_PROMPTS_LIST);
		all = all && o.good && o.inner.n == n && text.n <= MCP_CURSOR_MAX;
		cursor_seal(&tight, key, MCP_PROMPTS_LIST, names[1], &(struct cursor_place){ 1, true, 0, span_of(inner, n) });
		all = all && tight.full && tight.n == 0;
	}
	ok(all, "every length fits in a cursor and comes back; one byte less room and nothing is written");
	ok(span_absent(seal(mem, sizeof mem, MCP_PROMPTS_LIST, 1, true, span_of(inner, CURSOR_INNER_MAX + 1))), "a longer one is refused");
	ok(span_absent(seal(mem, sizeof mem, MCP_PROMPTS_LIST, 256, false, span_of(NULL, 0))), "a server that is no byte is refused");
	static const uint32_t skips[] = { 0, 1, 255, 256, 65536, UINT32_MAX };
	for (size_t i = 0; i < sizeof skips / sizeof skips[0]; i++) {
		open_as(&o, seal_at(mem, sizeof mem, MCP_PROMPTS_LIST, 1, i % 2, skips[i], SPAN("x")), key, MCP_PROMPTS_LIST);
		ok(o.good && o.skip == skips[i] && o.has_inner == (i % 2 == 1), "entries to skip come back");
	}
}

static void forgeries(struct span inner)
{
	static struct opened o;
	char mem[MCP_CURSOR_MAX], bad[MCP_CURSOR_MAX + 8];
	struct span text = seal(mem, sizeof mem, MCP_TOOLS_LIST, 2, true, inner), other;
	uint8_t key2[SEAL_KEY];
	bool none = true;

	for (size_t i = 0; i < text.n; i++) {
		for (int c = 0; c < 256; c++) {
			if ((char)c == text.p[i])
				continue;
			memcpy(bad, text.p, text.n);
			bad[i] = (char)c;
			open_as(&o, span_of(bad, text.n), key, MCP_TOOLS_LIST);
			none = none && !o.good && o.inner.n == 0 && o.server == 999;
		}
	}
	ok(none, "no change of one byte opens");
	for (none = true, other = text; other.n > 0; other.n--) {
		open_as(&o, span_of(other.p, other.n - 1), key, MCP_TOOLS_LIST);
		none = none && !o.good;
	}
	ok(none, "no shorter text opens");
	for (int c = 0; c < 256; c++) {
		memcpy(bad, text.p, text.n);
		bad[text.n] = (char)c;
		open_as(&o, span_of(bad, text.n + 1), key, MCP_TOOLS_LIST);
		none = none && !o.good;
	}
	memcpy(bad + text.n, "==", 2);
	open_as(&o, span_of(bad, text.n + 2), key, MCP_TOOLS_LIST);
	ok(none && !o.good, "no longer text opens, padding neither");

	for (unsigned m = 0; m < MCP_METHODS; m++) {
		open_as(&o, text, key, (enum mcp_method)m);
		none = none && o.good == (m == MCP_TOOLS_LIST);
	}
	ok(none, "it opens for the list that it was made for and no other");
	for (unsigned bit = 0; bit < 8 * SEAL_KEY; bit++) {
		memcpy(key2, key, sizeof key2);
		key2[bit / 8] ^= (uint8_t)(1u << bit % 8);
		open_as(&o, text, key2, MCP_TOOLS_LIST);
		none = none && !o.good;
	}
	ok(none, "no other key opens it");

	static const char *const texts[] = { "", "p", "p3", "p3.", "p1.AAAA", "P2.AAAA", "p3.AAAAAAAAAAAAAAAAAAAAAAAA", "page-2" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		open_as(&o, span_z(texts[i]), key, MCP_TOOLS_LIST);
		ok(!o.good, "a text that is no cursor");
	}
	memset(bad, 'A', sizeof bad);
	memcpy(bad, "p3.", 3);
	for (size_t n = MCP_CURSOR_MAX - 3; n <= MCP_CURSOR_MAX + 8; n++) {
		open_as(&o, span_of(bad, n), key, MCP_TOOLS_LIST);
		none = none && !o.good;
	}
	ok(none, "nor is a very long one");
}

static void room(void)
{
	char mem[MCP_CURSOR_MAX], small[5];
	struct span text = seal(mem, sizeof mem, MCP_TOOLS_LIST, 2, true, SPAN("page-2"));
	struct buf inner = buf_on(small, sizeof small);
	struct cursor_place at;

	ok(!cursor_open(text, key, MCP_TOOLS_LIST, names, 256, &at, &inner) && !inner.full && inner.n == 0,
		"no room for the inner cursor: not opened, the buffer as before");
	ok(!span_eq(text, SPAN("")) && text.n < 64, "a short cursor stays short");
}

static void servers(void)
{
	char mem[MCP_CURSOR_MAX], inner_mem[64];
	struct span text = seal(mem, sizeof mem, MCP_TOOLS_LIST, 2, true, SPAN("page-2"));
	struct span moved[4] = { names[0], names[1], names[3], names[2] };
	struct buf inner = buf_on(inner_mem, sizeof inner_mem);
	struct cursor_place at;

	ok(!cursor_open(text, key, MCP_TOOLS_LIST, names, 2, &at, &inner), "not where there are fewer servers");
	ok(!cursor_open(text, key, MCP_TOOLS_LIST, moved, 4, &at, &inner), "not for another server in its place");
	ok(cursor_open(text, key, MCP_TOOLS_LIST, names, 3, &at, &inner) && at.server == 2, "for the one that gave it");
}

int main(void)
{
	static char letters[256];

	for (unsigned i = 0; i < 256; i++) {
		letters[i] = (char)i;
		names[i] = span_of(letters + i, 1);
	}
	there_and_back();
	lengths();
	/* Texts of all three lengths modulo 4 that base64 can have: the last character has bits to spare in two of them. */
	forgeries(SPAN("page-2"));
	forgeries(SPAN("page-20"));
	forgeries(SPAN("page-200"));
	room();
	servers();
	return done_testing();
}
