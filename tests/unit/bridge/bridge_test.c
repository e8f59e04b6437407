/* A modern upstream: what is renumbered, what passes, what does not; envelopes; workers that come and go; no room. */
#include "kit.h"

#define DISCOVERED "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}}," \
	"\"ttlMs\":5,\"cacheScope\":\"public\"}"

static void modern_begin(void)
{
	kit_begin(BRIDGE_MODERN);
	ask_as(0, "1", "tools/list", META);
	bridge_peer_up(kit, 0);
	(void)bridge_tick(kit);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{\"resultType\":\"complete\",\"tools\":[],\"ttlMs\":0,\"cacheScope\":\"private\"}");
	(void)next(0);
}

static void envelope(void)
{
	modern_begin();
	say(0, "not json");
	ok(has(next(0), "-32700"), "not JSON");
	say(0, "[]");
	ok(has(next(0), "-32600"), "a batch of a worker");
	say(0, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/list\"}");
	ok(has(next(0), "\"id\":\"x\",\"error\":{\"code\":-32602"), "no _meta");
	ask_as(0, "2", "tools/list", "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2025-11-25\",\"io.modelcontextprotocol/clientCapabilities\":{}}");
	ok(has(next(0), "-32022,"), "another version");
	ask_as(0, "2", "initialize", META);
	ok(has(next(0), "-32601"), "a method that is gone");
	ask_as(0, "2", "tools/call", META);
	ok(has(next(0), "-32602"), "no name");
	ask_as(0, "2", "tools/list", META_OF("{}", AS("")));
	ok(has(next(0), "postern/principal"), "a principal that is none");
	ask_as(0, "2", "tools/list", META_OF("{}", LEVEL("loud")));
	ok(has(next(0), "-32602"), "a level that is none");
	bridge_worker_long(kit, 0);
	ok(has(next(0), "-32600") , "a line that is too long");
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":77}}");
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/other\"}");
	say(0, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}");
	ok(quiet(0) && peer_quiet(0), "unknown cancels and notifications, and answers, are nothing");
	bridge_worker_line(kit, 99, SPAN("{}"));
	ask_as(0, "2", "tools/list", META);
	ask_as(0, "2", "tools/list", META);
	ok(has(next(0), "-32600") && quiet(0), "an id that is in use");
}

static void renumber(void)
{
	uint64_t a, b;
	const char *m;

	modern_begin();
	ask_as(0, "\"k\\\"1\"", "tools/call", "\"name\":\"t\",\"arguments\":{\"a\":[1, 2]},\"x\":null," META_OF("{\"elicitation\":{}}", TOKEN("\"tok\"") AS("aa") ",\"com.example/y\":1,\"postern\\/z\":2"));
	m = peer_next(0);
	a = kit_id;
	ok(has(m, "\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{\"a\":[1, 2]},\"x\":null,\"_meta\":{"), "params as they came");
	ok(has(m, "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{}}") && has(m, "\"com.example/y\":1"), "_meta as it came");
	ok(hasnt(m, "postern") && hasnt(m, "tok\""), "but for what is ours");
	ok(kit_what == BRIDGE_REQUEST && kit_version[0] == 0, "a request, without a version of old");
	ask_as(1, "\"k\\\"1\"", "tools/call", "\"name\":\"t\"," META_OF("{}", TOKEN("9")));
	(void)peer_next(0);
	b = kit_id;
	ok(a != b, "equal ids of two workers are two at the upstream");
	{
		char text[200];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":0.5,\"message\":\"m\"}}", (unsigned long long)b);
		peer_say(0, text);
		ok(has(next(1), "{\"progress\":0.5,\"message\":\"m\",\"progressToken\":9}") && quiet(0), "progress finds its call and its token");
	}
	peer_answer(0, b, "\"error\":{\"code\":-32602,\"message\":\"no such tool\",\"data\":{\"q\":1}}");
	ok(has(next(1), "{\"jsonrpc\":\"2.0\",\"id\":\"k\\\"1\",\"error\":{\"code\":-32602,\"message\":\"no such tool\",\"data\":{\"q\":1}}}"), "an error as it is");
	peer_answer(0, a, "\"result\":{\"resultType\":\"complete\",\"content\":[],\n \"_meta\":{\"v\":1,\"postern/call\":3,\"io.modelcontextprotocol/serverInfo\":{\"name\":\"s\"}}}");
	m = next(0);
	ok(has(m, "{\"jsonrpc\":\"2.0\",\"id\":\"k\\\"1\",\"result\":{\"resultType\":\"complete\",\"content\":[],\"_meta\":{\"v\":1,") && hasnt(m, "postern"), "a result as it is, without what is ours");
	peer_answer(0, a, "\"result\":{}");
	peer_answer(0, 0, "\"result\":{}");
	peer_answer(0, a + 4096, "\"result\":{}");
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"id\":\"k\",\"result\":{}}");
	ok(quiet(0) && quiet(1) && bridge_counted(kit)->strays >= 4, "answers twice, of nobody, of another form: counted, dropped");
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"roots/list\"}");
	ok(quiet(0) && peer_quiet(0), "a modern upstream asks nothing");
	ask_as(2, "3", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{\"resultType\":\"strange\"}");
	ok(has(next(2), "\"id\":3,\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" sent an answer of the wrong shape\",\"data\":{\"upstream\":\"old\"}}"), "an answer of the wrong shape");
	ask_as(2, "4", "tools/call", "\"name\":\"t\",\"requestState\":\"S\",\"inputResponses\":{\"k\":{}}," META);
	ok(has(peer_next(0), "\"requestState\":\"S\",\"inputResponses\":{\"k\":{}}"), "a modern upstream's own state");
	peer_answer(0, kit_id, "\"result\":{\"resultType\":\"input_required\",\"requestState\":\"S2\"}");
	ok(has(next(2), "\"requestState\":\"S2\""), "both ways");
	is_int(bridge_open_calls(kit), 0, "nothing is open");
}

static void cancelling(void)
{
	modern_begin();
	ask_as(0, "10", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	{
		uint64_t id = kit_id;
		char want[100];
		say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":10}}");
		snprintf(want, sizeof want, "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%llu,", (unsigned long long)id);
		ok(has(peer_next(0), want) && kit_what == BRIDGE_NOTIFICATION && kit_id == id, "a cancel under the upstream's id");
		peer_answer(0, id, "\"result\":{\"resultType\":\"complete\",\"content\":[]}");
	}
	ok(quiet(0), "what comes behind it is dropped");
	ask_as(0, "11", "tools/call", "\"name\":\"t\"," META);
	ask_as(1, "11", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	(void)peer_next(0);
	bridge_worker_down(kit, 0);
	ok(has(peer_next(0), "notifications/cancelled") && peer_quiet(0), "a worker that is gone: its calls only");
	is_int(bridge_open_calls(kit), 1, "the other's goes on");
}

static void seats(void)
{
	uint64_t a, b;
	const char *m;

	modern_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META_OF("{}", LEVEL("info") AS("aa")));
	ok(has(peer_next(0), "logLevel"), "the first call may have a log");
	a = kit_id;
	ask_as(1, "1", "tools/call", "\"name\":\"t\"," META_OF("{}", LEVEL("debug") AS("bb")));
	ok(hasnt(peer_next(0), "logLevel"), "the second may not: nothing would say whose it is");
	b = kit_id;
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":\"x\",\"_meta\":{\"postern/call\":5}}}");
	m = next(0);
	ok(has(m, "\"data\":\"x\",\"_meta\":{\"postern/call\":1}") && quiet(1), "a message goes to the one, with its id");
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"debug\",\"data\":\"x\"}}");
	ok(quiet(0) && quiet(1), "below the level: dropped");
	peer_answer(0, a, "\"result\":{\"content\":[]}");
	peer_answer(0, b, "\"result\":{\"content\":[]}");
	(void)next(0);
	(void)next(1);
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":\"late\"}}");
	ask_as(1, "2", "tools/call", "\"name\":\"t\"," META_OF("{}", LEVEL("debug") AS("bb")));
	ok(hasnt(peer_next(0), "logLevel") && quiet(0) && quiet(1), "soon behind it another principal has none");
	ask_as(0, "2", "tools/call", "\"name\":\"t\"," META_OF("{}", LEVEL("debug") AS("aa")));
	ok(has(peer_next(0), "logLevel"), "the same one has");
	modern_begin();
	ask_as(0, "1", "subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}," META_OF("{}", LEVEL("info") AS("aa")));
	ok(hasnt(peer_next(0), "logLevel"), "a listen, which has no end, has none");
	ask_as(0, "2", "tools/call", "\"name\":\"t\"," META_OF("{}", LEVEL("info") AS("aa")));
	ok(has(peer_next(0), "logLevel"), "and leaves it to others");
}

static void listening(void)
{
	char text[300];
	uint64_t id;

	modern_begin();
	ask_as(1, "\"L\"", "subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}," META_OF("{}", AS("aa")));
	ok(has(peer_next(0), "\"method\":\"subscriptions/listen\",\"params\":{\"notifications\":{\"toolsListChanged\":true}"), "a listen of its own");
	id = kit_id;
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}", (unsigned long long)id);
	peer_say(0, text);
	ok(quiet(1), "news before the acknowledgement are none");
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{\"toolsListChanged\":true},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}", (unsigned long long)id);
	peer_say(0, text);
	ok(has(next(1), "\"notifications\":{\"toolsListChanged\":true},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"L\"}"), "acknowledged");
	is_int(bridge_open_calls(kit), 0, "an acknowledged listen does not keep a process");
	pass(100000);
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}", (unsigned long long)id);
	peer_say(0, text);
	ok(has(next(1), "\"io.modelcontextprotocol/subscriptionId\":\"L\"}"), "news, however late");
	peer_answer(0, id, "\"result\":{\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":5}}");
	ok(has(next(1), "{\"jsonrpc\":\"2.0\",\"id\":\"L\",\"result\":{\"resultType\":\"complete\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":\"L\"}}}"), "its end");
}

static void no_room(void)
{
	uint64_t id;

	modern_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	id = kit_id;
	kit_worker[0].closed = true;
	peer_answer(0, id, "\"result\":{\"content\":[]}");
	is_int(bridge_open_calls(kit), 1, "an answer without room is owed");
	pass(60);
	kit_worker[0].closed = false;
	pass(60);
	ok(has(next(0), "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603") && quiet(0), "and comes, once, as an error");
	kit_worker[0].closed = true;
	ask_as(0, "3", "ping", META);
	kit_worker[0].closed = false;
	pass(60);
	ok(has(next(0), "\"id\":3,\"error\":{\"code\":-32601") && quiet(0), "a refusal without room comes later too");
	kit_peer[0].closed = true;
	ask_as(0, "2", "tools/call", "\"name\":\"t\"," META);
	ok(has(next(0), "is busy"), "a peer that takes nothing");
	kit_peer[0].closed = false;
	for (int i = 0; i < 32; i++) {
		char name[16];
		snprintf(name, sizeof name, "%d", i + 100);
		ask_as(0, name, "tools/call", "\"name\":\"t\"," META);
	}
	ok(quiet(0), "as many calls as there may be");
	ask_as(0, "900", "tools/call", "\"name\":\"t\"," META);
	ok(has(next(0), "\"id\":900") && quiet(0), "one more is refused");
	bridge_peer_down(kit, 0, SPAN("ended"));
	for (int i = 0; i < 32; i++) {
		char want[32];
		snprintf(want, sizeof want, "\"id\":%d,", i + 100);
		if (!has(next(0), want))
			break;
	}
	ok(quiet(0) && bridge_open_calls(kit) == 0, "when it ends, each has its answer");
	is_int((long)bridge_counted(kit)->requests, (long)bridge_counted(kit)->answers, "as many answers as requests");
}

static void hostile(void)
{
	modern_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	for (int i = 0; i < 50; i++)
		peer_say(0, i & 1 ? "Server listening on stdio" : "{\"jsonrpc\":\"2.0\"}");
	ok(quiet(0) && kit_stops[0] == 0, "lines that are no messages are let go by");
	for (int i = 0; i < 60; i++)
		peer_say(0, "\x1b[31mred");
	ok(has(next(0), "says things that are not MCP") && kit_stops[0] == 1, "too many in a row end it");

	modern_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META);
	(void)peer_next(0);
	{
		char head[100], tail[100];
		snprintf(head, sizeof head, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"aaaaaaaaa", (unsigned long long)kit_id);
		bridge_peer_long(kit, 0, 0, span_z(head), SPAN("aaaaaaaaa\"}]}}"));
		ok(has(next(0), "too long"), "an answer that is too long: its id in front");
		ask_as(0, "2", "tools/call", "\"name\":\"t\"," META);
		(void)peer_next(0);
		snprintf(tail, sizeof tail, "aaaaaaaaaaaaaaaaaaaa\"}]},\"jsonrpc\":\"2.0\",\"id\":%llu}", (unsigned long long)kit_id);
		bridge_peer_long(kit, 0, 0, SPAN("{\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), span_z(tail));
		ok(has(next(0), "too long"), "its id behind");
		bridge_peer_long(kit, 0, 0, SPAN(""), span_of(NULL, 0));
		bridge_peer_long(kit, 0, 77, SPAN("{\"id\":"), SPAN("\"id\":"));
		bridge_peer_long(kit, 77, 0, SPAN("{"), SPAN("}"));
	}
	ok(quiet(0), "or nobody's");
}

int main(void)
{
	envelope();
	renumber();
	cancelling();
	seats();
	listening();
	no_room();
	hostile();
	kit_end();
	return done_testing();
}
