#include "bridge/bridge_state.h"

void say_log(struct bridge *b, struct span what, struct span detail)
{
	char mem[512];
	struct buf line = buf_on(mem, sizeof mem);

	buf_put(&line, what);
	if (!span_absent(detail)) {
		BUF_LIT(&line, ": ");
		for (size_t i = 0; i < detail.n && i < 300; i++) /* an upstream's words: no byte that a terminal obeys */
			buf_char(&line, (unsigned char)detail.p[i] < 0x20 || (unsigned char)detail.p[i] > 0x7e ? '?' : detail.p[i]);
	}
	b->h.log(b->h.ctx, buf_span(&line));
}

struct buf say_begin(struct bridge *b) { return buf_on(b->out, (size_t)b->s.reply_max + BRIDGE_SLACK); }
struct buf say_begin_peer(struct bridge *b) { return buf_on(b->out, b->out_cap); }

/* One message is one line. In checked JSON a raw LF only ever stands between tokens, where a space says the same. */
static void one_line(char *p, size_t n)
{
	for (char *nl; n > 0 && (nl = memchr(p, '\n', n)) != NULL; n -= (size_t)(nl + 1 - p), p = nl + 1)
		*nl = ' ';
}

bool say_worker(struct bridge *b, unsigned worker, struct buf *line)
{
	if (line->full || !b->up[worker])
		return false;
	one_line(line->p, line->n);
	return b->h.to_worker(b->h.ctx, worker, buf_span(line));
}

bool say_error(struct bridge *b, unsigned worker, struct span id, const struct mcp_fault *fault)
{
	char mem[2048];
	struct buf line = buf_on(mem, sizeof mem);

	mcp_error_write(&line, id, fault);
	if (line.full) { /* what it is about is too long to be said again */
		struct mcp_fault bare = { .code = fault->code, .text = SPAN("refused") };
		buf_reset(&line);
		mcp_error_write(&line, id, &bare);
	}
	return say_worker(b, worker, &line);
}

bool say_fault(struct bridge *b, unsigned worker, struct span id, int code, struct span why)
{
	char text_mem[512], data_mem[256];
	struct buf text = buf_on(text_mem, sizeof text_mem), data = buf_on(data_mem, sizeof data_mem);
	struct mcp_fault fault = { .code = code, .text = why };

	if (code == MCP_INTERNAL) { /* ours or the upstream's trouble, and not its own words: they say so */
		BUF_LIT(&text, "Upstream \"");
		buf_put(&text, b->s.name);
		BUF_LIT(&text, "\" ");
		buf_put(&text, why);
		BUF_LIT(&data, "{\"upstream\":");
		json_write_string(&data, b->s.name);
		BUF_LIT(&data, "}");
		fault.text = text.full ? why : buf_span(&text);
		if (!data.full)
			fault.data = buf_span(&data);
	}
	return say_error(b, worker, id, &fault);
}

bool say_peer(struct bridge *b, struct bridge_peer *p, enum bridge_what what, uint64_t id, struct buf *message)
{
	struct bridge_out out = { what, id, era_version(p), buf_span(message) };

	if (message->full)
		return false;
	one_line(message->p, message->n);
	return b->h.to_peer(b->h.ctx, p->index, &out);
}

void say_refusal(struct bridge *b, struct bridge_peer *p, struct span id, int code, struct span text)
{
	char mem[1024];
	struct buf line = buf_on(mem, sizeof mem);
	struct mcp_fault fault = { .code = code, .text = text };

	mcp_error_write(&line, id, &fault);
	(void)say_peer(b, p, BRIDGE_RESPONSE, 0, &line);
}

void say_member(struct buf *b, bool *any, struct span quoted_name)
{
	if (*any)
		BUF_LIT(b, ",");
	*any = true;
	buf_put(b, quoted_name);
	BUF_LIT(b, ":");
}

void say_members(struct buf *b, const struct json *j, uint32_t object, const struct span *drop, size_t ndrop, bool *any)
{
	for (uint32_t name = json_first(j, object); name != JSON_NONE; name = json_next(j, object, name)) {
		size_t i = 0;
		while (i < ndrop && !json_is(j, name, drop[i]))
			i++;
		if (i < ndrop)
			continue;
		say_member(b, any, json_raw(j, name));
		buf_put(b, json_raw(j, json_value(j, name)));
	}
}

void say_meta(struct buf *b, const struct json *j, uint32_t meta, bool foreign, const struct span *drop, size_t ndrop, bool *any)
{
	if (json_type(j, meta) != JSON_OBJECT)
		return;
	for (uint32_t name = json_first(j, meta); name != JSON_NONE; name = json_next(j, meta, name)) {
		char mem[256];
		struct buf plain = buf_on(mem, sizeof mem);
		size_t i = 0;

		json_text(j, name, &plain); /* an escape must not hide a prefix; and no name of use is that long */
		while (i < ndrop && !json_is(j, name, drop[i]))
			i++;
		if (i < ndrop || plain.full || span_starts(buf_span(&plain), SPAN(BRIDGE_OWN_PREFIX)) ||
		    (foreign && span_starts(buf_span(&plain), SPAN(BRIDGE_MCP_PREFIX))))
			continue;
		say_member(b, any, json_raw(j, name));
		buf_put(b, json_raw(j, json_value(j, name)));
	}
}
