/* os/proc.h: processes: making, watching and ending our own. */
#ifndef POSTERN_OS_PROC_H
#define POSTERN_OS_PROC_H

#include "base/buf.h"

enum { PROC_NOBODY = 65532 }; /* user and group that root becomes: "nonroot" of minimal images */

/* 0 in the child, its pid in the parent, -1 if there can be none. */
int proc_fork(void);
int proc_id(void);
_Noreturn void proc_exit(int status);
/* The hard way: SIGKILL. */
void proc_kill(int pid);

struct proc_end {
	int pid;
	int status;  /* exit status, or -1 */
	int signal;  /* that ended it, or 0 */
};
enum { PROC_KILLED = 9 }; /* SIGKILL */
/* One child that has ended, without waiting; false when there is none. */
bool proc_reap(struct proc_end *end);
/* The same, but it stays: its number, and that of its group, are still its own until proc_bury(). */
bool proc_peek(struct proc_end *end);
void proc_bury(int pid);
/* Whether there is any child, zombies too. */
bool proc_any(void);
/* SIGTERM or SIGKILL to a process, or to a whole group (which is called as its first process). */
void proc_term(int pid);
void proc_term_group(int pid);
void proc_kill_group(int pid);
/* "exit status 3", "signal 9 (Killed)", "sandbox violation (SIGSYS)". */
void proc_end_write(struct buf *b, const struct proc_end *end);

/* What `ps` shows, at most 15 bytes. */
void proc_name(const char *name);
/* The kernel ends us when `parent` ends; false if it is gone already. After the last change of ids, which would undo it. */
bool proc_die_with(int parent);
/* It asks us to end instead: SIGTERM. */
bool proc_end_with(int parent);
/* A session of its own: no terminal reaches it. */
void proc_session(void);
bool proc_is_root(void);
/* Gives up root for good: no groups, then gid and uid for real, effective and saved. */
bool proc_become(unsigned id);
/* Processors this process may run on, at least 1. */
unsigned proc_cores(void);
/* The most descriptors this process could be allowed; and allow them. */
uint64_t proc_files_max(void);
void proc_files_raise(void);

/* SIGTERM, SIGINT, SIGHUP and SIGCHLD are blocked from now on, here and in children, and come as reads of the descriptor; SIGPIPE is
 * ignored. -1 on failure. */
int proc_signals(void);
enum proc_signal { PROC_NO_SIGNAL, PROC_STOP, PROC_RELOAD, PROC_CHILD };
enum proc_signal proc_signal_take(int fd);

#endif
