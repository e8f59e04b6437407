#include "conf/conf_priv.h"
#include "wire/http_value.h"

static bool is_name_char(char c)
{
	char l = span_lower(c);

	return (l >= 'a' && l <= 'z') || http_is_digit(c) || c == '.' || c == '_' || c == ':' || c == '-';
}

bool conf_name_ok(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_name_char(s.p[i]))
			return false;
	return s.n > 0 && s.n <= 64;
}

/* RFC 6749 3.3 */
bool conf_scope_ok(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
			return false;
	return s.n > 0 && s.n <= 128;
}

void conf_text_name(struct conf_reader *r, uint32_t value, struct span s, void *span)
{
	struct span *to = span;

	if (conf_name_ok(s))
		*to = s;
	else
		conf_wrong(r, value, SPAN("this is a name of 1 to 64 letters A-Z a-z, digits, . _ : and -"));
}

static const struct { struct span one, right, full; unsigned max; } kind[] = {
	[CONF_TENANTS] = { SPAN_INIT("a tenant such as \"acme\""), SPAN_INIT("a tenant's name has 1 to 64 letters A-Z a-z, digits, . _ : and -"),
		SPAN_INIT("this is the 65th tenant that the file names; 64 are possible"), IDENTITY_TENANTS_MAX },
	[CONF_ROLES] = { SPAN_INIT("a role such as \"reader\""), SPAN_INIT("a role's name has 1 to 64 letters A-Z a-z, digits, . _ : and -"),
		SPAN_INIT("this is the 65th role that the file names; 64 are possible"), IDENTITY_ROLES_MAX },
	[CONF_SCOPES] = { SPAN_INIT("a scope such as \"tools:write\""),
		SPAN_INIT("a scope has 1 to 128 printable ASCII characters, no space, no \" and no \\ (RFC 6749 3.3)"),
		SPAN_INIT("this is the 65th scope that the file names; 64 are possible"), IDENTITY_SCOPES_MAX },
};

struct span *conf_names(struct conf *c, enum conf_naming naming, unsigned **n)
{
	switch (naming) {
	case CONF_TENANTS:
		*n = &c->identity.ntenants;
		return c->identity.tenants;
	case CONF_ROLES:
		*n = &c->identity.nroles;
		return c->identity.roles;
	case CONF_SCOPES:
	default:
		*n = &c->identity.nscopes;
		return c->identity.scopes;
	}
}

/* The number of a name, which is new perhaps; -1, and it is said why, if it can have none. */
static int number(struct conf_reader *r, uint32_t value, enum conf_naming naming, struct span s)
{
	unsigned *n;
	struct span *list = conf_names(r->c, naming, &n);

	if (!(naming == CONF_SCOPES ? conf_scope_ok(s) : conf_name_ok(s))) {
		conf_wrong(r, value, kind[naming].right);
		return -1;
	}
	for (unsigned i = 0; i < *n; i++)
		if (span_eq(list[i], s))
			return (int)i;
	if (*n == kind[naming].max) {
		conf_complain(r, value, kind[naming].full);
		return -1;
	}
	list[*n] = s;
	return (int)(*n)++;
}

void conf_named(struct conf_reader *r, uint32_t list, enum conf_naming naming, uint64_t *bits)
{
	if (json_size(&r->json, list) == 0)
		conf_complain(r, list, SPAN("found an empty list; name at least one, or leave the member out"));
	for (uint32_t e = json_first(&r->json, list); e != JSON_NONE; e = json_next(&r->json, list, e)) {
		struct span s;
		int i = conf_text(r, e, kind[naming].one, 256, &s) ? number(r, e, naming, s) : -1;

		if (i >= 0 && (*bits >> i & 1) != 0)
			conf_complain(r, e, SPAN("this stands in the list already; once is enough"));
		else if (i >= 0)
			*bits |= UINT64_C(1) << i;
	}
}

void conf_text_tenant_int(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	int i = number(r, value, CONF_TENANTS, s);

	memcpy(to, &i, sizeof i);
}

void conf_text_tenant(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	int i = number(r, value, CONF_TENANTS, s);
	uint8_t small = (uint8_t)(i < 0 ? 0 : i);

	memcpy(to, &small, 1);
}
