/* The life of peers: beginning, being found, ending. */
#include "bridge/bridge_state.h"

void peer_start(struct bridge *b, struct bridge_peer *p)
{
	p->state = PEER_STARTING;
	p->was_ready = p->named = false;
	p->offer = ERA_2025_11_25;
	p->offers = 0;
	p->level = 0;
	p->broken = p->lost = 0;
	p->hello = p->probe = 0;
	p->until_ms = bridge_now(b) + b->s.start_ms;
	bridge_due(b, p->until_ms);
	b->counts.starts++;
	b->h.start_peer(b->h.ctx, p->index);
}

void peer_stop(struct bridge *b, struct bridge_peer *p)
{
	p->state = PEER_DOWN;
	p->principal_n = 0;
	p->hello = p->probe = 0;
	b->rematch = true;
	b->h.stop_peer(b->h.ctx, p->index);
}

static bool may_start(const struct bridge *b, const struct bridge_peer *p) { return bridge_now(b) >= p->retry_ms; }

struct bridge_peer *peer_shared(struct bridge *b, struct span *why)
{
	struct bridge_peer *p = &b->peers[0];

	if (p->state != PEER_DOWN)
		return p;
	if (!may_start(b, p)) {
		*why = span_of(b->down, b->down_n);
		return NULL;
	}
	peer_start(b, p);
	return p;
}

static bool is_awaited(const struct bridge *b, const struct bridge_peer *p)
{
	for (const struct list *n = b->waiting.next; n != &b->waiting; n = n->next)
		if (LIST_OWNER(n, struct bridge_call, node)->peer == p->index)
			return true;
	return false;
}

/* What was under way in it, and what waits for it. */
static void let_go(struct bridge *b, struct bridge_peer *p, struct span why)
{
	for (struct list *n = b->calls_used.next, *next; n != &b->calls_used; n = next) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, of_all);
		next = n->next;
		if (c->peer != p->index)
			continue;
		if (c->state == CALL_PARKED)
			call_free(b, c); /* nobody waits; the retry is told that it is no more */
		else
			call_fault(b, c, MCP_INTERNAL, why);
	}
}

/* Of a principal that has more than half of them, one in which all that is under way waits for its caller: the one that has waited longest. */
static struct bridge_peer *spared(struct bridge *b)
{
	struct bridge_peer *found = NULL;

	for (unsigned i = 1; i < b->s.peers_max; i++) {
		struct bridge_peer *p = &b->peers[i];
		unsigned has = 0, busy = is_awaited(b, p);

		for (const struct list *n = p->calls.next; n != &p->calls; n = n->next)
			busy += LIST_OWNER(n, struct bridge_call, node)->state != CALL_PARKED;
		for (unsigned k = 1; k < b->s.peers_max; k++)
			has += b->peers[k].state != PEER_DOWN && span_eq(span_of(p->principal, p->principal_n), span_of(b->peers[k].principal, b->peers[k].principal_n));
		if (p->state == PEER_READY && busy == 0 && has > b->s.peers_max / 2 && (!found || p->idle_ms < found->idle_ms))
			found = p;
	}
	return found;
}

struct bridge_peer *peer_private(struct bridge *b, const struct bridge_call *c, struct span *why)
{
	struct bridge_peer *spare = NULL;
	unsigned has = 0;
	bool failing = false;

	for (unsigned i = 1; i < b->s.peers_max; i++) {
		struct bridge_peer *p = &b->peers[i];
		bool down = p->state == PEER_DOWN && may_start(b, p);
		bool idle = p->state == PEER_READY && list_empty(&p->calls) && !is_awaited(b, p);
		bool mine = !down && span_eq(span_of(p->principal, p->principal_n), call_principal(c));

		if (mine && p->caps == c->caps && p->state != PEER_DOWN)
			return p;
		has += mine;
		failing = failing || (mine && p->state == PEER_DOWN);
		if (down ? !spare || spare->state != PEER_DOWN : idle && (!spare || (spare->state != PEER_DOWN && p->idle_ms < spare->idle_ms)))
			spare = p;
	}
	if (failing) {
		*why = SPAN("is not running for this caller, and the last start failed; it is tried again within half a minute");
		return NULL;
	}
	if (!spare && has == 0 && (spare = spared(b)) != NULL) { /* who declares ever other things, and answers nothing, does not keep them all */
		say_log(b, SPAN("a caller has most of the conversations, and one in which it is only asked something is given to another"), NOTHING);
		let_go(b, spare, SPAN("is needed by another caller"));
	}
	if (!spare)
		return NULL;
	if (spare->state != PEER_DOWN)
		peer_stop(b, spare);
	if (!span_eq(span_of(spare->principal, spare->principal_n), call_principal(c)))
		spare->fails = 0;
	spare->caps = c->caps;
	spare->principal_n = c->principal_n;
	memcpy(spare->principal, c->principal, c->principal_n);
	peer_start(b, spare);
	return spare;
}

static void end(struct bridge *b, struct bridge_peer *p, bool failed)
{
	int64_t now = bridge_now(b);

	p->state = PEER_DOWN;
	p->hello = p->probe = 0;
	b->counts.losses++;
	b->rematch = true;
	if (!failed) {
		p->fails = 0;
		p->retry_ms = now;
		return;
	}
	p->retry_ms = p->fails == 0 ? now : now + ((int64_t)BRIDGE_BACKOFF_MS << (p->fails - 1));
	if (p->retry_ms > now + BRIDGE_BACKOFF_MAX_MS)
		p->retry_ms = now + BRIDGE_BACKOFF_MAX_MS;
	p->fails = (uint8_t)(p->fails < 6 ? p->fails + 1 : 6);
}

void peer_fail(struct bridge *b, struct bridge_peer *p, struct span why, bool over)
{
	bool ready = p->state == PEER_READY;
	bool failed = !ready || bridge_now(b) - p->since_ms < BRIDGE_STABLE_MS;

	if (!over)
		b->h.stop_peer(b->h.ctx, p->index);
	/* What was believed of it has not helped; and a modern one costs a question to ask again. */
	if (p->index == 0 && b->s.era == BRIDGE_AUTO && (b->modern || (!ready && !p->was_ready)))
		b->known = b->shunned = false;
	end(b, p, failed);
	if (p->index == 0) { /* what is said until it is tried again */
		struct buf down = buf_on(b->down, sizeof b->down);
		BUF_LIT(&down, "is not running, and is tried again within half a minute; the last time it ");
		buf_put(&down, span_of(why.p, why.n < BRIDGE_WHY ? why.n : BRIDGE_WHY));
		b->down_n = down.n;
	}
	say_log(b, p->index == 0 ? SPAN("the shared conversation is over") : SPAN("a caller's own conversation is over"), why);
	let_go(b, p, why);
	bridge_due(b, bridge_now(b));
}

void peer_down(struct bridge *b, struct bridge_peer *p, struct span why)
{
	/* Some servers of old end themselves when anything comes before initialize (mcp.md 4.4). */
	if (p->state == PEER_PROBING) {
		b->shunned = true;
		peer_start(b, p);
		return;
	}
	peer_fail(b, p, why, true);
}

void peer_ready(struct bridge *b, struct bridge_peer *p)
{
	p->state = PEER_READY;
	p->was_ready = true;
	p->hello = 0;
	p->until_ms = p->doubt_ms = 0;
	p->since_ms = p->idle_ms = p->heard_ms = bridge_now(b);
	p->level = 0;
	b->rematch = true;
	if (p->index > 0)
		bridge_due(b, p->idle_ms + b->s.private_idle_ms);
	if (!b->modern)
		listen_renew(b, p);
}

void peer_used(struct bridge *b, struct bridge_peer *p)
{
	p->idle_ms = bridge_now(b);
	if (p->index > 0 && list_empty(&p->calls)) {
		bridge_due(b, p->idle_ms + b->s.private_idle_ms);
		b->rematch = b->rematch || !list_empty(&b->waiting);
	}
}

int64_t peer_silent(struct bridge *b, struct bridge_peer *p)
{
	int64_t now = bridge_now(b), at = p->heard_ms + b->s.silence_ms;

	if (p->until_ms == 0 && now < at)
		return at;
	if (p->until_ms == 0) {
		p->until_ms = now + b->s.probe_ms;
		bridge_due(b, p->until_ms);
		era_ping(b, p);
	}
	return p->until_ms;
}

void peer_heard(struct bridge *b, struct bridge_peer *p)
{
	p->heard_ms = bridge_now(b);
	p->doubt_ms = 0;
	if (p->state == PEER_READY)
		p->until_ms = 0;
}

void peer_timeouts(struct bridge *b, int64_t now)
{
	struct span nothing = NOTHING;

	for (unsigned i = 0; i < b->s.peers_max; i++) {
		struct bridge_peer *p = &b->peers[i];
		int64_t at;

		if (p->state == PEER_READY && p->until_ms == 0 && p->doubt_ms != 0) {
			if (now >= p->doubt_ms)
				p->doubt_ms = peer_silent(b, p);
			bridge_due(b, p->doubt_ms);
		}
		at = p->state == PEER_DOWN ? p->retry_ms : p->until_ms != 0 ? p->until_ms :
			i > 0 && list_empty(&p->calls) ? p->idle_ms + b->s.private_idle_ms : 0;
		if (now < at)
			bridge_due(b, at);
		else if (p->state == PEER_DOWN) /* who waits may have it, whosever it was */
			b->rematch = b->rematch || !list_empty(&b->waiting);
		else if (at == 0)
			continue;
		else if (p->state == PEER_READY && p->until_ms != 0)
			peer_fail(b, p, SPAN("stopped answering"), false);
		else if (p->state == PEER_READY)
			peer_stop(b, p);
		else if (p->state == PEER_PROBING)
			era_silence(b, p);
		else
			peer_fail(b, p, SPAN("did not start in time"), false);
	}
	/* Subscriptions outlive the peer they were served by. */
	if (b->peers[0].state == PEER_DOWN && !list_empty(&b->listens)) {
		if (may_start(b, &b->peers[0]))
			(void)peer_shared(b, &nothing);
		else
			bridge_due(b, b->peers[0].retry_ms);
	}
}
