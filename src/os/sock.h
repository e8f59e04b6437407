/* os/sock.h: sockets, non-blocking and close-on-exec always; errno stays inside. */
#ifndef POSTERN_OS_SOCK_H
#define POSTERN_OS_SOCK_H

#include "base/addr.h"

enum { SOCK_EOF = 0, SOCK_AGAIN = -1, SOCK_ERROR = -2 };

/* Bytes moved (> 0), or one of the above. EINTR is retried. A write never raises SIGPIPE. Sockets only. */
long sock_read(int fd, void *to, size_t n);
long sock_write(int fd, const void *from, size_t n);

/* The next connection's descriptor, SOCK_AGAIN, or SOCK_ERROR (out of descriptors or memory: the caller pauses the listener). A connection
 * that died in the queue is skipped. TCP_NODELAY is inherited from the listener. */
int sock_accept(int listen_fd);
/* Starts a TCP connect; *fd is the socket; the result is reported by LOOP_WRITE and sock_connect_result(). False: it failed at once. */
bool sock_connect(const struct addr *to, int *fd);
/* True if the connect has succeeded. */
bool sock_connect_result(int fd);
void sock_close(int fd);
/* close() with a reset instead of FIN is never used; this sends FIN and keeps reading possible. */
void sock_shut_write(int fd);

/* Before the jail, in the parent: a listening socket with SO_REUSEADDR, SO_REUSEPORT, TCP_NODELAY; *bound gets the real port. */
bool sock_listen(const struct addr *at, int backlog, int *fd, struct addr *bound, const char **why);
/* Listening sockets made from now on belong to this user (0: whoever makes them). Only sockets of one user may share a port: a root parent
 * sets whom it will become, so that it can add to them later. */
void sock_listen_owner(unsigned id);
/* Whether nobody listens at `at` yet. SO_REUSEPORT would let a second Postern of the same user take half of the first one's connections
 * without a word, so a new address is asked about first. Port 0 is always free. */
bool sock_listen_free(const struct addr *at, const char **why);
/* A connected pair of stream sockets, non-blocking. */
bool sock_pair(int fd[2]);

#endif
