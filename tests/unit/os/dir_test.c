/* Access beneath a directory: what opens, what does not, and that nothing blocks. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/dir.h"
#include "tap.h"

static char root[64];

static const char *at(const char *path)
{
	static char name[4][512];
	static unsigned turn;

	snprintf(name[++turn % 4], sizeof name[0], "%s/%s", root, path);
	return name[turn % 4];
}

static void must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(99);
	}
}

static void put(const char *path, const char *text)
{
	int fd = open(at(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd, path);
	must((int)write(fd, text, strlen(text)), path);
	close(fd);
}

static enum dir_status look(int fd, const char *path)
{
	struct dir_facts facts;

	return dir_look(fd, span_z(path), &facts);
}

static enum dir_status file(int fd, const char *path)
{
	struct dir_facts facts;
	int got;
	enum dir_status status = dir_file(fd, span_z(path), &got, &facts);

	if (status == DIR_FINE)
		dir_close(got);
	return status;
}

static void tree(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(root, "/tmp/postern-dir-XXXXXX");
	if (!mkdtemp(root))
		must(-1, "mkdtemp");
	must(mkdir(at("tree"), 0755), "tree");
	must(mkdir(at("tree/sub"), 0755), "sub");
	put("outside", "outside");
	put("tree/a", "0123456789");
	put("tree/sub/b", "b");
	must(symlink("a", at("tree/in")), "in");
	must(symlink("../outside", at("tree/out")), "out");
	must(symlink("sub", at("tree/dirlink")), "dirlink");
	must(symlink("/proc/self/root", at("tree/magic")), "magic");
	must(symlink("self", at("tree/self")), "self");
	must(mkfifo(at("tree/fifo"), 0666), "fifo");
	must(fd, "socket");
	snprintf(name.sun_path, sizeof name.sun_path, "%s", at("tree/sock"));
	must(bind(fd, (struct sockaddr *)&name, sizeof name), "bind");
	close(fd);
}

static void opening(int fd)
{
	static const char *const missing[] = { "none", "a/b", "sub/none", "in", "out", "dirlink/b", "magic", "magic/etc/passwd", "self", "..", "../outside",
		"sub/../../outside", "/etc/passwd", "/", "fifo", "sock", "sub" };
	char longest[DIR_PATH_MAX + 2];
	struct dir_facts facts;

	is_int(file(fd, "a"), DIR_FINE, "a file");
	is_int(file(fd, "sub/b"), DIR_FINE, "one further down");
	for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
		is_int(file(fd, missing[i]), DIR_MISSING, missing[i]);
	is_int(dir_look(fd, span_of("a\0b", 3), &facts), DIR_MISSING, "a NUL");
	memset(longest, 'x', sizeof longest);
	is_int(dir_look(fd, span_of(longest, DIR_PATH_MAX + 1), &facts), DIR_MISSING, "a path that is too long");
	is_int(dir_look(fd, span_of(longest, DIR_PATH_MAX), &facts), DIR_MISSING, "a name that is too long");
	ok(dir_look(fd, SPAN("a"), &facts) == DIR_FINE && facts.kind == DIR_FILE && facts.size == 10 && facts.modified_s > 0, "facts of a file");
	ok(dir_look(fd, SPAN(""), &facts) == DIR_FINE && facts.kind == DIR_DIRECTORY, "the root");
	ok(dir_look(fd, SPAN("fifo"), &facts) == DIR_FINE && facts.kind == DIR_OTHER, "a FIFO may be looked at");
	is_int(look(fd, "out"), DIR_MISSING, "a link may not");
	is_int(dir_look(-1, SPAN("a"), &facts), DIR_FAILED, "no root at all");
}

static void reading(int root_fd)
{
	struct dir_facts facts;
	char mem[32];
	int fd;

	if (!ok(dir_file(root_fd, SPAN("a"), &fd, &facts) == DIR_FINE, "opened"))
		return;
	ok(dir_read(fd, mem, sizeof mem, 0) == 10 && memcmp(mem, "0123456789", 10) == 0, "whole");
	ok(dir_read(fd, mem, 3, 8) == 2 && memcmp(mem, "89", 2) == 0, "the end");
	is_int(dir_read(fd, mem, 3, 10), 0, "behind the end");
	is_int(dir_read(fd, mem, 3, UINT64_MAX), -1, "an offset that is none");
	dir_close(fd);
	is_int(dir_list(root_fd, SPAN("a"), &fd), DIR_MISSING, "a file is no directory");
	is_int(dir_list(root_fd, SPAN("dirlink"), &fd), DIR_MISSING, "nor is a link to one");
}

static void listing(int root_fd)
{
	_Alignas(8) char batch[1024];
	unsigned names = 0, files = 0, dirs = 0, others = 0;
	struct span name;
	enum dir_kind kind;
	size_t place = 0;
	long got;
	int fd;

	if (!ok(dir_list(root_fd, SPAN(""), &fd) == DIR_FINE, "a directory"))
		return;
	while ((got = dir_batch(fd, batch, sizeof batch)) > 0)
		for (size_t n = 0; dir_entry(batch, (size_t)got, &n, &name, &kind); names++) {
			files += kind == DIR_FILE;
			dirs += kind == DIR_DIRECTORY;
			others += kind == DIR_OTHER;
		}
	is_int(got, 0, "to its end");
	dir_close(fd);
	ok(names == 9 && files == 1 && dirs == 1 && others == 7, "nine names without the dots");
	memset(batch, 0, sizeof batch);
	ok(!dir_entry(batch, sizeof batch, &place, &name, &kind), "a batch of zeros has no entries");
}

int main(void)
{
	char command[128];
	int path_fd, read_fd;

	tree();
	path_fd = open(at("tree"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	read_fd = open(at("tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	opening(path_fd);
	opening(read_fd);
	reading(path_fd);
	listing(path_fd);
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	if (system(command) != 0)
		return 99;
	return done_testing();
}
