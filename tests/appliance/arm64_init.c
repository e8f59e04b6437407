/* The whole user space of the machine that 13-arm64.t boots, besides the image: tries every system call in every role (tests/sandbox), starts
 * the image's Postern as its user, calls a tool, then takes hold of a running worker and has it make a call that its list lacks.
 * It reports on the console and judges nothing; the test reads the report. */
#include <arpa/inet.h>
#include <dirent.h>
#include <elf.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USER = 65532, PORT = 8080, STOPS_MAX = 64 };
#define CONFIG "/etc/postern/postern.json"
#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"

static _Noreturn void end(const char *why)
{
	printf("== end %s\n", why);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		;
	return status;
}

/* The image's program as a container runtime starts it: its user, no new privileges. The others as they are. */
static pid_t start(const char *const *argv, int out)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (out >= 0)
			dup2(out, 1);
		if (strcmp(argv[0], "/postern") == 0 && (setgroups(0, NULL) != 0 || setgid(USER) != 0 || setuid(USER) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0))
			_exit(99);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(98);
	}
	return pid;
}

static void run(const char *label, const char *const *argv)
{
	int status;

	printf("== %s\n", label);
	status = wait_for(start(argv, -1));
	printf("== %s status %d\n", label, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) != 0)
		end("no loopback");
	close(fd);
}

static void ask(const char *label)
{
	static const char body[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"read_file\","
		"\"arguments\":{\"path\":\"hello.txt\"}," META "}}";
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char text[4096];
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	printf("== %s\n", label);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		end("nobody listens");
	dprintf(fd, "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
		"Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
		"Mcp-Name: read_file\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", sizeof body - 1, body);
	while ((n = read(fd, text, sizeof text)) > 0)
		fwrite(text, 1, (size_t)n, stdout);
	close(fd);
	printf("\n== %s status 0\n", label);
}

/* Prints what the kernel says about each Postern process; returns a worker. */
static pid_t look(void)
{
	static const char *const fields[] = { "Name:", "Uid:", "CapEff:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:" };
	DIR *proc = opendir("/proc");
	pid_t worker = 0;

	printf("== processes\n");
	for (struct dirent *e; proc && (e = readdir(proc)); ) {
		char path[300], line[256], exe[300];
		ssize_t n;
		FILE *f;

		snprintf(path, sizeof path, "/proc/%s/exe", e->d_name);
		n = readlink(path, exe, sizeof exe - 1);
		if (n < 0)
			continue;
		exe[n] = 0;
		snprintf(path, sizeof path, "/proc/%s/status", e->d_name);
		f = strcmp(exe, "/postern") == 0 ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		while (fgets(line, sizeof line, f)) {
			line[strcspn(line, "\n")] = 0;
			for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
				if (strncmp(line, fields[i], strlen(fields[i])) == 0)
					printf("%s ", line);
			if (strncmp(line, "Name:", 5) == 0 && strstr(line, "worker"))
				worker = (pid_t)strtol(e->d_name, NULL, 10);
		}
		fclose(f);
		printf("\n");
	}
	closedir(proc);
	return worker;
}

/* At its next system call the worker finds itself asking for another one; the kernel filters what is asked then. */
static void misuse(pid_t worker, int call)
{
	struct iovec number = { &call, sizeof call };
	int status = 0;

	printf("== misuse\n");
	if (ptrace(PTRACE_SEIZE, worker, NULL, (void *)(uintptr_t)PTRACE_O_TRACESYSGOOD) != 0 || ptrace(PTRACE_INTERRUPT, worker, NULL, NULL) != 0)
		end("the worker cannot be taken");
	for (int i = 0; i < STOPS_MAX; i++) {
		waitpid(worker, &status, 0);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) == (SIGTRAP | 0x80))
			break;
		ptrace(PTRACE_SYSCALL, worker, NULL, NULL);
	}
	if (!WIFSTOPPED(status) || ptrace(PTRACE_SETREGSET, worker, (void *)(uintptr_t)NT_ARM_SYSTEM_CALL, &number) != 0)
		end("the worker makes no call");
	ptrace(PTRACE_CONT, worker, NULL, NULL);
	waitpid(worker, &status, 0);
	printf("== misuse status %d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : status);
}

int main(void)
{
	static const char *const calls[] = { "/calls", NULL }, *const walls[] = { "/walls", NULL };
	static const char *const version[] = { "/postern", "version", NULL };
	static const char *const health[] = { "/postern", "health", "-c", CONFIG, NULL };
	static const char *const serve[] = { "/postern", "serve", "-c", CONFIG, NULL };
	char line[256];
	pid_t postern, worker;
	FILE *said;
	int out[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (mount("proc", "/proc", "proc", 0, NULL) != 0 || mount("dev", "/dev", "devtmpfs", 0, NULL) != 0)
		end("no /proc or /dev");
	loopback_up();
	run("calls", calls);
	run("walls", walls);
	run("version", version);

	if (pipe(out) != 0)
		end("no pipe");
	printf("== serve\n");
	postern = start(serve, out[1]);
	close(out[1]);
	said = fdopen(out[0], "r");
	do {
		if (!said || !fgets(line, sizeof line, said))
			end("it did not start");
		printf("%s", line);
	} while (strcmp(line, "ready\n") != 0);
	run("health", health);
	ask("first call");
	worker = look();
	if (worker == 0)
		end("no worker");
	misuse(worker, SYS_execve);
	ask("second call");
	kill(postern, SIGTERM);
	printf("== stop status %d\n", wait_for(postern));
	end("well");
}
