#include "bridge/bridge_state.h"

enum { ALIGN = 64 };

static size_t up(size_t n) { return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1); }
static size_t text_cap(const struct bridge_settings *s) { return s->line_max < BRIDGE_TEXT_MIN ? BRIDGE_TEXT_MIN : (size_t)s->line_max; }
static size_t out_cap(const struct bridge_settings *s) { return (size_t)(s->line_max > s->reply_max ? s->line_max : s->reply_max) + BRIDGE_SLACK; }
static size_t text_each(const struct bridge_settings *s) { return sizeof(struct bridge_text) + text_cap(s); }

size_t bridge_need(const struct bridge_settings *s)
{
	return up(sizeof(struct bridge)) + up(json_table_need(s->tokens)) + up(out_cap(s)) + up(BRIDGE_KNOWN_BYTES) +
		up(s->peers_max * sizeof(struct bridge_peer)) + up(slots_need(sizeof(struct bridge_call), s->calls_max)) +
		up(slots_need(sizeof(struct bridge_listen), s->listens_max)) + up(slots_need(sizeof(struct bridge_park), s->parks_max)) +
		up(slots_need(text_each(s), s->waiting_max));
}

static char *take(char **at, size_t n)
{
	char *p = *at;
	*at += up(n);
	return p;
}

struct bridge *bridge_place(void *mem, const struct bridge_settings *s, const struct bridge_hooks *h)
{
	char *at = mem;
	struct bridge *b = (struct bridge *)(void *)take(&at, sizeof(struct bridge));

	b->s = *s;
	b->h = *h;
	b->table = json_table_place(take(&at, json_table_need(s->tokens)), s->tokens, s->seed);
	b->out_cap = out_cap(s);
	b->out = take(&at, b->out_cap);
	b->known_mem = take(&at, BRIDGE_KNOWN_BYTES);
	b->peers = (struct bridge_peer *)(void *)take(&at, s->peers_max * sizeof(struct bridge_peer));
	slots_place(&b->calls, take(&at, slots_need(sizeof(struct bridge_call), s->calls_max)), sizeof(struct bridge_call), s->calls_max);
	slots_place(&b->listens_pool, take(&at, slots_need(sizeof(struct bridge_listen), s->listens_max)), sizeof(struct bridge_listen),
		s->listens_max);
	slots_place(&b->parks, take(&at, slots_need(sizeof(struct bridge_park), s->parks_max)), sizeof(struct bridge_park), s->parks_max);
	slots_place(&b->texts, take(&at, slots_need(text_each(s), s->waiting_max)), text_each(s), s->waiting_max);
	b->text_cap = text_cap(s);
	list_init(&b->calls_used);
	list_init(&b->waiting);
	list_init(&b->owed);
	list_init(&b->listens);
	for (unsigned i = 0; i < s->peers_max; i++) {
		b->peers[i].index = (uint16_t)i;
		list_init(&b->peers[i].calls);
	}
	b->known = s->era != BRIDGE_AUTO;
	b->modern = s->era == BRIDGE_MODERN;
	return b;
}

/* Everything of a worker ends: nobody is left to answer. What waits for its caller's answer lives on. */
static void drop_worker(struct bridge *b, unsigned worker)
{
	for (struct list *n = b->calls_used.next, *next; n != &b->calls_used; n = next) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, of_all);
		next = n->next;
		if (c->worker != worker || c->state == CALL_PARKED)
			continue;
		call_withdraw(b, c, SPAN("the caller is gone"));
		call_free(b, c);
	}
	for (struct list *n = b->listens.next, *next; n != &b->listens; n = next) {
		struct bridge_listen *l = LIST_OWNER(n, struct bridge_listen, node);
		next = n->next;
		if (l->worker == worker)
			listen_end(b, l);
	}
}

void bridge_worker_up(struct bridge *b, unsigned worker)
{
	if (worker >= b->s.nworkers)
		return;
	b->up[worker] = false;
	drop_worker(b, worker);
	b->up[worker] = true;
}

void bridge_worker_down(struct bridge *b, unsigned worker)
{
	if (worker >= b->s.nworkers)
		return;
	b->up[worker] = false;
	drop_worker(b, worker);
}

void bridge_worker_long(struct bridge *b, unsigned worker)
{
	struct mcp_fault fault = { .code = MCP_INVALID_REQUEST, .text = SPAN("a line longer than the limit") };

	if (worker < b->s.nworkers && b->up[worker])
		(void)say_error(b, worker, NOTHING, &fault);
}

static struct bridge_peer *live(struct bridge *b, unsigned peer)
{
	return peer < b->s.peers_max && b->peers[peer].state != PEER_DOWN ? &b->peers[peer] : NULL;
}

void bridge_peer_up(struct bridge *b, unsigned peer)
{
	struct bridge_peer *p = live(b, peer);
	if (p && p->state == PEER_STARTING)
		era_begin(b, p);
}

void bridge_peer_line(struct bridge *b, unsigned peer, uint64_t of, struct span message)
{
	struct bridge_peer *p = live(b, peer);
	if (p && p->state != PEER_STARTING && message.n <= b->s.reply_max) {
		peer_heard(b, p);
		reply_message(b, p, of, message);
	}
}

void bridge_peer_heard(struct bridge *b, unsigned peer)
{
	struct bridge_peer *p = live(b, peer);
	if (p)
		peer_heard(b, p);
}

void bridge_peer_long(struct bridge *b, unsigned peer, uint64_t of, struct span head, struct span tail)
{
	struct bridge_peer *p = live(b, peer);
	if (p && p->state != PEER_STARTING) {
		peer_heard(b, p);
		reply_long(b, p, of, head, tail);
	}
}

void bridge_peer_failed(struct bridge *b, unsigned peer, uint64_t id, struct span why)
{
	struct bridge_peer *p = live(b, peer);
	struct bridge_call *c = p ? call_of_peer(b, p, id) : NULL;

	if (!p || id == 0)
		return;
	if (id == p->hello) {
		peer_fail(b, p, why, false);
	} else if (c && c->state == CALL_PARKED) { /* nobody waits: the retry is told that it is no more */
		call_free(b, c);
	} else if (c) {
		call_fault(b, c, MCP_INTERNAL, why);
	}
}

bool bridge_peer_awaits(const struct bridge *b, unsigned peer, uint64_t id)
{
	const struct bridge_peer *p = peer < b->s.peers_max ? &b->peers[peer] : NULL;
	const struct bridge_call *c;

	if (!p || p->state == PEER_DOWN || id == 0)
		return false;
	if (id == p->hello || id == p->probe)
		return true;
	c = call_of_peer(b, p, id);
	return c && !(c->park && c->park->over);
}

void bridge_peer_again(struct bridge *b, unsigned peer)
{
	struct bridge_peer *p = live(b, peer);
	if (!p || p->state != PEER_READY || b->modern)
		return;
	p->lost = bridge_now(b) - p->since_ms < BRIDGE_STABLE_MS ? p->lost + 1 : 0;
	if (p->lost > BRIDGE_LOST_MAX)
		peer_fail(b, p, SPAN("forgets its sessions as soon as they are begun"), false);
	else
		era_again(b, p);
}

void bridge_peer_down(struct bridge *b, unsigned peer, struct span why)
{
	struct bridge_peer *p = live(b, peer);
	if (p)
		peer_down(b, p, why);
}

int bridge_tick(struct bridge *b)
{
	int64_t now = bridge_now(b);

	if (now >= b->due_ms) {
		b->due_ms = INT64_MAX;
		call_owed(b);
		listen_missed(b);
		peer_timeouts(b, now);
		call_timeouts(b, now);
	}
	if (b->rematch) {
		b->rematch = false;
		go_waiting(b);
	}
	if (b->rematch) /* what has just been refused has made room: who was looked at before it is looked at again */
		return 0;
	if (b->due_ms == INT64_MAX)
		return -1;
	return b->due_ms <= now ? 0 : b->due_ms - now > 60000 ? 60000 : (int)(b->due_ms - now);
}

unsigned bridge_open_calls(const struct bridge *b)
{
	unsigned n = 0;

	for (const struct list *x = b->calls_used.next; x != &b->calls_used; x = x->next) {
		const struct bridge_call *c = LIST_OWNER(x, struct bridge_call, of_all);
		n += c->state != CALL_PARKED && !c->acked;
	}
	return n;
}

const struct bridge_counts *bridge_counted(const struct bridge *b) { return &b->counts; }

struct span bridge_known(const struct bridge *b)
{
	static const struct span legacy[ERA_VERSIONS] = {
		[ERA_2025_11_25] = { "legacy 2025-11-25", 17 }, [ERA_2025_06_18] = { "legacy 2025-06-18", 17 },
		[ERA_2025_03_26] = { "legacy 2025-03-26", 17 }, [ERA_2024_11_05] = { "legacy 2024-11-05", 17 },
	};

	if (!b->known || b->peers[0].state != PEER_READY)
		return NOTHING;
	return b->modern ? SPAN("modern") : legacy[b->peers[0].version];
}
