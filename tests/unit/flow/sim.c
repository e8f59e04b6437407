#include "unit/flow/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/sock.h"
#include "unit/flow/sim_tls.h"

struct sim sim;

uint32_t sim_roll(uint32_t sides)
{
	sim.dice ^= sim.dice << 13;
	sim.dice ^= sim.dice >> 7;
	sim.dice ^= sim.dice << 17;
	return sides ? (uint32_t)((sim.dice >> 16) % sides) : 0;
}

static bool chance(uint32_t in) { return sim.rough && sim_roll(in) == 0; }

void sim_begin(uint64_t seed, bool rough)
{
	sim_end();
	sim.dice = seed * 0x9e3779b97f4a7c15u + 0x1234567;
	sim.now_ms = 1000000;
	sim.rough = rough;
	for (int i = 0; i < 8; i++)
		(void)sim_roll(2);
}

void sim_end(void)
{
	for (unsigned i = 0; i < sim.top; i++) {
		free(sim.conn[i].in.p);
		free(sim.conn[i].got.p);
		free(sim.conn[i].wire.p);
		sim_tls_free(&sim.conn[i]);
	}
	memset(sim.conn, 0, sim.top * sizeof sim.conn[0]);
	memset(&sim, 0, offsetof(struct sim, conn));
}

static void die(const char *what)
{
	fprintf(stderr, "sim: %s\n", what);
	abort();
}

void sim_bytes_put(struct sim_bytes *b, const void *p, size_t n)
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

void sim_bytes_drop(struct sim_bytes *b, size_t n)
{
	if (n > 0)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

static struct sim_conn *of_fd(int fd)
{
	if (fd < SIM_FD || fd >= SIM_FD + SIM_CONNS || !sim.conn[fd - SIM_FD].used)
		die("a descriptor that is not open");
	struct sim_conn *c = &sim.conn[fd - SIM_FD];
	if (c->gate_closed)
		die("a descriptor used after its close");
	return c;
}

static struct sim_conn *new_conn(int *fd)
{
	for (int i = 0; i < SIM_CONNS; i++)
		if (!sim.conn[i].used) {
			struct sim_conn *c = &sim.conn[i];
			if ((unsigned)i >= sim.top)
				sim.top = (unsigned)i + 1;
			*c = (struct sim_conn){ .used = true, .window = sim.rough ? 1 + sim_roll(sim_roll(2) ? 300 : 40000) : 1 << 20, .server = -1 };
			*fd = SIM_FD + i;
			return c;
		}
	return NULL;
}

struct sim_conn *sim_client(void)
{
	int fd;
	struct sim_conn *c = new_conn(&fd);
	if (c)
		sim.backlog[sim.nbacklog++] = fd;
	return c;
}

int sim_pair(int server, struct sim_conn **peer)
{
	int fd;
	*peer = new_conn(&fd);
	if (!*peer)
		die("no connection left for a line");
	(*peer)->server = server;
	(*peer)->accepted = true;
	return fd;
}

/* ---- the script's side ---- */

void sim_raw_say(struct sim_conn *c, const void *p, size_t n)
{
	if (c->fin || c->closed || c->reset || n == 0)
		return;
	if (c->gate_closed) { /* a segment to a closed socket is answered by a reset */
		c->reset = true;
		return;
	}
	sim_bytes_put(&c->in, p, n);
	c->pending |= LOOP_READ;
}

void sim_say(struct sim_conn *c, const void *p, size_t n)
{
	if (c->tls && n > 0 && !c->fin && !c->closed && !c->reset)
		sim_tls_say(c, p, n);
	else if (!c->tls)
		sim_raw_say(c, p, n);
}

static size_t unread(const struct sim_conn *c) { return c->got.n + c->wire.n; }

static void has_room(struct sim_conn *c)
{
	if (c->gate_waits && unread(c) < c->window) {
		c->gate_waits = false;
		c->pending |= LOOP_WRITE;
	}
}

void sim_took(struct sim_conn *c, size_t n)
{
	sim_bytes_drop(&c->got, n);
	has_room(c);
}

void sim_wire_took(struct sim_conn *c, size_t n)
{
	sim_bytes_drop(&c->wire, n);
	has_room(c);
}

void sim_raw_fin(struct sim_conn *c)
{
	if (c->fin || c->reset)
		return;
	c->fin = true;
	c->pending |= LOOP_READ | LOOP_HALF | (c->gate_fin ? LOOP_GONE : 0u);
}

void sim_fin(struct sim_conn *c)
{
	if (c->tls)
		c->tls->want_fin = true;
	else
		sim_raw_fin(c);
}

void sim_close(struct sim_conn *c)
{
	if (c->tls && unread(c) == 0)
		c->tls->want_close = true;
	else
		sim_raw_close(c);
}

void sim_raw_close(struct sim_conn *c)
{
	if (unread(c) > 0 && c->server < 0) { /* closed with bytes unread: the kernel resets at once */
		sim_reset(c);
		return;
	}
	sim_raw_fin(c);
	c->closed = true;
	if (c->server >= 0) /* a stream socket pair: both directions end at once */
		c->pending |= LOOP_READ | LOOP_WRITE | LOOP_HALF | LOOP_GONE;
}

void sim_reset(struct sim_conn *c)
{
	c->closed = c->fin = c->reset = true;
	c->in.n = 0;
	c->pending |= LOOP_READ | LOOP_WRITE | LOOP_HALF | LOOP_GONE;
}

void sim_finish(struct sim_conn *c, unsigned how)
{
	if (how % 3 == 0)
		sim_fin(c);
	else if (how % 3 == 1)
		sim_close(c);
	else
		sim_reset(c);
}

bool sim_over(const struct sim_conn *c) { return c->reset || (c->tls && c->closed) || (c->gate_closed && unread(c) == 0); }

/* ---- what may be seen of a connection now ---- */

static unsigned state_of(const struct sim_conn *c)
{
	unsigned s = 0;
	if (c->connecting)
		return 0;
	if (c->in.n > 0 || c->fin || c->reset)
		s |= LOOP_READ;
	if (unread(c) < c->window || c->reset || c->closed)
		s |= LOOP_WRITE;
	if (c->fin || c->reset)
		s |= LOOP_HALF;
	if (c->reset || (c->fin && c->gate_fin) || (c->closed && c->server >= 0))
		s |= LOOP_GONE;
	return s;
}

bool sim_news(void)
{
	if (sim.listener && !sim.listener_paused && sim.nbacklog > 0)
		return true;
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && !sim.conn[i].gate_closed && sim.conn[i].item && sim.conn[i].pending)
			return true;
	return false;
}

bool sim_deliver(struct loop *l)
{
	struct loop_item *item[SIM_CONNS];
	unsigned conn[SIM_CONNS], n = 0;
	bool any = false;

	l->now_ms = sim.now_ms;
	l->turns++;
	if (sim.listener && !sim.listener_paused && sim.nbacklog > 0 && !chance(3)) {
		sim.listener->event(sim.listener, LOOP_READ);
		any = true;
	}
	for (unsigned i = 0; i < sim.top; i++) {
		struct sim_conn *c = &sim.conn[i];
		if (c->used && c->item && !c->gate_closed && (c->pending || chance(40)) && !chance(4))
			conn[n++] = i;
	}
	for (unsigned i = n; sim.rough && i > 1; i--) {
		unsigned j = sim_roll(i), t = conn[i - 1];
		conn[i - 1] = conn[j];
		conn[j] = t;
	}
	for (unsigned i = 0; i < n; i++)
		item[i] = sim.conn[conn[i]].item;
	for (unsigned i = 0; i < n; i++) {
		struct sim_conn *c = &sim.conn[conn[i]];
		if (!c->used || c->gate_closed || c->item != item[i])
			continue; /* forgotten meanwhile, or another's by now */
		unsigned events = c->pending | (chance(2) ? state_of(c) : 0) | (c->pending & LOOP_HALF ? LOOP_READ : 0u);
		events |= c->pending ? state_of(c) & c->told : 0; /* what was so and still is comes along */
		c->pending = 0;
		c->told |= events & (LOOP_HALF | LOOP_GONE);
		if (events == 0)
			continue;
		any = true;
		item[i]->event(item[i], events);
	}
	return any;
}

/* ---- os/loop.h ---- */

bool loop_add(struct loop *l, struct loop_item *item)
{
	(void)l;
	struct sim_conn *c = of_fd(item->fd);
	if (c->item)
		die("a descriptor watched twice");
	c->item = item;
	c->pending |= state_of(c);
	return true;
}

bool loop_add_level(struct loop *l, struct loop_item *item)
{
	(void)l;
	sim.listener = item;
	return true;
}

bool loop_pause(struct loop *l, struct loop_item *item)
{
	(void)l;
	sim.listener_paused = item == sim.listener;
	return true;
}

bool loop_resume(struct loop *l, struct loop_item *item)
{
	(void)l;
	if (item == sim.listener)
		sim.listener_paused = false;
	return true;
}

void loop_forget(struct loop *l, struct loop_item *item)
{
	(void)l;
	if (item == sim.listener)
		sim.listener = NULL;
	else if (of_fd(item->fd)->item != item)
		die("a descriptor forgotten that was not watched");
	else
		of_fd(item->fd)->item = NULL;
	item->event = NULL;
}

/* ---- os/sock.h ---- */

long sock_read(int fd, void *to, size_t n)
{
	struct sim_conn *c = of_fd(fd);
	if (n == 0)
		die("a read of no bytes");
	if (c->reset)
		return SOCK_ERROR;
	if (c->connecting)
		return SOCK_AGAIN;
	if (c->in.n == 0)
		return c->fin ? SOCK_EOF : SOCK_AGAIN;
	size_t take = c->in.n < n ? c->in.n : n;
	if (take > 1 && chance(3)) { /* the rest arrives a moment later: news of its own */
		take = 1 + sim_roll((uint32_t)take - 1);
		if (!(c->told & LOOP_HALF))
			c->pending |= LOOP_READ;
	}
	if (take < n && take < c->in.n && (c->told & LOOP_HALF))
		take = c->in.n < n ? c->in.n : n; /* the end was reported: everything before it is here */
	memcpy(to, c->in.p, take);
	sim_bytes_drop(&c->in, take);
	return (long)take;
}

long sock_write(int fd, const void *from, size_t n)
{
	struct sim_conn *c = of_fd(fd);
	if (c->gate_fin)
		die("a write behind our FIN");
	if (c->reset || c->connecting || (c->closed && c->server >= 0))
		return SOCK_ERROR;
	if (c->closed) { /* taken by the kernel, answered by a reset */
		c->reset = true;
		c->pending |= LOOP_READ | LOOP_WRITE | LOOP_HALF | LOOP_GONE;
		return (long)n;
	}
	size_t room = unread(c) < c->window ? c->window - unread(c) : 0;
	if (room > 0 && chance(8))
		room = 0, c->pending |= LOOP_WRITE;
	if (room == 0) {
		c->gate_waits = true;
		if (unread(c) < c->window)
			c->gate_waits = false;
		return SOCK_AGAIN;
	}
	size_t put = n < room ? n : room;
	if (put > 1 && chance(3))
		put = 1 + sim_roll((uint32_t)put);
	sim_bytes_put(c->tls ? &c->wire : &c->got, from, put);
	return (long)put;
}

int sock_accept(int listen_fd)
{
	(void)listen_fd;
	if (sim.now_ms < sim.no_accept_until_ms)
		return SOCK_ERROR;
	if (sim.nbacklog == 0)
		return SOCK_AGAIN;
	int fd = sim.backlog[0];
	sim.nbacklog--;
	memmove(sim.backlog, sim.backlog + 1, sim.nbacklog * sizeof sim.backlog[0]);
	of_fd(fd)->accepted = true;
	return fd;
}

bool sock_connect(const struct addr *to, int *fd)
{
	if (sim.faulty && chance(60))
		return false;
	struct sim_conn *c = new_conn(fd);
	if (!c)
		return false;
	c->port = to->port;
	c->connecting = true;
	return true;
}

bool sock_connect_result(int fd)
{
	struct sim_conn *c = of_fd(fd);
	return !c->connecting && !c->reset;
}

void sock_close(int fd)
{
	struct sim_conn *c = of_fd(fd);
	if (c->item)
		die("a watched descriptor closed");
	c->gate_closed = c->gate_fin = true;
	if (c->in.n > 0 && !c->reset && c->server < 0) { /* closed with bytes unread: a reset, which may overtake what we sent */
		if (chance(2))
			c->got.n = c->wire.n = 0;
		c->reset = true;
	}
	c->in.n = 0;
}

void sock_shut_write(int fd)
{
	struct sim_conn *c = of_fd(fd);
	c->gate_fin = true;
	if (c->fin)
		c->pending |= LOOP_GONE | LOOP_READ | LOOP_HALF;
}

bool sim_connect_all(void)
{
	bool any = false;

	for (unsigned k = 0; k < sim.top; k++) {
		struct sim_conn *c = &sim.conn[k];

		if (c->used && c->connecting) {
			c->connecting = false;
			c->pending |= LOOP_WRITE;
			any = true;
		}
	}
	return any;
}

void sim_settle(struct loop *l, bool (*act)(void), int (*tick)(void))
{
	for (unsigned quiet = 0, i = 0; quiet < 4 && i < 4000; i++) {
		bool did = act && act();

		did |= sim_deliver(l);
		l->now_ms = sim.now_ms;
		did |= tick() == 0;
		quiet = did ? 0 : quiet + 1;
	}
}

void sim_pass_time(int64_t ms, int64_t step_ms, void (*settle)(void))
{
	for (; ms > 0; ms -= step_ms) {
		sim.now_ms += ms < step_ms ? ms : step_ms;
		settle();
	}
}
