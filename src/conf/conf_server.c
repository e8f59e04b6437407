#include "conf/conf_priv.h"

#define KB INT64_C(1024)
#define MB (INT64_C(1024) * 1024)

/* MCP servers: built in, or reached by url. */

static void text_builtin(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	static const char *const word[] = { "files" };

	(void)to;
	(void)conf_choice(r, value, s, word, 1, SPAN("the built-in server of this version is \"files\""));
}

static void text_type(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct conf_server *v = to;
	struct buf *b;

	if (span_eq(s, SPAN("http")) || span_eq(s, SPAN("streamable-http"))) {
		v->type = CONF_TYPE_HTTP;
		return;
	}
	if (span_eq(s, SPAN("stdio"))) {
		v->type = CONF_TYPE_STDIO;
		return;
	}
	b = conf_say(r, value);
	conf_found(r, b, value);
	if (span_eq(s, SPAN("sse")))
		BUF_LIT(b, "; this transport (HTTP+SSE of 2024-11-05) is not spoken; most such servers have a streamable one, often at /mcp: write its \"url\", and \"type\": \"http\" or none");
	else
		BUF_LIT(b, "; the type is \"http\" or \"stdio\" (or leave it out)");
	conf_said(r);
}

static void text_era(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	static const char *const word[] = { "auto", "modern", "legacy" };
	struct conf_server *v = to;
	int era = conf_choice(r, value, s, word, 3, SPAN("the era is \"auto\", \"modern\" (2026-07-28) or \"legacy\" (older revisions)"));

	if (era >= 0)
		v->era = (enum conf_era)era;
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

		if (!conf_text(r, n, SPAN("a header name"), 64, &h.name) || !conf_header_name(r, n, h.name, false))
			continue;
		if (json_is(&r->json, at, SPAN("")))
			h.value = SPAN("");
		else if (!conf_text(r, at, SPAN("a string (a secret from a file goes into \"credentials\")"), 4096, &h.value)
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

static void walk_meta(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_server *v = to;

	if (json_size(&r->json, value) > META_KEYS_MAX) {
		conf_complain(r, value, SPAN("found more than 16 of them; 16 fit"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e)) {
		struct span key, why;
		bool twice = false;

		if (!conf_text(r, e, SPAN("a key of _meta such as \"com.example/trace\", or a prefix such as \"com.example/\""), META_KEY_MAX, &key))
			continue;
		if (!meta_key_ok(key, &why)) {
			conf_wrong(r, e, why);
			continue;
		}
		for (unsigned i = 0; i < v->nmeta; i++)
			twice = twice || span_eq(v->meta[i], key);
		if (twice)
			conf_complain(r, e, SPAN("this stands in the list already; once is enough"));
		else
			v->meta[v->nmeta++] = key;
	}
}

static void walk_credentials(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_server *v = to;

	/* Not shown: it may be the credential. */
	if (json_type(&r->json, value) == JSON_OBJECT)
		conf_push(r, &conf_form_credential, value, &v->credential);
	else
		conf_complain(r, value, SPAN("credentials are an object {...} that names the file with the secret, such as {\"secret\": {\"file\": "
			"\"/run/secrets/name\"}}"));
}

static struct conf_way server_way(struct conf_server *v)
{
	return (struct conf_way){ &v->url, &v->host, &v->path, &v->address, &v->tls };
}

static void text_url(struct conf_reader *r, uint32_t value, struct span s, void *server)
{
	struct conf_way w = server_way(server);

	conf_way_url(r, value, s, &w);
}

static void text_address(struct conf_reader *r, uint32_t value, struct span s, void *server)
{
	struct conf_way w = server_way(server);

	conf_way_address(r, value, s, &w);
}

static void server_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask);

static const struct conf_member server_members[] = {
	{ WHOLE("builtin", CONF_STRING), .most = 32, .text = text_builtin, .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, root, "root", CONF_STRING), .most = 4000, .text = conf_text_any, .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, prompts, "prompts", CONF_STRING), .most = 4000, .text = conf_text_any, .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, hidden, "hidden", CONF_BOOL), .kinds = CONF_FOR_FILES },
	{ MEMBER(conf_server, file_bytes_max, "max_file", CONF_SIZE), .least = KB, .most = 16 * MB, .def = MB, .kinds = CONF_FOR_FILES },
	{ WHOLE("type", CONF_STRING), .most = 32, .text = text_type, .kinds = CONF_FOR_HTTP | CONF_FOR_STDIO },
	{ WHOLE("url", CONF_STRING), .most = 2048, .text = text_url, .kinds = CONF_FOR_HTTP },
	{ WHOLE("address", CONF_STRING), .most = 64, .text = text_address, .kinds = CONF_FOR_HTTP },
	{ WHOLE("headers", CONF_OBJECT), .walk = walk_headers, .kinds = CONF_FOR_HTTP },
	{ WHOLE("meta", CONF_LIST), .walk = walk_meta, .kinds = CONF_FOR_HTTP | CONF_FOR_STDIO },
	{ MEMBER(conf_server, connect_ms, "connect_timeout", CONF_DURATION), .least = 10, .most = 10 * MINUTE, .def = 5 * SECOND, .kinds = CONF_FOR_HTTP },
	{ MEMBER(conf_server, idle_ms, "idle_timeout", CONF_DURATION), .least = 10, .most = 24 * HOUR, .def = 30 * SECOND, .kinds = CONF_FOR_HTTP | CONF_FOR_STDIO },
	{ MEMBER(conf_server, call_ms, "call_timeout", CONF_DURATION), .least = 10, .most = 24 * HOUR, .def = 60 * SECOND, .kinds = CONF_FOR_HTTP | CONF_FOR_STDIO },
	{ MEMBER(conf_server, tls, "tls", CONF_OBJECT), .form = &conf_form_tls_out, .kinds = CONF_FOR_HTTP },
	{ WHOLE("credentials", CONF_ANY), .walk = walk_credentials, .kinds = CONF_FOR_HTTP },
	{ MEMBER(conf_server, command, "command", CONF_STRING), .most = 4000, .text = conf_text_any, .kinds = CONF_FOR_STDIO },
	{ WHOLE("args", CONF_LIST), .walk = conf_walk_args, .kinds = CONF_FOR_STDIO },
	{ WHOLE("env", CONF_OBJECT), .walk = conf_walk_env, .kinds = CONF_FOR_STDIO },
	{ WHOLE("era", CONF_STRING), .most = 16, .text = text_era, .kinds = CONF_FOR_HTTP | CONF_FOR_STDIO },
	{ MEMBER(conf_server, children, "sessions", CONF_COUNT), .least = 1, .most = 64, .def = 4, .kinds = CONF_FOR_HTTP },
	{ WHOLE("ask", CONF_LIST), .walk = conf_walk_ask, .kinds = CONF_FOR_HTTP | CONF_FOR_STDIO },
	{ MEMBER(conf_server, cwd, "cwd", CONF_STRING), .most = 4000, .text = conf_text_any, .kinds = CONF_FOR_STDIO },
	{ WHOLE("limits", CONF_OBJECT), .form = &conf_form_limits, .kinds = CONF_FOR_STDIO },
	{ WHOLE("read", CONF_LIST), .walk = conf_walk_read, .kinds = CONF_FOR_STDIO },
	{ WHOLE("write", CONF_LIST), .walk = conf_walk_write, .kinds = CONF_FOR_STDIO },
	{ WHOLE("network", CONF_ANY), .walk = conf_walk_network, .kinds = CONF_FOR_STDIO },
	{ MEMBER(conf_server, children, "children", CONF_COUNT), .least = 1, .most = 64, .def = 4, .kinds = CONF_FOR_STDIO },
	{ MEMBER(conf_server, start_ms, "start_timeout", CONF_DURATION), .least = 10, .most = 10 * MINUTE, .def = 15 * SECOND, .kinds = CONF_FOR_HTTP | CONF_FOR_STDIO },
};
const struct conf_form conf_form_server = {
	.where = SPAN_INIT("a server"), .members = server_members, .nmembers = COUNT_OF(server_members), .whole = server_whole
};

static struct span whose(unsigned kinds)
{
	switch (kinds) {
	case CONF_FOR_FILES:
		return SPAN("built-in servers");
	case CONF_FOR_HTTP:
		return SPAN("servers with a \"url\"");
	case CONF_FOR_STDIO:
		return SPAN("servers with a \"command\"");
	default:
		return SPAN("servers with a \"url\" or a \"command\"");
	}
}

static const struct { const char *member; enum conf_kind kind; struct span this_one; } kinds[] = {
	{ "builtin", CONF_FILES, SPAN_INIT("is built in") },
	{ "url", CONF_HTTP, SPAN_INIT("has a \"url\"") },
	{ "command", CONF_STDIO, SPAN_INIT("has a \"command\"") },
};

/* Members of other kinds of server. */
static void foreign(struct conf_reader *r, uint32_t object, uint32_t mask, enum conf_kind kind, struct span this_one)
{
	for (unsigned i = 0; i < conf_form_server.nmembers; i++) {
		const struct conf_member *m = &server_members[i];
		struct buf *b;

		if ((mask >> i & 1) == 0 || m->kinds == 0 || (m->kinds >> kind & 1) != 0)
			continue;
		b = conf_say(r, json_get(&r->json, object, m->name) - 1);
		BUF_LIT(b, "\"");
		buf_put(b, m->name);
		BUF_LIT(b, "\" belongs to ");
		buf_put(b, whose(m->kinds));
		BUF_LIT(b, "; this one ");
		buf_put(b, this_one);
		conf_said(r);
	}
}

static void server_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t mask)
{
	struct conf_server *v = to;
	unsigned n = 0, at = 0;

	for (unsigned i = 0; i < COUNT_OF(kinds); i++)
		if (conf_given(&conf_form_server, mask, kinds[i].member)) {
			n++;
			at = i;
		}
	if (n != 1) {
		conf_complain(r, object, n > 1
			? SPAN("found more than one of \"builtin\", \"url\" and \"command\"; a server is one of the three")
			: SPAN("found none of \"builtin\", \"url\" and \"command\"; write \"builtin\": \"files\", a \"url\" such as \"http://127.0.0.1:3000/mcp\", "
				"or the \"command\" that starts the server"));
		return;
	}
	v->kind = kinds[at].kind;
	if (!conf_given(&conf_form_server, mask, "ask"))
		v->ask = CONF_ASK_ELICITATION | CONF_ASK_SAMPLING;
	v->limits.files = 1024; /* "limits", read after this, wins */
	foreign(r, object, mask, v->kind, kinds[at].this_one);
	if (v->kind != CONF_FILES && v->type != CONF_TYPE_ANY && (v->type == CONF_TYPE_STDIO) != (v->kind == CONF_STDIO))
		conf_complain(r, conf_member(r, object, "type"), v->kind == CONF_STDIO
			? SPAN("found another type beside \"command\"; a server that is started is of type \"stdio\" (or leave it out)")
			: SPAN("found another type beside \"url\"; a server with a url is of type \"http\" (or leave it out)"));
	if (v->kind == CONF_FILES && !conf_given(&conf_form_server, mask, "root"))
		conf_complain(r, object, SPAN("member \"root\" is missing; it names the directory to serve, such as \"root\": \"/srv/docs\""));
	if (v->kind == CONF_HTTP) {
		struct conf_way w = server_way(v);

		conf_way_whole(r, object, "url", &w, conf_given(&conf_form_server, mask, "credentials") ? SPAN("the credential would pass") : SPAN(""));
	}
}

void conf_walk_servers(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n == 0 || n > CONF_SERVERS_MAX) {
		conf_wrong_number(r, value, n, SPAN("servers; 1 to 32 are possible, such as {\"docs\": {\"builtin\": \"files\", \"root\": \"/srv/docs\"}}"));
		return;
	}
	for (uint32_t name = json_first(&r->json, value); name != JSON_NONE; name = json_next(&r->json, value, name)) {
		struct conf_server *v = &c->servers[c->nservers++];
		struct span raw = json_raw(&r->json, name);

		conf_line_column(r->json.text, (size_t)(raw.p - r->json.text.p), &v->line, &v->column);
		if (json_is(&r->json, name, SPAN("")) || conf_text(r, name, SPAN("a name"), 256, &v->name))
			conf_server_name(r, name, v->name);
		conf_push(r, &conf_form_server, json_value(&r->json, name), v);
	}
}
