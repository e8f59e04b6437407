#include "conf/conf_priv.h"

/* What may stand in the file: one table per object. A new option is one line here, one field in conf.h, one paragraph in
 * docs/reference/configuration.md and one property in postern.schema.json. */

#define KB INT64_C(1024)
#define MB (INT64_C(1024) * 1024)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define MEMBER(struct_name, field, json_name, kind) .name = SPAN_INIT(json_name), .type = (kind), .offset = offsetof(struct struct_name, field)
#define WHOLE(json_name, kind) .name = SPAN_INIT(json_name), .type = (kind), .offset = 0
#define LATER(json_name) { .name = SPAN_INIT(json_name), .type = CONF_LATER }
#define SPAN_INIT(literal) { "" literal, sizeof(literal) - 1 }
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static bool given(const struct conf_form *form, uint32_t mask, const char *name)
{
	for (unsigned i = 0; i < form->nmembers; i++)
		if (span_eq(form->members[i].name, span_z(name)))
			return (mask >> i & 1) != 0;
	return false;
}

static void ignore(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	(void)r;
	(void)value;
	(void)s;
	(void)to;
}

/* ---- memory, timeouts, admin ---- */

#define MEMORY(field, kind, low, high, standard) \
	{ MEMBER(conf, memory.field, #field, kind), .least = (low), .most = (high), .def = (standard) }
#define TIMEOUT(field, json_name, low, high, standard) \
	{ MEMBER(conf, timeouts.field, json_name, CONF_DURATION), .least = (low), .most = (high), .def = (standard) }

static const struct conf_member memory_members[] = {
	MEMORY(connections, CONF_COUNT, 1, 65536, 1024),
	MEMORY(requests, CONF_COUNT, 1, 4096, 128),
	MEMORY(listens, CONF_COUNT, 1, 4096, 64),
	MEMORY(large, CONF_COUNT, 1, 1024, 16),
	MEMORY(body, CONF_SIZE, 4 * KB, 8 * MB, 256 * KB),
	MEMORY(reply, CONF_SIZE, 16 * KB, 16 * MB, 2 * MB),
	MEMORY(tokens, CONF_COUNT, 256, 1048576, 65536),
	MEMORY(links, CONF_COUNT, 1, 4096, 128),
};
static const struct conf_form memory_form = {
	.where = SPAN_INIT("memory"), .members = memory_members, .nmembers = COUNT_OF(memory_members), .at_root = true
};

static const struct conf_member timeout_members[] = {
	TIMEOUT(head_ms, "head", 10, 10 * MINUTE, 5 * SECOND),
	TIMEOUT(body_ms, "body", 10, HOUR, 30 * SECOND),
	TIMEOUT(idle_ms, "idle", 10, HOUR, 75 * SECOND),
	TIMEOUT(write_ms, "write", 10, HOUR, 30 * SECOND),
	TIMEOUT(drain_ms, "drain", 0, HOUR, 10 * SECOND),
	TIMEOUT(keepalive_ms, "keepalive", 10, HOUR, 15 * SECOND),
};
static const struct conf_form timeout_form = {
	.where = SPAN_INIT("timeouts"), .members = timeout_members, .nmembers = COUNT_OF(timeout_members), .at_root = true
};

static void outside(struct conf_reader *r, uint32_t object, const struct addr *a, bool insecure)
{
	struct buf *b;

	if (a->family == 0 || addr_is_loopback(a) || insecure)
		return;
	b = conf_say(r, json_get(&r->json, object, SPAN("address")));
	addr_write(b, a);
	BUF_LIT(b, " can be reached from other machines, and this version of Postern has neither TLS nor authentication; write \"127.0.0.1:");
	buf_u64(b, a->port);
	BUF_LIT(b, "\", or add \"insecure\": true beside it if something in front of it keeps strangers out");
	conf_said(r);
}

static void admin_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask)
{
	const struct conf *c = to;

	(void)mask;
	outside(r, object, &c->admin, c->admin_insecure);
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

static void listener_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask)
{
	struct conf_listener *l = to;

	(void)mask;
	if (span_absent(l->path))
		l->path = SPAN("/mcp");
	outside(r, object, &l->address, l->insecure);
}

static const struct conf_member listener_members[] = {
	{ WHOLE("address", CONF_STRING), .required = true, .most = 64, .text = conf_text_listen },
	{ MEMBER(conf_listener, path, "path", CONF_STRING), .most = 256, .text = conf_text_path },
	{ MEMBER(conf_listener, insecure, "insecure", CONF_BOOL) },
	{ WHOLE("hosts", CONF_LIST), .walk = walk_hosts },
	{ WHOLE("origins", CONF_LIST), .walk = walk_origins },
	LATER("tls"),
};
static const struct conf_form listener_form = {
	.where = SPAN_INIT("a listener"), .members = listener_members, .nmembers = COUNT_OF(listener_members), .whole = listener_whole
};

static void walk_listeners(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n == 0 || n > CONF_LISTENERS_MAX) {
		struct buf *b = conf_say(r, value);

		BUF_LIT(b, "found ");
		buf_u64(b, n);
		BUF_LIT(b, " listeners; 1 to 8 are possible, such as [{\"address\": \"127.0.0.1:8080\"}]");
		conf_said(r);
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e))
		conf_push(r, &listener_form, e, &c->listeners[c->nlisteners++]);
}

/* ---- servers ---- */

static void text_builtin(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct buf *b;

	(void)to;
	if (span_eq(s, SPAN("files")))
		return;
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; the built-in server of this version is \"files\"");
	conf_said(r);
}

static void text_type(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct buf *b;

	(void)to;
	if (span_eq(s, SPAN("http")) || span_eq(s, SPAN("streamable-http")))
		return;
	b = conf_say(r, value);
	conf_found(r, b, value);
	if (span_eq(s, SPAN("stdio")) || span_eq(s, SPAN("sse")))
		BUF_LIT(b, "; servers of this type are not in this version of Postern; \"http\" is");
	else
		BUF_LIT(b, "; the type is \"http\" (or leave it out)");
	conf_said(r);
}

static void text_directory(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct span *span = to;

	(void)r;
	(void)value;
	*span = s;
}

static void walk_headers(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_server *v = to;

	if (json_size(&r->json, value) > CONF_NAMES_MAX) {
		conf_complain(r, value, SPAN("found more than 16 headers; 16 fit"));
		return;
	}
	for (uint32_t n = json_first(&r->json, value); n != JSON_NONE; n = json_next(&r->json, value, n)) {
		uint32_t at = json_value(&r->json, n);
		struct conf_header h = { SPAN(""), SPAN("") };
		bool twice = false;

		if (!conf_text(r, n, SPAN("a header name"), 64, &h.name) || !conf_header_name(r, n, h.name))
			continue;
		if (json_is(&r->json, at, SPAN("")))
			h.value = SPAN("");
		else if (!conf_text(r, at, SPAN("a string (values from files are not in this version of Postern)"), 4096, &h.value)
			|| !conf_header_value(r, at, h.value))
			continue;
		for (unsigned i = 0; i < v->nheaders; i++)
			twice = twice || span_ieq(v->headers[i].name, h.name);
		if (twice)
			conf_complain(r, n, SPAN("this header is there already (header names do not mind case); keep one"));
		else
			v->headers[v->nheaders++] = h;
	}
}

static void server_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask);

static const struct conf_member server_members[] = {
	{ WHOLE("builtin", CONF_STRING), .most = 32, .text = text_builtin, .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, root, "root", CONF_STRING), .most = 4000, .text = text_directory, .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, prompts, "prompts", CONF_STRING), .most = 4000, .text = text_directory, .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, hidden, "hidden", CONF_BOOL), .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, file_bytes_max, "max_file", CONF_SIZE), .least = KB, .most = 16 * MB, .def = MB, .kinds = CONF_FOR_FILES },
	{ WHOLE("type", CONF_STRING), .most = 32, .text = text_type, .kinds = CONF_FOR_HTTP },
	{ WHOLE("url", CONF_STRING), .most = 2048, .text = conf_text_url, .kinds = CONF_FOR_HTTP },
	{ WHOLE("address", CONF_STRING), .most = 64, .text = conf_text_upstream, .kinds = CONF_FOR_HTTP },
	{ WHOLE("headers", CONF_OBJECT), .walk = walk_headers, .kinds = CONF_FOR_HTTP },
	{ MEMBER(conf_server, connect_ms, "connect_timeout", CONF_DURATION), .least = 10, .most = 10 * MINUTE, .def = 5 * SECOND, .kinds = CONF_FOR_HTTP },
	{ MEMBER(conf_server, idle_ms, "idle_timeout", CONF_DURATION), .least = 10, .most = 24 * HOUR, .def = 30 * SECOND, .kinds = CONF_FOR_HTTP },
	{ MEMBER(conf_server, call_ms, "call_timeout", CONF_DURATION), .least = 10, .most = 24 * HOUR, .def = 60 * SECOND, .kinds = CONF_FOR_HTTP },
	LATER("command"), LATER("args"), LATER("env"), LATER("tls"),
};
static const struct conf_form server_form = {
	.where = SPAN_INIT("a server"), .members = server_members, .nmembers = COUNT_OF(server_members), .whole = server_whole
};

static void server_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask)
{
	struct conf_server *v = to;
	bool files = given(&server_form, mask, "builtin"), http = given(&server_form, mask, "url");
	unsigned kind = files ? CONF_FOR_FILES : CONF_FOR_HTTP;

	if (given(&server_form, mask, "command"))
		return; /* "not in this version" has been said; the rest follows from it */
	if (files == http) {
		conf_complain(r, object, files
			? SPAN("found both \"builtin\" and \"url\"; a server is one of the two")
			: SPAN("found neither \"builtin\" nor \"url\"; write \"builtin\": \"files\" or a \"url\" such as \"http://127.0.0.1:3000/mcp\""));
		return;
	}
	v->kind = files ? CONF_FILES : CONF_HTTP;
	for (unsigned i = 0; i < server_form.nmembers; i++) {
		const struct conf_member *m = &server_members[i];
		struct buf *b;

		if ((mask >> i & 1) == 0 || m->kinds == 0 || (m->kinds & kind) != 0)
			continue;
		b = conf_say(r, json_get(&r->json, object, m->name) - 1);
		BUF_LIT(b, "\"");
		buf_put(b, m->name);
		buf_put(b, files ? SPAN("\" belongs to servers with a \"url\"; this one is built in") : SPAN("\" belongs to built-in servers; this one has a \"url\""));
		conf_said(r);
	}
	if (files && !given(&server_form, mask, "root"))
		conf_complain(r, object, SPAN("member \"root\" is missing; it names the directory to serve, such as \"root\": \"/srv/docs\""));
	if (http && !span_absent(v->url) && v->address.family == 0 && !given(&server_form, mask, "address")) {
		struct buf *b = conf_say(r, json_get(&r->json, object, SPAN("url")));

		BUF_LIT(b, "the host of the url is a name, and names are never resolved; add where it is, such as \"address\": \"10.0.0.5:");
		buf_u64(b, v->address.port);
		BUF_LIT(b, "\"");
		conf_said(r);
	}
}

static void walk_servers(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n == 0 || n > CONF_SERVERS_MAX) {
		struct buf *b = conf_say(r, value);

		BUF_LIT(b, "found ");
		buf_u64(b, n);
		BUF_LIT(b, " servers; 1 to 32 are possible, such as {\"docs\": {\"builtin\": \"files\", \"root\": \"/srv/docs\"}}");
		conf_said(r);
		return;
	}
	for (uint32_t name = json_first(&r->json, value); name != JSON_NONE; name = json_next(&r->json, value, name)) {
		struct conf_server *v = &c->servers[c->nservers++];
		struct span raw = json_raw(&r->json, name);

		conf_line_column(r->json.text, (size_t)(raw.p - r->json.text.p), &v->line, &v->column);
		if (json_is(&r->json, name, SPAN("")) || conf_text(r, name, SPAN("a name"), 256, &v->name))
			conf_server_name(r, name, v->name);
		conf_push(r, &server_form, json_value(&r->json, name), v);
	}
}

/* ---- the document ---- */

static void text_names(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	bool *plain = to;
	struct buf *b;

	*plain = span_eq(s, SPAN("plain"));
	if (*plain || span_eq(s, SPAN("prefixed")))
		return;
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; it is \"prefixed\" (server__tool) or \"plain\" (one server only, its names unchanged)");
	conf_said(r);
}

static const struct conf_member root_members[] = {
	{ WHOLE("$schema", CONF_STRING), .most = 4096, .text = ignore },
	{ MEMBER(conf, workers, "workers", CONF_COUNT), .least = 0, .most = CONF_WORKERS_MAX },
	{ WHOLE("listeners", CONF_LIST), .required = true, .walk = walk_listeners },
	{ WHOLE("admin", CONF_OBJECT), .walk = walk_admin },
	{ WHOLE("mcpServers", CONF_OBJECT), .required = true, .walk = walk_servers },
	{ MEMBER(conf, plain, "names", CONF_STRING), .most = 32, .text = text_names },
	{ MEMBER(conf, strict, "strict", CONF_BOOL) },
	{ WHOLE("memory", CONF_OBJECT), .form = &memory_form },
	{ WHOLE("timeouts", CONF_OBJECT), .form = &timeout_form },
	LATER("environment"), LATER("identity"), LATER("policy"), LATER("limits"), LATER("audit"),
};
const struct conf_form conf_form_root = {
	.where = SPAN_INIT("the configuration"), .members = root_members, .nmembers = COUNT_OF(root_members), .at_root = true
};

const struct conf_form *const conf_forms[] = { &conf_form_root, &listener_form, &admin_form, &server_form, &memory_form, &timeout_form };
const unsigned conf_nforms = COUNT_OF(conf_forms);
