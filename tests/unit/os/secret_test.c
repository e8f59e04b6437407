/* os/secret.h, and the asking ends of os/pass.h. */
#include <fcntl.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/pass.h"
#include "os/secret.h"
#include "os/sock.h"
#include "tap.h"

/* What the kernel says of the mapping that holds p: the VmFlags of /proc/self/smaps. */
static const char *flags_of(const void *p)
{
	static char line[512], flags[512];
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long from, to;
	bool inside = false;

	flags[0] = 0;
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from <= (unsigned long)p && (unsigned long)p < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			memcpy(flags, line, sizeof flags);
	}
	if (f)
		fclose(f);
	return flags;
}

static void secret(void)
{
	bool hidden = false;
	char *p = secret_map(5000, &hidden), byte = 0;
	int mem;

	ok(p && ((uintptr_t)p & 4095) == 0, "memory");
	for (unsigned i = 0; i < 5000; i++)
		if (p[i])
			ok(false, "it is zeroed");
	p[0] = p[4999] = 'x';
	ok(p[0] == 'x' && p[4999] == 'x', "that can be written");
	ok(strstr(flags_of(p), " dd"), "it is not dumped");
	mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	if (!hidden)
		skip(1, "this kernel has no secret memory");
	else
		ok(mem >= 0 && pread(mem, &byte, 1, (off_t)(uintptr_t)p) != 1 && byte == 0, "not even this process reads it through /proc");
	close(mem);
	secret_stack();
	ok(secret_map((size_t)1 << 60, &hidden) == NULL, "more than there is: none");
}

static void asking(void)
{
	enum { WAIT_MS = 150 };
	char packet[64] = "a question", got[64];
	int64_t before;
	int pair[2], fd;
	unsigned sent = 0;
	bool quick = false;

	ok(pass_pair_asking(pair, WAIT_MS), "a pair");
	before = clock_monotonic_ms();
	ok(sock_read(pair[0], got, sizeof got) == SOCK_AGAIN && clock_monotonic_ms() - before >= WAIT_MS - 20, "the asking end waits, and not for ever");
	/* Now and then the machine itself takes its time: who waits would do so always. */
	for (int i = 0; i < 50 && !quick; i++) {
		before = clock_monotonic_ms();
		quick = pass_take(pair[1], got, sizeof got, &fd) == PASS_NONE && clock_monotonic_ms() - before < WAIT_MS / 2;
	}
	ok(quick, "the other end never waits");
	ok(sock_write(pair[0], packet, 10) == 10 && pass_take(pair[1], got, sizeof got, &fd) == 10 && fd == -1 && memcmp(got, packet, 10) == 0, "a question");
	ok(pass_answer(pair[1], packet, 7) && sock_read(pair[0], got, sizeof got) == 7, "an answer");
	before = clock_monotonic_ms();
	while (sent < 100000 && pass_answer(pair[1], packet, sizeof packet))
		sent++;
	ok(sent < 100000 && clock_monotonic_ms() - before < 60000, "one that is not read: the queue has an end, and nobody waits");
	sent = 0;
	before = clock_monotonic_ms();
	while (sent < 100000 && sock_write(pair[0], packet, sizeof packet) > 0)
		sent++;
	ok(sent < 100000 && clock_monotonic_ms() - before >= WAIT_MS - 20, "the asking end waits for room, and not for ever");
	sock_close(pair[0]);
	ok(!pass_answer(pair[1], packet, 7), "an asker that is gone");
	sock_close(pair[1]);
}

int main(void)
{
	secret();
	asking();
	return done_testing();
}
