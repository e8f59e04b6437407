/* base/text: base64 (RFC 4648 10), UTF-8 (RFC 3629) against every sequence of up to four bytes that matters, numbers, distance. */
#include "base/text.h"

#include "page.h"
#include "tap.h"

static char mem[512];

static void base64_vectors(void)
{
	static const char *const pairs[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xfe", "+//+" },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		size_t n = strlen(pairs[i][0]), size = strlen(pairs[i][1]);
		char *text = page_str(pairs[i][1]), *bytes = page_copy(pairs[i][0], n);
		struct buf b = buf_on(mem, size);

		b64_encode(&b, bytes, n);
		is_mem(b.p, b.n, pairs[i][1], size, "encode");
		ok(!b.full, "in exactly b64_size bytes");
		is_int(b64_size(n), size, "b64_size");
		b = buf_on(mem, n);
		ok(b64_decode(&b, span_of(text, size)), "decode, in exactly as many bytes");
		is_mem(b.p, b.n, pairs[i][0], n, "to what it was");
		if (n > 0) {
			b = buf_on(mem, size - 1);
			b64_encode(&b, bytes, n);
			ok(b.full && b.n == 0, "no room to encode");
			b = buf_on(mem, n - 1);
			ok(!b64_decode(&b, span_of(text, size)) && b.n == 0, "no room to decode");
		}
		page_free(text, size);
		page_free(bytes, n);
	}
}

static void base64_refused(void)
{
	static const char *const wrong[] = {
		"Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zm9v=", "Zm9vY", "Zh==", "Zm9=", "Zm8=Zm8=", "Zg==Zg==", "Zm 8", "Zm9v\n",
		" Zg==", "Zm-_", "Z=g=", "Zg=a", "Zm9v====", "=m9v", "Zm6=", "Zo==", "Zg==Zg", "Zm9vZm", "Zm\xc3\xa9",
	};
	bool all = true;

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct buf b = buf_on(mem, sizeof mem);
		char *page = page_str(wrong[i]);

		BUF_LIT(&b, "ab");
		if (b64_decode(&b, span_of(page, strlen(wrong[i]))) || b.n != 2 || b.full) {
			diag("accepted or changed the buffer: %s", wrong[i]);
			all = false;
		}
		page_free(page, strlen(wrong[i]));
	}
	ok(all, "malformed and non-canonical base64 is refused and leaves the buffer as it was");
}

static void base64_all_lengths(void)
{
	uint8_t in[64];
	char text[128], out[64];
	bool all = true;

	for (size_t n = 0; n < sizeof in; n++) {
		struct buf t = buf_on(text, sizeof text), b = buf_on(out, sizeof out);

		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)(i * 151 + n * 7);
		b64_encode(&t, in, n);
		all = all && b64_decode(&b, buf_span(&t)) && b.n == n && (n == 0 || memcmp(in, out, n) == 0);
	}
	ok(all, "every length up to 63 comes back");
}

/* RFC 3629 section 4, the grammar itself, written another way than in the code: by the code point. */
static size_t expected_step(const unsigned char *u, size_t n)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = u[0] < 0x80 ? 1 : (u[0] & 0xE0) == 0xC0 ? 2 : (u[0] & 0xF0) == 0xE0 ? 3 : (u[0] & 0xF8) == 0xF0 ? 4 : 0;
	uint32_t c;

	if (len < 2)
		return len;
	if (n < len)
		return 0;
	c = u[0] & (0xFFu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if (u[i] < 0x80 || u[i] > 0xBF)
			return 0;
		c = c << 6 | (u[i] & 0x3Fu);
	}
	return c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? 0 : len;
}

static void utf8_steps(void)
{
	static const unsigned char edge[] = { 0x00, 0x22, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xFF };
	const size_t edges = sizeof edge;
	char *page = page_copy("    ", 4);
	unsigned wrong = 0;

	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++)
			for (size_t c = 0; c < edges; c++)
				for (size_t d = 0; d < edges; d++) {
					unsigned char u[4] = { (unsigned char)a, (unsigned char)b, edge[c], edge[d] };

					memcpy(page, u, 4);
					wrong += utf8_step(span_of(page, 4)) != expected_step(u, 4);
				}
	is_int(wrong, 0, "four bytes: two of them any, two of them at every edge");
	wrong = 0;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++)
			for (size_t n = 1; n <= 3; n++) {
				unsigned char u[4] = { (unsigned char)a, (unsigned char)b, 0x80, 0x80 };

				memcpy(page + 4 - n, u, n);
				wrong += utf8_step(span_of(page + 4 - n, n)) != expected_step(u, n);
			}
	is_int(wrong, 0, "cut short before a guard page");
	is_int(utf8_step(span_of(page + 4, 0)), 0, "nothing");
	page_free(page, 4);
}

static void utf8_texts(void)
{
	static const char good[] = "plain text of some length, \xc3\xa9t\xc3\xa9, \xe2\x82\xac, \xf0\x9d\x84\x9e and back to plain";
	const size_t n = sizeof good - 1;
	unsigned wrong = 0;

	ok(utf8_valid(span_of(good, n)), "mixed text");
	ok(utf8_valid(SPAN("")), "the empty text");
	for (size_t i = 0; i <= n; i++) {
		char *cut = page_copy(good, i);
		size_t floor = utf8_floor(span_of(good, n), i);

		/* A cut is right if what is left is valid, and it is the largest if nothing longer up to i is. */
		wrong += floor > i || i - floor > 3 || !utf8_valid(span_of(good, floor));
		for (size_t k = floor + 1; k <= i; k++)
			wrong += utf8_valid(span_of(good, k));
		wrong += utf8_valid(span_of(cut, i)) != (floor == i);
		page_free(cut, i);
	}
	is_int(wrong, 0, "valid at every cut but those inside a sequence; utf8_floor finds the cut");
	is_int(utf8_floor(span_of(good, n), n + 5), n, "utf8_floor beyond the end is the end");
	is_int(utf8_floor(SPAN("\x80\x80\x80\x80"), 3), 0, "utf8_floor ends at 0 in what is not UTF-8");
	for (size_t i = 0; i < n; i++) {
		char text[sizeof good];

		memcpy(text, good, sizeof good);
		text[i] = (char)0xFF;
		wrong += utf8_valid(span_of(text, n));
	}
	is_int(wrong, 0, "a bad byte is found at every place");
}

static void numbers(void)
{
	static const char *const wrong[] = { "", " 1", "1 ", "+1", "-1", "1.0", "0x1", "1e3", "12345678901234567890", "1:", "/1", "\xd9\xa1" };
	uint64_t v = 77;
	bool all = true;

	ok(text_u64(SPAN("0"), &v) && v == 0, "0");
	ok(text_u64(SPAN("007"), &v) && v == 7, "leading zeros are digits");
	ok(text_u64(SPAN("9999999999999999999"), &v) && v == UINT64_C(9999999999999999999), "19 nines");
	v = 77;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		all = all && !text_u64(span_z(wrong[i]), &v) && v == 77;
	ok(all, "anything else is refused and leaves the value alone");
	for (size_t n = 0; n < 8; n++) {
		char *page = page_copy("\x81\x92\xa3\xb4\xc5\xd6\xe7", n);
		uint64_t want = UINT64_C(0xe7d6c5b4a39281) & ((UINT64_C(1) << (8 * n)) - 1);

		is_uint(text_le(page, n), want, "part of a word");
		page_free(page, n);
	}
	for (unsigned c = 0, wrong_bytes = 0; c < 256; c++) {
		for (unsigned other = 0; other < 256; other++)
			for (unsigned at = 0; at < 64; at += 8) {
				uint64_t fill = UINT64_C(0x0101010101010101) * other, w = (fill & ~(UINT64_C(0xff) << at)) | (uint64_t)c << at;

				wrong_bytes += !text_has_byte(w, (char)c) || text_has_byte(fill, (char)c) != (c == other);
			}
		if (c == 255)
			is_int(wrong_bytes, 0, "text_has_byte, every byte among eight of every other");
	}
	is_uint(text_le64("\x01\x02\x03\x04\x05\x06\x07\xf8"), UINT64_C(0xf807060504030201), "little-endian whatever the machine");
}

static void distances(void)
{
	static const struct { const char *a, *b; unsigned distance; } cases[] = {
		{ "", "", 0 }, { "a", "", 1 }, { "", "abc", 3 }, { "kitten", "sitting", 3 }, { "listen", "listeners", 3 }, { "flaw", "lawn", 2 },
		{ "timeout", "timeouts", 1 }, { "ab", "ba", 2 }, { "mcpServers", "mcpservers", 1 }, { "abcdef", "uvwxyz", 6 },
	};
	char lengthy[80];

	memset(lengthy, 'x', sizeof lengthy);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct span a = span_z(cases[i].a), b = span_z(cases[i].b);

		for (unsigned max = 0; max < 9; max++) {
			unsigned want = cases[i].distance > max ? max + 1 : cases[i].distance;

			if (text_distance(a, b, max) != want || text_distance(b, a, max) != want)
				diag("%s, %s, max %u: %u, not %u", cases[i].a, cases[i].b, max, text_distance(a, b, max), want);
			ok(text_distance(a, b, max) == want && text_distance(b, a, max) == want, cases[i].b);
		}
	}
	is_int(text_distance(span_of(lengthy, 64), SPAN(""), 100), 64, "64 bytes are compared");
	is_int(text_distance(span_of(lengthy, 65), SPAN(""), 3), 4, "65 are not");
	is_int(text_distance(span_of(lengthy, 65), span_of(lengthy, 65), UINT32_MAX), 65, "a huge max counts as 64");
}

int main(void)
{
	base64_vectors();
	base64_refused();
	base64_all_lengths();
	utf8_steps();
	utf8_texts();
	numbers();
	distances();
	return done_testing();
}
