/* Whom a list of several upstreams asks, and when: all at once, then page after page of each in its turn. */
#include "flow/gather_priv.h"
#include "flow/leg.h"
#include "flow/list.h"

#define NOTHING span_of(NULL, 0)

size_t gather_size(void) { return sizeof(struct gather); }

void gather_free(struct txn *t)
{
	if (!t->gather)
		return;
	for (unsigned i = 0; i < t->f->set->nservers; i++)
		buffer_give(t->f, t->gather->held[i]);
	slots_give(&t->f->gathers, t->gather);
	buffer_give(t->f, t->page);
	t->gather = NULL;
	t->page = NULL;
}

void gather_skip(struct txn *t, unsigned i, unsigned status, struct span why)
{
	struct gather *g = t->gather;

	g->part[i] = PART_SKIPPED;
	if (g->skipped++ > 0)
		return;
	g->status = status;
	g->first = i;
	g->why_n = why.n < GATHER_WHY_MAX ? why.n : GATHER_WHY_MAX;
	memcpy(g->why, why.p, g->why_n);
}

/* A question for the page at hand, or for the first one of an upstream whose turn has not come; the json view holds the client's message.
 * NULL: there is no room for it. */
static struct leg *prepare(struct txn *t, unsigned i, bool ahead, struct buffer **request)
{
	struct gather *g = t->gather;
	struct flow *f = t->f;
	struct leg *l = leg_new(&f->up[i], t, t->msg.method);
	bool inner = i == g->at && g->has_cursor;

	*request = l ? request_list(l, &t->msg, inner ? span_of(g->cursor, g->cursor_n) : NOTHING) : NULL;
	if (!*request) {
		if (l)
			leg_free(l);
		metrics_add(f->metrics, METRIC_REFUSED_FULL, 1);
		return NULL;
	}
	if (ahead) {
		l->ahead = true;
		f->ahead++;
	}
	return l;
}

/* Asks for the page at hand. A fault may come at once, through gather_failed(). */
static void ask(struct txn *t)
{
	struct gather *g = t->gather;
	struct buffer *request = NULL;
	struct leg *l = txn_reread(t) ? prepare(t, g->at, false, &request) : NULL;

	if (!l) {
		gather_skip(t, g->at, 503, SPAN("cannot be asked: Postern is at its limit of calls or buffers"));
		return;
	}
	g->part[g->at] = PART_ASKED;
	g->sending = true;
	leg_send(l, request);
	g->sending = false;
}

static enum step_end finish(struct txn *t)
{
	struct gather *g = t->gather;
	enum step_end end;

	while (!list_empty(&t->legs))
		leg_cancel(LIST_OWNER(t->legs.next, struct leg, of_txn));
	timer_disarm(&t->f->timers, &t->timer);
	if (g->bad_cursor) {
		struct mcp_fault fault = { MCP_INVALID_PARAMS, 200, SPAN("params.cursor: the upstream does not know it any more; begin the list again"), NOTHING, NOTHING };
		end = answer_fault(t, &fault);
	} else if (g->served == 0 && g->skipped > 0 && !g->full) {
		end = gather_say_none(t);
	} else if (g->entries == 0 && g->no_buffer) {
		end = answer_upstream(t, 503, t->f->set->servers[g->at].name, SPAN("was asked, but no buffer is free for its list"));
	} else {
		end = gather_say(t);
	}
	gather_free(t);
	return end;
}

static bool heard_any(const struct txn *t)
{
	bool any = t->gather->served > 0;
	for (unsigned i = 0; i < t->f->set->nservers; i++)
		any = any || t->gather->part[i] == PART_HELD;
	return any;
}

static void give_up(struct txn *t, unsigned i)
{
	struct upstream *up = &t->f->up[i];

	for (struct list *n = t->legs.next; n != &t->legs; n = n->next) {
		struct leg *l = LIST_OWNER(n, struct leg, of_txn);
		if (l->up == up) {
			leg_cancel(l);
			break;
		}
	}
	metrics_add(t->f->metrics, METRIC_UPSTREAM_FAULT_LATE, 1);
	flow_log(t->f, SPAN("upstream"), up->set->name, SPAN("did not answer in time: a list is served without it"));
	up->slow = true;
	t->f->metrics->down[i] = 1;
	gather_skip(t, i, 504, SPAN("did not answer in time"));
}

/* Whoever is still silent is done without. The others may have more pages: they get as much time again. */
static void time_is_up(struct txn *t)
{
	struct gather *g = t->gather;

	for (unsigned i = 0; i < t->f->set->nservers; i++)
		if (g->part[i] == PART_ASKED)
			give_up(t, i);
	if (g->last)
		return;
	g->last = true;
	g->late = false;
	timer_arm(&t->f->timers, &t->timer, flow_now(t->f) + flow_list_ms(t->f->set));
}

/* As far as it goes with what is here. Each turn brings `at` forward or asks for a page, of which there are at most FLOW_CATALOG_PAGES. */
static enum step_end go(struct txn *t)
{
	struct gather *g = t->gather;

	if (g->late && heard_any(t))
		time_is_up(t);
	while (!g->full && !g->bad_cursor && g->at < t->f->set->nservers) {
		switch ((enum gather_part)g->part[g->at]) {
		case PART_HELD:
			gather_take_held(t);
			break;
		case PART_ASKED:
			return STEP_WAIT;
		case PART_WANTED:
			if (g->late && g->last)
				g->full = true; /* no time for it on this page: the next one begins with it */
			else
				ask(t);
			break;
		default:
			g->at++;
			g->pages = 0;
			g->skip = 0;
			g->has_cursor = false;
			break;
		}
	}
	return finish(t);
}

static void go_on(struct txn *t)
{
	if (t->gather->sending)
		return;
	switch (go(t)) {
	case STEP_WAIT:
		break;
	case STEP_DROP:
		txn_cancel(t);
		break;
	default:
		txn_goto(t, STEP_FLUSH);
		break;
	}
}

enum step_end gather_send(struct txn *t)
{
	struct flow *f = t->f;
	struct gather *g = slots_take(&f->gathers);

	t->page = buffer_take(f, FLOW_SMALL);
	if (!g || !t->page) {
		if (g)
			slots_give(&f->gathers, g);
		buffer_give(f, t->page);
		t->page = NULL;
		metrics_add(f->metrics, METRIC_REFUSED_FULL, 1);
		return answer_upstream(t, 503, f->set->servers[t->server].name, SPAN("cannot be asked: Postern is at its limit of calls or buffers"));
	}
	t->gather = g;
	memset(g, 0, offsetof(struct gather, cursor));
	g->at = t->server;
	g->ttl_ms = INT64_C(1) << 52;
	g->shared = true;
	g->paged = t->msg.cursor != JSON_NONE;
	g->skip = t->list_skip;
	g->has_cursor = t->has_cursor;
	if (t->has_cursor) {
		g->cursor_n = (uint16_t)t->cursor.n;
		memcpy(g->cursor, t->cursor.p, t->cursor.n);
	}
	gather_page_begin(t);
	t->step = STEP_REPLY; /* before sending: answers may come before leg_send() returns */
	/* All questions first: sending one may bring an answer, and with it another document into the json view. */
	struct leg *legs[FLOW_SERVERS_MAX];
	struct buffer *requests[FLOW_SERVERS_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < f->set->nservers; i++) {
		if (t->missing >> i & 1)
			gather_skip(t, i, f->up[i].slow ? 504 : 502, f->up[i].slow ? SPAN("did not answer in time lately") : SPAN("could not be asked what it offers"));
		if (!(t->wanted >> i & 1))
			continue;
		g->part[i] = PART_WANTED;
		if ((i == g->at || f->ahead < flow_ahead(f->set)) && (legs[n] = prepare(t, i, i != g->at, &requests[n])) != NULL) {
			g->part[i] = PART_ASKED;
			n++;
		}
	}
	g->sending = true;
	for (unsigned i = 0; i < n; i++)
		leg_send(legs[i], requests[i]);
	g->sending = false;
	timer_arm(&f->timers, &t->timer, list_until(t));
	return go(t);
}

void gather_answer(struct txn *t, struct upstream *up, const struct mcp_message *m)
{
	struct gather *g = t->gather;
	const struct json *j = &t->f->json;
	uint32_t list = m->kind == MCP_RESULT ? json_get(j, m->result, list_member(t->msg.method)) : JSON_NONE;
	int64_t code = 0;

	up->slow = false;
	if (m->kind == MCP_ERROR) {
		(void)json_int(j, json_get(j, m->error, SPAN("code")), &code);
		if (code == MCP_METHOD_NOT_FOUND) { /* for instance a server with resources but no templates: its part is empty */
			g->part[up->index] = PART_DONE;
			g->served++;
		} else if (code == MCP_INVALID_PARAMS && up->index == g->at && g->has_cursor) {
			g->bad_cursor = g->pages == 0;
			gather_skip(t, up->index, 502, SPAN("does not know the cursor that it gave"));
		} else {
			gather_skip(t, up->index, 502, SPAN("answered with an error"));
			flow_log(t->f, SPAN("upstream"), up->set->name, SPAN("answered with an error: a list is served without it"));
		}
	} else if (json_type(j, list) != JSON_ARRAY) {
		metrics_add(t->f->metrics, METRIC_UPSTREAM_FAULT_BROKEN, 1);
		flow_log(t->f, SPAN("upstream"), up->set->name, SPAN("sent a list that is none: a list is served without it"));
		gather_skip(t, up->index, 502, SPAN("sent a list that is none"));
	} else if (up->index == g->at) {
		gather_take(t, up, m->result, list);
	} else {
		gather_hold(t, up, m->result, list);
	}
	go_on(t);
}

void gather_failed(struct txn *t, struct upstream *up, unsigned status, struct span why)
{
	gather_skip(t, up->index, status, why);
	go_on(t);
}

/* Whoever has not answered by now is done without, but not by all: then the first answer is waited for. */
void gather_late(struct txn *t)
{
	t->gather->late = true;
	go_on(t);
}
