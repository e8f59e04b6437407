/* role/listen.h: sockets pass from generation to generation, and close when nobody uses them. */
#include <fcntl.h>
#include <unistd.h>

#include "os/sock.h"
#include "role/listen.h"
#include "tap.h"

static struct listen_table t;

static bool is_open(int fd)
{
	return fd >= 0 && fcntl(fd, F_GETFD) >= 0;
}

int main(void)
{
	struct addr any, busy_at, bound, fixed;
	struct listen_slot *a, *b, *c;
	const char *why = NULL;
	int busy = -1, fd0, fd1, fd2;

	addr_read(&any, SPAN("127.0.0.1:0"));
	listen_start(&t);
	a = listen_claim(&t, 0, &any, 0, 2, &why);
	ok(a && a->bound.port != 0 && is_open(a->fd[0]) && is_open(a->fd[1]) && a->fd[2] == -1, "two sockets at one port");
	b = listen_claim(&t, 0, &any, 1, 2, &why);
	ok(b && b != a && b->bound.port != a->bound.port, "port 0 again is another port");
	fd0 = a->fd[0];
	fd1 = a->fd[1];
	c = listen_claim(&t, 1, &any, 1, 2, &why);
	ok(c == b, "the next generation finds each by its key");
	c = listen_claim(&t, 1, &any, 0, 3, &why);
	fd2 = c ? c->fd[2] : -1;
	ok(c == a && a->fd[0] == fd0 && is_open(fd2), "with a socket more for a worker more");
	listen_release(&t, 0);
	ok(is_open(fd0) && is_open(fd1) && is_open(fd2), "the old generation's end closes nothing that is used");
	c = listen_claim(&t, 2, &any, 0, 1, &why);
	listen_release(&t, 1);
	ok(c == a && is_open(fd0) && !is_open(fd1) && !is_open(fd2) && a->fd[1] == -1, "with fewer workers the rest closes");
	ok(b->fd[0] == -1, "a listener that nobody uses closes");
	fixed = a->bound;
	c = listen_claim(&t, 0, &fixed, 0, 1, &why);
	ok(c == NULL && why, "an address held under another name is not taken twice");
	listen_release(&t, 2);
	ok(!is_open(fd0), "and the last");
	c = listen_claim(&t, 0, &fixed, 5, 1, &why);
	ok(c && c->bound.port == fixed.port, "the port is free again");
	ok(listen_claim(&t, 1, &fixed, 7, 1, &why) == c, "a port that is given is found whatever its key");
	listen_release(&t, 0);
	listen_release(&t, 1);

	sock_listen(&any, 1, &busy, &busy_at, &why);
	why = NULL;
	ok(listen_claim(&t, 0, &busy_at, 0, 2, &why) == NULL && why && strstr(why, "in use"), "an address in use: refused, with the reason");
	sock_close(busy);
	addr_read(&bound, SPAN("192.0.2.1:1"));
	ok(listen_claim(&t, 0, &bound, 0, 1, &why) == NULL, "an address that is not this machine's: refused");
	for (unsigned i = 0; i < LISTEN_SLOTS; i++)
		listen_claim(&t, 0, &any, i, 1, &why);
	ok(listen_claim(&t, 0, &any, 99, 1, &why) == NULL, "the table is bounded");
	listen_release(&t, 0);
	return done_testing();
}
