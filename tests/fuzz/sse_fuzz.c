/* First byte: the size of the pieces; then a stream. However it is cut, the events are the same; what we write is read back. */
#include <stdlib.h>

#include "wire/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 64, ROUND = 4096 };

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct outcome {
	enum sse_state state;
	uint64_t events;
	uint64_t comments;
	uint64_t sum;
};

static struct outcome feed(struct span in, size_t piece)
{
	static char mem[CAP];
	struct outcome o = { .sum = 0 };
	struct sse_reader r;
	size_t at = 0;

	sse_start(&r, mem, sizeof(mem));
	while (at < in.n && r.state == SSE_MORE) {
		size_t to = in.n - at < piece ? in.n : at + piece;

		while (at < to && r.state == SSE_MORE) {
			size_t took = sse_take(&r, in.p + at, to - at);

			must(took > 0 && took <= to - at && r.data.n <= CAP);
			at += took;
			if (r.state != SSE_EVENT)
				continue;
			for (size_t i = 0; i < r.data.n; i++) {
				must(r.data.p[i] != '\r');
				o.sum = o.sum * 31 + (unsigned char)r.data.p[i] + 1;
			}
			o.sum = o.sum * 31;
			sse_next(&r);
		}
	}
	o.state = r.state;
	o.events = r.events;
	o.comments = r.comments;
	return o;
}

/* The bytes as a JSON text would be: one event that holds them, line breaks made LF. */
static void round_trip(struct span text)
{
	static char wire[ROUND * 8], mem[ROUND];
	struct sse_reader r;
	struct buf b = buf_on(wire, sizeof(wire));
	size_t at = 0;

	if (text.n > ROUND)
		return;
	sse_write(&b, text);
	must(!b.full && b.n == sse_write_size(text));
	sse_start(&r, mem, sizeof(mem));
	must(sse_take(&r, b.p, b.n) == b.n && r.state == SSE_EVENT && r.events == 1);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\r' && i + 1 < text.n && text.p[i + 1] == '\n')
			continue;
		must(at < r.data.n && r.data.p[at] == (text.p[i] == '\r' ? '\n' : text.p[i]));
		at++;
	}
	must(at == r.data.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;
	struct outcome a, b;

	if (size < 1)
		return 0;
	in = span_of((const char *)data + 1, size - 1);
	a = feed(in, size);
	b = feed(in, 1u + (data[0] & 15));
	must(a.state == b.state && a.events == b.events && a.comments == b.comments && a.sum == b.sum);
	round_trip(in);
	return 0;
}
