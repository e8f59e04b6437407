/* What reading JSON costs: the messages of every day in nanoseconds, and the worst 1 MB an adversary can send in milliseconds (T8: any
 * shape at most 5 ms). Times are the quickest and the middle one of several rounds; `first` is on a table no page of which was touched
 * before. Exit status 1 if a quickest one is over its limit: what lies between it and the middle is other work on the same machine.
 *
 * The limit holds for a table of SLAB tokens, the largest that one message gets; a shape of more ends there ("many"). The last column is
 * what it would cost without that bound: to see that the work stays linear, and what a larger slab would mean. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "wire/json_read.h"

enum { MB = 1000000, SLAB = 1 << 16, TOKENS = 1 << 20, ROUNDS = 15, BATCH = 64 };

#define ESCAPES "\\n\\t\\r\\b\\f\\n\\t\\r\\b\\f\\n\\t\\r\\b\\f\\n\\t\\r\\b\\f"

static char *text_mem;
static struct buf text;
static const uint8_t seed[16] = { 0x3a, 0x91, 0x5c, 0x07, 0xe2, 0x48, 0xbd, 0x16, 0x70, 0xcf, 0x2b, 0x94, 0x5d, 0xe8, 0x03, 0xa6 };
static bool over;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void *fresh(void)
{
	void *mem = mmap(NULL, json_table_need(TOKENS), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return mem;
}

/* ---- messages ---- */

static const char request[] =
	"{\"jsonrpc\":\"2.0\",\"id\":42,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"error handling in the "
	"parser\",\"path\":\"src/wire\",\"limit\":50,\"caseSensitive\":false,\"include\":[\"*.c\",\"*.h\"]},\"_meta\":{\"io.modelcontextprotocol/proto"
	"colVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"example-client\",\"version\":\"1.4.2\",\"title\":\"Example Clie"
	"nt\"},\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{}},\"progressToken\":\"p-42\",\""
	"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\",\"note\":\"one\"}}}";
static const char reply[] =
	"{\"jsonrpc\":\"2.0\",\"id\":42,\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"src/wire/json_read.c:17: stat"
	"ic size_t align16(size_t n)\\nsrc/wire/json_read.c:29: static uint32_t slots_for(uint32_t members)\\nsrc/wire/json_check.c:8: enum fir"
	"st { ELSE, SPACE }\"}],\"structuredContent\":{\"matches\":3,\"truncated\":false,\"files\":[\"src/wire/json_read.c\",\"src/wire/json_check.c\"]},"
	"\"isError\":false}}";

static void message(const char *name, struct span s, struct json_table *table, double limit_ns)
{
	double check[ROUNDS * 20], read[ROUNDS * 20];
	const size_t rounds = sizeof read / sizeof read[0];
	struct json j = { 0 };
	size_t where = 0;

	for (size_t r = 0; r < rounds; r++) {
		double start = now_s(), middle;

		for (unsigned i = 0; i < BATCH; i++)
			if (json_check(s, &where) != JSON_OK)
				exit(2);
		middle = now_s();
		for (unsigned i = 0; i < BATCH; i++)
			if (json_read(&j, table, s, &where) != JSON_OK)
				exit(2);
		read[r] = (now_s() - middle) / BATCH * 1e9;
		check[r] = (middle - start) / BATCH * 1e9;
	}
	qsort(check, rounds, sizeof check[0], ascending);
	qsort(read, rounds, sizeof read[0], ascending);
	over = over || read[0] > limit_ns;
	printf("%-44s %6zu B %5u tokens   check %5.0f ns   read %5.0f ns, middle %5.0f (limit %.0f)\n", name, s.n, (unsigned)j.ntokens, check[0],
	    read[0], read[rounds / 2], limit_ns);
}

/* ---- 1 MB of one shape ---- */

static void repeat(const char *head, const char *unit, const char *tail)
{
	size_t n = strlen(unit);

	buf_reset(&text);
	buf_put(&text, span_z(head));
	while (text.n + n + strlen(tail) <= MB)
		buf_put(&text, span_of(unit, n));
	if (tail[0] != '\0' && text.p[text.n - 1] == ',')
		text.n--;
	buf_put(&text, span_z(tail));
}

/* As many units as a slab has tokens for, and a string of ASCII and 2-byte characters in turn up to the end. */
static void mixed(const char *unit, unsigned tokens)
{
	buf_reset(&text);
	buf_char(&text, '[');
	for (unsigned used = 2; used + tokens <= SLAB; used += tokens) {
		buf_put(&text, span_z(unit));
		buf_char(&text, ',');
	}
	buf_char(&text, '"');
	while (text.n + 5 <= MB)
		BUF_LIT(&text, "a\xc3\xa9");
	BUF_LIT(&text, "\"]");
}

/* {"<prefix><number in letters of base 26, `width` of them>":1, ...} */
static void members(const char *prefix, unsigned width, const char *value, const char *tail)
{
	buf_reset(&text);
	buf_char(&text, '{');
	for (unsigned i = 0; text.n + strlen(prefix) + width * 6 + strlen(value) + strlen(tail) + 8 <= MB; i++) {
		unsigned v = i;

		if (i > 0)
			buf_char(&text, ',');
		buf_char(&text, '"');
		buf_put(&text, span_z(prefix));
		for (unsigned k = 0; k < width; k++, v /= 26)
			buf_char(&text, (char)('a' + v % 26));
		BUF_LIT(&text, "\":");
		buf_put(&text, span_z(value));
	}
	buf_put(&text, span_z(tail));
	buf_char(&text, '}');
}

/* The quickest and the middle of ROUNDS readings, in ms. */
static enum json_error rounds(struct json_table *table, double *quickest, double *middle, uint32_t *tokens)
{
	double ms[ROUNDS];
	struct json j = { 0 };
	size_t where = 0;
	enum json_error error = JSON_OK;

	for (unsigned r = 0; r < ROUNDS; r++) {
		double start = now_s();

		error = json_read(&j, table, buf_span(&text), &where);
		ms[r] = (now_s() - start) * 1e3;
	}
	qsort(ms, ROUNDS, sizeof ms[0], ascending);
	*quickest = ms[0];
	*middle = ms[ROUNDS / 2];
	*tokens = j.ntokens;
	return error;
}

static void shape(const char *name, struct json_table *unbound, enum json_error want)
{
	static struct json_table *slab;
	double first, quick, middle, quick_unbound, middle_unbound, start;
	enum json_error error, error_unbound;
	uint32_t tokens, tokens_unbound;
	size_t where = 0;
	struct json j;
	void *mem = fresh();

	if (slab == NULL)
		slab = json_table_place(fresh(), SLAB, seed);
	start = now_s();
	json_read(&j, json_table_place(mem, SLAB, seed), buf_span(&text), &where);
	first = (now_s() - start) * 1e3;
	munmap(mem, json_table_need(TOKENS));
	error = rounds(slab, &quick, &middle, &tokens);
	error_unbound = rounds(unbound, &quick_unbound, &middle_unbound, &tokens_unbound);
	if (text.full || error_unbound != want || (error != want && error != JSON_TOO_MANY)) {
		printf("%s: errors %d and %d, not %d\n", name, (int)error, (int)error_unbound, (int)want);
		exit(2);
	}
	over = over || quick > 5.0;
	printf("%-44s %7zu B %6u tokens %s %5.2f ms, middle %5.2f, first %5.2f%s   unbounded %5.2f\n", name, text.n, (unsigned)tokens_unbound,
	    error == JSON_OK ? "     ok" : error == JSON_TOO_MANY ? "   many" : "refused", quick, middle, first, quick > 5.0 ? " OVER 5 ms" : "",
	    quick_unbound);
}

static void shapes(struct json_table *t)
{
	static char pretty[4096];
	struct buf b = buf_on(pretty, sizeof pretty - 1);

	repeat("", "[", ""); shape("nested arrays, 1 MB of [", t, JSON_TOO_DEEP);
	repeat("", "{\"a\":", ""); shape("nested objects", t, JSON_TOO_DEEP);
	repeat("[", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]],", "]"); shape("nests of 31 arrays, side by side", t, JSON_OK);
	repeat("[", "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}},\"b\":1},", "]"); shape("nests of objects, side by side", t, JSON_OK);
	repeat("[", "1,", "]"); shape("flat array of integers", t, JSON_OK);
	repeat("[", "[],", "]"); shape("flat array of empty arrays", t, JSON_OK);
	repeat("[", "{\"a\":1,\"b\":2},", "]"); shape("flat array of small objects", t, JSON_OK);
	repeat("[", "{\"\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0},", "]"); shape("objects of 8 members (most pairs)", t, JSON_OK);
	repeat("[", "{\"\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0},", "]"); shape("objects of 9 members (smallest hashed)", t, JSON_OK);
	repeat("[", "{\"\\n\":0,\"b\":0},", "]"); shape("small objects with escaped names", t, JSON_OK);
	repeat("[", "1234567890,", "]"); shape("array of long integers", t, JSON_OK);
	repeat("", "1", ""); shape("one number", t, JSON_OK);
	repeat("[", "true,false,null,", "]"); shape("words", t, JSON_OK);
	repeat("\"", "x", "\""); shape("one plain string", t, JSON_OK);
	repeat("\"", "\\n", "\""); shape("one string of short escapes", t, JSON_OK);
	repeat("\"", "\\u00e9", "\""); shape("one string of \\u escapes", t, JSON_OK);
	repeat("\"", "\\ud83d\\ude00", "\""); shape("one string of surrogate pairs", t, JSON_OK);
	repeat("\"", "\xc3\xa9", "\""); shape("one string of 2-byte characters", t, JSON_OK);
	repeat("\"", "\xe2\x82\xac", "\""); shape("one string of 3-byte characters", t, JSON_OK);
	repeat("\"", "a\xc3\xa9", "\""); shape("ASCII and 2-byte characters in turn", t, JSON_OK);
	repeat("\"", "a\\n", "\""); shape("ASCII and escapes in turn", t, JSON_OK);
	repeat("[", "\"\",", "]"); shape("flat array of empty strings", t, JSON_OK);
	repeat("[\"x\"", " ", "]"); shape("white space", t, JSON_OK);
	members("", 4, "1", ""); shape("one object, names of 4", t, JSON_OK);
	members("key", 4, "1", ""); shape("one object, names of 7", t, JSON_OK);
	members("same-beginning-of-every-name-", 8, "1", ""); shape("one object, names of 37 that begin alike", t, JSON_OK);
	members("\\u0061", 4, "1", ""); shape("one object, names with an escape", t, JSON_OK);
	members("\\u0061\\u0062\\u0063\\u0064", 4, "1", ""); shape("one object, names mostly escapes", t, JSON_OK);
	members(ESCAPES, 4, "1", ""); shape("one object, names of many short escapes", t, JSON_OK);
	repeat("{\"a\":0,\"", "\\n", "\":1}"); shape("one name of short escapes", t, JSON_OK);
	repeat("{\"a\":0,\"", "\\n1234567", "\":1}"); shape("one name, one byte in nine an escape", t, JSON_OK);
	repeat("{\"a\":0,\"", "\\u00e9", "\":1}"); shape("one name of \\u escapes", t, JSON_OK);
	members("", 4, "{}", ""); shape("one object of empty objects", t, JSON_OK);
	members("", 4, "1", ",\"aaaa\":1"); shape("the first name again at the end", t, JSON_DUPLICATE);
	members("", 4, "1", ",\"\\u0061aaa\":1"); shape("the same, escaped", t, JSON_DUPLICATE);
	/* Eight huge names that differ in the middle only: the pairs must be compared in full. */
	buf_reset(&text);
	buf_char(&text, '{');
	for (unsigned i = 0; i < 8; i++) {
		if (i > 0)
			buf_char(&text, ',');
		buf_char(&text, '"');
		for (unsigned k = 0; k < 124000; k++)
			buf_char(&text, k == 123000 ? (char)('a' + i) : 'x');
		BUF_LIT(&text, "\":0");
	}
	buf_char(&text, '}');
	shape("8 names of 124 KB that differ near the end", t, JSON_OK);
	/* Just as many tokens as the slab holds, of the kinds that cost most, and then the string that costs most. */
	mixed("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 30); shape("a slab full of nests, then a costly string", t, JSON_OK);
	mixed("{\"\\n\":0,\"b\":0}", 5); shape("a slab full of escaped names, then the same", t, JSON_OK);
	mixed("{\"\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0}", 19); shape("a slab full of hashed names, then the same", t, JSON_OK);
	/* A request as people write it, many times. */
	BUF_LIT(&b, "\n  ");
	buf_put(&b, span_z(request));
	buf_char(&b, ',');
	pretty[b.n] = '\0';
	repeat("[", pretty, "]"); shape("1,700 requests", t, JSON_OK);
}

int main(void)
{
	struct json_table *table = json_table_place(fresh(), TOKENS, seed);

	text_mem = malloc(MB + 64);
	if (text_mem == NULL)
		return 2;
	text = buf_on(text_mem, MB + 64);
	message("a request (tools/call)", span_z(request), table, 1200);
	message("a reply (text and structured content)", span_z(reply), table, 800);
	shapes(table);
	return over;
}
