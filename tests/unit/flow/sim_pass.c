#include "unit/flow/sim_pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/pass.h"

struct head {
	uint32_t n;
	int32_t fd;
};

static void die(const char *what)
{
	fprintf(stderr, "sim_pass: %s\n", what);
	abort();
}

static struct sim_conn *of_fd(int fd)
{
	if (fd < SIM_FD || fd >= SIM_FD + SIM_CONNS || !sim.conn[fd - SIM_FD].used || sim.conn[fd - SIM_FD].gate_closed)
		die("a descriptor that is not open");
	return &sim.conn[fd - SIM_FD];
}

static void put(struct sim_bytes *b, const void *p, size_t n)
{
	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2 + 256;
		b->p = realloc(b->p, b->cap);
		if (!b->p)
			die("out of memory");
	}
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

void sim_packet_say(struct sim_conn *c, const void *p, size_t n, int fd)
{
	static char mem[sizeof(struct head) + SIM_PACKET_MAX];
	struct head h = { (uint32_t)n, fd };

	if (n > SIM_PACKET_MAX)
		die("a packet too long for the test");
	memcpy(mem, &h, sizeof h);
	memcpy(mem + sizeof h, p, n);
	sim_say(c, mem, sizeof h + n);
}

size_t sim_packet_take(struct sim_conn *c, void *to, size_t cap)
{
	struct head h;

	if (c->got.n < sizeof h)
		return 0;
	memcpy(&h, c->got.p, sizeof h);
	if (h.n > cap)
		die("a packet longer than expected");
	memcpy(to, c->got.p + sizeof h, h.n);
	sim_took(c, sizeof h + h.n);
	return h.n;
}

/* ---- os/pass.h ---- */

bool pass_send(int end, const void *packet, size_t n, int fd)
{
	struct sim_conn *c = of_fd(end);
	struct head h = { (uint32_t)n, fd };

	if (c->closed || c->reset)
		return false;
	if (c->got.n >= c->window) {
		c->gate_waits = true;
		return false;
	}
	put(&c->got, &h, sizeof h);
	put(&c->got, packet, n);
	return true;
}

long pass_take(int end, void *packet, size_t cap, int *fd)
{
	struct sim_conn *c = of_fd(end);
	struct head h;
	size_t n;

	*fd = -1;
	if (c->in.n == 0)
		return c->fin || c->closed ? PASS_END : PASS_NONE;
	memcpy(&h, c->in.p, sizeof h);
	n = h.n < cap ? h.n : cap;
	memcpy(packet, c->in.p + sizeof h, n);
	memmove(c->in.p, c->in.p + sizeof h + h.n, c->in.n - sizeof h - h.n);
	c->in.n -= sizeof h + h.n;
	*fd = h.fd;
	if (h.n > cap) {
		*fd = -1;
		return PASS_BROKEN;
	}
	return (long)n;
}
