/* A peer that hangs without ending: when it is asked whether it lives, what shows that it does, and what comes if nothing does. */
#include "kit.h"

#define CALL "\"name\":\"t\",\"arguments\":{\"n\":1},"
#define PING "\"method\":\"ping\",\"params\":{}}"

/* An older peer that has stood for a while, and a call there; its id at the upstream. */
static uint64_t called(void)
{
	legacy_begin();
	pass(60000);
	ask_as(0, "1", "tools/call", CALL META);
	(void)peer_next(0);
	return kit_id;
}

static void hung(void)
{
	(void)called();
	ask_as(1, "2", "tools/list", META);
	(void)peer_next(0);
	pass(19999);
	ok(peer_quiet(0), "a call has its time");
	pass(1);
	ok(has(peer_next(0), PING) && kit_what == BRIDGE_REQUEST && kit_id != 0 && peer_quiet(0), "then an older peer gets a ping, once");
	is_int(bridge_tick(kit), 1000, "and has its time for that");
	pass(999);
	ok(quiet(0) && kit_stops[0] == 0, "to the last millisecond");
	pass(1);
	is_int(kit_stops[0], 1, "it is ended");
	ok(has(next(0), "\"id\":1,\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" stopped answering\"") && hasnt(next(1), "\"result\""), "what is under way is answered");
	is_str(kit_log, "the shared conversation is over: stopped answering", "and the log says why");
	is_int(kit_starts[0], 1, "it is not begun before somebody needs it");
	ask_as(0, "3", "tools/call", CALL META);
	is_int(kit_starts[0], 2, "but then at once");
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	ok(has(peer_next(0), "tools/call"), "the call goes there");
	peer_answer(0, kit_id, "\"result\":{\"content\":[]}");
	ok(has(next(0), "\"id\":3,\"result\"") && peer_quiet(0), "and is answered");
	is_int((long)bridge_counted(kit)->requests, (long)bridge_counted(kit)->answers, "as all were");

	kit_begin(BRIDGE_MODERN);
	ask_as(0, "1", "tools/list", META);
	bridge_peer_up(kit, 0);
	(void)bridge_tick(kit);
	(void)peer_next(0);
	pass(20000);
	ok(has(peer_next(0), "\"method\":\"server/discover\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\""), "one of today is asked server/discover");
	pass(1000);
	ok(has(next(0), "stopped answering") && kit_stops[0] == 1, "and ended");
}

static void slow(void)
{
	uint64_t id = called(), ping;

	pass(20000);
	(void)peer_next(0);
	ping = kit_id;
	pass(900);
	peer_answer(0, ping, "\"result\":{}");
	pass(19999);
	ok(peer_quiet(0) && quiet(0) && kit_stops[0] == 0, "one that answers is only slow");
	pass(1);
	ok(has(peer_next(0), PING) && kit_id != ping, "and is asked again when it has been silent as long");
	peer_answer(0, kit_id, "\"error\":{\"code\":-32601,\"message\":\"no\"}");
	pass(20000);
	ok(has(peer_next(0), PING) && kit_stops[0] == 0, "an error is an answer");
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}");
	pass(20000);
	ok(has(peer_next(0), PING) && kit_stops[0] == 0, "anything it says is a sign of life");
	bridge_peer_long(kit, 0, 0, SPAN("{\"x\":"), SPAN("}"));
	pass(20000);
	ok(has(peer_next(0), PING) && kit_stops[0] == 0, "also what is too long");
	bridge_peer_heard(kit, 0);
	pass(20000);
	ok(has(peer_next(0), PING) && kit_stops[0] == 0, "or not handed over");
	peer_answer(0, id, "\"result\":{\"content\":[]}");
	ok(has(next(0), "\"id\":1,\"result\""), "the call is answered in the end");
	pass(3600000);
	ok(peer_quiet(0) && kit_stops[0] == 0, "who is asked nothing may be silent");

	id = called();
	pass(15000);
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}");
	pass(19999);
	ok(peer_quiet(0), "its silence begins with its last word");
	ask_as(0, "2", "tools/call", CALL META);
	(void)peer_next(0);
	peer_answer(0, id, "\"result\":{\"content\":[]}");
	pass(19999);
	ok(peer_quiet(0), "whatever that was");
	pass(1);
	ok(has(peer_next(0), PING), "or with the question");
}

/* Workers take back what is late, so nothing may be under way any more when the time has come. */
static void taken_back(void)
{
	uint64_t id = called();

	pass(10000);
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	ok(has(peer_next(0), "notifications/cancelled") && bridge_open_calls(kit) == 0, "a call is taken back");
	ask_as(0, "2", "tools/call", CALL META);
	(void)peer_next(0);
	pass(9999);
	ok(peer_quiet(0), "not yet");
	pass(1);
	ok(has(peer_next(0), PING), "its silence counts all the same");
	is_int(bridge_tick(kit), 1000, "there is nothing to do until it has answered or not");
	pass(1000);
	ok(has(next(0), "\"id\":2,\"error\"") && kit_stops[0] == 1, "it is ended");

	id = called();
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	(void)peer_next(0);
	peer_answer(0, id, "\"result\":{\"content\":[]}");
	pass(3600000);
	ok(peer_quiet(0) && kit_stops[0] == 0, "one that says something behind it is asked nothing");

	(void)called();
	pass(5000);
	peer_say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}");
	pass(5000);
	bridge_worker_down(kit, 0);
	(void)bridge_tick(kit);
	(void)peer_next(0);
	pass(14999);
	ok(peer_quiet(0), "what it said while it had the call counts");
	pass(1);
	ok(has(peer_next(0), PING), "until it has been silent for as long");
}

/* It takes nothing any more: there is no room even for a ping. */
static void stuck(void)
{
	(void)called();
	kit_peer[0].closed = true;
	pass(20000);
	ok(kit_stops[0] == 0 && quiet(0), "it cannot be asked");
	pass(1000);
	ok(kit_stops[0] == 1 && has(next(0), "stopped answering"), "and is ended");

	(void)called();
	kit_peer[0].closed = true;
	pass(20000);
	bridge_peer_heard(kit, 0);
	pass(1000);
	ok(kit_stops[0] == 0, "but not one that speaks");
}

static void others(void)
{
	char text[600], state[200] = "";
	const char *m, *at;

	(void)called();
	ask_as(1, "2", "tools/call", CALL META_OF(ALL_CAPS, AS("aa")));
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	peer_say(1, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"elicitation/create\",\"params\":{\"message\":\"?\",\"requestedSchema\":{}}}");
	m = next(1);
	at = strstr(m, "\"requestState\":\"");
	ok(has(m, "input_required") && at && sscanf(at + 16, "%199[^\"]", state) == 1, "a caller is asked something");
	pass(20000);
	(void)peer_next(0);
	pass(1000);
	ok(has(next(0), "stopped answering") && kit_stops[0] == 1 && kit_stops[1] == 0 && peer_quiet(1), "who waits for its caller is not silent; another's silence is not its own");
	ask_as(0, "3", "tools/list", META);
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"result\":{\"tools\":[]}");
	(void)next(0);
	snprintf(text, sizeof text, CALL "\"inputResponses\":{\"old.1\":{\"action\":\"decline\"}},\"requestState\":\"%s\"," META_OF(ALL_CAPS, AS("aa")), state);
	ask_as(1, "4", "tools/call", text);
	ok(has(peer_next(1), "decline"), "the caller has answered");
	pass(19999);
	ok(peer_quiet(1), "from then on");
	pass(1);
	ok(has(peer_next(1), PING), "it is its turn");
	pass(1000);
	ok(has(next(1), "\"id\":4,\"error\"") && kit_stops[1] == 1 && kit_stops[0] == 1, "and alone it is ended");
	is_str(kit_log, "a caller's own conversation is over: stopped answering", "which the log says");
}

static void settings(void)
{
	struct bridge_settings s = kit_settings(BRIDGE_LEGACY);

	s.silence_ms = 2000;
	kit_begin_with(&s);
	for (int i = 0; i < 2; i++) { /* so soon behind a start it counts as one that failed */
		ask_as(0, "1", "tools/list", META);
		legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
		(void)peer_next(0);
		pass(2000);
		(void)peer_next(0);
		pass(1000);
		ok(has(next(0), "Upstream \\\"old\\\" stopped answering") && kit_stops[0] == (unsigned)i + 1, "one that hangs soon after its start");
	}
	ask_as(0, "2", "tools/list", META);
	ok(has(next(0), "is not running, and is tried again within half a minute; the last time it stopped answering") && kit_starts[0] == 2, "is left alone for a while if it does so again");

	s.silence_ms = 0;
	kit_begin_with(&s);
	ask_as(0, "1", "tools/list", META);
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(0);
	pass(3600000);
	ok(peer_quiet(0) && quiet(0) && kit_stops[0] == 0, "an owner that does not want it");
}

static void listening(void)
{
	kit_begin(BRIDGE_MODERN);
	ask_as(0, "1", "subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}," META);
	bridge_peer_up(kit, 0);
	(void)bridge_tick(kit);
	(void)peer_next(0);
	pass(3600000);
	ok(peer_quiet(0) && kit_stops[0] == 0, "a subscription is no question");
}

int main(void)
{
	hung();
	slow();
	taken_back();
	stuck();
	others();
	settings();
	listening();
	kit_end();
	return done_testing();
}
