/* What the worker says, for the client. Only whole JSON-RPC messages go out, and an answer to each request exactly once. */
#include "flow/door_state.h"

#define NOTHING span_of(NULL, 0)

static void keep(char *to, uint8_t *n, size_t cap, struct span s)
{
	*n = s.n <= cap ? (uint8_t)s.n : 0;
	if (*n > 0)
		memcpy(to, s.p, *n);
}

static bool is_note(const struct door_call *c) { return c->kind == CALL_NOTE || c->kind == CALL_STARTED; }

void door_on_head(void *ctx, struct exchange *x, const struct http_head *h, bool events)
{
	struct door *d = ctx;
	struct door_call *c = exchange_data(x);
	struct span session = h->known[HTTP_MCP_SESSION_ID];

	c->events = events;
	if (is_note(c) && h->status == 503 && d->loop->now_ms + DOOR_BUSY_MS < c->until_ms) { /* not read: nobody but us can say it again */
		c->waits = true;
		exchange_take_back(x);
		timer_arm(&d->timers, &d->busy, d->loop->now_ms + DOOR_BUSY_MS);
		return;
	}
	if ((c->kind != CALL_INITIALIZE && c->kind != CALL_RENEW) || h->status != 200 || span_absent(session))
		return;
	if (d->session_n > 0) { /* the client has begun another on the same pipe */
		door_close_stream(d);
		(void)door_send(d, CALL_BYE, true, EXCHANGE_DELETE, NOTHING, d->loop->now_ms + DOOR_BYE_MS);
	}
	d->life++;
	keep(d->session, &d->session_n, sizeof d->session, session);
	d->version_n = d->event_n = 0;
	d->lost = false;
}

/* The revision that was agreed on, of the message at hand. */
static void agreed(struct door *d, const struct mcp_message *m)
{
	char mem[ELDER_VERSION_MAX];
	struct buf version = buf_on(mem, sizeof mem);
	uint32_t token = json_get(&d->json, m->result, SPAN("protocolVersion"));

	if (json_type(&d->json, token) != JSON_STRING)
		return;
	json_text(&d->json, token, &version);
	if (!version.full)
		keep(d->version, &d->version_n, sizeof d->version, buf_span(&version));
}

static void fail(struct door *d, struct door_call *c, struct span what, struct span detail)
{
	struct mcp_fault f = { MCP_INTERNAL, 500, what, detail, NOTHING };

	if (c->answered || (c->kind != CALL_REQUEST && c->kind != CALL_BATCH && c->kind != CALL_INITIALIZE))
		return;
	c->answered = true;
	door_fault(d, door_id(c), &f);
}

/* The one answer that this call waits for? Another's would be taken for that one's, and a second for nobody's. */
static bool answers(const struct door_call *c, const struct mcp_message *m)
{
	if (c->kind == CALL_STREAM)
		return false;
	return c->id_n == 0 || (!c->answered && (span_absent(m->id) || span_eq(m->id, door_id(c))));
}

/* One message: to the client, unless it is an answer to a question of ours. False: it is none, or none that belongs here. */
static bool pass(struct door *d, struct door_call *c, struct span text)
{
	struct mcp_message m;
	size_t where;

	if (json_read(&d->json, d->table, text, &where) != JSON_OK) {
		door_log(d, SPAN("a message from the worker was left out"), SPAN("not JSON"));
		return false;
	}
	struct mcp_fault fault = mcp_message_read(&m, &d->json);
	if (json_type(&d->json, JSON_ROOT) == JSON_ARRAY) {
		c->answered = true;
		door_say(d, text);
		return true;
	}
	bool answer = fault.code == 0 && (m.kind == MCP_RESULT || m.kind == MCP_ERROR);
	if (answer && (c->kind == CALL_INITIALIZE || c->kind == CALL_RENEW))
		agreed(d, &m);
	if (fault.code != 0 || c->kind == CALL_RENEW)
		return fault.code == 0;
	if (answer && !answers(c, &m))
		return false;
	if (answer && span_absent(m.id) && c->id_n > 0) { /* a refusal from before its id was read */
		struct buf b = buf_on(d->out, d->out_cap);
		BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
		buf_put(&b, door_id(c));
		BUF_LIT(&b, ",\"error\":");
		buf_put(&b, json_raw(&d->json, m.error));
		BUF_LIT(&b, "}");
		if (b.full || m.error == JSON_NONE)
			return false;
		text = buf_span(&b);
	}
	c->answered = c->answered || answer;
	door_say(d, text);
	return true;
}

void door_on_event(void *ctx, struct exchange *x, struct span data, struct span id)
{
	struct door *d = ctx;
	struct door_call *c = exchange_data(x);

	if (c->kind == CALL_STREAM && !span_absent(id))
		keep(d->event, &d->event_n, sizeof d->event, id);
	if (data.n > 0)
		(void)pass(d, c, data);
}

/* The session's stream is over: it is asked for again, unless there is none. */
static void stream_over(struct door *d, unsigned status)
{
	if (status == 404) {
		door_begin_again(d);
		return;
	}
	d->no_stream = d->no_stream || status == 405 || status == 400;
	if (!d->ending && !d->no_stream)
		timer_arm(&d->timers, &d->again, d->loop->now_ms + DOOR_AGAIN_MS);
}

/* A whole body. */
static void answered(struct door *d, struct door_call *c, const struct exchange *x)
{
	struct span body = exchange_body(x);
	unsigned status = exchange_status(x);
	bool json = body.n > 0 && exchange_is(x, SPAN("json"));

	if (is_note(c) || c->kind == CALL_BYE || c->kind == CALL_STREAM || (status == 202 && c->kind == CALL_BATCH)) {
		c->answered = true;
		return;
	}
	if (c->old && status == 404 && d->session_n > 0)
		fail(d, c, SPAN("The session was lost and is begun anew: ask again"), NOTHING);
	else if (!json || !pass(d, c, body))
		fail(d, c, SPAN("The worker gave no answer that could be passed on"), NOTHING);
}

static void renewed(struct door *d)
{
	static const char started[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";

	if (d->session_n == 0)
		timer_arm(&d->timers, &d->again, d->loop->now_ms + DOOR_AGAIN_MS);
	else if (d->started)
		(void)door_send(d, CALL_STARTED, true, EXCHANGE_POST, span_of(started, sizeof started - 1), d->loop->now_ms + DOOR_NOTE_MS);
}

void door_on_end(void *ctx, struct exchange *x, enum exchange_end why)
{
	struct door *d = ctx;
	struct door_call *c = exchange_data(x);
	unsigned status = why == EXCHANGE_OK ? exchange_status(x) : 0;
	enum door_kind kind = (enum door_kind)c->kind;
	bool old = c->old && c->life == d->life;

	if (why == EXCHANGE_OK && !c->events)
		answered(d, c, x);
	if (why == EXCHANGE_OK)
		fail(d, c, SPAN("The answer ended before it was whole"), NOTHING);
	else
		fail(d, c, SPAN("The call was lost: the worker"), exchange_end_text(why));
	door_free(d, c);
	if (kind == CALL_STREAM && old)
		stream_over(d, status);
	else if (status == 404 && old && kind != CALL_BYE && kind != CALL_INITIALIZE && kind != CALL_RENEW)
		door_begin_again(d);
	else if (kind == CALL_STARTED && status == 202)
		door_open_stream(d);
	else if (kind == CALL_RENEW)
		renewed(d);
	else if ((kind == CALL_NOTE || kind == CALL_STARTED) && status != 202)
		door_log(d, SPAN("a message of the client was not taken"), why == EXCHANGE_OK ? NOTHING : exchange_end_text(why));
}
