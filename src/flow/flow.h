/* flow/flow.h: a worker's engine: client connections in, MCP checked, calls out to upstreams, answers back.
 *
 * Everything it will ever use lies in the memory given to flow_place(); nothing is allocated later. The settings and all their spans must
 * outlive it. One process, one thread; the owner calls loop_wait() and then flow_tick(). */
#ifndef POSTERN_FLOW_FLOW_H
#define POSTERN_FLOW_FLOW_H

#include "base/addr.h"
#include "gate/metrics.h"
#include "os/loop.h"

enum { FLOW_SERVERS_MAX = 32, FLOW_LISTENERS_MAX = 8 };

struct flow_listener {
	int fd;
	struct addr address;          /* as bound */
	struct span path;
	const struct span *hosts;
	unsigned nhosts;
	const struct span *origins;
	unsigned norigins;
};

enum flow_kind { FLOW_BUILTIN, FLOW_HTTP };

struct flow_server {
	struct span name;
	enum flow_kind kind;          /* FLOW_BUILTIN: its link comes by flow_link() */
	struct addr address;          /* FLOW_HTTP: from here on */
	struct span host;
	struct span path;
	struct span fields;           /* further head lines, each with its CRLF, checked */
	int64_t connect_ms, idle_ms, call_ms;
};

struct flow_settings {
	struct flow_listener listeners[FLOW_LISTENERS_MAX];
	unsigned nlisteners;
	struct flow_server servers[FLOW_SERVERS_MAX];
	unsigned nservers;
	bool plain;
	struct span version;          /* of Postern, for serverInfo */
	uint32_t connections, requests, listens, large, tokens, links;
	uint64_t body_max, reply_max;
	int64_t head_ms, body_ms, idle_ms, write_ms, keepalive_ms;
	struct metrics *metrics;      /* this worker's block in shared memory */
	uint8_t seed[64];             /* random; keys hashes and sealed cursors. Equal in all workers of all generations of one run */
	void (*log)(struct span line);/* one line without newline, already free of control bytes and secrets */
};

/* The parts of flow_need(), for `postern budget`: calls row() for each. */
void flow_budget(const struct flow_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t flow_need(const struct flow_settings *s);
/* mem: flow_need() bytes, zeroed, aligned to 64. */
struct flow *flow_place(void *mem, const struct flow_settings *s, struct loop *loop);
/* Registers the listeners: from here on it serves. */
bool flow_open(struct flow *f);
/* A new stream socket to the built-in server `server` (index in settings): an older one is closed and its calls fail. Takes the fd. */
void flow_link(struct flow *f, unsigned server, int fd);
/* After each loop_wait(): timeouts, parked work. Returns how long the next wait may last, in ms (-1: for ever). */
int flow_tick(struct flow *f);
/* Stop accepting, end listens gracefully, answer what is in flight; at the deadline the rest is cut. */
void flow_drain(struct flow *f, int64_t grace_ms);
bool flow_drained(const struct flow *f);

#endif
