/*
 * Certificates and keys of tests/data/tls.pem by name, and a signer that has the keys.
 *
 * certs_pem("client")      the PEM text of one section; ends the program if there is none
 * certs_read("client", k)  decoded and read, for key number k (enum below)
 * certs_anchors("ca")      trust anchors
 * certs_signer()           signs with all four keys; certs_signer_broken makes it fail, certs_signed counts
 */
#ifndef TESTS_CERTS_H
#define TESTS_CERTS_H

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "wire/tls.h"

enum { KEY_P256, KEY_P384, KEY_RSA2048, KEY_RSA3072, KEYS };
enum { CERTS_ROOM = 1 << 20 };

static char certs_room[CERTS_ROOM]; /* what is decoded stays */
static size_t certs_used;
static br_skey_decoder_context certs_keys[KEYS];
static bool certs_signer_broken;
static unsigned certs_signed;

static void certs_give_up(const char *what)
{
	fprintf(stderr, "Bail out! tests/data/tls.pem: %s\n", what);
	exit(99);
}

static inline struct span certs_text(void)
{
	static char text[1 << 17];
	static size_t n;
	FILE *f;

	if (n == 0) {
		f = fopen("tests/data/tls.pem", "rb");
		if (f == NULL)
			certs_give_up("not found; run from the root of the tree");
		n = fread(text, 1, sizeof(text), f);
		fclose(f);
	}
	return span_of(text, n);
}

static inline struct span certs_pem(const char *name)
{
	struct span all = certs_text(), head = span_z(name);

	for (size_t i = 0; i + head.n + 3 < all.n; i++) {
		size_t from = i + 2 + head.n, to;

		if (memcmp(all.p + i, "# ", 2) != 0 || memcmp(all.p + i + 2, head.p, head.n) != 0 || all.p[from] != '\n')
			continue;
		for (to = from; to < all.n && all.p[to] != '#'; to++)
			;
		return span_of(all.p + from + 1, to - from - 1);
	}
	certs_give_up(name);
	return all;
}

static inline void *certs_take(size_t n)
{
	void *p = certs_room + certs_used;

	certs_used += (n + 15) / 16 * 16;
	if (certs_used > CERTS_ROOM)
		certs_give_up("too much is decoded");
	return p;
}

static inline struct tls_cert *certs_read(const char *name, unsigned key)
{
	struct tls_cert *c = certs_take(sizeof(*c));
	struct span pem = certs_pem(name);
	struct buf out = buf_on(certs_take(pem.n), pem.n);

	c->key = key;
	if (x509_pem_chain(pem, &out, c->chain, X509_CHAIN_MAX, &c->nchain) != X509_OK || x509_read(&c->leaf, c->chain[0]) != X509_OK)
		certs_give_up(name);
	return c;
}

static inline const struct x509_anchors *certs_anchors(const char *name)
{
	struct span pem = certs_pem(name);
	const struct x509_anchors *a = NULL;
	size_t need = x509_anchors_need(pem);
	unsigned n;

	if (x509_anchors_read(pem, certs_take(need), need, &a, &n) != X509_OK)
		certs_give_up(name);
	return a;
}

static inline const br_skey_decoder_context *certs_key(unsigned key)
{
	static const char *const names[KEYS] = { "key-p256", "key-p384", "key-rsa2048", "key-rsa3072" };
	struct span pem = certs_pem(names[key]);
	char mem[4096];
	struct buf der = buf_on(mem, sizeof(mem));
	br_skey_decoder_context *k = &certs_keys[key];
	size_t at = 0, n;

	if (br_skey_decoder_key_type(k) != 0)
		return k;
	for (; at < pem.n; at += n + 1) {
		for (n = 0; at + n < pem.n && pem.p[at + n] != '\n'; n++)
			;
		if (pem.p[at] != '-' && !b64_decode(&der, span_of(pem.p + at, n)))
			certs_give_up(names[key]);
	}
	br_skey_decoder_init(k);
	br_skey_decoder_push(k, der.p, der.n);
	if (br_skey_decoder_last_error(k) != 0)
		certs_give_up(names[key]);
	return k;
}

static inline size_t certs_sign(void *ctx, unsigned key, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX])
{
	const br_hash_class *class = hash == TLS_SHA256 ? &br_sha256_vtable : hash == TLS_SHA384 ? &br_sha384_vtable : &br_sha512_vtable;
	const unsigned char *oid = hash == TLS_SHA256 ? BR_HASH_OID_SHA256 : hash == TLS_SHA384 ? BR_HASH_OID_SHA384 : BR_HASH_OID_SHA512;
	const br_skey_decoder_context *k = certs_key(key);
	const unsigned char *value = (const unsigned char *)digest.p;

	(void)ctx;
	certs_signed++;
	if (certs_signer_broken)
		return 0;
	if (br_skey_decoder_key_type(k) == BR_KEYTYPE_EC)
		return br_ecdsa_i31_sign_asn1(&br_ec_all_m31, class, value, br_skey_decoder_get_ec(k), signature);
	if (!br_rsa_i31_pkcs1_sign(oid, value, digest.n, br_skey_decoder_get_rsa(k), signature))
		return 0;
	return (br_skey_decoder_get_rsa(k)->n_bitlen + 7) / 8;
}

static inline const struct tls_signer *certs_signer(void)
{
	static const struct tls_signer signer = { certs_sign, NULL };

	return &signer;
}

#endif
