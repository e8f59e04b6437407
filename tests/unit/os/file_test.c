/* os/file.h, os/map.h, os/clock.h, os/proc.h, os/image.h: the parts that start-up stands on. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/image.h"
#include "os/map.h"
#include "os/proc.h"
#include "tap.h"

static char dir[] = "/tmp/postern-file-XXXXXX";

static struct span beside(char *mem, size_t n, struct span file, struct span path)
{
	struct buf b = buf_on(mem, n);

	return file_beside(&b, file, path) ? buf_span(&b) : span_of(NULL, 0);
}

static void files(void)
{
	char path[64], mem[16], long_mem[FILE_PATH_MAX + 8];
	const char *why = NULL;
	size_t n = 0;
	int fd;

	snprintf(path, sizeof path, "%s/f", mkdtemp(dir) ? dir : "");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ok(file_write(fd, SPAN("0123456789")), "a file is written");
	close(fd);
	ok(file_read(span_z(path), mem, 16, &n, &why) && n == 10 && memcmp(mem, "0123456789", 10) == 0, "and read whole");
	ok(file_read(span_z(path), mem, 10, &n, &why) && n == 10, "also when it just fits");
	ok(!file_read(span_z(path), mem, 9, &n, &why) && strstr(why, "larger"), "one byte more does not");
	ok(!file_read(SPAN("/nonexistent"), mem, 9, &n, &why) && why, "what is not there cannot be read");
	ok(!file_read(span_z(dir), mem, 9, &n, &why) && why, "nor can a directory");
	ok(!file_read(span_of("/dev/null\0x", 11), mem, 9, &n, &why), "a path with a NUL is refused");
	ok(!file_read(SPAN(""), mem, 9, &n, &why), "an empty path is refused");
	ok(file_open_dir(span_z(dir), &fd, &why) && close(fd) == 0, "a directory opens");
	ok(!file_open_dir(span_z(path), &fd, &why) && why, "a file is no directory");
	ok(span_eq(beside(long_mem, sizeof long_mem, SPAN("/etc/postern/p.json"), SPAN("docs")), SPAN("/etc/postern/docs")), "relative paths count from the file");
	ok(span_eq(beside(long_mem, sizeof long_mem, SPAN("p.json"), SPAN("docs")), SPAN("docs")), "which may have no directory");
	ok(span_eq(beside(long_mem, sizeof long_mem, SPAN("a/p.json"), SPAN("/docs")), SPAN("/docs")), "absolute ones do not");
	memset(long_mem, 'x', sizeof long_mem);
	{
		static char out[2 * FILE_PATH_MAX];

		ok(span_absent(beside(out, sizeof out, SPAN("p.json"), span_of(long_mem, FILE_PATH_MAX))), "a path that is too long is refused");
	}
	unlink(path);
	rmdir(dir);
}

static void processes(void)
{
	struct proc_end end = { 0, 0, 0 };
	char text[160];
	struct buf b = buf_on(text, sizeof text - 1);
	int signals, pid, me = proc_id();

	ok(proc_cores() >= 1, "at least one processor");
	ok(!proc_reap(&end), "no child has ended");
	signals = proc_signals();
	ok(signals >= 0, "signals come as reads");
	is_int(proc_signal_take(signals), PROC_NO_SIGNAL, "none yet");
	raise(SIGHUP);
	is_int(proc_signal_take(signals), PROC_RELOAD, "SIGHUP is a reload");
	raise(SIGTERM);
	is_int(proc_signal_take(signals), PROC_STOP, "SIGTERM is a stop");
	raise(SIGINT);
	is_int(proc_signal_take(signals), PROC_STOP, "so is SIGINT");
	pid = proc_fork();
	if (pid == 0)
		proc_exit(proc_die_with(me) ? 7 : 8);
	while (!proc_reap(&end)) /* ends when the child does */
		usleep(1000);
	ok(end.pid == pid && end.status == 7 && end.signal == 0, "how a child ended, and that it knew its parent");
	is_int(proc_signal_take(signals), PROC_CHILD, "with a signal");
	proc_end_write(&b, &end);
	ok(span_eq(buf_span(&b), SPAN("exit status 7")), "in words");
	pid = proc_fork();
	if (pid == 0)
		for (;;)
			pause();
	proc_kill(pid);
	while (!proc_reap(&end))
		usleep(1000);
	ok(end.signal == SIGKILL && end.status == -1, "a killed child");
	buf_reset(&b);
	proc_end_write(&b, &end);
	ok(span_eq(buf_span(&b), SPAN("signal 9 (Killed)")), "in words");
	buf_reset(&b);
	end.signal = SIGSYS;
	proc_end_write(&b, &end);
	ok(span_starts(buf_span(&b), SPAN("sandbox violation (SIGSYS")), "a call that is not on the list is named as such");
	pid = proc_fork();
	if (pid == 0)
		proc_exit(proc_die_with(me + 1) ? 7 : 8);
	while (!proc_reap(&end))
		usleep(1000);
	is_int(end.status, 8, "a child whose parent is already another knows that too");
	close(signals);
}

int main(void)
{
	unsigned char r[64] = { 0 }, zero[64] = { 0 };
	char text[64];
	struct buf b = buf_on(text, sizeof text);
	char *p;

	files();
	processes();
	p = map_private(10000);
	ok(p && p[0] == 0 && p[9999] == 0, "private memory is zeroed");
	map_drop(p, 10000);
	p = map_shared(MAP_PAGE);
	ok(p && map_read_only(p, MAP_PAGE) && p[5] == 0, "shared memory can be made read-only");
	map_drop(p, MAP_PAGE);
	ok(map_private((size_t)1 << 60) == NULL, "what there is not is not given");
	ok(clock_random(r, sizeof r) && memcmp(r, zero, sizeof r) != 0, "randomness");
	ok(clock_unix_ms() > 1700000000000 && clock_monotonic_ms() > 0 && clock_call(), "clocks");
	image_build_id(&b);
	ok(b.n == 40 || span_eq(buf_span(&b), SPAN("unknown")), "the build-id, if this test was linked with one");
	return done_testing();
}
