#include "role/enter.h"

#include "os/clock.h"
#include "os/map.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/log.h"

static _Noreturn void fail(const char *what)
{
	log_line(LOG_ERROR, span_z(what));
	proc_exit(ENTRY_EXIT_WALLS);
}

void role_end(const char *why)
{
	struct buf *b = log_begin(LOG_ERROR);

	BUF_LIT(b, "ends: the parent sent ");
	buf_put(b, span_z(why ? why : "nothing more"));
	if (why)
		log_end();
	proc_exit(why ? 1 : 0);
}

void role_ready(const struct entry *e)
{
	union msg m = { .ready = { MSG_READY, e->missing } };

	if (!msg_send(e->channel, &m, -1))
		role_end(NULL);
}

static struct {
	struct loop_item channel;
	enum role role;
	const enum phase *phase;
	void (*handle)(const union msg *m, int fd);
} ear;

static void on_channel(struct loop_item *item, unsigned events)
{
	union msg m;
	enum msg_got got;
	const char *why;
	int fd;

	(void)events;
	while ((got = msg_take(item->fd, ear.role, ROLE_PARENT, *ear.phase, &m, &fd, &why)) == MSG_GOT)
		ear.handle(&m, fd);
	if (got == MSG_CLOSED)
		role_end(why);
}

bool role_listen(struct entry *e, const enum phase *phase, void (*handle)(const union msg *m, int fd))
{
	ear.channel = (struct loop_item){ on_channel, e->channel };
	ear.role = e->role;
	ear.phase = phase;
	ear.handle = handle;
	return loop_add(&e->loop, &ear.channel);
}

/* Its own descriptors in a row from 3 on; returns how many descriptors there are then, the loop's included. */
static unsigned take_descriptors(struct entry *e)
{
	int *keep[ENTRY_KEEP_MAX + 1];
	unsigned n = 0;

	keep[n++] = &e->channel;
	for (unsigned i = 0; i < e->nkeep; i++)
		if (*e->keep[i] >= 0)
			keep[n++] = e->keep[i];
	if (!jail_descriptors(keep, n, e->null_fd, e->log_fd))
		fail("cannot close the descriptors of others (Linux 5.9 or later is needed)");
	if (!loop_open(&e->loop))
		fail("no epoll descriptor");
	return 3 + n + 1;
}

#ifndef POSTERN_SANITIZE

const char *role_proof(const struct seccomp_list *list, const struct jail_land *land, unsigned missing, unsigned files)
{
	static char text[96];
	struct buf b = buf_on(text, sizeof text - 1);
	const char *leak = jail_leak(land, missing, files);

	if (leak)
		return leak;
	for (int p = 0; p < JAIL_PROBES; p++) {
		if (jail_probe_dies(list->ops, list->nops, (enum jail_probe)p))
			continue;
		BUF_LIT(&b, "the syscall list lets it ");
		buf_put(&b, span_z(jail_probe_name((enum jail_probe)p)));
		text[b.n] = 0;
		return text;
	}
	return NULL;
}

static void shut(struct entry *e, unsigned files)
{
	const char *leak;

	if (!jail_limits(files + e->files, e->written ? *e->written : -1))
		fail("cannot set its limits: the hard limit on open files is too low (ulimit -Hn)");
	if (!jail_privileges(&e->missing))
		fail("cannot give up privileges (no_new_privs, dumpable)");
	if (!jail_landlock(&e->land, &e->missing))
		fail("Landlock refuses the rules of this role");
	leak = role_proof(e->list, &e->land, e->missing, files);
	if (leak) {
		struct buf *b = log_begin(LOG_ERROR);

		BUF_LIT(b, "the jail leaks, this role does not serve: ");
		buf_put(b, span_z(leak));
		log_end();
		proc_exit(ENTRY_EXIT_WALLS);
	}
	if (!jail_no_children() || !jail_filter(e->list->ops, e->list->nops))
		fail("the kernel refuses the syscall filter");
	/* Where the vDSO has no clock the loop asks by this call: better to die of it here than later. */
	if (!clock_call())
		fail("no clock");
}

#else

const char *role_proof(const struct seccomp_list *list, const struct jail_land *land, unsigned missing, unsigned files)
{
	(void)list, (void)land, (void)missing, (void)files;
	return NULL;
}

static void shut(struct entry *e, unsigned files)
{
	(void)files;
	e->missing |= JAIL_NO_WALLS;
}

#endif

void role_enter(struct entry *e)
{
	log_name(e->name);
	proc_name(e->name);
	if (!proc_die_with(e->parent_pid))
		proc_exit(ENTRY_EXIT_WALLS); /* nobody is left to serve for */
	e->memory = map_private(e->need);
	if (!e->memory)
		fail("no memory: `postern budget` shows what this configuration needs");
	shut(e, take_descriptors(e));
}
