/* flow/old_http_state.h: what old_http.c (memory, the owner's calls, sending) and old_http_reply.c (what comes back) share. */
#ifndef POSTERN_FLOW_OLD_HTTP_STATE_H
#define POSTERN_FLOW_OLD_HTTP_STATE_H

#include "flow/exchange.h"
#include "flow/old_http.h"

enum { VERSION_MAX = 16, CREDENTIAL_MAX = 8192 };

enum call_kind { CALL_INITIALIZE, CALL_INITIALIZED, CALL_REQUEST, CALL_NOTIFICATION, CALL_RESPONSE, /* as enum old_http_what */ CALL_STREAM, CALL_DELETE };

enum call_state {
	CALL_SESSION,              /* waits until the session stands */
	CALL_CREDENTIAL,           /* waits for a credential */
	CALL_ASKED,
	CALL_PAUSE                 /* has no exchange: waits to resume its stream */
};

/* A message on its way, or a stream. */
struct call {
	void *next_free;
	uint32_t life;             /* counts up when it is freed */
	enum call_kind kind;
	enum call_state state;
	struct old_http *h;
	struct peer *peer;
	struct exchange *x;
	struct list node;          /* in peer->calls; a DELETE: in h->deletes */
	struct list due;           /* in h->due: to be asked in the next tick */
	struct timer timer;        /* PAUSE; else of a REQUEST: when it is looked at whether it is still awaited; of a DELETE: its end */
	uint64_t id;               /* REQUEST, INITIALIZE */
	uint32_t session;          /* number of the session it was sent in; 0: none */
	unsigned resumes;          /* in a row, without a new event */
	bool again;                /* its credential was refused once */
	bool resent;               /* it met a session that was gone */
	bool resuming;             /* its stream goes on by GET */
	bool answered, paused;
	uint16_t ntext;
	char text[OLD_HTTP_SESSION_MAX]; /* a stream's last event id; a DELETE's session id */
};

struct peer {
	struct exchange_peer conns;
	struct old_http *h;
	unsigned index;
	bool on, up_due, again_due;
	bool ready;                /* initialized was accepted */
	bool no_stream;            /* the server has no GET stream */
	uint32_t session;          /* counts; which one this is */
	uint16_t nid, nversion;
	char id[OLD_HTTP_SESSION_MAX], version[VERSION_MAX];
	struct list calls;         /* oldest first */
};

struct old_http {
	const struct old_http_settings *set;
	struct loop *loop;
	struct timers timers;
	struct conn_pool conns;
	struct exchange_pool *pool;
	struct slots calls;
	struct peer *peers;
	struct list deletes, due;
	uint32_t open;             /* calls but streams */
	uint32_t besides;          /* of these, notifications and responses */
	uint32_t paused;           /* calls that wait for room */
	uint32_t sessions;
	bool more;                 /* TLS: there is something to do at once */
};

/* old_http.c */
void old_call_free(struct call *c);                  /* with its exchange */
void old_call_ask(struct call *c);                   /* in the next tick: for its credential, if one is wanted, and then the server */
void old_call_hold(struct call *c);                  /* until the session stands; its exchange is kept */
void old_call_resume(struct call *c);                /* its stream has ended: by GET, in a while */
void old_peer_close(struct peer *p);                 /* all of its calls, without a word; it is off */
void old_peer_ready(struct peer *p);
void old_peer_lost_session(struct peer *p);
/* old_http_reply.c */
void old_head(void *ctx, struct exchange *x, const struct http_head *h, bool events);
void old_event(void *ctx, struct exchange *x, struct span data, struct span id);
void old_end(void *ctx, struct exchange *x, enum exchange_end why);
bool old_may(void *ctx, struct exchange *x);
void old_call_failed(struct call *c, struct span why);  /* says so to the owner, if it is for him to know, and frees it */

#endif
