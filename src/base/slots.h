/* base/slots.h: a pool of equal slots in memory the caller gave; take and give in constant time, last given first taken (warm).
 *
 * A slot's first bytes hold the free list while it is free, and slots are handed out as they were left: the taker initialises. */
#ifndef POSTERN_BASE_SLOTS_H
#define POSTERN_BASE_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct slots {
	char *mem;
	size_t each;          /* bytes, a multiple of 16 */
	uint32_t count;
	uint32_t fresh;       /* slots never taken yet begin here: untouched memory stays untouched */
	uint32_t used, peak;
	void *free;
};

static inline size_t slots_each(size_t size) { return (size + 15) & ~(size_t)15; }
static inline size_t slots_need(size_t size, uint32_t count) { return slots_each(size) * count; }

static inline void slots_place(struct slots *s, void *mem, size_t size, uint32_t count)
{
	*s = (struct slots){ mem, slots_each(size), count, 0, 0, 0, NULL };
}

/* NULL: all are in use. */
static inline void *slots_take(struct slots *s)
{
	void *slot = s->free;
	if (slot)
		s->free = *(void **)slot;
	else if (s->fresh < s->count)
		slot = s->mem + s->each * s->fresh++;
	else
		return NULL;
	if (++s->used > s->peak)
		s->peak = s->used;
	return slot;
}

static inline void slots_give(struct slots *s, void *slot)
{
	*(void **)slot = s->free;
	s->free = slot;
	s->used--;
}

static inline uint32_t slots_index(const struct slots *s, const void *slot)
{
	return (uint32_t)((size_t)((const char *)slot - s->mem) / s->each);
}
static inline void *slots_at(const struct slots *s, uint32_t index) { return s->mem + s->each * index; }

/* What an answer from outside is found by. `count` is another for each tenant of the slot, so that an answer for an earlier one is nobody's. An id
 * is less than 2^52, and no pool has 2^20 slots. */
enum { SLOTS_ID_BITS = 20 };
static inline uint64_t slots_id(const struct slots *s, const void *slot, uint32_t count) { return (uint64_t)count << SLOTS_ID_BITS | slots_index(s, slot); }
/* The slot of an id, which may be free or another tenant's by now: the caller compares. NULL: it was never taken. */
static inline void *slots_of_id(const struct slots *s, uint64_t id)
{
	uint32_t index = (uint32_t)(id & ((UINT32_C(1) << SLOTS_ID_BITS) - 1));

	return index < s->fresh ? slots_at(s, index) : NULL;
}

#endif
