/* wire/mcp_method: the table is whole and its names are the specification's. */
#include "wire/mcp_method.h"

#include "page.h"
#include "tap.h"

static const struct {
	enum mcp_method method;
	const char *name, *named_by;
	bool cached;
} rows[] = {
	{ MCP_DISCOVER, "server/discover", NULL, true },
	{ MCP_TOOLS_LIST, "tools/list", NULL, true },
	{ MCP_TOOLS_CALL, "tools/call", "name", false },
	{ MCP_PROMPTS_LIST, "prompts/list", NULL, true },
	{ MCP_PROMPTS_GET, "prompts/get", "name", false },
	{ MCP_RESOURCES_LIST, "resources/list", NULL, true },
	{ MCP_TEMPLATES_LIST, "resources/templates/list", NULL, true },
	{ MCP_RESOURCES_READ, "resources/read", "uri", true },
	{ MCP_COMPLETE, "completion/complete", NULL, false },
	{ MCP_LISTEN, "subscriptions/listen", NULL, false },
	{ MCP_TASKS_GET, "tasks/get", "taskId", false },
	{ MCP_TASKS_UPDATE, "tasks/update", "taskId", false },
	{ MCP_TASKS_CANCEL, "tasks/cancel", "taskId", false },
	{ MCP_CANCELLED, "notifications/cancelled", NULL, false },
	{ MCP_PROGRESS, "notifications/progress", NULL, false },
	{ MCP_MESSAGE, "notifications/message", NULL, false },
	{ MCP_ACKNOWLEDGED, "notifications/subscriptions/acknowledged", NULL, false },
	{ MCP_TOOLS_CHANGED, "notifications/tools/list_changed", NULL, false },
	{ MCP_PROMPTS_CHANGED, "notifications/prompts/list_changed", NULL, false },
	{ MCP_RESOURCES_CHANGED, "notifications/resources/list_changed", NULL, false },
	{ MCP_RESOURCE_UPDATED, "notifications/resources/updated", NULL, false },
	{ MCP_TASK_STATUS, "notifications/tasks", NULL, false },
};

/* Gone with 2026-07-28, extensions we do not speak, and near misses. */
static const char *const unknown[] = {
	"ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "roots/list", "sampling/createMessage",
	"elicitation/create", "notifications/initialized", "notifications/roots/list_changed", "notifications/elicitation/complete",
	"tasks/list", "tasks/result", "notifications/tasks/status", "", "tools", "tools/",
	"tools/list/", "Tools/List", "TOOLS/LIST", "tools/call ", " tools/call", "tools\\/call", "initialize ", "Initialize", "rpc.discover",
};

int main(void)
{
	bool seen[MCP_METHODS] = { false };
	char *page;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span name = mcp_method_name(rows[i].method), by = mcp_method_named_by(rows[i].method);

		page = page_str(rows[i].name);
		is_mem(name.p, name.n, rows[i].name, strlen(rows[i].name), rows[i].name);
		is_int(mcp_method_of(span_of(page, strlen(rows[i].name))), rows[i].method, "and back");
		ok(span_eq(by, span_z(rows[i].named_by)), "what Mcp-Name mirrors");
		ok(mcp_method_cached(rows[i].method) == rows[i].cached, "whether its result is cached");
		page_free(page, strlen(rows[i].name));
		seen[rows[i].method] = true;
	}
	for (unsigned m = 0; m < MCP_METHODS; m++)
		ok(seen[m] == (m != MCP_REQUESTS), "every row is tested");
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		page = page_str(unknown[i]);
		is_int(mcp_method_of(span_of(page, strlen(unknown[i]))), MCP_UNKNOWN, unknown[i]);
		page_free(page, strlen(unknown[i]));
	}
	is_int(mcp_method_of(SPAN("initialize")), MCP_INITIALIZE, "initialize is known, to be refused well");
	is_int(mcp_method_of(SPAN("tools/list\0")), MCP_UNKNOWN, "a NUL is a byte");
	is_int(mcp_method_of(span_of(NULL, 0)), MCP_UNKNOWN, "no name");
	for (unsigned m = MCP_METHODS; m <= MCP_UNKNOWN; m++)
		ok(span_absent(mcp_method_name((enum mcp_method)m)) && span_absent(mcp_method_named_by((enum mcp_method)m)) && !mcp_method_cached((enum mcp_method)m),
			"what is no row has nothing");
	ok(span_absent(mcp_method_name(MCP_REQUESTS)), "nor has the number of requests");
	return done_testing();
}
