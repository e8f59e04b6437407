#include "gate/seal.h"

#include "wire/crypto.h"
#include "wire/jwt.h"

static void mac_of(const struct seal *s, struct span plain, uint8_t mac[CRYPTO_HASH])
{
	uint64_t sizes[SEAL_BOUND];
	struct span parts[2 + SEAL_BOUND + 1] = { s->kind, { (const char *)sizes, sizeof sizes } };

	for (unsigned i = 0; i < SEAL_BOUND; i++) {
		sizes[i] = s->bound[i].n;
		parts[2 + i] = s->bound[i];
	}
	parts[2 + SEAL_BOUND] = plain;
	crypto_hmac_sha256(s->key, SEAL_KEY, parts, sizeof parts / sizeof parts[0], mac);
}

void seal_write(struct buf *out, const struct seal *s, struct buf *plain)
{
	uint8_t mac[CRYPTO_HASH];
	size_t start = out->n;

	mac_of(s, buf_span(plain), mac);
	buf_put(plain, span_of((const char *)mac, SEAL_MAC));
	buf_put(out, s->kind);
	base64url_write(out, buf_span(plain));
	out->full = out->full || plain->full;
	if (out->full)
		out->n = start;
}

bool seal_text(const struct seal *s, struct span text, struct buf *plain)
{
	if (!span_starts(text, s->kind) || !base64url_decode(span_from(text, SEAL_KIND), plain->p, plain->cap, &plain->n) || plain->n < SEAL_MAC)
		return false;
	plain->n -= SEAL_MAC;
	return true;
}

bool seal_good(const struct seal *s, const struct buf *plain)
{
	uint8_t mac[CRYPTO_HASH];

	mac_of(s, buf_span(plain), mac);
	return crypto_equal(mac, plain->p + plain->n, SEAL_MAC);
}
