/* Any bytes through json_read, and every token of what it accepts: spans lie in the text and inside one another, sizes are what the walk
 * counts, lookups find what the walk finds, and nothing outlives an error. */
#include <stdlib.h>

#include "base/text.h"
#include "wire/json_read.h"
#include "wire/json_write.h"

enum { TOKENS = 2048, TEXT_MAX = 1 << 17 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right)
{
	if (!right)
		abort();
}

static bool inside(struct span outer, struct span in)
{
	return in.p >= outer.p && in.p + in.n <= outer.p + outer.n;
}

static void check_string(const struct json *j, uint32_t t)
{
	static char text_mem[TEXT_MAX], json_mem[TEXT_MAX * 6];
	struct span raw = json_raw(j, t), in = json_inner(j, t);
	struct buf text = buf_on(text_mem, sizeof text_mem), json = buf_on(json_mem, sizeof json_mem);
	size_t where = 0;

	must(raw.n >= 2 && raw.p[0] == '"' && raw.p[raw.n - 1] == '"' && in.p == raw.p + 1 && in.n == raw.n - 2);
	json_text(j, t, &text);
	if (text.full)
		return;
	must(text.n <= in.n && utf8_valid(buf_span(&text)) && json_is(j, t, buf_span(&text)));
	json_write_string(&json, buf_span(&text));
	must(json.full || json_check(buf_span(&json), &where) == JSON_OK);
}

static void check_container(const struct json *j, uint32_t t)
{
	static const struct span known[] = { { "name", 4 }, { "task", 4 } };
	struct span raw = json_raw(j, t);
	bool object = json_type(j, t) == JSON_OBJECT;
	const char *from = raw.p;
	uint32_t n = 0, looked = 0;

	must(raw.n >= 2 && raw.p[0] == (object ? '{' : '[') && raw.p[raw.n - 1] == (object ? '}' : ']'));
	for (uint32_t c = json_first(j, t); c != JSON_NONE; c = json_next(j, t, c), n++) {
		uint32_t value = object ? json_value(j, c) : c;

		must(inside(raw, json_raw(j, c)) && inside(raw, json_raw(j, value)) && json_raw(j, c).p > from);
		from = json_raw(j, value).p + json_raw(j, value).n - 1;
		must(json_type(j, value) != JSON_NO_TYPE);
		/* A lookup costs the number of members: a few of them show that each finds its own value. */
		if (object) {
			struct span name = json_inner(j, c);

			must(json_type(j, c) == JSON_STRING);
			if (looked++ < 8 && (name.n == 0 || memchr(name.p, '\\', name.n) == NULL))
				must(json_get(j, t, name) == value);
		} else {
			must(json_value(j, c) == JSON_NONE);
		}
	}
	must(n == json_size(j, t));
	(void)json_has_folded(j, t, known, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[16] = { 7 };
	static struct json_table *table;
	struct span text = span_of((const char *)data, size);
	size_t where = 0, check_where = 0;
	struct json j;
	enum json_error error, grammar;

	if (table == NULL) {
		void *mem = malloc(json_table_need(TOKENS));

		must(mem != NULL);
		table = json_table_place(mem, TOKENS, seed);
	}
	grammar = json_check(text, &check_where);
	error = json_read(&j, table, text, &where);
	must((unsigned)error < JSON_ERRORS && where <= size);
	if (grammar != JSON_OK) {
		/* With more values than the table holds the rest of the text is not looked at, and its fault not found. */
		must(j.ntokens == 0 && (error == JSON_TOO_MANY ? where <= check_where : error == grammar && where == check_where));
		return 0;
	}
	must(utf8_valid(text));
	if (error != JSON_OK) {
		must((error == JSON_DUPLICATE || error == JSON_TOO_MANY) && j.ntokens == 0);
		return 0;
	}
	must(j.ntokens >= 1 && inside(text, json_raw(&j, JSON_ROOT)));
	for (uint32_t t = JSON_ROOT; t <= j.ntokens; t++) {
		enum json_type type = json_type(&j, t);
		int64_t v = 0;

		must(type != JSON_NO_TYPE);
		if (type == JSON_STRING)
			check_string(&j, t);
		else if (type == JSON_OBJECT || type == JSON_ARRAY)
			check_container(&j, t);
		else
			must(json_get(&j, t, SPAN("name")) == JSON_NONE && json_first(&j, t) == JSON_NONE && json_size(&j, t) == 0);
		if (json_int(&j, t, &v))
			must(v >= -9007199254740991 && v <= 9007199254740991);
	}
	return 0;
}
