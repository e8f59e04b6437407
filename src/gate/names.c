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

/* Controls, and what turns or hides the text around it, or shows nothing itself. FE0F and FE0E stay: they make an emoji of a sign, or a sign of one. */
static const struct { uint32_t from, to; } invisible[] = {
	{ 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x34f, 0x34f }, { 0x61c, 0x61c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
	{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x2800, 0x2800 }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0d }, { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
};

static bool unseen(struct span s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned char lead = (unsigned char)s.p[i];
		unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
		uint32_t c = more == 0 ? lead : lead & (0x3fu >> more);

		for (i++; more > 0 && i < s.n; i++, more--)
			c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
		for (size_t k = 0; k < sizeof invisible / sizeof invisible[0]; k++)
			if (c >= invisible[k].from && c <= invisible[k].to)
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
