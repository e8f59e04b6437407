/* The connections of exchanges: made, kept at rest, written to, closed. */
#include "flow/exchange_state.h"

void exchange_peer_start(struct exchange_peer *p) { list_init(&p->idle); }

void exchange_line_close(struct line *k)
{
	struct exchange_pool *p = k->pool;

	if (k->conn.state == OUTGOING_CLOSED)
		return;
	timer_disarm(p->set.timers, &k->timer);
	outgoing_close(&k->conn, p->set.loop);
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

void exchange_line_rest(struct line *k)
{
	struct exchange_pool *p = k->pool;
	int64_t idle_ms = k->x->idle_ms;

	k->x->line = NULL;
	k->x = NULL;
	if (k->conn.half || !outgoing_quiet(&k->conn)) { /* its FIN came along with the reply: no further event will tell */
		exchange_line_close(k);
		return;
	}
	k->conn.reused = true;
	list_push(&k->peer->idle, &k->node);
	list_push(&p->idle, &k->age);
	timer_arm(p->set.timers, &k->timer, p->set.loop->now_ms + idle_ms);
}

/* ---- using one ---- */

/* The head, with the body or before it. */
static void write_request(struct line *k)
{
	struct exchange *x = k->x;
	size_t whole = x->out.n + x->ngiven - x->ninside;

	if (x->sent < x->out.n)
		x->sent += outgoing_write(&k->conn, x->out.p + x->sent, x->out.n - x->sent);
	if (x->sent >= x->out.n)
		x->sent += outgoing_write(&k->conn, x->given.p + (x->sent - x->out.n), whole - x->sent);
	if (x->sent == whole)
		x->state = X_HEAD;
}

/* True: the connection may be used. */
static bool ready(struct line *k)
{
	switch (outgoing_ready(&k->conn)) {
	case OUTGOING_WAITS:
		return false;
	case OUTGOING_UNREACHABLE:
		exchange_finish(k->x, EXCHANGE_UNREACHABLE);
		return false;
	case OUTGOING_NO_TLS:
		k->x->tls_why = conn_why(k->conn.tls);
		exchange_finish(k->x, EXCHANGE_TLS);
		return false;
	case OUTGOING_READY:
		break;
	}
	timer_disarm(k->pool->set.timers, &k->timer);
	return true;
}

void exchange_line_run(struct line *k)
{
	struct exchange *x = k->x;

	if (k->conn.state != OUTGOING_OPEN && !ready(k))
		return;
	if (x->state == X_SEND)
		write_request(k);
	if (x->state > X_SEND)
		outgoing_flush(&k->conn); /* the end of the request */
	exchange_read(x);
}

static void on_event(struct loop_item *item, unsigned events)
{
	struct line *k = (struct line *)(void *)item;

	outgoing_event(&k->conn, events);
	if (k->x)
		exchange_line_run(k);
	else if (k->conn.half || !outgoing_quiet(&k->conn))
		exchange_line_close(k); /* at rest there is nothing to say but goodbye */
}

static void on_timeout(struct timer *t)
{
	struct line *k = LIST_OWNER(t, struct line, timer);

	if (k->x && k->x->state == X_EVENTS)
		list_append(&k->pool->ready, &k->x->ready);
	else if (k->x)
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

static void use(struct line *k, struct exchange *x)
{
	k->x = x;
	x->line = k;
	x->state = X_SEND;
}

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
	*k = (struct line){ .pool = p, .peer = peer };
	list_init(&k->node);
	list_init(&k->age);
	timer_init(&k->timer, on_timeout);
	p->open++;
	if (!outgoing_open(&k->conn, fd, peer->dial ? OUTGOING_CONNECTED : OUTGOING_CONNECTING, on_event, p->set.loop, p->set.conns, peer->tls)) {
		exchange_line_close(k);
		return doom(x, EXCHANGE_FULL);
	}
	use(k, x);
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
	use(k, x);
	return true;
}
