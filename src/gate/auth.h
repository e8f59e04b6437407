/* gate/auth.h: who is calling? Decided once for each request from what it brings: a bearer token (JWT or opaque), an API key, a client
 * certificate, or nothing. Security requirements 5.1 to 5.3; RFC 6750, 8705, 9068, 9449, 9728.
 *
 * Everything comes from the configuration (struct auth_rules) and the request; nothing a token says leads anywhere: its unverified `iss`
 * chooses among configured issuers, its `kid` among the keys of that one. Verified tokens are kept (struct auth_cache, by a keyed hash of the token,
 * with what they are bound to) until they expire or AUTH_CACHE_MS have gone by, so that a signature is checked once; the binding is checked
 * each time. No globals, no I/O; time enters as arguments. All refusals look the same to the caller: enum auth_reason is for metrics and logs.
 *
 * A token or an API key decides who it is, and a certificate beside it only binds; without them the certificate decides; anonymous is who
 * brought nothing at all. API keys come under no rule about bound tokens. A DPoP field without an Authorization field is refused. */
#ifndef POSTERN_GATE_AUTH_H
#define POSTERN_GATE_AUTH_H

#include "base/buf.h"
#include "gate/identity.h"
#include "gate/replay.h"
#include "wire/jwt.h"

enum {
	AUTH_ISSUERS_MAX = 8, AUTH_KEYS_MAX = 256, AUTH_CERTIFICATES_MAX = 128, AUTH_REVOKED_MAX = 128,
	AUTH_CACHE_MS = 300000,       /* a verified token is believed that long at most; an identity by introspection ends then */
	AUTH_ANSWER_MS = 30000,       /* an introspection answer is believed that long */
	AUTH_INACTIVE_MS = 5000,      /* and one that says no */
	AUTH_PROOF_MS = 60000,        /* how far the iat of a DPoP proof may be from now, either way */
	AUTH_AUDIENCES_MAX = 32, AUTH_ROLES_READ_MAX = 256, /* elements of `aud` and of the roles claim; more is AUTH_INVALID */
	AUTH_PROOF_KEY = 32,
	 AUTH_KEY_LENGTH = 51 /* "postern_" and 43 characters of base64url: 32 random bytes */
};

/* Names of the configuration in the order of their numbers. */
struct auth_names { const struct span *name; unsigned n; };

struct auth_issuer {
	struct span issuer;           /* byte for byte */
	struct span audience;
	uint8_t algs;                 /* bits of enum jwk_alg */
	/* Accepts typ JWT and none besides at+jwt. Otherwise a token has all that RFC 9068 2.2 asks for: iss, exp, aud, sub, client_id, iat,
	 * jti; of a legacy one iss, exp, aud and one of sub and client_id. */
	bool legacy_typ;
	int64_t skew_ms;              /* at most 60 s */
	int64_t age_max_ms;           /* iat not older than that, and there (in an introspection answer it may be missing); 0: not looked at */
	struct span tenant_claim, roles_claim; /* absent: not taken from the token */
	int tenant;                   /* fixed tenant, when the claim is not mapped; -1: none */
	uint64_t roles;               /* given to every token of this issuer besides those it names */
	bool opaque;                  /* tokens that are no JWTs go to introspection (RFC 7662); of one issuer only: of several, none is asked */
	bool introspect_all;          /* so do JWTs: no key set */
};

struct auth_key { struct span id; uint8_t sha256[32]; uint8_t tenant; uint64_t roles; };
/* `san` is a DNS name or a URI (has "://"), matched byte for byte (DNS: without case). */
struct auth_certificate { struct span san; uint8_t tenant; uint64_t roles; };

/* OFF: no proof is read, and a token bound to a key (cnf.jkt) is refused. OPTIONAL: it is held to it, an unbound one passes. */
enum auth_dpop { AUTH_DPOP_OFF, AUTH_DPOP_OPTIONAL, AUTH_DPOP_REQUIRED };

struct auth_rules {
	struct auth_names tenants, roles, scopes;
	const struct auth_issuer *issuers;
	unsigned nissuers;
	const struct auth_key *keys;
	unsigned nkeys;
	const struct auth_certificate *certificates;
	unsigned ncertificates;
	const uint8_t (*revoked)[32]; /* fingerprints of certificates that are not accepted any more */
	unsigned nrevoked;
	bool anonymous;               /* on loopback listeners only: the caller of auth_decide() says so */
	uint8_t anonymous_tenant;
	uint64_t anonymous_roles;
	enum auth_dpop dpop;
	bool certificate_bound;       /* tokens must be bound to the client certificate (RFC 8705) */
};

/* A certificate that the TLS handshake has accepted. */
struct auth_peer {
	bool there;
	uint8_t fingerprint[32];
	int64_t until_ms;             /* Unix time; 0: no end */
	unsigned nnames;
	struct { bool uri; struct span text; } names[4];
};

/* What a request brings. */
struct auth_request {
	struct span authorization;    /* field value; absent: none */
	unsigned nauthorization;      /* how many Authorization fields there were */
	struct span dpop;             /* the DPoP field's value; absent: none */
	unsigned ndpop;
	struct auth_peer peer;
	bool loopback;                /* the listener is bound to loopback */
	struct span method;           /* as htm must be */
	struct span uri;              /* what htu must be: the listener's resource URI */
};

enum auth_verdict {
	AUTH_OK,
	AUTH_MISSING,                 /* 401, no error code: nothing was presented */
	AUTH_INVALID,                 /* 401 invalid_token; one body for all of them */
	AUTH_MALFORMED,               /* 400: doubled Authorization, no grammar */
	AUTH_NEED_KEYS,               /* ask for `issuer`'s keys, then decide again */
	AUTH_NEED_INTROSPECTION       /* ask `issuer` about the token, then auth_introspected() */
};

enum auth_reason {
	AUTH_REASON_NONE, AUTH_REASON_FORM, AUTH_REASON_HEADER, AUTH_REASON_ISSUER, AUTH_REASON_ALG, AUTH_REASON_TYPE, AUTH_REASON_NO_KEY,
	AUTH_REASON_SIGNATURE, AUTH_REASON_AUDIENCE, AUTH_REASON_EXPIRED, AUTH_REASON_NOT_YET, AUTH_REASON_CLAIMS, AUTH_REASON_TENANT,
	AUTH_REASON_BINDING, AUTH_REASON_PROOF, AUTH_REASON_REPLAY, AUTH_REASON_UNKNOWN_KEY, AUTH_REASON_REVOKED, AUTH_REASON_INACTIVE,
	AUTH_REASON_CLOCK, AUTH_REASONS
};
struct span auth_reason_text(enum auth_reason r);

struct auth_result {
	enum auth_verdict verdict;
	enum auth_reason reason;
	unsigned issuer;              /* of a token, where known, otherwise AUTH_ISSUERS_MAX */
	bool dpop;                    /* challenge with DPoP: it is required, or was tried */
	struct identity identity;     /* AUTH_OK */
	struct span token;            /* AUTH_OK with IDENTITY_TOKEN, AUTH_NEED_…: the bearer token in the request */
};

struct auth_cache;
/* mem is aligned to 16. seed: random bytes that nobody may know: the key of the hash. */
size_t auth_cache_need(uint32_t entries);
struct auth_cache *auth_cache_place(void *mem, uint32_t entries, const uint8_t seed[16]);
void auth_cache_clear(struct auth_cache *c);              /* after a change of keys */

/* What a decision works with, lent for the call. */
struct auth_bench {
	struct json_table *table;     /* any document in it is lost */
	char *scratch;                /* JWT_MAX bytes or more */
	size_t scratch_size;
	struct auth_cache *cache;
	struct replay *replay;        /* DPoP proofs seen; shared by all workers */
	const struct jwk_set *const *keys; /* by issuer; NULL: none known yet */
	const uint8_t *proof_key;     /* AUTH_PROOF_KEY random bytes, the same in all workers: keys the marks in `replay`. Without either no proof passes */
	int64_t built_ms;             /* Unix time; a clock before it validates nothing */
};

/* For one request it may be called again after AUTH_NEED_…: nothing is used up before AUTH_OK. An identity ends when the token would be
 * refused (exp and the issuer's skew), or the certificate that it needs. */
void auth_decide(const struct auth_rules *rules, const struct auth_bench *on, const struct auth_request *r, int64_t now_unix_ms, struct auth_result *result);
/* The introspection answer (RFC 7662 2.2) for the token of `r`; absent: there was none, which is AUTH_INVALID. Beyond an `active` that is
 * true it has exp, an aud that is ours, and sub or client_id; an `iss` in it is ours. */
void auth_introspected(const struct auth_rules *rules, const struct auth_bench *on, const struct auth_request *r, unsigned issuer,
	struct span answer, int64_t now_unix_ms, struct auth_result *result);

/* The value of WWW-Authenticate (RFC 6750 3, 9728 5.1, 9449 7.1): Bearer, and DPoP after it if that is optional; with `dpop` DPoP alone. scopes: bits to ask for, 0: none; error: absent, "invalid_token" or
 * "insufficient_scope"; metadata: the URL of the resource's metadata, absent when there is no issuer. */
void auth_challenge(struct buf *b, const struct auth_rules *rules, bool dpop, struct span error, uint64_t scopes, struct span metadata);
/* The metadata document (RFC 9728 2). */
void auth_metadata(struct buf *b, const struct auth_rules *rules, struct span resource);

#endif
