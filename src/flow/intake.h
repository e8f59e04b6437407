/* flow/intake.h: a message body on its way into one buffer; framing is taken out in place, the payload ends up contiguous. */
#ifndef POSTERN_FLOW_INTAKE_H
#define POSTERN_FLOW_INTAKE_H

#include "wire/http_body.h"

struct flow;
struct buffer;

struct intake {
	struct http_body body;
	struct buffer *b;     /* where the payload lies */
	uint32_t start, end;  /* payload so far */
	uint32_t raw;         /* first byte not yet decoded; raw .. b->n */
};

/* The body begins at offset `at` of b (some of it may be there already). */
void intake_start(struct intake *i, struct buffer *b, uint32_t at, const struct http_head *h, uint64_t limit);
/* Decodes what has been read. After it, state MORE means everything was used and b->n == end. */
void intake_decode(struct intake *i);
/* How many bytes may be read at b->p + b->n now; 0: the buffer is full (intake_grow). */
uint32_t intake_want(const struct intake *i);
/* Moves the payload to a large buffer, whose owner becomes the caller (*large). False: none is free. */
bool intake_grow(struct intake *i, struct flow *f, struct buffer **large);
struct span intake_payload(const struct intake *i);
/* Bytes read beyond the end of the body (state DONE): the next message's. */
struct span intake_rest(const struct intake *i);

#endif
