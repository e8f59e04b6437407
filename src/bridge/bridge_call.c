/* Requests of workers, from the first byte to the one answer. */
#include "bridge/bridge_state.h"

enum { SLOT_BITS = 12, SLOT_OWN = (1 << SLOT_BITS) - 1 };

_Static_assert((int)BRIDGE_CALLS_MAX <= (int)SLOT_OWN, "one slot number stands for what the bridge asks on its own account");

uint64_t call_own_id(struct bridge *b) { return ++b->ids << SLOT_BITS | SLOT_OWN; }
bool call_is_own(uint64_t id) { return (id & SLOT_OWN) == SLOT_OWN; }

struct bridge_call *call_new(struct bridge *b, unsigned worker, const struct mcp_message *m)
{
	struct bridge_call *c = slots_take(&b->calls);

	if (!c)
		return NULL;
	memset(c, 0, offsetof(struct bridge_call, digest));
	list_init(&c->node);
	list_init(&c->of_all);
	list_append(&b->calls_used, &c->of_all);
	c->worker = (uint8_t)worker;
	c->method = (uint8_t)m->method;
	c->state = CALL_WAITING;
	c->peer = -1;
	c->order = ++b->order;
	c->id_up = ++b->ids << SLOT_BITS | slots_index(&b->calls, c);
	c->id_n = (uint16_t)m->id.n;
	memcpy(c->id, m->id.p, m->id.n);
	return c;
}

struct bridge_call *call_of_worker(struct bridge *b, unsigned worker, struct span id)
{
	for (struct list *n = b->calls_used.next; n != &b->calls_used; n = n->next) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, of_all);
		if (c->worker == worker && c->state != CALL_PARKED && span_eq(call_id(c), id))
			return c;
	}
	return NULL;
}

struct bridge_call *call_of_peer(const struct bridge *b, const struct bridge_peer *p, uint64_t id)
{
	uint32_t slot = (uint32_t)(id & SLOT_OWN);
	struct bridge_call *c = slot < b->calls.fresh ? slots_at(&b->calls, slot) : NULL;

	return c && (c->state == CALL_SENT || c->state == CALL_PARKED) && c->id_up == id && c->peer == p->index ? c : NULL;
}

struct bridge_call *call_parked(struct bridge *b, uint64_t id)
{
	uint32_t slot = (uint32_t)(id & SLOT_OWN);
	struct bridge_call *c = slot < b->calls.fresh ? slots_at(&b->calls, slot) : NULL;

	return c && c->state == CALL_PARKED && c->id_up == id ? c : NULL;
}

struct bridge_text *text_keep(struct bridge *b, struct span text)
{
	struct bridge_text *t = text.n <= b->text_cap ? slots_take(&b->texts) : NULL;

	if (!t)
		return NULL;
	t->p = (char *)(t + 1);
	t->n = text.n;
	if (text.n > 0)
		memcpy(t->p, text.p, text.n);
	return t;
}

void text_give(struct bridge *b, struct bridge_text **t)
{
	if (*t)
		slots_give(&b->texts, *t);
	*t = NULL;
}

void call_free(struct bridge *b, struct bridge_call *c)
{
	list_remove(&c->node);
	list_remove(&c->of_all);
	text_give(b, &c->text);
	park_free(b, c);
	if (c->id_up == b->seat) {
		b->seat = 0;
		b->seat_ms = bridge_now(b);
	}
	if (c->peer >= 0)
		peer_used(b, &b->peers[c->peer]);
	c->state = CALL_FREE;
	slots_give(&b->calls, c);
}

static void owe(struct bridge *b, struct bridge_call *c, int code, struct span why)
{
	struct bridge_peer *p = c->peer >= 0 ? &b->peers[c->peer] : NULL;

	c->state = CALL_OWED;
	c->code = code;
	c->why = span_of(c->token, why.n < sizeof c->token ? why.n : sizeof c->token);
	memcpy(c->token, why.p, c->why.n); /* who has said so may be gone by then; no token is of use any more */
	c->peer = -1;
	list_append(&b->owed, &c->node);
	text_give(b, &c->text);
	park_free(b, c);
	if (p)
		peer_used(b, p);
	bridge_due(b, bridge_now(b) + BRIDGE_AGAIN_MS);
}

void call_fault(struct bridge *b, struct bridge_call *c, int code, struct span why)
{
	if (c->id_n == 0 || !b->up[c->worker]) {
		call_free(b, c);
	} else if (say_fault(b, c->worker, call_id(c), code, why)) {
		b->counts.answers++;
		b->counts.faults++;
		call_free(b, c);
	} else {
		owe(b, c, code, why);
	}
}

void call_answer(struct bridge *b, struct bridge_call *c, struct buf *line)
{
	if (line->full) {
		call_fault(b, c, MCP_INTERNAL, SPAN("sent an answer that is too long"));
	} else if (say_worker(b, c->worker, line)) {
		b->counts.answers++;
		call_free(b, c);
	} else if (!b->up[c->worker]) {
		call_free(b, c);
	} else {
		owe(b, c, MCP_INTERNAL, SPAN("answered, but there was no room to pass the answer on"));
	}
}

void call_watch(struct bridge *b, struct bridge_call *c)
{
	c->until_ms = b->s.silence_ms > 0 && c->method != MCP_LISTEN ? bridge_now(b) + b->s.silence_ms : 0;
	if (c->until_ms != 0)
		bridge_due(b, c->until_ms);
}

void call_withdraw(struct bridge *b, struct bridge_call *c, struct span reason)
{
	struct bridge_peer *p = c->peer >= 0 ? &b->peers[c->peer] : NULL;

	if (!p || (c->state != CALL_SENT && c->state != CALL_PARKED) || p->state == PEER_DOWN || (c->park && c->park->over))
		return;
	if (c->park)
		park_decline(b, c);
	if (c->state == CALL_SENT && c->until_ms != 0 && (p->doubt_ms == 0 || c->until_ms < p->doubt_ms))
		p->doubt_ms = c->until_ms;
	(void)send_cancel(b, p, c->id_up, reason);
}

void call_owed(struct bridge *b)
{
	for (struct list *n = b->owed.next, *next; n != &b->owed; n = next) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, node);
		next = n->next;
		if (!say_fault(b, c->worker, call_id(c), c->code, c->why)) {
			bridge_due(b, bridge_now(b) + BRIDGE_AGAIN_MS);
			continue;
		}
		b->counts.answers++;
		b->counts.faults++;
		call_free(b, c);
	}
}

void call_timeouts(struct bridge *b, int64_t now)
{
	for (struct list *n = b->calls_used.next, *next; n != &b->calls_used; n = next) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, of_all);
		next = n->next;
		if (c->until_ms == 0 || c->state == CALL_OWED)
			continue;
		if (now < c->until_ms) {
			bridge_due(b, c->until_ms);
		} else if (c->state == CALL_PARKED) {
			b->counts.park_expired++;
			say_log(b, SPAN("nobody answered what the upstream asked; its call is given up"), NOTHING);
			call_withdraw(b, c, SPAN("the caller did not answer in time"));
			call_free(b, c);
		} else if (c->state == CALL_SENT) {
			c->until_ms = peer_silent(b, &b->peers[c->peer]);
			bridge_due(b, c->until_ms);
		} else {
			b->counts.refused_busy++;
			call_fault(b, c, MCP_INTERNAL, c->peer >= 0 ? SPAN("is still being started; try again shortly") :
				SPAN("is busy: all its processes or sessions are at work for others; try again shortly"));
		}
	}
}
