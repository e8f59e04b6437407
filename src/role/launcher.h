/* role/launcher.h: the one process that starts programs, and the one that sees to it that nothing of that outlives Postern.
 *
 * The GUARD is forked by the parent before its filter, of which programs could not live: it starts the LAUNCHER, waits for its end, kills what was
 * left behind, and starts it again. Both last as long as the house, generations come and go. The channel of the parent is the launcher's,
 * whichever it is; a new one says READY, and is told everything anew.
 *
 * The launcher runs what the configuration names and nothing else. It reads the file itself: a message of the parent says of which bytes a
 * generation is made, one of a bridge which of its server's children to start or to stop. Programs, arguments and environment come in no message. */
#ifndef POSTERN_ROLE_LAUNCHER_H
#define POSTERN_ROLE_LAUNCHER_H

#include "role/config.h"

enum { LAUNCHER_GRACE_MS = 6000 /* from SIGTERM until it has killed whatever does not end */ };

struct launcher_start {
	struct span path;            /* of the configuration file */
	const struct config *first;  /* as the parent has read it; may be what only root can read */
	unsigned number;             /* its generation */
	int parent_pid, channel, null_fd, log_fd;
	bool root;                   /* becomes PROC_NOBODY when the first configuration's secrets are read */
};
/* Bytes of memory of the launcher, beside the configurations. */
size_t launcher_need(void);
/* In a new process: the guard. */
_Noreturn void launcher_guard(struct launcher_start *s);

#endif
