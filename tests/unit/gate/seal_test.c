/* gate/seal: the frame of all that is given away to be brought back. */
#include "gate/seal.h"

#include "page.h"
#include "tap.h"

enum { PLAIN_MAX = 40 };

static uint8_t key[SEAL_KEY];
static const char bytes[] = "\0\xff\"\\\n plain bytes of which some mean something";
static struct seal seal = { { "x1.", 3 }, key, { { "far", 3 }, { NULL, 0 }, { "a\0b", 3 }, { "{}", 2 }, { "end", 3 } } };
static char got[PLAIN_MAX + SEAL_MAC];

static struct span make(char *mem, size_t cap, const struct seal *s, size_t n)
{
	char plain_mem[PLAIN_MAX + SEAL_MAC];
	struct buf out = buf_on(mem, cap), plain = buf_on(plain_mem, sizeof plain_mem);

	buf_put(&plain, span_of(bytes, n));
	seal_write(&out, s, &plain);
	if (out.full && out.n != 0)
		ok(false, "what does not fit leaves nothing");
	return out.full ? span_of(NULL, 0) : buf_span(&out);
}

static bool opens(struct span text, const struct seal *s, size_t *n)
{
	char *page = page_copy(text.p, text.n);
	struct buf plain = buf_on(got, sizeof got);
	bool good = seal_text(s, span_of(page, text.n), &plain) && seal_good(s, &plain);

	*n = plain.n;
	page_free(page, text.n);
	return good;
}

static bool refused(struct span text, const struct seal *s)
{
	size_t n;
	return !opens(text, s, &n);
}

static void frame(void)
{
	/* By another program: HMAC-SHA256 over "x1.", five lengths of 8 bytes, lowest first, what it is bound to, "abc"; its first 16 bytes. */
	static const char known[] = "x1.YWJjK5g7HnEx-Z5byX1z-kpjMQ";
	char mem[SEAL_TEXT(PLAIN_MAX)], plain_mem[3 + SEAL_MAC], tight[SEAL_TEXT(3)];
	struct buf out = buf_on(mem, sizeof mem), plain = buf_on(plain_mem, sizeof plain_mem);
	unsigned wrong = 0;
	size_t n;

	BUF_LIT(&plain, "abc");
	seal_write(&out, &seal, &plain);
	is_mem(out.p, out.n, known, sizeof known - 1, "the text is what the header says");
	for (size_t size = 0; size <= PLAIN_MAX; size++) {
		struct span text = make(mem, sizeof mem, &seal, size);

		wrong += text.n != SEAL_TEXT(size) || SEAL_PLAIN(text.n) != size || !opens(text, &seal, &n) || n != size || memcmp(got, bytes, n) != 0;
	}
	is_uint(wrong, 0, "every length comes back, in as many characters as it says");
	for (size_t cap = 0; cap < SEAL_TEXT(3); cap++)
		wrong += !span_absent(make(tight, cap, &seal, 3));
	is_uint(wrong, 0, "too little room for the text is said");
	ok(!span_absent(make(tight, sizeof tight, &seal, 3)), "just enough is enough");
	plain = buf_on(plain_mem, 3 + SEAL_MAC - 1);
	out = buf_on(mem, sizeof mem);
	BUF_LIT(&out, "before");
	BUF_LIT(&plain, "abc");
	seal_write(&out, &seal, &plain);
	ok(out.full && out.n == 6, "no room for the MAC: said, and what stood before stays");
	plain = buf_on(plain_mem, 2);
	out = buf_on(mem, sizeof mem);
	BUF_LIT(&plain, "abc");
	seal_write(&out, &seal, &plain);
	ok(out.full && out.n == 0, "nor is less sealed than was meant");
	plain = buf_on(got, PLAIN_MAX + SEAL_MAC - 1);
	ok(!seal_text(&seal, make(mem, sizeof mem, &seal, PLAIN_MAX), &plain), "one that is longer than there is room for does not open");
}

static void bound(void)
{
	char mem[SEAL_TEXT(PLAIN_MAX)];
	struct span text = make(mem, sizeof mem, &seal, 6);
	struct seal s;

	for (unsigned i = 0; i < SEAL_BOUND; i++) {
		s = seal;
		s.bound[i] = SPAN("other");
		ok(refused(text, &s), "bound to each part");
		s.bound[i] = seal.bound[(i + 1) % SEAL_BOUND];
		s.bound[(i + 1) % SEAL_BOUND] = seal.bound[i];
		ok(refused(text, &s), "where it stands");
	}
	s = seal;
	s.bound[2] = SPAN("a\0");
	s.bound[3] = SPAN("b{}");
	ok(refused(text, &s), "where one part ends and the next begins counts");
	s = seal;
	s.bound[4] = SPAN("end\0\xff\"");
	text = make(mem, sizeof mem, &s, 0);
	memmove(mem + SEAL_KIND + 4, mem + SEAL_KIND, text.n - SEAL_KIND);
	memcpy(mem + SEAL_KIND, "AP8i", 4); /* the same three bytes as plain ones */
	ok(refused(span_of(mem, text.n + 4), &seal), "and where the last ends and the plain bytes begin");
	text = make(mem, sizeof mem, &seal, 6);
	s = seal;
	s.kind = SPAN("x2.");
	ok(refused(text, &s), "another kind is refused by its name");
	mem[1] = '2';
	ok(refused(text, &s), "nor does it become one by being called so");
}

static void forged(size_t size)
{
	char mem[SEAL_TEXT(PLAIN_MAX) + 2], changed[SEAL_TEXT(PLAIN_MAX) + 2];
	struct span text = make(mem, sizeof mem, &seal, size);
	unsigned passed = 0;

	for (size_t i = 0; i < text.n; i++)
		for (unsigned c = 0; c < 256; c++) {
			memcpy(changed, text.p, text.n);
			changed[i] = (char)c;
			passed += changed[i] != text.p[i] && !refused(span_of(changed, text.n), &seal);
		}
	is_uint(passed, 0, "no change of one character opens");
	for (size_t n = 0; n < text.n; n++)
		passed += !refused(span_of(text.p, n), &seal);
	is_uint(passed, 0, "no shorter text");
	memcpy(changed, text.p, text.n);
	for (unsigned c = 0; c < 256; c++) {
		changed[text.n] = changed[text.n + 1] = (char)c;
		passed += !refused(span_of(changed, text.n + 1), &seal) || !refused(span_of(changed, text.n + 2), &seal);
	}
	is_uint(passed, 0, "no longer one, padded or not");
	for (unsigned bit = 0; bit < 8 * SEAL_KEY; bit++) {
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
		passed += !refused(text, &seal);
		key[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	is_uint(passed, 0, "and no other key");
	ok(!refused(text, &seal), "while this one does");
}

int main(void)
{
	for (unsigned i = 0; i < SEAL_KEY; i++)
		key[i] = (uint8_t)(i + 1);
	frame();
	bound();
	/* Texts of all three lengths modulo 4 that base64 can have: the last character has bits to spare in two of them. */
	forged(5);
	forged(6);
	forged(7);
	ok(refused(SPAN(""), &seal) && refused(SPAN("x1"), &seal) && refused(SPAN("x1."), &seal) && refused(SPAN("x1.AAAA"), &seal), "nor can it be made up");
	return done_testing();
}
