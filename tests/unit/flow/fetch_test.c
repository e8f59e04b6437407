/* flow/fetch on a network in memory: what it sends, what it takes, what it refuses; with bytes in pieces and all at once. */
#include "flow/fetch.h"

enum { BODY_MAX = 5000, CONNECTIONS = 1 };

#include "unit/flow/client_kit.h"

static struct fetch *fetch;
static char *mem;
static struct fetch_room room = { &loop, &timers, &conns };
static struct fetch_peer peer = {
	.address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = PORT }, .host = { "idp.example:8443", 16 }, .path = { "/token?x=1", 10 }
};

static bool client_turn(void) { return false; }

static void begin(uint64_t seed, bool rough)
{
	network(seed, rough);
	memset(mem, 0, fetch_need(BODY_MAX));
	fetch = fetch_place(mem, BODY_MAX, &room);
}

static void ask(bool post, struct span body)
{
	struct buf *head = fetch_begin(fetch, &peer, post);

	BUF_LIT(head, "Accept: application/json\r\n");
	fetch_send(fetch, body, loop.now_ms + 1000);
}

/* One whole exchange: `answer`, in pieces of `piece` bytes, then perhaps the end of the stream. */
static enum fetch_end exchange(const char *answer, size_t n, size_t piece, bool fin)
{
	ask(false, span_of(NULL, 0));
	accept_it();
	say(answer, n, piece);
	if (fin && server())
		sim_fin(server());
	turns();
	return fetch_state(fetch) == FETCH_DONE ? fetch_why(fetch) : FETCH_ENDS;
}

static void request(void)
{
	static const char get[] = "GET /token?x=1 HTTP/1.1\r\nHost: idp.example:8443\r\nConnection: close\r\nAccept: application/json\r\n\r\n";
	static const char post[] = "POST /token?x=1 HTTP/1.1\r\nHost: idp.example:8443\r\nConnection: close\r\nAccept: application/json\r\n"
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na=b&c=d%20";
	struct span got;

	for (uint64_t seed = 0; seed < 20; seed++) {
		begin(seed, seed > 0);
		ask(false, span_of(NULL, 0));
		accept_it();
		got = heard(server());
		is_mem(got.p, got.n, get, sizeof get - 1, "a GET");
		fetch_clear(fetch);
		begin(seed, seed > 0);
		ask(true, SPAN("a=b&c=d%2"));
		accept_it();
		got = heard(server());
		is_mem(got.p, got.n, post, sizeof post - 2, "a POST");
		fetch_clear(fetch);
		ok(fetch_state(fetch) == FETCH_FREE && !server(), "cleared in between, the connection is closed");
	}
}

#define OK "HTTP/1.1 200 OK\r\n"
#define JSON "Content-Type: application/json\r\n"

static const struct answer {
	const char *text;
	bool fin;
	enum fetch_end want;
	unsigned status;
	const char *body;
} answers[] = {
	{ OK JSON "Content-Length: 2\r\n\r\n{}", false, FETCH_OK, 200, "{}" },
	{ OK JSON "Content-Length: 2\r\n\r\n{}more", false, FETCH_OK, 200, "{}" },
	{ OK JSON "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", false, FETCH_OK, 200, "{}" },
	{ OK JSON "\r\n{\"a\":1}", true, FETCH_OK, 200, "{\"a\":1}" },
	{ "HTTP/1.0 200 OK\r\n" JSON "\r\n{}", true, FETCH_OK, 200, "{}" },
	{ "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK JSON "Content-Length: 1\r\n\r\n1", false, FETCH_OK, 200, "1" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, FETCH_OK, 204, "" },
	{ "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9999/\r\nContent-Length: 0\r\n\r\n", false, FETCH_OK, 302, "" },
	{ "HTTP/1.1 401 No\r\n" JSON "Content-Length: 3\r\n\r\n{ }", false, FETCH_OK, 401, "{ }" },
	/* refused */
	{ OK JSON "Content-Length: 5001\r\n\r\n", false, FETCH_LARGE, 0, NULL },
	{ OK JSON "Content-Length: 10485760\r\n\r\n", false, FETCH_LARGE, 0, NULL },
	{ OK JSON "Transfer-Encoding: chunked\r\n\r\n1389\r\n", false, FETCH_LARGE, 0, NULL },
	{ OK JSON "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", false, FETCH_BROKEN, 0, NULL },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	{ OK JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", false, FETCH_BROKEN, 0, NULL },
	{ OK JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", false, FETCH_BROKEN, 0, NULL },
	{ OK JSON "Transfer-Encoding: gzip, chunked\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	{ OK JSON "Transfer-Encoding: chunked\r\n\r\n1;x=y\r\n{\r\n0\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	{ OK "Content-Type : x\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	{ OK "Folded: a\r\n b\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	{ "HTTP/1.1 200 OK\nContent-Length: 0\n\n", false, FETCH_BROKEN, 0, NULL },
	{ "HTTP/2 200\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	{ "SSH-2.0-x\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	{ "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
		"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n", false, FETCH_BROKEN, 0, NULL },
	/* cut short */
	{ "", true, FETCH_LOST, 0, NULL },
	{ "HTTP/1.1 200 OK\r\nContent-", true, FETCH_LOST, 0, NULL },
	{ OK JSON "Content-Length: 2\r\n\r\n{", true, FETCH_LOST, 0, NULL },
	{ OK JSON "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", true, FETCH_LOST, 0, NULL },
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
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		const struct answer *a = &answers[i];
		bool right = true;

		for (uint64_t seed = 0; seed < 12; seed++) {
			enum fetch_end got;

			begin(seed, seed > 2);
			got = exchange(a->text, strlen(a->text), seed % 3 == 0 ? 100000 : seed % 3 == 1 ? 1 : 7, a->fin);
			right = right && got == a->want;
			if (got == FETCH_OK && a->want == FETCH_OK)
				right = right && fetch_status(fetch) == a->status && span_eq(fetch_body(fetch), span_z(a->body));
			if (!right) {
				diag("seed %d: got %d, want %d", (int)seed, got, a->want);
				break;
			}
			right = !server();
		}
		ok(right, line_of(a->text));
	}
}

/* A server that never stops sending: the memory behind the fetch is not touched, and the connection ends. */
static void endless(const char *head, bool chunked, const char *name)
{
	static char junk[1 << 16];
	size_t sent = 0;
	struct sim_conn *c;

	memset(junk, 'x', sizeof junk);
	begin(1, false);
	ask(false, span_of(NULL, 0));
	accept_it();
	sim_say(server(), head, strlen(head));
	while ((c = server()) && sent < 10 << 20) {
		if (chunked)
			sim_say(c, "400\r\n", 5);
		sim_say(c, junk, chunked ? 1024 : sizeof junk);
		if (chunked)
			sim_say(c, "\r\n", 2);
		sent += chunked ? 1024 : sizeof junk;
		turns();
	}
	ok(!server() && fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_LARGE && sent < 200000, name);
}

static void fresh(const char *field, int64_t want)
{
	char text[400];

	snprintf(text, sizeof text, OK JSON "%sContent-Length: 0\r\n\r\n", field);
	begin(2, false);
	ok(exchange(text, strlen(text), 10000, false) == FETCH_OK, "answered");
	is_int(fetch_fresh_ms(fetch), want, line_of(field));
}

static void times(void)
{
	begin(3, false);
	ask(false, span_of(NULL, 0));
	sim.now_ms += 999;
	turns();
	is_int(fetch_state(fetch), FETCH_HEAD, "it waits for its connection, then its answer");
	sim.now_ms += 40;
	(void)sim_deliver(&loop);
	turns();
	ok(fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_LATE && !server(), "a connection that is not accepted in time");
	/* A byte now and then keeps nobody. */
	begin(4, false);
	ask(false, span_of(NULL, 0));
	accept_it();
	for (int i = 0; i < 30 && server(); i++) {
		sim_say(server(), &answers[0].text[i], 1);
		sim.now_ms += 100;
		turns();
		(void)sim_deliver(&loop);
		timers_run(&timers, loop.now_ms);
	}
	ok(fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_LATE && !server(), "a slow answer ends at the deadline");
	begin(5, false);
	ask(false, span_of(NULL, 0));
	sim_reset(server());
	turns();
	ok(fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_UNREACHABLE, "a refused connection");
	begin(6, false);
	ask(false, span_of(NULL, 0));
	accept_it();
	sim_reset(server());
	turns();
	ok(fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_LOST, "a reset");
}

/* Neither request nor answer stays behind. */
static void wiped(void)
{
	static const char secret[] = "hunter2-very-secret", answer[] = OK JSON "Content-Length: 19\r\n\r\nanswer-very-secret!";
	size_t n = fetch_need(BODY_MAX);
	struct buf *head;

	begin(7, false);
	head = fetch_begin(fetch, &peer, true);
	BUF_LIT(head, "Authorization: Basic hunter2-very-secret\r\n");
	fetch_send(fetch, SPAN("token=hunter2-very-secret"), loop.now_ms + 1000);
	accept_it();
	sim_say(server(), answer, sizeof answer - 1);
	turns();
	ok(memmem(mem, n, secret, sizeof secret - 1) && memmem(mem, n, "answer-very-secret", 18), "while it is in use they are there");
	fetch_clear(fetch);
	ok(!memmem(mem, n, secret, sizeof secret - 1) && !memmem(mem, n, "very-secret", 11), "afterwards they are not");
	head = fetch_begin(fetch, &peer, true);
	for (int i = 0; i < 2000; i++)
		BUF_LIT(head, "Authorization: Basic hunter2-very-secret\r\n");
	fetch_send(fetch, SPAN("x"), loop.now_ms + 1000);
	ok(fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_FULL && !server(), "a request that does not fit is not sent");
	fetch_clear(fetch);
	ok(!memmem(mem, n, "very-secret", 11), "and wiped");
}

/* ---- over TLS ---- */

static enum fetch_end over_tls(const struct tls_route *route, const struct tls_door *with, uint64_t seed)
{
	enum fetch_end got;

	peer.tls = route;
	door = with;
	begin(seed, seed > 0);
	got = exchange(answers[0].text, strlen(answers[0].text), 10000, false);
	ok(conns.states.used == 0 && conns.records.used == 0, "no state and no buffer is left");
	return got;
}

static void tls(void)
{
	static const char junk[] = "HTTP/1.1 400 Bad Request\r\n\r\n", secret[] = OK JSON "Content-Length: 100\r\n\r\nvery-secret-answer";

	sim_tls_world(1);
	for (uint64_t seed = 0; seed < 12; seed++) {
		ok(over_tls(&sim_route, &sim_door, seed) == FETCH_OK && span_eq(fetch_body(fetch), SPAN("{}")), "an answer over TLS");
		fetch_clear(fetch);
		ok(over_tls(&sim_route_own, &sim_door_mutual, seed) == FETCH_OK, "with a certificate of ours");
		is_int(over_tls(&sim_route, &sim_door_mutual, seed), FETCH_TLS, "without one where one is wanted");
		is_int(over_tls(&sim_route_distrust, &sim_door, seed), FETCH_TLS, "a server that is not to be trusted");
		ok(fetch_tls_why(fetch) == TLS_CERTIFICATE && !server(), "which hears nothing of what was to be asked");
	}
	/* A server that speaks no TLS; one that is silent; answers cut off where nothing tells that they end. */
	peer.tls = &sim_route;
	door = NULL;
	begin(1, false);
	ask(true, SPAN("token=secret"));
	accept_it();
	ok(!memmem(server()->got.p, server()->got.n, "secret", 6), "nothing goes out before the handshake");
	sim_say(server(), junk, sizeof junk - 1);
	turns();
	ok(fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_TLS, "plain HTTP");
	begin(1, false);
	ask(true, SPAN("token=secret"));
	accept_it();
	sim.now_ms += 1100;
	(void)sim_deliver(&loop);
	turns();
	ok(fetch_state(fetch) == FETCH_DONE && fetch_why(fetch) == FETCH_LATE, "a handshake that does not go on");
	door = &sim_door;
	for (int cut = 0; cut < 2; cut++) {
		static const char open_end[] = OK JSON "\r\n{\"a\":1}";

		begin(2, false);
		ask(false, span_of(NULL, 0));
		accept_it();
		sim_say(server(), open_end, sizeof open_end - 1);
		turns();
		if (cut)
			sim_raw_fin(server());
		else
			sim_fin(server());
		turns();
		is_int(fetch_state(fetch) == FETCH_DONE ? (int)fetch_why(fetch) : -1, cut ? FETCH_LOST : FETCH_OK, "an answer that its end ends: only if that is announced");
		fetch_clear(fetch);
	}
	begin(3, false);
	ask(true, SPAN("token=very-secret-question"));
	accept_it();
	sim_say(server(), secret, sizeof secret - 1);
	turns();
	ok(memmem(mem, fetch_need(BODY_MAX), "very-secret-answer", 18), "half an answer");
	fetch_clear(fetch);
	ok(!memmem(mem, fetch_need(BODY_MAX), "very-secret", 11) && !memmem(tls_mem, tls_bytes(), "very-secret", 11), "nothing stays in record buffers either");
	peer.tls = NULL;
	door = NULL;
}

int main(void)
{
	tls_mem = aligned_alloc(64, tls_bytes());
	mem = aligned_alloc(64, fetch_need(BODY_MAX));
	request();
	responses();
	endless(OK JSON "\r\n", false, "10 MB without framing");
	endless(OK JSON "Transfer-Encoding: chunked\r\n\r\n", true, "10 MB in chunks");
	endless(OK "X: ", false, "a head of 10 MB");
	fresh("", -1);
	fresh("Cache-Control: max-age=600\r\n", 600000);
	fresh("cache-control: public, MAX-AGE=60 , x=\"a,max-age=1\"\r\n", 60000);
	fresh("Cache-Control: max-age=600\r\nCache-Control: no-store\r\n", 0);
	fresh("Cache-Control: max-age=x\r\n", -1);
	fresh("Cache-Control: max-age=\r\n", -1);
	fresh("Cache-Control: max-age=9999999999999999\r\n", (int64_t)UINT32_MAX * 1000);
	begin(9, false);
	ok(exchange(answers[0].text, strlen(answers[0].text), 999, false) == FETCH_OK && fetch_is(fetch, SPAN("json")) && !fetch_is(fetch, SPAN("jwk-set+json")),
		"its media type");
	times();
	wiped();
	tls();
	for (int e = 0; e <= FETCH_ENDS; e++)
		ok(fetch_end_text((enum fetch_end)e).n > 0, "each end has a sentence");
	sim_end();
	free(mem);
	free(tls_mem);
	return done_testing();
}
