/* role/elder.h: the process that keeps the sessions of clients of older revisions. The engine is elder/elder.h, its
 * descriptors are role/elder_edge.h's, the walls role/enter.h's.
 * There is one per generation, unless "legacy_clients" is false; sessions end with it.
 *
 * With each worker it has two edges (flow/elder_msg.h): frames, by which requests come and answers go, and packets, by which it hands over one end
 * of the socket pairs on which it is that worker's client. It has no seed of the house: who calls is sealed, and goes back as it came. */
#ifndef POSTERN_ROLE_ELDER_H
#define POSTERN_ROLE_ELDER_H

#include "conf/conf.h"
#include "role/enter.h"

enum { ELDER_IDLE_MS = 1800000 /* a session nobody uses for so long ends */ };

void elder_role_budget(const struct conf *c, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t elder_role_need(const struct conf *c);

struct elder_start {
	const struct conf *conf;
	struct entry *entry;          /* role, name, channel, pids and log filled in */
};
_Noreturn void elder_run(struct elder_start *p);

#endif
