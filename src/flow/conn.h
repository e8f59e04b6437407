/* flow/conn.h: a non-blocking byte connection over a socket, plain or TLS, as client or server.
 *
 * A plain one is its descriptor and a NULL: conn_read() and conn_write() are then os/sock.h and nothing else. A TLS one has a struct
 * conn_tls from a pool besides, with wire/tls.h's engine in it, and speaks with the same return values: bytes, SOCK_AGAIN, SOCK_EOF,
 * SOCK_ERROR. SOCK_EOF is an end the peer announced (close_notify); a stream that was cut off is SOCK_ERROR.
 *
 * Its owner hands it every event of the socket first (conn_event) and tries again what said SOCK_AGAIN after any of them: a TLS connection
 * may have to write before it can read. What has been read says nothing about what is left: only SOCK_AGAIN does. What conn_write() has taken may
 * lie in a record for a while (conn_pending): conn_write() of no bytes goes on sending it.
 *
 * Record buffers are a pool of pairs. A connection takes a pair when something is to be done and gives it back, wiped, at the end of the turn
 * in which no part of a record is left in it (conn_turn), so one at rest or waiting for an upstream holds none. Without a free pair it says
 * SOCK_AGAIN and stands in line; conn_turn() wakes it by an event of its own (LOOP_READ and LOOP_WRITE) when there is one. The last quarter is
 * for connections that are open and for ours to upstreams: handshakes of clients never take it, and among these the newest comes first,
 * since in a flood the oldest have the least time left. A handshake holds no pair while it waits: the next record of a stranger is kept in the
 * connection's own memory until it is whole, if it is as small as an honest client's. Who holds a pair for too long is for the owner to decide (conn_pool.holders). */
#ifndef POSTERN_FLOW_CONN_H
#define POSTERN_FLOW_CONN_H

#include "base/list.h"
#include "base/slots.h"
#include "os/loop.h"
#include "os/sock.h"
#include "wire/crypto.h"
#include "wire/tls.h"

enum { CONN_WAIT = 112 };              /* a client's key, or its last word, with what is around it */

struct conn_pool {
	struct slots states;           /* conn_state_size() each */
	struct slots records;          /* conn_records_size() each */
	struct list holders;           /* connections that hold a pair, longest first (conn_tls.held) */
	struct list starved;           /* waiting for a pair, first come first served */
	struct list starved_shakes;    /* clients' handshakes waiting for one, newest first */
	struct list again;             /* hold a pair, and have more to do in the next turn */
	struct list warm;              /* hold a pair and were touched in this turn */
	struct crypto_drbg random;
	const struct loop *loop;
	int64_t (*unix_ms)(void *ctx); /* for the validity of certificates */
	void *unix_ctx;
};

struct conn_records;

struct conn_tls {
	struct list held;              /* in pool->holders */
	struct list turn;              /* in one of the pool's other lists */
	struct conn_pool *pool;
	struct loop_item *item;        /* its owner's: the socket, and who is woken */
	union {
		const struct tls_door *door;
		const struct tls_route *route;
	} with;
	struct conn_records *records;  /* NULL: none held */
	int64_t held_ms;               /* since when */
	int64_t moved_ms;              /* when a record last went out whole */
	uint32_t in_used, out_used;    /* bytes of the pair to be wiped */
	bool server, started, open, dead, closing;
	bool waiting;                  /* stands in line */
	bool can_read, can_write;      /* the socket, as far as is known */
	uint16_t nwait;                /* bytes of the record that a stranger has begun: in `wait`, of the first one in `engine`, which is not used yet */
	uint32_t left;                 /* of a record that was too long for that: bytes to come */
	bool not_tls, too_long;        /* the first byte that came begins no handshake; the first record is no honest client's */
	uint8_t wait[CONN_WAIT];
	_Alignas(16) unsigned char engine[];
};

size_t conn_state_size(bool certificates); /* whether clients may show some */
size_t conn_records_size(void);
/* The two slots are placed by the caller before. */
void conn_pool_start(struct conn_pool *p, const struct loop *loop, const void *entropy, size_t n);
/* Gives back the pairs of connections that have come to rest, and wakes as many of those who wait as there are pairs. True: there is more
 * to do at once. */
bool conn_turn(struct conn_pool *p);
/* True: somebody waits for a pair that none has given back. */
static inline bool conn_short(const struct conn_pool *p) { return !list_empty(&p->starved) || !list_empty(&p->starved_shakes); }

/* NULL: the pool is empty. The socket is watched by `item` (its fd may be set later, before the first use). */
struct conn_tls *conn_serve(struct conn_pool *p, struct loop_item *item, const struct tls_door *door);
struct conn_tls *conn_call(struct conn_pool *p, struct loop_item *item, const struct tls_route *route);
void conn_event(struct conn_tls *s, unsigned events);

enum conn_shake { CONN_SHAKING, CONN_OPEN, CONN_FAILED };
/* Goes on with the handshake. After CONN_FAILED, conn_why() says why. */
enum conn_shake conn_shake(struct conn_tls *s);
enum tls_error conn_why(const struct conn_tls *s);
bool conn_resumed(const struct conn_tls *s);
/* The client's certificate; NULL: there is none, or the handshake is not over. Lives as long as the connection. */
const struct tls_peer *conn_peer(const struct conn_tls *s);

long conn_tls_read(struct conn_tls *s, void *to, size_t n);
long conn_tls_write(struct conn_tls *s, const void *from, size_t n);
bool conn_tls_pending(const struct conn_tls *s);
/* True: no pair is held, or it has just been given back. False: part of a record is here, or bytes that nobody has read. */
bool conn_rest(struct conn_tls *s);
/* Begins close_notify, behind what is pending, if that is possible now. conn_pending() says when it is out. */
void conn_bye(struct conn_tls *s);
/* Wipes and gives back everything but the socket, which stays the owner's. */
void conn_drop(struct conn_tls *s);

static inline long conn_read(int fd, struct conn_tls *s, void *to, size_t n)
{
	return s ? conn_tls_read(s, to, n) : sock_read(fd, to, n);
}

/* n 0 (TLS only): 0 when nothing is pending any more. */
static inline long conn_write(int fd, struct conn_tls *s, const void *from, size_t n)
{
	return s ? conn_tls_write(s, from, n) : sock_write(fd, from, n);
}

static inline bool conn_pending(const struct conn_tls *s) { return s && conn_tls_pending(s); }

#endif
