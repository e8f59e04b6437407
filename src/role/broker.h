/* role/broker.h: the process that asks authorization servers and holds the secrets for that. The engine is flow/broker.h, the walls are
 * role/enter.h. There is one per generation, only where the configuration needs it: a key set by url, introspection, or credentials.
 *
 * Secrets are read from the files that the parent has opened, when the jail is shut. One that cannot be read, or cannot be a secret, ends it
 * with a line that says which, and with it the start. */
#ifndef POSTERN_ROLE_BROKER_H
#define POSTERN_ROLE_BROKER_H

#include "flow/broker.h"
#include "role/enter.h"
#include "role/material.h"

/* A little less than a request waits for keys, an introspection or a credential, so that who waits hears of a failure. */
enum { BROKER_FETCH_MS = 4500 };

bool broker_wanted(const struct conf *c);
/* Everything of the settings that the configuration decides. m NULL: no more than broker_need() and broker_budget() look at. */
void broker_from(const struct conf *c, const struct material *m, struct broker_settings *s);

struct broker_start {
	const struct conf *conf;
	struct material *material;
	struct entry *entry;          /* role, name, channel, pids and log filled in */
	const uint8_t *seed;          /* 64 bytes */
};
_Noreturn void broker_run(struct broker_start *p);

#endif
