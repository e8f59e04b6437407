/*
 *                     parent ------------------ desk, keeper, broker, elder
 *                    /      \
 *   clients == worker ====== provider (a built-in server)
 *              |  | \\
 *              |  |  == upstreams
 *              |  +++++++++++ keeper (private keys)
 *              |              +
 *              +++++++++++ broker == authorization servers
 *              |
 *               ==++====== elder (sessions of older revisions)
 *
 *   `postern stdio`, instead of clients and desk:   client == stdio ++++ worker
 *
 *   ---  channel: packets of role/msg.h, parent and one role        ===  byte stream: HTTP, or MCP lines over a socket pair
 *   +++  packets: signatures (role/msg.h), or what the broker is asked (flow/broker_msg.h)
 *
 * Every worker has a stream to every provider of its generation, an edge to its keeper and one to its broker; the broker has one to the keeper.
 * With the elder it has two: a stream of frames (flow/elder_msg.h), and packets that bring the connections on which the elder is its client. The
 * latter it has with the process at the client's pipes too.
 * Nothing else is connected with anything.
 */
#include "role/graph.h"

#include "os/pass.h"
#include "os/sock.h"

enum { SIGN_WAIT_MS = 1000 }; /* who asks for a signature waits for it, so long at most */

enum kind { STREAM, PACKETS, ASKING /* packets; the first end waits for answers */, INNER /* packets, beside a stream */ };

static const struct { enum role one, other; enum kind kind; } edges[] = {
	{ ROLE_WORKER, ROLE_PROVIDER, STREAM },
	{ ROLE_WORKER, ROLE_BRIDGE, STREAM },
	{ ROLE_WORKER, ROLE_KEEPER, ASKING },
	{ ROLE_WORKER, ROLE_BROKER, PACKETS },
	{ ROLE_BRIDGE, ROLE_BROKER, PACKETS },
	{ ROLE_BROKER, ROLE_KEEPER, ASKING },
	{ ROLE_WORKER, ROLE_ELDER, STREAM },
	{ ROLE_WORKER, ROLE_ELDER, INNER },
	{ ROLE_WORKER, ROLE_STDIO, INNER },
};

bool graph_channel(int *ours, int *theirs)
{
	int pair[2];

	if (!pass_pair(pair))
		return false;
	*ours = pair[0];
	*theirs = pair[1];
	return true;
}

static bool pair_of(enum kind kind, int pair[2])
{
	switch (kind) {
	case STREAM:
		return sock_pair(pair);
	case PACKETS:
	case INNER:
		return pass_pair(pair);
	case ASKING:
	default:
		return pass_pair_asking(pair, SIGN_WAIT_MS);
	}
}

static void edge(enum kind kind, struct child *one, struct child *other)
{
	uint32_t type = kind == INNER ? MSG_INNER : MSG_LINK;
	int pair[2];

	if (!pair_of(kind, pair)) {
		child_kill(one); /* started again, it asks for the edge again */
		return;
	}
	child_tell(one, &(union msg){ .link = { type, other->role, other->index, 0 } }, pair[0]);
	child_tell(other, &(union msg){ .link = { type, one->role, one->index, 0 } }, pair[1]);
	sock_close(pair[0]);
	sock_close(pair[1]);
}

void graph_join(struct child *c)
{
	struct generation *g = c->of;

	if (c->role == ROLE_BRIDGE)
		launching_join(c);
	for (unsigned i = 0; i < g->nchildren; i++) {
		struct child *other = &g->children[i];

		if (other->pid == 0)
			continue;
		for (unsigned k = 0; k < sizeof edges / sizeof edges[0]; k++) {
			if (c->role == edges[k].one && other->role == edges[k].other)
				edge(edges[k].kind, c, other);
			else if (c->role == edges[k].other && other->role == edges[k].one)
				edge(edges[k].kind, other, c);
		}
	}
}
