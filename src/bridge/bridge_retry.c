/* The caller's answers to what an upstream asked: a parked call goes on, or one that was refused with -32042 is made again. */
#include "bridge/bridge_state.h"

/* The bare result object of today, as the answer of old. */
static bool answer_question(struct bridge *b, struct bridge_peer *p, struct bridge_question *q, uint32_t answer)
{
	static const struct span drop[] = { { "_meta", 5 }, { "resultType", 10 }, { "content", 7 } };
	const struct json *j = &b->json;
	uint32_t content = json_get(j, answer, drop[2]);
	bool parts = q->kind == ASK_SAMPLING && p->version > ERA_2025_11_25 && json_type(j, content) == JSON_ARRAY;
	struct buf out = say_begin_peer(b);
	bool any = false;

	q->answered = true;
	text_give(b, &q->text);
	if (parts && json_size(j, content) != 1) {
		say_refusal(b, p, span_of(q->id, q->id_n), MCP_INTERNAL, SPAN("the answer has several parts, which this revision cannot carry"));
		return true;
	}
	BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&out, span_of(q->id, q->id_n));
	BUF_LIT(&out, ",\"result\":{");
	say_members(&out, j, answer, drop, parts ? 3 : 2, &any);
	if (parts) {
		say_member(&out, &any, SPAN("\"content\""));
		buf_put(&out, json_raw(j, json_first(j, content)));
	}
	BUF_LIT(&out, "}}");
	return say_peer(b, p, BRIDGE_RESPONSE, 0, &out);
}

static bool right_shape(const struct json *j, uint32_t answer, unsigned kind)
{
	uint32_t content = json_get(j, answer, SPAN("content")), action = json_get(j, answer, SPAN("action"));

	if (json_type(j, answer) != JSON_OBJECT)
		return false;
	switch (kind) {
	case ASK_ELICITATION:
		return (json_is(j, action, SPAN("accept")) || json_is(j, action, SPAN("decline")) || json_is(j, action, SPAN("cancel"))) &&
			(content == JSON_NONE || json_type(j, content) == JSON_OBJECT);
	case ASK_SAMPLING:
		return json_type(j, json_get(j, answer, SPAN("role"))) == JSON_STRING && json_type(j, json_get(j, answer, SPAN("model"))) == JSON_STRING &&
			(json_type(j, content) == JSON_OBJECT || json_type(j, content) == JSON_ARRAY);
	default:
		return json_type(j, json_get(j, answer, SPAN("roots"))) == JSON_ARRAY;
	}
}

static uint32_t response_to(struct bridge *b, uint32_t responses, uint32_t number)
{
	char mem[512];
	struct buf key = buf_on(mem, sizeof mem);

	buf_put(&key, b->s.name);
	BUF_LIT(&key, ".");
	buf_u64(&key, number);
	return key.full ? JSON_NONE : json_get(&b->json, responses, buf_span(&key));
}

/* The parked call goes on under the retry's id. */
static void take_over(struct bridge_call *parked, const struct bridge_call *c)
{
	parked->worker = c->worker;
	parked->id_n = c->id_n;
	memcpy(parked->id, c->id, c->id_n);
	parked->token_n = c->token_n;
	memcpy(parked->token, c->token, c->token_n);
	parked->level = c->level;
	parked->caps = c->caps;
	parked->state = CALL_SENT;
}

/* What it answered meanwhile. */
static void deliver_kept(struct bridge *b, struct bridge_call *parked, struct bridge_call *c)
{
	struct bridge_text *text = parked->park->result;
	struct mcp_message m;
	size_t where;

	parked->park->result = NULL;
	call_free(b, parked);
	if (!text)
		call_fault(b, c, MCP_INTERNAL, SPAN("answered while its caller was asked, with more than could be kept"));
	else if (json_read(&b->json, b->table, span_of(text->p, text->n), &where) != JSON_OK || mcp_message_read(&m, &b->json).code != 0)
		call_fault(b, c, MCP_INTERNAL, SPAN("sent an answer of the wrong shape"));
	else
		reply_deliver(b, &b->peers[0], c, &m); /* nothing of its own peer tells in an answer that could be parked */
	text_give(b, &text);
}

static void resume(struct bridge *b, struct bridge_call *parked, struct bridge_call *c, uint32_t responses)
{
	struct bridge_peer *p = &b->peers[parked->peer];
	struct bridge_park *park = parked->park;
	unsigned left = 0;
	bool sent = true;

	for (uint32_t i = 0; i < park->nasks; i++) {
		uint32_t answer = park->asks[i].answered ? JSON_NONE : response_to(b, responses, park->asks[i].number);
		if (answer != JSON_NONE && !right_shape(&b->json, answer, park->asks[i].kind)) {
			call_fault(b, c, MCP_INVALID_PARAMS, SPAN("params.inputResponses: an answer that is not of the form its question asks for"));
			return;
		}
	}
	take_over(parked, c);
	c->id_n = 0; /* its id is the parked call's now */
	call_free(b, c);
	b->counts.resumed++;
	for (uint32_t i = 0; i < park->nasks; i++) {
		struct bridge_question *q = &park->asks[i];
		uint32_t answer = q->answered ? JSON_NONE : response_to(b, responses, q->number);
		if (answer != JSON_NONE)
			sent = answer_question(b, p, q, answer) && sent;
		left += !q->answered;
	}
	if (!sent) {
		call_withdraw(b, parked, SPAN("the answer could not be passed on"));
		call_fault(b, parked, MCP_INTERNAL, SPAN("does not read what it is sent"));
		return;
	}
	call_watch(b, parked);
	if (left > 0)
		park_ask_caller(b, parked);
	else
		park_free(b, parked);
}

/* The caller has seen to what a -32042 named, or has not: there is no parked call, it is made again. */
static bool made_again(struct bridge *b, struct bridge_call *c, uint32_t responses, uint32_t count)
{
	bool accepted = true;

	for (uint32_t i = 1; i <= count; i++) {
		uint32_t answer = response_to(b, responses, i);
		if (!right_shape(&b->json, answer, ASK_ELICITATION)) {
			call_fault(b, c, MCP_INVALID_PARAMS, SPAN("params.inputResponses: an answer that is not of the form its question asks for"));
			return false;
		}
		accepted = accepted && json_is(&b->json, json_get(&b->json, answer, SPAN("action")), SPAN("accept"));
	}
	if (!accepted)
		call_fault(b, c, MCP_INTERNAL, SPAN("needs something first that the caller declined"));
	return accepted;
}

bool retry_call(struct bridge *b, struct bridge_call *c, const struct mcp_message *m)
{
	const struct json *j = &b->json;
	uint32_t responses = json_get(j, m->params, SPAN("inputResponses"));
	struct bridge_round sealed;
	struct bridge_call *parked;

	if (responses != JSON_NONE && json_type(j, responses) != JSON_OBJECT) {
		call_fault(b, c, MCP_INVALID_PARAMS, SPAN("params.inputResponses: must be an object"));
		return true;
	}
	if (!round_get(b, c, json_get(j, m->params, SPAN("requestState")), &sealed)) {
		call_fault(b, c, MCP_INVALID_PARAMS, SPAN("params.requestState: not one that is valid for this call and caller, or no longer"));
		return true;
	}
	if (sealed.kind == ROUND_URL) {
		if (!made_again(b, c, responses, sealed.round))
			return true;
		c->has_state = false;
		return false;
	}
	parked = call_parked(b, sealed.id);
	if (!parked || !parked->park || parked->park->round != sealed.round)
		call_fault(b, c, MCP_INVALID_PARAMS, SPAN("params.requestState: the call it continues is over, or has been continued already"));
	else if (parked->park->over)
		deliver_kept(b, parked, c);
	else
		resume(b, parked, c, responses);
	return true;
}

bool retry_url_error(struct bridge *b, struct bridge_call *c, const struct mcp_message *m)
{
	static const struct span drop[] = { { "_meta", 5 }, { "elicitationId", 13 } };
	const struct json *j = &b->json;
	uint32_t list = json_get(j, json_get(j, m->error, SPAN("data")), SPAN("elicitations")), count = 0;
	struct buf out = say_begin(b);
	int64_t code;

	if (!json_int(j, json_get(j, m->error, SPAN("code")), &code) || code != BRIDGE_URL_REQUIRED || !park_may((enum mcp_method)c->method) ||
	    json_type(j, list) != JSON_ARRAY || json_size(j, list) == 0 || json_size(j, list) > BRIDGE_ASKS || b->s.peers_max < 2 ||
	    !(b->s.ask & BRIDGE_ASK_ELICITATION) || c->principal_n == 0)
		return false;
	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e))
		if (json_type(j, e) != JSON_OBJECT || !json_is(j, json_get(j, e, SPAN("mode")), SPAN("url")) ||
		    json_type(j, json_get(j, e, SPAN("message"))) != JSON_STRING || !park_is_web(j, json_get(j, e, SPAN("url"))))
			return false;
	if (!(c->caps & CAP_URL)) {
		struct mcp_fault fault = { .code = MCP_MISSING_CAPABILITY, .text = SPAN("the upstream needs its caller to open a URL first"),
			.data = SPAN("{\"requiredCapabilities\":{\"elicitation\":{\"url\":{}}}}") };
		mcp_error_write(&out, call_id(c), &fault);
		call_answer(b, c, &out);
		return true;
	}
	park_open(c, &out);
	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e)) {
		bool any = false;
		buf_put(&out, count == 0 ? SPAN("\"") : SPAN(",\""));
		park_key(b, &out, ++count);
		BUF_LIT(&out, "\":{\"method\":\"elicitation/create\",\"params\":{");
		say_members(&out, j, e, drop, 2, &any);
		BUF_LIT(&out, "}}");
	}
	park_end(b, c, ROUND_URL, 0, count, &out);
	call_answer(b, c, &out);
	return true;
}
