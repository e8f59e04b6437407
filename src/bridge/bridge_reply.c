/* What the upstream says: to whom it belongs, and in which words it goes on. */
#include "base/text.h"
#include "bridge/bridge_state.h"

/* The digits behind the "id": that begins at or behind `from`; 0: none. */
static uint64_t id_at(struct span text, size_t from)
{
	static const char mark[] = "\"id\":";
	uint64_t id = 0;

	for (size_t i = from; i + sizeof mark - 1 <= text.n; i++) {
		size_t at = i + sizeof mark - 1, end;
		if (memcmp(text.p + i, mark, sizeof mark - 1) != 0)
			continue;
		while (at < text.n && text.p[at] == ' ')
			at++;
		for (end = at; end < text.n && text.p[end] >= '0' && text.p[end] <= '9';)
			end++;
		return text_u64(span_of(text.p + at, end - at), &id) ? id : 0;
	}
	return 0;
}

/* Which of our requests a text that cannot be read whole may be the answer to: "id" stands before "result", or last. A guess, and a harmless one: who sends
 * this could as well fail its calls in a shorter way. 0: none. */
static uint64_t guess(struct span head, struct span tail)
{
	uint64_t id = id_at(span_of(head.p, head.n < 64 ? head.n : 64), 0);

	return id != 0 || span_absent(tail) ? id : id_at(tail, tail.n > 32 ? tail.n - 32 : 0);
}

static void broken(struct bridge *b, struct bridge_peer *p, uint64_t of, struct span text, struct span why)
{
	uint64_t id = of != 0 ? of : guess(text, text);
	struct bridge_call *c = id != 0 ? call_of_peer(b, p, id) : NULL;

	b->counts.broken++;
	p->broken++;
	if (p->broken == 1 || p->broken == 10 || p->broken == BRIDGE_BROKEN_MAX)
		say_log(b, SPAN("the upstream said something that is no message"), why);
	if (id != 0 && id == p->hello)
		peer_fail(b, p, SPAN("answered with something that is not MCP"), false);
	else if (c && c->state == CALL_SENT)
		call_fault(b, c, MCP_INTERNAL, SPAN("sent an answer that is no acceptable JSON-RPC message"));
	else if (p->broken >= BRIDGE_BROKEN_MAX)
		peer_fail(b, p, SPAN("says things that are not MCP"), false);
}

void reply_deliver(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, const struct mcp_message *m)
{
	struct mcp_fault fault = mcp_reply_check(m, &b->json, (enum mcp_method)c->method);
	struct buf out = say_begin(b);

	if (fault.code != 0) {
		call_fault(b, c, MCP_INTERNAL, SPAN("sent an answer of the wrong shape"));
		return;
	}
	if (m->kind == MCP_ERROR) {
		if (!b->modern && retry_url_error(b, c, m))
			return;
		result_error(b, c, &out, m);
	} else if (!(b->modern ? result_modern(b, c, &out, m) : result_legacy(b, p, c, &out, m))) {
		call_fault(b, c, MCP_INTERNAL, SPAN("sent an answer of the wrong shape"));
		return;
	}
	call_answer(b, c, &out);
}

static void answered(struct bridge *b, struct bridge_peer *p, struct span text, const struct mcp_message *m)
{
	struct bridge_call *c;
	uint64_t id;

	if (span_absent(m->id) || !text_u64(m->id, &id)) {
		b->counts.strays++;
		if (span_absent(m->id))
			say_log(b, SPAN("the upstream sent an error that names no request"), json_inner(&b->json, json_get(&b->json, m->error, SPAN("message"))));
		return;
	}
	if (era_answer(b, p, id, m))
		return;
	if (call_is_own(id)) {
		if (m->kind == MCP_ERROR)
			say_log(b, SPAN("the upstream refused a ping, a subscription or a log level"), json_inner(&b->json, json_get(&b->json, m->error, SPAN("message"))));
		return;
	}
	c = call_of_peer(b, p, id);
	if (!c)
		b->counts.strays++; /* of nobody, a second one, or one that was cancelled meanwhile */
	else if (c->state == CALL_PARKED)
		park_over(b, c, text);
	else
		reply_deliver(b, p, c, m);
}

/* {"jsonrpc":…,"method":…,"params":{ the members but `drop` and _meta */
static void open_event(struct bridge *b, struct buf *out, const struct mcp_message *m, const struct span *drop, size_t ndrop, bool *any)
{
	BUF_LIT(out, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(out, mcp_method_name(m->method));
	BUF_LIT(out, "\",\"params\":{");
	say_members(out, &b->json, m->params, drop, ndrop, any);
}

static void progress(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	static const struct span drop[] = { { "_meta", 5 }, { "progressToken", 13 } };
	const struct json *j = &b->json;
	uint32_t token = json_get(j, m->params, SPAN("progressToken"));
	uint64_t id;
	struct bridge_call *c = text_u64(json_raw(j, token), &id) ? call_of_peer(b, p, id) : NULL;
	struct buf out = say_begin(b);
	bool any = false;

	if (!c || c->token_n == 0 || json_type(j, json_get(j, m->params, SPAN("progress"))) != JSON_NUMBER) {
		b->counts.strays++;
		return;
	}
	if (c->state != CALL_SENT)
		return;
	open_event(b, &out, m, drop, 2, &any);
	say_member(&out, &any, SPAN("\"progressToken\""));
	buf_put(&out, span_of(c->token, c->token_n));
	BUF_LIT(&out, "}}");
	(void)say_worker(b, c->worker, &out);
}

/* The call whose caller a log message is for. In a session of its own every call is the caller's: the newest that wants it. */
static struct bridge_call *log_reader(struct bridge *b, struct bridge_peer *p, uint64_t of, unsigned level)
{
	if (b->modern || of != 0) {
		struct bridge_call *c = call_of_peer(b, p, of != 0 ? of : b->seat);
		return c && c->state == CALL_SENT && c->level != 0 && c->level <= level ? c : NULL;
	}
	for (struct list *n = p->calls.prev; p->index > 0 && n != &p->calls; n = n->prev) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, node);
		if (c->state == CALL_SENT && c->level != 0 && c->level <= level)
			return c;
	}
	return NULL;
}

static void message(struct bridge *b, struct bridge_peer *p, uint64_t of, const struct mcp_message *m)
{
	static const struct span drop[] = { { "_meta", 5 } };
	const struct json *j = &b->json;
	unsigned level = level_of(j, json_get(j, m->params, SPAN("level")));
	struct bridge_call *c = level != 0 && json_get(j, m->params, SPAN("data")) != JSON_NONE ? log_reader(b, p, of, level) : NULL;
	struct buf out = say_begin(b);
	bool any = false, inside = false;

	if (!c)
		return;
	open_event(b, &out, m, drop, 1, &any);
	say_member(&out, &any, SPAN("\"_meta\""));
	BUF_LIT(&out, "{");
	say_meta(&out, j, m->meta, true, NULL, 0, &inside);
	say_member(&out, &inside, SPAN("\"" BRIDGE_META_CALL "\""));
	buf_put(&out, call_id(c));
	BUF_LIT(&out, "}}}");
	(void)say_worker(b, c->worker, &out);
}

/* News of a modern upstream's subscription: each has its own. */
static void news(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	static const struct span drop[] = { { "_meta", 5 } }, inside_drop[] = { { MCP_META_SUBSCRIPTION, sizeof(MCP_META_SUBSCRIPTION) - 1 } };
	const struct json *j = &b->json;
	uint32_t token = json_get(j, m->meta, SPAN(MCP_META_SUBSCRIPTION));
	uint64_t id;
	struct bridge_call *c = text_u64(json_raw(j, token), &id) ? call_of_peer(b, p, id) : NULL;
	struct buf out = say_begin(b);
	bool any = false, inside = false;

	if (!c || c->method != MCP_LISTEN || (!c->acked && m->method != MCP_ACKNOWLEDGED)) {
		b->counts.strays++;
		return;
	}
	c->acked = true;
	open_event(b, &out, m, drop, 1, &any);
	say_member(&out, &any, SPAN("\"_meta\""));
	BUF_LIT(&out, "{");
	say_meta(&out, j, m->meta, false, inside_drop, 1, &inside);
	say_member(&out, &inside, SPAN("\"" MCP_META_SUBSCRIPTION "\""));
	buf_put(&out, call_id(c));
	BUF_LIT(&out, "}}}");
	(void)say_worker(b, c->worker, &out);
}

static void notified(struct bridge *b, struct bridge_peer *p, uint64_t of, const struct mcp_message *m)
{
	if (p->state != PEER_READY && !p->was_ready)
		return;
	switch (m->method) {
	case MCP_PROGRESS:
		progress(b, p, m);
		return;
	case MCP_MESSAGE:
		message(b, p, of, m);
		return;
	case MCP_ACKNOWLEDGED:
	case MCP_TASK_STATUS:
		if (b->modern)
			news(b, p, m);
		return;
	case MCP_TOOLS_CHANGED:
	case MCP_PROMPTS_CHANGED:
	case MCP_RESOURCES_CHANGED:
		if (b->modern)
			news(b, p, m);
		else
			listen_changed(b, p, m->method == MCP_TOOLS_CHANGED ? LISTEN_TOOLS : m->method == MCP_PROMPTS_CHANGED ? LISTEN_PROMPTS :
				LISTEN_RESOURCES);
		return;
	case MCP_RESOURCE_UPDATED:
		if (b->modern)
			news(b, p, m);
		else
			listen_updated(b, p, m);
		return;
	case MCP_CANCELLED:
		if (!b->modern)
			park_withdrawn(b, p, m);
		return;
	default:
		return; /* of extensions, or gone from the protocol: nobody here has asked for it */
	}
}

static void one(struct bridge *b, struct bridge_peer *p, uint64_t of, struct span text)
{
	struct mcp_message m;
	struct mcp_fault fault = mcp_message_read(&m, &b->json);

	if (fault.code != 0) {
		broken(b, p, of, text, fault.text);
		return;
	}
	p->broken = 0;
	if (m.kind == MCP_NOTIFICATION) {
		notified(b, p, of, &m);
	} else if (m.kind != MCP_REQUEST) {
		answered(b, p, text, &m);
	} else if (!p->named) {
		b->counts.strays++; /* a modern server asks nothing, and one of old not before it has been initialized */
	} else {
		park_ask(b, p, of, &m);
	}
}

void reply_message(struct bridge *b, struct bridge_peer *p, uint64_t of, struct span text)
{
	struct span parts[BRIDGE_BATCH];
	unsigned n = 0;
	size_t where;
	enum json_error e = json_read(&b->json, b->table, text, &where);

	if (e != JSON_OK) {
		broken(b, p, of, text, json_error_text(e));
		return;
	}
	if (json_type(&b->json, JSON_ROOT) != JSON_ARRAY) {
		one(b, p, of, text);
		return;
	}
	/* Servers of 2025-03-26 may send several at once. */
	if (!p->named || p->version != ERA_2025_03_26 || json_size(&b->json, JSON_ROOT) > BRIDGE_BATCH) {
		broken(b, p, of, SPAN(""), SPAN("a batch"));
		return;
	}
	for (uint32_t x = json_first(&b->json, JSON_ROOT); x != JSON_NONE; x = json_next(&b->json, JSON_ROOT, x))
		parts[n++] = json_raw(&b->json, x);
	for (unsigned i = 0; i < n && p->state != PEER_DOWN; i++)
		if (json_read(&b->json, b->table, parts[i], &where) == JSON_OK)
			one(b, p, of, parts[i]);
}

void reply_long(struct bridge *b, struct bridge_peer *p, uint64_t of, struct span head, struct span tail)
{
	uint64_t id = of != 0 ? of : guess(head, tail);
	struct bridge_call *c = id != 0 ? call_of_peer(b, p, id) : NULL;

	b->counts.broken++;
	say_log(b, SPAN("the upstream sent a message that is longer than the reply limit"), NOTHING);
	if (id != 0 && id == p->hello)
		peer_fail(b, p, SPAN("sent an answer that is too long"), false);
	else if (c && c->state == CALL_PARKED)
		call_free(b, c);
	else if (c)
		call_fault(b, c, MCP_INTERNAL, SPAN("sent an answer that is too long"));
}
