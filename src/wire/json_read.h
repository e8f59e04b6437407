/* wire/json_read.h: a checked JSON text as a flat table of tokens (jsmn inside, and only here).
 *
 * Memory: the token table and the scratch for duplicate search are given once (json_table_place) and are good for one document at a
 * time: reading the next one ends the life of the last view. All spans point into the text given, which must not move while the view is in use.
 *
 * A token is named by a number: JSON_ROOT is the document, JSON_NONE is "there is none". Every function takes JSON_NONE and answers as
 * for something that has nothing in it, so lookups can be chained: the `name` of absent `params` is absent, and is never looked for
 * anywhere else. A number that this document did not hand out is a bug and ends the process. */
#ifndef POSTERN_WIRE_JSON_READ_H
#define POSTERN_WIRE_JSON_READ_H

#include "base/buf.h"
#include "wire/json_check.h"

enum {
	JSON_NONE = 0,
	JSON_ROOT = 1,
	JSON_TEXT_MAX = 1 << 24 /* bytes of a document */
};

enum json_type { JSON_NO_TYPE, JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

struct json_table;   /* tokens and scratch for one parse at a time */
/* Bytes for a table of tokens_max tokens; tokens_max 16..2^24-1 (others are cut to that). About 26 bytes a token; a page of it is first
 * touched by the document that needs it. A document takes one token a value and one a member's name. */
size_t json_table_need(uint32_t tokens_max);
/* seed: 16 random bytes that key the hash of names (an attacker must not choose collisions). mem is aligned to 16. */
struct json_table *json_table_place(void *mem, uint32_t tokens_max, const uint8_t seed[16]);

struct json {
	struct json_table *table;
	struct span text;
	uint32_t ntokens;
};

/* Checks (json_check), tokenises and looks for duplicate names at every depth. Linear in text.n for any input. On an error the view is
 * empty and *where is an offset in text: for JSON_DUPLICATE that of the opening quote of a name that was there before, for JSON_TOO_MANY
 * that of the first value without a token (or JSON_TEXT_MAX for a longer text); what is wrong further on is then not found. */
enum json_error json_read(struct json *j, struct json_table *table, struct span text, size_t *where);

enum json_type json_type(const struct json *j, uint32_t token);
/* The raw bytes of a value (absent for JSON_NONE): for a string with its quotes, otherwise as written. */
struct span json_raw(const struct json *j, uint32_t token);
/* A string's bytes between the quotes, escapes as written. Absent for anything but a string. */
struct span json_inner(const struct json *j, uint32_t token);
/* Number of members or elements; 0 for a scalar. */
uint32_t json_size(const struct json *j, uint32_t token);

/* The value of member `name` (unescaped comparison, case-sensitive) of an object; JSON_NONE if it is absent or `object` is none. */
uint32_t json_get(const struct json *j, uint32_t object, struct span name);
/* Walking: first child (a member's NAME token in an object, an element in an array) or JSON_NONE; the next sibling or JSON_NONE.
 * In an object json_next() goes from name to name, and json_value() from a name to its value. */
uint32_t json_first(const struct json *j, uint32_t container);
uint32_t json_next(const struct json *j, uint32_t container, uint32_t child);
uint32_t json_value(const struct json *j, uint32_t name);

/* True if the token is a string equal to `s` after unescaping. */
bool json_is(const struct json *j, uint32_t token, struct span s);
/* Appends a string's unescaped UTF-8 bytes, all or (with out->full set) nothing. \u0000 becomes a NUL byte: callers that cannot bear one must look. */
void json_text(const struct json *j, uint32_t token, struct buf *out);
/* An integer within +-(2^53-1), written without fraction or exponent; -0 is 0. */
bool json_int(const struct json *j, uint32_t token, int64_t *v);

/* A1: true if `object` has a member whose name is not byte-equal to any of `known[0..n)` but becomes equal to one after folding (ASCII
 * case, U+017F long s, U+212A Kelvin sign, and compatibility forms of ASCII letters and digits: U+FF01..U+FF5E). Known names are ASCII. */
bool json_has_folded(const struct json *j, uint32_t object, const struct span *known, size_t n);

#endif
