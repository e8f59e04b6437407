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
	CONF_OBJECT,    /* `form` at the same offset, or `walk` */
	CONF_LIST,      /* `walk` */
	CONF_LATER      /* of the configuration contract, but not in this version */
};

/* Which kinds of server a member belongs to; 0: the question does not arise. */
enum { CONF_FOR_FILES = 1 << CONF_FILES, CONF_FOR_HTTP = 1 << CONF_HTTP };

struct conf_reader;
struct conf_form;

struct conf_member {
	struct span name;
	enum conf_type type;
	size_t offset;              /* in the form's struct */
	bool required;
	unsigned kinds;
	int64_t least, most, def;   /* numbers; for CONF_STRING `most` is the longest text in bytes */
	const struct conf_form *form;
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
	CONF_JOBS_MAX = 1 + CONF_LISTENERS_MAX + CONF_SERVERS_MAX + 8,
	CONF_LINES_MAX = 3 * CONF_ERRORS_MAX,  /* collected, then put in file order and cut to CONF_ERRORS_MAX */
	CONF_LINE_SIZE = 1024,
	CONF_FILE_NAME_MAX = 4096
};

struct conf_reader {
	struct conf *c;
	struct json json;
	struct buf arena;           /* unescaped strings */
	struct buf said;            /* texts of the complaints */
	struct conf_line line[CONF_LINES_MAX];
	unsigned nlines;
	unsigned unsaid;            /* complaints beyond that */
	struct conf_job job[CONF_JOBS_MAX];
	unsigned njobs;
};

extern const struct conf_form conf_form_root;
/* All forms, for "it belongs to …". */
extern const struct conf_form *const conf_forms[];
extern const unsigned conf_nforms;

/* ---- conf_read.c ---- */
void conf_push(struct conf_reader *r, const struct conf_form *form, uint32_t object, void *to);
/* Does the value have the type? Complains if not; `right` says what would be right. */
bool conf_expect(struct conf_reader *r, uint32_t value, enum json_type type, struct span right);
/* The unescaped text of a string token; complains and returns false if it is no string, empty, longer than `most` or has control bytes. */
bool conf_text(struct conf_reader *r, uint32_t value, struct span right, size_t most, struct span *s);

/* ---- conf_say.c ---- */
/* A complaint about a token (a name or a value): write the text to the buffer returned, then conf_said(). */
struct buf *conf_say(struct conf_reader *r, uint32_t token);
void conf_said(struct conf_reader *r);
/* The same in one go. */
void conf_complain(struct conf_reader *r, uint32_t token, struct span text);
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
void conf_server_name(struct conf_reader *r, uint32_t name, struct span s);
void conf_text_listen(struct conf_reader *r, uint32_t value, struct span s, void *listener);
void conf_text_admin(struct conf_reader *r, uint32_t value, struct span s, void *conf);
void conf_text_upstream(struct conf_reader *r, uint32_t value, struct span s, void *server);
void conf_text_path(struct conf_reader *r, uint32_t value, struct span s, void *span);
void conf_text_url(struct conf_reader *r, uint32_t value, struct span s, void *server);
bool conf_host(struct conf_reader *r, uint32_t value, struct span s);
bool conf_origin(struct conf_reader *r, uint32_t value, struct span s);
/* A fixed field of an upstream's requests. */
bool conf_header_name(struct conf_reader *r, uint32_t name, struct span s);
bool conf_header_value(struct conf_reader *r, uint32_t value, struct span s);

/* ---- conf_cross.c: what only the whole file can show ---- */
void conf_cross(struct conf_reader *r);

#endif
