/* role/parent.h: the first process: opens, forks, watches, reloads, and reads no byte from the network.
 *
 *   SIGTERM, SIGINT   /ready says no, workers finish what is in flight within timeouts.drain, exit status 0; a second one ends all at once, 1
 *   SIGHUP            the configuration is read again: a right one becomes a new generation, a wrong one changes nothing
 *
 * A role that dies is started again: at once, then after 100, 200, … at most 5000 ms. `postern stdio` ends with its client, and reads its
 * configuration once. */
#ifndef POSTERN_ROLE_PARENT_H
#define POSTERN_ROLE_PARENT_H

#include "base/span.h"

/* Serves until told to stop. Complaints about the configuration go to standard error as they are; what is served goes to standard output, with
 * `ready` as the last line. Returns the exit status: 0; 1 the configuration is wrong; 3 the environment failed. */
int parent_run(struct span config_path);
/* The same for one client, at standard input and output, which carry nothing but its messages; no listener is opened. */
int parent_run_stdio(struct span config_path);

#endif
