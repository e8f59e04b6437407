/* flow/listen.h: subscriptions/listen: one stream of the client, and a leg to each upstream that can serve a part of its filter.
 *
 * The client hears an acknowledgement once all upstreams have answered or FLOW_ACK_MS are over. A leg that is lost is asked again, and then the client is
 * told that what it listens to may have changed. Unless t->judged there is one upstream, all of which this caller may see: what it says is passed on as it is. */
#ifndef POSTERN_FLOW_LISTEN_H
#define POSTERN_FLOW_LISTEN_H

#include "flow/flow_priv.h"

enum step_end listen_send(struct txn *t);
void listen_event(struct txn *t, struct leg *l, const struct mcp_message *m);
void listen_late(struct txn *t);                 /* the slowest acknowledgement did not come */
void listen_leg_over(struct txn *t, struct upstream *up, const struct mcp_message *m, struct span why); /* m NULL: lost */
void listen_again(struct timer *timer);          /* t->again: asks those that were lost */
void listen_found(struct upstream *up);          /* it answers: whoever has lost it need not wait longer */
/* Its caller has as many streams of its era (`old`: before ours) as one may have. Anonymous callers cannot be told apart, and are not limited. */
bool listen_is_full_for(const struct txn *t, bool old);
void listen_finish(struct txn *t);               /* graceful end from our side */
void listen_say(struct txn *t, struct buf *b);   /* an event, to the client, which is let go if it cannot be said */

/* listen_filter.c: what is listened for. The json view holds the client's message, but for listen_merge() and listen_hears(). */
enum { LISTEN_FLAGS = 3 };
struct listen_flag {
	struct span name;
	unsigned cap;             /* CATALOG_…_CHANGED of an upstream that can */
	enum mcp_method says;
};
extern const struct listen_flag listen_flag[LISTEN_FLAGS];

uint8_t listen_flags(const struct json *j, uint32_t filter); /* those that it sets: bit i is listen_flag[i] */
/* What the policy says of a URI that this upstream would be asked for. */
struct policy_answer listen_judge(struct txn *t, struct upstream *up, uint32_t uri);
uint64_t listen_scopes(struct txn *t);           /* what is asked for with it and can be had with more scopes only; 0: nothing */
/* Writes "notifications":{…}, with the part of the client's filter that this upstream can serve. False: nothing. */
bool listen_filter(struct txn *t, struct upstream *up, struct buf *b);
/* An upstream's acknowledgement, in the json view: what it agrees to goes into t->changed and t->uris. */
void listen_merge(struct txn *t, struct upstream *up, const struct mcp_message *m);
void listen_agreed(struct txn *t, struct buf *b); /* the members of a filter: what all agreed to */
/* Has the client been told that it will hear of this from there? */
bool listen_hears(const struct txn *t, const struct upstream *up, enum mcp_method method);

#endif
