/* role/config.h: a configuration in memory of its own, to be thrown away whole. */
#ifndef POSTERN_ROLE_CONFIG_H
#define POSTERN_ROLE_CONFIG_H

#include "conf/conf.h"

enum { CONFIG_TEXT_MAX = 1 << 20 };

struct config {
	struct conf *conf; /* lives in `mem`, like everything its spans point to */
	void *mem;
	size_t mem_size;   /* what this file needs: whole pages */
	uint8_t sha256[32];  /* of the file's text */
};

/* Where complaints are written, empty: one place of a process for each, used again by the next who asks. */
struct buf config_errors(void);
struct buf config_warnings(void);

enum config_end { CONFIG_RIGHT, CONFIG_WRONG, CONFIG_UNREADABLE };

/* Reads and checks the file. CONFIG_WRONG and CONFIG_UNREADABLE: lines in `errors`, nothing kept. `workers` is filled in. */
enum config_end config_load(struct config *l, struct span path, struct buf *errors);
/* What it is for `postern stdio`, which has one client, at its own pipes: nobody else gets in. False: it does not say who that is; a line in `errors`. */
bool config_for_stdio(struct conf *c, struct buf *errors);
void config_drop(struct config *l);

#endif
