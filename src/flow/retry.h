/* flow/retry.h: an upstream asks in the middle of a call (mcp.md 6), and the client comes again with its answers and the upstream's requestState, which is
 * sealed for that caller and that request (gate/request_state.h). */
#ifndef POSTERN_FLOW_RETRY_H
#define POSTERN_FLOW_RETRY_H

#include "flow/flow_priv.h"

enum { RETRY_MS = 900000 /* how long a caller may think about an answer */ };

/* The requestState of an answer becomes the caller's, as an edit; its text lies in head_mem, REQUEST_STATE_HEAD bytes of it. False: it may not answer so. */
bool retry_result(struct txn *t, struct upstream *up, uint32_t result, struct edits *s, char *head_mem);
/* The txn has a requestState: STEP_NEXT, and t->retried and t->server are set, or it is refused. Without one STEP_NEXT. Reads t->called. */
enum step_end retry_route(struct txn *t);
/* What goes to the upstream of it. */
void retry_edits(const struct txn *t, struct edits *s);

#endif
