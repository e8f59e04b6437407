#include "gate/sentinel.h"

#include "base/text.h"

#define HEAD "=?base64?"
#define TAIL "?="

enum { HEAD_LEN = sizeof HEAD - 1, TAIL_LEN = sizeof TAIL - 1 };

static bool is_marked(struct span s)
{
	return s.n >= HEAD_LEN + TAIL_LEN && memcmp(s.p, HEAD, HEAD_LEN) == 0 && memcmp(s.p + s.n - TAIL_LEN, TAIL, TAIL_LEN) == 0;
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7E)
			return false;
	return true;
}

bool sentinel_read(struct span value, struct buf *scratch, struct span *plain)
{
	size_t start = scratch->n;

	if (!is_printable(value))
		return false;
	if (!is_marked(value)) {
		*plain = value;
		return true;
	}
	if (!b64_decode(scratch, span_of(value.p + HEAD_LEN, value.n - HEAD_LEN - TAIL_LEN)))
		return false;
	*plain = span_of(scratch->p + start, scratch->n - start);
	return true;
}

bool sentinel_is_plain(struct span text)
{
	return text.n > 0 && text.p[0] != ' ' && text.p[text.n - 1] != ' ' && is_printable(text) && !is_marked(text);
}

void sentinel_write(struct buf *out, struct span plain)
{
	size_t start = out->n;

	if (sentinel_is_plain(plain)) {
		buf_put(out, plain);
		return;
	}
	BUF_LIT(out, HEAD);
	b64_encode(out, plain.p, plain.n);
	BUF_LIT(out, TAIL);
	if (out->full)
		out->n = start;
}
