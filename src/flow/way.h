/* flow/way.h: which way a server at a url is asked: directly, or over the line of its bridge, because it speaks an older revision. */
#ifndef POSTERN_FLOW_WAY_H
#define POSTERN_FLOW_WAY_H

#include "flow/flow_priv.h"

/* Before server/discover: decides which way it goes. */
void way_begin(struct upstream *up);
/* It was answered as our revision does. */
void way_modern(struct upstream *up);
/* There was no answer. True: ask by line now. */
bool way_refused(struct upstream *up, enum leg_fault fault, unsigned status);
enum way_answer { WAY_NONE, WAY_AGAIN };
/* There was an answer, but not one of our revision. WAY_AGAIN: ask once more, whichever way it goes now. */
enum way_answer way_answered(struct upstream *up, const struct mcp_message *m, unsigned status);

#endif
