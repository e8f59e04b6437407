/* The bridge over flow/old_http, as role/bridge_http.c joins them, with two workers and an HTTP server of the revisions that have sessions, on the network of
 * tests/unit/flow/sim.h. The input is a play: the first byte chooses the settings, each further one a move with arguments. Watched all the while: every
 * request is answered once and no more, and nothing is told of a conversation that is not there. When it is over everybody leaves, and nothing may be left in use.
 *
 *   w a request (worker, method, who and what it declares)   c a cancel   r a retry with the last state   x a worker goes and comes
 *   g the server answers what it has not yet, as it should (how: its session, JSON or events)   S it says something else there (connection, what)   s words
 *   X a connection ends   t time   T credentials: none, at once, later   k room goes or comes back   any other byte: a turn */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/bridge.h"
#include "flow/old_http_state.h"
#include "unit/flow/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOVES = 300, WORKERS = 2, PEERS = 4, IDS = 256, ASKED = 64, CALL_MS = 20000 };

static struct bridge *b;
static struct old_http *http;
static struct old_http_settings over;
static struct loop loop;
static const uint8_t *in, *end;
static bool started[PEERS], begun[PEERS], calling, no_room;
static bool open_id[WORKERS][IDS], listening[WORKERS][IDS];
static unsigned ids, give, nwanted;
static uint64_t wanted[ASKED];
static size_t seen[SIM_CONNS];   /* of what came on a connection, up to where the server has answered */
static char state[200], text[20000], words[256];

static unsigned next(void) { return in < end ? *in++ : 0; }

static void must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "old_http_fuzz: %s\n", what);
	abort();
}

/* ---- the bridge's hooks ---- */

static bool to_worker(void *ctx, unsigned worker, struct span line)
{
	const char *at;
	unsigned id;

	(void)ctx;
	must(worker < WORKERS && !memchr(line.p, '\n', line.n) && line.n < sizeof text, "a line that must not be");
	snprintf(text, sizeof text, "%.*s", (int)line.n, line.p);
	if (strncmp(text, "{\"jsonrpc\":\"2.0\",\"id\":", 22) != 0)
		return true;
	id = (unsigned)strtoul(text + 22, NULL, 10);
	must(id > 0 && id < IDS && open_id[worker][id], "an answer to nothing, or a second one");
	open_id[worker][id] = false;
	at = strstr(text, "\"requestState\":\"");
	if (at)
		sscanf(at + 16, "%199[^\"]", state);
	return true;
}

static bool to_peer(void *ctx, unsigned peer, const struct bridge_out *out)
{
	bool sent;

	(void)ctx;
	calling = true;
	sent = old_http_send(http, peer, (enum old_http_what)out->what, out->id, out->version, out->message);
	calling = false;
	return sent;
}

static void start_peer(void *ctx, unsigned peer)
{
	(void)ctx;
	must(!started[peer], "a peer begun twice");
	started[peer] = true;
	begun[peer] = false;
	calling = true;
	old_http_start(http, peer);
	calling = false;
}

static void stop_peer(void *ctx, unsigned peer)
{
	(void)ctx;
	must(started[peer], "a peer ended that is none");
	started[peer] = begun[peer] = false;
	calling = true;
	old_http_stop(http, peer);
	calling = false;
}

static void say_nothing(void *ctx, struct span line) { (void)ctx; (void)line; }

/* ---- the transport's ---- */

static void heard(unsigned peer) { must(!calling && peer < PEERS && started[peer] && begun[peer], "something is told of a conversation that is not there"); }

static void on_up(void *ctx, unsigned peer)
{
	(void)ctx;
	must(!calling && started[peer] && !begun[peer], "one that is up is told again");
	begun[peer] = true;
	bridge_peer_up(b, peer);
}

static void on_message(void *ctx, unsigned peer, uint64_t of, struct span message)
{
	(void)ctx;
	heard(peer);
	must(message.n <= over.reply_max, "a message over the limit");
	bridge_peer_line(b, peer, of, message);
}

static bool on_awaits(void *ctx, unsigned peer, uint64_t id) { (void)ctx; return bridge_peer_awaits(b, peer, id); }

static void on_failed(void *ctx, unsigned peer, uint64_t id, struct span why)
{
	(void)ctx;
	heard(peer);
	if (!http->peers[peer].on) /* it was the initialize; the bridge stops the peer */
		begun[peer] = false;
	bridge_peer_failed(b, peer, id, why);
}

static void on_again(void *ctx, unsigned peer)
{
	(void)ctx;
	heard(peer);
	bridge_peer_again(b, peer);
}

static void on_down(void *ctx, unsigned peer, struct span why)
{
	(void)ctx;
	heard(peer);
	started[peer] = begun[peer] = false;
	bridge_peer_down(b, peer, why);
}

static bool on_room(void *ctx) { (void)ctx; return !no_room; }

static bool on_credential(void *ctx, uint64_t call, bool again)
{
	(void)ctx, (void)again;
	if (give == 0 || nwanted == ASKED)
		return false;
	wanted[nwanted++] = call;
	return true;
}

/* ---- the world ---- */

static void credentials(void)
{
	static const char *const line[] = { "", "Authorization: Bearer one", "no line" };
	unsigned n = nwanted;

	nwanted = 0;
	for (unsigned i = 0; i < n; i++)
		old_http_credential(http, wanted[i], give == 3 && i % 3 == 0 ? span_of(NULL, 0) : span_z(line[give == 3 ? i % 3 : 1]));
}

static void turn(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		for (unsigned k = 0; k < sim.top; k++)
			if (sim.conn[k].used && sim.conn[k].connecting && !sim.conn[k].gate_closed) {
				sim.conn[k].connecting = false;
				sim.conn[k].pending |= LOOP_WRITE;
				seen[k] = 0;
			}
		(void)sim_deliver(&loop);
		if (give == 1 || give == 3)
			credentials();
		old_http_tick(http);
		(void)bridge_tick(b);
	}
}

static bool open_at(unsigned k) { return sim.conn[k].used && !sim.conn[k].connecting && !sim.conn[k].gate_closed && !sim.conn[k].fin && !sim.conn[k].reset; }

/* The nth connection from the newest on that is open; SIM_CONNS: there is none. */
static unsigned pick(unsigned n)
{
	unsigned open = 0;

	for (unsigned k = 0; k < sim.top; k++)
		open += open_at(k);
	if (open == 0)
		return SIM_CONNS;
	n %= open;
	for (unsigned k = sim.top; k-- > 0;)
		if (open_at(k) && n-- == 0)
			return k;
	return SIM_CONNS;
}

/* The number behind the last "id": that came there. */
static unsigned long long asked_id(const struct sim_conn *c)
{
	unsigned long long id = 0;

	for (size_t i = c->got.n; i-- > 5;)
		if (i + 1 < c->got.n && memcmp(c->got.p + i - 4, "\"id\":", 5) == 0) {
			for (size_t k = i + 1; k < c->got.n && c->got.p[k] >= '0' && c->got.p[k] <= '9'; k++)
				id = id * 10 + (unsigned)(c->got.p[k] - '0');
			break;
		}
	return id;
}

static bool holds(const char *what, const struct sim_conn *c, size_t from)
{
	return memmem(c->got.p + from, c->got.n - from, what, strlen(what)) != NULL;
}

static void reply(struct sim_conn *c, const char *fields, const char *body, bool events)
{
	char all[3000];
	int n = events ? snprintf(all, sizeof all, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%s\r\nid: 1\ndata: %s\n\n", fields, body)
	    : snprintf(all, sizeof all, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s", fields, strlen(body), body);

	sim_say(c, all, (size_t)n);
}

#define CAPABILITIES "\"capabilities\":{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true},\"logging\":{},\"prompts\":{}},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}"

static void as_it_should(unsigned k, unsigned how)
{
	static const char *const revision[] = { "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05" };
	struct sim_conn *c = &sim.conn[k];
	char fields[60] = "", body[1000];

	if (c->got.n <= seen[k] || !holds("\r\n\r\n", c, seen[k]))
		return;
	if (how & 1)
		snprintf(fields, sizeof fields, "Mcp-Session-Id: s%u\r\n", how >> 4);
	if (holds("GET /", c, seen[k])) {
		const char *no = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n", *yes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: 7\ndata:\n\n";
		sim_say(c, how & 4 ? yes : no, strlen(how & 4 ? yes : no));
	} else if (holds("\"initialize\"", c, seen[k])) {
		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"protocolVersion\":\"%s\"," CAPABILITIES "}}", asked_id(c), revision[how >> 6]);
		reply(c, fields, body, how & 2);
	} else if (holds("\"method\":\"notifications/", c, seen[k]) || !holds("\"method\":", c, seen[k])) {
		sim_say(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 43);
	} else {
		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"content\":[],\"tools\":[],\"prompts\":[],\"resources\":[],\"resourceTemplates\":[],\"messages\":[],"
		    "\"contents\":[],\"completion\":{}}}", asked_id(c));
		reply(c, "", body, how & 2);
	}
	seen[k] = c->got.n;
}

static void something_else(struct sim_conn *c, unsigned what, unsigned more)
{
	static const char *const said[] = {
		"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 503 Away\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: e\ndata:\n\n", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n",
		"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "id: f\nretry: 0\ndata:\n\n", "retry: 99999999\n\n", "5\r\ndata:\r\n", "0\r\n\r\n",
	};
	static const char *const event[] = {
		"\"id\":%u,\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\",\"requestedSchema\":{}}", "\"id\":%u,\"method\":\"roots/list\"", "\"id\":%u,\"method\":\"ping\"",
		"\"id\":%u,\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":1}", "\"id\":%llu,\"result\":{\"content\":[]}", "\"id\":%llu,\"error\":{\"code\":-32602,\"message\":\"m\"}",
		"\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":%llu}", "\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}",
		"\"method\":\"notifications/tools/list_changed\"", "\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"a:b\"}", "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%u}",
	};
	unsigned long long id = asked_id(c);
	char json[500], all[600];
	int n;

	if (what % 24 < 13) {
		sim_say(c, said[what % 24], strlen(said[what % 24]));
		return;
	}
	what = what % 24 - 13;
	n = snprintf(json, sizeof json, "{\"jsonrpc\":\"2.0\",");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (strstr(event[what], "%llu"))
		n += snprintf(json + n, sizeof json - (size_t)n, event[what], id);
	else
		n += snprintf(json + n, sizeof json - (size_t)n, event[what], more % 5);
#pragma GCC diagnostic pop
	snprintf(json + n, sizeof json - (size_t)n, "}");
	n = more & 64 ? snprintf(all, sizeof all, "id: %u\ndata: %s\n\n", more, json) : snprintf(all, sizeof all, "data: %s\n\n", json);
	sim_say(c, all, (size_t)n);
}

/* ---- the workers ---- */

static void say(unsigned worker, size_t n)
{
	char *copy = malloc(n);

	memcpy(copy, text, n);
	bridge_worker_line(b, worker, span_of(copy, n));
	free(copy);
}

static void request(unsigned worker, unsigned method, unsigned how, const char *extra)
{
	static const char *const caps[] = { "{}", "{\"elicitation\":{}}", "{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{\"tools\":{}},\"roots\":{}}", "{\"sampling\":{},\"roots\":{}}" };
	static const char *const who[] = { "", ",\"postern/principal\":\"aa\"", ",\"postern/principal\":\"bb\"", ",\"postern/principal\":\"cc\"" };
	static const char *const more[] = { "", ",\"progressToken\":\"t\"", ",\"io.modelcontextprotocol/logLevel\":\"info\"", ",\"progressToken\":7,\"a.b/c\":[]" };
	static const char *const asks[][2] = {
		{ "tools/call", "\"name\":\"t\",\"arguments\":{\"a\":1}," }, { "tools/list", "" }, { "server/discover", "" }, { "resources/read", "\"uri\":\"a:b\"," },
		{ "subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:b\",\"a:c\"]}," }, { "prompts/get", "\"name\":\"p\"," },
	};
	int n;

	if (++ids >= IDS)
		return;
	open_id[worker][ids] = true;
	listening[worker][ids] = method % 6 == 4;
	n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":{%s%s\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
	    "\"io.modelcontextprotocol/clientCapabilities\":%s%s%s}}}", ids, asks[method % 6][0], asks[method % 6][1], extra, caps[how & 3], who[how >> 2 & 3], more[how >> 4 & 3]);
	say(worker, (size_t)n);
}

static void retry(unsigned worker, unsigned how)
{
	static const char *const answers[] = {
		"\"inputResponses\":{\"u.1\":{\"action\":\"accept\",\"content\":{}},\"u.2\":{\"action\":\"accept\"},\"u.3\":{\"action\":\"cancel\"}},",
		"\"inputResponses\":{\"u.1\":{\"role\":\"a\",\"model\":\"m\",\"content\":[{}]}},", "\"inputResponses\":{\"u.1\":{\"roots\":[]},\"u.2\":{\"roots\":[]}},",
	};
	char extra[600];

	snprintf(extra, sizeof extra, "%s\"requestState\":\"%s\",", answers[how % 3], state);
	request(worker, 0, 2 | (how >> 4 & 3) << 2, extra);
}

static void forget(unsigned worker)
{
	memset(open_id[worker], 0, sizeof open_id[worker]);
	memset(listening[worker], 0, sizeof listening[worker]);
}

static void move(unsigned what)
{
	unsigned a, w, k;

	switch (what) {
	case 'w':
		w = next() % WORKERS;
		a = next();
		request(w, a, next(), "");
		break;
	case 'c':
		w = next() % WORKERS;
		a = ids > 0 ? ids - next() % ids : 1;
		k = (unsigned)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%u}}", a);
		say(w, k);
		open_id[w][a % IDS] = listening[w][a % IDS] = false;
		break;
	case 'r':
		w = next() % WORKERS;
		retry(w, next());
		break;
	case 'x':
		w = next() % WORKERS;
		forget(w);
		bridge_worker_down(b, w);
		bridge_worker_up(b, w);
		break;
	case 'g':
		a = next();
		for (unsigned i = 0; i < 3; i++) {
			for (k = 0; k < sim.top; k++)
				if (open_at(k))
					as_it_should(k, a);
			turn(3);
		}
		break;
	case 'S':
		k = pick(next());
		a = next();
		if (k < SIM_CONNS) {
			seen[k] = sim.conn[k].got.n;
			something_else(&sim.conn[k], a, next());
		}
		break;
	case 's':
		k = pick(next());
		a = next();
		a = a < (size_t)(end - in) ? a : (unsigned)(end - in);
		memcpy(words, in, a);
		in += a;
		if (k < SIM_CONNS) {
			seen[k] = sim.conn[k].got.n;
			sim_say(&sim.conn[k], words, a);
		}
		break;
	case 'X':
		k = pick(next());
		a = next();
		if (k < SIM_CONNS)
			sim_finish(&sim.conn[k], a);
		break;
	case 't':
		a = next();
		sim.now_ms += 1 + (int64_t)a * a;
		turn(1);
		break;
	case 'T':
		give = next() % 4;
		break;
	case 'k':
		no_room = next() & 1;
		break;
	default:
		turn(1);
		break;
	}
}

/* Whoever waits has waited too long; then all go. */
static void leave(void)
{
	no_room = false;
	give = 1;
	for (int i = 0; i < 100; i++) {
		sim.now_ms += CALL_MS / 20;
		turn(3);
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		for (unsigned i = 0; i < IDS; i++)
			must(!open_id[w][i] || listening[w][i], "a request was never answered");
		forget(w);
		bridge_worker_down(b, w);
	}
	for (unsigned p = 0; p < PEERS; p++)
		if (started[p]) {
			started[p] = begun[p] = false;
			old_http_stop(http, p);
			bridge_peer_down(b, p, SPAN("ended"));
		}
	for (int i = 0; i < 20; i++) {
		sim.now_ms += EXCHANGE_IDLE_MS / 10;
		turn(3);
	}
	must(bridge_open_calls(b) == 0, "the bridge has something to do yet");
	must(old_http_open(http) == 0 && http->calls.used == 0 && http->besides == 0 && http->paused == 0 && exchange_used(http->pool) == 0, "something is left in use of the transport");
	for (unsigned k = 0; k < sim.top; k++)
		must(!sim.conn[k].used || sim.conn[k].gate_closed, "a connection is left open");
}

/* Memory of exactly that size, once taken for good: fresh pages would take most of the time. */
static void *place(void **mem, size_t need)
{
	if (!*mem)
		*mem = aligned_alloc(64, (need + 63) / 64 * 64);
	memset(*mem, 0, need);
	return *mem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bridge_settings s;
	struct bridge_hooks hooks = { NULL, &loop.now_ms, to_worker, to_peer, start_peer, stop_peer, say_nothing };
	static void *mem, *mem_over[2];
	unsigned how;

	in = data;
	end = data + size;
	how = next();
	s = (struct bridge_settings){ .name = SPAN("u"), .version = SPAN("1"), .era = BRIDGE_LEGACY, .ask = 7, .nworkers = WORKERS, .peers_max = PEERS, .calls_max = 12, .listens_max = 3,
		.waiting_max = 5, .parks_max = 3, .parks_each = 2, .tokens = 512, .line_max = 4096, .reply_max = 4096, .probe_ms = 1000, .start_ms = 5000,
		.silence_ms = CALL_MS, .park_ms = 60000, .private_idle_ms = 30000, .ttl_ms = 1000 };
	over = (struct old_http_settings){ .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 1 }, .host = SPAN("h"), .path = SPAN("/"), .fields = SPAN("X-Own: 1\r\n"),
		.connect_ms = 1000, .answer_ms = 4000, .credential = how & 1, .peers = PEERS, .calls = how & 2 ? 12 : 3, .larges = 2, .message_max = 4096 + BRIDGE_SLACK, .reply_max = 4096,
		.hooks = { NULL, on_up, on_message, on_awaits, on_failed, on_again, on_down, on_room, on_credential, NULL } };
	sim_begin(how + 1, how & 4);
	loop.now_ms = sim.now_ms;
	ids = nwanted = 0;
	give = 1;
	no_room = calling = false;
	memset(started, 0, sizeof started);
	memset(begun, 0, sizeof begun);
	memset(seen, 0, sizeof seen);
	state[0] = 0;
	for (unsigned w = 0; w < WORKERS; w++)
		forget(w);
	b = bridge_place(place(&mem, bridge_need(&s)), &s, &hooks);
	http = old_http_place(place(&mem_over[how >> 1 & 1], old_http_need(&over)), &over, &loop);
	for (unsigned w = 0; w < WORKERS; w++)
		bridge_worker_up(b, w);
	for (unsigned i = 0; i < MOVES && in < end; i++)
		move(next());
	leave();
	sim_end();
	return 0;
}
