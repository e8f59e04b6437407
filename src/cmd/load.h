/* cmd/load.h: what the subcommands share: their options, and the configuration read from its file.
 *
 * Complaints go to standard error, one a line, each naming the file and place. Everything of a struct load lives until load_free(),
 * spans of its conf included; the path given must live as long. */
#ifndef POSTERN_CMD_LOAD_H
#define POSTERN_CMD_LOAD_H

#include "conf/conf.h"

/* Exit codes of every subcommand. */
enum { EXIT_OK, EXIT_NO /* the answer is no */, EXIT_USAGE, EXIT_ENVIRONMENT };

enum { LOAD_FILE_MAX = 1 << 20 /* bytes of a configuration file */ };

struct load {
	struct conf conf;
	char *text;
	void *arena;
};

/* EXIT_OK, EXIT_NO (the configuration is wrong) or EXIT_ENVIRONMENT (it cannot be read); then there is nothing to free. */
int load_conf(struct load *l, const char *path);
void load_free(struct load *l);

struct load_options {
	const char *path;   /* -c FILE */
	bool json;          /* --json */
	bool help;          /* --help, -h: usage has been printed to standard output; exit with EXIT_OK */
};

/* Reads the options of a subcommand: argv[0] is its name. -c FILE is required; --json only if `may_json`. False: usage error, which has
 * been said together with `usage`; exit with EXIT_USAGE. */
bool load_options(struct load_options *o, int argc, char **argv, bool may_json, const char *usage);

#endif
