/* wire/http_write.h: heads that we send. Nothing of a peer's framing or fields is ever relayed: every head is built from here.
 *
 * Values must have been checked by the caller to hold no control byte; what is checked again here and is wrong ends the process: a name
 * that is no token, a control byte in a value, a path that is no RFC 3986 path, a status without a reason phrase, a chunk of size 0. */
#ifndef POSTERN_WIRE_HTTP_WRITE_H
#define POSTERN_WIRE_HTTP_WRITE_H

#include "base/buf.h"

/* "HTTP/1.1 <status> <reason>\r\n" for the statuses we send (the reason phrase is fixed per status). */
void http_write_status(struct buf *b, unsigned status);
/* "POST <path> HTTP/1.1\r\n" */
void http_write_post(struct buf *b, struct span path);
void http_write_get(struct buf *b, struct span path);     /* the same with GET */
void http_write_delete(struct buf *b, struct span path);  /* and with DELETE */
void http_write_field(struct buf *b, struct span name, struct span value);
void http_write_length(struct buf *b, uint64_t length);   /* Content-Length */
void http_write_end(struct buf *b);                       /* the empty line */
/* One chunk's size line ("1f4\r\n"); the caller appends the payload and CRLF. The last chunk is http_write_last_chunk. */
void http_write_chunk(struct buf *b, size_t n);
void http_write_last_chunk(struct buf *b);                /* "0\r\n\r\n" */

/* Value encoding of Mcp-Name and Mcp-Param-* (MCP 2026-07-28, Streamable HTTP, Value Encoding): as is when it holds only 0x20..0x7E,
 * does not begin or end with white space and does not look like the sentinel; else "=?base64?" + standard base64 + "?=". An empty
 * string is written "=?base64??=". */
void http_write_mcp_value(struct buf *b, struct span value);

enum mcp_value { MCP_VALUE_OK, MCP_VALUE_BAD };
/* Decodes a received header value into out (its room must be at least value.n). A value with both markers must be canonical padded
 * base64 of valid UTF-8; one without both is taken literally, and must then hold only 0x20..0x7E; an empty one is an empty string. On
 * MCP_VALUE_BAD out is as before, or full. */
enum mcp_value http_read_mcp_value(struct span value, struct buf *out);

#endif
