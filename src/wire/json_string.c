#include "wire/json_string.h"

#include "base/text.h"

static unsigned hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (((unsigned)p[i] & 15) + (p[i] > '9' ? 9u : 0u));
	return v;
}

/* Takes one character off the front of s, which holds at least one: a whole escape or UTF-8 sequence. */
static inline uint32_t take(struct span *s)
{
	/* A table, not a switch: the order of escapes is the adversary's, and every wrong guess of the processor would be ours. */
	static const unsigned char stands_for[256] = {
		['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
	};
	const unsigned char *u = (const unsigned char *)s->p;
	uint32_t c = u[0];
	size_t n = 1;

	if (c == '\\') {
		c = stands_for[u[1]];
		n = 2;
		if (u[1] == 'u') {
			c = hex4(s->p + 2);
			n = 6;
			if ((c & 0xFC00) == 0xD800) {
				c = 0x10000 + ((c & 0x3FF) << 10 | (hex4(s->p + 8) & 0x3FF));
				n = 12;
			}
		}
	} else if (c >= 0xF0) {
		c = (c & 7) << 18 | (u[1] & 63u) << 12 | (u[2] & 63u) << 6 | (u[3] & 63u);
		n = 4;
	} else if (c >= 0xE0) {
		c = (c & 15) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u);
		n = 3;
	} else if (c >= 0x80) {
		c = (c & 31) << 6 | (u[1] & 63u);
		n = 2;
	}
	*s = span_of(s->p + n, s->n - n);
	return c;
}

static inline size_t encode(char out[4], uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

void json_string_text(struct span in, struct buf *out)
{
	size_t start = out->n;

	while (in.n > 0 && !out->full) {
		const char *escape = memchr(in.p, '\\', in.n);
		size_t plain = escape == NULL ? in.n : (size_t)(escape - in.p);
		char c[4];

		buf_put(out, span_of(in.p, plain));
		in = span_from(in, plain);
		/* Escapes one after another, without a search for each. */
		while (in.n > 0 && in.p[0] == '\\' && !out->full)
			buf_put(out, span_of(c, encode(c, take(&in))));
	}
	if (out->full)
		out->n = start;
}

bool json_string_spells(struct span in, struct span plain)
{
	while (in.n > 0 && plain.n > 0) {
		char c[4];
		size_t n = encode(c, take(&in));

		if (plain.n < n || memcmp(c, plain.p, n) != 0)
			return false;
		plain = span_from(plain, n);
	}
	return in.n == 0 && plain.n == 0;
}

bool json_string_same(struct span in, struct span other)
{
	while (in.n > 0 && other.n > 0)
		if (take(&in) != take(&other))
			return false;
	return in.n == 0 && other.n == 0;
}

static uint32_t fold(uint32_t c)
{
	if (c >= 0xFF01 && c <= 0xFF5E)
		c -= 0xFF01 - 0x21;
	if (c >= 'A' && c <= 'Z')
		return c + ('a' - 'A');
	return c == 0x17F ? 's' : c == 0x212A ? 'k' : c;
}

bool json_string_folds_to(struct span in, struct span plain)
{
	while (in.n > 0 && plain.n > 0) {
		if (fold(take(&in)) != fold((unsigned char)plain.p[0]))
			return false;
		plain = span_from(plain, 1);
	}
	return in.n == 0 && plain.n == 0;
}

/* ---- SipHash-1-3 (Aumasson, Bernstein 2012) ---- */

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1; s->v1 = rotl(s->v1, 13); s->v1 ^= s->v0; s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3; s->v3 = rotl(s->v3, 16); s->v3 ^= s->v2;
	s->v0 += s->v3; s->v3 = rotl(s->v3, 21); s->v3 ^= s->v0;
	s->v2 += s->v1; s->v1 = rotl(s->v1, 17); s->v1 ^= s->v2; s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t w)
{
	s->v3 ^= w;
	sip_round(s);
	s->v0 ^= w;
}

static inline struct sip sip_start(const uint64_t key[2])
{
	return (struct sip){
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)
	};
}

/* tail: the n % 8 bytes that did not fill a word; n: all bytes. */
static inline uint64_t sip_end(struct sip *s, uint64_t tail, size_t n)
{
	sip_word(s, tail | (uint64_t)n << 56);
	s->v2 ^= 0xFF;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Unescaped a part at a time: first escapes and bytes up to a full part, then all whole words of it into the hash. */
static uint64_t hash_escaped(const uint64_t key[2], struct span in)
{
	struct sip sip = sip_start(key);
	size_t n = 0, have = 0;
	char part[128];

	while (in.n > 0) {
		size_t done = 0;

		while (in.n > 0 && have <= sizeof part - 8) {
			if (in.p[0] == '\\') {
				have += encode(part + have, take(&in));
			} else if (in.n >= 8 && !text_has_byte(text_le64(in.p), '\\')) {
				memcpy(part + have, in.p, 8);
				have += 8;
				in = span_from(in, 8);
			} else {
				part[have++] = in.p[0];
				in = span_from(in, 1);
			}
		}
		for (; have - done >= 8; done += 8)
			sip_word(&sip, text_le64(part + done));
		memmove(part, part + done, have - done);
		have -= done;
		n += done;
	}
	return sip_end(&sip, text_le(part, have), n + have);
}

uint64_t json_string_hash(const uint64_t key[2], struct span in)
{
	struct sip sip = sip_start(key);
	uint64_t word;
	size_t n = 0;

	/* Nearly always there is no escape; the words that are hashed tell on the way. */
	for (; in.n - n >= 8; n += 8) {
		word = text_le64(in.p + n);
		if (text_has_byte(word, '\\'))
			return hash_escaped(key, in);
		sip_word(&sip, word);
	}
	word = text_le(in.p + n, in.n - n);
	if (text_has_byte(word, '\\'))
		return hash_escaped(key, in);
	return sip_end(&sip, word, in.n);
}
