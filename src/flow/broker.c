/* The broker's memory, its edges and its turns. */
#include "flow/broker_state.h"

#include "base/bug.h"
#include "base/carve.h"
#include "os/pass.h"
#include "os/sock.h"

/* ---- what there is to do ---- */

static bool introspects(const struct broker_settings *s)
{
	for (unsigned i = 0; i < s->nissuers; i++)
		if (s->issuers[i].introspection)
			return true;
	return false;
}

static bool obtains(const struct broker_server *s) { return s->kind == BROKER_CLIENT || s->kind == BROKER_EXCHANGE; }

static bool obtains_any(const struct broker_settings *s)
{
	for (unsigned i = 0; i < s->nservers; i++)
		if (obtains(&s->servers[i]))
			return true;
	return false;
}

static uint32_t entries(const struct broker_settings *s) { return s->entries ? s->entries : BROKER_ENTRIES; }

static uint32_t key_fetches(const struct broker_settings *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < s->nissuers; i++)
		n += s->issuers[i].keys;
	return n;
}

static uint32_t call_fetches(const struct broker_settings *s)
{
	return (introspects(s) ? BROKER_CALLS : 0u) + (obtains_any(s) ? BROKER_CALLS : 0u);
}

/* TLS connections at once. */
static uint32_t tls_fetches(const struct broker_settings *s)
{
	bool introspection = false, tokens = false;
	uint32_t n = 0;

	for (unsigned i = 0; i < s->nissuers; i++) {
		n += s->issuers[i].keys && s->issuers[i].jwks.tls;
		introspection = introspection || (s->issuers[i].introspection && s->issuers[i].introspect.tls);
	}
	for (unsigned i = 0; i < s->nservers; i++)
		tokens = tokens || (obtains(&s->servers[i]) && s->servers[i].token.tls);
	return n + (introspection ? BROKER_CALLS : 0u) + (tokens ? BROKER_CALLS : 0u);
}

bool broker_wants(const struct broker_settings *s, enum broker_owner of, unsigned index)
{
	if (of == BROKER_OF_ISSUER)
		return index < s->nissuers && s->issuers[index].introspection && !span_absent(s->issuers[index].client_id);
	return index < s->nservers && (s->servers[index].kind == BROKER_STATIC || (obtains(&s->servers[index]) && s->servers[index].secret));
}

/* ---- memory ---- */

void broker_budget(const struct broker_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to)
{
	uint64_t asks = (uint64_t)broker_edges(s) * s->asks * ENTRY_KINDS;

	row(to, SPAN("broker state"), slots_each(sizeof(struct broker)), 1);
	row(to, SPAN("edges to workers"), sizeof(struct broker_edge), broker_edges(s));
	row(to, SPAN("questions of workers"), slots_each(sizeof(struct broker_ask)), asks);
	row(to, SPAN("key sets"), sizeof(struct broker_keyset), s->nissuers);
	row(to, SPAN("secrets of issuers"), sizeof(struct broker_secret), s->nissuers);
	row(to, SPAN("secrets of upstreams"), sizeof(struct broker_secret), s->nservers);
	row(to, SPAN("static credentials"), sizeof(struct broker_entry), s->nservers);
	row(to, SPAN("introspection answers"), sizeof(struct broker_entry), introspects(s) ? entries(s) : 0);
	row(to, SPAN("tokens for upstreams"), sizeof(struct broker_entry), obtains_any(s) ? entries(s) : 0);
	row(to, SPAN("requests for key sets"), fetch_need(JWK_TEXT_MAX), key_fetches(s));
	row(to, SPAN("other requests"), fetch_need(BROKER_ANSWER_MAX), call_fetches(s));
	row(to, SPAN("TLS connections"), slots_each(conn_state_size(false)), tls_fetches(s));
	row(to, SPAN("TLS records"), slots_each(conn_records_size()), tls_fetches(s));
	row(to, SPAN("JSON tokens"), json_table_need(BROKER_TOKENS), 1);
	row(to, SPAN("form and message at hand"), FETCH_REQUEST_MAX + sizeof(union broker_packet), 1);
}

size_t broker_need(const struct broker_settings *s)
{
	size_t total = 0;

	broker_budget(s, carve_sum, &total);
	return total;
}

static void on_edge(struct loop_item *item, unsigned events);

static void place_entries(struct broker_entry *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		list_init(&e[i].queue);
		list_init(&e[i].asks);
	}
}

static int64_t unix_time(void *ctx) { return ((const struct broker_settings *)ctx)->unix_ms(); }

/* Requests in the order key sets, introspection, tokens. */
static void place_fetches(struct broker *b, char *keys, char *calls)
{
	const struct broker_settings *s = b->set;
	bool wanted[ENTRY_KINDS] = { [ENTRY_INTROSPECT] = introspects(s), [ENTRY_TOKEN] = obtains_any(s) };

	for (unsigned i = 0; i < s->nissuers; i++)
		if (s->issuers[i].keys) {
			b->keysets[i].fetch = fetch_place(keys, JWK_TEXT_MAX, &b->room);
			keys += fetch_need(JWK_TEXT_MAX);
		}
	for (unsigned k = 0; k < ENTRY_KINDS; k++) {
		b->tables[k].nslots = wanted[k] ? BROKER_CALLS : 0;
		for (unsigned i = 0; i < b->tables[k].nslots; i++) {
			b->tables[k].slots[i].fetch = fetch_place(calls, BROKER_ANSWER_MAX, &b->room);
			calls += fetch_need(BROKER_ANSWER_MAX);
		}
	}
}

struct broker *broker_place(void *mem, const struct broker_settings *s, struct loop *loop)
{
	char *at = mem;
	struct broker *b = carve(&at, slots_each(sizeof(struct broker)), 1);
	uint32_t asks = broker_edges(s) * s->asks * ENTRY_KINDS, tls = tls_fetches(s);
	char *keys, *calls;

	b->set = s;
	b->loop = loop;
	timers_init(&b->timers, loop->now_ms);
	b->edges = carve(&at, sizeof(struct broker_edge), broker_edges(s));
	slots_place(&b->asks, carve(&at, slots_each(sizeof(struct broker_ask)), asks), sizeof(struct broker_ask), asks);
	b->keysets = carve(&at, sizeof(struct broker_keyset), s->nissuers);
	b->issuer_secrets = carve(&at, sizeof(struct broker_secret), s->nissuers);
	b->server_secrets = carve(&at, sizeof(struct broker_secret), s->nservers);
	b->statics = carve(&at, sizeof(struct broker_entry), s->nservers);
	for (unsigned k = 0; k < ENTRY_KINDS; k++) {
		struct broker_table *t = &b->tables[k];

		t->count = (k == ENTRY_TOKEN ? obtains_any(s) : introspects(s)) ? entries(s) : 0;
		t->entries = carve(&at, sizeof(struct broker_entry), t->count);
		place_entries(t->entries, t->count);
		list_init(&t->queue);
	}
	keys = carve(&at, fetch_need(JWK_TEXT_MAX), key_fetches(s));
	calls = carve(&at, fetch_need(BROKER_ANSWER_MAX), call_fetches(s));
	slots_place(&b->conns.states, carve(&at, slots_each(conn_state_size(false)), tls), conn_state_size(false), tls);
	slots_place(&b->conns.records, carve(&at, slots_each(conn_records_size()), tls), conn_records_size(), tls);
	b->json = json_table_place(carve(&at, json_table_need(BROKER_TOKENS), 1), BROKER_TOKENS, s->seed);
	b->scratch = carve(&at, FETCH_REQUEST_MAX + sizeof(union broker_packet), 1);
	b->packet = (union broker_packet *)(void *)(b->scratch + FETCH_REQUEST_MAX);

	conn_pool_start(&b->conns, loop, s->entropy, sizeof s->entropy);
	b->conns.unix_ms = unix_time;
	memcpy(&b->conns.unix_ctx, &s, sizeof s); /* only read from */
	b->room = (struct fetch_room){ loop, &b->timers, &b->conns };
	place_fetches(b, keys, calls);
	place_entries(b->statics, s->nservers);
	for (unsigned i = 0; i < broker_edges(s); i++) {
		b->edges[i] = (struct broker_edge){ .item = { NULL, -1 }, .b = b, .worker = i };
		list_init(&b->edges[i].asks);
	}
	b->sweep_ms = INT64_MAX;
	return b;
}

/* ---- secrets ---- */

static bool fits_a_head(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return s.n > 0 && s.p[0] != ' ' && s.p[s.n - 1] != ' ';
}

static const char *make_static(struct broker *b, unsigned server, struct span secret)
{
	const struct broker_server *s = &b->set->servers[server];
	struct broker_entry *e = &b->statics[server];
	struct buf line = buf_on(e->text, sizeof e->text);

	buf_put(&line, s->header);
	BUF_LIT(&line, ": ");
	buf_put(&line, s->scheme);
	if (s->scheme.n > 0)
		buf_char(&line, ' ');
	buf_put(&line, secret);
	if (line.full)
		return "it is too long";
	e->n = (uint32_t)line.n;
	e->kind = ENTRY_TOKEN;
	e->index = (uint8_t)server;
	e->state = ENTRY_READY;
	return NULL;
}

const char *broker_secret(struct broker *b, enum broker_owner of, unsigned index, struct span text)
{
	struct broker_secret *to;

	if (!broker_wants(b->set, of, index))
		return "there is nobody who needs it";
	if (text.n > 0 && text.p[text.n - 1] == '\n')
		text.n--;
	if (text.n > 0 && text.p[text.n - 1] == '\r')
		text.n--;
	if (text.n == 0)
		return "it is empty";
	if (text.n > BROKER_SECRET_MAX)
		return "it is longer than 4096 bytes";
	if (!fits_a_head(text))
		return "it has a byte that may not stand in a head line: only visible ASCII may, and spaces inside";
	if (of == BROKER_OF_SERVER && b->set->servers[index].kind == BROKER_STATIC)
		return make_static(b, index, text);
	to = of == BROKER_OF_ISSUER ? &b->issuer_secrets[index] : &b->server_secrets[index];
	memcpy(to->text, text.p, text.n);
	to->n = (uint32_t)text.n;
	return NULL;
}

/* ---- edges ---- */

void broker_say(struct broker *b, struct span what, struct span who, struct span detail, struct span more)
{
	char mem[512];
	struct buf line = buf_on(mem, sizeof mem);

	buf_put(&line, what);
	BUF_LIT(&line, " \"");
	buf_put(&line, who);
	BUF_LIT(&line, "\": ");
	buf_put(&line, detail);
	if (more.n > 0 && more.p[0] != ' ')
		buf_char(&line, ' ');
	buf_put(&line, more);
	if (b->set->log)
		b->set->log(buf_span(&line));
}

/* why NULL: the worker is gone. */
static void edge_close(struct broker_edge *e, const char *why)
{
	char mem[8];
	struct buf number = buf_on(mem, sizeof mem);

	if (e->item.fd < 0)
		return;
	if (why) {
		buf_u64(&number, e->worker);
		broker_say(e->b, SPAN("closes its edge to worker"), buf_span(&number), span_z(why), SPAN(""));
	}
	while (!list_empty(&e->asks))
		call_drop(LIST_OWNER(e->asks.next, struct broker_ask, of_edge));
	loop_forget(e->b->loop, &e->item);
	sock_close(e->item.fd);
	e->item.fd = -1;
	e->owed = 0;
	e->stuck = e->readable = false;
	memset(e->version, 0, sizeof e->version);
}

bool edge_send(struct broker_edge *e, const union broker_packet *m)
{
	if (!e->stuck && pass_send(e->item.fd, m, broker_msg_size(m), -1))
		return true;
	if (!e->stuck) { /* full, or gone: then the reading side hears of it */
		e->stuck = true;
		e->stuck_ms = broker_now(e->b);
	}
	e->writable = false;
	return false;
}

static void on_edge(struct loop_item *item, unsigned events)
{
	struct broker_edge *e = (struct broker_edge *)(void *)item;

	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		e->readable = true;
	if (events & LOOP_WRITE)
		e->writable = true;
}

void broker_link(struct broker *b, unsigned worker, int fd)
{
	struct broker_edge *e;

	if (worker >= broker_edges(b->set)) {
		sock_close(fd);
		return;
	}
	e = &b->edges[worker];
	edge_close(e, NULL);
	e->item = (struct loop_item){ on_edge, fd };
	e->readable = true;
	e->writable = false;
	if (!loop_add(b->loop, &e->item)) {
		sock_close(fd);
		e->item = (struct loop_item){ NULL, -1 };
		return;
	}
	if (edge_server(e) < 0)
		keys_owe_all(e);
}

/* A whole message; what is wrong with it. */
static const char *handle(struct broker_edge *e, union broker_packet *m, size_t n)
{
	const char *wrong = broker_msg_wrong(m, n, true);

	if (wrong)
		return wrong;
	if (edge_server(e) >= 0 && (m->type != BROKER_TOKEN_ASK || (int)m->token_ask.head.server != edge_server(e)))
		return "a question that is not a bridge's to ask";
	switch (m->type) {
	case BROKER_ASK_KEYS:
		return keys_asked(e, m->ask_keys.issuer);
	case BROKER_INTROSPECT: {
		struct broker_introspect head = m->introspect.head;

		return call_introspect(e, &head, span_of(m->introspect.text.p, head.n));
	}
	default: {
		struct broker_token_ask head = m->token_ask.head;

		return call_token(e, &head, span_of(m->token_ask.text.p, head.n));
	}
	}
}

static void read_edge(struct broker_edge *e)
{
	union broker_packet *m = e->b->packet;

	for (unsigned i = 0; i < BROKER_BATCH && e->readable; i++) {
		int fd;
		long n = pass_take(e->item.fd, m, sizeof *m, &fd);
		const char *wrong = "a message that is too long";

		if (n == PASS_NONE) {
			e->readable = false;
			return;
		}
		if (n == PASS_END) {
			edge_close(e, NULL);
			return;
		}
		if (n > 0)
			wrong = fd >= 0 ? "a descriptor where none belongs" : handle(e, m, (size_t)n);
		if (fd >= 0)
			sock_close(fd);
		crypto_wipe(m, n > 0 ? (size_t)n : sizeof *m);
		if (wrong) {
			edge_close(e, wrong);
			return;
		}
	}
}

static void flush_edge(struct broker_edge *e)
{
	bool held_up = e->stuck;

	if (e->stuck && !e->writable) {
		if (broker_now(e->b) - e->stuck_ms >= BROKER_STUCK_MS)
			edge_close(e, "it takes no answers");
		return;
	}
	e->stuck = false;
	if (keys_flush(e) && held_up)
		(void)call_flush(e);
}

/* ---- turns ---- */

void broker_open(struct broker *b)
{
	for (unsigned i = 0; i < b->set->nissuers + b->set->nservers; i++) {
		bool issuer = i < b->set->nissuers;
		unsigned index = issuer ? i : i - b->set->nissuers;

		if (broker_wants(b->set, issuer ? BROKER_OF_ISSUER : BROKER_OF_SERVER, index)
			&& (issuer ? b->issuer_secrets[index].n : b->server_secrets[index].n + b->statics[index].n) == 0)
			bug("a broker opened without its secrets");
	}
	b->opened = true;
	keys_open(b);
}

static int64_t edges_next_ms(const struct broker *b)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < broker_edges(b->set); i++) {
		const struct broker_edge *e = &b->edges[i];

		if (e->item.fd >= 0 && e->readable)
			return 0;
		if (e->item.fd >= 0 && e->stuck && e->stuck_ms + BROKER_STUCK_MS < next)
			next = e->stuck_ms + BROKER_STUCK_MS;
	}
	return next;
}

int broker_tick(struct broker *b)
{
	int64_t next;
	bool again;
	int timers;

	timers_run(&b->timers, broker_now(b));
	again = conn_turn(&b->conns);
	for (unsigned i = 0; i < broker_edges(b->set); i++)
		if (b->edges[i].item.fd >= 0)
			read_edge(&b->edges[i]);
	keys_tick(b);
	call_tick(b);
	for (unsigned i = 0; i < broker_edges(b->set); i++)
		if (b->edges[i].item.fd >= 0)
			flush_edge(&b->edges[i]);
	if (broker_now(b) >= b->sweep_ms) {
		call_sweep(b);
		b->sweep_ms = INT64_MAX;
	}
	if (b->sweep_ms == INT64_MAX && call_kept(b))
		b->sweep_ms = broker_now(b) + BROKER_SWEEP_MS;

	next = edges_next_ms(b);
	if (keys_next_ms(b) < next)
		next = keys_next_ms(b);
	if (b->sweep_ms < next)
		next = b->sweep_ms;
	timers = timers_wait(&b->timers, broker_now(b));
	if (timers >= 0 && broker_now(b) + timers < next)
		next = broker_now(b) + timers;
	if (again || next <= broker_now(b))
		return 0;
	next -= broker_now(b);
	return next < BROKER_KEYS_MS ? (int)next : BROKER_KEYS_MS; /* INT64_MAX too: a turn an hour costs nothing */
}
