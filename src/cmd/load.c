#include "cmd/load.h"

#include <stdio.h>
#include <stdlib.h>

enum { ERRORS_SIZE = 32 * 1024 };

/* The whole file, with its size; NULL when it has been said why not. */
static char *read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *text;
	size_t got;

	if (f == NULL) {
		perror(path);
		return NULL;
	}
	text = malloc(LOAD_FILE_MAX + 1);
	if (text == NULL) {
		perror(path);
		fclose(f);
		return NULL;
	}
	got = fread(text, 1, LOAD_FILE_MAX + 1, f);
	if (ferror(f)) {
		perror(path);
		goto fail;
	}
	if (got > LOAD_FILE_MAX) {
		fprintf(stderr, "%s: more than 1 MiB; a configuration file has at most that\n", path);
		goto fail;
	}
	fclose(f);
	*n = got;
	return text;
fail:
	free(text);
	fclose(f);
	return NULL;
}

int load_conf(struct load *l, const char *path)
{
	size_t n = 0, need;
	char *mem;
	struct buf errors;
	bool right;

	memset(l, 0, sizeof *l);
	l->text = read_file(path, &n);
	if (l->text == NULL)
		return EXIT_ENVIRONMENT;
	need = conf_arena_need(n);
	l->arena = malloc(need);
	mem = malloc(ERRORS_SIZE);
	if (l->arena == NULL || mem == NULL) {
		perror(path);
		free(mem);
		load_free(l);
		return EXIT_ENVIRONMENT;
	}
	errors = buf_on(mem, ERRORS_SIZE);
	right = conf_read(&l->conf, span_z(path), span_of(l->text, n), l->arena, need, &errors);
	if (!right) {
		fwrite(errors.p, 1, errors.n, stderr);
		load_free(l);
	}
	free(mem);
	return right ? EXIT_OK : EXIT_NO;
}

void load_free(struct load *l)
{
	free(l->text);
	free(l->arena);
	l->text = NULL;
	l->arena = NULL;
}

bool load_options(struct load_options *o, int argc, char **argv, bool may_json, const char *usage)
{
	memset(o, 0, sizeof *o);
	for (int i = 1; i < argc; i++) {
		struct span a = span_z(argv[i]);

		if (span_eq(a, SPAN("-h")) || span_eq(a, SPAN("--help"))) {
			fputs(usage, stdout);
			o->help = true;
			return true;
		}
		if (may_json && span_eq(a, SPAN("--json"))) {
			o->json = true;
			continue;
		}
		if (span_eq(a, SPAN("-c")) && i + 1 < argc && o->path == NULL) {
			o->path = argv[++i];
			continue;
		}
		if (span_eq(a, SPAN("-c")))
			fprintf(stderr, "postern %s: -c stands %s\n", argv[0], o->path == NULL ? "without the name of a file behind it" : "there twice");
		else
			fprintf(stderr, "postern %s: unknown option or argument: %s\n", argv[0], argv[i]);
		fputs(usage, stderr);
		return false;
	}
	if (o->path != NULL)
		return true;
	fprintf(stderr, "postern %s: which configuration? -c FILE is missing\n%s", argv[0], usage);
	return false;
}
