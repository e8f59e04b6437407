/* Sealed identities: they come back as they went, for as long as they are good, and no other text passes. */
#include "gate/passport.h"
#include "page.h"
#include "tap.h"

enum { NOW = 1000000000 };

static struct passport_keys keys, others;

static struct identity somebody(unsigned subject_n)
{
	struct identity who = { .kind = IDENTITY_TOKEN, .tenant = 63, .subject_n = (uint8_t)subject_n, .issuer = 3, .roles = UINT64_C(0x8000000000000001),
		.scopes = UINT64_C(0xfedcba9876543210), .until_ms = 0 };
	memset(who.subject, 's', subject_n);
	return who;
}

static size_t sealed(char *text, size_t cap, const struct identity *who)
{
	struct buf b = buf_on(text, cap);
	passport_write(&b, &keys, who, NOW);
	return b.full ? 0 : b.n;
}

static bool opens(const char *p, size_t n, const struct passport_keys *k, int64_t now, struct identity *who)
{
	char *text = page_copy(p, n);
	bool good = passport_read(span_of(text, n), k, now, who);
	page_free(text, n);
	return good;
}

int main(void)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.= ";
	uint8_t seed[32] = { 1 }, other_seed[32] = { 2 }, a[CRYPTO_HASH], b[CRYPTO_HASH];
	char text[PASSPORT_MAX + 8], changed[PASSPORT_MAX + 8];
	struct identity who, got;
	unsigned wrong = 0;
	size_t n = 0;

	passport_keys(&keys, seed);
	passport_keys(&others, other_seed);
	ok(memcmp(keys.seal, keys.principal, sizeof keys.seal) != 0, "the two keys differ");
	for (unsigned subject = 0; subject <= IDENTITY_SUBJECT_MAX; subject++) {
		who = somebody(subject);
		n = sealed(text, sizeof text, &who);
		memset(&got, 0xff, sizeof got);
		wrong += n == 0 || n > PASSPORT_MAX || !opens(text, n, &keys, NOW, &got) || memcmp(&got, &who, sizeof got) != 0;
	}
	is_int(wrong, 0, "every length of subject comes back as it went");
	ok(opens(text, n, &keys, NOW + PASSPORT_MS - 1, &got) && !opens(text, n, &keys, NOW + PASSPORT_MS, &got), "it is good for an hour");
	ok(!opens(text, n, &keys, 0, &got), "without a clock nothing is good");
	ok(!opens(text, n, &others, NOW, &got), "another run's keys do not open it");
	who.until_ms = NOW + 5000;
	n = sealed(text, sizeof text, &who);
	ok(opens(text, n, &keys, NOW + 4999, &got) && got.until_ms == NOW + 5000 && !opens(text, n, &keys, NOW + 5000, &got), "and no longer than the identity");

	who = somebody(10);
	n = sealed(text, sizeof text, &who);
	wrong = 0;
	for (size_t cut = 0; cut < n; cut++)
		wrong += opens(text, cut, &keys, NOW, &got);
	is_int(wrong, 0, "no beginning of it opens");
	for (size_t at = 0; at < n; at++)
		for (size_t c = 0; c < sizeof letters - 1; c++) {
			memcpy(changed, text, n);
			changed[at] = letters[c];
			wrong += letters[c] != text[at] && opens(changed, n, &keys, NOW, &got);
		}
	is_int(wrong, 0, "nor does it with one letter changed");
	memcpy(changed, text, n);
	changed[n] = 'A';
	ok(!opens(changed, n + 1, &keys, NOW, &got), "nor with one more");
	memset(changed, 'A', sizeof changed);
	ok(!opens(changed, PASSPORT_MAX, &keys, NOW, &got) && !opens(changed, sizeof changed, &keys, NOW, &got), "nor do as many letters of the same kind");
	memset(&got, 0x5a, sizeof got);
	struct identity before = got;
	ok(!opens(changed, 60, &keys, NOW, &got) && memcmp(&before, &got, sizeof got) == 0, "what does not open leaves the identity alone");
	wrong = 0;
	for (size_t cap = 0; cap < n; cap++)
		wrong += sealed(changed, cap, &who) != 0;
	is_int(wrong, 0, "too little room is said");
	who.kind = IDENTITY_NONE;
	ok(sealed(text, sizeof text, &who) == 0, "nobody is not sealed");

	struct identity one = somebody(5), two = somebody(5);
	two.roles = two.scopes = 0;
	two.until_ms = 7;
	passport_principal(&keys, &one, a);
	passport_principal(&keys, &two, b);
	ok(memcmp(a, b, sizeof a) == 0, "a principal does not depend on roles, scopes and time");
	two.tenant = 1;
	passport_principal(&keys, &two, b);
	ok(memcmp(a, b, sizeof a) != 0, "it depends on the tenant");
	two = somebody(5);
	two.issuer = 1;
	passport_principal(&keys, &two, b);
	ok(memcmp(a, b, sizeof a) != 0, "on the issuer");
	two = somebody(5);
	two.kind = IDENTITY_KEY;
	passport_principal(&keys, &two, b);
	ok(memcmp(a, b, sizeof a) != 0, "on the kind");
	two = somebody(6);
	passport_principal(&keys, &two, b);
	ok(memcmp(a, b, sizeof a) != 0, "and on the subject");
	passport_principal(&others, &one, b);
	ok(memcmp(a, b, sizeof a) != 0, "another run has other principals");
	return done_testing();
}
