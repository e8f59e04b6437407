/* role/enter.h: the one way into a role, the same for all, in the order that works:
 *
 *   name · die with the parent · memory (once, from the budget) · close every descriptor that is not its own · limits · ids (already given
 *   up by the parent, checked here), no new privileges, not dumpable, no new executable memory · Landlock · the proof · no children ·
 *   seccomp, last.
 *
 * The role then waits for START, says READY, and loops. */
#ifndef POSTERN_ROLE_ENTER_H
#define POSTERN_ROLE_ENTER_H

#include "os/jail.h"
#include "os/loop.h"
#include "role/msg.h"
#include "role/seccomp_table.h"

enum { ENTRY_KEEP_MAX = 160 /* the keeper's key files are the most */, ENTRY_EXIT_WALLS = 3 /* exit status: the walls do not stand, or the environment failed */ };

struct entry {
	enum role role;
	char name[48];               /* for the log, and for ps, which shows 15 bytes */
	int parent_pid;
	int channel;
	int null_fd, log_fd;
	int *keep[ENTRY_KEEP_MAX];   /* further descriptors, -1 is passed over; renumbered in place */
	unsigned nkeep;
	const int *written;          /* the one of them that may be a file to write to; NULL: none */
	size_t need;                 /* bytes */
	unsigned files;              /* descriptors it may hold open besides those kept and the loop */
	struct jail_land land;       /* read_dirs are kept descriptors */
	const struct seccomp_list *list;
	/* What comes out */
	void *memory;                /* `need` bytes, zeroed */
	struct loop loop;
	unsigned missing;            /* JAIL_NO_…, added to what the role has found missing itself */
};

/* Shuts the jail. On any failure it says why and ends the process with ENTRY_EXIT_WALLS. */
void role_enter(struct entry *e);
/* The proof alone: NULL, or what leaks (static text until the next call). */
const char *role_proof(const struct seccomp_list *list, const struct jail_land *land, unsigned missing, unsigned files);
/* The end of a role whose channel is gone or told it a lie. */
_Noreturn void role_end(const char *why);
void role_ready(const struct entry *e);
/* From now on each message of the parent that is permitted in *phase goes to handle(), which owns its descriptor; the parent's end, or a message that
 * is not permitted, ends the role. False: the channel cannot be watched. Once in a process; both pointers stay good. */
bool role_listen(struct entry *e, const enum phase *phase, void (*handle)(const union msg *m, int fd));

#endif
