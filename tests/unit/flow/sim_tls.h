/* The scripted side's TLS: an engine of its own (wire/tls.h) between what the script says and hears and what goes over the wire.
 *
 * A sim_conn with one is used as before: sim_say and `got` are plaintext. Records go out in pieces when the world is rough. sim_fin and
 * sim_close say goodbye first, once everything is out; sim_reset does not. */
#ifndef TESTS_FLOW_SIM_TLS_H
#define TESTS_FLOW_SIM_TLS_H

#include "unit/flow/sim.h"
#include "wire/tls.h"

struct sim_tls {
	struct tls *t;
	void *in, *out;
	struct sim_bytes plain;            /* said, not yet in a record */
	struct sim_bytes raw;              /* records not yet on the wire */
	size_t raw_total;                  /* bytes that went out on the wire */
	size_t cut_at;                     /* the wire ends behind so many of them, without a word; 0: never */
	int64_t wait_ms;                   /* the script does nothing until then */
	bool cut_silent;                   /* there it stalls instead */
	bool want_fin, want_close, closing;
	bool cut_off;                      /* the gate ended without close_notify */
	bool announced;                    /* the gate said close_notify */
};

/* What all worlds share. */
extern struct tls_door sim_door;            /* for listeners: a.test, of the test CA */
extern struct tls_door sim_door_mutual;     /* demands certificates of the CA */
extern struct tls_route sim_route;          /* to a.test, pinned to the CA */
extern struct tls_route sim_route_distrust; /* pinned to another CA */
extern struct tls_route sim_route_own;      /* shows a client's certificate */
extern bool sim_signer_fails;               /* of the gate; the script's own always signs */
void sim_tls_world(uint64_t seed);         /* a new world: the same as each time with this seed */
size_t sim_sign(void *ctx, unsigned key, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX]);
int64_t sim_unix_ms(void *ctx);

/* The script's side becomes a client, or a server. Its engine uses the given shapes as they are, with caches and signer in them. */
void sim_tls_client(struct sim_conn *c, const struct tls_route *route);
void sim_tls_server(struct sim_conn *c, const struct tls_door *door);
bool sim_tls_act(struct sim_conn *c);      /* true: something was done */
bool sim_tls_act_all(void);
void sim_tls_free(struct sim_conn *c);
void sim_tls_say(struct sim_conn *c, const void *p, size_t n);

#endif
