#include "provider/files_state.h"

/* A subscribed URI that is no path of this server's is left out of what is acknowledged, so its path here always reads well. */
static struct dir_facts look(struct files *f, const struct files_listen *s, const struct files_watch *w)
{
	char mem[FILES_URI_MAX];
	struct buf path = buf_on(mem, sizeof mem);
	struct dir_facts facts, none;

	memset(&none, 0, sizeof none);
	none.kind = DIR_OTHER;
	if (!files_name_of_uri(&path, f->s.name, span_of(s->text + w->uri_at, w->uri_len), f->s.hidden))
		return none;
	if (dir_look(f->s.root_fd, buf_span(&path), &facts) != DIR_FINE || facts.kind != DIR_FILE)
		return none;
	return facts;
}

static bool same(const struct dir_facts *a, const struct dir_facts *b)
{
	if (a->kind != b->kind || a->kind != DIR_FILE)
		return a->kind == b->kind;
	return a->size == b->size && a->modified_s == b->modified_s && a->modified_ns == b->modified_ns && a->inode == b->inode &&
		a->device == b->device;
}

/* Keeps the URIs that are of this server; false: their text does not fit. */
static bool take_uris(struct files *f, const struct files_request *r, struct files_listen *s)
{
	uint32_t uris = json_get(&r->json, r->m.notifications, SPAN("resourceSubscriptions"));
	struct buf text = buf_on(s->text, sizeof s->text);

	s->nwatches = 0;
	for (uint32_t u = json_first(&r->json, uris); u != JSON_NONE && s->nwatches < MCP_URIS_MAX; u = json_next(&r->json, uris, u)) {
		struct files_watch *w = &s->watches[s->nwatches];
		char mem[FILES_URI_MAX];
		struct buf path = buf_on(mem, sizeof mem);
		size_t at = text.n;

		json_text(&r->json, u, &text);
		if (text.full)
			return false;
		if (!files_name_of_uri(&path, f->s.name, span_from(buf_span(&text), at), f->s.hidden)) {
			text.n = at;
			continue;
		}
		w->uri_at = (uint16_t)at;
		w->uri_len = (uint16_t)(text.n - at);
		w->last = look(f, s, w);
		s->nwatches++;
	}
	return true;
}

static void put_subscription(struct buf *b, const struct files_listen *s)
{
	BUF_LIT(b, "\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":");
	buf_put(b, span_of(s->id, s->id_len));
	BUF_LIT(b, "}");
}

void files_listen(struct files *f, struct files_link *l, const struct files_request *r)
{
	struct mcp_fault fault = { .code = MCP_INTERNAL, .text = SPAN("too many subscriptions/listen are open; end one first") };
	struct files_listen *s = NULL;
	struct buf b;

	for (unsigned i = 0; i < FILES_LISTENS && !s; i++)
		if (!l->listens[i].open)
			s = &l->listens[i];
	if (s && !take_uris(f, r, s)) {
		fault.code = MCP_INVALID_PARAMS;
		fault.text = SPAN("params.notifications.resourceSubscriptions: together they must not be longer than 16384 bytes; listen more than once");
		s = NULL;
	}
	if (!s || !files_note(l, MCP_ACKNOWLEDGED, &b)) {
		files_fault(f, l, r->m.id, &fault);
		return;
	}
	s->id_len = (uint16_t)r->m.id.n;
	memcpy(s->id, r->m.id.p, r->m.id.n);
	/* What never changes here (tools, prompts by name, lists) is not promised: only what was asked for and is watched. */
	BUF_LIT(&b, "\"notifications\":{");
	if (s->nwatches > 0)
		BUF_LIT(&b, "\"resourceSubscriptions\":[");
	for (unsigned i = 0; i < s->nwatches; i++) {
		if (i > 0)
			BUF_LIT(&b, ",");
		json_write_string(&b, span_of(s->text + s->watches[i].uri_at, s->watches[i].uri_len));
	}
	if (s->nwatches > 0)
		BUF_LIT(&b, "]");
	BUF_LIT(&b, "},");
	put_subscription(&b, s);
	if (!files_note_end(l, &b)) {
		fault.text = SPAN("the acknowledgement is longer than the reply limit; listen for fewer resources");
		files_fault(f, l, r->m.id, &fault);
		return;
	}
	s->open = true;
	l->nlistens++;
	if (f->nlistens++ == 0) {
		f->poll_ms = f->loop->now_ms + FILES_POLL_MS;
		f->polling = false;
	}
}

void files_listen_end(struct files *f, struct files_link *l, struct files_listen *s)
{
	s->open = false;
	l->nlistens--;
	f->nlistens--;
}

void files_listens_drop(struct files *f, struct files_link *l)
{
	for (unsigned i = 0; l->nlistens > 0 && i < FILES_LISTENS; i++)
		if (l->listens[i].open)
			files_listen_end(f, l, &l->listens[i]);
}

/* One look. What cannot be told now, because the worker does not read, is told by a later round. */
static void check(struct files *f, struct files_link *l, struct files_listen *s, struct files_watch *w)
{
	struct dir_facts now = look(f, s, w);
	struct buf b;

	if (same(&now, &w->last) || !files_note(l, MCP_RESOURCE_UPDATED, &b))
		return;
	BUF_LIT(&b, "\"uri\":");
	json_write_string(&b, span_of(s->text + w->uri_at, w->uri_len));
	BUF_LIT(&b, ",");
	put_subscription(&b, s);
	if (files_note_end(l, &b))
		w->last = now;
}

/* The next watch of this round; NULL at its end. */
static struct files_watch *next(struct files *f, struct files_link **l, struct files_listen **s)
{
	for (; f->poll_link < f->s.links_max; f->poll_link++, f->poll_listen = f->poll_watch = 0) {
		*l = &f->links[f->poll_link];
		for (; (*l)->nlistens > 0 && f->poll_listen < FILES_LISTENS; f->poll_listen++, f->poll_watch = 0) {
			*s = &(*l)->listens[f->poll_listen];
			if ((*s)->open && f->poll_watch < (*s)->nwatches)
				return &(*s)->watches[f->poll_watch++];
		}
	}
	return NULL;
}

bool files_poll(struct files *f)
{
	if (f->nlistens == 0)
		return false;
	if (!f->polling) {
		if (f->loop->now_ms < f->poll_ms)
			return false;
		f->polling = true;
		f->poll_link = f->poll_listen = f->poll_watch = 0;
		f->poll_ms = f->loop->now_ms + FILES_POLL_MS;
	}
	for (unsigned i = 0; i < FILES_POLLS_A_TICK; i++) {
		struct files_link *l;
		struct files_listen *s;
		struct files_watch *w = next(f, &l, &s);

		if (!w) {
			f->polling = false;
			return false;
		}
		check(f, l, s, w);
	}
	return true;
}
