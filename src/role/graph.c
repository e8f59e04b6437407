/*
 *                     parent ------------------ desk
 *                    /      \
 *   clients == worker ====== provider (a built-in server)
 *                 \\
 *                  == upstreams
 *
 *   ---  channel: packets of role/msg.h, parent and one role        ===  byte stream: HTTP, or MCP lines over a socket pair
 *
 * Every worker has a stream to every provider of its generation and to no other process. Nothing else is connected with anything.
 */
#include "role/graph.h"

#include "os/pass.h"
#include "os/sock.h"

bool graph_channel(int *ours, int *theirs)
{
	int pair[2];

	if (!pass_pair(pair))
		return false;
	*ours = pair[0];
	*theirs = pair[1];
	return true;
}

static void edge(struct child *worker, struct child *provider)
{
	int pair[2];

	if (!sock_pair(pair)) {
		child_kill(worker); /* started again, it asks for the edge again */
		return;
	}
	child_tell(worker, &(union msg){ .link = { MSG_LINK, provider->index } }, pair[0]);
	child_tell(provider, &(union msg){ .link = { MSG_LINK, worker->index } }, pair[1]);
	sock_close(pair[0]);
	sock_close(pair[1]);
}

void graph_join(struct child *c)
{
	struct generation *g = c->of;

	for (unsigned i = 0; i < g->nchildren; i++) {
		struct child *other = &g->children[i];

		if (other->pid == 0)
			continue;
		if (c->role == ROLE_WORKER && other->role == ROLE_PROVIDER)
			edge(c, other);
		else if (c->role == ROLE_PROVIDER && other->role == ROLE_WORKER)
			edge(other, c);
	}
}
