/* The MCP side of `files`: envelope, definitions, resources, reading; links that lie. */
#include "kit.h"

static void tree(void)
{
	make_dir("docs");
	put("docs/guide.md", "# Guide\nRead me.\n");
	put("docs/a b\xC3\xBC.txt", "blank and umlaut\n");
	put_bytes("bin.dat", "\xFF\x00\x01", 3);
	put("zeta.txt", "line 1\nline 2\nline 3\n");
	put(".secret", "no\n");
	make_dir(".git");
	put(".git/config", "no\n");
	put_bytes("bad\xFF.txt", "x", 1);
	if (symlink("/etc/passwd", at("link")) || symlink(".", at("docs/loop")) || symlink("zeta.txt", at("docs/../inner")) ||
	    mkfifo(at("fifo"), 0644))
		die("links");
	put("denied.txt", "no\n");
	if (chmod(at("denied.txt"), 0) != 0)
		die("chmod");
}

static void envelope(void)
{
	const char *a = ask("server/discover", "");

	ok(has(a, "\"resultType\":\"complete\"") && has(a, "\"supportedVersions\":[\"2026-07-28\"]"), "discover");
	ok(has(a, "\"resources\":{\"subscribe\":true}") && has(a, "\"tools\":{}") && has(a, "\"completions\":{}"), "capabilities");
	ok(!strstr(a, "\"prompts\""), "no prompts capability without a folder");
	ok(has(a, "\"ttlMs\":") && has(a, "\"cacheScope\":\"private\"") && has(a, "\"version\":\"9.9\""), "cache and serverInfo");
	ok(has(ask("prompts/list", ""), "-32601"), "prompts/list without a folder");
	ok(has(ask("ping", ""), "-32601"), "a method that is gone");
	kit_say(0, "not json");
	ok(has(kit_next(0), "-32700") && !strstr(kit_line, "\"id\""), "garbage");
	kit_say(0, "[]");
	ok(has(kit_next(0), "-32600"), "a batch");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/list\"}");
	ok(has(kit_next(0), "\"id\":\"x\"") && has(kit_line, "-32602"), "no _meta");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":\"q\\\"\",\"method\":\"tools/list\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/"
		"protocolVersion\":\"2030-01-01\",\"io.modelcontextprotocol/clientCapabilities\":{}}}}");
	ok(has(kit_next(0), "\"id\":\"q\\\"\"") && has(kit_line, "-32022") &&
	    has(kit_line, "\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"2030-01-01\"}"), "another version");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unheard\"}");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}");
	kit_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":99}}");
	ok(kit_silent(0, 3), "unknown notifications, responses and cancels are not answered");
}

static void resources(void)
{
	const char *a = ask("resources/list", "");
	const char *docs = strstr(a, "files://docs/bin.dat"), *guide = strstr(a, "files://docs/docs/guide.md");

	ok(docs && guide && docs < guide, "byte order, depth first");
	ok(has(a, "\"uri\":\"files://docs/docs/a%20b%C3%BC.txt\",\"name\":\"docs/a b\xC3\xBC.txt\",\"mimeType\":\"text/plain\",\"size\":17,"
		"\"annotations\":{\"lastModified\":\"20"), "a resource, percent-encoded");
	ok(!strstr(a, "secret") && !strstr(a, ".git") && !strstr(a, "link") && !strstr(a, "loop") && !strstr(a, "inner") &&
	    !strstr(a, "fifo") && !strstr(a, "bad"), "hidden, links, FIFO, bad names are not listed");
	ok(!strstr(a, "nextCursor"), "one page");
	ok(has(ask("resources/list", "\"cursor\":\"\""), "-32602") && has(ask("resources/list", "\"cursor\":\"Li4v\""), "-32602") &&
	    has(ask("resources/list", "\"cursor\":\"%%%\""), "-32602"), "cursors of nobody");
	a = ask("resources/templates/list", "");
	ok(has(a, "\"uriTemplate\":\"files://docs/{+path}\"") && has(a, "\"ttlMs\""), "the template");

	a = ask("resources/read", "\"uri\":\"files://docs/docs/guide.md\"");
	ok(has(a, "\"contents\":[{\"uri\":\"files://docs/docs/guide.md\",\"mimeType\":\"text/markdown\",\"text\":\"# Guide\\nRead me.\\n\"}]") &&
	    has(a, "\"ttlMs\":0"), "text");
	a = ask("resources/read", "\"uri\":\"files://docs/bin.dat\"");
	ok(has(a, "\"mimeType\":\"application/octet-stream\",\"blob\":\"/wAB\"}]"), "binary");
	ok(has(ask("resources/read", "\"uri\":\"files://docs/docs/a%20b%c3%bc.txt\""), "blank and umlaut"), "another spelling");
	{
		static const char *const missing[] = {
			"files://docs/none", "files://docs/docs", "files://docs/", "files://docs", "files://other/zeta.txt", "file:///etc/passwd",
			"files://docs/../etc/passwd", "files://docs/docs/../zeta.txt", "files://docs/%2e%2e/x", "files://docs/docs%2fguide.md",
			"files://docs//zeta.txt", "files://docs/zeta.txt/", "files://docs/zeta.txt%00", "files://docs/zeta.txt%", "files://docs/%zz",
			"files://docs/zeta.txt?x", "files://docs/zeta.txt#x", "files://docs/.secret", "files://docs/.git/config",
			"files://docs/link", "files://docs/inner", "files://docs/docs/loop/guide.md", "files://docs/fifo",
			"files://docs/bad%FF.txt", "files://docs/a b", "FILES://docs/zeta.txt",
		};

		for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
			char params[256], data[256];

			snprintf(params, sizeof params, "\"uri\":\"%s\"", missing[i]);
			snprintf(data, sizeof data, "\"data\":{\"uri\":\"%s\"}", missing[i]);
			a = ask("resources/read", params);
			ok(has(a, "-32602") && has(a, data), missing[i]);
		}
	}
	if (geteuid() == 0)
		skip(1, "root reads everything");
	else
		ok(has(ask("resources/read", "\"uri\":\"files://docs/denied.txt\""), "-32602"), "not readable");
}

static void limits(void)
{
	char *big = malloc(1 << 20);
	const char *a;

	memset(big, 'x', 1 << 20);
	put_bytes("big.txt", big, 1 << 20);
	put_bytes("bigger.txt", big, (1 << 20) - 1);
	if (truncate(at("bigger.txt"), (1 << 20) + 1) != 0)
		die("truncate");
	a = ask("resources/read", "\"uri\":\"files://docs/big.txt\"");
	ok(strlen(a) > 1 << 20 && has(a + strlen(a) - 200, "\"cacheScope\""), "a file of the limit");
	a = ask("resources/read", "\"uri\":\"files://docs/bigger.txt\"");
	ok(has(a, "-32602") && has(a, "\"data\":{\"uri\":\"files://docs/bigger.txt\",\"size\":1048577,\"limit\":1048576}"), "one byte more");
	memset(big, 1, 1 << 20);
	put_bytes("control.txt", big, 1 << 20);
	a = ask("resources/read", "\"uri\":\"files://docs/control.txt\"");
	ok(has(a, "-32602") && has(a, "\"limit\":2097152"), "text whose escapes are over the reply limit");
	free(big);
	unlink(at("big.txt"));
	unlink(at("bigger.txt"));
	unlink(at("control.txt"));
}

static void links(void)
{
	static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"file_info\",\"arguments\":"
		"{\"path\":\"zeta.txt\"}," META "}}\n";
	char *line;

	for (size_t i = 0; i < sizeof request - 1; i++) {
		kit_send(0, request + i, 1);
		kit_turn(0);
	}
	ok(has(kit_next(0), "\"id\":7,\"result\""), "a line byte by byte");
	kit_send(0, request, sizeof request - 1);
	kit_send(1, request, sizeof request - 1);
	ok(has(kit_next(0), "\"id\":7,") && has(kit_next(1), "\"id\":7,"), "equal ids on two links");
	line = malloc(200001);
	memset(line, 'a', 200000);
	line[200000] = 0;
	kit_say(0, line);
	ok(has(kit_next(0), "-32600"), "a line over the limit");
	ok(has(call("file_info", "{\"path\":\"zeta.txt\"}"), "\"size\\\":21"), "and the link lives on");
	free(line);
	kit_send(0, request, 20);
	kit_turn(0);
	kit_connect(0);
	ok(has(call("file_info", "{\"path\":\"zeta.txt\"}"), "\"size\":21"), "a new link forgets the old one's half line");
	close(kit_fd[0]);
	kit_fd[0] = -1;
	kit_turn(0);
	ok(has(ask_on(1, "tools/list", ""), "list_files"), "one link ends, the other goes on");
	kit_connect(0);
	ok(has(ask("server/discover", ""), "complete"), "and comes back");
}

/* A worker that asks and does not read must not hold up another, and gets all in the end. */
static void congestion(void)
{
	char *big = malloc(300000);
	unsigned answers = 0;
	size_t before;

	memset(big, 'y', 300000);
	put_bytes("y.txt", big, 300000);
	free(big);
	for (unsigned i = 0; i < 40; i++) {
		char text[512];

		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":\"c%u\",\"method\":\"resources/read\",\"params\":{\"uri\":\"files://docs/y.txt\","
			META "}}\n", i);
		if (sock_write(kit_fd[0], text, strlen(text)) != (long)strlen(text))
			die("congestion");
	}
	/* Turns without reading link 0. */
	for (unsigned i = 0; i < 50; i++) {
		loop_wait(&kit_loop, 0);
		files_tick(kit_files);
	}
	before = kit_in_n[0];
	{
		static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}\n";
		bool got = false;

		if (sock_write(kit_fd[1], request, sizeof request - 1) < 0)
			die("write");
		for (unsigned i = 0; i < 50 && !got; i++) {
			loop_wait(&kit_loop, 0);
			files_tick(kit_files);
			kit_take(1);
			got = memchr(kit_in[1], '\n', kit_in_n[1]) != NULL;
		}
		ok(got && before == 0, "another link is served meanwhile");
		kit_next(1);
	}
	while (answers < 40 && has(kit_next(0), "\"text\":\"yyyy")) {
		char want[32];

		snprintf(want, sizeof want, "\"id\":\"c%u\"", answers);
		if (!has(kit_line, want))
			break;
		answers++;
	}
	is_int(answers, 40, "all 40 answers come once it reads");
	unlink(at("y.txt"));
}

/* Requests with bytes changed, cut and doubled at random: whatever comes back, the link serves on and each answer is one line of JSON. */
static void garbage(void)
{
	static const char *const requests[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"read_file\",\"arguments\":{\"path\":\"zeta.txt\",\"offset\":3},"
			META "}}",
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/read\",\"params\":{\"uri\":\"files://docs/docs/a%20b%C3%BC.txt\"," META "}}",
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"resources/list\",\"params\":{\"cursor\":\"ZG9jcw==\"," META "}}",
		"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{\"name\":\"search_text\",\"arguments\":{\"query\":\"line\",\"context\":2},"
			META_TOKEN("4") "}}",
		"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{\"resourceSubscriptions\":"
			"[\"files://docs/zeta.txt\"]}," META "}}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":5}}",
		"{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/resource\",\"uri\":"
			"\"files://docs/{+path}\"},\"argument\":{\"name\":\"path\",\"value\":\"docs/\"}," META "}}",
	};
	uint32_t x = 20;
	bool right = true;

	for (unsigned i = 0; i < 4000; i++) {
		char text[1024];
		const char *from = requests[i % (sizeof requests / sizeof requests[0])];
		size_t n = strlen(from);

		memcpy(text, from, n);
		for (unsigned k = 0; k < 3; k++) {
			x = x * 1664525 + 1013904223;
			text[(x >> 8) % n] = "\"\\{}[]:,0/%.-e\0\xFF\x80 zu"[x >> 27 & 15];
			if (x >> 20 == 0)
				n /= 2;
		}
		text[n++] = '\n';
		kit_send(0, text, n);
		while (memchr(kit_in[0], '\n', kit_in_n[0])) {
			kit_next(0);
			right = right && kit_line[0] == '{' && kit_line[strlen(kit_line) - 1] == '}';
		}
	}
	ok(right, "every answer to garbage is an object");
	kit_connect(0);
	ok(has(call("file_info", "{\"path\":\"zeta.txt\"}"), "\"size\":21"), "and serving goes on");
}

static void hidden(void)
{
	struct files_settings s = kit_settings;

	s.hidden = true;
	kit_start(s);
	ok(has(ask("resources/list", ""), "files://docs/.git/config"), "hidden files are listed when asked for");
	ok(has(ask("resources/read", "\"uri\":\"files://docs/.secret\""), "\"text\":\"no\\n\""), "and read");
	ok(has(ask("resources/read", "\"uri\":\"files://docs/./zeta.txt\""), "-32602") &&
	    has(ask("resources/read", "\"uri\":\"files://docs/docs/..\""), "-32602"), "but dots are still no names");
}

int main(void)
{
	kit_tree();
	tree();
	kit_start(kit_defaults());
	envelope();
	resources();
	limits();
	links();
	congestion();
	garbage();
	hidden();
	kit_clear();
	return done_testing();
}
