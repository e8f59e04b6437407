#include "base/text.h"
#include "flow/flow_priv.h"
#include "flow/leg.h"

#define NOTHING span_of(NULL, 0)

static void leg_timeout(struct timer *timer)
{
	struct leg *l = LIST_OWNER(timer, struct leg, timer);
	if (l->request)
		leg_failed(l, LEG_CREDENTIAL, SPAN("cannot be asked: its credential did not come in time"));
	else
		leg_failed(l, LEG_LATE, SPAN("did not answer in time"));
}

struct leg *leg_new(struct upstream *up, struct txn *t, enum mcp_method method)
{
	struct flow *f = up->f;
	struct leg *l = slots_take(&f->legs);
	if (!l)
		return NULL;
	*l = (struct leg){ .f = f, .up = up, .txn = t, .method = method, .generation = ++f->leg_generation,
		.tenant = t ? t->who.tenant : FLOW_NO_TENANT, .by_line = upstream_by_line(up) && !(up->probing && !t) };
	list_init(&l->of_txn);
	list_init(&l->of_up);
	timer_init(&l->timer, leg_timeout);
	list_append(&up->legs, &l->of_up);
	if (t)
		list_append(&t->legs, &l->of_txn);
	if (method != MCP_LISTEN)
		l->total_until_ms = flow_now(f) + up->set->call_ms;
	return l;
}

uint64_t leg_id(const struct leg *l) { return slots_id(&l->f->legs, l, l->generation); }

struct leg *leg_of_call(struct flow *f, uint64_t id)
{
	struct leg *l = slots_of_id(&f->legs, id);
	return l && l->up && leg_id(l) == id && !list_empty(&l->of_up) ? l : NULL;
}

/* `only` NULL: the message came by line, so the leg must travel by line too. */
static struct leg *leg_by_id(struct upstream *up, struct span id, const struct leg *only)
{
	uint64_t v;
	struct leg *l = text_u64(id, &v) ? leg_of_call(up->f, v) : NULL;
	return l && l->up == up && (only || l->by_line) ? l : NULL;
}

void leg_touch(struct leg *l)
{
	int64_t at = flow_now(l->f) + l->up->set->idle_ms;
	if (l->method == MCP_LISTEN && l->acked) {
		timer_disarm(&l->f->timers, &l->timer); /* a quiet subscription is not a late one */
		return;
	}
	if (l->total_until_ms != 0 && l->total_until_ms < at)
		at = l->total_until_ms;
	timer_arm(&l->f->timers, &l->timer, at);
}

void leg_free(struct leg *l)
{
	struct flow *f = l->f;
	timer_disarm(&f->timers, &l->timer);
	list_remove(&l->of_txn);
	list_remove(&l->of_up);
	if (l->ahead)
		f->ahead--;
	if (l->link)
		link_detach(l->link);
	buffer_give(f, l->request);
	if (l->up->catalog_leg == l)
		l->up->catalog_leg = NULL;
	l->up = NULL;
	slots_give(&f->legs, l);
}

void leg_send(struct leg *l, struct buffer *request)
{
	if (!l->by_line && l->up->set->credential)
		credential_ask(l, request); /* and goes on when it is there */
	else
		leg_dispatch(l, request);
}

void leg_dispatch(struct leg *l, struct buffer *request)
{
	enum leg_fault fault = LEG_LOST;
	bool sent;

	leg_touch(l);
	if (!l->by_line) {
		sent = link_send(l, request, &fault);
	} else {
		request->call = line_call(l) & 0x3fffffffu;
		sent = line_send(l->up, request);
	}
	if (!sent)
		leg_failed(l, fault, fault == LEG_FULL ? SPAN("has no connection free") :
			fault == LEG_CONNECT ? SPAN("cannot be reached") : SPAN("is not running"));
}

void leg_cancel(struct leg *l)
{
	if (l->link) {
		struct link *k = l->link;
		link_detach(k);
		link_abandon(k); /* closing is how a call over HTTP is cancelled */
	} else if (l->by_line) {
		line_cancel(l);
	}
	leg_free(l);
}

static void count_fault(struct flow *f, enum leg_fault fault)
{
	static const enum metric_id ids[] = {
		[LEG_CONNECT] = METRIC_UPSTREAM_FAULT_CONNECT, [LEG_FULL] = METRIC_UPSTREAM_FAULT_CONNECT, [LEG_LOST] = METRIC_UPSTREAM_FAULT_LOST,
		[LEG_LATE] = METRIC_UPSTREAM_FAULT_LATE, [LEG_BROKEN] = METRIC_UPSTREAM_FAULT_BROKEN, [LEG_LARGE] = METRIC_UPSTREAM_FAULT_LARGE,
		[LEG_REFUSED] = METRIC_UPSTREAM_FAULT_BROKEN, [LEG_BUSY] = METRIC_UPSTREAM_FAULT_LATE, [LEG_TLS] = METRIC_UPSTREAM_FAULT_TLS,
		[LEG_CREDENTIAL] = METRIC_UPSTREAM_FAULT_CREDENTIAL,
	};
	metrics_add(f->metrics, ids[fault], 1);
}

/* Does this fault mean that the upstream is down? A single call may take too long, and a limit of ours says nothing about the upstream. */
static bool tells(const struct leg *l, enum leg_fault fault)
{
	if (fault == LEG_FULL || fault == LEG_CREDENTIAL)
		return false;
	return fault == LEG_CONNECT || fault == LEG_TLS || l->method == MCP_DISCOVER || !span_absent(list_member(l->method));
}

void leg_failed(struct leg *l, enum leg_fault fault, struct span detail)
{
	struct upstream *up = l->up;
	struct txn *t = l->txn;
	struct link *k = l->link;

	count_fault(l->f, fault);
	if (tells(l, fault))
		l->f->metrics->down[up->index] = 1;
	flow_log(l->f, SPAN("upstream"), up->set->name, detail);
	if (k) {
		link_detach(k);
		link_abandon(k);
	} else if (fault == LEG_LATE && l->by_line) {
		line_cancel(l);
	}
	bool of_catalog = up->catalog_leg == l;
	unsigned status = l->status;
	leg_free(l);
	if (t)
		reply_failed(t, up, fault, detail);
	else if (of_catalog)
		catalog_refused(up, fault, status, detail);
}

/* Reads one message of an upstream and finds the leg it belongs to. NULL: it is nobody's, or it failed its leg. `only` is the leg of a
 * connection that carries one call. */
static struct leg *read_message(struct upstream *up, struct leg *only, struct span text, struct mcp_message *m)
{
	struct json *j = &up->f->json;
	size_t where;

	enum json_error e = json_read(j, up->f->table, text, &where);
	if (e != JSON_OK) {
		if (only)
			leg_failed(only, LEG_BROKEN, SPAN("sent a reply that is not acceptable JSON"));
		return NULL;
	}
	struct mcp_fault fault = mcp_message_read(m, j);
	if (fault.code != 0 || m->kind == MCP_REQUEST) {
		if (only)
			leg_failed(only, LEG_BROKEN, fault.code != 0 ? SPAN("sent a reply that is not a JSON-RPC message") :
				SPAN("sent a request where only an answer may stand"));
		return NULL;
	}
	if (m->kind == MCP_NOTIFICATION) {
		fault = mcp_event_check(m, j);
		if (fault.code != 0) {
			if (only)
				leg_failed(only, LEG_BROKEN, SPAN("sent a notification that does not belong here"));
			return NULL;
		}
		uint32_t meta = json_get(j, m->params, SPAN("_meta"));
		uint32_t key = m->method == MCP_PROGRESS ? json_get(j, m->params, SPAN("progressToken")) :
			m->method == MCP_MESSAGE ? json_get(j, meta, SPAN(FLOW_META_CALL)) : json_get(j, meta, SPAN(MCP_META_SUBSCRIPTION));
		if (m->method == MCP_MESSAGE && (only || up->set->kind == FLOW_BUILTIN))
			return only; /* on a shared line that does not say which call a log message belongs to, it is passed to nobody */
		struct leg *l = leg_by_id(up, key == JSON_NONE ? NOTHING : json_raw(j, key), only);
		if (only && l != only) {
			leg_failed(only, LEG_BROKEN, SPAN("sent a notification for another call"));
			return NULL;
		}
		return l;
	}
	struct leg *l = leg_by_id(up, m->id, only);
	if (only && l != only) {
		leg_failed(only, LEG_BROKEN, SPAN("sent an answer with a foreign id"));
		return NULL;
	}
	if (!l)
		return NULL; /* cancelled meanwhile */
	fault = mcp_reply_check(m, j, l->method);
	if (fault.code != 0) {
		leg_failed(l, LEG_BROKEN, SPAN("sent an answer of the wrong shape"));
		return NULL;
	}
	return l;
}

static void deliver(struct leg *l, unsigned status, const struct mcp_message *m)
{
	struct upstream *up = l->up;
	struct txn *t = l->txn;

	leg_free(l);
	up->f->metrics->down[up->index] = 0;
	if (t)
		reply_answer(t, up, status, m);
	else
		catalog_answer(up, m, status);
}

void leg_answer(struct leg *l, unsigned status, struct span text)
{
	struct mcp_message m;
	l->status = (uint16_t)status;
	l = read_message(l->up, l, text, &m);
	if (!l)
		return;
	if (m.kind == MCP_NOTIFICATION) {
		leg_failed(l, LEG_BROKEN, SPAN("answered with a notification"));
		return;
	}
	if ((m.kind == MCP_RESULT) != (status == 200) && !(m.kind == MCP_ERROR && (status == 400 || status == 404 || status == 500))) {
		bool passable = m.kind == MCP_ERROR && status == 200;
		if (!passable) {
			leg_failed(l, status == 503 || status == 429 ? LEG_BUSY : LEG_REFUSED, SPAN("refused the call"));
			return;
		}
	}
	deliver(l, status, &m);
}

bool leg_event(struct leg *l, struct span text)
{
	struct mcp_message m;
	l = read_message(l->up, l, text, &m);
	if (!l)
		return true;
	if (m.kind != MCP_NOTIFICATION) {
		deliver(l, 200, &m);
		return true;
	}
	if (l->txn) /* the catalogue's own questions have no use for progress and logs */
		reply_event(l->txn, l, &m);
	return false;
}

void leg_line(struct upstream *up, struct span text)
{
	struct mcp_message m;
	struct leg *l = read_message(up, NULL, text, &m);
	if (!l)
		return;
	if (m.kind == MCP_NOTIFICATION) {
		leg_touch(l);
		if (l->txn)
			reply_event(l->txn, l, &m);
	} else {
		deliver(l, 0, &m);
	}
}

bool leg_must_pause(const struct leg *l) { return l->txn && l->txn->streaming && l->txn->out != NULL; }
