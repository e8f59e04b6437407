/* flow/broker: its edges. What may come on them, what happens to one that says anything else, takes no answers or goes away; its secrets;
 * and in a rough world at random every question gets exactly one answer. */
#include "unit/flow/broker_kit.h"

#define TOKEN "{\"access_token\":\"t\",\"token_type\":\"Bearer\"}"

static void begin(void)
{
	kit_begin(1, false);
	broker_open(broker);
	turns();
	while (!silent(0) || !silent(1))
		;
}

/* A packet that is not permitted closes its edge and no other. */
static void bad(const void *packet, size_t n, int fd, const char *why)
{
	struct sim_conn *unused;

	begin();
	servers[CLIENT].hold = true;
	ask_token(0, 1, 0, 1, "", false);
	ask_token(1, 1, 0, 2, "", false);
	turns();
	sim_packet_say(edges[0], packet, n, fd < 0 ? -1 : sim_pair(9, &unused));
	turns();
	ok(edges[0]->gate_closed && !edges[1]->gate_closed, why);
	if (!ok(log_has(why) && log_has("worker \"0\""), "and the log says so"))
		diag("%.*s", (int)log_text.n, logged);
	servers[CLIENT].hold = false;
	servers[CLIENT].body = TOKEN;
	is_answer(1, BROKER_TOKEN, 2, "Authorization: Bearer t", "who asked for the same has its answer");
	link_worker(0);
	ask_token(0, 0, 0, 3, "", false);
	is_answer(0, BROKER_TOKEN, 3, "X-Key: static-secret", "a new edge works");
}

static void packets(void)
{
	static union broker_packet m;
	uint32_t type;

	for (type = 0; type < 9; type++)
		bad(&type, sizeof type, -1, "no known type, or too short");
	bad("abc", 3, -1, "no known type, or too short");
	memset(&m, 0, sizeof m);
	m.type = 0x01000001;
	bad(&m, sizeof m, -1, "no known type, or too short");
	m.type = BROKER_KEYS;
	bad(&m, broker_msg_size(&m), -1, "the other direction");
	m.type = BROKER_TOKEN;
	bad(&m, broker_msg_size(&m), -1, "the other direction");
	m.type = BROKER_INTROSPECTED;
	bad(&m, broker_msg_size(&m), -1, "the other direction");
	m.ask_keys = (struct broker_ask_keys){ BROKER_ASK_KEYS, 0 };
	bad(&m, sizeof m.ask_keys + 1, -1, "wrong length");
	bad(&m, sizeof m.ask_keys, 0, "a descriptor where none belongs");
	m.ask_keys.issuer = 1;
	bad(&m, sizeof m.ask_keys, -1, "an issuer without a key set");
	m.ask_keys.issuer = 2;
	bad(&m, sizeof m.ask_keys, -1, "an issuer without a key set");
	m.ask_keys.issuer = UINT32_MAX;
	bad(&m, sizeof m.ask_keys, -1, "an issuer without a key set");
	m.introspect.head = (struct broker_introspect){ BROKER_INTROSPECT, 1, 7, 5, 0 };
	bad(&m, broker_msg_size(&m) - 1, -1, "wrong length");
	bad(&m, broker_msg_size(&m) + 1, -1, "wrong length");
	m.introspect.head.n = BROKER_TEXT_MAX + 1;
	bad(&m, broker_msg_size(&m), -1, "wrong length");
	m.introspect.head.n = UINT32_MAX;
	bad(&m, sizeof m.introspect.head - 1, -1, "too short");
	m.introspect.head.n = 0;
	bad(&m, sizeof m.introspect.head, -1, "about no token");
	m.introspect.head = (struct broker_introspect){ BROKER_INTROSPECT, 1, 7, 5, 1 };
	bad(&m, broker_msg_size(&m), -1, "about no token");
	m.introspect.head = (struct broker_introspect){ BROKER_INTROSPECT, 0, 7, 5, 0 };
	bad(&m, broker_msg_size(&m), -1, "an issuer without introspection");
	m.token_ask.head = (struct broker_token_ask){ BROKER_TOKEN_ASK, 3, 7, 0, 0, 0, 0 };
	bad(&m, broker_msg_size(&m), -1, "a server without credentials");
	m.token_ask.head.server = 4;
	bad(&m, broker_msg_size(&m), -1, "a server without credentials");
	m.token_ask.head = (struct broker_token_ask){ BROKER_TOKEN_ASK, 1, 7, 2, 0, 0, 0 };
	bad(&m, broker_msg_size(&m), -1, "a tenant that is not there");
	m.token_ask.head = (struct broker_token_ask){ BROKER_TOKEN_ASK, 1, 7, 0, 2, 0, 0 };
	bad(&m, broker_msg_size(&m), -1, "no yes or no");
	m.token_ask.head = (struct broker_token_ask){ BROKER_TOKEN_ASK, 1, 7, 0, 0, 3, 0 };
	bad(&m, broker_msg_size(&m), -1, "a caller's token where none belongs");
	m.token_ask.head.server = 0;
	bad(&m, broker_msg_size(&m), -1, "a caller's token where none belongs");
	bad(&m, sizeof m, -1, "wrong length");
	{
		static char large[sizeof m + 1];

		bad(large, sizeof large, -1, "too long");
	}
}

static void too_many(void)
{
	begin();
	servers[CLIENT].hold = true;
	for (uint64_t i = 0; i < ASKS; i++)
		ask_token(0, 1, 0, i, "", false);
	turns();
	ok(!edges[0]->gate_closed, "as many questions as agreed");
	servers[INTROSPECTION].hold = true;
	ask_about(0, 1, 99, "one of the other kind");
	turns();
	ok(!edges[0]->gate_closed, "and some of the other kind");
	ask_token(0, 0, 0, 100, "", false);
	turns();
	ok(edges[0]->gate_closed && log_has("more questions than agreed"), "one more closes the edge");
	link_worker(0);
	servers[CLIENT].hold = false;
	servers[CLIENT].body = TOKEN;
	ok(silent(0), "who asked before hears nothing on a new edge");
	for (uint64_t i = 0; i < 3 * ASKS; i++) {
		ask_token(0, 1, 0, i, "", false);
		is_answer(0, BROKER_TOKEN, i, "Authorization: Bearer t", "its questions count from the beginning");
	}
}

static void gone(void)
{
	begin();
	servers[CLIENT].hold = true;
	ask_token(0, 1, 0, 1, "", false);
	ask_token(1, 1, 0, 2, "", false);
	ask_about(0, 1, 3, "t");
	turns();
	sim_close(edges[0]);
	turns();
	ok(edges[0]->gate_closed, "a worker that is gone");
	servers[CLIENT].hold = false;
	servers[CLIENT].body = TOKEN;
	is_answer(1, BROKER_TOKEN, 2, "Authorization: Bearer t", "does not disturb the others");
	ok(!log_has("closes its edge"), "and is nothing to complain about");
	link_worker(0);
	link_worker(0);
	ask_token(0, 1, 0, 4, "", false);
	is_answer(0, BROKER_TOKEN, 4, "Authorization: Bearer t", "its successor has what is there");
	broker_link(broker, WORKERS, sim_pair(0, &edges[0]));
	ok(edges[0]->gate_closed, "a worker that cannot be");
	link_worker(0);
}

/* Answers that a worker does not take wait; what they hold is not given up meanwhile, and not for ever. */
static void slow(void)
{
	char name[32];

	begin();
	servers[INTROSPECTION].body = "{\"active\":true}";
	edges[0]->window = 0;
	for (uint64_t i = 0; i < ASKS; i++) {
		snprintf(name, sizeof name, "slow %d", (int)i);
		ask_about(0, 1, i, name);
	}
	turns();
	for (uint64_t i = 0; i < 60; i++) { /* turns the table over twice */
		snprintf(name, sizeof name, "other %d", (int)i);
		ask_about(1, 1, i, name);
		is_answer(1, BROKER_INTROSPECTED, i, "{\"active\":true}", "another worker's");
	}
	pass(4000);
	edges[0]->window = 1 << 20;
	edges[0]->pending |= LOOP_WRITE;
	for (uint64_t i = 0; i < ASKS; i++)
		is_answer(0, BROKER_INTROSPECTED, i, "{\"active\":true}", "all are there when it reads");
	edges[0]->window = 0;
	ask_token(0, 0, 0, 1, "", false);
	pass(5100);
	ok(edges[0]->gate_closed && log_has("takes no answers"), "five seconds, then its edge is closed");
}

static void secrets(void)
{
	static char large[BROKER_SECRET_MAX + 2];
	const char *const wrong[] = { "", "\n", "\r\n", "a\nb", "a\r\nX: y", "a\n\n", " a", "a ", "\ta", "a\tb", "s\xc3\xa9", "a\x7f" };

	begin();
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		ok(broker_secret(broker, BROKER_OF_SERVER, 1, span_z(wrong[i])) != NULL, "not a secret");
	ok(broker_secret(broker, BROKER_OF_SERVER, 1, span_of("a\0b", 3)) != NULL, "nor with a NUL");
	memset(large, 'x', sizeof large);
	ok(broker_secret(broker, BROKER_OF_SERVER, 1, span_of(large, BROKER_SECRET_MAX + 1)) != NULL, "too long");
	ok(broker_secret(broker, BROKER_OF_SERVER, 1, span_of(large, BROKER_SECRET_MAX)) == NULL, "as long as may be");
	large[BROKER_SECRET_MAX] = '\n';
	ok(broker_secret(broker, BROKER_OF_SERVER, 0, span_of(large, BROKER_SECRET_MAX + 1)) == NULL, "without its newline");
	ok(broker_secret(broker, BROKER_OF_SERVER, 1, SPAN("pass phrase of words")) == NULL, "spaces inside");
	ok(broker_secret(broker, BROKER_OF_SERVER, 3, SPAN("s")) && broker_secret(broker, BROKER_OF_SERVER, 4, SPAN("s"))
		&& broker_secret(broker, BROKER_OF_ISSUER, 0, SPAN("s")) && broker_secret(broker, BROKER_OF_ISSUER, 2, SPAN("s")), "nobody needs it");
	settings.servers[0].header = SPAN("Authorization");
	settings.servers[0].scheme = SPAN("Token");
	begin();
	ask_token(1, 0, 0, 1, "", false);
	is_answer(1, BROKER_TOKEN, 1, "Authorization: Token static-secret", "with a scheme");
	settings.servers[0].header = SPAN("X-Key");
	settings.servers[0].scheme = SPAN("");
}

/* Without a secret the client says who it is in the form: another way of knowing it is at work (RFC 8705). */
static void without_secret(void)
{
	settings.servers[1].secret = false;
	settings.issuers[1].client_id = span_of(NULL, 0);
	ok(!broker_wants(&settings, BROKER_OF_SERVER, 1) && !broker_wants(&settings, BROKER_OF_ISSUER, 1), "no secret is wanted");
	sim_begin(1, false);
	memset(memory, 0, need);
	broker = broker_place((void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63), &settings, &loop);
	ok(!broker_secret(broker, BROKER_OF_SERVER, 0, SPAN("s")) && !broker_secret(broker, BROKER_OF_SERVER, 2, SPAN("s")), "those that are");
	link_worker(0);
	link_worker(1);
	broker_open(broker);
	servers[CLIENT].body = TOKEN;
	ask_token(0, 1, 0, 1, "", false);
	is_answer(0, BROKER_TOKEN, 1, "Authorization: Bearer t", "a token");
	ok(strstr(servers[CLIENT].last, "&client_id=gw%3A1") && !strstr(servers[CLIENT].last, "Authorization"), "asked for without a secret");
	servers[INTROSPECTION].body = "{\"active\":false}";
	ask_about(0, 1, 2, "t");
	is_answer(0, BROKER_INTROSPECTED, 2, "{\"active\":false}", "an answer");
	ok(!strstr(servers[INTROSPECTION].last, "Authorization"), "the same with introspection");
	settings.servers[1].secret = true;
	settings.issuers[1].client_id = SPAN("gw");
}

static void over_tls(void)
{
	struct broker_settings plain = settings;

	sim_tls_world(1);
	kit_door = &sim_door;
	settings.servers[1].token.tls = &sim_route;
	settings.issuers[1].introspect.tls = &sim_route_distrust;
	for (uint64_t seed = 0; seed < 4; seed++) {
		kit_begin(seed, seed > 0);
		broker_open(broker);
		servers[CLIENT].body = TOKEN;
		servers[INTROSPECTION].body = "{\"active\":true}";
		for (unsigned i = 0; i < 3; i++) {
			ask_token(0, 1, i % 2, i, "", i == 2);
			is_answer(0, BROKER_TOKEN, i, "Authorization: Bearer t", "a token over TLS");
		}
		ask_about(1, 1, 7, "opaque");
		is_answer(1, BROKER_INTROSPECTED, 7, NULL, "a server that is not to be trusted");
		ok(servers[INTROSPECTION].asked == 0 && log_has("TLS"), "hears nothing of the token");
	}
	kit_door = NULL;
	settings = plain;
}

/* Everything at random: pieces, delays, faults, workers that come and go. */
static bool world(uint64_t seed)
{
	static const struct kit_server kinds[] = {
		{ .status = 200, .body = TOKEN }, { .status = 200, .body = TOKEN }, { .status = 200, .body = "{\"active\":true}" },
		{ .status = 500, .body = "" }, { .refuse = true, .body = "" }, { .dead = true, .body = "" }, { .hold = true, .body = "" },
		{ .status = 200, .body = "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":3}" },
	};
	uint64_t next = 1, open[WORKERS][64] = { { 0 } };
	unsigned nopen[WORKERS] = { 0 }, kind[WORKERS][2] = { { 0 } }, of[WORKERS][64] = { { 0 } };

	kit_begin(seed, true);
	broker_open(broker);
	for (int step = 0; step < 150; step++) {
		unsigned w = sim_roll(WORKERS), k = sim_roll(2);
		char token[8] = { (char)('a' + sim_roll(6)), 0 };
		union broker_packet m;

		switch (sim_roll(6)) {
		case 0:
			servers[sim_roll(PORTS)] = kinds[sim_roll(sizeof kinds / sizeof kinds[0])];
			break;
		case 1:
			if (sim_roll(6) == 0) {
				link_worker(w);
				nopen[w] = kind[w][0] = kind[w][1] = 0;
			}
			break;
		case 2:
			pass(sim_roll(3000));
			break;
		default:
			if (kind[w][k] == ASKS)
				break;
			if (k == 0)
				ask_token(w, 1 + sim_roll(2), sim_roll(2), next, "", sim_roll(3) == 0);
			else
				ask_about(w, 1, next, token);
			of[w][nopen[w]] = k;
			open[w][nopen[w]++] = next++;
			kind[w][k]++;
			if (sim_roll(4) == 0)
				ask_keys(w, 0);
		}
		if (sim_roll(3) == 0)
			turns();
		for (unsigned i = 0; step == 149 && i < PORTS; i++)
			servers[i].hold = false;
		if (step == 149)
			pass(6000);
		for (w = 0; w < WORKERS; w++) {
			enum broker_type type;

			while ((type = hear(w, &m)) != BROKER_NONE) {
				uint64_t call = type == BROKER_TOKEN ? m.token.head.call : m.introspected.head.call;
				unsigned at = 0;

				if (type == BROKER_KEYS)
					continue;
				while (at < nopen[w] && open[w][at] != call)
					at++;
				if (at == nopen[w] || of[w][at] != (type == BROKER_INTROSPECTED))
					return false;
				kind[w][of[w][at]]--;
				open[w][at] = open[w][--nopen[w]];
				of[w][at] = of[w][nopen[w]];
			}
		}
	}
	return nopen[0] == 0 && nopen[1] == 0 && !log_has("closes its edge");
}

int main(void)
{
	bool right = true;

	kit_settings();
	packets();
	too_many();
	gone();
	slow();
	secrets();
	without_secret();
	over_tls();
	for (uint64_t seed = 1; seed <= 60 && right; seed++)
		if (!(right = world(seed)))
			diag("seed %d", (int)seed);
	ok(right, "at random: every question has exactly one answer");
	sim_end();
	free(memory);
	return done_testing();
}
