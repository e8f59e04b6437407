/* flow/exchange.h: HTTP/1.1 exchanges as a client, many at once: one request, and a reply that is a body kept whole or a stream of events.
 *
 * A pool has a fixed number of exchanges, and as many connections. A request goes over a connection of its peer that is at rest, or over a new
 * one: TCP to the pinned address, over TLS if the peer has a route, or a descriptor that the owner's `dial` gives (a socket pair whose other
 * end somebody serves). No redirect is followed, no content coding accepted. Reply heads are read by wire/http_head, as strictly as any.
 *
 * Memory: each exchange has four areas of EXCHANGE_SMALL bytes (a request's head, its body, input, event); a longer body or event takes one of the
 * pool's large areas, and when none is free the exchange ends with EXCHANGE_FULL. Bodies and events over `reply_max` end it with
 * EXCHANGE_OVER before the limit is passed. Requests may hold secrets: they are wiped when they are of no further use.
 *
 * Order of calls: exchange_begin, fields written to the buffer it gives, exchange_send. Then come, never from inside a call of the owner's but
 * from the loop, the timers or exchange_turn: `head` once, `event` any number of times (event streams only), `end` once. After `end` has
 * returned the exchange is free and its pointer dead; `end` always comes, but after exchange_close. In any of the three the owner may
 * begin, send, pause and close exchanges, this one too (from `end` it need not be closed).
 *
 * Cancelling is closing: exchange_close() closes the connection unless the reply is whole. */
#ifndef POSTERN_FLOW_EXCHANGE_H
#define POSTERN_FLOW_EXCHANGE_H

#include "base/addr.h"
#include "flow/conn.h"
#include "flow/timer.h"
#include "wire/http_body.h"

enum {
	EXCHANGE_SMALL = 16384,    /* head fields of a request, or of a reply, are no longer than this */
	EXCHANGE_ID_MAX = 256,     /* of an event; one that is longer, or could not stand in a head field, counts as none */
	EXCHANGE_IDLE_MS = 4000    /* how long a connection is kept at rest, if the peer did not say that it closes earlier */
};

enum exchange_method { EXCHANGE_POST, EXCHANGE_GET, EXCHANGE_DELETE };

/* Where requests go, and the connections at rest there. Spans and routes outlive the pool; a peer is started before its first use and
 * stopped when no exchange uses it. Connections are reused within one peer only: who must not share one has a peer of his own. */
struct exchange_peer {
	struct addr address;           /* pinned; no name is ever resolved */
	struct span host;              /* Host field */
	struct span path;              /* path and query, at least "/" */
	const struct tls_route *tls;   /* NULL: plain */
	uint32_t connect_ms;           /* for connecting, with the handshake */
	/* Not NULL: makes a connected, non-blocking stream socket, which becomes the pool's; -1: it cannot be done. `address` is not used. Called
	 * from exchange_send and exchange_turn. */
	int (*dial)(void *ctx);
	void *dial_ctx;
	struct list idle;              /* ours */
};
void exchange_peer_start(struct exchange_peer *p);

enum exchange_end {
	EXCHANGE_OK,                   /* the body is whole (exchange_body), or the event stream ended as it should */
	EXCHANGE_UNREACHABLE,          /* no connection */
	EXCHANGE_LATE,                 /* connect_ms, or the time given */
	EXCHANGE_TLS,                  /* no TLS connection: exchange_tls_why */
	EXCHANGE_LOST,                 /* it closed before the reply was whole */
	EXCHANGE_BROKEN,               /* not HTTP/1.1 as this house reads it, or a coding nobody asked for */
	EXCHANGE_OVER,                 /* a body, an event or a head over the limit */
	EXCHANGE_FULL,                 /* no descriptor or no large area is free, or our own request is too long */
	EXCHANGE_ENDS
};
/* What it did, for logs ("closed the connection before its reply was whole"), without any text of the peer. */
struct span exchange_end_text(enum exchange_end e);

struct exchange;

struct exchange_hooks {
	void *ctx;                     /* of the pool's owner; each exchange has a `data` besides */
	/* The reply's head: `h` points into memory that is gone after the call. `events`: an event stream follows (200 and text/event-stream). NULL: not wanted. */
	void (*head)(void *ctx, struct exchange *x, const struct http_head *h, bool events);
	/* One event: its data, which may be empty (a stream's first event may only bring an id). Spans live until the call returns. `id` is the
	 * last event id of the stream so far, absent if there was none. */
	void (*event)(void *ctx, struct exchange *x, struct span data, struct span id);
	void (*end)(void *ctx, struct exchange *x, enum exchange_end why);
	/* Asked before each event, and before the end with a whole body. False: not now; the exchange is paused until exchange_resume(). NULL: always. */
	bool (*may)(void *ctx, struct exchange *x);
};

struct exchange_settings {
	uint32_t exchanges;            /* at once */
	uint32_t larges;               /* large areas; at most 2 an exchange are of use */
	uint32_t request_max;          /* a request with its head: at least EXCHANGE_SMALL */
	uint32_t reply_max;            /* a body, or the data of one event */
	struct exchange_hooks hooks;
	struct loop *loop;
	struct timers *timers;         /* run by the owner */
	struct conn_pool *conns;       /* for peers with a route: as many states as there are exchanges; the owner calls conn_turn. NULL: there is none */
};

struct exchange_pool;
size_t exchange_need(const struct exchange_settings *s);
/* mem: exchange_need() bytes, zeroed, aligned to 64. The settings are copied. */
struct exchange_pool *exchange_place(void *mem, const struct exchange_settings *s);
/* Once in each turn of the loop, after timers_run. True: there is more to do at once. */
bool exchange_turn(struct exchange_pool *p);
uint32_t exchange_used(const struct exchange_pool *p);
/* True: exchange_turn has something to do at once. */
bool exchange_waiting(const struct exchange_pool *p);

/* NULL: all are in use. `*head` is where the request's fields are to be appended (wire/http_write.h); the request line and Host are there. */
struct exchange *exchange_begin(struct exchange_pool *p, struct exchange_peer *peer, enum exchange_method method, void *data, struct buf **head);
/* Sends it. With EXCHANGE_POST the body is sent with its length; the Content-Type is among the fields. The body may lie anywhere but in the
 * head's buffer, and is copied. until_ms: when it is EXCHANGE_LATE unless the end has come; 0: never. `again`: whether the request may be
 * sent once more on a new connection, if one that was at rest turns out to be closed before a byte of a reply came. */
void exchange_send(struct exchange *x, struct span body, int64_t until_ms, bool again);
/* A request for later. exchange_keep(), after exchange_begin(): copies the body, and what was written of the head is forgotten; false: there is no
 * room for it. exchange_take_back(), inside `head`: this reply is not heard to its end, the connection is closed, the body is kept, and the
 * deadline is off. Both leave an exchange that waits until exchange_again() gives a new head to write, and exchange_send() with an absent body
 * sends what was kept. */
bool exchange_keep(struct exchange *x, struct span body);
void exchange_take_back(struct exchange *x);
struct buf *exchange_again(struct exchange *x);
/* A new deadline; 0: none. */
void exchange_until(struct exchange *x, int64_t until_ms);
/* The `may` hook has said no, and would not any more: goes on. What the peer sends meanwhile stays with it; deadlines go on. */
void exchange_resume(struct exchange *x);
/* Whatever its state: no hook is called any more, and it is free. */
void exchange_close(struct exchange *x);

void *exchange_data(const struct exchange *x);
unsigned exchange_status(const struct exchange *x);           /* 0: no head yet */
bool exchange_streams(const struct exchange *x);              /* the reply is an event stream */
/* The media type of the reply is application/<subtype>. */
bool exchange_is(const struct exchange *x, struct span subtype);
struct span exchange_body(const struct exchange *x);          /* in `end`, EXCHANGE_OK, not an event stream */
/* The last event id so far, absent if there is none; and what the last `retry` field said, -1: nothing. */
struct span exchange_last_id(const struct exchange *x);
int64_t exchange_retry_ms(const struct exchange *x);
enum tls_error exchange_tls_why(const struct exchange *x);    /* EXCHANGE_TLS */
/* Closes the peer's connections at rest. */
void exchange_peer_stop(struct exchange_peer *p);

/* The first field of that name (without case); absent if there is none. */
struct span exchange_field(const struct http_head *h, struct span name);

#endif
