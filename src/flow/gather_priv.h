/* flow/gather_priv.h: one list out of those of several upstreams. All are asked at once; their entries follow each other in the order of the
 * configuration. A page of ours ends where it is full, and its cursor says where the list goes on. An upstream that does not answer, or not in time,
 * is left out and named in the result. */
#ifndef POSTERN_FLOW_GATHER_PRIV_H
#define POSTERN_FLOW_GATHER_PRIV_H

#include "flow/flow_priv.h"

/* What has become of an upstream's part. WANTED: it has a page that is to be asked for. HELD: its first page is here, before its turn. */
enum gather_part { PART_NONE, PART_WANTED, PART_ASKED, PART_HELD, PART_DONE, PART_SKIPPED };

enum { GATHER_WHY_MAX = 96 };

struct gather {
	struct buffer *held[FLOW_SERVERS_MAX]; /* pages that are HELD */
	uint8_t part[FLOW_SERVERS_MAX]; /* enum gather_part */
	unsigned at;                  /* the upstream whose entries come next */
	unsigned pages;               /* of it that have been read */
	bool has_cursor;              /* its page at hand is not its first */
	uint16_t cursor_n;
	uint32_t skip;                /* entries of that page that an earlier page of ours has had */
	uint32_t entries;             /* on our page */
	unsigned served, skipped;     /* upstreams' pages that were read; upstreams that are left out */
	int64_t ttl_ms;
	bool shared;                  /* all that was read may be shown to others */
	bool paged;                   /* this is not the first page of the whole list */
	bool late, last;              /* its time is up, for the last time */
	bool sending, full, bad_cursor, no_buffer;
	unsigned status, first;       /* what the first that is left out did */
	size_t why_n;
	char why[GATHER_WHY_MAX];
	char cursor[CURSOR_INNER_MAX];
};

/* gather.c: upstream i is left out */
void gather_skip(struct txn *t, unsigned i, unsigned status, struct span why);

/* gather_page.c: t->page, as far as it goes. Both kinds of taking set full where the page ends, or what follows: another page, or the upstream is DONE. */
void gather_page_begin(struct txn *t);
/* A page whose turn it is, from the json view. */
void gather_take(struct txn *t, struct upstream *up, uint32_t result, uint32_t list);
/* A page whose turn has not come is kept as it will be shown. Without a buffer for it, it is asked for again in its turn. */
void gather_hold(struct txn *t, struct upstream *up, uint32_t result, uint32_t list);
void gather_take_held(struct txn *t);                        /* that of the upstream whose turn it is */
enum step_end gather_say(struct txn *t);                     /* the answer */
enum step_end gather_say_none(struct txn *t);                /* nobody could be asked: an empty list would be a lie */

#endif
