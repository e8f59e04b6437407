#include "role/broker.h"

#include "flow/broker_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/log.h"
#include "role/signing.h"

static struct broker_settings settings;
static struct broker *broker;
static const struct entry *self;
static enum phase phase = PHASE_STARTING;

/* ---- settings ---- */

bool broker_wanted(const struct conf *c)
{
	for (unsigned i = 0; i < c->identity.nissuers; i++)
		if (!span_absent(c->identity.issuers[i].keys.url) || !span_absent(c->identity.issuers[i].introspection.url))
			return true;
	for (unsigned i = 0; i < c->nservers; i++)
		if (c->servers[i].kind == CONF_HTTP && c->servers[i].credential.kind != CONF_NO_CREDENTIAL)
			return true;
	return false;
}

static struct fetch_peer peer(const struct conf_peer *p, const struct tls_route *route)
{
	return (struct fetch_peer){ .address = p->address, .host = p->host, .path = p->path, .tls = p->tls.on ? route : NULL };
}

static void issuer(const struct conf_issuer *from, const struct tls_route *keys, const struct tls_route *introspection, struct broker_issuer *to)
{
	to->name = from->auth.issuer;
	to->keys = !span_absent(from->keys.url);
	to->jwks = peer(&from->keys, keys);
	to->introspection = !span_absent(from->introspection.url);
	to->introspect = peer(&from->introspection, introspection);
	if (!span_absent(from->client_secret.path))
		to->client_id = from->client_id;
}

static void server(const struct conf_server *from, const struct tls_route *route, struct broker_server *to)
{
	static const enum broker_kind kinds[] = {
		[CONF_NO_CREDENTIAL] = BROKER_NO_CREDENTIAL, [CONF_SECRET] = BROKER_STATIC,
		[CONF_CLIENT_CREDENTIALS] = BROKER_CLIENT, [CONF_EXCHANGE] = BROKER_EXCHANGE
	};
	const struct conf_credential *c = &from->credential;

	to->name = from->name;
	if (from->kind != CONF_HTTP)
		return;
	to->kind = kinds[c->kind];
	to->header = c->header;
	to->scheme = c->scheme;
	to->token = peer(&c->token, route);
	to->client_id = c->client_id;
	to->scope = c->scope;
	to->resource = c->resource;
	to->audience = c->audience;
	to->secret = !span_absent(c->secret.path);
}

void broker_from(const struct conf *c, const struct material *m, struct broker_settings *s)
{
	static const struct tls_route some; /* whether there is one decides how much memory is needed */
	struct flow_settings worker = { .requests = c->memory.requests, .listens = c->memory.listens, .nservers = c->nservers };

	memset(s, 0, sizeof *s);
	s->nissuers = c->identity.nissuers;
	for (unsigned i = 0; i < s->nissuers; i++)
		issuer(&c->identity.issuers[i], m ? &m->keysets[i] : &some, m ? &m->introspections[i] : &some, &s->issuers[i]);
	s->nservers = c->nservers;
	for (unsigned i = 0; i < s->nservers; i++)
		server(&c->servers[i], m ? &m->tokens[i] : &some, &s->servers[i]);
	s->workers = c->workers ? c->workers : proc_cores();
	s->tenants = c->identity.ntenants;
	s->bridges = s->nservers;
	s->asks = broker_client_asks(&worker);
	s->fetch_ms = BROKER_FETCH_MS;
	s->unix_ms = clock_unix_ms;
	s->log = log_flow;
}

/* How many descriptors it may hold open besides its secret files, its channel, its loop and the three standard ones. */
static unsigned broker_files(const struct conf *c)
{
	unsigned workers = c->workers ? c->workers : proc_cores();

	/* An edge comes before the one it replaces is closed; a connection of each request; a new edge to the keeper beside the old one. */
	return 2 * (workers + c->nservers) + AUTH_ISSUERS_MAX + 2 * BROKER_CALLS + 2;
}

/* ---- secrets ---- */

static _Noreturn void wrong_secret(const struct conf *c, const struct conf_file *f, const char *why)
{
	struct buf *b = log_begin(LOG_ERROR);

	material_place(b, c, f);
	buf_put(b, span_z(why));
	log_end();
	proc_exit(ENTRY_EXIT_WALLS);
}

static void read_secret(const struct conf *c, const struct conf_file *f, int fd, enum broker_owner of, unsigned index)
{
	char mem[BROKER_SECRET_MAX + 3]; /* its newline, and a byte more to see that it is too long */
	const char *why = "there is no such file open";
	long n;

	if (!broker_wants(&settings, of, index))
		return;
	n = fd >= 0 ? file_from_start(fd, mem, sizeof mem) : -1;
	if (n >= 0)
		why = broker_secret(broker, of, index, span_of(mem, (size_t)n));
	crypto_wipe(mem, sizeof mem);
	if (why)
		wrong_secret(c, f, why);
	sock_close(fd);
}

static void read_secrets(const struct conf *c, const struct material *m)
{
	for (unsigned i = 0; i < c->identity.nissuers; i++)
		read_secret(c, &c->identity.issuers[i].client_secret, m->secrets[i], BROKER_OF_ISSUER, i);
	for (unsigned i = 0; i < c->nservers; i++)
		read_secret(c, &c->servers[i].credential.secret, m->secrets[AUTH_ISSUERS_MAX + i], BROKER_OF_SERVER, i);
}

/* ---- the role ---- */

static void take_link(const struct msg_link *l, int fd)
{
	if (l->of == ROLE_KEEPER && l->peer == 0)
		signing_link(fd);
	else if (l->of == ROLE_WORKER && l->peer < settings.workers)
		broker_link(broker, l->peer, fd);
	else if (l->of == ROLE_BRIDGE && l->peer < settings.nservers)
		broker_link(broker, settings.workers + l->peer, fd);
	else
		role_end("a link to a role that has nothing to do with it");
}

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		phase = PHASE_SERVING;
		broker_open(broker);
		role_ready(self);
		break;
	case MSG_LINK:
		take_link(&m->link, fd);
		break;
	case MSG_DRAIN: /* the workers are gone: there is nobody to answer */
		proc_exit(0);
	}
}

static unsigned peer_ports(uint16_t *ports)
{
	unsigned n = 0;

	for (unsigned i = 0; i < settings.nissuers; i++) {
		if (settings.issuers[i].keys)
			ports[n++] = settings.issuers[i].jwks.address.port;
		if (settings.issuers[i].introspection)
			ports[n++] = settings.issuers[i].introspect.address.port;
	}
	for (unsigned i = 0; i < settings.nservers; i++)
		if (settings.servers[i].kind == BROKER_CLIENT || settings.servers[i].kind == BROKER_EXCHANGE)
			ports[n++] = settings.servers[i].token.address.port;
	return n;
}

static void set_signers(struct material *m)
{
	for (unsigned i = 0; i < AUTH_ISSUERS_MAX; i++)
		m->keysets[i].signer = m->introspections[i].signer = signing_signer();
	for (unsigned i = 0; i < CONF_SERVERS_MAX; i++)
		m->tokens[i].signer = signing_signer();
}

void broker_run(struct broker_start *p)
{
	static uint16_t ports[2 * AUTH_ISSUERS_MAX + CONF_SERVERS_MAX];
	struct entry *e = p->entry;
	int wait_ms = 0;

	set_signers(p->material);
	broker_from(p->conf, p->material, &settings);
	for (unsigned i = 0; i < MATERIAL_SECRETS; i++)
		e->keep[e->nkeep++] = &p->material->secrets[i];
	e->list = &seccomp_broker;
	e->need = broker_need(&settings);
	e->files = broker_files(p->conf);
	e->land.ports = ports;
	e->land.nports = peer_ports(ports);
	memcpy(settings.seed, p->seed, sizeof settings.seed);
	if (!clock_random(settings.entropy, sizeof settings.entropy)) {
		log_line(LOG_ERROR, SPAN("no random bytes"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	role_enter(e);

	self = e;
	broker = broker_place(e->memory, &settings, &e->loop);
	crypto_wipe(settings.entropy, sizeof settings.entropy);
	read_secrets(p->conf, p->material);
	if (!role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot watch its channel"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, wait_ms))
		wait_ms = broker_tick(broker);
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
