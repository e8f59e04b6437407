/* Clients of revisions before ours. Which requests are theirs stands in the protocol notes: the body decides, the version in the head is only
 * compared. What is said to them is the elder's; here it is taken there and back. */
#include "base/text.h"
#include "flow/exchange.h"
#include "flow/listen.h"
#include "flow/step_run.h"

#define NOTHING span_of(NULL, 0)

static uint64_t call_of(const struct txn *t) { return slots_id(&t->f->txns, t, t->elder_call); }

static bool is_old(struct span version)
{
	return span_eq(version, SPAN("2025-11-25")) || span_eq(version, SPAN("2025-06-18")) || span_eq(version, SPAN("2025-03-26"));
}

static bool says_old(const struct http_head *h)
{
	unsigned n = h->count[HTTP_MCP_PROTOCOL_VERSION];
	return n == 0 || (n == 1 && is_old(h->known[HTTP_MCP_PROTOCOL_VERSION]));
}

/* For the elder's own requests there is no elder. */
static bool serves_old(const struct txn *t) { return t->f->set->elder && t->front->inner != FLOW_INNER_ELDER; }

bool elder_wants_head(const struct txn *t)
{
	const struct http_head *h = &t->head;
	bool empty = h->framing == HTTP_NO_BODY || (h->framing == HTTP_LENGTH && h->length == 0);

	return serves_old(t) && (h->method == HTTP_GET || h->method == HTTP_DELETE) && empty && !h->expect_continue && !h->bad_expect &&
		h->count[HTTP_MCP_SESSION_ID] == 1 && says_old(h);
}

static bool claims_ours(const struct json *j, uint32_t message)
{
	uint32_t params = json_type(j, message) == JSON_OBJECT ? json_get(j, message, SPAN("params")) : JSON_NONE;
	uint32_t meta = params != JSON_NONE && json_type(j, params) == JSON_OBJECT ? json_get(j, params, SPAN("_meta")) : JSON_NONE;
	return meta != JSON_NONE && json_type(j, meta) == JSON_OBJECT && json_get(j, meta, SPAN(MCP_META_VERSION)) != JSON_NONE;
}

/* Only 2025-03-26 has batches, and its requests name no version in the head. In a session of another revision the elder refuses them. */
static bool is_old_batch(const struct json *j)
{
	if (json_type(j, JSON_ROOT) != JSON_ARRAY || json_size(j, JSON_ROOT) == 0)
		return false;
	for (uint32_t e = json_first(j, JSON_ROOT); e != JSON_NONE; e = json_next(j, JSON_ROOT, e))
		if (json_type(j, e) != JSON_OBJECT || claims_ours(j, e))
			return false;
	return true;
}

bool elder_wants(const struct txn *t, const struct mcp_fault *fault)
{
	const struct json *j = &t->f->json;
	const struct http_head *h = &t->head;
	const struct mcp_message *m = &t->msg;
	bool session = h->count[HTTP_MCP_SESSION_ID] == 1;

	if (!serves_old(t) || !says_old(h))
		return false;
	if (json_type(j, JSON_ROOT) == JSON_ARRAY)
		return session && is_old_batch(j);
	if (fault->code != 0 || claims_ours(j, JSON_ROOT))
		return false;
	return session || (m->kind == MCP_REQUEST && m->method == MCP_INITIALIZE);
}

static enum step_end refuse(struct txn *t, unsigned status, struct span text)
{
	struct mcp_fault fault = { status == 404 ? MCP_INVALID_REQUEST : MCP_INTERNAL, status, text, NOTHING, NOTHING };

	t->retry_after = status == 503;
	t->outcome = OUTCOME_REFUSED;
	return answer_fault(t, &fault);
}

static enum step_end too_many(struct txn *t)
{
	metrics_add(t->f->metrics, METRIC_REFUSED_FULL, 1);
	return refuse(t, 503, SPAN("Postern is at its limit; try again shortly"));
}

static void count(struct txn *t, bool initialize)
{
	enum metric_id id = t->head.method == HTTP_GET ? METRIC_OLD_STREAM : t->head.method == HTTP_DELETE ? METRIC_OLD_DELETE :
		initialize ? METRIC_OLD_INITIALIZE : METRIC_OLD_MESSAGE;
	metrics_add(t->f->metrics, id, 1);
	metrics_add(t->f->metrics, METRIC_OLD_OPEN, 1);
}

/* Half of the slots at most: what the elder makes of a request needs one too. A client's answers to what it was asked, which requests in
 * progress may wait for, and its notifications find room beyond. */
static bool room_for(struct flow *f, bool stream, bool brief)
{
	const struct elder_edge *e = &f->elder;
	if (stream)
		return e->streams < (f->set->listens + 1) / 2 && f->listens + e->streams < f->set->listens;
	return e->posts < (f->set->requests + 1) / 2 + (brief ? f->set->requests / 4 : 0);
}

static bool visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return s.n > 0;
}

enum step_end elder_send(struct txn *t)
{
	struct flow *f = t->f;
	const struct http_head *h = &t->head;
	char passport[PASSPORT_MAX];
	struct buf sealed = buf_on(passport, sizeof passport);
	bool post = h->method == HTTP_POST, stream = h->method == HTTP_GET, full;
	bool initialize = post && t->msg.kind == MCP_REQUEST && t->msg.method == MCP_INITIALIZE;
	struct elder_msg m = { .type = ELDER_HTTP, .method = stream ? ELDER_GET : post ? ELDER_POST : ELDER_DELETE };

	if (t->msg.kind != MCP_REQUEST)
		t->msg.id = NOTHING; /* the id of a client's answer: our reply is no answer to it */
	if (!initialize)
		m.session = h->known[HTTP_MCP_SESSION_ID];
	if (!initialize && (m.session.n > ELDER_SESSION_MAX || !visible(m.session)))
		return refuse(t, 404, SPAN("There is no such session"));
	if (stream && f->draining)
		return refuse(t, 503, SPAN("Postern is being restarted; try again shortly"));
	if (stream && listen_is_full_for(t, true)) {
		metrics_add(f->metrics, METRIC_REFUSED_FULL, 1);
		return refuse(t, 503, SPAN("Too many streams of this caller are open (memory.listens_per_caller)"));
	}
	if (!room_for(f, stream, post && json_type(&f->json, JSON_ROOT) == JSON_OBJECT && t->msg.kind != MCP_REQUEST))
		return too_many(t);
	if (stream && h->count[HTTP_LAST_EVENT_ID] > 0 && visible(h->known[HTTP_LAST_EVENT_ID]) && h->known[HTTP_LAST_EVENT_ID].n <= ELDER_EVENT_MAX)
		m.event = h->known[HTTP_LAST_EVENT_ID]; /* else it is none that was ever given out */
	m.version = h->known[HTTP_MCP_PROTOCOL_VERSION];
	m.body = post ? t->text : NOTHING;
	passport_write(&sealed, &f->passports, &t->who, flow_unix(f));
	m.identity = buf_span(&sealed);
	passport_principal(&f->passports, &t->who, m.principal);
	f->elder.calls = f->elder.calls == UINT32_MAX ? 1 : f->elder.calls + 1;
	t->elder_call = f->elder.calls;
	m.call = call_of(t);
	t->old = true;
	t->old_stream = stream;
	*(stream ? &f->elder.streams : &f->elder.posts) += 1;
	count(t, initialize);
	t->step = STEP_ELDER; /* the answer may come before we return */
	if (sealed.full || !elder_ask(f, &m, &full)) {
		t->elder_call = 0;
		return sealed.full || !full ? refuse(t, 503, SPAN("Clients of older revisions cannot be served now; try again shortly")) : too_many(t);
	}
	if (stream && t->elder_call != 0) {
		list_append(&f->listening, &t->node);
		txn_watch_expiry(t);
	}
	return STEP_WAIT;
}

enum step_end step_elder(struct txn *t, int64_t now_ms)
{
	(void)t;
	(void)now_ms;
	return STEP_WAIT; /* elder_said() goes on */
}

static void go_on(struct txn *t, enum step_end end)
{
	if (end == STEP_DROP)
		txn_cancel(t);
	else
		txn_goto(t, STEP_FLUSH);
}

static void too_slow(struct txn *t)
{
	metrics_add(t->f->metrics, METRIC_OLD_SLOW, 1);
	t->front->gone = true;
	txn_cancel(t);
}

static void take_session(struct txn *t, struct span session)
{
	t->session_n = (uint8_t)session.n;
	if (session.n > 0)
		memcpy(t->session, session.p, session.n);
}

static void replied(struct txn *t, const struct elder_msg *m)
{
	struct buf body;
	enum step_end end = STEP_DROP;

	t->elder_call = 0;
	t->outcome = m->status < 400 ? OUTCOME_RESULT : OUTCOME_REFUSED;
	if (m->status >= 500) /* what the elder has no room for is all that it says so of */
		metrics_add(t->f->metrics, METRIC_REFUSED_FULL, 1);
	else if (m->status >= 400 && m->scopes == 0)
		metrics_add(t->f->metrics, METRIC_REFUSED_MCP, 1);
	t->retry_after = m->again;
	t->challenge = m->scopes != 0 ? CHALLENGE_SCOPES : CHALLENGE_NONE;
	t->scopes = m->scopes;
	take_session(t, m->session);
	if (span_absent(m->body)) {
		end = answer_empty(t, m->status, NOTHING);
	} else if (answer_room(t, m->body.n, &body)) {
		buf_put(&body, m->body);
		end = answer_send(t, m->status, &body, SPAN("application/json"));
	} else { /* not 503: it may have been done, and should not be done again at once */
		t->retry_after = false;
		t->challenge = CHALLENGE_NONE;
		end = refuse(t, 502, SPAN("The answer came, but no buffer is free for one of that size"));
	}
	go_on(t, end);
}

/* The request that the elder was asked as `call`; NULL: it is over. */
static struct txn *asked_as(struct flow *f, uint64_t call)
{
	struct txn *t = slots_of_id(&f->txns, call);

	return t && t->elder_call != 0 && call_of(t) == call ? t : NULL;
}

/* The elder has no token, and may name any call: one of another caller's is none. */
struct span elder_token(const struct txn *t)
{
	struct flow *f = t->f;
	uint8_t own[CRYPTO_HASH], its[CRYPTO_HASH];
	uint64_t call;
	const struct txn *of = text_u64(exchange_field(&t->head, SPAN("Postern-For")), &call) ? asked_as(f, call) : NULL;

	if (!of)
		return NOTHING;
	passport_principal(&f->passports, &t->who, own);
	passport_principal(&f->passports, &of->who, its);
	return crypto_equal(own, its, sizeof own) ? of->token : NOTHING;
}

bool elder_said(struct flow *f, const struct elder_msg *m)
{
	struct txn *t = asked_as(f, m->call);

	if (!t)
		return true; /* it has gone meanwhile */
	if (t->streaming != (m->type == ELDER_EVENT || m->type == ELDER_END))
		return false;
	switch (m->type) {
	case ELDER_REPLY:
		replied(t, m);
		return true;
	case ELDER_STREAM:
		take_session(t, m->session);
		if (!stream_begin(t))
			txn_cancel(t);
		else
			front_write(t); /* a stream may be quiet for long: its client hears that it is there */
		return true;
	case ELDER_EVENT:
		if (!stream_event_id(t, span_absent(m->body) ? SPAN("") : m->body, m->event, m->retry_ms))
			too_slow(t);
		return true;
	case ELDER_END:
	default:
		t->elder_call = 0;
		t->outcome = OUTCOME_RESULT;
		if (stream_end(t))
			txn_goto(t, STEP_FLUSH);
		else
			too_slow(t);
		return true;
	}
}

void elder_lost(struct flow *f)
{
	for (uint32_t i = 0; i < f->txns.fresh; i++) {
		struct txn *t = slots_at(&f->txns, i);
		if (t->f != f || t->elder_call == 0)
			continue;
		t->elder_call = 0;
		if (t->streaming) /* closed without the final chunk: the client sees that it was cut off, and may come back for the rest */
			txn_cancel(t);
		else
			go_on(t, refuse(t, 503, SPAN("The session of this request was lost; begin another")));
	}
}

/* Whatever the elder still says of it is nobody's. */
static void part(struct txn *t)
{
	uint64_t call = call_of(t);

	if (t->elder_call == 0)
		return;
	t->elder_call = 0;
	elder_gone(t->f, call);
}

void elder_finish(struct txn *t)
{
	part(t); /* the client may not take its end at once */
	if (!t->streaming)
		go_on(t, refuse(t, 503, SPAN("Postern is being restarted; try again shortly")));
	else if (stream_end(t))
		txn_goto(t, STEP_FLUSH);
	else
		txn_cancel(t);
}

void elder_leave(struct txn *t)
{
	struct flow *f = t->f;

	*(t->old_stream ? &f->elder.streams : &f->elder.posts) -= 1;
	metrics_sub(f->metrics, METRIC_OLD_OPEN, 1);
	part(t);
}
