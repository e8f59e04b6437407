/* What our reader makes of a client's bytes, for tests that compare it with others.
 *
 * Standard input: one connection a line, its bytes in hex. Standard output, a line each: `METHOD TARGET BODY` for every message (target
 * and body in hex, "-" if empty), separated by " | ", then how it ends: `end` (nothing is left), `more` (a message is cut off), `close`
 * (the last message asked for it), `error STATUS` for a head or `error STATUS body` for a body that is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "wire/http_body.h"

enum { BYTES_MAX = 1 << 20, BODY_LIMIT = 1 << 19 };

static int hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put(const char *p, size_t n)
{
	if (n == 0)
		putchar('-');
	for (size_t i = 0; i < n; i++)
		printf("%02x", (unsigned)(unsigned char)p[i]);
}

/* One message off data[at..n); false when the connection ends with it, and then how was printed. */
static bool message(const char *data, size_t n, size_t *at)
{
	static struct http_head h;
	static char content[BODY_LIMIT];
	struct http_body body;
	size_t scanned = 0, where, end = http_head_end(data + *at, n - *at, &scanned), len = 0;
	enum http_error e;

	if (end == 0) {
		printf(*at == n ? "end" : "more");
		return false;
	}
	e = http_request_read(&h, span_of(data + *at, end), &where);
	*at += end;
	if (e != HTTP_OK) {
		printf("error %u", http_error_status(e));
		return false;
	}
	http_body_start(&body, h.framing, h.length, BODY_LIMIT);
	while (*at < n && body.state == HTTP_BODY_MORE) {
		struct span run;

		*at += http_body_take(&body, data + *at, n - *at, &run);
		memcpy(content + len, run.p, run.n);
		len += run.n;
	}
	if (body.state != HTTP_BODY_DONE) {
		printf(body.state == HTTP_BODY_MORE ? "more" : body.state == HTTP_BODY_LARGE ? "error 413 body" : "error 400 body");
		return false;
	}
	printf("%.*s ", (int)h.method_text.n, h.method_text.p);
	put(h.target.p, h.target.n);
	putchar(' ');
	put(content, len);
	printf(" | ");
	if (!h.keep_alive)
		printf("close");
	return h.keep_alive;
}

int main(void)
{
	static char data[BYTES_MAX];
	int c = getchar();

	while (c != EOF) {
		size_t n = 0, at = 0;

		for (; c != '\n' && c != EOF; c = getchar()) {
			int low = getchar();

			if (hex(c) < 0 || hex(low) < 0 || n == sizeof(data)) {
				fprintf(stderr, "not hex, or more than %d bytes\n", BYTES_MAX);
				return 1;
			}
			data[n++] = (char)(hex(c) << 4 | hex(low));
		}
		while (message(data, n, &at))
			;
		putchar('\n');
		c = getchar();
	}
	return 0;
}
