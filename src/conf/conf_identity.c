#include "conf/conf_priv.h"

/* Who may be somebody: issuers of tokens, API keys, client certificates, anonymous callers. */

/* ---- issuers ---- */

static void walk_algorithms(struct conf_reader *r, uint32_t value, void *to)
{
	static const struct { const char *name; enum jwk_alg alg; } known[] = {
		{ "ES256", JWK_ES256 }, { "ES384", JWK_ES384 }, { "RS256", JWK_RS256 }, { "RS384", JWK_RS384 }, { "RS512", JWK_RS512 }
	};
	struct conf_issuer *i = to;

	if (json_size(&r->json, value) == 0)
		conf_complain(r, value, SPAN("found an empty list; name what the issuer signs with, such as [\"ES256\"]"));
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e)) {
		uint8_t bit = 0;

		for (size_t k = 0; k < COUNT_OF(known); k++)
			if (json_is(&r->json, e, span_z(known[k].name)))
				bit = (uint8_t)(1u << known[k].alg);
		if (bit == 0)
			conf_wrong(r, e, SPAN("an algorithm is one of \"ES256\", \"ES384\", \"RS256\", \"RS384\", \"RS512\""));
		else if ((i->auth.algs & bit) != 0)
			conf_complain(r, e, SPAN("this stands in the list already; once is enough"));
		i->auth.algs |= bit;
	}
}

static void walk_jwks(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_issuer *i = to;

	if (conf_member(r, value, "url") != JSON_NONE)
		conf_push(r, &conf_form_peer, value, &i->keys);
	else
		conf_file_ref(r, value, false, &i->jwks);
}

static const struct conf_member claims_members[] = {
	{ MEMBER(conf_issuer, auth.tenant_claim, "tenant", CONF_STRING), .most = 128, .text = conf_text_any },
	{ MEMBER(conf_issuer, auth.roles_claim, "roles", CONF_STRING), .most = 128, .text = conf_text_any },
};
const struct conf_form conf_form_claims = {
	.where = SPAN_INIT("claims"), .members = claims_members, .nmembers = COUNT_OF(claims_members)
};

static void text_typ(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	static const char *const word[] = { "at+jwt", "legacy" };
	bool legacy = conf_choice(r, value, s, word, 2, SPAN("the typ is \"at+jwt\" (RFC 9068), or \"legacy\" for issuers whose tokens say JWT or nothing")) == 1;

	memcpy(to, &legacy, sizeof legacy);
}

static void introspection_url(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct conf_issuer *i = to;

	conf_peer_url(r, value, s, &i->introspection);
}

static void introspection_address(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	struct conf_issuer *i = to;

	conf_peer_address(r, value, s, &i->introspection);
}

static void introspection_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	struct conf_issuer *i = to;

	(void)given;
	conf_peer_whole(r, object, "url", &i->introspection, SPAN("the client's secret and the callers' tokens would pass"));
}

static const struct conf_member introspection_members[] = {
	{ WHOLE("url", CONF_STRING), .required = true, .most = 2048, .text = introspection_url },
	{ WHOLE("address", CONF_STRING), .most = 64, .text = introspection_address },
	{ MEMBER(conf_issuer, introspection.tls, "tls", CONF_OBJECT), .form = &conf_form_tls_out },
	{ MEMBER(conf_issuer, client_id, "client_id", CONF_STRING), .required = true, .most = 256, .text = conf_text_client_id },
	{ MEMBER(conf_issuer, client_secret, "client_secret", CONF_SECRET_REF), .required = true },
	{ MEMBER(conf_issuer, auth.introspect_all, "always", CONF_BOOL) },
};
const struct conf_form conf_form_introspection = {
	.where = SPAN_INIT("introspection"), .members = introspection_members, .nmembers = COUNT_OF(introspection_members),
	.whole = introspection_whole
};

static void issuer_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given);

static const struct conf_member issuer_members[] = {
	{ MEMBER(conf_issuer, auth.issuer, "issuer", CONF_STRING), .required = true, .most = 1024, .text = conf_text_issuer },
	{ MEMBER(conf_issuer, auth.audience, "audience", CONF_STRING), .most = 2048, .text = conf_text_any },
	{ WHOLE("algorithms", CONF_LIST), .walk = walk_algorithms },
	{ WHOLE("jwks", CONF_ANY), .walk = walk_jwks },
	{ WHOLE("introspection", CONF_OBJECT), .form = &conf_form_introspection },
	{ WHOLE("claims", CONF_OBJECT), .form = &conf_form_claims },
	{ MEMBER(conf_issuer, auth.tenant, "tenant", CONF_STRING), .most = 256, .text = conf_text_tenant_int },
	{ MEMBER(conf_issuer, auth.roles, "roles", CONF_NAMED), .naming = CONF_ROLES },
	{ MEMBER(conf_issuer, auth.legacy_typ, "typ", CONF_STRING), .most = 32, .text = text_typ },
	{ MEMBER(conf_issuer, auth.skew_ms, "skew", CONF_DURATION), .least = 0, .most = 60 * SECOND, .def = 60 * SECOND },
	{ MEMBER(conf_issuer, auth.age_max_ms, "max_age", CONF_DURATION), .least = SECOND, .most = 720 * HOUR },
};
const struct conf_form conf_form_issuer = {
	.where = SPAN_INIT("an issuer"), .members = issuer_members, .nmembers = COUNT_OF(issuer_members), .whole = issuer_whole
};

static void issuer_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	struct conf_issuer *i = to;
	const struct conf_form *f = &conf_form_issuer;
	uint32_t claims = conf_member(r, object, "claims"), always = conf_member(r, conf_member(r, object, "introspection"), "always");
	bool jwks = conf_given(f, given, "jwks"), introspection = conf_given(f, given, "introspection");
	bool tenant = conf_given(f, given, "tenant"), claim = conf_member(r, claims, "tenant") != JSON_NONE;

	if (span_absent(i->auth.audience))
		i->auth.audience = r->c->identity.resource;
	i->auth.opaque = introspection;
	i->auth.introspect_all = introspection && !jwks;
	if (!jwks && !introspection)
		conf_complain(r, object, SPAN("found neither \"jwks\" nor \"introspection\"; write \"jwks\": {\"url\": \"https://idp.example/jwks\", \"address\": "
			"\"10.0.0.9:443\", \"tls\": {\"ca\": \"ca.pem\"}} or \"jwks\": \"keys.json\""));
	if (jwks && !conf_given(f, given, "algorithms"))
		conf_complain(r, object, SPAN("member \"algorithms\" is missing; say what the issuer signs with, such as \"algorithms\": [\"ES256\"]"));
	if (!jwks && introspection && conf_given(f, given, "algorithms"))
		conf_complain(r, conf_member_name(r, object, "algorithms"), SPAN("found \"algorithms\" without \"jwks\"; no signature is looked at here: take it out"));
	if (jwks && json_type(&r->json, always) == JSON_TRUE)
		conf_complain(r, always, SPAN("found true beside \"jwks\", which nobody would look at then; take one of the two out"));
	if (tenant && claim)
		conf_complain(r, object, SPAN("found \"tenant\" and \"claims\" with a tenant; all tokens of an issuer are of one tenant, or each says of which"));
	if (!tenant && !claim)
		conf_complain(r, object, SPAN("no token of this issuer would have a tenant; write \"tenant\": \"acme\", or \"claims\": {\"tenant\": \"tenant\"} if its "
			"tokens name one"));
}

static void walk_issuers(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n > AUTH_ISSUERS_MAX) {
		conf_wrong_number(r, value, n, SPAN("issuers; at most 8 are possible"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e)) {
		c->identity.issuers[c->identity.nissuers].auth.tenant = -1;
		conf_push(r, &conf_form_issuer, e, &c->identity.issuers[c->identity.nissuers++]);
	}
}

/* ---- keys, certificates, anonymous ---- */

static void text_sha256(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	if (span_starts(s, SPAN("postern_")))
		/* Not shown: it is the key. */
		conf_complain(r, value, SPAN("found a key; a secret never stands in this file: write its SHA-256, and make a new key, because this one is known now"));
	else
		(void)conf_hex(r, value, s, to);
}

static void text_id(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	if (span_starts(s, SPAN("postern_")))
		conf_complain(r, value, SPAN("found a key, or what looks like one; an id is shown in logs: write a name, such as \"ci\""));
	else
		conf_text_name(r, value, s, span);
}

static const struct conf_member key_members[] = {
	{ MEMBER(auth_key, id, "id", CONF_STRING), .required = true, .most = 256, .text = text_id },
	{ MEMBER(auth_key, sha256, "sha256", CONF_STRING), .required = true, .most = 256, .text = text_sha256,
	  .hint = SPAN_INIT("\"postern key new\" makes a key and prints it") },
	{ MEMBER(auth_key, tenant, "tenant", CONF_STRING), .required = true, .most = 256, .text = conf_text_tenant },
	{ MEMBER(auth_key, roles, "roles", CONF_NAMED), .naming = CONF_ROLES },
};
const struct conf_form conf_form_key = {
	.where = SPAN_INIT("an API key"), .members = key_members, .nmembers = COUNT_OF(key_members)
};

static void walk_keys(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n > AUTH_KEYS_MAX) {
		conf_wrong_number(r, value, n, SPAN("API keys; at most 256 are possible"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e)) {
		/* Not shown: it may be the key. */
		if (json_type(&r->json, e) == JSON_OBJECT)
			conf_push(r, &conf_form_key, e, &c->identity.keys[c->identity.nkeys]);
		else
			conf_complain(r, e, SPAN("an API key is an object {...} with its id, SHA-256, tenant and roles; \"postern key new\" makes and prints one"));
		c->identity.nkeys++;
	}
}

static const struct conf_member client_members[] = {
	{ MEMBER(auth_certificate, san, "san", CONF_STRING), .required = true, .most = 255, .text = conf_text_san },
	{ MEMBER(auth_certificate, tenant, "tenant", CONF_STRING), .required = true, .most = 256, .text = conf_text_tenant },
	{ MEMBER(auth_certificate, roles, "roles", CONF_NAMED), .naming = CONF_ROLES },
};
const struct conf_form conf_form_client = {
	.where = SPAN_INIT("a client certificate"), .members = client_members, .nmembers = COUNT_OF(client_members)
};

static void walk_certificates(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n > AUTH_CERTIFICATES_MAX) {
		conf_wrong_number(r, value, n, SPAN("client certificates; at most 128 are possible"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e))
		conf_push(r, &conf_form_client, e, &c->identity.certificates[c->identity.ncertificates++]);
}

static void walk_revoked(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf *c = to;
	uint32_t n = json_size(&r->json, value);

	if (n > AUTH_REVOKED_MAX) {
		conf_wrong_number(r, value, n, SPAN("revoked certificates; at most 128 are possible: what has expired may go"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e)) {
		uint8_t *at = c->identity.revoked[c->identity.nrevoked];
		struct span s;
		bool twice = false;

		if (!conf_text(r, e, SPAN("the SHA-256 of a certificate"), 256, &s) || !conf_hex(r, e, s, at))
			continue;
		for (unsigned i = 0; i < c->identity.nrevoked; i++)
			twice = twice || memcmp(c->identity.revoked[i], at, 32) == 0;
		if (twice)
			conf_complain(r, e, SPAN("this stands in the list already; once is enough"));
		else
			c->identity.nrevoked++;
	}
}

static const struct conf_member anonymous_members[] = {
	{ MEMBER(conf, identity.anonymous_tenant, "tenant", CONF_STRING), .required = true, .most = 256, .text = conf_text_tenant },
	{ MEMBER(conf, identity.anonymous_roles, "roles", CONF_NAMED), .naming = CONF_ROLES },
};
const struct conf_form conf_form_anonymous = {
	.where = SPAN_INIT("anonymous"), .members = anonymous_members, .nmembers = COUNT_OF(anonymous_members)
};

/* The process that started us; who that is, nobody shows. */
static const struct conf_member stdio_members[] = {
	{ MEMBER(conf, identity.stdio_tenant, "tenant", CONF_STRING), .required = true, .most = 256, .text = conf_text_tenant },
	{ MEMBER(conf, identity.stdio_roles, "roles", CONF_NAMED), .naming = CONF_ROLES },
};
const struct conf_form conf_form_stdio = {
	.where = SPAN_INIT("stdio"), .members = stdio_members, .nmembers = COUNT_OF(stdio_members)
};

/* ---- all of it ---- */

static void walk_tenants(struct conf_reader *r, uint32_t value, void *to)
{
	(void)to;
	conf_named(r, value, CONF_TENANTS, &r->declared);
}

static void text_dpop(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	static const char *const word[] = { "off", "optional", "required" };
	struct conf *c = to;
	int i = conf_choice(r, value, s, word, 3, SPAN("DPoP is \"off\", \"optional\" or \"required\""));

	c->identity.dpop = i < 0 ? AUTH_DPOP_OFF : (enum auth_dpop)i;
}

static bool none(const struct conf_reader *r, uint32_t list)
{
	return list == JSON_NONE || (json_type(&r->json, list) == JSON_ARRAY && json_size(&r->json, list) == 0);
}

static void identity_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	struct conf *c = to;

	c->identity.anonymous = conf_given(&conf_form_identity, given, "anonymous");
	c->identity.stdio = conf_given(&conf_form_identity, given, "stdio");
	if (c->identity.stdio && conf_member(r, JSON_ROOT, "listeners") == JSON_NONE)
		return;
	if (!c->identity.anonymous && none(r, conf_member(r, object, "issuers")) && none(r, conf_member(r, object, "keys"))
		&& none(r, conf_member(r, object, "certificates")))
		conf_complain(r, object, SPAN("nobody can be anybody here; write \"issuers\", \"keys\", \"certificates\", or, for a first try on this machine, "
			"\"anonymous\": {\"tenant\": \"local\", \"roles\": [\"reader\"]}"));
}

static const struct conf_member identity_members[] = {
	{ MEMBER(conf, identity.resource, "resource", CONF_STRING), .most = 1024, .text = conf_text_resource },
	{ WHOLE("tenants", CONF_LIST), .walk = walk_tenants },
	{ WHOLE("issuers", CONF_LIST), .walk = walk_issuers },
	{ WHOLE("keys", CONF_LIST), .walk = walk_keys },
	{ WHOLE("certificates", CONF_LIST), .walk = walk_certificates },
	{ WHOLE("revoked_certificates", CONF_LIST), .walk = walk_revoked },
	{ WHOLE("anonymous", CONF_OBJECT), .form = &conf_form_anonymous },
	{ WHOLE("stdio", CONF_OBJECT), .form = &conf_form_stdio },
	{ WHOLE("dpop", CONF_STRING), .most = 32, .text = text_dpop },
	{ MEMBER(conf, identity.certificate_bound, "certificate_bound_tokens", CONF_BOOL) },
};
const struct conf_form conf_form_identity = {
	.where = SPAN_INIT("identity"), .members = identity_members, .nmembers = COUNT_OF(identity_members), .at_root = true, .whole = identity_whole
};
