/* role/bridge_http.h: the conversations of a bridge that are HTTP sessions of a server at a url (flow/old_http.h). Its credential, if it wants one, comes from
 * the broker, which gives this process that server's and no other. */
#ifndef POSTERN_ROLE_BRIDGE_HTTP_H
#define POSTERN_ROLE_BRIDGE_HTTP_H

#include "bridge/bridge.h"
#include "conf/conf.h"
#include "os/loop.h"
#include "role/material.h"

/* Memory, and descriptors at once. */
size_t sessions_need(const struct conf *c, unsigned server, const struct bridge_settings *s);
unsigned sessions_files(const struct conf *c, unsigned server, const struct bridge_settings *s);
/* Before the jail: takes what the settings need from the configuration, and random bytes; false: there are none. */
bool sessions_begin(const struct conf *c, unsigned server, const struct material *m, const struct bridge_settings *s);
/* mem: sessions_need() bytes, zeroed. room: whether a message may be handed over now. */
void sessions_place(void *mem, struct loop *loop, struct bridge *b, bool (*room)(void));
/* A new edge to the broker; takes it. */
void sessions_link(int fd);

/* For bridge_hooks. */
bool sessions_say(void *ctx, unsigned peer, const struct bridge_out *out);
void sessions_start_peer(void *ctx, unsigned peer);
void sessions_stop_peer(void *ctx, unsigned peer);

/* After each loop_wait(). */
void sessions_turn(void);
/* Ends all sessions. The bridge is not called any more; sessions_ended() says when all is said, two seconds later at most. */
void sessions_end(void);
bool sessions_ended(void);
/* At the end of a turn: how long the next wait may last in ms (-1: for ever). */
int sessions_wait(void);

#endif
