#include "provider/files_state.h"

bool files_out_ready(struct files_link *l)
{
	if (l->out.n - l->sent > FILES_SLACK)
		return false;
	if (l->sent > 0) {
		memmove(l->out.p, l->out.p + l->sent, l->out.n - l->sent);
		l->out.n -= l->sent;
		l->sent = 0;
	}
	return true;
}

/* The free room, less one byte for the line feed. */
static struct buf room_of(struct files_link *l)
{
	return buf_on(l->out.p + l->out.n, buf_room(&l->out) - 1);
}

static void commit(struct files_link *l, const struct buf *b)
{
	l->out.n += b->n;
	l->out.p[l->out.n++] = '\n';
}

struct buf files_answer(struct files *f, struct files_link *l, struct span id)
{
	struct buf b = room_of(l);

	if (b.cap > f->s.reply_max)
		b.cap = f->s.reply_max;
	BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_put(&b, id);
	BUF_LIT(&b, ",\"result\":{\"resultType\":\"complete\"");
	return b;
}

void files_answer_end(struct files *f, struct files_link *l, struct span id, struct buf *b)
{
	BUF_LIT(b, ",\"_meta\":{\"" MCP_META_SERVER "\":{\"name\":\"postern-files\",\"title\":\"Files\",\"version\":");
	json_write_string(b, f->s.version);
	BUF_LIT(b, "}}}}");
	if (b->full) {
		struct mcp_fault fault = { .code = MCP_INTERNAL, .text = SPAN("the answer is longer than the reply limit; ask for less") };

		files_fault(f, l, id, &fault);
		return;
	}
	commit(l, b);
}

void files_cache(struct buf *b, uint64_t ttl_ms)
{
	/* private: who may read a tree is decided in front of this server, so no shared cache may decide it again. */
	BUF_LIT(b, ",\"ttlMs\":");
	buf_u64(b, ttl_ms);
	BUF_LIT(b, ",\"cacheScope\":\"private\"");
}

void files_fault(struct files *f, struct files_link *l, struct span id, const struct mcp_fault *fault)
{
	struct buf b = room_of(l);

	(void)f;
	mcp_error_write(&b, id, fault);
	if (b.full) {
		/* Only an absurdly small reply limit leaves no room for what the fault is about. */
		struct mcp_fault bare = { .code = fault->code, .text = SPAN("refused") };

		buf_reset(&b);
		mcp_error_write(&b, id, &bare);
	}
	if (!b.full)
		commit(l, &b);
}

void files_fault_uri(struct files *f, struct files_link *l, struct span id, struct span text, struct span uri)
{
	char mem[FILES_URI_MAX * 6 + 16];
	struct buf data = buf_on(mem, sizeof mem);
	struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = text };

	BUF_LIT(&data, "{\"uri\":");
	json_write_string(&data, uri);
	BUF_LIT(&data, "}");
	if (!data.full)
		fault.data = buf_span(&data);
	files_fault(f, l, id, &fault);
}

bool files_note(struct files_link *l, enum mcp_method m, struct buf *b)
{
	if (!files_out_ready(l))
		return false;
	*b = room_of(l);
	BUF_LIT(b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_put(b, mcp_method_name(m));
	BUF_LIT(b, "\",\"params\":{");
	return true;
}

bool files_note_end(struct files_link *l, struct buf *b)
{
	BUF_LIT(b, "}}");
	if (b->full)
		return false;
	commit(l, b);
	return true;
}

bool files_flush(struct files_link *l)
{
	while (l->writable && l->sent < l->out.n) {
		long wrote = sock_write(l->item.fd, l->out.p + l->sent, l->out.n - l->sent);

		if (wrote == SOCK_AGAIN)
			l->writable = false;
		else if (wrote <= 0)
			return false;
		else
			l->sent += (size_t)wrote;
	}
	if (l->sent == l->out.n)
		l->sent = l->out.n = 0;
	return true;
}

/* The next whole line, without its LF; absent if there is none yet. */
static struct span take_line(struct files_link *l)
{
	const char *end = l->in_scanned < l->in_n ? memchr(l->in + l->in_scanned, '\n', l->in_n - l->in_scanned) : NULL;
	struct span line;

	if (!end) {
		l->in_scanned = l->in_n;
		return span_of(NULL, 0);
	}
	line = span_of(l->in + l->in_at, (size_t)(end - (l->in + l->in_at)));
	l->in_at = l->in_scanned = l->in_at + line.n + 1;
	return line;
}

/* Makes room and reads once. False: the link has ended. */
static bool read_more(struct files *f, struct files_link *l)
{
	size_t cap = (size_t)f->s.line_max + FILES_LINE_SLACK;
	long got;

	if (l->in_at == l->in_n)
		l->in_at = l->in_n = l->in_scanned = 0;
	if (l->in_n == cap && l->in_at > 0) {
		memmove(l->in, l->in + l->in_at, l->in_n - l->in_at);
		l->in_n -= l->in_at;
		l->in_scanned -= l->in_at;
		l->in_at = 0;
	}
	if (l->in_n == cap) {
		/* No LF in the longest line there may be: it is let go by, so that the calls beside it live on. */
		l->in_n = l->in_scanned = 0;
		l->skipping = true;
	}
	got = sock_read(l->item.fd, l->in + l->in_n, cap - l->in_n);
	if (got == SOCK_AGAIN) {
		l->readable = false;
		return true;
	}
	if (got <= 0)
		return false;
	l->in_n += (size_t)got;
	return true;
}

bool files_lines(struct files *f, struct files_link *l, bool *more)
{
	*more = false;
	for (unsigned left = FILES_LINES_A_TICK; left > 0;) {
		struct span line;

		if (!files_out_ready(l)) {
			if (!files_flush(l))
				return false;
			if (!files_out_ready(l))
				return true;
		}
		line = take_line(l);
		if (!span_absent(line)) {
			left--;
			if (l->skipping) {
				struct mcp_fault fault = { .code = MCP_INVALID_REQUEST, .text = SPAN("a line longer than the limit") };

				l->skipping = false;
				files_fault(f, l, span_of(NULL, 0), &fault);
			} else {
				files_message(f, l, line);
			}
			/* After a large answer it is the other links' turn. */
			if (l->out.n - l->sent > FILES_SLACK) {
				*more = true;
				return true;
			}
			continue;
		}
		if (!l->readable)
			return true;
		left--;
		if (!read_more(f, l))
			return false;
	}
	*more = true;
	return true;
}
