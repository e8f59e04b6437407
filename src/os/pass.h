/* os/pass.h: packets between our processes, each whole or not at all, with at most one descriptor. Never blocks, but for an asking end. */
#ifndef POSTERN_OS_PASS_H
#define POSTERN_OS_PASS_H

#include <stdbool.h>
#include <stddef.h>

enum { PASS_END = 0, PASS_NONE = -1, PASS_BROKEN = -2 };

/* A pair of SOCK_SEQPACKET ends. */
bool pass_pair(int fd[2]);
/* Likewise; at fd[0], the asking end, sock_write() and sock_read() wait up to wait_ms (then SOCK_AGAIN). The other end is served with
 * pass_take() and pass_answer(). */
bool pass_pair_asking(int fd[2], unsigned wait_ms);
/* False: the asker is gone or does not read. */
bool pass_answer(int end, const void *packet, size_t n);
/* fd -1: none. The descriptor stays the caller's too. False: the peer is gone or its queue is full. */
bool pass_send(int end, const void *packet, size_t n, int fd);
/* The packet's length (> 0), PASS_END (the peer is gone), PASS_NONE (nothing now), PASS_BROKEN (longer than cap, or more than one
 * descriptor). *fd is the descriptor that came, close-on-exec and the caller's, or -1. */
long pass_take(int end, void *packet, size_t cap, int *fd);
/* Waits until something can be taken (or the peer is gone), at most wait_ms. Only before the jail. */
void pass_wait(int end, int wait_ms);

#endif
