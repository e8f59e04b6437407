/* conf/conf.h: the configuration, read and checked whole or refused whole.
 *
 * conf_read() takes the text of the file (files come in as spans; nothing here opens anything) and fills a struct conf whose spans point
 * into the text, the file name or the arena given: all must outlive it. Every complaint is one line
 *     FILE:LINE:COLUMN: POINTER: what was found; what would be right
 * appended to `errors` (sticky when full; CONF_ERRORS_SIZE holds whatever can be said), all of a file at once, in the order of the file:
 * CONF_ERRORS_MAX of them, then "FILE: and N more". Columns count characters. POINTER is a JSON Pointer (RFC 6901), left out for the whole
 * document and where the text is not JSON. The lines are UTF-8 without control or direction-changing characters, whatever the file holds;
 * no text of a header value and no user part of a url is repeated. Strictness: JSON as wire/json_check, no duplicate and no unknown member.
 * Durations: "500ms" "15s" "2m" "2h"; sizes: 4096, "64k", "1m". docs/reference/configuration.md says the same to people. */
#ifndef POSTERN_CONF_CONF_H
#define POSTERN_CONF_CONF_H

#include "base/addr.h"
#include "gate/auth.h"
#include "gate/meta.h"
#include "gate/policy.h"

enum {
	CONF_SERVERS_MAX = 32,
	CONF_LISTENERS_MAX = 8,
	CONF_NAMES_MAX = 16,      /* hosts or origins of one listener, headers of one server */
	CONF_WORKERS_MAX = 64,
	CONF_ARGS_MAX = 64, CONF_ENV_MAX = 32, CONF_ROOTS_MAX = 16, /* of one server that is started */
	CONF_CHILDREN_MAX = 256,  /* of all servers that are started, together */
	CONF_CERTS_MAX = 8,       /* certificates of one listener */
	CONF_ERRORS_MAX = 20,
	CONF_ERRORS_SIZE = 32 * 1024
};

/* A file that is named and not read here: a path (relative: beside `file`), or with `credential` a name beneath $CREDENTIALS_DIRECTORY. */
struct conf_file {
	struct span path;             /* absent: none */
	bool credential;
	uint32_t line, column;        /* where it stands */
	struct span pointer;          /* the same as a JSON Pointer */
};

struct conf_cert { struct conf_file cert, key; };

struct conf_tls_in {
	bool on;
	struct conf_cert certs[CONF_CERTS_MAX];
	unsigned ncerts;              /* at least 1 if on */
	struct conf_file client_ca;   /* absent: no client certificate is asked for */
	bool client_required;         /* "client": "required" or "optional" (default required where client_ca is given) */
	bool cnsa;                    /* "profile": "cnsa" or "default" */
};

struct conf_tls_out {
	bool on;                      /* the url is https */
	struct conf_file ca;          /* required if on */
	struct span name;             /* of the certificate; default the url's host */
	bool has_own;
	struct conf_cert own;         /* client certificate */
	bool cnsa;
};

/* A URL that Postern itself asks: a key set, an introspection or a token endpoint. */
struct conf_peer {
	struct span url;              /* absent: none */
	struct addr address;
	struct span host, path;
	struct conf_tls_out tls;
};

struct conf_issuer {
	struct auth_issuer auth;      /* tenant, roles and names resolved */
	struct conf_file jwks;        /* "jwks": "file" */
	struct conf_peer keys;        /* "jwks": { "url": … }; one of the two, or introspection alone */
	struct conf_peer introspection;
	struct span client_id;        /* for introspection */
	struct conf_file client_secret;
};

/* Credentials for an upstream, never the caller's. */
enum conf_credential_kind { CONF_NO_CREDENTIAL, CONF_SECRET, CONF_CLIENT_CREDENTIALS, CONF_EXCHANGE };
struct conf_credential {
	enum conf_credential_kind kind;
	struct conf_file secret;      /* CONF_SECRET: the file's content is the credential; else the client secret */
	struct span scheme;           /* CONF_SECRET: before it in Authorization: default "Bearer"; empty: nothing */
	struct span header;           /* CONF_SECRET: default "Authorization" */
	struct conf_peer token;       /* token endpoint */
	struct span client_id, scope, resource, audience; /* scope: space-separated; absent: not sent */
};

struct conf_listener {
	struct span address_text;
	struct addr address;          /* loopback, unless `insecure` or with tls */
	bool insecure;                /* "insecure": true: no TLS, and reachable from outside all the same */
	struct conf_tls_in tls;
	struct span path;             /* "/mcp" unless given; starts with '/' */
	struct span hosts[CONF_NAMES_MAX];   /* "gw.example" or "gw.example:8443": accepted Host values besides the loopback names */
	unsigned nhosts;
	struct span origins[CONF_NAMES_MAX]; /* "https://app.example": accepted Origin values besides the listener's own loopback origins */
	unsigned norigins;
};

/* As enum bridge_ask. */
enum { CONF_ASK_ELICITATION = 1, CONF_ASK_SAMPLING = 2, CONF_ASK_ROOTS = 4 };

enum conf_kind { CONF_FILES, CONF_HTTP, CONF_STDIO };

/* Which revisions of MCP a server speaks: found out, 2026-07-28, or an older one. */
enum conf_era { CONF_ERA_AUTO, CONF_ERA_MODERN, CONF_ERA_LEGACY };

struct conf_header { struct span name, value; };

/* secret.path absent: `value` stands in the file; else the file's content is the value. */
struct conf_env { struct span name, value; struct conf_file secret; };

struct conf_server {
	struct span name;             /* [A-Za-z0-9_-]{1,32}, no "__" inside, no "_" at the end */
	enum conf_kind kind;
	uint32_t line, column;        /* where it stands, for messages at start */
	/* CONF_FILES: "builtin": "files" */
	struct span root;             /* directory, required; as written: a relative one counts from the directory of `file`
	                                 (os/file.h file_beside) */
	struct span prompts;          /* directory of *.md prompts, likewise; absent: none */
	bool hidden;                  /* serve names that begin with '.'; default false */
	uint64_t file_bytes_max;      /* "max_file": largest file read or searched; default 1m */
	/* CONF_HTTP: "url" */
	struct span url;
	struct addr address;          /* from the url's IP literal or localhost, or from "address" */
	struct span host;             /* Host field value: authority of the url */
	struct span path;             /* path (and query) of the url, at least "/" */
	struct conf_header headers[CONF_NAMES_MAX]; /* fixed extra fields; framing, Mcp-*, Authorization, Cookie… are refused by name */
	unsigned nheaders;
	struct span meta[META_KEYS_MAX]; /* "meta": members of _meta that pass besides the protocol's (gate/meta.h) */
	unsigned nmeta;
	int64_t connect_ms;           /* "connect_timeout", default 5s */
	int64_t idle_ms;              /* "idle_timeout": longest silence of the upstream during a call, default 30s */
	int64_t call_ms;              /* "call_timeout": whole call, default 60s; listens have no total */
	struct conf_tls_out tls;
	struct conf_credential credential;
	/* CONF_STDIO: "command"; idle_ms and call_ms as above. Relative paths count from the directory of `file`. */
	struct span command;          /* with a slash: a path; without: looked for in PATH (role/program.h) */
	struct span args[CONF_ARGS_MAX];
	unsigned nargs;
	struct conf_env env[CONF_ENV_MAX]; /* beside PATH, HOME and LANG, which it may replace */
	unsigned nenv;
	struct span cwd;              /* absent: the directory of `file` */
	struct { uint64_t memory; int64_t cpu_ms; uint32_t files, processes; } limits; /* 0: none; files: default 1024 */
	struct span read[CONF_ROOTS_MAX], write[CONF_ROOTS_MAX]; /* directories or files that it may read (and execute), and write */
	unsigned nread, nwrite;
	bool read_given, write_given; /* neither: no wall around files. "write" alone: everything may be read */
	bool offline;                 /* "network": false */
	unsigned ask;                 /* CONF_ASK_…: what a legacy one may ask callers, default all but roots */
	uint32_t children;            /* how many processes of it there may be, default 4 */
	enum conf_era era;            /* CONF_HTTP too; `children`, start_ms and ask count there for a server of an older revision ("sessions") */
	int64_t start_ms;             /* "start_timeout": until it answers for the first time, default 15s */
	enum { CONF_TYPE_ANY, CONF_TYPE_HTTP, CONF_TYPE_STDIO } type; /* as "type" says; only compared with the kind */
};

struct conf {
	struct span file;             /* its name, for messages */
	unsigned workers;             /* 0 in the file or absent: one per core, filled in by role/parent */
	struct conf_listener listeners[CONF_LISTENERS_MAX];
	unsigned nlisteners;          /* at least 1, but for a file with identity.stdio: 0 there is for `postern stdio` only */
	bool has_admin;
	struct addr admin;            /* loopback unless admin_insecure */
	bool admin_insecure;
	struct span admin_text;
	struct conf_server servers[CONF_SERVERS_MAX];
	unsigned nservers;            /* at least 1 */
	bool plain;                   /* "names": "plain" (exactly one server) or "prefixed" (default) */
	uint32_t name_max;            /* bytes of a tool's name with its prefix, 32..128; default 64, with plain names 128 */
	/* identity: required; at least one way to be somebody */
	struct {
		struct span resource;     /* canonical URI of this resource server; required with issuers */
		struct span tenants[IDENTITY_TENANTS_MAX], roles[IDENTITY_ROLES_MAX], scopes[IDENTITY_SCOPES_MAX]; /* every name the file mentions */
		unsigned ntenants, nroles, nscopes;
		struct conf_issuer issuers[AUTH_ISSUERS_MAX];
		unsigned nissuers;
		struct auth_key keys[AUTH_KEYS_MAX];
		unsigned nkeys;
		struct auth_certificate certificates[AUTH_CERTIFICATES_MAX];
		unsigned ncertificates;
		uint8_t revoked[AUTH_REVOKED_MAX][32];
		unsigned nrevoked;
		bool anonymous;           /* every listener is on loopback then */
		uint8_t anonymous_tenant;
		uint64_t anonymous_roles;
		bool stdio;               /* who calls over `postern stdio` */
		uint8_t stdio_tenant;
		uint64_t stdio_roles;
		enum auth_dpop dpop;
		bool certificate_bound;
	} identity;
	/* policy: required; may be empty, and then nothing is allowed */
	struct policy_rule policy[POLICY_RULES_MAX];
	unsigned npolicy;
	bool door;                    /* not in the file: role/generation says that this is `postern stdio` */
	bool legacy_clients;          /* clients of 2025-11-25, 2025-06-18 and 2025-03-26 are served; default true */
	bool strict;                  /* "strict": true: refuse to start when the kernel lacks a part of the sandbox; default false */
	struct {
		uint32_t connections;     /* client connections per worker, default 1024 */
		uint32_t requests;        /* requests in progress per worker, default 128; at most connections */
		uint32_t listens;         /* open subscriptions/listen per worker, default 64; at most connections */
		uint32_t listens_per_caller; /* of these, for one caller that is not anonymous, default 32; at most listens */
		uint32_t legacy_sessions; /* sessions of clients of older revisions, of all workers, default 1024 */
		uint64_t legacy_kept;     /* bytes of what waits or is kept for these, default 16m */
		uint32_t large;           /* large buffers per worker, default 16 */
		uint64_t body;            /* bytes of a request body, default 256k, 4k..8m */
		uint64_t reply;           /* bytes of an upstream reply, default 2m, 16k..16m */
		uint32_t tokens;          /* JSON tokens per document, default 65536 */
		uint32_t links;           /* connections to one upstream per worker, default 128 */
		uint32_t records;         /* TLS connections at work at once per worker, default 64 and never more than there can be connections */
		uint32_t sessions;        /* TLS sessions to resume per worker and listener, default 256 */
		uint32_t tokens_known;    /* verified tokens kept per worker ("known_tokens"), default 256 */
	} memory;
	struct {
		int64_t handshake_ms;     /* whole TLS handshake, default 5s */
		int64_t head_ms;          /* whole request head, default 5s */
		int64_t body_ms;          /* whole request body, default 30s */
		int64_t idle_ms;          /* keep-alive connection at rest, default 75s */
		int64_t write_ms;         /* longest wait for a client to take bytes, default 30s */
		int64_t drain_ms;         /* SIGTERM or reload: in-flight requests get this long, default 10s */
		int64_t keepalive_ms;     /* comment line on quiet event streams, default 15s */
		int64_t list_ms;          /* how long what several servers say together waits for the slowest ("list"), default 5s */
	} timeouts;
};

/* A process of ours speaks for it, or may have to: it is started, or at a url and perhaps of an older revision. An older one cannot be had with tokens
 * exchanged for each caller, or a certificate of ours. */
static inline bool conf_bridged(const struct conf_server *v)
{
	return v->kind == CONF_STDIO || (v->kind == CONF_HTTP && v->era != CONF_ERA_MODERN && v->credential.kind != CONF_EXCHANGE && !v->tls.has_own);
}

/* Memory conf_read() may need for a text of n bytes: the arena, for its tokens and unescaped strings. */
size_t conf_arena_need(size_t n);
/* True: the configuration is right and `c` is whole. False: `errors` says why and `c` must not be used. */
bool conf_read(struct conf *c, struct span file, struct span text, void *arena, size_t arena_size, struct buf *errors);

#endif
