/* os/start.h: another program as a process of ours, in a session of its own, and what becomes of its descendants. */
#ifndef POSTERN_OS_START_H
#define POSTERN_OS_START_H

#include "os/jail.h"

struct start {
	const char *program;         /* the file; nothing is looked for */
	char *const *argv, *const *envp;
	const char *dir;             /* working directory */
	int in_out, err;             /* become 0 and 1, and 2; no other descriptor stays open */
	uint64_t memory;             /* bytes of private memory of each process; 0: no limit, here and below */
	uint64_t cpu_s;              /* processor time of each process */
	uint32_t files, processes;   /* descriptors of each process; processes and threads of this user, all together */
	struct jail_child wall;
	const struct jail_op *ops[2];/* filters; NULL: none */
	unsigned nops[2];
};

/* The pid, which is its process group too; -1: there can be no process. It ends with the calling process. What fails in it afterwards it says in a line
 * on `err` and ends with START_FAILED. */
enum { START_FAILED = 127 };
int start_program(const struct start *s);

/* A connected pair of streams: *ours does not block and is not inherited; *theirs is for a program. False: out of descriptors. */
bool start_pair(int *ours, int *theirs);
/* A pipe: *ours, for reading, does not block and is not inherited. */
bool start_pipe(int *ours, int *theirs);
/* Bytes (> 0), 0 at the end, -1: nothing now. */
long start_read(int fd, void *to, size_t n);

/* Descendants that lose their parent become children of this process, whatever they have done to get away. */
bool start_adopt(void);
/* From now on signals of this process, and of all it starts, reach nobody else. True: so it is, which has been tried; false: the kernel has no such
 * wall (Landlock before Linux 6.12). */
bool start_alone(void);
/* Kills everything this process has started and what that has started, at once: nothing forks fast enough. Only if start_alone() was true. */
void start_kill_all(void);
/* Kills each child of this process for which keep() is false, with its group; `session` as in setsid(2). Zombies are left. Returns how many. */
unsigned start_kill_strays(bool (*keep)(int pid, int session));

#endif
