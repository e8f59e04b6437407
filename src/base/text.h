/* base/text.h: small text tools that more than one room needs: base64, UTF-8, bounded number reading. */
#ifndef POSTERN_BASE_TEXT_H
#define POSTERN_BASE_TEXT_H

#include "base/buf.h"

/* Eight bytes as a little-endian number: words at a time, the same on every machine (compilers make it one load). */
static inline uint64_t text_le64(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint64_t)u[0] | (uint64_t)u[1] << 8 | (uint64_t)u[2] << 16 | (uint64_t)u[3] << 24 | (uint64_t)u[4] << 32
		| (uint64_t)u[5] << 40 | (uint64_t)u[6] << 48 | (uint64_t)u[7] << 56;
}

/* The same of n bytes, 0 to 7, and not one read beyond them. */
static inline uint64_t text_le(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	uint64_t low, high;

	if (n == 0)
		return 0;
	if (n < 4)
		return (uint64_t)u[0] | (uint64_t)u[n / 2] << (8 * (n / 2)) | (uint64_t)u[n - 1] << (8 * (n - 1));
	/* Two halves that overlap: the upper one gives what the lower one has not got. */
	low = (uint64_t)u[0] | (uint64_t)u[1] << 8 | (uint64_t)u[2] << 16 | (uint64_t)u[3] << 24;
	u += n - 4;
	high = (uint64_t)u[0] | (uint64_t)u[1] << 8 | (uint64_t)u[2] << 16 | (uint64_t)u[3] << 24;
	return low | high >> (8 * (8 - n)) << 32;
}

/* True if one of the eight bytes of w is c. */
static inline bool text_has_byte(uint64_t w, char c)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t x = w ^ ones * (unsigned char)c;

	return ((x - ones) & ~x & ones << 7) != 0;
}

/* Standard padded base64 (RFC 4648 4). */
size_t b64_size(size_t n);                                 /* encoded bytes of n */
void b64_encode(struct buf *b, const void *bytes, size_t n);
/* Strict: canonical, padded, no white space; false on anything else (then b is as before). */
bool b64_decode(struct buf *b, struct span text);

/* Length 1..4 of the valid UTF-8 sequence at s.p (RFC 3629: no overlong, no surrogate, at most U+10FFFF), 0 if there is none. */
size_t utf8_step(struct span s);
bool utf8_valid(struct span s);
/* The largest cut <= at (and <= s.n) that does not split a sequence of the valid UTF-8 text s. */
size_t utf8_floor(struct span s, size_t at);

/* Decimal digits only, no sign, no space, at most 19 digits; false on anything else or overflow. */
bool text_u64(struct span s, uint64_t *v);

/* Levenshtein distance in bytes with early stop: min(distance, max + 1); for "did you mean". Names up to 64 bytes; longer ones give
 * max + 1. A max over 64 counts as 64. */
unsigned text_distance(struct span a, struct span b, unsigned max);

#endif
