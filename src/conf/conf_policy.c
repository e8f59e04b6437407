#include "base/text.h"
#include "conf/conf_priv.h"

/* The rules: who may use which names. */

static void text_pattern(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span;

	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] == '*' && s.p[i - 1] == '*') {
			conf_wrong(r, value, SPAN("one * stands for any run of characters already"));
			return;
		}
	*to = s;
}

static void rule_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given);

static const struct conf_member rule_members[] = {
	{ MEMBER(policy_rule, pattern, "allow", CONF_STRING), .most = POLICY_PATTERN_MAX, .text = text_pattern },
	{ MEMBER(policy_rule, pattern, "deny", CONF_STRING), .most = POLICY_PATTERN_MAX, .text = text_pattern },
	{ MEMBER(policy_rule, tenants, "tenants", CONF_NAMED), .naming = CONF_TENANTS },
	{ MEMBER(policy_rule, roles, "roles", CONF_NAMED), .naming = CONF_ROLES },
	{ MEMBER(policy_rule, scopes, "scopes", CONF_NAMED), .naming = CONF_SCOPES },
	LATER("approve"), LATER("arguments"), LATER("approvers"), LATER("ttl"),
};
const struct conf_form conf_form_rule = {
	.where = SPAN_INIT("a rule"), .members = rule_members, .nmembers = COUNT_OF(rule_members), .whole = rule_whole
};

static void rule_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	struct policy_rule *v = to;
	bool allow = conf_given(&conf_form_rule, given, "allow"), deny = conf_given(&conf_form_rule, given, "deny");

	v->allow = allow;
	if (conf_given(&conf_form_rule, given, "approve"))
		return; /* "not in this version" has been said; the rest follows from it */
	if (allow == deny)
		conf_complain(r, object, allow ? SPAN("found both \"allow\" and \"deny\"; a rule is one of the two")
			: SPAN("found neither \"allow\" nor \"deny\"; a rule is such as {\"allow\": \"docs__*\", \"roles\": [\"reader\"]}"));
	else if (deny && conf_given(&conf_form_rule, given, "scopes"))
		conf_complain(r, conf_member_name(r, object, "scopes"), SPAN("\"scopes\" belongs to rules that allow; what is refused is refused with any scope"));
}

void conf_walk_rules(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n > POLICY_RULES_MAX) {
		conf_wrong_number(r, value, n, SPAN("rules; at most 256 are possible"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e))
		conf_push(r, &conf_form_rule, e, &c->policy[c->npolicy++]);
}

/* ---- what only the whole file shows ---- */

/* What stands before the first `*`. */
static struct span head_of(struct span pattern)
{
	const char *star = memchr(pattern.p, '*', pattern.n);

	return star == NULL ? pattern : span_of(pattern.p, (size_t)(star - pattern.p));
}

/* Could a name of this server match? Names are SERVER__ and something. */
static bool may_match(struct span pattern, struct span server)
{
	struct span head = head_of(pattern), name = span_of(head.p, head.n < server.n ? head.n : server.n), rest = span_from(head, name.n);

	if (!span_starts(server, name))
		return false;
	if (head.n < pattern.n) /* it goes on with anything */
		return rest.n < 2 ? span_starts(SPAN("__"), rest) : span_starts(rest, SPAN("__"));
	return rest.n > 2 && span_starts(rest, SPAN("__"));
}

/* A pattern that no name of these servers can match is a slip. */
static void names(struct conf_reader *r, uint32_t value, struct span pattern)
{
	const struct conf *c = r->c;
	struct span word = head_of(pattern), near = SPAN("");
	unsigned best = 3;
	struct buf *b;

	for (unsigned i = 0; i < c->nservers; i++)
		if (may_match(pattern, c->servers[i].name))
			return;
	for (size_t i = 0; i + 1 < word.n; i++)
		if (word.p[i] == '_' && word.p[i + 1] == '_')
			word.n = i;
	for (unsigned i = 0; i < c->nservers; i++) {
		unsigned d = text_distance(word, c->servers[i].name, best - 1);

		if (d < best) {
			best = d;
			near = c->servers[i].name;
		}
	}
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; no name can be like this: names are those of a server and __ before its own, such as \"");
	conf_shown(b, near.n > 0 ? near : c->servers[0].name, 32);
	BUF_LIT(b, "__*\"");
	conf_said(r);
}

/* Each name in a rule's list that nobody can have. */
static void nobody(struct conf_reader *r, uint32_t list, enum conf_naming naming, uint64_t given, struct span why)
{
	unsigned *n;
	const struct span *name = conf_names(r->c, naming, &n);

	for (uint32_t e = json_first(&r->json, list); e != JSON_NONE; e = json_next(&r->json, list, e)) {
		struct span near = SPAN("");
		unsigned at = 0, best = 3;
		struct buf *b;

		while (at < *n && !json_is(&r->json, e, name[at]))
			at++;
		if (at == *n || (given >> at & 1) != 0)
			continue;
		for (unsigned i = 0; i < *n; i++) {
			unsigned d = text_distance(name[at], name[i], best - 1);

			if ((given >> i & 1) != 0 && d < best) {
				best = d;
				near = name[i];
			}
		}
		b = conf_say(r, e);
		conf_found(r, b, e);
		BUF_LIT(b, "; ");
		buf_put(b, why);
		if (near.n > 0) {
			BUF_LIT(b, "; did you mean \"");
			buf_put(b, near);
			BUF_LIT(b, "\"?");
		}
		conf_said(r);
	}
}

/* Certainly: each name and caller that b matches, a matches too. */
static bool covers(const struct policy_rule *a, const struct policy_rule *b)
{
	struct span head = head_of(a->pattern);

	if ((a->tenants != 0 && (b->tenants == 0 || (b->tenants & ~a->tenants) != 0)) || (a->roles != 0 && (b->roles == 0 || (b->roles & ~a->roles) != 0)))
		return false;
	return span_eq(a->pattern, b->pattern) || (head.n + 1 == a->pattern.n && span_starts(b->pattern, head));
}

static void unreachable(struct conf_reader *r, uint32_t rule, unsigned number)
{
	const struct policy_rule *v = r->c->policy;

	for (unsigned k = 0; k < number; k++)
		if (!span_absent(v[k].pattern) && covers(&v[k], &v[number])) {
			struct buf *b = conf_say(r, rule);

			BUF_LIT(b, "this rule never decides: the first that matches does, and /policy/");
			buf_u64(b, k);
			BUF_LIT(b, " matches whatever this one could; put it before that one, or take it out");
			conf_said(r);
			return;
		}
}

void conf_cross_policy(struct conf_reader *r)
{
	const struct conf *c = r->c;
	uint32_t list = conf_member(r, JSON_ROOT, "policy"), e;
	uint64_t roles = c->identity.anonymous_roles | c->identity.stdio_roles, tenants = r->declared;
	bool roles_claim = false, tenant_claim = false;

	if (c->identity.anonymous)
		tenants |= UINT64_C(1) << c->identity.anonymous_tenant;
	if (c->identity.stdio)
		tenants |= UINT64_C(1) << c->identity.stdio_tenant;
	for (unsigned i = 0; i < c->identity.nissuers; i++) {
		const struct auth_issuer *a = &c->identity.issuers[i].auth;

		roles |= a->roles;
		tenants |= a->tenant < 0 ? 0 : UINT64_C(1) << a->tenant;
		roles_claim = roles_claim || !span_absent(a->roles_claim);
		tenant_claim = tenant_claim || !span_absent(a->tenant_claim);
	}
	for (unsigned i = 0; i < c->identity.nkeys; i++) {
		roles |= c->identity.keys[i].roles;
		tenants |= UINT64_C(1) << c->identity.keys[i].tenant;
	}
	for (unsigned i = 0; i < c->identity.ncertificates; i++) {
		roles |= c->identity.certificates[i].roles;
		tenants |= UINT64_C(1) << c->identity.certificates[i].tenant;
	}
	e = c->npolicy > 0 ? json_first(&r->json, list) : JSON_NONE;
	for (unsigned i = 0; i < c->npolicy; i++, e = json_next(&r->json, list, e)) {
		uint32_t scopes = conf_member(r, e, "scopes");

		if (!roles_claim)
			nobody(r, conf_member(r, e, "roles"), CONF_ROLES, roles, SPAN("nobody has this role: no key, certificate or issuer gives it"));
		if (!tenant_claim)
			nobody(r, conf_member(r, e, "tenants"), CONF_TENANTS, tenants, SPAN("nobody is of this tenant: no key, certificate or issuer is, and "
				"\"tenants\" of identity does not list it"));
		if (scopes != JSON_NONE && c->policy[i].allow && c->identity.nissuers == 0)
			conf_complain(r, scopes - 1, SPAN("nobody has scopes: only tokens have them, and there is no issuer"));
		if (span_absent(c->policy[i].pattern))
			continue;
		if (!c->plain && c->nservers > 0)
			names(r, conf_member(r, e, c->policy[i].allow ? "allow" : "deny"), c->policy[i].pattern);
		unreachable(r, e, i);
	}
}
