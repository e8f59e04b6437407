/* flow/door on a network in memory: lines in, requests to a worker that is the test, and what it says as lines. */
#include "flow/door.h"

#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "unit/flow/sim.h"

#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define MODERN(id, method) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" META "}}"
#define INITIALIZE "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}"
#define INITIALIZED "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"
#define AGREED "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"result\":{\"protocolVersion\":\"2025-06-18\"}}"

enum { CONNS = 64 };

static struct loop loop;
static struct door_settings set;
static struct door *door;
static char *area;
static struct sim_conn *conns[CONNS];
static unsigned nconns;
static bool no_worker;
static char lines[1 << 18], logged[4096];
static struct buf said, log_text;

static void say(void *ctx, struct span line) { (void)ctx; buf_put(&said, line); }
static void log_line(struct span line) { buf_put(&log_text, line); buf_char(&log_text, '\n'); }

static int dial(void *ctx)
{
	(void)ctx;
	return no_worker ? -1 : sim_pair(0, &conns[nconns++]);
}

static int tick(void)
{
	int wait = door_tick(door);

	return door_over(door) ? -1 : wait;
}

static void settle(void) { sim_settle(&loop, NULL, tick); }
static void pass_time(int64_t ms) { sim_pass_time(ms, 50, settle); }

static void begin(void)
{
	sim_begin(1, false);
	loop.now_ms = sim.now_ms;
	nconns = 0;
	no_worker = false;
	said = buf_on(lines, sizeof lines);
	log_text = buf_on(logged, sizeof logged);
	set = (struct door_settings){ .requests = 4, .listens = 2, .large = 2, .tokens = 4096, .line_max = 30000, .reply_max = 60000, .grace_ms = 5000,
		.hooks = { NULL, say, dial, log_line } };
	size_t need = (door_need(&set) + 63) & ~(size_t)63;
	free(area);
	area = aligned_alloc(64, need);
	if (!area)
		abort();
	memset(area, 0, need);
	door = door_place(area, &set, &loop);
}

/* What the client has been told since the last call. */
static const char *told(void)
{
	static char text[1 << 18];
	snprintf(text, sizeof text, "%.*s", (int)said.n, said.p);
	buf_reset(&said);
	return text;
}

static void client(const char *line)
{
	door_line(door, span_of(line, strlen(line)));
	settle();
}

/* ---- the worker ---- */

static char asked[40000];

/* The next request that came, on any connection: *on. "" if there is none. */
static const char *request(struct sim_conn **on)
{
	for (unsigned i = 0; i < nconns; i++) {
		struct sim_conn *c = conns[i];
		if (!c->used || c->server != 0 || c->got.n == 0)
			continue;
		snprintf(asked, sizeof asked, "%.*s", (int)c->got.n, c->got.p);
		sim_took(c, c->got.n);
		*on = c;
		return asked;
	}
	*on = NULL;
	return "";
}

static bool says(const char *text, const char *what) { return strstr(text, what) != NULL; }
static const char *body_of(const char *text)
{
	const char *p = strstr(text, "\r\n\r\n");
	return p ? p + 4 : "";
}

static void answer(struct sim_conn *c, const char *status, const char *fields, const char *body)
{
	char head[500];
	int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%s%sContent-Length: %zu\r\n\r\n", status, body[0] ? "Content-Type: application/json\r\n" : "", fields, strlen(body));
	sim_say(c, head, (size_t)n);
	sim_say(c, body, strlen(body));
	settle();
}

static void stream(struct sim_conn *c)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
	sim_say(c, head, sizeof head - 1);
	settle();
}

static void event(struct sim_conn *c, const char *text)
{
	char chunk[2000];
	int n = snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(text), text);
	sim_say(c, chunk, (size_t)n);
	settle();
}

static void stream_end(struct sim_conn *c)
{
	sim_say(c, "0\r\n\r\n", 5);
	settle();
}

/* ---- tests ---- */

static void modern(void)
{
	static const char *const ids[] = { "7", "\"7\"", "\"\\u00fc\\\"x\"", "-3", "9007199254740991", "\"\"" };
	struct sim_conn *c, *second;

	begin();
	for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		char line[400], body[200], want[220];
		snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/list\",\"params\":{" META "}}", ids[i]);
		client(line);
		request(&c);
		ok(c && says(asked, "POST / HTTP/1.1\r\n") && strcmp(body_of(asked), line) == 0 && !says(asked, "Mcp-Session-Id"), "a request goes to the worker as it is");
		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", ids[i]);
		snprintf(want, sizeof want, "%s\n", body);
		answer(c, "200 OK", "", body);
		is_str(told(), want, "its answer comes back as it is");
	}
	is_int(nconns, 1, "all over one connection");

	client(MODERN("1", "a"));
	request(&c);
	client(MODERN("2", "b"));
	request(&second);
	ok(c && second && c != second, "two at once");
	answer(second, "200 OK", "", "{\"jsonrpc\":\"2.0\",\r\n\"id\":2,\n\"result\":{}}");
	is_str(told(), "{\"jsonrpc\":\"2.0\",  \"id\":2, \"result\":{}}\n", "answers in any order, each one line");
	answer(c, "200 OK", "", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", "the other");

	client(MODERN("3", "c"));
	request(&c);
	stream(c);
	event(c, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":3,\"progress\":1}}\n\n");
	ok(says(told(), "notifications/progress"), "a notification on its way");
	event(c, ":\n\n");
	is_str(told(), "", "a comment says nothing");
	event(c, "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":3,\"result\":{}}\n\n");
	is_str(told(), "{\"jsonrpc\":\"2.0\", \"id\":3,\"result\":{}}\n", "the result, in one line");
	stream_end(c);
	is_str(told(), "", "and no more");

	client(MODERN("\"l\"", "subscriptions/listen"));
	request(&c);
	stream(c);
	event(c, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{}}\n\n");
	ok(says(told(), "acknowledged"), "a subscription");
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"l\"}}");
	ok(c->gate_closed, "is called off by closing it");
	is_str(told(), "", "without a word");
	client(MODERN("4", "d"));
	request(&c);
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":5}}");
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"4\"}}");
	ok(c && !c->gate_closed, "another's id calls nothing off");
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":4}}");
	ok(c->gate_closed, "its own does");
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/other\"}");
	client("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	request(&c);
	ok(!c && told()[0] == 0, "other notifications and answers are nobody's without a session");

	client(MODERN("5", "e"));
	request(&c);
	answer(c, "200 OK", "", "{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"result\":{}}");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32603,\"message\":\"The worker gave no answer that could be passed on\"}}\n", "another's answer is not passed on");
	client(MODERN("5", "e"));
	request(&c);
	stream(c);
	event(c, "data: {\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"a\":1}}\n\n");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}\n", "nor a second");
	stream_end(c);

	client(MODERN("6", "e"));
	request(&c);
	stream(c);
	event(c, "data: not json\n\n");
	event(c, "data: 5\n\n");
	is_str(told(), "", "what is no message is left out");
	stream_end(c);
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":6,\"error\":{\"code\":-32603,\"message\":\"The answer ended before it was whole\"}}\n", "and an answer made");
	sim_end();
}

static void refusals(void)
{
	struct sim_conn *c;

	begin();
	client("");
	client(" \t\r");
	is_str(told(), "", "empty lines are nothing");
	client("{\"jsonrpc\":\"2.0\",");
	ok(says(told(), "\"code\":-32700"), "no JSON");
	client("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":1,\"method\":\"x\"}");
	ok(says(told(), "\"code\":-32600"), "a name twice");
	client("[]");
	ok(says(told(), "\"code\":-32600"), "a batch without a session");
	client("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":5}");
	ok(says(told(), "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32600"), "no method: its id comes back");
	client("5");
	ok(says(told(), "\"code\":-32600"), "no object");
	door_long_line(door);
	ok(says(told(), "\"code\":-32600,\"message\":\"A message is longer than the limit (memory.body)\""), "too long");
	request(&c);
	ok(!c, "none of it went to the worker");

	client(MODERN("1", "a"));
	request(&c);
	answer(c, "404 Not Found", "", "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}\n", "the worker's refusal passes");
	client(MODERN("2", "a"));
	request(&c);
	answer(c, "503 Service Unavailable", "", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"busy\"}}");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32603,\"message\":\"busy\"}}\n", "one without an id gets it");
	client(MODERN("3", "a"));
	request(&c);
	answer(c, "500 Internal Server Error", "", "");
	ok(says(told(), "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32603"), "an empty one is put in words");
	client(MODERN("4", "a"));
	request(&c);
	sim_close(c);
	settle();
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32603,\"message\":\"The call was lost: the worker: closed the connection before its answer was whole\"}}\n",
	    "a worker that dies");
	no_worker = true;
	client(MODERN("5", "a"));
	ok(says(told(), "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32603,\"message\":\"The call was lost: the worker: cannot be reached\"}}"), "one that is not there");
	no_worker = false;
	for (unsigned i = 0; i < 6; i++)
		client(MODERN("6", "a"));
	is_str(told(), "", "as many as there is room for");
	client(MODERN("7", "a"));
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32603,\"message\":\"Postern is at its limit; try again shortly\"}}\n", "one more");
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":6}}");
	client(MODERN("8", "a"));
	is_str(told(), "", "and when one is called off there is room again");
	sim_end();
}

/* A session, up to its stream: *at is that. */
static void old_session(struct sim_conn **at)
{
	struct sim_conn *c;

	client(INITIALIZE);
	request(&c);
	ok(c && says(asked, INITIALIZE) && !says(asked, "Mcp-Session-Id"), "initialize");
	ok(!door_ready(door), "is waited for");
	answer(c, "200 OK", "Mcp-Session-Id: s1\r\n", AGREED);
	ok(door_ready(door), "then it goes on");
	is_str(told(), AGREED "\n", "its answer");
	client(INITIALIZED);
	request(&c);
	ok(c && says(asked, "\r\nMcp-Session-Id: s1\r\n") && says(asked, "\r\nMCP-Protocol-Version: 2025-06-18\r\n"), "initialized, in the session");
	answer(c, "202 Accepted", "", "");
	request(at);
	ok(*at && says(asked, "GET / HTTP/1.1\r\n") && says(asked, "\r\nAccept: text/event-stream\r\n") && says(asked, "Mcp-Session-Id: s1"), "then the stream of the session is opened");
	stream(*at);
}

static void old(void)
{
	struct sim_conn *c, *events, *call;

	begin();
	old_session(&events);
	event(events, "id: g-1\ndata: \n\n");
	is_str(told(), "", "an id alone is no message");
	event(events, "id: g-2\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n", "news of the session");

	client("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}");
	request(&call);
	ok(call && says(asked, "Mcp-Session-Id: s1"), "a call in it");
	stream(call);
	event(call, "id: 1-1\ndata: {\"jsonrpc\":\"2.0\",\"id\":900,\"method\":\"elicitation/create\",\"params\":{}}\n\n");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":900,\"method\":\"elicitation/create\",\"params\":{}}\n", "a question to the client");
	client("{\"jsonrpc\":\"2.0\",\"id\":900,\"result\":{\"action\":\"accept\"}}");
	request(&c);
	ok(c && says(asked, "\"action\"") && says(asked, "Mcp-Session-Id: s1"), "its answer goes to the session");
	answer(c, "202 Accepted", "", "");
	event(call, "id: 1-2\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n");
	stream_end(call);
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", "and the result comes");

	client("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"}}");
	request(&call);
	stream(call);
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}");
	request(&c);
	ok(c && says(asked, "notifications/cancelled"), "an old client's cancelling is said to the session");
	answer(c, "202 Accepted", "", "");
	ok(!call->gate_closed, "which ends the call itself");
	stream_end(call);
	is_str(told(), "", "without an answer");

	client(MODERN("3", "tools/list"));
	request(&c);
	ok(c && !says(asked, "Mcp-Session-Id"), "a request of our revision is none of the session's");
	answer(c, "200 OK", "", "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
	told();
	client("[{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}]");
	request(&c);
	ok(c && says(asked, "Mcp-Session-Id: s1"), "a batch is the session's");
	answer(c, "200 OK", "", "[{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}]");
	is_str(told(), "[{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}]\n", "and its answer one line");
	client("[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}]");
	request(&c);
	answer(c, "202 Accepted", "", "");
	is_str(told(), "", "none for notifications");

	sim_close(events);
	settle();
	pass_time(1100);
	request(&events);
	ok(events && says(asked, "GET / ") && says(asked, "\r\nLast-Event-ID: g-2\r\n"), "a stream that is lost is asked for again, from where it was");
	answer(events, "404 Not Found", "", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"x\"}}");
	request(&c);
	ok(c && says(asked, INITIALIZE) && !door_ready(door), "the session is lost: it is begun anew with the client's own words");
	answer(c, "200 OK", "Mcp-Session-Id: s2\r\n", AGREED);
	is_str(told(), "", "of which it hears nothing");
	request(&c);
	ok(c && says(asked, INITIALIZED) && says(asked, "Mcp-Session-Id: s2"), "initialized");
	answer(c, "202 Accepted", "", "");
	request(&events);
	ok(events && says(asked, "GET / ") && !says(asked, "Last-Event-ID"), "with a new stream");
	stream(events);
	client("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"ping\"}");
	request(&c);
	answer(c, "404 Not Found", "", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"x\"}}");
	ok(says(told(), "{\"jsonrpc\":\"2.0\",\"id\":6,\"error\":{\"code\":-32603,\"message\":\"The session was lost and is begun anew: ask again\""), "a call that finds it lost is told");
	request(&c);
	ok(c && says(asked, INITIALIZE) && events->gate_closed, "and it is begun anew");
	answer(c, "503 Service Unavailable", "", "");
	pass_time(1100);
	request(&c);
	ok(c && says(asked, INITIALIZE), "as often as it takes");
	answer(c, "200 OK", "Mcp-Session-Id: s3\r\n", AGREED);
	request(&c);
	answer(c, "202 Accepted", "", "");
	request(&c);
	answer(c, "405 Method Not Allowed", "", "");
	pass_time(3000);
	request(&c);
	ok(!c, "no stream is asked for where there is none");
	door_end(door);
	settle();
	request(&c);
	ok(c && says(asked, "DELETE / HTTP/1.1\r\n") && says(asked, "Mcp-Session-Id: s3"), "at the end the session is deleted");
	ok(!door_over(door), "that is waited for");
	answer(c, "200 OK", "", "");
	ok(door_over(door), "and it is over");
	sim_end();
}

/* Sessions that end in ways that nobody asked for. */
static void sessions(void)
{
	struct sim_conn *c, *events, *call, *late;

	begin();
	old_session(&events);
	client("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}");
	request(&call);
	client("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\"}");
	request(&late);
	answer(call, "404 Not Found", "", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"x\"}}");
	request(&c);
	ok(c && says(asked, INITIALIZE), "two calls, and the session is lost: the first that hears of it begins another");
	answer(late, "404 Not Found", "", "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"x\"}}");
	request(&call);
	ok(!call, "the second does not begin one more");
	told();
	answer(c, "200 OK", "Mcp-Session-Id: s2\r\n", AGREED);
	request(&c);
	answer(c, "202 Accepted", "", "");
	request(&events);
	ok(events && says(asked, "GET / ") && says(asked, "Mcp-Session-Id: s2"), "one new session, and its stream");
	stream(events);
	client("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"a\"}");
	request(&late);
	client("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"b\"}");
	request(&call);
	answer(call, "404 Not Found", "", "{}");
	request(&c);
	answer(c, "200 OK", "Mcp-Session-Id: s3\r\n", AGREED);
	request(&c);
	answer(c, "202 Accepted", "", "");
	request(&events);
	stream(events);
	answer(late, "404 Not Found", "", "{}");
	request(&c);
	ok(!c && !events->gate_closed, "a late word about the session before is nothing to the one there is");
	ok(says(told(), "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\""), "but its call is answered");
	sim_end();

	begin();
	old_session(&events);
	client(INITIALIZE);
	request(&c);
	ok(c && says(asked, INITIALIZE) && !says(asked, "Mcp-Session-Id"), "a client that says initialize again");
	answer(c, "200 OK", "Mcp-Session-Id: s2\r\n", AGREED);
	ok(events->gate_closed, "has another session: the stream of the first ends");
	request(&c);
	ok(c && says(asked, "DELETE / ") && says(asked, "Mcp-Session-Id: s1\r\n"), "it is deleted");
	answer(c, "200 OK", "", "");
	client(INITIALIZED);
	request(&c);
	ok(c && says(asked, "Mcp-Session-Id: s2\r\n"), "the second goes on");
	answer(c, "202 Accepted", "", "");
	request(&c);
	ok(c && says(asked, "GET / ") && says(asked, "Mcp-Session-Id: s2\r\n"), "with a stream of its own");
	sim_end();
}

/* What the client has said and there is no room for just now is said again: nobody else would. */
static void patience(void)
{
	static const char yes[] = "{\"jsonrpc\":\"2.0\",\"id\":900,\"result\":{\"action\":\"accept\"}}";
	static const char busy[] = "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32603,\"message\":\"busy\"}}";
	struct sim_conn *c, *events;
	unsigned tries = 0;

	begin();
	old_session(&events);
	client(yes);
	request(&c);
	answer(c, "503 Service Unavailable", "Retry-After: 1\r\n", busy);
	ok(!door_ready(door), "an answer of the client's that finds no room: it is waited for");
	pass_time(1100);
	request(&c);
	ok(c && strcmp(body_of(asked), yes) == 0 && says(asked, "Mcp-Session-Id: s1\r\n") && says(asked, "MCP-Protocol-Version: 2025-06-18\r\n"), "and said again");
	answer(c, "202 Accepted", "", "");
	ok(door_ready(door) && log_text.n == 0, "until it is taken");
	is_str(told(), "", "the client hears nothing of it");

	client(yes);
	for (unsigned i = 0; i < 40; i++) {
		request(&c);
		if (c) {
			answer(c, "503 Service Unavailable", "", busy);
			tries++;
		}
		pass_time(1000);
	}
	ok(tries > 3 && tries < 40 && door_ready(door), "but not for ever");
	ok(log_text.n > 0, "which is logged");
	client(yes);
	sim_close(events);
	bool renewed = false, astray = false;
	for (unsigned i = 0; i < 60; i++) {
		pass_time(50);
		request(&c);
		if (!c)
			continue;
		astray = astray || (says(asked, "action") && says(asked, "Mcp-Session-Id: s2"));
		renewed = renewed || says(asked, INITIALIZE);
		if (says(asked, "GET / "))
			answer(c, renewed ? "405 Method Not Allowed" : "404 Not Found", "", "{}");
		else if (says(asked, INITIALIZE))
			answer(c, "200 OK", "Mcp-Session-Id: s2\r\n", AGREED);
		else
			answer(c, says(asked, "action") ? "503 Service Unavailable" : "202 Accepted", "", says(asked, "action") ? busy : "");
	}
	ok(renewed && !astray && door_ready(door), "what was an answer in a session that is lost is not said in the next: its questions have the same ids");
	client(yes);
	request(&c);
	answer(c, "400 Bad Request", "", busy);
	ok(door_ready(door), "another refusal stays one");
	sim_end();

	begin(); /* 4 requests and 2 listens: a session keeps some for itself */
	old_session(&events);
	for (unsigned i = 0; i < 6; i++)
		client(MODERN("6", "a"));
	ok(says(told(), "at its limit"), "beside a session fewer requests of the other kind are let in");
	for (unsigned i = 0; i < 6; i++)
		request(&c);
	client("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
	request(&c);
	ok(c && says(asked, "roots"), "so that what its client says gets through");
	sim_end();
}

static void endings(void)
{
	struct sim_conn *c, *listen;

	begin();
	client(MODERN("1", "subscriptions/listen"));
	request(&listen);
	stream(listen);
	client(MODERN("2", "a"));
	request(&c);
	door_end(door);
	settle();
	ok(listen->gate_closed && !door_over(door) && !door_ready(door), "a subscription ends at once, a call is waited for");
	answer(c, "200 OK", "", "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
	is_str(told(), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n", "it is answered");
	ok(door_over(door), "then it is over");
	sim_end();

	begin();
	client(MODERN("2", "a"));
	request(&c);
	door_end(door);
	pass_time(4900);
	ok(!door_over(door), "a call that takes long");
	pass_time(200);
	ok(door_over(door), "is not waited for for ever");
	sim_end();

	begin();
	door_end(door);
	settle();
	ok(door_over(door), "an end without a beginning");
	sim_end();
}

int main(void)
{
	modern();
	refusals();
	old();
	sessions();
	patience();
	endings();
	free(area);
	return done_testing();
}
