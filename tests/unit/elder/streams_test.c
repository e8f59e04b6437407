/* elder: what goes to clients besides answers: requests of the server, the GET stream and what it is subscribed to, and what is kept for who comes back. */
#include "unit/elder/elder_kit.h"

#define CALL(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{\"a\":1}}}"
#define DONE "\"result\":{\"resultType\":\"complete\",\"content\":[]}}"
#define FORM "{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"Who?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"string\"}}}}}"

static void inputs(void)
{
	const char *s;

	kit_begin();
	begin_session("2025-11-25", CAPS_ALL);
	post(CALL("1"));
	said();
	answered("\"result\":{\"resultType\":\"input_required\",\"requestState\":\"S\\u0031\",\"inputRequests\":{\"k\\\"1\":" FORM ",\"k2\":{\"method\":\"roots/list\"},"
		"\"k3\":{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":5}},"
		"\"k4\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"Go\",\"url\":\"https://x/\"}}}}}");
	s = said();
	has(s, "stream 0.", "what the server wants to know goes on the stream of the request");
	has(s, "-1 {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"Who?\"", "an elicitation");
	has(s, "-2 {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"roots/list\"}", "roots");
	has(s, "-3 {\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[],\"maxTokens\":5}}", "sampling");
	has(s, "-4 {\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":\"Go\",\"url\":\"https://x/\",\"elicitationId\":\"e-", "a URL, with an id of ours");
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"roots\":[]}}");
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"roots\":[1]}}");
	post("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"action\":\"accept\"}}");
	post("{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}");
	caller = bob;
	post("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"role\":\"assistant\",\"content\":{},\"model\":\"evil\"}}");
	caller = alice;
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\",\"content\":{\"n\":\"me\"}}}");
	s = said();
	hasnt(s, "ask ", "the request waits until all is known");
	has(s, " 202 \n", "and each response is accepted");
	has(s, " 404 {", "but not another principal's");
	post("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"role\":\"assistant\",\"content\":{},\"model\":\"m\"}}");
	s = said();
	has(s, "ask 0 tools/call [t] ", "then it is asked again");
	has(s, "\"params\":{\"name\":\"t\",\"arguments\":{\"a\":1},\"inputResponses\":{\"k\\\"1\":{\"action\":\"accept\",\"content\":{\"n\":\"me\"}},\"k2\":{\"roots\":[]},"
		"\"k3\":{\"role\":\"assistant\",\"content\":{},\"model\":\"m\"},\"k4\":{\"action\":\"accept\"}},\"requestState\":\"S\\u0031\",\"_meta\":{", "with the answers, and its state byte for byte");
	answered("\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"again\":" FORM "}}}");
	s = said();
	has(s, "notifications/elicitation/complete\",\"params\":{\"elicitationId\":\"e-", "a URL that was opened is done with");
	has(s, "\"id\":5,\"method\":\"elicitation/create\"", "a second round");
	post("{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-1,\"message\":\"no\"}}");
	s = said();
	has(s, "\"inputResponses\":{\"again\":{\"action\":\"cancel\"}},\"_meta\"", "who cannot answer an elicitation cancels it; there is no state if none was given");
	answered(DONE);
	has(said(), "\"id\":1,\"result\":{\"content\":[]}}\nend ", "and the answer comes on the same stream");
	is_uint(elder_calls(elder), 0, "that was it");

	/* refusals */
	static const struct { const char *version, *caps, *request, *want; } refused[] = {
		{ "2025-11-25", "{}", FORM, "which the client has not declared" },
		{ "2025-11-25", "{}", "{\"method\":\"roots/list\"}", "which the client has not declared" },
		{ "2025-11-25", "{\"sampling\":{}}", "{\"method\":\"sampling/createMessage\",\"params\":{\"tools\":[]}}", "sampling with tools" },
		{ "2025-11-25", "{\"elicitation\":{}}", "{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\"}}", "a URL" },
		{ "2025-03-26", "{\"elicitation\":{}}", FORM, "which the client has not declared" },
		{ "2025-06-18", "{\"elicitation\":{}}", "{\"method\":\"elicitation/create\",\"params\":{\"requestedSchema\":{\"properties\":{\"a\":{\"type\":\"array\"}}}}}", "several choices" },
		{ "2025-06-18", "{\"sampling\":{}}", "{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"tool_use\"}]}]}}", "uses of tools" },
		{ "2025-11-25", CAPS_ALL, "{\"method\":\"ping\",\"params\":{}}", "not known here" },
		{ "2025-11-25", CAPS_ALL, "5", "cannot be read" },
	};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		char rest[1024];

		kit_begin();
		begin_session(refused[i].version, refused[i].caps);
		post(CALL("1"));
		said();
		snprintf(rest, sizeof rest, "\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":%s}}}", refused[i].request);
		answered(rest);
		s = said();
		has(s, refused[i].want, refused[i].request);
		has(s, "\"isError\":true", "a tool's failure is a result");
		is_uint(elder_calls(elder), 0, "and the end of it");
	}
	kit_begin();
	begin_session("2025-06-18", "{\"elicitation\":{},\"sampling\":{}}");
	post(CALL("1"));
	said();
	answered("\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"form\",\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\","
		"\"properties\":{\"c\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"a\",\"title\":\"A\"},{\"const\":\"b\",\"title\":\"B\"}],\"default\":\"a\"},\"d\":{\"type\":\"boolean\",\"default\":true}},\"required\":[\"c\"]}}},"
		"\"l\":{\"method\":\"sampling/createMessage\",\"params\":{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"1\"},{\"type\":\"text\",\"text\":\"2\"}]}],\"maxTokens\":1}}}}}");
	s = said();
	has(s, "\"params\":{\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"],\"enumNames\":[\"A\",\"B\"]},"
		"\"d\":{\"type\":\"boolean\",\"default\":true}},\"required\":[\"c\"]}}", "2025-06-18: choices with titles in its words, without mode");
	has(s, "\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"1\"}},{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"2\"}}]", "one block a message");
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-1,\"message\":\"no model\"}}");
	has(said(), "The client did not answer sampling/createMessage: no model\"}],\"isError\":true", "without sampling the call has failed");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\"}}");
	hasnt(said(), "ask", "and a late answer means nothing");

	/* rounds, delays, time */
	kit_begin();
	begin_session("2025-11-25", CAPS_ALL);
	post(CALL("1"));
	for (unsigned i = 0; i < ELDER_ROUNDS; i++) {
		said();
		answered("\"result\":{\"resultType\":\"input_required\",\"requestState\":\"x\"}}");
		hasnt(said(), "ask", "asked to come again: not at once");
		now += 100000;
		elder_tick(elder, now);
		has(said(), "\"requestState\":\"x\",\"_meta\"", "but after a while");
	}
	answered("\"result\":{\"resultType\":\"input_required\",\"requestState\":\"x\"}}");
	has(said(), "too many times", "and not for ever");
	post(CALL("1"));
	said();
	answered("\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":" FORM "}}}");
	said();
	now += ELDER_ANSWER_MS;
	elder_tick(elder, now);
	s = said();
	has(s, "\"notifications/cancelled\",\"params\":{\"requestId\":1,", "a user who does not answer is told that it is too late");
	has(s, "\"inputResponses\":{\"a\":{\"action\":\"cancel\"}}", "and has cancelled");
	post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
	s = said();
	has(s, "drop\n", "a call that has asked can be cancelled");
	has(s, "end 0.", "its stream ends");
	uint64_t http = post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\"m:a\"}}");
	said();
	elder_client_gone(elder, 0, http, now);
	answered("\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":" FORM "}}}");
	is_str(said(), "", "nobody to ask");
	is_uint(elder_calls(elder), 0, "nothing to wait for");
}

/* What waits for one caller never takes all the room there is for what waits. */
static void hoarding(void)
{
	static char body[61000];
	const char *s;
	unsigned kept = 0;

	kit_begin();
	kit_set.kept = 1 << 20;
	kit_set.calls = 64;
	kit_place();
	for (unsigned i = 0; i < 3; i++) {
		begin_session("2025-11-25", "{}");
		size_t n = (size_t)sprintf(body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{\"a\":\"");
		memset(body + n, 'x', 60000);
		strcpy(body + n + 60000, "\"}}}");
		for (unsigned k = 0; k < 10; k++) {
			post(body);
			s = said();
			kept += strstr(s, "ask ") != NULL;
		}
		has(s, " 503 again {", "long requests, in one session after the other");
	}
	ok(kept >= 8 && kept <= 9, "half of the room is one caller's at most");
	caller = bob;
	begin_session("2025-11-25", "{}");
	post(body);
	has(said(), "ask ", "another has room");
	caller = alice;
}

static char first_id[64];

static void coming_back(void)
{
	const char *s;
	uint64_t http, get;
	char last[96];

	kit_begin();
	begin_session("2025-11-25", "{}");
	http = post(CALL("1"));
	said();
	now += ELDER_OPEN_MS;
	elder_tick(elder, now);
	s = said();
	has(s, "stream 0.", "a request that takes long becomes a stream");
	snprintf(first_id, sizeof first_id, "%.*s", (int)strcspn(strchr(strstr(s, "event 0.") + 8, ' ') + 1, " "), strchr(strstr(s, "event 0.") + 8, ' ') + 1);
	elder_client_gone(elder, 0, http, now);
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1}}");
	is_str(said(), "", "while its client is gone nothing is said");
	by_worker = 1;
	get = come(ELDER_BY_GET, sid, NULL, first_id, NULL);
	s = said();
	has(s, "stream 1.", "it comes back, by another worker");
	has(s, "-1 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"", "and hears what it missed");
	hasnt(s, "end ", "the stream goes on");
	answered(DONE);
	has(said(), "-2 {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\nend 1.", "with the answer");
	(void)get;
	by_worker = 0;
	come(ELDER_BY_GET, sid, NULL, first_id, NULL);
	s = said();
	has(s, "-1 {", "all of it once more");
	has(s, "-2 {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\nend 0.", "when it is over, too");
	snprintf(last, sizeof last, "%.*s-2", (int)strcspn(first_id, "-"), first_id);
	come(ELDER_BY_GET, sid, NULL, last, NULL);
	has(said(), " 400 {", "nothing is behind the last event");
	static const char *const odd[] = { "x", "1", "-", "99-0", "1-x", "18446744073709551616-1", "" };
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		come(ELDER_BY_GET, sid, NULL, odd[i], NULL);
		has(said(), " 400 {", odd[i]);
	}
	caller = bob;
	come(ELDER_BY_GET, sid, NULL, first_id, NULL);
	has(said(), " 404 {", "another principal hears nothing");
	caller = alice;

	/* a client too slow */
	http = post(CALL("2"));
	said();
	refuse_event = true;
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}");
	refuse_event = false;
	said();
	answered(DONE);
	is_str(said(), "", "a client that lost its stream is told nothing on it");
	snprintf(last, sizeof last, "%d-0", atoi(first_id) + 1);
	come(ELDER_BY_GET, sid, NULL, last, NULL);
	s = said();
	has(s, "-1 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"", "but all of it when it comes back");
	has(s, "-2 {\"jsonrpc\":\"2.0\",\"id\":2,\"result\"", "with the answer");

	/* too long to be kept */
	http = post(CALL("3"));
	said();
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}");
	elder_client_gone(elder, 0, http, now);
	static char big[70000];
	size_t n = (size_t)sprintf(big, "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"");
	memset(big + n, 'a', 64 << 10);
	strcpy(big + n + (64 << 10), "\"}]}}");
	said();
	answered(big);
	snprintf(last, sizeof last, "%d-1", atoi(first_id) + 2);
	come(ELDER_BY_GET, sid, NULL, last, NULL);
	has(said(), "\"id\":3,\"error\":{\"code\":-32603,\"message\":\"The answer came while no client was there", "what was too long to be kept is at least said");

	/* the oldest give way */
	for (unsigned i = 0; i < 40; i++) {
		http = post(CALL("4"));
		answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}");
		snprintf(big + n + 4000, 10, "\"}]}}");
		answered(big);
	}
	said();
	come(ELDER_BY_GET, sid, NULL, last, NULL);
	has(said(), " 400 {", "what was kept first goes first");
	snprintf(last, sizeof last, "%d-1", atoi(first_id) + 42);
	come(ELDER_BY_GET, sid, NULL, last, NULL);
	has(said(), "\"id\":4,\"result\"", "the last is there");

	/* a worker dies */
	by_worker = 1;
	http = post(CALL("5"));
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}");
	said();
	elder_worker_lost(elder, 1, now);
	elder_over(elder, asked_last, SPAN("lost"), now);
	is_str(said(), "", "what a worker's clients should hear is not said to nobody");
	by_worker = 0;
	snprintf(last, sizeof last, "%d-1", atoi(first_id) + 43);
	come(ELDER_BY_GET, sid, NULL, last, NULL);
	has(said(), "\"id\":5,\"error\":{\"code\":-32603,\"message\":\"No answer came: lost\"}}\nend 0.", "but by another");
	/* older revisions get no event without data */
	begin_session("2025-06-18", "{}");
	http = post(CALL("6"));
	now += ELDER_OPEN_MS;
	elder_tick(elder, now);
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}");
	s = said();
	has(s, "-1 {", "2025-06-18 has ids");
	hasnt(s, "-0 \n", "but none without data");
	answered(DONE);
}

#define ACK(uris) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{\"resourceSubscriptions\":[" uris "]}," \
	"\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":1}}}"
#define NOTE(what, params) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" what "\",\"params\":{" params "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":1}}}"
#define SUBSCRIBE(uri) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"" uri "\"}}"

static void listening(void)
{
	const char *s;
	uint64_t get, old;

	kit_begin();
	begin_session("2025-11-25", "{}");
	get = come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	s = said();
	has(s, "stream 0.", "a GET is a stream");
	has(s, "0-0 \n", "that begins with an id");
	has(s, "ask 0 subscriptions/listen <id1> ", "and a listen begins");
	has(s, "\"params\":{\"notifications\":{\"toolsListChanged\":true,\"resourcesListChanged\":true},\"_meta\":{", "for what can change");
	answer(asked_last, NOTE("tools/list_changed", ""));
	is_str(said(), "", "not before it is acknowledged");
	answer(asked_last, ACK(""));
	answer(asked_last, NOTE("tools/list_changed", ""));
	has(said(), "0-1 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n", "what changes comes without its tag");

	old = asked_last;
	post(SUBSCRIBE("m:a"));
	s = said();
	has(s, "\"resourceSubscriptions\":[\"m:a\"]", "a subscription changes the listen");
	hasnt(s, "reply", "and is answered when it is in force");
	hasnt(s, "drop", "the old one stays so long");
	post(SUBSCRIBE("m:b"));
	is_str(said(), "", "another waits for its turn");
	answer(asked_last, ACK("\"m:a\""));
	s = said();
	has(s, "drop older\n", "then the old one ends");
	has(s, " 200 {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "the first is answered");
	has(s, "\"resourceSubscriptions\":[\"m:a\",\"m:b\"]", "and the next begins");
	answer(asked_last, ACK("\"m:a\""));
	s = said();
	has(s, "\"error\":{\"code\":-32002", "what is not acknowledged is not there");
	answer(asked_last, ACK("\"m:a\""));
	said();
	elder_over(elder, old, SPAN("x"), now);
	is_str(said(), "", "the end of what was dropped means nothing");
	answer(asked_last, NOTE("resources/updated", "\"uri\":\"m:a/1\","));
	has(said(), "0-2 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"m:a/1\"}}\n", "updates come");
	post(SUBSCRIBE("m:\\u0061"));
	has(said(), "\"result\":{}", "the same resource again is nothing new");

	/* without a stream it waits, and is there when one comes */
	elder_client_gone(elder, 0, get, now);
	answer(asked_last, NOTE("tools/list_changed", ""));
	answer(asked_last, NOTE("tools/list_changed", ""));
	answer(asked_last, NOTE("resources/updated", "\"uri\":\"m:a\","));
	is_str(said(), "", "without a stream nothing is said");
	get = come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	s = said();
	has(s, "0-3 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n", "the next stream brings it");
	has(s, "0-4 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\"", "each change once");
	hasnt(s, "0-5", "and no more");
	come(ELDER_BY_GET, sid, NULL, "0-3", NULL);
	s = said();
	has(s, "end 0.", "a second stream takes the first one's place");
	has(s, "0-4 {", "and goes on behind the last event it names");
	hasnt(s, "0-3 {", "not before");

	/* a lost listen */
	elder_over(elder, asked_last, SPAN("lost"), now);
	hasnt(said(), "ask", "a lost listen is not asked for at once");
	now += 1000;
	elder_tick(elder, now);
	has(said(), "\"resourceSubscriptions\":[\"m:a\"]", "but soon");
	answer(asked_last, ACK("\"m:a\""));
	s = said();
	has(s, "tools/list_changed", "and what may have been missed is said to have changed");
	has(s, "resources/list_changed", "all of it");
	elder_over(elder, asked_last, SPAN("lost"), now);
	for (unsigned i = 0, last = asked_count; i < 8; i++) {
		now += 60000;
		elder_tick(elder, now);
		is_uint(asked_count - last, 1, "tried again and again");
		last = asked_count;
		elder_over(elder, asked_last, SPAN("refused"), now);
	}
	now += 1000;
	unsigned before = asked_count;
	elder_tick(elder, now);
	is_uint(asked_count - before, 0, "but ever more seldom");
	said();
	now += 60000;
	elder_tick(elder, now);
	said();
	post(SUBSCRIBE("m:c"));
	is_str(said(), "", "a subscription waits");
	elder_over(elder, asked_last, SPAN("refused"), now);
	is_str(said(), "", "for its own listen");
	now += ELDER_ACK_MS;
	elder_tick(elder, now);
	has(said(), "\"error\":{\"code\":-32603", "and not for ever");

	kit_begin();
	begin_session("2025-11-25", "{}");
	post(SUBSCRIBE("m:a"));
	said();
	elder_over(elder, asked_last, SPAN("refused"), now);
	has(said(), "\"error\":{\"code\":-32603,\"message\":\"The server cannot be listened to\"}", "a listen that is refused is said at once to who waits for it");
	post(SUBSCRIBE("m:a"));
	now += 5000;
	elder_tick(elder, now);
	said();
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/subscribe\",\"params\":{}}");
	has(said(), "-32602", "a subscription to nothing");
	for (unsigned i = 0; i < ELDER_URIS; i++) {
		char body[128];

		snprintf(body, sizeof body, SUBSCRIBE("m:%u"), i);
		post(body);
		said();
		if (i == 0)
			answer(asked_last, ACK("\"m:0\""));
	}
	is_uint(elder_calls(elder) <= 8, true, "waiting subscriptions are requests in progress");
	come(ELDER_BY_DELETE, sid, NULL, NULL, NULL);
	s = said();
	is_uint(elder_calls(elder), 0, "all end with the session");
	has(s, "drop", "and the listen too");

	kit_begin();
	kit_set.kept_each = kit_set.kept;
	kit_place();
	begin_session("2025-11-25", "{}");
	post(SUBSCRIBE("m:a"));
	answer(asked_last, ACK("\"m:a\""));
	said();
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"m:a\"}}");
	has(said(), "\"result\":{}", "unsubscribed");
	now += 40000;
	elder_tick(elder, now);
	has(said(), "drop", "without a stream and a subscription nobody listens");
	get = come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	said();
	answer(asked_last, ACK(""));
	s = said();
	has(s, "tools/list_changed", "who comes when nobody listened any more is told that each list may have changed");
	has(s, "resources/list_changed", "that of resources too");
	elder_client_gone(elder, 0, get, now);
	for (unsigned i = 0; i < 1000; i++) {
		char note[256];

		snprintf(note, sizeof note, NOTE("resources/updated", "\"uri\":\"m:%u\","), i);
		answer(asked_last, note);
	}
	come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	s = said();
	has(s, "0-1002 {", "of much the last is kept");
	has(s, "0-747 {", "256 at most");
	hasnt(s, "0-746 {", "and no more");
}

static void stale(void)
{
	kit_begin();
	begin_session("2025-11-25", "{}");
	come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	answer(asked_last, ACK(""));
	said();
	now += ELDER_FRESH_MS - 1;
	elder_tick(elder, now);
	is_str(said(), "", "a stream whose client says nothing else goes on");
	now += 1000;
	elder_tick(elder, now);
	has(said(), "end 0.", "until who it is for should be said anew");
	come(ELDER_BY_GET, sid, NULL, "0-0", NULL);
	has(said(), "stream 0.", "it comes again");
}

/* A client whose worker has no room for an event has lost its stream, and not what was said on it, nor its session. */
static void no_room(void)
{
	const char *s;

	kit_begin();
	begin_session("2025-11-25", "{}");
	come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	answer(asked_last, ACK(""));
	said();
	for (unsigned i = 0; i < 100; i++) { /* longer than a session without use lasts */
		now += 1000;
		elder_tick(elder, now);
	}
	refuse_event = true;
	answer(asked_last, NOTE("tools/list_changed", ""));
	refuse_event = false;
	now += 1000;
	elder_tick(elder, now);
	answer(asked_last, NOTE("prompts/list_changed", ""));
	s = said();
	hasnt(s, "drop", "a stream that is lost for want of room is listened for a while longer");
	is_uint(elder_sessions(elder), 1, "and its session goes on");
	come(ELDER_BY_GET, sid, NULL, "0-0", NULL);
	s = said();
	has(s, "tools/list_changed", "who comes again hears what was missed");
	has(s, "prompts/list_changed", "and what was said meanwhile");
}

int main(void)
{
	no_room();
	hoarding();
	stale();
	inputs();
	coming_back();
	listening();
	return done_testing();
}
