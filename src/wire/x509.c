#include "wire/x509_priv.h"

#include "wire/crypto.h"
#include "wire/x509_der.h"

/* Tags of the certificate's own (RFC 5280 4.1). */
enum { TAG_VERSION = 0xA0, TAG_ISSUER_ID = 0x81, TAG_SUBJECT_ID = 0x82, TAG_EXTENSIONS = 0xA3, TAG_DNS = 0x82, TAG_URI = 0x86 };
enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 4096, RSA_EXPONENT_MAX = 8, P256_POINT = 65, P384_POINT = 97, SERIAL_MAX = 20 };

#define OID_RSA      SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")
#define OID_EC       SPAN("\x2a\x86\x48\xce\x3d\x02\x01")
#define OID_P256     SPAN("\x2a\x86\x48\xce\x3d\x03\x01\x07")
#define OID_P384     SPAN("\x2b\x81\x04\x00\x22")
#define OID_SAN      SPAN("\x55\x1d\x11")
#define OID_BASIC    SPAN("\x55\x1d\x13")
#define OID_EKU      SPAN("\x55\x1d\x25")
#define OID_SERVER   SPAN("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define OID_CLIENT   SPAN("\x2b\x06\x01\x05\x05\x07\x03\x02")

struct span x509_error_text(enum x509_error e)
{
	switch (e) {
	case X509_OK: return SPAN("nothing is wrong");
	case X509_NO_PEM: return SPAN("there is no \"-----BEGIN CERTIFICATE-----\" block");
	case X509_BAD_PEM: return SPAN("a block does not end, is not base64 in lines, or is not a certificate");
	case X509_BAD_DER: return SPAN("a block is not a certificate of RFC 5280");
	case X509_TOO_LONG: return SPAN("a certificate is larger than 8192 bytes");
	case X509_TOO_MANY: return SPAN("there are too many certificates, or too many names in one");
	case X509_WRONG_KEY: return SPAN("the key is neither RSA of 2048 to 4096 bits nor on P-256 nor on P-384");
	case X509_PRIVATE: return SPAN("there is a private key in a file for certificates, which every process may read; give it a file of its own");
	case X509_ERRORS: break;
	}
	return SPAN("unknown");
}

static bool ec_point(struct x509_cert *c, struct x509_parts *parts, struct span curve, struct span key)
{
	if (span_eq(curve, OID_P256)) {
		if (key.n != P256_POINT || key.p[0] != 4)
			return false;
		c->key = X509_P256;
		c->key_bits = 256;
	} else if (span_eq(curve, OID_P384)) {
		if (key.n != P384_POINT || key.p[0] != 4)
			return false;
		c->key = X509_P384;
		c->key_bits = 384;
	}
	parts->point = key;
	return true;
}

static bool rsa_key(struct x509_cert *c, struct x509_parts *parts, struct span key)
{
	struct span pair;
	unsigned top;

	if (!der_take(&key, DER_SEQUENCE, &pair) || key.n > 0 || !der_positive(&pair, &parts->rsa_n) || !der_positive(&pair, &parts->rsa_e)
	    || pair.n > 0)
		return false;
	top = (unsigned char)parts->rsa_n.p[0];
	c->key_bits = (unsigned)parts->rsa_n.n * 8;
	for (unsigned bit = 0x80; bit > 0 && (top & bit) == 0; bit >>= 1)
		c->key_bits--;
	/* Odd modulus, odd exponent from 3 on: anything else is no RSA key. */
	if ((parts->rsa_n.p[parts->rsa_n.n - 1] & 1) == 0 || (parts->rsa_e.p[parts->rsa_e.n - 1] & 1) == 0
	    || (parts->rsa_e.n == 1 && parts->rsa_e.p[0] == 1))
		return false;
	if (c->key_bits >= RSA_BITS_MIN && c->key_bits <= RSA_BITS_MAX && parts->rsa_e.n <= RSA_EXPONENT_MAX)
		c->key = X509_RSA;
	return true;
}

/* SubjectPublicKeyInfo. A key of another kind is not wrong here; c->key then says X509_KEY_OTHER. */
static bool public_key(struct x509_cert *c, struct x509_parts *parts, struct span info)
{
	struct span algorithm, oid, rest, bits, none;

	c->key = X509_KEY_OTHER;
	if (!der_take(&info, DER_SEQUENCE, &algorithm) || !der_take(&info, DER_BITS, &bits) || info.n > 0 || bits.n < 2 || bits.p[0] != 0
	    || !der_take(&algorithm, DER_OID, &oid))
		return false;
	bits = span_from(bits, 1);
	rest = algorithm;
	if (span_eq(oid, OID_RSA))
		return der_take(&rest, DER_NULL, &none) && none.n == 0 && rest.n == 0 && rsa_key(c, parts, bits);
	if (span_eq(oid, OID_EC) && der_take(&rest, DER_OID, &none))
		return rest.n == 0 && ec_point(c, parts, none, bits);
	return true;
}

/* Printable ASCII: no NUL, no space, nothing that two readers could take for different things. */
static bool plain_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static enum x509_error alt_names(struct x509_cert *c, struct span value)
{
	struct span names, name;
	unsigned tag;

	if (!der_take(&value, DER_SEQUENCE, &names) || value.n > 0 || names.n == 0)
		return X509_BAD_DER;
	while (names.n > 0) { /* each takes at least two bytes off */
		if (!der_any(&names, &tag, &name, NULL))
			return X509_BAD_DER;
		if (tag != TAG_DNS && tag != TAG_URI)
			continue;
		if (!plain_name(name))
			return X509_BAD_DER;
		if ((tag == TAG_DNS ? c->ndns : c->nuri) == X509_NAMES_MAX)
			return X509_TOO_MANY;
		if (tag == TAG_DNS)
			c->dns[c->ndns++] = name;
		else
			c->uri[c->nuri++] = name;
	}
	return X509_OK;
}

static bool key_purposes(struct x509_cert *c, struct span value)
{
	struct span purposes, oid;

	if (!der_take(&value, DER_SEQUENCE, &purposes) || value.n > 0 || purposes.n == 0)
		return false;
	c->has_eku = true;
	while (purposes.n > 0) {
		if (!der_take(&purposes, DER_OID, &oid))
			return false;
		c->eku_server |= span_eq(oid, OID_SERVER);
		c->eku_client |= span_eq(oid, OID_CLIENT);
	}
	return true;
}

static bool basic_constraints(struct x509_cert *c, struct span value)
{
	struct span s, ca, length;

	if (!der_take(&value, DER_SEQUENCE, &s) || value.n > 0 || !der_maybe(&s, DER_BOOLEAN, &ca) || !der_maybe(&s, DER_INTEGER, &length)
	    || s.n > 0)
		return false;
	if (!span_absent(ca) && (ca.n != 1 || (unsigned char)ca.p[0] != 0xFF))
		return false; /* FALSE is the default, which DER leaves out */
	c->ca = !span_absent(ca);
	return true;
}

static enum x509_error extensions(struct x509_cert *c, struct span list)
{
	enum { SEEN_SAN = 1, SEEN_EKU = 2, SEEN_BASIC = 4 };
	struct span extension, oid, critical, value;
	enum x509_error e = X509_OK;
	unsigned seen = 0, is;

	if (list.n == 0)
		return X509_BAD_DER;
	while (list.n > 0 && e == X509_OK) {
		if (!der_take(&list, DER_SEQUENCE, &extension) || !der_take(&extension, DER_OID, &oid)
		    || !der_maybe(&extension, DER_BOOLEAN, &critical) || !der_take(&extension, DER_OCTETS, &value) || extension.n > 0)
			return X509_BAD_DER;
		is = span_eq(oid, OID_SAN) ? SEEN_SAN : span_eq(oid, OID_EKU) ? SEEN_EKU : span_eq(oid, OID_BASIC) ? SEEN_BASIC : 0;
		if ((seen & is) != 0)
			return X509_BAD_DER; /* RFC 5280 4.2: no extension twice */
		seen |= is;
		if (is == SEEN_SAN)
			e = alt_names(c, value);
		else if ((is == SEEN_EKU && !key_purposes(c, value)) || (is == SEEN_BASIC && !basic_constraints(c, value)))
			e = X509_BAD_DER;
	}
	return e;
}

/* TBSCertificate, whose signature algorithm must be the outer one. */
static enum x509_error signed_part(struct x509_cert *c, struct x509_parts *parts, struct span tbs, struct span outer)
{
	struct span version, serial, algorithm, part, list;
	bool v3 = false;
	unsigned tag;

	if (!der_maybe(&tbs, TAG_VERSION, &version))
		return X509_BAD_DER;
	if (!span_absent(version)) {
		if (!der_take(&version, DER_INTEGER, &part) || version.n > 0 || part.n != 1 || (part.p[0] != 1 && part.p[0] != 2))
			return X509_BAD_DER;
		v3 = part.p[0] == 2;
	}
	if (!der_take(&tbs, DER_INTEGER, &serial) || serial.n == 0 || serial.n > SERIAL_MAX + 1 || !der_take(&tbs, DER_SEQUENCE, &algorithm)
	    || !span_eq(algorithm, outer) || !der_take(&tbs, DER_SEQUENCE, &part))
		return X509_BAD_DER;
	if (!der_take(&tbs, DER_SEQUENCE, &part) || !der_time(&part, &c->from_ms) || !der_time(&part, &c->until_ms) || part.n > 0)
		return X509_BAD_DER;
	if (!der_any(&tbs, &tag, &part, &parts->subject) || tag != DER_SEQUENCE || !der_take(&tbs, DER_SEQUENCE, &part)
	    || !public_key(c, parts, part))
		return X509_BAD_DER;
	if (!der_maybe(&tbs, TAG_ISSUER_ID, &part) || !der_maybe(&tbs, TAG_SUBJECT_ID, &part) || !der_maybe(&tbs, TAG_EXTENSIONS, &part)
	    || tbs.n > 0)
		return X509_BAD_DER;
	if (span_absent(part))
		return X509_OK;
	if (!v3 || !der_take(&part, DER_SEQUENCE, &list) || part.n > 0)
		return X509_BAD_DER;
	return extensions(c, list);
}

enum x509_error x509_split(struct x509_cert *c, struct x509_parts *parts, struct span der)
{
	struct span in = der, whole, tbs, algorithm, signature;
	enum x509_error e;

	*c = (struct x509_cert){ .der = der, .key = X509_KEY_OTHER };
	*parts = (struct x509_parts){ 0 };
	if (der.n > X509_DER_MAX)
		return X509_TOO_LONG;
	if (!der_take(&in, DER_SEQUENCE, &whole) || in.n > 0 || !der_take(&whole, DER_SEQUENCE, &tbs)
	    || !der_take(&whole, DER_SEQUENCE, &algorithm) || !der_take(&whole, DER_BITS, &signature) || whole.n > 0)
		return X509_BAD_DER;
	e = signed_part(c, parts, tbs, algorithm);
	if (e != X509_OK)
		return e;
	crypto_sha256(der.p, der.n, c->fingerprint);
	return c->key == X509_KEY_OTHER ? X509_WRONG_KEY : X509_OK;
}

enum x509_error x509_read(struct x509_cert *c, struct span der)
{
	struct x509_parts parts;

	return x509_split(c, &parts, der);
}

bool x509_cnsa(const struct x509_cert *c)
{
	return c->key == X509_P384 || (c->key == X509_RSA && c->key_bits >= 3072);
}

/* The last label consists of digits: an address, not a name. */
static bool is_address(struct span host)
{
	size_t i = host.n;

	while (i > 0 && host.p[i - 1] >= '0' && host.p[i - 1] <= '9')
		i--;
	return i < host.n && (i == 0 || host.p[i - 1] == '.');
}

bool x509_name_matches(struct span pattern, struct span host)
{
	size_t label = 0;

	if (host.n == 0 || pattern.n == 0 || is_address(host))
		return false;
	if (pattern.n <= 2 || pattern.p[0] != '*' || pattern.p[1] != '.')
		return span_ieq(pattern, host);
	while (label < host.n && host.p[label] != '.')
		label++;
	return label > 0 && span_ieq(span_from(pattern, 1), span_from(host, label));
}
