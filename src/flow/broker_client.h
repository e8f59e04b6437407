/* flow/broker_client.h: a worker's end of its edge to the broker: the hooks of flow.h that ask, and the answers for flow.
 *
 * The first three functions are hooks of struct flow_hooks but for their first argument. They never wait. False: nothing can be asked now
 * (no broker, or too many calls are waiting); otherwise an answer comes through flow_keys(), flow_introspected() or flow_credential(), within
 * BROKER_CLIENT_MS at the latest, and never from inside the call. When the edge is lost or broken, everything that waits is answered
 * with none; the key sets that came before stay in use as long as the broker said.
 *
 * What flow_keys() is told: a set with keys: these from now on; a set without keys: there are none any more (24 hours without a good fetch);
 * NULL: nothing newer could be had, what waits goes on with what there is. */
#ifndef POSTERN_FLOW_BROKER_CLIENT_H
#define POSTERN_FLOW_BROKER_CLIENT_H

#include "flow/broker_msg.h"
#include "flow/flow.h"

enum {
	BROKER_CLIENT_MS = 15000,
	BROKER_CLIENT_ASKS_MAX = 4096,
	BROKER_CLIENT_QUEUE = 262144  /* bytes of messages that the broker's socket did not take yet */
};

struct broker_client;

/* How many calls of a kind can wait at once: as many as the flow of these settings can have under way, up to BROKER_CLIENT_ASKS_MAX. The broker
 * must be given the same number. */
uint32_t broker_client_asks(const struct flow_settings *s);
void broker_client_budget(const struct flow_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t broker_client_need(const struct flow_settings *s);
/* mem: zeroed, aligned to 64. `flow` is set before anything can be answered: broker_client_serve(). */
struct broker_client *broker_client_place(void *mem, const struct flow_settings *s, struct loop *loop);
void broker_client_serve(struct broker_client *c, struct flow *flow);
/* Without a flow, for who asks for credentials alone (`calls` as in broker_client_token): where they go. */
void broker_client_serve_other(struct broker_client *c, void (*credential)(void *ctx, uint64_t call, struct span line), void *ctx);

bool broker_client_ask_keys(struct broker_client *c, unsigned issuer);
bool broker_client_introspect(struct broker_client *c, unsigned issuer, uint64_t call, struct span token);
/* `subject` goes on only where the server's credential is exchanged. */
bool broker_client_token(struct broker_client *c, unsigned server, unsigned tenant, uint64_t call, struct span subject, bool again);

/* A new edge: an older one is closed and what waits is answered with none. Takes the fd. */
void broker_client_link(struct broker_client *c, int fd);
/* After each loop_wait(), before flow_tick(). Returns how long the next wait may last in ms (-1: for ever). */
int broker_client_tick(struct broker_client *c);

#endif
