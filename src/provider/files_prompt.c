#include "provider/files_prompt.h"

#include "base/text.h"

static bool is_name(struct span s, bool dots)
{
	if (s.n == 0 || s.n > FILES_PROMPT_NAME_MAX || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || (dots && c == '.')))
			return false;
	}
	return true;
}

struct span files_prompt_name(struct span file)
{
	const struct span end = SPAN(".md");

	if (file.n <= end.n || !span_eq(span_from(file, file.n - end.n), end) || !is_name(span_of(file.p, file.n - end.n), true))
		return span_of(NULL, 0);
	return span_of(file.p, file.n - end.n);
}

/* An argument that begins with the braces at s.p: its whole length, 0 if it is none. */
static size_t hole(struct span s, struct files_prompt_arg *arg)
{
	const char *bar;
	size_t end = 2;
	struct span inner;

	if (!span_starts(s, SPAN("{{")))
		return 0;
	while (end < s.n && s.p[end] != '}' && s.p[end] != '{' && s.p[end] != '\n')
		end++;
	if (!span_starts(span_from(s, end), SPAN("}}")))
		return 0;
	inner = span_of(s.p + 2, end - 2);
	bar = inner.n > 0 ? memchr(inner.p, '|', inner.n) : NULL;
	arg->name = span_trim(bar ? span_of(inner.p, (size_t)(bar - inner.p)) : inner);
	arg->values = bar ? span_from(inner, (size_t)(bar - inner.p) + 1) : span_of(NULL, 0);
	return is_name(arg->name, false) ? end + 2 : 0;
}

/* The next argument from *at on: *at is where it begins, its length is returned; 0: there is none, *at is the end. */
static size_t next_hole(struct span text, size_t *at, struct files_prompt_arg *arg)
{
	while (*at < text.n) {
		const char *brace = memchr(text.p + *at, '{', text.n - *at);
		size_t len;

		if (!brace)
			break;
		*at = (size_t)(brace - text.p);
		len = hole(span_from(text, *at), arg);
		if (len > 0)
			return len;
		++*at;
	}
	*at = text.n;
	return 0;
}

static int arg_of(const struct files_prompt *p, struct span name)
{
	for (unsigned i = 0; i < p->nargs; i++)
		if (span_eq(p->args[i].name, name))
			return (int)i;
	return -1;
}

static void read_title(struct files_prompt *p, struct span text)
{
	bool first = true;

	for (size_t at = 0; at < text.n;) {
		const char *lf = memchr(text.p + at, '\n', text.n - at);
		size_t end = lf ? (size_t)(lf - text.p) : text.n;
		struct span line = span_of(text.p + at, end - at);

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		line = span_of(line.p, span_trim(line).n == 0 ? 0 : line.n);
		if (span_starts(line, SPAN("# ")) && span_trim(span_from(line, 2)).n > 0) {
			p->title = span_trim(span_from(line, 2));
			if (first)
				p->body = span_from(text, lf ? end + 1 : end);
			return;
		}
		first = first && line.n == 0;
		at = end + 1;
	}
}

bool files_prompt_read(struct files_prompt *p, struct span text)
{
	struct files_prompt_arg arg;
	size_t len;

	*p = (struct files_prompt){ .body = text };
	if (!utf8_valid(text) || (text.n > 0 && memchr(text.p, 0, text.n)))
		return false;
	read_title(p, text);
	while (p->body.n > 0 && (p->body.p[0] == '\n' || p->body.p[0] == '\r'))
		p->body = span_from(p->body, 1);
	for (size_t at = 0; (len = next_hole(p->body, &at, &arg)) > 0; at += len) {
		int known = arg_of(p, arg.name);

		if (known >= 0) {
			if (span_absent(p->args[known].values))
				p->args[known].values = arg.values;
			continue;
		}
		if (p->nargs == FILES_PROMPT_ARGS_MAX)
			return false;
		p->args[p->nargs++] = arg;
	}
	return true;
}

bool files_prompt_value(struct span values, size_t *at, struct span *value)
{
	while (!span_absent(values) && *at < values.n) {
		const char *bar = memchr(values.p + *at, '|', values.n - *at);
		size_t end = bar ? (size_t)(bar - values.p) : values.n;

		*value = span_trim(span_of(values.p + *at, end - *at));
		*at = end + 1;
		if (value->n > 0)
			return true;
	}
	return false;
}

bool files_prompt_piece(const struct files_prompt *p, size_t *at, struct span *text, int *arg)
{
	struct files_prompt_arg found;
	size_t start = *at, len = next_hole(p->body, at, &found);

	if (start >= p->body.n)
		return false;
	if (*at == start && len > 0) {
		*arg = arg_of(p, found.name);
		*at += len;
		return true;
	}
	*arg = -1;
	*text = span_of(p->body.p + start, *at - start);
	return true;
}
