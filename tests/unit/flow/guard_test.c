/*
 * Who is calling and what they may: a flow with real decisions (gate/auth, gate/policy) between a client and upstreams that answer at once,
 * on the network of sim.h. What other processes do for a worker (keys, introspection, credentials) is done here, when a test wants it done.
 */
#include <bearssl.h>
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "tap.h"
#include "unit/flow/sim.h"
#include "unit/flow/sim_tls.h"
#include "wire/crypto.h"

#define KEY_ACME "postern_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_BOLT "postern_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
#define UNIX_MS INT64_C(1900000000000)
#define RESOURCE "https://gw.example/mcp"
#define METADATA "https://gw.example/.well-known/oauth-protected-resource/mcp"

enum { ACME, BOLT, ASKED = 512 };

static struct question { /* what an upstream was sent */
	int server;
	char method[40], text[700];
	char credential[80];
	const struct sim_conn *on;
	uint64_t id;
	bool told; /* its stream is open */
} asked[ASKED];
static unsigned nasked;

static struct { uint64_t call; unsigned server, tenant; bool again; char subject[900]; } tokens[ASKED];
static unsigned ntokens, nkeys_asked, nintrospections;
static uint64_t introspection;
static bool hooks_say;              /* what they return */
static bool give_at_once;           /* credentials come from within the question */
static unsigned refuse_credentials; /* so many are answered by 401 */
static int64_t clock_ms;            /* besides what the network's says */
static struct {                     /* upstreams that are not as they should be */
	bool endless, silent, no_discover, no_prompts;
	const char *fresh;              /* a tool and a prompt that are there since lately */
} odd;

static struct flow_settings set;
static struct loop loop;
static struct metrics metrics;
static struct flow *f;
static char *area;
static size_t need;

/* ---- hooks ---- */

static int64_t unix_ms(void *ctx) { (void)ctx; return UNIX_MS + clock_ms + sim.now_ms; }
static bool ask_keys(void *ctx, unsigned issuer) { (void)ctx; nkeys_asked += issuer == 0; return hooks_say; }

static bool introspect(void *ctx, unsigned issuer, uint64_t call, struct span token)
{
	(void)ctx;
	(void)token;
	nintrospections += issuer == 1;
	introspection = call;
	return hooks_say;
}

static bool get_token(void *ctx, unsigned server, unsigned tenant, uint64_t call, struct span subject, bool again)
{
	(void)ctx;
	if (ntokens == ASKED)
		return false;
	tokens[ntokens].call = call;
	tokens[ntokens].server = server;
	tokens[ntokens].tenant = tenant;
	tokens[ntokens].again = again;
	snprintf(tokens[ntokens].subject, sizeof tokens[0].subject, "%.*s", span_absent(subject) ? 1 : (int)subject.n, span_absent(subject) ? "-" : subject.p);
	ntokens++;
	if (hooks_say && give_at_once) {
		char line[80];
		int n = snprintf(line, sizeof line, "Authorization: Bearer cred-%u%s", tenant, again ? "-again" : "");
		flow_credential(f, call, span_of(line, (size_t)n));
	}
	return hooks_say;
}

/* ---- upstreams: two of the same kind ---- */

static const char *list_of(const char *method)
{
	static char text[200];
	if (odd.fresh && strcmp(method, "tools/list") == 0) {
		snprintf(text, sizeof text, "\"tools\":[{\"name\":\"%s\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"open\",\"inputSchema\":{\"type\":\"object\"}}]", odd.fresh);
		return text;
	}
	if (odd.fresh && strcmp(method, "prompts/list") == 0) {
		snprintf(text, sizeof text, "\"prompts\":[{\"name\":\"%s\"}]", odd.fresh);
		return text;
	}
	if (strcmp(method, "tools/list") == 0)
		return "\"tools\":[{\"name\":\"secret1\",\"inputSchema\":{\"type\":\"object\"}}, {\"name\":\"open\",\"inputSchema\":{\"type\":\"object\"}} ,"
		       "{\"name\":\"secret2\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"\\u0073ecret3\",\"inputSchema\":{\"type\":\"object\"}},"
		       "{\"name\":\"scoped\",\"inputSchema\":{\"type\":\"object\"}}, {\"name\":\"secret4\",\"inputSchema\":{\"type\":\"object\"}}]";
	if (strcmp(method, "prompts/list") == 0)
		return "\"prompts\":[{\"name\":\"open\"},{\"name\":\"secret\"}]";
	if (strcmp(method, "resources/list") == 0)
		return "\"resources\":[{\"uri\":\"x://open\",\"name\":\"secret name\"},{\"uri\":\"x:\\/\\/secret\",\"name\":\"o\"},{\"name\":\"secret: no uri\"}]";
	return "\"resourceTemplates\":[{\"uriTemplate\":\"x://secret/{a}\",\"name\":\"s\"},{\"uriTemplate\":\"x://open/{a}\",\"name\":\"o\"}]";
}

static void events(struct sim_conn *c, const char *json)
{
	char text[1200];
	int n = snprintf(text, sizeof text, "data: %s\n\n", json);
	sim_say(c, text, (size_t)n);
}

static void stream(struct sim_conn *c, struct question *q)
{
	char text[1000];
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
	sim_say(c, head, sizeof head - 1);
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{"
	    "\"toolsListChanged\":true,\"resourceSubscriptions\":[\"x://open\",\"x://secret\"]},\"_meta\":{"
	    "\"io.modelcontextprotocol/subscriptionId\":%llu}}}", (unsigned long long)q->id);
	events(c, text);
	q->told = true;
}

static void updated(struct question *q, const char *uri)
{
	char text[500];
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"%s\",\"_meta\":{"
	    "\"io.modelcontextprotocol/subscriptionId\":%llu}}}", uri, (unsigned long long)q->id);
	events(&sim.conn[q->on - sim.conn], text);
}

/* What it does not know it does not know in its own words: an error, in the way of now or of before, alone or behind an event. */
static int unknown_here(char *body, size_t cap, const struct question *q)
{
	return snprintf(body, cap, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":%s,\"message\":\"no %d\"}}", (unsigned long long)q->id,
	    strstr(q->text, "nowold") ? "-32002" : "-32602", q->server);
}

static void answer(struct sim_conn *c, struct question *q)
{
	char body[2400], all[3000], result[1600];
	if (odd.silent)
		return;
	if (set.servers[q->server].credential && refuse_credentials > 0) {
		static const char no[] = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer resource_metadata=\"http://evil\"\r\nContent-Length: 0\r\n\r\n";
		refuse_credentials--;
		sim_say(c, no, sizeof no - 1);
		return;
	}
	if (strcmp(q->method, "subscriptions/listen") == 0) {
		stream(c, q);
		return;
	}
	if (strcmp(q->method, "server/discover") == 0)
		snprintf(result, sizeof result, "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{},"
		    "\"completions\":{},\"resources\":{\"subscribe\":true}},\"instructions\":\"words of %d\",\"ttlMs\":60000,\"cacheScope\":\"public\"", q->server);
	else if (strstr(q->method, "/list")) {
		static unsigned pages;
		char next[40] = "";

		if (odd.endless) /* always another: one that leads where it was would be seen */
			snprintf(next, sizeof next, "\"nextCursor\":\"c%u\",", ++pages);
		snprintf(result, sizeof result, "%s,%s\"ttlMs\":1000,\"cacheScope\":\"public\"", list_of(q->method), next);
	}
	else if (strcmp(q->method, "completion/complete") == 0)
		snprintf(result, sizeof result, "\"completion\":{\"values\":[\"done by %d\"]}", q->server);
	else
		snprintf(result, sizeof result, "\"content\":[],\"contents\":[],\"messages\":[],\"by\":\"done by %d\",\"ttlMs\":1,\"cacheScope\":\"public\"", q->server);
	bool no = strstr(q->text, "nowhere") || strstr(q->text, "nowold") || strstr(q->text, "nowsse") || (odd.no_discover && strcmp(q->method, "server/discover") == 0) ||
	    (odd.no_prompts && strcmp(q->method, "prompts/list") == 0);
	int n = no ? unknown_here(body, sizeof body, q) : snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",%s}}",
	    (unsigned long long)q->id, result);
	if (c->server >= 0) {
		sim_say(c, body, (size_t)n);
		sim_say(c, "\n", 1);
		return;
	}
	if (strstr(q->text, "nowsse")) {
		static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
		sim_say(c, head, sizeof head - 1);
		snprintf(all, sizeof all, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":1}}", (unsigned long long)q->id);
		events(c, all);
		events(c, body);
		sim_close(c);
		return;
	}
	n = snprintf(all, sizeof all, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, body);
	sim_say(c, all, (size_t)n);
}

static void copy(char *to, size_t cap, const char *from, const char *end)
{
	size_t n = from ? strcspn(from, end) : 0;
	snprintf(to, cap, "%.*s", (int)n, from ? from : "");
}

static bool ask_upstream(struct sim_conn *c, struct question *q, const char *message, size_t took)
{
	char *method = strstr(message, "\"method\":\""), *id = strstr(message, "\"id\":");
	copy(q->method, sizeof q->method, method ? method + 10 : NULL, "\"");
	snprintf(q->text, sizeof q->text, "%s", message);
	q->id = id ? strtoull(id + 5, NULL, 10) : 0;
	sim_took(c, took);
	answer(c, q);
	return true;
}

/* A built-in server: a line is a message. */
static bool line_act(struct sim_conn *c)
{
	char text[16000];
	char *end = c->got.n > 0 ? memchr(c->got.p, '\n', c->got.n) : NULL;
	if (!end || (size_t)(end - c->got.p) >= sizeof text || nasked == ASKED)
		return false;
	size_t n = (size_t)(end - c->got.p);
	memcpy(text, c->got.p, n);
	text[n] = 0;
	if (strstr(text, "notifications/cancelled")) {
		sim_took(c, n + 1);
		return true;
	}
	asked[nasked] = (struct question){ .server = c->server, .on = c };
	return ask_upstream(c, &asked[nasked++], text, n + 1);
}

static bool upstream_act(struct sim_conn *c)
{
	char text[16000];
	if (c->server >= 0)
		return line_act(c);
	if (c->got.n == 0 || c->got.n >= sizeof text)
		return false;
	memcpy(text, c->got.p, c->got.n);
	text[c->got.n] = 0;
	char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
	if (!end || !length || strlen(end + 4) < strtoul(length + 16, NULL, 10) || nasked == ASKED)
		return false;
	struct question *q = &asked[nasked++];
	*q = (struct question){ .server = c->port - 1, .on = c };
	char *credential = strstr(text, "\r\nAuthorization: ");
	copy(q->credential, sizeof q->credential, credential ? credential + 17 : NULL, "\r");
	return ask_upstream(c, q, end + 4, c->got.n);
}

static bool act(void)
{
	bool did = sim_connect_all();

	for (unsigned k = 0; k < sim.top; k++) {
		struct sim_conn *c = &sim.conn[k];

		if (c->used && (c->port || c->server >= 0) && !c->gate_closed && !c->reset)
			did |= upstream_act(c);
	}
	return did | sim_tls_act_all();
}

static int tick(void) { return flow_tick(f); }
static void settle(void) { sim_settle(&loop, act, tick); }
static void pass_time(int64_t ms) { sim_pass_time(ms, 20, settle); }

/* ---- the world ---- */

static const struct span tenants[] = { { "acme", 4 }, { "bolt", 4 } }, scopes[] = { { "read", 4 }, { "write", 5 } };
static struct auth_issuer issuers[2];
static struct auth_key keys[2];
static const struct policy_rule rules[] = {
	{ .allow = true, .pattern = { "*secret*", 8 }, .tenants = 1 << BOLT },
	{ .allow = false, .pattern = { "*secret*", 8 } },
	{ .allow = true, .pattern = { "b__*", 4 }, .tenants = 1 << BOLT },
	{ .allow = false, .pattern = { "b__*", 4 } },
	{ .allow = true, .pattern = { "*scoped*", 8 }, .scopes = 3 },
	{ .allow = true, .pattern = { "*", 1 } },
};

static br_ec_private_key secret;
static uint8_t secret_x[32] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static struct jwk_set key_set;

static void begin(unsigned nservers, bool plain)
{
	static const struct span names[] = { { "a", 1 }, { "b", 1 } }, origins[] = { { "https://app.example", 19 } };
	sim_begin(1, false);
	memset(&metrics, 0, sizeof metrics);
	memset(&set, 0, sizeof set);
	nasked = ntokens = nkeys_asked = nintrospections = refuse_credentials = 0;
	hooks_say = give_at_once = true;
	clock_ms = 0;
	memset(&odd, 0, sizeof odd);
	for (unsigned i = 0; i < 2; i++)
		issuers[i] = (struct auth_issuer){ .issuer = i == 0 ? SPAN("https://idp.example") : SPAN("https://opaque.example"), .audience = SPAN(RESOURCE),
			.algs = 1 << JWK_ES256, .skew_ms = 0, .tenant = ACME, .opaque = i == 1 };
	crypto_sha256(KEY_ACME, sizeof KEY_ACME - 1, keys[0].sha256);
	crypto_sha256(KEY_BOLT, sizeof KEY_BOLT - 1, keys[1].sha256);
	keys[0].id = SPAN("k0");
	keys[1].id = SPAN("k1");
	keys[1].tenant = BOLT;
	set = (struct flow_settings){ .nlisteners = 1, .nservers = nservers, .plain = plain, .version = SPAN("0"), .connections = 32, .requests = 8, .listens = 4,
		.large = 4, .tokens = 4096, .links = 4, .body_max = 100000, .reply_max = 100000, .head_ms = 20000, .body_ms = 30000, .idle_ms = 600000,
		.write_ms = 30000, .keepalive_ms = 15000, .metrics = &metrics, .known_tokens = 16,
		.auth = { .tenants = { tenants, 2 }, .scopes = { scopes, 2 }, .issuers = issuers, .nissuers = 2, .keys = keys, .nkeys = 2 },
		.policy = { rules, sizeof rules / sizeof rules[0] },
		.hooks = { .ask_keys = ask_keys, .introspect = introspect, .token = get_token, .unix_ms = unix_ms } };
	memset(set.seed, 7, sizeof set.seed);
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 },
		.origins = origins, .norigins = 1, .resource = SPAN(RESOURCE), .metadata = SPAN(METADATA) };
	for (unsigned i = 0; i < nservers; i++)
		set.servers[i] = (struct flow_server){ .name = names[i], .kind = FLOW_HTTP, .host = SPAN("up"), .path = SPAN("/up"), .fields = SPAN(""),
			.address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = (uint16_t)(i + 1) }, .connect_ms = 2000, .idle_ms = 10000, .call_ms = 40000 };
}

static void place(void)
{
	need = flow_need(&set);
	free(area);
	area = aligned_alloc(64, (need + 63) & ~(size_t)63);
	if (!area)
		abort();
	memset(area, 0, need);
	loop.now_ms = sim.now_ms;
	f = flow_place(area, &set, &loop);
	for (unsigned i = 0; i < set.nservers; i++)
		if (set.servers[i].kind != FLOW_HTTP) {
			struct sim_conn *peer;
			flow_link(f, i, sim_pair((int)i, &peer));
		}
	if (!flow_open(f))
		abort();
	settle();
	nasked = 0;
}

static void end(void)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used)
			sim_reset(&sim.conn[i]);
	pass_time(100);
	is_int(f->txns.used + f->legs.used + f->links.used + f->small.used + f->large.used + f->fronts.used + f->listens + f->auth_waits, 0, "  and nothing is left in use");
	sim_end();
}

/* ---- the client ---- */

static char got[100000];
static const char *more_meta = "";

static const char *heard(struct sim_conn *c)
{
	snprintf(got, sizeof got, "%.*s", (int)c->got.n, c->got.n ? c->got.p : "");
	if (c->got.n > 0)
		sim_took(c, c->got.n);
	return got;
}

/* `fields`: further head lines; `params`: without braces, followed by a comma. */
static void say(struct sim_conn *c, const char *fields, const char *method, const char *name, const char *params)
{
	char body[2000], head[3000], named[300] = "";
	int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":{%s\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
	    "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}%s}}}", method, params, more_meta);
	if (*name)
		snprintf(named, sizeof named, "Mcp-Name: %s\r\n", name);
	int h = snprintf(head, sizeof head, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n%s%sContent-Length: %d\r\n\r\n", method, named, fields, n);
	sim_say(c, head, (size_t)h);
	sim_say(c, body, (size_t)n);
	settle();
}

static const char *ask(const char *fields, const char *method, const char *name, const char *params)
{
	struct sim_conn *c = sim_client();
	say(c, fields, method, name, params);
	return heard(c);
}

static const char *raw(const char *text)
{
	struct sim_conn *c = sim_client();
	sim_say(c, text, strlen(text));
	settle();
	return heard(c);
}

static const char *call(const char *fields, const char *tool)
{
	char params[200];
	snprintf(params, sizeof params, "\"name\":\"%s\",\"arguments\":{},", tool);
	return ask(fields, "tools/call", tool, params);
}

static const char *read_uri(const char *fields, const char *uri)
{
	char params[200];
	snprintf(params, sizeof params, "\"uri\":\"%s\",", uri);
	return ask(fields, "resources/read", uri, params);
}

static bool says(const char *text, const char *what) { return strstr(text, what) != NULL; }
static bool is_status(const char *text, unsigned status) { return strncmp(text, "HTTP/1.1 ", 9) == 0 && strtoul(text + 9, NULL, 10) == status; }

static unsigned times(const char *text, const char *what)
{
	unsigned n = 0;
	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static const char *body_of(const char *text)
{
	const char *p = strstr(text, "\r\n\r\n");
	return p ? p + 4 : "";
}

#define AS_ACME "Authorization: Bearer " KEY_ACME "\r\n"
#define AS_BOLT "Authorization: Bearer " KEY_BOLT "\r\n"

/* ---- tokens ---- */

static void make_keys(const char *kid)
{
	unsigned char point[65];
	secret = (br_ec_private_key){ BR_EC_secp256r1, secret_x, sizeof secret_x };
	br_ec_compute_pub(br_ec_get_default(), NULL, point, &secret);
	memset(&key_set, 0, sizeof key_set);
	key_set.n = 1;
	key_set.keys[0] = (struct jwk){ .kind = JWK_P256, .algs = 1 << JWK_ES256, .kid_n = (uint8_t)strlen(kid), .point_n = 65 };
	memcpy(key_set.keys[0].kid, kid, strlen(kid));
	memcpy(key_set.keys[0].point, point, 65);
}

/* "Authorization: Bearer <a signed token>\r\n" */
static const char *token(const char *kid, const char *scope, int64_t lives_s)
{
	static char text[1400];
	char claims[500], header[100];
	uint8_t hash[32], signature[64];
	struct buf b = buf_on(text, sizeof text);
	int64_t now_s = (UNIX_MS + clock_ms + sim.now_ms) / 1000;

	BUF_LIT(&b, "Authorization: Bearer ");
	size_t start = b.n;
	int n = snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", kid);
	base64url_write(&b, span_of(header, (size_t)n));
	BUF_LIT(&b, ".");
	n = snprintf(claims, sizeof claims, "{\"iss\":\"https://idp.example\",\"aud\":\"" RESOURCE "\",\"sub\":\"u\",\"client_id\":\"c\",\"jti\":\"j\",\"iat\":%lld,"
	    "\"exp\":%lld,\"scope\":\"%s\"}", (long long)now_s, (long long)(now_s + lives_s), scope);
	base64url_write(&b, span_of(claims, (size_t)n));
	crypto_sha256(text + start, b.n - start, hash);
	if (br_ecdsa_sign_raw_get_default()(br_ec_get_default(), &br_sha256_vtable, hash, &secret, signature) != sizeof signature)
		abort();
	BUF_LIT(&b, ".");
	base64url_write(&b, span_of((const char *)signature, sizeof signature));
	BUF_LIT(&b, "\r\n");
	text[b.n] = 0;
	return text;
}

/* ---- who ---- */

static void callers(void)
{
	static const struct { const char *name, *fields; bool error; } bad[] = {
		{ "nothing", "", false }, { "an unknown key", "Authorization: Bearer postern_CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA\r\n", true },
		{ "another scheme", "Authorization: Basic dTpw\r\n", true }, { "no JWT", "Authorization: Bearer a.b.c\r\n", true },
		{ "a proof and no token", "DPoP: a.b.c\r\n", true },
	};
	char first[2000] = "";
	begin(1, true);
	place();
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *a = call(bad[i].fields, "open");
		ok(is_status(a, 401) && times(a, "WWW-Authenticate:") == 1 && says(a, "WWW-Authenticate: Bearer ") && says(a, "resource_metadata=\"" METADATA "\""), bad[i].name);
		ok(says(a, "error=\"invalid_token\"") == bad[i].error && says(a, "Connection: close") && !says(a, "\"id\":"), "  an error only if something was shown");
		if (i == 0)
			snprintf(first, sizeof first, "%s", body_of(a));
		is_str(body_of(a), first, "  and the body of all");
	}
	const char *a = call(AS_ACME "Authorization: Bearer x\r\n", "open");
	ok(is_status(a, 400) && !says(a, "WWW-Authenticate"), "two Authorization fields are malformed");
	is_int(nasked, 0, "no upstream has heard of any of them");
	ok(is_status(call(AS_ACME, "open"), 200) && nasked == 1 && asked[0].credential[0] == 0, "a key is somebody, and does not go upstream");
	a = raw("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nExpect: 100-continue\r\n"
		"Content-Length: 5\r\n\r\n");
	ok(is_status(a, 401), "nobody is told to go on with a body");
	a = raw("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nExpect: 100-continue\r\n"
		AS_ACME "Content-Length: 5\r\n\r\n");
	ok(is_status(a, 100), "somebody is");
	a = raw("OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
		"Access-Control-Request-Headers: authorization, dpop\r\n\r\n");
	ok(is_status(a, 204) && says(a, "Access-Control-Allow-Headers: authorization, dpop") && says(a, "Access-Control-Allow-Methods: POST"), "a preflight needs no token");
	a = call("Origin: https://app.example\r\n", "open");
	ok(is_status(a, 401) && says(a, "Access-Control-Allow-Origin: https://app.example") && says(a, "Access-Control-Expose-Headers: WWW-Authenticate"), "a page may read its 401");
	a = call("Origin: https://other.example\r\n" AS_ACME, "open");
	ok(is_status(a, 403) && !says(a, "Access-Control") && says(a, "Vary: Origin"), "a foreign one gets no further");
	is_int((intmax_t)metrics.v[METRIC_AUTH_REFUSED_MISSING], 3, "missing ones are counted");
	is_int((intmax_t)metrics.v[METRIC_AUTH_KEY], 2, "and those by key");
	ok(metrics.v[METRIC_AUTH_REFUSED_SIGNATURE] == 1 && metrics.v[METRIC_AUTH_REFUSED_FORM] >= 2, "and why others were refused");
	end();

	begin(1, true);
	set.auth.anonymous = true;
	place();
	ok(is_status(call("", "open"), 200), "anonymous on loopback");
	ok(is_status(call("Authorization: Bearer x\r\n", "open"), 503) || nintrospections == 1, "who shows something wrong is not anonymous");
	set.listeners[0].address.ip[0] = 10;
	ok(!says(raw("POST /mcp HTTP/1.1\r\nHost: 10.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
		"Content-Length: 2\r\n\r\n{}"), " 200 "), "not elsewhere");
	end();

	begin(1, true);
	memset(&set.auth, 0, sizeof set.auth);
	place();
	ok(is_status(call("", "open"), 401) && is_status(call(AS_ACME, "open"), 401), "without an identity nobody is anybody");
	end();
}

static void certificates(void)
{
	static struct auth_certificate names[] = { { .san = { "spiffe://acme.test/agent/7", 26 }, .tenant = ACME } };
	static uint8_t revoked[1][32];
	begin(1, true);
	sim_tls_world(1);
	set.listeners[0].tls = &sim_door_mutual;
	set.handshake_ms = 5000;
	set.records = 8;
	memset(set.entropy, 5, sizeof set.entropy);
	set.hooks.sign = sim_sign;
	set.auth.certificates = names;
	set.auth.ncertificates = 1;
	set.auth.anonymous = true;
	place();
	struct sim_conn *c = sim_client();
	sim_tls_client(c, &sim_route_own);
	say(c, "", "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	ok(says(heard(c), "done by 0") && metrics.v[METRIC_AUTH_CERTIFICATE] == 1, "a certificate whose name is known is somebody");
	say(c, "", "tools/call", "secret", "\"name\":\"secret\",\"arguments\":{},");
	ok(says(heard(c), "Unknown tool: secret"), "with the rights of its tenant");
	say(c, AS_BOLT, "tools/call", "secret1", "\"name\":\"secret1\",\"arguments\":{},");
	ok(says(heard(c), "done by 0"), "what is shown besides counts before it");
	for (uint32_t i = 0; i < f->fronts.fresh; i++) {
		struct front *x = slots_at(&f->fronts, i);
		if (x->f == f && x->tls && front_peer(x))
			memcpy(revoked[0], front_peer(x)->fingerprint, 32);
	}
	set.auth.revoked = (const uint8_t (*)[32])revoked;
	set.auth.nrevoked = 1;
	say(c, "", "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	ok(is_status(heard(c), 401), "one that was revoked is nobody");
	set.auth.nrevoked = 0;
	set.auth.ncertificates = 0;
	c = sim_client();
	sim_tls_client(c, &sim_route_own);
	say(c, "", "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	ok(is_status(heard(c), 401) && metrics.v[METRIC_AUTH_ANONYMOUS] == 0, "nor is one without a name here, or anonymous");
	end();
}

static void documents(void)
{
	begin(1, true);
	place();
#define GET "GET /.well-known/oauth-protected-resource"
	const char *a = raw(GET "/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n");
	ok(is_status(a, 200) && says(a, "\"resource\":\"" RESOURCE "\"") && says(a, "\"authorization_servers\":[\"https://idp.example\",\"https://opaque.example\"]") &&
	    says(a, "Cache-Control: public, max-age=300") && says(a, "Content-Type: application/json") && says(a, "Vary: Origin") &&
	    !says(a, "Connection: close") && !says(a, "Access-Control"), "the metadata, for anybody");
	a = raw(GET "/mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n\r\n");
	ok(is_status(a, 200) && says(a, "Access-Control-Allow-Origin: https://app.example"), "and for pages that may call");
	a = raw(GET "/mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://other.example\r\n\r\n");
	ok(is_status(a, 403) && !says(a, RESOURCE), "not for others");
	a = raw("OPTIONS /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n"
		"Access-Control-Request-Headers: mcp-protocol-version\r\n\r\n");
	ok(is_status(a, 204) && says(a, "Access-Control-Allow-Methods: GET"), "its preflight");
	a = raw("HEAD /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n");
	ok(is_status(a, 200) && *body_of(a) == 0, "HEAD");
	a = raw("POST /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
	ok(is_status(a, 405) && says(a, "Allow: GET, HEAD, OPTIONS"), "nothing is posted to it");
	ok(is_status(raw(GET " HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404) && is_status(raw(GET "/mcp2 HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404), "of this path only");
	static const char *const others[] = { "/authorize", "/token", "/register", "/callback", "/.well-known/oauth-authorization-server", "/" };
	for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++) {
		char text[200];
		snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", others[i]);
		ok(is_status(raw(text), 404), others[i]);
	}
	ok(is_status(raw("GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"), 405), "the endpoint itself is no document");
	end();
	begin(1, true);
	set.listeners[0].metadata = SPAN("https://gw.example/.well-known/oauth-protected-resource/public/mcp");
	place();
	ok(is_status(raw(GET "/public/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"), 200), "where its URL says, if a proxy has another path for it");
	end();
	begin(1, true);
	set.listeners[0].metadata = span_of(NULL, 0);
	place();
	ok(is_status(raw(GET "/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404), "without issuers there is none");
	end();
}

/* ---- what ---- */

static void names(void)
{
	begin(2, false);
	place();
	ok(says(call(AS_ACME, "a__open"), "done by 0"), "an allowed tool is called");
	ok(says(call(AS_BOLT, "a__secret1"), "done by 0") && says(call(AS_BOLT, "b__open"), "done by 1"), "another tenant may call others");
	/* The names have one length and are put in for each other. */
	char one[2000], two[2000];
	nasked = 0;
	snprintf(one, sizeof one, "%s", call(AS_ACME, "a__secret1"));
	snprintf(two, sizeof two, "%s", call(AS_ACME, "z__secret1"));
	char *p = strstr(two, "z__");
	if (p)
		*p = 'a';
	is_str(one, two, "a refused tool looks like an unknown one");
	is_int(nasked, 0, "  and nobody is asked");
	ok(says(one, "\"code\":-32602,\"message\":\"Unknown tool: a__secret1\"") && is_status(one, 200), "  in these words");
	ok(says(call(AS_ACME, "b__open"), "Unknown tool: b__open"), "a server that is not there for this caller");
	ok(says(read_uri(AS_ACME, "x://secret"), "Resource not found") && nasked == 0, "a refused resource is not found");
	ok(says(read_uri(AS_ACME, "x://open"), "done by 0") && nasked == 1, "an allowed one is, where it is allowed");
	nasked = 0;
	ok(says(read_uri(AS_BOLT, "x://nowhere"), "Resource not found: x://nowhere") && nasked == 2 && asked[1].server == 1, "each upstream that may be asked is asked");
	nasked = 0;
	ok(says(read_uri(AS_ACME, "x://nowhere"), "Resource not found: x://nowhere") && nasked == 1, "and no other");
	ok(says(ask(AS_ACME, "prompts/get", "a__secret", "\"name\":\"a__secret\","), "Unknown prompt: a__secret"), "a refused prompt");
	ok(says(ask(AS_ACME, "completion/complete", "", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"a__secret\"},\"argument\":{\"name\":\"x\",\"value\":\"\"},"),
	    "Unknown prompt: a__secret"), "a completion of it");
	ok(says(ask(AS_ACME, "completion/complete", "", "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"x://secret/{a}\"},\"argument\":{\"name\":\"x\",\"value\":\"\"},"),
	    "Unknown resource template: x://secret/{a}"), "and of a template");
	ok(says(ask(AS_ACME, "completion/complete", "", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"a__open\"},\"argument\":{\"name\":\"x\",\"value\":\"\"},"), "done by 0"), "one that is allowed");
	const char *a = ask(AS_ACME, "server/discover", "", "");
	ok(says(a, "words of 0") && !says(a, "words of 1") && !says(a, "b__"), "instructions of visible servers only");
	ok(says(ask(AS_BOLT, "server/discover", "", ""), "words of 1"), "another sees more");
	ok(metrics.v[METRIC_POLICY_REFUSED] >= 4, "refusals are counted");
	end();

	begin(1, true);
	place();
	ok(says(call(AS_ACME, "secret1"), "Unknown tool: secret1") && nasked == 0 && says(call(AS_BOLT, "secret1"), "done by 0"), "plain: the tool itself is the name");
	ok(says(read_uri(AS_ACME, "x://secret"), "Resource not found") && nasked == 1, "plain: the URI is");
	end();
	begin(1, true);
	set.policy.nrules = 0;
	place();
	ok(says(call(AS_ACME, "open"), "Unknown tool: open") && says(ask(AS_ACME, "tools/list", "", ""), "\"tools\":[]"), "no rule, no call and no list");
	a = ask(AS_ACME, "server/discover", "", "");
	ok(says(a, "\"capabilities\":{}") && !says(a, "words"), "nothing is discovered");
	is_int(nasked, 0, "and nobody asked");
	end();
}

/* ---- what is not there and what may not be used ---- */

#define NAMED "\"name\":\"%\",\"arguments\":{},"
#define READ "\"uri\":\"%\","
#define OF_PROMPT "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"%\"},\"argument\":{\"name\":\"x\",\"value\":\"\"},"
#define OF_TEMPLATE "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"%\"},\"argument\":{\"name\":\"x\",\"value\":\"\"},"

/* The name in its place in the params. */
static void put_in(char *to, size_t cap, const char *params, const char *name)
{
	const char *at = strchr(params, '%');
	snprintf(to, cap, "%.*s%s%s", (int)(at - params), params, name, at + 1);
}

/* Refused and unknown, of equal length: told apart by no byte, head included. `prefix` stands before both. True too: the upstreams were asked
 * for no call. */
static bool same(const char *method, const char *params, const char *prefix, const char *refused, const char *unknown, const char *text)
{
	char one[3000], two[3000], name[100], full[400];
	bool named = strcmp(method, "completion/complete") != 0;
	snprintf(name, sizeof name, "%s%s", prefix, refused);
	put_in(full, sizeof full, params, name);
	snprintf(one, sizeof one, "%s", ask(AS_ACME, method, named ? name : "", full));
	snprintf(name, sizeof name, "%s%s", prefix, unknown);
	put_in(full, sizeof full, params, name);
	snprintf(two, sizeof two, "%s", ask(AS_ACME, method, named ? name : "", full));
	for (char *p = two; (p = strstr(p, unknown)) != NULL; p++)
		memcpy(p, refused, strlen(refused));
	return is_str(one, two, text) && is_status(one, 200) && says(one, "-32602") && says(one, refused);
}

static unsigned calls_asked(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < nasked; i++)
		n += strcmp(asked[i].method, "server/discover") != 0 && !says(asked[i].method, "/list");
	return n;
}

static void unknown_names(bool plain, enum flow_kind kind)
{
	const char *prefix = plain ? "" : "a__", *scheme = kind == FLOW_BUILTIN && !plain ? "files://a/" : "x://";
	char name[40];
	begin(plain ? 1 : 2, plain);
	set.servers[0].kind = kind;
	place();
	diag("%s names, %s", plain ? "plain" : "prefixed", kind == FLOW_HTTP ? "HTTP" : kind == FLOW_LINE ? "by line" : "built-in");
	ok(same("tools/call", NAMED, prefix, "secret1", "nowhere", "a tool"), "  in the words of an unknown one");
	ok(same("prompts/get", NAMED, prefix, "secret", "nowold", "a prompt"), "  in the same");
	ok(same("completion/complete", OF_PROMPT, prefix, "secret", "nowold", "a completion of it"), "  in the same");
	ok(same("prompts/get", NAMED, prefix, "secret9", "nowhere", "one that is neither allowed nor there"), "  in the same");
	is_int(calls_asked(), 0, "no upstream has heard of any of them");
	ok(same("resources/read", READ, scheme, "secret1", "nowhere", "a resource"), "  in the same");
	ok(same("resources/read", READ, scheme, "secret", "nowold", "one that the upstream does not know in an older way"), "  in the same");
	ok(same("completion/complete", OF_TEMPLATE, scheme, "secret1/{a}", "nowhere/{a}", "a completion of a template"), "  in the same");
	is_int(calls_asked(), 3, "of them the unknown ones were asked for");
	snprintf(name, sizeof name, "%sopen", prefix);
	ok(says(call(AS_ACME, name), "done by 0") && says(ask(AS_ACME, "prompts/get", name, plain ? "\"name\":\"open\"," : "\"name\":\"a__open\","), "done by 0"), "what is there and allowed is called");
	snprintf(name, sizeof name, "%ssecret3", prefix);
	ok(says(call(AS_BOLT, name), "done by 0"), "however the list writes it");
	snprintf(name, sizeof name, "%snowhere", prefix);
	nasked = 0;
	ok(says(call(AS_BOLT, name), "Unknown tool: ") && nasked == 0, "who may do more is told no more of what is not there");
	if (kind == FLOW_HTTP) { /* an event has begun to be told: the answer is the same, as the stream's last */
		more_meta = ",\"progressToken\":\"p\"";
		const char *a = read_uri(AS_ACME, "x://nowsse");
		ok(says(a, "\"progress\":1") && says(a, "\"id\":7,\"error\":{\"code\":-32602,\"message\":\"Resource not found: x://nowsse\",\"data\":{\"uri\":\"x://nowsse\"}}") && !says(a, "no 0"),
		    "an unknown resource behind an event");
		more_meta = "";
	}

	/* What is new is found, and what is refused waits as long. */
	odd.fresh = "nowhere";
	nasked = 0;
	ok(says(call(AS_ACME, name), "Unknown tool: ") && nasked == 0, "what has just been looked at is not looked at again");
	pass_time(5000);
	ok(says(call(AS_ACME, name), "no 0") && asked[0].server == 0 && strcmp(asked[0].method, "server/discover") == 0 && calls_asked() == 1, "a while later it is: a new tool is called");
	nasked = 0;
	ok(same("prompts/get", NAMED, prefix, "secret1", "nothere", "prompts"), "  are still alike") ;
	is_int(nasked, 0, "  without a further look");
	pass_time(5000);
	nasked = 0;
	snprintf(name, sizeof name, "%ssecret1", prefix);
	ok(says(call(AS_ACME, name), "Unknown tool: ") && nasked == 3 && calls_asked() == 0, "for one that is refused it is looked at in the same way");
	pass_time(5000);
	odd.silent = true;
	struct sim_conn *refused = sim_client(), *unknown = sim_client(), *known = sim_client();
	snprintf(name, sizeof name, "%sopen", prefix);
	char params[3][100];
	snprintf(params[0], sizeof params[0], "\"name\":\"%ssecret1\",", prefix);
	snprintf(params[1], sizeof params[1], "\"name\":\"%snothere\",", prefix);
	nasked = 0;
	say(refused, AS_ACME, "tools/call", params[0] + 8, params[0]); /* a name that is not mirrored rightly goes no further */
	ok(says(heard(refused), "-32020") && nasked == 0, "a wrong header is one still");
	snprintf(name, sizeof name, "%ssecret1", prefix);
	say(refused, AS_ACME, "tools/call", name, params[0]);
	snprintf(name, sizeof name, "%snothere", prefix);
	say(unknown, AS_ACME, "tools/call", name, params[1]);
	snprintf(name, sizeof name, "%sopen", prefix);
	snprintf(params[2], sizeof params[2], "\"name\":\"%s\",", name);
	say(known, AS_ACME, "tools/call", name, params[2]);
	ok(nasked == 2 && calls_asked() == 1, "one look for all, and what is known does not wait for it");
	pass_time(1900);
	ok(refused->got.n == 0 && unknown->got.n == 0, "both wait");
	pass_time(200);
	char one[2000];
	snprintf(one, sizeof one, "%s", heard(refused));
	char *p = strstr(one, "secret1");
	if (p)
		memcpy(p, "nothere", 7);
	ok(says(one, "Unknown tool: "), "not for ever");
	is_str(heard(unknown), one, "  and alike");
	struct sim_conn *gone = sim_client();
	snprintf(name, sizeof name, "%snothere", prefix);
	say(gone, AS_ACME, "tools/call", name, params[1]);
	ok(gone->got.n == 0, "one more waits for the same look");
	sim_reset(gone);
	sim_reset(known);
	settle();
	ok(list_empty(&f->up[0].waiting), "who leaves does not");
	end();
}

static void unknown_changes(void)
{
	begin(1, true);
	place();
	struct sim_conn *c = sim_client();
	say(c, AS_ACME, "subscriptions/listen", "", "\"notifications\":{\"toolsListChanged\":true},");
	ok(says(heard(c), "acknowledged"), "one listens");
	odd.fresh = "nothere";
	ok(says(call(AS_ACME, "nothere"), "Unknown tool: nothere"), "a new tool is not known at once");
	char text[300];
	struct question *q = &asked[0];
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{"
	    "\"io.modelcontextprotocol/subscriptionId\":%llu}}}", (unsigned long long)q->id);
	events(&sim.conn[q->on - sim.conn], text);
	settle();
	ok(says(call(AS_ACME, "nothere"), "done by 0"), "unless the upstream says that its tools are others");
	ok(says(call(AS_ACME, "secret1"), "Unknown tool: secret1") && says(call(AS_BOLT, "secret1"), "Unknown tool: secret1"), "and what is no more is no more");
	end();

	begin(1, true);
	odd.endless = true;
	place();
	ok(f->up[0].catalog->names_cut[CATALOG_TOOL] && f->up[0].catalog->names_cut[CATALOG_PROMPT], "of a list without an end only the first pages are known");
	ok(says(call(AS_ACME, "nowhere"), "no 0") && says(call(AS_ACME, "open"), "done by 0"), "then what is not known may be there");
	nasked = 0;
	ok(says(call(AS_ACME, "secret1"), "Unknown tool: secret1") && nasked == 0, "and what is refused is refused");
	end();

	begin(1, true);
	odd.no_prompts = true;
	place();
	ok(same("tools/call", NAMED, "", "secret1", "nowhere", "an upstream that does not tell its prompts"), "  tells its tools");
	ok(says(ask(AS_ACME, "prompts/get", "nowhere", "\"name\":\"nowhere\","), "no 0") && says(ask(AS_ACME, "prompts/get", "secret", "\"name\":\"secret\","), "Unknown prompt"), "its prompts are its own");
	odd.no_prompts = false;
	pass_time(5100);
	(void)call(AS_ACME, "open");
	ok(same("prompts/get", NAMED, "", "secret1", "nowhere", "until it does"), "  then they are alike");
	odd.no_prompts = true;
	pass_time(60000);
	(void)call(AS_ACME, "nothere");
	ok(same("prompts/get", NAMED, "", "secret1", "nowhere", "what it does not tell again is what it was"), "  alike");
	end();

	begin(1, true);
	odd.no_discover = true;
	place();
	const char *a = call(AS_ACME, "secret1");
	snprintf(text, sizeof text, "%s", a);
	ok(is_status(a, 503) && says(a, "Upstream \\\"a\\\" could not be asked what it offers: does not speak MCP 2026-07-28\"") && says(a, "Retry-After"), "an upstream of which nothing is known");
	is_str(call(AS_ACME, "nowhere"), text, "  is as far away for one name as for another");
	is_str(call(AS_ACME, "open"), text, "  whatever it is");
	odd.no_discover = false;
	pass_time(1100);
	ok(says(call(AS_ACME, "open"), "done by 0"), "  and is asked again");
	end();

	/* Who may have everything hears the upstream itself, and then nothing is looked at that is not needed. */
	static const struct policy_rule all[] = { { .allow = true, .pattern = { "*", 1 } } };
	begin(1, true);
	set.policy = (struct policy){ all, 1 };
	place();
	ok(!f->up[0].names && f->up[0].catalog->nnames[CATALOG_TOOL] == 0, "where all is allowed, no name is kept");
	ok(says(call(AS_ACME, "nowhere"), "no 0") && says(read_uri(AS_ACME, "x://nowhere"), "no 0") && says(read_uri(AS_ACME, "x://nowold"), "-32002"), "and the upstream's words are passed on");
	end();
	static const struct policy_rule some[] = { { .allow = true, .pattern = { "*", 1 }, .tenants = 1 << BOLT }, { .allow = true, .pattern = { "open", 4 } } };
	begin(1, true);
	set.policy = (struct policy){ some, 2 };
	place();
	ok(says(call(AS_BOLT, "nowhere"), "no 0") && says(read_uri(AS_BOLT, "x://nowhere"), "no 0"), "who may have everything while another may not");
	ok(same("tools/call", NAMED, "", "secret1", "nowhere", "that other"), "  hears us");
	end();
	begin(1, true);
	set.servers[0].credential = set.servers[0].exchange = true;
	place();
	make_keys("k1");
	flow_keys(f, 0, &key_set);
	ok(says(call(token("k1", "read", 3600), "nowhere"), "no 0") && !f->up[0].names, "what an upstream has for its caller alone, only it can say");
	end();
}

static void lists(bool plain)
{
	static const struct { const char *method, *open, *empty; } kinds[] = {
		{ "tools/list", "open\"", "\"tools\":[]" }, { "prompts/list", "open\"", "\"prompts\":[]" },
		{ "resources/list", "x://open\"", "\"resources\":[]" }, { "resources/templates/list", "x://open/{a}\"", "\"resourceTemplates\":[]" },
	};
	begin(plain ? 1 : 2, plain);
	place();
	for (unsigned i = 0; i < 4; i++) {
		const char *a = ask(AS_ACME, kinds[i].method, "", "");
		ok(is_status(a, 200) && says(a, kinds[i].open) && !says(a, "secret1") && !says(a, "secret2") && !says(a, "ecret3") && !says(a, "secret4") &&
		    !says(a, "\"name\":\"secret\"") && !says(a, "x:\\/\\/secret") && !says(a, "x://secret") && !says(a, "no uri") && !says(a, "scoped"), kinds[i].method);
		ok(says(a, "\"cacheScope\":\"private\"") && !says(a, "public"), "  is nobody else's");
		ok(!says(a, "nextCursor"), "  and leads to no server that this caller has not");
		struct json j;
		size_t where;
		const char *body = body_of(a);
		ok(json_read(&j, f->table, span_z(body), &where) == JSON_OK, "  and is JSON");
		nasked = 0;
		a = ask(AS_BOLT, kinds[i].method, "", "");
		ok(times(a, kinds[i].open) == (plain ? 1 : 2) && says(a, "ecret") && !says(a, "nextCursor") && nasked == (plain ? 1 : 2) &&
		    says(a, "\"cacheScope\":\"private\""), "  another sees all there is, of all servers, and that is its own too");
		if (!plain) {
			char params[900], cursor[600];
			odd.endless = true;
			a = ask(AS_BOLT, kinds[i].method, "", "");
			odd.endless = false;
			const char *c = strstr(a, "\"nextCursor\":\"");
			copy(cursor, sizeof cursor, c ? c + 14 : NULL, "\"");
			snprintf(params, sizeof params, "\"cursor\":\"%s\",", cursor);
			nasked = 0;
			ok(times(ask(AS_BOLT, kinds[i].method, "", params), kinds[i].open) == 2 && nasked == 2, "  its next page is the rest of the first server's and the other's");
			nasked = 0;
			ok(says(ask(AS_ACME, kinds[i].method, "", params), "-32602") && nasked == 0, "  and no way in for the first");
		}
	}
	/* A page of nothing but what is hidden is an empty page. */
	static const struct policy_rule narrow[] = { { .allow = true, .pattern = { "*none", 5 } } };
	set.policy = (struct policy){ narrow, 1 };
	for (unsigned i = 0; i < 4; i++)
		ok(says(ask(AS_ACME, kinds[i].method, "", ""), kinds[i].empty), "  an empty page");
	end();
	static const struct policy_rule all[] = { { .allow = true, .pattern = { "*", 1 } } };
	begin(1, true);
	set.policy = (struct policy){ all, 1 };
	place();
	ok(says(ask(AS_ACME, "tools/list", "", ""), "\"cacheScope\":\"public\"") && says(read_uri(AS_ACME, "x://a"), "\"cacheScope\":\"public\""), "what is the same for all may be kept for all");
	end();
	begin(1, true);
	place();
	ok(says(read_uri(AS_BOLT, "x://secret"), "\"cacheScope\":\"private\""), "a resource that is not for all may not");
	end();
}

static void scoped(void)
{
	begin(2, false);
	place();
	make_keys("k1");
	flow_keys(f, 0, &key_set);
	nasked = 0;
	struct sim_conn *c = sim_client();
	char fields[1600];
	snprintf(fields, sizeof fields, "Origin: https://app.example\r\n%s", token("k1", "read", 3600));
	say(c, fields, "tools/call", "a__scoped", "\"name\":\"a__scoped\",\"arguments\":{},");
	const char *a = heard(c);
	ok(is_status(a, 403) && times(a, "WWW-Authenticate:") == 1 && says(a, "error=\"insufficient_scope\"") && says(a, "scope=\"read write\"") &&
	    says(a, "resource_metadata=\"" METADATA "\"") && says(a, "\"id\":7,\"error\"") && says(a, "Access-Control-Allow-Origin: https://app.example"), "too few scopes: all that are needed are named");
	is_int(nasked, 0, "before anything is sent");
	say(c, token("k1", "write read", 3600), "tools/call", "a__scoped", "\"name\":\"a__scoped\",\"arguments\":{},");
	ok(says(heard(c), "done by 0"), "with them, on the same connection");
	ok(says(call(AS_ACME, "a__scoped"), "Unknown tool: a__scoped"), "who has no scopes at all is not asked for them");
	a = ask(token("k1", "", 3600), "tools/list", "", "");
	ok(says(a, "a__scoped") && says(a, "a__open") && !says(a, "secret"), "what more scopes would open is listed");
	ok(!says(ask(AS_ACME, "tools/list", "", ""), "scoped"), "what nothing opens is not");
	ok(is_status(read_uri(token("k1", "read", 3600), "x://scoped"), 403), "a resource");
	ok(is_status(ask(token("k1", "read", 3600), "subscriptions/listen", "", "\"notifications\":{\"resourceSubscriptions\":[\"x://open\",\"x://scoped\"]},"), 403), "a subscription");
	is_int((intmax_t)metrics.v[METRIC_SCOPE_CHALLENGES], 3, "challenges are counted");
	is_int((intmax_t)metrics.v[METRIC_AUTH_TOKEN], 5, "and callers with tokens");
	static const struct policy_rule first_scoped[] = { { .allow = true, .pattern = { "a__*", 4 }, .scopes = 2 }, { .allow = true, .pattern = { "*", 1 } } };
	set.policy = (struct policy){ first_scoped, 2 };
	nasked = 0;
	ok(says(read_uri(token("k1", "", 3600), "x://open"), "done by 1") && nasked == 1, "of several upstreams, one that needs no more is asked");
	nasked = 0;
	a = read_uri(token("k1", "", 3600), "x://nowhere");
	ok(is_status(a, 403) && says(a, "scope=\"write\"") && nasked == 1, "and if it knows nothing, more may help");
	ok(says(read_uri(token("k1", "write", 3600), "x://nowhere"), "no 1") && nasked == 3, "or not");
	end();
}

/* ---- what others do for us ---- */

static void late_keys(void)
{
	begin(1, true);
	make_keys("k1");
	place();
	struct sim_conn *a = sim_client(), *b = sim_client();
	char old[1400];
	snprintf(old, sizeof old, "%s", token("k1", "read", 3600));
	say(a, old, "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	say(b, token("k1", "", 3600), "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	ok(a->got.n == 0 && b->got.n == 0 && nkeys_asked == 1, "two wait for keys, which are asked for once");
	pass_time(1000);
	flow_keys(f, 0, &key_set);
	settle();
	ok(says(heard(a), "done by 0"), "they came: one goes on");
	ok(says(heard(b), "done by 0"), "and the other");
	ok(is_status(ask(token("k2", "", 3600), "tools/list", "", ""), 401) && nkeys_asked == 1, "an unknown key is not asked for again at once");
	pass_time(1100);
	say(a, token("k2", "", 3600), "tools/list", "", "");
	is_int(nkeys_asked, 2, "but after a while");
	flow_keys(f, 0, NULL);
	settle();
	ok(is_status(heard(a), 401), "it was not to be had: 401");
	pass_time(1100);
	a = sim_client();
	say(a, token("k2", "", 3600), "tools/list", "", "");
	make_keys("k2");
	flow_keys(f, 0, &key_set);
	settle();
	ok(is_status(heard(a), 200), "keys may change");
	ok(is_status(ask(token("k2", "", 3600), "tools/list", "", ""), 200), "the new one counts");
	pass_time(1100);
	hooks_say = false;
	ok(is_status(ask(old, "tools/list", "", ""), 401), "what an old one has signed was not only remembered");
	ok(is_status(ask(token("k1", "", 3600), "tools/list", "", ""), 401), "the old one does not any more, and nobody to ask is no way round it");
	static const struct jwk_set dropped;
	flow_keys(f, 0, &dropped);
	pass_time(1100);
	ok(is_status(ask(token("k2", "", 3600), "tools/list", "", ""), 503), "keys that grew too old are no keys: nobody can tell, 503");
	end();

	begin(1, true);
	place();
	hooks_say = false;
	const char *t = ask(token("k1", "", 3600), "tools/list", "", "");
	ok(is_status(t, 503) && says(t, "Retry-After: 1") && !says(t, "WWW-Authenticate"), "keys that could never be had: 503");
	hooks_say = true;
	a = sim_client();
	say(a, token("k1", "", 3600), "tools/list", "", "");
	ok(a->got.n == 0, "one waits");
	pass_time(5200);
	ok(is_status(heard(a), 503), "for a bounded time");
	struct sim_conn *many[3];
	for (unsigned i = 0; i < 3; i++)
		say(many[i] = sim_client(), token("k1", "", 3600), "tools/list", "", "");
	ok(many[0]->got.n == 0 && many[1]->got.n == 0 && is_status(heard(many[2]), 503), "nobodies never hold all requests");
	ok(is_status(ask(AS_ACME, "tools/list", "", ""), 200), "somebody is served meanwhile");
	sim_reset(many[0]);
	settle();
	is_int(f->auth_waits, 1, "who goes does not wait any more");
	end();
}

#define ACTIVE(exp) "{\"active\":true,\"iss\":\"https://opaque.example\",\"aud\":\"" RESOURCE "\",\"sub\":\"u\",\"client_id\":\"c\",\"scope\":\"read\",\"exp\":" exp "}"

static const char *active(int64_t lives_s)
{
	static char text[400];
	snprintf(text, sizeof text, ACTIVE("%lld"), (long long)((UNIX_MS + clock_ms + sim.now_ms) / 1000 + lives_s));
	return text;
}

static void introspected(void)
{
	begin(1, true);
	place();
	struct sim_conn *c = sim_client();
	say(c, "Authorization: Bearer opaque\r\n", "tools/list", "", "");
	ok(c->got.n == 0 && nintrospections == 1, "an opaque token waits for its issuer");
	uint64_t first = introspection;
	pass_time(500);
	flow_introspected(f, first, span_z(active(3600)));
	flow_introspected(f, first, SPAN("{\"active\":false}"));
	settle();
	ok(is_status(heard(c), 200), "which knows it, and answers once");
	ok(is_status(ask("Authorization: Bearer opaque\r\n", "tools/list", "", ""), 200) && nintrospections == 1, "for a while it is not asked again");
	say(c, "Authorization: Bearer gone\r\n", "tools/list", "", "");
	flow_introspected(f, first, span_z(active(3600)));
	settle();
	ok(c->got.n == 0, "an old answer is nobody's");
	flow_introspected(f, introspection, SPAN("{\"active\":false}"));
	settle();
	ok(is_status(heard(c), 401), "a token that is not active");
	c = sim_client();
	say(c, "Authorization: Bearer third\r\n", "tools/list", "", "");
	flow_introspected(f, introspection, span_of(NULL, 0));
	settle();
	const char *a = heard(c);
	ok(is_status(a, 503) && says(a, "Retry-After"), "no answer says nothing about it: 503");
	c = sim_client();
	say(c, "Authorization: Bearer fourth\r\n", "tools/list", "", "");
	pass_time(5200);
	ok(is_status(heard(c), 503), "nor does one that is late");
	flow_introspected(f, introspection, span_z(active(3600)));
	flow_introspected(f, UINT64_MAX, span_z(active(3600)));
	settle();
	ok(c->got.n == 0, "and then it is too late");
	hooks_say = false;
	ok(is_status(ask("Authorization: Bearer fifth\r\n", "tools/list", "", ""), 503), "nobody to ask");
	ok(metrics.v[METRIC_AUTH_UNAVAILABLE] == 3 && metrics.v[METRIC_AUTH_REFUSED_REVOKED] == 1, "counted");
	end();
}

static bool in_memory(const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i + n <= need; i++)
		if (area[i] == text[0] && memcmp(area + i, text, n) == 0)
			return true;
	return false;
}

static void credentials(void)
{
	begin(1, true);
	set.servers[0].credential = true;
	set.links = 2;
	place();
	ok(tokens[0].tenant == FLOW_NO_TENANT && strcmp(tokens[0].subject, "-") == 0, "the catalogue asks on nobody's account");
	ok(says(call(AS_ACME, "open"), "done by 0") && strcmp(asked[0].credential, "Bearer cred-0") == 0, "a call bears the credential of its tenant");
	ok(says(call(AS_BOLT, "open"), "done by 0") && strcmp(asked[1].credential, "Bearer cred-1") == 0 && asked[0].on != asked[1].on, "another's its own, on a connection of its own");
	ok(says(call(AS_ACME, "open"), "done by 0") && says(call(AS_BOLT, "open"), "done by 0"), "however few there may be");
	is_str(tokens[1].subject, "-", "a caller's key goes nowhere");
	nasked = 0;
	refuse_credentials = 1;
	ok(says(call(AS_ACME, "open"), "done by 0") && tokens[ntokens - 1].again && strcmp(asked[1].credential, "Bearer cred-0-again") == 0, "refused, another is got, once");
	ok(strcmp(asked[0].text, asked[1].text) == 0 && strcmp(asked[0].credential, "Bearer cred-0") == 0, "  for the same question");
	refuse_credentials = 2;
	const char *a = call(AS_ACME, "open");
	ok(is_status(a, 502) && says(a, "answered with HTTP status 401") && !says(a, "evil") && !says(a, "WWW-Authenticate"), "twice is enough, and its challenge is not passed on");
	refuse_credentials = 0;
	hooks_say = false;
	a = call(AS_ACME, "open");
	ok(is_status(a, 502) && says(a, "Upstream \\\"a\\\" cannot be asked: no credential for it is to be had"), "none is to be had");
	hooks_say = true;
	give_at_once = false;
	struct sim_conn *c = sim_client();
	nasked = 0;
	say(c, AS_ACME, "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	ok(c->got.n == 0 && nasked == 0, "a call waits for it");
	pass_time(1000);
	flow_credential(f, tokens[ntokens - 1].call + 1, SPAN("Authorization: Bearer other"));
	flow_credential(f, tokens[ntokens - 1].call, SPAN("Authorization: Bearer a-late-secret-one"));
	settle();
	ok(says(heard(c), "done by 0") && strcmp(asked[0].credential, "Bearer a-late-secret-one") == 0, "and goes on with it");
	ok(!in_memory("a-late-secret-one"), "of which nothing is left");
	refuse_credentials = 1;
	say(c, AS_ACME, "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	flow_credential(f, tokens[ntokens - 1].call, SPAN("Authorization: Bearer a-refused-secret-longer-than-the-line-before-it"));
	settle();
	ok(c->got.n == 0 && tokens[ntokens - 1].again && !in_memory("a-refused-secret"), "nor of one that was refused, while another is got");
	flow_credential(f, tokens[ntokens - 1].call, SPAN("Authorization: Bearer next"));
	settle();
	ok(says(heard(c), "done by 0") && strcmp(asked[nasked - 1].credential, "Bearer next") == 0, "which is then sent alone");
	nasked = 1;
	say(c, AS_ACME, "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	pass_time(2100);
	a = heard(c);
	ok(is_status(a, 502) && says(a, "its credential did not come in time"), "not for ever");
	flow_credential(f, tokens[ntokens - 1].call, SPAN("Authorization: Bearer x"));
	settle();
	is_int(nasked, 1, "and then it is too late");
	static const char *const broken[] = { "Authorization: Bearer x\r\nHost: evil", "no field", ": x", "A b: x", "" };
	for (unsigned i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		say(c, AS_ACME, "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
		flow_credential(f, tokens[ntokens - 1].call, span_z(broken[i]));
		settle();
		ok(is_status(heard(c), 502), "a line that is no head line is not sent");
	}
	say(c, AS_ACME, "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	flow_credential(f, tokens[ntokens - 1].call, span_of(NULL, 0));
	settle();
	ok(is_status(heard(c), 502) && nasked == 1, "nor is one without");
	say(c, AS_ACME, "tools/call", "open", "\"name\":\"open\",\"arguments\":{},");
	sim_reset(c);
	settle();
	is_int(f->legs.used, 0, "who leaves does not wait");
	ok(metrics.v[METRIC_UPSTREAM_FAULT_CREDENTIAL] == 8, "faults are counted");
	end();

	begin(1, true);
	set.servers[0].credential = set.servers[0].exchange = true;
	place();
	make_keys("k1");
	flow_keys(f, 0, &key_set);
	char fields[1400];
	snprintf(fields, sizeof fields, "%s", token("k1", "read", 3600));
	ok(says(call(fields, "open"), "done by 0"), "a call in the caller's name");
	ok(strlen(tokens[ntokens - 1].subject) > 100 && strncmp(fields + 22, tokens[ntokens - 1].subject, strlen(tokens[ntokens - 1].subject)) == 0, "is asked for with the caller's token");
	is_str(asked[0].credential, "Bearer cred-0", "which is not what goes upstream");
	is_str(tokens[0].subject, "-", "the catalogue's is not");
	unsigned before = ntokens;
	a = call(AS_ACME, "open");
	ok(is_status(a, 502) && says(a, "must come with an access token") && ntokens == before, "who has none is told");
	end();
}

/* ---- streams ---- */

static void listening(bool plain)
{
	begin(plain ? 1 : 2, plain);
	place();
	struct sim_conn *c = sim_client();
	say(c, AS_ACME, "subscriptions/listen", "", "\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"x://open\",\"x:\\/\\/secret\"]},");
	ok(nasked == 1 && asked[0].server == 0 && says(asked[0].text, "x://open") && !says(asked[0].text, "secret") && says(asked[0].text, "toolsListChanged"),
	    plain ? "plain: what may not be read is not subscribed to" : "what may not be read is not subscribed to, and a server that is not there not asked");
	const char *a = heard(c);
	ok(says(a, "acknowledged") && says(a, "x://open") && !says(a, "secret"), "nor acknowledged");
	updated(&asked[0], "x://secret");
	updated(&asked[0], "x://open");
	settle();
	a = heard(c);
	ok(says(a, "x://open") && !says(a, "secret"), "nor told of");
	struct sim_conn *d = sim_client();
	nasked = 0;
	say(d, AS_BOLT, "subscriptions/listen", "", "\"notifications\":{\"resourceSubscriptions\":[\"x://open\",\"x://secret\"]},");
	ok(nasked == set.nservers && says(asked[0].text, "x://secret") && says(heard(d), "secret"), "to another it is");
	updated(&asked[0], "x://secret");
	settle();
	ok(says(heard(d), "x://secret"), "and that is told");
	set.policy.nrules = 0;
	nasked = 0;
	struct sim_conn *e = sim_client();
	say(e, AS_ACME, "subscriptions/listen", "", "\"notifications\":{\"toolsListChanged\":true},");
	ok(nasked == 0 && says(heard(e), "\"notifications\":{}"), "where nothing is to be seen, nothing is promised");
	end();
}

static void expiry(void)
{
	begin(1, true);
	place();
	struct sim_conn *c = sim_client(), *d = sim_client();
	say(c, "Authorization: Bearer opaque\r\n", "subscriptions/listen", "", "\"notifications\":{\"toolsListChanged\":true},");
	flow_introspected(f, introspection, span_z(active(30)));
	say(d, AS_ACME, "subscriptions/listen", "", "\"notifications\":{\"toolsListChanged\":true},");
	ok(says(heard(c), "acknowledged") && says(heard(d), "acknowledged"), "two listen, one of them with a token of 30 seconds");
	pass_time(28900);
	ok(!says(heard(c), "\"result\""), "before its end it is heard");
	pass_time(2000);
	const char *a = heard(c);
	ok(says(a, "\"id\":7,\"result\":{\"resultType\":\"complete\"") && says(a, "\r\n0\r\n\r\n"), "a second after, the stream has ended as it should");
	ok(is_status(ask("Authorization: Bearer opaque\r\n", "tools/list", "", ""), 503) || nintrospections == 2, "and the token is not known any more");
	ok(!says(heard(d), "\"result\"") && f->listens == 1, "who has no end listens on");
	struct sim_conn *e = sim_client();
	say(e, "Authorization: Bearer other\r\n", "subscriptions/listen", "", "\"notifications\":{\"toolsListChanged\":true},");
	flow_introspected(f, introspection, span_z(active(200)));
	settle();
	clock_ms += 3600000; /* the clock is set */
	pass_time(10100);
	ok(says(heard(e), "\"result\""), "however that comes about");
	end();
}

int main(void)
{
	make_keys("k1");
	callers();
	certificates();
	documents();
	names();
	unknown_names(false, FLOW_HTTP);
	unknown_names(true, FLOW_HTTP);
	unknown_names(false, FLOW_BUILTIN);
	unknown_names(true, FLOW_BUILTIN);
	unknown_names(false, FLOW_LINE);
	unknown_names(true, FLOW_LINE);
	unknown_changes();
	lists(false);
	lists(true);
	scoped();
	late_keys();
	introspected();
	credentials();
	listening(false);
	listening(true);
	expiry();
	free(area);
	return done_testing();
}
