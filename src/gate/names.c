#include "gate/names.h"

#define NOTHING span_of(NULL, 0)

/* ---- servers ---- */

static char same(char c) { return c; }
static char dash(char c) { return c == '-' ? '_' : c; }
static char small(char c) { return span_lower(c); }
/* As a reader sees it who takes no care: in lower case, and as it is. */
static char seen_small(char c)
{
	c = dash(span_lower(c));
	return c == '0' ? 'o' : c == '1' ? 'l' : c;
}
static char seen(char c) { return c == '0' ? 'O' : c == '1' || c == 'I' ? 'l' : dash(c); }

/* With "__" behind each: is one the beginning of the other? */
static bool meet(struct span a, struct span b, char (*fold)(char))
{
	size_t n = (a.n < b.n ? a.n : b.n) + 2;

	for (size_t i = 0; i < n; i++) {
		char x = i < a.n ? fold(a.p[i]) : '_', y = i < b.n ? fold(b.p[i]) : '_';
		if (x != y)
			return false;
	}
	return true;
}

struct span names_confused(struct span a, struct span b)
{
	static const struct { char (*fold)(char); struct span why; } how[] = {
		{ same, { "joined with the name of a tool one can become the other", 55 } },
		{ small, { "they differ only by case", 24 } },
		{ dash, { "clients that write _ for - cannot tell names under one from names under the other", 81 } },
		{ seen_small, { "they look alike", 15 } },
		{ seen, { "they look alike", 15 } },
	};

	for (size_t i = 0; i < sizeof how / sizeof how[0]; i++)
		if (meet(a, b, how[i].fold))
			return how[i].why;
	return NOTHING;
}

/* ---- tools and prompts ---- */

/* Controls, and what turns or hides the text around it. */
static bool unseen(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char *u = (const unsigned char *)s.p + i;
		size_t left = s.n - i;

		if (u[0] < 0x20 || u[0] == 0x7f || (left >= 2 && u[0] == 0xc2 && u[1] < 0xa0))
			return true;
		if (left >= 2 && u[0] == 0xc2 && u[1] == 0xad) /* soft hyphen */
			return true;
		if (left >= 3 && u[0] == 0xe2 && u[1] == 0x80 && ((u[2] >= 0x8b && u[2] < 0x90) || (u[2] >= 0xa8 && u[2] < 0xaf)))
			return true;
		if (left >= 3 && u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa0 && u[2] < 0xb0)
			return true;
		if (left >= 3 && u[0] == 0xef && u[1] == 0xbb && u[2] == 0xbf)
			return true;
		if (left >= 4 && u[0] == 0xf3 && u[1] == 0xa0 && u[2] < 0x82) /* tags: letters that nobody sees */
			return true;
	}
	return false;
}

struct span names_unfit(enum catalog_kind kind, struct span name, size_t room)
{
	if (name.n == 0)
		return SPAN("its name is empty");
	if (kind == CATALOG_TOOL) {
		for (size_t i = 0; i < name.n; i++)
			if (name.p[i] <= ' ' || name.p[i] > '~')
				return SPAN("its name has a space, a control character or a letter beyond ASCII");
	} else if (unseen(name)) {
		return SPAN("its name has characters that cannot be seen");
	}
	if (name.n > room)
		return kind == CATALOG_TOOL ? SPAN("its name is too long with the server's in front: see \"name_max\"") : SPAN("its name is too long with the server's in front");
	return NOTHING;
}
