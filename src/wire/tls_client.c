#include "wire/tls_priv.h"

#include "base/bug.h"

#define OWN_OF(address) TLS_OF(address, own_hook)

enum { NAME_MAX_BYTES = 255 };

/* The names of anchors that the server sends are not looked at: there is one certificate to show, or none. */
static void no_list(const br_ssl_client_certificate_class **address) { (void)address; }
static void no_name(const br_ssl_client_certificate_class **address, size_t n) { (void)address, (void)n; }
static void no_bytes(const br_ssl_client_certificate_class **address, const unsigned char *p, size_t n) { (void)address, (void)p, (void)n; }

static void choose(const br_ssl_client_certificate_class **address, const br_ssl_client_context *c, uint32_t auth_types,
	br_ssl_client_certificate *choices)
{
	struct tls *t = OWN_OF(address);
	const struct tls_cert *own = t->route->own;
	bool rsa = own->leaf.key == X509_RSA;
	int hash = tls_suite_hash(own->leaf.key, (rsa ? auth_types : auth_types >> 8) & 0xFF);

	(void)c;
	memset(choices, 0, sizeof(*choices));
	if (hash == 0 || own->nchain == 0 || own->nchain > X509_CHAIN_MAX)
		return;
	choices->auth_type = rsa ? BR_AUTH_RSA : BR_AUTH_ECDSA;
	choices->hash_id = hash;
	choices->chain = tls_own_chain(t, own);
	choices->chain_len = own->nchain;
}

static uint32_t no_keyx(const br_ssl_client_certificate_class **address, unsigned char *data, size_t *len)
{
	(void)address, (void)data, (void)len;
	return 0;
}

static size_t do_sign(const br_ssl_client_certificate_class **address, int hash_id, size_t hash_len, unsigned char *data, size_t max)
{
	struct tls *t = OWN_OF(address);

	return tls_own_sign(t, t->route->signer, hash_id, data, hash_len, max);
}

static const br_ssl_client_certificate_class own_class = {
	sizeof(const br_ssl_client_certificate_class *), no_list, no_name, no_bytes, no_list, no_list, choose, no_keyx, do_sign
};

void tls_start_client(struct tls *t, const struct tls_route *route, const uint8_t seed[TLS_SEED], int64_t now_unix_ms, void *in, void *out)
{
	br_ssl_client_context *c = &t->br.client;
	br_ssl_session_parameters session;
	char name[NAME_MAX_BYTES + 1];

	if (route->name.n == 0 || route->name.n > NAME_MAX_BYTES || memchr(route->name.p, 0, route->name.n) != NULL)
		bug("a TLS upstream without a name");
	memcpy(name, route->name.p, route->name.n);
	name[route->name.n] = '\0';
	tls_begin(t, now_unix_ms, in, out);
	t->route = route;
	tls_suite_set(&c->eng, route->cnsa, seed);
	t->chain_hook = &tls_chain_class;
	br_ssl_engine_set_x509(&c->eng, &t->chain_hook);
	if (route->own != NULL) {
		t->own_hook = &own_class;
		br_ssl_client_set_client_certificate(c, &t->own_hook);
	}
	if (route->cache != NULL && tls_cache_newest(route->cache, &session, t->now_ms)) {
		t->offered = true;
		br_ssl_engine_set_session_parameters(&c->eng, &session);
	}
	br_ssl_client_reset(c, name, t->offered);
	tls_settle(t);
}
