/* role/stdio.h: the process between a client's pipes and a worker (`postern stdio`): lines in, lines out. The engine is flow/door.h. It ends
 * with the client, and with it the house. */
#ifndef POSTERN_ROLE_STDIO_H
#define POSTERN_ROLE_STDIO_H

#include "conf/conf.h"
#include "role/enter.h"

struct stdio_start {
	const struct conf *conf;
	struct entry *entry;         /* role, name, channel, pids and log filled in */
	int in, out;                 /* the client's: pipes, sockets, terminals or files */
	const uint8_t *seed;         /* 64 bytes */
};
size_t stdio_need(const struct conf *c);         /* what it reserves: the engine's, */
size_t stdio_line_need(const struct conf *c);    /* and this for what its client writes */
_Noreturn void stdio_run(struct stdio_start *s);

#endif
