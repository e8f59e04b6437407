/* flow/elder_msg.h: every message between a worker and the elder, the process that keeps the sessions of old clients (2025-11-25, 2025-06-18,
 * 2025-03-26).
 *
 * Two edges join them. The first is a byte stream of frames:
 *
 *   HTTP    worker -> elder   an old request: POST with a body, GET or DELETE without. Its caller is known, Host and Origin are allowed
 *   GONE    worker -> elder   the client of this call has gone, or was too slow for its stream and lost it. No word about the call may follow
 *                             but what is on its way; `call` is free again when the elder has read this
 *   REPLY   elder -> worker   the whole answer: a status and JSON, or a status alone (202, 404 …). The call is over
 *   STREAM  elder -> worker   the answer is an event stream, which begins with this (200)
 *   EVENT   elder -> worker   an event of it; without json it has an id alone (and `retry_ms` if that is not 0), for clients that may resume
 *   END     elder -> worker   the stream ends in good order. The call is over
 *
 * A frame is `struct elder_frame`, then the struct of its type (GONE, END: none; STREAM: the bytes of the session id alone), then the texts in
 * the order of the fields that say how long they are, without gaps: size is exactly the sum of the latter two. Numbers are the machine's own.
 * `call` is the worker's: unique while the edge lives, never 0. Each side reads on whatever it is doing, so that nobody's call stops the
 * edge: a worker whose client does not keep up gives that stream up. Frames about a call that is over are skipped; what does not hold to this page
 * closes the edge, and with it all its calls.
 *
 * The second edge is packets, elder -> worker: INNER with a descriptor, one end of a stream socket pair on which the elder is a client of HTTP/1.1
 * (Host: any; the path is INNER_PATH; no header needs to mirror the body, and none that does is looked at: Mcp-Param-* are made from the arguments).
 * It sends the modern requests that it makes of old ones. Three head fields are these connections' own:
 *
 *   Postern-Identity   the `identity` of the HTTP frame, as it is: it says for whom. The worker takes it for an hour at most, less where the caller's
 *                      token ends sooner (then: 401); the newest of a session is the one to use. It is nobody's but that principal's
 *   Postern-For        the call that the request is made of, while that is open at this worker: for a server that is asked in its caller's own name
 *                      the worker takes the token out of that call's head. If it is another principal's, or over, there is no token
 *   Postern-Scopes     of a 403: what would do, the upper 32 bits and the lower, in decimal, with a dot between them. There is no WWW-Authenticate:
 *                      the worker to which the old client has come says it in words */
#ifndef POSTERN_FLOW_ELDER_MSG_H
#define POSTERN_FLOW_ELDER_MSG_H

#include "base/buf.h"

enum {
	ELDER_SESSION_MAX = 64,       /* bytes of a session id: 0x21 to 0x7e */
	ELDER_EVENT_MAX = 64,         /* of an event's id: likewise */
	ELDER_VERSION_MAX = 16,       /* of MCP-Protocol-Version: likewise */
	ELDER_IDENTITY_MAX = 512,     /* of a sealed identity: likewise */
	ELDER_PRINCIPAL = 32,         /* a keyed hash of who is calling; equal for equal callers, in all workers of a run */
	ELDER_FRAME_ROOM = 1024       /* a frame is never longer than its body and so much */
};

#define INNER_PATH "/"

enum elder_type { ELDER_NONE, ELDER_HTTP, ELDER_GONE, ELDER_REPLY, ELDER_STREAM, ELDER_EVENT, ELDER_END, ELDER_TYPES };
enum elder_method { ELDER_POST, ELDER_GET, ELDER_DELETE, ELDER_METHODS };

struct elder_frame { uint32_t size; uint16_t type, zero; uint64_t call; };

struct elder_http {
	uint8_t principal[ELDER_PRINCIPAL];
	uint8_t method;               /* enum elder_method */
	uint8_t version_n;            /* MCP-Protocol-Version, one of an old revision; 0: there was none */
	uint8_t session_n;            /* Mcp-Session-Id; 0: there was none, which is an `initialize` */
	uint8_t event_n;              /* Last-Event-ID, of a GET; 0: there was none */
	uint32_t identity_n;
	uint32_t body_n;              /* POST: one JSON document, strictly checked (wire/json_check.h): an object, or a batch */
};

struct elder_reply {
	uint16_t status;              /* 200, 202, 400, 403, 404, 405, 409, 429, 500, 502, 503 or 504 */
	uint8_t again;                /* 1: with Retry-After */
	uint8_t session_n;            /* Mcp-Session-Id; 0: none is sent */
	uint32_t body_n;              /* JSON; 0: none */
	uint64_t scopes;              /* 403 only: what would do, a bit a number; with WWW-Authenticate. 0: none is sent */
};

struct elder_event {
	uint32_t retry_ms;            /* 0: none is said */
	uint32_t event_n;             /* the event's id; 0: it has none */
	uint32_t json_n;
};

/* A frame as it is read: spans are absent where nothing was sent, and point into the bytes that were read. */
struct elder_msg {
	enum elder_type type;
	uint64_t call;
	enum elder_method method;     /* HTTP */
	uint8_t principal[ELDER_PRINCIPAL];
	struct span version, event, identity;
	struct span session;          /* HTTP, REPLY, STREAM */
	struct span body;             /* HTTP, REPLY; EVENT: its json */
	unsigned status;              /* REPLY */
	bool again;                   /* REPLY */
	uint64_t scopes;              /* REPLY */
	uint32_t retry_ms;            /* EVENT */
};

/* Appends one frame (the event's id is `event`); b is full if it has no room, or if m breaks a rule of this page. */
void elder_msg_write(struct buf *b, const struct elder_msg *m);
/* How long the frame will be. */
size_t elder_msg_size(const struct elder_msg *m);

enum elder_taken { ELDER_MORE, ELDER_WHOLE, ELDER_WRONG };
/* Reads the frame that `in` begins with, one of the direction said. body_max: bytes of the longest body or json. WHOLE: *used bytes are the frame's.
 * MORE: *used is the length of the whole if that is known by now, else 0. WRONG: close the edge; *why says what was wrong (static). */
enum elder_taken elder_msg_read(struct elder_msg *m, struct span in, bool to_elder, size_t body_max, size_t *used, const char **why);

/* On the edge of packets. */
enum { ELDER_INNER = 48 };
struct elder_inner { uint32_t type, zero; };

#endif
