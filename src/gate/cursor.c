#include "gate/cursor.h"

#include "gate/seal.h"

enum { PLAIN_MAX = CURSOR_HEAD + CURSOR_INNER_MAX };

_Static_assert(SEAL_TEXT(PLAIN_MAX) <= MCP_CURSOR_MAX && (size_t)CURSOR_HEAD == sizeof(uint64_t), "the longest cursor made is one that is taken");

static struct seal seal_for(const uint8_t key[SEAL_KEY], enum mcp_method method)
{
	return (struct seal){ SPAN("p3."), key, { mcp_method_name(method) } };
}

void cursor_seal(struct buf *out, const uint8_t key[SEAL_KEY], enum mcp_method method, struct span server_name, const struct cursor_place *at)
{
	struct seal s = seal_for(key, method);
	char mem[PLAIN_MAX + SEAL_MAC];
	struct buf plain = buf_on(mem, sizeof mem);
	uint64_t head = (uint64_t)at->skip << 16 | (at->has_inner ? 0x100 : 0) | (at->server & 0xff);

	s.bound[1] = server_name;
	buf_put(&plain, span_of((const char *)&head, sizeof head));
	if (at->has_inner)
		buf_put(&plain, at->inner);
	plain.full = plain.full || at->server > 255;
	seal_write(out, &s, &plain);
}

bool cursor_open(struct span text, const uint8_t key[SEAL_KEY], enum mcp_method method, const struct span *server_names, unsigned nservers,
	struct cursor_place *at, struct buf *inner)
{
	struct seal s = seal_for(key, method);
	char mem[PLAIN_MAX + SEAL_MAC];
	struct buf plain = buf_on(mem, sizeof mem);
	uint64_t head;

	if (!seal_text(&s, text, &plain) || plain.n < CURSOR_HEAD)
		return false;
	memcpy(&head, mem, sizeof head);
	if ((head & 0xff) >= nservers)
		return false;
	s.bound[1] = server_names[head & 0xff];
	if (!seal_good(&s, &plain) || inner->full || plain.n - CURSOR_HEAD > buf_room(inner))
		return false;
	*at = (struct cursor_place){ .server = head & 0xff, .has_inner = head >> 8 & 1, .skip = (uint32_t)(head >> 16),
		.inner = span_of(inner->p + inner->n, plain.n - CURSOR_HEAD) };
	buf_put(inner, span_from(buf_span(&plain), CURSOR_HEAD));
	return true;
}
