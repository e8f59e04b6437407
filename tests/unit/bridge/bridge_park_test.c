/* What a legacy upstream asks in the middle of a call: who may be asked, how the call goes on, and everything that may come between. */
#include "kit.h"

static char kit_state[256]; /* of the last input_required */

/* The next line of a worker is an input_required; its requestState is kept. */
static const char *asked(unsigned worker)
{
	const char *m = next(worker), *at = strstr(m, "\"requestState\":\"");

	kit_state[0] = 0;
	if (at)
		sscanf(at + 16, "%255[^\"]", kit_state);
	return m;
}

static void retry(unsigned worker, const char *id, const char *rest, const char *state, const char *meta)
{
	char text[4000];

	snprintf(text, sizeof text, "\"name\":\"t\",\"arguments\":{\"n\":1},%s%s\"requestState\":\"%s\",%s", rest, rest[0] ? "," : "", state, meta);
	ask_as(worker, id, "tools/call", text);
}

#define ELICIT "\"method\":\"elicitation/create\",\"params\":{\"message\":\"Which?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}," \
	"\"_meta\":{\"x\":1},\"task\":{}}"
#define AA META_OF(ALL_CAPS, AS("aa"))
#define BB META_OF(ALL_CAPS, AS("bb"))
#define CALL "\"name\":\"t\",\"arguments\":{\"n\":1},"

/* A call of principal aa in its own peer 1, sent; its id at the upstream. */
static uint64_t called(void)
{
	legacy_begin();
	ask_as(0, "1", "tools/call", CALL META_OF(ALL_CAPS, AS("aa") TOKEN("\"p\"")));
	legacy_up(1, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	return kit_id;
}

static void question(unsigned peer, const char *id, const char *body)
{
	char text[2000];
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%s,%s}", id, body);
	peer_say(peer, text);
}

static void whole(void)
{
	uint64_t id;
	const char *m;

	legacy_begin();
	ask_as(0, "1", "tools/call", CALL META_OF("{\"elicitation\":{},\"sampling\":{\"tools\":{}}}", AS("aa")));
	ok(kit_starts[1] == 1 && peer_quiet(0), "who declares has a peer of its own");
	bridge_peer_up(kit, 1);
	ok(has(peer_next(1), "\"capabilities\":{\"elicitation\":{\"form\":{}},\"sampling\":{\"tools\":{}}}"), "which is told what");
	peer_answer(1, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(1);
	(void)peer_next(1);

	id = called();
	question(1, "\"q7\"", ELICIT);
	m = asked(0);
	ok(has(m, "\"id\":1,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"old.1\":{\"method\":\"elicitation/create\",\"params\":"
	    "{\"message\":\"Which?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}},\"requestState\":\"b1."), "asked, by the server's name");
	ok(hasnt(m, "cacheScope") && hasnt(m, "\"task\""), "without what is of the two of old");
	is_int(bridge_open_calls(kit), 0, "the request is over");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\",\"content\":{\"a\":1},\"_meta\":{}}}", kit_state, META_OF(ALL_CAPS, AS("aa") TOKEN("5")));
	m = peer_next(1);
	ok(has(m, "{\"jsonrpc\":\"2.0\",\"id\":\"q7\",\"result\":{\"action\":\"accept\",\"content\":{\"a\":1}}}") && kit_what == BRIDGE_RESPONSE, "the answer, under its id");
	{
		char text[200];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":1}}", (unsigned long long)id);
		peer_say(1, text);
		ok(has(next(0), "\"progressToken\":5"), "progress under the retry's token");
	}
	question(1, "8", ELICIT);
	ok(has(asked(0), "\"id\":2,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"old.1\""), "asked again");
	retry(1, "\"r\"", "\"inputResponses\":{\"old.1\":{\"action\":\"decline\"}}", kit_state, AA);
	ok(has(peer_next(1), "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{\"action\":\"decline\"}}"), "a retry may come by another worker");
	peer_answer(1, id, "\"result\":{\"content\":[]}");
	ok(has(next(1), "\"id\":\"r\",\"result\":{\"content\":[]") && quiet(0), "and has the answer");
	is_int((long)bridge_counted(kit)->parked, 2, "parked");
	is_int((long)bridge_counted(kit)->resumed, 2, "resumed");
	retry(0, "3", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, AA);
	ok(has(next(0), "-32602") && peer_quiet(1), "a state is good once");
}

static void kinds(void)
{
	uint64_t id = called();

	question(1, "1", "\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":5,\"includeContext\":\"thisServer\"}");
	ok(has(asked(0), "\"old.1\":{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":5}}"), "sampling, without a context that was not declared");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"role\":\"assistant\",\"content\":{\"type\":\"text\",\"text\":\"x\"},\"model\":\"m\"}}", kit_state, AA);
	ok(has(peer_next(1), "\"result\":{\"role\":\"assistant\",\"content\":{\"type\":\"text\",\"text\":\"x\"},\"model\":\"m\"}"), "its answer");
	question(1, "2", "\"method\":\"roots/list\"");
	ok(has(asked(0), "\"old.1\":{\"method\":\"roots/list\"}"), "roots");
	retry(0, "3", "\"inputResponses\":{\"old.1\":{\"roots\":[]}}", kit_state, AA);
	ok(has(peer_next(1), "\"id\":2,\"result\":{\"roots\":[]}"), "its answer");
	question(1, "3", "\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a.example/x\",\"elicitationId\":\"e\"}");
	ok(has(asked(0), "{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a.example/x\"}"), "a URL");
	retry(0, "4", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, AA);
	(void)peer_next(1);
	{
		static const char *const bad[] = {
			"\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"m\",\"url\":\"javascript:alert(1)\"}",
			"\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a b\"}",
			"\"method\":\"elicitation/create\",\"params\":{\"mode\":\"voice\",\"message\":\"m\",\"requestedSchema\":{}}",
			"\"method\":\"elicitation/create\",\"params\":{\"requestedSchema\":{}}",
			"\"method\":\"elicitation/create\"",
			"\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":1,\"tools\":[]}",
			"\"method\":\"sampling/createMessage\",\"params\":{\"messages\":{}}",
			"\"method\":\"tasks/get\",\"params\":{}",
			"\"method\":\"tools/call\",\"params\":{}",
		};
		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
			question(1, "\"b\"", bad[i]);
			ok(has(peer_next(1), "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"error\":{\"code\":-32601") && quiet(0), bad[i]);
		}
	}
	question(1, "9", "\"method\":\"ping\"");
	ok(has(peer_next(1), "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}"), "ping");
	question(0, "10", ELICIT);
	ok(has(peer_next(0), "\"id\":10,\"error\""), "nobody of the shared peer is asked");
	peer_answer(1, id, "\"result\":{\"content\":[]}");
	(void)next(0);
	question(1, "11", ELICIT);
	ok(has(peer_next(1), "\"id\":11,\"error\""), "nor is anybody when no call is under way");
	ask_as(0, "20", "tools/list", AA);
	ok(has(peer_next(1), "tools/list"), "a list of the same principal");
	question(1, "12", ELICIT);
	ok(has(peer_next(1), "\"id\":12,\"error\""), "lists are asked nothing");
}

static void states(void)
{
	char state[256], bent[256];
	uint64_t id = called();

	question(1, "1", ELICIT);
	(void)asked(0);
	strcpy(state, kit_state);
	for (size_t i = 0; i < strlen(state); i += 7) {
		strcpy(bent, state);
		bent[i] = bent[i] == 'A' ? 'B' : 'A';
		retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", bent, AA);
		if (!has(next(0), "-32602"))
			break;
	}
	ok(peer_quiet(1), "no byte of a state can be changed");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", "", AA);
	ok(has(next(0), "-32602"), "an empty one");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", state, BB);
	ok(has(next(0), "-32602") && peer_quiet(1), "another principal");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", state, META);
	ok(has(next(0), "-32602") && peer_quiet(1), "no principal");
	{
		char text[1000];
		snprintf(text, sizeof text, "\"name\":\"t\",\"arguments\":{\"n\":2},\"requestState\":\"%s\"," AA, state);
		ask_as(0, "2", "tools/call", text);
		ok(has(next(0), "-32602"), "other arguments");
		snprintf(text, sizeof text, "\"name\":\"u\",\"arguments\":{\"n\":1},\"requestState\":\"%s\"," AA, state);
		ask_as(0, "2", "tools/call", text);
		ok(has(next(0), "-32602"), "another tool");
		snprintf(text, sizeof text, "\"name\":\"t\",\"arguments\":{\"n\":1},\"requestState\":\"%s\"," AA, state);
		ask_as(0, "2", "prompts/get", text);
		ok(has(next(0), "-32602"), "another method");
		snprintf(text, sizeof text, "\"name\":\"t\",\"arguments\":{\"n\":1},\"requestState\":7," AA);
		ask_as(0, "2", "tools/call", text);
		ok(has(next(0), "-32602"), "no string");
	}
	{
		static const char *const bad[] = {
			"\"inputResponses\":null", "\"inputResponses\":[]", "\"inputResponses\":{\"old.1\":null}", "\"inputResponses\":{\"old.1\":[]}",
			"\"inputResponses\":{\"old.1\":{\"action\":\"maybe\"}}", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\",\"content\":3}}",
		};
		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
			retry(0, "2", bad[i], state, AA);
			ok(has(next(0), "-32602") && peer_quiet(1), bad[i]);
		}
	}
	retry(0, "3", "\"inputResponses\":{\"other\":{\"action\":\"accept\"}}", state, AA);
	ok(has(asked(0), "\"id\":3,\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"old.1\":") && strcmp(state, kit_state) != 0, "without the answer it is asked again");
	retry(0, "4", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", state, AA);
	ok(has(next(0), "-32602"), "and the state of before is worth nothing");
	retry(0, "5", "", kit_state, AA);
	(void)asked(0);
	pass(59000);
	retry(0, "6", "\"inputResponses\":{\"old.1\":{\"action\":\"cancel\"}}", kit_state, AA);
	ok(has(peer_next(1), "\"action\":\"cancel\""), "in time");
	peer_answer(1, id, "\"result\":{\"content\":[]}");
	(void)next(0);
	{
		struct bridge_settings s = kit_settings(BRIDGE_LEGACY);
		(void)called();
		question(1, "1", ELICIT);
		(void)asked(0);
		strcpy(state, kit_state);
		memset(s.key, 8, sizeof s.key);
		kit_begin_with(&s);
		ask_as(0, "1", "server/discover", META);
		legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
		(void)next(0);
		retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", state, AA);
		ok(has(next(0), "-32602"), "another process");
	}
}

static void several(void)
{
	uint64_t id = called();

	question(1, "1", ELICIT);
	(void)asked(0);
	question(1, "2", "\"method\":\"roots/list\"");
	question(1, "3", ELICIT);
	question(1, "4", ELICIT);
	question(1, "5", ELICIT);
	ok(has(peer_next(1), "\"id\":5,\"error\":{\"code\":-32603") && quiet(0), "as many questions as there may be");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, AA);
	ok(has(peer_next(1), "\"id\":1,\"result\""), "the first is answered");
	{
		const char *m = asked(0);
		ok(has(m, "\"old.2\":{\"method\":\"roots/list\"}") && has(m, "\"old.3\"") && has(m, "\"old.4\"") && hasnt(m, "old.1"), "the others are asked together");
	}
	peer_say(1, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3}}");
	retry(0, "3", "\"inputResponses\":{\"old.2\":{\"roots\":[]},\"old.3\":{\"action\":\"accept\"},\"old.4\":{\"action\":\"decline\"}}", kit_state, AA);
	ok(has(peer_next(1), "\"id\":2,") && has(peer_next(1), "\"id\":4,") && peer_quiet(1), "what it does not want any more it is not told");
	peer_answer(1, id, "\"result\":{\"content\":[]}");
	ok(has(next(0), "\"id\":3,\"result\""), "the answer");
}

static void meanwhile(void)
{
	uint64_t id = called();
	char state[256];

	question(1, "1", ELICIT);
	(void)asked(0);
	peer_answer(1, id, "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"gave up\"}],\"isError\":true}");
	peer_answer(1, id, "\"result\":{\"content\":[]}");
	ok(quiet(0), "it answers while nobody waits");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, AA);
	ok(has(next(0), "\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"gave up\"}],\"isError\":true,\"resultType\":\"complete\"") && peer_quiet(1), "the retry has it");

	id = called();
	question(1, "1", ELICIT);
	(void)asked(0);
	strcpy(state, kit_state);
	pass(60001);
	ok(has(peer_next(1), "\"id\":1,\"result\":{\"action\":\"cancel\"}") && has(peer_next(1), "notifications/cancelled") && quiet(0), "nobody answers: it is told, and cancelled");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", state, AA);
	ok(has(next(0), "-32602"), "too late");
	peer_answer(1, id, "\"result\":{}");
	ok(quiet(0), "and what it still says is dropped");

	(void)called();
	question(1, "1", "\"method\":\"roots/list\"");
	(void)asked(0);
	bridge_peer_down(kit, 1, SPAN("ended"));
	ok(quiet(0), "a peer ends with a parked call");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"roots\":[]}}", kit_state, AA);
	ok(has(next(0), "-32602"), "whose retry is told");

	(void)called();
	question(1, "1", ELICIT);
	(void)asked(0);
	bridge_worker_down(kit, 0);
	bridge_worker_up(kit, 0);
	ok(peer_quiet(1), "a worker that ends does not end what is parked");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, AA);
	ok(has(peer_next(1), "\"action\":\"accept\""), "the retry goes on");
	say(0, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}");
	ok(has(peer_next(1), "notifications/cancelled") && bridge_open_calls(kit) == 0, "and can be cancelled");

	(void)called();
	question(1, "1", ELICIT);
	(void)asked(0);
	kit_peer[1].closed = true;
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, AA);
	ok(has(next(0), "does not read what it is sent"), "an answer that cannot be passed on");

	(void)called();
	kit_worker[0].closed = true;
	question(1, "1", ELICIT);
	kit_worker[0].closed = false;
	ok(has(peer_next(1), "\"action\":\"cancel\"") && has(peer_next(1), "notifications/cancelled"), "a caller who cannot be asked");
	pass(60);
	ok(has(next(0), "\"id\":1,\"error\""), "is told so");
}

static void bounds(void)
{
	char text[300];

	(void)called();
	question(1, "1", ELICIT);
	(void)asked(0);
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof text, "%d", i + 10);
		ask_as(0, text, "tools/call", CALL AA);
		(void)peer_next(1);
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d," ELICIT "}", i + 10);
		peer_say_of(1, kit_id, text);
		ok(has(asked(0), "input_required"), "with the id of its stream it is that call's");
	}
	ask_as(0, "20", "tools/call", CALL AA);
	(void)peer_next(1);
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":20," ELICIT "}");
	peer_say_of(1, kit_id, text);
	ok(has(peer_next(1), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"cancel\"}}") && has(peer_next(1), "notifications/cancelled") &&
		has(asked(0), "\"id\":20,") && peer_quiet(1), "one principal parks so many: the oldest is given up for a new one");
	peer_say_of(1, 4711, text);
	ok(has(peer_next(1), "\"id\":20,\"error\":{\"code\":-32601"), "a stream of nobody");
	ask_as(0, "30", "tools/call", CALL BB);
	legacy_up(2, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(2);
	question(2, "1", ELICIT);
	ok(has(asked(0), "\"id\":30,") && kit_starts[2] == 1, "another one may");
	ask_as(0, "40", "tools/call", CALL META_OF(ALL_CAPS, AS("cc")));
	legacy_up(3, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(3);
	question(3, "1", ELICIT);
	ok(has(peer_next(3), "\"error\"") && quiet(0), "all together so many");
	{
		char *big = malloc(66000);
		memset(big, 'a', 66000);
		memcpy(big, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"roots/list\",\"params\":{\"a\":\"", 61);
		strcpy(big + 65533, "\"}}");
		pass(61000);
		for (unsigned i = 1; i < 4; i++)
			while (!peer_quiet(i))
				(void)peer_next(i);
		while (!quiet(0))
			(void)next(0);
		ask_as(0, "50", "tools/call", CALL AA);
		(void)peer_next(1);
		peer_say(1, big);
		ok(has(next(0), "\"old.1\":{\"method\":\"roots/list\",\"params\":{\"a\":\"aaaa"), "a question of the limit");
		free(big);
	}
}

static void urls(void)
{
	(void)called();
	peer_answer(1, kit_id, "\"error\":{\"code\":-32042,\"message\":\"log in\",\"data\":{\"elicitations\":[{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a.example/\",\"elicitationId\":\"e\"}]}}");
	ok(has(asked(0), "\"inputRequests\":{\"old.1\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a.example/\"}}}"), "-32042 is a question");
	retry(0, "2", "\"inputResponses\":{}", kit_state, AA);
	ok(has(next(0), "-32602"), "it must be answered");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"decline\"}}", kit_state, AA);
	ok(has(next(0), "declined") && peer_quiet(1), "with no: that is all");
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, BB);
	ok(has(next(0), "-32602"), "by the caller");
	retry(0, "3", "\"inputResponses\":{\"old.1\":{\"action\":\"accept\"}}", kit_state, AA);
	ok(has(peer_next(1), "\"params\":{\"name\":\"t\",\"arguments\":{\"n\":1}}}"), "with yes: the call is made again, as it was");
	peer_answer(1, kit_id, "\"error\":{\"code\":-32042,\"message\":\"log in\",\"data\":{\"elicitations\":[{\"mode\":\"url\",\"message\":\"m\",\"url\":\"file:///etc\"}]}}");
	ok(has(next(0), "\"code\":-32603,\"message\":\"log in\",\"data\":{\"upstream\":\"old\",\"code\":-32042"), "a URL that is not shown to anybody");
	ask_as(0, "4", "tools/call", CALL META_OF("{\"elicitation\":{}}", AS("aa")));
	legacy_up(2, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(2);
	peer_answer(2, kit_id, "\"error\":{\"code\":-32042,\"message\":\"log in\",\"data\":{\"elicitations\":[{\"mode\":\"url\",\"message\":\"m\",\"url\":\"https://a.example/\"}]}}");
	ok(has(next(0), "{\"code\":-32021,"), "who has not declared it is told what is missing");
}

static void revisions(void)
{
	legacy_begin();
	ask_as(0, "1", "tools/call", CALL AA);
	legacy_up(1, INIT_RESULT("2025-06-18", OLD_CAPS));
	(void)peer_next(1);
	question(1, "1", "\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":5}");
	(void)asked(0);
	retry(0, "2", "\"inputResponses\":{\"old.1\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"model\":\"m\"}}", kit_state, AA);
	ok(has(peer_next(1), "{\"role\":\"assistant\",\"model\":\"m\",\"content\":{\"type\":\"text\",\"text\":\"x\"}}"), "2025-06-18 has one part");
	question(1, "2", "\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":5}");
	(void)asked(0);
	retry(0, "3", "\"inputResponses\":{\"old.1\":{\"role\":\"assistant\",\"content\":[{},{}],\"model\":\"m\"}}", kit_state, AA);
	ok(has(peer_next(1), "\"id\":2,\"error\""), "and no more");
}

static void not_allowed(void)
{
	struct bridge_settings s = kit_settings(BRIDGE_LEGACY);

	s.ask = BRIDGE_ASK_SAMPLING;
	kit_begin_with(&s);
	ask_as(0, "1", "tools/call", CALL AA);
	legacy_up(0, INIT_RESULT("2025-11-25", OLD_CAPS));
	bridge_peer_up(kit, 1);
	ok(has(peer_next(1), "\"capabilities\":{\"sampling\":{}}"), "only what the operator allows is declared");
	s.ask = 7;
	s.peers_max = 1;
	kit_begin_with(&s);
	ask_as(0, "1", "tools/call", CALL AA);
	bridge_peer_up(kit, 0);
	ok(has(peer_next(0), "\"capabilities\":{}"), "one peer for all: nothing is");
	peer_answer(0, kit_id, INIT_RESULT("2025-11-25", OLD_CAPS));
	(void)peer_next(0);
	ok(has(peer_next(0), "tools/call"), "and the call goes there");
	question(0, "1", ELICIT);
	ok(has(peer_next(0), "\"error\":{\"code\":-32601") && quiet(0), "nobody is asked");
}

int main(void)
{
	whole();
	kinds();
	states();
	several();
	meanwhile();
	bounds();
	urls();
	revisions();
	not_allowed();
	kit_end();
	return done_testing();
}
