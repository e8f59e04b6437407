#include "role/worker.h"

#include "base/carve.h"
#include "flow/broker_client.h"
#include "os/clock.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/broker.h"
#include "role/log.h"
#include "role/signing.h"
#include "wire/crypto.h"

static struct flow_settings settings;
static struct flow *flow;
static struct broker_client *client; /* NULL: no broker is needed */
static const struct entry *self;
static enum phase phase = PHASE_STARTING;

static void drain(uint32_t grace_ms)
{
	phase = PHASE_DRAINING;
	flow_drain(flow, grace_ms);
}

static bool link_fits(enum role of, const struct flow_server *s)
{
	if (of == ROLE_PROVIDER)
		return s->kind == FLOW_BUILTIN;
	return of == ROLE_BRIDGE && (s->kind == FLOW_LINE || (s->kind == FLOW_HTTP && s->era != FLOW_ERA_MODERN));
}

static void take_link(const struct msg_link *l, int fd)
{
	if (l->of == ROLE_STDIO && l->peer == 0 && l->type == MSG_INNER) {
		flow_inner(flow, FLOW_INNER_STDIO, fd);
		return;
	}
	if (l->of == ROLE_ELDER && l->peer == 0) {
		if (l->type == MSG_INNER)
			flow_inner(flow, FLOW_INNER_ELDER, fd);
		else
			flow_elder(flow, fd);
		return;
	}
	if (l->of == ROLE_KEEPER && l->peer == 0) {
		signing_link(fd);
		return;
	}
	if (l->of == ROLE_BROKER && l->peer == 0 && client) {
		broker_client_link(client, fd);
		return;
	}
	if (l->peer >= settings.nservers || !link_fits(l->of, &settings.servers[l->peer]))
		role_end("a link to a server that is spoken to in another way");
	flow_link(flow, l->peer, fd);
}

static int64_t unix_ms(void *ctx)
{
	(void)ctx;
	return clock_unix_ms();
}

static bool ask_keys(void *ctx, unsigned issuer)
{
	(void)ctx;
	return client && broker_client_ask_keys(client, issuer);
}

static bool introspect(void *ctx, unsigned issuer, uint64_t call, struct span token)
{
	(void)ctx;
	return client && broker_client_introspect(client, issuer, call, token);
}

static bool credential(void *ctx, unsigned server, unsigned tenant, uint64_t call, struct span subject, bool again)
{
	(void)ctx;
	return client && broker_client_token(client, server, tenant, call, subject, again);
}

static const struct flow_hooks hooks = {
	.sign = signing_ask, .ask_keys = ask_keys, .introspect = introspect, .token = credential, .unix_ms = unix_ms
};

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		if (!flow_open(flow)) {
			log_line(LOG_ERROR, SPAN("cannot watch its listeners"));
			proc_exit(ENTRY_EXIT_WALLS);
		}
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_LINK:
	case MSG_INNER:
		take_link(&m->link, fd);
		break;
	case MSG_DRAIN:
		drain(m->drain.grace_ms);
		break;
	}
}

static unsigned upstream_ports(const struct conf *c, uint16_t *ports)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->nservers; i++)
		if (c->servers[i].kind == CONF_HTTP)
			ports[n++] = c->servers[i].address.port;
	return n;
}

void worker_run(struct worker_start *w)
{
	static uint16_t ports[CONF_SERVERS_MAX];
	struct entry *e = w->entry;
	bool broker = broker_wanted(w->conf);
	size_t flow_size, client_size;
	int wait_ms = 0;

	worker_settings(w->conf, w->material, &settings);
	for (unsigned i = 0; i < settings.nlisteners; i++)
		e->keep[e->nkeep++] = &w->listeners[i];
	e->list = &seccomp_worker;
	flow_size = carve_up(flow_need(&settings));
	client_size = broker ? carve_up(broker_client_need(&settings)) : 0;
	e->need = flow_size + client_size + worker_heads_need(w->conf);
	e->files = worker_files(w->conf);
	e->land.ports = ports;
	e->land.nports = upstream_ports(w->conf, ports);
	memcpy(settings.seed, w->seed, sizeof settings.seed);
	settings.metrics = w->metrics;
	settings.replay = w->replay;
	settings.log = log_flow;
	settings.hooks = hooks;
	if (!clock_random(settings.entropy, sizeof settings.entropy)) {
		log_line(LOG_ERROR, SPAN("no random bytes"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	role_enter(e);

	self = e;
	for (unsigned i = 0; i < settings.nlisteners; i++) {
		settings.listeners[i].fd = w->listeners[i];
		settings.listeners[i].address = w->bound[i];
	}
	worker_heads(w->conf, (char *)e->memory + flow_size + client_size, &settings);
	flow = flow_place(e->memory, &settings, &e->loop);
	crypto_wipe(settings.entropy, sizeof settings.entropy); /* all keys of all connections could be made from it again */
	if (broker && flow) {
		client = broker_client_place((char *)e->memory + flow_size, &settings, &e->loop);
		broker_client_serve(client, flow);
	}
	if (!flow || !role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot lay out its memory"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, wait_ms)) {
		int client_ms = client ? broker_client_tick(client) : -1;

		wait_ms = loop_sooner(flow_tick(flow), client_ms);
		if (phase == PHASE_DRAINING && flow_drained(flow)) {
			msg_send(e->channel, &(union msg){ .drained = { MSG_DRAINED } }, -1);
			proc_exit(0);
		}
	}
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
