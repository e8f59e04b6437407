#include "wire/http_body.h"

/* Where in the chunked grammar (RFC 9112 7.1) the next byte stands. */
enum {
	S_SIZE,      /* a digit, or the CR after the digits */
	S_SIZE_LF,
	S_DATA,
	S_DATA_CR,
	S_DATA_LF,
	S_LAST_CR,   /* after the chunk of size 0: anything but the empty line would be a trailer */
	S_LAST_LF
};

enum { CHUNK_DIGITS_MAX = 8 };

void http_body_start(struct http_body *b, enum http_framing framing, uint64_t length, uint64_t limit)
{
	*b = (struct http_body){ .state = HTTP_BODY_MORE, .framing = framing, .limit = limit, .step = S_SIZE };
	if (framing == HTTP_NO_BODY || (framing == HTTP_LENGTH && length == 0))
		b->state = HTTP_BODY_DONE;
	else if (framing == HTTP_LENGTH && length > limit)
		b->state = HTTP_BODY_LARGE;
	else if (framing == HTTP_LENGTH)
		b->left = length;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Invariant: total <= limit, so the difference never wraps. */
static uint64_t room(const struct http_body *b) { return b->limit - b->total; }

/* One byte of chunked framing. */
static void take_framing(struct http_body *b, char c)
{
	int digit;

	switch (b->step) {
	case S_SIZE:
		digit = hex_value(c);
		if (digit >= 0 && b->digits < CHUNK_DIGITS_MAX) {
			b->left = b->left << 4 | (unsigned)digit;
			b->digits++;
			return;
		}
		if (c != '\r' || b->digits == 0)
			break;
		if (b->left > room(b)) {
			b->state = HTTP_BODY_LARGE;
			return;
		}
		b->step = S_SIZE_LF;
		return;
	case S_SIZE_LF:
		if (c != '\n')
			break;
		b->step = b->left > 0 ? S_DATA : S_LAST_CR;
		return;
	case S_DATA_CR:
		if (c != '\r')
			break;
		b->step = S_DATA_LF;
		return;
	case S_DATA_LF:
		if (c != '\n')
			break;
		b->step = S_SIZE;
		b->digits = 0;
		return;
	case S_LAST_CR:
		if (c != '\r')
			break;
		b->step = S_LAST_LF;
		return;
	case S_LAST_LF:
		if (c != '\n')
			break;
		b->state = HTTP_BODY_DONE;
		return;
	default:
		break;
	}
	b->state = HTTP_BODY_BROKEN;
}

static size_t take_payload(struct http_body *b, const char *in, size_t n, struct span *payload)
{
	size_t run = b->left < n ? (size_t)b->left : n;

	*payload = span_of(in, run);
	b->left -= run;
	b->total += run;
	return run;
}

static size_t take_chunked(struct http_body *b, const char *in, size_t n, struct span *payload)
{
	size_t used = 0;

	while (used < n && b->state == HTTP_BODY_MORE) {
		if (b->step == S_DATA) {
			used += take_payload(b, in + used, n - used, payload);
			if (b->left == 0)
				b->step = S_DATA_CR;
			return used;
		}
		take_framing(b, in[used++]);
	}
	return used;
}

size_t http_body_take(struct http_body *b, const char *in, size_t n, struct span *payload)
{
	size_t used;

	*payload = span_of(in, 0);
	if (b->state != HTTP_BODY_MORE || n == 0)
		return 0;
	switch (b->framing) {
	case HTTP_CHUNKED:
		return take_chunked(b, in, n, payload);
	case HTTP_LENGTH:
		used = take_payload(b, in, n, payload);
		if (b->left == 0)
			b->state = HTTP_BODY_DONE;
		return used;
	case HTTP_UNTIL_CLOSE:
		if (n > room(b)) {
			b->state = HTTP_BODY_LARGE;
			return n;
		}
		*payload = span_of(in, n);
		b->total += n;
		return n;
	case HTTP_NO_BODY:
		break;
	}
	b->state = HTTP_BODY_DONE;
	return 0;
}

void http_body_unframe(struct http_body *b, char *p, size_t *end, size_t *raw, size_t *n)
{
	while (b->state == HTTP_BODY_MORE && *raw < *n) {
		struct span payload;

		*raw += http_body_take(b, p + *raw, *n - *raw, &payload);
		if (payload.n > 0 && payload.p != p + *end)
			memmove(p + *end, payload.p, payload.n);
		*end += payload.n;
	}
	if (b->state == HTTP_BODY_MORE)
		*n = *raw = *end;
}

void http_body_eof(struct http_body *b)
{
	if (b->state == HTTP_BODY_MORE)
		b->state = b->framing == HTTP_UNTIL_CLOSE ? HTTP_BODY_DONE : HTTP_BODY_BROKEN;
}
