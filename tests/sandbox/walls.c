/* The proof of a jail must notice each wall that is missing: one is left out at a time, from an open process to a finished role. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/proc.h"
#include "role/enter.h"
#include "tap.h"

enum { ALLOW = 0x7fff0000, LOAD = 0x20, SAME = 0x15, RETURN = 0x06 };
#define KILL 0x80000000U

/* What the child has set up when it asks for the proof. */
enum upto { OPEN_DESCRIPTOR, NOTHING, PRIVILEGES, IDS, LANDLOCK };

static const struct jail_land nowhere;

/* A filter that kills only the first n of the probes' calls. */
static struct seccomp_list kills(unsigned n)
{
	static struct jail_op ops[2 * JAIL_PROBES + 2];
	static const uint32_t calls[JAIL_PROBES] = {
		SYS_openat, SYS_mmap,
#ifdef SYS_fork
		SYS_fork,
#else
		SYS_clone,
#endif
		SYS_execve, SYS_kill
	};
	unsigned k = 0;

	ops[k++] = (struct jail_op){ LOAD, 0, 0, 0 };
	for (unsigned i = 0; i < n; i++) {
		ops[k++] = (struct jail_op){ SAME, 0, 1, calls[i] };
		ops[k++] = (struct jail_op){ RETURN, 0, 0, KILL };
	}
	ops[k++] = (struct jail_op){ RETURN, 0, 0, ALLOW };
	return (struct seccomp_list){ ops, k, NULL, 0 };
}

static void set_up(enum upto upto, const struct jail_land *land, unsigned *missing)
{
	int *const none[1] = { NULL };

	if (upto == OPEN_DESCRIPTOR && dup2(2, 700) != 700)
		_exit(9);
	if (upto >= NOTHING)
		jail_descriptors(none, 0, -1, -1);
	if (upto >= PRIVILEGES && !jail_privileges(missing))
		_exit(9);
	if (upto >= IDS && proc_is_root() && !proc_become(PROC_NOBODY))
		_exit(9);
	if (upto >= IDS)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (upto >= LANDLOCK && !jail_landlock(land, missing))
		_exit(9);
}

/* What the proof says in a child that was set up so far; "" if it finds nothing. */
static const char *proof(enum upto upto, const struct seccomp_list *list, const struct jail_land *real, const struct jail_land *told)
{
	static char text[128];
	unsigned missing = 0;
	ssize_t n;
	pid_t pid;
	int back[2];

	if (pipe(back) != 0)
		return "no pipe";
	pid = fork();
	if (pid == 0) {
		const char *leak;

		dup2(back[1], 2);
		set_up(upto, real, &missing);
		leak = role_proof(list, told, missing, 3);
		if (leak && write(2, leak, strlen(leak)) < 0)
			_exit(9);
		_exit(0);
	}
	close(back[1]);
	n = read(back[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	close(back[0]);
	waitpid(pid, NULL, 0);
	return text;
}

int main(void)
{
	static const uint16_t one = 1;
	const struct jail_land port_1 = { .ports = &one, .nports = 1 };
	const struct seccomp_list leaky = kills(0);
	unsigned missing = 0;
	pid_t pid;
	int status = 0, root;

	is_str(proof(OPEN_DESCRIPTOR, &seccomp_worker, &nowhere, &nowhere), "a descriptor that is not this role's is open", "a descriptor too many");
	is_str(proof(NOTHING, &seccomp_worker, &nowhere, &nowhere), "new privileges are possible", "no_new_privs left out");
	if (proc_is_root())
		is_str(proof(PRIVILEGES, &seccomp_worker, &nowhere, &nowhere), "it is root or can become it again", "still root");
	else
		skip(1, "needs root to be left root");

	/* What this kernel has, in a child: Landlock stays on for good. */
	pid = fork();
	if (pid == 0) {
		if (!jail_privileges(&missing) || !jail_landlock(&nowhere, &missing))
			_exit(255);
		_exit((int)missing);
	}
	waitpid(pid, &status, 0);
	missing = (unsigned)WEXITSTATUS(status);
	ok(WIFEXITED(status) && missing < 1U << JAIL_BITS, "the walls of this kernel can be listed");

	if (missing & JAIL_NO_LANDLOCK) {
		skip(3, "this kernel has no Landlock");
	} else {
		is_str(proof(IDS, &seccomp_worker, &nowhere, &nowhere), "Landlock lets it open \"/\"", "Landlock left out");
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		ok(root > 2, "/ can be opened before the jail");
		if (missing & JAIL_NO_LANDLOCK_NET)
			skip(1, "this kernel's Landlock has no network rules");
		else
			is_str(proof(LANDLOCK, &seccomp_worker, &port_1, &nowhere), "Landlock lets it bind, or connect to a port that is not configured",
				"a port too many");
		close(root);
	}
	is_str(proof(LANDLOCK, &leaky, &nowhere, &nowhere), "the syscall list lets it open a file", "a filter that allows everything");
	for (unsigned n = 1; n < JAIL_PROBES; n++) {
		struct seccomp_list list = kills(n);
		char want[128], name[128];

		snprintf(want, sizeof want, "the syscall list lets it %s", jail_probe_name((enum jail_probe)n));
		snprintf(name, sizeof name, "a filter that lets through: %s", jail_probe_name((enum jail_probe)n));
		is_str(proof(LANDLOCK, &list, &nowhere, &nowhere), want, name);
	}
	is_str(proof(LANDLOCK, &seccomp_worker, &nowhere, &nowhere), "", "with all walls up nothing leaks: worker");
	is_str(proof(LANDLOCK, &seccomp_worker, &port_1, &port_1), "", "with all walls up nothing leaks: worker with an upstream");
	is_str(proof(LANDLOCK, &seccomp_provider, &nowhere, &nowhere), "", "with all walls up nothing leaks: provider");
	is_str(proof(LANDLOCK, &seccomp_desk, &nowhere, &nowhere), "", "with all walls up nothing leaks: desk");
	is_str(proof(LANDLOCK, &seccomp_keeper, &nowhere, &nowhere), "", "with all walls up nothing leaks: keeper");
	is_str(proof(LANDLOCK, &seccomp_elder, &nowhere, &nowhere), "", "with all walls up nothing leaks: elder");
	is_str(proof(LANDLOCK, &seccomp_stdio, &nowhere, &nowhere), "", "with all walls up nothing leaks: stdio");
	is_str(proof(LANDLOCK, &seccomp_bridge, &nowhere, &nowhere), "", "with all walls up nothing leaks: bridge");
	is_str(proof(LANDLOCK, &seccomp_bridge_http, &port_1, &port_1), "", "with all walls up nothing leaks: bridge of a url");
	is_str(proof(LANDLOCK, &seccomp_broker, &port_1, &port_1), "", "with all walls up nothing leaks: broker");
	return done_testing();
}
