/*
 * A network in memory, in place of os/loop and os/sock: linked before libos, so that flow runs unchanged on it.
 *
 * What TCP and epoll may do at any time, it does often and by a seeded dice: bytes arrive in pieces, writes are short, events come late,
 * in any order, merged, or with more than is new; connects are slow or refused; the peer half-closes, closes or resets. What they promise
 * is kept: a read that took less than was asked for has drained the socket, or an event follows; a state once reported stays true.
 *
 * The scripted side of a connection is a struct sim_conn: it writes with sim_say, reads what has come in `got`, and ends with sim_fin,
 * sim_close or sim_reset. Time is sim.now_ms and stands still until the world moves it.
 */
#ifndef TESTS_FLOW_SIM_H
#define TESTS_FLOW_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/loop.h"

enum { SIM_CONNS = 1024, SIM_FD = 100, SIM_LISTEN_FD = 50 };

struct sim_bytes {
	char *p;
	size_t n, cap;
};

struct sim_tls;

struct sim_conn {
	bool used;
	bool connecting, refused;          /* the gate's connect is on its way */
	bool accepted;                     /* the gate holds its end */
	struct loop_item *item;            /* NULL: not watched */
	unsigned pending;                  /* news not delivered yet */
	unsigned told;                     /* LOOP_HALF and LOOP_GONE that were delivered */
	struct sim_bytes in;               /* on the way to the gate */
	struct sim_bytes got;              /* arrived at the script */
	struct sim_tls *tls;               /* sim_tls.h; NULL: plain */
	struct sim_bytes wire;             /* TLS: arrived, and not yet deciphered into `got` */
	size_t window;                     /* got.n up to this many, then the gate must wait */
	bool fin, closed, reset;           /* what the script did; closed: it reads no more */
	bool gate_fin, gate_closed;        /* what the gate did */
	bool gate_waits;                   /* was told to wait with its writing */
	uint16_t port;                     /* the address connected to, 0 for a client */
	int server;                        /* for lines */
};

struct sim {
	uint64_t dice;
	int64_t now_ms;
	struct loop_item *listener;
	bool listener_paused;
	int backlog[SIM_CONNS];            /* conns waiting to be accepted */
	unsigned nbacklog;
	int64_t no_accept_until_ms;        /* till then accept fails as if out of descriptors */
	bool faulty;                       /* a connect may fail at once */
	bool rough;                        /* short writes, late and spurious events; false: everything at once */
	unsigned top;                      /* conn[0 .. top-1] have been in use */
	struct sim_conn conn[SIM_CONNS];   /* last: cleared as far as it was used */
};
extern struct sim sim;

void sim_begin(uint64_t seed, bool rough);
void sim_end(void);                                  /* gives back all memory */
uint32_t sim_roll(uint32_t sides);                   /* 0 .. sides-1 */
struct sim_conn *sim_client(void);                   /* a new connection in the listener's queue; NULL: no room */
int sim_pair(int server, struct sim_conn **peer);    /* a line: the gate's descriptor */
void sim_say(struct sim_conn *c, const void *p, size_t n);
void sim_took(struct sim_conn *c, size_t n);         /* the script has used the first n bytes of got */
void sim_fin(struct sim_conn *c);
void sim_close(struct sim_conn *c);
void sim_reset(struct sim_conn *c);
void sim_finish(struct sim_conn *c, unsigned how);   /* one of these three, whatever the number */
/* The same beneath TLS, and what its engine needs. */
void sim_raw_say(struct sim_conn *c, const void *p, size_t n);
void sim_raw_fin(struct sim_conn *c);
void sim_raw_close(struct sim_conn *c);
void sim_wire_took(struct sim_conn *c, size_t n);
void sim_bytes_put(struct sim_bytes *b, const void *p, size_t n);
void sim_bytes_drop(struct sim_bytes *b, size_t n);
/* Connects of the gate that are on their way come about. True: there was one. */
bool sim_connect_all(void);
/* Until nothing happens any more: what the script does (`act` is true when it did something; NULL: nothing), news, and the gate's tick, which
 * gives 0 when it wants to go on at once. */
void sim_settle(struct loop *l, bool (*act)(void), int (*tick)(void));
/* Time goes by in steps; `settle` after each. */
void sim_pass_time(int64_t ms, int64_t step_ms, void (*settle)(void));
/* True if the script will hear nothing more: the gate closed, or there was a reset. */
bool sim_over(const struct sim_conn *c);
/* Delivers news in random order, some of it later. True: something was delivered. */
bool sim_deliver(struct loop *l);
bool sim_news(void);                                 /* something waits to be delivered */

#endif
