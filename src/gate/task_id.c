#include "gate/task_id.h"

#include "wire/crypto.h"
#include "wire/jwt.h"

enum { PLAIN_MAX = 2 + MCP_NAME_MAX + TASK_ID_INNER_MAX + TASK_ID_MAC };

_Static_assert(TASK_ID_HEAD + (PLAIN_MAX * 4 + 2) / 3 <= MCP_TASK_MAX, "the longest id made is one that is taken");

static void seal_mac(const uint8_t key[TASK_ID_KEY], struct span server, struct span plain, uint8_t out[CRYPTO_HASH])
{
	/* The NULs part what is authenticated: no server's name holds one. */
	const struct span parts[] = { SPAN("postern task 1\0"), server, SPAN("\0"), plain };

	crypto_hmac_sha256(key, TASK_ID_KEY, parts, sizeof parts / sizeof parts[0], out);
}

void task_id_seal(struct buf *out, const uint8_t key[TASK_ID_KEY], unsigned server, struct span server_name, struct span tool, struct span inner)
{
	unsigned char plain[PLAIN_MAX];
	uint8_t mac[CRYPTO_HASH];
	size_t n = 2, start = out->n;

	if (server > 255 || tool.n > MCP_NAME_MAX || inner.n == 0 || inner.n > TASK_ID_INNER_MAX) {
		out->full = true;
		return;
	}
	plain[0] = (unsigned char)server;
	plain[1] = (unsigned char)tool.n;
	if (tool.n > 0)
		memcpy(plain + n, tool.p, tool.n);
	n += tool.n;
	memcpy(plain + n, inner.p, inner.n);
	n += inner.n;
	seal_mac(key, server_name, span_of((const char *)plain, n), mac);
	memcpy(plain + n, mac, TASK_ID_MAC);
	BUF_LIT(out, "t1.");
	base64url_write(out, span_of((const char *)plain, n + TASK_ID_MAC));
	if (out->full)
		out->n = start;
}

bool task_id_open(struct span text, const uint8_t key[TASK_ID_KEY], const struct span *server_names, unsigned n, unsigned *server, struct buf *out,
	struct span *tool, struct span *inner)
{
	unsigned char plain[MCP_TASK_MAX];
	uint8_t mac[CRYPTO_HASH];
	size_t size;
	unsigned found = n;

	if (text.n > MCP_TASK_MAX || !span_starts(text, SPAN("t1.")) || !base64url_decode(span_from(text, TASK_ID_HEAD), (char *)plain, sizeof plain, &size))
		return false;
	if (size < 2 + 1 + TASK_ID_MAC || size > PLAIN_MAX || size - TASK_ID_MAC <= 2u + plain[1])
		return false;
	size -= TASK_ID_MAC;
	for (unsigned i = 0; i <= n && found == n; i++) { /* first where it stood, then everywhere */
		unsigned at = i == 0 ? plain[0] : i - 1;

		if (at >= n || (i > 0 && at == plain[0]))
			continue;
		seal_mac(key, server_names[at], span_of((const char *)plain, size), mac);
		if (crypto_equal(mac, plain + size, TASK_ID_MAC))
			found = at;
	}
	if (found == n || out->full || size - 2 > buf_room(out))
		return false;
	*tool = span_of(out->p + out->n, plain[1]);
	*inner = span_of(out->p + out->n + plain[1], size - 2 - plain[1]);
	buf_put(out, span_of((const char *)plain + 2, size - 2));
	*server = found;
	return true;
}
