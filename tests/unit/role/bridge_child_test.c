/* role/bridge_child.h: the engine on one side, the test as launcher and as program on the other: starts, ends and losses in every order. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/pace.h"
#include "os/clock.h"
#include "os/pass.h"
#include "os/sock.h"
#include "role/bridge_child.h"
#include "role/msg.h"
#include "tap.h"

enum { CHILDREN = 2, LINE_MAX_ = 4096, WAIT_MS = 10000 };

static struct bridge_settings settings;
static struct bridge *bridge;
static struct loop loop;
_Alignas(64) static char memory[4 << 20];
static int edge;
static char answer[8192];
static unsigned calls;

static bool to_worker(void *ctx, unsigned worker, struct span line)
{
	(void)ctx, (void)worker;
	snprintf(answer, sizeof answer, "%.*s", (int)line.n, line.p);
	return true;
}

static void log_none(void *ctx, struct span line) { (void)ctx, (void)line; }
static bool room(void) { return true; }

static const struct bridge_hooks hooks = {
	.now_ms = &loop.now_ms, .to_worker = to_worker, .to_peer = child_say, .start_peer = child_start_peer, .stop_peer = child_stop_peer, .log = log_none
};

static void turn(int wait_ms)
{
	loop_wait(&loop, wait_ms);
	child_turn(bridge, room);
	bridge_tick(bridge);
	child_flush();
}

/* The next word to the launcher: its type; 0: none came, MSG_NONE - 1: the edge is closed. */
static int word(unsigned *child)
{
	for (int waited = 0; waited < WAIT_MS; waited += 10) {
		struct msg_child m;
		int fd;
		long n = pass_take(edge, &m, sizeof m, &fd);

		if (n == (long)sizeof m) {
			*child = m.child;
			return (int)m.type;
		}
		if (n != PASS_NONE)
			return -1;
		turn(10);
	}
	return 0;
}

static void ask(void)
{
	char line[512];
	int n = snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
		"\"io.modelcontextprotocol/clientCapabilities\":{}}}}", ++calls);

	answer[0] = 0;
	bridge_worker_line(bridge, 0, span_of(line, (size_t)n));
	turn(0);
}

/* Asks until the launcher is asked: starts that keep failing are waited with. */
static bool runs_again(void)
{
	for (int tries = 0; tries < 300; tries++) {
		struct msg_child m;
		int fd;

		ask();
		turn(50);
		if (pass_take(edge, &m, sizeof m, &fd) == (long)sizeof m)
			return m.type == MSG_RUN && m.child == 0;
	}
	return false;
}

static void tell(uint32_t type, unsigned child, int status, int fd)
{
	struct msg_child m = { type, child, status, 0 };

	if (!pass_send(edge, &m, sizeof m, fd))
		exit(97);
	if (fd >= 0)
		close(fd);
}

static int new_program(void)
{
	int pair[2];

	if (!sock_pair(pair))
		exit(99);
	tell(MSG_RAN, 0, 0, pair[0]);
	return pair[1];
}

static void new_edge(void)
{
	int pair[2];

	if (!pass_pair(pair))
		exit(99);
	edge = pair[0];
	child_link(bridge, pair[1]);
}

static bool answered(const char *what)
{
	for (int waited = 0; waited < WAIT_MS && !answer[0]; waited += 10)
		turn(10);
	if (!strstr(answer, what))
		diag("%s", answer);
	return strstr(answer, what) != NULL;
}

static bool write_all(int fd, const char *text, size_t n)
{
	for (int waited = 0; n > 0 && waited < WAIT_MS; waited += 5) {
		ssize_t wrote = write(fd, text, n);

		if (wrote > 0) {
			text += wrote;
			n -= (size_t)wrote;
		} else {
			turn(5); /* it has not been read so far */
		}
	}
	return n == 0;
}

/* The program answers what it is asked, until it has answered a tools/list. */
static bool serve(int fd)
{
	static char all[16384];
	size_t have = 0;

	for (int waited = 0; waited < WAIT_MS; waited += 10) {
		ssize_t n = read(fd, all + have, sizeof all - have - 1);
		char *nl, *id, reply[512];
		bool list;

		if (n > 0)
			have += (size_t)n;
		all[have] = 0;
		nl = strchr(all, '\n');
		if (!nl) {
			turn(10);
			continue;
		}
		id = strstr(all, "\"id\":");
		list = strstr(all, "tools/list") != NULL;
		if (!id)
			return false;
		snprintf(reply, sizeof reply, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",%s}}\n",
			strtol(id + 5, NULL, 10), list ? "\"tools\":[]" : "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}}");
		if (!write_all(fd, reply, strlen(reply)))
			return false;
		memmove(all, nl + 1, have - (size_t)(nl + 1 - all));
		have -= (size_t)(nl + 1 - all);
		if (list)
			return true;
	}
	return false;
}

/* What it says that answers nobody is taken no faster than base/pace.h says; what it answers then is heard. */
static void flood(int fd)
{
	enum { FLOOD_MS = 1000, HELD = 1 << 20 /* what the pipe's buffers may hold, with its overhead */ };
	static const char noise[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"noise\"}}\n";
	int64_t begun_ms = clock_monotonic_ms(), now_ms;
	size_t said = 0, from = 0;

	ask();
	do {
		ssize_t n = write(fd, noise + from, sizeof noise - 1 - from);

		if (n > 0) {
			said += (size_t)n;
			from = (from + (size_t)n) % (sizeof noise - 1);
		} else {
			turn(5);
		}
		now_ms = clock_monotonic_ms();
	} while (now_ms - begun_ms < FLOOD_MS);
	ok(said < (size_t)(now_ms - begun_ms) * PACE_BYTES_A_MS + PACE_BURST + HELD, "a program that floods is not listened to faster than is borne");
	ok(said > PACE_BURST, "  but it is listened to");
	diag("%zu bytes in %d ms", said, (int)(now_ms - begun_ms));
	if (from > 0)
		(void)write_all(fd, noise + from, sizeof noise - 1 - from);
}

int main(void)
{
	unsigned child = 9;
	char byte;
	int fd;

	settings = (struct bridge_settings){ .name = SPAN("s"), .version = SPAN("0"), .era = BRIDGE_AUTO, .nworkers = 1, .peers_max = CHILDREN, .calls_max = 8, .listens_max = 2,
		.waiting_max = 8, .parks_max = 2, .parks_each = 1, .tokens = 1024, .line_max = LINE_MAX_, .reply_max = LINE_MAX_, .probe_ms = 20000, .start_ms = 60000,
		.park_ms = 10000, .private_idle_ms = 10000, .ttl_ms = 1000 };
	if (!loop_open(&loop) || bridge_need(&settings) > sizeof memory)
		return 99;
	bridge = bridge_place(memory, &settings, &hooks);
	child_place(calloc(1, child_need(CHILDREN, LINE_MAX_, 4 * LINE_MAX_)), CHILDREN, LINE_MAX_, 4 * LINE_MAX_, &loop);
	turn(0);
	bridge_worker_up(bridge, 0);

	ask();
	ok(answered("cannot be started"), "without a launcher a call is answered");
	new_edge();
	ok(runs_again(), "with one, the program is asked for");
	tell(MSG_RAN, 0, 0, -1);
	ok(answered("cannot be started"), "one that cannot be started: the call is answered");
	ok(runs_again(), "a later call asks again");
	fd = new_program();
	ok(serve(fd) && answered("\"tools\""), "the program answers");
	ask();
	ok(serve(fd) && answered("\"tools\""), "  and again");
	flood(fd);
	ok(serve(fd) && answered("\"tools\""), "  and its answer is heard behind it");
	ask();
	turn(50);
	close(fd);
	tell(MSG_EXITED, 0, 3, -1);
	ok(answered("ended: exit status 3"), "it ends in the middle of a call, which hears how");
	ok(runs_again(), "it is started again");
	fd = new_program();
	ok(serve(fd) && answered("\"tools\""), "  and serves");
	ask();
	turn(50);
	shutdown(fd, SHUT_WR);
	ok(answered("closed its standard output"), "it ends its output and stays: the call is answered");
	ok(word(&child) == MSG_STOP, "  and the launcher is told to end it");
	for (int i = 0; i < 100; i++) { /* longer than the engine waits with a start */
		if (answer[0])
			ask();
		turn(50);
	}
	ok(pass_take(edge, &byte, 1, &(int){ 0 }) == PASS_NONE, "  another is not started before it is gone");
	close(fd);
	tell(MSG_EXITED, 0, 0, -1);
	ok(!answer[0] && word(&child) == MSG_RUN, "  but then");
	fd = new_program();
	ok(serve(fd) && answered("\"tools\""), "  and it serves");
	ask();
	turn(50);
	close(edge);
	ok(answered("ended with the launcher"), "the launcher goes: so has the program");
	close(fd);
	new_edge();
	ok(runs_again(), "the next launcher is asked");
	fd = new_program();
	ok(serve(fd) && answered("\"tools\""), "  and it serves");
	tell(MSG_RAN, 1, 0, -1);
	ok(word(&child) == -1, "a launcher that speaks of a child nobody has asked for is not heard any more");
	close(edge);
	new_edge();
	tell(MSG_EXITED, CHILDREN, 0, -1);
	ok(word(&child) == -1, "nor one that speaks of a child there cannot be");
	return done_testing();
}
