/* What an upstream may send: first byte says whether the request was HEAD; then head and body, response after response. */
#include <stdlib.h>

#include "wire/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head h;
	const char *text = (const char *)data + 1;
	size_t n = size > 0 ? size - 1 : 0, at = 0;

	while (at < n) {
		struct http_body body;
		struct span head;
		size_t scanned = 0, where = 0, end = http_head_end(text + at, n - at, &scanned), start = at;

		must(end <= n - at);
		if (end == 0)
			return 0;
		head = span_of(text + at, end);
		if (http_response_read(&h, head, (data[0] & 1) != 0, &where) != HTTP_OK) {
			must(where <= end);
			return 0;
		}
		must(h.status >= 100 && h.status <= 599 && h.head_len == end);
		must(h.count[HTTP_CONTENT_LENGTH] + h.count[HTTP_TRANSFER_ENCODING] <= 1);
		must(h.framing != HTTP_UNTIL_CLOSE || !h.keep_alive);
		if (h.status < 200 || h.status == 204 || h.status == 304 || (data[0] & 1) != 0)
			must(h.framing == HTTP_NO_BODY);
		at += end;
		http_body_start(&body, h.framing, h.length, 1000);
		while (at < n && body.state == HTTP_BODY_MORE) {
			struct span run;
			size_t took = http_body_take(&body, text + at, n - at, &run);

			must(took <= n - at && (took > 0 || body.state != HTTP_BODY_MORE));
			at += took;
		}
		must(body.total <= 1000 && at > start);
		if (body.state != HTTP_BODY_DONE || !h.keep_alive)
			return 0;
	}
	return 0;
}
