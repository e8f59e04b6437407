/* One list out of those of several upstreams: all are asked at once, their entries follow each other in the order of the configuration, and a
 * page of ours ends where it is full. An upstream that does not answer, or not in time, is left out and named in the result. */
#include "flow/list.h"

#define NOTHING span_of(NULL, 0)

enum part { PART_NONE, PART_WANTED, PART_ASKED, PART_HELD, PART_DONE, PART_SKIPPED };

enum { TAIL = 3072 /* room kept on the page for what comes behind the entries */, WHY_MAX = 96 };

struct gather {
	struct buffer *held[FLOW_SERVERS_MAX]; /* a first page that came before its turn: struct held and what belongs to it */
	uint8_t part[FLOW_SERVERS_MAX];
	unsigned at;                  /* the upstream whose entries come next */
	unsigned pages;               /* of it that have been read */
	bool has_cursor;              /* its page at hand is not its first */
	uint16_t cursor_n;
	uint32_t skip;                /* entries of that page that an earlier page of ours has had */
	uint32_t entries;             /* on our page */
	unsigned served, skipped;
	int64_t ttl_ms;
	bool shared;                  /* all that was read may be shown to others */
	bool paged;                   /* this is not the first page of the whole list */
	bool late, last;              /* its time is up, for the last time */
	bool sending, full, bad_cursor, no_buffer;
	unsigned status, first;       /* what the first that is left out did */
	size_t why_n;
	char why[WHY_MAX];
	char cursor[CURSOR_INNER_MAX];
};

size_t gather_size(void) { return sizeof(struct gather); }

/* In front of the entries of a page that waits: behind it the page's cursor, then each entry as 4 bytes of length and its bytes; length 0: an
 * entry that is not shown, and counts all the same. */
struct held {
	int64_t ttl_ms;
	uint32_t entries;
	uint16_t next_n;
	bool has_next, shared;
};

void gather_free(struct txn *t)
{
	if (!t->gather)
		return;
	for (unsigned i = 0; i < t->f->set->nservers; i++)
		buffer_give(t->f, t->gather->held[i]);
	slots_give(&t->f->gathers, t->gather);
	buffer_give(t->f, t->page);
	t->gather = NULL;
	t->page = NULL;
}

static struct buf page_end(const struct txn *t) { return buf_on(t->page->p + t->page->n, t->page->cap - t->page->n); }

static void skip(struct txn *t, unsigned i, unsigned status, struct span why)
{
	struct gather *g = t->gather;

	g->part[i] = PART_SKIPPED;
	if (g->skipped++ > 0)
		return;
	g->status = status;
	g->first = i;
	g->why_n = why.n < WHY_MAX ? why.n : WHY_MAX;
	memcpy(g->why, why.p, g->why_n);
}

/* A question for the page at hand, or for the first one of an upstream whose turn has not come; the json view holds the client's message.
 * NULL: there is no room for it. */
static struct leg *prepare(struct txn *t, unsigned i, bool ahead, struct buffer **request)
{
	struct gather *g = t->gather;
	struct flow *f = t->f;
	struct leg *l = leg_new(&f->up[i], t, t->msg.method);
	bool inner = i == g->at && g->has_cursor;

	*request = l ? request_list(l, &t->msg, inner ? span_of(g->cursor, g->cursor_n) : NOTHING) : NULL;
	if (!*request) {
		if (l)
			leg_free(l);
		metrics_add(f->metrics, METRIC_REFUSED_FULL, 1);
		return NULL;
	}
	if (ahead) {
		l->ahead = true;
		f->ahead++;
	}
	return l;
}

/* Asks for the page at hand. A fault may come at once, through gather_failed(). */
static void ask(struct txn *t)
{
	struct gather *g = t->gather;
	struct buffer *request = NULL;
	struct leg *l = txn_reread(t) ? prepare(t, g->at, false, &request) : NULL;

	if (!l) {
		skip(t, g->at, 503, SPAN("cannot be asked: Postern is at its limit of calls or buffers"));
		return;
	}
	g->part[g->at] = PART_ASKED;
	g->sending = true;
	leg_send(l, request);
	g->sending = false;
}

/* ---- the page ---- */

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

/* False: it does not go on this page. One that goes on no page is left out. */
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

/* The page at hand says more than its entries: where its list goes on. */
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
		skip(t, g->at, 502, next.n > CURSOR_INNER_MAX ? SPAN("gave a cursor that is too long") : SPAN("gave a cursor that leads where it was"));
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

/* A page whose turn it is, from the json view. */
static void take_page(struct txn *t, struct upstream *up, uint32_t result, uint32_t list)
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

/* A page whose turn has not come is kept as it will be shown. Without a buffer for it, it is asked for again in its turn. */
static void hold(struct txn *t, struct upstream *up, uint32_t result, uint32_t list)
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

static void take_held(struct txn *t)
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

static void name_skipped(struct txn *t, struct buf *b)
{
	struct gather *g = t->gather;
	bool any = false;

	for (unsigned i = 0; i < t->f->set->nservers; i++) {
		if (g->part[i] != PART_SKIPPED)
			continue;
		buf_put(b, any ? SPAN(",\"") : SPAN(",\"" FLOW_META_UNAVAILABLE "\":[\""));
		buf_put(b, t->f->set->servers[i].name);
		BUF_LIT(b, "\"");
		any = true;
	}
	if (any)
		BUF_LIT(b, "]");
}

static enum step_end answer_page(struct txn *t)
{
	struct gather *g = t->gather;
	struct flow *f = t->f;
	struct buf b = page_end(t);
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
	BUF_LIT(&b, "\",\"_meta\":{\"" MCP_META_SERVER "\":{\"name\":\"postern\",\"version\":\"");
	buf_put(&b, f->set->version);
	BUF_LIT(&b, "\"}");
	name_skipped(t, &b);
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

/* Nobody could be asked: an empty list would be a lie. */
static enum step_end answer_none(struct txn *t)
{
	struct gather *g = t->gather;
	char mem[WHY_MAX + 64];
	struct buf why = buf_on(mem, sizeof(mem));

	buf_put(&why, span_of(g->why, g->why_n));
	if (g->skipped > 1) {
		BUF_LIT(&why, ", and ");
		buf_u64(&why, g->skipped - 1);
		buf_put(&why, g->skipped == 2 ? SPAN(" other server cannot be listed either") : SPAN(" other servers cannot be listed either"));
	}
	return answer_upstream(t, g->status, t->f->set->servers[g->first].name, buf_span(&why));
}

static enum step_end finish(struct txn *t)
{
	struct gather *g = t->gather;
	enum step_end end;

	while (!list_empty(&t->legs))
		leg_cancel(LIST_OWNER(t->legs.next, struct leg, of_txn));
	timer_disarm(&t->f->timers, &t->timer);
	if (g->bad_cursor) {
		struct mcp_fault fault = { MCP_INVALID_PARAMS, 200, SPAN("params.cursor: the upstream does not know it any more; begin the list again"), NOTHING, NOTHING };
		end = answer_fault(t, &fault);
	} else if (g->served == 0 && g->skipped > 0 && !g->full) {
		end = answer_none(t);
	} else if (g->entries == 0 && g->no_buffer) {
		end = answer_upstream(t, 503, t->f->set->servers[g->at].name, SPAN("was asked, but no buffer is free for its list"));
	} else {
		end = answer_page(t);
	}
	gather_free(t);
	return end;
}

static bool heard_any(const struct txn *t)
{
	bool any = t->gather->served > 0;
	for (unsigned i = 0; i < t->f->set->nservers; i++)
		any = any || t->gather->part[i] == PART_HELD;
	return any;
}

static void give_up(struct txn *t, unsigned i)
{
	struct upstream *up = &t->f->up[i];

	for (struct list *n = t->legs.next; n != &t->legs; n = n->next) {
		struct leg *l = LIST_OWNER(n, struct leg, of_txn);
		if (l->up == up) {
			leg_cancel(l);
			break;
		}
	}
	metrics_add(t->f->metrics, METRIC_UPSTREAM_FAULT_LATE, 1);
	flow_log(t->f, SPAN("upstream"), up->set->name, SPAN("did not answer in time: a list is served without it"));
	up->slow = true;
	t->f->metrics->down[i] = 1;
	skip(t, i, 504, SPAN("did not answer in time"));
}

/* Whoever is still silent is done without. The others may have more pages: they get as much time again. */
static void time_is_up(struct txn *t)
{
	struct gather *g = t->gather;

	for (unsigned i = 0; i < t->f->set->nservers; i++)
		if (g->part[i] == PART_ASKED)
			give_up(t, i);
	if (g->last)
		return;
	g->last = true;
	g->late = false;
	timer_arm(&t->f->timers, &t->timer, flow_now(t->f) + flow_list_ms(t->f->set));
}

/* As far as it goes with what is here. Each turn brings `at` forward or asks for a page, of which there are at most FLOW_CATALOG_PAGES. */
static enum step_end go(struct txn *t)
{
	struct gather *g = t->gather;

	if (g->late && heard_any(t))
		time_is_up(t);
	while (!g->full && !g->bad_cursor && g->at < t->f->set->nservers) {
		switch ((enum part)g->part[g->at]) {
		case PART_HELD:
			take_held(t);
			break;
		case PART_ASKED:
			return STEP_WAIT;
		case PART_WANTED:
			if (g->late && g->last)
				g->full = true; /* in time for the next page of ours */
			else
				ask(t);
			break;
		default:
			g->at++;
			g->pages = 0;
			g->skip = 0;
			g->has_cursor = false;
			break;
		}
	}
	return finish(t);
}

static void go_on(struct txn *t)
{
	if (t->gather->sending)
		return;
	switch (go(t)) {
	case STEP_WAIT:
		break;
	case STEP_DROP:
		txn_cancel(t);
		break;
	default:
		txn_goto(t, STEP_FLUSH);
		break;
	}
}

enum step_end gather_send(struct txn *t)
{
	struct flow *f = t->f;
	struct gather *g = slots_take(&f->gathers);

	t->page = buffer_take(f, FLOW_SMALL);
	if (!g || !t->page) {
		if (g)
			slots_give(&f->gathers, g);
		buffer_give(f, t->page);
		t->page = NULL;
		metrics_add(f->metrics, METRIC_REFUSED_FULL, 1);
		return answer_upstream(t, 503, f->set->servers[t->server].name, SPAN("cannot be asked: Postern is at its limit of calls or buffers"));
	}
	t->gather = g;
	memset(g, 0, offsetof(struct gather, cursor));
	g->at = t->server;
	g->ttl_ms = INT64_C(1) << 52;
	g->shared = true;
	g->paged = t->msg.cursor != JSON_NONE;
	g->skip = t->list_skip;
	g->has_cursor = t->has_cursor;
	if (t->has_cursor) {
		g->cursor_n = (uint16_t)t->cursor.n;
		memcpy(g->cursor, t->cursor.p, t->cursor.n);
	}
	t->page->n = FLOW_ANSWER_ROOM;
	struct buf b = page_end(t);
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, ",\"result\":{\"resultType\":\"complete\",\"");
	buf_put(&b, list_member(t->msg.method));
	BUF_LIT(&b, "\":[");
	t->page->n += (uint32_t)b.n;
	t->step = STEP_REPLY; /* what comes back may come back before we return */
	/* All questions first: sending one may bring an answer, and with it another document into the json view. */
	struct leg *legs[FLOW_SERVERS_MAX];
	struct buffer *requests[FLOW_SERVERS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < f->set->nservers; i++) {
		if (t->missing >> i & 1)
			skip(t, i, f->up[i].slow ? 504 : 502, f->up[i].slow ? SPAN("did not answer in time lately") : SPAN("could not be asked what it offers"));
		if (!(t->wanted >> i & 1))
			continue;
		g->part[i] = PART_WANTED;
		if ((i == g->at || f->ahead < flow_ahead(f->set)) && (legs[n] = prepare(t, i, i != g->at, &requests[n])) != NULL) {
			g->part[i] = PART_ASKED;
			n++;
		}
	}
	g->sending = true;
	for (unsigned i = 0; i < n; i++)
		leg_send(legs[i], requests[i]);
	g->sending = false;
	timer_arm(&f->timers, &t->timer, list_until(t));
	return go(t);
}

void gather_answer(struct txn *t, struct upstream *up, const struct mcp_message *m)
{
	struct gather *g = t->gather;
	const struct json *j = &t->f->json;
	uint32_t list = m->kind == MCP_RESULT ? json_get(j, m->result, list_member(t->msg.method)) : JSON_NONE;
	int64_t code = 0;

	up->slow = false;
	if (m->kind == MCP_ERROR) {
		(void)json_int(j, json_get(j, m->error, SPAN("code")), &code);
		if (code == MCP_METHOD_NOT_FOUND) { /* it has resources, say, and no templates */
			g->part[up->index] = PART_DONE;
			g->served++;
		} else if (code == MCP_INVALID_PARAMS && up->index == g->at && g->has_cursor) {
			g->bad_cursor = g->pages == 0;
			skip(t, up->index, 502, SPAN("does not know the cursor that it gave"));
		} else {
			skip(t, up->index, 502, SPAN("answered with an error"));
			flow_log(t->f, SPAN("upstream"), up->set->name, SPAN("answered with an error: a list is served without it"));
		}
	} else if (json_type(j, list) != JSON_ARRAY) {
		metrics_add(t->f->metrics, METRIC_UPSTREAM_FAULT_BROKEN, 1);
		flow_log(t->f, SPAN("upstream"), up->set->name, SPAN("sent a list that is none: a list is served without it"));
		skip(t, up->index, 502, SPAN("sent a list that is none"));
	} else if (up->index == g->at) {
		take_page(t, up, m->result, list);
	} else {
		hold(t, up, m->result, list);
	}
	go_on(t);
}

void gather_failed(struct txn *t, struct upstream *up, unsigned status, struct span why)
{
	skip(t, up->index, status, why);
	go_on(t);
}

/* Whoever has not answered by now is done without, but not by all: then the first answer is waited for. */
void gather_late(struct txn *t)
{
	t->gather->late = true;
	go_on(t);
}
