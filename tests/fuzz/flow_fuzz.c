/* A client and two upstreams at once, on the network of tests/unit/flow/sim.h. The input is a play: each byte a move, some with an argument
 * and some with words of their own (a length byte, then bytes). When it is over everybody leaves, and nothing may be left in use.
 *
 *   c say the words as client     C ask properly: argument picks what       u, U the same for the HTTP upstream: words, an answer
 *   l, L the same for the line    x end the client: 0 FIN, 1 close, 2 reset   X end the HTTP upstream likewise, or the line (3)
 *   t let time pass               any other byte: deliver and turn
 *   T what becomes of credentials: 0 none, 1 they come at once, 2 later; 3 now   K, I answer for keys and for an introspection */
#include <stdio.h>
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "unit/flow/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOVES = 400 };

static struct flow *f;
static struct loop loop;
static struct metrics metrics;
static struct sim_conn *client, *line;
static const uint8_t *in, *end;
static char words[256];

static unsigned give = 1;           /* credentials: as T says */
static uint64_t wanted, introspected;

static unsigned next(void) { return in < end ? *in++ : 0; }

static size_t next_words(void)
{
	size_t n = next();
	n = n < (size_t)(end - in) ? n : (size_t)(end - in);
	memcpy(words, in, n);
	in += n;
	return n;
}

static void turn(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		for (unsigned k = 0; k < sim.top; k++)
			if (sim.conn[k].used && sim.conn[k].connecting && !sim.conn[k].gate_closed) {
				sim.conn[k].connecting = false;
				sim.conn[k].pending |= LOOP_WRITE;
			}
		(void)sim_deliver(&loop);
		(void)flow_tick(f);
	}
}

static int64_t unix_ms(void *ctx) { (void)ctx; return INT64_C(1900000000000) + sim.now_ms; }
static bool ask_keys(void *ctx, unsigned issuer) { (void)ctx; return issuer == 0 && give != 0; }

static bool introspect(void *ctx, unsigned issuer, uint64_t call, struct span token)
{
	(void)ctx;
	(void)token;
	introspected = call;
	return issuer == 0;
}

static bool get_token(void *ctx, unsigned server, unsigned tenant, uint64_t call, struct span subject, bool again)
{
	(void)ctx;
	(void)tenant;
	if (server != 0 || !span_absent(subject))
		abort();
	wanted = call;
	if (give == 1)
		flow_credential(f, call, again ? SPAN("Authorization: Bearer again") : SPAN("Authorization: Bearer first"));
	return give != 0;
}

static void answer_introspection(unsigned how)
{
	flow_introspected(f, introspected, how % 3 == 0 ? span_of(NULL, 0) : how % 3 == 1 ? SPAN("{\"active\":false}") :
	    SPAN("{\"active\":true,\"aud\":\"r\",\"iss\":\"i\",\"sub\":\"u\",\"client_id\":\"c\",\"exp\":1900002000}"));
}

static void answer_keys(unsigned how)
{
	static struct jwk_set keys;
	keys.n = how % 2;
	flow_keys(f, how % 5, how % 3 == 0 ? NULL : &keys);
}

/* The newest connection to the HTTP upstream that is open. */
static struct sim_conn *up_conn(void)
{
	for (unsigned i = sim.top; i-- > 0;)
		if (sim.conn[i].used && sim.conn[i].port == 1 && !sim.conn[i].gate_closed && !sim.conn[i].reset)
			return &sim.conn[i];
	return NULL;
}

/* The id in what the gate said last there. */
static unsigned long long asked_id(const struct sim_conn *c)
{
	unsigned long long id = 0;
	for (size_t i = 0; i + 6 < c->got.n; i++)
		if (memcmp(c->got.p + i, "\"id\":", 5) == 0) {
			id = 0;
			for (size_t k = i + 5; k < c->got.n && c->got.p[k] >= '0' && c->got.p[k] <= '9'; k++)
				id = id * 10 + (unsigned)(c->got.p[k] - '0');
		}
	return id;
}

static void ask(unsigned what)
{
	static const char *const method[] = { "tools/call", "resources/read", "tools/list", "server/discover", "subscriptions/listen", "prompts/get" };
	static const char *const params[] = { "\"name\":\"a__t\",\"arguments\":{},", "\"uri\":\"x://y\",", "", "",
		"\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"x://y\",\"files://b/z\"]},", "\"name\":\"b__p\"," };
	static const char *const name[] = { "Mcp-Name: a__t\r\n", "Mcp-Name: x://y\r\n", "", "", "", "Mcp-Name: b__p\r\n" };
	char text[1200], head[600];
	unsigned k = what % 6;
	int n = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":{%s\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
	    "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}%s}}}", method[k], params[k], what & 64 ? ",\"progressToken\":1" : "");
	const char *auth = !(what & 32) ? "" : what & 16 ? "Authorization: Bearer opaque\r\n" :
	    "Authorization: Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ.e30.AAAA\r\n";
	int h = snprintf(head, sizeof head, "POST /mcp HTTP/1.%d\r\nHost: localhost\r\n%sContent-Type: application/json\r\nAccept: application/json, "
	    "text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n%sContent-Length: %d\r\n\r\n", what & 128 ? 0 : 1, auth, method[k], name[k], n);
	sim_say(client, head, (size_t)h);
	sim_say(client, text, (size_t)n);
}

static void answer(struct sim_conn *c, unsigned what, bool http)
{
	static const char *const result[] = { "\"content\":[]", "\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"}}]",
		"\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true}}", "\"contents\":[]" };
	char body[1000], all[1600];
	unsigned long long id = asked_id(c);
	int n;
	if (what & 32)
		n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s\",\"params\":{\"progressToken\":%llu,\"progress\":1,\"notifications\":"
		    "{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"x://y\"]},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}",
		    what & 1 ? "progress" : what & 2 ? "subscriptions/acknowledged" : what & 4 ? "tools/list_changed" : "message", id, id);
	else if (what & 16)
		n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":-32602,\"message\":\"no\"}}", id);
	else
		n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",%s}}", id, result[what % 4]);
	if (!http)
		n = snprintf(all, sizeof all, "%s\n", body);
	else if (what & 64)
		n = snprintf(all, sizeof all, "data: %s\n\n", body);
	else if (what & 128)
		n = snprintf(all, sizeof all, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: %s\n\n", body);
	else
		n = snprintf(all, sizeof all, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, body);
	sim_say(c, all, (size_t)n);
}

static void new_line(void)
{
	int fd = sim_pair(1, &line);
	flow_link(f, 1, fd);
}

static void move(unsigned m)
{
	struct sim_conn *up = up_conn();
	unsigned a;
	switch (m) {
	case 'c': sim_say(client, words, next_words()); break;
	case 'C': ask(next()); break;
	case 'u': a = (unsigned)next_words(); if (up) sim_say(up, words, a); break;
	case 'U': a = next(); if (up) answer(up, a, true); break;
	case 'l': sim_say(line, words, next_words()); break;
	case 'L': answer(line, next(), false); break;
	case 't': sim.now_ms += (int64_t)next() * 37; turn(1); break;
	case 'T':
		a = next() % 4;
		if (a == 3)
			flow_credential(f, wanted, SPAN("Authorization: Bearer late"));
		else
			give = a;
		break;
	case 'K': answer_keys(next()); break;
	case 'I': answer_introspection(next()); break;
	case 'x':
		sim_finish(client, next());
		turn(1);
		if (sim.nbacklog < 8 && sim.top < SIM_CONNS - 32)
			client = sim_client();
		break;
	case 'X':
		a = next();
		if (a % 4 == 3 && sim.top < SIM_CONNS - 32) {
			sim_close(line);
			turn(2);
			new_line();
		} else if (up) {
			sim_finish(up, a);
		}
		break;
	default: turn(1); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct flow_settings set = { .nlisteners = 1, .nservers = 2, .version = { "0", 1 }, .connections = 4, .requests = 3, .listens = 2,
		.large = 2, .tokens = 512, .links = 2, .body_max = 20000, .reply_max = 20000, .head_ms = 2000, .body_ms = 2000, .idle_ms = 5000,
		.write_ms = 2000, .keepalive_ms = 1000, .metrics = &metrics,
		.known_tokens = 4, .hooks = { .ask_keys = ask_keys, .introspect = introspect, .token = get_token, .unix_ms = unix_ms } };
	static const struct span tenant = { "t", 1 };
	static const struct auth_issuer issuer = { .issuer = { "i", 1 }, .audience = { "r", 1 }, .algs = 1 << JWK_ES256, .opaque = true };
	static const struct policy_rule rules[] = { { .allow = false, .pattern = { "*__u*", 5 } }, { .allow = true, .pattern = { "*", 1 } } };
	static char *mem;
	static size_t need;

	in = data;
	end = data + size;
	sim_begin(next() + 1, true);
	memset(&metrics, 0, sizeof metrics);
	loop.now_ms = sim.now_ms;
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 } } };
	set.auth = (struct auth_rules){ .tenants = { &tenant, 1 }, .issuers = &issuer, .nissuers = 1, .anonymous = true };
	set.policy = (struct policy){ rules, 2 };
	give = 1;
	wanted = introspected = 0;
	set.servers[0] = (struct flow_server){ .name = SPAN("a"), .kind = FLOW_HTTP, .credential = true, .host = SPAN("h"), .path = SPAN("/"), .fields = SPAN(""),
		.address = { .family = 4, .port = 1 }, .connect_ms = 500, .idle_ms = 1000, .call_ms = 5000 };
	set.servers[1] = (struct flow_server){ .name = SPAN("b"), .kind = FLOW_BUILTIN, .connect_ms = 500, .idle_ms = 1000, .call_ms = 5000 };
	if (!mem) {
		need = (flow_need(&set) + 63) & ~(size_t)63;
		mem = aligned_alloc(64, need);
		if (!mem)
			abort();
	}
	memset(mem, 0, need);
	f = flow_place(mem, &set, &loop);
	new_line();
	client = sim_client();
	if (!flow_open(f))
		abort();
	for (unsigned i = 0; i < MOVES && in < end; i++)
		move(next());
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used)
			sim_finish(&sim.conn[i], 1);
	for (unsigned i = 0; i < 40; i++) {
		turn(4);
		sim.now_ms += 500;
	}
	if (f->fronts.used || f->txns.used || f->legs.used || f->links.used || f->small.used || f->large.used || f->listens || f->auth_waits ||
	    metrics.v[METRIC_CONNECTIONS_OPEN] || metrics.v[METRIC_REQUESTS_OPEN] || metrics.v[METRIC_LISTENS_OPEN] || metrics.v[METRIC_UPSTREAM_OPEN])
		abort();
	sim_end();
	return 0;
}
