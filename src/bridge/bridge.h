/* bridge/bridge.h: one upstream of whatever era, spoken to on behalf of workers that speak MCP 2026-07-28 only. An engine: lines and ticks in,
 * lines out through hooks; no I/O, no clock, no memory of its own.
 *
 * Towards WORKERS it is a modern MCP server in the stdio framing, one stream per worker, as provider/files.h is: every request is answered exactly
 * once, by a result, an error, or (its own end) the cancelling of it. A request may carry params._meta "postern/principal", a string of 1 to 64
 * bytes that stands for the caller; a question without one is the worker's own. No member of a `_meta` whose name begins with "postern/" passes
 * in or out, with one exception: a notifications/message carries "postern/call", the id of the request it belongs to, since nothing else in it
 * says so; whoever passes it on takes that out.
 *
 * A PEER is one conversation with the upstream: a child, or an HTTP session. Peer 0 is shared by all who cannot be asked anything; it is started
 * when somebody needs it and kept. A modern upstream has no other. A legacy one has up to peers_max - 1 more, each for one principal and one
 * set of client capabilities: whoever declares elicitation, sampling or roots (as far as `ask` lets them be asked), or wants log messages of
 * an upstream that logs, has everything but listens done there. A peer with nothing under way is ended for the next principal, the least recently used
 * first; after private_idle_ms it is ended anyway. If all are at work the call waits, start_ms at most, and is then refused as busy. With
 * peers_max 1 nobody is asked anything and nobody hears log messages. One principal may have them all; from peers_max / 2
 * on those in which it has only to answer something are ended for a principal that has none.
 *
 * ERA (mcp.md 4.4): with BRIDGE_AUTO peer 0 is asked server/discover first. A DiscoverResult with our version is modern; one, or a -32022,
 * that lists only older versions, any other error, silence for probe_ms, and an end of the conversation mean legacy: initialize, in the same
 * conversation if it is still there. The verdict is kept until a start fails. Versions of initialize: 2025-11-25 is offered, 2025-06-18, 2025-03-26 and
 * 2024-11-05 are taken as well, anything else is refused in words.
 *
 * SILENCE. A request has had no answer for silence_ms, taken back meanwhile or not, and its peer has said nothing at all in that time: it is asked
 * what it must answer at once (a legacy one `ping`, a modern one server/discover). Whatever it says then shows that it lives. If it says nothing for
 * probe_ms the conversation is over and is ended here, as by bridge_peer_down(). How long a single request may take is the workers' to say.
 *
 * TIME is what hooks.now_ms points at; the owner keeps it current and calls bridge_tick() at the end of every turn of its loop.
 * MEMORY: need and place, as everywhere. Settings, hooks and the spans in them outlive the engine. Spans given to a hook live until it returns.
 * A hook must not call the engine: what it learns (no room, no start) it returns, or reports later. */
#ifndef POSTERN_BRIDGE_BRIDGE_H
#define POSTERN_BRIDGE_BRIDGE_H

#include "base/span.h"

enum bridge_era { BRIDGE_AUTO, BRIDGE_MODERN, BRIDGE_LEGACY };

enum bridge_ask { BRIDGE_ASK_ELICITATION = 1, BRIDGE_ASK_SAMPLING = 2, BRIDGE_ASK_ROOTS = 4 };

enum {
	BRIDGE_WORKERS_MAX = 64, BRIDGE_PEERS_MAX = 256, BRIDGE_CALLS_MAX = 4095,
	BRIDGE_SLACK = 8192,          /* what a message may grow by on its way through */
	BRIDGE_KEY = 32
};

struct bridge_settings {
	struct span name;             /* of the server in the configuration: for words */
	struct span version;          /* of Postern: clientInfo */
	enum bridge_era era;          /* HTTP upstreams: BRIDGE_LEGACY, the worker has probed already */
	unsigned ask;                 /* enum bridge_ask: what a legacy upstream may ask callers that declare it. Roots: some servers then
	                               * open to a caller what the caller names, so this is the operator's to say */
	unsigned nworkers;            /* 1..BRIDGE_WORKERS_MAX */
	unsigned peers_max;           /* 1..BRIDGE_PEERS_MAX */
	unsigned calls_max;           /* requests of all workers under way at once, parked ones and a modern upstream's listens too; 1..BRIDGE_CALLS_MAX */
	unsigned listens_max;         /* open subscriptions/listen to a legacy upstream */
	unsigned waiting_max;         /* texts kept at once: requests that wait for a peer (half of them at most those of one principal that wait for
	                               * peers of their own), questions of the upstream, answers to parked calls */
	unsigned parks_max;           /* calls that wait for their caller's answer */
	unsigned parks_each;          /* of one principal: its oldest is given up for one more */
	uint32_t tokens;              /* JSON tokens per message */
	uint64_t line_max;            /* longest line of a worker, without its LF */
	uint64_t reply_max;           /* longest message of a peer */
	int64_t probe_ms;             /* server/discover unanswered for so long: legacy */
	int64_t start_ms;             /* from start_peer() to its being ready; longest wait for a peer */
	int64_t silence_ms;           /* see SILENCE; 0: peers are never asked */
	int64_t park_ms;              /* how long a question waits for its caller */
	int64_t private_idle_ms;      /* peers other than 0 */
	int64_t ttl_ms;               /* ttlMs of a legacy upstream's lists that it announces changes of; others and resources/read have 0 */
	uint8_t key[BRIDGE_KEY];      /* fresh from the kernel in each process: seals requestState */
	uint8_t seed[16];             /* random; keys hashes of JSON names */
};

/* What a message to a peer is, for transports that must know (HTTP). */
enum bridge_what {
	BRIDGE_INITIALIZE,            /* a request; its answer begins the session */
	BRIDGE_INITIALIZED,           /* the notification behind it: the session stands, its GET stream may be opened */
	BRIDGE_REQUEST,
	BRIDGE_NOTIFICATION,          /* of a notifications/cancelled, `id` is the request it cancels: its stream is of no use any more */
	BRIDGE_RESPONSE               /* to a request of the upstream */
};

struct bridge_out {
	enum bridge_what what;
	uint64_t id;                  /* ours, of BRIDGE_INITIALIZE and BRIDGE_REQUEST (a number in the message); never 0, never used twice */
	struct span version;          /* negotiated (MCP-Protocol-Version of old HTTP); absent before */
	struct span message;          /* one line without LF; at most line_max (or reply_max, whichever is larger) + BRIDGE_SLACK bytes */
};

struct bridge_hooks {
	void *ctx;
	const int64_t *now_ms;        /* monotonic, above 0: &loop->now_ms */
	/* One line without LF, to be copied; at most reply_max + BRIDGE_SLACK bytes. False: no room. Nothing of an answer is lost by that: a short error
	 * takes its place and is offered again at every tick; a notification is dropped. So the owner hands over a peer's message only while every worker that
	 * is up has room for one such line. A worker that takes nothing for long should be closed. */
	bool (*to_worker)(void *ctx, unsigned worker, struct span line);
	/* False: it cannot be sent now (a full queue): the call is refused as busy. */
	bool (*to_peer)(void *ctx, unsigned peer, const struct bridge_out *out);
	/* Begin a conversation; bridge_peer_up() or bridge_peer_down() says what came of it. */
	void (*start_peer)(void *ctx, unsigned peer);
	/* End it (a child's stdin is closed, a session is DELETEd). From here on nothing of that conversation may be handed over any more, and the next
	 * start_peer() with this number, which may come at once, means a new one. Not called behind bridge_peer_down(). */
	void (*stop_peer)(void *ctx, unsigned peer);
	/* One line, free of control bytes and of anything secret, without the server's name. May be rate-limited by the owner. */
	void (*log)(void *ctx, struct span line);
};

struct bridge_counts {
	uint64_t requests, answers, faults;   /* of workers: taken; answered; of these, errors in our own words */
	uint64_t refused_busy, parked, resumed, park_expired, asks_refused;
	uint64_t strays;                      /* peers' answers and events that belong to no call (late ones too) */
	uint64_t broken;                      /* peers' messages that are no acceptable JSON-RPC, or too long */
	uint64_t starts, losses;              /* of peers */
};

size_t bridge_need(const struct bridge_settings *s);
/* mem: bridge_need() bytes, zeroed, aligned to 64. */
struct bridge *bridge_place(void *mem, const struct bridge_settings *s, const struct bridge_hooks *h);

/* A worker's stream is there (anew: what an earlier one had open is cancelled), has brought a line (without LF), has brought one longer than
 * line_max (which was let go by; its call gets no answer but an id-less error, as with other servers), is gone. A line is handed over only while
 * the worker has room for an error (BRIDGE_SLACK): with all calls taken it could not be kept. */
void bridge_worker_up(struct bridge *b, unsigned worker);
void bridge_worker_line(struct bridge *b, unsigned worker, struct span line);
void bridge_worker_long(struct bridge *b, unsigned worker);
void bridge_worker_down(struct bridge *b, unsigned worker);

/* The conversation begun by start_peer() can be written to. */
void bridge_peer_up(struct bridge *b, unsigned peer);
/* One message of the upstream (a line, a JSON body, the data of an event). `of`: the id of the request on whose HTTP stream it came; 0: unknown
 * (stdio, a GET stream). With an id, what the upstream asks is asked of that call's caller; without, of the newest call of that peer that
 * declared it (all are of one principal). Message: at most reply_max bytes. */
void bridge_peer_line(struct bridge *b, unsigned peer, uint64_t of, struct span message);
/* It has said something that is not handed over yet (half a line, or nobody has room for it): it is not silent. */
void bridge_peer_heard(struct bridge *b, unsigned peer);
/* One longer than reply_max, which the transport let go by: its first and last bytes (some hundred are enough; `tail` may be absent), by which
 * the call it answers is found if it can be; `of` as above. */
void bridge_peer_long(struct bridge *b, unsigned peer, uint64_t of, struct span head, struct span tail);
/* One request came to nothing (HTTP: refused, no connection, its stream ended without an answer): `why` says it in words that go on behind "upstream NAME",
 * such as "cannot be reached". Of BRIDGE_INITIALIZE: the peer is down. Unknown ids are ignored. */
void bridge_peer_failed(struct bridge *b, unsigned peer, uint64_t id, struct span why);
/* Is this request (an id of to_peer) still without its answer? Of a parked one too. By this a transport knows whether a stream that ended is to be resumed. */
bool bridge_peer_awaits(const struct bridge *b, unsigned peer, uint64_t id);
/* HTTP: the session is gone (404). The engine begins the next in the same peer: initialize and initialized are sent at once, then what has to be said
 * again (subscriptions, log level). What the 404 answered was not executed: the transport may keep it and send it behind BRIDGE_INITIALIZED,
 * under the same id. */
void bridge_peer_again(struct bridge *b, unsigned peer);
/* The conversation is over (a child's exit, a connection refused); `why` as above. What was under way is answered with it. A new start comes
 * when somebody needs it: at once the first time, then after 1, 2, 4 … 30 s while starts keep failing; of peers other than 0 each
 * counts for its principal alone. */
void bridge_peer_down(struct bridge *b, unsigned peer, struct span why);

/* After each loop_wait(): timeouts, expiries, answers that had no room, calls whose peer has become free. Returns how long the next wait may
 * last in ms (-1: for ever). */
int bridge_tick(struct bridge *b);

/* Requests of workers not answered yet (parked calls are answered): 0 when a process that is to end may do so. */
unsigned bridge_open_calls(const struct bridge *b);
const struct bridge_counts *bridge_counted(const struct bridge *b);
/* What is known of the upstream, for a log line or a page: "modern", "legacy 2025-06-18", or absent. Static. */
struct span bridge_known(const struct bridge *b);

#endif
