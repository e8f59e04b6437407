/*
 * What an upstream says of itself: a DiscoverResult, or a list of tools (an array, an object's `tools`, or one tool). Whatever is in it,
 * judging and learning agree, all that is kept lies in the catalogue, learning all again changes nothing, and a name that was learned is known.
 */
#include <stdlib.h>

#include "gate/catalog.h"

enum { TOKENS = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct json_table *table;
static struct catalog catalog;

static void must(bool right)
{
	if (!right)
		__builtin_trap();
}

static void start(void)
{
	static const uint8_t seed[16];
	size_t need = (json_table_need(TOKENS) + 15) & ~(size_t)15;

	table = aligned_alloc(16, need);
	must(table != NULL);
	table = json_table_place(table, TOKENS, seed);
}

static bool inside(const struct catalog *c, struct span s)
{
	return !span_absent(s) && s.p >= c->text && s.p + s.n <= c->text + c->ntext;
}

static void is_whole(const struct catalog *c)
{
	must(c->ntools <= CATALOG_TOOLS_MAX && c->nparams <= CATALOG_PARAMS_MAX && c->ntext <= CATALOG_TEXT_MAX);
	for (unsigned i = 0; i < c->ntools; i++) {
		const struct catalog_tool *t = &c->tools[i];

		must(inside(c, t->name) && t->name.n > 0 && t->name.n <= MCP_NAME_MAX && catalog_find(c, t->name) == t);
		must((unsigned)t->first + t->count <= c->nparams && (!t->invalid || t->count == 0));
		for (unsigned k = t->first; k < (unsigned)t->first + t->count; k++) {
			const struct catalog_param *p = &c->params[k];

			must(inside(c, p->suffix) && http_token_ok(p->suffix) && p->depth > 0 && p->depth <= CATALOG_PATH_MAX);
			for (unsigned d = 0; d < p->depth; d++)
				must(inside(c, p->path[d]));
			for (unsigned other = t->first; other < k; other++)
				must(!span_ieq(c->params[other].suffix, p->suffix));
		}
	}
}

static void name(struct catalog *c, const struct json *j, uint32_t token)
{
	char mem[MCP_NAME_MAX];
	struct buf text = buf_on(mem, sizeof mem);
	unsigned n = c->nnames[CATALOG_PROMPT];
	bool had;

	json_text(j, token, &text);
	had = catalog_has_name(c, CATALOG_PROMPT, buf_span(&text));
	catalog_learn_name(c, CATALOG_PROMPT, buf_span(&text));
	must(c->names_cut[CATALOG_PROMPT] || catalog_has_name(c, CATALOG_PROMPT, buf_span(&text)) == (text.n > 0));
	must(c->nnames[CATALOG_PROMPT] == n + (text.n > 0 && !had && n < CATALOG_PROMPT_NAMES_MAX));
}

static void tool(struct catalog *c, const struct json *j, uint32_t token)
{
	struct span why = span_of(NULL, 0), again = span_of(NULL, 0);
	enum catalog_verdict verdict = catalog_judge(j, token, &why);

	must(catalog_learn(c, j, token, &again) == verdict);
	name(c, j, json_get(j, token, SPAN("name")));
	must(span_eq(why, again) && (why.n > 0) == (verdict == CATALOG_INVALID));
}

static void learn(struct catalog *c, const struct json *j, uint32_t list)
{
	if (json_type(j, list) != JSON_ARRAY) {
		tool(c, j, list);
		return;
	}
	for (uint32_t t = json_first(j, list); t != JSON_NONE; t = json_next(j, list, t))
		tool(c, j, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint32_t list = JSON_ROOT;
	struct json j;
	size_t where, ntext;
	unsigned ntools, nparams;

	if (table == NULL)
		start();
	if (json_read(&j, table, span_of((const char *)data, n), &where) != JSON_OK)
		return 0;
	catalog_clear(&catalog);
	if (catalog_discover(&catalog, &j, JSON_ROOT)) {
		must(span_absent(catalog.instructions) || inside(&catalog, catalog.instructions));
		must(span_absent(catalog.server_info) || inside(&catalog, catalog.server_info));
		must(catalog.ttl_ms >= 0);
	}
	if (json_type(&j, json_get(&j, JSON_ROOT, SPAN("tools"))) == JSON_ARRAY)
		list = json_get(&j, JSON_ROOT, SPAN("tools"));
	learn(&catalog, &j, list);
	is_whole(&catalog);

	/* A list in which no name comes twice says the same when it is read again. */
	ntools = catalog.ntools;
	nparams = catalog.nparams;
	ntext = catalog.ntext;
	if (json_type(&j, list) != JSON_ARRAY) {
		learn(&catalog, &j, list);
		must(catalog.ntools == ntools && catalog.nparams == nparams && catalog.ntext == ntext);
	}
	learn(&catalog, &j, list);
	is_whole(&catalog);
	must(catalog.ntools == ntools || catalog.cut);
	return 0;
}
