#include "wire/json_write.h"

#include "base/text.h"

static void escape(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"': BUF_LIT(b, "\\\""); return;
	case '\\': BUF_LIT(b, "\\\\"); return;
	case '\b': BUF_LIT(b, "\\b"); return;
	case '\f': BUF_LIT(b, "\\f"); return;
	case '\n': BUF_LIT(b, "\\n"); return;
	case '\r': BUF_LIT(b, "\\r"); return;
	case '\t': BUF_LIT(b, "\\t"); return;
	default:
		BUF_LIT(b, "\\u00");
		buf_hex(b, &c, 1);
	}
}

void json_write_inner(struct buf *b, struct span text)
{
	size_t start = b->n, run = 0, i = 0;

	while (i < text.n && !b->full) {
		unsigned char c = (unsigned char)text.p[i];
		size_t step = c < 0x80 ? 1 : utf8_step(span_from(text, i));

		if (step > 0 && c >= 0x20 && c != '"' && c != '\\') {
			i += step;
			continue;
		}
		buf_put(b, span_of(text.p + run, i - run));
		if (step == 0)
			BUF_LIT(b, "\xEF\xBF\xBD");
		else
			escape(b, c);
		run = ++i;
	}
	if (run < text.n)
		buf_put(b, span_of(text.p + run, i - run));
	if (b->full)
		b->n = start;
}

void json_write_string(struct buf *b, struct span text)
{
	size_t start = b->n;

	buf_char(b, '"');
	json_write_inner(b, text);
	buf_char(b, '"');
	if (b->full)
		b->n = start;
}
