#include "base/carve.h"
#include "flow/door_state.h"
#include "wire/http_write.h"

#define NOTHING span_of(NULL, 0)

enum { SLACK = 65536 };

static uint32_t call_count(const struct door_settings *s) { return s->requests + s->listens + DOOR_SPARE; }
static size_t out_size(const struct door_settings *s) { return (size_t)s->reply_max + SLACK; }

static struct exchange_settings exchanges(const struct door_settings *s)
{
	return (struct exchange_settings){ .exchanges = call_count(s), .larges = s->large, .request_max = (uint32_t)s->line_max + EXCHANGE_SMALL,
		.reply_max = (uint32_t)s->reply_max + SLACK / 2 };
}

size_t door_need(const struct door_settings *s)
{
	const struct exchange_settings x = exchanges(s);

	return carve_up(sizeof(struct door)) + carve_up(sizeof(struct door_call) * call_count(s)) + carve_up(json_table_need(s->tokens)) + carve_up(out_size(s)) + exchange_need(&x);
}

static void again(struct timer *t)
{
	struct door *d = LIST_OWNER(t, struct door, again);

	if (d->lost)
		door_begin_again(d);
	else
		door_open_stream(d);
}

static void say_again(struct timer *t);

struct door *door_place(void *mem, const struct door_settings *s, struct loop *loop)
{
	struct door *d = mem;
	char *at = (char *)mem + carve_up(sizeof *d);
	struct exchange_settings x = exchanges(s);

	d->set = *s;
	d->loop = loop;
	timers_init(&d->timers, loop->now_ms);
	timer_init(&d->again, again);
	timer_init(&d->busy, say_again);
	d->ncalls = call_count(s);
	d->calls = (struct door_call *)(void *)at;
	at += carve_up(sizeof(struct door_call) * d->ncalls);
	d->table = json_table_place(at, s->tokens, s->seed);
	at += carve_up(json_table_need(s->tokens));
	d->out = at;
	d->out_cap = out_size(s);
	at += carve_up(out_size(s));
	x.hooks = (struct exchange_hooks){ .ctx = d, .head = door_on_head, .event = door_on_event, .end = door_on_end };
	x.loop = loop;
	x.timers = &d->timers;
	d->pool = exchange_place(at, &x);
	d->peer = (struct exchange_peer){ .host = SPAN("stdio"), .path = SPAN(INNER_PATH), .connect_ms = 2000, .dial = s->hooks.dial, .dial_ctx = s->hooks.ctx };
	exchange_peer_start(&d->peer);
	return d;
}

/* ---- to the client, and to the log ---- */

void door_log(struct door *d, struct span what, struct span detail)
{
	char mem[256];
	struct buf b = buf_on(mem, sizeof mem);

	buf_put(&b, what);
	if (!span_absent(detail)) {
		BUF_LIT(&b, ": ");
		buf_put(&b, detail);
	}
	d->set.hooks.log(buf_span(&b));
}

/* In checked JSON a raw CR or LF only ever stands between tokens, where a space says the same. */
void door_say(struct door *d, struct span message)
{
	if (message.n + 1 > d->out_cap) {
		door_log(d, SPAN("a message that is too long for a line was left out"), NOTHING);
		return;
	}
	memmove(d->out, message.p, message.n);
	for (size_t i = 0; i < message.n; i++)
		if (d->out[i] == '\n' || d->out[i] == '\r')
			d->out[i] = ' ';
	d->out[message.n] = '\n';
	d->set.hooks.say(d->set.hooks.ctx, span_of(d->out, message.n + 1));
}

void door_fault(struct door *d, struct span id, const struct mcp_fault *f)
{
	char mem[2048];
	struct buf b = buf_on(mem, sizeof mem);

	mcp_error_write(&b, id, f);
	if (!b.full)
		door_say(d, buf_span(&b));
}

/* ---- to the worker ---- */

static struct door_call *free_call(struct door *d)
{
	for (uint32_t i = 0; i < d->ncalls; i++)
		if (!d->calls[i].x)
			return &d->calls[i];
	return NULL;
}

static bool is_request(unsigned kind) { return kind == CALL_REQUEST || kind == CALL_BATCH; }
static bool is_ordered(unsigned kind) { return kind == CALL_INITIALIZE || kind == CALL_NOTE || kind == CALL_STARTED || kind == CALL_RENEW; }

static void put_fields(const struct door *d, const struct door_call *c, struct buf *head)
{
	bool post = c->kind != CALL_STREAM && c->kind != CALL_BYE;

	if (post)
		http_write_field(head, SPAN("Content-Type"), SPAN("application/json"));
	if (c->kind != CALL_BYE)
		http_write_field(head, SPAN("Accept"), post ? SPAN("application/json, text/event-stream") : SPAN("text/event-stream"));
	if (c->old && d->session_n > 0 && c->kind != CALL_INITIALIZE && c->kind != CALL_RENEW) {
		http_write_field(head, SPAN("Mcp-Session-Id"), span_of(d->session, d->session_n));
		if (d->version_n > 0)
			http_write_field(head, SPAN("MCP-Protocol-Version"), span_of(d->version, d->version_n));
	}
	if (c->kind == CALL_STREAM && d->event_n > 0)
		http_write_field(head, SPAN("Last-Event-ID"), span_of(d->event, d->event_n));
}

void door_free(struct door *d, struct door_call *c)
{
	d->requests -= is_request(c->kind);
	d->ordered -= is_ordered(c->kind);
	c->x = NULL;
}

static void close_call(struct door *d, struct door_call *c)
{
	struct exchange *x = c->x;

	door_free(d, c);
	exchange_close(x);
}

/* What was said in another session means nothing in this one: its ids are others'. */
static void say_again(struct timer *t)
{
	struct door *d = LIST_OWNER(t, struct door, busy);

	for (uint32_t i = 0; i < d->ncalls; i++) {
		struct door_call *c = &d->calls[i];

		if (!c->x || !c->waits)
			continue;
		c->waits = false;
		if (d->session_n == 0 || c->life != d->life) {
			close_call(d, c);
			door_log(d, SPAN("a message of the client was not taken"), SPAN("its session was lost"));
			continue;
		}
		put_fields(d, c, exchange_again(c->x));
		exchange_send(c->x, NOTHING, c->until_ms, false);
	}
}

struct door_call *door_send(struct door *d, enum door_kind kind, bool old, enum exchange_method method, struct span body, int64_t until_ms)
{
	struct door_call *c = free_call(d);
	struct buf *head;

	if (!c)
		return NULL;
	*c = (struct door_call){ .x = exchange_begin(d->pool, &d->peer, method, c, &head), .kind = (uint8_t)kind, .life = d->life, .old = old, .until_ms = until_ms };
	if (!c->x)
		return NULL;
	put_fields(d, c, head);
	d->requests += is_request(kind);
	d->ordered += is_ordered(kind);
	exchange_send(c->x, body, until_ms, false);
	return c;
}

void door_open_stream(struct door *d)
{
	if (d->ending || d->session_n == 0 || d->no_stream)
		return;
	for (uint32_t i = 0; i < d->ncalls; i++)
		if (d->calls[i].x && d->calls[i].kind == CALL_STREAM)
			return;
	if (!door_send(d, CALL_STREAM, true, EXCHANGE_GET, NOTHING, 0))
		timer_arm(&d->timers, &d->again, d->loop->now_ms + DOOR_AGAIN_MS);
}

void door_close_stream(struct door *d)
{
	for (uint32_t i = 0; i < d->ncalls; i++)
		if (d->calls[i].x && d->calls[i].kind == CALL_STREAM)
			close_call(d, &d->calls[i]);
}

/* One is being begun: what comes of it is looked at later. */
static bool beginning(const struct door *d)
{
	for (uint32_t i = 0; i < d->ncalls; i++)
		if (d->calls[i].x && (d->calls[i].kind == CALL_INITIALIZE || d->calls[i].kind == CALL_RENEW))
			return true;
	return false;
}

void door_begin_again(struct door *d)
{
	if (d->ending || (d->session_n == 0 && !d->lost))
		return;
	d->lost = true;
	d->session_n = d->event_n = 0;
	door_close_stream(d);
	timer_disarm(&d->timers, &d->again);
	if (beginning(d)) {
		timer_arm(&d->timers, &d->again, d->loop->now_ms + DOOR_AGAIN_MS);
		return;
	}
	if (d->first_n > 0 && door_send(d, CALL_RENEW, true, EXCHANGE_POST, span_of(d->first, d->first_n), d->loop->now_ms + DOOR_NOTE_MS))
		door_log(d, SPAN("the session was lost and is begun anew"), NOTHING);
	else
		door_log(d, SPAN("the session was lost, and cannot be begun anew"), NOTHING);
}

/* ---- from the client ---- */

/* The call that a notifications/cancelled is about; NULL: none, or none any more. */
static struct door_call *cancelled(struct door *d, const struct mcp_message *m)
{
	struct span id = json_raw(&d->json, json_get(&d->json, m->params, SPAN("requestId")));

	for (uint32_t i = 0; !span_absent(id) && i < d->ncalls; i++)
		if (d->calls[i].x && d->calls[i].kind == CALL_REQUEST && span_eq(door_id(&d->calls[i]), id))
			return &d->calls[i];
	return NULL;
}

static void full(struct door *d, struct span id)
{
	struct mcp_fault f = { MCP_INTERNAL, 503, SPAN("Postern is at its limit; try again shortly"), NOTHING, NOTHING };

	door_fault(d, id, &f);
}

static void ask(struct door *d, enum door_kind kind, bool old, const struct mcp_message *m, struct span line)
{
	uint32_t all = d->set.requests + d->set.listens, kept = d->session_n == 0 ? 0 : all > DOOR_KEPT ? DOOR_KEPT : all - 1;
	bool room = d->requests + kept < all;
	struct door_call *c = room ? door_send(d, kind, old, EXCHANGE_POST, line, 0) : NULL;

	if (!c) {
		full(d, m->id);
		return;
	}
	c->listen = m->method == MCP_LISTEN;
	c->id_n = (uint16_t)m->id.n;
	if (m->id.n > 0)
		memcpy(c->id, m->id.p, m->id.n);
}

/* An old client does not take leave of a call by not listening: the elder must hear it. */
static void note(struct door *d, const struct mcp_message *m, struct span line)
{
	struct door_call *about = m->method == MCP_CANCELLED && m->kind == MCP_NOTIFICATION ? cancelled(d, m) : NULL;
	bool started = m->kind == MCP_NOTIFICATION && json_is(&d->json, m->method_token, SPAN("notifications/initialized"));

	if (about && !about->old) {
		close_call(d, about);
		return;
	}
	if (d->session_n == 0)
		return; /* this revision asks for no other, and there is no session that could */
	if (!door_send(d, started ? CALL_STARTED : CALL_NOTE, true, EXCHANGE_POST, line, d->loop->now_ms + DOOR_NOTE_MS))
		door_log(d, SPAN("a message of the client was lost"), SPAN("too many are on their way"));
	if (about)
		about->answered = true; /* nothing of ours is said about it any more; what comes by itself passes */
	d->started = d->started || started;
}

static bool claims_ours(const struct json *j, const struct mcp_message *m)
{
	return json_type(j, m->meta) == JSON_OBJECT && json_get(j, m->meta, SPAN(MCP_META_VERSION)) != JSON_NONE;
}

static void initialize(struct door *d, const struct mcp_message *m, struct span line)
{
	d->first_n = line.n <= DOOR_FIRST_MAX ? line.n : 0;
	memcpy(d->first, line.p, d->first_n);
	d->started = d->no_stream = false;
	ask(d, CALL_INITIALIZE, true, m, line);
}

void door_line(struct door *d, struct span line)
{
	struct json *j = &d->json;
	struct mcp_message m;
	size_t where = 0;

	line = span_trim(line);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line = span_trim(span_of(line.p, line.n - 1));
	if (line.n == 0)
		return;
	enum json_error e = json_read(j, d->table, line, &where);
	if (e != JSON_OK) {
		bool grammar = e != JSON_DUPLICATE && e != JSON_TOO_MANY;
		struct mcp_fault f = { grammar ? MCP_PARSE_ERROR : MCP_INVALID_REQUEST, 400, grammar ? SPAN("Not JSON") : SPAN("Not acceptable JSON"),
			json_error_text(e), NOTHING };
		door_fault(d, NOTHING, &f);
		return;
	}
	struct mcp_fault fault = mcp_message_read(&m, j);
	if (json_type(j, JSON_ROOT) == JSON_ARRAY && d->session_n > 0)
		ask(d, CALL_BATCH, true, &m, line);
	else if (fault.code != 0)
		door_fault(d, m.id, &fault);
	else if (m.kind != MCP_REQUEST)
		note(d, &m, line);
	else if (m.method == MCP_INITIALIZE && !claims_ours(j, &m))
		initialize(d, &m, line);
	else
		ask(d, CALL_REQUEST, !claims_ours(j, &m), &m, line);
}

void door_long_line(struct door *d)
{
	struct mcp_fault f = { MCP_INVALID_REQUEST, 413, SPAN("A message is longer than the limit (memory.body)"), NOTHING, NOTHING };

	door_fault(d, NOTHING, &f);
}

bool door_ready(const struct door *d) { return d->ordered == 0 && !d->ending; }

/* ---- the end, and turns ---- */

void door_end(struct door *d)
{
	d->ending = true;
	d->until_ms = d->loop->now_ms + d->set.grace_ms;
	timer_disarm(&d->timers, &d->again);
	for (uint32_t i = 0; i < d->ncalls; i++)
		if (d->calls[i].x && (d->calls[i].listen || d->calls[i].kind == CALL_STREAM))
			close_call(d, &d->calls[i]);
}

bool door_over(const struct door *d)
{
	return d->ending && ((d->bye && exchange_used(d->pool) == 0) || d->loop->now_ms >= d->until_ms);
}

static void take_leave(struct door *d)
{
	if (!d->ending || d->bye || exchange_used(d->pool) > 0)
		return;
	d->bye = true;
	if (d->session_n > 0)
		(void)door_send(d, CALL_BYE, true, EXCHANGE_DELETE, NOTHING, d->loop->now_ms + DOOR_BYE_MS);
}

int door_tick(struct door *d)
{
	int64_t now_ms = d->loop->now_ms;
	int wait_ms;

	timers_run(&d->timers, now_ms);
	take_leave(d);
	bool more = exchange_turn(d->pool);
	more = more || (d->ending && !d->bye && exchange_used(d->pool) == 0);
	wait_ms = more || door_over(d) ? 0 : timers_wait(&d->timers, now_ms);
	if (d->ending && wait_ms != 0 && (wait_ms < 0 || d->until_ms - now_ms < wait_ms))
		wait_ms = d->until_ms > now_ms ? (int)(d->until_ms - now_ms) : 0;
	return wait_ms;
}
