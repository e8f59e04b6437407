#include "role/desk_page.h"

#include "os/jail.h"
#include "wire/http_write.h"

/* A space is kept for the body's length: bodies are written after the head, into the same buffer. */
static void respond(struct buf *out, unsigned status, struct span type, struct span allow, struct span body)
{
	http_write_status(out, status);
	http_write_field(out, SPAN("Content-Type"), type);
	http_write_field(out, SPAN("Cache-Control"), SPAN("no-store"));
	http_write_field(out, SPAN("X-Content-Type-Options"), SPAN("nosniff"));
	if (allow.n > 0)
		http_write_field(out, SPAN("Allow"), allow);
	http_write_field(out, SPAN("Connection"), SPAN("close"));
	http_write_length(out, body.n);
	http_write_end(out);
	buf_put(out, body);
}

static void respond_text(struct buf *out, unsigned status, struct span allow, struct span text)
{
	respond(out, status, SPAN("text/plain; charset=utf-8"), allow, text);
}

void desk_refuse(struct buf *out, unsigned status, struct span text)
{
	respond_text(out, status, SPAN(""), text);
}

static void write_missing(struct buf *b, uint32_t missing)
{
	bool first = true;

	for (unsigned bit = 0; bit < JAIL_BITS; bit++) {
		if (!(missing >> bit & 1))
			continue;
		if (!first)
			buf_char(b, ',');
		buf_char(b, '"');
		buf_put(b, span_z(jail_missing_name(bit)));
		buf_char(b, '"');
		first = false;
	}
}

static void ready(struct buf *out, const struct msg_state *s)
{
	char mem[512];
	struct buf b = buf_on(mem, sizeof mem);
	bool all_up = s->wanted > 0 && s->up == s->wanted;
	bool yes = all_up && !s->draining;

	BUF_LIT(&b, "{\"ready\":");
	buf_put(&b, yes ? SPAN("true") : SPAN("false"));
	BUF_LIT(&b, ",\"generation\":");
	buf_u64(&b, s->generation);
	BUF_LIT(&b, ",\"roles\":{\"up\":");
	buf_u64(&b, s->up);
	BUF_LIT(&b, ",\"wanted\":");
	buf_u64(&b, s->wanted);
	BUF_LIT(&b, "},\"missing\":[");
	write_missing(&b, s->missing);
	BUF_LIT(&b, "]");
	if (!yes) {
		BUF_LIT(&b, ",\"reasons\":[");
		if (s->draining)
			BUF_LIT(&b, "\"draining\"");
		if (s->draining && !all_up)
			buf_char(&b, ',');
		if (!all_up)
			BUF_LIT(&b, "\"not all roles are up\"");
		buf_char(&b, ']');
	}
	BUF_LIT(&b, "}\n");
	respond(out, yes ? 200 : 503, SPAN("application/json"), SPAN(""), buf_span(&b));
}

static void write_sandbox(struct buf *b, const struct msg_state *s)
{
	BUF_LIT(b, "# HELP postern_sandbox_missing Parts of the sandbox that this kernel lacks\n# TYPE postern_sandbox_missing gauge\n");
	for (unsigned bit = 0; bit < JAIL_BITS; bit++) {
		BUF_LIT(b, "postern_sandbox_missing{part=\"");
		buf_put(b, span_z(jail_missing_name(bit)));
		BUF_LIT(b, "\"} ");
		buf_u64(b, s->missing >> bit & 1);
		buf_char(b, '\n');
	}
	BUF_LIT(b, "# HELP postern_generation Number of the serving configuration, counted from 1\n# TYPE postern_generation gauge\n"
		"postern_generation ");
	buf_u64(b, s->generation);
	BUF_LIT(b, "\n# HELP postern_roles Processes below the parent\n# TYPE postern_roles gauge\npostern_roles{state=\"up\"} ");
	buf_u64(b, s->up);
	BUF_LIT(b, "\npostern_roles{state=\"wanted\"} ");
	buf_u64(b, s->wanted);
	buf_char(b, '\n');
}

static void metrics(struct buf *out, const struct desk_view *v)
{
	static char mem[20 << 10];
	struct buf b = buf_on(mem, sizeof mem);

	metrics_write(&b, v->blocks, v->nblocks);
	metrics_write_upstreams(&b, v->blocks + v->own, v->nown, v->servers, v->nservers);
	write_sandbox(&b, v->state);
	if (b.full)
		respond_text(out, 500, SPAN(""), SPAN("the metrics do not fit\n"));
	else
		respond(out, 200, SPAN("text/plain; version=0.0.4; charset=utf-8"), SPAN(""), buf_span(&b));
}

void desk_answer(struct buf *out, const struct desk_view *v, struct span head)
{
	static struct http_head h;
	size_t where;
	enum http_error e = http_request_read(&h, head, &where);
	enum { HEALTH, READY, METRICS, NOWHERE } page;

	if (e != HTTP_OK) {
		desk_refuse(out, http_error_status(e), http_error_text(e));
		return;
	}
	switch (host_check(&v->host, &h)) {
	case HOST_FOREIGN:
		desk_refuse(out, 421, SPAN("this Host is not served here; use the address of the admin listener\n"));
		return;
	case HOST_FOREIGN_ORIGIN:
		desk_refuse(out, 403, SPAN("not for browsers\n"));
		return;
	case HOST_OK:
		break;
	}
	if (h.count[HTTP_ORIGIN] > 0) {
		desk_refuse(out, 403, SPAN("not for browsers\n"));
		return;
	}
	page = span_eq(h.path, SPAN("/health")) ? HEALTH : span_eq(h.path, SPAN("/ready")) ? READY
		: span_eq(h.path, SPAN("/metrics")) ? METRICS : NOWHERE;
	if (page == NOWHERE)
		desk_refuse(out, 404, SPAN("here are /health, /ready and /metrics\n"));
	else if (h.method != HTTP_GET)
		respond_text(out, 405, SPAN("GET"), SPAN("only GET\n"));
	else if (h.framing != HTTP_NO_BODY && !(h.framing == HTTP_LENGTH && h.length == 0))
		desk_refuse(out, 400, SPAN("a GET has no body here\n"));
	else if (page == HEALTH)
		desk_refuse(out, 200, SPAN("ok\n"));
	else if (page == READY)
		ready(out, v->state);
	else
		metrics(out, v);
}
