#include "elder/elder_priv.h"

#include "base/text.h"

#define NOTHING span_of(NULL, 0)

static bool event(struct elder *e, unsigned worker, uint64_t http, uint32_t stream, uint32_t seq, struct span json)
{
	char mem[32];
	struct buf id = buf_on(mem, sizeof mem);

	buf_u64(&id, stream);
	BUF_LIT(&id, "-");
	buf_u64(&id, seq);
	return e->set->hooks.event(e->set->hooks.ctx, worker, http, buf_span(&id), json);
}

static bool read_id(struct span id, uint32_t *stream, uint32_t *seq)
{
	const char *dash = id.n > 0 ? memchr(id.p, '-', id.n) : NULL;
	uint64_t a, b;

	if (!dash)
		return false;
	size_t at = (size_t)(dash - id.p);
	if (!text_u64(span_of(id.p, at), &a) || !text_u64(span_from(id, at + 1), &b) || a > UINT32_MAX || b > UINT32_MAX)
		return false;
	*stream = (uint32_t)a;
	*seq = (uint32_t)b;
	return true;
}

/* Whether a client of this revision may be sent an id without data: before it they take an event for a message. */
static bool primes(const struct session *s) { return s->version == V_2025_11_25; }

/* What is kept of a stream behind `seq`. False: the client has not taken all of it. */
static bool replay(struct elder *e, struct session *s, unsigned worker, uint64_t http, uint32_t stream, uint32_t seq)
{
	for (struct list *n = s->log.events.next; n != &s->log.events; n = n->next) {
		const struct store_event *ev = LIST_OWNER(n, struct store_event, in_log);
		struct buf b = buf_on(e->text, e->text_cap);

		if (ev->stream != stream || ev->seq <= seq)
			continue;
		store_text(&ev->text, &b);
		if (!event(e, worker, http, stream, ev->seq, buf_span(&b)))
			return false;
	}
	return true;
}

/* ---- posts ---- */

struct post *post_new(struct elder *e, struct session *s, const struct elder_asked *a, int64_t now_ms)
{
	struct post *p = slots_take(&e->posts);

	if (!p)
		return NULL;
	memset(p, 0, sizeof *p);
	list_init(&p->node);
	list_append(&s->posts, &p->node);
	p->s = s;
	p->worker = a->worker;
	p->http = a->call;
	p->attached = true;
	p->number = ++s->streams;
	p->start_ms = now_ms;
	return p;
}

static void post_free(struct elder *e, struct post *p)
{
	list_remove(&p->node);
	slots_give(&e->posts, p);
}

static void stream(struct elder *e, struct post *p)
{
	struct span id = p->first ? span_of(p->s->id_text, ELDER_ID_TEXT) : NOTHING;

	e->set->hooks.stream(e->set->hooks.ctx, p->worker, p->http, id);
	if (primes(p->s))
		p->attached = event(e, p->worker, p->http, p->number, p->seq, NOTHING);
}

void post_begin(struct elder *e, struct post *p)
{
	if (p->begun || !p->attached)
		return;
	p->begun = true;
	stream(e, p);
}

static bool say(struct elder *e, struct post *p, struct span json)
{
	bool kept = false;

	post_begin(e, p);
	p->seq++;
	if (p->begun) /* else no client knows an id to come back with */
		kept = store_keep(&e->store, &p->s->log, p->number, p->seq, json);
	if (p->attached)
		p->attached = event(e, p->worker, p->http, p->number, p->seq, json);
	return kept || p->attached;
}

void post_say(struct elder *e, struct post *p, struct span json) { (void)say(e, p, json); }

/* Who comes back for an answer that could not be kept shall at least hear that. `json` is an answer of ours: its id is in front. */
static void keep_excuse(struct elder *e, struct post *p, struct span json)
{
	char mem[512 + MCP_ID_MAX];
	struct buf b = buf_on(mem, sizeof mem);
	struct mcp_fault fault = { MCP_INTERNAL, 200, SPAN("The answer came while no client was there for it, and was too long to be kept"), NOTHING, NOTHING };
	struct json j;
	size_t where;

	if (json_read(&j, e->own_table, json, &where) != JSON_OK)
		return;
	mcp_error_write(&b, json_raw(&j, json_get(&j, JSON_ROOT, SPAN("id"))), &fault);
	if (!b.full)
		(void)store_keep(&e->store, &p->s->log, p->number, p->seq, buf_span(&b));
}

void post_answer(struct elder *e, struct post *p, unsigned status, bool again, struct span json)
{
	const struct elder_hooks *h = &e->set->hooks;

	p->left--;
	if (!p->begun && !p->batch && p->attached && !span_absent(json)) {
		h->reply(h->ctx, p->worker, p->http, status, p->first ? span_of(p->s->id_text, ELDER_ID_TEXT) : NOTHING, again,
			status == 403 ? p->scopes : 0, json);
	} else {
		if (!span_absent(json) && !say(e, p, json) && p->begun)
			keep_excuse(e, p, json);
		if (p->left > 0)
			return;
		if (p->attached && !p->begun) { /* all were cancelled: no answer, and no promise of one */
			h->stream(h->ctx, p->worker, p->http, NOTHING);
			p->begun = true;
		}
		if (p->attached)
			h->end(h->ctx, p->worker, p->http);
	}
	post_free(e, p);
}

void post_cut(struct elder *e, struct post *p, unsigned status)
{
	const struct elder_hooks *h = &e->set->hooks;

	if (p->attached && p->begun)
		h->end(h->ctx, p->worker, p->http);
	else if (p->attached)
		h->reply(h->ctx, p->worker, p->http, status, NOTHING, false, 0, NOTHING);
	post_free(e, p);
}

/* ---- the GET stream ---- */

void get_detach(struct elder *e, struct session *s)
{
	if (s->get.attached)
		e->set->hooks.end(e->set->hooks.ctx, s->get.worker, s->get.http);
	s->get.attached = false;
}

void get_attach(struct elder *e, struct session *s, const struct elder_asked *a, uint32_t sent)
{
	struct get_stream *g = &s->get;

	get_detach(e, s); /* a client that comes anew has lost the old one, whatever we know of it */
	g->worker = a->worker;
	g->http = a->call;
	g->attached = true;
	e->set->hooks.stream(e->set->hooks.ctx, g->worker, g->http, NOTHING);
	if (primes(s))
		g->attached = event(e, g->worker, g->http, 0, sent, NOTHING);
	g->attached = g->attached && replay(e, s, g->worker, g->http, 0, sent);
	if (g->attached)
		g->sent = g->seq;
}

/* The same is waiting already: what changed once has changed. */
static bool is_waiting(struct session *s, struct span json)
{
	for (struct list *n = s->log.events.next; n != &s->log.events; n = n->next) {
		const struct store_event *ev = LIST_OWNER(n, struct store_event, in_log);

		if (ev->stream == 0 && ev->seq > s->get.sent && ev->text.n == json.n && json.n <= sizeof ev->text.first->bytes
			&& memcmp(ev->text.first->bytes, json.p, json.n) == 0)
			return true;
	}
	return false;
}

void get_say(struct elder *e, struct session *s, struct span json)
{
	struct get_stream *g = &s->get;
	struct store_event *old;

	if (!g->attached && is_waiting(s, json))
		return;
	while (g->seq - g->sent >= ELDER_GET_MAX) {
		g->sent++;
		old = store_next(&s->log, 0, g->sent - 1);
		if (old && old->seq <= g->sent)
			store_forget(&e->store, old);
	}
	g->seq++;
	(void)store_keep(&e->store, &s->log, 0, g->seq, json);
	if (!g->attached)
		return;
	g->attached = event(e, g->worker, g->http, 0, g->seq, json);
	if (g->attached)
		g->sent = g->seq;
}

/* ---- coming back ---- */

static struct post *live(struct session *s, uint32_t number)
{
	for (struct list *n = s->posts.next; n != &s->posts; n = n->next) {
		struct post *p = LIST_OWNER(n, struct post, node);

		if (p->number == number && p->begun)
			return p;
	}
	return NULL;
}

bool stream_resume(struct elder *e, struct session *s, const struct elder_asked *a)
{
	const struct elder_hooks *h = &e->set->hooks;
	uint32_t number, seq;
	struct post *p;

	if (!read_id(a->last_event, &number, &seq) || number > s->streams)
		return false;
	if (number == 0) {
		get_attach(e, s, a, seq < s->get.seq ? seq : s->get.seq);
		return true;
	}
	p = live(s, number);
	if (p) {
		if (p->attached)
			h->end(h->ctx, p->worker, p->http);
		p->worker = a->worker;
		p->http = a->call;
		p->attached = true;
		h->stream(h->ctx, p->worker, p->http, NOTHING);
		p->attached = replay(e, s, p->worker, p->http, number, seq);
		return true;
	}
	if (!store_next(&s->log, number, seq))
		return false;
	h->stream(h->ctx, a->worker, a->call, NOTHING);
	if (replay(e, s, a->worker, a->call, number, seq))
		h->end(h->ctx, a->worker, a->call);
	return true;
}
