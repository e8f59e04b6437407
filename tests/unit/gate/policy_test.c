/* gate/policy: patterns against a naive reference, and what rules decide, against every short name. */
#include "gate/policy.h"

#include <time.h>

#include "page.h"
#include "tap.h"

/* The definition, as slow as it is plain: rows of a table, no cleverness to share with what is tested. */
static bool naive(struct span pattern, struct span name)
{
	static bool now[1024], next[1024]; /* [i]: the pattern so far matches the first i bytes of the name */

	memset(now, 0, sizeof now);
	now[0] = true;
	for (size_t k = 0; k < pattern.n; k++) {
		memset(next, 0, sizeof next);
		for (size_t i = 0; i <= name.n; i++) {
			if (!now[i])
				continue;
			if (pattern.p[k] == '*')
				for (size_t j = i; j <= name.n; j++)
					next[j] = true;
			else if (i < name.n && name.p[i] == pattern.p[k])
				next[i + 1] = true;
		}
		memcpy(now, next, sizeof now);
	}
	return now[name.n];
}

static uint64_t state = 88172645463325252u;

static unsigned dice(unsigned sides)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % sides;
}

static struct span word(char *to, unsigned most, const char *letters)
{
	unsigned n = dice(most + 1);

	for (unsigned i = 0; i < n; i++)
		to[i] = letters[dice((unsigned)strlen(letters))];
	return span_of(to, n);
}

/* Each span ends at a guard page. */
static bool matches(struct span pattern, struct span prefix, struct span name)
{
	char *p = page_copy(pattern.p, pattern.n), *a = page_copy(prefix.p, prefix.n), *b = page_copy(name.p, name.n);
	bool found = policy_pattern_matches(span_of(p, pattern.n), span_of(a, prefix.n), span_of(b, name.n));

	page_free(p, pattern.n);
	page_free(a, prefix.n);
	page_free(b, name.n);
	return found;
}

static void patterns(void)
{
	static const struct { const char *pattern, *prefix, *name; bool want; } cases[] = {
		{ "", "", "", true }, { "", "", "a", false }, { "*", "", "", true }, { "*", "docs__", "read", true },
		{ "docs__read", "docs__", "read", true }, { "docs__read", "docs__", "reads", false }, { "docs__read", "docs__", "rea", false },
		{ "docs__read", "", "docs__read", true }, { "docs__read", "docs__r", "ead", true }, { "Docs__read", "docs__", "read", false },
		{ "docs__*", "docs__", "", true }, { "docs__*", "docs_", "x", false }, { "docs__*", "docs", "", false },
		{ "*__read", "docs__", "read", true }, { "*__read", "a__", "b__read", true }, { "*__read", "docs__", "read ", false },
		{ "d*s__r*d", "docs__", "read", true }, { "d*s__r*d", "docs__", "rd", true }, { "d*s__r*d", "docs__", "r", false },
		{ "a*a", "", "a", false }, { "a*a", "", "aa", true }, { "a*a*a", "", "aa", false }, { "*a*", "", "", false }, { "*a*", "bb", "ab", true },
		{ "**", "", "x", true }, { "a**b", "", "ab", true }, { "*ab*ab*", "", "abab", true }, { "*ab*ab*", "", "aba", false },
		{ "*aab*", "a", "aaab", true }, { "*abcabd*", "abcabc", "abd", true }, { "files://*", "", "files:///etc/passwd", true },
		{ "?ead", "", "read", false }, { "[r]ead", "", "read", false }, { "a\\*", "", "a*", false }, { "*\xc3\xa9*", "", "caf\xc3\xa9", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char name[200];

		snprintf(name, sizeof name, "%s %s %s|%s", cases[i].pattern, cases[i].want ? "matches" : "does not match", cases[i].prefix, cases[i].name);
		is_int(matches(span_z(cases[i].pattern), span_z(cases[i].prefix), span_z(cases[i].name)), cases[i].want, name);
	}
	ok(policy_pattern_matches(SPAN("*"), span_of(NULL, 0), span_of(NULL, 0)), "absent pieces are empty ones");
	ok(matches(SPAN("a*"), SPAN("a\0b"), SPAN("\0")) && !matches(SPAN("a"), SPAN("a"), SPAN("\0")), "a NUL is a byte like any");
}

static void random_patterns(void)
{
	static const struct { const char *letters, *with_star; unsigned name, pattern; } kinds[] = {
		{ "ab", "ab*", 12, 8 }, { "aab", "aaab**", 24, 12 }, { "abc_", "abc_*", 40, 10 }, { "a", "aaa*", 200, 60 },
	};
	char p[256], n[256];
	unsigned wrong = 0, yes = 0, no = 0;

	for (unsigned round = 0; round < 60000; round++) {
		unsigned k = dice(sizeof kinds / sizeof kinds[0]);
		struct span pattern = word(p, kinds[k].pattern, kinds[k].with_star), name = word(n, kinds[k].name, kinds[k].letters);
		unsigned cut = dice((unsigned)name.n + 1);
		bool want = naive(pattern, name);

		/* Every third from guarded memory: pages cost more than the comparison. */
		if ((round % 3 == 0 ? matches(pattern, span_of(name.p, cut), span_from(name, cut))
		    : policy_pattern_matches(pattern, span_of(name.p, cut), span_from(name, cut))) != want && wrong++ < 5)
			diag("%.*s on %.*s|%.*s: should be %d", (int)pattern.n, p, (int)cut, n, (int)(name.n - cut), n + cut, want);
		yes += want;
		no += !want;
	}
	is_int(wrong, 0, "60,000 random patterns decide as their definition does");
	ok(yes > 5000 && no > 5000, "of both kinds many");
}

static void pathological(void)
{
	static char name[1 << 20], pattern[POLICY_PATTERN_MAX];
	struct timespec from, to;
	size_t n = 0;
	bool found = false;

	memset(name, 'a', sizeof name);
	/* "*aaa…b*aaa…b*": for a naive search each start is nearly a match. */
	while (n + 64 <= sizeof pattern) {
		pattern[n] = '*';
		memset(pattern + n + 1, 'a', 62);
		pattern[n + 63] = 'b';
		n += 64;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (int i = 0; i < 20; i++)
		found = found || policy_pattern_matches(span_of(pattern, n), SPAN("a"), span_of(name, sizeof name));
	memset(pattern, '*', sizeof pattern);
	for (size_t i = 1; i < sizeof pattern; i += 2)
		pattern[i] = 'a';
	pattern[sizeof pattern - 1] = 'b';
	for (int i = 0; i < 20; i++)
		found = found || policy_pattern_matches(span_of(pattern, sizeof pattern), SPAN("a"), span_of(name, sizeof name));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	ok(!found, "names of a MiB that nearly match do not match");
	/* 40 MiB of name; quadratic work would be hours. */
	ok((to.tv_sec - from.tv_sec) < 30, "and are walked over once, not once for each star or start");
	name[sizeof name - 1] = 'b';
	ok(policy_pattern_matches(SPAN("*aaaaaaaaaaaaaaab"), SPAN(""), span_of(name, sizeof name)), "the very end is found");
}

/* ---- rules ---- */

enum { ACME, ZETA };
#define ROLE(n) (UINT64_C(1) << (n))

static const struct policy_rule rules[] = {
	{ false, { "docs__secret*", sizeof("docs__secret*") - 1 }, 0, ROLE(1), 0 },
	{ true, { "docs__*", sizeof("docs__*") - 1 }, 0, ROLE(1) | ROLE(2), 0 },
	{ true, { "db__*", sizeof("db__*") - 1 }, ROLE(ACME), ROLE(2), ROLE(0) | ROLE(3) },
	{ false, { "*", sizeof("*") - 1 }, ROLE(ZETA), 0, 0 },
	{ true, { "time__now", sizeof("time__now") - 1 }, 0, 0, 0 },
};
static const struct policy policy = { rules, sizeof rules / sizeof rules[0] };

static struct policy_answer decide(enum identity_kind kind, unsigned tenant, uint64_t roles, uint64_t scopes, const char *name)
{
	struct identity who = { .kind = (uint8_t)kind, .tenant = (uint8_t)tenant, .roles = roles, .scopes = scopes };

	return policy_decide(&policy, &who, SPAN(""), span_z(name));
}

static void decisions(void)
{
	struct policy_answer a = decide(IDENTITY_KEY, ACME, ROLE(1), 0, "docs__secrets");

	ok(a.verdict == POLICY_DENIED && a.rule == 0, "the first rule that matches decides");
	a = decide(IDENTITY_KEY, ACME, ROLE(2), 0, "docs__secrets");
	ok(a.verdict == POLICY_ALLOWED && a.rule == 1, "a rule for other roles does not match");
	a = decide(IDENTITY_KEY, ACME, ROLE(5), 0, "docs__read");
	ok(a.verdict == POLICY_DENIED && a.rule == -1, "no rule, no call");
	a = decide(IDENTITY_KEY, ACME, 0, 0, "docs__read");
	ok(a.verdict == POLICY_DENIED && a.rule == -1, "nor without any role");
	a = decide(IDENTITY_TOKEN, ACME, ROLE(2), ROLE(0) | ROLE(3) | ROLE(9), "db__query");
	ok(a.verdict == POLICY_ALLOWED && a.rule == 2 && a.scopes == 0, "a token with all scopes");
	a = decide(IDENTITY_TOKEN, ACME, ROLE(2), ROLE(3), "db__query");
	ok(a.verdict == POLICY_SCOPES && a.rule == 2 && a.scopes == (ROLE(0) | ROLE(3)), "a token with too few is told all that it needs");
	a = decide(IDENTITY_KEY, ACME, ROLE(2), 0, "db__query");
	ok(a.verdict == POLICY_DENIED && a.rule == 2 && a.scopes == 0, "who has no token cannot get scopes: refused");
	a = decide(IDENTITY_TOKEN, ZETA, ROLE(2), ROLE(0) | ROLE(3), "db__query");
	ok(a.verdict == POLICY_DENIED && a.rule == 3, "another tenant");
	a = decide(IDENTITY_ANONYMOUS, ACME, 0, 0, "time__now");
	ok(a.verdict == POLICY_ALLOWED && a.rule == 4, "a rule that names nobody is for everybody");
	a = decide(IDENTITY_NONE, ACME, ROLE(1) | ROLE(2), 0, "time__now");
	ok(a.verdict == POLICY_DENIED && a.rule == -1, "but not for who is nobody");
	a = decide(IDENTITY_KEY, 63, UINT64_C(1) << 63, 0, "time__now");
	ok(a.verdict == POLICY_ALLOWED, "the last numbers are numbers");
}

/* Random rules over two letters; every name up to five letters decides what the answers about prefixes may be. */
static void prefixes(void)
{
	enum { LETTERS = 5, RULES = 4 };
	char mem[RULES][8], name[LETTERS + 1];
	struct policy_rule r[RULES];
	unsigned late_no = 0, late_all = 0, wrong = 0, begins = 0, not = 0, all = 0, whole = 0, split = 0;

	for (unsigned round = 0; round < 4000; round++) {
		struct policy p = { r, 1 + dice(RULES) };
		struct identity who = { .kind = dice(3) == 0 ? IDENTITY_TOKEN : IDENTITY_KEY, .tenant = (uint8_t)dice(2), .roles = dice(4), .scopes = dice(2) };
		unsigned n = dice(3), allowed = 0, refused = 0, kinds = 0;
		char prefix[3];

		for (unsigned i = 0; i < p.nrules; i++) {
			bool allow = dice(2) == 0;

			r[i] = (struct policy_rule){ allow, word(mem[i], 5, "ab**"), dice(3) == 0 ? dice(4) : 0, dice(3) == 0 ? dice(4) : 0, allow && dice(4) == 0 ? 1 : 0 };
		}
		for (unsigned i = 0; i < n; i++)
			prefix[i] = "ab"[dice(2)];
		for (unsigned len = 0; len + n <= LETTERS; len++)
			for (unsigned bits = 0; bits < 1u << len; bits++) {
				struct policy_answer a;

				for (unsigned i = 0; i < len; i++)
					name[i] = "ab"[bits >> i & 1];
				a = policy_decide(&p, &who, span_of(prefix, n), span_of(name, len));
				allowed += a.verdict != POLICY_DENIED;
				refused += a.verdict != POLICY_ALLOWED;
				kinds |= 1u << a.verdict;
			}
		if (policy_may_begin(&p, &who, span_of(prefix, n))) {
			begins++;
			late_no += allowed == 0; /* it may err this way */
		} else {
			not++;
			wrong += allowed > 0;
		}
		if (policy_allows_all(&p, &who, span_of(prefix, n))) {
			all++;
			wrong += refused > 0;
		} else {
			late_all += refused == 0;
		}
		if (policy_splits(&p, span_of(prefix, n))) {
			split++;
		} else {
			whole++;
			wrong += (kinds & (kinds - 1)) != 0;
		}
	}
	is_int(wrong, 0, "what may not begin has no name that is allowed, what is allowed whole none that is refused, and what is not split one answer");
	ok(begins > 300 && not > 300 && all > 100 && whole > 300 && split > 300, "there were all kinds");
	ok(late_no * 10 < begins && late_all * 3 < all, "and they seldom err on the side where they may");
	diag("begins %u (needlessly %u), does not %u; allows all %u (not seen %u)", begins, late_no, not, all, late_all);
	{
		struct identity nobody = { .kind = IDENTITY_NONE };

		r[0] = (struct policy_rule){ true, SPAN("*"), 0, 0, 0 };
		ok(!policy_may_begin(&(struct policy){ r, 1 }, &nobody, SPAN("")) && !policy_allows_all(&(struct policy){ r, 1 }, &nobody, SPAN("")), "nobody begins nothing");
		nobody.kind = IDENTITY_ANONYMOUS;
		ok(policy_may_begin(&(struct policy){ r, 1 }, &nobody, SPAN("")) && policy_allows_all(&(struct policy){ r, 1 }, &nobody, SPAN("x")), "somebody does");
		ok(!policy_splits(&(struct policy){ r, 1 }, SPAN("")) && !policy_splits(&(struct policy){ r, 0 }, SPAN("")), "all or nothing is not split");
		r[0] = (struct policy_rule){ true, SPAN("docs__*"), 1, 2, 0 };
		r[1] = (struct policy_rule){ true, SPAN("docs__read"), 0, 0, 0 };
		ok(policy_splits(&(struct policy){ r, 2 }, SPAN("docs__")) && !policy_splits(&(struct policy){ r, 1 }, SPAN("docs__")) &&
		    !policy_splits(&(struct policy){ r, 2 }, SPAN("time__")), "a rule for all names of some callers does not, one for some names does");
		r[2] = r[0];
		r[2].tenants = r[2].roles = 0;
		r[3] = r[1];
		ok(!policy_splits(&(struct policy){ r + 2, 2 }, SPAN("docs__")), "nor does what stands behind a rule that decides all");
		ok(!policy_may_begin(&(struct policy){ r, 0 }, &nobody, SPAN("")) && !policy_allows_all(&(struct policy){ r, 0 }, &nobody, SPAN("")), "no rule, no name");
	}
}

static void usual(const char *uri, const char *want, bool files)
{
	char mem[256];
	struct buf b = buf_on(mem, sizeof mem);

	policy_usual_uri(&b, span_z(uri), files);
	if (!ok(span_eq(buf_span(&b), span_z(want)) && !b.full, uri))
		diag("got %.*s", (int)b.n, mem);
}

static void uris(void)
{
	static const char *const upstream[][2] = {
		{ "", "" }, { "a", "a" }, { "urn:a:%61", "urn:a:%61" }, { "x://host", "x://host" }, { "x://host/", "x://host/" },
		{ "FILE:///A", "file:///A" }, { "x://Host/a", "x://Host/a" }, { "x://h/%61%2d%7e", "x://h/a-~" }, { "x://h/%c3%a9%20", "x://h/%C3%A9%20" },
		{ "x://h/a%2Fb", "x://h/a/b" }, { "x://h/%", "x://h/%" }, { "x://h/%4", "x://h/%4" }, { "x://h/%zz%6", "x://h/%zz%6" }, { "x://h/%4x1", "x://h/%4x1" },
		{ "x://h/a/./b", "x://h/a/b" }, { "x://h/a/../b", "x://h/b" }, { "x://h/../../b", "x://h/b" }, { "x://h/a/..", "x://h/" },
		{ "x://h/a/.", "x://h/a/" }, { "x://h/..", "x://h/" }, { "x://h/a/%2e%2E/b", "x://h/b" }, { "x://h/a/..%2fb", "x://h/b" },
		{ "x://h/a/b/../../c", "x://h/c" }, { "x://h/.../a..", "x://h/.../a.." }, { "x://h/a//../b", "x://h/a/b" }, { "x://h//a", "x://h//a" },
		{ "x://h/a?b=/../c", "x://h/a?b=/../c" }, { "x://h/a/..?b", "x://h/?b" }, { "x://h/a%3f/../b", "x://h/b" }, { "x:///p/../s/a", "x:///s/a" },
		{ "x://h/(a)", "x://h/(a)" }, { "x://h/%28a%29", "x://h/%28a%29" },
	};
	static const char *const files[][2] = {
		{ "files://d/a b", "files://d/a%20b" }, { "files://d/%73ecret/a", "files://d/secret/a" }, { "files://d/p(1)", "files://d/p%281%29" },
		{ "files://d/p%281%29", "files://d/p%281%29" }, { "files://d/a%2fb", "files://d/a%2Fb" }, { "files://d/%c3%a9", "files://d/%C3%A9" },
		{ "files://d/a?b", "files://d/a%3Fb" }, { "files://d/%25", "files://d/%25" }, { "files://d", "files://d" },
	};
	char mem[8];
	struct buf b = buf_on(mem, sizeof mem);

	for (size_t i = 0; i < sizeof upstream / sizeof upstream[0]; i++)
		usual(upstream[i][0], upstream[i][1], false);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		usual(files[i][0], files[i][1], true);
	char path_mem[64];
	struct buf path = buf_on(path_mem, sizeof path_mem);
	policy_escape(&path, SPAN("a b/%41\xc3\xa9?#~"));
	ok(span_eq(buf_span(&path), SPAN("a%20b/%2541%C3%A9%3F%23~")), "a path as the built-in server's lists have it");
	policy_usual_uri(&b, SPAN("x://h/../abc"), false);
	ok(b.full, "what does not fit");
}

int main(void)
{
	uris();
	patterns();
	random_patterns();
	pathological();
	decisions();
	prefixes();
	return done_testing();
}
