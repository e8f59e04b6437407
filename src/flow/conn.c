#include "flow/conn.h"

#include <string.h>

enum {
	MOVES_MAX = 64,  /* records moved in one go: a peer that sends empty ones for ever must not keep the turn */
	HANDSHAKE = 22,  /* the content type of a first record (RFC 5246 6.2.1) */
	HEADER = 5,
	HELLO_MAX = 4096 /* a first record: several times what clients send; it is kept in the engine's place */
};

struct conn_records {
	_Alignas(16) uint8_t in[TLS_IN_SIZE];
	_Alignas(16) uint8_t out[TLS_OUT_SIZE];
};

static struct tls *engine(struct conn_tls *s) { return (struct tls *)(void *)s->engine; }
static const struct tls *engine_const(const struct conn_tls *s) { return (const struct tls *)(const void *)s->engine; }

size_t conn_state_size(bool certificates) { return sizeof(struct conn_tls) + (certificates ? tls_size() : tls_size_plain()); }
size_t conn_records_size(void) { return sizeof(struct conn_records); }

void conn_pool_start(struct conn_pool *p, const struct loop *loop, const void *entropy, size_t n)
{
	p->loop = loop;
	list_init(&p->holders);
	list_init(&p->starved);
	list_init(&p->starved_shakes);
	list_init(&p->again);
	list_init(&p->warm);
	crypto_drbg_start(&p->random, entropy, n);
}

/* ---- pairs of record buffers ---- */

static bool of_stranger(const struct conn_tls *s) { return s->server && !s->open; }

static bool pair_free(const struct conn_tls *s)
{
	const struct slots *r = &s->pool->records;
	return r->count - r->used > (of_stranger(s) ? r->count / 4 : 0);
}

static void start(struct conn_tls *s)
{
	struct conn_pool *p = s->pool;
	uint8_t seed[TLS_SEED];
	int64_t now = p->unix_ms ? p->unix_ms(p->unix_ctx) : 0;

	crypto_drbg_take(&p->random, seed, sizeof seed);
	if (s->server)
		tls_start_server(engine(s), s->with.door, seed, now, s->records->in, s->records->out);
	else
		tls_start_client(engine(s), s->with.route, seed, now, s->records->in, s->records->out);
	crypto_wipe(seed, sizeof seed);
	s->started = true;
}

static bool take_pair(struct conn_tls *s)
{
	struct conn_pool *p = s->pool;

	if (!pair_free(s))
		return false;
	s->records = slots_take(&p->records);
	s->in_used = s->out_used = sizeof(void *); /* where a free slot keeps its list */
	s->held_ms = s->moved_ms = p->loop->now_ms;
	list_append(&p->holders, &s->held);
	if (s->started)
		tls_attach(engine(s), s->records->in, s->records->out);
	else
		start(s);
	if (!s->open)
		s->in_used = TLS_IN_SIZE, s->out_used = TLS_OUT_SIZE; /* a handshake uses their ends as well */
	return true;
}

/* A pair to work with; without one the connection stands in line for it. */
static bool hold(struct conn_tls *s)
{
	struct conn_pool *p = s->pool;

	if (!s->records && !take_pair(s)) {
		if (s->waiting)
			return false; /* it waits for its turn: an event of its own does not move it forward */
		if (!of_stranger(s))
			list_append(&p->starved, &s->turn);
		else
			list_push(&p->starved_shakes, &s->turn);
		s->waiting = true;
		return false;
	}
	s->waiting = false;
	list_append(&p->warm, &s->turn);
	return true;
}

static void give_pair(struct conn_tls *s)
{
	crypto_wipe(s->records->in, s->in_used);
	crypto_wipe(s->records->out, s->out_used);
	slots_give(&s->pool->records, s->records);
	s->records = NULL;
	list_remove(&s->held);
}

bool conn_rest(struct conn_tls *s)
{
	if (!s->records)
		return true;
	if (!tls_detach(engine(s)))
		return false;
	give_pair(s);
	return true;
}

static void rest_warm(struct conn_pool *p)
{
	while (!list_empty(&p->warm)) {
		struct conn_tls *s = LIST_OWNER(p->warm.next, struct conn_tls, turn);
		list_remove(&s->turn);
		(void)conn_rest(s);
	}
}

/* Wakes those in `line` for whom there is a pair; whoever waits again stands behind `line`'s end, and is not looked at again. */
static void wake(struct conn_pool *p, struct list *line)
{
	struct list now;

	list_init(&now);
	while (!list_empty(line))
		list_append(&now, line->next);
	while (!list_empty(&now)) {
		struct conn_tls *s = LIST_OWNER(now.next, struct conn_tls, turn);
		if (line != &p->again && !pair_free(s))
			break;
		list_remove(&s->turn);
		s->waiting = false;
		s->item->event(s->item, LOOP_READ | LOOP_WRITE);
		rest_warm(p);
	}
	while (!list_empty(&now)) /* in front of those who came meanwhile */
		list_push(line, now.prev);
}

static bool first_may(const struct list *line)
{
	if (list_empty(line))
		return false;
	const struct conn_tls *s = LIST_OWNER(line->next, struct conn_tls, turn);
	return pair_free(s);
}

bool conn_turn(struct conn_pool *p)
{
	rest_warm(p);
	wake(p, &p->again);
	wake(p, &p->starved);
	wake(p, &p->starved_shakes);
	return !list_empty(&p->again) || first_may(&p->starved) || first_may(&p->starved_shakes);
}

/* ---- life ---- */

static struct conn_tls *new_state(struct conn_pool *p, struct loop_item *item)
{
	struct conn_tls *s = slots_take(&p->states);
	if (!s)
		return NULL;
	*s = (struct conn_tls){ .pool = p, .item = item };
	list_init(&s->held);
	list_init(&s->turn);
	return s;
}

struct conn_tls *conn_serve(struct conn_pool *p, struct loop_item *item, const struct tls_door *door)
{
	struct conn_tls *s = new_state(p, item);
	if (s) {
		s->server = s->can_write = true;
		s->with.door = door;
	}
	return s;
}

struct conn_tls *conn_call(struct conn_pool *p, struct loop_item *item, const struct tls_route *route)
{
	struct conn_tls *s = new_state(p, item);
	if (s)
		s->with.route = route;
	return s;
}

void conn_event(struct conn_tls *s, unsigned events)
{
	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		s->can_read = true;
	if (events & (LOOP_WRITE | LOOP_GONE))
		s->can_write = true;
}

void conn_drop(struct conn_tls *s)
{
	struct conn_pool *p = s->pool;

	if (s->records)
		give_pair(s);
	if (s->started)
		tls_stop(engine(s));
	list_remove(&s->turn);
	slots_give(&p->states, s);
}

/* ---- records ---- */

/* False: the socket takes no more, or is dead. */
static bool send_record(struct conn_tls *s)
{
	struct span out = tls_record_out(engine(s));
	uint32_t end = (uint32_t)((const uint8_t *)out.p + out.n - s->records->out);

	if (end > s->out_used)
		s->out_used = end;
	long n = sock_write(s->item->fd, out.p, out.n);
	if (n < 0) {
		s->can_write = false;
		s->dead = s->dead || n == SOCK_ERROR;
		return false;
	}
	if ((size_t)n == out.n)
		s->moved_ms = s->pool->loop->now_ms;
	tls_record_sent(engine(s), (size_t)n);
	return true;
}

static void came(struct conn_tls *s, const char *at, size_t n)
{
	uint32_t end = (uint32_t)((const uint8_t *)at + n - s->records->in);

	if (end > s->in_used)
		s->in_used = end;
	tls_record_came(engine(s), n);
}

/* False: the socket has nothing more to give yet, or has ended. */
static bool take_record(struct conn_tls *s)
{
	size_t room;
	char *at = tls_record_room(engine(s), &room);
	long n = sock_read(s->item->fd, at, s->left > 0 && s->left < room ? s->left : room);

	if (n == SOCK_AGAIN) {
		s->can_read = false;
		return false;
	}
	if (n < 0) {
		s->dead = true;
		return false;
	}
	if (n == SOCK_EOF) {
		tls_eof(engine(s));
		return false;
	}
	s->left -= s->left < n ? s->left : (uint32_t)n;
	came(s, at, (size_t)n);
	return true;
}

/* Moves records both ways until there is something to read, or the socket says no. */
static void pump(struct conn_tls *s)
{
	for (unsigned i = 0; i < MOVES_MAX; i++) {
		unsigned state = tls_state(engine(s));
		if (s->dead || (state & TLS_CLOSED))
			return;
		if ((state & TLS_SEND_RECORD) && s->can_write) {
			(void)send_record(s);
			continue;
		}
		if ((state & TLS_RECV_APP) || !(state & TLS_RECV_RECORD) || !s->can_read || s->closing)
			return;
		(void)take_record(s);
	}
	list_append(&s->pool->again, &s->turn); /* the rest in the next turn */
}

/* The record that a stranger has begun, and how long it will be as far as is known. Of the first one the place is the engine's, later on `wait`. */
static uint8_t *kept_at(struct conn_tls *s) { return s->started ? s->wait : s->engine; }

static size_t kept_max(const struct conn_tls *s)
{
	size_t place = tls_size_plain();
	return s->started ? CONN_WAIT : place < HELLO_MAX ? place : HELLO_MAX;
}

static size_t whole_of(const uint8_t *at, size_t n) { return n < HEADER ? HEADER : HEADER + (size_t)(at[3] << 8 | at[4]); }

/* True: it is whole, or too long to be kept; a hello may not be that. */
static bool kept_ready(struct conn_tls *s)
{
	uint8_t *at = kept_at(s);

	while (!s->dead) {
		size_t whole = whole_of(at, s->nwait);
		if (s->nwait == whole || (s->started && whole > kept_max(s)))
			return true;
		s->dead = s->too_long = whole > kept_max(s);
		if (s->dead)
			break;
		long n = s->can_read ? sock_read(s->item->fd, at + s->nwait, whole - s->nwait) : SOCK_AGAIN;
		if (n == SOCK_AGAIN) {
			s->can_read = false;
			return false;
		}
		s->nwait = (uint16_t)(s->nwait + (n > 0 ? n : 0));
		s->not_tls = !s->started && s->nwait > 0 && at[0] != HANDSHAKE;
		s->dead = n <= 0 || s->not_tls;
	}
	return false;
}

/* Hands it to the engine; the rest of one that was too long comes without a stop. */
static bool feed_kept(struct conn_tls *s)
{
	uint8_t kept[HELLO_MAX];
	size_t n = s->nwait, room;

	memcpy(kept, kept_at(s), n); /* a first record is kept in the memory that the engine now begins to use */
	if (!hold(s))
		return false;
	s->left = (uint32_t)(whole_of(kept, n) - n);
	s->nwait = 0;
	for (size_t at = 0; at < n && (tls_state(engine(s)) & TLS_RECV_RECORD); at += room) {
		char *to = tls_record_room(engine(s), &room);
		room = room < n - at ? room : n - at;
		memcpy(to, kept + at, room);
		came(s, to, room);
	}
	return true;
}

/* The handshake with a client: a record that has not come whole is kept here and not in the engine, so that who sends half of one holds no buffers. */
static void shake_stranger(struct conn_tls *s)
{
	if (s->records)
		(void)hold(s);
	for (unsigned i = 0; i < MOVES_MAX; i++) {
		unsigned state = s->started ? tls_state(engine(s)) : 0;
		if (s->dead || (state & TLS_CLOSED) || (s->started && tls_established(engine(s))))
			return;
		if (state & TLS_SEND_RECORD ? !s->can_write || !send_record(s) :
			s->left > 0 ? !s->can_read || !take_record(s) : !kept_ready(s) || !feed_kept(s))
			return;
	}
	list_append(&s->pool->again, &s->turn);
}

enum conn_shake conn_shake(struct conn_tls *s)
{
	if (s->server)
		shake_stranger(s);
	else if (hold(s))
		pump(s);
	if (s->dead || (s->started && (tls_state(engine(s)) & TLS_CLOSED)))
		return CONN_FAILED;
	if (!s->started || !tls_established(engine(s)))
		return CONN_SHAKING;
	s->open = true;
	return CONN_OPEN;
}

enum tls_error conn_why(const struct conn_tls *s)
{
	enum tls_error why = s->too_long ? TLS_PEER : s->started && (tls_state(engine_const(s)) & TLS_CLOSED) ? tls_why(engine_const(s)) : TLS_TRUNCATED;
	return why == TLS_NO_ERROR ? TLS_TRUNCATED : why; /* closed in order, but before it was open */
}

bool conn_resumed(const struct conn_tls *s) { return s->open && tls_resumed(engine_const(s)); }
const struct tls_peer *conn_peer(const struct conn_tls *s) { return s->open ? tls_peer(engine_const(s)) : NULL; }

long conn_tls_read(struct conn_tls *s, void *to, size_t n)
{
	if (!hold(s))
		return SOCK_AGAIN;
	pump(s);
	unsigned state = tls_state(engine(s));
	bool over = (state & TLS_CLOSED) || (state & (TLS_RECV_APP | TLS_RECV_RECORD)) == 0; /* its close_notify has come, even if ours has not been sent yet */
	if (state & TLS_RECV_APP) {
		struct span app = tls_app(engine(s));
		size_t take = app.n < n ? app.n : n;
		memcpy(to, app.p, take);
		tls_app_taken(engine(s), take);
		return (long)take;
	}
	if (over)
		return tls_why(engine(s)) == TLS_NO_ERROR ? SOCK_EOF : SOCK_ERROR;
	return s->dead ? SOCK_ERROR : SOCK_AGAIN;
}

/* Sends what records there are. False: not all of them went. */
static bool push(struct conn_tls *s)
{
	while (!s->dead && (tls_state(engine(s)) & TLS_SEND_RECORD))
		if (!s->can_write || !send_record(s))
			return false;
	return !s->dead;
}

long conn_tls_write(struct conn_tls *s, const void *from, size_t n)
{
	struct span app = span_of(from, n);
	size_t took;

	if (n == 0 && !s->records)
		return 0;
	if (!hold(s))
		return SOCK_AGAIN;
	while (push(s) && app.n > 0 && (tls_state(engine(s)) & TLS_SEND_APP) && (took = tls_write(engine(s), app)) > 0) {
		tls_flush(engine(s));
		app = span_from(app, took);
	}
	if (s->dead || (tls_state(engine(s)) & TLS_CLOSED))
		return SOCK_ERROR;
	if (n == 0)
		return conn_tls_pending(s) ? SOCK_AGAIN : 0;
	return app.n < n ? (long)(n - app.n) : SOCK_AGAIN;
}

bool conn_tls_pending(const struct conn_tls *s) { return s->records && !s->dead && (tls_state(engine_const(s)) & TLS_SEND_RECORD); }

void conn_bye(struct conn_tls *s)
{
	if (!s->open || s->dead || s->closing || (!s->records && !take_pair(s)))
		return;
	list_append(&s->pool->warm, &s->turn);
	tls_close(engine(s));
	s->closing = true;
	(void)push(s);
}
