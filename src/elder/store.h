/* elder/store.h: texts of unknown length in blocks of a fixed pool, and the events that are kept for clients that come back.
 *
 * A chain is a text in blocks. What waits (requests, answers) is put there by store_put; events are kept by store_keep and give way, the
 * oldest of all first, whenever blocks run short. So the pool is full only when it is full of what waits. */
#ifndef POSTERN_ELDER_STORE_H
#define POSTERN_ELDER_STORE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/slots.h"

enum { STORE_BLOCK = 2048 };

struct store_block { struct store_block *next; char bytes[STORE_BLOCK - sizeof(struct store_block *)]; };

struct chain { struct store_block *first; uint32_t n; };

/* One per session: its events, the oldest first. */
struct store_log { struct list events; uint32_t blocks; };

struct store_event {
	struct list in_log, in_all;
	struct store_log *log;
	uint32_t stream, seq;
	struct chain text;
};

struct store {
	struct slots blocks, events;
	struct list all;              /* events, the oldest first */
	uint64_t each_max;           /* bytes of an event, and */
	uint32_t each_blocks;        /* of a log: what it takes, since short events take a block each */
};

size_t store_need(uint64_t bytes);
void store_place(struct store *s, void *mem, uint64_t bytes, uint64_t each_max);
void store_log_start(struct store_log *l);

/* How many blocks a text takes. */
uint32_t store_blocks(size_t n);
/* False: no room, and `c` is empty. c is empty before. */
bool store_put(struct store *s, struct chain *c, struct span text);
void store_drop(struct store *s, struct chain *c); /* afterwards it is empty; an empty one is fine */
void store_text(const struct chain *c, struct buf *b);

/* Keeps an event of `stream`; older ones of this log, then of all, make room. False: it is longer than each_max, or there is no room. */
bool store_keep(struct store *s, struct store_log *l, uint32_t stream, uint32_t seq, struct span text);
/* The first event of `stream` behind `seq`; NULL: none. */
struct store_event *store_next(struct store_log *l, uint32_t stream, uint32_t seq);
void store_forget(struct store *s, struct store_event *ev);
void store_log_drop(struct store *s, struct store_log *l);

#endif
