#include "wire/mcp_envelope.h"

static const struct mcp_fault fine = { 0, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };

static struct mcp_fault fault(int code, unsigned status, struct span text)
{
	return (struct mcp_fault){ code, status, text, { NULL, 0 }, { NULL, 0 } };
}

static struct mcp_fault malformed(struct span text) { return fault(MCP_INVALID_REQUEST, 400, text); }
static struct mcp_fault bad_params(struct span text) { return fault(MCP_INVALID_PARAMS, 400, text); }

static const struct span envelope_names[] = {
	{ "jsonrpc", 7 }, { "id", 2 }, { "method", 6 }, { "params", 6 }, { "result", 6 }, { "error", 5 },
};
static const struct span params_names[] = {
	{ "_meta", 5 }, { "name", 4 }, { "uri", 3 }, { "arguments", 9 }, { "cursor", 6 }, { "ref", 3 }, { "argument", 8 },
	{ "context", 7 }, { "notifications", 13 }, { "inputResponses", 14 }, { "requestState", 12 }, { "taskId", 6 },
};
static const struct span meta_names[] = {
	{ MCP_META_VERSION, sizeof(MCP_META_VERSION) - 1 },
	{ MCP_META_CAPABILITIES, sizeof(MCP_META_CAPABILITIES) - 1 },
	{ MCP_META_CLIENT, sizeof(MCP_META_CLIENT) - 1 },
	{ MCP_META_LOG_LEVEL, sizeof(MCP_META_LOG_LEVEL) - 1 },
	{ "progressToken", 13 },
};
static const struct span ref_names[] = { { "type", 4 }, { "name", 4 }, { "uri", 3 } };
static const struct span argument_names[] = { { "name", 4 }, { "value", 5 } };
static const struct span filter_names[] = {
	{ "toolsListChanged", 16 }, { "promptsListChanged", 18 }, { "resourcesListChanged", 20 }, { "resourceSubscriptions", 21 },
	{ "taskIds", 7 },
};
static const struct span error_names[] = { { "code", 4 }, { "message", 7 }, { "data", 4 } };
/* What a gateway reads, changes or filters in a result: a second spelling of it must not reach a client that ignores case. */
static const struct span result_names[] = {
	{ "_meta", 5 }, { "resultType", 10 }, { "ttlMs", 5 }, { "cacheScope", 10 }, { "nextCursor", 10 }, { "tools", 5 }, { "prompts", 7 },
	{ "resources", 9 }, { "resourceTemplates", 17 }, { "contents", 8 }, { "content", 7 }, { "supportedVersions", 17 },
	{ "capabilities", 12 }, { "instructions", 12 }, { "inputRequests", 13 }, { "requestState", 12 }, { "taskId", 6 },
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool is_id(const struct json *j, uint32_t token)
{
	int64_t v;
	if (json_raw(j, token).n > MCP_ID_MAX)
		return false;
	return json_type(j, token) == JSON_STRING || json_int(j, token, &v);
}

/* "tools\/call" is tools/call: more than one JSON writer escapes the slash. */
static enum mcp_method method_of(const struct json *j, uint32_t token)
{
	char mem[64];
	struct buf name = buf_on(mem, sizeof mem);

	json_text(j, token, &name);
	return name.full ? MCP_UNKNOWN : mcp_method_of(buf_span(&name));
}

struct mcp_fault mcp_message_read(struct mcp_message *m, const struct json *j)
{
	*m = (struct mcp_message){ .method = MCP_UNKNOWN };
	if (json_type(j, JSON_ROOT) == JSON_ARRAY)
		return malformed(SPAN("A batch is not a message: send one JSON-RPC object per request"));
	if (json_type(j, JSON_ROOT) != JSON_OBJECT)
		return malformed(SPAN("A message is a JSON object"));

	uint32_t id = json_get(j, JSON_ROOT, SPAN("id"));
	if (id != JSON_NONE && is_id(j, id))
		m->id = json_raw(j, id);
	if (json_has_folded(j, JSON_ROOT, envelope_names, COUNT(envelope_names)))
		return malformed(SPAN("A member differs from a known one only by case or folding; write jsonrpc, id, method, params exactly"));
	if (id != JSON_NONE && span_absent(m->id))
		return malformed(SPAN("id: must be a string or an integer of at most 256 bytes"));
	if (!json_is(j, json_get(j, JSON_ROOT, SPAN("jsonrpc")), SPAN("2.0")))
		return malformed(SPAN("jsonrpc: must be \"2.0\""));

	m->params = json_get(j, JSON_ROOT, SPAN("params"));
	m->result = json_get(j, JSON_ROOT, SPAN("result"));
	m->error = json_get(j, JSON_ROOT, SPAN("error"));
	m->method_token = json_get(j, JSON_ROOT, SPAN("method"));
	if (m->method_token == JSON_NONE) {
		if ((m->result == JSON_NONE) == (m->error == JSON_NONE))
			return malformed(SPAN("method: missing"));
		m->kind = m->result != JSON_NONE ? MCP_RESULT : MCP_ERROR;
		return fine;
	}
	if (m->result != JSON_NONE || m->error != JSON_NONE)
		return malformed(SPAN("A message has either method or result or error"));
	if (json_type(j, m->method_token) != JSON_STRING)
		return malformed(SPAN("method: must be a string"));
	m->method_text = json_inner(j, m->method_token);
	m->method = method_of(j, m->method_token);
	m->kind = id == JSON_NONE ? MCP_NOTIFICATION : MCP_REQUEST;

	if (m->params != JSON_NONE) {
		if (json_type(j, m->params) != JSON_OBJECT)
			return malformed(SPAN("params: must be an object"));
		if (json_has_folded(j, m->params, params_names, COUNT(params_names)))
			return malformed(SPAN("params: a member differs from a known one only by case or folding"));
		m->meta = json_get(j, m->params, SPAN("_meta"));
		if (json_type(j, m->meta) == JSON_OBJECT && m->meta != JSON_NONE &&
		    json_has_folded(j, m->meta, meta_names, COUNT(meta_names)))
			return malformed(SPAN("params._meta: a member differs from a known one only by case or folding"));
	}
	return fine;
}

struct mcp_fault mcp_request_meta(struct mcp_message *m, const struct json *j)
{
	if (m->params == JSON_NONE || m->meta == JSON_NONE)
		return bad_params(SPAN("params._meta: missing; every request carries " MCP_META_VERSION " and " MCP_META_CAPABILITIES));
	if (json_type(j, m->meta) != JSON_OBJECT)
		return bad_params(SPAN("params._meta: must be an object"));
	m->version = json_get(j, m->meta, SPAN(MCP_META_VERSION));
	if (m->version == JSON_NONE || json_type(j, m->version) != JSON_STRING)
		return bad_params(SPAN("params._meta: " MCP_META_VERSION " is missing or not a string"));
	m->capabilities = json_get(j, m->meta, SPAN(MCP_META_CAPABILITIES));
	if (m->capabilities == JSON_NONE || json_type(j, m->capabilities) != JSON_OBJECT)
		return bad_params(SPAN("params._meta: " MCP_META_CAPABILITIES " is missing or not an object"));
	m->progress_token = json_get(j, m->meta, SPAN("progressToken"));
	if (m->progress_token != JSON_NONE && !is_id(j, m->progress_token))
		return bad_params(SPAN("params._meta.progressToken: must be a string or an integer of at most 256 bytes"));
	return fine;
}

static bool bounded_string(const struct json *j, uint32_t token, size_t most)
{
	return token != JSON_NONE && json_type(j, token) == JSON_STRING && json_inner(j, token).n <= most && json_inner(j, token).n > 0;
}

/* An absent member is right; one of another type is not. */
static bool object_or_absent(const struct json *j, uint32_t token) { return token == JSON_NONE || json_type(j, token) == JSON_OBJECT; }

static struct mcp_fault complete_params(struct mcp_message *m, const struct json *j)
{
	uint32_t ref = json_get(j, m->params, SPAN("ref"));
	uint32_t argument = json_get(j, m->params, SPAN("argument"));
	if (ref == JSON_NONE || json_type(j, ref) != JSON_OBJECT)
		return bad_params(SPAN("params.ref: missing or not an object"));
	if (json_has_folded(j, ref, ref_names, COUNT(ref_names)) || json_has_folded(j, argument, argument_names, COUNT(argument_names)))
		return malformed(SPAN("params.ref, params.argument: a member differs from a known one only by case or folding"));
	uint32_t type = json_get(j, ref, SPAN("type"));
	if (json_is(j, type, SPAN("ref/prompt"))) {
		m->name = json_get(j, ref, SPAN("name"));
		if (!bounded_string(j, m->name, MCP_NAME_MAX))
			return bad_params(SPAN("params.ref.name: must be a string of 1 to 128 bytes"));
	} else if (json_is(j, type, SPAN("ref/resource"))) {
		m->ref_is_resource = true;
		m->name = json_get(j, ref, SPAN("uri"));
		if (!bounded_string(j, m->name, MCP_URI_MAX))
			return bad_params(SPAN("params.ref.uri: must be a string of 1 to 2048 bytes"));
	} else {
		return bad_params(SPAN("params.ref.type: must be ref/prompt or ref/resource"));
	}
	if (argument == JSON_NONE || json_type(j, argument) != JSON_OBJECT ||
	    !bounded_string(j, json_get(j, argument, SPAN("name")), MCP_NAME_MAX) ||
	    json_type(j, json_get(j, argument, SPAN("value"))) != JSON_STRING || json_get(j, argument, SPAN("value")) == JSON_NONE)
		return bad_params(SPAN("params.argument: must be {\"name\": string, \"value\": string}"));
	if (!object_or_absent(j, json_get(j, m->params, SPAN("context"))))
		return bad_params(SPAN("params.context: must be an object"));
	return fine;
}

bool mcp_request_has_tasks(const struct mcp_message *m, const struct json *j)
{
	return json_type(j, json_get(j, json_get(j, m->capabilities, SPAN("extensions")), SPAN("io.modelcontextprotocol/tasks"))) == JSON_OBJECT;
}

static struct mcp_fault listen_params(struct mcp_message *m, const struct json *j)
{
	static const struct span flags[] = { { "toolsListChanged", 16 }, { "promptsListChanged", 18 }, { "resourcesListChanged", 20 } };

	m->notifications = json_get(j, m->params, SPAN("notifications"));
	if (m->notifications == JSON_NONE || json_type(j, m->notifications) != JSON_OBJECT)
		return bad_params(SPAN("params.notifications: missing or not an object"));
	if (json_has_folded(j, m->notifications, filter_names, COUNT(filter_names)))
		return malformed(SPAN("params.notifications: a member differs from a known one only by case or folding"));
	for (size_t i = 0; i < COUNT(flags); i++) {
		uint32_t v = json_get(j, m->notifications, flags[i]);
		if (v != JSON_NONE && json_type(j, v) != JSON_TRUE && json_type(j, v) != JSON_FALSE)
			return bad_params(SPAN("params.notifications: the ListChanged members must be booleans"));
	}
	uint32_t tasks = json_get(j, m->notifications, SPAN("taskIds"));
	if (tasks != JSON_NONE && (json_type(j, tasks) != JSON_ARRAY || json_size(j, tasks) > MCP_URIS_MAX))
		return bad_params(SPAN("params.notifications.taskIds: must be an array of at most 64 ids"));
	for (uint32_t u = json_first(j, tasks); u != JSON_NONE; u = json_next(j, tasks, u))
		if (!bounded_string(j, u, MCP_TASK_MAX))
			return bad_params(SPAN("params.notifications.taskIds: every id must be a string of 1 to 640 bytes"));
	uint32_t uris = json_get(j, m->notifications, SPAN("resourceSubscriptions"));
	if (uris == JSON_NONE)
		return fine;
	if (json_type(j, uris) != JSON_ARRAY || json_size(j, uris) > MCP_URIS_MAX)
		return bad_params(SPAN("params.notifications.resourceSubscriptions: must be an array of at most 64 URIs"));
	for (uint32_t u = json_first(j, uris); u != JSON_NONE; u = json_next(j, uris, u))
		if (!bounded_string(j, u, MCP_URI_MAX))
			return bad_params(SPAN("params.notifications.resourceSubscriptions: every URI must be a string of 1 to 2048 bytes"));
	return fine;
}

struct mcp_fault mcp_request_params(struct mcp_message *m, const struct json *j)
{
	switch (m->method) {
	case MCP_TOOLS_CALL:
	case MCP_PROMPTS_GET:
		m->name = json_get(j, m->params, SPAN("name"));
		if (!bounded_string(j, m->name, MCP_NAME_MAX))
			return bad_params(SPAN("params.name: must be a string of 1 to 128 bytes"));
		m->arguments = json_get(j, m->params, SPAN("arguments"));
		if (!object_or_absent(j, m->arguments))
			return bad_params(SPAN("params.arguments: must be an object"));
		break;
	case MCP_RESOURCES_READ:
		m->name = json_get(j, m->params, SPAN("uri"));
		if (!bounded_string(j, m->name, MCP_URI_MAX))
			return bad_params(SPAN("params.uri: must be a string of 1 to 2048 bytes"));
		break;
	case MCP_TOOLS_LIST:
	case MCP_PROMPTS_LIST:
	case MCP_RESOURCES_LIST:
	case MCP_TEMPLATES_LIST:
		m->cursor = json_get(j, m->params, SPAN("cursor"));
		if (m->cursor != JSON_NONE && (json_type(j, m->cursor) != JSON_STRING || json_inner(j, m->cursor).n > MCP_CURSOR_MAX))
			return bad_params(SPAN("params.cursor: must be a string of at most 1024 bytes"));
		break;
	case MCP_COMPLETE:
		return complete_params(m, j);
	case MCP_LISTEN:
		return listen_params(m, j);
	case MCP_TASKS_GET:
	case MCP_TASKS_UPDATE:
	case MCP_TASKS_CANCEL:
		m->name = json_get(j, m->params, SPAN("taskId"));
		if (!bounded_string(j, m->name, MCP_TASK_MAX))
			return bad_params(SPAN("params.taskId: must be a string of 1 to 640 bytes"));
		if (m->method == MCP_TASKS_UPDATE && json_type(j, json_get(j, m->params, SPAN("inputResponses"))) != JSON_OBJECT)
			return bad_params(SPAN("params.inputResponses: missing or not an object"));
		break;
	default:
		break;
	}
	return fine;
}

struct mcp_fault mcp_reply_check(const struct mcp_message *m, const struct json *j, enum mcp_method method)
{
	if (m->kind == MCP_ERROR) {
		int64_t code;
		if (json_type(j, m->error) != JSON_OBJECT || !json_int(j, json_get(j, m->error, SPAN("code")), &code) ||
		    json_get(j, m->error, SPAN("message")) == JSON_NONE ||
		    json_type(j, json_get(j, m->error, SPAN("message"))) != JSON_STRING)
			return malformed(SPAN("error: must be {\"code\": integer, \"message\": string}"));
		if (json_has_folded(j, m->error, error_names, COUNT(error_names)))
			return malformed(SPAN("error: a member differs from a known one only by case or folding"));
		return fine;
	}
	if (m->kind != MCP_RESULT || json_type(j, m->result) != JSON_OBJECT)
		return malformed(SPAN("result: must be an object"));
	if (json_has_folded(j, m->result, result_names, COUNT(result_names)))
		return malformed(SPAN("result: a member differs from a known one only by case or folding"));
	uint32_t type = json_get(j, m->result, SPAN("resultType"));
	if (type == JSON_NONE || json_is(j, type, SPAN("complete")))
		return fine;
	if (json_is(j, type, SPAN("input_required")) &&
	    (method == MCP_TOOLS_CALL || method == MCP_PROMPTS_GET || method == MCP_RESOURCES_READ))
		return fine;
	if (json_is(j, type, SPAN("task")) && method == MCP_TOOLS_CALL && bounded_string(j, json_get(j, m->result, SPAN("taskId")), MCP_TASK_MAX))
		return fine;
	return malformed(SPAN("result.resultType: not one that this method may have"));
}

struct mcp_fault mcp_event_check(const struct mcp_message *m, const struct json *j)
{
	if (m->kind != MCP_NOTIFICATION)
		return malformed(SPAN("a request from a server"));
	if (m->method < MCP_PROGRESS || m->method > MCP_TASK_STATUS)
		return malformed(SPAN("a notification that does not belong here"));
	if (m->params == JSON_NONE || json_type(j, m->params) != JSON_OBJECT)
		return malformed(SPAN("params: missing"));
	if (m->method >= MCP_ACKNOWLEDGED &&
	    !is_id(j, json_get(j, json_get(j, m->params, SPAN("_meta")), SPAN(MCP_META_SUBSCRIPTION))))
		return malformed(SPAN("params._meta: " MCP_META_SUBSCRIPTION " is missing"));
	return fine;
}
