/* cmd/import_priv.h: what the parts of `postern import` share. */
#ifndef POSTERN_CMD_IMPORT_PRIV_H
#define POSTERN_CMD_IMPORT_PRIV_H

#include "conf/conf.h"
#include "wire/mcp_envelope.h"
#include "wire/json_read.h"

enum { IMPORT_NAME = 33, IMPORT_RULES_MAX = 128 };

struct import_rule { unsigned server; bool allow; uint32_t tool; /* a string token */ };

struct import {
	struct json json;             /* of the file */
	struct buf out;               /* the members of mcpServers, so far */
	char name[CONF_SERVERS_MAX][IMPORT_NAME];
	unsigned nservers;
	bool limited[CONF_SERVERS_MAX]; /* of this one only some tools were allowed */
	struct import_rule rule[IMPORT_RULES_MAX];
	unsigned nrules;
	struct span at;               /* whose notes are being said: the name there; absent: the file's */
	unsigned nfiles, naddresses;  /* files that have to be made, addresses that have to be filled in */
};

/* One line on standard error: FILE's name for the server, then the parts, then the literal. `what` and `shown` may be absent; they are the file's words
 * and are made harmless for a terminal. */
void import_note(const struct import *im, struct span what, const char *text, struct span shown);

/* What one server has there, by what it means here. */
enum import_slot { TYPE, COMMAND, ARGS, ENV, CWD, URL, HEADERS, DISABLED, ENABLED, DENY, ALLOW, SLOTS, NOT_KEPT };
struct import_from {
	uint32_t token[SLOTS];
	uint32_t args_in_command;      /* a list that begins with the program */
	const char *name;              /* here */
	char secret_header[80];        /* the header that became the credential */
	bool credential;
};

/* import_server.c: appends the server to out, or says why it is left out. */
void import_server(struct import *im, uint32_t name, uint32_t object);

static inline void import_left_out(const struct import *im, const char *why, struct span shown) { import_note(im, span_of(NULL, 0), why, shown); }
void import_member(struct import *im, const char *name);
/* Writes {"file": "secrets/SERVER.WORD"}, and says what is to be put there. */
void import_secret(struct import *im, const struct import_from *s, struct span of, const char *what);
/* A text that a program, a path or a url is taken from; false: it is none that can be, and that has been said. */
bool import_plain(struct import *im, uint32_t token, const char *what, char *mem, size_t cap, struct span *text);

/* import_url.c: from its url on. False: it is left out, and it has been said why. */
bool import_by_url(struct import *im, struct import_from *s);

/* import_value.c: what a text is. Unescaped, bounded by the buffer; absent: no string, or too long. */
struct span import_text(const struct import *im, uint32_t token, char *mem, size_t cap);
bool import_has_word(struct span text, const char *const *word, size_t n);   /* without case */
bool import_is_secret_name(struct span name);          /* "GITHUB_TOKEN" */
bool import_is_secret(struct span value);              /* "ghp_…", "postgres://user:password@…" */
bool import_has_control(struct span text);
bool import_is_secret_url(struct span value);          /* a URL that a part of is a secret: its path, its query, a password */
/* The first "${input:key}", "$(pwd)" or "$HOME" in it, which somebody else would have filled in, without what stands for it otherwise ("${KEY:-text}"): that may be a
 * secret, as the rest of the value. Absent: there is none. */
struct span import_reference(struct span value);
static inline bool import_is_reference(struct span value) { return !span_absent(import_reference(value)); }
/* A word of letters, digits, - and _ that can name a server or a file. False: nothing is left of it. */
bool import_word(struct span from, char *to, size_t cap);

struct import_url { bool https, local; struct span host; uint64_t port; bool literal, password; struct span query; };
bool import_url(struct span url, struct import_url *u);

#endif
