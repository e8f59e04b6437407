/* flow/old_http with an owner and servers that a test plays, on a network in memory. */
#ifndef TESTS_FLOW_OLD_HTTP_KIT_H
#define TESTS_FLOW_OLD_HTTP_KIT_H

#include "flow/old_http.h"

#include <stdlib.h>

#include "base/text.h"
#include "flow/conn.h"
#include "tap.h"
#include "unit/flow/sim_tls.h"

enum { PORT = 3000, PEERS = 3, CALLS = 4, LINES = 64, TEXT = 8192, CONNS = 200 };

static struct loop loop;
static struct old_http *http;
static struct old_http_settings settings;
static char *mem;
static struct { size_t n; char text[TEXT + 1]; } got[CONNS]; /* what each connection has brought and nobody took */

/* What the owner was told, one line each. */
static char told_mem[1 << 16];
static struct buf told;
static uint64_t open_ids[LINES];
static bool full_up, no_credential, late_credential, stop_inside;
static uint64_t credential_calls[LINES];
static unsigned ncredentials, nagain;

static void tell(struct span what, unsigned peer)
{
	buf_put(&told, what);
	buf_u64(&told, peer);
	buf_char(&told, ' ');
}

static void close_id(uint64_t id)
{
	for (unsigned i = 0; i < LINES; i++)
		if (open_ids[i] == id)
			open_ids[i] = 0;
}

static void on_up(void *ctx, unsigned peer) { (void)ctx; tell(SPAN("up"), peer); }
static void on_again(void *ctx, unsigned peer) { (void)ctx; tell(SPAN("again"), peer); }

/* `{"id":7...` answers request 7. */
static void on_message(void *ctx, unsigned peer, uint64_t of, struct span message)
{
	struct span rest = span_from(message, 6);
	size_t n = 0;
	uint64_t id;

	(void)ctx;
	tell(SPAN("message"), peer);
	buf_u64(&told, of);
	buf_char(&told, ' ');
	buf_put(&told, message);
	buf_char(&told, ' ');
	while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9')
		n++;
	if (span_starts(message, SPAN("{\"id\":")) && text_u64(span_of(rest.p, n), &id))
		close_id(id);
	if (stop_inside)
		old_http_stop(http, peer);
}

static bool on_awaits(void *ctx, unsigned peer, uint64_t id)
{
	(void)ctx;
	(void)peer;
	for (unsigned i = 0; i < LINES; i++)
		if (open_ids[i] == id && id != 0)
			return true;
	return false;
}

static void on_failed(void *ctx, unsigned peer, uint64_t id, struct span why)
{
	(void)ctx;
	tell(SPAN("failed"), peer);
	buf_u64(&told, id);
	buf_char(&told, '(');
	buf_put(&told, span_of(why.p, why.n < 60 ? why.n : 60));
	BUF_LIT(&told, ") ");
	close_id(id);
}

static void on_down(void *ctx, unsigned peer, struct span why)
{
	(void)ctx;
	tell(SPAN("down"), peer);
	buf_char(&told, '(');
	buf_put(&told, why);
	BUF_LIT(&told, ") ");
}

static bool on_room(void *ctx) { (void)ctx; return !full_up; }

static bool on_credential(void *ctx, uint64_t call, bool again)
{
	(void)ctx;
	nagain += again;
	credential_calls[ncredentials++ % LINES] = call;
	return !no_credential;
}

static void turns(void)
{
	for (int i = 0; i < 20000; i++) {
		bool any = sim_deliver(&loop);

		for (unsigned k = 0; k < ncredentials && !late_credential; k++)
			old_http_credential(http, credential_calls[k], nagain ? SPAN("Authorization: Bearer newer") : SPAN("Authorization: Bearer first"));
		if (!late_credential)
			ncredentials = 0;
		old_http_tick(http);
		any = sim_tls_act_all() || any;
		if (!any && !sim_news() && old_http_wait(http) != 0 && (late_credential || ncredentials == 0))
			return;
	}
	ok(false, "it comes to rest");
}

static void pass(int64_t ms)
{
	for (int64_t at = 0; at < ms; at += 100) {
		sim.now_ms += 100;
		(void)sim_deliver(&loop);
		turns();
	}
}

static void begin(uint64_t seed)
{
	sim_begin(seed, seed % 3 > 0);
	loop.now_ms = sim.now_ms;
	memset(mem, 0, old_http_need(&settings));
	http = old_http_place(mem, &settings, &loop);
	told = buf_on(told_mem, sizeof told_mem);
	for (unsigned i = 0; i < CONNS; i++)
		got[i].n = 0;
	memset(open_ids, 0, sizeof open_ids);
	full_up = no_credential = late_credential = stop_inside = false;
	ncredentials = nagain = 0;
}

static bool say_it(unsigned peer, enum old_http_what what, uint64_t id, const char *version, const char *message)
{
	if (what == OLD_HTTP_INITIALIZE || what == OLD_HTTP_REQUEST)
		open_ids[id % LINES] = id;
	return old_http_send(http, peer, what, id, span_z(version), span_z(message));
}

static bool was_told(const char *want)
{
	bool same = span_eq(buf_span(&told), span_z(want));

	if (!same)
		diag("told: %.*s\n# want: %s", (int)told.n, told.p, want);
	buf_reset(&told);
	return same;
}

/* The connection on which a request that holds both texts has come, and is whole; the request is taken. NULL: none. Connects are accepted on the way. */
static char heard[TEXT + 1];
static struct sim_conn *asked(const char *one, const char *other)
{
	turns();
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && sim.conn[i].connecting) {
			sim.conn[i].connecting = false;
			sim.conn[i].pending |= LOOP_WRITE;
			if (settings.tls)
				sim_tls_server(&sim.conn[i], &sim_door);
		}
	for (bool more = true; more;) {
		more = false;
		turns();
		for (unsigned i = 0; i < sim.top && i < CONNS; i++) {
			struct sim_conn *c = &sim.conn[i];
			size_t n = c->got.n < TEXT - got[i].n ? c->got.n : TEXT - got[i].n;

			if (!c->used || c->gate_closed)
				got[i].n = 0;
			if (!c->used || n == 0)
				continue;
			memcpy(got[i].text + got[i].n, c->got.p, n);
			got[i].n += n;
			sim_took(c, n);
			more = true;
		}
	}
	for (unsigned i = 0; i < sim.top && i < CONNS; i++) {
		got[i].text[got[i].n] = 0;
		if (sim.conn[i].gate_closed || !strstr(got[i].text, "\r\n\r\n") || !strstr(got[i].text, one) || !strstr(got[i].text, other))
			continue;
		memcpy(heard, got[i].text, sizeof heard);
		got[i].n = 0;
		return &sim.conn[i];
	}
	return NULL;
}

__attribute__((unused)) static bool has(const char *text) { return strstr(heard, text) != NULL; }

static void reply(struct sim_conn *c, const char *text)
{
	if (!c) {
		ok(false, "there is somebody to reply to");
		return;
	}
	sim_say(c, text, strlen(text));
	turns();
}

static void reply_json(struct sim_conn *c, const char *fields, const char *body)
{
	char text[2000];

	snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s", fields, strlen(body), body);
	reply(c, text);
}

#define ACCEPTED "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
#define NO_GET "HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n"
#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define GONE "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

/* A session up to where requests may go; the GET stream's connection, or NULL where the server says 405. */
static struct sim_conn *open_session(unsigned peer, uint64_t id, const char *session, bool streams)
{
	char fields[100] = "", body[40];
	struct sim_conn *c;

	snprintf(body, sizeof body, "{\"id\":%d}", (int)id);
	if (session)
		snprintf(fields, sizeof fields, "Mcp-Session-Id: %s\r\n", session);
	(void)say_it(peer, OLD_HTTP_INITIALIZE, id, NULL, "{initialize}");
	reply_json(asked("POST /mcp ", "{initialize}"), fields, body);
	(void)say_it(peer, OLD_HTTP_INITIALIZED, 0, "2025-06-18", "{initialized}");
	reply(asked("POST /mcp ", "{initialized}"), ACCEPTED);
	c = asked("GET /mcp ", "");
	if (streams)
		reply(c, STREAM);
	else
		reply(c, NO_GET);
	turns();
	return c;
}

/* A network of its own with one such session, of peer 0. */
static struct sim_conn *begin_session(uint64_t seed, uint64_t id, const char *session, bool streams)
{
	begin(seed);
	old_http_start(http, 0);
	turns();
	return open_session(0, id, session, streams);
}

static void kit_settings(void)
{
	settings = (struct old_http_settings){ .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = PORT }, .host = SPAN("old.example:3000"), .path = SPAN("/mcp"),
		.fields = SPAN("X-Own: 1\r\n"), .connect_ms = 1000, .answer_ms = 2000, .peers = PEERS, .calls = CALLS, .larges = 2, .message_max = 30000, .reply_max = 40000,
		.hooks = { NULL, on_up, on_message, on_awaits, on_failed, on_again, on_down, on_room, on_credential, sim_unix_ms } };
	mem = aligned_alloc(64, old_http_need(&settings));
}

#endif
