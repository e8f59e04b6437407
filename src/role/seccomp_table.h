/* role/seccomp_table.h: the syscall lists of seccomp/, as BPF; the definitions are generated when Postern is built (seccomp/gen.c). */
#ifndef POSTERN_ROLE_SECCOMP_TABLE_H
#define POSTERN_ROLE_SECCOMP_TABLE_H

#include "os/jail.h"

struct seccomp_list {
	const struct jail_op *ops;
	unsigned nops;
	const uint16_t *calls; /* the numbers on the list, for the tests */
	unsigned ncalls;
};

extern const struct seccomp_list seccomp_parent, seccomp_worker, seccomp_provider, seccomp_desk, seccomp_keeper, seccomp_broker, seccomp_bridge, seccomp_bridge_http, seccomp_elder,
	seccomp_stdio;
extern const struct seccomp_list seccomp_launcher, seccomp_offline; /* what is refused, and `calls` with it; everything else is allowed */

#endif
