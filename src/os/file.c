#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* open(2) wants a NUL; a path that has one inside names something else than it shows. */
static int open_path(struct span path, int flags, const char **why)
{
	char z[FILE_PATH_MAX];
	int fd;

	if (path.n == 0 || path.n >= sizeof z || memchr(path.p, 0, path.n)) {
		*why = "not a path: empty, too long, or with a NUL byte";
		return -1;
	}
	memcpy(z, path.p, path.n);
	z[path.n] = 0;
	fd = openat(AT_FDCWD, z, flags | O_CLOEXEC); /* not open(): musl has it followed by an fcntl() */
	if (fd < 0)
		*why = strerror(errno);
	return fd;
}

bool file_read(struct span path, char *to, size_t cap, size_t *n, const char **why)
{
	int fd = open_path(path, O_RDONLY | O_NOCTTY, why);
	size_t have = 0;
	char more;
	ssize_t got = 1;

	if (fd < 0)
		return false;
	while (have < cap && got > 0) {
		got = read(fd, to + have, cap - have);
		if (got > 0)
			have += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	if (got > 0)
		got = read(fd, &more, 1) > 0 ? -2 : 0;
	if (got < 0)
		*why = got == -2 ? "it is larger than such a file may be" : strerror(errno);
	close(fd);
	*n = have;
	return got == 0;
}

bool file_open_regular(struct span path, int *fd, unsigned *mode, const char **why)
{
	struct stat is;

	*fd = open_path(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, why); /* the opening of a pipe would wait */
	if (*fd < 0)
		return false;
	if (fstat(*fd, &is) == 0 && S_ISREG(is.st_mode)) {
		*mode = is.st_mode & 07777;
		return true;
	}
	*why = "it is no regular file";
	close(*fd);
	*fd = -1;
	return false;
}

long file_from_start(int fd, char *to, size_t cap)
{
	size_t have = 0;
	ssize_t got = 1;

	while (have < cap && got > 0) {
		got = pread(fd, to + have, cap - have, (off_t)have);
		if (got > 0)
			have += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	return got < 0 ? -1 : (long)have;
}

bool file_open_dir(struct span path, int *fd, const char **why)
{
	*fd = open_path(path, O_PATH | O_DIRECTORY, why);
	return *fd >= 0;
}

int file_reopen_log(void)
{
	int fd = openat(AT_FDCWD, "/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat log, out;

	/* In a file everybody appends: the parent, what it prints if that goes to the same one, and whoever else was given this descriptor (the
	 * shell, the next command of its script). Else each overwrites what the others wrote. */
	if (fd >= 0 && fstat(fd, &log) == 0 && S_ISREG(log.st_mode)) {
		(void)fcntl(2, F_SETFL, O_APPEND);
		if (fstat(1, &out) == 0 && log.st_ino == out.st_ino && log.st_dev == out.st_dev)
			(void)fcntl(1, F_SETFL, O_APPEND);
	}
	return fd < 0 || dup2(fd, 2) != 2 ? 2 : fd;
}

int file_open_null(void)
{
	int fd = -1;

	for (int tries = 0; tries < 4 && fd < 3; tries++) { /* whoever started us may have left 0, 1 or 2 closed: they are filled on the way */
		fd = openat(AT_FDCWD, "/dev/null", O_RDWR | (fd < 2 ? 0 : O_CLOEXEC));
		if (fd < 0)
			return -1;
	}
	return fd;
}

bool file_write(int fd, struct span text)
{
	while (text.n > 0) {
		ssize_t put = write(fd, text.p, text.n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		text = span_from(text, (size_t)put);
	}
	return true;
}

bool file_put(int fd, struct span line)
{
	ssize_t put;

	do
		put = write(fd, line.p, line.n);
	while (put < 0 && errno == EINTR);
	return put == (ssize_t)line.n;
}

int file_another(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || ((flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0))
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

long file_take(int fd, char *to, size_t cap)
{
	ssize_t got;

	do
		got = read(fd, to, cap);
	while (got < 0 && errno == EINTR);
	return got < 0 && errno == EAGAIN ? FILE_LATER : got < 0 ? -1 : got;
}

bool file_beside(struct buf *to, struct span beside, struct span path)
{
	size_t dir = beside.n;

	if (path.n == 0 || path.p[0] != '/') {
		while (dir > 0 && beside.p[dir - 1] != '/')
			dir--;
		buf_put(to, span_of(beside.p, dir));
	}
	buf_put(to, path);
	return !to->full && to->n < FILE_PATH_MAX;
}

bool file_absolute(struct buf *to, struct span path)
{
	char here[FILE_PATH_MAX];

	if (path.n > 0 && path.p[0] != '/') {
		if (!getcwd(here, sizeof here))
			return false;
		buf_put(to, span_z(here));
		buf_char(to, '/');
	}
	buf_put(to, path);
	return !to->full && to->n < FILE_PATH_MAX;
}

bool file_is_there(struct span path, const char **why)
{
	int fd = open_path(path, O_PATH, why);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool file_may_run(struct span path, const char **why)
{
	char z[FILE_PATH_MAX];
	struct stat is;
	int fd = open_path(path, O_PATH, why);

	if (fd < 0)
		return false;
	memcpy(z, path.p, path.n);
	z[path.n] = 0;
	*why = "it is no regular file";
	if (fstat(fd, &is) == 0 && S_ISREG(is.st_mode)) {
		if (faccessat(AT_FDCWD, z, X_OK, AT_EACCESS) == 0) {
			close(fd);
			return true;
		}
		*why = strerror(errno);
	}
	close(fd);
	return false;
}
