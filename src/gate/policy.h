/* gate/policy.h: may this identity use this name? Rules in the order of the file; the first that matches decides; no match is a refusal.
 *
 * A name is what a client writes or sees: `server__tool`, `server__prompt`; for a resource or a template `server__` and its URI. With plain
 * names the tool, the prompt or the URI itself. A pattern is a name in which each `*` stands for any run of bytes, none included.
 * A rule matches if the pattern does and tenant and roles (any one of them) are among those named, where it names some. Scopes do not take
 * part in the match: an allow rule that matches and asks for more scopes than a token has says POLICY_SCOPES with all it asks for (403,
 * step-up); for an identity that is no token that is a refusal. A refused name must look like an unknown one. Pure; linear in rules x name. */
#ifndef POSTERN_GATE_POLICY_H
#define POSTERN_GATE_POLICY_H

#include "base/buf.h"
#include "gate/identity.h"

enum { POLICY_RULES_MAX = 256, POLICY_PATTERN_MAX = 256 };

struct policy_rule {
	bool allow;
	struct span pattern;
	uint64_t tenants, roles;      /* 0: any */
	uint64_t scopes;              /* all of them are needed; 0: none */
};

struct policy {
	const struct policy_rule *rules;
	unsigned nrules;
};

enum policy_verdict { POLICY_DENIED, POLICY_ALLOWED, POLICY_SCOPES };

struct policy_answer {
	enum policy_verdict verdict;
	int rule;                     /* which decided, from 0; -1: none matched */
	uint64_t scopes;              /* POLICY_SCOPES: what the rule asks for */
};

/* `prefix` (may be empty) and `name` are one name in two pieces. */
struct policy_answer policy_decide(const struct policy *p, const struct identity *who, struct span prefix, struct span name);
/* False if no name that begins with `prefix` can be allowed: then the server behind it does not exist for this caller. May err towards true. */
bool policy_may_begin(const struct policy *p, const struct identity *who, struct span prefix);
/* True if the caller is allowed every name that begins with `prefix`: a list from there passes unfiltered. May err towards false. */
bool policy_allows_all(const struct policy *p, const struct identity *who, struct span prefix);
/* True if some caller may be allowed some of the names that begin with `prefix` and not others: then it matters what is there. May err
 * towards true. */
bool policy_splits(const struct policy *p, struct span prefix);
/* One resource has many URIs: `%61` is `a`, `x/../b` is `b`. This appends the one that all of them are, for a server that may take them for the
 * same: the scheme in lower case, escapes of unreserved characters and of `/` undone, the others in upper case, no dot segments (RFC 3986
 * 6.2.2). `files`: for the built-in server, which undoes all escapes: as it writes URIs itself. A rule must allow both this and the URI as it is. */
void policy_usual_uri(struct buf *b, struct span uri, bool files);
/* Appends a path as policy_usual_uri() has it of the built-in server: escaped but for unreserved characters and `/`. */
void policy_escape(struct buf *b, struct span path);
/* "*" matches any run of bytes. Linear space, bounded time (name x stars). */
bool policy_pattern_matches(struct span pattern, struct span prefix, struct span name);

#endif
