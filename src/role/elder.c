#include "role/elder.h"

#include "base/text.h"
#include "flow/elder_msg.h"
#include "flow/exchange.h"
#include "os/clock.h"
#include "os/pass.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/log.h"
#include "wire/http_write.h"

enum {
	GROWTH = 32768,            /* a worker reads frames that are so much longer than a reply */
	SMALL_ROOM = 65536,        /* kept free in an edge's buffer for frames without a text */
	EXCHANGES_MAX = 1024, LARGES_MAX = 64,
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
struct ask { uint64_t number, scopes; struct exchange *x; };

static struct elder_settings settings;
static struct elder *elder;
static struct exchange_settings pool_settings;
static struct exchange_pool *pool;
static struct timers timers;
static struct lane *lanes;
static struct ask *asks;
static size_t in_cap, out_cap;
static const struct entry *self;
static enum phase phase = PHASE_STARTING;

/* ---- settings ---- */

static size_t align64(size_t n) { return (n + 63) & ~(size_t)63; }
static unsigned worker_count(const struct conf *c) { return c->workers ? c->workers : proc_cores(); }

void elder_from(const struct conf *c, struct elder_settings *s)
{
	uint64_t calls = (uint64_t)worker_count(c) * ((c->memory.requests + 1) / 2);

	memset(s, 0, sizeof *s);
	s->version = SPAN(POSTERN_VERSION);
	s->workers = worker_count(c);
	s->sessions = ELDER_SESSIONS;
	s->sessions_each = ELDER_SESSIONS_EACH;
	s->calls = calls < EXCHANGES_MAX ? (uint32_t)calls : EXCHANGES_MAX;
	s->body_max = c->memory.body;
	s->reply_max = c->memory.reply;
	s->kept = ELDER_KEPT + (s->calls * s->body_max < ELDER_BODIES_MAX ? s->calls * s->body_max : ELDER_BODIES_MAX);
	s->kept_each = ELDER_KEPT_EACH;
	s->tokens = c->memory.tokens;
	s->idle_ms = ELDER_IDLE_MS;
}

static void pool_from(const struct conf *c, struct exchange_settings *s)
{
	uint64_t n = (uint64_t)worker_count(c) * ((c->memory.requests + 1) / 2 + c->memory.listens);

	memset(s, 0, sizeof *s);
	s->exchanges = n < EXCHANGES_MAX ? (uint32_t)n : EXCHANGES_MAX;
	s->larges = c->memory.large < LARGES_MAX ? c->memory.large : LARGES_MAX;
	s->request_max = (uint32_t)c->memory.body + EXCHANGE_SMALL;
	s->reply_max = (uint32_t)c->memory.reply + ELDER_GROWTH;
}

static size_t edge_in(const struct conf *c) { return align64(c->memory.body + 2 * ELDER_FRAME_ROOM); }
static size_t edge_out(const struct conf *c) { return align64(2 * (c->memory.reply + GROWTH) + SMALL_ROOM); }

void elder_role_budget(const struct conf *c, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to)
{
	struct elder_settings s;
	struct exchange_settings x;

	elder_from(c, &s);
	pool_from(c, &x);
	elder_budget(&s, row, to);
	row(to, SPAN("requests to workers"), align64(exchange_need(&x)), 1);
	row(to, SPAN("edges to workers"), sizeof(struct lane) + edge_in(c) + edge_out(c), s.workers);
}

size_t elder_role_need(const struct conf *c)
{
	struct elder_settings s;
	struct exchange_settings x;

	elder_from(c, &s);
	pool_from(c, &x);
	return align64(elder_need(&s)) + align64(exchange_need(&x)) + align64(x.exchanges * sizeof(struct ask)) + align64(s.workers * sizeof(struct lane)) +
		s.workers * (edge_in(c) + edge_out(c));
}

unsigned elder_files(const struct conf *c)
{
	struct exchange_settings x;

	pool_from(c, &x);
	return x.exchanges + 4 * worker_count(c) + 8; /* two edges, which come before those they replace are closed; the far end of a new pair */
}

/* ---- the edge of frames ---- */

static void lane_down(struct lane *l)
{
	if (l->edge.fd < 0)
		return;
	loop_forget(pool_settings.loop, &l->edge);
	sock_close(l->edge.fd);
	l->edge.fd = -1;
	l->nin = l->nout = l->from = 0;
	elder_worker_lost(elder, l->worker, pool_settings.loop->now_ms);
}

static void lane_write(struct lane *l)
{
	while (l->writable && l->from < l->nout) {
		long n = sock_write(l->edge.fd, l->out + l->from, l->nout - l->from);

		if (n < 0)
			l->writable = false; /* an end shows on the reading side */
		else
			l->from += (size_t)n;
	}
	if (l->from == l->nout)
		l->from = l->nout = 0;
}

/* False: there is no room for it. Small ones have room of their own. */
static bool lane_put(struct lane *l, const struct elder_msg *m)
{
	size_t size = elder_msg_size(m), cap = out_cap - (m->body.n > 0 ? SMALL_ROOM : 0);
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
	b = buf_on(l->out + l->nout, out_cap - l->nout);
	elder_msg_write(&b, m);
	if (b.full)
		return false;
	l->nout += b.n;
	lane_write(l);
	return true;
}

static struct lane *lane_of(unsigned worker) { return worker < settings.workers ? &lanes[worker] : NULL; }

static void say(unsigned worker, const struct elder_msg *m)
{
	struct lane *l = lane_of(worker);
	struct elder_msg less = { .type = m->type, .call = m->call, .status = 503, .again = true };

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
	int64_t now_ms = pool_settings.loop->now_ms;

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

	while (l->edge.fd >= 0 && (taken = elder_msg_read(&m, span_of(l->in + at, l->nin - at), true, settings.body_max, &used, &why)) != ELDER_MORE) {
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
		long n = sock_read(l->edge.fd, l->in + l->nin, in_cap - l->nin); /* never full: a whole frame is shorter, and is taken out */

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

static struct ask *ask_free(void)
{
	for (uint32_t i = 0; i < pool_settings.exchanges; i++)
		if (asks[i].number == 0)
			return &asks[i];
	return NULL;
}

static bool send_question(void *ctx, const struct elder_question *q)
{
	struct lane *l = lane_of(q->worker);
	struct ask *a = l && l->edge.fd >= 0 && l->packets >= 0 ? ask_free() : NULL;
	struct buf *head;

	(void)ctx;
	if (!a)
		return false;
	a->x = exchange_begin(pool, &l->peer, EXCHANGE_POST, a, &head);
	if (!a->x)
		return false;
	a->number = q->number;
	a->scopes = 0;
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
	/* A tool is not called twice, whatever becomes of its connection. */
	exchange_send(a->x, q->body, q->listen ? 0 : pool_settings.loop->now_ms + ELDER_CALL_MS, !span_eq(q->method, SPAN("tools/call")));
	return true;
}

static void drop(void *ctx, uint64_t number)
{
	(void)ctx;
	for (uint32_t i = 0; i < pool_settings.exchanges; i++)
		if (asks[i].number == number) {
			if (asks[i].x)
				exchange_close(asks[i].x);
			asks[i] = (struct ask){ .number = 0 };
			return;
		}
}

static void exchange_head(void *ctx, struct exchange *x, const struct http_head *h, bool events)
{
	struct ask *a = exchange_data(x);

	(void)ctx, (void)events;
	if (h->status != 403 || !text_u64(exchange_field(h, SPAN("Postern-Scopes")), &a->scopes))
		a->scopes = 0;
}

static void exchange_said(void *ctx, struct exchange *x, struct span data, struct span id)
{
	struct ask *a = exchange_data(x);

	(void)ctx;
	(void)id;
	if (data.n > 0)
		elder_message(elder, a->number, data, pool_settings.loop->now_ms);
}

static void exchange_ended(void *ctx, struct exchange *x, enum exchange_end why)
{
	struct ask *a = exchange_data(x);
	uint64_t number = a->number;
	struct span body = why == EXCHANGE_OK ? exchange_body(x) : span_of(NULL, 0);
	int64_t now_ms = pool_settings.loop->now_ms;

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

/* ---- the role ---- */

static void frames(unsigned worker, int fd)
{
	struct lane *l = &lanes[worker];

	lane_down(l);
	l->edge = (struct loop_item){ lane_event, fd };
	l->readable = l->writable = true;
	if (!loop_add(pool_settings.loop, &l->edge)) {
		sock_close(fd);
		l->edge.fd = -1;
		return;
	}
	elder_worker_joined(elder, worker);
	lane_read(l);
}

static void packets(unsigned worker, int fd)
{
	if (lanes[worker].packets >= 0)
		sock_close(lanes[worker].packets);
	lanes[worker].packets = fd;
}

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_LINK:
	case MSG_INNER:
		if (m->link.of != ROLE_WORKER || m->link.peer >= settings.workers)
			role_end("an edge to a role that has nothing to do with it");
		if (m->type == MSG_LINK)
			frames(m->link.peer, fd);
		else
			packets(m->link.peer, fd);
		break;
	case MSG_DRAIN: /* the workers are gone, and with them all clients */
		proc_exit(0);
	}
}

static void lay_out(const struct conf *c, char *at, struct loop *loop)
{
	elder = elder_place(at, &settings);
	at += align64(elder_need(&settings));
	pool_settings.loop = loop;
	pool_settings.timers = &timers;
	pool_settings.hooks = (struct exchange_hooks){ .head = exchange_head, .event = exchange_said, .end = exchange_ended };
	pool = exchange_place(at, &pool_settings);
	at += align64(exchange_need(&pool_settings));
	asks = (struct ask *)(void *)at;
	at += align64(pool_settings.exchanges * sizeof(struct ask));
	lanes = (struct lane *)(void *)at;
	at += align64(settings.workers * sizeof(struct lane));
	in_cap = edge_in(c);
	out_cap = edge_out(c);
	for (unsigned i = 0; i < settings.workers; i++) {
		struct lane *l = &lanes[i];

		l->edge.fd = l->packets = -1;
		l->worker = i;
		l->in = at;
		at += in_cap;
		l->out = at;
		at += out_cap;
		l->peer = (struct exchange_peer){ .host = SPAN("postern"), .path = SPAN(INNER_PATH), .connect_ms = 5000, .dial = dial, .dial_ctx = l };
		exchange_peer_start(&l->peer);
	}
}

static int turn(void)
{
	int64_t now_ms = pool_settings.loop->now_ms;
	bool more;
	int wait, other;

	timers_run(&timers, now_ms);
	more = exchange_turn(pool);
	for (unsigned i = 0; i < settings.workers; i++) {
		lane_read(&lanes[i]);
		more = more || (lanes[i].edge.fd >= 0 && lanes[i].readable);
	}
	wait = elder_tick(elder, now_ms);
	other = timers_wait(&timers, now_ms);
	if (other >= 0 && (wait < 0 || other < wait))
		wait = other;
	return more ? 0 : wait;
}

void elder_run(struct elder_start *p)
{
	struct entry *e = p->entry;
	int wait_ms = 0;

	elder_from(p->conf, &settings);
	pool_from(p->conf, &pool_settings);
	settings.hooks = (struct elder_hooks){ .reply = reply, .stream = stream, .event = event, .end = end, .send = send_question, .drop = drop };
	if (!clock_random(settings.entropy, sizeof settings.entropy) || !clock_random(settings.seed, sizeof settings.seed)) {
		log_line(LOG_ERROR, SPAN("no random bytes"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	e->list = &seccomp_elder;
	e->need = elder_role_need(p->conf);
	e->files = elder_files(p->conf);
	role_enter(e);

	self = e;
	timers_init(&timers, e->loop.now_ms);
	lay_out(p->conf, e->memory, &e->loop);
	crypto_wipe(settings.entropy, sizeof settings.entropy);
	if (!role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot watch its channel"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, wait_ms))
		wait_ms = turn();
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
