/* role/kid.h: the programs that the launcher has started: each in a session of its own, watched until it and all it started are gone.
 *
 * A kid is STARTED on behalf of an edge (a bridge). It ends by itself, or is ended: when the bridge has closed its input and says STOP, or the
 * edge is gone (then nobody else holds the input), it has KID_TERM_MS to end, then gets SIGTERM, then KID_KILL_MS, then SIGKILL; all its group.
 * What it leaves behind is killed with it: its group, and whoever left the group and has lost its parent (os/start.h). Its standard error goes to the log
 * line by line, at most KID_LINES_A_SECOND; what is more is thrown away and counted, and a flood is read at KID_BYTES_A_SECOND. Private to role/. */
#ifndef POSTERN_ROLE_KID_H
#define POSTERN_ROLE_KID_H

#include "os/loop.h"
#include "role/program.h"

enum {
	KID_MAX = 1024, KID_LINE_MAX = 512,
	KID_TERM_MS = 2000, KID_KILL_MS = 3000, KID_HURRY_MS = 1000,
	KID_LINES_A_SECOND = 10, KID_BYTES_A_SECOND = 256 << 10
};

/* Whoever it was started for hears of its end. NULL: nobody any more. */
struct kid_owner {
	void (*ended)(struct kid_owner *owner, uint32_t child, int status, int signal);
	struct span name;    /* of the server */
};

/* One per process. False: no memory, of which it takes kids_need() bytes. */
bool kids_begin(struct loop *loop);
size_t kids_need(void);
/* A new kid: its standard input and output, to be passed on and closed; -1: it could not be started. `child` is the owner's number for it, of which there is
 * none yet. */
int kid_start(struct kid_owner *owner, uint32_t child, const struct conf_server *v, const struct program *p);
bool kid_has(const struct kid_owner *owner, uint32_t child);
void kid_stop(struct kid_owner *owner, uint32_t child);
/* The owner is gone: its kids end, and nobody is told. */
void kids_orphaned(struct kid_owner *owner);
/* All end soon. */
void kids_hurry(void);
/* SIGCHLD has come. */
void kids_reap(void);
/* After each loop_wait(): how long the next may last, in ms (-1: for ever). */
int kids_tick(void);
bool kids_gone(void);

#endif
