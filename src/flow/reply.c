#include "flow/flow_priv.h"

#define NOTHING span_of(NULL, 0)

enum { OLD_NOT_FOUND = -32002 /* "Resource not found" in revisions before ours, and in libraries that still say so */ };

static struct span list_member(enum mcp_method m)
{
	switch (m) {
	case MCP_TOOLS_LIST:
		return SPAN("tools");
	case MCP_PROMPTS_LIST:
		return SPAN("prompts");
	case MCP_RESOURCES_LIST:
		return SPAN("resources");
	case MCP_TEMPLATES_LIST:
		return SPAN("resourceTemplates");
	default:
		return NOTHING;
	}
}

/* What the policy calls an entry: its name, or its URI. */
static bool may_see_entry(struct txn *t, struct upstream *up, uint32_t entry)
{
	static const struct span keys[] = {
		[MCP_TOOLS_LIST] = { "name", 4 }, [MCP_PROMPTS_LIST] = { "name", 4 }, [MCP_RESOURCES_LIST] = { "uri", 3 },
		[MCP_TEMPLATES_LIST] = { "uriTemplate", 11 },
	};
	const struct json *j = &t->f->json;
	char mem[MCP_URI_MAX];
	struct buf name = buf_on(mem, sizeof(mem));
	uint32_t token = json_type(j, entry) == JSON_OBJECT ? json_get(j, entry, keys[t->msg.method]) : JSON_NONE;

	if (json_type(j, token) != JSON_STRING)
		return false;
	json_text(j, token, &name);
	return !name.full && rights_use(t, up, buf_span(&name)).verdict != POLICY_DENIED; /* what more scopes would open is shown */
}

/* The gap that an entry leaves; next to another, the two are one. */
static void drop(struct edits *s, const char *from, const char *to)
{
	if (s->n > 0 && s->e[s->n - 1].to == from && s->e[s->n - 1].with.n == 0)
		s->e[s->n - 1].to = to;
	else
		edit_add(s, from, to, NOTHING);
}

/* Tools whose header annotations are wrong must not be shown (mcp.md 5.4); nor names that are too long once prefixed; nor what the caller may
 * not use. The rest get their prefix. `from` .. `to` of a dropped entry takes one neighbouring comma with it. */
static void entry_edits(struct txn *t, struct upstream *up, uint32_t list, struct edits *s, struct span prefix)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	const char *kept_end = NULL; /* end of the last entry that stays */
	bool all = rights_see_all(t, up);

	for (uint32_t e = json_first(j, list), next; e != JSON_NONE; e = next) {
		next = json_next(j, list, e);
		struct span raw = json_raw(j, e), why = NOTHING;
		uint32_t name = json_type(j, e) == JSON_OBJECT ? json_get(j, e, SPAN("name")) : JSON_NONE;
		bool keep = t->msg.method != MCP_TOOLS_LIST || up->set->kind != FLOW_HTTP || catalog_judge(j, e, &why) != CATALOG_INVALID;

		if (!span_absent(prefix) && json_type(j, name) == JSON_STRING && json_inner(j, name).n + prefix.n > MCP_NAME_MAX) {
			keep = false;
			why = SPAN("its name is too long with the prefix");
		}
		if (!keep)
			flow_log(f, SPAN("an entry of a list was dropped"), up->set->name, why);
		if (!keep || (!all && !may_see_entry(t, up, e))) {
			if (next != JSON_NONE) {
				drop(s, raw.p, json_raw(j, next).p);
			} else { /* the last one takes the comma before it, and the gaps that stand there already */
				const char *from = kept_end ? kept_end : json_raw(j, list).p + 1;
				while (s->n > 0 && s->e[s->n - 1].from >= from)
					s->n--;
				edit_add(s, from, raw.p + raw.n, NOTHING);
			}
			continue;
		}
		if (!span_absent(prefix) && json_type(j, name) == JSON_STRING) {
			const char *at = json_inner(j, name).p;
			edit_add(s, at, at, prefix);
		}
		hygiene_entry(up, e, s);
		kept_end = raw.p + raw.n;
	}
}

/* The cursor of the page after this one: the upstream's own, or the next upstream that has such a list. */
static void next_cursor(struct txn *t, struct upstream *up, uint32_t inner_token, struct buf *out)
{
	struct flow *f = t->f;
	uint8_t key[CURSOR_KEY];
	unsigned next = up->index + 1;

	route_cursor_key(t, key);
	if (inner_token != JSON_NONE && json_type(&f->json, inner_token) == JSON_STRING) {
		char mem[MCP_CURSOR_MAX];
		struct buf inner = buf_on(mem, sizeof(mem));
		json_text(&f->json, inner_token, &inner);
		if (inner.full)
			out->full = true;
		cursor_seal(out, key, t->msg.method, up->index, true, buf_span(&inner));
		return;
	}
	while (next < f->set->nservers && !rights_see(t, &f->up[next]))
		next++;
	if (next < f->set->nservers)
		cursor_seal(out, key, t->msg.method, next, false, NOTHING);
}

struct list_edits {
	char cursor_mem[MCP_CURSOR_MAX + 32];
	char server_mem[128];
	struct edits s;
};

/* May somebody else be given this answer? */
static bool shareable(const struct txn *t, const struct upstream *up) { return rights_shared(up) && rights_see_all(t, up); }

/* What a list says to a client: without what it may not use; of a prefixed gateway, our names, our cursors, private, from us. */
static bool list_edits(struct txn *t, struct upstream *up, uint32_t result, struct list_edits *x)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t list = json_get(j, result, list_member(t->msg.method));
	bool prefixed = !f->set->plain;
	bool named = t->msg.method == MCP_TOOLS_LIST || t->msg.method == MCP_PROMPTS_LIST;
	struct buf cursor = buf_on(x->cursor_mem, sizeof(x->cursor_mem));
	struct buf server = buf_on(x->server_mem, sizeof(x->server_mem));

	if (list == JSON_NONE || json_type(j, list) != JSON_ARRAY)
		return false;
	BUF_LIT(&server, "{\"name\":\"postern\",\"version\":\"");
	buf_put(&server, f->set->version);
	BUF_LIT(&server, "\"}");
	uint32_t next = prefixed ? json_get(j, result, SPAN("nextCursor")) : JSON_NONE;
	bool had = next != JSON_NONE;
	BUF_LIT(&cursor, "\"nextCursor\":\"");
	size_t before = cursor.n;
	if (prefixed)
		next_cursor(t, up, next, &cursor);
	bool has = cursor.n > before;
	BUF_LIT(&cursor, "\",");
	if (cursor.full || server.full)
		return false;
	uint32_t scope = prefixed || !shareable(t, up) ? json_get(j, result, SPAN("cacheScope")) : JSON_NONE;
	uint32_t info = !prefixed ? JSON_NONE : json_get(j, json_get(j, result, SPAN("_meta")), SPAN(MCP_META_SERVER));

	/* In the order of the text: walk the members once. */
	const char *open = json_raw(j, result).p + 1;
	if (has && !had)
		edit_add(&x->s, open, open, buf_span(&cursor));
	for (uint32_t name = json_first(j, result); name != JSON_NONE; name = json_next(j, result, name)) {
		uint32_t value = json_value(j, name);
		struct span raw = json_raw(j, value);
		if (value == list)
			entry_edits(t, up, list, &x->s, prefixed && named ? up->prefix : NOTHING);
		else if (value == next && has) /* one that is no string, and leads nowhere, is passed as it is */
			edit_replace(&x->s, raw, span_of(cursor.p + before - 1, cursor.n - before)); /* with its quotes, without the comma */
		else if (value == scope) /* else a cache in front of several callers gives one what another was shown */
			edit_replace(&x->s, raw, SPAN("\"private\""));
		else if (info != JSON_NONE && json_raw(j, info).p >= raw.p && json_raw(j, info).p < raw.p + raw.n)
			edit_replace(&x->s, json_raw(j, info), buf_span(&server));
	}
	hygiene_result(up, t->msg.method, result, &x->s);
	return !x->s.full;
}

static void say_502(struct txn *t, struct upstream *up, struct span what)
{
	if (answer_upstream(t, 502, up->set->name, what) == STEP_DROP)
		txn_cancel(t);
	else
		txn_goto(t, STEP_FLUSH);
}

static void broken(struct txn *t, struct upstream *up, struct span what)
{
	metrics_add(t->f->metrics, METRIC_UPSTREAM_FAULT_BROKEN, 1);
	say_502(t, up, what);
}

/* {"jsonrpc":"2.0","id":<the client's>,"result":<judged bytes>} as an answer or as the last event. */
static void pass(struct txn *t, struct upstream *up, unsigned status, struct span member, struct span value, const struct edits *s)
{
	struct flow *f = t->f;
	struct buf b;
	size_t bound = edit_size(value, s) + t->msg.id.n + 64;

	if (t->streaming)
		b = buf_on(f->scratch, f->scratch_cap);
	else if (!answer_room(t, bound, &b)) { /* not 503: the call has been made, and should not be made again at once */
		say_502(t, up, SPAN("answered, but no buffer is free for an answer of that size"));
		return;
	}
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, ",\"");
	buf_put(&b, member);
	BUF_LIT(&b, "\":");
	edit_write(&b, value, s);
	BUF_LIT(&b, "}");
	bool said;
	if (t->streaming)
		said = !b.full && stream_event(t, buf_span(&b)) && stream_end(t);
	else
		said = answer_send(t, status, &b, SPAN("application/json")) == STEP_ANSWER;
	if (said)
		txn_goto(t, STEP_FLUSH);
	else
		txn_cancel(t);
}

static bool is_by_uri(const struct txn *t)
{
	return t->msg.method == MCP_RESOURCES_READ || (t->msg.method == MCP_COMPLETE && t->msg.ref_is_resource);
}

/* A resource that this upstream does not know may be another's. */
static bool ask_next(struct txn *t, struct upstream *up, int64_t code)
{
	if (t->f->set->plain || !is_by_uri(t) || code != MCP_INVALID_PARAMS || up->set->kind == FLOW_BUILTIN || t->streaming)
		return false;
	unsigned i = up->index + 1;
	for (; i < t->f->set->nservers; i++) {
		struct upstream *other = &t->f->up[i];
		if (other->set->kind == FLOW_HTTP && other->catalog_state == CATALOG_KNOWN && (other->catalog->caps & CATALOG_RESOURCES) &&
		    rights_use(t, other, t->name).verdict != POLICY_DENIED)
			break;
	}
	if (i == t->f->set->nservers && t->scopes == 0)
		return false;
	t->skip_to = (uint8_t)i; /* behind the last one: where it may be, this caller has not the scopes for */
	txn_goto(t, STEP_ENVELOPE);
	return true;
}

/* A resource is as private as the list it stands in. */
static void resource_edits(struct txn *t, struct upstream *up, uint32_t result, struct edits *s)
{
	const struct json *j = &t->f->json;
	uint32_t scope = json_get(j, result, SPAN("cacheScope"));
	if (t->msg.method == MCP_RESOURCES_READ && scope != JSON_NONE && !shareable(t, up))
		edit_put(s, json_raw(j, scope).p, json_raw(j, scope).p + json_raw(j, scope).n, SPAN("\"private\""));
}

static unsigned status_of(int64_t code)
{
	switch (code) {
	case MCP_METHOD_NOT_FOUND:
		return 404;
	case MCP_HEADER_MISMATCH:
	case MCP_MISSING_CAPABILITY:
	case MCP_PARSE_ERROR:
	case MCP_INVALID_REQUEST:
		return 400;
	default:
		return 200;
	}
}

static void reply_error(struct txn *t, struct upstream *up, unsigned status, const struct mcp_message *m)
{
	const struct json *j = &t->f->json;
	struct edits none = { NULL, 0, 0, false };
	int64_t code = 0;

	(void)json_int(j, json_get(j, m->error, SPAN("code")), &code);
	if (code == MCP_UNSUPPORTED_VERSION) { /* a matter between us and it: the client's revision is right */
		broken(t, up, SPAN("does not speak MCP " MCP_VERSION));
		return;
	}
	if (ask_next(t, up, code))
		return;
	if ((code == MCP_INVALID_PARAMS || code == OLD_NOT_FOUND) && is_by_uri(t) && !rights_see_all(t, up)) {
		t->unknown = true; /* the client's document is read again for what is said */
		txn_goto(t, STEP_ENVELOPE);
		return;
	}
	t->outcome = OUTCOME_ERROR;
	pass(t, up, status != 0 ? status : status_of(code), SPAN("error"), json_raw(j, m->error), &none);
}

void reply_answer(struct txn *t, struct upstream *up, unsigned status, const struct mcp_message *m)
{
	struct flow *f = t->f;
	struct list_edits x = { .s = { f->edits, 0, FLOW_EDITS, false } };

	if (t->listening) {
		listen_leg_over(t, up, m, NOTHING);
		return;
	}
	if (m->kind == MCP_ERROR) {
		reply_error(t, up, status, m);
		return;
	}
	if (!span_absent(list_member(t->msg.method)) && !list_edits(t, up, m->result, &x)) {
		broken(t, up, SPAN("sent a list that cannot be shown: not a list, or too many entries"));
		return;
	}
	if (span_absent(list_member(t->msg.method))) {
		hygiene_result(up, t->msg.method, m->result, &x.s);
		resource_edits(t, up, m->result, &x.s);
		if (x.s.full) {
			broken(t, up, SPAN("sent an answer with too many members of _meta that may not pass"));
			return;
		}
	}
	t->outcome = OUTCOME_RESULT;
	pass(t, up, 200, SPAN("result"), json_raw(&f->json, m->result), &x.s);
}

/* An event of a call's stream, for the client, under its own token. */
void reply_event(struct txn *t, struct leg *l, const struct mcp_message *m)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	struct edits s = { f->edits, 0, FLOW_EDITS, false };
	struct buf b = buf_on(f->scratch, f->scratch_cap);

	if (t->listening) {
		listen_event(t, l, m);
		return;
	}
	if (t->ended)
		return;
	if (m->method == MCP_PROGRESS && !span_absent(t->progress))
		edit_replace(&s, json_raw(j, json_get(j, m->params, SPAN("progressToken"))), t->progress);
	else if (m->method != MCP_MESSAGE || !t->log_asked)
		return; /* not asked for: not passed on */
	hygiene_event(l->up, m, &s);
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(&b, mcp_method_name(m->method));
	BUF_LIT(&b, "\",\"params\":");
	edit_write(&b, json_raw(j, m->params), &s);
	BUF_LIT(&b, "}");
	if (s.full || b.full || !stream_begin(t) || !stream_event(t, buf_span(&b))) { /* the client does not keep up: it is let go this turn */
		t->front->gone = true;
		list_append(&f->ready, &t->front->node);
	}
}

void reply_failed(struct txn *t, struct upstream *up, enum leg_fault fault, struct span detail)
{
	struct flow *f = t->f;
	static const uint16_t status[] = {
		[LEG_CONNECT] = 503, [LEG_FULL] = 503, [LEG_LOST] = 502, [LEG_LATE] = 504, [LEG_BROKEN] = 502, [LEG_LARGE] = 502,
		[LEG_REFUSED] = 502, [LEG_BUSY] = 503, [LEG_TLS] = 502, [LEG_CREDENTIAL] = 502,
	};

	if (t->listening) {
		listen_leg_over(t, up, NULL, detail);
		return;
	}
	if (f->set->nservers > 1 && !span_absent(list_member(t->msg.method)) && !t->streaming) {
		t->skip_to = (uint8_t)(up->index + 1); /* one upstream that is down does not take the list of the others with it */
		txn_goto(t, STEP_ENVELOPE);
		return;
	}
	if (answer_upstream(t, status[fault], up->set->name, detail) == STEP_DROP)
		txn_cancel(t);
	else
		txn_goto(t, STEP_FLUSH);
}
