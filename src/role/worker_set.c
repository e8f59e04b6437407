/* A worker's settings, from the configuration and the files it names. */
#include "os/proc.h"
#include "role/worker.h"

/* The URL of the resource's metadata. */
static char metadata[8192];
static struct auth_issuer issuers[AUTH_ISSUERS_MAX];

static void server_settings(const struct conf_server *from, const struct tls_route *route, struct flow_server *to)
{
	to->name = from->name;
	to->kind = from->kind == CONF_FILES ? FLOW_BUILTIN : from->kind == CONF_HTTP ? FLOW_HTTP : FLOW_LINE;
	to->era = from->kind != CONF_HTTP || !conf_bridged(from) ? FLOW_ERA_MODERN : from->era == CONF_ERA_LEGACY ? FLOW_ERA_LEGACY : FLOW_ERA_AUTO;
	to->address = from->address;
	to->host = from->host;
	to->path = from->path;
	to->meta = (struct meta_rules){ from->meta, from->nmeta };
	to->connect_ms = from->connect_ms;
	to->idle_ms = from->idle_ms;
	to->call_ms = from->call_ms;
	to->tls = from->tls.on ? route : NULL;
	to->credential = from->credential.kind != CONF_NO_CREDENTIAL;
	to->exchange = from->credential.kind == CONF_EXCHANGE;
}

/* RFC 9728 3.1: the well-known part stands between host and path. */
static struct span metadata_url(struct span resource)
{
	struct buf b = buf_on(metadata, sizeof metadata);
	size_t at = 0, slashes = 0;

	while (at < resource.n && slashes < 3)
		slashes += resource.p[at++] == '/';
	at -= slashes == 3; /* the slash that begins the path; none: there is no path */
	buf_put(&b, span_of(resource.p, at));
	BUF_LIT(&b, "/.well-known/oauth-protected-resource");
	if (resource.n > at + 1)
		buf_put(&b, span_from(resource, at));
	return b.full ? span_of(NULL, 0) : buf_span(&b);
}

static void identity_settings(const struct conf *c, const struct material *m, struct flow_settings *s)
{
	struct auth_rules *a = &s->auth;

	for (unsigned i = 0; i < c->identity.nissuers; i++) {
		issuers[i] = c->identity.issuers[i].auth;
		s->keys[i] = m->sets[i];
	}
	a->tenants = (struct auth_names){ c->identity.tenants, c->identity.ntenants };
	a->roles = (struct auth_names){ c->identity.roles, c->identity.nroles };
	a->scopes = (struct auth_names){ c->identity.scopes, c->identity.nscopes };
	a->issuers = issuers;
	a->nissuers = c->identity.nissuers;
	a->keys = c->identity.keys;
	a->nkeys = c->identity.nkeys;
	a->certificates = c->identity.certificates;
	a->ncertificates = c->identity.ncertificates;
	a->revoked = c->identity.revoked;
	a->nrevoked = c->identity.nrevoked;
	a->anonymous = c->identity.anonymous;
	a->anonymous_tenant = c->identity.anonymous_tenant;
	a->anonymous_roles = c->identity.anonymous_roles;
	a->dpop = c->identity.dpop;
	a->certificate_bound = c->identity.certificate_bound;
	s->policy = (struct policy){ c->policy, c->npolicy };
}

void worker_settings(const struct conf *c, const struct material *m, struct flow_settings *s)
{
	memset(s, 0, sizeof *s);
	s->nlisteners = c->nlisteners;
	for (unsigned i = 0; i < c->nlisteners; i++) {
		const struct conf_listener *from = &c->listeners[i];

		s->listeners[i] = (struct flow_listener){
			.fd = -1, .address = from->address, .path = from->path,
			.hosts = from->hosts, .nhosts = from->nhosts, .origins = from->origins, .norigins = from->norigins,
			.tls = from->tls.on ? &m->doors[i] : NULL, .resource = c->identity.resource
		};
		if (c->identity.nissuers > 0)
			s->listeners[i].metadata = metadata_url(c->identity.resource);
	}
	s->nservers = c->nservers;
	for (unsigned i = 0; i < c->nservers; i++)
		server_settings(&c->servers[i], &m->upstreams[i], &s->servers[i]);
	s->plain = c->plain;
	s->name_max = c->name_max;
	s->version = SPAN(POSTERN_VERSION);
	if (c->door)
		s->stdio = (struct identity){ .kind = IDENTITY_ANONYMOUS,
			.tenant = c->identity.stdio ? c->identity.stdio_tenant : c->identity.anonymous_tenant,
			.roles = c->identity.stdio ? c->identity.stdio_roles : c->identity.anonymous_roles };
	s->elder = c->legacy_clients;
	s->connections = c->memory.connections;
	s->requests = c->memory.requests;
	s->listens = c->memory.listens;
	s->listens_each = c->memory.listens_per_caller;
	s->large = c->memory.large;
	s->tokens = c->memory.tokens;
	s->links = c->memory.links;
	s->records = c->memory.records;
	s->sessions = c->memory.sessions;
	s->known_tokens = c->memory.tokens_known;
	s->body_max = c->memory.body;
	s->reply_max = c->memory.reply;
	s->handshake_ms = c->timeouts.handshake_ms;
	s->head_ms = c->timeouts.head_ms;
	s->body_ms = c->timeouts.body_ms;
	s->idle_ms = c->timeouts.idle_ms;
	s->write_ms = c->timeouts.write_ms;
	s->keepalive_ms = c->timeouts.keepalive_ms;
	s->list_ms = c->timeouts.list_ms;
	s->built_ms = INT64_C(1000) * POSTERN_BUILT;
	identity_settings(c, m, s);
}

size_t worker_heads_need(const struct conf *c)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->nservers; i++)
		for (unsigned k = 0; k < c->servers[i].nheaders; k++)
			n += c->servers[i].headers[k].name.n + c->servers[i].headers[k].value.n + 4;
	return n;
}

void worker_heads(const struct conf *c, char *mem, struct flow_settings *s)
{
	struct buf b = buf_on(mem, worker_heads_need(c));

	for (unsigned i = 0; i < c->nservers; i++) {
		size_t start = b.n;

		for (unsigned k = 0; k < c->servers[i].nheaders; k++) {
			buf_put(&b, c->servers[i].headers[k].name);
			BUF_LIT(&b, ": ");
			buf_put(&b, c->servers[i].headers[k].value);
			BUF_LIT(&b, "\r\n");
		}
		s->servers[i].fields = span_of(b.p + start, b.n - start);
	}
}

unsigned worker_files(const struct conf *c)
{
	unsigned upstreams = 0, lines = 0;

	for (unsigned i = 0; i < c->nservers; i++) {
		upstreams += c->servers[i].kind == CONF_HTTP;
		lines += c->servers[i].kind == CONF_FILES || conf_bridged(&c->servers[i]);
	}
	/* A link to a built-in server or a bridge, the keeper or the broker that is started again comes before the old one is closed; and one
	 * connection over the pool, to be refused. The elder's two edges likewise, and the connections on which it, or the client of
	 * `postern stdio`, is a client. */
	unsigned elder = c->legacy_clients ? 2 * 2 + c->memory.requests + c->memory.listens : 0;
	unsigned door = c->door ? 2 + c->memory.requests + c->memory.listens : 0;

	return c->memory.connections + upstreams * c->memory.links + 2 * lines + 2 * 2 + elder + door + 8;
}
