#include "gate/cursor.h"

#include "wire/crypto.h"
#include "wire/jwt.h"

enum { FIXED = 5, PLAIN_MAX = FIXED + CURSOR_INNER_MAX + CURSOR_MAC };

_Static_assert(CURSOR_HEAD + (PLAIN_MAX * 4 + 2) / 3 <= MCP_CURSOR_MAX, "the longest cursor made is one that is taken");

static void seal_mac(const uint8_t key[CURSOR_KEY], enum mcp_method method, struct span server, struct span plain, uint8_t out[CRYPTO_HASH])
{
	/* The NULs part what is authenticated: no method's name holds one, and no server's. */
	const struct span parts[] = { SPAN("postern cursor 3\0"), mcp_method_name(method), SPAN("\0"), server, SPAN("\0"), plain };

	crypto_hmac_sha256(key, CURSOR_KEY, parts, sizeof parts / sizeof parts[0], out);
}

void cursor_seal(struct buf *out, const uint8_t key[CURSOR_KEY], enum mcp_method method, struct span server_name, const struct cursor_place *at)
{
	unsigned char plain[PLAIN_MAX];
	uint8_t mac[CRYPTO_HASH];
	size_t n = FIXED, start = out->n, inner_n = at->has_inner ? at->inner.n : 0;

	if (at->server > 255 || at->skip > CURSOR_SKIP_MAX || inner_n > CURSOR_INNER_MAX) {
		out->full = true;
		return;
	}
	plain[0] = (unsigned char)at->server;
	plain[1] = at->has_inner ? 1 : 0;
	plain[2] = (unsigned char)(at->skip >> 16);
	plain[3] = (unsigned char)(at->skip >> 8);
	plain[4] = (unsigned char)at->skip;
	if (inner_n > 0)
		memcpy(plain + n, at->inner.p, inner_n);
	n += inner_n;
	seal_mac(key, method, server_name, span_of((const char *)plain, n), mac);
	memcpy(plain + n, mac, CURSOR_MAC);
	BUF_LIT(out, "p3.");
	base64url_write(out, span_of((const char *)plain, n + CURSOR_MAC));
	if (out->full)
		out->n = start;
}

bool cursor_open(struct span text, const uint8_t key[CURSOR_KEY], enum mcp_method method, const struct span *server_names, unsigned nservers,
	struct cursor_place *at, struct buf *inner)
{
	unsigned char plain[MCP_CURSOR_MAX];
	uint8_t mac[CRYPTO_HASH];
	size_t n, start = inner->n;

	if (text.n > MCP_CURSOR_MAX || !span_starts(text, SPAN("p3.")) || !base64url_decode(span_from(text, CURSOR_HEAD), (char *)plain, sizeof plain, &n))
		return false;
	if (n < FIXED + CURSOR_MAC || n > PLAIN_MAX || plain[0] >= nservers)
		return false;
	n -= CURSOR_MAC;
	seal_mac(key, method, server_names[plain[0]], span_of((const char *)plain, n), mac);
	if (!crypto_equal(mac, plain + n, CURSOR_MAC))
		return false;
	/* Sealed by us: what follows can only fail after a change of the format that kept its name. */
	if (plain[1] > 1 || (plain[1] == 0 && n > FIXED) || inner->full || n - FIXED > buf_room(inner))
		return false;
	buf_put(inner, span_of((const char *)plain + FIXED, n - FIXED));
	*at = (struct cursor_place){ .server = plain[0], .has_inner = plain[1] == 1, .inner = span_of(inner->p + start, n - FIXED),
		.skip = (uint32_t)plain[2] << 16 | (uint32_t)plain[3] << 8 | plain[4] };
	return true;
}
