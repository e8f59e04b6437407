/* The bridge with workers and peers that a test plays: what it says is kept in queues, what it is told is written out in the test. */
#ifndef TESTS_BRIDGE_KIT_H
#define TESTS_BRIDGE_KIT_H

#include <stdlib.h>

#include "bridge/bridge.h"
#include "page.h"
#include "tap.h"

enum { KIT_WORKERS = 3, KIT_PEERS = 4, KIT_QUEUE = 256 };

struct kit_line {
	char *text;
	enum bridge_what what;
	uint64_t id;
	char version[16];
};

struct kit_queue {
	struct kit_line at[KIT_QUEUE];
	unsigned from, n;
	bool closed; /* has no room */
};

static int64_t kit_now = 1000;
static struct bridge *kit;
static void *kit_mem;
static struct kit_queue kit_worker[KIT_WORKERS], kit_peer[KIT_PEERS];
static unsigned kit_starts[KIT_PEERS], kit_stops[KIT_PEERS];
static char kit_log[512];
static int kit_wait;         /* what the last tick has said */
static uint64_t kit_id;      /* of the last message taken from a peer's queue */
static char kit_version[16];
static enum bridge_what kit_what;

#define META_OF(caps, more) "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
	"\"io.modelcontextprotocol/clientCapabilities\":" caps more "}"
#define META META_OF("{}", "")
#define AS(who) ",\"postern/principal\":\"" who "\""
#define TOKEN(t) ",\"progressToken\":" t
#define LEVEL(l) ",\"io.modelcontextprotocol/logLevel\":\"" l "\""
#define ALL_CAPS "{\"elicitation\":{\"form\":{},\"url\":{}},\"sampling\":{},\"roots\":{}}"

static void kit_die(const char *what)
{
	fprintf(stderr, "# %s\n", what);
	exit(99);
}

static bool kit_put(struct kit_queue *q, struct span text, enum bridge_what what, uint64_t id, struct span version)
{
	struct kit_line *l;

	if (q->closed)
		return false;
	if (q->n == KIT_QUEUE)
		kit_die("a queue of the test is full");
	if (memchr(text.p, '\n', text.n))
		kit_die("a line with a line feed in it");
	l = &q->at[(q->from + q->n++) % KIT_QUEUE];
	l->text = malloc(text.n + 1);
	memcpy(l->text, text.p, text.n);
	l->text[text.n] = 0;
	l->what = what;
	l->id = id;
	memset(l->version, 0, sizeof l->version);
	if (version.n > 0 && version.n < sizeof l->version)
		memcpy(l->version, version.p, version.n);
	return true;
}

static bool kit_to_worker(void *ctx, unsigned worker, struct span line)
{
	(void)ctx;
	return kit_put(&kit_worker[worker], line, BRIDGE_REQUEST, 0, span_of("", 0));
}

static bool kit_to_peer(void *ctx, unsigned peer, const struct bridge_out *out)
{
	(void)ctx;
	return kit_put(&kit_peer[peer], out->message, out->what, out->id, out->version);
}

static void kit_drop(struct kit_queue *q)
{
	while (q->n > 0) {
		free(q->at[q->from].text);
		q->from = (q->from + 1) % KIT_QUEUE;
		q->n--;
	}
}

static void kit_start(void *ctx, unsigned peer)
{
	(void)ctx;
	kit_drop(&kit_peer[peer]);
	kit_starts[peer]++;
}

static void kit_stop(void *ctx, unsigned peer) { (void)ctx; kit_stops[peer]++; }

static void kit_say_log(void *ctx, struct span line)
{
	(void)ctx;
	if (line.n >= sizeof kit_log)
		kit_die("a log line that is too long");
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < 0x20 || line.p[i] > 0x7e)
			kit_die("a log line with bytes that are no text");
	memcpy(kit_log, line.p, line.n);
	kit_log[line.n] = 0;
}

static struct bridge_settings kit_settings(enum bridge_era era)
{
	struct bridge_settings s = {
		.name = SPAN("old"), .version = SPAN("9.9"), .era = era, .ask = BRIDGE_ASK_ELICITATION | BRIDGE_ASK_SAMPLING | BRIDGE_ASK_ROOTS,
		.nworkers = KIT_WORKERS, .peers_max = KIT_PEERS, .calls_max = 32, .listens_max = 4, .waiting_max = 8, .parks_max = 4, .parks_each = 3,
		.tokens = 4096, .line_max = 16384, .reply_max = 65536, .probe_ms = 1000, .start_ms = 5000, .silence_ms = 20000, .park_ms = 60000,
		.private_idle_ms = 30000, .ttl_ms = 7000,
	};
	memset(s.key, 7, sizeof s.key);
	memset(s.seed, 9, sizeof s.seed);
	return s;
}

static void kit_end(void)
{
	for (unsigned i = 0; i < KIT_WORKERS; i++)
		kit_drop(&kit_worker[i]);
	for (unsigned i = 0; i < KIT_PEERS; i++)
		kit_drop(&kit_peer[i]);
	free(kit_mem);
	kit_mem = NULL;
}

static void kit_begin_with(const struct bridge_settings *s)
{
	struct bridge_hooks h = { NULL, &kit_now, kit_to_worker, kit_to_peer, kit_start, kit_stop, kit_say_log };
	size_t need = bridge_need(s);

	kit_end();
	memset(kit_worker, 0, sizeof kit_worker);
	memset(kit_peer, 0, sizeof kit_peer);
	memset(kit_starts, 0, sizeof kit_starts);
	memset(kit_stops, 0, sizeof kit_stops);
	kit_mem = aligned_alloc(64, (need + 63) / 64 * 64);
	memset(kit_mem, 0, need);
	kit = bridge_place(kit_mem, s, &h);
	for (unsigned i = 0; i < s->nworkers; i++)
		bridge_worker_up(kit, i);
}

static void kit_begin(enum bridge_era era)
{
	struct bridge_settings s = kit_settings(era);
	kit_begin_with(&s);
}

/* Each message stands at the end of a page, so that a byte read beyond it is seen. */
static void say(unsigned worker, const char *text)
{
	size_t n = strlen(text);
	char *line = page_copy(text, n);

	bridge_worker_line(kit, worker, span_of(line, n));
	page_free(line, n);
	kit_wait = bridge_tick(kit);
}

static void peer_say_of(unsigned peer, uint64_t of, const char *text)
{
	size_t n = strlen(text);
	char *line = page_copy(text, n);

	bridge_peer_line(kit, peer, of, span_of(line, n));
	page_free(line, n);
	kit_wait = bridge_tick(kit);
}

__attribute__((unused)) static void peer_say(unsigned peer, const char *text) { peer_say_of(peer, 0, text); }

/* METHOD as worker 0 with id; params without braces, _meta among them. */
static void ask_as(unsigned worker, const char *id, const char *method, const char *params)
{
	char *text = malloc(strlen(id) + strlen(method) + strlen(params) + 100);

	sprintf(text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":{%s}}", id, method, params);
	say(worker, text);
	free(text);
}

static const char *kit_take(struct kit_queue *q)
{
	static char *last;
	struct kit_line *l = &q->at[q->from];

	free(last);
	last = NULL;
	if (q->n == 0)
		return "(nothing)";
	last = l->text;
	if (q >= kit_peer && q < kit_peer + KIT_PEERS) {
		kit_id = l->id;
		kit_what = l->what;
		memcpy(kit_version, l->version, sizeof kit_version);
	}
	q->from = (q->from + 1) % KIT_QUEUE;
	q->n--;
	return last;
}

static const char *next(unsigned worker) { return kit_take(&kit_worker[worker]); }
static const char *peer_next(unsigned peer) { return kit_take(&kit_peer[peer]); }
static bool quiet(unsigned worker) { return kit_worker[worker].n == 0; }
static bool peer_quiet(unsigned peer) { return kit_peer[peer].n == 0; }

static bool has(const char *text, const char *part)
{
	if (strstr(text, part))
		return true;
	diag("no %s in: %.900s", part, text);
	return false;
}

static bool hasnt(const char *text, const char *part)
{
	if (!strstr(text, part))
		return true;
	diag("there is %s in: %.900s", part, text);
	return false;
}

/* {"jsonrpc":"2.0","id":ID,REST} as an answer to what was taken last. */
static void peer_answer(unsigned peer, uint64_t id, const char *rest)
{
	char *text = malloc(strlen(rest) + 100);

	sprintf(text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s}", (unsigned long long)id, rest);
	peer_say_of(peer, 0, text);
	free(text);
}

static void pass(int64_t ms)
{
	kit_now += ms;
	kit_wait = bridge_tick(kit);
}

#define INIT_RESULT(version, caps) "\"result\":{\"protocolVersion\":\"" version "\",\"capabilities\":" caps \
	",\"serverInfo\":{\"name\":\"srv\",\"version\":\"1.2\",\"title\":\"A server\"},\"instructions\":\"Be kind.\"}"
#define OLD_CAPS "{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true,\"listChanged\":true},\"prompts\":{}," \
	"\"logging\":{},\"completions\":{},\"experimental\":{\"x\":{}}}"

/* A peer that is being started becomes one of this version. */
__attribute__((unused)) static void legacy_up(unsigned peer, const char *answer)
{
	bridge_peer_up(kit, peer);
	(void)peer_next(peer);
	peer_answer(peer, kit_id, answer);
	(void)peer_next(peer); /* notifications/initialized */
}

/* Era legacy, peer 0 ready, all queues empty. */
__attribute__((unused)) static void legacy_begin(void)
{
	kit_begin(BRIDGE_LEGACY);
	ask_as(0, "\"first\"", "server/discover", META);
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)next(0);
	if (!quiet(0) || !peer_quiet(0))
		kit_die("legacy_begin leaves something behind");
}

/* Era auto, found to be an older one; peer 0 ready, all queues empty. */
__attribute__((unused)) static void auto_begin(void)
{
	kit_begin(BRIDGE_AUTO);
	ask_as(0, "1", "server/discover", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":1,\"message\":\"m\"}");
	(void)peer_next(0);
	peer_answer(0, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(0);
	(void)next(0);
}

#endif
