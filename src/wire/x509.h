/* wire/x509.h: certificates as files have them: PEM to DER, what a certificate says (RFC 5280), and sets of trust anchors.
 *
 * Nothing here decides whether a chain is trusted: that is BearSSL's minimal engine inside wire/tls.h. This adds what that engine does not
 * look at (extendedKeyUsage, every subjectAltName, the fingerprint) and reads the files of the operator. No I/O, no time of its own. */
#ifndef POSTERN_WIRE_X509_H
#define POSTERN_WIRE_X509_H

#include "base/buf.h"

enum {
	X509_CHAIN_MAX = 6,        /* certificates in a chain of ours */
	X509_NAMES_MAX = 32,       /* names of one kind read from a certificate; more is X509_TOO_MANY */
	X509_ANCHORS_MAX = 32,     /* certificates in a file of trust anchors */
	X509_DER_MAX = 8192        /* bytes of one certificate */
};

enum x509_key { X509_RSA, X509_P256, X509_P384, X509_KEY_OTHER };

enum x509_error {
	X509_OK,
	X509_NO_PEM,               /* no "-----BEGIN CERTIFICATE-----" block at all */
	X509_BAD_PEM,              /* a block that does not end, or is not base64 */
	X509_BAD_DER,              /* not a certificate */
	X509_TOO_LONG,
	X509_TOO_MANY,
	X509_WRONG_KEY,            /* neither RSA of 2048 to 4096 bits nor P-256 nor P-384; all else was read */
	X509_PRIVATE,              /* a private key block in a file for certificates: it is public to every process, so this is refused */
	X509_ERRORS
};
struct span x509_error_text(enum x509_error e);

/* What a certificate says; spans point into `der`. */
struct x509_cert {
	struct span der;
	uint8_t fingerprint[32];   /* SHA-256 of der */
	enum x509_key key;
	unsigned key_bits;
	int64_t from_ms, until_ms; /* validity, Unix time */
	struct span dns[X509_NAMES_MAX];   /* subjectAltName dNSName */
	unsigned ndns;
	struct span uri[X509_NAMES_MAX];   /* subjectAltName uniformResourceIdentifier */
	unsigned nuri;
	bool has_eku, eku_server, eku_client; /* anyExtendedKeyUsage counts as neither; without the extension has_eku is false */
	bool ca;
};
enum x509_error x509_read(struct x509_cert *c, struct span der);
/* Good for the profile CNSA: a key on P-384, or RSA of 3072 bits or more. */
bool x509_cnsa(const struct x509_cert *c);

/* Every CERTIFICATE block of a PEM text (RFC 7468, in lines of 4 to 76 characters), decoded one behind the other into `out`; der[i] points
 * there. Text between blocks is skipped, a block of any other kind is refused. */
enum x509_error x509_pem_chain(struct span pem, struct buf *out, struct span *der, unsigned max, unsigned *n);

/* Trust anchors: made by x509_anchors_read() in memory the caller gives (x509_anchors_need() bytes for a PEM text), handed to wire/tls.h as
 * they are. Private inside: BearSSL's br_x509_trust_anchor. A certificate with CA:TRUE
 * signs others; one without is trusted for itself alone: for its subject and key, so whoever has that key may put into it what he likes. */
struct x509_anchors;
size_t x509_anchors_need(struct span pem);
enum x509_error x509_anchors_read(struct span pem, void *mem, size_t size, const struct x509_anchors **anchors, unsigned *n);
/* Each of them signs others: the names in a certificate that is accepted are then those that one of them has vouched for. */
bool x509_anchors_sign(const struct x509_anchors *anchors);

/* True if `host` (a name, ASCII; case does not count) is what the dNSName `pattern` says: equal, or "*." for exactly one label. An address
 * is no name and matches nothing. */
bool x509_name_matches(struct span pattern, struct span host);

#endif
