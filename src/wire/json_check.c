#include "wire/json_check.h"

#include "base/text.h"

/* What a byte can begin where a value is expected. */
enum first { ELSE, SPACE, OBJECT, ARRAY, STRING, NUMBER, LITERAL };

static const uint8_t first_of[256] = {
	[' '] = SPACE, ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE,
	['{'] = OBJECT, ['['] = ARRAY, ['"'] = STRING, ['-'] = NUMBER,
	['0'] = NUMBER, ['1'] = NUMBER, ['2'] = NUMBER, ['3'] = NUMBER, ['4'] = NUMBER,
	['5'] = NUMBER, ['6'] = NUMBER, ['7'] = NUMBER, ['8'] = NUMBER, ['9'] = NUMBER,
	['t'] = LITERAL, ['f'] = LITERAL, ['n'] = LITERAL,
};

/* A place in the text, or what is wrong there. Small enough to live in registers once the functions are inlined. */
struct at {
	const char *p;
	enum json_error error;
};

static inline struct at ok(const char *p) { return (struct at){ p, JSON_OK }; }
static inline struct at bad(const char *p, enum json_error error) { return (struct at){ p, error }; }

static inline const char *skip(const char *p, const char *end)
{
	while (p < end && first_of[(unsigned char)*p] == SPACE)
		p++;
	return p;
}

/* A byte that fits nowhere: a stray byte of broken UTF-8 is told apart from a character that is merely misplaced. */
static struct at unexpected(const char *p, const char *end)
{
	if (p == end)
		return bad(p, JSON_TRUNCATED);
	return bad(p, utf8_step(span_of(p, (size_t)(end - p))) == 0 ? JSON_NOT_UTF8 : JSON_UNEXPECTED);
}

/* A high bit in w's bytes that a string cannot run over: control, quote, backslash, non-ASCII. The lowest one is exact (a borrow can only
 * come from a lower byte that is itself one), those above it need not be. */
static inline uint64_t stops(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	return ((w - ones * 0x20) | ((w ^ ones * '"') - ones) | ((w ^ ones * '\\') - ones) | w) & (ones << 7);
}

static inline bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The four digits at p of the escape that begins at `escape`; *unit is their value. */
static struct at hex4(const char *escape, const char *p, const char *end, unsigned *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++, p++) {
		if (p == end)
			return bad(p, JSON_TRUNCATED);
		if (!is_hex(*p))
			return bad(escape, JSON_BAD_ESCAPE);
		*unit = *unit << 4 | (((unsigned)*p & 15) + (*p > '9' ? 9u : 0u));
	}
	return ok(p);
}

/* p is at a backslash. */
static struct at escape(const char *p, const char *end)
{
	static const bool one_letter[256] = {
		['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true, ['f'] = true, ['n'] = true, ['r'] = true, ['t'] = true,
	};
	const char *const start = p;
	unsigned unit;
	struct at a;

	if (end - p < 2)
		return bad(end, JSON_TRUNCATED);
	if (one_letter[(unsigned char)p[1]])
		return ok(p + 2);
	if (p[1] != 'u')
		return bad(start, JSON_BAD_ESCAPE);
	a = hex4(start, p + 2, end, &unit);
	if (a.error != JSON_OK || (unit & 0xF800) != 0xD800)
		return a;
	/* RFC 7493 2.1: a high surrogate and its low one, or neither. */
	if ((unit & 0x0400) != 0)
		return bad(start, JSON_LONE_SURROGATE);
	p = a.p;
	if (p == end || (p[0] == '\\' && end - p < 2))
		return bad(end, JSON_TRUNCATED);
	if (p[0] != '\\' || p[1] != 'u')
		return bad(start, JSON_LONE_SURROGATE);
	a = hex4(p, p + 2, end, &unit);
	if (a.error == JSON_OK && (unit & 0xFC00) != 0xDC00)
		return bad(start, JSON_LONE_SURROGATE);
	return a;
}

/* p is at a byte beyond ASCII. Two-byte sequences (most alphabets) are worth a test of their own, as they come between spaces. */
static inline size_t utf8_len(const char *p, const char *end)
{
	const unsigned char *u = (const unsigned char *)p;

	if (end - p >= 2 && u[0] >= 0xC2 && u[0] <= 0xDF && (u[1] & 0xC0) == 0x80)
		return 2;
	return utf8_step(span_of(p, (size_t)(end - p)));
}

/* p is after the opening quote; the result after the closing one. */
static inline struct at string(const char *p, const char *end)
{
	for (;;) {
		unsigned char c;

		while (end - p >= 8) {
			uint64_t stop = stops(text_le64(p));

			if (stop != 0) {
				p += __builtin_ctzll(stop) >> 3;
				break;
			}
			p += 8;
		}
		if (p == end)
			return bad(p, JSON_TRUNCATED);
		c = (unsigned char)*p;
		if (c == '"')
			return ok(p + 1);
		if (c == '\\') {
			/* Escapes like company (a Cyrillic text, a path, a log): stay here while they last. */
			do {
				struct at a = escape(p, end);

				if (a.error != JSON_OK)
					return a;
				p = a.p;
			} while (p < end && *p == '\\');
		} else if (c >= 0x80) {
			do {
				size_t step = utf8_len(p, end);

				if (step == 0)
					return bad(p, JSON_NOT_UTF8);
				p += step;
			} while (p < end && (unsigned char)*p >= 0x80);
		} else if (c < 0x20) {
			return bad(p, JSON_CONTROL);
		} else {
			p++;
		}
	}
}

static inline bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

static struct at no_digit(const char *p, const char *end)
{
	return bad(p, p == end ? JSON_TRUNCATED : JSON_BAD_NUMBER);
}

/* p is at a minus or a digit. */
static inline struct at number(const char *p, const char *end)
{
	if (*p == '-')
		p++;
	if (!is_digit(p, end))
		return no_digit(p, end);
	if (*p == '0') {
		if (is_digit(++p, end))
			return bad(p, JSON_BAD_NUMBER);
	} else {
		do
			p++;
		while (is_digit(p, end));
	}
	if (p < end && *p == '.') {
		p++;
		if (!is_digit(p, end))
			return no_digit(p, end);
		do
			p++;
		while (is_digit(p, end));
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (!is_digit(p, end))
			return no_digit(p, end);
		do
			p++;
		while (is_digit(p, end));
	}
	return ok(p);
}

/* p is at t, f or n. */
static struct at literal(const char *p, const char *end)
{
	struct span word = *p == 't' ? SPAN("true") : *p == 'f' ? SPAN("false") : SPAN("null");

	for (size_t i = 0; i < word.n; i++, p++)
		if (p == end || *p != word.p[i])
			return unexpected(p, end);
	return ok(p);
}

/* Adds a byte to the outline; those that do not fit are only counted. */
static inline void draw(struct json_outline *o, char c, const char *base, const char *p)
{
	if (o == NULL)
		return;
	if (o->n < o->cap) {
		o->text[o->n] = c;
		o->at[o->n] = (uint32_t)(p - base);
	}
	o->n++;
}

/* The whole document; the result is its end, or the trouble. Two of it are compiled: with an outline and without. */
static inline __attribute__((always_inline)) struct at document(const char *p, const char *end, struct json_outline *o)
{
	const char *const base = p;
	char filling;
	uint32_t objects = 0; /* bit 0: the innermost open container is an object; above it those around it */
	unsigned depth = 0;
	struct at a;

	_Static_assert(JSON_DEPTH_MAX <= 32, "one bit a level");
value:
	if (o != NULL && o->n > o->cap)
		return bad(p, JSON_TOO_MANY); /* nothing that follows can make it acceptable */
	p = skip(p, end);
	if (p == end)
		return bad(p, depth == 0 ? JSON_EMPTY : JSON_TRUNCATED);
	switch ((enum first)first_of[(unsigned char)*p]) {
	case OBJECT:
		if (depth == JSON_DEPTH_MAX)
			return bad(p, JSON_TOO_DEEP);
		draw(o, '{', base, p);
		depth++;
		objects = objects << 1 | 1;
		p = skip(p + 1, end);
		if (p < end && *p == '}')
			goto close;
		goto name;
	case ARRAY:
		if (depth == JSON_DEPTH_MAX)
			return bad(p, JSON_TOO_DEEP);
		draw(o, '[', base, p);
		depth++;
		objects <<= 1;
		p = skip(p + 1, end);
		if (p < end && *p == ']')
			goto close;
		goto value;
	case STRING:
		filling = '"';
		a = string(p + 1, end);
		break;
	case NUMBER:
		filling = '0';
		a = number(p, end);
		break;
	case LITERAL:
		filling = '0';
		a = literal(p, end);
		break;
	case SPACE:
	case ELSE:
	default:
		return unexpected(p, end);
	}
	if (a.error != JSON_OK)
		return a;
	draw(o, filling, base, p);
	draw(o, filling, base, a.p - 1);
	p = a.p;
after:
	p = skip(p, end);
	if (depth == 0)
		return p == end ? ok(p) : bad(p, JSON_TRAILING);
	if (p == end)
		return bad(p, JSON_TRUNCATED);
	if (*p != ',') {
		if (*p != ((objects & 1) != 0 ? '}' : ']'))
			return unexpected(p, end);
		goto close;
	}
	draw(o, ',', base, p);
	if ((objects & 1) == 0) {
		p++;
		goto value;
	}
	p = skip(p + 1, end);
name:
	if (p == end || *p != '"')
		return unexpected(p, end);
	a = string(p + 1, end);
	if (a.error != JSON_OK)
		return a;
	draw(o, '"', base, p);
	draw(o, '"', base, a.p - 1);
	p = skip(a.p, end);
	if (p == end || *p != ':')
		return unexpected(p, end);
	draw(o, ':', base, p);
	p++;
	goto value;
close:
	draw(o, *p, base, p);
	p++;
	depth--;
	objects >>= 1;
	goto after;
}

static inline __attribute__((always_inline)) enum json_error check(struct span text, struct json_outline *o, size_t *where)
{
	struct at a;

	if (text.n == 0) {
		*where = 0;
		return JSON_EMPTY;
	}
	if (span_starts(text, SPAN("\xEF\xBB\xBF")) || span_starts(text, SPAN("\xFE\xFF")) || span_starts(text, SPAN("\xFF\xFE"))) {
		*where = 0;
		return JSON_BOM;
	}
	a = document(text.p, text.p + text.n, o);
	if (a.error != JSON_OK)
		*where = (size_t)(a.p - text.p);
	return a.error;
}

enum json_error json_check(struct span text, size_t *where) { return check(text, NULL, where); }

enum json_error json_check_outline(struct span text, struct json_outline *o, size_t *where)
{
	o->n = 0;
	return check(text, o, where);
}

struct span json_error_text(enum json_error e)
{
	static const char *const sentence[JSON_ERRORS] = {
		[JSON_OK] = "the text is JSON",
		[JSON_EMPTY] = "nothing but white space where a JSON document should be",
		[JSON_UNEXPECTED] = "a byte that JSON does not allow here",
		[JSON_TRUNCATED] = "the JSON document ends too early",
		[JSON_NOT_UTF8] = "bytes that are not UTF-8",
		[JSON_CONTROL] = "a control character in a string; it must be escaped",
		[JSON_BAD_ESCAPE] = "an escape that JSON does not know",
		[JSON_LONE_SURROGATE] = "an escaped surrogate without its other half",
		[JSON_BAD_NUMBER] = "a number that is not written as JSON writes numbers",
		[JSON_TOO_DEEP] = "more than 32 levels of nesting",
		[JSON_TRAILING] = "bytes after the end of the JSON document",
		[JSON_BOM] = "a byte order mark; JSON is UTF-8 without one",
		[JSON_TOO_MANY] = "more JSON values than are accepted in one document",
		[JSON_DUPLICATE] = "the same member name twice in one object",
	};

	return (unsigned)e < JSON_ERRORS ? span_z(sentence[e]) : SPAN("an unknown error");
}
