/* The connections of exchanges: made, kept at rest, written to, closed. */
#include "flow/exchange_state.h"

void exchange_peer_start(struct exchange_peer *p) { list_init(&p->idle); }

void exchange_line_close(struct line *k)
{
	struct exchange_pool *p = k->pool;

	if (k->item.fd < 0)
		return;
	timer_disarm(p->set.timers, &k->timer);
	if (k->tls) {
		if (!k->half)
			conn_bye(k->tls);
		conn_drop(k->tls);
		k->tls = NULL;
	}
	loop_forget(p->set.loop, &k->item);
	sock_close(k->item.fd);
	k->item.fd = -1;
	list_remove(&k->age);
	list_append(&p->limbo, &k->node);
	p->open--;
}

void exchange_line_sweep(struct exchange_pool *p)
{
	while (!list_empty(&p->limbo)) {
		struct line *k = LIST_OWNER(p->limbo.next, struct line, node);

		list_remove(&k->node);
		slots_give(&p->lines, k);
	}
}

void exchange_peer_stop(struct exchange_peer *p)
{
	while (!list_empty(&p->idle))
		exchange_line_close(LIST_OWNER(p->idle.next, struct line, node));
}

/* What has been read may tell nothing of what is left: a goodbye, or more than a reply? And over TLS part of a record may be on its way. */
static bool all_said(struct line *k)
{
	char more;

	if (k->readable && conn_read(k->item.fd, k->tls, &more, 1) != SOCK_AGAIN)
		return false;
	k->readable = false;
	return !k->tls || conn_rest(k->tls);
}

void exchange_line_rest(struct line *k)
{
	struct exchange_pool *p = k->pool;
	int64_t idle_ms = k->x->idle_ms;

	k->x->line = NULL;
	k->x = NULL;
	if (k->half || !all_said(k)) { /* its FIN came along with the reply: no further event will tell */
		exchange_line_close(k);
		return;
	}
	k->reused = true;
	list_push(&k->peer->idle, &k->node);
	list_push(&p->idle, &k->age);
	timer_arm(p->set.timers, &k->timer, p->set.loop->now_ms + idle_ms);
}

/* ---- using one ---- */

static void write_request(struct line *k)
{
	struct exchange *x = k->x;
	size_t whole = x->out.n + x->ngiven - x->ninside;

	while (k->writable && x->sent < whole) {
		bool inside = x->sent < x->out.n;
		const char *from = inside ? x->out.p + x->sent : x->given.p + (x->sent - x->out.n);
		long n = conn_write(k->item.fd, k->tls, from, inside ? x->out.n - x->sent : whole - x->sent);

		if (n == SOCK_AGAIN)
			k->writable = false;
		else if (n < 0)
			break; /* the reading side says why */
		else
			x->sent += (size_t)n;
	}
	if (x->sent == whole)
		x->state = X_HEAD;
}

/* True: the connection may be used. */
static bool shake(struct line *k)
{
	switch (conn_shake(k->tls)) {
	case CONN_OPEN:
		return true;
	case CONN_FAILED:
		k->x->tls_why = conn_why(k->tls);
		exchange_finish(k->x, EXCHANGE_TLS);
		return false;
	case CONN_SHAKING:
		break;
	}
	return false;
}

void exchange_line_run(struct line *k)
{
	struct exchange *x = k->x;

	if (x->state == X_CONNECT) {
		if (!k->writable)
			return;
		if (!k->peer->dial && !sock_connect_result(k->item.fd)) {
			exchange_finish(x, EXCHANGE_UNREACHABLE);
			return;
		}
		x->state = X_SHAKE;
	}
	if (x->state == X_SHAKE) {
		if (k->tls && !shake(k))
			return;
		timer_disarm(k->pool->set.timers, &k->timer);
		x->state = X_SEND;
	}
	if (x->state == X_SEND && k->writable)
		write_request(k);
	if (x->state > X_SEND && conn_pending(k->tls))
		(void)conn_write(k->item.fd, k->tls, NULL, 0); /* the end of the request; a failure shows on the reading side */
	exchange_read(x);
}

static void on_event(struct loop_item *item, unsigned events)
{
	struct line *k = (struct line *)(void *)item;

	if (k->tls)
		conn_event(k->tls, events);
	if (events & LOOP_WRITE)
		k->writable = true;
	if (events & LOOP_READ)
		k->readable = true;
	if (events & (LOOP_HALF | LOOP_GONE)) {
		k->half = k->readable = true;
		if (events & LOOP_GONE)
			k->writable = true; /* after a failed connect sock_connect_result() says so */
	}
	if (k->x)
		exchange_line_run(k);
	else if (k->half || !all_said(k))
		exchange_line_close(k); /* at rest there is nothing to say but goodbye */
}

static void on_timeout(struct timer *t)
{
	struct line *k = LIST_OWNER(t, struct line, timer);

	if (k->x)
		exchange_finish(k->x, EXCHANGE_LATE);
	else
		exchange_line_close(k);
}

/* ---- finding one ---- */

static bool doom(struct exchange *x, enum exchange_end why)
{
	x->doomed = true;
	x->fate = why;
	return false;
}

static void use(struct line *k, struct exchange *x, enum state state)
{
	k->x = x;
	x->line = k;
	x->state = state;
}

/* TLS: its socket wakes the engine. A new descriptor of `dial` may be written to at once. */
static bool line_open(struct exchange *x)
{
	struct exchange_pool *p = x->pool;
	struct exchange_peer *peer = x->peer;
	struct line *k;
	int fd = -1;

	if (p->open >= p->set.exchanges && !list_empty(&p->idle)) /* all are at rest or at work: the one at rest for longest gives way */
		exchange_line_close(LIST_OWNER(p->idle.prev, struct line, age));
	k = slots_take(&p->lines);
	if (!k)
		return false;
	if (peer->dial ? (fd = peer->dial(peer->dial_ctx)) < 0 : !sock_connect(&peer->address, &fd)) {
		slots_give(&p->lines, k);
		return doom(x, EXCHANGE_UNREACHABLE);
	}
	*k = (struct line){ .item = { on_event, fd }, .pool = p, .peer = peer };
	list_init(&k->node);
	list_init(&k->age);
	timer_init(&k->timer, on_timeout);
	p->open++;
	if (peer->tls)
		k->tls = p->set.conns ? conn_call(p->set.conns, &k->item, peer->tls) : NULL;
	if (!loop_add(p->set.loop, &k->item) || (peer->tls && !k->tls)) {
		exchange_line_close(k);
		return doom(x, EXCHANGE_FULL);
	}
	use(k, x, X_CONNECT);
	timer_arm(p->set.timers, &k->timer, p->set.loop->now_ms + peer->connect_ms);
	return true;
}

bool exchange_line_get(struct exchange *x)
{
	struct line *k;

	if (x->retried || list_empty(&x->peer->idle))
		return line_open(x);
	k = LIST_OWNER(x->peer->idle.next, struct line, node);
	list_remove(&k->node);
	list_remove(&k->age);
	timer_disarm(k->pool->set.timers, &k->timer);
	use(k, x, X_SEND);
	return true;
}
