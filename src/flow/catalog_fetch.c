/* What each upstream offers: asked at start, when it has grown old, when it said it changed, and when somebody needs it. One question at a
 * time per upstream; requests that cannot go on without the answer wait in line. */
#include "flow/flow_priv.h"

#define NOTHING span_of(NULL, 0)

/* They go on later in this turn, when the connection that brought the answer is free again. */
static void wake(struct upstream *up)
{
	while (!list_empty(&up->waiting))
		list_append(&up->f->woken, up->waiting.next);
}

static void ask(struct upstream *up, enum mcp_method method, struct span cursor)
{
	up->catalog_asked = method;
	request_catalog(up, method, cursor);
}

bool catalog_ready(struct upstream *up)
{
	int64_t now = flow_now(up->f);
	bool old = up->catalog_stale || now >= up->catalog_until_ms;

	if (up->catalog_leg || up->catalog_asking)
		return up->catalog_state != CATALOG_FETCHING;
	if (up->catalog_state == CATALOG_NONE || old) {
		if (up->catalog_state != CATALOG_KNOWN)
			up->catalog_state = CATALOG_FETCHING;
		up->catalog_stale = false;
		up->catalog_pages = 0;
		catalog_clear(up->staging);
		up->catalog_asking = true; /* the answer may come before ask() returns */
		ask(up, MCP_DISCOVER, NOTHING);
		up->catalog_asking = false;
	}
	return up->catalog_state != CATALOG_FETCHING;
}

void catalog_failed(struct upstream *up)
{
	if (up->catalog_state != CATALOG_KNOWN) /* what was known stays good while the upstream is away */
		up->catalog_state = CATALOG_FAILED;
	up->catalog_until_ms = flow_now(up->f) + FLOW_CATALOG_RETRY_MS;
	wake(up);
}

static void whole(struct upstream *up)
{
	struct catalog *learned = up->staging;
	int64_t ttl = learned->ttl_ms;

	up->staging = up->catalog;
	up->catalog = learned;
	if (learned->cut)
		flow_log(up->f, SPAN("the catalogue is cut: some mirrored parameters are not checked here"), up->set->name, NOTHING);
	ttl = ttl < FLOW_CATALOG_MIN_MS ? FLOW_CATALOG_MIN_MS : ttl > FLOW_CATALOG_MAX_MS ? FLOW_CATALOG_MAX_MS : ttl;
	up->catalog_state = CATALOG_KNOWN;
	up->catalog_until_ms = flow_now(up->f) + ttl;
	wake(up);
}

static void learn_page(struct upstream *up, uint32_t result)
{
	const struct json *j = &up->f->json;
	uint32_t tools = json_get(j, result, SPAN("tools"));

	if (json_type(j, tools) != JSON_ARRAY)
		return;
	for (uint32_t e = json_first(j, tools); e != JSON_NONE; e = json_next(j, tools, e)) {
		struct span why = NOTHING;
		if (json_type(j, e) == JSON_OBJECT && catalog_learn(up->staging, j, e, &why) == CATALOG_INVALID)
			flow_log(up->f, SPAN("a tool is not offered: its x-mcp-header is wrong"), up->set->name, why);
	}
}

void catalog_answer(struct upstream *up, const struct mcp_message *m)
{
	const struct json *j = &up->f->json;

	if (up->catalog_asked == MCP_DISCOVER) {
		if (m->kind != MCP_RESULT || !catalog_discover(up->staging, j, m->result)) {
			flow_log(up->f, SPAN("upstream"), up->set->name, SPAN("does not speak MCP " MCP_VERSION));
			catalog_failed(up);
		} else if ((up->staging->caps & CATALOG_TOOLS) && up->set->kind == FLOW_HTTP) {
			ask(up, MCP_TOOLS_LIST, NOTHING);
		} else {
			whole(up);
		}
		return;
	}
	if (m->kind != MCP_RESULT) {
		catalog_failed(up);
		return;
	}
	learn_page(up, m->result);
	uint32_t next = json_get(j, m->result, SPAN("nextCursor"));
	if (json_type(j, next) == JSON_STRING && json_raw(j, next).n <= MCP_CURSOR_MAX && ++up->catalog_pages < FLOW_CATALOG_PAGES)
		ask(up, MCP_TOOLS_LIST, json_raw(j, next));
	else
		whole(up);
}

static void write_capability(struct buf *b, bool *any, struct span name, struct span inside)
{
	if (*any)
		BUF_LIT(b, ",");
	*any = true;
	BUF_LIT(b, "\"");
	buf_put(b, name);
	BUF_LIT(b, "\":{");
	buf_put(b, inside);
	BUF_LIT(b, "}");
}

static void write_capabilities(struct buf *b, unsigned caps)
{
	bool any = false;
	struct span changed = SPAN("\"listChanged\":true");

	BUF_LIT(b, "{");
	if (caps & CATALOG_COMPLETIONS)
		write_capability(b, &any, SPAN("completions"), NOTHING);
	if (caps & CATALOG_LOGGING)
		write_capability(b, &any, SPAN("logging"), NOTHING);
	if (caps & CATALOG_PROMPTS)
		write_capability(b, &any, SPAN("prompts"), caps & CATALOG_PROMPTS_CHANGED ? changed : NOTHING);
	if (caps & CATALOG_RESOURCES)
		write_capability(b, &any, SPAN("resources"),
			(caps & CATALOG_SUBSCRIBE) && (caps & CATALOG_RESOURCES_CHANGED) ? SPAN("\"subscribe\":true,\"listChanged\":true") :
			caps & CATALOG_SUBSCRIBE ? SPAN("\"subscribe\":true") : caps & CATALOG_RESOURCES_CHANGED ? changed : NOTHING);
	if (caps & CATALOG_TOOLS)
		write_capability(b, &any, SPAN("tools"), caps & CATALOG_TOOLS_CHANGED ? changed : NOTHING);
	BUF_LIT(b, "}");
}

/* One server's own words as they are; several under their names, as one JSON string: what is inside quotes can be put side by side. */
static void write_instructions(struct txn *t, struct buf *b)
{
	struct flow *f = t->f;
	bool any = false;
	for (unsigned i = 0; i < f->set->nservers; i++) {
		const struct catalog *c = f->up[i].catalog;
		if (f->up[i].catalog_state != CATALOG_KNOWN || span_absent(c->instructions) || !rights_see(t, &f->up[i]))
			continue;
		if (f->set->plain) {
			BUF_LIT(b, ",\"instructions\":");
			buf_put(b, c->instructions);
			return;
		}
		buf_put(b, any ? SPAN("\\n\\n") : SPAN(",\"instructions\":\""));
		any = true;
		buf_put(b, f->set->servers[i].name);
		BUF_LIT(b, "__*: ");
		buf_put(b, span_of(c->instructions.p + 1, c->instructions.n - 2));
	}
	if (any)
		BUF_LIT(b, "\"");
}

enum step_end answer_discover(struct txn *t)
{
	struct flow *f = t->f;
	unsigned caps = 0, known = 0, first = f->set->nservers;
	size_t bound = 1024 + t->msg.id.n;
	int64_t ttl = FLOW_CATALOG_MAX_MS;
	struct buf b;

	for (unsigned i = 0; i < f->set->nservers; i++) {
		struct upstream *up = &f->up[i];
		if (!rights_see(t, up))
			continue;
		first = i < first ? i : first;
		if (!catalog_ready(up)) {
			wait_for_catalog(t, up);
			return STEP_WAIT;
		}
		if (up->catalog_state != CATALOG_KNOWN) {
			ttl = FLOW_CATALOG_RETRY_MS;
			continue;
		}
		known++;
		caps |= up->catalog->caps;
		bound += up->catalog->instructions.n + up->catalog->server_info.n + 64;
		ttl = up->catalog->ttl_ms < ttl ? up->catalog->ttl_ms : ttl;
	}
	if (known == 0 && first < f->set->nservers)
		return answer_upstream(t, 502, f->set->servers[first].name, SPAN("could not be asked what it offers"));
	if (!answer_room(t, bound, &b))
		return STEP_DROP;
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, ",\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"" MCP_VERSION "\"],\"capabilities\":");
	write_capabilities(&b, caps);
	write_instructions(t, &b);
	BUF_LIT(&b, ",\"ttlMs\":");
	buf_i64(&b, ttl);
	BUF_LIT(&b, ",\"cacheScope\":\"private\",\"_meta\":{\"" MCP_META_SERVER "\":");
	if (f->set->plain && known > 0 && !span_absent(f->up[0].catalog->server_info)) {
		buf_put(&b, f->up[0].catalog->server_info);
	} else {
		BUF_LIT(&b, "{\"name\":\"postern\",\"version\":\"");
		buf_put(&b, f->set->version);
		BUF_LIT(&b, "\"}");
	}
	BUF_LIT(&b, "}}}");
	t->outcome = OUTCOME_RESULT;
	return answer_send(t, 200, &b, SPAN("application/json"));
}
