#include "os/start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "os/dir.h"
#include "os/file.h"

enum { OOM_FIRST = 500, CALL_CLOSE_RANGE = 436, SIGNALS = 64 };

/* ---- in the new process ---- */

static _Noreturn void failed(const char *what)
{
	char mem[512];
	struct buf b = buf_on(mem, sizeof mem);
	int e = errno;

	BUF_LIT(&b, "cannot be started: ");
	buf_put(&b, span_z(what));
	BUF_LIT(&b, ": ");
	buf_put(&b, span_z(strerror(e)));
	if (e == ENOENT && what[0] == '/')
		BUF_LIT(&b, " (it, or the program that its first line names)");
	if (e == EACCES)
		BUF_LIT(&b, " (for Postern's user, which is 65532 if root started it)");
	if (e == EACCES && what[0] == '/')
		BUF_LIT(&b, "; with \"read\", what runs it must be beneath that, too, such as /usr, /lib and /lib64");
	buf_char(&b, '\n');
	(void)file_write(2, buf_span(&b));
	_exit(START_FAILED);
}

static bool descriptors(const struct start *s)
{
	int in_out = fcntl(s->in_out, F_DUPFD, 3), err = fcntl(s->err, F_DUPFD, 3);

	return in_out >= 0 && err >= 0 && dup2(err, 2) == 2 && dup2(in_out, 0) == 0 && dup2(in_out, 1) == 1
		&& syscall(CALL_CLOSE_RANGE, 3, ~0U, 0) == 0;
}

/* Raw: the C library keeps some of the real-time signals to itself, and whoever started us may ignore them all. */
static bool signals(void)
{
	static const struct { unsigned long handler, flags, restorer; uint64_t mask; } otherwise; /* the kernel's sigaction: all default */
	static const uint64_t none;

	for (int n = 1; n <= SIGNALS; n++)
		if (n != SIGKILL && n != SIGSTOP && syscall(SYS_rt_sigaction, n, &otherwise, NULL, sizeof none) != 0)
			return false;
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none) == 0;
}

/* Raw: the C libraries do not agree on the type of `which`. */
static bool limit(int which, uint64_t most)
{
	struct { uint64_t now, most; } r;

	if (most == 0)
		return true;
	if (syscall(SYS_prlimit64, 0, which, NULL, &r) != 0)
		return false;
	if (most < r.most) /* without limit is the largest number */
		r.most = most;
	r.now = r.most;
	return syscall(SYS_prlimit64, 0, which, &r, NULL) == 0;
}

#ifdef POSTERN_SANITIZE
enum { FILES_ARE_KEPT = true }; /* valgrind has files of its own beyond the limit, and lets nobody lower it */
#else
enum { FILES_ARE_KEPT = false };
#endif

static bool limits(const struct start *s)
{
	static const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_CORE, &none) == 0 && limit(RLIMIT_DATA, s->memory) && limit(RLIMIT_CPU, s->cpu_s)
		&& (limit(RLIMIT_NOFILE, s->files) || FILES_ARE_KEPT) && limit(RLIMIT_NPROC, s->processes);
}

/* When memory runs out it goes before any process of ours. */
static void first_to_go(void)
{
	static const char text[] = "500";
	int fd;

	_Static_assert(OOM_FIRST == 500, "as in the text");
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else the file is root's; execve() does the same in a moment */
	fd = openat(AT_FDCWD, "/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, text, sizeof text - 1);
	close(fd);
}

static _Noreturn void run(const struct start *s, pid_t parent)
{
	const char *why = "";

	if (!descriptors(s))
		_exit(START_FAILED); /* there is nowhere to say it */
	if (setsid() < 0 || !signals() || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		failed("its session");
	if (getppid() != parent)
		_exit(START_FAILED); /* nobody is left to serve */
	first_to_go();
	umask(077);
	if (chdir(s->dir) != 0)
		failed("its working directory");
	if (!limits(s))
		failed("its limits");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		failed("no new privileges");
	if (!jail_child(&s->wall, &why))
		failed(why);
	for (unsigned i = 0; i < 2; i++)
		if (s->ops[i] && !jail_filter(s->ops[i], s->nops[i]))
			failed("its syscall filter");
	execve(s->program, s->argv, s->envp);
	failed(s->program);
}

/* ---- in this one ---- */

int start_program(const struct start *s)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		run(s, parent);
	return pid;
}

bool start_pair(int *ours, int *theirs)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return false;
	*ours = pair[0];
	*theirs = pair[1];
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) == 0)
		return true;
	close(*ours);
	close(*theirs);
	return false;
}

bool start_pipe(int *ours, int *theirs)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) != 0)
		return false;
	*ours = pair[0];
	*theirs = pair[1];
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) == 0)
		return true;
	close(*ours);
	close(*theirs);
	return false;
}

long start_read(int fd, void *to, size_t n)
{
	ssize_t got;

	do
		got = read(fd, to, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? -1 : 0;
	return got;
}

bool start_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

/* ---- all at once ---- */

/* Tried on a process that stands outside: it is in reach before, and not behind the wall, which must be sure before anybody says "all". */
bool start_alone(void)
{
	static const struct jail_child walls;
	const char *why;
	int pipe_of[2];
	bool alone;
	pid_t pid;

	if (pipe2(pipe_of, O_CLOEXEC) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(pipe_of[1]);
		(void)!read(pipe_of[0], &pid, 1); /* until its end: nobody can end it by a signal then */
		_exit(0);
	}
	alone = pid > 0 && kill(pid, 0) == 0 && jail_child(&walls, &why) && kill(pid, 0) != 0 && errno == EPERM;
	close(pipe_of[0]);
	close(pipe_of[1]);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	return alone;
}

/* The kernel goes through all processes under one lock, and whoever has been killed forks no more. */
void start_kill_all(void)
{
	kill(-1, SIGKILL);
}

/* ---- strays ---- */

/* "pid (name) state ppid pgrp session …"; the name may hold anything, so what counts stands behind the last parenthesis. */
static bool parents(struct span stat, char *state, int *parent, int *group, int *session)
{
	uint64_t number[3];
	size_t at = stat.n;

	while (at > 0 && stat.p[at - 1] != ')')
		at--;
	if (at == 0 || stat.n - at < 4)
		return false;
	*state = stat.p[at + 1];
	at += 3;
	for (unsigned i = 0; i < 3; i++) {
		size_t end = at;

		while (end < stat.n && stat.p[end] != ' ')
			end++;
		if (!text_u64(span_of(stat.p + at, end - at), &number[i]) || number[i] > INT32_MAX)
			return false;
		at = end + 1;
	}
	*parent = (int)number[0];
	*group = (int)number[1];
	*session = (int)number[2];
	return true;
}

static bool is_stray(struct span name, int *pid, int *group, bool (*keep)(int pid, int session))
{
	char path_mem[64], mem[1024], state;
	struct buf path = buf_on(path_mem, sizeof path_mem);
	const char *why;
	uint64_t number;
	int parent, session;
	size_t n;

	if (!text_u64(name, &number) || number == 0 || number > INT32_MAX)
		return false;
	BUF_LIT(&path, "/proc/");
	buf_put(&path, name);
	BUF_LIT(&path, "/stat");
	if (!file_read(buf_span(&path), mem, sizeof mem, &n, &why) || !parents(span_of(mem, n), &state, &parent, group, &session))
		return false; /* it has ended meanwhile */
	*pid = (int)number;
	return parent == getpid() && state != 'Z' && !keep(*pid, session);
}

unsigned start_kill_strays(bool (*keep)(int pid, int session))
{
	_Alignas(8) char mem[4096];
	unsigned killed = 0;
	int fd = openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return 0;
	while ((n = dir_batch(fd, mem, sizeof mem)) > 0) {
		enum dir_kind kind;
		struct span name;
		size_t at = 0;
		int pid, group;

		/* Its whole group, which is of the same session: as one, it cannot fork its way out. It has not been waited for, so the number is its own. */
		while (dir_entry(mem, (size_t)n, &at, &name, &kind))
			if (is_stray(name, &pid, &group, keep) && kill(group > 1 && group != getpgrp() ? -group : pid, SIGKILL) == 0)
				killed++;
	}
	close(fd);
	return killed;
}
