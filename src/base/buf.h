/* base/buf.h: append text into memory that the caller gave. Never grows.
 *
 * Overflow is sticky: the first append that does not fit writes nothing, sets `full`, and every later append is ignored, so a caller
 * checks once at the end. The content is never NUL-terminated. */
#ifndef POSTERN_BASE_BUF_H
#define POSTERN_BASE_BUF_H

#include "base/span.h"

struct buf {
	char *p;
	size_t n;   /* bytes written */
	size_t cap; /* bytes that fit */
	bool full;  /* something did not fit */
};

static inline struct buf buf_on(char *mem, size_t cap) { return (struct buf){ mem, 0, cap, false }; }
static inline struct span buf_span(const struct buf *b) { return span_of(b->p, b->n); }
static inline size_t buf_room(const struct buf *b) { return b->cap - b->n; }
static inline void buf_reset(struct buf *b) { b->n = 0; b->full = false; }

static inline void buf_put(struct buf *b, struct span s)
{
	if (b->full || s.n > b->cap - b->n) {
		b->full = true;
		return;
	}
	if (s.n >= 8 && s.n <= 16) { /* most appended texts are short, and a call costs more than the copy */
		memcpy(b->p + b->n, s.p, 8);
		memcpy(b->p + b->n + s.n - 8, s.p + s.n - 8, 8);
	} else if (s.n >= 4 && s.n < 8) {
		memcpy(b->p + b->n, s.p, 4);
		memcpy(b->p + b->n + s.n - 4, s.p + s.n - 4, 4);
	} else if (s.n > 0) {
		memcpy(b->p + b->n, s.p, s.n);
	}
	b->n += s.n;
}

/* Appends a string literal. */
#define BUF_LIT(b, literal) buf_put((b), SPAN(literal))

void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t v);                        /* decimal */
void buf_i64(struct buf *b, int64_t v);                         /* decimal */
void buf_hex(struct buf *b, const void *bytes, size_t n);       /* lower case, two digits a byte */
void buf_u64_pad(struct buf *b, uint64_t v, size_t width);      /* decimal, right-aligned with spaces; wider numbers are not cut */

#endif
