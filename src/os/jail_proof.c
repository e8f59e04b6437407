/* The proof: a role tries what it must not be able to do, before anybody depends on it. */
#include "os/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL_OPENAT2 = 437, OPTION_GET_MDWE = 66, PROOF_FILES = 4096 };

const char *jail_probe_name(enum jail_probe p)
{
	static const char *const name[JAIL_PROBES] = { "open a file", "map memory", "fork", "execute a program", "send a signal" };

	return name[p];
}

/* Raw calls: nothing of libc may come between the filter and the call that must die of it. */
static void attempt(enum jail_probe p, pid_t parent)
{
	switch (p) {
	case JAIL_PROBE_OPEN:
		syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY | O_CLOEXEC, 0);
		break;
	case JAIL_PROBE_MAP:
		syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		break;
	case JAIL_PROBE_FORK:
#ifdef SYS_fork
		syscall(SYS_fork);
#else
		syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
		break;
	case JAIL_PROBE_EXEC:
		syscall(SYS_execve, "", NULL, NULL);
		break;
	case JAIL_PROBE_KILL:
		syscall(SYS_kill, parent, 0);
		break;
	case JAIL_PROBES:
		break;
	}
}

bool jail_probe_dies(const struct jail_op *ops, unsigned n, enum jail_probe p)
{
	int status = 0;
	pid_t got, pid, parent = getpid();

	pid = fork();
	if (pid < 0)
		return false;
	if (pid == 0) {
		if (jail_filter(ops, n))
			attempt(p, parent);
		_exit(0);
	}
	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	return got == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* "/" can be opened although it is not among the directories. */
static bool files_leak(const struct jail_land *l)
{
	struct stat root, dir;
	int fd = openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool leak = fd >= 0 && fstat(fd, &root) == 0;

	for (unsigned i = 0; leak && i < l->nread_dirs; i++)
		if (fstat(l->read_dirs[i], &dir) == 0 && same_file(&root, &dir))
			leak = false;
	if (fd >= 0)
		close(fd);
	return leak;
}

static bool write_leaks(const struct jail_land *l)
{
	for (unsigned i = 0; i < l->nread_dirs; i++) {
		struct { uint64_t flags, mode, resolve; } how = { O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600, 0 };
		int fd = (int)syscall(CALL_OPENAT2, l->read_dirs[i], ".", &how, sizeof how);

		if (fd >= 0) {
			close(fd);
			return true;
		}
	}
	return false;
}

/* The socket call itself is let through or not by the filter; here only Landlock's answer counts: EACCES, before any packet. */
static bool port_leaks(const struct jail_land *l)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint16_t port = 1;
	bool bind_leaks, connect_leaks;
	int fd;

	for (unsigned i = 0; i < l->nports; i++) /* at most nports of the candidates are allowed ones */
		for (unsigned k = 0; k < l->nports; k++)
			if (l->ports[k] == port)
				port++;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind_leaks = bind(fd, (const struct sockaddr *)&to, sizeof to) == 0 || errno != EACCES;
	to.sin_port = htons(port);
	connect_leaks = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 || errno != EACCES;
	close(fd);
	return bind_leaks || connect_leaks;
}

const char *jail_leak(const struct jail_land *l, unsigned missing, unsigned files)
{
	uid_t real, effective, saved;

	for (int fd = (int)files; fd < PROOF_FILES; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return "a descriptor that is not this role's is open";
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return "new privileges are possible";
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return "the process can be traced and dumped";
	if (!(missing & JAIL_NO_MDWE) && (prctl(OPTION_GET_MDWE, 0, 0, 0, 0) & 1) == 0)
		return "memory can be made executable";
	if (getresuid(&real, &effective, &saved) != 0 || real == 0 || effective == 0 || saved == 0)
		return "it is root or can become it again";
	if (!(missing & JAIL_NO_LANDLOCK) && files_leak(l))
		return "Landlock lets it open \"/\"";
	if (!(missing & JAIL_NO_LANDLOCK) && write_leaks(l))
		return "Landlock lets it write beneath the served directory";
	if (!(missing & JAIL_NO_LANDLOCK_NET) && port_leaks(l))
		return "Landlock lets it bind, or connect to a port that is not configured";
	return NULL;
}
