#include "flow/timer.h"

static unsigned slot_of(int64_t at_ms) { return (unsigned)((uint64_t)(at_ms / TIMER_STEP_MS) % TIMER_SLOTS); }

void timers_init(struct timers *w, int64_t now_ms)
{
	for (unsigned i = 0; i < TIMER_SLOTS; i++)
		list_init(&w->slots[i]);
	for (unsigned i = 0; i < TIMER_SLOTS / 64; i++)
		w->map[i] = 0;
	w->done_step = now_ms / TIMER_STEP_MS;
	w->armed = 0;
}

void timer_init(struct timer *t, void (*fire)(struct timer *))
{
	list_init(&t->node);
	t->at_ms = 0;
	t->fire = fire;
}

void timer_arm(struct timers *w, struct timer *t, int64_t at_ms)
{
	if (at_ms / TIMER_STEP_MS <= w->done_step)
		at_ms = (w->done_step + 1) * TIMER_STEP_MS; /* its slot is behind us: the next one to be looked at */
	unsigned slot = slot_of(at_ms);
	if (t->at_ms == 0)
		w->armed++;
	t->at_ms = at_ms;
	list_append(&w->slots[slot], &t->node);
	w->map[slot / 64] |= UINT64_C(1) << (slot % 64);
}

void timer_disarm(struct timers *w, struct timer *t)
{
	if (t->at_ms == 0)
		return;
	w->armed--;
	t->at_ms = 0;
	list_remove(&t->node);
}

static void run_slot(struct timers *w, unsigned slot, int64_t now_ms)
{
	struct list due;
	list_init(&due);
	for (struct list *n = w->slots[slot].next, *next; n != &w->slots[slot]; n = next) {
		next = n->next;
		if (LIST_OWNER(n, struct timer, node)->at_ms <= now_ms)
			list_append(&due, n);
	}
	if (list_empty(&w->slots[slot]))
		w->map[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
	while (!list_empty(&due)) { /* a handler may disarm others that are due: they leave this list by themselves */
		struct timer *t = LIST_OWNER(due.next, struct timer, node);
		timer_disarm(w, t);
		t->fire(t);
	}
}

/* Steps until the next slot that may hold something, 1..TIMER_SLOTS. */
static int64_t next_step(const struct timers *w)
{
	for (int64_t i = 1; i <= TIMER_SLOTS; i++) {
		unsigned slot = (unsigned)((uint64_t)(w->done_step + i) % TIMER_SLOTS);
		if (slot % 64 == 0 && i + 63 <= TIMER_SLOTS && w->map[slot / 64] == 0) {
			i += 63;
			continue;
		}
		if (w->map[slot / 64] >> (slot % 64) & 1)
			return i;
	}
	return TIMER_SLOTS;
}

int timers_wait(const struct timers *w, int64_t now_ms)
{
	if (w->armed == 0)
		return -1;
	int64_t wait = (w->done_step + next_step(w) + 1) * TIMER_STEP_MS - now_ms;
	return wait < 0 ? 0 : (int)wait;
}

void timers_run(struct timers *w, int64_t now_ms)
{
	int64_t step = now_ms / TIMER_STEP_MS - 1; /* a slot is due when its whole step has passed */
	int64_t first = w->done_step + 1;

	if (w->armed == 0) {
		if (step > w->done_step)
			w->done_step = step;
		return;
	}
	if (step - first >= TIMER_SLOTS)
		first = step - TIMER_SLOTS + 1;
	for (int64_t s = first; s <= step; s++) {
		unsigned slot = (unsigned)((uint64_t)s % TIMER_SLOTS);
		w->done_step = s;
		if (w->map[slot / 64] >> (slot % 64) & 1)
			run_slot(w, slot, now_ms);
	}
}
