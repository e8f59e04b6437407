#include "gate/policy.h"

/* Where the path begins: at the slash behind `scheme://authority`; n: nowhere. */
static size_t path_at(struct span uri)
{
	unsigned slashes = 0;

	for (size_t i = 0; i < uri.n && uri.p[i] != '?' && uri.p[i] != '#'; i++)
		if (uri.p[i] == '/' && ++slashes == 3)
			return i;
	return uri.n;
}

static bool unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

static int digit(char c)
{
	c = span_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at the beginning of `s`, which goes on behind it; an escape is one byte. */
static unsigned char take(struct span *s, bool *escaped)
{
	int high = s->n > 2 && s->p[0] == '%' ? digit(s->p[1]) : -1, low = high < 0 ? -1 : digit(s->p[2]);
	int c = low < 0 ? (unsigned char)s->p[0] : high << 4 | low;

	*escaped = low >= 0;
	*s = span_from(*s, *escaped ? 3 : 1);
	return (unsigned char)c;
}

static void escape(struct buf *b, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";

	buf_char(b, '%');
	buf_char(b, digits[c >> 4]);
	buf_char(b, digits[c & 15]);
}

void policy_escape(struct buf *b, struct span path)
{
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];
		if (unreserved(c) || c == '/')
			buf_char(b, (char)c);
		else
			escape(b, c);
	}
}

static size_t after_slash(const struct buf *b, size_t path)
{
	size_t at = b->n;

	while (at > path && b->p[at - 1] != '/')
		at--;
	return at;
}

/* The last segment behind `path` is done with. True: it was dots, and is gone with all that it takes along (RFC 3986 5.2.4). */
static bool dots(struct buf *b, size_t path)
{
	size_t at = after_slash(b, path);
	struct span last = span_from(buf_span(b), at);

	if (at == path || (!span_eq(last, SPAN(".")) && !span_eq(last, SPAN(".."))))
		return false;
	b->n = at;
	if (last.n == 2 && at > path + 1) {
		b->n--;
		b->n = after_slash(b, path);
	}
	return true;
}

void policy_usual_uri(struct buf *b, struct span uri, bool files)
{
	size_t path = path_at(uri), start = b->n;
	struct span rest = span_from(uri, path);
	bool in_path = rest.n > 0, scheme = true;

	for (size_t i = 0; i < path; i++) {
		scheme = scheme && uri.p[i] != ':';
		buf_char(b, scheme ? span_lower(uri.p[i]) : uri.p[i]);
	}
	start = b->n;
	while (rest.n > 0 && !b->full) {
		bool escaped;
		unsigned char c = take(&rest, &escaped);

		if (in_path && !escaped && !files && (c == '?' || c == '#')) {
			(void)dots(b, start);
			in_path = false;
		}
		if (c == '/' && in_path && !(escaped && files)) {
			if (!dots(b, start))
				buf_char(b, '/');
		} else if (unreserved(c) || (!escaped && !files)) {
			buf_char(b, (char)c);
		} else {
			escape(b, c);
		}
	}
	if (in_path && !b->full)
		(void)dots(b, start);
}
