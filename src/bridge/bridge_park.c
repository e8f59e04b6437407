/* What a legacy upstream asks in the middle of a call becomes input_required (mcp.md 6, 14.2): the call is parked, its caller answers by a retry.
 * Who asks is told by the keys of inputRequests: the server's name, a dot, a number. */
#include "bridge/bridge_state.h"

bool park_may(enum mcp_method m) { return m == MCP_TOOLS_CALL || m == MCP_PROMPTS_GET || m == MCP_RESOURCES_READ; }

void park_free(struct bridge *b, struct bridge_call *c)
{
	struct bridge_park *park = c->park;

	if (!park)
		return;
	for (uint32_t i = 0; i < park->nasks; i++)
		text_give(b, &park->asks[i].text);
	text_give(b, &park->result);
	slots_give(&b->parks, park);
	c->park = NULL;
}

void park_key(const struct bridge *b, struct buf *out, uint32_t number)
{
	json_write_inner(out, b->s.name);
	BUF_LIT(out, ".");
	buf_u64(out, number);
}

void park_open(struct bridge_call *c, struct buf *out)
{
	result_open(out, call_id(c));
	BUF_LIT(out, "\"resultType\":\"input_required\",\"inputRequests\":{");
}

void park_end(struct bridge *b, struct bridge_call *c, uint32_t kind, uint64_t id, uint32_t round, struct buf *out)
{
	bool any = false;

	BUF_LIT(out, "},\"requestState\":\"");
	round_put(b, c, kind, id, round, out);
	BUF_LIT(out, "\",\"_meta\":{");
	result_server(b, out, &any);
	BUF_LIT(out, "}}}");
}

/* All that is not answered, in one answer to the caller. */
void park_ask_caller(struct bridge *b, struct bridge_call *c)
{
	struct bridge_park *park = c->park;
	struct buf out = say_begin(b);
	bool any = false;

	park_open(c, &out);
	for (uint32_t i = 0; i < park->nasks; i++) {
		const struct bridge_question *q = &park->asks[i];
		if (q->answered)
			continue;
		buf_put(&out, any ? SPAN(",\"") : SPAN("\""));
		any = true;
		park_key(b, &out, q->number);
		BUF_LIT(&out, "\":");
		buf_put(&out, span_of(q->text->p, q->text->n));
	}
	park_end(b, c, ROUND_PARKED, c->id_up, ++park->round, &out);
	if (!say_worker(b, c->worker, &out)) {
		call_withdraw(b, c, SPAN("the caller could not be asked"));
		call_fault(b, c, MCP_INTERNAL, SPAN("asked its caller something, but there was no room to pass it on"));
		return;
	}
	b->counts.answers++;
	b->counts.parked++;
	c->id_n = c->token_n = 0;
	c->state = CALL_PARKED;
	c->until_ms = bridge_now(b) + b->s.park_ms;
	bridge_due(b, c->until_ms);
}

/* The call whose caller may be asked this; NULL: nobody. */
static struct bridge_call *askable(struct bridge_peer *p, uint64_t of, unsigned cap)
{
	for (struct list *n = p->calls.prev; n != &p->calls; n = n->prev) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, node);
		if (of != 0 && c->id_up != of)
			continue;
		if ((c->caps & cap) == cap && park_may((enum mcp_method)c->method) && !(c->park && c->park->over))
			return c;
	}
	return NULL;
}

bool park_is_web(const struct json *j, uint32_t token)
{
	char mem[MCP_URI_MAX];
	struct buf url = buf_on(mem, sizeof mem);

	json_text(j, token, &url);
	if (url.full || !(span_starts(buf_span(&url), SPAN("https://")) || span_starts(buf_span(&url), SPAN("http://"))))
		return false;
	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] <= 0x20 || url.p[i] == 0x7f)
			return false;
	return true;
}

/* What a caller must have declared to be asked this; 0: it is not a question that can be passed on. */
static unsigned cap_of(const struct json *j, const struct mcp_message *m, enum bridge_ask_kind *kind)
{
	uint32_t mode = json_get(j, m->params, SPAN("mode"));

	if (json_is(j, m->method_token, SPAN("roots/list"))) {
		*kind = ASK_ROOTS;
		return CAP_ROOTS;
	}
	if (json_is(j, m->method_token, SPAN("sampling/createMessage"))) {
		*kind = ASK_SAMPLING;
		if (json_type(j, json_get(j, m->params, SPAN("messages"))) != JSON_ARRAY ||
		    json_type(j, json_get(j, m->params, SPAN("maxTokens"))) != JSON_NUMBER)
			return 0;
		return json_get(j, m->params, SPAN("tools")) != JSON_NONE || json_get(j, m->params, SPAN("toolChoice")) != JSON_NONE ?
			CAP_SAMPLING | CAP_SAMPLING_TOOLS : CAP_SAMPLING;
	}
	if (!json_is(j, m->method_token, SPAN("elicitation/create")) || json_type(j, json_get(j, m->params, SPAN("message"))) != JSON_STRING)
		return 0;
	*kind = ASK_ELICITATION;
	if (json_is(j, mode, SPAN("url")))
		return park_is_web(j, json_get(j, m->params, SPAN("url"))) ? CAP_URL : 0;
	return (mode == JSON_NONE || json_is(j, mode, SPAN("form"))) &&
		json_type(j, json_get(j, m->params, SPAN("requestedSchema"))) == JSON_OBJECT ? CAP_FORM : 0;
}

/* How many the caller of `c` has, and the oldest that waits for an answer; NULL: none does. */
static unsigned parks_of(const struct bridge *b, const struct bridge_call *c, struct bridge_call **oldest)
{
	unsigned n = 0;

	*oldest = NULL;
	for (struct list *x = b->calls_used.next; x != &b->calls_used; x = x->next) {
		struct bridge_call *o = LIST_OWNER(x, struct bridge_call, of_all);
		if (!o->park || !span_eq(call_principal(o), call_principal(c)))
			continue;
		n++;
		if (o->state == CALL_PARKED && (!*oldest || o->order < (*oldest)->order))
			*oldest = o;
	}
	return n;
}

/* Whoever has as many as one may have gives up the oldest: a user who is asked now is more likely to be there. */
static struct bridge_park *park_new(struct bridge *b, struct bridge_call *c)
{
	struct bridge_call *oldest;

	if (parks_of(b, c, &oldest) >= b->s.parks_each) {
		if (!oldest)
			return NULL;
		say_log(b, SPAN("a caller is asked more than may wait; its oldest call is given up"), NOTHING);
		call_withdraw(b, oldest, SPAN("the caller did not answer, and is asked something else"));
		call_free(b, oldest);
	}
	return slots_take(&b->parks);
}

static struct bridge_question *question_new(struct bridge *b, struct bridge_call *c)
{
	struct bridge_park *park = c->park;

	if (!park) {
		park = park_new(b, c);
		if (!park)
			return NULL;
		memset(park, 0, sizeof *park);
		c->park = park;
	}
	for (uint32_t i = 0; i < park->nasks; i++)
		if (park->asks[i].answered)
			return &park->asks[i];
	return park->nasks < BRIDGE_ASKS ? &park->asks[park->nasks++] : NULL;
}

/* As the caller is shown it: without what only means something between the two of old. */
static struct bridge_text *question_text(struct bridge *b, const struct bridge_call *c, const struct mcp_message *m)
{
	static const struct span drop[] = { { "_meta", 5 }, { "task", 4 }, { "elicitationId", 13 }, { "includeContext", 14 } };
	struct buf out = say_begin_peer(b);
	bool any = false;

	BUF_LIT(&out, "{\"method\":");
	buf_put(&out, json_raw(&b->json, m->method_token));
	if (m->params != JSON_NONE) {
		BUF_LIT(&out, ",\"params\":{");
		say_members(&out, &b->json, m->params, drop, c->caps & CAP_SAMPLING_CONTEXT ? 3 : 4, &any);
		BUF_LIT(&out, "}");
	}
	BUF_LIT(&out, "}");
	return out.full ? NULL : text_keep(b, buf_span(&out));
}

static void refuse(struct bridge *b, struct bridge_peer *p, struct span id, int code, struct span text)
{
	b->counts.asks_refused++;
	say_log(b, SPAN("a question of the upstream was refused"), text);
	say_refusal(b, p, id, code, text);
}

void park_ask(struct bridge *b, struct bridge_peer *p, uint64_t of, const struct mcp_message *m)
{
	enum bridge_ask_kind kind = ASK_ELICITATION;
	struct bridge_question *q;
	struct bridge_call *c;
	unsigned cap;

	if (json_is(&b->json, m->method_token, SPAN("ping"))) {
		struct buf out = say_begin_peer(b);
		BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
		buf_put(&out, m->id);
		BUF_LIT(&out, ",\"result\":{}}");
		(void)say_peer(b, p, BRIDGE_RESPONSE, 0, &out);
		return;
	}
	cap = cap_of(&b->json, m, &kind);
	c = cap != 0 ? askable(p, of, cap) : NULL;
	if (!c) {
		refuse(b, p, m->id, MCP_METHOD_NOT_FOUND, cap == 0 ? SPAN("the client is not asked that, or not in that form") :
			SPAN("no caller of a call under way has declared that it can be asked this"));
		return;
	}
	q = question_new(b, c);
	if (q) {
		struct bridge_text *text = question_text(b, c, m);
		memset(q, 0, sizeof *q);
		q->answered = text == NULL;
		q->text = text;
		q->kind = (uint8_t)kind;
		q->number = ++c->park->numbered;
		q->id_n = (uint16_t)m->id.n;
		memcpy(q->id, m->id.p, m->id.n);
		if (!text)
			q = NULL;
	}
	if (!q) {
		refuse(b, p, m->id, MCP_INTERNAL, SPAN("too many questions wait for their answers, or this one is too long"));
		return;
	}
	if (c->state == CALL_SENT)
		park_ask_caller(b, c); /* one that comes while it is parked is asked in the next round */
}

void park_decline(struct bridge *b, struct bridge_call *c)
{
	struct bridge_peer *p = &b->peers[c->peer];

	for (uint32_t i = 0; i < c->park->nasks; i++) {
		struct bridge_question *q = &c->park->asks[i];
		struct buf out = say_begin_peer(b);

		if (q->answered)
			continue;
		q->answered = true;
		text_give(b, &q->text);
		if (q->kind != ASK_ELICITATION) {
			say_refusal(b, p, span_of(q->id, q->id_n), MCP_INTERNAL, SPAN("the caller did not answer"));
			continue;
		}
		BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
		buf_put(&out, span_of(q->id, q->id_n));
		BUF_LIT(&out, ",\"result\":{\"action\":\"cancel\"}}");
		(void)say_peer(b, p, BRIDGE_RESPONSE, 0, &out);
	}
}

void park_withdrawn(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	struct span id = json_raw(&b->json, json_get(&b->json, m->params, SPAN("requestId")));

	for (struct list *n = p->calls.next; n != &p->calls; n = n->next) {
		struct bridge_park *park = LIST_OWNER(n, struct bridge_call, node)->park;
		for (uint32_t i = 0; park && i < park->nasks; i++) {
			if (park->asks[i].answered || !span_eq(span_of(park->asks[i].id, park->asks[i].id_n), id))
				continue;
			park->asks[i].answered = true;
			text_give(b, &park->asks[i].text);
			return;
		}
	}
}

void park_over(struct bridge *b, struct bridge_call *c, struct span text)
{
	struct bridge_park *park = c->park;

	if (!park || park->over) {
		b->counts.strays++;
		return;
	}
	park->over = true;
	for (uint32_t i = 0; i < park->nasks; i++) {
		park->asks[i].answered = true;
		text_give(b, &park->asks[i].text);
	}
	park->result = text_keep(b, text);
	/* The conversation is done with it, and need not wait for its caller. */
	list_remove(&c->node);
	peer_used(b, &b->peers[c->peer]);
	c->peer = -1;
}
