/*
 * Old clients at a worker's door: which requests go to the elder, what of it comes back, and that nobody but the elder is believed on an inner
 * connection. A flow on the network of sim.h; the elder is the test.
 */
#include <stdlib.h>

#include "flow/exchange.h"
#include "flow/flow_priv.h"
#include "os/pass.h"
#include "tap.h"
#include "unit/flow/sim.h"
#include "unit/flow/sim_pass.h"

#define KEY_ACME "postern_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_BOLT "postern_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"
#define UNIX_MS INT64_C(1900000000000)
#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"

enum { ELDER_LINE = 100, PASS_LINE, DOOR_LINE };

static struct flow_settings set;
static struct loop loop;
static struct metrics metrics;
static struct flow *f;
static char *area;
static struct sim_conn *elder, *passes, *doors;
static int64_t clock_ms;
static struct auth_key keys[2];
static const struct span tenants[] = { { "acme", 4 }, { "bolt", 4 } };
static const struct policy_rule rules[] = { { .allow = true, .pattern = { "*", 1 } } };

static int64_t unix_ms(void *ctx) { (void)ctx; return UNIX_MS + clock_ms + sim.now_ms; }

static int tick(void) { return flow_tick(f); }
static void settle(void) { sim_settle(&loop, NULL, tick); }
static void pass_time(int64_t ms) { sim_pass_time(ms, 50, settle); }

static void begin(void)
{
	sim_begin(1, false);
	memset(&metrics, 0, sizeof metrics);
	clock_ms = 0;
	crypto_sha256(KEY_ACME, sizeof KEY_ACME - 1, keys[0].sha256);
	crypto_sha256(KEY_BOLT, sizeof KEY_BOLT - 1, keys[1].sha256);
	keys[0].id = SPAN("k0");
	keys[1].id = SPAN("k1");
	keys[1].tenant = 1;
	set = (struct flow_settings){ .nlisteners = 1, .version = SPAN("0"), .connections = 32, .requests = 8, .listens = 4, .large = 4, .tokens = 4096,
		.links = 4, .body_max = 100000, .reply_max = 100000, .head_ms = 20000, .body_ms = 30000, .idle_ms = 600000, .write_ms = 30000,
		.keepalive_ms = 15000, .metrics = &metrics, .known_tokens = 16, .elder = true,
		.auth = { .tenants = { tenants, 2 }, .keys = keys, .nkeys = 2 }, .policy = { rules, 1 }, .hooks = { .unix_ms = unix_ms } };
	memset(set.seed, 7, sizeof set.seed);
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 } };
}

static void place(bool with_elder)
{
	size_t need = flow_need(&set);
	free(area);
	area = aligned_alloc(64, (need + 63) & ~(size_t)63);
	if (!area)
		abort();
	memset(area, 0, need);
	loop.now_ms = sim.now_ms;
	f = flow_place(area, &set, &loop);
	if (!flow_open(f))
		abort();
	if (with_elder)
		flow_elder(f, sim_pair(ELDER_LINE, &elder));
	flow_inner(f, FLOW_INNER_ELDER, sim_pair(PASS_LINE, &passes));
	if (set.stdio.kind != IDENTITY_NONE)
		flow_inner(f, FLOW_INNER_STDIO, sim_pair(DOOR_LINE, &doors));
	settle();
}

static void end(void)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && sim.conn[i].server < ELDER_LINE)
			sim_reset(&sim.conn[i]);
	pass_time(2100);
	is_int(f->txns.used + f->small.used + f->large.used + f->fronts.used + f->elder.posts + f->elder.streams + f->inners, 0, "  and nothing is left in use");
	is_int((long)metrics.v[METRIC_OLD_OPEN], 0, "  nor counted as open");
	sim_end();
}

/* ---- the client ---- */

static char got[200000];

static const char *heard(struct sim_conn *c)
{
	snprintf(got, sizeof got, "%.*s", (int)c->got.n, c->got.n ? c->got.p : "");
	if (c->got.n > 0)
		sim_took(c, c->got.n);
	return got;
}

static bool says(const char *text, const char *what) { return strstr(text, what) != NULL; }
static unsigned status_of(const char *text) { return strncmp(text, "HTTP/1.1 ", 9) == 0 ? (unsigned)strtoul(text + 9, NULL, 10) : 0; }

#define AS_ACME "Authorization: Bearer " KEY_ACME "\r\n"
#define AS_BOLT "Authorization: Bearer " KEY_BOLT "\r\n"
#define OLD "MCP-Protocol-Version: 2025-06-18\r\n"
#define SESSION "Mcp-Session-Id: s1\r\n"
#define INITIALIZE "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}," \
	"\"clientInfo\":{\"name\":\"c\",\"version\":\"0\"}}}"
#define LIST "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\"}"

static void post_to(struct sim_conn *c, const char *path, const char *fields, const char *body)
{
	char head[2000];
	int n = snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	    "%sContent-Length: %zu\r\n\r\n", path, fields, strlen(body));
	sim_say(c, head, (size_t)n);
	sim_say(c, body, strlen(body));
	settle();
}

static struct sim_conn *post(const char *fields, const char *body)
{
	struct sim_conn *c = sim_client();
	post_to(c, "/mcp", fields, body);
	return c;
}

static struct sim_conn *bare(const char *method, const char *fields)
{
	struct sim_conn *c = sim_client();
	char head[1000];
	int n = snprintf(head, sizeof head, "%s /mcp HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, fields);
	sim_say(c, head, (size_t)n);
	settle();
	return c;
}

/* ---- the elder ---- */

static struct elder_msg m;       /* the last frame from the worker */
static char frame[120000];

static bool frame_came(void)
{
	size_t used;
	const char *why;

	if (elder_msg_read(&m, span_of(elder->got.p, elder->got.n), true, (size_t)set.body_max, &used, &why) != ELDER_WHOLE)
		return false;
	memcpy(frame, elder->got.p, used);
	(void)elder_msg_read(&m, span_of(frame, used), true, (size_t)set.body_max, &used, &why);
	sim_took(elder, used);
	return true;
}

static void elder_says(struct elder_msg say)
{
	static char mem[150000];
	struct buf b = buf_on(mem, sizeof mem);
	elder_msg_write(&b, &say);
	if (b.full)
		abort();
	sim_say(elder, b.p, b.n);
	settle();
}

#define TEXT(s) span_of(s, strlen(s))

/* ---- tests ---- */

static void relayed(void)
{
	char version[40];
	struct sim_conn *c;
	uint64_t call;
	uint8_t acme[ELDER_PRINCIPAL];

	begin();
	place(true);
	c = post(AS_ACME, INITIALIZE);
	ok(frame_came() && m.type == ELDER_HTTP && m.method == ELDER_POST && span_absent(m.session) && span_absent(m.version)
		&& span_eq(m.body, SPAN(INITIALIZE)), "an initialize goes to the elder as it is");
	memcpy(acme, m.principal, sizeof acme);
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200, .session = SPAN("s1"), .body = SPAN("{\"result\":1}") });
	heard(c);
	ok(status_of(got) == 200 && says(got, "\r\nMcp-Session-Id: s1\r\n") && says(got, "\r\nContent-Type: application/json\r\n")
		&& says(got, "\r\n\r\n{\"result\":1}"), "its answer comes back with the session");

	post_to(c, "/mcp", AS_ACME SESSION OLD, LIST);
	ok(frame_came() && span_eq(m.session, SPAN("s1")) && span_eq(m.version, SPAN("2025-06-18")) && span_eq(m.body, SPAN(LIST)), "on the same connection: a request in it");
	ok(memcmp(acme, m.principal, sizeof acme) == 0, "of the same principal");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200, .body = SPAN("{}") });
	ok(status_of(heard(c)) == 200 && !says(got, "Session"), "and its answer, without a session id");

	c = post(AS_BOLT SESSION, LIST);
	ok(frame_came() && memcmp(acme, m.principal, sizeof acme) != 0, "another caller is another principal");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 404, .body = SPAN("{\"error\":1}") });
	ok(status_of(heard(c)) == 404 && says(got, "{\"error\":1}"), "404 is passed on");

	c = post(AS_ACME SESSION OLD, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	ok(frame_came(), "a notification");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 202 });
	heard(c);
	ok(status_of(got) == 202 && says(got, "\r\nContent-Length: 0\r\n"), "is accepted without a body");
	c = post(AS_ACME SESSION OLD, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	ok(frame_came(), "an answer to a server's request");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 503, .again = true, .body = SPAN("{}") });
	ok(status_of(heard(c)) == 503 && says(got, "\r\nRetry-After: 1\r\n"), "may be told to come again");
	c = post(AS_ACME SESSION, "[" LIST "," LIST "]");
	ok(frame_came() && m.body.p[0] == '[', "a batch without a version");
	call = m.call;
	sim_close(c);
	settle();
	ok(frame_came() && m.type == ELDER_GONE && m.call == call, "a client that goes is told about");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = call, .status = 200, .body = SPAN("{}") });
	ok(f->elder.up, "an answer that crosses that is nobody's");

	c = bare("DELETE", AS_ACME SESSION OLD);
	ok(frame_came() && m.method == ELDER_DELETE && span_eq(m.session, SPAN("s1")) && span_absent(m.body), "a DELETE");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200 });
	ok(status_of(heard(c)) == 200, "and its answer");
	c = bare("DELETE", AS_ACME SESSION "Content-Length: 0\r\n");
	ok(frame_came() && m.method == ELDER_DELETE, "a DELETE that says it is empty");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 405 });
	ok(status_of(heard(c)) == 405, "may be refused by the elder");

	static const char *const old[] = { "2025-11-25", "2025-06-18", "2025-03-26" };
	for (unsigned i = 0; i < 3; i++) {
		snprintf(version, sizeof version, "MCP-Protocol-Version: %s\r\n", old[i]);
		char fields[300];
		snprintf(fields, sizeof fields, AS_ACME SESSION "%s", version);
		c = post(fields, LIST);
		ok(frame_came() && span_eq(m.version, TEXT(old[i])), "each old revision in the head");
		elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200, .body = SPAN("{}") });
	}
	is_int((long)metrics.v[METRIC_OLD_INITIALIZE], 1, "counted: initialize");
	is_int((long)metrics.v[METRIC_OLD_MESSAGE], 8, "messages");
	is_int((long)metrics.v[METRIC_OLD_DELETE], 2, "deletes");
	is_int((long)metrics.v[METRIC_REFUSED_FULL], 1, "what the elder has no room for");
	is_int((long)metrics.v[METRIC_REFUSED_MCP], 2, "what it refuses otherwise");
	is_int((long)metrics.v[METRIC_REQUESTS_TOOLS_LIST], 0, "and none as a request of ours");
	end();
}

/* What is no old client's, or is one's but wrong: the worker's own word, and the elder hears nothing. */
static void not_relayed(void)
{
	static const struct { const char *fields, *body; unsigned status; const char *word, *name; } cases[] = {
		{ SESSION, INITIALIZE, 401, "", "without a key" },
		{ AS_ACME SESSION "MCP-Protocol-Version: 2026-07-28\r\n", LIST, 400, "-32602", "our revision in the head" },
		{ AS_ACME "MCP-Protocol-Version: 2026-07-28\r\n", INITIALIZE, 400, "-32020", "an initialize with our revision in the head" },
		{ AS_ACME SESSION OLD, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\",\"params\":{" META "}}", 400, "-32020", "our envelope, an old head" },
		{ AS_ACME SESSION, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\",\"params\":{" META "}}", 400, "-32020", "our envelope, no revision in the head" },
		{ AS_ACME, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\",\"params\":{" META "}}", 400, "-32020", "our envelope around initialize" },
		{ AS_ACME SESSION OLD, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":1}}}", 400,
			"-32602", "our envelope, broken: never taken for an old one" },
		{ AS_ACME SESSION "MCP-Protocol-Version: 2024-11-05\r\n", LIST, 400, "-32602", "a revision that is served to nobody" },
		{ AS_ACME SESSION OLD OLD, LIST, 400, "-32020", "the revision twice" },
		{ AS_ACME OLD, LIST, 400, "-32602", "no session" },
		{ AS_ACME, LIST, 400, "-32020", "neither session nor revision" },
		{ AS_ACME SESSION SESSION OLD, LIST, 400, "-32602", "two sessions" },
		{ AS_ACME SESSION OLD, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":5}", 400, "-32600", "no message" },
		{ AS_ACME SESSION OLD, "{\"jsonrpc\":\"2.0\",", 400, "-32700", "no JSON" },
		{ AS_ACME SESSION OLD, "[]", 400, "-32600", "an empty batch" },
		{ AS_ACME SESSION OLD, "[1]", 400, "-32600", "a batch of no messages" },
		{ AS_ACME SESSION, "[" LIST ",{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\",\"params\":{" META "}}]", 400, "-32600", "a batch with one of ours in it" },
		{ AS_ACME "Mcp-Session-Id: \r\n", LIST, 404, "no such session", "an empty session id" },
		{ AS_ACME "Mcp-Session-Id: a b\r\n", LIST, 404, "no such session", "one with a space" },
		{ AS_ACME "Mcp-Session-Id: 0123456789012345678901234567890123456789012345678901234567890123x\r\n", LIST, 404, "no such session", "one that is too long" },
		{ AS_ACME SESSION "Postern-Identity: x\r\n" OLD "Origin: https://evil.example\r\n", LIST, 403, "", "a foreign origin" },
	};
	begin();
	place(true);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sim_conn *c = post(cases[i].fields, cases[i].body);
		heard(c);
		ok(status_of(got) == cases[i].status && says(got, cases[i].word) && !frame_came(), cases[i].name);
		sim_close(c);
	}
	static const struct { const char *method, *fields; unsigned status; } bares[] = {
		{ "GET", AS_ACME "Accept: text/event-stream\r\n", 405 }, { "GET", AS_ACME SESSION "Accept: application/json\r\n", 406 }, { "GET", AS_ACME SESSION, 406 },
		{ "GET", AS_ACME SESSION "Accept: text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n", 405 }, { "PUT", AS_ACME SESSION, 405 },
		{ "GET", SESSION "Accept: text/event-stream\r\n", 401 }, { "DELETE", AS_ACME, 405 }, { "DELETE", SESSION, 401 },
		{ "DELETE", AS_ACME SESSION "Content-Length: 3\r\n", 405 },
	};
	for (unsigned i = 0; i < sizeof bares / sizeof bares[0]; i++) {
		struct sim_conn *c = bare(bares[i].method, bares[i].fields);
		ok(status_of(heard(c)) == bares[i].status && !frame_came(), "a head that is no session's");
		sim_close(c);
	}
	end();

	begin();
	set.elder = false;
	place(false);
	struct sim_conn *c = post(AS_ACME, INITIALIZE);
	ok(status_of(heard(c)) == 400 && says(got, "-32022") && says(got, "2026-07-28"), "old clients are not served: initialize is told what is");
	c = post(AS_ACME SESSION OLD, LIST);
	ok(status_of(heard(c)) == 400 && says(got, "-32602"), "a request is told what it lacks");
	c = bare("GET", AS_ACME SESSION "Accept: text/event-stream\r\n");
	ok(status_of(heard(c)) == 405 && says(got, "\r\nAllow: POST, OPTIONS\r\n"), "GET is not allowed");
	end();

	begin();
	place(false);
	c = post(AS_ACME, INITIALIZE);
	ok(status_of(heard(c)) == 503 && says(got, "\r\nRetry-After: 1\r\n") && says(got, "\"id\":\"i\""), "the elder is being started: come again");
	end();
}

static void streams(void)
{
	begin();
	place(true);
	struct sim_conn *c = post(AS_ACME SESSION OLD, LIST);
	ok(frame_came(), "a call");
	elder_says((struct elder_msg){ .type = ELDER_STREAM, .call = m.call });
	ok(status_of(heard(c)) == 200 && says(got, "\r\nContent-Type: text/event-stream\r\n"), "its answer is a stream, which begins at once");
	elder_says((struct elder_msg){ .type = ELDER_EVENT, .call = m.call, .event = SPAN("1-0"), .retry_ms = 1500 });
	ok(says(heard(c), "id: 1-0\nretry: 1500\ndata: \n\n"), "an event that gives a place to resume from");
	elder_says((struct elder_msg){ .type = ELDER_EVENT, .call = m.call, .event = SPAN("1-1"), .body = SPAN("{\"a\":1}") });
	ok(says(heard(c), "id: 1-1\ndata: {\"a\":1}\n\n"), "a message with its id");
	pass_time(16000);
	ok(says(heard(c), "\n:\n\n"), "a comment when it is quiet");
	elder_says((struct elder_msg){ .type = ELDER_EVENT, .call = m.call, .body = SPAN("{\"b\":1}") });
	heard(c);
	ok(says(got, "data: {\"b\":1}\n\n") && !says(got, "id:"), "a message without one");
	elder_says((struct elder_msg){ .type = ELDER_END, .call = m.call });
	ok(says(heard(c), "0\r\n\r\n") && f->txns.used == 0, "and its end");
	post_to(c, "/mcp", AS_ACME SESSION OLD, LIST);
	ok(frame_came(), "the connection goes on");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200, .body = SPAN("{}") });
	ok(status_of(heard(c)) == 200, "as before");

	c = bare("GET", AS_ACME SESSION OLD "Accept: text/event-stream\r\nLast-Event-ID: 1-1\r\n");
	ok(frame_came() && m.method == ELDER_GET && span_eq(m.event, SPAN("1-1")), "a GET says where to go on");
	uint64_t call = m.call;
	elder_says((struct elder_msg){ .type = ELDER_STREAM, .call = call });
	ok(status_of(heard(c)) == 200 && f->elder.streams == 1, "and has its stream");

	/* A client that takes nothing loses it, and the edge goes on. */
	static char big[90000];
	memset(big, 'x', sizeof big);
	c->window = 1;
	for (unsigned i = 0; i < 20 && f->elder.streams == 1; i++)
		elder_says((struct elder_msg){ .type = ELDER_EVENT, .call = call, .event = SPAN("9"), .body = span_of(big, sizeof big) });
	ok(f->elder.streams == 0 && c->gate_closed && metrics.v[METRIC_OLD_SLOW] == 1, "a client that takes nothing loses its stream");
	ok(frame_came() && m.type == ELDER_GONE && m.call == call, "the elder is told");
	ok(f->elder.up && f->large.used == 0, "and the edge holds nothing for it");

	c = bare("GET", AS_ACME SESSION OLD "Accept: text/event-stream\r\nLast-Event-ID: no id of ours\r\n");
	ok(frame_came() && span_absent(m.event), "an id that cannot be ours is as none");
	call = m.call;
	struct sim_conn *second = bare("GET", AS_ACME SESSION "Accept: text/event-stream\r\n"), *third = bare("GET", AS_ACME SESSION "Accept: text/event-stream\r\n");
	ok(frame_came() && status_of(heard(third)) == 503, "half of the streams at most are old ones");
	elder_says((struct elder_msg){ .type = ELDER_STREAM, .call = call });
	heard(c);
	flow_drain(f, 5000);
	settle();
	ok(says(heard(c), "0\r\n\r\n"), "at a restart a stream ends in good order");
	ok(status_of(heard(second)) == 503, "and one that has not begun is told to come again");
	ok(frame_came() && m.type == ELDER_GONE && frame_came() && m.type == ELDER_GONE, "the elder is told of both");
	end();
}

/* What the elder has said before it hears that a stream has ended from our side: the client may not have taken that end yet. */
static void crossing(void)
{
	uint64_t calls[2];

	begin();
	place(true);
	struct sim_conn *c = bare("GET", AS_ACME SESSION OLD "Accept: text/event-stream\r\n");
	frame_came();
	calls[0] = m.call;
	elder_says((struct elder_msg){ .type = ELDER_STREAM, .call = calls[0] });
	heard(c);
	struct sim_conn *second = bare("GET", AS_ACME SESSION "Accept: text/event-stream\r\n");
	frame_came();
	calls[1] = m.call;
	c->window = second->window = 0;
	flow_drain(f, 5000);
	settle();
	elder_says((struct elder_msg){ .type = ELDER_EVENT, .call = calls[0], .event = SPAN("9"), .body = SPAN("{\"late\":1}") });
	elder_says((struct elder_msg){ .type = ELDER_STREAM, .call = calls[1] });
	c->window = second->window = 100000;
	sim_took(c, 0);
	sim_took(second, 0);
	settle();
	ok(says(heard(c), "0\r\n\r\n") && !says(got, "late"), "an event for a stream that has been ended does not cut it off");
	ok(status_of(heard(second)) == 503 && !says(got, "200"), "nor does one begin behind its refusal");
	is_int((long)metrics.v[METRIC_OLD_SLOW], 0, "nobody was slow");
	while (frame_came())
		;
	end();
}

static void edges(void)
{
	struct buffer *taken[4];
	static char big[50000];

	begin();
	place(true);
	struct sim_conn *caller = post(AS_ACME SESSION OLD, LIST);
	ok(frame_came(), "a call");
	for (unsigned i = 0; i < 4; i++)
		taken[i] = buffer_take(f, FLOW_SMALL + 1);
	memset(big, '1', sizeof big);
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200, .body = span_of(big, sizeof big) });
	heard(caller);
	ok(status_of(got) == 502 && says(got, "\"id\":7") && !says(got, "Retry-After"), "a long answer for which there is no buffer: its client is told, and not to call again at once");
	for (unsigned i = 0; i < 4; i++)
		buffer_give(f, taken[i]);
	end();

	begin();
	set.listens_each = 1;
	place(true);
	(void)bare("GET", AS_ACME SESSION "Accept: text/event-stream\r\n");
	ok(frame_came() && m.method == ELDER_GET, "a stream of a caller");
	struct sim_conn *more = bare("GET", AS_ACME "Mcp-Session-Id: s2\r\nAccept: text/event-stream\r\n");
	ok(status_of(heard(more)) == 503 && says(got, "listens_per_caller") && !frame_came(), "who has as many as one may have gets no more, whatever session it names");
	(void)bare("GET", AS_BOLT SESSION "Accept: text/event-stream\r\n");
	ok(frame_came() && m.method == ELDER_GET, "another caller does");
	end();

	begin();
	place(true);
	struct sim_conn *c[6];
	for (unsigned i = 0; i < 6; i++)
		c[i] = post(AS_ACME SESSION OLD, LIST);
	unsigned busy = 0;
	for (unsigned i = 0; i < 6; i++)
		busy += status_of(heard(c[i])) == 503;
	is_int(busy, 2, "half of the requests at most are old ones");
	struct sim_conn *answers[3];
	for (unsigned i = 0; i < 3; i++)
		answers[i] = post(AS_ACME SESSION OLD, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	ok(status_of(heard(answers[0])) != 503 && status_of(heard(answers[1])) != 503, "what they may be waiting for finds room beyond");
	is_int(status_of(heard(answers[2])), 503, "within bounds");
	struct elder_msg first, second;
	ok(frame_came(), "the first");
	first = m;
	ok(frame_came(), "the second");
	second = m;
	elder_says((struct elder_msg){ .type = ELDER_STREAM, .call = first.call });
	heard(c[0]);
	sim_close(elder);
	settle();
	ok(sim_over(c[0]) && !says(heard(c[0]), "0\r\n\r\n"), "the elder goes: a stream is cut off");
	ok(status_of(heard(c[1])) == 503 && says(got, "lost"), "a request is told");
	flow_elder(f, sim_pair(ELDER_LINE, &elder));
	settle();
	struct sim_conn *again = post(AS_ACME, INITIALIZE);
	ok(frame_came() && m.call != second.call, "another takes its place");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = second.call, .status = 200, .body = SPAN("{\"old\":1}") });
	ok(heard(again)[0] == 0, "what it says of another's calls is nobody's");
	elder_says((struct elder_msg){ .type = ELDER_EVENT, .call = m.call, .body = SPAN("{}") });
	ok(!f->elder.up && status_of(heard(again)) == 503, "an event where no stream is ends the edge");

	static const char *const garbage[] = { "0123456789abcdef0123456789abcdef", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" };
	for (unsigned i = 0; i < 2; i++) {
		flow_elder(f, sim_pair(ELDER_LINE, &elder));
		settle();
		sim_say(elder, garbage[i], 16);
		settle();
		ok(!f->elder.up, "garbage ends it too");
	}
	/* One that reads nothing: requests wait in buffers, those given up are taken back. */
	flow_elder(f, sim_pair(ELDER_LINE, &elder));
	elder->window = 1;
	settle();
	for (unsigned i = 0; i < 3; i++)
		c[i] = post(AS_ACME SESSION OLD, LIST);
	for (unsigned i = 0; i < 3; i++)
		sim_close(c[i]);
	settle();
	elder->window = SIZE_MAX;
	elder->pending |= 0;
	ok(f->elder.posts == 0, "clients come and go while it reads nothing");
	sim_close(elder);
	settle();
	end();
}

static int pair_to(struct sim_conn **mine) { return sim_pair(0, mine); }

static struct sim_conn *inner(struct sim_conn *edge)
{
	struct sim_conn *mine;
	int fd = pair_to(&mine);
	sim_packet_say(edge, &(struct elder_inner){ ELDER_INNER, 0 }, sizeof(struct elder_inner), fd);
	settle();
	return mine;
}

static const char *discover(struct sim_conn *c, const char *fields)
{
	post_to(c, INNER_PATH, fields, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"server/discover\",\"params\":{" META "}}");
	return heard(c);
}

static void inside(void)
{
	char passport[600], other[1300];

	begin();
	place(true);
	struct sim_conn *client = post(AS_BOLT, INITIALIZE);
	ok(frame_came(), "an old request");
	snprintf(passport, sizeof passport, "Postern-Identity: %.*s\r\n", (int)m.identity.n, m.identity.p);
	struct sim_conn *c = inner(passes);
	ok(status_of(discover(c, passport)) == 200, "its passport is good on an inner connection");
	ok(status_of(discover(c, passport)) == 200, "again, on the same one");
	snprintf(other, sizeof other, "%sMCP-Protocol-Version: 2020-01-01\r\nMcp-Method: tools/list\r\nMcp-Method: ping\r\n", passport);
	ok(status_of(discover(c, other)) == 200, "no head mirrors anything there");
	post_to(c, INNER_PATH, passport, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"server/discover\",\"params\":{\"_meta\":{"
	    "\"io.modelcontextprotocol/protocolVersion\":\"2027\\u002d01\",\"io.modelcontextprotocol/clientCapabilities\":{}}}}");
	ok(status_of(heard(c)) == 400 && says(got, "-32022") && says(got, "\"requested\":\"2027-01\""), "a revision that is not served is told so");
	is_int((long)metrics.v[METRIC_AUTH_KEY], 1, "the caller is counted once");
	is_int((long)metrics.v[METRIC_CONNECTIONS_OPEN], 1, "and so is the connection");
	ok(status_of(discover(c, "")) == 401, "without one it is nobody");
	c = inner(passes);
	ok(status_of(discover(c, AS_ACME)) == 401, "a key is nothing there");
	c = inner(passes);
	snprintf(other, sizeof other, "%s%s", passport, passport);
	ok(status_of(discover(c, other)) == 401, "nor are two passports");
	c = inner(passes);
	snprintf(other, sizeof other, "%s", passport);
	other[30] = other[30] == 'A' ? 'B' : 'A';
	ok(status_of(discover(c, other)) == 401, "nor a changed one");
	c = inner(passes);
	post_to(c, INNER_PATH, passport, INITIALIZE);
	ok(status_of(heard(c)) == 400 && !frame_came(), "an old request there does not come back to the elder");
	c = inner(passes);
	clock_ms = PASSPORT_MS;
	ok(status_of(discover(c, passport)) == 401, "after an hour it is not good any more");
	clock_ms = 0;
	c = sim_client();
	snprintf(other, sizeof other, "%sMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover\r\n", passport);
	post_to(c, "/mcp", other, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"server/discover\",\"params\":{" META "}}");
	ok(status_of(heard(c)) == 401, "at a listener it is nothing");
	sim_close(c);

	for (unsigned i = 0; i < 40; i++)
		(void)inner(passes);
	ok(f->inners == set.requests + set.listens, "no more of them than there is room for");
	struct sim_conn *more = sim_client();
	post_to(more, "/mcp", AS_ACME, LIST);
	ok(status_of(heard(more)) == 400, "and clients have theirs");
	sim_packet_say(passes, "12345678", 8, -1);
	settle();
	ok(!f->inner[FLOW_INNER_ELDER].up, "a packet that is none ends the edge");
	sim_close(client);
	end();

	begin();
	set.nlisteners = 0;
	set.stdio = (struct identity){ .kind = IDENTITY_ANONYMOUS, .tenant = 1 };
	set.idle_ms = 100;
	place(true);
	c = inner(doors);
	ok(status_of(discover(c, "")) == 200, "the door of stdio needs no passport");
	pass_time(EXCHANGE_IDLE_MS);
	ok(status_of(discover(c, "")) == 200, "an inner connection at rest is its client's to close, whatever \"idle\" says: what is on its way over one must not be lost");
	post_to(c, INNER_PATH, "", INITIALIZE);
	ok(frame_came(), "and old clients come through it too");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200, .session = SPAN("s9"), .body = SPAN("{}") });
	ok(says(heard(c), "Mcp-Session-Id: s9"), "with a session");
	flow_drain(f, 5000);
	settle();
	c = inner(doors);
	ok(status_of(discover(c, "")) == 200 && !flow_drained(f), "one that is new while it ends is answered");
	pass_time(1200);
	ok(flow_drained(f), "and then it is over");
	end();
}

/* Step-up: on an inner connection scopes are numbers; an old client is told in words what it lacks, and where to get it. */
static void lacking(void)
{
	static const struct span names[] = { { "read", 4 }, { "write", 5 } };
	static const struct policy_rule scoped[] = { { .allow = true, .pattern = { "x:scoped", 8 }, .scopes = 2 }, { .allow = true, .pattern = { "*", 1 } } };
	struct identity who = { .kind = IDENTITY_TOKEN, .subject_n = 1, .subject = "u", .scopes = 1 };
	char mem[600], fields[700];
	struct buf passport = buf_on(mem, sizeof mem);

	begin();
	set.nservers = 1;
	set.plain = true;
	set.servers[0] = (struct flow_server){ .name = SPAN("s"), .kind = FLOW_LINE, .connect_ms = 1000, .idle_ms = 60000, .call_ms = 60000 };
	set.auth.scopes = (struct auth_names){ names, 2 };
	set.policy = (struct policy){ scoped, 2 };
	set.listeners[0].metadata = SPAN("http://localhost/.well-known/oauth-protected-resource/mcp");
	place(true);
	passport_write(&passport, &f->passports, &who, unix_ms(NULL));
	snprintf(fields, sizeof fields, "Postern-Identity: %.*s\r\n", (int)passport.n, mem);
	struct sim_conn *c = inner(passes);
	post_to(c, INNER_PATH, fields, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{\"resourceSubscriptions\":[\"x:scoped\"]}," META "}}");
	heard(c);
	ok(status_of(got) == 403 && says(got, "\r\nPostern-Scopes: 0.2\r\n") && !says(got, "WWW-Authenticate:"), "the elder is told what its caller lacks, by number");
	c = post(AS_ACME SESSION OLD, LIST);
	ok(frame_came(), "an old request");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 403, .scopes = 2, .body = SPAN("{\"error\":1}") });
	heard(c);
	ok(status_of(got) == 403 && says(got, "\r\nWWW-Authenticate: Bearer error=\"insufficient_scope\", scope=\"write\", resource_metadata=\"http://localhost/.well-known/"),
		"its client is told by name, and where to get it");
	ok(says(got, "\r\n\r\n{\"error\":1}") && !says(got, "Postern-"), "with the elder's words");
	post_to(c, "/mcp", AS_ACME SESSION OLD, LIST);
	ok(frame_came(), "the next request");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 200, .body = SPAN("{}") });
	ok(status_of(heard(c)) == 200 && !says(got, "WWW-Authenticate:"), "lacks nothing");
	c = post(AS_ACME SESSION OLD, LIST);
	ok(frame_came(), "a request of another");
	elder_says((struct elder_msg){ .type = ELDER_REPLY, .call = m.call, .status = 403, .scopes = UINT64_MAX << 2, .body = SPAN("{}") });
	ok(status_of(heard(c)) == 403 && says(got, "error=\"insufficient_scope\"") && !says(got, "write"), "scopes that there are not name none");
	end();
}

static char subject[64];
static unsigned asked_tokens;

static bool ask_token(void *ctx, unsigned server, unsigned tenant, uint64_t call, struct span token, bool again)
{
	(void)ctx, (void)server, (void)tenant, (void)call, (void)again;
	if (!span_absent(token)) {
		snprintf(subject, sizeof subject, "%.*s", (int)token.n, token.p);
		asked_tokens++;
	}
	return false;
}

/* A server that is asked in its caller's own name: the token stays in the head of the old request, and is taken from there for its caller alone. */
static void in_own_name(void)
{
	static const struct { int user; long off; const char *more; const char *want; const char *name; } cases[] = {
		{ 'u', 0, "", "the-token", "the token of the request that it is made of is exchanged" },
		{ 'v', 0, "", "", "not for another caller" },
		{ 'u', 1, "", "", "nor that of a call that there is not" },
		{ 'u', 1 << 20, "", "", "or is over" },
		{ 'u', -1, "", "", "nor without naming one" },
	};
	struct identity who = { .kind = IDENTITY_TOKEN, .subject_n = 1, .subject = "u" };

	begin();
	set.nservers = 1;
	set.plain = true;
	set.servers[0] = (struct flow_server){ .name = SPAN("s"), .kind = FLOW_HTTP, .credential = true, .exchange = true, .connect_ms = 1000, .idle_ms = 60000, .call_ms = 60000,
		.address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 9 }, .host = SPAN("s"), .path = SPAN("/") };
	set.hooks.token = ask_token;
	place(true);
	struct sim_conn *old = post(AS_ACME SESSION OLD, LIST);
	ok(frame_came(), "an old request");
	uint64_t call = m.call;
	struct txn *t = slots_at(&f->txns, (uint32_t)(call & 0xfffff));
	t->who = who; /* as if it had come with one */
	t->token = SPAN("the-token");
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char mem[600], fields[800], named[64] = "";
		struct buf passport = buf_on(mem, sizeof mem);
		struct sim_conn *c = inner(passes);

		who.subject[0] = (char)cases[i].user;
		passport_write(&passport, &f->passports, &who, unix_ms(NULL));
		if (cases[i].off >= 0)
			snprintf(named, sizeof named, "Postern-For: %llu\r\n", (unsigned long long)(call + (uint64_t)cases[i].off));
		snprintf(fields, sizeof fields, "Postern-Identity: %.*s\r\n%s", (int)passport.n, mem, named);
		subject[0] = 0;
		post_to(c, INNER_PATH, fields, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"resources/read\",\"params\":{\"uri\":\"x:a\"," META "}}");
		is_str(subject, cases[i].want, cases[i].name);
		ok(status_of(heard(c)) == 502, "it is answered");
	}
	is_uint(asked_tokens, 1, "one exchange");
	/* From outside the field means nothing. */
	char from_outside[300];
	snprintf(from_outside, sizeof from_outside, AS_ACME "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: resources/read\r\nMcp-Name: x:a\r\nPostern-For: %llu\r\n", (unsigned long long)call);
	struct sim_conn *c = post(from_outside, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"resources/read\",\"params\":{\"uri\":\"x:a\"," META "}}");
	ok(status_of(heard(c)) == 502 && asked_tokens == 1, "at a listener the field is nothing");
	sim_close(old);
	settle();
	end();
}

int main(void)
{
	in_own_name();
	lacking();
	relayed();
	not_relayed();
	streams();
	crossing();
	edges();
	inside();
	free(area);
	return done_testing();
}
