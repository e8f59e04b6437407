/* gate/mirror: the matrix of security A5, as tables, and what the faults say. */
#include "gate/mirror.h"

#include "base/text.h"
#include "table.h"
#include "view.h"

#define META(version) "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":" version ",\"io.modelcontextprotocol/clientCapabilities\":{}}"

static struct http_head h;
static struct json j;
static struct mcp_message m;

/* Reads both sides as far as the checks of mirrored headers need them. */
static bool given(const char *lines, size_t n, const char *body)
{
	struct mcp_fault f;

	if (view_head_n(&h, lines, n) != HTTP_OK || view_json(&j, body) != JSON_OK)
		return false;
	f = mcp_message_read(&m, &j);
	return f.code == 0 && mcp_request_meta(&m, &j).code == 0;
}

static void judge(const struct table *t, struct mcp_fault f, const char *what)
{
	char verdict[16];

	snprintf(verdict, sizeof verdict, f.code == 0 ? "ok" : "%d", f.code);
	if (!is_str(verdict, t->column[0], what))
		diag("line %u", t->line);
	if (f.code != 0 && !(f.status == 400 && f.text.n > 0))
		ok(false, "a fault has a status and a text");
	if (f.code == MCP_HEADER_MISMATCH && span_absent(f.where))
		ok(false, "a mismatch names its header");
}

static void versions(void)
{
	static struct table t;
	char body[1024], data_mem[512];

	table_open(&t, "tests/table/mirror-version.txt");
	while (table_next(&t)) {
		struct buf data = buf_on(data_mem, sizeof data_mem);
		struct mcp_fault f;

		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META("%s") "}}", t.column[2]);
		if (!ok(t.columns == 3 && given(t.column[1], table_unescape(t.column[1]), body), "the case can be read"))
			continue;
		f = mirror_version(&h, &m, &j, &data);
		judge(&t, f, t.column[2]);
		if (h.count[HTTP_MCP_PROTOCOL_VERSION] != 1)
			ok(mirror_version_present(&h).code == MCP_HEADER_MISMATCH, "and its presence alone is refused");
		else
			ok(mirror_version_present(&h).code == 0, "it is there");
		ok((f.code == MCP_UNSUPPORTED_VERSION) == !span_absent(f.data), "data goes with -32022 and nothing else");
	}
	ok(t.cases > 20, "the table has its cases");
}

static void version_data(void)
{
	char mem[512], lines[600], body[1024], longest[301];
	struct buf data = buf_on(mem, sizeof mem);
	struct mcp_fault f;

	if (ok(given("MCP-Protocol-Version: 2025-11-25\r\n", 34, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{" META("\"2025-11-25\"") "}}"), "an old version")) {
		f = mirror_version(&h, &m, &j, &data);
		ok(span_eq(f.data, SPAN("{\"supported\":[\"2026-07-28\"],\"requested\":\"2025-11-25\"}")), "data says what is supported and what was asked");
		ok(span_absent(f.where), "nothing more to point at");
	}
	if (ok(given("MCP-Protocol-Version: a\"\\b\r\n", 28, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{" META("\"a\\u0022\\\\b\"") "}}"), "one that must be escaped")) {
		buf_reset(&data);
		BUF_LIT(&data, "before");
		f = mirror_version(&h, &m, &j, &data);
		ok(span_eq(f.data, SPAN("{\"supported\":[\"2026-07-28\"],\"requested\":\"a\\\"\\\\b\"}")), "it comes back escaped, behind what was in the buffer");
	}
	memset(longest, 'v', 300);
	longest[300] = '\0';
	snprintf(lines, sizeof lines, "MCP-Protocol-Version: %s\r\n", longest);
	snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{" META("\"%s\"") "}}", longest);
	if (ok(given(lines, strlen(lines), body), "a very long one")) {
		buf_reset(&data);
		f = mirror_version(&h, &m, &j, &data);
		ok(f.code == MCP_UNSUPPORTED_VERSION && f.data.n < 128, "is cut when said back");
		data = buf_on(mem, 20);
		f = mirror_version(&h, &m, &j, &data);
		ok(f.code == MCP_UNSUPPORTED_VERSION && span_absent(f.data), "no room for data: the fault stands without");
	}
}

static void methods(void)
{
	static struct table t;
	char body[1024], scratch_mem[4096];

	table_open(&t, "tests/table/mirror-method.txt");
	while (table_next(&t)) {
		struct buf scratch = buf_on(scratch_mem, sizeof scratch_mem);

		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":%s,\"params\":{" META("\"2026-07-28\"") "}}", t.column[2]);
		if (!ok(t.columns == 3 && given(t.column[1], table_unescape(t.column[1]), body), "the case can be read"))
			continue;
		judge(&t, mirror_method(&h, &m, &j, &scratch), t.column[2]);
	}
	ok(t.cases > 20, "the table has its cases");
}

static void names(void)
{
	static struct table t;
	char body[2048], lines[4096], scratch_mem[4096];

	table_open(&t, "tests/table/mirror-name.txt");
	while (table_next(&t)) {
		struct buf scratch = buf_on(scratch_mem, sizeof scratch_mem);
		size_t n = (size_t)snprintf(lines, sizeof lines, "Mcp-Method: %s\r\n", t.column[2]), more = table_unescape(t.column[1]);

		memcpy(lines + n, t.column[1], more);
		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s," META("\"2026-07-28\"") "}}", t.column[2], t.column[3]);
		if (!ok(t.columns == 4 && given(lines, n + more, body), "the case can be read"))
			continue;
		struct mcp_fault f = mirror_method(&h, &m, &j, &scratch);
		judge(&t, f, t.column[3]);
		if (f.code != 0 && !span_eq(f.where, SPAN("Mcp-Name")))
			ok(false, "the fault is about Mcp-Name");
	}
	ok(t.cases > 70, "the table has its cases");
}

static void faults(void)
{
	static const struct { const char *lines, *where; } cases[] = {
		{ "", "Mcp-Method" },
		{ "Mcp-Method: tools/list\r\n", "Mcp-Method" },
		{ "Mcp-Method: tools/list\r\nMcp-Name: b\r\n", "Mcp-Method" },
		{ "Mcp-Method: tools/call\r\nMcp-Method: tools/call\r\nMcp-Name: b\r\n", "Mcp-Method" },
		{ "Mcp-Method: tools/call\r\n", "Mcp-Name" },
		{ "Mcp-Method: tools/call\r\nMcp-Name: b\r\n", "Mcp-Name" },
	};
	char mem[4096];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf scratch = buf_on(mem, sizeof mem);

		if (!ok(given(cases[i].lines, strlen(cases[i].lines), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"," META("\"2026-07-28\"") "}}"), "the case can be read"))
			continue;
		struct mcp_fault f = mirror_method(&h, &m, &j, &scratch);
		ok(f.code == MCP_HEADER_MISMATCH && span_eq(f.where, span_z(cases[i].where)), "the first header that is wrong is named");
	}
	if (ok(given("", 0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{" META("\"2026-07-28\"") "}}"), "no headers at all"))
		ok(span_eq(mirror_version_present(&h).where, SPAN("MCP-Protocol-Version")), "the version header is named");
}

static void long_names(void)
{
	static char lines[16384], body[16384], uri[4001];
	char mem[4096];
	struct buf scratch = buf_on(mem, sizeof mem), value;
	size_t n;

	memset(uri, 'u', sizeof uri - 1);
	n = (size_t)snprintf(lines, sizeof lines, "Mcp-Method: resources/read\r\nMcp-Name: %s\r\n", uri);
	snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\"%s\"," META("\"2026-07-28\"") "}}", uri);
	if (ok(given(lines, n, body), "a uri of 4000 bytes"))
		ok(mirror_method(&h, &m, &j, &scratch).code == 0, "fits in 4 KiB of scratch");
	scratch = buf_on(mem, sizeof mem - 100);
	ok(mirror_method(&h, &m, &j, &scratch).code == MCP_HEADER_MISMATCH, "and not in less");
	scratch = buf_on(mem, sizeof mem - 100);
	value = buf_on(lines, sizeof lines);
	BUF_LIT(&value, "Mcp-Method: resources/read\r\nMcp-Name: =?base64?");
	b64_encode(&value, uri, sizeof uri - 1);
	BUF_LIT(&value, "?=\r\n");
	if (ok(given(lines, value.n, body), "the same in base64"))
		ok(mirror_method(&h, &m, &j, &scratch).code == MCP_HEADER_MISMATCH && scratch.n <= sizeof mem, "has no room and is refused");
}

int main(void)
{
	versions();
	version_data();
	methods();
	names();
	faults();
	long_names();
	return done_testing();
}
