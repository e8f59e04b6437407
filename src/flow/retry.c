#include "flow/retry.h"
#include "gate/request_state.h"

static bool has_rounds(enum mcp_method m) { return m == MCP_TOOLS_CALL || m == MCP_PROMPTS_GET || m == MCP_RESOURCES_READ; }

static struct request_of request_of(const struct txn *t) { return (struct request_of){ t->msg.method, t->called, t->arguments }; }

bool retry_result(struct txn *t, struct upstream *up, uint32_t result, struct edits *s, char *head_mem)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t token = has_rounds(t->msg.method) ? json_get(j, result, SPAN("requestState")) : JSON_NONE;
	struct buf state = buf_on(f->scratch, f->scratch_cap), head = buf_on(head_mem, REQUEST_STATE_HEAD);
	struct request_of of = request_of(t);
	uint8_t key[SEAL_KEY];

	if (json_type(j, token) == JSON_NO_TYPE || json_type(j, token) == JSON_NULL) /* some write out what is not there */
		return true;
	json_text(j, token, &state);
	if (json_type(j, token) != JSON_STRING || state.full)
		return false;
	route_caller_key(t, key);
	request_state_seal(&head, key, up->index, up->set->name, &of, buf_span(&state), flow_unix(f) + RETRY_MS);
	edit_put(s, json_inner(j, token).p, json_inner(j, token).p, buf_span(&head));
	return !head.full;
}

enum step_end retry_route(struct txn *t)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t token = has_rounds(t->msg.method) ? json_get(j, t->msg.params, SPAN("requestState")) : JSON_NONE;
	struct span raw = json_inner(j, token), names[FLOW_SERVERS_MAX];
	struct buf text = buf_on(f->scratch, f->scratch_cap);
	struct request_of of = request_of(t);
	uint8_t key[SEAL_KEY];
	unsigned server = 0;

	t->retried = json_type(j, token) != JSON_NO_TYPE && json_type(j, token) != JSON_NULL;
	if (!t->retried)
		return STEP_NEXT;
	route_names(f, names);
	json_text(j, token, &text);
	route_caller_key(t, key);
	/* The head is taken away as it stands: one with escapes in it is none. */
	if (span_absent(raw) || text.full || raw.n < REQUEST_STATE_HEAD || !span_starts(buf_span(&text), span_of(raw.p, REQUEST_STATE_HEAD)) ||
	    !request_state_open(buf_span(&text), key, names, f->set->nservers, &of, flow_unix(f), &server)) {
		struct mcp_fault fault = { MCP_INVALID_PARAMS, 200, SPAN("params.requestState: not one that was given out for this request, or no longer good; begin the call again"),
			{ NULL, 0 }, { NULL, 0 } };
		return answer_fault(t, &fault);
	}
	t->server = (uint8_t)server;
	return STEP_NEXT;
}

void retry_edits(const struct txn *t, struct edits *s)
{
	struct span raw = json_inner(&t->f->json, json_get(&t->f->json, t->msg.params, SPAN("requestState")));

	if (t->retried)
		edit_put(s, raw.p, raw.p + REQUEST_STATE_HEAD, SPAN(""));
}
