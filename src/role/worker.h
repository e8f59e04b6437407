/* role/worker.h: the process that faces clients. It holds its listeners, its connections and its links, and nothing else: the engine is
 * flow/, the walls are role/enter.h. */
#ifndef POSTERN_ROLE_WORKER_H
#define POSTERN_ROLE_WORKER_H

#include "conf/conf.h"
#include "flow/flow.h"
#include "role/enter.h"
#include "role/material.h"

/* Everything of flow_settings that the configuration and its files decide; descriptors, bound addresses, metrics, replay, entropy, seed, hooks,
 * log and the servers' head lines are left empty. The spans point into c, m and one static place: the settings last until the next call. */
void worker_settings(const struct conf *c, const struct material *m, struct flow_settings *s);
/* The configured head lines of all upstreams, written to mem: worker_heads_need() bytes. */
size_t worker_heads_need(const struct conf *c);
void worker_heads(const struct conf *c, char *mem, struct flow_settings *s);
/* How many descriptors a worker may hold open besides its listeners, its channel, its loop and the three standard ones. */
unsigned worker_files(const struct conf *c);

struct worker_start {
	const struct conf *conf;
	const struct material *material;
	struct replay *replay;           /* of all workers */
	struct entry *entry;             /* role, name, channel, pids and log filled in */
	int listeners[CONF_LISTENERS_MAX];
	struct addr bound[CONF_LISTENERS_MAX];
	struct metrics *metrics;         /* this worker's block */
	const uint8_t *seed;             /* 64 bytes */
};
_Noreturn void worker_run(struct worker_start *w);

#endif
