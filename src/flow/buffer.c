#include "flow/flow_priv.h"
#include "wire/crypto.h"

struct buffer *buffer_take(struct flow *f, size_t size)
{
	bool is_large = size > FLOW_SMALL;
	if (size > f->large_cap)
		return NULL;
	struct buffer *b = slots_take(is_large ? &f->large : &f->small);
	if (!b)
		return NULL;
	list_init(&b->node);
	b->cap = (uint32_t)(is_large ? f->large_cap : FLOW_SMALL);
	b->n = b->from = 0;
	b->is_large = is_large;
	b->secret = 0;
	b->call = 0;
	return b;
}

void buffer_give(struct flow *f, struct buffer *b)
{
	if (!b)
		return;
	list_remove(&b->node);
	if (b->secret)
		crypto_wipe(b->p, b->n);
	slots_give(b->is_large ? &f->large : &f->small, b);
}

bool buffer_grow(struct flow *f, struct buffer **b)
{
	if ((*b)->is_large)
		return false;
	struct buffer *big = buffer_take(f, FLOW_SMALL + 1);
	if (!big)
		return false;
	memcpy(big->p, (*b)->p + (*b)->from, (*b)->n - (*b)->from);
	big->n = (*b)->n - (*b)->from;
	buffer_give(f, *b);
	*b = big;
	return true;
}
