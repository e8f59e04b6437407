#include "cmd/load.h"

#include <stdio.h>

int load_conf(struct config *l, const char *path)
{
	struct buf errors = config_errors();

	switch (config_load(l, span_z(path), &errors)) {
	case CONFIG_RIGHT:
		return EXIT_OK;
	case CONFIG_WRONG:
		fwrite(errors.p, 1, errors.n, stderr);
		return EXIT_NO;
	case CONFIG_UNREADABLE:
	default:
		fwrite(errors.p, 1, errors.n, stderr);
		return EXIT_ENVIRONMENT;
	}
}

bool load_options(struct load_options *o, int argc, char **argv, bool is_budget, const char *usage)
{
	memset(o, 0, sizeof *o);
	for (int i = 1; i < argc; i++) {
		struct span a = span_z(argv[i]);

		if (span_eq(a, SPAN("-h")) || span_eq(a, SPAN("--help"))) {
			fputs(usage, stdout);
			o->help = true;
			return true;
		}
		if (is_budget && span_eq(a, SPAN("--json"))) {
			o->json = true;
			continue;
		}
		if (is_budget && span_eq(a, SPAN("--stdio"))) {
			o->stdio = true;
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
