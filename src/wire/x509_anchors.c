#include "wire/x509_priv.h"

#include <stdalign.h>

enum { BLOCK_MIN = 64 }; /* no certificate has a shorter PEM block */

static size_t aligned(size_t n) { return (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t); }

static size_t table_size(struct span pem)
{
	size_t blocks = pem.n / BLOCK_MIN + 1;

	return aligned((blocks < X509_ANCHORS_MAX ? blocks : X509_ANCHORS_MAX) * sizeof(br_x509_trust_anchor));
}

size_t x509_anchors_need(struct span pem)
{
	/* The set, its table, and the certificates themselves; and what an unaligned beginning may cost. */
	return alignof(max_align_t) + aligned(sizeof(struct x509_anchors)) + table_size(pem) + pem.n / 4 * 3 + 3;
}

static unsigned char *bytes(struct span s)
{
	return (unsigned char *)(uintptr_t)s.p; /* BearSSL only reads them */
}

static void anchor(br_x509_trust_anchor *a, const struct x509_cert *c, const struct x509_parts *p)
{
	*a = (br_x509_trust_anchor){ .dn = { bytes(p->subject), p->subject.n }, .flags = c->ca ? BR_X509_TA_CA : 0 };
	if (c->key == X509_RSA) {
		a->pkey.key_type = BR_KEYTYPE_RSA;
		a->pkey.key.rsa = (br_rsa_public_key){ bytes(p->rsa_n), p->rsa_n.n, bytes(p->rsa_e), p->rsa_e.n };
	} else {
		a->pkey.key_type = BR_KEYTYPE_EC;
		a->pkey.key.ec = (br_ec_public_key){ c->key == X509_P256 ? BR_EC_secp256r1 : BR_EC_secp384r1, bytes(p->point), p->point.n };
	}
}

enum x509_error x509_anchors_read(struct span pem, void *mem, size_t size, const struct x509_anchors **anchors, unsigned *n)
{
	struct span der[X509_ANCHORS_MAX];
	struct x509_cert c;
	struct x509_parts parts;
	struct x509_anchors *set;
	struct buf out;
	enum x509_error e;
	size_t skip = (alignof(max_align_t) - (uintptr_t)mem % alignof(max_align_t)) % alignof(max_align_t);
	size_t head = skip + aligned(sizeof(*set)), table = table_size(pem);

	*n = 0;
	if (size < head || size - head < table)
		return X509_TOO_LONG;
	set = (void *)((char *)mem + skip);
	*set = (struct x509_anchors){ .list = (void *)((char *)mem + head) };
	out = buf_on((char *)mem + head + table, size - head - table);
	e = x509_pem_chain(pem, &out, der, X509_ANCHORS_MAX, n);
	for (unsigned i = 0; i < *n && e == X509_OK; i++) {
		e = x509_split(&c, &parts, der[i]);
		if (e == X509_OK)
			anchor(&set->list[set->n++], &c, &parts);
	}
	*n = set->n;
	if (e == X509_OK)
		*anchors = set;
	return e;
}

bool x509_anchors_sign(const struct x509_anchors *anchors)
{
	for (size_t i = 0; i < anchors->n; i++)
		if ((anchors->list[i].flags & BR_X509_TA_CA) == 0)
			return false;
	return true;
}
