/* What programs that Postern starts are refused: each call of the two lists, on every way in, and other processes; and what they are not. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "role/seccomp_table.h"
#include "tap.h"

enum { X32 = 0x40000000, FINE = 200 };

static int status_of(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return status;
}

static void filter(const struct seccomp_list *l)
{
	alarm(10);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !jail_filter(l->ops, l->nops))
		_exit(FINE + 1);
}

/* The error of the call behind the filter; FINE: none; -1: it did not live to tell. */
static int error_of(const struct seccomp_list *l, long call, long a, long b, long c)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		filter(l);
		errno = 0;
		_exit(syscall(call, a, b, c, 0, 0, 0) < 0 ? errno : FINE);
	}
	status = status_of(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void lists(void)
{
	static const struct { const struct seccomp_list *list; int error; const char *name; } of[] = {
		{ &seccomp_launcher, ENOSYS, "launcher.deny" }, { &seccomp_offline, EACCES, "offline.deny" }
	};

	for (size_t i = 0; i < 2; i++) {
		int passed = 0;
		char name[128];

		for (unsigned k = 0; k < of[i].list->ncalls; k++) {
			long call = of[i].list->calls[k];
			/* clone alone is refused by its flags */
			int got = error_of(of[i].list, call, call == SYS_clone ? CLONE_NEWUSER | SIGCHLD : -1, call == SYS_clone ? 0 : -1, -1);

			if (got != of[i].error) {
				diag("%s: call %ld: %d", of[i].name, call, got);
				passed++;
			}
		}
		snprintf(name, sizeof name, "%s: each of its %u calls is refused", of[i].name, of[i].list->ncalls);
		is_int(passed, 0, name);
		snprintf(name, sizeof name, "%s: the x32 entry kills", of[i].name);
		is_int(error_of(of[i].list, X32 + SYS_getpid, 0, 0, 0), -1, name);
	}
}

static bool runs(void (*what)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		filter(&seccomp_launcher);
		what();
		_exit(0);
	}
	return status_of(pid) == 0;
}

static void must(bool condition)
{
	if (!condition)
		_exit(1);
}

/* As a just-in-time compiler does. */
static void compile(void)
{
	static const unsigned char code[] = { 0x90, 0x90 };
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED);
	memcpy(p, code, sizeof code);
	must(mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
}

static void work(void)
{
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && socket(AF_INET, SOCK_STREAM, 0) >= 0 && pipe(pair) == 0);
	must(kill(getpid(), 0) == 0 && status_of(fork() == 0 ? (_exit(0), 0) : -1) == 0);
	execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
	_exit(1);
}

/* Root may look everywhere, and no program that is started is root. */
static void enter(const struct jail_child *walls)
{
	const char *why;

	if (getuid() == 0)
		must(setresgid(65532, 65532, 65532) == 0 && setresuid(65532, 65532, 65532) == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && jail_child(walls, &why));
}

/* A program that stays behind its walls until it is killed; it is there when this returns. */
static pid_t sleeps(const struct jail_child *walls)
{
	int there[2];
	char byte;
	pid_t pid;

	must(pipe(there) == 0);
	pid = fork();
	if (pid == 0) {
		enter(walls);
		must(write(there[1], "", 1) == 1);
		pause();
	}
	close(there[1]);
	ok(pid > 0 && read(there[0], &byte, 1) == 1, "another program is behind its walls");
	close(there[0]);
	return pid;
}

/* A process outside: its signal, its memory. Another behind walls of its own is as far away. */
static void others(void)
{
	long abi = syscall(444 /* landlock_create_ruleset */, NULL, 0, 1);
	struct jail_child walls = { .read_all = true, .program = "/" };
	pid_t sleeper, pid;
	char mem[64];

	if (abi < 2) {
		skip(4, "the kernel's Landlock does not keep them apart");
		return;
	}
	sleeper = sleeps(&walls);
	snprintf(mem, sizeof mem, "/proc/%d/environ", sleeper);
	for (int what = 0; what < 3; what++) {
		static const char *const name[] = { "the environment of another program", "its memory by ptrace", "a signal to it" };

		if (what == 2 && abi < 6) {
			skip(1, "the kernel's Landlock has no scopes");
			continue;
		}
		pid = fork();
		if (pid == 0) {
			alarm(10);
			enter(&walls);
			if (what == 0)
				_exit(syscall(SYS_openat, -100, mem, 0) < 0 ? 0 : 1);
			if (what == 1)
				_exit(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, sleeper, 0, 0) < 0 ? 0 : 1);
			_exit(kill(sleeper, 0) < 0 && errno == EPERM ? 0 : 1);
		}
		is_int(status_of(pid), 0, name[what]);
	}
	kill(sleeper, SIGKILL);
	status_of(sleeper);
}

/* What the kernel lets a user do to any process of his, Landlock or not: a limit of no processor time is as good as a signal. */
static void meddling(void)
{
	const struct rlimit none = { 0, 0 };
	const struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t time[3]; } attributes = { .size = 48, .policy = SCHED_IDLE };
	const struct sched_param param = { 0 };
	const unsigned long cores = 1;
	const struct { long call; int whose; long a[3]; const char *name; } with[] = { /* arguments but the process, which is number `whose` */
		{ SYS_prlimit64, 0, { RLIMIT_CPU, (long)&none, 0 }, "a limit" },
		{ SYS_sched_setaffinity, 0, { sizeof cores, (long)&cores, 0 }, "its processors" },
		{ SYS_sched_setscheduler, 0, { SCHED_IDLE, (long)&param, 0 }, "its scheduler" },
		{ SYS_sched_setparam, 0, { (long)&param, 0, 0 }, "its place there" },
		{ SYS_sched_setattr, 0, { (long)&attributes, 0, 0 }, "both" },
		{ SYS_setpriority, 1, { PRIO_PROCESS, 19, 0 }, "its priority" },
		{ SYS_ioprio_set, 1, { 1, 3 << 13, 0 }, "that of its reads and writes" },
	};
	struct jail_child walls = { 0 };
	pid_t sleeper = sleeps(&walls);

	for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
		int got[2];

		for (int other = 0; other < 2; other++) {
			long who = other ? sleeper : 0;
			pid_t pid = fork();

			if (pid == 0) {
				enter(&walls);
				filter(&seccomp_launcher);
				_exit(syscall(with[i].call, with[i].whose == 0 ? who : with[i].a[0], with[i].whose == 0 ? with[i].a[0] : who, with[i].a[1],
					with[i].a[2]) == 0 ? FINE : errno);
			}
			got[other] = status_of(pid);
			got[other] = WIFEXITED(got[other]) ? WEXITSTATUS(got[other]) : -1;
		}
		if (!ok(got[0] == FINE && got[1] == ENOSYS, with[i].name))
			diag("its own: %d, another's: %d", got[0], got[1]);
	}
	kill(sleeper, SIGKILL);
	status_of(sleeper);
	is_int(error_of(&seccomp_launcher, SYS_setpriority, PRIO_USER, 0, 19), ENOSYS, "the priority of all its user's processes");
	is_int(error_of(&seccomp_launcher, SYS_ioprio_set, 3, 0, 3 << 13), ENOSYS, "  likewise");
}

int main(void)
{
	lists();
	is_int(error_of(&seccomp_offline, SYS_socket, AF_UNIX, SOCK_STREAM, 0), EACCES, "a Unix socket is one too");
	is_int(error_of(&seccomp_launcher, SYS_clone, SIGCHLD, 0, 0) == FINE, 1, "a process may be made");
	ok(runs(compile), "code may be made in memory");
	ok(runs(work), "sockets, pipes, signals, processes and other programs are there");
	others();
	meddling();
	return done_testing();
}
