/* gate/request_state: what was sealed opens for the same caller, request and server, in time, and for nothing else. */
#include "gate/request_state.h"

#include "page.h"
#include "tap.h"

static const uint8_t key[SEAL_KEY] = { 9, 8, 7 }, another[SEAL_KEY] = { 9, 8, 6 };
static const struct span names[] = { { "files", 5 }, { "far", 3 }, { "near", 4 } };
static const struct request_of of = { MCP_TOOLS_CALL, { "far__make", 9 }, { "{\"a\":1}", 7 } };
static unsigned server;

static bool opens(struct span text, const uint8_t *with, const struct span *servers, unsigned n, const struct request_of *r, int64_t now)
{
	char *page = page_copy(text.p, text.n);
	bool good;

	server = 99;
	good = request_state_open(span_of(page, text.n), with, servers, n, r, now, &server);
	if (!good && server != 99)
		ok(false, "what does not open leaves nothing");
	page_free(page, text.n);
	return good;
}

static struct span seal(char *mem, size_t cap, struct span state)
{
	struct buf b = buf_on(mem, cap);

	request_state_seal(&b, key, 1, names[1], &of, state, 5000);
	if (!b.full && b.n != REQUEST_STATE_HEAD)
		ok(false, "the head is as long as it says");
	buf_put(&b, state);
	return b.full ? span_of(NULL, 0) : buf_span(&b);
}

int main(void)
{
	char mem[256], changed[256];
	struct span text = seal(mem, sizeof mem, SPAN("up\"\\\n\xff state"));
	bool plain = span_starts(text, SPAN("s1."));

	for (size_t k = 3; k + 1 < REQUEST_STATE_HEAD; k++)
		plain = plain && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", text.p[k]) != NULL;
	ok(plain, "the head needs no escape");
	ok(opens(text, key, names, 3, &of, 4999) && server == 1, "it opens, and says who asked");
	ok(opens(text, key, names, 3, &of, 0), "at any time before its end");
	ok(!opens(text, key, names, 3, &of, 5000), "not at its end");
	ok(!opens(text, key, names, 3, &of, -1), "nor before all time");
	ok(!opens(text, another, names, 3, &of, 0), "not for another caller");
	ok(!opens(text, key, names, 1, &of, 0), "not where there are fewer servers");
	static const struct span moved[] = { { "far", 3 }, { "files", 5 } };
	ok(!opens(text, key, moved, 2, &of, 0), "not for another that stands in its place");

	struct request_of other = of;
	other.method = MCP_PROMPTS_GET;
	ok(!opens(text, key, names, 3, &other, 0), "not for another method");
	other = of;
	other.name = SPAN("far__makf");
	ok(!opens(text, key, names, 3, &other, 0), "not for another name");
	other = of;
	other.arguments = SPAN("{\"a\":2}");
	ok(!opens(text, key, names, 3, &other, 0), "not for other arguments");
	other.arguments = span_of(NULL, 0);
	ok(!opens(text, key, names, 3, &other, 0), "nor for none");
	other = (struct request_of){ MCP_TOOLS_CALL, { "far__make{", 10 }, { "\"a\":1}", 6 } };
	ok(!opens(text, key, names, 3, &other, 0), "where the name ends and the arguments begin counts");
	other.name = SPAN("far__make");
	other.arguments = SPAN("{\"a\":1}up");
	memcpy(changed, text.p, text.n);
	memmove(changed + REQUEST_STATE_HEAD, changed + REQUEST_STATE_HEAD + 2, text.n - REQUEST_STATE_HEAD - 2);
	ok(!opens(span_of(changed, text.n - 2), key, names, 3, &other, 0), "and where they end");

	unsigned passed = 0, same = 0;
	for (size_t i = 0; i < text.n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(changed, text.p, text.n);
			changed[i] = (char)((unsigned char)changed[i] ^ 1u << bit);
			passed += opens(span_of(changed, text.n), key, names, 3, &of, 0);
		}
	for (size_t n = 0; n < text.n; n++)
		same += opens(span_of(text.p, n), key, names, 3, &of, 0);
	is_int(passed, 0, "no bit can be changed");
	is_int(same, 0, "nothing can be cut off");
	ok(opens(seal(mem, sizeof mem, SPAN("")), key, names, 3, &of, 0), "a state of no bytes is one");
	ok(seal(mem, REQUEST_STATE_HEAD - 1, SPAN("")).p == NULL, "without room for the head that is said");
	struct buf b = buf_on(mem, sizeof mem);
	request_state_seal(&b, key, 256, names[1], &of, SPAN(""), 5000);
	ok(b.full, "no server has such a number");
	return done_testing();
}
