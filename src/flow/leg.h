/* flow/leg.h: a leg is one question to one upstream: how it is written, which way it travels, and what becomes of the answer.
 *
 *   request.c   writes it             credential.c  puts the upstream's credential in
 *   link_http.c carries it alone, over a connection of its own       link_line.c  carries it among others, over the upstream's line
 *   leg.c       matches what comes back with what was asked          reply.c      says it to the client
 *
 * A leg belongs to its txn, or to the catalogue of its upstream. It ends by leg_answer(), by leg_event() that says so, by leg_failed(), or because
 * its owner calls it off; each of these frees it. */
#ifndef POSTERN_FLOW_LEG_H
#define POSTERN_FLOW_LEG_H

#include "flow/flow_priv.h"

/* What a bridge is told in _meta: with a request who calls, and with a log message which call it belongs to. */
#define FLOW_META_CALLER "postern/principal"
#define FLOW_META_CALL "postern/call"

struct leg {
	struct flow *f;
	struct upstream *up;
	struct link *link;             /* HTTP only, while it travels */
	struct txn *txn;               /* NULL: the catalogue's own */
	struct list of_txn, of_up;
	struct timer timer;
	int64_t total_until_ms;        /* 0: none */
	struct buffer *request;        /* kept here while its credential is on the way */
	uint32_t generation;
	uint32_t credential_n;         /* bytes of the line that was put into the request */
	enum mcp_method method;
	uint8_t tenant;                /* whose call it is; FLOW_NO_TENANT: our own */
	bool by_line;                  /* it travels on the upstream's line */
	uint16_t status;               /* HTTP: of the reply; 0: there was none */
	bool acked, retried;
	bool ahead;                    /* asked before its turn: counted in f->ahead */
	bool again;                    /* the upstream has refused a credential already */
};

/* It travels on the line of a bridge, which is told who calls and says of each log message whose it is. */
static inline bool leg_bridged(const struct leg *l) { return l->by_line && l->up->set->kind != FLOW_BUILTIN; }
struct leg *leg_new(struct upstream *up, struct txn *t, enum mcp_method method);
uint64_t leg_id(const struct leg *l);
/* Sends a whole request (HTTP: head and body; line: one line). Takes the buffer. A fault comes through leg_failed(), possibly at once. */
void leg_send(struct leg *l, struct buffer *request);
void leg_dispatch(struct leg *l, struct buffer *request); /* the same, when it has its credential or needs none */
struct leg *leg_of_call(struct flow *f, uint64_t id);     /* NULL: it is over */
void leg_cancel(struct leg *l);           /* its owner does not want it any more: tells the upstream, frees */
void leg_touch(struct leg *l);            /* the upstream gave a sign of life */
void leg_free(struct leg *l);
/* From links and lines. `text` lives until the call returns. */
void leg_answer(struct leg *l, unsigned status, struct span text);          /* one JSON body or line: the leg is over afterwards */
bool leg_event(struct leg *l, struct span text);                            /* one event; true: the leg is over */
void leg_line(struct upstream *up, struct span text);                       /* one line of a shared stream, whosever it is */
void leg_failed(struct leg *l, enum leg_fault fault, struct span detail);   /* the leg is over */
bool leg_must_pause(const struct leg *l);                                   /* its client has not taken what is there */

/* credential.c: an upstream's credential, got for each call and put into its request */
void credential_ask(struct leg *l, struct buffer *request);
/* It was refused: once more with another, in the same request. False: that was the second time, or it needs none. */
bool credential_may_again(const struct leg *l);
void credential_again(struct leg *l, struct buffer *request);

/* request.c */
enum step_end request_send(struct txn *t);                                   /* the txn's own message, to t->server */
void request_catalog(struct upstream *up, enum mcp_method method, struct span cursor);
struct buffer *request_cancel(struct leg *l);                                /* a notifications/cancelled line */
/* What a list asks of one upstream, on behalf of the client whose message the json view holds; cursor absent: the first page. NULL: no buffer. */
struct buffer *request_list(struct leg *l, const struct mcp_message *m, struct span cursor);
/* A message whose params are {<members>"_meta":…}: for what a leg asks on its own account. With `of` meta is the client's own, raw, in the
 * document at hand, and loses what may not pass. */
struct buffer *request_own(struct leg *l, struct span members, struct span meta, const struct mcp_message *of);

/* reply.c: what an upstream said, for the client; the json view f->json holds it */
void reply_answer(struct txn *t, struct upstream *up, unsigned status, const struct mcp_message *m);  /* status 0: not over HTTP */
void reply_event(struct txn *t, struct leg *l, const struct mcp_message *m);
void reply_failed(struct txn *t, struct upstream *up, enum leg_fault fault, struct span detail);

/* link_http.c */
bool link_send(struct leg *l, struct buffer *request, enum leg_fault *fault);
void link_resume(struct link *k);                /* its client has room again: runs later in this turn */
void link_run_ready(struct flow *f);
size_t link_size(void);
struct link *link_of_node(struct list *node);
void link_detach(struct link *k);                /* its leg is over; what becomes of the connection is decided by its own state */
void link_abandon(struct link *k);               /* close it: nobody wants the rest */

/* link_line.c */
void line_set(struct upstream *up, int fd);
bool line_send(struct upstream *up, struct buffer *line);
/* Calls off what was asked: a question that has not begun to be sent is taken back, else the process at the other end is told. */
void line_cancel(struct leg *l);
static inline unsigned line_call(const struct leg *l) { return (l->generation & 0x1fffffffu) + 1; }

#endif
