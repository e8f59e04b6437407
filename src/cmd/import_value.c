#include "base/text.h"
#include "cmd/import_priv.h"

struct span import_text(const struct import *im, uint32_t token, char *mem, size_t cap)
{
	struct buf b = buf_on(mem, cap);

	if (json_type(&im->json, token) != JSON_STRING)
		return span_of(NULL, 0);
	json_text(&im->json, token, &b);
	return b.full ? span_of(NULL, 0) : buf_span(&b);
}

static bool word_at(struct span text, size_t at, struct span word)
{
	return word.n <= text.n - at && span_ieq(span_of(text.p + at, word.n), word);
}

bool import_has_word(struct span text, const char *const *word, size_t n)
{
	for (size_t i = 0; i < text.n; i++)
		for (size_t k = 0; k < n; k++)
			if (word_at(text, i, span_z(word[k])))
				return true;
	return false;
}
#define HAS(text, words) import_has_word(text, words, sizeof(words) / sizeof((words)[0]))

bool import_is_secret_name(struct span name)
{
	static const char *const word[] = { "token", "secret", "passw", "credential", "api_key", "apikey", "api-key", "access_key", "private", "auth", "bearer", "dsn", "connection_string", "connectionstring",
		"cookie", "session", "signing" };
	static const char *const end[] = { "_key", "_pat", "_pwd", "_pass", "-key" };
	static const char *const harmless[] = { "file", "path", "dir", "url", "_env", "-env", "type", "_id", "-id", "host", "name" }; /* where it is, and not what */

	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
		struct span e = span_z(harmless[i]);
		if (name.n >= e.n && word_at(name, name.n - e.n, e))
			return false;
	}

	for (size_t i = 0; i < sizeof end / sizeof end[0]; i++) {
		struct span e = span_z(end[i]);
		if (name.n >= e.n && word_at(name, name.n - e.n, e))
			return true;
	}
	return HAS(name, word) || span_ieq(name, SPAN("key")) || span_ieq(name, SPAN("pat"));
}

bool import_has_control(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
			return true;
	return false;
}

/* scheme://user:password@host */
static bool has_password(struct span s)
{
	static const char *const begin[] = { "://" };
	const char *at = s.n > 0 ? memchr(s.p, '@', s.n) : NULL;

	return at && HAS(span_of(s.p, (size_t)(at - s.p)), begin);
}

bool import_is_secret(struct span v)
{
	static const struct span begins[] = { { "ghp_", 4 }, { "gho_", 4 }, { "ghs_", 4 }, { "github_pat_", 11 }, { "glpat-", 6 }, { "sk-", 3 }, { "sk_", 3 }, { "pk_live", 7 }, { "xoxb-", 5 },
		{ "xoxp-", 5 }, { "AKIA", 4 }, { "ASIA", 4 }, { "AIza", 4 }, { "eyJ", 3 }, { "ntn_", 4 }, { "secret_", 7 }, { "postern_", 8 }, { "Bearer ", 7 }, { "Basic ", 6 }, { "hf_", 3 },
		{ "npm_", 4 }, { "pypi-", 5 }, { "dop_v1_", 7 }, { "SG.", 3 }, { "-----BEGIN", 10 } };
	unsigned digits = 0, letters = 0, others = 0;

	for (size_t at = 0; at < v.n; at++) { /* at the beginning of any word: "Authorization: Bearer eyJ…" */
		char before = at > 0 ? span_lower(v.p[at - 1]) : ' ';
		if ((before >= 'a' && before <= 'z') || (before >= '0' && before <= '9') || before == '-' || before == '_')
			continue;
		for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
			if (v.n - at >= begins[i].n + 6 && span_starts(span_from(v, at), begins[i]))
				return true;
	}
	if (has_password(v))
		return true;
	for (size_t i = 0; i < v.n; i++) {
		char l = span_lower(v.p[i]);
		if (l >= '0' && l <= '9')
			digits++;
		else if ((l >= 'a' && l <= 'z') || l == '_' || l == '-' || l == '+' || l == '=')
			letters++;
		else
			others++;
	}
	return v.n >= 24 && others == 0 && digits >= 4 && letters >= 4; /* one long word of letters and digits: a key, more likely than not */
}

bool import_is_secret_url(struct span v)
{
	size_t from = 0;

	if (has_password(v))
		return true;
	for (size_t i = 0; i <= v.n; i++) {
		if (i < v.n && !memchr("/?&=;,:#", v.p[i], 8))
			continue;
		if (import_is_secret(span_of(v.p + from, i - from)))
			return true;
		from = i + 1;
	}
	return false;
}

/* "$token" alone: a name in small letters, too. */
static bool is_variable(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		char l = span_lower(name.p[i]);
		if (!(l >= 'a' && l <= 'z') && !(l >= '0' && l <= '9' && i > 0) && l != '_')
			return false;
	}
	return name.n > 0;
}

static bool in_name(char c) { return (c >= 'A' && c <= 'Z') || c == '_'; }

struct span import_reference(struct span v)
{
	for (size_t i = 0; i + 1 < v.n; i++) {
		char open = v.p[i + 1];
		size_t end = i + 2;

		if (v.p[i] != '$')
			continue;
		if (open == '{' || open == '(') {
			while (end < v.n && v.p[end] != (open == '{' ? '}' : ')') && !(v.p[end] == ':' && end + 1 < v.n && v.p[end + 1] == '-'))
				end++;
			end += end < v.n && v.p[end] != ':';
		} else if (in_name(open)) { /* "$HOME/docs", but not "$5" */
			while (end < v.n && (in_name(v.p[end]) || (v.p[end] >= '0' && v.p[end] <= '9')))
				end++;
		} else if (i > 0 || !is_variable(span_from(v, 1))) {
			continue;
		} else {
			end = v.n;
		}
		return span_of(v.p + i, end - i);
	}
	return span_of(NULL, 0);
}

bool import_word(struct span from, char *to, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < from.n && n + 1 < cap; i++) {
		char c = from.p[i], l = span_lower(c);
		bool good = (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || c == '_' || c == '-';
		if (!good)
			c = '-';
		if (n > 0 && (c == '_' || c == '-') && (to[n - 1] == '_' || to[n - 1] == '-'))
			continue;
		if (n == 0 && (c == '-' || c == '_'))
			continue;
		to[n++] = c;
	}
	while (n > 0 && (to[n - 1] == '_' || to[n - 1] == '-'))
		n--;
	to[n] = '\0';
	return n > 0;
}

static bool is_literal(struct span host)
{
	bool v4 = host.n > 0;
	for (size_t i = 0; i < host.n; i++)
		v4 = v4 && ((host.p[i] >= '0' && host.p[i] <= '9') || host.p[i] == '.');
	return v4 || (host.n > 0 && host.p[0] == '[');
}

bool import_url(struct span url, struct import_url *u)
{
	struct span rest;
	size_t n = 0, end = 0;

	*u = (struct import_url){ 0 };
	u->https = url.n > 8 && span_ieq(span_of(url.p, 8), SPAN("https://"));
	if (!u->https && !(url.n > 7 && span_ieq(span_of(url.p, 7), SPAN("http://"))))
		return false;
	rest = span_from(url, u->https ? 8 : 7);
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
		n++;
	struct span authority = span_of(rest.p, n);
	const char *query = memchr(rest.p + n, '?', rest.n - n);
	if (query)
		u->query = span_of(query + 1, rest.n - (size_t)(query + 1 - rest.p));
	u->password = n > 0 && memchr(authority.p, '@', n) != NULL;
	if (n > 0 && authority.p[0] == '[') {
		const char *close = memchr(authority.p, ']', n);
		if (!close)
			return false;
		end = (size_t)(close + 1 - authority.p);
	} else {
		const char *colon = n > 0 ? memchr(authority.p, ':', n) : NULL;
		end = colon ? (size_t)(colon - authority.p) : n;
	}
	u->host = span_of(authority.p, end);
	u->port = u->https ? 443 : 80;
	if (end < n && (authority.p[end] != ':' || !text_u64(span_from(authority, end + 1), &u->port) || u->port == 0 || u->port > 65535))
		return u->password; /* said as such */
	u->literal = is_literal(u->host);
	u->local = span_ieq(u->host, SPAN("localhost")) || span_starts(u->host, SPAN("127.")) || span_eq(u->host, SPAN("[::1]"));
	return u->host.n > 0;
}
