#include "gate/auth_priv.h"

#include "base/text.h"

enum { WAYS = 4 };

/* until_ms 0: free. */
struct entry {
	uint8_t hash[CRYPTO_TAG];
	int64_t from_ms, until_ms;
	bool refused;
	struct auth_facts facts;
};

struct auth_cache {
	uint64_t seed[2];
	uint8_t key[CRYPTO_TAG];
	uint32_t sets, ways;
	struct entry entries[];
};

static void shape(uint32_t entries, uint32_t *sets, uint32_t *ways)
{
	*ways = entries == 0 ? 1 : entries < WAYS ? entries : WAYS;
	*sets = entries / WAYS > 0 ? entries / WAYS : 1;
}

size_t auth_cache_need(uint32_t entries)
{
	uint32_t sets, ways;

	shape(entries, &sets, &ways);
	return sizeof(struct auth_cache) + (size_t)sets * ways * sizeof(struct entry);
}

struct auth_cache *auth_cache_place(void *mem, uint32_t entries, const uint8_t seed[16])
{
	struct auth_cache *c = mem;
	uint8_t hmac[CRYPTO_HASH];

	shape(entries, &c->sets, &c->ways);
	c->seed[0] = text_le64((const char *)seed) | 1;
	c->seed[1] = text_le64((const char *)seed + 8);
	/* The key is not the seed: where a hash lies in the table shows in how long it takes. */
	crypto_hmac_sha256(seed, 16, &(struct span){ "tokens", 6 }, 1, hmac);
	memcpy(c->key, hmac, sizeof c->key);
	auth_cache_clear(c);
	return c;
}

void auth_cache_hash(const struct auth_cache *c, struct span token, uint8_t hash[CRYPTO_TAG])
{
	crypto_tag(c->key, token.p, token.n, hash);
}

void auth_cache_clear(struct auth_cache *c)
{
	memset(c->entries, 0, (size_t)c->sets * c->ways * sizeof c->entries[0]);
}

/* The set of a hash. Hashes are not chosen freely, but some of their bits can be: multiplying by a secret number hides which ones count. */
static size_t set_of(const struct auth_cache *c, const uint8_t hash[CRYPTO_TAG])
{
	uint64_t x = (text_le64((const char *)hash) ^ c->seed[1]) * c->seed[0];

	x ^= text_le64((const char *)hash + 8) * (c->seed[1] | 1);
	return (size_t)((x >> 32) * c->sets >> 32) * c->ways;
}

/* A clock that was put back makes what was kept later unknown, not eternal. */
static bool alive(const struct entry *e, int64_t now_ms)
{
	return e->until_ms != 0 && e->from_ms <= now_ms && now_ms < e->until_ms;
}

const struct auth_facts *auth_cache_find(const struct auth_cache *c, const uint8_t hash[CRYPTO_TAG], int64_t now_ms, bool *refused)
{
	const struct entry *set = c->entries + set_of(c, hash), *found = NULL;

	*refused = false;
	for (uint32_t i = 0; i < c->ways; i++)
		if (crypto_equal(set[i].hash, hash, CRYPTO_TAG) && alive(&set[i], now_ms))
			found = &set[i];
	if (found == NULL)
		return NULL;
	*refused = found->refused;
	return found->refused ? NULL : &found->facts;
}

void auth_cache_keep(struct auth_cache *c, const uint8_t hash[CRYPTO_TAG], const struct auth_facts *facts, int64_t now_ms, int64_t until_ms)
{
	struct entry *set = c->entries + set_of(c, hash), *to = NULL;

	if (until_ms <= now_ms)
		return;
	/* Its own place, or a free one; then that of a refusal; then of the one that ends first. A refusal takes no place of a token that is
	 * good: who makes up tokens cannot make others be verified again. */
	for (uint32_t i = 0; i < c->ways && to == NULL; i++)
		if (crypto_equal(set[i].hash, hash, CRYPTO_TAG))
			to = &set[i];
	for (uint32_t i = 0; i < c->ways && to == NULL; i++)
		if (!alive(&set[i], now_ms))
			to = &set[i];
	for (uint32_t i = 0; i < c->ways && to == NULL; i++)
		if (set[i].refused)
			to = &set[i];
	if (to == NULL && facts == NULL)
		return;
	for (uint32_t i = 0; i < c->ways && to == NULL; i++) {
		bool first = true;

		for (uint32_t k = 0; k < c->ways; k++)
			first = first && set[i].until_ms <= set[k].until_ms;
		if (first)
			to = &set[i];
	}
	if (to == NULL)
		return;
	memset(to, 0, sizeof *to);
	memcpy(to->hash, hash, CRYPTO_TAG);
	to->from_ms = now_ms;
	to->until_ms = until_ms;
	to->refused = facts == NULL;
	if (facts != NULL)
		to->facts = *facts;
}
