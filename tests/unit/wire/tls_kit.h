/*
 * Two ends of a TLS connection in memory, each ours (struct tls) or BearSSL's own engine ("rough"), which can do what ours will not.
 *
 * end_server(), end_client()     ours, with fresh record buffers that end at guard pages
 * end_rough(e, engine, …)        BearSSL's
 * pump(a, b, piece)              moves bytes in both directions, at most `piece` at a time, until nothing moves
 */
#ifndef TESTS_TLS_KIT_H
#define TESTS_TLS_KIT_H

#include "page.h"
#include "tap.h"
#include "unit/wire/certs.h"
#include "wire/tls_priv.h"
#include "wire/x509_priv.h"

enum { GOT = 1 << 17 };
static const int64_t now = INT64_C(1784000000000); /* July 2026 */

struct end {
	struct tls *tls;
	br_ssl_engine_context *rough;
	char *in, *out;
	char got[GOT];
	size_t ngot;
	size_t records;            /* bytes of records sent */
};

static inline void end_fresh(struct end *e)
{
	static char zero[TLS_IN_SIZE];

	*e = (struct end){ .tls = NULL };
	e->in = page_copy(zero, TLS_IN_SIZE);
	e->out = page_copy(zero, TLS_OUT_SIZE);
}

static inline const uint8_t *end_seed(void)
{
	static uint8_t seed[TLS_SEED];

	for (unsigned i = 0; i < TLS_SEED && ++seed[i] == 0; i++)
		;
	return seed;
}

static inline void end_server_at(struct end *e, const struct tls_door *door, int64_t when)
{
	end_fresh(e);
	e->tls = malloc(tls_size());
	tls_start_server(e->tls, door, end_seed(), when, e->in, e->out);
}

static inline void end_client_at(struct end *e, const struct tls_route *route, int64_t when)
{
	end_fresh(e);
	e->tls = malloc(tls_size_plain());
	tls_start_client(e->tls, route, end_seed(), when, e->in, e->out);
}

static inline void end_server(struct end *e, const struct tls_door *door) { end_server_at(e, door, now); }
static inline void end_client(struct end *e, const struct tls_route *route) { end_client_at(e, route, now); }

static inline void end_rough(struct end *e, br_ssl_engine_context *eng)
{
	end_fresh(e);
	e->rough = eng;
	br_ssl_engine_set_buffers_bidi(eng, e->in, TLS_IN_SIZE, e->out, TLS_OUT_SIZE);
	br_ssl_engine_inject_entropy(eng, end_seed(), TLS_SEED);
}

static inline void end_stop(struct end *e)
{
	if (e->tls != NULL)
		tls_stop(e->tls);
	free(e->tls);
	page_free(e->in, TLS_IN_SIZE);
	page_free(e->out, TLS_OUT_SIZE);
}

static inline unsigned end_state(struct end *e)
{
	/* The numbers are BearSSL's but for the order. */
	unsigned s = e->rough != NULL ? br_ssl_engine_current_state(e->rough) : 0;

	return e->tls != NULL ? tls_state(e->tls)
		: (s & BR_SSL_CLOSED ? TLS_CLOSED : 0u) | (s & BR_SSL_SENDREC ? TLS_SEND_RECORD : 0u) | (s & BR_SSL_RECVREC ? TLS_RECV_RECORD : 0u)
		| (s & BR_SSL_SENDAPP ? TLS_SEND_APP : 0u) | (s & BR_SSL_RECVAPP ? TLS_RECV_APP : 0u);
}

static inline void end_read(struct end *e)
{
	size_t n;
	const unsigned char *p;
	struct span app;

	if ((end_state(e) & TLS_RECV_APP) == 0)
		return;
	if (e->tls != NULL) {
		app = tls_app(e->tls);
	} else {
		p = br_ssl_engine_recvapp_buf(e->rough, &n);
		app = span_of((const char *)p, n);
	}
	if (app.n > GOT - e->ngot)
		app.n = GOT - e->ngot;
	memcpy(e->got + e->ngot, app.p, app.n);
	e->ngot += app.n;
	if (e->tls != NULL)
		tls_app_taken(e->tls, app.n);
	else
		br_ssl_engine_recvapp_ack(e->rough, app.n);
}

static bool end_rests; /* ours give their buffers back, and take them again, whenever they can */
static unsigned end_rested;

static inline void end_rest(struct end *e)
{
	if (!end_rests || e->tls == NULL || !tls_detach(e->tls))
		return;
	end_rested++;
	memset(e->in, 0x55, TLS_IN_SIZE);
	memset(e->out, 0x55, TLS_OUT_SIZE);
	tls_attach(e->tls, e->in, e->out);
}

/* Bytes that came for e; false if it does not take any now. Returns how many it took. */
static inline size_t end_feed(struct end *e, const char *bytes, size_t n)
{
	size_t room = 0;
	char *to;

	if ((end_state(e) & TLS_RECV_RECORD) == 0)
		return 0;
	to = e->tls != NULL ? tls_record_room(e->tls, &room) : (char *)br_ssl_engine_recvrec_buf(e->rough, &room);
	n = n < room ? n : room;
	memcpy(to, bytes, n);
	if (e->tls != NULL)
		tls_record_came(e->tls, n);
	else
		br_ssl_engine_recvrec_ack(e->rough, n);
	end_read(e);
	end_rest(e);
	return n;
}

static inline struct span end_out(struct end *e)
{
	size_t n = 0;
	const unsigned char *p;

	if ((end_state(e) & TLS_SEND_RECORD) == 0)
		return span_of("", 0);
	if (e->tls != NULL)
		return tls_record_out(e->tls);
	p = br_ssl_engine_sendrec_buf(e->rough, &n);
	return span_of((const char *)p, n);
}

static inline void end_sent(struct end *e, size_t n)
{
	e->records += n;
	if (e->tls != NULL)
		tls_record_sent(e->tls, n);
	else
		br_ssl_engine_sendrec_ack(e->rough, n);
}

static inline bool pump_one(struct end *from, struct end *to, size_t piece)
{
	struct span s = end_out(from);
	size_t n = s.n < piece ? s.n : piece;

	if (n == 0)
		return false;
	if (end_state(to) != TLS_CLOSED)
		n = end_feed(to, s.p, n); /* a closed one's transport swallows */
	if (n > 0)
		end_sent(from, n);
	end_rest(from);
	return n > 0;
}

static inline void pump(struct end *a, struct end *b, size_t piece)
{
	bool moved = true;

	for (unsigned i = 0; i < 1000000 && moved; i++) {
		moved = pump_one(a, b, piece);
		moved |= pump_one(b, a, piece);
	}
	end_read(a);
	end_read(b);
}

/* Writes all of the text, with the other end reading. */
static inline bool end_write(struct end *from, struct end *to, const char *text, size_t n, size_t piece)
{
	size_t at = 0;

	for (unsigned i = 0; i < 100000 && at < n; i++) {
		size_t took;

		if (from->tls != NULL) {
			took = tls_write(from->tls, span_of(text + at, n - at));
			tls_flush(from->tls);
		} else {
			size_t room = 0;
			unsigned char *p = br_ssl_engine_sendapp_buf(from->rough, &room);

			took = n - at < room ? n - at : room;
			if (took > 0) {
				memcpy(p, text + at, took);
				br_ssl_engine_sendapp_ack(from->rough, took);
				br_ssl_engine_flush(from->rough, 0);
			}
		}
		at += took;
		pump(from, to, piece);
	}
	return at == n;
}

#endif
