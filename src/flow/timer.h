/* flow/timer.h: timeouts on a hashed wheel: arm and disarm in constant time, no memory of its own besides the wheel.
 *
 * Resolution is TIMER_STEP_MS: a timer never fires early and at most one step late (plus the loop's turn). */
#ifndef POSTERN_FLOW_TIMER_H
#define POSTERN_FLOW_TIMER_H

#include "base/list.h"
#include <stdint.h>

enum { TIMER_SLOTS = 1024, TIMER_STEP_MS = 16 };

struct timer {
	struct list node;
	int64_t at_ms;                   /* 0: not armed */
	void (*fire)(struct timer *t);   /* called disarmed */
};

struct timers {
	struct list slots[TIMER_SLOTS];
	uint64_t map[TIMER_SLOTS / 64];  /* which slots may hold something */
	int64_t done_step;               /* every slot up to this step has been looked at */
	uint32_t armed;
};

void timers_init(struct timers *w, int64_t now_ms);
void timer_init(struct timer *t, void (*fire)(struct timer *));
void timer_arm(struct timers *w, struct timer *t, int64_t at_ms);
void timer_disarm(struct timers *w, struct timer *t);
/* Fires what is due. */
void timers_run(struct timers *w, int64_t now_ms);
/* Milliseconds until the next one may be due, -1 for none. */
int timers_wait(const struct timers *w, int64_t now_ms);

#endif
