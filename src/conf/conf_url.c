#include "base/text.h"
#include "conf/conf_priv.h"
#include "wire/http_value.h"

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

bool conf_url(struct conf_reader *r, uint32_t value, struct span s, struct conf_url *u)
{
	struct span rest, port;
	uint64_t number;
	size_t end = 0;

	*u = (struct conf_url){ .https = span_starts(s, SPAN("https://")) };
	number = u->https ? 443 : 80;
	if (has_user(s)) {
		/* Not shown: it may be a password. */
		conf_complain(r, value, SPAN("found a user name in the url; credentials never stand in this file: take out the part up to @"));
		return false;
	}
	if (!u->https && !span_starts(s, SPAN("http://"))) {
		conf_wrong(r, value, SPAN("a url begins with https:// or http://, such as \"http://127.0.0.1:3000/mcp\""));
		return false;
	}
	rest = span_from(s, u->https ? 8 : 7);
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	u->target = span_from(rest, end);
	rest.n = end;
	if (!http_authority(rest, &u->host, &port) || u->host.n > 253
		|| (!span_absent(port) && (!text_u64(port, &number) || number == 0 || number > 65535))) {
		conf_wrong(r, value, SPAN("after :// comes a host and, after a colon, a port from 1 to 65535"));
		return false;
	}
	if (memchr(u->target.p, '#', u->target.n) != NULL || http_encoded_end(u->target, HTTP_C_TARGET) != u->target.n) {
		conf_wrong(r, value, SPAN("the path and query may hold only the characters that RFC 3986 allows there, others as %XX, and no fragment"));
		return false;
	}
	if (u->target.n > 0 && u->target.p[0] == '?') {
		conf_wrong(r, value, SPAN("a path stands before the query: put a / before the ?"));
		return false;
	}
	if (u->target.n == 0)
		u->target = SPAN("/");
	u->authority = rest;
	u->has_port = !span_absent(port);
	u->port = (uint16_t)number;
	return true;
}

static bool is_loopback(const struct conf_url *u)
{
	struct addr a;

	return addr_read_ip(&a, u->host, 0) && addr_is_loopback(&a);
}

static struct span identifier_fault(struct span s, const struct conf_url *u)
{
	if (memchr(s.p, '?', s.n) != NULL)
		return SPAN("it has no query");
	if (!u->https && !is_loopback(u))
		return SPAN("it begins with https:// (http:// is for this machine only: 127.0.0.1, [::1] or localhost)");
	if (!conf_is_host(u->host))
		return SPAN("after :// comes a host and perhaps a port");
	return SPAN("");
}

void conf_text_issuer(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span, why;
	struct conf_url u;
	struct buf *b;

	if (!conf_url(r, value, s, &u))
		return;
	why = identifier_fault(s, &u);
	if (why.n == 0) {
		*to = s;
		return;
	}
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; an issuer is written exactly as its tokens have it in iss, such as \"https://idp.example\": ");
	buf_put(b, why);
	conf_said(r);
}

void conf_text_resource(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span, why;
	struct conf_url u;
	struct buf *b;

	if (!conf_url(r, value, s, &u))
		return;
	why = identifier_fault(s, &u);
	for (size_t i = 0; i < u.host.n && why.n == 0; i++)
		if (u.host.p[i] != span_lower(u.host.p[i]))
			why = SPAN("the host is in lower case");
	if (why.n == 0 && u.has_port && u.port == (u.https ? 443 : 80))
		why = SPAN("the default port is left out");
	if (why.n == 0 && u.authority.p[u.authority.n - 1] == ':')
		why = SPAN("no colon without a port");
	if (why.n == 0) {
		*to = s;
		return;
	}
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; tokens are compared with this URI byte for byte, so it has one form, such as \"https://gw.example:8443/mcp\": ");
	buf_put(b, why);
	conf_said(r);
}

/* scheme ":" and something of the characters of RFC 3986, no fragment. */
static bool uri(struct span s, struct span *rest)
{
	const char *colon = memchr(s.p, ':', s.n);
	size_t scheme = colon == NULL ? 0 : (size_t)(colon - s.p);
	char first = span_lower(s.p[0]);

	if (scheme == 0 || first < 'a' || first > 'z')
		return false;
	for (size_t i = 0; i < scheme; i++) {
		char c = span_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !http_is_digit(c) && c != '+' && c != '-' && c != '.')
			return false;
	}
	*rest = span_from(s, scheme + 1);
	return rest->n > 0 && http_encoded_end(*rest, HTTP_C_TARGET) == rest->n;
}

void conf_text_uri(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span, rest;

	if (has_user(s))
		conf_complain(r, value, SPAN("found a user name in the url; credentials never stand in this file: take out the part up to @"));
	else if (uri(s, &rest))
		*to = s;
	else
		conf_wrong(r, value, SPAN("this is an absolute URI without a fragment, such as \"https://api.example/mcp\""));
}

void conf_text_san(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span, rest;

	if (conf_is_dns(s) || (uri(s, &rest) && span_starts(rest, SPAN("//")) && rest.n > 2))
		*to = s;
	else
		conf_wrong(r, value, SPAN("a client is known by a subjectAltName of its certificate, a URI such as \"spiffe://acme/agent\" or a DNS name "
			"such as \"agent.acme.example\": no *"));
}
