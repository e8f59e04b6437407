#include "gate/passport.h"

#include "wire/jwt.h"

enum { FORM = 1, PLAIN_MAX = 5 + 4 * 8 + IDENTITY_SUBJECT_MAX, PACKED_MAX = PLAIN_MAX + CRYPTO_HASH };

_Static_assert((PACKED_MAX * 4 + 2) / 3 <= PASSPORT_MAX, "the longest text made is one that is taken");

void passport_keys(struct passport_keys *k, const uint8_t seed[32])
{
	/* No tenant has a NUL in its name: other keys than any of cursors. */
	const struct span seal = SPAN("passports\0"), principal = SPAN("principals\0");

	crypto_hmac_sha256(seed, 32, &seal, 1, k->seal);
	crypto_hmac_sha256(seed, 32, &principal, 1, k->principal);
}

static void put_u64(struct buf *b, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		buf_char(b, (char)(v >> (8 * i) & 0xff));
}

static uint64_t take_u64(const char *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

void passport_write(struct buf *b, const struct passport_keys *k, const struct identity *who, int64_t now_unix_ms)
{
	char mem[PACKED_MAX];
	struct buf plain = buf_on(mem, sizeof mem);
	uint8_t mac[CRYPTO_HASH];
	int64_t until = now_unix_ms + PASSPORT_MS;

	if (who->kind == IDENTITY_NONE || who->kind >= IDENTITY_KINDS || who->subject_n > IDENTITY_SUBJECT_MAX || now_unix_ms <= 0) {
		b->full = true;
		return;
	}
	if (who->until_ms != 0 && who->until_ms < until)
		until = who->until_ms;
	buf_char(&plain, FORM);
	buf_char(&plain, (char)who->kind);
	buf_char(&plain, (char)who->tenant);
	buf_char(&plain, (char)who->issuer);
	buf_char(&plain, (char)who->subject_n);
	put_u64(&plain, who->roles);
	put_u64(&plain, who->scopes);
	put_u64(&plain, (uint64_t)who->until_ms);
	put_u64(&plain, (uint64_t)until);
	buf_put(&plain, span_of(who->subject, who->subject_n));
	crypto_hmac_sha256(k->seal, sizeof k->seal, &(struct span){ plain.p, plain.n }, 1, mac);
	buf_put(&plain, span_of((const char *)mac, sizeof mac));
	base64url_write(b, buf_span(&plain));
}

bool passport_read(struct span text, const struct passport_keys *k, int64_t now_unix_ms, struct identity *who)
{
	char plain[PACKED_MAX];
	uint8_t mac[CRYPTO_HASH];
	size_t n;

	if (text.n > PASSPORT_MAX || !base64url_decode(text, plain, sizeof plain, &n) || n < 5 + 4 * 8 + CRYPTO_HASH)
		return false;
	n -= CRYPTO_HASH;
	crypto_hmac_sha256(k->seal, sizeof k->seal, &(struct span){ plain, n }, 1, mac);
	if (!crypto_equal(mac, plain + n, sizeof mac))
		return false;
	/* Sealed by us: what follows can only fail after a change of the format, but for the time. */
	struct identity got = { .kind = (uint8_t)plain[1], .tenant = (uint8_t)plain[2], .issuer = (uint8_t)plain[3], .subject_n = (uint8_t)plain[4],
		.roles = take_u64(plain + 5), .scopes = take_u64(plain + 13), .until_ms = (int64_t)take_u64(plain + 21) };
	if (plain[0] != FORM || got.kind == IDENTITY_NONE || got.kind >= IDENTITY_KINDS || n != 5 + 4 * 8 + (size_t)got.subject_n)
		return false;
	if ((int64_t)take_u64(plain + 29) <= now_unix_ms || now_unix_ms <= 0)
		return false;
	memcpy(got.subject, plain + 37, got.subject_n);
	*who = got;
	return true;
}

void passport_principal(const struct passport_keys *k, const struct identity *who, uint8_t out[CRYPTO_HASH])
{
	const char head[3] = { (char)who->kind, (char)who->issuer, (char)who->tenant };
	const struct span parts[] = { { head, sizeof head }, { who->subject, who->subject_n } };

	crypto_hmac_sha256(k->principal, sizeof k->principal, parts, sizeof parts / sizeof parts[0], out);
}
