/* flow/broker_client: a worker's questions, the broker's answers, and what becomes of who waits when there are none. */
#include "flow/broker_client.h"

#include <stdlib.h>

#include "tap.h"
#include "unit/flow/sim.h"
#include "unit/flow/sim_pass.h"

static struct flow_settings settings;
static struct loop loop;
static struct broker_client *client;
static char *memory;
static size_t need;
static struct sim_conn *edge;

/* ---- flow, as far as it is told anything ---- */

static struct told {
	enum { TOLD_KEYS, TOLD_INTROSPECTED, TOLD_CREDENTIAL } what;
	uint64_t call;               /* of keys: the issuer */
	int keys;                    /* -1: NULL */
	bool there;
	char text[BROKER_TEXT_MAX + 1];
} told[300];
static unsigned ntold, heard;
static bool inside;                  /* a question is being asked: nothing may be told */
static bool ask_anew;

static struct told *tell(void)
{
	if (inside)
		ok(false, "no answer from within a question");
	return &told[ntold < 299 ? ntold++ : 299];
}

void flow_keys(struct flow *f, unsigned issuer, const struct jwk_set *set)
{
	(void)f;
	*tell() = (struct told){ .what = TOLD_KEYS, .call = issuer, .keys = set ? (int)set->n : -1 };
}

static void tell_text(int what, uint64_t call, struct span text)
{
	struct told *t = tell();

	memset(t, 0, sizeof *t);
	t->what = what == 0 ? TOLD_INTROSPECTED : TOLD_CREDENTIAL;
	t->call = call;
	t->there = !span_absent(text);
	if (t->there)
		memcpy(t->text, text.p, text.n);
	if (ask_anew && !broker_client_token(client, 0, 0, call + 1000, span_of(NULL, 0), true))
		ask_anew = false;
}

void flow_introspected(struct flow *f, uint64_t call, struct span answer)
{
	(void)f;
	tell_text(0, call, answer);
}

void flow_credential(struct flow *f, uint64_t call, struct span line)
{
	(void)f;
	tell_text(1, call, line);
}

static char logged[4096];
static struct buf log_text;
static void keep_log(struct span line) { buf_put(&log_text, line); }
static bool log_has(const char *text) { return memmem(logged, log_text.n, text, strlen(text)) != NULL; }

/* ---- turns ---- */

static void turns(void)
{
	for (int i = 0; i < 5000; i++) {
		bool did = sim_deliver(&loop);
		int wait = broker_client_tick(client);

		if (!did && wait != 0 && !sim_news())
			return;
	}
	ok(false, "it comes to rest");
}

static void link_broker(void)
{
	broker_client_link(client, sim_pair(0, &edge));
	edge->window = 1 << 20;
}

static void begin(uint64_t seed)
{
	sim_begin(seed, seed > 0);
	loop.now_ms = sim.now_ms;
	need = broker_client_need(&settings);
	memory = realloc(memory, need + 64);
	memset(memory, 0, need + 64);
	client = broker_client_place((void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63), &settings, &loop);
	broker_client_serve(client, NULL);
	ntold = heard = 0;
	ask_anew = false;
	log_text = buf_on(logged, sizeof logged);
	link_broker();
	turns();
}

static bool ask_token(unsigned server, uint64_t call, const char *subject)
{
	bool asked;

	inside = true;
	asked = broker_client_token(client, server, 1, call, subject ? span_z(subject) : span_of(NULL, 0), false);
	inside = false;
	return asked;
}

static bool ask_about(uint64_t call, const char *token)
{
	bool asked;

	inside = true;
	asked = broker_client_introspect(client, 1, call, span_z(token));
	inside = false;
	return asked;
}

/* What the broker has got: the next message. */
static bool got(union broker_packet *m)
{
	size_t n;

	turns();
	n = sim_packet_take(edge, m, sizeof *m);
	if (n > 0 && broker_msg_wrong(m, n, true))
		ok(false, broker_msg_wrong(m, n, true));
	return n > 0;
}

static void say_token(uint64_t tag, const char *line)
{
	union broker_packet m = { .token.head = { BROKER_TOKEN, line != NULL, tag, line ? (uint32_t)strlen(line) : 0, 0 } };

	if (line)
		memcpy(m.token.text.p, line, strlen(line));
	sim_packet_say(edge, &m, broker_msg_size(&m), -1);
}

static void say_introspected(uint64_t tag, const char *text)
{
	union broker_packet m = { .introspected.head = { BROKER_INTROSPECTED, text != NULL, tag, text ? (uint32_t)strlen(text) : 0, 0 } };

	if (text)
		memcpy(m.introspected.text.p, text, strlen(text));
	sim_packet_say(edge, &m, broker_msg_size(&m), -1);
}

static void say_keys(unsigned issuer, enum broker_keys_state state, unsigned n, uint32_t valid_s)
{
	static union broker_packet m;

	memset(&m, 0, sizeof m);
	m.keys = (struct broker_keys){ .type = BROKER_KEYS, .issuer = issuer, .state = state, .valid_s = valid_s };
	m.keys.set.n = n;
	for (unsigned i = 0; i < n; i++) {
		m.keys.set.keys[i].kind = JWK_P256;
		m.keys.set.keys[i].algs = 1;
		m.keys.set.keys[i].point_n = 65;
	}
	sim_packet_say(edge, &m, broker_msg_size(&m), -1);
}

static void is_told(int what, uint64_t call, const char *text, const char *name)
{
	struct told *t;

	turns();
	if (!ok(heard < ntold, name))
		return;
	t = &told[heard++];
	ok((int)t->what == what && t->call == call && t->there == (text != NULL), name);
	if (text)
		is_str(t->text, text, name);
}

static void is_keys(unsigned issuer, int keys, const char *name)
{
	turns();
	if (!ok(heard < ntold, name))
		return;
	ok(told[heard].what == TOLD_KEYS && told[heard].call == issuer, name);
	is_int(told[heard++].keys, keys, name);
}

static void quiet(const char *name)
{
	turns();
	is_int(ntold, heard, name);
}

/* ---- tests ---- */

static void questions(uint64_t seed)
{
	static char large[BROKER_TEXT_MAX + 2];
	union broker_packet m;

	begin(seed);
	ok(ask_token(0, 41, "somebody's token"), "a question");
	ok(got(&m) && m.type == BROKER_TOKEN_ASK && m.token_ask.head.server == 0 && m.token_ask.head.tenant == 1 && m.token_ask.head.again == 0, "comes");
	is_int(m.token_ask.head.n, 0, "the caller's token stays here");
	say_token(m.token_ask.head.call, "Authorization: Bearer x");
	is_told(TOLD_CREDENTIAL, 41, "Authorization: Bearer x", "the answer");
	ok(ask_token(1, 42, "somebody's token"), "a question");
	ok(got(&m) && m.token_ask.head.n == 16 && memcmp(m.token_ask.text.p, "somebody's token", 16) == 0, "but where it is exchanged");
	say_token(m.token_ask.head.call, NULL);
	is_told(TOLD_CREDENTIAL, 42, NULL, "no answer is one as well");
	ok(ask_about(43, "opaque"), "a question");
	ok(got(&m) && m.type == BROKER_INTROSPECT && m.introspect.head.issuer == 1 && memcmp(m.introspect.text.p, "opaque", 6) == 0, "comes");
	say_introspected(m.introspect.head.call, "{\"active\":true}");
	is_told(TOLD_INTROSPECTED, 43, "{\"active\":true}", "the answer");
	memset(large, 'x', sizeof large - 1);
	ok(!ask_about(1, large) && !ask_token(1, 1, large) && !ask_about(1, ""), "too long, or nothing");
	large[BROKER_TEXT_MAX] = 0;
	ok(ask_about(44, large), "as long as may be");
	ok(got(&m), "comes");
	say_introspected(m.introspect.head.call, large);
	is_told(TOLD_INTROSPECTED, 44, large, "and its answer");
	ok(!memmem(memory, need + 64, "somebody", 8) && !memmem(memory, need + 64, "Bearer", 6) && !memmem(memory, need + 64, "xxxxxxxx", 8), "none of it stays");
	quiet("no more");
}

static void keys(uint64_t seed)
{
	union broker_packet m;

	begin(seed);
	say_keys(0, BROKER_KEYS_HERE, 2, 3600);
	is_keys(0, 2, "a set, unasked");
	for (int i = 0; i < 10; i++)
		ok(broker_client_ask_keys(client, 0), "ten ask");
	ok(got(&m) && m.type == BROKER_ASK_KEYS && m.ask_keys.issuer == 0 && !got(&m), "one question");
	say_keys(0, BROKER_KEYS_SAME, 0, 3600);
	is_keys(0, -1, "nothing newer");
	say_keys(0, BROKER_KEYS_SAME, 0, 3600);
	say_keys(0, BROKER_KEYS_NONE, 0, 0);
	quiet("unasked, that is no news");
	sim.now_ms += 3599000;
	quiet("the set is good");
	say_keys(0, BROKER_KEYS_SAME, 0, 10);
	turns();
	sim.now_ms += 9000;
	quiet("and longer when the broker says so");
	sim.now_ms += 1001;
	is_keys(0, 0, "then there is none any more");
	quiet("said once");
	ok(broker_client_ask_keys(client, 1), "another issuer");
	say_keys(1, BROKER_KEYS_NONE, 0, 0);
	is_keys(1, -1, "has none");
	ok(broker_client_ask_keys(client, 1), "asked again");
	sim.now_ms += BROKER_CLIENT_MS - 1;
	quiet("the broker has its time");
	sim.now_ms += 1;
	is_keys(1, -1, "no answer in time");
	ok(broker_client_ask_keys(client, 1), "it can be asked again");
	say_keys(1, BROKER_KEYS_HERE, 1, 86400);
	is_keys(1, 1, "and answers at last");
	ok(!broker_client_ask_keys(client, AUTH_ISSUERS_MAX), "an issuer that cannot be");
}

static void lost(uint64_t seed, bool replaced)
{
	union broker_packet m;
	uint64_t tag;

	begin(seed);
	say_keys(0, BROKER_KEYS_HERE, 2, 3600);
	is_keys(0, 2, "a set");
	ok(ask_token(0, 1, NULL) && ask_about(2, "t") && ask_token(1, 3, "s") && broker_client_ask_keys(client, 0), "four questions");
	ok(got(&m), "come");
	tag = m.token_ask.head.call;
	if (replaced) {
		struct sim_conn *old = edge;

		link_broker();
		ok(old->gate_closed, "a new edge: the old one is closed");
	} else {
		sim_close(edge);
	}
	is_told(TOLD_CREDENTIAL, 1, NULL, "none");
	is_told(TOLD_INTROSPECTED, 2, NULL, "none");
	is_told(TOLD_CREDENTIAL, 3, NULL, "none");
	is_keys(0, -1, "the set stays");
	quiet("no more");
	if (!replaced) {
		ok(!ask_token(0, 4, NULL) && !ask_about(5, "t") && !broker_client_ask_keys(client, 0), "without a broker nothing can be asked");
		link_broker();
	}
	ok(ask_token(0, 6, NULL) && got(&m), "its successor is asked");
	ok(m.token_ask.head.call != tag, "under another number");
	say_token(m.token_ask.head.call, "X: y");
	is_told(TOLD_CREDENTIAL, 6, "X: y", "and answers");
	quiet("no more");
	ok(!log_has("closes"), "nothing to complain about");
}

/* Whatever the broker says that it may not say closes the edge; who waits has no answer. */
static void bad(const void *packet, size_t n, const char *why)
{
	union broker_packet m;

	begin(0);
	ok(ask_token(0, 1, NULL) && ask_about(2, "t"), "questions");
	sim_packet_say(edge, packet, n, -1);
	is_told(TOLD_CREDENTIAL, 1, NULL, why);
	is_told(TOLD_INTROSPECTED, 2, NULL, why);
	quiet("no more");
	ok(edge->gate_closed && log_has(why), why);
	link_broker();
	ok(ask_token(0, 3, NULL) && got(&m), "a new edge works");
}

static void packets(void)
{
	static union broker_packet m;
	uint64_t tag;

	memset(&m, 0, sizeof m);
	bad(&m, 4, "no known type");
	m.ask_keys = (struct broker_ask_keys){ BROKER_ASK_KEYS, 0 };
	bad(&m, sizeof m.ask_keys, "the other direction");
	m.token.head = (struct broker_token){ BROKER_TOKEN, 1, 0, 5, 0 };
	bad(&m, broker_msg_size(&m), "nobody waits for");
	m.token.head.call = UINT64_MAX;
	bad(&m, broker_msg_size(&m), "nobody waits for");
	m.token.head = (struct broker_token){ BROKER_TOKEN, 0, 0, 5, 0 };
	bad(&m, broker_msg_size(&m), "does not go with");
	m.token.head = (struct broker_token){ BROKER_TOKEN, 1, 0, 0, 0 };
	bad(&m, broker_msg_size(&m), "does not go with");
	m.token.head = (struct broker_token){ BROKER_TOKEN, 2, 0, 5, 0 };
	bad(&m, broker_msg_size(&m), "no yes or no");
	m.token.head = (struct broker_token){ BROKER_TOKEN, 1, 0, BROKER_TEXT_MAX + 1, 0 };
	bad(&m, broker_msg_size(&m), "wrong length");
	m.keys = (struct broker_keys){ .type = BROKER_KEYS, .issuer = 2, .state = BROKER_KEYS_NONE };
	bad(&m, broker_msg_size(&m), "an issuer that is not there");
	m.keys = (struct broker_keys){ .type = BROKER_KEYS, .state = BROKER_KEYS_SAME, .valid_s = 100000 };
	bad(&m, broker_msg_size(&m), "for too long");
	m.keys = (struct broker_keys){ .type = BROKER_KEYS, .state = 3 };
	bad(&m, broker_msg_size(&m), "no known state");
	m.keys = (struct broker_keys){ .type = BROKER_KEYS, .state = BROKER_KEYS_HERE, .valid_s = 1 };
	bad(&m, sizeof m.keys, "a set of keys that is none");
	m.keys.set.n = JWK_SET_MAX + 1;
	bad(&m, sizeof m.keys, "a set of keys that is none");
	m.keys.set.n = 1;
	m.keys.set.keys[0] = (struct jwk){ .kind = JWK_RSA, .n_n = JWK_RSA_MAX + 1, .e_n = 3, .algs = 4 };
	bad(&m, sizeof m.keys, "a set of keys that is none");
	m.keys.set.keys[0] = (struct jwk){ .kind = JWK_P384, .point_n = 65, .algs = 2 };
	bad(&m, sizeof m.keys, "a set of keys that is none");
	m.keys.set.keys[0] = (struct jwk){ .kind = JWK_P256, .point_n = 65, .algs = 1, .kid_n = JWK_KID_MAX + 1 };
	bad(&m, sizeof m.keys, "a set of keys that is none");
	bad(&m, sizeof m.keys - 1, "wrong length");
	/* Answers to the wrong question, and twice. */
	begin(0);
	ok(ask_token(0, 1, NULL) && got(&m), "a question");
	say_introspected(m.token_ask.head.call, "{}");
	is_told(TOLD_CREDENTIAL, 1, NULL, "an answer of another kind is none");
	ok(edge->gate_closed, "and closes the edge");
	begin(0);
	ok(ask_token(0, 1, NULL) && got(&m), "a question");
	tag = m.token_ask.head.call;
	say_token(tag, "X: y");
	is_told(TOLD_CREDENTIAL, 1, "X: y", "its answer");
	say_token(tag, "X: y");
	quiet("the same again is none");
	ok(edge->gate_closed, "and closes the edge");
}

static void late(uint64_t seed)
{
	union broker_packet m[3];

	begin(seed);
	for (uint64_t i = 0; i < 3; i++) {
		ok(ask_token(0, i, NULL) && got(&m[i]), "a question");
		sim.now_ms += 1000;
		turns();
	}
	say_token(m[1].token_ask.head.call, "X: 1");
	is_told(TOLD_CREDENTIAL, 1, "X: 1", "an answer in time");
	sim.now_ms += BROKER_CLIENT_MS - 3001;
	quiet("the others wait");
	sim.now_ms += 1;
	is_told(TOLD_CREDENTIAL, 0, NULL, "one has waited long enough");
	quiet("the other has not");
	sim.now_ms += 2000;
	is_told(TOLD_CREDENTIAL, 2, NULL, "now it has");
	say_token(m[2].token_ask.head.call, "X: 2");
	say_token(m[0].token_ask.head.call, NULL);
	quiet("what comes then comes too late");
	ok(!edge->gate_closed, "and is no fault");
}

/* A broker that takes nothing: questions queue up, as far as there is room; then they cannot be asked. */
static void queue(uint64_t seed)
{
	static char large[BROKER_TEXT_MAX + 1];
	uint32_t asks = broker_client_asks(&settings), n = 0, came = 0;
	union broker_packet m;

	begin(seed);
	memset(large, 'q', BROKER_TEXT_MAX);
	edge->window = 0;
	while (n < 200 && ask_about(n, large))
		n++;
	is_int(n, BROKER_CLIENT_QUEUE / (4 + sizeof m.introspect.head + BROKER_TEXT_MAX), "so many large ones wait");
	quiet("unanswered");
	for (int i = 0; i < 300; i++) {
		edge->window = edge->got.n + 1;
		edge->pending |= LOOP_WRITE;
		while (got(&m)) {
			ok(m.introspect.head.n == BROKER_TEXT_MAX, "whole");
			say_introspected(m.introspect.head.call, "{}");
			is_told(TOLD_INTROSPECTED, came++, "{}", "in order");
		}
		if (came == 20 && ask_about(n, "small"))
			n++;
		if (came >= 31)
			break;
	}
	edge->window = 1 << 20;
	edge->pending |= LOOP_WRITE;
	while (got(&m)) {
		say_introspected(m.introspect.head.call, "{}");
		is_told(TOLD_INTROSPECTED, came++, "{}", "in order");
	}
	is_int(came, n, "all of them");
	ok(!memmem(memory, need + 64, "qqqqqqqq", 8), "and none stays");
	/* So many at once and no more. */
	for (n = 0; ask_token(0, n, NULL); n++)
		;
	is_int(n, asks, "as many of a kind as agreed");
	ok(ask_about(n, "t"), "the other kind has room");
	ask_anew = true;
	sim_close(edge);
	turns();
	is_int(ntold - heard, asks + 1, "each is answered, once");
	ask_anew = false;
}

int main(void)
{
	settings.nservers = 2;
	settings.servers[1].exchange = true;
	settings.requests = 40;
	settings.listens = 2;
	settings.auth.nissuers = 2;
	settings.log = keep_log;
	is_int(broker_client_asks(&settings), 46, "questions at once");
	for (uint64_t seed = 0; seed < 5; seed++) {
		questions(seed);
		keys(seed);
		lost(seed, false);
		lost(seed, true);
		late(seed);
		queue(seed);
	}
	packets();
	settings.requests = 100000;
	is_int(broker_client_asks(&settings), BROKER_CLIENT_ASKS_MAX, "never more than that");
	sim_end();
	free(memory);
	return done_testing();
}
