/* The parent's side of the launcher: one for the house, whatever generation needs it. */
#include "os/pass.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/graph.h"
#include "role/launcher.h"
#include "role/log.h"
#include "wire/crypto.h"

enum { HURRY_MS = 2000 };

static _Noreturn void become_guard(struct house *h, struct generation *first, int channel)
{
	static struct launcher_start s;

	s = (struct launcher_start){ .path = h->path, .first = &first->config, .number = first->number, .parent_pid = h->pid, .channel = channel,
		.null_fd = h->null_fd, .log_fd = h->log_fd, .root = proc_is_root() };
	/* It has no business with these, and what it starts even less. */
	crypto_wipe(h->seed, sizeof h->seed);
	map_drop(h->metrics, LISTEN_USERS * sizeof h->metrics[0]);
	map_drop(h->replay, replay_need(HOUSE_REPLAY_MARKS));
	material_drop(&first->material);
	launcher_guard(&s);
}

bool launching_begin(struct house *h, struct generation *first)
{
	struct child *c = &h->launcher;
	int ours, theirs;

	c->channel.fd = -1;
	if (!graph_channel(&ours, &theirs))
		return false;
	c->house = h;
	c->role = ROLE_LAUNCHER;
	c->phase = PHASE_STARTING;
	c->pid = proc_fork();
	if (c->pid == 0)
		become_guard(h, first, theirs);
	sock_close(theirs);
	if (c->pid > 0)
		return child_listen(c, ours);
	c->pid = 0;
	sock_close(ours);
	return false;
}

/* READY, and not told to end. */
static bool up(const struct house *h)
{
	return h->launcher.pid && h->launcher.phase == PHASE_SERVING;
}

void launching_load(struct house *h, struct generation *g)
{
	union msg m = { .load = { MSG_LOAD, g->number, { 0 } } };

	if (!g->programs || !up(h))
		return; /* else when it is READY */
	memcpy(m.load.sha256, g->config.sha256, sizeof m.load.sha256);
	child_tell(&h->launcher, &m, -1);
}

void launching_join(struct child *bridge)
{
	struct house *h = bridge->house;
	struct generation *g = bridge->of;
	int pair[2];

	if (g->config.conf->servers[bridge->index].kind != CONF_STDIO || !up(h))
		return;
	if (!pass_pair(pair)) {
		child_kill(bridge); /* started again, it asks for the edge again */
		return;
	}
	child_tell(bridge, &(union msg){ .link = { MSG_LINK, ROLE_LAUNCHER, 0, 0 } }, pair[0]);
	child_tell(&h->launcher, &(union msg){ .link = { MSG_LINK, ROLE_BRIDGE, bridge->index, g->number } }, pair[1]);
	sock_close(pair[0]);
	sock_close(pair[1]);
}

void launching_forget(struct house *h, struct generation *g)
{
	if (g->programs && up(h))
		child_tell(&h->launcher, &(union msg){ .forget = { MSG_FORGET, g->number } }, -1);
}

/* The first time, and whenever its guard has started another. */
void launching_ready(struct house *h)
{
	h->state_changed = true;
	for (unsigned i = 0; i < LISTEN_USERS; i++) {
		struct generation *g = &h->generations[i];

		if (g->state == GENERATION_FREE)
			continue;
		launching_load(h, g);
		for (unsigned k = 0; k < g->nchildren; k++)
			if (g->children[k].role == ROLE_BRIDGE && g->children[k].pid)
				launching_join(&g->children[k]);
	}
}

bool launching_ended(struct house *h, int pid)
{
	struct child *c = &h->launcher;

	if (!pid || c->pid != pid)
		return false;
	c->pid = 0;
	child_kill(c); /* closes the channel */
	c->phase = PHASE_STARTING;
	h->state_changed = true;
	if (h->launcher_until_ms == 0)
		log_line(LOG_ERROR, SPAN("the launcher's guard is gone: servers with a \"command\" end and cannot be started again; restart Postern"));
	for (unsigned i = 0; i < LISTEN_USERS; i++)
		if (h->generations[i].state == GENERATION_STARTING && h->generations[i].programs && !h->generations[i].loaded)
			house_loaded(h, &(struct msg_loaded){ MSG_LOADED, h->generations[i].number, 0 });
	return true;
}

void launching_end(struct house *h)
{
	struct child *c = &h->launcher;

	if (h->launcher_until_ms == 0) {
		h->launcher_until_ms = h->loop.now_ms + LAUNCHER_GRACE_MS;
		if (up(h)) {
			child_tell(c, &(union msg){ .drain = { MSG_DRAIN, LAUNCHER_GRACE_MS } }, -1);
			c->phase = PHASE_DRAINING;
			return;
		}
	} else if (h->loop.now_ms < h->launcher_until_ms) {
		return;
	}
	h->launcher_until_ms = h->loop.now_ms + HURRY_MS;
	child_kill(c); /* the launcher hears of it and ends all it has started */
}
