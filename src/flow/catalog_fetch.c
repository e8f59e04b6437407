/* What each upstream offers and, where the policy tells its names apart, what its tools and prompts are called. It is asked at start, when the
 * answer has expired, when the upstream says that it changed, and when a request needs it: one question at a time. Requests that cannot go on without
 * the answer wait. */
#include "flow/leg.h"
#include "flow/listen.h"
#include "flow/way.h"

#define NOTHING span_of(NULL, 0)

/* The waiting requests go on later in this turn, when the connection that brought the answer is free again. */
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
	bool changed = up->catalog_stale && up->stale_ms < now + (FLOW_STALE_BURST - 1) * FLOW_STALE_MS + 1;
	bool old = changed || now >= up->catalog_until_ms;

	if (up->catalog_leg || up->catalog_asking)
		return up->catalog_state != CATALOG_FETCHING;
	if (up->catalog_state == CATALOG_NONE || old) {
		if (up->catalog_state != CATALOG_KNOWN)
			up->catalog_state = CATALOG_FETCHING;
		if (up->catalog_stale)
			up->stale_ms = (up->stale_ms > now ? up->stale_ms : now) + FLOW_STALE_MS;
		up->catalog_stale = false;
		up->catalog_pages = 0;
		up->catalog_asked_ms = now;
		catalog_clear(up->staging);
		offer_begin(up);
		way_begin(up);
		up->catalog_asking = true; /* the answer may come before ask() returns */
		ask(up, MCP_DISCOVER, NOTHING);
		up->catalog_asking = up->catalog_due;
	}
	return up->catalog_state != CATALOG_FETCHING;
}

bool catalog_renew(struct upstream *up)
{
	if (!up->catalog_leg && flow_now(up->f) - up->catalog_asked_ms >= FLOW_CATALOG_MIN_MS) {
		up->catalog_stale = true;
		(void)catalog_ready(up);
	}
	return up->catalog_leg != NULL;
}

static void whole(struct upstream *up, int64_t ttl_ms)
{
	struct catalog *learned = up->staging;

	up->staging = up->catalog;
	up->catalog = learned;
	if (learned->cut)
		flow_log(up->f, SPAN("the catalogue is cut: some mirrored parameters are not checked here"), up->set->name, NOTHING);
	if ((learned->names_cut[CATALOG_TOOL] || learned->names_cut[CATALOG_PROMPT]) && !up->names_cut_said) {
		up->names_cut_said = true;
		flow_log(up->f, SPAN("the catalogue is cut: not all names are known, and calls of unknown ones go to the upstream"), up->set->name, NOTHING);
	}
	offer_say(up);
	up->catalog_state = CATALOG_KNOWN;
	up->slow = false;
	listen_found(up);
	up->catalog_until_ms = flow_now(up->f) +
		(ttl_ms < FLOW_CATALOG_MIN_MS ? FLOW_CATALOG_MIN_MS : ttl_ms > FLOW_CATALOG_MAX_MS ? FLOW_CATALOG_MAX_MS : ttl_ms);
	wake(up);
}

void catalog_failed(struct upstream *up)
{
	if (up->catalog_asked == MCP_PROMPTS_LIST && up->catalog_state != CATALOG_NONE) { /* the tools have come, the prompts have not: those known before stay */
		if (up->catalog_state == CATALOG_KNOWN)
			catalog_keep_names(up->staging, CATALOG_PROMPT, up->catalog);
		else
			up->staging->names_cut[CATALOG_PROMPT] = true;
		whole(up, 0);
		return;
	}
	if (up->catalog_state != CATALOG_KNOWN) /* what was known stays good while the upstream is away */
		up->catalog_state = CATALOG_FAILED;
	up->catalog_until_ms = flow_now(up->f) + FLOW_CATALOG_RETRY_MS;
	wake(up);
}

static void learn_name(struct upstream *up, enum catalog_kind kind, uint32_t entry)
{
	char mem[MCP_NAME_MAX];
	struct buf name = buf_on(mem, sizeof(mem));

	json_text(&up->f->json, json_get(&up->f->json, entry, SPAN("name")), &name);
	if (!name.full)
		catalog_learn_name(up->staging, kind, buf_span(&name));
}

static void learn_page(struct upstream *up, uint32_t list, enum catalog_kind kind)
{
	const struct json *j = &up->f->json;

	if (json_type(j, list) != JSON_ARRAY) {
		up->staging->names_cut[kind] = up->names;
		return;
	}
	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e)) {
		struct span why = NOTHING;
		bool good = json_type(j, e) == JSON_OBJECT;
		if (good && kind == CATALOG_TOOL && up->set->kind != FLOW_BUILTIN && catalog_learn(up->staging, j, e, &why) == CATALOG_INVALID) {
			offer_without(up, e, why);
			good = false;
		}
		if (good && up->set->kind != FLOW_BUILTIN && !offer_learn(up, kind, e))
			good = false;
		if (good && up->names)
			learn_name(up, kind, e);
	}
}

/* Asks for the next list after the one asked for last. If there is none, all is known. */
static void ask_next(struct upstream *up)
{
	unsigned caps = up->staging->caps;

	up->catalog_pages = 0;
	if (up->catalog_asked == MCP_DISCOVER && (caps & CATALOG_TOOLS) && (up->names || up->set->kind != FLOW_BUILTIN))
		ask(up, MCP_TOOLS_LIST, NOTHING);
	else if (up->catalog_asked != MCP_PROMPTS_LIST && (caps & CATALOG_PROMPTS) && up->names)
		ask(up, MCP_PROMPTS_LIST, NOTHING);
	else
		whole(up, up->staging->ttl_ms);
}

/* Why nothing is known of this upstream, for those who ask it meanwhile. */
static void remember(struct upstream *up, struct span why)
{
	up->why.n = 0;
	for (size_t i = 0; i < why.n && up->why.n < sizeof(up->why.text); i++)
		if (why.p[i] >= ' ' && why.p[i] <= '~' && why.p[i] != '"' && why.p[i] != '\\')
			up->why.text[up->why.n++] = why.p[i];
}

static struct span why_of(const struct upstream *up, struct buf *b)
{
	BUF_LIT(b, "could not be asked what it offers");
	if (up->why.n > 0)
		BUF_LIT(b, ": ");
	buf_put(b, span_of(up->why.text, up->why.n));
	return buf_span(b);
}

enum step_end answer_unknown_upstream(struct txn *t, unsigned status, unsigned index)
{
	char mem[256];
	struct buf b = buf_on(mem, sizeof(mem));

	return answer_upstream(t, status, t->f->set->servers[index].name, why_of(&t->f->up[index], &b));
}

void catalog_refused(struct upstream *up, enum leg_fault fault, unsigned status, struct span why)
{
	remember(up, why);
	if (way_refused(up, fault, status))
		up->catalog_asking = up->catalog_due = true;
	else
		catalog_failed(up);
}

void catalog_turn(struct flow *f)
{
	for (unsigned i = 0; i < f->set->nservers; i++) {
		struct upstream *up = &f->up[i];
		if (!up->catalog_due)
			continue;
		up->catalog_due = false;
		catalog_clear(up->staging);
		ask(up, MCP_DISCOVER, NOTHING);
		up->catalog_asking = false;
	}
}

/* A bridge says what is wrong with its upstream: "Upstream \"NAME\" ...". What others say in an error is their own, and not repeated. */
static void bridge_words(struct upstream *up, const struct mcp_message *m)
{
	const struct json *j = &up->f->json;
	char mem[512];
	struct buf b = buf_on(mem, sizeof(mem));
	size_t before = sizeof("Upstream \"\"") + up->set->name.n;

	if (m->kind == MCP_ERROR)
		json_text(j, json_get(j, m->error, SPAN("message")), &b);
	bool told = upstream_by_line(up) && up->set->kind != FLOW_BUILTIN && !b.full && span_starts(buf_span(&b), SPAN("Upstream \"")) && b.n > before;
	remember(up, told ? span_from(buf_span(&b), before) : upstream_by_line(up) ? NOTHING : SPAN("does not speak MCP " MCP_VERSION));
}

static void discovered(struct upstream *up, const struct mcp_message *m, unsigned status)
{
	if (m->kind == MCP_RESULT && catalog_discover(up->staging, &up->f->json, m->result)) {
		way_modern(up);
		ask_next(up);
	} else if (way_answered(up, m, status) == WAY_AGAIN) {
		catalog_clear(up->staging);
		ask(up, MCP_DISCOVER, NOTHING);
	} else {
		char mem[256];
		struct buf b = buf_on(mem, sizeof(mem));
		bridge_words(up, m);
		flow_log(up->f, SPAN("upstream"), up->set->name, why_of(up, &b));
		catalog_failed(up);
	}
}

void catalog_answer(struct upstream *up, const struct mcp_message *m, unsigned status)
{
	const struct json *j = &up->f->json;
	enum catalog_kind kind = up->catalog_asked == MCP_PROMPTS_LIST ? CATALOG_PROMPT : CATALOG_TOOL;

	if (up->catalog_asked == MCP_DISCOVER) {
		discovered(up, m, status);
		return;
	}
	if (m->kind != MCP_RESULT) {
		catalog_failed(up);
		return;
	}
	learn_page(up, json_get(j, m->result, kind == CATALOG_PROMPT ? SPAN("prompts") : SPAN("tools")), kind);
	uint32_t next = json_get(j, m->result, SPAN("nextCursor"));
	if (json_type(j, next) != JSON_STRING) {
		ask_next(up);
	} else if (json_raw(j, next).n <= MCP_CURSOR_MAX && ++up->catalog_pages < FLOW_CATALOG_PAGES) {
		ask(up, up->catalog_asked, json_raw(j, next));
	} else {
		up->staging->names_cut[kind] = up->names;
		ask_next(up);
	}
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
	if (caps & CATALOG_TASKS)
		write_capability(b, &any, SPAN("extensions"), SPAN("\"io.modelcontextprotocol/tasks\":{}"));
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

/* One server's own words as they are; several under their names, as one JSON string: what is inside quotes can be put side by side. They go
 * into a model's prompt, so there is an end to them: what does not fit any more is left out whole. */
static void write_instructions(struct txn *t, struct buf *b)
{
	struct flow *f = t->f;
	bool any = false;
	size_t from = b->n;
	for (unsigned i = 0; i < f->set->nservers; i++) {
		const struct catalog *c = f->up[i].catalog;
		if (f->up[i].catalog_state != CATALOG_KNOWN || span_absent(c->instructions) || !rights_see(t, &f->up[i]))
			continue;
		if (f->set->plain) {
			BUF_LIT(b, ",\"instructions\":");
			buf_put(b, c->instructions);
			return;
		}
		if (b->n - from + c->instructions.n > FLOW_INSTRUCTIONS_MAX)
			continue;
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
	uint32_t missing = 0; /* a bit a server */
	size_t bound = 1024 + t->msg.id.n;
	int64_t ttl = FLOW_CATALOG_MAX_MS;
	struct buf b;

	for (unsigned i = 0; i < f->set->nservers; i++) {
		struct upstream *up = &f->up[i];
		if (!rights_see(t, up))
			continue;
		first = i < first ? i : first;
		if (route_waits(t, up))
			return STEP_WAIT;
		if (up->catalog_state != CATALOG_KNOWN) {
			ttl = FLOW_CATALOG_RETRY_MS;
			bound += up->set->name.n + 8;
			missing |= UINT32_C(1) << i;
			continue;
		}
		known++;
		caps |= up->catalog->caps;
		bound += up->catalog->instructions.n + up->catalog->server_info.n + 64;
		ttl = up->catalog->ttl_ms < ttl ? up->catalog->ttl_ms : ttl;
	}
	timer_disarm(&f->timers, &t->timer);
	if (known == 0 && first < f->set->nservers)
		return answer_unknown_upstream(t, 502, first);
	if (missing != 0)
		metrics_add(f->metrics, METRIC_LISTS_INCOMPLETE, 1);
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
	if (f->set->plain && known > 0 && !span_absent(f->up[0].catalog->server_info))
		buf_put(&b, f->up[0].catalog->server_info);
	else
		answer_server(f, &b);
	answer_unavailable(f, &b, f->set->plain ? 0 : missing);
	BUF_LIT(&b, "}}}");
	t->outcome = OUTCOME_RESULT;
	return answer_send(t, 200, &b, SPAN("application/json"));
}
