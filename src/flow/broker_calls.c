/* Introspection and tokens: what is asked for, kept, given and wiped. */
#include "flow/broker_state.h"

/* ---- answers to workers ---- */

static bool send_answer(struct broker_ask *a)
{
	union broker_packet *m = a->edge->b->packet;
	const struct broker_entry *e = a->entry;
	uint32_t n = e && e->state == ENTRY_READY ? e->n : 0;
	bool sent;

	if (a->kind == ENTRY_TOKEN) {
		m->token.head = (struct broker_token){ BROKER_TOKEN, n > 0, a->call, n, 0 };
		if (n > 0)
			memcpy(m->token.text.p, e->text, n);
	} else {
		m->introspected.head = (struct broker_introspected){ BROKER_INTROSPECTED, n > 0, a->call, n, 0 };
		if (n > 0)
			memcpy(m->introspected.text.p, e->text, n);
	}
	sent = edge_send(a->edge, m);
	crypto_wipe(m, broker_msg_size(m));
	return sent;
}

void call_drop(struct broker_ask *a)
{
	list_remove(&a->of_edge);
	list_remove(&a->of_entry);
	a->edge->open[a->kind]--;
	slots_give(&a->edge->b->asks, a);
}

static bool settled(const struct broker_ask *a) { return !a->entry || a->entry->state == ENTRY_READY || a->entry->state == ENTRY_NONE; }

/* False: the socket is full. */
static bool settle(struct broker_ask *a)
{
	if (a->edge->stuck || !send_answer(a))
		return false;
	call_drop(a);
	return true;
}

bool call_flush(struct broker_edge *e)
{
	struct list now;
	bool all = true;

	list_init(&now);
	while (!list_empty(&e->asks))
		list_append(&now, e->asks.next);
	while (!list_empty(&now)) {
		struct broker_ask *a = LIST_OWNER(now.next, struct broker_ask, of_edge);

		list_append(&e->asks, &a->of_edge);
		if (all && settled(a))
			all = settle(a);
	}
	return all;
}

static void settle_all(struct broker_entry *e)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&e->asks))
		list_append(&now, e->asks.next);
	while (!list_empty(&now)) {
		struct broker_ask *a = LIST_OWNER(now.next, struct broker_ask, of_entry);

		list_append(&e->asks, &a->of_entry);
		(void)settle(a); /* what does not go now goes with call_flush() */
	}
}

/* ---- entries ---- */

static void wipe(struct broker_entry *e)
{
	crypto_wipe(e->text, e->n);
	e->n = 0;
}

static void give_up(struct broker_entry *e)
{
	wipe(e);
	crypto_wipe(e->key, sizeof e->key);
	e->state = ENTRY_FREE;
	e->forced = false;
}

static bool idle(const struct broker_entry *e)
{
	return e->state == ENTRY_FREE || ((e->state == ENTRY_READY || e->state == ENTRY_NONE) && list_empty(&e->asks));
}

static struct broker_entry *find(struct broker_table *t, const uint8_t key[CRYPTO_HASH])
{
	for (uint32_t i = 0; i < t->count; i++)
		if (t->entries[i].state != ENTRY_FREE && crypto_equal(t->entries[i].key, key, CRYPTO_HASH))
			return &t->entries[i];
	return NULL;
}

/* A free one, or the oldest that nobody waits for; NULL: somebody waits for each. */
static struct broker_entry *take(struct broker_table *t)
{
	struct broker_entry *best = NULL;

	for (uint32_t i = 0; i < t->count; i++) {
		struct broker_entry *e = &t->entries[i];

		if (e->state == ENTRY_FREE)
			return e;
		if (idle(e) && (!best || e->began_ms < best->began_ms))
			best = e;
	}
	if (best)
		give_up(best);
	return best;
}

static void over(struct broker_entry *e, enum entry_state state, int64_t until_ms)
{
	if (state == ENTRY_NONE)
		wipe(e);
	e->state = (uint8_t)state;
	e->until_ms = until_ms;
	settle_all(e);
}

static struct span who(const struct broker *b, const struct broker_entry *e)
{
	return e->kind == ENTRY_TOKEN ? b->set->servers[e->index].name : b->set->issuers[e->index].name;
}

static void fail(struct broker *b, struct broker_entry *e, struct span why, struct span more)
{
	bool token = e->kind == ENTRY_TOKEN;

	broker_say(b, token ? SPAN("has no credential for upstream") : SPAN("has no introspection answer of issuer"), who(b, e), why, more);
	over(e, ENTRY_NONE, broker_now(b) + (token ? BROKER_FAILED_MS : BROKER_UNANSWERED_MS));
}

/* ---- asking authorization servers ---- */

static struct span secret_of(const struct broker_secret *s) { return span_of(s->text, s->n); }

static void authenticate(struct buf *head, struct span id, struct span secret)
{
	BUF_LIT(head, "Accept: application/json\r\nAuthorization: ");
	oauth_basic(head, id, secret);
	BUF_LIT(head, "\r\n");
}

static void ask_token(struct broker *b, struct broker_entry *e, struct fetch *t, struct buf *form)
{
	const struct broker_server *s = &b->set->servers[e->index];
	struct oauth_ask ask = {
		.exchange = e->exchange, .subject = span_of(e->text, e->n),
		.scope = s->scope, .resource = s->resource, .audience = s->audience
	};
	struct buf *head = fetch_begin(t, &s->token, true);

	oauth_token_request(form, &ask);
	if (s->secret) {
		authenticate(head, s->client_id, secret_of(&b->server_secrets[e->index]));
	} else {
		BUF_LIT(head, "Accept: application/json\r\n");
		oauth_form(form, SPAN("client_id"), s->client_id);
	}
}

static void ask_introspection(struct broker *b, struct broker_entry *e, struct fetch *t, struct buf *form)
{
	const struct broker_issuer *i = &b->set->issuers[e->index];
	struct buf *head = fetch_begin(t, &i->introspect, true);

	oauth_introspection_request(form, span_of(e->text, e->n));
	if (!span_absent(i->client_id))
		authenticate(head, i->client_id, secret_of(&b->issuer_secrets[e->index]));
	else
		BUF_LIT(head, "Accept: application/json\r\n");
}

static void begin(struct broker *b, struct broker_entry *e, struct fetch *t)
{
	struct buf form = buf_on(b->scratch, FETCH_REQUEST_MAX);

	if (e->kind == ENTRY_TOKEN)
		ask_token(b, e, t, &form);
	else
		ask_introspection(b, e, t, &form);
	wipe(e);
	e->state = ENTRY_FETCHING;
	fetch_send(t, buf_span(&form), e->until_ms);
	crypto_wipe(form.p, form.n);
}

static int free_slot(const struct broker_table *t)
{
	for (unsigned i = 0; i < t->nslots; i++)
		if (!t->slots[i].entry)
			return (int)i;
	return -1;
}

/* Queued first, begun first; a deadline covers the waiting too. */
static void begin_next(struct broker *b, struct broker_table *t)
{
	while (!list_empty(&t->queue)) {
		struct broker_entry *e = LIST_OWNER(t->queue.next, struct broker_entry, queue);
		bool late = broker_now(b) >= e->until_ms;
		int slot = free_slot(t);

		if (slot < 0 && !late)
			return;
		list_remove(&e->queue);
		if (late) {
			fail(b, e, SPAN("too many are waiting"), SPAN(""));
		} else {
			t->slots[slot].entry = e;
			begin(b, e, t->slots[slot].fetch);
		}
	}
}

/* To be had anew; `text` goes into the request. */
static void renew(struct broker *b, struct broker_entry *e, struct span text)
{
	wipe(e);
	if (text.n > 0)
		memcpy(e->text, text.p, text.n);
	e->n = (uint32_t)text.n;
	e->exchange = e->kind == ENTRY_TOKEN && text.n > 0;
	e->state = ENTRY_QUEUED;
	e->began_ms = broker_now(b);
	e->until_ms = broker_now(b) + b->set->fetch_ms;
	list_append(&b->tables[e->kind].queue, &e->queue);
}

/* ---- what they said ---- */

static int64_t kept_ms(bool exchanged, int64_t life_s)
{
	int64_t life = life_s * 1000, most = exchanged ? BROKER_EXCHANGED_MAX_MS : BROKER_CLIENT_MAX_MS;

	if (life == 0)
		return BROKER_UNSAID_MS;
	life = life < 2 * BROKER_EARLY_MS ? life / 2 : life - BROKER_EARLY_MS;
	return life < most ? life : most;
}

static void read_token(struct broker *b, struct broker_entry *e, struct fetch *t)
{
	const struct broker_server *s = &b->set->servers[e->index];
	struct oauth_ask ask = { .exchange = e->exchange, .scope = s->scope, .resource = s->resource, .audience = s->audience };
	struct buf line = buf_on(e->text, sizeof e->text);
	struct oauth_token token;
	enum oauth_error wrong;

	BUF_LIT(&line, "Authorization: Bearer ");
	wrong = oauth_token_read(&token, b->json, fetch_body(t), &ask, &line);
	if (wrong == OAUTH_OK) {
		wrong = oauth_token_judge(b->json, token.token, &ask, b->scratch, FETCH_REQUEST_MAX);
		crypto_wipe(b->scratch, OAUTH_TOKEN_MAX);
	}
	e->n = (uint32_t)sizeof e->text; /* the reader may have used the room behind the line */
	if (wrong != OAUTH_OK) {
		fail(b, e, SPAN("its token answer is refused:"), oauth_error_text(wrong));
		return;
	}
	crypto_wipe(e->text + line.n, sizeof e->text - line.n);
	e->n = (uint32_t)line.n;
	over(e, ENTRY_READY, e->began_ms + kept_ms(e->exchange, token.life_s));
}

static void read_introspection(struct broker *b, struct broker_entry *e, struct span text)
{
	struct oauth_introspection i;
	enum oauth_error wrong = oauth_introspection_read(&i, b->json, text);
	int64_t kept = BROKER_INACTIVE_MS;

	if (wrong != OAUTH_OK || text.n > sizeof e->text) {
		fail(b, e, SPAN("its answer is refused:"), wrong != OAUTH_OK ? oauth_error_text(wrong) : SPAN("it is longer than 8 KiB"));
		return;
	}
	if (i.active)
		kept = BROKER_ACTIVE_MS;
	if (i.active && i.until_s != 0) {
		int64_t now_s = b->set->unix_ms() / 1000, left = i.until_s > now_s ? i.until_s - now_s : 0;

		if (left < BROKER_ACTIVE_MS / 1000)
			kept = left * 1000;
	}
	memcpy(e->text, text.p, text.n);
	e->n = (uint32_t)text.n;
	over(e, ENTRY_READY, broker_now(b) + kept);
}

static void read_answer(struct broker *b, struct broker_entry *e, struct fetch *t)
{
	char mem[128];
	struct buf more = buf_on(mem, sizeof mem);

	if (fetch_why(t) != FETCH_OK) {
		fail(b, e, fetch_end_text(fetch_why(t)), fetch_why(t) == FETCH_TLS ? tls_error_text(fetch_tls_why(t)) : SPAN(""));
		return;
	}
	if (fetch_status(t) != 200) {
		buf_char(&more, ' ');
		buf_u64(&more, fetch_status(t));
		if (fetch_is(t, SPAN("json"))) {
			struct span code = oauth_error_code(b->json, fetch_body(t));

			/* RFC 7662 2.2 wants an answer here, but there are servers that say so of a JWT: it is none that they vouch for. */
			if (e->kind == ENTRY_INTROSPECT && fetch_status(t) == 400 && span_eq(code, SPAN("unsupported_token_type"))) {
				read_introspection(b, e, SPAN("{\"active\":false}"));
				return;
			}
			BUF_LIT(&more, ", ");
			buf_put(&more, code);
		}
		fail(b, e, SPAN("the endpoint answered with HTTP status"), buf_span(&more));
		return;
	}
	if (!fetch_is(t, SPAN("json"))) {
		fail(b, e, SPAN("the endpoint sent no JSON"), SPAN(""));
		return;
	}
	if (e->kind == ENTRY_TOKEN)
		read_token(b, e, t);
	else
		read_introspection(b, e, fetch_body(t));
}

void call_tick(struct broker *b)
{
	for (unsigned k = 0; k < ENTRY_KINDS; k++) {
		struct broker_table *t = &b->tables[k];

		for (unsigned i = 0; i < t->nslots; i++) {
			struct broker_entry *e = t->slots[i].entry;

			if (!e || fetch_state(t->slots[i].fetch) != FETCH_DONE)
				continue;
			read_answer(b, e, t->slots[i].fetch);
			fetch_clear(t->slots[i].fetch);
			t->slots[i].entry = NULL;
		}
		begin_next(b, t);
	}
}

void call_sweep(struct broker *b)
{
	for (unsigned k = 0; k < ENTRY_KINDS; k++)
		for (uint32_t i = 0; i < b->tables[k].count; i++) {
			struct broker_entry *e = &b->tables[k].entries[i];

			if (e->state != ENTRY_FREE && idle(e) && broker_now(b) >= e->until_ms)
				give_up(e);
		}
}

bool call_kept(const struct broker *b)
{
	for (unsigned k = 0; k < ENTRY_KINDS; k++)
		for (uint32_t i = 0; i < b->tables[k].count; i++)
			if (b->tables[k].entries[i].state != ENTRY_FREE)
				return true;
	return false;
}

/* ---- asks ---- */

/* The pool holds as many asks as all edges may have open. */
static void attach(struct broker_edge *edge, struct broker_entry *e, uint64_t call, enum entry_kind kind)
{
	struct broker_ask *a = slots_take(&edge->b->asks);

	*a = (struct broker_ask){ .edge = edge, .entry = e, .call = call, .kind = kind };
	list_init(&a->of_edge);
	list_init(&a->of_entry);
	list_append(&edge->asks, &a->of_edge);
	if (e)
		list_append(&e->asks, &a->of_entry);
	edge->open[kind]++;
	if (settled(a))
		(void)settle(a);
}

/* The entry for `key`: as it is, being had, or to be had with `text`. NULL: none is free. */
static struct broker_entry *obtain(struct broker *b, enum entry_kind kind, unsigned index, const uint8_t key[CRYPTO_HASH], struct span text, bool again)
{
	struct broker_table *t = &b->tables[kind];
	struct broker_entry *e = find(t, key);

	if (!e) {
		e = take(t);
		if (!e)
			return NULL;
		e->kind = (uint8_t)kind;
		e->index = (uint8_t)index;
		e->forced = false;
		memcpy(e->key, key, sizeof e->key);
		renew(b, e, text);
	} else if (e->state == ENTRY_READY || e->state == ENTRY_NONE) {
		bool force = again && e->state == ENTRY_READY && (!e->forced || broker_now(b) - e->forced_ms >= BROKER_AGAIN_MS);

		if (force) {
			e->forced = true;
			e->forced_ms = broker_now(b);
		}
		/* Asks that a full socket holds up wait for the new answer with the others. */
		if (force || broker_now(b) >= e->until_ms)
			renew(b, e, text);
	}
	return e;
}

static void hash(uint8_t key[CRYPTO_HASH], unsigned index, unsigned tenant, struct span token)
{
	struct { uint8_t parts[CRYPTO_HASH]; uint32_t index, tenant; } whole;

	memset(&whole, 0, sizeof whole);
	crypto_sha256(token.p, token.n, whole.parts);
	whole.index = index;
	whole.tenant = tenant;
	crypto_sha256(&whole, sizeof whole, key);
}

const char *call_introspect(struct broker_edge *e, const struct broker_introspect *m, struct span token)
{
	struct broker *b = e->b;
	uint8_t key[CRYPTO_HASH];

	if (m->issuer >= b->set->nissuers || !b->set->issuers[m->issuer].introspection)
		return "a question to an issuer without introspection";
	if (e->open[ENTRY_INTROSPECT] == b->set->asks)
		return "more questions than agreed";
	hash(key, m->issuer, 0, token);
	attach(e, obtain(b, ENTRY_INTROSPECT, m->issuer, key, token, false), m->call, ENTRY_INTROSPECT);
	begin_next(b, &b->tables[ENTRY_INTROSPECT]);
	return NULL;
}

const char *call_token(struct broker_edge *e, const struct broker_token_ask *m, struct span subject)
{
	struct broker *b = e->b;
	enum broker_kind kind = m->server < b->set->nservers ? b->set->servers[m->server].kind : BROKER_NO_CREDENTIAL;
	struct broker_entry *entry = NULL;
	uint8_t key[CRYPTO_HASH];

	if (kind == BROKER_NO_CREDENTIAL || (m->tenant >= b->set->tenants && m->tenant != BROKER_NO_TENANT))
		return "a question about a server without credentials, or a tenant that is not there";
	if (subject.n > 0 && kind != BROKER_EXCHANGE)
		return "a caller's token where none belongs";
	if (e->open[ENTRY_TOKEN] == b->set->asks)
		return "more questions than agreed";
	if (kind == BROKER_STATIC) {
		entry = m->again ? NULL : &b->statics[m->server];
	} else if (kind == BROKER_CLIENT || subject.n > 0 || m->tenant == BROKER_NO_TENANT) {
		hash(key, m->server, m->tenant, subject);
		entry = obtain(b, ENTRY_TOKEN, m->server, key, subject, m->again);
	}
	attach(e, entry, m->call, ENTRY_TOKEN);
	begin_next(b, &b->tables[ENTRY_TOKEN]);
	return NULL;
}
