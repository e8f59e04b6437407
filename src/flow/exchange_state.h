/* flow/exchange_state.h: what exchange.c (the pool, requests, the owner's calls), exchange_line.c (connections) and exchange_reply.c share. */
#ifndef POSTERN_FLOW_EXCHANGE_STATE_H
#define POSTERN_FLOW_EXCHANGE_STATE_H

#include "flow/exchange.h"
#include "flow/outgoing.h"
#include "wire/http_write.h"
#include "wire/sse.h"

enum {
	SLACK = 1024,        /* framing bytes behind the payload that are not decoded yet */
	TYPE_MAX = 96        /* of a media type that is looked at */
};

enum state {
	X_FREE,
	X_KEPT,              /* waits for its owner, with its body */
	X_BEGUN,             /* its fields are being written */
	X_QUEUED,            /* waits for exchange_turn() to find it a connection */
	X_SEND,              /* from the beginning, while its connection connects */
	X_HEAD,              /* sent: a head is awaited */
	X_BODY, X_EVENTS,
	X_ENDED
};

/* A connection. */
struct line {
	struct outgoing conn;      /* first: the loop hands it back */
	struct exchange_pool *pool;
	struct exchange_peer *peer;
	struct exchange *x;        /* NULL: at rest, or closed */
	struct list node;          /* at rest: in peer->idle, newest first; closed: in pool->limbo, until no event can come any more */
	struct list age;           /* at rest: in pool->idle, newest first */
	struct timer timer;        /* connecting; at rest; until its events are read on */
};

struct area {
	char *p;
	size_t cap;
	bool large;
};

struct exchange {
	void *next_free;           /* the pool's, while it is free */
	uint32_t life;             /* counts up when it is freed: a hook may have done that, and begun another in its place */
	enum state state;
	struct exchange_pool *pool;
	struct exchange_peer *peer;
	struct line *line;
	void *data;
	struct list ready;         /* in pool->ready: something is to be done in exchange_turn() */
	struct timer timer;
	struct area small_out, small_given, small_in, small_event;
	struct area given, in, event;
	struct buf out;            /* the request's head, and its body as well if there is room */
	size_t ngiven, ninside;    /* of the body, in `given`; how much of it is in `out` */
	enum exchange_method method;
	size_t sent, scanned;
	size_t n, start, end, raw; /* in `in`: payload [start, end), not decoded yet [raw, n) */
	size_t taken;              /* of the payload, by the event reader */
	struct http_body body;
	struct sse_reader sse;
	struct pace pace;          /* of its events: what is asked for is the last, or none */
	enum exchange_end fate;    /* queued: how it ends instead */
	enum tls_error tls_why;
	unsigned status;
	uint16_t ntype;
	bool doomed;               /* queued: has a fate */
	bool again, retried, keep, paused, taken_back, streams;
	int64_t idle_ms;
	char type[TYPE_MAX];
	char ids[2 * EXCHANGE_ID_MAX];
};

struct exchange_pool {
	struct exchange_settings set;
	struct slots exchanges, lines, larges;
	struct list ready;
	struct list idle;          /* lines at rest, newest first */
	struct list limbo;
	uint32_t open;             /* lines that are neither free nor in limbo */
	struct http_head head;
};

/* exchange_line.c */
/* Finds a connection, at rest or new. False: not now (come again), or it is doomed. */
bool exchange_line_get(struct exchange *x);
void exchange_line_close(struct line *k);
/* The reply is whole and nothing came behind it: keeps the connection, or closes it. */
void exchange_line_rest(struct line *k);
void exchange_line_sweep(struct exchange_pool *p);    /* frees what was closed before this turn */
void exchange_line_run(struct line *k);

/* exchange.c */
bool exchange_area_grow(struct exchange_pool *p, struct area *a);          /* takes a large one; the old content is the caller's to move before it gives that back */
void exchange_area_back(struct exchange_pool *p, struct area *a, const struct area *small);
void exchange_finish(struct exchange *x, enum exchange_end why);  /* calls `end`, and frees */
void exchange_queue(struct exchange *x);
void exchange_drop_request(struct exchange *x);
void exchange_taken_back(struct exchange *x);                     /* its owner wants it so, and `head` is over */
/* exchange_reply.c. Reads as far as there is something to read; the exchange may be over afterwards. */
void exchange_read(struct exchange *x);

#endif
