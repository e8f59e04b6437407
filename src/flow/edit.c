#include "flow/edit.h"

void edit_put(struct edits *s, const char *from, const char *to, struct span with)
{
	unsigned i = s->n;

	edit_add(s, from, to, with); /* nearly always its place already */
	if (s->full)
		return;
	for (; i > 0 && (s->e[i - 1].from > from || (s->e[i - 1].from == from && from == to)); i--)
		s->e[i] = s->e[i - 1];
	s->e[i] = (struct edit){ from, to, with };
}

void edit_write(struct buf *b, struct span text, const struct edits *s)
{
	const char *at = text.p;
	for (unsigned i = 0; i < s->n; i++) {
		buf_put(b, span_of(at, (size_t)(s->e[i].from - at)));
		buf_put(b, s->e[i].with);
		at = s->e[i].to;
	}
	buf_put(b, span_of(at, (size_t)(text.p + text.n - at)));
}

size_t edit_size(struct span text, const struct edits *s)
{
	size_t n = text.n;
	for (unsigned i = 0; i < s->n; i++)
		n = n + s->e[i].with.n - (size_t)(s->e[i].to - s->e[i].from);
	return n;
}

void edit_drop(struct edit_gap *g, const char *from, const char *to)
{
	if (!g->from)
		g->from = from;
	g->to = to;
}

void edit_keep(struct edit_gap *g, const char *from, const char *to, struct edits *s)
{
	if (g->from)
		edit_put(s, g->from, from, span_of("", 0));
	g->from = NULL;
	g->kept_end = to;
}

void edit_gap_end(struct edit_gap *g, struct edits *s)
{
	if (g->from)
		edit_put(s, g->kept_end, g->to, span_of("", 0));
}
