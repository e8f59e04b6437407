#include "base/text.h"
#include "provider/files_state.h"

enum { DEFINITIONS_TTL_MS = 3600000, SHOWN_MAX = 60 };

enum kind { PATH, STRING, INTEGER, BOOLEAN };

struct arg {
	struct span name;
	enum kind kind;
	bool required;
	int64_t min, max, otherwise; /* INTEGER */
};

struct tool {
	struct span name;
	void (*run)(struct files *, struct files_link *, const struct files_request *, const struct files_args *);
	unsigned nargs;
	struct arg args[FILES_ARGS_MAX];
};

#define NAME(text) { text, sizeof(text) - 1 }
#define MOST INT64_C(9007199254740991)

/* In the order of definitions below and of the enums in the tools' own files. */
static const struct tool tools[] = {
	{ NAME("list_files"), files_tool_list, 4, {
		{ NAME("path"), PATH, false, 0, 0, 0 },
		{ NAME("depth"), INTEGER, false, 1, FILES_DEPTH_MAX, 1 },
		{ NAME("limit"), INTEGER, false, 1, 1000, 200 },
		{ NAME("after"), STRING, false, 0, 0, 0 } } },
	{ NAME("read_file"), files_tool_read, 5, {
		{ NAME("path"), PATH, true, 0, 0, 0 },
		{ NAME("offset"), INTEGER, false, 0, MOST, 0 },
		{ NAME("length"), INTEGER, false, 1, 1048576, 65536 },
		{ NAME("first_line"), INTEGER, false, 1, MOST, 1 },
		{ NAME("last_line"), INTEGER, false, 1, MOST, MOST } } },
	{ NAME("search_text"), files_tool_search, 5, {
		{ NAME("path"), PATH, false, 0, 0, 0 },
		{ NAME("query"), STRING, true, 0, 0, 0 },
		{ NAME("case_sensitive"), BOOLEAN, false, 0, 1, 1 },
		{ NAME("limit"), INTEGER, false, 1, 500, 50 },
		{ NAME("context"), INTEGER, false, 0, 5, 0 } } },
	{ NAME("file_info"), files_tool_info, 1, { { NAME("path"), PATH, true, 0, 0, 0 } } },
};
#define TOOLS (sizeof tools / sizeof tools[0])

#define HINTS(title) "\"annotations\":{\"title\":\"" title "\",\"readOnlyHint\":true,\"destructiveHint\":false,\"idempotentHint\":true," \
	"\"openWorldHint\":false}"
#define PATH_SCHEMA "\"path\":{\"type\":\"string\",\"maxLength\":512,\"description\":"
#define ENTRY_PROPERTIES "\"path\":{\"type\":\"string\"},\"type\":{\"enum\":[\"file\",\"directory\"]}," \
	"\"size\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Bytes; files only.\"}," \
	"\"modified\":{\"type\":\"string\",\"format\":\"date-time\"}"

static const struct span definitions[] = {
	NAME("{\"name\":\"list_files\",\"title\":\"List files\",\"description\":\"Lists files and directories, sorted by name, each directory "
	     "before what is in it. Without arguments: what lies at the top. Use depth to look further down. If the answer says truncated, call "
	     "again with after set to next_after.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{" PATH_SCHEMA
	     "\"Directory relative to the root, like docs/api. Default: the root.\"},\"depth\":{\"type\":\"integer\",\"minimum\":1,"
	     "\"maximum\":32,\"default\":1,\"description\":\"Levels below path; 1 lists only what is directly in it.\"},\"limit\":{\"type\":"
	     "\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":200,\"description\":\"Most entries in the answer.\"},\"after\":{\"type\":"
	     "\"string\",\"maxLength\":512,\"description\":\"Go on behind this path: next_after of an earlier answer.\"}},"
	     "\"additionalProperties\":false},\"outputSchema\":{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"},\"entries\":"
	     "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{" ENTRY_PROPERTIES "},\"required\":[\"path\",\"type\"],"
	     "\"additionalProperties\":false}},\"truncated\":{\"type\":\"boolean\"},\"next_after\":{\"type\":\"string\"}},\"required\":["
	     "\"path\",\"entries\",\"truncated\"],\"additionalProperties\":false}," HINTS("List files") "}"),
	NAME("{\"name\":\"read_file\",\"title\":\"Read a file\",\"description\":\"Reads a file, whole or in part: either bytes (offset, length) "
	     "or lines (first_line, last_line, counted from 1). Text comes as UTF-8, anything else as base64 (see encoding). If end is false there "
	     "is more: call again with offset set to next_offset.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{" PATH_SCHEMA
	     "\"File relative to the root, like docs/guide.md.\"},\"offset\":{\"type\":\"integer\",\"minimum\":0,\"default\":0,"
	     "\"description\":\"First byte.\"},\"length\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1048576,\"default\":65536,"
	     "\"description\":\"Most bytes; fewer come when a character would be split or the answer would grow too long.\"},\"first_line\":{"
	     "\"type\":\"integer\",\"minimum\":1,\"description\":\"Not together with offset or length.\"},\"last_line\":{\"type\":"
	     "\"integer\",\"minimum\":1,\"description\":\"Last line wanted, itself included.\"}},\"required\":[\"path\"],"
	     "\"additionalProperties\":false},\"outputSchema\":{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"},"
	     "\"size\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Bytes of the whole file.\"},\"modified\":{\"type\":\"string\","
	     "\"format\":\"date-time\"},\"mime_type\":{\"type\":\"string\"},\"encoding\":{\"enum\":[\"utf-8\",\"base64\"]},\"offset\":{"
	     "\"type\":\"integer\",\"minimum\":0},\"length\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"Bytes of the file in content.\"},"
	     "\"first_line\":{\"type\":\"integer\",\"minimum\":1},\"end\":{\"type\":\"boolean\",\"description\":\"Nothing follows of what was "
	     "asked for.\"},\"next_offset\":{\"type\":\"integer\",\"minimum\":0},\"content\":{\"type\":\"string\"}},\"required\":[\"path\","
	     "\"size\",\"modified\",\"mime_type\",\"encoding\",\"offset\",\"length\",\"end\",\"content\"],\"additionalProperties\":false},"
	     HINTS("Read a file") "}"),
	NAME("{\"name\":\"search_text\",\"title\":\"Search text\",\"description\":\"Finds a piece of text, taken literally (no wildcards, no "
	     "regular expression), in all text files beneath path. Gives each line that has it once, with its number. Binary and over-long files "
	     "are skipped and counted.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"minLength\":1,"
	     "\"maxLength\":256,\"description\":\"Text to find, within one line.\"}," PATH_SCHEMA
	     "\"File or directory to search. Default: the root.\"},\"case_sensitive\":{\"type\":\"boolean\",\"default\":true,\"description\":"
	     "\"false: ASCII letters match in either case.\"},\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":500,\"default\":50,"
	     "\"description\":\"Most lines in the answer.\"},\"context\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":5,\"default\":0,"
	     "\"description\":\"Lines to show before and after each.\"}},\"required\":[\"query\"],\"additionalProperties\":false},"
	     "\"outputSchema\":{\"type\":\"object\",\"properties\":{\"matches\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
	     "\"properties\":{\"path\":{\"type\":\"string\"},\"line\":{\"type\":\"integer\",\"minimum\":1},\"column\":{\"type\":\"integer\","
	     "\"minimum\":1,\"description\":\"In bytes.\"},\"text\":{\"type\":\"string\",\"description\":\"The line; long ones are cut round the "
	     "match.\"},\"before\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"after\":{\"type\":\"array\",\"items\":{\"type\":"
	     "\"string\"}}},\"required\":[\"path\",\"line\",\"column\",\"text\"],\"additionalProperties\":false}},\"files_searched\":{\"type\":"
	     "\"integer\",\"minimum\":0},\"files_skipped\":{\"type\":\"integer\",\"minimum\":0},\"truncated\":{\"type\":\"boolean\","
	     "\"description\":\"There may be more: narrow path or query, or raise limit.\"}},\"required\":[\"matches\",\"files_searched\","
	     "\"files_skipped\",\"truncated\"],\"additionalProperties\":false}," HINTS("Search text") "}"),
	NAME("{\"name\":\"file_info\",\"title\":\"File information\",\"description\":\"Says whether a path is a file or a directory, its size, "
	     "when it was modified, its media type and its resource URI.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{" PATH_SCHEMA
	     "\"File or directory relative to the root; . is the root.\"}},\"required\":[\"path\"],\"additionalProperties\":false},"
	     "\"outputSchema\":{\"type\":\"object\",\"properties\":{" ENTRY_PROPERTIES ",\"mime_type\":{\"type\":\"string\"},\"uri\":{"
	     "\"type\":\"string\",\"format\":\"uri\"}},\"required\":[\"path\",\"type\",\"modified\"],\"additionalProperties\":false},"
	     HINTS("File information") "}"),
};

_Static_assert(sizeof definitions / sizeof definitions[0] == TOOLS, "a definition for each tool");
_Static_assert(FILES_PATH_MAX == 512 && FILES_QUERY_MAX == 256 && FILES_DEPTH_MAX == 32, "the schemas above say these numbers");

void files_tools_list(struct files *f, struct files_link *l, const struct files_request *r)
{
	struct buf b;

	if (r->m.cursor != JSON_NONE) {
		struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("params.cursor: not a cursor of this list, which has one page") };

		files_fault(f, l, r->m.id, &fault);
		return;
	}
	b = files_answer(f, l, r->m.id);
	BUF_LIT(&b, ",\"tools\":[");
	for (size_t i = 0; i < TOOLS; i++) {
		if (i > 0)
			BUF_LIT(&b, ",");
		buf_put(&b, definitions[i]);
	}
	BUF_LIT(&b, "]");
	files_cache(&b, DEFINITIONS_TTL_MS);
	files_answer_end(f, l, r->m.id, &b);
}

void files_tool_result(struct files *f, struct files_link *l, struct span id, struct span structured)
{
	struct buf b = files_answer(f, l, id);

	BUF_LIT(&b, ",\"content\":[{\"type\":\"text\",\"text\":");
	json_write_string(&b, structured);
	BUF_LIT(&b, "}],\"structuredContent\":");
	buf_put(&b, structured);
	files_answer_end(f, l, id, &b);
}

static void shown(struct buf *b, struct span about)
{
	json_write_inner(b, span_of(about.p, about.n > SHOWN_MAX ? utf8_floor(about, SHOWN_MAX) : about.n));
	if (about.n > SHOWN_MAX)
		BUF_LIT(b, "...");
}

void files_tool_wrong(struct files *f, struct files_link *l, struct span id, struct span head, struct span about, struct span tail)
{
	struct buf b = files_answer(f, l, id);

	BUF_LIT(&b, ",\"content\":[{\"type\":\"text\",\"text\":\"");
	json_write_inner(&b, head);
	if (!span_absent(about))
		shown(&b, about);
	json_write_inner(&b, tail);
	BUF_LIT(&b, "\"}],\"isError\":true");
	files_answer_end(f, l, id, &b);
}

struct span files_status_text(enum dir_status status)
{
	switch (status) {
	case DIR_DENIED: return SPAN(": this server may not read it");
	case DIR_FAILED: return SPAN(": reading failed; try again");
	default: return SPAN(": there is no such file or directory; list_files shows what there is");
	}
}

static void put_type(struct buf *b, const struct arg *a)
{
	switch (a->kind) {
	case PATH:
		BUF_LIT(b, "a string, a path relative to the root like docs/guide.md, without .., empty or hidden parts");
		break;
	case STRING:
		BUF_LIT(b, "a string");
		break;
	case BOOLEAN:
		BUF_LIT(b, "true or false");
		break;
	case INTEGER:
		BUF_LIT(b, "an integer from ");
		buf_i64(b, a->min);
		BUF_LIT(b, " to ");
		buf_i64(b, a->max);
		break;
	}
}

static void wrong_value(struct files *f, struct files_link *l, const struct files_request *r, const struct arg *a, uint32_t token)
{
	char head_mem[128], tail_mem[256];
	struct buf head = buf_on(head_mem, sizeof head_mem), tail = buf_on(tail_mem, sizeof tail_mem);

	buf_put(&head, a->name);
	if (token == JSON_NONE)
		BUF_LIT(&head, ": missing");
	else
		BUF_LIT(&head, ": found ");
	BUF_LIT(&tail, "; it must be ");
	put_type(&tail, a);
	files_tool_wrong(f, l, r->m.id, buf_span(&head), token == JSON_NONE ? span_of(NULL, 0) : json_raw(&r->json, token), buf_span(&tail));
}

static void wrong_name(struct files *f, struct files_link *l, const struct files_request *r, const struct tool *t, struct span name)
{
	char mem[256];
	struct buf tail = buf_on(mem, sizeof mem);
	const struct arg *near = NULL;
	unsigned least = 3;

	BUF_LIT(&tail, ": no such argument; ");
	buf_put(&tail, t->name);
	BUF_LIT(&tail, " takes ");
	for (unsigned i = 0; i < t->nargs; i++) {
		unsigned distance = text_distance(name, t->args[i].name, 2);

		if (distance < least) {
			least = distance;
			near = &t->args[i];
		}
		if (i > 0)
			BUF_LIT(&tail, ", ");
		buf_put(&tail, t->args[i].name);
	}
	if (near) {
		BUF_LIT(&tail, "; did you mean ");
		buf_put(&tail, near->name);
		BUF_LIT(&tail, "?");
	}
	files_tool_wrong(f, l, r->m.id, SPAN(""), name, buf_span(&tail));
}

/* What models write for a path: "." and "" are the root, "./a" is "a", "a/" is "a". */
static bool take_path(const struct files *f, const struct files_request *r, uint32_t token, struct files_args *out)
{
	char mem[FILES_PATH_MAX + 8];
	struct buf b = buf_on(mem, sizeof mem);
	struct span path;

	if (json_type(&r->json, token) != JSON_STRING || json_inner(&r->json, token).n > FILES_PATH_MAX * 6)
		return false;
	json_text(&r->json, token, &b);
	path = buf_span(&b);
	if (b.full)
		return false;
	if (span_starts(path, SPAN("./")))
		path = span_from(path, 2);
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n == 0 || span_eq(path, SPAN("."))) {
		out->path_len = 0;
		return true;
	}
	if (!files_name_path(path, f->s.hidden))
		return false;
	memcpy(out->path, path.p, path.n);
	out->path_len = path.n;
	return true;
}

/* Fills in a call's arguments; false: something is wrong with them, which has been answered. */
static bool check(struct files *f, struct files_link *l, const struct files_request *r, const struct tool *t, struct files_args *out)
{
	*out = (struct files_args){ .path_len = 0 };
	for (uint32_t n = json_first(&r->json, r->m.arguments); n != JSON_NONE; n = json_next(&r->json, r->m.arguments, n)) {
		bool known = false;

		for (unsigned i = 0; i < t->nargs && !known; i++)
			known = json_is(&r->json, n, t->args[i].name);
		if (!known) {
			wrong_name(f, l, r, t, json_inner(&r->json, n));
			return false;
		}
	}
	for (unsigned i = 0; i < t->nargs; i++) {
		const struct arg *a = &t->args[i];
		uint32_t token = json_get(&r->json, r->m.arguments, a->name);
		enum json_type type = json_type(&r->json, token);
		bool right = token == JSON_NONE ? !a->required : false;

		out->token[i] = token;
		out->number[i] = a->otherwise;
		if (token != JSON_NONE) {
			switch (a->kind) {
			case PATH:
				right = take_path(f, r, token, out);
				break;
			case STRING:
				right = type == JSON_STRING;
				break;
			case BOOLEAN:
				right = type == JSON_TRUE || type == JSON_FALSE;
				out->number[i] = type == JSON_TRUE;
				break;
			case INTEGER:
				right = json_int(&r->json, token, &out->number[i]) && out->number[i] >= a->min && out->number[i] <= a->max;
				break;
			}
		}
		if (!right) {
			wrong_value(f, l, r, a, token);
			return false;
		}
	}
	return true;
}

void files_tools_call(struct files *f, struct files_link *l, const struct files_request *r)
{
	struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("unknown tool") };
	struct files_args args;

	for (size_t i = 0; i < TOOLS; i++) {
		if (!json_is(&r->json, r->m.name, tools[i].name))
			continue;
		if (check(f, l, r, &tools[i], &args))
			tools[i].run(f, l, r, &args);
		return;
	}
	fault.where = json_inner(&r->json, r->m.name);
	files_fault(f, l, r->m.id, &fault);
}
