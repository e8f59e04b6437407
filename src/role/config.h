/* role/config.h: a configuration in memory of its own, to be thrown away whole. */
#ifndef POSTERN_ROLE_CONFIG_H
#define POSTERN_ROLE_CONFIG_H

#include "conf/conf.h"

enum { CONFIG_TEXT_MAX = 1 << 20 };

struct config {
	struct conf *conf; /* lives in `mem`, like everything its spans point to */
	void *mem;
	size_t mem_size;
	uint8_t sha256[32];  /* of the file's text */
};

enum config_end { CONFIG_RIGHT, CONFIG_WRONG, CONFIG_UNREADABLE };

/* Reads and checks the file. CONFIG_WRONG and CONFIG_UNREADABLE: lines in `errors`, nothing kept. `workers` is filled in. */
enum config_end config_load(struct config *l, struct span path, struct buf *errors);
void config_drop(struct config *l);

#endif
