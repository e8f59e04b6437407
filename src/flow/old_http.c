#include "flow/old_http.h"

#include "base/carve.h"
#include "flow/old_http_state.h"
#include "wire/http_write.h"

#define NOTHING span_of(NULL, 0)

enum { RECORDS_MAX = 32 };

/* ---- memory ---- */

static uint32_t call_count(const struct old_http_settings *s) { return 2 * s->calls + 2 * s->peers; }

static struct exchange_settings exchanges(const struct old_http_settings *s)
{
	return (struct exchange_settings){ .exchanges = call_count(s), .larges = s->larges, .request_max = s->message_max + EXCHANGE_SMALL, .reply_max = s->reply_max };
}

static uint32_t records(const struct old_http_settings *s)
{
	return !s->tls ? 0 : call_count(s) < RECORDS_MAX ? call_count(s) : RECORDS_MAX;
}

uint32_t old_http_files(const struct old_http_settings *s) { return call_count(s) + 1; }

size_t old_http_need(const struct old_http_settings *s)
{
	struct exchange_settings e = exchanges(s);
	size_t need = carve_up(sizeof(struct old_http)) + carve_up(sizeof(struct peer) * s->peers) + carve_up(slots_need(sizeof(struct call), call_count(s))) +
		carve_up(exchange_need(&e));

	return !s->tls ? need : need + carve_up(slots_need(conn_state_size(false), call_count(s))) + carve_up(slots_need(conn_records_size(), records(s)));
}

static void place_peer(struct old_http *h, struct peer *p, unsigned index)
{
	const struct old_http_settings *s = h->set;

	p->h = h;
	p->index = index;
	p->conns = (struct exchange_peer){ .address = s->address, .host = s->host, .path = s->path, .tls = s->tls, .connect_ms = s->connect_ms };
	exchange_peer_start(&p->conns);
	list_init(&p->calls);
}

struct old_http *old_http_place(void *mem, const struct old_http_settings *s, struct loop *loop)
{
	char *at = mem;
	struct old_http *h = carve(&at, sizeof *h, 1);
	struct exchange_settings e = exchanges(s);

	h->set = s;
	h->loop = loop;
	timers_init(&h->timers, loop->now_ms);
	list_init(&h->deletes);
	list_init(&h->due);
	h->peers = carve(&at, sizeof(struct peer), s->peers);
	for (uint32_t i = 0; i < s->peers; i++)
		place_peer(h, &h->peers[i], i);
	slots_place(&h->calls, carve(&at, slots_each(sizeof(struct call)), call_count(s)), sizeof(struct call), call_count(s));
	e.hooks = (struct exchange_hooks){ h, old_head, old_event, old_end, old_may };
	e.loop = loop;
	e.timers = &h->timers;
	if (s->tls) {
		char *states = at + carve_up(exchange_need(&e));
		char *pairs = states + carve_up(slots_need(conn_state_size(false), call_count(s)));

		slots_place(&h->conns.states, states, conn_state_size(false), call_count(s));
		slots_place(&h->conns.records, pairs, conn_records_size(), records(s));
		conn_pool_start(&h->conns, loop, s->entropy, sizeof s->entropy);
		h->conns.unix_ms = s->hooks.unix_ms;
		h->conns.unix_ctx = s->hooks.ctx;
		e.conns = &h->conns;
	}
	h->pool = exchange_place(carve(&at, exchange_need(&e), 1), &e);
	return h;
}

/* ---- calls ---- */

static void on_time(struct timer *t);

static bool counts(const struct call *c) { return c->kind != CALL_STREAM; }
static bool is_besides(enum call_kind kind) { return kind == CALL_NOTIFICATION || kind == CALL_RESPONSE; }

static struct call *call_new(struct peer *p, enum call_kind kind)
{
	struct old_http *h = p->h;
	/* Answers to the server's questions, and notifications, may not take all places: a server can ask without end. */
	struct call *c = is_besides(kind) && h->besides >= h->set->calls ? NULL : slots_take(&h->calls);
	uint32_t life;

	if (!c)
		return NULL;
	life = c->life;
	*c = (struct call){ .life = life, .kind = kind, .state = CALL_SESSION, .h = h, .peer = p };
	list_init(&c->node);
	list_init(&c->due);
	timer_init(&c->timer, on_time);
	list_append(kind == CALL_DELETE ? &h->deletes : &p->calls, &c->node);
	h->open += counts(c);
	h->besides += is_besides(kind);
	return c;
}

void old_call_free(struct call *c)
{
	struct old_http *h = c->h;

	if (c->x)
		exchange_close(c->x);
	c->x = NULL;
	h->paused -= c->paused;
	h->open -= counts(c);
	h->besides -= is_besides(c->kind);
	timer_disarm(&h->timers, &c->timer);
	list_remove(&c->node);
	list_remove(&c->due);
	c->life++;
	slots_give(&h->calls, c);
}

/* The exchange that waits to be sent, with its body. */
static bool call_keep(struct call *c, enum exchange_method method, struct span body)
{
	struct buf *head;

	c->x = exchange_begin(c->h->pool, &c->peer->conns, method, c, &head);
	return c->x && exchange_keep(c->x, body);
}

void old_call_ask(struct call *c) { list_append(&c->h->due, &c->due); }

void old_call_hold(struct call *c)
{
	c->state = CALL_SESSION;
	if (c->peer->ready)
		old_call_ask(c);
}

static void put_fields(struct call *c, struct buf *head, struct span credential)
{
	const struct old_http_settings *s = c->h->set;
	struct peer *p = c->peer;
	bool gets = c->kind == CALL_STREAM || c->resuming;
	struct span id = c->kind == CALL_DELETE ? span_of(c->text, c->ntext) : span_of(p->id, p->nid);

	http_write_field(head, SPAN("Accept"), gets ? SPAN("text/event-stream") : SPAN("application/json, text/event-stream"));
	if (!gets && c->kind != CALL_DELETE)
		http_write_field(head, SPAN("Content-Type"), SPAN("application/json"));
	buf_put(head, s->fields);
	if (!span_absent(credential)) {
		buf_put(head, credential);
		BUF_LIT(head, "\r\n");
	}
	if (c->kind == CALL_INITIALIZE)
		return;
	if (id.n > 0)
		http_write_field(head, SPAN("Mcp-Session-Id"), id);
	if (p->nversion > 0)
		http_write_field(head, SPAN("MCP-Protocol-Version"), span_of(p->version, p->nversion));
	if (gets && c->ntext > 0)
		http_write_field(head, SPAN("Last-Event-ID"), span_of(c->text, c->ntext));
}

static void call_send(struct call *c, struct span credential)
{
	struct old_http *h = c->h;
	int64_t until = 0;

	c->state = CALL_ASKED;
	c->session = c->kind != CALL_INITIALIZE && c->peer->nid > 0 ? c->peer->session : 0;
	put_fields(c, exchange_again(c->x), credential);
	if (c->kind == CALL_REQUEST)
		timer_arm(&h->timers, &c->timer, h->loop->now_ms + h->set->answer_ms);
	else if (c->kind != CALL_STREAM && c->kind != CALL_DELETE)
		until = h->loop->now_ms + h->set->answer_ms;
	/* A request is not sent again on a new connection: the server may have executed it before it closed the old one. */
	exchange_send(c->x, NOTHING, until, c->kind != CALL_REQUEST || c->resuming);
}

/* The session is gone, or does not stand yet: the call waits for the next. */
static bool call_waits(struct call *c)
{
	if (c->peer->ready || (c->kind != CALL_REQUEST && !is_besides(c->kind)))
		return false;
	c->state = CALL_SESSION;
	return true;
}

static void call_go(struct call *c)
{
	struct old_http *h = c->h;
	uint64_t tag = (uint64_t)c->life << 32 | slots_index(&h->calls, c);

	if (call_waits(c))
		return;
	if (c->kind == CALL_REQUEST && c->resuming && c->session != 0 && c->session != c->peer->session) {
		old_call_failed(c, SPAN("broke its event stream before the answer, and its session is gone"));
		return;
	}
	if (!h->set->credential) {
		call_send(c, NOTHING);
		return;
	}
	c->state = CALL_CREDENTIAL;
	if (!h->set->hooks.credential(h->set->hooks.ctx, tag, c->again))
		old_call_failed(c, SPAN("cannot be asked: no credential for it is to be had"));
}

void old_http_credential(struct old_http *h, uint64_t call, struct span line)
{
	uint32_t slot = (uint32_t)call;
	struct call *c = slot < h->calls.fresh ? slots_at(&h->calls, slot) : NULL;

	if (!c || c->life != call >> 32 || c->state != CALL_CREDENTIAL)
		return; /* closed, or it came too late */
	if (span_absent(line))
		old_call_failed(c, SPAN("cannot be asked: no credential for it is to be had"));
	else if (line.n > CREDENTIAL_MAX || !http_field_ok(line))
		old_call_failed(c, SPAN("cannot be asked: its credential is no head line that fits"));
	else if (!call_waits(c))
		call_send(c, line);
}

/* ---- streams that go on ---- */

void old_call_resume(struct call *c)
{
	int64_t wait = c->x ? exchange_retry_ms(c->x) : OLD_HTTP_RETRY_MS;
	unsigned doubled = c->kind == CALL_STREAM ? (c->resumes < 5 ? c->resumes : 5) : 0;

	if (wait < 0)
		wait = OLD_HTTP_RETRY_MS;
	if (wait < OLD_HTTP_RETRY_MIN_MS)
		wait = OLD_HTTP_RETRY_MIN_MS;
	wait <<= doubled;
	c->resumes++;
	c->x = NULL; /* it has ended */
	c->state = CALL_PAUSE;
	c->resuming = true;
	timer_arm(&c->h->timers, &c->timer, c->h->loop->now_ms + (wait < OLD_HTTP_RETRY_MAX_MS ? wait : OLD_HTTP_RETRY_MAX_MS));
}

static void pause_over(struct call *c)
{
	if (call_keep(c, EXCHANGE_GET, NOTHING)) {
		call_go(c);
	} else if (c->kind == CALL_STREAM) {
		if (c->x)
			exchange_close(c->x);
		c->x = NULL;
		old_call_resume(c);
	} else {
		old_call_failed(c, SPAN("broke its event stream, and there is no room to ask for the rest"));
	}
}

static void on_time(struct timer *t)
{
	struct call *c = LIST_OWNER(t, struct call, timer);
	const struct old_http_hooks *hooks = &c->h->set->hooks;

	if (c->state == CALL_PAUSE)
		pause_over(c);
	else if (c->kind == CALL_REQUEST && hooks->awaits(hooks->ctx, c->peer->index, c->id))
		timer_arm(&c->h->timers, &c->timer, c->h->loop->now_ms + c->h->set->answer_ms);
	else /* no answer is awaited: there was no such call, or its answer came on another stream */
		old_call_free(c);
}

static void stream_open(struct peer *p)
{
	struct call *c = p->no_stream ? NULL : call_new(p, CALL_STREAM);

	if (c && call_keep(c, EXCHANGE_GET, NOTHING))
		old_call_ask(c);
	else if (c)
		old_call_free(c);
}

/* ---- peers ---- */

void old_peer_ready(struct peer *p)
{
	p->ready = true;
	for (struct list *n = p->calls.next; n != &p->calls; n = n->next) {
		struct call *c = LIST_OWNER(n, struct call, node);

		if (c->state == CALL_SESSION && c->kind != CALL_INITIALIZE)
			old_call_ask(c);
	}
	stream_open(p);
}

void old_peer_lost_session(struct peer *p)
{
	if (!p->ready)
		return;
	p->ready = false;
	p->nid = 0;
	p->again_due = true;
	for (struct list *n = p->calls.next, *next; n != &p->calls; n = next) {
		struct call *c = LIST_OWNER(n, struct call, node);

		next = n->next;
		if (c->kind == CALL_STREAM || (c->kind == CALL_RESPONSE && c->state != CALL_ASKED))
			old_call_free(c);
	}
}

void old_peer_close(struct peer *p)
{
	while (!list_empty(&p->calls))
		old_call_free(LIST_OWNER(p->calls.next, struct call, node));
	p->on = p->up_due = p->again_due = p->ready = p->no_stream = false;
	p->nid = p->nversion = 0;
}

void old_http_start(struct old_http *h, unsigned peer)
{
	struct peer *p = &h->peers[peer];

	old_peer_close(p);
	p->on = p->up_due = true;
}

void old_http_stop(struct old_http *h, unsigned peer)
{
	struct peer *p = &h->peers[peer];
	struct call *c = p->on && p->nid > 0 ? call_new(p, CALL_DELETE) : NULL;
	uint16_t nversion = p->nversion;

	if (c) {
		c->ntext = p->nid;
		memcpy(c->text, p->id, p->nid);
		timer_arm(&h->timers, &c->timer, h->loop->now_ms + OLD_HTTP_DELETE_MS);
	}
	old_peer_close(p);
	p->nversion = nversion; /* of the DELETE; the next session brings its own */
	if (c && call_keep(c, EXCHANGE_DELETE, NOTHING))
		old_call_ask(c);
	else if (c)
		old_call_free(c);
}

/* ---- messages ---- */

static void cancel(struct peer *p, uint64_t id)
{
	for (struct list *n = p->calls.next; n != &p->calls; n = n->next) {
		struct call *c = LIST_OWNER(n, struct call, node);

		if (c->kind == CALL_REQUEST && c->id == id) {
			old_call_free(c);
			return;
		}
	}
}

bool old_http_send(struct old_http *h, unsigned peer, enum old_http_what what, uint64_t id, struct span version, struct span message)
{
	struct peer *p = peer < h->set->peers ? &h->peers[peer] : NULL;
	struct call *c;

	if (!p || !p->on)
		return false;
	if (what == OLD_HTTP_NOTIFICATION && id != 0)
		cancel(p, id);
	if (version.n <= sizeof p->version && http_token_ok(version)) {
		memcpy(p->version, version.p, version.n);
		p->nversion = (uint16_t)version.n;
	}
	c = call_new(p, (enum call_kind)what);
	if (!c)
		return false;
	c->id = id;
	if (!call_keep(c, EXCHANGE_POST, message)) {
		old_call_free(c);
		return false;
	}
	if (what == OLD_HTTP_INITIALIZE || what == OLD_HTTP_INITIALIZED || p->ready)
		old_call_ask(c);
	return true;
}

uint32_t old_http_open(const struct old_http *h) { return h->open; }

/* ---- turns ---- */

static void give_room(struct old_http *h)
{
	if (h->paused == 0 || (h->set->hooks.room && !h->set->hooks.room(h->set->hooks.ctx)))
		return;
	for (uint32_t i = 0; i < h->set->peers; i++)
		for (struct list *n = h->peers[i].calls.next; n != &h->peers[i].calls; n = n->next) {
			struct call *c = LIST_OWNER(n, struct call, node);

			if (!c->paused)
				continue;
			c->paused = false;
			h->paused--;
			exchange_resume(c->x);
		}
}

void old_http_tick(struct old_http *h)
{
	const struct old_http_hooks *hooks = &h->set->hooks;

	timers_run(&h->timers, h->loop->now_ms);
	for (uint32_t i = 0; i < h->set->peers; i++) {
		struct peer *p = &h->peers[i];
		bool up = p->up_due, again = p->again_due;

		p->up_due = p->again_due = false;
		if (up)
			hooks->up(hooks->ctx, i);
		else if (again)
			hooks->again(hooks->ctx, i);
	}
	give_room(h);
	for (uint32_t n = h->calls.used; n > 0 && !list_empty(&h->due); n--) {
		struct call *c = LIST_OWNER(h->due.next, struct call, due);

		list_remove(&c->due);
		call_go(c);
	}
	(void)exchange_turn(h->pool);
	h->more = h->set->tls && conn_turn(&h->conns);
}

int old_http_wait(struct old_http *h)
{
	bool more = h->more || !list_empty(&h->due) || exchange_waiting(h->pool);

	for (uint32_t i = 0; i < h->set->peers && !more; i++)
		more = h->peers[i].up_due || h->peers[i].again_due;
	return more ? 0 : timers_wait(&h->timers, h->loop->now_ms);
}
