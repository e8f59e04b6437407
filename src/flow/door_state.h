/* flow/door_state.h: what door.c and door_reply.c share. */
#ifndef POSTERN_FLOW_DOOR_STATE_H
#define POSTERN_FLOW_DOOR_STATE_H

#include "base/slots.h"
#include "flow/door.h"
#include "flow/elder_msg.h"
#include "flow/exchange.h"
#include "wire/json_read.h"
#include "wire/mcp_envelope.h"

enum {
	DOOR_SPARE = 8,            /* exchanges that are no requests': notifications, the stream of a session, its end */
	DOOR_FIRST_MAX = 16384,    /* an `initialize` up to this length is kept */
	DOOR_NOTE_MS = 30000,      /* a notification or an answer that has not been taken by then is given up */
	DOOR_BUSY_MS = 250,        /* one that finds no room is said again after this time */
	DOOR_KEPT = 4,             /* slots of the worker that requests leave to a session: its stream, what listens for it, what its client says */
	DOOR_BYE_MS = 1000,        /* likewise the end of a session */
	DOOR_AGAIN_MS = 1000       /* a lost stream is asked for again after this time */
};

enum door_kind {
	CALL_REQUEST,
	CALL_BATCH,
	CALL_INITIALIZE,
	CALL_NOTE,                 /* a notification or an answer of the client's */
	CALL_STARTED,              /* notifications/initialized: a NOTE behind which the session's stream is opened */
	CALL_RENEW,                /* an `initialize` of ours: its answer is nobody's */
	CALL_STREAM,               /* the session's GET */
	CALL_BYE                   /* its DELETE */
};

struct door_call {
	struct exchange *x;        /* NULL: free */
	uint8_t kind;              /* enum door_kind */
	uint8_t life;              /* of the session it belongs to */
	bool old, listen;
	bool waits;                /* NOTE, STARTED: there was no room for it; it is kept, and said again */
	bool events;               /* its answer is a stream of them */
	bool answered;             /* or called off */
	int64_t until_ms;          /* 0: for ever */
	uint16_t id_n;
	char id[MCP_ID_MAX];       /* REQUEST, INITIALIZE: raw */
};

struct door {
	struct door_settings set;
	struct loop *loop;
	struct timers timers;
	struct timer again;        /* the stream is to be asked for, or a new session */
	struct timer busy;         /* calls wait to be said again */
	struct exchange_pool *pool;
	struct exchange_peer peer;
	struct json_table *table;
	struct json json;          /* the document at hand */
	struct door_call *calls;
	uint32_t ncalls;
	uint32_t requests;         /* calls that are requests or batches */
	uint32_t ordered;          /* calls that others wait behind */
	char *out;                 /* a line being put together */
	size_t out_cap;
	uint8_t life;              /* counts sessions: a late word about a former one is none about this */
	uint8_t session_n, version_n, event_n;
	char session[ELDER_SESSION_MAX], version[ELDER_VERSION_MAX], event[ELDER_EVENT_MAX]; /* of the old session; event: where its stream was */
	bool started;              /* the client has said that it is initialized */
	bool no_stream;            /* the session has none */
	bool lost;                 /* there was a session, and another is to be begun */
	bool ending, bye;
	int64_t until_ms;          /* ending */
	size_t first_n;
	char first[DOOR_FIRST_MAX]; /* the client's `initialize` */
};

static inline struct span door_id(const struct door_call *c) { return c->id_n > 0 ? span_of(c->id, c->id_n) : span_of(NULL, 0); }

/* door.c */
void door_log(struct door *d, struct span what, struct span detail);
void door_say(struct door *d, struct span message);         /* one message, written as one line */
void door_fault(struct door *d, struct span id, const struct mcp_fault *f);
/* A POST with this body, a GET or a DELETE, in the session if `old` and there is one. NULL: no exchange is free. */
struct door_call *door_send(struct door *d, enum door_kind kind, bool old, enum exchange_method method, struct span body, int64_t until_ms);
void door_free(struct door *d, struct door_call *c);
void door_close_stream(struct door *d);
void door_begin_again(struct door *d);                      /* the session is lost */
void door_open_stream(struct door *d);

/* door_reply.c */
void door_on_head(void *ctx, struct exchange *x, const struct http_head *h, bool events);
void door_on_event(void *ctx, struct exchange *x, struct span data, struct span id);
void door_on_end(void *ctx, struct exchange *x, enum exchange_end why);

#endif
