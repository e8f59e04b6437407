/*
 * A script for the door of stdio, a line a step: what its client writes, what the worker says on whatever connection, workers that go, time that passes.
 * Whatever it is: each line that goes out is one JSON document of one object or array, a request has one answer at most, and exactly one when all is over, unless
 * it was called off; and then nothing is left in use.
 *
 *   C<line>   the client's line             L         one that was too long         Q<c>      a request of ours or, in a session, an old one
 *   I<c>      initialize, answered          K<c>      the c-th request is called off
 *   R<c><json> answers the newest request with a status and this body               S         its answer is a stream
 *   E<json>   an event on the newest stream V<text>   raw bytes on the newest connection               Z         the newest stream ends
 *   X<c>      the newest connection, or all, closed by the worker                   D<c>      there is no worker, or there is
 *   T<c>      time passes
 */
#include <stdio.h>
#include <stdlib.h>

#include "flow/door_state.h"
#include "unit/flow/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ASKED = 256, CONNS = 900 };

static struct door *door;
static struct door_settings set;
static struct loop loop;
static void *area;
static struct sim_conn *conns[CONNS], *newest, *streaming;
static unsigned nconns, nasked, nanswers[ASKED];
static bool called_off[ASKED], loose, no_worker, session;

static void must(bool right)
{
	if (!right)
		__builtin_trap();
}

/* "q12" of ours; ASKED: no such. */
static unsigned asked(struct span id)
{
	unsigned v = 0;

	if (id.n < 4 || id.n > 6 || id.p[0] != '"' || id.p[1] != 'q' || (id.n > 4 && id.p[2] == '0'))
		return ASKED;
	for (size_t i = 2; i + 1 < id.n; i++) {
		if (id.p[i] < '0' || id.p[i] > '9')
			return ASKED;
		v = v * 10 + (unsigned)(id.p[i] - '0');
	}
	return v < nasked ? v : ASKED;
}

static void say(void *ctx, struct span line)
{
	static struct json_table *table;
	static void *mem;
	struct mcp_message m;
	struct json j;
	size_t where;

	(void)ctx;
	must(line.n > 1 && line.p[line.n - 1] == '\n' && line.n <= set.reply_max + 65536 + 1);
	line.n--;
	must(!memchr(line.p, '\n', line.n) && !memchr(line.p, '\r', line.n));
	if (!mem && posix_memalign(&mem, 64, json_table_need(set.tokens)) != 0)
		abort();
	table = json_table_place(mem, set.tokens, set.seed);
	must(json_read(&j, table, line, &where) == JSON_OK);
	if (json_type(&j, JSON_ROOT) == JSON_ARRAY)
		return;
	must(mcp_message_read(&m, &j).code == 0);
	if (m.kind != MCP_RESULT && m.kind != MCP_ERROR)
		return;
	unsigned i = asked(m.id);
	if (i < ASKED)
		must(++nanswers[i] == 1 || loose);
}

static void log_line(struct span line) { must(line.n > 0 && line.n <= 256); }

static int dial(void *ctx)
{
	(void)ctx;
	return no_worker || nconns == CONNS ? -1 : sim_pair(0, &conns[nconns++]);
}

static bool alive(const struct sim_conn *c) { return c && c->used && c->server == 0 && !c->closed; }

/* The newest connection that has brought a request becomes the one to answer. */
static void settle(void)
{
	for (unsigned quiet = 0, i = 0; quiet < 3 && i < 200; i++) {
		bool did = sim_deliver(&loop);

		loop.now_ms = sim.now_ms;
		did |= door_tick(door) == 0 && !door_over(door);
		quiet = did ? 0 : quiet + 1;
	}
	for (unsigned i = 0; i < nconns; i++) {
		if (!conns[i]->used)
			continue;
		if (conns[i]->got.n > 0)
			newest = conns[i];
		sim_took(conns[i], conns[i]->got.n);
		if (conns[i]->gate_closed && !conns[i]->closed)
			sim_close(conns[i]);
	}
}

static void client(struct span line)
{
	if (door_ready(door))
		door_line(door, line);
	settle();
}

static void answer(unsigned how, struct span body)
{
	static const char *const status[] = { "200 OK", "202 Accepted", "400 Bad Request", "404 Not Found", "405 Method Not Allowed", "500 Internal Server Error", "503 Service Unavailable" };
	char head[300];
	int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%s%sContent-Length: %zu\r\n\r\n", status[how % 7], body.n > 0 ? "Content-Type: application/json\r\n" : "",
	    how & 8 ? "Mcp-Session-Id: s1\r\n" : "", body.n);

	if (!alive(newest))
		return;
	sim_say(newest, head, (size_t)n);
	sim_say(newest, body.p, body.n);
	settle();
}

static void chunk(struct span text)
{
	char head[40];

	if (!alive(streaming) || text.n == 0)
		return;
	sim_say(streaming, head, (size_t)snprintf(head, sizeof head, "%zx\r\n", text.n + 8));
	sim_say(streaming, "data: ", 6);
	sim_say(streaming, text.p, text.n);
	sim_say(streaming, "\n\n\r\n", 4);
	settle();
}

static void ask(bool old)
{
	char line[300];
	int n = snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":\"q%u\",\"method\":\"%s\",\"params\":{%s}}", nasked, nasked % 5 == 4 ? "subscriptions/listen" : "tools/list",
	    old ? "" : "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}");

	if (nasked == ASKED || !door_ready(door))
		return;
	nasked++;
	client(span_of(line, (size_t)n));
}

static void call_off(unsigned i)
{
	char line[200];
	int n = snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"q%u\"}}", i);

	if (i >= nasked || !door_ready(door))
		return;
	called_off[i] = true;
	client(span_of(line, (size_t)n));
}

static void pass_time(int64_t ms)
{
	for (; ms > 0; ms -= 500) {
		sim.now_ms += ms < 500 ? ms : 500;
		settle();
	}
}

static void close_all(void)
{
	for (unsigned i = 0; i < nconns; i++)
		if (alive(conns[i]))
			sim_close(conns[i]);
	settle();
}

static void step(char what, struct span rest)
{
	static const char initialize[] = "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}";
	static const char agreed[] = "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"result\":{\"protocolVersion\":\"2025-06-18\"}}";
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
	unsigned char c = rest.n > 0 ? (unsigned char)rest.p[0] : 0;

	switch (what) {
	case 'C':
		loose = loose || memchr(rest.p, '[', rest.n) || memchr(rest.p, 'q', rest.n); /* a batch, or ids of ours used again */
		for (unsigned i = 0; i < nasked && rest.n > 0; i++)
			called_off[i] = true;   /* it may have been that */
		client(rest);
		break;
	case 'L':
		if (door_ready(door))
			door_long_line(door);
		break;
	case 'Q':
		ask(session && (c & 1));
		break;
	case 'I':
		client(span_of(initialize, sizeof initialize - 1));
		answer(8, span_of(agreed, sizeof agreed - 1));
		session = true;
		break;
	case 'K':
		call_off(c % ASKED);
		break;
	case 'R':
		answer(c & 15, rest.n > 0 ? span_from(rest, 1) : rest);
		break;
	case 'S':
		if (alive(newest)) {
			streaming = newest;
			sim_say(streaming, head, sizeof head - 1);
			settle();
		}
		break;
	case 'E':
		chunk(rest);
		break;
	case 'Z':
		if (alive(streaming))
			sim_say(streaming, "0\r\n\r\n", 5);
		streaming = NULL;
		settle();
		break;
	case 'V':
		if (alive(newest))
			sim_say(newest, rest.p, rest.n);
		settle();
		break;
	case 'X':
		if (c & 1)
			close_all();
		else if (alive(newest))
			sim_close(newest);
		settle();
		break;
	case 'D':
		no_worker = c & 1;
		break;
	case 'T':
		pass_time((int64_t)(c & 63) * (c & 63) * 8);
		break;
	default:
		break;
	}
}

/* The worker goes for good, and then the client. */
static void finish(void)
{
	no_worker = true;
	close_all();
	pass_time(2 * DOOR_NOTE_MS);
	must(door_ready(door) && door->requests == 0 && door->ordered == 0);
	for (unsigned i = 0; i < nasked; i++)
		must(nanswers[i] == 1 || called_off[i] || loose);
	door_end(door);
	pass_time(set.grace_ms + 1000);
	must(door_over(door) && exchange_used(door->pool) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	sim_begin(1, false);
	set = (struct door_settings){ .requests = 6, .listens = 3, .large = 2, .tokens = 1024, .line_max = 20000, .reply_max = 30000, .grace_ms = 3000,
		.hooks = { NULL, say, dial, log_line } };
	if (!area && posix_memalign(&area, 64, (door_need(&set) + 63) & ~(size_t)63) != 0)
		abort();
	memset(area, 0, door_need(&set));
	memset(nanswers, 0, sizeof nanswers);
	memset(called_off, 0, sizeof called_off);
	nconns = nasked = 0;
	newest = streaming = NULL;
	loose = no_worker = session = false;
	loop.now_ms = sim.now_ms;
	door = door_place(area, &set, &loop);
	for (unsigned steps = 0; n > 0 && steps < 400; steps++) {
		const uint8_t *nl = memchr(data, '\n', n);
		size_t line = nl ? (size_t)(nl - data) : n;

		if (line > 0 && line <= set.line_max)
			step((char)data[0], span_of((const char *)data + 1, line - 1));
		data += line + (nl != NULL);
		n -= line + (nl != NULL);
	}
	finish();
	sim_end();
	return 0;
}
