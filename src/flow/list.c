/* The entries of a list as this caller is shown them: which of them, under which names, and where the list goes on; and values of completions. */
#include "flow/list.h"

#define NOTHING span_of(NULL, 0)

struct span list_member(enum mcp_method m)
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

/* Can it be offered under its name? */
static bool fits(struct txn *t, struct upstream *up, uint32_t name)
{
	char mem[MCP_NAME_MAX];
	struct buf text = buf_on(mem, sizeof(mem));

	if (t->msg.method != MCP_TOOLS_LIST && t->msg.method != MCP_PROMPTS_LIST)
		return true;
	json_text(&t->f->json, name, &text);
	return !text.full && span_absent(offer_unfit(up, t->msg.method == MCP_TOOLS_LIST ? CATALOG_TOOL : CATALOG_PROMPT, buf_span(&text)));
}

struct span list_prefix(const struct txn *t, const struct upstream *up)
{
	bool named = t->msg.method == MCP_TOOLS_LIST || t->msg.method == MCP_PROMPTS_LIST;
	return named && !t->f->set->plain ? up->prefix : NOTHING;
}

/* Tools whose header annotations are wrong must not be shown (mcp.md 5.4); nor entries with a second name for clients that ignore case; nor names that
 * cannot be offered; nor what the caller may not use. What is wrong with tools is in the log once they have been learned. */
bool list_keeps(struct txn *t, struct upstream *up, uint32_t entry, bool all)
{
	static const struct span names[] = { { "name", 4 }, { "uri", 3 }, { "uriTemplate", 11 } };
	const struct json *j = &t->f->json;
	struct span why;
	uint32_t name = json_type(j, entry) == JSON_OBJECT ? json_get(j, entry, SPAN("name")) : JSON_NONE;
	bool keep = up->set->kind == FLOW_BUILTIN || (t->msg.method == MCP_TOOLS_LIST ? catalog_judge(j, entry, &why) != CATALOG_INVALID :
		!json_has_folded(j, entry, names, sizeof(names) / sizeof(names[0])));

	return keep && fits(t, up, name) && (all || may_see_entry(t, up, entry));
}

/* Where a prefix goes into an entry; NULL: nowhere. */
static const char *name_at(const struct json *j, uint32_t entry, struct span prefix)
{
	uint32_t name = !span_absent(prefix) && json_type(j, entry) == JSON_OBJECT ? json_get(j, entry, SPAN("name")) : JSON_NONE;
	return json_type(j, name) == JSON_STRING ? json_inner(j, name).p : NULL;
}

bool list_entry(struct upstream *up, uint32_t entry, struct span prefix, struct buf *b)
{
	struct flow *f = up->f;
	struct edits s = { f->edits, 0, FLOW_EDITS, false };
	const char *at = name_at(&f->json, entry, prefix);

	if (at)
		edit_add(&s, at, at, prefix);
	hygiene_entry(up, entry, &s);
	if (s.full)
		return false;
	edit_write(b, json_raw(&f->json, entry), &s);
	return true;
}

static void entry_edits(struct txn *t, struct upstream *up, uint32_t list, struct edits *s, struct span prefix)
{
	const struct json *j = &t->f->json;
	struct edit_gap g = { json_raw(j, list).p + 1, NULL, NULL };
	bool all = rights_see_all(t, up);

	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e)) {
		struct span raw = json_raw(j, e);
		if (!list_keeps(t, up, e, all)) {
			edit_drop(&g, raw.p, raw.p + raw.n);
			continue;
		}
		edit_keep(&g, raw.p, raw.p + raw.n, s);
		const char *at = name_at(j, e, prefix);
		if (at)
			edit_add(s, at, at, prefix);
		hygiene_entry(up, e, s);
	}
	edit_gap_end(&g, s);
}

/* The cursor of the page after this one, which is the upstream's own. */
static void next_cursor(struct txn *t, struct upstream *up, uint32_t token, struct buf *out)
{
	struct cursor_place place = { up->index, true, 0, NOTHING };
	uint8_t key[SEAL_KEY];
	char mem[MCP_CURSOR_MAX];
	struct buf inner = buf_on(mem, sizeof(mem));

	if (json_type(&t->f->json, token) != JSON_STRING)
		return;
	json_text(&t->f->json, token, &inner);
	if (inner.full)
		out->full = true;
	place.inner = buf_span(&inner);
	if (t->has_cursor && span_eq(place.inner, t->cursor))
		out->full = true; /* the cursor is that of this page: it would lead here for ever */
	route_cursor_key(t, key);
	cursor_seal(out, key, t->msg.method, up->set->name, &place);
}

int64_t list_ttl(const struct json *j, uint32_t result)
{
	int64_t ttl_ms;

	if (!json_int(j, json_get(j, result, SPAN("ttlMs")), &ttl_ms) || ttl_ms < 0)
		return 0;
	return ttl_ms < FLOW_TTL_MAX_MS ? ttl_ms : FLOW_TTL_MAX_MS;
}

bool list_shareable(const struct txn *t, const struct upstream *up) { return rights_shared(up) && rights_see_all(t, up); }

bool list_pass(struct txn *t, struct upstream *up, uint32_t result, struct list_edits *x)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t list = json_get(j, result, list_member(t->msg.method));
	bool prefixed = !f->set->plain;
	struct buf cursor = buf_on(x->cursor_mem, sizeof(x->cursor_mem));
	struct buf server = buf_on(x->server_mem, sizeof(x->server_mem)), ttl_text = buf_on(x->ttl_mem, sizeof(x->ttl_mem));

	if (list == JSON_NONE || json_type(j, list) != JSON_ARRAY)
		return false;
	answer_server(f, &server);
	uint32_t next = prefixed ? json_get(j, result, SPAN("nextCursor")) : JSON_NONE;
	BUF_LIT(&cursor, "\"");
	if (prefixed)
		next_cursor(t, up, next, &cursor);
	bool has = cursor.n > 1;
	BUF_LIT(&cursor, "\"");
	if (cursor.full || server.full)
		return false;
	bool parted = prefixed && (has || t->msg.cursor != JSON_NONE); /* all pages of a list are of one scope */
	uint32_t ttl = prefixed ? json_get(j, result, SPAN("ttlMs")) : JSON_NONE;
	buf_i64(&ttl_text, list_ttl(j, result));
	uint32_t scope = parted || !list_shareable(t, up) ? json_get(j, result, SPAN("cacheScope")) : JSON_NONE;
	uint32_t info = !prefixed ? JSON_NONE : json_get(j, json_get(j, result, SPAN("_meta")), SPAN(MCP_META_SERVER));

	/* Edits must be in the order of the text: so the members are walked once, as they come. */
	for (uint32_t name = json_first(j, result); name != JSON_NONE; name = json_next(j, result, name)) {
		uint32_t value = json_value(j, name);
		struct span raw = json_raw(j, value);
		if (value == list)
			entry_edits(t, up, list, &x->s, list_prefix(t, up));
		else if (value == next && has) /* a nextCursor that is no string leads nowhere, and is passed as it is */
			edit_replace(&x->s, raw, buf_span(&cursor));
		else if (value == ttl)
			edit_replace(&x->s, raw, buf_span(&ttl_text));
		else if (value == scope) /* else a cache in front of several callers gives one what another was shown */
			edit_replace(&x->s, raw, SPAN("\"private\""));
		else if (info != JSON_NONE && json_raw(j, info).p >= raw.p && json_raw(j, info).p < raw.p + raw.n)
			edit_replace(&x->s, json_raw(j, info), buf_span(&server));
	}
	hygiene_result(up, t->msg.method, result, &x->s);
	return !x->s.full;
}

/* ---- completion of a template ---- */

enum { COMPLETIONS_MAX = 100 /* values that the protocol lets an answer have (mcp.md 8.4): no more are looked at */ };

/* The URI that a value makes of the template. False: it cannot be told. *open: more may follow it. As the built-in server's lists have it, with `files`. */
static bool expand(struct span template, struct span variable, struct span value, bool files, struct buf *uri, bool *open)
{
	bool placed = false;

	*open = false;
	for (const char *at = template.p, *end = at + template.n; at < end && !*open; at++) {
		const char *brace = *at == '{' ? memchr(at, '}', (size_t)(end - at)) : NULL;
		struct span in = brace ? span_of(at + 1, (size_t)(brace - at - 1)) : NOTHING;

		if (in.n > 0 && in.p[0] == '+')
			in = span_from(in, 1);
		if (*at != '{')
			buf_char(uri, *at);
		else if (!brace || !span_eq(in, variable))
			*open = true;
		else if (files)
			policy_escape(uri, value);
		else
			buf_put(uri, value);
		placed = placed || (brace && !*open);
		at = brace ? brace : at;
	}
	*open = *open || (value.n > 0 && value.p[value.n - 1] == '/');
	return placed && !uri->full;
}

/* True: the caller may use at least some of what begins so. */
static bool may_follow(const struct txn *t, const struct upstream *up, struct span uri, bool usual)
{
	char mem[FLOW_PREFIX_MAX + 3 * MCP_URI_MAX];
	struct buf b = buf_on(mem, sizeof(mem));

	buf_put(&b, up->prefix);
	if (usual)
		policy_usual_uri(&b, uri, up->set->kind == FLOW_BUILTIN);
	else
		buf_put(&b, uri);
	return !b.full && policy_may_begin(&t->f->set->policy, &t->who, buf_span(&b));
}

static bool may_see_value(struct txn *t, struct upstream *up, uint32_t token)
{
	char mem[MCP_URI_MAX], value_mem[MCP_URI_MAX];
	struct buf uri = buf_on(mem, sizeof(mem)), value = buf_on(value_mem, sizeof(value_mem));
	bool open;

	json_text(&t->f->json, token, &value);
	if (json_type(&t->f->json, token) != JSON_STRING || value.full ||
	    !expand(t->name, t->variable, buf_span(&value), up->set->kind == FLOW_BUILTIN, &uri, &open))
		return false;
	if (open)
		return may_follow(t, up, buf_span(&uri), false) && may_follow(t, up, buf_span(&uri), true);
	return rights_uri(t, up, buf_span(&uri)).verdict != POLICY_DENIED;
}

void list_completion(struct txn *t, struct upstream *up, uint32_t result, struct edits *s, char total_mem[24])
{
	const struct json *j = &t->f->json;
	uint32_t completion = json_get(j, result, SPAN("completion")), values = json_get(j, completion, SPAN("values"));
	struct span total = json_raw(j, json_get(j, completion, SPAN("total")));
	struct buf kept = buf_on(total_mem, 24);
	unsigned n = 0, seen = 0;

	if (t->msg.method != MCP_COMPLETE || !t->msg.ref_is_resource || json_type(j, values) != JSON_ARRAY || rights_see_all(t, up))
		return;
	struct edit_gap g = { json_raw(j, values).p + 1, NULL, NULL };
	for (uint32_t v = json_first(j, values); v != JSON_NONE; v = json_next(j, values, v)) {
		struct span raw = json_raw(j, v);
		if (seen++ < COMPLETIONS_MAX && may_see_value(t, up, v)) {
			edit_keep(&g, raw.p, raw.p + raw.n, s);
			n++;
		} else {
			edit_drop(&g, raw.p, raw.p + raw.n);
		}
	}
	edit_gap_end(&g, s);
	buf_u64(&kept, n);
	if (!span_absent(total)) /* the total would tell how many values are hidden */
		edit_put(s, total.p, total.p + total.n, buf_span(&kept));
}
