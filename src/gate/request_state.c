#include "gate/request_state.h"

#include "wire/crypto.h"
#include "wire/jwt.h"

enum { PLAIN = 9, SEALED = PLAIN + REQUEST_STATE_MAC };

static void put_number(unsigned char *to, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (unsigned char)(v >> (8 * (bytes - 1 - i)));
}

static void mac_of(const uint8_t key[REQUEST_STATE_KEY], const unsigned char plain[PLAIN], struct span server, const struct request_of *of, struct span state,
	uint8_t mac[CRYPTO_HASH])
{
	/* What is of any length and may hold any byte is told apart by its length; names of servers and methods hold no NUL. */
	unsigned char sizes[16];
	const struct span parts[] = { SPAN("postern request state 1\0"), { (const char *)plain, PLAIN }, { (const char *)sizes, sizeof sizes }, server, SPAN("\0"),
		mcp_method_name(of->method), SPAN("\0"), of->name, of->arguments, state };

	put_number(sizes, of->name.n, 8);
	put_number(sizes + 8, of->arguments.n, 8);
	crypto_hmac_sha256(key, REQUEST_STATE_KEY, parts, sizeof parts / sizeof parts[0], mac);
}

void request_state_seal(struct buf *out, const uint8_t key[REQUEST_STATE_KEY], unsigned server, struct span server_name, const struct request_of *of,
	struct span state, int64_t until_ms)
{
	unsigned char plain[SEALED];
	uint8_t mac[CRYPTO_HASH];

	plain[0] = (unsigned char)server;
	put_number(plain + 1, (uint64_t)until_ms, 8);
	mac_of(key, plain, server_name, of, state, mac);
	memcpy(plain + PLAIN, mac, REQUEST_STATE_MAC);
	BUF_LIT(out, "s1.");
	base64url_write(out, span_of((const char *)plain, SEALED));
	BUF_LIT(out, ".");
	out->full = out->full || server > 255;
}

bool request_state_open(struct span text, const uint8_t key[REQUEST_STATE_KEY], const struct span *server_names, unsigned n, const struct request_of *of,
	int64_t now_ms, unsigned *server)
{
	char bytes[SEALED + 3];
	const unsigned char *plain = (const unsigned char *)bytes;
	uint8_t mac[CRYPTO_HASH];
	uint64_t until = 0;
	size_t size;

	if (text.n < REQUEST_STATE_HEAD || !span_starts(text, SPAN("s1.")) || text.p[REQUEST_STATE_HEAD - 1] != '.' ||
	    !base64url_decode(span_of(text.p + 3, REQUEST_STATE_HEAD - 4), bytes, sizeof bytes, &size) || size != SEALED || plain[0] >= n)
		return false;
	for (unsigned i = 1; i < PLAIN; i++)
		until = until << 8 | plain[i];
	mac_of(key, plain, server_names[plain[0]], of, span_from(text, REQUEST_STATE_HEAD), mac);
	if (!crypto_equal(mac, plain + PLAIN, REQUEST_STATE_MAC) || now_ms < 0 || (uint64_t)now_ms >= until)
		return false;
	*server = plain[0];
	return true;
}
