/* Build-time tool: seccomp-gen ARCH LIST... turns seccomp/<role>.list and seccomp/<name>.deny into C source with one BPF array per role, for x86_64 or aarch64
 * whatever it runs on. seccomp-gen rules LIST... prints what it understood, one line each, for whoever makes something else of the lists
 * (image/profile/seccomp.py). The grammar stands in seccomp/README.md.
 *
 * Never part of the product; stdio and libseccomp are welcome here. Any doubt about a line ends the build. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
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
#include <sys/resource.h>
#include <sys/signalfd.h>
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
	{ "sched_setaffinity", "pid size mask" },
	{ "sched_setscheduler", "pid policy param" },
	{ "sched_setparam", "pid param" },
	{ "sched_setattr", "pid attr flags" },
	{ "setpriority", "which who prio" },
	{ "ioprio_set", "which who ioprio" },
	{ "seccomp", "operation flags args" },
	{ "signalfd4", "fd mask size flags" },
	{ "ioctl", "fd request arg" },
	{ "getrandom", "buf buflen flags" },
	{ "memfd_secret", "flags" },
	{ "madvise", "addr length advice" },
};

/* Words of this machine's headers, so only such as are the same on both architectures (not O_DIRECTORY, O_NOFOLLOW, O_DIRECT). */
static const struct { const char *word; uint64_t value; } words[] = {
#define WORD(w) { #w, (uint64_t)(w) }
	WORD(AF_INET), WORD(AF_INET6), WORD(AF_UNIX), WORD(SOCK_STREAM), WORD(SOCK_SEQPACKET), WORD(SOCK_NONBLOCK), WORD(SOCK_CLOEXEC),
	WORD(SOL_SOCKET), WORD(SO_ERROR), WORD(SO_REUSEADDR), WORD(SO_REUSEPORT), WORD(SO_RCVTIMEO), WORD(SO_SNDTIMEO), WORD(IPPROTO_TCP), WORD(TCP_NODELAY), WORD(IPPROTO_IPV6),
	WORD(IPV6_V6ONLY), WORD(SHUT_WR), WORD(MSG_DONTWAIT), WORD(MSG_NOSIGNAL), WORD(MSG_CMSG_CLOEXEC),
	WORD(PROT_READ), WORD(PROT_WRITE), WORD(PROT_EXEC), WORD(MAP_SHARED), WORD(MAP_PRIVATE), WORD(MAP_ANONYMOUS), WORD(MADV_DONTDUMP),
	WORD(PR_SET_NAME), WORD(PR_SET_PDEATHSIG), WORD(PR_SET_DUMPABLE), WORD(PR_GET_DUMPABLE), WORD(PR_SET_NO_NEW_PRIVS),
	WORD(PR_GET_NO_NEW_PRIVS), { "PR_SET_MDWE", 65 }, { "PR_GET_MDWE", 66 },
	WORD(F_GETFD), WORD(F_SETFD), WORD(F_GETFL), WORD(FD_CLOEXEC), WORD(O_CLOEXEC), WORD(O_RDONLY), WORD(O_WRONLY), WORD(O_RDWR), WORD(O_CREAT),
	WORD(O_TRUNC), WORD(SIGKILL), WORD(SIGCHLD), WORD(EPOLL_CLOEXEC), WORD(EPOLL_CTL_ADD), WORD(EPOLL_CTL_DEL), WORD(EPOLL_CTL_MOD),
	WORD(AT_EMPTY_PATH), WORD(AT_SYMLINK_NOFOLLOW), WORD(SFD_CLOEXEC), WORD(SFD_NONBLOCK), WORD(TIOCGWINSZ),
	WORD(CLONE_NEWUSER), WORD(PRIO_USER), { "IOPRIO_WHO_USER", 3 },
#undef WORD
};

struct test {
	unsigned argument;
	bool none_of;                 /* !& */
	bool other;                   /* != */
	bool all_of;                  /* & */
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
		size_t name = strcspn(p, "=!&{ \t");
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
		} else if (strncmp(after, "==", 2) == 0 || strncmp(after, "!=", 2) == 0 || strncmp(after, "!&", 2) == 0 || *after == '&') {
			t[n].none_of = strncmp(after, "!&", 2) == 0;
			t[n].other = strncmp(after, "!=", 2) == 0;
			t[n].all_of = *after == '&';
			after += *after == '&' ? 1 : 2;
			end = after + strcspn(after, " \t");
			if (*end)
				*end++ = 0;
			t[n].choice[t[n].nchoices++] = value_of(at, after);
		} else {
			stop(at, "a test is NAME==VALUE, NAME!=VALUE, NAME in {A,B}, NAME!&MASK or NAME&MASK, not", p);
		}
		if (t[n].nchoices == 0)
			stop(at, "no value", p);
		n++;
		p = end + strspn(end, " \t");
	}
	return n;
}

/* One rule for each combination of the choices. */
static void add_rules(const struct place *at, scmp_filter_ctx ctx, uint32_t action, int number, const struct test *t, unsigned n, const char *call)
{
	unsigned at_choice[TESTS_MAX] = { 0 };

	for (;;) {
		struct scmp_arg_cmp compare[TESTS_MAX];
		unsigned i;

		for (i = 0; i < n; i++) {
			uint64_t v = t[i].choice[at_choice[i]];

			compare[i] = (struct scmp_arg_cmp){ t[i].argument, t[i].other ? SCMP_CMP_NE : SCMP_CMP_EQ, v, 0 };
			if (t[i].none_of || t[i].all_of) /* v is the mask */
				compare[i] = (struct scmp_arg_cmp){ t[i].argument, SCMP_CMP_MASKED_EQ, v, t[i].all_of ? v : 0 };
		}
		if (seccomp_rule_add_exact_array(ctx, action, number, n, compare) != 0)
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

static const struct arch { const char *name; uint32_t token; } arches[] = {
	{ "@x86_64", SCMP_ARCH_X86_64 },
	{ "@aarch64", SCMP_ARCH_AARCH64 },
};
static const struct arch *target;

static const struct arch *arch_of(const char *name)
{
	for (size_t i = 0; i < sizeof arches / sizeof arches[0]; i++)
		if (strcmp(arches[i].name, name) == 0)
			return &arches[i];
	return NULL;
}

static const char *role_of(const struct place *at, size_t *n)
{
	const char *role = strrchr(at->file, '/') ? strrchr(at->file, '/') + 1 : at->file;
	const char *dot = strchr(role, '.');

	if (!dot || (strcmp(dot, ".list") != 0 && strcmp(dot, ".deny") != 0))
		stop(at, "a list is called ROLE.list or NAME.deny", role);
	*n = (size_t)(dot - role);
	return role;
}

/* role, line, architecture or -, call, its number on x86_64 and on aarch64 (- for none), tests as index:in|none:value[,value]...,
 * reason; with tabs between them. */
static void print_rule(const struct place *at, const char *only, const char *call, const struct test *t, unsigned n, const char *reason)
{
	size_t role_n;
	const char *role = role_of(at, &role_n);

	printf("%.*s\t%u\t%s\t%s", (int)role_n, role, at->line, only, call);
	for (size_t i = 0; i < sizeof arches / sizeof arches[0]; i++) {
		int number = seccomp_syscall_resolve_name_arch(arches[i].token, call);

		if (number >= 0)
			printf("\t%d", number);
		else
			printf("\t-");
	}
	printf("\t");
	for (unsigned i = 0; i < n; i++) {
		printf("%s%u:%s", i ? " " : "", t[i].argument, t[i].none_of ? "none" : "in");
		for (unsigned c = 0; c < t[i].nchoices; c++)
			printf("%c%llu", c ? ',' : ':', (unsigned long long)t[i].choice[c]);
	}
	printf("\t%s", reason);
}

static bool is_deny(const char *file)
{
	size_t n = strlen(file);

	return n > 5 && strcmp(file + n - 5, ".deny") == 0;
}

/* The error of a list of what is refused: its first line. */
static uint32_t refusal(const struct place *at, const char *word)
{
	if (word && strcmp(word, "ENOSYS") == 0)
		return SCMP_ACT_ERRNO(ENOSYS);
	if (word && strcmp(word, "EACCES") == 0)
		return SCMP_ACT_ERRNO(EACCES);
	stop(at, "an error that gen.c does not know", word ? word : "");
}

/* Reads one list into a filter; numbers[] gets each call once. Without a filter: prints the rules of all architectures. */
static unsigned read_list(const char *file, scmp_filter_ctx ctx, int *numbers)
{
	struct place at = { file, 0 };
	char line[LINE_LEN];
	unsigned n = 0;
	uint32_t action = is_deny(file) ? 0 : SCMP_ACT_ALLOW; /* 0: not known yet */
	FILE *in = fopen(file, "r");

	if (!in)
		stop(&at, "cannot be read", strerror(errno));
	while (fgets(line, sizeof line, in)) {
		struct test tests[TESTS_MAX];
		char *p = line + strspn(line, " \t\n");
		char *reason = strchr(line, '#');
		char *call, *rest = NULL;
		const char *why, *mark = "-";
		const struct arch *arch = target;
		unsigned known_before, ntests;
		int number;

		at.line++;
		if (*p == 0 || reason == p)
			continue;
		if (!reason || strspn(reason, "# \t\n") == strlen(reason))
			stop(&at, "no reason", p);
		why = reason + strspn(reason, "# \t");
		for (*reason = 0; reason > p && strchr(" \t", reason[-1]); )
			*--reason = 0;
		call = strtok_r(p, " \t", &rest);
		if (action == 0) {
			if (strcmp(call, "refuse") != 0)
				stop(&at, "what is refused, and how, begins with refuse ERROR", call);
			action = refusal(&at, strtok_r(NULL, " \t", &rest));
			continue;
		}
		if (*call == '@') {
			mark = call;
			arch = arch_of(call);
			if (!arch)
				stop(&at, "an architecture that gen.c does not know", call);
			if (ctx && arch != target)
				continue;
			call = strtok_r(NULL, " \t", &rest);
		}
		number = call ? seccomp_syscall_resolve_name_arch(arch->token, call) : __NR_SCMP_ERROR;
		if (number < 0)
			stop(&at, "no such system call here", call ? call : "");
		ntests = rest ? tests_of(&at, call, rest, tests) : 0;
		for (unsigned i = 0; i < ntests; i++)
			if ((tests[i].all_of || tests[i].other) && !is_deny(file)) /* print_rule() has no word for them */
				stop(&at, "& and != are for lists of what is refused", call);
		if (!ctx) {
			print_rule(&at, mark, call, tests, ntests, why);
			continue;
		}
		/* The library wants the number that this machine has for the call, and translates it itself. */
		add_rules(&at, ctx, action, seccomp_syscall_resolve_name(call), tests, ntests, call);
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
	size_t role_n;
	const char *role = role_of(&at, &role_n);
	int numbers[CALLS_MAX];
	scmp_filter_ctx ctx = seccomp_init(is_deny(file) ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
	unsigned n;

	if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0
	    || seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0
	    || (target->token != seccomp_arch_native()
	        && (seccomp_arch_add(ctx, target->token) != 0 || seccomp_arch_remove(ctx, seccomp_arch_native()) != 0)))
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
	char name[16];

	if (argc > 2 && strcmp(argv[1], "rules") == 0) {
		target = &arches[0];
		for (int i = 2; i < argc; i++)
			read_list(argv[i], NULL, NULL);
		return 0;
	}
	if (argc < 3 || snprintf(name, sizeof name, "@%s", argv[1]) >= (int)sizeof name || !(target = arch_of(name))) {
		fprintf(stderr, "usage: seccomp-gen x86_64|aarch64|rules LIST...\n");
		return 2;
	}
	printf("/* Made by seccomp/gen.c from seccomp/NAME.list; the lists are what to read and change. */\n"
		"#include \"role/seccomp_table.h\"\n\n");
	for (int i = 2; i < argc; i++)
		make_role(argv[i]);
	return 0;
}
