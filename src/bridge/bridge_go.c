/* Which peer a call goes to, and the waiting for it. */
#include "bridge/bridge_state.h"

/* What a legacy upstream has a counterpart for. */
static bool method_is_old(enum mcp_method m)
{
	switch (m) {
	case MCP_DISCOVER:
	case MCP_TOOLS_LIST:
	case MCP_TOOLS_CALL:
	case MCP_PROMPTS_LIST:
	case MCP_PROMPTS_GET:
	case MCP_RESOURCES_LIST:
	case MCP_TEMPLATES_LIST:
	case MCP_RESOURCES_READ:
	case MCP_COMPLETE:
	case MCP_LISTEN:
		return true;
	default:
		return false;
	}
}

/* Of which method the upstream's initialize says that it has it. */
static bool method_is_offered(enum mcp_method m, unsigned offers)
{
	switch (m) {
	case MCP_TOOLS_LIST:
	case MCP_TOOLS_CALL:
		return offers & OFFER_TOOLS;
	case MCP_PROMPTS_LIST:
	case MCP_PROMPTS_GET:
		return offers & OFFER_PROMPTS;
	case MCP_RESOURCES_LIST:
	case MCP_TEMPLATES_LIST:
	case MCP_RESOURCES_READ:
		return offers & OFFER_RESOURCES;
	default:
		return true; /* 2024-11-05 completes without saying so */
	}
}

/* Whether this call needs a peer of its principal's own. */
static bool is_private(const struct bridge *b, const struct bridge_call *c, const struct bridge_peer *shared)
{
	if (b->s.peers_max < 2 || c->principal_n == 0 || c->method == MCP_DISCOVER || c->method == MCP_LISTEN)
		return false;
	return c->caps != 0 || (c->level != 0 && (shared->offers & OFFER_LOGGING));
}

/* A peer that is ready for it; NULL: it waits (*why absent), or cannot be done. */
static struct bridge_peer *choose(struct bridge *b, struct bridge_call *c, struct span *why)
{
	struct bridge_peer *p = peer_shared(b, why);

	c->peer = -1;
	if (p && p->state == PEER_READY && !b->modern && is_private(b, c, p))
		p = peer_private(b, c, why);
	if (!p)
		return NULL;
	c->peer = (int16_t)p->index;
	return p->state == PEER_READY ? p : NULL;
}

static void here(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, const struct mcp_message *m)
{
	if (!b->modern && !method_is_old(c->method)) {
		call_fault(b, c, MCP_METHOD_NOT_FOUND, SPAN("this upstream speaks an older revision, which has no such method"));
	} else if (!b->modern && !method_is_offered(c->method, p->offers)) {
		call_fault(b, c, MCP_METHOD_NOT_FOUND, SPAN("this upstream does not offer the capability of that method"));
	} else if (!b->modern && c->method == MCP_DISCOVER) {
		result_discover(b, c);
	} else if (!b->modern && c->method == MCP_LISTEN) {
		listen_open(b, c, m);
	} else if (!send_call(b, p, c, m)) {
		b->counts.refused_busy++;
		call_fault(b, c, MCP_INTERNAL, SPAN("is busy: it does not read what it was sent; try again shortly"));
	}
}

/* How many of its principal wait for conversations of their own. */
static unsigned crowd(const struct bridge *b, const struct bridge_call *c)
{
	unsigned n = 0;

	for (const struct list *x = b->waiting.next; x != &b->waiting; x = x->next) {
		const struct bridge_call *o = LIST_OWNER(x, struct bridge_call, node);
		n += o->peer != 0 && span_eq(call_principal(o), call_principal(c));
	}
	return n;
}

static void keep_waiting(struct bridge *b, struct bridge_call *c, struct span line)
{
	if (c->peer == 0 || crowd(b, c) < (b->s.waiting_max + 1) / 2)
		c->text = text_keep(b, line);
	if (!c->text) {
		b->counts.refused_busy++;
		call_fault(b, c, MCP_INTERNAL, SPAN("is busy: too many calls wait for it; try again shortly"));
		return;
	}
	c->until_ms = bridge_now(b) + b->s.start_ms;
	bridge_due(b, c->until_ms);
	list_append(&b->waiting, &c->node);
}

void go_fresh(struct bridge *b, struct bridge_call *c, struct span line, const struct mcp_message *m)
{
	struct span why = NOTHING;
	struct bridge_peer *p;

	if (c->has_state && bridge_legacy(b) && retry_call(b, c, m))
		return;
	p = choose(b, c, &why);
	if (p)
		here(b, p, c, m);
	else if (!span_absent(why))
		call_fault(b, c, MCP_INTERNAL, why);
	else
		keep_waiting(b, c, line);
}

static void go_on(struct bridge *b, struct bridge_peer *p, struct bridge_call *c)
{
	struct bridge_text *text = c->text;
	struct mcp_message m;
	size_t where;

	c->text = NULL;
	list_remove(&c->node);
	/* It has passed all this before. */
	if (json_read(&b->json, b->table, span_of(text->p, text->n), &where) != JSON_OK || mcp_message_read(&m, &b->json).code != 0 ||
	    mcp_request_meta(&m, &b->json).code != 0 || mcp_request_params(&m, &b->json).code != 0)
		call_fault(b, c, MCP_INTERNAL, SPAN("could not be asked"));
	else if (!(c->has_state && bridge_legacy(b) && retry_call(b, c, &m)))
		here(b, p, c, &m);
	text_give(b, &text);
}

void go_waiting(struct bridge *b)
{
	for (struct list *n = b->waiting.next, *next; n != &b->waiting; n = next) {
		struct bridge_call *c = LIST_OWNER(n, struct bridge_call, node);
		struct span why = NOTHING;
		struct bridge_peer *p = choose(b, c, &why);

		next = n->next;
		if (p)
			go_on(b, p, c);
		else if (!span_absent(why))
			call_fault(b, c, MCP_INTERNAL, why);
	}
}
