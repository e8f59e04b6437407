/* Every role tries every system call there is: what is not on its list must die of SIGSYS, what is on it must not; and each pinned argument
 * is tried from both sides. Each try is a process of its own with nothing but the role's filter on. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "role/seccomp_table.h"
#include "tap.h"

#ifndef SYS_memfd_secret /* older headers */
#define SYS_memfd_secret 447
#endif

/* x86-64 calls of the kernel's own probe trampolines: it takes them past every filter, and ends whoever else makes them by SIGILL (uretprobe)
 * or refuses them (uprobe). */
#ifdef __x86_64__
enum { FIRST_PROBE = 335, LAST_PROBE = 336 };
#else
enum { FIRST_PROBE = 1, LAST_PROBE = 0 };
#endif
enum { CALLS_END = 471, X32 = 0x40000000, NOBODY_PID = 0x3ffffffe };

struct role { const char *name; const struct seccomp_list *list; char letter; };
static const struct role roles[] = {
	{ "parent", &seccomp_parent, 'P' }, { "worker", &seccomp_worker, 'w' }, { "provider", &seccomp_provider, 'p' }, { "desk", &seccomp_desk, 'd' },
	{ "keeper", &seccomp_keeper, 'k' }, { "broker", &seccomp_broker, 'b' },
	{ "bridge", &seccomp_bridge, 'r' }, { "elder", &seccomp_elder, 'e' },
	{ "bridge_http", &seccomp_bridge_http, 'h' },
	{ "stdio", &seccomp_stdio, 's' },
};
enum { NROLES = sizeof roles / sizeof roles[0] };

/* Each pin of a list: a call that must pass (and fail harmlessly), and the same with one argument changed, which must not. */
struct pin { const char *of; long call; const char *what; long good[6], bad[6]; };
#define NEW (SOCK_NONBLOCK | SOCK_CLOEXEC)
static const struct pin pins[] = {
	{ "Pwd", SYS_accept4, "accept4 without CLOEXEC", { -1, 0, 0, NEW }, { -1, 0, 0, SOCK_NONBLOCK } },
	{ "Pwpdkbrehs", SYS_recvmsg, "recvmsg that waits", { -1, 0, MSG_DONTWAIT | MSG_CMSG_CLOEXEC }, { -1, 0, MSG_CMSG_CLOEXEC } },
	{ "Pwpdbrehs", SYS_recvfrom, "recvfrom that asks who sent", { -1, 0, 0, 0, 0, 0 }, { -1, 0, 0, 0, 8, 0 } },
	{ "Pwpdbrehs", SYS_recvfrom, "recvfrom with flags", { -1, 0, 0, 0, 0, 0 }, { -1, 0, 0, MSG_PEEK, 0, 0 } },
	{ "Pwpdbrehs", SYS_sendto, "sendto with an address", { -1, 0, 0, MSG_NOSIGNAL, 0, 0 }, { -1, 0, 0, MSG_NOSIGNAL, 8, 0 } },
	{ "Pwpdbrehs", SYS_sendto, "sendto with other flags", { -1, 0, 0, MSG_NOSIGNAL, 0, 0 }, { -1, 0, 0, MSG_OOB, 0, 0 } },
	{ "k", SYS_sendto, "sendto that waits", { -1, 0, 0, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0 }, { -1, 0, 0, MSG_NOSIGNAL, 0, 0 } },
	{ "Pk", SYS_sendto, "sendto that does not wait, with an address", { -1, 0, 0, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0 },
		{ -1, 0, 0, MSG_NOSIGNAL | MSG_DONTWAIT, 8, 0 } },
	{ "Pwbh", SYS_socket, "a UDP socket", { AF_INET, SOCK_STREAM | NEW, 0 }, { AF_INET, SOCK_DGRAM | NEW, 0 } },
	{ "Pwbh", SYS_socket, "a socket of another family", { AF_INET6, SOCK_STREAM | NEW, 0 }, { AF_UNIX, SOCK_STREAM | NEW, 0 } },
	{ "Pwbh", SYS_socket, "a netlink socket", { AF_INET, SOCK_STREAM | NEW, 0 }, { AF_NETLINK, SOCK_RAW, 0 } },
	{ "Pwbh", SYS_socket, "another protocol", { AF_INET, SOCK_STREAM | NEW, 0 }, { AF_INET, SOCK_STREAM | NEW, 132 } },
	{ "Pwbh", SYS_getsockopt, "another socket option read", { -1, SOL_SOCKET, SO_ERROR, 0, 0 }, { -1, SOL_SOCKET, SO_PEERCRED, 0, 0 } },
	{ "Pwbh", SYS_setsockopt, "another TCP option", { -1, IPPROTO_TCP, TCP_NODELAY, 0, 0 }, { -1, IPPROTO_TCP, TCP_REPAIR, 0, 0 } },
	{ "wbh", SYS_setsockopt, "a socket option of another level", { -1, IPPROTO_TCP, TCP_NODELAY, 0, 0 }, { -1, SOL_SOCKET, SO_REUSEADDR, 0, 0 } },
	{ "P", SYS_setsockopt, "another socket option", { -1, SOL_SOCKET, SO_REUSEPORT, 0, 0 }, { -1, SOL_SOCKET, SO_ATTACH_FILTER, 0, 0 } },
	{ "P", SYS_setsockopt, "a timeout of another level", { -1, SOL_SOCKET, SO_RCVTIMEO, 0, 0 }, { -1, IPPROTO_TCP, SO_RCVTIMEO, 0, 0 } },
	{ "P", SYS_setsockopt, "another IPv6 option", { -1, IPPROTO_IPV6, IPV6_V6ONLY, 0, 0 }, { -1, IPPROTO_IPV6, IPV6_MULTICAST_IF, 0, 0 } },
	{ "Pwdr", SYS_shutdown, "shutdown of the reading side", { -1, SHUT_WR }, { -1, SHUT_RD } },
	{ "Pes", SYS_sendmsg, "sendmsg that waits", { -1, 0, MSG_NOSIGNAL | MSG_DONTWAIT }, { -1, 0, MSG_NOSIGNAL } },
	{ "P", SYS_socketpair, "a pair of another kind", { AF_UNIX, SOCK_SEQPACKET | NEW, 0, 0 }, { AF_UNIX, SOCK_DGRAM | NEW, 0, 0 } },
	{ "P", SYS_socketpair, "a pair of streams that waits", { AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, 0 }, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 0 } },
	{ "es", SYS_socketpair, "a pair of packets", { AF_UNIX, SOCK_STREAM | NEW, 0, 0 }, { AF_UNIX, SOCK_SEQPACKET | NEW, 0, 0 } },
	{ "Pes", SYS_socketpair, "a pair without CLOEXEC", { AF_UNIX, SOCK_STREAM | NEW, 0, 0 }, { AF_UNIX, SOCK_STREAM, 0, 0 } },
	{ "P", SYS_mmap, "executable memory", { 0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 },
		{ 0, 0, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
	{ "P", SYS_getrandom, "random bytes from elsewhere", { 0, 0, 0 }, { 0, 0, 2 } },
	{ "P", SYS_memfd_secret, "secret memory that is handed on", { O_CLOEXEC }, { 0 } },
	{ "P", SYS_madvise, "other advice about memory", { 0, 0, MADV_DONTDUMP }, { 0, 0, MADV_DONTNEED } },
	{ "P", SYS_mprotect, "memory made executable", { 0, 0, PROT_READ }, { 0, 0, PROT_EXEC } },
	{ "P", SYS_prctl, "another prctl", { PR_GET_DUMPABLE }, { PR_SET_PTRACER, -1 } },
	{ "P", SYS_fcntl, "another fcntl", { -1, F_GETFD }, { -1, F_SETFL, 0 } },
	{ "P", SYS_kill, "another signal", { NOBODY_PID, SIGKILL }, { NOBODY_PID, SIGTERM } },
#ifdef SYS_dup2
	{ "P", SYS_dup3, "dup3 without CLOEXEC", { -1, 100, O_CLOEXEC }, { -1, 100, 0 } },
#else /* the C library's dup2() is dup3() without flags */
	{ "P", SYS_dup3, "dup3 with a flag that it has not", { -1, 100, O_CLOEXEC }, { -1, 100, O_NONBLOCK } },
#endif
	{ "P", SYS_epoll_create1, "epoll without CLOEXEC", { EPOLL_CLOEXEC }, { 0 } },
	{ "P", SYS_openat, "a file opened for writing", { -1, 0, O_RDONLY }, { -1, 0, O_WRONLY } },
	{ "P", SYS_openat, "a file created", { -1, 0, O_RDONLY | O_CLOEXEC }, { -1, 0, O_RDONLY | O_CREAT, 0600 } },
#ifndef SYS_fork
	{ "P", SYS_clone, "a thread", { SIGCHLD }, { CLONE_VM | SIGCHLD } },
#endif
};

static bool listed(const struct seccomp_list *l, long call)
{
	for (unsigned i = 0; i < l->ncalls; i++)
		if (l->calls[i] == call)
			return true;
	return false;
}

static bool ended_by_sigsys(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void only_filter(const struct seccomp_list *l)
{
	alarm(10); /* should a call wait for ever: it was let through, and shows as such */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !jail_filter(l->ops, l->nops))
		_exit(1);
}

/* True if the call kills the caller. */
static bool dies(const struct seccomp_list *l, long call, const long a[6])
{
	pid_t pid = fork();

	if (pid == 0) {
		only_filter(l);
		syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
		_exit(0);
	}
	return ended_by_sigsys(pid);
}

#ifdef __x86_64__
/* getpid by the 32-bit gate: another architecture in the eyes of the filter. */
static bool dies_32bit(const struct seccomp_list *l)
{
	pid_t pid = fork();

	if (pid == 0) {
		long number = 20;

		only_filter(l);
		__asm__ volatile("int $0x80" : "+a"(number) : : "memory");
		_exit(0);
	}
	return ended_by_sigsys(pid);
}
#endif

static bool has_pin(const struct role *r, long call)
{
	for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++)
		if (pins[i].call == call && strchr(pins[i].of, r->letter))
			return true;
	return false;
}

static void try_all(const struct role *r)
{
	static const long nothing[6] = { -1, -1, -1, -1, -1, -1 };
	int through = 0, killed = 0, unpinned = 0;
	char name[128];

	for (long call = 0; call < CALLS_END; call++) {
		bool dead = dies(r->list, call, nothing);

		if (!listed(r->list, call) && !dead && !(FIRST_PROBE <= call && call <= LAST_PROBE)) {
			diag("%s: call %ld is not on the list and gets through", r->name, call);
			through++;
		}
		if (listed(r->list, call) && dead != has_pin(r, call)) {
			diag("%s: call %ld is on the list and %s", r->name, call, dead ? "dies, but pins[] has no line for it" : "passes unpinned, but pins[] has a line for it");
			killed += dead;
			unpinned += !dead;
		}
	}
	snprintf(name, sizeof name, "%s: each of the %u calls that are not on its list kills it", r->name, CALLS_END - r->list->ncalls);
	is_int(through, 0, name);
	snprintf(name, sizeof name, "%s: each of the %u calls on its list passes", r->name, r->list->ncalls);
	is_int(killed, 0, name);
	snprintf(name, sizeof name, "%s: each pin of its list is tried below", r->name);
	is_int(unpinned, 0, name);
	snprintf(name, sizeof name, "%s: the x32 entry of a listed call kills it", r->name);
	ok(dies(r->list, X32 + 0, nothing) && dies(r->list, X32 + 1, nothing), name);
#ifdef __x86_64__
	snprintf(name, sizeof name, "%s: a 32-bit call kills it", r->name);
	ok(dies_32bit(r->list), name);
#endif
}

static void try_pins(const struct role *r)
{
	for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
		const struct pin *p = &pins[i];
		char name[128];
		long high[6];

		if (!strchr(p->of, r->letter))
			continue;
		snprintf(name, sizeof name, "%s: kills: %s", r->name, p->what);
		ok(dies(r->list, p->call, p->bad) && !dies(r->list, p->call, p->good), name);
		/* The same value with a bit above the 32 that the kernel looks at is another value to the filter. */
		memcpy(high, p->good, sizeof high);
		for (unsigned a = 0; a < 6; a++)
			if (p->good[a] != p->bad[a]) {
				high[a] |= 1L << 40;
				break;
			}
		if (p->call != SYS_mmap && p->call != SYS_mprotect && strncmp(p->what, "a file", 6) != 0) { /* those pins are masks */
			snprintf(name, sizeof name, "%s: compares all 64 bits: %s", r->name, p->what);
			ok(dies(r->list, p->call, high), name);
		}
	}
}

int main(void)
{
	for (unsigned i = 0; i < NROLES; i++) {
		try_all(&roles[i]);
		try_pins(&roles[i]);
	}
	for (unsigned i = 1; i < NROLES; i++) {
		char name[128];
		int beyond = 0;

		for (unsigned k = 0; k < roles[i].list->ncalls; k++)
			if (!listed(&seccomp_parent, roles[i].list->calls[k])) {
				diag("%s: call %u is not on the parent's list, which binds it too", roles[i].name, roles[i].list->calls[k]);
				beyond++;
			}
		snprintf(name, sizeof name, "%s: its list is within the parent's", roles[i].name);
		is_int(beyond, 0, name);
	}
	return done_testing();
}
