#include "gate/cursor.h"

#include "wire/crypto.h"
#include "wire/jwt.h"

enum { PLAIN_MAX = 2 + CURSOR_INNER_MAX + CURSOR_MAC };

_Static_assert(CURSOR_HEAD + (PLAIN_MAX * 4 + 2) / 3 <= MCP_CURSOR_MAX, "the longest cursor made is one that is taken");

static void seal_mac(const uint8_t key[CURSOR_KEY], enum mcp_method method, struct span plain, uint8_t out[CRYPTO_HASH])
{
	/* The NULs part what is authenticated: no method's name holds one. */
	const struct span parts[] = { SPAN("postern cursor 1\0"), mcp_method_name(method), SPAN("\0"), plain };

	crypto_hmac_sha256(key, CURSOR_KEY, parts, sizeof parts / sizeof parts[0], out);
}

void cursor_seal(struct buf *out, const uint8_t key[CURSOR_KEY], enum mcp_method method, unsigned server, bool has_inner,
	struct span inner)
{
	unsigned char plain[PLAIN_MAX];
	uint8_t mac[CRYPTO_HASH];
	size_t n = 2, start = out->n;

	if (!has_inner)
		inner.n = 0;
	if (server > 255 || inner.n > CURSOR_INNER_MAX) {
		out->full = true;
		return;
	}
	plain[0] = (unsigned char)server;
	plain[1] = has_inner ? 1 : 0;
	if (inner.n > 0)
		memcpy(plain + n, inner.p, inner.n);
	n += inner.n;
	seal_mac(key, method, span_of((const char *)plain, n), mac);
	memcpy(plain + n, mac, CURSOR_MAC);
	BUF_LIT(out, "p1.");
	base64url_write(out, span_of((const char *)plain, n + CURSOR_MAC));
	if (out->full)
		out->n = start;
}

bool cursor_open(struct span text, const uint8_t key[CURSOR_KEY], enum mcp_method method, unsigned *server, bool *has_inner,
	struct buf *inner)
{
	unsigned char plain[MCP_CURSOR_MAX];
	uint8_t mac[CRYPTO_HASH];
	size_t n;

	if (text.n > MCP_CURSOR_MAX || !span_starts(text, SPAN("p1.")) || !base64url_decode(span_from(text, CURSOR_HEAD), (char *)plain, sizeof plain, &n))
		return false;
	if (n < 2 + CURSOR_MAC || n > PLAIN_MAX)
		return false;
	n -= CURSOR_MAC;
	seal_mac(key, method, span_of((const char *)plain, n), mac);
	if (!crypto_equal(mac, plain + n, CURSOR_MAC))
		return false;
	/* Sealed by us: what follows can only fail after a change of the format that kept its name. */
	if (plain[1] > 1 || (plain[1] == 0 && n > 2) || inner->full || n - 2 > buf_room(inner))
		return false;
	buf_put(inner, span_of((const char *)plain + 2, n - 2));
	*server = plain[0];
	*has_inner = plain[1] == 1;
	return true;
}
