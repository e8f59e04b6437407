#include "role/bridge_http.h"

#include "base/carve.h"
#include "flow/broker_client.h"
#include "flow/old_http.h"
#include "os/clock.h"
#include "os/sock.h"
#include "role/log.h"
#include "wire/crypto.h"

enum { CALLS_MAX = 128, LARGES = 8 };

static struct old_http_settings settings;
static struct flow_settings asking;   /* what the broker's client looks at */
static struct tls_route route;
static char fields[CONF_NAMES_MAX * 1200];
static struct old_http *http;
static struct broker_client *client;  /* NULL: no credential is wanted */
static struct bridge *bridge;
static bool (*worker_room)(void);
static unsigned server_number;

_Static_assert((int)OLD_HTTP_INITIALIZE == (int)BRIDGE_INITIALIZE && (int)OLD_HTTP_INITIALIZED == (int)BRIDGE_INITIALIZED && (int)OLD_HTTP_REQUEST == (int)BRIDGE_REQUEST
	&& (int)OLD_HTTP_NOTIFICATION == (int)BRIDGE_NOTIFICATION && (int)OLD_HTTP_RESPONSE == (int)BRIDGE_RESPONSE, "the same kinds");

/* ---- what the configuration says ---- */

static void from_conf(const struct conf_server *v, const struct bridge_settings *s, struct old_http_settings *to)
{
	uint64_t longest = (s->line_max > s->reply_max ? s->line_max : s->reply_max) + BRIDGE_SLACK;

	*to = (struct old_http_settings){ .address = v->address, .host = v->host, .path = v->path, .tls = v->tls.on ? &route : NULL,
		.connect_ms = (uint32_t)v->connect_ms, .answer_ms = v->idle_ms, .credential = v->credential.kind != CONF_NO_CREDENTIAL, .peers = s->peers_max,
		.calls = s->calls_max < CALLS_MAX ? s->calls_max : CALLS_MAX, .larges = LARGES, .message_max = (uint32_t)longest, .reply_max = (uint32_t)s->reply_max };
}

static void asks_from(const struct conf *c, const struct old_http_settings *s, struct flow_settings *to)
{
	/* Each message has its credential: requests, and as many others, of which the broker is asked for no more than it grants a worker. */
	to->requests = 2 * s->calls < c->memory.requests ? 2 * s->calls : c->memory.requests;
	to->nservers = c->nservers;
	to->log = log_flow;
}

size_t sessions_need(const struct conf *c, unsigned server, const struct bridge_settings *s)
{
	static struct flow_settings asks;
	struct old_http_settings h;

	from_conf(&c->servers[server], s, &h);
	asks_from(c, &h, &asks);
	return carve_up(old_http_need(&h)) + (h.credential ? broker_client_need(&asks) : 0);
}

unsigned sessions_files(const struct conf *c, unsigned server, const struct bridge_settings *s)
{
	struct old_http_settings h;

	from_conf(&c->servers[server], s, &h);
	return old_http_files(&h) + 2; /* the broker's new edge comes before the old one is closed */
}

bool sessions_begin(const struct conf *c, unsigned server, const struct material *m, const struct bridge_settings *s)
{
	const struct conf_server *v = &c->servers[server];
	struct buf b = buf_on(fields, sizeof fields);

	server_number = server;
	route = m->upstreams[server];
	from_conf(v, s, &settings);
	asks_from(c, &settings, &asking);
	for (unsigned i = 0; i < v->nheaders; i++) {
		buf_put(&b, v->headers[i].name);
		BUF_LIT(&b, ": ");
		buf_put(&b, v->headers[i].value);
		BUF_LIT(&b, "\r\n");
	}
	settings.fields = buf_span(&b);
	return !b.full && clock_random(settings.entropy, sizeof settings.entropy);
}

/* ---- hooks of the sessions ---- */

static void on_up(void *ctx, unsigned peer) { (void)ctx; bridge_peer_up(bridge, peer); }
static void on_message(void *ctx, unsigned peer, uint64_t of, struct span message) { (void)ctx; bridge_peer_line(bridge, peer, of, message); }
static bool on_awaits(void *ctx, unsigned peer, uint64_t id) { (void)ctx; return bridge_peer_awaits(bridge, peer, id); }
static void on_failed(void *ctx, unsigned peer, uint64_t id, struct span why) { (void)ctx; bridge_peer_failed(bridge, peer, id, why); }
static void on_again(void *ctx, unsigned peer) { (void)ctx; bridge_peer_again(bridge, peer); }
static void on_down(void *ctx, unsigned peer, struct span why) { (void)ctx; bridge_peer_down(bridge, peer, why); }
static bool on_room(void *ctx) { (void)ctx; return worker_room(); }
static int64_t on_unix_ms(void *ctx) { (void)ctx; return clock_unix_ms(); }

/* Sessions are shared by callers, so what they show is the server's own and no tenant's. */
static bool on_credential(void *ctx, uint64_t call, bool again)
{
	(void)ctx;
	return client && broker_client_token(client, server_number, FLOW_NO_TENANT, call, span_of(NULL, 0), again);
}

static void came(void *ctx, uint64_t call, struct span line) { old_http_credential(ctx, call, line); }

void sessions_place(void *mem, struct loop *loop, struct bridge *b, bool (*room)(void))
{
	bridge = b;
	worker_room = room;
	settings.hooks = (struct old_http_hooks){ NULL, on_up, on_message, on_awaits, on_failed, on_again, on_down, on_room, on_credential, on_unix_ms };
	http = old_http_place(mem, &settings, loop);
	crypto_wipe(settings.entropy, sizeof settings.entropy);
	if (!settings.credential)
		return;
	client = broker_client_place((char *)mem + carve_up(old_http_need(&settings)), &asking, loop);
	broker_client_serve_other(client, came, http);
}

void sessions_link(int fd)
{
	if (client)
		broker_client_link(client, fd);
	else
		sock_close(fd);
}

/* ---- hooks of the engine ---- */

bool sessions_say(void *ctx, unsigned peer, const struct bridge_out *out)
{
	(void)ctx;
	return old_http_send(http, peer, (enum old_http_what)out->what, out->id, out->version, out->message);
}

void sessions_start_peer(void *ctx, unsigned peer) { (void)ctx; old_http_start(http, peer); }
void sessions_stop_peer(void *ctx, unsigned peer) { (void)ctx; old_http_stop(http, peer); }

/* ---- turns ---- */

static int client_ms = -1;

void sessions_turn(void)
{
	client_ms = client ? broker_client_tick(client) : -1;
	old_http_tick(http);
}

void sessions_end(void)
{
	for (unsigned i = 0; i < settings.peers; i++)
		old_http_stop(http, i);
}

bool sessions_ended(void) { return old_http_open(http) == 0; }

int sessions_wait(void)
{
	return loop_sooner(old_http_wait(http), client_ms);
}
