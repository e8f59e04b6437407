#include "cmd/health.h"

#include <stdio.h>

#include "base/addr.h"
#include "cmd/load.h"
#include "os/loop.h"
#include "os/sock.h"
#include "wire/http_head.h"

enum { HEALTH_WAIT_MS = 3000, HEALTH_ANSWER_MAX = 2048 };

static const char usage[] =
	"usage: postern health [--address HOST:PORT | -c FILE]\n"
	"  Asks the admin listener (127.0.0.1:9090, or the one in the configuration) whether Postern is alive.\n"
	"  exit: 0 healthy, 1 not, 2 wrong usage, 3 the configuration cannot be read or has no admin listener\n";

struct probe {
	struct loop_item item;
	struct buf out;
	size_t sent, in_n;
	char in[HEALTH_ANSWER_MAX];
	bool done;
	const char *why; /* NULL: healthy */
};

static void finish(struct probe *p, const char *why)
{
	p->done = true;
	p->why = why;
}

static void read_answer(struct probe *p)
{
	static struct http_head h;
	size_t scanned = 0, where, head;
	long n = 1;

	while (n > 0 && p->in_n < sizeof p->in) {
		n = sock_read(p->item.fd, p->in + p->in_n, sizeof p->in - p->in_n);
		if (n > 0)
			p->in_n += (size_t)n;
	}
	head = http_head_end(p->in, p->in_n, &scanned);
	if (head == 0 && n == SOCK_AGAIN)
		return;
	if (head == 0 || http_response_read(&h, span_of(p->in, head), false, &where) != HTTP_OK)
		finish(p, "the answer is not HTTP; is this the admin listener?");
	else
		finish(p, h.status == 200 ? NULL : "it does not say 200");
}

static void on_event(struct loop_item *item, unsigned events)
{
	struct probe *p = (struct probe *)item;

	if (p->sent == 0 && (events & (LOOP_WRITE | LOOP_GONE)) && !sock_connect_result(item->fd)) {
		finish(p, "nobody listens there");
		return;
	}
	if ((events & LOOP_WRITE) && p->sent < p->out.n) {
		long n = sock_write(item->fd, p->out.p + p->sent, p->out.n - p->sent);

		if (n > 0)
			p->sent += (size_t)n;
		else if (n != SOCK_AGAIN)
			finish(p, "the connection was lost");
	}
	if (!p->done && p->sent == p->out.n && (events & (LOOP_READ | LOOP_HALF | LOOP_GONE)))
		read_answer(p);
}

static const char *ask(const struct addr *at)
{
	static struct probe p;
	char head[256];
	struct loop l;
	int64_t end_ms;

	p.out = buf_on(head, sizeof head);
	BUF_LIT(&p.out, "GET /health HTTP/1.1\r\nHost: ");
	addr_write(&p.out, at);
	BUF_LIT(&p.out, "\r\nConnection: close\r\n\r\n");
	p.item.event = on_event;
	if (!loop_open(&l) || !sock_connect(at, &p.item.fd))
		return "cannot connect";
	if (!loop_add(&l, &p.item))
		return "cannot wait for the connection";
	end_ms = l.now_ms + HEALTH_WAIT_MS;
	while (!p.done && l.now_ms < end_ms)
		if (!loop_wait(&l, (int)(end_ms - l.now_ms)))
			break;
	sock_close(p.item.fd);
	return p.done ? p.why : "no answer within 3 s";
}

static int from_file(struct addr *at, const char *path)
{
	struct config l;
	int end = load_conf(&l, path);

	if (end != EXIT_OK)
		return EXIT_ENVIRONMENT;
	if (!l.conf->has_admin) {
		fprintf(stderr, "postern health: %s has no \"admin\" listener to ask\n", path);
		end = EXIT_ENVIRONMENT;
	}
	*at = l.conf->admin;
	config_drop(&l);
	return end;
}

int cmd_health(int argc, char **argv)
{
	struct addr at;
	struct load_options o;
	char text[ADDR_TEXT_MAX];
	struct buf b = buf_on(text, sizeof text);
	const char *why;

	addr_read(&at, SPAN("127.0.0.1:9090"));
	if (argc == 3 && strcmp(argv[1], "--address") == 0) {
		if (!addr_read(&at, span_z(argv[2]))) {
			fprintf(stderr, "postern health: %s is not an address; like 127.0.0.1:9090 or [::1]:9090\n", argv[2]);
			return EXIT_USAGE;
		}
	} else if (argc > 1) {
		int end;

		if (!load_options(&o, argc, argv, false, usage))
			return EXIT_USAGE;
		if (o.help)
			return EXIT_OK;
		end = from_file(&at, o.path);
		if (end != EXIT_OK)
			return end;
	}
	addr_write(&b, &at);
	why = ask(&at);
	if (why)
		fprintf(stderr, "unhealthy: %.*s: %s\n", (int)b.n, b.p, why);
	else
		printf("healthy: %.*s\n", (int)b.n, b.p);
	return why ? EXIT_NO : EXIT_OK;
}
