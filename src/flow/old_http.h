/* flow/old_http.h: conversations with one HTTP server of the revisions that have sessions (MCP 2025-03-26, 2025-06-18, 2025-11-25), as their client.
 *
 * What the messages say is the owner's business (src/bridge): he hands over one JSON-RPC message at a time and says what kind it is, and gets back
 * what comes, message by message. This knows the transport: POST for each message, Mcp-Session-Id as the reply to initialize gave it (RFC 9110
 * token or not: 1 to OLD_HTTP_SESSION_MAX bytes 0x21..0x7E, else the start fails), MCP-Protocol-Version, replies as JSON or as events, the GET stream where the
 * server has one, DELETE at the end.
 *
 * A PEER is one session, with connections that no other uses. Order: what is sent before notifications/initialized has been accepted waits for that. A
 * 404 to a message that carried a session id means the session is gone: hooks.again, once, whereupon the owner sends initialize and
 * initialized anew; requests and notifications that had the 404 are sent behind those under the new session, each once more (a 404 says that nothing was executed),
 * answers to the server's own questions are not. What had not been sent yet waits for the new session, but for such answers.
 *
 * A request's stream that ends without an answer goes on by GET with Last-Event-ID, if its server gave ids: after `retry` (1 s unless it says otherwise,
 * from OLD_HTTP_RETRY_MIN_MS to OLD_HTTP_RETRY_MAX_MS), OLD_HTTP_RESUMES times without a new event, and not in another session. It is never POSTed again. The GET stream is opened when the
 * session stands and again when it ends, from the last id on; a server that answers it with anything but an event stream has none (429 and 502 to 504 say only that it is
 * away).
 *
 * A 401 to a request with a credential is asked once more with a newer credential, each time that a stream goes on. Redirects are not followed.
 *
 * HTTP+SSE of 2024-11-05 is not spoken: an initialize that is answered with 400, 404 or 405 fails with words that name it.
 *
 * All memory is given at the start; the owner runs loop_wait() and then old_http_tick(). Hooks are called from the loop, from old_http_tick() and from
 * old_http_credential(), never from the other functions; in them the owner may call any of these. */
#ifndef POSTERN_FLOW_OLD_HTTP_H
#define POSTERN_FLOW_OLD_HTTP_H

#include "base/addr.h"
#include "os/loop.h"
#include "wire/tls.h"

enum {
	OLD_HTTP_SESSION_MAX = 512,
	OLD_HTTP_RETRY_MS = 1000, OLD_HTTP_RETRY_MIN_MS = 100, OLD_HTTP_RETRY_MAX_MS = 30000, OLD_HTTP_RESUMES = 8,
	OLD_HTTP_LINGER_MS = 1000,    /* a stream whose answer has come should end by then */
	OLD_HTTP_DELETE_MS = 1500     /* with the wait for its credential */
};

enum old_http_what { OLD_HTTP_INITIALIZE, OLD_HTTP_INITIALIZED, OLD_HTTP_REQUEST, OLD_HTTP_NOTIFICATION, OLD_HTTP_RESPONSE };

struct old_http_hooks {
	void *ctx;
	/* The peer that was started can be sent to. */
	void (*up)(void *ctx, unsigned peer);
	/* A message of the server, which came on the stream of request `of` (0: on none). It lives until the call returns. */
	void (*message)(void *ctx, unsigned peer, uint64_t of, struct span message);
	/* Whether that request has had no answer yet. One that is not awaited, or not any more, has answer_ms at most from time to time of looking. */
	bool (*awaits)(void *ctx, unsigned peer, uint64_t id);
	/* Nothing more comes for that request: `why` goes on behind "upstream NAME". Of INITIALIZE: the peer is stopped as well. */
	void (*failed)(void *ctx, unsigned peer, uint64_t id, struct span why);
	/* The session is gone; the next INITIALIZE begins another. */
	void (*again)(void *ctx, unsigned peer);
	/* The conversation is over, and the peer stopped. */
	void (*down)(void *ctx, unsigned peer, struct span why);
	/* Whether there is room for one message more. NULL: always. */
	bool (*room)(void *ctx);
	/* Servers that want a credential: asks for one; old_http_credential(call) brings it, later. again: the last one was refused. False: it cannot be asked for. */
	bool (*credential)(void *ctx, uint64_t call, bool again);
	int64_t (*unix_ms)(void *ctx); /* TLS */
};

struct old_http_settings {
	struct addr address;
	struct span host, path;
	struct span fields;           /* further head lines, each with its CRLF, checked */
	const struct tls_route *tls;  /* NULL: plain */
	uint32_t connect_ms;
	int64_t answer_ms;            /* the longest wait for the answer to a message that is no request, or one that is not awaited */
	bool credential;
	uint32_t peers;
	uint32_t calls;               /* requests at once, of all peers together, or more while there is nothing else; notifications and responses: as many at most */
	uint32_t larges;              /* of flow/exchange.h */
	uint32_t message_max, reply_max;
	uint8_t entropy[32];          /* fresh from the kernel: TLS */
	struct old_http_hooks hooks;
};

struct old_http;
size_t old_http_need(const struct old_http_settings *s);
/* mem: old_http_need() bytes, zeroed, aligned to 64. The settings outlive it. */
struct old_http *old_http_place(void *mem, const struct old_http_settings *s, struct loop *loop);
/* Descriptors it may have open at once. */
uint32_t old_http_files(const struct old_http_settings *s);

/* Begins a conversation; hooks.up comes in the next tick. */
void old_http_start(struct old_http *h, unsigned peer);
/* Ends it: what is under way is let go without a word, the session is DELETEd. */
void old_http_stop(struct old_http *h, unsigned peer);
/* Copies the message. id: of INITIALIZE and REQUEST; of a NOTIFICATION: the request that it cancels (0: none), whose stream is closed. version: as negotiated,
 * absent before. False: there is no room now. */
bool old_http_send(struct old_http *h, unsigned peer, enum old_http_what what, uint64_t id, struct span version, struct span message);
/* One head line without CRLF, copied; absent: none could be had. */
void old_http_credential(struct old_http *h, uint64_t call, struct span line);
/* Requests, notifications and DELETEs that have not come to an end: 0 when the process may end (GET streams do not count). */
uint32_t old_http_open(const struct old_http *h);
/* After each loop_wait(). */
void old_http_tick(struct old_http *h);
/* How long the next wait may last in ms (-1: for ever): after all that is done in a turn. */
int old_http_wait(struct old_http *h);

#endif
