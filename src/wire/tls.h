/* wire/tls.h: one TLS 1.2 connection (RFC 5246) as an engine without I/O, over BearSSL: records in, bytes out, and the reverse.
 *
 * Offered: ECDHE with AES-GCM and ChaCha20-Poly1305 (RFC 5289, 7905), P-256 and P-384; no renegotiation, no compression, no session tickets.
 * Profile CNSA (RFC 9151, 1.0): ECDHE on P-384, AES-256-GCM with SHA-384, certificates on P-384 or RSA of 3072 bits or more.
 * AES-GCM comes first where the processor has AES instructions, ChaCha20 first elsewhere.
 *
 * A connection is two pieces: struct tls (tls_size() bytes, lives as long as the connection) and two record buffers (TLS_IN_SIZE and
 * TLS_OUT_SIZE bytes), which a connection at rest gives back: tls_detach() succeeds only when no part of a record is pending in either
 * direction, and tls_attach() brings other ones. Without buffers only tls_attach(), tls_state() and tls_stop() may be called.
 *
 * Private keys are never here: a server's signature, or a client's, is asked of struct tls_signer, which answers at once or not at all. */
#ifndef POSTERN_WIRE_TLS_H
#define POSTERN_WIRE_TLS_H

#include "wire/x509.h"

enum {
	TLS_IN_SIZE = 16384 + 325,
	TLS_OUT_SIZE = 8192 + 85,      /* we send records of at most 8 KiB */
	TLS_SEED = 32,                 /* fresh random bytes for each connection */
	TLS_SIGNATURE_MAX = 520
};

enum tls_hash { TLS_MD5_SHA1_NEVER, TLS_SHA256, TLS_SHA384, TLS_SHA512 };

/* Signs `digest` with the key numbered `key` (ECDSA: ASN.1 DER; RSA: PKCS#1 v1.5). Returns the length, 0 if it cannot. */
struct tls_signer {
	size_t (*sign)(void *ctx, unsigned key, enum tls_hash hash, struct span digest, uint8_t signature[TLS_SIGNATURE_MAX]);
	void *ctx;
};

/* A certificate of ours: leaf first, intermediates behind it. */
struct tls_cert {
	struct span chain[X509_CHAIN_MAX];
	unsigned nchain;
	struct x509_cert leaf;         /* dns: for SNI */
	unsigned key;                  /* its private key's number, for the signer */
};

struct tls_cache;                      /* sessions to resume (RFC 5246 F.1.4), one per worker and listener or upstream */
size_t tls_cache_need(uint32_t sessions);
struct tls_cache *tls_cache_place(void *mem, uint32_t sessions);

/* What all server connections of a listener share; read only but for the cache. */
struct tls_door {
	const struct tls_cert *certs;  /* the first serves names that none matches, and clients without SNI */
	unsigned ncerts;
	const struct x509_anchors *clients; /* NULL: no client certificate is asked for */
	bool client_required;
	bool cnsa;
	struct tls_cache *cache;       /* NULL: no resumption. Never used where client certificates are asked for: a resumed session shows none */
	const struct tls_signer *signer;
};

/* What all connections to an upstream share. */
struct tls_route {
	const struct x509_anchors *anchors; /* pinned */
	struct span name;              /* dNSName the server must have; sent as SNI. At most 255 bytes */
	const struct tls_cert *own;    /* NULL: no client certificate */
	bool cnsa;
	struct tls_cache *cache;       /* holds one session; NULL: no resumption */
	const struct tls_signer *signer;
};

enum { TLS_CLOSED = 1, TLS_SEND_RECORD = 2, TLS_RECV_RECORD = 4, TLS_SEND_APP = 8, TLS_RECV_APP = 16 };

enum tls_error {
	TLS_NO_ERROR,                  /* open, or closed with close_notify */
	TLS_PEER,                      /* not TLS, no common version, suite or curve, a broken record, an alert */
	TLS_CERTIFICATE,               /* the peer's chain is not acceptable: untrusted, expired, wrong name, no certificate where one is required */
	TLS_PURPOSE,                   /* extendedKeyUsage does not allow it */
	TLS_SIGNER,                    /* no signature was to be had */
	TLS_TRUNCATED,                 /* ended without close_notify */
	TLS_ERRORS
};
struct span tls_error_text(enum tls_error e);

struct tls;
size_t tls_size(void);
void tls_start_server(struct tls *t, const struct tls_door *door, const uint8_t seed[TLS_SEED], int64_t now_unix_ms, void *in, void *out);
void tls_start_client(struct tls *t, const struct tls_route *route, const uint8_t seed[TLS_SEED], int64_t now_unix_ms, void *in, void *out);

unsigned tls_state(const struct tls *t);              /* TLS_… bits; TLS_CLOSED stands alone */
enum tls_error tls_why(const struct tls *t);          /* once closed */
bool tls_established(const struct tls *t);            /* the handshake is over */
bool tls_resumed(const struct tls *t);

/* Where records are to be put and taken, as the state says; acknowledge what was moved. A pointer lives until the next call. */
char *tls_record_room(struct tls *t, size_t *n);      /* TLS_RECV_RECORD */
void tls_record_came(struct tls *t, size_t n);
struct span tls_record_out(struct tls *t);            /* TLS_SEND_RECORD */
void tls_record_sent(struct tls *t, size_t n);
size_t tls_write(struct tls *t, struct span app);     /* TLS_SEND_APP: takes as much as fits, returns how much */
void tls_flush(struct tls *t);                        /* makes a record of what tls_write() has taken */
struct span tls_app(struct tls *t);                   /* TLS_RECV_APP: what can be read now */
void tls_app_taken(struct tls *t, size_t n);
void tls_close(struct tls *t);                        /* begins close_notify */
void tls_eof(struct tls *t);                          /* the transport ended */

bool tls_detach(struct tls *t);
void tls_attach(struct tls *t, void *in, void *out);
/* Wipes keys. */
void tls_stop(struct tls *t);

/* Server side, established, with `clients`: the peer's certificate as its identity (RFC 5280, checked: chain, validity, clientAuth).
 * Kept inside struct tls, bounded: at most TLS_PEER_NAMES names of TLS_PEER_NAME bytes; one with more is refused with TLS_CERTIFICATE. */
enum { TLS_PEER_NAMES = 4, TLS_PEER_NAME = 256 };
struct tls_peer {
	bool there;
	uint8_t fingerprint[32];       /* SHA-256 of the certificate: also RFC 8705's x5t#S256 */
	int64_t until_ms;              /* its notAfter */
	unsigned nnames;
	struct { bool uri; uint16_t n; char text[TLS_PEER_NAME]; } names[TLS_PEER_NAMES];
};
const struct tls_peer *tls_peer(const struct tls *t);  /* NULL: none */

#endif
