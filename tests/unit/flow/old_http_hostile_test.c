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
	(void)begin_session(1, id, name, streams);
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

	stream = begin_session(1, 1, "one", true);
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
	c = begin_session(1, 1, "one", true);
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
	(void)begin_session(1, 1, "one", false);
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

#define DENIED "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"

/* The next GET, within a minute. */
static struct sim_conn *next_get(void)
{
	struct sim_conn *c = asked("GET", "");

	for (int64_t until = sim.now_ms + 60000; !c && sim.now_ms < until; c = asked("GET", ""))
		pass(100);
	return c;
}

/* The GET stream lasts for days: a credential may get old, and what stands before the server be away, more than once. */
static void lasting(void)
{
	struct sim_conn *c;

	settings.credential = true;
	c = begin_session(1, 1, "one", true);
	for (unsigned i = 0; i < 3 && c; i++) {
		sim_fin(c);
		turns();
		reply(next_get(), DENIED);
		c = next_get();
		ok(c != NULL, "refused, it is asked for once more with another credential");
		reply(c, STREAM "id: e\ndata: {}\n\n");
	}
	if (c)
		sim_fin(c);
	turns();
	reply(next_get(), DENIED);
	reply(next_get(), DENIED);
	ok(!next_get(), "but not without end");
	settings.credential = false;
	c = begin_session(1, 1, "one", true);
	sim_fin(c);
	turns();
	reply(next_get(), "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
	c = next_get();
	buf_reset(&told);
	reply(c, STREAM "data: {\"news\":1}\n\n");
	ok(was_told("message0 0 {\"news\":1} "), "a server that is away for a while has its stream again");
}

/* Servers and owners that do anything at all: when all is stopped nothing is left. */
static void anything(void)
{
	static const char *const replies[] = {
		ACCEPTED, NO_GET, GONE, DENIED, STREAM, STREAM "retry: 0\nid: 7\ndata: {\"id\":3}\n\n", "data: {\"id\":5}\n\n", "id: \xff\ndata:\n\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\nContent-Length: 8\r\n\r\n{\"id\":1}",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: a\tb\r\nContent-Length: 8\r\n\r\n{\"id\":2}",
		"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 302 No\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n",
	};
	unsigned wrong = 0, lost = 0, failures = 0;

	for (uint64_t seed = 0; seed < 400; seed++) {
		uint64_t id = 1;

		settings.credential = seed & 1;
		begin(seed);
		for (int step = 0; step < 200; step++) {
			unsigned peer = sim_roll(PEERS);
			struct sim_conn *c = sim.top ? &sim.conn[sim_roll(sim.top)] : NULL;

			if (step == 0 || sim_roll(25) == 0) {
				full_up = stop_inside = late_credential = no_credential = false;
				old_http_start(http, peer);
				turns();
				say_it(peer, OLD_HTTP_INITIALIZE, 60, NULL, "{initialize}");
				if ((c = asked("{initialize}", "")) != NULL)
					reply_json(c, "Mcp-Session-Id: one\r\n", "{\"id\":60}");
				say_it(peer, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
				if ((c = asked("{initialized}", "")) != NULL)
					reply(c, ACCEPTED);
			} else if (sim_roll(30) == 0)
				old_http_stop(http, peer);
			else if (sim_roll(2))
				(void)say_it(peer, sim_roll(4) ? OLD_HTTP_REQUEST : (enum old_http_what)sim_roll(5), id = id % 50 + 1, "2025-06-18", "{message}");
			full_up = sim_roll(8) == 0;
			late_credential = sim_roll(3) == 0;
			no_credential = sim_roll(20) == 0;
			stop_inside = sim_roll(40) == 0;
			if (sim_roll(5) == 0)
				close_id(id);
			if (c && c->used && c->connecting) {
				c->connecting = false;
				c->pending |= LOOP_WRITE;
			} else if (c && c->used && !c->gate_closed) {
				const char *text = replies[sim_roll(sizeof replies / sizeof replies[0])];

				if (c->got.n > 0)
					sim_took(c, c->got.n);
				sim_say(c, text, sim_roll(4) ? strlen(text) : sim_roll((uint32_t)strlen(text) + 1));
				if (sim_roll(6) == 0)
					sim_fin(c);
				else if (sim_roll(12) == 0)
					sim_reset(c);
			}
			sim.now_ms += sim_roll(200);
			turns();
			lost += memmem(told.p, told.n, "again", 5) != NULL;
			failures += memmem(told.p, told.n, "failed", 6) != NULL;
			buf_reset(&told);
		}
		full_up = stop_inside = late_credential = false;
		for (unsigned i = 0; i < PEERS; i++)
			old_http_stop(http, i);
		pass(OLD_HTTP_DELETE_MS + 100);
		pass(5000);
		wrong += old_http_open(http) != 0;
		for (unsigned i = 0; i < sim.top; i++)
			wrong += sim.conn[i].used && !sim.conn[i].gate_closed;
	}
	settings.credential = false;
	is_int((int)wrong, 0, "400 worlds in which servers do anything");
	diag("%u sessions lost, %u failures", lost, failures);
	ok(lost > 100 && failures > 1000, "among which sessions are lost, and requests come to nothing");
}

int main(void)
{
	kit_settings();
	kept_open();
	pace();
	between();
	besides();
	lasting();
	anything();
	sim_end();
	free(mem);
	return done_testing();
}
