#include "gate/auth_priv.h"

#include "wire/crypto.h"

enum scheme { SCHEME_BEARER, SCHEME_DPOP, SCHEME_OTHER };

static const struct span key_prefix = { "postern_", 8 };

struct span auth_reason_text(enum auth_reason r)
{
	static const char *const text[AUTH_REASONS] = {
		[AUTH_REASON_NONE] = "none",
		[AUTH_REASON_FORM] = "form",
		[AUTH_REASON_HEADER] = "header",
		[AUTH_REASON_ISSUER] = "issuer",
		[AUTH_REASON_ALG] = "algorithm",
		[AUTH_REASON_TYPE] = "type",
		[AUTH_REASON_NO_KEY] = "no_key",
		[AUTH_REASON_SIGNATURE] = "signature",
		[AUTH_REASON_AUDIENCE] = "audience",
		[AUTH_REASON_EXPIRED] = "expired",
		[AUTH_REASON_NOT_YET] = "not_yet",
		[AUTH_REASON_CLAIMS] = "claims",
		[AUTH_REASON_TENANT] = "tenant",
		[AUTH_REASON_BINDING] = "binding",
		[AUTH_REASON_PROOF] = "proof",
		[AUTH_REASON_REPLAY] = "replay",
		[AUTH_REASON_UNKNOWN_KEY] = "unknown_key",
		[AUTH_REASON_REVOKED] = "revoked",
		[AUTH_REASON_INACTIVE] = "inactive",
		[AUTH_REASON_CLOCK] = "clock",
	};

	return span_z(r < AUTH_REASONS ? text[r] : "unknown");
}

static void answer(struct auth_result *result, enum auth_verdict verdict, enum auth_reason reason)
{
	result->verdict = verdict;
	result->reason = reason;
}

static void refuse(struct auth_result *result, enum auth_reason reason)
{
	answer(result, AUTH_INVALID, reason);
}

static void starts(struct auth_result *result, const struct auth_rules *rules)
{
	memset(result, 0, sizeof *result);
	result->verdict = AUTH_INVALID;
	result->issuer = AUTH_ISSUERS_MAX;
	result->dpop = rules->dpop == AUTH_DPOP_REQUIRED;
}

static bool token68(struct span s)
{
	size_t n = s.n;

	while (n > 0 && s.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/'))
			return false;
	}
	return n > 0;
}

/* credentials = scheme 1*SP token68 (RFC 9110 11.4). False: not that. (A token of other bytes is a token that is not valid, RFC 6750 3.1.) */
static bool read_credentials(struct span value, enum scheme *scheme, struct span *token)
{
	struct span name;
	size_t i = 0;

	while (i < value.n && ((value.p[i] >= 'A' && value.p[i] <= 'Z') || (value.p[i] >= 'a' && value.p[i] <= 'z')))
		i++;
	name = span_of(value.p, i);
	*token = span_from(value, i);
	*scheme = span_ieq(name, SPAN("bearer")) ? SCHEME_BEARER : span_ieq(name, SPAN("dpop")) ? SCHEME_DPOP : SCHEME_OTHER;
	if (i == 0 || token->n == 0 || token->p[0] != ' ')
		return false;
	while (token->n > 0 && token->p[0] == ' ')
		*token = span_from(*token, 1);
	return token->n > 0 && (*scheme == SCHEME_OTHER || (memchr(token->p, ' ', token->n) == NULL && memchr(token->p, '\t', token->n) == NULL));
}

static bool is_revoked(const struct auth_rules *rules, const struct auth_peer *peer)
{
	bool found = false;

	for (unsigned i = 0; peer->there && i < rules->nrevoked; i++)
		found = crypto_equal(rules->revoked[i], peer->fingerprint, 32) || found;
	return found;
}

/* One that is too long ends in its hash: two callers never become one. */
static void set_subject(struct identity *id, struct span text)
{
	struct buf b = buf_on(id->subject, sizeof id->subject);
	bool all = text.n <= sizeof id->subject;
	uint8_t hash[32];

	buf_put(&b, all ? text : span_of(text.p, sizeof id->subject - 2 * sizeof hash));
	if (!all) {
		crypto_sha256(text.p, text.n, hash);
		buf_hex(&b, hash, sizeof hash);
	}
	id->subject_n = (uint8_t)b.n;
}

static void by_certificate(const struct auth_rules *rules, const struct auth_peer *peer, struct auth_result *result)
{
	for (unsigned i = 0; i < rules->ncertificates; i++) {
		const struct auth_certificate *c = &rules->certificates[i];
		bool uri = false, is = false;

		for (size_t k = 0; k + 3 <= c->san.n; k++)
			uri = uri || memcmp(c->san.p + k, "://", 3) == 0;
		for (unsigned k = 0; k < peer->nnames && k < sizeof peer->names / sizeof peer->names[0]; k++)
			is = is || (uri == peer->names[k].uri && (uri ? span_eq(c->san, peer->names[k].text) : span_ieq(c->san, peer->names[k].text)));
		if (!is)
			continue;
		result->identity = (struct identity){ .kind = IDENTITY_CERTIFICATE, .tenant = c->tenant, .roles = c->roles, .until_ms = peer->until_ms };
		set_subject(&result->identity, c->san);
		answer(result, AUTH_OK, AUTH_REASON_NONE);
		return;
	}
	refuse(result, AUTH_REASON_UNKNOWN_KEY);
}

/* All keys are compared whole, whichever it is. */
static void by_key(const struct auth_rules *rules, struct span token, struct auth_result *result)
{
	const struct auth_key *found = NULL;
	uint8_t hash[32];

	crypto_sha256(token.p, token.n, hash);
	for (unsigned i = 0; i < rules->nkeys; i++)
		if (crypto_equal(rules->keys[i].sha256, hash, sizeof hash))
			found = &rules->keys[i];
	if (found == NULL || token.n != AUTH_KEY_LENGTH) {
		refuse(result, AUTH_REASON_UNKNOWN_KEY);
		return;
	}
	result->identity = (struct identity){ .kind = IDENTITY_KEY, .tenant = found->tenant, .roles = found->roles };
	set_subject(&result->identity, found->id);
	answer(result, AUTH_OK, AUTH_REASON_NONE);
}

/* The token is true; is whoever brings it the one it was given to? */
static void finish(const struct auth_rules *rules, const struct auth_bench *on, const struct auth_request *r, enum scheme scheme, struct span token,
	const struct auth_facts *f, int64_t now_ms, struct auth_result *result)
{
	struct identity id = f->identity;
	enum auth_reason reason;

	result->issuer = id.issuer;
	if ((rules->certificate_bound && !f->to_certificate) || (rules->dpop == AUTH_DPOP_REQUIRED && !f->to_key)) {
		refuse(result, AUTH_REASON_BINDING);
		return;
	}
	if (f->to_certificate && (!r->peer.there || !crypto_equal(f->certificate, r->peer.fingerprint, 32))) {
		refuse(result, AUTH_REASON_BINDING);
		return;
	}
	if (f->to_key != (scheme == SCHEME_DPOP) || (f->to_key && rules->dpop == AUTH_DPOP_OFF)) {
		refuse(result, AUTH_REASON_BINDING);
		return;
	}
	if (f->to_key) {
		reason = auth_proof(on, r, token, f->key, now_ms);
		if (reason != AUTH_REASON_NONE) {
			refuse(result, reason);
			return;
		}
	}
	if (f->to_certificate && r->peer.until_ms != 0 && r->peer.until_ms < id.until_ms)
		id.until_ms = r->peer.until_ms;
	result->identity = id;
	result->token = token;
	answer(result, AUTH_OK, AUTH_REASON_NONE);
}

static enum auth_reason reason_of(enum jwt_error e)
{
	switch (e) {
	case JWT_OK: return AUTH_REASON_NONE;
	case JWT_FORM: return AUTH_REASON_FORM;
	case JWT_ALG: return AUTH_REASON_ALG;
	case JWT_TYPE: return AUTH_REASON_TYPE;
	case JWT_NO_KEY: return AUTH_REASON_NO_KEY;
	case JWT_SIGNATURE: return AUTH_REASON_SIGNATURE;
	case JWT_CLAIMS: return AUTH_REASON_CLAIMS;
	case JWT_HEADER:
	case JWT_CRITICAL:
	case JWT_ERRORS: break;
	}
	return AUTH_REASON_HEADER;
}

/* Whose token this says it is. One issuer needs no look into claims that nobody has verified. */
static unsigned issuer_of(const struct auth_rules *rules, const struct auth_bench *on, const struct jwt *t)
{
	struct json j;

	if (rules->nissuers <= 1)
		return rules->nissuers == 1 ? 0 : AUTH_ISSUERS_MAX;
	if (jwt_claims(t, on->table, on->scratch, on->scratch_size, &j) != JWT_OK)
		return AUTH_ISSUERS_MAX;
	return auth_claims_issuer(rules, &j);
}

/* True: verified, with its facts. */
static bool by_jwt(const struct auth_rules *rules, const struct auth_bench *on, struct span token, int64_t now_ms, struct auth_facts *f, struct auth_result *result)
{
	const struct auth_issuer *is;
	const struct jwk_set *set;
	const struct jwk *key;
	enum auth_reason reason;
	struct jwt t;
	struct json j;
	enum jwt_error e = jwt_read(&t, on->table, token, false);
	unsigned issuer;

	if (e == JWT_FORM) {
		refuse(result, AUTH_REASON_FORM);
		return false;
	}
	issuer = issuer_of(rules, on, &t);
	if (issuer == AUTH_ISSUERS_MAX) {
		refuse(result, AUTH_REASON_ISSUER);
		return false;
	}
	result->issuer = issuer;
	is = &rules->issuers[issuer];
	if (is->introspect_all) { /* whatever its header says is for its issuer to judge */
		answer(result, AUTH_NEED_INTROSPECTION, AUTH_REASON_NONE);
		return false;
	}
	if (e != JWT_OK) {
		refuse(result, reason_of(e));
		return false;
	}
	if (!(is->algs >> t.alg & 1)) {
		refuse(result, AUTH_REASON_ALG);
		return false;
	}
	if (!span_eq(t.typ, SPAN("at+jwt")) && !(is->legacy_typ && (span_absent(t.typ) || span_eq(t.typ, SPAN("jwt"))))) {
		refuse(result, AUTH_REASON_TYPE);
		return false;
	}
	set = on->keys != NULL ? on->keys[issuer] : NULL;
	key = set != NULL ? jwk_find(set, t.kid) : NULL;
	if (key == NULL) {
		answer(result, set != NULL && span_absent(t.kid) ? AUTH_INVALID : AUTH_NEED_KEYS, AUTH_REASON_NO_KEY);
		return false;
	}
	e = jwt_verify(&t, key);
	if (e == JWT_OK)
		e = jwt_claims(&t, on->table, on->scratch, on->scratch_size, &j);
	reason = e == JWT_OK ? auth_claims(f, rules, issuer, false, &j, now_ms) : reason_of(e);
	if (reason != AUTH_REASON_NONE)
		refuse(result, reason);
	return reason == AUTH_REASON_NONE;
}

static void by_token(const struct auth_rules *rules, const struct auth_bench *on, const struct auth_request *r, enum scheme scheme, struct span token, int64_t now_ms,
	struct auth_result *result)
{
	const struct auth_facts *known;
	struct auth_facts fresh;
	uint8_t hash[CRYPTO_TAG];
	unsigned dots = 0, opaque = 0;
	bool refused;

	auth_cache_hash(on->cache, token, hash);
	known = auth_cache_find(on->cache, hash, now_ms, &refused);
	if (known != NULL) {
		finish(rules, on, r, scheme, token, known, now_ms, result);
		return;
	}
	if (refused) {
		refuse(result, AUTH_REASON_INACTIVE);
		return;
	}
	if (!token68(token)) { /* of one that is known it was asked before */
		refuse(result, AUTH_REASON_FORM);
		return;
	}
	for (size_t i = 0; i < token.n; i++)
		dots += token.p[i] == '.';
	if (dots != 2 && dots != 4) { /* neither JWS nor JWE: only its issuer can tell what it is */
		for (unsigned i = 0; i < rules->nissuers; i++)
			if (rules->issuers[i].opaque) {
				result->issuer = i;
				opaque++;
			}
		if (opaque != 1) {
			result->issuer = AUTH_ISSUERS_MAX;
			refuse(result, AUTH_REASON_FORM);
			return;
		}
		answer(result, AUTH_NEED_INTROSPECTION, AUTH_REASON_NONE);
	} else if (by_jwt(rules, on, token, now_ms, &fresh, result)) {
		int64_t until = now_ms + AUTH_CACHE_MS;

		auth_cache_keep(on->cache, hash, &fresh, now_ms, fresh.identity.until_ms < until ? fresh.identity.until_ms : until);
		finish(rules, on, r, scheme, token, &fresh, now_ms, result);
		return;
	}
	if (result->verdict == AUTH_NEED_KEYS || result->verdict == AUTH_NEED_INTROSPECTION)
		result->token = token;
}

/* What comes before any credential is looked at. True: there is a token of this scheme to decide about. */
static bool begin(const struct auth_rules *rules, const struct auth_bench *on, const struct auth_request *r, int64_t now_ms, enum scheme *scheme, struct span *token,
	struct auth_result *result)
{
	bool credentials = r->nauthorization > 0 || !span_absent(r->authorization);

	starts(result, rules);
	if (r->nauthorization > 1) {
		answer(result, AUTH_MALFORMED, AUTH_REASON_FORM);
		return false;
	}
	if (!credentials && !r->peer.there && r->ndpop == 0) {
		if (rules->anonymous && r->loopback) {
			result->identity = (struct identity){ .kind = IDENTITY_ANONYMOUS, .tenant = rules->anonymous_tenant, .roles = rules->anonymous_roles };
			answer(result, AUTH_OK, AUTH_REASON_NONE);
		} else {
			answer(result, AUTH_MISSING, AUTH_REASON_NONE);
		}
		return false;
	}
	if (credentials && (span_absent(r->authorization) || !read_credentials(r->authorization, scheme, token))) {
		answer(result, AUTH_MALFORMED, AUTH_REASON_FORM);
		return false;
	}
	if (now_ms < on->built_ms) {
		refuse(result, AUTH_REASON_CLOCK);
		return false;
	}
	if (is_revoked(rules, &r->peer)) {
		refuse(result, AUTH_REASON_REVOKED);
		return false;
	}
	if (r->peer.there && r->peer.until_ms != 0 && now_ms >= r->peer.until_ms) {
		refuse(result, AUTH_REASON_EXPIRED);
		return false;
	}
	if (r->ndpop > 1 || (r->ndpop > 0 && !credentials)) {
		refuse(result, AUTH_REASON_PROOF);
		return false;
	}
	if (!credentials) {
		by_certificate(rules, &r->peer, result);
		return false;
	}
	if (*scheme == SCHEME_DPOP)
		result->dpop = rules->dpop != AUTH_DPOP_OFF;
	if (*scheme == SCHEME_OTHER || token->n > JWT_MAX || (*scheme == SCHEME_DPOP && rules->dpop == AUTH_DPOP_OFF)) {
		refuse(result, AUTH_REASON_FORM);
		return false;
	}
	return true;
}

void auth_decide(const struct auth_rules *rules, const struct auth_bench *on, const struct auth_request *r, int64_t now_unix_ms, struct auth_result *result)
{
	enum scheme scheme = SCHEME_OTHER;
	struct span token;

	if (!begin(rules, on, r, now_unix_ms, &scheme, &token, result))
		return;
	if (span_starts(token, key_prefix) && scheme == SCHEME_DPOP) /* and no issuer is asked about it */
		refuse(result, AUTH_REASON_UNKNOWN_KEY);
	else if (span_starts(token, key_prefix))
		by_key(rules, token, result);
	else
		by_token(rules, on, r, scheme, token, now_unix_ms, result);
}

void auth_introspected(const struct auth_rules *rules, const struct auth_bench *on, const struct auth_request *r, unsigned issuer,
	struct span reply, int64_t now_unix_ms, struct auth_result *result)
{
	enum scheme scheme = SCHEME_OTHER;
	enum auth_reason reason = AUTH_REASON_INACTIVE;
	int64_t until = now_unix_ms + AUTH_CACHE_MS;
	struct auth_facts f;
	struct span token;
	uint8_t hash[CRYPTO_TAG];
	uint32_t type;
	struct json j;
	size_t where;

	if (!begin(rules, on, r, now_unix_ms, &scheme, &token, result))
		return;
	if (issuer >= rules->nissuers || span_absent(reply) || json_read(&j, on->table, reply, &where) != JSON_OK) {
		refuse(result, AUTH_REASON_INACTIVE);
		return;
	}
	result->issuer = issuer;
	auth_cache_hash(on->cache, token, hash);
	/* A refresh token may be active too: what says of what type it is must say one of these. */
	type = json_get(&j, JSON_ROOT, SPAN("token_type"));
	if (json_type(&j, json_get(&j, JSON_ROOT, SPAN("active"))) == JSON_TRUE)
		reason = type == JSON_NONE || span_ieq(json_inner(&j, type), SPAN("bearer")) || span_ieq(json_inner(&j, type), SPAN("dpop"))
			? auth_claims(&f, rules, issuer, true, &j, now_unix_ms) : AUTH_REASON_TYPE;
	if (reason != AUTH_REASON_NONE) {
		auth_cache_keep(on->cache, hash, NULL, now_unix_ms, now_unix_ms + AUTH_INACTIVE_MS);
		refuse(result, reason);
		return;
	}
	/* What is revoked meanwhile ends here at the latest: long streams too. */
	if (f.identity.until_ms > until)
		f.identity.until_ms = until;
	until = now_unix_ms + AUTH_ANSWER_MS;
	auth_cache_keep(on->cache, hash, &f, now_unix_ms, f.identity.until_ms < until ? f.identity.until_ms : until);
	finish(rules, on, r, scheme, token, &f, now_unix_ms, result);
}
