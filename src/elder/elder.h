/* elder/elder.h: the sessions of clients of MCP 2025-11-25, 2025-06-18 and 2025-03-26, as an engine: their HTTP requests come in, modern
 * requests (2026-07-28) for them go out, and what comes back is said to them in the words of their revision. No I/O, no clock, no allocation.
 *
 * What an old client has and a modern one has not lives here: `initialize` and the session that begins with it, the GET stream, event ids and
 * what is kept for Last-Event-ID, requests from server to client (made of `input_required`), logging/setLevel, resources/subscribe (one
 * subscriptions/listen a session), ping, batches (2025-03-26 only), notifications/cancelled. docs/reference/old-clients.md says it to people.
 *
 * Who is who. A session belongs to the principal that began it; to anybody else it does not exist (404). Its modern requests carry the newest
 * sealed identity that its client's requests came with. A request is named by (worker, call), an own question by a number.
 *
 * Every request gets exactly one answer: reply(), or stream(), events and end(); but none after elder_client_gone(), and none after elder_worker_lost()
 * for that worker. What is not there for a client any more is kept (bounded) if it can come back for it: if its stream had begun, events have ids.
 *
 * Hooks never call back into the engine. Spans given to them live until they return; spans given to the engine likewise. Texts from clients are one JSON
 * document, but nothing else is taken for granted; those from workers are judged as an upstream's are. */
#ifndef POSTERN_ELDER_ELDER_H
#define POSTERN_ELDER_ELDER_H

#include "base/span.h"

enum {
	ELDER_PRINCIPAL_N = 32,
	ELDER_IDENTITY_N = 512,       /* bytes of a sealed identity, at most */
	ELDER_GROWTH = 16384,         /* an answer to a client is at most so much longer than reply_max */
	ELDER_WORKERS = 64,
	ELDER_ROUNDS = 8,             /* how often one request may ask its client for more */
	ELDER_INPUTS = 16,            /* questions to the client at once, for one request */
	ELDER_BATCH = 64,             /* messages of a batch */
	ELDER_URIS = 32,              /* resources a session is subscribed to */
	ELDER_ANSWER_MS = 600000,     /* how long a client may think about a question */
	ELDER_OPEN_MS = 1000,         /* a request that takes longer is answered with a stream, so that its client can come back for the rest (2025-11-25) */
	ELDER_ACK_MS = 5000,          /* how long resources/subscribe waits until it is in force */
	ELDER_FRESH_MS = 3000000,     /* a GET stream ends when its client has not said for so long who it is: coming again it does */
	ELDER_BUSY_MS = 300000        /* a session of another principal gives way to a new one only if it has been silent for so long */
};

enum elder_way { ELDER_BY_POST, ELDER_BY_GET, ELDER_BY_DELETE };

/* One HTTP request of an old client. Absent spans: not sent. */
struct elder_asked {
	unsigned worker;
	uint64_t call;                /* unique for its worker while it is not over */
	enum elder_way way;
	const uint8_t *principal;     /* ELDER_PRINCIPAL_N bytes */
	struct span identity, version, session, last_event, body;
};

/* A modern request. `name`: what Mcp-Name says, not yet encoded; absent for methods without. */
struct elder_question {
	uint64_t number;
	unsigned worker;              /* whom it should go to, if it can */
	uint64_t call;                /* of that worker: the client's request it is made of, while its client is there; else 0 */
	struct span method, name, identity, body;
	bool listen;                  /* subscriptions/listen: it has no end of its own */
};

struct elder_hooks {
	void *ctx;
	/* The whole answer: JSON, or a status alone (json absent). session: for Mcp-Session-Id, absent: none. again: Retry-After. scopes: as in elder_lacks(),
	 * with status 403; else 0. */
	void (*reply)(void *ctx, unsigned worker, uint64_t call, unsigned status, struct span session, bool again, uint64_t scopes, struct span json);
	void (*stream)(void *ctx, unsigned worker, uint64_t call, struct span session);
	/* json absent: the id alone. False: the client does not take it, and loses this stream: nothing more is said about this call. */
	bool (*event)(void *ctx, unsigned worker, uint64_t call, struct span id, struct span json);
	void (*end)(void *ctx, unsigned worker, uint64_t call);
	/* False: it cannot be sent now. Else elder_message() any number of times, and elder_over() once, unless it is dropped. */
	bool (*send)(void *ctx, const struct elder_question *q);
	void (*drop)(void *ctx, uint64_t number);
};

struct elder_settings {
	struct span version;          /* of Postern */
	unsigned workers;
	uint32_t sessions, sessions_each; /* in all; of one principal */
	uint32_t calls;               /* requests in progress, in all */
	uint64_t body_max, reply_max; /* bytes of a client's document, of an upstream's */
	uint64_t kept;                /* bytes for what waits or is kept: events, requests that may be asked again, answers of clients */
	uint64_t kept_each;           /* bytes of events kept for one session */
	uint32_t tokens;              /* of one JSON document */
	int64_t idle_ms;              /* a session nobody uses for so long ends */
	uint8_t entropy[32];          /* fresh random bytes: session ids are made of them. May be wiped after elder_place() */
	uint8_t seed[16];             /* keys the hashes of JSON names */
	struct elder_hooks hooks;
};

struct elder;

void elder_budget(const struct elder_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t elder_need(const struct elder_settings *s);
/* mem: elder_need() bytes, zeroed, aligned to 64. The settings must outlive it. */
struct elder *elder_place(void *mem, const struct elder_settings *s);

/* A worker's edge is there (a new one: elder_worker_lost() first). */
void elder_worker_joined(struct elder *e, unsigned worker);
/* It is gone, and with it all its calls: their clients may come back by another. */
void elder_worker_lost(struct elder *e, unsigned worker, int64_t now_ms);

void elder_asks(struct elder *e, const struct elder_asked *a, int64_t now_ms);
/* The client of this call has gone. */
void elder_client_gone(struct elder *e, unsigned worker, uint64_t call, int64_t now_ms);

/* The answer to this question, which follows, is a refusal: with more scopes it would be another. They are not looked at, but go to the client of the call. */
void elder_lacks(struct elder *e, uint64_t number, uint64_t scopes);
/* One JSON-RPC message for a question: a JSON body or an event's data. */
void elder_message(struct elder *e, uint64_t number, struct span json, int64_t now_ms);
/* Its exchange has ended. why: for a person, in case it ended without an answer. */
void elder_over(struct elder *e, uint64_t number, struct span why, int64_t now_ms);

/* What time brings. Returns how long nothing else will come of time, in ms (-1: for ever). */
int elder_tick(struct elder *e, int64_t now_ms);

/* For tests and logs: sessions, and requests in progress, at this moment. */
uint32_t elder_sessions(const struct elder *e);
uint32_t elder_calls(const struct elder *e);

#endif
