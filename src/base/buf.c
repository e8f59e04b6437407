#include "base/buf.h"

enum { U64_DIGITS = 20 };

/* Writes the digits of v to the end of out and returns how many there are. */
static size_t digits(char out[U64_DIGITS], uint64_t v)
{
	size_t n = 0;

	do {
		out[U64_DIGITS - ++n] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	return n;
}

void buf_char(struct buf *b, char c)
{
	buf_put(b, span_of(&c, 1));
}

void buf_u64(struct buf *b, uint64_t v)
{
	buf_u64_pad(b, v, 0);
}

void buf_i64(struct buf *b, int64_t v)
{
	char out[U64_DIGITS + 1];
	/* -v does not exist for INT64_MIN; 0 - v in unsigned arithmetic does. */
	size_t n = digits(out + 1, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);

	if (v < 0)
		out[U64_DIGITS - n++] = '-';
	buf_put(b, span_of(out + 1 + U64_DIGITS - n, n));
}

void buf_hex(struct buf *b, const void *bytes, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *u = bytes;

	if (b->full || n > (b->cap - b->n) / 2) {
		b->full = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		b->p[b->n++] = hex[u[i] >> 4];
		b->p[b->n++] = hex[u[i] & 15];
	}
}

void buf_u64_pad(struct buf *b, uint64_t v, size_t width)
{
	char out[U64_DIGITS];
	size_t n = digits(out, v);
	size_t pad = width > n ? width - n : 0;

	if (b->full || b->cap - b->n < n || b->cap - b->n - n < pad) {
		b->full = true;
		return;
	}
	memset(b->p + b->n, ' ', pad);
	memcpy(b->p + b->n + pad, out + U64_DIGITS - n, n);
	b->n += pad + n;
}
