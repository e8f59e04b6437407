/* wire/json_string.h: a string as it is written between the quotes in JSON, and what it stands for.
 *
 * `in` is always the inside of a string that json_check() has passed: its escapes and its UTF-8 are whole and right. `plain` is bytes that
 * stand for themselves. */
#ifndef POSTERN_WIRE_JSON_STRING_H
#define POSTERN_WIRE_JSON_STRING_H

#include "base/text.h"

/* True if there is any escape in it; without one it stands for itself. */
static inline bool json_string_escaped(struct span in)
{
	size_t i = 0;

	if (in.n > 64)
		return memchr(in.p, '\\', in.n) != NULL;
	for (; i + 8 <= in.n; i += 8)
		if (text_has_byte(text_le64(in.p + i), '\\'))
			return true;
	return i < in.n && (in.n >= 8 ? text_has_byte(text_le64(in.p + in.n - 8), '\\') : text_has_byte(text_le(in.p, in.n), '\\'));
}

/* Appends what it stands for (UTF-8), all or (with out->full set) nothing. Never longer than `in`. */
void json_string_text(struct span in, struct buf *out);

/* json_string_equals for a text with escapes. */
bool json_string_spells(struct span in, struct span plain);
/* True if it stands for `plain`. Costs no more than the shorter of the two, and a search for one backslash. */
static inline bool json_string_equals(struct span in, struct span plain)
{
	/* An escape is longer than what it stands for: equal length means no escapes, and a longer text needs one. */
	if (in.n <= plain.n)
		return in.n == plain.n && (in.n == 0 || (span_same(in.p, plain.p, in.n) && !json_string_escaped(in)));
	if (plain.n == 0 || (in.p[0] != plain.p[0] && in.p[0] != '\\'))
		return false;
	return json_string_escaped(in) && json_string_spells(in, plain);
}
/* True if both stand for the same. */
bool json_string_same(struct span in, struct span other);
/* True if it folds to the ASCII text `plain` as security requirement A1 means it: ASCII case, U+017F, U+212A, U+FF01..U+FF5E. */
bool json_string_folds_to(struct span in, struct span plain);

/* SipHash-1-3 of what it stands for, under a key: strings collide as often as chance will have it, whoever chose them. */
uint64_t json_string_hash(const uint64_t key[2], struct span in);

#endif
