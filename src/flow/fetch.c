#include "flow/fetch.h"

#include "base/text.h"
#include "os/sock.h"
#include "wire/http_write.h"

enum {
	INTERIM_MAX = 8,    /* 1xx heads before the answer */
	SLACK = 1024        /* framing bytes behind the payload that are not decoded yet */
};

struct fetch {
	struct loop_item item;      /* first: the loop hands it back */
	const struct fetch_room *room;
	const struct fetch_peer *peer;
	struct conn_tls *tls;       /* NULL: plain */
	struct timer timer;
	struct buf out;
	size_t sent;
	char *in;                   /* head, then payload: [0, start), [start, end); [raw, n) is not decoded yet */
	size_t cap, n, peak, scanned;
	size_t start, end, raw;
	struct http_body body;
	struct span media_type;     /* in `in` */
	int64_t fresh_ms;
	uint32_t body_max;
	unsigned status, interim;
	enum fetch_state state;
	enum fetch_end why;
	enum tls_error tls_why;
	bool post, readable, writable;
};

struct span fetch_end_text(enum fetch_end e)
{
	switch (e) {
	case FETCH_OK: return SPAN("answered");
	case FETCH_UNREACHABLE: return SPAN("cannot be reached");
	case FETCH_LATE: return SPAN("did not answer in time");
	case FETCH_TLS: return SPAN("cannot be spoken to over TLS");
	case FETCH_LOST: return SPAN("closed the connection before its answer was whole");
	case FETCH_BROKEN: return SPAN("sent an answer that is not HTTP/1.1, or with a coding it was not asked for");
	case FETCH_LARGE: return SPAN("sent an answer over the limit");
	case FETCH_FULL: return SPAN("was not asked: the request is too long, or no descriptor is free");
	case FETCH_ENDS: break;
	}
	return SPAN("failed");
}

/* ---- memory ---- */

static size_t in_size(uint32_t body_max) { return (size_t)FETCH_HEAD_MAX + body_max + SLACK; }
static size_t up(size_t n) { return (n + 63) & ~(size_t)63; }

size_t fetch_need(uint32_t body_max)
{
	return up(sizeof(struct fetch)) + up(FETCH_REQUEST_MAX) + up(in_size(body_max));
}

struct fetch *fetch_place(void *mem, uint32_t body_max, const struct fetch_room *room)
{
	char *at = mem;
	struct fetch *t = mem;

	at += up(sizeof *t);
	t->room = room;
	t->body_max = body_max;
	t->out = buf_on(at, FETCH_REQUEST_MAX);
	at += up(FETCH_REQUEST_MAX);
	t->in = at;
	t->cap = in_size(body_max);
	t->item.fd = -1;
	timer_init(&t->timer, NULL);
	return t;
}

/* ---- the end ---- */

static void hang_up(struct fetch *t)
{
	timer_disarm(t->room->timers, &t->timer);
	if (t->tls)
		conn_drop(t->tls);
	t->tls = NULL;
	if (t->item.fd < 0)
		return;
	loop_forget(t->room->loop, &t->item);
	sock_close(t->item.fd);
	t->item.fd = -1;
}

static void end(struct fetch *t, enum fetch_end why)
{
	hang_up(t);
	t->state = FETCH_DONE;
	t->why = why;
}

void fetch_clear(struct fetch *t)
{
	hang_up(t);
	crypto_wipe(t->out.p, t->out.n);
	crypto_wipe(t->in, t->peak);
	buf_reset(&t->out);
	t->sent = t->n = t->peak = t->scanned = t->start = t->end = t->raw = 0;
	t->media_type = span_of(NULL, 0);
	t->state = FETCH_FREE;
}

/* ---- the answer ---- */

/* RFC 9111 5.2.2: the directives that say for how long; without case. */
static void directive(struct span one, int64_t *fresh_ms)
{
	static const char name[] = "max-age=";
	size_t n = sizeof name - 1;
	uint64_t seconds;

	if (span_ieq(one, SPAN("no-store")) || span_ieq(one, SPAN("no-cache"))) {
		*fresh_ms = 0;
		return;
	}
	if (one.n <= n || !span_ieq(span_of(one.p, n), span_of(name, n)) || *fresh_ms >= 0)
		return;
	if (text_u64(span_from(one, n), &seconds))
		*fresh_ms = seconds < UINT32_MAX ? (int64_t)seconds * 1000 : (int64_t)UINT32_MAX * 1000;
}

static int64_t freshness(const struct http_head *h)
{
	int64_t fresh_ms = -1;

	for (unsigned i = 0; i < h->nfields; i++) {
		struct span list = h->fields[i].value, one;

		if (!span_ieq(h->fields[i].name, SPAN("Cache-Control")))
			continue;
		while (http_list_next(&list, &one))
			directive(one, &fresh_ms);
	}
	return fresh_ms;
}

/* The head is whole. False: the fetch is over. */
static bool read_head(struct fetch *t, size_t head_len)
{
	struct http_head h;
	size_t where;

	if (http_response_read(&h, span_of(t->in, head_len), false, &where) != HTTP_OK || h.status == 101 || h.count[HTTP_CONTENT_ENCODING] > 0) {
		end(t, FETCH_BROKEN);
		return false;
	}
	if (h.status < 200) { /* an interim response says nothing */
		if (++t->interim > INTERIM_MAX) {
			end(t, FETCH_BROKEN);
			return false;
		}
		memmove(t->in, t->in + head_len, t->n - head_len);
		t->n -= head_len;
		t->scanned = 0;
		return true;
	}
	t->status = h.status;
	t->media_type = h.known[HTTP_CONTENT_TYPE];
	t->fresh_ms = freshness(&h);
	t->start = t->end = t->raw = head_len;
	t->state = FETCH_BODY;
	http_body_start(&t->body, h.framing, h.length, t->body_max);
	return true;
}

/* Takes the framing off, in place. False: the fetch is over. */
static bool read_body(struct fetch *t)
{
	while (t->body.state == HTTP_BODY_MORE && t->raw < t->n) {
		struct span payload;

		t->raw += http_body_take(&t->body, t->in + t->raw, t->n - t->raw, &payload);
		if (payload.n > 0 && payload.p != t->in + t->end)
			memmove(t->in + t->end, payload.p, payload.n);
		t->end += payload.n;
	}
	switch (t->body.state) {
	case HTTP_BODY_MORE:
		t->n = t->raw = t->end;
		return true;
	case HTTP_BODY_DONE:
		end(t, FETCH_OK);
		return false;
	case HTTP_BODY_LARGE:
		end(t, FETCH_LARGE);
		return false;
	case HTTP_BODY_BROKEN:
		break;
	}
	end(t, FETCH_BROKEN);
	return false;
}

/* What has come, as far as it goes. False: the fetch is over. */
static bool digest(struct fetch *t)
{
	size_t head_len;

	while (t->state != FETCH_BODY && (head_len = http_head_end(t->in, t->n, &t->scanned)) > 0)
		if (!read_head(t, head_len))
			return false;
	if (t->state == FETCH_BODY)
		return read_body(t);
	if (t->n < FETCH_HEAD_MAX)
		return true;
	end(t, FETCH_LARGE);
	return false;
}

/* No more bytes will come. */
static void over(struct fetch *t, bool clean)
{
	if (clean && t->state == FETCH_BODY) {
		http_body_eof(&t->body);
		end(t, t->body.state == HTTP_BODY_DONE ? FETCH_OK : FETCH_LOST);
	} else {
		end(t, FETCH_LOST);
	}
}

static void read_answer(struct fetch *t)
{
	while (t->readable && t->state < FETCH_DONE) {
		size_t room = (t->state == FETCH_BODY ? t->cap : FETCH_HEAD_MAX) - t->n;
		long n = conn_read(t->item.fd, t->tls, t->in + t->n, room);

		if (n == SOCK_AGAIN) {
			t->readable = false;
			return;
		}
		if (n <= 0) {
			over(t, n == SOCK_EOF);
			return;
		}
		t->n += (size_t)n;
		if (t->n > t->peak)
			t->peak = t->n;
		if (!digest(t))
			return;
	}
}

/* ---- the request ---- */

static void write_request(struct fetch *t)
{
	while (t->writable && (t->sent < t->out.n || conn_pending(t->tls))) {
		long n = conn_write(t->item.fd, t->tls, t->out.p + t->sent, t->out.n - t->sent);

		if (n == SOCK_AGAIN)
			t->writable = false;
		else if (n < 0)
			return; /* the reading side says why */
		else
			t->sent += (size_t)n;
	}
	if (t->sent == t->out.n && !conn_pending(t->tls))
		t->state = FETCH_HEAD;
}

/* True: it is over, well. */
static bool shake(struct fetch *t)
{
	switch (conn_shake(t->tls)) {
	case CONN_OPEN:
		t->state = FETCH_SEND;
		return true;
	case CONN_FAILED:
		t->tls_why = conn_why(t->tls);
		end(t, FETCH_TLS);
		return false;
	case CONN_SHAKING:
		break;
	}
	return false;
}

static void run(struct fetch *t)
{
	if (t->state == FETCH_CONNECT) {
		if (!t->writable)
			return;
		if (!sock_connect_result(t->item.fd)) {
			end(t, FETCH_UNREACHABLE);
			return;
		}
		t->state = t->tls ? FETCH_HANDSHAKE : FETCH_SEND;
	}
	if (t->state == FETCH_HANDSHAKE && !shake(t))
		return;
	if (t->state == FETCH_SEND && t->writable)
		write_request(t);
	read_answer(t);
}

static void on_event(struct loop_item *item, unsigned events)
{
	struct fetch *t = (struct fetch *)(void *)item;

	if (t->tls) {
		conn_event(t->tls, events);
		t->readable = t->writable = true; /* a record may have to go before one can come, and the reverse */
	}
	if (events & (LOOP_WRITE | LOOP_GONE)) /* after a failed connect sock_connect_result() says so */
		t->writable = true;
	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		t->readable = true;
	run(t);
}

static void on_timeout(struct timer *timer) { end(LIST_OWNER(timer, struct fetch, timer), FETCH_LATE); }

struct buf *fetch_begin(struct fetch *t, const struct fetch_peer *peer, bool post)
{
	t->peer = peer;
	t->post = post;
	if (post)
		http_write_post(&t->out, peer->path);
	else
		http_write_get(&t->out, peer->path);
	http_write_field(&t->out, SPAN("Host"), peer->host);
	http_write_field(&t->out, SPAN("Connection"), SPAN("close"));
	return &t->out;
}

void fetch_send(struct fetch *t, struct span body, int64_t until_ms)
{
	if (t->post) {
		http_write_field(&t->out, SPAN("Content-Type"), SPAN("application/x-www-form-urlencoded"));
		http_write_length(&t->out, body.n);
	}
	http_write_end(&t->out);
	buf_put(&t->out, body);
	t->status = t->interim = 0;
	t->fresh_ms = -1;
	t->tls_why = TLS_NO_ERROR;
	t->readable = t->writable = false;
	if (t->out.full || !sock_connect(&t->peer->address, &t->item.fd)) {
		t->item.fd = -1;
		end(t, t->out.full ? FETCH_FULL : FETCH_UNREACHABLE);
		return;
	}
	t->item.event = on_event;
	t->state = FETCH_CONNECT;
	if (t->peer->tls)
		t->tls = conn_call(t->room->conns, &t->item, t->peer->tls);
	if ((t->peer->tls && !t->tls) || !loop_add(t->room->loop, &t->item)) {
		sock_close(t->item.fd);
		t->item.fd = -1;
		end(t, FETCH_FULL);
		return;
	}
	timer_init(&t->timer, on_timeout);
	timer_arm(t->room->timers, &t->timer, until_ms);
}

/* ---- what the owner asks ---- */

enum fetch_state fetch_state(const struct fetch *t) { return t->state; }
enum fetch_end fetch_why(const struct fetch *t) { return t->why; }
enum tls_error fetch_tls_why(const struct fetch *t) { return t->tls_why; }
unsigned fetch_status(const struct fetch *t) { return t->status; }
bool fetch_is(const struct fetch *t, struct span subtype) { return http_media_type_is(t->media_type, SPAN("application"), subtype); }
struct span fetch_body(const struct fetch *t) { return span_of(t->in + t->start, t->end - t->start); }
int64_t fetch_fresh_ms(const struct fetch *t) { return t->fresh_ms; }
