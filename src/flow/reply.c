#include "flow/leg.h"
#include "flow/list.h"
#include "flow/listen.h"
#include "flow/retry.h"
#include "flow/task.h"

#define NOTHING span_of(NULL, 0)

enum { OLD_NOT_FOUND = -32002 /* "Resource not found" in revisions before ours, and in libraries that still say so */ };

static void say_502(struct txn *t, struct upstream *up, struct span what)
{
	if (answer_upstream(t, 502, up->set->name, what) == STEP_DROP)
		txn_cancel(t);
	else
		txn_goto(t, STEP_FLUSH);
}

static void broken(struct txn *t, struct upstream *up, struct span what)
{
	metrics_add(t->f->metrics, METRIC_UPSTREAM_FAULT_BROKEN, 1);
	say_502(t, up, what);
}

/* {"jsonrpc":"2.0","id":<the client's>,"result":<judged bytes>} as an answer or as the last event. */
static void pass(struct txn *t, struct upstream *up, unsigned status, struct span member, struct span value, const struct edits *s)
{
	struct flow *f = t->f;
	struct buf b;
	size_t bound = edit_size(value, s) + t->msg.id.n + 64;

	if (t->streaming)
		b = buf_on(f->scratch, f->scratch_cap);
	else if (!answer_room(t, bound, &b)) { /* not 503: the call has been made, and should not be made again at once */
		say_502(t, up, SPAN("answered, but no buffer is free for an answer of that size"));
		return;
	}
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, ",\"");
	buf_put(&b, member);
	BUF_LIT(&b, "\":");
	edit_write(&b, value, s);
	BUF_LIT(&b, "}");
	bool said;
	if (t->streaming)
		said = !b.full && stream_event(t, buf_span(&b)) && stream_end(t);
	else
		said = answer_send(t, status, &b, SPAN("application/json")) == STEP_ANSWER;
	if (said)
		txn_goto(t, STEP_FLUSH);
	else
		txn_cancel(t);
}

static bool is_by_uri(const struct txn *t)
{
	return t->msg.method == MCP_RESOURCES_READ || (t->msg.method == MCP_COMPLETE && t->msg.ref_is_resource);
}

/* A resource that this upstream does not know, or cannot be asked for, may be another's. */
static bool ask_next(struct txn *t, struct upstream *up, bool failed)
{
	if (t->f->set->plain || !is_by_uri(t) || t->retried || up->set->kind == FLOW_BUILTIN || t->streaming)
		return false;
	unsigned i = up->index + 1;
	for (; i < t->f->set->nservers; i++) {
		struct upstream *other = &t->f->up[i];
		if (other->set->kind != FLOW_BUILTIN && other->catalog_state == CATALOG_KNOWN && (other->catalog->caps & CATALOG_RESOURCES) &&
		    rights_use(t, other, t->name).verdict != POLICY_DENIED)
			break;
	}
	if (i == t->f->set->nservers && (failed || (t->scopes == 0 && t->missed == 0)))
		return false;
	if (failed && t->missed == 0)
		t->missed = (uint8_t)(up->index + 1);
	t->skip_to = (uint8_t)i; /* past the last server: it may be where this caller lacks the scopes, and that is then answered */
	txn_goto(t, STEP_ENVELOPE);
	return true;
}

/* A resource is as private as the list it stands in. */
static void resource_edits(struct txn *t, struct upstream *up, uint32_t result, struct edits *s)
{
	const struct json *j = &t->f->json;
	uint32_t scope = json_get(j, result, SPAN("cacheScope"));
	if (t->msg.method == MCP_RESOURCES_READ && scope != JSON_NONE && !list_shareable(t, up))
		edit_put(s, json_raw(j, scope).p, json_raw(j, scope).p + json_raw(j, scope).n, SPAN("\"private\""));
}

static unsigned status_of(int64_t code)
{
	switch (code) {
	case MCP_METHOD_NOT_FOUND:
		return 404;
	case MCP_HEADER_MISMATCH:
	case MCP_MISSING_CAPABILITY:
	case MCP_PARSE_ERROR:
	case MCP_INVALID_REQUEST:
		return 400;
	default:
		return 200;
	}
}

static void reply_error(struct txn *t, struct upstream *up, unsigned status, const struct mcp_message *m)
{
	const struct json *j = &t->f->json;
	struct edits none = { NULL, 0, 0, false };
	int64_t code = 0;

	(void)json_int(j, json_get(j, m->error, SPAN("code")), &code);
	if (code == MCP_UNSUPPORTED_VERSION) { /* we chose the version that it refused, not the client: so the client does not hear this code */
		broken(t, up, SPAN("does not speak MCP " MCP_VERSION));
		return;
	}
	if (code == MCP_INVALID_PARAMS && ask_next(t, up, false))
		return;
	if ((code == MCP_INVALID_PARAMS || code == OLD_NOT_FOUND) && is_by_uri(t) && !rights_see_all(t, up)) {
		t->unknown = true; /* the client's document is read again for what is said */
		txn_goto(t, STEP_ENVELOPE);
		return;
	}
	if (code == MCP_INVALID_PARAMS && (t->msg.method == MCP_TASKS_GET || t->msg.method == MCP_TASKS_CANCEL)) {
		t->unknown = true; /* as one that never was */
		txn_goto(t, STEP_ENVELOPE);
		return;
	}
	t->outcome = OUTCOME_ERROR;
	pass(t, up, status != 0 ? status : status_of(code), SPAN("error"), json_raw(j, m->error), &none);
}

void reply_answer(struct txn *t, struct upstream *up, unsigned status, const struct mcp_message *m)
{
	struct flow *f = t->f;
	struct list_edits x = { .s = { f->edits, 0, FLOW_EDITS, false } };

	if (t->listening) {
		listen_leg_over(t, up, m, NOTHING);
		return;
	}
	if (t->gather) {
		gather_answer(t, up, m);
		return;
	}
	if (m->kind == MCP_ERROR) {
		reply_error(t, up, status, m);
		return;
	}
	if (!span_absent(list_member(t->msg.method)) && !list_pass(t, up, m->result, &x)) {
		broken(t, up, SPAN("sent a list that cannot be shown: not a list, too many entries, or a cursor that leads where it was"));
		return;
	}
	if (span_absent(list_member(t->msg.method))) {
		hygiene_result(up, t->msg.method, m->result, &x.s);
		resource_edits(t, up, m->result, &x.s);
		list_completion(t, up, m->result, &x.s, x.server_mem);
		if (!retry_result(t, up, m->result, &x.s, x.cursor_mem)) {
			broken(t, up, SPAN("sent a requestState that is no text, or too long"));
			return;
		}
		if (!task_result(t, up, m->result, &x.s)) {
			broken(t, up, SPAN("sent a task where it may not, or another than it was asked for"));
			return;
		}
		if (x.s.full) {
			broken(t, up, SPAN("sent an answer with too many members of _meta that may not pass"));
			return;
		}
	}
	t->outcome = OUTCOME_RESULT;
	pass(t, up, 200, SPAN("result"), json_raw(&f->json, m->result), &x.s);
}

/* An event of a call's stream, for the client, under its own token. */
void reply_event(struct txn *t, struct leg *l, const struct mcp_message *m)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	struct edits s = { f->edits, 0, FLOW_EDITS, false };
	struct buf b = buf_on(f->scratch, f->scratch_cap);

	if (t->listening) {
		listen_event(t, l, m);
		return;
	}
	if (t->ended || t->gather) /* what is put together of several has no progress of one, and no log */
		return;
	if (m->method == MCP_PROGRESS && !span_absent(t->progress))
		edit_replace(&s, json_raw(j, json_get(j, m->params, SPAN("progressToken"))), t->progress);
	else if (m->method != MCP_MESSAGE || !t->log_asked)
		return; /* not asked for: not passed on */
	hygiene_event(l->up, m, &s);
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(&b, mcp_method_name(m->method));
	BUF_LIT(&b, "\",\"params\":");
	edit_write(&b, json_raw(j, m->params), &s);
	BUF_LIT(&b, "}");
	if (s.full || b.full || !stream_begin(t) || !stream_event(t, buf_span(&b))) { /* the client does not keep up: it is let go this turn */
		t->front->gone = true;
		list_append(&f->ready, &t->front->node);
	}
}

void reply_failed(struct txn *t, struct upstream *up, enum leg_fault fault, struct span detail)
{
	static const uint16_t status[] = {
		[LEG_CONNECT] = 503, [LEG_FULL] = 503, [LEG_LOST] = 502, [LEG_LATE] = 504, [LEG_BROKEN] = 502, [LEG_LARGE] = 502,
		[LEG_REFUSED] = 502, [LEG_BUSY] = 503, [LEG_TLS] = 502, [LEG_CREDENTIAL] = 502,
	};

	if (t->listening) {
		listen_leg_over(t, up, NULL, detail);
		return;
	}
	if (fault == LEG_LATE && !span_absent(list_member(t->msg.method)))
		up->slow = true;
	if (t->gather) {
		gather_failed(t, up, status[fault], detail);
		return;
	}
	if (ask_next(t, up, true))
		return;
	if (answer_upstream(t, status[fault], up->set->name, detail) == STEP_DROP)
		txn_cancel(t);
	else
		txn_goto(t, STEP_FLUSH);
}
