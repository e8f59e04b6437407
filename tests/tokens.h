/*
 * Tokens for tests: fixed keys that guard nothing, signatures under them, and JSON Web Keys of their public halves.
 *
 * tokens_jwk(b, key, more)               one public key as a JWK with a kid that is its name; `more` ("\"use\":\"sig\",") goes into it
 * tokens_set(b, first, n)                a key set of n keys from `first` on
 * tokens_sign(key, alg, text, sig)       a raw signature as JWS has it; returns its length; alg must fit the key
 * tokens_write(b, header, claims, key, alg)   a compact JWS of these two texts
 * tokens_part(b, text)                   base64url of a text
 * tokens_table()                         a JSON table
 */
#ifndef TESTS_TOKENS_H
#define TESTS_TOKENS_H

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/jwt.h"

enum tokens_key { TOKENS_P256, TOKENS_P256B, TOKENS_P384, TOKENS_RSA, TOKENS_KEYS };

static const char *const tokens_names[TOKENS_KEYS] = { "p256", "p256b", "p384", "rsa" };

/* Private halves: scalars, and for RSA p, q, d mod (p - 1), d mod (q - 1), 1/q mod p, and the modulus. */
static const char *const tokens_scalar[3] = {
	"6c617149f9c9dc2c22a7d6b7a79367368aa34fa1b0a54cd5defc79a1754df89d",
	"3be56a6559ae8d7e0168d2d86d0019acc987fe0b408815561a77d7b93dc2c384",
	"5e26fce7e8b25d8ad10ce59cdfc702130ffe832d2a1f2e305ad96f4761b64666ca571df4aa439c4a1cfa4b4e26d42267",
};
static const char tokens_rsa_n[] =
	"8ef530483854343a33c9470f102816451ceabc10cd6dff2cf632675d3dbe095b195c853d24acc6373cab8cf9bbce7c514f2fba50cd3afe09fbeaf3610568d42f"
	"7543f0b7057b5a5e376e963bf7235d1b9cf2539c046ae97fe53f7e294e3b354841e0ef84102ca68d369d00dcbe61f9ecf55baad44b70f17f511d9d8f0e8d9c33"
	"932cdb1908ea938dacc1125c985bd0c98d2d9a2e943f919402da88bf41521e0fafb5790fd1b1deac11e6165323d0c2dcf55bd14ec9aef5e7d3ae0d5be92f1ee8"
	"001e2c2cadaf2d0f26d33f1be7517fca805b500528232bf16df3c02fb2c173414869a267014447f8e8d06c7c058aa9bd85039838e33de9a64816c68fcd57b95f";
static const char tokens_rsa_p[] =
	"c0dae14ecf17aeb7649820644e353ee98ff211e1f80868d7631ed81299cc3efe3b692364da64653be9a10e19b2b37bafb35aa0feb6086a8f8b5f27d3c0d34b60"
	"4386a21bb8de8d0cc91a2c85a880b64fc3f6cdf61b2d3b4d9551ae443f1407e34972bb11dfb7d2ce20cb4ef9d3f5c876585f0c4963094c198e8628a5313fb4c3";
static const char tokens_rsa_q[] =
	"bdc3eb3db66bf66fa4e36ae1796fea343bbd50d704eb90514262227e25daf24f8f5bd9b8be61e312f6a6252777d88fe1dfc65d4ec9140f91341b15ac52d16019"
	"2074510b65801f091a8aa48af3ffb25580d3a4f50c7d9f5c15e8dd8df738f2dea634ca39d0d381da48aa1910c82bfad2bf1d36f682ab0951a305437e35b2af35";
static const char tokens_rsa_dp[] =
	"70b77d38329204ebeb3f7eaf2186bd5e856356505c478dff554f91ba4d69b2e7a491aebe2366ca445a2867b55d5cc9cdc76610f2ce31dd1648bf34e7eeab9042"
	"9334fd4a76a29c8dfc7befc9aed28bbbd32d4cf3aaaea51a934b4a2f592ebbed7be032b61fabb0ea0900cb07f97a8dcf9d96eff7748ada8f955d9423f8c4e341";
static const char tokens_rsa_dq[] =
	"269a787c7163bd1a311ce25d43eaf465f3d12b64d26769505e84c0279163dcef3a66a0ffe81ad9aabdea469ca4d0b55469c55cadee51da68db84b6fffb490497"
	"97f6919613ebe06465b5d68b3ddfc2538a85838526295805cf9f3392f1bbf00c431b721818d72e0f4dc0eca07158210a463e9733c6992ca822d5ab493d7b4011";
static const char tokens_rsa_iq[] =
	"57ea6d5fdc3c108e0ee4330df66f858521b1efea65e67201a0db8c131535a239cc3f40c6f7c2859d84faa8bbbb3b92a7d29ae1a2df08967458bef02a9f7dee5c"
	"ca447d47061494983b3fd5a0da71ae5a52e08c570506afb98259e08ee7d943ffb5b5765239a0cff5d7f84d4a0edf63a2f5af282e70b8b590b1925531db49148d";

__attribute__((unused)) static size_t tokens_hex(const char *hex, unsigned char *to)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v = 0;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			exit(99);
		to[i] = (unsigned char)v;
	}
	return n;
}

__attribute__((unused)) static struct json_table *tokens_table(void)
{
	static const uint8_t seed[16] = { 3, 1, 4 };
	static struct json_table *table;
	size_t need = (json_table_need(1 << 14) + 15) & ~(size_t)15;

	if (table == NULL) {
		void *mem = aligned_alloc(16, need);

		if (mem == NULL)
			exit(99);
		table = json_table_place(mem, 1 << 14, seed);
	}
	return table;
}

__attribute__((unused)) static void tokens_part(struct buf *b, struct span text)
{
	base64url_write(b, text);
}

static inline int tokens_curve(enum tokens_key key)
{
	return key == TOKENS_P384 ? BR_EC_secp384r1 : BR_EC_secp256r1;
}

__attribute__((unused)) static size_t tokens_point(enum tokens_key key, unsigned char q[BR_EC_KBUF_PUB_MAX_SIZE])
{
	unsigned char x[64];
	br_ec_private_key sk = { tokens_curve(key), x, tokens_hex(tokens_scalar[key], x) };

	return br_ec_compute_pub(&br_ec_prime_i31, NULL, q, &sk);
}

__attribute__((unused)) static void tokens_jwk(struct buf *b, enum tokens_key key, const char *more)
{
	unsigned char bytes[512];
	size_t n;

	BUF_LIT(b, "{\"kid\":\"");
	buf_put(b, span_z(tokens_names[key]));
	BUF_LIT(b, "\",");
	buf_put(b, span_z(more));
	if (key == TOKENS_RSA) {
		BUF_LIT(b, "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
		n = tokens_hex(tokens_rsa_n, bytes);
		base64url_write(b, span_of((const char *)bytes, n));
	} else {
		n = (tokens_point(key, bytes) - 1) / 2;
		buf_put(b, key == TOKENS_P384 ? SPAN("\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"") : SPAN("\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\""));
		base64url_write(b, span_of((const char *)bytes + 1, n));
		BUF_LIT(b, "\",\"y\":\"");
		base64url_write(b, span_of((const char *)bytes + 1 + n, n));
	}
	BUF_LIT(b, "\"}");
}

__attribute__((unused)) static void tokens_set(struct buf *b, enum tokens_key first, unsigned n)
{
	BUF_LIT(b, "{\"keys\":[");
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_char(b, ',');
		tokens_jwk(b, (enum tokens_key)(first + i), "\"use\":\"sig\",");
	}
	BUF_LIT(b, "]}");
}

/* `size` is that of the hash: 32, 48 or 64. */
static inline void tokens_hash(size_t size, struct span text, unsigned char out[64])
{
	const br_hash_class *const classes[] = { &br_sha256_vtable, &br_sha384_vtable, &br_sha512_vtable };
	const br_hash_class *class = classes[size / 16 - 2];
	br_hash_compat_context c;

	class->init(&c.vtable);
	class->update(&c.vtable, text.p, text.n);
	class->out(&c.vtable, out);
}

__attribute__((unused)) static size_t tokens_sign(enum tokens_key key, enum jwk_alg alg, struct span text, unsigned char sig[512])
{
	size_t size = alg == JWK_RS512 ? 64 : alg == JWK_ES384 || alg == JWK_RS384 ? 48 : 32;
	unsigned char hash[64];

	tokens_hash(size, text, hash);
	if (key == TOKENS_RSA) {
		static const unsigned char *const oid[] = { BR_HASH_OID_SHA256, BR_HASH_OID_SHA384, BR_HASH_OID_SHA512 };
		unsigned char part[5][128];
		br_rsa_private_key sk = { 2048, part[0], 128, part[1], 128, part[2], 128, part[3], 128, part[4], 128 };

		tokens_hex(tokens_rsa_p, part[0]);
		tokens_hex(tokens_rsa_q, part[1]);
		tokens_hex(tokens_rsa_dp, part[2]);
		tokens_hex(tokens_rsa_dq, part[3]);
		tokens_hex(tokens_rsa_iq, part[4]);
		return br_rsa_i31_pkcs1_sign(oid[size / 16 - 2], hash, size, &sk, sig) ? 256 : 0;
	}
	unsigned char x[64];
	br_ec_private_key sk = { tokens_curve(key), x, tokens_hex(tokens_scalar[key], x) };

	return br_ecdsa_i31_sign_raw(&br_ec_prime_i31, size == 48 ? &br_sha384_vtable : &br_sha256_vtable, hash, &sk, sig);
}

__attribute__((unused)) static void tokens_write(struct buf *b, struct span header, struct span claims, enum tokens_key key, enum jwk_alg alg)
{
	unsigned char sig[512];
	size_t start = b->n, n;

	base64url_write(b, header);
	buf_char(b, '.');
	base64url_write(b, claims);
	n = tokens_sign(key, alg, span_of(b->p + start, b->n - start), sig);
	buf_char(b, '.');
	base64url_write(b, span_of((const char *)sig, n));
	if (b->full || n == 0)
		exit(99);
}

#endif
