/* wire/mcp_method.h: every method and notification of MCP 2026-07-28, and the shape of its params, as one table. */
#ifndef POSTERN_WIRE_MCP_METHOD_H
#define POSTERN_WIRE_MCP_METHOD_H

#include "base/span.h"

enum mcp_method {
	/* requests, client to server */
	MCP_DISCOVER,
	MCP_TOOLS_LIST,
	MCP_TOOLS_CALL,
	MCP_PROMPTS_LIST,
	MCP_PROMPTS_GET,
	MCP_RESOURCES_LIST,
	MCP_TEMPLATES_LIST,
	MCP_RESOURCES_READ,
	MCP_COMPLETE,
	MCP_LISTEN,
	MCP_TASKS_GET,    /* the extension io.modelcontextprotocol/tasks (mcp.md 9): only towards who speaks it */
	MCP_TASKS_UPDATE,
	MCP_TASKS_CANCEL,
	MCP_REQUESTS, /* the number of methods above */
	/* notifications */
	MCP_CANCELLED,
	MCP_PROGRESS,
	MCP_MESSAGE,
	MCP_ACKNOWLEDGED,
	MCP_TOOLS_CHANGED,
	MCP_PROMPTS_CHANGED,
	MCP_RESOURCES_CHANGED,
	MCP_RESOURCE_UPDATED,
	MCP_TASK_STATUS,
	MCP_METHODS,  /* the number of rows */
	MCP_INITIALIZE, /* of older revisions: answered by a refusal that lists what is supported */
	MCP_UNKNOWN
};

enum mcp_method mcp_method_of(struct span name);
struct span mcp_method_name(enum mcp_method m);
/* True for the methods whose complete result carries ttlMs and cacheScope. */
bool mcp_method_cached(enum mcp_method m);
static inline bool mcp_method_is_task(enum mcp_method m) { return m >= MCP_TASKS_GET && m <= MCP_TASKS_CANCEL; }
/* The member of params that Mcp-Name mirrors ("name", "uri" or "taskId"), absent for methods without one. */
struct span mcp_method_named_by(enum mcp_method m);

#define MCP_VERSION "2026-07-28"
#define MCP_META_VERSION "io.modelcontextprotocol/protocolVersion"
#define MCP_META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define MCP_META_CLIENT "io.modelcontextprotocol/clientInfo"
#define MCP_META_SERVER "io.modelcontextprotocol/serverInfo"
#define MCP_META_LOG_LEVEL "io.modelcontextprotocol/logLevel"
#define MCP_META_SUBSCRIPTION "io.modelcontextprotocol/subscriptionId"

#endif
