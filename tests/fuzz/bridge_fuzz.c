/* The bridge between two workers and four peers. The input is a play: the first byte chooses the settings, each further byte a move with
 * arguments. Watched all the while: every request is answered once and no more, no line has a line feed, nothing is said to a peer that has not begun. When it
 * is over everybody leaves, and nothing may be left in use.
 *
 *   w a request (worker, method, who and what it declares, more)   W words of a worker   c a cancel   r a retry with the last state   x a worker goes and comes
 *   p an answer (peer, which, what)   P words of a peer   q a question   n a notification   u up  d down  a again  f failed  l long
 *   t time   k room goes or comes back   any other byte: a tick */
#include <stdio.h>
#include <stdlib.h>

#include "bridge/bridge_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOVES = 300, WORKERS = 2, PEERS = 4, IDS = 512, SENT = 64 };

static struct bridge *b;
static const uint8_t *in, *end;
static int64_t now;
static bool worker_closed[WORKERS], peer_closed[PEERS], begun[PEERS], started[PEERS];
static bool open_id[WORKERS][IDS], listening[WORKERS][IDS];
static unsigned ids;
static uint64_t sent[PEERS][SENT];  /* ids of requests to a peer */
static unsigned nsent[PEERS];
static char state[200];
static char text[40000];

static unsigned next(void) { return in < end ? *in++ : 0; }

static void wrong(const char *what)
{
	fprintf(stderr, "bridge_fuzz: %s\n", what);
	abort();
}

static bool to_worker(void *ctx, unsigned worker, struct span line)
{
	const char *at;
	unsigned id;

	(void)ctx;
	if (worker >= WORKERS || memchr(line.p, '\n', line.n) || line.n > b->s.reply_max + BRIDGE_SLACK)
		wrong("a line that must not be");
	if (worker_closed[worker])
		return false;
	snprintf(text, sizeof text, "%.*s", (int)line.n, line.p);
	if (strncmp(text, "{\"jsonrpc\":\"2.0\",\"id\":", 22) != 0)
		return true; /* a notification, or an error without an id */
	id = (unsigned)strtoul(text + 22, NULL, 10);
	if (id == 0 || id >= IDS)
		return true; /* of a request in the input's own words */
	if (!open_id[worker][id])
		wrong("an answer to nothing, or a second one");
	open_id[worker][id] = false;
	at = strstr(text, "\"requestState\":\"b1.");
	if (at)
		sscanf(at + 16, "%199[^\"]", state);
	return true;
}

static bool to_peer(void *ctx, unsigned peer, const struct bridge_out *out)
{
	(void)ctx;
	if (peer >= PEERS || !begun[peer] || memchr(out->message.p, '\n', out->message.n))
		wrong("something said to nobody");
	if (peer_closed[peer])
		return false;
	if (out->what == BRIDGE_REQUEST || out->what == BRIDGE_INITIALIZE)
		sent[peer][nsent[peer]++ % SENT] = out->id;
	return true;
}

static void start_peer(void *ctx, unsigned peer)
{
	(void)ctx;
	if (started[peer])
		wrong("a peer begun twice");
	started[peer] = true;
	begun[peer] = false;
	nsent[peer] = 0;
}

static void stop_peer(void *ctx, unsigned peer)
{
	(void)ctx;
	if (!started[peer])
		wrong("a peer ended that is none");
	started[peer] = begun[peer] = false;
}

static void say_nothing(void *ctx, struct span line) { (void)ctx; (void)line; }

static const char *const caps[] = { "{}", "{\"elicitation\":{}}", "{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{\"tools\":{}},\"roots\":{}}", "{\"sampling\":{},\"roots\":{}}" };
static const char *const who[] = { "", ",\"postern/principal\":\"aa\"", ",\"postern/principal\":\"bb\"", ",\"postern/principal\":\"cc\"" };
static const char *const more[] = { "", ",\"progressToken\":\"t\"", ",\"io.modelcontextprotocol/logLevel\":\"info\"", ",\"progressToken\":7,\"a.b/c\":[]" };
static const char *const methods[] = {
	"server/discover", "tools/list", "tools/call", "prompts/get", "resources/read", "subscriptions/listen", "subscriptions/listen", "tools/call",
	"completion/complete", "prompts/list", "resources/list", "resources/templates/list", "ping", "tools/call",
};
static const char *const params[] = {
	"", "\"cursor\":\"\",", "\"name\":\"t\",\"arguments\":{\"a\":1},", "\"name\":\"t\",", "\"uri\":\"a:b\",",
	"\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:b\",\"a:c\"]},", "\"notifications\":{\"resourceSubscriptions\":[\"a:b/\"]},",
	"\"name\":\"t\",\"arguments\":{\"a\":1},", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"n\",\"value\":\"v\"},", "", "", "", "", "",
};

static void say(unsigned worker, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, text, n);
	bridge_worker_line(b, worker, span_of(copy, n));
	free(copy);
}

static void request(unsigned worker, unsigned method, unsigned how, const char *extra)
{
	bool full = b->calls.used == b->calls.count;
	int n;

	if (++ids >= IDS)
		return;
	open_id[worker][ids] = true;
	n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":{%s%s\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
	    "\"io.modelcontextprotocol/clientCapabilities\":%s%s%s}}}", ids, methods[method % 14], params[method % 14], extra, caps[how & 3], who[how >> 2 & 3], more[how >> 4 & 3]);
	if (b->calls.used < b->calls.count && method % 14 - 5 < 2)
		listening[worker][ids] = true;
	say(worker, (size_t)n);
	if (full && worker_closed[worker]) /* which the owner does not let happen */
		open_id[worker][ids] = false;
}

static void retry(unsigned worker, unsigned how)
{
	static const char *const answers[] = {
		"\"inputResponses\":{\"u.1\":{\"action\":\"accept\",\"content\":{}},\"u.2\":{\"action\":\"accept\"},\"u.3\":{\"action\":\"cancel\"}},",
		"\"inputResponses\":{\"u.1\":{\"role\":\"a\",\"model\":\"m\",\"content\":[{}]}},", "\"inputResponses\":{\"u.1\":{\"roots\":[]},\"u.2\":{\"roots\":[]}},", "", "\"inputResponses\":[],",
	};
	char extra[600];

	if (how & 64)
		state[sizeof state / 9] ^= 1;
	snprintf(extra, sizeof extra, "%s\"requestState\":\"%s\",", answers[how % 5], state);
	request(worker, 2, 2 | (how >> 4 & 3) << 2, extra);
}

static uint64_t pick(unsigned peer, unsigned which)
{
	unsigned n = nsent[peer] < SENT ? nsent[peer] : SENT;
	return n == 0 ? which : sent[peer][(nsent[peer] - 1 - which % n) % SENT];
}

/* What may be heard of a peer: only once it has begun. */
static void hear(unsigned peer, uint64_t of, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, text, n);
	if (started[peer] && begun[peer])
		bridge_peer_line(b, peer, of, span_of(copy, n));
	free(copy);
}

static void answer(unsigned peer, unsigned which, unsigned what)
{
	static const char *const said[] = {
		"\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true},\"logging\":{},\"prompts\":{}},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}",
		"\"result\":{\"content\":[]}", "\"result\":{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"a\":{\"x-mcp-header\":\"A\"}}}}],\"prompts\":[],\"resources\":[],\"resourceTemplates\":[],\"messages\":[],\"contents\":[],\"completion\":{}}",
		"\"error\":{\"code\":-32601,\"message\":\"m\"}", "\"error\":{\"code\":-32002,\"message\":\"m\"}",
		"\"error\":{\"code\":-32042,\"message\":\"m\",\"data\":{\"elicitations\":[{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a/\"}]}}",
		"\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}", "\"result\":{\"resultType\":\"input_required\",\"requestState\":\"x\"}",
		"\"result\":{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{\"tools\":{}}}", "\"error\":{\"code\":-32022,\"message\":\"m\",\"data\":{\"supported\":[\"2026-07-28\"]}}",
		"\"result\":7", "\"error\":{}", "\"result\":{\"protocolVersion\":\"1\"}",
	};
	int n = snprintf(text, sizeof text, what & 128 ? "[{\"jsonrpc\":\"2.0\",\"id\":%llu,%s},7]" : "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}",
	    (unsigned long long)pick(peer, which), said[(what & 127) % 13]);
	hear(peer, what & 64 ? pick(peer, which) : 0, (size_t)n);
}

static void question(unsigned peer, unsigned which)
{
	static const char *const asked[] = {
		"\"elicitation/create\",\"params\":{\"message\":\"m\",\"requestedSchema\":{}}", "\"roots/list\"", "\"ping\"",
		"\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":1}", "\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a/\"}",
		"\"elicitation/create\",\"params\":{}", "\"x\"",
	};
	int n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":%s}", which / 7 % 5, asked[which % 7]);
	hear(peer, which & 128 ? pick(peer, which) : 0, (size_t)n);
}

static void notify(unsigned peer, unsigned which)
{
	static const struct { const char *head, *tail; } told[] = {
		{ "progress\",\"params\":{\"progress\":1,\"progressToken\":", "}" }, { "message\",\"params\":{\"level\":\"error\",\"data\":", "}" },
		{ "tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":", "}}" },
		{ "resources/updated\",\"params\":{\"uri\":\"a:b/c\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":", "}}" },
		{ "subscriptions/acknowledged\",\"params\":{\"notifications\":{},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":", "}}" },
		{ "cancelled\",\"params\":{\"requestId\":", "}" },
	};
	uint64_t number = which % 6 == 5 ? which / 6 % 5 : pick(peer, which / 6 % 4);
	int n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s%llu%s}", told[which % 6].head, (unsigned long long)number, told[which % 6].tail);

	hear(peer, 0, (size_t)n);
}

static size_t words(void)
{
	size_t n = next();
	n = n < (size_t)(end - in) ? n : (size_t)(end - in);
	memcpy(text, in, n);
	in += n;
	return n;
}

static void peer_gone(unsigned peer)
{
	if (!started[peer])
		return;
	started[peer] = begun[peer] = false;
	bridge_peer_down(b, peer, SPAN("ended"));
}

static void forget(unsigned worker)
{
	memset(open_id[worker], 0, sizeof open_id[worker]);
	memset(listening[worker], 0, sizeof listening[worker]);
}

static void move(unsigned what)
{
	unsigned a = next(), w = a % WORKERS, p = a % PEERS;

	switch (what) {
	case 'w': {
		unsigned m = next();
		request(w, m, next(), "");
		break;
	}
	case 'W':
		say(w, words());
		break;
	case 'c': {
		unsigned id = ids > 0 ? ids - a / 2 % ids : 1;
		int n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%u}}", id);
		say(w, (size_t)n);
		open_id[w][id % IDS] = listening[w][id % IDS] = false;
		break;
	}
	case 'r':
		retry(w, next());
		break;
	case 'x':
		forget(w);
		bridge_worker_down(b, w);
		bridge_worker_up(b, w);
		break;
	case 'p': {
		unsigned which = next();
		answer(p, which, next());
		break;
	}
	case 'P':
		hear(p, a & 16 ? pick(p, a) : 0, words());
		break;
	case 'q':
		question(p, next());
		break;
	case 'n':
		notify(p, next());
		break;
	case 'u':
		if (started[p] && !begun[p]) {
			begun[p] = true;
			bridge_peer_up(b, p);
		}
		break;
	case 'd':
		peer_gone(p);
		break;
	case 'a':
		if (begun[p])
			bridge_peer_again(b, p);
		break;
	case 'f':
		if (begun[p])
			bridge_peer_failed(b, p, pick(p, a / 4), SPAN("cannot be reached"));
		break;
	case 'l':
		if (begun[p]) {
			int n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,", (unsigned long long)pick(p, a / 4));
			bridge_peer_long(b, p, 0, span_of(text, (size_t)n), SPAN("\"id\": 5}"));
		}
		break;
	case 't':
		now += 1 + (int64_t)a * a;
		break;
	case 'k':
		worker_closed[w] = a & 8;
		peer_closed[p] = a & 16;
		break;
	default:
		break;
	}
	(void)bridge_tick(b);
}

static void leave(void)
{
	for (unsigned p = 0; p < PEERS; p++)
		peer_closed[p] = false;
	for (unsigned w = 0; w < WORKERS; w++)
		worker_closed[w] = false;
	now += 1000000; /* whatever waits has waited too long */
	for (int i = 0; i < 4; i++) {
		(void)bridge_tick(b);
		now += 1000000;
	}
	for (unsigned w = 0; w < WORKERS; w++)
		for (unsigned i = 0; i < IDS; i++)
			if (open_id[w][i] && !listening[w][i])
				wrong("a request was never answered");
	for (unsigned w = 0; w < WORKERS; w++) {
		forget(w);
		bridge_worker_down(b, w);
	}
	for (unsigned p = 0; p < PEERS; p++)
		peer_gone(p);
	(void)bridge_tick(b);
	if (b->calls.used + b->texts.used + b->parks.used + b->listens_pool.used > 0)
		wrong("something is left in use");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bridge_settings s = {
		.name = SPAN("u"), .version = SPAN("1"), .ask = 7, .nworkers = WORKERS, .peers_max = PEERS, .calls_max = 12, .listens_max = 3,
		.waiting_max = 5, .parks_max = 3, .parks_each = 2, .tokens = 512, .line_max = 4096, .reply_max = 4096, .probe_ms = 1000, .start_ms = 5000,
		.silence_ms = 20000, .park_ms = 60000, .private_idle_ms = 30000, .ttl_ms = 1000,
	};
	struct bridge_hooks h = { NULL, &now, to_worker, to_peer, start_peer, stop_peer, say_nothing };
	static void *mem; /* once taken for good: fresh pages would take most of the time */
	size_t need;

	in = data;
	end = data + size;
	s.era = (enum bridge_era)(next() % 3);
	now = 1000;
	ids = 0;
	memset(worker_closed, 0, sizeof worker_closed);
	memset(peer_closed, 0, sizeof peer_closed);
	memset(begun, 0, sizeof begun);
	memset(started, 0, sizeof started);
	memset(nsent, 0, sizeof nsent);
	state[0] = 0;
	for (unsigned w = 0; w < WORKERS; w++)
		forget(w);
	need = bridge_need(&s);
	if (!mem)
		mem = aligned_alloc(64, (need + 63) / 64 * 64);
	memset(mem, 0, need);
	b = bridge_place(mem, &s, &h);
	for (unsigned w = 0; w < WORKERS; w++)
		bridge_worker_up(b, w);
	for (unsigned i = 0; i < MOVES && in < end; i++)
		move(next());
	leave();
	return 0;
}
