/* The least an HTTP server can do, for measuring against: one thread, epoll, keep-alive, requests with a Content-Length, one at a time per
 * connection. It checks nothing; a real server is measured by how little it adds. The program that includes this defines
 *     static size_t answer(char *out, size_t cap, const char *body, size_t body_len);
 * which writes the whole HTTP response. Prints `listening PORT`. */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SERVE_FDS = 4096, SERVE_IN = 16384, SERVE_OUT = 2048 };

struct serve_peer {
	size_t n;
	char in[SERVE_IN];
};

static size_t answer(char *out, size_t cap, const char *body, size_t body_len);

static _Noreturn void serve_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Length of the request that `in` begins with, its body from *body on; 0: not whole yet. */
static size_t serve_request(const struct serve_peer *p, size_t *body)
{
	const char *end = memmem(p->in, p->n, "\r\n\r\n", 4);
	if (!end)
		return 0;
	*body = (size_t)(end - p->in) + 4;
	const char *field = memmem(p->in, *body, "\r\nContent-Length: ", 18);
	if (!field) /* some write it small */
		field = memmem(p->in, *body, "\r\ncontent-length: ", 18);
	size_t whole = *body + (field ? (size_t)strtoul(field + 18, NULL, 10) : 0);
	return p->n >= whole ? whole : 0;
}

static int serve_read(int fd, struct serve_peer *p)
{
	char out[SERVE_OUT];
	size_t body, whole;
	ssize_t n = read(fd, p->in + p->n, sizeof(p->in) - p->n);
	if (n < 0 && errno == EAGAIN)
		return 1;
	if (n <= 0)
		return 0;
	p->n += (size_t)n;
	while ((whole = serve_request(p, &body)) > 0) {
		size_t len = answer(out, sizeof(out), p->in + body, whole - body);
		if (write(fd, out, len) != (ssize_t)len)
			return 0;
		memmove(p->in, p->in + whole, p->n - whole);
		p->n -= whole;
	}
	return p->n < sizeof(p->in);
}

static int serve(void)
{
	static struct serve_peer *peers[SERVE_FDS];
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t at_len = sizeof(at);
	struct epoll_event events[256], e = { .events = EPOLLIN };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ep = epoll_create1(EPOLL_CLOEXEC), one = 1;

	if (listener < 0 || ep < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(listener, 4096) != 0 ||
		getsockname(listener, (struct sockaddr *)&at, &at_len) != 0)
		serve_die("listen");
	e.data.fd = listener;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e) != 0)
		serve_die("epoll_ctl");
	printf("listening %d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int m = epoll_wait(ep, events, 256, -1);
		for (int i = 0; i < m; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
					if (fd >= SERVE_FDS || (!peers[fd] && !(peers[fd] = malloc(sizeof(**peers))))) {
						close(fd);
						continue;
					}
					peers[fd]->n = 0;
					setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
					e.data.fd = fd;
					if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) != 0)
						close(fd);
				}
			} else if (!serve_read(fd, peers[fd])) {
				close(fd);
			}
		}
	}
}

#endif
