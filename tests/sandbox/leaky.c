/* Postern's own parent and roles with a wrong list for one of them: `leaky ROLE FILE`. For 12-leaky.t, which expects that it does not serve. */
#include <string.h>
#include <sys/syscall.h>

#include "role/parent.h"
#include "role/seccomp_table.h"


enum { ALLOW = 0x7fff0000, LOAD = 0x20, SAME = 0x15, RETURN = 0x06 };
#define KILL 0x80000000U
#define NO(call) { SAME, 0, 1, call }, { RETURN, 0, 0, KILL }
#ifdef SYS_fork
#define NO_FORK NO(SYS_fork)
#else
#define NO_FORK NO(SYS_clone)
#endif

static struct jail_op leak[] = { { LOAD, 0, 0, 0 }, { RETURN, 0, 0, ALLOW } };
static struct jail_op no_exec[] = { { LOAD, 0, 0, 0 }, NO(SYS_execve), { RETURN, 0, 0, ALLOW } };
static struct jail_op tight[] = {
	{ LOAD, 0, 0, 0 }, NO(SYS_execve), NO(SYS_openat), NO(SYS_mmap), NO_FORK, NO(SYS_kill), { RETURN, 0, 0, ALLOW }
};

/* Defined here, these take the place of the generated tables. */
enum { LISTS = 10 };
static struct jail_op ops[LISTS][16];
const struct seccomp_list seccomp_parent = { ops[0], 16, NULL, 0 }, seccomp_worker = { ops[1], 16, NULL, 0 },
	seccomp_provider = { ops[2], 16, NULL, 0 }, seccomp_desk = { ops[3], 16, NULL, 0 },
	seccomp_keeper = { ops[4], 16, NULL, 0 }, seccomp_broker = { ops[5], 16, NULL, 0 },
	seccomp_bridge = { ops[6], 16, NULL, 0 }, seccomp_elder = { ops[7], 16, NULL, 0 },
	seccomp_bridge_http = { ops[8], 16, NULL, 0 }, seccomp_stdio = { ops[9], 16, NULL, 0 };
/* What is refused to programs is no part of this. */
static const struct jail_op all[] = { { RETURN, 0, 0, ALLOW } };
const struct seccomp_list seccomp_launcher = { all, 1, NULL, 0 }, seccomp_offline = { all, 1, NULL, 0 };

static void fill(struct jail_op *to, const struct jail_op *from, unsigned n)
{
	const struct jail_op end = { RETURN, 0, 0, ALLOW };

	for (unsigned i = 0; i < 16; i++)
		to[i] = i < n ? from[i] : end;
}

int main(int argc, char **argv)
{
	static const char *const name[LISTS] = { "parent", "worker", "provider", "desk", "keeper", "broker", "bridge", "elder", "bridge_http", "stdio" };

	if (argc != 3)
		return 2;
	for (unsigned r = 0; r < LISTS; r++) {
		if (strcmp(argv[1], name[r]) == 0)
			fill(ops[r], leak, sizeof leak / sizeof leak[0]);
		else if (r == 0)
			fill(ops[r], no_exec, sizeof no_exec / sizeof no_exec[0]);
		else
			fill(ops[r], tight, sizeof tight / sizeof tight[0]);
	}
	return strcmp(argv[1], "stdio") == 0 ? parent_run_stdio(span_z(argv[2])) : parent_run(span_z(argv[2]));
}
