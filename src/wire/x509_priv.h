/* wire/x509_priv.h: shared by x509*.c and tls_chain.c: a certificate taken apart, and what a set of trust anchors is inside. */
#ifndef POSTERN_WIRE_X509_PRIV_H
#define POSTERN_WIRE_X509_PRIV_H

#include <bearssl.h>

#include "wire/x509.h"

/* What trust anchors need besides; spans point into `der`. */
struct x509_parts {
	struct span subject;       /* the Name, with its header */
	struct span rsa_n, rsa_e;  /* big-endian, without leading zeros; RSA keys only */
	struct span point;         /* uncompressed; EC keys only */
};

/* x509_read() and this are the same reading. */
enum x509_error x509_split(struct x509_cert *c, struct x509_parts *parts, struct span der);

struct x509_anchors {
	br_x509_trust_anchor *list;
	unsigned n;
};

#endif
