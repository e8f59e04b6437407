#include "wire/http_head.h"

#include "base/text.h"

/* ---- names ---- */

/* The known name is given in lower case. `| 0x20` folds letters; of the bytes of a token it moves none onto '-' or a letter
 * that does not belong there. */
static bool name_is(const char *p, const char *known, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] | 0x20) != known[i])
			return false;
	return true;
}

#define IS(known) name_is(p, known, sizeof(known) - 1)

/* p[0..n) is a token. */
static enum http_name name_id(const char *p, size_t n)
{
	switch (n) {
	case 4:
		return IS("host") ? HTTP_HOST : IS("dpop") ? HTTP_DPOP : HTTP_OTHER;
	case 6:
		return IS("accept") ? HTTP_ACCEPT : IS("origin") ? HTTP_ORIGIN : IS("expect") ? HTTP_EXPECT : HTTP_OTHER;
	case 7:
		return IS("upgrade") ? HTTP_UPGRADE : HTTP_OTHER;
	case 8:
		return IS("mcp-name") ? HTTP_MCP_NAME : HTTP_OTHER;
	case 10:
		return IS("connection") ? HTTP_CONNECTION : IS("mcp-method") ? HTTP_MCP_METHOD
		       : IS("keep-alive") ? HTTP_KEEP_ALIVE : HTTP_OTHER;
	case 11:
		if (IS("retry-after"))
			return HTTP_RETRY_AFTER;
		break;
	case 12:
		if (IS("content-type"))
			return HTTP_CONTENT_TYPE;
		break;
	case 13:
		if (IS("authorization"))
			return HTTP_AUTHORIZATION;
		if (IS("last-event-id"))
			return HTTP_LAST_EVENT_ID;
		break;
	case 14:
		if (IS("content-length"))
			return HTTP_CONTENT_LENGTH;
		if (IS("mcp-session-id"))
			return HTTP_MCP_SESSION_ID;
		break;
	case 16:
		if (IS("content-encoding"))
			return HTTP_CONTENT_ENCODING;
		if (IS("postern-identity"))
			return HTTP_POSTERN_IDENTITY;
		break;
	case 17:
		if (IS("transfer-encoding"))
			return HTTP_TRANSFER_ENCODING;
		break;
	case 20:
		if (IS("mcp-protocol-version"))
			return HTTP_MCP_PROTOCOL_VERSION;
		break;
	case 29:
		if (IS("access-control-request-method"))
			return HTTP_ACR_METHOD;
		break;
	case 30:
		if (IS("access-control-request-headers"))
			return HTTP_ACR_HEADERS;
		break;
	default:
		break;
	}
	return n > 10 && IS("mcp-param-") ? HTTP_MCP_PARAM : HTTP_OTHER;
}

/* ---- the end of a head ---- */

size_t http_head_end(const char *data, size_t n, size_t *scanned)
{
	size_t at = *scanned;

	while (at < n) {
		const char *lf = memchr(data + at, '\n', n - at);

		if (lf == NULL)
			break;
		at = (size_t)(lf - data);
		/* A bare LF can only be refused: end the head here so that the sender hears it now and not after a timeout. */
		if (at == 0 || data[at - 1] != '\r')
			return at + 1;
		if (n - at < 3 && (n - at == 1 || data[at + 1] == '\r')) {
			*scanned = at;
			return 0;
		}
		if (data[at + 1] == '\r' && data[at + 2] == '\n')
			return at + 3;
		at++;
	}
	*scanned = n;
	return 0;
}

/* ---- lines ---- */

/* Between two bytes of the head being read. */
struct cursor {
	const char *p;
	const char *end;
};

static bool take_crlf(struct cursor *c)
{
	if (c->end - c->p < 2 || c->p[0] != '\r' || c->p[1] != '\n')
		return false;
	c->p += 2;
	return true;
}

/* HTTP-version (RFC 9112 2.3); leaves the cursor on it unless it is one of the two that we speak. */
static enum http_error take_version(struct cursor *c, unsigned *minor)
{
	const char *p = c->p;

	if (c->end - p < 8 || memcmp(p, "HTTP/", 5) != 0 || !http_is_digit(p[5]) || p[6] != '.' || !http_is_digit(p[7]))
		return HTTP_BAD_LINE;
	if (p[5] != '1' || p[7] > '1')
		return HTTP_BAD_VERSION;
	*minor = (unsigned)(p[7] - '0');
	c->p += 8;
	return HTTP_OK;
}

static enum http_method method_of(struct span m)
{
	switch (m.n) {
	case 3:
		return memcmp(m.p, "GET", 3) == 0 ? HTTP_GET : HTTP_METHOD_OTHER;
	case 4:
		return memcmp(m.p, "POST", 4) == 0 ? HTTP_POST : memcmp(m.p, "HEAD", 4) == 0 ? HTTP_HEAD : HTTP_METHOD_OTHER;
	case 6:
		return memcmp(m.p, "DELETE", 6) == 0 ? HTTP_DELETE : HTTP_METHOD_OTHER;
	case 7:
		return memcmp(m.p, "OPTIONS", 7) == 0 ? HTTP_OPTIONS : HTTP_METHOD_OTHER;
	default:
		return HTTP_METHOD_OTHER;
	}
}

/* origin-form, or asterisk-form with OPTIONS (RFC 9112 3.2). Returns how much of it is right: all of it, or up to the fault. */
static size_t read_target(struct http_head *h)
{
	struct span t = h->target;
	const char *mark;
	size_t good;

	if (t.n == 1 && t.p[0] == '*' && h->method == HTTP_OPTIONS) {
		h->path = t;
		return t.n;
	}
	if (t.n == 0 || t.p[0] != '/')
		return 0;
	good = http_encoded_end(t, HTTP_C_TARGET);
	if (good < t.n)
		return good;
	mark = memchr(t.p, '?', t.n);
	h->path = mark == NULL ? t : span_of(t.p, (size_t)(mark - t.p));
	if (mark != NULL)
		h->query = span_from(t, h->path.n + 1);
	return t.n;
}

static enum http_error read_request_line(struct http_head *h, struct cursor *c)
{
	const char *start, *version;
	enum http_error e;
	size_t good;

	take_crlf(c); /* one empty line before it is forgiven (RFC 9112 2.2) */
	start = c->p;
	while (c->p < c->end && http_is(*c->p, HTTP_C_TOKEN))
		c->p++;
	h->method_text = span_of(start, (size_t)(c->p - start));
	if (h->method_text.n == 0 || c->p == c->end || *c->p != ' ')
		return HTTP_BAD_LINE;
	h->method = method_of(h->method_text);
	start = ++c->p;
	while (c->p < c->end && *c->p > ' ' && *c->p < 0x7f)
		c->p++;
	h->target = span_of(start, (size_t)(c->p - start));
	if (c->p == c->end || *c->p != ' ') {
		bool line_ends = c->p < c->end && *c->p == '\r';
		return line_ends || h->target.n == 0 ? HTTP_BAD_LINE : HTTP_BAD_TARGET;
	}
	version = ++c->p;
	e = take_version(c, &h->minor);
	if (e != HTTP_OK)
		return e;
	if (!take_crlf(c))
		return HTTP_BAD_LINE;
	good = read_target(h);
	if (good < h->target.n || h->target.n == 0) {
		c->p = h->target.n == 0 ? version - 1 : h->target.p + good;
		return HTTP_BAD_TARGET;
	}
	return HTTP_OK;
}

static enum http_error read_status_line(struct http_head *h, struct cursor *c)
{
	enum http_error e = take_version(c, &h->minor);

	if (e != HTTP_OK)
		return e;
	if (c->end - c->p < 5 || c->p[0] != ' ' || !http_is_digit(c->p[1]) || !http_is_digit(c->p[2]) || !http_is_digit(c->p[3]) || c->p[4] != ' ')
		return HTTP_BAD_LINE;
	h->status = (unsigned)(c->p[1] - '0') * 100 + (unsigned)(c->p[2] - '0') * 10 + (unsigned)(c->p[3] - '0');
	if (h->status < 100 || h->status > 599)
		return HTTP_BAD_LINE;
	c->p = http_value_stop(c->p + 5, c->end);
	return take_crlf(c) ? HTTP_OK : HTTP_BAD_LINE;
}

/* Field lines up to and including the empty line, which must be the last of the head. */
static enum http_error read_fields(struct http_head *h, struct cursor *c)
{
	const char *p = c->p, *end = c->end;

	for (;;) {
		struct http_field *f = &h->fields[h->nfields];
		const char *name = p, *value, *stop;

		if (end - p == 2 && p[0] == '\r' && p[1] == '\n') {
			c->p = end;
			return HTTP_OK;
		}
		while (p < end && http_is(*p, HTTP_C_TOKEN))
			p++;
		c->p = p;
		if (p == name || p == end || *p != ':')
			return HTTP_BAD_FIELD;
		if (h->nfields == HTTP_FIELDS_MAX) {
			c->p = name;
			return HTTP_TOO_MANY_FIELDS;
		}
		f->name = span_of(name, (size_t)(p - name));
		for (p++; p < end && http_is_ows(*p); p++)
			;
		value = p;
		c->p = p = http_value_stop(p, end);
		if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
			return HTTP_BAD_FIELD;
		for (stop = p; stop > value && http_is_ows(stop[-1]); stop--)
			;
		p += 2;
		f->value = span_of(value, (size_t)(stop - value));
		f->id = name_id(name, f->name.n);
		h->nfields++;
		if (f->id < HTTP_NAMES && h->count[f->id]++ == 0)
			h->known[f->id] = f->value;
	}
}

/* ---- framing ---- */

static bool field_list_has(const struct http_head *h, enum http_name id, struct span token)
{
	if (h->count[id] == 0)
		return false;
	for (unsigned i = 0; i < h->nfields; i++)
		if (h->fields[i].id == id && http_list_has(h->fields[i].value, token))
			return true;
	return false;
}

static void read_connection(struct http_head *h)
{
	h->keep_alive = h->minor == 1 || field_list_has(h, HTTP_CONNECTION, SPAN("keep-alive"));
	if (h->keep_alive && field_list_has(h, HTTP_CONNECTION, SPAN("close")))
		h->keep_alive = false;
}

/* RFC 9110 10.1.1: an expectation in an HTTP/1.0 request is ignored. */
static void read_expect(struct http_head *h)
{
	if (h->count[HTTP_EXPECT] == 0 || h->minor == 0)
		return;
	for (unsigned i = 0; i < h->nfields; i++) {
		if (h->fields[i].id != HTTP_EXPECT)
			continue;
		if (span_ieq(h->fields[i].value, SPAN("100-continue")))
			h->expect_continue = true;
		else
			h->bad_expect = true;
	}
}

/* Content-Length XOR Transfer-Encoding, once (RFC 9112 6). Everything that two parsers could read in two ways is refused. */
static enum http_error read_framing(struct http_head *h, const char **at)
{
	struct span te = h->known[HTTP_TRANSFER_ENCODING], cl = h->known[HTTP_CONTENT_LENGTH];

	if (h->count[HTTP_TRANSFER_ENCODING] > 0) {
		*at = te.p;
		if (h->count[HTTP_TRANSFER_ENCODING] > 1 || h->count[HTTP_CONTENT_LENGTH] > 0 || h->minor == 0)
			return HTTP_BAD_CODING;
		if (!span_ieq(te, SPAN("chunked")))
			return http_coding_list_ok(te) ? HTTP_UNKNOWN_CODING : HTTP_BAD_CODING;
		h->framing = HTTP_CHUNKED;
	} else if (h->count[HTTP_CONTENT_LENGTH] > 0) {
		*at = cl.p;
		if (h->count[HTTP_CONTENT_LENGTH] > 1 || !text_u64(cl, &h->length))
			return HTTP_BAD_LENGTH;
		h->framing = HTTP_LENGTH;
	}
	return HTTP_OK;
}

/* ---- the two readers ---- */

/* The fields array is left as it is: only fields[0..nfields) may be looked at. */
static void head_clear(struct http_head *h)
{
	h->method = HTTP_METHOD_OTHER;
	h->method_text = h->target = h->path = h->query = span_of(NULL, 0);
	h->status = h->minor = h->nfields = 0;
	h->framing = HTTP_NO_BODY;
	h->length = 0;
	h->keep_alive = h->expect_continue = h->bad_expect = false;
	h->head_len = 0;
	memset(h->count, 0, sizeof(h->count));
	memset(h->known, 0, sizeof(h->known));
}

static enum http_error failed(enum http_error e, struct span head, const char *at, size_t *where)
{
	*where = (size_t)(at - head.p);
	return e;
}

enum http_error http_request_read(struct http_head *h, struct span head, size_t *where)
{
	struct cursor c = { head.p, head.p + head.n };
	struct span host, name, port;
	const char *at = head.p;
	enum http_error e;

	head_clear(h);
	e = read_request_line(h, &c);
	if (e == HTTP_OK)
		e = read_fields(h, &c);
	if (e != HTTP_OK)
		return failed(e, head, c.p, where);
	h->head_len = head.n;
	host = h->known[HTTP_HOST];
	if (h->count[HTTP_HOST] > 1 || (h->count[HTTP_HOST] == 0 && h->minor == 1))
		return failed(HTTP_BAD_HOST, head, span_absent(host) ? head.p : host.p, where);
	if (host.n > 0 && !http_authority(host, &name, &port))
		return failed(HTTP_BAD_HOST, head, host.p, where);
	e = read_framing(h, &at);
	if (e != HTTP_OK)
		return failed(e, head, at, where);
	read_connection(h);
	read_expect(h);
	return HTTP_OK;
}

enum http_error http_response_read(struct http_head *h, struct span head, bool to_head, size_t *where)
{
	struct cursor c = { head.p, head.p + head.n };
	const char *at = head.p;
	enum http_error e;
	bool never;

	head_clear(h);
	e = read_status_line(h, &c);
	if (e == HTTP_OK)
		e = read_fields(h, &c);
	if (e != HTTP_OK)
		return failed(e, head, c.p, where);
	h->head_len = head.n;
	e = read_framing(h, &at);
	if (e != HTTP_OK)
		return failed(e, head, at, where);
	read_connection(h);
	/* RFC 9110 8.6, RFC 9112 6.1: 1xx and 204 announce no body. One that does is about to send what we would take for the next
	 * response. */
	never = h->status < 200 || h->status == 204;
	if (never && h->framing == HTTP_CHUNKED)
		return failed(HTTP_BAD_CODING, head, at, where);
	if (never && h->length > 0)
		return failed(HTTP_BAD_LENGTH, head, at, where);
	if (never || h->status == 304 || to_head) {
		h->framing = HTTP_NO_BODY;
		h->length = 0;
	} else if (h->framing == HTTP_NO_BODY) {
		h->framing = HTTP_UNTIL_CLOSE;
		h->keep_alive = false;
	}
	return HTTP_OK;
}

/* ---- telling ---- */

unsigned http_error_status(enum http_error e)
{
	switch (e) {
	case HTTP_OK:
		return 200;
	case HTTP_BAD_VERSION:
		return 505;
	case HTTP_TOO_MANY_FIELDS:
		return 431;
	case HTTP_UNKNOWN_CODING:
		return 501;
	default:
		return 400;
	}
}

struct span http_error_text(enum http_error e)
{
	switch (e) {
	case HTTP_OK:
		return SPAN("no error");
	case HTTP_BAD_LINE:
		return SPAN("The first line must be `METHOD /path HTTP/1.1` with single spaces, ended by CRLF.");
	case HTTP_BAD_VERSION:
		return SPAN("Only HTTP/1.1 and HTTP/1.0 are spoken here.");
	case HTTP_BAD_TARGET:
		return SPAN("The request target must be a path that begins with `/`, percent-encoded as RFC 3986 says.");
	case HTTP_BAD_FIELD:
		return SPAN("A header field must be `name: value` on one line ended by CRLF, with no space before the colon and no control byte.");
	case HTTP_TOO_MANY_FIELDS:
		return SPAN("At most 64 header fields are taken.");
	case HTTP_BAD_HOST:
		return SPAN("Exactly one Host field with a host and perhaps a port is needed.");
	case HTTP_BAD_LENGTH:
		return SPAN("Content-Length must be there at most once and hold 1 to 19 digits.");
	case HTTP_BAD_CODING:
		return SPAN("Transfer-Encoding must be there at most once, in HTTP/1.1, without Content-Length, and be `chunked`.");
	case HTTP_UNKNOWN_CODING:
		return SPAN("The only transfer coding taken is `chunked`.");
	default:
		return SPAN("The message could not be read.");
	}
}
