/* Any bytes as a request head: nothing outside it is looked at, and what is accepted obeys the rules of http_head.h. */
#include <stdlib.h>

#include "wire/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool inside(struct span s, struct span head)
{
	return span_absent(s) || (s.p >= head.p && s.p + s.n <= head.p + head.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head h;
	const char *text = (const char *)data;
	size_t scanned = 0, slow = 0, where = SIZE_MAX, end = http_head_end(text, size, &scanned), found = 0;
	struct span head = span_of(text, end), host, port;
	enum http_error e;

	for (size_t n = 0; n <= size && found == 0; n++)
		found = http_head_end(text, n, &slow);
	must(found == end);
	/* Also what no http_head_end() would hand over. */
	(void)http_request_read(&h, span_of(text, size), &where);
	where = SIZE_MAX;
	if (end == 0)
		return 0;
	e = http_request_read(&h, head, &where);
	must(h.nfields <= HTTP_FIELDS_MAX && inside(h.method_text, head) && inside(h.target, head) && inside(h.path, head) && inside(h.query, head));
	for (unsigned i = 0; i < h.nfields; i++) {
		must(inside(h.fields[i].name, head) && inside(h.fields[i].value, head));
		must(http_token_ok(h.fields[i].name) && http_value_ok(h.fields[i].value));
		(void)http_accepts(h.fields[i].value, SPAN("application"), SPAN("json"));
		(void)http_media_type_is(h.fields[i].value, SPAN("application"), SPAN("json"));
		(void)http_list_has(h.fields[i].value, SPAN("close"));
		(void)http_coding_list_ok(h.fields[i].value);
		(void)http_authority(h.fields[i].value, &host, &port);
	}
	must(http_error_status(e) >= 200 && http_error_text(e).n > 0);
	if (e != HTTP_OK) {
		must(where <= head.n);
		return 0;
	}
	must(where == SIZE_MAX && h.head_len == end && memcmp(text + end - 4, "\r\n\r\n", 4) == 0);
	must(memchr(text, '\0', end) == NULL && http_token_ok(h.method_text) && h.target.n > 0 && h.minor <= 1);
	must(h.count[HTTP_HOST] <= 1 && h.count[HTTP_HOST] + (h.minor == 0) >= 1);
	must(h.count[HTTP_CONTENT_LENGTH] + h.count[HTTP_TRANSFER_ENCODING] <= 1);
	must((h.framing == HTTP_CHUNKED) == (h.count[HTTP_TRANSFER_ENCODING] == 1));
	must((h.framing == HTTP_LENGTH) == (h.count[HTTP_CONTENT_LENGTH] == 1));
	must(h.framing != HTTP_CHUNKED || (h.minor == 1 && span_ieq(h.known[HTTP_TRANSFER_ENCODING], SPAN("chunked"))));
	return 0;
}
