/* bridge/bridge_state.h: what the files of the bridge share. Who calls whom, so that there is no ring: worker, peer -> call, listen, park, reply
 * -> send -> say. A fault frees its call and does nothing else; what may go on because of it is seen to in the tick. */
#ifndef POSTERN_BRIDGE_BRIDGE_STATE_H
#define POSTERN_BRIDGE_BRIDGE_STATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/slots.h"
#include "bridge/bridge.h"
#include "wire/crypto.h"
#include "wire/json_write.h"
#include "wire/mcp_envelope.h"

#define NOTHING span_of(NULL, 0)
#define BRIDGE_META_PRINCIPAL "postern/principal"
#define BRIDGE_META_CALL "postern/call"
#define BRIDGE_OWN_PREFIX "postern/"
#define BRIDGE_MCP_PREFIX "io.modelcontextprotocol/"

enum {
	BRIDGE_PRINCIPAL_MAX = 64,
	BRIDGE_URL_REQUIRED = -32042, /* of 2025-11-25: open these URLs first */
	BRIDGE_ASKS = 4,              /* questions of the upstream open in one call */
	BRIDGE_TEXT_MIN = 65536,
	BRIDGE_WHY = 200,             /* of why a conversation ended, kept */
	BRIDGE_URIS_BYTES = 8192,     /* of one listen */
	BRIDGE_KNOWN_BYTES = 65536,   /* instructions and serverInfo of a legacy upstream */
	BRIDGE_BATCH = 64,            /* messages of one batch of a 2025-03-26 server */
	BRIDGE_BACKOFF_MS = 1000, BRIDGE_BACKOFF_MAX_MS = 30000,
	BRIDGE_STABLE_MS = 10000,     /* a peer that ends sooner counts as a start that failed */
	BRIDGE_BROKEN_MAX = 100,      /* messages in a row that are none: the peer is ended */
	BRIDGE_LOST_MAX = 3,          /* sessions in a row that were lost before BRIDGE_STABLE_MS: one more, and the peer is ended */
	BRIDGE_AGAIN_MS = 50,         /* between tries to say what had no room */
	BRIDGE_SEAT_MS = 2000         /* how long nobody else may have a modern upstream's log after its last reader */
};

/* What a caller declares, as far as it may be asked. */
enum {
	CAP_FORM = 1, CAP_URL = 2, CAP_SAMPLING = 4, CAP_SAMPLING_TOOLS = 8, CAP_SAMPLING_CONTEXT = 16, CAP_ROOTS = 32
};

/* What a legacy upstream offers. */
enum {
	OFFER_TOOLS = 1, OFFER_PROMPTS = 2, OFFER_RESOURCES = 4, OFFER_COMPLETIONS = 8, OFFER_LOGGING = 16,
	OFFER_TOOLS_CHANGED = 32, OFFER_PROMPTS_CHANGED = 64, OFFER_RESOURCES_CHANGED = 128, OFFER_SUBSCRIBE = 256
};

enum { LISTEN_TOOLS = 1, LISTEN_PROMPTS = 2, LISTEN_RESOURCES = 4 };

struct bridge_text {
	char *p;
	size_t n;
};

enum bridge_ask_kind { ASK_ELICITATION, ASK_SAMPLING, ASK_ROOTS };

struct bridge_question {
	bool answered;
	uint8_t kind;
	uint16_t id_n;
	uint32_t number;              /* names it in inputRequests */
	char id[MCP_ID_MAX];          /* the upstream's, raw */
	struct bridge_text *text;     /* {"method":…,"params":…} as the caller is shown it */
};

struct bridge_park {
	struct bridge_question asks[BRIDGE_ASKS];
	uint32_t nasks, numbered;
	uint32_t round;               /* what is sealed must name the last one */
	struct bridge_text *result;   /* what the upstream answered while nobody waited */
	bool over;                    /* it did; result NULL: too long to keep */
};

enum call_state {
	CALL_FREE,
	CALL_WAITING,                 /* for a peer: its line is in `text` */
	CALL_SENT,
	CALL_PARKED,                  /* answered with input_required; the upstream waits */
	CALL_OWED                     /* the error `code`, `why` had no room on the worker's line */
};

struct bridge_call {
	struct list node;             /* in bridge.waiting, bridge.owed or peer.calls */
	struct list of_all;           /* in bridge.calls_used */
	uint8_t state, method, worker;
	uint8_t caps;
	uint8_t level;                /* of log messages wanted, from 1 (debug); 0: none */
	bool acked;                   /* a modern upstream's listen: it runs without a time */
	bool has_state;               /* params.requestState */
	int16_t peer;                 /* -1: none yet, or it has answered while this was parked */
	uint16_t id_n, token_n, principal_n;
	int code;
	struct span why;              /* in `token` */
	int64_t until_ms;             /* SENT: when to see whether its peer has fallen silent; else its end. 0: none */
	uint64_t order;               /* of beginning */
	uint64_t id_up;               /* at the upstream */
	struct bridge_text *text;
	struct bridge_park *park;
	uint8_t digest[CRYPTO_HASH];  /* of method, name and arguments, if it may be asked something */
	char id[MCP_ID_MAX], token[MCP_ID_MAX], principal[BRIDGE_PRINCIPAL_MAX];
};

struct bridge_listen {
	struct list node;             /* in bridge.listens */
	uint8_t worker, flags, missed;/* LISTEN_*: agreed; to be said when there is room */
	bool over;                    /* the upstream is no older one any more: its end is to be said */
	uint16_t id_n, principal_n;
	uint32_t uris_n;
	char id[MCP_ID_MAX], principal[BRIDGE_PRINCIPAL_MAX];
	char uris[BRIDGE_URIS_BYTES]; /* two bytes of length, low one first, and the text; again and again */
};

enum peer_state { PEER_DOWN, PEER_STARTING, PEER_PROBING, PEER_INITIALIZING, PEER_READY };

struct bridge_peer {
	struct list calls;            /* SENT and PARKED */
	uint8_t state;
	uint8_t version, offer;       /* what its initialize said and is asked for, ERA_* */
	uint8_t caps;                 /* declared in its initialize */
	uint8_t level;                /* as last set */
	uint16_t index;
	uint16_t offers;
	uint16_t principal_n;
	bool was_ready;               /* since its start: what is begun now is a session in place of a lost one */
	bool named;                   /* `version` is what its initialize said */
	uint32_t broken;              /* in a row */
	uint32_t lost;                /* sessions in a row that did not last */
	uint64_t hello;               /* id of the discover or initialize under way */
	uint64_t probe;               /* id of a discover that was not answered in time */
	int64_t until_ms;             /* of this state; READY: it has been asked whether it lives, and has so long to say anything. 0: none */
	int64_t heard_ms;             /* when it last said something */
	int64_t doubt_ms;             /* when to see whether it has fallen silent, for a request that was taken back; 0: never */
	int64_t since_ms;             /* ready */
	int64_t idle_ms;              /* last used */
	uint8_t fails;                /* starts in a row that came to nothing, for one principal */
	int64_t retry_ms;             /* no start before; until then it counts as his */
	char principal[BRIDGE_PRINCIPAL_MAX];
};

struct bridge {
	struct bridge_settings s;
	struct bridge_hooks h;
	struct bridge_counts counts;
	struct json_table *table;
	struct json json;             /* the message in hand */
	char *out;                    /* what is written for a hook */
	size_t out_cap;
	size_t text_cap;
	struct slots calls, listens_pool, parks, texts;
	struct list calls_used, waiting, owed, listens;
	struct bridge_peer *peers;
	bool up[BRIDGE_WORKERS_MAX];
	bool known;                   /* the era */
	bool modern;
	bool shunned;                 /* the last peer ended under the probe: the next start goes straight to initialize */
	char down[BRIDGE_WHY + 96];   /* why the shared conversation is not running, while it may not be started */
	size_t down_n;
	bool rematch;                 /* a waiting call may find a peer now */
	int64_t due_ms;               /* nothing to do in a tick before; 0: look */
	uint64_t order, ids;
	/* of peer 0's initialize */
	char *known_mem;
	struct span instructions, server_info, server_name; /* raw JSON in known_mem; absent if it has none */
	/* a modern upstream's log: on a shared line nothing says whose a message is, so one call has it at a time */
	uint64_t seat;                /* its id; 0: free */
	int64_t seat_ms;
	uint16_t seat_n;
	char seat_principal[BRIDGE_PRINCIPAL_MAX];
};

static inline int64_t bridge_now(const struct bridge *b) { return *b->h.now_ms; }
static inline void bridge_due(struct bridge *b, int64_t at) { b->due_ms = at < b->due_ms ? at : b->due_ms; }
static inline struct span call_id(const struct bridge_call *c) { return span_of(c->id, c->id_n); }
static inline struct span call_principal(const struct bridge_call *c) { return span_of(c->principal, c->principal_n); }
static inline bool bridge_legacy(const struct bridge *b) { return b->known && !b->modern; }

/* bridge_say.c: lines to workers, messages to peers, words to the log. */
void say_log(struct bridge *b, struct span what, struct span detail);
struct buf say_begin(struct bridge *b);      /* a line for a worker, in bridge.out */
struct buf say_begin_peer(struct bridge *b); /* a message for a peer, in the same place */
bool say_worker(struct bridge *b, unsigned worker, struct buf *line);
/* An error under an id (absent: none); false: no room. say_fault: MCP_INTERNAL becomes "Upstream \"NAME\" why". */
bool say_error(struct bridge *b, unsigned worker, struct span id, const struct mcp_fault *fault);
bool say_fault(struct bridge *b, unsigned worker, struct span id, int code, struct span why);
bool say_peer(struct bridge *b, struct bridge_peer *p, enum bridge_what what, uint64_t id, struct buf *message);
/* Answers a request of the upstream with an error. */
void say_refusal(struct bridge *b, struct bridge_peer *p, struct span id, int code, struct span text);
/* [,]NAME: with the comma if *any, which becomes true. */
void say_member(struct buf *b, bool *any, struct span quoted_name);
/* The members of an object but those named in `drop`, each as it was. */
void say_members(struct buf *b, const struct json *j, uint32_t object, const struct span *drop, size_t ndrop, bool *any);
/* The members of a `_meta` that may pass: none of Postern's own, and none of the protocol's if `foreign`. */
void say_meta(struct buf *b, const struct json *j, uint32_t meta, bool foreign, const struct span *drop, size_t ndrop, bool *any);

/* bridge_call.c */
uint64_t call_own_id(struct bridge *b); /* for what the bridge asks on its own account */
bool call_is_own(uint64_t id);
struct bridge_call *call_new(struct bridge *b, unsigned worker, const struct mcp_message *m); /* NULL: calls_max */
struct bridge_call *call_of_worker(struct bridge *b, unsigned worker, struct span id);
struct bridge_call *call_of_peer(const struct bridge *b, const struct bridge_peer *p, uint64_t id);
struct bridge_call *call_parked(struct bridge *b, uint64_t id);
struct bridge_text *text_keep(struct bridge *b, struct span text); /* NULL: none free, or too long */
void text_give(struct bridge *b, struct bridge_text **t);
void call_free(struct bridge *b, struct bridge_call *c);
/* Its answer is an error of ours, and it is over. */
void call_fault(struct bridge *b, struct bridge_call *c, int code, struct span why);
/* The whole line goes to the worker, and it is over. */
void call_answer(struct bridge *b, struct bridge_call *c, struct buf *line);
/* It is the upstream's to answer from now on. */
void call_watch(struct bridge *b, struct bridge_call *c);
/* What the upstream has of it is taken back: questions are answered, the request is cancelled. The call is not freed. */
void call_withdraw(struct bridge *b, struct bridge_call *c, struct span reason);
void call_owed(struct bridge *b);
void call_timeouts(struct bridge *b, int64_t now);

/* bridge_go.c: from a worker's request to a message at a peer. */
void go_fresh(struct bridge *b, struct bridge_call *c, struct span line, const struct mcp_message *m);
void go_waiting(struct bridge *b);

/* bridge_send.c: a request in the words of the upstream's era. False: it could not be sent. */
bool send_call(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, const struct mcp_message *m);
bool send_own(struct bridge *b, struct bridge_peer *p, struct span method, struct span params);
void send_level(struct bridge *b, struct bridge_peer *p, unsigned level);
bool send_cancel(struct bridge *b, struct bridge_peer *p, uint64_t id, struct span reason);
unsigned level_of(const struct json *j, uint32_t token); /* 0: none of the eight */
struct span level_name(unsigned level);

/* bridge_peer.c */
/* Ready, or being started; NULL: there is none, and why. */
struct bridge_peer *peer_shared(struct bridge *b, struct span *why);
/* The one of this call's principal and capabilities; NULL with *why absent: all are at work, or as many as one principal may have. */
struct bridge_peer *peer_private(struct bridge *b, const struct bridge_call *c, struct span *why);
void peer_start(struct bridge *b, struct bridge_peer *p);
void peer_stop(struct bridge *b, struct bridge_peer *p); /* nothing is under way in it */
/* over: the conversation is no more; else it is ended here. */
void peer_fail(struct bridge *b, struct bridge_peer *p, struct span why, bool over);
void peer_down(struct bridge *b, struct bridge_peer *p, struct span why);
void peer_ready(struct bridge *b, struct bridge_peer *p);
void peer_used(struct bridge *b, struct bridge_peer *p);
/* A request has waited long enough: if its peer has said nothing at all meanwhile, it is asked whether it lives. When to look again. */
int64_t peer_silent(struct bridge *b, struct bridge_peer *p);
void peer_heard(struct bridge *b, struct bridge_peer *p);
void peer_timeouts(struct bridge *b, int64_t now);

/* bridge_era.c: discover, initialize, and what they say. */
enum { ERA_2025_11_25, ERA_2025_06_18, ERA_2025_03_26, ERA_2024_11_05, ERA_VERSIONS };
void era_begin(struct bridge *b, struct bridge_peer *p);
void era_again(struct bridge *b, struct bridge_peer *p);
/* An answer to one of them; true: it was one. */
bool era_answer(struct bridge *b, struct bridge_peer *p, uint64_t id, const struct mcp_message *m);
void era_silence(struct bridge *b, struct bridge_peer *p);
void era_ping(struct bridge *b, struct bridge_peer *p); /* something that is answered at once */
struct span era_version(const struct bridge_peer *p); /* absent before it is known, and with a modern one */

/* bridge_reply.c: what peers say. */
void reply_message(struct bridge *b, struct bridge_peer *p, uint64_t of, struct span text);
void reply_long(struct bridge *b, struct bridge_peer *p, uint64_t of, struct span head, struct span tail);
/* The result or error in the json view, as the answer to c. */
void reply_deliver(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, const struct mcp_message *m);

/* bridge_result.c: answers in today's words, whole lines. False: not of the right shape. */
bool result_modern(struct bridge *b, struct bridge_call *c, struct buf *out, const struct mcp_message *m);
bool result_legacy(struct bridge *b, struct bridge_peer *p, struct bridge_call *c, struct buf *out, const struct mcp_message *m);
void result_error(struct bridge *b, struct bridge_call *c, struct buf *out, const struct mcp_message *m);
void result_discover(struct bridge *b, struct bridge_call *c);
void result_open(struct buf *out, struct span id);            /* {"jsonrpc":…,"id":…,"result":{ */
void result_server(struct bridge *b, struct buf *out, bool *any); /* [,]serverInfo, if it is known */

/* bridge_park.c: what the upstream asks in the middle of a call. */
bool park_may(enum mcp_method m); /* the methods that may be answered with input_required */
void park_ask(struct bridge *b, struct bridge_peer *p, uint64_t of, const struct mcp_message *m);
/* notifications/cancelled of the upstream: it does not want to know any more. */
void park_withdrawn(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m);
/* The upstream has answered while nobody waits. */
void park_over(struct bridge *b, struct bridge_call *c, struct span text);
void park_free(struct bridge *b, struct bridge_call *c);
/* Its questions are answered in the upstream's own way of "no". */
void park_decline(struct bridge *b, struct bridge_call *c);

void park_ask_caller(struct bridge *b, struct bridge_call *c);
bool park_is_web(const struct json *j, uint32_t token); /* a URL that may be shown to a caller */
void park_key(const struct bridge *b, struct buf *out, uint32_t number);
void park_open(struct bridge_call *c, struct buf *out);
void park_end(struct bridge *b, struct bridge_call *c, uint32_t kind, uint64_t id, uint32_t round, struct buf *out);

/* bridge_retry.c */
/* A request with a requestState. True: it is seen to. False: the call is to be made (again). */
bool retry_call(struct bridge *b, struct bridge_call *c, const struct mcp_message *m);
/* An error BRIDGE_URL_REQUIRED as input_required; false: it is none, or not one that can be. */
bool retry_url_error(struct bridge *b, struct bridge_call *c, const struct mcp_message *m);

/* bridge_round.c: requestState. */
enum { ROUND_PARKED = 'p', ROUND_URL = 'u' };
struct bridge_round {
	uint64_t id;      /* ROUND_PARKED: the call's at the upstream */
	int64_t until_ms; /* the engine's clock */
	uint32_t round;   /* ROUND_URL: how many URLs */
	uint32_t kind;
};
void round_digest(const struct json *j, const struct mcp_message *m, uint8_t digest[CRYPTO_HASH]);
void round_put(const struct bridge *b, const struct bridge_call *c, uint32_t kind, uint64_t id, uint32_t round, struct buf *out);
/* False: not sealed by us for this caller and this call, or too old. */
bool round_get(const struct bridge *b, const struct bridge_call *c, uint32_t token, struct bridge_round *what);

/* bridge_listen.c */
void listen_open(struct bridge *b, struct bridge_call *c, const struct mcp_message *m);
struct bridge_listen *listen_of_worker(struct bridge *b, unsigned worker, struct span id);
void listen_end(struct bridge *b, struct bridge_listen *l);
/* A peer has begun: it is told what is subscribed to; listeners hear that anything may have changed meanwhile. */
void listen_renew(struct bridge *b, struct bridge_peer *p);
void listen_changed(struct bridge *b, struct bridge_peer *p, unsigned flag);
void listen_updated(struct bridge *b, struct bridge_peer *p, const struct mcp_message *m);
/* What has no room yet, of listen_over() too, which ends all because what they were told of is no more. */
void listen_missed(struct bridge *b);
void listen_over(struct bridge *b);

#endif
