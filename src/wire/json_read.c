#include "wire/json_read.h"

#include <limits.h>

#include "base/text.h"

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wextra"
#include <jsmn.h>
#pragma GCC diagnostic pop

/* jsmn never sees a text that json_check has not passed: alone it takes documents that are not JSON, and nesting makes it quadratic. Once
 * it is done, `parent` has served and holds `after` instead: the number of the first token behind this one's subtree.
 * tok[0] is JSON_NONE, a token with nothing in it; jsmn's own numbers are ours minus one while it runs. */
struct json_table {
	uint64_t key[2];
	uint32_t tokens_max;
	jsmntok_t *tok;   /* 1 + tokens_max */
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

size_t json_table_need(uint32_t tokens_max)
{
	tokens_max = clamp(tokens_max);
	return align16(sizeof(struct json_table)) + align16(((size_t)tokens_max + 1) * sizeof(jsmntok_t))
		+ align16(slots_for(tokens_max / 2) * sizeof(uint32_t));
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

/* ---- strings, unescaped ---- */

static unsigned hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (((unsigned)p[i] & 15) + (p[i] > '9' ? 9u : 0u));
	return v;
}

/* Takes one character off the front of s, which holds at least one: the whole of a checked string's escape or UTF-8 sequence. */
static uint32_t take(struct span *s)
{
	const unsigned char *u = (const unsigned char *)s->p;
	uint32_t c = u[0];
	size_t n = 1;

	if (c == '\\') {
		n = 2;
		switch (u[1]) {
		case 'b': c = '\b'; break;
		case 'f': c = '\f'; break;
		case 'n': c = '\n'; break;
		case 'r': c = '\r'; break;
		case 't': c = '\t'; break;
		case 'u':
			c = hex4(s->p + 2);
			n = 6;
			if ((c & 0xFC00) == 0xD800) {
				c = 0x10000 + ((c & 0x3FF) << 10 | (hex4(s->p + 8) & 0x3FF));
				n = 12;
			}
			break;
		default: c = u[1]; break;
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

static size_t encode(char out[4], uint32_t c)
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

static bool has_escape(struct span s)
{
	return s.n > 0 && memchr(s.p, '\\', s.n) != NULL;
}

/* Equal when both are unescaped; `a` is as written in JSON, `b` is too if `b_raw`. */
static bool same_text(struct span a, struct span b, bool b_raw)
{
	while (a.n > 0 && b.n > 0) {
		char left[4], right[4];
		size_t n = encode(left, take(&a));

		if (b_raw) {
			if (encode(right, take(&b)) != n || memcmp(left, right, n) != 0)
				return false;
		} else {
			if (b.n < n || memcmp(left, b.p, n) != 0)
				return false;
			b = span_from(b, n);
		}
	}
	return a.n == 0 && b.n == 0;
}

/* `in` as written in JSON against plain bytes. An escape is longer than what it stands for: equal length means no escapes. */
static bool equals(struct span in, struct span plain)
{
	if (in.n < plain.n)
		return false;
	if (in.n == plain.n)
		return in.n == 0 || (memcmp(in.p, plain.p, in.n) == 0 && !has_escape(in));
	return has_escape(in) && same_text(in, plain, false);
}

bool json_is(const struct json *j, uint32_t token, struct span s)
{
	const jsmntok_t *t = token_at(j, token);

	return t->type == JSMN_STRING && !span_absent(s) && equals(inner(j->text.p, t), s);
}

uint32_t json_get(const struct json *j, uint32_t object, struct span name)
{
	const jsmntok_t *tok = j->table->tok, *o = token_at(j, object);
	uint32_t at = object + 1;

	if (o->type != JSMN_OBJECT || span_absent(name))
		return JSON_NONE;
	for (int left = o->size; left > 0; left--) {
		if (equals(inner(j->text.p, &tok[at]), name))
			return at + 1;
		at = (uint32_t)tok[at].parent;
	}
	return JSON_NONE;
}

void json_text(const struct json *j, uint32_t token, struct buf *out)
{
	struct span in = json_inner(j, token);
	size_t start = out->n;

	while (in.n > 0 && !out->full) {
		const char *escape = memchr(in.p, '\\', in.n);
		size_t plain = escape == NULL ? in.n : (size_t)(escape - in.p);

		buf_put(out, span_of(in.p, plain));
		in = span_from(in, plain);
		if (in.n > 0) {
			char c[4];
			size_t n = encode(c, take(&in));

			buf_put(out, span_of(c, n));
		}
	}
	if (out->full)
		out->n = start;
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

/* ---- folding (A1) ---- */

static uint32_t fold(uint32_t c)
{
	if (c >= 0xFF01 && c <= 0xFF5E)
		c -= 0xFF01 - 0x21;
	if (c >= 'A' && c <= 'Z')
		return c + ('a' - 'A');
	return c == 0x17F ? 's' : c == 0x212A ? 'k' : c;
}

/* `in` as written in JSON against an ASCII name. Ends at the first difference. */
static bool folds_to(struct span in, struct span plain)
{
	while (in.n > 0 && plain.n > 0) {
		if (fold(take(&in)) != fold((unsigned char)plain.p[0]))
			return false;
		plain = span_from(plain, 1);
	}
	return in.n == 0 && plain.n == 0;
}

static bool is_unescaped_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\\' || (unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool json_has_folded(const struct json *j, uint32_t object, const struct span *known, size_t n)
{
	const jsmntok_t *tok = j->table->tok, *o = token_at(j, object);
	uint32_t at = object + 1;

	if (o->type != JSMN_OBJECT)
		return false;
	for (int left = o->size; left > 0; left--) {
		struct span name = inner(j->text.p, &tok[at]);
		bool plain = is_unescaped_ascii(name), exact = false, folded = false;

		for (size_t i = 0; i < n && !exact; i++) {
			/* Of two ASCII names only those of one length fold together: nearly all pairs end here. */
			if (name.n < known[i].n || (plain && name.n != known[i].n))
				continue;
			exact = equals(name, known[i]);
			folded = folded || folds_to(name, known[i]);
		}
		if (folded && !exact)
			return true;
		at = (uint32_t)tok[at].parent;
	}
	return false;
}

/* ---- duplicate names (A2) ---- */

/* SipHash-1-3 (Aumasson, Bernstein 2012) with the table's key. Names collide as often as chance will have it, whoever chose them. */
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

/* tail: the bytes that did not fill a word, low end first; n: all bytes. */
static inline uint64_t sip_end(struct sip *s, uint64_t tail, size_t n)
{
	sip_word(s, tail | (uint64_t)n << 56);
	s->v2 ^= 0xFF;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t le32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* The last n (0 to 7) bytes before end as a little-endian number, without reading beyond them. */
static inline uint64_t tail_of(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (n >= 4)
		return le32(p) | le32(p + n - 4) >> (8 * (8 - n)) << 32;
	if (n == 0)
		return 0;
	return (uint64_t)u[0] | (uint64_t)u[n / 2] << (8 * (n / 2)) | (uint64_t)u[n - 1] << (8 * (n - 1));
}

static uint64_t hash_plain(const uint64_t key[2], struct span s)
{
	struct sip sip = sip_start(key);
	size_t i = 0;

	for (; s.n - i >= 8; i += 8)
		sip_word(&sip, text_le64(s.p + i));
	return sip_end(&sip, tail_of(s.p + i, s.n - i), s.n);
}

/* The same hash of what the escapes stand for. */
static uint64_t hash_escaped(const uint64_t key[2], struct span s)
{
	struct sip sip = sip_start(key);
	uint64_t word = 0;
	size_t n = 0;

	while (s.n > 0) {
		char c[4];
		size_t len = encode(c, take(&s));

		for (size_t i = 0; i < len; i++) {
			word |= (uint64_t)(unsigned char)c[i] << (n % 8 * 8);
			if (++n % 8 == 0) {
				sip_word(&sip, word);
				word = 0;
			}
		}
	}
	return sip_end(&sip, word, n);
}

static inline bool has_backslash(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t x = w ^ ones * '\\';

	return ((x - ones) & ~x & ones << 7) != 0;
}

/* A number that equal names share and others seldom do; *escaped is set if there is an escape in the name. */
static inline uint64_t print_of(struct span s, bool *escaped)
{
	uint64_t head, tail;

	if (s.n < 8) {
		head = tail_of(s.p, s.n);
		*escaped = *escaped || has_backslash(head);
		return head ^ (uint64_t)s.n << 56;
	}
	head = text_le64(s.p);
	tail = text_le64(s.p + s.n - 8);
	*escaped = *escaped || has_backslash(head) || has_backslash(tail) || (s.n > 16 && has_escape(s));
	return head ^ rotl(tail, 25) ^ s.n;
}

/* Looks for a name among those that came before it in an object. Returns the later one's number or JSON_NONE. */
static uint32_t duplicate_hashed(const struct json_table *t, const char *text, uint32_t object)
{
	const uint32_t mask = slots_for((uint32_t)t->tok[object].size) - 1;
	uint32_t at = object + 1;

	memset(t->slots, 0, ((size_t)mask + 1) * sizeof t->slots[0]);
	for (int left = t->tok[object].size; left > 0; left--) {
		struct span name = inner(text, &t->tok[at]);
		bool escaped = has_escape(name);
		uint64_t hash = escaped ? hash_escaped(t->key, name) : hash_plain(t->key, name);
		uint32_t tag = (uint32_t)(hash >> 32) & ((1u << TAG_BITS) - 1);
		uint32_t slot = (uint32_t)hash & mask;

		for (; t->slots[slot] != 0; slot = (slot + 1) & mask) {
			struct span other;

			if ((t->slots[slot] & ((1u << TAG_BITS) - 1)) != tag)
				continue;
			other = inner(text, &t->tok[t->slots[slot] >> TAG_BITS]);
			if (!escaped && other.n == name.n ? memcmp(name.p, other.p, name.n) == 0 : same_text(name, other, true))
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

enum json_error json_read(struct json *j, struct json_table *table, struct span text, size_t *where)
{
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
	error = json_check(text, where);
	if (error != JSON_OK)
		return error;
	j->ntokens = read_scalar(table, text);
	if (j->ntokens > 0)
		return JSON_OK;

	jsmn_init(&parser);
	count = jsmn_parse(&parser, text.p, text.n, tok + JSON_ROOT, table->tokens_max);
	if (count <= 0) {
		/* Anything but a full table would mean that the two parsers disagree: then the stricter one is right. */
		*where = parser.pos;
		return count == JSMN_ERROR_NOMEM ? JSON_TOO_MANY : JSON_UNEXPECTED;
	}
	/* From the back, a subtree's end follows from its children's; each token is some parent's child once, so this is linear. */
	for (uint32_t i = (uint32_t)count; i >= JSON_ROOT; i--) {
		int after = (int)i + 1;

		for (int left = tok[i].size; left > 0; left--)
			after = tok[after].parent;
		tok[i].parent = after;
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
