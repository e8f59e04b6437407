/* os/sock.h over real sockets on loopback. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/pass.h"
#include "os/sock.h"
#include "tap.h"

static void wait_for(int fd, short what)
{
	struct pollfd p = { fd, what, 0 };

	poll(&p, 1, 5000);
}

static bool flags_right(int fd)
{
	return (fcntl(fd, F_GETFL) & O_NONBLOCK) && (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int option(int fd, int level, int name)
{
	int v = 0;
	socklen_t n = sizeof v;

	return getsockopt(fd, level, name, &v, &n) == 0 ? v : -1;
}

static void stream(void)
{
	static char big[1 << 20];
	int pair[2];
	char c[8];
	long total = 0, n;

	ok(sock_pair(pair) && flags_right(pair[0]) && flags_right(pair[1]), "a pair, non-blocking and close-on-exec");
	is_int(sock_read(pair[0], c, sizeof c), SOCK_AGAIN, "nothing to read yet");
	is_int(sock_write(pair[1], "abc", 3), 3, "written");
	is_int(sock_read(pair[0], c, 2), 2, "read in part");
	is_int(sock_read(pair[0], c, 2), 1, "and the rest");
	while ((n = sock_write(pair[1], big, sizeof big)) > 0)
		total += n;
	ok(n == SOCK_AGAIN && total > 0, "a full pipe says again");
	sock_shut_write(pair[1]);
	while ((n = sock_read(pair[0], big, sizeof big)) > 0)
		total -= n;
	ok(n == SOCK_EOF && total == 0, "everything comes, then the end");
	is_int(sock_write(pair[0], "x", 1), 1, "after the peer's FIN we may still write");
	sock_close(pair[1]);
	is_int(sock_write(pair[0], "x", 1), SOCK_ERROR, "to one that is gone we may not, and no signal comes");
	sock_close(pair[0]);
	is_int(sock_read(pair[0], c, 1), SOCK_ERROR, "a closed descriptor is an error");
}

static void tcp(const char *address)
{
	struct addr at, bound, other;
	const char *why = NULL;
	int l = -1, l2 = -1, c, s, from;
	char b[4];

	addr_read(&at, span_z(address));
	if (!sock_listen(&at, 16, &l, &bound, &why)) {
		skip(1, "this machine does not listen there");
		return;
	}
	ok(flags_right(l) && bound.port != 0 && bound.family == at.family, address);
	is_int(option(l, IPPROTO_TCP, TCP_NODELAY), 1, "no delay on the listener");
	ok(sock_listen(&bound, 16, &l2, &other, &why) && other.port == bound.port, "a second socket at the same port, for another worker");
	ok(!sock_listen_free(&bound, &why) && why != NULL, "which is not free for anybody else");
	ok(sock_listen_free(&at, &why), "port 0 is always free");
	sock_close(l2);
	is_int(sock_accept(l), SOCK_AGAIN, "nobody yet");
	ok(sock_connect(&bound, &c) && flags_right(c), "a connect begins");
	wait_for(c, POLLOUT);
	ok(sock_connect_result(c), "and succeeds");
	is_int(option(c, IPPROTO_TCP, TCP_NODELAY), 1, "no delay on it");
	wait_for(l, POLLIN);
	s = sock_accept(l);
	ok(s >= 0 && flags_right(s) && option(s, IPPROTO_TCP, TCP_NODELAY) == 1, "accepted, no delay inherited");
	sock_write(c, "hi", 2);
	wait_for(s, POLLIN);
	is_int(sock_read(s, b, sizeof b), 2, "bytes pass");
	sock_close(s);
	sock_close(c);
	sock_close(l);
	ok(sock_listen_free(&bound, &why), "the port is free again");
	if (sock_connect(&bound, &from)) {
		wait_for(from, POLLOUT);
		ok(!sock_connect_result(from), "nobody listens: the connect fails");
		sock_close(from);
	} else {
		ok(true, "nobody listens: the connect fails at once");
	}
	is_int(sock_accept(l), SOCK_ERROR, "a closed listener is an error");
}

static void passing(void)
{
	int end[2], pair[2], fd, more;
	char b[8];

	ok(pass_pair(end) && sock_pair(pair), "a channel");
	is_int(pass_take(end[1], b, sizeof b, &fd), PASS_NONE, "nothing yet");
	ok(pass_send(end[0], "abc", 3, -1) && pass_send(end[0], "de", 2, pair[0]), "two packets, the second with a descriptor");
	ok(pass_take(end[1], b, sizeof b, &fd) == 3 && fd == -1 && memcmp(b, "abc", 3) == 0, "the first, alone");
	ok(pass_take(end[1], b, sizeof b, &fd) == 2 && fd >= 0 && fd != pair[0] && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "the second, with a descriptor");
	sock_write(fd, "x", 1);
	is_int(sock_read(pair[1], b, 1), 1, "which is the one that was sent");
	sock_close(fd);
	pass_send(end[0], "0123456789", 10, pair[0]);
	more = dup(pair[0]);
	ok(pass_take(end[1], b, sizeof b, &fd) == PASS_BROKEN && fd == -1, "a packet that is too long is broken");
	is_int(dup(pair[0]), more + 1, "and its descriptor is closed");
	sock_close(more);
	sock_close(more + 1);
	while (pass_send(end[0], "flood", 5, -1))
		;
	ok(pass_take(end[1], b, sizeof b, &fd) == 5, "a full channel refuses, and keeps what it took");
	sock_close(end[0]);
	while (pass_take(end[1], b, sizeof b, &fd) == 5)
		;
	is_int(pass_take(end[1], b, sizeof b, &fd), PASS_END, "at last the end");
	ok(!pass_send(end[1], "x", 1, -1), "to one that is gone nothing can be sent");
	sock_close(end[1]);
	sock_close(pair[0]);
	sock_close(pair[1]);
}

/* Key sets and tokens travel in one packet each: such go through a channel as the system makes it, several at a time, whole. */
static void large_packets(void)
{
	static char from[16384], to[16384];
	int end[2], fd;
	unsigned sent = 0, came = 0;

	ok(pass_pair(end), "a channel");
	while (sent < 64) {
		memset(from, (int)sent, sizeof from);
		if (!pass_send(end[0], from, sizeof from, -1))
			break;
		sent++;
	}
	ok(sent >= 8, "eight packets of 16 KiB wait in it at least");
	while (pass_take(end[1], to, sizeof to, &fd) == (long)sizeof to) {
		memset(from, (int)came++, sizeof from);
		if (memcmp(from, to, sizeof to) != 0)
			ok(false, "each comes as it went");
	}
	is_int(came, sent, "all of them come");
	wait_for(end[0], POLLOUT);
	ok(pass_send(end[0], from, sizeof from, -1), "then there is room again");
	sock_close(end[0]);
	sock_close(end[1]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	stream();
	tcp("127.0.0.1:0");
	tcp("[::1]:0");
	passing();
	large_packets();
	return done_testing();
}
