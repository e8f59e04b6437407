#include "wire/tls_priv.h"

const br_x509_certificate *tls_own_chain(struct tls *t, const struct tls_cert *cert)
{
	t->cert = cert;
	for (unsigned i = 0; i < cert->nchain; i++) {
		t->hand->chain[i].data = (unsigned char *)(uintptr_t)cert->chain[i].p; /* BearSSL only reads it */
		t->hand->chain[i].data_len = cert->chain[i].n;
	}
	return t->hand->chain;
}

size_t tls_own_sign(struct tls *t, const struct tls_signer *signer, int hash_id, unsigned char *data, size_t hash_len, size_t max)
{
	uint8_t signature[TLS_SIGNATURE_MAX];
	enum tls_hash hash = hash_id == br_sha256_ID ? TLS_SHA256 : hash_id == br_sha384_ID ? TLS_SHA384 : TLS_SHA512;
	size_t n = 0;

	if (signer != NULL && t->cert != NULL)
		n = signer->sign(signer->ctx, t->cert->key, hash, span_of((const char *)data, hash_len), signature);
	if (n == 0 || n > sizeof(signature) || n > max) {
		t->refused = TLS_SIGNER;
		return 0;
	}
	memcpy(data, signature, n);
	return n;
}
