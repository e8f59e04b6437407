/* wire/json_read: the table, lookups, duplicates (A2), folding (A1), bounds; texts and tables end at guard pages. */
#include <signal.h>
#include <sys/wait.h>

#include "wire/json_read.h"

#include "page.h"
#include "tap.h"

enum { TOKENS = 4096 };

static struct json_table *table;
static char *page;
static size_t page_len;
static struct json j;
static size_t where;

/* Reads a copy of the text; the view lasts until the next call. */
static enum json_error read_bytes(const char *text, size_t n)
{
	if (page != NULL)
		page_free(page, page_len);
	page = page_copy(text, n);
	page_len = n;
	where = 4711;
	return json_read(&j, table, span_of(page, n), &where);
}

static enum json_error read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static bool is(struct span s, const char *want)
{
	return s.n == strlen(want) && s.p != NULL && memcmp(s.p, want, s.n) == 0;
}

static void walking(void)
{
	uint32_t a, b, c, t;

	ok(read_text(" {\"a\" : [1, {\"x\":[]}, \"s\\n\"], \"b\":{}, \"c\":-12.5e3, \"d\":true,\"e\":false,\"f\":null}\n") == JSON_OK, "a document");
	is_int(json_type(&j, JSON_ROOT), JSON_OBJECT, "its root is an object");
	is_int(json_size(&j, JSON_ROOT), 6, "of six members");
	a = json_get(&j, JSON_ROOT, SPAN("a"));
	is_int(json_type(&j, a), JSON_ARRAY, "a is an array");
	is_int(json_size(&j, a), 3, "of three");
	ok(is(json_raw(&j, a), "[1, {\"x\":[]}, \"s\\n\"]"), "as written");
	t = json_first(&j, a);
	ok(json_type(&j, t) == JSON_NUMBER && is(json_raw(&j, t), "1"), "first element");
	ok(json_value(&j, t) == JSON_NONE && json_first(&j, t) == JSON_NONE && json_size(&j, t) == 0, "a number holds nothing");
	t = json_next(&j, a, t);
	ok(json_type(&j, t) == JSON_OBJECT && is(json_raw(&j, t), "{\"x\":[]}"), "second element");
	ok(json_size(&j, json_get(&j, t, SPAN("x"))) == 0 && json_first(&j, json_get(&j, t, SPAN("x"))) == JSON_NONE, "an empty array");
	t = json_next(&j, a, t);
	ok(json_type(&j, t) == JSON_STRING && is(json_inner(&j, t), "s\\n") && is(json_raw(&j, t), "\"s\\n\""), "third element, inside and raw");
	ok(json_value(&j, t) == JSON_NONE, "a string that is an element has no value");
	ok(json_next(&j, a, t) == JSON_NONE, "and no more");
	b = json_get(&j, JSON_ROOT, SPAN("b"));
	ok(json_type(&j, b) == JSON_OBJECT && json_first(&j, b) == JSON_NONE, "an empty object");
	c = json_get(&j, JSON_ROOT, SPAN("c"));
	ok(json_type(&j, c) == JSON_NUMBER && is(json_raw(&j, c), "-12.5e3") && span_absent(json_inner(&j, c)), "a number has no inside");
	ok(json_type(&j, json_get(&j, JSON_ROOT, SPAN("d"))) == JSON_TRUE, "true");
	ok(json_type(&j, json_get(&j, JSON_ROOT, SPAN("e"))) == JSON_FALSE, "false");
	ok(json_type(&j, json_get(&j, JSON_ROOT, SPAN("f"))) == JSON_NULL, "null");

	{
		static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
		unsigned i = 0;

		for (t = json_first(&j, JSON_ROOT); t != JSON_NONE; t = json_next(&j, JSON_ROOT, t), i++)
			ok(i < 6 && is(json_inner(&j, t), names[i]) && json_value(&j, t) == json_get(&j, JSON_ROOT, span_z(names[i])), names[i]);
		is_int(i, 6, "names in order, each with its value");
	}
}

static void nothing(void)
{
	uint32_t params;
	int64_t v;
	struct buf b = buf_on((char[4]){ 0 }, 4);

	ok(read_text("{\"name\":\"outer\",\"list\":[{\"name\":\"in\"}]}") == JSON_OK, "a document without params");
	params = json_get(&j, JSON_ROOT, SPAN("params"));
	is_int(params, JSON_NONE, "params is absent");
	is_int(json_get(&j, params, SPAN("name")), JSON_NONE, "and its name is not looked for in the envelope");
	is_int(json_get(&j, json_get(&j, JSON_ROOT, SPAN("list")), SPAN("name")), JSON_NONE, "nor an array's in its elements");
	is_int(json_get(&j, json_get(&j, JSON_ROOT, SPAN("name")), SPAN("name")), JSON_NONE, "nor a string's");
	is_int(json_get(&j, JSON_ROOT, SPAN("in")), JSON_NONE, "a value is no name");
	is_int(json_get(&j, JSON_ROOT, SPAN("outer")), JSON_NONE, "not even beside it");
	is_int(json_get(&j, JSON_ROOT, span_of(NULL, 0)), JSON_NONE, "an absent name names nothing");
	ok(json_type(&j, JSON_NONE) == JSON_NO_TYPE && json_size(&j, JSON_NONE) == 0 && json_first(&j, JSON_NONE) == JSON_NONE
		&& json_next(&j, JSON_NONE, JSON_NONE) == JSON_NONE && json_next(&j, JSON_ROOT, JSON_NONE) == JSON_NONE
		&& json_value(&j, JSON_NONE) == JSON_NONE && span_absent(json_raw(&j, JSON_NONE)) && span_absent(json_inner(&j, JSON_NONE))
		&& !json_is(&j, JSON_NONE, SPAN("")) && !json_int(&j, JSON_NONE, &v)
		&& !json_has_folded(&j, JSON_NONE, &(struct span){ "A", 1 }, 1), "everything is answered for JSON_NONE");
	json_text(&j, JSON_NONE, &b);
	ok(b.n == 0 && !b.full, "its text too");
	ok(read_text("{") == JSON_TRUNCATED && j.ntokens == 0 && json_type(&j, JSON_NONE) == JSON_NO_TYPE, "after an error the view is empty");
}

/* A token that this document did not hand out ends the process rather than answer from an earlier document's table. */
static void foreign_tokens(void)
{
	ok(read_text("[1,2,3,4]") == JSON_OK && read_text("[1]") == JSON_OK && j.ntokens == 2, "a document after a larger one");
	for (uint32_t token = 1; token <= 3; token++) {
		pid_t pid = fork();
		int status = 0;

		if (pid == 0) {
			signal(SIGILL, SIG_DFL);
			signal(SIGTRAP, SIG_DFL);
			_exit(json_type(&j, token) == JSON_NO_TYPE ? 1 : 0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			exit(99);
		if (token <= 2)
			ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a token of this document");
		else
			ok(WIFSIGNALED(status), "one that only the larger had");
	}
}

static void scalars(void)
{
	static const struct { const char *text, *raw; enum json_type type; } cases[] = {
		{ "0", "0", JSON_NUMBER }, { " -1.5 ", "-1.5", JSON_NUMBER }, { "true", "true", JSON_TRUE }, { "\tfalse\r\n", "false", JSON_FALSE },
		{ "null", "null", JSON_NULL }, { "\"\"", "\"\"", JSON_STRING }, { "\n\"x\" ", "\"x\"", JSON_STRING }, { " [ ] ", "[ ]", JSON_ARRAY },
		{ "{}", "{}", JSON_OBJECT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ok(read_text(cases[i].text) == JSON_OK && j.ntokens == 1 && json_type(&j, JSON_ROOT) == cases[i].type
			&& is(json_raw(&j, JSON_ROOT), cases[i].raw) && json_first(&j, JSON_ROOT) == JSON_NONE
			&& json_value(&j, JSON_ROOT) == JSON_NONE && json_next(&j, JSON_ROOT, JSON_ROOT) == JSON_NONE, cases[i].raw);
}

static void strings(void)
{
	static const char want[] = "\"\\/\b\f\n\r\t\0A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9 end";
	char mem[64], *room;
	struct buf b = buf_on(mem, sizeof mem);
	uint32_t t;

	ok(read_text("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u0041\\u00E9\\u20ac\\ud83d\\uDE00\xc3\xa9 end\", \"na\\u006de\", \"name\", \"\"]") == JSON_OK, "escapes");
	t = json_first(&j, JSON_ROOT);
	json_text(&j, t, &b);
	is_mem(b.p, b.n, want, sizeof want - 1, "unescaped");
	ok(json_is(&j, t, span_of(want, sizeof want - 1)), "json_is agrees");
	ok(!json_is(&j, t, span_of(want, sizeof want - 2)) && !json_is(&j, t, span_of(want, sizeof want)), "but not with less or more");
	ok(!json_is(&j, t, json_inner(&j, t)), "nor with what is written");
	room = page_copy(mem, sizeof want - 1);
	b = buf_on(room, sizeof want - 1);
	json_text(&j, t, &b);
	ok(!b.full && b.n == sizeof want - 1, "in exactly as many bytes");
	page_free(room, sizeof want - 1);
	for (size_t n = 0; n < sizeof want - 1; n++) {
		room = page_copy(mem, n);
		b = buf_on(room, n);
		json_text(&j, t, &b);
		if (!b.full || b.n != 0)
			ok(false, "a room too small gets nothing");
		page_free(room, n);
	}
	t = json_next(&j, JSON_ROOT, t);
	ok(json_is(&j, t, SPAN("name")) && !json_is(&j, t, SPAN("namf")) && !json_is(&j, t, SPAN("nam")) && !json_is(&j, t, SPAN("names"))
		&& !json_is(&j, t, SPAN("na\\u006de")) && !json_is(&j, t, SPAN("")), "an escaped string is compared unescaped");
	t = json_next(&j, JSON_ROOT, t);
	ok(json_is(&j, t, SPAN("name")) && !json_is(&j, t, SPAN("Name")) && !json_is(&j, t, SPAN("nam")), "a plain one byte for byte");
	t = json_next(&j, JSON_ROOT, t);
	ok(json_is(&j, t, SPAN("")) && !json_is(&j, t, SPAN("x")) && !json_is(&j, t, span_of(NULL, 0)), "the empty string is empty, not absent");

	ok(read_text("{\"a\\nb\":1,\"\\u0000\":2,\"x\\u00e9\":3,\"\":4,\"c\\\\n\":5}") == JSON_OK, "names with escapes");
	ok(is(json_raw(&j, json_get(&j, JSON_ROOT, SPAN("a\nb"))), "1"), "found by what they mean");
	is_int(json_get(&j, JSON_ROOT, SPAN("a\\nb")), JSON_NONE, "and not by how they are written");
	ok(is(json_raw(&j, json_get(&j, JSON_ROOT, span_of("\0", 1))), "2"), "NUL");
	ok(is(json_raw(&j, json_get(&j, JSON_ROOT, SPAN("x\xc3\xa9"))), "3"), "beyond ASCII");
	ok(is(json_raw(&j, json_get(&j, JSON_ROOT, SPAN(""))), "4"), "the empty name");
	ok(is(json_raw(&j, json_get(&j, JSON_ROOT, SPAN("c\\n"))), "5"), "an escaped backslash before a letter");
}

static void integers(void)
{
	static const struct { const char *text; bool whole; int64_t v; } cases[] = {
		{ "0", true, 0 }, { "-0", true, 0 }, { "42", true, 42 }, { "-42", true, -42 }, { "9007199254740991", true, 9007199254740991 },
		{ "-9007199254740991", true, -9007199254740991 }, { "9007199254740992", false, 0 }, { "-9007199254740992", false, 0 },
		{ "1.0", false, 0 }, { "1e2", false, 0 }, { "18446744073709551616", false, 0 }, { "99999999999999999999999", false, 0 },
		{ "\"1\"", false, 0 }, { "true", false, 0 }, { "null", false, 0 }, { "[1]", false, 0 }, { "{}", false, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t v = 0;

		ok(read_text(cases[i].text) == JSON_OK && json_int(&j, JSON_ROOT, &v) == cases[i].whole && v == cases[i].v, cases[i].text);
	}
}

static void duplicates(void)
{
	static const struct { const char *text; size_t where; } twice[] = {
		{ "{\"a\":1,\"a\":2}", 7 }, { "{\"a\":1,\"b\":2,\"a\":1}", 13 }, { "[{\"a\":{},\"a\":[]}]", 9 }, { "{\"\":1,\"\":2}", 6 },
		{ "{\"x\":{\"y\":{\"z\":[1,{\"a\":1,\"b\":{\"c\":1,\"c\":2}}]}}}", 36 },
		{ "{\"name\":1,\"na\\u006de\":2}", 10 }, { "{\"na\\u006de\":1,\"name\":2}", 15 }, { "{\"\\u006eame\":1,\"na\\u006De\":2}", 15 },
		{ "{\"a\\/b\":1,\"a/b\":2}", 10 }, { "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 18 }, { "{\"\\n\":1,\"\\u000a\":2}", 8 },
		{ "{\"\xc3\xa9\":1,\"\\u00E9\":2}", 8 }, { "{\"\\\\\":1,\"\\u005c\":2}", 8 },
		{ "{\"a long name of more than sixteen bytes\":1,\"a long name of more than sixteen bytes\":2}", 44 },
		{ "{\"a long name of more than sixteen bytes\":1,\"a long name of m\\u006fre than sixteen bytes\":2}", 44 },
		{ "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"1\":1}", 43 },
		{ "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"1\":1}", 49 },
		{ "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"\\u0031\":1}", 49 },
		{ "{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":{\"a\":1,\"a\":1}}", 60 },
	};
	static const char *const once[] = {
		"{\"a\":1,\"A\":2}", "{\"a\":{\"a\":{\"a\":[{\"a\":1},{\"a\":1}]}}}", "{\"a\\\\u0062\":1,\"ab\":2}", "{\"a\\nb\":1,\"a\\\\nb\":2}",
		"{\"\":1,\"\\u0000\":2,\"\\u0000\\u0000\":3}", "{\"e\xcc\x81\":1,\"\xc3\xa9\":2}", "{\"1234567\":1,\"12345678\":2,\"123456789\":3}",
		"{\"12345678aaaa12345678\":1,\"12345678bbbb12345678\":2}", "{\"a\":\"a\",\"b\":\"a\"}", "[\"a\",\"a\"]",
		"{\"12\":1,\"21\":2,\"121\":3,\"112\":4,\"1\":5,\"11\":6,\"111\":7,\"1111\":8,\"11111\":9}",
	};

	for (size_t i = 0; i < sizeof twice / sizeof twice[0]; i++) {
		enum json_error error = read_text(twice[i].text);

		if (!ok(error == JSON_DUPLICATE && where == twice[i].where && j.ntokens == 0, twice[i].text))
			diag("error %d at %zu, not at %zu", (int)error, where, twice[i].where);
	}
	for (size_t i = 0; i < sizeof once / sizeof once[0]; i++)
		ok(read_text(once[i]) == JSON_OK, once[i]);
}

/* An escape at every place of a name of every length, beside the same name without: none may hide between the words that are looked at. */
static void hidden_escapes(void)
{
	unsigned missed = 0;
	char text[256];

	for (unsigned n = 1; n <= 40; n++)
		for (unsigned place = 0; place < n; place++)
			for (unsigned order = 0; order < 2; order++) {
				struct buf b = buf_on(text, sizeof text);

				for (unsigned twice = 0; twice < 2; twice++) {
					buf_put(&b, twice == 0 ? SPAN("{\"") : SPAN("\":0,\""));
					for (unsigned i = 0; i < n; i++)
						buf_put(&b, i != place ? SPAN("x") : twice == order ? SPAN("\\/") : SPAN("/"));
				}
				BUF_LIT(&b, "\":0}");
				missed += read_bytes(b.p, b.n) != JSON_DUPLICATE;
			}
	is_int(missed, 0, "an escape anywhere in a name");
}

/* Names long enough to be unescaped in several steps: the last character escaped or not, at every length; then it differs. */
static void long_duplicates(void)
{
	unsigned wrong = 0;
	char text[2048];

	for (unsigned n = 1; n < 300; n++)
		for (unsigned differ = 0; differ < 2; differ++) {
			struct buf b = buf_on(text, sizeof text);
			size_t at;

			BUF_LIT(&b, "{\"");
			for (unsigned i = 0; i < n; i++)
				buf_put(&b, i % 7 == 3 ? SPAN("\\u00e9") : SPAN("x"));
			BUF_LIT(&b, "z\":1,");
			at = b.n;
			buf_char(&b, '"');
			for (unsigned i = 0; i < n; i++)
				buf_put(&b, i % 7 == 3 ? SPAN("\xc3\xa9") : i % 5 == 1 ? SPAN("\\u0078") : SPAN("x"));
			buf_put(&b, differ ? SPAN("\\u007b\":1}") : SPAN("\\u007a\":1}"));
			wrong += read_bytes(b.p, b.n) != (differ ? JSON_OK : JSON_DUPLICATE) || where != (differ ? 4711 : at);
		}
	is_int(wrong, 0, "long names spelled in two ways");
}

/* Objects of every size from 2 to 40 and every pair of members made equal, plainly and by an escape; and at every depth. */
static void duplicates_everywhere(void)
{
	unsigned missed = 0, invented = 0;
	char text[1024];

	for (unsigned size = 2; size <= 40; size++)
		for (unsigned first = 0; first < size; first++)
			for (unsigned second = first; second < size; second++)
				for (unsigned escaped = 0; escaped < 2; escaped++) {
					struct buf b = buf_on(text, sizeof text);
					size_t at = 0;

					buf_char(&b, '{');
					for (unsigned i = 0; i < size; i++) {
						unsigned id = i == second ? first : i;

						if (i > 0)
							buf_char(&b, ',');
						if (i == second)
							at = b.n;
						if (i == second && escaped == 1)
							BUF_LIT(&b, "\"\\u006");
						else
							BUF_LIT(&b, "\"");
						if (i == second && escaped == 1)
							buf_char(&b, 'b');
						else
							buf_char(&b, 'k');
						buf_u64(&b, id);
						BUF_LIT(&b, "\":[]");
					}
					buf_char(&b, '}');
					if (second == first)
						invented += read_bytes(b.p, b.n) != JSON_OK;
					else
						missed += read_bytes(b.p, b.n) != JSON_DUPLICATE || where != at;
				}
	is_int(missed, 0, "every pair in objects of up to 40 members is found, at the second");
	is_int(invented, 0, "and nothing where there is none");
	missed = 0;
	for (unsigned depth = 1; depth < JSON_DEPTH_MAX; depth++) {
		struct buf b = buf_on(text, sizeof text);

		for (unsigned i = 0; i < depth; i++) {
			if (i % 2 == 0)
				BUF_LIT(&b, "[7,");
			else
				BUF_LIT(&b, "{\"p\":0,\"n\":");
		}
		BUF_LIT(&b, "{\"same\":1,\"s\\u0061me\":2}");
		for (unsigned i = depth; i-- > 0;)
			buf_char(&b, i % 2 == 0 ? ']' : '}');
		missed += read_bytes(b.p, b.n) != JSON_DUPLICATE;
	}
	is_int(missed, 0, "at every depth");
}

static void folding(void)
{
	static const struct span known[] = {
		{ "name", 4 }, { "arguments", 9 }, { "task", 4 }, { "_meta", 5 }, { "io.example/kind2", 16 }, { "!~", 2 },
	};
	static const char *const folded[] = {
		"{\"Name\":1}", "{\"NAME\":1}", "{\"name\":1,\"nAme\":2}", "{\"argument\xc5\xbf\":1}", "{\"ta\xc5\xbfk\":1}", "{\"tas\xe2\x84\xaa\":1}",
		"{\"TA\\u017f\\u212a\":1}", "{\"\xef\xbd\x8e\xef\xbd\x81\xef\xbd\x8d\xef\xbd\x85\":1}", "{\"\xef\xbc\xae" "ame\":1}", "{\"\\uff4eame\":1}",
		"{\"\xef\xbc\xbfmeta\":1}", "{\"_META\":1}", "{\"N\\u0061me\":1}", "{\"x\":1,\"y\":2,\"\\u004eame\":3}", "{\"IO.EXAMPLE/KIND2\":1}",
		"{\"io\xef\xbc\x8e" "example\xef\xbc\x8fkind\xef\xbc\x92\":1}", "{\"i\\u006f.example/\xe2\x84\xaaind2\":1}",
	};
	static const char *const other[] = {
		"{}", "{\"name\":1}", "{\"na\\u006de\":1}", "{\"names\":1}", "{\"nam\":1}", "{\"\":1}", "{\"name \":1}", "{\"n\xc3\xa4me\":1}",
		"{\"task\":1,\"name\":2,\"arguments\":3,\"_meta\":4}", "{\"x\":{\"NAME\":1}}", "[\"NAME\"]", "\"NAME\"", "{\"na\\\\u006de\":1}",
		"{\"@meta\":1}", "{\"\\u0000ame\":1}", "{\"\xef\xbd\x9f\":1}", "{\"\xef\xbc\x80\":1}", "{\"tas\xc4\xb8\":1}", "{\"name\\u0000\":1}",
		"{\"\xf0\x9f\x98\x80\":1}", "{\"arguments\xcc\x81\":1}", "{\"!\xef\xbd\x9f\":1}", "{\" ~\":1}",
	};

	for (size_t i = 0; i < sizeof folded / sizeof folded[0]; i++)
		ok(read_text(folded[i]) == JSON_OK && json_has_folded(&j, JSON_ROOT, known, 6), folded[i]);
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
		ok(read_text(other[i]) == JSON_OK && !json_has_folded(&j, JSON_ROOT, known, 6), other[i]);
	ok(read_text("{\"NAME\":1}") == JSON_OK && !json_has_folded(&j, JSON_ROOT, known, 0), "nothing known, nothing folded");

	/* Every letter of every known name: its other case, its fullwidth forms, escaped and not. */
	{
		unsigned missed = 0;

		for (size_t k = 0; k < 6; k++)
			for (size_t at = 0; at < known[k].n; at++)
				for (unsigned form = 0; form < 4; form++) {
					char text[80], c = known[k].p[at];
					struct buf b = buf_on(text, sizeof text);
					uint32_t wide = 0xFF01 + (uint32_t)(unsigned char)c - 0x21;
					uint8_t utf8[3] = { 0xEF, (uint8_t)(0x80 | (wide >> 6 & 63)), (uint8_t)(0x80 | (wide & 63)) };
					uint8_t units[2] = { (uint8_t)(wide >> 8), (uint8_t)wide };

					if (form < 2 && !(c >= 'a' && c <= 'z'))
						continue;
					BUF_LIT(&b, "{\"");
					buf_put(&b, span_of(known[k].p, at));
					if (form == 0) {
						buf_char(&b, (char)(c - 32));
					} else if (form == 1) {
						BUF_LIT(&b, "\\u00");
						c = (char)(c - 32);
						buf_hex(&b, &c, 1);
					} else if (form == 2) {
						buf_put(&b, span_of((const char *)utf8, 3));
					} else {
						BUF_LIT(&b, "\\u");
						buf_hex(&b, units, 2);
					}
					buf_put(&b, span_from(known[k], at + 1));
					BUF_LIT(&b, "\":0}");
					missed += read_bytes(b.p, b.n) != JSON_OK || !json_has_folded(&j, JSON_ROOT, known, 6);
				}
		is_int(missed, 0, "every letter in its other case and every character in full width");
	}
}

/* A table of exactly as many tokens, its memory ending at a guard page. */
static void bounds(void)
{
	static const uint8_t seed[16] = { 9 };
	char text[256], *mem, *dirt;
	size_t need = json_table_need(40);

	ok(need % 16 == 0 && json_table_need(0) == json_table_need(16) && json_table_need(UINT32_MAX) == json_table_need((1 << 24) - 1),
	    "sizes keep alignment, and their bounds");
	dirt = malloc(need);
	if (dirt == NULL)
		exit(99);
	memset(dirt, 0xA5, need); /* the table takes memory as it is */
	mem = page_copy(dirt, need);
	free(dirt);
	for (unsigned members = 0; members <= 22; members++) {
		struct json_table *small = json_table_place(mem, 40, seed);
		struct buf b = buf_on(text, sizeof text);
		enum json_error error;

		buf_char(&b, '{');
		for (unsigned i = 0; i < members; i++) {
			if (i > 0)
				buf_char(&b, ',');
			BUF_LIT(&b, "\"k");
			buf_u64_pad(&b, i + 10, 2);
			BUF_LIT(&b, "\":0");
		}
		buf_char(&b, '}');
		error = json_read(&j, small, buf_span(&b), &where);
		if (members <= 19)
			ok(error == JSON_OK && j.ntokens == 1 + 2 * members && json_size(&j, JSON_ROOT) == members, "as many as fit");
		else
			ok(error == JSON_TOO_MANY && where == 1 + 19 * 8 + 6, "one too many, at the value that has no token");
	}
	page_free(mem, need);
	{
		size_t n = JSON_TEXT_MAX + 1;
		char *large = malloc(n);

		if (large != NULL) {
			memset(large, ' ', n);
			large[0] = '1';
			ok(json_read(&j, table, span_of(large, n), &where) == JSON_TOO_MANY && where == JSON_TEXT_MAX, "a text longer than the limit");
			ok(json_read(&j, table, span_of(large, n - 1), &where) == JSON_OK, "one as long as the limit");
			is_int(json_raw(&j, JSON_ROOT).n, 1, "that is one number and white space");
		}
		free(large);
	}
	ok(read_text("") == JSON_EMPTY && where == 0, "an empty text");
	ok(json_read(&j, table, span_of(NULL, 0), &where) == JSON_EMPTY, "an absent one");
}

/* Nothing of one document shows in the next. */
static void reuse(void)
{
	ok(read_text("{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1}") == JSON_OK
		&& read_text("{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,\"10\":{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1}}")
		== JSON_OK, "the same names in the next document, and in an object inside");
	ok(read_text("[]") == JSON_OK && json_first(&j, JSON_ROOT) == JSON_NONE && j.ntokens == 1, "an empty one after a full one");
}

int main(void)
{
	static const uint8_t seed[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	size_t need = json_table_need(TOKENS);
	void *mem = malloc(need);

	if (mem == NULL)
		return 99;
	table = json_table_place(mem, TOKENS, seed);
	walking();
	nothing();
	foreign_tokens();
	scalars();
	strings();
	integers();
	duplicates();
	hidden_escapes();
	long_duplicates();
	duplicates_everywhere();
	folding();
	bounds();
	reuse();
	page_free(page, page_len);
	free(mem);
	return done_testing();
}
