/* base/carve.h: memory that was given, cut into parts: one behind the other, each from a multiple of 64 on, where a cache line begins.
 *
 * X_need() adds up carve_up() of the parts, or X_budget(s, carve_sum, &total) does; X_place() takes them with carve() in the same order. */
#ifndef POSTERN_BASE_CARVE_H
#define POSTERN_BASE_CARVE_H

#include "base/span.h"

#include <stdint.h>

static inline size_t carve_up(size_t n) { return (n + 63) & ~(size_t)63; }

static inline void *carve(char **at, size_t each, size_t count)
{
	char *p = *at;

	*at += carve_up(each * count);
	return p;
}

/* A row of a budget, added to the size_t that `total` is. */
static inline void carve_sum(void *total, struct span what, uint64_t each, uint64_t count)
{
	(void)what;
	*(size_t *)total += carve_up((size_t)(each * count));
}

#endif
