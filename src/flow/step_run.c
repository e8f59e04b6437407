#include "flow/step_run.h"
#include "flow/task.h"
#include "gate/host.h"
#include "gate/mirror.h"
#include "wire/http_value.h"
#include "wire/http_write.h"

#define NOTHING span_of(NULL, 0)

static enum step_end refuse(struct txn *t, unsigned status, struct span text)
{
	t->close = true; /* the body that follows this head has not been read: the next byte means nothing to us */
	return answer_http(t, status, text);
}

/* What nearly every client writes needs no parsing. */
static bool accepts_both(struct span accept)
{
	return span_eq(accept, SPAN("application/json, text/event-stream")) ||
		(http_accepts(accept, SPAN("application"), SPAN("json")) && http_accepts(accept, SPAN("text"), SPAN("event-stream")));
}

/* The fields a page may send: those of the protocol. A wildcard would not cover Authorization, and any Mcp-Param-* may be needed. */
static bool may_send(struct span names, bool elder)
{
	static const struct span known[] = {
		{ "authorization", 13 }, { "dpop", 4 }, { "content-type", 12 }, { "accept", 6 }, { "mcp-protocol-version", 20 }, { "mcp-method", 10 }, { "mcp-name", 8 },
	};
	struct span name;
	while (http_list_next(&names, &name)) {
		bool ok = elder && (span_ieq(name, SPAN("mcp-session-id")) || span_ieq(name, SPAN("last-event-id")));
		ok = ok || (name.n > 10 && span_ieq(span_of(name.p, 10), SPAN("mcp-param-")) && http_token_ok(name));
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !ok; i++)
			ok = span_ieq(name, known[i]);
		if (!ok)
			return false;
	}
	return true;
}

/* A browser asking whether it may call (Fetch, CORS preflight): only an allowed Origin gets this far. */
static enum step_end preflight(struct txn *t, struct span methods)
{
	char mem[512];
	struct buf fields = buf_on(mem, sizeof(mem));
	struct span asked = t->head.known[HTTP_ACR_HEADERS];

	t->outcome = OUTCOME_REFUSED; /* not an MCP request */
	http_write_field(&fields, SPAN("Access-Control-Allow-Methods"), methods);
	BUF_LIT(&fields, "Access-Control-Max-Age: 600\r\n");
	if (!span_absent(asked) && asked.n > 0 && may_send(asked, t->f->set->elder))
		http_write_field(&fields, SPAN("Access-Control-Allow-Headers"), asked);
	return fields.full ? refuse(t, 400, SPAN("Access-Control-Request-Headers is too long")) : answer_empty(t, 204, buf_span(&fields));
}

/* What is no POST can only be an old client's, in its session. */
static enum step_end old_method(struct txn *t)
{
	const struct http_head *h = &t->head;

	if (!elder_wants_head(t))
		return refuse(t, 405, SPAN("Every message is a POST"));
	if (h->method == HTTP_GET && (h->count[HTTP_ACCEPT] != 1 || !http_accepts(h->known[HTTP_ACCEPT], SPAN("text"), SPAN("event-stream"))))
		return refuse(t, 406, SPAN("Accept must list text/event-stream"));
	return STEP_NEXT;
}

enum step_end step_head(struct txn *t, int64_t now_ms)
{
	struct front *c = t->front;
	const struct flow_listener *at = front_listener(c);
	struct http_head *h = &t->head;
	size_t head_len = t->head_len, where;
	(void)now_ms;

	if (head_len == 0) {
		memset(h, 0, offsetof(struct http_head, fields));
		return refuse(t, 431, SPAN("The request head is larger than 16384 bytes"));
	}
	enum http_error e = http_request_read(h, span_of(c->in->p, head_len), &where);
	if (e != HTTP_OK) {
		h->keep_alive = false;
		h->known[HTTP_ORIGIN] = NOTHING;
		return refuse(t, http_error_status(e), http_error_text(e));
	}
	struct host_rules rules = { at->address, at->hosts, at->nhosts, at->origins, at->norigins };
	if (c->inner != FLOW_INNER_NONE)
		h->known[HTTP_ORIGIN] = NOTHING; /* an inner connection comes from no page: its Origin is neither checked nor repeated */
	switch (c->inner != FLOW_INNER_NONE ? HOST_OK : host_check(&rules, h)) {
	case HOST_FOREIGN:
		h->known[HTTP_ORIGIN] = NOTHING;
		return refuse(t, 421, SPAN("Host names no server here: add it to \"hosts\" of the listener if it should"));
	case HOST_FOREIGN_ORIGIN:
		t->foreign = true;
		return refuse(t, 403, SPAN("Origin is not allowed: add it to \"origins\" of the listener if it should be"));
	case HOST_OK:
		break;
	}
	t->metadata = auth_is_metadata(at, h->path);
	if (!t->metadata && !span_eq(h->path, at->path))
		return refuse(t, 404, SPAN("No MCP endpoint at this path"));
	if (h->framing == HTTP_NO_BODY || (h->framing == HTTP_LENGTH && h->length == 0))
		intake_start(&t->intake, c->in, (uint32_t)head_len, h, 0);
	if (h->method == HTTP_OPTIONS && !span_absent(h->known[HTTP_ORIGIN]) && h->framing == HTTP_NO_BODY)
		return preflight(t, t->metadata ? SPAN("GET") : t->f->set->elder ? SPAN("POST, GET, DELETE") : SPAN("POST"));
	if (t->metadata && (h->method == HTTP_GET || h->method == HTTP_HEAD) && h->framing == HTTP_NO_BODY)
		return answer_metadata(t);
	if (t->metadata)
		return refuse(t, 405, SPAN("This is a document: GET it"));
	if (h->method != HTTP_POST)
		return old_method(t);
	if (h->bad_expect)
		return refuse(t, 417, SPAN("Expect: only 100-continue is known"));
	if (h->framing == HTTP_NO_BODY)
		return refuse(t, 411, SPAN("Content-Length is missing"));
	if (!http_media_type_is(h->known[HTTP_CONTENT_TYPE], SPAN("application"), SPAN("json")) || h->count[HTTP_CONTENT_TYPE] != 1)
		return refuse(t, 415, SPAN("Content-Type must be application/json"));
	if (h->count[HTTP_CONTENT_ENCODING] > 0)
		return refuse(t, 415, SPAN("Content-Encoding is not accepted"));
	if (h->count[HTTP_ACCEPT] > 1 || !accepts_both(h->known[HTTP_ACCEPT]))
		return refuse(t, 406, SPAN("Accept must list application/json and text/event-stream"));
	intake_start(&t->intake, c->in, (uint32_t)head_len, h, t->f->set->body_max);
	return STEP_NEXT;
}

/* Reads what there is of the body. STEP_NEXT: it is whole. */
static enum step_end receive(struct txn *t, int64_t now_ms)
{
	struct flow *f = t->f;
	struct front *c = t->front;
	struct intake *i = &t->intake;

	for (;;) {
		intake_decode(i);
		if (i->body.state == HTTP_BODY_LARGE)
			return refuse(t, 413, SPAN("The request body is larger than the limit (memory.body)"));
		if (i->body.state == HTTP_BODY_BROKEN)
			return refuse(t, 400, SPAN("The chunked framing of the body is broken"));
		if (i->body.state == HTTP_BODY_DONE)
			break;
		uint32_t want = intake_want(i);
		if (want == 0 || (!i->b->is_large && i->body.framing == HTTP_LENGTH && i->body.left > want)) {
			if (!intake_grow(i, f, &t->large)) {
				t->retry_after = true;
				return refuse(t, 503, SPAN("No large buffer is free; try again shortly"));
			}
			continue;
		}
		long n = c->readable ? conn_read(c->item.fd, c->tls, i->b->p + i->b->n, want) : SOCK_AGAIN;
		if (n == SOCK_AGAIN) {
			c->readable = false;
			list_append(&f->receiving, &t->node);
			if (t->timer.at_ms == 0)
				timer_arm(&f->timers, &t->timer, now_ms + f->set->body_ms);
			return STEP_WAIT;
		}
		if (n <= 0)
			return STEP_DROP; /* gone in the middle of its body */
		i->b->n += (uint32_t)n;
	}
	t->text = intake_payload(i);
	return STEP_NEXT;
}

enum step_end step_body(struct txn *t, int64_t now_ms)
{
	enum step_end end = receive(t, now_ms);
	if (end != STEP_WAIT) { /* refused or whole: it is no longer among the slow uploads that may have to give way */
		timer_disarm(&t->f->timers, &t->timer);
		list_remove(&t->node);
	}
	return end;
}

static struct mcp_fault json_fault(enum json_error e, struct buf *place, size_t where)
{
	bool grammar = e != JSON_DUPLICATE && e != JSON_TOO_MANY;
	buf_put(place, json_error_text(e));
	BUF_LIT(place, " at byte ");
	buf_u64(place, where);
	return (struct mcp_fault){ grammar ? MCP_PARSE_ERROR : MCP_INVALID_REQUEST, 400,
		grammar ? SPAN("Not JSON") : SPAN("Not acceptable JSON"), buf_span(place), NOTHING };
}

/* An older client begins with `initialize`: it is told, in the way both eras understand, what is spoken here. */
static enum step_end refuse_initialize(struct txn *t, struct buf *scratch)
{
	const struct json *j = &t->f->json;
	if (t->f->set->elder && span_eq(t->head.known[HTTP_MCP_PROTOCOL_VERSION], SPAN(MCP_VERSION))) {
		struct mcp_fault mixed = { MCP_HEADER_MISMATCH, 400, SPAN("initialize does not go with this revision in the head: it belongs to older ones"),
			SPAN("MCP-Protocol-Version"), NOTHING };
		return answer_fault(t, &mixed);
	}
	uint32_t asked = t->msg.params != JSON_NONE ? json_get(j, t->msg.params, SPAN("protocolVersion")) : JSON_NONE;

	BUF_LIT(scratch, "{\"supported\":[\"" MCP_VERSION "\"],\"requested\":");
	if (asked != JSON_NONE && json_type(j, asked) == JSON_STRING && json_inner(j, asked).n <= 64)
		buf_put(scratch, json_raw(j, asked));
	else
		BUF_LIT(scratch, "\"\"");
	BUF_LIT(scratch, "}");
	struct mcp_fault fault = { MCP_UNSUPPORTED_VERSION, 400,
		SPAN("This server speaks MCP " MCP_VERSION ", which has no initialize: send _meta with every request"), NOTHING, buf_span(scratch) };
	return answer_fault(t, &fault);
}

/* The order in which faults win is that of the protocol notes: shape, version header, _meta, version, method, name, params. */
enum step_end step_envelope(struct txn *t, int64_t now_ms)
{
	struct flow *f = t->f;
	struct json *j = &f->json;
	struct mcp_message *m = &t->msg;
	struct buf scratch = buf_on(f->scratch, f->scratch_cap);
	struct mcp_fault fault;
	size_t where = 0;
	(void)now_ms;

	if (t->head.method != HTTP_POST)
		return elder_send(t);
	enum json_error e = json_read(j, f->table, t->text, &where);
	if (e != JSON_OK) {
		metrics_add(f->metrics, METRIC_REFUSED_JSON, 1);
		fault = json_fault(e, &scratch, where);
		return answer_fault(t, &fault);
	}
	fault = mcp_message_read(m, j);
	if (!span_eq(t->head.known[HTTP_MCP_PROTOCOL_VERSION], SPAN(MCP_VERSION)) && elder_wants(t, &fault))
		return elder_send(t);
	if (fault.code != 0)
		return answer_fault(t, &fault);
	if (m->kind == MCP_NOTIFICATION) {
		t->outcome = OUTCOME_RESULT; /* nothing in this revision is asked of us by one; accepted as the transport demands */
		return answer_empty(t, 202, NOTHING);
	}
	if (m->kind != MCP_REQUEST) {
		fault = (struct mcp_fault){ MCP_INVALID_REQUEST, 400, SPAN("A client sends requests and notifications, never responses"), NOTHING, NOTHING };
		m->id = NOTHING;
		return answer_fault(t, &fault);
	}
	bool modern = m->meta != JSON_NONE && json_type(j, m->meta) == JSON_OBJECT && json_get(j, m->meta, SPAN(MCP_META_VERSION)) != JSON_NONE;
	if (m->method == MCP_INITIALIZE && !modern)
		return refuse_initialize(t, &scratch);
	bool mirrors = front_has_fields(t->front);
	if (mirrors)
		fault = mirror_version_present(&t->head);
	if (fault.code == 0)
		fault = mcp_request_meta(m, j);
	if (fault.code == 0)
		fault = mirrors ? mirror_version(&t->head, m, j, &scratch) : mirror_version_alone(m, j, &scratch);
	if (fault.code == 0 && mirrors)
		fault = mirror_method(&t->head, m, j, &scratch);
	if (fault.code != 0)
		return answer_fault(t, &fault);
	if (m->method >= MCP_REQUESTS) {
		fault = (struct mcp_fault){ MCP_METHOD_NOT_FOUND, 404, SPAN("Method not found"), m->method_text, NOTHING };
		return answer_fault(t, &fault);
	}
	if (mcp_method_is_task(m->method)) {
		enum step_end end = task_gate(t);
		if (end != STEP_NEXT)
			return end;
	}
	fault = mcp_request_params(m, j);
	if (fault.code == 0)
		fault = task_declared(t);
	if (fault.code != 0)
		return answer_fault(t, &fault);
	if (!t->checked) {
		t->checked = true;
		metrics_add(f->metrics, (enum metric_id)(METRIC_REQUESTS_DISCOVER + m->method), 1);
		metrics_add(f->metrics, METRIC_REQUESTS_OPEN, 1);
	}
	t->progress = m->progress_token != JSON_NONE ? json_raw(j, m->progress_token) : NOTHING;
	t->variable = m->method == MCP_COMPLETE ? json_inner(j, json_get(j, json_get(j, m->params, SPAN("argument")), SPAN("name"))) : NOTHING;
	t->arguments = json_raw(j, m->arguments);
	t->log_asked = json_get(j, m->meta, SPAN(MCP_META_LOG_LEVEL)) != JSON_NONE;
	return STEP_NEXT;
}

enum step_end step_reply(struct txn *t, int64_t now_ms)
{
	(void)t;
	(void)now_ms;
	return STEP_WAIT; /* reply.c goes on when the upstream has spoken */
}

enum step_end step_flush(struct txn *t, int64_t now_ms)
{
	(void)now_ms;
	front_write(t);
	return t->out ? STEP_WAIT : STEP_NEXT;
}

static void count(struct txn *t, int64_t now_ms)
{
	static const enum metric_id outcomes[] = {
		[OUTCOME_RESULT] = METRIC_ANSWERS_RESULT, [OUTCOME_ERROR] = METRIC_ANSWERS_ERROR,
		[OUTCOME_UPSTREAM] = METRIC_ANSWERS_UPSTREAM, [OUTCOME_CANCELLED] = METRIC_ANSWERS_CANCELLED,
	};
	struct metrics *m = t->f->metrics;
	int64_t took = now_ms - t->start_ms;

	metrics_sub(m, METRIC_REQUESTS_OPEN, 1);
	if (t->outcome >= OUTCOME_RESULT && t->outcome <= OUTCOME_CANCELLED)
		metrics_add(m, outcomes[t->outcome], 1);
	if (t->listening)
		return; /* how long a subscription lives says nothing about how fast we are */
	static const int64_t bounds[] = { 1, 10, 100, 1000, 10000 };
	unsigned bucket = 0; /* each request is in one; metrics_write() adds them up */
	while (bucket < 5 && took > bounds[bucket])
		bucket++;
	metrics_add(m, (enum metric_id)(METRIC_DURATION_LE_1MS + bucket), 1);
	metrics_add(m, METRIC_DURATION_SUM, (uint64_t)took);
	metrics_add(m, METRIC_DURATION_COUNT, 1);
}

enum step_end step_close(struct txn *t, int64_t now_ms)
{
	struct front *c = t->front;
	bool gone = c->gone || t->outcome == OUTCOME_CANCELLED;

	if (t->checked)
		count(t, now_ms);
	if (gone)
		front_close(c);
	else
		front_next(c, t->close);
	txn_free(t);
	return STEP_DROP;
}
