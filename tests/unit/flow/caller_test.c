/* What a worker and a process that speaks for an upstream say to each other besides MCP: who calls, and whose a log message is. */
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "tap.h"
#include "unit/flow/sim.h"

#define KEY_ACME "postern_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_BOLT "postern_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
#define UNIX_MS INT64_C(1900000000000)
#define META(more) "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}" more "}"
#define LEVEL ",\"io.modelcontextprotocol/logLevel\":\"info\""

enum { LINE = 7 };

static struct flow_settings set;
static struct loop loop;
static struct metrics metrics;
static struct flow *f;
static char *area;
static struct sim_conn *line;
static struct auth_key keys[2];
static const struct span tenants[] = { { "acme", 4 }, { "bolt", 4 } };
static const struct policy_rule rules[] = { { .allow = true, .pattern = { "*", 1 } } };
static char got[20000];

static int64_t unix_ms(void *ctx) { (void)ctx; return UNIX_MS + sim.now_ms; }

static int tick(void) { return flow_tick(f); }
static void settle(void) { sim_settle(&loop, NULL, tick); }

static const char *heard(struct sim_conn *c)
{
	settle();
	snprintf(got, sizeof got, "%.*s", (int)c->got.n, c->got.n ? c->got.p : "");
	if (c->got.n > 0)
		sim_took(c, c->got.n);
	return got;
}

static void line_say(const char *text)
{
	sim_say(line, text, strlen(text));
	sim_say(line, "\n", 1);
	settle();
}

/* The number behind "id": in what the line was asked last. */
static unsigned long long asked_id(const char *text)
{
	const char *at = strstr(text, "\"id\":");
	return at ? strtoull(at + 5, NULL, 10) : 0;
}

static void answer(const char *question, const char *result)
{
	char text[2000];
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{%s}}", asked_id(question), result);
	line_say(text);
}

static struct sim_conn *post(const char *key, const char *body)
{
	struct sim_conn *c = sim_client();
	char head[2000];
	int n = snprintf(head, sizeof head, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n%sAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
	    strstr(body, "listen") ? "subscriptions/listen" : "tools/call", strstr(body, "listen") ? "" : "Mcp-Name: t\r\n", key, strlen(body));
	sim_say(c, head, (size_t)n);
	sim_say(c, body, strlen(body));
	settle();
	return c;
}

/* A worker with one server of this kind, whose catalogue is known; what it was asked first is in `got`. */
static void begin(enum flow_kind kind)
{
	size_t need;

	sim_begin(1, false);
	crypto_sha256(KEY_ACME, sizeof KEY_ACME - 1, keys[0].sha256);
	crypto_sha256(KEY_BOLT, sizeof KEY_BOLT - 1, keys[1].sha256);
	keys[0].id = SPAN("k0");
	keys[1].id = SPAN("k1");
	keys[1].tenant = 1;
	set = (struct flow_settings){ .nlisteners = 1, .nservers = 1, .plain = true, .version = SPAN("0"), .connections = 32, .requests = 8, .listens = 4,
		.large = 4, .tokens = 4096, .links = 4, .body_max = 100000, .reply_max = 100000, .head_ms = 20000, .body_ms = 30000, .idle_ms = 600000,
		.write_ms = 30000, .keepalive_ms = 15000, .metrics = &metrics, .known_tokens = 16,
		.auth = { .tenants = { tenants, 2 }, .keys = keys, .nkeys = 2 }, .policy = { rules, 1 }, .hooks = { .unix_ms = unix_ms } };
	memset(set.seed, 7, sizeof set.seed);
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 } };
	set.servers[0] = (struct flow_server){ .name = SPAN("s"), .kind = kind, .connect_ms = 1000, .idle_ms = 60000, .call_ms = 60000 };
	need = flow_need(&set);
	free(area);
	area = aligned_alloc(64, (need + 63) & ~(size_t)63);
	if (!area)
		abort();
	memset(area, 0, need);
	loop.now_ms = sim.now_ms;
	f = flow_place(area, &set, &loop);
	if (!flow_open(f))
		abort();
	flow_link(f, 0, sim_pair(LINE, &line));
}

static void discovered(void)
{
	for (int i = 0; i < 6 && line->got.n > 0; i++) {
		const char *m = heard(line);
		answer(m, strstr(m, "discover") ? "\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}},"
		    "\"ttlMs\":3600000,\"cacheScope\":\"private\"" : "\"resultType\":\"complete\",\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"}}],\"ttlMs\":3600000,\"cacheScope\":\"private\"");
	}
}

static void caller_of(const char *question, char to[80])
{
	const char *at = strstr(question, "\"postern/principal\":\"");
	to[0] = 0;
	if (at)
		sscanf(at + 21, "%79[0-9a-f]", to);
}

#define CALL(more) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"," META(more) "}}"

int main(void)
{
	char acme[80], again[80], bolt[80], text[500];
	struct sim_conn *a, *b;
	unsigned long long id_a, id_b;
	const char *m;

	begin(FLOW_LINE);
	settle();
	m = heard(line);
	ok(strstr(m, "server/discover") && !strstr(m, "postern/principal"), "what a worker asks on its own account names nobody");
	answer(m, "\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true},\"logging\":{}},\"ttlMs\":3600000,\"cacheScope\":\"private\"");
	discovered();
	a = post(KEY_ACME, CALL(LEVEL ",\"postern/principal\":\"00\",\"postern/x\":1"));
	m = heard(line);
	id_a = asked_id(m);
	caller_of(m, acme);
	ok(strlen(acme) == 64 && !strstr(m, "\"00\"") && !strstr(m, "postern/x"), "a call names its caller, whatever the caller says");
	ok(strstr(m, "\"params\":{\"name\":\"t\",\"_meta\":{\"postern/principal\":\"") != NULL, "in its _meta");
	b = post(KEY_BOLT, CALL(LEVEL));
	m = heard(line);
	id_b = asked_id(m);
	caller_of(m, bolt);
	ok(strlen(bolt) == 64 && strcmp(acme, bolt) != 0, "each its own");
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"for b\",\"_meta\":{\"postern/call\":%llu,\"com.example/x\":1}}}", id_b);
	line_say(text);
	line_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"for nobody\"}}");
	line_say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"for nobody\",\"_meta\":{\"postern/call\":77}}}");
	m = heard(b);
	ok(strstr(m, "for b") && !strstr(m, "for nobody") && !strstr(m, "postern/"), "a log message goes to the call it names, which does not see the name");
	ok(!strstr(heard(a), "for"), "and to no other");
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",\"content\":[],\"_meta\":{\"postern/call\":1}}}", id_a);
	line_say(text);
	m = heard(a);
	ok(strstr(m, "\"content\":[]") && !strstr(m, "postern/"), "nothing of it is in an answer");
	(void)post(KEY_ACME, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{\"toolsListChanged\":true}," META("") "}}");
	caller_of(heard(line), again);
	ok(strcmp(acme, again) == 0, "a subscription names its caller too, and it is the same every time");
	sim_end();

	begin(FLOW_BUILTIN);
	settle();
	discovered();
	a = post(KEY_ACME, CALL(LEVEL));
	m = heard(line);
	ok(strstr(m, "tools/call") && !strstr(m, "postern/"), "a server of our own need not know");
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"x\",\"_meta\":{\"postern/call\":%llu}}}", asked_id(m));
	line_say(text);
	ok(!strstr(heard(a), "\"x\""), "and is not believed");
	sim_end();
	free(area);
	return done_testing();
}
