#include "base/bug.h"
#include "base/carve.h"
#include "flow/flow_priv.h"
#include "flow/leg.h"
#include "flow/list.h"
#include "flow/listen.h"

static size_t large_cap(const struct flow_settings *s)
{
	uint64_t most = s->body_max > s->reply_max ? s->body_max : s->reply_max;
	return (size_t)most + 65536; /* heads, ids, prefixes and framing around the largest body or reply */
}

static size_t large_size(const struct flow_settings *s) { return slots_each(sizeof(struct buffer) + large_cap(s)); }

static uint32_t http_servers(const struct flow_settings *s)
{
	uint32_t n = 0;
	for (unsigned i = 0; i < s->nservers; i++)
		n += s->servers[i].kind == FLOW_HTTP;
	return n;
}

/* A link that is closed to make room for another tenant's keeps its slot until the turn is over: hence twice as many slots. */
static uint32_t link_count(const struct flow_settings *s)
{
	uint32_t n = 0;
	for (unsigned i = 0; i < s->nservers; i++)
		n += s->servers[i].kind == FLOW_HTTP ? s->servers[i].credential ? 2 : 1 : 0;
	return n * s->links;
}

static uint32_t line_count(const struct flow_settings *s)
{
	uint32_t n = 0;
	for (unsigned i = 0; i < s->nservers; i++)
		n += server_has_line(&s->servers[i]);
	return n;
}

static uint32_t known_tokens(const struct flow_settings *s) { return s->known_tokens > 0 ? s->known_tokens : 1; }

static uint32_t txn_count(const struct flow_settings *s) { return s->requests + s->listens; }
/* A listen may travel to every server; a call to one at a time, and some lists to several; each catalogue asks for itself. */
static uint32_t leg_count(const struct flow_settings *s) { return s->requests + s->listens * s->nservers + s->nservers + flow_ahead(s); }
static uint32_t gather_count(const struct flow_settings *s) { return s->nservers > 1 ? s->requests : 0; }
/* A call may hold its client's bytes, its upstream's, an event being put together, and the answer. */
static uint32_t small_count(const struct flow_settings *s)
{
	return 4 * s->requests + s->listens * (2 + 2 * http_servers(s)) + 4 * s->nservers + 3 * flow_ahead(s) + 16;
}

static uint32_t tls_servers(const struct flow_settings *s)
{
	uint32_t n = 0;
	for (unsigned i = 0; i < s->nservers; i++)
		n += s->servers[i].tls != NULL;
	return n;
}

/* Where clients show certificates there is no cache: they have to show them at each connection. */
static bool caches(const struct flow_settings *s, unsigned listener)
{
	return s->listeners[listener].tls && !s->listeners[listener].tls->clients && s->sessions > 0;
}

static uint32_t caching_doors(const struct flow_settings *s)
{
	uint32_t n = 0;
	for (unsigned i = 0; i < s->nlisteners; i++)
		n += caches(s, i);
	return n;
}

/* A connection keeps its state as long as it lives, at rest too. */
static uint32_t tls_states(const struct flow_settings *s)
{
	bool doors = false;
	for (unsigned i = 0; i < s->nlisteners; i++)
		doors = doors || s->listeners[i].tls;
	return (doors ? s->connections : 0) + s->links * tls_servers(s);
}

static size_t state_size(const struct flow_settings *s)
{
	bool certificates = false;
	for (unsigned i = 0; i < s->nlisteners; i++)
		certificates = certificates || (s->listeners[i].tls && s->listeners[i].tls->clients);
	return conn_state_size(certificates);
}

static size_t cache_each(uint32_t sessions) { return sessions == 0 ? 0 : carve_up(tls_cache_need(sessions)); }

void flow_budget(const struct flow_settings *s, void (*row)(void *to, struct span what, uint64_t each, uint64_t count), void *to)
{
	row(to, SPAN("worker state"), slots_each(sizeof(struct flow)), 1);
	row(to, SPAN("client connections"), slots_each(sizeof(struct front)), s->connections);
	if (inner_count(s) > 0)
		row(to, SPAN("inner connections"), slots_each(sizeof(struct front)), inner_count(s));
	row(to, SPAN("requests and subscriptions"), slots_each(sizeof(struct txn)), txn_count(s));
	row(to, SPAN("calls to upstreams"), slots_each(sizeof(struct leg)), leg_count(s));
	row(to, SPAN("upstream connections"), slots_each(link_size()), link_count(s));
	row(to, SPAN("lists of several servers"), slots_each(gather_size()), gather_count(s));
	row(to, SPAN("small buffers"), slots_each(sizeof(struct buffer) + FLOW_SMALL), small_count(s));
	row(to, SPAN("large buffers"), large_size(s), s->large);
	row(to, SPAN("lines from our own processes"), large_size(s), line_count(s));
	if (s->elder) {
		row(to, SPAN("frames from the elder"), large_size(s), 1);
		row(to, SPAN("words to the elder"), slots_each(sizeof(struct elder_frame) * txn_count(s)), 1);
	}
	row(to, SPAN("scratch"), slots_each(large_cap(s)), 1);
	row(to, SPAN("JSON tokens"), slots_each(json_table_need(s->tokens)), 1);
	row(to, SPAN("changed places of a reply"), slots_each(sizeof(struct edit) * FLOW_EDITS), 1);
	if (tls_states(s) > 0) {
		row(to, SPAN("TLS connections"), slots_each(state_size(s)), tls_states(s));
		row(to, SPAN("TLS record buffers, pairs"), slots_each(conn_records_size()), s->records);
		row(to, SPAN("TLS sessions of listeners"), cache_each(s->sessions), caching_doors(s));
		row(to, SPAN("TLS sessions of upstreams"), cache_each(1), tls_servers(s));
	}
	row(to, SPAN("catalogues"), slots_each(sizeof(struct catalog)), 2 * (uint64_t)s->nservers);
	row(to, SPAN("keys of issuers"), slots_each(sizeof(struct jwk_set)), s->auth.nissuers);
	row(to, SPAN("verified tokens"), slots_each(auth_cache_need(known_tokens(s))), 1);
}

size_t flow_need(const struct flow_settings *s)
{
	size_t total = 0;
	flow_budget(s, carve_sum, &total);
	return total;
}

/* Does nothing itself: it only makes a turn happen, at whose end record buffers are taken from those who hold them too long. */
static void records_timeout(struct timer *timer) { (void)timer; }

/* The pools of TLS, and what connections share, as this process has it. */
static void place_tls(struct flow *f, char **at)
{
	const struct flow_settings *s = f->set;
	uint32_t states = tls_states(s);

	timer_init(&f->records_again, records_timeout);
	if (states == 0)
		return;
	slots_place(&f->tls.states, carve(at, slots_each(state_size(s)), states), state_size(s), states);
	slots_place(&f->tls.records, carve(at, slots_each(conn_records_size()), s->records), conn_records_size(), s->records);
	conn_pool_start(&f->tls, f->loop, s->entropy, sizeof(s->entropy));
	f->tls.unix_ms = s->hooks.unix_ms;
	f->tls.unix_ctx = s->hooks.ctx;
	f->signer = (struct tls_signer){ s->hooks.sign, s->hooks.ctx };
	char *doors = carve(at, cache_each(s->sessions), caching_doors(s));
	char *routes = carve(at, cache_each(1), tls_servers(s));
	for (unsigned i = 0; i < s->nlisteners; i++) {
		if (!s->listeners[i].tls)
			continue;
		f->door[i] = *s->listeners[i].tls;
		f->door[i].signer = &f->signer;
		f->door[i].cache = NULL;
		if (caches(s, i)) {
			f->door[i].cache = tls_cache_place(doors, s->sessions);
			doors += cache_each(s->sessions);
		}
	}
	for (unsigned i = 0; i < s->nservers; i++) {
		if (!s->servers[i].tls)
			continue;
		f->route[i] = *s->servers[i].tls;
		f->route[i].signer = &f->signer;
		f->route[i].cache = tls_cache_place(routes, 1);
		routes += cache_each(1);
	}
}

static void place_inner(struct flow *f, char **at)
{
	const struct flow_settings *s = f->set;

	f->inner_at = (struct flow_listener){ .fd = -1, .path = SPAN(INNER_PATH) };
	passport_keys(&f->passports, s->seed + 32);
	list_init(&f->elder.out);
	f->elder.f = f;
	if (!s->elder)
		return;
	f->elder.in = carve(at, large_size(s), 1);
	f->elder.in->cap = (uint32_t)f->large_cap;
	f->elder.gone_max = txn_count(s);
	f->elder.gone = carve(at, slots_each(sizeof(struct elder_frame) * f->elder.gone_max), 1);
}

struct flow *flow_place(void *mem, const struct flow_settings *s, struct loop *loop)
{
	char *at = mem;
	struct flow *f = carve(&at, slots_each(sizeof(struct flow)), 1);
	uint32_t links = link_count(s);

	f->set = s;
	f->loop = loop;
	f->metrics = s->metrics;
	f->large_cap = f->scratch_cap = large_cap(s);
	uint32_t fronts = s->connections + inner_count(s);
	slots_place(&f->fronts, carve(&at, slots_each(sizeof(struct front)), fronts), sizeof(struct front), fronts);
	slots_place(&f->txns, carve(&at, slots_each(sizeof(struct txn)), txn_count(s)), sizeof(struct txn), txn_count(s));
	slots_place(&f->legs, carve(&at, slots_each(sizeof(struct leg)), leg_count(s)), sizeof(struct leg), leg_count(s));
	slots_place(&f->links, carve(&at, slots_each(link_size()), links), link_size(), links);
	slots_place(&f->gathers, carve(&at, slots_each(gather_size()), gather_count(s)), gather_size(), gather_count(s));
	size_t small = sizeof(struct buffer) + FLOW_SMALL;
	slots_place(&f->small, carve(&at, slots_each(small), small_count(s)), small, small_count(s));
	slots_place(&f->large, carve(&at, large_size(s), s->large), large_size(s), s->large);
	char *lines = carve(&at, large_size(s), line_count(s));
	place_inner(f, &at);
	f->scratch = carve(&at, slots_each(f->scratch_cap), 1);
	f->table = json_table_place(carve(&at, slots_each(json_table_need(s->tokens)), 1), s->tokens, s->seed);
	f->edits = carve(&at, slots_each(sizeof(struct edit) * FLOW_EDITS), 1);
	place_tls(f, &at);
	struct catalog *catalogs = carve(&at, slots_each(sizeof(struct catalog)), 2 * s->nservers);

	char *keys = carve(&at, slots_each(sizeof(struct jwk_set)), s->auth.nissuers);
	f->known_tokens = auth_cache_place(carve(&at, slots_each(auth_cache_need(known_tokens(s))), 1), known_tokens(s), s->seed + 16);
	const struct span label = SPAN("proofs of possession\0"); /* no tenant has a NUL in its name: another key than any of cursors */
	crypto_hmac_sha256(s->seed + 32, 32, &label, 1, f->proof_key);
	const struct span names = SPAN("names of upstreams\0");
	uint8_t names_key[CRYPTO_HASH];
	crypto_hmac_sha256(s->seed + 32, 32, &names, 1, names_key);

	for (unsigned i = 0; i < s->auth.nissuers && i < AUTH_ISSUERS_MAX; i++) {
		f->keys[i].set = (struct jwk_set *)(void *)(keys + slots_each(sizeof(struct jwk_set)) * i);
		f->key_sets[i] = s->keys[i];
		list_init(&f->keys[i].waiting);
	}
	f->policy_same = true;
	for (unsigned i = 0; i < s->policy.nrules; i++)
		f->policy_same = f->policy_same && s->policy.rules[i].tenants == 0 && s->policy.rules[i].roles == 0 && s->policy.rules[i].scopes == 0;
	timers_init(&f->timers, flow_now(f));
	list_init(&f->ready);
	list_init(&f->heads);
	list_init(&f->ready_links);
	list_init(&f->woken);
	list_init(&f->receiving);
	list_init(&f->listening);
	list_init(&f->limbo_fronts);
	list_init(&f->limbo_links);
	for (unsigned i = 0; i < s->nservers; i++) {
		struct upstream *up = &f->up[i];
		up->f = f;
		up->set = &s->servers[i];
		up->index = i;
		if (!s->plain) {
			struct buf prefix = buf_on(up->prefix_mem, sizeof(up->prefix_mem));
			buf_put(&prefix, up->set->name);
			BUF_LIT(&prefix, "__");
			if (prefix.full)
				bug("a server's name that is too long");
			up->prefix = buf_span(&prefix);
		} else {
			up->prefix = SPAN("");
		}
		up->catalog = (struct catalog *)(void *)((char *)catalogs + slots_each(sizeof(struct catalog)) * 2 * i);
		up->staging = (struct catalog *)(void *)((char *)catalogs + slots_each(sizeof(struct catalog)) * (2 * i + 1));
		/* What an upstream that is asked in the caller's own name has may differ from caller to caller: its names are not kept. */
		up->names = policy_splits(&s->policy, up->prefix) && !up->set->exchange;
		memcpy(up->catalog->key, names_key, sizeof(up->catalog->key));
		memcpy(up->staging->key, names_key, sizeof(up->staging->key));
		list_init(&up->legs);
		list_init(&up->idle);
		list_init(&up->line_out);
		list_init(&up->waiting);
		up->bridged = up->set->kind == FLOW_HTTP && up->set->era == FLOW_ERA_LEGACY;
		up->era_known = up->set->kind != FLOW_HTTP || up->set->era != FLOW_ERA_AUTO;
		if (server_has_line(up->set)) {
			up->line_in = (struct buffer *)(void *)lines;
			up->line_in->cap = (uint32_t)f->large_cap;
			lines += large_size(s);
		}
	}
	return f;
}

bool flow_open(struct flow *f)
{
	for (unsigned i = 0; i < f->set->nservers; i++)
		if (f->set->servers[i].kind == FLOW_HTTP)
			(void)catalog_ready(&f->up[i]);
	return front_open_all(f);
}

void flow_link(struct flow *f, unsigned server, int fd) { line_set(&f->up[server], fd); }

static void empty_limbo(struct flow *f)
{
	while (!list_empty(&f->limbo_fronts)) {
		struct front *c = LIST_OWNER(f->limbo_fronts.next, struct front, node);
		list_remove(&c->node);
		slots_give(&f->fronts, c);
	}
	while (!list_empty(&f->limbo_links)) {
		struct list *node = f->limbo_links.next;
		list_remove(node);
		slots_give(&f->links, link_of_node(node));
	}
	front_accept_more(f);
}

/* Record buffers change hands at the end of a turn. True: there is more to do at once. */
static bool records_turn(struct flow *f)
{
	if (f->tls.states.count == 0)
		return false;
	bool more = conn_turn(&f->tls);
	while (!more && conn_short(&f->tls) && front_evict_holder(f))
		more = conn_turn(&f->tls);
	if (conn_short(&f->tls) && f->records_again.at_ms == 0)
		timer_arm(&f->timers, &f->records_again, flow_now(f) + FLOW_SLOW_MS / 4);
	return more;
}

int flow_tick(struct flow *f)
{
	struct list now;

	timers_run(&f->timers, flow_now(f));
	/* What became ready during this turn; what becomes ready while it is dealt with is for the next. */
	link_run_ready(f);
	elder_turn(f);
	while (!list_empty(&f->woken)) {
		struct txn *t = LIST_OWNER(f->woken.next, struct txn, node);
		list_remove(&t->node);
		txn_run(t);
	}
	list_init(&now);
	while (!list_empty(&f->ready))
		list_append(&now, f->ready.next);
	while (!list_empty(&now)) {
		struct front *c = LIST_OWNER(now.next, struct front, node);
		front_run(c);
	}
	catalog_turn(f);
	bool more = records_turn(f);
	empty_limbo(f);
	metrics_peak(f->metrics, METRIC_POOL_RECORDS_PEAK, f->tls.records.peak);
	metrics_peak(f->metrics, METRIC_POOL_BUFFERS_PEAK, f->small.peak);
	metrics_peak(f->metrics, METRIC_POOL_LARGE_PEAK, f->large.peak);
	return !more && list_empty(&f->ready) && list_empty(&f->ready_links) && list_empty(&f->woken) ? timers_wait(&f->timers, flow_now(f)) : 0;
}

void flow_drain(struct flow *f, int64_t grace_ms)
{
	if (f->draining)
		return;
	f->draining = true;
	f->drain_until_ms = flow_now(f) + grace_ms;
	for (unsigned i = 0; i < f->set->nlisteners; i++)
		loop_forget(f->loop, &f->accept[i].item);
	while (!list_empty(&f->listening)) {
		struct txn *t = LIST_OWNER(f->listening.next, struct txn, node);
		list_remove(&t->node);
		listen_finish(t);
	}
	/* A client at rest may be sending its next request at this moment: its connection stays open a little longer, so that the request is answered. */
	for (uint32_t i = 0; i < f->fronts.fresh; i++) {
		struct front *c = slots_at(&f->fronts, i);
		if (c->f == f && c->item.fd >= 0 && c->state == FRONT_REST) /* the elder has nothing to ask when nobody asks it */
			timer_arm(&f->timers, &c->timer, flow_now(f) + (c->inner == FLOW_INNER_ELDER && f->elder.posts == 0 ? 1 : FLOW_LINGER_MS));
	}
}

bool flow_drained(const struct flow *f)
{
	return f->draining && (f->fronts.used == 0 || flow_now(f) >= f->drain_until_ms);
}

void flow_log(struct flow *f, struct span what, struct span who, struct span detail)
{
	char mem[512];
	struct buf b = buf_on(mem, sizeof(mem));

	buf_put(&b, what);
	if (!span_absent(who)) {
		BUF_LIT(&b, " \"");
		buf_put(&b, who);
		BUF_LIT(&b, "\"");
	}
	if (!span_absent(detail)) {
		BUF_LIT(&b, ": ");
		buf_put(&b, detail);
	}
	if (f->set->log)
		f->set->log(buf_span(&b));
}
