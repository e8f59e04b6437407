/* elder/elder: sessions and what is asked in them, in the three revisions; who may, how much, and what is answered to what does not fit. */
#include "unit/elder/elder_kit.h"

static void initialize(void)
{
	const char *s;

	kit_begin();
	come(ELDER_BY_POST, NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\","
		"\"capabilities\":{\"elicitation\":{},\"roots\":{\"listChanged\":true},\"tasks\":{}},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\",\"title\":\"C\"}}}");
	s = said();
	has(s, "ask 0 server/discover <id1> ", "initialize asks the modern side what it offers, for its caller");
	has(s, "\"method\":\"server/discover\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
		"\"io.modelcontextprotocol/clientCapabilities\":{\"roots\":{},\"elicitation\":{\"form\":{}}},"
		"\"io.modelcontextprotocol/clientInfo\":{\"name\":\"c\",\"version\":\"1\",\"title\":\"C\"}}}}", "with what the client is and can");
	answered(DISCOVERED);
	s = said();
	has(s, "200 session {\"jsonrpc\":\"2.0\",\"id\":\"i\",\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{},"
		"\"resources\":{\"subscribe\":true,\"listChanged\":true},\"completions\":{},\"logging\":{}},\"serverInfo\":{\"name\":\"srv\",\"version\":\"3\"},\"instructions\":\"Be kind\"}}",
		"and is answered in the words of the revision asked for");
	is_int((int)strlen(sid), 32, "a session id of 192 bits");
	post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	has(said(), " 202 \n", "a notification is accepted");
	is_uint(elder_sessions(elder), 1, "one session");

	static const struct { const char *asked, *given; } offers[] = {
		{ "2025-11-25", "2025-11-25" }, { "2025-03-26", "2025-03-26" }, { "2026-07-28", "2025-11-25" }, { "2024-11-05", "2025-03-26" }, { "x", "2025-11-25" }
	};
	for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
		char body[512], want[64];

		kit_begin();
		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\",\"capabilities\":{},"
			"\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}", offers[i].asked);
		come(ELDER_BY_POST, NULL, NULL, NULL, body);
		answered(DISCOVERED);
		snprintf(want, sizeof want, "{\"protocolVersion\":\"%s\"", offers[i].given);
		has(said(), want, offers[i].asked);
	}
	kit_begin();
	come(ELDER_BY_POST, NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}}}");
	has(said(), "200 {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32602", "initialize without clientInfo is refused");
	come(ELDER_BY_POST, NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
		"\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}");
	answered("\"error\":{\"code\":-32603,\"message\":\"busy\"}}");
	s = said();
	has(s, "200 {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,\"message\":\"No session could be begun: busy\"}}", "no session without a modern side");
	hasnt(s, "session {", "nor an id of one");
	now += 5000;
	elder_tick(elder, now);
	is_uint(elder_sessions(elder), 0, "and nothing is left of it");
}

static void door(void)
{
	kit_begin();
	begin_session("2025-11-25", "{}");
	come(ELDER_BY_POST, NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 400 {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"Mcp-Session-Id is missing", "without a session id: 400");
	come(ELDER_BY_POST, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 404 {", "with an unknown one: 404");
	come(ELDER_BY_POST, "!", NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 404 {", "with one that is none: 404");
	caller = bob;
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 404 {", "with another principal's: 404");
	come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	has(said(), " 404 {", "to read from it as well");
	come(ELDER_BY_DELETE, sid, NULL, NULL, NULL);
	has(said(), " 404 {", "or to end it");
	caller = alice;
	come(ELDER_BY_POST, sid, "2024-11-05", NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 400 {", "a revision that is not one of ours: 400");
	come(ELDER_BY_POST, sid, "2025-11-25", NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 200 {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "ping is answered");
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tasks/list\"}");
	has(said(), " 200 {\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32601", "what is not there is an error of JSON-RPC, with 200");
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"server/discover\"}");
	has(said(), "-32601", "the modern revision's own methods are not there either");
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{}}");
	has(said(), "-32602", "params are looked at");
	post("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]");
	has(said(), " 400 {", "2025-11-25 has no batches");
	post("{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}");
	has(said(), " 202 \n", "a response to nothing is accepted");
	come(ELDER_BY_DELETE, sid, NULL, NULL, NULL);
	has(said(), " 200 \n", "DELETE ends a session");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 404 {", "and then it is gone");
}

static void calls(void)
{
	const char *s;
	uint64_t first;

	kit_begin();
	begin_session("2025-06-18", "{}");
	identity = "id2";
	post("{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0062\",\"method\":\"tools/call\",\"params\":{\"name\":\"t\\u0061\",\"arguments\":{\"x\":1},\"task\":{},\"requestState\":\"evil\",\"inputResponses\":{},"
		"\"_meta\":{\"progressToken\":5,\"traceparent\":\"t\",\"io.modelcontextprotocol/protocolVersion2\":1,\"\\u0070ostern/principal\":\"x\"}}}");
	identity = "id1";
	s = said();
	has(s, "ask 0 tools/call [ta] <id2> ", "a call goes out under its name, with the newest identity");
	has(s, "\"params\":{\"name\":\"t\\u0061\",\"arguments\":{\"x\":1},\"_meta\":{", "its params as they were, without what only the modern revision has");
	has(s, "\"io.modelcontextprotocol/logLevel\":\"info\",\"progressToken\":5,\"traceparent\":\"t\"}}}", "its _meta without ours");
	answered("\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"ok\"}],\"structuredContent\":{\"a\":[1]},\"_meta\":{\"k\":1}}}");
	has(said(), " 200 {\"jsonrpc\":\"2.0\",\"id\":\"a\\u0062\",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}],\"structuredContent\":{\"a\":[1]},\"_meta\":{\"k\":1}}}\n",
		"the result comes without resultType");
	is_uint(elder_calls(elder), 0, "and that was it");

	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	said();
	answered("\"result\":{\"resultType\":\"complete\",\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{\"type\":\"array\"}},"
		"{\"name\":\"b\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{\"type\":\"object\"}}],\"nextCursor\":\"n\",\"ttlMs\":1,\"cacheScope\":\"public\"}}");
	has(said(), "\"result\":{\"tools\":[{\"name\":\"a\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":\"b\",\"inputSchema\":{\"type\":\"object\"},\"outputSchema\":{\"type\":\"object\"}}],\"nextCursor\":\"n\"}}",
		"lists lose what only the modern revision has");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	said();
	answered("\"result\":{\"resultType\":\"complete\",\"content\":[],\"structuredContent\":[1,\"a\"]}}");
	has(said(), "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"[1,\\\"a\\\"]\"}]}}", "structured content that is no object becomes text");

	static const struct { const char *method, *error, *want; } errors[] = {
		{ "\"tools/call\",\"params\":{\"name\":\"t\"}", "{\"code\":-32602,\"message\":\"Unknown tool: t\"}", "\"error\":{\"code\":-32602,\"message\":\"Unknown tool: t\"}}" },
		{ "\"resources/read\",\"params\":{\"uri\":\"m:a\"}", "{\"code\":-32602,\"message\":\"no\",\"data\":{\"uri\":\"m:a\"}}", "\"error\":{\"code\":-32002,\"message\":\"no\",\"data\":{\"uri\":\"m:a\"}}}" },
		{ "\"prompts/get\",\"params\":{\"name\":\"t\"}", "{\"code\":-32020,\"message\":\"h\"}", "\"error\":{\"code\":-32603" },
		{ "\"prompts/get\",\"params\":{\"name\":\"t\"}", "{\"code\":-32022,\"message\":\"h\"}", "\"error\":{\"code\":-32603" },
		{ "\"prompts/get\",\"params\":{\"name\":\"t\"}", "{\"code\":-32021,\"message\":\"h\",\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}", "\"error\":{\"code\":-32603,\"message\":\"This needs a capability that the client has not declared: {\\\"sampling\\\":{}}\"}" },
		{ "\"tools/call\",\"params\":{\"name\":\"t\"}", "{\"code\":-32021,\"message\":\"h\",\"data\":{\"requiredCapabilities\":{\"sampling\":{}}}}", "\"isError\":true}}" },
		{ "\"tools/call\",\"params\":{\"name\":\"t\"}", "{\"code\":-32603,\"message\":\"m\",\"data\":[1]}", "\"error\":{\"code\":-32603,\"message\":\"m\",\"data\":[1]}}" },
	};
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		char body[512], rest[512];

		snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":%s}", errors[i].method);
		post(body);
		said();
		snprintf(rest, sizeof rest, "\"error\":%s}", errors[i].error);
		answered(rest);
		has(said(), errors[i].want, errors[i].error);
	}
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	said();
	elder_over(elder, asked_last, SPAN("lost"), now);
	has(said(), "\"error\":{\"code\":-32603,\"message\":\"No answer came: lost\"}", "an exchange without an answer is one");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	said();
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"odd\"}}");
	has(said(), "-32603", "so is a result of an unknown type");
	elder_over(elder, asked_last, SPAN("closed"), now);
	refuse_send = true;
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	has(said(), " 503 again {", "what cannot be asked is refused, for the time being");
	refuse_send = false;

	/* cancelling */
	first = post("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	said();
	post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"\\u0078\"}}");
	s = said();
	has(s, "drop\n", "notifications/cancelled cancels");
	has(s, "stream 0.", "and the request ends");
	has(s, "end 0.", "without an answer");
	post("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"x\"}}");
	is_uint(elder_calls(elder), 0, "once");
	said();
	/* a client that leaves does not cancel */
	first = post("{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	said();
	elder_client_gone(elder, 0, first, now);
	is_str(said(), "", "a client that leaves does not cancel");
	answered("\"result\":{\"resultType\":\"complete\",\"content\":[]}}");
	is_str(said(), "", "and is told nothing");
	is_uint(elder_calls(elder), 0, "and the call is over");
}

/* Which request a question is made of, for a worker that has that before it. */
static void made_of(void)
{
	uint64_t http;

	kit_begin();
	begin_session("2025-11-25", "{\"elicitation\":{}}");
	http = post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	has(said(), "ask 0 ", "a call");
	is_uint(asked_for, http, "is named");
	answered("\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{\"k\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"m\",\"requestedSchema\":{\"type\":\"object\",\"properties\":{}}}}}}}");
	said();
	by_worker = 1;
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"cancel\"}}");
	has(said(), "ask 0 ", "asked again it goes where its client waits, whichever worker brought the answer");
	is_uint(asked_for, http, "and is named again");
	by_worker = 0;
	answered("\"result\":{\"resultType\":\"input_required\",\"requestState\":\"x\"}}");
	elder_client_gone(elder, 0, http, now);
	now += 10000;
	elder_tick(elder, now);
	has(said(), "ask ", "without its client");
	is_uint(asked_for, 0, "it is made of none that is there");
	http = post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	elder_worker_lost(elder, 0, now);
	by_worker = 1;
	http = come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	has(said(), "ask 1 subscriptions/listen", "a listen");
	is_uint(asked_for, http, "is made of its stream");
	by_worker = 0;
}

/* What more scopes would allow: the client is to be told which, in the head of the answer, while there is one. */
static void lacking(void)
{
	const char *s;
	uint64_t before;

	kit_begin();
	begin_session("2025-11-25", "{}");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	said();
	elder_lacks(elder, asked_last, 6);
	answered("\"error\":{\"code\":-32600,\"message\":\"Insufficient scope\"}}");
	s = said();
	has(s, "lacks 6 reply 0.", "scopes that are lacking go back with the answer");
	has(s, " 403 {\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":\"Insufficient scope\"}}\n", "which is a 403");
	post("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	said();
	answered("\"error\":{\"code\":-32600,\"message\":\"no\"}}");
	s = said();
	has(s, " 200 {", "and only that one");
	hasnt(s, "lacks", "the next lacks nothing");
	post("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	now += ELDER_OPEN_MS;
	elder_tick(elder, now);
	said();
	elder_lacks(elder, asked_last, 6);
	answered("\"error\":{\"code\":-32600,\"message\":\"no\"}}");
	s = said();
	has(s, "-1 {\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32600,\"message\":\"no\"}}\nend 0.", "on a stream that has begun it is an event");

	post("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"m:a\"}}");
	before = asked_last;
	has(said(), "subscriptions/listen", "a subscription");
	elder_lacks(elder, before, 8);
	answered("\"error\":{\"code\":-32600,\"message\":\"no\"}}");
	s = said();
	has(s, "lacks 8 reply 0.", "may lack scopes as well");
	has(s, " 403 {\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32600", "and says so");
	elder_lacks(elder, before, 8);
	is_str(said(), "", "a late word is nobody's");

	begin_session("2025-03-26", "{}");
	post("[{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}]");
	said();
	elder_lacks(elder, asked_last, 6);
	answered("\"error\":{\"code\":-32600,\"message\":\"no\"}}");
	has(said(), "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32600,\"message\":\"no\"}}\nend 0.", "a batch is a stream, whatever its answers");
}

static void older(void)
{
	const char *s;

	kit_begin();
	begin_session("2025-03-26", "{\"elicitation\":{},\"sampling\":{\"tools\":{}}}");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}");
	has(said(), "clientCapabilities\":{\"sampling\":{}}", "what a revision does not have is not declared for it");
	answered("\"result\":{\"content\":[{\"type\":\"resource_link\",\"name\":\"n\",\"uri\":\"m:x\"}],\"resultType\":\"complete\"}}");
	has(said(), "\"content\":[{\"type\":\"text\",\"text\":\"n: m:x\"}]", "2025-03-26 gets text for a link");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\",\"params\":{\"name\":\"t\"}}");
	said();
	answered("\"result\":{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"resource_link\",\"uri\":\"m:x\"}}]}}");
	has(said(), "\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\"m:x\"}}]", "in prompts too");

	post("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"},{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"},"
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"initialize\"},7]");
	s = said();
	has(s, "stream 0.", "a batch is answered by a stream");
	has(s, "-1 {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", "each answer an event");
	has(s, "\"id\":3,\"error\":{\"code\":-32600", "initialize does not belong in one");
	has(s, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600", "a number is no message");
	hasnt(s, "end 0.", "and it goes on");
	answered("\"result\":{\"tools\":[]}}");
	s = said();
	has(s, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"tools\":[]}}\nend 0.", "until all are answered");
	post("[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"},{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}]");
	has(said(), " 202 \n", "a batch that asks nothing is accepted");
	post("[]");
	has(said(), " 400 {", "an empty one is none");
	post("[1]");
	s = said();
	has(s, "-32600", "what is no message in it is said to be none");
	has(s, "end 0.", "and the stream ends");
	is_uint(elder_calls(elder), 0, "nothing is left");
}

static void level(void)
{
	kit_begin();
	begin_session("2025-11-25", "{}");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"loud\"}}");
	has(said(), "-32602", "a level that is none");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"error\"}}");
	has(said(), "\"result\":{}", "a level is set");
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\"progressToken\":\"p\"}}}");
	has(said(), "\"io.modelcontextprotocol/logLevel\":\"error\"", "and goes with each request");
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\",\"data\":1}}");
	const char *s = said();
	has(s, "stream 0.", "the first event makes it a stream");
	has(s, "-0 \n", "which begins with an id, in 2025-11-25");
	has(s, "-1 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"", "and has the event");
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"p\",\"progress\":1}}");
	has(said(), "-2 {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"", "progress follows");
	answer(asked_last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":1}}}");
	is_str(said(), "", "what does not belong there is left out");
	answered("\"result\":{\"resultType\":\"complete\",\"content\":[]}}");
	s = said();
	has(s, "-3 {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\nend 0.", "the answer ends it");
}

static void limits(void)
{
	char ids[8][64];
	const char *s;

	kit_begin();
	for (unsigned i = 0; i < 4; i++) {
		begin_session("2025-11-25", "{}");
		strcpy(ids[i], sid);
		now += 10;
	}
	strcpy(sid, ids[0]);
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	begin_session("2025-11-25", "{}");
	strcpy(ids[4], sid);
	strcpy(sid, ids[1]);
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 404 {", "one session too many of a principal ends its longest unused one");
	strcpy(sid, ids[0]);
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 200 {", "and no other");
	for (unsigned i = 0; i < 5; i++) {
		strcpy(sid, ids[i]);
		come(ELDER_BY_GET, sid, NULL, NULL, NULL);
	}
	said();
	come(ELDER_BY_POST, NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
		"\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}");
	s = said();
	has(s, " 503 again {", "those in use do not give way: 503");
	caller = bob;
	for (unsigned i = 0; i < 4; i++)
		begin_session("2025-11-25", "{}");
	is_uint(elder_sessions(elder), 8, "the other principal has room of its own");
	static const uint8_t carol[ELDER_PRINCIPAL_N] = { 3 };
	caller = carol;
	come(ELDER_BY_POST, NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
		"\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}");
	answered(DISCOVERED);
	has(said(), " 200 session {", "when all are taken, who has most gives one to who has less");
	begin_session("2025-11-25", "{}");
	strcpy(ids[5], sid);
	for (unsigned i = 0; i < 3; i++) {
		now += 10;
		begin_session("2025-11-25", "{}");
	}
	strcpy(ids[6], sid);
	strcpy(sid, ids[5]);
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 404 {", "but no more than to be even: then it has its own to give up");
	caller = bob;
	begin_session("2025-11-25", "{}");
	caller = carol;
	strcpy(sid, ids[6]);
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 200 {", "and so has the other");
	now += ELDER_BUSY_MS;
	begin_session("2025-11-25", "{}");
	strcpy(sid, ids[6]);
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 200 {", "until one was silent for five minutes");
	caller = alice;
	for (unsigned i = 0; i < 5; i++) { /* all of alice's that are left are in use, and requests too */
		strcpy(sid, ids[i]);
		for (unsigned k = 0; k < 8; k++)
			post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	}
	said();
	is_uint(elder_calls(elder), 12, "a caller never has the last quarter of requests, however many sessions it has");
	caller = bob;
	begin_session("2025-11-25", "{}");
	for (unsigned k = 0; k < 4; k++)
		post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	hasnt(said(), " 503 ", "that is for others");
	is_uint(elder_calls(elder), 16, "all of it");
	unsigned sessions = elder_sessions(elder);
	come(ELDER_BY_POST, NULL, NULL, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
		"\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}");
	has(said(), " 503 again {", "a session that cannot begin");
	is_uint(elder_sessions(elder), sessions, "ends no other");
	caller = alice;

	kit_begin();
	begin_session("2025-11-25", "{}");
	for (unsigned i = 0; i < 8; i++)
		post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	said();
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
	has(said(), " 503 again {", "a session has half of all requests at most");
	unsigned before = replies;
	come(ELDER_BY_DELETE, sid, NULL, NULL, NULL);
	is_uint(replies - before, 9, "its end answers them all");
	is_uint(elder_calls(elder), 0, "and none is left");
	begin_session("2025-11-25", "{}");
	now += kit_set.idle_ms + 1;
	elder_tick(elder, now);
	post("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
	has(said(), " 404 {", "a session nobody uses ends");
	is_int(elder_tick(elder, now + 10000), -1, "and then nothing comes of time");
}

int main(void)
{
	initialize();
	door();
	calls();
	made_of();
	lacking();
	older();
	level();
	limits();
	return done_testing();
}
