/* The load generator: keep-alive connections on 127.0.0.1, each with one request on the way, until a number of requests is done.
 *
 *     load PORT CONNECTIONS REQUESTS FILE [CA NAME]
 *
 * FILE holds one whole HTTP request, sent again and again as it is. An answer must be HTTP status 200 with a Content-Length. Prints one
 * line of JSON: requests, errors, seconds, and latencies in microseconds, exact to the one since each is kept. One thread, epoll.
 * With CA, a file, and NAME, the connections speak TLS to a server that has that name from that authority; their handshakes are over before
 * the clock starts. */
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
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire/tls.h"

enum { CONNECTIONS_MAX = 4096, REQUEST_MAX = 1 << 20, ANSWER_MAX = 1 << 16, SILENCE_MS = 20000 };

struct client {
	int fd;
	struct tls *tls;   /* NULL: plain */
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

static struct tls_route *route(const char *ca, const char *name)
{
	static struct tls_route r;
	static char pem[65536];
	const struct x509_anchors *anchors = NULL;
	unsigned n;
	FILE *f = fopen(ca, "rb");

	if (!f)
		die(ca);
	struct span text = span_of(pem, fread(pem, 1, sizeof(pem), f));
	fclose(f);
	size_t need = x509_anchors_need(text);
	void *mem = malloc(need);
	if (!mem || x509_anchors_read(text, mem, need, &anchors, &n) != X509_OK) {
		fprintf(stderr, "load: %s is no file of authorities\n", ca);
		exit(1);
	}
	r = (struct tls_route){ .anchors = anchors, .name = span_z(name) };
	return &r;
}

/* What the engine has for the other side, as far as the socket takes it. */
static void push(struct client *c)
{
	while (tls_state(c->tls) & TLS_SEND_RECORD) {
		struct span out = tls_record_out(c->tls);
		ssize_t n = write(c->fd, out.p, out.n);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			die("write");
		tls_record_sent(c->tls, (size_t)n);
	}
}

/* One read into the engine; as read() says. */
static ssize_t pull(struct client *c)
{
	size_t room;
	char *to = tls_record_room(c->tls, &room);
	ssize_t n = read(c->fd, to, room);
	if (n > 0)
		tls_record_came(c->tls, (size_t)n);
	push(c);
	return n;
}

/* The whole handshake, on a socket that waits. */
static void secure(struct client *c, const struct tls_route *to)
{
	uint8_t seed[TLS_SEED];
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	c->tls = malloc(tls_size_plain());
	void *in = malloc(TLS_IN_SIZE), *out = malloc(TLS_OUT_SIZE);
	if (!c->tls || !in || !out || getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		die("memory");
	tls_start_client(c->tls, to, seed, (int64_t)t.tv_sec * 1000, in, out);
	push(c);
	while (!tls_established(c->tls)) {
		if ((tls_state(c->tls) & TLS_CLOSED) || pull(c) <= 0) {
			struct span why = tls_error_text(tls_why(c->tls));
			fprintf(stderr, "load: no handshake: %.*s\n", (int)why.n, why.p);
			exit(1);
		}
	}
}

/* write() and read() of a connection of either kind. */
static ssize_t put(struct client *c, const char *p, size_t n)
{
	if (!c->tls)
		return write(c->fd, p, n);
	push(c);
	size_t taken = tls_state(c->tls) & TLS_SEND_APP ? tls_write(c->tls, span_of(p, n)) : 0;
	if (taken == 0) {
		errno = EAGAIN;
		return -1;
	}
	tls_flush(c->tls);
	push(c);
	return (ssize_t)taken;
}

static ssize_t get(struct client *c, char *p, size_t n)
{
	if (!c->tls)
		return read(c->fd, p, n);
	while (!(tls_state(c->tls) & TLS_RECV_APP)) {
		if (tls_state(c->tls) & TLS_CLOSED)
			return 0;
		ssize_t came = pull(c);
		if (came <= 0)
			return came;
	}
	struct span app = tls_app(c->tls);
	size_t part = app.n < n ? app.n : n;
	memcpy(p, app.p, part);
	tls_app_taken(c->tls, part);
	return (ssize_t)part;
}

static void send_more(struct client *c)
{
	while (c->sent < request_len) {
		ssize_t n = put(c, request + c->sent, request_len - c->sent);
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
		ssize_t n = get(c, c->in + c->got, sizeof(c->in) - c->got);
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

	if (argc != 5 && argc != 7) {
		fprintf(stderr, "usage: load PORT CONNECTIONS REQUESTS FILE [CA NAME]\n");
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
	const struct tls_route *tls = argc == 7 ? route(argv[5], argv[6]) : NULL;
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
		if (tls)
			secure(c, tls);
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
