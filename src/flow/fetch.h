/* flow/fetch.h: one bounded HTTP/1.1 request of our own, and its answer: key sets, introspection, tokens.
 *
 * It connects to the pinned address and nowhere else, over TLS if the peer has a route, in plain otherwise; no redirect is followed, no
 * content coding accepted, one connection serves one request. Everything has one deadline. The answer's head is read by wire/http_head, its
 * body is kept whole in the fetch's own memory up to the limit given; a longer one ends the fetch before the limit is passed, so memory stays
 * flat whatever comes. Requests and answers hold secrets: both are wiped when the fetch is cleared.
 *
 * A fetch does not call back: when its state is FETCH_DONE the owner reads it, in its tick, and calls fetch_clear(). */
#ifndef POSTERN_FLOW_FETCH_H
#define POSTERN_FLOW_FETCH_H

#include "base/addr.h"
#include "flow/conn.h"
#include "flow/timer.h"
#include "wire/http_body.h"

enum {
	FETCH_HEAD_MAX = 8192,        /* of an answer */
	FETCH_REQUEST_MAX = 49152     /* a token of 8 KiB may take three times that in a form, and a secret comes on top */
};

/* Where a request goes. Spans outlive the fetch. */
struct fetch_peer {
	struct addr address;          /* pinned; no name is ever resolved */
	struct span host;             /* Host field */
	struct span path;             /* path and query, at least "/" */
	const struct tls_route *tls;  /* NULL: plain */
};

enum fetch_state { FETCH_FREE, FETCH_HEAD /* of its answer, from the beginning */, FETCH_BODY, FETCH_DONE };

enum fetch_end {
	FETCH_OK,                     /* an answer, whole: look at status */
	FETCH_UNREACHABLE,            /* no connection */
	FETCH_LATE,                   /* the deadline */
	FETCH_TLS,                    /* no TLS connection: tls says why */
	FETCH_LOST,                   /* it closed before the answer was whole */
	FETCH_BROKEN,                 /* not HTTP/1.1 as this house reads it, or a coding nobody asked for */
	FETCH_LARGE,                  /* head or body over the limit */
	FETCH_FULL,                   /* our own request did not fit, or no descriptor was left */
	FETCH_ENDS
};
/* A sentence for logs, without any text of the peer. */
struct span fetch_end_text(enum fetch_end e);

/* What fetches of one owner share. The pool needs as many states and pairs of record buffers as there are fetches with a route; the owner
 * runs the timers and conn_turn(). NULL: there is no such fetch. */
struct fetch_room {
	struct loop *loop;
	struct timers *timers;
	struct conn_pool *conns;
};

struct fetch;
size_t fetch_need(uint32_t body_max);
/* mem: fetch_need() bytes, zeroed, aligned to 64. */
struct fetch *fetch_place(void *mem, uint32_t body_max, const struct fetch_room *room);

/* Begins with a FREE fetch: `*head` is where the request is to be written: the request line and Host are there already, the caller appends
 * further fields, then calls fetch_send() with the body (absent: a GET without one), which may not lie in the buffer. The body's media type
 * is application/x-www-form-urlencoded. `path` of the peer is taken as it is. */
struct buf *fetch_begin(struct fetch *t, const struct fetch_peer *peer, bool post);
void fetch_send(struct fetch *t, struct span body, int64_t until_ms);

enum fetch_state fetch_state(const struct fetch *t);
/* Once DONE: */
enum fetch_end fetch_why(const struct fetch *t);
enum tls_error fetch_tls_why(const struct fetch *t);   /* FETCH_TLS */
unsigned fetch_status(const struct fetch *t);          /* FETCH_OK */
bool fetch_is(const struct fetch *t, struct span subtype); /* FETCH_OK: its media type is application/<subtype> */
struct span fetch_body(const struct fetch *t);         /* FETCH_OK; lives until fetch_clear() */
int64_t fetch_fresh_ms(const struct fetch *t);         /* FETCH_OK: Cache-Control max-age, 0 with no-store or no-cache; -1: nothing said */
/* Whatever its state: closes, wipes, and is FREE. */
void fetch_clear(struct fetch *t);

#endif
