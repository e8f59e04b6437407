#include "os/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPT_TRIES = 64 }; /* dead connections passed over in one call; the listener is level-triggered, so none is forgotten */

union sock_name {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static long moved(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EAGAIN ? SOCK_AGAIN : SOCK_ERROR;
}

long sock_read(int fd, void *to, size_t n)
{
	ssize_t got;

	do
		got = recv(fd, to, n, 0); /* not read(): it saves the way through the file layer, a tenth of a microsecond a call */
	while (got < 0 && errno == EINTR);
	return moved(got);
}

long sock_write(int fd, const void *from, size_t n)
{
	ssize_t put;

	do
		put = send(fd, from, n, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	return moved(put);
}

/* Errors of accept(2) that belong to the connection which died in the queue, not to us (accept(2), "Error handling"). */
static bool died_in_queue(int e)
{
	switch (e) {
	case EINTR: case ECONNABORTED: case EPROTO: case ENETDOWN: case ENOPROTOOPT: case EHOSTDOWN: case ENONET: case EHOSTUNREACH:
	case EOPNOTSUPP: case ENETUNREACH: case ETIMEDOUT: case EPERM:
		return true;
	default:
		return false;
	}
}

int sock_accept(int listen_fd)
{
	for (int i = 0; i < ACCEPT_TRIES; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (errno == EAGAIN)
			return SOCK_AGAIN;
		if (!died_in_queue(errno))
			return SOCK_ERROR;
	}
	return SOCK_AGAIN;
}

static socklen_t name_of(union sock_name *s, const struct addr *a)
{
	memset(s, 0, sizeof *s);
	if (a->family == 6) {
		s->in6.sin6_family = AF_INET6;
		s->in6.sin6_port = htons(a->port);
		memcpy(&s->in6.sin6_addr, a->ip, 16);
		return sizeof s->in6;
	}
	s->in4.sin_family = AF_INET;
	s->in4.sin_port = htons(a->port);
	memcpy(&s->in4.sin_addr, a->ip, 4);
	return sizeof s->in4;
}

static bool no_delay(int fd)
{
	int one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
}

static int tcp_socket(const struct addr *a)
{
	return socket(a->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

bool sock_connect(const struct addr *to, int *fd)
{
	union sock_name name;
	socklen_t len = name_of(&name, to);
	int s = tcp_socket(to);

	if (s < 0)
		return false;
	if (!no_delay(s) || (connect(s, &name.any, len) != 0 && errno != EINPROGRESS)) {
		close(s);
		return false;
	}
	*fd = s;
	return true;
}

bool sock_connect_result(int fd)
{
	int e = 0;
	socklen_t n = sizeof e;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &n) == 0 && e == 0;
}

void sock_close(int fd)
{
	close(fd);
}

void sock_shut_write(int fd)
{
	shutdown(fd, SHUT_WR);
}

static unsigned listen_owner;

void sock_listen_owner(unsigned id)
{
	listen_owner = id;
}

/* A socket bound to `at`, or -1 with *why. */
static int bound_socket(const struct addr *at, bool shared, const char **why)
{
	union sock_name name;
	socklen_t len = name_of(&name, at);
	int one = 1;
	int s = tcp_socket(at);
	bool right = s >= 0 && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0;

	if (right && listen_owner)
		right = fchown(s, listen_owner, listen_owner) == 0;
	if (right && shared)
		right = setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0;
	if (right && at->family == 6)
		right = setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0;
	if (right && no_delay(s) && bind(s, &name.any, len) == 0)
		return s;
	*why = strerror(errno);
	if (s >= 0)
		close(s);
	return -1;
}

bool sock_listen(const struct addr *at, int backlog, int *fd, struct addr *bound, const char **why)
{
	union sock_name name;
	socklen_t len = sizeof name;
	int s = bound_socket(at, true, why);

	if (s < 0)
		return false;
	memset(&name, 0, sizeof name);
	if (listen(s, backlog) != 0 || getsockname(s, &name.any, &len) != 0) {
		*why = strerror(errno);
		close(s);
		return false;
	}
	*fd = s;
	*bound = *at;
	bound->port = ntohs(at->family == 6 ? name.in6.sin6_port : name.in4.sin_port);
	return true;
}

bool sock_listen_free(const struct addr *at, const char **why)
{
	int s;

	if (at->port == 0)
		return true;
	s = bound_socket(at, false, why);
	if (s < 0)
		return false;
	close(s);
	return true;
}

bool sock_pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0;
}
