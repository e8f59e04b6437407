/* os/loop.h: epoll, edge-triggered, one registration for the life of a descriptor.
 *
 * A caller embeds a struct loop_item in its object. Each event says what became possible since the last; the owner keeps what it has
 * not used yet ("readable until a read says SOCK_AGAIN"). An item must stay addressable until the current loop_wait() returns, even after
 * loop_forget(): events for a forgotten item are dropped. */
#ifndef POSTERN_OS_LOOP_H
#define POSTERN_OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LOOP_READ = 1,    /* bytes, a connection, or the end may be read */
	LOOP_WRITE = 2,   /* room to write, or a connect has ended */
	LOOP_HALF = 4,    /* the peer closed its sending side (FIN) */
	LOOP_GONE = 8     /* the peer reset or closed both sides, or an error is pending */
};

struct loop_item {
	void (*event)(struct loop_item *item, unsigned events); /* NULL: forgotten */
	int fd;
};

struct loop {
	int fd;
	int64_t now_ms;   /* monotonic; read once after each wait */
	uint64_t turns;
};

/* Creates the epoll descriptor (before the jail). False: the environment failed. */
bool loop_open(struct loop *l);
/* Registers item->fd for all four events, edge-triggered. */
bool loop_add(struct loop *l, struct loop_item *item);
/* Registers item->fd for reading, level-triggered (listeners); loop_pause/loop_resume switch it off and on. */
bool loop_add_level(struct loop *l, struct loop_item *item);
bool loop_pause(struct loop *l, struct loop_item *item);
bool loop_resume(struct loop *l, struct loop_item *item);
/* Forgets an item: no more events reach it. The descriptor is taken out; closing it stays with the caller. */
void loop_forget(struct loop *l, struct loop_item *item);
/* Waits at most wait_ms (-1: for ever), sets now_ms, calls the handlers of up to 256 events. False only when epoll itself fails. */
bool loop_wait(struct loop *l, int wait_ms);
/* The shorter of two waits. */
static inline int loop_sooner(int a_ms, int b_ms) { return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms; }

#endif
