/* role/provider.h: the process of one built-in server. It reads beneath its directories and talks to the workers, each over one socket pair:
 * the engine is provider/, the walls are role/enter.h. */
#ifndef POSTERN_ROLE_PROVIDER_H
#define POSTERN_ROLE_PROVIDER_H

#include "conf/conf.h"
#include "provider/files.h"
#include "role/enter.h"

/* Everything of files_settings that the configuration decides for server number `server`; descriptors and seed are left empty. */
void provider_settings(const struct conf *c, unsigned server, struct files_settings *s);

struct provider_start {
	const struct conf *conf;
	unsigned server;
	struct entry *entry;     /* role, name, channel, pids and log filled in */
	int dirs[2];             /* root, prompts; -1: none */
	const uint8_t *seed;     /* 64 bytes */
};
_Noreturn void provider_run(struct provider_start *p);

#endif
