#include "os/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers that older headers lack; the same on every architecture. */
enum {
	CALL_CLOSE_RANGE = 436, CALL_LANDLOCK_CREATE = 444, CALL_LANDLOCK_ADD = 445, CALL_LANDLOCK_RESTRICT = 446,
	OPTION_SET_MDWE = 65, MDWE_NO_EXEC_GAIN = 1
};

/* linux/landlock.h, ABI 6 (Documentation/userspace-api/landlock.rst). */
enum { LAND_RULE_PATH = 1, LAND_RULE_PORT = 2, LAND_VERSION = 1 };
enum { LAND_FILE_READ = 1 << 2, LAND_DIR_READ = 1 << 3, LAND_TCP_BIND = 1, LAND_TCP_CONNECT = 2, LAND_SCOPES = 3 };
struct land_rules { uint64_t fs, net, scoped; };
struct land_path { uint64_t allowed; int32_t fd; } __attribute__((packed));
struct land_port { uint64_t allowed, port; };

const char *jail_missing_text(unsigned bit)
{
	static const char *const text[JAIL_BITS] = {
		"the kernel has no Landlock: file access rests on the syscall lists alone",
		"the kernel's Landlock knows no network rules (before Linux 6.7): a worker's connect() is not held to the configured ports",
		"the kernel's Landlock has no scopes (before Linux 6.12): signals to other processes are refused by the syscall lists alone",
		"the kernel has no memory-deny-write-execute (before Linux 6.3): it rests on the syscall lists alone",
		"this is a sanitizer build: NO SANDBOX AT ALL, for tests only",
		"the kernel has no secret memory (memfd_secret, Linux 5.14, may be switched off): private keys lie in the keeper's ordinary memory",
	};

	return bit < JAIL_BITS ? text[bit] : "";
}

const char *jail_missing_name(unsigned bit)
{
	static const char *const name[JAIL_BITS] = { "landlock", "landlock-net", "landlock-scope", "mdwe", "sandbox", "secret-memory" };

	return bit < JAIL_BITS ? name[bit] : "";
}

bool jail_descriptors(int *const *keep, unsigned n, int null_fd, int log_fd)
{
	if ((null_fd >= 0 && (dup2(null_fd, 0) != 0 || dup2(null_fd, 1) != 1)) || (log_fd > 2 && dup2(log_fd, 2) != 2))
		return false;
	/* In ascending order each target is at or below its source and above the targets before it: nothing still needed is overwritten. */
	for (unsigned done = 0; done < n; done++) {
		int target = 3 + (int)done;
		int *least = NULL;

		for (unsigned i = 0; i < n; i++)
			if (*keep[i] >= target && (!least || *keep[i] < *least))
				least = keep[i];
		if (!least)
			return false;
		if (*least != target && dup3(*least, target, O_CLOEXEC) != target)
			return false;
		*least = target;
	}
	return syscall(CALL_CLOSE_RANGE, 3 + n, ~0U, 0) == 0;
}

bool jail_limits(unsigned files, int written)
{
	static const struct rlimit none = { 0, 0 }, stack = { JAIL_STACK, JAIL_STACK };
	const struct rlimit exact = { files, files };
	struct stat log, other;
	/* A log that is a file must be able to grow; whoever runs us chose that. */
	bool is_file = (fstat(2, &log) == 0 && S_ISREG(log.st_mode)) || (written >= 0 && fstat(written, &other) == 0 && S_ISREG(other.st_mode));

	return setrlimit(RLIMIT_CORE, &none) == 0 && (is_file || setrlimit(RLIMIT_FSIZE, &none) == 0)
		&& setrlimit(RLIMIT_STACK, &stack) == 0 && setrlimit(RLIMIT_NOFILE, &exact) == 0;
}

bool jail_no_children(void)
{
	static const struct rlimit none = { 0, 0 };

	return setrlimit(RLIMIT_NPROC, &none) == 0;
}

bool jail_no_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool jail_privileges(unsigned *missing)
{
	if (!jail_no_privileges())
		return false;
	if (prctl(OPTION_SET_MDWE, MDWE_NO_EXEC_GAIN, 0, 0, 0) != 0)
		*missing |= JAIL_NO_MDWE;
	return true;
}

static bool land_add(int rules, int type, const void *rule)
{
	return syscall(CALL_LANDLOCK_ADD, rules, type, rule, 0) == 0;
}

static bool land_rules_add(int rules, const struct jail_land *l, bool net)
{
	for (unsigned i = 0; i < l->nread_dirs; i++) {
		struct land_path p = { LAND_FILE_READ | LAND_DIR_READ, l->read_dirs[i] };

		if (!land_add(rules, LAND_RULE_PATH, &p))
			return false;
	}
	for (unsigned i = 0; net && i < l->nports; i++) {
		struct land_port p = { LAND_TCP_CONNECT, l->ports[i] };

		if (!land_add(rules, LAND_RULE_PORT, &p))
			return false;
	}
	return true;
}

bool jail_landlock(const struct jail_land *l, unsigned *missing)
{
	long abi = syscall(CALL_LANDLOCK_CREATE, NULL, 0, LAND_VERSION);
	struct land_rules r = { 0, 0, 0 };
	/* Every file right the ABI knows: 13 of them, then REFER, TRUNCATE, (none,) IOCTL_DEV. */
	unsigned rights = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	bool right;
	int rules;

	if (abi < 1) {
		*missing |= JAIL_NO_LANDLOCK | JAIL_NO_LANDLOCK_NET | JAIL_NO_LANDLOCK_SCOPE;
		return true;
	}
	r.fs = (1ULL << rights) - 1;
	if (abi >= 4)
		r.net = LAND_TCP_BIND | LAND_TCP_CONNECT;
	else
		*missing |= JAIL_NO_LANDLOCK_NET;
	if (abi >= 6)
		r.scoped = LAND_SCOPES;
	else
		*missing |= JAIL_NO_LANDLOCK_SCOPE;
	rules = (int)syscall(CALL_LANDLOCK_CREATE, &r, size, 0);
	if (rules < 0)
		return false;
	right = land_rules_add(rules, l, abi >= 4) && syscall(CALL_LANDLOCK_RESTRICT, rules, 0) == 0;
	close(rules);
	return right;
}

/* ---- a program that we start ---- */

enum {
	LAND_EXECUTE = 1, LAND_WRITE_FILE = 2, LAND_MAKE_CHAR = 1 << 6, LAND_MAKE_BLOCK = 1 << 11, LAND_REFER = 1 << 13, LAND_TRUNCATE = 1 << 14,
	LAND_IOCTL_DEV = 1 << 15, LAND_SCOPE_SIGNAL = 2
};

/* A file among the paths has the rights that files have; one that is not there is no failure if it is one of ours. */
static bool child_path(int rules, const char *path, uint64_t rights, bool must)
{
	const uint64_t of_files = LAND_EXECUTE | LAND_WRITE_FILE | LAND_FILE_READ | LAND_TRUNCATE | LAND_IOCTL_DEV;
	struct land_path p = { rights, openat(AT_FDCWD, path, O_PATH | O_CLOEXEC) };
	struct stat is;
	bool right;

	if (p.fd < 0)
		return !must;
	if (fstat(p.fd, &is) == 0 && !S_ISDIR(is.st_mode))
		p.allowed &= of_files;
	right = land_add(rules, LAND_RULE_PATH, &p);
	close(p.fd);
	return right;
}

static bool child_files(int rules, const struct jail_child *c, uint64_t handled)
{
	const uint64_t read = (LAND_EXECUTE | LAND_FILE_READ | LAND_DIR_READ) & handled;
	bool right = child_path(rules, "/dev/null", handled, false);

	if (!c->read_all) /* else reading is not handled at all, and a rule must not speak of it */
		right = right && child_path(rules, "/dev/urandom", read, false) && child_path(rules, "/dev/zero", read, false) && child_path(rules, c->program, read, true);
	for (unsigned i = 0; right && !c->read_all && i < c->nread; i++)
		right = child_path(rules, c->read[i], read, true);
	for (unsigned i = 0; right && i < c->nwrite; i++)
		right = child_path(rules, c->write[i], handled, true);
	return right;
}

bool jail_child(const struct jail_child *c, const char **why)
{
	long abi = syscall(CALL_LANDLOCK_CREATE, NULL, 0, LAND_VERSION);
	struct land_rules r = { 0, 0, 0 };
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	bool right;
	int rules;

	*why = "the kernel has no Landlock, which \"read\" and \"write\" need";
	if (abi < 1)
		return !c->files;
	/* Whoever stands behind rules reaches no process that does not. Before ABI 2 rules would cost it renaming between directories. */
	if (abi < 2 && !c->files)
		return true;
	r.fs = c->files ? (1ULL << (abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13)) - 1 : LAND_MAKE_CHAR | LAND_MAKE_BLOCK | LAND_REFER;
	if (c->files && c->read_all)
		r.fs &= ~(uint64_t)(LAND_EXECUTE | LAND_FILE_READ | LAND_DIR_READ);
	if (abi >= 6)
		r.scoped = c->files ? LAND_SCOPES : LAND_SCOPE_SIGNAL;
	*why = "its walls (Landlock)";
	rules = (int)syscall(CALL_LANDLOCK_CREATE, &r, size, 0);
	if (rules < 0)
		return false;
	right = c->files ? child_files(rules, c, r.fs) : child_path(rules, "/", LAND_REFER, true);
	right = right && syscall(CALL_LANDLOCK_RESTRICT, rules, 0) == 0;
	close(rules);
	return right;
}

bool jail_filter(const struct jail_op *ops, unsigned n)
{
	struct sock_fprog program;

	_Static_assert(sizeof(struct jail_op) == sizeof(struct sock_filter), "jail_op is sock_filter");
	memset(&program, 0, sizeof program);
	program.len = (unsigned short)n;
	memcpy(&program.filter, &ops, sizeof ops); /* the kernel only reads, its header knows no const */
	return n > 0 && n <= 4096 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}
