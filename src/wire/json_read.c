#include "wire/json_read.h"

#include <limits.h>

#include "base/text.h"
#include "wire/json_string.h"

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wextra"
#include <jsmn.h>
#pragma GCC diagnostic pop

/* jsmn never sees a text that json_check has not passed: alone it takes documents that are not JSON, and nesting makes it quadratic. What
 * it sees is the outline: structure, and nothing an adversary wrote; and since it goes byte by byte, a long text costs it no more than a
 * short one. Once it is done, the places in the outline become places in the text, `parent` has served and holds `after` instead: the number of the first token behind this one's subtree.
 * tok[0] is JSON_NONE, a token with nothing in it; jsmn's own numbers are ours minus one while it runs. */
struct json_table {
	uint64_t key[2];
	uint32_t tokens_max;
	jsmntok_t *tok;   /* 1 + tokens_max */
	struct json_outline outline;
	uint32_t *slots;  /* a power of two > any object's members * 2: name << TAG_BITS | tag, 0 is free */
};

enum {
	PAIRWISE_MAX = 8,
	TAG_BITS = 8,
	TOKENS_MAX = 1 << (32 - TAG_BITS)
};

static size_t align16(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

/* Slots for an object of `members`: at most half of them get used. */
static uint32_t slots_for(uint32_t members)
{
	uint32_t n = 2;

	while (n < members * 2)
		n *= 2;
	return n;
}

static uint32_t clamp(uint32_t tokens_max)
{
	/* The last number must fit in a slot. */
	return tokens_max < 16 ? 16 : tokens_max > TOKENS_MAX - 1 ? TOKENS_MAX - 1 : tokens_max;
}

/* A value or name takes two bytes of outline and a comma or colon at most; one more value shows that there are too many. */
static size_t outline_for(uint32_t tokens_max) { return ((size_t)tokens_max + 1) * 3; }

size_t json_table_need(uint32_t tokens_max)
{
	tokens_max = clamp(tokens_max);
	return align16(sizeof(struct json_table)) + align16(((size_t)tokens_max + 1) * sizeof(jsmntok_t))
		+ align16(slots_for(tokens_max / 2) * sizeof(uint32_t))
		+ align16(outline_for(tokens_max) * sizeof(uint32_t)) + align16(outline_for(tokens_max));
}

struct json_table *json_table_place(void *mem, uint32_t tokens_max, const uint8_t seed[16])
{
	char *at = mem;
	struct json_table *t = mem;

	t->tokens_max = clamp(tokens_max);
	t->key[0] = text_le64((const char *)seed);
	t->key[1] = text_le64((const char *)seed + 8);
	at += align16(sizeof *t);
	t->tok = (jsmntok_t *)(void *)at;
	t->tok[0] = (jsmntok_t){ .type = JSMN_UNDEFINED };
	at += align16(((size_t)t->tokens_max + 1) * sizeof(jsmntok_t));
	t->slots = (uint32_t *)(void *)at;
	at += align16(slots_for(t->tokens_max / 2) * sizeof(uint32_t));
	t->outline.cap = (uint32_t)outline_for(t->tokens_max);
	t->outline.at = (uint32_t *)(void *)at;
	t->outline.text = at + align16(outline_for(t->tokens_max) * sizeof(uint32_t));
	return t;
}

/* ---- tokens ---- */

static const jsmntok_t *token_at(const struct json *j, uint32_t token)
{
	if (token > j->ntokens)
		__builtin_trap(); /* not a token of this document: reading on would answer from another one */
	return &j->table->tok[token];
}

static inline struct span inner(const char *text, const jsmntok_t *t)
{
	return span_of(text + t->start, (size_t)(t->end - t->start));
}

enum json_type json_type(const struct json *j, uint32_t token)
{
	const jsmntok_t *t = token_at(j, token);

	switch (t->type) {
	case JSMN_OBJECT:
		return JSON_OBJECT;
	case JSMN_ARRAY:
		return JSON_ARRAY;
	case JSMN_STRING:
		return JSON_STRING;
	case JSMN_PRIMITIVE:
		break;
	case JSMN_UNDEFINED:
	default:
		return JSON_NO_TYPE;
	}
	switch (j->text.p[t->start]) {
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

struct span json_raw(const struct json *j, uint32_t token)
{
	const jsmntok_t *t = token_at(j, token);
	struct span s = inner(j->text.p, t);

	if (t->type == JSMN_UNDEFINED)
		return span_of(NULL, 0);
	return t->type == JSMN_STRING ? span_of(s.p - 1, s.n + 2) : s;
}

struct span json_inner(const struct json *j, uint32_t token)
{
	const jsmntok_t *t = token_at(j, token);

	return t->type == JSMN_STRING ? inner(j->text.p, t) : span_of(NULL, 0);
}

uint32_t json_size(const struct json *j, uint32_t token)
{
	const jsmntok_t *t = token_at(j, token);

	return t->type == JSMN_OBJECT || t->type == JSMN_ARRAY ? (uint32_t)t->size : 0;
}

uint32_t json_first(const struct json *j, uint32_t container)
{
	return json_size(j, container) > 0 ? container + 1 : JSON_NONE;
}

uint32_t json_next(const struct json *j, uint32_t container, uint32_t child)
{
	int after = token_at(j, child)->parent;

	return child != JSON_NONE && after < token_at(j, container)->parent ? (uint32_t)after : JSON_NONE;
}

uint32_t json_value(const struct json *j, uint32_t name)
{
	const jsmntok_t *t = token_at(j, name);

	/* Only a name is a string with something below it. */
	return t->type == JSMN_STRING && t->size == 1 ? name + 1 : JSON_NONE;
}

bool json_is(const struct json *j, uint32_t token, struct span s)
{
	const jsmntok_t *t = token_at(j, token);

	return t->type == JSMN_STRING && !span_absent(s) && json_string_equals(inner(j->text.p, t), s);
}

uint32_t json_get(const struct json *j, uint32_t object, struct span name)
{
	const jsmntok_t *tok = j->table->tok, *o = token_at(j, object);
	uint32_t at = object + 1;

	if (o->type != JSMN_OBJECT || span_absent(name))
		return JSON_NONE;
	for (int left = o->size; left > 0; left--) {
		if (json_string_equals(inner(j->text.p, &tok[at]), name))
			return at + 1;
		at = (uint32_t)tok[at].parent;
	}
	return JSON_NONE;
}

void json_text(const struct json *j, uint32_t token, struct buf *out)
{
	json_string_text(json_inner(j, token), out);
}

bool json_int(const struct json *j, uint32_t token, int64_t *v)
{
	struct span s = json_raw(j, token);
	uint64_t size;
	bool minus;

	if (json_type(j, token) != JSON_NUMBER)
		return false;
	minus = s.p[0] == '-';
	if (!text_u64(span_from(s, minus ? 1 : 0), &size) || size > (UINT64_C(1) << 53) - 1)
		return false;
	*v = minus ? -(int64_t)size : (int64_t)size;
	return true;
}

/* ASCII without escapes: what stands for itself, byte for byte. */
static bool is_plain(struct span s)
{
	uint64_t high = 0, w;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		w = text_le64(s.p + i);
		high |= w | (text_has_byte(w, '\\') ? UINT64_C(0x80) : 0);
	}
	w = text_le(s.p + i, s.n - i);
	high |= w | (text_has_byte(w, '\\') ? UINT64_C(0x80) : 0);
	return (high & UINT64_C(0x8080808080808080)) == 0;
}

/* Equal only after folding to one of the known names, and exactly none of them. */
static bool folds_to_known(struct span name, const struct span *known, size_t n)
{
	bool plain = is_plain(name), folded = false;

	for (size_t i = 0; i < n; i++) {
		/* Of two ASCII names only those of one length fold together: nearly all pairs end here. */
		if (name.n < known[i].n || (plain && name.n != known[i].n))
			continue;
		if (plain ? span_same(name.p, known[i].p, name.n) : json_string_equals(name, known[i]))
			return false;
		folded = folded || json_string_folds_to(name, known[i]);
	}
	return folded;
}

bool json_has_folded(const struct json *j, uint32_t object, const struct span *known, size_t n)
{
	const jsmntok_t *tok = j->table->tok, *o = token_at(j, object);
	uint32_t at = object + 1;

	if (o->type != JSMN_OBJECT)
		return false;
	for (int left = o->size; left > 0; left--) {
		if (folds_to_known(inner(j->text.p, &tok[at]), known, n))
			return true;
		at = (uint32_t)tok[at].parent;
	}
	return false;
}

/* ---- duplicate names (A2) ---- */

/* A number that equal names share and others seldom do; *escaped is set if there is an escape in the name. */
static inline uint64_t print_of(struct span s, bool *escaped)
{
	uint64_t head, tail;

	if (s.n < 8) {
		head = text_le(s.p, s.n);
		*escaped = *escaped || text_has_byte(head, '\\');
		return head ^ (uint64_t)s.n << 56;
	}
	head = text_le64(s.p);
	tail = text_le64(s.p + s.n - 8);
	*escaped = *escaped || text_has_byte(head, '\\') || text_has_byte(tail, '\\') || (s.n > 16 && json_string_escaped(s));
	return head ^ (tail << 25 | tail >> 39) ^ s.n;
}

/* Looks for a name among those that came before it in an object. Returns the later one's number or JSON_NONE. */
static uint32_t duplicate_hashed(const struct json_table *t, const char *text, uint32_t object)
{
	const uint32_t mask = slots_for((uint32_t)t->tok[object].size) - 1;
	uint32_t at = object + 1;

	memset(t->slots, 0, ((size_t)mask + 1) * sizeof t->slots[0]);
	for (int left = t->tok[object].size; left > 0; left--) {
		struct span name = inner(text, &t->tok[at]);
		uint64_t hash = json_string_hash(t->key, name);
		uint32_t tag = (uint32_t)(hash >> 32) & ((1u << TAG_BITS) - 1);
		uint32_t slot = (uint32_t)hash & mask;

		for (; t->slots[slot] != 0; slot = (slot + 1) & mask) {
			if ((t->slots[slot] & ((1u << TAG_BITS) - 1)) == tag
				&& json_string_same(name, inner(text, &t->tok[t->slots[slot] >> TAG_BITS])))
				return at;
		}
		t->slots[slot] = at << TAG_BITS | tag;
		at = (uint32_t)t->tok[at].parent;
	}
	return JSON_NONE;
}

static uint32_t duplicate(const struct json_table *t, const char *text, uint32_t object)
{
	uint64_t print[PAIRWISE_MAX];
	uint32_t name[PAIRWISE_MAX];
	uint32_t at = object + 1;
	int size = t->tok[object].size;
	bool escaped = false;

	if (size > PAIRWISE_MAX)
		return duplicate_hashed(t, text, object);
	for (int i = 0; i < size; i++) {
		print[i] = print_of(inner(text, &t->tok[at]), &escaped);
		name[i] = at;
		at = (uint32_t)t->tok[at].parent;
	}
	if (escaped)
		return duplicate_hashed(t, text, object);
	for (int i = 1; i < size; i++)
		for (int k = 0; k < i; k++)
			if (print[i] == print[k] && span_eq(inner(text, &t->tok[name[i]]), inner(text, &t->tok[name[k]])))
				return name[i];
	return JSON_NONE;
}

/* ---- reading ---- */

/* A document that is one number or word: jsmn's strict mode wants something to follow it. */
static uint32_t read_scalar(struct json_table *t, struct span text)
{
	size_t start = 0;

	while (text.p[start] == ' ' || text.p[start] == '\t' || text.p[start] == '\n' || text.p[start] == '\r')
		start++;
	while (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t' || text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r')
		text.n--;
	if (text.p[start] == '{' || text.p[start] == '[' || text.p[start] == '"')
		return 0;
	t->tok[JSON_ROOT] = (jsmntok_t){ .type = JSMN_PRIMITIVE, .start = (int)start, .end = (int)text.n, .parent = 2 };
	return 1;
}

/* From places in the outline to places in the text. A string's are inside its quotes. */
static inline void to_text(jsmntok_t *t, const uint32_t *at)
{
	if (t->type == JSMN_STRING) {
		t->start = (int)at[t->start - 1] + 1;
		t->end = (int)at[t->end];
	} else {
		t->start = (int)at[t->start];
		t->end = (int)at[t->end - 1] + 1;
	}
}

enum json_error json_read(struct json *j, struct json_table *table, struct span text, size_t *where)
{
	const struct json_outline *o = &table->outline;
	jsmntok_t *tok = table->tok;
	enum json_error error;
	jsmn_parser parser;
	int count;

	_Static_assert(JSON_TEXT_MAX <= INT_MAX, "jsmn counts in int");
	*j = (struct json){ table, text, 0 };
	if (text.n > JSON_TEXT_MAX) {
		*where = JSON_TEXT_MAX;
		return JSON_TOO_MANY;
	}
	error = json_check_outline(text, &table->outline, where);
	if (error != JSON_OK && error != JSON_TOO_MANY)
		return error;
	j->ntokens = read_scalar(table, text);
	if (j->ntokens > 0)
		return JSON_OK;

	/* An outline that was cut has more values than there are tokens: jsmn says at which one. */
	uint32_t drawn = o->n < o->cap ? o->n : o->cap;
	jsmn_init(&parser);
	count = jsmn_parse(&parser, o->text, drawn, tok + JSON_ROOT, table->tokens_max);
	if (count <= 0 || error != JSON_OK) {
		/* Anything but a full table would mean that the two parsers disagree: then the stricter one is right. */
		*where = o->at[parser.pos < drawn ? parser.pos : drawn - 1];
		return error != JSON_OK || count == JSMN_ERROR_NOMEM ? JSON_TOO_MANY : JSON_UNEXPECTED;
	}
	/* From the back, a subtree's end follows from its children's; each token is some parent's child once, so this is linear. */
	for (uint32_t i = (uint32_t)count; i >= JSON_ROOT; i--) {
		int after = (int)i + 1;

		for (int left = tok[i].size; left > 0; left--)
			after = tok[after].parent;
		tok[i].parent = after;
		to_text(&tok[i], o->at);
		if (tok[i].type == JSMN_OBJECT && tok[i].size > 1) {
			uint32_t twice = duplicate(table, text.p, i);

			if (twice != JSON_NONE) {
				*where = (size_t)tok[twice].start - 1;
				return JSON_DUPLICATE;
			}
		}
	}
	j->ntokens = (uint32_t)count;
	return JSON_OK;
}
