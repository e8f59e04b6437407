/* flow/old_http against servers that keep streams open for nothing, forget sessions at the worst moment, and set a pace of their own. */
#include "unit/flow/old_http_kit.h"

static void give_credentials(void)
{
	unsigned n = ncredentials;

	for (unsigned k = 0; k < n; k++)
		old_http_credential(http, credential_calls[k], SPAN("Authorization: Bearer x"));
	memmove(credential_calls, credential_calls + n, sizeof credential_calls - n * sizeof credential_calls[0]);
	ncredentials -= n;
	turns();
}

static void session_is(const char *name, uint64_t id, bool streams)
{
	begin(1);
	old_http_start(http, 0);
	turns();
	(void)open_session(0, id, name, streams);
	buf_reset(&told);
}

/* Streams that nobody waits for any more, or ever did, do not stay. */
static void kept_open(void)
{
	struct sim_conn *stream, *c;
	unsigned n = 0;

	session_is("one", 1, false);
	while (old_http_send(http, 0, OLD_HTTP_REQUEST, 100 + n, SPAN("2025-06-18"), SPAN("{own}")))
		n++;
	ok(n >= CALLS, "requests that the owner does not wait for");
	while ((c = asked("POST", "{own}")) != NULL)
		if (n++ & 1)
			reply(c, STREAM);
	pass(2200);
	ok(old_http_open(http) == 0 && was_told(""), "have their time, as other messages have");

	begin(1);
	old_http_start(http, 0);
	turns();
	stream = open_session(0, 1, "one", true);
	buf_reset(&told);
	say_it(0, OLD_HTTP_REQUEST, 2, "2025-06-18", "{two}");
	say_it(0, OLD_HTTP_REQUEST, 3, "2025-06-18", "{three}");
	reply(asked("POST", "{two}"), STREAM);
	c = asked("POST", "{three}");
	reply(c, STREAM);
	reply(stream, "data: {\"id\":2}\n\n");
	ok(was_told("message0 0 {\"id\":2} "), "a request that is answered on another stream");
	pass(4500);
	is_int((int)old_http_open(http), 1, "its own does not stay open for it");
	pass(60000);
	is_int((int)old_http_open(http), 1, "one that is waited for does");
	reply(c, "data: {\"id\":3}\n\n");
	ok(was_told("message0 3 {\"id\":3} "), "as long as it takes");
}

static void pass_one(int64_t ms)
{
	sim.now_ms += ms;
	(void)sim_deliver(&loop);
	turns();
}

/* `retry: 0` sets no pace that nobody could keep up with. */
static void pace(void)
{
	struct sim_conn *c;
	unsigned n = 0;

	session_is("one", 1, false);
	say_it(0, OLD_HTTP_REQUEST, 2, "2025-11-25", "{two}");
	c = asked("POST", "{two}");
	for (int64_t until = sim.now_ms + 3000; sim.now_ms < until;) {
		if (c) {
			reply(c, STREAM "retry: 0\nid: e\ndata: {}\n\n");
			sim_fin(c);
			n++;
		}
		c = asked("GET", "Last-Event-ID: e");
		if (!c)
			pass_one(20);
		if (n > 100)
			break;
	}
	ok(n > 3 && n <= 31, "a request's stream");
	begin(1);
	old_http_start(http, 0);
	turns();
	c = open_session(0, 1, "one", true);
	n = 0;
	reply(c, "retry: 0\nid: e\ndata: {}\n\n");
	for (int64_t until = sim.now_ms + 3000; sim.now_ms < until;) {
		if (c) {
			sim_fin(c);
			n++;
		}
		c = asked("GET", "Last-Event-ID: e");
		if (c)
			reply(c, STREAM "data: {}\n\n");
		else
			pass_one(20);
		if (n > 100)
			break;
	}
	ok(n > 1 && n <= 31, "and the GET stream");
}

/* The session is lost while messages wait for something: none goes out of it, or into the next where it would not belong. */
static void between(void)
{
	struct sim_conn *c;

	settings.credential = true;
	begin(1);
	old_http_start(http, 0);
	turns();
	(void)open_session(0, 1, "one", false);
	buf_reset(&told);
	say_it(0, OLD_HTTP_REQUEST, 2, "2025-06-18", "{two}");
	c = asked("{two}", "Mcp-Session-Id: one");
	late_credential = true;
	say_it(0, OLD_HTTP_REQUEST, 3, "2025-06-18", "{three}");
	say_it(0, OLD_HTTP_RESPONSE, 0, "2025-06-18", "{response}");
	turns();
	is_int((int)ncredentials, 2, "two wait for credentials");
	reply(c, GONE);
	ok(was_told("again0 "), "the session is gone");
	give_credentials();
	ok(!asked("POST", "{three}") && !asked("POST", "{response}"), "they do not go out without one");
	late_credential = false;
	say_it(0, OLD_HTTP_INITIALIZE, 4, NULL, "{initialize}");
	reply_json(asked("{initialize}", ""), "Mcp-Session-Id: two\r\n", "{\"id\":4}");
	say_it(0, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
	reply(asked("{initialized}", "Mcp-Session-Id: two"), ACCEPTED);
	reply_json(asked("{two}", "Mcp-Session-Id: two"), "", "{\"id\":2}");
	reply_json(asked("{three}", "Mcp-Session-Id: two"), "", "{\"id\":3}");
	ok(was_told("message0 4 {\"id\":4} message0 2 {\"id\":2} message0 3 {\"id\":3} "), "the request goes into the next");
	ok(!asked("{response}", ""), "the answer to the old one's question does not");
	settings.credential = false;

	session_is("one", 1, false);
	say_it(0, OLD_HTTP_REQUEST, 2, "2025-06-18", "{two}");
	c = asked("POST", "{two}");
	reply(c, STREAM "id: e1\nretry: 5000\ndata:\n\n");
	sim_fin(c);
	turns();
	say_it(0, OLD_HTTP_REQUEST, 3, "2025-06-18", "{three}");
	reply(asked("POST", "{three}"), GONE);
	say_it(0, OLD_HTTP_INITIALIZE, 4, NULL, "{initialize}");
	reply_json(asked("{initialize}", ""), "Mcp-Session-Id: two\r\n", "{\"id\":4}");
	say_it(0, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
	reply(asked("{initialized}", ""), ACCEPTED);
	reply_json(asked("{three}", "Mcp-Session-Id: two"), "", "{\"id\":3}");
	ok(was_told("again0 message0 4 {\"id\":4} message0 3 {\"id\":3} "), "a session in place of one in which a stream has broken");
	pass(6000);
	ok(!asked("GET", "Last-Event-ID") && was_told("failed0 2(broke its event stream before the answer, and its session is) "), "the stream does not go on in it");
}

/* What is said besides leaves room for requests. */
static void besides(void)
{
	unsigned n = 0;

	session_is("one", 1, false);
	while (n < 100 && say_it(0, OLD_HTTP_RESPONSE, 0, "2025-06-18", "{pong}"))
		n++;
	is_int((int)n, CALLS, "as many as there may be");
	for (uint64_t id = 2; id < 2 + CALLS; id++)
		ok(say_it(0, OLD_HTTP_REQUEST, id, "2025-06-18", "{request}"), "a request has a place of its own");
	pass(2200);
	ok(say_it(0, OLD_HTTP_RESPONSE, 0, "2025-06-18", "{pong}"), "later there is room again");
}

int main(void)
{
	kit_settings();
	kept_open();
	pace();
	between();
	besides();
	sim_end();
	free(mem);
	return done_testing();
}
