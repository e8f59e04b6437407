/* role/elder.h: the process that keeps the sessions of clients of older revisions. The engine is elder/elder.h, the walls are role/enter.h.
 * There is one per generation, unless "legacy_clients" is false; sessions end with it.
 *
 * With each worker it has two edges (flow/elder_msg.h): frames, by which requests come and answers go, and packets, by which it hands over one end
 * of the socket pairs on which it is that worker's client. It has no seed of the house: who calls is sealed, and goes back as it came. */
#ifndef POSTERN_ROLE_ELDER_H
#define POSTERN_ROLE_ELDER_H

#include "conf/conf.h"
#include "elder/elder.h"
#include "role/enter.h"

enum {
	ELDER_SESSIONS = 1024, ELDER_SESSIONS_EACH = 256,
	ELDER_KEPT = 32 << 20, ELDER_KEPT_EACH = 4 << 20, /* and room for the requests in progress */
	ELDER_BODIES_MAX = 96 << 20,
	ELDER_IDLE_MS = 1800000,
	ELDER_CALL_MS = 900000 /* a modern request that has no end by then has failed; workers have their own, shorter times */
};

/* What the configuration decides; entropy, seed and hooks are left empty. */
void elder_from(const struct conf *c, struct elder_settings *s);
void elder_role_budget(const struct conf *c, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t elder_role_need(const struct conf *c);
/* How many descriptors it may hold open besides its channel, its loop and the three standard ones. */
unsigned elder_files(const struct conf *c);

struct elder_start {
	const struct conf *conf;
	struct entry *entry;          /* role, name, channel, pids and log filled in */
};
_Noreturn void elder_run(struct elder_start *p);

#endif
