#include "os/proc.h"

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

int proc_fork(void) { return fork(); }
int proc_id(void) { return getpid(); }
void proc_exit(int status) { _exit(status); }
void proc_kill(int pid) { kill(pid, SIGKILL); }
void proc_name(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
_Static_assert(PROC_KILLED == SIGKILL, "the same everywhere");

bool proc_is_root(void) { return geteuid() == 0 || getuid() == 0; }

bool proc_reap(struct proc_end *end)
{
	int status;
	pid_t pid;

	do
		pid = waitpid(-1, &status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid <= 0)
		return false;
	end->pid = pid;
	end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	end->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return true;
}

bool proc_peek(struct proc_end *end)
{
	siginfo_t info;
	int got;

	memset(&info, 0, sizeof info);
	do
		got = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
	while (got < 0 && errno == EINTR);
	if (got != 0 || info.si_pid <= 0)
		return false;
	end->pid = info.si_pid;
	end->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	end->status = info.si_code == CLD_EXITED ? info.si_status : -1;
	return true;
}

bool proc_any(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void proc_session(void) { setsid(); }

void proc_bury(int pid)
{
	pid_t got;

	do
		got = waitpid(pid, NULL, 0);
	while (got < 0 && errno == EINTR);
}

void proc_term(int pid) { kill(pid, SIGTERM); }
void proc_term_group(int pid) { kill(-pid, SIGTERM); }
void proc_kill_group(int pid) { kill(-pid, SIGKILL); }

void proc_end_write(struct buf *b, const struct proc_end *end)
{
	if (end->signal == SIGSYS) {
		BUF_LIT(b, "sandbox violation (SIGSYS: it made a system call that is not on its list; the kernel's log has the number)");
	} else if (end->signal) {
		BUF_LIT(b, "signal ");
		buf_u64(b, (unsigned)end->signal);
		BUF_LIT(b, " (");
		buf_put(b, span_z(strsignal(end->signal)));
		BUF_LIT(b, ")");
	} else {
		BUF_LIT(b, "exit status ");
		buf_i64(b, end->status);
	}
}

bool proc_die_with(int parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

bool proc_end_with(int parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0 && getppid() == parent;
}

bool proc_become(unsigned id)
{
	return setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0 && !proc_is_root();
}

unsigned proc_cores(void)
{
	cpu_set_t set;
	int n;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}

uint64_t proc_files_max(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 ? r.rlim_max : 0;
}

void proc_files_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int proc_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

enum proc_signal proc_signal_take(int fd)
{
	struct signalfd_siginfo s;

	if (read(fd, &s, sizeof s) != (ssize_t)sizeof s)
		return PROC_NO_SIGNAL;
	if (s.ssi_signo == SIGHUP)
		return PROC_RELOAD;
	return s.ssi_signo == SIGCHLD ? PROC_CHILD : PROC_STOP;
}
