#include "flow/leg.h"
#include "flow/retry.h"
#include "wire/http_write.h"
#include "wire/json_write.h"

static void open_message(struct buf *b, struct leg *l)
{
	BUF_LIT(b, "{\"jsonrpc\":\"2.0\",\"id\":");
	buf_u64(b, leg_id(l));
	BUF_LIT(b, ",\"method\":\"");
	buf_put(b, mcp_method_name(l->method));
	BUF_LIT(b, "\",\"params\":");
}

/* Our own head in front of the message in `b`, which starts at offset `room`. Every mirrored header is made anew from the values judged. */
static bool put_head(struct leg *l, struct buffer *b, size_t room, size_t body_n, struct span name, struct span fields)
{
	struct flow *f = l->f;
	const struct flow_server *s = l->up->set;
	size_t half = f->scratch_cap / 2;
	struct buf h = buf_on(f->scratch + half, half);

	http_write_post(&h, s->path);
	http_write_field(&h, SPAN("Host"), s->host);
	http_write_field(&h, SPAN("Content-Type"), SPAN("application/json"));
	http_write_field(&h, SPAN("Accept"), SPAN("application/json, text/event-stream"));
	http_write_field(&h, SPAN("MCP-Protocol-Version"), SPAN(MCP_VERSION));
	http_write_field(&h, SPAN("Mcp-Method"), mcp_method_name(l->method));
	if (!span_absent(mcp_method_named_by(l->method))) {
		BUF_LIT(&h, "Mcp-Name: ");
		http_write_mcp_value(&h, name);
		BUF_LIT(&h, "\r\n");
	}
	buf_put(&h, fields);
	buf_put(&h, s->fields);
	http_write_length(&h, body_n);
	http_write_end(&h);
	if (h.full || h.n > room)
		return false;
	memcpy(b->p + room - h.n, h.p, h.n);
	b->from = (uint32_t)(room - h.n);
	return true;
}

/* Room for the head of a message: everything in it is bounded by what it is made of. */
static size_t head_room(const struct leg *l, struct span name, struct span fields)
{
	const struct flow_server *s = l->up->set;
	if (l->by_line)
		return 0;
	return 512 + s->path.n + s->host.n + s->fields.n + 2 * name.n + 16 + fields.n + (s->credential ? FLOW_CREDENTIAL_MAX + 2 : 0);
}

static struct buffer *finish(struct leg *l, struct buffer *b, size_t room, struct buf *body, struct span name, struct span fields)
{
	if (l->by_line)
		BUF_LIT(body, "\n");
	if (body->full || (!l->by_line && !put_head(l, b, room, body->n, name, fields))) {
		buffer_give(l->f, b);
		return NULL;
	}
	b->n = (uint32_t)(room + body->n);
	return b;
}

/* On a line a message must be one line. In checked JSON a raw CR or LF only ever stands between tokens, where a space says the same. */
static void one_line(struct leg *l, char *p, size_t n)
{
	if (!l->by_line)
		return;
	for (char *nl; n > 0 && (nl = memchr(p, '\n', n)) != NULL; n -= (size_t)(nl + 1 - p), p = nl + 1)
		*nl = ' ';
}

enum { CALLER_MAX = 32 + 2 * CRYPTO_HASH };

/* A process that speaks for an upstream keeps callers apart (bridge/bridge.h): behind the brace of their _meta, where others follow. `mem` holds
 * CALLER_MAX bytes as long as the edits are used. */
static void put_caller(struct leg *l, uint32_t meta, char *mem, struct edits *s)
{
	struct buf member = buf_on(mem, CALLER_MAX);
	uint8_t principal[CRYPTO_HASH];
	const char *at = json_raw(&l->f->json, meta).p + 1;

	if (!leg_bridged(l) || !l->txn)
		return;
	passport_principal(&l->f->passports, &l->txn->who, principal);
	BUF_LIT(&member, "\"" FLOW_META_CALLER "\":\"");
	buf_hex(&member, principal, sizeof principal);
	BUF_LIT(&member, "\",");
	edit_put(s, at, at, buf_span(&member));
}

/* The params of the client's message with what must differ upstream: the progress token, a prefixed name; and without what may not pass. */
static void params_edits(struct txn *t, struct span token, struct span quoted_name, struct edits *s)
{
	const struct json *j = &t->f->json;
	const struct mcp_message *m = &t->msg;
	struct span at_name = NULL == quoted_name.p ? quoted_name : json_raw(j, m->name);
	struct span at_token = m->progress_token == JSON_NONE ? span_of(NULL, 0) : json_raw(j, m->progress_token);

	if (at_token.p)
		edit_put(s, at_token.p, at_token.p + at_token.n, token);
	if (at_name.p)
		edit_put(s, at_name.p, at_name.p + at_name.n, quoted_name);
}

struct buffer *request_list(struct leg *l, const struct mcp_message *m, struct span cursor)
{
	const struct json *j = &l->f->json;
	struct span none = { NULL, 0 }, meta = json_raw(j, m->meta), progress = json_raw(j, m->progress_token);
	char token_mem[24], caller_mem[CALLER_MAX];
	struct buf token = buf_on(token_mem, sizeof(token_mem));
	struct edits s = { l->f->edits, 0, FLOW_EDITS, false };
	size_t room = head_room(l, none, none);

	buf_u64(&token, leg_id(l));
	if (m->progress_token != JSON_NONE)
		edit_replace(&s, progress, buf_span(&token));
	hygiene_meta(l->up, m->meta, &s);
	put_caller(l, m->meta, caller_mem, &s);
	struct buffer *b = s.full ? NULL : buffer_take(l->f, room + edit_size(meta, &s) + 256 + 6 * cursor.n);
	if (!b)
		return NULL;
	struct buf body = buf_on(b->p + room, b->cap - room);
	open_message(&body, l);
	BUF_LIT(&body, "{\"_meta\":");
	edit_write(&body, meta, &s);
	if (!span_absent(cursor)) {
		BUF_LIT(&body, ",\"cursor\":");
		json_write_string(&body, cursor);
	}
	BUF_LIT(&body, "}}");
	one_line(l, body.p, body.n);
	return finish(l, b, room, &body, none, none);
}

static struct buffer *client_message(struct txn *t, struct leg *l)
{
	struct flow *f = t->f;
	const struct json *j = &f->json;
	const struct mcp_message *m = &t->msg;
	bool task = mcp_method_is_task(m->method);
	bool renamed = task || (!f->set->plain && (m->method == MCP_TOOLS_CALL || m->method == MCP_PROMPTS_GET ||
		(m->method == MCP_COMPLETE && !m->ref_is_resource)));
	struct span called = task ? t->task : t->name;
	char token_mem[24], name_mem[MCP_TASK_MAX * 6 + 2], caller_mem[CALLER_MAX];
	struct buf token = buf_on(token_mem, sizeof(token_mem)), name = buf_on(name_mem, sizeof(name_mem));
	struct edits s = { f->edits, 0, FLOW_EDITS, false };

	if (!f->set->plain && !span_absent(list_member(m->method))) /* only its _meta: the cursor is another */
		return request_list(l, m, t->has_cursor ? t->cursor : span_of(NULL, 0));
	buf_u64(&token, leg_id(l));
	if (renamed)
		json_write_string(&name, called);
	params_edits(t, buf_span(&token), renamed ? buf_span(&name) : span_of(NULL, 0), &s);
	retry_edits(t, &s);
	hygiene_request(l->up, m, &s);
	put_caller(l, m->meta, caller_mem, &s);
	if (s.full)
		return NULL;

	struct span params = json_raw(j, m->params);
	size_t room = head_room(l, called, f->fields);
	struct buffer *b = buffer_take(f, room + edit_size(params, &s) + 256);
	if (!b)
		return NULL;
	struct buf body = buf_on(b->p + room, b->cap - room);
	open_message(&body, l);
	edit_write(&body, params, &s);
	BUF_LIT(&body, "}");
	one_line(l, body.p, body.n);
	return finish(l, b, room, &body, called, f->fields);
}

enum step_end request_send(struct txn *t)
{
	struct upstream *up = &t->f->up[t->server];
	struct leg *l = leg_new(up, t, t->msg.method);
	struct buffer *b = l ? client_message(t, l) : NULL;

	if (!b) {
		if (l)
			leg_free(l);
		metrics_add(t->f->metrics, METRIC_REFUSED_FULL, 1);
		return answer_upstream(t, 503, up->set->name, SPAN("cannot be asked: Postern is at its limit of calls or buffers"));
	}
	t->step = STEP_REPLY; /* before sending: the answer may come before leg_send() returns */
	leg_send(l, b);
	return STEP_WAIT;
}

struct buffer *request_own(struct leg *l, struct span members, struct span meta, const struct mcp_message *of)
{
	struct edits s = { l->f->edits, 0, FLOW_EDITS, false };
	size_t room = head_room(l, span_of(NULL, 0), span_of(NULL, 0));
	char caller_mem[CALLER_MAX];

	if (of) {
		hygiene_meta(l->up, of->meta, &s);
		put_caller(l, of->meta, caller_mem, &s);
	}
	struct buffer *b = s.full ? NULL : buffer_take(l->f, room + 512 + members.n + meta.n);
	if (!b)
		return NULL;
	struct buf body = buf_on(b->p + room, b->cap - room);
	open_message(&body, l);
	BUF_LIT(&body, "{");
	buf_put(&body, members);
	BUF_LIT(&body, "\"_meta\":");
	edit_write(&body, meta, &s);
	BUF_LIT(&body, "}}");
	one_line(l, body.p, body.n);
	return finish(l, b, room, &body, span_of(NULL, 0), span_of(NULL, 0));
}

void request_catalog(struct upstream *up, enum mcp_method method, struct span cursor)
{
	struct flow *f = up->f;
	struct leg *l = leg_new(up, NULL, method);
	char meta_mem[512];
	struct buf meta = buf_on(meta_mem, sizeof(meta_mem)), members = buf_on(f->scratch, MCP_CURSOR_MAX * 6 + 64);

	if (!l) {
		catalog_failed(up);
		return;
	}
	up->catalog_leg = l;
	BUF_LIT(&meta, "{\"" MCP_META_VERSION "\":\"" MCP_VERSION "\",\"" MCP_META_CAPABILITIES "\":{},\"" MCP_META_CLIENT
		"\":");
	answer_server(f, &meta);
	BUF_LIT(&meta, "}");
	if (!span_absent(cursor)) {
		BUF_LIT(&members, "\"cursor\":");
		buf_put(&members, cursor);
		BUF_LIT(&members, ",");
	}
	struct buffer *b = members.full ? NULL : request_own(l, buf_span(&members), buf_span(&meta), NULL);
	if (!b) {
		leg_free(l);
		catalog_failed(up);
		return;
	}
	leg_send(l, b);
}

struct buffer *request_cancel(struct leg *l)
{
	struct buffer *b = buffer_take(l->f, 256);
	if (!b)
		return NULL;
	struct buf line = buf_on(b->p, b->cap);
	BUF_LIT(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":");
	buf_u64(&line, leg_id(l));
	BUF_LIT(&line, "}}\n");
	b->n = (uint32_t)line.n;
	return b;
}
