#include "conf/conf_priv.h"
#include "wire/http_value.h"

/* What Postern connects to besides MCP servers, and the credentials it shows there. */

/* ---- url, address, tls ---- */

void conf_way_url(struct conf_reader *r, uint32_t value, struct span s, const struct conf_way *w)
{
	struct conf_url u;

	if (!conf_url(r, value, s, &u))
		return;
	*w->url = s;
	*w->host = u.authority;
	*w->path = u.target;
	w->tls->on = u.https;
	/* "address" may stand before or after: it wins. Brackets only around IPv6. */
	if (w->address->family == 0 && (!addr_read_ip(w->address, u.host, u.port) || (u.host.p[0] == '[') != (w->address->family == 6)))
		*w->address = (struct addr){ .port = u.port };
}

void conf_way_address(struct conf_reader *r, uint32_t value, struct span s, const struct conf_way *w)
{
	struct addr a;

	if (!conf_address(r, value, s, &a))
		return;
	if (a.port == 0)
		conf_complain(r, value, SPAN("found port 0; an upstream listens on a port from 1 to 65535"));
	else
		*w->address = a;
}

void conf_way_whole(struct conf_reader *r, uint32_t object, const char *url, const struct conf_way *w, struct span local)
{
	uint32_t at = conf_member(r, object, url), tls = conf_member_name(r, object, "tls");
	struct span host, port;
	struct buf *b;

	if (span_absent(*w->url))
		return; /* that has been said */
	if (w->address->family == 0 && conf_member(r, object, "address") == JSON_NONE) {
		b = conf_say(r, at);
		BUF_LIT(b, "the host of the url is a name, and names are never resolved; add where it is, such as \"address\": \"10.0.0.5:");
		buf_u64(b, w->address->port);
		BUF_LIT(b, "\"");
		conf_said(r);
	}
	if (w->tls->on && tls == JSON_NONE)
		conf_complain(r, object, SPAN("member \"tls\" is missing; an https url needs it: nobody is trusted unless a file says so, such as "
			"\"tls\": {\"ca\": \"ca.pem\"}"));
	if (!w->tls->on && tls != JSON_NONE)
		conf_complain(r, tls, SPAN("found \"tls\" with an http url; write https:// in the url, or take it out"));
	if (!w->tls->on && local.n > 0 && w->address->family != 0 && !addr_is_loopback(w->address)) {
		b = conf_say(r, at);
		conf_found(r, b, at);
		BUF_LIT(b, "; ");
		buf_put(b, local);
		BUF_LIT(b, " over an open wire: write https:// and \"tls\" (http:// is for this machine only: 127.0.0.1, [::1] or localhost)");
		conf_said(r);
	}
	if (w->tls->on && http_authority(*w->host, &host, &port) && conf_is_dns(host))
		w->tls->name = host; /* "name", read after this, wins */
}

/* ---- a key set by url ---- */

static struct conf_way peer_way(struct conf_peer *p)
{
	return (struct conf_way){ &p->url, &p->host, &p->path, &p->address, &p->tls };
}

void conf_peer_url(struct conf_reader *r, uint32_t value, struct span s, void *peer)
{
	struct conf_way w = peer_way(peer);

	conf_way_url(r, value, s, &w);
}

void conf_peer_address(struct conf_reader *r, uint32_t value, struct span s, void *peer)
{
	struct conf_way w = peer_way(peer);

	conf_way_address(r, value, s, &w);
}

void conf_peer_whole(struct conf_reader *r, uint32_t object, const char *url, struct conf_peer *peer, struct span local)
{
	struct conf_way w = peer_way(peer);

	conf_way_whole(r, object, url, &w, local);
}

static void key_set_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	(void)given;
	conf_peer_whole(r, object, "url", to, SPAN("keys that decide who is let in would come"));
}

static const struct conf_member peer_members[] = {
	{ WHOLE("url", CONF_STRING), .required = true, .most = 2048, .text = conf_peer_url },
	{ WHOLE("address", CONF_STRING), .most = 64, .text = conf_peer_address },
	{ MEMBER(conf_peer, tls, "tls", CONF_OBJECT), .form = &conf_form_tls_out },
};
const struct conf_form conf_form_peer = {
	.where = SPAN_INIT("a key set"), .members = peer_members, .nmembers = COUNT_OF(peer_members), .whole = key_set_whole
};

/* ---- credentials for an upstream ---- */

static void text_header(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span;

	if (conf_header_name(r, value, s, true))
		*to = s;
}

static void walk_scheme(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_credential *d = to;
	struct span s;

	d->scheme = SPAN("");
	if (json_is(&r->json, value, SPAN("")) || !conf_text(r, value, SPAN("a word such as \"Bearer\", or \"\" for none"), 64, &s))
		return;
	if (http_token_ok(s))
		d->scheme = s;
	else
		conf_wrong(r, value, SPAN("a scheme is one word, such as \"Bearer\", or \"\" for none"));
}

void conf_text_client_id(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~') {
			conf_wrong(r, value, SPAN("a client id is made of printable ASCII characters (RFC 6749 appendix A.1)"));
			return;
		}
	*to = s;
}

static void text_scope(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span;

	for (size_t i = 0, from = 0; i <= s.n; i++)
		if (i == s.n || s.p[i] == ' ') {
			if (!conf_scope_ok(span_of(s.p + from, i - from))) {
				conf_wrong(r, value, SPAN("scopes stand in one string, one space between two, such as \"mcp:read mcp:write\" (RFC 6749 3.3)"));
				return;
			}
			from = i + 1;
		}
	*to = s;
}

static void text_grant(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	static const char *const word[] = { "client_credentials", "token_exchange" };
	struct conf_credential *d = to;
	int i = conf_choice(r, value, s, word, 2, SPAN("a grant is \"client_credentials\" (Postern's own) or \"token_exchange\" (in the caller's name)"));

	d->kind = i == 1 ? CONF_EXCHANGE : CONF_CLIENT_CREDENTIALS;
}

static void token_url(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct conf_credential *d = to;

	conf_peer_url(r, value, s, &d->token);
}

static void token_address(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct conf_credential *d = to;

	conf_peer_address(r, value, s, &d->token);
}

static void credential_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given);

/* "kinds" tells the two ways apart. */
enum { STATIC = 1 << 4, TOKEN = 1 << 5 };

static const struct conf_member credential_members[] = {
	{ MEMBER(conf_credential, secret, "secret", CONF_SECRET_REF), .kinds = STATIC },
	{ MEMBER(conf_credential, header, "header", CONF_STRING), .most = 64, .text = text_header, .kinds = STATIC },
	{ WHOLE("scheme", CONF_ANY), .walk = walk_scheme, .kinds = STATIC },
	{ WHOLE("token_url", CONF_STRING), .most = 2048, .text = token_url, .kinds = TOKEN },
	{ WHOLE("address", CONF_STRING), .most = 64, .text = token_address, .kinds = TOKEN },
	{ MEMBER(conf_credential, token.tls, "tls", CONF_OBJECT), .form = &conf_form_tls_out, .kinds = TOKEN },
	{ MEMBER(conf_credential, client_id, "client_id", CONF_STRING), .most = 256, .text = conf_text_client_id, .kinds = TOKEN },
	{ MEMBER(conf_credential, secret, "client_secret", CONF_SECRET_REF), .kinds = TOKEN },
	{ MEMBER(conf_credential, scope, "scope", CONF_STRING), .most = 1024, .text = text_scope, .kinds = TOKEN },
	{ MEMBER(conf_credential, resource, "resource", CONF_STRING), .most = 2048, .text = conf_text_uri, .kinds = TOKEN },
	{ MEMBER(conf_credential, audience, "audience", CONF_STRING), .most = 2048, .text = conf_text_any, .kinds = TOKEN },
	{ WHOLE("grant", CONF_STRING), .most = 64, .text = text_grant, .kinds = TOKEN },
};
const struct conf_form conf_form_credential = {
	.where = SPAN_INIT("credentials of a server"), .members = credential_members, .nmembers = COUNT_OF(credential_members),
	.whole = credential_whole
};

static void need(struct conf_reader *r, uint32_t object, uint32_t given, const char *name, struct span why)
{
	struct buf *b;

	if (conf_given(&conf_form_credential, given, name))
		return;
	b = conf_say(r, object);
	BUF_LIT(b, "member \"");
	buf_put(b, span_z(name));
	BUF_LIT(b, "\" is missing; ");
	buf_put(b, why);
	conf_said(r);
}

static void credential_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	struct conf_credential *d = to;
	bool secret = conf_given(&conf_form_credential, given, "secret"), token = conf_given(&conf_form_credential, given, "token_url");

	if (secret == token) {
		conf_complain(r, object, secret
			? SPAN("found both \"secret\" and \"token_url\"; a credential stands in a file or is asked for, one of the two")
			: SPAN("found neither \"secret\" nor \"token_url\"; write \"secret\": {\"file\": \"/run/secrets/name\"} or a \"token_url\""));
		return;
	}
	for (unsigned i = 0; i < COUNT_OF(credential_members); i++) {
		const struct conf_member *m = &credential_members[i];
		struct buf *b;

		if ((given >> i & 1) == 0 || (m->kinds & (secret ? STATIC : TOKEN)) != 0)
			continue;
		b = conf_say(r, json_get(&r->json, object, m->name) - 1);
		BUF_LIT(b, "\"");
		buf_put(b, m->name);
		buf_put(b, secret ? SPAN("\" belongs to credentials with a \"token_url\"; this one is a secret") : SPAN("\" belongs to a \"secret\"; this one "
			"is asked for at \"token_url\""));
		conf_said(r);
	}
	if (secret) {
		d->kind = CONF_SECRET;
		if (span_absent(d->header))
			d->header = SPAN("Authorization");
		if (span_absent(d->scheme))
			d->scheme = span_ieq(d->header, SPAN("Authorization")) ? SPAN("Bearer") : SPAN("");
		return;
	}
	if (d->kind == CONF_NO_CREDENTIAL)
		d->kind = CONF_CLIENT_CREDENTIALS;
	need(r, object, given, "client_id", SPAN("the token endpoint knows Postern by it"));
	need(r, object, given, "client_secret", SPAN("it names the file with the client's secret, such as {\"file\": \"/run/secrets/name\"}"));
	conf_peer_whole(r, object, "token_url", &d->token, SPAN("the client's secret and the tokens would pass"));
}
