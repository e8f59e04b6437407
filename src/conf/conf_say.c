#include "base/text.h"
#include "conf/conf_priv.h"
#include "wire/http_value.h"

/* A pointer's walk goes from the document down; the nesting that wire/json_check allows bounds it. */
static void pointer(struct conf_reader *r, struct buf *b, uint32_t token)
{
	const struct json *j = &r->json;
	uint32_t at = JSON_ROOT;

	for (unsigned depth = 0; depth <= JSON_DEPTH_MAX && at != token && at != JSON_NONE; depth++) {
		bool object = json_type(j, at) == JSON_OBJECT;
		uint32_t child = json_first(j, at), index = 0, next;

		/* Tokens stand in file order: the child that holds the token is the last that does not begin after it. */
		while ((next = json_next(j, at, child)) != JSON_NONE && next <= token) {
			child = next;
			index++;
		}
		if (child == JSON_NONE)
			return;
		buf_char(b, '/');
		if (object) {
			char mem[160];
			struct buf name = buf_on(mem, sizeof mem);

			json_text(j, child, &name);
			if (name.full)
				conf_shown(&name, json_inner(j, child), 64);
			for (size_t i = 0, from = 0; i <= name.n; i++) {
				bool odd = i < name.n && (mem[i] == '~' || mem[i] == '/');

				if (i < name.n && !odd)
					continue;
				conf_shown(b, span_of(mem + from, i - from), sizeof mem);
				if (odd)
					buf_put(b, mem[i] == '~' ? SPAN("~0") : SPAN("~1"));
				from = i + 1;
			}
			at = child == token ? token : json_value(j, child);
		} else {
			buf_u64(b, index);
			at = child;
		}
	}
}

void conf_line_column(struct span text, size_t at, uint32_t *line, uint32_t *column)
{
	uint32_t l = 1, c = 1;

	for (size_t i = 0; i < at && i < text.n; i++) {
		if (text.p[i] == '\n') {
			l++;
			c = 1;
		} else if (((unsigned char)text.p[i] & 0xC0) != 0x80) {
			c++; /* a column is a character, as editors count */
		}
	}
	*line = l;
	*column = c;
}

void conf_place(struct buf *b, struct span file, struct span text, size_t at)
{
	uint32_t line, column;

	conf_line_column(text, at, &line, &column);
	conf_shown(b, file, CONF_LINE_SIZE / 2);
	buf_char(b, ':');
	buf_u64(b, line);
	buf_char(b, ':');
	buf_u64(b, column);
	BUF_LIT(b, ": ");
}

struct span conf_pointer(struct conf_reader *r, uint32_t token)
{
	struct buf b = buf_on(r->pointers.p + r->pointers.n, buf_room(&r->pointers));

	pointer(r, &b, token);
	if (b.full)
		return span_of(b.p, 0); /* of a file with more names than there can be: it is refused */
	r->pointers.n += b.n;
	return buf_span(&b);
}

struct buf *conf_say(struct conf_reader *r, uint32_t token)
{
	struct span raw = json_raw(&r->json, token);
	struct conf_line *line;
	size_t at = (size_t)(raw.p - r->json.text.p);

	r->said.full = false;
	if (r->nlines == CONF_LINES_MAX) {
		r->unsaid++;
		r->said.full = true; /* what is written now goes nowhere */
		return &r->said;
	}
	line = &r->line[r->nlines++];
	line->at = at;
	line->text = span_of(r->said.p + r->said.n, 0);
	/* A line that grows too long ends where it is full; the next one still has its room. */
	r->said.cap = r->said.n + CONF_LINE_SIZE;
	conf_place(&r->said, r->c->file, r->json.text, at);
	if (token != JSON_ROOT) {
		pointer(r, &r->said, token);
		BUF_LIT(&r->said, ": ");
	}
	return &r->said;
}

void conf_said(struct conf_reader *r)
{
	struct conf_line *line;

	if (r->unsaid > 0)
		return;
	line = &r->line[r->nlines - 1];
	line->text.n = (size_t)(r->said.p + r->said.n - line->text.p);
}

void conf_complain(struct conf_reader *r, uint32_t token, struct span text)
{
	buf_put(conf_say(r, token), text);
	conf_said(r);
}

void conf_wrong(struct conf_reader *r, uint32_t token, struct span right)
{
	struct buf *b = conf_say(r, token);

	conf_found(r, b, token);
	BUF_LIT(b, "; ");
	buf_put(b, right);
	conf_said(r);
}

void conf_wrong_number(struct conf_reader *r, uint32_t token, uint64_t n, struct span what)
{
	struct buf *b = conf_say(r, token);

	BUF_LIT(b, "found ");
	buf_u64(b, n);
	buf_char(b, ' ');
	buf_put(b, what);
	conf_said(r);
}

/* Characters that would change what a terminal shows: controls, and those that turn or hide text. */
static bool harmless(struct span s, size_t n)
{
	const unsigned char *u = (const unsigned char *)s.p;

	if (n == 1)
		return u[0] >= 0x20 && u[0] < 0x7F;
	if (n == 2)
		return !(u[0] == 0xC2 && u[1] < 0xA0);
	if (n == 3 && u[0] == 0xE2 && (u[1] == 0x80 || u[1] == 0x81))
		return !((u[1] == 0x80 && (u[2] < 0x90 || u[2] >= 0xA8)) || (u[1] == 0x81 && u[2] >= 0xA0));
	return !(n == 3 && u[0] == 0xEF && u[1] == 0xBB && u[2] == 0xBF);
}

void conf_shown(struct buf *b, struct span text, size_t most)
{
	bool cut = text.n > most;
	size_t end = cut ? utf8_floor(text, most) : text.n;

	for (size_t i = 0; i < end;) {
		size_t n = utf8_step(span_of(text.p + i, end - i));

		if (n > 0 && harmless(span_of(text.p + i, n), n)) {
			buf_put(b, span_of(text.p + i, n));
		} else if (n <= 1) {
			BUF_LIT(b, "\\x");
			buf_hex(b, text.p + i, 1);
		} else {
			BUF_LIT(b, "?");
		}
		i += n > 0 ? n : 1;
	}
	if (cut)
		BUF_LIT(b, "...");
}

void conf_found(struct conf_reader *r, struct buf *b, uint32_t token)
{
	static const char *const what[] = {
		[JSON_NO_TYPE] = "nothing", [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list", [JSON_STRING] = "the string ",
		[JSON_NUMBER] = "the number ", [JSON_TRUE] = "true", [JSON_FALSE] = "false", [JSON_NULL] = "null"
	};
	enum json_type type = json_type(&r->json, token);

	BUF_LIT(b, "found ");
	buf_put(b, span_z(what[type]));
	if (type == JSON_STRING || type == JSON_NUMBER)
		conf_shown(b, json_raw(&r->json, token), 80);
}

void conf_size_text(struct buf *b, uint64_t bytes)
{
	static const char unit[] = "kmg";
	unsigned u = 0;

	while (u < 3 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		u++;
	}
	buf_u64(b, bytes);
	if (u > 0)
		buf_char(b, unit[u - 1]);
}

void conf_duration_text(struct buf *b, int64_t ms)
{
	static const struct { int64_t ms; const char *name; } unit[] = { { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };

	for (unsigned i = 0; i < 4; i++)
		if (ms % unit[i].ms == 0 && (ms != 0 || i == 2)) {
			buf_i64(b, ms / unit[i].ms);
			buf_put(b, span_z(unit[i].name));
			return;
		}
}

void conf_write_lines(struct conf_reader *r, struct buf *errors)
{
	unsigned rest;

	/* Insertion sort, stable: at most CONF_LINES_MAX lines. */
	for (unsigned i = 1; i < r->nlines; i++) {
		struct conf_line line = r->line[i];
		unsigned k = i;

		for (; k > 0 && r->line[k - 1].at > line.at; k--)
			r->line[k] = r->line[k - 1];
		r->line[k] = line;
	}
	for (unsigned i = 0; i < r->nlines && i < CONF_ERRORS_MAX; i++) {
		buf_put(errors, r->line[i].text);
		buf_char(errors, '\n');
	}
	if (r->nlines <= CONF_ERRORS_MAX)
		return;
	rest = r->nlines - CONF_ERRORS_MAX + r->unsaid;
	conf_shown(errors, r->c->file, CONF_LINE_SIZE / 2);
	BUF_LIT(errors, ": and ");
	buf_u64(errors, rest);
	BUF_LIT(errors, " more\n");
}

/* ---- not JSON ---- */

static size_t before(struct span text, size_t at)
{
	while (at > 0 && (text.p[at - 1] == ' ' || text.p[at - 1] == '\t' || text.p[at - 1] == '\r' || text.p[at - 1] == '\n'))
		at--;
	return at;
}

/* The slips that people make most often when they write JSON by hand. */
static struct span json_hint(struct span text, size_t at)
{
	char here = text.p[at];
	size_t left = before(text, at);
	char last = left > 0 ? text.p[left - 1] : ' ';

	if (here == '/' || here == '#')
		return SPAN("; JSON has no comments: take it out");
	if ((here == '}' || here == ']') && last == ',')
		return SPAN("; the comma before it is one too many");
	if (here == '\'')
		return SPAN("; strings and member names stand in double quotes");
	if ((here == '"' || here == '{' || here == '[') && (last == '"' || last == '}' || last == ']' || http_is_digit(last) || last == 'e'))
		return SPAN("; is there a comma (or a colon) missing before it?");
	if ((last == '{' || last == ',') && ((here | 32) >= 'a' && (here | 32) <= 'z'))
		return SPAN("; member names stand in double quotes");
	return SPAN("");
}

void conf_not_json(struct buf *errors, struct span file, struct span text, enum json_error e, size_t at)
{
	conf_place(errors, file, text, at);
	if (e == JSON_DUPLICATE && at < text.n) {
		struct span rest = span_from(text, text.p[at] == '"' ? at + 1 : at);
		const char *end = rest.n > 0 ? memchr(rest.p, '"', rest.n) : NULL;

		BUF_LIT(errors, "the member \"");
		conf_shown(errors, span_of(rest.p, end == NULL ? 0 : (size_t)(end - rest.p)), 64);
		BUF_LIT(errors, "\" stands here for the second time; each may stand once\n");
		return;
	}
	buf_put(errors, e == JSON_EMPTY || e == JSON_TOO_MANY ? SPAN("") : SPAN("this is not JSON: "));
	buf_put(errors, json_error_text(e));
	if (at < text.n && e == JSON_UNEXPECTED) {
		size_t end = at;

		while (end < text.n && end - at < 24 && text.p[end] != '\n' && text.p[end] != '\r')
			end++;
		BUF_LIT(errors, ", found ");
		conf_shown(errors, span_of(text.p + at, end - at), 24);
		buf_put(errors, json_hint(text, at));
	}
	buf_char(errors, '\n');
}
