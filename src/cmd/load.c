#include "cmd/load.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/file.h"

enum { ERRORS_SIZE = 32 * 1024 };

int load_conf(struct load *l, const char *path)
{
	const char *why = "there is no memory for it";
	size_t n = 0, need;
	struct buf errors = { 0 };
	bool right;
	int end = EXIT_ENVIRONMENT;

	memset(l, 0, sizeof *l);
	l->text = malloc(LOAD_FILE_MAX);
	if (l->text == NULL || !file_read(span_z(path), l->text, LOAD_FILE_MAX, &n, &why)) {
		fprintf(stderr, "%s: cannot read the configuration: %s\n", path, why);
		goto fail;
	}
	need = conf_arena_need(n);
	l->arena = malloc(need);
	errors = buf_on(malloc(ERRORS_SIZE), ERRORS_SIZE);
	if (l->arena == NULL || errors.p == NULL) {
		fprintf(stderr, "%s: there is no memory to check it\n", path);
		goto fail;
	}
	right = conf_read(&l->conf, span_z(path), span_of(l->text, n), l->arena, need, &errors);
	if (right) {
		free(errors.p);
		return EXIT_OK;
	}
	fwrite(errors.p, 1, errors.n, stderr);
	end = EXIT_NO;
fail:
	free(errors.p);
	load_free(l);
	return end;
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
