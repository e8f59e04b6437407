#include "gate/passport.h"

/* As it lies in memory: only the program that wrote it reads it. The MAC stands behind the subject, however long that is. */
struct paper {
	int64_t until_ms;
	struct identity who;
	char room[SEAL_MAC];
};

enum { HEAD = offsetof(struct paper, who.subject) };

_Static_assert(HEAD + IDENTITY_SUBJECT_MAX == PASSPORT_PLAIN && PASSPORT_PLAIN + SEAL_MAC == sizeof(struct paper), "no gap");

void passport_keys(struct passport_keys *k, const uint8_t seed[32])
{
	/* No tenant has a NUL in its name: other keys than any of cursors. */
	const struct span seal = SPAN("passports\0"), principal = SPAN("principals\0");

	crypto_hmac_sha256(seed, 32, &seal, 1, k->seal);
	crypto_hmac_sha256(seed, 32, &principal, 1, k->principal);
}

void passport_write(struct buf *b, const struct passport_keys *k, const struct identity *who, int64_t now_unix_ms)
{
	const struct seal s = { SPAN("i1."), k->seal, { { NULL, 0 } } };
	struct paper paper = { now_unix_ms + PASSPORT_MS, *who, "" };
	struct buf plain = buf_on((char *)&paper, sizeof paper);

	if (who->until_ms != 0 && who->until_ms < paper.until_ms)
		paper.until_ms = who->until_ms;
	plain.n = HEAD + (size_t)who->subject_n;
	plain.full = who->kind == IDENTITY_NONE || who->kind >= IDENTITY_KINDS || who->subject_n > IDENTITY_SUBJECT_MAX || now_unix_ms <= 0;
	seal_write(b, &s, &plain);
}

bool passport_read(struct span text, const struct passport_keys *k, int64_t now_unix_ms, struct identity *who)
{
	const struct seal s = { SPAN("i1."), k->seal, { { NULL, 0 } } };
	struct paper paper;
	struct buf plain = buf_on((char *)&paper, sizeof paper);

	if (!seal_text(&s, text, &plain) || !seal_good(&s, &plain) || plain.n < HEAD || plain.n != HEAD + (size_t)paper.who.subject_n)
		return false;
	if (paper.until_ms <= now_unix_ms || now_unix_ms <= 0)
		return false;
	memset((char *)&paper + plain.n, 0, sizeof paper - plain.n);
	*who = paper.who;
	return true;
}

void passport_principal(const struct passport_keys *k, const struct identity *who, uint8_t out[CRYPTO_HASH])
{
	const char head[3] = { (char)who->kind, (char)who->issuer, (char)who->tenant };
	const struct span parts[] = { { head, sizeof head }, { who->subject, who->subject_n } };

	crypto_hmac_sha256(k->principal, sizeof k->principal, parts, sizeof parts / sizeof parts[0], out);
}
