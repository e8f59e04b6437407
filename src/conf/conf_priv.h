/* conf/conf_priv.h: shared inside conf/: the tables that say what may stand in the file, and the reader that walks by them.
 *
 * A form is the table of one object's members; reading goes from form to form through a queue (struct conf_job), never by recursion. A
 * complaint belongs to a token: place and JSON pointer are worked out from it only when there is something to say. */
#ifndef POSTERN_CONF_CONF_PRIV_H
#define POSTERN_CONF_CONF_PRIV_H

#include "conf/conf.h"
#include "wire/json_read.h"

enum conf_type {
	CONF_BOOL,      /* bool */
	CONF_COUNT,     /* uint32_t; least..most */
	CONF_SIZE,      /* uint64_t bytes: a number, or "64k" "1m" "1g" */
	CONF_DURATION,  /* int64_t ms: "500ms" "15s" "2m" "2h" */
	CONF_STRING,    /* struct span; `text` looks at it and stores */
	CONF_OBJECT,    /* `form`, its struct at the offset, or `walk` */
	CONF_LIST,      /* `walk` */
	CONF_ANY,       /* `walk`, whatever its type */
	CONF_NAMED,     /* uint64_t: a list of tenants, roles or scopes (`naming`), a bit each */
	CONF_FILE_REF,  /* struct conf_file: "path", {"file": "path"} or {"credential": "name"} */
	CONF_SECRET_REF,/* struct conf_file: one of the two objects; a secret never stands in the file */
	CONF_LATER      /* of the configuration contract, but not in this version */
};

/* Which kinds of server a member belongs to; 0: the question does not arise. */
enum { CONF_FOR_FILES = 1 << CONF_FILES, CONF_FOR_HTTP = 1 << CONF_HTTP, CONF_FOR_STDIO = 1 << CONF_STDIO };

/* Lists of names in struct conf.identity. */
enum conf_naming { CONF_TENANTS, CONF_ROLES, CONF_SCOPES };

struct conf_reader;
struct conf_form;

struct conf_member {
	struct span name;
	enum conf_type type;
	size_t offset;              /* in the form's struct */
	bool required;
	unsigned kinds;
	int64_t least, most, def;   /* numbers; for CONF_STRING `most` is the longest text in bytes */
	enum conf_naming naming;
	const struct conf_form *form;
	struct span hint;           /* said when it is required and missing: what to write */
	/* CONF_STRING: checks `s` (no control bytes, not empty, lives as long as the configuration) and stores it at `to`; complains itself. */
	void (*text)(struct conf_reader *r, uint32_t value, struct span s, void *to);
	/* CONF_OBJECT, CONF_LIST: looks at the value; `to` is the form's whole struct. */
	void (*walk)(struct conf_reader *r, uint32_t value, void *to);
};

struct conf_form {
	struct span where;          /* for messages: "a listener" */
	const struct conf_member *members;
	unsigned nmembers;          /* at most 32 */
	bool at_root;               /* its struct is struct conf itself: there even when the object is absent */
	/* What one member alone cannot show; `given` has bit i set if member i was there. */
	void (*whole)(struct conf_reader *r, uint32_t object, void *to, uint32_t given);
};

struct conf_job { const struct conf_form *form; uint32_t object; void *to; };

struct conf_line { size_t at; struct span text; };

enum {
	/* An object with a form each: a listener, its tls and its certificates; a server, its tls and credentials and their tls, or its limits; an issuer with
	 * claims, key set, introspection and the tls of both; keys, certificates, rules; and what is there once. */
	CONF_JOBS_MAX = 1 + CONF_LISTENERS_MAX * (2 + CONF_CERTS_MAX) + CONF_SERVERS_MAX * 4 + AUTH_ISSUERS_MAX * 6 + AUTH_KEYS_MAX
		+ AUTH_CERTIFICATES_MAX + POLICY_RULES_MAX + 8,
	CONF_LINES_MAX = 3 * CONF_ERRORS_MAX,  /* collected, then put in file order and cut to CONF_ERRORS_MAX */
	CONF_LINE_SIZE = 1024,
	/* JSON Pointers of files that are named, of up to 128 bytes: the certificates, keys and anchors of listeners, servers and issuers, and
	 * their secrets and key sets, and the secrets among variables. */
	CONF_POINTERS_SIZE = 128 * (CONF_LISTENERS_MAX * (2 * CONF_CERTS_MAX + 1) + CONF_SERVERS_MAX * (7 + CONF_ENV_MAX) + AUTH_ISSUERS_MAX * 8),
	CONF_FILE_NAME_MAX = 4096
};

struct conf_reader {
	struct conf *c;
	struct json json;
	struct buf arena;           /* unescaped strings */
	struct buf pointers;        /* of files, for who reads them */
	struct buf said;            /* texts of the complaints */
	struct conf_line line[CONF_LINES_MAX];
	unsigned nlines;
	unsigned unsaid;            /* complaints beyond that */
	struct conf_job job[CONF_JOBS_MAX];
	unsigned njobs;
	uint64_t declared;          /* tenants of identity.tenants */
};

/* ---- what the tables are made of ---- */

#define SPAN_INIT(literal) { "" literal, sizeof(literal) - 1 }
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define MEMBER(struct_name, field, json_name, kind) .name = SPAN_INIT(json_name), .type = (kind), .offset = offsetof(struct struct_name, field)
#define WHOLE(json_name, kind) .name = SPAN_INIT(json_name), .type = (kind), .offset = 0
#define LATER(json_name) { .name = SPAN_INIT(json_name), .type = CONF_LATER }
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

extern const struct conf_form conf_form_root;                                             /* conf_form.c */
extern const struct conf_form conf_form_server;                                           /* conf_server.c */
extern const struct conf_form conf_form_tls_in, conf_form_certificate, conf_form_tls_out; /* conf_tls.c */
extern const struct conf_form conf_form_peer, conf_form_credential;                       /* conf_peer.c */
extern const struct conf_form conf_form_identity, conf_form_issuer, conf_form_introspection, conf_form_claims, conf_form_key, conf_form_client,
	conf_form_anonymous, conf_form_stdio;                                                             /* conf_identity.c */
extern const struct conf_form conf_form_rule;                                             /* conf_policy.c */
/* All forms, for "it belongs to …". */
extern const struct conf_form *const conf_forms[];
extern const unsigned conf_nforms;

/* ---- conf_read.c ---- */
void conf_push(struct conf_reader *r, const struct conf_form *form, uint32_t object, void *to);
/* Bit `name` of a form's `given`. */
bool conf_given(const struct conf_form *form, uint32_t given, const char *name);
/* The token of a member's value, and of its name (JSON_NONE: not there). */
uint32_t conf_member(const struct conf_reader *r, uint32_t object, const char *name);
uint32_t conf_member_name(const struct conf_reader *r, uint32_t object, const char *name);
/* Does the value have the type? Complains if not; `right` says what would be right. */
bool conf_expect(struct conf_reader *r, uint32_t value, enum json_type type, struct span right);
/* The unescaped text of a string token; complains and returns false if it is no string, empty, longer than `most` or has control bytes. */
bool conf_text(struct conf_reader *r, uint32_t value, struct span right, size_t most, struct span *s);

/* ---- conf_say.c ---- */
/* A complaint about a token (a name or a value): write the text to the buffer returned, then conf_said(). */
struct buf *conf_say(struct conf_reader *r, uint32_t token);
void conf_said(struct conf_reader *r);
/* The token's JSON Pointer, as long as the configuration. */
struct span conf_pointer(struct conf_reader *r, uint32_t token);
/* The same in one go. */
void conf_complain(struct conf_reader *r, uint32_t token, struct span text);
/* "found …; " and what would be right. */
void conf_wrong(struct conf_reader *r, uint32_t token, struct span right);
/* "found N WHAT" and what would be right. */
void conf_wrong_number(struct conf_reader *r, uint32_t token, uint64_t n, struct span what);
/* What stands in the file, cut and made harmless for a terminal, after "found ". */
void conf_found(struct conf_reader *r, struct buf *b, uint32_t token);
/* Text of the file, made harmless for a terminal. */
void conf_shown(struct buf *b, struct span text, size_t most);
void conf_size_text(struct buf *b, uint64_t bytes);
void conf_duration_text(struct buf *b, int64_t ms);
/* FILE:LINE:COLUMN: of a byte. */
void conf_place(struct buf *b, struct span file, struct span text, size_t at);
void conf_line_column(struct span text, size_t at, uint32_t *line, uint32_t *column);
/* The lines collected, in file order. */
void conf_write_lines(struct conf_reader *r, struct buf *errors);
/* The text is not JSON. */
void conf_not_json(struct buf *errors, struct span file, struct span text, enum json_error e, size_t at);

/* ---- conf_value.c: one string each; they complain themselves ---- */
bool conf_duration(struct span s, int64_t *ms);
bool conf_size(struct span s, uint64_t *bytes);
bool conf_server_name_ok(struct span s);
void conf_server_name(struct conf_reader *r, uint32_t name, struct span s);
bool conf_address(struct conf_reader *r, uint32_t value, struct span s, struct addr *a);
void conf_text_listen(struct conf_reader *r, uint32_t value, struct span s, void *listener);
void conf_text_admin(struct conf_reader *r, uint32_t value, struct span s, void *conf);
void conf_text_path(struct conf_reader *r, uint32_t value, struct span s, void *span);
bool conf_host(struct conf_reader *r, uint32_t value, struct span s);
bool conf_origin(struct conf_reader *r, uint32_t value, struct span s);
/* A DNS name or an IP literal, as it stands in a URL or a Host field, without port. */
bool conf_is_host(struct span host);
/* A name that a certificate can have as dNSName: no IP address, no pattern. */
bool conf_is_dns(struct span name);
void conf_text_dns(struct conf_reader *r, uint32_t value, struct span s, void *span);
/* Anything; stored as it is. */
void conf_text_any(struct conf_reader *r, uint32_t value, struct span s, void *span);
void conf_text_ignored(struct conf_reader *r, uint32_t value, struct span s, void *to);
/* Which of the n words it is; -1, and it is said that it must be `right`. */
int conf_choice(struct conf_reader *r, uint32_t value, struct span s, const char *const *word, int n, struct span right);
/* 64 hexadecimal digits. */
bool conf_hex(struct conf_reader *r, uint32_t value, struct span s, uint8_t to[32]);

/* ---- conf_header.c: fixed fields of an upstream's requests ---- */
bool conf_header_name(struct conf_reader *r, uint32_t name, struct span s, bool credential);
bool conf_header_value(struct conf_reader *r, uint32_t value, struct span s);

/* ---- conf_url.c ---- */
struct conf_url {
	bool https;
	struct span authority, host; /* host: without port, an IPv6 address in brackets */
	uint16_t port;
	bool has_port;
	struct span target;         /* path and query, at least "/" */
};
/* Takes an absolute http or https URL apart; complains itself. */
bool conf_url(struct conf_reader *r, uint32_t value, struct span s, struct conf_url *u);
void conf_text_issuer(struct conf_reader *r, uint32_t value, struct span s, void *span);
void conf_text_resource(struct conf_reader *r, uint32_t value, struct span s, void *span);
/* An absolute URI of any scheme (RFC 8707 2). */
void conf_text_uri(struct conf_reader *r, uint32_t value, struct span s, void *span);
/* What a client certificate may be known by: a DNS name or a URI with "://". */
void conf_text_san(struct conf_reader *r, uint32_t value, struct span s, void *span);

/* ---- conf_peer.c: what Postern connects to ---- */
/* The five fields that say so, wherever they lie. */
struct conf_way { struct span *url, *host, *path; struct addr *address; struct conf_tls_out *tls; };
void conf_way_url(struct conf_reader *r, uint32_t value, struct span s, const struct conf_way *w);
void conf_way_address(struct conf_reader *r, uint32_t value, struct span s, const struct conf_way *w);
/* What url, address and tls say together. `object` has them, the url as member `url`. local: http leads to this machine only, because
 * `local` would pass in the clear; absent: anywhere. */
void conf_way_whole(struct conf_reader *r, uint32_t object, const char *url, const struct conf_way *w, struct span local);

/* The same for a struct conf_peer. */
void conf_peer_url(struct conf_reader *r, uint32_t value, struct span s, void *peer);
void conf_peer_address(struct conf_reader *r, uint32_t value, struct span s, void *peer);
void conf_peer_whole(struct conf_reader *r, uint32_t object, const char *url, struct conf_peer *peer, struct span local);
void conf_text_client_id(struct conf_reader *r, uint32_t value, struct span s, void *span);

/* ---- conf_tls.c ---- */
void conf_file_ref(struct conf_reader *r, uint32_t value, bool secret, struct conf_file *to);

/* ---- conf_stdio.c: members of a server that is started ---- */
extern const struct conf_form conf_form_limits;
void conf_walk_args(struct conf_reader *r, uint32_t value, void *server);
void conf_walk_read(struct conf_reader *r, uint32_t value, void *server);
void conf_walk_write(struct conf_reader *r, uint32_t value, void *server);
void conf_walk_env(struct conf_reader *r, uint32_t value, void *server);
void conf_walk_ask(struct conf_reader *r, uint32_t value, void *server);
void conf_walk_network(struct conf_reader *r, uint32_t value, void *server);

/* ---- conf_name.c: tenants, roles and scopes become numbers ---- */
void conf_named(struct conf_reader *r, uint32_t list, enum conf_naming naming, uint64_t *bits);
void conf_text_tenant(struct conf_reader *r, uint32_t value, struct span s, void *u8);
void conf_text_tenant_int(struct conf_reader *r, uint32_t value, struct span s, void *number);
bool conf_name_ok(struct span s);
bool conf_scope_ok(struct span s);
void conf_text_name(struct conf_reader *r, uint32_t value, struct span s, void *span);
/* The list of names, and where their number stands. */
struct span *conf_names(struct conf *c, enum conf_naming naming, unsigned **n);

/* ---- walks that one form needs of another file ---- */
void conf_walk_rules(struct conf_reader *r, uint32_t value, void *conf);
void conf_walk_servers(struct conf_reader *r, uint32_t value, void *conf);

/* ---- what only the whole file can show ---- */
void conf_cross(struct conf_reader *r);          /* conf_cross.c */
void conf_cross_identity(struct conf_reader *r); /* conf_identity_cross.c */
void conf_cross_policy(struct conf_reader *r);   /* conf_policy.c */

#endif
