/* cmd/load.h: what the subcommands share: exit codes, their options, and the configuration named by them.
 *
 * Complaints go to standard error, one a line, each naming the file and place. */
#ifndef POSTERN_CMD_LOAD_H
#define POSTERN_CMD_LOAD_H

#include "role/config.h"

/* Exit codes of every subcommand. */
enum { EXIT_OK, EXIT_NO /* the answer is no */, EXIT_USAGE, EXIT_ENVIRONMENT };

/* config_load() with its complaints said: EXIT_OK (end it with config_drop()), EXIT_NO (the configuration is wrong) or EXIT_ENVIRONMENT (it
 * cannot be read); then there is nothing to drop. */
int load_conf(struct config *l, const char *path);

struct load_options {
	const char *path;   /* -c FILE */
	bool json;          /* --json */
	bool stdio;         /* --stdio */
	bool help;          /* --help, -h: usage has been printed to standard output; exit with EXIT_OK */
};

/* Reads the options of a subcommand: argv[0] is its name. -c FILE is required; --json and --stdio only if `is_budget`. False: usage error, which has
 * been said together with `usage`; exit with EXIT_USAGE. */
bool load_options(struct load_options *o, int argc, char **argv, bool is_budget, const char *usage);

#endif
