#include "flow/flow_priv.h"
#include "flow/leg.h"
#include "flow/list.h"
#include "flow/listen.h"

/* A body that is too slow in coming. */
static void give_up_body(struct txn *t)
{
	metrics_add(t->f->metrics, METRIC_REFUSED_SLOW, 1);
	timer_disarm(&t->f->timers, &t->timer);
	list_remove(&t->node);
	t->close = true;
	(void)answer_http(t, 408, SPAN("The request body did not arrive in time"));
	txn_goto(t, STEP_FLUSH);
}

static void txn_timeout(struct timer *timer)
{
	struct txn *t = LIST_OWNER(timer, struct txn, timer);
	struct flow *f = t->f;

	if (t->step == STEP_AUTH) {
		auth_late(t);
	} else if (t->step == STEP_BODY) {
		give_up_body(t);
	} else if (t->step == STEP_ENVELOPE) { /* a newer catalogue is late: what is known decides */
		list_remove(&t->node);
		t->waited = true;
		txn_run(t);
	} else if (t->out) { /* the client takes nothing */
		metrics_add(f->metrics, METRIC_REFUSED_SLOW, 1);
		txn_cancel(t);
	} else if (t->gather) {
		gather_late(t);
	} else if (t->listening && !t->acked) {
		listen_late(t);
	} else if (t->streaming) {
		(void)stream_comment(t); /* if there is no buffer for this comment, the next one may go out */
		if (t->timer.at_ms == 0)
			timer_arm(&f->timers, &t->timer, flow_now(f) + f->set->keepalive_ms);
	}
}

/* A stream lasts as long as its caller's identity. */
static void txn_expires(struct timer *timer)
{
	struct txn *t = LIST_OWNER(timer, struct txn, expiry);
	if (t->who.until_ms > flow_unix(t->f))
		txn_watch_expiry(t);
	else
		listen_finish(t);
}

void txn_watch_expiry(struct txn *t)
{
	struct flow *f = t->f;
	if (t->who.until_ms == 0)
		return;
	int64_t left = t->who.until_ms - flow_unix(f);
	timer_arm(&f->timers, &t->expiry, flow_now(f) + (left < 0 ? 0 : left < FLOW_EXPIRY_MS ? left : FLOW_EXPIRY_MS));
}

struct txn *txn_new(struct front *c, int64_t now_ms)
{
	struct flow *f = c->f;
	struct txn *t = slots_take(&f->txns);
	if (!t && !list_empty(&f->receiving)) { /* the oldest upload gives way if it has had its chance */
		struct txn *slow = LIST_OWNER(f->receiving.next, struct txn, node);
		if (now_ms - slow->start_ms >= FLOW_SLOW_MS) {
			give_up_body(slow);
			t = slots_take(&f->txns);
		}
	}
	if (!t)
		return NULL;
	/* head and names are large and are filled before they are read */
	memset(t, 0, offsetof(struct txn, head));
	memset((char *)t + offsetof(struct txn, who), 0, offsetof(struct txn, names) - offsetof(struct txn, who));
	memset((char *)t + offsetof(struct txn, out), 0, sizeof(*t) - offsetof(struct txn, out));
	t->f = f;
	t->front = c;
	t->start_ms = now_ms;
	list_init(&t->node);
	list_init(&t->legs);
	timer_init(&t->timer, txn_timeout);
	timer_init(&t->expiry, txn_expires);
	timer_init(&t->again, listen_again);
	metrics_peak(f->metrics, METRIC_POOL_REQUESTS_PEAK, f->txns.used);
	return t;
}

void txn_run(struct txn *t)
{
	for (;;) {
		unsigned step = t->step;
		enum step_end end = step_table[step].run(t, flow_now(t->f));
		if (step == STEP_CLOSE)
			return; /* t is gone */
		switch (end) {
		case STEP_NEXT:
			t->step = step + 1;
			break;
		case STEP_WAIT:
			return;
		case STEP_ANSWER:
			t->step = STEP_FLUSH;
			break;
		case STEP_DROP:
			t->close = true;
			t->step = STEP_CLOSE;
			break;
		}
	}
}

void txn_goto(struct txn *t, enum step_index step)
{
	t->step = step;
	txn_run(t);
}

/* The message is read once more, as another document has been in the json view since. */
bool txn_reread(struct txn *t)
{
	struct json *j = &t->f->json;
	size_t where;

	return json_read(j, t->f->table, t->text, &where) == JSON_OK && mcp_message_read(&t->msg, j).code == 0 &&
		mcp_request_meta(&t->msg, j).code == 0 && mcp_request_params(&t->msg, j).code == 0;
}

/* The client is gone: nothing can be said, the upstreams are told. */
void txn_cancel(struct txn *t)
{
	if (t->outcome == OUTCOME_NONE)
		t->outcome = OUTCOME_CANCELLED;
	t->close = true;
	txn_goto(t, STEP_CLOSE);
}

void txn_free(struct txn *t)
{
	struct flow *f = t->f;
	while (!list_empty(&t->legs))
		leg_cancel(LIST_OWNER(t->legs.next, struct leg, of_txn));
	gather_free(t);
	auth_leave(t);
	if (t->old)
		elder_leave(t);
	timer_disarm(&f->timers, &t->timer);
	timer_disarm(&f->timers, &t->expiry);
	timer_disarm(&f->timers, &t->again);
	list_remove(&t->node);
	buffer_give(f, t->large);
	buffer_give(f, t->out);
	buffer_give(f, t->uris);
	if (t->listening) {
		f->listens--;
		metrics_sub(f->metrics, METRIC_LISTENS_OPEN, 1);
	}
	slots_give(&f->txns, t);
}
