/* The page that a list of several upstreams is put together on. */
#include "flow/gather_priv.h"
#include "flow/list.h"

#define NOTHING span_of(NULL, 0)

enum { TAIL = 3072 /* room kept on the page for what comes behind the entries */ };

/* How a page that waits lies in its buffer: this head, the page's own cursor, then each entry as 4 bytes of length and its bytes. Length 0: an entry
 * that is not shown to this caller. It keeps its place, because cursors count the entries of the upstream's page. */
struct held {
	int64_t ttl_ms;
	uint32_t entries;
	uint16_t next_n;
	bool has_next, shared;
};

static struct buf page_end(const struct txn *t) { return buf_on(t->page->p + t->page->n, t->page->cap - t->page->n); }

void gather_page_begin(struct txn *t)
{
	t->page->n = FLOW_ANSWER_ROOM;
	struct buf b = page_end(t);
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, ",\"result\":{\"resultType\":\"complete\",\"");
	buf_put(&b, list_member(t->msg.method));
	BUF_LIT(&b, "\":[");
	t->page->n += (uint32_t)b.n;
}

/* Room for an entry of so many bytes. False: the page is full. */
static bool room(struct txn *t, size_t size)
{
	struct gather *g = t->gather;

	if (g->entries == FLOW_PAGE_ENTRIES)
		return false;
	if (t->page->cap - t->page->n < size + TAIL && size + TAIL + t->page->n <= t->f->large_cap && !buffer_grow(t->f, &t->page))
		g->no_buffer = true;
	return t->page->cap - t->page->n >= size + TAIL;
}

/* False: there is no room for it on this page. An entry that is too large for any page is dropped, and logged. */
static bool put(struct txn *t, struct upstream *up, struct span entry, uint32_t token, struct span prefix)
{
	struct gather *g = t->gather;
	size_t size = entry.n + prefix.n + 1;

	if (!room(t, size)) {
		if (g->entries > 0 || g->no_buffer)
			return false;
		flow_log(t->f, SPAN("an entry of a list was dropped"), up->set->name, SPAN("it is larger than a whole page may be (memory.reply)"));
		return true;
	}
	struct buf b = page_end(t);
	if (g->entries > 0)
		BUF_LIT(&b, ",");
	if (token == JSON_NONE)
		buf_put(&b, entry);
	else if (!list_entry(up, token, prefix, &b))
		return true;
	g->entries++;
	t->page->n += (uint32_t)b.n;
	return true;
}

/* All entries of the upstream's page are taken: is there another page? */
static void page_over(struct txn *t, bool has_next, struct span next)
{
	struct gather *g = t->gather;
	bool had_cursor = g->has_cursor;

	g->skip = 0;
	g->has_cursor = false;
	g->part[g->at] = PART_DONE;
	if (!has_next)
		return;
	if (next.n > CURSOR_INNER_MAX || (had_cursor && span_eq(next, span_of(g->cursor, g->cursor_n)))) {
		gather_skip(t, g->at, 502, next.n > CURSOR_INNER_MAX ? SPAN("gave a cursor that is too long") : SPAN("gave a cursor that leads where it was"));
		return;
	}
	g->has_cursor = true;
	g->cursor_n = (uint16_t)next.n;
	memcpy(g->cursor, next.p, next.n);
	g->part[g->at] = PART_WANTED;
	g->full = ++g->pages == FLOW_CATALOG_PAGES;
}

static void count_page(struct gather *g, int64_t ttl_ms, bool shared)
{
	g->served++;
	g->ttl_ms = ttl_ms < g->ttl_ms ? ttl_ms : g->ttl_ms;
	g->shared = g->shared && shared;
}

static void page_ends_at(struct gather *g, uint32_t entry)
{
	g->full = true;
	g->skip = entry;
}

struct page_facts {
	int64_t ttl_ms;
	bool shared, has_next;
	char next_mem[MCP_CURSOR_MAX];
	struct buf next;
};

static void read_facts(struct txn *t, struct upstream *up, uint32_t result, struct page_facts *p)
{
	const struct json *j = &t->f->json;
	uint32_t next = json_get(j, result, SPAN("nextCursor"));

	p->next = buf_on(p->next_mem, sizeof(p->next_mem));
	p->has_next = json_type(j, next) == JSON_STRING;
	json_text(j, next, &p->next);
	if (p->next.full)
		p->next.n = sizeof(p->next_mem); /* longer than any that we take */
	p->ttl_ms = list_ttl(j, result);
	p->shared = json_is(j, json_get(j, result, SPAN("cacheScope")), SPAN("public")) && list_shareable(t, up);
}

void gather_take(struct txn *t, struct upstream *up, uint32_t result, uint32_t list)
{
	struct gather *g = t->gather;
	const struct json *j = &t->f->json;
	struct span prefix = list_prefix(t, up);
	bool all = rights_see_all(t, up);
	uint32_t n = 0;
	struct page_facts facts;

	read_facts(t, up, result, &facts);
	count_page(g, facts.ttl_ms, facts.shared);
	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e), n++) {
		if (n < g->skip || !list_keeps(t, up, e, all))
			continue;
		if (!put(t, up, json_raw(j, e), e, prefix)) {
			page_ends_at(g, n);
			return;
		}
	}
	page_over(t, facts.has_next, buf_span(&facts.next));
}

void gather_hold(struct txn *t, struct upstream *up, uint32_t result, uint32_t list)
{
	struct gather *g = t->gather;
	struct flow *f = t->f;
	const struct json *j = &f->json;
	struct span prefix = list_prefix(t, up);
	bool all = rights_see_all(t, up);
	size_t bound = sizeof(struct held) + MCP_CURSOR_MAX + json_raw(j, list).n + json_size(j, list) * (sizeof(uint32_t) + prefix.n);
	struct page_facts facts;
	struct buffer *b = bound > FLOW_SMALL && f->large.used >= f->large.count / 2 ? NULL : buffer_take(f, bound);

	g->part[up->index] = PART_WANTED;
	if (!b)
		return;
	read_facts(t, up, result, &facts);
	struct held h = { facts.ttl_ms, json_size(j, list), (uint16_t)facts.next.n, facts.has_next, facts.shared };
	struct buf text = buf_on(b->p, b->cap);
	buf_put(&text, span_of((const char *)&h, sizeof(h)));
	buf_put(&text, buf_span(&facts.next));
	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e)) {
		size_t at = text.n;
		uint32_t n = 0;
		buf_put(&text, span_of((const char *)&n, sizeof(n)));
		if (text.full || !list_keeps(t, up, e, all) || !list_entry(up, e, prefix, &text))
			continue;
		n = (uint32_t)(text.n - at - sizeof(n));
		memcpy(text.p + at, &n, sizeof(n));
	}
	if (text.full) {
		buffer_give(f, b);
		return;
	}
	b->n = (uint32_t)text.n;
	g->held[up->index] = b;
	g->part[up->index] = PART_HELD;
}

void gather_take_held(struct txn *t)
{
	struct gather *g = t->gather;
	struct upstream *up = &t->f->up[g->at];
	struct buffer *b = g->held[g->at];
	struct held h;
	size_t at = sizeof(h);

	memcpy(&h, b->p, sizeof(h));
	struct span next = span_of(b->p + at, h.next_n);
	at += h.next_n;
	count_page(g, h.ttl_ms, h.shared);
	for (uint32_t i = 0; i < h.entries; i++) {
		uint32_t n;
		memcpy(&n, b->p + at, sizeof(n));
		at += sizeof(n);
		if (n > 0 && !put(t, up, span_of(b->p + at, n), JSON_NONE, NOTHING)) {
			page_ends_at(g, i);
			return;
		}
		at += n;
	}
	g->held[g->at] = NULL;
	page_over(t, h.has_next, next);
	buffer_give(t->f, b);
}

/* ---- the answer ---- */

enum step_end gather_say(struct txn *t)
{
	struct gather *g = t->gather;
	struct flow *f = t->f;
	struct buf b = page_end(t);
	uint32_t skipped = 0;
	int64_t ttl_ms = g->skipped > 0 && g->ttl_ms > FLOW_CATALOG_RETRY_MS ? FLOW_CATALOG_RETRY_MS : g->ttl_ms;

	BUF_LIT(&b, "]");
	if (g->full) {
		struct cursor_place place = { g->at, g->has_cursor, g->skip, span_of(g->cursor, g->cursor_n) };
		uint8_t key[SEAL_KEY];
		route_cursor_key(t, key);
		BUF_LIT(&b, ",\"nextCursor\":\"");
		cursor_seal(&b, key, t->msg.method, f->set->servers[g->at].name, &place);
		BUF_LIT(&b, "\"");
	}
	BUF_LIT(&b, ",\"ttlMs\":");
	buf_i64(&b, ttl_ms);
	/* All pages of a list are of one scope, and what the next upstream will say is not known yet. */
	BUF_LIT(&b, ",\"cacheScope\":\"");
	buf_put(&b, g->shared && !g->paged && !g->full ? SPAN("public") : SPAN("private"));
	BUF_LIT(&b, "\",\"_meta\":{\"" MCP_META_SERVER "\":");
	answer_server(f, &b);
	for (unsigned i = 0; i < f->set->nservers; i++)
		skipped |= (uint32_t)(g->part[i] == PART_SKIPPED) << i;
	answer_unavailable(f, &b, skipped);
	BUF_LIT(&b, "}}}");
	if (g->skipped > 0)
		metrics_add(f->metrics, METRIC_LISTS_INCOMPLETE, 1);
	if (b.full)
		return STEP_DROP;
	t->page->n += (uint32_t)b.n;
	t->out = t->page;
	t->page = NULL;
	b = buf_on(t->out->p + FLOW_ANSWER_ROOM, t->out->cap - FLOW_ANSWER_ROOM);
	b.n = t->out->n - FLOW_ANSWER_ROOM;
	t->outcome = OUTCOME_RESULT;
	return answer_send(t, 200, &b, SPAN("application/json"));
}

enum step_end gather_say_none(struct txn *t)
{
	struct gather *g = t->gather;
	char mem[GATHER_WHY_MAX + 64];
	struct buf why = buf_on(mem, sizeof(mem));

	buf_put(&why, span_of(g->why, g->why_n));
	if (g->skipped > 1) {
		BUF_LIT(&why, ", and ");
		buf_u64(&why, g->skipped - 1);
		buf_put(&why, g->skipped == 2 ? SPAN(" other server cannot be listed either") : SPAN(" other servers cannot be listed either"));
	}
	return answer_upstream(t, g->status, t->f->set->servers[g->first].name, buf_span(&why));
}
