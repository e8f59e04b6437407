/*
 * Runs one fuzz target over its corpus, tests/fuzz/corpus/NAME, as a test: every file whole, and cut short at every
 * length up to PREFIX_MAX, each time as a copy that ends at a guard page. Built with the sanitizers, so a crash, an
 * overrun or undefined behaviour ends the program and with it the test.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "page.h"
#include "tap.h"

#define PREFIX_MAX 1024
#define FILE_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void one(const uint8_t *bytes, size_t len)
{
	char *copy = page_copy(bytes, len);

	LLVMFuzzerTestOneInput((const uint8_t *)copy, len);
	page_free(copy, len);
}

static bool run_file(const char *path, uint8_t *bytes)
{
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL)
		return false;
	len = fread(bytes, 1, FILE_MAX, file);
	if (ferror(file) || fgetc(file) != EOF) {
		fclose(file);
		return false;
	}
	fclose(file);
	one(bytes, len);
	for (size_t cut = 0; cut < len && cut < PREFIX_MAX; cut++)
		one(bytes, cut);
	return true;
}

int main(void)
{
	struct dirent **names = NULL;
	uint8_t *bytes = malloc(FILE_MAX);
	int count = scandir("tests/fuzz/corpus/" FUZZ_NAME, &names, NULL, alphasort);

	ok(count > 2, "tests/fuzz/corpus/" FUZZ_NAME " holds inputs");
	for (int i = 0; i < count; i++) {
		char path[1024];

		if (names[i]->d_name[0] != '.' && bytes != NULL) {
			snprintf(path, sizeof path, "tests/fuzz/corpus/%s/%s", FUZZ_NAME, names[i]->d_name);
			ok(run_file(path, bytes), names[i]->d_name);
		}
		free(names[i]);
	}
	free(names);
	free(bytes);
	return done_testing();
}
