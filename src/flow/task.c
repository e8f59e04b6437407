/* Tasks (mcp.md 9, 15.1): an upstream that makes one answers a call with its id, and the client asks for it under that. What the client has is sealed for it
 * (gate/task_id.h) and says where the task is and which tool made it: that tool's rules apply to it as long as it lives. */
#include "flow/step_run.h"
#include "gate/task_id.h"
#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

/* Other than with the tenant's cursors, another caller of the tenant is another. */
static void key_of(const struct txn *t, uint8_t key[TASK_ID_KEY])
{
	const struct auth_rules *a = &t->f->set->auth;
	const struct identity *who = &t->who;
	char kind = (char)('0' + who->kind);
	struct span tenant = who->tenant < a->tenants.n ? a->tenants.name[who->tenant] : SPAN("");
	struct span issuer = who->kind == IDENTITY_TOKEN && who->issuer < a->nissuers ? a->issuers[who->issuer].issuer : SPAN("");
	const struct span parts[] = { SPAN("postern task key 1\0"), { &kind, 1 }, tenant, SPAN("\0"), issuer, SPAN("\0"), { who->subject, who->subject_n } };

	crypto_hmac_sha256(t->f->set->seed + 32, TASK_ID_KEY, parts, sizeof(parts) / sizeof(parts[0]), key);
}

enum step_end task_gate(struct txn *t)
{
	struct flow *f = t->f;

	for (unsigned i = 0; i < f->set->nservers; i++) {
		struct upstream *up = &f->up[i];
		if (!rights_see(t, up))
			continue;
		if (!catalog_ready(up)) {
			wait_for_catalog(t, up);
			return STEP_WAIT;
		}
		if (up->catalog_state == CATALOG_KNOWN && (up->catalog->caps & CATALOG_TASKS))
			return STEP_NEXT;
	}
	struct mcp_fault fault = { MCP_METHOD_NOT_FOUND, 404, SPAN("Method not found"), t->msg.method_text, NOTHING };
	return answer_fault(t, &fault);
}

struct mcp_fault task_declared(struct txn *t)
{
	const struct json *j = &t->f->json;
	const struct mcp_message *m = &t->msg;
	bool needs = mcp_method_is_task(m->method) || (m->method == MCP_LISTEN && json_get(j, m->notifications, SPAN("taskIds")) != JSON_NONE);

	t->tasks = (needs || m->method == MCP_TOOLS_CALL) && mcp_request_has_tasks(m, j);
	if (needs && !t->tasks)
		return (struct mcp_fault){ MCP_MISSING_CAPABILITY, 400, SPAN("params._meta: the client's capabilities do not have the extension for tasks"), NOTHING,
			SPAN("{\"requiredCapabilities\":{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}}") };
	return (struct mcp_fault){ 0, 0, NOTHING, NOTHING, NOTHING };
}

/* Opens an id of this caller's. `out`: where the tool's name and the inner id come to stand. */
static bool open_id(struct txn *t, struct span text, struct buf *out, unsigned *server, struct span *tool, struct span *inner)
{
	struct flow *f = t->f;
	struct span names[FLOW_SERVERS_MAX];
	uint8_t key[TASK_ID_KEY];

	for (unsigned i = 0; i < f->set->nservers; i++)
		names[i] = f->set->servers[i].name;
	key_of(t, key);
	return task_id_open(text, key, names, f->set->nservers, server, out, tool, inner);
}

enum step_end task_route(struct txn *t)
{
	struct buf rest = buf_on(t->names + t->called.n, sizeof(t->names) - t->called.n);
	unsigned server;

	t->name = NOTHING;
	if (!open_id(t, t->called, &rest, &server, &t->name, &t->task) || (t->f->up[server].catalog_state == CATALOG_KNOWN &&
	    !(t->f->up[server].catalog->caps & CATALOG_TASKS)))
		return answer_unknown(t);
	t->server = (uint8_t)server;
	return STEP_NEXT;
}

/* Puts another id in the place of the upstream's own. `text` has to live until the edits are written. */
static bool replace(struct txn *t, uint32_t object, struct span text, struct edits *s)
{
	uint32_t token = json_get(&t->f->json, object, SPAN("taskId"));
	struct span at = json_inner(&t->f->json, token);

	if (span_absent(at))
		return false;
	edit_put(s, at.p, at.p + at.n, text);
	return !s->full;
}

/* A call has become a task. */
static bool made(struct txn *t, struct upstream *up, uint32_t result, struct edits *s)
{
	char mem[TASK_ID_INNER_MAX];
	struct buf inner = buf_on(mem, sizeof(mem)), text = buf_on(t->task_text, sizeof(t->task_text));
	uint8_t key[TASK_ID_KEY];

	if (!t->tasks || (up->catalog_state == CATALOG_KNOWN && !(up->catalog->caps & CATALOG_TASKS)))
		return false;
	json_text(&t->f->json, json_get(&t->f->json, result, SPAN("taskId")), &inner);
	if (inner.full)
		return false;
	key_of(t, key);
	task_id_seal(&text, key, up->index, up->set->name, t->name, buf_span(&inner));
	return !text.full && replace(t, result, buf_span(&text), s);
}

bool task_result(struct txn *t, struct upstream *up, uint32_t result, struct edits *s)
{
	const struct json *j = &t->f->json;
	uint32_t id = json_get(j, result, SPAN("taskId"));

	if (t->msg.method == MCP_TOOLS_CALL)
		return !json_is(j, json_get(j, result, SPAN("resultType")), SPAN("task")) || made(t, up, result, s);
	if (!mcp_method_is_task(t->msg.method))
		return true;
	if (id == JSON_NONE) /* an acknowledgement */
		return t->msg.method != MCP_TASKS_GET;
	if (!json_is(j, id, t->task))
		return false;
	uint32_t inside = json_get(j, result, SPAN("result"));
	if (json_type(j, inside) == JSON_OBJECT)
		hygiene_result(up, MCP_TOOLS_CALL, inside, s);
	return replace(t, result, t->called, s); /* one that opened needs no escape */
}
