/* wire/mcp_error.h: the error codes of MCP 2026-07-28 and the HTTP status that goes with each. */
#ifndef POSTERN_WIRE_MCP_ERROR_H
#define POSTERN_WIRE_MCP_ERROR_H

#include "base/buf.h"

enum mcp_code {
	MCP_PARSE_ERROR = -32700,
	MCP_INVALID_REQUEST = -32600,
	MCP_METHOD_NOT_FOUND = -32601,
	MCP_INVALID_PARAMS = -32602,
	MCP_INTERNAL = -32603,
	MCP_HEADER_MISMATCH = -32020,
	MCP_MISSING_CAPABILITY = -32021,
	MCP_UNSUPPORTED_VERSION = -32022
};

/* What is wrong with a message. `text` and `detail` are for a person: "params._meta: missing; …". */
struct mcp_fault {
	int code;            /* 0: nothing */
	unsigned status;     /* HTTP status that goes with it here */
	struct span text;    /* static */
	struct span where;   /* what it is about (a header, a member, a name); may be absent; lives as long as the request bytes */
	struct span data;    /* ready JSON for error.data; may be absent */
};

/* Appends {"jsonrpc":"2.0","id":<id>,"error":{"code":…,"message":"text: where","data":…}}; an absent id is left out. */
void mcp_error_write(struct buf *b, struct span id, const struct mcp_fault *f);

#endif
