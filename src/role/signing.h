/* role/signing.h: the asking side of an edge to the keeper, in a worker or the broker; and what is a right question and answer there.
 *
 * A signature is asked for and waited for (SIGN_WAIT_MS of graph.c at most), because BearSSL's handshake wants it on the spot. Without a
 * keeper the answer is "none" at once; after a wait in vain nothing is asked for SIGNING_PAUSE_MS, so that a keeper that hangs stops no
 * connection that needs no signature. */
#ifndef POSTERN_ROLE_SIGNING_H
#define POSTERN_ROLE_SIGNING_H

#include "role/msg.h"
#include "wire/tls.h"

enum { SIGNING_PAUSE_MS = 2000 };

/* A new edge; closes an older one. Takes the fd. */
void signing_link(int fd);
/* struct tls_signer's and flow_hooks' sign(); ctx is not looked at. */
size_t signing_ask(void *ctx, unsigned key, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX]);
/* The same as a signer. */
const struct tls_signer *signing_signer(void);

/* NULL: a packet of n bytes asks as it must, of nkeys keys; else what is wrong (static). */
const char *signing_wrong(const struct msg_sign *m, long n, unsigned nkeys);

#endif
