#include "role/worker.h"

#include "os/proc.h"
#include "os/sock.h"
#include "role/config.h"
#include "role/log.h"

static struct flow_settings settings;
static struct flow *flow;
static struct loop_item channel;
static const struct entry *self;
static enum phase phase = PHASE_STARTING;

/* The configured head lines of all upstreams; they are part of the file, so they fit. */
static char fields[CONFIG_TEXT_MAX + CONF_SERVERS_MAX * CONF_NAMES_MAX * 4];

static void server_settings(const struct conf_server *from, struct flow_server *to, struct buf *b)
{
	size_t start = b->n;

	to->name = from->name;
	to->kind = from->kind == CONF_FILES ? FLOW_BUILTIN : FLOW_HTTP;
	to->address = from->address;
	to->host = from->host;
	to->path = from->path;
	to->connect_ms = from->connect_ms;
	to->idle_ms = from->idle_ms;
	to->call_ms = from->call_ms;
	for (unsigned i = 0; i < from->nheaders; i++) {
		buf_put(b, from->headers[i].name);
		BUF_LIT(b, ": ");
		buf_put(b, from->headers[i].value);
		BUF_LIT(b, "\r\n");
	}
	to->fields = span_of(b->p + start, b->n - start);
}

void worker_settings(const struct conf *c, struct flow_settings *s)
{
	struct buf b = buf_on(fields, sizeof fields);

	memset(s, 0, sizeof *s);
	s->nlisteners = c->nlisteners;
	for (unsigned i = 0; i < c->nlisteners; i++) {
		const struct conf_listener *from = &c->listeners[i];

		s->listeners[i] = (struct flow_listener){
			.fd = -1, .address = from->address, .path = from->path,
			.hosts = from->hosts, .nhosts = from->nhosts, .origins = from->origins, .norigins = from->norigins
		};
	}
	s->nservers = c->nservers;
	for (unsigned i = 0; i < c->nservers; i++)
		server_settings(&c->servers[i], &s->servers[i], &b);
	s->plain = c->plain;
	s->version = SPAN(POSTERN_VERSION);
	s->connections = c->memory.connections;
	s->requests = c->memory.requests;
	s->listens = c->memory.listens;
	s->large = c->memory.large;
	s->tokens = c->memory.tokens;
	s->links = c->memory.links;
	s->body_max = c->memory.body;
	s->reply_max = c->memory.reply;
	s->head_ms = c->timeouts.head_ms;
	s->body_ms = c->timeouts.body_ms;
	s->idle_ms = c->timeouts.idle_ms;
	s->write_ms = c->timeouts.write_ms;
	s->keepalive_ms = c->timeouts.keepalive_ms;
}

unsigned worker_files(const struct conf *c)
{
	unsigned upstreams = 0, builtins = 0;

	for (unsigned i = 0; i < c->nservers; i++) {
		if (c->servers[i].kind == CONF_HTTP)
			upstreams++;
		else
			builtins++;
	}
	/* A link to a built-in server that is started again comes before the old one is closed; and one connection over the pool, to be refused. */
	return c->memory.connections + upstreams * c->memory.links + 2 * builtins + 8;
}

static void drain(uint32_t grace_ms)
{
	phase = PHASE_DRAINING;
	flow_drain(flow, grace_ms);
}

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
		if (m->link.peer >= settings.nservers || settings.servers[m->link.peer].kind != FLOW_BUILTIN)
			role_end("a link to a server that is not built in");
		flow_link(flow, m->link.peer, fd);
		break;
	case MSG_DRAIN:
		drain(m->drain.grace_ms);
		break;
	}
}

static void on_channel(struct loop_item *item, unsigned events)
{
	union msg m;
	enum msg_got got;
	const char *why;
	int fd;

	(void)events;
	while ((got = msg_take(item->fd, ROLE_WORKER, ROLE_PARENT, phase, &m, &fd, &why)) == MSG_GOT)
		handle(&m, fd);
	if (got == MSG_CLOSED)
		role_end(why);
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
	int wait_ms = 0;

	worker_settings(w->conf, &settings);
	for (unsigned i = 0; i < settings.nlisteners; i++)
		e->keep[e->nkeep++] = &w->listeners[i];
	e->list = &seccomp_worker;
	e->need = flow_need(&settings);
	e->files = worker_files(w->conf);
	e->land.ports = ports;
	e->land.nports = upstream_ports(w->conf, ports);
	memcpy(settings.seed, w->seed, sizeof settings.seed);
	settings.metrics = w->metrics;
	settings.log = log_flow;
	role_enter(e);

	self = e;
	for (unsigned i = 0; i < settings.nlisteners; i++) {
		settings.listeners[i].fd = w->listeners[i];
		settings.listeners[i].address = w->bound[i];
	}
	flow = flow_place(e->memory, &settings, &e->loop);
	channel = (struct loop_item){ on_channel, e->channel };
	if (!flow || !loop_add(&e->loop, &channel)) {
		log_line(LOG_ERROR, SPAN("cannot lay out its memory"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, wait_ms)) {
		wait_ms = flow_tick(flow);
		if (phase == PHASE_DRAINING && flow_drained(flow)) {
			msg_send(e->channel, &(union msg){ .drained = { MSG_DRAINED } }, -1);
			proc_exit(0);
		}
	}
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
