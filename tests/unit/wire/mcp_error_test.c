/* wire/mcp_error: what is written is a JSON-RPC error, whatever the texts hold. */
#include "wire/mcp_error.h"

#include "tap.h"
#include "view.h"

#define NOTHING { NULL, 0 }

static const struct {
	struct span id;
	struct mcp_fault fault;
	const char *want;
} cases[] = {
	{ NOTHING, { MCP_PARSE_ERROR, 400, { "bad", 3 }, NOTHING, NOTHING }, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"bad\"}}" },
	{ { "7", 1 }, { MCP_HEADER_MISMATCH, 400, { "missing", 7 }, { "Mcp-Name", 8 }, NOTHING },
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32020,\"message\":\"missing: Mcp-Name\"}}" },
	{ { "\"a\\n\"", 5 }, { MCP_UNSUPPORTED_VERSION, 400, { "v", 1 }, NOTHING, { "{\"supported\":[]}", 16 } },
		"{\"jsonrpc\":\"2.0\",\"id\":\"a\\n\",\"error\":{\"code\":-32022,\"message\":\"v\",\"data\":{\"supported\":[]}}}" },
	{ { "-0", 2 }, { MCP_METHOD_NOT_FOUND, 404, { "no", 2 }, { "", 0 }, NOTHING }, "{\"jsonrpc\":\"2.0\",\"id\":-0,\"error\":{\"code\":-32601,\"message\":\"no: \"}}" },
	{ { "1", 1 }, { MCP_INVALID_PARAMS, 400, { "no such tool", 12 }, { "a\"\\\n\x01", 5 }, NOTHING },
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602,\"message\":\"no such tool: a\\\"\\\\\\n\\u0001\"}}" },
};

int main(void)
{
	char mem[1024];
	struct json j;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t n = strlen(cases[i].want);
		struct buf b = buf_on(mem, sizeof mem);
		bool sticky = true;

		mcp_error_write(&b, cases[i].id, &cases[i].fault);
		is_mem(mem, b.n, cases[i].want, n, cases[i].want);
		ok(view_json_n(&j, mem, b.n) == JSON_OK, "it is JSON");
		for (size_t cap = 0; cap < n; cap++) {
			b = buf_on(mem, cap);
			mcp_error_write(&b, cases[i].id, &cases[i].fault);
			sticky = sticky && b.full && b.n <= cap;
		}
		ok(sticky, "with less room it says so");
	}

	/* A header's bytes may be anything that is no control. */
	struct mcp_fault f = { MCP_HEADER_MISMATCH, 400, SPAN("text"), SPAN("\xff\xfe x \xc3\xbc"), NOTHING };
	struct buf b = buf_on(mem, sizeof mem);

	mcp_error_write(&b, SPAN("1"), &f);
	ok(view_json_n(&j, mem, b.n) == JSON_OK, "bytes that are no UTF-8 do not get out");
	return done_testing();
}
