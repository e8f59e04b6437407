/* First byte: 0, 1: bytes as they are for a server (1: one that asks for certificates); 2: for a client; 3, 4: a client and a server of ours,
 * and the input says which bytes between them are changed (pairs: how far on, what to add), for 4 with a client certificate. Second byte:
 * the size of the pieces. Whatever comes: the state is sound, it comes to an end, and no byte arrives that was not written. */
#include "unit/wire/certs.h"
#include "wire/tls_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 100000 };
static const int64_t now = INT64_C(1784000000000);
static const uint8_t seed[TLS_SEED] = { 1, 2, 3 };
static struct tls_door door;
static struct tls_route route;

struct end {
	struct tls *t;
	char in[TLS_IN_SIZE], out[TLS_OUT_SIZE];
};
static struct end server, client;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void setup(bool clients)
{
	static const struct x509_anchors *anchors;
	static const struct tls_cert *cert, *own;

	if (anchors == NULL) {
		anchors = certs_anchors("all-cas");
		cert = certs_read("server-p256", KEY_P256);
		own = certs_read("client", KEY_P256);
		server.t = malloc(tls_size());
		client.t = malloc(tls_size_plain());
	}
	door = (struct tls_door){ .certs = cert, .ncerts = 1, .signer = certs_signer(), .clients = clients ? anchors : NULL, .client_required = clients };
	route = (struct tls_route){ .anchors = anchors, .name = SPAN("a.test"), .own = clients ? own : NULL, .signer = certs_signer() };
}

static unsigned sound(struct end *e)
{
	unsigned state = tls_state(e->t);
	size_t room;
	char *to = tls_record_room(e->t, &room);
	struct span out = tls_record_out(e->t), app = tls_app(e->t);

	must(state != 0 && ((state & TLS_CLOSED) == 0 || state == TLS_CLOSED));
	must(((state & TLS_RECV_RECORD) != 0) == (to != NULL && room > 0));
	must((to == NULL) == (room == 0) && (to == NULL || (to >= e->in && to + room <= e->in + TLS_IN_SIZE)));
	must(((state & TLS_SEND_RECORD) != 0) == (out.n > 0));
	must(out.n == 0 || (out.p >= e->out && out.p + out.n <= e->out + TLS_OUT_SIZE));
	must(((state & TLS_RECV_APP) != 0) == (app.n > 0) && (app.n == 0 || tls_established(e->t)));
	must(app.n == 0 || (app.p >= e->in && app.p + app.n <= e->in + TLS_IN_SIZE));
	must((state & TLS_SEND_APP) == 0 || tls_established(e->t));
	must(tls_why(e->t) < TLS_ERRORS && (tls_why(e->t) == TLS_NO_ERROR || (state & (unsigned)~(TLS_CLOSED | TLS_SEND_RECORD)) == 0));
	return state;
}

static size_t give(struct end *e, const char *bytes, size_t n)
{
	size_t room;
	char *to;

	if ((sound(e) & TLS_RECV_RECORD) == 0)
		return 0;
	to = tls_record_room(e->t, &room);
	n = n < room ? n : room;
	memcpy(to, bytes, n);
	tls_record_came(e->t, n);
	return n;
}

/* One end, with bytes of anybody. (The seed is always the same, so a recorded handshake comes to its end.) */
static void alone(struct end *e, struct span in, size_t piece)
{
	size_t at = 0, took;

	for (unsigned i = 0; i < STEPS; i++) {
		if ((sound(e) & TLS_SEND_RECORD) != 0) {
			tls_record_sent(e->t, tls_record_out(e->t).n);
			continue;
		}
		tls_app_taken(e->t, tls_app(e->t).n);
		took = at < in.n ? give(e, in.p + at, in.n - at < piece ? in.n - at : piece) : 0;
		at += took;
		if (took == 0)
			break;
	}
	tls_eof(e->t);
	must(sound(e) == TLS_CLOSED);
	tls_stop(e->t);
}

struct changes {
	struct span list;
	size_t left;               /* bytes that pass as they are */
	bool any;
};

static void next_change(struct changes *c)
{
	c->left = c->list.n >= 2 ? 1 + (size_t)(unsigned char)c->list.p[0] * 5 : SIZE_MAX;
}

static void change(struct changes *c, char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c->left == SIZE_MAX || --c->left > 0)
			continue;
		c->any |= c->list.p[1] != 0;
		bytes[i] = (char)(bytes[i] + c->list.p[1]);
		c->list = span_from(c->list, 2);
		next_change(c);
	}
}

static bool pass(struct end *from, struct end *to, size_t piece, struct changes *c)
{
	char copy[512];
	struct span out;
	size_t n;

	if ((sound(from) & TLS_SEND_RECORD) == 0)
		return false;
	out = tls_record_out(from->t);
	n = out.n < piece ? out.n : piece;
	n = n < sizeof copy ? n : sizeof copy;
	if ((sound(to) & TLS_RECV_RECORD) != 0) {
		size_t room;

		tls_record_room(to->t, &room);
		n = n < room ? n : room;
		memcpy(copy, out.p, n);
		change(c, copy, n);
		must(give(to, copy, n) == n);
	}
	tls_record_sent(from->t, n);
	return true;
}

static void read_all(struct end *e, struct span sent, size_t *got)
{
	struct span app = tls_app(e->t);

	must(app.n <= sent.n - *got && memcmp(app.p, sent.p + *got, app.n) == 0);
	*got += app.n;
	tls_app_taken(e->t, app.n);
}

static void together(struct span list, size_t piece)
{
	struct span ask = SPAN("a question of the client's"), answer = SPAN("and what the server has to say");
	struct changes c = { .list = list };
	size_t asked = 0, answered = 0, got_ask = 0, got_answer = 0;
	bool moved = true;

	next_change(&c);
	for (unsigned i = 0; i < STEPS && moved; i++) {
		moved = pass(&client, &server, piece, &c);
		moved |= pass(&server, &client, piece, &c);
		read_all(&server, ask, &got_ask);
		read_all(&client, answer, &got_answer);
		if (asked < ask.n && (sound(&client) & TLS_SEND_APP) != 0) {
			asked += tls_write(client.t, span_of(ask.p + asked, ask.n - asked < 10 ? ask.n - asked : 10));
			tls_flush(client.t);
			moved = true;
		}
		if (got_ask == ask.n && answered < answer.n && (sound(&server) & TLS_SEND_APP) != 0) {
			if (tls_detach(server.t))
				tls_attach(server.t, server.in, server.out);
			answered += tls_write(server.t, span_from(answer, answered));
			tls_flush(server.t);
			moved = true;
		}
	}
	must(!moved);
	if (!c.any) /* nothing was changed: all arrives */
		must(got_ask == ask.n && got_answer == answer.n && tls_why(client.t) == TLS_NO_ERROR);
	tls_close(client.t);
	tls_eof(server.t);
	must(sound(&server) == TLS_CLOSED);
	tls_stop(client.t);
	tls_stop(server.t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;
	size_t piece;
	unsigned what;

	if (size < 2)
		return 0;
	what = data[0] % 5;
	piece = data[1] == 0 ? SIZE_MAX : data[1];
	in = span_of((const char *)data + 2, size - 2);
	setup(what == 1 || what == 4);
	if (what != 2)
		tls_start_server(server.t, &door, seed, now, server.in, server.out);
	if (what >= 2)
		tls_start_client(client.t, &route, seed, now, client.in, client.out);
	if (what < 2)
		alone(&server, in, piece);
	else if (what == 2)
		alone(&client, in, piece);
	else
		together(in, piece);
	return 0;
}
