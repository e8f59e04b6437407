/* JSONTestSuite (Nicolas Seriot): documents every parser must take, must refuse, and those we decide ourselves, whose decisions are in
 * tests/table/json-implementation-defined.txt. SUITES names the directory of suites. */
#include <dirent.h>
#include <stdlib.h>

#include "wire/json_read.h"

#include "page.h"
#include "tap.h"

enum { FILE_MAX = 1 << 20, TOKENS = 1 << 16, LINES_MAX = 64 };

static struct json_table *table;
static char bytes[FILE_MAX];
static struct { char file[80]; bool accept, seen; } decided[LINES_MAX];
static unsigned ndecided;

static void load_decisions(void)
{
	FILE *f = fopen("tests/table/json-implementation-defined.txt", "r");
	char line[400], word[16], reason[300];

	if (f == NULL)
		return;
	while (fgets(line, sizeof line, f) != NULL && ndecided < LINES_MAX) {
		if (line[0] == '#')
			continue;
		if (!ok(sscanf(line, "%79s %15s %299[^\n]", decided[ndecided].file, word, reason) == 3
			&& (strcmp(word, "accept") == 0 || strcmp(word, "refuse") == 0), "a decision has a file, a verdict and a reason"))
			diag("%s", line);
		decided[ndecided++].accept = strcmp(word, "accept") == 0;
	}
	fclose(f);
}

static bool load(const char *dir, const char *file, size_t *n)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	f = fopen(path, "rb");
	if (f == NULL)
		return false;
	*n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	return *n < sizeof bytes;
}

static enum json_error verdict(const char *text, size_t n, enum json_error *grammar)
{
	char *page = page_copy(text, n);
	struct json j;
	size_t where = 0;
	enum json_error error;

	*grammar = json_check(span_of(page, n), &where);
	error = json_read(&j, table, span_of(page, n), &where);
	if (error != JSON_OK && where > n)
		ok(false, "the place of an error is in the text");
	page_free(page, n);
	return error;
}

static void parsing(const char *dir, struct dirent **names, int count)
{
	unsigned y = 0, y_ok = 0, y_twice = 0, n = 0, n_ok = 0, i_ok = 0, i = 0;

	for (int k = 0; k < count; k++) {
		const char *file = names[k]->d_name;
		enum json_error error, grammar;
		size_t size;

		if (file[0] == '.' || !load(dir, file, &size))
			continue;
		error = verdict(bytes, size, &grammar);
		if (file[0] == 'y') {
			/* Two of them repeat a name: JSON by RFC 8259, not I-JSON (RFC 7493 2.3), so that only json_read refuses them. */
			bool twice = strncmp(file, "y_object_duplicated_key", 23) == 0;

			y++;
			y_ok += grammar == JSON_OK && error == (twice ? JSON_DUPLICATE : JSON_OK);
			y_twice += twice;
			if (grammar != JSON_OK || error != (twice ? JSON_DUPLICATE : JSON_OK))
				diag("%s: %d", file, (int)error);
		} else if (file[0] == 'n') {
			n++;
			n_ok += grammar != JSON_OK && error == grammar;
			if (grammar == JSON_OK || error != grammar)
				diag("%s: %d", file, (int)error);
		} else {
			bool found = false;

			i++;
			for (unsigned d = 0; d < ndecided; d++)
				if (strcmp(decided[d].file, file) == 0 && !decided[d].seen) {
					found = decided[d].seen = true;
					i_ok += (error == JSON_OK) == decided[d].accept && error == grammar;
					if ((error == JSON_OK) != decided[d].accept)
						diag("%s: %d", file, (int)error);
				}
			if (!found)
				diag("%s: no decision", file);
		}
	}
	is_int(y, 95, "95 documents to accept");
	is_int(y_ok, 95, "all accepted");
	is_int(y_twice, 2, "(two of them refused later, for a name that is there twice)");
	is_int(n, 188, "188 documents to refuse");
	is_int(n_ok, 188, "all refused");
	is_int(i, 35, "35 documents to decide on");
	is_int(i_ok, 35, "all as decided");
	is_int(ndecided, 35, "no decision on anything else");
}

/* A2: the suite's objects with the same key, at every level down to the limit. */
static void same_key(const char *dir)
{
	static const char *const files[] = {
		"object_same_key_different_values.json", "object_same_key_same_value.json", "object_same_key_unclear_values.json",
	};
	static char text[FILE_MAX];

	for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
		unsigned caught = 0;
		size_t size = 0;

		if (!load(dir, files[f], &size)) {
			ok(false, files[f]);
			continue;
		}
		for (unsigned level = 0; level < JSON_DEPTH_MAX; level++) {
			struct buf b = buf_on(text, sizeof text);
			enum json_error grammar;

			for (unsigned i = 0; i < level; i++)
				buf_put(&b, i % 2 == 0 ? SPAN("[null,") : SPAN("{\"x\":1,\"y\":"));
			buf_put(&b, span_of(bytes, size));
			for (unsigned i = level; i-- > 0;)
				buf_put(&b, i % 2 == 0 ? SPAN("]") : SPAN("}"));
			caught += verdict(b.p, b.n, &grammar) == JSON_DUPLICATE && grammar == JSON_OK;
		}
		is_int(caught, JSON_DEPTH_MAX, files[f]);
	}
}

int main(void)
{
	static const uint8_t seed[16] = { 5, 4, 3 };
	const char *suites = getenv("SUITES");
	char dir[900];
	struct dirent **names = NULL;
	int count;
	void *mem = malloc(json_table_need(TOKENS));

	if (mem == NULL)
		return 99;
	table = json_table_place(mem, TOKENS, seed);
	load_decisions();
	snprintf(dir, sizeof dir, "%s/json-parsing/test_parsing", suites != NULL ? suites : "../shared/suites");
	count = scandir(dir, &names, NULL, alphasort);
	if (count < 0) {
		skip(11, "JSONTestSuite is not there; SUITES names the directory of suites");
	} else {
		parsing(dir, names, count);
		snprintf(dir, sizeof dir, "%s/json-parsing/test_transform", suites != NULL ? suites : "../shared/suites");
		same_key(dir);
	}
	for (int k = 0; k < count; k++)
		free(names[k]);
	free(names);
	free(mem);
	return done_testing();
}
