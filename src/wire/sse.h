/* wire/sse.h: Server-Sent Events (WHATWG HTML 9.2), as MCP uses them: `data` lines with one JSON message an event.
 *
 * Reader: LF, CRLF and CR end a line; several data lines are joined by LF; comments and unknown fields are skipped; a leading BOM is
 * skipped; an unfinished event at the end of the stream is dropped. An `event` other than "message" is skipped. `id` and `retry` are read if
 * sse_keep() gave memory for them: an id counts once the event it stands in is over (with data or not), and lasts until the next; one that is
 * longer than the memory or holds a control byte counts as none, since it could not be sent back. */
#ifndef POSTERN_WIRE_SSE_H
#define POSTERN_WIRE_SSE_H

#include "base/buf.h"

enum sse_state {
	SSE_MORE,    /* wants more bytes */
	SSE_EVENT,   /* `data` holds one event (it may be empty: `data:` alone); call sse_next() before feeding on */
	SSE_LARGE    /* an event (or a line) did not fit: close */
};

struct sse_reader {
	struct buf data;      /* the event being put together; memory given by sse_start */
	enum sse_state state;
	uint64_t events;      /* dispatched so far */
	uint64_t comments;
	struct buf id;        /* the last event id, absent memory: not kept; sse_id() */
	struct buf next_id;   /* of the event that is being read */
	int64_t retry_ms;     /* the last `retry`, -1: none */
	int64_t next_retry;   /* being read */
	bool has_id, has_next_id;
	uint8_t step;         /* where in the line grammar */
	uint8_t field;        /* which field this line is */
	uint8_t matched;
	bool skip;            /* this event has another name */
	bool has_data;
	bool after_cr;
};

void sse_start(struct sse_reader *r, char *mem, size_t cap);
/* mem: 2 * id_max bytes. After sse_start. */
void sse_keep(struct sse_reader *r, char *mem, size_t id_max);
/* Absent: none so far. Lives until the next sse_take. */
static inline struct span sse_id(const struct sse_reader *r) { return r->has_id ? buf_span(&r->id) : span_of(NULL, 0); }
/* Takes bytes, returns how many were used: all of them, or those up to the end of one event (state SSE_EVENT), or up to the byte that
 * made it too large. Linear in the bytes however they are cut. */
size_t sse_take(struct sse_reader *r, const char *in, size_t n);
void sse_next(struct sse_reader *r);

/* Appends one event that carries `json` (already checked). Line breaks between its tokens become further data lines. */
void sse_write(struct buf *b, struct span json);
/* How many bytes sse_write will append. */
size_t sse_write_size(struct span json);
/* Lines before the event that sse_write appends: its id (visible ASCII; absent: none) and, if it is not 0, how long to wait before coming back. */
void sse_write_id(struct buf *b, struct span id, uint32_t retry_ms);

#endif
