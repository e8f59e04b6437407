#include "wire/http_value.h"

/* Rows of sixteen from 0x00; the sums of HTTP_C_*. */
const uint8_t http_class[256] = {
	 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
	 0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
	 0,  7,  0,  1,  7,  1,  7,  7,  6,  6,  7,  7,  6,  7,  7,  2,
	15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  2,  6,  0,  6,  0,  2,
	 2, 15, 15, 15, 15, 15, 15,  7,  7,  7,  7,  7,  7,  7,  7,  7,
	 7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  0,  0,  0,  1,  7,
	 1, 15, 15, 15, 15, 15, 15,  7,  7,  7,  7,  7,  7,  7,  7,  7,
	 7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  0,  1,  0,  7,  0,
};

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Not 0 if one of the eight bytes is a control byte (0x00..0x1F, 0x7F). Exact as a yes or no, not as to where. */
static uint64_t any_control(uint64_t eight)
{
	uint64_t del = eight ^ EACH(0x7f);

	return (((eight - EACH(0x20)) & ~eight) | ((del - EACH(1)) & ~del)) & EACH(0x80);
}

const char *http_value_stop(const char *p, const char *end)
{
	for (;;) {
		uint64_t eight;
		const char *to = end;

		while (end - p >= 8) {
			memcpy(&eight, p, 8);
			if (any_control(eight) != 0) {
				to = p + 8;
				break;
			}
			p += 8;
		}
		for (; p < to; p++) {
			unsigned char c = (unsigned char)*p;

			if ((c < 0x20 && c != '\t') || c == 0x7f)
				return p;
		}
		if (p == end)
			return end;
	}
}

bool http_value_ok(struct span value)
{
	return value.n == 0 || http_value_stop(value.p, value.p + value.n) == value.p + value.n;
}

bool http_token_ok(struct span token)
{
	for (size_t i = 0; i < token.n; i++)
		if (!http_is(token.p[i], HTTP_C_TOKEN))
			return false;
	return token.n > 0;
}

bool http_field_ok(struct span line)
{
	const char *colon = line.n > 0 ? memchr(line.p, ':', line.n) : NULL;

	return colon && http_token_ok(span_of(line.p, (size_t)(colon - line.p))) && http_value_ok(span_from(line, (size_t)(colon + 1 - line.p)));
}

size_t http_encoded_end(struct span s, unsigned wanted)
{
	size_t n = 0;

	while (n < s.n) {
		if (http_is(s.p[n], wanted))
			n++;
		else if (s.p[n] == '%' && s.n - n > 2 && http_is(s.p[n + 1], HTTP_C_HEX) && http_is(s.p[n + 2], HTTP_C_HEX))
			n += 3;
		else
			break;
	}
	return n;
}

static void skip_ows(struct span *s)
{
	while (s->n > 0 && http_is_ows(s->p[0]))
		s->p++, s->n--;
}

static bool take_char(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	s->p++, s->n--;
	return true;
}

static struct span take_token(struct span *s)
{
	size_t n = 0;

	while (n < s->n && http_is(s->p[n], HTTP_C_TOKEN))
		n++;
	*s = span_of(s->p + n, s->n - n);
	return span_of(s->p - n, n);
}

/* Length of the quoted-string that s begins with (RFC 9110 5.6.4), 0 if it is not closed. */
static size_t quoted_len(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\')
			i++;
	}
	return 0;
}

bool http_list_next(struct span *list, struct span *element)
{
	size_t i = 0, quoted;

	if (list->n == 0)
		return false;
	while (i < list->n && list->p[i] != ',') {
		quoted = list->p[i] == '"' ? quoted_len(span_from(*list, i)) : 1;
		i += quoted == 0 ? list->n - i : quoted;
	}
	*element = span_trim(span_of(list->p, i));
	*list = span_from(*list, i + 1);
	return true;
}

enum param { PARAM_NONE, PARAM, PARAM_EMPTY, PARAM_BAD };

/* One `; name=value` (RFC 9110 5.6.6); the quotes of a quoted value are dropped, its escapes are not undone. */
static enum param next_param(struct span *s, struct span *name, struct span *value)
{
	size_t n;

	skip_ows(s);
	if (s->n == 0)
		return PARAM_NONE;
	if (!take_char(s, ';'))
		return PARAM_BAD;
	skip_ows(s);
	if (s->n == 0 || s->p[0] == ';')
		return PARAM_EMPTY;
	*name = take_token(s);
	if (name->n == 0 || !take_char(s, '='))
		return PARAM_BAD;
	if (s->n > 0 && s->p[0] == '"') {
		n = quoted_len(*s);
		if (n == 0)
			return PARAM_BAD;
		*value = span_of(s->p + 1, n - 2);
		*s = span_from(*s, n);
		return PARAM;
	}
	*value = take_token(s);
	return value->n > 0 ? PARAM : PARAM_BAD;
}

bool http_coding_list_ok(struct span value)
{
	struct span element, name, arg;
	bool comma_last = value.n > 0 && value.p[value.n - 1] == ',';
	enum param p;

	if (value.n == 0 || comma_last)
		return false;
	while (http_list_next(&value, &element)) {
		if (take_token(&element).n == 0)
			return false;
		do
			p = next_param(&element, &name, &arg);
		while (p == PARAM);
		if (p != PARAM_NONE)
			return false;
	}
	return true;
}

bool http_list_has(struct span value, struct span token)
{
	struct span element;

	while (http_list_next(&value, &element))
		if (span_ieq(element, token))
			return true;
	return false;
}

/* qvalue (RFC 9110 12.4.2): 0, 1, and up to three decimals; *zero says whether it is 0. */
static bool read_weight(struct span q, bool *zero)
{
	*zero = true;
	if (q.n < 1 || q.n > 5 || (q.p[0] != '0' && q.p[0] != '1') || (q.n > 1 && q.p[1] != '.'))
		return false;
	*zero = q.p[0] == '0';
	for (size_t i = 2; i < q.n; i++) {
		if (!http_is_digit(q.p[i]) || (q.p[0] == '1' && q.p[i] != '0'))
			return false;
		if (q.p[i] != '0')
			*zero = false;
	}
	return true;
}

/* One media range: 0 if it says nothing about the type, else how exactly it names it: 1 by any, 2 by type, 3 by both. */
static unsigned range_match(struct span range, struct span type, struct span subtype, bool *refused)
{
	struct span t, s, name, arg;
	bool any_t, any_s;
	enum param p;

	*refused = false;
	t = take_token(&range);
	if (t.n == 0 || !take_char(&range, '/'))
		return 0;
	s = take_token(&range);
	any_t = t.n == 1 && t.p[0] == '*';
	any_s = s.n == 1 && s.p[0] == '*';
	if (s.n == 0 || (any_t && !any_s))
		return 0;
	while ((p = next_param(&range, &name, &arg)) != PARAM_NONE) {
		if (p == PARAM_BAD)
			return 0;
		if (p == PARAM && span_ieq(name, SPAN("q")) && !read_weight(arg, refused))
			return 0;
	}
	if (any_t)
		return 1;
	if (!span_ieq(t, type))
		return 0;
	if (any_s)
		return 2;
	return span_ieq(s, subtype) ? 3 : 0;
}

bool http_accepts(struct span accept, struct span type, struct span subtype)
{
	struct span element;
	unsigned best = 0;
	bool admits = false, refused;

	if (span_absent(accept))
		return true;
	while (http_list_next(&accept, &element)) {
		unsigned match = range_match(element, type, subtype, &refused);

		if (match > best) {
			best = match;
			admits = !refused;
		} else if (match == best && match > 0 && !refused) {
			admits = true;
		}
	}
	return admits;
}

bool http_media_type_is(struct span value, struct span type, struct span subtype)
{
	struct span rest = value, name, arg;
	enum param p;

	if (value.n == 0 || !span_ieq(take_token(&rest), type) || !take_char(&rest, '/') || !span_ieq(take_token(&rest), subtype))
		return false;
	while ((p = next_param(&rest, &name, &arg)) != PARAM_NONE) {
		if (p == PARAM_BAD)
			return false;
		if (p == PARAM && span_ieq(name, SPAN("charset")) && !span_ieq(arg, SPAN("utf-8")))
			return false;
	}
	return true;
}

/* The inside of an IPv6 literal in outline: enough that nobody reads another host into it; whoever connects parses it whole. */
static bool is_ip6_text(struct span s)
{
	size_t colons = 0;

	if (s.n < 2 || s.n > 45)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ':')
			colons++;
		else if (!http_is(s.p[i], HTTP_C_HEX) && s.p[i] != '.')
			return false;
	}
	return colons >= 2 && colons <= 7;
}

bool http_authority(struct span value, struct span *host, struct span *port)
{
	size_t n;
	unsigned number = 0;

	*host = *port = span_of(NULL, 0);
	if (value.n > 0 && value.p[0] == '[') {
		const char *close = memchr(value.p, ']', value.n);

		if (close == NULL || !is_ip6_text(span_of(value.p + 1, (size_t)(close - value.p) - 1)))
			return false;
		n = (size_t)(close - value.p) + 1;
	} else {
		n = http_encoded_end(value, HTTP_C_REGNAME);
	}
	if (n == 0 || (n < value.n && value.p[n] != ':'))
		return false;
	for (size_t i = n + 1; i < value.n; i++) {
		if (!http_is_digit(value.p[i]) || i > n + 5)
			return false;
		number = number * 10 + (unsigned)(value.p[i] - '0');
	}
	if (number > 65535)
		return false;
	*host = span_of(value.p, n);
	if (n < value.n)
		*port = span_from(value, n + 1);
	return true;
}
