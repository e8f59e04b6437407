/* Any bytes as a configuration: right ones keep every promise of conf.h, wrong ones are complained about in whole, harmless lines. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void within(uint64_t v, uint64_t least, uint64_t most)
{
	must(v >= least && v <= most);
}

static void no_controls(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		must((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7F);
}

/* A file that is named; a credential has no way out of its directory. */
static void file(const struct conf_file *f)
{
	within(f->path.n, 1, 4000);
	no_controls(f->path);
	must(f->line >= 1 && f->column >= 1);
	must(!f->credential || (f->path.n <= 255 && f->path.p[0] != '.' && memchr(f->path.p, '/', f->path.n) == NULL));
}

static void tls_out(const struct conf_tls_out *t)
{
	if (!t->on)
		return;
	file(&t->ca);
	within(t->name.n, 1, 253);
	no_controls(t->name);
	if (t->has_own) {
		file(&t->own.cert);
		file(&t->own.key);
	}
}

/* Where something secret goes: over TLS, or to this machine. */
static void safe_way(bool https, const struct addr *a)
{
	must(a->family != 0 && a->port != 0 && (https || addr_is_loopback(a)));
}

static void peer(const struct conf_peer *p)
{
	must(span_starts(p->url, p->tls.on ? SPAN("https://") : SPAN("http://")));
	must(p->host.n > 0 && p->path.n > 0 && p->path.p[0] == '/');
	safe_way(p->tls.on, &p->address);
	tls_out(&p->tls);
}

static void server(const struct conf *c, const struct conf_server *v)
{
	within(v->name.n, 1, 32);
	must(v->line >= 1 && v->column >= 1);
	for (const struct conf_server *w = c->servers; w < v; w++)
		must(!span_eq(w->name, v->name));
	if (v->kind == CONF_FILES) {
		must(v->root.n > 0 && span_absent(v->url));
		no_controls(v->root);
		no_controls(v->prompts);
		within(v->file_bytes_max, 1024, 16 << 20);
		return;
	}
	if (v->kind == CONF_STDIO) {
		must(v->command.n > 0 && span_absent(v->url) && span_absent(v->root) && v->nargs <= CONF_ARGS_MAX && v->nenv <= CONF_ENV_MAX);
		no_controls(v->command);
		no_controls(v->cwd);
		for (unsigned i = 0; i < v->nargs; i++)
			no_controls(v->args[i]);
		for (unsigned i = 0; i < v->nenv; i++) {
			must(v->env[i].name.n > 0 && !memchr(v->env[i].name.p, '=', v->env[i].name.n));
			no_controls(v->env[i].name);
			no_controls(v->env[i].value);
			if (!span_absent(v->env[i].secret.path))
				file(&v->env[i].secret);
		}
		must(v->nread <= CONF_ROOTS_MAX && v->nwrite <= CONF_ROOTS_MAX);
		within(v->children, 1, 64);
		within(v->limits.files, 16, 1048576);
		within((uint64_t)v->start_ms, 10, 600000);
		return;
	}
	must(span_starts(v->url, v->tls.on ? SPAN("https://") : SPAN("http://")) && v->address.family != 0 && v->address.port != 0);
	tls_out(&v->tls);
	if (v->credential.kind != CONF_NO_CREDENTIAL) {
		safe_way(v->tls.on, &v->address);
		file(&v->credential.secret);
	}
	if (v->credential.kind == CONF_SECRET) {
		must(v->credential.header.n > 0 && !span_absent(v->credential.scheme));
	} else if (v->credential.kind != CONF_NO_CREDENTIAL) {
		must(v->credential.client_id.n > 0 && (v->credential.kind != CONF_EXCHANGE || c->identity.nissuers > 0));
		peer(&v->credential.token);
	}
	must(v->host.n > 0 && v->path.n > 0 && v->path.p[0] == '/' && span_absent(v->root));
	no_controls(v->host);
	no_controls(v->path);
	must(v->nheaders <= CONF_NAMES_MAX);
	for (unsigned i = 0; i < v->nheaders; i++) {
		must(v->headers[i].name.n > 0);
		no_controls(v->headers[i].name);
		no_controls(v->headers[i].value);
		must(!span_ieq(v->headers[i].name, SPAN("host")) && !span_ieq(v->headers[i].name, SPAN("authorization")));
		must(v->credential.kind != CONF_SECRET || !span_ieq(v->headers[i].name, v->credential.header));
	}
	within((uint64_t)v->connect_ms, 10, 600000);
	within((uint64_t)v->idle_ms, 10, 86400000);
	within((uint64_t)v->call_ms, 10, 86400000);
}

/* Only numbers that have a name. */
static void named(uint64_t bits, unsigned n)
{
	must(n <= 64 && (n == 64 || bits >> n == 0));
}

static void issuer(const struct conf *c, const struct conf_issuer *i)
{
	must(span_starts(i->auth.issuer, SPAN("https://")) || span_starts(i->auth.issuer, SPAN("http://")));
	must(i->auth.audience.n > 0 && c->identity.resource.n > 0);
	must((i->auth.tenant >= 0) != (i->auth.tenant_claim.n > 0) && i->auth.tenant < (int)c->identity.ntenants);
	named(i->auth.roles, c->identity.nroles);
	within((uint64_t)i->auth.skew_ms, 0, 60000);
	must(i->auth.opaque == (i->introspection.url.n > 0) && (!i->auth.introspect_all || i->auth.opaque));
	must((i->auth.algs != 0) == !i->auth.introspect_all);
	if (i->auth.opaque) {
		peer(&i->introspection);
		file(&i->client_secret);
	}
	if (i->keys.url.n > 0)
		peer(&i->keys);
	else if (!i->auth.introspect_all)
		file(&i->jwks);
}

static void identity(const struct conf *c)
{
	must(c->identity.anonymous || c->identity.nissuers + c->identity.nkeys + c->identity.ncertificates > 0);
	for (unsigned i = 0; i < c->nlisteners; i++)
		must(!c->identity.anonymous || addr_is_loopback(&c->listeners[i].address));
	must(!c->identity.anonymous || c->identity.anonymous_tenant < c->identity.ntenants);
	named(c->identity.anonymous_roles, c->identity.nroles);
	for (unsigned i = 0; i < c->identity.nissuers; i++)
		issuer(c, &c->identity.issuers[i]);
	for (unsigned i = 0; i < c->identity.nkeys; i++) {
		within(c->identity.keys[i].id.n, 1, 64);
		must(c->identity.keys[i].tenant < c->identity.ntenants);
		named(c->identity.keys[i].roles, c->identity.nroles);
	}
	for (unsigned i = 0; i < c->identity.ncertificates; i++) {
		within(c->identity.certificates[i].san.n, 1, 255);
		must(c->identity.certificates[i].tenant < c->identity.ntenants);
		named(c->identity.certificates[i].roles, c->identity.nroles);
	}
	for (unsigned i = 0; i < c->npolicy; i++) {
		within(c->policy[i].pattern.n, 1, POLICY_PATTERN_MAX);
		named(c->policy[i].tenants, c->identity.ntenants);
		named(c->policy[i].roles, c->identity.nroles);
		named(c->policy[i].scopes, c->identity.nscopes);
		must(c->policy[i].allow || c->policy[i].scopes == 0);
	}
}

static void listener(const struct conf_listener *l)
{
	must(l->address.family != 0 && (l->insecure || l->tls.on || addr_is_loopback(&l->address)));
	must(l->path.n > 0 && l->path.p[0] == '/');
	must(l->nhosts <= CONF_NAMES_MAX && l->norigins <= CONF_NAMES_MAX);
	if (!l->tls.on)
		return;
	within(l->tls.ncerts, 1, CONF_CERTS_MAX);
	for (unsigned i = 0; i < l->tls.ncerts; i++) {
		file(&l->tls.certs[i].cert);
		file(&l->tls.certs[i].key);
	}
	must(!l->tls.client_required || !span_absent(l->tls.client_ca.path));
}

static void right(const struct conf *c)
{
	within(c->nlisteners, 1, CONF_LISTENERS_MAX);
	within(c->nservers, 1, CONF_SERVERS_MAX);
	must(c->workers <= CONF_WORKERS_MAX && (!c->plain || c->nservers == 1));
	for (unsigned i = 0; i < c->nlisteners; i++)
		listener(&c->listeners[i]);
	identity(c);
	must(!c->has_admin || (c->admin.family != 0 && (c->admin_insecure || addr_is_loopback(&c->admin))));
	for (unsigned i = 0; i < c->nservers; i++)
		server(c, &c->servers[i]);
	within(c->memory.connections, 1, 65536);
	within(c->memory.requests, 1, c->memory.connections);
	within(c->memory.listens, 1, c->memory.connections);
	within(c->memory.large, 1, 1024);
	within(c->memory.body, 4096, 8 << 20);
	within(c->memory.reply, 16384, 16 << 20);
	within(c->memory.tokens, 256, 1 << 20);
	within(c->memory.links, 1, 4096);
	within((uint64_t)c->timeouts.head_ms, 10, 600000);
	within((uint64_t)c->timeouts.drain_ms, 0, 3600000);
}

static void complaints(struct span said)
{
	unsigned lines = 0;

	must(said.n > 0 && said.p[said.n - 1] == '\n' && utf8_valid(said));
	while (said.n > 0) {
		const char *end = memchr(said.p, '\n', said.n);
		struct span line = span_of(said.p, (size_t)(end - said.p));

		must(span_starts(line, SPAN("f:")));
		no_controls(line);
		said = span_from(said, line.n + 1);
		lines++;
	}
	must(lines <= CONF_ERRORS_MAX + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char said[32 * 1024];
	struct buf errors = buf_on(said, sizeof said);
	size_t need = conf_arena_need(n);
	void *arena = malloc(need);
	struct conf c;

	must(arena != NULL);
	if (conf_read(&c, SPAN("f"), span_of((const char *)data, n), arena, need, &errors)) {
		must(errors.n == 0);
		right(&c);
	} else {
		must(!errors.full);
		complaints(buf_span(&errors));
	}
	free(arena);
	return 0;
}
