#include "flow/flow_priv.h"
#include "flow/leg.h"
#include "wire/http_write.h"

/* In full, or without what does not fit. */
static void challenge_field(struct txn *t, struct buf *h)
{
	const struct flow_listener *at = front_listener(t->front);
	const struct auth_rules *rules = &t->f->set->auth;
	struct span none = { NULL, 0 }, error = t->challenge == CHALLENGE_SCOPES ? SPAN("insufficient_scope") :
		t->challenge == CHALLENGE_INVALID ? SPAN("invalid_token") : none;
	uint64_t scopes = t->challenge == CHALLENGE_SCOPES ? t->scopes : 0;
	char mem[FLOW_CHALLENGE_ROOM - 32];
	struct buf b = buf_on(mem, sizeof(mem));

	if (t->front->inner == FLOW_INNER_ELDER) { /* flow/elder_msg.h */
		buf_u64(&b, scopes >> 32);
		BUF_LIT(&b, ".");
		buf_u64(&b, scopes & UINT32_MAX);
		http_write_field(h, SPAN("Postern-Scopes"), buf_span(&b));
		return;
	}
	auth_challenge(&b, rules, t->challenge_dpop, error, scopes, at->metadata);
	if (b.full) {
		buf_reset(&b);
		auth_challenge(&b, rules, t->challenge_dpop, error, 0, none);
	}
	http_write_field(h, SPAN("WWW-Authenticate"), buf_span(&b));
}

static size_t head_room(const struct txn *t) { return FLOW_ANSWER_ROOM + (t->challenge != CHALLENGE_NONE ? FLOW_CHALLENGE_ROOM : 0); }

static void common_fields(struct txn *t, struct buf *h)
{
	struct span origin = t->head.known[HTTP_ORIGIN];
	if (!span_absent(origin) && !t->foreign) { /* an Origin that is not allowed gets only a 403, and no CORS fields with it */
		http_write_field(h, SPAN("Access-Control-Allow-Origin"), origin);
		http_write_field(h, SPAN("Access-Control-Expose-Headers"), t->old ? SPAN("WWW-Authenticate, Mcp-Session-Id") : SPAN("WWW-Authenticate"));
	}
	if (!span_absent(origin) || t->metadata)
		http_write_field(h, SPAN("Vary"), SPAN("Origin"));
	if (t->session_n > 0)
		http_write_field(h, SPAN("Mcp-Session-Id"), span_of(t->session, t->session_n));
	if (t->challenge != CHALLENGE_NONE)
		challenge_field(t, h);
	if (t->retry_after)
		http_write_field(h, SPAN("Retry-After"), SPAN("1"));
	if (t->f->draining || !t->head.keep_alive)
		t->close = true;
	if (t->close)
		http_write_field(h, SPAN("Connection"), SPAN("close"));
}

bool answer_room(struct txn *t, size_t bound, struct buf *body)
{
	struct flow *f = t->f;
	buffer_give(f, t->out);
	t->out = buffer_take(f, head_room(t) + bound);
	if (!t->out) {
		metrics_add(f->metrics, METRIC_REFUSED_FULL, 1);
		return false;
	}
	*body = buf_on(t->out->p + head_room(t), t->out->cap - head_room(t));
	return true;
}

enum step_end answer_send(struct txn *t, unsigned status, const struct buf *body, struct span media_type)
{
	char mem[FLOW_ANSWER_ROOM + FLOW_CHALLENGE_ROOM];
	size_t room = head_room(t);
	struct buf h = buf_on(mem, room);

	t->status = status;
	http_write_status(&h, status);
	http_write_field(&h, SPAN("Content-Type"), media_type);
	http_write_length(&h, body->n);
	if (status == 405)
		http_write_field(&h, SPAN("Allow"), t->metadata ? SPAN("GET, HEAD, OPTIONS") :
			t->f->set->elder ? SPAN("POST, GET, DELETE, OPTIONS") : SPAN("POST, OPTIONS"));
	http_write_field(&h, SPAN("Cache-Control"), t->metadata && status == 200 ? SPAN("public, max-age=300") : SPAN("no-store"));
	common_fields(t, &h);
	http_write_end(&h);
	if (h.full || body->full)
		return STEP_DROP;
	t->out->from = (uint32_t)(room - h.n);
	/* RFC 9110 9.3.2: the head as for GET, without the body, which a client would take for its next answer */
	t->out->n = (uint32_t)(room + (t->head.method == HTTP_HEAD ? 0 : body->n));
	memcpy(t->out->p + t->out->from, h.p, h.n);
	t->ended = true;
	return STEP_ANSWER;
}

enum step_end answer_empty(struct txn *t, unsigned status, struct span fields)
{
	struct buf h;
	if (!answer_room(t, FLOW_ANSWER_ROOM, &h))
		return STEP_DROP;
	t->status = status;
	http_write_status(&h, status);
	buf_put(&h, fields);
	if (status != 204)
		http_write_length(&h, 0);
	common_fields(t, &h);
	http_write_end(&h);
	if (h.full)
		return STEP_DROP;
	t->out->from = FLOW_ANSWER_ROOM;
	t->out->n = (uint32_t)(FLOW_ANSWER_ROOM + h.n);
	t->ended = true;
	return STEP_ANSWER;
}

static enum step_end say_fault(struct txn *t, const struct mcp_fault *fault)
{
	struct buf body;
	size_t bound = 512 + fault->text.n + 6 * fault->where.n + fault->data.n + t->msg.id.n;

	if (t->streaming) {
		struct buf event = buf_on(t->f->scratch, t->f->scratch_cap);
		mcp_error_write(&event, t->msg.id, fault);
		if (event.full || !stream_event(t, buf_span(&event)) || !stream_end(t))
			return STEP_DROP;
		return STEP_ANSWER;
	}
	if (!answer_room(t, bound, &body))
		return STEP_DROP;
	mcp_error_write(&body, t->msg.id, fault);
	return answer_send(t, fault->status, &body, SPAN("application/json"));
}

enum step_end answer_fault(struct txn *t, const struct mcp_fault *fault)
{
	if (t->outcome == OUTCOME_NONE) {
		t->outcome = t->checked ? OUTCOME_ERROR : OUTCOME_REFUSED;
		if (!t->checked)
			metrics_add(t->f->metrics, METRIC_REFUSED_MCP, 1);
	}
	return say_fault(t, fault);
}

enum step_end answer_http(struct txn *t, unsigned status, struct span text)
{
	struct mcp_fault fault = { MCP_INVALID_REQUEST, status, text, { NULL, 0 }, { NULL, 0 } };

	t->outcome = OUTCOME_REFUSED;
	metrics_add(t->f->metrics, METRIC_REFUSED_HTTP, 1);
	return say_fault(t, &fault);
}

enum step_end answer_upstream(struct txn *t, unsigned status, struct span server, struct span what)
{
	char mem[512];
	struct buf text = buf_on(mem, sizeof(mem));

	BUF_LIT(&text, "Upstream \"");
	buf_put(&text, server);
	BUF_LIT(&text, "\" ");
	buf_put(&text, what);
	struct mcp_fault fault = { MCP_INTERNAL, status, buf_span(&text), { NULL, 0 }, { NULL, 0 } };
	t->outcome = OUTCOME_UPSTREAM;
	t->retry_after = status == 503;
	return say_fault(t, &fault);
}

void answer_server(const struct flow *f, struct buf *b)
{
	BUF_LIT(b, "{\"name\":\"postern\",\"version\":\"");
	buf_put(b, f->set->version);
	BUF_LIT(b, "\"}");
}

void answer_unavailable(const struct flow *f, struct buf *b, uint32_t servers)
{
	bool any = false;

	for (unsigned i = 0; i < f->set->nservers; i++) {
		if (!(servers >> i & 1))
			continue;
		buf_put(b, any ? SPAN(",\"") : SPAN(",\"" FLOW_META_UNAVAILABLE "\":[\""));
		buf_put(b, f->set->servers[i].name);
		BUF_LIT(b, "\"");
		any = true;
	}
	if (any)
		BUF_LIT(b, "]");
}

bool stream_begin(struct txn *t)
{
	struct flow *f = t->f;
	struct buf h;

	if (t->streaming)
		return true;
	timer_disarm(&f->timers, &t->timer);
	t->out = buffer_take(f, FLOW_SMALL);
	if (!t->out)
		return false;
	h = buf_on(t->out->p, t->out->cap);
	t->status = 200;
	if (t->head.minor == 0)
		t->close = true; /* no chunks in HTTP/1.0: the end of the connection is the end of the stream */
	http_write_status(&h, 200);
	http_write_field(&h, SPAN("Content-Type"), SPAN("text/event-stream"));
	http_write_field(&h, SPAN("Cache-Control"), SPAN("no-store"));
	http_write_field(&h, SPAN("X-Accel-Buffering"), SPAN("no"));
	if (t->head.minor == 1)
		http_write_field(&h, SPAN("Transfer-Encoding"), SPAN("chunked"));
	common_fields(t, &h);
	http_write_end(&h);
	t->out->n = (uint32_t)h.n;
	t->streaming = true;
	return true;
}

/* Makes room for `size` more bytes behind what is still to be written. */
static bool stream_room(struct txn *t, size_t size)
{
	struct flow *f = t->f;
	if (!t->out) {
		timer_disarm(&f->timers, &t->timer); /* it was the keep-alive timer of a quiet stream; from now on it limits how long the client may take to read */
		t->out = buffer_take(f, size);
		return t->out != NULL;
	}
	if (t->out->cap - t->out->n >= size)
		return true;
	if (t->out->from > 0) {
		memmove(t->out->p, t->out->p + t->out->from, t->out->n - t->out->from);
		t->out->n -= t->out->from;
		t->out->from = 0;
	}
	if (t->out->cap - t->out->n < size)
		(void)buffer_grow(f, &t->out);
	return t->out->cap - t->out->n >= size;
}

static bool stream_put(struct txn *t, struct span json, struct span id, uint32_t retry_ms)
{
	char lines[ELDER_EVENT_MAX + 32];
	struct buf before = buf_on(lines, sizeof lines);
	sse_write_id(&before, id, retry_ms);
	size_t size = before.n + (span_absent(json) ? 3 : sse_write_size(json));
	struct buf b;

	if (t->ended || before.full || !stream_room(t, size + 32))
		return false;
	b = buf_on(t->out->p + t->out->n, t->out->cap - t->out->n);
	if (t->head.minor == 1)
		http_write_chunk(&b, size);
	buf_put(&b, buf_span(&before));
	if (span_absent(json))
		BUF_LIT(&b, ":\n\n");
	else
		sse_write(&b, json);
	if (t->head.minor == 1)
		BUF_LIT(&b, "\r\n");
	if (b.full)
		return false;
	t->out->n += (uint32_t)b.n;
	front_write(t);
	return true;
}

bool stream_event(struct txn *t, struct span json) { return stream_put(t, json, span_of(NULL, 0), 0); }
bool stream_event_id(struct txn *t, struct span json, struct span id, uint32_t retry_ms) { return stream_put(t, json, id, retry_ms); }
bool stream_comment(struct txn *t) { return stream_put(t, span_of(NULL, 0), span_of(NULL, 0), 0); }

bool stream_end(struct txn *t)
{
	if (t->ended)
		return true;
	if (t->head.minor == 1) {
		struct buf b;
		if (!stream_room(t, 16))
			return false;
		b = buf_on(t->out->p + t->out->n, t->out->cap - t->out->n);
		http_write_last_chunk(&b);
		t->out->n += (uint32_t)b.n;
	}
	t->ended = true;
	return true;
}

/* Writes what is there. Never ends the txn itself: it may be called from deep inside an upstream's event. A client that is gone is noted
 * on its front, which sees to it within the turn. */
void front_write(struct txn *t)
{
	struct flow *f = t->f;
	struct front *c = t->front;
	struct buffer *b = t->out;

	while (b && (b->from < b->n || conn_pending(c->tls)) && front_say_owed(c) && c->writable && !c->gone) {
		long n = conn_write(c->item.fd, c->tls, b->p + b->from, b->n - b->from);
		if (n == SOCK_AGAIN) {
			c->writable = false;
		} else if (n < 0) {
			c->gone = true;
			list_append(&f->ready, &c->node);
		} else {
			b->from += (uint32_t)n;
		}
	}
	if (b && (b->from < b->n || conn_pending(c->tls))) { /* what lies in a record has not been taken by the client */
		if (!c->gone && t->timer.at_ms == 0)
			timer_arm(&f->timers, &t->timer, flow_now(f) + f->set->write_ms);
		return;
	}
	buffer_give(f, b);
	t->out = NULL;
	timer_disarm(&f->timers, &t->timer);
	if (t->ended || !t->streaming)
		return;
	timer_arm(&f->timers, &t->timer, flow_now(f) + f->set->keepalive_ms);
	for (struct list *n = t->legs.next; n != &t->legs; n = n->next) {
		struct leg *l = LIST_OWNER(n, struct leg, of_txn);
		if (l->link)
			link_resume(l->link);
	}
}
