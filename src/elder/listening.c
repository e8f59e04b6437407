/* One subscriptions/listen for a session: what the GET stream of older revisions brings. A change of what is subscribed to is a new one, and the old
 * one ends when that is in force, so that nothing is missed between the two. */
#include "elder/elder_priv.h"

#include "wire/json_string.h"

#define NOTHING span_of(NULL, 0)

enum { URI_ROOM = MCP_URI_MAX + 2 };

static const struct { struct span name; unsigned can; struct span notification; } flags[] = {
	{ { "toolsListChanged", 16 }, CAN_TOOLS_CHANGED, { "notifications/tools/list_changed", 32 } },
	{ { "promptsListChanged", 18 }, CAN_PROMPTS_CHANGED, { "notifications/prompts/list_changed", 34 } },
	{ { "resourcesListChanged", 20 }, CAN_RESOURCES_CHANGED, { "notifications/resources/list_changed", 36 } },
};
enum { FLAGS = sizeof flags / sizeof flags[0], ALL_CHANGED = CAN_TOOLS_CHANGED | CAN_PROMPTS_CHANGED | CAN_RESOURCES_CHANGED };

static bool is_wanted(const struct session *s, int64_t now_ms)
{
	return s->nuris > 0 || ((s->can & ALL_CHANGED) && (s->get.attached || (s->listen != 0 && now_ms - s->get.gone_ms < ELDER_LINGER_MS)));
}

static uint64_t ask(struct elder *e, struct session *s)
{
	struct buf b = buf_on(e->out, e->out_cap);
	uint64_t number = question_number(e);
	bool any = false;

	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_u64(&b, number);
	BUF_LIT(&b, ",\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{");
	for (unsigned i = 0; i < FLAGS; i++)
		if (s->can & flags[i].can) {
			buf_put(&b, any ? SPAN(",\"") : SPAN("\""));
			buf_put(&b, flags[i].name);
			BUF_LIT(&b, "\":true");
			any = true;
		}
	for (unsigned i = 0; i < s->nuris; i++) {
		buf_put(&b, i > 0 ? SPAN(",") : any ? SPAN(",\"resourceSubscriptions\":[") : SPAN("\"resourceSubscriptions\":["));
		store_text(&s->uris[i], &b);
	}
	if (s->nuris > 0)
		BUF_LIT(&b, "]");
	BUF_LIT(&b, "},");
	meta_write(&b, s, NULL, JSON_NONE);
	BUF_LIT(&b, "}}");
	return number == 0 || b.full ? 0 : question_ask(e, NULL, s, MCP_LISTEN, NOTHING, buf_span(&b), number);
}

static void later(struct session *s, int64_t now_ms)
{
	int64_t wait = (int64_t)ELDER_LISTEN_MIN_MS << (s->listen_failures < 6 ? s->listen_failures : 6);

	s->listen_failures++;
	s->listen_at_ms = now_ms + (wait < ELDER_LISTEN_MAX_MS ? wait : ELDER_LISTEN_MAX_MS);
}

/* Takes a URI out of what is subscribed to. */
static void forget(struct elder *e, struct session *s, unsigned i)
{
	owner_drop(e, s->owner, &s->uris[i]);
	s->uris[i] = s->uris[--s->nuris];
	s->filter++;
}

static int find(struct session *s, struct span inner)
{
	char mem[URI_ROOM];

	for (unsigned i = 0; i < s->nuris; i++) {
		struct buf b = buf_on(mem, sizeof mem);

		store_text(&s->uris[i], &b);
		if (!b.full && b.n >= 2 && json_string_same(span_of(b.p + 1, b.n - 2), inner))
			return (int)i;
	}
	return -1;
}

/* The URI a call of resources/subscribe waits for. */
static int waits_for(struct elder *e, struct call *c, struct buf *uri)
{
	(void)e;
	store_text(&c->body, uri);
	return uri->full || uri->n < 2 ? -1 : find(c->s, span_of(uri->p + 1, uri->n - 2));
}

static void refuse(struct elder *e, struct call *c, int code, struct span text, uint64_t scopes)
{
	char mem[URI_ROOM];
	struct buf uri = buf_on(mem, sizeof mem);
	int at = waits_for(e, c, &uri);

	if (at >= 0)
		forget(e, c->s, (unsigned)at);
	if (scopes != 0)
		elder_call_lacks(e, c, scopes, SPAN("{\"code\":-32600,\"message\":\"Insufficient scope: WWW-Authenticate says what this needs\"}"));
	else
		elder_call_fault(e, c, code, text, NOTHING);
}

/* Nothing is in force that was asked for up to `filter`. */
static void refuse_all(struct elder *e, struct session *s, uint32_t filter, struct span text, uint64_t scopes)
{
	for (struct list *n = s->calls.next, *next; n != &s->calls; n = next) {
		struct call *c = LIST_OWNER(n, struct call, node);

		next = n->next;
		if (c->state == CALL_WAITS_FOR_LISTEN && c->filter <= filter)
			refuse(e, c, MCP_INTERNAL, text, scopes);
	}
}

void listening_check(struct elder *e, struct session *s, int64_t now_ms)
{
	if (s->listen_next != 0 || now_ms < s->listen_at_ms || !is_wanted(s, now_ms) || (s->listen != 0 && s->filter_acked == s->filter))
		return;
	s->listen_next = ask(e, s);
	s->filter_sent = s->filter;
	if (s->listen_next != 0)
		return;
	later(s, now_ms);
	refuse_all(e, s, s->filter, SPAN("Postern is at its limit of requests of older clients; try again shortly"), 0);
}

/* ---- what comes ---- */

static bool is_agreed(const struct json *j, uint32_t uris, struct span inner)
{
	for (uint32_t u = json_first(j, uris); u != JSON_NONE; u = json_next(j, uris, u))
		if (json_type(j, u) == JSON_STRING && json_string_same(json_inner(j, u), inner))
			return true;
	return false;
}

static void say_all_changed(struct elder *e, struct session *s)
{
	for (unsigned i = 0; i < FLAGS; i++) {
		char mem[128];
		struct buf b = buf_on(mem, sizeof mem);

		if (!(s->can & flags[i].can))
			continue;
		BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
		buf_put(&b, flags[i].notification);
		BUF_LIT(&b, "\"}");
		get_say(e, s, buf_span(&b));
	}
}

static void acknowledged(struct elder *e, struct session *s, uint32_t agreed, int64_t now_ms)
{
	const struct json *j = &e->j;
	uint32_t uris = json_get(j, agreed, SPAN("resourceSubscriptions"));

	question_drop(e, s->listen);
	s->listen = s->listen_next;
	s->listen_next = 0;
	s->filter_acked = s->filter_sent;
	s->listen_failures = 0;
	s->listen_at_ms = 0;
	for (struct list *n = s->calls.next, *next; n != &s->calls; n = next) {
		struct call *c = LIST_OWNER(n, struct call, node);
		char mem[URI_ROOM];
		struct buf uri = buf_on(mem, sizeof mem);

		next = n->next;
		if (c->state != CALL_WAITS_FOR_LISTEN || c->filter > s->filter_acked)
			continue;
		store_text(&c->body, &uri);
		if (uri.n >= 2 && is_agreed(j, uris, span_of(uri.p + 1, uri.n - 2)))
			elder_call_result(e, c, SPAN("{}"));
		else
			refuse(e, c, -32002, SPAN("There is no such resource to subscribe to"), 0);
	}
	if (s->listen_lost)
		say_all_changed(e, s);
	s->listen_lost = false;
	listening_check(e, s, now_ms);
}

void listening_message(struct elder *e, struct session *s, uint64_t number, struct span json, int64_t now_ms)
{
	const struct json *j = &e->j;
	struct buf b = buf_on(e->out, e->out_cap);
	struct mcp_message m;
	size_t where;

	if (json_read(&e->j, e->table, json, &where) != JSON_OK || mcp_message_read(&m, &e->j).code != 0 || m.kind != MCP_NOTIFICATION ||
	    mcp_event_check(&m, &e->j).code != 0)
		return; /* an end, gracious or not, shows when the exchange is over */
	if (m.method == MCP_ACKNOWLEDGED && number == s->listen_next) {
		acknowledged(e, s, json_get(j, m.params, SPAN("notifications")), now_ms);
		return;
	}
	if (m.method < MCP_TOOLS_CHANGED || number != s->listen)
		return;
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(&b, mcp_method_name(m.method));
	if (m.method == MCP_RESOURCE_UPDATED) {
		BUF_LIT(&b, "\",\"params\":{\"uri\":");
		buf_put(&b, json_raw(j, json_get(j, m.params, SPAN("uri"))));
		BUF_LIT(&b, "}}");
	} else {
		BUF_LIT(&b, "\"}");
	}
	if (!b.full && (m.method != MCP_RESOURCE_UPDATED || json_type(j, json_get(j, m.params, SPAN("uri"))) == JSON_STRING))
		get_say(e, s, buf_span(&b));
}

void listening_over(struct elder *e, struct session *s, uint64_t number, uint64_t scopes, int64_t now_ms)
{
	if (number == s->listen) {
		s->listen = 0;
		s->filter_acked = 0;
		s->listen_lost = true;
		if (s->listen_next == 0)
			later(s, now_ms);
	} else if (number == s->listen_next) {
		s->listen_next = 0;
		later(s, now_ms);
		refuse_all(e, s, s->filter_sent, SPAN("The server cannot be listened to"), scopes);
	}
}

void listening_sweep(struct elder *e, struct session *s, int64_t now_ms)
{
	if (s->get.attached)
		s->get.gone_ms = now_ms; /* as far as is known: a stream that finds no room is lost without a word */
	if (s->get.attached && now_ms - s->fresh_ms >= ELDER_FRESH_MS) /* with an identity that has ended nothing could be listened to */
		get_detach(e, s);
	if (s->listen != 0 && !is_wanted(s, now_ms)) {
		question_drop(e, s->listen);
		question_drop(e, s->listen_next);
		s->listen = s->listen_next = 0;
		s->filter_acked = 0;
		s->listen_lost = true;
	}
	listening_check(e, s, now_ms);
}

/* ---- resources/subscribe, resources/unsubscribe ---- */

void subscribe(struct elder *e, struct call *c, uint32_t uri, bool on, int64_t now_ms)
{
	const struct json *j = &e->j;
	struct session *s = c->s;
	struct span raw = json_raw(j, uri);
	int at;

	if (json_type(j, uri) != JSON_STRING || raw.n > URI_ROOM || raw.n < 3) {
		elder_call_fault(e, c, MCP_INVALID_PARAMS, SPAN("params.uri: must be a string of 1 to 2048 bytes"), NOTHING);
		return;
	}
	at = find(s, json_inner(j, uri));
	if (!on) {
		if (at >= 0)
			forget(e, s, (unsigned)at);
		elder_call_result(e, c, SPAN("{}"));
		listening_check(e, s, now_ms);
		return;
	}
	if (at >= 0 && s->listen != 0 && s->filter_acked == s->filter) {
		elder_call_result(e, c, SPAN("{}"));
		return;
	}
	if (at < 0 && s->nuris == ELDER_URIS) {
		elder_call_fault(e, c, MCP_INVALID_PARAMS, SPAN("A session may be subscribed to 32 resources"), NOTHING);
		return;
	}
	if ((at < 0 && !owner_put(e, s->owner, &s->uris[s->nuris], raw)) || !elder_call_keep(e, c, raw)) {
		if (at < 0)
			owner_drop(e, s->owner, &s->uris[s->nuris]);
		elder_call_full(e, c);
		return;
	}
	if (at < 0) {
		s->nuris++;
		s->filter++;
	}
	c->state = CALL_WAITS_FOR_LISTEN;
	c->filter = s->filter;
	c->at_ms = now_ms + ELDER_ACK_MS;
	listening_check(e, s, now_ms);
}

void listening_late(struct elder *e, struct call *c) { refuse(e, c, MCP_INTERNAL, SPAN("The subscription did not come into force in time"), 0); }
