#include "flow/fetch.h"

#include "base/carve.h"
#include "base/text.h"
#include "flow/outgoing.h"
#include "wire/http_write.h"

enum {
	INTERIM_MAX = 8,    /* 1xx heads before the answer */
	SLACK = 1024        /* framing bytes behind the payload that are not decoded yet */
};

struct fetch {
	struct outgoing conn;       /* first: the loop hands it back */
	const struct fetch_room *room;
	const struct fetch_peer *peer;
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
	bool post;
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
size_t fetch_need(uint32_t body_max)
{
	return carve_up(sizeof(struct fetch)) + carve_up(FETCH_REQUEST_MAX) + carve_up(in_size(body_max));
}

struct fetch *fetch_place(void *mem, uint32_t body_max, const struct fetch_room *room)
{
	char *at = mem;
	struct fetch *t = mem;

	at += carve_up(sizeof *t);
	t->room = room;
	t->body_max = body_max;
	t->out = buf_on(at, FETCH_REQUEST_MAX);
	at += carve_up(FETCH_REQUEST_MAX);
	t->in = at;
	t->cap = in_size(body_max);
	timer_init(&t->timer, NULL);
	return t;
}

/* ---- the end ---- */

static void hang_up(struct fetch *t)
{
	timer_disarm(t->room->timers, &t->timer);
	outgoing_close(&t->conn, t->room->loop);
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
static bool read_head(struct fetch *t, const struct http_head *h, size_t head_len)
{
	if (h->status == 101 || h->count[HTTP_CONTENT_ENCODING] > 0) {
		end(t, FETCH_BROKEN);
		return false;
	}
	t->status = h->status;
	t->media_type = h->known[HTTP_CONTENT_TYPE];
	t->fresh_ms = freshness(h);
	t->start = t->end = t->raw = head_len;
	t->state = FETCH_BODY;
	http_body_start(&t->body, h->framing, h->length, t->body_max);
	return true;
}

/* The body as far as it is here. False: the fetch is over. */
static bool read_body(struct fetch *t)
{
	http_body_unframe(&t->body, t->in, &t->end, &t->raw, &t->n);
	switch (t->body.state) {
	case HTTP_BODY_MORE:
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
	while (t->state < FETCH_BODY) {
		struct http_head h;
		size_t len;
		enum outgoing_head found = outgoing_head(&h, t->in, &t->n, &t->scanned, &len);

		if (found == HEAD_MORE && t->n < FETCH_HEAD_MAX)
			return true;
		if (found == HEAD_MORE || found == HEAD_BROKEN || (found == HEAD_INTERIM && ++t->interim > INTERIM_MAX)) {
			end(t, found == HEAD_MORE ? FETCH_LARGE : FETCH_BROKEN);
			return false;
		}
		if (found == HEAD_FINAL && !read_head(t, &h, len))
			return false;
	}
	return read_body(t);
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
	while (t->conn.readable && t->state < FETCH_DONE) {
		size_t room = (t->state == FETCH_BODY ? t->cap : FETCH_HEAD_MAX) - t->n;
		long n = outgoing_read(&t->conn, t->in + t->n, room);

		if (n == SOCK_AGAIN)
			return;
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

/* True: the connection may be used. */
static bool ready(struct fetch *t)
{
	switch (outgoing_ready(&t->conn)) {
	case OUTGOING_READY:
		return true;
	case OUTGOING_UNREACHABLE:
		end(t, FETCH_UNREACHABLE);
		break;
	case OUTGOING_NO_TLS:
		t->tls_why = conn_why(t->conn.tls);
		end(t, FETCH_TLS);
		break;
	case OUTGOING_WAITS:
		break;
	}
	return false;
}

static void on_event(struct loop_item *item, unsigned events)
{
	struct fetch *t = (struct fetch *)(void *)item;

	outgoing_event(&t->conn, events);
	if (t->conn.state != OUTGOING_OPEN && !ready(t))
		return;
	t->sent += outgoing_write(&t->conn, t->out.p + t->sent, t->out.n - t->sent);
	outgoing_flush(&t->conn);
	read_answer(t);
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
	int fd;

	if (t->post) {
		http_write_field(&t->out, SPAN("Content-Type"), SPAN("application/x-www-form-urlencoded"));
		http_write_length(&t->out, body.n);
	}
	http_write_end(&t->out);
	buf_put(&t->out, body);
	t->status = t->interim = 0;
	t->fresh_ms = -1;
	t->tls_why = TLS_NO_ERROR;
	if (t->out.full || !sock_connect(&t->peer->address, &fd)) {
		end(t, t->out.full ? FETCH_FULL : FETCH_UNREACHABLE);
		return;
	}
	t->state = FETCH_HEAD;
	if (!outgoing_open(&t->conn, fd, OUTGOING_CONNECTING, on_event, t->room->loop, t->room->conns, t->peer->tls)) {
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
