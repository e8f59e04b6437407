/* role/program.h: what the servers that Postern starts need from outside: their programs, directories and secrets, found and read when a
 * configuration is taken, before anything is started.
 *
 * A `command` without a slash is looked for in the PATH that Postern has, and never again: what was found then is what runs. Complaints are lines
 * as those of conf/conf.h. */
#ifndef POSTERN_ROLE_PROGRAM_H
#define POSTERN_ROLE_PROGRAM_H

#include "os/file.h"
#include "role/config.h"

enum { PROGRAM_TEXT_MAX = 256 << 10 /* paths and secrets of one configuration together, as NUL-terminated text */, PROGRAM_SECRET_MAX = 8192 };

#define START_PATH "/usr/local/bin:/usr/bin:/bin" /* where there is no PATH */

struct program {
	const char *path, *dir;           /* NULL: no such server */
	const char *read[CONF_ROOTS_MAX], *write[CONF_ROOTS_MAX];
	const char *secret[CONF_ENV_MAX]; /* NULL: the value stands in the configuration */
};

struct program_set {
	struct program of[CONF_SERVERS_MAX];
	char text[PROGRAM_TEXT_MAX];
	size_t n;
};

bool program_wanted(const struct conf *c);
/* Whether any server is started. False from program_read(): lines in `errors`. Warnings: secrets that everybody may read. */
bool program_read(struct program_set *p, const struct conf *c, struct buf *errors, struct buf *warnings);
/* Secrets are gone afterwards. */
void program_forget(struct program_set *p);

#endif
