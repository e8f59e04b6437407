/* wire/mcp_envelope.h: what a JSON-RPC message of MCP 2026-07-28 says, and the checks of its envelope (mcp.md 1, 5.5).
 *
 * Read in stages, in the order in which faults win: mcp_message_read (shape), mcp_request_meta (required _meta), then the caller's
 * header checks, then mcp_request_params (shape per method). All spans and tokens live as long as the json view. */
#ifndef POSTERN_WIRE_MCP_ENVELOPE_H
#define POSTERN_WIRE_MCP_ENVELOPE_H

#include "wire/json_read.h"
#include "wire/mcp_error.h"
#include "wire/mcp_method.h"

enum { MCP_ID_MAX = 256, MCP_NAME_MAX = 128, MCP_URI_MAX = 2048, MCP_CURSOR_MAX = 1024, MCP_URIS_MAX = 64, MCP_TASK_MAX = 640 };

enum mcp_kind { MCP_REQUEST, MCP_NOTIFICATION, MCP_RESULT, MCP_ERROR };

struct mcp_message {
	enum mcp_kind kind;
	struct span id;             /* raw token (with quotes if a string), absent for notifications and id-less errors */
	enum mcp_method method;
	struct span method_text;    /* inner bytes as written */
	uint32_t method_token;
	uint32_t params, meta;      /* tokens; JSON_NONE if absent */
	uint32_t result, error;
	/* mcp_request_meta */
	uint32_t version;           /* string tokens of params._meta */
	uint32_t capabilities;
	uint32_t progress_token;    /* JSON_NONE if absent */
	/* mcp_request_params */
	uint32_t name;              /* string token of params.name (tools/call, prompts/get) or params.uri (resources/read), ref.name/ref.uri, or params.taskId */
	uint32_t arguments;         /* object or JSON_NONE */
	uint32_t cursor;            /* JSON_NONE if absent (an empty string is a cursor) */
	uint32_t notifications;     /* subscriptions/listen filter */
	bool ref_is_resource;       /* completion/complete */
};

/* Shape of the envelope: an object, "jsonrpc":"2.0", id string (at most MCP_ID_MAX raw bytes) or integer, method or result/error, params
 * an object; no name of the control plane that is only equal after folding (A1). The id is filled in whenever it can be read, also on a
 * fault. code 0: fine. */
struct mcp_fault mcp_message_read(struct mcp_message *m, const struct json *j);

/* params._meta with protocolVersion and clientCapabilities of the right types; -32602 if not. Also progressToken's type. */
struct mcp_fault mcp_request_meta(struct mcp_message *m, const struct json *j);

/* Has the client declared the extension io.modelcontextprotocol/tasks, in this request? Behind mcp_request_meta(). */
bool mcp_request_has_tasks(const struct mcp_message *m, const struct json *j);

/* params per method: required members and their types; -32602. Unknown members are left alone. */
struct mcp_fault mcp_request_params(struct mcp_message *m, const struct json *j);

/* A reply as strictly: jsonrpc, exactly one of result (an object whose resultType, if any, is known: "complete", "input_required" and "task" — these
 * two only for the methods that may) and error (object, integer code, string message). `method` is what was asked. */
struct mcp_fault mcp_reply_check(const struct mcp_message *m, const struct json *j, enum mcp_method method);

/* A server's notification on a call's or listen's stream: method known, params an object. */
struct mcp_fault mcp_event_check(const struct mcp_message *m, const struct json *j);

#endif
