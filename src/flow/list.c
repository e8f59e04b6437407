/* The entries of a list as this caller is shown them: which of them, under which names, and where the list goes on. */
#include "flow/flow_priv.h"

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

/* The gap that an entry leaves; next to another, the two are one. */
static void drop(struct edits *s, const char *from, const char *to)
{
	if (s->n > 0 && s->e[s->n - 1].to == from && s->e[s->n - 1].with.n == 0)
		s->e[s->n - 1].to = to;
	else
		edit_add(s, from, to, NOTHING);
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

/* Tools whose header annotations are wrong must not be shown (mcp.md 5.4); nor names that cannot be offered; nor what the caller may
 * not use. */
bool list_keeps(struct txn *t, struct upstream *up, uint32_t entry, bool all)
{
	const struct json *j = &t->f->json;
	struct span why = NOTHING;
	uint32_t name = json_type(j, entry) == JSON_OBJECT ? json_get(j, entry, SPAN("name")) : JSON_NONE;
	bool keep = t->msg.method != MCP_TOOLS_LIST || up->set->kind == FLOW_BUILTIN || catalog_judge(j, entry, &why) != CATALOG_INVALID;

	if (!keep)
		flow_log(t->f, SPAN("an entry of a list was dropped"), up->set->name, why);
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

/* `from` .. `to` of an entry that is left out takes one neighbouring comma with it; the rest get their prefix. */
static void entry_edits(struct txn *t, struct upstream *up, uint32_t list, struct edits *s, struct span prefix)
{
	const struct json *j = &t->f->json;
	const char *kept_end = NULL; /* end of the last entry that stays */
	bool all = rights_see_all(t, up);

	for (uint32_t e = json_first(j, list), next; e != JSON_NONE; e = next) {
		next = json_next(j, list, e);
		struct span raw = json_raw(j, e);
		if (!list_keeps(t, up, e, all)) {
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
		const char *at = name_at(j, e, prefix);
		if (at)
			edit_add(s, at, at, prefix);
		hygiene_entry(up, e, s);
		kept_end = raw.p + raw.n;
	}
}

/* The cursor of the page after this one, which is the upstream's own. */
static void next_cursor(struct txn *t, struct upstream *up, uint32_t token, struct buf *out)
{
	struct cursor_place place = { up->index, true, 0, NOTHING };
	uint8_t key[CURSOR_KEY];
	char mem[MCP_CURSOR_MAX];
	struct buf inner = buf_on(mem, sizeof(mem));

	if (json_type(&t->f->json, token) != JSON_STRING)
		return;
	json_text(&t->f->json, token, &inner);
	if (inner.full)
		out->full = true;
	place.inner = buf_span(&inner);
	route_cursor_key(t, key);
	cursor_seal(out, key, t->msg.method, &place);
}

bool list_shareable(const struct txn *t, const struct upstream *up) { return rights_shared(up) && rights_see_all(t, up); }

bool list_pass(struct txn *t, struct upstream *up, uint32_t result, struct list_edits *x)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t list = json_get(j, result, list_member(t->msg.method));
	bool prefixed = !f->set->plain;
	struct buf cursor = buf_on(x->cursor_mem, sizeof(x->cursor_mem));
	struct buf server = buf_on(x->server_mem, sizeof(x->server_mem));

	if (list == JSON_NONE || json_type(j, list) != JSON_ARRAY)
		return false;
	BUF_LIT(&server, "{\"name\":\"postern\",\"version\":\"");
	buf_put(&server, f->set->version);
	BUF_LIT(&server, "\"}");
	uint32_t next = prefixed ? json_get(j, result, SPAN("nextCursor")) : JSON_NONE;
	BUF_LIT(&cursor, "\"");
	if (prefixed)
		next_cursor(t, up, next, &cursor);
	bool has = cursor.n > 1;
	BUF_LIT(&cursor, "\"");
	if (cursor.full || server.full)
		return false;
	bool parted = prefixed && (has || t->msg.cursor != JSON_NONE); /* all pages of a list are of one scope */
	uint32_t scope = parted || !list_shareable(t, up) ? json_get(j, result, SPAN("cacheScope")) : JSON_NONE;
	uint32_t info = !prefixed ? JSON_NONE : json_get(j, json_get(j, result, SPAN("_meta")), SPAN(MCP_META_SERVER));

	/* In the order of the text: walk the members once. */
	for (uint32_t name = json_first(j, result); name != JSON_NONE; name = json_next(j, result, name)) {
		uint32_t value = json_value(j, name);
		struct span raw = json_raw(j, value);
		if (value == list)
			entry_edits(t, up, list, &x->s, list_prefix(t, up));
		else if (value == next && has) /* one that is no string, and leads nowhere, is passed as it is */
			edit_replace(&x->s, raw, buf_span(&cursor));
		else if (value == scope) /* else a cache in front of several callers gives one what another was shown */
			edit_replace(&x->s, raw, SPAN("\"private\""));
		else if (info != JSON_NONE && json_raw(j, info).p >= raw.p && json_raw(j, info).p < raw.p + raw.n)
			edit_replace(&x->s, json_raw(j, info), buf_span(&server));
	}
	hygiene_result(up, t->msg.method, result, &x->s);
	return !x->s.full;
}
