/*
 * TLS in flow, case by case on the network of sim.h: what must hold for one client and one upstream whose steps are known. The worlds of
 * sim_test have it at random.
 */
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "tap.h"
#include "unit/flow/sim.h"
#include "unit/flow/sim_tls.h"

static struct flow_settings set;
static struct loop loop;
static struct metrics metrics;
static struct flow *f;
static char *area;

/* The upstream: what it answers with, and what it was asked. */
static const struct tls_door *up_door;
static const char *up_answer;       /* to tools/call: what stands before the message; NULL: JSON with Content-Length */
static bool up_ends;                /* closes behind each answer, in order */
static size_t up_cut_at;            /* its wire ends there; 0: never */
static bool up_silent;              /* accepts, and says nothing at all */
static size_t up_pad;
static bool up_stalls;              /* never answers a call */
static bool up_pipes;               /* answers to nobody's question behind the answer */
static unsigned asked, calls, connects;

static uint64_t metric(enum metric_id id) { return metrics.v[id]; }

static void upstream_act(struct sim_conn *c)
{
	static char text[80000], all[80000], body[70000];
	char id[24] = "";
	if (c->got.n == 0 || c->got.n >= sizeof text || c->gate_closed || c->reset)
		return;
	memcpy(text, c->got.p, c->got.n);
	text[c->got.n] = 0;
	char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "Content-Length: ");
	if (!end || !length || strlen(end + 4) < strtoul(length + 16, NULL, 10))
		return;
	asked++;
	sim_took(c, c->got.n);
	snprintf(id, sizeof id, "%.*s", (int)strcspn(strstr(text, "\"id\":") + 5, ","), strstr(text, "\"id\":") + 5);
	const char *result = strstr(text, "server/discover") ? "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},\"ttlMs\":3600000,\"cacheScope\":\"public\"" :
		strstr(text, "tools/list") ? "\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"}}],\"ttlMs\":3600000,\"cacheScope\":\"public\"" : "\"content\":[]";
	size_t pad = (strstr(text, "tools/call") ? up_pad : 1) + sizeof id - strlen(id); /* answers of one length, whatever the id */
	bool is_call = strstr(text, "tools/call") != NULL;
	int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"pad\":\"%0*d\",\"resultType\":\"complete\",%s}}", id, (int)pad, 0, result);
	calls += is_call;
	if (is_call && up_stalls)
		return;
	if (is_call && up_answer)
		n = snprintf(all, sizeof all, "%s%s%s", up_answer, body, strstr(up_answer, "stream") ? "\n\n" : "");
	else
		n = snprintf(all, sizeof all, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, body);
	sim_say(c, all, (size_t)n);
	if (is_call && up_pipes && sim_tls_act(c)) { /* in a record of its own, with the first */
		sim_say(c, all, (size_t)n);
		(void)sim_tls_act(c);
	}
	if (is_call && up_ends)
		sim_close(c);
}

static void accept_up(struct sim_conn *c)
{
	c->connecting = false;
	c->pending |= LOOP_WRITE;
	connects++;
	if (up_silent || !up_door)
		return;
	sim_tls_server(c, up_door);
	c->tls->cut_at = up_cut_at;
}

static bool act(void)
{
	bool did = sim_tls_act_all();

	for (unsigned k = 0; k < sim.top; k++) {
		struct sim_conn *c = &sim.conn[k];

		if (c->used && c->connecting) {
			accept_up(c);
			did = true;
		}
		if (c->used && c->port)
			upstream_act(c);
	}
	return did;
}

static int tick(void) { return flow_tick(f); }
static void settle(void) { sim_settle(&loop, act, tick); }
static void pass_time(int64_t ms) { sim_pass_time(ms, 20, settle); }

static struct policy_rule anything = { .allow = true, .pattern = { "*", 1 } };
static const struct span tenants[] = { { "local", 5 } };
static const struct auth_certificate agent = { .san = { "spiffe://acme.test/agent/7", 26 } };

static void begin(const struct tls_door *door, const struct tls_route *route)
{
	sim_begin(1, false);
	sim_tls_world(1);
	memset(&metrics, 0, sizeof metrics);
	asked = calls = connects = 0;
	up_door = &sim_door;
	up_answer = NULL;
	up_ends = up_silent = up_stalls = up_pipes = sim_signer_fails = false;
	up_cut_at = 0;
	up_pad = 1;
	set = (struct flow_settings){ .nlisteners = 1, .nservers = 1, .plain = true, .version = SPAN("0"), .connections = 32, .requests = 8, .listens = 4,
		.large = 4, .tokens = 4096, .links = 4, .body_max = 100000, .reply_max = 100000, .head_ms = 3000, .body_ms = 4000, .idle_ms = 600000,
		.write_ms = 30000, .keepalive_ms = 15000, .metrics = &metrics, .known_tokens = 4, .records = 8, .sessions = 16, .handshake_ms = 5000,
		.auth = { .tenants = { tenants, 1 }, .anonymous = true, .certificates = &agent, .ncertificates = 1 }, .policy = { &anything, 1 },
		.hooks = { .sign = sim_sign, .unix_ms = sim_unix_ms } };
	memset(set.seed, 7, sizeof set.seed);
	memset(set.entropy, 9, sizeof set.entropy);
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 }, .tls = door };
	set.servers[0] = (struct flow_server){ .name = SPAN("a"), .kind = FLOW_HTTP, .host = SPAN("up"), .path = SPAN("/up"), .fields = SPAN(""), .tls = route,
		.address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 1 }, .connect_ms = 2000, .idle_ms = 10000, .call_ms = 40000 };
}

static void place(void)
{
	size_t need = flow_need(&set);
	free(area);
	area = aligned_alloc(64, (need + 63) & ~(size_t)63);
	if (!area)
		abort();
	memset(area, 0, need);
	loop.now_ms = sim.now_ms;
	f = flow_place(area, &set, &loop);
	if (!flow_open(f))
		abort();
	settle();
}

static void end(const char *name)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used)
			sim_reset(&sim.conn[i]);
	pass_time(100);
	is_int(f->txns.used + f->legs.used + f->links.used + f->small.used + f->large.used + f->fronts.used + f->tls.states.used + f->tls.records.used +
		metric(METRIC_TLS_OPEN), 0, name);
	sim_end();
}

/* ---- clients ---- */

static struct sim_conn *client(const struct tls_route *route)
{
	struct sim_conn *c = sim_client();
	sim_tls_client(c, route);
	return c;
}

static const char *request(size_t pad)
{
	static char all[70000], body[66000];
	int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{\"pad\":\"%0*d\"},"
	    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}}}", (int)pad, 0);
	snprintf(all, sizeof all, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: t\r\nContent-Length: %d\r\n\r\n%s", n, body);
	return all;
}

static void ask(struct sim_conn *c, size_t pad)
{
	const char *text = request(pad);
	sim_say(c, text, strlen(text));
}

static bool heard(struct sim_conn *c, const char *what)
{
	char text[4000];
	size_t n = c->got.n < sizeof text - 1 ? c->got.n : sizeof text - 1;
	if (n > 0)
		memcpy(text, c->got.p, n);
	text[n] = 0;
	sim_took(c, c->got.n);
	if (strstr(text, what))
		return true;
	diag("wanted \"%s\", heard \"%s\"", what, text);
	return false;
}

#define RESULT "\"id\":7,\"result\""

/* ---- cases ---- */

static void good(void)
{
	begin(&sim_door, &sim_route);
	place();
	struct sim_conn *c = client(&sim_route);
	settle();
	is_int(metric(METRIC_TLS_FULL), 1, "a handshake");
	is_int(f->tls.records.used, 0, "after it no record buffers are held");
	ask(c, 1);
	settle();
	ok(heard(c, RESULT), "a call over TLS, to an upstream over TLS");
	is_int(f->tls.records.used, 0, "at rest no record buffers are held, at either end");
	ask(c, 40000);
	settle();
	ok(heard(c, RESULT), "and a long one on the same connection");
	is_int(connects, 1, "the upstream's connection is used again");
	for (size_t i = 0; i < f->tls.records.count * f->tls.records.each; i++)
		if (f->tls.records.mem[i] && i % f->tls.records.each >= sizeof(void *)) {
			ok(false, "record buffers are wiped when they are given back");
			break;
		}
	struct sim_conn *d = client(&sim_route);
	ask(d, 1);
	settle();
	ok(heard(d, RESULT) && metric(METRIC_TLS_RESUMED) == 1 && tls_resumed(d->tls->t), "a second connection resumes the session");
	pass_time(FLOW_LINK_IDLE_MS + 1000);
	ask(d, 1);
	settle();
	ok(heard(d, RESULT) && metric(METRIC_UPSTREAM_TLS_FULL) == 1 && metric(METRIC_UPSTREAM_TLS_RESUMED) == 1, "and so does a second one to the upstream");
	is_int(metric(METRIC_TLS_OPEN), 2, "two are open");
	is_int(metric(METRIC_POOL_RECORDS_PEAK), 2, "two pairs of record buffers at most were needed, one for each end of a call");
	sim_close(c);
	settle();
	is_int(metric(METRIC_TLS_OPEN), 1, "one has said goodbye");
	pass_time(set.idle_ms + 100);
	ok(d->tls->announced && metric(METRIC_CONNECTIONS_OPEN) == 0, "one that rests too long is told so by close_notify");
	end("nothing is left in use");
}

static void strangers(void)
{
	static const struct { const char *text, *name; } words[] = {
		{ "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "plain HTTP on a TLS port ends in order" }, { "SSH-2.0-x\r\n", "so does another protocol" },
	};
	begin(&sim_door, &sim_route);
	place();
	for (unsigned i = 0; i < 2; i++) {
		struct sim_conn *c = sim_client();
		sim_say(c, words[i].text, strlen(words[i].text));
		settle();
		ok(c->gate_fin && !c->reset && metric(METRIC_TLS_FAILED_NOT_TLS) == i + 1, words[i].name);
		sim_took(c, c->got.n);
		sim_close(c);
		settle();
	}
	struct sim_conn *c = sim_client();
	static const char garbage[] = "\x16\x03\x03\x00\x20" "this is no handshake message ....";
	sim_say(c, garbage, sizeof garbage - 1);
	settle();
	ok(c->gate_fin && !c->reset && metric(METRIC_TLS_FAILED_PROTOCOL) == 1, "garbage in a handshake record is told from it");
	sim_reset(c);
	c = sim_client();
	sim_say(c, "\x16\x03\x01", 3);
	settle();
	is_int(f->tls.records.used, 0, "half a hello holds no record buffers");
	pass_time(set.handshake_ms - 100);
	ok(!c->gate_closed, "it has its time");
	pass_time(300);
	ok(c->gate_closed && metric(METRIC_TLS_FAILED_SLOW) == 1, "and no more");
	struct tls_route fresh = sim_route;
	fresh.cache = NULL;
	c = client(&fresh);
	(void)sim_tls_act(c);
	c->tls->wait_ms = INT64_MAX;
	settle();
	ok(c->wire.n > 500 && f->tls.records.used == 0, "nor does a whole one, once it is answered");
	c->tls->wait_ms = 0;
	ask(c, 1);
	settle();
	ok(heard(c, RESULT), "and it goes on when its client does");
	c = sim_client();
	sim_say(c, "\x16\x03\x01\x10\x01", 5);
	settle();
	ok(c->gate_fin && metric(METRIC_TLS_FAILED_PROTOCOL) == 2, "a hello that no client sends is not waited for");
	c = sim_client();
	settle();
	is_int(f->tls.records.used, 0, "one that says nothing holds none");
	sim_fin(c);
	settle();
	ok(c->gate_closed || c->gate_fin, "and may leave");
	is_int(metric(METRIC_TLS_FAILED_LEFT), 1, "which is counted");
	sim_signer_fails = true;
	c = client(&sim_route);
	settle();
	ok(c->gate_fin && metric(METRIC_TLS_FAILED_SIGNER) == 1, "no signature, no connection");
	sim_signer_fails = false;
	c = client(&sim_route_distrust);
	settle();
	ok(!tls_established(c->tls->t) && metric(METRIC_TLS_FULL) == 1, "a client that does not trust us goes away");
	c = client(&sim_route);
	ask(c, 1);
	settle();
	ok(heard(c, RESULT), "after all of it a good client is served");
	end("nothing is left in use");
}

static const struct front *front_at(unsigned i) { return slots_at(&f->fronts, i); }

static void certificates(void)
{
	begin(&sim_door_mutual, &sim_route);
	place();
	struct sim_conn *c = client(&sim_route_own);
	ask(c, 1);
	settle();
	const struct tls_peer *p = front_peer(front_at(0));
	ok(p && p->there && p->nnames == 1 && p->names[0].uri && memcmp(p->names[0].text, "spiffe://acme.test/agent/7", 26) == 0, "a client's certificate can be asked for");
	ok(heard(c, RESULT) && f->tls.records.used == 0 && front_peer(front_at(0)) == p, "at rest too");
	struct sim_conn *d = client(&sim_route);
	ask(d, 1);
	settle();
	ok(d->gate_fin && metric(METRIC_TLS_FAILED_CERTIFICATE) == 1, "one without a certificate is turned away");
	end("nothing is left in use");
	begin(&sim_door, NULL);
	up_door = NULL;
	place();
	c = client(&sim_route);
	ask(c, 1);
	settle();
	ok(heard(c, RESULT) && !front_peer(front_at(0)), "without certificates there is none to ask for");
	end("nothing is left in use");
}

static void upstreams(void)
{
	static const struct { const char *says, *name; } words[] = {
		{ "Upstream \\\"a\\\" is not trusted: the peer's certificate is", "an upstream of another CA" },
		{ "Upstream \\\"a\\\" failed in the TLS handshake: the peer does not speak TLS", "an upstream that speaks no TLS" },
		{ "Upstream \\\"a\\\" did not finish the TLS handshake in time", "an upstream that says nothing" },
		{ "Upstream \\\"a\\\" failed in the TLS handshake: the connection ended", "an upstream that hangs up" },
	};
	for (unsigned i = 0; i < 4; i++) {
		begin(NULL, i == 0 ? &sim_route_distrust : &sim_route);
		up_silent = i > 0;
		place();
		struct sim_conn *c = sim_client();
		for (unsigned at = 0; at < 2; at++) { /* the catalogue's, then the client's own */
			if (at == 1)
				ask(c, 1);
			settle();
			for (unsigned k = 0; k < sim.top; k++) {
				struct sim_conn *up = &sim.conn[k];
				if (up->used && up->port && !up->gate_closed && i == 1)
					sim_raw_say(up, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
				else if (up->used && up->port && !up->gate_closed && i == 3)
					sim_raw_fin(up);
			}
			pass_time(i == 2 ? set.servers[0].connect_ms + 100 : 40);
		}
		ok(heard(c, words[i].says), words[i].name);
		ok(i == 2 ? metric(METRIC_UPSTREAM_FAULT_LATE) > 0 : metric(METRIC_UPSTREAM_FAULT_TLS) > 0, "  which is counted");
		is_int(asked, 0, "  and was asked nothing");
		end("  nothing is left in use");
	}
	begin(NULL, &sim_route);
	up_pipes = true;
	place();
	struct sim_conn *c = sim_client();
	ask(c, 1);
	settle();
	ok(heard(c, RESULT), "an upstream that says more than an answer has given one");
	unsigned before = connects;
	ask(c, 1);
	settle();
	ok(heard(c, RESULT) && connects == before + 1, "and its connection is not used again");
	end("nothing is left in use");
	begin(NULL, &sim_route);
	up_answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
	up_ends = true;
	place();
	c = sim_client();
	ask(c, 1);
	settle();
	ok(heard(c, RESULT), "an answer whose end is the announced end of its connection");
	end("nothing is left in use");
}

/* Conns whose both ends are through with them are free for others. */
static void sweep(void)
{
	for (unsigned i = 0; i < sim.top; i++) {
		struct sim_conn *c = &sim.conn[i];
		if (!c->used || !c->gate_closed)
			continue;
		sim_tls_free(c);
		free(c->in.p);
		free(c->got.p);
		free(c->wire.p);
		*c = (struct sim_conn){ .used = false };
	}
}

static size_t left_in_use(void) { return f->txns.used + f->links.used + f->small.used + f->large.used + f->tls.states.used + f->tls.records.used; }

/* One call over a new connection to the upstream. True: the client got a result. */
static bool one_call(size_t cut_at, size_t *upstream_said)
{
	struct sim_conn *c = sim_client();
	up_cut_at = cut_at;
	ask(c, 1);
	settle();
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && sim.conn[i].tls && sim.conn[i].port)
			*upstream_said = sim.conn[i].tls->raw_total;
	bool result = c->got.n > 15 && memcmp(c->got.p, "HTTP/1.1 200 OK", 15) == 0;
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && !sim.conn[i].gate_closed)
			sim_reset(&sim.conn[i]);
	settle();
	sweep();
	return result;
}

/* The wire ends somewhere: never is a piece taken for the whole. */
static void cut_answers(void)
{
	static const char *const kinds[] = {
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", /* its end is the connection's */
		"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ",
	};
	for (unsigned kind = 0; kind < 2; kind++) {
		size_t without_end = 0, total = 0, said, left = 0;
		unsigned wrong = 0;
		begin(NULL, &sim_route);
		place();
		up_answer = kinds[kind];
		for (unsigned i = 0; i < 2; i++) /* the second session is a resumed one, as all that follow */
			(void)one_call(0, &without_end);
		up_ends = true;
		ok(one_call(0, &total) && total > without_end && without_end > 200, kind == 0 ? "an answer that is not cut" : "an event stream that is not cut");
		for (size_t at = 1; at <= total; at++) {
			bool result = one_call(at, &said);
			if (result != (at >= (kind == 0 ? total : without_end))) /* a whole event is an answer before the end comes */
				wrong++;
			left += left_in_use();
		}
		is_int(wrong, 0, kind == 0 ? "without its close_notify it is not taken for whole, wherever it is cut" : "an event is there when its last byte is");
		is_int(left, 0, "  nothing is left in use");
		end("  nor later");
	}
}

static size_t one_request(size_t cut_at)
{
	struct sim_conn *c = client(&sim_route);
	c->tls->cut_at = cut_at;
	ask(c, 1);
	settle();
	size_t said = c->tls->raw_total;
	if (!c->gate_closed)
		sim_reset(c);
	settle();
	sweep();
	return said;
}

static void cut_requests(void)
{
	size_t total, left = 0;
	unsigned open = 0, early = 0;
	begin(&sim_door, NULL);
	up_door = NULL;
	place();
	(void)one_request(0);
	total = one_request(0);
	is_int(calls, 2, "a request that is not cut");
	for (size_t at = 1; at < total; at++) {
		(void)one_request(at);
		early += calls != 2;
		open += metric(METRIC_CONNECTIONS_OPEN) != 0;
		left += f->txns.used + f->small.used + f->large.used + f->tls.states.used + f->tls.records.used;
	}
	is_int(early, 0, "is never sent on in part, wherever it is cut");
	is_int(open, 0, "  its connection is over");
	is_int(left, 0, "  nothing is left in use");
	ok(metric(METRIC_TLS_FAILED_LEFT) > 100, "  and handshakes that were cut are counted");
	end("  nor later");
}

static void gone(void)
{
	begin(&sim_door, &sim_route);
	place();
	up_stalls = true;
	struct sim_conn *c = client(&sim_route);
	ask(c, 1);
	settle();
	ok(calls == 1 && f->legs.used == 1, "a call is at work");
	is_int(f->tls.records.used, 0, "and holds no record buffers meanwhile, at either end");
	sim_raw_fin(c);
	settle();
	is_int(f->legs.used, 0, "half a connection is none over TLS: the call is off");
	c = client(&sim_route);
	settle();
	ask(c, 1);
	sim_close(c);
	settle();
	is_int(f->legs.used, 0, "nor does a goodbye behind a request wait for an answer");
	end("nothing is left in use");
}

static void half_a_record(void)
{
	begin(&sim_door, &sim_route);
	place();
	struct sim_conn *c = client(&sim_route);
	settle();
	c->tls->cut_at = c->tls->raw_total + 9;
	c->tls->cut_silent = true;
	ask(c, 1);
	settle();
	is_int(f->tls.records.used, 1, "part of a record holds its buffers");
	pass_time(set.head_ms + 100);
	ok(heard(c, "408 Request Timeout") && c->tls->announced && metric(METRIC_REFUSED_SLOW) == 1, "for the time of a head");
	is_int(f->tls.records.used, 0, "and then they are free");
	end("nothing is left in use");
}

/* ---- record buffers run out ---- */

/* A stranger who has been answered and begins a long record, which is the way to hold record buffers. */
static struct sim_conn *stranger(void)
{
	static struct tls_route fresh;
	fresh = sim_route;
	fresh.cache = NULL;
	struct sim_conn *c = client(&fresh);
	(void)sim_tls_act(c);
	c->tls->wait_ms = INT64_MAX;
	settle();
	sim_raw_say(c, "\x16\x03\x03\x3f\xff", 5);
	return c;
}

static void flood(void)
{
	begin(&sim_door, &sim_route);
	set.records = 4;
	place();
	struct sim_conn *c = client(&sim_route), *half[20];
	settle();
	for (unsigned i = 0; i < 20; i++) {
		half[i] = stranger();
	}
	settle();
	is_int(f->tls.records.used, 3, "strangers never hold the last quarter");
	ask(c, 1);
	settle();
	ok(heard(c, RESULT), "a connection that is open is served at once");
	struct sim_conn *d = client(&sim_route);
	ask(d, 1);
	settle();
	ok(!tls_established(d->tls->t), "a new one has to wait");
	pass_time(2 * FLOW_SLOW_MS + 200); /* for each of its flights */
	ok(heard(d, RESULT) && metric(METRIC_TLS_FAILED_SLOW) > 0, "until the slowest has given way");
	pass_time(set.handshake_ms + 100);
	unsigned open = 0;
	for (unsigned i = 0; i < 20; i++)
		open += !half[i]->gate_closed;
	is_int(open, 0, "at last all of them are gone");
	is_int(metric(METRIC_TLS_FAILED_SLOW), 20, "and counted");
	ask(c, 1);
	settle();
	ok(heard(c, RESULT), "who was open still is");
	end("nothing is left in use");
}

/* An open connection in the middle of a record keeps its pair, whatever knocks. */
static void flood_of_strangers(void)
{
	begin(&sim_door, &sim_route);
	set.records = 4;
	place();
	struct sim_conn *c = client(&sim_route), *half[10];
	settle();
	const char *text = request(30000);
	c->tls->cut_at = c->tls->raw_total + 9000;
	c->tls->cut_silent = true;
	sim_say(c, text, strlen(text));
	settle();
	for (unsigned i = 0; i < 10; i++) {
		half[i] = stranger();
	}
	pass_time(FLOW_SLOW_MS + 300);
	unsigned open = 0;
	for (unsigned i = 0; i < 10; i++)
		open += !half[i]->gate_closed;
	ok(!c->gate_closed && f->txns.used == 1, "an upload in the middle of a record does not give way to strangers");
	ok(open > 0 && open < 10, "they give way to each other");
	pass_time(set.body_ms);
	ok(heard(c, "408 Request Timeout"), "its own clock runs on");
	end("nothing is left in use");
}

/* What lies in a record has not been taken by the client. */
static void slow_reader(void)
{
	begin(&sim_door, NULL);
	up_door = NULL;
	place();
	struct sim_conn *c = client(&sim_route);
	settle();
	ask(c, 1);
	(void)sim_tls_act(c);
	c->tls->wait_ms = INT64_MAX;
	c->window = 10;
	settle();
	ok(calls == 1 && c->wire.n == 10 && f->tls.records.used == 1, "a small answer that is not taken");
	pass_time(set.head_ms + 500);
	ok(!c->gate_fin && f->txns.used == 1, "  is a request at work");
	pass_time(set.write_ms);
	ok(c->gate_fin && f->txns.used == 0 && metric(METRIC_REFUSED_SLOW) == 1, "  for the time of writing");
	end("  nothing is left in use");
}

/* One client holds the only pair in some way; another is served when it has had its time. */
static void only_pair(unsigned how)
{
	static const char *const names[] = {
		"a request behind another, which is at work", "a reader that takes nothing", "part of a body", "a head that does not end",
	};
	begin(&sim_door, NULL);
	up_door = NULL;
	set.records = 1;
	place();
	struct sim_conn *a = client(&sim_route), *b = client(&sim_route);
	settle();
	const char *text = request(how == 2 || how == 0 ? 30000 : 1);
	if (how == 0) {
		up_stalls = true;
		char two[70000];
		int n = snprintf(two, sizeof two, "%s%.300s", text, text);
		sim_say(a, two, (size_t)n);
	} else if (how == 1) {
		a->window = 10;
		up_pad = 40000;
		sim_say(a, text, strlen(text));
	} else if (how == 2) {
		a->tls->cut_at = a->tls->raw_total + 9000;
		a->tls->cut_silent = true;
		sim_say(a, text, strlen(text));
	} else {
		a->tls->cut_at = a->tls->raw_total + 20;
		a->tls->cut_silent = true;
		sim_say(a, text, 40);
	}
	settle();
	bool held = f->tls.records.used == 1;
	up_stalls = false;
	up_pad = 1;
	ask(b, 1);
	settle();
	ok(held && b->got.n == 0, names[how]);
	pass_time(how == 1 ? FLOW_STUCK_MS - 200 : FLOW_SLOW_MS - 100);
	ok(b->got.n == 0 && !a->gate_closed, "  holds the only record buffers for its time");
	pass_time(400);
	ok(heard(b, RESULT) && a->gate_closed, "  and gives way to another");
	is_int(metric(METRIC_REFUSED_SLOW), 1, "  which is counted");
	end("  nothing is left in use");
}

static void drain(void)
{
	begin(&sim_door, &sim_route);
	place();
	struct sim_conn *c = client(&sim_route), *d = client(&sim_route);
	d->tls->cut_at = 50;
	d->tls->cut_silent = true;
	settle();
	flow_drain(f, 10000);
	settle();
	ask(c, 1);
	settle();
	ok(heard(c, "Connection: close") && c->tls->announced, "a request that comes while we are leaving is answered, and then close_notify");
	pass_time(set.handshake_ms + FLOW_LINGER_MS + 100);
	ok(flow_drained(f), "half a handshake does not keep us");
	end("nothing is left in use");
}

int main(void)
{
	good();
	strangers();
	certificates();
	upstreams();
	cut_answers();
	cut_requests();
	gone();
	half_a_record();
	flood();
	flood_of_strangers();
	slow_reader();
	for (unsigned how = 0; how < 4; how++)
		only_pair(how);
	drain();
	ok(sizeof(struct front) + conn_state_size(true) < 6144, "a TLS connection at rest costs less than 6 KiB, its client's certificate included");
	free(area);
	return done_testing();
}
