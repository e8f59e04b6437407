/* What an old server says: heads, events, bodies; and what follows from a reply that is none. */
#include "flow/old_http_state.h"

#define NOTHING span_of(NULL, 0)

/* ---- failures ---- */

void old_call_failed(struct call *c, struct span why)
{
	const struct old_http_hooks *hooks = &c->h->set->hooks;
	struct peer *p = c->peer;
	enum call_kind kind = c->kind;
	uint64_t id = c->id;

	old_call_free(c);
	switch (kind) {
	case CALL_INITIALIZE:
		old_peer_close(p);
		hooks->failed(hooks->ctx, p->index, id, why);
		return;
	case CALL_INITIALIZED:
		old_peer_close(p);
		hooks->down(hooks->ctx, p->index, why);
		return;
	case CALL_REQUEST:
		hooks->failed(hooks->ctx, p->index, id, why);
		return;
	default:
		return; /* nobody waits for it */
	}
}

/* "answered with HTTP status 405" and what that may mean. */
static void failed_status(struct call *c, unsigned status)
{
	char mem[320];
	struct buf why = buf_on(mem, sizeof mem);

	BUF_LIT(&why, "answered ");
	if (c->kind == CALL_INITIALIZE)
		BUF_LIT(&why, "initialize ");
	else if (c->kind == CALL_INITIALIZED)
		BUF_LIT(&why, "notifications/initialized ");
	BUF_LIT(&why, "with HTTP status ");
	buf_u64(&why, status);
	if (c->kind == CALL_INITIALIZE && (status == 400 || status == 404 || status == 405))
		BUF_LIT(&why, " (a server that has only the HTTP+SSE transport of 2024-11-05 does that; Postern does not speak it: give the url of its "
			"Streamable HTTP endpoint)");
	old_call_failed(c, buf_span(&why));
}

/* ---- the head ---- */

/* The session of the reply to initialize. False: no id that may be sent back. */
static bool take_session(struct peer *p, struct span id)
{
	p->session = ++p->h->sessions;
	p->nid = 0;
	if (id.n > sizeof p->id || (!span_absent(id) && id.n == 0))
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (id.p[i] < 0x21 || id.p[i] > 0x7e)
			return false;
	if (id.n > 0)
		memcpy(p->id, id.p, id.n);
	p->nid = (uint16_t)id.n;
	return true;
}

/* A 404 to a message of a session: nothing of it has been executed. */
static void session_gone(struct call *c, struct exchange *x)
{
	struct peer *p = c->peer;
	bool once_more = (c->kind == CALL_REQUEST || c->kind == CALL_NOTIFICATION) && !c->resuming && !c->resent;

	if (c->session == p->session)
		old_peer_lost_session(p); /* frees the GET stream */
	if (once_more) {
		c->resent = true;
		exchange_take_back(x);
		old_call_hold(c);
	}
}

void old_head(void *ctx, struct exchange *x, const struct http_head *h, bool events)
{
	struct old_http *o = ctx;
	struct call *c = exchange_data(x);

	if (h->status == 401 && o->set->credential && !c->again) { /* refused unread */
		c->again = true;
		exchange_take_back(x);
		old_call_ask(c);
		return;
	}
	/* A server without GET streams may say 404 to the first GET: that does not mean that the session is gone. */
	if (h->status == 404 && c->session != 0 && c->kind != CALL_INITIALIZED && c->kind != CALL_DELETE && (c->kind != CALL_STREAM || c->resuming)) {
		session_gone(c, x);
		return;
	}
	if (c->kind == CALL_INITIALIZE && h->status == 200 && !take_session(c->peer, exchange_field(h, SPAN("Mcp-Session-Id")))) {
		old_call_failed(c, SPAN("began a session whose id is too long, or no visible ASCII"));
		return;
	}
	if (events)
		c->again = false; /* a stream lasts longer than a credential: each time it goes on it has its own second try */
	if (events && (c->kind == CALL_STREAM || c->resuming))
		exchange_until(x, 0);
}

/* ---- what comes ---- */

bool old_may(void *ctx, struct exchange *x)
{
	struct old_http *h = ctx;
	struct call *c = exchange_data(x);

	if (!h->set->hooks.room || h->set->hooks.room(h->set->hooks.ctx))
		return true;
	h->paused += !c->paused;
	c->paused = true;
	return false;
}

static void keep_id(struct call *c, struct span id)
{
	if (c->kind == CALL_DELETE || id.n == 0 || id.n > sizeof c->text)
		return; /* an event without an id: the last id stays as it is */
	memcpy(c->text, id.p, id.n);
	c->ntext = (uint16_t)id.n;
}

void old_event(void *ctx, struct exchange *x, struct span data, struct span id)
{
	struct old_http *h = ctx;
	const struct old_http_hooks *hooks = &h->set->hooks;
	struct call *c = exchange_data(x);
	uint32_t life = c->life;
	bool streams = c->kind == CALL_STREAM;

	c->resumes = 0;
	keep_id(c, id);
	if (data.n == 0 || c->kind > CALL_STREAM)
		return;
	hooks->message(hooks->ctx, c->peer->index, streams ? 0 : c->id, data);
	if (c->life != life || streams || c->answered || c->kind == CALL_NOTIFICATION || c->kind == CALL_RESPONSE || c->kind == CALL_INITIALIZED)
		return;
	if (!hooks->awaits(hooks->ctx, c->peer->index, c->id)) {
		c->answered = true;
		exchange_until(x, h->loop->now_ms + OLD_HTTP_LINGER_MS);
	}
}

/* The reply to a request, with a body or behind its last event. */
static void request_ended(struct call *c, struct exchange *x, enum exchange_end why)
{
	struct old_http *h = c->h;
	const struct old_http_hooks *hooks = &h->set->hooks;
	unsigned status = exchange_status(x), index = c->peer->index;
	bool json = why == EXCHANGE_OK && exchange_is(x, SPAN("json"));
	bool streamed = status == 200 && !json && (c->resuming || exchange_streams(x));
	uint32_t life = c->life;

	if (json && (!c->resuming || status == 200)) {
		hooks->message(hooks->ctx, index, c->id, exchange_body(x));
		if (c->life != life)
			return;
	}
	if (c->answered || !hooks->awaits(hooks->ctx, index, c->id)) {
		old_call_free(c);
		return;
	}
	if (streamed && c->ntext > 0 && c->kind == CALL_REQUEST && c->resumes < OLD_HTTP_RESUMES && (why == EXCHANGE_OK || why == EXCHANGE_LOST)) {
		c->x = x;
		old_call_resume(c);
	} else if (c->resuming && (why == EXCHANGE_UNREACHABLE || why == EXCHANGE_LOST) && c->resumes < OLD_HTTP_RESUMES) {
		c->x = NULL;
		old_call_resume(c);
	} else if (why != EXCHANGE_OK) {
		old_call_failed(c, why == EXCHANGE_TLS ? tls_error_text(exchange_tls_why(x)) : exchange_end_text(why));
	} else if (c->resuming && status != 200) {
		old_call_failed(c, SPAN("broke its event stream before the answer, and does not go on with it"));
	} else if (status != 200) {
		failed_status(c, status);
	} else {
		old_call_failed(c, streamed ? SPAN("ended its event stream without an answer") : SPAN("answered with something that is no answer"));
	}
}

/* Said by what stands before the server, or by one that is being restarted. */
static bool is_away(unsigned status) { return status == 429 || (status >= 502 && status <= 504); }

static void stream_ended(struct call *c, struct exchange *x, enum exchange_end why)
{
	struct peer *p = c->peer;

	if (why == EXCHANGE_OK && !exchange_streams(x) && !is_away(exchange_status(x))) /* whatever it is, it is no stream */
		p->no_stream = true;
	if (p->no_stream || !p->ready) {
		old_call_free(c);
		return;
	}
	c->x = x;
	old_call_resume(c);
}

void old_end(void *ctx, struct exchange *x, enum exchange_end why)
{
	struct call *c = exchange_data(x);
	unsigned status = exchange_status(x);

	(void)ctx;
	c->x = NULL;
	keep_id(c, exchange_last_id(x));
	if (c->paused) {
		c->paused = false;
		c->h->paused--;
	}
	switch (c->kind) {
	case CALL_INITIALIZE:
	case CALL_REQUEST:
		request_ended(c, x, why);
		return;
	case CALL_INITIALIZED:
		if (why == EXCHANGE_OK && status >= 200 && status < 300) {
			struct peer *p = c->peer;

			old_call_free(c);
			old_peer_ready(p);
		} else if (why == EXCHANGE_OK) {
			failed_status(c, status);
		} else {
			old_call_failed(c, exchange_end_text(why));
		}
		return;
	case CALL_STREAM:
		stream_ended(c, x, why);
		return;
	case CALL_NOTIFICATION:
	case CALL_RESPONSE:
	case CALL_DELETE:
		old_call_free(c);
		return;
	}
}
