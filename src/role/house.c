/* How generations begin, serve, are told to finish, and end. */
#include "role/house.h"

#include "os/jail.h"
#include "os/proc.h"
#include "role/log.h"
#include "role/serving.h"

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
		h->exit_status = HOUSE_ENVIRONMENT;
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

void house_ended(struct child *c)
{
	struct generation *g = c->of;
	struct house *h = c->house;
	int64_t delay_ms = 0;

	h->state_changed = true;
	c->start_at_ms = 0;
	if (c->role == ROLE_STDIO && c->phase != PHASE_STARTING) { /* its client has left, or nobody can speak with it any more */
		if (!h->stopping)
			house_stop(h);
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

/* ---- reload and stop ---- */

static struct generation *vacant(struct house *h)
{
	for (unsigned i = 0; i < LISTEN_USERS; i++)
		if (h->generations[i].state == GENERATION_FREE)
			return &h->generations[i];
	return NULL;
}

void house_start(struct house *h, struct generation *g)
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
		house_start(h, g);
		return;
	}
	log_lines(LOG_ERROR, buf_span(&errors));
	log_line(LOG_ERROR, SPAN("reload refused: the old configuration stays"));
}

void house_stop(struct house *h)
{
	if (h->stopping) {
		log_line(LOG_WARN, SPAN("stopped at once"));
		for (unsigned i = 0; i < LISTEN_USERS; i++)
			each_child(&h->generations[i], ROLES, child_kill);
		h->exit_status = HOUSE_WRONG;
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

bool house_lives(const struct house *h)
{
	for (unsigned i = 0; i < LISTEN_USERS; i++)
		if (h->generations[i].state != GENERATION_FREE)
			return true;
	return false;
}

int house_tick(struct house *h)
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
	if (h->stopping && h->launcher.pid && !house_lives(h)) {
		launching_end(h);
		next_ms = sooner(next_ms, h->launcher_until_ms - h->loop.now_ms);
	}
	return (int)next_ms;
}
