#include "wire/tls_priv.h"

#include "base/bug.h"
#include "base/text.h"
#include "wire/crypto.h"

enum { WAYS = 8, ID = 32, MASTER = 48 };

struct session {
	uint8_t id[ID];
	uint8_t master[MASTER];
	uint64_t name;
	int64_t until_ms;          /* 0: free */
	uint64_t used;             /* the cache's count when it was last looked at */
	uint16_t suite;
};

/* A session stands in one of the WAYS slots of its set, which its id (random, ours) gives: looking and putting are bounded. */
struct tls_cache {
	uint64_t count;
	uint32_t sets, ways;
	struct session sessions[];
};

static uint32_t sets_for(uint32_t sessions) { return sessions <= WAYS ? 1 : (sessions - 1) / WAYS + 1; }
static uint32_t ways_for(uint32_t sessions) { return sessions < WAYS ? sessions : WAYS; }

size_t tls_cache_need(uint32_t sessions)
{
	return sizeof(struct tls_cache) + (size_t)sets_for(sessions) * ways_for(sessions) * sizeof(struct session);
}

struct tls_cache *tls_cache_place(void *mem, uint32_t sessions)
{
	struct tls_cache *c = mem;

	if (sessions == 0)
		bug("a cache for no session");
	memset(c, 0, tls_cache_need(sessions));
	c->sets = sets_for(sessions);
	c->ways = ways_for(sessions);
	return c;
}

uint64_t tls_cache_name(struct span host)
{
	char lower[256];
	uint8_t hash[CRYPTO_HASH];
	size_t n = host.n < sizeof(lower) ? host.n : sizeof(lower);

	for (size_t i = 0; i < n; i++)
		lower[i] = span_lower(host.p[i]);
	crypto_sha256(lower, n, hash);
	return text_le64((const char *)hash);
}

static struct session *set_of(struct tls_cache *c, const unsigned char *id)
{
	return c->sessions + (size_t)(text_le64((const char *)id) % c->sets) * c->ways;
}

static bool live(const struct session *s, int64_t now_ms) { return s->until_ms > now_ms && s->until_ms <= now_ms + TLS_SESSION_MS; }

static void give(struct tls_cache *c, struct session *s, br_ssl_session_parameters *to)
{
	s->used = ++c->count;
	memcpy(to->session_id, s->id, ID);
	to->session_id_len = ID;
	to->version = BR_TLS12;
	to->cipher_suite = s->suite;
	memcpy(to->master_secret, s->master, MASTER);
}

void tls_cache_save(struct tls_cache *c, const br_ssl_session_parameters *s, uint64_t name, int64_t now_ms, int64_t until_ms)
{
	struct session *set, *to;

	if (s->session_id_len != ID)
		return; /* none, or a kind of id that servers do not make */
	set = set_of(c, s->session_id);
	to = set;
	for (uint32_t i = 0; i < c->ways; i++) {
		if (!live(&set[i], now_ms)) {
			to = &set[i];
			break;
		}
		if (set[i].used < to->used)
			to = &set[i];
	}
	memcpy(to->id, s->session_id, ID);
	memcpy(to->master, s->master_secret, MASTER);
	to->suite = s->cipher_suite;
	to->name = name;
	to->used = ++c->count;
	to->until_ms = until_ms < now_ms + TLS_SESSION_MS ? until_ms : now_ms + TLS_SESSION_MS;
}

bool tls_cache_load(struct tls_cache *c, br_ssl_session_parameters *s, uint64_t *name, int64_t now_ms)
{
	struct session *set = set_of(c, s->session_id);

	for (uint32_t i = 0; i < c->ways; i++) {
		if (!live(&set[i], now_ms) || memcmp(set[i].id, s->session_id, ID) != 0)
			continue;
		*name = set[i].name;
		give(c, &set[i], s);
		return true;
	}
	return false;
}

bool tls_cache_newest(struct tls_cache *c, br_ssl_session_parameters *s, int64_t now_ms)
{
	struct session *best = NULL;

	for (size_t i = 0; i < (size_t)c->sets * c->ways; i++)
		if (live(&c->sessions[i], now_ms) && (best == NULL || c->sessions[i].used > best->used))
			best = &c->sessions[i];
	if (best == NULL)
		return false;
	give(c, best, s);
	return true;
}

void tls_cache_forget(struct tls_cache *c)
{
	crypto_wipe(c->sessions, (size_t)c->sets * c->ways * sizeof(struct session));
}
