#include "gate/task_id.h"

enum { HEAD = 2, PLAIN_MAX = HEAD + MCP_NAME_MAX + TASK_ID_INNER_MAX };

_Static_assert(SEAL_TEXT(PLAIN_MAX) <= MCP_TASK_MAX && MCP_NAME_MAX <= 255, "the longest id made is one that is taken");

void task_id_seal(struct buf *out, const uint8_t key[SEAL_KEY], unsigned server, struct span server_name, struct span tool, struct span inner)
{
	struct seal s = { SPAN("t1."), key, { server_name } };
	char mem[PLAIN_MAX + SEAL_MAC];
	struct buf plain = buf_on(mem, sizeof mem);

	buf_char(&plain, (char)server);
	buf_char(&plain, (char)tool.n);
	buf_put(&plain, tool);
	buf_put(&plain, inner);
	plain.full = plain.full || server > 255 || tool.n > MCP_NAME_MAX || inner.n == 0 || inner.n > TASK_ID_INNER_MAX;
	seal_write(out, &s, &plain);
}

bool task_id_open(struct span text, const uint8_t key[SEAL_KEY], const struct span *server_names, unsigned n, unsigned *server, struct buf *out,
	struct span *tool, struct span *inner)
{
	struct seal s = { SPAN("t1."), key, { { NULL, 0 } } };
	char mem[PLAIN_MAX + SEAL_MAC];
	struct buf plain = buf_on(mem, sizeof mem);
	unsigned stood, found = n;
	size_t tool_n;

	if (!seal_text(&s, text, &plain) || plain.n < HEAD)
		return false;
	stood = (unsigned char)mem[0];
	tool_n = (unsigned char)mem[1];
	for (unsigned i = 0; i <= n && found == n; i++) { /* first where it stood, then everywhere */
		unsigned at = i == 0 ? stood : i - 1;

		if (at >= n || (i > 0 && at == stood))
			continue;
		s.bound[0] = server_names[at];
		if (seal_good(&s, &plain))
			found = at;
	}
	if (found == n || out->full || plain.n - HEAD > buf_room(out))
		return false;
	*tool = span_of(out->p + out->n, tool_n);
	*inner = span_of(out->p + out->n + tool_n, plain.n - HEAD - tool_n);
	buf_put(out, span_from(buf_span(&plain), HEAD));
	*server = found;
	return true;
}
