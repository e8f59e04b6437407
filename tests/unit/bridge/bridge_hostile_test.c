/* Upstreams that lie about what they are, forget, or die under full lines; callers who want all conversations for themselves. */
#include "kit.h"

#define AA META_OF(ALL_CAPS, AS("aa"))
#define CALL "\"name\":\"t\",\"arguments\":{},"
#define MODERN_ONLY "\"error\":{\"code\":-32022,\"message\":\"m\",\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"2025-11-25\"}}"
#define ELICIT "\"method\":\"elicitation/create\",\"params\":{\"message\":\"Which?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}"

/* Words that are told later are kept: who gave them has long gone. */
static void words(void)
{
	char why[] = "ended: it was killed by signal 9";

	legacy_begin();
	ask_as(0, "1", "tools/call", CALL META);
	ask_as(0, "2", "tools/call", CALL META);
	(void)peer_next(0);
	kit_worker[0].closed = true;
	bridge_peer_failed(kit, 0, kit_id, span_z(why));
	bridge_peer_down(kit, 0, span_z(why));
	memset(why, 'x', sizeof why - 1);
	kit_worker[0].closed = false;
	pass(100);
	ok(has(next(0), "\"id\":1,\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" ended: it was killed by signal 9\""), "one that failed");
	ok(has(next(0), "\"id\":2,\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" ended: it was killed by signal 9\""), "one that ended with its peer");
}

/* Only the shared conversation says what the upstream is. */
static void claims(void)
{
	auto_begin();
	ask_as(0, "2", "tools/call", CALL AA);
	bridge_peer_up(kit, 1);
	(void)peer_next(1);
	peer_answer(1, kit_id, MODERN_ONLY);
	ok(has(next(0), "\"id\":2,\"error\"") && kit_stops[1] == 1, "a caller's own that refuses to begin is ended");
	ok(span_eq(bridge_known(kit), SPAN("legacy 2025-11-25")), "and says nothing about the others");
	ask_as(0, "3", "tools/list", META);
	ok(hasnt(peer_next(0), "clientCapabilities"), "the shared one is spoken to as before");
	pass(40000);
	is_int(kit_stops[1], 1, "it is ended once");

	/* What is known is forgotten while a caller's own is being started. */
	auto_begin();
	pass(11000);
	bridge_peer_down(kit, 0, SPAN("ended"));
	ask_as(0, "2", "tools/call", CALL AA);
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)bridge_tick(kit);
	is_int(kit_starts[1], 1, "one of its own is started");
	bridge_peer_down(kit, 0, SPAN("ended"));
	ask_as(0, "3", "tools/list", META);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	peer_answer(0, kit_id, "\"error\":{\"code\":-32601,\"message\":\"m\"}");
	(void)next(0);
	ok(has(next(0), "\"id\":3,\"error\""), "the shared one fails to start, and what it is must be found anew");
	bridge_peer_up(kit, 1);
	ok(has(peer_next(1), "\"method\":\"initialize\"") && kit_what == BRIDGE_INITIALIZE, "the caller's own is not who is asked");
}

static void deaf(void)
{
	auto_begin();
	ask_as(0, "\"L\"", "subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}," META);
	ask_as(1, "\"M\"", "subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}," META);
	(void)next(0);
	(void)next(1);
	pass(11000);
	bridge_peer_down(kit, 0, SPAN("ended"));
	(void)bridge_tick(kit);
	bridge_peer_up(kit, 0);
	(void)peer_next(0);
	kit_worker[1].closed = true;
	peer_answer(0, kit_id, MODERN_ONLY);
	ok(span_eq(bridge_known(kit), SPAN("modern")), "an older upstream has become a modern one");
	ok(has(next(0), "\"id\":\"L\",\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\""), "who listened to the old one is told");
	kit_worker[1].closed = false;
	pass(100);
	ok(has(next(1), "\"id\":\"M\",\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\""), "as soon as there is room");
	ask_as(0, "\"L\"", "subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true}," META);
	ok(has(peer_next(0), "subscriptions/listen"), "and may listen to the new one");
}

/* A server that gives sessions and knows none of them. */
static void forgetting(void)
{
	unsigned sessions = 0;

	legacy_begin();
	ask_as(0, "\"L\"", "subscriptions/listen", "\"notifications\":{\"resourceSubscriptions\":[\"a:1\"]}," META);
	(void)next(0);
	(void)peer_next(0);
	while (sessions < 100) {
		bridge_peer_again(kit, 0);
		(void)bridge_tick(kit);
		if (peer_quiet(0))
			break;
		(void)peer_next(0);
		peer_answer(0, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
		ok(has(peer_next(0), "initialized") && has(peer_next(0), "resources/subscribe"), "begun anew");
		sessions++;
	}
	ok(sessions >= 2 && sessions < 10 && kit_stops[0] == 1, "a few times in a row, then it is ended");
	legacy_begin();
	for (sessions = 0; sessions < 20; sessions++) {
		pass(11000);
		bridge_peer_again(kit, 0);
		(void)peer_next(0);
		peer_answer(0, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
		(void)peer_next(0);
	}
	is_int(kit_stops[0], 0, "one whose sessions last a while goes on");
}

static char state[256];
static const char *kept(const char *m)
{
	const char *at = strstr(m, "\"requestState\":\"");

	state[0] = 0;
	if (at)
		sscanf(at + 16, "%255[^\"]", state);
	return m;
}

static void retry(const char *id)
{
	char text[1000];

	snprintf(text, sizeof text, CALL "\"inputResponses\":{\"old.1\":{\"action\":\"accept\",\"content\":{}}},\"requestState\":\"%s\"," AA, state);
	ask_as(0, id, "tools/call", text);
}

/* What was asked in a session that is gone cannot be answered in the next. */
static void asked_and_forgotten(void)
{
	uint64_t id;

	legacy_begin();
	ask_as(0, "1", "tools/call", CALL AA);
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	id = kit_id;
	peer_say_of(1, id, "{\"jsonrpc\":\"2.0\",\"id\":9," ELICIT "}");
	(void)kept(next(0));
	pass(11000);
	bridge_peer_again(kit, 1);
	ok(has(peer_next(1), "notifications/cancelled") && kit_id == id, "its stream is let go");
	(void)peer_next(1);
	peer_answer(1, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	retry("2");
	ok(has(next(0), "\"id\":2,\"error\":{\"code\":-32602") && peer_quiet(1), "the retry hears that it is over, and the new session nothing");
}

/* Call number `id` of caller aa, who declares `caps`. */
static void ask_declaring(unsigned id, const char *caps)
{
	char text[400], number[8];

	snprintf(text, sizeof text, CALL META_OF("%s", AS("aa")), caps);
	snprintf(number, sizeof number, "%u", id);
	ask_as(0, number, "tools/call", text);
}

static void shares(void)
{
	static const char *const others[] = { "{\"sampling\":{}}", "{\"elicitation\":{}}", "{\"elicitation\":{\"url\":{}}}" };

	legacy_begin();
	for (unsigned i = 0; i < 3; i++) {
		ask_declaring(i + 1, others[i]);
		legacy_up(i + 1, INIT_RESULT("2025-11-25", OLD_CAPS));
		(void)bridge_tick(kit);
		(void)peer_next(i + 1);
		kit_now += 10;
	}
	peer_say(2, "{\"jsonrpc\":\"2.0\",\"id\":9," ELICIT "}");
	(void)kept(next(0));
	is_int((int)(kit_starts[1] + kit_starts[2] + kit_starts[3]), 3, "one caller may have them all while nobody else needs one");
	ask_as(0, "4", "tools/call", CALL META_OF("{\"roots\":{}}", AS("aa")));
	is_int((int)(kit_stops[1] + kit_stops[2] + kit_stops[3]), 0, "it gets none of its own by giving one up");
	ask_as(1, "1", "tools/call", CALL META_OF(ALL_CAPS, AS("bb")));
	ok(kit_stops[2] == 1 && kit_starts[2] == 2 && kit_stops[1] + kit_stops[3] == 0, "for another the one is ended in which it is only asked something");
	ok(quiet(0), "nothing is under way there that would have to be answered");
	ask_as(1, "2", "tools/call", CALL META_OF(ALL_CAPS, AS("cc")));
	is_int((int)(kit_stops[1] + kit_stops[2] + kit_stops[3]), 1, "half it keeps");

	/* What is answered does not hold the conversation while its caller is away. */
	legacy_begin();
	ask_as(0, "1", "tools/call", CALL AA);
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	{
		uint64_t id = kit_id;

		peer_say_of(1, id, "{\"jsonrpc\":\"2.0\",\"id\":9," ELICIT "}");
		(void)kept(next(0));
		peer_answer(1, id, "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"late\"}]}");
	}
	ask_as(1, "1", "tools/call", CALL META_OF(ALL_CAPS, AS("bb")));
	ask_as(1, "2", "tools/call", CALL META_OF(ALL_CAPS, AS("cc")));
	ask_as(1, "3", "tools/call", CALL META_OF(ALL_CAPS, AS("dd")));
	is_int((int)kit_starts[1], 2, "it is another's now");
	retry("2");
	ok(has(next(0), "\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"late\"}]"), "who comes back still has the answer");
}

/* Whoever makes the upstream end, again and again, makes only himself wait. */
static void crashing(void)
{
	legacy_begin();
	for (int i = 0; i < 3; i++) {
		ask_as(0, "1", "tools/call", CALL AA);
		legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
		(void)bridge_tick(kit);
		(void)peer_next(1);
		bridge_peer_down(kit, 1, SPAN("ended: signal 11"));
		(void)bridge_tick(kit);
		ok(has(next(0), i < 2 ? "\"id\":1,\"error\"" : "is not running for this caller"), "its call fails");
	}
	is_int((int)kit_starts[1], 2, "it is begun again at once, once");
	pass(400);
	ask_as(0, "2", "tools/call", CALL META_OF(ALL_CAPS, AS("bb")));
	is_int((int)(kit_starts[1] + kit_starts[2] + kit_starts[3]), 3, "another caller's is begun at once");
	ask_as(0, "3", "tools/call", CALL META_OF("{\"sampling\":{}}", AS("aa")));
	ok(has(next(0), "\"id\":3,\"error\":{\"code\":-32603,\"message\":\"Upstream \\\"old\\\" is not running for this caller"), "declaring something else helps nobody who waits");
	pass(700);
	ask_as(0, "5", "tools/call", CALL AA);
	is_int((int)(kit_starts[1] + kit_starts[2] + kit_starts[3]), 4, "after a second it may try again");
	ask_as(0, "6", "tools/list", META);
	ok(has(peer_next(0), "tools/list"), "nothing of that concerns the shared one");
}

/* Whoever waits for a conversation has it as soon as there may be one, even if nothing else happens then. */
static void waiting(void)
{
	struct bridge_settings s = kit_settings(BRIDGE_LEGACY);
	static const char *const others[] = { "{\"sampling\":{}}", ALL_CAPS, "{\"elicitation\":{\"url\":{}}}", "{\"roots\":{}}" };

	s.peers_max = 2;
	kit_begin_with(&s);
	ask_as(0, "0", "server/discover", META);
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	for (int i = 0; i < 2; i++) {
		ask_as(0, "1", "tools/call", CALL AA);
		legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
		(void)peer_next(1);
		bridge_peer_down(kit, 1, SPAN("ended: signal 11"));
		(void)bridge_tick(kit);
	}
	ask_as(1, "1", "tools/call", CALL META_OF(ALL_CAPS, AS("bb")));
	ok(kit_starts[1] == 2 && quiet(1), "the only one may not be begun again yet: another caller waits");
	pass(1000);
	ok(kit_starts[1] == 3 && quiet(1), "and has it when it may");

	legacy_begin();
	for (unsigned i = 0; i < 4; i++) {
		ask_declaring(i + 1, others[i]);
		if (i == 3)
			break;
		legacy_up(i + 1, INIT_RESULT("2025-11-25", OLD_CAPS));
		(void)peer_next(i + 1);
	}
	peer_say(2, "{\"jsonrpc\":\"2.0\",\"id\":9," ELICIT "}");
	ask_as(1, "1", "prompts/get", "\"name\":\"p\"," META_OF(ALL_CAPS, AS("bb")));
	ok(kit_starts[2] == 2 && quiet(1), "one is given to another caller");
	legacy_up(2, INIT_RESULT("2025-11-25", "{\"tools\":{}}"));
	ok(has(next(1), "does not offer") && kit_wait == 0, "who has no use for it after all: the next turn comes at once");
	(void)bridge_tick(kit);
	is_int((int)kit_starts[2], 3, "so that it is had by who has waited");
}

/* One caller does not fill all the places in which calls wait. */
static void crowding(void)
{
	unsigned refused = 0;

	legacy_begin();
	for (unsigned i = 0; i < 12; i++) {
		char id[8];

		snprintf(id, sizeof id, "%u", i);
		ask_as(0, id, "tools/call", CALL AA);
		if (!quiet(0) && has(next(0), "too many calls wait"))
			refused++;
	}
	is_int((int)refused, 8, "half of the places are for one caller");
	ask_as(1, "1", "tools/call", CALL META_OF(ALL_CAPS, AS("bb")));
	ok(quiet(1), "another one's call waits, too");
}

int main(void)
{
	crashing();
	crowding();
	waiting();
	words();
	claims();
	deaf();
	forgetting();
	asked_and_forgotten();
	shares();
	kit_end();
	return done_testing();
}
