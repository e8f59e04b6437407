/* gate/task_id: what was sealed opens for the same caller and the same server, and nothing else does. */
#include "gate/task_id.h"

#include "page.h"
#include "tap.h"

static const uint8_t key[SEAL_KEY] = { 9, 8, 7 }, another[SEAL_KEY] = { 9, 8, 6 };
static const struct span names[] = { { "files", 5 }, { "far", 3 }, { "near", 4 } };

static struct { bool good; unsigned server; char mem[MCP_NAME_MAX + TASK_ID_INNER_MAX]; struct span tool, inner; } o;

static bool open_as(struct span text, const uint8_t *with, const struct span *servers, unsigned n)
{
	struct buf out = buf_on(o.mem, sizeof o.mem);
	char *page = page_copy(text.p, text.n);

	o.server = 99;
	o.good = task_id_open(span_of(page, text.n), with, servers, n, &o.server, &out, &o.tool, &o.inner);
	if (!o.good && (out.n != 0 || o.server != 99))
		ok(false, "what does not open leaves nothing");
	page_free(page, text.n);
	return o.good;
}

static struct span seal(char *mem, size_t cap, unsigned server, struct span tool, struct span inner)
{
	struct buf b = buf_on(mem, cap);

	task_id_seal(&b, key, server, names[server], tool, inner);
	return b.full ? span_of(NULL, 0) : buf_span(&b);
}

int main(void)
{
	char mem[MCP_TASK_MAX], longest[TASK_ID_INNER_MAX + 1], name[MCP_NAME_MAX + 1];
	struct span text = seal(mem, sizeof mem, 1, SPAN("make"), SPAN("up\"\\\n\xff id"));
	unsigned passed = 0;
	bool plain = span_starts(text, SPAN("t1."));

	for (size_t k = 3; k < text.n; k++)
		plain = plain && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text.p[k]) != NULL;
	ok(plain, "the text is t1. and base64url");
	ok(open_as(text, key, names, 3) && o.server == 1, "it opens");
	is_mem(o.tool.p, o.tool.n, "make", 4, "with the tool that made it");
	is_mem(o.inner.p, o.inner.n, "up\"\\\n\xff id", 9, "and the upstream's id, whatever bytes it has");

	ok(!open_as(text, another, names, 3), "not for another caller");
	static const struct span moved[] = { { "new", 3 }, { "files", 5 }, { "far", 3 } }, gone[] = { { "files", 5 }, { "other", 5 } };
	ok(open_as(text, key, moved, 3) && o.server == 2, "a server that stands elsewhere is found by its name");
	ok(!open_as(text, key, gone, 2), "not one that is gone, though another stands in its place");
	ok(!open_as(text, key, names, 1), "not where there are fewer servers");
	ok(!open_as(text, key, names, 0), "nor where there are none");

	for (size_t i = 0; i < text.n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			char changed[MCP_TASK_MAX];
			memcpy(changed, text.p, text.n);
			changed[i] = (char)((unsigned char)changed[i] ^ 1u << bit);
			passed += open_as(span_of(changed, text.n), key, names, 3);
		}
	is_uint(passed, 0, "no bit of it may change");
	for (size_t n = 0; n < text.n; n++)
		passed += open_as(span_of(text.p, n), key, names, 3);
	is_uint(passed, 0, "nor can it be cut");
	ok(!open_as(SPAN(""), key, names, 3) && !open_as(SPAN("t1."), key, names, 3) && !open_as(SPAN("p1.AAAA"), key, names, 3), "nor made up");
	memset(longest, 'x', sizeof longest);
	memset(name, 'n', sizeof name);
	ok(seal(mem, sizeof mem, 0, SPAN(""), SPAN("x")).n > 0 && open_as(seal(mem, sizeof mem, 0, SPAN(""), SPAN("x")), key, names, 3) && o.tool.n == 0, "a tool without name");
	text = seal(mem, sizeof mem, 2, span_of(name, MCP_NAME_MAX), span_of(longest, TASK_ID_INNER_MAX));
	ok(!span_absent(text) && open_as(text, key, names, 3) && o.inner.n == TASK_ID_INNER_MAX && o.tool.n == MCP_NAME_MAX, "the longest of both");
	ok(span_absent(seal(mem, sizeof mem, 0, SPAN("t"), span_of(longest, TASK_ID_INNER_MAX + 1))) && span_absent(seal(mem, sizeof mem, 0, SPAN("t"), SPAN(""))) &&
	   span_absent(seal(mem, sizeof mem, 0, span_of(name, MCP_NAME_MAX + 1), SPAN("x"))) && span_absent(seal(mem, 20, 0, SPAN("t"), SPAN("x"))), "longer ones, none, and no room: said");
	struct buf b = buf_on(mem, sizeof mem);
	task_id_seal(&b, key, 256, names[0], SPAN("t"), SPAN("x"));
	ok(b.full && b.n == 0, "a server that has no byte");
	return done_testing();
}
