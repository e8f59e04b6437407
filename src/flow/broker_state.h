/* flow/broker_state.h: the broker's inside, for broker.c (edges, memory), broker_keys.c (key sets) and broker_calls.c (introspection, tokens).
 *
 * An ask is a worker's call that has no answer yet. It hangs on its edge and, unless there is nothing to wait for, on an entry: one
 * thing to be had and kept, for whoever asks. An entry that somebody waits for, or whose answer a worker did not take yet, is not given up. */
#ifndef POSTERN_FLOW_BROKER_STATE_H
#define POSTERN_FLOW_BROKER_STATE_H

#include "base/list.h"
#include "base/slots.h"
#include "flow/broker.h"
#include "flow/broker_msg.h"
#include "wire/oauth.h"

enum {
	BROKER_KEYS_MIN_MS = 300000, BROKER_KEYS_MS = 3600000, BROKER_KEYS_MAX_MS = 12 * 3600000,
	BROKER_KEYS_AGE_MS = 24 * 3600000,
	BROKER_KEYS_RETRY_MS = 60000, BROKER_KEYS_FIRST_MS = 1000, BROKER_KEYS_FIRST_MAX_MS = 10000,
	BROKER_FORCE_MS = 60000,
	BROKER_ACTIVE_MS = 30000, BROKER_INACTIVE_MS = 5000, BROKER_UNANSWERED_MS = 1000,
	BROKER_EARLY_MS = 30000, BROKER_UNSAID_MS = 30000, BROKER_EXCHANGED_MAX_MS = 300000, BROKER_CLIENT_MAX_MS = 24 * 3600000,
	BROKER_AGAIN_MS = 10000, BROKER_FAILED_MS = 5000,
	BROKER_STUCK_MS = 5000,       /* a worker that takes no answer for so long loses its edge */
	BROKER_SWEEP_MS = 5000,       /* how often what is over is looked for, to wipe it */
	BROKER_BATCH = 32,            /* messages taken from one edge in one turn */
	BROKER_TOKENS = 4096,         /* JSON tokens of an answer */
	BROKER_ANSWER_MAX = 16384     /* bytes of an answer that is no key set */
};

enum entry_kind { ENTRY_INTROSPECT, ENTRY_TOKEN, ENTRY_KINDS };
enum entry_state { ENTRY_FREE, ENTRY_QUEUED, ENTRY_FETCHING, ENTRY_READY, ENTRY_NONE };

struct broker_entry {
	struct list queue;            /* QUEUED: in its table's queue */
	struct list asks;
	uint8_t key[CRYPTO_HASH];
	uint8_t state, kind, index;   /* index: issuer or server */
	bool exchange;                /* a token: got for a subject's, which was the text */
	bool forced;
	int64_t forced_ms;            /* forced: when `again` last had its way */
	int64_t began_ms;             /* when it was asked for */
	int64_t until_ms;             /* QUEUED, FETCHING: its deadline. READY, NONE: kept until then */
	uint32_t n;
	char text[BROKER_TEXT_MAX];   /* QUEUED: the token to send. READY: the answer */
};

struct broker_table {
	struct broker_entry *entries;
	uint32_t count;
	struct list queue;
	unsigned nslots;
	struct { struct fetch *fetch; struct broker_entry *entry; } slots[BROKER_CALLS];
};

struct broker_keyset {
	struct jwk_set set;
	bool have, fetching, forced;
	uint8_t hash[CRYPTO_HASH];    /* of the text it was read from */
	uint32_t version;             /* changes with the set; 0: none yet */
	int64_t got_ms, next_ms, forced_ms;
	unsigned failures;            /* in a row */
	uint64_t askers;              /* a bit a worker */
	struct fetch *fetch;
};

struct broker_edge {
	struct loop_item item;        /* first: the loop hands it back; fd -1: none */
	struct broker *b;
	unsigned worker;
	bool readable, writable, stuck;
	int64_t stuck_ms;             /* stuck: since when */
	uint32_t version[AUTH_ISSUERS_MAX]; /* of the set sent last */
	uint32_t owed;                /* issuers whose keys are to be sent, a bit each */
	uint32_t open[ENTRY_KINDS];
	struct list asks;
};

struct broker_ask {
	struct list of_edge, of_entry;
	struct broker_edge *edge;
	struct broker_entry *entry;   /* NULL: the answer is none */
	uint64_t call;
	enum entry_kind kind;
};

struct broker_secret {
	uint32_t n;                   /* 0: none */
	char text[BROKER_SECRET_MAX];
};

struct broker {
	const struct broker_settings *set;
	struct loop *loop;
	struct timers timers;
	struct conn_pool conns;
	struct fetch_room room;
	struct broker_edge *edges;
	struct slots asks;
	struct broker_table tables[ENTRY_KINDS];
	struct broker_keyset *keysets;        /* by issuer */
	struct broker_secret *issuer_secrets; /* client secrets, by issuer and by server */
	struct broker_secret *server_secrets;
	struct broker_entry *statics;         /* by server: lines of static secrets, READY for ever */
	struct json_table *json;
	char *scratch;                        /* FETCH_REQUEST_MAX: the form at hand; wiped after use */
	union broker_packet *packet;          /* the message at hand; wiped after use */
	int64_t sweep_ms;                     /* when to look next for what is over */
	bool opened;
};

static inline unsigned broker_edges(const struct broker_settings *s) { return s->workers + s->bridges; }
/* The server whose bridge it is; -1: it is a worker's. */
static inline int edge_server(const struct broker_edge *e) { return e->worker < e->b->set->workers ? -1 : (int)(e->worker - e->b->set->workers); }
static inline int64_t broker_now(const struct broker *b) { return b->loop->now_ms; }

/* broker.c */
void broker_say(struct broker *b, struct span what, struct span who, struct span detail, struct span more);
bool edge_send(struct broker_edge *e, const union broker_packet *m); /* false: not now */

/* broker_keys.c */
void keys_open(struct broker *b);
const char *keys_asked(struct broker_edge *e, unsigned issuer);
void keys_owe_all(struct broker_edge *e);                  /* a new edge */
bool keys_flush(struct broker_edge *e);                    /* sends what is owed; false: not all of it */
void keys_tick(struct broker *b);
int64_t keys_next_ms(const struct broker *b);              /* when it wants its next turn; INT64_MAX: not */

/* broker_calls.c */
const char *call_introspect(struct broker_edge *e, const struct broker_introspect *m, struct span token);
const char *call_token(struct broker_edge *e, const struct broker_token_ask *m, struct span subject);
void call_drop(struct broker_ask *a);                      /* its edge is closed */
bool call_flush(struct broker_edge *e);                    /* sends answers that a full socket held up */
void call_tick(struct broker *b);
void call_sweep(struct broker *b);                         /* wipes what is over */
bool call_kept(const struct broker *b);                    /* there is something that will be over */

#endif
