/* May this caller use this name? The one place where that is decided before a call goes on; what is left out of lists, streams and the
 * discovery asks the same functions. A refused name is answered as an unknown one, and no upstream hears of it. */
#include "flow/listen.h"
#include "flow/step_run.h"

#define NOTHING span_of(NULL, 0)

/* Names that are URIs of resources; those of templates are compared as they are, by upstreams too. */
static bool are_uris(enum mcp_method m) { return m == MCP_RESOURCES_READ || m == MCP_RESOURCES_LIST || m == MCP_LISTEN; }

struct policy_answer rights_uri(const struct txn *t, const struct upstream *up, struct span name)
{
	const struct policy *p = &t->f->set->policy;
	struct policy_answer a = policy_decide(p, &t->who, up->prefix, name), usual = { .verdict = POLICY_DENIED };
	char mem[3 * MCP_URI_MAX]; /* if every byte is escaped */
	struct buf uri = buf_on(mem, sizeof(mem));

	if (a.verdict == POLICY_DENIED)
		return a;
	policy_usual_uri(&uri, name, up->set->kind == FLOW_BUILTIN);
	if (span_eq(buf_span(&uri), name))
		return a;
	if (!uri.full)
		usual = policy_decide(p, &t->who, up->prefix, buf_span(&uri));
	return usual.verdict == POLICY_ALLOWED ? a : usual;
}

struct policy_answer rights_use(const struct txn *t, const struct upstream *up, struct span name)
{
	return are_uris(t->msg.method) ? rights_uri(t, up, name) : policy_decide(&t->f->set->policy, &t->who, up->prefix, name);
}

bool rights_see(const struct txn *t, const struct upstream *up) { return policy_may_begin(&t->f->set->policy, &t->who, up->prefix); }

bool rights_see_all(const struct txn *t, const struct upstream *up) { return policy_allows_all(&t->f->set->policy, &t->who, up->prefix); }

bool rights_shared(const struct upstream *up) { return up->f->policy_same && !up->set->credential; }

enum step_end answer_scopes(struct txn *t, uint64_t scopes)
{
	struct mcp_fault fault = { MCP_INVALID_REQUEST, 403, SPAN("Insufficient scope: WWW-Authenticate says what this needs"), NOTHING, NOTHING };

	metrics_add(t->f->metrics, METRIC_SCOPE_CHALLENGES, 1);
	t->challenge = CHALLENGE_SCOPES;
	t->scopes = scopes;
	return answer_fault(t, &fault);
}

static enum step_end refuse(struct txn *t, bool allowed)
{
	if (!allowed)
		metrics_add(t->f->metrics, METRIC_POLICY_REFUSED, 1);
	return answer_unknown(t);
}

/* A name that this caller may use is asked for only if it is there: of one that is not the upstream would speak in its own words and its own
 * time, and what is refused could be told from it. So both go this way, and wait where the other would. */
static enum step_end judge_name(struct txn *t, struct upstream *up, bool allowed)
{
	struct flow *f = t->f;
	enum catalog_kind kind = t->msg.method == MCP_TOOLS_CALL ? CATALOG_TOOL : CATALOG_PROMPT;

	if (t->looked)
		timer_disarm(&f->timers, &t->timer);
	if (!catalog_ready(up)) {
		wait_for_catalog(t, up);
		return STEP_WAIT;
	}
	if (up->catalog_state != CATALOG_KNOWN) /* the same answer whatever the name is, so that a refused one cannot be told apart */
		return answer_unknown_upstream(t, 503, up->index);
	bool there = catalog_has_name(up->catalog, kind, t->name);
	if (allowed && (there || up->catalog->names_cut[kind]))
		return STEP_NEXT;
	if (!t->looked && catalog_renew(up)) { /* it may be new */
		t->looked = true;
		timer_arm(&f->timers, &t->timer, flow_now(f) + FLOW_NAMES_WAIT_MS);
		wait_for_catalog(t, up);
		return STEP_WAIT;
	}
	return refuse(t, allowed);
}

enum step_end step_policy(struct txn *t, int64_t now_ms)
{
	struct upstream *up = &t->f->up[t->server];
	(void)now_ms;

	switch (t->msg.method) {
	case MCP_TOOLS_LIST:
	case MCP_PROMPTS_LIST:
	case MCP_RESOURCES_LIST:
	case MCP_TEMPLATES_LIST:
		return rights_see(t, up) ? STEP_NEXT : answer_empty_list(t);
	case MCP_LISTEN: {
		uint64_t scopes = listen_scopes(t);
		return scopes != 0 ? answer_scopes(t, scopes) : STEP_NEXT;
	}
	default:
		break;
	}
	struct policy_answer a = { .verdict = POLICY_DENIED };
	if (!span_absent(t->name))
		a = rights_use(t, up, t->name);
	if (a.verdict == POLICY_SCOPES)
		return answer_scopes(t, a.scopes);
	bool allowed = a.verdict == POLICY_ALLOWED;
	/* A task has been made by a tool that was there; whether it still is, is nothing to the task. */
	bool named = t->msg.method != MCP_RESOURCES_READ && !t->msg.ref_is_resource && !mcp_method_is_task(t->msg.method);
	if (named && up->names && rights_see(t, up) && !rights_see_all(t, up))
		return judge_name(t, up, allowed);
	return allowed ? STEP_NEXT : refuse(t, false);
}
