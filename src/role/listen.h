/* role/listen.h: listening sockets that outlive generations: one per worker and address, shared by SO_REUSEPORT.
 *
 * A socket is kept as long as one generation uses its address, so a reload refuses no connection: the queue of an unchanged listener goes
 * from the old worker to the new one. With fewer workers than before there is nobody to take over: connections that the kernel has put into
 * the queue of a worker that ends, and that it has not accepted, are reset. Lower the number of workers by a restart. */
#ifndef POSTERN_ROLE_LISTEN_H
#define POSTERN_ROLE_LISTEN_H

#include "conf/conf.h"

enum { LISTEN_USERS = 3 /* generations at a time */, LISTEN_SLOTS = LISTEN_USERS * (CONF_LISTENERS_MAX + 1), LISTEN_BACKLOG = 1024 };

struct listen_slot {
	struct addr wanted, bound;       /* with port 0 wanted, the kernel's choice */
	unsigned key;
	unsigned count[LISTEN_USERS];    /* sockets each generation uses; all 0: the slot is free */
	int fd[CONF_WORKERS_MAX];        /* -1: none */
};

struct listen_table {
	struct listen_slot slots[LISTEN_SLOTS];
};

void listen_start(struct listen_table *t);
/* `count` sockets at `at` for `user`: those there are, and new ones. NULL: *why; nothing has changed then. `key` tells addresses with port 0
 * apart: with the same key a later generation gets the port that an earlier one got. */
struct listen_slot *listen_claim(struct listen_table *t, unsigned user, const struct addr *at, unsigned key, unsigned count, const char **why);
/* Everything of `user`; closes what nobody uses any more. */
void listen_release(struct listen_table *t, unsigned user);

#endif
