#include "gate/request_state.h"

static struct seal seal_for(const uint8_t key[SEAL_KEY], const struct request_of *of, struct span state, struct span server_name)
{
	return (struct seal){ SPAN("s1."), key, { mcp_method_name(of->method), of->name, of->arguments, state, server_name } };
}

void request_state_seal(struct buf *out, const uint8_t key[SEAL_KEY], unsigned server, struct span server_name, const struct request_of *of,
	struct span state, int64_t until_unix_ms)
{
	struct seal s = seal_for(key, of, state, server_name);
	uint64_t head = (uint64_t)until_unix_ms << 8 | (server & 0xff);
	char mem[sizeof head + SEAL_MAC];
	struct buf plain = buf_on(mem, sizeof mem);

	buf_put(&plain, span_of((const char *)&head, sizeof head));
	plain.full = server > 255;
	seal_write(out, &s, &plain);
	BUF_LIT(out, ".");
}

bool request_state_open(struct span text, const uint8_t key[SEAL_KEY], const struct span *server_names, unsigned n, const struct request_of *of,
	int64_t now_unix_ms, unsigned *server)
{
	struct seal s = seal_for(key, of, span_from(text, REQUEST_STATE_HEAD), span_of(NULL, 0));
	uint64_t head;
	char mem[sizeof head + SEAL_MAC];
	struct buf plain = buf_on(mem, sizeof mem);

	if (text.n < REQUEST_STATE_HEAD || text.p[REQUEST_STATE_HEAD - 1] != '.' || !seal_text(&s, span_of(text.p, REQUEST_STATE_HEAD - 1), &plain))
		return false;
	memcpy(&head, mem, sizeof head);
	if ((head & 0xff) >= n)
		return false;
	s.bound[4] = server_names[head & 0xff];
	if (!seal_good(&s, &plain) || now_unix_ms < 0 || (uint64_t)now_unix_ms >= head >> 8)
		return false;
	*server = head & 0xff;
	return true;
}
