/* flow/edit.h: replacing a few places of a judged text and copying the rest byte for byte.
 *
 * Edits are in ascending order and do not overlap; from == to inserts. edit_add() takes them in that order, edit_put() in any. */
#ifndef POSTERN_FLOW_EDIT_H
#define POSTERN_FLOW_EDIT_H

#include "base/buf.h"

struct edit {
	const char *from, *to; /* what goes, inside the text */
	struct span with;
};

struct edits {
	struct edit *e;
	unsigned n, max;
	bool full;
};

static inline void edit_add(struct edits *s, const char *from, const char *to, struct span with)
{
	if (s->n == s->max) {
		s->full = true;
		return;
	}
	s->e[s->n++] = (struct edit){ from, to, with };
}

static inline void edit_replace(struct edits *s, struct span what, struct span with) { edit_add(s, what.p, what.p + what.n, with); }

/* In its place among those that are there: before what begins behind it, and an insertion before what goes at the same place. */
void edit_put(struct edits *s, const char *from, const char *to, struct span with);
void edit_write(struct buf *b, struct span text, const struct edits *s);
size_t edit_size(struct span text, const struct edits *s);

/* Leaving out some of what stands in a list, each with one comma. Begin with kept_end behind the bracket or brace; then each in its order, to be
 * kept or dropped; then the end. */
struct edit_gap {
	const char *kept_end;  /* end of the last that stays */
	const char *from, *to; /* what goes next, if from is set */
};
void edit_drop(struct edit_gap *g, const char *from, const char *to);
void edit_keep(struct edit_gap *g, const char *from, const char *to, struct edits *s);
void edit_gap_end(struct edit_gap *g, struct edits *s);

#endif
