/* The least a proxy can do, for measuring against: one thread, epoll, every client connection with an upstream connection of its own,
 * whatever comes from one side is written to the other. It checks nothing and knows no HTTP. Usage: proxy UPSTREAM_PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS = 4096, PIECE = 16384 };

static int other[FDS];

static void watch(int ep, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0)
		exit(1);
}

static void end_pair(int fd)
{
	close(other[fd]);
	close(fd);
}

int main(int argc, char **argv)
{
	static char piece[PIECE];
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } }, up = at;
	socklen_t at_len = sizeof(at);
	struct epoll_event events[256], e = { .events = EPOLLIN };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ep = epoll_create1(EPOLL_CLOEXEC);

	up.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
	if (listener < 0 || ep < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, 4096) != 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &at_len) != 0)
		return 1;
	e.data.fd = listener;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) != 0)
		return 1;
	printf("listening %d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int m = epoll_wait(ep, events, 256, -1);
		for (int i = 0; i < m; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
					int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* loopback: connects at once */
					if (fd >= FDS || to < 0 || to >= FDS || connect(to, (struct sockaddr *)&up, sizeof(up)) != 0)
						return 1;
					other[fd] = to;
					other[to] = fd;
					watch(ep, fd);
					watch(ep, to);
				}
				continue;
			}
			ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
			if (n <= 0 || send(other[fd], piece, (size_t)n, MSG_NOSIGNAL) != n)
				end_pair(fd);
		}
	}
}
