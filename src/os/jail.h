/* os/jail.h: the walls of a role, one function each. role/enter.c calls them in the order that works; nothing here can be undone.
 *
 * Missing kernel features are reported as bits, never passed over in silence. Kernel 5.9 or later (close_range). */
#ifndef POSTERN_OS_JAIL_H
#define POSTERN_OS_JAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What this kernel (or this build) lacks. */
enum {
	JAIL_NO_LANDLOCK = 1,        /* no Landlock at all: file access rests on seccomp */
	JAIL_NO_LANDLOCK_NET = 2,    /* Landlock before ABI 4: connect() may reach any port */
	JAIL_NO_LANDLOCK_SCOPE = 4,  /* Landlock before ABI 6: no wall against signals, which seccomp refuses anyway */
	JAIL_NO_MDWE = 8,            /* before Linux 6.3: no wall against writable and executable memory */
	JAIL_NO_WALLS = 16,          /* a sanitizer build: none of it */
	JAIL_NO_SECRET_MEMORY = 32,  /* no memfd_secret: private keys lie in ordinary memory */
	JAIL_BITS = 6
};
/* A sentence for one bit (0..JAIL_BITS-1), and its short name. */
const char *jail_missing_text(unsigned bit);
const char *jail_missing_name(unsigned bit);

/* One BPF instruction: the layout of struct sock_filter. */
struct jail_op {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

/* Renumbers the n descriptors keep[i] (ascending order not needed, all >= 3, no two equal) to 3, 4, …; closes every other one from 3 on. The
 * new numbers are written back. 0 and 1 become `null_fd`, 2 becomes `log_fd` (both are among neither). */
bool jail_descriptors(int *const *keep, unsigned n, int null_fd, int log_fd);
enum { JAIL_STACK = 1 << 19 /* several times what the deepest call needs; arguments and environment lie there too */ };
/* No core, no new bytes in files (unless the log is one, or the descriptor `written`; -1: none), a small stack, exactly `files` descriptors. */
bool jail_limits(unsigned files, int written);
/* No children. After the proof, which needs some. */
bool jail_no_children(void);
/* No new privileges, not dumpable; nothing about memory, which a program may need to execute. */
bool jail_no_privileges(void);
/* No new privileges, not dumpable (same-uid processes lose ptrace, /proc/PID/mem and /proc/PID/fd); adds to *missing. */
bool jail_privileges(unsigned *missing);

struct jail_land {
	const int *read_dirs;    /* directories to read beneath */
	unsigned nread_dirs;
	const uint16_t *ports;   /* TCP ports to connect to */
	unsigned nports;
};
/* Landlock: no file but beneath read_dirs, no TCP bind, no connect but to ports; adds to *missing. */
bool jail_landlock(const struct jail_land *l, unsigned *missing);
/* What a program that we start may do with files, and that it reaches no other process. The paths end with NUL. */
struct jail_child {
	bool files;                     /* there is a wall around files; else only what keeps it from other processes, as far as the kernel can */
	bool read_all;                  /* it may read and execute everything */
	const char *const *read, *const *write; /* directories and files */
	const char *program;            /* it may be read and executed */
	unsigned nread, nwrite;
};
/* Landlock once more, for such a program: signals, memory and environment of processes outside it are out of reach. False: *why, static. A
 * wall around files that the kernel cannot build is a failure, the rest is left out where it cannot. */
bool jail_child(const struct jail_child *c, const char **why);
/* The filter, last. */
bool jail_filter(const struct jail_op *ops, unsigned n);

/* ---- proof, before the filter ---- */

enum jail_probe { JAIL_PROBE_OPEN, JAIL_PROBE_MAP, JAIL_PROBE_FORK, JAIL_PROBE_EXEC, JAIL_PROBE_KILL, JAIL_PROBES };
const char *jail_probe_name(enum jail_probe p);
/* A forked child puts on the filter and makes the call; true if that killed it by SIGSYS. */
bool jail_probe_dies(const struct jail_op *ops, unsigned n, enum jail_probe p);
/* NULL if every wall stands that is not missing, else what leaks (static). `files`: descriptors 0..files-1 may be open, no other. */
const char *jail_leak(const struct jail_land *l, unsigned missing, unsigned files);

#endif
