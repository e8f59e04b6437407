/* flow/broker: introspection and credentials: what is asked of whom, how long an answer is kept, who gets it, and that none of it stays. */
#include "unit/flow/broker_kit.h"

#define BEARER "Authorization: Bearer "
#define TOKEN(t, more) "{\"access_token\":\"" t "\",\"token_type\":\"Bearer\"" more "}"
#define ISSUED ",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\""

/* Both servers of the kit that a call may go to, and what goes wrong there. */
static unsigned asked(unsigned server) { return servers[server].asked; }

static void begin(void)
{
	kit_begin(1, false);
	broker_open(broker);
	turns();
}

/* A question whose answer has come at once. */
static void token(unsigned w, unsigned server, unsigned tenant, const char *subject, bool again, const char *want, const char *name)
{
	static uint64_t call = 1000;

	ask_token(w, server, tenant, ++call, subject, again);
	is_answer(w, BROKER_TOKEN, call, want, name);
}

static void about(unsigned w, const char *what, const char *want, const char *name)
{
	static uint64_t call = 5000;

	ask_about(w, 1, ++call, what);
	is_answer(w, BROKER_INTROSPECTED, call, want, name);
}

static void statics(void)
{
	begin();
	token(0, 0, 0, "", false, "X-Key: static-secret", "a static secret is a line at once");
	token(1, 0, 1, "", false, "X-Key: static-secret", "for every worker and tenant");
	token(0, 0, 0, "", true, NULL, "there is no newer one");
	ok(asked(CLIENT) + asked(EXCHANGE) == 0, "nobody was asked");
}

static void client(void)
{
	static const char head[] = "POST /ask HTTP/1.1\r\nHost: idp.example\r\nConnection: close\r\nAccept: application/json\r\n"
		"Authorization: Basic Z3clM0ExOmNsaWVudC1zZWNyZXQ=\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 39\r\n\r\n"
		"grant_type=client_credentials&scope=a+b";

	begin();
	servers[CLIENT].body = TOKEN("first", ",\"expires_in\":3600,\"scope\":\"a\"");
	servers[CLIENT].hold = true;
	for (uint64_t i = 0; i < 5; i++) {
		ask_token(0, 1, 0, 100 + i, "", false);
		ask_token(1, 1, 0, 200 + i, "", i == 4);
	}
	ok(silent(0) && asked(CLIENT) == 1, "ten calls, one request");
	is_str(servers[CLIENT].last, head, "client credentials by HTTP Basic");
	servers[CLIENT].hold = false;
	for (uint64_t i = 0; i < 5; i++) {
		is_answer(0, BROKER_TOKEN, 100 + i, BEARER "first", "one answer for all");
		is_answer(1, BROKER_TOKEN, 200 + i, BEARER "first", "one answer for all");
	}
	servers[CLIENT].body = TOKEN("second", ",\"expires_in\":3600");
	pass(3569000);
	token(0, 1, 0, "", false, BEARER "first", "kept until 30 s before its end");
	is_int(asked(CLIENT), 1, "without asking");
	token(0, 1, 1, "", false, BEARER "second", "another tenant has one of its own");
	is_int(asked(CLIENT), 2, "which is asked for");
	pass(1500);
	token(0, 1, 0, "", false, BEARER "second", "then a new one");
	is_int(asked(CLIENT), 3, "is asked for");
}

static void again(void)
{
	begin();
	servers[CLIENT].body = TOKEN("first", ",\"expires_in\":3600");
	token(0, 1, 0, "", false, BEARER "first", "a token");
	servers[CLIENT].body = TOKEN("second", ",\"expires_in\":3600");
	token(0, 1, 0, "", true, BEARER "second", "that was refused: another");
	servers[CLIENT].body = TOKEN("third", ",\"expires_in\":3600");
	for (int i = 0; i < 50; i++) {
		token(1, 1, 0, "", true, BEARER "second", "refused as well: the same");
		pass(100);
	}
	is_int(asked(CLIENT), 2, "no request within ten seconds");
	pass(5000);
	token(1, 1, 0, "", true, BEARER "third", "after ten seconds another");
	is_int(asked(CLIENT), 3, "request");
}

static void lives(const char *life, int64_t kept_ms, unsigned server, const char *subject, const char *name)
{
	char body[200];

	begin();
	snprintf(body, sizeof body, TOKEN("t", "%s%s"), life, server == 2 ? ISSUED : "");
	servers[server == 1 ? CLIENT : EXCHANGE].body = body;
	token(0, server, 0, subject, false, BEARER "t", name);
	pass(kept_ms - 500);
	token(0, server, 0, subject, false, BEARER "t", name);
	is_int(asked(server == 1 ? CLIENT : EXCHANGE), 1, name);
	pass(1000);
	token(0, server, 0, subject, false, BEARER "t", name);
	is_int(asked(server == 1 ? CLIENT : EXCHANGE), 2, name);
}

/* `s` is what the endpoint becomes. */
static void fails(struct kit_server s, const char *why, const char *name)
{
	begin();
	servers[CLIENT] = s;
	ask_token(0, 1, 0, 7, "", false);
	if (s.hold)
		pass(4600);
	is_answer(0, BROKER_TOKEN, 7, NULL, name);
	if (!ok(log_has(why), why))
		diag("%.*s", (int)log_text.n, logged);
	ok(!log_has("client-secret") && !log_has("hunter2"), "and the log holds no secret");
	ok(!in_memory("hunter2"), "nor does the memory");
	servers[CLIENT] = (struct kit_server){ .status = 200, .body = TOKEN("good", "") };
	pass(4500);
	token(1, 1, 0, "", true, NULL, "no second try for five seconds");
	is_int(asked(CLIENT), 0, "whoever asks");
	pass(600);
	token(1, 1, 0, "", false, BEARER "good", "then another");
}

static void failures(void)
{
	static char large[20000];

	fails((struct kit_server){ .status = 401, .body = "{\"error\":\"invalid_client\",\"error_description\":\"hunter2\"}" },
		"HTTP status 401, invalid_client", "refused");
	fails((struct kit_server){ .status = 400, .body = "{\"error\":\"hunter2\"}" }, "HTTP status 400, an error code", "refused in its own words");
	fails((struct kit_server){ .status = 400, .type = "text/html", .body = "hunter2" }, "HTTP status 400", "refused in HTML");
	fails((struct kit_server){ .status = 307, .fields = "Location: http://127.0.0.1:1003/hunter2\r\n", .body = "" }, "HTTP status 307", "redirected");
	fails((struct kit_server){ .status = 200, .body = TOKEN("hunter2", ",\"scope\":\"a b admin\"") }, "wider", "a wider scope");
	fails((struct kit_server){ .status = 200, .body = "{\"access_token\":\"hunter2\",\"token_type\":\"mac\"}" }, "not Bearer", "no bearer token");
	fails((struct kit_server){ .status = 200, .body = TOKEN("hunter2\\r\\nX: y", "") }, "visible ASCII", "a token with a line break");
	fails((struct kit_server){ .status = 200, .body = TOKEN("hunter2", ",\"expires_in\":-1") }, "expires_in", "a life of nothing");
	fails((struct kit_server){ .status = 200, .type = "text/plain", .body = TOKEN("hunter2", "") }, "no JSON", "text");
	fails((struct kit_server){ .status = 200, .body = "hunter2" }, "JSON object", "no JSON");
	memset(large, 'x', sizeof large - 1);
	memcpy(large, "hunter2", 7);
	fails((struct kit_server){ .status = 200, .body = large }, "over the limit", "far too much");
	fails((struct kit_server){ .refuse = true, .body = "" }, "cannot be reached", "no connection");
	fails((struct kit_server){ .hold = true, .body = "" }, "in time", "no answer");
	fails((struct kit_server){ .dead = true, .body = "" }, "closed", "a closed connection");
}

static void exchange(void)
{
	static const char body[] = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=alice%2Ftoken&subject_token_type=";

	begin();
	servers[EXCHANGE].body = TOKEN("for-alice", ISSUED ",\"expires_in\":3600");
	token(0, 2, 0, "alice/token", false, BEARER "for-alice", "a token for the caller's");
	ok(strstr(servers[EXCHANGE].last, body) != NULL, "by token exchange");
	ok(strstr(servers[EXCHANGE].last, "Authorization: Basic Z3c6ZXhjaGFuZ2UlMkZzZWNyZXQ=\r\n") != NULL, "authenticated");
	token(1, 2, 0, "alice/token", false, BEARER "for-alice", "kept");
	is_int(asked(EXCHANGE), 1, "for the same caller");
	servers[EXCHANGE].body = TOKEN("for-bob", ISSUED ",\"expires_in\":3600");
	token(1, 2, 0, "bob", false, BEARER "for-bob", "another caller has another");
	token(0, 2, 1, "alice/token", false, BEARER "for-bob", "so has the same token in another tenant");
	is_int(asked(EXCHANGE), 3, "each asked for");
	token(0, 2, 0, "", false, NULL, "a caller without a token gets none");
	is_int(asked(EXCHANGE), 3, "and nobody is asked");
	servers[EXCHANGE].body = TOKEN("for-us", ",\"expires_in\":3600");
	token(0, 2, BROKER_NO_TENANT, "", false, BEARER "for-us", "what a worker asks on its own account");
	ok(strstr(servers[EXCHANGE].last, "grant_type=client_credentials&audience=up") != NULL, "goes by client credentials");
	servers[EXCHANGE].body = TOKEN("for-carol", ",\"expires_in\":3600");
	token(0, 2, 0, "carol", false, NULL, "an exchanged token says what it is");
	ok(log_has("issued_token_type"), "else it is refused");
	servers[EXCHANGE].body = TOKEN("e30.eyJhdWQiOiJvdGhlciJ9.c2ln", ISSUED); /* aud: other */
	token(0, 2, 0, "dave", false, NULL, "a token for somebody else");
	ok(log_has("another audience"), "is refused");
	servers[EXCHANGE].body = TOKEN("e30.eyJhdWQiOiJ1cCJ9.c2ln", ISSUED); /* aud: up */
	token(0, 2, 0, "erin", false, BEARER "e30.eyJhdWQiOiJ1cCJ9.c2ln", "one for the upstream is not");
	ok(!log_has("alice") && !log_has("for-"), "no token in the log");
}

static void introspection(void)
{
	static const char yes[] = "{\"active\":true,\"scope\":\"a\"}", no[] = "{\"active\":false}";
	char soon[100];

	begin();
	servers[INTROSPECTION].body = yes;
	servers[INTROSPECTION].hold = true;
	for (uint64_t i = 0; i < 4; i++) {
		ask_about(0, 1, i, "opaque+1");
		ask_about(1, 1, 10 + i, "opaque+1");
	}
	ok(silent(0) && asked(INTROSPECTION) == 1, "eight questions about one token, one request");
	ok(strstr(servers[INTROSPECTION].last, "Authorization: Basic Z3c6aW50cm9zcGVjdC1zZWNyZXQ=\r\n")
		&& strstr(servers[INTROSPECTION].last, "\r\n\r\ntoken=opaque%2B1&token_type_hint=access_token"), "an authenticated POST");
	servers[INTROSPECTION].hold = false;
	for (uint64_t i = 0; i < 4; i++) {
		is_answer(0, BROKER_INTROSPECTED, i, yes, "one answer for all");
		is_answer(1, BROKER_INTROSPECTED, 10 + i, yes, "one answer for all");
	}
	pass(29000);
	about(0, "opaque+1", yes, "kept for 30 s");
	is_int(asked(INTROSPECTION), 1, "without asking");
	servers[INTROSPECTION].body = no;
	about(0, "opaque+2", no, "another token, another answer");
	is_int(asked(INTROSPECTION), 2, "which is asked for");
	pass(1500);
	about(0, "opaque+1", no, "after 30 s it is asked again");
	is_int(asked(INTROSPECTION), 3, "once");
	servers[INTROSPECTION].body = yes;
	pass(3400);
	about(1, "opaque+1", no, "no is kept");
	pass(1700);
	about(1, "opaque+1", yes, "for five seconds");

	begin();
	snprintf(soon, sizeof soon, "{\"active\":true,\"exp\":%" PRId64 "}", kit_unix_ms() / 1000 + 7);
	servers[INTROSPECTION].body = soon;
	about(0, "x", soon, "a token that ends in 7 s");
	pass(5500);
	about(0, "x", soon, "is kept");
	is_int(asked(INTROSPECTION), 1, "until then");
	pass(1700);
	about(0, "x", soon, "and no longer");
	is_int(asked(INTROSPECTION), 2, "than that");
	about(0, "x", soon, "one that is over is not kept at all");
	is_int(asked(INTROSPECTION), 3, "each time asked for");
	servers[INTROSPECTION].body = "{\"active\":true,\"exp\":\"later\"}";
	about(1, "y", servers[INTROSPECTION].body, "nor one whose end cannot be read");
	about(1, "y", servers[INTROSPECTION].body, "nor one whose end cannot be read");
	is_int(asked(INTROSPECTION), 5, "each time asked for");

	begin();
	servers[INTROSPECTION].status = 400;
	servers[INTROSPECTION].body = "{\"error\":\"unsupported_token_type\",\"error_description\":\"no JWTs\"}";
	about(0, "a.b.c", no, "a kind of token that the server does not know is not active");
	about(1, "a.b.c", no, "and that is kept");
	is_int(asked(INTROSPECTION), 1, "like a no");
}

static void no_introspection(struct kit_server s, const char *name)
{
	begin();
	servers[INTROSPECTION] = s;
	ask_about(0, 1, 1, "opaque");
	if (s.hold)
		pass(4600);
	is_answer(0, BROKER_INTROSPECTED, 1, NULL, name);
	servers[INTROSPECTION] = (struct kit_server){ .status = 200, .body = "{\"active\":true}" };
	about(0, "opaque", NULL, "not asked again for a second");
	pass(1100);
	about(0, "opaque", "{\"active\":true}", "then it is");
	ok(!log_has("opaque\"") || log_has("https://opaque.example"), "the log names the issuer");
}

static void no_introspections(void)
{
	static char large[9000];

	no_introspection((struct kit_server){ .status = 401, .body = "{}" }, "refused");
	no_introspection((struct kit_server){ .status = 400, .body = "{\"error\":\"invalid_request\"}" }, "not understood");
	no_introspection((struct kit_server){ .status = 401, .body = "{\"error\":\"unsupported_token_type\"}" }, "refused with words that do not go with it");
	no_introspection((struct kit_server){ .status = 302, .fields = "Location: /x\r\n", .body = "{\"active\":true}" }, "redirected");
	no_introspection((struct kit_server){ .status = 200, .body = "{\"active\":\"yes\"}" }, "neither yes nor no");
	no_introspection((struct kit_server){ .status = 200, .body = "{\"active\":true,\"active\":true}" }, "yes twice");
	no_introspection((struct kit_server){ .status = 200, .type = "application/token-introspection+jwt", .body = "e30.e30." }, "a JWT");
	no_introspection((struct kit_server){ .refuse = true, .body = "" }, "no connection");
	no_introspection((struct kit_server){ .hold = true, .body = "" }, "no answer");
	memset(large, ' ', sizeof large - 1);
	memcpy(large, "{\"active\":true}", 15);
	no_introspection((struct kit_server){ .status = 200, .body = large }, "more than 8 KiB");
}

/* Many tokens at once: so many requests at a time and no more, in order; and what finds no place is answered with none. */
static void crowd(void)
{
	char name[32];
	union broker_packet m;
	unsigned none = 0, yes = 0;

	begin();
	servers[INTROSPECTION].body = "{\"active\":true}";
	servers[INTROSPECTION].hold = true;
	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "token %u", i);
		ask_about(0, 1, i, name);
		snprintf(name, sizeof name, "token %u", 100 + i);
		ask_about(1, 1, i, name);
		turns();
	}
	ok(silent(0) && peak == BROKER_CALLS && asked(INTROSPECTION) == BROKER_CALLS, "eight requests at a time");
	token(0, 0, 0, "", false, "X-Key: static-secret", "which stop nobody who asks for something else");
	servers[CLIENT].body = TOKEN("t", "");
	token(0, 1, 0, "", false, BEARER "t", "not even for a token");
	servers[INTROSPECTION].hold = false;
	turns();
	for (unsigned w = 0; w < WORKERS; w++)
		while (hear(w, &m) == BROKER_INTROSPECTED)
			yes += m.introspected.head.there;
	is_int(yes, 24, "all are answered");
	is_int(asked(INTROSPECTION), 24, "each by a request");
	is_int(peak, BROKER_CALLS + 1, "never more than eight at a time");

	/* The table is full of answers: the oldest that nobody waits for gives way. */
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof name, "more %u", i);
		about(i % 2, name, "{\"active\":true}", "beyond the table");
	}
	/* Nobody answers: what waits too long is over, the rest with it. */
	servers[INTROSPECTION].hold = true;
	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "late %u", i);
		ask_about(i % 2, 1, i, name);
	}
	pass(4600);
	for (unsigned w = 0; w < WORKERS; w++)
		while (hear(w, &m) == BROKER_INTROSPECTED)
			none += !m.introspected.head.there;
	is_int(none, 12, "a deadline covers the waiting");
	ok(log_has("too many are waiting") || log_has("in time"), "and the log says so");
}

/* More tokens than entries, none of them answered: the rest hears so at once. */
static void full(void)
{
	char name[32];
	union broker_packet m;
	unsigned none = 0;

	settings.entries = 10;
	begin();
	servers[INTROSPECTION].hold = true;
	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "token %u", i);
		ask_about(0, 1, i, name);
	}
	turns();
	while (hear(0, &m) == BROKER_INTROSPECTED)
		none += !m.introspected.head.there && m.introspected.head.call >= 10;
	is_int(none, 2, "a full table: none at once");
	settings.entries = ENTRIES;
}

static void wiped(void)
{
	begin();
	servers[EXCHANGE].body = TOKEN("exchanged-token", ISSUED ",\"expires_in\":120");
	servers[EXCHANGE].hold = true;
	ask_token(0, 2, 0, 1, "subject-token", false);
	turns();
	ok(in_memory("subject-token"), "a subject token is there while it is needed");
	servers[EXCHANGE].hold = false;
	is_answer(0, BROKER_TOKEN, 1, BEARER "exchanged-token", "answered");
	ok(!in_memory("subject-token"), "and gone with its answer");
	ok(in_memory("exchanged-token"), "the token is kept");
	pass(97000);
	ok(!in_memory("exchanged-token"), "as long as it is good");
	servers[CLIENT].body = TOKEN("first-token", ",\"expires_in\":3600");
	token(0, 1, 0, "", false, BEARER "first-token", "a token");
	servers[CLIENT].body = TOKEN("other-token", ",\"expires_in\":3600");
	token(0, 1, 0, "", true, BEARER "other-token", "that is replaced");
	ok(!in_memory("first-token"), "is gone");
	servers[INTROSPECTION].body = "{\"active\":true,\"sub\":\"somebody\"}";
	about(0, "opaque-token", servers[INTROSPECTION].body, "an opaque token");
	ok(!in_memory("opaque-token"), "is gone with its answer");
	pass(36000);
	ok(!in_memory("somebody"), "the answer with its time");
	ok(in_memory("client-secret") && !in_memory("Basic"), "secrets lie where they belong, and nowhere else in a request");
	ok(!log_has("token\"") && !log_has("secret"), "none of it is in the log");
}

int main(void)
{
	kit_settings();
	servers[KEYS].hold = true;
	settings.issuers[0].keys = false;
	settings.issuers[0].introspection = false;
	statics();
	client();
	again();
	lives(",\"expires_in\":90", 60000, 1, "", "90 s: 60");
	lives(",\"expires_in\":20", 10000, 1, "", "20 s: half of it");
	lives("", 30000, 1, "", "not said: 30 s");
	lives(",\"expires_in\":315360000", 24 * 3600000, 1, "", "ten years: a day");
	lives(",\"expires_in\":3600", 300000, 2, "s", "exchanged: five minutes");
	lives(",\"expires_in\":90", 60000, 2, "s", "exchanged, 90 s: 60");
	failures();
	exchange();
	introspection();
	no_introspections();
	crowd();
	full();
	wiped();
	sim_end();
	free(memory);
	return done_testing();
}
