/* conf/budget.h: the memory table: what each process reserves at start, in bytes, the most it can ever touch.
 *
 * Only adds and prints; who asks knows the sizes. Sums that do not fit 64 bits set `overflow`, which stays. Spans must outlive the table. */
#ifndef POSTERN_CONF_BUDGET_H
#define POSTERN_CONF_BUDGET_H

#include "base/buf.h"

enum { BUDGET_PARTS_MAX = 44, BUDGET_ROWS_MAX = 256 };

struct budget_row { struct span what; uint64_t each, count, bytes; };

struct budget_part {
	struct span role;         /* "worker" */
	struct span name;         /* which of them: "docs"; absent if there is nothing to tell apart */
	uint64_t processes;       /* 0: shared by all, counted once */
	uint64_t generations;     /* how many of these may be alive at once while reloads overlap: at least 1 */
	unsigned first, nrows;
	uint64_t bytes;           /* of one process */
};

struct budget {
	struct budget_part part[BUDGET_PARTS_MAX];
	unsigned nparts;
	struct budget_row row[BUDGET_ROWS_MAX];
	unsigned nrows;
	uint64_t total;           /* of all processes */
	uint64_t reload_total;    /* the same while as many generations as there can be are alive */
	bool overflow;            /* a sum or the table itself: the figures are not to be used */
};

/* A new part; rows that follow belong to it. Start with a zeroed struct budget. */
void budget_part(struct budget *b, struct span role, struct span name, uint64_t processes, uint64_t generations);
/* each: bytes of one, count: how many of them in one process. */
void budget_row(struct budget *b, struct span what, uint64_t each, uint64_t count);
/* What a part's process reserves in one piece, known from its owner: the difference to the rows becomes a row of its own, so that nothing
 * is hidden. False if the rows already come to more. */
bool budget_close(struct budget *b, uint64_t need);

/* For people: aligned columns. For programs: one JSON document, bytes as numbers. */
void budget_write_text(struct buf *out, const struct budget *b);
void budget_write_json(struct buf *out, const struct budget *b);

#endif
