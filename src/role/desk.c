#include "role/desk.h"

#include "os/proc.h"
#include "os/sock.h"
#include "role/desk_page.h"
#include "role/log.h"

enum slot_state { SLOT_FREE, SLOT_HEAD, SLOT_ANSWER, SLOT_LINGER };

struct slot {
	struct loop_item item;   /* first member: events find the slot by it */
	enum slot_state state;
	int64_t until_ms;
	size_t in_n, scanned;
	size_t sent;
	struct buf out;
	char in[DESK_HEAD_MAX];
	char answer[DESK_ANSWER_MAX];
};

struct desk {
	struct slot slots[DESK_SLOTS];
};

static struct desk *desk;
static struct entry *self;
static struct loop_item listener;
static bool paused;
static struct msg_state state;
static struct desk_view view;
static enum phase phase = PHASE_STARTING;

size_t desk_need(void) { return sizeof(struct desk); }

static void end(struct slot *s)
{
	loop_forget(&self->loop, &s->item);
	sock_close(s->item.fd);
	s->state = SLOT_FREE;
	if (paused && phase == PHASE_SERVING)
		paused = !loop_resume(&self->loop, &listener);
}

/* The answer is out: our side is closed first, and what the peer still sends is read away, so that no reset overtakes the answer. */
static void linger(struct slot *s)
{
	char away[512];
	long n;

	for (unsigned i = 0; i < 64; i++) {
		n = sock_read(s->item.fd, away, sizeof away);
		if (n == SOCK_AGAIN)
			return;
		if (n <= 0)
			break;
	}
	end(s); /* the end, an error, or a peer that talks on and on */
}

static void send_answer(struct slot *s)
{
	while (s->sent < s->out.n) {
		long n = sock_write(s->item.fd, s->out.p + s->sent, s->out.n - s->sent);

		if (n == SOCK_AGAIN)
			return;
		if (n <= 0) {
			end(s);
			return;
		}
		s->sent += (size_t)n;
	}
	sock_shut_write(s->item.fd);
	s->state = SLOT_LINGER;
	linger(s);
}

static void read_head(struct slot *s)
{
	for (;;) {
		size_t head = http_head_end(s->in, s->in_n, &s->scanned);
		long n;

		if (head > 0) {
			desk_answer(&s->out, &view, span_of(s->in, head));
			break;
		}
		if (s->in_n == sizeof s->in) {
			desk_refuse(&s->out, 431, SPAN("the request head is too long\n"));
			break;
		}
		n = sock_read(s->item.fd, s->in + s->in_n, sizeof s->in - s->in_n);
		if (n == SOCK_AGAIN)
			return;
		if (n <= 0) {
			end(s);
			return;
		}
		s->in_n += (size_t)n;
	}
	s->state = SLOT_ANSWER;
	send_answer(s);
}

static void on_slot(struct loop_item *item, unsigned events)
{
	struct slot *s = (struct slot *)item;

	if (events & LOOP_GONE)
		end(s);
	else if (s->state == SLOT_HEAD)
		read_head(s);
	else if (s->state == SLOT_ANSWER)
		send_answer(s);
	else if (s->state == SLOT_LINGER)
		linger(s);
}

/* A free slot; or the one that has been silent longest gives way, so that idle connections never keep a probe out. NULL: all are being
 * answered. */
static struct slot *take_slot(void)
{
	struct slot *oldest = NULL;

	for (unsigned i = 0; i < DESK_SLOTS; i++) {
		struct slot *s = &desk->slots[i];

		if (s->state == SLOT_FREE)
			return s;
		if (s->state != SLOT_ANSWER && (!oldest || s->until_ms < oldest->until_ms))
			oldest = s;
	}
	if (oldest)
		end(oldest);
	return oldest;
}

static void on_listener(struct loop_item *item, unsigned events)
{
	struct slot *s = take_slot();
	int fd;

	(void)events;
	if (!s) {
		paused = loop_pause(&self->loop, item);
		return;
	}
	fd = sock_accept(item->fd);
	if (fd < 0)
		return; /* level-triggered: the next is announced again */
	s->item = (struct loop_item){ on_slot, fd };
	s->state = SLOT_HEAD;
	s->until_ms = self->loop.now_ms + DESK_WAIT_MS;
	s->in_n = s->scanned = s->sent = 0;
	s->out = buf_on(s->answer, sizeof s->answer);
	if (!loop_add(&self->loop, &s->item)) {
		sock_close(fd);
		s->state = SLOT_FREE;
	}
}

/* Those that are here are answered; who comes now is the next desk's, by the same listener. */
static void drain(uint32_t grace_ms)
{
	int64_t until_ms = self->loop.now_ms + grace_ms;

	if (phase == PHASE_SERVING)
		loop_forget(&self->loop, &listener);
	phase = PHASE_DRAINING;
	for (unsigned i = 0; i < DESK_SLOTS; i++)
		if (desk->slots[i].until_ms > until_ms)
			desk->slots[i].until_ms = until_ms;
}

static void handle(const union msg *m, int fd)
{
	(void)fd; /* -1: no message of its brings one */
	switch (m->type) {
	case MSG_START:
		if (!loop_add_level(&self->loop, &listener)) {
			log_line(LOG_ERROR, SPAN("cannot watch its listener"));
			proc_exit(ENTRY_EXIT_WALLS);
		}
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_STATE:
		state = m->state;
		break;
	case MSG_DRAIN:
		drain(m->drain.grace_ms);
		break;
	}
}

/* Ends what took too long, and when draining the process with its last connection; returns how long to wait for the next. */
static int tick(void)
{
	int64_t next = -1;

	for (unsigned i = 0; i < DESK_SLOTS; i++) {
		struct slot *s = &desk->slots[i];

		if (s->state == SLOT_FREE)
			continue;
		if (s->until_ms <= self->loop.now_ms)
			end(s);
		else if (next < 0 || s->until_ms - self->loop.now_ms < next)
			next = s->until_ms - self->loop.now_ms;
	}
	if (next < 0 && phase == PHASE_DRAINING)
		proc_exit(0);
	return (int)next;
}

void desk_run(struct desk_start *d)
{
	struct entry *e = d->entry;
	int wait_ms = 0;

	e->keep[e->nkeep++] = &d->listener;
	e->list = &seccomp_desk;
	e->need = desk_need();
	e->files = DESK_SLOTS + 1;
	role_enter(e);

	self = e;
	desk = e->memory;
	view = (struct desk_view){ .host = { .address = d->bound }, .state = &state, .blocks = d->blocks, .nblocks = d->nblocks,
		.own = d->own, .nown = d->nown, .servers = d->servers, .nservers = d->nservers };
	listener = (struct loop_item){ on_listener, d->listener };
	if (!role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot watch its channel"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, wait_ms))
		wait_ms = tick();
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
