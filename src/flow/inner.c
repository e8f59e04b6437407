/* Inner connections: a process of the house is a client over a socket pair, one end of which came as a packet. */
#include "flow/flow_priv.h"
#include "os/pass.h"
#include "os/sock.h"

enum { IN_A_TURN = 4096 }; /* so many at once are never needed: the process at the other end is broken */

uint32_t inner_count(const struct flow_settings *s)
{
	uint32_t doors = (s->elder ? 1u : 0u) + (s->stdio.kind != IDENTITY_NONE ? 1u : 0u);
	return doors * (s->requests + s->listens);
}

static void close_edge(struct inner_edge *e)
{
	if (!e->up)
		return;
	e->up = false;
	loop_forget(e->f->loop, &e->item);
	sock_close(e->item.fd);
}

static void inner_event(struct loop_item *item, unsigned events)
{
	struct inner_edge *e = (struct inner_edge *)(void *)item;
	struct elder_inner packet;
	(void)events;

	for (unsigned i = 0; e->up; i++) {
		int fd = -1;
		long n = pass_take(e->item.fd, &packet, sizeof packet, &fd);
		if (n == PASS_NONE)
			return;
		bool good = i < IN_A_TURN && n == sizeof packet && packet.type == ELDER_INNER && packet.zero == 0 && fd >= 0;
		if (fd >= 0 && (!good || !front_adopt(e->f, (enum flow_inner)e->kind, fd)))
			sock_close(fd); /* the other end sees it, and asks for another later */
		if (!good)
			close_edge(e);
	}
}

void flow_inner(struct flow *f, enum flow_inner kind, int fd)
{
	struct inner_edge *e = &f->inner[kind];

	close_edge(e);
	*e = (struct inner_edge){ .item = { inner_event, fd }, .f = f, .kind = (uint8_t)kind, .up = true };
	if (!loop_add(f->loop, &e->item))
		close_edge(e);
	else
		inner_event(&e->item, LOOP_READ);
}

bool inner_who(struct txn *t)
{
	struct flow *f = t->f;
	const struct http_head *h = &t->head;

	if (t->front->inner == FLOW_INNER_STDIO) {
		t->who = f->set->stdio;
		return t->who.kind != IDENTITY_NONE;
	}
	return h->count[HTTP_POSTERN_IDENTITY] == 1 && passport_read(h->known[HTTP_POSTERN_IDENTITY], &f->passports, flow_unix(f), &t->who);
}
