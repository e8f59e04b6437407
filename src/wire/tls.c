#include "wire/tls_priv.h"

#include "base/bug.h"
#include "wire/crypto.h"

#include <stdalign.h>

/* What BearSSL's engine holds when nothing of a record is there (its own names: io mode, and the marks a, b, c of each buffer). */
enum { IO_FAILED = 0, IO_BOTH = 3, HEADER = 5, ALERT = 21, FATAL = 2 };

_Static_assert(HAND_OUT + alignof(max_align_t) + sizeof(struct tls_hand) <= TLS_OUT_SIZE, "what a handshake needs fits behind its records");
_Static_assert(offsetof(br_ssl_server_context, eng) == 0 && offsetof(br_ssl_client_context, eng) == 0, "the engine is the first member");

struct span tls_error_text(enum tls_error e)
{
	switch (e) {
	case TLS_NO_ERROR: return SPAN("nothing is wrong");
	case TLS_PEER: return SPAN("the peer does not speak TLS 1.2 as we do, or broke off");
	case TLS_CERTIFICATE: return SPAN("the peer's certificate is missing, expired, for another name, or not of a CA that is trusted here");
	case TLS_PURPOSE: return SPAN("the peer's certificate is not for this purpose (extendedKeyUsage, keyUsage or a CA's own)");
	case TLS_SIGNER: return SPAN("there was no signature to be had from the keeper of the keys");
	case TLS_TRUNCATED: return SPAN("the connection ended without close_notify");
	case TLS_ERRORS: break;
	}
	return SPAN("unknown");
}

size_t tls_size(void) { return sizeof(struct tls); }
size_t tls_size_plain(void) { return offsetof(struct tls, peer); }

static void lay_hand(struct tls *t, void *in, void *out)
{
	unsigned char *behind = (unsigned char *)out + HAND_OUT;

	behind += (alignof(max_align_t) - (uintptr_t)behind % alignof(max_align_t)) % alignof(max_align_t);
	t->hand = (void *)behind;
	t->hand->leaf = (unsigned char *)in + HAND_IN;
	t->hand->begun = false;
	t->hand->error = 0;
}

void tls_begin(struct tls *t, int64_t now_ms, void *in, void *out)
{
	br_ssl_engine_context *eng = &t->br.eng;

	memset(t, 0, offsetof(struct tls, peer));
	t->now_ms = now_ms;
	t->attached = true;
	br_ssl_engine_set_buffers_bidi(eng, in, HAND_IN, out, HAND_OUT);
	/* We take records of any size, so the peer is not asked for small ones (RFC 6066 4). */
	eng->log_max_frag_len = 14;
	lay_hand(t, in, out);
}

static enum tls_error kind_of(const struct tls *t, int err)
{
	if (t->refused != TLS_NO_ERROR)
		return (enum tls_error)t->refused;
	if (err == BR_ERR_OK)
		return TLS_NO_ERROR;
	if (err == BR_ERR_WRONG_KEY_USAGE || err == BR_ERR_X509_FORBIDDEN_KEY_USAGE)
		return TLS_PURPOSE;
	if (err == BR_ERR_NO_CLIENT_AUTH || (err > BR_ERR_X509_OK && err <= BR_ERR_X509_NOT_TRUSTED))
		return TLS_CERTIFICATE;
	return TLS_PEER;
}

/* The alert (RFC 5246 7.2) that tells the peer what was wrong. BearSSL sends one for few errors only. */
static unsigned char alert_for(const struct tls *t, int err)
{
	if (t->refused == TLS_SIGNER)
		return 80; /* internal_error */
	if ((t->refused == TLS_CERTIFICATE || t->refused == TLS_PURPOSE) && t->hand != NULL)
		err = (int)t->hand->error;
	switch (err) {
	case BR_ERR_UNSUPPORTED_VERSION: case BR_ERR_BAD_VERSION: return 70;
	case BR_ERR_BAD_MAC: return 20;
	case BR_ERR_BAD_LENGTH: case BR_ERR_TOO_LARGE: return 22;
	case BR_ERR_UNEXPECTED: return 10;
	case BR_ERR_BAD_FINISHED: case BR_ERR_BAD_SIGNATURE: return 51;
	case BR_ERR_BAD_PARAM: case BR_ERR_BAD_HANDSHAKE: case BR_ERR_OVERSIZED_ID: return 50;
	case BR_ERR_X509_EXPIRED: return 45;
	case BR_ERR_X509_NOT_TRUSTED: return 48;
	case BR_ERR_X509_FORBIDDEN_KEY_USAGE: case BR_ERR_WRONG_KEY_USAGE: return 43;
	}
	return err > BR_ERR_X509_OK && err < BR_ERR_X509_NOT_TRUSTED ? 42 : 40;
}

/* Puts a last record into the output buffer, unless another one is on its way there. */
static void last_alert(struct tls *t, int err)
{
	br_ssl_engine_context *eng = &t->br.eng;
	size_t from = HEADER, to = eng->obuf_len - HEADER, n = 2;
	unsigned char *at;

	if (eng->oxc > eng->oxa)
		return;
	eng->out.vtable->max_plaintext(&eng->out.vtable, &from, &to);
	at = eng->obuf + from;
	at[0] = FATAL;
	at[1] = alert_for(t, err);
	at = eng->out.vtable->encrypt(&eng->out.vtable, ALERT, eng->version_out, at, &n);
	t->alert_at = (uint16_t)(at - eng->obuf);
	t->alert_n = (uint16_t)n;
}

static void fail(struct tls *t)
{
	int err = br_ssl_engine_last_error(&t->br.eng);

	t->closed = true;
	t->why = (uint8_t)kind_of(t, err);
	if (t->why != TLS_NO_ERROR && err < BR_ERR_RECV_FATAL_ALERT)
		last_alert(t, err);
	/* A session that did not work is not tried again. */
	if (t->offered && !t->established)
		tls_cache_forget(t->route->cache);
}

/* All secrets are there: the ends of the buffers are needed no more. */
static void whole_buffers(struct tls *t)
{
	br_ssl_engine_context *eng = &t->br.eng;

	t->hand = NULL;
	eng->ibuf_len = TLS_IN_SIZE;
	eng->obuf_len = TLS_OUT_SIZE;
	if (eng->peer_log_max_frag_len == 0) /* a client that asked for smaller records gets them */
		eng->max_frag_len = FULL_FRAGMENT;
}

static void established(struct tls *t)
{
	br_ssl_session_parameters session;

	t->established = true;
	if (t->route == NULL)
		return;
	br_ssl_engine_get_session_parameters(&t->br.eng, &session);
	t->resumed = t->offered && t->until_ms == 0; /* no certificate was seen */
	if (t->route->cache != NULL && !t->resumed) {
		tls_cache_forget(t->route->cache);
		tls_cache_save(t->route->cache, &session, 0, t->now_ms, t->until_ms);
	}
	crypto_wipe(&session, sizeof(session));
}

void tls_settle(struct tls *t)
{
	br_ssl_engine_context *eng = &t->br.eng;

	if (t->closed)
		return;
	/* RFC 6066 3: a session belongs to the name it was made with. The hello is read once the answer stands ready. */
	if (t->resumed && t->door != NULL && !t->named && eng->oxc > eng->oxa) {
		t->named = true;
		if (t->name != tls_cache_name(span_z(br_ssl_engine_get_server_name(eng)))) {
			t->refused = TLS_PEER;
			eng->oxc = eng->oxa; /* the answer is not sent */
		}
	}
	if (eng->iomode == IO_FAILED || t->refused != TLS_NO_ERROR) {
		fail(t);
		return;
	}
	if (t->hand != NULL && eng->incrypt)
		whole_buffers(t);
	if (!t->established && eng->application_data == 1)
		established(t);
}

unsigned tls_state(const struct tls *t)
{
	unsigned is, state = 0;

	if (t->closed)
		return t->alert_n > 0 ? TLS_SEND_RECORD : TLS_CLOSED;
	if (!t->attached)
		return TLS_RECV_RECORD | (t->established ? TLS_SEND_APP : 0u);
	is = br_ssl_engine_current_state(&t->br.eng);
	if ((is & BR_SSL_SENDREC) != 0)
		state |= TLS_SEND_RECORD;
	if ((is & BR_SSL_RECVREC) != 0)
		state |= TLS_RECV_RECORD;
	if ((is & BR_SSL_SENDAPP) != 0)
		state |= TLS_SEND_APP;
	if ((is & BR_SSL_RECVAPP) != 0)
		state |= TLS_RECV_APP;
	return state;
}

enum tls_error tls_why(const struct tls *t) { return (enum tls_error)t->why; }
bool tls_established(const struct tls *t) { return t->established; }
bool tls_resumed(const struct tls *t) { return t->established && t->resumed; }

static void needs_buffers(const struct tls *t)
{
	if (!t->attached)
		bug("a TLS connection at rest was used without its buffers");
}

char *tls_record_room(struct tls *t, size_t *n)
{
	*n = 0;
	needs_buffers(t);
	return t->closed ? NULL : (char *)br_ssl_engine_recvrec_buf(&t->br.eng, n);
}

void tls_record_came(struct tls *t, size_t n)
{
	needs_buffers(t);
	if (t->closed || n == 0)
		return;
	br_ssl_engine_recvrec_ack(&t->br.eng, n);
	tls_settle(t);
}

struct span tls_record_out(struct tls *t)
{
	size_t n = 0;
	unsigned char *p;

	needs_buffers(t);
	if (t->closed)
		return span_of((char *)t->br.eng.obuf + t->alert_at, t->alert_n);
	p = br_ssl_engine_sendrec_buf(&t->br.eng, &n);
	return p == NULL ? span_of("", 0) : span_of((char *)p, n);
}

void tls_record_sent(struct tls *t, size_t n)
{
	needs_buffers(t);
	if (t->closed) {
		t->alert_at = (uint16_t)(t->alert_at + n);
		t->alert_n = (uint16_t)(t->alert_n - n);
	} else if (n > 0) {
		br_ssl_engine_sendrec_ack(&t->br.eng, n);
		tls_settle(t);
	}
}

size_t tls_write(struct tls *t, struct span app)
{
	size_t n = 0;
	unsigned char *p;

	needs_buffers(t);
	p = t->closed ? NULL : br_ssl_engine_sendapp_buf(&t->br.eng, &n);
	if (p == NULL || app.n == 0)
		return 0;
	n = app.n < n ? app.n : n;
	memcpy(p, app.p, n);
	br_ssl_engine_sendapp_ack(&t->br.eng, n);
	return n;
}

void tls_flush(struct tls *t)
{
	needs_buffers(t);
	if (!t->closed)
		br_ssl_engine_flush(&t->br.eng, 0);
}

struct span tls_app(struct tls *t)
{
	size_t n = 0;
	unsigned char *p;

	needs_buffers(t);
	p = t->closed ? NULL : br_ssl_engine_recvapp_buf(&t->br.eng, &n);
	return p == NULL ? span_of("", 0) : span_of((char *)p, n);
}

void tls_app_taken(struct tls *t, size_t n)
{
	needs_buffers(t);
	if (!t->closed && n > 0)
		br_ssl_engine_recvapp_ack(&t->br.eng, n);
}

void tls_close(struct tls *t)
{
	struct span unread;

	needs_buffers(t);
	if (t->closed)
		return;
	/* BearSSL would wait for somebody to read it. */
	unread = tls_app(t);
	tls_app_taken(t, unread.n);
	t->closing = true;
	br_ssl_engine_close(&t->br.eng);
	tls_settle(t);
}

void tls_eof(struct tls *t)
{
	t->alert_n = 0;
	if (t->closed)
		return;
	t->closed = true;
	t->why = t->closing ? TLS_NO_ERROR : TLS_TRUNCATED;
}

/* Over, or a server's between two flights: what it has built up lies in the buffers only from the client's certificates on, until all secrets
 * are there. */
static bool may_rest(const struct tls *t)
{
	if (t->established)
		return t->hand == NULL && t->br.eng.application_data == 1;
	return t->door != NULL && (t->hand == NULL || !t->hand->begun);
}

bool tls_detach(struct tls *t)
{
	br_ssl_engine_context *eng = &t->br.eng;

	if (!t->attached || t->closed || t->closing || !may_rest(t) || eng->iomode != IO_BOTH
	    || eng->ixa != 0 || eng->ixb != 0 || eng->ixc != HEADER || eng->oxa != eng->oxc || eng->oxa >= eng->oxb)
		return false;
	t->attached = false;
	eng->ibuf = NULL;
	eng->obuf = NULL;
	return true;
}

void tls_attach(struct tls *t, void *in, void *out)
{
	if (t->attached)
		bug("a TLS connection was given buffers twice");
	t->br.eng.ibuf = in;
	t->br.eng.obuf = out;
	if (t->hand != NULL)
		lay_hand(t, in, out);
	t->attached = true;
}

void tls_stop(struct tls *t) { crypto_wipe(t, offsetof(struct tls, peer)); }
