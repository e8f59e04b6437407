/* Which revision the upstream speaks (mcp.md 4.4, 12.1, 13), and the beginning of a conversation in it. */
#include "bridge/bridge_state.h"

static const struct span versions[ERA_VERSIONS] = {
	[ERA_2025_11_25] = { "2025-11-25", 10 }, [ERA_2025_06_18] = { "2025-06-18", 10 },
	[ERA_2025_03_26] = { "2025-03-26", 10 }, [ERA_2024_11_05] = { "2024-11-05", 10 },
};

struct span era_version(const struct bridge_peer *p)
{
	return p->named ? versions[p->version] : NOTHING;
}

static void put_client(struct bridge *b, struct buf *out)
{
	BUF_LIT(out, "{\"name\":\"postern\",\"version\":");
	json_write_string(out, b->s.version);
	BUF_LIT(out, "}");
}

static bool discover(struct bridge *b, struct bridge_peer *p, uint64_t id)
{
	struct buf out = say_begin_peer(b);

	BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_u64(&out, id);
	BUF_LIT(&out, ",\"method\":\"server/discover\",\"params\":{\"_meta\":{\"" MCP_META_VERSION "\":\"" MCP_VERSION "\",\"" MCP_META_CAPABILITIES
		"\":{},\"" MCP_META_CLIENT "\":");
	put_client(b, &out);
	BUF_LIT(&out, "}}}");
	return say_peer(b, p, BRIDGE_REQUEST, id, &out);
}

static void ask(struct bridge *b, struct bridge_peer *p)
{
	p->state = PEER_PROBING;
	p->hello = call_own_id(b);
	p->until_ms = bridge_now(b) + b->s.probe_ms;
	if (!discover(b, p, p->hello))
		p->until_ms = bridge_now(b); /* as if it kept silent */
	bridge_due(b, p->until_ms);
}

/* What cannot be said, because it reads nothing, is not answered either. */
void era_ping(struct bridge *b, struct bridge_peer *p)
{
	if (b->modern)
		(void)discover(b, p, call_own_id(b));
	else
		(void)send_own(b, p, SPAN("ping"), NOTHING);
}

static void put_capabilities(struct buf *out, unsigned caps)
{
	bool any = false;

	BUF_LIT(out, "{");
	if (caps & (CAP_FORM | CAP_URL)) {
		say_member(out, &any, SPAN("\"elicitation\""));
		buf_put(out, !(caps & CAP_URL) ? SPAN("{\"form\":{}}") : caps & CAP_FORM ? SPAN("{\"form\":{},\"url\":{}}") : SPAN("{\"url\":{}}"));
	}
	if (caps & CAP_SAMPLING) {
		bool inside = false;
		say_member(out, &any, SPAN("\"sampling\""));
		BUF_LIT(out, "{");
		if (caps & CAP_SAMPLING_TOOLS) {
			say_member(out, &inside, SPAN("\"tools\""));
			BUF_LIT(out, "{}");
		}
		if (caps & CAP_SAMPLING_CONTEXT) {
			say_member(out, &inside, SPAN("\"context\""));
			BUF_LIT(out, "{}");
		}
		BUF_LIT(out, "}");
	}
	if (caps & CAP_ROOTS) {
		say_member(out, &any, SPAN("\"roots\""));
		BUF_LIT(out, "{}");
	}
	BUF_LIT(out, "}");
}

static void initialize(struct bridge *b, struct bridge_peer *p)
{
	struct buf out = say_begin_peer(b);

	p->state = PEER_INITIALIZING;
	p->named = false;
	p->hello = call_own_id(b);
	p->until_ms = bridge_now(b) + b->s.start_ms;
	bridge_due(b, p->until_ms);
	BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_u64(&out, p->hello);
	BUF_LIT(&out, ",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"");
	buf_put(&out, versions[p->offer]);
	BUF_LIT(&out, "\",\"capabilities\":");
	put_capabilities(&out, p->index == 0 ? 0 : p->caps);
	BUF_LIT(&out, ",\"clientInfo\":");
	put_client(b, &out);
	BUF_LIT(&out, "}}");
	if (!say_peer(b, p, BRIDGE_INITIALIZE, p->hello, &out))
		p->until_ms = bridge_now(b); /* it has taken nothing since it began: it will not */
}

void era_begin(struct bridge *b, struct bridge_peer *p)
{
	if (b->known && b->modern)
		peer_ready(b, p);
	else if (b->known || b->shunned || p->index > 0) /* only the shared one says what the upstream is */
		initialize(b, p);
	else
		ask(b, p);
}

void era_again(struct bridge *b, struct bridge_peer *p)
{
	/* What was asked in the lost session cannot be answered in the next. */
	for (struct list *n = p->calls.next, *next; n != &p->calls; n = next) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, node);

		next = n->next;
		if (c->state != CALL_PARKED)
			continue;
		(void)send_cancel(b, p, c->id_up, SPAN("its session is gone"));
		call_free(b, c);
	}
	initialize(b, p);
}

void era_silence(struct bridge *b, struct bridge_peer *p)
{
	p->probe = p->hello; /* one that is only slow may still answer */
	initialize(b, p);
}

static bool lists(const struct json *j, uint32_t array, struct span version)
{
	if (json_type(j, array) != JSON_ARRAY)
		return false;
	for (uint32_t v = json_first(j, array); v != JSON_NONE; v = json_next(j, array, v))
		if (json_is(j, v, version))
			return true;
	return false;
}

static bool is_modern(const struct json *j, const struct mcp_message *m)
{
	return m->kind == MCP_RESULT && lists(j, json_get(j, m->result, SPAN("supportedVersions")), SPAN(MCP_VERSION));
}

static void found_modern(struct bridge *b)
{
	b->known = b->modern = true;
	b->shunned = false;
	say_log(b, SPAN("the upstream speaks MCP " MCP_VERSION), NOTHING);
	listen_over(b);
	for (unsigned i = 1; i < b->s.peers_max; i++) /* of the time when it was an older one */
		if (b->peers[i].state != PEER_DOWN)
			peer_fail(b, &b->peers[i], SPAN("has become another; it is begun anew"), false);
}

static unsigned offers_of(const struct json *j, uint32_t caps)
{
	static const struct { struct span name, inside; unsigned flag; } rows[] = {
		{ { "tools", 5 }, { NULL, 0 }, OFFER_TOOLS }, { { "prompts", 7 }, { NULL, 0 }, OFFER_PROMPTS },
		{ { "resources", 9 }, { NULL, 0 }, OFFER_RESOURCES }, { { "completions", 11 }, { NULL, 0 }, OFFER_COMPLETIONS },
		{ { "logging", 7 }, { NULL, 0 }, OFFER_LOGGING }, { { "tools", 5 }, { "listChanged", 11 }, OFFER_TOOLS_CHANGED },
		{ { "prompts", 7 }, { "listChanged", 11 }, OFFER_PROMPTS_CHANGED },
		{ { "resources", 9 }, { "listChanged", 11 }, OFFER_RESOURCES_CHANGED }, { { "resources", 9 }, { "subscribe", 9 }, OFFER_SUBSCRIBE },
	};
	unsigned offers = 0;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t token = json_get(j, caps, rows[i].name);
		if (json_type(j, token) == JSON_OBJECT &&
		    (span_absent(rows[i].inside) || json_type(j, json_get(j, token, rows[i].inside)) == JSON_TRUE))
			offers |= rows[i].flag;
	}
	return offers;
}

static struct span keep(struct buf *known, struct span text)
{
	size_t at = known->n;
	buf_put(known, text);
	return known->n - at == text.n ? span_of(known->p + at, text.n) : NOTHING;
}

/* What server/discover will say. */
static void learn(struct bridge *b, uint32_t result)
{
	const struct json *j = &b->json;
	struct buf known = buf_on(b->known_mem, BRIDGE_KNOWN_BYTES);
	uint32_t info = json_get(j, result, SPAN("serverInfo")), words = json_get(j, result, SPAN("instructions"));
	uint32_t name = json_get(j, info, SPAN("name")), version = json_get(j, info, SPAN("version"));
	char mem[1024];
	struct buf brief = buf_on(mem, sizeof mem);

	b->instructions = b->server_info = b->server_name = NOTHING;
	if (json_type(j, name) == JSON_STRING && json_type(j, version) == JSON_STRING) {
		BUF_LIT(&brief, "{\"name\":");
		buf_put(&brief, json_raw(j, name));
		BUF_LIT(&brief, ",\"version\":");
		buf_put(&brief, json_raw(j, version));
		BUF_LIT(&brief, "}");
		if (!brief.full)
			b->server_name = keep(&known, buf_span(&brief));
		b->server_info = keep(&known, json_raw(j, info));
	}
	if (json_type(j, words) == JSON_STRING) {
		known.full = false; /* serverInfo may have been the one that is too long */
		b->instructions = keep(&known, json_raw(j, words));
		if (span_absent(b->instructions))
			say_log(b, SPAN("the instructions of the upstream are longer than what is kept; they are left out"), NOTHING);
	}
}

static void initialized(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	const struct json *j = &b->json;
	uint32_t version = json_get(j, m->result, SPAN("protocolVersion"));
	unsigned v = 0;
	struct buf out;

	while (v < ERA_VERSIONS && !json_is(j, version, versions[v]))
		v++;
	if (v == ERA_VERSIONS) {
		say_log(b, SPAN("the upstream answered initialize with a revision that is not spoken here"), json_inner(j, version));
		peer_fail(b, p, SPAN("speaks a revision of the protocol that is not spoken here"), false);
		return;
	}
	if (!b->known || p->version != v || p->since_ms == 0)
		say_log(b, SPAN("the upstream speaks the older MCP"), versions[v]);
	b->known = true;
	b->modern = b->shunned = false;
	p->version = (uint8_t)v;
	p->offers = (uint16_t)offers_of(j, json_get(j, m->result, SPAN("capabilities")));
	if (p->index == 0)
		learn(b, m->result);
	out = say_begin_peer(b);
	BUF_LIT(&out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	p->named = true;
	if (!say_peer(b, p, BRIDGE_INITIALIZED, 0, &out))
		peer_fail(b, p, SPAN("does not read what it is sent"), false);
	else
		peer_ready(b, p);
}

static void probed(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	if (is_modern(&b->json, m)) {
		found_modern(b);
		peer_ready(b, p);
	} else {
		initialize(b, p);
	}
}

/* It was only slow. What it makes of the initialize behind the question is not known: it begins anew. */
static void probed_late(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	p->probe = 0;
	if (!is_modern(&b->json, m) || p->state != PEER_INITIALIZING || b->s.era != BRIDGE_AUTO)
		return;
	found_modern(b);
	b->h.stop_peer(b->h.ctx, p->index);
	peer_start(b, p);
}

static void refused(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m)
{
	const struct json *j = &b->json;
	uint32_t supported = json_get(j, json_get(j, m->error, SPAN("data")), SPAN("supported"));

	if (b->s.era == BRIDGE_AUTO && p->index == 0 && lists(j, supported, SPAN(MCP_VERSION))) {
		found_modern(b);
		peer_ready(b, p);
		return;
	}
	/* One that does not choose, but says what it would have liked (13.1). */
	for (unsigned v = p->offer + 1u; v < ERA_VERSIONS && p->offer == ERA_2025_11_25; v++)
		if (lists(j, supported, versions[v])) {
			p->offer = (uint8_t)v;
			initialize(b, p);
			return;
		}
	say_log(b, SPAN("the upstream refused initialize"), json_inner(j, json_get(j, m->error, SPAN("message"))));
	peer_fail(b, p, SPAN("refused to begin a conversation (initialize)"), false);
}

bool era_answer(struct bridge *b, struct bridge_peer *p, uint64_t id, const struct mcp_message *m)
{
	if (id != 0 && id == p->probe) {
		probed_late(b, p, m);
	} else if (id == 0 || id != p->hello) {
		return false;
	} else if (p->state == PEER_PROBING) {
		probed(b, p, m);
	} else if (m->kind == MCP_RESULT && json_type(&b->json, m->result) == JSON_OBJECT) {
		initialized(b, p, m);
	} else {
		refused(b, p, m);
	}
	return true;
}
