#include "flow/flow_priv.h"

void intake_start(struct intake *i, struct buffer *b, uint32_t at, const struct http_head *h, uint64_t limit)
{
	i->b = b;
	i->start = i->end = i->raw = at;
	http_body_start(&i->body, h->framing, h->length, limit);
}

void intake_decode(struct intake *i)
{
	struct buffer *b = i->b;
	size_t end = i->end, raw = i->raw, n = b->n;
	http_body_unframe(&i->body, b->p, &end, &raw, &n);
	i->end = (uint32_t)end;
	i->raw = (uint32_t)raw;
	b->n = (uint32_t)n;
}

uint32_t intake_want(const struct intake *i)
{
	const struct buffer *b = i->b;
	uint32_t room = b->cap - b->n;
	if (!b->is_large)
		return room;
	if (i->body.framing == HTTP_LENGTH)
		return i->body.left < room ? (uint32_t)i->body.left : room;
	return room < FLOW_LEFTOVER_MAX ? room : FLOW_LEFTOVER_MAX;
}

bool intake_grow(struct intake *i, struct flow *f, struct buffer **large)
{
	if (i->b->is_large)
		return false;
	struct buffer *b = buffer_take(f, FLOW_SMALL + 1);
	if (!b)
		return false;
	memcpy(b->p, i->b->p + i->start, i->end - i->start);
	b->n = i->end - i->start;
	i->b->n = i->start; /* what came before the body stays where it is */
	i->b = *large = b;
	i->start = 0;
	i->raw = i->end = b->n;
	return true;
}

struct span intake_payload(const struct intake *i) { return span_of(i->b->p + i->start, i->end - i->start); }
struct span intake_rest(const struct intake *i)
{
	return i->b ? span_of(i->b->p + i->raw, i->b->n - i->raw) : span_of("", 0);
}
