#include "elder/elder_priv.h"

#include "wire/json_write.h"

/* Writes an array, each element by one(). */
static void each(struct elder *e, const struct call *c, uint32_t array, struct buf *b,
	void (*one)(struct elder *e, const struct call *c, uint32_t element, struct buf *b))
{
	const struct json *j = &e->j;
	bool any = false;

	BUF_LIT(b, "[");
	for (uint32_t x = json_first(j, array); x != JSON_NONE; x = json_next(j, array, x)) {
		if (any)
			BUF_LIT(b, ",");
		any = true;
		one(e, c, x, b);
	}
	BUF_LIT(b, "]");
}

static void member(const struct json *j, uint32_t name, struct buf *b, bool *any)
{
	if (*any)
		BUF_LIT(b, ",");
	*any = true;
	buf_put(b, json_raw(j, name));
	BUF_LIT(b, ":");
}

/* An output schema that is no object's: clients of these revisions refuse the whole list for it. */
static void tool(struct elder *e, const struct call *c, uint32_t t, struct buf *b)
{
	const struct json *j = &e->j;
	uint32_t schema = json_get(j, t, SPAN("outputSchema"));
	bool any = false;
	(void)c;

	if (schema == JSON_NONE || json_is(j, json_get(j, schema, SPAN("type")), SPAN("object"))) {
		buf_put(b, json_raw(j, t));
		return;
	}
	BUF_LIT(b, "{");
	for (uint32_t n = json_first(j, t); n != JSON_NONE; n = json_next(j, t, n)) {
		if (json_value(j, n) == schema)
			continue;
		member(j, n, b, &any);
		buf_put(b, json_raw(j, json_value(j, n)));
	}
	BUF_LIT(b, "}");
}

/* 2025-03-26 has no links to resources in contents: they become text. */
static void block(struct elder *e, const struct call *c, uint32_t x, struct buf *b)
{
	const struct json *j = &e->j;

	if (c->s->version != V_2025_03_26 || !json_is(j, json_get(j, x, SPAN("type")), SPAN("resource_link"))) {
		buf_put(b, json_raw(j, x));
		return;
	}
	struct span name = json_inner(j, json_get(j, x, SPAN("name"))), uri = json_inner(j, json_get(j, x, SPAN("uri")));
	BUF_LIT(b, "{\"type\":\"text\",\"text\":\"");
	if (name.n > 0) {
		buf_put(b, name);
		BUF_LIT(b, ": ");
	}
	if (uri.n > 0)
		buf_put(b, uri);
	BUF_LIT(b, "\"}");
}

static void message(struct elder *e, const struct call *c, uint32_t x, struct buf *b)
{
	const struct json *j = &e->j;
	uint32_t content = json_get(j, x, SPAN("content"));
	bool any = false;

	if (json_type(j, content) != JSON_OBJECT) {
		buf_put(b, json_raw(j, x));
		return;
	}
	BUF_LIT(b, "{");
	for (uint32_t n = json_first(j, x); n != JSON_NONE; n = json_next(j, x, n)) {
		member(j, n, b, &any);
		if (json_value(j, n) == content)
			block(e, c, content, b);
		else
			buf_put(b, json_raw(j, json_value(j, n)));
	}
	BUF_LIT(b, "}");
}

static bool has_text(const struct json *j, uint32_t content)
{
	for (uint32_t x = json_first(j, content); x != JSON_NONE; x = json_next(j, content, x))
		if (json_is(j, json_get(j, x, SPAN("type")), SPAN("text")))
			return true;
	return false;
}

/* The contents of a tool's result, with what has no other place any more as text in front. */
static void contents(struct elder *e, const struct call *c, uint32_t content, uint32_t lost, struct buf *b)
{
	const struct json *j = &e->j;

	if (lost == JSON_NONE || has_text(j, content)) {
		each(e, c, content, b, block);
		return;
	}
	BUF_LIT(b, "[{\"type\":\"text\",\"text\":");
	json_write_string(b, json_raw(j, lost));
	BUF_LIT(b, "}");
	for (uint32_t x = json_first(j, content); x != JSON_NONE; x = json_next(j, content, x)) {
		BUF_LIT(b, ",");
		block(e, c, x, b);
	}
	BUF_LIT(b, "]");
}

bool result_write(struct elder *e, const struct call *c, uint32_t result, struct buf *b)
{
	const struct json *j = &e->j;
	uint32_t structured = c->method == MCP_TOOLS_CALL ? json_get(j, result, SPAN("structuredContent")) : JSON_NONE;
	uint32_t lost = structured != JSON_NONE && json_type(j, structured) != JSON_OBJECT ? structured : JSON_NONE;
	bool any = false;

	BUF_LIT(b, "{");
	for (uint32_t n = json_first(j, result); n != JSON_NONE; n = json_next(j, result, n)) {
		uint32_t v = json_value(j, n);

		if (json_is(j, n, SPAN("resultType")) || json_is(j, n, SPAN("ttlMs")) || json_is(j, n, SPAN("cacheScope")) || (v == lost && lost != JSON_NONE))
			continue;
		member(j, n, b, &any);
		if (c->method == MCP_TOOLS_LIST && json_is(j, n, SPAN("tools")) && json_type(j, v) == JSON_ARRAY)
			each(e, c, v, b, tool);
		else if (c->method == MCP_TOOLS_CALL && json_is(j, n, SPAN("content")) && json_type(j, v) == JSON_ARRAY)
			contents(e, c, v, lost, b);
		else if (c->method == MCP_PROMPTS_GET && json_is(j, n, SPAN("messages")) && json_type(j, v) == JSON_ARRAY)
			each(e, c, v, b, message);
		else
			buf_put(b, json_raw(j, v));
	}
	BUF_LIT(b, "}");
	return !b->full;
}
