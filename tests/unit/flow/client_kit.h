/* What flow's clients (exchange, fetch) stand on, on a network in memory, and the one server that a test plays for them: at PORT, plain or behind
 * TLS. A test gives CONNECTIONS before it includes this, and client_turn(), what its client does at the end of a turn. */
#ifndef TESTS_FLOW_CLIENT_KIT_H
#define TESTS_FLOW_CLIENT_KIT_H

#include <stdlib.h>

#include "flow/conn.h"
#include "tap.h"
#include "unit/flow/sim_tls.h"

enum { PORT = 8443 };

static struct loop loop;
static struct timers timers;
static struct conn_pool conns;
static const struct tls_door *door;  /* what the server speaks; NULL: plain */
static char *tls_mem;

static bool client_turn(void);       /* true: it wants another */

static size_t tls_bytes(void)
{
	return (slots_need(conn_state_size(false), CONNECTIONS) + slots_need(conn_records_size(), CONNECTIONS) + 63) & ~(size_t)63;
}

/* The connection that is there; NULL: none. */
static struct sim_conn *server(void)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && sim.conn[i].port == PORT && !sim.conn[i].gate_closed)
			return &sim.conn[i];
	return NULL;
}

static void turns(void)
{
	for (int i = 0; i < 20000; i++) {
		bool any = sim_deliver(&loop), more;

		timers_run(&timers, loop.now_ms);
		more = conn_turn(&conns);
		more = client_turn() || more;
		any = sim_tls_act_all() || any || more;
		if (!any && !sim_news())
			return;
	}
	ok(false, "it comes to rest");
}

static void network(uint64_t seed, bool rough)
{
	static const uint8_t entropy[32] = { 5 };

	sim_begin(seed, rough);
	loop.now_ms = sim.now_ms;
	memset(&conns, 0, sizeof conns);
	memset(tls_mem, 0, tls_bytes());
	slots_place(&conns.states, tls_mem, conn_state_size(false), CONNECTIONS);
	slots_place(&conns.records, tls_mem + slots_need(conn_state_size(false), CONNECTIONS), conn_records_size(), CONNECTIONS);
	conn_pool_start(&conns, &loop, entropy, sizeof entropy);
	conns.unix_ms = sim_unix_ms;
	timers_init(&timers, sim.now_ms);
}

static void accept_it(void)
{
	struct sim_conn *c;

	turns();
	c = server();
	if (!c)
		return;
	c->connecting = false;
	c->pending |= LOOP_WRITE;
	if (door)
		sim_tls_server(c, door);
	turns();
}

/* All that comes from the client; good until the next. */
static struct span heard(struct sim_conn *c)
{
	static char text[60000];
	struct buf b = buf_on(text, sizeof text);

	while (c && c->got.n > 0) {
		buf_put(&b, span_of(c->got.p, c->got.n));
		sim_took(c, c->got.n);
		turns();
	}
	return buf_span(&b);
}

/* In pieces, as long as there is somebody to say it to. */
static void say(const char *text, size_t n, size_t piece)
{
	for (size_t at = 0; at < n; at += piece) {
		struct sim_conn *c = server();

		if (!c)
			break;
		sim_say(c, text + at, n - at < piece ? n - at : piece);
		turns();
	}
}

#endif
