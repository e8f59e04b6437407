/* wire/json_string: the hash against SipHash-1-3's own vectors, and the same whatever the spelling; the rest is tested through json_read. */
#include "wire/json_string.h"

#include "page.h"
#include "tap.h"

/* SipHash-1-3 under the key 00 01 .. 0f of the texts "", "a", "ab" ...: from an implementation in
 * Python that was checked with two and four rounds against the vector in the SipHash paper (appendix A). */
static const struct { const char *text; uint64_t hash; } vectors[] = {
	{ "", UINT64_C(0xabac0158050fc4dc) },
	{ "a", UINT64_C(0x1c2697ab786a6237) },
	{ "ab", UINT64_C(0x0c149f5d943a15ed) },
	{ "abc", UINT64_C(0x6fce24e8af8146eb) },
	{ "abcd", UINT64_C(0x2b722dba445c0659) },
	{ "abcde", UINT64_C(0x53ace3f1f252f978) },
	{ "abcdef", UINT64_C(0xb5d886816a84416e) },
	{ "abcdefg", UINT64_C(0x639b490caba831bb) },
	{ "abcdefgh", UINT64_C(0x12d8c08c2ee9e620) },
	{ "abcdefghi", UINT64_C(0x7e02bfd36e3aa6a2) },
	{ "abcdefghijklmnop", UINT64_C(0xa0a4466e7e02c46a) },
	{ "the quick brown fox jumps over the lazy dog", UINT64_C(0xc553a4d2ce0ef348) },
};

int main(void)
{
	const uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) }, other_key[2] = { key[0] ^ 1, key[1] };
	char escaped[2048], plain[320];
	unsigned wrong = 0, same = 0;

	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		char *page = page_str(vectors[i].text);

		is_uint(json_string_hash(key, span_of(page, strlen(vectors[i].text))), vectors[i].hash, vectors[i].text);
		page_free(page, strlen(vectors[i].text));
	}
	for (size_t n = 0; n < sizeof plain; n++)
		for (unsigned every = 1; every < 40; every += every < 12 ? 1 : 9) {
			struct buf b = buf_on(escaped, sizeof escaped), back = buf_on(plain, n);
			char text[320], *page;

			for (size_t i = 0; i < n; i++) {
				text[i] = (char)('a' + i % 26);
				if (i % every == 0) {
					BUF_LIT(&b, "\\u00");
					buf_hex(&b, &text[i], 1);
				} else {
					buf_char(&b, text[i]);
				}
			}
			page = page_copy(b.p, b.n);
			wrong += json_string_hash(key, span_of(page, b.n)) != json_string_hash(key, span_of(text, n));
			wrong += !json_string_equals(span_of(page, b.n), span_of(text, n)) || !json_string_same(span_of(page, b.n), span_of(text, n))
				|| !json_string_same(span_of(text, n), span_of(page, b.n));
			json_string_text(span_of(page, b.n), &back);
			wrong += back.full || !span_eq(buf_span(&back), span_of(text, n));
			same += json_string_hash(key, span_of(text, n)) == json_string_hash(other_key, span_of(text, n));
			page_free(page, b.n);
		}
	is_int(wrong, 0, "however it is spelled, up to a guard page: same hash, equal, and the same text");
	is_int(same, 0, "another key, another hash");
	ok(!json_string_same(SPAN("a"), SPAN("ab")) && !json_string_same(SPAN("ab"), SPAN("a")) && !json_string_same(SPAN(""), SPAN("a"))
		&& !json_string_same(SPAN("a\\u0062"), SPAN("ac")) && json_string_same(SPAN(""), SPAN("")), "a beginning is not the same");
	ok(!json_string_folds_to(SPAN("a"), SPAN("ab")) && !json_string_folds_to(SPAN("AB"), SPAN("a")), "nor does it fold to it");
	return done_testing();
}
