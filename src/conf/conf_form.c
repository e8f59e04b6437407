#include "conf/conf_priv.h"
#include "gate/names.h"

/* What may stand in the file: one table per object. A new option is one line here, one field in conf.h, one paragraph in
 * docs/reference/configuration.md and one property in postern.schema.json. */

#define KB INT64_C(1024)
#define MB (INT64_C(1024) * 1024)

/* ---- memory, timeouts, admin ---- */

#define MEMORY(field, kind, low, high, standard) \
	{ MEMBER(conf, memory.field, #field, kind), .least = (low), .most = (high), .def = (standard) }
#define TIMEOUT(field, json_name, low, high, standard) \
	{ MEMBER(conf, timeouts.field, json_name, CONF_DURATION), .least = (low), .most = (high), .def = (standard) }

static const struct conf_member memory_members[] = {
	MEMORY(connections, CONF_COUNT, 1, 65536, 1024),
	MEMORY(requests, CONF_COUNT, 1, 4096, 128),
	MEMORY(listens, CONF_COUNT, 1, 4096, 64),
	MEMORY(listens_per_caller, CONF_COUNT, 1, 4096, 32),
	MEMORY(legacy_sessions, CONF_COUNT, 1, 16384, 1024),
	MEMORY(legacy_kept, CONF_SIZE, MB, 1024 * MB, 16 * MB),
	MEMORY(large, CONF_COUNT, 1, 1024, 16),
	MEMORY(body, CONF_SIZE, 4 * KB, 8 * MB, 256 * KB),
	MEMORY(reply, CONF_SIZE, 16 * KB, 16 * MB, 2 * MB),
	MEMORY(tokens, CONF_COUNT, 256, 1048576, 65536),
	MEMORY(links, CONF_COUNT, 1, 4096, 128),
	MEMORY(records, CONF_COUNT, 1, 4096, 64),
	MEMORY(sessions, CONF_COUNT, 1, 65536, 256),
	{ MEMBER(conf, memory.tokens_known, "known_tokens", CONF_COUNT), .least = 1, .most = 65536, .def = 256 },
};
static const struct conf_form memory_form = {
	.where = SPAN_INIT("memory"), .members = memory_members, .nmembers = COUNT_OF(memory_members), .at_root = true
};

static const struct conf_member timeout_members[] = {
	TIMEOUT(handshake_ms, "handshake", 10, 10 * MINUTE, 5 * SECOND),
	TIMEOUT(head_ms, "head", 10, 10 * MINUTE, 5 * SECOND),
	TIMEOUT(body_ms, "body", 10, HOUR, 30 * SECOND),
	TIMEOUT(idle_ms, "idle", 10, HOUR, 75 * SECOND),
	TIMEOUT(write_ms, "write", 10, HOUR, 30 * SECOND),
	TIMEOUT(drain_ms, "drain", 0, HOUR, 10 * SECOND),
	TIMEOUT(keepalive_ms, "keepalive", 10, HOUR, 15 * SECOND),
	TIMEOUT(list_ms, "list", 10, 10 * MINUTE, 5 * SECOND),
};
static const struct conf_form timeout_form = {
	.where = SPAN_INIT("timeouts"), .members = timeout_members, .nmembers = COUNT_OF(timeout_members), .at_root = true
};

static void outside(struct conf_reader *r, uint32_t object, const struct addr *a, bool safe, struct span why, struct span right)
{
	struct buf *b;

	if (a->family == 0 || addr_is_loopback(a) || safe)
		return;
	b = conf_say(r, conf_member(r, object, "address"));
	addr_write(b, a);
	BUF_LIT(b, " can be reached from other machines, ");
	buf_put(b, why);
	BUF_LIT(b, "; write \"127.0.0.1:");
	buf_u64(b, a->port);
	buf_put(b, right);
	conf_said(r);
}

static void admin_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask)
{
	const struct conf *c = to;

	(void)mask;
	outside(r, object, &c->admin, c->admin_insecure, SPAN("and the admin listener has neither TLS nor authentication"),
		SPAN("\", or add \"insecure\": true beside it if something in front of it keeps strangers out"));
}

static const struct conf_member admin_members[] = {
	{ WHOLE("address", CONF_STRING), .required = true, .most = 64, .text = conf_text_admin },
	{ MEMBER(conf, admin_insecure, "insecure", CONF_BOOL) },
	LATER("tls"),
};
static const struct conf_form admin_form = {
	.where = SPAN_INIT("admin"), .members = admin_members, .nmembers = COUNT_OF(admin_members), .whole = admin_whole
};

static void walk_admin(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;

	c->has_admin = true;
	conf_push(r, &admin_form, value, c);
}

/* ---- listeners ---- */

/* A list of strings of one grammar. */
static void strings(struct conf_reader *r, uint32_t list, struct span right, bool (*check)(struct conf_reader *, uint32_t, struct span),
	struct span *to, unsigned *n)
{
	if (json_size(&r->json, list) > CONF_NAMES_MAX) {
		conf_complain(r, list, SPAN("found more than 16 of them; 16 fit"));
		return;
	}
	for (uint32_t e = json_first(&r->json, list); e != JSON_NONE; e = json_next(&r->json, list, e)) {
		struct span s;
		bool twice = false;

		if (!conf_text(r, e, right, 300, &s) || !check(r, e, s))
			continue;
		for (unsigned i = 0; i < *n; i++)
			twice = twice || span_ieq(to[i], s);
		if (twice)
			conf_complain(r, e, SPAN("this stands in the list already; once is enough"));
		else
			to[(*n)++] = s;
	}
}

static void walk_hosts(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_listener *l = to;

	strings(r, value, SPAN("a host such as \"gw.example:8443\""), conf_host, l->hosts, &l->nhosts);
}

static void walk_origins(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_listener *l = to;

	strings(r, value, SPAN("an origin such as \"https://app.example\""), conf_origin, l->origins, &l->norigins);
}

static const struct conf_form conf_form_listener;

static void listener_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask)
{
	struct conf_listener *l = to;

	if (span_absent(l->path))
		l->path = SPAN("/mcp");
	l->tls.on = conf_given(&conf_form_listener, mask, "tls");
	if (l->tls.on && l->insecure)
		conf_complain(r, conf_member_name(r, object, "insecure"), SPAN("found \"insecure\" beside \"tls\"; it means that there is none: take one of the two out"));
	outside(r, object, &l->address, l->insecure || l->tls.on, SPAN("and without TLS everybody on the way can read and change what passes, keys and "
		"tokens too"), SPAN("\", or add \"tls\": {\"cert\": \"gw.pem\", \"key\": \"gw.key\"}, or \"insecure\": true if something in front of it speaks TLS"));
}

static const struct conf_member listener_members[] = {
	{ WHOLE("address", CONF_STRING), .required = true, .most = 64, .text = conf_text_listen },
	{ MEMBER(conf_listener, path, "path", CONF_STRING), .most = 256, .text = conf_text_path },
	{ MEMBER(conf_listener, insecure, "insecure", CONF_BOOL) },
	{ WHOLE("hosts", CONF_LIST), .walk = walk_hosts },
	{ WHOLE("origins", CONF_LIST), .walk = walk_origins },
	{ MEMBER(conf_listener, tls, "tls", CONF_OBJECT), .form = &conf_form_tls_in },
};
static const struct conf_form conf_form_listener = {
	.where = SPAN_INIT("a listener"), .members = listener_members, .nmembers = COUNT_OF(listener_members), .whole = listener_whole
};

static void walk_listeners(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n == 0 || n > CONF_LISTENERS_MAX) {
		conf_wrong_number(r, value, n, SPAN("listeners; 1 to 8 are possible, such as [{\"address\": \"127.0.0.1:8080\"}]"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e))
		conf_push(r, &conf_form_listener, e, &c->listeners[c->nlisteners++]);
}

/* ---- the document ---- */

static void text_names(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	bool *plain = to;
	static const char *const word[] = { "prefixed", "plain" };

	*plain = conf_choice(r, value, s, word, 2, SPAN("it is \"prefixed\" (server__tool) or \"plain\" (one server only, its names unchanged)")) == 1;
}

static const struct conf_member root_members[] = {
	{ WHOLE("$schema", CONF_STRING), .most = 4096, .text = conf_text_ignored },
	{ MEMBER(conf, workers, "workers", CONF_COUNT), .least = 0, .most = CONF_WORKERS_MAX },
	{ WHOLE("listeners", CONF_LIST), .walk = walk_listeners },
	{ WHOLE("admin", CONF_OBJECT), .walk = walk_admin },
	{ WHOLE("mcpServers", CONF_OBJECT), .required = true, .walk = conf_walk_servers },
	{ WHOLE("identity", CONF_OBJECT), .required = true, .form = &conf_form_identity,
	  .hint = SPAN_INIT("who callers are. For a first try on this machine write \"identity\": {\"anonymous\": {\"tenant\": \"local\", \"roles\": "
		"[\"reader\"]}}") },
	{ WHOLE("policy", CONF_LIST), .required = true, .walk = conf_walk_rules,
	  .hint = SPAN_INIT("what callers may use; without a rule nothing is allowed. For a first try on this machine write \"policy\": [{\"allow\": \"*\", "
		"\"roles\": [\"reader\"]}]") },
	{ MEMBER(conf, plain, "names", CONF_STRING), .most = 32, .text = text_names },
	{ MEMBER(conf, name_max, "name_max", CONF_COUNT), .least = 32, .most = MCP_NAME_MAX },
	{ MEMBER(conf, legacy_clients, "legacy_clients", CONF_BOOL), .def = true },
	{ MEMBER(conf, strict, "strict", CONF_BOOL) },
	{ WHOLE("memory", CONF_OBJECT), .form = &memory_form },
	{ WHOLE("timeouts", CONF_OBJECT), .form = &timeout_form },
	LATER("environment"), LATER("limits"), LATER("audit"),
};
/* `postern stdio` needs no listener. */
static void root_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	(void)to;
	if (!conf_given(&conf_form_root, given, "listeners") && conf_member(r, conf_member(r, object, "identity"), "stdio") == JSON_NONE)
		conf_complain(r, object, SPAN("member \"listeners\" is missing; the configuration needs it: where clients connect, such as \"listeners\": "
			"[{\"address\": \"127.0.0.1:8080\"}]; a file for \"postern stdio\" alone has \"stdio\" in \"identity\" instead. (Is this another client's mcp.json? \"postern import\" makes a configuration of it)"));
}

const struct conf_form conf_form_root = {
	.where = SPAN_INIT("the configuration"), .members = root_members, .nmembers = COUNT_OF(root_members), .at_root = true, .whole = root_whole
};

const struct conf_form *const conf_forms[] = {
	&conf_form_root, &conf_form_listener, &admin_form, &conf_form_server, &memory_form, &timeout_form, &conf_form_identity, &conf_form_issuer,
	&conf_form_key, &conf_form_client, &conf_form_rule, &conf_form_tls_in, &conf_form_certificate, &conf_form_tls_out, &conf_form_credential,
	&conf_form_introspection, &conf_form_claims, &conf_form_peer, &conf_form_anonymous, &conf_form_stdio, &conf_form_limits
};
const unsigned conf_nforms = COUNT_OF(conf_forms);
