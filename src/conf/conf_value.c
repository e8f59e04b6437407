#include "base/text.h"
#include "conf/conf_priv.h"
#include "wire/http_value.h"

/* ---- numbers with units ---- */

struct unit { const char *name; uint64_t factor; };

/* Digits, then exactly one of the units; no sign, space, fraction or overflow. */
static bool with_unit(struct span s, const struct unit *unit, size_t nunits, uint64_t *v)
{
	size_t digits = 0;
	uint64_t n;

	while (digits < s.n && http_is_digit(s.p[digits]))
		digits++;
	if (!text_u64(span_of(s.p, digits), &n) || (digits > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < nunits; i++)
		if (span_eq(span_from(s, digits), span_z(unit[i].name))) {
			if (n > (uint64_t)INT64_MAX / unit[i].factor)
				return false;
			*v = n * unit[i].factor;
			return true;
		}
	return false;
}

bool conf_duration(struct span s, int64_t *ms)
{
	static const struct unit unit[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	uint64_t v;

	if (!with_unit(s, unit, sizeof unit / sizeof unit[0], &v))
		return false;
	*ms = (int64_t)v;
	return true;
}

bool conf_size(struct span s, uint64_t *bytes)
{
	static const struct unit unit[] = { { "k", 1024 }, { "m", 1024 * 1024 }, { "g", 1024 * 1024 * 1024 } };

	return with_unit(s, unit, sizeof unit / sizeof unit[0], bytes);
}

/* ---- names ---- */

static bool is_alnum(char c)
{
	char l = span_lower(c);

	return (l >= 'a' && l <= 'z') || http_is_digit(c);
}

void conf_server_name(struct conf_reader *r, uint32_t name, struct span s)
{
	struct span why = SPAN("");

	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
			why = SPAN("it may hold only letters A-Z a-z, digits, - and _");
		if (i > 0 && s.p[i] == '_' && s.p[i - 1] == '_')
			why = SPAN("it may not hold __, which parts server and tool in server__tool");
	}
	if (s.n == 0 || s.n > 32)
		why = SPAN("it must have 1 to 32 characters");
	else if (why.n == 0 && s.p[s.n - 1] == '_')
		why = SPAN("it may not end with _, or nobody could tell where the name ends in server__tool");
	if (why.n > 0) {
		struct buf *b = conf_say(r, name);

		BUF_LIT(b, "a server cannot have this name; ");
		buf_put(b, why);
		conf_said(r);
	}
}

/* ---- addresses ---- */

/* Reads "IP:port". */
static bool address(struct conf_reader *r, uint32_t value, struct span s, struct addr *a)
{
	struct buf *b;

	if (addr_read(a, s))
		return true;
	*a = (struct addr){ 0 };
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; an address is an IP and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\" (names are never resolved; localhost is 127.0.0.1)");
	conf_said(r);
	return false;
}

void conf_text_listen(struct conf_reader *r, uint32_t value, struct span s, void *listener)
{
	struct conf_listener *l = listener;

	if (address(r, value, s, &l->address))
		l->address_text = s;
}

void conf_text_admin(struct conf_reader *r, uint32_t value, struct span s, void *conf)
{
	struct conf *c = conf;

	if (address(r, value, s, &c->admin))
		c->admin_text = s;
}

void conf_text_upstream(struct conf_reader *r, uint32_t value, struct span s, void *server)
{
	struct conf_server *v = server;
	struct addr a;

	if (!address(r, value, s, &a))
		return;
	if (a.port == 0)
		conf_complain(r, value, SPAN("found port 0; an upstream listens on a port from 1 to 65535"));
	else
		v->address = a;
}

/* ---- paths and URLs ---- */

void conf_text_path(struct conf_reader *r, uint32_t value, struct span s, void *path)
{
	struct span *to = path;
	struct buf *b;
	bool right = s.p[0] == '/' && http_encoded_end(s, HTTP_C_TARGET) == s.n && memchr(s.p, '?', s.n) == NULL;

	/* What some client or proxy would rewrite before it gets here must not be the name of this door. */
	for (size_t i = 0; right && i < s.n; i++)
		if (s.p[i] == '/' && i + 1 < s.n) {
			struct span rest = span_from(s, i + 1);

			right = rest.p[0] != '/' && !span_eq(rest, SPAN(".")) && !span_eq(rest, SPAN("..")) && !span_starts(rest, SPAN("./"))
				&& !span_starts(rest, SPAN("../"));
		}
	if (right) {
		*to = s;
		return;
	}
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; a path begins with /, such as \"/mcp\", and has no query, no fragment, no empty and no dot segment");
	conf_said(r);
}

static void bad_url(struct conf_reader *r, uint32_t value, struct span why)
{
	struct buf *b = conf_say(r, value);

	conf_found(r, b, value);
	BUF_LIT(b, "; ");
	buf_put(b, why);
	conf_said(r);
}

static bool has_user(struct span url)
{
	bool authority = false;

	for (size_t i = 0; i < url.n; i++) {
		if (span_starts(span_from(url, i), SPAN("://")) && !authority) {
			authority = true;
			i += 2;
		} else if (authority && (url.p[i] == '/' || url.p[i] == '?' || url.p[i] == '#')) {
			return false;
		} else if (authority && url.p[i] == '@') {
			return true;
		}
	}
	return false;
}

void conf_text_url(struct conf_reader *r, uint32_t value, struct span s, void *server)
{
	struct conf_server *v = server;
	struct span rest, host, port, target;
	uint64_t number = 80;
	size_t end = 0;

	if (has_user(s)) {
		/* Not shown: it may be a password. */
		conf_complain(r, value, SPAN("found a user name in the url; credentials never stand in this file: take out the part up to @"));
		return;
	}
	if (s.n >= 8 && span_ieq(span_of(s.p, 8), SPAN("https://"))) {
		bad_url(r, value, SPAN("TLS to upstreams is not in this version of Postern: write an http:// address, and let a trusted "
			"hop next to it speak TLS if the way is long"));
		return;
	}
	if (!span_starts(s, SPAN("http://"))) {
		bad_url(r, value, SPAN("a url begins with http://, such as \"http://127.0.0.1:3000/mcp\""));
		return;
	}
	rest = span_from(s, 7);
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	target = span_from(rest, end);
	rest.n = end;
	if (!http_authority(rest, &host, &port) || host.n > 253 || (!span_absent(port) && (!text_u64(port, &number) || number == 0 || number > 65535))) {
		bad_url(r, value, SPAN("after http:// comes a host and, after a colon, a port from 1 to 65535"));
		return;
	}
	if (memchr(target.p, '#', target.n) != NULL || http_encoded_end(target, HTTP_C_TARGET) != target.n) {
		bad_url(r, value, SPAN("the path and query may hold only the characters that RFC 3986 allows there, others as %XX, and no fragment"));
		return;
	}
	v->url = s;
	v->host = rest;
	if (target.n == 0)
		target = SPAN("/");
	else if (target.p[0] == '?') {
		bad_url(r, value, SPAN("a path stands before the query: put a / before the ?"));
		target = SPAN("/");
	}
	v->path = target;
	/* "address" may stand before or after: it wins. Brackets only around IPv6. */
	if (v->address.family == 0 && (!addr_read_ip(&v->address, host, (uint16_t)number) || (host.p[0] == '[') != (v->address.family == 6)))
		v->address = (struct addr){ .port = (uint16_t)number };
}

/* ---- Host and Origin ---- */

/* A DNS name or an IPv4 literal: labels of letters, digits and inner hyphens (RFC 1123 2.1; _ is seen in practice). */
static bool is_host(struct span h)
{
	struct addr a;
	size_t label = 0;

	if (h.n > 0 && h.p[0] == '[')
		return h.p[h.n - 1] == ']' && addr_read_ip(&a, h, 0);
	if (h.n == 0 || h.n > 253)
		return false;
	for (size_t i = 0; i <= h.n; i++) {
		if (i < h.n && h.p[i] != '.') {
			if (!is_alnum(h.p[i]) && h.p[i] != '_' && (h.p[i] != '-' || label == 0))
				return false;
			label++;
			continue;
		}
		if (label == 0 || label > 63 || h.p[i - 1] == '-')
			return false;
		label = 0;
	}
	return true;
}

static bool is_port(struct span port)
{
	uint64_t v;

	return span_absent(port) || (text_u64(port, &v) && port.p[0] != '0' && v <= 65535);
}

bool conf_host(struct conf_reader *r, uint32_t value, struct span s)
{
	struct span host, port;
	struct buf *b;

	if (http_authority(s, &host, &port) && is_host(host) && is_port(port))
		return true;
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; a host is a name or IP with or without a port, such as \"gw.example\" or \"gw.example:8443\": no http://, no path, no *");
	conf_said(r);
	return false;
}

bool conf_origin(struct conf_reader *r, uint32_t value, struct span s)
{
	struct span why = SPAN(""), rest, host, port;
	const char *colon = memchr(s.p, ':', s.n);
	size_t scheme = colon == NULL ? 0 : (size_t)(colon - s.p);
	struct buf *b;

	if (span_eq(s, SPAN("null")))
		why = SPAN("null is the origin of every sandboxed page: it cannot be told from a foreign one");
	else if (scheme == 0 || !span_starts(span_from(s, scheme), SPAN("://")))
		why = SPAN("an origin is a scheme, :// and a host, such as \"https://app.example\"");
	if (why.n == 0) {
		rest = span_from(s, scheme + 3);
		for (size_t i = 0; i < s.n; i++)
			if (s.p[i] >= 'A' && s.p[i] <= 'Z')
				why = SPAN("browsers send origins in lower case; write it so");
		for (size_t i = 0; i < scheme; i++)
			if (!is_alnum(s.p[i]) && (i == 0 || (s.p[i] != '+' && s.p[i] != '-' && s.p[i] != '.')))
				why = SPAN("a scheme is made of letters and digits, such as https");
		if (http_is_digit(s.p[0]))
			why = SPAN("a scheme begins with a letter, such as https");
		if (rest.n > 0 && memchr(rest.p, '/', rest.n) != NULL)
			why = SPAN("an origin has no path, not even the / at the end");
		else if (!http_authority(rest, &host, &port) || !is_host(host) || !is_port(port))
			why = SPAN("after :// comes a host and perhaps a port, such as \"https://app.example:8443\": no user, no *");
		else if ((span_starts(s, SPAN("http://")) && span_eq(port, SPAN("80"))) || (span_starts(s, SPAN("https://")) && span_eq(port, SPAN("443"))))
			why = SPAN("browsers leave the default port out; write it without");
	}
	if (why.n == 0)
		return true;
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; ");
	buf_put(b, why);
	conf_said(r);
	return false;
}

/* ---- fixed fields of an upstream ---- */

enum refusal { SECRET, FRAMING, OURS };

/* Names that end with '*' stand for all that begin so. */
static const struct { const char *name; enum refusal why; } refused[] = {
	{ "authorization", SECRET }, { "proxy-authorization", SECRET }, { "cookie", SECRET }, { "cookie2", SECRET }, { "set-cookie", SECRET },
	{ "x-api-key", SECRET }, { "api-key", SECRET }, { "x-auth-token", SECRET },
	{ "host", FRAMING }, { "content-*", FRAMING }, { "transfer-*", FRAMING }, { "te", FRAMING }, { "trailer", FRAMING },
	{ "connection", FRAMING }, { "keep-alive", FRAMING }, { "proxy-*", FRAMING }, { "upgrade", FRAMING }, { "expect", FRAMING },
	{ "mcp-*", OURS }, { "accept", OURS }, { "accept-*", OURS }, { "origin", OURS }, { "last-event-id", OURS }
};

bool conf_header_name(struct conf_reader *r, uint32_t name, struct span s)
{
	if (!http_token_ok(s) || s.n > 64) {
		conf_complain(r, name, SPAN("this is not a header name; one has 1 to 64 letters, digits and hyphens, such as \"X-Team\""));
		return false;
	}
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct span n = span_z(refused[i].name);
		bool prefix = n.p[n.n - 1] == '*';

		n.n -= prefix ? 1 : 0;
		if (s.n < n.n || !span_ieq(span_of(s.p, n.n), n) || (s.n > n.n && !prefix))
			continue;
		switch (refused[i].why) {
		case SECRET:
			conf_complain(r, name, SPAN("this header carries a credential, and credentials never stand in this file (it gets copied, "
				"shown and kept); credentials for upstreams are not in this version of Postern"));
			return false;
		case FRAMING:
			conf_complain(r, name, SPAN("this header belongs to the connection or the body, which Postern writes itself; take it out"));
			return false;
		case OURS:
			conf_complain(r, name, SPAN("Postern writes this header itself for every request; take it out"));
			return false;
		}
	}
	return true;
}

bool conf_header_value(struct conf_reader *r, uint32_t value, struct span s)
{
	bool right = s.n <= 1024 && span_trim(s).n == s.n;

	for (size_t i = 0; i < s.n; i++)
		right = right && s.p[i] >= ' ' && s.p[i] <= '~';
	if (!right)
		conf_complain(r, value, SPAN("a header value has at most 1024 printable ASCII characters and no space at either end"));
	return right;
}
