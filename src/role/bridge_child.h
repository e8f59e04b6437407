/* role/bridge_child.h: the conversations of a bridge that are children of its server: started and ended by the launcher, spoken to by lines.
 *
 * The number of a peer is that of its child, so there are never more processes than the configuration allows: the next start of a peer waits until the
 * launcher says that the last one is gone. */
#ifndef POSTERN_ROLE_BRIDGE_CHILD_H
#define POSTERN_ROLE_BRIDGE_CHILD_H

#include "bridge/bridge.h"
#include "os/loop.h"

size_t child_need(unsigned children, size_t in_max, size_t out_max);
/* mem: child_need() bytes. */
void child_place(void *mem, unsigned children, size_t in_max, size_t out_max, struct loop *loop);
/* A new edge to the launcher; takes it. Whatever an older one had started has ended. */
void child_link(struct bridge *b, int fd);

/* For bridge_hooks. */
bool child_say(void *ctx, unsigned peer, const struct bridge_out *out);
void child_start_peer(void *ctx, unsigned peer);
void child_stop_peer(void *ctx, unsigned peer);

/* Brings the engine what has come; room() false: no line may be handed over now. Returns how long
 * the next wait may last, in ms (-1: for ever). */
int child_turn(struct bridge *b, bool (*room)(void));
void child_flush(void);

#endif
