/* flow/exchange on a network in memory: what it sends, what it takes and gives on, what it refuses, and who may end it when. */
#include "base/pace.h"
#include "flow/exchange.h"

enum { REPLY_MAX = 40000, REQUEST_MAX = 50000, EXCHANGES = 4, LARGES = 2, CONNECTIONS = EXCHANGES };

#include "unit/flow/client_kit.h"
#include "wire/http_write.h"

static struct exchange_pool *pool;
static struct exchange_peer peer;
static struct exchange_settings settings;
static char *mem;
static size_t mem_size;

/* What the hooks saw, of all exchanges: "200e" or "200", "<data|id>", "=body=" and the end's number. */
static char seen_mem[1 << 17];
static struct buf seen;
static unsigned ends, heads, events;
static int close_at = -1, calls;         /* the hook call in which the owner closes the exchange */
static bool begin_another, pause_each;
static bool take_back, has_room = true;
static struct exchange *current, *taken;

static struct exchange *ask(enum exchange_method method, struct span body, int64_t until_ms, bool again);

static bool closing(struct exchange *x)
{
	if (calls++ != close_at)
		return false;
	BUF_LIT(&seen, "closed");
	exchange_close(x);
	current = NULL;
	if (begin_another) {
		close_at = -1;
		(void)ask(EXCHANGE_GET, span_of(NULL, 0), loop.now_ms + 1000, false);
	}
	return true;
}

static void on_head(void *ctx, struct exchange *x, const struct http_head *h, bool streams)
{
	(void)ctx;
	heads++;
	buf_u64(&seen, h->status);
	if (streams)
		buf_char(&seen, 'e');
	buf_put(&seen, exchange_field(h, SPAN("mcp-session-id")));
	if (!closing(x) && take_back) {
		exchange_take_back(x);
		taken = x;
		take_back = false;
	}
}

static void on_event(void *ctx, struct exchange *x, struct span data, struct span id)
{
	(void)ctx;
	events++;
	buf_char(&seen, '<');
	buf_put(&seen, data);
	if (!span_absent(id)) {
		buf_char(&seen, '|');
		buf_put(&seen, id);
	}
	buf_char(&seen, '>');
	if (!closing(x) && pause_each)
		has_room = false;
}

static void on_end(void *ctx, struct exchange *x, enum exchange_end why)
{
	(void)ctx;
	ends++;
	if (why == EXCHANGE_OK && exchange_body(x).n > 0 && seen.n > 0 && seen.p[seen.n - 1] != '>') {
		buf_char(&seen, '=');
		buf_put(&seen, exchange_body(x));
		buf_char(&seen, '=');
	}
	buf_char(&seen, '.');
	buf_u64(&seen, (uint64_t)why);
	if (x == current)
		current = NULL;
	(void)closing(x);
}

static bool on_may(void *ctx, struct exchange *x)
{
	(void)ctx;
	(void)x;
	return has_room;
}

static bool client_turn(void) { return exchange_turn(pool); }

static void begin(uint64_t seed, bool rough)
{
	network(seed, rough);
	memset(mem, 0, mem_size);
	pool = exchange_place(mem, &settings);
	peer.address = (struct addr){ .family = 4, .ip = { 127, 0, 0, 1 }, .port = PORT };
	peer.host = SPAN("old.example:8443");
	peer.path = SPAN("/mcp?x=1");
	peer.connect_ms = 500;
	peer.dial = NULL;
	exchange_peer_start(&peer);
	seen = buf_on(seen_mem, sizeof seen_mem);
	ends = heads = events = 0;
	calls = 0;
	current = NULL;
}

static struct exchange *ask(enum exchange_method method, struct span body, int64_t until_ms, bool again)
{
	struct buf *head;
	struct exchange *x = exchange_begin(pool, &peer, method, NULL, &head);

	if (!x)
		return NULL;
	http_write_field(head, SPAN("Accept"), SPAN("application/json, text/event-stream"));
	exchange_send(x, body, until_ms, again);
	current = x;
	return x;
}

static bool saw(const char *want) { return span_eq(buf_span(&seen), span_z(want)); }
static bool at_rest(void) { return exchange_used(pool) == 0 && !server(); }

static void request(void)
{
	static const char get[] = "GET /mcp?x=1 HTTP/1.1\r\nHost: old.example:8443\r\nAccept: application/json, text/event-stream\r\n\r\n";
	static const char del[] = "DELETE /mcp?x=1 HTTP/1.1\r\nHost: old.example:8443\r\nAccept: application/json, text/event-stream\r\n\r\n";
	static const char post[] = "POST /mcp?x=1 HTTP/1.1\r\nHost: old.example:8443\r\nAccept: application/json, text/event-stream\r\n"
		"Content-Length: 7\r\n\r\n{\"a\":1}";
	static char large[REQUEST_MAX];
	struct span got;

	memset(large, 'j', sizeof large);
	for (uint64_t seed = 0; seed < 12; seed++) {
		begin(seed, seed > 0);
		ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
		accept_it();
		got = heard(server());
		is_mem(got.p, got.n, get, sizeof get - 1, "a GET");
		exchange_close(current);
		ok(at_rest(), "closed in between, the connection is closed");
		ask(EXCHANGE_DELETE, span_of(NULL, 0), 0, false);
		accept_it();
		got = heard(server());
		is_mem(got.p, got.n, del, sizeof del - 1, "a DELETE");
		exchange_close(current);
		turns();
		ask(EXCHANGE_POST, SPAN("{\"a\":1}"), 0, false);
		accept_it();
		got = heard(server());
		is_mem(got.p, got.n, post, sizeof post - 1, "a POST");
		exchange_close(current);
		turns();
		ask(EXCHANGE_POST, span_of(large, REQUEST_MAX - 300), 0, false);
		accept_it();
		got = heard(server());
		ok(got.n > REQUEST_MAX - 300 && memcmp(got.p + got.n - (REQUEST_MAX - 300), large, REQUEST_MAX - 300) == 0, "a large POST");
		exchange_close(current);
		turns();
		ask(EXCHANGE_POST, span_of(large, REQUEST_MAX - 50), 0, false);
		turns();
		ok(saw(".7") && at_rest(), "one that is too large is not sent");
	}
}

#define OK "HTTP/1.1 200 OK\r\n"
#define JSON "Content-Type: application/json\r\n"
#define EVENTS "Content-Type: text/event-stream\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct reply {
	const char *text;
	bool fin;
	const char *want;
	bool keeps;        /* the connection stays */
} replies[] = {
	{ OK JSON "Content-Length: 2\r\n\r\n{}", false, "200={}=.0", true },
	{ OK JSON "Mcp-Session-Id: s-1\r\nContent-Length: 2\r\n\r\n{}", false, "200s-1={}=.0", true },
	{ OK JSON CHUNKED "\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", false, "200={}=.0", true },
	{ OK JSON "Connection: close\r\nContent-Length: 2\r\n\r\n{}", false, "200={}=.0", false },
	{ OK JSON "\r\n{\"a\":1}", true, "200={\"a\":1}=.0", false },
	{ "HTTP/1.0 200 OK\r\n" JSON "\r\n{}", true, "200={}=.0", false },
	{ "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK JSON "Content-Length: 1\r\n\r\n1", false, "200=1=.0", true },
	{ "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", false, "202.0", true },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, "204.0", true },
	{ "HTTP/1.1 404 Not Found\r\n" JSON "Content-Length: 3\r\n\r\n{ }", false, "404={ }=.0", true },
	{ "HTTP/1.1 405 No\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<b>", false, "405=<b>=.0", true },
	{ "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9999/\r\nContent-Length: 0\r\n\r\n", false, "302.0", true },
	{ "HTTP/1.1 400 Bad\r\n" EVENTS "Content-Length: 9\r\n\r\ndata: x\n\n", false, "400=data: x\n\n=.0", true },
	/* streams */
	{ OK EVENTS CHUNKED "\r\n9\r\ndata: x\n\n\r\n0\r\n\r\n", false, "200e<x>.0", true },
	{ OK EVENTS "Content-Length: 18\r\n\r\ndata: x\n\ndata: y\n\n", false, "200e<x><y>.0", true },
	{ OK EVENTS "\r\nid: 1\ndata:\n\nid: 2\ndata: {}\n\ndata: z\n\nid\ndata: w\n\n", true, "200e<|1><{}|2><z|2><w>.0", false },
	{ OK EVENTS "\r\nid: 4\n\ndata: x\n\n: c\n\nevent: endpoint\ndata: no\n\n", true, "200e<x|4>.0", false },
	{ OK EVENTS "\r\ndata: un", true, "200e.0", false },
	{ OK EVENTS CHUNKED "\r\n", true, "200e.4", false },
	{ OK EVENTS CHUNKED "\r\n9\r\ndata: x\n\n\r\n", true, "200e<x>.4", false },
	{ OK EVENTS CHUNKED "\r\n9\r\ndata: x\n\n\r\nzz\r\n", false, "200e<x>.5", false },
	/* refused */
	{ OK JSON "Content-Length: 40001\r\n\r\n", false, "200.6", false },
	{ OK JSON CHUNKED "\r\n9c41\r\n", false, "200.6", false },
	{ OK JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", false, ".5", false },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false, ".5", false },
	{ OK JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", false, ".5", false },
	{ OK JSON "Content-Length: 2\r\n" CHUNKED "\r\n{}", false, ".5", false },
	{ OK JSON "Transfer-Encoding: gzip, chunked\r\n\r\n", false, ".5", false },
	{ OK JSON CHUNKED "\r\n1;x=y\r\n{\r\n0\r\n\r\n", false, "200.5", false },
	{ OK "Content-Type : x\r\n\r\n", false, ".5", false },
	{ "HTTP/1.1 200 OK\nContent-Length: 0\n\n", false, ".5", false },
	{ "HTTP/2 200\r\n\r\n", false, ".5", false },
	{ "SSH-2.0-x\r\n\r\n", false, ".5", false },
	/* cut short */
	{ "", true, ".4", false },
	{ "HTTP/1.1 200 OK\r\nContent-", true, ".4", false },
	{ OK JSON "Content-Length: 2\r\n\r\n{", true, "200.4", false },
};

/* The name of a test is one line. */
static const char *line_of(const char *text)
{
	static char line[300];
	size_t n = strlen(text) < sizeof line - 1 ? strlen(text) : sizeof line - 1;

	for (size_t i = 0; i < n; i++)
		line[i] = text[i] < ' ' || text[i] == '#' ? '_' : text[i];
	line[n] = 0;
	return n ? line : "nothing";
}

static void responses(void)
{
	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		const struct reply *r = &replies[i];
		bool right = true;

		for (uint64_t seed = 0; seed < 12 && right; seed++) {
			size_t piece = seed % 3 == 0 ? 100000 : seed % 3 == 1 ? 1 : 7;

			begin(seed, seed > 2);
			ask(EXCHANGE_POST, SPAN("{}"), loop.now_ms + 1000, false);
			accept_it();
			heard(server());
			say(r->text, strlen(r->text), piece);
			if (r->fin && server())
				sim_fin(server());
			turns();
			right = saw(r->want) && ends == 1 && exchange_used(pool) == 0 && (server() != NULL) == r->keeps;
			if (!right)
				diag("seed %d: %.*s", (int)seed, (int)seen.n, seen.p);
		}
		ok(right, line_of(r->text));
	}
}

/* A server that never stops: the end comes before the limit is passed, and the connection with it. */
static void endless(const char *start, const char *unit, const char *want, size_t most, const char *name)
{
	size_t sent = 0;
	struct sim_conn *c;

	begin(1, false);
	ask(EXCHANGE_POST, SPAN("{}"), 0, false);
	accept_it();
	heard(server());
	sim_say(server(), start, strlen(start));
	while ((c = server()) && sent < 1 << 20) {
		sim_say(c, unit, strlen(unit));
		sent += strlen(unit);
		turns();
	}
	ok(saw(want) && at_rest() && sent <= most, name);
	if (!saw(want))
		diag("%zu: %.*s", sent, (int)(seen.n < 300 ? seen.n : 300), seen.p);
}

static void limits(void)
{
	static char body[REPLY_MAX + 2], text[REPLY_MAX + 400], unit[1001];

	memset(body, 'b', sizeof body);
	memset(unit, 'u', sizeof unit - 1);
	endless(OK JSON "\r\n", unit, "200.6", REPLY_MAX + 1000, "a body without end");
	endless(OK "X: ", unit, ".6", EXCHANGE_SMALL + 1000, "a head without end");
	endless(OK EVENTS "\r\ndata: ", unit, "200e.6", REPLY_MAX + 2000, "an event without end");
	endless(OK EVENTS "\r\n", "data\n", "200e.6", 5 * (size_t)(REPLY_MAX + 2000), "an event of empty lines");
	for (int over = 0; over < 2; over++) {
		size_t n = REPLY_MAX + (size_t)over;
		int head = snprintf(text, sizeof text, OK EVENTS "\r\nid: 7\ndata: %.*s\n\n", (int)n, body);

		for (uint64_t seed = 0; seed < 6; seed++) {
			begin(seed, seed > 0);
			ask(EXCHANGE_POST, SPAN("{}"), 0, false);
			accept_it();
			say(text, (size_t)head, seed % 2 ? 100000 : 997);
			turns();
			ok(events == 1 - (unsigned)over && ends == (unsigned)over, over ? "an event over the limit" : "an event of the limit's length");
			if (current)
				exchange_close(current);
			turns();
		}
		head = snprintf(text, sizeof text, OK JSON CHUNKED "\r\n10\r\n0123456789abcdef\r\n%x\r\n%.*s\r\n0\r\n\r\n", (unsigned)n - 16, (int)n - 16, body);
		for (uint64_t seed = 0; seed < 6; seed++) {
			begin(seed, seed > 0);
			ask(EXCHANGE_POST, SPAN("{}"), 0, false);
			accept_it();
			say(text, (size_t)head, seed % 2 ? 100000 : 997);
			ok(ends == 1 && (over ? saw("200.6") : seen.n == REPLY_MAX + 7 && memcmp(seen.p, "200=0123456789abcdefbbb", 23) == 0),
				over ? "a body over the limit" : "a body of the limit's length");
			turns();
		}
	}
	/* Large areas are few: who finds none ends, who has one goes on. */
	begin(1, false);
	for (int i = 0; i < 3; i++) {
		ask(EXCHANGE_POST, SPAN("{}"), 0, false);
		turns();
	}
	for (unsigned i = 0, n = 0; i < sim.top && n < 3; i++) {
		struct sim_conn *c = &sim.conn[i];

		if (!c->used || c->port != PORT)
			continue;
		n++;
		c->connecting = false;
		c->pending |= LOOP_WRITE;
		turns();
		snprintf(text, sizeof text, OK JSON "Content-Length: 30000\r\n\r\n%.*s", 20000, body);
		sim_say(c, text, strlen(text));
		turns();
	}
	ok(saw("2002002" "00.7") && exchange_used(pool) == 2, "without a large area it ends, and the others go on");
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && !sim.conn[i].gate_closed)
			sim_say(&sim.conn[i], body, 10000);
	turns();
	ok(ends == 3 && exchange_used(pool) == 0, "to their end");
	/* No more exchanges than there are. */
	begin(1, false);
	for (int i = 0; i < EXCHANGES; i++)
		ok(ask(EXCHANGE_GET, span_of(NULL, 0), 0, false) != NULL, "as many as there are");
	ok(ask(EXCHANGE_GET, span_of(NULL, 0), 0, false) == NULL, "and no more");
}

static void reuse(void)
{
	static const char answer[] = OK JSON "Content-Length: 2\r\n\r\n{}";
	struct sim_conn *c, *first;

	for (uint64_t seed = 0; seed < 8; seed++) {
		begin(seed, seed > 3);
		ask(EXCHANGE_POST, SPAN("1"), 0, false);
		accept_it();
		first = server();
		heard(first);
		say(answer, sizeof answer - 1, 1000);
		ok(saw("200={}=.0") && server() == first, "it is kept");
		ask(EXCHANGE_POST, SPAN("2"), 0, false);
		turns();
		ok(server() == first && heard(first).n > 0, "and used again");
		say(answer, sizeof answer - 1, 1000);
		ok(saw("200={}=.0200={}=.0"), "for another answer");
		/* at rest it says something, or goodbye */
		if (seed & 1)
			sim_say(first, "x", 1);
		else
			sim_fin(first);
		turns();
		ok(!server(), "at rest nothing is heard but goodbye");
		ask(EXCHANGE_POST, SPAN("3"), 0, false);
		accept_it();
		c = server();
		ok(c && heard(c).n > 0, "a new one is made");
		say(answer, sizeof answer - 1, 1000);
		sim.now_ms += EXCHANGE_IDLE_MS + 50;
		(void)sim_deliver(&loop);
		turns();
		ok(ends == 3 && at_rest(), "one that rests too long is closed");
	}
	/* It closes while our request is on its way. */
	for (int again = 0; again < 2; again++) {
		begin(3, false);
		ask(EXCHANGE_POST, SPAN("1"), 0, false);
		accept_it();
		heard(server());
		say(answer, sizeof answer - 1, 1000);
		first = server();
		ask(EXCHANGE_POST, SPAN("2"), loop.now_ms + 1000, again);
		(void)exchange_turn(pool);
		sim_fin(first);
		turns();
		if (!again) {
			ok(saw("200={}=.0.4") && at_rest(), "a request that may not be asked twice is lost with it");
			continue;
		}
		accept_it();
		c = server();
		ok(c && c != first, "one that may is sent over another");
		ok(heard(c).n > 0, "whole");
		sim_fin(c);
		turns();
		ok(saw("200={}=.0.4") && at_rest(), "but only once more");
	}
	/* Connections of one peer are not for another. */
	struct exchange_peer other = peer, *both[2] = { &peer, &other };
	struct buf *head;

	begin(4, false);
	other = peer;
	exchange_peer_start(&other);
	ask(EXCHANGE_POST, SPAN("1"), 0, false);
	accept_it();
	heard(server());
	say(answer, sizeof answer - 1, 1000);
	exchange_send(exchange_begin(pool, both[1], EXCHANGE_GET, NULL, &head), span_of(NULL, 0), 0, false);
	turns();
	ok(!list_empty(&peer.idle) && list_empty(&other.idle) && heard(server()).n == 0, "peers do not share connections");
	exchange_peer_stop(&peer);
	ok(list_empty(&peer.idle), "a peer that is stopped has none");
	/* All connections at rest with one peer: another's request makes the oldest give way. */
	begin(5, false);
	other = peer;
	exchange_peer_start(&other);
	for (int i = 0; i < EXCHANGES; i++)
		ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
	turns();
	for (unsigned i = 0; i < sim.top; i++) {
		if (!sim.conn[i].used)
			continue;
		sim.conn[i].connecting = false;
		sim.conn[i].pending |= LOOP_WRITE;
		turns();
		heard(&sim.conn[i]);
		sim_say(&sim.conn[i], answer, sizeof answer - 1);
	}
	turns();
	is_int((int)ends, EXCHANGES, "all are answered");
	exchange_send(exchange_begin(pool, &other, EXCHANGE_GET, NULL, &head), span_of(NULL, 0), 0, false);
	turns();
	unsigned open = 0;
	for (unsigned i = 0; i < sim.top; i++)
		open += sim.conn[i].used && !sim.conn[i].gate_closed;
	is_int((int)open, EXCHANGES, "one gave way");
}

static const char stream[] = OK EVENTS CHUNKED "\r\n9\r\ndata: a\n\n\r\n12\r\ndata: b\n\ndata: c\n\n\r\n0\r\n\r\n";

/* The owner closes it in any of its hooks, and may begin another in its place at once. */
static void ended_by_hooks(void)
{
	for (int another = 0; another < 2; another++)
		for (int at = 0; at < 5; at++)
			for (uint64_t seed = 0; seed < 6; seed++) {
				static const char *want[] = { "200eclosed", "200e<a>closed", "200e<a><b>closed", "200e<a><b><c>closed", "200e<a><b><c>.0closed" };

				close_at = at;
				begin_another = another;
				begin(seed, seed > 1);
				ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
				accept_it();
				heard(server());
				say(stream, sizeof stream - 1, seed % 2 ? 1000 : 3);
				turns();
				if (!saw(want[at]) || exchange_used(pool) != (unsigned)another || ends != (at == 4) || (!another && at < 4 && server()))
					ok(false, want[at]);
			}
	close_at = -1;
	begin_another = false;
	ok(true, "closed from inside each hook");
}

/* There is room again. */
static void resume(struct exchange *x)
{
	has_room = true;
	exchange_resume(x);
}

/* A stream of events has begun; *unit is one, n bytes long. */
static struct sim_conn *begin_stream(uint64_t seed, char *unit, size_t n)
{
	memset(unit, 'z', n);
	memcpy(unit, "data: ", 6);
	memcpy(unit + n - 2, "\n\n", 2);
	begin(seed, false);
	ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
	accept_it();
	heard(server());
	say(OK EVENTS "\r\n", sizeof(OK EVENTS "\r\n") - 1, 1000);
	return server();
}

static void paused(void)
{
	for (uint64_t seed = 0; seed < 8; seed++) {
		struct exchange *x;

		pause_each = has_room = true;
		begin(seed, seed > 1);
		x = ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
		accept_it();
		heard(server());
		say(stream, sizeof stream - 1, seed % 2 ? 1000 : 5);
		turns();
		ok(saw("200e<a>"), "one event, then the pause");
		resume(x);
		turns();
		ok(saw("200e<a><b>"), "the next");
		if (seed & 1)
			sim_fin(server());
		resume(x);
		turns();
		resume(current ? current : x);
		turns();
		ok(saw("200e<a><b><c>.0"), "and the end");
	}
	pause_each = false;
	/* The owner has no room for what is whole. */
	for (uint64_t seed = 0; seed < 8; seed++) {
		static const char answer[] = OK JSON "Content-Length: 2\r\n\r\n{}", open_end[] = OK JSON "\r\n{}";
		bool ends_it = seed & 2;

		has_room = false;
		begin(seed, seed > 3);
		ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
		accept_it();
		heard(server());
		if (seed & 1)
			say(ends_it ? open_end : answer, ends_it ? sizeof open_end - 1 : sizeof answer - 1, 3);
		else
			say(stream, sizeof stream - 1, ends_it ? 3 : 1000);
		if (ends_it)
			sim_fin(server());
		turns();
		ok(saw(seed & 1 ? "200" : "200e") && ends == 0, "nothing is given on while there is no room");
		exchange_resume(current);
		turns();
		ok(saw(seed & 1 ? "200" : "200e") && ends == 0, "nor when it is offered too early");
		has_room = true;
		exchange_resume(current);
		turns();
		ok(saw(seed & 1 ? "200={}=.0" : "200e<a><b><c>.0"), "then all of it");
	}
	/* What is not read stays with the peer. */
	static char unit[1000];
	struct sim_conn *c;

	pause_each = true;
	c = begin_stream(1, unit, sizeof unit);
	for (int i = 0; i < 100; i++)
		sim_say(c, unit, sizeof unit);
	turns();
	ok(events == 1 && c->in.n > 100 * sizeof unit - 2 * EXCHANGE_SMALL, "a paused stream is not read on");
	pause_each = false;
	resume(current);
	turns();
	ok(events == 100 && c->in.n == 0, "and then to its end");
}

/* Events without end: heard no faster than base/pace.h says, and each of them. */
static void floods(void)
{
	enum { UNIT = 1024, UNITS = 4096 };
	static char unit[UNIT];
	size_t all = sizeof(OK EVENTS "\r\n") - 1 + UNIT * UNITS;
	int64_t begun_ms, took_ms;
	struct sim_conn *c;
	bool kept = true;

	c = begin_stream(7, unit, UNIT);
	for (int i = 0; i < UNITS; i++)
		sim_say(c, unit, UNIT);
	begun_ms = sim.now_ms;
	turns();
	for (int i = 0; i < 1000 && c->in.n > 0; i++) {
		size_t most = (size_t)(sim.now_ms - begun_ms) * PACE_BYTES_A_MS + PACE_BURST + 2 * EXCHANGE_SMALL;

		kept = kept && all - c->in.n <= most;
		sim.now_ms += 20;
		(void)sim_deliver(&loop);
		turns();
	}
	took_ms = sim.now_ms - begun_ms;
	ok(kept, "a flood of events is heard no faster than is borne");
	ok(took_ms >= (UNIT * UNITS - PACE_BURST) / PACE_BYTES_A_MS - 200 && took_ms < 10000 && events == UNITS, "all of it takes its time, and nothing is lost");
	sim_fin(c);
	turns();
	ok(ends == 1 && at_rest(), "  and it ends as others do");
}

static void times(void)
{
	struct exchange *x;
	unsigned inside = 0;

	begin(3, false);
	ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
	turns();
	sim.now_ms += 490;
	(void)sim_deliver(&loop);
	turns();
	ok(ends == 0, "it waits for its connection");
	sim.now_ms += 40;
	(void)sim_deliver(&loop);
	turns();
	ok(saw(".2") && at_rest(), "a connection that is not accepted in time");
	begin(4, false);
	x = ask(EXCHANGE_GET, span_of(NULL, 0), loop.now_ms + 1000, false);
	accept_it();
	heard(server());
	say(OK EVENTS "\r\ndata: x\n\n", sizeof(OK EVENTS "\r\ndata: x\n\n") - 1, 1000);
	exchange_until(x, 0);
	sim.now_ms += 100000;
	(void)sim_deliver(&loop);
	turns();
	ok(saw("200e<x>"), "a stream without a deadline");
	exchange_until(x, loop.now_ms + 10);
	sim.now_ms += 50;
	(void)sim_deliver(&loop);
	turns();
	ok(saw("200e<x>.2") && at_rest(), "and with one");
	begin(5, false);
	ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
	turns();
	sim_reset(server());
	turns();
	ok(saw(".1") && at_rest(), "a refused connection");
	begin(6, false);
	sim.faulty = true;
	for (int i = 0; i < 2000 && ends == 0; i++) {
		x = ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
		inside += ends;
		(void)exchange_turn(pool);
		if (ends == 0)
			exchange_close(x);
		(void)exchange_turn(pool);
	}
	sim.faulty = false;
	ok(inside == 0 && ends == 1 && saw(".1"), "one that cannot even be begun, and no hook is called from inside");
}

static int dials, dial_fails;
static struct sim_conn *other_end;

static int dial(void *ctx)
{
	(void)ctx;
	dials++;
	return dial_fails ? -1 : sim_pair(0, &other_end);
}

static void pairs(void)
{
	static const char answer[] = OK JSON "Content-Length: 2\r\n\r\n{}";

	for (uint64_t seed = 0; seed < 6; seed++) {
		begin(seed, seed > 1);
		peer.dial = dial;
		dials = dial_fails = 0;
		for (int i = 0; i < 3; i++) {
			ask(EXCHANGE_POST, SPAN("{}"), 0, true);
			turns();
			heard(other_end);
			sim_say(other_end, answer, sizeof answer - 1);
			turns();
		}
		ok(saw("200={}=.0200={}=.0200={}=.0") && dials == 1, "a socket pair serves one after the other");
		exchange_peer_stop(&peer);
		dial_fails = 1;
		ask(EXCHANGE_POST, SPAN("{}"), 0, true);
		turns();
		ok(saw("200={}=.0200={}=.0200={}=.0.1"), "no pair to be had");
	}
}

static void tls(void)
{
	static const char answer[] = OK JSON "Content-Length: 2\r\n\r\n{}", plain[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	sim_tls_world(1);
	door = &sim_door;
	for (uint64_t seed = 0; seed < 8; seed++) {
		peer.tls = &sim_route;
		begin(seed, seed > 0);
		for (int i = 0; i < 2; i++) {
			ask(EXCHANGE_POST, SPAN("{\"secret\":1}"), 0, false);
			if (i == 0)
				accept_it();
			turns();
			ok(heard(server()).n > 0, i ? "again over the same connection" : "over TLS");
			say(answer, sizeof answer - 1, 1000);
		}
		ok(saw("200={}=.0200={}=.0") && conns.states.used == 1, "answered twice over one connection");
		ask(EXCHANGE_GET, span_of(NULL, 0), 0, false);
		turns();
		heard(server());
		say(stream, sizeof stream - 1, 7);
		ok(saw("200={}=.0200={}=.0200e<a><b><c>.0"), "events");
		exchange_peer_stop(&peer);
		turns();
		ok(conns.states.used == 0 && conns.records.used == 0, "no state and no buffer is left");
		peer.tls = &sim_route_distrust;
		begin(seed, seed > 0);
		ask(EXCHANGE_POST, SPAN("{\"secret\":1}"), 0, false);
		accept_it();
		ok(saw(".3") && at_rest(), "a server that is not to be trusted");
	}
	door = NULL;
	peer.tls = &sim_route;
	begin(1, false);
	ask(EXCHANGE_POST, SPAN("secret"), 0, false);
	accept_it();
	ok(!memmem(server()->got.p, server()->got.n, "secret", 6), "nothing goes out before the handshake");
	sim_say(server(), plain, sizeof plain - 1);
	turns();
	ok(saw(".3") && at_rest(), "plain HTTP where TLS is wanted");
	peer.tls = NULL;
}

/* Requests do not stay behind. */
static void wiped(void)
{
	static const char secret[] = "hunter2-very-secret", answer[] = OK JSON "Content-Length: 2\r\n\r\n{}";
	static char filler[20000];
	struct buf *head;
	struct exchange *x;

	memset(filler, 'f', sizeof filler);
	for (int how = 0; how < 4; how++) {
		begin(7, false);
		x = exchange_begin(pool, &peer, EXCHANGE_POST, NULL, &head);
		http_write_field(head, SPAN("Authorization"), SPAN("Bearer hunter2-very-secret"));
		exchange_send(x, how & 1 ? span_of(filler, sizeof filler) : SPAN("hunter2-very-secret"), 0, false);
		accept_it();
		ok(memmem(mem, mem_size, secret, sizeof secret - 1), "while it is in use it is there");
		heard(server());
		if (how < 2)
			say(answer, sizeof answer - 1, 1000);
		else
			exchange_close(x);
		turns();
		ok(!memmem(mem, mem_size, secret, sizeof secret - 1), "afterwards it is not");
	}
}

/* A request that waits for something before it is sent, and one that is sent again under another head. */
static void kept(void)
{
	static const char again[] = "POST /mcp?x=1 HTTP/1.1\r\nHost: old.example:8443\r\nMcp-Session-Id: 2\r\nContent-Length: ", refused[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n";
	static const char answer[] = OK JSON "Content-Length: 2\r\n\r\n{}";
	static char large[30000];

	memset(large, 'k', sizeof large);
	for (uint64_t seed = 0; seed < 12; seed++) {
		struct span body = seed & 1 ? span_of(large, sizeof large) : SPAN("{}"), got;
		struct exchange *x;
		struct buf *head;

		begin(seed, seed > 3);
		x = exchange_begin(pool, &peer, EXCHANGE_POST, NULL, &head);
		http_write_field(head, SPAN("Mcp-Session-Id"), SPAN("0"));
		ok(exchange_keep(x, body), "kept");
		turns();
		ok(!server() && exchange_used(pool) == 1, "nothing is sent yet");
		head = exchange_again(x);
		http_write_field(head, SPAN("Mcp-Session-Id"), SPAN("1"));
		exchange_send(x, span_of(NULL, 0), loop.now_ms + 1000, false);
		accept_it();
		got = heard(server());
		ok(memmem(got.p, got.n, "Mcp-Session-Id: 1\r\n", 19) && !memmem(got.p, got.n, "Mcp-Session-Id: 0", 17), "then it is, under its new head");
		take_back = true;
		say(refused, sizeof refused - 1, 9);
		sim.now_ms += 2000;
		(void)sim_deliver(&loop);
		turns();
		ok(saw("404") && ends == 0 && taken == x && !server(), "taken back: neither an end nor a connection");
		head = exchange_again(x);
		http_write_field(head, SPAN("Mcp-Session-Id"), SPAN("2"));
		exchange_send(x, span_of(NULL, 0), 0, false);
		accept_it();
		got = heard(server());
		ok(got.n > sizeof again - 1 + body.n && memcmp(got.p, again, sizeof again - 1) == 0 && memcmp(got.p + got.n - body.n, body.p, body.n) == 0, "and sent once more, whole");
		say(answer, sizeof answer - 1, 1000);
		ok(saw("404200={}=.0") && exchange_used(pool) == 0, "and answered");
	}
	begin(1, false);
	struct buf *head;
	struct exchange *x = exchange_begin(pool, &peer, EXCHANGE_POST, NULL, &head);
	ok(!exchange_keep(x, span_of(large, REQUEST_MAX)), "one that is too long is not kept");
	exchange_close(x);
	/* It has more to read than one turn reads, and is to be read on in the next; before that comes the head that it is taken back for. */
	static char interim[25 * 13200];
	for (size_t i = 0; i < sizeof interim; i += 25)
		memcpy(interim + i, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	begin(1, false);
	x = exchange_begin(pool, &peer, EXCHANGE_POST, NULL, &head);
	(void)exchange_keep(x, SPAN("{}"));
	(void)exchange_again(x);
	exchange_send(x, span_of(NULL, 0), 0, false);
	accept_it();
	(void)heard(server());
	sim_say(server(), interim, sizeof interim);
	(void)sim_deliver(&loop);
	ok(exchange_waiting(pool), "it is to be read on");
	take_back = true;
	sim_say(server(), refused, sizeof refused - 1);
	(void)sim_deliver(&loop);
	ok(saw("404"), "its head comes");
	turns();
	ok(exchange_used(pool) == 1 && !exchange_waiting(pool), "taken back, it waits for its owner and for nothing else");
	exchange_close(x);
}

/* Servers that do anything at all: every exchange ends once or is closed, and nothing is left. */
static void anything(void)
{
	unsigned wrong = 0;

	for (uint64_t seed = 0; seed < 300; seed++) {
		unsigned begun = 0, closed = 0;

		begin(seed, seed % 4 > 0);
		for (int step = 0; step < 150; step++) {
			struct sim_conn *c = sim.top ? &sim.conn[sim_roll(sim.top)] : NULL;

			if (sim_roll(4) == 0) {
				struct exchange *x = ask(sim_roll(2) ? EXCHANGE_POST : EXCHANGE_GET, sim_roll(2) ? SPAN("{}") : span_of(NULL, 0), loop.now_ms + 1 + sim_roll(300), sim_roll(2));

				begun += x != NULL;
			}
			if (current && sim_roll(10) == 0) {
				exchange_close(current);
				current = NULL;
				closed++;
			}
			if (c && c->used && c->connecting && sim_roll(2)) {
				c->connecting = false;
				c->pending |= LOOP_WRITE;
			} else if (c && c->used) {
				const char *text = replies[sim_roll(sizeof replies / sizeof replies[0])].text;

				if (c->got.n > 0)
					sim_took(c, c->got.n);
				sim_say(c, text, sim_roll(3) ? strlen(text) : sim_roll((uint32_t)strlen(text) + 1));
				if (sim_roll(12) == 0)
					sim_fin(c);
				else if (sim_roll(12) == 0)
					sim_reset(c);
			}
			sim.now_ms += sim_roll(20);
			(void)sim_deliver(&loop);
			timers_run(&timers, loop.now_ms);
			(void)exchange_turn(pool);
			if (seen.full)
				buf_reset(&seen);
		}
		sim.now_ms += 10000;
		(void)sim_deliver(&loop);
		turns();
		sim.now_ms += 10000;
		(void)sim_deliver(&loop);
		turns();
		wrong += exchange_used(pool) != 0 || ends + closed != begun || server() != NULL || timers.armed != 0;
	}
	is_int((int)wrong, 0, "300 worlds in which servers do anything");
}

int main(void)
{
	settings = (struct exchange_settings){ .exchanges = EXCHANGES, .larges = LARGES, .request_max = REQUEST_MAX, .reply_max = REPLY_MAX,
		.hooks = { NULL, on_head, on_event, on_end, on_may }, .loop = &loop, .timers = &timers, .conns = &conns };
	mem_size = exchange_need(&settings);
	mem = aligned_alloc(64, (mem_size + 63) & ~(size_t)63);
	tls_mem = aligned_alloc(64, tls_bytes());
	request();
	responses();
	limits();
	reuse();
	ended_by_hooks();
	paused();
	times();
	pairs();
	tls();
	floods();
	wiped();
	kept();
	anything();
	sim_end();
	free(mem);
	free(tls_mem);
	return done_testing();
}
