/* gate/catalog: mirrored parameters against arguments, as a table; bounds. */
#include "gate/catalog.h"

#include "table.h"
#include "view.h"

static const char tool_text[] =
	"{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
	"\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
	"\"limit\":{\"type\":\"integer\",\"x-mcp-header\":\"Limit\"},"
	"\"dry\":{\"type\":\"boolean\",\"x-mcp-header\":\"Dry-Run\"},"
	"\"where\":{\"type\":\"object\",\"properties\":{\"deep\":{\"type\":\"string\",\"x-mcp-header\":\"Deep\"}}},"
	"\"other\":{\"type\":\"string\"}}}}";

static struct catalog c;
static struct http_head h;
static struct json j;
static char scratch_mem[8192], fields_mem[16384];

/* arguments: JSON text, or empty for none. */
static struct mcp_fault run(const struct catalog_tool *tool, const char *lines, size_t n, const char *arguments, struct buf *fields)
{
	struct buf scratch = buf_on(scratch_mem, sizeof scratch_mem);
	static char body[65536];

	snprintf(body, sizeof body, arguments[0] ? "{\"arguments\":%s}" : "{}", arguments);
	if (view_head_n(&h, lines, n) != HTTP_OK || view_json(&j, body) != JSON_OK) {
		diag("a case that cannot be read: %s", arguments);
		return (struct mcp_fault){ -1, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	}
	return catalog_params(&c, tool, &h, &j, json_get(&j, JSON_ROOT, SPAN("arguments")), &scratch, fields);
}

static void learn(void)
{
	struct span why;

	catalog_clear(&c);
	ok(view_json(&j, tool_text) == JSON_OK && catalog_learn(&c, &j, JSON_ROOT, &why) == CATALOG_MIRRORS, "the tool is learned");
}

static void cases(void)
{
	const struct catalog_tool *tool = catalog_find(&c, SPAN("t"));
	static struct table t;
	char verdict[16];

	table_open(&t, "tests/table/mirror-param.txt");
	while (table_next(&t)) {
		struct buf fields = buf_on(fields_mem, sizeof fields_mem);
		struct mcp_fault f;

		if (!ok(t.columns == 4, "a case has four columns"))
			continue;
		BUF_LIT(&fields, "X: y\r\n");
		f = run(tool, t.column[1], table_unescape(t.column[1]), t.column[2], &fields);
		snprintf(verdict, sizeof verdict, f.code == 0 ? "ok" : "%d", f.code);
		if (!is_str(verdict, t.column[0], t.column[2]))
			diag("line %u", t.line);
		is_mem(fields_mem + 6, fields.n - 6, t.column[3], table_unescape(t.column[3]), "what goes upstream");
		if (f.code != 0)
			ok(f.status == 400 && f.text.n > 0 && span_starts(f.where, SPAN("Mcp-Param-")), "the fault names the header");
	}
	ok(t.cases > 120, "the table has its cases");
}

static void unknown_tools(void)
{
	struct buf fields = buf_on(fields_mem, sizeof fields_mem);
	static const char lines[] = "Mcp-Param-Region: eu\r\nX-Mcp-Param-A: b\r\nMcp-Name: n\r\nmcp-param-b: \r\n";

	is_int(run(NULL, lines, sizeof lines - 1, "{\"region\":\"us\"}", &fields).code, 0, "of a tool that mirrors nothing all are unknown");
	is_mem(fields.p, fields.n, "Mcp-Param-Region: eu\r\nmcp-param-b: \r\n", 37, "and only they go on");
	fields = buf_on(fields_mem, sizeof fields_mem);
	is_int(run(NULL, "Mcp-Param-A: 1\r\nMcp-Param-A: 1\r\n", 32, "{}", &fields).code, MCP_HEADER_MISMATCH, "but not twice");
	is_int(fields.n, 0, "then nothing goes on");
}

static void bounds(void)
{
	const struct catalog_tool *tool = catalog_find(&c, SPAN("t"));
	static char lines[20000], arguments[20000], value[8001];
	struct buf fields = buf_on(fields_mem, 30);
	struct mcp_fault f;
	size_t n;

	memset(value, 'v', sizeof value - 1);
	f = run(tool, "Mcp-Param-Region: eu\r\nMcp-Param-Zeta: 1\r\n", 41, "{\"region\":\"eu\"}", &fields);
	ok(f.code == MCP_INVALID_REQUEST && f.status == 431 && fields.n == 0, "no room for the lines: refused, nothing kept");

	fields = buf_on(fields_mem, sizeof fields_mem);
	n = (size_t)snprintf(lines, sizeof lines, "Mcp-Param-Region: %s\r\n", value);
	snprintf(arguments, sizeof arguments, "{\"region\":\"%s\"}", value);
	f = run(tool, lines, n, arguments, &fields);
	ok(f.code == 0 && fields.n == n, "a long value fits in the scratch");
	memset(lines, 'A', sizeof lines);
	memcpy(lines, "Mcp-Param-Region: =?base64?", 27);
	memcpy(lines + 27 + 16000, "?=\r\n", 4);
	fields = buf_on(fields_mem, sizeof fields_mem);
	f = run(tool, lines, 27 + 16000 + 4, arguments, &fields);
	ok(f.code == MCP_HEADER_MISMATCH && span_eq(f.where, SPAN("Mcp-Param-Region")), "a value that decodes to more than the scratch is refused");

	/* A number as long as a document may have them: digits that cancel out, exactly. */
	memset(arguments, '0', sizeof arguments);
	n = (size_t)snprintf(arguments, sizeof arguments, "{\"limit\":7");
	arguments[n] = '0';
	memcpy(arguments + n + 15000, "e-15000}", 9);
	fields = buf_on(fields_mem, sizeof fields_mem);
	f = run(tool, "Mcp-Param-Limit: 7\r\n", 20, arguments, &fields);
	ok(f.code == 0 && fields.n == 20, "7 with 15000 zeros, e-15000, is 7");
	memcpy(arguments + n + 15000, "e-15001}", 9);
	fields = buf_on(fields_mem, sizeof fields_mem);
	f = run(tool, "Mcp-Param-Limit: 7\r\n", 20, arguments, &fields);
	ok(f.code == MCP_INVALID_PARAMS, "and with e-15001 no integer");
}

/* A caller without headers. */
static void made(void)
{
	static const struct { const char *arguments; int code; const char *lines; } all[] = {
		{ "{\"region\":\"eu\",\"limit\":4.20e1,\"dry\":true,\"where\":{\"deep\":\"\\u00fc\"},\"other\":\"x\"}", 0,
			"Mcp-Param-Region: eu\r\nMcp-Param-Limit: 42\r\nMcp-Param-Dry-Run: true\r\nMcp-Param-Deep: =?base64?w7w=?=\r\n" },
		{ "{\"region\":null,\"dry\":false}", 0, "Mcp-Param-Dry-Run: false\r\n" },
		{ "{\"region\":\"a\\r\\nb\"}", 0, "Mcp-Param-Region: =?base64?YQ0KYg==?=\r\n" },
		{ "{}", 0, "" }, { "", 0, "" },
		{ "{\"limit\":1.5}", MCP_INVALID_PARAMS, "" }, { "{\"region\":\"eu\",\"dry\":\"yes\"}", MCP_INVALID_PARAMS, "" },
	};
	const struct catalog_tool *tool = catalog_find(&c, SPAN("t"));
	char body[400];

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct buf scratch = buf_on(scratch_mem, sizeof scratch_mem), fields = buf_on(fields_mem, sizeof fields_mem);
		snprintf(body, sizeof body, all[i].arguments[0] ? "{\"arguments\":%s}" : "{}", all[i].arguments);
		ok(view_json(&j, body) == JSON_OK, all[i].arguments);
		struct mcp_fault f = catalog_params(&c, tool, NULL, &j, json_get(&j, JSON_ROOT, SPAN("arguments")), &scratch, &fields);
		is_int(f.code, all[i].code, "judged as with headers");
		is_mem(fields.p, fields.n, all[i].lines, strlen(all[i].lines), "and made");
	}
}

int main(void)
{
	learn();
	cases();
	made();
	unknown_tools();
	bounds();
	return done_testing();
}
