#include "flow/outgoing.h"

#include <string.h>

bool outgoing_open(struct outgoing *o, int fd, enum outgoing_state state, void (*event)(struct loop_item *, unsigned), struct loop *loop,
	struct conn_pool *conns, const struct tls_route *route)
{
	*o = (struct outgoing){ .item = { event, fd }, .state = (uint8_t)state };
	if (route)
		o->tls = conns ? conn_call(conns, &o->item, route) : NULL;
	return loop_add(loop, &o->item) && (!route || o->tls);
}

void outgoing_close(struct outgoing *o, struct loop *loop)
{
	if (o->state == OUTGOING_CLOSED)
		return;
	if (o->tls) {
		if (!o->half)
			conn_bye(o->tls);
		conn_drop(o->tls);
		o->tls = NULL;
	}
	loop_forget(loop, &o->item);
	sock_close(o->item.fd);
	o->item.fd = -1;
	o->state = OUTGOING_CLOSED;
}

void outgoing_event(struct outgoing *o, unsigned events)
{
	if (o->tls)
		conn_event(o->tls, events);
	if (events & LOOP_WRITE)
		o->writable = true;
	if (events & LOOP_READ)
		o->readable = true;
	if (events & (LOOP_HALF | LOOP_GONE)) {
		o->half = o->readable = true;
		if (events & LOOP_GONE)
			o->writable = true; /* after a failed connect sock_connect_result() says so */
	}
}

enum outgoing_ready outgoing_ready(struct outgoing *o)
{
	if (o->state == OUTGOING_CLOSED || !o->writable)
		return OUTGOING_WAITS;
	if (o->state == OUTGOING_CONNECTING && !sock_connect_result(o->item.fd))
		return OUTGOING_UNREACHABLE;
	o->state = OUTGOING_CONNECTED;
	switch (o->tls ? conn_shake(o->tls) : CONN_OPEN) {
	case CONN_SHAKING:
		return OUTGOING_WAITS;
	case CONN_FAILED:
		return OUTGOING_NO_TLS;
	case CONN_OPEN:
		break;
	}
	o->state = OUTGOING_OPEN;
	return OUTGOING_READY;
}

size_t outgoing_write(struct outgoing *o, const char *from, size_t n)
{
	size_t done = 0;

	while (o->writable && done < n) {
		long took = conn_write(o->item.fd, o->tls, from + done, n - done);
		if (took == SOCK_AGAIN)
			o->writable = false;
		else if (took < 0)
			break;
		else
			done += (size_t)took;
	}
	return done;
}

void outgoing_flush(struct outgoing *o)
{
	if (conn_pending(o->tls))
		(void)conn_write(o->item.fd, o->tls, NULL, 0);
}

long outgoing_read(struct outgoing *o, char *to, size_t n)
{
	long came = conn_read(o->item.fd, o->tls, to, n);

	if (came == SOCK_AGAIN || (came > 0 && (size_t)came < n && !o->half && !o->tls))
		o->readable = false; /* drained: the next event says when there is more */
	return came;
}

bool outgoing_quiet(struct outgoing *o)
{
	char more;

	if (o->readable && conn_read(o->item.fd, o->tls, &more, 1) != SOCK_AGAIN)
		return false;
	o->readable = false;
	return !o->tls || conn_rest(o->tls);
}

enum outgoing_head outgoing_head(struct http_head *h, char *in, size_t *n, size_t *scanned, size_t *len)
{
	size_t where;

	*len = http_head_end(in, *n, scanned);
	if (*len == 0)
		return HEAD_MORE;
	if (http_response_read(h, span_of(in, *len), false, &where) != HTTP_OK)
		return HEAD_BROKEN;
	if (h->status >= 200 || h->status == 101)
		return HEAD_FINAL;
	memmove(in, in + *len, *n - *len);
	*n -= *len;
	*scanned = 0;
	return HEAD_INTERIM;
}
