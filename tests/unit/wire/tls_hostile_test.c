/* wire/tls against peers that do not behave: garbage, broken records, ends without notice, renegotiation, alerts, old versions. */
#include "unit/wire/tls_kit.h"

#include "wire/crypto.h"

static struct end server, client;
static struct tls_door door;
static struct tls_route route;
static char text[9000];

static void setup(void)
{
	certs_used = 0;
	door = (struct tls_door){ .certs = certs_read("server-p256", KEY_P256), .ncerts = 1, .signer = certs_signer() };
	route = (struct tls_route){ .anchors = certs_anchors("all-cas"), .name = SPAN("a.test"), .signer = certs_signer() };
}

static void start(void)
{
	setup();
	end_server(&server, &door);
	end_client(&client, &route);
	pump(&server, &client, 1000);
}

static void stop(void)
{
	end_stop(&server);
	end_stop(&client);
}

/* Feeds bytes as they are, however the engine takes them. */
static void feed(struct end *e, const char *bytes, size_t n)
{
	size_t took;

	for (; n > 0 && (took = end_feed(e, bytes, n)) > 0; bytes += took, n -= took)
		;
}

static void drop(struct end *e)
{
	struct span s;

	for (unsigned i = 0; i < 100 && (s = end_out(e)).n > 0; i++)
		end_sent(e, s.n);
}

static void garbage(void)
{
	static const struct { const char *bytes; size_t n; int alert; const char *what; } cases[] = {
#define CASE(literal, alert, what) { literal, sizeof(literal) - 1, alert, what }
		CASE("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", 70, "HTTP"),
		CASE("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", 70, "a hello of SSL 2"),
		CASE("\x16\x03\x01\xff\xff", 22, "a record that is too long"),
		CASE("\x16\x03\x01\x40\x01", 22, "a record that is one byte too long"),
		CASE("\x17\x03\x01\x00\x01x", 10, "application data at once"),
		CASE("\x14\x03\x01\x00\x01\x01", 10, "ChangeCipherSpec at once"),
		CASE("\x16\x03\x01\x00\x04\x02\x00\x00\x00", 10, "a message that clients do not send"),
		CASE("\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", 50, "a hello that ends early"),
		CASE("\x16\x03\x01\x00\x27\x01\x00\x00\x23\x03\x03" "01234567890123456789012345678901" "\x21", 50, "a session id that is too long"),
		CASE("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x01" "01234567890123456789012345678901" "\x00\x00\x04\xc0\x2b\xc0\x09\x01\x00",
			70, "TLS 1.0"),
		CASE("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x02" "01234567890123456789012345678901" "\x00\x00\x04\xc0\x2b\xc0\x09\x01\x00",
			70, "TLS 1.1"),
		CASE("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" "01234567890123456789012345678901" "\x00\x00\x02\x00\x2f\x01\x00",
			40, "no suite of ours"),
		CASE("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" "01234567890123456789012345678901" "\x00\x00\x02\xc0\x2b\x01\x01",
			40, "compression and nothing else"),
		/* Without signature_algorithms a client means SHA-1 (RFC 5246 7.4.1.4.1). */
		CASE("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" "01234567890123456789012345678901" "\x00\x00\x02\xc0\x2b\x01\x00",
			40, "signatures with SHA-1 alone"),
#undef CASE
	};
	struct span s;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		setup();
		end_server(&server, &door);
		feed(&server, cases[i].bytes, cases[i].n);
		s = end_out(&server);
		is_int(tls_state(server.tls) & ~(unsigned)TLS_RECV_RECORD, TLS_SEND_RECORD, cases[i].what);
		ok(s.n == 7 && s.p[0] == 21 && s.p[1] == 3 && s.p[5] == 2, "is answered with a fatal alert");
		if (s.n == 7)
			is_int(s.p[6], cases[i].alert, "the right one");
		drop(&server);
		is_int(tls_state(server.tls), TLS_CLOSED, "and that is all");
		is_int(tls_why(server.tls), TLS_PEER, "the peer's fault");
		ok(!tls_established(server.tls) && tls_record_room(server.tls, &s.n) == NULL && s.n == 0, "nothing more is read");
		end_stop(&server);
	}
}

static void ends(void)
{
	setup();
	end_server(&server, &door);
	tls_eof(server.tls);
	ok(tls_state(server.tls) == TLS_CLOSED && tls_why(server.tls) == TLS_TRUNCATED, "an end before anything came");
	end_stop(&server);

	setup();
	end_server(&server, &door);
	end_client(&client, &route);
	pump_one(&client, &server, 50);
	tls_eof(server.tls);
	ok(tls_state(server.tls) == TLS_CLOSED && tls_why(server.tls) == TLS_TRUNCATED, "an end within the handshake");
	stop();

	start();
	tls_eof(client.tls);
	ok(tls_state(client.tls) == TLS_CLOSED && tls_why(client.tls) == TLS_TRUNCATED, "an end without close_notify");
	tls_detach(server.tls);
	tls_eof(server.tls);
	ok(tls_state(server.tls) == TLS_CLOSED && tls_why(server.tls) == TLS_TRUNCATED, "also at rest");
	stop();

	start();
	tls_write(client.tls, SPAN("cut"));
	tls_flush(client.tls);
	feed(&server, end_out(&client).p, end_out(&client).n - 1);
	tls_eof(server.tls);
	ok(server.ngot == 0 && tls_why(server.tls) == TLS_TRUNCATED, "an end within a record");
	stop();

	start();
	tls_close(server.tls);
	ok((tls_state(server.tls) & TLS_SEND_RECORD) != 0, "who closes has something to send");
	drop(&server);
	is_int(tls_state(server.tls), TLS_RECV_RECORD, "and then only waits");
	tls_eof(server.tls);
	ok(tls_state(server.tls) == TLS_CLOSED && tls_why(server.tls) == TLS_NO_ERROR, "an end after our close_notify is in order");
	is_int(tls_write(server.tls, SPAN("late")), 0, "nothing is written after it");
	stop();

	start();
	tls_write(client.tls, SPAN("last words"));
	tls_close(client.tls);
	pump(&server, &client, 3);
	is_mem(server.got, server.ngot, "last words", 10, "what was written before a close arrives");
	ok(tls_state(server.tls) == TLS_CLOSED && tls_why(server.tls) == TLS_NO_ERROR, "and then the close");
	stop();

	start();
	tls_write(client.tls, SPAN("unread"));
	tls_flush(client.tls);
	{
		struct span s = end_out(&client);
		size_t n;

		memcpy(tls_record_room(server.tls, &n), s.p, 5);
		tls_record_came(server.tls, 5);
		memcpy(tls_record_room(server.tls, &n), s.p + 5, s.n - 5);
		tls_record_came(server.tls, s.n - 5);
		end_sent(&client, s.n);
	}
	tls_close(server.tls);
	pump(&server, &client, 1000);
	ok(tls_state(server.tls) == TLS_CLOSED && tls_state(client.tls) == TLS_CLOSED, "a close with unread bytes comes to its end");
	stop();

	start();
	tls_close(client.tls);
	tls_close(client.tls);
	tls_close(server.tls);
	pump(&server, &client, 1000);
	ok(tls_state(server.tls) == TLS_CLOSED && tls_state(client.tls) == TLS_CLOSED, "both close at once");
	ok(tls_why(server.tls) == TLS_NO_ERROR && tls_why(client.tls) == TLS_NO_ERROR, "in order");
	stop();

	setup();
	end_server(&server, &door);
	end_client(&client, &route);
	tls_close(client.tls);
	pump(&server, &client, 1000);
	ok(tls_state(server.tls) == TLS_CLOSED && !tls_established(server.tls), "a close before the handshake ends it");
	stop();
}

/* Every byte of a record matters. */
static void broken_records(void)
{
	bool all = true, told = true, alert;
	size_t n;
	struct span s;

	for (size_t at = 0; at < 1000; at++) {
		char copy[200];

		start();
		tls_write(client.tls, SPAN("a record"));
		tls_flush(client.tls);
		s = end_out(&client);
		n = s.n;
		if (at >= n) {
			stop();
			break;
		}
		memcpy(copy, s.p, n);
		copy[at] ^= 1;
		feed(&server, copy, n);
		feed(&server, copy, n); /* a longer length wants more */
		alert = (tls_state(server.tls) & TLS_SEND_RECORD) != 0;
		end_sent(&client, n);
		pump(&server, &client, 1000);
		if (at == 3) { /* the length is some 250 bytes more: it waits for them */
			all &= server.ngot == 0;
			stop();
			continue;
		}
		all &= server.ngot == 0 && tls_why(server.tls) == TLS_PEER && tls_state(server.tls) == TLS_CLOSED;
		told &= alert && br_ssl_engine_last_error(&client.tls->br.eng) >= BR_ERR_RECV_FATAL_ALERT;
		stop();
	}
	ok(all, "a record with one bit changed, wherever, gives no byte and ends the connection");
	ok(told, "and the peer is told in a record that it can read");

	/* The same record twice. */
	start();
	tls_write(client.tls, SPAN("once"));
	tls_flush(client.tls);
	s = end_out(&client);
	feed(&server, s.p, s.n);
	feed(&server, s.p, s.n);
	ok(server.ngot == 4 && tls_why(server.tls) == TLS_PEER, "a record cannot be played again");
	stop();

	/* One bit of each handshake record, in both directions, ends the handshake on both sides. */
	all = true;
	for (size_t at = 0; at < 4000; at += 7) {
		size_t passed = 0;
		bool hit = false;

		setup();
		end_server(&server, &door);
		end_client(&client, &route);
		for (unsigned i = 0; i < 1000; i++) {
			struct end *from = i % 2 ? &server : &client, *to = i % 2 ? &client : &server;
			char copy[5000] = "";

			s = end_out(from);
			n = s.n < sizeof copy ? s.n : sizeof copy;
			memcpy(copy, s.p, n);
			if (!hit && at < passed + n) {
				copy[at - passed] ^= 0x10;
				hit = true;
			}
			passed += n;
			feed(to, copy, n);
			end_sent(from, n);
		}
		if (hit)
			all &= !(tls_established(server.tls) && tls_established(client.tls));
		stop();
		if (!hit)
			break;
	}
	ok(all, "no handshake is whole if a bit of it was changed");
}

static void renegotiation(void)
{
	static br_ssl_client_context c;
	static br_ssl_server_context s;
	static br_x509_minimal_context x;
	br_x509_certificate chain[2];

	/* A client asks for it. */
	setup();
	end_server(&server, &door);
	br_ssl_client_init_full(&c, &x, route.anchors->list, route.anchors->n);
	br_x509_minimal_set_time(&x, (uint32_t)(now / 86400000 + 719528), 0);
	end_rough(&client, &c.eng);
	br_ssl_client_reset(&c, "a.test", 0);
	pump(&server, &client, 1000);
	ok(tls_established(server.tls), "a client that can renegotiate");
	ok(br_ssl_engine_renegotiate(&c.eng) == 1, "asks for it");
	pump(&server, &client, 1000);
	is_int(br_ssl_engine_last_error(&c.eng), BR_ERR_RECV_FATAL_ALERT + 100, "no_renegotiation is the answer");
	stop();

	/* A server does. */
	setup();
	for (unsigned i = 0; i < 2; i++)
		chain[i] = (br_x509_certificate){ (unsigned char *)(uintptr_t)door.certs->chain[i].p, door.certs->chain[i].n };
	br_ssl_server_init_full_ec(&s, chain, 2, BR_KEYTYPE_EC, br_skey_decoder_get_ec(certs_key(KEY_P256)));
	end_rough(&server, &s.eng);
	br_ssl_server_reset(&s);
	end_client(&client, &route);
	pump(&server, &client, 1000);
	ok(tls_established(client.tls) && br_ssl_engine_renegotiate(&s.eng) == 1, "a server asks for it");
	pump(&server, &client, 1000);
	is_int(br_ssl_engine_last_error(&s.eng), BR_ERR_RECV_FATAL_ALERT + 100, "no_renegotiation is the answer");
	stop();
}

static void versions(void)
{
	static br_ssl_client_context c;
	static br_ssl_server_context s;
	static br_x509_minimal_context x;
	static const unsigned old[] = { BR_TLS10, BR_TLS11 };
	static const char *const h2[] = { "h2" };
	br_x509_certificate chain[2];

	for (unsigned i = 0; i < 2; i++) {
		setup();
		end_server(&server, &door);
		br_ssl_client_init_full(&c, &x, route.anchors->list, route.anchors->n);
		br_ssl_engine_set_versions(&c.eng, BR_TLS10, old[i]);
		end_rough(&client, &c.eng);
		br_ssl_client_reset(&c, "a.test", 0);
		pump(&server, &client, 1000);
		is_int(br_ssl_engine_last_error(&c.eng), BR_ERR_RECV_FATAL_ALERT + 70, "an old client hears protocol_version");
		is_int(tls_why(server.tls), TLS_PEER, "and is not served");
		stop();

		setup();
		for (unsigned k = 0; k < 2; k++)
			chain[k] = (br_x509_certificate){ (unsigned char *)(uintptr_t)door.certs->chain[k].p, door.certs->chain[k].n };
		br_ssl_server_init_full_ec(&s, chain, 2, BR_KEYTYPE_EC, br_skey_decoder_get_ec(certs_key(KEY_P256)));
		br_ssl_engine_set_versions(&s.eng, BR_TLS10, old[i]);
		end_rough(&server, &s.eng);
		br_ssl_server_reset(&s);
		end_client(&client, &route);
		pump(&server, &client, 1000);
		ok(!tls_established(client.tls) && tls_why(client.tls) == TLS_PEER, "an old server is not used");
		stop();
	}
	/* ALPN: a client that wants something else gets no answer in HTTP/1.1. */
	setup();
	end_server(&server, &door);
	br_ssl_client_init_full(&c, &x, route.anchors->list, route.anchors->n);
	br_ssl_engine_set_protocol_names(&c.eng, (const char **)(uintptr_t)h2, 1);
	end_rough(&client, &c.eng);
	br_ssl_client_reset(&c, "a.test", 0);
	pump(&server, &client, 1000);
	is_int(br_ssl_engine_last_error(&c.eng), BR_ERR_RECV_FATAL_ALERT + 120, "who offers h2 alone hears no_application_protocol");
	stop();
	/* And one that does not ask for any does. */
	setup();
	end_server(&server, &door);
	br_ssl_client_init_full(&c, &x, route.anchors->list, route.anchors->n);
	br_x509_minimal_set_time(&x, (uint32_t)(now / 86400000 + 719528), 0);
	end_rough(&client, &c.eng);
	br_ssl_client_reset(&c, "a.test", 0);
	pump(&server, &client, 1000);
	ok(tls_established(server.tls) && br_ssl_engine_get_selected_protocol(&c.eng) == NULL, "without ALPN there is none");
	stop();
}

/* Alerts in the clear, at a client in its handshake. */
static void alerts(void)
{
	static const struct { const char *record; enum tls_error why; const char *what; } cases[] = {
		{ "\x15\x03\x03\x00\x02\x02\x28", TLS_PEER, "handshake_failure" },
		{ "\x15\x03\x03\x00\x02\x02\x00", TLS_PEER, "a fatal close_notify" },
		{ "\x15\x03\x03\x00\x02\x07\x2a", TLS_PEER, "a level that there is not" },
		{ "\x15\x03\x03\x00\x02\x01\x64", TLS_PEER, "no_renegotiation" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		setup();
		end_client(&client, &route);
		drop(&client);
		feed(&client, cases[i].record, 7);
		ok(tls_state(client.tls) == TLS_CLOSED && tls_why(client.tls) == cases[i].why, cases[i].what);
		end_stop(&client);
	}
	setup();
	end_client(&client, &route);
	drop(&client);
	feed(&client, "\x15\x03\x03\x00\x02\x01\x70", 7);
	is_int(tls_state(client.tls), TLS_RECV_RECORD, "unrecognized_name as a warning is not the end");
	feed(&client, "\x15\x03\x03\x00\x02\x01\x00", 7);
	drop(&client);
	ok(tls_state(client.tls) == TLS_CLOSED && !tls_established(client.tls), "close_notify is");
	end_stop(&client);
}

/* Bytes are left in no place that others will see: the keys are gone after tls_stop(). */
static void wiped(void)
{
	uint8_t master[48];
	bool found = false;
	const char *mem;

	start();
	memcpy(master, server.tls->br.eng.session.master_secret, 48);
	tls_stop(server.tls);
	mem = (const char *)server.tls;
	for (size_t i = 0; i + 48 <= tls_size(); i++)
		found |= memcmp(mem + i, master, 48) == 0;
	ok(!found, "tls_stop() leaves no master secret");
	stop();
}

int main(void)
{
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;
	garbage();
	ends();
	broken_records();
	renegotiation();
	versions();
	alerts();
	wiped();
	for (unsigned e = 0; e < TLS_ERRORS; e++)
		ok(tls_error_text((enum tls_error)e).n > 10 && !span_eq(tls_error_text((enum tls_error)e), SPAN("unknown")), "each error has its words");
	return done_testing();
}
