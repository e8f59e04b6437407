#include "role/bridge.h"

#include "base/carve.h"
#include "os/clock.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/bridge_child.h"
#include "role/bridge_http.h"
#include "role/talk.h"
#include "role/log.h"
#include "wire/crypto.h"

enum {
	LINE_SLACK = 4096,         /* what a worker may add to a client's message */
	LINES_A_TURN = 64,
	STUCK_MS = 10000,          /* a worker that takes nothing for so long is closed, or all others would wait for it */
	PROBE_MS = 5000, PARK_MS = 5 * 60 * 1000, PRIVATE_IDLE_MS = 5 * 60 * 1000, TTL_MS = 5 * 60 * 1000,
	WAITING_MAX = 32, PARKS_MAX = 64, PARKS_EACH = 8, LISTENS_MAX = 256
};

static struct bridge_settings settings;
static struct bridge *bridge;
static bool at_url;                /* its peers are HTTP sessions, not children */
static struct talk workers[CONF_WORKERS_MAX];
static struct entry *self;
static enum phase phase = PHASE_STARTING;

/* ---- what the configuration says ---- */

static unsigned least(uint64_t a, uint64_t b)
{
	return (unsigned)(a < b ? a : b);
}

void bridging_settings(const struct conf *c, unsigned server, struct bridge_settings *s)
{
	static const enum bridge_era eras[] = { [CONF_ERA_AUTO] = BRIDGE_AUTO, [CONF_ERA_MODERN] = BRIDGE_MODERN, [CONF_ERA_LEGACY] = BRIDGE_LEGACY };
	const struct conf_server *v = &c->servers[server];
	unsigned n = c->workers ? c->workers : proc_cores();

	memset(s, 0, sizeof *s);
	s->name = v->name;
	s->version = SPAN(POSTERN_VERSION);
	s->era = v->kind == CONF_HTTP ? BRIDGE_LEGACY : eras[v->era]; /* whether one at a url is modern, workers find out */
	_Static_assert((int)CONF_ASK_ELICITATION == (int)BRIDGE_ASK_ELICITATION && (int)CONF_ASK_SAMPLING == (int)BRIDGE_ASK_SAMPLING &&
		(int)CONF_ASK_ROOTS == (int)BRIDGE_ASK_ROOTS, "the same bits");
	s->ask = v->ask;
	s->nworkers = n;
	s->peers_max = v->children;
	s->calls_max = least((uint64_t)n * c->memory.requests, BRIDGE_CALLS_MAX);
	s->listens_max = least((uint64_t)n * c->memory.listens, LISTENS_MAX);
	s->waiting_max = WAITING_MAX;
	s->parks_max = PARKS_MAX;
	s->parks_each = PARKS_EACH;
	s->tokens = c->memory.tokens;
	s->line_max = c->memory.body + LINE_SLACK;
	s->reply_max = c->memory.reply;
	s->silence_ms = v->kind == CONF_HTTP ? 0 : v->idle_ms < v->call_ms ? v->idle_ms : v->call_ms; /* to begin a session anew mends no server */
	s->start_ms = v->start_ms;
	s->probe_ms = v->start_ms / 3 < PROBE_MS ? v->start_ms / 3 : PROBE_MS;
	s->park_ms = PARK_MS;
	s->private_idle_ms = PRIVATE_IDLE_MS;
	s->ttl_ms = TTL_MS;
}

/* Whatever the engine may say in one line, and another behind it. */
static size_t to_worker_max(const struct bridge_settings *s)
{
	return 2 * ((size_t)s->reply_max + BRIDGE_SLACK);
}

static size_t to_peer_max(const struct bridge_settings *s)
{
	return 2 * ((size_t)(s->line_max > s->reply_max ? s->line_max : s->reply_max) + BRIDGE_SLACK);
}

static size_t worker_each(const struct bridge_settings *s)
{
	return carve_up((size_t)s->line_max + 2) + carve_up(to_worker_max(s));
}

size_t bridging_need(const struct conf *c, unsigned server)
{
	struct bridge_settings s;

	bridging_settings(c, server, &s);
	return s.nworkers * worker_each(&s) + (c->servers[server].kind == CONF_HTTP ? sessions_need(c, server, &s) : child_need(s.peers_max, (size_t)s.reply_max, to_peer_max(&s)));
}

static unsigned bridging_files(const struct conf *c, unsigned server)
{
	struct bridge_settings s;

	bridging_settings(c, server, &s);
	/* The link of a worker, or of the launcher, that is started again comes before the old one is closed. */
	return 2 * s.nworkers + 2 + (c->servers[server].kind == CONF_HTTP ? sessions_files(c, server, &s) : s.peers_max + 1);
}

/* ---- hooks ---- */

static bool to_worker(void *ctx, unsigned worker, struct span line)
{
	(void)ctx;
	return talk_put(&workers[worker], line);
}

static void say(void *ctx, struct span line)
{
	(void)ctx;
	log_line(LOG_INFO, line);
}

/* ---- workers ---- */

static void worker_close(unsigned i)
{
	if (workers[i].item.fd < 0)
		return;
	talk_close(&workers[i], &self->loop);
	bridge_worker_down(bridge, i);
}

static void worker_link(unsigned i, int fd)
{
	worker_close(i);
	if (talk_open(&workers[i], &self->loop, fd))
		bridge_worker_up(bridge, i);
}

/* Every worker could take the longest line. */
static bool room(void)
{
	for (unsigned i = 0; i < settings.nworkers; i++) {
		struct talk *l = &workers[i];

		if (l->item.fd < 0 || talk_room(l) > (size_t)settings.reply_max + BRIDGE_SLACK)
			continue;
		talk_flush(l, self->loop.now_ms);
		if (talk_room(l) <= (size_t)settings.reply_max + BRIDGE_SLACK)
			return false;
	}
	return true;
}

/* True: it has more to say. */
static bool worker_hear(unsigned i)
{
	struct talk *l = &workers[i];

	for (unsigned n = 0; n < LINES_A_TURN && l->item.fd >= 0; n++) {
		struct span line, tail;

		if (talk_room(l) <= BRIDGE_SLACK) /* who takes no answers is not asked for more */
			talk_flush(l, self->loop.now_ms);
		if (talk_room(l) <= BRIDGE_SLACK)
			return false;
		switch (talk_next(l, &line, &tail)) {
		case TALK_GOT:
			bridge_worker_line(bridge, i, line);
			break;
		case TALK_LONG:
			bridge_worker_long(bridge, i);
			break;
		case TALK_NOTHING:
			return l->readable;
		case TALK_END:
			worker_close(i);
			return false;
		}
	}
	return l->item.fd >= 0;
}

static bool workers_turn(void)
{
	bool more = false;

	for (unsigned i = 0; i < settings.nworkers; i++)
		more = worker_hear(i) || more;
	return more;
}

/* How long the next wait may last because of who does not read. */
static int workers_flush(void)
{
	int wait_ms = -1;

	for (unsigned i = 0; i < settings.nworkers; i++) {
		struct talk *l = &workers[i];

		talk_flush(l, self->loop.now_ms);
		if (l->stuck_ms == 0)
			continue;
		if (self->loop.now_ms - l->stuck_ms >= STUCK_MS) {
			log_line(LOG_WARN, SPAN("a worker takes nothing: its line is closed"));
			worker_close(i);
		} else if (wait_ms < 0 || l->stuck_ms + STUCK_MS - self->loop.now_ms < wait_ms) {
			wait_ms = (int)(l->stuck_ms + STUCK_MS - self->loop.now_ms);
		}
	}
	return wait_ms;
}

/* ---- the role ---- */

static void take_link(const struct msg_link *l, int fd)
{
	if (l->of == ROLE_BROKER && l->peer == 0 && at_url)
		sessions_link(fd);
	else if (l->of == ROLE_BROKER && l->peer == 0)
		sock_close(fd); /* it has nothing to ask it */
	else if (l->of == ROLE_LAUNCHER && !at_url)
		child_link(bridge, fd);
	else if (l->of == ROLE_WORKER && l->peer < settings.nworkers)
		worker_link(l->peer, fd);
	else
		role_end("a link to a role that has nothing to do with it");
}

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_LINK:
		take_link(&m->link, fd);
		break;
	case MSG_DRAIN: /* the workers are gone: there is nobody to answer. The launcher sees to the children; sessions are ended first */
		if (!at_url || phase != PHASE_SERVING)
			proc_exit(0);
		phase = PHASE_DRAINING;
		sessions_end();
	}
}

static void place(char *at)
{
	for (unsigned i = 0; i < settings.nworkers; i++, at += worker_each(&settings)) {
		workers[i].item.fd = -1;
		workers[i].in = at;
		workers[i].in_cap = (size_t)settings.line_max + 2;
		workers[i].out = at + carve_up((size_t)settings.line_max + 2);
		workers[i].out_cap = to_worker_max(&settings);
	}
	if (at_url)
		sessions_place(at, &self->loop, bridge, room);
	else
		child_place(at, settings.peers_max, (size_t)settings.reply_max, to_peer_max(&settings), &self->loop);
}

static int turn(void)
{
	if (phase == PHASE_DRAINING) {
		sessions_turn();
		if (sessions_ended())
			proc_exit(0);
		return sessions_wait();
	}

	bool more = workers_turn();
	int wait_ms = -1;

	if (at_url)
		sessions_turn();
	else
		wait_ms = child_turn(bridge, room);
	wait_ms = loop_sooner(wait_ms, bridge_tick(bridge));
	wait_ms = loop_sooner(wait_ms, workers_flush());
	if (at_url)
		wait_ms = loop_sooner(wait_ms, sessions_wait());
	else
		child_flush();
	return more ? 0 : wait_ms;
}

void bridge_run(struct bridge_start *p)
{
	struct entry *e = p->entry;
	struct bridge_hooks hooks = {
		.now_ms = &e->loop.now_ms, .to_worker = to_worker, .to_peer = child_say, .start_peer = child_start_peer, .stop_peer = child_stop_peer,
		.log = say
	};
	size_t engine;
	int wait_ms = 0;

	bridging_settings(p->conf, p->server, &settings);
	engine = carve_up(bridge_need(&settings));
	at_url = p->conf->servers[p->server].kind == CONF_HTTP;
	if (at_url) {
		static uint16_t port[1];

		port[0] = p->conf->servers[p->server].address.port;
		e->land.ports = port;
		e->land.nports = 1;
		hooks.to_peer = sessions_say;
		hooks.start_peer = sessions_start_peer;
		hooks.stop_peer = sessions_stop_peer;
	}
	e->list = at_url ? &seccomp_bridge_http : &seccomp_bridge;
	e->need = engine + bridging_need(p->conf, p->server);
	e->files = bridging_files(p->conf, p->server);
	memcpy(settings.seed, p->seed, sizeof settings.seed);
	if (!clock_random(settings.key, sizeof settings.key) || (at_url && !sessions_begin(p->conf, p->server, p->material, &settings))) {
		log_line(LOG_ERROR, SPAN("no random bytes"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	role_enter(e);

	self = e;
	bridge = bridge_place(e->memory, &settings, &hooks);
	crypto_wipe(settings.key, sizeof settings.key);
	if (!bridge || !role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot lay out its memory"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	place((char *)e->memory + engine);
	while (loop_wait(&e->loop, wait_ms))
		wait_ms = turn();
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
