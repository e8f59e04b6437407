/* flow/flow_priv.h: the things in motion inside one worker, and who may call whom. Legs and what carries them: leg.h; buffers: buffer.h;
 * subscriptions: listen.h; lists: list.h.
 *
 *   front  a client connection      -> txn   one request       -> leg   one question to one upstream
 *   leg    travels on a link (HTTP connection) or on an upstream's line (a shared stream to a process of ours)
 *   txn of an old client -> the elder's edge; what the elder makes of it comes back on a front of its own
 *
 * Ownership: a front owns its `in` buffer and at most one txn; a txn owns its `large` and `out` buffers and its legs; a link owns its
 * buffers. A slot given back in the middle of a loop turn lies in `limbo` until the turn is over, so that a late event finds it quiet. */
#ifndef POSTERN_FLOW_PRIV_H
#define POSTERN_FLOW_PRIV_H

#include "base/list.h"
#include "base/slots.h"
#include "flow/buffer.h"
#include "flow/conn.h"
#include "flow/edit.h"
#include "flow/elder_msg.h"
#include "flow/flow.h"
#include "flow/intake.h"
#include "flow/timer.h"
#include "gate/catalog.h"
#include "gate/cursor.h"
#include "gate/passport.h"
#include "wire/json_read.h"
#include "wire/mcp_envelope.h"
#include "wire/sse.h"

enum {
	FLOW_SMALL = 16384,        /* a small buffer: a head, or a typical message with its head */
	FLOW_HEAD_MAX = 16384,     /* request head limit: 431 beyond */
	FLOW_ANSWER_ROOM = 1024,   /* kept free before an answer's body for its head */
	FLOW_CHALLENGE_ROOM = 4096, /* and so much more where it has a WWW-Authenticate */
	FLOW_LEFTOVER_MAX = 8192,  /* read at most this much into a large buffer when the body's end is not known */
	FLOW_LINGER_MS = 1000,     /* after a refusal: how long the rest of what the client sends is thrown away */
	FLOW_SLOW_MS = 200,        /* a client this long in its head or body gives way when buffers run out */
	FLOW_STUCK_MS = 2000,      /* a reader that takes no whole record this long gives way when record buffers run out */
	FLOW_LINK_IDLE_MS = 4000,  /* a pooled upstream connection at rest, unless the upstream says less */
	FLOW_CATALOG_MIN_MS = 5000,
	FLOW_CATALOG_MAX_MS = 300000,
	FLOW_CATALOG_RETRY_MS = 1000,
	FLOW_STALE_MS = 1000,      /* what says that it changed is looked at again at most so often, */
	FLOW_STALE_BURST = 5,      /* and so many times at once */
	FLOW_TTL_MAX_MS = 3600000, /* no list is said to be good for longer */
	FLOW_PROBE_MS = 600000,    /* an upstream of an older revision is asked again whether it speaks ours */
	FLOW_CATALOG_PAGES = 64,   /* pages of tools/list, and of prompts/list, asked of one upstream */
	FLOW_NAMES_WAIT_MS = 2000, /* how long a call of a name that is not there waits until that is looked at again */
	FLOW_INSTRUCTIONS_MAX = 32768, /* bytes of all servers' instructions together */
	FLOW_EDITS = 4096,         /* changed places in one message: entries of a list, members that may not pass */
	FLOW_ACCEPT_MS = 100,      /* until it is tried again, when descriptors or memory have run out */
	FLOW_LIST_MS = 5000,       /* how long a list waits for its slowest upstream, unless the settings say */
	FLOW_PAGE_ENTRIES = 1024,  /* entries on one page of a list that is put together */
	FLOW_AGAIN_MS = 1000,      /* until a lost upstream is listened to again; doubled each time, up to */
	FLOW_AGAIN_MAX_MS = 32000,
	FLOW_ACK_MS = 2000,        /* how long a listen waits for its slowest upstream's acknowledgement */
	FLOW_AUTH_WAIT_MS = 5000,  /* how long a request waits for keys or for an introspection */
	FLOW_KEYS_AGAIN_MS = 1000, /* an issuer's keys are not asked for again within this time of an answer */
	FLOW_EXPIRY_MS = 10000     /* a stream's identity is looked at at least so often: the clock of the day may be set */
};

enum { FLOW_PREFIX_MAX = 40 };

/* In the _meta of what is put together: the servers that are not in it because they could not be asked. */
#define FLOW_META_UNAVAILABLE "postern/unavailable"

struct flow;
struct front;
struct txn;
struct link;
struct upstream;
struct gather;

/* ---- fronts: front.c ---- */

enum front_state {
	FRONT_SHAKE,  /* its TLS handshake is not over */
	FRONT_REST,   /* no byte of a request is here; no buffer held */
	FRONT_HEAD,   /* part of a head is here */
	FRONT_BUSY,   /* a txn is at work */
	FRONT_LINGER  /* refused: our side is closed, the rest is thrown away */
};

struct front {
	struct loop_item item;     /* first: the loop hands it back */
	struct conn_tls *tls;      /* NULL: plain, or it has ended */
	struct flow *f;
	struct list node;          /* in f->ready or f->limbo_fronts */
	struct list age;           /* in f->heads */
	struct timer timer;
	struct buffer *in;
	struct txn *txn;
	struct span owed;          /* the rest of an interim response */
	size_t scanned;            /* http_head_end's memory */
	int64_t since_ms;          /* when this head began */
	uint8_t state;
	uint8_t listener;
	uint8_t inner;             /* enum flow_inner; if not NONE, it has no listener */
	bool readable, writable, half, probed;
	bool gone;                 /* a write failed: the turn ends it */
};

struct acceptor {
	struct loop_item item;
	struct flow *f;
	uint8_t index;
};

void front_run(struct front *c);            /* does what its state allows with what is there */
void front_close(struct front *c);
void front_interim(struct front *c, struct span head); /* an interim response, a literal; front_write() says the rest of it */
bool front_say_owed(struct front *c);       /* true: no part of an interim response is left to write */
void front_next(struct front *c, bool close); /* its txn is over */
bool front_open_all(struct flow *f);        /* listeners */
bool front_adopt(struct flow *f, enum flow_inner kind, int fd); /* an inner connection; false: no slot, and fd is still the caller's */
bool front_evict_holder(struct flow *f);     /* record buffers are short: the slowest gives way; false: none is slow enough yet */
const struct flow_listener *front_listener(const struct front *c);
const struct tls_peer *front_peer(const struct front *c); /* the client's certificate; NULL: none */
/* Its requests mirror their bodies in their heads; those of inner connections need not, for nobody stands between who wrote them and us. */
static inline bool front_has_fields(const struct front *c) { return c->inner == FLOW_INNER_NONE; }
void front_accept_more(struct flow *f);      /* slots may be free again */

/* ---- requests: txn.c, step_table.c, step_run.c ---- */

enum step_end { STEP_NEXT, STEP_WAIT, STEP_ANSWER, STEP_DROP };

enum step_index {
	STEP_HEAD, STEP_AUTH, STEP_BODY, STEP_ENVELOPE, STEP_ROUTE, STEP_POLICY, STEP_PARAMS, STEP_SEND, STEP_REPLY, STEP_ELDER, STEP_FLUSH, STEP_CLOSE, STEPS
};

struct step {
	const char *name;
	enum step_end (*run)(struct txn *t, int64_t now_ms);
};
extern const struct step step_table[STEPS];

enum auth_wait { AUTH_FRESH, AUTH_WAITS_FOR_KEYS, AUTH_KEYS_CAME, AUTH_WAITS_FOR_ANSWER, AUTH_ANSWERED, AUTH_UNANSWERED };

/* The WWW-Authenticate that goes with an answer. */
enum challenge { CHALLENGE_NONE, CHALLENGE_MISSING, CHALLENGE_INVALID, CHALLENGE_SCOPES };

enum outcome { OUTCOME_NONE, OUTCOME_RESULT, OUTCOME_ERROR, OUTCOME_UPSTREAM, OUTCOME_CANCELLED, OUTCOME_REFUSED };

struct txn {
	struct flow *f;
	struct front *front;
	struct list node;              /* in f->receiving, f->keys[i].waiting, an upstream's `waiting`, f->woken, or f->listening */
	struct list legs;
	struct timer timer;            /* auth, body, write, acknowledgement, keep-alive comment: whichever the step waits for */
	struct timer expiry;           /* of the identity of a stream */
	int64_t start_ms;
	unsigned step;
	size_t head_len;               /* 0: it did not end within FLOW_HEAD_MAX */
	struct http_head head;         /* spans into front->in, which stays put while the txn lives */
	struct identity who;           /* as the auth step has decided; IDENTITY_NONE before it */
	struct span token;             /* the caller's own, in the head; absent unless it came with one */
	uint32_t call;                 /* nonzero: an introspection has been asked for under this number */
	uint8_t auth_wait;             /* enum auth_wait */
	uint8_t auth_verdict, auth_reason, auth_issuer;
	uint8_t challenge;             /* enum challenge */
	bool challenge_dpop;
	bool foreign;                  /* its Origin is not ours to answer to */
	bool metadata;                 /* it asks for the metadata document, not for MCP */
	uint64_t scopes;               /* what a name it might have used asks for besides what it has */

	struct intake intake;
	struct buffer *large;          /* the body, when it does not fit behind the head */
	struct span text;              /* the judged bytes */

	struct mcp_message msg;        /* its tokens are good only within one run of steps; its spans as long as the txn */
	struct span progress;          /* the client's progressToken, raw; absent without one */
	struct span variable;          /* of a template, to be completed: as the client writes it */
	struct span called;            /* tool, prompt or URI as the client writes it, unescaped, in `names` */
	struct span name;              /* the same as its server knows it: without the prefix */
	struct span task;              /* of tasks/get, …: the upstream's own id, in `names`; `name` is then the tool that made it */
	struct span arguments;         /* of a call or a prompt, raw; absent without any */
	bool tasks;                    /* the client speaks of tasks */
	bool retried;                  /* it has a requestState, which was given to this caller for this request by t->server */
	bool checked;                  /* passed the envelope: counts as an MCP request */
	bool log_asked;                /* _meta has logLevel */
	uint8_t server;                /* where it goes */
	uint8_t skip_to;               /* servers before this one have been asked in vain */
	uint8_t missed;                /* 1 and the first server that may have the resource and could not be asked; 0: none */
	bool looked;                   /* it has waited for a newer catalogue: a name that is not in this one is not there */
	bool unknown;                  /* an upstream has said that there is no such resource: this caller is told so in our words */
	bool waited;                   /* it has waited long enough for catalogues: it goes on without those that have not come */
	uint32_t wanted, missing;      /* a list: the servers that have a part of it, and those that may have one and cannot be asked; a bit a server */
	bool has_cursor;
	uint32_t list_skip;            /* entries of its page that were given out before */
	struct span cursor;            /* inner cursor for that server, in `names` */
	char names[MCP_URI_MAX + MCP_CURSOR_MAX];

	char task_text[MCP_TASK_MAX];  /* the id of a task that its call has become */
	struct buffer *out;            /* being written to the client: bytes out->from .. out->n */
	unsigned status;
	uint8_t outcome;
	bool streaming;                /* an event stream has begun */
	bool ended;                    /* nothing will be added to `out` any more */
	bool close;                    /* close the connection after the answer */
	bool retry_after;

	bool listening;                /* a listen: counted in f->listens */
	bool acked;
	uint8_t asked;                 /* list-changed flags that it asks for: a bit a flag */
	uint8_t changed;               /* acknowledged ones, union over legs */
	uint8_t again_tries;
	uint32_t heard;                /* servers whose acknowledgement is part of ours; a bit a server */
	uint32_t lost;                 /* servers that are to be listened to again */
	uint64_t tasks_heard;          /* which of the taskIds of its filter are acknowledged; a bit an id */
	int64_t renewed_ms;            /* when one of them last was */
	struct timer again;
	bool sending;                  /* its legs are being sent: not yet the time to settle */
	bool judged;                   /* what its upstreams say is judged and put together here, and not passed on as it is */
	struct gather *gather;         /* a list that is being put together: gather.c */
	struct buffer *page;           /* as far as it goes */

	struct buffer *uris;           /* acknowledged URIs, raw JSON strings joined by commas */

	bool old;                      /* of a client of a revision before ours: it is the elder's */
	bool old_stream;               /* GET: a stream without end */
	uint32_t elder_call;           /* nonzero: the elder has been asked under this number and has not done yet */
	uint8_t session_n;
	char session[ELDER_SESSION_MAX]; /* Mcp-Session-Id of the answer */
};

struct txn *txn_new(struct front *c, int64_t now_ms);   /* NULL: the pool is empty */
void txn_run(struct txn *t);                            /* runs steps until one waits or the txn is over */
void txn_goto(struct txn *t, enum step_index step);     /* continue there */
bool txn_reread(struct txn *t);                         /* the json view holds its message again, and t->msg the tokens; false: not so */
void txn_cancel(struct txn *t);                         /* the client is gone */
void txn_watch_expiry(struct txn *t);                   /* it is a stream: ends when its caller's identity does */
void txn_free(struct txn *t);                           /* by the last step only */

/* ---- who may what: step_auth.c, step_policy.c ---- */

void auth_late(struct txn *t);                          /* what it waited for did not come */
void auth_leave(struct txn *t);                         /* it waits no longer */
/* The metadata document (RFC 9728). True: the path of the request is that of the document. */
bool auth_is_metadata(const struct flow_listener *at, struct span path);
enum step_end answer_metadata(struct txn *t);

/* `name` without prefix, at that upstream. */
struct policy_answer rights_use(const struct txn *t, const struct upstream *up, struct span name);
struct policy_answer rights_uri(const struct txn *t, const struct upstream *up, struct span uri); /* the same of a resource, whatever is asked */
bool rights_see(const struct txn *t, const struct upstream *up);     /* false: it does not exist for this caller */
bool rights_see_all(const struct txn *t, const struct upstream *up); /* true: nothing there is hidden from this caller */
bool rights_shared(const struct upstream *up);                       /* what it says is the same whoever asks */
enum step_end answer_unknown(struct txn *t);                         /* there is no such name, or none that may be used */
enum step_end answer_scopes(struct txn *t, uint64_t scopes);         /* 403: come again with these */
enum step_end answer_empty_list(struct txn *t);

/* ---- old clients: step_elder.c, elder.c, inner.c ---- */

bool elder_wants_head(const struct txn *t);      /* GET or DELETE in a session */
/* The message just read, with the fault found in it, is an old client's; asked only if its head does not say that it is ours. */
bool elder_wants(const struct txn *t, const struct mcp_fault *fault);
enum step_end elder_send(struct txn *t);         /* to the elder, or a refusal */
void elder_finish(struct txn *t);                /* graceful end of a stream from our side */
void elder_leave(struct txn *t);                 /* it is over: the elder is told if it does not know */
/* elder.c. False: there is none, or no buffer; *full says which. */
bool elder_ask(struct flow *f, const struct elder_msg *m, bool *full);
void elder_gone(struct flow *f, uint64_t call);
void elder_turn(struct flow *f);
bool elder_said(struct flow *f, const struct elder_msg *m); /* a frame about a call; false: it breaks the rules of the edge */
struct span elder_token(const struct txn *t);    /* the caller's, of the old request that this one is made of; absent: it is not to be had */
void elder_lost(struct flow *f);                 /* every call fails */

struct elder_edge {
	struct loop_item item;         /* first */
	struct flow *f;
	bool up, readable, writable, half;
	bool stuck;                    /* it reads nothing: the turn ends it */
	struct buffer *in;             /* its own, as large as the largest */
	struct list out;               /* HTTP frames to write, in order */
	struct elder_frame *gone;      /* `gone_max` of them: GONE frames to write, `gone_sent` bytes of the first are */
	uint32_t ngone, gone_max, gone_sent;
	uint32_t calls;                /* counts them */
	uint32_t posts, streams;       /* requests that are the elder's now */
};

struct inner_edge {
	struct loop_item item;         /* first */
	struct flow *f;
	uint8_t kind;
	bool up;
};

uint32_t inner_count(const struct flow_settings *s); /* inner connections at once */
/* Who calls, on an inner connection; false: nobody. */
bool inner_who(struct txn *t);

/* ---- answers: answer.c ---- */

/* Room for a body of up to `bound` bytes behind room for the head. False: no buffer (nothing can be said; drop). */
bool answer_room(struct txn *t, size_t bound, struct buf *body);
/* The head in front of what `body` holds. */
enum step_end answer_send(struct txn *t, unsigned status, const struct buf *body, struct span media_type);
enum step_end answer_empty(struct txn *t, unsigned status, struct span fields);
enum step_end answer_fault(struct txn *t, const struct mcp_fault *fault);       /* our own refusal */
enum step_end answer_http(struct txn *t, unsigned status, struct span text);    /* before there is a message: id-less error */
/* Our own word on an upstream's trouble: 502, 503 or 504 and -32603; as a last event when a stream has begun. */
enum step_end answer_upstream(struct txn *t, unsigned status, struct span server, struct span what);
void answer_server(const struct flow *f, struct buf *b);                       /* serverInfo, or clientInfo towards upstreams: our own */
void answer_unavailable(const struct flow *f, struct buf *b, uint32_t servers); /* a further member of _meta, if there are any; a bit a server */

bool stream_begin(struct txn *t);
bool stream_event(struct txn *t, struct span json);     /* false: the client is too slow for it, or no buffer */
bool stream_event_id(struct txn *t, struct span json, struct span id, uint32_t retry_ms);
bool stream_comment(struct txn *t);
bool stream_end(struct txn *t);
void front_write(struct txn *t);                        /* writes `out` as far as it goes; `out` is NULL when all of it went */

/* ---- upstreams ---- */

enum catalog_state { CATALOG_NONE, CATALOG_FETCHING, CATALOG_KNOWN, CATALOG_FAILED };

/* How a question to an upstream fails: leg.h. */
enum leg_fault { LEG_CONNECT, LEG_FULL, LEG_LOST, LEG_LATE, LEG_BROKEN, LEG_LARGE, LEG_REFUSED, LEG_BUSY, LEG_TLS, LEG_CREDENTIAL };

struct upstream {
	struct loop_item item;         /* built-in: the shared line; first */
	struct flow *f;
	const struct flow_server *set;
	unsigned index;
	char prefix_mem[FLOW_PREFIX_MAX];
	struct span prefix;            /* of its names, as clients and the policy have them: "name__", or nothing */
	struct list legs;              /* in progress */
	/* HTTP */
	struct list idle;              /* links at rest, last used first */
	unsigned nlinks;
	int64_t quiet_until_ms;        /* pace_owe_loudly() */
	/* which of the two, for FLOW_ERA_AUTO: catalog_fetch.c */
	bool bridged;                  /* by line: it speaks an older revision, as far as is known */
	bool era_known;
	bool probing;                  /* the server/discover under way goes over HTTP, to see */
	int64_t probe_ms;              /* when to look again whether it speaks ours by now */
	/* by line */
	bool line_up, line_readable, line_writable, line_half;
	struct buffer *line_in;        /* its own, as large as the largest: all calls share the line, and none may stop it for want of a buffer */
	size_t line_scanned;
	struct list line_out;          /* buffers to write, in order */
	/* catalogue: catalog_fetch.c */
	struct catalog *catalog;
	struct catalog *staging;       /* being learned; takes the other's place when it is whole */
	enum mcp_method catalog_asked;
	uint8_t catalog_state;
	bool catalog_stale;            /* a list_changed went by */
	bool names;                    /* the names of its tools and prompts are kept, for the policy; else an unknown one is for it to refuse */
	bool names_cut_said;
	bool slow;                     /* it let somebody wait in vain: lists do without it until it has answered */
	struct {                       /* tools and prompts that cannot be offered under their names: of the catalogue being learned */
		unsigned n;
		uint64_t mark, said;       /* which they are, and which were said last, summed up */
		uint32_t text_n;
		char text[256];            /* the first of them, and why */
	} left_out;
	unsigned catalog_pages;
	int64_t catalog_asked_ms;      /* when what is known was asked for, or later in vain */
	int64_t catalog_until_ms;      /* KNOWN: refresh after; FAILED: ask again after */
	int64_t stale_ms;              /* until when looks are paid for that it has made necessary by saying that it changed */
	struct leg *catalog_leg;
	bool catalog_asking;
	bool catalog_due;              /* to be asked in this turn, by line: over HTTP it was in vain */
	bool catalog_again;            /* server/discover has been asked twice, because its versions were refused in spite of being right */
	struct { uint8_t n; char text[200]; } why; /* what went wrong when it was asked last: printable ASCII, nothing to escape */
	struct list waiting;           /* txns */
};

/* What it is asked from now on goes over its line, not over HTTP. What is under way may go another way (leg.by_line). */
static inline bool upstream_by_line(const struct upstream *up) { return up->set->kind != FLOW_HTTP || up->bridged; }
static inline uint32_t upstream_bit(const struct upstream *up) { return UINT32_C(1) << up->index; }
static inline bool server_has_line(const struct flow_server *s) { return s->kind != FLOW_HTTP || s->era != FLOW_ERA_MODERN; }

/* list.c */
struct span list_member(enum mcp_method m);                                  /* the array in a list's result; absent: not a list */
bool list_shareable(const struct txn *t, const struct upstream *up);         /* may somebody else be given this answer? */

/* route.c */
void wait_for_catalog(struct txn *t, struct upstream *up);   /* begins again at the envelope when it is there: tokens do not outlive a wait */
int64_t list_until(const struct txn *t);         /* until when what is put together waits for its slowest upstream */
/* True: the txn waits for this upstream's catalogue, of which it needs to know; false: go on, with catalog_state as it is. */
bool route_waits(struct txn *t, struct upstream *up);
/* The servers' names in their order, for what is sealed with one. */
void route_names(const struct flow *f, struct span names[FLOW_SERVERS_MAX]);
void route_cursor_key(const struct txn *t, uint8_t key[SEAL_KEY]);
/* A key of this caller's, for all kinds of seals: other than with the tenant's cursors, another caller of the tenant has another. */
void route_caller_key(const struct txn *t, uint8_t key[SEAL_KEY]);
/* May this upstream be asked for this URI (at least among others)? */
bool route_serves_uri(const struct flow_server *s, struct span uri);

/* offer.c: tools and prompts that cannot be offered under their names (gate/names.h): not listed, not callable, said once */
/* Absent: it can. `name`: without prefix, unescaped. */
struct span offer_unfit(const struct upstream *up, enum catalog_kind kind, struct span name);
/* The same of an entry of a list that is being learned; what cannot be offered is noted. */
bool offer_learn(struct upstream *up, enum catalog_kind kind, uint32_t entry);
void offer_without(struct upstream *up, uint32_t tool, struct span why);     /* a tool being learned that is wrong otherwise */
void offer_begin(struct upstream *up);
void offer_say(struct upstream *up);                                         /* all is learned */

/* hygiene.c: members of _meta that may not pass become edits that take them out (gate/meta.h); f->json holds the document. With s->full not all did. */
void hygiene_meta(const struct upstream *up, uint32_t meta, struct edits *s);                          /* a client's params._meta */
void hygiene_request(const struct upstream *up, const struct mcp_message *m, struct edits *s);         /* and what it answers in a retry */
void hygiene_result(const struct upstream *up, enum mcp_method method, uint32_t result, struct edits *s); /* all but the entries of a list */
void hygiene_entry(const struct upstream *up, uint32_t entry, struct edits *s);                        /* one of them */
void hygiene_event(const struct upstream *up, const struct mcp_message *m, struct edits *s);           /* a notification of the upstream's */

/* catalog_fetch.c */
bool catalog_ready(struct upstream *up);         /* known or known to be failing; starts a fetch when it is time */
bool catalog_renew(struct upstream *up);         /* something was not in it: asks anew, unless that was done lately. True: a newer one is on the way */
void catalog_answer(struct upstream *up, const struct mcp_message *m, unsigned status); /* status: HTTP; 0 by line */
void catalog_failed(struct upstream *up); /* catalog_refused: the same, with what came back: it may say that an older revision is spoken there */
void catalog_refused(struct upstream *up, enum leg_fault fault, unsigned status, struct span why);
enum step_end answer_unknown_upstream(struct txn *t, unsigned status, unsigned index); /* nothing is known of what it offers: why */
void catalog_turn(struct flow *f);
enum step_end answer_discover(struct txn *t);

/* One issuer's keys, when they are fetched. */
struct key_chain {
	struct jwk_set *set;           /* where they are kept */
	struct list waiting;           /* txns */
	int64_t asked_ms;              /* 0: nobody is asking */
	int64_t answered_ms;           /* 0: never */
};

struct flow {
	const struct flow_settings *set;
	struct loop *loop;
	struct metrics *metrics;
	struct timers timers;
	struct slots fronts, txns, legs, links, gathers, small, large;
	struct conn_pool tls;
	struct tls_signer signer;      /* hooks.sign */
	struct tls_door door[FLOW_LISTENERS_MAX]; /* the settings' own, with this process's cache and signer */
	struct tls_route route[FLOW_SERVERS_MAX];
	struct timer records_again;    /* armed: somebody waits for record buffers */
	struct acceptor accept[FLOW_LISTENERS_MAX];
	struct flow_listener inner_at; /* what inner connections have for a listener */
	struct inner_edge inner[FLOW_INNERS];
	uint32_t inners;               /* fronts that are inner connections */
	struct elder_edge elder;
	struct passport_keys passports;
	struct upstream up[FLOW_SERVERS_MAX];
	struct list ready;             /* fronts with more to do this turn */
	struct list heads;             /* fronts with part of a head, oldest first */
	struct list ready_links;       /* links to run later in this turn */
	struct list woken;             /* txns whose catalogue has come, to go on later in this turn */
	struct list receiving;         /* txns waiting for their body, oldest first */
	struct list listening;
	struct list limbo_fronts, limbo_links;
	struct http_head reply_head;   /* of the reply at hand */
	struct json_table *table;
	struct json json;              /* the document at hand */
	struct span fields;            /* Mcp-Param-* lines of the request at hand, in scratch; good within one run of steps */
	struct edit *edits;            /* FLOW_EDITS of them, for the reply at hand */
	char *scratch;                 /* one large buffer's worth for putting things together within a call */
	size_t scratch_cap;
	size_t large_cap;
	struct key_chain keys[AUTH_ISSUERS_MAX];
	const struct jwk_set *key_sets[AUTH_ISSUERS_MAX]; /* as auth_decide() takes them */
	struct auth_cache *known_tokens;
	uint8_t proof_key[AUTH_PROOF_KEY];  /* the same in all workers, as the table of proofs is */
	uint32_t auth_waits;           /* txns that wait in the auth step */
	uint32_t auth_call;
	int64_t auth_said_ms;          /* when a refusal was last logged */
	bool policy_same;              /* no rule looks at who asks */
	uint32_t listens;
	uint32_t leg_generation;
	uint32_t ahead;                /* legs that were sent before their turn */
	bool accept_paused;
	struct timer accept_again;     /* armed: descriptors or memory had run out */
	bool draining;
	int64_t drain_until_ms;
};

/* Legs that may be sent before their turn, over what there is for requests. */
static inline uint32_t flow_ahead(const struct flow_settings *s) { return s->nservers > 1 ? 2 * s->nservers : 0; }

static inline int64_t flow_list_ms(const struct flow_settings *s) { return s->list_ms > 0 ? s->list_ms : FLOW_LIST_MS; }

static inline int64_t flow_now(const struct flow *f) { return f->loop->now_ms; }
int64_t flow_unix(const struct flow *f);        /* the time of day; 0 without a clock, which validates nothing */
void flow_log(struct flow *f, struct span what, struct span who, struct span detail);

#endif
