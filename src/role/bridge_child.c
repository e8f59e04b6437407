#include "role/bridge_child.h"

#include "base/buf.h"
#include "base/carve.h"
#include "base/pace.h"
#include "os/pass.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/log.h"
#include "role/msg.h"
#include "role/talk.h"

enum { LINES_A_TURN = 64, EXIT_MS = 300 /* how long an end of output waits for the word how it ended */ };

enum child_state {
	CHILD_NONE,
	CHILD_ASKED,     /* RUN has been said */
	CHILD_RUNS,
	CHILD_ENDING     /* STOP has been said, or it has closed its output; the launcher will say when it is gone */
};

struct peer_child {
	struct talk line;
	enum child_state state;
	bool engaged;                /* the engine has started it, and neither stopped it nor heard of its end */
	bool gone;                   /* RUNS: it has ended, what it said may still be here */
	bool failed;                 /* it could not be started: the engine is to be told */
	int64_t over_ms;             /* RUNS: since when its output is at its end; 0: it is not */
	struct proc_end end;
	struct pace pace;
	int64_t quiet_until_ms;      /* pace_owe_loudly() */
};

static struct peer_child *children;
static unsigned nchildren;
static struct loop *loop;
static struct loop_item edge = { NULL, -1 };
static struct bridge *bridge;

static size_t each(size_t in_max, size_t out_max)
{
	return carve_up(in_max + 2 + out_max + 1);
}

size_t child_need(unsigned n, size_t in_max, size_t out_max)
{
	return n * (carve_up(sizeof(struct peer_child)) + each(in_max, out_max));
}

void child_place(void *mem, unsigned n, size_t in_max, size_t out_max, struct loop *l)
{
	char *at = (char *)mem + carve_up(n * sizeof(struct peer_child));

	loop = l;
	children = mem;
	nchildren = n;
	for (unsigned i = 0; i < n; i++, at += each(in_max, out_max)) {
		struct talk *line = &children[i].line;

		line->item.fd = -1;
		line->in = at;
		line->in_cap = in_max + 2;
		line->out = at + in_max + 2;
		line->out_cap = out_max + 1;
	}
}

/* ---- the launcher ---- */

static void edge_close(void)
{
	if (edge.fd < 0)
		return;
	loop_forget(loop, &edge);
	sock_close(edge.fd);
	edge.fd = -1;
	/* The launcher ends what it has started for an edge that is gone. */
	for (unsigned i = 0; i < nchildren; i++) {
		struct peer_child *c = &children[i];

		if (c->state == CHILD_RUNS) {
			c->gone = true;
			c->end = (struct proc_end){ .status = -1 };
		} else if (c->state != CHILD_NONE) {
			c->failed = c->engaged;
			talk_close(&c->line, loop);
			c->state = CHILD_NONE;
		}
	}
}

static bool tell(uint32_t type, unsigned child)
{
	struct msg_child m = { type, child, 0, 0 };

	if (edge.fd >= 0 && !pass_send(edge.fd, &m, sizeof m, -1))
		edge_close();
	return edge.fd >= 0;
}

static void ask(struct peer_child *c)
{
	c->gone = false;
	c->over_ms = 0;
	c->state = CHILD_ASKED;
	if (edge.fd < 0 || !tell(MSG_RUN, (unsigned)(c - children))) {
		c->state = CHILD_NONE;
		c->failed = c->engaged;
	}
}

/* Its input is closed; what it still says is thrown away. */
static void end(struct peer_child *c)
{
	if (c->line.item.fd >= 0)
		sock_shut_write(c->line.item.fd);
	c->state = CHILD_ENDING;
	(void)tell(MSG_STOP, (unsigned)(c - children));
}

static void ran(struct peer_child *c, int fd)
{
	if (fd < 0) {
		c->state = CHILD_NONE;
		c->failed = c->engaged;
		return;
	}
	c->state = CHILD_RUNS;
	c->pace = (struct pace){ 0 };
	if (!talk_open(&c->line, loop, fd) || !c->engaged) {
		end(c); /* and is started again if it is still wanted */
	} else {
		bridge_peer_up(bridge, (unsigned)(c - children));
	}
}

static void exited(struct peer_child *c, const struct msg_child *m)
{
	c->end = (struct proc_end){ 0, m->status, m->signal };
	if (c->state == CHILD_RUNS) {
		c->gone = true;
		c->line.readable = true;
		return;
	}
	talk_close(&c->line, loop);
	c->state = CHILD_NONE;
	if (c->engaged)
		ask(c);
}

static void on_edge(struct loop_item *item, unsigned events)
{
	(void)events;
	while (item->fd >= 0) {
		struct msg_child m;
		int fd;
		long n = pass_take(item->fd, &m, sizeof m, &fd);
		bool right = n == (long)sizeof m && m.child < nchildren;

		if (n == PASS_NONE)
			return;
		if (right && m.type == MSG_RAN && children[m.child].state == CHILD_ASKED) {
			ran(&children[m.child], fd);
			continue;
		}
		if (fd >= 0)
			sock_close(fd);
		if (right && m.type == MSG_EXITED && (children[m.child].state == CHILD_RUNS || children[m.child].state == CHILD_ENDING))
			exited(&children[m.child], &m);
		else
			edge_close();
	}
}

void child_link(struct bridge *b, int fd)
{
	edge_close();
	bridge = b;
	edge = (struct loop_item){ on_edge, fd };
	if (!loop_add(loop, &edge)) {
		sock_close(fd);
		edge.fd = -1;
	}
}

/* ---- the engine ---- */

bool child_say(void *ctx, unsigned peer, const struct bridge_out *out)
{
	struct peer_child *c = &children[peer];

	(void)ctx;
	return c->state == CHILD_RUNS && !c->gone && talk_put(&c->line, out->message);
}

void child_start_peer(void *ctx, unsigned peer)
{
	struct peer_child *c = &children[peer];

	(void)ctx;
	c->engaged = true;
	if (c->state == CHILD_NONE)
		ask(c); /* else when the last one is gone; one that has been asked for and not come yet will do */
}

void child_stop_peer(void *ctx, unsigned peer)
{
	struct peer_child *c = &children[peer];

	(void)ctx;
	c->failed = c->engaged = false;
	if (c->state == CHILD_RUNS && c->gone) {
		talk_close(&c->line, loop);
		c->state = CHILD_NONE;
	} else if (c->state == CHILD_RUNS) {
		end(c);
	}
}

static void down(struct bridge *b, struct peer_child *c, struct span why)
{
	unsigned peer = (unsigned)(c - children);
	char mem[128];
	struct buf text = buf_on(mem, sizeof mem);

	c->engaged = false;
	if (!c->gone) {
		end(c);
		bridge_peer_down(b, peer, why);
		return;
	}
	talk_close(&c->line, loop);
	c->state = CHILD_NONE;
	if (c->end.status < 0 && c->end.signal == 0) {
		bridge_peer_down(b, peer, SPAN("ended with the launcher"));
		return;
	}
	BUF_LIT(&text, "ended: ");
	proc_end_write(&text, &c->end);
	bridge_peer_down(b, peer, buf_span(&text));
}

/* Its output is at its end. */
static int over(struct bridge *b, struct peer_child *c)
{
	if (c->over_ms == 0)
		c->over_ms = loop->now_ms;
	if (!c->gone && loop->now_ms - c->over_ms < EXIT_MS)
		return (int)(c->over_ms + EXIT_MS - loop->now_ms);
	down(b, c, SPAN("closed its standard output"));
	return -1;
}

/* What has passed since `passed`. */
static void weigh(struct peer_child *c, uint64_t passed, bool answered)
{
	pace_note(&c->pace, (size_t)(c->line.passed - passed));
	if (answered)
		pace_forgive(&c->pace);
	else if (c->line.passed != passed && pace_owe_loudly(&c->pace, &c->quiet_until_ms, loop->now_ms))
		log_line(LOG_WARN, SPAN("the program says much that answers nobody: it is listened to more slowly"));
}

/* How long there is time until it must be heard again, in ms; -1: until there is an event. */
static int hear(struct bridge *b, struct peer_child *c, bool (*room)(void))
{
	unsigned peer = (unsigned)(c - children);

	for (unsigned n = 0; n < LINES_A_TURN; n++) {
		uint64_t passed = c->line.passed, answers = bridge_counted(b)->answers;
		int wait_ms = pace_wait_ms(&c->pace, loop->now_ms);
		enum talk_got got;
		struct span line, tail;
		bool may;

		if (c->state != CHILD_RUNS)
			return -1;
		may = room();
		if (c->line.readable || wait_ms > 0 || !may) /* it is not silent, whether it is listened to or not */
			bridge_peer_heard(b, peer);
		if (!may)
			return -1;
		if (wait_ms > 0 && !c->gone)
			return wait_ms;
		got = talk_next(&c->line, &line, &tail);
		if (got == TALK_GOT)
			bridge_peer_line(b, peer, 0, line);
		else if (got == TALK_LONG)
			bridge_peer_long(b, peer, 0, line, tail);
		weigh(c, passed, bridge_counted(b)->answers != answers);
		switch (got) {
		case TALK_GOT:
		case TALK_LONG:
			break;
		case TALK_NOTHING:
			if (c->line.readable)
				return 0;
			if (c->gone) /* a descendant of it may still hold the other end */
				down(b, c, SPAN(""));
			return -1;
		case TALK_END:
			return over(b, c);
		}
	}
	return 0;
}

/* What is said by one that is to end goes nowhere, but must go, or it could not end. */
static bool drained(struct peer_child *c)
{
	struct span line, tail;

	for (unsigned n = 0; n < LINES_A_TURN; n++)
		if (talk_next(&c->line, &line, &tail) > TALK_LONG)
			return !c->line.readable || c->line.over;
	return false;
}

int child_turn(struct bridge *b, bool (*room)(void))
{
	int wait_ms = -1;

	for (unsigned i = 0; i < nchildren; i++) {
		struct peer_child *c = &children[i];

		if (c->failed) {
			c->failed = c->engaged = false;
			bridge_peer_down(b, i, SPAN("cannot be started"));
		}
		if (c->state == CHILD_RUNS && (c->line.readable || c->line.in_n > c->line.in_from || c->gone || c->line.over))
			wait_ms = loop_sooner(wait_ms, hear(b, c, room));
		if (c->state == CHILD_ENDING && c->line.item.fd >= 0 && !drained(c))
			wait_ms = 0;
	}
	return wait_ms;
}

void child_flush(void)
{
	for (unsigned i = 0; i < nchildren; i++)
		talk_flush(&children[i].line, loop->now_ms);
}
