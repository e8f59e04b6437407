#include "role/kid.h"

#include <stdlib.h>

#include "os/map.h"
#include "os/proc.h"
#include "os/sock.h"
#include "os/start.h"
#include "role/log.h"
#include "role/seccomp_table.h"
#include "wire/crypto.h"

enum { ENV_OWN = 3, ENV_TEXT = CONF_ENV_MAX * (8192 + 128 + 2) + 3 * FILE_PATH_MAX, ARGS_TEXT = (CONF_ARGS_MAX + 1) * 4001, SECOND_MS = 1000 };

enum kid_state { KID_RUNS, KID_TOLD /* its input is closed */, KID_TERMED, KID_KILLED };

struct kid {
	struct loop_item err;        /* first: events find the kid by it. fd -1: closed */
	struct kid_owner *owner;
	int pid;                     /* 0: the slot is free */
	uint32_t child;
	enum kid_state state;
	int64_t due_ms;              /* of the next step of its end */
	char name[40];
	bool readable, skipping;     /* skipping: the rest of a line that was too long */
	size_t n;
	int64_t second;
	unsigned lines, left_out;
	size_t bytes;
	char line[KID_LINE_MAX];
};

/* Mapped by the launcher when it starts, so that the other processes do not hold this memory. */
static struct memory {
	struct kid kids[KID_MAX];
	char args_text[ARGS_TEXT], env_text[ENV_TEXT];
} *memory;
static struct kid *kids;
static unsigned alive;
static struct loop *loop;

size_t kids_need(void)
{
	return sizeof *memory;
}

bool kids_begin(struct loop *l)
{
	loop = l;
	memory = map_private(sizeof *memory);
	kids = memory ? memory->kids : NULL;
	return memory;
}

static struct buf *say(enum log_level level, const struct kid *k)
{
	struct buf *b = log_begin(level);

	BUF_LIT(b, "server ");
	buf_put(b, span_z(k->name));
	return b;
}

/* ---- standard error ---- */

static void new_second(struct kid *k)
{
	if (loop->now_ms / SECOND_MS == k->second)
		return;
	k->second = loop->now_ms / SECOND_MS;
	if (k->left_out > 0) {
		struct buf *b = say(LOG_INFO, k);

		BUF_LIT(b, ": ");
		buf_u64(b, k->left_out);
		BUF_LIT(b, " lines of its standard error were left out");
		log_end();
	}
	k->lines = k->left_out = 0;
	k->bytes = 0;
}

static void err_line(struct kid *k)
{
	struct span line = span_of(k->line, k->n);

	k->n = 0;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return;
	if (k->lines == KID_LINES_A_SECOND) {
		k->left_out++;
		return;
	}
	k->lines++;
	struct buf *b = say(LOG_INFO, k);

	BUF_LIT(b, " says: ");
	buf_put(b, line);
	log_end();
}

static void err_bytes(struct kid *k, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n') {
			if (!k->skipping)
				err_line(k);
			k->skipping = false;
		} else if (!k->skipping) {
			k->line[k->n++] = p[i];
			if (k->n == sizeof k->line) {
				err_line(k);
				k->skipping = true;
			}
		}
	}
}

static void err_close(struct kid *k)
{
	if (k->err.fd < 0)
		return;
	if (k->n > 0)
		err_line(k);
	loop_forget(loop, &k->err);
	sock_close(k->err.fd);
	k->err.fd = -1;
	k->readable = false;
}

static void err_read(struct kid *k)
{
	char mem[16384];

	new_second(k);
	while (k->readable && k->err.fd >= 0 && k->bytes < KID_BYTES_A_SECOND) {
		long n = start_read(k->err.fd, mem, sizeof mem);

		if (n < 0) {
			k->readable = false;
		} else if (n == 0) {
			err_close(k);
		} else {
			k->bytes += (size_t)n;
			err_bytes(k, mem, (size_t)n);
		}
	}
}

static void on_err(struct loop_item *item, unsigned events)
{
	struct kid *k = (struct kid *)item;

	(void)events;
	k->readable = true;
	err_read(k);
}

/* ---- start ---- */

static char *args[CONF_ARGS_MAX + 2], *env[CONF_ENV_MAX + ENV_OWN + 1];

static char *put_z(struct buf *b, struct span name, struct span value)
{
	char *at = b->p + b->n;

	buf_put(b, name);
	if (name.n > 0)
		buf_char(b, '=');
	buf_put(b, value);
	buf_char(b, 0);
	return at;
}

static void make_args(const struct conf_server *v)
{
	struct buf b = buf_on(memory->args_text, sizeof memory->args_text);
	unsigned n = 0;

	args[n++] = put_z(&b, SPAN(""), v->command);
	for (unsigned i = 0; i < v->nargs; i++)
		args[n++] = put_z(&b, SPAN(""), v->args[i]);
	args[n] = NULL;
}

static bool configured(const struct conf_server *v, struct span name)
{
	for (unsigned i = 0; i < v->nenv; i++)
		if (span_eq(v->env[i].name, name))
			return true;
	return false;
}

/* What is configured, and three of Postern's own unless they are among that. */
static void make_env(const struct conf_server *v, const struct program *p)
{
	static const struct { const char *name, *otherwise; } own[ENV_OWN] = { { "PATH", START_PATH }, { "HOME", "/" }, { "LANG", "C.UTF-8" } };
	struct buf b = buf_on(memory->env_text, sizeof memory->env_text);
	unsigned n = 0;

	for (unsigned i = 0; i < ENV_OWN; i++) {
		const char *value = getenv(own[i].name);

		if (!value || strlen(value) >= FILE_PATH_MAX - 8)
			value = own[i].otherwise;
		if (!configured(v, span_z(own[i].name)))
			env[n++] = put_z(&b, span_z(own[i].name), span_z(value));
	}
	for (unsigned i = 0; i < v->nenv; i++)
		env[n++] = put_z(&b, v->env[i].name, p->secret[i] ? span_z(p->secret[i]) : v->env[i].value);
	env[n] = NULL;
}

static int start(const struct conf_server *v, const struct program *p, int in_out, int err)
{
	struct start s = {
		.program = p->path, .argv = args, .envp = env, .dir = p->dir, .in_out = in_out, .err = err, .memory = v->limits.memory,
		.cpu_s = (uint64_t)(v->limits.cpu_ms + SECOND_MS - 1) / SECOND_MS, .files = v->limits.files, .processes = v->limits.processes,
		.wall = { .files = v->read_given || v->write_given, .read_all = !v->read_given, .read = p->read, .write = p->write,
			.nread = v->nread, .nwrite = v->nwrite, .program = p->path },
		.ops = { v->offline ? seccomp_offline.ops : NULL }, .nops = { seccomp_offline.nops }
	};
	int pid;

	make_args(v);
	make_env(v, p);
	pid = start_program(&s);
	crypto_wipe(memory->env_text, sizeof memory->env_text);
	return pid;
}

static struct kid *vacant(void)
{
	for (unsigned i = 0; i < KID_MAX; i++)
		if (kids[i].pid == 0)
			return &kids[i];
	return NULL;
}

int kid_start(struct kid_owner *owner, uint32_t child, const struct conf_server *v, const struct program *p)
{
	int in_out[2], err[2] = { -1, -1 }, pid = -1;
	struct kid *k = vacant();

	if (!k || !start_pair(&in_out[0], &in_out[1]))
		return -1;
	if (start_pipe(&err[0], &err[1])) {
		pid = start(v, p, in_out[1], err[1]);
		sock_close(err[1]);
	}
	sock_close(in_out[1]);
	if (pid > 0) {
		memset(k, 0, sizeof *k);
		k->err = (struct loop_item){ on_err, err[0] };
		k->pid = pid;
		k->owner = owner;
		k->child = child;
		k->readable = true;
		memcpy(k->name, v->name.p, v->name.n);
		alive++;
		if (loop_add(loop, &k->err))
			return in_out[0];
		sock_close(k->err.fd); /* it goes on without a voice */
		k->err.fd = -1;
		return in_out[0];
	}
	if (err[0] >= 0)
		sock_close(err[0]);
	sock_close(in_out[0]);
	return -1;
}

/* ---- end ---- */

static void step(struct kid *k, enum kid_state state, int64_t wait_ms)
{
	k->state = state;
	k->due_ms = loop->now_ms + wait_ms;
}

/* The group is called as its first process, which is there until proc_bury(). */
static void next_step(struct kid *k)
{
	switch (k->state) {
	case KID_RUNS:
		break;
	case KID_TOLD:
		proc_term_group(k->pid);
		step(k, KID_TERMED, KID_KILL_MS);
		break;
	case KID_TERMED:
	case KID_KILLED: /* until it is gone */
		proc_kill_group(k->pid);
		step(k, KID_KILLED, KID_HURRY_MS);
		break;
	}
}

static void told(struct kid *k)
{
	if (k->state == KID_RUNS)
		step(k, KID_TOLD, KID_TERM_MS);
}

static struct kid *find(const struct kid_owner *owner, uint32_t child)
{
	for (unsigned i = 0; i < KID_MAX; i++)
		if (kids[i].pid && kids[i].owner == owner && kids[i].child == child)
			return &kids[i];
	return NULL;
}

bool kid_has(const struct kid_owner *owner, uint32_t child)
{
	return find(owner, child) != NULL;
}

void kid_stop(struct kid_owner *owner, uint32_t child)
{
	struct kid *k = find(owner, child);

	if (k)
		told(k);
}

void kids_orphaned(struct kid_owner *owner)
{
	for (unsigned i = 0; i < KID_MAX; i++)
		if (kids[i].pid && kids[i].owner == owner) {
			kids[i].owner = NULL;
			told(&kids[i]);
		}
}

void kids_hurry(void)
{
	for (unsigned i = 0; i < KID_MAX; i++) {
		struct kid *k = &kids[i];

		if (!k->pid || k->state >= KID_TERMED)
			continue;
		k->state = KID_TOLD;
		next_step(k);
		k->due_ms = loop->now_ms + KID_HURRY_MS;
	}
}

/* A kid is one before its session is its own, too. */
static bool of_a_kid(int pid, int session)
{
	for (unsigned i = 0; i < KID_MAX; i++)
		if (kids[i].pid && (kids[i].pid == pid || kids[i].pid == session))
			return true;
	return false;
}

static void ended(struct kid *k, const struct proc_end *end)
{
	struct kid_owner *owner = k->owner;
	bool wanted = k->state != KID_RUNS;
	struct buf *b;

	proc_kill_group(k->pid); /* what it has left behind; it is not buried, so the group is still its own */
	proc_bury(k->pid);
	k->second = -1;
	new_second(k);
	k->readable = true;
	err_read(k); /* its last words */
	err_close(k);
	if (!wanted) {
		b = say(LOG_WARN, k);
		BUF_LIT(b, " (pid ");
		buf_u64(b, (unsigned)k->pid);
		BUF_LIT(b, ") ended: ");
		proc_end_write(b, end);
		log_end();
	}
	k->pid = 0;
	alive--;
	if (owner)
		owner->ended(owner, k->child, end->status, end->signal);
}

void kids_reap(void)
{
	struct proc_end end;
	bool any = false;

	while (proc_peek(&end)) { /* bounded by the processes there are: each is buried */
		struct kid *k = NULL;

		for (unsigned i = 0; i < KID_MAX && !k; i++)
			if (kids[i].pid == end.pid)
				k = &kids[i];
		any = true;
		if (k)
			ended(k, &end);
		else
			proc_bury(end.pid); /* one that lost its parent */
	}
	if (any)
		(void)start_kill_strays(of_a_kid);
}

int kids_tick(void)
{
	int64_t next_ms = -1;

	for (unsigned i = 0; i < KID_MAX && alive > 0; i++) {
		struct kid *k = &kids[i];
		int64_t wait_ms = -1;

		if (!k->pid)
			continue;
		if (k->state != KID_RUNS && k->due_ms <= loop->now_ms)
			next_step(k);
		if (k->state != KID_RUNS)
			wait_ms = k->due_ms - loop->now_ms;
		if (k->readable)
			err_read(k);
		if (k->readable || k->left_out > 0) {
			int64_t second_ms = SECOND_MS - loop->now_ms % SECOND_MS;

			new_second(k);
			if (wait_ms < 0 || second_ms < wait_ms)
				wait_ms = second_ms;
		}
		if (wait_ms >= 0 && (next_ms < 0 || wait_ms < next_ms))
			next_ms = wait_ms;
	}
	return (int)next_ms;
}

bool kids_gone(void)
{
	return alive == 0;
}
