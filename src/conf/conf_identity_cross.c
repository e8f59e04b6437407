#include "conf/conf_priv.h"

/* What identity says together with itself, with the listeners and with the servers. */

/* An element of a list in identity, by its number. */
static uint32_t element(struct conf_reader *r, const char *list, unsigned number)
{
	uint32_t at = conf_member(r, conf_member(r, JSON_ROOT, "identity"), list), e = json_first(&r->json, at);

	for (unsigned i = 0; i < number; i++)
		e = json_next(&r->json, at, e);
	return e;
}

static void twice(struct conf_reader *r, const char *list, unsigned number, const char *member, unsigned first)
{
	struct buf *b = conf_say(r, conf_member(r, element(r, list, number), member));

	BUF_LIT(b, "this stands in /identity/");
	buf_put(b, span_z(list));
	buf_char(b, '/');
	buf_u64(b, first);
	BUF_LIT(b, " already; each may stand once");
	conf_said(r);
}

static void doubles(struct conf_reader *r)
{
	static const uint8_t none[32];
	const struct conf *c = r->c;

	for (unsigned i = 0; i < c->identity.nissuers; i++)
		for (unsigned k = 0; k < i; k++)
			if (!span_absent(c->identity.issuers[i].auth.issuer) && span_eq(c->identity.issuers[i].auth.issuer, c->identity.issuers[k].auth.issuer)) {
				twice(r, "issuers", i, "issuer", k);
				break;
			}
	for (unsigned i = 0; i < c->identity.nkeys; i++) {
		const struct auth_key *a = &c->identity.keys[i];
		bool id = !span_absent(a->id), hash = memcmp(a->sha256, none, sizeof none) != 0;

		for (unsigned k = 0; k < i; k++) {
			if (id && span_eq(a->id, c->identity.keys[k].id)) {
				twice(r, "keys", i, "id", k);
				id = false;
			}
			if (hash && memcmp(a->sha256, c->identity.keys[k].sha256, sizeof none) == 0) {
				twice(r, "keys", i, "sha256", k);
				hash = false;
			}
		}
	}
	for (unsigned i = 0; i < c->identity.ncertificates; i++)
		for (unsigned k = 0; k < i; k++) {
			struct span a = c->identity.certificates[i].san, b = c->identity.certificates[k].san;

			if (!span_absent(a) && (conf_is_dns(a) ? span_ieq(a, b) : span_eq(a, b))) {
				twice(r, "certificates", i, "san", k);
				break;
			}
		}
}

static bool asks_clients(const struct conf *c)
{
	bool asks = false;

	for (unsigned i = 0; i < c->nlisteners; i++)
		asks = asks || !span_absent(c->listeners[i].tls.client_ca.path);
	return asks;
}

static void anonymous(struct conf_reader *r, uint32_t identity)
{
	const struct conf *c = r->c;

	for (unsigned i = 0; i < c->nlisteners; i++)
		if (c->identity.anonymous && c->listeners[i].address.family != 0 && !addr_is_loopback(&c->listeners[i].address)) {
			struct buf *b = conf_say(r, conf_member_name(r, identity, "anonymous"));

			BUF_LIT(b, "other machines reach /listeners/");
			buf_u64(b, i);
			BUF_LIT(b, ", and anybody there would be this caller; anonymous is for loopback only: take it out and write \"keys\" (\"postern key new\" "
				"makes one), \"certificates\" or \"issuers\"");
			conf_said(r);
			return;
		}
}

void conf_cross_identity(struct conf_reader *r)
{
	const struct conf *c = r->c;
	uint32_t identity = conf_member(r, JSON_ROOT, "identity"), servers = conf_member(r, JSON_ROOT, "mcpServers");
	uint32_t bound = conf_member_name(r, identity, "certificate_bound_tokens"), e;

	if (json_type(&r->json, identity) != JSON_OBJECT)
		return;
	doubles(r);
	anonymous(r, identity);
	if (c->identity.nissuers > 0 && conf_member(r, identity, "resource") == JSON_NONE)
		conf_complain(r, identity, SPAN("member \"resource\" is missing; with issuers it says which tokens are meant for Postern (their aud), such as "
			"\"resource\": \"https://gw.example:8443/mcp\""));
	if (c->identity.nissuers == 0 && c->identity.dpop != AUTH_DPOP_OFF)
		conf_complain(r, conf_member_name(r, identity, "dpop"), SPAN("DPoP binds tokens, and there is no issuer of any; take it out"));
	if (c->identity.nissuers == 0 && c->identity.certificate_bound)
		conf_complain(r, bound, SPAN("there is no issuer of tokens that could be bound; take it out"));
	else if (c->identity.certificate_bound && !asks_clients(c))
		conf_complain(r, bound, SPAN("no listener asks for a client certificate; add \"client_ca\" to its \"tls\""));
	if (c->identity.ncertificates > 0 && !asks_clients(c))
		conf_complain(r, conf_member_name(r, identity, "certificates"), SPAN("no listener asks for a client certificate; add \"client_ca\" to its \"tls\""));
	e = c->nservers > 0 ? json_first(&r->json, servers) : JSON_NONE;
	for (unsigned i = 0; i < c->nservers; i++, e = json_next(&r->json, servers, e)) {
		const struct conf_server *v = &c->servers[i];
		uint32_t object = json_value(&r->json, e);

		if (v->credential.kind == CONF_EXCHANGE && c->identity.nissuers == 0)
			conf_complain(r, conf_member(r, conf_member(r, object, "credentials"), "grant"),
				SPAN("found \"token_exchange\" without an issuer; what is exchanged is the caller's own token, and nobody has one"));
		for (unsigned k = 0; k < v->nheaders; k++)
			if (v->credential.kind == CONF_SECRET && span_ieq(v->headers[k].name, v->credential.header))
				conf_complain(r, json_get(&r->json, conf_member(r, object, "headers"), v->headers[k].name) - 1,
					SPAN("\"credentials\" writes this header; take one of the two out"));
	}
}
