/*
 * Any bytes as a key set. One that is taken has keys that hold what jwk.h says, no kid twice, each found by its kid; and each, written out from
 * what was read, is read as the same key with the same thumbprint.
 */
#include "tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool right)
{
	if (!right)
		__builtin_trap();
}

static void write_key(struct buf *b, const struct jwk *key)
{
	size_t half = (key->point_n - 1u) / 2;

	if (key->kind == JWK_RSA) {
		BUF_LIT(b, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"");
		base64url_write(b, span_of((const char *)key->n, key->n_n));
		BUF_LIT(b, "\",\"e\":\"");
		base64url_write(b, span_of((const char *)key->e, key->e_n));
	} else {
		buf_put(b, key->kind == JWK_P256 ? SPAN("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"") : SPAN("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\""));
		base64url_write(b, span_of((const char *)key->point + 1, half));
		BUF_LIT(b, "\",\"y\":\"");
		base64url_write(b, span_of((const char *)key->point + 1 + half, half));
	}
	BUF_LIT(b, "\"}]}");
	must(!b->full);
}

static void one(const struct jwk *key)
{
	static struct jwk_set again;
	static char mem[4096];
	struct buf b = buf_on(mem, sizeof mem);
	uint8_t a[32], c[32];

	must(key->algs != 0 && key->algs >> JWK_ALGS == 0 && key->kid_n <= JWK_KID_MAX);
	if (key->kind == JWK_RSA)
		must(key->n_n >= 256 && key->n_n <= 512 && key->n[0] != 0 && key->n[key->n_n - 1] & 1 && key->e_n >= 3 && key->e_n <= 8 && key->e[key->e_n - 1] & 1
			&& !(key->algs & (1 << JWK_ES256 | 1 << JWK_ES384)));
	else
		must(key->point_n == (key->kind == JWK_P256 ? 65 : 97) && key->point[0] == 4 && key->algs == 1 << (key->kind == JWK_P256 ? JWK_ES256 : JWK_ES384));
	write_key(&b, key);
	must(jwk_set_read(&again, tokens_table(), buf_span(&b)) == JWK_OK && again.n == 1);
	jwk_thumbprint(key, a);
	jwk_thumbprint(&again.keys[0], c);
	must(memcmp(a, c, 32) == 0);
	must(again.keys[0].kind == key->kind && memcmp(again.keys[0].point, key->point, sizeof key->point) == 0 && again.keys[0].n_n == key->n_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct jwk_set set;
	enum jwk_error e = jwk_set_read(&set, tokens_table(), span_of((const char *)data, n));

	must(e < JWK_ERRORS && (e == JWK_OK) == (set.n > 0) && set.n <= JWK_SET_MAX);
	for (uint32_t i = 0; i < set.n; i++) {
		one(&set.keys[i]);
		if (set.keys[i].kid_n > 0)
			must(jwk_find(&set, span_of(set.keys[i].kid, set.keys[i].kid_n)) == &set.keys[i]);
	}
	must((jwk_find(&set, span_of(NULL, 0)) != NULL) == (set.n == 1));
	return 0;
}
