#include "wire/mcp_method.h"

struct row {
	struct span name;
	bool cached;
	struct span named_by;
};

#define NAME(text) { text, sizeof(text) - 1 }
#define NOTHING { NULL, 0 }

static const struct row rows[MCP_METHODS] = {
	[MCP_DISCOVER] = { NAME("server/discover"), true, NOTHING },
	[MCP_TOOLS_LIST] = { NAME("tools/list"), true, NOTHING },
	[MCP_TOOLS_CALL] = { NAME("tools/call"), false, NAME("name") },
	[MCP_PROMPTS_LIST] = { NAME("prompts/list"), true, NOTHING },
	[MCP_PROMPTS_GET] = { NAME("prompts/get"), false, NAME("name") },
	[MCP_RESOURCES_LIST] = { NAME("resources/list"), true, NOTHING },
	[MCP_TEMPLATES_LIST] = { NAME("resources/templates/list"), true, NOTHING },
	[MCP_RESOURCES_READ] = { NAME("resources/read"), true, NAME("uri") },
	[MCP_COMPLETE] = { NAME("completion/complete"), false, NOTHING },
	[MCP_LISTEN] = { NAME("subscriptions/listen"), false, NOTHING },
	[MCP_TASKS_GET] = { NAME("tasks/get"), false, NAME("taskId") },
	[MCP_TASKS_UPDATE] = { NAME("tasks/update"), false, NAME("taskId") },
	[MCP_TASKS_CANCEL] = { NAME("tasks/cancel"), false, NAME("taskId") },
	[MCP_REQUESTS] = { NOTHING, false, NOTHING },
	[MCP_CANCELLED] = { NAME("notifications/cancelled"), false, NOTHING },
	[MCP_PROGRESS] = { NAME("notifications/progress"), false, NOTHING },
	[MCP_MESSAGE] = { NAME("notifications/message"), false, NOTHING },
	[MCP_ACKNOWLEDGED] = { NAME("notifications/subscriptions/acknowledged"), false, NOTHING },
	[MCP_TOOLS_CHANGED] = { NAME("notifications/tools/list_changed"), false, NOTHING },
	[MCP_PROMPTS_CHANGED] = { NAME("notifications/prompts/list_changed"), false, NOTHING },
	[MCP_RESOURCES_CHANGED] = { NAME("notifications/resources/list_changed"), false, NOTHING },
	[MCP_RESOURCE_UPDATED] = { NAME("notifications/resources/updated"), false, NOTHING },
	[MCP_TASK_STATUS] = { NAME("notifications/tasks"), false, NOTHING },
};

enum mcp_method mcp_method_of(struct span name)
{
	for (unsigned i = 0; i < MCP_METHODS; i++)
		if (rows[i].name.p && span_eq(rows[i].name, name))
			return (enum mcp_method)i;
	return span_eq(name, SPAN("initialize")) ? MCP_INITIALIZE : MCP_UNKNOWN;
}

struct span mcp_method_name(enum mcp_method m) { return m < MCP_METHODS ? rows[m].name : span_of(NULL, 0); }
bool mcp_method_cached(enum mcp_method m) { return m < MCP_METHODS && rows[m].cached; }
struct span mcp_method_named_by(enum mcp_method m) { return m < MCP_METHODS ? rows[m].named_by : span_of(NULL, 0); }
