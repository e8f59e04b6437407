#include "gate/catalog.h"

#include "wire/http_write.h"

#define PREFIX "Mcp-Param-"

enum { PREFIX_LEN = sizeof PREFIX - 1 };

static const struct mcp_fault fine = { 0, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };

static struct mcp_fault mismatch(struct span text, struct span where)
{
	return (struct mcp_fault){ MCP_HEADER_MISMATCH, 400, text, where, { NULL, 0 } };
}

/* ---- whole numbers, exactly ---- */

struct number {
	bool minus;
	struct span whole, fraction;
	int64_t exponent;   /* held at EXPONENT_MAX, beyond what the digits of any document could make up for */
};

static const int64_t EXPONENT_MAX = INT64_C(1) << 40;

static struct span take_digits(struct span *s)
{
	size_t n = 0;

	while (n < s->n && http_is_digit(s->p[n]))
		n++;
	*s = span_from(*s, n);
	return span_of(s->p - n, n);
}

static bool take_char(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

/* The number grammar of RFC 8259 section 6, for headers too. */
static bool read_number(struct number *v, struct span s)
{
	*v = (struct number){ .minus = take_char(&s, '-') };
	v->whole = take_digits(&s);
	v->fraction = span_of(s.p, 0);
	if (v->whole.n == 0 || (v->whole.n > 1 && v->whole.p[0] == '0'))
		return false;
	if (take_char(&s, '.')) {
		v->fraction = take_digits(&s);
		if (v->fraction.n == 0)
			return false;
	}
	if (take_char(&s, 'e') || take_char(&s, 'E')) {
		bool minus = take_char(&s, '-');
		struct span digits;

		if (!minus)
			(void)take_char(&s, '+');
		digits = take_digits(&s);
		if (digits.n == 0)
			return false;
		for (size_t i = 0; i < digits.n && v->exponent < EXPONENT_MAX; i++)
			v->exponent = v->exponent * 10 + (digits.p[i] - '0');
		if (minus)
			v->exponent = -v->exponent;
	}
	return s.n == 0;
}

static char digit_at(const struct number *v, size_t i)
{
	return i < v->whole.n ? v->whole.p[i] : v->fraction.p[i - v->whole.n];
}

/* The integer that a number is: 42, 42.0, 4.2e1. False if it is none, or beyond +-(2^53-1). No rounding, so nothing to round. */
static bool exact_integer(struct span text, int64_t *out)
{
	struct number v;
	size_t first = 0, last, n;
	int64_t zeros, top;
	uint64_t sum = 0;

	if (!read_number(&v, text))
		return false;
	n = last = v.whole.n + v.fraction.n;
	while (first < n && digit_at(&v, first) == '0')
		first++;
	if (first == n) {
		*out = 0;
		return true;
	}
	while (digit_at(&v, last - 1) == '0')
		last--;
	/* The powers of ten of the first and of the last digit that count; 2^53 has sixteen digits. */
	top = (int64_t)v.whole.n - 1 - (int64_t)first + v.exponent;
	zeros = (int64_t)v.whole.n - (int64_t)last + v.exponent;
	if (zeros < 0 || top > 15)
		return false;
	for (size_t i = first; i < last; i++)
		sum = sum * 10 + (uint64_t)(digit_at(&v, i) - '0');
	for (; zeros > 0; zeros--)
		sum *= 10;
	if (sum > (UINT64_C(1) << 53) - 1)
		return false;
	*out = v.minus ? -(int64_t)sum : (int64_t)sum;
	return true;
}

/* ---- one parameter ---- */

static struct span suffix_of(const struct http_field *field)
{
	return span_from(field->name, PREFIX_LEN);
}

/* The field of this suffix; *count says how many there are. */
static const struct http_field *field_of(const struct http_head *h, struct span suffix, unsigned *count)
{
	const struct http_field *first = NULL;

	*count = 0;
	for (unsigned i = 0; i < h->nfields; i++) {
		if (h->fields[i].id != HTTP_MCP_PARAM || !span_ieq(suffix_of(&h->fields[i]), suffix))
			continue;
		if ((*count)++ == 0)
			first = &h->fields[i];
	}
	return first;
}

/* JSON_NONE too for null: a header is not to be expected then. */
static uint32_t argument_of(const struct json *j, uint32_t arguments, const struct catalog_param *p)
{
	uint32_t value = arguments;

	for (unsigned i = 0; i < p->depth; i++)
		value = json_get(j, value, p->path[i]);
	return json_type(j, value) == JSON_NULL ? JSON_NONE : value;
}

static bool has_type(const struct json *j, uint32_t value, enum catalog_type type)
{
	int64_t v;

	switch (type) {
	case CATALOG_STRING:
		return json_type(j, value) == JSON_STRING;
	case CATALOG_INTEGER:
		return json_type(j, value) == JSON_NUMBER && exact_integer(json_raw(j, value), &v);
	case CATALOG_BOOLEAN:
	default:
		return json_type(j, value) == JSON_TRUE || json_type(j, value) == JSON_FALSE;
	}
}

/* `said` is what the header says; on success the value goes to fields in the one way we write it. */
static bool matches(const struct json *j, uint32_t value, enum catalog_type type, struct span said, struct buf *fields)
{
	int64_t a, b;

	switch (type) {
	case CATALOG_STRING:
		if (!json_is(j, value, said))
			return false;
		http_write_mcp_value(fields, said);
		return true;
	case CATALOG_INTEGER:
		if (!exact_integer(said, &a) || !exact_integer(json_raw(j, value), &b) || a != b)
			return false;
		buf_i64(fields, a);
		return true;
	case CATALOG_BOOLEAN:
	default:
		if (!span_eq(json_raw(j, value), said))
			return false;
		buf_put(fields, said);
		return true;
	}
}

/* The value as its header says it, where nobody has said it before. */
static void make(const struct json *j, uint32_t value, enum catalog_type type, struct buf *scratch, struct buf *fields)
{
	size_t start = scratch->n;
	int64_t v;

	if (type == CATALOG_STRING) {
		json_text(j, value, scratch);
		fields->full = fields->full || scratch->full;
		http_write_mcp_value(fields, span_of(scratch->p + start, scratch->n - start));
	} else if (type == CATALOG_INTEGER && exact_integer(json_raw(j, value), &v)) {
		buf_i64(fields, v);
	} else {
		buf_put(fields, json_raw(j, value));
	}
	scratch->n = start;
}

static struct mcp_fault check(const struct http_head *h, const struct json *j, uint32_t arguments, const struct catalog_param *p,
	struct buf *scratch, struct buf *fields)
{
	unsigned count = 0;
	const struct http_field *field = h ? field_of(h, p->suffix, &count) : NULL;
	uint32_t value = argument_of(j, arguments, p);
	size_t start = scratch->n;
	struct span name, said;

	/* The header's name as a fault gives it; gone with the scratch. */
	BUF_LIT(scratch, PREFIX);
	buf_put(scratch, p->suffix);
	name = span_of(scratch->p + start, scratch->n - start);

	if (count > 1)
		return mismatch(SPAN("A header is there more than once"), name);
	if (value == JSON_NONE) {
		if (count > 0)
			return mismatch(SPAN("A header mirrors an argument that is null or absent"), name);
		scratch->n = start;
		return fine;
	}
	if (!has_type(j, value, p->type))
		return (struct mcp_fault){ MCP_INVALID_PARAMS, 400, SPAN("An argument is not of the type that the tool's inputSchema says; it is mirrored in"),
			name, { NULL, 0 } };
	if (!h) {
		BUF_LIT(fields, PREFIX);
		buf_put(fields, p->suffix);
		BUF_LIT(fields, ": ");
		make(j, value, p->type, scratch, fields);
		BUF_LIT(fields, "\r\n");
		scratch->n = start;
		return fine;
	}
	if (count == 0)
		return mismatch(SPAN("A required header is missing"), name);
	said = span_of(scratch->p + scratch->n, 0);
	if (http_read_mcp_value(field->value, scratch) != MCP_VALUE_OK)
		return mismatch(SPAN("A header is malformed or too long: only visible ASCII and spaces, or =?base64?...?= with canonical base64"), name);
	said.n = (size_t)(scratch->p + scratch->n - said.p);
	BUF_LIT(fields, PREFIX);
	buf_put(fields, p->suffix);
	BUF_LIT(fields, ": ");
	if (!matches(j, value, p->type, said, fields))
		return mismatch(SPAN("A header differs from the argument that it mirrors"), name);
	BUF_LIT(fields, "\r\n");
	scratch->n = start;
	return fine;
}

/* ---- all of them ---- */

static bool is_known(const struct catalog *c, const struct catalog_tool *tool, struct span suffix)
{
	for (unsigned i = 0; tool != NULL && i < tool->count; i++)
		if (span_ieq(c->params[tool->first + i].suffix, suffix))
			return true;
	return false;
}

/* Those that no parameter claims go on as they came: they may mean something to whoever comes after us. */
static struct mcp_fault pass_unknown(const struct catalog *c, const struct catalog_tool *tool, const struct http_head *h, struct buf *fields)
{
	for (unsigned i = 0; h && i < h->nfields; i++) {
		const struct http_field *field = &h->fields[i];
		unsigned count;

		if (field->id != HTTP_MCP_PARAM || is_known(c, tool, suffix_of(field)))
			continue;
		(void)field_of(h, suffix_of(field), &count);
		if (count > 1)
			return mismatch(SPAN("A header is there more than once"), field->name);
		buf_put(fields, field->name);
		BUF_LIT(fields, ": ");
		buf_put(fields, field->value);
		BUF_LIT(fields, "\r\n");
	}
	return fine;
}

struct mcp_fault catalog_params(const struct catalog *c, const struct catalog_tool *tool, const struct http_head *h,
	const struct json *j, uint32_t arguments, struct buf *scratch, struct buf *fields)
{
	size_t start = fields->n;
	struct mcp_fault f = fine;

	for (unsigned i = 0; tool != NULL && i < tool->count && f.code == 0; i++)
		f = check(h, j, arguments, &c->params[tool->first + i], scratch, fields);
	if (f.code == 0)
		f = pass_unknown(c, tool, h, fields);
	if (f.code == 0 && fields->full)
		f = (struct mcp_fault){ MCP_INVALID_REQUEST, 431, SPAN("The Mcp-Param headers are too long together"), { NULL, 0 }, { NULL, 0 } };
	if (f.code != 0)
		fields->n = start;
	return f;
}
