/* os/dir.h: read-only access beneath one directory, by openat2(2) (Linux 5.6 or newer; there is no way round it).
 *
 * Paths are relative to root_fd, without NUL, at most DIR_PATH_MAX bytes; the empty path is the root itself. Resolution never leaves the
 * root, never follows a symbolic link in any component, never passes a magic link: whoever writes in the tree cannot point out of it.
 * Nothing but regular files and directories is ever opened; a FIFO or a device is looked at (O_PATH) and left alone.
 * A root may be O_PATH or O_RDONLY. errno stays inside. */
#ifndef POSTERN_OS_DIR_H
#define POSTERN_OS_DIR_H

#include "base/span.h"

enum { DIR_PATH_MAX = 1024 };

enum dir_status {
	DIR_FINE,
	DIR_MISSING, /* there is nothing of that name, or it is reached by a link, or is not of the kind asked for */
	DIR_DENIED,  /* the permissions forbid it */
	DIR_FAILED   /* out of descriptors or memory, or the disk failed */
};

enum dir_kind { DIR_OTHER, DIR_FILE, DIR_DIRECTORY, DIR_UNKNOWN };

struct dir_facts {
	enum dir_kind kind;  /* never DIR_UNKNOWN */
	uint64_t size;       /* bytes */
	int64_t modified_s;  /* since 1970, UTC */
	uint32_t modified_ns;
	uint64_t inode, device;
};

/* What is there, without opening it for reading. */
enum dir_status dir_look(int root_fd, struct span path, struct dir_facts *facts);
/* Opens a regular file for reading; facts are of what was opened. The caller closes. */
enum dir_status dir_file(int root_fd, struct span path, int *fd, struct dir_facts *facts);
/* Opens a directory for dir_batch(). The caller closes. */
enum dir_status dir_list(int root_fd, struct span path, int *fd);
void dir_close(int fd);

/* Up to n bytes from offset on; 0 at the end; -1: the disk failed. Fewer than n only at the end. */
long dir_read(int fd, void *to, size_t n, uint64_t offset);

/* The next batch of entries as the system lays it out: its length, 0 at the end, -1: failed. mem is aligned to 8, n at least 1 KiB. */
long dir_batch(int fd, void *mem, size_t n);
/* Walks a batch: *at starts at 0. False at its end. The name points into mem. "." and ".." are left out. DIR_UNKNOWN: ask dir_look(). */
bool dir_entry(const void *mem, size_t len, size_t *at, struct span *name, enum dir_kind *kind);

#endif
