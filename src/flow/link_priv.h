/* flow/link_priv.h: a connection to an HTTP upstream, for link_http.c and its helpers. */
#ifndef POSTERN_FLOW_LINK_PRIV_H
#define POSTERN_FLOW_LINK_PRIV_H

#include "flow/flow_priv.h"
#include "flow/link_idle.h"
#include "flow/outgoing.h"

enum link_state {
	LINK_IDLE,
	LINK_SEND,    /* from the beginning, while it connects */
	LINK_HEAD,
	LINK_BODY,    /* a JSON answer */
	LINK_EVENTS   /* an event stream; without a leg: only its end is waited for */
};

struct link {
	struct outgoing conn;      /* first: the loop hands it back */
	struct flow *f;
	struct upstream *up;
	struct leg *leg;           /* NULL: at rest, or its call is over */
	struct list node;          /* in up->idle, f->ready_links or f->limbo_links */
	struct timer timer;        /* connect, rest, until events are read on */
	struct buffer *in, *out, *event;
	struct intake intake;
	struct sse_reader sse;
	struct pace pace;          /* of events: what is asked for is the last */
	size_t taken;              /* bytes of the decoded payload that the event reader has had */
	size_t scanned;
	int64_t idle_ms;
	uint32_t request_from;     /* where the request begins in `out`, to send it again */
	uint16_t status;
	uint8_t state;
	uint8_t tenant;            /* whose calls it carries, where the upstream asks for credentials */
	bool keep;
};

#endif
