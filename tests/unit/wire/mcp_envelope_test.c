/* wire/mcp_envelope: every fault of shape with its code, status and text; ids; names that only folding makes equal (A1); replies; events;
 * and the specification's own examples. SUITES names the directory of suites. */
#include "wire/mcp_envelope.h"

#include <dirent.h>

#include "tap.h"
#include "view.h"

#define V "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\""
#define C "\"io.modelcontextprotocol/clientCapabilities\":{}"
#define META "\"_meta\":{" V "," C "}"
#define REQUEST(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":{" params META "}}"

static struct json j;
static struct mcp_message m;

static bool has(struct span text, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= text.n; i++)
		if (memcmp(text.p + i, part, n) == 0)
			return true;
	return false;
}

/* The first fault in the order in which they count. */
static struct mcp_fault read_request(const char *text)
{
	struct mcp_fault f;

	if (view_json(&j, text) != JSON_OK) {
		diag("not JSON: %s", text);
		return (struct mcp_fault){ 1, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
	}
	f = mcp_message_read(&m, &j);
	if (f.code == 0 && m.kind == MCP_REQUEST) {
		f = mcp_request_meta(&m, &j);
		if (f.code == 0)
			f = mcp_request_params(&m, &j);
	}
	return f;
}

static void fault_is(const char *text, int code, const char *part)
{
	struct mcp_fault f = read_request(text);

	if (!is_int(f.code, code, part) || (code != 0 && !has(f.text, part)))
		diag("%s: %.*s", text, (int)f.text.n, f.text.p ? f.text.p : "");
	if (code != 0)
		ok(f.status == 400 && has(f.text, part), "with status 400 and its text");
}

/* ---- the envelope ---- */

static void envelopes(void)
{
	static const struct { const char *text, *part; } bad[] = {
		{ "[]", "batch" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}]", "batch" },
		{ "7", "JSON object" }, { "\"tools/list\"", "JSON object" }, { "null", "JSON object" }, { "true", "JSON object" },
		{ "{}", "jsonrpc" },
		{ "{\"id\":1,\"method\":\"x\"}", "jsonrpc" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", "jsonrpc" },
		{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}", "jsonrpc" },
		{ "{\"jsonrpc\":\"2.0 \",\"id\":1,\"method\":\"x\"}", "jsonrpc" },
		{ "{\"jsonrpc\":null,\"id\":1,\"method\":\"x\"}", "jsonrpc" },
		{ "{\"jsonrpc\":\"2.0\"}", "method: missing" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", "method: missing" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "method: must be a string" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", "method: must be a string" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":[\"x\"]}", "method: must be a string" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[]}", "params: must be an object" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":null}", "params: must be an object" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":\"y\"}", "params: must be an object" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":7}", "params: must be an object" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"result\":{}}", "either" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"error\":{}}", "either" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}", "method: missing" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		fault_is(bad[i].text, MCP_INVALID_REQUEST, bad[i].part);

	fault_is("{\"jsonrpc\":\"2.\\u0030\",\"id\":1,\"m\\u0065thod\":\"tools\\/list\",\"params\":{\"_m\\u0065ta\":{\"io.modelcontextprotocol\\/protocolVersion\":\"2026-07-28\"," C "}}}", 0, "escapes everywhere");
	is_int(m.method, MCP_TOOLS_LIST, "a method with an escaped slash is that method");
	fault_is("{\"params\":{" META "},\"method\":\"tools/list\",\"id\":1,\"jsonrpc\":\"2.0\",\"extra\":[{}]}", 0, "any order, unknown members");
	fault_is("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}", 0, "a notification");
	ok(m.kind == MCP_NOTIFICATION && span_absent(m.id) && m.method == MCP_CANCELLED && m.params == JSON_NONE, "has no id, and may have no params");
	fault_is("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/other\",\"params\":{}}", 0, "a notification nobody knows");
	ok(m.kind == MCP_NOTIFICATION && m.method == MCP_UNKNOWN && m.params != JSON_NONE && m.meta == JSON_NONE, "is one all the same");
	fault_is("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}", 0, "a result");
	ok(m.kind == MCP_RESULT && span_eq(m.id, SPAN("4")) && json_type(&j, m.result) == JSON_OBJECT, "is one");
	fault_is("{\"jsonrpc\":\"2.0\",\"error\":{}}", 0, "an error without an id");
	ok(m.kind == MCP_ERROR && span_absent(m.id) && m.error != JSON_NONE, "is one");
}

static void ids(void)
{
	static char text[1200], id[600];
	static const struct { const char *id; bool good; } cases[] = {
		{ "1", true }, { "0", true }, { "-1", true }, { "-0", true }, { "9007199254740991", true }, { "-9007199254740991", true },
		{ "\"\"", true }, { "\"a\"", true }, { "\"\\u00e9\\n\\\"\"", true }, { "\"\\u0000\"", true }, { "\"1\"", true },
		{ "9007199254740992", false }, { "-9007199254740992", false }, { "18446744073709551617", false },
		{ "1.0", false }, { "1.5", false }, { "1e2", false }, { "1E0", false }, { "null", false }, { "true", false }, { "false", false },
		{ "[]", false }, { "[1]", false }, { "{}", false }, { "{\"id\":1}", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\": %s ,\"method\":\"tools/list\",\"params\":{" META "}}", cases[i].id);
		fault_is(text, cases[i].good ? 0 : MCP_INVALID_REQUEST, "id:");
		if (cases[i].good)
			ok(span_eq(m.id, span_z(cases[i].id)) && m.kind == MCP_REQUEST, "the id is kept as it was written");
		else
			ok(span_absent(m.id), "an id that is none is not echoed");
	}
	for (size_t n = MCP_ID_MAX - 1; n <= 300; n += n < MCP_ID_MAX + 1 ? 1 : 300 - n) {
		memset(id, 'i', n);
		id[0] = id[n - 1] = '"';
		id[n] = '\0';
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/list\",\"params\":{" META "}}", id);
		fault_is(text, n <= MCP_ID_MAX ? 0 : MCP_INVALID_REQUEST, "256 bytes");
		is_int(m.id.n, n <= MCP_ID_MAX ? n : 0, "raw bytes count, quotes too");
		if (n == 300)
			break;
	}

	/* The id goes into the answer to every fault but its own. */
	static const char *const faulty[] = {
		"{\"id\":\"x\",\"method\":\"y\"}", "{\"id\":\"x\",\"jsonrpc\":\"2.0\"}", "{\"Method\":\"y\",\"id\":\"x\",\"jsonrpc\":\"2.0\"}",
		"{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"method\":7}", "{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"method\":\"y\",\"params\":[]}",
		"{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"method\":\"y\",\"result\":1}", "{\"id\":\"x\",\"ID\":2,\"jsonrpc\":\"2.0\",\"method\":\"y\"}",
		"{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"method\":\"y\"}", "{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{" META "}}",
	};
	for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++)
		ok(read_request(faulty[i]).code != 0 && span_eq(m.id, SPAN("\"x\"")), "the id is known beside a fault");
}

/* ---- names that differ by case or folding (A1) ---- */

static void folded_one(const char *before, const char *name, const char *after, bool reply)
{
	static char text[2048];
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		const char *forms[3] = { NULL, NULL, NULL };
		char upper[2] = { 0, 0 }, wide[8];
		unsigned nforms = 0;

		if (name[i] >= 'a' && name[i] <= 'z')
			upper[0] = (char)(name[i] - 32);
		else if (name[i] >= 'A' && name[i] <= 'Z')
			upper[0] = (char)(name[i] + 32);
		if (upper[0] != 0)
			forms[nforms++] = upper;
		if (name[i] == 's' || name[i] == 'S')
			forms[nforms++] = "\xc5\xbf";
		if (name[i] == 'k' || name[i] == 'K')
			forms[nforms++] = "\\u212a";
		if (nforms < 3 && name[i] > ' ') {
			snprintf(wide, sizeof wide, "\\u%04x", 0xFF00u + (unsigned)(unsigned char)name[i] - 0x20u);
			forms[nforms++] = wide;
		}
		for (unsigned k = 0; k < nforms; k++) {
			struct mcp_fault f;

			snprintf(text, sizeof text, "%s\"%.*s%s%s\":0%s", before, (int)i, name, forms[k], name + i + 1, after);
			f = read_request(text);
			if (reply && f.code == 0)
				f = mcp_reply_check(&m, &j, MCP_TOOLS_LIST);
			if (f.code != MCP_INVALID_REQUEST || !has(f.text, "case or folding")) {
				ok(false, name);
				diag("%s: %d %.*s", text, f.code, (int)f.text.n, f.text.p ? f.text.p : "");
			}
		}
	}
	ok(n > 0, name);
}

static void folded(void)
{
	static const char *const envelope[] = { "jsonrpc", "id", "method", "params", "result", "error" };
	static const char *const params[] = { "_meta", "name", "uri", "arguments", "cursor", "ref", "argument", "context", "notifications",
		"inputResponses", "requestState", "taskId" };
	static const char *const meta[] = { "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientCapabilities",
		"io.modelcontextprotocol/clientInfo", "io.modelcontextprotocol/logLevel", "progressToken" };
	static const char *const ref[] = { "type", "name", "uri" }, *const argument[] = { "name", "value" };
	static const char *const filter[] = { "toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions", "taskIds" };
	static const char *const result[] = { "resultType", "tools", "nextCursor", "_meta", "ttlMs", "cacheScope", "resources", "prompts",
		"resourceTemplates", "contents" };
	static const char *const error[] = { "code", "message", "data" };

	for (size_t i = 0; i < sizeof envelope / sizeof envelope[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "},", envelope[i], "}", false);
	for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META ",", params[i], "}}", false);
	for (size_t i = 0; i < sizeof meta / sizeof meta[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V "," C ",", meta[i], "}}}", false);
	for (size_t i = 0; i < sizeof ref / sizeof ref[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"completion/complete\",\"params\":{" META ",\"argument\":{\"name\":\"a\",\"value\":\"\"},\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\",", ref[i], "}}}", false);
	for (size_t i = 0; i < sizeof argument / sizeof argument[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"completion/complete\",\"params\":{" META ",\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"a\",\"value\":\"\",", argument[i], "}}}", false);
	for (size_t i = 0; i < sizeof filter / sizeof filter[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{" META ",\"notifications\":{", filter[i], "}}}", false);
	for (size_t i = 0; i < sizeof result / sizeof result[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[],", result[i], "}}", true);
	for (size_t i = 0; i < sizeof error / sizeof error[0]; i++)
		folded_one("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"\",", error[i], "}}", true);

	/* Elsewhere such names are the tools' own. */
	fault_is(REQUEST("tools/call", "\"name\":\"t\",\"arguments\":{\"Name\":1,\"name\":2,\"METHOD\":3},"), 0, "in arguments");
	fault_is("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{" V "," C ",\"Name\":1,\"com.example/ID\":2}}}", 0, "in _meta, of no key that we know");
	fault_is("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META ",\"m\xc3\xa9ta\":1,\"named\":2,\"nam\":3}}", 0, "names that are merely alike");
}

/* ---- _meta ---- */

static void metas(void)
{
	static const struct { const char *text, *part; } bad[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", "params._meta: missing" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{}}", "params._meta: missing" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":null}}", "params._meta: must be an object" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":[]}}", "params._meta: must be an object" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{}}}", "protocolVersion" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" C "}}}", "protocolVersion" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":20260728," C "}}}", "protocolVersion" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":null," C "}}}", "protocolVersion" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{\"protocolVersion\":\"2026-07-28\"," C "}}}", "protocolVersion" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V "}}}", "clientCapabilities" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V ",\"io.modelcontextprotocol/clientCapabilities\":[]}}}", "clientCapabilities" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V ",\"io.modelcontextprotocol/clientCapabilities\":true}}}", "clientCapabilities" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V "," C ",\"progressToken\":null}}}", "progressToken" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V "," C ",\"progressToken\":1.5}}}", "progressToken" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V "," C ",\"progressToken\":{}}}}", "progressToken" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"_meta\":{" V "," C "},\"method\":\"tools/list\",\"params\":{}}", "params._meta: missing" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		fault_is(bad[i].text, MCP_INVALID_PARAMS, bad[i].part);
	fault_is("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{" V "," C ",\"progressToken\":\"p\",\"io.modelcontextprotocol/clientInfo\":7,\"other\":[1]}}}", 0, "what is not required is left alone");
	ok(json_is(&j, m.version, SPAN("2026-07-28")) && json_type(&j, m.capabilities) == JSON_OBJECT && json_is(&j, m.progress_token, SPAN("p")), "the three are found");
	fault_is(REQUEST("tools/list", ""), 0, "no progressToken");
	ok(m.progress_token == JSON_NONE, "is none");
	fault_is(REQUEST("ping", ""), 0, "a method nobody knows");
	is_int(m.method, MCP_UNKNOWN, "has _meta all the same");
	ok(span_eq(m.method_text, SPAN("ping")), "and its text");
}

/* ---- params ---- */

static void params(void)
{
	static const struct { const char *text, *part; } bad[] = {
		{ REQUEST("tools/call", ""), "params.name" }, { REQUEST("tools/call", "\"name\":7,"), "params.name" },
		{ REQUEST("tools/call", "\"name\":null,"), "params.name" }, { REQUEST("tools/call", "\"name\":\"\","), "params.name" },
		{ REQUEST("tools/call", "\"name\":[\"a\"],"), "params.name" }, { REQUEST("tools/call", "\"uri\":\"a\","), "params.name" },
		{ REQUEST("tools/call", "\"name\":\"a\",\"arguments\":null,"), "params.arguments" },
		{ REQUEST("tools/call", "\"name\":\"a\",\"arguments\":[],"), "params.arguments" },
		{ REQUEST("tools/call", "\"name\":\"a\",\"arguments\":\"{}\","), "params.arguments" },
		{ REQUEST("prompts/get", ""), "params.name" }, { REQUEST("prompts/get", "\"name\":\"a\",\"arguments\":7,"), "params.arguments" },
		{ REQUEST("resources/read", ""), "params.uri" }, { REQUEST("resources/read", "\"uri\":7,"), "params.uri" },
		{ REQUEST("resources/read", "\"uri\":\"\","), "params.uri" }, { REQUEST("resources/read", "\"name\":\"a\","), "params.uri" },
		{ REQUEST("tools/list", "\"cursor\":null,"), "params.cursor" }, { REQUEST("prompts/list", "\"cursor\":7,"), "params.cursor" },
		{ REQUEST("resources/list", "\"cursor\":{},"), "params.cursor" }, { REQUEST("resources/templates/list", "\"cursor\":[],"), "params.cursor" },
		{ REQUEST("completion/complete", ""), "params.ref" }, { REQUEST("completion/complete", "\"ref\":\"p\","), "params.ref" },
		{ REQUEST("completion/complete", "\"ref\":{},"), "params.ref.type" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/tool\",\"name\":\"a\"},"), "params.ref.type" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":7},"), "params.ref.type" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\"},"), "params.ref.name" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"uri\":\"a\"},"), "params.ref.name" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/resource\",\"name\":\"a\"},"), "params.ref.uri" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},"), "params.argument" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"a\"},"), "params.argument" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"value\":\"a\"},"), "params.argument" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"a\",\"value\":7},"), "params.argument" },
		{ REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"a\",\"value\":\"\"},\"context\":[],"), "params.context" },
		{ REQUEST("subscriptions/listen", ""), "params.notifications" }, { REQUEST("subscriptions/listen", "\"notifications\":[],"), "params.notifications" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":1},"), "booleans" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"promptsListChanged\":\"true\"},"), "booleans" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"resourcesListChanged\":null},"), "booleans" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":\"u\"},"), "array" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":{\"u\":1}},"), "array" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":null},"), "array" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":[\"u\",7]},"), "every URI" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":[\"\"]},"), "every URI" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"taskIds\":\"t\"},"), "taskIds" },
		{ REQUEST("subscriptions/listen", "\"notifications\":{\"taskIds\":[7]},"), "every id" },
		{ REQUEST("tasks/get", ""), "taskId" }, { REQUEST("tasks/cancel", "\"taskId\":\"\","), "taskId" }, { REQUEST("tasks/get", "\"taskId\":7,"), "taskId" },
		{ REQUEST("tasks/update", "\"taskId\":\"t\","), "inputResponses" }, { REQUEST("tasks/update", "\"taskId\":\"t\",\"inputResponses\":[],"), "inputResponses" },
	};
	static const char *const good[] = {
		REQUEST("server/discover", ""), REQUEST("tools/list", ""), REQUEST("tools/list", "\"cursor\":\"\","), REQUEST("tools/list", "\"cursor\":\"x\",\"name\":7,"),
		REQUEST("tools/call", "\"name\":\"a\","), REQUEST("tools/call", "\"name\":\"a\",\"arguments\":{},\"inputResponses\":{},\"requestState\":\"s\","),
		REQUEST("prompts/get", "\"name\":\"a\",\"arguments\":{\"x\":\"y\"},"), REQUEST("resources/read", "\"uri\":\"a:b\","),
		REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\",\"title\":\"t\"},\"argument\":{\"name\":\"a\",\"value\":\"\"},\"context\":{},"),
		REQUEST("completion/complete", "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"a:{b}\"},\"argument\":{\"name\":\"a\",\"value\":\"v\"},"),
		REQUEST("subscriptions/listen", "\"notifications\":{},"),
		REQUEST("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":false,\"resourceSubscriptions\":[\"a\",\"b\"],\"x\":7},"),
		REQUEST("initialize", ""), REQUEST("tasks/list", ""),
		REQUEST("tasks/get", "\"taskId\":\"t\","), REQUEST("tasks/cancel", "\"taskId\":\"t\","), REQUEST("tasks/update", "\"taskId\":\"t\",\"inputResponses\":{},"),
		REQUEST("subscriptions/listen", "\"notifications\":{\"taskIds\":[\"t\"]},"),
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		fault_is(bad[i].text, MCP_INVALID_PARAMS, bad[i].part);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		fault_is(good[i], 0, good[i]);

	fault_is(good[2], 0, "an empty cursor");
	ok(m.cursor != JSON_NONE && json_is(&j, m.cursor, SPAN("")), "is a cursor");
	fault_is(good[1], 0, "none");
	ok(m.cursor == JSON_NONE, "is none");
	fault_is(good[5], 0, "a call");
	ok(json_is(&j, m.name, SPAN("a")) && json_type(&j, m.arguments) == JSON_OBJECT, "has its name and arguments");
	fault_is(good[8], 0, "a prompt to complete");
	ok(json_is(&j, m.name, SPAN("p")) && !m.ref_is_resource, "is named");
	fault_is(good[9], 0, "a template to complete");
	ok(json_is(&j, m.name, SPAN("a:{b}")) && m.ref_is_resource, "is named, and a resource");
	fault_is(good[11], 0, "a filter");
	ok(json_size(&j, m.notifications) == 4, "is found");
}

static void limits(void)
{
	static const struct { const char *method, *before, *after; size_t most; const char *part; } cases[] = {
		{ "tools/call", "\"name\":\"", "\"", MCP_NAME_MAX, "params.name" },
		{ "prompts/get", "\"name\":\"", "\"", MCP_NAME_MAX, "params.name" },
		{ "resources/read", "\"uri\":\"", "\"", MCP_URI_MAX, "params.uri" },
		{ "tools/list", "\"cursor\":\"", "\"", MCP_CURSOR_MAX, "params.cursor" },
		{ "completion/complete", "\"argument\":{\"name\":\"a\",\"value\":\"\"},\"ref\":{\"type\":\"ref/prompt\",\"name\":\"", "\"}", MCP_NAME_MAX, "params.ref.name" },
		{ "completion/complete", "\"argument\":{\"name\":\"a\",\"value\":\"\"},\"ref\":{\"type\":\"ref/resource\",\"uri\":\"", "\"}", MCP_URI_MAX, "params.ref.uri" },
		{ "completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"value\":\"\",\"name\":\"", "\"}", MCP_NAME_MAX, "params.argument" },
		{ "subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":[\"", "\"]}", MCP_URI_MAX, "every URI" },
		{ "subscriptions/listen", "\"notifications\":{\"taskIds\":[\"", "\"]}", MCP_TASK_MAX, "every id" },
		{ "tasks/get", "\"taskId\":\"", "\"", MCP_TASK_MAX, "params.taskId" },
	};
	static char text[8192], filler[4097];

	memset(filler, 'f', sizeof filler - 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (size_t n = cases[i].most; n <= cases[i].most + 1; n++) {
			snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{" META ",%s%.*s%s}}", cases[i].method, cases[i].before, (int)n, filler, cases[i].after);
			fault_is(text, n > cases[i].most ? MCP_INVALID_PARAMS : 0, cases[i].part);
		}
	}
	for (unsigned count = MCP_URIS_MAX; count <= MCP_URIS_MAX + 1; count++) {
		struct buf b = buf_on(text, sizeof text);

		BUF_LIT(&b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{" META ",\"notifications\":{\"resourceSubscriptions\":[\"u\"");
		for (unsigned i = 1; i < count; i++)
			BUF_LIT(&b, ",\"u\"");
		BUF_LIT(&b, "]}}}");
		buf_char(&b, '\0');
		fault_is(text, count > MCP_URIS_MAX ? MCP_INVALID_PARAMS : 0, "at most 64");
	}
}

/* ---- what a server says ---- */

static void replies(void)
{
	static const struct { const char *text; enum mcp_method method; bool good; } cases[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", MCP_TOOLS_LIST, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"complete\"}}", MCP_TOOLS_LIST, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"compl\\u0065te\"}}", MCP_LISTEN, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\"}}", MCP_TOOLS_CALL, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"task\",\"taskId\":\"t\"}}", MCP_TOOLS_CALL, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"task\"}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"task\",\"taskId\":7}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"task\",\"taskId\":\"t\"}}", MCP_PROMPTS_GET, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"task\",\"taskId\":\"t\"}}", MCP_TASKS_GET, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\"}}", MCP_PROMPTS_GET, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\"}}", MCP_RESOURCES_READ, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\"}}", MCP_TOOLS_LIST, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\"}}", MCP_COMPLETE, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\"}}", MCP_DISCOVER, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"task\"}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"Complete\"}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"\"}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":null}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":7}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"\"}}", MCP_TOOLS_CALL, true },
		{ "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":7,\"message\":\"m\",\"data\":[]}}", MCP_TOOLS_CALL, true },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"message\":\"m\"}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"-32602\",\"message\":\"m\"}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1.5,\"message\":\"m\"}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":null}}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":null}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"no\"}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", MCP_TOOLS_CALL, false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}", MCP_TOOLS_CALL, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mcp_fault f;

		ok(view_json(&j, cases[i].text) == JSON_OK && mcp_message_read(&m, &j).code == 0, "the message can be read");
		f = mcp_reply_check(&m, &j, cases[i].method);
		is_int(f.code, cases[i].good ? 0 : MCP_INVALID_REQUEST, cases[i].text);
		ok((f.text.n > 0) == !cases[i].good, "and says why not");
	}
}

#define SUB "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"l\"}"

static void events(void)
{
	static const struct { const char *text; bool good; } cases[] = {
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":2}}", true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}", true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{}," SUB "}}", true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{" SUB "}}", true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\",\"params\":{" SUB "}}", true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7}}}", true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"u\"," SUB "}}", true },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":7}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{}}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":null}}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":{}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"params\":{}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"notifications/progress\",\"params\":{}}", false },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		ok(view_json(&j, cases[i].text) == JSON_OK && mcp_message_read(&m, &j).code == 0, "the message can be read");
		is_int(mcp_event_check(&m, &j).code, cases[i].good ? 0 : MCP_INVALID_REQUEST, cases[i].text);
	}
}

/* ---- the specification's examples ---- */

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), k = strlen(tail);

	return n >= k && strcmp(s + n - k, tail) == 0;
}

/* The method that a ...ResultResponse answers. */
static enum mcp_method answered(const char *dir)
{
	static const struct { const char *dir; enum mcp_method method; } rows[] = {
		{ "CallTool", MCP_TOOLS_CALL }, { "Complete", MCP_COMPLETE }, { "Discover", MCP_DISCOVER }, { "GetPrompt", MCP_PROMPTS_GET },
		{ "ListPrompts", MCP_PROMPTS_LIST }, { "ListResourceTemplates", MCP_TEMPLATES_LIST }, { "ListResources", MCP_RESOURCES_LIST },
		{ "ListTools", MCP_TOOLS_LIST }, { "ReadResource", MCP_RESOURCES_READ }, { "SubscriptionsListen", MCP_LISTEN },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strncmp(dir, rows[i].dir, strlen(rows[i].dir)) == 0 && strcmp(dir + strlen(rows[i].dir), "ResultResponse") == 0)
			return rows[i].method;
	return MCP_UNKNOWN;
}

static unsigned seen[4];

static void example(const char *dir, const char *path)
{
	static char text[1 << 16];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(text, 1, sizeof text, f) : 0;
	struct mcp_fault fault;

	if (f)
		fclose(f);
	if (!ok(n > 0 && n < sizeof text && view_json_n(&j, text, n) == JSON_OK, path) || json_get(&j, JSON_ROOT, SPAN("jsonrpc")) == JSON_NONE)
		return;
	fault = mcp_message_read(&m, &j);
	if (fault.code == 0 && m.kind == MCP_REQUEST) {
		fault = mcp_request_meta(&m, &j);
		if (fault.code == 0)
			fault = mcp_request_params(&m, &j);
		ok(m.method < MCP_REQUESTS, "a request of the table");
	} else if (fault.code == 0 && m.kind == MCP_NOTIFICATION) {
		ok(m.method > MCP_REQUESTS && m.method < MCP_METHODS, "a notification of the table");
		if (m.method >= MCP_PROGRESS)
			fault = mcp_event_check(&m, &j);
	} else if (fault.code == 0) {
		ok(m.kind == MCP_ERROR || answered(dir) != MCP_UNKNOWN, "a reply to a request of the table");
		fault = mcp_reply_check(&m, &j, answered(dir));
	}
	seen[m.kind]++;
	if (!is_int(fault.code, 0, "is right"))
		diag("%s: %.*s", path, (int)fault.text.n, fault.text.p ? fault.text.p : "");
}

static void examples(void)
{
	const char *suites = getenv("SUITES");
	char root[512], path[2048];
	DIR *all, *one;

	snprintf(root, sizeof root, "%s/mcp-schema/2026-07-28-examples", suites ? suites : "../shared/suites");
	all = opendir(root);
	if (all == NULL) {
		skip(1, "no mcp-schema/2026-07-28-examples in SUITES");
		return;
	}
	for (struct dirent *d = readdir(all); d != NULL; d = readdir(all)) {
		/* Requests, replies, errors and notifications; the others are parts of messages. */
		if (!ends(d->d_name, "Request") && !ends(d->d_name, "ResultResponse") && !ends(d->d_name, "Error") && !ends(d->d_name, "Notification"))
			continue;
		snprintf(path, sizeof path, "%s/%s", root, d->d_name);
		one = opendir(path);
		for (struct dirent *e = one ? readdir(one) : NULL; e != NULL; e = readdir(one)) {
			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s/%s", root, d->d_name, e->d_name);
			example(d->d_name, path);
		}
		if (one)
			closedir(one);
	}
	closedir(all);
	ok(seen[MCP_REQUEST] >= 10 && seen[MCP_NOTIFICATION] >= 8 && seen[MCP_RESULT] >= 10 && seen[MCP_ERROR] >= 3, "there were examples of every kind");
}

int main(void)
{
	envelopes();
	ids();
	folded();
	metas();
	params();
	limits();
	replies();
	events();
	examples();
	return done_testing();
}
