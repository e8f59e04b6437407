#include "provider/files_state.h"

enum { DEFINITIONS_TTL_MS = 3600000 };

static void discover(struct files *f, struct files_link *l, const struct files_request *r)
{
	struct buf b = files_answer(f, l, r->m.id);

	BUF_LIT(&b, ",\"supportedVersions\":[\"" MCP_VERSION "\"],\"capabilities\":{\"completions\":{},");
	if (f->s.prompts_fd >= 0)
		BUF_LIT(&b, "\"prompts\":{},");
	BUF_LIT(&b, "\"resources\":{\"subscribe\":true},\"tools\":{}},\"instructions\":\"A directory tree, read-only. Paths are relative to its "
		"root, like docs/guide.md. Start with list_files; find text with search_text; read with read_file, in parts if a file is long. "
		"Every file is also the resource files://");
	json_write_inner(&b, f->s.name);
	BUF_LIT(&b, "/PATH with PATH percent-encoded.\"");
	files_cache(&b, DEFINITIONS_TTL_MS);
	files_answer_end(f, l, r->m.id, &b);
}

static void (*const handlers[MCP_REQUESTS])(struct files *, struct files_link *, const struct files_request *) = {
	[MCP_DISCOVER] = discover,
	[MCP_TOOLS_LIST] = files_tools_list,
	[MCP_TOOLS_CALL] = files_tools_call,
	[MCP_PROMPTS_LIST] = files_prompts_list,
	[MCP_PROMPTS_GET] = files_prompts_get,
	[MCP_RESOURCES_LIST] = files_resources_list,
	[MCP_TEMPLATES_LIST] = files_templates_list,
	[MCP_RESOURCES_READ] = files_resources_read,
	[MCP_COMPLETE] = files_complete,
	[MCP_LISTEN] = files_listen,
};

static struct files_call *call_of(struct files *f, struct files_link *l, struct span id)
{
	for (unsigned i = 0; l->ncalls > 0 && i < f->s.calls_max; i++)
		if (l->calls[i].state != FILES_FREE && span_eq(files_call_id(&l->calls[i]), id))
			return &l->calls[i];
	return NULL;
}

static struct files_listen *listen_of(struct files_link *l, struct span id)
{
	for (unsigned i = 0; l->nlistens > 0 && i < FILES_LISTENS; i++)
		if (l->listens[i].open && span_eq(span_of(l->listens[i].id, l->listens[i].id_len), id))
			return &l->listens[i];
	return NULL;
}

/* Faults of a notification are nobody's answer; an unknown or finished request is no fault (mcp.md 8.1). */
static void notification(struct files *f, struct files_link *l, const struct files_request *r)
{
	uint32_t token = json_get(&r->json, r->m.params, SPAN("requestId"));
	struct files_call *c;
	struct files_listen *s;

	if (r->m.method != MCP_CANCELLED || token == JSON_NONE)
		return;
	c = call_of(f, l, json_raw(&r->json, token));
	if (c)
		files_call_end(f, l, c);
	s = listen_of(l, json_raw(&r->json, token));
	if (s)
		files_listen_end(f, l, s);
}

static struct mcp_fault bad_version(const struct files_request *r, struct buf *data)
{
	struct mcp_fault fault = { .code = MCP_UNSUPPORTED_VERSION, .text = SPAN("protocol version not offered; use " MCP_VERSION) };

	BUF_LIT(data, "{\"supported\":[\"" MCP_VERSION "\"],\"requested\":");
	buf_put(data, json_raw(&r->json, r->m.version));
	BUF_LIT(data, "}");
	if (data->full) {
		buf_reset(data);
		BUF_LIT(data, "{\"supported\":[\"" MCP_VERSION "\"],\"requested\":\"\"}");
	}
	fault.data = buf_span(data);
	return fault;
}

static void request(struct files *f, struct files_link *l, struct files_request *r)
{
	char mem[512];
	struct buf data = buf_on(mem, sizeof mem);
	struct mcp_fault fault = mcp_request_meta(&r->m, &r->json);

	if (fault.code == 0 && !json_is(&r->json, r->m.version, SPAN(MCP_VERSION)))
		fault = bad_version(r, &data);
	if (fault.code == 0 && (r->m.method >= MCP_REQUESTS || !handlers[r->m.method] ||
	    (f->s.prompts_fd < 0 && (r->m.method == MCP_PROMPTS_LIST || r->m.method == MCP_PROMPTS_GET))))
		fault = (struct mcp_fault){ .code = MCP_METHOD_NOT_FOUND, .text = SPAN("this server has no such method") };
	if (fault.code == 0)
		fault = mcp_request_params(&r->m, &r->json);
	if (fault.code == 0 && (call_of(f, l, r->m.id) || listen_of(l, r->m.id)))
		fault = (struct mcp_fault){ .code = MCP_INVALID_REQUEST, .text = SPAN("id: a request with this id is in progress") };
	if (fault.code != 0)
		files_fault(f, l, r->m.id, &fault);
	else
		handlers[r->m.method](f, l, r);
}

void files_message(struct files *f, struct files_link *l, struct span line)
{
	struct files_request r;
	struct mcp_fault fault;
	size_t where;

	if (json_read(&r.json, f->table, line, &where) != JSON_OK) {
		fault = (struct mcp_fault){ .code = MCP_PARSE_ERROR, .text = SPAN("not JSON, or a name twice in one object, or too many values") };
		files_fault(f, l, span_of(NULL, 0), &fault);
		return;
	}
	fault = mcp_message_read(&r.m, &r.json);
	if (fault.code != 0)
		files_fault(f, l, r.m.id, &fault);
	else if (r.m.kind == MCP_REQUEST)
		request(f, l, &r);
	else if (r.m.kind == MCP_NOTIFICATION)
		notification(f, l, &r);
	/* A response has no meaning here: a server asks nothing. */
}

struct files_call *files_call_new(struct files *f, struct files_link *l, const struct files_request *r)
{
	struct mcp_fault fault = { .code = MCP_INTERNAL, .text = SPAN("too many calls in progress; try again when one has ended") };
	struct files_call *c = NULL;
	struct span token;

	for (unsigned i = 0; l->ncalls < f->s.calls_max && i < f->s.calls_max && !c; i++)
		if (l->calls[i].state == FILES_FREE)
			c = &l->calls[i];
	if (!c) {
		files_fault(f, l, r->m.id, &fault);
		return NULL;
	}
	c->state = FILES_WAITING;
	c->search = c->exact = false;
	c->order = f->order++;
	c->job = NULL;
	c->path_len = c->after_len = c->query_len = 0;
	c->depth = FILES_DEPTH_MAX;
	c->context = 0;
	c->limit = FILES_PAGE;
	c->id_len = (uint16_t)r->m.id.n;
	memcpy(c->id, r->m.id.p, r->m.id.n);
	token = r->m.progress_token == JSON_NONE ? SPAN("") : json_raw(&r->json, r->m.progress_token);
	c->token_len = (uint16_t)token.n;
	memcpy(c->token, token.p, token.n);
	l->ncalls++;
	f->nwaiting++;
	return c;
}

void files_call_end(struct files *f, struct files_link *l, struct files_call *c)
{
	if (c->state == FILES_WAITING)
		f->nwaiting--;
	if (c->state == FILES_RUNNING) {
		files_walk_end(&c->job->walk);
		c->job->busy = false;
		f->nsearches -= c->search;
	}
	c->state = FILES_FREE;
	c->job = NULL;
	l->ncalls--;
}

void files_calls_drop(struct files *f, struct files_link *l)
{
	for (unsigned i = 0; i < f->s.calls_max; i++)
		if (l->calls[i].state != FILES_FREE)
			files_call_end(f, l, &l->calls[i]);
}

static struct files_job *free_job(struct files *f)
{
	for (unsigned i = 0; i < FILES_JOBS; i++)
		if (!f->jobs[i].busy)
			return &f->jobs[i];
	return NULL;
}

static void begin(struct files *f, struct files_call *c, struct files_job *j)
{
	j->busy = true;
	buf_reset(&j->result);
	j->count = j->files = j->skipped = j->told = 0;
	j->told_ms = f->loop->now_ms;
	j->cut = j->inside = false;
	j->path_len = 0;
	c->job = j;
	c->state = FILES_RUNNING;
	f->nwaiting--;
	f->nsearches += c->search;
}

/* The oldest waiting call of this link that may run now. */
static struct files_call *oldest(struct files *f, struct files_link *l)
{
	struct files_call *best = NULL;

	for (unsigned i = 0; i < f->s.calls_max; i++) {
		struct files_call *c = &l->calls[i];

		if (c->state == FILES_WAITING && !(c->search && f->nsearches >= FILES_SEARCHES) && (!best || c->order < best->order))
			best = c;
	}
	return best;
}

/* Links take turns, so that one worker's queue does not hold up another's. */
static void assign(struct files *f)
{
	for (unsigned misses = 0; f->nwaiting > 0 && misses < f->s.links_max;) {
		struct files_link *l = &f->links[f->next_link];
		struct files_job *j = free_job(f);
		struct files_call *c = j && l->ncalls > 0 && files_out_ready(l) ? oldest(f, l) : NULL;

		if (!j)
			return;
		f->next_link = (f->next_link + 1) % f->s.links_max;
		misses = c ? 0 : misses + 1;
		if (c)
			begin(f, c, j);
	}
}

bool files_work(struct files *f)
{
	bool more = false;

	assign(f);
	for (unsigned k = 0; k < f->s.links_max; k++) {
		struct files_link *l = &f->links[k];

		for (unsigned i = 0; l->ncalls > 0 && i < f->s.calls_max; i++) {
			struct files_call *c = &l->calls[i];
			uint64_t budget = FILES_SLICE;

			if (c->state != FILES_RUNNING || !files_out_ready(l))
				continue;
			if (c->step(f, l, c, c->job, &budget) == FILES_DONE)
				files_call_end(f, l, c);
			else
				more = true;
		}
	}
	/* Jobs that came free in this turn are given out in the next. */
	for (unsigned k = 0; k < f->s.links_max && f->nwaiting > 0 && !more; k++)
		more = free_job(f) && f->links[k].ncalls > 0 && files_out_ready(&f->links[k]) && oldest(f, &f->links[k]);
	return more;
}
