/* Tasks (mcp.md 9, 15.1): an upstream that makes one answers a call with its id, and the client asks for it under that. What the client has is sealed for it
 * (gate/task_id.h) and says where the task is and which tool made it: that tool's rules apply to it as long as it lives. */
#include "flow/listen.h"
#include "flow/step_run.h"
#include "flow/task.h"
#include "gate/task_id.h"
#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

enum step_end task_gate(struct txn *t)
{
	struct flow *f = t->f;
	bool any = false;

	for (unsigned i = 0; i < f->set->nservers && !any; i++) {
		struct upstream *up = &f->up[i];
		if (!rights_see(t, up))
			continue;
		if (route_waits(t, up))
			return STEP_WAIT;
		/* Of one that cannot be asked nobody knows: the id says whose it is. */
		any = up->catalog_state != CATALOG_KNOWN || (up->catalog->caps & CATALOG_TASKS);
	}
	timer_disarm(&f->timers, &t->timer);
	if (any)
		return STEP_NEXT;
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

enum step_end task_route(struct txn *t)
{
	struct buf rest = buf_on(t->names + t->called.n, sizeof(t->names) - t->called.n);
	struct span names[FLOW_SERVERS_MAX];
	uint8_t key[SEAL_KEY];
	unsigned server, n = t->f->set->nservers;

	route_names(t->f, names);
	route_caller_key(t, key);
	t->name = NOTHING;
	if (!task_id_open(t->called, key, names, n, &server, &rest, &t->name, &t->task) || (t->f->up[server].catalog_state == CATALOG_KNOWN &&
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
	uint8_t key[SEAL_KEY];

	if (!t->tasks || (up->catalog_state == CATALOG_KNOWN && !(up->catalog->caps & CATALOG_TASKS)))
		return false;
	json_text(&t->f->json, json_get(&t->f->json, result, SPAN("taskId")), &inner);
	if (inner.full)
		return false;
	route_caller_key(t, key);
	task_id_seal(&text, key, up->index, up->set->name, t->name, buf_span(&inner));
	return !text.full && replace(t, result, buf_span(&text), s);
}

/* What a task that is over brings with it. */
static void inside(const struct upstream *up, uint32_t task, struct edits *s)
{
	uint32_t result = json_get(&up->f->json, task, SPAN("result"));

	if (json_type(&up->f->json, result) == JSON_OBJECT)
		hygiene_result(up, MCP_TOOLS_CALL, result, s);
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
	inside(up, result, s);
	return replace(t, result, t->called, s); /* one that opened needs no escape */
}

/* ---- tasks that are listened to ---- */

struct heard {
	char mem[MCP_NAME_MAX + TASK_ID_INNER_MAX];
	struct span inner; /* in mem */
};

/* Is this id of the client's filter one of a task there that this caller may ask for? */
static bool hears(struct txn *t, const struct upstream *up, uint32_t token, struct heard *h)
{
	char mem[MCP_TASK_MAX];
	struct buf text = buf_on(mem, sizeof(mem)), out = buf_on(h->mem, sizeof(h->mem));
	uint8_t key[SEAL_KEY];
	struct span tool;
	unsigned server;

	if (up->catalog_state != CATALOG_KNOWN || !(up->catalog->caps & CATALOG_TASKS))
		return false;
	json_text(&t->f->json, token, &text);
	route_caller_key(t, key); /* one server is tried for one id: a filter full of forged ones is asked about at each */
	return !text.full && task_id_open(buf_span(&text), key, &up->set->name, 1, &server, &out, &tool, &h->inner) &&
		policy_decide(&t->f->set->policy, &t->who, up->prefix, tool).verdict == POLICY_ALLOWED;
}

static uint32_t first_id(const struct txn *t)
{
	uint32_t ids = json_get(&t->f->json, t->msg.notifications, SPAN("taskIds"));

	return json_type(&t->f->json, ids) == JSON_ARRAY ? json_first(&t->f->json, ids) : JSON_NONE;
}

static uint32_t next_id(const struct txn *t, uint32_t id)
{
	return json_next(&t->f->json, json_get(&t->f->json, t->msg.notifications, SPAN("taskIds")), id);
}

/* One more of the list. */
static void put_id(struct buf *b, bool *open, bool any)
{
	buf_put(b, *open ? SPAN(",") : any ? SPAN(",\"taskIds\":[") : SPAN("\"taskIds\":["));
	*open = true;
}

bool task_filter(struct txn *t, struct upstream *up, struct buf *b, bool any)
{
	struct heard h;
	bool open = false;

	for (uint32_t id = first_id(t); id != JSON_NONE; id = next_id(t, id))
		if (hears(t, up, id, &h)) {
			put_id(b, &open, any);
			json_write_string(b, h.inner);
		}
	if (open)
		BUF_LIT(b, "]");
	return any || open;
}

void task_acknowledge(struct txn *t, struct buf *b, bool any)
{
	bool open = false;
	unsigned k = 0;

	if (t->tasks_heard == 0 || !txn_reread(t))
		return;
	for (uint32_t id = first_id(t); id != JSON_NONE; id = next_id(t, id), k++)
		if (t->tasks_heard >> k & 1) {
			put_id(b, &open, any);
			buf_put(b, json_raw(&t->f->json, id));
		}
	BUF_LIT(b, "]");
}

void task_heard(struct txn *t, struct upstream *up, const struct mcp_message *m)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t ids = json_get(j, json_get(j, m->params, SPAN("notifications")), SPAN("taskIds"));
	struct buf agreed = buf_on(f->scratch, f->scratch_cap); /* each ends with a NUL, which an id may hold, but then it is not found */
	struct heard h;
	unsigned k = 0;

	if (json_type(j, ids) != JSON_ARRAY || json_size(j, ids) > MCP_URIS_MAX)
		return;
	for (uint32_t id = json_first(j, ids); id != JSON_NONE; id = json_next(j, ids, id)) {
		json_text(j, id, &agreed);
		buf_char(&agreed, 0);
	}
	if (agreed.full || !txn_reread(t))
		return;
	for (uint32_t id = first_id(t); id != JSON_NONE; id = next_id(t, id), k++) {
		if (!hears(t, up, id, &h))
			continue;
		for (struct span rest = buf_span(&agreed); rest.n > 0;) {
			struct span one = span_of(rest.p, (size_t)((const char *)memchr(rest.p, 0, rest.n) - rest.p));
			if (span_eq(one, h.inner))
				t->tasks_heard |= UINT64_C(1) << k;
			rest = span_from(rest, one.n + 1);
		}
	}
}

/* The id as the client has it, raw and without quotes; absent: it is not told of this task. */
static struct span told_as(struct txn *t, const struct upstream *up, struct span inner)
{
	struct heard h;
	unsigned k = 0;

	if (t->tasks_heard == 0 || !txn_reread(t))
		return NOTHING;
	for (uint32_t id = first_id(t); id != JSON_NONE; id = next_id(t, id), k++)
		if ((t->tasks_heard >> k & 1) && hears(t, up, id, &h) && span_eq(h.inner, inner))
			return json_inner(&t->f->json, id); /* in the client's message, which stays */
	return NOTHING;
}

void task_event(struct txn *t, struct upstream *up, const struct mcp_message *m)
{
	struct flow *f = t->f;
	struct json *j = &f->json;
	struct span params = json_raw(j, m->params), subscription;
	char mem[TASK_ID_INNER_MAX];
	struct buf inner = buf_on(mem, sizeof(mem)), b = buf_on(f->scratch, f->scratch_cap);
	struct edits s = { f->edits, 0, FLOW_EDITS, false };
	size_t where;

	json_text(j, json_get(j, m->params, SPAN("taskId")), &inner);
	struct span id = inner.full || inner.n == 0 ? NOTHING : told_as(t, up, buf_span(&inner));
	if (span_absent(id) || json_read(j, f->table, params, &where) != JSON_OK) /* as the document it is now */
		return;
	subscription = json_raw(j, json_get(j, json_get(j, JSON_ROOT, SPAN("_meta")), SPAN(MCP_META_SUBSCRIPTION)));
	edit_put(&s, subscription.p, subscription.p + subscription.n, t->msg.id);
	hygiene_result(up, MCP_TASKS_GET, JSON_ROOT, &s);
	inside(up, JSON_ROOT, &s);
	if (!replace(t, JSON_ROOT, id, &s))
		return;
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":");
	edit_write(&b, params, &s);
	BUF_LIT(&b, "}");
	listen_say(t, &b);
}
