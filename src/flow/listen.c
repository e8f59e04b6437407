/* The stream of a subscription: its legs, what is said on it, and how lost legs come back. */
#include "flow/leg.h"
#include "flow/listen.h"
#include "flow/task.h"

#define NOTHING span_of(NULL, 0)

static unsigned unacknowledged(const struct txn *t)
{
	unsigned n = 0;
	for (const struct list *x = t->legs.next; x != &t->legs; x = x->next)
		n += !LIST_OWNER(x, struct leg, of_txn)->acked;
	return n;
}

static void drop_client(struct txn *t)
{
	t->front->gone = true;
	list_append(&t->f->ready, &t->front->node);
}

void listen_say(struct txn *t, struct buf *b)
{
	if (b->full || !stream_begin(t) || !stream_event(t, buf_span(b)))
		drop_client(t);
}

static void acknowledge(struct txn *t)
{
	struct flow *f = t->f;
	struct buf b = buf_on(f->scratch, f->scratch_cap);

	t->acked = true;
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{");
	listen_agreed(t, &b);
	BUF_LIT(&b, "},\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, "}}}");
	buffer_give(f, t->uris);
	t->uris = NULL;
	listen_say(t, &b);
}

/* Acknowledges once nobody is left to wait for. */
static void settle(struct txn *t)
{
	if (!t->acked && !t->sending && unacknowledged(t) == 0)
		acknowledge(t);
}

/* It will be listened to again: soon, and then less and less often, unless the last time went well for a while. */
static void lose(struct txn *t, const struct upstream *up)
{
	int64_t now = flow_now(t->f), wait;

	if (t->renewed_ms != 0 && now - t->renewed_ms >= FLOW_AGAIN_MAX_MS)
		t->again_tries = 0;
	t->lost |= upstream_bit(up);
	if (t->again.at_ms != 0)
		return;
	wait = (int64_t)FLOW_AGAIN_MS << t->again_tries;
	if (wait < FLOW_AGAIN_MAX_MS)
		t->again_tries++;
	wait += wait / 64 * (slots_index(&t->f->txns, t) % 16); /* not all in the same moment */
	timer_arm(&t->f->timers, &t->again, now + wait);
}

void listen_found(struct upstream *up)
{
	struct flow *f = up->f;
	for (struct list *n = f->listening.next; n != &f->listening; n = n->next) {
		struct txn *t = LIST_OWNER(n, struct txn, node);
		if (t->lost & upstream_bit(up))
			timer_arm(&f->timers, &t->again, flow_now(f));
	}
}

/* The question to one upstream; the json view holds the client's message. NULL: nothing is to be had there, or (*failed) no room for it. */
static struct leg *prepare(struct txn *t, struct upstream *up, struct buffer **request, bool *failed)
{
	struct flow *f = t->f;
	struct buf filter = buf_on(f->scratch, f->scratch_cap / 2);

	if (!listen_filter(t, up, &filter))
		return NULL;
	struct leg *l = filter.full ? NULL : leg_new(up, t, MCP_LISTEN);
	*request = l ? request_own(l, buf_span(&filter), json_raw(&f->json, t->msg.meta), &t->msg) : NULL;
	if (*request)
		return l;
	if (l)
		leg_free(l);
	*failed = true;
	return NULL;
}

void listen_again(struct timer *timer)
{
	struct txn *t = LIST_OWNER(timer, struct txn, again);
	struct flow *f = t->f;
	uint32_t lost = t->lost;

	if (t->ended || f->draining)
		return;
	t->lost = 0;
	for (unsigned i = 0; i < f->set->nservers; i++) {
		struct upstream *up = &f->up[i];
		struct buffer *request;
		bool failed = false;
		if (!(lost & upstream_bit(up)))
			continue;
		if (!catalog_ready(up) || up->catalog_state != CATALOG_KNOWN || !txn_reread(t)) {
			lose(t, up);
			continue;
		}
		struct leg *l = prepare(t, up, &request, &failed);
		if (l)
			leg_send(l, request); /* what fails at once is lost again */
		else if (failed)
			lose(t, up);
	}
}

static bool same_caller(const struct identity *a, const struct identity *b)
{
	return a->kind == b->kind && a->tenant == b->tenant && a->issuer == b->issuer && a->subject_n == b->subject_n &&
		memcmp(a->subject, b->subject, a->subject_n) == 0;
}

bool listen_is_full_for(const struct txn *t, bool old)
{
	const struct flow *f = t->f;
	uint32_t n = 0;

	if (t->who.kind == IDENTITY_ANONYMOUS || f->set->listens_each == 0)
		return false;
	for (const struct list *x = f->listening.next; x != &f->listening; x = x->next)
		n += LIST_OWNER(x, struct txn, node)->old == old && same_caller(&LIST_OWNER(x, struct txn, node)->who, &t->who);
	return n >= f->set->listens_each;
}

static enum step_end refuse_full(struct txn *t, struct span why)
{
	struct mcp_fault fault = { MCP_INTERNAL, 503, why, NOTHING, NOTHING };

	t->retry_after = true;
	metrics_add(t->f->metrics, METRIC_REFUSED_FULL, 1);
	return answer_fault(t, &fault);
}

/* Of a server that cannot be asked now we say ourselves that its lists may have changed, once it is back. */
static void promise(struct txn *t, const struct upstream *up)
{
	lose(t, up);
	t->changed |= t->asked;
}

/* Somebody has agreed to be listened to. */
static bool may_wait(const struct txn *t) { return t->acked || t->heard != 0; }

enum step_end listen_send(struct txn *t)
{
	struct flow *f = t->f;

	if (f->draining)
		return refuse_full(t, SPAN("Postern is being restarted; try again shortly"));
	if (f->listens + f->elder.streams >= f->set->listens)
		return refuse_full(t, SPAN("Too many subscriptions are open (memory.listens)"));
	if (listen_is_full_for(t, false))
		return refuse_full(t, SPAN("Too many subscriptions of this caller are open (memory.listens_per_caller)"));
	t->judged = !f->set->plain || !rights_see_all(t, &f->up[0]) || json_get(&f->json, t->msg.notifications, SPAN("taskIds")) != JSON_NONE;
	t->asked = listen_flags(&f->json, t->msg.notifications);
	t->listening = true;
	f->listens++;
	metrics_add(f->metrics, METRIC_LISTENS_OPEN, 1);
	list_append(&f->listening, &t->node);
	t->step = STEP_REPLY;
	t->sending = true;
	txn_watch_expiry(t);
	/* All messages first: sending one may bring an answer, and with it another document into the json view. */
	struct buffer *ready[FLOW_SERVERS_MAX];
	struct leg *legs[FLOW_SERVERS_MAX];
	unsigned n = 0, first = f->set->nservers;
	bool failed = false;
	for (unsigned i = 0; i < f->set->nservers && !failed; i++) {
		struct upstream *up = &f->up[i];
		if (t->judged && up->catalog_state != CATALOG_KNOWN && rights_see(t, up)) {
			promise(t, up);
			continue;
		}
		legs[n] = prepare(t, up, &ready[n], &failed);
		if (first == f->set->nservers && (legs[n] || failed))
			first = i;
		n += legs[n] != NULL;
	}
	if (failed) {
		for (unsigned i = 0; i < n; i++)
			buffer_give(f, ready[i]);
		while (!list_empty(&t->legs))
			leg_free(LIST_OWNER(t->legs.next, struct leg, of_txn));
		return answer_upstream(t, 503, f->set->servers[first].name, SPAN("cannot be asked: Postern is at its limit of calls or buffers"));
	}
	for (unsigned i = 0; i < n; i++)
		leg_send(legs[i], ready[i]);
	t->sending = false;
	if (list_empty(&t->legs) && n > 0 && !may_wait(t)) {
		if (t->ended)
			return STEP_ANSWER;
		return answer_upstream(t, 502, f->set->servers[first].name, SPAN("cannot be listened to"));
	}
	settle(t);
	if (!t->acked && t->judged)
		timer_arm(&f->timers, &t->timer, flow_now(f) + FLOW_ACK_MS);
	return STEP_WAIT;
}

void listen_late(struct txn *t) { acknowledge(t); }

static void say_changed(struct txn *t, enum mcp_method method, struct span uri)
{
	struct flow *f = t->f;
	struct buf b = buf_on(f->scratch, f->scratch_cap);

	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(&b, mcp_method_name(method));
	BUF_LIT(&b, "\",\"params\":{");
	if (!span_absent(uri)) {
		BUF_LIT(&b, "\"uri\":");
		buf_put(&b, uri);
		BUF_LIT(&b, ",");
	}
	BUF_LIT(&b, "\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, "}}}");
	listen_say(t, &b);
}

/* A lost upstream is listened to again. What it said in between is not known, so the client is told that everything may have changed. */
static void catch_up(struct txn *t, struct leg *l, const struct mcp_message *m)
{
	const struct json *j = &t->f->json;
	uint32_t agreed = json_get(j, m->params, SPAN("notifications"));
	uint32_t uris = json_get(j, agreed, SPAN("resourceSubscriptions"));

	t->renewed_ms = flow_now(t->f);
	l->up->catalog_stale = true;
	for (unsigned i = 0; i < LISTEN_FLAGS; i++)
		if (listen_flags(j, agreed) & t->changed & 1u << i)
			say_changed(t, listen_flag[i].says, NOTHING);
	if (!listen_hears(t, l->up, MCP_RESOURCE_UPDATED) || json_type(j, uris) != JSON_ARRAY)
		return;
	for (uint32_t u = json_first(j, uris); u != JSON_NONE; u = json_next(j, uris, u))
		if (listen_judge(t, l->up, u).verdict == POLICY_ALLOWED)
			say_changed(t, MCP_RESOURCE_UPDATED, json_raw(j, u));
}

void listen_event(struct txn *t, struct leg *l, const struct mcp_message *m)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	struct edits s = { f->edits, 0, FLOW_EDITS, false };
	struct buf b = buf_on(f->scratch, f->scratch_cap);

	if (t->ended || m->method < MCP_ACKNOWLEDGED)
		return; /* neither progress nor logs belong on a subscription */
	if (m->method == MCP_TOOLS_CHANGED || m->method == MCP_PROMPTS_CHANGED)
		l->up->catalog_stale = true;
	if (m->method == MCP_ACKNOWLEDGED) {
		if (l->acked)
			return;
		l->acked = true;
		leg_touch(l);
		if (t->judged && t->acked) {
			catch_up(t, l, m);
			return;
		}
		if (t->judged) {
			t->heard |= upstream_bit(l->up);
			listen_merge(t, l->up, m);
			task_heard(t, l->up, m);
			settle(t);
			return;
		}
		t->acked = true;
	} else if (!l->acked || !t->acked) {
		return; /* before its acknowledgement a client is not subscribed */
	}
	if (!listen_hears(t, l->up, m->method))
		return;
	if (m->method == MCP_TASK_STATUS) {
		task_event(t, l->up, m);
		return;
	}
	if (t->judged && m->method == MCP_RESOURCE_UPDATED && listen_judge(t, l->up, json_get(j, m->params, SPAN("uri"))).verdict != POLICY_ALLOWED)
		return;
	edit_replace(&s, json_raw(j, json_get(j, json_get(j, m->params, SPAN("_meta")), SPAN(MCP_META_SUBSCRIPTION))), t->msg.id);
	hygiene_event(l->up, m, &s);
	if (s.full)
		return; /* too much of it may not pass (FLOW_EDITS): it is dropped */
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(&b, mcp_method_name(m->method));
	BUF_LIT(&b, "\",\"params\":");
	edit_write(&b, json_raw(j, m->params), &s);
	BUF_LIT(&b, "}");
	listen_say(t, &b);
}

void listen_finish(struct txn *t)
{
	struct flow *f = t->f;
	struct buf b = buf_on(f->scratch, f->scratch_cap);

	if (t->ended)
		return;
	if (t->old) {
		elder_finish(t);
		return;
	}
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, ",\"result\":{\"resultType\":\"complete\",\"_meta\":{\"" MCP_META_SUBSCRIPTION "\":");
	buf_put(&b, t->msg.id);
	BUF_LIT(&b, "}}}");
	t->outcome = OUTCOME_RESULT;
	if (b.full || !stream_begin(t) || !stream_event(t, buf_span(&b)) || !stream_end(t)) {
		drop_client(t);
		return;
	}
	txn_goto(t, STEP_FLUSH);
}

/* It refuses to be listened to, so it is not asked again. */
static bool refuses(const struct txn *t, const struct mcp_message *m)
{
	const struct json *j = &t->f->json;
	int64_t code = 0;

	return m && m->kind == MCP_ERROR && json_int(j, json_get(j, m->error, SPAN("code")), &code) &&
		(code == MCP_METHOD_NOT_FOUND || code == MCP_INVALID_PARAMS);
}

void listen_leg_over(struct txn *t, struct upstream *up, const struct mcp_message *m, struct span why)
{
	struct flow *f = t->f;
	bool error = m && m->kind == MCP_ERROR;

	if (t->ended)
		return;
	if (t->judged && !f->draining && !refuses(t, m))
		lose(t, up);
	if (!list_empty(&t->legs) || t->sending || (may_wait(t) && t->lost != 0)) { /* others are still heard, or will be again: the stream stays open */
		if (!t->sending)
			settle(t);
		if (!t->sending || f->set->nservers > 1)
			return;
	}
	if (m && !error) {
		listen_finish(t);
		return;
	}
	if (error && !t->streaming) { /* the upstream refused to be listened to: in its own words */
		struct mcp_fault fault = { 0, 0, NOTHING, NOTHING, NOTHING };
		int64_t code = MCP_INTERNAL;
		char text[256];
		struct buf words = buf_on(text, sizeof(text));
		(void)json_int(&f->json, json_get(&f->json, m->error, SPAN("code")), &code);
		json_text(&f->json, json_get(&f->json, m->error, SPAN("message")), &words);
		fault.code = (int)code;
		fault.status = code == MCP_METHOD_NOT_FOUND ? 404 : code <= MCP_HEADER_MISMATCH && code > -32100 ? 400 : 200;
		fault.text = words.full || words.n == 0 ? SPAN("The upstream refused the subscription") : buf_span(&words);
		if (answer_fault(t, &fault) == STEP_DROP)
			t->close = true;
	} else if (answer_upstream(t, 502, up->set->name, error ? SPAN("ended the subscription with an error") : why) == STEP_DROP) {
		t->close = true;
	}
	if (!t->sending)
		txn_goto(t, STEP_FLUSH);
}
