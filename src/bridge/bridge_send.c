#include "bridge/bridge_state.h"

static const struct span levels[] = {
	{ "debug", 5 }, { "info", 4 }, { "notice", 6 }, { "warning", 7 }, { "error", 5 }, { "critical", 8 }, { "alert", 5 }, { "emergency", 9 },
};
enum { LEVELS = sizeof levels / sizeof levels[0] };

unsigned level_of(const struct json *j, uint32_t token)
{
	for (unsigned i = 0; i < LEVELS; i++)
		if (json_is(j, token, levels[i]))
			return i + 1;
	return 0;
}

static void open_request(struct buf *out, uint64_t id, struct span method)
{
	BUF_LIT(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_u64(out, id);
	BUF_LIT(out, ",\"method\":\"");
	buf_put(out, method);
	BUF_LIT(out, "\",\"params\":{");
}

static void put_token(struct buf *out, const struct bridge_call *c, bool *any)
{
	if (c->token_n == 0)
		return;
	say_member(out, any, SPAN("\"progressToken\""));
	buf_u64(out, c->id_up);
}

/* params._meta of a modern upstream: what came, with our token, and log messages only for the one call that can have them. */
static void modern_params(struct bridge *b, struct bridge_call *c, const struct mcp_message *m, struct buf *out)
{
	static const struct span meta[] = { { "_meta", 5 } }, drop[] = { { "progressToken", 13 }, { MCP_META_LOG_LEVEL, sizeof(MCP_META_LOG_LEVEL) - 1 } };
	const struct json *j = &b->json;
	bool any = false, inside = false;

	say_members(out, j, m->params, meta, 1, &any);
	say_member(out, &any, SPAN("\"_meta\""));
	BUF_LIT(out, "{");
	say_meta(out, j, m->meta, false, drop, b->seat == c->id_up ? 1 : 2, &inside);
	put_token(out, c, &inside);
	BUF_LIT(out, "}}}");
}

static void legacy_params(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, const struct mcp_message *m, struct buf *out)
{
	static const struct span drop[] = { { "_meta", 5 }, { "inputResponses", 14 }, { "requestState", 12 }, { "context", 7 } };
	static const struct span token[] = { { "progressToken", 13 } };
	const struct json *j = &b->json;
	bool any = false, inside = false;
	struct buf meta;
	size_t before;

	say_members(out, j, m->params, drop, c->method == MCP_COMPLETE && p->version >= ERA_2025_03_26 ? 4 : 3, &any);
	before = out->n;
	meta = *out;
	say_member(&meta, &any, SPAN("\"_meta\""));
	BUF_LIT(&meta, "{");
	say_meta(&meta, j, m->meta, true, token, 1, &inside);
	put_token(&meta, c, &inside);
	BUF_LIT(&meta, "}");
	if (inside)
		*out = meta;
	else
		out->n = before;
	BUF_LIT(out, "}}");
}

static bool same_principal(const struct bridge *b, const struct bridge_call *c)
{
	return span_eq(span_of(b->seat_principal, b->seat_n), call_principal(c));
}

/* On a shared line nothing says whose a log message is. So one call at a time is given them, and for a while behind it only calls of the same
 * principal: what comes late must not reach another. A listen has no end and would keep everybody else out. */
static void take_seat(struct bridge *b, struct bridge_call *c)
{
	if (c->level == 0 || c->method == MCP_LISTEN || b->seat != 0 || (!same_principal(b, c) && bridge_now(b) - b->seat_ms < BRIDGE_SEAT_MS && b->seat_ms != 0))
		return;
	b->seat = c->id_up;
	b->seat_n = c->principal_n;
	memcpy(b->seat_principal, c->principal, c->principal_n);
}

bool send_call(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, const struct mcp_message *m)
{
	struct buf out;

	if (b->modern)
		take_seat(b, c);
	else if (c->level != 0 && p->index > 0 && (p->offers & OFFER_LOGGING))
		send_level(b, p, c->level);
	out = say_begin_peer(b);
	open_request(&out, c->id_up, mcp_method_name(c->method));
	if (b->modern)
		modern_params(b, c, m, &out);
	else
		legacy_params(b, p, c, m, &out);
	if (!say_peer(b, p, BRIDGE_REQUEST, c->id_up, &out))
		return false;
	c->state = CALL_SENT;
	c->peer = (int16_t)p->index;
	call_watch(b, c);
	list_append(&p->calls, &c->node);
	return true;
}

bool send_own(struct bridge *b, struct bridge_peer *p, struct span method, struct span params)
{
	uint64_t id = call_own_id(b);
	struct buf out = say_begin_peer(b);

	open_request(&out, id, method);
	buf_put(&out, params);
	BUF_LIT(&out, "}}");
	return say_peer(b, p, BRIDGE_REQUEST, id, &out);
}

/* A session has one level: the most talkative that any call of it wanted. What a call did not want is left out on the way back. */
void send_level(struct bridge *b, struct bridge_peer *p, unsigned level)
{
	char mem[32];
	struct buf params = buf_on(mem, sizeof mem);

	if (p->level != 0 && p->level <= level)
		return;
	BUF_LIT(&params, "\"level\":\"");
	buf_put(&params, levels[level - 1]);
	BUF_LIT(&params, "\"");
	if (send_own(b, p, SPAN("logging/setLevel"), buf_span(&params)))
		p->level = (uint8_t)level;
}

bool send_cancel(struct bridge *b, struct bridge_peer *p, uint64_t id, struct span reason)
{
	struct buf out = say_begin_peer(b);

	BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":");
	buf_u64(&out, id);
	BUF_LIT(&out, ",\"reason\":\"");
	buf_put(&out, reason);
	BUF_LIT(&out, "\"}}");
	return say_peer(b, p, BRIDGE_NOTIFICATION, id, &out);
}
