/* wire/http_head.h: the head of an HTTP/1.1 message, strictly (RFC 9112, RFC 9110; one grammar, one meaning).
 *
 * Bytes in, a view out: nothing is copied, every span points into the head given, which must stay in place while the view is used.
 * Refused (security requirement A8): a line not ended by CRLF, obs-fold, white space before the colon, NUL/CR/LF or another control
 * byte in a value (HTAB is allowed inside), a field name that is not a token, an empty line before the request line beyond one CRLF,
 * absolute-form or authority-form targets, a target that is not RFC 3986 path and query, HTTP versions but 1.0 and 1.1, a second Host,
 * Content-Length or Transfer-Encoding, both of the latter two, Content-Length other than 1 to 19 digits, Transfer-Encoding other than
 * exactly `chunked`, Transfer-Encoding in HTTP/1.0, a missing or malformed Host in 1.1 (an empty one is legal), more than
 * HTTP_FIELDS_MAX fields; in a response also a 1xx or 204 that announces a body.
 * After any error the caller must answer (if it is a server) and close: the connection has no trustworthy next byte. */
#ifndef POSTERN_WIRE_HTTP_HEAD_H
#define POSTERN_WIRE_HTTP_HEAD_H

#include "wire/http_value.h"

enum { HTTP_FIELDS_MAX = 64 };

/* The fields the gate knows by name. All others are kept in order in `fields` and looked at by nobody but Mcp-Param-*. */
enum http_name {
	HTTP_HOST,
	HTTP_CONTENT_LENGTH,
	HTTP_TRANSFER_ENCODING,
	HTTP_CONNECTION,
	HTTP_CONTENT_TYPE,
	HTTP_CONTENT_ENCODING,
	HTTP_ACCEPT,
	HTTP_ORIGIN,
	HTTP_EXPECT,
	HTTP_UPGRADE,
	HTTP_AUTHORIZATION,
	HTTP_DPOP,
	HTTP_KEEP_ALIVE,
	HTTP_RETRY_AFTER,
	HTTP_ACR_METHOD,  /* Access-Control-Request-Method */
	HTTP_ACR_HEADERS, /* Access-Control-Request-Headers */
	HTTP_MCP_PROTOCOL_VERSION,
	HTTP_MCP_METHOD,
	HTTP_MCP_NAME,
	HTTP_MCP_SESSION_ID,    /* of revisions before ours */
	HTTP_LAST_EVENT_ID,
	HTTP_POSTERN_IDENTITY,  /* gate/passport.h; on inner connections only */
	HTTP_NAMES,       /* the number of names above */
	HTTP_MCP_PARAM,   /* any Mcp-Param-<suffix>, suffix of at least one byte */
	HTTP_OTHER
};

enum http_method { HTTP_GET, HTTP_POST, HTTP_DELETE, HTTP_OPTIONS, HTTP_HEAD, HTTP_METHOD_OTHER };

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED, HTTP_UNTIL_CLOSE /* responses only */ };

enum http_error {
	HTTP_OK,
	HTTP_BAD_LINE,         /* request or status line: 400 */
	HTTP_BAD_VERSION,      /* 505 */
	HTTP_BAD_TARGET,       /* 400 */
	HTTP_BAD_FIELD,        /* name, colon, value, line end, fold: 400 */
	HTTP_TOO_MANY_FIELDS,  /* 431 */
	HTTP_BAD_HOST,         /* missing or doubled: 400 */
	HTTP_BAD_LENGTH,       /* Content-Length malformed or doubled: 400 */
	HTTP_BAD_CODING,       /* Transfer-Encoding malformed, doubled, with 1.0 or together with Content-Length: 400 */
	HTTP_UNKNOWN_CODING,   /* a well-formed coding list that is not exactly `chunked`: 501 */
	HTTP_ERRORS
};

struct http_field {
	struct span name;   /* as written */
	struct span value;  /* without surrounding OWS */
	enum http_name id;
};

struct http_head {
	enum http_method method;     /* request */
	struct span method_text;
	struct span target;          /* request: origin-form, as written; "*" only with OPTIONS */
	struct span path;            /* target up to '?', not percent-decoded */
	struct span query;           /* after '?', absent without one */
	unsigned status;             /* response: 100..599 */
	unsigned minor;              /* 0 or 1 */
	enum http_framing framing;
	uint64_t length;             /* with HTTP_LENGTH */
	bool keep_alive;             /* what Connection and the version say */
	bool expect_continue;        /* Expect: 100-continue; any other expectation sets bad_expect */
	bool bad_expect;
	size_t head_len;             /* bytes up to and including the empty line */
	unsigned nfields;
	uint8_t count[HTTP_NAMES];   /* how often each known name was there */
	struct span known[HTTP_NAMES]; /* the first value of each, absent if none */
	struct http_field fields[HTTP_FIELDS_MAX];
};

/* Length of the head in data[0..n) including the empty line that ends it, 0 if it is not complete. `*scanned` remembers how far earlier
 * calls looked (start it at 0), so that a peer who sends one byte at a time costs linear time. A LF without its CR ends the head at
 * once: the readers below refuse it, and the peer need not wait for a timeout to hear so. */
size_t http_head_end(const char *data, size_t n, size_t *scanned);

/* Reads a complete head (from http_head_end). On an error the view holds what was read up to there and *where the offset of the fault;
 * *where is untouched otherwise. Only fields[0..nfields) are ever written. */
enum http_error http_request_read(struct http_head *h, struct span head, size_t *where);

/* Reads a response head. `to_head` is true if the request was HEAD. 1xx, 204 and 304 have no body; without framing the body lasts
 * until the connection closes. */
enum http_error http_response_read(struct http_head *h, struct span head, bool to_head, size_t *where);

/* What to tell a client: the status above, and a sentence (static). */
unsigned http_error_status(enum http_error e);
struct span http_error_text(enum http_error e);

#endif
