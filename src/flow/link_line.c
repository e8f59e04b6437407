/* The line of an upstream: a stream to a process of ours, a built-in server or a bridge, in the stdio framing of MCP (one message a line). Many calls
 * travel on it at once, told apart by id. */
#include "flow/flow_priv.h"
#include "flow/leg.h"
#include "os/sock.h"

static struct leg *first_by_line(const struct upstream *up)
{
	for (struct list *n = up->legs.next; n != &up->legs; n = n->next)
		if (LIST_OWNER(n, struct leg, of_up)->by_line)
			return LIST_OWNER(n, struct leg, of_up);
	return NULL;
}

static void line_down(struct upstream *up, struct span why)
{
	struct flow *f = up->f;
	if (!up->line_up)
		return;
	up->line_up = false;
	loop_forget(f->loop, &up->item);
	sock_close(up->item.fd);
	up->line_in->n = up->line_in->from = 0;
	up->line_scanned = 0;
	while (!list_empty(&up->line_out))
		buffer_give(f, LIST_OWNER(up->line_out.next, struct buffer, node));
	if (upstream_by_line(up))
		up->catalog_state = CATALOG_NONE;
	/* A failure ends one leg and may begin others, but these fail at once or do not go by line: so the loop ends. */
	for (struct leg *l; (l = first_by_line(up)) != NULL;)
		leg_failed(l, LEG_LOST, why);
}

static void line_write(struct upstream *up)
{
	struct flow *f = up->f;
	while (up->line_up && up->line_writable && !list_empty(&up->line_out)) {
		struct buffer *b = LIST_OWNER(up->line_out.next, struct buffer, node);
		long n = sock_write(up->item.fd, b->p + b->from, b->n - b->from);
		if (n == SOCK_AGAIN) {
			up->line_writable = false;
		} else if (n < 0) {
			up->line_writable = false; /* if the other end has closed, the reading side finds out and deals with it */
		} else {
			b->from += (uint32_t)n;
			if (b->from == b->n)
				buffer_give(f, b);
		}
	}
}

bool line_send(struct upstream *up, struct buffer *line)
{
	if (!up->line_up) {
		buffer_give(up->f, line);
		return false;
	}
	list_append(&up->line_out, &line->node);
	line_write(up);
	return true;
}

/* One that reads nothing must not collect buffers while clients come and go. */
void line_cancel(struct leg *l)
{
	struct upstream *up = l->up;
	struct flow *f = up->f;

	if (!up->line_up)
		return;
	for (struct list *n = up->line_out.next; n != &up->line_out; n = n->next) {
		struct buffer *b = LIST_OWNER(n, struct buffer, node);
		if (b->call == line_call(l) && b->from == 0) {
			buffer_give(f, b);
			return;
		}
	}
	struct buffer *word = request_cancel(l);
	if (!word)
		return;
	struct buffer *last = LIST_OWNER(up->line_out.prev, struct buffer, node);
	if (list_empty(&up->line_out) || last->call != 0 || last->cap - last->n < word->n) {
		(void)line_send(up, word);
		return;
	}
	memcpy(last->p + last->n, word->p, word->n); /* behind others that wait */
	last->n += word->n;
	buffer_give(f, word);
}

/* Takes whole lines out of what has been read; false: the line is no more. */
static bool take_lines(struct upstream *up)
{
	struct buffer *b = up->line_in;
	for (;;) {
		const char *nl = memchr(b->p + b->from + up->line_scanned, '\n', b->n - b->from - up->line_scanned);
		if (!nl) {
			up->line_scanned = b->n - b->from;
			break;
		}
		struct span line = span_of(b->p + b->from, (size_t)(nl - (b->p + b->from)));
		b->from += (uint32_t)line.n + 1;
		up->line_scanned = 0;
		leg_line(up, line);
		if (!up->line_up)
			return false;
	}
	if (b->from > 0) {
		memmove(b->p, b->p + b->from, b->n - b->from);
		b->n -= b->from;
		b->from = 0;
	}
	return true;
}

static void line_read(struct upstream *up)
{
	struct buffer *b = up->line_in;
	while (up->line_up && up->line_readable) {
		if (b->n == b->cap) {
			line_down(up, SPAN("sent a line that is too long"));
			return;
		}
		long n = sock_read(up->item.fd, b->p + b->n, b->cap - b->n);
		if (n == SOCK_AGAIN) {
			up->line_readable = false;
		} else if (n <= 0) {
			line_down(up, SPAN("ended"));
			return;
		} else {
			if ((uint32_t)n < b->cap - b->n && !up->line_half)
				up->line_readable = false;
			b->n += (uint32_t)n;
			if (!take_lines(up))
				return;
		}
	}
}

static void line_event(struct loop_item *item, unsigned events)
{
	struct upstream *up = (struct upstream *)(void *)item;
	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		up->line_readable = true;
	if (events & (LOOP_HALF | LOOP_GONE))
		up->line_half = true; /* no further event will tell of the end behind the last bytes */
	if (events & LOOP_WRITE) {
		up->line_writable = true;
		line_write(up);
	}
	line_read(up);
}

void line_set(struct upstream *up, int fd)
{
	struct flow *f = up->f;
	line_down(up, SPAN("was restarted"));
	up->item = (struct loop_item){ line_event, fd };
	up->line_up = up->line_writable = up->line_readable = true;
	up->line_half = false;
	if (!loop_add(f->loop, &up->item)) {
		line_down(up, SPAN("cannot be watched"));
		return;
	}
	if (upstream_by_line(up))
		up->catalog_state = CATALOG_NONE; /* whatever was tried while there was none */
	line_read(up);
	(void)catalog_ready(up);
}
