/* A connection to an HTTP upstream (flow/link_http.c): what never stops sending has a share of each turn, and of each second, and is heard all the same. */
#include <stdlib.h>

#include "base/pace.h"
#include "flow/flow_priv.h"
#include "tap.h"
#include "unit/flow/sim.h"

enum { FLOOD = 1 << 20, FLOODS = 8 << 20 };

static struct flow_settings set;
static struct loop loop;
static struct metrics metrics;
static struct flow *f;
static char *area;

static bool act(void) { return sim_connect_all(); }
static int tick(void) { return flow_tick(f); }
static void settle(void) { sim_settle(&loop, act, tick); }

static struct sim_conn *upstream(void)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && sim.conn[i].port && !sim.conn[i].gate_closed)
			return &sim.conn[i];
	return NULL;
}

/* Up to the upstream's connection with server/discover on it. */
static struct sim_conn *begin(char *id)
{
	static const struct policy_rule all[] = { { .allow = true, .pattern = { "*", 1 } } };
	static const struct span tenants[] = { { "acme", 4 } };
	struct sim_conn *c;
	char text[4000];

	sim_begin(1, false);
	memset(&metrics, 0, sizeof metrics);
	set = (struct flow_settings){ .nlisteners = 1, .nservers = 1, .plain = true, .version = SPAN("0"), .connections = 4, .requests = 2, .listens = 1,
		.large = 2, .tokens = 4096, .links = 2, .body_max = 50000, .reply_max = 50000, .head_ms = 20000, .body_ms = 30000, .idle_ms = 600000, .name_max = 128,
		.write_ms = 30000, .keepalive_ms = 15000, .metrics = &metrics, .known_tokens = 16,
		.auth = { .tenants = { tenants, 1 }, .anonymous = true }, .policy = { all, 1 } };
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 } };
	set.servers[0] = (struct flow_server){ .name = SPAN("up"), .kind = FLOW_HTTP, .era = FLOW_ERA_MODERN, .host = SPAN("up"), .path = SPAN("/up"), .fields = SPAN(""),
		.address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 1 }, .connect_ms = 2000, .idle_ms = 10000, .call_ms = 40000 };
	area = aligned_alloc(64, (flow_need(&set) + 63) & ~(size_t)63);
	memset(area, 0, flow_need(&set));
	loop.now_ms = sim.now_ms;
	f = flow_place(area, &set, &loop);
	if (!flow_open(f))
		abort();
	settle();
	c = upstream();
	snprintf(text, sizeof text, "%.*s", c ? (int)c->got.n : 0, c ? c->got.p : "");
	ok(strstr(text, "server/discover") != NULL, "it is asked what it is");
	snprintf(id, 32, "%llu", strstr(text, "\"id\":") ? strtoull(strstr(text, "\"id\":") + 5, NULL, 10) : 0);
	if (!c)
		abort();
	sim_took(c, c->got.n);
	return c;
}

static void end(void)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used)
			sim_reset(&sim.conn[i]);
	settle();
	is_int(f->legs.used + f->links.used + f->small.used + f->large.used, 0, "  and nothing is left in use");
	free(area);
	sim_end();
}

static void say(struct sim_conn *c, const char *text) { sim_say(c, text, strlen(text)); }

/* More than enough of it for one turn, and then the answer. */
static void flood(const char *name, const char *before, const char *again, const char *head, const char *after)
{
	char id[32], answer[500];
	struct sim_conn *c = begin(id);
	size_t n = strlen(again);
	size_t whole;

	say(c, before);
	for (size_t i = 0; i < FLOOD; i += n)
		sim_say(c, again, n);
	whole = c->in.n;
	while (!sim_deliver(&loop) && sim_news()) {}
	ok(c->in.n > 0 && c->in.n < whole, name);
	is_int(flow_tick(f), 0, "  it is gone on with at once");
	ok(c->in.n > 0, "  and then again only with a part");
	snprintf(answer, sizeof answer, "%s{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
		"\"capabilities\":{\"tools\":{}},\"ttlMs\":100000,\"cacheScope\":\"public\"}}%s", head, id, after);
	say(c, answer);
	sim_fin(c);
	settle();
	c = upstream();
	ok(c && c->got.n > 0 && memmem(c->got.p, c->got.n, "tools/list", 10), "  and its answer is heard behind all that");
	end();
}

/* More than there is patience for, before an answer: `before`, the call's id and `after`, FLOODS bytes of it, are heard no faster than base/pace.h says. */
static void paced(const char *name, const char *before, const char *after)
{
	char id[32], answer[500], event[300];
	struct sim_conn *c = begin(id);
	size_t n = (size_t)snprintf(event, sizeof event, "%s%s%s", before, id, after);
	int64_t begun_ms = sim.now_ms, took_ms;
	bool kept = true;

	say(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
	for (size_t i = 0; i < FLOODS; i += n)
		sim_say(c, event, n);
	snprintf(answer, sizeof answer, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
		"\"capabilities\":{\"tools\":{}},\"ttlMs\":100000,\"cacheScope\":\"public\"}}\n\n", id);
	say(c, answer);
	sim_fin(c);
	settle();
	for (int i = 0; i < 1000 && sim.conn[c - sim.conn].used && c->in.n > 0; i++) {
		size_t least = (size_t)(sim.now_ms - begun_ms) * PACE_BYTES_A_MS + PACE_BURST + 65536;

		kept = kept && FLOODS - c->in.n <= least;
		sim_pass_time(20, 20, settle);
	}
	took_ms = sim.now_ms - begun_ms;
	ok(kept, name);
	ok(took_ms > (FLOODS - PACE_BURST) / PACE_BYTES_A_MS - 500 && took_ms < 20000, "  all of it takes its time");
	diag("%lld ms", (long long)took_ms);
	c = upstream();
	ok(c && c->got.n > 0 && memmem(c->got.p, c->got.n, "tools/list", 10), "  and the answer behind it is heard");
	end();
}

int main(void)
{
	flood("heads that say nothing: a part is read, and others have their turn", "", "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "");
	paced("comments are no faster heard than is borne", ": ", "\n\n");
	paced("nor progress that nobody asked for", "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":", ",\"progress\":1}}\n\n");
	return done_testing();
}
