#include "unit/flow/sim_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/wire/certs.h"
#include "wire/crypto.h"

enum { SESSIONS = 64 };
static const int64_t world_unix_ms = INT64_C(1784000000000); /* July 2026 */

struct tls_door sim_door, sim_door_mutual;
struct tls_route sim_route, sim_route_distrust, sim_route_own;
bool sim_signer_fails;
static struct crypto_drbg noise;

size_t sim_sign(void *ctx, unsigned key, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX])
{
	return sim_signer_fails ? 0 : certs_sign(ctx, key, hash, digest, signature);
}

int64_t sim_unix_ms(void *ctx)
{
	(void)ctx;
	return world_unix_ms + sim.now_ms;
}

static void die(const char *what)
{
	fprintf(stderr, "sim_tls: %s\n", what);
	abort();
}

static void *take(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) & ~(size_t)63);
	if (!p)
		die("out of memory");
	memset(p, 0, n);
	return p;
}

static void make_shapes(void)
{
	const struct tls_cert *server = certs_read("server-no-eku", KEY_P256), *client = certs_read("client-no-eku", KEY_P256);
	const struct x509_anchors *ca = certs_anchors("ca"), *other = certs_anchors("other-ca");
	const struct tls_signer *signer = certs_signer();
	sim_door = (struct tls_door){ .certs = server, .ncerts = 1, .cache = take(tls_cache_need(SESSIONS)), .signer = signer };
	sim_door_mutual = (struct tls_door){ .certs = server, .ncerts = 1, .clients = ca, .client_required = true, .signer = signer };
	sim_route = (struct tls_route){ .anchors = ca, .name = SPAN("a.test"), .cache = take(tls_cache_need(1)), .signer = signer };
	sim_route_distrust = (struct tls_route){ .anchors = other, .name = SPAN("a.test"), .signer = signer };
	sim_route_own = (struct tls_route){ .anchors = ca, .name = SPAN("a.test"), .own = client, .signer = signer };
}

void sim_tls_world(uint64_t seed)
{
	uint64_t fresh[4] = { seed, 1, 2, 3 };

	if (sim_door.ncerts == 0)
		make_shapes();
	sim_door.cache = tls_cache_place(sim_door.cache, SESSIONS);
	sim_route.cache = tls_cache_place(sim_route.cache, 1);
	crypto_drbg_start(&noise, fresh, sizeof fresh);
}

static struct sim_tls *begin(struct sim_conn *c)
{
	struct sim_tls *s = take(sizeof *s);
	s->t = take(tls_size());
	s->in = take(TLS_IN_SIZE);
	s->out = take(TLS_OUT_SIZE);
	return c->tls = s;
}

void sim_tls_client(struct sim_conn *c, const struct tls_route *route)
{
	struct sim_tls *s = begin(c);
	uint8_t seed[TLS_SEED];
	crypto_drbg_take(&noise, seed, sizeof seed);
	tls_start_client(s->t, route, seed, sim_unix_ms(NULL), s->in, s->out);
}

void sim_tls_server(struct sim_conn *c, const struct tls_door *door)
{
	struct sim_tls *s = begin(c);
	uint8_t seed[TLS_SEED];
	crypto_drbg_take(&noise, seed, sizeof seed);
	tls_start_server(s->t, door, seed, sim_unix_ms(NULL), s->in, s->out);
}

void sim_tls_free(struct sim_conn *c)
{
	struct sim_tls *s = c->tls;
	if (!s)
		return;
	tls_stop(s->t);
	free(s->t);
	free(s->in);
	free(s->out);
	free(s->plain.p);
	free(s->raw.p);
	free(s);
	c->tls = NULL;
}

void sim_tls_say(struct sim_conn *c, const void *p, size_t n) { sim_bytes_put(&c->tls->plain, p, n); }

/* One move between the engine and what lies on its sides. */
static bool move(struct sim_conn *c)
{
	struct sim_tls *s = c->tls;
	unsigned state = tls_state(s->t);

	if (state & TLS_CLOSED)
		return false;
	if (state & TLS_SEND_RECORD) {
		struct span out = tls_record_out(s->t);
		sim_bytes_put(&s->raw, out.p, out.n);
		tls_record_sent(s->t, out.n);
		return true;
	}
	if ((state & TLS_RECV_APP) && c->got.n < c->window) {
		struct span app = tls_app(s->t);
		sim_bytes_put(&c->got, app.p, app.n);
		tls_app_taken(s->t, app.n);
		return true;
	}
	if ((state & TLS_SEND_APP) && s->plain.n > 0 && !s->closing) {
		size_t n = sim.rough && s->plain.n > 1 ? 1 + sim_roll((uint32_t)s->plain.n) : s->plain.n;
		n = tls_write(s->t, span_of(s->plain.p, n));
		tls_flush(s->t);
		sim_bytes_drop(&s->plain, n);
		return true;
	}
	if ((s->want_fin || s->want_close) && !s->closing && s->plain.n == 0 && tls_established(s->t)) {
		tls_close(s->t);
		s->closing = true;
		return true;
	}
	if ((state & TLS_RECV_RECORD) && c->wire.n > 0) {
		size_t room;
		char *at = tls_record_room(s->t, &room);
		size_t n = room < c->wire.n ? room : c->wire.n;
		memcpy(at, c->wire.p, n);
		sim_wire_took(c, n);
		tls_record_came(s->t, n);
		return true;
	}
	return false;
}

static bool put_on_wire(struct sim_conn *c)
{
	struct sim_tls *s = c->tls;
	size_t n = !sim.rough || s->raw.n < 2 ? s->raw.n : 1 + sim_roll((uint32_t)(sim_roll(2) && s->raw.n > 50 ? 50 : s->raw.n));

	if (s->cut_at > 0 && s->raw_total + n >= s->cut_at)
		n = s->cut_at - s->raw_total;
	if (n > 0)
		sim_raw_say(c, s->raw.p, n);
	sim_bytes_drop(&s->raw, n);
	s->raw_total += n;
	if (s->cut_at > 0 && s->raw_total == s->cut_at) {
		s->raw.n = s->plain.n = 0;
		if (!s->cut_silent)
			sim_raw_fin(c);
	}
	return n > 0;
}

bool sim_tls_act(struct sim_conn *c)
{
	struct sim_tls *s = c->tls;
	bool did = false, gone = c->reset || c->closed;

	if (!s || gone || sim.now_ms < s->wait_ms || c->connecting)
		return false;
	for (unsigned i = 0; i < 4096 && move(c); i++)
		did = true;
	if (s->raw.n > 0 && !c->fin)
		did |= put_on_wire(c);
	unsigned state = tls_state(s->t);
	if ((state & TLS_CLOSED) && tls_why(s->t) == TLS_NO_ERROR && !s->closing)
		s->announced = true;
	if (c->gate_fin && c->wire.n == 0 && !(state & (TLS_CLOSED | TLS_RECV_APP))) {
		s->cut_off = !s->closing && tls_established(s->t);
		tls_eof(s->t);
		did = true;
	}
	state = tls_state(s->t);
	bool ended = (state & TLS_CLOSED) || ((s->want_fin || s->want_close) && (s->closing || !tls_established(s->t)) && !(state & TLS_SEND_RECORD));
	if (ended && s->raw.n == 0 && c->got.n == 0 && !c->fin) {
		if (s->want_close || (state & TLS_CLOSED))
			sim_raw_close(c);
		else
			sim_raw_fin(c);
		did = true;
	}
	return did;
}

bool sim_tls_act_all(void)
{
	bool did = false;
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && sim.conn[i].tls)
			did |= sim_tls_act(&sim.conn[i]);
	return did;
}
