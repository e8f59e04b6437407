/* `initialize`: a session begins once the modern side has said what it offers. */
#include "elder/elder_priv.h"

#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

static const struct span versions[V_COUNT] = { { "2025-03-26", 10 }, { "2025-06-18", 10 }, { "2025-11-25", 10 } };

bool version_known(struct span text, enum elder_version *v)
{
	for (unsigned i = 0; i < V_COUNT; i++)
		if (span_eq(text, versions[i])) {
			*v = (enum elder_version)i;
			return true;
		}
	return false;
}

/* The one asked for; for one that is older than all of ours the oldest, else the newest. */
static enum elder_version negotiate(const struct json *j, uint32_t asked)
{
	struct span text = json_inner(j, asked);
	enum elder_version v;

	if (version_known(text, &v))
		return v;
	return text.n == versions[0].n && memcmp(text.p, versions[0].p, text.n) < 0 && text.p[0] == '2' ? V_2025_03_26 : V_2025_11_25;
}

static bool has(const struct json *j, uint32_t object, struct span name) { return json_type(j, json_get(j, object, name)) == JSON_OBJECT; }

static void raw_member(struct buf *b, const struct json *j, uint32_t object, struct span name, struct span instead)
{
	struct span raw = json_raw(j, json_get(j, object, name));

	if (b->n > 1)
		BUF_LIT(b, ",");
	BUF_LIT(b, "\"");
	buf_put(b, name);
	BUF_LIT(b, "\":");
	buf_put(b, span_absent(instead) ? raw : instead);
}

/* What the client declared, as far as its revision has it and the modern one still knows it. */
static void take_capabilities(struct session *s, const struct json *j, uint32_t caps)
{
	struct buf b = buf_on(s->caps, sizeof s->caps);
	uint32_t elicit = json_get(j, caps, SPAN("elicitation")), sampling = json_get(j, caps, SPAN("sampling"));

	BUF_LIT(&b, "{");
	if (has(j, caps, SPAN("roots"))) {
		s->has |= HAS_ROOTS;
		raw_member(&b, j, caps, SPAN("roots"), SPAN("{}"));
	}
	if (json_type(j, sampling) == JSON_OBJECT) {
		bool tools = s->version == V_2025_11_25 && has(j, sampling, SPAN("tools")), context = has(j, sampling, SPAN("context"));

		s->has |= HAS_SAMPLING | (tools ? HAS_SAMPLING_TOOLS : 0);
		raw_member(&b, j, caps, SPAN("sampling"), tools && context ? SPAN("{\"tools\":{},\"context\":{}}") : tools ? SPAN("{\"tools\":{}}") :
			context ? SPAN("{\"context\":{}}") : SPAN("{}"));
	}
	if (json_type(j, elicit) == JSON_OBJECT && s->version != V_2025_03_26) {
		bool url = s->version == V_2025_11_25 && has(j, elicit, SPAN("url")), form = !url || has(j, elicit, SPAN("form"));

		s->has |= (form ? HAS_ELICIT : 0) | (url ? HAS_ELICIT_URL : 0);
		raw_member(&b, j, caps, SPAN("elicitation"), url && form ? SPAN("{\"form\":{},\"url\":{}}") : url ? SPAN("{\"url\":{}}") : SPAN("{\"form\":{}}"));
	}
	if (has(j, caps, SPAN("experimental")) && json_raw(j, json_get(j, caps, SPAN("experimental"))).n < sizeof s->caps / 2)
		raw_member(&b, j, caps, SPAN("experimental"), NOTHING);
	BUF_LIT(&b, "}");
	s->caps_n = (uint16_t)b.n;
}

static void take_info(struct session *s, const struct json *j, uint32_t info)
{
	struct buf b = buf_on(s->info, sizeof s->info);
	struct span name = json_raw(j, json_get(j, info, SPAN("name"))), version = json_raw(j, json_get(j, info, SPAN("version")));

	buf_put(&b, json_raw(j, info));
	if (b.full) { /* a long one is cut to what it must have */
		buf_reset(&b);
		BUF_LIT(&b, "{\"name\":");
		buf_put(&b, name.n <= 256 ? name : SPAN("\"client\""));
		BUF_LIT(&b, ",\"version\":");
		buf_put(&b, version.n <= 256 ? version : SPAN("\"0\""));
		BUF_LIT(&b, "}");
	}
	s->info_n = (uint16_t)b.n;
}

static bool is_string(const struct json *j, uint32_t token) { return json_type(j, token) == JSON_STRING; }

void initialize_ask(struct elder *e, const struct elder_asked *a, const struct mcp_message *m, int64_t now_ms)
{
	const struct json *j = &e->j;
	uint32_t version = json_get(j, m->params, SPAN("protocolVersion")), caps = json_get(j, m->params, SPAN("capabilities")),
		info = json_get(j, m->params, SPAN("clientInfo"));
	struct session *s;
	struct post *p;
	struct call *c;

	if (!is_string(j, version) || json_type(j, caps) != JSON_OBJECT || json_type(j, info) != JSON_OBJECT || !is_string(j, json_get(j, info, SPAN("name"))) ||
	    !is_string(j, json_get(j, info, SPAN("version")))) {
		asked_fault(e, a, 200, m->id, MCP_INVALID_PARAMS,
			SPAN("params: must be {\"protocolVersion\": string, \"capabilities\": object, \"clientInfo\": {\"name\": string, \"version\": string}}"));
		return;
	}
	s = owner_has_room(e, owner_find(e, a->principal), 1) ? session_new(e, a->principal, now_ms) : NULL;
	p = s ? post_new(e, s, a, now_ms) : NULL;
	c = p ? elder_call_new(e, p, m->id, MCP_DISCOVER) : NULL;
	if (!c) {
		if (p) /* it is answered here, with words */
			p->attached = false;
		if (s)
			session_end(e, s);
		asked_fault(e, a, 503, m->id, MCP_INTERNAL, SPAN("Postern is at its limit of sessions of older clients; try again later"));
		return;
	}
	p->first = true;
	s->version = negotiate(j, version);
	s->worker = a->worker;
	memcpy(s->identity, a->identity.p, a->identity.n);
	s->identity_n = (uint16_t)a->identity.n;
	s->fresh_ms = now_ms;
	take_capabilities(s, j, caps);
	take_info(s, j, info);
	elder_call_ask(e, c, NULL, JSON_NONE, JSON_NONE);
}

static bool is_true(const struct json *j, uint32_t object, struct span name) { return json_type(j, json_get(j, object, name)) == JSON_TRUE; }

static void capability(struct buf *b, struct span name, bool changed, bool subscribe)
{
	if (b->p[b->n - 1] != '{')
		BUF_LIT(b, ",");
	BUF_LIT(b, "\"");
	buf_put(b, name);
	buf_put(b, subscribe ? changed ? SPAN("\":{\"subscribe\":true,\"listChanged\":true}") : SPAN("\":{\"subscribe\":true}") :
		changed ? SPAN("\":{\"listChanged\":true}") : SPAN("\":{}"));
}

static void write_capabilities(struct buf *b, struct session *s, const struct json *j, uint32_t caps)
{
	static const struct { struct span name; unsigned can, changed; } kinds[] = {
		{ { "tools", 5 }, CAN_TOOLS, CAN_TOOLS_CHANGED }, { { "prompts", 7 }, CAN_PROMPTS, CAN_PROMPTS_CHANGED },
		{ { "resources", 9 }, CAN_RESOURCES, CAN_RESOURCES_CHANGED }, { { "completions", 11 }, CAN_COMPLETE, 0 }, { { "logging", 7 }, CAN_LOG, 0 },
	};

	BUF_LIT(b, "{");
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		uint32_t of = json_get(j, caps, kinds[i].name);
		bool changed = kinds[i].changed != 0 && is_true(j, of, SPAN("listChanged"));
		bool on = kinds[i].can == CAN_RESOURCES && is_true(j, of, SPAN("subscribe"));

		if (json_type(j, of) != JSON_OBJECT)
			continue;
		s->can |= kinds[i].can | (changed ? kinds[i].changed : 0) | (on ? CAN_SUBSCRIBE : 0);
		capability(b, kinds[i].name, changed, on);
	}
	if (has(j, caps, SPAN("experimental"))) {
		buf_put(b, b->p[b->n - 1] == '{' ? SPAN("\"experimental\":") : SPAN(",\"experimental\":"));
		buf_put(b, json_raw(j, json_get(j, caps, SPAN("experimental"))));
	}
	BUF_LIT(b, "}");
}

void initialize_answer(struct elder *e, struct call *c, uint32_t result)
{
	const struct json *j = &e->j;
	struct session *s = c->s;
	struct span info = json_raw(j, json_get(j, json_get(j, result, SPAN("_meta")), SPAN(MCP_META_SERVER)));
	struct span instructions = json_raw(j, json_get(j, result, SPAN("instructions")));
	struct buf b = buf_on(e->text, e->text_cap);

	BUF_LIT(&b, "{\"protocolVersion\":\"");
	buf_put(&b, versions[s->version]);
	BUF_LIT(&b, "\",\"capabilities\":");
	write_capabilities(&b, s, j, json_get(j, result, SPAN("capabilities")));
	BUF_LIT(&b, ",\"serverInfo\":");
	if (span_absent(info) || info.p[0] != '{') {
		BUF_LIT(&b, "{\"name\":\"postern\",\"version\":");
		json_write_string(&b, e->set->version);
		BUF_LIT(&b, "}");
	} else {
		buf_put(&b, info);
	}
	if (!span_absent(instructions) && instructions.p[0] == '"') {
		BUF_LIT(&b, ",\"instructions\":");
		buf_put(&b, instructions);
	}
	BUF_LIT(&b, "}");
	if (b.full) {
		elder_call_fault(e, c, MCP_INTERNAL, SPAN("No session could be begun"), SPAN("what the server says of itself is too long"));
		return;
	}
	s->opening = false;
	s->level = s->can & CAN_LOG ? 2 : 0; /* without a word of the client servers of these revisions sent what they liked: `info` and above */
	elder_call_result(e, c, buf_span(&b));
}
