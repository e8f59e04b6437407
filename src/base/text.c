#include "base/text.h"

size_t b64_size(size_t n)
{
	return n / 3 * 4 + (n % 3 > 0 ? 4 : 0);
}

void b64_encode(struct buf *b, const void *bytes, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *u = bytes;
	char *out;

	/* The first test keeps b64_size() from wrapping. */
	if (b->full || n > b->cap - b->n || b64_size(n) > b->cap - b->n) {
		b->full = true;
		return;
	}
	out = b->p + b->n;
	b->n += b64_size(n);
	for (; n >= 3; n -= 3, u += 3) {
		*out++ = digit[u[0] >> 2];
		*out++ = digit[(u[0] & 3) << 4 | u[1] >> 4];
		*out++ = digit[(u[1] & 15) << 2 | u[2] >> 6];
		*out++ = digit[u[2] & 63];
	}
	if (n > 0) {
		unsigned second = n == 2 ? u[1] : 0;

		*out++ = digit[u[0] >> 2];
		*out++ = digit[(u[0] & 3u) << 4 | second >> 4];
		*out++ = n == 2 ? digit[(second & 15) << 2] : '=';
		*out++ = '=';
	}
}

/* The value of a base64 digit, 64 and more for anything else. */
static unsigned b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool b64_decode(struct buf *b, struct span text)
{
	size_t pad = 0, size, n = b->n;

	if (text.n % 4 != 0)
		return false;
	if (text.n > 0 && text.p[text.n - 1] == '=')
		pad = text.p[text.n - 2] == '=' ? 2 : 1;
	size = text.n / 4 * 3 - pad;
	if (b->full || size > b->cap - b->n)
		return false;
	for (size_t i = 0; i < text.n; i += 4) {
		const char *q = text.p + i;
		bool last = i + 4 == text.n;
		unsigned v0 = b64_value(q[0]), v1 = b64_value(q[1]);
		unsigned v2 = last && pad == 2 ? 0 : b64_value(q[2]);
		unsigned v3 = last && pad > 0 ? 0 : b64_value(q[3]);

		if ((v0 | v1 | v2 | v3) > 63)
			return false;
		/* Bits that pad the last group must be zero: one value has one spelling. */
		if (last && ((pad == 2 && (v1 & 15) != 0) || (pad == 1 && (v2 & 3) != 0)))
			return false;
		b->p[n++] = (char)(unsigned char)(v0 << 2 | v1 >> 4);
		if (!last || pad < 2)
			b->p[n++] = (char)(unsigned char)((v1 & 15) << 4 | v2 >> 2);
		if (!last || pad == 0)
			b->p[n++] = (char)(unsigned char)((v2 & 3) << 6 | v3);
	}
	b->n = n;
	return true;
}

static bool continues(unsigned char c)
{
	return (c & 0xC0) == 0x80;
}

size_t utf8_step(struct span s)
{
	const unsigned char *u = (const unsigned char *)s.p;

	/* RFC 3629 section 4: only the second byte has narrower bounds, and only after E0, ED, F0 and F4. */
	if (s.n == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xC2)
		return 0;
	if (u[0] < 0xE0)
		return s.n >= 2 && continues(u[1]) ? 2 : 0;
	if (u[0] < 0xF0) {
		if (s.n < 3 || !continues(u[1]) || !continues(u[2]))
			return 0;
		return (u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) ? 0 : 3;
	}
	if (u[0] > 0xF4 || s.n < 4 || !continues(u[1]) || !continues(u[2]) || !continues(u[3]))
		return 0;
	return (u[0] == 0xF0 && u[1] < 0x90) || (u[0] == 0xF4 && u[1] > 0x8F) ? 0 : 4;
}

bool utf8_valid(struct span s)
{
	size_t i = 0;

	while (i < s.n) {
		size_t step;

		while (s.n - i >= 8 && (text_le64(s.p + i) & UINT64_C(0x8080808080808080)) == 0)
			i += 8;
		if (i == s.n)
			break;
		step = utf8_step(span_of(s.p + i, s.n - i));
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

size_t utf8_floor(struct span s, size_t at)
{
	if (at >= s.n)
		return s.n;
	/* At most three continuation bytes in a valid text; 0 ends the walk in any other. */
	while (at > 0 && continues((unsigned char)s.p[at]))
		at--;
	return at;
}

bool text_u64(struct span s, uint64_t *v)
{
	uint64_t sum = 0;

	/* 19 digits stay below 2^64: no overflow to look for. */
	if (s.n == 0 || s.n > 19)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(s.p[i] - '0');
	}
	*v = sum;
	return true;
}

unsigned text_distance(struct span a, struct span b, unsigned max)
{
	enum { NAME_MAX_LEN = 64 };
	unsigned row[NAME_MAX_LEN + 1];

	if (max > NAME_MAX_LEN)
		max = NAME_MAX_LEN;
	if (a.n > NAME_MAX_LEN || b.n > NAME_MAX_LEN)
		return max + 1;
	for (unsigned i = 0; i <= b.n; i++)
		row[i] = i;
	/* One row of the matrix at a time; `corner` is the value up and to the left. */
	for (size_t i = 0; i < a.n; i++) {
		unsigned corner = row[0], least = row[0] + 1;

		row[0]++;
		for (size_t k = 0; k < b.n; k++) {
			unsigned cost = corner + (a.p[i] == b.p[k] ? 0 : 1);

			corner = row[k + 1];
			if (corner + 1 < cost)
				cost = corner + 1;
			if (row[k] + 1 < cost)
				cost = row[k] + 1;
			row[k + 1] = cost;
			if (cost < least)
				least = cost;
		}
		if (least > max)
			return max + 1;
	}
	return row[b.n] > max ? max + 1 : row[b.n];
}
