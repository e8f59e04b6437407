#include "gate/auth_priv.h"

#include "wire/json_write.h"

/* name="text" after a comma, or a space if it is the first. */
static void parameter(struct buf *b, bool *first, struct span name, struct span text)
{
	buf_put(b, *first ? SPAN(" ") : SPAN(", "));
	*first = false;
	buf_put(b, name);
	BUF_LIT(b, "=\"");
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			buf_char(b, '\\');
		buf_char(b, text.p[i]);
	}
	BUF_LIT(b, "\"");
}

static void write_scopes(struct buf *b, const struct auth_names *names, uint64_t scopes)
{
	bool first = true;

	for (unsigned i = 0; i < names->n && i < 64; i++) {
		if (!(scopes >> i & 1))
			continue;
		if (!first)
			buf_char(b, ' ');
		first = false;
		buf_put(b, names->name[i]);
	}
}

static void write_algs(struct buf *b, struct span before, struct span between, struct span after)
{
	for (unsigned a = 0; a < JWK_ALGS; a++) {
		if (a > 0)
			buf_put(b, between);
		buf_put(b, before);
		buf_put(b, jwk_alg_name((enum jwk_alg)a));
		buf_put(b, after);
	}
}

static void challenge(struct buf *b, struct span scheme, const struct auth_rules *rules, struct span error, uint64_t scopes, struct span metadata)
{
	bool first = true, dpop = span_eq(scheme, SPAN("DPoP"));

	buf_put(b, scheme);
	if (!span_absent(error))
		parameter(b, &first, SPAN("error"), error);
	if (dpop) {
		buf_put(b, first ? SPAN(" algs=\"") : SPAN(", algs=\""));
		write_algs(b, SPAN(""), SPAN(" "), SPAN(""));
		BUF_LIT(b, "\"");
		first = false;
	}
	if (scopes != 0) {
		buf_put(b, first ? SPAN(" scope=\"") : SPAN(", scope=\""));
		write_scopes(b, &rules->scopes, scopes);
		BUF_LIT(b, "\"");
		first = false;
	}
	if (!span_absent(metadata))
		parameter(b, &first, SPAN("resource_metadata"), metadata);
	if (first) /* RFC 6750 3: at least one parameter */
		parameter(b, &first, SPAN("realm"), SPAN("mcp"));
}

void auth_challenge(struct buf *b, const struct auth_rules *rules, bool dpop, struct span error, uint64_t scopes, struct span metadata)
{
	if (!dpop)
		challenge(b, SPAN("Bearer"), rules, error, scopes, metadata);
	if (!dpop && rules->dpop == AUTH_DPOP_OPTIONAL)
		BUF_LIT(b, ", ");
	if (dpop || rules->dpop == AUTH_DPOP_OPTIONAL)
		challenge(b, SPAN("DPoP"), rules, error, scopes, metadata);
}

void auth_metadata(struct buf *b, const struct auth_rules *rules, struct span resource)
{
	BUF_LIT(b, "{\"resource\":");
	json_write_string(b, resource);
	BUF_LIT(b, ",\"authorization_servers\":[");
	for (unsigned i = 0; i < rules->nissuers; i++) {
		if (i > 0)
			buf_char(b, ',');
		json_write_string(b, rules->issuers[i].issuer);
	}
	BUF_LIT(b, "]");
	for (unsigned i = 0; i < rules->scopes.n; i++) {
		buf_put(b, i == 0 ? SPAN(",\"scopes_supported\":[") : SPAN(","));
		json_write_string(b, rules->scopes.name[i]);
		if (i + 1 == rules->scopes.n)
			buf_char(b, ']');
	}
	BUF_LIT(b, ",\"bearer_methods_supported\":[\"header\"]");
	if (rules->certificate_bound)
		BUF_LIT(b, ",\"tls_client_certificate_bound_access_tokens\":true");
	if (rules->dpop != AUTH_DPOP_OFF) {
		BUF_LIT(b, ",\"dpop_signing_alg_values_supported\":[");
		write_algs(b, SPAN("\""), SPAN(","), SPAN("\""));
		BUF_LIT(b, "]");
	}
	if (rules->dpop == AUTH_DPOP_REQUIRED)
		BUF_LIT(b, ",\"dpop_bound_access_tokens_required\":true");
	BUF_LIT(b, "}");
}
