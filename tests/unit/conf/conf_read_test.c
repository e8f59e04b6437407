/* What a right configuration becomes, and what conf_read() does at its own limits. */
#include "conf/conf.h"

#include <stdlib.h>

#include "page.h"
#include "tap.h"

static char said[64 * 1024];
static struct buf errors;
static void *arena;
static char *copy;
static size_t copy_len;

static bool read_text(struct conf *c, const char *text)
{
	size_t need = conf_arena_need(strlen(text));

	free(arena);
	if (copy != NULL)
		page_free(copy, copy_len);
	copy_len = strlen(text);
	copy = page_copy(text, copy_len);
	arena = malloc(need);
	errors = buf_on(said, sizeof said);
	return conf_read(c, SPAN("dir/f.json"), span_of(copy, copy_len), arena, need, &errors);
}

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), name);
}

#define BASE "\"listeners\":[{\"address\":\"127.0.0.1:8080\"}],\"mcpServers\":{\"docs\":{\"builtin\":\"files\",\"root\":\"docs\"}}"

static void defaults(void)
{
	struct conf c;

	ok(read_text(&c, "{" BASE "}"), "the smallest configuration");
	is_span(c.file, "dir/f.json", "its name");
	is_int(errors.n, 0, "nothing is said");
	is_int(c.workers, 0, "workers: one per core");
	is_int(c.nlisteners, 1, "one listener");
	is_int(c.listeners[0].address.family, 4, "IPv4");
	is_int(c.listeners[0].address.port, 8080, "port");
	is_span(c.listeners[0].path, "/mcp", "path");
	ok(!c.listeners[0].insecure && c.listeners[0].nhosts == 0 && c.listeners[0].norigins == 0, "nothing else on it");
	ok(!c.has_admin && c.admin.family == 0, "no admin listener");
	ok(!c.plain && !c.strict, "prefixed, not strict");
	is_int(c.nservers, 1, "one server");
	is_int(c.servers[0].kind, CONF_FILES, "files");
	is_span(c.servers[0].name, "docs", "name");
	is_span(c.servers[0].root, "docs", "root, as written");
	ok(span_absent(c.servers[0].prompts), "no prompts");
	is_int(c.servers[0].file_bytes_max, 1 << 20, "max_file");
	is_int(c.servers[0].line, 1, "line");
	is_int(c.servers[0].column, 59, "column");
	is_int(c.memory.connections, 1024, "connections");
	is_int(c.memory.requests, 128, "requests");
	is_int(c.memory.listens, 64, "listens");
	is_int(c.memory.large, 16, "large");
	is_int(c.memory.body, 256 << 10, "body");
	is_int(c.memory.reply, 2 << 20, "reply");
	is_int(c.memory.tokens, 65536, "tokens");
	is_int(c.memory.links, 128, "links");
	is_int(c.timeouts.head_ms, 5000, "head");
	is_int(c.timeouts.body_ms, 30000, "body");
	is_int(c.timeouts.idle_ms, 75000, "idle");
	is_int(c.timeouts.write_ms, 30000, "write");
	is_int(c.timeouts.drain_ms, 10000, "drain");
	is_int(c.timeouts.keepalive_ms, 15000, "keepalive");
}

static void everything(void)
{
	struct conf c;

	ok(read_text(&c, "{\"$schema\":\"s\",\"workers\":3,\n"
		"\"listeners\":[{\"address\":\"[::1]:0\",\"path\":\"/a\",\"hosts\":[\"gw.example\",\"gw.example:8443\"],\"origins\":[\"https://a.b\"]},\n"
		"{\"address\":\"0.0.0.0:81\",\"insecure\":true}],\"admin\":{\"address\":\"localhost:9090\"},\n"
		"\"strict\":true,\"names\":\"prefixed\",\n"
		"\"memory\":{\"connections\":9,\"requests\":8,\"listens\":7,\"large\":6,\"body\":\"64k\",\"reply\":\"1m\",\"tokens\":300,\"links\":5},\n"
		"\"timeouts\":{\"head\":\"500ms\",\"body\":\"2s\",\"idle\":\"3m\",\"write\":\"1h\",\"drain\":\"0ms\",\"keepalive\":\"20s\"},\n"
		"\"mcpServers\":{\"d\":{\"builtin\":\"files\",\"root\":\"\\/srv\\/d\\u00f6cs\",\"prompts\":\"../p\",\"hidden\":true,\"max_file\":2048},\n"
		"  \"up\":{\"url\":\"http://mcp.internal:3000/mcp?x=1\",\"address\":\"[2001:db8::5]:3001\",\"headers\":{\"X-A\":\"b c\",\"X-E\":\"\"},\n"
		"   \"connect_timeout\":\"1s\",\"idle_timeout\":\"2s\",\"call_timeout\":\"3s\"},\n"
		"  \"local\":{\"url\":\"http://localhost\"}, \"six\":{\"url\":\"http://[::1]:7?\",\"address\":\"127.0.0.1:7\"}}}") == false, "a query needs a path");
	is_span(buf_span(&errors), "dir/f.json:10:52: /mcpServers/six/url: found the string \"http://[::1]:7?\"; "
		"a path stands before the query: put a / before the ?\n", "and that is all that is wrong");
	ok(read_text(&c, "{\"$schema\":\"s\",\"workers\":3,\n"
		"\"listeners\":[{\"address\":\"[::1]:0\",\"path\":\"/a\",\"hosts\":[\"gw.example\",\"gw.example:8443\"],\"origins\":[\"https://a.b\"]},\n"
		"{\"address\":\"0.0.0.0:81\",\"insecure\":true}],\"admin\":{\"address\":\"localhost:9090\"},\n"
		"\"strict\":true,\"names\":\"prefixed\",\n"
		"\"memory\":{\"connections\":9,\"requests\":8,\"listens\":7,\"large\":6,\"body\":\"64k\",\"reply\":\"1m\",\"tokens\":300,\"links\":5},\n"
		"\"timeouts\":{\"head\":\"500ms\",\"body\":\"2s\",\"idle\":\"3m\",\"write\":\"1h\",\"drain\":\"0ms\",\"keepalive\":\"20s\"},\n"
		"\"mcpServers\":{\"d\":{\"builtin\":\"files\",\"root\":\"\\/srv\\/d\\u00f6cs\",\"prompts\":\"../p\",\"hidden\":true,\"max_file\":2048},\n"
		"  \"up\":{\"url\":\"http://mcp.internal:3000/mcp?x=1\",\"address\":\"[2001:db8::5]:3001\",\"headers\":{\"X-A\":\"b\\u0020c\",\"X-E\":\"\"},\n"
		"   \"connect_timeout\":\"1s\",\"idle_timeout\":\"2s\",\"call_timeout\":\"3s\"},\n"
		"  \"local\":{\"url\":\"http://localhost\"}, \"six\":{\"address\":\"127.0.0.1:7\",\"url\":\"http://[::1]:9\"}}}"), "every member");
	diag("%.*s", (int)errors.n, errors.p);
	is_int(c.workers, 3, "workers");
	is_int(c.nlisteners, 2, "two listeners");
	is_int(c.listeners[0].address.family, 6, "IPv6");
	is_span(c.listeners[0].address_text, "[::1]:0", "as written");
	is_span(c.listeners[0].path, "/a", "path");
	is_int(c.listeners[0].nhosts, 2, "hosts");
	is_span(c.listeners[0].hosts[1], "gw.example:8443", "a host");
	is_span(c.listeners[0].origins[0], "https://a.b", "an origin");
	ok(c.listeners[1].insecure, "insecure");
	is_span(c.listeners[1].path, "/mcp", "path of the second");
	ok(c.has_admin && addr_is_loopback(&c.admin) && c.admin.port == 9090, "admin");
	is_span(c.admin_text, "localhost:9090", "as written");
	ok(c.strict && !c.plain, "strict, prefixed");
	is_int(c.memory.connections, 9, "connections");
	is_int(c.memory.requests, 8, "requests");
	is_int(c.memory.listens, 7, "listens");
	is_int(c.memory.large, 6, "large");
	is_int(c.memory.body, 65536, "body");
	is_int(c.memory.reply, 1 << 20, "reply");
	is_int(c.memory.tokens, 300, "tokens");
	is_int(c.memory.links, 5, "links");
	is_int(c.timeouts.head_ms, 500, "head");
	is_int(c.timeouts.body_ms, 2000, "body");
	is_int(c.timeouts.idle_ms, 180000, "idle");
	is_int(c.timeouts.write_ms, 3600000, "write");
	is_int(c.timeouts.drain_ms, 0, "drain");
	is_int(c.timeouts.keepalive_ms, 20000, "keepalive");
	is_int(c.nservers, 4, "servers");
	is_span(c.servers[0].root, "/srv/d\xc3\xb6" "cs", "root, unescaped");
	is_span(c.servers[0].prompts, "../p", "prompts");
	ok(c.servers[0].hidden, "hidden");
	is_int(c.servers[0].file_bytes_max, 2048, "max_file");
	is_int(c.servers[1].kind, CONF_HTTP, "http");
	is_int(c.servers[1].line, 8, "line of a server");
	is_int(c.servers[1].column, 3, "column of a server");
	is_span(c.servers[1].url, "http://mcp.internal:3000/mcp?x=1", "url");
	is_span(c.servers[1].host, "mcp.internal:3000", "host");
	is_span(c.servers[1].path, "/mcp?x=1", "path and query");
	is_int(c.servers[1].address.family, 6, "the address given");
	is_int(c.servers[1].address.port, 3001, "and its port");
	is_int(c.servers[1].nheaders, 2, "headers");
	is_span(c.servers[1].headers[0].name, "X-A", "header name");
	is_span(c.servers[1].headers[0].value, "b c", "header value");
	is_span(c.servers[1].headers[1].value, "", "empty header value");
	is_int(c.servers[1].connect_ms, 1000, "connect_timeout");
	is_int(c.servers[1].idle_ms, 2000, "idle_timeout");
	is_int(c.servers[1].call_ms, 3000, "call_timeout");
	is_int(c.servers[2].address.port, 80, "default port");
	ok(addr_is_loopback(&c.servers[2].address), "localhost");
	is_span(c.servers[2].path, "/", "default path");
	is_span(c.servers[2].host, "localhost", "host");
	is_int(c.servers[2].connect_ms, 5000, "default connect_timeout");
	is_int(c.servers[2].idle_ms, 30000, "default idle_timeout");
	is_int(c.servers[2].call_ms, 60000, "default call_timeout");
	is_int(c.servers[3].address.port, 7, "an address given before the url holds");
	is_int(c.servers[3].address.family, 4, "and its family");
}

static void shrinking(void)
{
	struct conf c;

	ok(read_text(&c, "{" BASE ",\"memory\":{\"connections\":10}}"), "few connections");
	is_int(c.memory.requests, 10, "no more requests than connections");
	is_int(c.memory.listens, 10, "no more listens than connections");
}

static void limits(void)
{
	static char text[600 * 1024], name[5000];
	struct conf c;
	struct buf small, b = buf_on(text, sizeof text);
	size_t need, worst = 0;

	small = buf_on(said, 40);
	need = conf_arena_need(2);
	arena = realloc(arena, need);
	ok(!conf_read(&c, SPAN("f"), SPAN("[]"), arena, need, &small), "a buffer too small for the complaint");
	ok(small.full, "is full");
	ok(!conf_read(&c, SPAN("f"), SPAN("[]"), arena, need - 1, &errors), "an arena too small is refused");

	/* The densest documents: the most tokens that n bytes can hold. */
	for (size_t n = 1; n < 2000; n += 37) {
		buf_reset(&b);
		buf_char(&b, '[');
		for (size_t i = 0; i < n; i++)
			buf_put(&b, i == 0 ? SPAN("1") : SPAN(",1"));
		buf_char(&b, ']');
		text[b.n] = '\0';
		worst += read_text(&c, text) || memcmp(errors.p, "dir/f.json:1:1: found a list", 28) != 0;
	}
	is_int(worst, 0, "dense documents find room for their tokens");

	buf_reset(&b);
	buf_char(&b, '[');
	for (size_t i = 0; i < 20000; i++)
		BUF_LIT(&b, "1,");
	BUF_LIT(&b, "1]");
	text[b.n] = '\0';
	ok(!read_text(&c, text), "more values than any configuration has");
	is_span(buf_span(&errors), "dir/f.json:1:32768: more JSON values than are accepted in one document\n", "are refused with a reason");

	/* Strings that are all escapes, as many complaints as fit, names as long as they come. */
	buf_reset(&b);
	BUF_LIT(&b, "{" BASE);
	for (size_t i = 0; i < 300; i++) {
		BUF_LIT(&b, ",\"");
		for (size_t k = 0; k < 90; k++)
			BUF_LIT(&b, "\\u20ac\\/");
		buf_u64(&b, i);
		BUF_LIT(&b, "\":1");
	}
	BUF_LIT(&b, "}");
	text[b.n] = '\0';
	ok(!read_text(&c, text), "300 unknown members with long names");
	ok(!errors.full && errors.n > 20, "are said");
	worst = 0;
	for (size_t i = 0; i < errors.n; i++)
		worst += errors.p[i] == '\n';
	is_int(worst, CONF_ERRORS_MAX + 1, "as twenty lines and one that counts the rest");
	ok(memmem(errors.p, errors.n, "and 280 more\n", 13) != NULL, "which is right");

	memset(name, 'd', sizeof name);
	errors = buf_on(said, sizeof said);
	ok(!conf_read(&c, span_of(name, 4097), SPAN("{}"), arena, need, &errors), "a file name beyond any path");
	errors = buf_on(said, sizeof said);
	ok(!conf_read(&c, span_of(name, 4096), SPAN("{}"), arena, need, &errors), "the longest file name");
	ok(memmem(errors.p, errors.n, "\"listeners\" is missing", 22) != NULL && !errors.full, "leaves room for the complaint");
}

int main(void)
{
	defaults();
	everything();
	shrinking();
	limits();
	free(arena);
	page_free(copy, copy_len);
	return done_testing();
}
