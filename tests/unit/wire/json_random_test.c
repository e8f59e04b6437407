/* wire/json_read against a generator that knows what it wrote: random documents (a fixed seed), token by token.
 *
 * With --verdicts it is the other half of tests/system/13-json-oracles.t: documents in hex on standard input, one a line, and for each a
 * line of what we make of it: "error CODE WHERE", or "ok", the document put together again from the view, and what json_get finds in
 * the root for each of the names given as arguments (hex of the raw value, "-" if absent). */
#include <stdlib.h>

#include "wire/json_read.h"
#include "wire/json_write.h"

#include "page.h"
#include "tap.h"

enum { DOC_MAX = 1 << 20, TOKENS = 1 << 16, CASES = 3000 };

static struct json_table *table;
static char doc_mem[DOC_MAX], rebuilt_mem[DOC_MAX * 2], text_mem[DOC_MAX], hex_mem[DOC_MAX * 2 + 2];

/* ---- the document, put together again from the view ---- */

static void put_scalar(const struct json *j, uint32_t t, struct buf *out)
{
	if (json_type(j, t) == JSON_STRING) {
		struct buf text = buf_on(text_mem, sizeof text_mem);

		json_text(j, t, &text);
		json_write_string(out, buf_span(&text));
	} else {
		buf_put(out, json_raw(j, t));
	}
}

static void rebuild(const struct json *j, struct buf *out)
{
	uint32_t container[JSON_DEPTH_MAX], at[JSON_DEPTH_MAX];
	unsigned depth = 0;
	uint32_t t = JSON_ROOT;

	for (;;) {
		enum json_type type = json_type(j, t);

		/* Down to a value ... */
		if (type == JSON_OBJECT || type == JSON_ARRAY) {
			buf_char(out, type == JSON_OBJECT ? '{' : '[');
			container[depth] = t;
			at[depth] = json_first(j, t);
			depth++;
		} else {
			put_scalar(j, t, out);
		}
		/* ... and up to the next one. */
		for (; depth > 0; depth--) {
			bool object = json_type(j, container[depth - 1]) == JSON_OBJECT;
			uint32_t child = at[depth - 1];

			if (child != JSON_NONE) {
				if (child != json_first(j, container[depth - 1]))
					buf_char(out, ',');
				if (object) {
					put_scalar(j, child, out);
					buf_char(out, ':');
				}
				t = object ? json_value(j, child) : child;
				at[depth - 1] = json_next(j, container[depth - 1], child);
				break;
			}
			buf_char(out, object ? '}' : ']');
		}
		if (depth == 0)
			return;
	}
}

/* ---- --verdicts ---- */

static void print_hex(struct span s)
{
	struct buf b = buf_on(hex_mem, sizeof hex_mem);

	buf_hex(&b, s.p, s.n);
	fwrite(b.p, 1, b.n, stdout);
}

static int nibble(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int verdicts(char **names)
{
	size_t n = 0;
	int c;

	while ((c = getchar()) != EOF) {
		if (c != '\n') {
			int high = nibble(c), low = nibble(getchar());

			if (high < 0 || low < 0 || n == sizeof doc_mem)
				return 2;
			doc_mem[n++] = (char)(high << 4 | low);
			continue;
		}
		{
			char *page = page_copy(doc_mem, n);
			struct buf out = buf_on(rebuilt_mem, sizeof rebuilt_mem);
			size_t where = 0;
			struct json j;
			enum json_error error = json_read(&j, table, span_of(page, n), &where);

			if (error != JSON_OK) {
				printf("error %d %zu", (int)error, where);
			} else {
				rebuild(&j, &out);
				printf("ok ");
				print_hex(buf_span(&out));
				for (char **name = names; *name != NULL; name++) {
					struct span raw = json_raw(&j, json_get(&j, JSON_ROOT, span_z(*name)));

					putchar(' ');
					if (span_absent(raw))
						putchar('-');
					else
						print_hex(raw);
				}
			}
			putchar('\n');
			page_free(page, n);
			n = 0;
		}
	}
	return fflush(stdout) == 0 ? 0 : 2;
}

/* ---- a generator that keeps a record ---- */

static uint64_t state = UINT64_C(0x9E3779B97F4A7C15);

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 33) % below;
}

struct record {
	enum json_type type;
	size_t start, end;   /* raw */
	uint32_t size;
};

static struct record record[TOKENS];
static uint32_t nrecords;
static struct buf doc;
static bool repeated;    /* a name was written twice on purpose */

static void space(void)
{
	while (rnd(5) == 0)
		buf_char(&doc, " \t\r\n"[rnd(4)]);
}

/* One character of a name, now and then as an escape. */
static void spell(char c)
{
	if (rnd(6) == 0) {
		buf_put(&doc, SPAN("\\u00"));
		buf_char(&doc, "0123456789abcdef"[(unsigned char)c >> 4]);
		buf_char(&doc, (rnd(2) ? "0123456789abcdef" : "0123456789ABCDEF")[c & 15]);
	} else {
		buf_char(&doc, c);
	}
}

static void put_name(uint32_t id)
{
	static const char *const stems[] = { "", "k", "name", "a rather long stem of a name " };
	char digits[16];
	struct buf d = buf_on(digits, sizeof digits);

	buf_char(&doc, '"');
	for (const char *c = stems[id % 4]; *c != '\0'; c++)
		spell(*c);
	buf_u64(&d, id);
	for (size_t i = 0; i < d.n; i++)
		spell(digits[i]);
	buf_char(&doc, '"');
}

static void put_string(void)
{
	static const char *const parts[] = {
		"plain", "\\n", "\\u0000", "\\\\", "\\\"", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\\ud83d\\ude00", "eight by", "{[,:]}", "\x7f", "\\/",
	};

	buf_char(&doc, '"');
	for (uint32_t n = rnd(9); n > 0; n--)
		buf_put(&doc, span_z(parts[rnd(sizeof parts / sizeof parts[0])]));
	buf_char(&doc, '"');
}

static const struct { const char *z; enum json_type type; } words[] = {
	{ "true", JSON_TRUE }, { "false", JSON_FALSE }, { "null", JSON_NULL }, { "0", JSON_NUMBER }, { "-0.5", JSON_NUMBER }, { "12e+9", JSON_NUMBER },
	{ "98765432109876543210", JSON_NUMBER }, { "-1", JSON_NUMBER },
};

static void generate(unsigned depth)
{
	uint32_t me = nrecords++, kind = rnd(depth == 0 ? 2 : 10), size;

	record[me] = (struct record){ .start = doc.n };
	if (kind < 4 && depth < JSON_DEPTH_MAX && doc.n < 20000) {
		bool object = kind % 2 == 0;

		record[me].type = object ? JSON_OBJECT : JSON_ARRAY;
		size = rnd(rnd(12) == 0 ? 40 : 7);
		record[me].size = size;
		buf_char(&doc, object ? '{' : '[');
		space();
		for (uint32_t i = 0; i < size; i++) {
			if (i > 0) {
				buf_char(&doc, ',');
				space();
			}
			if (object) {
				uint32_t name = nrecords++, id = i;

				if (i > 0 && rnd(2000) == 0) {
					id = rnd(i);
					repeated = true;
				}
				record[name] = (struct record){ JSON_STRING, doc.n, 0, 0 };
				put_name(id);
				record[name].end = doc.n;
				space();
				buf_char(&doc, ':');
				space();
			}
			generate(depth + 1);
			space();
		}
		buf_char(&doc, object ? '}' : ']');
	} else if (kind < 7) {
		record[me].type = JSON_STRING;
		put_string();
	} else {
		uint32_t w = rnd(sizeof words / sizeof words[0]);

		record[me].type = words[w].type;
		buf_put(&doc, span_z(words[w].z));
	}
	record[me].end = doc.n;
}

/* Token by token in document order; then the view put together again must read as the same shape. */
static bool agrees(const struct json *j)
{
	struct buf out = buf_on(rebuilt_mem, sizeof rebuilt_mem);
	size_t where = 0;
	struct json again;
	uint32_t n = j->ntokens;

	if (n != nrecords)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct span raw = json_raw(j, i + 1);
		const struct record *r = &record[i];

		if (json_type(j, i + 1) != r->type || json_size(j, i + 1) != r->size || (size_t)(raw.p - j->text.p) != r->start
			|| raw.n != r->end - r->start)
			return false;
	}
	rebuild(j, &out);
	if (out.full || json_read(&again, table, buf_span(&out), &where) != JSON_OK || again.ntokens != n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (json_type(&again, i + 1) != record[i].type || json_size(&again, i + 1) != record[i].size)
			return false;
	return true;
}

static void random_documents(void)
{
	unsigned right = 0, twice = 0, tokens = 0;

	for (unsigned k = 0; k < CASES; k++) {
		size_t where = 0;
		struct json j;
		enum json_error error;
		char *page;

		doc = buf_on(doc_mem, sizeof doc_mem);
		nrecords = 0;
		repeated = false;
		space();
		generate(rnd(8) == 0);
		space();
		page = page_copy(doc.p, doc.n);
		error = json_read(&j, table, span_of(page, doc.n), &where);
		tokens += nrecords;
		twice += repeated;
		if (!doc.full && (repeated ? error == JSON_DUPLICATE : error == JSON_OK && agrees(&j)))
			right++;
		else
			diag("case %u: error %d at %zu of %.*s", k, (int)error, where, doc.n < 2000 ? (int)doc.n : 2000, doc.p);
		page_free(page, doc.n);
	}
	is_int(right, CASES, "random documents are read as they were written");
	ok(tokens > CASES * 10 && twice > 10, "and they were neither trivial nor all free of duplicates");
}

int main(int argc, char **argv)
{
	static const uint8_t seed[16] = { 42 };
	void *mem = malloc(json_table_need(TOKENS));
	int status;

	if (mem == NULL)
		return 99;
	table = json_table_place(mem, TOKENS, seed);
	if (argc > 1 && strcmp(argv[1], "--verdicts") == 0) {
		status = verdicts(argv + 2);
	} else {
		random_documents();
		status = done_testing();
	}
	free(mem);
	return status;
}
