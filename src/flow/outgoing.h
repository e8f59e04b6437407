/* flow/outgoing.h: a connection that we make, from connect to close; links (link_http.c), exchanges (exchange_line.c) and fetches (fetch.c)
 * go over one each. What its socket has said and how far it has come is known here; what is said over it, and when there is no more time, its
 * owner's business.
 *
 * The owner's event function hands each event to outgoing_event() first. Until the state is OUTGOING_OPEN it calls outgoing_ready() after
 * each, then writes and reads. What has not been used up is remembered: `readable` until a read says SOCK_AGAIN. */
#ifndef POSTERN_FLOW_OUTGOING_H
#define POSTERN_FLOW_OUTGOING_H

#include "base/pace.h"
#include "flow/conn.h"
#include "flow/timer.h"
#include "wire/http_head.h"

enum { OUTGOING_READS = 16 };          /* its owner's: a peer that never stops sending is read so many times at once */

enum outgoing_state {
	OUTGOING_CLOSED,
	OUTGOING_CONNECTING,
	OUTGOING_CONNECTED,            /* TLS: the handshake is on its way */
	OUTGOING_OPEN
};

struct outgoing {
	struct loop_item item;         /* first: the loop hands it back */
	struct conn_tls *tls;          /* NULL: plain */
	uint8_t state;                 /* enum outgoing_state */
	bool readable, writable;
	bool half;                     /* the peer will say no more than what can be read now; no further event tells of the end */
	bool reused;                   /* its owner's: has carried something before */
};

/* On a socket that connects (OUTGOING_CONNECTING) or is connected, which is closed with it. `route` NULL: plain; `conns` may be NULL then. False: it
 * cannot be watched, or no state for TLS is free; it is closed like any other. */
bool outgoing_open(struct outgoing *o, int fd, enum outgoing_state state, void (*event)(struct loop_item *, unsigned), struct loop *loop,
	struct conn_pool *conns, const struct tls_route *route);
/* With a goodbye if there is anybody to hear it. Closing it twice is fine. */
void outgoing_close(struct outgoing *o, struct loop *loop);
void outgoing_event(struct outgoing *o, unsigned events);

enum outgoing_ready { OUTGOING_WAITS, OUTGOING_READY, OUTGOING_UNREACHABLE, OUTGOING_NO_TLS /* conn_why() says why */ };
/* As far as it goes. OUTGOING_READY: it is OUTGOING_OPEN now. */
enum outgoing_ready outgoing_ready(struct outgoing *o);

/* How many of the bytes it took. A failure shows on the reading side. */
size_t outgoing_write(struct outgoing *o, const char *from, size_t n);
/* What it has taken and not sent (TLS). */
void outgoing_flush(struct outgoing *o);
/* Bytes, SOCK_AGAIN, SOCK_EOF or SOCK_ERROR. */
long outgoing_read(struct outgoing *o, char *to, size_t n);
/* True: nothing is behind what has been read. What has come may tell nothing of that: a goodbye, more than a reply, or over TLS part of a record? */
bool outgoing_quiet(struct outgoing *o);

/* Not to be read on now, because it says too much: the timer fires when it may be. Before each event of a stream. */
static inline bool outgoing_paced(const struct pace *p, struct timers *timers, struct timer *timer, int64_t now_ms)
{
	int wait_ms = pace_wait_ms(p, now_ms);

	if (wait_ms > 0)
		timer_arm(timers, timer, now_ms + wait_ms);
	return wait_ms > 0;
}

/* The head of a reply, in in[0 .. *n). */
enum outgoing_head {
	HEAD_MORE,                     /* is not whole yet */
	HEAD_INTERIM,                  /* was one of those that say nothing (1xx), and is taken out: look again */
	HEAD_FINAL,                    /* is whole: *h, of *len bytes. 101 counts as one */
	HEAD_BROKEN                    /* is none of HTTP/1.1 */
};
enum outgoing_head outgoing_head(struct http_head *h, char *in, size_t *n, size_t *scanned, size_t *len);

#endif
