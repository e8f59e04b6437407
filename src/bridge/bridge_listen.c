/* subscriptions/listen for a legacy upstream, whose notifications name no listener (mcp.md 7, 14.2): who hears what is decided here. How many want a
 * resource is not stored but counted, so it cannot be wrong. */
#include "bridge/bridge_state.h"

static struct span listen_id(const struct bridge_listen *l) { return span_of(l->id, l->id_n); }

static const struct { struct span name; unsigned flag, offer; enum mcp_method event; } flags[] = {
	{ { "toolsListChanged", 16 }, LISTEN_TOOLS, OFFER_TOOLS_CHANGED, MCP_TOOLS_CHANGED },
	{ { "promptsListChanged", 18 }, LISTEN_PROMPTS, OFFER_PROMPTS_CHANGED, MCP_PROMPTS_CHANGED },
	{ { "resourcesListChanged", 20 }, LISTEN_RESOURCES, OFFER_RESOURCES_CHANGED, MCP_RESOURCES_CHANGED },
};
enum { FLAGS = sizeof flags / sizeof flags[0] };

/* One URI of it, and where the next begins; 0: there is none at `at`. */
static uint32_t uri_at(const struct bridge_listen *l, uint32_t at, struct span *uri)
{
	uint32_t n;

	if (at + 2 > l->uris_n)
		return 0;
	n = (uint32_t)(unsigned char)l->uris[at] | (uint32_t)(unsigned char)l->uris[at + 1] << 8;
	*uri = span_of(l->uris + at + 2, n);
	return at + 2 + n;
}

static bool has_uri(const struct bridge_listen *l, struct span uri)
{
	struct span have;

	for (uint32_t at = 0, next; (next = uri_at(l, at, &have)) != 0; at = next)
		if (span_eq(have, uri))
			return true;
	return false;
}

/* All are served by the shared peer; what happens in a principal's own is for that principal. */
static bool serves(const struct bridge_peer *p, const struct bridge_listen *l)
{
	return p->index == 0 || span_eq(span_of(p->principal, p->principal_n), span_of(l->principal, l->principal_n));
}

static bool wanted(const struct bridge *b, const struct bridge_peer *p, struct span uri, const struct bridge_listen *but)
{
	for (const struct list *n = b->listens.next; n != &b->listens; n = n->next) {
		const struct bridge_listen *l = LIST_OWNER(n, struct bridge_listen, node);
		if (l != but && serves(p, l) && has_uri(l, uri))
			return true;
	}
	return false;
}

static void subscribe(struct bridge *b, struct bridge_peer *p, struct span method, struct span uri)
{
	char mem[MCP_URI_MAX * 6 + 16];
	struct buf params = buf_on(mem, sizeof mem);

	if (p->state != PEER_READY || !(p->offers & OFFER_SUBSCRIBE))
		return;
	BUF_LIT(&params, "\"uri\":");
	json_write_string(&params, uri);
	if (params.full || !send_own(b, p, method, buf_span(&params)))
		say_log(b, SPAN("a subscription could not be passed on"), uri);
}

struct bridge_listen *listen_of_worker(struct bridge *b, unsigned worker, struct span id)
{
	for (struct list *n = b->listens.next; n != &b->listens; n = n->next) {
		struct bridge_listen *l = LIST_OWNER(n, struct bridge_listen, node);
		if (l->worker == worker && span_eq(listen_id(l), id))
			return l;
	}
	return NULL;
}

static void keep_uri(struct bridge_listen *l, const struct json *j, uint32_t token)
{
	char mem[MCP_URI_MAX];
	struct buf uri = buf_on(mem, sizeof mem);

	json_text(j, token, &uri);
	if (uri.full || uri.n == 0 || has_uri(l, buf_span(&uri)) || l->uris_n + 2 + uri.n > BRIDGE_URIS_BYTES)
		return; /* what is not acknowledged is not served */
	l->uris[l->uris_n] = (char)(uri.n & 0xff);
	l->uris[l->uris_n + 1] = (char)(uri.n >> 8);
	memcpy(l->uris + l->uris_n + 2, uri.p, uri.n);
	l->uris_n += 2 + (uint32_t)uri.n;
}

static void put_tag(struct buf *out, const struct bridge_listen *l)
{
	BUF_LIT(out, "\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":");
	buf_put(out, listen_id(l));
	BUF_LIT(out, "}}}");
}

static bool acknowledge(struct bridge *b, const struct bridge_listen *l)
{
	struct buf out = say_begin(b);
	struct span uri;
	bool any = false;

	BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{");
	for (unsigned i = 0; i < FLAGS; i++) {
		if (!(l->flags & flags[i].flag))
			continue;
		buf_put(&out, any ? SPAN(",\"") : SPAN("\""));
		buf_put(&out, flags[i].name);
		BUF_LIT(&out, "\":true");
		any = true;
	}
	if (l->uris_n > 0) {
		buf_put(&out, any ? SPAN(",\"resourceSubscriptions\":[") : SPAN("\"resourceSubscriptions\":["));
		for (uint32_t at = 0, next; (next = uri_at(l, at, &uri)) != 0; at = next) {
			if (at > 0)
				BUF_LIT(&out, ",");
			json_write_string(&out, uri);
		}
		BUF_LIT(&out, "]");
	}
	BUF_LIT(&out, "},");
	put_tag(&out, l);
	return say_worker(b, l->worker, &out);
}

static void tell_peers(struct bridge *b, const struct bridge_listen *l, struct span method)
{
	struct span uri;

	for (unsigned i = 0; i < b->s.peers_max; i++) {
		struct bridge_peer *p = &b->peers[i];
		if (p->state != PEER_READY || !serves(p, l))
			continue;
		for (uint32_t at = 0, next; (next = uri_at(l, at, &uri)) != 0; at = next)
			if (!wanted(b, p, uri, l))
				subscribe(b, p, method, uri);
	}
}

void listen_open(struct bridge *b, struct bridge_call *c, const struct mcp_message *m)
{
	const struct json *j = &b->json;
	uint32_t uris = json_get(j, m->notifications, SPAN("resourceSubscriptions"));
	unsigned offers = b->peers[0].offers;
	struct bridge_listen *l = slots_take(&b->listens_pool);

	if (!l) {
		b->counts.refused_busy++;
		call_fault(b, c, MCP_INTERNAL, SPAN("is busy: too many subscriptions are open"));
		return;
	}
	memset(l, 0, offsetof(struct bridge_listen, id));
	list_init(&l->node);
	l->worker = c->worker;
	l->id_n = c->id_n;
	memcpy(l->id, c->id, c->id_n);
	l->principal_n = c->principal_n;
	memcpy(l->principal, c->principal, c->principal_n);
	for (unsigned i = 0; i < FLAGS; i++)
		if ((offers & flags[i].offer) && json_type(j, json_get(j, m->notifications, flags[i].name)) == JSON_TRUE)
			l->flags |= (uint8_t)flags[i].flag;
	if (offers & OFFER_SUBSCRIBE)
		for (uint32_t u = json_first(j, uris); u != JSON_NONE; u = json_next(j, uris, u))
			keep_uri(l, j, u);
	if (!acknowledge(b, l)) {
		slots_give(&b->listens_pool, l);
		call_fault(b, c, MCP_INTERNAL, SPAN("cannot be listened to: there was no room to say so"));
		return;
	}
	call_free(b, c);
	list_append(&b->listens, &l->node);
	tell_peers(b, l, SPAN("resources/subscribe"));
}

static void drop(struct bridge *b, struct bridge_listen *l)
{
	list_remove(&l->node);
	slots_give(&b->listens_pool, l);
}

void listen_end(struct bridge *b, struct bridge_listen *l)
{
	tell_peers(b, l, SPAN("resources/unsubscribe"));
	drop(b, l);
}

void listen_renew(struct bridge *b, struct bridge_peer *p)
{
	for (struct list *n = b->listens.next; n != &b->listens; n = n->next) {
		struct bridge_listen *l = LIST_OWNER(n, struct bridge_listen, node);
		struct span uri;

		if (!serves(p, l))
			continue;
		for (uint32_t at = 0, next; (next = uri_at(l, at, &uri)) != 0; at = next) {
			bool told = false; /* by one before it in the list */
			for (struct list *o = b->listens.next; o != n && !told; o = o->next) {
				struct bridge_listen *other = LIST_OWNER(o, struct bridge_listen, node);
				told = serves(p, other) && has_uri(other, uri);
			}
			if (!told)
				subscribe(b, p, SPAN("resources/subscribe"), uri);
		}
		if (p->index == 0) { /* who listened before it began may have missed something */
			l->missed |= l->flags;
			bridge_due(b, bridge_now(b));
		}
	}
}

static bool say_changed(struct bridge *b, const struct bridge_listen *l, enum mcp_method event)
{
	struct buf out = say_begin(b);

	BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(&out, mcp_method_name(event));
	BUF_LIT(&out, "\",\"params\":{");
	put_tag(&out, l);
	return say_worker(b, l->worker, &out);
}

static void say_missed(struct bridge *b, struct bridge_listen *l)
{
	for (unsigned i = 0; i < FLAGS; i++)
		if ((l->missed & flags[i].flag) && say_changed(b, l, flags[i].event))
			l->missed &= (uint8_t)~flags[i].flag;
	if (l->missed != 0)
		bridge_due(b, bridge_now(b) + BRIDGE_AGAIN_MS);
}

void listen_over(struct bridge *b)
{
	for (struct list *n = b->listens.next; n != &b->listens; n = n->next)
		LIST_OWNER(n, struct bridge_listen, node)->over = true;
	bridge_due(b, bridge_now(b));
}

void listen_missed(struct bridge *b)
{
	for (struct list *n = b->listens.next, *next; n != &b->listens; n = next) {
		struct bridge_listen *l = LIST_OWNER(n, struct bridge_listen, node);

		next = n->next;
		if (!l->over)
			say_missed(b, l);
		else if (!say_fault(b, l->worker, listen_id(l), MCP_INTERNAL, SPAN("has become another; it is to be listened to anew")))
			bridge_due(b, bridge_now(b) + BRIDGE_AGAIN_MS);
		else
			drop(b, l);
	}
}

void listen_changed(struct bridge *b, struct bridge_peer *p, unsigned flag)
{
	for (struct list *n = b->listens.next; n != &b->listens; n = n->next) {
		struct bridge_listen *l = LIST_OWNER(n, struct bridge_listen, node);
		if (!serves(p, l) || !(l->flags & flag))
			continue;
		l->missed |= (uint8_t)flag;
		say_missed(b, l);
	}
}

/* A subscribed URI, or something beneath it (mcp.md 7). */
static bool covers(struct span have, struct span uri)
{
	if (!span_starts(uri, have))
		return false;
	return uri.n == have.n || (have.n > 0 && have.p[have.n - 1] == '/') || uri.p[have.n] == '/' || uri.p[have.n] == '?' || uri.p[have.n] == '#';
}

void listen_updated(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	uint32_t token = json_get(&b->json, m->params, SPAN("uri"));
	char mem[MCP_URI_MAX];
	struct buf uri = buf_on(mem, sizeof mem);

	if (json_type(&b->json, token) != JSON_STRING)
		return;
	json_text(&b->json, token, &uri);
	for (struct list *n = b->listens.next; n != &b->listens && !uri.full; n = n->next) {
		struct bridge_listen *l = LIST_OWNER(n, struct bridge_listen, node);
		struct span have;
		bool hit = false;

		for (uint32_t at = 0, next; serves(p, l) && !hit && (next = uri_at(l, at, &have)) != 0; at = next)
			hit = covers(have, buf_span(&uri));
		if (hit) {
			struct buf out = say_begin(b);
			BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":");
			buf_put(&out, json_raw(&b->json, token));
			BUF_LIT(&out, ",");
			put_tag(&out, l);
			(void)say_worker(b, l->worker, &out);
		}
	}
}
