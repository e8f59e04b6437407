/* What a listen is for: the client's filter, divided among the upstreams, and what they agree to, put together again. */
#include "flow/listen.h"
#include "flow/task.h"

const struct listen_flag listen_flag[LISTEN_FLAGS] = {
	{ { "toolsListChanged", 16 }, CATALOG_TOOLS_CHANGED, MCP_TOOLS_CHANGED },
	{ { "promptsListChanged", 18 }, CATALOG_PROMPTS_CHANGED, MCP_PROMPTS_CHANGED },
	{ { "resourcesListChanged", 20 }, CATALOG_RESOURCES_CHANGED, MCP_RESOURCES_CHANGED },
};

uint8_t listen_flags(const struct json *j, uint32_t filter)
{
	unsigned set = 0;
	for (unsigned i = 0; i < LISTEN_FLAGS; i++)
		set |= (json_type(j, json_get(j, filter, listen_flag[i].name)) == JSON_TRUE) * 1u << i;
	return (uint8_t)set;
}

struct policy_answer listen_judge(struct txn *t, struct upstream *up, uint32_t token)
{
	struct policy_answer no = { .verdict = POLICY_DENIED };
	char mem[MCP_URI_MAX];
	struct buf uri = buf_on(mem, sizeof(mem));

	if (json_type(&t->f->json, token) != JSON_STRING)
		return no;
	json_text(&t->f->json, token, &uri);
	if (uri.full || (!t->f->set->plain && !route_serves_uri(up->set, buf_span(&uri))))
		return no;
	return rights_use(t, up, buf_span(&uri));
}

uint64_t listen_scopes(struct txn *t)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t uris = json_get(j, t->msg.notifications, SPAN("resourceSubscriptions"));
	uint64_t all = 0;

	if (json_type(j, uris) != JSON_ARRAY)
		return 0;
	for (uint32_t u = json_first(j, uris); u != JSON_NONE; u = json_next(j, uris, u)) {
		uint64_t wanted = 0;
		for (unsigned i = 0; i < f->set->nservers; i++) {
			struct policy_answer a = listen_judge(t, &f->up[i], u);
			if (a.verdict == POLICY_ALLOWED) {
				wanted = 0;
				break;
			}
			if (a.verdict == POLICY_SCOPES)
				wanted |= wanted == 0 ? a.scopes : 0;
		}
		all |= wanted;
	}
	return all;
}

bool listen_filter(struct txn *t, struct upstream *up, struct buf *b)
{
	const struct json *j = &t->f->json;
	uint32_t asked = t->msg.notifications;
	bool any = false;

	if (!rights_see(t, up))
		return false;
	BUF_LIT(b, "\"notifications\":");
	if (!t->judged) {
		buf_put(b, json_raw(j, asked));
		BUF_LIT(b, ",");
		return true;
	}
	if (up->catalog_state != CATALOG_KNOWN)
		return false;
	BUF_LIT(b, "{");
	for (unsigned i = 0; i < LISTEN_FLAGS; i++)
		if ((t->asked >> i & 1) && (up->catalog->caps & listen_flag[i].cap)) {
			buf_put(b, any ? SPAN(",\"") : SPAN("\""));
			buf_put(b, listen_flag[i].name);
			BUF_LIT(b, "\":true");
			any = true;
		}
	uint32_t uris = json_get(j, asked, SPAN("resourceSubscriptions"));
	if ((up->catalog->caps & CATALOG_SUBSCRIBE) && json_type(j, uris) == JSON_ARRAY) {
		bool first = true;
		for (uint32_t u = json_first(j, uris); u != JSON_NONE; u = json_next(j, uris, u)) {
			if (listen_judge(t, up, u).verdict != POLICY_ALLOWED)
				continue;
			buf_put(b, first ? any ? SPAN(",\"resourceSubscriptions\":[") : SPAN("\"resourceSubscriptions\":[") : SPAN(","));
			buf_put(b, json_raw(j, u));
			first = false;
		}
		if (!first)
			BUF_LIT(b, "]");
		any = any || !first;
	}
	any = task_filter(t, up, b, any);
	BUF_LIT(b, "},");
	return any;
}

void listen_agreed(struct txn *t, struct buf *b)
{
	bool any = false;

	for (unsigned i = 0; i < LISTEN_FLAGS; i++)
		if (t->changed >> i & 1) {
			buf_put(b, any ? SPAN(",\"") : SPAN("\""));
			buf_put(b, listen_flag[i].name);
			BUF_LIT(b, "\":true");
			any = true;
		}
	if (t->uris && t->uris->n > 0) {
		buf_put(b, any ? SPAN(",\"resourceSubscriptions\":[") : SPAN("\"resourceSubscriptions\":["));
		buf_put(b, span_of(t->uris->p, t->uris->n));
		BUF_LIT(b, "]");
		any = true;
	}
	task_acknowledge(t, b, any);
}

void listen_merge(struct txn *t, struct upstream *up, const struct mcp_message *m)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	uint32_t agreed = json_get(j, m->params, SPAN("notifications"));

	t->changed |= (uint8_t)(listen_flags(j, agreed) & t->asked);
	uint32_t uris = json_get(j, agreed, SPAN("resourceSubscriptions"));
	if (json_type(j, uris) != JSON_ARRAY || json_size(j, uris) == 0)
		return;
	if (!t->uris && !(t->uris = buffer_take(f, MCP_URIS_MAX * 64)))
		return;
	for (uint32_t u = json_first(j, uris); u != JSON_NONE; u = json_next(j, uris, u)) {
		if (listen_judge(t, up, u).verdict != POLICY_ALLOWED) /* not asked for, then */
			continue;
		struct buf b = buf_on(t->uris->p + t->uris->n, t->uris->cap - t->uris->n);
		if (t->uris->n > 0)
			BUF_LIT(&b, ",");
		buf_put(&b, json_raw(j, u));
		if (!b.full) /* what does not fit is not acknowledged, and so not promised */
			t->uris->n += (uint32_t)b.n;
	}
}

bool listen_hears(const struct txn *t, const struct upstream *up, enum mcp_method method)
{
	for (unsigned i = 0; i < LISTEN_FLAGS; i++)
		if (listen_flag[i].says == method)
			return (t->judged ? t->changed : t->asked) >> i & 1;
	return method != MCP_RESOURCE_UPDATED || !t->judged || (t->heard & upstream_bit(up));
}
