/* role/bridge.h: the process that speaks to one upstream on behalf of the workers, whatever revision that upstream knows: the engine is bridge/,
 * the walls are role/enter.h. A server with a `command` is spoken to over the standard input and output of its children, which the launcher
 * starts and ends when this process asks it to (role/msg.h); one with a `url` in HTTP sessions (role/bridge_http.h). */
#ifndef POSTERN_ROLE_BRIDGE_H
#define POSTERN_ROLE_BRIDGE_H

#include "bridge/bridge.h"
#include "conf/conf.h"
#include "role/enter.h"
#include "role/material.h"

/* Everything that the configuration decides for server number `server`; key and seed are left empty. */
void bridging_settings(const struct conf *c, unsigned server, struct bridge_settings *s);
/* The streams to workers and children, in bytes, beside bridge_need(). */
size_t bridging_need(const struct conf *c, unsigned server);

struct bridge_start {
	const struct conf *conf;
	const struct material *material; /* routes to servers at urls */
	unsigned server;
	struct entry *entry;     /* role, name, channel, pids and log filled in */
	const uint8_t *seed;     /* 64 bytes */
};
_Noreturn void bridge_run(struct bridge_start *p);

#endif
