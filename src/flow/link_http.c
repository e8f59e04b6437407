/* A connection to an HTTP upstream: one call at a time, kept for the next one. Its bytes are judged as strictly as a client's. */
#include "flow/leg.h"
#include "flow/link_priv.h"
#include "wire/http_body.h"

static void give_buffers(struct link *k)
{
	buffer_give(k->f, k->in);
	buffer_give(k->f, k->out);
	buffer_give(k->f, k->event);
	k->in = k->out = k->event = NULL;
}

static void close_link(struct link *k)
{
	struct flow *f = k->f;
	if (k->conn.state == OUTGOING_CLOSED)
		return;
	timer_disarm(&f->timers, &k->timer);
	outgoing_close(&k->conn, f->loop);
	give_buffers(k);
	k->up->nlinks--;
	metrics_sub(f->metrics, METRIC_UPSTREAM_OPEN, 1);
	list_append(&f->limbo_links, &k->node);
}

void link_detach(struct link *k)
{
	k->leg->link = NULL;
	k->leg = NULL;
}

void link_abandon(struct link *k) { close_link(k); }

static void fail(struct link *k, enum leg_fault fault, struct span detail)
{
	if (k->leg)
		leg_failed(k->leg, fault, detail); /* closes */
	else
		close_link(k);
}

/* The call is over and the connection is clean: keep it for the next. */
static void rest(struct link *k)
{
	struct flow *f = k->f;
	give_buffers(k);
	if (k->conn.half || (k->conn.tls && !outgoing_quiet(&k->conn))) { /* it was closed together with its answer: no further event will tell */
		close_link(k);
		return;
	}
	k->scanned = 0;
	k->state = LINK_IDLE;
	k->conn.reused = true;
	list_push(&k->up->idle, &k->node);
	timer_arm(&f->timers, &k->timer, flow_now(f) + k->idle_ms);
}

static void write_request(struct link *k)
{
	k->out->from += (uint32_t)outgoing_write(&k->conn, k->out->p + k->out->from, k->out->n - k->out->from);
	if (k->out->from == k->out->n)
		k->state = LINK_HEAD;
}

/* A pooled connection that its peer closed while our request was on the way: nothing of an answer came, so a request that only reads is
 * asked once more on a new connection. A tool call is not: nobody knows whether it ran. */
static bool retry(struct link *k)
{
	struct leg *l = k->leg;
	struct buffer *request = k->out;
	enum leg_fault fault = LEG_LOST;

	if (!k->conn.reused || !l || l->retried || l->method == MCP_TOOLS_CALL || k->state > LINK_HEAD || (k->in && k->in->n > 0) || !request)
		return false;
	k->out = NULL;
	request->from = k->request_from;
	l->retried = true;
	link_detach(k);
	close_link(k);
	if (!link_send(l, request, &fault))
		leg_failed(l, fault, SPAN("cannot be reached"));
	return true;
}

static void lost(struct link *k)
{
	if (!retry(k))
		fail(k, LEG_LOST, k->state >= LINK_BODY ? SPAN("closed the connection in the middle of its answer") :
			SPAN("closed the connection without an answer"));
}

/* The reply's head is whole: what kind of answer is it? False: the link is done for. */
static bool read_head(struct link *k, size_t head_len)
{
	struct flow *f = k->f;
	struct http_head *h = &f->reply_head;

	if (h->count[HTTP_CONTENT_ENCODING] > 0) {
		fail(k, LEG_BROKEN, SPAN("sent a content coding it was not asked for"));
		return false;
	}
	if (k->leg)
		k->leg->status = (uint16_t)h->status;
	bool json = http_media_type_is(h->known[HTTP_CONTENT_TYPE], SPAN("application"), SPAN("json"));
	bool events = http_media_type_is(h->known[HTTP_CONTENT_TYPE], SPAN("text"), SPAN("event-stream"));
	if (h->status == 401 && k->leg && k->out && credential_may_again(k->leg)) { /* refused unread: nothing has been done */
		struct leg *l = k->leg;
		struct buffer *request = k->out;
		k->out = NULL;
		request->from = k->request_from;
		link_detach(k);
		close_link(k);
		credential_again(l, request);
		return false;
	}
	bool ours = h->status == 200 || h->status == 400 || h->status == 404 || h->status == 500;
	if (!ours || (!json && !(events && h->status == 200))) {
		bool busy = h->status == 503 || h->status == 429;
		char mem[48];
		struct buf what = buf_on(mem, sizeof(mem));
		BUF_LIT(&what, "answered with HTTP status ");
		buf_u64(&what, h->status);
		fail(k, busy ? LEG_BUSY : LEG_REFUSED, h->status == 200 ? SPAN("answered with something that is neither JSON nor an event stream") : buf_span(&what));
		return false;
	}
	k->status = (uint16_t)h->status;
	/* An answer to a request that has not been sent whole yet: the connection cannot be used again. */
	k->keep = h->keep_alive && h->framing != HTTP_UNTIL_CLOSE && k->state == LINK_HEAD;
	k->idle_ms = link_idle_ms(h, FLOW_LINK_IDLE_MS);
	buffer_give(f, k->out); /* an answer has begun: the request will not be needed again */
	k->out = NULL;
	intake_start(&k->intake, k->in, (uint32_t)head_len, h, events ? UINT64_MAX : f->set->reply_max);
	if (events) {
		k->event = buffer_take(f, FLOW_SMALL);
		if (!k->event) {
			fail(k, LEG_FULL, SPAN("cannot be read: no buffer is free"));
			return false;
		}
		sse_start(&k->sse, k->event->p, k->event->cap);
		k->pace = (struct pace){ 0 };
		k->state = LINK_EVENTS;
	} else {
		k->state = LINK_BODY;
	}
	return true;
}

/* The body as far as it is here. True: go on reading. */
static bool read_body(struct link *k)
{
	struct flow *f = k->f;
	intake_decode(&k->intake);
	switch (k->intake.body.state) {
	case HTTP_BODY_MORE:
		return true;
	case HTTP_BODY_LARGE:
		fail(k, LEG_LARGE, SPAN("sent an answer over the limit (memory.reply)"));
		return false;
	case HTTP_BODY_BROKEN:
		fail(k, LEG_BROKEN, SPAN("broke the framing of its answer"));
		return false;
	case HTTP_BODY_DONE:
		break;
	}
	bool clean = k->keep && intake_rest(&k->intake).n == 0;
	struct leg *l = k->leg;
	if (!l) {
		close_link(k);
		return false;
	}
	/* The connection comes to rest first: what the answer sets in motion may want it. An answer judged broken closes it. */
	struct span text = intake_payload(&k->intake);
	struct buffer *in = k->in;
	k->in = NULL;
	if (clean)
		rest(k);
	else
		close_link(k);
	leg_answer(l, k->status, text);
	buffer_give(f, in);
	return false;
}

/* Not now: its client has no room, or it says more than is listened to at once. link_resume(), or the timer, goes on. */
static bool held(struct link *k)
{
	return outgoing_paced(&k->pace, &k->f->timers, &k->timer, flow_now(k->f)) || leg_must_pause(k->leg);
}

/* Events as far as they are here. True: go on reading. */
static bool read_events(struct link *k)
{
	struct flow *f = k->f;
	intake_decode(&k->intake);
	struct span in = intake_payload(&k->intake);
	enum http_body_state body = k->intake.body.state;

	while (in.n > k->taken) {
		size_t took;
		if (k->leg && held(k))
			return false;
		if (!k->leg) { /* the answer has been given: the rest is read only to find the end */
			k->taken = in.n;
			break;
		}
		if (k->event->cap - k->sse.data.n < in.n - k->taken && !k->event->is_large) {
			k->event->n = (uint32_t)k->sse.data.n;
			if (buffer_grow(f, &k->event)) {
				k->sse.data.p = k->event->p;
				k->sse.data.cap = k->event->cap;
			}
		}
		took = sse_take(&k->sse, in.p + k->taken, in.n - k->taken);
		k->taken += took;
		pace_note(&k->pace, took);
		if (k->sse.state == SSE_LARGE || k->sse.data.n > f->set->reply_max) {
			fail(k, LEG_LARGE, SPAN("sent an event over the limit (memory.reply)"));
			return false;
		}
		if (k->sse.state == SSE_EVENT) {
			leg_touch(k->leg);
			if (leg_event(k->leg, buf_span(&k->sse.data)) && k->conn.state == OUTGOING_CLOSED)
				return false;
			if (!k->leg)
				timer_arm(&f->timers, &k->timer, flow_now(f) + FLOW_LINGER_MS); /* the stream should end now */
			sse_next(&k->sse);
		}
		if (k->sse.data.n == 0 /* no event has begun that might be the answer */ && pace_owe_loudly(&k->pace, &k->up->quiet_until_ms, flow_now(f)))
			flow_log(f, SPAN("upstream"), k->up->set->name, SPAN("says much that answers nobody: it is listened to more slowly"));
	}
	if (k->leg && k->leg->method != MCP_LISTEN && k->sse.comments > 0) {
		leg_touch(k->leg); /* a comment is a sign of life */
		k->sse.comments = 0;
	}
	/* what has been taken makes room for what comes; only framing bytes not yet decoded may stand behind it */
	uint32_t behind = k->intake.b->n - k->intake.raw;
	memmove(k->in->p, k->in->p + k->intake.raw, behind);
	k->in->n = behind;
	k->intake.start = k->intake.end = k->intake.raw = 0;
	k->taken = 0;
	if (body == HTTP_BODY_MORE)
		return true;
	if (k->leg)
		fail(k, LEG_LOST, body == HTTP_BODY_DONE ? SPAN("ended its event stream without an answer") : SPAN("broke the framing of its event stream"));
	else if (body == HTTP_BODY_DONE && k->keep && behind == 0)
		rest(k);
	else
		close_link(k);
	return false;
}

/* True: there may be more to read. */
static bool digest(struct link *k)
{
	while (k->state < LINK_BODY) {
		size_t n = k->in->n, len;
		enum outgoing_head found = outgoing_head(&k->f->reply_head, k->in->p, &n, &k->scanned, &len);

		k->in->n = (uint32_t)n;
		if (found == HEAD_MORE && k->in->n < k->in->cap)
			return true;
		if (found == HEAD_MORE || found == HEAD_BROKEN) {
			fail(k, LEG_BROKEN, found == HEAD_MORE ? SPAN("sent a reply head that is too large") : SPAN("sent a reply head that is not HTTP/1.1"));
			return false;
		}
		if (found == HEAD_FINAL && !read_head(k, len))
			return false;
	}
	return k->state == LINK_BODY ? read_body(k) : read_events(k);
}

/* Where and how much to read next; false: no room is to be had. */
static bool reading_room(struct link *k, char **at, uint32_t *room)
{
	struct flow *f = k->f;
	if (!k->in && !(k->in = buffer_take(f, FLOW_SMALL)))
		return false;
	if (k->state == LINK_BODY) {
		uint32_t want = intake_want(&k->intake);
		if (want == 0 || (!k->in->is_large && k->intake.body.framing == HTTP_LENGTH && k->intake.body.left > want)) {
			struct buffer *large;
			if (!intake_grow(&k->intake, f, &large))
				return false;
			buffer_give(f, k->in);
			k->in = large;
			want = intake_want(&k->intake);
		}
		*at = k->in->p + k->in->n;
		*room = want;
		return want > 0;
	}
	*at = k->in->p + k->in->n;
	*room = k->in->cap - k->in->n;
	return *room > 0;
}

/* No more bytes will come. */
static void over(struct link *k, bool clean)
{
	if (clean && k->state >= LINK_BODY && k->intake.body.framing == HTTP_UNTIL_CLOSE) {
		http_body_eof(&k->intake.body);
		(void)digest(k);
	} else {
		lost(k);
	}
}

static void read_reply(struct link *k)
{
	for (unsigned reads = 0; k->conn.readable; reads++) {
		char *at;
		uint32_t room;
		if (k->state == LINK_IDLE) {
			close_link(k); /* nothing was asked: more bytes are a fault, and an end is the end */
			return;
		}
		if (k->state == LINK_EVENTS && k->leg && held(k))
			return;
		if (reads == OUTGOING_READS) {
			list_append(&k->f->ready_links, &k->node);
			return;
		}
		if (!reading_room(k, &at, &room)) {
			fail(k, LEG_LARGE, SPAN("cannot be read: no large buffer is free, or its answer is over the limit"));
			return;
		}
		long n = outgoing_read(&k->conn, at, room);
		if (n == SOCK_AGAIN)
			return;
		if (n <= 0) {
			over(k, n == SOCK_EOF);
			return;
		}
		k->in->n += (uint32_t)n;
		if (!digest(k))
			return;
	}
}

static void tls_failed(struct link *k)
{
	char mem[160];
	struct buf what = buf_on(mem, sizeof(mem));
	enum tls_error why = conn_why(k->conn.tls);

	buf_put(&what, why == TLS_CERTIFICATE || why == TLS_PURPOSE ? SPAN("is not trusted: ") : SPAN("failed in the TLS handshake: "));
	buf_put(&what, tls_error_text(why));
	fail(k, LEG_TLS, buf_span(&what));
}

/* True: the connection may be used. */
static bool ready(struct link *k)
{
	switch (outgoing_ready(&k->conn)) {
	case OUTGOING_WAITS:
		return false;
	case OUTGOING_UNREACHABLE:
		fail(k, LEG_CONNECT, SPAN("cannot be reached"));
		return false;
	case OUTGOING_NO_TLS:
		tls_failed(k);
		return false;
	case OUTGOING_READY:
		break;
	}
	timer_disarm(&k->f->timers, &k->timer);
	if (k->conn.tls)
		metrics_add(k->f->metrics, conn_resumed(k->conn.tls) ? METRIC_UPSTREAM_TLS_RESUMED : METRIC_UPSTREAM_TLS_FULL, 1);
	return true;
}

static void link_run(struct link *k)
{
	if (k->conn.state != OUTGOING_OPEN && !ready(k))
		return;
	if (k->state == LINK_SEND && k->conn.writable)
		write_request(k);
	if (k->state > LINK_SEND)
		outgoing_flush(&k->conn); /* the end of the request */
	if (k->state == LINK_EVENTS && k->taken < intake_payload(&k->intake).n && !read_events(k))
		return;
	read_reply(k);
}

static void link_event(struct loop_item *item, unsigned events)
{
	struct link *k = (struct link *)(void *)item;

	outgoing_event(&k->conn, events);
	link_run(k);
}

static void link_timeout(struct timer *timer)
{
	struct link *k = LIST_OWNER(timer, struct link, timer);
	if (k->conn.state == OUTGOING_CONNECTING)
		fail(k, LEG_LATE, SPAN("did not accept a connection in time"));
	else if (k->conn.state == OUTGOING_CONNECTED)
		fail(k, LEG_LATE, SPAN("did not finish the TLS handshake in time"));
	else if (k->leg)
		link_resume(k);
	else
		close_link(k);
}

void link_resume(struct link *k)
{
	if (k->state == LINK_EVENTS)
		list_append(&k->f->ready_links, &k->node);
}

void link_run_ready(struct flow *f)
{
	struct list now; /* what becomes ready meanwhile is for the next turn */

	list_init(&now);
	while (!list_empty(&f->ready_links))
		list_append(&now, f->ready_links.next);
	while (!list_empty(&now)) {
		struct link *k = LIST_OWNER(now.next, struct link, node);
		list_remove(&k->node);
		link_run(k);
	}
}

/* With credentials, connections belong to one tenant each: an upstream may take what it was told on one for good. */
static struct link *idle_link(struct leg *l)
{
	struct upstream *up = l->up;
	for (struct list *n = up->idle.next; n != &up->idle; n = n->next) {
		struct link *k = LIST_OWNER(n, struct link, node);
		if (!up->set->credential || k->tenant == l->tenant)
			return k;
	}
	return NULL;
}

static struct link *link_open(struct upstream *up, enum leg_fault *fault)
{
	struct flow *f = up->f;
	int fd;

	/* All connections at rest are other tenants': the one longest at rest makes room. */
	if (up->set->credential && up->nlinks >= f->set->links && !list_empty(&up->idle))
		close_link(LIST_OWNER(up->idle.prev, struct link, node));
	struct link *k = up->nlinks < f->set->links ? slots_take(&f->links) : NULL;

	*fault = LEG_FULL;
	if (!k)
		return NULL;
	*fault = LEG_CONNECT;
	if (!sock_connect(&up->set->address, &fd)) {
		slots_give(&f->links, k);
		return NULL;
	}
	*k = (struct link){ .f = f, .up = up, .state = LINK_SEND };
	list_init(&k->node);
	timer_init(&k->timer, link_timeout);
	up->nlinks++;
	metrics_add(f->metrics, METRIC_UPSTREAM_CONNECTS, 1);
	metrics_add(f->metrics, METRIC_UPSTREAM_OPEN, 1);
	if (!outgoing_open(&k->conn, fd, OUTGOING_CONNECTING, link_event, f->loop, &f->tls, up->set->tls ? &f->route[up->index] : NULL)) {
		close_link(k);
		return NULL;
	}
	timer_arm(&f->timers, &k->timer, flow_now(f) + up->set->connect_ms);
	return k;
}

bool link_send(struct leg *l, struct buffer *request, enum leg_fault *fault)
{
	struct upstream *up = l->up;
	struct flow *f = l->f;
	struct link *k = NULL;

	if (!l->retried && (k = idle_link(l)) != NULL) {
		list_remove(&k->node);
		timer_disarm(&f->timers, &k->timer);
		k->state = LINK_SEND;
	} else {
		k = link_open(up, fault);
	}
	if (!k) {
		buffer_give(f, request);
		return false;
	}
	k->leg = l;
	k->tenant = l->tenant;
	l->link = k;
	k->out = request;
	k->request_from = request->from;
	k->scanned = 0;
	write_request(k);
	return true;
}

size_t link_size(void) { return sizeof(struct link); }
struct link *link_of_node(struct list *node) { return LIST_OWNER(node, struct link, node); }
