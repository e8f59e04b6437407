#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "page.h"
#include "tap.h"
#include "base/text.h"
#include "wire/http_head.h"
#include "wire/http_write.h"

static char mem[4096];

static void heads(void)
{
	static const unsigned statuses[] = { 100, 200, 202, 204, 400, 401, 403, 404, 405, 406, 408, 409, 411, 413, 414, 415, 417, 421, 426,
		                             429, 431, 500, 501, 502, 503, 504, 505 };
	static struct http_head h;
	struct buf b = buf_on(mem, sizeof(mem));
	size_t where = 0;
	static const char want[] = "POST /mcp?a=%20 HTTP/1.1\r\nHost: a:1\r\nX: \r\nContent-Length: 18446744073709551615\r\n\r\n";

	http_write_post(&b, SPAN("/mcp?a=%20"));
	http_write_field(&b, SPAN("Host"), SPAN("a:1"));
	http_write_field(&b, SPAN("X"), SPAN(""));
	http_write_length(&b, UINT64_MAX);
	http_write_end(&b);
	is_mem(b.p, b.n, want, sizeof(want) - 1, "a request head");
	b = buf_on(mem, sizeof(mem));
	http_write_get(&b, SPAN("/jwks?a"));
	is_mem(b.p, b.n, "GET /jwks?a HTTP/1.1\r\n", 22, "a GET");
	b = buf_on(mem, sizeof(mem));
	http_write_delete(&b, SPAN("/mcp"));
	is_mem(b.p, b.n, "DELETE /mcp HTTP/1.1\r\n", 22, "a DELETE");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		b = buf_on(mem, sizeof(mem));
		http_write_status(&b, statuses[i]);
		http_write_length(&b, 0);
		http_write_end(&b);
		ok(http_response_read(&h, buf_span(&b), false, &where) == HTTP_OK && h.status == statuses[i], "our own reader reads each status");
	}
	/* One byte too little room at every length: nothing half-written counts as whole. */
	for (size_t cap = 0; cap < sizeof(want) - 1; cap++) {
		char *edge = page_copy(mem, cap);

		b = buf_on(edge, cap);
		http_write_post(&b, SPAN("/mcp?a=%20"));
		http_write_field(&b, SPAN("Host"), SPAN("a:1"));
		http_write_field(&b, SPAN("X"), SPAN(""));
		http_write_length(&b, UINT64_MAX);
		http_write_end(&b);
		if (!b.full)
			ok(false, "a head that does not fit is full");
		page_free(edge, cap);
	}
	ok(b.full, "a head that does not fit is full");
}

static void chunks(void)
{
	static const struct {
		size_t n;
		const char *want;
	} all[] = { { 1, "1\r\n" }, { 15, "f\r\n" }, { 16, "10\r\n" }, { 0x1f4, "1f4\r\n" }, { 0xdeadbeef, "deadbeef\r\n" },
		    { SIZE_MAX, sizeof(size_t) == 8 ? "ffffffffffffffff\r\n" : "ffffffff\r\n" } };
	struct buf b;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		b = buf_on(mem, sizeof(mem));
		http_write_chunk(&b, all[i].n);
		is_mem(b.p, b.n, all[i].want, strlen(all[i].want), all[i].want);
	}
	b = buf_on(mem, sizeof(mem));
	http_write_last_chunk(&b);
	is_mem(b.p, b.n, "0\r\n\r\n", 5, "the last chunk");
}

/* What must never be written ends the process before a byte is out. */
static void misuse(int which)
{
	static const struct {
		const char *name, *value;
	} bad[] = { { "", "a" }, { "X ", "a" }, { "X:", "a" }, { "X\r\nY", "a" }, { "X", "a\r\nY: b" }, { "X", "a\n" }, { "X", "\r" }, { "X", "\x7f" } };
	struct buf b = buf_on(mem, sizeof(mem));
	int fields = sizeof(bad) / sizeof(bad[0]);

	if (which < fields)
		http_write_field(&b, span_z(bad[which].name), span_z(bad[which].value));
	else if (which == fields)
		http_write_field(&b, SPAN("X"), SPAN("a\0b"));
	else if (which == fields + 1)
		http_write_status(&b, 299);
	else if (which == fields + 2)
		http_write_chunk(&b, 0);
	else if (which == fields + 3)
		http_write_post(&b, SPAN("/a b"));
	else if (which == fields + 4)
		http_write_post(&b, SPAN("http://a/"));
	else if (which == fields + 5)
		http_write_post(&b, SPAN("/a\r\nX: b"));
	else if (which == fields + 6)
		http_write_get(&b, SPAN("/a\nb"));
	else
		http_write_post(&b, SPAN(""));
}

static void bugs(void)
{
	for (int which = 0; which <= 15; which++) {
		int status = 0;
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			struct rlimit no_core = { 0, 0 };

			setrlimit(RLIMIT_CORE, &no_core);
			signal(SIGILL, SIG_DFL);
			signal(SIGTRAP, SIG_DFL);
			misuse(which);
			_exit(0);
		}
		ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "a broken contract is a crash");
	}
}

static void mcp_values(void)
{
	static const struct {
		const char *plain, *header;
	} both[] = { { "read_file", "read_file" }, { "two words", "two words" }, { "~ !", "~ !" }, { "", "=?base64?" "?=" }, { " a", "=?base64?IGE=?=" },
		     { "a ", "=?base64?YSA=?=" }, { "\ta", "=?base64?CWE=?=" }, { "a\tb", "=?base64?YQli?=" }, { "a\r\nb", "=?base64?YQ0KYg==?=" },
		     { "\xc3\xbc" "bersicht", "=?base64?w7xiZXJzaWNodA==?=" }, { "=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?=" },
		     { "=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?=" }, { "=?base64?", "=?base64?" }, { "x?=", "x?=" }, { "=?BASE64?eA==?=", "=?BASE64?eA==?=" },
		     { "\x7f", "=?base64?fw==?=" }, { "a\xf0\x9f\x98\x80", "=?base64?YfCfmIA=?=" } };
	static const char *const bad[] = { "=?base64?YQ?=", "=?base64?YQ=?=", "=?base64?YQ==\x20?=", "=?base64?YR==?=", "=?base64?-_-_?=", "=?base64?=?=",
		                           "=?base64?=", "=?base64?////?=", "=?base64?7aCA?=", "=?base64?wK8=?=", "=?base64?YQ==YQ==?=", "a\tb", "\xc3\xbc",
		                           "a\x7f", "=?base64?\xc3\xbc?=", "\x01" };
	struct buf b, out;

	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		char *edge = page_str(both[i].plain);
		struct span value;

		b = buf_on(mem, sizeof(mem));
		http_write_mcp_value(&b, span_of(edge, strlen(both[i].plain)));
		is_mem(b.p, b.n, both[i].header, strlen(both[i].header), both[i].header);
		page_free(edge, strlen(both[i].plain));
		edge = page_str(both[i].header);
		value = span_of(edge, strlen(both[i].header));
		out = buf_on(mem + 2048, value.n);
		is_int(http_read_mcp_value(value, &out), MCP_VALUE_OK, "  is read");
		is_mem(out.p, out.n, both[i].plain, strlen(both[i].plain), "  as it was");
		page_free(edge, value.n);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *edge = page_str(bad[i]);

		out = buf_on(mem, sizeof(mem));
		BUF_LIT(&out, "kept");
		is_int(http_read_mcp_value(span_of(edge, strlen(bad[i])), &out), MCP_VALUE_BAD, bad[i]);
		is_mem(out.p, out.n, "kept", 4, "  leaves what was there");
		page_free(edge, strlen(bad[i]));
	}
	out = buf_on(mem, sizeof(mem));
	ok(http_read_mcp_value(SPAN(""), &out) == MCP_VALUE_OK && out.n == 0, "an empty value is an empty string");
	ok(http_read_mcp_value(SPAN("=?base64?YQA=?="), &out) == MCP_VALUE_OK && out.n == 2 && out.p[1] == '\0', "NUL travels encoded");
	out = buf_on(mem, 3);
	is_int(http_read_mcp_value(SPAN("four"), &out), MCP_VALUE_BAD, "no room is no value");
	b = buf_on(mem, 10);
	http_write_mcp_value(&b, SPAN("\xc3\xbc"));
	ok(b.full, "no room is full");
}

int main(void)
{
	heads();
	chunks();
	bugs();
	mcp_values();
	return done_testing();
}
