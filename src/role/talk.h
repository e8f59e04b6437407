/* role/talk.h: a stream of lines both ways: a worker's, or a child's standard input and output. Buffers are the owner's.
 *
 * Events only mark what has become possible; the owner then takes lines and flushes. A line longer than `in_cap` - 1 bytes is let go by; its first and last
 * TALK_ENDS bytes are kept. */
#ifndef POSTERN_ROLE_TALK_H
#define POSTERN_ROLE_TALK_H

#include "base/span.h"
#include "os/loop.h"

enum { TALK_ENDS = 512, TALK_READS = 16 };

struct talk {
	struct loop_item item;       /* first. fd -1: there is none */
	bool readable, writable, over; /* over: the other side has ended; what it said before may still be here */
	bool skipping;
	char *in, *out;
	size_t in_cap, in_from, in_n, in_seen;
	uint64_t passed;             /* bytes of the lines taken so far, empty ones and those let go by as well */
	size_t out_cap, out_from, out_n;
	int64_t stuck_ms;            /* since when nothing of what waits to be written has gone; 0: nothing waits */
	char head[TALK_ENDS];
};

/* Takes the descriptor. False: it cannot be watched, and is closed. in_cap: at least 2 * TALK_ENDS + 2. */
bool talk_open(struct talk *l, struct loop *loop, int fd);
void talk_close(struct talk *l, struct loop *loop);

enum talk_got { TALK_GOT, TALK_LONG, TALK_NOTHING, TALK_END };
/* The next line, without its LF; good until the next call. Empty ones are passed over. TALK_LONG: *line is its head, *tail its end.
 * TALK_NOTHING with `readable` still set: TALK_READS reads have brought no line, and there may be more: others first. */
enum talk_got talk_next(struct talk *l, struct span *line, struct span *tail);

/* How long a line may be to find room. */
size_t talk_room(const struct talk *l);
/* Copies the line and its LF. False: no room. */
bool talk_put(struct talk *l, struct span text);
/* Writes what goes. */
void talk_flush(struct talk *l, int64_t now_ms);

#endif
