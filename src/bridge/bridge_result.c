/* Answers of old revisions in today's words (mcp.md 14.1, 14.2), and those of today's as they are. */
#include "bridge/bridge_state.h"
#include "gate/catalog.h"

enum { OLD_NOT_FOUND = -32002, OLD_FIRST = -32019, OLD_LAST = -32000 };

void result_open(struct buf *out, struct span id)
{
	BUF_LIT(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(out, id);
	BUF_LIT(out, ",\"result\":{");
}

void result_server(struct bridge *b, struct buf *out, bool *any)
{
	if (span_absent(b->server_name))
		return;
	say_member(out, any, SPAN("\"" MCP_META_SERVER "\""));
	buf_put(out, b->server_name);
}

bool result_modern(struct bridge *b, struct bridge_call *c, struct buf *out, const struct mcp_message *m)
{
	static const struct span meta[] = { { "_meta", 5 } }, drop[] = { { MCP_META_SUBSCRIPTION, sizeof(MCP_META_SUBSCRIPTION) - 1 } };
	const struct json *j = &b->json;
	bool any = false, inside = false;

	result_open(out, call_id(c));
	say_members(out, j, m->result, meta, 1, &any);
	say_member(out, &any, SPAN("\"_meta\""));
	BUF_LIT(out, "{");
	say_meta(out, j, json_get(j, m->result, SPAN("_meta")), false, drop, 1, &inside);
	if (c->method == MCP_LISTEN) {
		say_member(out, &inside, SPAN("\"" MCP_META_SUBSCRIPTION "\""));
		buf_put(out, call_id(c));
	}
	BUF_LIT(out, "}}}");
	return true;
}

struct shape {
	struct span member; /* an array that must be there */
	unsigned changed;   /* the upstream says when it changes */
};

static struct shape shape_of(enum mcp_method m)
{
	switch (m) {
	case MCP_TOOLS_LIST:
		return (struct shape){ SPAN("tools"), OFFER_TOOLS_CHANGED };
	case MCP_PROMPTS_LIST:
		return (struct shape){ SPAN("prompts"), OFFER_PROMPTS_CHANGED };
	case MCP_RESOURCES_LIST:
		return (struct shape){ SPAN("resources"), OFFER_RESOURCES_CHANGED };
	case MCP_TEMPLATES_LIST:
		return (struct shape){ SPAN("resourceTemplates"), OFFER_RESOURCES_CHANGED };
	case MCP_PROMPTS_GET:
		return (struct shape){ SPAN("messages"), 0 };
	case MCP_RESOURCES_READ:
		return (struct shape){ SPAN("contents"), 0 };
	default:
		return (struct shape){ NOTHING, 0 };
	}
}

/* inputSchema without x-mcp-header in its properties. */
static void put_schema(struct buf *out, const struct json *j, uint32_t schema)
{
	static const struct span properties[] = { { "properties", 10 } }, header[] = { { "x-mcp-header", 12 } };
	uint32_t list = json_get(j, schema, properties[0]);
	bool any = false, inside = false;

	if (json_type(j, schema) != JSON_OBJECT || json_type(j, list) != JSON_OBJECT) {
		buf_put(out, json_raw(j, schema));
		return;
	}
	BUF_LIT(out, "{");
	say_members(out, j, schema, properties, 1, &any);
	say_member(out, &any, SPAN("\"properties\""));
	BUF_LIT(out, "{");
	for (uint32_t name = json_first(j, list); name != JSON_NONE; name = json_next(j, list, name)) {
		uint32_t value = json_value(j, name);
		say_member(out, &inside, json_raw(j, name));
		if (json_type(j, value) == JSON_OBJECT && json_get(j, value, header[0]) != JSON_NONE) {
			bool in_value = false;
			BUF_LIT(out, "{");
			say_members(out, j, value, header, 1, &in_value);
			BUF_LIT(out, "}");
		} else {
			buf_put(out, json_raw(j, value));
		}
	}
	BUF_LIT(out, "}}");
}

static void put_tools(struct buf *out, const struct json *j, uint32_t list)
{
	static const struct span drop[] = { { "execution", 9 }, { "inputSchema", 11 } };
	bool first = true;

	BUF_LIT(out, "[");
	for (uint32_t tool = json_first(j, list); tool != JSON_NONE; tool = json_next(j, list, tool)) {
		uint32_t schema = json_get(j, tool, drop[1]);
		struct span why;
		bool any = false;

		if (json_type(j, tool) != JSON_OBJECT)
			continue;
		buf_put(out, first ? SPAN("{") : SPAN(",{"));
		first = false;
		say_members(out, j, tool, drop, 2, &any);
		if (schema != JSON_NONE) {
			say_member(out, &any, SPAN("\"inputSchema\""));
			/* An old server may mean it as today's do; if it cannot be meant so it is there by accident (mcp.md 14.2), and is no reason to lose the tool. */
			if (catalog_judge(j, tool, &why) == CATALOG_INVALID)
				put_schema(out, j, schema);
			else
				buf_put(out, json_raw(j, schema));
		}
		BUF_LIT(out, "}");
	}
	BUF_LIT(out, "]");
}

bool result_legacy(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, struct buf *out, const struct mcp_message *m)
{
	static const struct span drop[] = { { "_meta", 5 }, { "resultType", 10 }, { "ttlMs", 5 }, { "cacheScope", 10 }, { "inputRequests", 13 },
		{ "requestState", 12 }, { "tools", 5 } };
	const struct json *j = &b->json;
	struct shape shape = shape_of((enum mcp_method)c->method);
	uint32_t list = span_absent(shape.member) ? JSON_NONE : json_get(j, m->result, shape.member);
	uint32_t content = json_get(j, m->result, SPAN("content"));
	bool tools = c->method == MCP_TOOLS_LIST, any = false, inside = false;

	if ((!span_absent(shape.member) && json_type(j, list) != JSON_ARRAY) ||
	    (c->method == MCP_TOOLS_CALL && content != JSON_NONE && json_type(j, content) != JSON_ARRAY) ||
	    (c->method == MCP_COMPLETE && json_type(j, json_get(j, m->result, SPAN("completion"))) != JSON_OBJECT))
		return false;
	result_open(out, call_id(c));
	say_members(out, j, m->result, drop, tools ? 7 : 6, &any);
	if (tools) {
		say_member(out, &any, SPAN("\"tools\""));
		put_tools(out, j, list);
	}
	if (c->method == MCP_TOOLS_CALL && content == JSON_NONE) {
		say_member(out, &any, SPAN("\"content\""));
		BUF_LIT(out, "[]");
	}
	say_member(out, &any, SPAN("\"resultType\""));
	BUF_LIT(out, "\"complete\"");
	if (mcp_method_cached((enum mcp_method)c->method)) {
		BUF_LIT(out, ",\"ttlMs\":");
		buf_i64(out, p->offers & shape.changed ? b->s.ttl_ms : 0);
		BUF_LIT(out, ",\"cacheScope\":\"private\"");
	}
	BUF_LIT(out, ",\"_meta\":{");
	say_meta(out, j, json_get(j, m->result, SPAN("_meta")), true, NULL, 0, &inside);
	result_server(b, out, &inside);
	BUF_LIT(out, "}}}");
	return true;
}

/* A library of today may speak as a server of old and say what its client should have declared: that means the same in both. */
static bool code_is_today(const struct json *j, uint32_t error)
{
	uint32_t needed = json_get(j, json_get(j, error, SPAN("data")), SPAN("requiredCapabilities"));
	int64_t code;

	return json_int(j, json_get(j, error, SPAN("code")), &code) && code == MCP_MISSING_CAPABILITY && json_type(j, needed) == JSON_OBJECT;
}

void result_error(struct bridge *b, struct bridge_call *c, struct buf *out, const struct mcp_message *m)
{
	static const struct span code_name[] = { { "code", 4 }, { "data", 4 } };
	const struct json *j = &b->json;
	int64_t code = 0;
	bool any = true, ours = code_is_today(j, m->error);

	(void)json_int(j, json_get(j, m->error, code_name[0]), &code);
	BUF_LIT(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(out, call_id(c));
	BUF_LIT(out, ",\"error\":{\"code\":");
	if (b->modern || ours || ((code < OLD_FIRST || code > OLD_LAST) && code != BRIDGE_URL_REQUIRED && (code < MCP_UNSUPPORTED_VERSION || code > MCP_HEADER_MISMATCH))) {
		buf_i64(out, code);
		say_members(out, j, m->error, code_name, 1, &any);
	} else if (code == OLD_NOT_FOUND) {
		buf_i64(out, MCP_INVALID_PARAMS);
		say_members(out, j, m->error, code_name, 1, &any);
	} else { /* of each implementation its own, or of today's with a meaning it cannot have meant: nobody may read anything into it */
		buf_i64(out, MCP_INTERNAL);
		say_members(out, j, m->error, code_name, 2, &any);
		BUF_LIT(out, ",\"data\":{\"upstream\":");
		json_write_string(out, b->s.name);
		BUF_LIT(out, ",\"code\":");
		buf_i64(out, code);
		if (json_get(j, m->error, code_name[1]) != JSON_NONE) {
			BUF_LIT(out, ",\"data\":");
			buf_put(out, json_raw(j, json_get(j, m->error, code_name[1])));
		}
		BUF_LIT(out, "}");
	}
	BUF_LIT(out, "}}");
}

static void put_capability(struct buf *out, bool *any, unsigned offers, unsigned flag, struct span quoted, unsigned changed, unsigned subscribe)
{
	bool inside = false;

	if (!(offers & flag))
		return;
	say_member(out, any, quoted);
	BUF_LIT(out, "{");
	if (offers & subscribe) {
		say_member(out, &inside, SPAN("\"subscribe\""));
		BUF_LIT(out, "true");
	}
	if (offers & changed) {
		say_member(out, &inside, SPAN("\"listChanged\""));
		BUF_LIT(out, "true");
	}
	BUF_LIT(out, "}");
}

/* server/discover of an upstream that has not got it, from what its initialize said. */
void result_discover(struct bridge *b, struct bridge_call *c)
{
	struct buf out = say_begin(b);
	unsigned offers = b->peers[0].offers;
	bool any = false, inside = false;

	if (b->s.peers_max < 2)
		offers &= ~(unsigned)OFFER_LOGGING; /* nobody would hear any */
	result_open(&out, call_id(c));
	BUF_LIT(&out, "\"resultType\":\"complete\",\"supportedVersions\":[\"" MCP_VERSION "\"],\"capabilities\":{");
	put_capability(&out, &any, offers, OFFER_COMPLETIONS, SPAN("\"completions\""), 0, 0);
	put_capability(&out, &any, offers, OFFER_LOGGING, SPAN("\"logging\""), 0, 0);
	put_capability(&out, &any, offers, OFFER_PROMPTS, SPAN("\"prompts\""), OFFER_PROMPTS_CHANGED, 0);
	put_capability(&out, &any, offers, OFFER_RESOURCES, SPAN("\"resources\""), OFFER_RESOURCES_CHANGED, OFFER_SUBSCRIBE);
	put_capability(&out, &any, offers, OFFER_TOOLS, SPAN("\"tools\""), OFFER_TOOLS_CHANGED, 0);
	BUF_LIT(&out, "}");
	if (!span_absent(b->instructions)) {
		BUF_LIT(&out, ",\"instructions\":");
		buf_put(&out, b->instructions);
	}
	BUF_LIT(&out, ",\"ttlMs\":");
	buf_i64(&out, b->s.ttl_ms);
	BUF_LIT(&out, ",\"cacheScope\":\"private\",\"_meta\":{");
	if (!span_absent(b->server_info)) {
		say_member(&out, &inside, SPAN("\"" MCP_META_SERVER "\""));
		buf_put(&out, b->server_info);
	} else {
		result_server(b, &out, &inside);
	}
	BUF_LIT(&out, "}}}");
	call_answer(b, c, &out);
}
