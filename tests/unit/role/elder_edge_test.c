/* role/elder_edge.h on real descriptors: the test is two workers, which bring old requests as frames and answer the modern ones that come over connections. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flow/elder_msg.h"
#include "os/pass.h"
#include "os/sock.h"
#include "role/elder_edge.h"
#include "tap.h"

enum { WORKERS = 2, REPLY_MAX = 100000, BODY_MAX = 100000, CONNS = 64, WAIT_MS = 60000 };

static struct loop loop;
static uint32_t exchanges = 40;
static struct edge_settings set;
static char *area;

/* A worker, as the elder sees it. */
static struct worker {
	int frames, packets;
	char in[1 << 20];
	size_t n, taken;
	bool ended;
} workers[WORKERS];

/* Connections on which the elder asks. */
static struct { int fd; char text[300000]; size_t n; bool ended; } conns[CONNS];
static unsigned nconns;

/* Its clock stands still: on a busy machine a call that has no answer yet would else become a stream, and a connection at rest be closed. */
static void turn(int wait_ms)
{
	static int64_t start_ms;
	int want;

	start_ms = start_ms ? start_ms : loop.now_ms;
	loop.now_ms = start_ms;
	want = edge_turn();

	if (!loop_wait(&loop, want >= 0 && want < wait_ms ? want : wait_ms))
		abort();
	loop.now_ms = start_ms;
	(void)edge_turn();
}

static int packets_end(int *mine)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	*mine = pair[0];
	return pair[1];
}

static int frames_end(int *mine)
{
	int pair[2];

	if (!sock_pair(pair))
		abort();
	*mine = pair[0];
	return pair[1];
}

static void join(unsigned i)
{
	workers[i].n = workers[i].taken = 0;
	workers[i].ended = false;
	edge_frames(i, frames_end(&workers[i].frames));
	edge_packets(i, packets_end(&workers[i].packets));
}

static void begin(void)
{
	size_t need;

	if (!loop_open(&loop)) /* a new one: what the last elder has left on its own points into memory that is given back */
		abort();
	set = (struct edge_settings){ .elder = { .version = SPAN("9"), .workers = WORKERS, .sessions = 16, .sessions_each = 8, .calls = 32, .body_max = BODY_MAX,
		.reply_max = REPLY_MAX, .kept = 1 << 20, .kept_each = 1 << 18, .tokens = 4096, .idle_ms = 600000 },
		.pool = { .exchanges = exchanges, .larges = 20, .request_max = BODY_MAX + EXCHANGE_SMALL, .reply_max = REPLY_MAX + ELDER_GROWTH } };
	memset(set.elder.entropy, 5, sizeof set.elder.entropy);
	need = (edge_need(&set) + 63) & ~(size_t)63;
	free(area);
	area = aligned_alloc(64, need);
	if (!area)
		abort();
	memset(area, 0, need);
	edge_place(area, &set, &loop);
	for (unsigned i = 0; i < WORKERS; i++)
		join(i);
}

/* ---- the worker's side of frames ---- */

static uint64_t calls;

static uint64_t ask(unsigned w, enum elder_method method, const char *session, const char *body)
{
	static char mem[BODY_MAX + 2000];
	struct buf b = buf_on(mem, sizeof mem);

	elder_msg_write(&b, &(struct elder_msg){ .type = ELDER_HTTP, .call = ++calls, .method = method, .principal = { 1 }, .identity = SPAN("me"),
		.session = session ? span_z(session) : span_of(NULL, 0), .body = body ? span_z(body) : span_of(NULL, 0) });
	if (b.full || sock_write(workers[w].frames, b.p, b.n) != (long)b.n)
		abort();
	return calls;
}

static struct elder_msg got;
static char frame[200000];

static void read_frames(struct worker *w)
{
	long n;

	memmove(w->in, w->in + w->taken, w->n - w->taken);
	w->n -= w->taken;
	w->taken = 0;
	while (w->n < sizeof w->in && (n = sock_read(w->frames, w->in + w->n, sizeof w->in - w->n)) != SOCK_AGAIN) {
		if (n <= 0) {
			w->ended = true;
			return;
		}
		w->n += (size_t)n;
	}
}

/* The next frame to worker `w`, waited for. False: its edge has ended. */
static bool frame_came(unsigned w)
{
	struct worker *k = &workers[w];

	for (int waited = 0; waited < WAIT_MS; waited += 10) {
		size_t used;
		const char *why;

		read_frames(k);
		switch (elder_msg_read(&got, span_of(k->in + k->taken, k->n - k->taken), false, REPLY_MAX + 32768, &used, &why)) {
		case ELDER_WHOLE:
			memcpy(frame, k->in + k->taken, used);
			(void)elder_msg_read(&got, span_of(frame, used), false, REPLY_MAX + 32768, &used, &why);
			k->taken += used;
			return true;
		case ELDER_WRONG:
			diag("%s", why);
			return false;
		case ELDER_MORE:
			break;
		}
		if (k->ended)
			return false;
		turn(10);
	}
	return false;
}

/* ---- and of connections ---- */

static void take_connections(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		struct elder_inner packet;
		int fd = -1;

		while (workers[i].packets >= 0 && nconns < CONNS && pass_take(workers[i].packets, &packet, sizeof packet, &fd) == (long)sizeof packet)
			conns[nconns].fd = fd, conns[nconns].n = 0, conns[nconns++].ended = false;
	}
	for (unsigned i = 0; i < nconns; i++) {
		long n;

		while (!conns[i].ended && (n = sock_read(conns[i].fd, conns[i].text + conns[i].n, sizeof conns[i].text - 1 - conns[i].n)) != SOCK_AGAIN) {
			conns[i].ended = n <= 0;
			conns[i].n += n > 0 ? (size_t)n : 0;
		}
		conns[i].text[conns[i].n] = 0;
	}
}

/* A whole request is there, whose text holds `what`: its connection; waited for. */
static unsigned request(const char *what)
{
	for (int waited = 0; waited < WAIT_MS; waited += 10) {
		take_connections();
		for (unsigned i = 0; i < nconns; i++) {
			const char *end = strstr(conns[i].text, "\r\n\r\n"), *length = strstr(conns[i].text, "Content-Length: ");

			if (end && length && conns[i].n >= (size_t)(end + 4 - conns[i].text) + strtoul(length + 16, NULL, 10) && strstr(conns[i].text, what))
				return i;
		}
		turn(10);
	}
	diag("no request with %s", what);
	return 0;
}

static void write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		long did = sock_write(fd, p, n);

		if (did == SOCK_ERROR)
			return;
		if (did == SOCK_AGAIN)
			turn(10);
		else
			p += did, n -= (size_t)did;
	}
}

/* Answers what lies on connection i; `member` with its value. */
static void answer(unsigned i, const char *status, const char *fields, const char *member)
{
	static char text[200000], body[150000];
	const char *id = strstr(conns[i].text, "{\"jsonrpc\":\"2.0\",\"id\":");
	int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}", id ? strtoull(id + 22, NULL, 10) : 0, member);

	n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", status, fields, n, body);
	conns[i].n = 0;
	conns[i].text[0] = 0;
	write_all(conns[i].fd, text, (size_t)n);
}

static bool says(struct span text, const char *what)
{
	static char mem[200000];

	snprintf(mem, sizeof mem, "%.*s", (int)text.n, text.n ? text.p : "");
	return strstr(mem, what) != NULL;
}

#define INITIALIZE "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}"
#define DISCOVERED "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{},\"logging\":{}},\"ttlMs\":1,\"cacheScope\":\"private\"}"
#define CALL "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"t\\u00e4\"}}"
#define DONE "\"result\":{\"resultType\":\"complete\",\"content\":[]}"
#define PING "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}"

static char sid[65];

static void session(unsigned w)
{
	(void)ask(w, ELDER_POST, NULL, INITIALIZE);
	answer(request("server/discover"), "200 OK", "", DISCOVERED);
	ok(frame_came(w) && got.type == ELDER_REPLY && got.status == 200 && got.session.n == 32 && says(got.body, "\"protocolVersion\":\"2025-11-25\""), "a session begins");
	snprintf(sid, sizeof sid, "%.*s", (int)got.session.n, got.session.p);
}

/* ---- tests ---- */

static void there_and_back(void)
{
	uint64_t call;
	unsigned c;

	begin();
	session(0);
	is_uint(nconns, 1, "over one connection");
	call = ask(0, ELDER_POST, sid, CALL);
	c = request("tools/call");
	ok(strtoull(strstr(conns[c].text, "\r\nPostern-For: ") ? strstr(conns[c].text, "\r\nPostern-For: ") + 15 : "0", NULL, 10) == call, "a call says what it is made of");
	ok(strstr(conns[c].text, "\r\nPostern-Identity: me\r\n") && strstr(conns[c].text, "\r\nMcp-Name: =?base64?"), "a call comes for its caller, its name fit for a head");
	answer(c, "200 OK", "", DONE);
	ok(frame_came(0) && got.call == call && got.status == 200 && span_eq(got.body, SPAN("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}")), "and is answered");
	is_uint(nconns, 1, "over the same connection");
	(void)ask(1, ELDER_POST, sid, CALL);
	c = request("tools/call");
	ok(nconns == 2 && c == 1, "what comes by another worker goes to that");
	answer(c, "403 Forbidden", "Postern-Scopes: 4294967295.4294967295\r\n", "\"error\":{\"code\":-32600,\"message\":\"scopes\"}");
	ok(frame_came(1) && got.status == 403 && got.scopes == UINT64_MAX && says(got.body, "scopes"), "scopes that are lacking are passed on");
	static const struct { const char *status, *fields, *name; } odd[] = {
		{ "403 Forbidden", "Postern-Scopes: 1.x\r\n", "not what is no number" }, { "403 Forbidden", "Postern-Scopes: 0.4294967296\r\n", "nor what is too large" }, { "403 Forbidden", "Postern-Scopes: 0.0\r\n", "nor none" },
		{ "400 Bad Request", "Postern-Scopes: 0.1\r\n", "nor of another status" }, { "403 Forbidden", "", "nor if nothing is said of them" },
	};
	for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		(void)ask(1, ELDER_POST, sid, CALL);
		answer(request("tools/call"), odd[i].status, odd[i].fields, "\"error\":{\"code\":-32600,\"message\":\"no\"}");
		ok(frame_came(1) && got.status == 200 && got.scopes == 0 && says(got.body, "\"error\""), odd[i].name);
	}

	/* a stream */
	static const char note[] = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}\n\n";
	char events[500];
	int n = snprintf(events, sizeof events, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n", sizeof note - 1, note);

	call = ask(0, ELDER_POST, sid, CALL);
	c = request("tools/call");
	write_all(conns[c].fd, events, (size_t)n);
	ok(frame_came(0) && got.type == ELDER_STREAM && got.call == call, "an event makes it a stream");
	ok(frame_came(0) && got.type == ELDER_EVENT && span_absent(got.body) && got.event.n > 0, "with a place to come back to");
	ok(frame_came(0) && got.type == ELDER_EVENT && says(got.body, "notifications/message"), "and the event");
	write_all(conns[c].fd, "0\r\n\r\n", 5);
	ok(frame_came(0) && got.type == ELDER_EVENT && says(got.body, "No answer came: the reply had none"), "that ends without an answer is an error");
	ok(frame_came(0) && got.type == ELDER_END && got.call == call, "and the end");
	conns[c].n = 0;
	conns[c].text[0] = 0;

	/* ends */
	call = ask(0, ELDER_POST, sid, CALL);
	c = request("tools/call");
	(void)ask(0, ELDER_POST, sid, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}");
	ok(frame_came(0) && got.status == 202, "a client cancels");
	ok(frame_came(0) && got.type == ELDER_STREAM && got.call == call && frame_came(0) && got.type == ELDER_END, "its call ends");
	for (int i = 0; i < WAIT_MS && !conns[c].ended; i += 10) {
		turn(10);
		take_connections();
	}
	ok(conns[c].ended, "and the worker sees it leave");
	(void)ask(0, ELDER_POST, sid, CALL);
	conns[c].text[0] = 0;
	c = request("tools/call");
	close(conns[c].fd);
	conns[c].ended = true;
	conns[c].text[0] = 0;
	ok(frame_came(0) && got.status == 200 && says(got.body, "No answer came: closed the connection"), "a connection that breaks: no answer, and no second call");
	close(workers[0].packets);
	edge_packets(0, packets_end(&workers[0].packets));
	close(workers[0].packets);
	workers[0].packets = -1;
	(void)ask(0, ELDER_POST, sid, CALL);
	ok(frame_came(0) && got.type == ELDER_REPLY && (got.status == 503 || says(got.body, "No answer came: cannot be reached")), "a worker that takes no connections: no answer");
}

/* A worker that does not read: others go on, and what cannot be kept for it is answered in short, but never as if it had not been done. */
static void slow(void)
{
	static char big[95000], text[100000];
	unsigned whole = 0, brief = 0, again = 0, order[12];
	int n;

	begin();
	nconns = 0;
	session(0);
	memset(big, 'x', sizeof big - 1);
	n = snprintf(text, sizeof text, "\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}", big);
	ok(n < (int)sizeof text, "a long answer");
	for (unsigned i = 0; i < 12; i++) {
		(void)ask(0, ELDER_POST, sid, CALL);
		order[i] = request("tools/call");
		conns[order[i]].text[strcspn(conns[order[i]].text, "\r")] = 0; /* seen: what lies behind its first line is not found again */
	}
	for (unsigned i = 0; i < 12; i++)
		answer(order[i], "200 OK", "", text);
	session(1);
	(void)ask(1, ELDER_POST, sid, PING);
	ok(frame_came(1) && got.status == 200, "while one worker does not read another is served");
	for (unsigned i = 0; i < 12; i++) {
		if (!frame_came(0) || got.type != ELDER_REPLY)
			break;
		whole += got.status == 200 && got.body.n > 90000;
		brief += got.status == 500 && got.body.n == 0;
		again += got.again;
	}
	is_uint(whole + brief, 12, "each call has its answer");
	ok(whole >= 2 && brief >= 2, "as long as there is room the whole");
	is_uint(again, 0, "and none that says: call again");
}

static void broken(void)
{
	begin();
	nconns = 0;
	session(0);
	(void)sock_write(workers[1].frames, "0123456789abcdef0123456789abcdef", 32);
	ok(!frame_came(1) && workers[1].ended, "an edge with garbage is closed");
	(void)ask(0, ELDER_POST, sid, PING);
	ok(frame_came(0) && got.status == 200, "the other goes on");
	(void)ask(0, ELDER_POST, sid, CALL);
	(void)request("tools/call");
	close(workers[0].frames);
	close(workers[1].frames);
	join(1);
	(void)ask(1, ELDER_POST, sid, PING);
	ok(frame_came(1) && got.status == 200, "a session outlives its workers");
	for (unsigned i = 0; i < 3; i++)
		join(0);
	(void)ask(0, ELDER_DELETE, sid, NULL);
	ok(frame_came(0) && got.status == 200, "edges are replaced by new ones");
	(void)ask(0, ELDER_POST, sid, PING);
	ok(frame_came(0) && got.status == 404, "and what was said on one holds");
}

/* What is asked because of the time is sent at once, and not with whatever happens next. */
static void on_time(void)
{
	int64_t now_ms = loop.now_ms;
	bool at_once = false, came = false;
	unsigned c;

	begin();
	nconns = 0;
	session(0);
	(void)ask(0, ELDER_POST, sid, CALL);
	c = request("tools/call");
	answer(c, "200 OK", "", "\"result\":{\"resultType\":\"input_required\",\"requestState\":\"x\"}");
	for (int waited = 0; waited < WAIT_MS && !came; waited += 10) {
		loop.now_ms = now_ms += 250;
		at_once = edge_turn() == 0 || at_once;
		take_connections();
		came = strstr(conns[c].text, "\"requestState\":\"x\"");
		if (!came && !loop_wait(&loop, 10))
			abort();
	}
	ok(came && at_once, "a call that is to be asked again is");
}

/* Streams without end do not take the connections that calls need. */
static void endless(void)
{
	exchanges = 8;
	begin();
	nconns = 0;
	for (unsigned i = 0; i < 8; i++) {
		(void)ask(0, ELDER_POST, NULL, INITIALIZE);
		answer(request("server/discover"), "200 OK", "", "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
			"\"capabilities\":{\"tools\":{\"listChanged\":true}},\"ttlMs\":1,\"cacheScope\":\"private\"}");
		if (!frame_came(0) || got.status != 200)
			break;
		snprintf(sid, sizeof sid, "%.*s", (int)got.session.n, got.session.p);
		(void)ask(0, ELDER_GET, sid, NULL);
		if (!frame_came(0) || got.type != ELDER_STREAM || !frame_came(0) || got.type != ELDER_EVENT)
			break;
	}
	(void)ask(0, ELDER_POST, sid, CALL);
	answer(request("tools/call"), "200 OK", "", DONE);
	ok(frame_came(0) && got.type == ELDER_REPLY && got.status == 200 && !got.again, "while all listen who can, calls go on");
	exchanges = 40;
}

int main(void)
{
	there_and_back();
	slow();
	broken();
	on_time();
	endless();
	free(area);
	return done_testing();
}
