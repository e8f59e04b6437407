/* base/span.h: a run of bytes that somebody else owns.
 *
 * A span never owns memory and never ends with a NUL. It is valid as long as the bytes it points into are; every function that
 * returns one says until when. An absent value is a span with p == NULL; an empty one has p != NULL and n == 0. */
#ifndef POSTERN_BASE_SPAN_H
#define POSTERN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *p;
	size_t n;
};

/* A span over a string literal. */
#define SPAN(literal) ((struct span){ "" literal, sizeof(literal) - 1 })

static inline struct span span_of(const char *p, size_t n) { return (struct span){ p, n }; }
static inline struct span span_z(const char *z) { return (struct span){ z, z ? strlen(z) : 0 }; }
static inline bool span_absent(struct span s) { return s.p == NULL; }

/* n bytes at each are the same. Most compared texts are short names, for which a call to memcmp costs more than the comparison. */
static inline bool span_same(const char *a, const char *b, size_t n)
{
	uint64_t x, y;
	uint32_t v, w;

	if (n < 8) {
		if (n >= 4) {
			memcpy(&v, a, 4);
			memcpy(&w, b, 4);
			if (v != w)
				return false;
			memcpy(&v, a + n - 4, 4);
			memcpy(&w, b + n - 4, 4);
			return v == w;
		}
		return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
	}
	for (size_t i = 0; i + 8 < n; i += 8) {
		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		if (x != y)
			return false;
	}
	memcpy(&x, a + n - 8, 8);
	memcpy(&y, b + n - 8, 8);
	return x == y;
}

/* Byte for byte; two absent spans are equal, an absent and an empty one are not. */
static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.p == NULL) == (b.p == NULL) && (a.n == 0 || span_same(a.p, b.p, a.n));
}

static inline char span_lower(char c) { return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c; }

/* Equal but for the case of ASCII letters; nothing else is folded. */
static inline bool span_ieq(struct span a, struct span b)
{
	if (a.n != b.n || (a.p == NULL) != (b.p == NULL))
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (span_lower(a.p[i]) != span_lower(b.p[i]))
			return false;
	return true;
}

static inline bool span_starts(struct span s, struct span head)
{
	return s.n >= head.n && (head.n == 0 || span_same(s.p, head.p, head.n));
}

/* The part from byte `from` on; empty when there is no such part. */
static inline struct span span_from(struct span s, size_t from)
{
	return from >= s.n ? span_of(s.p + s.n, 0) : span_of(s.p + from, s.n - from);
}

/* Without leading and trailing SP and HTAB (the OWS of RFC 9110 5.6.3). */
static inline struct span span_trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

#endif
