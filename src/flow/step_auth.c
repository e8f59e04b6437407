/* Who is calling? Decided from the head alone, before a byte of the body is read. All refusals look the same. */
#include "base/bug.h"
#include "flow/step_run.h"

#define NOTHING span_of(NULL, 0)
#define WELL_KNOWN "/.well-known/oauth-protected-resource"

int64_t flow_unix(const struct flow *f) { return f->set->hooks.unix_ms ? f->set->hooks.unix_ms(f->set->hooks.ctx) : 0; }

static struct auth_bench bench(struct flow *f)
{
	return (struct auth_bench){ .table = f->table, .scratch = f->scratch, .scratch_size = f->scratch_cap, .cache = f->known_tokens,
		.replay = f->set->replay, .proof_key = f->proof_key, .keys = f->key_sets, .built_ms = f->set->built_ms };
}

static struct auth_request brought(const struct txn *t)
{
	const struct http_head *h = &t->head;
	const struct flow_listener *at = front_listener(t->front);
	const struct tls_peer *peer = front_peer(t->front);
	struct auth_request r = {
		.authorization = h->known[HTTP_AUTHORIZATION], .nauthorization = h->count[HTTP_AUTHORIZATION],
		.dpop = h->known[HTTP_DPOP], .ndpop = h->count[HTTP_DPOP],
		.loopback = addr_is_loopback(&at->address), .method = h->method_text, .uri = at->resource,
	};
	if (peer && peer->there) {
		r.peer.there = true;
		memcpy(r.peer.fingerprint, peer->fingerprint, sizeof(r.peer.fingerprint));
		r.peer.until_ms = peer->until_ms;
		for (; r.peer.nnames < peer->nnames && r.peer.nnames < TLS_PEER_NAMES; r.peer.nnames++) {
			r.peer.names[r.peer.nnames].uri = peer->names[r.peer.nnames].uri;
			r.peer.names[r.peer.nnames].text = span_of(peer->names[r.peer.nnames].text, peer->names[r.peer.nnames].n);
		}
	}
	return r;
}

static enum metric_id metric_of(enum auth_reason reason)
{
	switch (reason) {
	case AUTH_REASON_EXPIRED:
	case AUTH_REASON_NOT_YET:
	case AUTH_REASON_CLOCK:
		return METRIC_AUTH_REFUSED_TIME;
	case AUTH_REASON_ISSUER:
	case AUTH_REASON_ALG:
	case AUTH_REASON_NO_KEY:
	case AUTH_REASON_SIGNATURE:
	case AUTH_REASON_UNKNOWN_KEY:
		return METRIC_AUTH_REFUSED_SIGNATURE;
	case AUTH_REASON_AUDIENCE:
	case AUTH_REASON_TENANT:
		return METRIC_AUTH_REFUSED_AUDIENCE;
	case AUTH_REASON_BINDING:
	case AUTH_REASON_PROOF:
	case AUTH_REASON_REPLAY:
		return METRIC_AUTH_REFUSED_BINDING;
	case AUTH_REASON_REVOKED:
	case AUTH_REASON_INACTIVE:
		return METRIC_AUTH_REFUSED_REVOKED;
	default:
		return METRIC_AUTH_REFUSED_FORM;
	}
}

/* A line a second at most: whoever is refused chooses how often. */
static void note(struct flow *f, struct span why)
{
	if (f->auth_said_ms != 0 && flow_now(f) - f->auth_said_ms < 1000)
		return;
	f->auth_said_ms = flow_now(f);
	flow_log(f, SPAN("a caller was refused"), NOTHING, why);
}

static enum step_end refuse(struct txn *t, unsigned status, enum challenge challenge, struct span text)
{
	struct mcp_fault fault = { MCP_INVALID_REQUEST, status, text, NOTHING, NOTHING };
	t->close = true; /* the body that follows has not been read */
	t->outcome = OUTCOME_REFUSED;
	t->challenge = (uint8_t)challenge;
	return answer_fault(t, &fault);
}

/* One body for every 401, whatever was wrong. */
static enum step_end refuse_401(struct txn *t, enum challenge challenge)
{
	return refuse(t, 401, challenge, SPAN("Authentication is required: a valid access token, API key or client certificate"));
}

static enum step_end invalid(struct txn *t, enum auth_reason reason)
{
	metrics_add(t->f->metrics, metric_of(reason), 1);
	note(t->f, auth_reason_text(reason));
	return refuse_401(t, CHALLENGE_INVALID);
}

/* Whether the token is good cannot be decided now: 503, and not 401. */
static enum step_end unavailable(struct txn *t, struct span why)
{
	metrics_add(t->f->metrics, METRIC_AUTH_UNAVAILABLE, 1);
	note(t->f, why);
	t->retry_after = true;
	return refuse(t, 503, CHALLENGE_NONE, SPAN("Authentication is not possible now; try again shortly"));
}

static enum step_end no_keys(struct txn *t)
{
	const struct jwk_set *set = t->f->key_sets[t->auth_issuer];
	if (set && set->n > 0) /* the keys are known, and none of them has signed this token */
		return invalid(t, AUTH_REASON_NO_KEY);
	return unavailable(t, SPAN("its issuer's keys are not known"));
}

void auth_leave(struct txn *t)
{
	if (t->auth_wait != AUTH_WAITS_FOR_KEYS && t->auth_wait != AUTH_WAITS_FOR_ANSWER)
		return;
	t->f->auth_waits--;
	t->call = 0;
	list_remove(&t->node);
	timer_disarm(&t->f->timers, &t->timer);
	t->auth_wait = AUTH_UNANSWERED;
}

/* From a hook's answer, which may come from within the step itself: goes on later in this turn. */
static void wake(struct txn *t, enum auth_wait with)
{
	auth_leave(t);
	t->auth_wait = (uint8_t)with;
	list_append(&t->f->woken, &t->node);
}

/* Callers whom nobody knows never keep more than a quarter of the requests waiting. */
static bool may_wait(struct txn *t, enum auth_wait wait)
{
	struct flow *f = t->f;
	if (f->auth_waits >= (f->set->requests + 3) / 4)
		return false;
	f->auth_waits++;
	t->auth_wait = (uint8_t)wait;
	timer_arm(&f->timers, &t->timer, flow_now(f) + FLOW_AUTH_WAIT_MS);
	return true;
}

static enum step_end ask_keys(struct txn *t)
{
	struct flow *f = t->f;
	struct key_chain *k = &f->keys[t->auth_issuer];
	int64_t now = flow_now(f);
	bool asking = k->asked_ms != 0 && now - k->asked_ms < FLOW_AUTH_WAIT_MS;

	if (!asking && k->answered_ms != 0 && now - k->answered_ms < FLOW_KEYS_AGAIN_MS)
		return no_keys(t);
	if (!may_wait(t, AUTH_WAITS_FOR_KEYS))
		return unavailable(t, SPAN("too many wait for keys"));
	list_append(&k->waiting, &t->node);
	if (asking)
		return STEP_WAIT;
	k->asked_ms = now;
	if (f->set->hooks.ask_keys && f->set->hooks.ask_keys(f->set->hooks.ctx, t->auth_issuer))
		return STEP_WAIT;
	k->asked_ms = 0;
	auth_leave(t);
	return no_keys(t);
}

void flow_keys(struct flow *f, unsigned issuer, const struct jwk_set *set)
{
	if (issuer >= f->set->auth.nissuers || issuer >= AUTH_ISSUERS_MAX)
		return;
	struct key_chain *k = &f->keys[issuer];
	k->asked_ms = 0;
	k->answered_ms = flow_now(f);
	if (set && (f->key_sets[issuer] != k->set || memcmp(set, k->set, sizeof(*set)) != 0)) {
		memcpy(k->set, set, sizeof(*set));
		f->key_sets[issuer] = k->set;
		auth_cache_clear(f->known_tokens); /* what an old key has signed is looked at again */
	}
	while (!list_empty(&k->waiting))
		wake(LIST_OWNER(k->waiting.next, struct txn, node), AUTH_KEYS_CAME);
}

static enum step_end introspect(struct txn *t, struct span token)
{
	struct flow *f = t->f;
	if (!may_wait(t, AUTH_WAITS_FOR_ANSWER))
		return unavailable(t, SPAN("too many wait for an introspection"));
	f->auth_call = f->auth_call == UINT32_MAX ? 1 : f->auth_call + 1;
	t->call = f->auth_call;
	if (f->set->hooks.introspect && f->set->hooks.introspect(f->set->hooks.ctx, t->auth_issuer, slots_id(&f->txns, t, t->call), token))
		return STEP_WAIT;
	auth_leave(t);
	return unavailable(t, SPAN("its token cannot be introspected"));
}

static void keep(struct txn *t, const struct auth_result *r)
{
	t->auth_verdict = (uint8_t)r->verdict;
	t->auth_reason = (uint8_t)r->reason;
	t->auth_issuer = (uint8_t)(r->issuer < AUTH_ISSUERS_MAX ? r->issuer : 0);
	t->challenge_dpop = r->dpop;
	if (r->verdict == AUTH_OK) {
		t->who = r->identity;
		t->token = r->identity.kind == IDENTITY_TOKEN ? r->token : NOTHING;
	}
}

void flow_introspected(struct flow *f, uint64_t call, struct span answer)
{
	struct txn *t = slots_of_id(&f->txns, call);

	if (!t || t->call == 0 || slots_id(&f->txns, t, t->call) != call)
		return; /* it has gone, or has waited long enough */
	if (!span_absent(answer)) {
		struct auth_bench on = bench(f);
		struct auth_request r = brought(t);
		struct auth_result result = { .verdict = AUTH_INVALID };
		auth_introspected(&f->set->auth, &on, &r, t->auth_issuer, answer, flow_unix(f), &result);
		keep(t, &result);
	}
	wake(t, span_absent(answer) ? AUTH_UNANSWERED : AUTH_ANSWERED);
}

void auth_late(struct txn *t)
{
	enum auth_wait was = t->auth_wait;
	auth_leave(t);
	if ((was == AUTH_WAITS_FOR_KEYS ? no_keys(t) : unavailable(t, SPAN("the introspection of its token did not come in time"))) == STEP_DROP)
		txn_cancel(t);
	else
		txn_goto(t, STEP_FLUSH);
}

static enum step_end pass(struct txn *t)
{
	static const enum metric_id kinds[IDENTITY_KINDS] = {
		[IDENTITY_ANONYMOUS] = METRIC_AUTH_ANONYMOUS, [IDENTITY_KEY] = METRIC_AUTH_KEY, [IDENTITY_CERTIFICATE] = METRIC_AUTH_CERTIFICATE,
		[IDENTITY_TOKEN] = METRIC_AUTH_TOKEN,
	};
	if (t->who.kind == IDENTITY_NONE || t->who.kind >= IDENTITY_KINDS)
		bug("a caller that is nobody");
	if (t->front->inner != FLOW_INNER_ELDER) /* for that one it has been counted when the old request came */
		metrics_add(t->f->metrics, kinds[t->who.kind], 1);
	if (t->head.expect_continue && t->front->in->n == t->head_len && t->intake.body.state == HTTP_BODY_MORE)
		front_interim(t->front, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
	return STEP_NEXT;
}

enum step_end step_auth(struct txn *t, int64_t now_ms)
{
	struct flow *f = t->f;
	struct auth_result result = { .verdict = AUTH_INVALID };
	(void)now_ms;

	if (t->front->inner != FLOW_INNER_NONE)
		return inner_who(t) ? pass(t) : refuse_401(t, CHALLENGE_NONE);
	if (t->auth_wait == AUTH_UNANSWERED)
		return unavailable(t, SPAN("its token could not be introspected"));
	if (t->auth_wait != AUTH_ANSWERED) {
		struct auth_bench on = bench(f);
		struct auth_request r = brought(t);
		auth_decide(&f->set->auth, &on, &r, flow_unix(f), &result);
		keep(t, &result);
	}
	switch ((enum auth_verdict)t->auth_verdict) {
	case AUTH_OK:
		return pass(t);
	case AUTH_MISSING:
		metrics_add(f->metrics, METRIC_AUTH_REFUSED_MISSING, 1);
		return refuse_401(t, CHALLENGE_MISSING);
	case AUTH_MALFORMED:
		metrics_add(f->metrics, METRIC_AUTH_REFUSED_FORM, 1);
		return refuse(t, 400, CHALLENGE_NONE, SPAN("Authorization is malformed"));
	case AUTH_NEED_KEYS:
		return t->auth_wait == AUTH_KEYS_CAME ? no_keys(t) : ask_keys(t);
	case AUTH_NEED_INTROSPECTION:
		if (t->auth_wait != AUTH_ANSWERED)
			return introspect(t, result.token);
		break;
	case AUTH_INVALID:
		break;
	}
	return invalid(t, t->auth_reason);
}

/* ---- the metadata of the resource (RFC 9728) ---- */

bool auth_is_metadata(const struct flow_listener *at, struct span path)
{
	struct span rest = span_from(path, sizeof(WELL_KNOWN) - 1), own = at->metadata;

	if (span_absent(at->metadata) || !span_starts(path, SPAN(WELL_KNOWN)))
		return false;
	if (span_eq(rest, at->path) || (rest.n == 0 && at->path.n == 1))
		return true;
	/* A proxy in front may have another path for us: then it is where the URL says. */
	while (own.n > 0 && !span_starts(own, SPAN("://")))
		own = span_from(own, 1);
	own = span_from(own, 3);
	while (own.n > 0 && own.p[0] != '/')
		own = span_from(own, 1);
	return own.n > 0 && span_eq(own, path);
}

/* For anybody, without a token; a page of a foreign origin does not get this far, as with everything here. */
enum step_end answer_metadata(struct txn *t)
{
	struct flow *f = t->f;
	struct buf b;

	t->outcome = OUTCOME_REFUSED; /* not an MCP request */
	if (!answer_room(t, FLOW_SMALL - FLOW_ANSWER_ROOM, &b))
		return STEP_DROP;
	auth_metadata(&b, &f->set->auth, front_listener(t->front)->resource);
	return answer_send(t, 200, &b, SPAN("application/json"));
}
