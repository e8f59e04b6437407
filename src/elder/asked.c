#include "elder/elder_priv.h"

#include "wire/json_string.h"

#define NOTHING span_of(NULL, 0)

void asked_status(struct elder *e, const struct elder_asked *a, unsigned status)
{
	e->set->hooks.reply(e->set->hooks.ctx, a->worker, a->call, status, NOTHING, false, 0, NOTHING);
}

void asked_fault(struct elder *e, const struct elder_asked *a, unsigned status, struct span id, int code, struct span text)
{
	struct mcp_fault fault = { code, status, text, NOTHING, NOTHING };
	struct buf b = buf_on(e->out, e->out_cap);

	mcp_error_write(&b, id, &fault);
	e->set->hooks.reply(e->set->hooks.ctx, a->worker, a->call, status, NOTHING, status == 503, 0, buf_span(&b));
}

/* The session a request belongs to; NULL: it has been answered. */
static struct session *session_of(struct elder *e, const struct elder_asked *a, struct span id, int64_t now_ms)
{
	enum elder_version v;
	struct session *s;

	if (span_absent(a->session)) {
		asked_fault(e, a, 400, id, MCP_INVALID_REQUEST, SPAN("Mcp-Session-Id is missing: begin with initialize, or send _meta as MCP " MCP_VERSION " has it"));
		return NULL;
	}
	if (!span_absent(a->version) && !version_known(a->version, &v)) {
		asked_fault(e, a, 400, id, MCP_INVALID_REQUEST, SPAN("MCP-Protocol-Version: with a session it is 2025-11-25, 2025-06-18 or 2025-03-26"));
		return NULL;
	}
	s = session_find(e, a->session, a->principal);
	if (!s) {
		asked_fault(e, a, 404, id, MCP_INVALID_REQUEST, SPAN("There is no such session (any more): initialize again"));
		return NULL;
	}
	session_touch(e, s, now_ms);
	s->worker = a->worker;
	memcpy(s->identity, a->identity.p, a->identity.n);
	s->identity_n = (uint16_t)a->identity.n;
	s->fresh_ms = now_ms;
	return s;
}

/* ---- requests ---- */

static void set_level(struct elder *e, struct call *c, uint32_t params)
{
	static const struct span levels[] = {
		{ "debug", 5 }, { "info", 4 }, { "notice", 6 }, { "warning", 7 }, { "error", 5 }, { "critical", 8 }, { "alert", 5 }, { "emergency", 9 }
	};
	uint32_t level = json_get(&e->j, params, SPAN("level"));

	for (uint8_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (json_is(&e->j, level, levels[i])) {
			c->s->level = (uint8_t)(i + 1);
			elder_call_result(e, c, SPAN("{}"));
			return;
		}
	elder_call_fault(e, c, MCP_INVALID_PARAMS, SPAN("params.level: must be debug, info, notice, warning, error, critical, alert or emergency"), NOTHING);
}

static bool may_ask_back(enum mcp_method m) { return m == MCP_TOOLS_CALL || m == MCP_PROMPTS_GET || m == MCP_RESOURCES_READ; }

/* One request; the document is e->j, its text `text`. */
static void request(struct elder *e, struct post *p, struct mcp_message *m, struct span text, int64_t now_ms)
{
	const struct json *j = &e->j;
	struct session *s = p->s;
	struct mcp_fault fault = { 0, 0, NOTHING, NOTHING, NOTHING };
	struct call *c = elder_call_new(e, p, m->id, m->method);

	if (json_is(j, m->method_token, SPAN("ping"))) {
		elder_call_result(e, c, SPAN("{}"));
	} else if (json_is(j, m->method_token, SPAN("logging/setLevel")) && (s->can & CAN_LOG)) {
		set_level(e, c, m->params);
	} else if (json_is(j, m->method_token, SPAN("resources/subscribe")) && (s->can & CAN_SUBSCRIBE)) {
		subscribe(e, c, json_get(j, m->params, SPAN("uri")), true, now_ms);
	} else if (json_is(j, m->method_token, SPAN("resources/unsubscribe")) && (s->can & CAN_SUBSCRIBE)) {
		subscribe(e, c, json_get(j, m->params, SPAN("uri")), false, now_ms);
	} else if (m->method > MCP_DISCOVER && m->method < MCP_LISTEN) {
		fault = mcp_request_params(m, j);
		if (fault.code != 0)
			elder_call_fault(e, c, fault.code, fault.text, fault.where);
		else if (may_ask_back(m->method) && !elder_call_keep(e, c, text))
			elder_call_full(e, c);
		else
			elder_call_ask(e, c, j, m->params, m->name);
	} else {
		elder_call_fault(e, c, MCP_METHOD_NOT_FOUND, SPAN("Method not found"), m->method_text);
	}
}

static bool same_id(struct span a, struct span b)
{
	if (a.n > 1 && b.n > 1 && a.p[0] == '"' && b.p[0] == '"')
		return json_string_same(span_of(a.p + 1, a.n - 2), span_of(b.p + 1, b.n - 2));
	return span_eq(a, b);
}

static void cancel(struct elder *e, struct session *s, struct span id)
{
	for (struct list *n = s->calls.next; !span_absent(id) && n != &s->calls; n = n->next) {
		struct call *c = LIST_OWNER(n, struct call, node);
		struct post *p = c->post;

		if (!same_id(span_of(c->id, c->id_n), id))
			continue;
		elder_call_free(e, c);
		post_answer(e, p, 200, false, NOTHING);
		return;
	}
}

/* What needs no answer. Progress on our questions, changed roots and what is unknown mean nothing here. */
static void notice(struct elder *e, struct session *s, const struct mcp_message *m)
{
	const struct json *j = &e->j;

	if (m->kind != MCP_NOTIFICATION)
		input_answer(e, s, m);
	else if (m->method == MCP_CANCELLED)
		cancel(e, s, json_raw(j, json_get(j, m->params, SPAN("requestId"))));
}

static bool has_room(const struct elder *e, const struct session *s, unsigned n)
{
	return s->ncalls + n <= (e->set->calls + 1) / 2 && owner_has_room(e, s->owner, n);
}

static void full(struct elder *e, const struct elder_asked *a, struct span id)
{
	asked_fault(e, a, 503, id, MCP_INTERNAL, SPAN("Postern is at its limit of requests of older clients; try again shortly"));
}

/* ---- batches ---- */

static void batch_element(struct elder *e, struct post *p, struct span text, int64_t now_ms)
{
	char mem[512 + MCP_ID_MAX];
	struct buf b = buf_on(mem, sizeof mem);
	struct mcp_message m;
	struct mcp_fault fault = { MCP_INVALID_REQUEST, 200, SPAN("Not a message"), NOTHING, NOTHING };
	size_t where;

	memset(&m, 0, sizeof m);
	if (json_read(&e->j, e->table, text, &where) == JSON_OK)
		fault = mcp_message_read(&m, &e->j);
	if (fault.code == 0 && m.kind == MCP_REQUEST && m.method == MCP_INITIALIZE)
		fault = (struct mcp_fault){ MCP_INVALID_REQUEST, 200, SPAN("initialize does not belong in a batch"), NOTHING, NOTHING };
	if (fault.code != 0) {
		mcp_error_write(&b, m.id, &fault);
		if (!b.full)
			post_say(e, p, buf_span(&b));
	} else if (m.kind == MCP_REQUEST) {
		request(e, p, &m, text, now_ms);
	} else {
		notice(e, p->s, &m);
	}
}

static void batch(struct elder *e, const struct elder_asked *a, int64_t now_ms)
{
	struct span text[ELDER_BATCH];
	struct session *s = session_of(e, a, NOTHING, now_ms);
	unsigned n = 0, requests = 0;
	struct post *p;

	if (!s)
		return;
	if (s->version != V_2025_03_26) {
		asked_fault(e, a, 400, NOTHING, MCP_INVALID_REQUEST, SPAN("An array is no message: only 2025-03-26 has batches"));
		return;
	}
	if (json_size(&e->j, JSON_ROOT) == 0 || json_size(&e->j, JSON_ROOT) > ELDER_BATCH) {
		asked_fault(e, a, 400, NOTHING, MCP_INVALID_REQUEST, SPAN("A batch holds 1 to 64 messages"));
		return;
	}
	for (uint32_t x = json_first(&e->j, JSON_ROOT); x != JSON_NONE; x = json_next(&e->j, JSON_ROOT, x)) {
		text[n++] = json_raw(&e->j, x);
		requests += json_get(&e->j, x, SPAN("method")) == JSON_NONE ? json_get(&e->j, x, SPAN("result")) == JSON_NONE && json_get(&e->j, x, SPAN("error")) == JSON_NONE :
			json_get(&e->j, x, SPAN("id")) != JSON_NONE;
	}
	if (!has_room(e, s, requests)) {
		full(e, a, NOTHING);
		return;
	}
	p = post_new(e, s, a, now_ms);
	p->batch = true;
	p->left = 1; /* this turn */
	if (requests > 0)
		post_begin(e, p);
	for (unsigned i = 0; i < n; i++)
		batch_element(e, p, text[i], now_ms);
	if (requests > 0)
		post_answer(e, p, 200, false, NOTHING);
	else
		post_cut(e, p, 202);
}

void asked_post(struct elder *e, const struct elder_asked *a, int64_t now_ms)
{
	struct mcp_message m;
	struct mcp_fault fault;
	struct session *s;
	size_t where;

	if (json_read(&e->j, e->table, a->body, &where) != JSON_OK) {
		asked_fault(e, a, 400, NOTHING, MCP_PARSE_ERROR, SPAN("Not JSON as it is read here"));
		return;
	}
	if (json_type(&e->j, JSON_ROOT) == JSON_ARRAY) {
		batch(e, a, now_ms);
		return;
	}
	fault = mcp_message_read(&m, &e->j);
	if (fault.code != 0) {
		asked_fault(e, a, 400, m.id, fault.code, fault.text);
		return;
	}
	if (m.kind == MCP_REQUEST && m.method == MCP_INITIALIZE) {
		initialize_ask(e, a, &m, now_ms);
		return;
	}
	s = session_of(e, a, m.kind == MCP_REQUEST ? m.id : NOTHING, now_ms);
	if (!s)
		return;
	if (m.kind != MCP_REQUEST) {
		asked_status(e, a, 202);
		notice(e, s, &m);
	} else if (has_room(e, s, 1)) {
		request(e, post_new(e, s, a, now_ms), &m, json_raw(&e->j, JSON_ROOT), now_ms);
	} else {
		full(e, a, m.id);
	}
}

static void asked_get(struct elder *e, const struct elder_asked *a, int64_t now_ms)
{
	struct session *s = session_of(e, a, NOTHING, now_ms);

	if (!s)
		return;
	if (span_absent(a->last_event))
		get_attach(e, s, a, s->get.sent);
	else if (!stream_resume(e, s, a)) {
		asked_fault(e, a, 400, NOTHING, MCP_INVALID_REQUEST, SPAN("Last-Event-ID: nothing is kept behind it"));
		return;
	}
	listening_check(e, s, now_ms);
}

static void asked_delete(struct elder *e, const struct elder_asked *a, int64_t now_ms)
{
	struct session *s = session_of(e, a, NOTHING, now_ms);

	if (!s)
		return;
	session_end(e, s);
	asked_status(e, a, 200);
}

void elder_asks(struct elder *e, const struct elder_asked *a, int64_t now_ms)
{
	if (a->identity.n > ELDER_IDENTITY_N || a->worker >= e->set->workers) {
		asked_fault(e, a, 500, NOTHING, MCP_INTERNAL, SPAN("The request does not fit"));
		return;
	}
	switch (a->way) {
	case ELDER_BY_POST:
		asked_post(e, a, now_ms);
		break;
	case ELDER_BY_GET:
		asked_get(e, a, now_ms);
		break;
	case ELDER_BY_DELETE:
		asked_delete(e, a, now_ms);
		break;
	}
}
