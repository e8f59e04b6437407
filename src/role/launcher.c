#include "role/launcher.h"

#include "base/list.h"
#include "os/clock.h"
#include "os/map.h"
#include "os/pass.h"
#include "os/proc.h"
#include "os/sock.h"
#include "os/start.h"
#include "role/enter.h"
#include "role/house.h"
#include "role/kid.h"
#include "role/log.h"

enum { GENERATIONS = LISTEN_USERS + 1 /* one that has ended may still be forgotten */, EDGES = GENERATIONS * CONF_SERVERS_MAX,
	END_MS = 5000, END_WAIT_MS = 20,
	IN_A_TURN = 16               /* messages of a bridge for each of its children: it says less before it hears of an end, and one that goes on keeps us from all others */
};

struct generation_of {
	unsigned number;             /* 0: none */
	bool right;                  /* its programs are there */
	struct config config;
	struct program_set programs;
};

/* A bridge. */
struct edge {
	struct loop_item item;       /* first. fd -1: none */
	struct kid_owner owner;
	struct generation_of *of;
	unsigned server;
};

static struct generation_of *generations; /* mapped: the other processes do not reserve it */
static struct edge edges[EDGES];
static struct loop loop;
static struct loop_item channel, signals;
static enum phase phase;
static struct span path;

/* ---- configurations ---- */

static struct generation_of *generation(unsigned number)
{
	for (unsigned i = 0; i < GENERATIONS; i++)
		if (generations[i].number == number)
			return &generations[i];
	return NULL;
}

static bool programs(struct generation_of *g)
{
	struct buf errors = config_errors(), warnings = config_warnings();
	bool right = program_read(&g->programs, g->config.conf, &errors, &warnings);

	log_lines(LOG_WARN, buf_span(&warnings));
	log_lines(LOG_ERROR, buf_span(&errors));
	return right;
}

/* Other bytes than the parent has checked are not taken: the file may have been written meanwhile. */
static bool load(struct generation_of *g, const struct msg_load *m)
{
	struct buf errors = config_errors();

	if (config_load(&g->config, path, &errors) != CONFIG_RIGHT) {
		log_lines(LOG_ERROR, buf_span(&errors));
		return false;
	}
	if (memcmp(g->config.sha256, m->sha256, sizeof m->sha256) == 0)
		return true;
	log_line(LOG_ERROR, SPAN("the configuration file is not what the parent has read: it has changed since; reload"));
	config_drop(&g->config);
	return false;
}

static void take_load(const struct msg_load *m)
{
	struct generation_of *g = generation(m->generation);

	if (!g && m->generation != 0) {
		g = generation(0);
		if (g && load(g, m)) {
			g->number = m->generation;
			g->right = programs(g);
		} else {
			g = NULL;
		}
	}
	if (!msg_send(channel.fd, &(union msg){ .loaded = { MSG_LOADED, m->generation, g && g->right } }, -1))
		log_line(LOG_ERROR, SPAN("the parent does not listen"));
}

/* ---- bridges ---- */

static void edge_close(struct edge *e)
{
	if (e->item.fd < 0)
		return;
	loop_forget(&loop, &e->item);
	sock_close(e->item.fd);
	e->item.fd = -1;
	kids_orphaned(&e->owner);
}

static void say(struct edge *e, const struct msg_child *m, int fd)
{
	if (e->item.fd >= 0 && !pass_send(e->item.fd, m, sizeof *m, fd))
		edge_close(e);
}

static void kid_ended(struct kid_owner *owner, uint32_t child, int status, int signal)
{
	struct edge *e = LIST_OWNER(owner, struct edge, owner);

	say(e, &(struct msg_child){ MSG_EXITED, child, status, signal }, -1);
}

static void run(struct edge *e, uint32_t child)
{
	const struct conf_server *v = &e->of->config.conf->servers[e->server];
	int fd = phase == PHASE_SERVING ? kid_start(&e->owner, child, v, &e->of->programs.of[e->server]) : -1;

	say(e, &(struct msg_child){ MSG_RAN, child, 0, 0 }, fd);
	if (fd >= 0)
		sock_close(fd);
}

static void on_edge(struct loop_item *item, unsigned events)
{
	struct edge *e = (struct edge *)item;

	(void)events;
	for (unsigned taken = 0; e->item.fd >= 0; taken++) {
		unsigned children = e->of->config.conf->servers[e->server].children;
		struct msg_child m;
		int fd;
		long n = pass_take(e->item.fd, &m, sizeof m, &fd);
		bool right = n == (long)sizeof m && fd < 0 && m.child < children && taken < IN_A_TURN * children;

		if (n == PASS_NONE)
			return;
		if (fd >= 0)
			sock_close(fd);
		if (right && m.type == MSG_RUN && !kid_has(&e->owner, m.child))
			run(e, m.child);
		else if (right && m.type == MSG_STOP)
			kid_stop(&e->owner, m.child);
		else
			edge_close(e); /* gone, or it says what is not permitted */
	}
}

static void take_link(const struct msg_link *l, int fd)
{
	struct generation_of *g = l->generation ? generation(l->generation) : NULL;
	struct edge *e;

	if (l->of != ROLE_BRIDGE || !g || !g->right || l->peer >= g->config.conf->nservers || g->config.conf->servers[l->peer].kind != CONF_STDIO) {
		sock_close(fd); /* one whose configuration could not be had */
		return;
	}
	e = &edges[(unsigned)(g - generations) * CONF_SERVERS_MAX + l->peer];
	edge_close(e);
	*e = (struct edge){ { on_edge, fd }, { kid_ended, g->config.conf->servers[l->peer].name }, g, l->peer };
	if (!loop_add(&loop, &e->item))
		edge_close(e);
	else
		on_edge(&e->item, LOOP_READ);
}

static void forget(unsigned number)
{
	struct generation_of *g = number ? generation(number) : NULL;

	if (!g)
		return;
	for (unsigned i = 0; i < CONF_SERVERS_MAX; i++)
		edge_close(&edges[(unsigned)(g - generations) * CONF_SERVERS_MAX + i]);
	program_forget(&g->programs);
	config_drop(&g->config);
	g->number = 0;
	g->right = false;
}

/* ---- the parent ---- */

static void drain(void)
{
	if (phase == PHASE_DRAINING)
		return;
	phase = PHASE_DRAINING;
	kids_hurry();
}

static void on_channel(struct loop_item *item, unsigned events)
{
	enum msg_got got;
	const char *why;
	union msg m;
	int fd;

	(void)events;
	while ((got = msg_take(item->fd, ROLE_LAUNCHER, ROLE_PARENT, phase, &m, &fd, &why)) == MSG_GOT)
		switch (m.type) {
		case MSG_LOAD:
			take_load(&m.load);
			break;
		case MSG_LINK:
			take_link(&m.link, fd);
			break;
		case MSG_FORGET:
			forget(m.forget.generation);
			break;
		default:
			drain();
		}
	if (got == MSG_CLOSED)
		drain();
}

static void on_signals(struct loop_item *item, unsigned events)
{
	enum proc_signal s;

	(void)events;
	while ((s = proc_signal_take(item->fd)) != PROC_NO_SIGNAL) {
		if (s == PROC_CHILD)
			kids_reap();
		else if (s == PROC_STOP) /* the guard's, or it is gone */
			drain();
	}
}

static bool nobody(int pid, int session)
{
	(void)pid, (void)session;
	return false;
}

static bool alone, stopping;

/* No child, no zombie, and nobody who lost its parent. Where they cannot be killed all at once they are as far as /proc shows them. */
static void end_all(int signal_fd)
{
	int64_t until_ms = clock_monotonic_ms() + END_MS;
	struct proc_end end;

	while (proc_any() && clock_monotonic_ms() < until_ms) {
		if (alone)
			start_kill_all();
		else
			(void)start_kill_strays(nobody);
		while (proc_reap(&end))
			;
		if (proc_any())
			pass_wait(signal_fd, END_WAIT_MS);
		for (enum proc_signal s; (s = proc_signal_take(signal_fd)) != PROC_NO_SIGNAL; )
			stopping |= s == PROC_STOP;
	}
}

static _Noreturn void launcher_run(const struct launcher_start *s, int guard)
{
	union msg ready = { .ready = { MSG_READY, 0 } };

	log_name("launcher");
	proc_name("launcher");
	if (!proc_end_with(guard))
		proc_exit(0);
	path = s->path;
	phase = PHASE_SERVING;
	for (unsigned i = 0; i < EDGES; i++)
		edges[i].item.fd = -1;
	channel = (struct loop_item){ on_channel, s->channel };
	signals = (struct loop_item){ on_signals, proc_signals() };
	alone = start_alone(); /* once more, so that what kills all does not reach the guard */
	if (!start_adopt() || !loop_open(&loop) || signals.fd < 0 || !loop_add(&loop, &signals) || !loop_add(&loop, &channel)) {
		log_line(LOG_ERROR, SPAN("cannot start: no epoll or no signals"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	if (!kids_begin(&loop)) {
		log_line(LOG_ERROR, SPAN("cannot start: no memory"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	if (!msg_send(channel.fd, &ready, -1))
		drain();
	for (int wait_ms = 0; loop_wait(&loop, wait_ms); ) {
		wait_ms = kids_tick();
		if (phase == PHASE_DRAINING && kids_gone()) {
			end_all(signals.fd);
			proc_exit(0);
		}
	}
	proc_exit(1);
}

/* ---- the guard ---- */

/* Until the launcher has ended; true: it was meant to. */
static bool watch(int pid, int signal_fd)
{
	for (;;) {
		struct proc_end end;

		for (enum proc_signal s; (s = proc_signal_take(signal_fd)) != PROC_NO_SIGNAL; )
			if (s == PROC_STOP) {
				stopping = true;
				proc_term(pid);
			}
		while (proc_reap(&end))
			if (end.pid == pid) {
				struct buf *b;

				if (stopping || (end.status == 0 && !end.signal))
					return true;
				b = log_begin(LOG_ERROR);
				BUF_LIT(b, "the launcher (pid ");
				buf_u64(b, (unsigned)pid);
				BUF_LIT(b, ") ended, and with it all it had started: ");
				proc_end_write(b, &end);
				log_end();
				return false;
			}
		pass_wait(signal_fd, -1);
	}
}

/* What makes the guard, and the launcher with it, what they are. */
static int enter(struct launcher_start *s)
{
	int *keep[1] = { &s->channel };
	int signal_fd;

	if (!proc_end_with(s->parent_pid))
		proc_exit(0);
	proc_session(); /* a terminal's Ctrl-C is for the parent */
	generations = map_private(GENERATIONS * sizeof *generations);
	if (!generations || !jail_descriptors(keep, 1, s->null_fd, s->log_fd))
		return -1;
	generations[0].number = s->number;
	generations[0].config = *s->first;
	generations[0].right = programs(&generations[0]);
	if (s->root && !proc_become(PROC_NOBODY))
		return -1;
	if (!proc_end_with(s->parent_pid)) /* once more: giving up root has undone it */
		proc_exit(0);
	signal_fd = proc_signals();
	if (signal_fd < 0 || !start_adopt())
		return -1;
#ifndef POSTERN_SANITIZE
	if (!jail_no_privileges() || !jail_filter(seccomp_launcher.ops, seccomp_launcher.nops))
		return -1;
#endif
	alone = start_alone();
	return signal_fd;
}

size_t launcher_need(void)
{
	return GENERATIONS * sizeof *generations + kids_need();
}

void launcher_guard(struct launcher_start *s)
{
	int64_t wait_ms = 0;
	int signal_fd;

	log_name("launcher-guard");
	proc_name("launcher-guard");
	signal_fd = enter(s);
	if (signal_fd < 0) {
		log_line(LOG_ERROR, SPAN("cannot start: the kernel refuses its walls"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	for (;;) {
		int guard = proc_id(), pid = proc_fork();
		int64_t begun_ms = clock_monotonic_ms();

		if (pid == 0)
			launcher_run(s, guard);
		if (pid > 0 && watch(pid, signal_fd)) {
			end_all(signal_fd);
			proc_exit(0);
		}
		end_all(signal_fd);
		if (stopping)
			proc_exit(0);
		wait_ms = clock_monotonic_ms() - begun_ms >= HOUSE_STEADY_MS ? 0 : wait_ms == 0 ? HOUSE_RESTART_MIN_MS : 2 * wait_ms;
		if (wait_ms > HOUSE_RESTART_MAX_MS)
			wait_ms = HOUSE_RESTART_MAX_MS;
		pass_wait(signal_fd, (int)wait_ms); /* a signal in between is seen to with the next launcher */
	}
}
