/* input_required: what the modern side wants to know becomes requests to the old client, on the stream of the request that needs it; its responses
 * go with the request when it is asked again. */
#include "elder/elder_priv.h"

#include "base/text.h"
#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

enum { AGAIN_MS = 250 };

static const struct span methods[] = {
	[INPUT_ELICIT] = { "elicitation/create", 18 }, [INPUT_URL] = { "elicitation/create", 18 },
	[INPUT_SAMPLING] = { "sampling/createMessage", 22 }, [INPUT_ROOTS] = { "roots/list", 10 },
};

void input_clear(struct elder *e, struct call *c)
{
	for (unsigned i = 0; i < c->ninputs; i++) {
		owner_drop(e, c->s->owner, &c->inputs[i].key);
		owner_drop(e, c->s->owner, &c->inputs[i].answer);
	}
	c->ninputs = c->nopen = 0;
}

/* ---- what may be asked ---- */

/* An array of choices, or a schema of a kind that 2025-06-18 does not know. */
static bool schema_is_new(const struct json *j, uint32_t schema)
{
	uint32_t properties = json_get(j, schema, SPAN("properties"));

	for (uint32_t n = json_first(j, properties); n != JSON_NONE; n = json_next(j, properties, n))
		if (json_is(j, json_get(j, json_value(j, n), SPAN("type")), SPAN("array")))
			return true;
	return false;
}

static bool messages_are_new(const struct json *j, uint32_t messages)
{
	for (uint32_t m = json_first(j, messages); m != JSON_NONE; m = json_next(j, messages, m)) {
		uint32_t content = json_get(j, m, SPAN("content"));

		if (json_type(j, content) != JSON_ARRAY)
			continue;
		for (uint32_t x = json_first(j, content); x != JSON_NONE; x = json_next(j, content, x)) {
			uint32_t type = json_get(j, x, SPAN("type"));
			if (json_is(j, type, SPAN("tool_use")) || json_is(j, type, SPAN("tool_result")))
				return true;
		}
	}
	return false;
}

/* NULL: it may. Else why this client cannot be asked. */
static const char *refused(const struct session *s, const struct json *j, uint32_t request, struct input *in)
{
	uint32_t method = json_get(j, request, SPAN("method")), params = json_get(j, request, SPAN("params"));
	bool old = s->version != V_2025_11_25;

	if (json_is(j, method, SPAN("roots/list"))) {
		in->kind = INPUT_ROOTS;
		return s->has & HAS_ROOTS ? NULL : "The server asks for roots, which the client has not declared";
	}
	if (json_type(j, params) != JSON_OBJECT)
		return "The server asks for something that cannot be read";
	if (json_is(j, method, SPAN("sampling/createMessage"))) {
		bool tools = json_get(j, params, SPAN("tools")) != JSON_NONE || json_get(j, params, SPAN("toolChoice")) != JSON_NONE;

		in->kind = INPUT_SAMPLING;
		if (!(s->has & HAS_SAMPLING))
			return "The server asks for sampling, which the client has not declared";
		if (tools && !(s->has & HAS_SAMPLING_TOOLS))
			return "The server asks for sampling with tools, which the client has not declared";
		return old && messages_are_new(j, json_get(j, params, SPAN("messages"))) ?
			"The server asks for sampling with uses of tools, which the client's revision does not have" : NULL;
	}
	if (!json_is(j, method, SPAN("elicitation/create")))
		return "The server asks for something that is not known here";
	if (json_is(j, json_get(j, params, SPAN("mode")), SPAN("url"))) {
		in->kind = INPUT_URL;
		return s->has & HAS_ELICIT_URL ? NULL : "The server asks the user to open a URL, which the client has not declared";
	}
	in->kind = INPUT_ELICIT;
	if (!(s->has & HAS_ELICIT))
		return "The server asks the user for input (elicitation), which the client has not declared";
	return old && schema_is_new(j, json_get(j, params, SPAN("requestedSchema"))) ?
		"The server asks the user for several choices at once, which the client's revision does not have" : NULL;
}

/* ---- asking ---- */

static void name_of(struct buf *b, const struct json *j, uint32_t name)
{
	if (b->p[b->n - 1] != '{')
		BUF_LIT(b, ",");
	buf_put(b, json_raw(j, name));
	BUF_LIT(b, ":");
}

/* Titled choices as 2025-06-18 has them (enum and enumNames); defaults only where it has them. */
static void property(struct buf *b, const struct json *j, uint32_t p)
{
	uint32_t one_of = json_get(j, p, SPAN("oneOf"));
	bool boolean = json_is(j, json_get(j, p, SPAN("type")), SPAN("boolean"));

	BUF_LIT(b, "{");
	for (uint32_t n = json_first(j, p); n != JSON_NONE; n = json_next(j, p, n)) {
		uint32_t v = json_value(j, n);

		if (json_is(j, n, SPAN("default")) && !boolean)
			continue;
		if (v != one_of || json_type(j, v) != JSON_ARRAY) {
			name_of(b, j, n);
			buf_put(b, json_raw(j, v));
			continue;
		}
		for (unsigned k = 0; k < 2; k++) {
			bool any = false;

			if (b->p[b->n - 1] != '{')
				BUF_LIT(b, ",");
			buf_put(b, k == 0 ? SPAN("\"enum\":[") : SPAN("\"enumNames\":["));
			for (uint32_t x = json_first(j, v); x != JSON_NONE; x = json_next(j, v, x)) {
				struct span constant = json_raw(j, json_get(j, x, SPAN("const"))), title = json_raw(j, json_get(j, x, SPAN("title")));

				buf_put(b, any ? SPAN(",") : SPAN(""));
				any = true;
				buf_put(b, span_absent(constant) ? SPAN("\"\"") : k == 0 || span_absent(title) ? constant : title);
			}
			BUF_LIT(b, "]");
		}
	}
	BUF_LIT(b, "}");
}

static void schema(struct buf *b, const struct json *j, uint32_t s)
{
	BUF_LIT(b, "{");
	for (uint32_t n = json_first(j, s); n != JSON_NONE; n = json_next(j, s, n)) {
		uint32_t v = json_value(j, n);

		name_of(b, j, n);
		if (!json_is(j, n, SPAN("properties")) || json_type(j, v) != JSON_OBJECT) {
			buf_put(b, json_raw(j, v));
			continue;
		}
		BUF_LIT(b, "{");
		for (uint32_t p = json_first(j, v); p != JSON_NONE; p = json_next(j, v, p)) {
			name_of(b, j, p);
			if (json_type(j, json_value(j, p)) == JSON_OBJECT)
				property(b, j, json_value(j, p));
			else
				buf_put(b, json_raw(j, json_value(j, p)));
		}
		BUF_LIT(b, "}");
	}
	BUF_LIT(b, "}");
}

/* A message has one block before 2025-11-25: several become several messages. */
static void messages(struct buf *b, const struct json *j, uint32_t list)
{
	bool any = false;

	BUF_LIT(b, "[");
	for (uint32_t m = json_first(j, list); m != JSON_NONE; m = json_next(j, list, m)) {
		uint32_t content = json_get(j, m, SPAN("content"));
		struct span role = json_raw(j, json_get(j, m, SPAN("role")));

		if (json_type(j, content) != JSON_ARRAY) {
			buf_put(b, any ? SPAN(",") : SPAN(""));
			buf_put(b, json_raw(j, m));
			any = true;
			continue;
		}
		for (uint32_t x = json_first(j, content); x != JSON_NONE; x = json_next(j, content, x)) {
			buf_put(b, any ? SPAN(",{\"role\":") : SPAN("{\"role\":"));
			buf_put(b, span_absent(role) ? SPAN("\"user\"") : role);
			BUF_LIT(b, ",\"content\":");
			buf_put(b, json_raw(j, x));
			BUF_LIT(b, "}");
			any = true;
		}
	}
	BUF_LIT(b, "]");
}

static void write_params(struct buf *b, const struct session *s, const struct json *j, uint32_t params, const struct input *in)
{
	bool old = s->version != V_2025_11_25;

	BUF_LIT(b, "{");
	for (uint32_t n = json_first(j, params); n != JSON_NONE; n = json_next(j, params, n)) {
		uint32_t v = json_value(j, n);

		if (json_is(j, n, SPAN("elicitationId")) || (old && json_is(j, n, SPAN("mode"))))
			continue;
		name_of(b, j, n);
		if (old && in->kind == INPUT_ELICIT && json_is(j, n, SPAN("requestedSchema")))
			schema(b, j, v);
		else if (old && in->kind == INPUT_SAMPLING && json_is(j, n, SPAN("messages")))
			messages(b, j, v);
		else
			buf_put(b, json_raw(j, v));
	}
	if (in->kind == INPUT_URL) {
		BUF_LIT(b, ",\"elicitationId\":\"e-");
		buf_hex(b, &in->elicitation, sizeof in->elicitation);
		BUF_LIT(b, "\"");
	}
	BUF_LIT(b, "}");
}

static bool ask_client(struct elder *e, struct call *c, uint32_t request, struct input *in)
{
	const struct json *j = &e->j;
	struct buf b = buf_on(e->out, e->answer_cap);

	in->id = ++c->s->requests;
	if (in->kind == INPUT_URL)
		crypto_drbg_take(&e->random, &in->elicitation, sizeof in->elicitation);
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_u64(&b, in->id);
	BUF_LIT(&b, ",\"method\":\"");
	buf_put(&b, methods[in->kind]);
	BUF_LIT(&b, "\"");
	if (in->kind != INPUT_ROOTS) {
		BUF_LIT(&b, ",\"params\":");
		write_params(&b, c->s, j, json_get(j, request, SPAN("params")), in);
	}
	BUF_LIT(&b, "}");
	if (b.full)
		return false;
	post_say(e, c->post, buf_span(&b));
	return true;
}

void input_required(struct elder *e, struct call *c, uint32_t result, int64_t now_ms)
{
	const struct json *j = &e->j;
	uint32_t requests = json_get(j, result, SPAN("inputRequests")), state = json_get(j, result, SPAN("requestState"));
	const char *why = NULL;

	input_clear(e, c);
	owner_drop(e, c->s->owner, &c->request_state);
	c->has_state = json_type(j, state) == JSON_STRING;
	if (++c->rounds > ELDER_ROUNDS)
		why = "The server asked for more input too many times";
	else if (json_size(j, requests) > ELDER_INPUTS)
		why = "The server asks for too much at once";
	else if (json_size(j, requests) == 0 && !c->has_state)
		why = "The server asks for input and does not say for which";
	for (uint32_t n = json_first(j, requests); !why && n != JSON_NONE; n = json_next(j, requests, n)) {
		struct input *in = &c->inputs[c->ninputs];

		memset(in, 0, sizeof *in);
		why = refused(c->s, j, json_value(j, n), in);
		if (!why && !owner_put(e, c->s->owner, &in->key, json_raw(j, n)))
			why = "Postern has no room for what the server asks";
		c->ninputs += !why;
	}
	if (!why && c->has_state && !owner_put(e, c->s->owner, &c->request_state, json_raw(j, state)))
		why = "Postern has no room for what the server asks";
	if (!why && c->ninputs > 0 && !c->post->attached && !c->post->begun)
		why = "The client is gone";
	unsigned i = 0;
	for (uint32_t n = json_first(j, requests); !why && n != JSON_NONE; n = json_next(j, requests, n))
		if (!ask_client(e, c, json_value(j, n), &c->inputs[i++]))
			why = "What the server asks is too long";
	if (why) {
		elder_call_fail(e, c, span_z(why), NOTHING);
		return;
	}
	c->nopen = c->ninputs;
	c->state = c->ninputs > 0 ? CALL_WAITS_FOR_CLIENT : CALL_AGAIN;
	c->at_ms = now_ms + (c->ninputs > 0 ? ELDER_ANSWER_MS : (int64_t)AGAIN_MS << c->rounds);
}

void input_write(struct elder *e, const struct call *c, struct buf *b)
{
	(void)e;
	if (c->ninputs > 0) {
		BUF_LIT(b, "\"inputResponses\":{");
		for (unsigned i = 0; i < c->ninputs; i++) {
			if (i > 0)
				BUF_LIT(b, ",");
			store_text(&c->inputs[i].key, b);
			BUF_LIT(b, ":");
			store_text(&c->inputs[i].answer, b);
		}
		BUF_LIT(b, "},");
	}
	if (c->has_state) {
		BUF_LIT(b, "\"requestState\":");
		store_text(&c->request_state, b);
		BUF_LIT(b, ",");
	}
}

/* ---- answers ---- */

static struct input *open_input(struct session *s, uint64_t id, struct call **of)
{
	for (struct list *n = s->calls.next; n != &s->calls; n = n->next) {
		struct call *c = LIST_OWNER(n, struct call, node);

		for (unsigned i = 0; c->state == CALL_WAITS_FOR_CLIENT && i < c->ninputs; i++)
			if (c->inputs[i].id == id && !c->inputs[i].done) {
				*of = c;
				return &c->inputs[i];
			}
	}
	return NULL;
}

static bool take(struct elder *e, struct call *c, struct input *in, struct span answer)
{
	if (!owner_put(e, c->s->owner, &in->answer, answer)) {
		elder_call_fail(e, c, SPAN("Postern has no room for the client's answer"), NOTHING);
		return false;
	}
	in->done = true;
	c->nopen--;
	return true;
}

/* It cannot or will not say: a user may cancel, but there is no such word for the others. */
static bool take_refusal(struct elder *e, struct call *c, struct input *in, struct span detail)
{
	if (in->kind == INPUT_ELICIT || in->kind == INPUT_URL)
		return take(e, c, in, SPAN("{\"action\":\"cancel\"}"));
	elder_call_fail(e, c, in->kind == INPUT_ROOTS ? SPAN("The client did not answer roots/list") : SPAN("The client did not answer sampling/createMessage"), detail);
	return false;
}

void input_answer(struct elder *e, struct session *s, const struct mcp_message *m)
{
	const struct json *j = &e->j;
	struct call *c = NULL;
	struct input *in;
	uint64_t id;
	char mem[512];
	struct buf text = buf_on(mem, sizeof mem);

	if (span_absent(m->id) || !text_u64(m->id, &id) || !(in = open_input(s, id, &c)))
		return; /* late, or not to a question of ours */
	if (m->kind == MCP_RESULT && json_type(j, m->result) == JSON_OBJECT) {
		in->accepted = json_is(j, json_get(j, m->result, SPAN("action")), SPAN("accept"));
		if (!take(e, c, in, json_raw(j, m->result)))
			return;
	} else {
		json_text(j, json_get(j, m->error, SPAN("message")), &text);
		if (!take_refusal(e, c, in, buf_span(&text)))
			return;
	}
	if (c->nopen == 0)
		elder_call_ask_again(e, c);
}

void input_late(struct elder *e, struct call *c)
{
	for (unsigned i = 0; i < c->ninputs; i++) {
		struct input *in = &c->inputs[i];
		char mem[192];
		struct buf b = buf_on(mem, sizeof mem);

		if (in->done)
			continue;
		BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":");
		buf_u64(&b, in->id);
		BUF_LIT(&b, ",\"reason\":\"No answer came in time\"}}");
		post_say(e, c->post, buf_span(&b));
		if (!take_refusal(e, c, in, SPAN("no answer came in time")))
			return;
	}
	elder_call_ask_again(e, c);
}

void input_completed(struct elder *e, struct call *c)
{
	for (unsigned i = 0; i < c->ninputs; i++) {
		const struct input *in = &c->inputs[i];
		char mem[192];
		struct buf b = buf_on(mem, sizeof mem);

		if (in->kind != INPUT_URL || !in->accepted)
			continue;
		BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{\"elicitationId\":\"e-");
		buf_hex(&b, &in->elicitation, sizeof in->elicitation);
		BUF_LIT(&b, "\"}}");
		post_say(e, c->post, buf_span(&b));
	}
}
