/* role/launcher.h, role/kid.h, role/program.h, os/start.h: the processes themselves, with the test as parent and as bridge, and programs of sh. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/pass.h"
#include "os/proc.h"
#include "os/sock.h"
#include "os/start.h"
#include "role/kid.h"
#include "role/launcher.h"
#include "role/log.h"
#include "role/msg.h"
#include "tap.h"

enum { WAIT_MS = 20000, ROUNDS = 100 };

/* Server 0 copies, 1 says what it is, 2 does not end, 3 leaves others behind, 4 floods its standard error, 5 cannot be executed, 6 ends. */
static char config_text[8192];
static const char config_form[] =
	"{\"listeners\":[{\"address\":\"127.0.0.1:0\"}],\"identity\":{\"anonymous\":{\"tenant\":\"t\",\"roles\":[\"r\"]}},\"policy\":[],\"mcpServers\":{"
	"\"copy\":{\"command\":\"cat\",\"children\":3},"
	"\"what\":{\"command\":\"sh\",\"args\":[\"-c\",\"for a in \\\"$@\\\"; do echo \\\"<$a>\\\"; done; env | sort; pwd; echo fds /proc/self/fd/*; "
	"grep -E '^(SigBlk|SigIgn|NoNewPrivs|Seccomp|CoreDump)' /proc/self/status; ulimit -n; ulimit -c; ulimit -t; ulimit -d; cat /proc/self/oom_score_adj; "
	"ps -o sid= -p $$ | tr -d ' '; echo $$; echo end\",\"zero\",\"two words\",\"\",\"$HOME;`id`\"],"
	"\"env\":{\"PLAIN\":\"a value\",\"KEY\":{\"file\":\"secret\"},\"LANG\":\"x\"},\"cwd\":\"sub\",\"limits\":{\"files\":99,\"cpu\":\"77s\",\"memory\":\"512m\"}},"
	"\"stubborn\":{\"command\":\"sh\",\"args\":[\"-c\",\"trap '' TERM; echo up; while :; do sleep 1; done\"]},"
	"\"family\":{\"command\":\"sh\",\"args\":[\"-c\",\"setsid sleep MARK8 & sleep MARK7 & (setsid sh -c 'trap \\\"\\\" TERM; sleep MARK6 & sleep MARK5' &); echo up; exec cat\"]},"
	"\"flood\":{\"command\":\"sh\",\"args\":[\"-c\",\"i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done >&2; printf 'a\\\\033[31mb\\\\n' >&2; echo up; exec cat\"]},"
	"\"bad\":{\"command\":\"./bad\"},"
	"\"brief\":{\"command\":\"sh\",\"args\":[\"-c\",\"exit 7\"]},"
	"\"walled\":{\"command\":\"sh\",\"args\":[\"-c\",\"cat secret; echo x >sub/x && echo wrote; echo x >y || echo kept; echo end\"],\"read\":[\"/usr\",\"/bin\",\"/lib\",\"/lib64\"],"
	"\"write\":[\"sub\"],\"network\":false}"
	"}}";

static char mark[16];
static char dir[] = "/tmp/postern-launcher-XXXXXX", path[128], said[1 << 16];
static int channel, logged;
static pid_t guard;
static bool valgrind;  /* is there, as tests/valgrind.sh says */
static struct config conf;

static void write_file(const char *name, const char *text, size_t n, mode_t mode)
{
	char full[256];
	int fd;

	snprintf(full, sizeof full, "%s/%s", dir, name);
	unlink(full);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n || fchmod(fd, mode) != 0)
		exit(99);
	close(fd);
}

/* Processes that sleep as long as nobody else's do, zombies left out. */
static unsigned running(void)
{
	char command[128], line[64] = "0";
	FILE *f;

	snprintf(command, sizeof command, "ps -eo stat=,args= | grep -v '^Z' | grep -c '[s]leep %s[0-9]'", mark);
	f = popen(command, "r");
	if (!f || !fgets(line, sizeof line, f))
		line[0] = '0';
	if (f)
		pclose(f);
	return (unsigned)atoi(line);
}

static bool none_within(int ms)
{
	for (int waited = 0; waited < ms; waited += 50, usleep(50000))
		if (running() == 0)
			return true;
	return false;
}

static bool four_within(int ms)
{
	for (int waited = 0; waited < ms; waited += 50, usleep(50000))
		if (running() >= 4)
			return true;
	return false;
}

static void start(void)
{
	static struct launcher_start s;
	int pair[2], err[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t parent = getpid();

	if (null < 0 || !pass_pair(pair) || pipe2(err, O_CLOEXEC | O_NONBLOCK) != 0)
		exit(99);
	fcntl(err[1], F_SETPIPE_SZ, 1 << 20);
	guard = fork();
	if (guard == 0) {
		s = (struct launcher_start){ .path = span_z(path), .first = &conf, .number = 1, .parent_pid = parent, .channel = pair[1], .null_fd = null, .log_fd = err[1] };
		launcher_guard(&s);
	}
	close(pair[1]);
	close(err[1]);
	close(null);
	channel = pair[0];
	logged = err[0];
}

static bool hear(int fd, void *m, size_t n, int *got)
{
	long have;

	for (int tries = 0; tries < 100; tries++) {
		pass_wait(fd, WAIT_MS / 10);
		have = pass_take(fd, m, n, got);
		if (have != PASS_NONE)
			return have == (long)n;
	}
	return false;
}

static bool heard(uint32_t type, union msg *m)
{
	long have;
	int fd = -1;

	pass_wait(channel, WAIT_MS);
	have = pass_take(channel, m, sizeof *m, &fd);
	return have > 0 && m->type == type;
}

static bool load(unsigned number, bool same)
{
	union msg m = { .load = { MSG_LOAD, number, { 0 } } };

	memcpy(m.load.sha256, conf.sha256, sizeof m.load.sha256);
	m.load.sha256[0] = (uint8_t)(m.load.sha256[0] + !same);
	return msg_send(channel, &m, -1) && heard(MSG_LOADED, &m) && m.loaded.generation == number && m.loaded.right;
}

static int link_to(unsigned server, unsigned generation)
{
	int pair[2];

	if (!pass_pair(pair) || !msg_send(channel, &(union msg){ .link = { MSG_LINK, ROLE_BRIDGE, server, generation } }, pair[1]))
		exit(99);
	close(pair[1]);
	return pair[0];
}

static bool ask(int edge, uint32_t what, unsigned child)
{
	struct msg_child m = { what, child, 0, 0 };

	return pass_send(edge, &m, sizeof m, -1);
}

/* The child's stream; -1: none. */
static int run(int edge, unsigned child)
{
	struct msg_child m;
	int fd = -1;

	return ask(edge, MSG_RUN, child) && hear(edge, &m, sizeof m, &fd) && m.type == MSG_RAN && m.child == child ? fd : -1;
}

static bool stop(int edge, unsigned child)
{
	return ask(edge, MSG_STOP, child);
}

static bool exited(int edge, unsigned child, int status, int sig)
{
	struct msg_child m;
	int fd;
	bool right = hear(edge, &m, sizeof m, &fd) && m.type == MSG_EXITED && m.child == child;

	if (!right)
		diag("type %u child %u", m.type, m.child);
	if (right && (m.status != status || m.signal != sig))
		diag("status %d signal %d", m.status, m.signal);
	return right && m.status == status && m.signal == sig;
}

static bool closed(int edge)
{
	struct msg_child m;
	int fd;

	pass_wait(edge, WAIT_MS);
	return pass_take(edge, &m, sizeof m, &fd) == PASS_END;
}

/* What a child says until `end` is among it, or it ends. */
static const char *says(int fd, const char *end)
{
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, WAIT_MS) <= 0)
			break;
		got = read(fd, said + n, sizeof said - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		said[n] = 0;
		if (strstr(said, end))
			break;
	}
	said[n] = 0;
	return said;
}

static const char *log_text(void)
{
	static char text[1 << 20];
	ssize_t got = read(logged, text, sizeof text - 1);

	text[got > 0 ? got : 0] = 0;
	return text;
}

/* The first child of a process; 0: it has none. */
static pid_t child_of(pid_t parent)
{
	char command[96], line[64] = "";
	FILE *f;

	snprintf(command, sizeof command, "ps -o pid= --ppid %d", parent);
	f = popen(command, "r");
	if (!f || !fgets(line, sizeof line, f))
		line[0] = 0;
	if (f)
		pclose(f);
	return (pid_t)atoi(line);
}

/* The launcher has buried all it started: what it starts next is all there is. */
static bool quiet(void)
{
	pid_t launcher = child_of(guard);

	for (int waited = 0; waited < WAIT_MS; waited += 20, usleep(20000))
		if (child_of(launcher) == 0)
			return true;
	return false;
}

static void conversation(void)
{
	int edge = link_to(0, 1), fd = run(edge, 0), second = run(edge, 2);

	ok(fd >= 0 && second >= 0, "two children of one server");
	ok(write(fd, "hello\n", 6) == 6 && strcmp(says(fd, "\n"), "hello\n") == 0, "what is written comes back");
	ok(shutdown(fd, SHUT_WR) == 0 && stop(edge, 0) && exited(edge, 0, 0, 0), "its input closed, it ends, and that is said");
	ok(read(fd, said, 1) == 0, "its output is at its end");
	close(fd);
	fd = run(edge, 0);
	ok(fd >= 0, "the number may be used again");
	close(fd);
	ok(exited(edge, 0, 0, 0), "who closes it hears of its end too");
	ok(msg_send(channel, &(union msg){ .forget = { MSG_FORGET, 77 } }, -1) && load(1, true), "a generation that is not there may be forgotten");
	ok(run(edge, 3) < 0 && closed(edge), "a child that the configuration does not allow closes the edge");
	pass_wait(second, WAIT_MS);
	ok(read(second, said, 1) == 0, "and ends all that was started over it");
	close(second);
	close(edge);
	edge = link_to(0, 1);
	fd = run(edge, 1);
	ok(fd >= 0 && run(edge, 1) < 0 && closed(edge), "so does one that runs already");
	close(fd);
	close(edge);
	edge = link_to(0, 9);
	ok(closed(edge), "an edge for a generation that is not there is closed");
	close(edge);
}

/* A bridge that says more than one ever would: while it is heard nobody else is. */
static void talkative(void)
{
	int edge = link_to(0, 1), fd = run(edge, 0);
	pid_t launcher = child_of(guard);
	unsigned n = 0;

	ok(fd >= 0 && launcher > 1 && kill(launcher, SIGSTOP) == 0, "a child runs");
	while (n < 100 && stop(edge, 1))
		n++;
	kill(launcher, SIGCONT);
	ok(n == 100 && closed(edge), "an edge on which too much is said at once is closed");
	close(fd);
	close(edge);
}

/* While what has ended is buried, others start: nobody takes them for what was left behind. */
static void neighbours(void)
{
	int edge = link_to(0, 1), well = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int first = run(edge, 0), second = -1, got;
		bool gone = false;
		struct msg_child m;

		if (first < 0 || write(first, "hello\n", 6) != 6 || strcmp(says(first, "\n"), "hello\n") != 0)
			break;
		shutdown(first, SHUT_WR);
		ask(edge, MSG_RUN, 1);
		while ((second < 0 || !gone) && hear(edge, &m, sizeof m, &got)) /* in either order */
			if (m.type == MSG_RAN && m.child == 1 && got >= 0)
				second = got;
			else if (m.type == MSG_EXITED && m.child == 0 && m.status == 0)
				gone = true;
			else
				break;
		close(first);
		well += gone && second >= 0 && write(second, "hello\n", 6) == 6 && strcmp(says(second, "\n"), "hello\n") == 0;
		close(second);
		if (!gone || !exited(edge, 1, 0, 0))
			break;
	}
	if (!ok(well == ROUNDS, "one that starts while another is buried lives"))
		diag("%d of %d", well, ROUNDS);
	close(edge);
}

static void environment(void)
{
	int edge = link_to(1, 1), fd = run(edge, 0);
	const char *s = says(fd, "end\n");
	char want[512];
	int sid, pid;

	ok(strncmp(s, "<two words>\n<>\n<$HOME;`id`>\n", 28) == 0, "arguments are what they are");
	ok(strstr(s, "\nKEY=the secret\n") && strstr(s, "\nPLAIN=a value\n") && strstr(s, "\nLANG=x\n") && strstr(s, "\nHOME=/root-of-test\n"), "the environment is that of the configuration");
	ok(!strstr(s, "STRANGE"), "and nothing else");
	snprintf(want, sizeof want, "\n%s/sub\n", dir);
	ok(strstr(s, want), "the working directory");
	ok(strstr(s, "fds /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 ") || strstr(s, "fds /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2\n"), "three descriptors");
	ok(!strstr(s, "/proc/self/fd/4"), "  and none of ours");
	if (!ok(strstr(s, "SigBlk:\t0000000000000000") && strstr(s, "SigIgn:\t0000000000000000"), "no signal blocked, none ignored"))
		diag("%s", s);
	ok(strstr(s, "NoNewPrivs:\t1"), "no new privileges");
#ifndef POSTERN_SANITIZE
	ok(strstr(s, "Seccomp:\t2"), "a filter");
#endif
	if (valgrind)
		skip(1, "the limits of files and memory are valgrind's own");
	else
		ok(strstr(s, "\n99\n0\n77\n524288\n"), "its limits: files, core, processor time, memory");
	ok(strstr(s, "\n500\n"), "it goes first when memory runs out");
	s = strstr(s, "\n500\n");
	ok(s && sscanf(s, "\n500\n%d\n%d\n", &sid, &pid) == 2 && sid == pid, "a session of its own");
	close(fd);
	close(edge);
}

static void stubborn(void)
{
	int edge = link_to(2, 1), fd = run(edge, 0);
	struct timespec from, to;

	says(fd, "up\n");
	clock_gettime(CLOCK_MONOTONIC, &from);
	shutdown(fd, SHUT_WR);
	ok(stop(edge, 0) && exited(edge, 0, -1, SIGKILL), "one that does not end is killed");
	clock_gettime(CLOCK_MONOTONIC, &to);
	ok((to.tv_sec - from.tv_sec) * 1000 >= KID_TERM_MS + KID_KILL_MS - 1000, "after it has been asked twice");
	close(fd);
	close(edge);
}

static void family(void)
{
	bool before = quiet();
	int edge = link_to(3, 1), fd = run(edge, 0);

	ok(before && strstr(says(fd, "up\n"), "up") && four_within(WAIT_MS), "a child with descendants in its session and outside");
	shutdown(fd, SHUT_WR);
	ok(stop(edge, 0) && exited(edge, 0, 0, 0) && none_within(3000), "nothing is left of them when it has ended");
	close(fd);
	close(edge);
}

static void voices(void)
{
	int edge, fd, n = 0;
	const char *text = log_text(); /* what was said before */

	edge = link_to(4, 1);
	fd = run(edge, 0);
	ok(strstr(says(fd, "up\n"), "up"), "a flood of standard error does not stop it");
	close(fd);
	exited(edge, 0, 0, 0);
	text = log_text();
	ok(strstr(text, "server flood says: line 0\n"), "standard error goes to the log, with the server's name");
	for (const char *p = text; (p = strstr(p, " says: line ")) != NULL; p++)
		n++;
	ok(n >= 5 && n <= 60, "but not all of a flood");
	ok(strstr(text, " lines of its standard error were left out"), "which is said");
	close(edge);
	edge = link_to(6, 1);
	fd = run(edge, 0);
	ok(fd >= 0 && exited(edge, 0, 7, 0) && strstr(log_text(), "server brief (pid "), "one that ends by itself is heard of");
	close(fd);
	close(edge);
	edge = link_to(5, 1);
	fd = run(edge, 0);
	if (valgrind) {
		skip(2, "valgrind ends where execve() fails");
	} else {
		ok(fd >= 0 && exited(edge, 0, START_FAILED, 0), "one that cannot be executed ends at once");
		text = log_text();
		ok(strstr(text, "server bad says: cannot be started: ") && strstr(text, "No such file"), "and the log says why");
	}
	close(fd);
	close(edge);
}

static void walled(void)
{
#ifndef POSTERN_SANITIZE
	int edge = link_to(7, 1), fd = run(edge, 0);
	const char *s = says(fd, "end\n");

	ok(!strstr(s, "the secret"), "what is not beneath \"read\" cannot be read");
	ok(strstr(s, "wrote\n"), "what is beneath \"write\" can be written");
	ok(strstr(s, "kept\n"), "and nothing else");
	close(fd);
	close(edge);
#endif
}

static void killed(void)
{
	bool before = quiet();
	int edge = link_to(3, 1), fd = run(edge, 0), status;
	pid_t launcher = child_of(guard);
	union msg m;

	ok(before && strstr(says(fd, "up\n"), "up") && four_within(WAIT_MS), "all are there");
	ok(launcher > 1 && kill(launcher, SIGKILL) == 0 && heard(MSG_READY, &m), "a launcher that is killed comes again");
	ok(running() == 0 && closed(edge), "and nothing is left of what it had started");
	close(fd);
	close(edge);
	ok(load(1, true), "the first configuration is still known to it");
	write_file("c.json", "{}", 2, 0644);
	ok(!load(2, true), "a file that says something else is not taken");
	write_file("c.json", config_text, strlen(config_text), 0644);
	ok(load(2, true), "one that is what the parent has read is");
	ok(!load(3, false), "and not under another hash");
	edge = link_to(3, 2);
	fd = run(edge, 0);
	says(fd, "up\n");
	four_within(WAIT_MS);
	kill(guard, SIGKILL);
	waitpid(guard, &status, 0);
	ok(none_within(KID_HURRY_MS + 3000), "when its guard is killed nothing is left either");
	close(channel);
	close(fd);
	close(edge);
	start();
	ok(heard(MSG_READY, &m), "once more");
	edge = link_to(3, 1);
	fd = run(edge, 0);
	says(fd, "up\n");
	four_within(WAIT_MS);
	close(channel);
	ok(waitpid(guard, &status, 0) == guard && WIFEXITED(status) && WEXITSTATUS(status) == 0 && running() == 0, "without a parent it ends, when nothing is left");
	close(fd);
	close(edge);
}

static void complaints(void)
{
	static const struct { const char *server, *want; } cases[] = {
		{ "{\"command\":\"no-such-program\"}", "/mcpServers/a/command: cannot execute no-such-program: there is no such program in PATH\n" },
		{ "{\"command\":\"./none\"}", "/none: No such file or directory\n" },
		{ "{\"command\":\"./secret\"}", "/secret: Permission denied\n" },
		{ "{\"command\":\"./sub\"}", "/sub: it is no regular file\n" },
		{ "{\"command\":\"cat\",\"cwd\":\"gone\"}", "/gone: No such file or directory\n" },
		{ "{\"command\":\"cat\",\"read\":[\"gone\"]}", "/mcpServers/a/read: cannot open " },
		{ "{\"command\":\"cat\",\"write\":[\"gone\"]}", "/mcpServers/a/write: cannot open " },
		{ "{\"command\":\"cat\",\"env\":{\"A\":{\"file\":\"gone\"}}}", "/gone: cannot be read: No such file or directory\n" },
	};
	static struct program_set set;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		static char mem[CONF_ERRORS_SIZE], text[4096];
		struct buf errors = buf_on(mem, sizeof mem), warnings = buf_on(text, sizeof text);
		struct config c;
		int n = snprintf(text, sizeof text, "{\"listeners\":[{\"address\":\"127.0.0.1:0\"}],\"identity\":{\"anonymous\":{\"tenant\":\"t\",\"roles\":[\"r\"]}},\"policy\":[],"
			"\"mcpServers\":{\"a\":%s}}", cases[i].server);
		char file[160];

		write_file("d.json", text, (size_t)n, 0644);
		snprintf(file, sizeof file, "%s/d.json", dir);
		if (config_load(&c, span_z(file), &errors) != CONFIG_RIGHT)
			exit(98);
		ok(!program_read(&set, c.conf, &errors, &warnings) && !errors.full, cases[i].server);
		buf_char(&errors, 0);
		if (!ok(strstr(mem, cases[i].want) && strncmp(mem, file, strlen(file)) == 0, "  is said"))
			diag("%s", mem);
		config_drop(&c);
	}
}

int main(void)
{
	static char mem[CONF_ERRORS_SIZE];
	struct buf errors = buf_on(mem, sizeof mem);
	const unsigned long ignored[4] = { 1 }; /* the kernel's sigaction: SIG_IGN */
	char sub[160];
	union msg m;

	valgrind = getenv("VALGRIND") != NULL;
	for (int n = 1; n <= 64; n++) /* as some that start us do; raw, for the C library keeps some to itself */
		if (n != SIGCHLD && n != SIGKILL && n != SIGSTOP && syscall(SYS_rt_sigaction, n, ignored, NULL, 8) != 0)
			return 99;
	snprintf(mark, sizeof mark, "9%07d", (int)getpid() % 10000000);
	for (size_t i = 0, n = 0; i < sizeof config_form - 1; i++)
		if (strncmp(config_form + i, "MARK", 4) == 0) {
			memcpy(config_text + n, mark, strlen(mark));
			n += strlen(mark);
			i += 3;
		} else {
			config_text[n++] = config_form[i];
		}
	setenv("HOME", "/root-of-test", 1);
	setenv("STRANGE", "x", 1);
	if (!mkdtemp(dir))
		return 99;
	snprintf(path, sizeof path, "%s/c.json", dir);
	snprintf(sub, sizeof sub, "mkdir %s/sub", dir);
	if (system(sub) != 0)
		return 99;
	write_file("c.json", config_text, strlen(config_text), 0644);
	write_file("secret", "the secret\n", 11, 0600);
	write_file("bad", "#!/nowhere/at/all\n", 18, 0755);
	complaints();
	if (config_load(&conf, span_z(path), &errors) != CONFIG_RIGHT) {
		diag("%.*s", (int)errors.n, errors.p);
		return 99;
	}
	start();
	ok(heard(MSG_READY, &m), "the launcher is ready");
	ok(load(1, true), "it has the first configuration");
	conversation();
	talkative();
	neighbours();
	environment();
	stubborn();
	family();
	voices();
	walled();
	killed();
	snprintf(sub, sizeof sub, "rm -r %s", dir);
	if (system(sub) != 0)
		diag("%s stays", dir);
	return done_testing();
}
