/* gate/catalog: which annotations are right, where they are looked for, what is kept; capabilities. */
#include "gate/catalog.h"

#include <stdlib.h>

#include "tap.h"
#include "view.h"

static struct catalog c;
static struct json j;

#define TOOL(schema) "{\"name\":\"t\",\"inputSchema\":" schema "}"
#define PROPS(properties) TOOL("{\"type\":\"object\",\"properties\":{" properties "}}")
#define P "{\"type\":\"string\",\"x-mcp-header\":\"P\"}"

#define PLAIN CATALOG_PLAIN
#define MIRRORS CATALOG_MIRRORS
#define INVALID CATALOG_INVALID

static const struct {
	enum catalog_verdict want;
	const char *tool, *name;
} cases[] = {
	/* the conformance scenario http-invalid-tool-headers */
	{ MIRRORS, PROPS("\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}"), "valid_tool" },
	{ INVALID, PROPS("\"value\":{\"type\":\"string\",\"x-mcp-header\":\"\"}"), "invalid_empty_header" },
	{ INVALID, PROPS("\"data\":{\"type\":\"object\",\"x-mcp-header\":\"Data\"}"), "invalid_object_header" },
	{ INVALID, PROPS("\"items\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"x-mcp-header\":\"Items\"}"), "invalid_array_header" },
	{ INVALID, PROPS("\"nil\":{\"type\":\"null\",\"x-mcp-header\":\"Nil\"}"), "invalid_null_header" },
	{ INVALID, PROPS("\"score\":{\"type\":\"number\",\"x-mcp-header\":\"Score\"}"), "invalid_number_header" },
	{ INVALID, PROPS("\"field1\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},\"field2\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}"), "invalid_duplicate_same_case" },
	{ INVALID, PROPS("\"field1\":{\"type\":\"string\",\"x-mcp-header\":\"MyField\"},\"field2\":{\"type\":\"string\",\"x-mcp-header\":\"myfield\"}"), "invalid_duplicate_diff_case" },
	{ INVALID, PROPS("\"value\":{\"type\":\"string\",\"x-mcp-header\":\"My Region\"}"), "invalid_space_in_name" },
	{ INVALID, PROPS("\"value\":{\"type\":\"string\",\"x-mcp-header\":\"Region:Primary\"}"), "invalid_colon_in_name" },
	{ INVALID, PROPS("\"value\":{\"type\":\"string\",\"x-mcp-header\":\"R\xc3\xa9gion\"}"), "invalid_non_ascii_name" },
	{ INVALID, PROPS("\"value\":{\"type\":\"string\",\"x-mcp-header\":\"Region\\t1\"}"), "invalid_control_char_name" },

	/* right ones */
	{ PLAIN, TOOL("{}"), "an empty schema" },
	{ PLAIN, TOOL("{\"type\":\"object\"}"), "no properties" },
	{ PLAIN, PROPS(""), "empty properties" },
	{ PLAIN, PROPS("\"a\":{\"type\":\"string\"},\"b\":true,\"c\":false"), "no annotation, boolean schemas" },
	{ MIRRORS, PROPS("\"a\":{\"type\":\"integer\",\"x-mcp-header\":\"A\"},\"b\":{\"x-mcp-header\":\"B\",\"type\":\"boolean\"}"), "an integer and a boolean" },
	{ MIRRORS, PROPS("\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"object\",\"properties\":{\"c\":" P "}}}}"), "nested properties" },
	{ MIRRORS, PROPS("\"a\":{\"type\":\"string\",\"\\u0078-mcp-header\":\"\\u0041\"}"), "escapes in the keyword and the value" },
	{ MIRRORS, PROPS("\"a\":{\"typ\\u0065\":\"strin\\u0067\",\"x-mcp-header\":\"A\"}"), "escapes in the type" },
	{ MIRRORS, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"!#$%&'*+-.^_`|~09azAZ\"}"), "every kind of token byte" },
	{ MIRRORS, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"Method\"}"), "Method, which is not Mcp-Method" },
	{ MIRRORS, PROPS("\"properties\":{\"type\":\"object\",\"properties\":{\"properties\":" P "}}"), "parameters named properties" },
	{ MIRRORS, PROPS("\"x-mcp-header\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}"), "a parameter named x-mcp-header that is mirrored" },
	{ MIRRORS, TOOL("{\"properties\":{\"a\":" P "}}"), "no type at the root" },
	{ MIRRORS, TOOL("{\"type\":\"object\",\"properties\":{\"a\":" P ",\"b\":{\"$ref\":\"#/$defs/x\"}},\"$defs\":{\"x\":{\"type\":\"string\"}},\"required\":[\"a\"]}"), "clean definitions beside it" },

	/* wrong ones */
	{ INVALID, PROPS("\"a\":{\"x-mcp-header\":\"A\"}"), "no type" },
	{ INVALID, PROPS("\"a\":{\"type\":[\"string\"],\"x-mcp-header\":\"A\"}"), "a list of one type" },
	{ INVALID, PROPS("\"a\":{\"type\":[\"string\",\"null\"],\"x-mcp-header\":\"A\"}"), "a null union" },
	{ INVALID, PROPS("\"a\":{\"type\":\"String\",\"x-mcp-header\":\"A\"}"), "a type of another case" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":7}"), "a number for a name" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":null}"), "null for a name" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":true}"), "true for a name" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":[\"A\"]}"), "an array for a name" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":{}}"), "an object for a name" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\\r\\nX: y\"}"), "a line end" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\\u0000\"}"), "a NUL" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\\u007f\"}"), "DEL" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A,B\"}"), "a comma" },
	{ INVALID, PROPS("\"a\":{\"type\":\"string\",\"x-mcp-header\":\" A\"}"), "a space before" },
	{ INVALID, PROPS("\"a\":" P ",\"b\":{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\",\"x-mcp-header\":\"p\"}}}"), "the same at two depths, without case" },
	{ INVALID, PROPS("\"a\":" P ",\"b\":{\"type\":\"string\",\"x-mcp-header\":\"\\u0050\"}"), "the same, once escaped" },
	{ INVALID, TOOL("{\"type\":\"object\",\"x-mcp-header\":\"A\"}"), "on the root" },
	{ INVALID, TOOL("{\"type\":\"string\",\"x-mcp-header\":\"A\"}"), "on a root that is a string" },

	/* positions: one schema */
	{ INVALID, PROPS("\"a\":{\"items\":" P "}"), "under items" },
	{ INVALID, PROPS("\"a\":{\"items\":[" P "]}"), "under items as an array" },
	{ INVALID, PROPS("\"a\":{\"items\":{\"properties\":{\"b\":" P "}}}"), "properties under items" },
	{ INVALID, TOOL("{\"additionalProperties\":" P "}"), "under additionalProperties" },
	{ INVALID, TOOL("{\"not\":" P "}"), "under not" },
	{ INVALID, TOOL("{\"if\":{\"properties\":{\"a\":" P "}}}"), "under if" },
	{ INVALID, TOOL("{\"then\":{\"properties\":{\"a\":" P "}}}"), "under then" },
	{ INVALID, TOOL("{\"else\":{\"properties\":{\"a\":" P "}}}"), "under else" },
	{ INVALID, TOOL("{\"contains\":" P "}"), "under contains" },
	{ INVALID, TOOL("{\"propertyNames\":" P "}"), "under propertyNames" },
	{ INVALID, TOOL("{\"unevaluatedItems\":" P "}"), "under unevaluatedItems" },
	{ INVALID, TOOL("{\"unevaluatedProperties\":" P "}"), "under unevaluatedProperties" },
	{ INVALID, PROPS("\"a\":{\"contentSchema\":" P "}"), "under contentSchema" },
	{ INVALID, PROPS("\"a\":{\"additionalItems\":" P "}"), "under additionalItems" },
	/* arrays */
	{ INVALID, TOOL("{\"allOf\":[{\"properties\":{\"a\":" P "}}]}"), "under allOf" },
	{ INVALID, TOOL("{\"anyOf\":[true,{\"properties\":{\"a\":" P "}}]}"), "under anyOf" },
	{ INVALID, TOOL("{\"oneOf\":[{},{\"properties\":{\"a\":" P "}}]}"), "under oneOf" },
	{ INVALID, PROPS("\"a\":{\"oneOf\":[" P "]}"), "under oneOf of a property" },
	{ INVALID, PROPS("\"a\":{\"prefixItems\":[{},{}," P "]}"), "under prefixItems" },
	/* maps */
	{ INVALID, TOOL("{\"$defs\":{\"a\":" P "}}"), "under $defs" },
	{ INVALID, TOOL("{\"definitions\":{\"a\":" P "}}"), "under definitions" },
	{ INVALID, TOOL("{\"$defs\":{\"a\":{\"properties\":{\"b\":" P "}}}}"), "properties under $defs" },
	{ INVALID, TOOL("{\"patternProperties\":{\"a\":" P "}}"), "under patternProperties" },
	{ INVALID, TOOL("{\"dependentSchemas\":{\"a\":{\"properties\":{\"a\":" P "}}}}"), "under dependentSchemas" },
	{ INVALID, TOOL("{\"dependencies\":{\"a\":[\"b\"],\"c\":{\"properties\":{\"a\":" P "}}}}"), "under dependencies" },
	{ INVALID, TOOL("{\"\\u0024defs\":{\"a\":" P "}}"), "under $defs, escaped" },
	{ INVALID, PROPS("\"a\":" P ",\"b\":{\"items\":{\"type\":\"string\",\"x-mcp-header\":\"Q\"}}"), "one right, one wrong" },

	/* data */
	{ PLAIN, PROPS("\"x-mcp-header\":{\"type\":\"string\"}"), "a parameter named x-mcp-header" },
	{ PLAIN, PROPS("\"x-mcp-header\":true"), "the same with a boolean schema" },
	{ PLAIN, PROPS("\"a\":{\"default\":" P "}"), "in default" },
	{ PLAIN, PROPS("\"a\":{\"const\":" P "}"), "in const" },
	{ PLAIN, PROPS("\"a\":{\"enum\":[" P "]}"), "in enum" },
	{ PLAIN, PROPS("\"a\":{\"examples\":[" P "]}"), "in examples" },
	{ PLAIN, PROPS("\"a\":{\"default\":{\"properties\":{\"b\":" P "}}}"), "properties in default" },
	{ PLAIN, PROPS("\"a\":{\"x-other\":{\"properties\":{\"b\":" P "}}}"), "under an unknown keyword" },
	{ PLAIN, PROPS("\"a\":{\"description\":\"x-mcp-header\"}"), "in a description" },
	{ PLAIN, PROPS("\"default\":{\"type\":\"string\"},\"items\":{\"type\":\"string\"}"), "parameters named like keywords" },
	{ PLAIN, TOOL("{\"properties\":[" P "]}"), "properties that are no map" },
	{ INVALID, TOOL("{\"properties\":{\"a\":[" P "]}}"), "a property that is no schema" },
	{ PLAIN, PROPS("\"a\":{\"X-MCP-Header\":\"A\",\"type\":\"string\"}"), "another case: not the keyword" },
	{ PLAIN, "{\"name\":\"t\",\"inputSchema\":{},\"outputSchema\":{\"x-mcp-header\":\"A\"},\"x-mcp-header\":\"A\"}", "outside inputSchema" },

	/* tools that are none */
	{ INVALID, "{\"inputSchema\":{}}", "no name" },
	{ INVALID, "{\"name\":\"\",\"inputSchema\":{}}", "an empty name" },
	{ INVALID, "{\"name\":7,\"inputSchema\":{}}", "a name that is no string" },
	{ INVALID, "{\"name\":\"t\"}", "no inputSchema" },
	{ INVALID, "{\"name\":\"t\",\"inputSchema\":true}", "an inputSchema that is no object" },
	{ INVALID, "{\"name\":\"t\",\"inputSchema\":[]}", "an inputSchema that is an array" },
	{ INVALID, "{\"name\":\"t\",\"Name\":\"u\",\"inputSchema\":{}}", "a second spelling of name" },
	{ INVALID, "{\"name\":\"t\",\"inputSchema\":{},\"input\\u017fchema\":{}}", "a second spelling of inputSchema" },
	{ INVALID, "{\"name\":\"t\",\"inputschema\":{}}", "another spelling alone" },
	{ INVALID, "7", "a number" },
	{ INVALID, "[]", "an array" },
	{ INVALID, "null", "null" },
};

static void verdicts(void)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct span why = span_of(NULL, 0);

		if (!ok(view_json(&j, cases[i].tool) == JSON_OK, "the case is JSON"))
			diag("%s", cases[i].tool);
		is_int(catalog_judge(&j, JSON_ROOT, &why), cases[i].want, cases[i].name);
		if (cases[i].want == CATALOG_INVALID)
			ok(why.n > 0, "and it says why");
		catalog_clear(&c);
		is_int(catalog_learn(&c, &j, JSON_ROOT, &why), cases[i].want, "learning judges the same");
		const struct catalog_tool *t = catalog_find(&c, SPAN("t"));
		bool named = json_is(&j, json_get(&j, JSON_ROOT, SPAN("name")), SPAN("t"));
		ok((t != NULL) == (named && cases[i].want != CATALOG_PLAIN) && (t == NULL || t->invalid == (cases[i].want == CATALOG_INVALID)),
			"and keeps what mirrors or is wrong");
	}
	is_int(catalog_judge(&j, JSON_NONE, &(struct span){ NULL, 0 }), CATALOG_INVALID, "no tool at all");
}

static enum catalog_verdict learn(const char *tool)
{
	struct span why;

	if (view_json(&j, tool) != JSON_OK) {
		diag("not JSON: %s", tool);
		return (enum catalog_verdict)99;
	}
	return catalog_learn(&c, &j, JSON_ROOT, &why);
}

static void kept(void)
{
	const struct catalog_tool *t;
	const struct catalog_param *p;
	unsigned nparams;
	size_t ntext;

	catalog_clear(&c);
	is_int(learn("{\"inputSchema\":{\"properties\":{\"a\\u002fb\":{\"properties\":{\"c\":{\"x-mcp-header\":\"De\\u0065p\",\"type\":\"integer\"}}},"
		"\"r\":{\"type\":\"boolean\",\"x-mcp-header\":\"R\"}}},\"name\":\"n\\u0061me\"}"), CATALOG_MIRRORS, "a tool with escapes everywhere");
	view_json(&j, "{}"); /* what was kept does not depend on the document */
	t = catalog_find(&c, SPAN("name"));
	if (ok(t != NULL && t->count == 2 && !t->invalid, "is found by its plain name")) {
		p = &c.params[t->first];
		ok(span_eq(p[0].suffix, SPAN("Deep")) && p[0].type == CATALOG_INTEGER && p[0].depth == 2, "a nested parameter");
		ok(span_eq(p[0].path[0], SPAN("a/b")) && span_eq(p[0].path[1], SPAN("c")), "and the way to it");
		ok(span_eq(p[1].suffix, SPAN("R")) && p[1].type == CATALOG_BOOLEAN && p[1].depth == 1 && span_eq(p[1].path[0], SPAN("r")), "a flat one");
	}
	ok(catalog_find(&c, SPAN("n\\u0061me")) == NULL && catalog_find(&c, SPAN("nam")) == NULL && catalog_find(&c, SPAN("")) == NULL, "other names are not known");

	catalog_clear(&c);
	ok(catalog_find(&c, SPAN("name")) == NULL, "a cleared catalogue knows nothing");
	learn(PROPS("\"a\":" P));
	nparams = c.nparams;
	ntext = c.ntext;
	for (int i = 0; i < 10000; i++)
		learn(PROPS("\"a\":" P));
	ok(c.nparams == nparams && c.ntext == ntext && c.ntools == 1 && !c.cut, "learning the same again takes no room");
	learn(PROPS("\"b\":" P));
	t = catalog_find(&c, SPAN("t"));
	ok(c.ntools == 1 && t->count == 1 && span_eq(c.params[t->first].path[0], SPAN("b")), "a new definition takes the old one's place");
	learn(PROPS("\"b\":{\"type\":\"integer\",\"x-mcp-header\":\"P\"}"));
	ok(c.params[t->first].type == CATALOG_INTEGER, "also if only the type is new");
	learn(PROPS("\"b\":{\"type\":\"integer\",\"x-mcp-header\":\"p\"}"));
	ok(span_eq(c.params[t->first].suffix, SPAN("p")), "or only the case of its header");
	learn(PROPS("\"b\":{\"type\":\"number\",\"x-mcp-header\":\"P\"}"));
	ok(t->invalid && t->count == 0, "one that is wrong");
	learn(PROPS("\"b\":" P));
	ok(!t->invalid && t->count == 1, "one that is right again");
	learn(PROPS("\"b\":" P ",\"c\":{\"items\":" P "}"));
	ok(t->invalid && t->count == 0, "one that begins like the right one and is wrong");
	learn(PROPS("\"o\":{\"properties\":{\"b\":" P "}}"));
	ok(!t->invalid && t->count == 1 && c.params[t->first].depth == 2, "one that lies deeper");
	learn(PROPS("\"o\":" P));
	ok(t->count == 1 && c.params[t->first].depth == 1, "and less deep, on the same way");
	learn(PROPS("\"o\":{\"properties\":{\"b\":" P "}}"));
	ok(t->count == 1 && c.params[t->first].depth == 2, "and deeper again");
	learn(PROPS("\"b\":true"));
	ok(!t->invalid && t->count == 0, "one that mirrors nothing any more");
}

static void full(void)
{
	static char tool[65536], longest[600];
	unsigned i, n;

	catalog_clear(&c);
	for (i = 0; i < CATALOG_TOOLS_MAX + 3; i++) {
		snprintf(tool, sizeof tool, "{\"name\":\"t%u\",\"inputSchema\":{\"properties\":{\"a\":" P "}}}", i);
		if (learn(tool) != CATALOG_MIRRORS)
			ok(false, "the verdict does not depend on room");
		if (c.cut != (i >= CATALOG_TOOLS_MAX))
			ok(false, "cut is set when a tool does not fit");
	}
	ok(c.ntools == CATALOG_TOOLS_MAX && catalog_find(&c, SPAN("t255")) != NULL && catalog_find(&c, SPAN("t256")) == NULL, "as many tools as there is room for");

	/* 64 parameters a tool: eight tools fill the table. */
	catalog_clear(&c);
	for (i = 0; i < 9; i++) {
		struct buf b = buf_on(tool, sizeof tool);

		BUF_LIT(&b, "{\"name\":\"t");
		buf_u64(&b, i);
		BUF_LIT(&b, "\",\"inputSchema\":{\"properties\":{");
		for (n = 0; n < 64; n++) {
			BUF_LIT(&b, "\"p");
			buf_u64(&b, n);
			BUF_LIT(&b, "\":{\"type\":\"string\",\"x-mcp-header\":\"H");
			buf_u64(&b, n);
			BUF_LIT(&b, "\"},");
		}
		BUF_LIT(&b, "\"q\":{\"type\":\"string\"}}}}");
		buf_char(&b, '\0');
		is_int(learn(tool), CATALOG_MIRRORS, "64 parameters");
	}
	ok(c.cut && c.nparams == 512 && catalog_find(&c, SPAN("t7"))->count == 64 && catalog_find(&c, SPAN("t8"))->count == 0,
		"parameters that do not fit are left out together, and their tool is as if it mirrored nothing");

	/* One more than a request could carry. */
	struct buf b = buf_on(tool, sizeof tool);
	BUF_LIT(&b, "{\"name\":\"t\",\"inputSchema\":{\"properties\":{");
	for (n = 0; n < 65; n++) {
		if (n > 0)
			BUF_LIT(&b, ",");
		BUF_LIT(&b, "\"p");
		buf_u64(&b, n);
		BUF_LIT(&b, "\":{\"type\":\"string\",\"x-mcp-header\":\"H");
		buf_u64(&b, n);
		BUF_LIT(&b, "\"}");
	}
	BUF_LIT(&b, "}}}");
	buf_char(&b, '\0');
	is_int(learn(tool), CATALOG_INVALID, "65 parameters");

	memset(longest, 'x', sizeof longest);
	for (n = 127; n <= 129; n++) {
		snprintf(tool, sizeof tool, "{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"%.*s\"}}}}", (int)n, longest);
		is_int(learn(tool), n > 128 ? CATALOG_INVALID : CATALOG_MIRRORS, "the longest suffix");
		snprintf(tool, sizeof tool, "{\"name\":\"%.*s\",\"inputSchema\":{\"properties\":{\"a\":" P "}}}", (int)n, longest);
		is_int(learn(tool), n > 128 ? CATALOG_INVALID : CATALOG_MIRRORS, "the longest name");
	}

	/* Text runs out before the tables do. */
	catalog_clear(&c);
	for (i = 0; i < 100; i++) {
		snprintf(tool, sizeof tool, "{\"name\":\"t%u\",\"inputSchema\":{\"properties\":{\"%.*s\":" P "}}}", i, 600, longest);
		learn(tool);
	}
	ok(c.cut && c.ntext <= CATALOG_TEXT_MAX && c.nparams < 100 && c.nparams > 40, "text that does not fit is left out");
}

static void depth(void)
{
	static char tool[4096];

	for (unsigned levels = 1; levels <= 14; levels++) {
		struct buf b = buf_on(tool, sizeof tool);
		bool too_deep = 2 * levels + 2 > JSON_DEPTH_MAX;

		BUF_LIT(&b, "{\"name\":\"t\",\"inputSchema\":");
		for (unsigned i = 0; i < levels; i++)
			BUF_LIT(&b, "{\"properties\":{\"a\":");
		BUF_LIT(&b, P);
		for (unsigned i = 0; i < levels; i++)
			BUF_LIT(&b, "}}");
		BUF_LIT(&b, "}");
		buf_char(&b, '\0');
		is_int(learn(tool), too_deep ? 99 : levels > CATALOG_PATH_MAX ? CATALOG_INVALID : CATALOG_MIRRORS, "so many properties deep");
	}
	/* As deep as a document may be, in the ways that put most levels on the stack. */
	for (unsigned kind = 0; kind < 3; kind++) {
		static const char *const down[] = { "{\"items\":", "{\"allOf\":[", "{\"$defs\":{\"a\":" }, *const up[] = { "}", "]}", "}}" };
		unsigned levels = kind == 0 ? 30 : 15;
		struct buf b = buf_on(tool, sizeof tool);

		BUF_LIT(&b, "{\"name\":\"t\",\"inputSchema\":");
		for (unsigned i = 0; i < levels; i++)
			buf_put(&b, span_z(down[kind]));
		BUF_LIT(&b, P);
		for (unsigned i = 0; i < levels; i++)
			buf_put(&b, span_z(up[kind]));
		BUF_LIT(&b, "}");
		buf_char(&b, '\0');
		is_int(learn(tool), CATALOG_INVALID, "an annotation at the greatest depth is seen");
	}
}

static bool discover(const char *result)
{
	catalog_clear(&c);
	return view_json(&j, result) == JSON_OK && catalog_discover(&c, &j, JSON_ROOT);
}

#define ALL "\"supportedVersions\":[\"2025-11-25\",\"2026-07-28\"]"

static void discovered(void)
{
	static const struct { const char *capabilities; unsigned caps; } caps[] = {
		{ "{}", 0 },
		{ "{\"tools\":{}}", CATALOG_TOOLS },
		{ "{\"tools\":{\"listChanged\":true}}", CATALOG_TOOLS | CATALOG_TOOLS_CHANGED },
		{ "{\"tools\":{\"listChanged\":false,\"subscribe\":true}}", CATALOG_TOOLS },
		{ "{\"tools\":{\"listChanged\":\"true\"}}", CATALOG_TOOLS },
		{ "{\"resources\":{\"subscribe\":true}}", CATALOG_RESOURCES | CATALOG_SUBSCRIBE },
		{ "{\"resources\":{\"listChanged\":true}}", CATALOG_RESOURCES | CATALOG_RESOURCES_CHANGED },
		{ "{\"prompts\":{\"listChanged\":true},\"completions\":{},\"logging\":{}}", CATALOG_PROMPTS | CATALOG_PROMPTS_CHANGED | CATALOG_COMPLETIONS | CATALOG_LOGGING },
		{ "{\"Tools\":{},\"tools\":true,\"prompts\":null,\"extensions\":{\"a/b\":{}},\"experimental\":{\"tools\":{}}}", 0 },
	};
	static char text[70000], longest[40000];

	for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
		snprintf(text, sizeof text, "{" ALL ",\"capabilities\":%s}", caps[i].capabilities);
		ok(discover(text) && c.caps == caps[i].caps, caps[i].capabilities);
	}
	ok(discover("{" ALL ",\"capabilities\":{},\"instructions\":\"Say \\\"hi\\\".\",\"ttlMs\":60000,\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"s\", \"version\":\"1\"}}}"), "everything");
	view_json(&j, "{}");
	ok(span_eq(c.instructions, SPAN("\"Say \\\"hi\\\".\"")) && span_eq(c.server_info, SPAN("{\"name\":\"s\", \"version\":\"1\"}")) && c.ttl_ms == 60000 && !c.cut, "is kept as it was written");
	ok(discover("{" ALL ",\"capabilities\":{},\"instructions\":\"\",\"ttlMs\":-5,\"_meta\":{\"io.modelcontextprotocol/serverInfo\":\"s\"}}"), "a server info that is none, a ttl below zero");
	ok(span_eq(c.instructions, SPAN("\"\"")) && span_absent(c.server_info) && c.ttl_ms == 0, "do not count");
	ok(discover("{" ALL ",\"capabilities\":{},\"ttlMs\":1.5}") && c.ttl_ms == 0 && span_absent(c.instructions), "nor does a ttl that is no integer");

	ok(!discover("{\"capabilities\":{}}"), "no versions");
	ok(!discover("{\"supportedVersions\":[],\"capabilities\":{}}"), "an empty list of versions");
	ok(!discover("{\"supportedVersions\":[\"2025-11-25\",\"2027-01-01\",2026],\"capabilities\":{}}"), "none that we speak");
	ok(!discover("{\"supportedVersions\":\"2026-07-28\",\"capabilities\":{}}"), "a version that is not in a list");
	ok(!discover("{\"supportedVersions\":{\"2026-07-28\":1},\"capabilities\":{}}"), "versions as an object's names");
	ok(!discover("{" ALL "}"), "no capabilities");
	ok(!discover("{" ALL ",\"capabilities\":[]}"), "capabilities that are no object");
	ok(!discover("{" ALL ",\"capabilities\":{},\"instructions\":7}"), "instructions that are no string");
	ok(!discover("[]") && !discover("null") && !discover("{}"), "results that are none");

	memset(longest, 'i', sizeof longest - 1);
	snprintf(text, sizeof text, "{" ALL ",\"capabilities\":{},\"instructions\":\"%.8190s\"}", longest);
	ok(discover(text) && c.instructions.n == 8192, "8 KiB of instructions");
	snprintf(text, sizeof text, "{" ALL ",\"capabilities\":{},\"instructions\":\"%.8191s\"}", longest);
	ok(discover(text) && span_absent(c.instructions) && !c.cut, "one byte more and there are none");
	snprintf(text, sizeof text, "{" ALL ",\"capabilities\":{},\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"%s\"}}}", longest);
	ok(discover(text) && span_absent(c.server_info) && c.cut, "a server info that does not fit is left out");
}

static void spellings(void)
{
	char mem[32];
	unsigned bad = 0;

	catalog_clear(&c);
	ok(!catalog_has_twin(&c, SPAN("get")) && !catalog_has_twin(&c, SPAN("")), "an empty catalogue has no twins");
	ok(catalog_learn_spelling(&c, SPAN("get")) && catalog_learn_spelling(&c, SPAN("get")) && !catalog_has_twin(&c, SPAN("get")), "a name is not its own twin");
	ok(!catalog_learn_spelling(&c, SPAN("Get")) && !catalog_learn_spelling(&c, SPAN("gEt")), "another spelling is one");
	ok(catalog_has_twin(&c, SPAN("get")) && catalog_has_twin(&c, SPAN("Get")) && catalog_has_twin(&c, SPAN("GET")), "whichever is asked for");
	ok(!catalog_learn_spelling(&c, SPAN("get")), "and the first one is no better when it comes again");
	ok(catalog_learn_spelling(&c, SPAN("get_")) && !catalog_has_twin(&c, SPAN("get_")), "another name has nothing to do with it");
	for (unsigned i = 0; i < CATALOG_TOOL_NAMES_MAX; i++)
		(void)catalog_learn_spelling(&c, span_of(mem, (size_t)snprintf(mem, sizeof mem, "t%u", i * 2654435761u)));
	for (unsigned i = 0; i < CATALOG_TOOL_NAMES_MAX; i++)
		bad += catalog_has_twin(&c, span_of(mem, (size_t)snprintf(mem, sizeof mem, "t%u", i * 2654435761u)));
	is_uint(bad, 0, "a full table has no others");
	ok(c.nspellings == CATALOG_TOOL_NAMES_MAX && catalog_learn_spelling(&c, SPAN("late")) && catalog_learn_spelling(&c, SPAN("LATE")), "what does not fit is not told apart");
	catalog_clear(&c);
	ok(!catalog_has_twin(&c, SPAN("get")) && c.nspellings == 0, "cleared, it has none");
}

static struct span name_of(char *to, size_t cap, unsigned i)
{
	return span_of(to, (size_t)snprintf(to, cap, "%x_tool", i * 2654435761u));
}

static void names(void)
{
	static struct catalog other;
	static const char *const odd[] = { "a", "\\", "\\u0061", "\"", "x\\", "\xc3\xa9", "\x01", "a b", "/" };
	char mem[MCP_NAME_MAX + 1];
	unsigned found = 0, foreign = 0;

	c.key[0] = 1;
	c.key[1] = 2;
	catalog_clear(&c);
	ok(!catalog_has_name(&c, CATALOG_TOOL, SPAN("a")) && !catalog_has_name(&c, CATALOG_PROMPT, SPAN("")), "an empty catalogue has no name");
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		ok(!catalog_has_name(&c, CATALOG_TOOL, span_z(odd[i])), "a name is not there before it is learned");
		catalog_learn_name(&c, CATALOG_TOOL, span_z(odd[i]));
		catalog_learn_name(&c, CATALOG_TOOL, span_z(odd[i]));
		ok(catalog_has_name(&c, CATALOG_TOOL, span_z(odd[i])) && c.nnames[CATALOG_TOOL] == i + 1, "  then it is, once, whatever bytes it has");
		ok(!catalog_has_name(&c, CATALOG_PROMPT, span_z(odd[i])), "  as a tool, not as a prompt");
	}
	ok(!catalog_has_name(&c, CATALOG_TOOL, SPAN("A")) && !catalog_has_name(&c, CATALOG_TOOL, SPAN("aa")) && !catalog_has_name(&c, CATALOG_TOOL, SPAN("a\0")), "others are not");
	memset(mem, 'n', sizeof mem);
	catalog_learn_name(&c, CATALOG_PROMPT, span_of(mem, MCP_NAME_MAX));
	catalog_learn_name(&c, CATALOG_PROMPT, span_of(mem, MCP_NAME_MAX + 1));
	catalog_learn_name(&c, CATALOG_PROMPT, SPAN(""));
	ok(catalog_has_name(&c, CATALOG_PROMPT, span_of(mem, MCP_NAME_MAX)) && !catalog_has_name(&c, CATALOG_PROMPT, span_of(mem, MCP_NAME_MAX + 1)) &&
	    c.nnames[CATALOG_PROMPT] == 1 && !c.names_cut[CATALOG_PROMPT], "the longest name is one, a longer one and an empty one are none");
	catalog_clear(&c);
	ok(!catalog_has_name(&c, CATALOG_TOOL, SPAN("a")) && !catalog_has_name(&c, CATALOG_PROMPT, span_of(mem, MCP_NAME_MAX)) && c.nnames[CATALOG_TOOL] == 0 && c.key[1] == 2,
	    "cleared, it has none again, and its key");
	for (int kind = CATALOG_TOOL; kind < CATALOG_KINDS; kind++) {
		unsigned most = kind == CATALOG_TOOL ? CATALOG_TOOL_NAMES_MAX : CATALOG_PROMPT_NAMES_MAX;

		for (unsigned i = 0; i < most; i++)
			catalog_learn_name(&c, (enum catalog_kind)kind, name_of(mem, sizeof mem, i));
		ok(c.nnames[kind] == most && !c.names_cut[kind], "as many as there is room for");
		catalog_learn_name(&c, (enum catalog_kind)kind, name_of(mem, sizeof mem, 0));
		ok(!c.names_cut[kind], "one that is known takes none");
		catalog_learn_name(&c, (enum catalog_kind)kind, name_of(mem, sizeof mem, most));
		ok(c.names_cut[kind] && c.nnames[kind] == most, "one more is cut, and that is known");
		found = foreign = 0;
		for (unsigned i = 0; i < most; i++)
			found += catalog_has_name(&c, (enum catalog_kind)kind, name_of(mem, sizeof mem, i));
		for (unsigned i = most; i < 20000; i++)
			foreign += catalog_has_name(&c, (enum catalog_kind)kind, name_of(mem, sizeof mem, i));
		ok(found == most && foreign == 0, "all are found, and none that was not learned");
		memcpy(other.key, c.key, sizeof c.key);
		catalog_clear(&other);
		catalog_keep_names(&other, (enum catalog_kind)kind, &c);
		ok(other.names_cut[kind] && other.nnames[kind] == most && catalog_has_name(&other, (enum catalog_kind)kind, name_of(mem, sizeof mem, 7)) &&
		    !catalog_has_name(&other, (enum catalog_kind)(1 - kind), name_of(mem, sizeof mem, 7)), "another takes over those of one kind");
	}
	catalog_clear(&other);
	other.key[0]++;
	catalog_learn_name(&c, CATALOG_PROMPT, SPAN("a"));
	catalog_clear(&c);
	catalog_learn_name(&c, CATALOG_PROMPT, SPAN("a"));
	catalog_learn_name(&other, CATALOG_PROMPT, SPAN("a"));
	ok(memcmp(c.prompt_names, other.prompt_names, sizeof c.prompt_names) != 0, "under another key a name lies elsewhere");
}

int main(void)
{
	spellings();
	names();
	verdicts();
	kept();
	full();
	depth();
	discovered();
	return done_testing();
}
