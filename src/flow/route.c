#include "base/text.h"
#include "flow/leg.h"
#include "flow/list.h"
#include "flow/listen.h"
#include "flow/retry.h"
#include "flow/step_run.h"
#include "flow/task.h"
#include "wire/crypto.h"

#define NOTHING span_of(NULL, 0)

/* Where tool and prompt names of a prefixed gateway are cut: the first "__" behind a server's name. Server names hold none. */
static bool split_name(struct flow *f, struct span name, unsigned *server, struct span *bare)
{
	for (unsigned i = 0; i < f->set->nservers; i++) {
		struct span s = f->set->servers[i].name;
		if (name.n > s.n + 2 && span_starts(name, s) && name.p[s.n] == '_' && name.p[s.n + 1] == '_') {
			*server = i;
			*bare = span_from(name, s.n + 2);
			return true;
		}
	}
	return false;
}

void wait_for_catalog(struct txn *t, struct upstream *up)
{
	t->step = STEP_ENVELOPE;
	list_append(&up->waiting, &t->node);
}

/* files://NAME/… is the built-in server NAME's and nobody else's. */
static bool owns_uri(const struct flow_server *s, struct span uri)
{
	struct span rest = span_from(uri, 8);
	return s->kind == FLOW_BUILTIN && span_starts(uri, SPAN("files://")) && span_starts(rest, s->name) &&
		(rest.n == s->name.n || rest.p[s->name.n] == '/');
}

bool route_serves_uri(const struct flow_server *s, struct span uri)
{
	return s->kind != FLOW_BUILTIN ? !span_starts(uri, SPAN("files://")) : owns_uri(s, uri);
}

static int builtin_of_uri(struct flow *f, struct span uri)
{
	for (unsigned i = 0; i < f->set->nservers; i++)
		if (owns_uri(&f->set->servers[i], uri))
			return (int)i;
	return -1;
}

static unsigned needed_caps(enum mcp_method m)
{
	switch (m) {
	case MCP_TOOLS_LIST:
	case MCP_TOOLS_CALL:
		return CATALOG_TOOLS;
	case MCP_PROMPTS_LIST:
	case MCP_PROMPTS_GET:
		return CATALOG_PROMPTS;
	case MCP_RESOURCES_LIST:
	case MCP_TEMPLATES_LIST:
	case MCP_RESOURCES_READ:
		return CATALOG_RESOURCES;
	case MCP_COMPLETE:
		return CATALOG_COMPLETIONS;
	default:
		return 0;
	}
}

/* May the caller have what it asks for from there? What it could have with more scopes is remembered. */
static bool permitted(struct txn *t, struct upstream *up, bool by_uri)
{
	if (!by_uri)
		return rights_see(t, up);
	struct policy_answer a = rights_use(t, up, t->name);
	bool cannot = up->catalog_state == CATALOG_KNOWN && (up->catalog->caps & needed_caps(t->msg.method)) == 0;
	if (a.verdict == POLICY_SCOPES && t->scopes == 0 && !cannot)
		t->scopes = a.scopes;
	return a.verdict == POLICY_ALLOWED;
}

int64_t list_until(const struct txn *t)
{
	int64_t most = flow_list_ms(t->f->set);
	int64_t until = t->start_ms + most, least = flow_now(t->f) + most / 4;
	return until > least ? until : least;
}

bool route_waits(struct txn *t, struct upstream *up)
{
	if (catalog_ready(up))
		return false;
	if (t->waited)
		up->slow = true; /* the next one does not wait for it: it is being asked all the same */
	if (up->slow)
		return false;
	for (unsigned i = up->index + 1; i < t->f->set->nservers; i++)
		if (rights_see(t, &t->f->up[i]))
			(void)catalog_ready(&t->f->up[i]); /* asked meanwhile */
	if (t->timer.at_ms == 0)
		timer_arm(&t->f->timers, &t->timer, list_until(t));
	wait_for_catalog(t, up);
	return true;
}

/* The first server from index `from` on that can have what the txn asks for; -1: none; -2: wait, a catalogue is being fetched. */
static int next_server(struct txn *t, unsigned from)
{
	struct flow *f = t->f;
	bool by_uri = t->msg.method == MCP_RESOURCES_READ || t->msg.method == MCP_COMPLETE;

	for (unsigned i = from; i < f->set->nservers; i++) {
		struct upstream *up = &f->up[i];
		if (by_uri && up->set->kind == FLOW_BUILTIN)
			continue; /* those are found by their URI alone */
		if (!permitted(t, up, by_uri)) /* before it is asked anything: it does not exist for this caller */
			continue;
		if (route_waits(t, up))
			return -2;
		if (up->catalog_state != CATALOG_KNOWN && t->missed == 0)
			t->missed = (uint8_t)(i + 1);
		if (up->catalog_state == CATALOG_KNOWN && (up->catalog->caps & needed_caps(t->msg.method)) != 0)
			return (int)i;
	}
	return -1;
}

enum step_end answer_unknown(struct txn *t)
{
	struct mcp_fault fault = { MCP_INVALID_PARAMS, 200, NOTHING, t->called, NOTHING };
	char mem[MCP_URI_MAX * 6 + 16];
	struct buf data = buf_on(mem, sizeof(mem));

	switch (t->msg.method) {
	case MCP_TOOLS_CALL:
		fault.text = SPAN("Unknown tool");
		break;
	case MCP_TASKS_GET:
	case MCP_TASKS_UPDATE:
	case MCP_TASKS_CANCEL:
		fault.text = SPAN("Unknown task");
		fault.where = NOTHING;
		break;
	case MCP_RESOURCES_READ:
		fault.text = SPAN("Resource not found");
		BUF_LIT(&data, "{\"uri\":");
		buf_put(&data, json_raw(&t->f->json, t->msg.name));
		BUF_LIT(&data, "}");
		fault.data = data.full ? NOTHING : buf_span(&data);
		break;
	default:
		fault.text = t->msg.ref_is_resource ? SPAN("Unknown resource template") : SPAN("Unknown prompt");
		break;
	}
	return answer_fault(t, &fault);
}

/* A list without entries: no server here offers any. */
enum step_end answer_empty_list(struct txn *t)
{
	static const struct span members[] = {
		[MCP_TOOLS_LIST] = { "tools", 5 }, [MCP_PROMPTS_LIST] = { "prompts", 7 },
		[MCP_RESOURCES_LIST] = { "resources", 9 }, [MCP_TEMPLATES_LIST] = { "resourceTemplates", 17 },
	};
	struct buf b;
	if (!answer_room(t, 512 + t->msg.id.n, &b))
		return STEP_DROP;
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, ",\"result\":{\"resultType\":\"complete\",\"");
	buf_put(&b, members[t->msg.method]);
	BUF_LIT(&b, "\":[],\"ttlMs\":1000,\"cacheScope\":\"private\",\"_meta\":{\"" MCP_META_SERVER "\":");
	answer_server(t->f, &b);
	BUF_LIT(&b, "}}}");
	t->outcome = OUTCOME_RESULT;
	return answer_send(t, 200, &b, SPAN("application/json"));
}

void route_names(const struct flow *f, struct span names[FLOW_SERVERS_MAX])
{
	for (unsigned i = 0; i < f->set->nservers; i++)
		names[i] = f->set->servers[i].name;
}

/* A tenant's cursors are its own: what is inside may mean something to the upstream that gave it out for that tenant. */
void route_cursor_key(const struct txn *t, uint8_t key[SEAL_KEY])
{
	const struct auth_names *tenants = &t->f->set->auth.tenants;
	struct span name = t->who.tenant < tenants->n ? tenants->name[t->who.tenant] : SPAN("");
	crypto_hmac_sha256(t->f->set->seed + 32, SEAL_KEY, &name, 1, key);
}

void route_caller_key(const struct txn *t, uint8_t key[SEAL_KEY])
{
	const struct auth_rules *a = &t->f->set->auth;
	const struct identity *who = &t->who;
	char kind = (char)('0' + who->kind);
	struct span tenant = who->tenant < a->tenants.n ? a->tenants.name[who->tenant] : SPAN("");
	struct span issuer = who->kind == IDENTITY_TOKEN && who->issuer < a->nissuers ? a->issuers[who->issuer].issuer : SPAN("");
	const struct span parts[] = { SPAN("callers\0"), { &kind, 1 }, tenant, SPAN("\0"), issuer, SPAN("\0"), { who->subject, who->subject_n } };

	crypto_hmac_sha256(t->f->set->seed + 32, SEAL_KEY, parts, sizeof(parts) / sizeof(parts[0]), key);
}

/* Nobody can be asked who may have a part of it: an empty list would be a lie. */
static enum step_end answer_missing(struct txn *t)
{
	unsigned first = 0;
	while (!(t->missing >> first & 1))
		first++;
	return answer_unknown_upstream(t, 502, first);
}

/* Which servers have a part of the list. One that let others wait in vain is done without, unless there is no other. */
static bool choose(struct txn *t, unsigned from)
{
	struct flow *f = t->f;
	uint32_t slow = 0;

	t->wanted = t->missing = 0;
	for (unsigned i = from; i < f->set->nservers; i++) {
		struct upstream *up = &f->up[i];
		if (!rights_see(t, up))
			continue;
		if (route_waits(t, up))
			return false;
		if (up->catalog_state != CATALOG_KNOWN)
			t->missing |= UINT32_C(1) << i;
		else if (up->catalog->caps & needed_caps(t->msg.method))
			*(up->slow ? &slow : &t->wanted) |= UINT32_C(1) << i;
	}
	timer_disarm(&f->timers, &t->timer);
	if (t->wanted == 0) {
		t->wanted = slow;
		return true;
	}
	t->missing |= slow;
	for (unsigned i = from; i < f->set->nservers; i++)
		if (slow >> i & 1)
			(void)catalog_renew(&f->up[i]); /* the upstream may be well again */
	return true;
}

static enum step_end route_list(struct txn *t)
{
	struct flow *f = t->f;
	const struct mcp_message *m = &t->msg;
	struct cursor_place place = { 0, false, 0, NOTHING };

	if (m->cursor != JSON_NONE) {
		struct span servers[FLOW_SERVERS_MAX];
		uint8_t key[SEAL_KEY];
		char mem[MCP_CURSOR_MAX];
		struct buf text = buf_on(mem, sizeof(mem));
		struct buf inner = buf_on(t->names, sizeof(t->names));
		json_text(&f->json, m->cursor, &text);
		route_cursor_key(t, key);
		route_names(f, servers);
		if (text.full || !cursor_open(buf_span(&text), key, m->method, servers, f->set->nservers, &place, &inner)) {
			struct mcp_fault fault = { MCP_INVALID_PARAMS, 200, SPAN("params.cursor: not one that was given out for this list"), NOTHING, NOTHING };
			return answer_fault(t, &fault);
		}
	}
	if (!choose(t, place.server))
		return STEP_WAIT;
	if (t->wanted == 0)
		return t->missing != 0 ? answer_missing(t) : answer_empty_list(t);
	unsigned first = 0;
	while (!(t->wanted >> first & 1))
		first++;
	bool there = first == place.server;
	t->server = (uint8_t)first;
	t->has_cursor = there && place.has_inner;
	t->cursor = place.inner;
	t->list_skip = there ? place.skip : 0;
	return STEP_NEXT;
}

/* One upstream's list passes through as it comes. */
static bool is_gathered(const struct txn *t)
{
	bool one = (t->wanted & (t->wanted - 1)) == 0;
	return !t->f->set->plain && !span_absent(list_member(t->msg.method)) && (!one || t->missing != 0 || t->list_skip > 0);
}

/* A name that could not be offered is not called either. What is known of case comes with the catalogue: step_params() looks again. */
static bool fits(struct txn *t)
{
	bool prompt = t->msg.method == MCP_PROMPTS_GET || (t->msg.method == MCP_COMPLETE && !t->msg.ref_is_resource);

	if (t->msg.method != MCP_TOOLS_CALL && !prompt)
		return true;
	return span_absent(offer_unfit(&t->f->up[t->server], prompt ? CATALOG_PROMPT : CATALOG_TOOL, t->name));
}

/* Which server of a prefixed gateway this goes to. */
static enum step_end route_prefixed(struct txn *t)
{
	struct flow *f = t->f;
	struct mcp_message *m = &t->msg;
	unsigned server;
	int found;

	switch (m->method) {
	case MCP_TOOLS_LIST:
	case MCP_PROMPTS_LIST:
	case MCP_RESOURCES_LIST:
	case MCP_TEMPLATES_LIST:
		return route_list(t);
	case MCP_RESOURCES_READ:
	case MCP_COMPLETE:
		if (m->method == MCP_COMPLETE && !m->ref_is_resource)
			break;
		if (t->retried) /* the answers go to the server that asked, and to no other */
			return STEP_NEXT;
		found = t->skip_to == 0 ? builtin_of_uri(f, t->name) : -1;
		if (found < 0)
			found = next_server(t, t->skip_to);
		if (found == -2)
			return STEP_WAIT;
		timer_disarm(&f->timers, &t->timer);
		if (found < 0 && t->missed != 0 && t->scopes == 0)
			return answer_upstream(t, 502, f->set->servers[t->missed - 1].name, SPAN("cannot be asked for it now, and no other server knows it"));
		if (found < 0)
			return t->scopes != 0 ? answer_scopes(t, t->scopes) : answer_unknown(t);
		t->server = (uint8_t)found;
		return STEP_NEXT;
	case MCP_LISTEN:
		for (unsigned i = 0; i < f->set->nservers; i++)
			if (rights_see(t, &f->up[i]) && route_waits(t, &f->up[i]))
				return STEP_WAIT;
		timer_disarm(&f->timers, &t->timer);
		return STEP_NEXT;
	default:
		break;
	}
	if (!split_name(f, t->called, &server, &t->name))
		return answer_unknown(t);
	if (t->retried && server != t->server) /* the seal names another server: the configuration has changed in between */
		return answer_unknown(t);
	t->server = (uint8_t)server;
	return fits(t) ? STEP_NEXT : answer_unknown(t);
}

enum step_end step_route(struct txn *t, int64_t now_ms)
{
	struct flow *f = t->f;
	const struct mcp_message *m = &t->msg;
	enum step_end end;
	(void)now_ms;

	if (m->method == MCP_DISCOVER)
		return answer_discover(t);
	t->called = t->name = NOTHING;
	if (m->name != JSON_NONE) {
		struct buf name = buf_on(t->names, sizeof(t->names));
		json_text(&f->json, m->name, &name);
		t->called = t->name = buf_span(&name);
	}
	if (t->unknown)
		return answer_unknown(t);
	t->server = 0;
	if (mcp_method_is_task(m->method))
		return task_route(t);
	end = retry_route(t);
	if (end != STEP_NEXT)
		return end;
	if (!f->set->plain)
		return route_prefixed(t);
	if (m->method == MCP_LISTEN && rights_see(t, &f->up[0]) && !catalog_ready(&f->up[0])) {
		wait_for_catalog(t, &f->up[0]);
		return STEP_WAIT;
	}
	return fits(t) ? STEP_NEXT : answer_unknown(t);
}

/* Row 14 of the order of checks: the headers that mirror arguments, for an upstream that reads headers. */
enum step_end step_params(struct txn *t, int64_t now_ms)
{
	struct flow *f = t->f;
	struct upstream *up = &f->up[t->server];
	(void)now_ms;

	f->fields = NOTHING;
	if (!up->era_known && t->msg.method != MCP_LISTEN && !catalog_ready(up)) { /* which way to send it */
		wait_for_catalog(t, up);
		return STEP_WAIT;
	}
	if (t->msg.method != MCP_TOOLS_CALL || up->set->kind == FLOW_BUILTIN)
		return STEP_NEXT;
	if (!catalog_ready(up)) {
		wait_for_catalog(t, up);
		return STEP_WAIT;
	}
	/* An upstream that could not be asked is tried all the same: then nothing is known of its tools and it must check by itself. */
	const struct catalog_tool *tool = up->catalog_state == CATALOG_KNOWN ? catalog_find(up->catalog, t->name) : NULL;
	if ((tool && tool->invalid) || !fits(t))
		return answer_unknown(t);
	size_t half = f->scratch_cap / 2;
	struct buf fields = buf_on(f->scratch, half), scratch = buf_on(f->scratch + half, half);
	struct mcp_fault fault = catalog_params(up->catalog, tool, front_has_fields(t->front) ? &t->head : NULL, &f->json, t->msg.arguments, &scratch, &fields);
	if (fault.code != 0)
		return answer_fault(t, &fault);
	f->fields = buf_span(&fields);
	return STEP_NEXT;
}

enum step_end step_send(struct txn *t, int64_t now_ms)
{
	(void)now_ms;
	if (t->front->half) /* the client closed its sending side after the request: while we wait it is probed whether it is still there */
		list_append(&t->f->ready, &t->front->node);
	if (t->msg.method == MCP_LISTEN)
		return listen_send(t);
	return is_gathered(t) ? gather_send(t) : request_send(t);
}
