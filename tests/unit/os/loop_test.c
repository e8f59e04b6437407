/* os/loop.h: what each event means, and that a forgotten item, or one whose slot is used again, never gets an old event. */
#include <unistd.h>

#include "os/loop.h"
#include "os/sock.h"
#include "tap.h"

struct seen {
	struct loop_item item; /* first */
	unsigned events;
	int calls;
	struct seen *forget; /* what its handler forgets */
	struct seen *reuse;  /* what its handler puts in the forgotten one's place */
};

static struct loop loop;

static void on_event(struct loop_item *item, unsigned events)
{
	struct seen *s = (struct seen *)item;

	s->events |= events;
	s->calls++;
	if (s->forget) {
		loop_forget(&loop, &s->forget->item);
		if (s->reuse)
			s->forget->item.event = on_event; /* as a pool does that gives the slot out again at once */
		s->forget = NULL;
	}
}

static void open_pair(struct seen *s, int *peer)
{
	int pair[2];

	if (!sock_pair(pair))
		*peer = -1;
	*s = (struct seen){ .item = { on_event, pair[0] } };
	*peer = pair[1];
}

static void again(struct seen *s)
{
	s->events = 0;
	s->calls = 0;
}

int main(void)
{
	struct seen a, b;
	int pa, pb;
	char c;

	ok(loop_open(&loop), "a loop");
	open_pair(&a, &pa);
	ok(loop_add(&loop, &a.item), "an item");
	ok(loop_wait(&loop, 1000) && a.events == LOOP_WRITE, "an idle socket can be written");
	again(&a);
	ok(loop_wait(&loop, 0) && a.calls == 0, "edge-triggered: said once");
	is_int(sock_write(pa, "x", 1), 1, "the peer writes");
	ok(loop_wait(&loop, 1000) && (a.events & LOOP_READ) && !(a.events & (LOOP_HALF | LOOP_GONE)), "readable");
	again(&a);
	ok(loop_wait(&loop, 0) && a.calls == 0, "said once, read or not");
	is_int(sock_read(a.item.fd, &c, 1), 1, "the byte");
	sock_shut_write(pa);
	ok(loop_wait(&loop, 1000) && (a.events & LOOP_READ) && (a.events & LOOP_HALF) && !(a.events & LOOP_GONE), "the peer's half is closed");
	again(&a);
	sock_close(pa);
	ok(loop_wait(&loop, 1000) && (a.events & LOOP_GONE), "the peer is gone");
	loop_forget(&loop, &a.item);
	ok(a.item.event == NULL, "forgotten");
	sock_close(a.item.fd);

	/* Both are ready in one batch; whichever comes first forgets the other. */
	open_pair(&a, &pa);
	open_pair(&b, &pb);
	loop_add(&loop, &a.item);
	loop_add(&loop, &b.item);
	a.forget = &b;
	b.forget = &a;
	ok(loop_wait(&loop, 1000) && a.calls + b.calls == 1, "an item forgotten in a batch gets nothing from it");
	loop_forget(&loop, a.item.event ? &a.item : &b.item);
	again(&a);
	again(&b);
	a.item.event = b.item.event = on_event;
	loop_add(&loop, &a.item);
	loop_add(&loop, &b.item);
	a.forget = &b;
	b.forget = &a;
	a.reuse = b.reuse = &a;
	ok(loop_wait(&loop, 1000) && a.calls + b.calls == 1, "nor does one whose place is used again");
	sock_close(pa);
	sock_close(pb);
	sock_close(a.item.fd);
	sock_close(b.item.fd);

	open_pair(&a, &pa);
	ok(loop_add_level(&loop, &a.item), "a level-triggered item");
	ok(loop_wait(&loop, 0) && a.calls == 0, "it asks for reading only");
	sock_write(pa, "x", 1);
	ok(loop_wait(&loop, 1000) && loop_wait(&loop, 1000) && a.calls == 2, "said again until it is read");
	ok(loop_pause(&loop, &a.item) && loop_wait(&loop, 0) && a.calls == 2, "paused: nothing");
	ok(loop_resume(&loop, &a.item) && loop_wait(&loop, 1000) && a.calls == 3, "resumed: said again");
	loop_forget(&loop, &a.item);
	ok(!loop_pause(&loop, &a.item), "a forgotten item cannot be paused");
	sock_close(pa);
	sock_close(a.item.fd);
	ok(!loop_add(&loop, &a.item), "a closed descriptor cannot be added");
	{
		int64_t before = loop.now_ms;
		uint64_t turns = loop.turns;

		ok(loop_wait(&loop, 20) && loop.now_ms >= before + 19 && loop.turns == turns + 1, "the clock is read after each wait");
	}
	close(loop.fd);
	ok(!loop_wait(&loop, 0), "a loop that is closed fails");
	return done_testing();
}
