/* provider/files_state.h: what the parts of `files` share. Only src/provider includes it.
 *
 * A line is answered on the spot (reads, definitions) or becomes a call that needs one of FILES_JOBS jobs: a walk of the tree, worked off
 * in slices by files_tick(). Answers are written into the link's out buffer, which holds one longest answer and FILES_SLACK bytes more; while
 * more than FILES_SLACK bytes of it wait for the worker, nothing of that link is read or worked on. So a worker that does not read stops
 * itself and nobody else.
 *
 * The worker is not trusted: everything it sends is checked here again, and all it can reach is what this process may read. */
#ifndef POSTERN_PROVIDER_FILES_STATE_H
#define POSTERN_PROVIDER_FILES_STATE_H

#include "os/dir.h"
#include "os/sock.h"
#include "provider/files.h"
#include "provider/files_name.h"
#include "provider/files_walk.h"
#include "wire/json_read.h"
#include "wire/json_write.h"
#include "wire/mcp_envelope.h"

enum {
	FILES_SLACK = 65536,
	FILES_LINE_SLACK = 4096,      /* ids and tokens that the worker puts in place of a client's */
	FILES_LINES_A_TICK = 64,
	FILES_JOBS = 4,
	FILES_SEARCHES = 2,           /* jobs that searches may take, so that a list never waits for two long searches */
	FILES_SLICE = 262144,         /* work of one slice of a job, about 2 ms: bytes read, and for */
	FILES_LOOK = 4096,            /* each look at a file */
	FILES_SORT = 131072,          /* each batch of a directory, read and sorted in */
	FILES_RESULT_MAX = 262144,    /* structured result of a job */
	FILES_PAGE = 100,             /* resources in a page; values of a completion */
	FILES_QUERY_MAX = 256,
	FILES_LISTENS = 64,
	FILES_WATCH_TEXT = 16384,     /* URIs of one listen together */
	FILES_POLL_MS = 500,
	FILES_POLLS_A_TICK = 64,
	FILES_TAIL = 2 * FILES_PATH_MAX + 256, /* of a result: what closes it, with one more path */
	FILES_PROMPT_MAX = 65536,     /* bytes of a prompt file */
	FILES_CLOSING = 256,          /* at least what files_answer_end() writes */
	FILES_ANSWER_REST = 1024      /* of an answer: all but its structured content, twice */
};

struct files_job {
	struct files_walk walk;
	bool busy;
	struct buf result;            /* structured content so far */
	uint64_t count;               /* entries in it */
	uint64_t files, skipped;      /* searched; left out */
	uint64_t told;                /* files, at the last progress notification */
	int64_t told_ms;
	bool cut;                     /* the limit or the room ended it */
	size_t path_len;              /* the last path given */
	char path[FILES_PATH_MAX];
	/* a search inside the file that walk.path names */
	bool inside;
	bool line_done;               /* the line at `at` was reported and has not ended yet */
	uint64_t at;                  /* offset of the window */
	uint64_t from;                /* offset in the window of what was not searched yet; before it is context */
	uint64_t line;                /* number of the line at at + from, 1 is the first */
	uint64_t line_at;             /* offset in the file where that line begins */
};

enum files_step { FILES_MORE, FILES_DONE };
struct files_link;

struct files_call {
	enum { FILES_FREE, FILES_WAITING, FILES_RUNNING } state;
	bool search;
	bool exact;                   /* search: case-sensitive */
	uint64_t order;               /* of arrival */
	struct files_job *job;        /* FILES_RUNNING */
	enum files_step (*step)(struct files *f, struct files_link *l, struct files_call *c, struct files_job *j, uint64_t *budget);
	uint16_t id_len, token_len;
	uint16_t path_len, after_len, query_len;
	unsigned depth, context;
	uint64_t limit;
	char id[MCP_ID_MAX];
	char token[MCP_ID_MAX];
	char path[FILES_PATH_MAX];    /* where the walk starts */
	char after[FILES_PATH_MAX];   /* after which path; for completion: the prefix of the last component */
	char query[FILES_QUERY_MAX];
};

struct files_watch {
	uint16_t uri_at, uri_len;     /* in text, as the listener wrote it */
	struct dir_facts last;        /* kind DIR_OTHER: there was no such file */
};

struct files_listen {
	bool open;
	uint16_t id_len;
	unsigned nwatches;
	char id[MCP_ID_MAX];
	struct files_watch watches[MCP_URIS_MAX];
	char text[FILES_WATCH_TEXT];
};

struct files_link {
	struct loop_item item;        /* fd -1: no link; must be first */
	bool readable, writable;
	bool skipping;                /* the rest of a line that was too long */
	char *in;                     /* line_max + FILES_LINE_SLACK */
	size_t in_at, in_n, in_scanned;
	struct buf out;
	size_t sent;
	unsigned ncalls, nlistens;
	struct files_call *calls;     /* calls_max */
	struct files_listen *listens; /* FILES_LISTENS */
};

struct files {
	struct files_settings s;
	struct loop *loop;
	struct json_table *table;
	struct files_link *links;     /* links_max */
	struct files_job *jobs;       /* FILES_JOBS */
	unsigned next_link;           /* whose waiting call is looked for first */
	unsigned nwaiting, nsearches;
	uint64_t order;
	unsigned nlistens;            /* open, of all links */
	int64_t poll_ms;              /* when the next round of looks begins */
	unsigned poll_link, poll_listen, poll_watch; /* how far this round is */
	bool polling;
	size_t structured_max;        /* bytes of structured content that always fit in an answer, twice */
	char *batch;                  /* FILES_WALK_BATCH */
	char *file;                   /* file_max + 1 */
	size_t file_max;
	char *scratch;                /* structured_max */
	char *prompt;                 /* FILES_PROMPT_MAX + 1 */
};

struct files_request {
	struct json json;
	struct mcp_message m;
};

/* ---- files_line.c: messages in and out ---- */

/* True if one longest answer fits now. */
bool files_out_ready(struct files_link *l);
/* An answer: opens {"jsonrpc":…,"result":{"resultType":"complete"… on the link's free room; write ,"member":… and close it. If it does
 * not fit, an error is sent in its place. */
struct buf files_answer(struct files *f, struct files_link *l, struct span id);
void files_answer_end(struct files *f, struct files_link *l, struct span id, struct buf *b);
void files_cache(struct buf *b, uint64_t ttl_ms);
void files_fault(struct files *f, struct files_link *l, struct span id, const struct mcp_fault *fault);
/* -32602 with data {"uri":…}. */
void files_fault_uri(struct files *f, struct files_link *l, struct span id, struct span text, struct span uri);
/* A notification up to and without its end: {"jsonrpc":…,"method":M,"params":{ ; files_note_end adds }}. False: no room now. */
bool files_note(struct files_link *l, enum mcp_method m, struct buf *b);
bool files_note_end(struct files_link *l, struct buf *b);
/* Sends what it can; false: the link is broken. */
bool files_flush(struct files_link *l);
/* Reads and handles at most FILES_LINES_A_TICK lines; false: the link has ended. *more: lines are left though there is room. */
bool files_lines(struct files *f, struct files_link *l, bool *more);

/* ---- files_call.c: what a message asks for ---- */

/* Handles one line without its LF. */
void files_message(struct files *f, struct files_link *l, struct span line);
/* A new waiting call with the request's id and progress token; NULL: too many, answered. */
struct files_call *files_call_new(struct files *f, struct files_link *l, const struct files_request *r);
void files_call_end(struct files *f, struct files_link *l, struct files_call *c);
void files_calls_drop(struct files *f, struct files_link *l);
/* Gives jobs to waiting calls and works one slice of each; true: there is more to do now. */
bool files_work(struct files *f);

/* ---- methods ---- */
void files_resources_list(struct files *f, struct files_link *l, const struct files_request *r);
void files_templates_list(struct files *f, struct files_link *l, const struct files_request *r);
void files_resources_read(struct files *f, struct files_link *l, const struct files_request *r);
void files_complete(struct files *f, struct files_link *l, const struct files_request *r);
void files_tools_list(struct files *f, struct files_link *l, const struct files_request *r);
void files_tools_call(struct files *f, struct files_link *l, const struct files_request *r);
void files_prompts_list(struct files *f, struct files_link *l, const struct files_request *r);
void files_prompts_get(struct files *f, struct files_link *l, const struct files_request *r);
void files_prompts_complete(struct files *f, struct files_link *l, const struct files_request *r);
void files_listen(struct files *f, struct files_link *l, const struct files_request *r);

/* ---- tools ---- */
enum { FILES_ARGS_MAX = 6 };
/* The arguments of a call in the order of the tool's table: tokens (JSON_NONE if absent); integers in number[] with their defaults. */
struct files_args {
	uint32_t token[FILES_ARGS_MAX];
	int64_t number[FILES_ARGS_MAX];
	size_t path_len;
	char path[FILES_PATH_MAX];    /* the path argument, checked; empty is the root */
};
void files_tool_list(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a);
void files_tool_read(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a);
void files_tool_info(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a);
void files_tool_search(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a);
/* A tool's result: the structured content, and the same as text. */
void files_tool_result(struct files *f, struct files_link *l, struct span id, struct span structured);
/* A tool's result that says what was wrong: head, what it is about (quoted, shortened; may be absent), tail. */
void files_tool_wrong(struct files *f, struct files_link *l, struct span id, struct span head, struct span about, struct span tail);
/* ,"size":…,"modified":"…" */
void files_facts(struct buf *b, const struct dir_facts *facts);
/* The text of a status for a model, after the path. */
struct span files_status_text(enum dir_status status);

/* ---- files_watch.c ---- */
void files_listen_end(struct files *f, struct files_link *l, struct files_listen *s);
void files_listens_drop(struct files *f, struct files_link *l);
/* Looks at some of the watched files if it is time; true: the round is not over. */
bool files_poll(struct files *f);

static inline void files_spend(uint64_t *budget, uint64_t n) { *budget -= n < *budget ? n : *budget; }
static inline struct span files_call_id(const struct files_call *c) { return span_of(c->id, c->id_len); }
static inline struct span files_call_path(const struct files_call *c) { return span_of(c->path, c->path_len); }

#endif
