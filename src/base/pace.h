/* base/pace.h: how fast a server is listened to while it says what answers nobody: notifications, comments, noise.
 *
 * Such bytes, and PACE_EACH more for each message, are a debt that time pays back, PACE_BYTES_A_MS each millisecond. Up to PACE_BURST
 * nothing happens; beyond, the owner stops reading until half of that is paid. Nothing is lost by it: what the other side still has to say waits in its own pipe or socket. Answers are
 * free, however large: what is heard before it is known what it is, is noted first and becomes a debt, or is forgiven, when it is whole. */
#ifndef POSTERN_BASE_PACE_H
#define POSTERN_BASE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACE_BYTES_A_MS = 2048, PACE_BURST = 512 * 1024, PACE_EACH = 256, PACE_DEBT_MAX = 8 * PACE_BURST, /* no wait is longer than 2 s */
	PACE_NOISE_MS = 60000 /* it is no more often said of one that it says too much */
};

/* All zero at the start. */
struct pace {
	uint64_t noted, debt;   /* bytes */
	int64_t since_ms;       /* when `debt` was so much */
	int64_t until_ms;       /* not read before */
};

static inline void pace_note(struct pace *p, size_t bytes) { p->noted += bytes; }
static inline void pace_forgive(struct pace *p) { p->noted = 0; }

/* What was noted was asked for by nobody. */
static inline void pace_owe(struct pace *p, int64_t now_ms)
{
	uint64_t paid = (uint64_t)(now_ms - p->since_ms) * PACE_BYTES_A_MS;

	p->debt = (p->debt > paid ? p->debt - paid : 0) + PACE_EACH;
	p->debt = p->noted < PACE_DEBT_MAX ? p->debt + p->noted : PACE_DEBT_MAX;
	if (p->debt > PACE_DEBT_MAX)
		p->debt = PACE_DEBT_MAX;
	p->noted = 0;
	p->since_ms = now_ms;
	if (p->debt > PACE_BURST)
		p->until_ms = now_ms + (int64_t)((p->debt - PACE_BURST / 2) / PACE_BYTES_A_MS);
}

/* How long it is not to be read, in ms; 0: it may be. */
static inline int pace_wait_ms(const struct pace *p, int64_t now_ms)
{
	return p->until_ms > now_ms ? (int)(p->until_ms - now_ms) : 0;
}

/* The same as pace_owe(). True: the log should say of it that it says too much. *quiet_until_ms is the owner's, 0 at the start, and outlives *p. */
static inline bool pace_owe_loudly(struct pace *p, int64_t *quiet_until_ms, int64_t now_ms)
{
	pace_owe(p, now_ms);
	if (pace_wait_ms(p, now_ms) == 0 || now_ms < *quiet_until_ms)
		return false;
	*quiet_until_ms = now_ms + PACE_NOISE_MS;
	return true;
}

#endif
