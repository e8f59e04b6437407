/* provider/files_walk.h: a tree in byte order, depth first, in bounded memory and in slices.
 *
 * The order: the entries of a directory by the bytes of their names, a directory before what is in it. It does not depend on what came
 * before, so a walk can be taken up after any path, whether that still exists or not. Each level keeps the smallest names that were not
 * given yet, as many as there is room for, and reads the directory again for the next ones; at most one descriptor is open. A level may
 * take half of the room that those above it have left (and gives back what it does not need), so a directory of 100,000 names is read
 * some 50 times in a whole walk, and room never runs out.
 * Links, special files and names that files_name_part() refuses are left out; so is what vanishes or may not be read. */
#ifndef POSTERN_PROVIDER_FILES_WALK_H
#define POSTERN_PROVIDER_FILES_WALK_H

#include "os/dir.h"
#include "provider/files_name.h"

enum {
	FILES_WALK_LEAST = 32,    /* names that any level may keep */
	FILES_WALK_SLOTS = 4096 + FILES_DEPTH_MAX * FILES_WALK_LEAST,
	FILES_WALK_BATCH = 32768
};

struct files_walk_name {
	uint8_t kind; /* DIR_FILE or DIR_DIRECTORY */
	uint8_t len;
	char text[FILES_NAME_MAX + 1];
};

struct files_walk_level {
	uint16_t dir_len;         /* its path is this much of walk.path */
	uint16_t base, cap;       /* its part of walk.order and walk.names */
	uint16_t used, next;      /* of that part */
	bool dropped;             /* the last reading saw more names than fit */
	bool read;                /* it was read at all */
	bool inclusive;           /* `last` itself may be given */
	uint8_t last_len;
	char last[FILES_NAME_MAX + 1]; /* the greatest name given so far */
};

struct files_walk {
	int root_fd;
	int fd;                   /* directory being read, or -1 */
	bool hidden;
	bool entered;             /* the last entry is a directory and not yet gone into */
	unsigned depth_max;       /* components below the start that are given */
	unsigned nlevels;
	size_t path_len;
	char path[FILES_PATH_MAX + 1];
	struct files_walk_level levels[FILES_DEPTH_MAX];
	uint16_t order[FILES_WALK_SLOTS]; /* a level's slots, sorted by name */
	struct files_walk_name names[FILES_WALK_SLOTS];
};

enum files_walk_step { FILES_WALK_ENTRY, FILES_WALK_MORE, FILES_WALK_END };

/* Begins at directory `dir` (empty: the root), which the caller has looked at. depth_max 1: only its own entries. */
void files_walk_start(struct files_walk *w, int root_fd, struct span dir, unsigned depth_max, bool hidden);
/* Right after start: only what comes after `path`, which lies below `dir`. */
void files_walk_after(struct files_walk *w, struct span path);
/* Right after start: of the first level only names that are not less than `name`. */
void files_walk_from(struct files_walk *w, struct span name);
/* ENTRY: the next entry is files_walk_path(), *kind says what it is. MORE: one batch of a directory was read, call again.
 * batch: FILES_WALK_BATCH bytes aligned to 8, used only during the call. */
enum files_walk_step files_walk_next(struct files_walk *w, void *batch, enum dir_kind *kind);
static inline struct span files_walk_path(const struct files_walk *w) { return span_of(w->path, w->path_len); }
/* Closes what is open. Also before a walk is started anew. A walk that is all zero but for fd -1 is ended. */
void files_walk_end(struct files_walk *w);

#endif
