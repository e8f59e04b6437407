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

/* Byte for byte; two absent spans are equal, an absent and an empty one are not. */
static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.p == NULL) == (b.p == NULL) && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
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
	return s.n >= head.n && (head.n == 0 || memcmp(s.p, head.p, head.n) == 0);
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
