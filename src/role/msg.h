/* role/msg.h: every message between processes. All go between the parent and one role, on that role's channel (role/graph.h).
 *
 *   START    parent -> role             all links of the beginning have been sent: serve
 *   READY    role -> parent             its jail is shut and proven, it serves; which walls the kernel lacks
 *   LINK     parent -> worker/provider  with a descriptor: a stream socket to the built-in server `peer` (its number in the configuration),
 *                                       or from the worker `peer`; replaces an older one
 *   STATE    parent -> desk             what /ready shall say
 *   DRAIN    parent -> role             finish within grace_ms and end
 *   DRAINED  worker -> parent           nothing is in flight any more; it ends now
 *
 * A message is one packet, exactly one of these structs, with a descriptor if it is a LINK and without one otherwise. What is not permitted
 * (the table is in msg.c) closes the edge: a role that loses its channel ends, a role whose channel the parent closes is killed. */
#ifndef POSTERN_ROLE_MSG_H
#define POSTERN_ROLE_MSG_H

#include <stdbool.h>
#include <stdint.h>

enum role { ROLE_PARENT, ROLE_PROVIDER, ROLE_WORKER, ROLE_DESK, ROLES };
/* Where the sender or receiver stands, seen from the role: before READY, serving, after DRAIN. */
enum phase { PHASE_STARTING, PHASE_SERVING, PHASE_DRAINING, PHASES };

enum msg_type { MSG_NONE, MSG_START, MSG_READY, MSG_LINK, MSG_STATE, MSG_DRAIN, MSG_DRAINED, MSG_TYPES };

struct msg_start { uint32_t type; };
struct msg_ready { uint32_t type, missing; /* JAIL_NO_… */ };
struct msg_link { uint32_t type, peer; };
struct msg_state { uint32_t type, generation, up, wanted, missing, draining; };
struct msg_drain { uint32_t type, grace_ms; };
struct msg_drained { uint32_t type; };

union msg {
	uint32_t type;
	struct msg_start start;
	struct msg_ready ready;
	struct msg_link link;
	struct msg_state state;
	struct msg_drain drain;
	struct msg_drained drained;
};

/* fd: the descriptor of a LINK (stays the caller's), else -1. False: the receiver is gone or does not read. */
bool msg_send(int channel, const union msg *m, int fd);

enum msg_got { MSG_GOT, MSG_NOTHING, MSG_CLOSED };
/* The next message for `receiver` in its phase. As the parent, `sender` is the role at the other end; in a role it is ROLE_PARENT. *fd belongs
 * to the caller, -1 if none. MSG_CLOSED: the other side is gone, or sent what is not permitted (*why says what, else NULL). */
enum msg_got msg_take(int channel, enum role receiver, enum role sender, enum phase phase, union msg *m, int *fd, const char **why);

#endif
