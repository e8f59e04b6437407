#include "wire/tls_priv.h"

#include "wire/x509_priv.h"

/* BearSSL shows each certificate of the peer in pieces. Its own engine sees all; the leaf is kept besides, for what that engine does not
 * look at. */
#define CHAIN_OF(address) TLS_OF(address, chain_hook)

enum { DAYS_TO_1970 = 719528, DAY_S = 86400 };

static const struct x509_anchors *anchors_of(const struct tls *t) { return t->door != NULL ? t->door->clients : t->route->anchors; }

static void start_chain(const br_x509_class **address, const char *server_name)
{
	struct tls *t = CHAIN_OF(address);
	struct tls_hand *h = t->hand;
	int64_t now_s = t->now_ms / 1000;

	h->nleaf = 0;
	h->begun = true;
	h->ncerts = 0;
	h->error = 0;
	br_x509_minimal_init(&h->x509, &br_sha256_vtable, anchors_of(t)->list, anchors_of(t)->n);
	tls_suite_chain(&h->x509, tls_cnsa(t));
	br_x509_minimal_set_time(&h->x509, (uint32_t)(now_s / DAY_S + DAYS_TO_1970), (uint32_t)(now_s % DAY_S));
	h->x509.vtable->start_chain(&h->x509.vtable, server_name);
}

static void start_cert(const br_x509_class **address, uint32_t length)
{
	struct tls_hand *h = CHAIN_OF(address)->hand;

	if (h->ncerts++ == TLS_CHAIN_MAX || length > X509_DER_MAX)
		h->error = BR_ERR_X509_LIMIT_EXCEEDED;
	if (h->error == 0)
		h->x509.vtable->start_cert(&h->x509.vtable, length);
}

static void append(const br_x509_class **address, const unsigned char *bytes, size_t n)
{
	struct tls_hand *h = CHAIN_OF(address)->hand;

	if (h->error != 0)
		return;
	if (h->ncerts == 1) {
		if (n > X509_DER_MAX - h->nleaf) {
			h->error = BR_ERR_X509_LIMIT_EXCEEDED;
			return;
		}
		memcpy(h->leaf + h->nleaf, bytes, n);
		h->nleaf += n;
	}
	h->x509.vtable->append(&h->x509.vtable, bytes, n);
}

static void end_cert(const br_x509_class **address)
{
	struct tls_hand *h = CHAIN_OF(address)->hand;

	if (h->error == 0)
		h->x509.vtable->end_cert(&h->x509.vtable);
}

static bool add_name(struct tls_peer *p, struct span name, bool uri)
{
	if (p->nnames == TLS_PEER_NAMES || name.n > TLS_PEER_NAME)
		return false;
	p->names[p->nnames].uri = uri;
	p->names[p->nnames].n = (uint16_t)name.n;
	memcpy(p->names[p->nnames++].text, name.p, name.n);
	return true;
}

static unsigned keep_client(struct tls *t, const struct x509_cert *c)
{
	struct tls_peer *p = &t->peer;

	if (c->has_eku && !c->eku_client)
		return BR_ERR_X509_FORBIDDEN_KEY_USAGE;
	p->nnames = 0;
	for (unsigned i = 0; i < c->ndns; i++)
		if (!add_name(p, c->dns[i], false))
			return BR_ERR_X509_LIMIT_EXCEEDED;
	for (unsigned i = 0; i < c->nuri; i++)
		if (!add_name(p, c->uri[i], true))
			return BR_ERR_X509_LIMIT_EXCEEDED;
	memcpy(p->fingerprint, c->fingerprint, sizeof(p->fingerprint));
	p->until_ms = c->until_ms;
	p->there = true;
	return 0;
}

static unsigned check_server(struct tls *t, const struct x509_cert *c)
{
	if (c->has_eku && !c->eku_server)
		return BR_ERR_X509_FORBIDDEN_KEY_USAGE;
	t->until_ms = c->until_ms;
	for (unsigned i = 0; i < c->ndns; i++)
		if (x509_name_matches(c->dns[i], t->route->name))
			return 0;
	return BR_ERR_X509_BAD_SERVER_NAME;
}

/* What BearSSL does not look at. The leaf may be an anchor itself, in which case it has looked at the key alone. */
static unsigned check_leaf(struct tls *t)
{
	struct x509_cert c;
	enum x509_error e = x509_read(&c, span_of((const char *)t->hand->leaf, t->hand->nleaf));

	if (e != X509_OK)
		return e == X509_WRONG_KEY ? BR_ERR_X509_WEAK_PUBLIC_KEY : e == X509_TOO_MANY ? BR_ERR_X509_LIMIT_EXCEEDED : BR_ERR_X509_UNEXPECTED;
	if (t->now_ms < c.from_ms || t->now_ms > c.until_ms)
		return BR_ERR_X509_EXPIRED;
	if (tls_cnsa(t) && !x509_cnsa(&c))
		return BR_ERR_X509_WEAK_PUBLIC_KEY;
	if (c.ca)
		return BR_ERR_X509_FORBIDDEN_KEY_USAGE;
	return t->door != NULL ? keep_client(t, &c) : check_server(t, &c);
}

static unsigned end_chain(const br_x509_class **address)
{
	struct tls *t = CHAIN_OF(address);
	struct tls_hand *h = t->hand;
	unsigned e = h->x509.vtable->end_chain(&h->x509.vtable);

	if (h->error != 0)
		e = h->error;
	else if (e == 0)
		e = check_leaf(t);
	/* Said here as well, since BearSSL goes on without a client's certificate if it is optional. */
	if (e != 0) {
		t->refused = e == BR_ERR_X509_FORBIDDEN_KEY_USAGE ? TLS_PURPOSE : TLS_CERTIFICATE;
		h->error = e;
	}
	return e;
}

static const br_x509_pkey *get_pkey(const br_x509_class *const *address, unsigned *usages)
{
	struct tls_hand *h = CHAIN_OF(address)->hand;

	return h->error != 0 ? NULL : h->x509.vtable->get_pkey(&h->x509.vtable, usages);
}

const br_x509_class tls_chain_class = { sizeof(const br_x509_class *), start_chain, start_cert, append, end_cert, end_chain, get_pkey };
