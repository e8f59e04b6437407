/* wire/tls with itself and with BearSSL's own engine as the peer: suites, keys, names, traffic, rest, resumption, profile CNSA. */
#include "unit/wire/tls_kit.h"

#include "wire/crypto.h"

static struct end server, client;
static struct tls_door door;
static struct tls_route route;
static char text[40000];

static void plain_setup(void)
{
	door = (struct tls_door){ .certs = certs_read("server-p256", KEY_P256), .ncerts = 1, .signer = certs_signer() };
	route = (struct tls_route){ .anchors = certs_anchors("all-cas"), .name = SPAN("a.test"), .signer = certs_signer() };
}

static void both_start(void)
{
	end_server(&server, &door);
	end_client(&client, &route);
}

static void both_stop(void)
{
	end_stop(&server);
	end_stop(&client);
}

static bool open_both(void) { return tls_established(server.tls) && tls_established(client.tls); }

/* Sends n bytes in each direction and looks at what came. */
static bool traffic(struct end *a, struct end *b, size_t n, size_t piece)
{
	bool good;

	a->ngot = b->ngot = 0;
	good = end_write(a, b, text, n, piece) && end_write(b, a, text, n, piece) && a->ngot == n && b->ngot == n
		&& memcmp(a->got, text, n) == 0 && memcmp(b->got, text, n) == 0;
	a->ngot = b->ngot = 0;
	return good;
}

static void whole_lives(void)
{
	static const size_t pieces[] = { 1, 2, 5, 100, 4096, 1 << 20 };
	char name[100];

	plain_setup();
	for (unsigned i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		size_t piece = pieces[i];

		both_start();
		is_int(tls_state(client.tls), TLS_SEND_RECORD | TLS_RECV_RECORD, "a client begins");
		is_int(tls_state(server.tls), TLS_RECV_RECORD, "a server waits");
		pump(&server, &client, piece);
		snprintf(name, sizeof name, "handshake in pieces of %zu", piece);
		ok(open_both() && !tls_resumed(server.tls) && !tls_resumed(client.tls), name);
		is_int(tls_state(server.tls), TLS_RECV_RECORD | TLS_SEND_APP, "both ways are open (server)");
		is_int(tls_state(client.tls), TLS_RECV_RECORD | TLS_SEND_APP, "both ways are open (client)");
		ok(traffic(&client, &server, piece == 1 ? 3000 : sizeof text, piece), "bytes come as they were sent");
		ok(traffic(&client, &server, 1, piece), "one byte as well");
		ok(tls_peer(server.tls) == NULL && tls_peer(client.tls) == NULL, "no client certificate was asked for");

		tls_close(client.tls);
		pump(&server, &client, piece);
		is_int(tls_state(server.tls), TLS_CLOSED, "close_notify ends the server's side");
		is_int(tls_state(client.tls), TLS_CLOSED, "and its answer the client's");
		is_int(tls_why(server.tls), TLS_NO_ERROR, "in order (server)");
		is_int(tls_why(client.tls), TLS_NO_ERROR, "in order (client)");
		tls_eof(server.tls);
		is_int(tls_why(server.tls), TLS_NO_ERROR, "the transport's end afterwards is no truncation");
		both_stop();
	}
}

/* A rough client of ours in all but the suites. */
static void rough_client(br_ssl_client_context *c, br_x509_minimal_context *x, const struct x509_anchors *a, uint16_t suite, const char *name)
{
	br_ssl_client_init_full(c, x, a->list, a->n);
	br_x509_minimal_set_time(x, (uint32_t)(now / 86400000 + 719528), 0);
	if (suite != 0)
		br_ssl_engine_set_suites(&c->eng, &suite, 1);
	end_rough(&client, &c->eng);
	br_ssl_client_reset(c, name, 0);
}

static void all_suites(void)
{
	static const struct { const char *name; uint16_t suite; bool rsa; bool good; } suites[] = {
		{ "ECDHE_ECDSA AES-128-GCM", BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, false, true },
		{ "ECDHE_ECDSA AES-256-GCM", BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, false, true },
		{ "ECDHE_ECDSA ChaCha20-Poly1305", BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, false, true },
		{ "ECDHE_RSA AES-128-GCM", BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true, true },
		{ "ECDHE_RSA AES-256-GCM", BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, true, true },
		{ "ECDHE_RSA ChaCha20-Poly1305", BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, true, true },
		{ "RSA AES-128-GCM", BR_TLS_RSA_WITH_AES_128_GCM_SHA256, true, false },
		{ "ECDHE_RSA AES-128-CBC", BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, true, false },
		{ "ECDHE_ECDSA AES-128-CCM", BR_TLS_ECDHE_ECDSA_WITH_AES_128_CCM, false, false },
		{ "ECDHE_RSA 3DES", BR_TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, true, false },
	};
	struct tls_cert certs[2];
	static br_ssl_client_context c;
	static br_ssl_server_context s;
	static br_x509_minimal_context x;
	br_x509_certificate chain[2];
	char name[100];

	plain_setup();
	certs[0] = *certs_read("server-p256", KEY_P256);
	certs[1] = *certs_read("server-rsa-a", KEY_RSA2048);
	door.certs = certs;
	door.ncerts = 2;
	for (unsigned i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
		const struct tls_cert *own = &certs[suites[i].rsa];

		/* Our server, BearSSL's client. */
		end_server(&server, &door);
		rough_client(&c, &x, route.anchors, suites[i].suite, "a.test");
		pump(&server, &client, 777);
		snprintf(name, sizeof name, "server: %s is %s", suites[i].name, suites[i].good ? "served" : "refused");
		ok(tls_established(server.tls) == suites[i].good, name);
		if (suites[i].good) {
			is_int(server.tls->br.eng.session.cipher_suite, suites[i].suite, "it is the one that was asked for");
			ok(traffic(&client, &server, 20000, 3333), "traffic with it");
		} else {
			is_int(tls_why(server.tls), TLS_PEER, "the peer's fault");
			is_int(br_ssl_engine_last_error(&c.eng), BR_ERR_RECV_FATAL_ALERT + 40, "handshake_failure is said");
		}
		both_stop();

		/* BearSSL's server, our client. */
		chain[0] = (br_x509_certificate){ (unsigned char *)(uintptr_t)own->chain[0].p, own->chain[0].n };
		chain[1] = (br_x509_certificate){ (unsigned char *)(uintptr_t)own->chain[1].p, own->chain[1].n };
		if (suites[i].rsa)
			br_ssl_server_init_full_rsa(&s, chain, own->nchain, br_skey_decoder_get_rsa(certs_key(KEY_RSA2048)));
		else
			br_ssl_server_init_full_ec(&s, chain, own->nchain, BR_KEYTYPE_EC, br_skey_decoder_get_ec(certs_key(KEY_P256)));
		br_ssl_engine_set_suites(&s.eng, &suites[i].suite, 1);
		end_rough(&server, &s.eng);
		br_ssl_server_reset(&s);
		end_client(&client, &route);
		pump(&server, &client, 777);
		snprintf(name, sizeof name, "client: %s is %s", suites[i].name, suites[i].good ? "used" : "not offered");
		ok(tls_established(client.tls) == suites[i].good, name);
		if (suites[i].good)
			ok(traffic(&client, &server, 20000, 3333), "traffic with it");
		both_stop();
	}
}

static void order_of_suites(void)
{
	bool aes = br_aes_x86ni_ctr_get_vtable() != NULL;

	plain_setup();
	both_start();
	pump(&server, &client, 1 << 20);
	is_int(server.tls->br.eng.session.cipher_suite, aes ? BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
		: BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "AES first where the processor has it, ChaCha20 first elsewhere");
	is_int(server.tls->br.eng.ecdhe_curve, BR_EC_secp256r1, "P-256 first");
	is_str(br_ssl_engine_get_selected_protocol(&client.tls->br.eng), "http/1.1", "ALPN says http/1.1");
	both_stop();
}

/* Which certificate a name gets. */
static void by_name(void)
{
	struct tls_cert certs[3];
	static const struct { const char *name; const char *gets; unsigned which; } cases[] = {
		{ "a.test", "the name of the first", 0 }, { "x.w.test", "a name under a wildcard", 0 }, { "b.test", "the name of the second (P-384)", 1 },
		{ "c.test", "the name of the third (RSA)", 2 }, { "C.Test", "case does not count", 2 },
	};
	static br_ssl_client_context c;
	static br_x509_minimal_context x;

	plain_setup();
	certs[0] = *certs_read("server-p256", KEY_P256);
	certs[1] = *certs_read("server-p384", KEY_P384);
	certs[2] = *certs_read("server-rsa", KEY_RSA2048);
	door.certs = certs;
	door.ncerts = 3;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		route.name = span_z(cases[i].name);
		both_start();
		pump(&server, &client, 1000);
		ok(open_both() && server.tls->cert == &certs[cases[i].which], cases[i].gets);
		both_stop();
	}
	route.name = SPAN("unknown.test");
	both_start();
	pump(&server, &client, 1000);
	ok(server.tls->cert == &certs[0], "an unknown name gets the first");
	is_int(tls_why(client.tls), TLS_CERTIFICATE, "which our client refuses");
	is_int(tls_why(server.tls), TLS_PEER, "and says so");
	both_stop();

	/* Without SNI; and the first certificate is of no use to a client that knows RSA only. */
	end_server(&server, &door);
	rough_client(&c, &x, route.anchors, 0, NULL);
	pump(&server, &client, 1000);
	ok(tls_established(server.tls) && server.tls->cert == &certs[0], "no name gets the first");
	both_stop();
	end_server(&server, &door);
	rough_client(&c, &x, route.anchors, BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "a.test");
	pump(&server, &client, 1000);
	ok(server.tls->cert == &certs[2], "the first that the client can use, if none of its name is");
	both_stop();
}

static void large_records(void)
{
	static br_ssl_client_context c;
	static br_x509_minimal_context x;
	static char room[16384 + 85];
	size_t n, sent = 0;
	unsigned char *p;

	plain_setup();
	end_server(&server, &door);
	rough_client(&c, &x, route.anchors, 0, "a.test");
	br_ssl_engine_set_buffers_bidi(&c.eng, client.in, TLS_IN_SIZE, room, sizeof room);
	br_ssl_client_reset(&c, "a.test", 0);
	pump(&server, &client, 1 << 20);
	p = br_ssl_engine_sendapp_buf(&c.eng, &n);
	is_int(n, 16384, "the peer makes records of 16 KiB");
	memcpy(p, text, n);
	br_ssl_engine_sendapp_ack(&c.eng, n);
	pump(&server, &client, 1 << 20);
	ok(server.ngot == n && memcmp(server.got, text, n) == 0, "which are read");

	/* Ours. */
	sent = tls_write(server.tls, span_of(text, sizeof text));
	is_int(sent, 8192, "we make records of 8 KiB");
	is_int(tls_write(server.tls, span_of(text, 1)), 0, "one at a time");
	pump(&server, &client, 1 << 20);
	ok(client.ngot == sent && memcmp(client.got, text, sent) == 0, "and they are read");
	both_stop();

	/* A client that asks for records of 512 bytes (RFC 6066 4) gets them. */
	end_server(&server, &door);
	rough_client(&c, &x, route.anchors, 0, "a.test");
	br_ssl_engine_set_buffers_bidi(&c.eng, client.in, 512 + 325, client.out, 512 + 85);
	br_ssl_client_reset(&c, "a.test", 0);
	pump(&server, &client, 1 << 20);
	ok(tls_established(server.tls), "a client with small buffers");
	is_int(tls_write(server.tls, span_of(text, sizeof text)), 512, "gets records of the size it asked for");
	both_stop();
}

static void rest(void)
{
	char *in = malloc(TLS_IN_SIZE), *out = malloc(TLS_OUT_SIZE);
	struct span s;
	size_t n;

	plain_setup();
	both_start();
	ok(!tls_detach(client.tls), "a client does not rest before the handshake");
	unsigned rests = 0, client_rests = 0;
	for (bool more = true; more && !open_both();) {
		more = pump_one(&client, &server, 7);
		more |= pump_one(&server, &client, 7);
		client_rests += !tls_established(client.tls) && tls_detach(client.tls);
		if (!tls_established(server.tls) && tls_detach(server.tls)) {
			rests++;
			is_int(tls_state(server.tls), TLS_RECV_RECORD, "a server between two flights can");
			memset(server.in, 0x55, TLS_IN_SIZE);
			memset(server.out, 0x55, TLS_OUT_SIZE);
			tls_attach(server.tls, server.in, server.out);
		}
	}
	ok(open_both() && rests >= 3, "and it loses nothing by it");
	is_int(client_rests, 0, "a client does not, during it");
	pump(&server, &client, 100);
	ok(traffic(&client, &server, 9000, 1000), "traffic before");
	for (unsigned round = 0; round < 3; round++) {
		ok(tls_detach(server.tls), "the server rests");
		ok(!tls_detach(server.tls), "and does so once");
		is_int(tls_state(server.tls), TLS_RECV_RECORD | TLS_SEND_APP, "its state can be asked");
		memset(server.in, 0x55, TLS_IN_SIZE);
		memset(server.out, 0x55, TLS_OUT_SIZE);
		memset(in, (int)round, TLS_IN_SIZE);
		memset(out, (int)round, TLS_OUT_SIZE);
		tls_attach(server.tls, round % 2 == 0 ? in : server.in, round % 2 == 0 ? out : server.out);
		ok(tls_detach(client.tls), "the client as well");
		tls_attach(client.tls, client.in, client.out);
		ok(traffic(&client, &server, 30000, 1000), "and traffic goes on in other buffers");
	}
	ok(tls_detach(server.tls), "rest, then an end");
	tls_attach(server.tls, server.in, server.out);

	/* Not with anything pending, in either direction. */
	tls_write(client.tls, SPAN("hello"));
	ok(!tls_detach(client.tls), "not with bytes written and not flushed");
	tls_flush(client.tls);
	ok(!tls_detach(client.tls), "not with a record to send");
	s = end_out(&client);
	for (size_t i = 0; i < s.n; i++) {
		end_feed(&server, s.p + i, 1);
		if (i + 1 < s.n && tls_detach(server.tls)) {
			ok(false, "not in the middle of a record that comes");
			break;
		}
	}
	is_mem(server.got, server.ngot, "hello", 5, "not in the middle of a record that comes");
	end_sent(&client, s.n - 1);
	ok(!tls_detach(client.tls), "not with a byte of a record to send");
	end_sent(&client, 1);
	ok(tls_detach(client.tls), "then it does");
	tls_attach(client.tls, client.in, client.out);

	server.ngot = 0;
	tls_write(client.tls, SPAN("more"));
	tls_flush(client.tls);
	s = end_out(&client);
	memcpy(tls_record_room(server.tls, &n), s.p, 5);
	tls_record_came(server.tls, 5);
	memcpy(tls_record_room(server.tls, &n), s.p + 5, s.n - 5);
	tls_record_came(server.tls, s.n - 5);
	end_sent(&client, s.n);
	ok((tls_state(server.tls) & TLS_RECV_APP) != 0 && !tls_detach(server.tls), "not with bytes that nobody has read");
	tls_app_taken(server.tls, 3);
	ok(!tls_detach(server.tls), "nor with the last of them");
	tls_app_taken(server.tls, 1);
	ok(tls_detach(server.tls), "then it does");
	tls_attach(server.tls, server.in, server.out);
	tls_close(server.tls);
	ok(!tls_detach(server.tls), "not while it closes");
	pump(&server, &client, 100);
	ok(!tls_detach(server.tls) && !tls_detach(client.tls), "not when it is closed");
	both_stop();
	ok(tls_size() < 5400 && tls_size_plain() < 4352, "a connection at rest is small");
	free(in);
	free(out);
}

static bool once_more(int64_t when)
{
	end_server_at(&server, &door, when);
	end_client_at(&client, &route, when);
	pump(&server, &client, 500);
	return open_both() && traffic(&client, &server, 5000, 1000);
}

static void resumption(void)
{
	struct tls_cache *at_server, *at_client, *one;
	unsigned before;
	br_ssl_session_parameters s = { .session_id_len = 32 };
	uint64_t name;
	bool good = true;

	plain_setup();
	at_server = tls_cache_place(malloc(tls_cache_need(64)), 64);
	at_client = tls_cache_place(malloc(tls_cache_need(1)), 1);
	door.cache = at_server;
	route.cache = at_client;
	ok(once_more(now) && !tls_resumed(server.tls) && !tls_resumed(client.tls), "the first handshake is a whole one");
	both_stop();
	before = certs_signed;
	ok(once_more(now + 1000) && tls_resumed(server.tls) && tls_resumed(client.tls), "the second resumes it");
	ok(tls_detach(server.tls) && tls_detach(client.tls), "and can rest");
	both_stop();
	is_int(certs_signed, before, "without a signature");
	ok(once_more(now + TLS_SESSION_MS - 1) && tls_resumed(server.tls), "to the end of its time");
	both_stop();
	ok(once_more(now + TLS_SESSION_MS) && !tls_resumed(server.tls), "not longer");
	both_stop();
	ok(once_more(now + TLS_SESSION_MS + 1) && tls_resumed(server.tls), "there is a new one then");
	both_stop();

	/* The server has lost it: a whole handshake. */
	tls_cache_forget(at_server);
	ok(once_more(now + TLS_SESSION_MS + 2) && !tls_resumed(server.tls) && !tls_resumed(client.tls), "a session that is unknown is made anew");
	both_stop();

	free(at_server);
	free(at_client);

	/* The one that was longest unused gives way. */
	one = tls_cache_place(malloc(tls_cache_need(3)), 3);
	for (unsigned i = 0; i < 4; i++) {
		s.session_id[0] = (unsigned char)i;
		s.master_secret[0] = (unsigned char)(100 + i);
		tls_cache_save(one, &s, i, now, now + 5000);
		s.session_id[0] = 0;
		good &= i == 3 || tls_cache_load(one, &s, &name, now);
	}
	ok(good && tls_cache_load(one, &s, &name, now) && name == 0 && s.master_secret[0] == 100, "a session that is used stays");
	s.session_id[0] = 1;
	ok(!tls_cache_load(one, &s, &name, now), "one that is not gives way");
	s.session_id[0] = 3;
	ok(tls_cache_load(one, &s, &name, now + 4999) && !tls_cache_load(one, &s, &name, now + 5000), "its own end counts");
	ok(!tls_cache_load(one, &s, &name, now - TLS_SESSION_MS), "a clock that went back ends it");
	free(one);
}

/* The same session, offered under another name. */
static void resumption_name(void)
{
	struct tls_cache *at_server = tls_cache_place(malloc(tls_cache_need(8)), 8), *at_client = tls_cache_place(malloc(tls_cache_need(1)), 1);

	plain_setup();
	door.cache = at_server;
	route.cache = at_client;
	ok(once_more(now), "a session for one name");
	both_stop();
	route.name = SPAN("x.w.test");
	end_server(&server, &door);
	end_client(&client, &route);
	pump(&server, &client, 500);
	ok(!tls_established(server.tls) && tls_why(server.tls) == TLS_PEER, "is not resumed under another (RFC 6066 3)");
	is_int(tls_why(client.tls), TLS_PEER, "the client hears an alert");
	both_stop();
	ok(once_more(now) && !tls_resumed(client.tls), "and does not try it again");
	both_stop();
	free(at_server);
	free(at_client);
}

/* Where client certificates are asked for, nothing is resumed. */
static void resumption_clients(void)
{
	struct tls_cache *at_server = tls_cache_place(malloc(tls_cache_need(8)), 8), *at_client = tls_cache_place(malloc(tls_cache_need(1)), 1);

	plain_setup();
	door.cache = at_server;
	door.clients = certs_anchors("all-cas");
	door.client_required = true;
	route.cache = at_client;
	route.own = certs_read("client", KEY_P256);
	for (unsigned i = 0; i < 2; i++) {
		ok(once_more(now) && !tls_resumed(server.tls) && tls_peer(server.tls) != NULL, "a client certificate each time, no resumption");
		both_stop();
	}
	free(at_server);
	free(at_client);
}

static void cnsa(void)
{
	struct tls_cert certs[2];
	static const struct { const char *cert; unsigned key; const char *name; bool good; } cases[] = {
		{ "server-p384", KEY_P384, "b.test", true }, { "server-rsa3072", KEY_RSA3072, "d.test", true },
		{ "server-p256", KEY_P256, "a.test", false }, { "server-rsa", KEY_RSA2048, "c.test", false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		plain_setup();
		certs[0] = *certs_read(cases[i].cert, cases[i].key);
		door = (struct tls_door){ .certs = certs, .ncerts = 1, .signer = certs_signer(), .cnsa = true };
		route = (struct tls_route){ .anchors = certs_anchors("ca384"), .name = span_z(cases[i].name), .cnsa = true };
		both_start();
		pump(&server, &client, 1000);
		ok(open_both() == cases[i].good, cases[i].cert);
		if (cases[i].good) {
			ok(server.tls->br.eng.ecdhe_curve == BR_EC_secp384r1, "P-384");
			ok(server.tls->br.eng.session.cipher_suite == BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
				|| server.tls->br.eng.session.cipher_suite == BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "AES-256-GCM with SHA-384");
			ok(traffic(&client, &server, 20000, 1000), "traffic");
		} else {
			is_int(tls_why(server.tls), TLS_PEER, "such a certificate serves no CNSA client");
		}
		both_stop();
	}
	/* A CNSA client at a door that is none. */
	plain_setup();
	certs[0] = *certs_read("server-p384", KEY_P384);
	certs[1] = *certs_read("server-p256", KEY_P256);
	door.certs = certs;
	door.ncerts = 2;
	route = (struct tls_route){ .anchors = certs_anchors("all-cas"), .name = SPAN("b.test"), .cnsa = true };
	both_start();
	pump(&server, &client, 1000);
	ok(open_both(), "a CNSA client finds what it wants at any door");
	both_stop();
	certs[0] = *certs_read("server-p384-sha256", KEY_P384);
	both_start();
	pump(&server, &client, 1000);
	is_int(tls_why(client.tls), TLS_CERTIFICATE, "but no certificate that is signed with SHA-256");
	both_stop();
	/* An ordinary client at a CNSA door. */
	certs[0] = *certs_read("server-p384", KEY_P384);
	door.cnsa = true;
	route.cnsa = false;
	both_start();
	pump(&server, &client, 1000);
	ok(open_both() && server.tls->br.eng.ecdhe_curve == BR_EC_secp384r1, "an ordinary client can use a CNSA door");
	both_stop();
	/* Client certificates. */
	door.clients = certs_anchors("all-cas");
	door.client_required = true;
	route.own = certs_read("client-p384", KEY_P384);
	route.signer = certs_signer();
	both_start();
	pump(&server, &client, 1000);
	ok(open_both() && tls_peer(server.tls) != NULL, "a client certificate on P-384");
	both_stop();
	route.own = certs_read("client", KEY_P256);
	both_start();
	pump(&server, &client, 1000);
	is_int(tls_why(server.tls), TLS_CERTIFICATE, "not one on P-256");
	both_stop();
}

int main(void)
{
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7 + i / 251);
	whole_lives();
	all_suites();
	order_of_suites();
	by_name();
	large_records();
	rest();
	resumption();
	resumption_name();
	resumption_clients();
	cnsa();
	return done_testing();
}
