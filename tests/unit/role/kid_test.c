/* role/kid.h and role/launcher.h against programs that hide what they start: a long row of processes, each the child of the one before,
 * and one that becomes another all the time, in sessions of their own. All hold the program's output, which is at its end when the last of them is gone. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/pass.h"
#include "role/kid.h"
#include "role/launcher.h"
#include "role/msg.h"
#include "tap.h"

#ifdef POSTERN_SANITIZE
enum { DEEP = 30 /* a fork takes its time there */ };
#else
enum { DEEP = 600 };
#endif
enum { OTHERS = 1, WAIT_MS = 60000, LIFE_S = 90 /* and no longer, whatever happens */ };

/* ---- the program ---- */

static void row(void)
{
	setsid();
	for (int i = 0; i < DEEP; i++) {
		alarm(LIFE_S);
		if (fork() > 0)
			for (;;)
				pause();
	}
	alarm(LIFE_S);
	if (write(1, "r", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void another(void)
{
	time_t end = time(NULL) + LIFE_S;
	bool said = false;

	setsid();
	while (time(NULL) < end) {
		if (fork() > 0)
			_exit(0);
		if (!said && write(1, "a", 1) != 1)
			_exit(1);
		said = true;
	}
	_exit(0);
}

static int program(void)
{
	char byte;

	for (int i = 0; i <= OTHERS; i++)
		if (fork() == 0)
			(i == 0 ? row : another)();
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

/* ---- the test: parent and bridge ---- */

static char dir[] = "/tmp/postern-kid-XXXXXX", path[128];
static struct config conf;
static int channel, edge, output;
static pid_t guard;

static bool packet(int from, void *m, size_t n, int *fd)
{
	long got = PASS_NONE;

	for (int tries = 0; tries < WAIT_MS / 100 && got == PASS_NONE; tries++) {
		pass_wait(from, 100);
		got = pass_take(from, m, n, fd);
	}
	return got > 0;
}

static bool ready(void)
{
	union msg m;
	int fd;

	return packet(channel, &m, sizeof m, &fd) && m.type == MSG_READY;
}

static void begin(void)
{
	static struct launcher_start s;
	int pair[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t parent = getpid();

	if (null < 0 || !pass_pair(pair))
		exit(99);
	guard = fork();
	if (guard == 0) {
		s = (struct launcher_start){ .path = span_z(path), .first = &conf, .number = 1, .parent_pid = parent, .channel = pair[1], .null_fd = null, .log_fd = 2 };
		launcher_guard(&s);
	}
	close(pair[1]);
	close(null);
	channel = pair[0];
	if (!ready())
		exit(98);
}

/* The program runs, and so does all it hides. */
static bool hidden(void)
{
	struct msg_child m = { MSG_RUN, 0, 0, 0 };
	char said[OTHERS + 1];
	size_t n = 0;
	int pair[2];

	if (!pass_pair(pair) || !msg_send(channel, &(union msg){ .link = { MSG_LINK, ROLE_BRIDGE, 0, 1 } }, pair[1]))
		return false;
	close(pair[1]);
	edge = pair[0];
	if (!pass_send(edge, &m, sizeof m, -1) || !packet(edge, &m, sizeof m, &output) || m.type != MSG_RAN || output < 0)
		return false;
	while (n < sizeof said && poll(&(struct pollfd){ .fd = output, .events = POLLIN }, 1, WAIT_MS) > 0) {
		ssize_t got = read(output, said + n, sizeof said - n);

		if (got <= 0)
			return false;
		n += (size_t)got;
	}
	return n == sizeof said;
}

static bool nothing_left(void)
{
	char byte;
	bool end = poll(&(struct pollfd){ .fd = output, .events = POLLIN }, 1, WAIT_MS) > 0 && read(output, &byte, 1) == 0;

	close(output);
	close(edge);
	return end;
}

/* The launcher: the guard's child. */
static pid_t launcher(void)
{
	char name[64], line[32] = "";
	FILE *f;

	snprintf(name, sizeof name, "/proc/%d/task/%d/children", guard, guard);
	f = fopen(name, "r");
	if (!f || !fgets(line, sizeof line, f))
		line[0] = 0;
	if (f)
		fclose(f);
	return (pid_t)atoi(line);
}

static bool heard;

static void on_end(struct kid_owner *owner, uint32_t child, int exit_status, int sig)
{
	(void)owner;
	heard = child == 3 && exit_status == 0 && sig == 0;
}

/* Without the launcher, in this process: one that closes its standard error costs nothing any more. */
static void mute(void)
{
	static struct program_set set;
	static struct loop loop;
	static char mem[4096];
	struct buf errors = buf_on(mem, sizeof mem), warnings = buf_on(mem, sizeof mem);
	struct kid_owner owner = { on_end, SPAN("mute") };
	int fd, wait_ms = 0;
	char byte;

	if (!loop_open(&loop) || !kids_begin(&loop) || !program_read(&set, conf.conf, &errors, &warnings))
		exit(97);
	fd = kid_start(&owner, 3, &conf.conf->servers[1], &set.of[1]);
	ok(fd >= 0 && poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, WAIT_MS) > 0 && read(fd, &byte, 1) == 1, "a program without a standard error");
	for (int tries = 0; tries < WAIT_MS / 100 && wait_ms >= 0; tries++) {
		loop_wait(&loop, wait_ms < 100 ? wait_ms : 100);
		wait_ms = kids_tick();
	}
	is_int(wait_ms, -1, "  is nothing to wake up for");
	close(fd);
	for (int tries = 0; tries < WAIT_MS / 10 && !heard; tries++) {
		loop_wait(&loop, 10);
		kids_reap();
	}
	ok(heard && kids_gone(), "  and its end is heard of");
}

int main(int argc, char **argv)
{
	static char mem[CONF_ERRORS_SIZE], text[1024], self[256];
	struct buf errors = buf_on(mem, sizeof mem);
	struct msg_child m;
	pid_t bystander, victim;
	int fd, status;
	FILE *f;

	if (argc > 1)
		return strcmp(argv[1], "hide") == 0 ? program() : 2;
	signal(SIGPIPE, SIG_IGN);
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || !mkdtemp(dir))
		return 99;
	snprintf(path, sizeof path, "%s/c.json", dir);
	snprintf(text, sizeof text, "{\"listeners\":[{\"address\":\"127.0.0.1:0\"}],\"identity\":{\"anonymous\":{\"tenant\":\"t\",\"roles\":[\"r\"]}},\"policy\":[],"
		"\"mcpServers\":{\"hide\":{\"command\":\"%s\",\"args\":[\"hide\"]},\"mute\":{\"command\":\"sh\",\"args\":[\"-c\",\"exec 2>&-; echo; exec cat\"]}}}", self);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0 || config_load(&conf, span_z(path), &errors) != CONFIG_RIGHT)
		return 99;
	mute();
	bystander = fork();
	if (bystander == 0)
		for (;;)
			pause();

	begin();
	ok(hidden(), "a program that hides processes");
	shutdown(output, SHUT_WR);
	ok(packet(edge, &m, sizeof m, &fd) && m.type == MSG_EXITED && nothing_left(), "it ends: nothing is left");

	ok(hidden(), "another");
	victim = launcher();
	ok(victim > 1 && kill(victim, SIGKILL) == 0 && nothing_left(), "the launcher is killed: nothing is left");
	ok(ready(), "  and it comes again");

	ok(hidden(), "another");
	kill(guard, SIGKILL);
	waitpid(guard, &status, 0);
	ok(nothing_left(), "the guard is killed: nothing is left");
	close(channel);

	begin();
	ok(hidden(), "another");
	close(channel);
	ok(nothing_left(), "the parent is gone: nothing is left");
	ok(waitpid(guard, &status, 0) == guard && WIFEXITED(status) && WEXITSTATUS(status) == 0, "  nor are launcher and guard");
	ok(kill(bystander, 0) == 0 && waitpid(bystander, &status, WNOHANG) == 0, "and nobody else has come to harm");
	kill(bystander, SIGKILL);
	waitpid(bystander, &status, 0);
	unlink(path);
	rmdir(dir);
	return done_testing();
}
