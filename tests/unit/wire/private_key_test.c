/* wire/private_key.h: every form of key that openssl writes, what is refused and why, and signatures that the certificate's key confirms. */
#include <bearssl.h>

#include "page.h"
#include "tap.h"
#include "wire/crypto.h"
#include "wire/private_key.h"

static char file[32 << 10];
static size_t file_n;
static _Alignas(16) char bench[8192];
static struct private_key key;

/* The text of a section of tests/table/private-keys.txt, ending at a guard page. */
static struct span section(const char *name)
{
	char head[64];
	const char *at, *end;

	snprintf(head, sizeof head, "== %s\n", name);
	at = strstr(file, head);
	if (!at) {
		diag("no section %s", name);
		exit(99);
	}
	at += strlen(head);
	end = strstr(at, "== ");
	return span_of(page_copy(at, end ? (size_t)(end - at) : strlen(at)), end ? (size_t)(end - at) : strlen(at));
}

struct der { char bytes[8192]; size_t n; };

static void collect(void *to, const void *bytes, size_t n)
{
	struct der *d = to;

	if (d->n + n <= sizeof d->bytes)
		memcpy(d->bytes + d->n, bytes, n);
	d->n += n;
}

/* The first block of a PEM text as DER. */
static struct span der_of(struct span pem, struct der *d)
{
	br_pem_decoder_context c;

	d->n = 0;
	br_pem_decoder_init(&c);
	for (size_t at = 0; at < pem.n; ) {
		at += br_pem_decoder_push(&c, pem.p + at, pem.n - at);
		if (br_pem_decoder_event(&c) == BR_PEM_BEGIN_OBJ)
			br_pem_decoder_setdest(&c, collect, d);
	}
	return span_of(page_copy(d->bytes, d->n), d->n);
}

static enum private_key_error load(struct span text)
{
	memset(bench, 'x', sizeof bench);
	return private_key_read(&key, bench, text);
}

static bool confirmed(struct span certificate, enum tls_hash hash, struct span digest, const uint8_t *signature, size_t n)
{
	br_x509_decoder_context x;
	const br_x509_pkey *p;
	uint8_t out[64];

	br_x509_decoder_init(&x, NULL, NULL);
	br_x509_decoder_push(&x, certificate.p, certificate.n);
	p = br_x509_decoder_get_pkey(&x);
	if (p->key_type == BR_KEYTYPE_EC)
		return br_ecdsa_i31_vrfy_asn1(&br_ec_all_m31, digest.p, digest.n, &p->key.ec, signature, n) == 1;
	return br_rsa_i31_pkcs1_vrfy(signature, n, hash == TLS_SHA256 ? BR_HASH_OID_SHA256 : hash == TLS_SHA384 ? BR_HASH_OID_SHA384
		: BR_HASH_OID_SHA512, digest.n, &p->key.rsa, out) == 1 && memcmp(out, digest.p, digest.n) == 0;
}

static bool zero(const void *p, size_t n)
{
	const char *at = p;

	for (size_t i = 0; i < n; i++)
		if (at[i])
			return false;
	return true;
}

static void right(const char *name, enum x509_key kind, unsigned bits)
{
	static struct der cert, own;
	char text[128], crt[64];
	struct span certificate, pem = section(name), digest;
	uint8_t signature[TLS_SIGNATURE_MAX];
	char bytes[64];
	size_t n;

	snprintf(crt, sizeof crt, "%s.crt", name);
	certificate = der_of(section(crt), &cert);
	snprintf(text, sizeof text, "%s: read", name);
	ok(load(pem) == PRIVATE_KEY_OK && key.kind == kind && key.bits == bits, text);
	snprintf(text, sizeof text, "%s: the bench is wiped", name);
	ok(private_key_bench() <= sizeof bench && zero(bench, private_key_bench()) && bench[private_key_bench()] == 'x', text);
	memset(bytes, 0x5A, sizeof bytes);
	digest = span_of(page_copy(bytes, 32), 32);
	snprintf(text, sizeof text, "%s: signs nothing before it is bound to a certificate", name);
	ok(private_key_sign(&key, TLS_SHA256, digest, signature) == 0, text);
	snprintf(text, sizeof text, "%s: is its certificate's", name);
	ok(private_key_of(&key, certificate) == PRIVATE_KEY_OK, text);
	for (enum tls_hash hash = TLS_SHA256; hash <= TLS_SHA512; hash++) {
		size_t len = private_key_digest(hash);

		digest = span_of(page_copy(bytes, len), len);
		n = private_key_sign(&key, hash, digest, signature);
		snprintf(text, sizeof text, "%s: the certificate confirms a signature over %zu bytes", name, len);
		ok(n > 0 && n <= TLS_SIGNATURE_MAX && confirmed(certificate, hash, digest, signature, n), text);
		snprintf(text, sizeof text, "%s: and signs neither %zu nor %zu bytes as such", name, len - 1, len + 1);
		ok(private_key_sign(&key, hash, span_of(bytes, len - 1), signature) == 0
			&& private_key_sign(&key, hash, span_of(bytes, (len + 1) % sizeof bytes), signature) == 0, text);
	}
	snprintf(text, sizeof text, "%s: no MD5 with SHA-1, no unknown hash", name);
	ok(private_key_sign(&key, TLS_MD5_SHA1_NEVER, span_of(bytes, 36), signature) == 0
		&& private_key_sign(&key, (enum tls_hash)9, span_of(bytes, 32), signature) == 0, text);
	/* DER as well; with what openssl ecparam writes in front, the PEM's first block is not the key. */
	if (memcmp(pem.p, "-----BEGIN EC PARAMETERS", 24) != 0) {
		snprintf(text, sizeof text, "%s: read as DER", name);
		ok(load(der_of(pem, &own)) == PRIVATE_KEY_OK && private_key_of(&key, certificate) == PRIVATE_KEY_OK, text);
	}
}

static void wrong(struct span text, enum private_key_error want, const char *name)
{
	memset(&key, 'x', sizeof key);
	if (!ok(load(text) == want, name))
		diag("says: %s", private_key_error_text(private_key_read(&key, bench, text)).p);
	ok(zero(&key, sizeof key) && zero(bench, private_key_bench()), "and nothing of it stays");
}

static struct span cat(const char *a, const char *b)
{
	static char mem[16384];
	struct buf to = buf_on(mem, sizeof mem);

	buf_put(&to, section(a));
	buf_put(&to, section(b));
	return span_of(page_copy(to.p, to.n), to.n);
}

static void refused(void)
{
	static struct der d;
	static char large[PRIVATE_KEY_TEXT_MAX + 1];
	struct span pem = section("p256"), der = der_of(pem, &d);
	char *changed = page_copy(pem.p, pem.n);

	wrong(span_of(pem.p, 0), PRIVATE_KEY_NONE, "an empty file");
	wrong(SPAN("hello\n"), PRIVATE_KEY_NONE, "some text");
	wrong(section("p256.crt"), PRIVATE_KEY_NONE, "a certificate");
	wrong(span_of(page_copy(large, sizeof large), sizeof large), PRIVATE_KEY_NONE, "a file that is too long");
	wrong(section("p256enc"), PRIVATE_KEY_ENCRYPTED, "PKCS#8, encrypted");
	wrong(section("p256tenc"), PRIVATE_KEY_ENCRYPTED, "the old form, encrypted");
	wrong(cat("p256", "p384"), PRIVATE_KEY_TWO, "two keys");
	wrong(section("p521"), PRIVATE_KEY_KIND, "P-521");
	wrong(section("ed"), PRIVATE_KEY_KIND, "Ed25519");
	wrong(section("rsa1024"), PRIVATE_KEY_KIND, "RSA of 1024 bits");
	wrong(span_of(page_copy(pem.p, pem.n - 30), pem.n - 30), PRIVATE_KEY_BAD_PEM, "PEM that does not end");
	changed[60] = '!';
	wrong(span_of(changed, pem.n), PRIVATE_KEY_BAD_PEM, "PEM that is not base64");
	for (size_t n = 1; n < der.n; n += 7)
		if (load(span_of(page_copy(der.p, n), n)) == PRIVATE_KEY_OK)
			ok(false, "half of a DER key is read");
	ok(load(cat("p256.crt", "p256")) == PRIVATE_KEY_OK, "a certificate in front of the key is passed over");
	ok(load(span_of(page_copy(pem.p, pem.n - 1), pem.n - 1)) == PRIVATE_KEY_OK, "without a newline at the end");
}

/* x = 0 and x = the order, in a key that is otherwise well formed. */
static void off_range(void)
{
	static struct der d;
	struct span der = der_of(section("p256"), &d);
	size_t n, x = 0;
	const unsigned char *order = br_ec_all_m31.order(BR_EC_secp256r1, &n);
	char *copy = page_copy(der.p, der.n);

	load(der);
	for (size_t i = 0; i + 32 <= der.n; i++)
		if (memcmp(der.p + i, key.part[0], 32) == 0)
			x = i;
	ok(x > 0, "the secret number stands in the file");
	memset(copy + x, 0, 32);
	wrong(span_of(copy, der.n), PRIVATE_KEY_BAD_DER, "a secret number 0");
	memcpy(copy + x, order, 32);
	wrong(span_of(copy, der.n), PRIVATE_KEY_BAD_DER, "a secret number as large as the order");
}

static void foreign(void)
{
	static struct der d;
	uint8_t signature[TLS_SIGNATURE_MAX];
	char digest[32] = "";

	load(section("p256"));
	ok(private_key_of(&key, der_of(section("p256t.crt"), &d)) == PRIVATE_KEY_FOREIGN, "another key's certificate");
	ok(private_key_sign(&key, TLS_SHA256, span_of(digest, 32), signature) == 0, "and then nothing is signed");
	ok(private_key_of(&key, der_of(section("p384.crt"), &d)) == PRIVATE_KEY_FOREIGN, "one on another curve");
	ok(private_key_of(&key, der_of(section("rsa2048.crt"), &d)) == PRIVATE_KEY_FOREIGN, "one of RSA");
	ok(private_key_of(&key, SPAN("hello")) == PRIVATE_KEY_FOREIGN, "none at all");
	load(section("rsa2048"));
	ok(private_key_of(&key, der_of(section("rsa4096.crt"), &d)) == PRIVATE_KEY_FOREIGN, "RSA: another key's certificate");
	ok(private_key_of(&key, der_of(section("p256.crt"), &d)) == PRIVATE_KEY_FOREIGN, "RSA: one of an elliptic curve");
	/* A key with one wrong number: its signatures would give p away. */
	for (unsigned i = 2; i < 5; i++) {
		load(section("rsa2048"));
		key.part[i][40] ^= 1;
		ok(private_key_of(&key, der_of(section("rsa2048.crt"), &d)) == PRIVATE_KEY_BAD_DER, "RSA: a damaged number is found before anything is signed");
	}
	load(section("rsa2048"));
	ok(private_key_of(&key, der_of(section("rsa2048.crt"), &d)) == PRIVATE_KEY_OK, "RSA: the right one");
	key.part[2][40] ^= 1;
	memset(signature, 'x', sizeof signature);
	ok(private_key_sign(&key, TLS_SHA256, span_of(digest, 32), signature) == 0, "RSA: a fault after that: no signature leaves");
	ok(zero(signature, 256), "and it is wiped");
}

int main(void)
{
	FILE *f = fopen("tests/table/private-keys.txt", "r");

	file_n = f ? fread(file, 1, sizeof file - 1, f) : 0;
	if (file_n < 1000)
		return 99;
	fclose(f);
	right("p256", X509_P256, 256);
	right("p256t", X509_P256, 256);
	right("p384", X509_P384, 384);
	right("rsa2048", X509_RSA, 2048);
	right("rsa3072t", X509_RSA, 3072);
	right("rsa4096", X509_RSA, 4096);
	refused();
	off_range();
	foreign();
	return done_testing();
}
