/* Subscriptions to a legacy upstream, log messages, and peers of principals' own: who hears what, who has which. */
#include "kit.h"

#define LISTEN(filter, meta) "\"notifications\":" filter "," meta
#define TAG(id) "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":" id "}"
#define AA META_OF(ALL_CAPS, AS("aa"))
#define CHANGED(what) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" what "/list_changed\"}"
#define UPDATED(uri) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"" uri "\"}}"

static void filters(void)
{
	legacy_begin();
	ask_as(0, "\"L\"", "subscriptions/listen", LISTEN("{\"toolsListChanged\":true,\"promptsListChanged\":true,\"resourcesListChanged\":false,"
	    "\"resourceSubscriptions\":[\"mem://a\",\"mem:\\/\\/a\",\"mem://b/\"]}", META));
	ok(has(next(0), "acknowledged\",\"params\":{\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"mem://a\",\"mem://b/\"]}," TAG("\"L\"")),
	    "acknowledged: what is offered, each once");
	ok(has(peer_next(0), "\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"mem://a\"}") && has(peer_next(0), "mem://b/") && peer_quiet(0), "subscribed");
	is_int(bridge_open_calls(kit), 0, "the call is no more");
	ask_as(0, "\"L\"", "tools/list", META);
	ok(has(next(0), "-32600"), "but its id is in use");
	ask_as(1, "7", "subscriptions/listen", LISTEN("{\"resourcesListChanged\":true,\"resourceSubscriptions\":[\"mem://a\"]}", META));
	ok(has(next(1), TAG("7")) && peer_quiet(0), "the second of a resource costs the upstream nothing");
	peer_say(0, CHANGED("tools"));
	ok(has(next(0), "notifications/tools/list_changed\",\"params\":{" TAG("\"L\"")) && quiet(1), "tools: who asked for them");
	peer_say(0, CHANGED("resources"));
	ok(has(next(1), TAG("7")) && quiet(0), "resources: who asked for them");
	peer_say(0, CHANGED("prompts"));
	ok(quiet(0) && quiet(1), "prompts: nobody could");
	peer_say(0, UPDATED("mem://a"));
	ok(has(next(0), "{\"uri\":\"mem://a\"," TAG("\"L\"")) && has(next(1), "{\"uri\":\"mem://a\"," TAG("7")), "an update: both");
	peer_say(0, UPDATED("mem://b/c"));
	ok(has(next(0), "mem://b/c") && quiet(1), "what lies beneath: one");
	peer_say(0, UPDATED("mem://ab"));
	peer_say(0, UPDATED("mem://b"));
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\"}");
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":7}}");
	ok(quiet(0) && quiet(1), "what nobody asked for");
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"L\"}}");
	ok(has(peer_next(0), "\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"mem://b/\"}") && peer_quiet(0), "an end: what nobody wants any more");
	peer_say(0, UPDATED("mem://a"));
	ok(quiet(0) && has(next(1), "mem://a"), "the other listens on");
	bridge_worker_down(kit, 1);
	ok(has(peer_next(0), "unsubscribe"), "a worker that ends");
}

static void lasting(void)
{
	legacy_begin();
	ask_as(0, "1", "subscriptions/listen", LISTEN("{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:1\"]}", META));
	ask_as(1, "1", "subscriptions/listen", LISTEN("{\"resourceSubscriptions\":[\"a:1\",\"a:2\"]}", META));
	(void)next(0);
	(void)next(1);
	(void)peer_next(0);
	(void)peer_next(0);
	pass(20000);
	bridge_peer_down(kit, 0, SPAN("ended"));
	ok(quiet(0) && quiet(1), "subscriptions outlive their peer");
	(void)bridge_tick(kit);
	is_int(kit_starts[0], 2, "which is started again for them");
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	ok(has(peer_next(0), "{\"uri\":\"a:1\"}") && has(peer_next(0), "{\"uri\":\"a:2\"}") && peer_quiet(0), "is told what is subscribed to, each once");
	ok(has(next(0), "tools/list_changed") && quiet(0) && quiet(1), "and who listens for changes hears that there may have been one");
	kit_worker[0].closed = true;
	peer_say(0, CHANGED("tools"));
	peer_say(0, CHANGED("tools"));
	kit_worker[0].closed = false;
	pass(60);
	ok(has(next(0), "tools/list_changed") && quiet(0), "no room: said later, once");
	bridge_peer_again(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(0);
	ok(has(peer_next(0), "a:1") && has(peer_next(0), "a:2") && has(next(0), "list_changed"), "a new session likewise");
	for (int i = 0; i < 2; i++) {
		char id[16];
		snprintf(id, sizeof id, "%d", i + 10);
		ask_as(2, id, "subscriptions/listen", LISTEN("{}", META));
		ok(has(next(2), "\"notifications\":{},"), "an empty filter is acknowledged");
	}
	ask_as(2, "20", "subscriptions/listen", LISTEN("{}", META));
	ok(has(next(2), "too many subscriptions"), "as many as there may be");
	kit_begin(BRIDGE_LEGACY);
	ask_as(0, "1", "subscriptions/listen", LISTEN("{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:1\"]}", META));
	legacy_up(0, INIT_RESULT("2025-11-25", "{\"tools\":{}}"));
	ok(has(next(0), "\"notifications\":{},") && peer_quiet(0), "an upstream that announces nothing");
}

static void long_filter(void)
{
	char *text = malloc(140000);
	size_t n = 0;

	legacy_begin();
	n += (size_t)sprintf(text, "\"notifications\":{\"resourceSubscriptions\":[");
	for (int i = 0; i < 6; i++) {
		n += (size_t)sprintf(text + n, "%s\"mem://%d/", i ? "," : "", i);
		memset(text + n, 'x', 1990);
		n += 1990;
		n += (size_t)sprintf(text + n, "\"");
	}
	sprintf(text + n, "]}," META);
	ask_as(0, "1", "subscriptions/listen", text);
	{
		const char *m = next(0);
		ok(has(m, "mem://3/") && hasnt(m, "mem://4/"), "what is not kept is not acknowledged");
	}
	free(text);
}

static void privacy(void)
{
	legacy_begin();
	ask_as(0, "1", "subscriptions/listen", LISTEN("{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:1\"]}", META_OF(ALL_CAPS, AS("aa"))));
	ask_as(1, "1", "subscriptions/listen", LISTEN("{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"a:1\"]}", META_OF(ALL_CAPS, AS("bb"))));
	(void)next(0);
	(void)next(1);
	ok(has(peer_next(0), "a:1") && peer_quiet(0) && kit_starts[1] == 0, "who listens needs no peer of its own");
	ask_as(0, "2", "tools/call", "\"name\":\"t\"," AA);
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	ok(has(peer_next(1), "{\"uri\":\"a:1\"}") && has(peer_next(1), "tools/call"), "a principal's own is subscribed to for it");
	peer_say(1, CHANGED("tools"));
	peer_say(1, UPDATED("a:1"));
	ok(has(next(0), "list_changed") && has(next(0), "a:1") && quiet(0) && quiet(1), "what happens there only it hears");
	peer_say(0, UPDATED("a:1"));
	ok(has(next(0), "a:1") && has(next(1), "a:1"), "what happens in the shared one all hear");
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	ok(has(peer_next(1), "unsubscribe") && peer_quiet(0), "its own no longer, the shared one still");
}

static void logs(void)
{
	uint64_t a;

	legacy_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META_OF("{}", LEVEL("warning")));
	ok(has(peer_next(0), "tools/call") && peer_quiet(0), "without a principal there is no log");
	ask_as(0, "2", "tools/call", "\"name\":\"t\"," META_OF("{}", AS("aa") LEVEL("warning")));
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	ok(has(peer_next(1), "\"method\":\"logging/setLevel\",\"params\":{\"level\":\"warning\"}"), "with one, in a peer of its own");
	(void)peer_next(1);
	a = kit_id;
	ask_as(1, "3", "tools/call", "\"name\":\"t\"," META_OF("{}", AS("aa") LEVEL("error")));
	ok(has(peer_next(1), "tools/call") && peer_quiet(1), "a level that is there already is not set");
	peer_say(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"warning\",\"logger\":\"l\",\"data\":{\"a\":1}}}");
	ok(has(next(0), "{\"level\":\"warning\",\"logger\":\"l\",\"data\":{\"a\":1},\"_meta\":{\"postern/call\":2}}") && quiet(1), "each hears its level");
	peer_say(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"alert\",\"data\":1}}");
	ok(has(next(1), "\"postern/call\":3") && quiet(0), "the newest that wants it");
	{
		char text[200];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"alert\",\"data\":2}}");
		peer_say_of(1, a, text);
		ok(has(next(0), "\"postern/call\":2") && quiet(1), "or the one on whose stream it came");
	}
	peer_say(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"loud\",\"data\":1}}");
	peer_say(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"alert\"}}");
	peer_say(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}");
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"alert\",\"data\":1}}");
	ok(quiet(0) && quiet(1), "others reach nobody");
	ask_as(2, "1", "tools/call", "\"name\":\"t\"," META_OF("{}", AS("aa") LEVEL("debug")));
	ok(has(peer_next(1), "{\"level\":\"debug\"}"), "a more talkative one is set");
}

static void sharing(void)
{
	legacy_begin();
	ask_as(0, "1", "tools/call", "\"name\":\"t\"," META_OF("{}", AS("aa")));
	ask_as(0, "2", "tools/call", "\"name\":\"t\"," META_OF("{}", AS("bb")));
	ok(has(peer_next(0), "tools/call") && has(peer_next(0), "tools/call") && kit_starts[1] == 0, "who declares nothing shares");
	ask_as(0, "3", "tools/list", META_OF("{\"elicitation\":{}}", AS("aa")));
	ask_as(0, "4", "server/discover", META_OF("{\"elicitation\":{}}", AS("aa")));
	ok(kit_starts[1] == 1 && has(next(0), "\"id\":4,"), "who declares has all but discover in its own");
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	ok(has(peer_next(1), "tools/list"), "lists too");
	peer_answer(1, kit_id, "\"result\":{\"tools\":[]}");
	(void)next(0);
	ask_as(0, "5", "tools/call", "\"name\":\"t\"," META_OF("{\"elicitation\":{\"url\":{}}}", AS("aa")));
	ok(kit_starts[2] == 1, "other capabilities are another peer");
	legacy_up(2, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(2);
	ask_as(0, "6", "tools/call", "\"name\":\"t\"," META_OF("{\"elicitation\":{}}", AS("bb")));
	legacy_up(3, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(3);
	ask_as(0, "7", "tools/call", "\"name\":\"t\"," META_OF("{\"elicitation\":{}}", AS("cc")));
	ok(kit_stops[1] == 1 && kit_starts[1] == 2 && kit_stops[2] == 0 && kit_stops[3] == 0, "one with nothing under way makes way");
	bridge_peer_line(kit, 1, 0, SPAN("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"));
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	ask_as(0, "8", "tools/call", "\"name\":\"t\"," META_OF("{\"elicitation\":{}}", AS("dd")));
	ok(quiet(0) && kit_starts[1] + kit_starts[2] + kit_starts[3] == 4, "all at work: it waits");
	peer_answer(1, kit_id, "\"result\":{\"content\":[]}");
	ok(has(next(0), "\"id\":7,") && kit_starts[1] == 3, "until one is free");
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	ok(has(peer_next(1), "tools/call"), "and goes there");
	ask_as(0, "9", "tools/call", "\"name\":\"t\"," META_OF("{\"elicitation\":{}}", AS("ee")));
	pass(5001);
	ok(has(next(0), "\"id\":9,\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" is busy"), "or is refused");
	peer_answer(1, kit_id, "\"result\":{\"content\":[]}");
	(void)next(0);
	pass(29000);
	is_int(kit_stops[1], 2, "one that is not used is kept a while");
	peer_say(0, CHANGED("prompts")); /* it has not hung */
	pass(1001);
	is_int(kit_stops[1], 3, "and then ended");
	ok(kit_stops[0] == 0, "the shared one is not");
	pass(60000);
	pass(1000); /* those who have hung have been asked */
	while (!quiet(0))
		(void)next(0);
	is_int((long)bridge_counted(kit)->requests, (long)bridge_counted(kit)->answers, "all were answered");
}

int main(void)
{
	filters();
	lasting();
	long_filter();
	privacy();
	logs();
	sharing();
	kit_end();
	return done_testing();
}
