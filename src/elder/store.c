#include "elder/store.h"

#include "base/carve.h"

static uint32_t block_count(uint64_t bytes)
{
	uint64_t n = bytes / STORE_BLOCK;

	return n < 64 ? 64 : n > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)n;
}

size_t store_need(uint64_t bytes)
{
	uint32_t n = block_count(bytes);

	return carve_up(slots_need(sizeof(struct store_block), n)) + carve_up(slots_need(sizeof(struct store_event), n));
}

uint32_t store_blocks(size_t n)
{
	enum { ROOM = sizeof ((struct store_block *)0)->bytes };

	return n == 0 ? 1 : (uint32_t)((n + ROOM - 1) / ROOM);
}

void store_place(struct store *s, void *mem, uint64_t bytes, uint64_t each_max)
{
	uint32_t n = block_count(bytes);

	slots_place(&s->blocks, mem, sizeof(struct store_block), n);
	slots_place(&s->events, (char *)mem + carve_up(slots_need(sizeof(struct store_block), n)), sizeof(struct store_event), n);
	list_init(&s->all);
	s->each_max = each_max;
	s->each_blocks = store_blocks(each_max);
}

void store_log_start(struct store_log *l)
{
	list_init(&l->events);
	l->blocks = 0;
}

void store_drop(struct store *s, struct chain *c)
{
	while (c->first) {
		struct store_block *b = c->first;

		c->first = b->next;
		slots_give(&s->blocks, b);
	}
	c->n = 0;
}

/* A block, if need be from the oldest event. */
static struct store_block *take(struct store *s)
{
	struct store_block *b = slots_take(&s->blocks);

	while (!b && !list_empty(&s->all)) {
		store_forget(s, LIST_OWNER(s->all.next, struct store_event, in_all));
		b = slots_take(&s->blocks);
	}
	return b;
}

bool store_put(struct store *s, struct chain *c, struct span text)
{
	struct store_block **at = &c->first;
	size_t done = 0;

	c->first = NULL;
	c->n = 0;
	do {
		struct store_block *b = take(s);
		size_t n = text.n - done < sizeof b->bytes ? text.n - done : sizeof b->bytes;

		if (!b) {
			store_drop(s, c);
			return false;
		}
		b->next = NULL;
		if (n > 0)
			memcpy(b->bytes, text.p + done, n);
		*at = b;
		at = &b->next;
		done += n;
	} while (done < text.n);
	c->n = (uint32_t)text.n;
	return true;
}

void store_text(const struct chain *c, struct buf *b)
{
	uint32_t left = c->n;

	for (const struct store_block *x = c->first; x && left > 0; x = x->next) {
		uint32_t n = left < sizeof x->bytes ? left : (uint32_t)sizeof x->bytes;

		buf_put(b, span_of(x->bytes, n));
		left -= n;
	}
}

void store_forget(struct store *s, struct store_event *ev)
{
	ev->log->blocks -= store_blocks(ev->text.n);
	store_drop(s, &ev->text);
	list_remove(&ev->in_log);
	list_remove(&ev->in_all);
	slots_give(&s->events, ev);
}

bool store_keep(struct store *s, struct store_log *l, uint32_t stream, uint32_t seq, struct span text)
{
	struct chain c;
	struct store_event *ev;

	if (text.n > s->each_max)
		return false;
	while (l->blocks > s->each_blocks - store_blocks(text.n)) /* bounded by the events there are; an empty log holds none */
		store_forget(s, LIST_OWNER(l->events.next, struct store_event, in_log));
	if (!store_put(s, &c, text))
		return false;
	ev = slots_take(&s->events);
	if (!ev) { /* as many slots as blocks, and every event has a block */
		store_drop(s, &c);
		return false;
	}
	*ev = (struct store_event){ .log = l, .stream = stream, .seq = seq, .text = c };
	list_init(&ev->in_log);
	list_init(&ev->in_all);
	list_append(&l->events, &ev->in_log);
	list_append(&s->all, &ev->in_all);
	l->blocks += store_blocks(text.n);
	return true;
}

struct store_event *store_next(struct store_log *l, uint32_t stream, uint32_t seq)
{
	for (struct list *n = l->events.next; n != &l->events; n = n->next) {
		struct store_event *ev = LIST_OWNER(n, struct store_event, in_log);

		if (ev->stream == stream && ev->seq > seq)
			return ev;
	}
	return NULL;
}

void store_log_drop(struct store *s, struct store_log *l)
{
	while (!list_empty(&l->events))
		store_forget(s, LIST_OWNER(l->events.next, struct store_event, in_log));
}
