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

enum {
	CONF_SERVERS_MAX = 32,
	CONF_LISTENERS_MAX = 8,
	CONF_NAMES_MAX = 16,      /* hosts or origins of one listener, headers of one server */
	CONF_WORKERS_MAX = 64,
	CONF_ERRORS_MAX = 20,
	CONF_ERRORS_SIZE = 32 * 1024
};

struct conf_listener {
	struct span address_text;
	struct addr address;          /* loopback, unless `insecure` */
	bool insecure;                /* "insecure": true: neither TLS nor authentication, and reachable from outside all the same */
	struct span path;             /* "/mcp" unless given; starts with '/' */
	struct span hosts[CONF_NAMES_MAX];   /* "gw.example" or "gw.example:8443": accepted Host values besides the loopback names */
	unsigned nhosts;
	struct span origins[CONF_NAMES_MAX]; /* "https://app.example": accepted Origin values besides the listener's own loopback origins */
	unsigned norigins;
};

enum conf_kind { CONF_FILES, CONF_HTTP };

struct conf_header { struct span name, value; };

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
	int64_t connect_ms;           /* "connect_timeout", default 5s */
	int64_t idle_ms;              /* "idle_timeout": longest silence of the upstream during a call, default 30s */
	int64_t call_ms;              /* "call_timeout": whole call, default 60s; listens have no total */
};

struct conf {
	struct span file;             /* its name, for messages */
	unsigned workers;             /* 0 in the file or absent: one per core, filled in by role/parent */
	struct conf_listener listeners[CONF_LISTENERS_MAX];
	unsigned nlisteners;          /* at least 1 */
	bool has_admin;
	struct addr admin;            /* loopback unless admin_insecure */
	bool admin_insecure;
	struct span admin_text;
	struct conf_server servers[CONF_SERVERS_MAX];
	unsigned nservers;            /* at least 1 */
	bool plain;                   /* "names": "plain" (exactly one server) or "prefixed" (default) */
	bool strict;                  /* "strict": true: refuse to start when the kernel lacks a part of the sandbox; default false */
	struct {
		uint32_t connections;     /* client connections per worker, default 1024 */
		uint32_t requests;        /* requests in progress per worker, default 128; at most connections */
		uint32_t listens;         /* open subscriptions/listen per worker, default 64; at most connections */
		uint32_t large;           /* large buffers per worker, default 16 */
		uint64_t body;            /* bytes of a request body, default 256k, 4k..8m */
		uint64_t reply;           /* bytes of an upstream reply, default 2m, 16k..16m */
		uint32_t tokens;          /* JSON tokens per document, default 65536 */
		uint32_t links;           /* connections to one upstream per worker, default 128 */
	} memory;
	struct {
		int64_t head_ms;          /* whole request head, default 5s */
		int64_t body_ms;          /* whole request body, default 30s */
		int64_t idle_ms;          /* keep-alive connection at rest, default 75s */
		int64_t write_ms;         /* longest wait for a client to take bytes, default 30s */
		int64_t drain_ms;         /* SIGTERM or reload: in-flight requests get this long, default 10s */
		int64_t keepalive_ms;     /* comment line on quiet event streams, default 15s */
	} timeouts;
};

/* Memory conf_read() may need for a text of n bytes: the arena, for its tokens and unescaped strings. */
size_t conf_arena_need(size_t n);
/* True: the configuration is right and `c` is whole. False: `errors` says why and `c` must not be used. */
bool conf_read(struct conf *c, struct span file, struct span text, void *arena, size_t arena_size, struct buf *errors);

#endif
