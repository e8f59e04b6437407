#include "flow/elder_msg.h"

#define NOTHING span_of(NULL, 0)

/* What stands behind struct elder_frame before the texts. */
static size_t fixed_size(unsigned type)
{
	switch (type) {
	case ELDER_HTTP:
		return sizeof(struct elder_http);
	case ELDER_REPLY:
		return sizeof(struct elder_reply);
	case ELDER_EVENT:
		return sizeof(struct elder_event);
	default:
		return 0;
	}
}

static bool is_to_elder(unsigned type) { return type == ELDER_HTTP || type == ELDER_GONE; }

static bool status_holds(unsigned status)
{
	static const uint16_t known[] = { 200, 202, 400, 403, 404, 405, 409, 429, 500, 502, 503, 504 };
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i] == status)
			return true;
	return false;
}

/* It goes into heads and event streams, where another byte would be more than text. */
static bool visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e)
			return false;
	return true;
}

static const char *text_wrong(const struct elder_msg *m)
{
	if (m->version.n > ELDER_VERSION_MAX || m->session.n > ELDER_SESSION_MAX || m->event.n > ELDER_EVENT_MAX || m->identity.n > ELDER_IDENTITY_MAX)
		return "a text that is too long";
	if (!visible(m->version) || !visible(m->session) || !visible(m->event) || !visible(m->identity))
		return "a text with a byte that is not visible";
	return NULL;
}

static const char *sense_wrong(const struct elder_msg *m)
{
	switch (m->type) {
	case ELDER_HTTP:
		if (m->method >= ELDER_METHODS || (m->method == ELDER_POST) != (m->body.n > 0) || (m->event.n > 0 && m->method != ELDER_GET))
			return "a request of no known kind";
		if (m->identity.n == 0)
			return "a request of nobody";
		return m->session.n == 0 && m->method != ELDER_POST ? "a request without its session" : NULL;
	case ELDER_REPLY:
		return !status_holds(m->status) ? "a status that may not be sent" : m->status == 202 && m->body.n > 0 ? "a 202 with a body" :
			m->scopes != 0 && m->status != 403 ? "scopes that nobody lacks" : NULL;
	case ELDER_EVENT:
		return m->body.n == 0 && m->event.n == 0 ? "an event of nothing" : NULL;
	default:
		return NULL;
	}
}

static size_t texts_size(const struct elder_msg *m)
{
	switch (m->type) {
	case ELDER_HTTP:
		return m->version.n + m->session.n + m->event.n + m->identity.n + m->body.n;
	case ELDER_REPLY:
		return m->session.n + m->body.n;
	case ELDER_STREAM:
		return m->session.n;
	case ELDER_EVENT:
		return m->event.n + m->body.n;
	default:
		return 0;
	}
}

size_t elder_msg_size(const struct elder_msg *m) { return sizeof(struct elder_frame) + fixed_size(m->type) + texts_size(m); }

static void put(struct buf *b, const void *p, size_t n) { buf_put(b, span_of(p, n)); }

void elder_msg_write(struct buf *b, const struct elder_msg *m)
{
	size_t size = elder_msg_size(m);

	if (m->type <= ELDER_NONE || m->type >= ELDER_TYPES || m->call == 0 || text_wrong(m) || sense_wrong(m) || size > UINT32_MAX
		|| size > buf_room(b)) {
		b->full = true;
		return;
	}
	struct elder_frame f = { (uint32_t)(size - sizeof f), (uint16_t)m->type, 0, m->call };
	put(b, &f, sizeof f);
	if (m->type == ELDER_HTTP) {
		struct elder_http h = { .method = (uint8_t)m->method, .version_n = (uint8_t)m->version.n, .session_n = (uint8_t)m->session.n,
			.event_n = (uint8_t)m->event.n, .identity_n = (uint32_t)m->identity.n, .body_n = (uint32_t)m->body.n };
		memcpy(h.principal, m->principal, sizeof h.principal);
		put(b, &h, sizeof h);
		buf_put(b, m->version);
	} else if (m->type == ELDER_REPLY) {
		struct elder_reply r = { (uint16_t)m->status, m->again, (uint8_t)m->session.n, (uint32_t)m->body.n, m->scopes };
		put(b, &r, sizeof r);
	} else if (m->type == ELDER_EVENT) {
		struct elder_event e = { m->retry_ms, (uint32_t)m->event.n, (uint32_t)m->body.n };
		put(b, &e, sizeof e);
	}
	if (m->type == ELDER_HTTP || m->type == ELDER_REPLY || m->type == ELDER_STREAM)
		buf_put(b, m->session);
	if (m->type == ELDER_HTTP || m->type == ELDER_EVENT)
		buf_put(b, m->event);
	if (m->type == ELDER_HTTP)
		buf_put(b, m->identity);
	if (m->type == ELDER_HTTP || m->type == ELDER_REPLY || m->type == ELDER_EVENT)
		buf_put(b, m->body);
}

/* The next n bytes of *rest; too few of them make it wrong. */
static struct span cut(struct span *rest, size_t n, bool *wrong)
{
	struct span s = NOTHING;

	if (n > rest->n) {
		*wrong = true;
	} else if (n > 0) {
		s = span_of(rest->p, n);
		*rest = span_from(*rest, n);
	}
	return s;
}

static const char *read_http(struct elder_msg *m, struct span rest)
{
	struct elder_http h;
	bool wrong = false;

	memcpy(&h, rest.p, sizeof h);
	rest = span_from(rest, sizeof h);
	m->method = h.method < ELDER_METHODS ? (enum elder_method)h.method : ELDER_METHODS;
	memcpy(m->principal, h.principal, sizeof m->principal);
	m->version = cut(&rest, h.version_n, &wrong);
	m->session = cut(&rest, h.session_n, &wrong);
	m->event = cut(&rest, h.event_n, &wrong);
	m->identity = cut(&rest, h.identity_n, &wrong);
	m->body = cut(&rest, h.body_n, &wrong);
	return wrong || rest.n > 0 ? "a frame whose texts do not add up" : NULL;
}

static const char *read_reply(struct elder_msg *m, struct span rest)
{
	struct elder_reply r;
	bool wrong = false;

	memcpy(&r, rest.p, sizeof r);
	rest = span_from(rest, sizeof r);
	m->status = r.status;
	m->again = r.again == 1;
	m->scopes = r.scopes;
	m->session = cut(&rest, r.session_n, &wrong);
	m->body = cut(&rest, r.body_n, &wrong);
	return wrong || rest.n > 0 || r.again > 1 ? "a frame whose texts do not add up" : NULL;
}

static const char *read_event(struct elder_msg *m, struct span rest)
{
	struct elder_event e;
	bool wrong = false;

	memcpy(&e, rest.p, sizeof e);
	rest = span_from(rest, sizeof e);
	m->retry_ms = e.retry_ms;
	m->event = cut(&rest, e.event_n, &wrong);
	m->body = cut(&rest, e.json_n, &wrong);
	return wrong || rest.n > 0 ? "a frame whose texts do not add up" : NULL;
}

static const char *read_payload(struct elder_msg *m, struct span payload)
{
	switch (m->type) {
	case ELDER_HTTP:
		return read_http(m, payload);
	case ELDER_REPLY:
		return read_reply(m, payload);
	case ELDER_EVENT:
		return read_event(m, payload);
	case ELDER_STREAM:
		m->session = payload.n > 0 ? payload : NOTHING;
		return NULL;
	default:
		return payload.n > 0 ? "a frame whose texts do not add up" : NULL;
	}
}

enum elder_taken elder_msg_read(struct elder_msg *m, struct span in, bool to_elder, size_t body_max, size_t *used, const char **why)
{
	struct elder_frame f;

	*used = 0;
	*why = NULL;
	if (in.n < sizeof f)
		return ELDER_MORE;
	memcpy(&f, in.p, sizeof f);
	if (f.type <= ELDER_NONE || f.type >= ELDER_TYPES || f.zero != 0 || f.call == 0)
		*why = "a frame of no known type";
	else if (is_to_elder(f.type) != to_elder)
		*why = "a frame of the other direction";
	else if (f.size < fixed_size(f.type))
		*why = "a frame that is too short";
	else if (f.size > body_max + ELDER_FRAME_ROOM - sizeof f)
		*why = "a frame that is too long";
	if (*why)
		return ELDER_WRONG;
	*used = sizeof f + f.size;
	if (in.n < *used)
		return ELDER_MORE;
	*m = (struct elder_msg){ .type = (enum elder_type)f.type, .call = f.call };
	*why = read_payload(m, span_of(in.p + sizeof f, f.size));
	if (!*why)
		*why = text_wrong(m);
	if (!*why)
		*why = sense_wrong(m);
	if (!*why && m->body.n > body_max)
		*why = "a body that is too long";
	return *why ? ELDER_WRONG : ELDER_WHOLE;
}
