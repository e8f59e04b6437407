/* First byte: framing and limit; the next: the size of the pieces; then the body. However it is cut, the payload is the same. */
#include <stdlib.h>

#include "wire/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct outcome {
	enum http_body_state state;
	size_t used;
	uint64_t total;
	uint64_t sum; /* of the payload, by place */
};

static struct outcome feed(enum http_framing framing, uint64_t length, uint64_t limit, const char *in, size_t n, size_t piece)
{
	struct outcome o = { .used = 0 };
	struct http_body b;

	http_body_start(&b, framing, length, limit);
	while (o.used < n && b.state == HTTP_BODY_MORE) {
		size_t to = n - o.used < piece ? n : o.used + piece;

		while (o.used < to && b.state == HTTP_BODY_MORE) {
			struct span run;
			size_t took = http_body_take(&b, in + o.used, to - o.used, &run);

			must(took <= to - o.used && (took > 0 || b.state != HTTP_BODY_MORE) && run.n <= took);
			for (size_t i = 0; i < run.n; i++)
				o.sum = o.sum * 31 + (unsigned char)run.p[i] + 1;
			o.used += took;
		}
	}
	must(b.total <= limit);
	o.state = b.state;
	o.total = b.total;
	http_body_eof(&b);
	must(b.state != HTTP_BODY_MORE);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_framing framing;
	uint64_t limit;
	struct outcome a, b;

	if (size < 2)
		return 0;
	framing = (enum http_framing)(data[0] & 3);
	limit = (data[0] & 4) != 0 ? UINT64_MAX : data[0] >> 3;
	a = feed(framing, data[1], limit, (const char *)data + 2, size - 2, size);
	b = feed(framing, data[1], limit, (const char *)data + 2, size - 2, 1u + (data[1] & 7));
	must(a.state == b.state);
	/* Until the connection closes there is no mark before which the limit would be met. */
	if (framing != HTTP_UNTIL_CLOSE || a.state != HTTP_BODY_LARGE)
		must(a.used == b.used && a.total == b.total && a.sum == b.sum);
	return 0;
}
