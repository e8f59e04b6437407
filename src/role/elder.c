#include "role/elder.h"

#include "os/clock.h"
#include "os/proc.h"
#include "role/elder_edge.h"
#include "role/log.h"
#include "wire/crypto.h"

enum { EXCHANGES_MAX = 1024, LARGES_MIN = 2, LARGES_MAX = 64 };

static struct edge_settings settings;
static const struct entry *self;
static enum phase phase = PHASE_STARTING;

/* ---- settings ---- */

static unsigned worker_count(const struct conf *c) { return c->workers ? c->workers : proc_cores(); }

static void from(const struct conf *c, struct edge_settings *to)
{
	struct elder_settings *s = &to->elder;
	struct exchange_settings *x = &to->pool;
	uint64_t calls = (uint64_t)worker_count(c) * ((c->memory.requests + 1) / 2), n = calls + (uint64_t)worker_count(c) * c->memory.listens;

	memset(to, 0, sizeof *to);
	s->version = SPAN(POSTERN_VERSION);
	s->workers = worker_count(c);
	s->sessions = c->memory.legacy_sessions;
	s->sessions_each = (s->sessions + 3) / 4;
	s->calls = calls < EXCHANGES_MAX ? (uint32_t)calls : EXCHANGES_MAX;
	s->body_max = c->memory.body;
	s->reply_max = c->memory.reply;
	s->kept = c->memory.legacy_kept > 4 * c->memory.body ? c->memory.legacy_kept : 4 * c->memory.body; /* a caller has half of it, and that holds a request */
	s->kept_each = s->kept / 4;
	s->tokens = c->memory.tokens;
	s->idle_ms = ELDER_IDLE_MS;
	x->exchanges = n < EXCHANGES_MAX ? (uint32_t)n : EXCHANGES_MAX;
	x->larges = c->memory.large / 2 < LARGES_MIN ? LARGES_MIN : c->memory.large / 2 < LARGES_MAX ? c->memory.large / 2 : LARGES_MAX;
	x->request_max = (uint32_t)c->memory.body + EXCHANGE_SMALL;
	x->reply_max = (uint32_t)c->memory.reply + ELDER_GROWTH;
}

void elder_role_budget(const struct conf *c, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to)
{
	struct edge_settings s;

	from(c, &s);
	edge_budget(&s, row, to);
}

size_t elder_role_need(const struct conf *c)
{
	struct edge_settings s;

	from(c, &s);
	return edge_need(&s);
}

/* How many descriptors it may hold open besides its channel, its loop and the three standard ones. */
static unsigned elder_files(const struct conf *c)
{
	struct edge_settings s;

	from(c, &s);
	return s.pool.exchanges + 4 * worker_count(c) + 8; /* two edges, which come before those they replace are closed; the far end of a new pair */
}

/* ---- the role ---- */

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_LINK:
	case MSG_INNER:
		if (m->link.of != ROLE_WORKER || m->link.peer >= settings.elder.workers)
			role_end("an edge to a role that has nothing to do with it");
		if (m->type == MSG_LINK)
			edge_frames(m->link.peer, fd);
		else
			edge_packets(m->link.peer, fd);
		break;
	case MSG_DRAIN: /* the workers are gone, and with them all clients */
		proc_exit(0);
	}
}

void elder_run(struct elder_start *p)
{
	struct entry *e = p->entry;
	int wait_ms = 0;

	from(p->conf, &settings);
	if (!clock_random(settings.elder.entropy, sizeof settings.elder.entropy) || !clock_random(settings.elder.seed, sizeof settings.elder.seed)) {
		log_line(LOG_ERROR, SPAN("no random bytes"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	e->list = &seccomp_elder;
	e->need = edge_need(&settings);
	e->files = elder_files(p->conf);
	role_enter(e);

	self = e;
	edge_place(e->memory, &settings, &e->loop);
	crypto_wipe(settings.elder.entropy, sizeof settings.elder.entropy);
	if (!role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot watch its channel"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, wait_ms))
		wait_ms = edge_turn();
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
