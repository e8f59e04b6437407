/* wire/json_check.h: is this JSON, strictly? One pass, no tree, no recursion (RFC 8259, RFC 7493 I-JSON).
 *
 * Refused besides bad grammar: a BOM, bytes that are not valid UTF-8, escaped lone surrogates, more nesting than JSON_DEPTH_MAX, bytes
 * after the document, an empty document. Numbers of any size and precision pass (they are forwarded, never computed with); where the
 * gate needs an integer it asks json_int(). Duplicate names are found by json_read(). */
#ifndef POSTERN_WIRE_JSON_CHECK_H
#define POSTERN_WIRE_JSON_CHECK_H

#include "base/span.h"

enum { JSON_DEPTH_MAX = 32 };

enum json_error {
	JSON_OK,
	JSON_EMPTY,        /* nothing but white space */
	JSON_UNEXPECTED,   /* a byte the grammar does not allow here */
	JSON_TRUNCATED,
	JSON_NOT_UTF8,
	JSON_CONTROL,      /* raw control byte in a string */
	JSON_BAD_ESCAPE,
	JSON_LONE_SURROGATE,
	JSON_BAD_NUMBER,
	JSON_TOO_DEEP,
	JSON_TRAILING,     /* bytes after the document */
	JSON_BOM,          /* of UTF-8 or UTF-16 */
	JSON_TOO_MANY,     /* json_read: more tokens than the table holds */
	JSON_DUPLICATE,    /* json_read: the same name twice in one object, after unescaping */
	JSON_ERRORS
};

/* *where is the byte offset of the trouble: of the first byte that cannot be right (of its backslash in an escape, of its first byte in
 * UTF-8), text.n when the text ends too early. Untouched if there is none. */
enum json_error json_check(struct span text, size_t *where);
/* The structure of a text without what is in it, for a tokeniser: {"name":[1,"two"]} becomes {"":[00,""]}. Every string is empty, every other
 * scalar is two digits, and there is no white space: at most three bytes for a value or name. at[k] is where byte k stands in the text; of
 * a scalar's two bytes, where it begins and where its last byte is. Memory is the caller's; cap counts bytes of `text` and entries of `at`. */
struct json_outline {
	char *text;
	uint32_t *at;
	uint32_t n, cap;
};

/* json_check, and the outline of a text that passes. JSON_TOO_MANY: the outline does not fit; cap bytes of it are there, and the rest of the
 * text was not looked at. text.n is at most 2^32 - 1. */
enum json_error json_check_outline(struct span text, struct json_outline *o, size_t *where);

struct span json_error_text(enum json_error e);

#endif
