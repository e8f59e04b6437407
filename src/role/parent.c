#include "role/parent.h"

#include "os/clock.h"
#include "os/file.h"
#include "os/jail.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/house.h"
#include "role/log.h"
#include "role/seccomp_table.h"

static struct house house;

static void on_signals(struct loop_item *item, unsigned events)
{
	enum proc_signal s;

	(void)events;
	while ((s = proc_signal_take(item->fd)) != PROC_NO_SIGNAL) {
		if (s == PROC_CHILD)
			child_reap(&house);
		else if (s == PROC_STOP)
			house_stop(&house);
		else if (house.stdio)
			log_line(LOG_WARN, SPAN("SIGHUP: this client keeps its configuration to its end; start anew for another"));
		else if (!house.stopping)
			house.reload_wanted = true;
	}
}

static int environment(const char *what)
{
	log_line(LOG_ERROR, span_z(what));
	return HOUSE_ENVIRONMENT;
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
		return HOUSE_WRONG;
	case CONFIG_UNREADABLE:
		file_write(2, buf_span(&errors));
		return HOUSE_ENVIRONMENT;
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
	house_start(h, &h->generations[0]);
	while (h->exit_status != HOUSE_WRONG && (house_lives(h) || h->launcher.pid || !h->stopping)) {
		wait_ms = house_tick(h);
		if ((house_lives(h) || h->launcher.pid) && !loop_wait(&h->loop, wait_ms))
			return environment("epoll failed");
	}
	return h->exit_status >= 0 ? h->exit_status : h->door_failed ? HOUSE_WRONG : HOUSE_STOPPED;
}

int parent_run(struct span config_path) { return run(&house, config_path); }

int parent_run_stdio(struct span config_path)
{
	house.stdio = true;
	return run(&house, config_path);
}
