/* Key sets by url: when they are fetched, what becomes of an answer, who is told. */
#include "flow/broker_state.h"

static void fetch_set(struct broker *b, unsigned issuer)
{
	struct broker_keyset *k = &b->keysets[issuer];
	const struct fetch_peer *peer = &b->set->issuers[issuer].jwks;
	struct buf *head = fetch_begin(k->fetch, peer, false);

	BUF_LIT(head, "Accept: application/jwk-set+json, application/json\r\n");
	k->fetching = true;
	fetch_send(k->fetch, span_of(NULL, 0), broker_now(b) + b->set->fetch_ms);
}

void keys_open(struct broker *b)
{
	for (unsigned i = 0; i < b->set->nissuers; i++)
		if (b->set->issuers[i].keys)
			fetch_set(b, i);
}

/* ---- telling workers ---- */

static int64_t valid_ms(const struct broker *b, const struct broker_keyset *k)
{
	return k->have ? k->got_ms + BROKER_KEYS_AGE_MS - broker_now(b) : 0;
}

static bool send_set(struct broker_edge *e, unsigned issuer)
{
	struct broker *b = e->b;
	const struct broker_keyset *k = &b->keysets[issuer];
	struct broker_keys *m = &b->packet->keys;
	int64_t valid = valid_ms(b, k);

	memset(m, 0, offsetof(struct broker_keys, set));
	m->type = BROKER_KEYS;
	m->issuer = issuer;
	if (valid > 0) {
		m->state = e->version[issuer] == k->version ? BROKER_KEYS_SAME : BROKER_KEYS_HERE;
		m->valid_s = (uint32_t)((valid + 999) / 1000);
	}
	if (m->state == BROKER_KEYS_HERE)
		m->set = k->set;
	if (!edge_send(e, b->packet))
		return false;
	if (m->state == BROKER_KEYS_HERE)
		e->version[issuer] = k->version;
	return true;
}

bool keys_flush(struct broker_edge *e)
{
	for (unsigned i = 0; e->owed != 0 && i < e->b->set->nissuers; i++) {
		if (!(e->owed & 1u << i))
			continue;
		if (!send_set(e, i))
			return false;
		e->owed &= ~(1u << i);
	}
	return true;
}

void keys_owe_all(struct broker_edge *e)
{
	for (unsigned i = 0; i < e->b->set->nissuers; i++)
		if (valid_ms(e->b, &e->b->keysets[i]) > 0)
			e->owed |= 1u << i;
}

const char *keys_asked(struct broker_edge *e, unsigned issuer)
{
	struct broker *b = e->b;
	struct broker_keyset *k;

	if (issuer >= b->set->nissuers || !b->set->issuers[issuer].keys)
		return "a question about an issuer without a key set to fetch";
	k = &b->keysets[issuer];
	/* An unknown kid costs whoever sends it nothing, so it may cost the issuer no more than one fetch a minute. */
	if (!k->fetching && k->have && (!k->forced || broker_now(b) - k->forced_ms >= BROKER_FORCE_MS)) {
		k->forced = true;
		k->forced_ms = broker_now(b);
		fetch_set(b, issuer);
	}
	if (k->fetching)
		k->askers |= UINT64_C(1) << e->worker;
	else
		e->owed |= 1u << issuer;
	return NULL;
}

/* ---- answers ---- */

/* What is wrong with the answer; absent: nothing, and the set is the one to use. */
static struct span judge(struct broker *b, struct broker_keyset *k, bool *changed, unsigned *status)
{
	struct jwk_set *fresh = &b->packet->keys.set;
	uint8_t hash[CRYPTO_HASH];
	struct span text;
	enum jwk_error e;

	*changed = false;
	if (fetch_why(k->fetch) == FETCH_TLS)
		return tls_error_text(fetch_tls_why(k->fetch));
	if (fetch_why(k->fetch) != FETCH_OK)
		return fetch_end_text(fetch_why(k->fetch));
	if (fetch_status(k->fetch) != 200) {
		*status = fetch_status(k->fetch);
		return SPAN("answered with HTTP status");
	}
	if (!fetch_is(k->fetch, SPAN("jwk-set+json")) && !fetch_is(k->fetch, SPAN("json")))
		return SPAN("sent no JSON");
	text = fetch_body(k->fetch);
	crypto_sha256(text.p, text.n, hash);
	if (k->version > 0 && crypto_equal(hash, k->hash, sizeof hash)) {
		if (valid_ms(b, k) < BROKER_FORCE_MS)
			k->version++; /* workers may have given it up: it is sent as a new one */
		return span_of(NULL, 0);
	}
	memset(fresh, 0, sizeof *fresh);
	e = jwk_set_read(fresh, b->json, text);
	if (e != JWK_OK)
		return jwk_error_text(e);
	k->set = *fresh;
	memcpy(k->hash, hash, sizeof hash);
	k->version++;
	*changed = true;
	return span_of(NULL, 0);
}

static int64_t retry_ms(const struct broker_keyset *k)
{
	int64_t ms = BROKER_KEYS_FIRST_MS;

	if (k->have)
		return BROKER_KEYS_RETRY_MS;
	for (unsigned i = 1; i < k->failures && ms < BROKER_KEYS_FIRST_MAX_MS; i++)
		ms *= 2;
	return ms < BROKER_KEYS_FIRST_MAX_MS ? ms : BROKER_KEYS_FIRST_MAX_MS;
}

static int64_t refresh_ms(const struct broker_keyset *k)
{
	int64_t ms = fetch_fresh_ms(k->fetch);

	if (ms < 0)
		return BROKER_KEYS_MS;
	return ms < BROKER_KEYS_MIN_MS ? BROKER_KEYS_MIN_MS : ms > BROKER_KEYS_MAX_MS ? BROKER_KEYS_MAX_MS : ms;
}

static struct span number(struct buf *b, unsigned n)
{
	buf_char(b, ' ');
	buf_u64(b, n);
	return buf_span(b);
}

static void finish(struct broker *b, unsigned issuer)
{
	struct broker_keyset *k = &b->keysets[issuer];
	struct span who = b->set->issuers[issuer].name;
	char mem[32];
	struct buf digits = buf_on(mem, sizeof mem);
	bool changed;
	unsigned status = 0;
	struct span wrong = judge(b, k, &changed, &status);
	uint64_t tell = k->askers;

	if (span_absent(wrong)) {
		k->have = true;
		k->got_ms = broker_now(b);
		k->next_ms = broker_now(b) + refresh_ms(k);
		k->failures = 0;
		tell = UINT64_MAX; /* the same set is news as well: it may be used for longer */
		if (changed)
			broker_say(b, SPAN("has a new key set of issuer"), who, SPAN("keys:"), number(&digits, k->set.n));
	} else {
		k->failures++;
		k->next_ms = broker_now(b) + retry_ms(k);
		broker_say(b, SPAN("could not fetch the key set of issuer"), who, wrong, status ? number(&digits, status) : SPAN(""));
	}
	k->askers = 0;
	k->fetching = false;
	fetch_clear(k->fetch);
	for (unsigned i = 0; i < b->set->workers; i++)
		if (b->edges[i].item.fd >= 0 && (tell & UINT64_C(1) << i))
			b->edges[i].owed |= 1u << issuer;
}

void keys_tick(struct broker *b)
{
	for (unsigned i = 0; i < b->set->nissuers; i++) {
		struct broker_keyset *k = &b->keysets[i];

		if (!b->set->issuers[i].keys || !b->opened)
			continue;
		if (k->fetching && fetch_state(k->fetch) == FETCH_DONE)
			finish(b, i);
		if (k->have && valid_ms(b, k) <= 0) {
			k->have = false;
			broker_say(b, SPAN("has given up the key set of issuer"), b->set->issuers[i].name, SPAN("it is 24 hours old"), SPAN(""));
		}
		if (!k->fetching && broker_now(b) >= k->next_ms)
			fetch_set(b, i);
	}
}

int64_t keys_next_ms(const struct broker *b)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; b->opened && i < b->set->nissuers; i++) {
		const struct broker_keyset *k = &b->keysets[i];

		if (!b->set->issuers[i].keys)
			continue;
		if (!k->fetching && k->next_ms < next)
			next = k->next_ms;
		if (k->have && k->got_ms + BROKER_KEYS_AGE_MS < next)
			next = k->got_ms + BROKER_KEYS_AGE_MS;
	}
	return next;
}
