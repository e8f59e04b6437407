#include "gate/policy.h"

#include "base/bug.h"

/* ---- patterns ---- */

/* One name in two pieces. */
struct pieces { struct span a, b; };

static size_t length(const struct pieces *n)
{
	return n->a.n + n->b.n;
}

static char byte(const struct pieces *n, size_t i)
{
	return i < n->a.n ? n->a.p[i] : n->b.p[i - n->a.n];
}

static bool stands_at(const struct pieces *n, size_t at, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (byte(n, at + i) != text.p[i])
			return false;
	return true;
}

/* The end of the first place from `from` on where `text` stands, at most `to`; SIZE_MAX: nowhere. Knuth, Morris, Pratt: no name, however long
 * and repetitive, makes this more than one walk over it. */
static size_t find(const struct pieces *n, size_t from, size_t to, struct span text)
{
	uint16_t back[POLICY_PATTERN_MAX]; /* of the text's first i + 1 bytes: how many of its first bytes are also its last */
	size_t have = 0;

	if (text.n == 0)
		return from;
	back[0] = 0;
	for (size_t i = 1; i < text.n; i++) {
		while (have > 0 && text.p[i] != text.p[have])
			have = back[have - 1];
		have += text.p[i] == text.p[have] ? 1 : 0;
		back[i] = (uint16_t)have;
	}
	have = 0;
	for (size_t i = from; i < to; i++) {
		while (have > 0 && byte(n, i) != text.p[have])
			have = back[have - 1];
		have += byte(n, i) == text.p[have] ? 1 : 0;
		if (have == text.n)
			return i + 1;
	}
	return SIZE_MAX;
}

static size_t star(struct span pattern)
{
	const char *p = pattern.n > 0 ? memchr(pattern.p, '*', pattern.n) : NULL;

	return p == NULL ? pattern.n : (size_t)(p - pattern.p);
}

bool policy_pattern_matches(struct span pattern, struct span prefix, struct span name)
{
	struct pieces n = { prefix, name };
	size_t head = star(pattern), tail = 0, at = head, end = length(&n);

	if (pattern.n > POLICY_PATTERN_MAX)
		bug("policy: a pattern longer than any may be");
	if (head == pattern.n)
		return end == head && stands_at(&n, 0, pattern);
	while (pattern.p[pattern.n - 1 - tail] != '*')
		tail++;
	/* What stands before the first star and behind the last has its place; what stands between two is found as early as it can be. */
	if (end < head + tail || !stands_at(&n, 0, span_of(pattern.p, head)) || !stands_at(&n, end - tail, span_from(pattern, pattern.n - tail)))
		return false;
	end -= tail;
	pattern = span_of(pattern.p + head + 1, pattern.n - head - 1 - tail);
	while (pattern.n > 0) {
		struct span part = span_of(pattern.p, star(pattern));

		at = find(&n, at, end, part);
		if (at == SIZE_MAX)
			return false;
		pattern = span_from(pattern, part.n + 1);
	}
	return true;
}

/* Is there a name that begins with `prefix` and matches? */
static bool meets(struct span pattern, struct span prefix)
{
	size_t head = star(pattern);

	if (head == pattern.n)
		return span_starts(pattern, prefix);
	return span_starts(prefix, span_of(pattern.p, head)) || span_starts(span_of(pattern.p, head), prefix);
}

/* Does every name that begins with `prefix` match? */
static bool covers(struct span pattern, struct span prefix)
{
	return pattern.n > 0 && pattern.p[pattern.n - 1] == '*' && policy_pattern_matches(pattern, prefix, SPAN(""));
}

/* ---- rules ---- */

static bool concerns(const struct policy_rule *r, const struct identity *who)
{
	return (r->tenants == 0 || (r->tenants >> who->tenant & 1) != 0) && (r->roles == 0 || (r->roles & who->roles) != 0);
}

/* What a rule says once it matches. */
static enum policy_verdict says(const struct policy_rule *r, const struct identity *who)
{
	if (!r->allow)
		return POLICY_DENIED;
	if ((r->scopes & ~who->scopes) == 0)
		return POLICY_ALLOWED;
	return who->kind == IDENTITY_TOKEN ? POLICY_SCOPES : POLICY_DENIED;
}

static bool is_somebody(const struct identity *who)
{
	if (who->tenant >= IDENTITY_TENANTS_MAX)
		bug("policy: a tenant that has no number");
	return who->kind != IDENTITY_NONE;
}

struct policy_answer policy_decide(const struct policy *p, const struct identity *who, struct span prefix, struct span name)
{
	struct policy_answer a = { POLICY_DENIED, -1, 0 };

	for (unsigned i = 0; is_somebody(who) && i < p->nrules; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (!concerns(r, who) || !policy_pattern_matches(r->pattern, prefix, name))
			continue;
		a.verdict = says(r, who);
		a.rule = (int)i;
		a.scopes = a.verdict == POLICY_SCOPES ? r->scopes : 0;
		break;
	}
	return a;
}

bool policy_may_begin(const struct policy *p, const struct identity *who, struct span prefix)
{
	for (unsigned i = 0; is_somebody(who) && i < p->nrules; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (!concerns(r, who) || !meets(r->pattern, prefix))
			continue;
		if (says(r, who) != POLICY_DENIED)
			return true;
		if (covers(r->pattern, prefix))
			return false;
	}
	return false;
}

bool policy_allows_all(const struct policy *p, const struct identity *who, struct span prefix)
{
	for (unsigned i = 0; is_somebody(who) && i < p->nrules; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (!concerns(r, who) || !meets(r->pattern, prefix))
			continue;
		if (says(r, who) != POLICY_ALLOWED)
			return false;
		if (covers(r->pattern, prefix))
			return true;
	}
	return false;
}

bool policy_splits(const struct policy *p, struct span prefix)
{
	for (unsigned i = 0; i < p->nrules; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (!meets(r->pattern, prefix))
			continue;
		if (!covers(r->pattern, prefix))
			return true;
		if (r->tenants == 0 && r->roles == 0)
			return false;
	}
	return false;
}
