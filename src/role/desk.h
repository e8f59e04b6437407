/* role/desk.h: the admin listener: GET /health, /ready, /metrics, and nothing else. No dependency of the data path, no byte of a client.
 *
 *   /health   200 "ok" as long as this process's loop turns
 *   /ready    200 or 503, application/json: {"ready":…,"generation":…,"roles":{"up":…,"wanted":…},"missing":[…]} and with 503 "reasons"
 *   /metrics  Prometheus text 0.0.4, summed over all processes of all generations
 *
 * Other paths 404, other methods 405. Host must be a loopback name or the listener's own address, or 421; a request with Origin comes from
 * a browser and is refused with 403. One request a connection, DESK_SLOTS at a time (a further one takes the place of
 * the one silent longest), DESK_WAIT_MS for all of it. */
#ifndef POSTERN_ROLE_DESK_H
#define POSTERN_ROLE_DESK_H

#include "conf/conf.h"
#include "gate/metrics.h"
#include "role/enter.h"
#include "role/listen.h"

enum { DESK_SLOTS = 16, DESK_HEAD_MAX = 4096, DESK_ANSWER_MAX = 24576, DESK_WAIT_MS = 10000 };

struct desk_start {
	struct entry *entry;     /* role, name, channel, pids and log filled in */
	int listener;
	struct addr bound;
	const struct metrics *blocks[LISTEN_USERS * (CONF_WORKERS_MAX + 1)];
	unsigned nblocks;
	unsigned own, nown;      /* those of its own generation */
	struct span servers[CONF_SERVERS_MAX];
	unsigned nservers;
};
/* Bytes it reserves, for the budget. */
size_t desk_need(void);
_Noreturn void desk_run(struct desk_start *d);

#endif
