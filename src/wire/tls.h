/* wire/tls.h: one TLS 1.2 connection (RFC 5246) as an engine without I/O, over BearSSL: records in, bytes out, and the reverse.
 *
 * Offered: ECDHE with AES-GCM and ChaCha20-Poly1305 (RFC 5289, 7905), P-256 and P-384; no renegotiation, no compression, no session tickets.
 * Profile CNSA (RFC 9151, 1.0): ECDHE on P-384, AES-256-GCM with SHA-384, certificates on P-384 or RSA of 3072 bits or more, signed with
 * SHA-384. AES-GCM comes first where the processor has AES instructions, ChaCha20 first elsewhere. ALPN (RFC 7301): http/1.1, or none.
 *
 * A connection is two pieces: struct tls (tls_size() bytes, aligned for anything, lives as long as the connection and does not move) and two
 * record buffers (TLS_IN_SIZE and TLS_OUT_SIZE bytes), which a connection at rest gives back: tls_detach() succeeds only when no part of a
 * record is pending in either direction and the handshake is over, or a server's waits for its client (for his certificates or without any,
 * not behind them); tls_attach() brings other ones. What a handshake needs besides lies in the ends of these buffers and is gone with it.
 * Without buffers only tls_attach(), tls_state() and tls_stop() may be called.
 *
 * The peer's certificate (a server's always, a client's if the door asks): chain, signatures, key usage and validity are BearSSL's business;
 * ours are the names, extendedKeyUsage and size. extendedKeyUsage must name serverAuth, or clientAuth; a certificate without the extension
 * is good for both (RFC 5280 4.2.1.12: the pinned CA did not restrict it), anyExtendedKeyUsage alone is not; neither is a CA's own
 * certificate, nor a chain of more than TLS_CHAIN_MAX or out of order. Names of a server: dNSName only, never the common name. Where a client
 * certificate is optional, a bad one is refused all the same. Revocation is not looked at.
 *
 * Private keys are never here: a server's signature, or a client's, is asked of struct tls_signer, which answers at once or not at all. */
#ifndef POSTERN_WIRE_TLS_H
#define POSTERN_WIRE_TLS_H

#include "wire/x509.h"

enum {
	TLS_IN_SIZE = 16384 + 325,
	TLS_OUT_SIZE = 8192 + 85,      /* we send records of at most 8 KiB */
	TLS_SEED = 32,                 /* fresh random bytes for each connection: all the randomness it has */
	TLS_SIGNATURE_MAX = 520,
	TLS_CHAIN_MAX = 8,             /* certificates that a peer may show */
	TLS_SESSION_MS = 3600000       /* how long a session can be resumed */
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

/* Sessions to resume (RFC 5246 F.1.4), one per worker and listener or upstream; the one that was longest unused gives way. A session
 * is good for TLS_SESSION_MS, for the server name it was made with, and a client's no longer than the server's certificate. Aligned for
 * anything. Holds master secrets. */
struct tls_cache;
size_t tls_cache_need(uint32_t sessions);
struct tls_cache *tls_cache_place(void *mem, uint32_t sessions);

/* What all server connections of a listener share; read only but for the cache. */
struct tls_door {
	const struct tls_cert *certs;  /* the first the client can use serves names that none matches, and clients without SNI */
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
size_t tls_size_plain(void);                          /* enough for a client, and for a server whose door asks for no certificates */
void tls_start_server(struct tls *t, const struct tls_door *door, const uint8_t seed[TLS_SEED], int64_t now_unix_ms, void *in, void *out);
void tls_start_client(struct tls *t, const struct tls_route *route, const uint8_t seed[TLS_SEED], int64_t now_unix_ms, void *in, void *out);

/* TLS_… bits; TLS_CLOSED stands alone. A connection that failed may have an alert to send first, then TLS_SEND_RECORD stands alone. Without
 * buffers: TLS_RECV_RECORD and TLS_SEND_APP, since it is at rest. */
unsigned tls_state(const struct tls *t);
enum tls_error tls_why(const struct tls *t);          /* once it failed or is closed */
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
/* Begins close_notify, behind what was written. What was not read is dropped. Once TLS_SEND_RECORD stands no longer the transport may be
 * closed; the peer's close_notify need not be waited for. */
void tls_close(struct tls *t);
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
