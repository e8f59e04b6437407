/* First byte: a PEM text, or one certificate in DER. What is read lies within the input; where BearSSL's own decoder reads the certificate
 * too, it sees the same key, and the same certificate as a CA's. */
#include <stdlib.h>

#include "wire/x509_der.h"
#include "wire/x509_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHAIN = 40, ROOM = 1 << 17 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void within(struct span s, struct span der) { must(span_absent(s) || (s.p >= der.p && s.p + s.n <= der.p + der.n)); }

static void same_key(const struct x509_cert *c, const struct x509_parts *p)
{
	static br_x509_decoder_context d;
	const br_x509_pkey *key;

	br_x509_decoder_init(&d, NULL, NULL);
	br_x509_decoder_push(&d, c->der.p, c->der.n);
	if (br_x509_decoder_last_error(&d) != 0)
		return;
	key = br_x509_decoder_get_pkey(&d);
	must((br_x509_decoder_isCA(&d) != 0) == c->ca);
	if (key->key_type == BR_KEYTYPE_RSA) {
		const unsigned char *n = key->key.rsa.n;
		size_t skip = 0;

		while (skip < key->key.rsa.nlen && n[skip] == 0)
			skip++;
		must(c->key == X509_RSA && key->key.rsa.nlen - skip == p->rsa_n.n && memcmp(n + skip, p->rsa_n.p, p->rsa_n.n) == 0);
	} else {
		must(c->key == (key->key.ec.curve == BR_EC_secp256r1 ? X509_P256 : X509_P384));
		must(key->key.ec.qlen == p->point.n && memcmp(key->key.ec.q, p->point.p, p->point.n) == 0);
	}
}

static void certificate(struct span der)
{
	struct x509_cert c, again;
	struct x509_parts p;
	enum x509_error e = x509_split(&c, &p, der);

	must(c.ndns <= X509_NAMES_MAX && c.nuri <= X509_NAMES_MAX && (int)e < X509_ERRORS);
	for (unsigned i = 0; i < c.ndns; i++) {
		within(c.dns[i], der);
		must(!x509_name_matches(c.dns[i], span_of("", 0)));
		x509_name_matches(c.dns[i], i > 0 ? c.dns[i - 1] : SPAN("a.test"));
	}
	for (unsigned i = 0; i < c.nuri; i++)
		within(c.uri[i], der);
	within(p.subject, der);
	within(p.rsa_n, der);
	within(p.rsa_e, der);
	within(p.point, der);
	must(x509_read(&again, der) == e && again.ndns == c.ndns && again.nuri == c.nuri && again.until_ms == c.until_ms);
	if (e == X509_OK) {
		must(c.key != X509_KEY_OTHER && (c.has_eku || (!c.eku_client && !c.eku_server)));
		same_key(&c, &p);
	}
}

static void text(struct span pem)
{
	static char mem[ROOM], place[ROOM];
	struct span der[CHAIN];
	struct buf out = buf_on(mem, sizeof mem);
	const struct x509_anchors *a = NULL;
	unsigned n = 0, m = 0;
	enum x509_error e = x509_pem_chain(pem, &out, der, CHAIN, &n), f;
	size_t need = x509_anchors_need(pem), at = 0;

	must(n <= CHAIN && (e != X509_OK || n > 0));
	for (unsigned i = 0; i < n; i++) {
		must(der[i].p == mem + at && der[i].n > 0);
		at += der[i].n;
		certificate(der[i]);
	}
	must(at <= out.n);
	if (need > sizeof place)
		return;
	f = x509_anchors_read(pem, place, need, &a, &m);
	must(f != X509_OK || (e == X509_OK && m == n && a != NULL && a->n == n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;

	if (size < 1)
		return 0;
	in = span_of((const char *)data + 1, size - 1);
	if (data[0] % 2 == 0)
		text(in);
	else
		certificate(in);
	return 0;
}
