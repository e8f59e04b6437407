/* The load generator: keep-alive connections on 127.0.0.1, each with one request on the way, until a number of requests is done.
 *
 *     load PORT CONNECTIONS REQUESTS FILE
 *
 * FILE holds one whole HTTP request, sent again and again as it is. An answer must be HTTP status 200 with a Content-Length. Prints one
 * line of JSON: requests, errors, seconds, and latencies in microseconds, exact to the one since each is kept. One thread, epoll. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, REQUEST_MAX = 1 << 20, ANSWER_MAX = 1 << 16, SILENCE_MS = 20000 };

struct client {
	int fd;
	size_t sent;       /* of the request */
	size_t got;        /* of the answer, in `in` */
	size_t need;       /* whole answer; 0: its head is not here yet */
	uint64_t began_ns;
	char in[ANSWER_MAX];
};

static char request[REQUEST_MAX];
static size_t request_len;
static uint32_t *latency_us;
static uint64_t started, done, wanted, errors;

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_more(struct client *c)
{
	while (c->sent < request_len) {
		ssize_t n = write(c->fd, request + c->sent, request_len - c->sent);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			die("write");
		c->sent += (size_t)n;
	}
}

static bool begin(struct client *c)
{
	if (started == wanted)
		return false;
	started++;
	c->sent = c->got = c->need = 0;
	c->began_ns = now_ns();
	send_more(c);
	return true;
}

/* Length of head and body, once the head is whole. */
static size_t answer_len(struct client *c)
{
	char *end = memmem(c->in, c->got, "\r\n\r\n", 4);
	if (!end)
		return 0;
	*end = '\0';
	const char *length = strcasestr(c->in, "\r\nContent-Length:");
	if (!length) {
		fprintf(stderr, "load: an answer without Content-Length: %s\n", c->in);
		exit(1);
	}
	if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) {
		if (errors == 0)
			fprintf(stderr, "load: not 200: %s\n", c->in);
		errors++;
	}
	return (size_t)(end - c->in) + 4 + (size_t)strtoul(length + 17, NULL, 10);
}

static bool receive(struct client *c)
{
	for (;;) {
		ssize_t n = read(c->fd, c->in + c->got, sizeof(c->in) - c->got);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			die("the server closed a connection");
		c->got += (size_t)n;
		if (c->need == 0)
			c->need = answer_len(c);
		if (c->need > sizeof(c->in) || (c->need == 0 && c->got == sizeof(c->in)))
			die("an answer too large for a load test");
		if (c->need > 0 && c->got > c->need)
			die("more than one answer");
		if (c->need > 0 && c->got == c->need) {
			latency_us[done++] = (uint32_t)((now_ns() - c->began_ns) / 1000);
			return begin(c);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static struct client *clients[CONNECTIONS_MAX];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event events[256];

	if (argc != 5) {
		fprintf(stderr, "usage: load PORT CONNECTIONS REQUESTS FILE\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[1]));
	long n = atol(argv[2]);
	wanted = strtoull(argv[3], NULL, 10);
	if (n < 1 || n > CONNECTIONS_MAX || wanted < (uint64_t)n || wanted > 100000000) {
		fprintf(stderr, "load: 1 to %d connections, and at least as many requests\n", CONNECTIONS_MAX);
		return 2;
	}
	FILE *f = fopen(argv[4], "rb");
	if (!f)
		die(argv[4]);
	request_len = fread(request, 1, sizeof(request), f);
	fclose(f);
	latency_us = calloc(wanted, sizeof(*latency_us));
	int ep = epoll_create1(EPOLL_CLOEXEC);
	if (!latency_us || ep < 0)
		die("set-up");
	for (long i = 0; i < n; i++) {
		struct client *c = clients[i] = calloc(1, sizeof(*c));
		int one = 1;
		if (!c)
			die("memory");
		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
			die("connect");
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		fcntl(c->fd, F_SETFL, O_NONBLOCK);
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data = { .ptr = c } };
		if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) != 0)
			die("epoll_ctl");
	}
	uint64_t from = now_ns();
	for (long i = 0; i < n; i++)
		begin(clients[i]);
	while (done < wanted) {
		int m = epoll_wait(ep, events, 256, SILENCE_MS);
		if (m == 0) {
			fprintf(stderr, "load: no answer for %d s; %" PRIu64 " of %" PRIu64 " done\n", SILENCE_MS / 1000, done, wanted);
			return 1;
		}
		if (m < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < m; i++) {
			struct client *c = events[i].data.ptr;
			if (c->sent < request_len)
				send_more(c);
			if (c->got != c->need || c->need == 0)
				receive(c);
		}
	}
	double seconds = (double)(now_ns() - from) / 1e9;
	qsort(latency_us, done, sizeof(*latency_us), by_size);
	printf("{\"requests\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"seconds\":%.6f,\"p50_us\":%" PRIu32 ",\"p99_us\":%" PRIu32 ",\"max_us\":%" PRIu32 "}\n",
		done, errors, seconds, latency_us[done / 2], latency_us[done - 1 - done / 100], latency_us[done - 1]);
	return errors ? 1 : 0;
}
