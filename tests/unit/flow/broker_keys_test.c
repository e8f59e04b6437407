/* flow/broker: key sets by url. When they are fetched, who is told, and what an issuer that fails or lies brings about. */
#include "unit/flow/broker_kit.h"

#define X1 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define X2 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define SET_1 "{\"keys\":[{\"kid\":\"one\"," X1 "}]}"
#define SET_2 "{\"keys\":[{\"kid\":\"one\"," X1 "},{\"kid\":\"two\"," X2 "}]}"

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

static void open_with(const char *set)
{
	kit_begin(1, false);
	servers[KEYS].body = set;
	broker_open(broker);
	turns();
}

/* The next message tells of issuer 0: state and number of keys. */
static void is_keys(unsigned w, enum broker_keys_state state, unsigned n, const char *name)
{
	union broker_packet m;

	turns();
	if (!is_int(hear(w, &m), BROKER_KEYS, name))
		return;
	ok(m.keys.issuer == 0 && m.keys.state == state && (state != BROKER_KEYS_HERE || m.keys.set.n == n), name);
	ok(state == BROKER_KEYS_NONE ? m.keys.valid_s == 0 : m.keys.valid_s > 0 && m.keys.valid_s <= 86400, "how long it is good for");
}

static void both(enum broker_keys_state state, unsigned n, const char *name)
{
	for (unsigned w = 0; w < WORKERS; w++)
		is_keys(w, state, n, name);
}

static void quiet(const char *name) { ok(silent(0) && silent(1), name); }

static void start(void)
{
	static const char want[] = "GET /ask HTTP/1.1\r\nHost: idp.example\r\nConnection: close\r\nAccept: application/jwk-set+json, application/json\r\n\r\n";

	open_with(SET_1);
	is_int(servers[KEYS].asked, 1, "fetched once at start");
	is_str(servers[KEYS].last, want, "by GET");
	both(BROKER_KEYS_HERE, 1, "and sent to all");
	quiet("once");
	link_worker(1);
	is_keys(1, BROKER_KEYS_HERE, 1, "a new edge gets it at once");
	quiet("only that one");
	ok(log_has("\"https://idp.example\""), "the log says which issuer");
	kit_begin(1, false);
	servers[KEYS].type = "application/jwk-set+json; charset=utf-8";
	servers[KEYS].body = SET_2;
	servers[KEYS].hold = true;
	broker_open(broker);
	for (int i = 0; i < 50; i++) {
		ask_keys(0, 0);
		turns();
	}
	ok(servers[KEYS].asked == 1 && silent(0), "who asks meanwhile waits for the same fetch");
	servers[KEYS].hold = false;
	both(BROKER_KEYS_HERE, 2, "and gets its set");
	quiet("once");
}

static void flood(void)
{
	union broker_packet m;
	unsigned heard = 0;

	open_with(SET_1);
	both(BROKER_KEYS_HERE, 1, "a set");
	for (int i = 0; i < 1000; i++) {
		ask_keys((unsigned)i % 2, 0);
		turns();
	}
	is_int(servers[KEYS].asked, 2, "1000 unknown kids at once: one fetch");
	for (unsigned w = 0; w < WORKERS; w++)
		while (hear(w, &m) == BROKER_KEYS)
			heard += m.keys.state == BROKER_KEYS_SAME;
	ok(heard >= 900, "all are answered: nothing new");
	pass(59000);
	ask_keys(0, 0);
	is_keys(0, BROKER_KEYS_SAME, 0, "59 s later");
	is_int(servers[KEYS].asked, 2, "no fetch");
	pass(1000);
	ask_keys(0, 0);
	turns();
	is_int(servers[KEYS].asked, 3, "60 s later one more");
	servers[KEYS].asked = 0;
	for (int i = 0; i < 1200; i++) {
		ask_keys(1, 0);
		pass(500);
		while (hear(0, &m) != BROKER_NONE || hear(1, &m) != BROKER_NONE)
			;
	}
	ok(servers[KEYS].asked >= 9 && servers[KEYS].asked <= 10, "a flood of ten minutes: a fetch a minute");
}

static void rotation(void)
{
	open_with(SET_1);
	both(BROKER_KEYS_HERE, 1, "a set");
	servers[KEYS].body = SET_2;
	ask_keys(1, 0);
	both(BROKER_KEYS_HERE, 2, "an unknown kid brings the new set to all");
	ask_keys(1, 0);
	is_keys(1, BROKER_KEYS_SAME, 0, "asked again");
	quiet("that is an answer for one");
	servers[KEYS].body = SET_1;
	pass(HOUR - 1000);
	is_int(servers[KEYS].asked, 2, "no fetch within the hour");
	pass(2000);
	is_int(servers[KEYS].asked, 3, "after it one");
	both(BROKER_KEYS_HERE, 1, "with what is new");
	pass(HOUR + 1000);
	both(BROKER_KEYS_SAME, 0, "nothing new is news as well: it may be used for longer");
	quiet("and no more");
}

static void caching(const char *field, int64_t want_ms, const char *name)
{
	kit_begin(1, false);
	servers[KEYS].body = SET_1;
	servers[KEYS].fields = field;
	broker_open(broker);
	turns();
	pass(want_ms - 1000);
	is_int(servers[KEYS].asked, 1, name);
	pass(2000);
	is_int(servers[KEYS].asked, 2, name);
}

/* `s` is what the issuer becomes; the set that is there stays. */
static void worse(struct kit_server s, const char *why, const char *name)
{
	open_with(SET_1);
	both(BROKER_KEYS_HERE, 1, "a set");
	servers[KEYS] = s;
	ask_keys(0, 0);
	if (s.hold)
		pass(5000);
	is_keys(0, BROKER_KEYS_SAME, 0, name);
	quiet("nobody else hears of it");
	if (!log_has(why))
		diag("logged:\n%.*s", (int)log_text.n, logged);
	ok(log_has(why), why);
	link_worker(0);
	is_keys(0, BROKER_KEYS_HERE, 1, "the last good set is still the one to use");
	unsigned before = servers[KEYS].asked;
	servers[KEYS] = (struct kit_server){ .status = 200, .body = SET_2, .asked = before };
	pass(61000);
	both(BROKER_KEYS_HERE, 2, "a minute later it is tried again");
}

static void failures(void)
{
	static char large[100000];
	char *many = malloc(200000);
	size_t n = 0;

	memset(large, ' ', sizeof large - 1);
	memcpy(large, SET_1, sizeof SET_1 - 1);
	worse((struct kit_server){ .status = 500, .body = "{}" }, "HTTP status 500", "an error");
	worse((struct kit_server){ .status = 302, .fields = "Location: http://127.0.0.1:1001/x\r\n", .body = "" }, "HTTP status 302", "a redirect");
	is_int(servers[INTROSPECTION].asked, 0, "which nobody followed");
	worse((struct kit_server){ .status = 200, .body = large }, "over the limit", "a set of more than 64 KiB");
	worse((struct kit_server){ .status = 200, .body = "[]" }, "keys", "no set");
	worse((struct kit_server){ .status = 200, .body = "{\"keys\":[]}" }, "keys", "a set of none");
	worse((struct kit_server){ .status = 200, .body = "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}" }, "could not", "a secret in it");
	worse((struct kit_server){ .status = 200, .type = "text/html", .body = SET_2 }, "no JSON", "another media type");
	worse((struct kit_server){ .status = 200, .fields = "Content-Encoding: gzip\r\n", .body = SET_2 }, "coding", "a content coding");
	worse((struct kit_server){ .refuse = true, .body = "" }, "cannot be reached", "no connection");
	worse((struct kit_server){ .hold = true, .body = "" }, "in time", "no answer");
	worse((struct kit_server){ .dead = true, .body = "" }, "closed the connection", "a closed connection");
	n += (size_t)sprintf(many + n, "{\"keys\":[");
	for (int i = 0; i < 1000; i++)
		n += (size_t)sprintf(many + n, "%s{\"kid\":\"%d\",\"kty\":\"EC\"}", i ? "," : "", i);
	n += (size_t)sprintf(many + n, "]}");
	worse((struct kit_server){ .status = 200, .body = many }, "could not", "a set of thousands");
	free(many);
}

/* 10 MB as a set: neither memory nor the edge notices. */
static void ten_megabytes(void)
{
	static char part[65536];
	struct sim_conn *c = NULL;
	size_t sent = 0;

	memset(part, ' ', sizeof part);
	open_with(SET_1);
	both(BROKER_KEYS_HERE, 1, "a set");
	servers[KEYS].hold = true;
	ask_keys(0, 0);
	turns();
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used && sim.conn[i].port == PORT + KEYS && !sim.conn[i].gate_closed)
			c = &sim.conn[i];
	if (!ok(c != NULL, "it asks"))
		return;
	sim_say(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"keys\":[", 59);
	while (c->used && sent < 10 << 20) {
		sim_say(c, part, sizeof part);
		sent += sizeof part;
		turns();
	}
	ok(!c->used && sent <= 3 * sizeof part, "10 MB are refused before they have come");
	is_keys(0, BROKER_KEYS_SAME, 0, "the set stays");
}

static void age(void)
{
	unsigned before;

	open_with(SET_1);
	both(BROKER_KEYS_HERE, 1, "a set");
	servers[KEYS].status = 500;
	pass(HOUR + 1000);
	before = servers[KEYS].asked;
	pass(10 * MINUTE);
	is_int(servers[KEYS].asked - before, 10, "after a failure a try a minute");
	pass(22 * HOUR);
	link_worker(0);
	is_keys(0, BROKER_KEYS_HERE, 1, "23 hours old: still good");
	pass(HOUR);
	ok(log_has("24 hours old"), "24 hours old: no more");
	link_worker(0);
	ok(silent(0), "no set for a new edge");
	ask_keys(0, 0);
	is_keys(0, BROKER_KEYS_NONE, 0, "none for who asks");
	servers[KEYS].status = 200;
	pass(11000);
	both(BROKER_KEYS_HERE, 1, "the same set again is news");
}

static void nothing_yet(void)
{
	static const int64_t tries[] = { 1000, 2000, 4000, 8000, 10000, 10000 };

	kit_begin(1, false);
	servers[KEYS].refuse = true;
	servers[KEYS].body = SET_1;
	broker_open(broker);
	turns();
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		unsigned before = 0, after = 0;

		for (const char *at = logged; (at = memmem(at, log_text.n - (size_t)(at - logged), "cannot be reached", 17)); at++)
			before++;
		for (int k = 0; k < 20; k++)
			ask_keys(0, 0);
		pass(tries[i] - 100);
		for (const char *at = logged; (at = memmem(at, log_text.n - (size_t)(at - logged), "cannot be reached", 17)); at++)
			after++;
		is_int(after - before, 0, "without a set: no try before its time, whoever asks");
		pass(101);
		for (const char *at = logged; (at = memmem(at, log_text.n - (size_t)(at - logged), "cannot be reached", 17)); at++)
			after++;
		ok(after > 2 * before, "then one");
	}
	while (!silent(0))
		;
	servers[KEYS].refuse = false;
	pass(10100);
	both(BROKER_KEYS_HERE, 1, "the issuer comes up");
}

/* A worker that does not read: it gets what is news when it does. */
static void slow(void)
{
	open_with(SET_1);
	both(BROKER_KEYS_HERE, 1, "a set");
	edges[0]->window = 0;
	servers[KEYS].body = SET_2;
	ask_keys(1, 0);
	is_keys(1, BROKER_KEYS_HERE, 2, "a change");
	ok(silent(0), "which it does not take");
	pass(3000);
	edges[0]->window = 1 << 20;
	edges[0]->pending |= LOOP_WRITE;
	is_keys(0, BROKER_KEYS_HERE, 2, "until it reads");
	edges[0]->window = 0;
	servers[KEYS].body = SET_1;
	pass(61000);
	ask_keys(1, 0);
	is_keys(1, BROKER_KEYS_HERE, 1, "another");
	pass(4900);
	ok(!edges[0]->gate_closed, "it has five seconds");
	pass(200);
	ok(edges[0]->gate_closed && !edges[1]->gate_closed && log_has("takes no answers"), "then its edge is closed");
}

int main(void)
{
	kit_settings();
	start();
	flood();
	rotation();
	caching("", HOUR, "no Cache-Control: an hour");
	caching("Cache-Control: max-age=1800\r\n", 30 * MINUTE, "max-age of half an hour");
	caching("Cache-Control: max-age=1\r\n", 5 * MINUTE, "max-age of a second: five minutes");
	caching("Cache-Control: no-store\r\n", 5 * MINUTE, "no-store: five minutes");
	caching("Cache-Control: max-age=31536000\r\n", 12 * HOUR, "max-age of a year: half a day");
	failures();
	ten_megabytes();
	age();
	nothing_yet();
	slow();
	sim_end();
	free(memory);
	return done_testing();
}
