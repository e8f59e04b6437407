/* role/keeper.h: the process that holds the private keys of a generation, and signs digests with them. It has no socket of the network, and
 * opens nothing: the parent has opened the key files, and it reads them when its jail is shut, into memory that no other process can map
 * (os/secret.h). A key that cannot be read or does not belong to its certificate ends it with a line that says which, and with it the start.
 *
 * On an edge (role/msg.h SIGN, SIGNED) a worker may ask for the keys of listeners and upstreams, the broker for those of its own
 * peers: for a SHA-256, SHA-384 or SHA-512 digest of exact length, at most KEEPER_SIGNS_A_SECOND times; beyond that the answer is none. Anything
 * else closes the edge, is counted and logged. Nothing that is asked for is remembered. */
#ifndef POSTERN_ROLE_KEEPER_H
#define POSTERN_ROLE_KEEPER_H

#include "gate/metrics.h"
#include "role/enter.h"
#include "role/material.h"

/* More than a worker has handshakes: a broken one shall neither use up a processor nor make the key's owner sign without end. */
enum { KEEPER_SIGNS_A_SECOND = 1000, KEEPER_EDGES = CONF_WORKERS_MAX + 1 };

/* Bytes it reserves besides: of ordinary memory, and of memory for keys. */
size_t keeper_need(void);
size_t keeper_secret_need(const struct material *m);

struct keeper_start {
	const struct conf *conf;
	struct material *material;
	struct metrics *metrics; /* its block */
	struct entry *entry;     /* role, name, channel, pids and log filled in */
	unsigned signs_a_second; /* per edge; 0: KEEPER_SIGNS_A_SECOND */
};
_Noreturn void keeper_run(struct keeper_start *k);

#endif
