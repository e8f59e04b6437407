#include "cmd/version.h"

#include <stdio.h>
#include <string.h>

#include "cmd/load.h"
#include "os/image.h"

static const char usage[] = "usage: postern version [--json]\n";

int cmd_version(int argc, char **argv)
{
	char text[64];
	struct buf id = buf_on(text, sizeof text);
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (argc > 1 && !json) {
		fprintf(stderr, "postern version: unknown option or argument: %s\n%s", argv[1], usage);
		return EXIT_USAGE;
	}
	image_build_id(&id);
	if (json)
		printf("{\"version\":\"%s\",\"protocols\":[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\",\"2025-03-26\"],\"build\":\"%.*s\"}\n", POSTERN_VERSION, (int)id.n, id.p);
	else
		printf("postern %s\nMCP revisions: 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26\nbuild %.*s\n", POSTERN_VERSION, (int)id.n, id.p);
	return EXIT_OK;
}
