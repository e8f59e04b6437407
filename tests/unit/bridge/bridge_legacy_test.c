/* A legacy upstream: how its era is found, and what is translated on the way there and back. */
#include "kit.h"

static void probe(void)
{
	const char *m;

	kit_begin(BRIDGE_AUTO);
	ok(kit_starts[0] == 0, "nothing is started before it is needed");
	ask_as(0, "1", "server/discover", META);
	is_int(kit_starts[0], 1, "the first call starts it");
	bridge_peer_up(kit, 0);
	m = peer_next(0);
	ok(has(m, "\"method\":\"server/discover\"") && has(m, "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\""), "it is asked in today's words first");
	peer_answer(0, kit_id, "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}");
	m = peer_next(0);
	ok(has(m, "\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"postern\",\"version\":\"9.9\"}}") &&
	    kit_what == BRIDGE_INITIALIZE && kit_version[0] == 0, "an error means legacy");
	peer_answer(0, kit_id, INIT_RESULT("2025-06-18", OLD_CAPS));
	ok(has(peer_next(0), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}") && kit_what == BRIDGE_INITIALIZED, "initialized");
	is_str(kit_version, "2025-06-18", "with the revision it chose");
	m = next(0);
	ok(has(m, "\"id\":1,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"completions\":{},\"logging\":{},\"prompts\":{},"
	    "\"resources\":{\"subscribe\":true,\"listChanged\":true},\"tools\":{\"listChanged\":true}},\"instructions\":\"Be kind.\",\"ttlMs\":7000,\"cacheScope\":\"private\","
	    "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"srv\",\"version\":\"1.2\",\"title\":\"A server\"}}}"), "discover, from what it said");
	ok(span_eq(bridge_known(kit), SPAN("legacy 2025-06-18")), "known");

	kit_begin(BRIDGE_AUTO);
	ask_as(0, "1", "server/discover", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
	ok(has(peer_next(0), "\"method\":\"server/discover\"") && span_eq(bridge_known(kit), SPAN("modern")), "a DiscoverResult means modern, and the call goes there");

	kit_begin(BRIDGE_AUTO);
	ask_as(0, "1", "server/discover", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":{\"supported\":[\"2025-11-25\"],\"requested\":\"x\"}}");
	ok(has(peer_next(0), "initialize"), "-32022 with nothing but old revisions");
	peer_answer(0, kit_id, "\"error\":{\"code\":-32602,\"message\":\"no\\u001b[31m\",\"data\":{\"supported\":[\"2026-07-28\"]}}");
	ok(span_eq(bridge_known(kit), SPAN("modern")) && has(peer_next(0), "server/discover"), "initialize refused by one that speaks ours after all");
}

static void silence(void)
{
	uint64_t asked;

	kit_begin(BRIDGE_AUTO);
	ask_as(0, "1", "server/discover", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	asked = kit_id;
	pass(999);
	ok(peer_quiet(0), "some time to answer");
	pass(2);
	ok(has(peer_next(0), "initialize"), "silence means legacy");
	peer_answer(0, kit_id, INIT_RESULT("2025-03-26", "{\"tools\":{}}"));
	(void)peer_next(0);
	ok(has(next(0), "\"capabilities\":{\"tools\":{}}") && kit_stops[0] == 0, "and goes on");
	peer_answer(0, asked, "\"error\":{\"code\":-32601,\"message\":\"late\"}");
	ok(quiet(0) && kit_stops[0] == 0, "the late answer is nothing");

	kit_begin(BRIDGE_AUTO);
	ask_as(0, "1", "server/discover", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	asked = kit_id;
	pass(1001);
	(void)peer_next(0);
	peer_answer(0, asked, "\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
	ok(kit_stops[0] == 1 && kit_starts[0] == 2, "only slow, and modern: begun anew");
	bridge_peer_up(kit, 0);
	(void)bridge_tick(kit);
	ok(has(peer_next(0), "\"method\":\"server/discover\"") && quiet(0), "and the call goes there");

	kit_begin(BRIDGE_AUTO);
	ask_as(0, "1", "server/discover", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	bridge_peer_down(kit, 0, SPAN("ended"));
	(void)bridge_tick(kit);
	ok(kit_starts[0] == 2 && quiet(0), "one that ends at the question is started again");
	bridge_peer_up(kit, 0);
	ok(has(peer_next(0), "initialize"), "and not asked again");
	bridge_peer_down(kit, 0, SPAN("ended"));
	(void)bridge_tick(kit);
	ok(has(next(0), "Upstream \\\"old\\\" ended"), "if that ends it too, it does not run");
}

static void start_fails(void)
{
	kit_begin(BRIDGE_LEGACY);
	ask_as(0, "1", "tools/list", META);
	pass(5001);
	ok(has(next(0), "did not start in time") && kit_stops[0] == 1, "not up in time");
	ask_as(0, "2", "tools/list", META);
	ok(kit_starts[0] == 2 && quiet(0), "the next call tries again at once");
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32000,\"message\":\"go away\"}");
	ok(has(next(0), "\"id\":2,") && kit_stops[0] == 2, "initialize refused");
	ask_as(0, "3", "tools/list", META);
	ok(has(next(0), "is not running, and is tried again within half a minute; the last time it refused to begin a conversation") && kit_starts[0] == 2, "then not at once, and why is said");
	pass(1001);
	ask_as(0, "4", "tools/list", META);
	is_int(kit_starts[0], 3, "but a second later");
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, INIT_RESULT("2023-01-01", OLD_CAPS));
	ok(has(next(0), "speaks a revision of the protocol that is not spoken here") && kit_stops[0] == 3, "a revision that is none");
	pass(2001);
	ask_as(0, "5", "tools/list", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	bridge_peer_failed(kit, 0, kit_id, SPAN("cannot be reached"));
	ok(has(next(0), "cannot be reached"), "HTTP: initialize came to nothing");
	pass(60000);
	ask_as(0, "6", "tools/list", META);
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	ok(has(peer_next(0), "tools/list"), "and in the end it runs");
	for (int i = 0; i < 8; i++) { /* one that dies of each call */
		pass(i == 0 ? 0 : 31000);
		if (i > 0) {
			ask_as(0, "7", "tools/list", META);
			legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
			(void)peer_next(0);
		}
		bridge_peer_down(kit, 0, SPAN("ended"));
		if (!has(next(0), "Upstream \\\"old\\\" ended"))
			break;
	}
	ask_as(0, "8", "tools/list", META);
	ok(has(next(0), "is not running"), "one that dies soon after every start is left alone for a while");
	is_int((long)bridge_counted(kit)->requests, (long)bridge_counted(kit)->answers, "all were answered");
}

static void requests(void)
{
	const char *m;

	legacy_begin();
	ask_as(0, "\"a\"", "tools/call", "\"name\":\"t\",\"arguments\":{\"x\": 1},\"requestState_\":0," META_OF("{}", TOKEN("\"tok\"") ",\"traceparent\":\"00-0-0-0\",\"postern/call\":1"));
	m = peer_next(0);
	ok(has(m, "\"params\":{\"name\":\"t\",\"arguments\":{\"x\": 1},\"requestState_\":0,\"_meta\":{\"traceparent\":\"00-0-0-0\",\"progressToken\":") &&
	    hasnt(m, "modelcontextprotocol") && hasnt(m, "postern"), "params without what is of today");
	is_str(kit_version, "2025-11-25", "its revision");
	{
		char text[200];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":1,\"total\":2}}", (unsigned long long)kit_id);
		peer_say(0, text);
	}
	ok(has(next(0), "{\"progress\":1,\"total\":2,\"progressToken\":\"tok\"}"), "progress");
	peer_answer(0, kit_id, "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"isError\":false,\"resultType\":\"weird\",\"ttlMs\":5,\"_meta\":{\"a\":1,\"io.modelcontextprotocol/related-task\":{},\"postern/x\":1}}");
	ok(has(next(0), "wrong shape"), "a resultType that is none");
	ask_as(0, "\"b\"", "tools/call", "\"name\":\"t\"," META);
	ok(hasnt(peer_next(0), "_meta"), "no _meta if nothing is in it");
	peer_answer(0, kit_id, "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"isError\":false,\"_meta\":{\"a\":1,\"io.modelcontextprotocol/related-task\":{},\"postern\\/x\":1}}");
	ok(has(next(0), "\"id\":\"b\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"isError\":false,\"resultType\":\"complete\",\"_meta\":{\"a\":1,"
	    "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"srv\",\"version\":\"1.2\"}}}}"), "a result");
	ask_as(0, "3", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{\"structuredContent\":{\"n\":1}}");
	ok(has(next(0), "\"structuredContent\":{\"n\":1},\"content\":[],\"resultType\":\"complete\""), "content is made if it is missing");
	ask_as(0, "4", "tools/list", "\"cursor\":\"c1\"," META);
	ok(has(peer_next(0), "\"params\":{\"cursor\":\"c1\"}"), "a cursor");
	peer_answer(0, kit_id, "\"result\":{\"tools\":[{\"name\":\"t\",\"execution\":{\"taskSupport\":\"optional\"},\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A b\"},\"b\":{}}}},"
	    "7,{\"name\":\"u\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\",\"x-mcp-header\":\"C\"}}}}],\"nextCursor\":\"\"}");
	ok(has(next(0), "{\"nextCursor\":\"\",\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{}}}},"
	    "{\"name\":\"u\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\",\"x-mcp-header\":\"C\"}}}}],\"resultType\":\"complete\",\"ttlMs\":7000,\"cacheScope\":\"private\""), "a list of tools");
	ask_as(0, "5", "prompts/list", META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{\"prompts\":[],\"ttlMs\":99,\"cacheScope\":\"public\"}");
	ok(has(next(0), "{\"prompts\":[],\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\""), "one whose changes are not announced");
	ask_as(0, "6", "resources/read", "\"uri\":\"mem://a\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32002,\"message\":\"gone\",\"data\":{\"uri\":\"mem://a\"}}");
	ok(has(next(0), "\"error\":{\"code\":-32602,\"message\":\"gone\",\"data\":{\"uri\":\"mem://a\"}}"), "-32002");
	ask_as(0, "7", "resources/read", "\"uri\":\"mem://a\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{\"contents\":[{\"uri\":\"mem://a\",\"text\":\"x\"}]}");
	ok(has(next(0), "\"ttlMs\":0,\"cacheScope\":\"private\""), "a resource is as old as it is");
	ask_as(0, "8", "prompts/get", "\"name\":\"p\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32001,\"message\":\"mine\",\"data\":[1]}");
	ok(has(next(0), "\"error\":{\"code\":-32603,\"message\":\"mine\",\"data\":{\"upstream\":\"old\",\"code\":-32001,\"data\":[1]}}"), "codes of its own");
	ask_as(0, "9", "prompts/get", "\"name\":\"p\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32021,\"message\":\"mine\"}");
	ok(has(next(0), "\"error\":{\"code\":-32603,\"message\":\"mine\",\"data\":{\"upstream\":\"old\",\"code\":-32021}}"), "codes that mean something only today");
	ask_as(0, "9", "prompts/get", "\"name\":\"p\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32021,\"message\":\"mine\",\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}");
	ok(has(next(0), "\"error\":{\"code\":-32021,\"message\":\"mine\",\"data\":{\"requiredCapabilities\""), "but the one that says the same");
	ask_as(0, "10", "prompts/get", "\"name\":\"p\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":17,\"message\":\"app\"}");
	ok(has(next(0), "\"error\":{\"code\":17,\"message\":\"app\"}"), "others pass");
	ask_as(0, "11", "completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"a\",\"value\":\"\"},\"context\":{}," META);
	ok(has(peer_next(0), "\"context\":{}"), "completion with its context");
	peer_answer(0, kit_id, "\"result\":{\"completion\":{\"values\":[]}}");
	ok(has(next(0), "\"resultType\":\"complete\",\"_meta\""), "and no hints for caches");
	ask_as(0, "12", "resources/templates/list", META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{}");
	ok(has(next(0), "wrong shape"), "a list that is none");
	ask_as(0, "13", "tools/list", META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":[]");
	ok(has(next(0), "wrong shape"), "a result that is none");
	{
		char *big = malloc(66000);
		ask_as(0, "14", "tools/call", "\"name\":\"t\"," META);
		(void)peer_next(0);
		memset(big, 'a', 66000);
		memcpy(big, "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"", 44);
		strcpy(big + 65200, "\"}]}");
		peer_answer(0, kit_id, big);
		ok(strlen(next(0)) > 65200, "a result of the limit");
		free(big);
	}
	ok(bridge_counted(kit)->answers == bridge_counted(kit)->requests && quiet(0), "each once");
}

static void versions(void)
{
	kit_begin(BRIDGE_LEGACY);
	ask_as(0, "1", "completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"a\",\"value\":\"\"},\"context\":{}," META);
	legacy_up(0, INIT_RESULT("2025-03-26", "{\"tools\":{},\"logging\":{}}"));
	ok(hasnt(peer_next(0), "context"), "2025-03-26 knows no context");
	{
		char text[400];
		uint64_t id = kit_id;
		ask_as(0, "2", "tools/call", "\"name\":\"t\"," META);
		(void)peer_next(0);
		snprintf(text, sizeof text, "[{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"completion\":{\"values\":[]}}},[],7,\n{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"content\":[]}}]",
		    (unsigned long long)id, (unsigned long long)kit_id);
		peer_say(0, text);
		ok(has(next(0), "\"id\":1,") && has(next(0), "\"id\":2,"), "it may send a batch");
	}
	ask_as(0, "3", "prompts/list", META);
	ok(has(next(0), "-32601"), "what it does not offer is not asked for");
	ask_as(0, "4", "resources/read", "\"uri\":\"a:b\"," META);
	ok(has(next(0), "-32601") && peer_quiet(0), "nor this");
	legacy_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	{
		char text[200];
		snprintf(text, sizeof text, "[{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"content\":[]}}]", (unsigned long long)kit_id);
		peer_say(0, text);
		ok(quiet(0), "others may not");
	}
}

static void waiting(void)
{
	char *big = malloc(17000);
	char id[16];

	kit_begin(BRIDGE_LEGACY);
	for (int i = 0; i < 9; i++) {
		snprintf(id, sizeof id, "%d", i);
		ask_as(0, id, "tools/call", "\"name\":\"t\",\"arguments\":{}," META);
	}
	ok(has(next(0), "\"id\":8,\"error\"") && quiet(0), "eight texts may wait, the ninth is refused");
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3}}");
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	for (int i = 0; i < 8; i++) {
		if (i == 3)
			continue;
		(void)peer_next(0);
		peer_answer(0, kit_id, "\"result\":{\"content\":[]}");
		snprintf(id, sizeof id, "\"id\":%d,", i);
		if (!has(next(0), id))
			break;
	}
	ok(quiet(0) && peer_quiet(0), "they go in their order; what was cancelled does not");
	memset(big, ' ', 16384);
	big[16384] = 0;
	say(0, big);
	ok(has(next(0), "-32700"), "a line of the limit is read");
	memset(big, ' ', 16385);
	big[16385] = 0;
	say(0, big);
	ok(has(next(0), "longer than the limit"), "a longer one is not");
	free(big);
	bridge_peer_down(kit, 0, SPAN("ended"));
	ask_as(1, "1", "tools/list", META);
	bridge_worker_up(kit, 1);
	ok(kit_starts[0] == 2 && bridge_open_calls(kit) == 0, "a worker's new stream drops what waited for the old one");
}

static void sessions(void)
{
	uint64_t id;

	legacy_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	id = kit_id;
	bridge_peer_again(kit, 0);
	ok(has(peer_next(0), "initialize") && kit_what == BRIDGE_INITIALIZE && kit_version[0] == 0, "a session in place of a lost one");
	ask_as(0, "2", "tools/list", META);
	ok(peer_quiet(0), "new calls wait for it");
	peer_answer(0, kit_id, INIT_RESULT("2025-06-18", OLD_CAPS));
	ok(has(peer_next(0), "initialized") && has(peer_next(0), "tools/list"), "and go");
	is_str(kit_version, "2025-06-18", "in its revision");
	peer_answer(0, id, "\"result\":{\"content\":[]}");
	ok(has(next(0), "\"id\":1,"), "what the transport kept is answered under its id");
	bridge_peer_failed(kit, 0, kit_id, SPAN("answered with HTTP status 500"));
	ok(has(next(0), "\"id\":2,\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" answered with HTTP status 500\""), "one request fails, no other");
	bridge_peer_failed(kit, 0, 4711, SPAN("x"));
	bridge_peer_again(kit, 3);
	bridge_peer_line(kit, 2, 0, SPAN("{}"));
	bridge_peer_down(kit, 1, SPAN("x"));
	ok(quiet(0), "peers that are not there say nothing");
	bridge_peer_again(kit, 0);
	(void)peer_next(0);
	bridge_peer_failed(kit, 0, kit_id, SPAN("cannot be reached"));
	ok(kit_stops[0] == 1, "a session that cannot be had again ends the peer");
}

static void changing(void)
{
	kit_begin(BRIDGE_LEGACY);
	ask_as(0, "1", "server/discover", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32602,\"message\":\"Unsupported protocol version\",\"data\":{\"supported\":[\"2024-11-05\",\"2025-03-26\"],\"requested\":\"2025-11-25\"}}");
	ok(has(peer_next(0), "\"protocolVersion\":\"2025-03-26\"") && kit_what == BRIDGE_INITIALIZE, "one that does not choose is asked again, for the newest of its own");
	peer_answer(0, kit_id, "\"error\":{\"code\":-32602,\"message\":\"no\",\"data\":{\"supported\":[\"2024-11-05\"]}}");
	ok(kit_stops[0] == 1 && has(next(0), "refused to begin"), "once");

	auto_begin();
	ask_as(0, "2", "tools/call", "\"name\":\"t\"," META_OF("{\"sampling\":{}}", AS("aa")));
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	pass(11000);
	bridge_peer_down(kit, 0, SPAN("ended"));
	ask_as(0, "3", "tools/list", META);
	bridge_peer_up(kit, 0);
	ok(has(peer_next(0), "initialize"), "what was found is kept");
	peer_answer(0, kit_id, "\"error\":{\"code\":-32601,\"message\":\"m\"}");
	ok(has(next(0), "\"id\":3,"), "until a start fails");
	ask_as(0, "4", "tools/list", META);
	bridge_peer_up(kit, 0);
	ok(has(peer_next(0), "server/discover"), "then it is asked again");
	peer_answer(0, kit_id, "\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
	ok(has(next(0), "\"id\":2,\"error\"") && kit_stops[1] == 1 && has(peer_next(0), "tools/list"), "and when it has become modern, what was begun with the old one ends");
	pass(11000);
	bridge_peer_down(kit, 0, SPAN("ended"));
	(void)next(0);
	ask_as(0, "5", "tools/list", META);
	bridge_peer_up(kit, 0);
	ok(has(peer_next(0), "server/discover"), "a modern one is asked at every start");

	kit_begin(BRIDGE_LEGACY);
	ask_as(0, "1", "tools/list", META);
	pass(4000);
	bridge_peer_up(kit, 0);
	pass(1001);
	ok(has(next(0), "is still being started"), "who waits too long for a start is told so");
	(void)peer_next(0);
	peer_answer(0, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(0);
	ask_as(0, "2", "tools/list", META);
	(void)peer_next(0);
	{
		char text[200];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"a\":\"\xff\"}}", (unsigned long long)kit_id);
		peer_say(0, text);
		ok(has(next(0), "no acceptable JSON-RPC"), "an answer that cannot be read fails its call at once, if it can be told which");
	}
}

int main(void)
{
	probe();
	changing();
	silence();
	start_fails();
	requests();
	versions();
	waiting();
	sessions();
	kit_end();
	return done_testing();
}
