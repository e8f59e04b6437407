/* What the tests of the broker share: a broker on the network in memory, its workers' ends, and authorization servers that say what they are
 * told to. Time stands still until pass() moves it. */
#ifndef TESTS_FLOW_BROKER_KIT_H
#define TESTS_FLOW_BROKER_KIT_H

#include "flow/broker.h"
#include "flow/broker_msg.h"

#include <stdlib.h>

#include "tap.h"
#include "unit/flow/sim.h"
#include "unit/flow/sim_pass.h"
#include "unit/flow/sim_tls.h"

enum { WORKERS = 2, ASKS = 12, ENTRIES = 24, PORTS = 4, KEYS = 0, INTROSPECTION = 1, CLIENT = 2, EXCHANGE = 3, PORT = 1000 };

static struct kit_server {
	unsigned status;
	const char *type, *fields, *body;
	bool hold;                   /* takes questions and says nothing */
	bool refuse;                 /* no connection */
	bool dead;                   /* closes instead of answering */
	unsigned asked;              /* whole requests so far */
	char last[40000];            /* the last of them */
} servers[PORTS];

static struct broker_settings settings;
static struct loop loop;
static struct broker *broker;
static char *memory;
static size_t need;
static struct sim_conn *edges[WORKERS];
static bool answered[SIM_CONNS];
static unsigned peak;                /* connections at once */
static char logged[1 << 18];
static struct buf log_text;
static int64_t unix_base;
static const struct tls_door *kit_door; /* what the servers speak; NULL: plain */

static int64_t kit_unix_ms(void) { return unix_base + sim.now_ms; }

static void kit_log(struct span line)
{
	buf_put(&log_text, line);
	buf_char(&log_text, '\n');
}

static inline bool log_has(const char *text) { return memmem(logged, log_text.n, text, strlen(text)) != NULL; }

static inline struct fetch_peer kit_peer(unsigned server)
{
	return (struct fetch_peer){ { .family = 4, .ip = { 127, 0, 0, 1 }, .port = (uint16_t)(PORT + server) }, SPAN("idp.example"), SPAN("/ask"), NULL };
}

static inline void kit_settings(void)
{
	memset(&settings, 0, sizeof settings);
	settings.nissuers = 2;
	settings.issuers[0] = (struct broker_issuer){ .name = SPAN("https://idp.example"), .keys = true, .jwks = kit_peer(KEYS) };
	settings.issuers[1] = (struct broker_issuer){
		.name = SPAN("https://opaque.example"), .introspection = true, .introspect = kit_peer(INTROSPECTION), .client_id = SPAN("gw")
	};
	settings.nservers = 4;
	settings.servers[0] = (struct broker_server){ .name = SPAN("static"), .kind = BROKER_STATIC, .header = SPAN("X-Key"), .scheme = SPAN("") };
	settings.servers[1] = (struct broker_server){
		.name = SPAN("client"), .kind = BROKER_CLIENT, .token = kit_peer(CLIENT), .client_id = SPAN("gw:1"), .scope = SPAN("a b"), .secret = true
	};
	settings.servers[2] = (struct broker_server){
		.name = SPAN("exchange"), .kind = BROKER_EXCHANGE, .token = kit_peer(EXCHANGE), .client_id = SPAN("gw"), .audience = SPAN("up"), .secret = true
	};
	settings.servers[3] = (struct broker_server){ .name = SPAN("none") };
	settings.workers = WORKERS;
	settings.tenants = 2;
	settings.asks = ASKS;
	settings.entries = ENTRIES;
	settings.fetch_ms = 4500;
	settings.unix_ms = kit_unix_ms;
	settings.log = kit_log;
}

/* ---- the authorization servers ---- */

/* Length of the whole request at the start of what came; 0: not whole yet. */
static inline size_t whole_request(const char *p, size_t n)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4), *length = memmem(p, n, "Content-Length: ", 16);
	size_t head = end ? (size_t)(end - p) + 4 : 0, body = length && length < end ? strtoul(length + 16, NULL, 10) : 0;

	return end && head + body <= n ? head + body : 0;
}

static inline void say_answer(struct sim_conn *c, const struct kit_server *s)
{
	static char text[200000];
	int n = snprintf(text, sizeof text, "HTTP/1.1 %u X\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n%s", s->status,
		s->type ? s->type : "application/json", s->fields ? s->fields : "", strlen(s->body), s->body);

	sim_say(c, text, (size_t)n);
}

static inline bool servers_act(void)
{
	static struct sim_bytes heard[SIM_CONNS];
	unsigned open = 0;
	bool did = false;

	for (unsigned i = 0; i < sim.top; i++) {
		struct sim_conn *c = &sim.conn[i];
		struct kit_server *s;
		size_t n;

		if (!c->used || c->port == 0 || (c->reset && !c->gate_closed))
			continue;
		if (c->gate_closed) { /* over: its place is for another */
			free(c->in.p);
			free(c->got.p);
			free(c->wire.p);
			sim_tls_free(c);
			memset(c, 0, sizeof *c);
			continue;
		}
		s = &servers[c->port - PORT];
		open++;
		if (c->connecting) {
			did = true;
			if (s->refuse) {
				sim_reset(c);
				continue;
			}
			c->connecting = false;
			c->pending |= LOOP_WRITE;
			answered[i] = false;
			heard[i].n = 0;
			if (kit_door)
				sim_tls_server(c, kit_door);
		}
		if (c->got.n > 0) {
			struct sim_bytes *b = &heard[i];

			if (b->cap < b->n + c->got.n) {
				b->cap = (b->n + c->got.n) * 2;
				b->p = realloc(b->p, b->cap);
			}
			memcpy(b->p + b->n, c->got.p, c->got.n);
			b->n += c->got.n;
			sim_took(c, c->got.n);
			did = true;
			n = whole_request(b->p, b->n);
			if (n > 0) {
				s->asked++;
				memcpy(s->last, b->p, n < sizeof s->last ? n : sizeof s->last - 1);
				s->last[n < sizeof s->last ? n : sizeof s->last - 1] = 0;
			}
		}
		if (!answered[i] && heard[i].n > 0 && whole_request(heard[i].p, heard[i].n) > 0 && !s->hold) {
			answered[i] = did = true;
			if (s->dead)
				sim_close(c);
			else
				say_answer(c, s);
		}
	}
	peak = open > peak ? open : peak;
	return did;
}

/* ---- turns ---- */

static inline void turns(void)
{
	for (int i = 0; i < 20000; i++) {
		bool did = servers_act();
		int wait;

		did = sim_tls_act_all() || did;
		did = sim_deliver(&loop) || did;
		wait = broker_tick(broker);
		if (!did && wait != 0 && !sim_news() && !servers_act())
			return;
	}
	ok(false, "the broker comes to rest");
}

static inline void pass(int64_t ms)
{
	int64_t until = sim.now_ms + ms;

	while (sim.now_ms < until) {
		int wait;

		turns();
		(void)sim_deliver(&loop);
		wait = broker_tick(broker);
		if (wait < 0 || wait > until - sim.now_ms)
			wait = (int)(until - sim.now_ms);
		sim.now_ms += wait > 0 ? wait : 1;
	}
	turns();
}

static inline void link_worker(unsigned w)
{
	broker_link(broker, w, sim_pair((int)w, &edges[w]));
	edges[w]->window = 1 << 20;
	turns();
}

/* A broker with two workers and nothing asked yet. */
static inline void kit_begin(uint64_t seed, bool rough)
{
	sim_begin(seed, rough);
	loop.now_ms = sim.now_ms;
	unix_base = INT64_C(1800000000000);
	need = broker_need(&settings);
	memory = realloc(memory, need + 64);
	memset(memory, 0, need + 64);
	broker = broker_place((void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63), &settings, &loop);
	memset(servers, 0, sizeof servers);
	for (unsigned i = 0; i < PORTS; i++)
		servers[i] = (struct kit_server){ .status = 200, .body = "{}" };
	log_text = buf_on(logged, sizeof logged);
	peak = 0;
	if (broker_secret(broker, BROKER_OF_ISSUER, 1, SPAN("introspect-secret\n")) || broker_secret(broker, BROKER_OF_SERVER, 0, SPAN("static-secret"))
		|| broker_secret(broker, BROKER_OF_SERVER, 1, SPAN("client-secret\r\n")) || broker_secret(broker, BROKER_OF_SERVER, 2, SPAN("exchange/secret\n")))
		ok(false, "the secrets are taken");
	for (unsigned w = 0; w < WORKERS; w++)
		link_worker(w);
}

/* ---- workers ---- */

static inline void ask_keys(unsigned w, unsigned issuer)
{
	struct broker_ask_keys m = { BROKER_ASK_KEYS, issuer };

	sim_packet_say(edges[w], &m, sizeof m, -1);
}

static inline void ask_about(unsigned w, unsigned issuer, uint64_t call, const char *token)
{
	union broker_packet m = { .introspect.head = { BROKER_INTROSPECT, issuer, call, (uint32_t)strlen(token), 0 } };

	memcpy(m.introspect.text.p, token, strlen(token));
	sim_packet_say(edges[w], &m, broker_msg_size(&m), -1);
}

static inline void ask_token(unsigned w, unsigned server, unsigned tenant, uint64_t call, const char *subject, bool again)
{
	union broker_packet m = { .token_ask.head = { BROKER_TOKEN_ASK, server, call, tenant, again, (uint32_t)strlen(subject), 0 } };

	memcpy(m.token_ask.text.p, subject, strlen(subject));
	sim_packet_say(edges[w], &m, broker_msg_size(&m), -1);
}

/* The next message for a worker; its type, BROKER_NONE if there is none. */
static inline enum broker_type hear(unsigned w, union broker_packet *m)
{
	size_t n = sim_packet_take(edges[w], m, sizeof *m);
	const char *wrong;

	if (n == 0)
		return BROKER_NONE;
	wrong = broker_msg_wrong(m, n, false);
	if (wrong)
		ok(false, wrong);
	return (enum broker_type)m->type;
}

/* The next message is the answer to this call, and this is its text (NULL: none). */
static inline void is_answer(unsigned w, enum broker_type type, uint64_t call, const char *want, const char *name)
{
	union broker_packet m;
	uint64_t got_call;
	struct span text;

	turns();
	if (!is_int(hear(w, &m), type, name))
		return;
	got_call = type == BROKER_TOKEN ? m.token.head.call : m.introspected.head.call;
	text = type == BROKER_TOKEN ? span_of(m.token.text.p, m.token.head.n) : span_of(m.introspected.text.p, m.introspected.head.n);
	if (got_call != call)
		is_int((intmax_t)got_call, (intmax_t)call, name);
	if (!want)
		is_int((intmax_t)text.n, 0, name);
	else
		is_mem(text.p, text.n, want, strlen(want), name);
}

static inline bool silent(unsigned w)
{
	union broker_packet m;

	turns();
	return hear(w, &m) == BROKER_NONE;
}

static inline bool in_memory(const char *text) { return memmem(memory, need + 64, text, strlen(text)) != NULL; }

#endif
