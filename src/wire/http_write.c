#include "wire/http_write.h"

#include "base/text.h"
#include "wire/http_value.h"

/* A caller of ours broke the contract: stop here, before a byte of it is on the wire. */
static _Noreturn void bug(void) { __builtin_trap(); }

void http_write_status(struct buf *b, unsigned status)
{
	switch (status) {
#define STATUS(code, reason)                                                                                                       \
	case code:                                                                                                                 \
		BUF_LIT(b, "HTTP/1.1 " #code " " reason "\r\n");                                                                   \
		return;
	STATUS(100, "Continue")
	STATUS(200, "OK")
	STATUS(202, "Accepted")
	STATUS(204, "No Content")
	STATUS(400, "Bad Request")
	STATUS(401, "Unauthorized")
	STATUS(403, "Forbidden")
	STATUS(404, "Not Found")
	STATUS(405, "Method Not Allowed")
	STATUS(406, "Not Acceptable")
	STATUS(408, "Request Timeout")
	STATUS(409, "Conflict")
	STATUS(411, "Length Required")
	STATUS(413, "Content Too Large")
	STATUS(414, "URI Too Long")
	STATUS(415, "Unsupported Media Type")
	STATUS(417, "Expectation Failed")
	STATUS(421, "Misdirected Request")
	STATUS(426, "Upgrade Required")
	STATUS(429, "Too Many Requests")
	STATUS(431, "Request Header Fields Too Large")
	STATUS(500, "Internal Server Error")
	STATUS(501, "Not Implemented")
	STATUS(502, "Bad Gateway")
	STATUS(503, "Service Unavailable")
	STATUS(504, "Gateway Timeout")
	STATUS(505, "HTTP Version Not Supported")
#undef STATUS
	default:
		bug();
	}
}

static void request_line(struct buf *b, struct span method, struct span path)
{
	if (path.n == 0 || path.p[0] != '/' || http_encoded_end(path, HTTP_C_TARGET) != path.n)
		bug();
	buf_put(b, method);
	buf_char(b, ' ');
	buf_put(b, path);
	BUF_LIT(b, " HTTP/1.1\r\n");
}

void http_write_post(struct buf *b, struct span path) { request_line(b, SPAN("POST"), path); }
void http_write_get(struct buf *b, struct span path) { request_line(b, SPAN("GET"), path); }
void http_write_delete(struct buf *b, struct span path) { request_line(b, SPAN("DELETE"), path); }

void http_write_field(struct buf *b, struct span name, struct span value)
{
	if (!http_token_ok(name) || !http_value_ok(value))
		bug();
	buf_put(b, name);
	BUF_LIT(b, ": ");
	buf_put(b, value);
	BUF_LIT(b, "\r\n");
}

void http_write_length(struct buf *b, uint64_t length)
{
	BUF_LIT(b, "Content-Length: ");
	buf_u64(b, length);
	BUF_LIT(b, "\r\n");
}

void http_write_end(struct buf *b) { BUF_LIT(b, "\r\n"); }

void http_write_chunk(struct buf *b, size_t n)
{
	char digits[2 * sizeof(n)];
	size_t at = sizeof(digits);

	/* A chunk of size 0 would end the body. */
	if (n == 0)
		bug();
	for (; n > 0; n >>= 4)
		digits[--at] = "0123456789abcdef"[n & 15];
	buf_put(b, span_of(digits + at, sizeof(digits) - at));
	BUF_LIT(b, "\r\n");
}

void http_write_last_chunk(struct buf *b) { BUF_LIT(b, "0\r\n\r\n"); }

/* ---- Mcp-Name and Mcp-Param-* ---- */

#define MARK_HEAD "=?base64?"
#define MARK_TAIL "?="
enum { HEAD_LEN = sizeof(MARK_HEAD) - 1, TAIL_LEN = sizeof(MARK_TAIL) - 1 };

/* Both markers, even when they share their `?`. */
static bool is_marked(struct span v)
{
	return v.n > HEAD_LEN && memcmp(v.p, MARK_HEAD, HEAD_LEN) == 0 && memcmp(v.p + v.n - TAIL_LEN, MARK_TAIL, TAIL_LEN) == 0;
}

static bool is_printable(struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return false;
	return true;
}

void http_write_mcp_value(struct buf *b, struct span value)
{
	bool plain = value.n > 0 && value.p[0] != ' ' && value.p[value.n - 1] != ' ' && is_printable(value) && !is_marked(value);

	if (plain) {
		buf_put(b, value);
		return;
	}
	BUF_LIT(b, MARK_HEAD);
	b64_encode(b, value.p, value.n);
	BUF_LIT(b, MARK_TAIL);
}

enum mcp_value http_read_mcp_value(struct span value, struct buf *out)
{
	size_t before = out->n;

	if (!is_marked(value)) {
		if (!is_printable(value))
			return MCP_VALUE_BAD;
		buf_put(out, value);
		return out->full ? MCP_VALUE_BAD : MCP_VALUE_OK;
	}
	/* Markers that overlap: some would read an empty encoding, some a literal. */
	if (value.n < HEAD_LEN + TAIL_LEN)
		return MCP_VALUE_BAD;
	value = span_of(value.p + HEAD_LEN, value.n - HEAD_LEN - TAIL_LEN);
	if (!b64_decode(out, value) || out->full)
		return MCP_VALUE_BAD;
	if (!utf8_valid(span_of(out->p + before, out->n - before))) {
		out->n = before;
		return MCP_VALUE_BAD;
	}
	return MCP_VALUE_OK;
}
