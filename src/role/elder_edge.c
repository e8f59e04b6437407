#include "role/elder_edge.h"

#include "base/carve.h"
#include "base/text.h"
#include "flow/elder_msg.h"
#include "os/pass.h"
#include "os/sock.h"
#include "role/log.h"
#include "wire/http_write.h"

enum {
	GROWTH = 32768,            /* a worker reads frames that are so much longer than a reply */
	SMALL_ROOM = 65536,        /* kept free in an edge's buffer for frames without a text */
	READS = 64                 /* in a row on one edge, before others have their turn */
};

/* A worker, seen from here. */
struct lane {
	struct loop_item edge;     /* first: events find the lane by it. fd -1: none */
	int packets;               /* -1: none */
	unsigned worker;
	bool readable, writable;
	char *in, *out;
	size_t nin, nout, from;    /* out[from..nout) is still to be written */
	struct exchange_peer peer;
};

/* A modern request under way. number 0: free. */
struct ask { uint64_t number, scopes; struct exchange *x; bool listen; };

static const struct edge_settings *set;
static struct elder *elder;
static struct exchange_pool *pool;
static struct loop *loop;
static struct timers timers;
static struct lane *lanes;
static struct ask *asks;

static size_t room_in(const struct edge_settings *s) { return carve_up(s->elder.body_max + 2 * ELDER_FRAME_ROOM); }
static size_t room_out(const struct edge_settings *s) { return carve_up(2 * (s->elder.reply_max + GROWTH) + SMALL_ROOM); }

void edge_budget(const struct edge_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to)
{
	elder_budget(&s->elder, row, to);
	row(to, SPAN("requests to workers"), carve_up(exchange_need(&s->pool)), 1);
	row(to, SPAN("edges to workers"), sizeof(struct lane) + room_in(s) + room_out(s), s->elder.workers);
}

size_t edge_need(const struct edge_settings *s)
{
	return carve_up(elder_need(&s->elder)) + carve_up(exchange_need(&s->pool)) + carve_up(s->pool.exchanges * sizeof(struct ask)) +
		carve_up(s->elder.workers * sizeof(struct lane)) + s->elder.workers * (room_in(s) + room_out(s));
}

/* ---- the edge of frames ---- */

static void lane_down(struct lane *l)
{
	if (l->edge.fd < 0)
		return;
	loop_forget(loop, &l->edge);
	sock_close(l->edge.fd);
	l->edge.fd = -1;
	l->nin = l->nout = l->from = 0;
	elder_worker_lost(elder, l->worker, loop->now_ms);
}

static void lane_write(struct lane *l)
{
	while (l->writable && l->from < l->nout) {
		long n = sock_write(l->edge.fd, l->out + l->from, l->nout - l->from);

		if (n < 0)
			l->writable = false; /* if the other end has closed, the reading side finds out */
		else
			l->from += (size_t)n;
	}
	if (l->from == l->nout)
		l->from = l->nout = 0;
}

/* False: there is no room for it. Small ones have room of their own. */
static bool lane_put(struct lane *l, const struct elder_msg *m)
{
	size_t size = elder_msg_size(m), cap = room_out(set) - (m->body.n > 0 ? SMALL_ROOM : 0);
	struct buf b;

	if (l->edge.fd < 0)
		return false;
	if (l->nout + size > cap && l->from > 0) {
		memmove(l->out, l->out + l->from, l->nout - l->from);
		l->nout -= l->from;
		l->from = 0;
	}
	if (l->nout + size > cap)
		return false;
	b = buf_on(l->out + l->nout, room_out(set) - l->nout);
	elder_msg_write(&b, m);
	if (b.full)
		return false;
	l->nout += b.n;
	lane_write(l);
	return true;
}

static struct lane *lane_of(unsigned worker) { return worker < set->elder.workers ? &lanes[worker] : NULL; }

static void say(unsigned worker, const struct elder_msg *m)
{
	struct lane *l = lane_of(worker);
	/* What was refused may be asked again; what was done should not be done again. */
	struct elder_msg less = { .type = m->type, .call = m->call, .status = m->again ? 503 : 500, .session = m->session, .again = m->again };

	if (!l || lane_put(l, m))
		return;
	if (m->type == ELDER_REPLY && m->body.n > 0)
		(void)lane_put(l, &less); /* a worker that does not even take these does not read: its end will come */
}

static void reply(void *ctx, unsigned worker, uint64_t call, unsigned status, struct span session, bool again, uint64_t scopes, struct span json)
{
	(void)ctx;
	say(worker, &(struct elder_msg){ .type = ELDER_REPLY, .call = call, .status = status, .session = session, .again = again, .scopes = scopes, .body = json });
}

static void stream(void *ctx, unsigned worker, uint64_t call, struct span session)
{
	(void)ctx;
	say(worker, &(struct elder_msg){ .type = ELDER_STREAM, .call = call, .session = session });
}

static void end(void *ctx, unsigned worker, uint64_t call)
{
	(void)ctx;
	say(worker, &(struct elder_msg){ .type = ELDER_END, .call = call });
}

static bool event(void *ctx, unsigned worker, uint64_t call, struct span id, struct span json)
{
	struct lane *l = lane_of(worker);

	(void)ctx;
	if (l && lane_put(l, &(struct elder_msg){ .type = ELDER_EVENT, .call = call, .event = id, .body = json }))
		return true;
	end(ctx, worker, call); /* what it missed is kept: it may come back for it */
	return false;
}

static void take(struct lane *l, const struct elder_msg *m)
{
	static const enum elder_way ways[] = { [ELDER_POST] = ELDER_BY_POST, [ELDER_GET] = ELDER_BY_GET, [ELDER_DELETE] = ELDER_BY_DELETE };
	int64_t now_ms = loop->now_ms;

	if (m->type == ELDER_GONE) {
		elder_client_gone(elder, l->worker, m->call, now_ms);
		return;
	}
	elder_asks(elder, &(struct elder_asked){ .worker = l->worker, .call = m->call, .way = ways[m->method], .principal = m->principal, .identity = m->identity,
		.version = m->version, .session = m->session, .last_event = m->event, .body = m->body }, now_ms);
}

/* Whole frames out of what was read. False: the edge is no more. */
static bool lane_frames(struct lane *l)
{
	size_t at = 0, used;
	struct elder_msg m;
	const char *why = NULL;
	enum elder_taken taken;

	while (l->edge.fd >= 0 && (taken = elder_msg_read(&m, span_of(l->in + at, l->nin - at), true, set->elder.body_max, &used, &why)) != ELDER_MORE) {
		if (taken == ELDER_WRONG) {
			struct buf *b = log_begin(LOG_ERROR);

			BUF_LIT(b, "worker ");
			buf_u64(b, l->worker);
			BUF_LIT(b, " sent ");
			buf_put(b, span_z(why));
			BUF_LIT(b, ": its edge is closed");
			log_end();
			lane_down(l);
			return false;
		}
		at += used;
		take(l, &m);
	}
	if (l->edge.fd < 0)
		return false;
	memmove(l->in, l->in + at, l->nin - at);
	l->nin -= at;
	return true;
}

static void lane_read(struct lane *l)
{
	for (unsigned i = 0; i < READS && l->edge.fd >= 0 && l->readable; i++) {
		long n = sock_read(l->edge.fd, l->in + l->nin, room_in(set) - l->nin); /* never full: a whole frame is shorter, and is taken out */

		if (n == SOCK_AGAIN) {
			l->readable = false;
		} else if (n <= 0) {
			lane_down(l);
		} else {
			l->nin += (size_t)n;
			if (!lane_frames(l))
				return;
		}
	}
}

static void lane_event(struct loop_item *item, unsigned events)
{
	struct lane *l = (struct lane *)(void *)item;

	if (events & LOOP_WRITE) {
		l->writable = true;
		lane_write(l);
	}
	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		l->readable = true;
	lane_read(l);
}

/* ---- modern requests ---- */

/* One end of a new pair goes to the worker. */
static int dial(void *ctx)
{
	struct lane *l = ctx;
	struct elder_inner hello = { ELDER_INNER, 0 };
	int pair[2];

	if (l->packets < 0 || !sock_pair(pair))
		return -1;
	bool sent = pass_send(l->packets, &hello, sizeof hello, pair[1]);
	sock_close(pair[1]);
	if (sent)
		return pair[0];
	sock_close(pair[0]);
	return -1;
}

/* For a question; NULL: there is none. What listens has no end: half of them are left to calls, or as many as there may be of these. */
static struct ask *ask_free(bool listen)
{
	uint32_t all = set->pool.exchanges, calls = set->elder.calls < all / 2 ? set->elder.calls : all / 2, listens = 0;
	struct ask *found = NULL;

	for (uint32_t i = 0; i < all; i++) {
		listens += asks[i].listen;
		if (!found && asks[i].number == 0)
			found = &asks[i];
	}
	return listen && listens >= all - calls ? NULL : found;
}

static bool send_question(void *ctx, const struct elder_question *q)
{
	struct lane *l = lane_of(q->worker);
	struct ask *a = l && l->edge.fd >= 0 && l->packets >= 0 ? ask_free(q->listen) : NULL;
	struct buf *head;

	(void)ctx;
	if (!a)
		return false;
	a->x = exchange_begin(pool, &l->peer, EXCHANGE_POST, a, &head);
	if (!a->x)
		return false;
	a->number = q->number;
	a->scopes = 0;
	a->listen = q->listen;
	http_write_field(head, SPAN("Content-Type"), SPAN("application/json"));
	http_write_field(head, SPAN("Accept"), SPAN("application/json, text/event-stream"));
	http_write_field(head, SPAN("MCP-Protocol-Version"), SPAN("2026-07-28"));
	http_write_field(head, SPAN("Mcp-Method"), q->method);
	if (!span_absent(q->name)) {
		BUF_LIT(head, "Mcp-Name: ");
		http_write_mcp_value(head, q->name);
		BUF_LIT(head, "\r\n");
	}
	http_write_field(head, SPAN("Postern-Identity"), q->identity);
	if (q->call != 0) {
		BUF_LIT(head, "Postern-For: ");
		buf_u64(head, q->call);
		BUF_LIT(head, "\r\n");
	}
	/* A tool is not called twice, whatever becomes of its connection. */
	exchange_send(a->x, q->body, q->listen ? 0 : loop->now_ms + EDGE_CALL_MS, !span_eq(q->method, SPAN("tools/call")));
	return true;
}

static void drop(void *ctx, uint64_t number)
{
	(void)ctx;
	for (uint32_t i = 0; i < set->pool.exchanges; i++)
		if (asks[i].number == number) {
			if (asks[i].x)
				exchange_close(asks[i].x);
			asks[i] = (struct ask){ .number = 0 };
			return;
		}
}

/* 0: it says none. */
static uint64_t scopes_of(struct span s)
{
	const char *dot = s.n > 0 ? memchr(s.p, '.', s.n) : NULL;
	uint64_t high, low;

	if (!dot || !text_u64(span_of(s.p, (size_t)(dot - s.p)), &high) || !text_u64(span_from(s, (size_t)(dot - s.p) + 1), &low) || high > UINT32_MAX || low > UINT32_MAX)
		return 0;
	return high << 32 | low;
}

static void exchange_head(void *ctx, struct exchange *x, const struct http_head *h, bool events)
{
	struct ask *a = exchange_data(x);

	(void)ctx, (void)events;
	a->scopes = h->status == 403 ? scopes_of(exchange_field(h, SPAN("Postern-Scopes"))) : 0;
}

static void exchange_said(void *ctx, struct exchange *x, struct span data, struct span id)
{
	struct ask *a = exchange_data(x);

	(void)ctx;
	(void)id;
	if (data.n > 0)
		elder_message(elder, a->number, data, loop->now_ms);
}

static void exchange_ended(void *ctx, struct exchange *x, enum exchange_end why)
{
	struct ask *a = exchange_data(x);
	uint64_t number = a->number;
	struct span body = why == EXCHANGE_OK ? exchange_body(x) : span_of(NULL, 0);
	int64_t now_ms = loop->now_ms;

	(void)ctx;
	a->x = NULL;
	if (a->scopes != 0)
		elder_lacks(elder, number, a->scopes);
	if (body.n > 0)
		elder_message(elder, number, body, now_ms);
	if (a->number == number) /* else it was dropped meanwhile */
		*a = (struct ask){ .number = 0 };
	elder_over(elder, number, why == EXCHANGE_OK ? SPAN("the reply had none") : exchange_end_text(why), now_ms);
}

/* ---- for the role ---- */

void edge_frames(unsigned worker, int fd)
{
	struct lane *l = &lanes[worker];

	lane_down(l);
	l->edge = (struct loop_item){ lane_event, fd };
	l->readable = l->writable = true;
	if (!loop_add(loop, &l->edge)) {
		sock_close(fd);
		l->edge.fd = -1;
		return;
	}
	elder_worker_joined(elder, worker);
	lane_read(l);
}

void edge_packets(unsigned worker, int fd)
{
	if (lanes[worker].packets >= 0)
		sock_close(lanes[worker].packets);
	lanes[worker].packets = fd;
}

void edge_place(void *mem, struct edge_settings *s, struct loop *on)
{
	char *at = mem;

	set = s;
	loop = on;
	timers_init(&timers, loop->now_ms);
	s->elder.hooks = (struct elder_hooks){ .reply = reply, .stream = stream, .event = event, .end = end, .send = send_question, .drop = drop };
	elder = elder_place(at, &s->elder);
	at += carve_up(elder_need(&s->elder));
	s->pool.loop = loop;
	s->pool.timers = &timers;
	s->pool.hooks = (struct exchange_hooks){ .head = exchange_head, .event = exchange_said, .end = exchange_ended };
	pool = exchange_place(at, &s->pool);
	at += carve_up(exchange_need(&s->pool));
	asks = (struct ask *)(void *)at;
	at += carve_up(s->pool.exchanges * sizeof(struct ask));
	lanes = (struct lane *)(void *)at;
	at += carve_up(s->elder.workers * sizeof(struct lane));
	for (unsigned i = 0; i < s->elder.workers; i++) {
		struct lane *l = &lanes[i];

		l->edge.fd = l->packets = -1;
		l->worker = i;
		l->in = at;
		at += room_in(s);
		l->out = at;
		at += room_out(s);
		l->peer = (struct exchange_peer){ .host = SPAN("postern"), .path = SPAN(INNER_PATH), .connect_ms = 5000, .dial = dial, .dial_ctx = l };
		exchange_peer_start(&l->peer);
	}
}

int edge_turn(void)
{
	int64_t now_ms = loop->now_ms;
	bool more;
	int wait;

	timers_run(&timers, now_ms);
	more = exchange_turn(pool);
	for (unsigned i = 0; i < set->elder.workers; i++) {
		lane_read(&lanes[i]);
		more = more || (lanes[i].edge.fd >= 0 && lanes[i].readable);
	}
	wait = loop_sooner(elder_tick(elder, now_ms), timers_wait(&timers, now_ms));
	return more || exchange_waiting(pool) ? 0 : wait; /* time may have asked something, too */
}
