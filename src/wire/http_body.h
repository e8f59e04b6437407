/* wire/http_body.h: the body of an HTTP/1.1 message: by length, chunked, or until the connection closes (RFC 9112 6, 7).
 *
 * An engine: give it bytes, it says which of them are payload. Chunk extensions and trailers are refused (nothing here needs them, and
 * they are where parsers differ); a chunk size is 1 to 8 hex digits; CRLF only. */
#ifndef POSTERN_WIRE_HTTP_BODY_H
#define POSTERN_WIRE_HTTP_BODY_H

#include "wire/http_head.h"

enum http_body_state {
	HTTP_BODY_MORE,     /* wants more bytes */
	HTTP_BODY_DONE,     /* complete; following bytes belong to the next message */
	HTTP_BODY_LARGE,    /* more payload than the limit: 413 and close */
	HTTP_BODY_BROKEN    /* bad chunked framing: 400 and close */
};

struct http_body {
	enum http_body_state state;
	enum http_framing framing;
	uint64_t left;      /* payload bytes left of the body or of this chunk */
	uint64_t total;     /* payload bytes so far */
	uint64_t limit;
	uint8_t step;       /* where in the chunked grammar */
	uint8_t digits;
};

/* Starts; a declared length over `limit` is HTTP_BODY_LARGE at once, no body is HTTP_BODY_DONE at once. */
void http_body_start(struct http_body *b, enum http_framing framing, uint64_t length, uint64_t limit);

/* Takes bytes from in[0..n) and returns how many were used; *payload is the (possibly empty) run of them that is content. Call again
 * with the rest until the state leaves HTTP_BODY_MORE or everything is used. With n > 0 a call always uses at least one byte or changes
 * state; one call gives at most one run, so look at the state and the payload after each. A chunk whose declared size passes the limit
 * is HTTP_BODY_LARGE before any of it is read. */
size_t http_body_take(struct http_body *b, const char *in, size_t n, struct span *payload);

/* The same in place, as far as it goes: payload so far ends at p[*end], and p[*raw .. *n) has come since; what is payload of that moves to
 * its end. While the state is HTTP_BODY_MORE all is used (*n == *raw == *end: read on there); afterwards p[*raw .. *n) is the next message's. */
void http_body_unframe(struct http_body *b, char *p, size_t *end, size_t *raw, size_t *n);

/* The peer closed: DONE for HTTP_UNTIL_CLOSE, otherwise BROKEN (unless already DONE). */
void http_body_eof(struct http_body *b);

#endif
