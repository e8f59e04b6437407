/* elder/elder_priv.h: the things in motion inside the elder, and who may call whom.
 *
 *   owner    one principal          -> session
 *   session  one old client          -> post   one HTTP POST that has not been answered        -> call   one JSON-RPC request of it
 *   session  has one GET stream at most, and one subscriptions/listen (two while one follows the other)
 *   question one modern request: of a call, or of a session's listen
 *
 * A post is attached while its client's connection is there. One whose stream has begun lives on without, until its calls are answered: its
 * events are kept and its client may come back by GET with Last-Event-ID. Stream 0 of a session is that of its GET. */
#ifndef POSTERN_ELDER_ELDER_PRIV_H
#define POSTERN_ELDER_ELDER_PRIV_H

#include "elder/elder.h"
#include "elder/store.h"
#include "wire/crypto.h"
#include "wire/mcp_envelope.h"

enum {
	ELDER_ID = 24, ELDER_ID_TEXT = 32, /* random bytes of a session id, and its letters */
	ELDER_CAPS = 1024, ELDER_INFO = 1024,
	ELDER_LISTEN_MIN_MS = 1000, ELDER_LISTEN_MAX_MS = 60000, /* between tries */
	ELDER_LINGER_MS = 30000,      /* a listen that nobody reads goes on so long */
	ELDER_SWEEP_MS = 250,
	ELDER_GET_MAX = 256           /* events kept for a GET stream that is not there */
};

enum elder_version { V_2025_03_26, V_2025_06_18, V_2025_11_25, V_COUNT };

/* What the modern side offers. */
enum { CAN_TOOLS = 1, CAN_TOOLS_CHANGED = 2, CAN_PROMPTS = 4, CAN_PROMPTS_CHANGED = 8, CAN_RESOURCES = 16, CAN_RESOURCES_CHANGED = 32,
	CAN_SUBSCRIBE = 64, CAN_COMPLETE = 128, CAN_LOG = 256 };
/* What the client declared. */
enum { HAS_ELICIT = 1, HAS_ELICIT_URL = 2, HAS_SAMPLING = 4, HAS_SAMPLING_TOOLS = 8, HAS_ROOTS = 16 };

struct question {
	uint64_t number;              /* 0: free */
	struct call *call;            /* or */
	struct session *session;      /* its listen; both NULL: nobody waits for it any more */
	uint32_t next_free;           /* UINT32_MAX: none */
	uint64_t scopes;              /* elder_lacks() */
};

struct post {
	struct list node;             /* in its session's posts */
	struct session *s;
	unsigned worker;
	uint64_t http;                /* the worker's number for it */
	bool attached, begun;
	bool first;                   /* it began the session: the answer says its id */
	bool batch;                   /* answered by a stream whatever comes */
	uint32_t number, seq;         /* of the stream; of its last event */
	unsigned left;                /* calls without an answer */
	uint64_t scopes;              /* that the call lacked which is being answered */
	int64_t start_ms;
};

struct input {
	uint64_t id;                  /* of our request to the client */
	enum { INPUT_ELICIT, INPUT_URL, INPUT_SAMPLING, INPUT_ROOTS } kind;
	bool done, accepted;
	uint64_t elicitation;         /* INPUT_URL: names it for the client */
	struct chain key, answer;     /* JSON as it came */
};

enum call_state { CALL_ASKED, CALL_WAITS_FOR_CLIENT, CALL_AGAIN /* asks again at at_ms */, CALL_WAITS_FOR_LISTEN };

struct call {
	struct list node;             /* in its session's calls */
	struct session *s;
	struct post *post;
	char id[MCP_ID_MAX];
	uint16_t id_n;
	enum mcp_method method;
	enum call_state state;
	uint64_t question;            /* 0: none is out */
	int64_t at_ms;                /* a deadline, by state */
	struct chain body;            /* of a request that may have to be asked again; subscribe: the URI */
	struct chain request_state;   /* JSON string */
	bool has_state;
	unsigned rounds, ninputs, nopen;
	uint32_t filter;              /* CALL_WAITS_FOR_LISTEN: the filter that must be in force */
	struct input inputs[ELDER_INPUTS];
};

struct get_stream {
	bool attached;
	unsigned worker;
	uint64_t http;
	uint32_t seq, sent;           /* events so far; the last one that was handed to a client */
	int64_t gone_ms;
};

/* A caller, as long as it has a session: what it has in all of them. */
struct owner {
	struct owner *next;           /* in its bucket */
	uint8_t principal[ELDER_PRINCIPAL_N];
	uint32_t sessions, calls;
	uint32_t blocks;              /* of the store: what waits, not what is kept */
};

struct session {
	struct list node;             /* in elder.recent, the longest unused first */
	struct session *next;         /* in its bucket */
	struct list posts, calls;
	unsigned ncalls;
	uint8_t id[ELDER_ID];
	char id_text[ELDER_ID_TEXT];
	struct owner *owner;
	bool opening;                 /* its initialize has not been answered */
	enum elder_version version;
	unsigned can, has;
	uint8_t level;                /* of logs; 0: not asked for */
	uint16_t caps_n, info_n, identity_n;
	char caps[ELDER_CAPS], info[ELDER_INFO], identity[ELDER_IDENTITY_N]; /* JSON for _meta; the newest sealed identity */
	unsigned worker;              /* the one that spoke for it last */
	int64_t used_ms, fresh_ms;    /* fresh: when the identity came */
	uint32_t streams;             /* numbers given out */
	uint64_t requests;            /* ids of ours to the client */
	struct get_stream get;
	struct store_log log;
	struct chain uris[ELDER_URIS]; /* JSON strings */
	unsigned nuris;
	/* subscriptions/listen */
	uint64_t listen, listen_next; /* in force; not acknowledged yet */
	uint32_t filter, filter_sent, filter_acked; /* counts changes of what is to be listened to */
	int64_t listen_at_ms;         /* not before */
	unsigned listen_failures;
	bool listen_lost;             /* something may have been missed */
};

struct elder {
	const struct elder_settings *set;
	struct slots owners, sessions, posts, calls;
	struct question *questions;
	uint32_t nquestions, free_question;
	uint64_t questions_asked;
	struct session **buckets;
	struct owner **owner_buckets; /* as many */
	uint32_t nbuckets;
	struct list recent;
	struct store store;
	struct crypto_drbg random;
	struct json_table *table;
	struct json j;                /* the document at hand: of a client, or of a worker */
	struct json_table *own_table; /* a kept request, beside an answer that is being read */
	char *text, *out, *body;      /* scratch: a kept text; what is being written; a kept request */
	size_t text_cap, out_cap, answer_cap, body_cap; /* an answer is never longer than answer_cap */
	bool up[ELDER_WORKERS];
	int64_t sweep_ms;
};

/* owner.c */
struct owner *owner_find(struct elder *e, const uint8_t *principal); /* NULL: it has no session */
struct owner *owner_join(struct elder *e, const uint8_t *principal); /* of a new session; there is room for as many as sessions */
void owner_leave(struct elder *e, struct owner *o);
/* For n more requests; o NULL: of somebody who has none. The last quarter is for those who have less than a quarter. */
bool owner_has_room(const struct elder *e, const struct owner *o, unsigned n);
/* As store_put and store_drop; what waits for one caller takes half of the room at most. */
bool owner_put(struct elder *e, struct owner *o, struct chain *c, struct span text);
void owner_drop(struct elder *e, struct owner *o, struct chain *c);

/* session.c */
struct session *session_find(struct elder *e, struct span id, const uint8_t *principal);
struct session *session_new(struct elder *e, const uint8_t *principal, int64_t now_ms); /* NULL: no room */
void session_touch(struct elder *e, struct session *s, int64_t now_ms);
void session_end(struct elder *e, struct session *s); /* all that is under way for it is ended, with an answer if somebody waits for one */
bool session_busy(const struct session *s);
void session_sweep(struct elder *e, int64_t now_ms);

/* stream.c: what is said to clients */
struct post *post_new(struct elder *e, struct session *s, const struct elder_asked *a, int64_t now_ms);
void post_begin(struct elder *e, struct post *p);                     /* it becomes a stream, unless it is one */
void post_say(struct elder *e, struct post *p, struct span json);     /* an event */
void post_answer(struct elder *e, struct post *p, unsigned status, bool again, struct span json); /* of one of its calls; json absent: none is given. p may be gone */
void post_cut(struct elder *e, struct post *p, unsigned status);      /* its session ends */
void get_attach(struct elder *e, struct session *s, const struct elder_asked *a, uint32_t sent);
void get_detach(struct elder *e, struct session *s);                  /* with an end */
void get_say(struct elder *e, struct session *s, struct span json);
bool stream_resume(struct elder *e, struct session *s, const struct elder_asked *a); /* false: Last-Event-ID names nothing here */

/* asked.c: what clients send */
void asked_post(struct elder *e, const struct elder_asked *a, int64_t now_ms);
void asked_status(struct elder *e, const struct elder_asked *a, unsigned status);
void asked_fault(struct elder *e, const struct elder_asked *a, unsigned status, struct span id, int code, struct span text);

/* call.c: a request's life */
struct call *elder_call_new(struct elder *e, struct post *p, struct span id, enum mcp_method method);
void elder_call_free(struct elder *e, struct call *c);                      /* without an answer */
void elder_call_result(struct elder *e, struct call *c, struct span result); /* raw JSON; c is gone */
void elder_call_fault(struct elder *e, struct call *c, int code, struct span text, struct span detail); /* c is gone */
void elder_call_lacks(struct elder *e, struct call *c, uint64_t scopes, struct span error); /* raw JSON; c is gone */
void elder_call_fail(struct elder *e, struct call *c, struct span text, struct span detail); /* the same, but a tool's failure is a result with isError */
bool elder_call_keep(struct elder *e, struct call *c, struct span body);    /* it may have to be asked again */
void elder_call_full(struct elder *e, struct call *c);                      /* 503; c is gone */
void elder_call_ask(struct elder *e, struct call *c, const struct json *j, uint32_t params, uint32_t name); /* j NULL: without params; c may be gone */
void elder_call_ask_again(struct elder *e, struct call *c);                 /* from what is kept; c may be gone */
void elder_call_message(struct elder *e, struct call *c, struct span json, int64_t now_ms);
void elder_call_over(struct elder *e, struct call *c, struct span why);
void elder_call_due(struct elder *e, struct call *c, int64_t now_ms);
uint64_t question_ask(struct elder *e, struct call *c, struct session *s, enum mcp_method method, struct span name, struct span body, uint64_t number);
uint64_t question_number(struct elder *e);                            /* the next one's; 0: none is free */
void question_drop(struct elder *e, uint64_t number);                 /* 0 is fine */
struct question *question_find(struct elder *e, uint64_t number);
void question_free(struct elder *e, struct question *q);
void meta_write(struct buf *b, const struct session *s, const struct json *j, uint32_t meta);

/* initialize.c */
void initialize_ask(struct elder *e, const struct elder_asked *a, const struct mcp_message *m, int64_t now_ms);
void initialize_answer(struct elder *e, struct call *c, uint32_t result);
bool version_known(struct span text, enum elder_version *v);

/* result.c: results in the words of older revisions. The document is e->j. */
bool result_write(struct elder *e, const struct call *c, uint32_t result, struct buf *b);

/* input.c */
void input_required(struct elder *e, struct call *c, uint32_t result, int64_t now_ms); /* c may be gone */
void input_answer(struct elder *e, struct session *s, const struct mcp_message *m);    /* a client's response; the document is e->j */
void input_late(struct elder *e, struct call *c);
void input_clear(struct elder *e, struct call *c);
void input_completed(struct elder *e, struct call *c);                /* tells of url elicitations that are over */
void input_write(struct elder *e, const struct call *c, struct buf *b); /* ,"inputResponses":…,"requestState":… */

/* listening.c */
void listening_check(struct elder *e, struct session *s, int64_t now_ms);
void listening_message(struct elder *e, struct session *s, uint64_t number, struct span json, int64_t now_ms);
void listening_over(struct elder *e, struct session *s, uint64_t number, uint64_t scopes, int64_t now_ms);
void subscribe(struct elder *e, struct call *c, uint32_t uri, bool on, int64_t now_ms); /* c may be gone */
void listening_late(struct elder *e, struct call *c);
void listening_sweep(struct elder *e, struct session *s, int64_t now_ms);

#endif
