/* Time of reading one JSON document (check, tokens, duplicate names) by shape and size: target T8, 5 ms for 1 MB of any shape, never
 * quadratic. Prints a table and the verdicts. The best of several runs counts: what disturbs a run only makes it longer. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wire/json_read.h"

/* The configuration allows up to TOKENS_MOST; without a word it is TOKENS_DEFAULT, and a document with more is refused at that point. */
enum { MB = 1 << 20, RUNS = 7, TOKENS_MOST = 1 << 20, TOKENS_DEFAULT = 65536 };

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* A document of at most n bytes: `open`, then `item` again and again with its number in place of %, then `close`. */
struct shape { const char *name, *open, *item, *close; enum json_error want; };

static const struct shape shapes[] = {
	{ "array of small numbers", "[0", ",1", "]", JSON_OK },
	{ "array of long numbers", "[0", ",-12345678901234567890.125e+17", "]", JSON_OK },
	{ "array of empty objects", "[{}", ",{}", "]", JSON_OK },
	{ "array of empty strings", "[\"\"", ",\"\"", "]", JSON_OK },
	{ "array of literals", "[null", ",true,false,null", "]", JSON_OK },
	{ "flat object, short names", "{\"a\":0", ",\"k%\":1", "}", JSON_OK },
	{ "flat object, long alike names", "{\"a\":0", ",\"a name that is the same for forty bytes %\":1", "}", JSON_OK },
	{ "flat object, escaped names", "{\"a\":0", ",\"\\u0061\\n%\":1", "}", JSON_OK },
	{ "objects of objects", "[0", ",{\"name\":\"tool %\",\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"}}}}", "]", JSON_OK },
	{ "one plain string", "\"", "a string of plain ASCII text ", "\"", JSON_OK },
	{ "one string of escapes", "\"", "\\n\\u00e9\\ud834\\udd1e\\\"", "\"", JSON_OK },
	{ "one string of UTF-8", "\"", "\xc3\xbc\xe4\xb8\x96\xf0\x9d\x84\x9e", "\"", JSON_OK },
	{ "white space", "[", " \t\r\n", "]", JSON_OK },
	{ "as deep as allowed, often", "[0", ",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "]", JSON_OK },
	{ "one digit after the other", "[1", "7", "]", JSON_OK },
	{ "refused: open brackets", "[", "[", "", JSON_TOO_DEEP },
	{ "refused: a duplicate at the end", "{\"a\":0", ",\"k%\":1", ",\"a\":2}", JSON_DUPLICATE },
	{ "refused: never ends", "\"", "abcdefgh", "", JSON_TRUNCATED },
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static size_t make(char *out, size_t n, const struct shape *s)
{
	size_t at = strlen(s->open), tail = strlen(s->close);
	memcpy(out, s->open, at);
	for (unsigned i = 0;; i++) {
		char item[160];
		const char *mark = strchr(s->item, '%');
		int len = mark ? snprintf(item, sizeof(item), "%.*s%x%s", (int)(mark - s->item), s->item, i, mark + 1) :
			snprintf(item, sizeof(item), "%s", s->item);
		if (at + (size_t)len + tail > n)
			break;
		memcpy(out + at, item, (size_t)len);
		at += (size_t)len;
	}
	memcpy(out + at, s->close, tail);
	return at + tail;
}

static double best_ms(struct json_table *table, struct span text, enum json_error want, enum json_error or, const char *name)
{
	uint64_t best = UINT64_MAX;
	for (int i = 0; i < RUNS; i++) {
		struct json j;
		size_t where = 0;
		uint64_t from = now_ns();
		enum json_error e = json_read(&j, table, text, &where);
		uint64_t took = now_ns() - from;
		if (e != want && e != or) {
			fprintf(stderr, "json: %s: result %d at %zu, expected %d\n", name, (int)e, where, (int)want);
			exit(1);
		}
		if (took < best)
			best = took;
	}
	return (double)best / 1e6;
}

static struct json_table *place(uint32_t tokens)
{
	static const uint8_t seed[16] = "a seed to repeat";
	void *mem = aligned_alloc(64, (json_table_need(tokens) + 63) / 64 * 64);
	if (!mem)
		exit(1);
	return json_table_place(mem, tokens, seed);
}

struct worst { double value; const char *name; };

static void keep_worst(struct worst *w, double value, const char *name)
{
	if (value > w->value)
		*w = (struct worst){ value, name };
}

static void verdict(const char *what, const struct worst *w, double target, const char *unit)
{
	printf("  %s (%s): %.2f %s, target at most %g %s: %s\n", what, w->name, w->value, unit, target, unit, w->value <= target ? "met" : "MISSED");
}

int main(void)
{
	struct json_table *most = place(TOKENS_MOST), *standard = place(TOKENS_DEFAULT);
	struct worst slowest = { 0, "" }, slowest_most = { 0, "" }, steepest = { 0, "" };
	char *text = malloc(MB);

	if (!text)
		return 1;
	printf("json: milliseconds to read one document, best of %d; %d tokens allowed, and in the last column the standard %d\n"
		"  %-34s %9s %9s %9s %9s %9s\n", RUNS, TOKENS_MOST, TOKENS_DEFAULT, "shape", "64 KB", "256 KB", "1 MB", "MB/s", "1 MB");
	for (int i = 0; i < SHAPES; i++) {
		const struct shape *s = &shapes[i];
		double ms[4];
		size_t n = 0;
		for (int k = 0; k < 3; k++) {
			n = make(text, (size_t)MB >> (4 - 2 * k), s);
			ms[k] = best_ms(most, span_of(text, n), s->want, s->want, s->name);
		}
		ms[3] = best_ms(standard, span_of(text, n), s->want, JSON_TOO_MANY, s->name);
		printf("  %-34s %9.3f %9.3f %9.3f %9.0f %9.3f\n", s->name, ms[0], ms[1], ms[2], (double)n / ms[2] / 1000, ms[3]);
		keep_worst(&slowest, ms[3], s->name);
		keep_worst(&slowest_most, ms[2], s->name);
		if (ms[2] > 0.05) /* shorter ones are all clock */
			keep_worst(&steepest, ms[2] / ms[1], s->name);
	}
	verdict("slowest of 1 MB, standard tokens", &slowest, 5, "ms");
	verdict("slowest of 1 MB, most tokens", &slowest_most, 5, "ms");
	/* Four times the bytes may cost four times the time, and some more where caches end. Quadratic would be sixteen. */
	verdict("steepest growth from 256 KB to 1 MB", &steepest, 8, "times");
	return 0;
}
