#include "wire/private_key.h"

#include <bearssl.h>

#include "wire/crypto.h"

enum { STACK_USED = 24 << 10 /* more than the deepest call below it takes */, PEM_STEPS = 4 * PRIVATE_KEY_TEXT_MAX };

struct bench {
	br_skey_decoder_context key;
	br_pem_decoder_context pem;
	unsigned keys;             /* blocks with a private key */
	bool encrypted;
};

struct span private_key_error_text(enum private_key_error e)
{
	static const char *const text[PRIVATE_KEY_ERRORS] = {
		[PRIVATE_KEY_OK] = "right",
		[PRIVATE_KEY_NONE] = "there is no private key in it",
		[PRIVATE_KEY_BAD_PEM] = "a PEM block in it does not end or is not base64",
		[PRIVATE_KEY_ENCRYPTED] = "the private key is encrypted; nobody is there to type a passphrase, so store it without one",
		[PRIVATE_KEY_TWO] = "there is more than one private key in it; leave only the one that is meant",
		[PRIVATE_KEY_BAD_DER] = "it is damaged: not the private key that it says it is",
		[PRIVATE_KEY_KIND] = "a key of another kind; RSA of 2048 to 4096 bits, P-256 and P-384 are right",
		[PRIVATE_KEY_FOREIGN] = "the private key does not belong to the certificate",
	};

	return span_z(e < PRIVATE_KEY_ERRORS ? text[e] : "?");
}

size_t private_key_bench(void) { return sizeof(struct bench); }

/* What the calls before have left on the stack goes. */
static __attribute__((noinline)) void wipe_stack(void)
{
	unsigned char used[STACK_USED];

	crypto_wipe(used, sizeof used);
}

/* ---- files ---- */

static void take(void *to, const void *bytes, size_t n)
{
	br_skey_decoder_push(to, bytes, n);
}

static void begin(struct bench *b)
{
	struct span name = span_z(br_pem_decoder_name(&b->pem));
	bool one = span_eq(name, SPAN("PRIVATE KEY")) || span_eq(name, SPAN("RSA PRIVATE KEY")) || span_eq(name, SPAN("EC PRIVATE KEY"));

	if (span_eq(name, SPAN("ENCRYPTED PRIVATE KEY")))
		b->encrypted = true;
	if (one)
		b->keys++;
	if (one && b->keys == 1)
		br_pem_decoder_setdest(&b->pem, take, &b->key);
	else
		br_pem_decoder_setdest(&b->pem, NULL, NULL);
}

/* RFC 1421's header fields, which the old encrypted form has, are not base64: looked for before. */
static bool holds(struct span text, struct span what)
{
	for (size_t i = 0; i + what.n <= text.n; i++)
		if (memcmp(text.p + i, what.p, what.n) == 0)
			return true;
	return false;
}

static enum private_key_error read_pem(struct bench *b, struct span text)
{
	const struct span parts[2] = { text, SPAN("\n") };
	bool open = false;

	if (holds(text, SPAN("Proc-Type: 4,ENCRYPTED")))
		return PRIVATE_KEY_ENCRYPTED;
	br_pem_decoder_init(&b->pem);
	for (unsigned part = 0, steps = 0; part < 2; part++)
		for (size_t at = 0; at < parts[part].n && steps < PEM_STEPS; steps++) {
			at += br_pem_decoder_push(&b->pem, parts[part].p + at, parts[part].n - at);
			switch (br_pem_decoder_event(&b->pem)) {
			case BR_PEM_BEGIN_OBJ:
				begin(b);
				open = true;
				break;
			case BR_PEM_END_OBJ:
				open = false;
				break;
			case BR_PEM_ERROR:
				return PRIVATE_KEY_BAD_PEM;
			}
		}
	if (b->encrypted)
		return PRIVATE_KEY_ENCRYPTED;
	if (open)
		return PRIVATE_KEY_BAD_PEM;
	if (b->keys != 1)
		return b->keys == 0 ? PRIVATE_KEY_NONE : PRIVATE_KEY_TWO;
	return PRIVATE_KEY_OK;
}

/* ---- RSA ---- */

static br_rsa_private_key rsa_of(const struct private_key *k)
{
	br_rsa_private_key r = { .n_bitlen = k->bits };
	uint8_t *part[5];

	for (unsigned i = 0; i < 5; i++) { /* BearSSL's structs know no const; it only reads */
		const uint8_t *from = k->part[i];

		memcpy(&part[i], &from, sizeof from);
	}
	r.p = part[0];
	r.q = part[1];
	r.dp = part[2];
	r.dq = part[3];
	r.iq = part[4];
	r.plen = k->part_n[0];
	r.qlen = k->part_n[1];
	r.dplen = k->part_n[2];
	r.dqlen = k->part_n[3];
	r.iqlen = k->part_n[4];
	return r;
}

static unsigned bits_of(const uint8_t *n, size_t len)
{
	unsigned bits = (unsigned)len * 8;

	for (unsigned top = n[0]; bits > 0 && !(top & 0x80); top <<= 1)
		bits--;
	return bits;
}

/* The modulus. (br_rsa_compute_modulus has no room for the one of 4096 bits, and br_rsa_compute_pubexp knows few exponents.) */
static void multiply(struct private_key *k)
{
	uint8_t product[2 * PRIVATE_KEY_PART] = { 0 };
	size_t plen = k->part_n[0], qlen = k->part_n[1], n = (k->bits + 7U) / 8, all = plen + qlen;

	for (size_t i = 0; i < plen; i++) {
		unsigned carry = 0;

		for (size_t j = 0; j < qlen; j++) {
			uint8_t *at = &product[all - 1 - i - j];
			unsigned sum = (unsigned)k->part[0][plen - 1 - i] * k->part[1][qlen - 1 - j] + *at + carry;

			*at = (uint8_t)sum;
			carry = sum >> 8;
		}
		product[all - 1 - i - qlen] = (uint8_t)carry;
	}
	memcpy(k->modulus, product + all - n, n); /* what is longer is no key: bits_of() tells */
	k->modulus_n = (uint16_t)n;
	for (size_t i = 0; i < all - n; i++)
		if (product[i])
			k->modulus[0] = 0;
}

static enum private_key_error take_rsa(struct private_key *k, const br_rsa_private_key *from)
{
	const uint8_t *part[5] = { from->p, from->q, from->dp, from->dq, from->iq };
	size_t n[5] = { from->plen, from->qlen, from->dplen, from->dqlen, from->iqlen };

	if (from->n_bitlen < 2048 || from->n_bitlen > 4096)
		return PRIVATE_KEY_KIND;
	for (unsigned i = 0; i < 5; i++) {
		while (n[i] > 0 && part[i][0] == 0)
			part[i]++, n[i]--;
		if (n[i] == 0 || n[i] > PRIVATE_KEY_PART)
			return PRIVATE_KEY_BAD_DER;
		memcpy(k->part[i], part[i], n[i]);
		k->part_n[i] = (uint16_t)n[i];
	}
	k->kind = X509_RSA;
	k->bits = (uint16_t)from->n_bitlen;
	/* p and q are odd, and together as long as the modulus: BearSSL takes that for granted. */
	if (!(k->part[0][n[0] - 1] & 1) || !(k->part[1][n[1] - 1] & 1) || (n[0] + n[1]) * 8 < from->n_bitlen
	    || (n[0] + n[1]) * 8 > from->n_bitlen + 16)
		return PRIVATE_KEY_BAD_DER;
	multiply(k);
	return bits_of(k->modulus, k->modulus_n) == k->bits ? PRIVATE_KEY_OK : PRIVATE_KEY_BAD_DER;
}

static const unsigned char *rsa_oid(enum tls_hash hash)
{
	return hash == TLS_SHA256 ? BR_HASH_OID_SHA256 : hash == TLS_SHA384 ? BR_HASH_OID_SHA384 : BR_HASH_OID_SHA512;
}

static bool rsa_verify(const struct private_key *k, enum tls_hash hash, struct span digest, const uint8_t *signature)
{
	br_rsa_public_key public;
	uint8_t modulus[sizeof k->modulus], exponent[sizeof k->exponent], out[64];

	memcpy(modulus, k->modulus, sizeof modulus);
	memcpy(exponent, k->exponent, sizeof exponent);
	public = (br_rsa_public_key){ modulus, k->modulus_n, exponent, k->exponent_n };
	return br_rsa_pkcs1_vrfy_get_default()(signature, k->modulus_n, rsa_oid(hash), digest.n, &public, out) == 1
		&& memcmp(out, digest.p, digest.n) == 0;
}

static size_t rsa_sign(const struct private_key *k, enum tls_hash hash, struct span digest, uint8_t *signature)
{
	br_rsa_private_key own = rsa_of(k);

	if (br_rsa_pkcs1_sign_get_default()(rsa_oid(hash), (const unsigned char *)digest.p, digest.n, &own, signature) == 1
	    && rsa_verify(k, hash, digest, signature))
		return k->modulus_n;
	crypto_wipe(signature, k->modulus_n);
	return 0;
}

/* ---- elliptic curves ---- */

static int curve_of(const struct private_key *k) { return k->kind == X509_P256 ? BR_EC_secp256r1 : BR_EC_secp384r1; }

static br_ec_private_key ec_of(const struct private_key *k)
{
	const uint8_t *x = k->part[0];
	br_ec_private_key e = { .curve = curve_of(k), .xlen = k->part_n[0] };

	memcpy(&e.x, &x, sizeof x);
	return e;
}

static enum private_key_error take_ec(struct private_key *k, const br_ec_private_key *from)
{
	const uint8_t *x = from->x;
	const unsigned char *order;
	size_t n = from->xlen, order_n;

	if (from->curve != BR_EC_secp256r1 && from->curve != BR_EC_secp384r1)
		return PRIVATE_KEY_KIND;
	k->kind = from->curve == BR_EC_secp256r1 ? X509_P256 : X509_P384;
	k->bits = k->kind == X509_P256 ? 256 : 384;
	while (n > 0 && x[0] == 0)
		x++, n--;
	order = br_ec_get_default()->order(from->curve, &order_n);
	/* 1 to the order less 1, in the order's length. */
	if (n == 0 || n > order_n)
		return PRIVATE_KEY_BAD_DER;
	memcpy(k->part[0] + order_n - n, x, n);
	k->part_n[0] = (uint16_t)order_n;
	return memcmp(k->part[0], order, order_n) < 0 ? PRIVATE_KEY_OK : PRIVATE_KEY_BAD_DER;
}

static const br_hash_class *ec_hash(enum tls_hash hash)
{
	return hash == TLS_SHA256 ? &br_sha256_vtable : hash == TLS_SHA384 ? &br_sha384_vtable : &br_sha512_vtable;
}

/* ---- both ---- */

static __attribute__((noinline)) enum private_key_error read_key(struct private_key *k, struct bench *b, struct span text)
{
	enum private_key_error e = PRIVATE_KEY_OK;

	if (text.n > PRIVATE_KEY_TEXT_MAX)
		return PRIVATE_KEY_NONE;
	br_skey_decoder_init(&b->key);
	if (text.n > 0 && text.p[0] == 0x30)
		br_skey_decoder_push(&b->key, text.p, text.n);
	else
		e = read_pem(b, text);
	if (e != PRIVATE_KEY_OK)
		return e;
	switch (br_skey_decoder_key_type(&b->key)) {
	case BR_KEYTYPE_RSA:
		return take_rsa(k, br_skey_decoder_get_rsa(&b->key));
	case BR_KEYTYPE_EC:
		return take_ec(k, br_skey_decoder_get_ec(&b->key));
	default:
		return br_skey_decoder_last_error(&b->key) == BR_ERR_X509_UNSUPPORTED ? PRIVATE_KEY_KIND : PRIVATE_KEY_BAD_DER;
	}
}

enum private_key_error private_key_read(struct private_key *k, void *bench, struct span text)
{
	enum private_key_error e;

	memset(k, 0, sizeof *k);
	memset(bench, 0, sizeof(struct bench));
	e = read_key(k, bench, text);
	if (e != PRIVATE_KEY_OK)
		crypto_wipe(k, sizeof *k);
	crypto_wipe(bench, sizeof(struct bench));
	wipe_stack();
	return e;
}

static bool same_rsa(struct private_key *k, const br_rsa_public_key *public)
{
	const uint8_t *n = public->n;
	size_t len = public->nlen;

	while (len > 0 && n[0] == 0)
		n++, len--;
	if (len != k->modulus_n || memcmp(n, k->modulus, len) != 0 || public->elen > sizeof k->exponent)
		return false;
	memcpy(k->exponent, public->e, public->elen);
	k->exponent_n = (uint16_t)public->elen;
	return true;
}

static bool same_ec(const struct private_key *k, const br_ec_public_key *public)
{
	br_ec_private_key own = ec_of(k);
	uint8_t point[BR_EC_KBUF_PUB_MAX_SIZE];
	size_t n;

	if (public->curve != own.curve)
		return false;
	n = br_ec_compute_pub(br_ec_get_default(), NULL, point, &own);
	return n > 0 && n == public->qlen && memcmp(point, public->q, n) == 0;
}

static bool ec_verify(const br_ec_public_key *public, struct span digest, const uint8_t *signature, size_t n)
{
	return br_ecdsa_vrfy_asn1_get_default()(br_ec_get_default(), digest.p, digest.n, public, signature, n) == 1;
}

static __attribute__((noinline)) enum private_key_error compare(struct private_key *k, struct span certificate)
{
	static const char digest[64] = "the one belongs to the other";
	const struct span trial = { digest, 32 };
	uint8_t signature[TLS_SIGNATURE_MAX];
	br_x509_decoder_context x;
	const br_x509_pkey *public;
	size_t n;

	br_x509_decoder_init(&x, NULL, NULL);
	br_x509_decoder_push(&x, certificate.p, certificate.n);
	public = br_x509_decoder_get_pkey(&x);
	if (!public || public->key_type != (k->kind == X509_RSA ? BR_KEYTYPE_RSA : BR_KEYTYPE_EC))
		return PRIVATE_KEY_FOREIGN;
	if (!(k->kind == X509_RSA ? same_rsa(k, &public->key.rsa) : same_ec(k, &public->key.ec)))
		return PRIVATE_KEY_FOREIGN;
	k->bound = true;
	n = private_key_sign(k, TLS_SHA256, trial, signature); /* of RSA: checked in there */
	k->bound = n > 0 && (k->kind == X509_RSA || ec_verify(&public->key.ec, trial, signature, n));
	return k->bound ? PRIVATE_KEY_OK : PRIVATE_KEY_BAD_DER;
}

enum private_key_error private_key_of(struct private_key *k, struct span certificate)
{
	enum private_key_error e;

	k->bound = false;
	e = compare(k, certificate);
	wipe_stack();
	return e;
}

size_t private_key_digest(enum tls_hash hash)
{
	return hash == TLS_SHA256 ? 32 : hash == TLS_SHA384 ? 48 : hash == TLS_SHA512 ? 64 : 0;
}

static __attribute__((noinline)) size_t sign(const struct private_key *k, enum tls_hash hash, struct span digest, uint8_t *signature)
{
	br_ec_private_key own;

	if (k->kind == X509_RSA)
		return rsa_sign(k, hash, digest, signature);
	own = ec_of(k);
	return br_ecdsa_sign_asn1_get_default()(br_ec_get_default(), ec_hash(hash), digest.p, &own, signature);
}

size_t private_key_sign(const struct private_key *k, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX])
{
	size_t n;

	if (!k->bound || private_key_digest(hash) == 0 || digest.n != private_key_digest(hash))
		return 0;
	n = sign(k, hash, digest, signature);
	wipe_stack();
	return n;
}
