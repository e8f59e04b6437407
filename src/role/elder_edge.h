/* role/elder_edge.h: what stands between elder/elder.h and descriptors: for each worker an edge of frames, by which old requests come and answers go,
 * and one of packets, over which it gets the far ends of the connections on which the elder is its client (flow/elder_msg.h). One of it in a process.
 *
 * An edge that breaks the rules of its page is closed, and with it all its calls. Each is read whatever happens on the others; what it does not
 * take in time is not waited for: a stream ends (what was missed is kept), an answer becomes a status. */
#ifndef POSTERN_ROLE_ELDER_EDGE_H
#define POSTERN_ROLE_ELDER_EDGE_H

#include "elder/elder.h"
#include "flow/exchange.h"

enum { EDGE_CALL_MS = 900000 /* a modern request that has no end by then has failed; workers have their own, shorter times */ };

/* Hooks, loop and timers are filled in by edge_place(). */
struct edge_settings { struct elder_settings elder; struct exchange_settings pool; };

void edge_budget(const struct edge_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t edge_need(const struct edge_settings *s);
/* mem: edge_need() bytes, zeroed, aligned to 64. `s` must outlive it; its entropy may be wiped afterwards. */
void edge_place(void *mem, struct edge_settings *s, struct loop *on);
/* A worker's edge, in place of one it may have had; the descriptor is ours. worker < elder.workers. */
void edge_frames(unsigned worker, int fd);
void edge_packets(unsigned worker, int fd);
/* After each loop_wait(). Returns how long the next may last, in ms (-1: for ever). */
int edge_turn(void);

#endif
