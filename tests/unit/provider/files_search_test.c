/* search_text: what it finds and where, windows, slices beside other calls, progress, cancelling. */
#include "kit.h"

static const char *search(const char *arguments)
{
	const char *p = strstr(call("search_text", arguments), "\"structuredContent\":");

	return p ? p + 20 : kit_line;
}

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static void finds(void)
{
	const char *a;

	make_dir("src");
	put("src/one.c", "int a;\nint needle;\nneedle needle\nlast Needle");
	put("src/crlf.txt", "x\r\nneedle here\r\ny\r\n");
	put_bytes("src/bin", "needle\0needle", 13);
	put_bytes("src/latin", "caf\xE9 needle\n", 12);
	put(".hidden", "needle\n");
	put("none.txt", "nothing\n");
	a = search("{\"query\":\"needle\"}");
	ok(has(a, "{\"matches\":[{\"path\":\"src/crlf.txt\",\"line\":2,\"column\":1,\"text\":\"needle here\"},"
		"{\"path\":\"src/latin\",\"line\":1,\"column\":6,\"text\":\"caf\xEF\xBF\xBD needle\"},"
		"{\"path\":\"src/one.c\",\"line\":2,\"column\":5,\"text\":\"int needle;\"},"
		"{\"path\":\"src/one.c\",\"line\":3,\"column\":1,\"text\":\"needle needle\"}],"
		"\"files_searched\":4,\"files_skipped\":1,\"truncated\":false}"), "lines, columns, order; binary and hidden left out");
	a = search("{\"query\":\"NEEDLE\",\"case_sensitive\":false,\"path\":\"src/one.c\"}");
	ok(count(a, "\"line\":") == 3 && has(a, "\"line\":4,\"column\":6,\"text\":\"last Needle\"") && has(a, "\"files_searched\":1"), "either case, one file");
	a = search("{\"query\":\"needle\",\"path\":\"src/one.c\",\"context\":1,\"limit\":1}");
	ok(has(a, "\"before\":[\"int a;\"],\"after\":[\"needle needle\"]") && has(a, "\"truncated\":true"), "context, limit");
	a = search("{\"query\":\"int a\",\"context\":5,\"path\":\"src\"}");
	ok(has(a, "\"before\":[],\"after\":[\"int needle;\",\"needle needle\",\"last Needle\"]"), "context at both ends of a file");
	a = search("{\"query\":\"needle\",\"limit\":4}");
	ok(has(a, "\"truncated\":false"), "a limit that is just enough");
	a = search("{\"query\":\"absent\"}");
	ok(has(a, "{\"matches\":[],\"files_searched\":4,\"files_skipped\":1,\"truncated\":false}"), "nothing");
	a = search("{\"query\":\"\\u00e9\"}");
	ok(has(a, "\"matches\":[]"), "UTF-8 is not Latin-1");
}

/* Files longer than a window, against a count made here. */
static void windows(void)
{
	enum { SIZE = 900000 };
	char *text = malloc(SIZE);
	uint32_t x = 5;
	unsigned lines = 1, want = 0;
	char expected[128];
	const char *a;

	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = x >> 24 < 6 ? '\n' : 'a' + (char)(x >> 24 & 7);
	}
	for (size_t i = 100; i + 20 < SIZE; i += 9973)
		memcpy(text + i, "QUERYQUERY", 10);
	/* On the borders of the first windows. */
	memcpy(text + 262144 - 5, "QUERYQUERY", 10);
	memcpy(text + 262144 * 2 - 1, "QUERYQUERY", 10);
	put_bytes("big.txt", text, SIZE);
	expected[0] = 0;
	for (size_t i = 0, start = 0; i < SIZE; i++) {
		size_t end = i;

		if (text[i] != '\n' && i + 1 < SIZE)
			continue;
		for (size_t k = start; k + 10 <= end; k++)
			if (memcmp(text + k, "QUERYQUERY", 10) == 0) {
				want++;
				snprintf(expected, sizeof expected, "\"line\":%u,\"column\":%zu,", lines, k - start + 1);
				break;
			}
		start = i + 1;
		lines++;
	}
	for (unsigned context = 0; context < 6; context += 5) {
		char arguments[128];

		snprintf(arguments, sizeof arguments, "{\"query\":\"QUERYQUERY\",\"path\":\"big.txt\",\"limit\":500,\"context\":%u}", context);
		a = search(arguments);
		is_uint(count(a, "\"line\":"), want, "every line once");
		ok(has(strrchr(a, '[') ? a : "", expected), "the last one's number and column");
	}
	/* One line without an end. */
	memset(text, 'z', SIZE);
	memcpy(text + 262144 - 3, "QUERYQUERY", 10);
	memcpy(text + 700000, "QUERYQUERY", 10);
	put_bytes("big.txt", text, SIZE);
	a = search("{\"query\":\"QUERYQUERY\",\"path\":\"big.txt\"}");
	ok(count(a, "\"line\":") == 1 && has(a, "\"line\":1,\"column\":262142,"), "one line of 900,000 bytes, once, over a border");
	text[500000] = '\n';
	put_bytes("big.txt", text, SIZE);
	a = search("{\"query\":\"QUERYQUERY\",\"path\":\"big.txt\",\"context\":2}");
	ok(count(a, "\"line\":") == 2 && has(a, "\"line\":2,\"column\":200000,"), "two of them");
	free(text);
	unlink(at("big.txt"));
}

static void forest(void)
{
	make_dir("many");
	for (unsigned i = 0; i < 5000; i++) {
		char path[64];

		snprintf(path, sizeof path, "many/%04u", i);
		put(path, i % 1000 == 999 ? "a thousandth\n" : "leaf\n");
	}
}

static void slices(void)
{
	uint64_t last = 0;
	unsigned told = 0;
	bool rising = true;

	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"thousandth\","
		"\"path\":\"many\"}," META_TOKEN("\"t\\\"1\"") "}}");
	kit_say(1, "{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"leaf\","
		"\"path\":\"many\",\"limit\":500}," META "}}");
	kit_turn(0);
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":\"quick\",\"method\":\"tools/call\",\"params\":{\"name\":\"list_files\",\"arguments\":{}," META "}}");
	for (bool quick = false;;) {
		const char *p = strstr(kit_next(0), "\"progress\":");

		if (strstr(kit_line, "\"id\":\"quick\"")) {
			quick = true;
			continue;
		}
		if (!p || strstr(kit_line, "\"id\":\"s\"")) {
			ok(quick, "a list overtakes a search");
			break;
		}
		rising = rising && strtoull(p + 11, NULL, 10) > last && strstr(kit_line, "\"progressToken\":\"t\\\"1\"");
		last = strtoull(p + 11, NULL, 10);
		told++;
	}
	ok(has(kit_line, "\"files_searched\":5000") && count(kit_line, "\"line\":") == 5, "the search ends right");
	ok(rising && told > 1, "progress rises, with its token");
	ok(has(kit_next(1), "\"id\":\"s\",\"result\"") && has(kit_line, "\"truncated\":true") && !strstr(kit_line, "progressToken"),
		"the same id on another link, without a token");
}

static void cancelling(void)
{
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"absent\"},"
		META "}}");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"tools/list\",\"params\":{" META "}}");
	kit_turn(0);
	ok(has(kit_next(0), "\"id\":77,\"error\":{\"code\":-32600"), "an id that is in use");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"77\"}}");
	kit_turn(0);
	kit_say(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":77}}");
	is_int(kit_turn(0), 0, "cancels of another id type and from another link leave it running");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":77,\"reason\":\"user\"}}");
	kit_turn(0);
	ok(kit_turn(0) != 0 && kit_silent(0, 5), "cancelled: no more work, no answer");

	/* More calls than jobs, then than there may be; some are cancelled while they wait. */
	for (unsigned i = 0; i < 17; i++) {
		char text[512];

		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":"
			"{\"query\":\"thousandth\",\"path\":\"many\"}," META "}}", 1000 + i);
		kit_say(0, text);
	}
	ok(has(kit_next(0), "\"id\":1016,\"error\":{\"code\":-32603") && has(kit_line, "too many calls"), "the 17th is refused");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1015}}");
	for (unsigned i = 0; i < 15; i++) {
		unsigned id = 0;

		if (sscanf(kit_next(0), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\"", &id) != 1 || id < 1000 || id > 1014)
			ok(false, kit_line);
	}
	ok(kit_silent(0, 5), "15 are answered, and no more");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"absent\"}," META "}}");
	kit_turn(0);
	kit_connect(0);
	ok(kit_silent(0, 5), "a link's end stops its calls");
}

/* What grows, shrinks and vanishes while it is searched or walked. */
static void changing(void)
{
	char *text = malloc(600000);

	memset(text, 'g', 600000);
	for (size_t i = 99; i < 600000; i += 100)
		text[i] = '\n';
	put_bytes("moving.txt", text, 600000);
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"absent\",\"path\":"
		"\"moving.txt\"}," META "}}");
	kit_turn(0);
	if (truncate(at("moving.txt"), 1000) != 0)
		die("truncate");
	ok(has(kit_next(0), "\"files_searched\":1"), "a file that shrinks is at its end");
	put_bytes("moving.txt", text, 600000);
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"absent\",\"path\":"
		"\"moving.txt\"}," META "}}");
	kit_turn(0);
	unlink(at("moving.txt"));
	ok(has(kit_next(0), "\"files_searched\":0,\"files_skipped\":1"), "a file that vanishes is skipped");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"leaf\",\"path\":"
		"\"many\",\"limit\":1}," META "}}");
	ok(has(kit_next(0), "\"id\":3"), "and searching goes on");
	free(text);
}

int main(void)
{
	struct files_settings s;

	kit_tree();
	kit_start(kit_defaults());
	finds();
	windows();
	forest();
	slices();
	cancelling();
	changing();
	s = kit_settings;
	s.reply_max = 16384;
	kit_start(s);
	ok(has(search("{\"query\":\"leaf\",\"path\":\"many\",\"limit\":500}"), "\"truncated\":true"), "a small reply limit cuts");
	s.reply_max = 1 << 21;
	s.file_bytes_max = 5;
	kit_start(s);
	ok(has(search("{\"query\":\"leaf\",\"path\":\"many/0000\"}"), "\"files_searched\":1") &&
	    has(search("{\"query\":\"leaf\",\"path\":\"many/0999\"}"), "\"files_searched\":0,\"files_skipped\":1"), "files over the limit are skipped");
	kit_clear();
	return done_testing();
}
