/* What comes back: the head, then a body or events. Each hook may end the exchange that it is called for, so `life` is looked at after each. */
#include "flow/exchange_state.h"
#include "flow/link_idle.h"

/* Closed while the request was on its way over a connection that had been at rest, and nothing of a reply came. */
static bool ask_again(struct exchange *x)
{
	struct line *k = x->line;

	if (!k->conn.reused || !x->again || x->retried || x->state > X_HEAD || x->n > 0 || x->out.n == 0)
		return false;
	x->retried = true;
	x->sent = 0;
	k->x = NULL;
	x->line = NULL;
	exchange_line_close(k);
	exchange_queue(x);
	return true;
}

static void lost(struct exchange *x)
{
	if (!ask_again(x))
		exchange_finish(x, EXCHANGE_LOST);
}

/* More room for the body: the rest of it moves to the front of a large area. False: the exchange is over. */
static bool grow(struct exchange *x)
{
	struct area old = x->in;
	size_t behind = x->n - x->raw, payload = x->end - x->start;

	if (old.large || !exchange_area_grow(x->pool, &x->in)) {
		exchange_finish(x, old.large ? EXCHANGE_OVER : EXCHANGE_FULL);
		return false;
	}
	memcpy(x->in.p, old.p + x->start, payload);
	memcpy(x->in.p + payload, old.p + x->raw, behind);
	x->start = 0;
	x->end = x->raw = payload;
	x->n = payload + behind;
	return true;
}

static void done(struct exchange *x)
{
	if (x->keep && x->raw == x->n)
		exchange_line_rest(x->line);
	exchange_finish(x, EXCHANGE_OK);
}

/* A head is whole. False: the exchange is over. */
static bool read_head(struct exchange *x, size_t head_len)
{
	struct exchange_pool *p = x->pool;
	struct http_head *h = &p->head;
	uint32_t life = x->life;
	struct span type;
	bool events;

	if (h->status == 101 || h->count[HTTP_CONTENT_ENCODING] > 0) {
		exchange_finish(x, EXCHANGE_BROKEN);
		return false;
	}
	type = h->known[HTTP_CONTENT_TYPE];
	events = h->status == 200 && http_media_type_is(type, SPAN("text"), SPAN("event-stream"));
	x->status = h->status;
	x->ntype = type.n <= TYPE_MAX ? (uint16_t)type.n : 0;
	if (x->ntype > 0)
		memcpy(x->type, type.p, x->ntype);
	x->keep = h->keep_alive && h->framing != HTTP_UNTIL_CLOSE && x->state == X_HEAD; /* a reply to half a request: of no further use */
	x->idle_ms = link_idle_ms(h, EXCHANGE_IDLE_MS);
	x->start = x->end = x->raw = head_len;
	http_body_start(&x->body, h->framing, h->length, events ? UINT64_MAX : p->set.reply_max);
	x->streams = events;
	if (events)
		sse_keep(&x->sse, x->ids, EXCHANGE_ID_MAX);
	x->state = events ? X_EVENTS : X_BODY;
	if (p->set.hooks.head)
		p->set.hooks.head(p->set.hooks.ctx, x, h, events);
	if (x->life != life)
		return false;
	if (x->taken_back) {
		exchange_taken_back(x);
		return false;
	}
	exchange_drop_request(x); /* it will not be needed again */
	return true;
}

/* What is whole may be given to the owner now. */
static bool may(struct exchange *x)
{
	struct exchange_hooks *hooks = &x->pool->set.hooks;

	if (!x->paused)
		x->paused = hooks->may && !hooks->may(hooks->ctx, x);
	return !x->paused;
}

/* False: the exchange is over, or paused. */
static bool read_body(struct exchange *x)
{
	http_body_unframe(&x->body, x->in.p, &x->end, &x->raw, &x->n);
	switch (x->body.state) {
	case HTTP_BODY_MORE:
		return true;
	case HTTP_BODY_DONE:
		if (may(x))
			done(x);
		return false;
	case HTTP_BODY_LARGE:
		exchange_finish(x, EXCHANGE_OVER);
		return false;
	case HTTP_BODY_BROKEN:
		break;
	}
	exchange_finish(x, EXCHANGE_BROKEN);
	return false;
}

/* The event that is being read needs more room than a small area has. False: the exchange is over. */
static bool event_room(struct exchange *x)
{
	struct buf *data = &x->sse.data;

	if (buf_room(data) > 0)
		return true;
	if (x->event.large || !exchange_area_grow(x->pool, &x->event)) {
		exchange_finish(x, x->event.large ? EXCHANGE_OVER : EXCHANGE_FULL);
		return false;
	}
	memcpy(x->event.p, data->p, data->n);
	data->p = x->event.p;
	data->cap = (size_t)x->pool->set.reply_max + 1; /* so that an event of reply_max bytes fits, and one more shows */
	return true;
}

/* The event that is here. False: the exchange is over, or paused. */
static bool give_event(struct exchange *x)
{
	struct exchange_hooks *hooks = &x->pool->set.hooks;
	uint32_t life = x->life;

	if (!may(x))
		return false;
	hooks->event(hooks->ctx, x, buf_span(&x->sse.data), sse_id(&x->sse));
	if (x->life != life)
		return false;
	exchange_area_back(x->pool, &x->event, &x->small_event);
	x->sse.data = buf_on(x->event.p, x->event.cap);
	sse_next(&x->sse);
	return true;
}

/* It says more than is listened to at once. */
static bool paced(struct exchange *x)
{
	return outgoing_paced(&x->pace, x->pool->set.timers, &x->line->timer, x->pool->set.loop->now_ms);
}

/* The events that are here. False: the exchange is over, or paused. */
static bool give_events(struct exchange *x)
{
	if (x->sse.state == SSE_EVENT && !give_event(x))
		return false;
	while (x->taken < x->end - x->start) {
		size_t n = x->end - x->start - x->taken, took;

		if (x->paused || paced(x) || !event_room(x))
			return false;
		if (n > buf_room(&x->sse.data)) /* no more data can come from n bytes than n */
			n = buf_room(&x->sse.data);
		took = sse_take(&x->sse, x->in.p + x->start + x->taken, n);
		x->taken += took;
		pace_note(&x->pace, took);
		if (x->sse.state == SSE_LARGE || x->sse.data.n > x->pool->set.reply_max) {
			exchange_finish(x, EXCHANGE_OVER);
			return false;
		}
		if (x->sse.state == SSE_EVENT && !give_event(x))
			return false;
		if (x->sse.data.n == 0) /* no event has begun that might be an answer */
			pace_owe(&x->pace, x->pool->set.loop->now_ms);
	}
	return true;
}

static bool read_events(struct exchange *x)
{
	enum http_body_state body;

	http_body_unframe(&x->body, x->in.p, &x->end, &x->raw, &x->n);
	if (!give_events(x))
		return false;
	body = x->body.state;
	if (body == HTTP_BODY_DONE) {
		done(x);
		return false;
	}
	if (body != HTTP_BODY_MORE) {
		exchange_finish(x, EXCHANGE_BROKEN);
		return false;
	}
	x->n = x->start = x->end = x->raw = x->taken = 0; /* all that was here is used */
	return true;
}

/* What has come, as far as it goes. False: there is nothing more to be read. */
static bool digest(struct exchange *x)
{
	while (x->state < X_BODY) {
		size_t len;
		enum outgoing_head found = outgoing_head(&x->pool->head, x->in.p, &x->n, &x->scanned, &len);

		if (found == HEAD_MORE && x->n < x->in.cap)
			return true;
		if (found == HEAD_MORE || found == HEAD_BROKEN) {
			exchange_finish(x, found == HEAD_MORE ? EXCHANGE_OVER : EXCHANGE_BROKEN);
			return false;
		}
		if (found == HEAD_FINAL && !read_head(x, len)) /* interim ones say nothing; the deadline ends them */
			return false;
	}
	return x->state == X_BODY ? read_body(x) : read_events(x);
}

/* No more bytes will come. */
static void over(struct exchange *x, bool clean)
{
	if (clean && (x->state == X_BODY || x->state == X_EVENTS) && x->body.framing == HTTP_UNTIL_CLOSE) {
		http_body_eof(&x->body);
		if (x->state == X_EVENTS || may(x))
			done(x);
	} else {
		lost(x);
	}
}

void exchange_read(struct exchange *x)
{
	struct line *k = x->line;

	if (x->state == X_EVENTS && (x->taken < x->end - x->start || x->sse.state == SSE_EVENT) && !read_events(x))
		return;
	if (x->state == X_BODY && x->body.state == HTTP_BODY_DONE && !read_body(x))
		return;
	for (unsigned reads = 0; k->conn.readable; reads++) {
		size_t room;
		long n;

		if ((x->state >= X_BODY && x->paused) || (x->state == X_EVENTS && paced(x)))
			return;
		if (reads == OUTGOING_READS) {
			list_append(&x->pool->ready, &x->ready);
			return;
		}
		if (x->n == x->in.cap && !grow(x))
			return;
		room = x->in.cap - x->n;
		n = outgoing_read(&k->conn, x->in.p + x->n, room);
		if (n == SOCK_AGAIN)
			return;
		if (n <= 0) {
			over(x, n == SOCK_EOF);
			return;
		}
		x->n += (size_t)n;
		if (!digest(x))
			return;
	}
}
