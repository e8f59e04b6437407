/* What a caller carries from a question to its answer.
 *
 * requestState is "b1." and base64url of: kind byte | id at the upstream (8 bytes) | round (4) | expiry (8, the engine's clock), big endian |
 * HMAC-SHA256 over a domain string, those 21 bytes, the principal, and the digest of method, name and arguments. So it is good for this process, this
 * caller, this call, this round, for a time. */
#include "bridge/bridge_state.h"
#include "wire/jwt.h"

enum { PLAIN = 21, SEALED = PLAIN + CRYPTO_HASH, STATE_TEXT = 3 + (SEALED * 4 + 2) / 3 };

void seal_digest(const struct json *j, const struct mcp_message *m, uint8_t digest[CRYPTO_HASH])
{
	/* The NULs part what is hashed: no JSON text holds one. */
	const struct span parts[] = { mcp_method_name(m->method), SPAN("\0"), json_raw(j, m->name), SPAN("\0"),
		m->arguments != JSON_NONE ? json_raw(j, m->arguments) : SPAN("") };

	crypto_hmac_sha256(SPAN("postern bridge call").p, 19, parts, sizeof parts / sizeof parts[0], digest);
}

static void put_number(uint8_t *to, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static uint64_t get_number(const uint8_t *from, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | from[i];
	return v;
}

static void mac_of(const struct bridge *b, const struct bridge_call *c, const uint8_t plain[PLAIN], uint8_t mac[CRYPTO_HASH])
{
	const struct span parts[] = { SPAN("postern bridge state 1\0"), span_of((const char *)plain, PLAIN), call_principal(c), SPAN("\0"),
		span_of((const char *)c->digest, CRYPTO_HASH) };

	crypto_hmac_sha256(b->s.key, BRIDGE_KEY, parts, sizeof parts / sizeof parts[0], mac);
}

void seal_put(const struct bridge *b, const struct bridge_call *c, const struct bridge_seal *what, struct buf *out)
{
	uint8_t bytes[SEALED];

	bytes[0] = what->kind;
	put_number(bytes + 1, what->id, 8);
	put_number(bytes + 9, what->round, 4);
	put_number(bytes + 13, (uint64_t)(bridge_now(b) + b->s.park_ms), 8);
	mac_of(b, c, bytes, bytes + PLAIN);
	BUF_LIT(out, "b1.");
	base64url_write(out, span_of((const char *)bytes, SEALED));
}

bool seal_get(const struct bridge *b, const struct bridge_call *c, uint32_t token, struct bridge_seal *what)
{
	char text_mem[STATE_TEXT + 1], bytes[SEALED + 3];
	const uint8_t *plain = (const uint8_t *)bytes;
	struct buf text = buf_on(text_mem, sizeof text_mem);
	uint8_t mac[CRYPTO_HASH];
	size_t n;

	json_text(&b->json, token, &text);
	if (text.full || !span_starts(buf_span(&text), SPAN("b1.")) ||
	    !base64url_decode(span_from(buf_span(&text), 3), bytes, sizeof bytes, &n) || n != SEALED)
		return false;
	mac_of(b, c, plain, mac);
	*what = (struct bridge_seal){ plain[0], (uint32_t)get_number(plain + 9, 4), get_number(plain + 1, 8) };
	return crypto_equal(mac, plain + PLAIN, CRYPTO_HASH) && (uint64_t)bridge_now(b) < get_number(plain + 13, 8);
}
