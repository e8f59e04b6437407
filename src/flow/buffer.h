/* flow/buffer.h: the buffers of a worker: FLOW_SMALL bytes, or as large as a body or a reply may be. Who takes one owns it until it is given back
 * or handed on. */
#ifndef POSTERN_FLOW_BUFFER_H
#define POSTERN_FLOW_BUFFER_H

#include "base/list.h"

struct flow;

struct buffer {
	struct list node;
	uint32_t cap, n, from;         /* content: bytes from .. n */
	unsigned is_large : 1;
	unsigned secret : 1;           /* wiped when it is given back */
	unsigned call : 30;            /* on a line: line_call() of the leg that asks; 0: nobody's */
	_Alignas(16) char p[];
};

struct buffer *buffer_take(struct flow *f, size_t size);   /* NULL: none of that size is free, or size is over every limit */
void buffer_give(struct flow *f, struct buffer *b);        /* NULL is fine */
/* Moves the content into a large buffer; false (nothing changed) when there is none or it is large already. */
bool buffer_grow(struct flow *f, struct buffer **b);

#endif
