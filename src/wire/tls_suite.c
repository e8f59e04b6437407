#include "wire/tls_priv.h"

/* Elliptic curves: the fastest that BearSSL has for each of the two, and no other curve. */
static const br_ec_impl *curve(int id) { return id == BR_EC_secp256r1 ? &br_ec_p256_m31 : &br_ec_prime_i31; }

static const unsigned char *ec_generator(int id, size_t *len) { return curve(id)->generator(id, len); }
static const unsigned char *ec_order(int id, size_t *len) { return curve(id)->order(id, len); }
static size_t ec_xoff(int id, size_t *len) { return curve(id)->xoff(id, len); }

static uint32_t ec_mul(unsigned char *g, size_t glen, const unsigned char *x, size_t xlen, int id)
{
	return curve(id)->mul(g, glen, x, xlen, id);
}

static size_t ec_mulgen(unsigned char *r, const unsigned char *x, size_t xlen, int id) { return curve(id)->mulgen(r, x, xlen, id); }

static uint32_t ec_muladd(unsigned char *a, const unsigned char *b, size_t len, const unsigned char *x, size_t xlen,
	const unsigned char *y, size_t ylen, int id)
{
	return curve(id)->muladd(a, b, len, x, xlen, y, ylen, id);
}

static const br_ec_impl ec_both = {
	(uint32_t)1 << BR_EC_secp256r1 | (uint32_t)1 << BR_EC_secp384r1,
	ec_generator, ec_order, ec_xoff, ec_mul, ec_mulgen, ec_muladd
};
static const br_ec_impl ec_p384 = {
	(uint32_t)1 << BR_EC_secp384r1,
	ec_generator, ec_order, ec_xoff, ec_mul, ec_mulgen, ec_muladd
};

static const uint16_t aes_first[] = {
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
};
static const uint16_t chacha_first[] = {
	BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
};
static const uint16_t cnsa_only[] = { BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 };

static const char *const protocols[] = { "http/1.1" };

static br_rsa_pkcs1_vrfy rsa_verify(void)
{
	br_rsa_pkcs1_vrfy fast = br_rsa_i62_pkcs1_vrfy_get();

	return fast != 0 ? fast : &br_rsa_i31_pkcs1_vrfy;
}

void tls_suite_set(br_ssl_engine_context *eng, bool cnsa, const uint8_t seed[TLS_SEED])
{
	const br_block_ctr_class *aes = br_aes_x86ni_ctr_get_vtable();
	br_ghash ghash = br_ghash_pclmul_get();
	br_chacha20_run chacha = br_chacha20_sse2_get();
	br_poly1305_run poly = br_poly1305_ctmulq_get();
	const uint16_t *suites = cnsa ? cnsa_only : aes != NULL ? aes_first : chacha_first;
	size_t nsuites = cnsa ? sizeof(cnsa_only) / sizeof(*suites) : sizeof(aes_first) / sizeof(*suites);

	br_ssl_engine_set_versions(eng, BR_TLS12, BR_TLS12);
	br_ssl_engine_set_suites(eng, suites, nsuites);
	/* The only hashes there are: neither signatures nor certificates with SHA-1 are accepted or made. */
	if (!cnsa) {
		br_ssl_engine_set_hash(eng, br_sha256_ID, &br_sha256_vtable);
		br_ssl_engine_set_hash(eng, br_sha512_ID, &br_sha512_vtable);
		br_ssl_engine_set_prf_sha256(eng, &br_tls12_sha256_prf);
	}
	br_ssl_engine_set_hash(eng, br_sha384_ID, &br_sha384_vtable);
	br_ssl_engine_set_prf_sha384(eng, &br_tls12_sha384_prf);
	br_ssl_engine_set_gcm(eng, &br_sslrec_in_gcm_vtable, &br_sslrec_out_gcm_vtable);
	br_ssl_engine_set_aes_ctr(eng, aes != NULL ? aes : &br_aes_ct64_ctr_vtable);
	br_ssl_engine_set_ghash(eng, ghash != 0 ? ghash : &br_ghash_ctmul64);
	br_ssl_engine_set_chapol(eng, &br_sslrec_in_chapol_vtable, &br_sslrec_out_chapol_vtable);
	br_ssl_engine_set_chacha20(eng, chacha != 0 ? chacha : &br_chacha20_ct_run);
	br_ssl_engine_set_poly1305(eng, poly != 0 ? poly : &br_poly1305_ctmul_run);
	br_ssl_engine_set_ec(eng, cnsa ? &ec_p384 : &ec_both);
	br_ssl_engine_set_ecdsa(eng, &br_ecdsa_i31_vrfy_asn1);
	br_ssl_engine_set_rsavrfy(eng, rsa_verify());
	br_ssl_engine_set_protocol_names(eng, (const char **)(uintptr_t)protocols, sizeof(protocols) / sizeof(*protocols));
	br_ssl_engine_set_all_flags(eng, BR_OPT_ENFORCE_SERVER_PREFERENCES | BR_OPT_NO_RENEGOTIATION | BR_OPT_FAIL_ON_ALPN_MISMATCH);
	/* The seed is all; BearSSL's own look at the system's would open a file. */
	br_ssl_engine_inject_entropy(eng, seed, TLS_SEED);
	eng->rng_os_rand_done = 1;
}

void tls_suite_chain(br_x509_minimal_context *x, bool cnsa)
{
	if (!cnsa) {
		br_x509_minimal_set_hash(x, br_sha256_ID, &br_sha256_vtable);
		br_x509_minimal_set_hash(x, br_sha512_ID, &br_sha512_vtable);
	}
	br_x509_minimal_set_hash(x, br_sha384_ID, &br_sha384_vtable);
	br_x509_minimal_set_rsa(x, rsa_verify());
	br_x509_minimal_set_ecdsa(x, cnsa ? &ec_p384 : &ec_both, &br_ecdsa_i31_vrfy_asn1);
	br_x509_minimal_set_minrsa(x, cnsa ? 3072 / 8 : 2048 / 8);
}

int tls_suite_hash(enum x509_key key, uint32_t hashes)
{
	static const uint8_t small[] = { br_sha256_ID, br_sha384_ID, br_sha512_ID }, large[] = { br_sha384_ID, br_sha512_ID, br_sha256_ID };
	const uint8_t *order = key == X509_P384 ? large : small;

	for (unsigned i = 0; i < sizeof(small); i++)
		if ((hashes >> order[i] & 1) != 0)
			return order[i];
	return 0;
}
