/* role/msg.h: every message between processes but those of the edges of broker (flow/broker_msg.h) and elder. On a role's channel, between it and the
 * parent (role/graph.h):
 *
 *   START    parent -> role             all links of the beginning have been sent: serve
 *   READY    role -> parent             its jail is shut and proven, it serves; which walls the kernel lacks
 *   LINK     parent -> role             with a descriptor: an edge to the process number `peer` of role `of`, which replaces an older one.
 *                                       Workers and providers: a stream socket (peer: the worker's number, or that of the built-in server in
 *                                       the configuration). With the keeper, the broker or the launcher at an end: packets. Workers and the elder: a
 *                                       stream of frames (flow/elder_msg.h)
 *   INNER    parent -> role             as LINK, and beside it: packets, by which a worker is given the connections on which `of` is its client
 *   STATE    parent -> desk             what /ready shall say
 *   DRAIN    parent -> role             finish within grace_ms and end
 *   DRAINED  worker -> parent           nothing is in flight any more; it ends now
 *   LOAD     parent -> launcher         a generation's configuration: read the file and take it, if these are its bytes
 *   LOADED   launcher -> parent         whether it did, and all its programs are there
 *   FORGET   parent -> launcher         a generation has ended
 *
 * On an edge of the keeper, one at a time:
 *
 *   SIGN     worker/broker -> keeper    a signature over a digest
 *   SIGNED   keeper -> worker/broker    the signature; n 0: none, because there were too many, or of a fault
 *
 * On the edge of the launcher with a bridge, which is that of one server of one generation; `child` is a number below that server's "children":
 *
 *   RUN      bridge -> launcher         start the server's program
 *   RAN      launcher -> bridge         with a descriptor: a stream that is the program's standard input and output; without: it could not be started
 *   STOP     bridge -> launcher         it has been told to end (its input is closed): see to it
 *   EXITED   launcher -> bridge         it has ended, and whatever it had started
 *
 * A message is one packet, exactly one of these structs, with a descriptor if it is a LINK or INNER (or a RAN that went well) and without one otherwise. What is not permitted
 * (the table is in msg.c) closes the edge: a role that loses its channel ends, a role whose channel the parent closes is killed. An edge of
 * the keeper or the launcher that it closes stays closed until one of the two is started again. */
#ifndef POSTERN_ROLE_MSG_H
#define POSTERN_ROLE_MSG_H

#include <stdbool.h>
#include <stdint.h>

enum role { ROLE_PARENT, ROLE_PROVIDER, ROLE_WORKER, ROLE_DESK, ROLE_KEEPER, ROLE_BROKER, ROLE_BRIDGE, ROLE_LAUNCHER, ROLE_ELDER, ROLE_STDIO, ROLES };
/* Where the sender or receiver stands, seen from the role: before READY, serving, after DRAIN. */
enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_DRAINING, PHASES };

enum msg_type { MSG_NONE, MSG_START, MSG_READY, MSG_LINK, MSG_STATE, MSG_DRAIN, MSG_DRAINED, MSG_LOAD, MSG_LOADED, MSG_FORGET, MSG_INNER, MSG_TYPES };
/* On edges of the keeper. */
enum { MSG_SIGN = 32, MSG_SIGNED };
enum { MSG_DIGEST_MAX = 64, MSG_SIGNATURE_MAX = 520 };
/* On edges of the launcher. */
enum { MSG_RUN = 64, MSG_RAN, MSG_STOP, MSG_EXITED };

struct msg_start { uint32_t type; };
struct msg_ready { uint32_t type, missing; /* JAIL_NO_… */ };
struct msg_link { uint32_t type, of, peer, generation; }; /* INNER too */
struct msg_state { uint32_t type, generation, up, wanted, missing, draining; };
struct msg_drain { uint32_t type, grace_ms; };
struct msg_drained { uint32_t type; };
struct msg_load { uint32_t type, generation; uint8_t sha256[32]; };
struct msg_loaded { uint32_t type, generation, right; };
struct msg_forget { uint32_t type, generation; };

/* serial: the asker's, and comes back, so that an answer that is late is taken for no other. hash: enum tls_hash. n: of the digest. */
struct msg_sign { uint32_t type, serial, key, hash, n; uint8_t digest[MSG_DIGEST_MAX]; };
struct msg_signed { uint32_t type, serial, n; uint8_t signature[MSG_SIGNATURE_MAX]; };

/* What a channel carries. */
union msg {
	uint32_t type;
	struct msg_start start;
	struct msg_ready ready;
	struct msg_link link;
	struct msg_state state;
	struct msg_drain drain;
	struct msg_drained drained;
	struct msg_load load;
	struct msg_loaded loaded;
	struct msg_forget forget;
};

/* What an edge of the launcher carries. RUN, STOP and RAN: the first two members. status -1: by `signal`. */
struct msg_child { uint32_t type, child; int32_t status, signal; };

/* fd: the descriptor of a LINK or INNER (stays the caller's), else -1. False: the receiver is gone or does not read. */
bool msg_send(int channel, const union msg *m, int fd);

enum msg_got { MSG_GOT, MSG_NOTHING, MSG_CLOSED };
/* The next message for `receiver` in its phase. As the parent, `sender` is the role at the other end; in a role it is ROLE_PARENT. *fd belongs
 * to the caller, -1 if none. MSG_CLOSED: the other side is gone, or sent what is not permitted (*why says what, else NULL). */
enum msg_got msg_take(int channel, enum role receiver, enum role sender, enum phase phase, union msg *m, int *fd, const char **why);

#endif
