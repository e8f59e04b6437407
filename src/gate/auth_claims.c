#include "gate/auth_priv.h"

enum { DATE_DIGITS = 12, ID_MAX = 512, WORDS_MAX = 4096 };

static const int64_t date_max_s = 253402300799; /* the end of the year 9999 */

bool auth_date(const struct json *j, uint32_t token, int64_t *ms)
{
	struct span s = json_raw(j, token);
	int64_t v = 0, part = 100;
	size_t i = 0;

	if (json_type(j, token) != JSON_NUMBER)
		return false;
	for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		if (i == DATE_DIGITS)
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	if (i == 0 || v > date_max_s)
		return false;
	v *= 1000;
	if (i < s.n && s.p[i] == '.')
		for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++, part /= 10)
			v += part * (s.p[i] - '0');
	*ms = v;
	return i == s.n; /* a sign or an exponent is in no date */
}

bool auth_text(const struct json *j, uint32_t token, char *to, size_t cap, size_t *n)
{
	struct buf b = buf_on(to, cap);

	*n = 0;
	if (json_type(j, token) != JSON_STRING)
		return false;
	json_text(j, token, &b);
	if (b.full || b.n == 0)
		return false;
	for (size_t i = 0; i < b.n; i++)
		if (to[i] < 0x20 || to[i] > 0x7e)
			return false;
	*n = b.n;
	return true;
}

unsigned auth_claims_issuer(const struct auth_rules *rules, const struct json *j)
{
	uint32_t iss = json_get(j, JSON_ROOT, SPAN("iss"));

	for (unsigned i = 0; i < rules->nissuers; i++)
		if (json_is(j, iss, rules->issuers[i].issuer))
			return i;
	return AUTH_ISSUERS_MAX;
}

static bool audience_is(const struct json *j, struct span want)
{
	uint32_t aud = json_get(j, JSON_ROOT, SPAN("aud"));
	bool ours = false;

	if (json_type(j, aud) == JSON_STRING)
		return json_is(j, aud, want);
	if (json_type(j, aud) != JSON_ARRAY || json_size(j, aud) > AUTH_AUDIENCES_MAX)
		return false;
	for (uint32_t t = json_first(j, aud); t != JSON_NONE; t = json_next(j, aud, t)) {
		if (json_type(j, t) != JSON_STRING)
			return false;
		ours = ours || json_is(j, t, want);
	}
	return ours;
}

static enum auth_reason check_times(const struct auth_issuer *is, bool needs_iat, const struct json *j, int64_t now_ms, int64_t *until_ms)
{
	uint32_t exp = json_get(j, JSON_ROOT, SPAN("exp")), nbf = json_get(j, JSON_ROOT, SPAN("nbf")), iat = json_get(j, JSON_ROOT, SPAN("iat"));
	int64_t at;

	if (!auth_date(j, exp, &at))
		return AUTH_REASON_CLAIMS;
	*until_ms = at + is->skew_ms;
	if (now_ms >= *until_ms)
		return AUTH_REASON_EXPIRED;
	if (nbf != JSON_NONE) {
		if (!auth_date(j, nbf, &at))
			return AUTH_REASON_CLAIMS;
		if (at > now_ms + is->skew_ms)
			return AUTH_REASON_NOT_YET;
	}
	if (iat == JSON_NONE)
		return needs_iat ? AUTH_REASON_CLAIMS : AUTH_REASON_NONE;
	if (!auth_date(j, iat, &at))
		return AUTH_REASON_CLAIMS;
	if (at > now_ms + is->skew_ms)
		return AUTH_REASON_NOT_YET;
	if (is->age_max_ms > 0 && at + is->age_max_ms + is->skew_ms <= now_ms)
		return AUTH_REASON_EXPIRED;
	if (is->age_max_ms > 0 && at + is->age_max_ms + is->skew_ms < *until_ms)
		*until_ms = at + is->age_max_ms + is->skew_ms;
	return AUTH_REASON_NONE;
}

/* sub, client_id, jti: there and of the right kind; the subject is sub, without one client_id. */
static bool read_subject(struct identity *id, bool strict, const struct json *j)
{
	uint32_t sub = json_get(j, JSON_ROOT, SPAN("sub")), client = json_get(j, JSON_ROOT, SPAN("client_id")), jti = json_get(j, JSON_ROOT, SPAN("jti"));
	char text[ID_MAX];
	size_t n = 0;

	if (strict && (sub == JSON_NONE || client == JSON_NONE || jti == JSON_NONE))
		return false;
	if (jti != JSON_NONE && !auth_text(j, jti, text, sizeof text, &n))
		return false;
	if (client != JSON_NONE && !auth_text(j, client, text, sizeof text, &n))
		return false;
	/* A subject is not shortened: two could become one. */
	if (!auth_text(j, sub != JSON_NONE ? sub : client, id->subject, sizeof id->subject, &n))
		return false;
	id->subject_n = (uint8_t)n;
	return true;
}

static uint64_t bit_of(const struct auth_names *names, struct span name)
{
	for (unsigned i = 0; i < names->n && i < 64; i++)
		if (span_eq(names->name[i], name))
			return UINT64_C(1) << i;
	return 0;
}

/* Words parted by single spaces; a name that is not known gives nothing. False: not such a text. `ascii`: what may be in a scope (RFC 6749 3.3). */
static bool read_words(const struct auth_names *names, bool ascii, const struct json *j, uint32_t token, uint64_t *bits)
{
	char mem[WORDS_MAX];
	struct buf b = buf_on(mem, sizeof mem);
	size_t from = 0;

	json_text(j, token, &b);
	if (b.full)
		return false;
	for (size_t i = 0; i <= b.n && b.n > 0; i++) {
		unsigned char c = i < b.n ? (unsigned char)mem[i] : ' ';

		if (c != ' ') {
			if (c < 0x21 || c == 0x7f || c == '"' || c == '\\' || (ascii && c > 0x7e))
				return false;
			continue;
		}
		if (i == from)
			return false;
		*bits |= bit_of(names, span_of(mem + from, i - from));
		from = i + 1;
	}
	return true;
}

static bool read_roles(const struct auth_rules *rules, struct span claim, const struct json *j, uint64_t *bits)
{
	uint32_t token = span_absent(claim) ? JSON_NONE : json_get(j, JSON_ROOT, claim);

	if (token == JSON_NONE)
		return true;
	if (json_type(j, token) == JSON_STRING)
		return read_words(&rules->roles, false, j, token, bits);
	if (json_type(j, token) != JSON_ARRAY || json_size(j, token) > AUTH_ROLES_READ_MAX)
		return false;
	for (uint32_t t = json_first(j, token); t != JSON_NONE; t = json_next(j, token, t)) {
		if (json_type(j, t) != JSON_STRING)
			return false;
		for (unsigned i = 0; i < rules->roles.n && i < 64; i++)
			if (json_is(j, t, rules->roles.name[i]))
				*bits |= UINT64_C(1) << i;
	}
	return true;
}

static bool read_tenant(struct identity *id, const struct auth_rules *rules, const struct auth_issuer *is, const struct json *j)
{
	int tenant = is->tenant;

	if (!span_absent(is->tenant_claim)) {
		uint32_t token = json_get(j, JSON_ROOT, is->tenant_claim);

		tenant = -1;
		for (unsigned i = 0; i < rules->tenants.n && i < IDENTITY_TENANTS_MAX; i++)
			if (json_is(j, token, rules->tenants.name[i]))
				tenant = (int)i;
	}
	if (tenant < 0 || tenant >= IDENTITY_TENANTS_MAX)
		return false;
	id->tenant = (uint8_t)tenant;
	return true;
}

static bool read_hash(const struct json *j, uint32_t token, uint8_t out[32])
{
	struct span s = json_inner(j, token);
	size_t n;

	return !span_absent(s) && base64url_decode(s, (char *)out, 32, &n) && n == 32;
}

/* A confirmation that cannot be checked here is not one to pass by. */
static bool read_binding(struct auth_facts *f, const struct json *j)
{
	uint32_t cnf = json_get(j, JSON_ROOT, SPAN("cnf")), x5t = json_get(j, cnf, SPAN("x5t#S256")), jkt = json_get(j, cnf, SPAN("jkt"));
	uint32_t known = (x5t != JSON_NONE) + (uint32_t)(jkt != JSON_NONE);

	if (cnf == JSON_NONE)
		return true;
	if (json_type(j, cnf) != JSON_OBJECT || known == 0 || json_size(j, cnf) != known)
		return false;
	f->to_certificate = x5t != JSON_NONE;
	f->to_key = jkt != JSON_NONE;
	return (!f->to_certificate || read_hash(j, x5t, f->certificate)) && (!f->to_key || read_hash(j, jkt, f->key));
}

enum auth_reason auth_claims(struct auth_facts *f, const struct auth_rules *rules, unsigned issuer, bool introspected, const struct json *j, int64_t now_ms)
{
	const struct auth_issuer *is = &rules->issuers[issuer];
	struct identity *id = &f->identity;
	uint32_t iss = json_get(j, JSON_ROOT, SPAN("iss")), scope = json_get(j, JSON_ROOT, SPAN("scope"));
	bool strict = !introspected && !is->legacy_typ;
	enum auth_reason r;

	memset(f, 0, sizeof *f);
	if (!(introspected && iss == JSON_NONE) && !json_is(j, iss, is->issuer))
		return AUTH_REASON_ISSUER;
	if (!audience_is(j, is->audience))
		return AUTH_REASON_AUDIENCE;
	r = check_times(is, strict || (is->age_max_ms > 0 && !introspected), j, now_ms, &id->until_ms);
	if (r != AUTH_REASON_NONE)
		return r;
	if (!read_subject(id, strict, j))
		return AUTH_REASON_CLAIMS;
	if (scope != JSON_NONE && (json_type(j, scope) != JSON_STRING || !read_words(&rules->scopes, true, j, scope, &id->scopes)))
		return AUTH_REASON_CLAIMS;
	id->roles = is->roles;
	if (!read_roles(rules, is->roles_claim, j, &id->roles))
		return AUTH_REASON_CLAIMS;
	if (!read_tenant(id, rules, is, j))
		return AUTH_REASON_TENANT;
	if (!read_binding(f, j))
		return AUTH_REASON_BINDING;
	id->kind = IDENTITY_TOKEN;
	id->issuer = (uint8_t)issuer;
	return AUTH_REASON_NONE;
}
