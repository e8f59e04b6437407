#include "role/parent.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/jail.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/house.h"
#include "role/log.h"
#include "role/seccomp_table.h"
#include "role/serving.h"

enum { EXIT_STOPPED = 0, EXIT_WRONG = 1, EXIT_ENVIRONMENT = 3 };

static struct house house;

static void each_child(struct generation *g, enum role role, void (*act)(struct child *))
{
	for (unsigned i = 0; i < g->nchildren; i++)
		if (role == ROLES || g->children[i].role == role)
			act(&g->children[i]);
}

static unsigned running(const struct generation *g, enum role role)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->nchildren; i++)
		n += g->children[i].pid != 0 && (role == ROLES || g->children[i].role == role);
	return n;
}

static void drain_now(struct child *c)
{
	if (c->phase != PHASE_DRAINING)
		child_tell(c, &(union msg){ .drain = { MSG_DRAIN, HOUSE_KILL_MS / 2 } }, -1);
	c->phase = PHASE_DRAINING;
}

static void tell_desks(struct house *h)
{
	struct generation *g = h->serving ? h->serving : h->starting;
	union msg m = { .state = { .type = MSG_STATE, .draining = h->stopping } };

	if (g) {
		m.state.generation = g->number;
		m.state.wanted = g->nchildren + g->programs;
		m.state.up = g->programs && h->launcher.pid && h->launcher.phase == PHASE_SERVING;
		m.state.missing = g->missing;
		for (unsigned i = 0; i < g->nchildren; i++)
			m.state.up += g->children[i].pid && g->children[i].phase == PHASE_SERVING;
	}
	for (unsigned i = 0; i < LISTEN_USERS; i++)
		for (unsigned k = 0; k < h->generations[i].nchildren; k++)
			if (h->generations[i].children[k].role == ROLE_DESK)
				child_tell(&h->generations[i].children[k], &m, -1);
	h->state_changed = false;
}

/* ---- a generation's life ---- */

/* Workers first: they still need all others, and the desk says meanwhile that we are not ready. */
static void generation_drain(struct house *h, struct generation *g)
{
	uint32_t grace_ms = (uint32_t)g->config.conf->timeouts.drain_ms;

	g->state = GENERATION_DRAINING;
	g->deadline_ms = h->loop.now_ms + grace_ms + HOUSE_KILL_MS;
	for (unsigned i = 0; i < g->nchildren; i++) {
		struct child *c = &g->children[i];

		if (c->role == ROLE_WORKER && c->phase == PHASE_STARTING)
			child_kill(c);
		else if (c->role == ROLE_WORKER)
			child_tell(c, &(union msg){ .drain = { MSG_DRAIN, grace_ms } }, -1);
		if (c->role == ROLE_WORKER)
			c->phase = PHASE_DRAINING;
	}
	/* A new desk has taken over; while we stop there is none, and this one stays to the end. */
	if (!h->stopping)
		each_child(g, ROLE_DESK, drain_now);
}

/* Bridges end sessions of servers that may want credentials for that: those who have these go last. */
static void drain_rest(struct generation *g)
{
	bool bridges = running(g, ROLE_BRIDGE) > 0;

	for (unsigned i = 0; i < g->nchildren; i++)
		if (!bridges || (g->children[i].role != ROLE_BROKER && g->children[i].role != ROLE_KEEPER))
			drain_now(&g->children[i]);
}

static void generation_step(struct house *h, struct generation *g)
{
	if (g->state == GENERATION_DRAINING && !g->ending && running(g, ROLE_WORKER) == 0) {
		g->ending = true;
		g->deadline_ms = h->loop.now_ms + HOUSE_KILL_MS;
	}
	if (g->ending)
		drain_rest(g);
	if ((g->condemned || g->ending) && running(g, ROLES) == 0) {
		if (g->state == GENERATION_DRAINING && !h->stopping) {
			struct buf *b = log_begin(LOG_INFO);

			BUF_LIT(b, "generation ");
			buf_u64(b, g->number);
			BUF_LIT(b, " has ended");
			log_end();
		}
		generation_release(h, g);
	}
}

/* A starting generation is given up; the serving one, if there is one, never noticed. */
static void condemn(struct house *h, struct generation *g)
{
	if (g->condemned)
		return;
	g->condemned = true;
	h->starting = NULL;
	each_child(g, ROLES, child_kill);
	if (h->serving) {
		log_line(LOG_ERROR, SPAN("reload refused: the new generation does not start; the old configuration stays"));
	} else if (!h->stopping) {
		log_line(LOG_ERROR, SPAN("cannot start"));
		h->stopping = true;
		h->exit_status = EXIT_ENVIRONMENT;
	}
}

static void all_ready(struct house *h, struct generation *g)
{
	struct generation *old = h->serving;

	g->state = GENERATION_SERVING;
	h->starting = NULL;
	h->serving = g;
	tell_desks(h); /* before anybody reads that we are ready */
	for (unsigned bit = 0; bit < JAIL_BITS; bit++)
		if (g->missing >> bit & 1)
			log_line(LOG_WARN, span_z(jail_missing_text(bit)));
	if (old) {
		struct buf *b = log_begin(LOG_INFO);

		BUF_LIT(b, "reloaded: generation ");
		buf_u64(b, g->number);
		BUF_LIT(b, " serves, generation ");
		buf_u64(b, old->number);
		BUF_LIT(b, " finishes what it has begun");
		log_end();
		serving_log(g);
		generation_drain(h, old);
	} else if (h->stdio) {
		serving_log(g);
	} else {
		serving_print(g);
	}
}

/* Whether every child is SERVING, or every one that is no worker. */
static bool serving(const struct generation *g, bool workers_too)
{
	for (unsigned i = 0; i < g->nchildren; i++)
		if (g->children[i].phase != PHASE_SERVING && (workers_too || g->children[i].role != ROLE_WORKER))
			return false;
	return true;
}

static void start_those(struct generation *g, bool workers)
{
	for (unsigned i = 0; i < g->nchildren && !g->condemned; i++)
		if ((g->children[i].role == ROLE_WORKER) == workers)
			child_start(&g->children[i]);
}

/* Workers come last: from their first moment on they accept, and nobody who is served already may get to one whose generation is given up
 * because a key or a secret is wrong. */
static void advance(struct house *h, struct generation *g)
{
	if (!g->workers_begun && serving(g, false) && (!g->programs || g->loaded)) {
		g->workers_begun = true;
		start_those(g, true);
	}
	if (!g->condemned && g->workers_begun && serving(g, true))
		all_ready(h, g);
}

void house_ready(struct child *c, unsigned missing)
{
	struct generation *g = c->of;
	struct house *h = c->house;

	g->missing |= missing;
	h->state_changed = true;
	if (g->state != GENERATION_STARTING || g->condemned)
		return;
	if (missing && g->config.conf->strict) {
		for (unsigned bit = 0; bit < JAIL_BITS; bit++)
			if (missing >> bit & 1)
				log_line(LOG_ERROR, span_z(jail_missing_text(bit)));
		log_line(LOG_ERROR, SPAN("the configuration says \"strict\": true, so nothing is served without that"));
		condemn(h, g);
		return;
	}
	advance(h, g);
}

void house_loaded(struct house *h, const struct msg_loaded *m)
{
	for (unsigned i = 0; i < LISTEN_USERS; i++) {
		struct generation *g = &h->generations[i];

		if (g->state == GENERATION_FREE || g->number != m->generation)
			continue;
		g->loaded = m->right != 0;
		if (g->state == GENERATION_STARTING && !g->condemned && g->loaded)
			advance(h, g);
		else if (g->state == GENERATION_STARTING && !g->condemned)
			condemn(h, g);
	}
}

static void stop(struct house *h);

void house_ended(struct child *c)
{
	struct generation *g = c->of;
	struct house *h = c->house;
	int64_t delay_ms = 0;

	h->state_changed = true;
	c->start_at_ms = 0;
	if (c->role == ROLE_STDIO && c->phase != PHASE_STARTING) { /* its client has left, or nobody can speak with it any more */
		if (!h->stopping)
			stop(h);
		return;
	}
	if (g->state == GENERATION_STARTING) {
		condemn(h, g);
		return;
	}
	if (g->state != GENERATION_SERVING)
		return;
	if (h->loop.now_ms - c->started_ms >= HOUSE_STEADY_MS)
		c->failures = 0;
	if (c->failures > 0)
		delay_ms = c->failures > 6 ? HOUSE_RESTART_MAX_MS : HOUSE_RESTART_MIN_MS << (c->failures - 1);
	if (delay_ms > HOUSE_RESTART_MAX_MS)
		delay_ms = HOUSE_RESTART_MAX_MS;
	c->failures++;
	c->phase = PHASE_STARTING;
	c->start_at_ms = h->loop.now_ms + delay_ms;
	if (delay_ms > 0) {
		struct buf *b = log_begin(LOG_WARN);

		child_name(b, c);
		BUF_LIT(b, " starts again in ");
		buf_i64(b, delay_ms);
		BUF_LIT(b, " ms");
		log_end();
	}
}

/* ---- signals ---- */

static struct generation *vacant(struct house *h)
{
	for (unsigned i = 0; i < LISTEN_USERS; i++)
		if (h->generations[i].state == GENERATION_FREE)
			return &h->generations[i];
	return NULL;
}

static void start_all(struct house *h, struct generation *g)
{
	h->starting = g;
	g->deadline_ms = h->loop.now_ms + HOUSE_START_MS;
	g->workers_begun = false;
	launching_load(h, g);
	start_those(g, false);
	advance(h, g);
}

static void reload(struct house *h)
{
	struct buf errors = config_errors();
	struct generation *g = vacant(h);

	if (h->starting || !g)
		return; /* asked again when there is room for a generation */
	h->reload_wanted = false;
	if (generation_prepare(h, g, &errors) == CONFIG_RIGHT) {
		start_all(h, g);
		return;
	}
	log_lines(LOG_ERROR, buf_span(&errors));
	log_line(LOG_ERROR, SPAN("reload refused: the old configuration stays"));
}

static void stop(struct house *h)
{
	if (h->stopping) {
		log_line(LOG_WARN, SPAN("stopped at once"));
		for (unsigned i = 0; i < LISTEN_USERS; i++)
			each_child(&h->generations[i], ROLES, child_kill);
		h->exit_status = EXIT_WRONG;
		return;
	}
	log_line(LOG_INFO, SPAN("stopping: finishing what is in flight"));
	h->stopping = true;
	h->reload_wanted = false;
	h->state_changed = true;
	if (h->starting)
		condemn(h, h->starting);
	if (h->serving)
		generation_drain(h, h->serving);
}

static void on_signals(struct loop_item *item, unsigned events)
{
	enum proc_signal s;

	(void)events;
	while ((s = proc_signal_take(item->fd)) != PROC_NO_SIGNAL) {
		if (s == PROC_CHILD)
			child_reap(&house);
		else if (s == PROC_STOP)
			stop(&house);
		else if (house.stdio)
			log_line(LOG_WARN, SPAN("SIGHUP: this client keeps its configuration to its end; start anew for another"));
		else if (!house.stopping)
			house.reload_wanted = true;
	}
}

/* ---- the loop ---- */

static int64_t sooner(int64_t a_ms, int64_t b_ms)
{
	return a_ms < 0 || b_ms < a_ms ? b_ms : a_ms;
}

static int64_t generation_tick(struct house *h, struct generation *g)
{
	int64_t now_ms = h->loop.now_ms, next_ms = -1;

	for (unsigned i = 0; i < g->nchildren; i++) {
		struct child *c = &g->children[i];

		if (g->state != GENERATION_SERVING || c->pid)
			continue;
		if (c->start_at_ms <= now_ms)
			child_start(c);
		if (!c->pid)
			next_ms = sooner(next_ms, c->start_at_ms - now_ms);
	}
	if (g->state == GENERATION_STARTING && !g->condemned && g->deadline_ms <= now_ms) {
		log_line(LOG_ERROR, SPAN("the new generation was not ready in time"));
		condemn(h, g);
	} else if (g->state == GENERATION_DRAINING && g->deadline_ms <= now_ms) {
		each_child(g, g->ending ? ROLES : ROLE_WORKER, child_kill);
		g->deadline_ms = now_ms + HOUSE_KILL_MS;
	}
	if (g->state == GENERATION_DRAINING || (g->state == GENERATION_STARTING && !g->condemned))
		next_ms = sooner(next_ms, g->deadline_ms - now_ms);
	generation_step(h, g);
	return next_ms;
}

static bool anyone(const struct house *h)
{
	for (unsigned i = 0; i < LISTEN_USERS; i++)
		if (h->generations[i].state != GENERATION_FREE)
			return true;
	return false;
}

static int tick(struct house *h)
{
	int64_t next_ms = -1;

	if (h->reload_wanted)
		reload(h);
	for (unsigned i = 0; i < LISTEN_USERS; i++)
		if (h->generations[i].state != GENERATION_FREE) {
			int64_t g_ms = generation_tick(h, &h->generations[i]);

			if (g_ms >= 0)
				next_ms = sooner(next_ms, g_ms);
		}
	if (h->reload_wanted && !h->starting && vacant(h))
		next_ms = 0;
	if (h->state_changed)
		tell_desks(h);
	if (h->serving && h->serving->state == GENERATION_FREE)
		h->serving = NULL;
	if (h->stopping && h->launcher.pid && !anyone(h)) {
		launching_end(h);
		next_ms = sooner(next_ms, h->launcher_until_ms - h->loop.now_ms);
	}
	return (int)next_ms;
}

/* ---- the beginning ---- */

static int environment(const char *what)
{
	log_line(LOG_ERROR, span_z(what));
	return EXIT_ENVIRONMENT;
}

#ifndef POSTERN_SANITIZE
static bool walls(void)
{
	unsigned missing = 0; /* roles report it */

	return jail_privileges(&missing)
		&& jail_probe_dies(seccomp_parent.ops, seccomp_parent.nops, JAIL_PROBE_EXEC)
		&& jail_filter(seccomp_parent.ops, seccomp_parent.nops) && clock_call();
}
#else
static bool walls(void)
{
	return true;
}
#endif

/* What needs root, and what the parent's own list does not allow any more. */
static bool open_house(struct house *h)
{
	int *const keep[2] = { &h->door[0], &h->door[1] };
	void *replay;

	h->null_fd = file_open_null();
	if (h->stdio && h->null_fd >= 0) { /* what was closed is /dev/null by now: an input that ends at once, an output that nobody reads */
		h->door[0] = file_another(0);
		h->door[1] = file_another(1);
		if (h->door[0] < 0 || h->door[1] < 0)
			return false;
	}
	if (h->null_fd < 0 || !jail_descriptors(keep, h->stdio ? 2 : 0, h->stdio ? h->null_fd : -1, -1))
		return false;
	h->null_fd = file_open_null();
	h->log_fd = log_open();
	h->pid = proc_id();
	h->metrics = map_shared(LISTEN_USERS * sizeof h->metrics[0]);
	replay = map_shared(replay_need(HOUSE_REPLAY_MARKS));
	h->replay = replay ? replay_place(replay, HOUSE_REPLAY_MARKS) : NULL;
	h->signals.fd = proc_signals();
	h->signals.event = on_signals;
	h->exit_status = -1;
	proc_files_raise();
	listen_start(&h->sockets);
	return h->null_fd >= 0 && h->metrics && h->replay && h->signals.fd >= 0 && clock_random(h->seed, sizeof h->seed) && loop_open(&h->loop)
		&& loop_add(&h->loop, &h->signals);
}

static int run(struct house *h, struct span config_path)
{
	struct buf errors = config_errors();
	int wait_ms = 0;

	log_name("parent");
	proc_name("postern");
	h->path = config_path;
	if (!open_house(h))
		return environment("cannot start: /dev/null, epoll, signals, shared memory and randomness are needed, and Linux 5.9 or later");
	if (proc_is_root())
		sock_listen_owner(PROC_NOBODY);
	switch (generation_prepare(h, &h->generations[0], &errors)) {
	case CONFIG_WRONG:
		file_write(2, buf_span(&errors));
		return EXIT_WRONG;
	case CONFIG_UNREADABLE:
		file_write(2, buf_span(&errors));
		return EXIT_ENVIRONMENT;
	case CONFIG_RIGHT:
		break;
	}
	if (h->generations[0].programs && !launching_begin(h, &h->generations[0]))
		return environment("cannot start: there can be no further process");
	if (proc_is_root() && !proc_become(PROC_NOBODY))
		return environment("started as root and cannot become user 65532: give it CAP_SETUID and CAP_SETGID, or start it as another user");
	sock_listen_owner(0);
	if (!walls())
		return environment("the parent's own jail does not stand: the kernel refuses the syscall filter");
	start_all(h, &h->generations[0]);
	while (h->exit_status != EXIT_WRONG && (anyone(h) || h->launcher.pid || !h->stopping)) {
		wait_ms = tick(h);
		if ((anyone(h) || h->launcher.pid) && !loop_wait(&h->loop, wait_ms))
			return environment("epoll failed");
	}
	return h->exit_status >= 0 ? h->exit_status : h->door_failed ? EXIT_WRONG : EXIT_STOPPED;
}

int parent_run(struct span config_path) { return run(&house, config_path); }

int parent_run_stdio(struct span config_path)
{
	house.stdio = true;
	return run(&house, config_path);
}
