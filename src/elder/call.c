#include "elder/elder_priv.h"

#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

enum { NUMBER_BITS = 20 }; /* of a question's number: its slot; above: a counter, so that a late word finds nobody */

/* ---- questions ---- */

uint64_t question_number(struct elder *e)
{
	return e->free_question == UINT32_MAX ? 0 : (e->questions_asked + 1) << NUMBER_BITS | e->free_question;
}

struct question *question_find(struct elder *e, uint64_t number)
{
	uint32_t index = (uint32_t)number & ((1u << NUMBER_BITS) - 1);

	return number != 0 && index < e->nquestions && e->questions[index].number == number ? &e->questions[index] : NULL;
}

uint64_t question_ask(struct elder *e, struct call *c, struct session *s, enum mcp_method method, struct span name, struct span body, uint64_t number)
{
	struct question *q = &e->questions[e->free_question];
	struct session *of = c ? c->s : s;
	const struct post *p = c && c->post->attached ? c->post : NULL;
	unsigned worker = p ? p->worker : !c && s->get.attached ? s->get.worker : of->worker, first = worker;

	for (unsigned i = 0; i < e->set->workers && !e->up[worker]; i++) /* its own is gone: any other will do */
		worker = i;
	uint64_t call = worker != first ? 0 : p ? p->http : !c && s->get.attached ? s->get.http : 0;
	struct elder_question ask = { number, worker, call, mcp_method_name(method), name, span_of(of->identity, of->identity_n), body, method == MCP_LISTEN };

	if (!e->set->hooks.send(e->set->hooks.ctx, &ask))
		return 0;
	e->questions_asked++;
	e->free_question = q->next_free;
	*q = (struct question){ .number = number, .call = c, .session = c ? NULL : s };
	return number;
}

void question_free(struct elder *e, struct question *q)
{
	*q = (struct question){ .next_free = e->free_question };
	e->free_question = (uint32_t)(q - e->questions);
}

void question_drop(struct elder *e, uint64_t number)
{
	struct question *q = question_find(e, number);

	if (!q)
		return;
	e->set->hooks.drop(e->set->hooks.ctx, number);
	question_free(e, q);
}

/* ---- calls ---- */

struct call *elder_call_new(struct elder *e, struct post *p, struct span id, enum mcp_method method)
{
	struct call *c = id.n <= sizeof c->id ? slots_take(&e->calls) : NULL;

	if (!c)
		return NULL;
	memset(c, 0, sizeof *c);
	list_init(&c->node);
	list_append(&p->s->calls, &c->node);
	c->s = p->s;
	c->post = p;
	memcpy(c->id, id.p, id.n);
	c->id_n = (uint16_t)id.n;
	c->method = method;
	p->left++;
	p->s->ncalls++;
	p->s->owner->calls++;
	return c;
}

void elder_call_free(struct elder *e, struct call *c)
{
	question_drop(e, c->question);
	input_clear(e, c);
	owner_drop(e, c->s->owner, &c->body);
	owner_drop(e, c->s->owner, &c->request_state);
	list_remove(&c->node);
	c->s->ncalls--;
	c->s->owner->calls--;
	slots_give(&e->calls, c);
}

bool elder_call_keep(struct elder *e, struct call *c, struct span body) { return owner_put(e, c->s->owner, &c->body, body); }

static struct buf answer_open(struct elder *e, const struct call *c, struct span member)
{
	struct buf b = buf_on(e->out, e->answer_cap);

	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, span_of(c->id, c->id_n));
	BUF_LIT(&b, ",\"");
	buf_put(&b, member);
	BUF_LIT(&b, "\":");
	return b;
}

static void finish(struct elder *e, struct call *c, unsigned status, struct span json)
{
	struct post *p = c->post;

	elder_call_free(e, c);
	post_answer(e, p, status, status == 503, json);
}

static void fault(struct elder *e, struct call *c, unsigned status, int code, struct span text, struct span detail)
{
	struct mcp_fault f = { code, status, text, detail, NOTHING };
	struct buf b = buf_on(e->out, e->answer_cap);

	if (c->method == MCP_DISCOVER)
		c->post->first = false; /* no session has begun */
	mcp_error_write(&b, span_of(c->id, c->id_n), &f);
	finish(e, c, status, buf_span(&b));
}

void elder_call_fault(struct elder *e, struct call *c, int code, struct span text, struct span detail) { fault(e, c, 200, code, text, detail); }

/* Ends what answer_open() began, and with it the call. */
static void answer_end(struct elder *e, struct call *c, unsigned status, struct buf *b)
{
	BUF_LIT(b, "}");
	if (b->full)
		elder_call_fault(e, c, MCP_INTERNAL, SPAN("The answer is too long"), NOTHING);
	else
		finish(e, c, status, buf_span(b));
}

void elder_call_lacks(struct elder *e, struct call *c, uint64_t scopes, struct span error)
{
	struct buf b = answer_open(e, c, SPAN("error"));

	buf_put(&b, error);
	c->post->scopes = scopes;
	answer_end(e, c, scopes != 0 ? 403 : 200, &b);
}

void elder_call_full(struct elder *e, struct call *c)
{
	fault(e, c, 503, MCP_INTERNAL, SPAN("Postern is at its limit of requests of older clients; try again shortly"), NOTHING);
}

void elder_call_result(struct elder *e, struct call *c, struct span result)
{
	struct buf b = answer_open(e, c, SPAN("result"));

	buf_put(&b, result);
	answer_end(e, c, 200, &b);
}

void elder_call_fail(struct elder *e, struct call *c, struct span text, struct span detail)
{
	if (c->method != MCP_TOOLS_CALL) {
		elder_call_fault(e, c, MCP_INTERNAL, text, detail);
		return;
	}
	struct buf b = answer_open(e, c, SPAN("result"));
	BUF_LIT(&b, "{\"content\":[{\"type\":\"text\",\"text\":\"");
	json_write_inner(&b, text);
	if (detail.n > 0) {
		BUF_LIT(&b, ": ");
		json_write_inner(&b, detail);
	}
	BUF_LIT(&b, "\"}],\"isError\":true}}");
	if (b.full) {
		elder_call_fault(e, c, MCP_INTERNAL, text, NOTHING);
		return;
	}
	finish(e, c, 200, buf_span(&b));
}

/* ---- asking ---- */

/* Keys of ours and of the protocol are not the client's to say; one that is too long to look at is left out as well. */
static bool may_pass(const struct json *j, uint32_t name)
{
	char mem[256];
	struct buf key = buf_on(mem, sizeof mem);

	json_text(j, name, &key);
	return !key.full && !span_starts(buf_span(&key), SPAN("io.modelcontextprotocol/")) && !span_starts(buf_span(&key), SPAN("postern/"));
}

void meta_write(struct buf *b, const struct session *s, const struct json *j, uint32_t meta)
{
	static const struct span levels[] = {
		{ "", 0 }, { "debug", 5 }, { "info", 4 }, { "notice", 6 }, { "warning", 7 }, { "error", 5 }, { "critical", 8 }, { "alert", 5 }, { "emergency", 9 }
	};

	BUF_LIT(b, "\"_meta\":{\"" MCP_META_VERSION "\":\"" MCP_VERSION "\",\"" MCP_META_CAPABILITIES "\":");
	buf_put(b, span_of(s->caps, s->caps_n));
	BUF_LIT(b, ",\"" MCP_META_CLIENT "\":");
	buf_put(b, span_of(s->info, s->info_n));
	if (s->level != 0 && (s->can & CAN_LOG)) {
		BUF_LIT(b, ",\"" MCP_META_LOG_LEVEL "\":\"");
		buf_put(b, levels[s->level]);
		BUF_LIT(b, "\"");
	}
	if (j && json_type(j, meta) == JSON_OBJECT)
		for (uint32_t n = json_first(j, meta); n != JSON_NONE; n = json_next(j, meta, n)) {
			if (!may_pass(j, n))
				continue;
			BUF_LIT(b, ",");
			buf_put(b, json_raw(j, n));
			BUF_LIT(b, ":");
			buf_put(b, json_raw(j, json_value(j, n)));
		}
	BUF_LIT(b, "}");
}

/* What the modern revision would take for something else than it is, or means nothing without what was not declared. */
static bool is_left_out(const struct json *j, uint32_t name)
{
	return json_is(j, name, SPAN("_meta")) || json_is(j, name, SPAN("inputResponses")) || json_is(j, name, SPAN("requestState"))
		|| json_is(j, name, SPAN("task"));
}

void elder_call_ask(struct elder *e, struct call *c, const struct json *j, uint32_t params, uint32_t name)
{
	struct buf b = buf_on(e->out, e->out_cap);
	char mem[MCP_URI_MAX];
	struct buf named = buf_on(mem, sizeof mem);
	uint64_t number = question_number(e);
	bool has_name = j && name != JSON_NONE && !span_absent(mcp_method_named_by(c->method));

	if (has_name)
		json_text(j, name, &named);
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_u64(&b, number);
	BUF_LIT(&b, ",\"method\":\"");
	buf_put(&b, mcp_method_name(c->method));
	BUF_LIT(&b, "\",\"params\":{");
	if (j && json_type(j, params) == JSON_OBJECT)
		for (uint32_t n = json_first(j, params); n != JSON_NONE; n = json_next(j, params, n)) {
			if (is_left_out(j, n))
				continue;
			buf_put(&b, json_raw(j, n));
			BUF_LIT(&b, ":");
			buf_put(&b, json_raw(j, json_value(j, n)));
			BUF_LIT(&b, ",");
		}
	input_write(e, c, &b);
	meta_write(&b, c->s, j, j ? json_get(j, params, SPAN("_meta")) : JSON_NONE);
	BUF_LIT(&b, "}}");
	if (number == 0) {
		elder_call_full(e, c);
		return;
	}
	if (b.full || named.full) {
		elder_call_fault(e, c, MCP_INVALID_REQUEST, SPAN("The request, with its client's answers, is too long"), NOTHING);
		return;
	}
	c->state = CALL_ASKED;
	c->at_ms = 0;
	c->question = question_ask(e, c, NULL, c->method, has_name ? buf_span(&named) : NOTHING, buf_span(&b), number);
	if (c->question == 0)
		elder_call_full(e, c);
}

void elder_call_ask_again(struct elder *e, struct call *c)
{
	struct buf b = buf_on(e->body, e->body_cap);
	struct mcp_message m;
	struct json j;
	size_t where;

	store_text(&c->body, &b);
	if (b.full || json_read(&j, e->own_table, buf_span(&b), &where) != JSON_OK || mcp_message_read(&m, &j).code != 0 ||
	    mcp_request_params(&m, &j).code != 0) { /* it was read before, so that this does not happen */
		elder_call_fault(e, c, MCP_INTERNAL, SPAN("The request could not be read again"), NOTHING);
		return;
	}
	elder_call_ask(e, c, &j, m.params, m.name);
}

/* ---- answers ---- */

static void error_answer(struct elder *e, struct call *c, const struct mcp_message *m, uint64_t scopes)
{
	const struct json *j = &e->j;
	uint32_t data = json_get(j, m->error, SPAN("data"));
	int64_t code = 0;
	char mem[1024];
	struct buf text = buf_on(mem, sizeof mem);
	struct buf b;

	(void)json_int(j, json_get(j, m->error, SPAN("code")), &code);
	json_text(j, json_get(j, m->error, SPAN("message")), &text);
	if (code == MCP_MISSING_CAPABILITY) { /* it was told what the client has: this needs more */
		struct span needs = json_raw(j, json_get(j, data, SPAN("requiredCapabilities")));
		elder_call_fail(e, c, SPAN("This needs a capability that the client has not declared"), span_absent(needs) || needs.n > 1024 ? buf_span(&text) : needs);
		return;
	}
	if (code == MCP_HEADER_MISMATCH || code == MCP_UNSUPPORTED_VERSION) { /* between us and it: the client has neither */
		elder_call_fault(e, c, MCP_INTERNAL, SPAN("The request could not be put to the server"), buf_span(&text));
		return;
	}
	if (c->method == MCP_DISCOVER) {
		elder_call_fault(e, c, (int)code, SPAN("No session could be begun"), buf_span(&text));
		return;
	}
	if (code != MCP_INVALID_PARAMS || c->method != MCP_RESOURCES_READ || json_get(j, data, SPAN("uri")) == JSON_NONE) {
		elder_call_lacks(e, c, scopes, json_raw(j, m->error));
		return;
	}
	b = answer_open(e, c, SPAN("error"));
	BUF_LIT(&b, "{\"code\":-32002,\"message\":");
	buf_put(&b, json_raw(j, json_get(j, m->error, SPAN("message"))));
	BUF_LIT(&b, ",\"data\":");
	buf_put(&b, json_raw(j, data));
	BUF_LIT(&b, "}");
	answer_end(e, c, 200, &b);
}

static void result_answer(struct elder *e, struct call *c, const struct mcp_message *m, int64_t now_ms)
{
	struct buf b;

	if (c->method == MCP_DISCOVER) {
		initialize_answer(e, c, m->result);
		return;
	}
	input_completed(e, c);
	if (json_is(&e->j, json_get(&e->j, m->result, SPAN("resultType")), SPAN("input_required"))) {
		input_required(e, c, m->result, now_ms);
		return;
	}
	b = answer_open(e, c, SPAN("result"));
	if (!result_write(e, c, m->result, &b))
		b.full = true;
	answer_end(e, c, 200, &b);
}

void elder_call_message(struct elder *e, struct call *c, struct span json, int64_t now_ms)
{
	struct question *q = question_find(e, c->question);
	struct mcp_message m;
	struct mcp_fault wrong = { MCP_PARSE_ERROR, 0, SPAN("not JSON"), NOTHING, NOTHING };
	size_t where;

	if (json_read(&e->j, e->table, json, &where) == JSON_OK)
		wrong = mcp_message_read(&m, &e->j);
	if (wrong.code == 0 && m.kind == MCP_NOTIFICATION) {
		if (m.method == MCP_PROGRESS || (m.method == MCP_MESSAGE && c->s->level != 0))
			post_say(e, c->post, json);
		return;
	}
	if (wrong.code == 0 && (m.kind == MCP_RESULT || m.kind == MCP_ERROR))
		wrong = mcp_reply_check(&m, &e->j, c->method);
	else if (wrong.code == 0)
		wrong.code = MCP_INVALID_REQUEST, wrong.text = SPAN("a request");
	if (q)
		q->call = NULL; /* it ends by itself */
	c->question = 0;
	if (wrong.code != 0)
		elder_call_fault(e, c, MCP_INTERNAL, SPAN("The answer cannot be read"), wrong.text);
	else if (m.kind == MCP_ERROR)
		error_answer(e, c, &m, q ? q->scopes : 0);
	else
		result_answer(e, c, &m, now_ms);
}

void elder_call_over(struct elder *e, struct call *c, struct span why)
{
	c->question = 0;
	elder_call_fault(e, c, MCP_INTERNAL, SPAN("No answer came"), why);
}

void elder_call_due(struct elder *e, struct call *c, int64_t now_ms)
{
	if (!c->post->begun && c->s->version == V_2025_11_25 && !c->s->opening && now_ms - c->post->start_ms >= ELDER_OPEN_MS)
		post_begin(e, c->post);
	if (c->at_ms == 0 || now_ms < c->at_ms)
		return;
	c->at_ms = 0;
	if (c->state == CALL_AGAIN)
		elder_call_ask_again(e, c);
	else if (c->state == CALL_WAITS_FOR_CLIENT)
		input_late(e, c);
	else if (c->state == CALL_WAITS_FOR_LISTEN)
		listening_late(e, c);
}
