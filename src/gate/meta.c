#include "gate/meta.h"

enum { MEMBERS_MAX = 32 /* of a tracestate (W3C 3.3.1.1) */, PAIRS_MAX = 180 /* of a baggage */ };

#define WAY(x) (1u << (x))
#define KEY(text, ways) { { text, sizeof(text) - 1 }, ways }

static const struct { struct span name; unsigned ways; } known[] = {
	KEY(MCP_META_VERSION, WAY(META_REQUEST)),
	KEY(MCP_META_CAPABILITIES, WAY(META_REQUEST)),
	KEY(MCP_META_CLIENT, WAY(META_REQUEST)),
	KEY(MCP_META_LOG_LEVEL, WAY(META_REQUEST)),
	KEY("progressToken", WAY(META_REQUEST)),
	KEY(MCP_META_SERVER, WAY(META_RESULT)),
	KEY(MCP_META_SUBSCRIPTION, WAY(META_RESULT)),
	/* MCP Apps: which resource shows a tool's results, and how; the older flat form too. */
	KEY("ui", WAY(META_RESULT) | WAY(META_PART)),
	KEY("ui/resourceUri", WAY(META_PART)),
};

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alnum(char c) { return is_lower(span_lower(c)) || is_digit(c); }

/* ---- trace context ---- */

/* n lower-case hexadecimal digits, and not all 0 where that says "none". */
static bool hex(struct span s, size_t at, size_t n, bool may_be_zero)
{
	bool zero = true;

	for (size_t i = at; i < at + n; i++) {
		if (!is_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
		zero = zero && s.p[i] == '0';
	}
	return may_be_zero || !zero;
}

bool meta_traceparent_ok(struct span s)
{
	enum { WHOLE = 55 };

	if (s.n < WHOLE || s.n > META_TRACE_MAX || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-')
		return false;
	if (!hex(s, 0, 2, true) || !hex(s, 3, 32, false) || !hex(s, 36, 16, false) || !hex(s, 53, 2, true))
		return false;
	if (s.p[0] == 'f' && s.p[1] == 'f')
		return false;
	if (s.p[0] == '0' && s.p[1] == '0')
		return s.n == WHOLE;
	if (s.n == WHOLE)
		return true;
	for (size_t i = WHOLE + 1; i < s.n; i++) /* of a later version: more, parted by a dash */
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.p[WHOLE] == '-';
}

/* The next list member of `rest`, without white space around it. False: there was none left. */
static bool next(struct span *rest, struct span *member)
{
	const char *comma;

	if (span_absent(*rest))
		return false;
	comma = rest->n > 0 ? memchr(rest->p, ',', rest->n) : NULL;
	*member = span_trim(comma ? span_of(rest->p, (size_t)(comma - rest->p)) : *rest);
	*rest = comma ? span_of(comma + 1, rest->n - (size_t)(comma + 1 - rest->p)) : span_of(NULL, 0);
	return true;
}

static bool state_key_char(char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '*' || c == '/'; }

/* simple: a letter and up to 255 more; or up to 241 for a tenant, "@", and up to 14 for its system. */
static bool state_key_ok(struct span key)
{
	const char *at = key.n > 0 ? memchr(key.p, '@', key.n) : NULL;
	struct span first = at ? span_of(key.p, (size_t)(at - key.p)) : key, system = at ? span_from(key, first.n + 1) : SPAN("a");

	if (first.n == 0 || first.n > (at ? 241 : 256) || system.n == 0 || system.n > 14 || !is_lower(system.p[0]))
		return false;
	if (!is_lower(first.p[0]) && !(at && is_digit(first.p[0])))
		return false;
	for (size_t i = 0; i < first.n; i++)
		if (!state_key_char(first.p[i]))
			return false;
	for (size_t i = 0; i < system.n; i++)
		if (!state_key_char(system.p[i]))
			return false;
	return true;
}

bool meta_tracestate_ok(struct span s)
{
	struct span rest = s, member;
	unsigned n = 0;

	if (s.n == 0 || s.n > META_TRACE_MAX)
		return false;
	while (next(&rest, &member)) {
		const char *equals = member.n > 0 ? memchr(member.p, '=', member.n) : NULL;

		if (member.n == 0)
			continue; /* empty members are allowed, for lists that were put together carelessly */
		if (!equals || ++n > MEMBERS_MAX || !state_key_ok(span_of(member.p, (size_t)(equals - member.p))))
			return false;
		struct span value = span_from(member, (size_t)(equals + 1 - member.p));
		if (value.n == 0 || value.n > 256)
			return false;
		for (size_t i = 0; i < value.n; i++)
			if (value.p[i] < ' ' || value.p[i] > '~' || value.p[i] == '=')
				return false;
	}
	return n > 0;
}

static bool is_token_char(char c) { return is_alnum(c) || (c > ' ' && c < 127 && memchr("!#$%&'*+-.^_`|~", c, 15) != NULL); }

static bool baggage_value_ok(struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~' || v.p[i] == '"' || v.p[i] == ',' || v.p[i] == ';' || v.p[i] == '\\')
			return false;
	return true;
}

/* key = value, or for a property perhaps a key alone. */
static bool baggage_pair_ok(struct span pair, bool property)
{
	const char *equals = pair.n > 0 ? memchr(pair.p, '=', pair.n) : NULL;
	struct span key = span_trim(equals ? span_of(pair.p, (size_t)(equals - pair.p)) : pair);

	if (key.n == 0 || (!equals && !property))
		return false;
	for (size_t i = 0; i < key.n; i++)
		if (!is_token_char(key.p[i]))
			return false;
	return !equals || baggage_value_ok(span_trim(span_from(pair, (size_t)(equals + 1 - pair.p))));
}

bool meta_baggage_ok(struct span s)
{
	struct span rest = s, member;
	unsigned n = 0;

	if (s.n == 0 || s.n > META_BAGGAGE_MAX)
		return false;
	while (next(&rest, &member)) {
		bool property = false;

		if (++n > PAIRS_MAX)
			return false;
		for (const char *semicolon; (semicolon = member.n > 0 ? memchr(member.p, ';', member.n) : NULL) != NULL; property = true) {
			if (!baggage_pair_ok(span_of(member.p, (size_t)(semicolon - member.p)), property))
				return false;
			member = span_from(member, (size_t)(semicolon + 1 - member.p));
		}
		if (!baggage_pair_ok(member, property))
			return false;
	}
	return true;
}

/* ---- which member passes ---- */

/* Escapes in it would have to be undone; these three are ASCII, and who writes them in another way can do without them. */
static bool is_plain(struct span s) { return s.n == 0 || memchr(s.p, '\\', s.n) == NULL; }

static bool trace_passes(const struct json *j, uint32_t meta, struct span key, uint32_t value)
{
	struct span text = json_inner(j, value);

	if (json_type(j, value) != JSON_STRING || !is_plain(text))
		return false;
	if (span_eq(key, SPAN("traceparent")))
		return meta_traceparent_ok(text);
	if (span_eq(key, SPAN("baggage")))
		return meta_baggage_ok(text);
	uint32_t parent = json_get(j, meta, SPAN("traceparent"));
	return json_type(j, parent) == JSON_STRING && is_plain(json_inner(j, parent)) && meta_traceparent_ok(json_inner(j, parent)) &&
		meta_tracestate_ok(text);
}

static bool ruled(const struct meta_rules *rules, struct span key)
{
	for (unsigned i = 0; i < rules->n; i++) {
		struct span k = rules->keys[i];
		if (span_eq(k, key) || (k.n > 0 && k.p[k.n - 1] == '/' && key.n > k.n && span_starts(key, k)))
			return true;
	}
	return false;
}

/* As written if there are no escapes, else undone into mem; absent: it is longer than any key that passes. */
static struct span key_of(const struct json *j, uint32_t name, char mem[META_KEY_MAX])
{
	struct span key = json_inner(j, name);
	struct buf b = buf_on(mem, META_KEY_MAX);

	if (is_plain(key))
		return key;
	json_text(j, name, &b);
	return b.full ? span_of(NULL, 0) : buf_span(&b);
}

bool meta_passes(const struct json *j, uint32_t meta, uint32_t name, enum meta_way way, const struct meta_rules *rules)
{
	char mem[META_KEY_MAX];
	struct span key = key_of(j, name, mem);

	if (span_absent(key))
		return false;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (span_eq(known[i].name, key))
			return (known[i].ways & WAY(way)) != 0;
	if (way != META_PART && (span_eq(key, SPAN("traceparent")) || span_eq(key, SPAN("tracestate")) || span_eq(key, SPAN("baggage"))))
		return trace_passes(j, meta, key, json_value(j, name));
	return ruled(rules, key);
}

bool meta_extension_passes(const struct json *j, uint32_t name, const struct meta_rules *rules)
{
	char mem[META_KEY_MAX];
	struct span key = key_of(j, name, mem);

	return !span_absent(key) && (span_eq(key, SPAN(META_TASKS)) || span_eq(key, SPAN(META_UI)) || ruled(rules, key));
}

/* ---- what the configuration may name ---- */

/* A letter or digit at both ends, letters, digits and `inside` between. */
static bool label_ok(struct span s, const char *inside, bool letter_first)
{
	if (s.n == 0 || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]) || (letter_first && is_digit(s.p[0])))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && memchr(inside, s.p[i], strlen(inside)) == NULL)
			return false;
	return true;
}

/* Labels parted by dots; the second one says whose it is. */
static bool prefix_ok(struct span prefix, bool *reserved)
{
	struct span rest = prefix;

	for (unsigned n = 0; n < META_KEY_MAX; n++) {
		const char *dot = rest.n > 0 ? memchr(rest.p, '.', rest.n) : NULL;
		struct span label = dot ? span_of(rest.p, (size_t)(dot - rest.p)) : rest;

		if (!label_ok(label, "-", true))
			return false;
		*reserved = *reserved || (n == 1 && (span_ieq(label, SPAN("modelcontextprotocol")) || span_ieq(label, SPAN("mcp"))));
		if (!dot)
			return true;
		rest = span_from(rest, label.n + 1);
	}
	return false;
}

bool meta_key_ok(struct span key, struct span *why)
{
	const char *slash = key.n > 0 ? memchr(key.p, '/', key.n) : NULL;
	struct span prefix = slash ? span_of(key.p, (size_t)(slash - key.p)) : SPAN("a");
	struct span name = slash ? span_from(key, prefix.n + 1) : key;
	struct span rest = name.n > 1 && name.p[0] == '_' && !slash ? span_from(name, 1) : name; /* "_fastmcp": seen in the wild */
	bool reserved = false;

	if (key.n == 0 || key.n > META_KEY_MAX || !prefix_ok(prefix, &reserved) || (name.n == 0 && !slash) ||
	    (rest.n > 0 && !label_ok(rest, "-_.", false)))
		*why = SPAN("a key of _meta such as \"com.example/trace\", or a prefix such as \"com.example/\"");
	else if (slash && span_ieq(prefix, SPAN("postern")))
		*why = SPAN("members that begin with postern/ never pass: Postern's own processes use them");
	else if (reserved && name.n == 0)
		*why = SPAN("what begins so is the protocol's: what it defines passes anyway; name a single key if a server needs another one");
	else
		return true;
	return false;
}
