/* flow/flow.h: a worker's engine: client connections in, MCP checked, calls out to upstreams, answers back.
 *
 * Everything it will ever use lies in the memory given to flow_place(); nothing is allocated later. The settings and all their spans must
 * outlive it. One process, one thread; the owner calls loop_wait() and then flow_tick(). */
#ifndef POSTERN_FLOW_FLOW_H
#define POSTERN_FLOW_FLOW_H

#include "base/addr.h"
#include "gate/auth.h"
#include "gate/meta.h"
#include "gate/metrics.h"
#include "gate/policy.h"
#include "os/loop.h"
#include "wire/tls.h"

enum {
	FLOW_SERVERS_MAX = 32, FLOW_LISTENERS_MAX = 8,
	FLOW_NO_TENANT = IDENTITY_TENANTS_MAX, /* for hooks.token(): what a worker asks on its own account, a catalogue */
	FLOW_CREDENTIAL_MAX = 8192             /* bytes of a credential's head line */
};

struct flow_listener {
	int fd;
	struct addr address;          /* as bound */
	struct span path;
	const struct span *hosts;
	unsigned nhosts;
	const struct span *origins;
	unsigned norigins;
	const struct tls_door *tls;   /* NULL: plain. Its cache and signer are set by flow_place() */
	struct span resource;         /* canonical URI for tokens: `aud` is compared with the issuer's audience, htu with this */
	struct span metadata;         /* URL of its metadata (RFC 9728), absent without issuers */
};

/* FLOW_BUILTIN: a server of ours; FLOW_LINE: somebody else's, behind a process of ours that speaks for it. Both are spoken to over a line, which
 * comes by flow_link(). */
enum flow_kind { FLOW_BUILTIN, FLOW_HTTP, FLOW_LINE };

/* What a FLOW_HTTP server may speak. FLOW_ERA_MODERN: our revision. FLOW_ERA_LEGACY: an older one, so it is asked over a line to a process of ours that
 * translates. FLOW_ERA_AUTO: server/discover says which, asked over HTTP first. */
enum flow_era { FLOW_ERA_MODERN, FLOW_ERA_AUTO, FLOW_ERA_LEGACY };

/* Who is a client over socket pairs: without listener, TLS, Host and Origin. */
enum flow_inner {
	FLOW_INNER_NONE,
	FLOW_INNER_ELDER,             /* for others, each request with its caller's passport (gate/passport.h) */
	FLOW_INNER_STDIO,             /* for flow_settings.stdio */
	FLOW_INNERS
};

struct flow_server {
	struct span name;
	enum flow_kind kind;
	enum flow_era era;            /* FLOW_HTTP: from here on */
	struct addr address;
	struct span host;
	struct span path;
	struct span fields;           /* further head lines, each with its CRLF, checked */
	int64_t connect_ms, idle_ms, call_ms;
	const struct tls_route *tls;  /* NULL: plain */
	bool credential;              /* calls need a credential: flow_hooks.token() is asked before each */
	struct meta_rules meta;       /* members of _meta that pass besides those of the protocol */
	bool exchange;                /* it is got for the caller's own token (RFC 8693) */
};

/* What the worker's process can have done for it by others. None of them waits but sign(), which answers within a bounded time. Those that
 * return false could not be asked; otherwise an answer comes through the function named. */
struct flow_hooks {
	void *ctx;
	size_t (*sign)(void *ctx, unsigned key, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX]);
	bool (*ask_keys)(void *ctx, unsigned issuer);                                         /* flow_keys() */
	bool (*introspect)(void *ctx, unsigned issuer, uint64_t call, struct span token);     /* flow_introspected() */
	/* again: the last one was refused by the upstream. subject: the caller's token, for `exchange` servers only; absent for the catalogue
	 * (tenant FLOW_NO_TENANT), which nobody's token is used for. flow_credential() */
	bool (*token)(void *ctx, unsigned server, unsigned tenant, uint64_t call, struct span subject, bool again);
	int64_t (*unix_ms)(void *ctx);
};

struct flow_settings {
	struct flow_listener listeners[FLOW_LISTENERS_MAX];
	unsigned nlisteners;
	struct flow_server servers[FLOW_SERVERS_MAX];
	unsigned nservers;
	bool plain;
	struct span version;          /* of Postern, for serverInfo */
	uint32_t name_max;            /* bytes of a tool's name as clients see it; 0: what the protocol allows */
	uint32_t connections, requests, listens, large, tokens, links;
	uint64_t body_max, reply_max;
	int64_t head_ms, body_ms, idle_ms, write_ms, keepalive_ms;
	uint32_t listens_each;        /* of these, for one caller that is not anonymous; 0: as many as there are */
	int64_t list_ms;              /* how long what is put together from several upstreams waits for the slowest; 0: 5 s */
	struct metrics *metrics;      /* this worker's block in shared memory */
	struct auth_rules auth;
	struct identity stdio;        /* who calls over FLOW_INNER_STDIO; IDENTITY_NONE: there is no such door */
	bool elder;                   /* clients of revisions before ours are served, by the process behind flow_elder() */
	struct policy policy;
	const struct jwk_set *keys[AUTH_ISSUERS_MAX]; /* key sets from files; NULL: fetched */
	struct replay *replay;        /* shared by all workers */
	int64_t built_ms;
	uint32_t records, sessions, known_tokens;
	int64_t handshake_ms;
	struct flow_hooks hooks;
	uint8_t entropy[32];          /* fresh from the kernel in each process: seeds the generator of TLS randoms (wire/crypto.h crypto_drbg) */
	uint8_t seed[64];             /* random; keys hashes and sealed cursors. Equal in all workers of all generations of one run */
	void (*log)(struct span line);/* one line without newline, already free of control bytes and secrets */
};

/* The parts of flow_need(), for `postern budget`: calls row() for each. */
void flow_budget(const struct flow_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to);
size_t flow_need(const struct flow_settings *s);
/* mem: flow_need() bytes, zeroed, aligned to 64. */
struct flow *flow_place(void *mem, const struct flow_settings *s, struct loop *loop);
/* Registers the listeners: from here on it serves. */
bool flow_open(struct flow *f);
/* A new stream socket to `server` (index in settings), which is no FLOW_HTTP of FLOW_ERA_MODERN: an older one is closed and its calls fail. Takes the fd. */
void flow_link(struct flow *f, unsigned server, int fd);
/* A new stream to the elder (flow/elder_msg.h): an older one is closed and its requests fail. Takes the fd. */
void flow_elder(struct flow *f, int fd);
/* A new edge of packets, each of which brings an inner connection (flow/elder_msg.h, INNER). Takes the fd. */
void flow_inner(struct flow *f, enum flow_inner kind, int fd);
/* A key set has come (copied), in place of the one before; one without keys: there are none any more. `set` NULL: nothing newer could be had.
 * Requests that wait for it go on. */
void flow_keys(struct flow *f, unsigned issuer, const struct jwk_set *set);
/* What was asked by hooks.introspect(); absent: no answer. */
void flow_introspected(struct flow *f, uint64_t call, struct span answer);
/* What was asked by hooks.token(): one head line ("Authorization: Bearer …", without CRLF, at most FLOW_CREDENTIAL_MAX bytes), copied; absent:
 * none could be had. */
void flow_credential(struct flow *f, uint64_t call, struct span line);
/* After each loop_wait(): timeouts, parked work. Returns how long the next wait may last, in ms (-1: for ever). */
int flow_tick(struct flow *f);
/* Stop accepting, end listens gracefully, answer what is in flight; at the deadline the rest is cut. */
void flow_drain(struct flow *f, int64_t grace_ms);
bool flow_drained(const struct flow *f);

#endif
