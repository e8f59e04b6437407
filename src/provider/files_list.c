#include "base/text.h"
#include "provider/files_state.h"

enum { LIST_PATH, LIST_DEPTH, LIST_LIMIT, LIST_AFTER };

/* Keeps an entry that was just written from `start` on; false: there is no room for it, and it is taken back. */
static bool fits(struct files_job *j, size_t start)
{
	if (!j->result.full && buf_room(&j->result) >= FILES_TAIL)
		return true;
	j->result.n = start;
	j->result.full = false;
	return false;
}

static void remember(struct files_job *j)
{
	struct span path = files_walk_path(&j->walk);

	memcpy(j->path, path.p, path.n);
	j->path_len = path.n;
	j->count++;
}

/* The next entry that is still there, with its facts. False: *step says whether the slice or the walk has ended. */
static bool next(struct files *f, struct files_job *j, uint64_t *budget, struct dir_facts *facts, enum files_walk_step *step)
{
	while (*budget >= FILES_LOOK) {
		enum dir_kind kind;

		*step = files_walk_next(&j->walk, f->batch, &kind);
		files_spend(budget, *step == FILES_WALK_MORE ? FILES_SORT : FILES_LOOK);
		if (*step == FILES_WALK_END)
			return false;
		/* It may have become something else since the directory was read. */
		if (*step == FILES_WALK_ENTRY && dir_look(j->walk.root_fd, files_walk_path(&j->walk), facts) == DIR_FINE && facts->kind == kind)
			return true;
	}
	*step = FILES_WALK_MORE;
	return false;
}

/* ---- list_files ---- */

static void list_begin(struct files *f, struct files_call *c, struct files_job *j)
{
	files_walk_start(&j->walk, f->s.root_fd, files_call_path(c), c->depth, f->s.hidden);
	if (c->after_len > 0)
		files_walk_after(&j->walk, span_of(c->after, c->after_len));
	BUF_LIT(&j->result, "{\"path\":");
	json_write_string(&j->result, files_call_path(c));
	BUF_LIT(&j->result, ",\"entries\":[");
}

static enum files_step list_step(struct files *f, struct files_link *l, struct files_call *c, struct files_job *j, uint64_t *budget)
{
	struct dir_facts facts;
	enum files_walk_step step = FILES_WALK_ENTRY;

	if (j->result.n == 0)
		list_begin(f, c, j);
	while (!j->cut && next(f, j, budget, &facts, &step)) {
		size_t start = j->result.n;

		if (j->count == c->limit) {
			j->cut = true;
			break;
		}
		if (j->count > 0)
			BUF_LIT(&j->result, ",");
		BUF_LIT(&j->result, "{\"path\":");
		json_write_string(&j->result, files_walk_path(&j->walk));
		if (facts.kind == DIR_FILE)
			BUF_LIT(&j->result, ",\"type\":\"file\"");
		else
			BUF_LIT(&j->result, ",\"type\":\"directory\"");
		files_facts(&j->result, &facts);
		BUF_LIT(&j->result, "}");
		if (fits(j, start))
			remember(j);
		else
			j->cut = true;
	}
	if (!j->cut && step == FILES_WALK_MORE)
		return FILES_MORE;
	if (j->cut && j->count > 0) {
		BUF_LIT(&j->result, "],\"truncated\":true,\"next_after\":");
		json_write_string(&j->result, span_of(j->path, j->path_len));
		BUF_LIT(&j->result, "}");
	} else if (j->cut) {
		BUF_LIT(&j->result, "],\"truncated\":true}");
	} else {
		BUF_LIT(&j->result, "],\"truncated\":false}");
	}
	files_tool_result(f, l, files_call_id(c), buf_span(&j->result));
	return FILES_DONE;
}

void files_tool_list(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a)
{
	struct span path = span_of(a->path, a->path_len);
	char mem[FILES_PATH_MAX];
	struct buf after = buf_on(mem, sizeof mem);
	struct dir_facts facts;
	enum dir_status status = dir_look(f->s.root_fd, path, &facts);
	struct files_call *c;

	if (status == DIR_FINE && facts.kind != DIR_DIRECTORY) {
		files_tool_wrong(f, l, r->m.id, SPAN(""), path, facts.kind == DIR_FILE ?
			SPAN(": found a file; it must be a directory (read_file reads a file)") : files_status_text(DIR_MISSING));
		return;
	}
	if (status != DIR_FINE) {
		files_tool_wrong(f, l, r->m.id, SPAN(""), path, files_status_text(status));
		return;
	}
	if (a->token[LIST_AFTER] != JSON_NONE) {
		struct span s;

		json_text(&r->json, a->token[LIST_AFTER], &after);
		s = buf_span(&after);
		if (after.full || !files_name_path(s, f->s.hidden) ||
		    (path.n > 0 && (!span_starts(s, path) || s.n <= path.n || s.p[path.n] != '/'))) {
			files_tool_wrong(f, l, r->m.id, SPAN("after: found "), json_raw(&r->json, a->token[LIST_AFTER]),
				SPAN("; it must be next_after of an earlier answer for the same path"));
			return;
		}
	}
	c = files_call_new(f, l, r);
	if (!c)
		return;
	c->step = list_step;
	c->depth = (unsigned)a->number[LIST_DEPTH];
	c->limit = (uint64_t)a->number[LIST_LIMIT];
	c->path_len = (uint16_t)path.n;
	memcpy(c->path, a->path, path.n);
	c->after_len = (uint16_t)after.n;
	memcpy(c->after, mem, after.n);
}

/* ---- resources/list ---- */

static enum files_step resources_step(struct files *f, struct files_link *l, struct files_call *c, struct files_job *j, uint64_t *budget)
{
	struct span id = files_call_id(c);
	struct dir_facts facts;
	enum files_walk_step step = FILES_WALK_ENTRY;
	struct buf b;

	if (j->result.n == 0) {
		files_walk_start(&j->walk, f->s.root_fd, SPAN(""), FILES_DEPTH_MAX, f->s.hidden);
		if (c->after_len > 0)
			files_walk_after(&j->walk, span_of(c->after, c->after_len));
		BUF_LIT(&j->result, ",\"resources\":[");
	}
	while (!j->cut && next(f, j, budget, &facts, &step)) {
		size_t start = j->result.n;
		struct span path = files_walk_path(&j->walk);

		if (facts.kind != DIR_FILE)
			continue;
		if (j->count == c->limit) {
			j->cut = true;
			break;
		}
		if (j->count > 0)
			BUF_LIT(&j->result, ",");
		BUF_LIT(&j->result, "{\"uri\":\"");
		files_name_uri(&j->result, f->s.name, path);
		BUF_LIT(&j->result, "\",\"name\":");
		json_write_string(&j->result, path);
		BUF_LIT(&j->result, ",\"mimeType\":\"");
		buf_put(&j->result, files_name_mime(path));
		BUF_LIT(&j->result, "\",\"size\":");
		buf_u64(&j->result, facts.size);
		BUF_LIT(&j->result, ",\"annotations\":{\"lastModified\":\"");
		files_name_time(&j->result, facts.modified_s);
		BUF_LIT(&j->result, "\"}}");
		if (fits(j, start))
			remember(j);
		else
			j->cut = true;
	}
	if (!j->cut && step == FILES_WALK_MORE)
		return FILES_MORE;
	b = files_answer(f, l, id);
	buf_put(&b, buf_span(&j->result));
	BUF_LIT(&b, "]");
	if (j->cut && j->count > 0) {
		BUF_LIT(&b, ",\"nextCursor\":\"");
		b64_encode(&b, j->path, j->path_len);
		BUF_LIT(&b, "\"");
	}
	files_cache(&b, 0);
	files_answer_end(f, l, id, &b);
	return FILES_DONE;
}

void files_resources_list(struct files *f, struct files_link *l, const struct files_request *r)
{
	char mem[FILES_PATH_MAX + 8];
	struct buf after = buf_on(mem, sizeof mem);
	struct files_call *c;

	if (r->m.cursor != JSON_NONE) {
		char text_mem[MCP_CURSOR_MAX];
		struct buf text = buf_on(text_mem, sizeof text_mem);

		json_text(&r->json, r->m.cursor, &text);
		if (text.full || !b64_decode(&after, buf_span(&text)) || !files_name_path(buf_span(&after), f->s.hidden)) {
			struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("params.cursor: not a cursor of this list") };

			files_fault(f, l, r->m.id, &fault);
			return;
		}
	}
	c = files_call_new(f, l, r);
	if (!c)
		return;
	c->step = resources_step;
	c->after_len = (uint16_t)after.n;
	memcpy(c->after, mem, after.n);
}

/* ---- completion/complete of {path} ---- */

static enum files_step complete_step(struct files *f, struct files_link *l, struct files_call *c, struct files_job *j, uint64_t *budget)
{
	struct span id = files_call_id(c), prefix = span_of(c->after, c->after_len);
	struct dir_facts facts;
	enum files_walk_step step = FILES_WALK_ENTRY;
	bool past = false;
	struct buf b;

	if (j->result.n == 0) {
		files_walk_start(&j->walk, f->s.root_fd, files_call_path(c), 1, f->s.hidden);
		files_walk_from(&j->walk, prefix);
		BUF_LIT(&j->result, ",\"completion\":{\"values\":[");
	}
	while (!j->cut && !past && next(f, j, budget, &facts, &step)) {
		size_t start = j->result.n;
		struct span path = files_walk_path(&j->walk);

		if (!span_starts(files_name_last(path), prefix)) {
			past = true;
			break;
		}
		if (j->count == c->limit) {
			j->cut = true;
			break;
		}
		if (j->count > 0)
			BUF_LIT(&j->result, ",");
		BUF_LIT(&j->result, "\"");
		json_write_inner(&j->result, path);
		/* A directory ends with a slash: what it names can be completed further. */
		if (facts.kind == DIR_DIRECTORY)
			BUF_LIT(&j->result, "/");
		BUF_LIT(&j->result, "\"");
		if (fits(j, start))
			remember(j);
		else
			j->cut = true;
	}
	if (!j->cut && !past && step == FILES_WALK_MORE)
		return FILES_MORE;
	b = files_answer(f, l, id);
	buf_put(&b, buf_span(&j->result));
	if (j->cut)
		BUF_LIT(&b, "],\"hasMore\":true}");
	else
		BUF_LIT(&b, "],\"hasMore\":false}");
	files_answer_end(f, l, id, &b);
	return FILES_DONE;
}

void files_complete(struct files *f, struct files_link *l, const struct files_request *r)
{
	uint32_t argument = json_get(&r->json, r->m.params, SPAN("argument")), value = json_get(&r->json, argument, SPAN("value"));
	char template_mem[64 + FILES_NAME_MAX], mem[FILES_PATH_MAX];
	struct buf template = buf_on(template_mem, sizeof template_mem), text = buf_on(mem, sizeof mem);
	struct mcp_fault fault = { .code = MCP_INVALID_PARAMS };
	struct span dir, last;
	struct dir_facts facts;
	struct files_call *c;

	if (!r->m.ref_is_resource) {
		files_prompts_complete(f, l, r);
		return;
	}
	BUF_LIT(&template, "files://");
	buf_put(&template, f->s.name);
	BUF_LIT(&template, "/{+path}");
	if (!json_is(&r->json, r->m.name, buf_span(&template)))
		fault.text = SPAN("params.ref.uri: not a template of this server");
	else if (!json_is(&r->json, json_get(&r->json, argument, SPAN("name")), SPAN("path")))
		fault.text = SPAN("params.argument.name: the template has only the variable path");
	if (!span_absent(fault.text)) {
		files_fault(f, l, r->m.id, &fault);
		return;
	}
	json_text(&r->json, value, &text);
	last = files_name_last(buf_span(&text));
	dir = span_of(mem, text.n - last.n > 0 ? text.n - last.n - 1 : 0);
	if (text.full || last.n > FILES_NAME_MAX || (text.n > last.n && !files_name_path(dir, f->s.hidden)) ||
	    dir_look(f->s.root_fd, dir, &facts) != DIR_FINE || facts.kind != DIR_DIRECTORY) {
		struct buf b = files_answer(f, l, r->m.id);

		BUF_LIT(&b, ",\"completion\":{\"values\":[],\"total\":0,\"hasMore\":false}");
		files_answer_end(f, l, r->m.id, &b);
		return;
	}
	c = files_call_new(f, l, r);
	if (!c)
		return;
	c->step = complete_step;
	c->path_len = (uint16_t)dir.n;
	memcpy(c->path, dir.p, dir.n);
	c->after_len = (uint16_t)last.n;
	memcpy(c->after, last.p, last.n);
}
