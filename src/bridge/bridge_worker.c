/* What a worker says: envelope, who calls and what the caller declares. */
#include "bridge/bridge_state.h"

static unsigned caps_of(const struct bridge *b, const struct json *j, uint32_t caps)
{
	uint32_t elicitation = json_get(j, caps, SPAN("elicitation")), sampling = json_get(j, caps, SPAN("sampling"));
	unsigned have = 0;

	if (json_type(j, elicitation) == JSON_OBJECT && (b->s.ask & BRIDGE_ASK_ELICITATION)) {
		bool url = json_type(j, json_get(j, elicitation, SPAN("url"))) == JSON_OBJECT;
		if (!url || json_type(j, json_get(j, elicitation, SPAN("form"))) == JSON_OBJECT) /* bare {} is form */
			have |= CAP_FORM;
		if (url)
			have |= CAP_URL;
	}
	if (json_type(j, sampling) == JSON_OBJECT && (b->s.ask & BRIDGE_ASK_SAMPLING)) {
		have |= CAP_SAMPLING;
		if (json_type(j, json_get(j, sampling, SPAN("tools"))) == JSON_OBJECT)
			have |= CAP_SAMPLING_TOOLS;
		if (json_type(j, json_get(j, sampling, SPAN("context"))) == JSON_OBJECT)
			have |= CAP_SAMPLING_CONTEXT;
	}
	if (json_type(j, json_get(j, caps, SPAN("roots"))) == JSON_OBJECT && (b->s.ask & BRIDGE_ASK_ROOTS))
		have |= CAP_ROOTS;
	return have;
}

/* What the call keeps of the message. False: one of them is not as it must be. */
static bool fill(struct bridge *b, struct bridge_call *c, const struct mcp_message *m, struct span *why)
{
	const struct json *j = &b->json;
	uint32_t principal = json_get(j, m->meta, SPAN(BRIDGE_META_PRINCIPAL)), level = json_get(j, m->meta, SPAN(MCP_META_LOG_LEVEL));

	if (principal != JSON_NONE) {
		struct span text = json_inner(j, principal);
		if (span_absent(text) || text.n == 0 || text.n > BRIDGE_PRINCIPAL_MAX || memchr(text.p, '\\', text.n)) {
			*why = SPAN("params._meta: " BRIDGE_META_PRINCIPAL " must be a string of 1 to 64 bytes");
			return false;
		}
		c->principal_n = (uint16_t)text.n;
		memcpy(c->principal, text.p, text.n);
	}
	if (level != JSON_NONE) {
		c->level = (uint8_t)level_of(j, level);
		if (c->level == 0) {
			*why = SPAN("params._meta: " MCP_META_LOG_LEVEL " is none of debug, info, notice, warning, error, critical, alert, emergency");
			return false;
		}
	}
	if (m->progress_token != JSON_NONE) {
		struct span token = json_raw(j, m->progress_token);
		c->token_n = (uint16_t)token.n;
		memcpy(c->token, token.p, token.n);
	}
	/* Whom nobody can tell from others, nobody may ask. */
	c->caps = c->principal_n > 0 && b->s.peers_max > 1 ? (uint8_t)caps_of(b, j, m->capabilities) : 0;
	c->has_state = json_get(j, m->params, SPAN("requestState")) != JSON_NONE;
	if (park_may(m->method) && (c->caps != 0 || c->has_state))
		round_digest(j, m, c->digest);
	return true;
}

static struct mcp_fault bad_version(const struct json *j, const struct mcp_message *m, struct buf *data)
{
	struct mcp_fault fault = { .code = MCP_UNSUPPORTED_VERSION, .text = SPAN("protocol version not offered; use " MCP_VERSION) };

	BUF_LIT(data, "{\"supported\":[\"" MCP_VERSION "\"],\"requested\":");
	buf_put(data, json_raw(j, m->version));
	BUF_LIT(data, "}");
	if (data->full) {
		buf_reset(data);
		BUF_LIT(data, "{\"supported\":[\"" MCP_VERSION "\"],\"requested\":\"\"}");
	}
	fault.data = buf_span(data);
	return fault;
}

/* A request that is not one to go on. Without room for the answer it takes the place of a call until there is. */
static void refuse(struct bridge *b, unsigned worker, const struct mcp_message *m, const struct mcp_fault *fault)
{
	struct bridge_call *c;

	if (say_error(b, worker, m->id, fault)) {
		b->counts.answers++;
		b->counts.faults++;
		return;
	}
	c = call_new(b, worker, m);
	if (c)
		call_fault(b, c, fault->code, fault->text);
}

static void request(struct bridge *b, unsigned worker, struct span line, struct mcp_message *m)
{
	char mem[512];
	struct buf data = buf_on(mem, sizeof mem);
	struct mcp_fault fault = mcp_request_meta(m, &b->json);
	struct span why = NOTHING;
	struct bridge_call *c;

	b->counts.requests++;
	if (fault.code == 0 && !json_is(&b->json, m->version, SPAN(MCP_VERSION)))
		fault = bad_version(&b->json, m, &data);
	if (fault.code == 0 && m->method >= MCP_REQUESTS)
		fault = (struct mcp_fault){ .code = MCP_METHOD_NOT_FOUND, .text = SPAN("there is no such method") };
	if (fault.code == 0)
		fault = mcp_request_params(m, &b->json);
	if (fault.code == 0 && (call_of_worker(b, worker, m->id) || listen_of_worker(b, worker, m->id)))
		fault = (struct mcp_fault){ .code = MCP_INVALID_REQUEST, .text = SPAN("id: a request with this id is in progress") };
	if (fault.code != 0) {
		refuse(b, worker, m, &fault);
		return;
	}
	c = call_new(b, worker, m);
	if (!c) {
		b->counts.answers++;
		b->counts.faults++;
		b->counts.refused_busy++;
		(void)say_fault(b, worker, m->id, MCP_INTERNAL, SPAN("is busy: too many calls are under way; try again shortly"));
	} else if (!fill(b, c, m, &why)) {
		call_fault(b, c, MCP_INVALID_PARAMS, why);
	} else {
		go_fresh(b, c, line, m);
	}
}

/* An unknown or finished request is no fault (mcp.md 8.1). */
static void cancelled(struct bridge *b, unsigned worker, const struct mcp_message *m)
{
	uint32_t token = json_get(&b->json, m->params, SPAN("requestId"));
	struct span id = json_raw(&b->json, token);
	struct bridge_call *c = token != JSON_NONE ? call_of_worker(b, worker, id) : NULL;
	struct bridge_listen *l = token != JSON_NONE ? listen_of_worker(b, worker, id) : NULL;

	if (c) {
		call_withdraw(b, c, SPAN("cancelled by the caller"));
		call_free(b, c);
	}
	if (l)
		listen_end(b, l);
}

void bridge_worker_line(struct bridge *b, unsigned worker, struct span line)
{
	struct mcp_message m;
	struct mcp_fault fault;
	size_t where;

	if (worker >= b->s.nworkers || !b->up[worker])
		return;
	if (line.n > b->s.line_max) {
		bridge_worker_long(b, worker);
		return;
	}
	if (json_read(&b->json, b->table, line, &where) != JSON_OK) {
		fault = (struct mcp_fault){ .code = MCP_PARSE_ERROR, .text = SPAN("not JSON, or a name twice in one object, or too many values") };
		(void)say_error(b, worker, NOTHING, &fault);
		return;
	}
	fault = mcp_message_read(&m, &b->json);
	if (fault.code != 0)
		(void)say_error(b, worker, m.id, &fault);
	else if (m.kind == MCP_REQUEST)
		request(b, worker, line, &m);
	else if (m.kind == MCP_NOTIFICATION && m.method == MCP_CANCELLED)
		cancelled(b, worker, &m);
	/* A response has no meaning here: workers are asked nothing. */
}
