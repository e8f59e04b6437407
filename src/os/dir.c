#include "os/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRIES = 8 };

/* struct linux_dirent64 of getdents64(2). */
enum { ENTRY_RECLEN = 16, ENTRY_TYPE = 18, ENTRY_NAME = 19 };

static enum dir_status status_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return DIR_DENIED;
	case ENOENT:
	case ENOTDIR:
	case ELOOP:         /* a symbolic link */
	case EXDEV:         /* out of the root */
	case ENAMETOOLONG:
	case ENXIO:
	case EISDIR:
		return DIR_MISSING;
	default:
		return DIR_FAILED;
	}
}

#ifdef POSTERN_SANITIZE
/* valgrind 3.19 answers openat2 with ENOSYS, so test builds (never the product) can go the same way one component at a time: O_NOFOLLOW each,
 * no "..", no absolute path. */
static bool no_openat2;

static int open_stepwise(int root_fd, char *name, int flags)
{
	int dir = root_fd;

	for (char *part = name;;) {
		char *slash = strchr(part, '/');
		struct stat st;
		int fd;

		if (slash)
			*slash = 0;
		if (*part == 0 || strcmp(part, "..") == 0) {
			fd = -1;
			errno = EXDEV;
		} else {
			fd = openat(dir, part, slash ? O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC : flags | O_NOFOLLOW);
		}
		if (dir != root_fd)
			close(dir);
		if (fd >= 0 && !slash && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
			close(fd);
			errno = ELOOP;
			return -1;
		}
		if (fd < 0 || !slash)
			return fd;
		dir = fd;
		part = slash + 1;
	}
}
#endif

static long openat2_call(int root_fd, const char *name, const struct open_how *how)
{
#ifdef POSTERN_SANITIZE
	if (no_openat2) {
		errno = ENOSYS;
		return -1;
	}
#endif
	return syscall(SYS_openat2, root_fd, name, how, sizeof *how);
}

static enum dir_status open_beneath(int root_fd, struct span path, int flags, int *fd)
{
	/* No O_NOFOLLOW: with O_PATH it would open a link itself; RESOLVE_NO_SYMLINKS refuses it in every place. */
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	char name[DIR_PATH_MAX + 1];
	long got = -1;

	if (path.n > DIR_PATH_MAX || (path.n > 0 && memchr(path.p, 0, path.n)))
		return DIR_MISSING;
	if (path.n > 0)
		memcpy(name, path.p, path.n);
	else
		name[path.n++] = '.';
	name[path.n] = 0;
	/* EAGAIN: a rename elsewhere made the kernel unsure that the path stays beneath. */
	for (int i = 0; i < TRIES && got < 0; i++) {
		got = openat2_call(root_fd, name, &how);
#ifdef POSTERN_SANITIZE
		if (got < 0 && errno == ENOSYS) {
			no_openat2 = true;
			got = open_stepwise(root_fd, name, flags | O_CLOEXEC);
		}
#endif
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return status_of(errno);
	}
	*fd = (int)got;
	return got < 0 ? DIR_FAILED : DIR_FINE;
}

static bool facts_of(int fd, struct dir_facts *facts)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	facts->kind = S_ISREG(st.st_mode) ? DIR_FILE : S_ISDIR(st.st_mode) ? DIR_DIRECTORY : DIR_OTHER;
	facts->size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	facts->modified_s = st.st_mtim.tv_sec;
	facts->modified_ns = (uint32_t)st.st_mtim.tv_nsec;
	facts->inode = st.st_ino;
	facts->device = st.st_dev;
	return true;
}

enum dir_status dir_look(int root_fd, struct span path, struct dir_facts *facts)
{
	int fd;
	enum dir_status status = open_beneath(root_fd, path, O_PATH, &fd);

	if (status != DIR_FINE)
		return status;
	status = facts_of(fd, facts) ? DIR_FINE : DIR_FAILED;
	close(fd);
	return status;
}

enum dir_status dir_file(int root_fd, struct span path, int *fd, struct dir_facts *facts)
{
	/* Opening a FIFO would wake its writer, opening a device may do anything: so look first. What is swapped in between cannot block
	 * (O_NONBLOCK) and is refused by the second look. */
	enum dir_status status = dir_look(root_fd, path, facts);

	if (status != DIR_FINE)
		return status;
	if (facts->kind != DIR_FILE)
		return DIR_MISSING;
	status = open_beneath(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, fd);
	if (status != DIR_FINE)
		return status;
	if (!facts_of(*fd, facts))
		status = DIR_FAILED;
	else if (facts->kind != DIR_FILE)
		status = DIR_MISSING;
	if (status != DIR_FINE)
		close(*fd);
	return status;
}

enum dir_status dir_list(int root_fd, struct span path, int *fd)
{
	return open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY, fd);
}

void dir_close(int fd)
{
	close(fd);
}

long dir_read(int fd, void *to, size_t n, uint64_t offset)
{
	size_t done = 0;

	if (offset > INT64_MAX || n > INT64_MAX - offset)
		return -1;
	while (done < n) {
		ssize_t got = pread(fd, (char *)to + done, n - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (long)done;
}

long dir_batch(int fd, void *mem, size_t n)
{
	long got;

	do
		got = syscall(SYS_getdents64, fd, mem, n);
	while (got < 0 && errno == EINTR);
	/* ENOENT: the directory was removed while it was read: it has ended. */
	return got < 0 && errno == ENOENT ? 0 : got < 0 ? -1 : got;
}

bool dir_entry(const void *mem, size_t len, size_t *at, struct span *name, enum dir_kind *kind)
{
	const char *p = mem;

	while (*at < len && len - *at > ENTRY_NAME) {
		const char *entry = p + *at;
		uint16_t size;

		memcpy(&size, entry + ENTRY_RECLEN, sizeof size);
		if (size <= ENTRY_NAME || size > len - *at)
			return false;
		*at += size;
		*name = span_of(entry + ENTRY_NAME, strnlen(entry + ENTRY_NAME, (size_t)size - ENTRY_NAME));
		if (span_eq(*name, SPAN(".")) || span_eq(*name, SPAN("..")))
			continue;
		/* DT_* of dirent.h: unknown 0, directory 4, regular 8. */
		switch (entry[ENTRY_TYPE]) {
		case 0: *kind = DIR_UNKNOWN; break;
		case 4: *kind = DIR_DIRECTORY; break;
		case 8: *kind = DIR_FILE; break;
		default: *kind = DIR_OTHER;
		}
		return true;
	}
	return false;
}
