/* flow/broker.h: the broker's engine: what Postern itself asks of authorization servers, and the credentials for upstreams.
 *
 * KEY SETS by url are fetched at start, then whenever their time is over: Cache-Control max-age, held between 5 minutes and 12 hours, 1 hour
 * where it says nothing. One fetch per issuer at a time. A worker that meets an unknown kid asks; that forces a fetch at most once in 60 s
 * and issuer, every other ask is answered with what is there. When a fetch fails the last good set stays, for 24 hours after it came; the
 * next try is made a minute later, or 1, 2, 4, 8, 10 … s later when there is no set at all (asks do not hasten it). A set is 64 KiB of JSON
 * at most (JWK_TEXT_MAX). Changes go to all workers at once.
 *
 * INTROSPECTION (RFC 7662) is an authenticated POST, a bounded number at a time, one per token: who asks about the same token waits for the
 * same answer. Answers are kept under the SHA-256 of the token: `active` ones for 30 s or until `exp`, others 5 s. Anything that is not a
 * right answer counts as none and is not asked again for a second.
 *
 * CREDENTIALS are one head line per call, never the caller's token. A static secret is that line at once. Client credentials (RFC 6749 4.4)
 * are kept per (server, tenant) until 30 s before they expire, 24 hours at most; exchanged tokens (RFC 8693) per (server, tenant, SHA-256 of
 * the subject token) until then and 5 minutes at most. A token that lives less than a minute is kept for half of its life, one whose server
 * does not say how long it lives for 30 s. One request per entry at a time. `again` (the upstream refused the last one) asks for a new one,
 * at most once in 10 s and entry, else for the one that is there; a static secret has no newer one, and `again` is answered with none. A
 * failure is kept for 5 s. A token whose scope is wider than what was asked for is refused,
 * and so is a JWT that says it is for another audience. Who has no token to exchange gets none; but where a
 * worker asks on its own account (BROKER_NO_TENANT: a catalogue), client credentials are used in place of an exchange. Tables are bounded: a
 * full one gives up its oldest entry that nobody waits for, or answers none.
 *
 * Tokens and secrets are wiped where they lay as soon as they are not needed; no log line holds any text of a secret, a token or an answer.
 *
 * Same manner as flow: all memory is given once; the owner calls loop_wait(), then broker_tick(). */
#ifndef POSTERN_FLOW_BROKER_H
#define POSTERN_FLOW_BROKER_H

#include "flow/fetch.h"
#include "gate/auth.h"

enum {
	BROKER_SERVERS_MAX = 32,
	BROKER_SECRET_MAX = 4096,
	BROKER_NO_TENANT = IDENTITY_TENANTS_MAX,
	BROKER_CALLS = 8,             /* requests under way at once, of introspection and of tokens each; key sets have one each besides */
	BROKER_ENTRIES = 256          /* kept answers, of introspection and of tokens each, if the settings do not say otherwise */
};

struct broker_issuer {
	struct span name;             /* for the log */
	bool keys;                    /* its set is fetched from `jwks` */
	struct fetch_peer jwks;
	bool introspection;
	struct fetch_peer introspect;
	struct span client_id;        /* for introspection; absent: it is not authenticated by a secret */
};

enum broker_kind { BROKER_NO_CREDENTIAL, BROKER_STATIC, BROKER_CLIENT, BROKER_EXCHANGE };

struct broker_server {
	struct span name;             /* for the log */
	enum broker_kind kind;
	struct span header, scheme;   /* STATIC: the line is "header: scheme secret"; an empty scheme: "header: secret" */
	struct fetch_peer token;      /* CLIENT, EXCHANGE: from here on */
	struct span client_id, scope, resource, audience; /* absent: not sent */
	bool secret;                  /* a client secret will be given (HTTP Basic); else client_id goes into the form (RFC 8705 2.1) */
};

struct broker_settings {
	struct broker_issuer issuers[AUTH_ISSUERS_MAX]; /* numbers as in the configuration */
	unsigned nissuers;
	struct broker_server servers[BROKER_SERVERS_MAX]; /* likewise */
	unsigned nservers;
	unsigned workers, tenants;
	unsigned bridges;             /* 0, or nservers: edges behind those of the workers, of the process that speaks for that server; it may ask for
	                               * credentials of its own server and nothing else, and is sent no keys */
	uint32_t asks;                /* of a kind open per worker; the same number as broker_client_place() gets */
	uint32_t entries;             /* 0: BROKER_ENTRIES */
	int64_t fetch_ms;             /* one ask from beginning to end, waiting included */
	int64_t (*unix_ms)(void);
	void (*log)(struct span line);
	uint8_t entropy[32];          /* fresh from the kernel: TLS */
	uint8_t seed[16];             /* random; keys hashes of JSON names */
};

/* The parts of broker_need(), for `postern budget`. */
void broker_budget(const struct broker_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t broker_need(const struct broker_settings *s);
/* mem: broker_need() bytes, zeroed, aligned to 64. Settings and their spans outlive it. */
struct broker *broker_place(void *mem, const struct broker_settings *s, struct loop *loop);

enum broker_owner { BROKER_OF_ISSUER, BROKER_OF_SERVER };
/* Whether that issuer or server needs a secret. */
bool broker_wants(const struct broker_settings *s, enum broker_owner of, unsigned index);
/* A secret as its file has it, copied without one newline (LF or CRLF) at its end. NULL: taken; else why it cannot be one (static): empty,
 * longer than BROKER_SECRET_MAX, or with a byte that does not belong into a head line. All that are wanted, before broker_open(). */
const char *broker_secret(struct broker *b, enum broker_owner of, unsigned index, struct span text);

/* Starts to fetch key sets. */
void broker_open(struct broker *b);
/* A worker's new edge (or, from number `workers` on, that of a server's bridge): an older one is closed and forgotten. Takes the fd. The sets that are there are sent at once. */
void broker_link(struct broker *b, unsigned worker, int fd);
/* After each loop_wait(). Returns how long the next wait may last in ms (-1: for ever). */
int broker_tick(struct broker *b);

#endif
