/* role/graph.h: the process graph. graph.c is the only place that draws an edge. */
#ifndef POSTERN_ROLE_GRAPH_H
#define POSTERN_ROLE_GRAPH_H

#include "role/house.h"

/* The channel of a new role: *ours stays in the parent, *theirs is for the role. */
bool graph_channel(int *ours, int *theirs);
/* Connects a role that has just been started with those of its generation that run. */
void graph_join(struct child *c);

#endif
