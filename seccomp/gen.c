/* Build-time tool: seccomp/<role>.list -> C source with one BPF array per role. The grammar stands in seccomp/README.md.
 *
 * Never part of the product; stdio and libseccomp are welcome here. Any doubt about a line ends the build. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_LEN = 512, CALLS_MAX = 256, TESTS_MAX = 6, CHOICES_MAX = 12, OPS_MAX = 4096 };

static const struct { const char *call, *arguments; } known[] = {
	{ "accept4", "fd addr addrlen flags" },
	{ "socket", "domain type protocol" },
	{ "socketpair", "domain type protocol sv" },
	{ "getsockopt", "fd level optname optval optlen" },
	{ "setsockopt", "fd level optname optval optlen" },
	{ "shutdown", "fd how" },
	{ "recvfrom", "fd buf len flags addr addrlen" },
	{ "sendto", "fd buf len flags addr addrlen" },
	{ "recvmsg", "fd msg flags" },
	{ "sendmsg", "fd msg flags" },
	{ "mmap", "addr length prot flags fd offset" },
	{ "mprotect", "addr length prot" },
	{ "prctl", "option arg2 arg3 arg4 arg5" },
	{ "fcntl", "fd cmd arg" },
	{ "clone", "flags stack" },
	{ "kill", "pid sig" },
	{ "dup3", "oldfd newfd flags" },
	{ "open", "path flags mode" },
	{ "openat", "dirfd path flags mode" },
	{ "newfstatat", "dirfd path buf flags" },
	{ "fstatat", "dirfd path buf flags" },
	{ "statx", "dirfd path flags mask buf" },
	{ "wait4", "pid status options rusage" },
	{ "clock_gettime", "clock tp" },
	{ "epoll_create1", "flags" },
	{ "epoll_ctl", "epfd op fd event" },
	{ "epoll_pwait", "epfd events maxevents timeout sigmask" },
	{ "prlimit64", "pid resource new old" },
	{ "seccomp", "operation flags args" },
	{ "signalfd4", "fd mask size flags" },
};

static const struct { const char *word; uint64_t value; } words[] = {
#define WORD(w) { #w, (uint64_t)(w) }
	WORD(AF_INET), WORD(AF_INET6), WORD(AF_UNIX), WORD(SOCK_STREAM), WORD(SOCK_SEQPACKET), WORD(SOCK_NONBLOCK), WORD(SOCK_CLOEXEC),
	WORD(SOL_SOCKET), WORD(SO_ERROR), WORD(SO_REUSEADDR), WORD(SO_REUSEPORT), WORD(IPPROTO_TCP), WORD(TCP_NODELAY), WORD(IPPROTO_IPV6),
	WORD(IPV6_V6ONLY), WORD(SHUT_WR), WORD(MSG_DONTWAIT), WORD(MSG_NOSIGNAL), WORD(MSG_CMSG_CLOEXEC),
	WORD(PROT_READ), WORD(PROT_WRITE), WORD(PROT_EXEC), WORD(MAP_SHARED), WORD(MAP_PRIVATE), WORD(MAP_ANONYMOUS),
	WORD(PR_SET_NAME), WORD(PR_SET_PDEATHSIG), WORD(PR_SET_DUMPABLE), WORD(PR_GET_DUMPABLE), WORD(PR_SET_NO_NEW_PRIVS),
	WORD(PR_GET_NO_NEW_PRIVS), { "PR_SET_MDWE", 65 }, { "PR_GET_MDWE", 66 },
	WORD(F_GETFD), WORD(F_SETFD), WORD(F_GETFL), WORD(FD_CLOEXEC), WORD(O_CLOEXEC), WORD(O_RDONLY), WORD(O_WRONLY), WORD(O_RDWR), WORD(O_CREAT),
	WORD(O_TRUNC), WORD(SIGKILL), WORD(SIGCHLD), WORD(EPOLL_CLOEXEC), WORD(EPOLL_CTL_ADD), WORD(EPOLL_CTL_DEL), WORD(EPOLL_CTL_MOD),
	WORD(AT_EMPTY_PATH), WORD(AT_SYMLINK_NOFOLLOW),
#undef WORD
};

struct test {
	unsigned argument;
	bool none_of;                 /* !& */
	uint64_t choice[CHOICES_MAX]; /* one of these, or the mask */
	unsigned nchoices;
};

struct place { const char *file; unsigned line; };

static _Noreturn void stop(const struct place *at, const char *what, const char *word)
{
	fprintf(stderr, "%s:%u: %s: %s\n", at->file, at->line, what, word);
	exit(1);
}

static uint64_t value_of(const struct place *at, char *text)
{
	uint64_t v = 0;
	char *rest = NULL;

	for (char *w = strtok_r(text, "|", &rest); w; w = strtok_r(NULL, "|", &rest)) {
		char *end;
		bool found = false;

		errno = 0;
		if (*w >= '0' && *w <= '9') {
			v |= strtoull(w, &end, 0);
			if (*end || errno)
				stop(at, "not a number", w);
			continue;
		}
		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			if (strcmp(words[i].word, w) == 0) {
				v |= words[i].value;
				found = true;
			}
		if (!found)
			stop(at, "a word that gen.c does not know", w);
	}
	return v;
}

static unsigned argument_of(const struct place *at, const char *call, const char *name, size_t n)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		unsigned number = 0;

		if (strcmp(known[i].call, call) != 0)
			continue;
		for (const char *p = known[i].arguments; *p; number++) {
			size_t len = strcspn(p, " ");

			if (len == n && strncmp(p, name, n) == 0)
				return number;
			p += len + (p[len] == ' ');
		}
	}
	stop(at, "no such argument of a call that may be pinned", name);
}

/* The text of a line from its first argument test on. Returns how many tests there are. */
static unsigned tests_of(const struct place *at, const char *call, char *text, struct test *t)
{
	unsigned n = 0;
	char *p = text + strspn(text, " \t");

	while (*p) {
		size_t name = strcspn(p, "=!{ \t");
		char *after = p + name + strspn(p + name, " \t");
		char *end;

		if (n == TESTS_MAX)
			stop(at, "too many tests", p);
		memset(&t[n], 0, sizeof t[n]);
		t[n].argument = argument_of(at, call, p, name);
		if (strncmp(after, "in {", 4) == 0) {
			char *item, *rest = NULL;

			after += 4;
			end = strchr(after, '}');
			if (!end)
				stop(at, "no closing }", after);
			*end++ = 0;
			for (item = strtok_r(after, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
				if (t[n].nchoices == CHOICES_MAX)
					stop(at, "too many choices", item);
				t[n].choice[t[n].nchoices++] = value_of(at, item);
			}
		} else if (strncmp(after, "==", 2) == 0 || strncmp(after, "!&", 2) == 0) {
			t[n].none_of = *after == '!';
			after += 2;
			end = after + strcspn(after, " \t");
			if (*end)
				*end++ = 0;
			t[n].choice[t[n].nchoices++] = value_of(at, after);
		} else {
			stop(at, "a test is NAME==VALUE, NAME in {A,B} or NAME!&MASK, not", p);
		}
		if (t[n].nchoices == 0)
			stop(at, "no value", p);
		n++;
		p = end + strspn(end, " \t");
	}
	return n;
}

/* One rule for each combination of the choices. */
static void add_rules(const struct place *at, scmp_filter_ctx ctx, int number, const struct test *t, unsigned n, const char *call)
{
	unsigned at_choice[TESTS_MAX] = { 0 };

	for (;;) {
		struct scmp_arg_cmp compare[TESTS_MAX];
		unsigned i;

		for (i = 0; i < n; i++) {
			uint64_t v = t[i].choice[at_choice[i]];

			compare[i] = (struct scmp_arg_cmp){ t[i].argument, t[i].none_of ? SCMP_CMP_MASKED_EQ : SCMP_CMP_EQ, v, 0 }; /* of MASKED_EQ v is the mask */
		}
		if (seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, number, n, compare) != 0)
			stop(at, "libseccomp refuses the rule", call);
		for (i = 0; i < n; i++) {
			if (++at_choice[i] < t[i].nchoices)
				break;
			at_choice[i] = 0;
		}
		if (i == n)
			return;
	}
}

static const char *arch_name(void)
{
	switch (seccomp_arch_native()) {
	case SCMP_ARCH_X86_64: return "@x86_64";
	case SCMP_ARCH_AARCH64: return "@aarch64";
	default: return "@unknown";
	}
}

/* Reads one list into a filter; numbers[] gets each call once. */
static unsigned read_list(const char *file, scmp_filter_ctx ctx, int *numbers)
{
	struct place at = { file, 0 };
	char line[LINE_LEN];
	unsigned n = 0;
	FILE *in = fopen(file, "r");

	if (!in)
		stop(&at, "cannot be read", strerror(errno));
	while (fgets(line, sizeof line, in)) {
		struct test tests[TESTS_MAX];
		char *p = line + strspn(line, " \t\n");
		char *reason = strchr(line, '#');
		char *call, *rest = NULL;
		unsigned known_before, ntests;
		int number;

		at.line++;
		if (*p == 0 || reason == p)
			continue;
		if (!reason || strspn(reason, "# \t\n") == strlen(reason))
			stop(&at, "no reason", p);
		for (*reason = 0; reason > p && strchr(" \t", reason[-1]); )
			*--reason = 0;
		call = strtok_r(p, " \t", &rest);
		if (*call == '@') {
			if (strcmp(call, "@x86_64") != 0 && strcmp(call, "@aarch64") != 0)
				stop(&at, "an architecture that gen.c does not know", call);
			if (strcmp(call, arch_name()) != 0)
				continue;
			call = strtok_r(NULL, " \t", &rest);
		}
		number = call ? seccomp_syscall_resolve_name(call) : __NR_SCMP_ERROR;
		if (number < 0)
			stop(&at, "no such system call here", call ? call : "");
		ntests = rest ? tests_of(&at, call, rest, tests) : 0;
		add_rules(&at, ctx, number, tests, ntests, call);
		for (known_before = 0; known_before < n && numbers[known_before] != number; known_before++)
			;
		if (known_before == n) {
			if (n == CALLS_MAX)
				stop(&at, "too many calls", call);
			numbers[n++] = number;
		}
	}
	fclose(in);
	return n;
}

static void print_filter(const struct place *at, const char *role, size_t role_n, scmp_filter_ctx ctx)
{
	static struct sock_filter ops[OPS_MAX];
	int fd = memfd_create("bpf", 0);
	ssize_t got;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		stop(at, "the filter cannot be exported", strerror(errno));
	got = read(fd, ops, sizeof ops);
	if (got <= 0 || (size_t)got >= sizeof ops || (size_t)got % sizeof ops[0] != 0)
		stop(at, "the filter is empty or too long", "");
	close(fd);
	printf("static const struct jail_op %.*s_ops[] = {\n", (int)role_n, role);
	for (size_t i = 0; i < (size_t)got / sizeof ops[0]; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", ops[i].code, ops[i].jt, ops[i].jf, ops[i].k);
	printf("};\n");
}

static void make_role(const char *file)
{
	struct place at = { file, 0 };
	const char *role = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	const char *dot = strstr(role, ".list");
	int numbers[CALLS_MAX];
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	unsigned n;
	size_t role_n;

	if (!dot || dot[5] != 0)
		stop(&at, "a list is called ROLE.list", role);
	role_n = (size_t)(dot - role);
	if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0
	    || seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0)
		stop(&at, "libseccomp cannot start", "");
	n = read_list(file, ctx, numbers);
	print_filter(&at, role, role_n, ctx);
	printf("static const uint16_t %.*s_calls[] = {", (int)role_n, role);
	for (unsigned i = 0; i < n; i++)
		printf(" %d,", numbers[i]);
	printf(" };\nconst struct seccomp_list seccomp_%.*s = { %.*s_ops, sizeof %.*s_ops / sizeof %.*s_ops[0], %.*s_calls, %u };\n\n",
		(int)role_n, role, (int)role_n, role, (int)role_n, role, (int)role_n, role, (int)role_n, role, n);
	seccomp_release(ctx);
}

int main(int argc, char **argv)
{
	printf("/* Made by seccomp/gen.c from seccomp/NAME.list; the lists are what to read and change. */\n"
		"#include \"role/seccomp_table.h\"\n\n");
	for (int i = 1; i < argc; i++)
		make_role(argv[i]);
	return argc > 1 ? 0 : 2;
}
