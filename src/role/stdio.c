#include "role/stdio.h"

#include "base/carve.h"
#include "flow/door.h"
#include "flow/elder_msg.h"
#include "os/file.h"
#include "os/pass.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/log.h"

static struct door *door;
static const struct entry *self;
static struct loop *loop;
static enum phase phase = PHASE_STARTING;
static int worker = -1;          /* takes the inner connections */
static int out;
static struct {
	struct loop_item item;       /* first */
	char *p;
	size_t n, from, scanned, cap; /* bytes p[from .. n); the first `scanned` of them hold no newline */
	bool pollable, watched;      /* epoll does not take plain files, which can always be read */
	bool readable, ended;
	bool skipping;               /* in a line that is too long */
	int64_t until_ms;            /* it has ended, and there is no worker for what it said: how long one is waited for; 0: not so */
} in;

static void say(void *ctx, struct span line)
{
	(void)ctx;
	if (!file_write(out, line)) {
		log_line(LOG_INFO, SPAN("the client reads no more"));
		proc_exit(0);
	}
}

/* The other end of a new pair becomes the worker's. */
static int dial(void *ctx)
{
	static const struct elder_inner packet = { ELDER_INNER, 0 };
	int pair[2];
	bool sent;

	(void)ctx;
	if (worker < 0 || !sock_pair(pair))
		return -1;
	sent = pass_send(worker, &packet, sizeof packet, pair[1]);
	sock_close(pair[1]);
	if (sent)
		return pair[0];
	sock_close(pair[0]);
	sock_close(worker); /* it has died: the next one comes with a link of its own */
	worker = -1;
	return -1;
}

/* ---- lines ---- */

static void read_some(void)
{
	long n;

	if (in.from > 0) {
		memmove(in.p, in.p + in.from, in.n - in.from);
		in.n -= in.from;
		in.from = 0;
	}
	n = in.n == in.cap ? FILE_LATER : file_take(in.item.fd, in.p + in.n, in.cap - in.n);
	in.readable = false;
	if (n > 0)
		in.n += (size_t)n;
	else if (n != FILE_LATER)
		in.ended = true;
}

static void on_input(struct loop_item *item, unsigned events)
{
	(void)item;
	(void)events;
	in.readable = true;
}

/* The next line goes to the door. False: there is none, or it may not have it yet. */
static bool feed(void)
{
	struct span rest = span_of(in.p + in.from, in.n - in.from);
	const char *nl = memchr(rest.p + in.scanned, '\n', rest.n - in.scanned);

	if (worker < 0 || !door_ready(door))
		return false;
	if (!nl && rest.n == in.cap) {
		in.skipping = true;
		in.from = in.n = in.scanned = 0;
		return false;
	}
	if (!nl && !(in.ended && (rest.n > 0 || in.skipping))) {
		in.scanned = rest.n;
		return false;
	}
	rest.n = nl ? (size_t)(nl - rest.p) : rest.n;
	in.from += rest.n + (nl != NULL);
	in.scanned = 0;
	if (in.skipping)
		door_long_line(door);
	else
		door_line(door, rest);
	in.skipping = false;
	return true;
}

/* One read at most: level-triggered, so what is left comes again, and an input that never ends stops nothing else. */
static bool more(void)
{
	if (feed())
		return true;
	if (in.ended || worker < 0 || !(in.readable || !in.pollable) || in.n - in.from == in.cap)
		return false;
	read_some();
	return feed();
}

/* How long to wait at most. A client that has left is no reason to wait for a worker that does not come. */
static int patience(int wait_ms, int64_t grace_ms)
{
	if (!in.ended || worker >= 0) {
		in.until_ms = 0;
		return wait_ms;
	}
	if (in.until_ms == 0)
		in.until_ms = loop->now_ms + grace_ms;
	if (loop->now_ms >= in.until_ms) {
		log_line(LOG_ERROR, SPAN("the client has left, and no worker comes to answer what it asked"));
		proc_exit(1);
	}
	return wait_ms < 0 || in.until_ms - loop->now_ms < wait_ms ? (int)(in.until_ms - loop->now_ms) : wait_ms;
}

/* The input is watched only while there is room for more and it has not ended: epoll would report it again and again. */
static void watch_input(void)
{
	bool watch = !in.ended && worker >= 0 && in.n - in.from < in.cap;

	if (!in.pollable || watch == in.watched)
		return;
	in.watched = watch;
	if (!watch) {
		loop_forget(loop, &in.item);
		return;
	}
	in.item.event = on_input;
	if (!loop_add_level(loop, &in.item))
		in.pollable = false;
}

/* ---- the parent ---- */

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_INNER:
		if (m->link.of != ROLE_WORKER || m->link.peer != 0)
			role_end("a link from a worker that is not there");
		if (worker >= 0)
			sock_close(worker);
		worker = fd;
		break;
	case MSG_DRAIN: /* the worker is gone: there is nobody to ask */
		proc_exit(0);
	}
}

static struct door_settings settings_of(const struct conf *c)
{
	return (struct door_settings){ .requests = c->memory.requests, .listens = c->memory.listens, .large = c->memory.large, .tokens = c->memory.tokens,
		.line_max = c->memory.body, .reply_max = c->memory.reply, .grace_ms = c->timeouts.drain_ms,
		.hooks = { .say = say, .dial = dial, .log = log_flow } };
}

size_t stdio_need(const struct conf *c)
{
	struct door_settings d = settings_of(c);

	return carve_up(door_need(&d));
}

size_t stdio_line_need(const struct conf *c) { return (size_t)c->memory.body + 1; }

void stdio_run(struct stdio_start *s)
{
	struct entry *e = s->entry;
	struct door_settings settings = settings_of(s->conf);
	size_t need = stdio_need(s->conf);
	int wait_ms = 0;

	memcpy(settings.seed, s->seed, sizeof settings.seed);
	in.cap = stdio_line_need(s->conf);
	e->keep[e->nkeep++] = &s->in;
	e->keep[e->nkeep++] = &s->out;
	e->written = &s->out;
	e->list = &seccomp_stdio;
	e->need = need + in.cap;
	e->files = 2 * (settings.requests + settings.listens) + 32; /* both ends of a pair, for a moment */
	role_enter(e);

	self = e;
	loop = &e->loop;
	out = s->out;
	in.p = (char *)e->memory + need;
	in.item = (struct loop_item){ on_input, s->in };
	in.pollable = true; /* until we hear otherwise */
	door = door_place(e->memory, &settings, loop);
	if (!door || !role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot lay out its memory"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(loop, wait_ms)) {
		do
			wait_ms = door_tick(door);
		while (more());
		if (in.ended && in.n == in.from && !in.skipping && door_ready(door)) {
			door_end(door);
			wait_ms = 0;
		}
		watch_input();
		if (door_over(door))
			proc_exit(0);
		if (!in.pollable && !in.ended && worker >= 0 && door_ready(door))
			wait_ms = 0;
		wait_ms = patience(wait_ms, settings.grace_ms);
	}
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
