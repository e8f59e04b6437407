/* flow/step_run.h: the steps of the path, in the order of step_table.c. */
#ifndef POSTERN_FLOW_STEP_RUN_H
#define POSTERN_FLOW_STEP_RUN_H

#include "flow/flow_priv.h"

enum step_end step_head(struct txn *t, int64_t now_ms);
enum step_end step_auth(struct txn *t, int64_t now_ms);
enum step_end step_body(struct txn *t, int64_t now_ms);
enum step_end step_envelope(struct txn *t, int64_t now_ms);
enum step_end step_route(struct txn *t, int64_t now_ms);
enum step_end step_policy(struct txn *t, int64_t now_ms);
enum step_end step_params(struct txn *t, int64_t now_ms);
enum step_end step_send(struct txn *t, int64_t now_ms);
enum step_end step_reply(struct txn *t, int64_t now_ms);
enum step_end step_elder(struct txn *t, int64_t now_ms);
enum step_end step_flush(struct txn *t, int64_t now_ms);
enum step_end step_close(struct txn *t, int64_t now_ms);

#endif
