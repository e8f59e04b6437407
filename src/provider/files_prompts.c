#include "base/text.h"
#include "provider/files_prompt.h"
#include "provider/files_state.h"

/* Reads and parses prompt file `file`; spans live in f->prompt until the next one is read. */
static enum dir_status load(struct files *f, struct span file, struct files_prompt *p)
{
	struct dir_facts facts;
	int fd;
	enum dir_status status = dir_file(f->s.prompts_fd, file, &fd, &facts);
	long got;

	if (status != DIR_FINE)
		return status;
	got = dir_read(fd, f->prompt, FILES_PROMPT_MAX + 1, 0);
	dir_close(fd);
	if (got < 0)
		return DIR_FAILED;
	return got <= FILES_PROMPT_MAX && files_prompt_read(p, span_of(f->prompt, (size_t)got)) ? DIR_FINE : DIR_MISSING;
}

/* Loads the prompt that a request names; false: there is none, answered. */
static bool load_named(struct files *f, struct files_link *l, const struct files_request *r, struct files_prompt *p)
{
	char mem[MCP_NAME_MAX + 4];
	struct buf file = buf_on(mem, sizeof mem);
	enum dir_status status = DIR_MISSING;
	struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("unknown prompt"), .where = json_inner(&r->json, r->m.name) };

	json_text(&r->json, r->m.name, &file);
	BUF_LIT(&file, ".md");
	if (f->s.prompts_fd >= 0 && !file.full && !span_absent(files_prompt_name(buf_span(&file))))
		status = load(f, buf_span(&file), p);
	if (status == DIR_FINE)
		return true;
	if (status == DIR_FAILED) {
		fault.code = MCP_INTERNAL;
		fault.text = SPAN("reading the prompt failed; try again");
	}
	files_fault(f, l, r->m.id, &fault);
	return false;
}

/* ---- prompts/list ---- */

static void write_prompt(struct buf *b, struct span name, const struct files_prompt *p)
{
	BUF_LIT(b, "{\"name\":\"");
	buf_put(b, name);
	BUF_LIT(b, "\"");
	if (!span_absent(p->title)) {
		BUF_LIT(b, ",\"title\":");
		json_write_string(b, p->title);
		BUF_LIT(b, ",\"description\":");
		json_write_string(b, p->title);
	}
	if (p->nargs > 0)
		BUF_LIT(b, ",\"arguments\":[");
	for (unsigned i = 0; i < p->nargs; i++) {
		struct span value;
		size_t at = 0;

		if (i > 0)
			BUF_LIT(b, ",");
		BUF_LIT(b, "{\"name\":\"");
		buf_put(b, p->args[i].name);
		BUF_LIT(b, "\",\"required\":true");
		for (bool first = true; files_prompt_value(p->args[i].values, &at, &value); first = false) {
			if (first)
				BUF_LIT(b, ",\"description\":\"For example: ");
			else
				BUF_LIT(b, ", ");
			json_write_inner(b, value);
		}
		if (at > 0)
			BUF_LIT(b, "\"");
		BUF_LIT(b, "}");
	}
	if (p->nargs > 0)
		BUF_LIT(b, "]");
	BUF_LIT(b, "}");
}

static enum files_step prompts_step(struct files *f, struct files_link *l, struct files_call *c, struct files_job *j, uint64_t *budget)
{
	struct span id = files_call_id(c);
	enum files_walk_step step = FILES_WALK_MORE;
	struct buf b;

	if (j->result.n == 0) {
		files_walk_start(&j->walk, f->s.prompts_fd, SPAN(""), 1, false);
		if (c->after_len > 0)
			files_walk_after(&j->walk, span_of(c->after, c->after_len));
		BUF_LIT(&j->result, ",\"prompts\":[");
	}
	while (!j->cut && step != FILES_WALK_END && *budget >= FILES_LOOK) {
		size_t start = j->result.n;
		struct span file, name;
		struct files_prompt p;
		enum dir_kind kind;

		step = files_walk_next(&j->walk, f->batch, &kind);
		files_spend(budget, step == FILES_WALK_MORE ? FILES_SORT : FILES_LOOK);
		if (step != FILES_WALK_ENTRY || kind != DIR_FILE)
			continue;
		file = files_walk_path(&j->walk);
		name = files_prompt_name(file);
		if (span_absent(name) || load(f, file, &p) != DIR_FINE)
			continue;
		files_spend(budget, p.body.n);
		if (j->count == c->limit) {
			j->cut = true;
			break;
		}
		if (j->count > 0)
			BUF_LIT(&j->result, ",");
		write_prompt(&j->result, name, &p);
		if (j->result.full || buf_room(&j->result) < FILES_TAIL) {
			j->result.n = start;
			j->result.full = false;
			/* One that does not even fit alone is left out, or the list would never get past it. */
			if (j->count == 0)
				continue;
			j->cut = true;
			break;
		}
		memcpy(j->path, file.p, file.n);
		j->path_len = file.n;
		j->count++;
	}
	if (!j->cut && step != FILES_WALK_END)
		return FILES_MORE;
	b = files_answer(f, l, id);
	buf_put(&b, buf_span(&j->result));
	BUF_LIT(&b, "]");
	if (j->cut) {
		BUF_LIT(&b, ",\"nextCursor\":\"");
		b64_encode(&b, j->path, j->path_len);
		BUF_LIT(&b, "\"");
	}
	files_cache(&b, 0);
	files_answer_end(f, l, id, &b);
	return FILES_DONE;
}

void files_prompts_list(struct files *f, struct files_link *l, const struct files_request *r)
{
	char mem[FILES_NAME_MAX];
	struct buf after = buf_on(mem, sizeof mem);
	struct files_call *c;

	if (r->m.cursor != JSON_NONE) {
		char text_mem[MCP_CURSOR_MAX];
		struct buf text = buf_on(text_mem, sizeof text_mem);

		json_text(&r->json, r->m.cursor, &text);
		if (text.full || !b64_decode(&after, buf_span(&text)) || span_absent(files_prompt_name(buf_span(&after)))) {
			struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("params.cursor: not a cursor of this list") };

			files_fault(f, l, r->m.id, &fault);
			return;
		}
	}
	c = files_call_new(f, l, r);
	if (!c)
		return;
	c->step = prompts_step;
	c->after_len = (uint16_t)after.n;
	memcpy(c->after, mem, after.n);
}

/* ---- prompts/get ---- */

static const struct files_prompt_arg *named(const struct files_prompt *p, const struct json *j, uint32_t name)
{
	for (unsigned i = 0; i < p->nargs; i++)
		if (json_is(j, name, p->args[i].name))
			return &p->args[i];
	return NULL;
}

/* code 0: the arguments are those of the prompt. */
static struct mcp_fault check(const struct files_prompt *p, const struct files_request *r)
{
	struct mcp_fault fault = { .code = MCP_INVALID_PARAMS };

	for (uint32_t n = json_first(&r->json, r->m.arguments); n != JSON_NONE; n = json_next(&r->json, r->m.arguments, n)) {
		fault.where = json_inner(&r->json, n);
		fault.text = SPAN("params.arguments: the prompt has no such argument");
		if (!named(p, &r->json, n))
			return fault;
		fault.text = SPAN("params.arguments: the value must be a string");
		if (json_type(&r->json, json_value(&r->json, n)) != JSON_STRING)
			return fault;
	}
	for (unsigned i = 0; i < p->nargs; i++) {
		fault.where = p->args[i].name;
		fault.text = SPAN("params.arguments: missing required argument");
		if (json_get(&r->json, r->m.arguments, p->args[i].name) == JSON_NONE)
			return fault;
	}
	return (struct mcp_fault){ .code = 0 };
}

void files_prompts_get(struct files *f, struct files_link *l, const struct files_request *r)
{
	struct files_prompt p;
	struct mcp_fault fault;
	struct span text;
	size_t at = 0;
	struct buf b;
	int arg;

	if (!load_named(f, l, r, &p))
		return;
	fault = check(&p, r);
	if (fault.code != 0) {
		files_fault(f, l, r->m.id, &fault);
		return;
	}
	b = files_answer(f, l, r->m.id);
	if (!span_absent(p.title)) {
		BUF_LIT(&b, ",\"description\":");
		json_write_string(&b, p.title);
	}
	BUF_LIT(&b, ",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"");
	while (files_prompt_piece(&p, &at, &text, &arg)) {
		/* A value is copied as it was written (it is JSON already) and never looked through for arguments. */
		if (arg >= 0)
			buf_put(&b, json_inner(&r->json, json_get(&r->json, r->m.arguments, p.args[arg].name)));
		else
			json_write_inner(&b, text);
	}
	BUF_LIT(&b, "\"}}]");
	files_answer_end(f, l, r->m.id, &b);
}

/* ---- completion/complete of an argument ---- */

void files_prompts_complete(struct files *f, struct files_link *l, const struct files_request *r)
{
	uint32_t argument = json_get(&r->json, r->m.params, SPAN("argument")), value = json_get(&r->json, argument, SPAN("value"));
	uint32_t name = json_get(&r->json, argument, SPAN("name"));
	const struct files_prompt_arg *arg;
	struct buf b, prefix = buf_on(f->scratch, f->structured_max);
	struct files_prompt p;
	struct span suggestion;
	unsigned given = 0;
	size_t at = 0;
	bool more = false;

	if (!load_named(f, l, r, &p))
		return;
	arg = named(&p, &r->json, name);
	if (!arg) {
		struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("params.argument.name: the prompt has no such argument"),
			.where = json_inner(&r->json, name) };

		files_fault(f, l, r->m.id, &fault);
		return;
	}
	json_text(&r->json, value, &prefix);
	b = files_answer(f, l, r->m.id);
	BUF_LIT(&b, ",\"completion\":{\"values\":[");
	while (!prefix.full && files_prompt_value(arg->values, &at, &suggestion)) {
		if (!span_starts(suggestion, buf_span(&prefix)))
			continue;
		if (given == FILES_PAGE) {
			more = true;
			break;
		}
		if (given++ > 0)
			BUF_LIT(&b, ",");
		json_write_string(&b, suggestion);
	}
	if (more)
		BUF_LIT(&b, "],\"hasMore\":true}");
	else
		BUF_LIT(&b, "],\"hasMore\":false}");
	files_answer_end(f, l, r->m.id, &b);
}
