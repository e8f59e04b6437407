/* wire/tls_priv.h: shared by tls*.c: what a connection is inside. */
#ifndef POSTERN_WIRE_TLS_PRIV_H
#define POSTERN_WIRE_TLS_PRIV_H

#include <bearssl.h>
#include <stddef.h>

#include "wire/tls.h"

/* During a handshake BearSSL gets the fronts of the record buffers: whole records are not needed yet, since what is not encrypted is read
 * piece by piece and flights are written as several records. The ends hold struct tls_hand and the peer's certificate. */
enum { HAND_FRAGMENT = 4096, HAND_OUT = HAND_FRAGMENT + 85, HAND_IN = TLS_IN_SIZE - X509_DER_MAX, FULL_FRAGMENT = 8192 };

struct tls_hand {
	br_x509_minimal_context x509;
	br_x509_certificate chain[X509_CHAIN_MAX]; /* ours, being sent */
	unsigned char *leaf;       /* the peer's, X509_DER_MAX bytes */
	size_t nleaf;
	bool begun;                /* the peer's certificates have begun to come */
	unsigned ncerts;
	unsigned error;            /* BR_ERR_X509_…, ours */
};

struct tls {
	union {
		br_ssl_engine_context eng; /* the first member of both */
		br_ssl_server_context server;
		br_ssl_client_context client;
	} br;
	/* BearSSL calls us with the addresses of these: see TLS_OF. */
	const br_x509_class *chain_hook;
	const br_ssl_server_policy_class *policy_hook;
	const br_ssl_session_cache_class *cache_hook;
	const br_ssl_client_certificate_class *own_hook;

	const struct tls_door *door;   /* server */
	const struct tls_route *route; /* client */
	struct tls_hand *hand;         /* NULL: the handshake's secrets are settled, the buffers are whole */
	const struct tls_cert *cert;   /* ours, chosen */
	int64_t now_ms;                /* when it began */
	int64_t until_ms;              /* client: the server's certificate's end */
	uint64_t name;                 /* server: what the loaded session was made for */
	uint16_t alert_at, alert_n;    /* the last record, in the output buffer */
	uint8_t why, refused;          /* enum tls_error; refused: ours, before BearSSL knows */
	bool attached, established, resumed, offered, closing, closed, named;
	struct tls_peer peer;          /* last: not there in a plain one */
};

#define TLS_OF(address, member) ((struct tls *)(void *)((char *)(uintptr_t)(address) - offsetof(struct tls, member)))

static inline bool tls_cnsa(const struct tls *t) { return t->door != NULL ? t->door->cnsa : t->route->cnsa; }

/* tls.c */
void tls_begin(struct tls *t, int64_t now_ms, void *in, void *out); /* zeroes all but the peer, lays out the buffers */
void tls_settle(struct tls *t);    /* after everything that may have changed the engine */

/* tls_suite.c: algorithms and their implementations. */
void tls_suite_set(br_ssl_engine_context *eng, bool cnsa, const uint8_t seed[TLS_SEED]);
void tls_suite_chain(br_x509_minimal_context *x, bool cnsa);
/* The hash for a signature with this key: one of `hashes` (a bit for each BearSSL id), or 0. */
int tls_suite_hash(enum x509_key key, uint32_t hashes);

/* tls_chain.c: the peer's certificate. */
extern const br_x509_class tls_chain_class;

/* tls_own.c: our certificate and the signature with its key, for both sides. */
const br_x509_certificate *tls_own_chain(struct tls *t, const struct tls_cert *cert);
size_t tls_own_sign(struct tls *t, const struct tls_signer *signer, int hash_id, unsigned char *data, size_t hash_len, size_t max);

/* tls_cache.c */
uint64_t tls_cache_name(struct span host);
void tls_cache_save(struct tls_cache *c, const br_ssl_session_parameters *s, uint64_t name, int64_t now_ms, int64_t until_ms);
bool tls_cache_load(struct tls_cache *c, br_ssl_session_parameters *s, uint64_t *name, int64_t now_ms); /* by s->session_id */
bool tls_cache_newest(struct tls_cache *c, br_ssl_session_parameters *s, int64_t now_ms);
void tls_cache_forget(struct tls_cache *c);

#endif
