/* What of `_meta` passes, in requests and in what comes back: gate/meta judges each member, and here it becomes edits of the judged text. The
 * places where a _meta stands are walked one by one: what looks like one inside arguments or structured content is data and not touched. */
#include "flow/flow_priv.h"
#include "gate/meta.h"

static void count(const struct upstream *up, enum meta_way way)
{
	metrics_add(up->f->metrics, way == META_REQUEST ? METRIC_META_DROPPED_CLIENT : METRIC_META_DROPPED_UPSTREAM, 1);
}

/* Extensions in capabilities: only those that are known here pass, since others cannot be carried. */
static void extension_edits(const struct upstream *up, uint32_t capabilities, struct edits *s)
{
	const struct json *j = &up->f->json;
	uint32_t extensions = json_get(j, capabilities, SPAN("extensions"));

	if (json_type(j, extensions) != JSON_OBJECT)
		return;
	struct edit_gap g = { json_raw(j, extensions).p + 1, NULL, NULL };
	for (uint32_t name = json_first(j, extensions); name != JSON_NONE; name = json_next(j, extensions, name)) {
		struct span raw = json_raw(j, name), value = json_raw(j, json_value(j, name));
		if (meta_extension_passes(j, name, &up->set->meta)) {
			edit_keep(&g, raw.p, value.p + value.n, s);
		} else {
			edit_drop(&g, raw.p, value.p + value.n);
			count(up, META_REQUEST);
		}
	}
	edit_gap_end(&g, s);
}

static void meta_edits(const struct upstream *up, enum meta_way way, uint32_t meta, struct edits *s)
{
	const struct json *j = &up->f->json;

	if (json_type(j, meta) != JSON_OBJECT)
		return;
	struct edit_gap g = { json_raw(j, meta).p + 1, NULL, NULL };
	for (uint32_t name = json_first(j, meta); name != JSON_NONE; name = json_next(j, meta, name)) {
		struct span raw = json_raw(j, name), value = json_raw(j, json_value(j, name));
		if (meta_passes(j, meta, name, way, &up->set->meta)) {
			edit_keep(&g, raw.p, value.p + value.n, s);
		} else {
			edit_drop(&g, raw.p, value.p + value.n);
			count(up, way);
		}
	}
	edit_gap_end(&g, s);
}

static void part(const struct upstream *up, uint32_t object, struct edits *s)
{
	if (json_type(&up->f->json, object) == JSON_OBJECT)
		meta_edits(up, META_PART, json_get(&up->f->json, object, SPAN("_meta")), s);
}

/* One piece of content, and the resource that may be embedded in it. */
static void content(const struct upstream *up, uint32_t piece, struct edits *s)
{
	const struct json *j = &up->f->json;

	if (json_type(j, piece) != JSON_OBJECT)
		return;
	part(up, piece, s);
	part(up, json_get(j, piece, SPAN("resource")), s);
}

static void contents(const struct upstream *up, uint32_t list, struct edits *s)
{
	const struct json *j = &up->f->json;

	if (json_type(j, list) != JSON_ARRAY)
		content(up, list, s);
	else
		for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e))
			content(up, e, s);
}

/* Members that are answers or questions of the other side: each an object with a _meta of its own, or one in its params. */
static void exchanges(const struct upstream *up, uint32_t object, struct edits *s)
{
	const struct json *j = &up->f->json;

	if (json_type(j, object) != JSON_OBJECT)
		return;
	for (uint32_t name = json_first(j, object); name != JSON_NONE; name = json_next(j, object, name)) {
		uint32_t value = json_value(j, name);
		if (json_type(j, value) != JSON_OBJECT)
			continue;
		part(up, value, s);
		part(up, json_get(j, value, SPAN("params")), s);
		contents(up, json_get(j, value, SPAN("content")), s);
		uint32_t messages = json_get(j, json_get(j, value, SPAN("params")), SPAN("messages")); /* of a question to a model */
		if (json_type(j, messages) == JSON_ARRAY)
			for (uint32_t e = json_first(j, messages); e != JSON_NONE; e = json_next(j, messages, e))
				contents(up, json_get(j, e, SPAN("content")), s);
	}
}

void hygiene_meta(const struct upstream *up, uint32_t meta, struct edits *s)
{
	const struct json *j = &up->f->json;

	meta_edits(up, META_REQUEST, meta, s);
	extension_edits(up, json_get(j, meta, SPAN(MCP_META_CAPABILITIES)), s);
}

void hygiene_request(const struct upstream *up, const struct mcp_message *m, struct edits *s)
{
	hygiene_meta(up, m->meta, s);
	if (m->method == MCP_TOOLS_CALL || m->method == MCP_PROMPTS_GET || m->method == MCP_RESOURCES_READ || m->method == MCP_TASKS_UPDATE)
		exchanges(up, json_get(&up->f->json, m->params, SPAN("inputResponses")), s);
}

void hygiene_entry(const struct upstream *up, uint32_t entry, struct edits *s) { part(up, entry, s); }

void hygiene_result(const struct upstream *up, enum mcp_method method, uint32_t result, struct edits *s)
{
	const struct json *j = &up->f->json;

	/* Members are looked at once, in order: results are small objects with large values. */
	for (uint32_t name = json_first(j, result); name != JSON_NONE; name = json_next(j, result, name)) {
		uint32_t value = json_value(j, name);

		if (json_is(j, name, SPAN("_meta")))
			meta_edits(up, META_RESULT, value, s);
		else if (json_is(j, name, SPAN("inputRequests")))
			exchanges(up, value, s);
		else if (method == MCP_TOOLS_CALL && json_is(j, name, SPAN("content")))
			contents(up, value, s);
		else if (method == MCP_RESOURCES_READ && json_is(j, name, SPAN("contents")))
			contents(up, value, s);
		else if (method == MCP_PROMPTS_GET && json_is(j, name, SPAN("messages")) && json_type(j, value) == JSON_ARRAY)
			for (uint32_t e = json_first(j, value); e != JSON_NONE; e = json_next(j, value, e))
				contents(up, json_get(j, e, SPAN("content")), s);
	}
}

void hygiene_event(const struct upstream *up, const struct mcp_message *m, struct edits *s)
{
	meta_edits(up, META_RESULT, json_get(&up->f->json, m->params, SPAN("_meta")), s);
}
