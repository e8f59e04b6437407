#include "gate/catalog.h"

#include "gate/catalog_schema.h"

enum { INSTRUCTIONS_MAX = 8192 };

void catalog_clear(struct catalog *c)
{
	c->caps = 0;
	c->instructions = c->server_info = span_of(NULL, 0);
	c->ttl_ms = 0;
	c->cut = false;
	c->ntools = c->nparams = 0;
	c->ntext = 0;
	/* Where none was learned nothing is written: those pages are not even there. */
	if (c->nnames[CATALOG_TOOL] > 0)
		memset(c->tool_names, 0, sizeof c->tool_names);
	if (c->nnames[CATALOG_PROMPT] > 0)
		memset(c->prompt_names, 0, sizeof c->prompt_names);
	if (c->nspellings > 0)
		memset(c->spellings, 0, sizeof c->spellings);
	c->nspellings = 0;
	memset(c->nnames, 0, sizeof c->nnames);
	memset(c->names_cut, 0, sizeof c->names_cut);
}

/* The room left for text, to be taken by moving ntext on. */
static struct buf text_room(struct catalog *c)
{
	return buf_on(c->text + c->ntext, sizeof c->text - c->ntext);
}

/* Keeps the raw bytes of a value. */
static struct span keep_raw(struct catalog *c, struct span raw)
{
	struct buf text = text_room(c);

	buf_put(&text, raw);
	if (text.full) {
		c->cut = true;
		return span_of(NULL, 0);
	}
	c->ntext += text.n;
	return buf_span(&text);
}

/* ---- server/discover ---- */

static bool speaks_our_version(const struct json *j, uint32_t versions)
{
	if (json_type(j, versions) != JSON_ARRAY)
		return false;
	for (uint32_t v = json_first(j, versions); v != JSON_NONE; v = json_next(j, versions, v))
		if (json_is(j, v, SPAN(MCP_VERSION)))
			return true;
	return false;
}

static unsigned capabilities_of(const struct json *j, uint32_t capabilities)
{
	static const struct {
		struct span name, flag;
		unsigned has, flagged;
	} known[] = {
		{ { "tools", 5 }, { "listChanged", 11 }, CATALOG_TOOLS, CATALOG_TOOLS_CHANGED },
		{ { "resources", 9 }, { "listChanged", 11 }, CATALOG_RESOURCES, CATALOG_RESOURCES_CHANGED },
		{ { "resources", 9 }, { "subscribe", 9 }, CATALOG_RESOURCES, CATALOG_SUBSCRIBE },
		{ { "prompts", 7 }, { "listChanged", 11 }, CATALOG_PROMPTS, CATALOG_PROMPTS_CHANGED },
		{ { "completions", 11 }, { NULL, 0 }, CATALOG_COMPLETIONS, 0 },
		{ { "logging", 7 }, { NULL, 0 }, CATALOG_LOGGING, 0 },
	};
	unsigned caps = 0;

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		uint32_t offered = json_get(j, capabilities, known[i].name);

		if (json_type(j, offered) != JSON_OBJECT)
			continue;
		caps |= known[i].has;
		if (json_type(j, json_get(j, offered, known[i].flag)) == JSON_TRUE)
			caps |= known[i].flagged;
	}
	if (json_type(j, json_get(j, json_get(j, capabilities, SPAN("extensions")), SPAN("io.modelcontextprotocol/tasks"))) == JSON_OBJECT)
		caps |= CATALOG_TASKS;
	return caps;
}

bool catalog_discover(struct catalog *c, const struct json *j, uint32_t result)
{
	uint32_t capabilities = json_get(j, result, SPAN("capabilities"));
	uint32_t instructions = json_get(j, result, SPAN("instructions"));
	uint32_t server = json_get(j, json_get(j, result, SPAN("_meta")), SPAN(MCP_META_SERVER));
	int64_t ttl_ms;

	if (!speaks_our_version(j, json_get(j, result, SPAN("supportedVersions"))) || json_type(j, capabilities) != JSON_OBJECT)
		return false;
	if (instructions != JSON_NONE && json_type(j, instructions) != JSON_STRING)
		return false;
	c->caps = capabilities_of(j, capabilities);
	c->ttl_ms = json_int(j, json_get(j, result, SPAN("ttlMs")), &ttl_ms) && ttl_ms > 0 ? ttl_ms : 0;
	c->instructions = c->server_info = span_of(NULL, 0);
	if (instructions != JSON_NONE && json_raw(j, instructions).n <= INSTRUCTIONS_MAX)
		c->instructions = keep_raw(c, json_raw(j, instructions));
	if (json_type(j, server) == JSON_OBJECT)
		c->server_info = keep_raw(c, json_raw(j, server));
	return true;
}

/* ---- tools ---- */

static struct catalog_tool *find(struct catalog *c, struct span name)
{
	for (unsigned i = 0; i < c->ntools; i++)
		if (span_eq(c->tools[i].name, name))
			return &c->tools[i];
	return NULL;
}

const struct catalog_tool *catalog_find(const struct catalog *c, struct span name)
{
	for (unsigned i = 0; i < c->ntools; i++)
		if (span_eq(c->tools[i].name, name))
			return &c->tools[i];
	return NULL;
}

/* The judgement, and the tool's name in `name` (empty if it cannot be one: then there is nothing to remember). */
static enum catalog_verdict judge(struct catalog_finding *f, struct buf *name, const struct json *j, uint32_t tool, struct span *why)
{
	static const struct span names[] = { { "name", 4 }, { "inputSchema", 11 } };
	uint32_t token = json_get(j, tool, SPAN("name"));
	uint32_t schema = json_get(j, tool, SPAN("inputSchema"));

	f->n = 0;
	json_text(j, token, name);
	if (json_has_folded(j, tool, names, sizeof names / sizeof names[0])) {
		*why = SPAN("a member differs from name or inputSchema only by case or folding");
		return CATALOG_INVALID;
	}
	if (name->full || name->n == 0) {
		*why = SPAN("name is missing, empty or longer than 128 bytes");
		return CATALOG_INVALID;
	}
	if (json_type(j, schema) != JSON_OBJECT) {
		*why = SPAN("inputSchema is missing or not an object");
		return CATALOG_INVALID;
	}
	return catalog_schema_walk(f, j, schema, why);
}

enum catalog_verdict catalog_judge(const struct json *j, uint32_t tool, struct span *why)
{
	struct catalog_finding f;
	char mem[MCP_NAME_MAX];
	struct buf name = buf_on(mem, sizeof mem);

	return judge(&f, &name, j, tool, why);
}

static struct span keep_text(const struct json *j, uint32_t token, struct buf *text)
{
	size_t start = text->n;

	json_text(j, token, text);
	return span_of(text->p + start, text->n - start);
}

/* True if what is known of the tool is what was found now: then nothing is written, however often a list is read. */
static bool is_known(const struct catalog *c, const struct catalog_tool *t, const struct catalog_finding *f, const struct json *j)
{
	if (t->invalid || t->count != f->n)
		return false;
	for (unsigned i = 0; i < f->n; i++) {
		const struct catalog_param *p = &c->params[t->first + i];

		if (!span_eq(p->suffix, f->found[i].suffix) || p->type != f->found[i].type || p->depth != f->found[i].depth)
			return false;
		for (unsigned k = 0; k < p->depth; k++)
			if (!json_is(j, f->found[i].path[k], p->path[k]))
				return false;
	}
	return true;
}

/* Appends the parameters, all or (with cut set) none. */
static bool keep_params(struct catalog *c, struct catalog_tool *t, const struct catalog_finding *f, const struct json *j)
{
	struct buf text = text_room(c);

	if (f->n > CATALOG_PARAMS_MAX - c->nparams) {
		c->cut = true;
		return false;
	}
	for (unsigned i = 0; i < f->n; i++) {
		struct catalog_param *p = &c->params[c->nparams + i];
		size_t start = text.n;

		buf_put(&text, f->found[i].suffix);
		p->suffix = span_of(text.p + start, text.n - start);
		p->type = f->found[i].type;
		p->depth = f->found[i].depth;
		for (unsigned k = 0; k < p->depth; k++)
			p->path[k] = keep_text(j, f->found[i].path[k], &text);
	}
	if (text.full) {
		c->cut = true;
		return false;
	}
	t->first = (uint16_t)c->nparams;
	t->count = (uint16_t)f->n;
	c->nparams += f->n;
	c->ntext += text.n;
	return true;
}

static struct catalog_tool *add(struct catalog *c, struct span name)
{
	struct span kept;

	if (c->ntools == CATALOG_TOOLS_MAX) {
		c->cut = true;
		return NULL;
	}
	kept = keep_raw(c, name);
	if (span_absent(kept))
		return NULL;
	c->tools[c->ntools] = (struct catalog_tool){ .name = kept };
	return &c->tools[c->ntools++];
}

enum catalog_verdict catalog_learn(struct catalog *c, const struct json *j, uint32_t tool, struct span *why)
{
	struct catalog_finding f;
	char mem[MCP_NAME_MAX];
	struct buf name = buf_on(mem, sizeof mem);
	enum catalog_verdict verdict = judge(&f, &name, j, tool, why);
	struct catalog_tool *t = find(c, buf_span(&name));

	if (name.n == 0 || (t == NULL && verdict == CATALOG_PLAIN))
		return verdict;
	if (t != NULL && verdict != CATALOG_INVALID && is_known(c, t, &f, j))
		return verdict;
	if (t == NULL)
		t = add(c, buf_span(&name));
	if (t == NULL)
		return verdict;
	t->invalid = verdict == CATALOG_INVALID;
	t->count = 0;
	if (verdict == CATALOG_MIRRORS)
		(void)keep_params(c, t, &f, j);
	return verdict;
}
