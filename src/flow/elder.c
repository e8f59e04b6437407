/* The edge to the elder: frames out and in. It is read whatever clients do, and what cannot be written waits in buffers of its calls. */
#include "flow/flow_priv.h"
#include "os/sock.h"

enum { GROWTH = 32768 }; /* what is said to an old client may be longer than what was said to us */

static void elder_down(struct flow *f, struct span why)
{
	struct elder_edge *e = &f->elder;

	if (!e->up)
		return;
	e->up = e->stuck = false;
	loop_forget(f->loop, &e->item);
	sock_close(e->item.fd);
	e->in->n = e->in->from = 0;
	e->ngone = e->gone_sent = 0;
	while (!list_empty(&e->out))
		buffer_give(f, LIST_OWNER(e->out.next, struct buffer, node));
	if (!f->draining)
		flow_log(f, SPAN("the elder"), span_of(NULL, 0), why);
	elder_lost(f);
}

/* True: all n bytes at p are written; *from counts them. */
static bool put(struct elder_edge *e, const char *p, size_t n, uint32_t *from)
{
	while (e->writable && *from < n) {
		long put_n = sock_write(e->item.fd, p + *from, n - *from);
		if (put_n < 0)
			e->writable = false; /* if the other end has closed, the reading side finds out and deals with it */
		else
			*from += (uint32_t)put_n;
	}
	return *from == n;
}

/* A GONE frame goes before all waiting requests, but not into the middle of a frame. Its own request has been sent: one that had not was taken back instead. */
static void elder_write(struct elder_edge *e)
{
	for (;;) {
		struct buffer *b = list_empty(&e->out) ? NULL : LIST_OWNER(e->out.next, struct buffer, node);
		bool begun = b && b->from > 0;
		if (e->ngone > 0 && !begun) {
			if (!put(e, (const char *)e->gone, e->ngone * sizeof(struct elder_frame), &e->gone_sent))
				return;
			e->ngone = e->gone_sent = 0;
		} else if (b) {
			if (!put(e, b->p, b->n, &b->from))
				return;
			buffer_give(e->f, b);
		} else {
			return;
		}
	}
}

bool elder_ask(struct flow *f, const struct elder_msg *m, bool *full)
{
	struct elder_edge *e = &f->elder;

	*full = e->up;
	struct buffer *b = e->up ? buffer_take(f, elder_msg_size(m)) : NULL;
	if (!b)
		return false;
	struct buf text = buf_on(b->p, b->cap);
	elder_msg_write(&text, m);
	if (text.full) {
		buffer_give(f, b);
		return false;
	}
	b->n = (uint32_t)text.n;
	b->call = m->call & 0x3fffffffu; /* its slot and part of its number: no two that are open at once share them */
	list_append(&e->out, &b->node);
	elder_write(e);
	return true;
}

void elder_gone(struct flow *f, uint64_t call)
{
	struct elder_edge *e = &f->elder;

	if (!e->up)
		return;
	for (struct list *n = e->out.next; n != &e->out; n = n->next) {
		struct buffer *b = LIST_OWNER(n, struct buffer, node);
		if (b->call == (call & 0x3fffffffu) && b->from == 0) { /* the elder has not been sent it yet, so nothing needs to be called off */
			buffer_give(f, b);
			return;
		}
	}
	if (e->ngone == e->gone_max) {
		e->stuck = true;
		return;
	}
	e->gone[e->ngone++] = (struct elder_frame){ 0, ELDER_GONE, 0, call };
	elder_write(e);
}

void elder_turn(struct flow *f)
{
	if (f->elder.stuck)
		elder_down(f, SPAN("reads nothing"));
}

/* Takes whole frames out of what has been read; false: the edge is no more. */
static bool take_frames(struct elder_edge *e)
{
	struct flow *f = e->f;
	struct buffer *b = e->in;
	struct elder_msg m;
	const char *why;
	size_t used;

	for (;;) {
		enum elder_taken taken = elder_msg_read(&m, span_of(b->p + b->from, b->n - b->from), false, (size_t)f->set->reply_max + GROWTH, &used, &why);
		if (taken == ELDER_MORE)
			break;
		if (taken == ELDER_WRONG || !elder_said(f, &m)) {
			elder_down(f, why ? span_z(why) : SPAN("said something about a call that does not go with it"));
			return false;
		}
		b->from += (uint32_t)used;
	}
	if (b->from > 0) {
		memmove(b->p, b->p + b->from, b->n - b->from);
		b->n -= b->from;
		b->from = 0;
	}
	return true;
}

static void elder_read(struct elder_edge *e)
{
	struct buffer *b = e->in;

	while (e->up && e->readable) {
		long n = sock_read(e->item.fd, b->p + b->n, b->cap - b->n); /* never full: a whole frame is shorter, and is taken out */
		if (n == SOCK_AGAIN) {
			e->readable = false;
		} else if (n <= 0) {
			elder_down(e->f, SPAN("ended"));
			return;
		} else {
			if ((uint32_t)n < b->cap - b->n && !e->half)
				e->readable = false;
			b->n += (uint32_t)n;
			if (!take_frames(e))
				return;
		}
	}
}

static void elder_event(struct loop_item *item, unsigned events)
{
	struct elder_edge *e = (struct elder_edge *)(void *)item;

	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		e->readable = true;
	if (events & (LOOP_HALF | LOOP_GONE))
		e->half = true; /* no further event will tell of the end behind the last bytes */
	if (events & LOOP_WRITE) {
		e->writable = true;
		elder_write(e);
	}
	elder_read(e);
}

void flow_elder(struct flow *f, int fd)
{
	struct elder_edge *e = &f->elder;

	if (!f->set->elder) {
		sock_close(fd);
		return;
	}
	elder_down(f, SPAN("was restarted"));
	e->item = (struct loop_item){ elder_event, fd };
	e->up = e->writable = e->readable = true;
	e->half = false;
	if (!loop_add(f->loop, &e->item)) {
		elder_down(f, SPAN("cannot be watched"));
		return;
	}
	elder_read(e);
}
