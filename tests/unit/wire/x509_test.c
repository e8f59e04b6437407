/* wire/x509: what files may hold, what certificates say, trust anchors in exactly the memory they asked for, names. */
#include "unit/wire/certs.h"

#include "page.h"
#include "tap.h"
#include "wire/crypto.h"
#include "wire/x509_der.h"
#include "wire/x509_priv.h"

static char mem[1 << 17];

/* Decodes a text that ends at a guard page. */
static enum x509_error chain_of(struct span pem, struct span *der, unsigned max, unsigned *n)
{
	char *page = page_copy(pem.p, pem.n);
	struct buf out = buf_on(mem, sizeof mem);
	enum x509_error e = x509_pem_chain(span_of(page, pem.n), &out, der, max, n);

	page_free(page, pem.n);
	return e;
}

static struct span leaf_of(const char *name)
{
	struct span der[16];
	unsigned n;

	if (chain_of(certs_pem(name), der, 16, &n) != X509_OK)
		certs_give_up(name);
	return der[0];
}

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"

static void pem(void)
{
	static const struct { const char *text; enum x509_error is; unsigned n; const char *what; } cases[] = {
		{ BEGIN "AAAA\n" END, X509_OK, 1, "one block" },
		{ BEGIN "AAAA\n-----END CERTIFICATE-----", X509_OK, 1, "without a last line end" },
		{ "-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\r\n", X509_OK, 1, "CRLF" },
		{ " 0 s:CN = x\n" BEGIN "AAAA\nAAAA\nAA==\n" END "\n\nand\n" BEGIN "AAA=\n" END "bye\n", X509_OK, 2, "with explanations" },
		{ "", X509_NO_PEM, 0, "nothing" },
		{ "MIIB\n", X509_NO_PEM, 0, "no block" },
		{ BEGIN "AAAA\n", X509_BAD_PEM, 0, "no end" },
		{ "-----BEGIN CERTIFICATE-----", X509_BAD_PEM, 0, "a beginning alone" },
		{ BEGIN END, X509_BAD_PEM, 0, "an empty block" },
		{ END, X509_BAD_PEM, 0, "an end alone" },
		{ BEGIN BEGIN "AAAA\n" END, X509_BAD_PEM, 0, "a block in a block" },
		{ BEGIN "AAA\n" END, X509_BAD_PEM, 0, "not fours" },
		{ BEGIN "AA=A\n" END, X509_BAD_PEM, 0, "padding in the middle" },
		{ BEGIN "AA==\nAAAA\n" END, X509_BAD_PEM, 0, "lines after padding" },
		{ BEGIN "AB==\n" END, X509_BAD_PEM, 0, "bits in the padding" },
		{ BEGIN "AA-_\n" END, X509_BAD_PEM, 0, "another alphabet" },
		{ BEGIN "\nAAAA\n" END, X509_BAD_PEM, 0, "an empty line" },
		{ BEGIN " AAAA\n" END, X509_BAD_PEM, 0, "a space" },
		{ BEGIN "Proc-Type: 4,ENCRYPTED\n\nAAAA\n" END, X509_BAD_PEM, 0, "headers" },
		{ BEGIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" END, X509_BAD_PEM, 0, "a long line" },
		{ "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n", X509_BAD_PEM, 0, "another kind of block" },
		{ "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", X509_BAD_PEM, 0, "a revocation list" },
		{ BEGIN "AAAA\n-----END X509 CRL-----\n", X509_BAD_PEM, 0, "the end of another" },
		{ BEGIN "AAAA\n" END "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", X509_PRIVATE, 1, "a private key" },
		{ "-----BEGIN EC PRIVATE KEY-----\n", X509_PRIVATE, 0, "a private key of SEC 1" },
		{ "-----BEGIN RSA PRIVATE KEY-----\n", X509_PRIVATE, 0, "a private key of PKCS #1" },
		{ "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", X509_PRIVATE, 0, "an encrypted one" },
		{ "junk -----BEGIN PRIVATE KEY-----\n", X509_PRIVATE, 0, "one that is indented" },
		{ BEGIN "AAAA\n" END BEGIN "AAAA\n" END BEGIN "AAAA\n" END, X509_TOO_MANY, 2, "more than there is room for" },
	};
	struct span der[2], text;
	struct buf small;
	unsigned n;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		is_int(chain_of(span_z(cases[i].text), der, 2, &n), cases[i].is, cases[i].what);
		is_int(n, cases[i].n, "as many as there are");
	}
	ok(der[0].n == 3 && der[1].p == der[0].p + der[0].n, "one behind the other");
	text = certs_pem("client");
	for (size_t room = 0; room < 100; room++) {
		char *page = page_copy(mem, room);

		small = buf_on(page, room);
		if (x509_pem_chain(text, &small, der, 2, &n) != X509_TOO_LONG)
			ok(false, "no room");
		page_free(page, room);
	}
	is_int(chain_of(certs_pem("large"), der, 2, &n), X509_TOO_LONG, "a certificate of more than 8 KiB");
	is_int(chain_of(certs_pem("key-p256"), der, 2, &n), X509_PRIVATE, "a real key");
}

static void contents(void)
{
	static const struct { const char *name; enum x509_error is; enum x509_key key; unsigned bits; bool cnsa; } keys[] = {
		{ "server-p256", X509_OK, X509_P256, 256, false }, { "server-p384", X509_OK, X509_P384, 384, true },
		{ "server-rsa", X509_OK, X509_RSA, 2048, false }, { "server-rsa3072", X509_OK, X509_RSA, 3072, true },
		{ "key-p521", X509_WRONG_KEY, X509_KEY_OTHER, 0, false }, { "key-ed25519", X509_WRONG_KEY, X509_KEY_OTHER, 0, false },
		{ "key-rsa1024", X509_WRONG_KEY, X509_KEY_OTHER, 1024, false },
	};
	struct x509_cert c;
	uint8_t hash[CRYPTO_HASH];
	struct span der;

	for (unsigned i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		is_int(x509_read(&c, leaf_of(keys[i].name)), keys[i].is, keys[i].name);
		ok(c.key == keys[i].key && c.key_bits == keys[i].bits && x509_cnsa(&c) == keys[i].cnsa, "its key");
	}
	der = leaf_of("mixed-names");
	is_int(x509_read(&c, der), X509_OK, "names of all kinds");
	ok(c.ndns == 1 && span_eq(c.dns[0], SPAN("a.test")), "the dNSName");
	ok(c.nuri == 1 && span_eq(c.uri[0], SPAN("a:b")), "the URI");
	ok(c.has_eku && c.eku_server && c.eku_client && !c.ca, "both purposes");
	is_int(c.from_ms, INT64_C(1704067200000), "from 2024-01-01");
	is_int(c.until_ms, INT64_C(2524607999000), "to the last second of UTCTime");
	crypto_sha256(der.p, der.n, hash);
	is_mem(c.fingerprint, 32, hash, 32, "the fingerprint");
	ok(c.der.p == der.p && c.der.n == der.n, "where it is");
	is_int(x509_read(&c, leaf_of("forever")), X509_OK, "without an end (RFC 5280 4.1.2.5)");
	is_int(c.from_ms, INT64_C(946684799000), "from 1999-12-31 23:59:59");
	is_int(c.until_ms, INT64_C(253402300799000), "to 9999-12-31 23:59:59");
	is_int(x509_read(&c, leaf_of("ca")), X509_OK, "a CA");
	ok(c.ca && !c.has_eku && c.ndns == 0, "says so, and nothing else");
	is_int(x509_read(&c, leaf_of("server-no-eku")), X509_OK, "no purposes");
	ok(!c.has_eku && !c.eku_client && !c.eku_server, "are none");
	is_int(x509_read(&c, leaf_of("client-any-eku")), X509_OK, "any purpose");
	ok(c.has_eku && !c.eku_client && !c.eku_server, "is neither");
	is_int(x509_read(&c, leaf_of("client")), X509_OK, "a client's");
	ok(c.has_eku && c.eku_client && !c.eku_server && c.ndns == 1 && c.nuri == 1, "is one");
	is_int(x509_read(&c, leaf_of("names-32")), X509_OK, "32 names");
	ok(c.ndns == 32 && span_eq(c.dns[31], SPAN("n31.test")), "are there");
	is_int(x509_read(&c, leaf_of("names-33")), X509_TOO_MANY, "33 are too many");
	is_int(x509_read(&c, leaf_of("uris-33")), X509_TOO_MANY, "also of the other kind");
}

/* Finds `what` in a copy of the certificate, puts `with` there, and reads it. */
static enum x509_error changed(const char *name, struct span what, struct span with)
{
	struct span der = leaf_of(name);
	char *page = page_copy(der.p, der.n);
	struct x509_cert c;
	enum x509_error e;
	size_t i = 0;

	while (i + what.n <= der.n && memcmp(page + i, what.p, what.n) != 0)
		i++;
	if (i + what.n > der.n)
		certs_give_up("nothing to change");
	memcpy(page + i, with.p, with.n);
	e = x509_read(&c, span_of(page, der.n));
	page_free(page, der.n);
	return e;
}

static void broken(void)
{
	struct span der = leaf_of("mixed-names");
	struct x509_cert c;
	bool all = true;
	unsigned read = 0;
	char *page;

	for (size_t n = 0; n < der.n; n++) {
		page = page_copy(der.p, n);
		all &= x509_read(&c, span_of(page, n)) == X509_BAD_DER;
		page_free(page, n);
	}
	ok(all, "no certificate that is cut off");
	page = page_copy(der.p, der.n);
	for (size_t i = 0; i < der.n * 8; i++) {
		page[i / 8] ^= (char)(1 << i % 8);
		read += x509_read(&c, span_of(page, der.n)) == X509_OK;
		for (unsigned k = 0; k < c.ndns; k++)
			all &= c.dns[k].p >= page && c.dns[k].p + c.dns[k].n <= page + der.n;
		page[i / 8] ^= (char)(1 << i % 8);
	}
	ok(all && read > 0, "whatever bit is changed, names lie within it");
	page_free(page, der.n);
	memcpy(mem, der.p, der.n);
	mem[der.n] = 0;
	is_int(x509_read(&c, span_of(mem, der.n + 1)), X509_BAD_DER, "nothing behind it");
	memset(mem, 0, X509_DER_MAX + 1);
	is_int(x509_read(&c, span_of(mem, X509_DER_MAX + 1)), X509_TOO_LONG, "more than 8 KiB");
	is_int(x509_read(&c, span_of("", 0)), X509_BAD_DER, "nothing");

	is_int(changed("mixed-names", SPAN("\x82\x06" "a.test"), SPAN("\x82\x06" "a.te\0t")), X509_BAD_DER, "a NUL in a name");
	is_int(changed("mixed-names", SPAN("\x82\x06" "a.test"), SPAN("\x82\x06" "a te\xc3t")), X509_BAD_DER, "what is not ASCII in a name");
	is_int(changed("mixed-names", SPAN("\x86\x03" "a:b"), SPAN("\x86\x03" "a b")), X509_BAD_DER, "a space in a URI");
	is_int(changed("mixed-names", SPAN("\x86\x03" "a:b"), SPAN("\x81\x03" "a b")), X509_OK, "other kinds of names are not looked at");
	is_int(changed("mixed-names", SPAN("\x55\x1d\x25"), SPAN("\x55\x1d\x11")), X509_BAD_DER, "an extension twice");
	is_int(changed("mixed-names", SPAN("\x55\x1d\x11"), SPAN("\x55\x1d\x77")), X509_OK, "an unknown one is not looked at here");
	is_int(changed("ca", SPAN("\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff"), SPAN("\x01\x01\xff\x04\x05\x30\x03\x01\x01\x01")), X509_BAD_DER,
		"a boolean that is not of DER");
	is_int(changed("mixed-names", SPAN("\xa0\x03\x02\x01\x02"), SPAN("\xa0\x03\x02\x01\x03")), X509_BAD_DER, "version 4");
	is_int(changed("mixed-names", SPAN("\xa0\x03\x02\x01\x02"), SPAN("\xa0\x03\x02\x01\x01")), X509_BAD_DER, "version 2 with extensions");
	is_int(changed("mixed-names", SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03")),
		X509_BAD_DER, "two algorithms for one signature");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("240230000000Z")), X509_BAD_DER, "February 30");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("240229000000Z")), X509_OK, "February 29, 2024");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("230229000000Z")), X509_BAD_DER, "February 29, 2023");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("241301000000Z")), X509_BAD_DER, "a month 13");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("240101240000Z")), X509_BAD_DER, "an hour 24");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("240101006000Z")), X509_BAD_DER, "a minute 60");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("240101000060Z")), X509_BAD_DER, "a second 60");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("240101000000+")), X509_BAD_DER, "a time zone");
	is_int(changed("mixed-names", SPAN("240101000000Z"), SPAN("24010100000xZ")), X509_BAD_DER, "letters in a time");
	is_int(changed("forever", SPAN("99991231235959Z"), SPAN("00001231235959Z")), X509_BAD_DER, "a year 0");
	is_int(changed("server-rsa", SPAN("\x02\x03\x01\x00\x01"), SPAN("\x02\x03\x01\x00\x02")), X509_BAD_DER, "an even exponent");
	is_int(changed("mixed-names", SPAN("\x03\x42\x00\x04"), SPAN("\x03\x42\x00\x03")), X509_BAD_DER, "a compressed point");
	is_int(changed("mixed-names", SPAN("\x03\x42\x00\x04"), SPAN("\x03\x42\x01\x04")), X509_BAD_DER, "a key with unused bits");
}

static void lengths(void)
{
	static const struct { const char *p; size_t n; bool good; const char *what; } cases[] = {
#define CASE(literal, good, what) { literal, sizeof(literal) - 1, good, what }
		CASE("\x04\x00", true, "empty"), CASE("\x04\x01x", true, "short"), CASE("\x04\x01", false, "cut off"), CASE("\x04", false, "no length"),
		CASE("\x04\x80\x00\x00", false, "indefinite"), CASE("\x04\x81\x01x", false, "longer than need be"), CASE("\x04\x81", false, "half a length"),
		CASE("\x04\x82\x00\x01x", false, "longer than need be, in two bytes"), CASE("\x04\x83\x00\x00\x01x", false, "three bytes"),
		CASE("\x04\x84\xff\xff\xff\xff", false, "four bytes"), CASE("\x04\xff", false, "reserved"), CASE("\x1f\x04\x00", false, "a long tag"),
#undef CASE
	};
	struct span in, body;
	unsigned tag;
	int64_t ms;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *page = page_copy(cases[i].p, cases[i].n);

		in = span_of(page, cases[i].n);
		ok(der_any(&in, &tag, &body, NULL) == cases[i].good, cases[i].what);
		ok(cases[i].good ? in.n == 0 : in.p == page, "it is taken, or nothing is");
		page_free(page, cases[i].n);
	}
	in = SPAN("\x02\x01\x00");
	ok(!der_positive(&in, &body), "zero is not positive");
	in = SPAN("\x02\x01\xff");
	ok(!der_positive(&in, &body), "nor is a negative number");
	in = SPAN("\x02\x02\x00\x01");
	ok(!der_positive(&in, &body), "no zero in front but for the sign");
	in = SPAN("\x02\x02\x00\x81");
	ok(der_positive(&in, &body) && body.n == 1, "which is taken away");
	in = SPAN("\x02\x00");
	ok(!der_positive(&in, &body), "an empty number is none");
	in = SPAN("\x17\x0d" "700101000000Z");
	ok(der_time(&in, &ms) && ms == 0, "the epoch");
	in = SPAN("\x17\x0d" "500101000000Z");
	ok(der_time(&in, &ms) && ms == INT64_C(-631152000000), "UTCTime begins with 1950");
	in = SPAN("\x18\x0f" "20000229000000Z");
	ok(der_time(&in, &ms) && ms == INT64_C(951782400000), "2000 was a leap year");
	in = SPAN("\x18\x0f" "21000229000000Z");
	ok(!der_time(&in, &ms), "2100 will be none");
	in = SPAN("\x17\x0b" "7001010000Z");
	ok(!der_time(&in, &ms), "seconds are needed");
}

static void anchors(void)
{
	static const char *const files[] = { "ca", "all-cas", "server-self", "client" };
	const struct x509_anchors *a = NULL;
	unsigned n;
	bool within = true;

	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct span text = certs_pem(files[i]);
		size_t need = x509_anchors_need(text);
		char *page = page_copy(mem, need); /* aligned or not, as need is */

		is_int(x509_anchors_read(text, page, need, &a, &n), X509_OK, files[i]);
		is_int(n, i == 0 || i == 2 ? 1 : i == 1 ? 3 : 2, "as many as there are");
		ok(a->n == n && (uintptr_t)a % sizeof(void *) == 0, "aligned");
		ok((a->list[0].flags & BR_X509_TA_CA) == (i < 2 ? (unsigned)BR_X509_TA_CA : 0), "a CA, or one for itself");
		ok(a->list[0].dn.data[0] == 0x30 && (char *)a->list[0].dn.data > page, "its name with the header, in the memory given");
		page_free(page, need);
		for (size_t size = 0; size < need; size += 97) {
			enum x509_error e;

			page = page_copy(mem, size);
			e = x509_anchors_read(text, page, size, &a, &n);
			within &= e == X509_TOO_LONG || (e == X509_OK && size + 200 > need); /* need is an upper bound */
			page_free(page, size);
		}
	}
	ok(within, "with less memory it is refused, and nothing is written beyond");
	n = 7;
	is_int(x509_anchors_read(SPAN("none"), mem, sizeof mem, &a, &n), X509_NO_PEM, "no certificate");
	is_int(n, 0, "is none");
	is_int(x509_anchors_read(certs_pem("key-p521"), mem, sizeof mem, &a, &n), X509_WRONG_KEY, "a key that is of no use");
	is_int(x509_anchors_read(certs_pem("key-p256"), mem, sizeof mem, &a, &n), X509_PRIVATE, "a private key");
	is_int(x509_anchors_read(SPAN(BEGIN "AAAA\n" END), mem, sizeof mem, &a, &n), X509_BAD_DER, "no certificate in the block");
}

static void many_anchors(void)
{
	static char text[64 * 1024];
	struct span one = certs_pem("other-ca");
	struct buf b = buf_on(text, sizeof text);
	const struct x509_anchors *a = NULL;
	unsigned n;

	for (unsigned i = 0; i < X509_ANCHORS_MAX; i++)
		buf_put(&b, one);
	is_int(x509_anchors_read(buf_span(&b), mem, x509_anchors_need(buf_span(&b)), &a, &n), X509_OK, "32 anchors");
	is_int(n, X509_ANCHORS_MAX, "are there");
	buf_put(&b, one);
	ok(!b.full, "one more");
	is_int(x509_anchors_read(buf_span(&b), mem, x509_anchors_need(buf_span(&b)), &a, &n), X509_TOO_MANY, "is one too many");
}

static void names(void)
{
	static const struct { const char *pattern, *host; bool is; } cases[] = {
		{ "a.test", "a.test", true }, { "A.Test", "a.tEST", true }, { "a.test", "b.test", false }, { "a.test", "a.test.", false },
		{ "a.test", "x.a.test", false }, { "*.a.test", "x.a.test", true }, { "*.A.test", "X.a.TEST", true }, { "*.a.test", "a.test", false },
		{ "*.a.test", "x.y.a.test", false }, { "*.a.test", ".a.test", false }, { "x*.a.test", "xy.a.test", false }, { "*x.a.test", "yx.a.test", false },
		{ "x.*.test", "x.y.test", false }, { "*", "a", false }, { "*", "*", true }, { "*.", "a.", false }, { "", "", false }, { "a", "", false },
		{ "", "a", false }, { "*.0.0.1", "127.0.0.1", false }, { "127.0.0.1", "127.0.0.1", false }, { "1.test", "1.test", true }, { "a.1", "a.1", false },
		{ "*.test", "a.test", true }, { "*.*.test", "a.b.test", false }, { "*.*.test", "a.*.test", true },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t np = strlen(cases[i].pattern), nh = strlen(cases[i].host);
		char *pattern = page_str(cases[i].pattern), *host = page_str(cases[i].host), name[100];

		snprintf(name, sizeof name, "\"%s\" %s \"%s\"", cases[i].pattern, cases[i].is ? "serves" : "does not serve", cases[i].host);
		ok(x509_name_matches(span_of(pattern, np), span_of(host, nh)) == cases[i].is, name);
		page_free(pattern, np);
		page_free(host, nh);
	}
}

int main(void)
{
	pem();
	contents();
	broken();
	lengths();
	anchors();
	many_anchors();
	names();
	for (unsigned e = 0; e < X509_ERRORS; e++)
		ok(x509_error_text((enum x509_error)e).n > 10 && !span_eq(x509_error_text((enum x509_error)e), SPAN("unknown")), "each error has its words");
	return done_testing();
}
