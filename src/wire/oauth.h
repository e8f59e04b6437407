/* wire/oauth.h: what a client of an authorization server writes and reads: forms, HTTP Basic, token requests and answers (RFC 6749 2.3.1, 4.4,
 * 5 and appendix B; RFC 8693 2), introspection (RFC 7662 2). No I/O, no time.
 *
 * Answers are read strictly and for one purpose: whether there is a bearer token that is no wider than what was asked for. Their texts never
 * get into a log; what does is one of the sentences and error codes below. */
#ifndef POSTERN_WIRE_OAUTH_H
#define POSTERN_WIRE_OAUTH_H

#include "wire/json_read.h"

enum {
	OAUTH_TOKEN_MAX = 8000,        /* bytes of an access token */
	OAUTH_LIFE_MAX = 315360000     /* seconds: ten years */
};

/* Appends name=value, form-urlencoded (RFC 6749 appendix B), with '&' before it unless the buffer is empty. */
void oauth_form(struct buf *b, struct span name, struct span value);
/* "Basic " and base64 of id ":" secret, each form-urlencoded first. */
void oauth_basic(struct buf *b, struct span id, struct span secret);

struct oauth_ask {
	bool exchange;                /* RFC 8693, else client credentials */
	struct span subject;          /* exchange: the token to exchange, an access token */
	struct span scope, resource, audience; /* absent: not sent */
};
/* The body of a token request. */
void oauth_token_request(struct buf *b, const struct oauth_ask *ask);
/* The body of an introspection request. */
void oauth_introspection_request(struct buf *b, struct span token);

enum oauth_error {
	OAUTH_OK,
	OAUTH_NOT_JSON,               /* not one JSON object by our strict reading */
	OAUTH_NO_TOKEN,               /* access_token: absent, empty, longer than OAUTH_TOKEN_MAX, or with anything but visible ASCII */
	OAUTH_NOT_BEARER,             /* token_type is not Bearer (in any case of letters) */
	OAUTH_BAD_LIFE,               /* expires_in is there and no whole number from 1 to OAUTH_LIFE_MAX */
	OAUTH_BAD_SCOPE,              /* scope is there and not what RFC 6749 3.3 says */
	OAUTH_WIDER,                  /* scope has what was not asked for */
	OAUTH_BAD_KIND,               /* exchange: issued_token_type is not that of an access token */
	OAUTH_OTHER_AUDIENCE,         /* the token names whom it is for, and that is neither the resource nor the audience asked for */
	OAUTH_NOT_ACTIVE_OR_NOT,      /* introspection: `active` is neither true nor false */
	OAUTH_ERRORS
};
struct span oauth_error_text(enum oauth_error e);

struct oauth_token {
	struct span token;            /* in `mem` */
	int64_t life_s;               /* expires_in; 0: not said */
};
/* A token answer (status 200). `table` is lent for the call; the token is unescaped to `mem`, whose content is as it was on an error and whose
 * free room may be written to. Where no scope was asked for, any well-formed one will do. */
enum oauth_error oauth_token_read(struct oauth_token *t, struct json_table *table, struct span text, const struct oauth_ask *ask, struct buf *mem);
/* What a token that is a JWT says of itself, if anybody can read it: a `scope` that is no wider than asked for, an `aud` that has the resource
 * or the audience asked for (RFC 8707 2). Nothing is verified: it can only speak against itself. One that is no JWT, or is silent, is
 * OAUTH_OK. `scratch`: the claims, decoded; a token for which it is too small is not looked at. */
enum oauth_error oauth_token_judge(struct json_table *table, struct span token, const struct oauth_ask *ask, char *scratch, size_t cap);
/* What an error answer (RFC 6749 5.2, 7009 2.2.1, 8693 2.2.2, 8707 2) says, as one of the codes those name; static text, whatever the answer. */
struct span oauth_error_code(struct json_table *table, struct span text);

struct oauth_introspection {
	bool active;
	int64_t until_s;              /* exp, Unix time; 0: not said; -1: said, but not as a whole number */
};
/* An introspection answer (status 200), as far as keeping it is concerned; who the caller is is gate/auth's to read. */
enum oauth_error oauth_introspection_read(struct oauth_introspection *i, struct json_table *table, struct span text);

#endif
