#include "role/talk.h"

#include "os/sock.h"

static void on_talk(struct loop_item *item, unsigned events)
{
	struct talk *l = (struct talk *)item;

	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		l->readable = true;
	if (events & (LOOP_WRITE | LOOP_GONE))
		l->writable = true;
}

bool talk_open(struct talk *l, struct loop *loop, int fd)
{
	l->item = (struct loop_item){ on_talk, fd };
	l->readable = l->writable = true;
	l->over = l->skipping = false;
	l->passed = 0;
	l->in_from = l->in_n = l->in_seen = l->out_from = l->out_n = 0;
	l->stuck_ms = 0;
	if (loop_add(loop, &l->item))
		return true;
	sock_close(fd);
	l->item.fd = -1;
	return false;
}

void talk_close(struct talk *l, struct loop *loop)
{
	if (l->item.fd < 0)
		return;
	loop_forget(loop, &l->item);
	sock_close(l->item.fd);
	l->item.fd = -1;
	l->in_from = l->in_n = l->in_seen = l->out_from = l->out_n = 0;
	l->stuck_ms = 0;
}

/* Room for a read: what has been taken goes, and of a line that is too long all but its end. */
static void compact(struct talk *l)
{
	if (l->in_from > 0) {
		memmove(l->in, l->in + l->in_from, l->in_n - l->in_from);
		l->in_n -= l->in_from;
		l->in_seen -= l->in_from;
		l->in_from = 0;
	}
	if (l->in_n < l->in_cap)
		return;
	if (!l->skipping)
		memcpy(l->head, l->in, TALK_ENDS);
	l->skipping = true;
	l->passed += l->in_n - TALK_ENDS;
	memmove(l->in, l->in + l->in_n - TALK_ENDS, TALK_ENDS);
	l->in_n = l->in_seen = TALK_ENDS;
}

/* False: nothing more now. */
static bool more(struct talk *l)
{
	long n;

	if (!l->readable || l->over || l->item.fd < 0)
		return false;
	compact(l);
	n = sock_read(l->item.fd, l->in + l->in_n, l->in_cap - l->in_n);
	if (n == SOCK_AGAIN)
		l->readable = false;
	else if (n <= 0)
		l->over = true;
	else
		l->in_n += (size_t)n;
	return n > 0;
}

enum talk_got talk_next(struct talk *l, struct span *line, struct span *tail)
{
	for (unsigned reads = 0;;) { /* a turn takes a line or reads */
		const char *nl = l->in_seen < l->in_n ? memchr(l->in + l->in_seen, '\n', l->in_n - l->in_seen) : NULL;
		bool skipped = l->skipping;

		if (!nl) {
			l->in_seen = l->in_n;
			if (reads++ == TALK_READS || !more(l))
				return l->over ? TALK_END : TALK_NOTHING;
			continue;
		}
		*line = span_of(l->in + l->in_from, (size_t)(nl - (l->in + l->in_from)));
		l->in_from = l->in_seen = (size_t)(nl + 1 - l->in);
		l->skipping = false;
		l->passed += line->n + 1;
		if (skipped) {
			*tail = line->n > TALK_ENDS ? span_from(*line, line->n - TALK_ENDS) : *line;
			*line = span_of(l->head, TALK_ENDS);
			return TALK_LONG;
		}
		if (line->n > 0 && line->p[line->n - 1] == '\r')
			line->n--;
		if (line->n > 0)
			return TALK_GOT;
	}
}

size_t talk_room(const struct talk *l)
{
	size_t used = l->out_n - l->out_from;

	return l->out_cap - used > 0 ? l->out_cap - used - 1 : 0;
}

bool talk_put(struct talk *l, struct span text)
{
	if (l->item.fd < 0 || text.n > talk_room(l))
		return false;
	if (l->out_cap - l->out_n < text.n + 1) {
		memmove(l->out, l->out + l->out_from, l->out_n - l->out_from);
		l->out_n -= l->out_from;
		l->out_from = 0;
	}
	memcpy(l->out + l->out_n, text.p, text.n);
	l->out_n += text.n;
	l->out[l->out_n++] = '\n';
	return true;
}

void talk_flush(struct talk *l, int64_t now_ms)
{
	while (l->item.fd >= 0 && l->writable && l->out_from < l->out_n) {
		long n = sock_write(l->item.fd, l->out + l->out_from, l->out_n - l->out_from);

		if (n <= 0) {
			l->writable = false; /* an end shows on the reading side */
		} else {
			l->out_from += (size_t)n;
			l->stuck_ms = now_ms;
		}
	}
	if (l->out_from == l->out_n)
		l->out_from = l->out_n = 0;
	if (l->out_n == 0)
		l->stuck_ms = 0;
	else if (l->stuck_ms == 0)
		l->stuck_ms = now_ms;
}
