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

/* Empty: it is right. */
static struct span server_name_fault(struct span s)
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
	return why;
}

bool conf_server_name_ok(struct span s) { return server_name_fault(s).n == 0; }

void conf_server_name(struct conf_reader *r, uint32_t name, struct span s)
{
	struct span why = server_name_fault(s);

	if (why.n > 0) {
		struct buf *b = conf_say(r, name);

		BUF_LIT(b, "a server cannot have this name; ");
		buf_put(b, why);
		conf_said(r);
	}
}

/* ---- addresses ---- */

bool conf_address(struct conf_reader *r, uint32_t value, struct span s, struct addr *a)
{
	if (addr_read(a, s))
		return true;
	*a = (struct addr){ 0 };
	conf_wrong(r, value, SPAN("an address is an IP and a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\" (names are never resolved; "
		"localhost is 127.0.0.1)"));
	return false;
}

void conf_text_listen(struct conf_reader *r, uint32_t value, struct span s, void *listener)
{
	struct conf_listener *l = listener;

	if (conf_address(r, value, s, &l->address))
		l->address_text = s;
}

void conf_text_admin(struct conf_reader *r, uint32_t value, struct span s, void *conf)
{
	struct conf *c = conf;

	if (conf_address(r, value, s, &c->admin))
		c->admin_text = s;
}

/* ---- paths ---- */

void conf_text_path(struct conf_reader *r, uint32_t value, struct span s, void *path)
{
	struct span *to = path;
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
	conf_wrong(r, value, SPAN("a path begins with /, such as \"/mcp\", and has no query, no fragment, no empty and no dot segment"));
}

/* ---- Host and Origin ---- */

/* A DNS name or an IPv4 literal: labels of letters, digits and inner hyphens (RFC 1123 2.1; _ is seen in practice). */
bool conf_is_host(struct span h)
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

bool conf_is_dns(struct span name)
{
	struct addr a;

	return conf_is_host(name) && name.p[0] != '[' && (span_ieq(name, SPAN("localhost")) || !addr_read_ip(&a, name, 0));
}

void conf_text_dns(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span;

	if (conf_is_dns(s))
		*to = s;
	else
		conf_wrong(r, value, SPAN("this is the DNS name in the upstream's certificate, such as \"time.internal\": no IP address, no port, no *"));
}

static bool is_port(struct span port)
{
	uint64_t v;

	return span_absent(port) || (text_u64(port, &v) && port.p[0] != '0' && v <= 65535);
}

bool conf_host(struct conf_reader *r, uint32_t value, struct span s)
{
	struct span host, port;

	if (http_authority(s, &host, &port) && conf_is_host(host) && is_port(port))
		return true;
	conf_wrong(r, value, SPAN("a host is a name or IP with or without a port, such as \"gw.example\" or \"gw.example:8443\": no http://, no path, no *"));
	return false;
}

bool conf_origin(struct conf_reader *r, uint32_t value, struct span s)
{
	struct span why = SPAN(""), rest, host, port;
	const char *colon = memchr(s.p, ':', s.n);
	size_t scheme = colon == NULL ? 0 : (size_t)(colon - s.p);

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
		else if (!http_authority(rest, &host, &port) || !conf_is_host(host) || !is_port(port))
			why = SPAN("after :// comes a host and perhaps a port, such as \"https://app.example:8443\": no user, no *");
		else if ((span_starts(s, SPAN("http://")) && span_eq(port, SPAN("80"))) || (span_starts(s, SPAN("https://")) && span_eq(port, SPAN("443"))))
			why = SPAN("browsers leave the default port out; write it without");
	}
	if (why.n == 0)
		return true;
	conf_wrong(r, value, why);
	return false;
}

/* ---- words and digits ---- */

void conf_text_any(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span;

	(void)r;
	(void)value;
	*to = s;
}

void conf_text_ignored(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	(void)r;
	(void)value;
	(void)s;
	(void)to;
}

int conf_choice(struct conf_reader *r, uint32_t value, struct span s, const char *const *word, int n, struct span right)
{
	for (int i = 0; i < n; i++)
		if (span_eq(s, span_z(word[i])))
			return i;
	conf_wrong(r, value, right);
	return -1;
}

static unsigned digit(char c)
{
	char l = span_lower(c);

	return http_is_digit(c) ? (unsigned)(c - '0') : (unsigned)(l - 'a') + 10;
}

bool conf_hex(struct conf_reader *r, uint32_t value, struct span s, uint8_t to[32])
{
	bool right = s.n == 64;

	for (size_t i = 0; i < s.n && right; i++)
		right = http_is(s.p[i], HTTP_C_HEX);
	if (!right) {
		conf_wrong(r, value, SPAN("a SHA-256 is written with 64 hexadecimal digits, without colons or spaces"));
		return false;
	}
	for (size_t i = 0; i < 32; i++)
		to[i] = (uint8_t)(digit(s.p[2 * i]) << 4 | digit(s.p[2 * i + 1]));
	return true;
}
