/* os/file.h: whole files and directories, before the jail. Paths are spans; relative ones count from the working directory.
 * What failed comes back as a static sentence in *why. */
#ifndef POSTERN_OS_FILE_H
#define POSTERN_OS_FILE_H

#include "base/buf.h"

enum { FILE_PATH_MAX = 4096 };

/* Reads the regular file (or pipe) whole into to[0..cap). False: *why, also when it is longer than cap. */
bool file_read(struct span path, char *to, size_t cap, size_t *n, const char **why);
/* A regular file open for reading, close-on-exec, of which nothing is read; *mode: its permission bits. False: *why. */
bool file_open_regular(struct span path, int *fd, unsigned *mode, const char **why);
/* Up to cap bytes from the beginning on, wherever the descriptor stands; -1: the disk failed. */
long file_from_start(int fd, char *to, size_t cap);
/* A directory by O_PATH, close-on-exec. False: *why. */
bool file_open_dir(struct span path, int *fd, const char **why);
/* Standard error once more, as a description of our own that does not block (through /proc; not for sockets); 2 if there is no such. */
int file_reopen_log(void);
/* /dev/null as a descriptor above 2, and as each of 0, 1 and 2 that was closed; -1: not there. The very first descriptor to open. */
int file_open_null(void);
/* Writes everything to a blocking descriptor; false when it cannot. */
bool file_write(int fd, struct span text);
/* One write and no waiting: true if all of it went. For log lines, where waiting is worse than losing one. */
bool file_put(int fd, struct span line);
/* Another descriptor above 2 for the same pipe, socket, terminal or file, close-on-exec, on which writing waits; -1: there is none. Before the jail. */
int file_another(int fd);
/* One read of whatever it is: bytes (> 0), 0 at the end, FILE_LATER, or -1 on a failure. */
enum { FILE_LATER = -2 };
long file_take(int fd, char *to, size_t cap);
/* A path of the configuration: absolute as it is, else beneath the directory of the file `beside`. False: longer than FILE_PATH_MAX. */
bool file_beside(struct buf *to, struct span beside, struct span path);

/* The same path from the root on. False: it does not fit, or nobody knows where we are. */
bool file_absolute(struct buf *to, struct span path);
/* A regular file that this user may execute; anything at all. False: *why. */
bool file_may_run(struct span path, const char **why);
bool file_is_there(struct span path, const char **why);

#endif
