/* flow/old_http on a network in memory: sessions, streams that break, servers that forget, and those that do not play by the rules. */
#include "unit/flow/old_http_kit.h"

static void session(void)
{
	for (uint64_t seed = 0; seed < 9; seed++) {
		struct sim_conn *c;

		begin(seed);
		old_http_start(http, 1);
		turns();
		ok(was_told("up1 "), "started");
		ok(say_it(1, OLD_HTTP_INITIALIZE, 7, NULL, "{initialize}"), "initialize");
		c = asked("POST /mcp ", "{initialize}");
		ok(c && has("Accept: application/json, text/event-stream\r\n") && has("Content-Type: application/json\r\n") && has("X-Own: 1\r\n")
			&& !has("Mcp-Session-Id") && !has("MCP-Protocol-Version"), "a POST without session and version");
		reply_json(c, "Mcp-Session-Id: abc-1\r\n", "{\"id\":7,\"hello\":1}");
		ok(was_told("message1 7 {\"id\":7,\"hello\":1} "), "answered");
		say_it(1, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
		say_it(1, OLD_HTTP_REQUEST, 8, "2025-06-18", "{early}");
		c = asked("POST ", "{initialized}");
		ok(c && has("Mcp-Session-Id: abc-1\r\n") && has("MCP-Protocol-Version: 2025-06-18\r\n"), "initialized, in its session");
		ok(!asked("POST", "{early}"), "nothing overtakes it");
		reply(c, ACCEPTED);
		c = asked("POST", "{early}");
		ok(c && has("Mcp-Session-Id: abc-1\r\n") && has("MCP-Protocol-Version: 2025-06-18\r\n"), "then a request");
		reply(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
			"19\r\ndata: {\"progress\":true}\n\n\r\n14\r\ndata: {\"id\":8,\"r\":1}\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n");
		ok(was_told("message1 8 {\"progress\":true} message1 8 {\"id\":8,\"r\":1} "), "answered by events");
		c = asked("GET ", "Mcp-Session-Id: abc-1\r\n");
		ok(c && has("Accept: text/event-stream\r\n") && has("MCP-Protocol-Version: 2025-06-18\r\n") && !has("Content-Length"), "its GET stream");
		reply(c, STREAM "id: 5\ndata: {\"news\":1}\n\n");
		ok(was_told("message1 0 {\"news\":1} "), "brings messages of no request");
		say_it(1, OLD_HTTP_NOTIFICATION, 0, "2025-06-18", "{notification}");
		say_it(1, OLD_HTTP_RESPONSE, 0, "2025-06-18", "{response}");
		c = asked("POST", "{notification}");
		reply(c, ACCEPTED);
		c = asked("POST", "{response}");
		reply(c, ACCEPTED);
		ok(was_told(""), "202 says nothing");
		is_int((int)old_http_open(http), 0, "nothing is open but the stream");
		old_http_stop(http, 1);
		c = asked("DELETE /mcp ", "Mcp-Session-Id: abc-1\r\n");
		ok(c && has("MCP-Protocol-Version: 2025-06-18\r\n"), "DELETE at its end");
		reply(c, "HTTP/1.1 204 No Content\r\n\r\n");
		pass(5000);
		ok(old_http_open(http) == 0 && was_told(""), "and nothing more");
		for (unsigned i = 0; i < sim.top; i++)
			if (sim.conn[i].used && !sim.conn[i].gate_closed)
				ok(false, "no connection is left");
	}
}

/* Two sessions at once, on connections of their own; a server without sessions; requests at once. */
static void apart(void)
{
	struct sim_conn *a, *b;

	begin(1);
	old_http_start(http, 0);
	old_http_start(http, 2);
	turns();
	ok(was_told("up0 up2 "), "two");
	(void)open_session(0, 1, "first", false);
	(void)open_session(2, 2, NULL, false);
	ok(was_told("message0 1 {\"id\":1} message2 2 {\"id\":2} "), "both stand");
	say_it(0, OLD_HTTP_REQUEST, 3, "2025-06-18", "{three}");
	say_it(2, OLD_HTTP_REQUEST, 4, "2025-06-18", "{four}");
	say_it(2, OLD_HTTP_REQUEST, 5, "2025-06-18", "{five}");
	a = asked("{three}", "Mcp-Session-Id: first");
	b = asked("{four}", "");
	ok(a && b && a != b && !has("Mcp-Session-Id"), "each in its own, or in none");
	reply_json(asked("{five}", ""), "", "{\"id\":5}");
	reply_json(b, "", "{\"id\":4}");
	reply_json(a, "", "{\"id\":3}");
	ok(was_told("message2 5 {\"id\":5} message2 4 {\"id\":4} message0 3 {\"id\":3} "), "answered in any order");
	for (uint64_t id = 10; id < 10 + 2 * CALLS + 2 * PEERS; id++)
		ok(say_it(0, OLD_HTTP_REQUEST, id, "2025-06-18", "{many}"), "as many as fit");
	ok(!say_it(0, OLD_HTTP_REQUEST, 40, "2025-06-18", "{many}"), "and no more");
	old_http_stop(http, 0);
	old_http_stop(http, 2);
	turns();
	ok(!asked("DELETE", "no session") && was_told(""), "stopping lets them go without a word");
	ok(!say_it(0, OLD_HTTP_REQUEST, 41, "2025-06-18", "{x}"), "a peer that is off takes nothing");
}

/* What replies that are none come to. */
static const struct { const char *reply, *want; bool fin; } bad[] = {
	{ "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "failed0 9(answered with HTTP status 500) ", false },
	{ "HTTP/1.1 400 No\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"id\":9}", "message0 9 {\"id\":9} ", false },
	{ "HTTP/1.1 400 No\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"id\":null}", "message0 9 {\"id\":null} failed0 9(answered with HTTP status 400) ", false },
	{ "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", "failed0 9(answered with HTTP status 302) ", false },
	{ "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n", "failed0 9(answered with HTTP status 401) ", false },
	{ ACCEPTED, "failed0 9(answered with HTTP status 202) ", false },
	{ "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1\r\n\r\nx", "failed0 9(answered with something that is no answer) ", false },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{\"id\":8}", "message0 9 {\"id\":8} failed0 9(answered with something that is no answer) ", false },
	{ STREAM, "failed0 9(ended its event stream without an answer) ", true },
	{ STREAM "data: {\"id\":8}\n\n", "message0 9 {\"id\":8} failed0 9(ended its event stream without an answer) ", true },
	{ STREAM "data: {\"id\":9}\n\ndata: {\"late\":1}\n\n", "message0 9 {\"id\":9} message0 9 {\"late\":1} ", true },
	{ "", "failed0 9(closed the connection before its answer was whole) ", true },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 80\r\n\r\n{", "failed0 9(closed the connection before its answer was whole) ", true },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "failed0 9(sent an answer that is not HTTP/1.1, or with a coding it was) ", false },
	{ "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n", "failed0 9(sent an answer over the limit) ", false },
};

static void no_answers(void)
{
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		for (uint64_t seed = 0; seed < 4; seed++) {
			struct sim_conn *c;

			(void)begin_session(seed, 1, NULL, false);
			buf_reset(&told);
			say_it(0, OLD_HTTP_REQUEST, 9, "2025-06-18", "{nine}");
			c = asked("POST", "{nine}");
			reply(c, bad[i].reply);
			if (bad[i].fin && c)
				sim_fin(c);
			turns();
			ok(was_told(bad[i].want) && old_http_open(http) == 0, bad[i].want);
		}
	/* A start that comes to nothing stops the peer. */
	static const char *starts[] = {
		NO_GET, GONE, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: a b\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id:\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: \xc3\xa4\r\nContent-Length: 2\r\n\r\n{}", STREAM "id: 4\ndata:\n\n"
	};
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		struct sim_conn *c;

		begin(i);
		old_http_start(http, 0);
		turns();
		say_it(0, OLD_HTTP_INITIALIZE, 1, NULL, "{initialize}");
		c = asked("POST", "{initialize}");
		reply(c, starts[i]);
		if (c)
			sim_fin(c);
		turns();
		ok(was_told(i < 1 ? "up0 failed0 1(answered initialize with HTTP status 405 (a server that has ) " :
			i < 2 ? "up0 failed0 1(answered initialize with HTTP status 404 (a server that has ) " :
			i < 3 ? "up0 failed0 1(answered initialize with HTTP status 400 (a server that has ) " :
			i < 6 ? "up0 failed0 1(began a session whose id is too long, or no visible ASCII) " : "up0 failed0 1(ended its event stream without an answer) "),
			"a start that comes to nothing");
		ok(!say_it(0, OLD_HTTP_REQUEST, 2, NULL, "{x}") && old_http_open(http) == 0, "the peer is off");
	}
	begin(1);
	old_http_start(http, 0);
	turns();
	say_it(0, OLD_HTTP_INITIALIZE, 1, NULL, "{initialize}");
	reply_json(asked("POST", "{initialize}"), "", "{\"id\":1}");
	say_it(0, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
	reply(asked("POST", "{initialized}"), GONE);
	ok(was_told("up0 message0 1 {\"id\":1} down0 (answered notifications/initialized with HTTP status 404) "), "initialized is refused");
}

/* The server has forgotten the session. */
static void forgotten(void)
{
	for (uint64_t seed = 0; seed < 6; seed++) {
		struct sim_conn *c, *stream;

		stream = begin_session(seed, 1, "one", true);
		buf_reset(&told);
		say_it(0, OLD_HTTP_REQUEST, 2, "2025-06-18", "{two}");
		say_it(0, OLD_HTTP_REQUEST, 3, "2025-06-18", "{three}");
		say_it(0, OLD_HTTP_RESPONSE, 0, "2025-06-18", "{response}");
		c = asked("{two}", "Mcp-Session-Id: one");
		reply(c, GONE);
		ok(was_told("again0 "), "the owner hears it");
		ok(stream->gate_closed, "the stream of the old session is closed");
		reply(asked("{three}", "Mcp-Session-Id: one"), GONE);
		reply(asked("{response}", "Mcp-Session-Id: one"), GONE);
		ok(was_told(""), "once");
		say_it(0, OLD_HTTP_INITIALIZE, 4, NULL, "{initialize}");
		c = asked("{initialize}", "");
		ok(c && !has("Mcp-Session-Id"), "begins anew");
		reply_json(c, "Mcp-Session-Id: two\r\n", "{\"id\":4}");
		say_it(0, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
		say_it(0, OLD_HTTP_NOTIFICATION, 0, "2025-06-18", "{subscribe}");
		c = asked("{initialized}", "Mcp-Session-Id: two");
		ok(!asked("{two}", ""), "what had the 404 waits");
		reply(c, ACCEPTED);
		reply_json(asked("{two}", "Mcp-Session-Id: two"), "", "{\"id\":2}");
		reply(asked("{subscribe}", "Mcp-Session-Id: two"), ACCEPTED);
		c = asked("{three}", "Mcp-Session-Id: two");
		ok(c && !asked("{response}", ""), "requests are sent once more, answers are not");
		ok(was_told("message0 4 {\"id\":4} message0 2 {\"id\":2} "), "and answered");
		reply(c, GONE);
		ok(was_told("failed0 3(answered with HTTP status 404) again0 "), "the second time is the last");
	}
	/* A server that does not know GET says 404 to it: that is no session that is gone. */
	struct sim_conn *c;
	begin(1);
	old_http_start(http, 0);
	turns();
	say_it(0, OLD_HTTP_INITIALIZE, 1, NULL, "{initialize}");
	reply_json(asked("POST", "{initialize}"), "Mcp-Session-Id: one\r\n", "{\"id\":1}");
	say_it(0, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
	reply(asked("POST", "{initialized}"), ACCEPTED);
	c = asked("GET", "");
	reply(c, GONE);
	pass(5000);
	ok(!asked("GET", "") && was_told("up0 message0 1 {\"id\":1} "), "a server that says 404 to GET has no stream, and keeps its session");
}

/* Streams that break go on where the server gave ids. */
static void resumption(void)
{
	for (uint64_t seed = 0; seed < 6; seed++) {
		struct sim_conn *c;

		(void)begin_session(seed, 1, "one", false);
		buf_reset(&told);
		say_it(0, OLD_HTTP_REQUEST, 2, "2025-11-25", "{two}");
		c = asked("POST", "{two}");
		reply(c, STREAM "id: e1\nretry: 300\ndata:\n\n");
		if (seed & 1)
			sim_fin(c);
		else
			sim_reset(c);
		turns();
		ok(!asked("GET", "") && was_told(""), "it waits as long as the server said");
		pass(400);
		c = asked("GET", "Last-Event-ID: e1\r\n");
		ok(c && has("Mcp-Session-Id: one\r\n"), "then it goes on");
		reply(c, STREAM "id: e2\ndata: {\"p\":1}\n\n");
		ok(was_told("message0 2 {\"p\":1} "), "with what it had not seen");
		sim_fin(c);
		turns();
		ok(!asked("GET", ""), "again a pause: a second, since nothing was said");
		pass(1100);
		c = asked("GET", "Last-Event-ID: e2\r\n");
		sim_fin(c);
		turns();
		pass(1100);
		c = asked("GET", "Last-Event-ID: e2\r\n");
		ok(c != NULL, "one that is lost before its head is tried again");
		reply(c, STREAM "data: {\"id\":2}\n\n");
		ok(was_told("message0 2 {\"id\":2} "), "and brings the answer");
		sim_fin(c);
		turns();
		pass(3000);
		ok(!asked("GET", "") && !asked("POST", "") && old_http_open(http) == 0, "after which nothing is asked");
	}
	struct sim_conn *c;
	unsigned n = 0;
	(void)begin_session(1, 1, "one", false);
	buf_reset(&told);
	say_it(0, OLD_HTTP_REQUEST, 2, "2025-11-25", "{two}");
	c = asked("POST", "{two}");
	reply(c, STREAM "id: e1\ndata:\n\n");
	for (; n < 50 && c; n++) {
		sim_fin(c);
		turns();
		pass(1100);
		c = asked("GET", "Last-Event-ID: e1\r\n");
		if (c)
			reply(c, STREAM);
	}
	ok(n == OLD_HTTP_RESUMES + 1 && was_told("failed0 2(ended its event stream without an answer) "), "without a new event it goes on only so many times");
	say_it(0, OLD_HTTP_REQUEST, 3, "2025-11-25", "{three}");
	c = asked("POST", "{three}");
	reply(c, STREAM "id: e1\ndata:\n\n");
	sim_fin(c);
	turns();
	pass(1100);
	reply(asked("GET", "Last-Event-ID: e1\r\n"), NO_GET);
	ok(was_told("failed0 3(broke its event stream before the answer, and does not go on) "), "a server that cannot go on");
	/* The GET stream itself comes back, from its last id, and later each time. */
	c = begin_session(2, 1, "one", true);
	buf_reset(&told);
	reply(c, "id: g7\ndata: {\"n\":1}\n\n");
	sim_fin(c);
	turns();
	pass(1100);
	c = asked("GET", "Last-Event-ID: g7\r\n");
	ok(c != NULL, "the GET stream comes back");
	reply(c, STREAM);
	sim_fin(c);
	turns();
	pass(1100);
	ok(!asked("GET", ""), "later the next time");
	pass(1000);
	c = asked("GET", "Last-Event-ID: g7\r\n");
	reply(c, STREAM "data: {\"n\":2}\n\n");
	ok(was_told("message0 0 {\"n\":1} message0 0 {\"n\":2} "), "with what comes on it");
	reply(c, "data: x\n\n");
	sim_fin(c);
	turns();
	pass(1100);
	reply(asked("GET", "Last-Event-ID: g7"), GONE);
	ok(was_told("message0 0 x again0 "), "a stream whose session is gone says so");
}

static void cancelled(void)
{
	struct sim_conn *c;

	(void)begin_session(1, 1, "one", false);
	buf_reset(&told);
	say_it(0, OLD_HTTP_REQUEST, 2, "2025-11-25", "{two}");
	c = asked("POST", "{two}");
	say_it(0, OLD_HTTP_NOTIFICATION, 2, "2025-11-25", "{cancelled}");
	turns();
	ok(c->gate_closed, "the stream of a cancelled request is closed");
	reply(asked("POST", "{cancelled}"), ACCEPTED);
	ok(was_told("") && old_http_open(http) == 0, "and nobody hears of it");
	/* A message that is no request must be answered in time. */
	say_it(0, OLD_HTTP_NOTIFICATION, 0, "2025-11-25", "{x}");
	c = asked("POST", "{x}");
	pass(3000);
	ok(c->gate_closed && old_http_open(http) == 0, "a notification that nobody answers is given up");
	/* A request may take its time, also between its answer and its end. */
	say_it(0, OLD_HTTP_REQUEST, 3, "2025-11-25", "{three}");
	c = asked("POST", "{three}");
	reply(c, STREAM);
	pass(60000);
	ok(!c->gate_closed, "a request may take long");
	reply(c, "data: {\"id\":3}\n\n");
	ok(was_told("message0 3 {\"id\":3} "), "answered");
	pass(1200);
	ok(c->gate_closed && old_http_open(http) == 0, "a stream that does not end behind its answer is closed");
	/* Stopped from inside. */
	say_it(0, OLD_HTTP_REQUEST, 4, "2025-11-25", "{four}");
	c = asked("POST", "{four}");
	stop_inside = true;
	reply(c, STREAM "data: a\n\ndata: b\n\n");
	ok(was_told("message0 4 a ") && c->gate_closed, "stopped from inside a message");
}

static void room(void)
{
	struct sim_conn *c, *stream;

	stream = begin_session(1, 1, "one", true);
	buf_reset(&told);
	say_it(0, OLD_HTTP_REQUEST, 2, "2025-11-25", "{two}");
	c = asked("POST", "{two}");
	full_up = true;
	reply_json(c, "", "{\"id\":2}");
	reply(stream, "data: {\"n\":1}\n\ndata: {\"n\":2}\n\n");
	ok(was_told(""), "without room nothing is handed over");
	full_up = false;
	turns();
	ok(told.n == strlen("message0 2 {\"id\":2} message0 0 {\"n\":1} message0 0 {\"n\":2} ") && old_http_open(http) == 0, "with room all of it");
	buf_reset(&told);
	full_up = true;
	reply(stream, "data: {\"n\":3}\n\n");
	old_http_stop(http, 0);
	full_up = false;
	turns();
	ok(was_told(""), "what is stopped is not handed over later");
}

static void credentials(void)
{
	struct sim_conn *c;

	settings.credential = true;
	for (uint64_t seed = 0; seed < 6; seed++) {
		begin(seed);
		old_http_start(http, 0);
		turns();
		late_credential = true;
		say_it(0, OLD_HTTP_INITIALIZE, 1, NULL, "{initialize}");
		ok(!asked("POST", "") && ncredentials == 1, "nothing is asked without its credential");
		late_credential = false;
		c = asked("{initialize}", "Authorization: Bearer first\r\n");
		reply(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
		c = asked("{initialize}", "Authorization: Bearer newer\r\n");
		ok(c != NULL && nagain == 1 && !has("first"), "one that is refused is replaced, once");
		reply(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
		ok(was_told("up0 failed0 1(answered initialize with HTTP status 401) "), "the second refusal counts");
		nagain = 0;
		old_http_start(http, 0);
		turns();
		(void)open_session(0, 2, "one", false);
		ok(was_told("up0 message0 2 {\"id\":2} "), "a session");
		old_http_stop(http, 0);
		ok(asked("DELETE", "Authorization: Bearer first") != NULL, "its end has one too");
		no_credential = true;
		old_http_start(http, 0);
		turns();
		say_it(0, OLD_HTTP_INITIALIZE, 3, NULL, "{initialize}");
		turns();
		ok(was_told("up0 failed0 3(cannot be asked: no credential for it is to be had) "), "none to be had");
	}
	begin(1);
	late_credential = true;
	old_http_start(http, 0);
	turns();
	say_it(0, OLD_HTTP_INITIALIZE, 3, NULL, "{initialize}");
	turns();
	old_http_credential(http, credential_calls[0], SPAN("Authorization: a\r\nX-Evil: b"));
	turns();
	ok(was_told("up0 failed0 3(cannot be asked: its credential is no head line that fits) "), "one that is no head line");
	old_http_credential(http, credential_calls[0], SPAN("Authorization: a"));
	old_http_credential(http, 77, SPAN("Authorization: a"));
	old_http_credential(http, UINT64_MAX, SPAN("Authorization: a"));
	turns();
	ok(was_told("") && !asked("POST", ""), "answers that nobody waits for");
	settings.credential = false;
}

static void over_tls(void)
{
	struct sim_conn *c;

	sim_tls_world(1);
	settings.tls = &sim_route;
	free(mem);
	mem = aligned_alloc(64, old_http_need(&settings));
	for (uint64_t seed = 0; seed < 3; seed++) {
		(void)begin_session(seed, 1, "one", false);
		say_it(0, OLD_HTTP_REQUEST, 2, "2025-11-25", "{two}");
		c = asked("POST", "{two}");
		reply_json(c, "", "{\"id\":2}");
		ok(was_told("up0 message0 1 {\"id\":1} message0 2 {\"id\":2} "), "over TLS");
	}
	settings.tls = &sim_route_distrust;
	begin(1);
	old_http_start(http, 0);
	turns();
	say_it(0, OLD_HTTP_INITIALIZE, 1, NULL, "{initialize}");
	ok(!asked("POST", "") && told.n > 13 && memcmp(told.p, "up0 failed0 1(", 13) == 0, "a server that is not to be trusted is not spoken to");
	settings.tls = NULL;
}

int main(void)
{
	kit_settings();
	session();
	apart();
	no_answers();
	forgotten();
	resumption();
	cancelled();
	room();
	credentials();
	over_tls();
	sim_end();
	free(mem);
	return done_testing();
}
