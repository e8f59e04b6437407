#include "flow/exchange.h"
#include "flow/flow_priv.h"

/* An inner connection at rest is its client's to close (flow/exchange.h), or a request on its way over it were lost. */
static int64_t rest_ms(const struct front *c)
{
	int64_t ms = c->f->set->idle_ms, least = c->inner != FLOW_INNER_NONE ? 2 * EXCHANGE_IDLE_MS : 0;

	return ms > least ? ms : least;
}

static void release_input(struct front *c)
{
	buffer_give(c->f, c->in);
	c->in = NULL;
}

static void end_tls(struct front *c)
{
	if (!c->tls)
		return;
	if (c->tls->open)
		metrics_sub(c->f->metrics, METRIC_TLS_OPEN, 1);
	conn_drop(c->tls);
	c->tls = NULL;
}

const struct flow_listener *front_listener(const struct front *c)
{
	return c->inner != FLOW_INNER_NONE ? &c->f->inner_at : &c->f->set->listeners[c->listener];
}

const struct tls_peer *front_peer(const struct front *c) { return c->tls ? conn_peer(c->tls) : NULL; }

void front_close(struct front *c)
{
	struct flow *f = c->f;
	if (c->tls && !c->gone && !c->half)
		conn_bye(c->tls);
	end_tls(c);
	timer_disarm(&f->timers, &c->timer);
	release_input(c);
	list_remove(&c->age);
	loop_forget(f->loop, &c->item);
	sock_close(c->item.fd);
	c->item.fd = -1;
	list_append(&f->limbo_fronts, &c->node);
	if (c->inner != FLOW_INNER_NONE)
		f->inners--;
	else
		metrics_sub(f->metrics, METRIC_CONNECTIONS_OPEN, 1);
}

/* A refused client gets our answer and then a quiet end: closing with its bytes unread would reset the connection and might take the
 * answer away with it. What it still sends is thrown away for a bounded time, without being deciphered: close_notify is our last word. */
static void linger(struct front *c)
{
	release_input(c);
	list_remove(&c->age);
	if (c->tls)
		conn_bye(c->tls);
	else
		sock_shut_write(c->item.fd);
	c->state = FRONT_LINGER;
	timer_arm(&c->f->timers, &c->timer, flow_now(c->f) + FLOW_LINGER_MS);
	list_append(&c->f->ready, &c->node);
}

static void linger_run(struct front *c)
{
	if (c->tls && conn_write(c->item.fd, c->tls, NULL, 0) != SOCK_AGAIN) {
		end_tls(c);
		sock_shut_write(c->item.fd);
	}
	for (unsigned i = 0; i < 16 && c->readable; i++) {
		long n = sock_read(c->item.fd, c->f->scratch, FLOW_SMALL);
		if (n == SOCK_AGAIN) {
			c->readable = false;
			return;
		}
		if (n <= 0) {
			front_close(c);
			return;
		}
	}
	if (c->readable)
		list_append(&c->f->ready, &c->node);
}

/* The oldest connection that is still in its head gives way, if it has had its chance. False: there is none. */
static bool evict_slow_head(struct flow *f)
{
	if (list_empty(&f->heads))
		return false;
	struct front *slow = LIST_OWNER(f->heads.next, struct front, age);
	if (flow_now(f) - slow->since_ms < FLOW_SLOW_MS)
		return false;
	metrics_add(f->metrics, METRIC_REFUSED_SLOW, 1);
	front_close(slow);
	return true;
}

/* Do handshakes hold at most a quarter of the pairs? Then it is not they who leave none for others. */
static bool few_shakes(const struct flow *f)
{
	unsigned shakes = 0;
	for (const struct list *n = f->tls.holders.next; n != &f->tls.holders; n = n->next) {
		const struct conn_tls *s = LIST_OWNER(n, struct conn_tls, held);
		shakes += s->server && !s->open;
	}
	return shakes <= f->tls.records.count / 4;
}

/* May be closed, when it has held its buffers for FLOW_SLOW_MS: a client that has not finished its handshake, head or body, or has sent part of a
 * next request while this one is at work. One that still has to read may take FLOW_STUCK_MS for each record. Links to upstreams have timers of their own. If
 * only new handshakes wait for buffers, other handshakes give way, and connections without a request at work as long as handshakes hold few
 * pairs: else a client that has shaken hands could keep everybody out by sending parts of records. */
bool front_evict_holder(struct flow *f)
{
	bool any = !list_empty(&f->tls.starved), idle = any || few_shakes(f);
	for (struct list *n = f->tls.holders.next; n != &f->tls.holders; n = n->next) {
		struct conn_tls *s = LIST_OWNER(n, struct conn_tls, held);
		if (flow_now(f) - s->held_ms < FLOW_SLOW_MS)
			return false;
		if (!s->server)
			continue;
		struct front *c = (struct front *)(void *)s->item;
		if (s->open && !any && !(idle && c->state != FRONT_BUSY))
			continue;
		if (c->state == FRONT_BUSY && conn_pending(s) && flow_now(f) - s->moved_ms < FLOW_STUCK_MS)
			continue;
		metrics_add(f->metrics, c->state == FRONT_SHAKE ? METRIC_TLS_FAILED_SLOW : METRIC_REFUSED_SLOW, 1);
		c->gone = true; /* closed without an answer: writing one would need the buffers */
		if (c->state == FRONT_BUSY)
			txn_cancel(c->txn);
		else
			front_close(c);
		return true;
	}
	return false;
}

static bool ensure_input(struct front *c)
{
	struct flow *f = c->f;
	if (c->in)
		return true;
	/* A head holds one buffer, a request needs more: heads that do not end never get the last quarter. */
	while (f->small.count - f->small.used < f->small.count / 4 && evict_slow_head(f)) {
	}
	c->in = buffer_take(f, FLOW_SMALL);
	return c->in != NULL;
}

static void refuse_raw(struct front *c, struct span answer)
{
	(void)conn_write(c->item.fd, c->tls, answer.p, answer.n);
	metrics_add(c->f->metrics, METRIC_REFUSED_FULL, 1);
	linger(c);
}

#define BUSY_BODY "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"Postern is at its limit; try again shortly\"}}"
#define BUSY_ANSWER \
	"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 96\r\nRetry-After: 1\r\n" \
	"Connection: close\r\n\r\n" BUSY_BODY
_Static_assert(sizeof(BUSY_BODY) - 1 == 96, "the Content-Length above counts this body");

static void start_txn(struct front *c, size_t head_len)
{
	struct txn *t = txn_new(c, flow_now(c->f));
	if (!t) {
		refuse_raw(c, SPAN(BUSY_ANSWER));
		return;
	}
	timer_disarm(&c->f->timers, &c->timer);
	list_remove(&c->age);
	c->state = FRONT_BUSY;
	c->txn = t;
	t->head_len = head_len;
	txn_run(t);
}

/* Reads until the head is whole. Returns when there is no more to read or the connection has changed hands. */
static void head_run(struct front *c)
{
	struct flow *f = c->f;
	for (;;) {
		if (c->in && c->in->n > 0) {
			size_t head_len = http_head_end(c->in->p, c->in->n, &c->scanned);
			if (head_len > 0 || c->in->n >= FLOW_HEAD_MAX) { /* without an end, the head step says 431 and closes */
				start_txn(c, head_len);
				return;
			}
		}
		if (!c->readable)
			break;
		if (!ensure_input(c)) {
			refuse_raw(c, SPAN(BUSY_ANSWER));
			return;
		}
		uint32_t room = c->in->cap - c->in->n;
		long n = conn_read(c->item.fd, c->tls, c->in->p + c->in->n, room);
		if (n == SOCK_AGAIN) {
			c->readable = false;
			break;
		}
		if (n <= 0) { /* the end, between requests or inside a head: nobody is waiting for an answer */
			front_close(c);
			return;
		}
		if ((uint32_t)n < room && !c->half && !c->tls)
			c->readable = false; /* drained: the next event says when there is more */
		c->in->n += (uint32_t)n;
	}
	if (c->in && c->in->n == 0)
		release_input(c);
	bool begun = c->in || (c->tls && !conn_rest(c->tls)); /* part of a record counts: it holds buffers */
	if (begun && c->state == FRONT_REST) {
		c->state = FRONT_HEAD;
		c->since_ms = flow_now(f);
		list_append(&f->heads, &c->age);
		timer_arm(&f->timers, &c->timer, flow_now(f) + f->set->head_ms);
	} else if (!begun && c->timer.at_ms == 0) {
		timer_arm(&f->timers, &c->timer, flow_now(f) + rest_ms(c));
	}
}

static void count_failed_shake(struct front *c)
{
	static const enum metric_id reasons[TLS_ERRORS] = {
		[TLS_NO_ERROR] = METRIC_TLS_FAILED_LEFT, [TLS_PEER] = METRIC_TLS_FAILED_PROTOCOL, [TLS_CERTIFICATE] = METRIC_TLS_FAILED_CERTIFICATE,
		[TLS_PURPOSE] = METRIC_TLS_FAILED_CERTIFICATE, [TLS_SIGNER] = METRIC_TLS_FAILED_SIGNER, [TLS_TRUNCATED] = METRIC_TLS_FAILED_LEFT,
	};
	metrics_add(c->f->metrics, c->tls->not_tls ? METRIC_TLS_FAILED_NOT_TLS : reasons[conn_why(c->tls)], 1);
}

static void shake_run(struct front *c)
{
	struct flow *f = c->f;
	switch (conn_shake(c->tls)) {
	case CONN_SHAKING:
		return;
	case CONN_FAILED:
		count_failed_shake(c);
		linger(c);
		return;
	case CONN_OPEN:
		break;
	}
	metrics_add(f->metrics, conn_resumed(c->tls) ? METRIC_TLS_RESUMED : METRIC_TLS_FULL, 1);
	metrics_add(f->metrics, METRIC_TLS_OPEN, 1);
	c->state = FRONT_REST;
	timer_arm(&f->timers, &c->timer, flow_now(f) + (f->draining ? FLOW_LINGER_MS : f->set->idle_ms));
	head_run(c);
}

/* The interim response must go out whole: the answer would follow on a part of it. */
bool front_say_owed(struct front *c)
{
	while (c->owed.n > 0 && c->writable && !c->gone) {
		long n = conn_write(c->item.fd, c->tls, c->owed.p, c->owed.n);
		if (n == SOCK_AGAIN) {
			c->writable = false;
		} else if (n < 0) {
			c->gone = true;
			list_append(&c->f->ready, &c->node);
		} else {
			c->owed = span_from(c->owed, (size_t)n);
		}
	}
	return c->owed.n == 0;
}

void front_interim(struct front *c, struct span head)
{
	if (c->owed.n > 0)
		return;
	c->owed = head;
	(void)front_say_owed(c);
}

/* While a request is at work: a client that closed for good must be noticed (that is how a call is cancelled), one that only closed its
 * sending side must not be cut off. Both look the same until we write: an interim response (RFC 9110 15.2), or a comment on a stream,
 * is harmless to the second and is answered by a reset from the first. Over TLS there are no halves: an end, announced or not, is the end. */
static void probe(struct front *c)
{
	struct txn *t = c->txn;
	if (c->probed || !t || t->step < STEP_SEND || t->out || (t->head.minor == 0 && !t->streaming))
		return;
	c->probed = true;
	if (t->streaming)
		(void)stream_comment(t);
	else
		front_interim(c, SPAN("HTTP/1.1 102 Processing\r\n\r\n"));
}

void front_run(struct front *c)
{
	list_remove(&c->node);
	switch (c->state) {
	case FRONT_SHAKE:
		shake_run(c);
		break;
	case FRONT_HEAD:
	case FRONT_REST:
		head_run(c);
		break;
	case FRONT_BUSY:
		if (c->gone || (c->tls && c->half && c->txn->step > STEP_BODY)) {
			txn_cancel(c->txn);
			return;
		}
		if (conn_pending(c->tls))
			(void)conn_write(c->item.fd, c->tls, NULL, 0); /* of an interim response; a failure shows elsewhere */
		if (c->txn->step == STEP_FLUSH || (c->txn->step == STEP_BODY && c->readable)) {
			txn_run(c->txn);
			return;
		}
		if (c->txn->out && c->writable)
			front_write(c->txn);
		if (c->half)
			probe(c);
		break;
	case FRONT_LINGER:
		linger_run(c);
		break;
	}
}

static void front_event(struct loop_item *item, unsigned events)
{
	struct front *c = (struct front *)(void *)item;
	if (events & LOOP_READ)
		c->readable = true;
	if (events & LOOP_WRITE)
		c->writable = true;
	if (c->tls) {
		conn_event(c->tls, events);
		c->readable = c->writable = true; /* each may have waited for the other */
	}
	if (events & LOOP_HALF)
		c->half = c->readable = true;
	if (events & LOOP_GONE && c->state == FRONT_LINGER) {
		c->half = c->readable = true; /* closing before all is read would be a reset, and might take our answer away */
	} else if (events & LOOP_GONE) {
		if (c->state == FRONT_SHAKE)
			metrics_add(c->f->metrics, METRIC_TLS_FAILED_LEFT, 1);
		if (c->txn)
			txn_cancel(c->txn);
		else
			front_close(c);
		return;
	}
	front_run(c);
}

static void front_timeout(struct timer *timer)
{
	struct front *c = LIST_OWNER(timer, struct front, timer);
	if (c->state == FRONT_HEAD) {
		static const char late[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
		metrics_add(c->f->metrics, METRIC_REFUSED_SLOW, 1);
		(void)conn_write(c->item.fd, c->tls, late, sizeof(late) - 1);
		linger(c);
		return;
	}
	if (c->state == FRONT_SHAKE)
		metrics_add(c->f->metrics, METRIC_TLS_FAILED_SLOW, 1);
	front_close(c);
}

void front_next(struct front *c, bool close)
{
	struct flow *f = c->f;
	struct txn *t = c->txn;
	struct span rest = intake_rest(&t->intake); /* pipelined bytes behind the body */
	bool whole = t->intake.b && t->intake.body.state == HTTP_BODY_DONE;

	c->txn = NULL;
	c->scanned = 0;
	c->probed = false;
	if (close || !whole || (f->draining && rest.n == 0)) {
		linger(c);
		return;
	}
	if (rest.n > 0) {
		memmove(c->in->p, rest.p, rest.n);
		c->in->n = (uint32_t)rest.n;
	} else {
		release_input(c);
	}
	c->state = FRONT_REST;
	if (c->in || c->readable)
		list_append(&f->ready, &c->node); /* not from here: a pipeline must not become a recursion */
	else
		timer_arm(&f->timers, &c->timer, flow_now(f) + rest_ms(c));
}

static void pause_accepting(struct flow *f, bool pause)
{
	for (unsigned i = 0; i < f->set->nlisteners; i++)
		(void)(pause ? loop_pause(f->loop, &f->accept[i].item) : loop_resume(f->loop, &f->accept[i].item));
	f->accept_paused = pause;
}

void front_accept_more(struct flow *f)
{
	if (f->accept_paused && !f->draining && f->accept_again.at_ms == 0 && f->fronts.used - f->inners < f->set->connections)
		pause_accepting(f, false);
}

/* A new connection in its slot, with nothing done yet. */
static void start(struct flow *f, struct front *c, int fd)
{
	*c = (struct front){ .item = { front_event, fd }, .f = f, .state = FRONT_REST, .writable = true };
	list_init(&c->node);
	list_init(&c->age);
	timer_init(&c->timer, front_timeout);
}

bool front_adopt(struct flow *f, enum flow_inner kind, int fd)
{
	struct front *c = f->inners < inner_count(f->set) ? slots_take(&f->fronts) : NULL;

	if (!c)
		return false;
	start(f, c, fd);
	c->inner = (uint8_t)kind;
	f->inners++;
	if (!loop_add(f->loop, &c->item)) {
		front_close(c);
		return true;
	}
	timer_arm(&f->timers, &c->timer, flow_now(f) + (f->draining ? FLOW_LINGER_MS : rest_ms(c)));
	return true;
}

static void accept_timeout(struct timer *timer) { front_accept_more(LIST_OWNER(timer, struct flow, accept_again)); }

static void accept_event(struct loop_item *item, unsigned events)
{
	struct acceptor *a = (struct acceptor *)(void *)item;
	struct flow *f = a->f;
	(void)events;
	for (unsigned i = 0; i < 64; i++) { /* the listener is level-triggered: what is left comes again */
		struct front *c = f->fronts.used - f->inners < f->set->connections ? slots_take(&f->fronts) : NULL;
		if (!c) {
			pause_accepting(f, true); /* full means stop taking: the queue of the kernel holds the rest */
			return;
		}
		int fd = sock_accept(a->item.fd);
		if (fd < 0) {
			slots_give(&f->fronts, c);
			if (fd == SOCK_ERROR) { /* the listener stays readable: without a pause this would be asked for ever */
				pause_accepting(f, true);
				timer_arm(&f->timers, &f->accept_again, flow_now(f) + FLOW_ACCEPT_MS);
				flow_log(f, SPAN("accept failed: out of descriptors or memory"), span_of(NULL, 0), span_of(NULL, 0));
			}
			return;
		}
		start(f, c, fd);
		c->listener = a->index;
		metrics_add(f->metrics, METRIC_CONNECTIONS, 1);
		metrics_add(f->metrics, METRIC_CONNECTIONS_OPEN, 1);
		metrics_peak(f->metrics, METRIC_POOL_CONNECTIONS_PEAK, f->fronts.used - f->inners);
		bool secure = f->set->listeners[a->index].tls != NULL;
		if (secure) {
			c->state = FRONT_SHAKE;
			c->tls = conn_serve(&f->tls, &c->item, &f->door[a->index]);
		}
		if (!loop_add(f->loop, &c->item) || (secure && !c->tls)) {
			front_close(c);
			return;
		}
		timer_arm(&f->timers, &c->timer, flow_now(f) + (secure ? f->set->handshake_ms : f->set->idle_ms));
	}
}

bool front_open_all(struct flow *f)
{
	timer_init(&f->accept_again, accept_timeout);
	for (unsigned i = 0; i < f->set->nlisteners; i++) {
		f->accept[i] = (struct acceptor){ { accept_event, f->set->listeners[i].fd }, f, (uint8_t)i };
		if (!loop_add_level(f->loop, &f->accept[i].item))
			return false;
	}
	return true;
}
