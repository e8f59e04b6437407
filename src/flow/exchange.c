#include "flow/exchange.h"

#include "base/bug.h"
#include "base/carve.h"
#include "flow/exchange_state.h"

struct span exchange_end_text(enum exchange_end e)
{
	switch (e) {
	case EXCHANGE_OK: return SPAN("answered");
	case EXCHANGE_UNREACHABLE: return SPAN("cannot be reached");
	case EXCHANGE_LATE: return SPAN("did not answer in time");
	case EXCHANGE_TLS: return SPAN("cannot be spoken to over TLS");
	case EXCHANGE_LOST: return SPAN("closed the connection before its answer was whole");
	case EXCHANGE_BROKEN: return SPAN("sent an answer that is not HTTP/1.1, or with a coding it was not asked for");
	case EXCHANGE_OVER: return SPAN("sent an answer over the limit");
	case EXCHANGE_FULL: return SPAN("was not asked, or not heard to the end: no memory or descriptor is free, or the request is too long");
	case EXCHANGE_ENDS: break;
	}
	return SPAN("failed");
}

struct span exchange_field(const struct http_head *h, struct span name)
{
	for (unsigned i = 0; i < h->nfields; i++)
		if (span_ieq(h->fields[i].name, name))
			return h->fields[i].value;
	return span_of(NULL, 0);
}

/* ---- memory ---- */

enum { AREAS = 4 };

static uint32_t line_count(const struct exchange_settings *s) { return s->exchanges * 2 + 2; }  /* those in limbo have a slot until the next turn */

static size_t large_size(const struct exchange_settings *s)
{
	size_t reply = (size_t)s->reply_max + SLACK;

	return s->request_max > reply ? s->request_max : reply;
}

size_t exchange_need(const struct exchange_settings *s)
{
	return carve_up(sizeof(struct exchange_pool)) + carve_up(slots_need(sizeof(struct exchange), s->exchanges)) + carve_up(slots_need(sizeof(struct line), line_count(s))) +
		(size_t)s->exchanges * AREAS * EXCHANGE_SMALL + slots_need(large_size(s), s->larges);
}

struct exchange_pool *exchange_place(void *mem, const struct exchange_settings *s)
{
	struct exchange_pool *p = mem;
	char *at = (char *)mem + carve_up(sizeof *p);

	p->set = *s;
	list_init(&p->ready);
	list_init(&p->idle);
	list_init(&p->limbo);
	slots_place(&p->exchanges, at, sizeof(struct exchange), s->exchanges);
	at += carve_up(slots_need(sizeof(struct exchange), s->exchanges));
	slots_place(&p->lines, at, sizeof(struct line), line_count(s));
	at += carve_up(slots_need(sizeof(struct line), line_count(s)));
	for (uint32_t i = 0; i < s->exchanges; i++) {
		struct exchange *x = slots_at(&p->exchanges, i);

		x->small_out = (struct area){ at, EXCHANGE_SMALL, false };
		x->small_in = (struct area){ at + EXCHANGE_SMALL, EXCHANGE_SMALL, false };
		x->small_event = (struct area){ at + 2 * EXCHANGE_SMALL, EXCHANGE_SMALL, false };
		x->small_given = (struct area){ at + 3 * EXCHANGE_SMALL, EXCHANGE_SMALL, false };
		at += AREAS * EXCHANGE_SMALL;
	}
	slots_place(&p->larges, at, large_size(s), s->larges);
	return p;
}

bool exchange_area_grow(struct exchange_pool *p, struct area *a)
{
	char *large = slots_take(&p->larges);

	if (!large)
		return false;
	*a = (struct area){ large, p->larges.each, true };
	return true;
}

void exchange_area_back(struct exchange_pool *p, struct area *a, const struct area *small)
{
	if (a->large)
		slots_give(&p->larges, a->p);
	*a = *small;
}

uint32_t exchange_used(const struct exchange_pool *p) { return p->exchanges.used; }
bool exchange_waiting(const struct exchange_pool *p) { return !list_empty(&p->ready); }

/* ---- the life of one ---- */

void exchange_drop_request(struct exchange *x)
{
	crypto_wipe(x->out.p, x->out.n);
	x->out = buf_on(x->small_out.p, 0);
	crypto_wipe(x->given.p, x->ngiven);
	exchange_area_back(x->pool, &x->given, &x->small_given);
	x->ngiven = x->ninside = x->sent = 0;
}

static void release(struct exchange *x)
{
	struct exchange_pool *p = x->pool;

	list_remove(&x->ready);
	timer_disarm(p->set.timers, &x->timer);
	if (x->line) {
		x->line->x = NULL;
		exchange_line_close(x->line);
		x->line = NULL;
	}
	exchange_drop_request(x);
	exchange_area_back(p, &x->in, &x->small_in);
	exchange_area_back(p, &x->event, &x->small_event);
	x->state = X_FREE;
	x->life++;
	slots_give(&p->exchanges, x);
}

void exchange_finish(struct exchange *x, enum exchange_end why)
{
	struct exchange_pool *p = x->pool;
	uint32_t life = x->life;

	list_remove(&x->ready);
	timer_disarm(p->set.timers, &x->timer);
	if (x->line) {
		x->line->x = NULL;
		exchange_line_close(x->line);
		x->line = NULL;
	}
	exchange_drop_request(x);
	x->state = X_ENDED;
	p->set.hooks.end(p->set.hooks.ctx, x, why);
	if (x->life == life)
		release(x);
}

static void on_timeout(struct timer *t) { exchange_finish(LIST_OWNER(t, struct exchange, timer), EXCHANGE_LATE); }

static void begin_head(struct exchange *x)
{
	x->state = X_BEGUN;
	x->out = buf_on(x->small_out.p, x->small_out.cap);
	if (x->method == EXCHANGE_POST)
		http_write_post(&x->out, x->peer->path);
	else if (x->method == EXCHANGE_GET)
		http_write_get(&x->out, x->peer->path);
	else
		http_write_delete(&x->out, x->peer->path);
	http_write_field(&x->out, SPAN("Host"), x->peer->host);
}

/* As if nothing had been heard. */
static void reset(struct exchange *x)
{
	exchange_area_back(x->pool, &x->in, &x->small_in);
	exchange_area_back(x->pool, &x->event, &x->small_event);
	x->sent = x->ninside = x->scanned = x->n = x->start = x->end = x->raw = x->taken = 0;
	x->tls_why = TLS_NO_ERROR;
	x->status = 0;
	x->ntype = 0;
	x->doomed = x->retried = x->keep = x->paused = x->streams = false;
	x->pace = (struct pace){ 0 };
	sse_start(&x->sse, x->event.p, x->event.cap);
}

struct exchange *exchange_begin(struct exchange_pool *p, struct exchange_peer *peer, enum exchange_method method, void *data, struct buf **head)
{
	struct exchange *x = slots_take(&p->exchanges);

	if (!x)
		return NULL;
	x->pool = p;
	x->peer = peer;
	x->method = method;
	x->line = NULL;
	x->data = data;
	list_init(&x->ready);
	timer_init(&x->timer, on_timeout);
	x->given = x->small_given;
	x->in = x->small_in;
	x->event = x->small_event;
	x->ngiven = 0;
	x->again = x->taken_back = false;
	reset(x);
	begin_head(x);
	*head = &x->out;
	return x;
}

static bool copy_body(struct exchange *x, struct span body)
{
	if (body.n + x->out.n > x->pool->set.request_max || (body.n > x->given.cap && !exchange_area_grow(x->pool, &x->given)))
		return false;
	if (body.n > 0)
		memcpy(x->given.p, body.p, body.n);
	x->ngiven = body.n;
	return true;
}

bool exchange_keep(struct exchange *x, struct span body)
{
	if (!copy_body(x, body))
		return false;
	crypto_wipe(x->out.p, x->out.n);
	x->state = X_KEPT;
	return true;
}

void exchange_take_back(struct exchange *x)
{
	x->taken_back = true;
	timer_disarm(x->pool->set.timers, &x->timer);
}

void exchange_taken_back(struct exchange *x)
{
	x->taken_back = false;
	list_remove(&x->ready);
	x->line->x = NULL;
	exchange_line_close(x->line);
	x->line = NULL;
	crypto_wipe(x->out.p, x->out.n);
	x->out = buf_on(x->small_out.p, 0);
	reset(x);
	x->state = X_KEPT;
}

struct buf *exchange_again(struct exchange *x)
{
	if (x->state != X_KEPT)
		bug("an exchange is sent again that was not kept");
	begin_head(x);
	return &x->out;
}

void exchange_queue(struct exchange *x)
{
	x->state = X_QUEUED;
	list_append(&x->pool->ready, &x->ready);
}

void exchange_send(struct exchange *x, struct span body, int64_t until_ms, bool again)
{
	if (x->state != X_BEGUN)
		bug("an exchange is sent that was not begun, or twice");
	if (!span_absent(body) && !copy_body(x, body))
		x->out.full = true;
	if (x->method == EXCHANGE_POST)
		http_write_length(&x->out, x->ngiven);
	http_write_end(&x->out);
	x->doomed = x->out.full;
	x->fate = EXCHANGE_FULL;
	if (x->ngiven <= buf_room(&x->out)) { /* one packet is better than two */
		buf_put(&x->out, span_of(x->given.p, x->ngiven));
		x->ninside = x->ngiven;
	}
	x->again = again;
	exchange_queue(x);
	exchange_until(x, until_ms);
}

void exchange_until(struct exchange *x, int64_t until_ms)
{
	timer_disarm(x->pool->set.timers, &x->timer);
	if (until_ms > 0 && x->state != X_ENDED)
		timer_arm(x->pool->set.timers, &x->timer, until_ms);
}

void exchange_resume(struct exchange *x)
{
	x->paused = false;
	if (x->state == X_EVENTS || x->state == X_BODY)
		list_append(&x->pool->ready, &x->ready);
}

void exchange_close(struct exchange *x)
{
	if (x->state != X_ENDED) /* in its `end` it is freed anyway */
		release(x);
}

bool exchange_turn(struct exchange_pool *p)
{
	uint32_t n = 0;

	exchange_line_sweep(p);
	for (struct list *r = p->ready.next; r != &p->ready; r = r->next)
		n++;
	for (; n > 0 && !list_empty(&p->ready); n--) { /* once each: a server that never stops sending holds up no other */
		struct exchange *x = LIST_OWNER(p->ready.next, struct exchange, ready);

		list_remove(&x->ready);
		if (x->state != X_QUEUED)
			exchange_line_run(x->line);
		else if (!x->doomed && exchange_line_get(x))
			exchange_line_run(x->line);
		else if (x->doomed)
			exchange_finish(x, x->fate);
		else
			list_append(&p->ready, &x->ready);
	}
	return !list_empty(&p->ready);
}

/* ---- what the owner asks ---- */

void *exchange_data(const struct exchange *x) { return x->data; }
bool exchange_streams(const struct exchange *x) { return x->streams; }
unsigned exchange_status(const struct exchange *x) { return x->status; }
bool exchange_is(const struct exchange *x, struct span subtype) { return http_media_type_is(span_of(x->type, x->ntype), SPAN("application"), subtype); }
struct span exchange_body(const struct exchange *x) { return span_of(x->in.p + x->start, x->end - x->start); }
struct span exchange_last_id(const struct exchange *x) { return sse_id(&x->sse); }
int64_t exchange_retry_ms(const struct exchange *x) { return x->sse.retry_ms; }
enum tls_error exchange_tls_why(const struct exchange *x) { return x->tls_why; }
