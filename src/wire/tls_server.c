#include "wire/tls_priv.h"

#include "base/bug.h"
#include "wire/x509_priv.h"

#define POLICY_OF(address) TLS_OF(address, policy_hook)
#define CACHE_OF(address) TLS_OF(address, cache_hook)

/* BearSSL's description of a suite has the kind of key in its highest four bits. */
enum { KIND_RSA = 1, KIND_ECDSA = 2 };

/* This certificate can be used with that suite and this client: the hash for its signature, else 0. */
static int usable(const struct tls *t, const struct tls_cert *c, const br_suite_translated suite)
{
	const br_ssl_server_context *s = &t->br.server;
	uint32_t hashes = br_ssl_server_get_client_hashes(s);
	unsigned kind = suite[1] >> 12;
	int curve = c->leaf.key == X509_P256 ? BR_EC_secp256r1 : BR_EC_secp384r1;

	if (c->nchain == 0 || c->nchain > X509_CHAIN_MAX || (t->door->cnsa && !x509_cnsa(&c->leaf)))
		return 0;
	if (c->leaf.key == X509_RSA)
		return kind == KIND_RSA ? tls_suite_hash(X509_RSA, hashes & 0xFF) : 0;
	if (kind != KIND_ECDSA || c->leaf.key == X509_KEY_OTHER || (br_ssl_server_get_client_curves(s) >> curve & 1) == 0)
		return 0;
	return tls_suite_hash(c->leaf.key, hashes >> 8 & 0xFF);
}

static bool serves(const struct tls_cert *c, struct span host)
{
	for (unsigned i = 0; i < c->leaf.ndns; i++)
		if (x509_name_matches(c->leaf.dns[i], host))
			return true;
	return false;
}

static int take(struct tls *t, const struct tls_cert *c, const br_suite_translated suite, int hash, br_ssl_server_choices *choices)
{
	choices->cipher_suite = suite[0];
	choices->algo_id = 0xFF00u + (unsigned)hash;
	choices->chain = tls_own_chain(t, c);
	choices->chain_len = c->nchain;
	return 1;
}

static int choose(const br_ssl_server_policy_class **address, const br_ssl_server_context *s, br_ssl_server_choices *choices)
{
	struct tls *t = POLICY_OF(address);
	const struct tls_door *d = t->door;
	struct span host = span_z(br_ssl_engine_get_server_name(&s->eng));
	size_t nsuites;
	const br_suite_translated *suites = br_ssl_server_get_client_suites(s, &nsuites);
	int hash;

	t->resumed = false;
	/* By name: the best suite that one of its certificates can serve. */
	for (size_t i = 0; i < nsuites && host.n > 0; i++)
		for (unsigned k = 0; k < d->ncerts; k++)
			if (serves(&d->certs[k], host) && (hash = usable(t, &d->certs[k], suites[i])) != 0)
				return take(t, &d->certs[k], suites[i], hash, choices);
	/* Otherwise the first certificate that can serve any. */
	for (unsigned k = 0; k < d->ncerts; k++)
		for (size_t i = 0; i < nsuites; i++)
			if ((hash = usable(t, &d->certs[k], suites[i])) != 0)
				return take(t, &d->certs[k], suites[i], hash, choices);
	return 0;
}

static uint32_t no_keyx(const br_ssl_server_policy_class **address, unsigned char *data, size_t *len)
{
	(void)address, (void)data, (void)len;
	return 0; /* keys that only sign: no suite that we offer comes here */
}

static size_t do_sign(const br_ssl_server_policy_class **address, unsigned algo_id, unsigned char *data, size_t hash_len, size_t max)
{
	struct tls *t = POLICY_OF(address);

	return tls_own_sign(t, t->door->signer, (int)(algo_id & 0xFF), data, hash_len, max);
}

static const br_ssl_server_policy_class policy_class = { sizeof(const br_ssl_server_policy_class *), choose, no_keyx, do_sign };

static void save(const br_ssl_session_cache_class **address, br_ssl_server_context *s, const br_ssl_session_parameters *session)
{
	struct tls *t = CACHE_OF(address);

	tls_cache_save(t->door->cache, session, tls_cache_name(span_z(br_ssl_engine_get_server_name(&s->eng))), t->now_ms,
		t->now_ms + TLS_SESSION_MS);
}

static int load(const br_ssl_session_cache_class **address, br_ssl_server_context *s, br_ssl_session_parameters *session)
{
	struct tls *t = CACHE_OF(address);

	(void)s;
	t->resumed = tls_cache_load(t->door->cache, session, &t->name, t->now_ms); /* taken back by choose() */
	return t->resumed;
}

static const br_ssl_session_cache_class cache_class = { sizeof(const br_ssl_session_cache_class *), save, load };

void tls_start_server(struct tls *t, const struct tls_door *door, const uint8_t seed[TLS_SEED], int64_t now_unix_ms, void *in, void *out)
{
	br_ssl_server_context *s = &t->br.server;

	if (door->ncerts == 0 || door->signer == NULL)
		bug("a TLS listener without certificate or signer");
	tls_begin(t, now_unix_ms, in, out);
	t->door = door;
	tls_suite_set(&s->eng, door->cnsa, seed);
	t->policy_hook = &policy_class;
	br_ssl_server_set_policy(s, &t->policy_hook);
	if (door->clients != NULL) {
		t->peer.there = false;
		t->chain_hook = &tls_chain_class;
		br_ssl_engine_set_x509(&s->eng, &t->chain_hook);
		br_ssl_server_set_trust_anchor_names_alt(s, door->clients->list, door->clients->n);
		if (!door->client_required)
			br_ssl_engine_add_flags(&s->eng, BR_OPT_TOLERATE_NO_CLIENT_AUTH);
	} else if (door->cache != NULL) {
		t->cache_hook = &cache_class;
		br_ssl_server_set_cache(s, &t->cache_hook);
	}
	br_ssl_server_reset(s);
	s->eng.version_out = BR_TLS10; /* of alerts, as long as no version is agreed upon: old clients are to understand them */
	tls_settle(t);
}

const struct tls_peer *tls_peer(const struct tls *t)
{
	return t->door != NULL && t->door->clients != NULL && t->established && t->peer.there ? &t->peer : NULL;
}
