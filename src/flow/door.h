/* flow/door.h: a client on a pair of pipes, one JSON-RPC message a line, both eras (MCP stdio transport): each message becomes an HTTP request on
 * an inner connection to a worker (flow/inner.c), and what comes back becomes lines.
 *
 * Ids, whatever they are, are the worker's to echo. Requests run side by side, their answers in any order; behind an `initialize`, a notification or
 * an answer of the client's nothing is sent before that has been taken, so what the client has said in order arrives in order. An old session
 * that is lost (its keeper was started again) is begun anew with the client's own `initialize`.
 *
 * The owner calls loop_wait() and then door_tick(); it gives lines while door_ready(). Memory: all of it at the start. */
#ifndef POSTERN_FLOW_DOOR_H
#define POSTERN_FLOW_DOOR_H

#include "base/buf.h"
#include "os/loop.h"

struct door_hooks {
	void *ctx;
	/* One message with its newline. It has been written when this returns: a client that does not read stops everything. */
	void (*say)(void *ctx, struct span line);
	int (*dial)(void *ctx);       /* a new inner connection, non-blocking; -1: none can be had now */
	void (*log)(struct span line);
};

struct door_settings {
	uint32_t requests, listens;   /* at once */
	uint32_t large;               /* buffers for what is longer than a few KiB */
	uint32_t tokens;              /* of one JSON document */
	uint64_t line_max;            /* bytes of a message from the client, and */
	uint64_t reply_max;           /* of one to it */
	int64_t grace_ms;             /* after the client's end: how long what is in flight may take */
	uint8_t seed[16];             /* random */
	struct door_hooks hooks;
};

struct door;
size_t door_need(const struct door_settings *s);
/* mem: door_need() bytes, zeroed, aligned to 64. The settings are copied. */
struct door *door_place(void *mem, const struct door_settings *s, struct loop *loop);
/* May a line be given now? If not, after a later door_tick(). */
bool door_ready(const struct door *d);
/* A line without its newline; it may lie anywhere, until the call returns. */
void door_line(struct door *d, struct span line);
/* A line that is longer than line_max has been thrown away. */
void door_long_line(struct door *d);
/* The client has closed its side: what is in flight is answered, subscriptions end, the session is deleted. */
void door_end(struct door *d);
bool door_over(const struct door *d);  /* all of that is done, or grace_ms have passed */
/* After each loop_wait(). Returns how long the next wait may last, in ms (-1: for ever). */
int door_tick(struct door *d);

#endif
