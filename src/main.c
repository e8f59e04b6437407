/* argv -> subcommand, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "cmd/budget.h"
#include "cmd/check.h"
#include "cmd/health.h"
#include "cmd/import.h"
#include "cmd/key.h"
#include "cmd/load.h"
#include "cmd/serve.h"
#include "cmd/stdio.h"
#include "cmd/version.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "serve", cmd_serve, "-c FILE           serve what the configuration says" },
	{ "stdio", cmd_stdio, "-c FILE           serve it to one client on standard input and output" },
	{ "check", cmd_check, "-c FILE           say what is wrong with a configuration, and what would be right" },
	{ "budget", cmd_budget, "-c FILE [--json]  the memory it will take, worst case, in bytes" },
	{ "health", cmd_health, "[--address A]     ask the admin listener whether Postern is alive" },
	{ "key", cmd_key, "new               a new API key, and its line for the configuration" },
	{ "import", cmd_import, "FILE [--allow]    another client's mcp.json as a configuration" },
	{ "version", cmd_version, "[--json]          version, protocol revisions, build digest" },
};

static void usage(FILE *to)
{
	fputs("usage: postern COMMAND …\n", to);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].what);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return EXIT_OK;
	}
	if (argc > 1)
		fprintf(stderr, "postern: there is no command %s\n", argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}
