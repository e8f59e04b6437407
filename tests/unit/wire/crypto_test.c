/* wire/crypto against FIPS 180-2, RFC 4231 and the test cases of GCM, and the comparison byte by byte. */
#include "wire/crypto.h"

#include "page.h"
#include "tap.h"

static void is_hex(const uint8_t got[32], const char *want, const char *name)
{
	char text[65];

	for (int i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", got[i]);
	is_str(text, want, name);
}

static void sha256(const char *text, const char *want)
{
	uint8_t out[CRYPTO_HASH];
	size_t n = strlen(text);
	char *page = page_copy(text, n);

	crypto_sha256(page, n, out);
	page_free(page, n);
	is_hex(out, want, "SHA-256 of FIPS 180-2");
}

static void hmac(const void *key, size_t key_len, const char *data, size_t n, const char *want, const char *name)
{
	uint8_t out[CRYPTO_HASH];
	struct span parts[3];

	for (size_t cut = 0; cut <= n; cut += n / 4 + 1) {
		parts[0] = span_of(data, cut);
		parts[1] = span_of(NULL, 0);
		parts[2] = span_of(data + cut, n - cut);
		crypto_hmac_sha256(key, key_len, parts, 3, out);
		is_hex(out, want, name);
	}
}

/* Test cases 2 and 3 of the GCM specification (McGrew, Viega): H, ciphertext, GHASH. */
static void tags(void)
{
	static const uint8_t h2[16] = { 0x66, 0xe9, 0x4b, 0xd4, 0xef, 0x8a, 0x2c, 0x3b, 0x88, 0x4c, 0xfa, 0x59, 0xca, 0x34, 0x2b, 0x2e };
	static const uint8_t c2[16] = { 0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92, 0xf3, 0x28, 0xc2, 0xb9, 0x71, 0xb2, 0xfe, 0x78 };
	static const uint8_t g2[16] = { 0xf3, 0x8c, 0xbb, 0x1a, 0xd6, 0x92, 0x23, 0xdc, 0xc3, 0x45, 0x7a, 0xe5, 0xb6, 0xb0, 0xf8, 0x85 };
	uint8_t tag[CRYPTO_TAG], longer[CRYPTO_TAG], zeros[17] = { 0 };
	char *page = page_copy((const char *)c2, sizeof c2);

	crypto_tag(h2, page, sizeof c2, tag);
	page_free(page, sizeof c2);
	ok(memcmp(tag, g2, sizeof tag) == 0, "GHASH of GCM's test case 2");
	crypto_tag(h2, zeros, 16, tag);
	crypto_tag(h2, zeros, 17, longer);
	ok(memcmp(tag, longer, sizeof tag) != 0, "zeros behind it make another text");
	page = page_copy("token", 5);
	crypto_tag(h2, page, 5, tag);
	crypto_tag(h2, "tokem", 5, longer);
	page_free(page, 5);
	ok(memcmp(tag, longer, sizeof tag) != 0, "another letter makes another tag");
}

int main(void)
{
	char key[131], data[50];
	uint8_t a[32], b[32];
	bool good = true;

	sha256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");

	memset(key, 0x0b, 20);
	hmac(key, 20, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "RFC 4231 case 1");
	hmac("Jefe", 4, "what do ya want for nothing?", 28, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "RFC 4231 case 2");
	memset(key, 0xaa, 131);
	memset(data, 0xdd, 50);
	hmac(key, 20, data, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", "RFC 4231 case 3");
	hmac(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", "RFC 4231 case 6");

	tags();
	memset(a, 0x5a, sizeof a);
	memcpy(b, a, sizeof b);
	ok(crypto_equal(a, b, 32), "equal bytes are equal");
	ok(crypto_equal(a, b, 0), "no bytes are equal");
	for (unsigned bit = 0; bit < 256; bit++) {
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		good = good && !crypto_equal(a, b, 32) && crypto_equal(a, b, bit / 8);
		b[bit / 8] = a[bit / 8];
	}
	ok(good, "one bit makes a difference, wherever it is, and only in what is compared");
	return done_testing();
}
