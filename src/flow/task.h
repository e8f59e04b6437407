/* flow/task.h: the extension io.modelcontextprotocol/tasks (mcp.md 9), carried. */
#ifndef POSTERN_FLOW_TASK_H
#define POSTERN_FLOW_TASK_H

#include "flow/flow_priv.h"

enum step_end task_gate(struct txn *t);            /* is there anybody here who makes tasks? Waits, or answers that there is no such method */
struct mcp_fault task_declared(struct txn *t);     /* has the client said that it speaks of them, where it has to? Sets t->tasks */
enum step_end task_route(struct txn *t);           /* t->called: the id as the client has it */
/* Ids in a result become the client's, as edits. False: the upstream may not answer so. */
bool task_result(struct txn *t, struct upstream *up, uint32_t result, struct edits *s);

/* Tasks in a listen: the client's ids among `taskIds` of its filter, which the json view holds but for task_heard() and task_event(). */
/* "taskIds":[…] of those that this upstream has and the caller may ask for; `any`: something stands before. True: so it does now. */
bool task_filter(struct txn *t, struct upstream *up, struct buf *b, bool any);
/* From an acknowledgement of the upstream's, which is gone from the json view afterwards: sets t->tasks_heard. */
void task_heard(struct txn *t, struct upstream *up, const struct mcp_message *m);
/* "taskIds":[…] of those that are acknowledged. */
void task_acknowledge(struct txn *t, struct buf *b, bool any);
/* notifications/tasks, for the client if it is acknowledged; the json view is another afterwards. */
void task_event(struct txn *t, struct upstream *up, const struct mcp_message *m);

#endif
