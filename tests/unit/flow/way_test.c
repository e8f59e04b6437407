/* Which way a server at a url is asked (flow/way.c): directly, or over the line of its bridge, by what it says to server/discover; and later looks. */
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "tap.h"
#include "unit/flow/sim.h"

static struct flow_settings set;
static struct loop loop;
static struct metrics metrics;
static struct flow *f;
static char *area;
static struct sim_conn *line;

/* The url: what it says to server/discover, behind its id; status 0: it closes without a word. And to all else: a result. */
static unsigned status;
static const char *media, *says;
static unsigned refusals;          /* so many are answered so, then as a modern one does */
static bool silent;                /* it does not answer discover */
static unsigned direct, bridged, direct_calls, bridged_calls;
static const char *line_fails;     /* the bridge answers discover with this error */
static char logged[4000];

#define DISCOVERED "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{},\"prompts\":{}},\"ttlMs\":100000,\"cacheScope\":\"public\"}"

static void log_line(struct span text)
{
	size_t n = strlen(logged);

	snprintf(logged + n, sizeof logged - n, "%.*s\n", (int)text.n, text.p);
}

static bool has(const char *text) { return strstr(logged, text) != NULL; }

static unsigned long long id_of(const char *text)
{
	const char *id = strstr(text, "\"id\":");

	return id ? strtoull(id + 5, NULL, 10) : 0;
}

static const char *usual(const char *text)
{
	return strstr(text, "server/discover") ? DISCOVERED : strstr(text, "tools/list") ? "\"result\":{\"resultType\":\"complete\",\"tools\":[],\"ttlMs\":0,\"cacheScope\":\"public\"}" :
		"\"result\":{\"resultType\":\"complete\",\"messages\":[],\"content\":[]}";
}

static bool line_act(void)
{
	char text[4000], body[1000];
	const char *nl = line->got.n ? memchr(line->got.p, '\n', line->got.n) : NULL;

	if (!nl || line->gate_closed)
		return false;
	snprintf(text, sizeof text, "%.*s", (int)(nl - line->got.p), line->got.p);
	sim_took(line, (size_t)(nl - line->got.p) + 1);
	bridged += strstr(text, "server/discover") != NULL;
	bridged_calls += strstr(text, "prompts/get") != NULL;
	int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}\n", id_of(text),
		line_fails && strstr(text, "server/discover") ? line_fails : usual(text));
	sim_say(line, body, (size_t)n);
	return true;
}

static bool url_act(struct sim_conn *c)
{
	char text[8000], body[1000], head[300];
	const char *end;
	bool discover;

	snprintf(text, sizeof text, "%.*s", (int)c->got.n, c->got.n ? c->got.p : "");
	end = strstr(text, "\r\n\r\n");
	if (!end || c->gate_closed || !strchr(end, '}'))
		return false;
	sim_took(c, c->got.n);
	discover = strstr(text, "server/discover") != NULL;
	direct += discover;
	direct_calls += strstr(text, "prompts/get") != NULL;
	if (discover && silent)
		return true;
	bool odd = discover && says && refusals > 0;
	if (odd && refusals < 1000)
		refusals--;
	if (odd && status == 0) {
		sim_close(c);
		return true;
	}
	const char *at = odd ? strstr(says, "ID") : NULL;
	int n = odd ? snprintf(body, sizeof body, "%.*s%.0llu%s", at ? (int)(at - says) : (int)strlen(says), says, at ? id_of(end) : 0, at ? at + 2 : "") : snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}", id_of(end), usual(end));
	int h = snprintf(head, sizeof head, "HTTP/1.1 %u X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", odd ? status : 200, odd ? media : "application/json", n);
	sim_say(c, head, (size_t)h);
	sim_say(c, body, (size_t)n);
	return true;
}

static bool act(void)
{
	bool did = line_act() | sim_connect_all();

	for (unsigned k = 0; k < sim.top; k++) {
		struct sim_conn *c = &sim.conn[k];

		if (c->used && c->port && !c->gate_closed && !c->reset)
			did |= url_act(c);
	}
	return did;
}

static int tick(void) { return flow_tick(f); }
static void settle(void) { sim_settle(&loop, act, tick); }
static void pass_time(int64_t ms) { sim_pass_time(ms, 100, settle); }

static void begin(enum flow_era era)
{
	static const struct policy_rule all[] = { { .allow = true, .pattern = { "*", 1 } } };
	static const struct span tenants[] = { { "acme", 4 } };
	static struct sim_conn nobody;

	sim_begin(1, false);
	memset(&metrics, 0, sizeof metrics);
	direct = bridged = direct_calls = bridged_calls = 0;
	silent = false;
	line_fails = NULL;
	logged[0] = 0;
	set = (struct flow_settings){ .nlisteners = 1, .nservers = 1, .plain = true, .version = SPAN("0"), .connections = 8, .requests = 4, .listens = 2,
		.large = 2, .tokens = 4096, .links = 4, .body_max = 50000, .reply_max = 50000, .head_ms = 20000, .body_ms = 30000, .idle_ms = 600000, .name_max = 128,
		.write_ms = 30000, .keepalive_ms = 15000, .metrics = &metrics, .known_tokens = 16, .log = log_line,
		.auth = { .tenants = { tenants, 1 }, .anonymous = true }, .policy = { all, 1 } };
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 } };
	set.servers[0] = (struct flow_server){ .name = SPAN("old"), .kind = FLOW_HTTP, .era = era, .host = SPAN("up"), .path = SPAN("/up"), .fields = SPAN(""),
		.address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 1 }, .connect_ms = 2000, .idle_ms = 10000, .call_ms = 40000 };
	free(area);
	area = aligned_alloc(64, (flow_need(&set) + 63) & ~(size_t)63);
	memset(area, 0, flow_need(&set));
	loop.now_ms = sim.now_ms;
	f = flow_place(area, &set, &loop);
	if (era != FLOW_ERA_MODERN)
		flow_link(f, 0, sim_pair(0, &line));
	else
		line = &nobody;
	if (!flow_open(f))
		abort();
}

static void end(void)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used)
			sim_reset(&sim.conn[i]);
	settle();
	is_int(f->txns.used + f->legs.used + f->links.used + f->small.used + f->large.used + f->fronts.used, 0, "  and nothing is left in use");
	sim_end();
}

/* A client's prompts/get, which does not wait for catalogues by itself. */
static const char *call(void)
{
	static const char body[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"prompts/get\",\"params\":{\"name\":\"p\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
		"\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}}}";
	static char got[4000];
	char head[500];
	struct sim_conn *c = sim_client();
	int h = snprintf(head, sizeof head, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
		"MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: prompts/get\r\nMcp-Name: p\r\nContent-Length: %zu\r\n\r\n", sizeof body - 1);

	sim_say(c, head, (size_t)h);
	sim_say(c, body, sizeof body - 1);
	settle();
	snprintf(got, sizeof got, "%.*s", (int)c->got.n, c->got.n ? c->got.p : "");
	sim_took(c, c->got.n);
	sim_close(c);
	settle();
	return got;
}

#define ERROR(code) "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":" #code ",\"message\":\"no\"}}"
#define JSON "application/json"

/* mcp.md 12.1, and what old servers really say. */
static const struct { unsigned status; const char *media, *says; bool legacy; const char *name; } answers[] = {
	{ 400, JSON, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"Bad Request: Server not initialized\"},\"id\":null}", true, "400, not initialized" },
	{ 400, JSON, "{\"jsonrpc\":\"2.0\",\"id\":\"server-error\",\"error\":{\"code\":-32600,\"message\":\"Bad Request: Missing session ID\"}}", true, "400, no session id" },
	{ 400, JSON, ERROR(-32000), true, "400 and -32000" },
	{ 400, "text/plain", "Invalid session", true, "400 in words" },
	{ 404, "text/html", "<b>", true, "404 in words" },
	{ 405, "text/plain", "", true, "405" },
	{ 406, JSON, "{\"error\":\"not acceptable\"}", true, "406" },
	{ 200, JSON, ERROR(-32601), true, "200 and method not found" },
	{ 200, JSON, ERROR(-32602), true, "200 and another error" },
	{ 200, JSON, "{}", true, "200 and no message" },
	{ 200, "text/html", "<b>", true, "200 and no JSON" },
	{ 200, JSON, "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{}}", true, "200 and a result that is none" },
	{ 400, JSON, "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":[\"2025-11-25\"],\"requested\":\"2026-07-28\"}}}", true,
		"-32022 with older versions only" },
	{ 400, JSON, "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":\"2026-07-28\"}}}", true, "-32022 that lists nothing" },
	{ 400, JSON, ERROR(-32020), false, "-32020" },
	{ 400, JSON, ERROR(-32021), false, "-32021" },
	{ 404, JSON, ERROR(-32601), false, "404 and -32601" },
	{ 401, "text/plain", "", false, "401" },
	{ 403, "text/plain", "", false, "403" },
	{ 429, "text/plain", "", false, "429" },
	{ 500, JSON, ERROR(-32603), false, "500" },
	{ 503, "text/plain", "", false, "503" },
	{ 0, JSON, "", false, "a connection that closes" },
};

static void verdicts(void)
{
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		status = answers[i].status;
		media = answers[i].media;
		says = answers[i].says;
		refusals = 1000;
		begin(FLOW_ERA_AUTO);
		settle();
		ok(f->up[0].bridged == answers[i].legacy && f->up[0].era_known == answers[i].legacy && bridged == answers[i].legacy, answers[i].name);
		if (answers[i].legacy) {
			ok(f->up[0].catalog_state == CATALOG_KNOWN && has("over its bridge"), "  it is asked over its bridge");
			ok(strstr(call(), "\"messages\"") && bridged_calls == 1 && direct_calls == 0, "  and so is a call");
		} else {
			refusals = 0;
			pass_time(1500);
			ok(strstr(call(), "\"messages\"") && direct_calls == 1 && f->up[0].era_known && !f->up[0].bridged, "  when somebody needs it, it is asked again, and then known");
		}
		end();
	}
	says = NULL;
}

static void others(void)
{
	says = NULL;
	begin(FLOW_ERA_AUTO);
	settle();
	ok(f->up[0].era_known && !f->up[0].bridged && direct == 1 && bridged == 0, "one that speaks our revision is asked directly");
	ok(strstr(call(), "\"messages\"") && direct_calls == 1 && bridged_calls == 0, "and so is a call");
	end();
	begin(FLOW_ERA_LEGACY);
	settle();
	ok(strstr(call(), "\"messages\"") && direct == 0 && bridged == 1 && bridged_calls == 1, "one that is said to be old is never asked directly");
	end();
	status = 400;
	media = JSON;
	says = ERROR(-32000);
	refusals = 1000;
	begin(FLOW_ERA_MODERN);
	settle();
	ok(!f->up[0].bridged && direct == 1 && has("does not speak MCP 2026-07-28"), "one that is said to be modern is asked for nothing else");
	end();
	says = "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":[\"2025-11-25\",\"2026-07-28\"]}}}";
	refusals = 1;
	begin(FLOW_ERA_AUTO);
	settle();
	ok(direct == 2 && f->up[0].catalog_state == CATALOG_KNOWN && !f->up[0].bridged, "our version is refused in spite of being listed: it is asked once more");
	end();
	refusals = 1000;
	begin(FLOW_ERA_AUTO);
	settle();
	ok(direct == 3 || bridged == 1, "but not for ever");
	end();
	/* A call that comes before it is known which way waits. */
	says = NULL;
	silent = true;
	begin(FLOW_ERA_AUTO);
	silent = true;
	settle();
	ok(strcmp(call(), "") == 0 && direct_calls + bridged_calls == 0, "a call waits until it is known which way to send it");
	silent = false;
	end();
}

static void later(void)
{
	status = 400;
	media = JSON;
	says = ERROR(-32000);
	refusals = 1000;
	begin(FLOW_ERA_AUTO);
	settle();
	ok(direct == 1 && f->up[0].bridged, "an old server");
	pass_time(FLOW_PROBE_MS - 100000);
	f->up[0].catalog_stale = true;
	(void)catalog_ready(&f->up[0]);
	settle();
	is_int((int)direct, 1, "is not asked directly again soon");
	pass_time(200000);
	f->up[0].catalog_stale = true;
	(void)catalog_ready(&f->up[0]);
	settle();
	ok(direct == 2 && f->up[0].bridged && f->up[0].catalog_state == CATALOG_KNOWN, "after a while it is, and stays what it is");
	says = NULL;
	pass_time(FLOW_PROBE_MS + 1000);
	f->up[0].catalog_stale = true;
	(void)catalog_ready(&f->up[0]);
	settle();
	ok(!f->up[0].bridged && has("is asked directly") && strstr(call(), "\"messages\"") && direct_calls == 1, "one that was upgraded is asked directly from then on");
	sim_close(line);
	settle();
	ok(f->up[0].catalog_state == CATALOG_KNOWN, "the end of its line does not matter any more");
	end();
	/* Its bridge cannot begin: both ways are tried. */
	says = ERROR(-32000);
	begin(FLOW_ERA_AUTO);
	line_fails = "\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" answered \\\"no\\\" \\u0007\"}";
	settle();
	ok(f->up[0].bridged && f->up[0].catalog_state == CATALOG_FAILED && has("\"old\": could not be asked what it offers: answered no \n"), "a bridge that cannot begin: why is said, in letters only");
	says = NULL;
	pass_time(1500);
	(void)catalog_ready(&f->up[0]);
	settle();
	if (!ok(!f->up[0].bridged && f->up[0].catalog_state == CATALOG_KNOWN, "an upstream that was replaced meanwhile is found"))
		diag("state %u, asked directly %u, by its bridge %u: %s", f->up[0].catalog_state, direct, bridged, logged);
	end();
	/* The bridge's process dies with a call on its way. */
	says = ERROR(-32000);
	begin(FLOW_ERA_AUTO);
	settle();
	sim_close(line);
	settle();
	ok(strstr(call(), "HTTP/1.1 502") || strstr(call(), "HTTP/1.1 503"), "without its bridge it cannot be asked");
	flow_link(f, 0, sim_pair(0, &line));
	settle();
	ok(strstr(call(), "\"messages\"") != NULL, "with a new one it can");
	end();
}

int main(void)
{
	verdicts();
	others();
	later();
	free(area);
	return done_testing();
}
