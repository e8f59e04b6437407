/* flow/broker_msg.h: every message between a worker and the broker. One edge per worker, a SOCK_SEQPACKET pair, no descriptors on it.
 *
 *   ASK_KEYS      worker -> broker   a token names a key that is not in this issuer's set
 *   KEYS          broker -> worker   an issuer's keys: the answer to ASK_KEYS, and unasked whenever they have changed or proved fresh
 *   INTROSPECT    worker -> broker   text: an opaque token, for this issuer
 *   INTROSPECTED  broker -> worker   text: the answer of its introspection endpoint; none: there was no answer that counts
 *   TOKEN_ASK     worker -> broker   a credential for a call to `server` on behalf of `tenant`; text: the caller's own token, only where the
 *                                    server's credential is exchanged for it, else none
 *   TOKEN         broker -> worker   text: one head line without CRLF; none: no credential could be had
 *
 * A message is one packet: exactly the struct, followed by exactly n bytes of text, n at most BROKER_TEXT_MAX. KEYS is the whole struct with
 * state BROKER_KEYS_HERE and ends before `set` otherwise. What else is not permitted: a type of the other direction, a number that is not in
 * the configuration, a text where none belongs, more than the agreed number of asks of a kind open at once, an answer that nobody waits for.
 * Any of it closes the edge; the worker's waiting calls are then answered with "none", and the broker forgets what it was asked. */
#ifndef POSTERN_FLOW_BROKER_MSG_H
#define POSTERN_FLOW_BROKER_MSG_H

#include "wire/jwk.h"

enum { BROKER_TEXT_MAX = 8192 };

enum broker_type {
	BROKER_NONE, BROKER_ASK_KEYS, BROKER_KEYS, BROKER_INTROSPECT, BROKER_INTROSPECTED, BROKER_TOKEN_ASK, BROKER_TOKEN, BROKER_TYPES
};

struct broker_ask_keys { uint32_t type, issuer; };

enum broker_keys_state {
	BROKER_KEYS_NONE,             /* none could be had; what the worker has stays as it was */
	BROKER_KEYS_SAME,             /* those sent last on this edge are fresh */
	BROKER_KEYS_HERE
};
struct broker_keys {
	uint32_t type, issuer, state;
	uint32_t valid_s;             /* SAME, HERE: for how long from now on they may be used without a further word */
	struct jwk_set set;
};

/* `call` is the asker's, and comes back with the answer. */
struct broker_introspect { uint32_t type, issuer; uint64_t call; uint32_t n, zero; };
struct broker_introspected { uint32_t type, there; uint64_t call; uint32_t n, zero; };
struct broker_token_ask { uint32_t type, server; uint64_t call; uint32_t tenant, again, n, zero; };
struct broker_token { uint32_t type, there; uint64_t call; uint32_t n, zero; };

struct broker_text { char p[BROKER_TEXT_MAX]; };

/* Room for any of them. */
union broker_packet {
	uint32_t type;
	struct broker_ask_keys ask_keys;
	struct broker_keys keys;
	struct { struct broker_introspect head; struct broker_text text; } introspect;
	struct { struct broker_introspected head; struct broker_text text; } introspected;
	struct { struct broker_token_ask head; struct broker_text text; } token_ask;
	struct { struct broker_token head; struct broker_text text; } token;
};

/* The length of the packet that m's own fields ask for. */
size_t broker_msg_size(const union broker_packet *m);
/* NULL if a packet of n bytes is a whole message of that direction in outline: known type, exact length, zeroes where they belong, bits that
 * are bits, a text only where `there` says so. Else what is wrong (static). */
const char *broker_msg_wrong(const union broker_packet *m, size_t n, bool to_broker);

#endif
