/* role/load.h: a configuration in memory of its own, to be thrown away whole. */
#ifndef POSTERN_ROLE_LOAD_H
#define POSTERN_ROLE_LOAD_H

#include "conf/conf.h"

enum { LOAD_TEXT_MAX = 1 << 20 };

struct loaded {
	struct conf *conf; /* lives in `mem`, like everything its spans point to */
	void *mem;
	size_t mem_size;
};

enum load_end { LOAD_RIGHT, LOAD_WRONG, LOAD_UNREADABLE };

/* Reads and checks the file. LOAD_WRONG and LOAD_UNREADABLE: lines in `errors`, nothing kept. `workers` is filled in. */
enum load_end load_conf(struct loaded *l, struct span path, struct buf *errors);
void load_drop(struct loaded *l);

#endif
