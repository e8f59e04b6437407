/* flow/list.h: lists and completions as this caller is shown them; lists of several upstreams put together. `prefix`: absent, or list_prefix(). */
#ifndef POSTERN_FLOW_LIST_H
#define POSTERN_FLOW_LIST_H

#include "flow/flow_priv.h"

struct list_edits {
	char cursor_mem[MCP_CURSOR_MAX + 32];
	char server_mem[128], ttl_mem[24];
	struct edits s;
};
/* What one upstream's list says to a client: without what it may not use; of a prefixed gateway, our names, our cursors, from us. False: it
 * is no list, or has too many entries. x->s: begun, with the flow's edits. */
bool list_pass(struct txn *t, struct upstream *up, uint32_t result, struct list_edits *x);
struct span list_prefix(const struct txn *t, const struct upstream *up);     /* what its entries' names begin with here; absent: nothing */
int64_t list_ttl(const struct json *j, uint32_t result);                     /* within what we would say ourselves */
/* False: the entry is left out, for this caller or for all. `all`: nothing there is hidden from this caller. */
bool list_keeps(struct txn *t, struct upstream *up, uint32_t entry, bool all);
/* As it is shown, in no more bytes than it and the prefix have. False: too much of it may not pass. */
bool list_entry(struct upstream *up, uint32_t entry, struct span prefix, struct buf *b);
/* Values of a completion of a template that make URIs this caller may not use become edits. `total_mem` lives as long as they. */
void list_completion(struct txn *t, struct upstream *up, uint32_t result, struct edits *s, char total_mem[24]);

/* gather.c: a list of several upstreams, t->wanted, from t->server on; t->missing are named as unavailable */
enum step_end gather_send(struct txn *t);
void gather_answer(struct txn *t, struct upstream *up, const struct mcp_message *m);
void gather_failed(struct txn *t, struct upstream *up, unsigned status, struct span why);
void gather_late(struct txn *t);                                             /* its time is up */
void gather_free(struct txn *t);
size_t gather_size(void);

#endif
