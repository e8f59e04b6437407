#include "wire/crypto.h"

#include <bearssl.h>
#include <string.h>

void crypto_sha256(const void *data, size_t n, uint8_t out[CRYPTO_HASH])
{
	br_sha256_context c;

	br_sha256_init(&c);
	br_sha256_update(&c, data, n);
	br_sha256_out(&c, out);
}

void crypto_hmac_sha256(const void *key, size_t key_len, const struct span *parts, size_t nparts, uint8_t out[CRYPTO_HASH])
{
	br_hmac_key_context k;
	br_hmac_context c;

	br_hmac_key_init(&k, &br_sha256_vtable, key, key_len);
	br_hmac_init(&c, &k, CRYPTO_HASH);
	for (size_t i = 0; i < nparts; i++)
		if (parts[i].n > 0)
			br_hmac_update(&c, parts[i].p, parts[i].n);
	br_hmac_out(&c, out);
}

void crypto_tag(const uint8_t key[CRYPTO_TAG], const void *data, size_t n, uint8_t out[CRYPTO_TAG])
{
	br_ghash fast = br_ghash_pclmul_get(), ghash = fast ? fast : &br_ghash_ctmul64;
	uint8_t length[CRYPTO_TAG] = { 0 };

	for (unsigned i = 0; i < 8; i++)
		length[15 - i] = (uint8_t)((uint64_t)n * 8 >> 8 * i);
	memset(out, 0, CRYPTO_TAG);
	ghash(out, key, data, n);
	ghash(out, key, length, sizeof length);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char differs = 0;

	/* volatile: the compiler may not stop at the first difference. */
	for (size_t i = 0; i < n; i++)
		differs = (unsigned char)(differs | (x[i] ^ y[i]));
	return differs == 0;
}

void crypto_wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ volatile("" : : "r"(p) : "memory"); /* somebody may look: it must have been done */
}

_Static_assert(sizeof(br_hmac_drbg_context) <= sizeof(struct crypto_drbg), "the state fits");

void crypto_drbg_start(struct crypto_drbg *d, const void *seed, size_t n)
{
	br_hmac_drbg_init((br_hmac_drbg_context *)(void *)d->state, &br_sha256_vtable, seed, n);
}

void crypto_drbg_take(struct crypto_drbg *d, void *to, size_t n)
{
	br_hmac_drbg_generate((br_hmac_drbg_context *)(void *)d->state, to, n);
}
