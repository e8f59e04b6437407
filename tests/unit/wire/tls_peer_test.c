/* wire/tls: whose certificates are taken, in both directions, and what becomes of those that are not. */
#include "unit/wire/tls_kit.h"

static struct end server, client;
static struct tls_door door;
static struct tls_route route;

static void setup(void)
{
	certs_used = 0; /* nothing of the last case is needed */
	door = (struct tls_door){ .certs = certs_read("server-p256", KEY_P256), .ncerts = 1, .signer = certs_signer() };
	route = (struct tls_route){ .anchors = certs_anchors("all-cas"), .name = SPAN("a.test"), .signer = certs_signer() };
}

static void start(int64_t when)
{
	end_server_at(&server, &door, when);
	end_client_at(&client, &route, when);
	pump(&server, &client, 1000);
}

static void stop(void)
{
	end_stop(&server);
	end_stop(&client);
}

/* What the peer was told: the number of the alert that it failed with, -1 if it did not. */
static int told(const struct end *e)
{
	int err = br_ssl_engine_last_error(&e->tls->br.eng);

	return err >= BR_ERR_RECV_FATAL_ALERT && err < BR_ERR_SEND_FATAL_ALERT ? err - BR_ERR_RECV_FATAL_ALERT : -1;
}

static void servers(void)
{
	static const struct { const char *cert; unsigned key; const char *name, *anchors; enum tls_error why; int alert; const char *what; } cases[] = {
		{ "server-p256", KEY_P256, "a.test", "ca", TLS_NO_ERROR, -1, "a chain to the pinned CA" },
		{ "server-p256", KEY_P256, "A.TEST", "ca", TLS_NO_ERROR, -1, "case does not count" },
		{ "server-p256", KEY_P256, "x.w.test", "ca", TLS_NO_ERROR, -1, "a wildcard" },
		{ "server-p256", KEY_P256, "w.test", "ca", TLS_CERTIFICATE, 42, "a wildcard is not the domain itself" },
		{ "server-p256", KEY_P256, "x.y.w.test", "ca", TLS_CERTIFICATE, 42, "a wildcard is one label" },
		{ "server-p256", KEY_P256, "b.test", "ca", TLS_CERTIFICATE, 42, "another name" },
		{ "server-p384", KEY_P384, "b.test", "all-cas", TLS_NO_ERROR, -1, "P-384" },
		{ "server-rsa", KEY_RSA2048, "c.test", "all-cas", TLS_NO_ERROR, -1, "RSA" },
		{ "server-rsa3072", KEY_RSA3072, "d.test", "all-cas", TLS_NO_ERROR, -1, "RSA of 3072 bits" },
		{ "server-no-eku", KEY_P256, "a.test", "ca", TLS_NO_ERROR, -1, "no extendedKeyUsage" },
		{ "server-client-eku", KEY_P256, "a.test", "ca", TLS_PURPOSE, 43, "a client's certificate" },
		{ "server-common-name", KEY_P256, "a.test", "ca", TLS_CERTIFICATE, 42, "the common name is no name" },
		{ "server-expired", KEY_P256, "a.test", "ca", TLS_CERTIFICATE, 45, "expired" },
		{ "server-future", KEY_P256, "a.test", "ca", TLS_CERTIFICATE, 45, "not yet valid" },
		{ "server-other", KEY_P256, "a.test", "ca", TLS_CERTIFICATE, 48, "of another CA" },
		{ "server-other", KEY_P256, "a.test", "other-ca", TLS_NO_ERROR, -1, "which is right for those who pin it" },
		{ "server-no-chain", KEY_P256, "a.test", "ca", TLS_CERTIFICATE, 48, "an intermediate is missing" },
		{ "server-self", KEY_P256, "a.test", "ca", TLS_CERTIFICATE, 48, "self-signed" },
		{ "server-self", KEY_P256, "a.test", "server-self", TLS_NO_ERROR, -1, "self-signed and pinned itself" },
		{ "server-self", KEY_P256, "b.test", "server-self", TLS_CERTIFICATE, 42, "a pinned one is good for its name alone" },
		{ "server-expired", KEY_P256, "a.test", "server-expired", TLS_CERTIFICATE, 45, "a pinned one expires as well" },
		{ "server-client-eku", KEY_P256, "a.test", "server-client-eku", TLS_PURPOSE, 43, "a pinned one has its purpose as well" },
		{ "server-p256", KEY_P384, "a.test", "ca", TLS_PEER, 51, "a signature with another key" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		setup();
		door.certs = certs_read(cases[i].cert, cases[i].key);
		route.anchors = certs_anchors(cases[i].anchors);
		route.name = span_z(cases[i].name);
		start(now);
		ok(tls_established(client.tls) == (cases[i].why == TLS_NO_ERROR), cases[i].what);
		is_int(tls_why(client.tls), cases[i].why, "for the right reason");
		is_int(told(&server), cases[i].alert, "which the server is told");
		if (cases[i].why != TLS_NO_ERROR) {
			is_int(tls_state(client.tls), TLS_CLOSED, "the client is done");
			ok(tls_state(server.tls) == TLS_CLOSED && tls_why(server.tls) == TLS_PEER, "the server as well");
		}
		stop();
	}
	setup();
	door.certs = certs_read("server-expired", KEY_P256);
	start(INT64_C(1717200000000) - 1000); /* 2024-06-01 00:00:00 */
	ok(tls_established(client.tls), "good to the second before its end");
	stop();
	start(INT64_C(1717200000000) + 1000);
	is_int(tls_why(client.tls), TLS_CERTIFICATE, "not a second after");
	stop();
}

static bool has_name(const struct tls_peer *p, bool uri, const char *text)
{
	for (unsigned i = 0; i < p->nnames; i++)
		if (p->names[i].uri == uri && span_eq(span_of(p->names[i].text, p->names[i].n), span_z(text)))
			return true;
	return false;
}

static void clients(void)
{
	static const struct { const char *cert; unsigned key; enum tls_error why; int alert; unsigned nnames; const char *what; } cases[] = {
		{ "client", KEY_P256, TLS_NO_ERROR, -1, 2, "a good one, with its chain" },
		{ "client-rsa", KEY_RSA2048, TLS_NO_ERROR, -1, 1, "an RSA key" },
		{ "client-p384", KEY_P384, TLS_NO_ERROR, -1, 1, "a key on P-384" },
		{ "client-no-names", KEY_P256, TLS_NO_ERROR, -1, 0, "no name at all" },
		{ "client-no-eku", KEY_P256, TLS_NO_ERROR, -1, 1, "no extendedKeyUsage: not restricted" },
		{ "client-four-names", KEY_P256, TLS_NO_ERROR, -1, 4, "four names" },
		{ "client-name-256", KEY_P256, TLS_NO_ERROR, -1, 1, "a name of 256 bytes" },
		{ "client-five-names", KEY_P256, TLS_CERTIFICATE, 42, 0, "five names" },
		{ "client-name-257", KEY_P256, TLS_CERTIFICATE, 42, 0, "a name of 257 bytes" },
		{ "client-server-eku", KEY_P256, TLS_PURPOSE, 43, 0, "a server's certificate" },
		{ "client-any-eku", KEY_P256, TLS_PURPOSE, 43, 0, "anyExtendedKeyUsage" },
		{ "client-is-ca", KEY_P256, TLS_PURPOSE, 43, 0, "a CA's own certificate" },
		{ "client-usage", KEY_P256, TLS_PURPOSE, 43, 0, "keyUsage without signatures" },
		{ "client-expired", KEY_P256, TLS_CERTIFICATE, 45, 0, "expired" },
		{ "client-future", KEY_P256, TLS_CERTIFICATE, 45, 0, "not yet valid" },
		{ "client-other", KEY_P256, TLS_CERTIFICATE, 48, 0, "of another CA" },
		{ "client", KEY_P384, TLS_PEER, 51, 0, "a signature with another key" },
		{ NULL, 0, TLS_CERTIFICATE, 40, 0, "none" },
	};

	for (unsigned required = 0; required < 2; required++)
		for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			bool good = cases[i].why == TLS_NO_ERROR || (cases[i].cert == NULL && !required);
			const struct tls_cert *own;
			const struct tls_peer *p;
			char name[100];

			end_rests = required;
			setup();
			own = cases[i].cert == NULL ? NULL : certs_read(cases[i].cert, cases[i].key);
			door.clients = certs_anchors("all-cas");
			door.client_required = required;
			route.own = own;
			start(now);
			p = tls_peer(server.tls);
			snprintf(name, sizeof name, "%s: %s", required ? "required" : "optional", cases[i].what);
			ok(tls_established(server.tls) == good, name);
			is_int(tls_why(server.tls), good ? TLS_NO_ERROR : cases[i].why, "for the right reason");
			is_int(told(&client), good ? -1 : cases[i].alert, "which the client is told");
			ok((p != NULL) == (good && own != NULL), "the peer is known if it has shown one");
			if (p != NULL) {
				is_int(p->nnames, cases[i].nnames, "with its names");
				is_mem(p->fingerprint, 32, own->leaf.fingerprint, 32, "and its fingerprint");
				is_int(p->until_ms, own->leaf.until_ms, "and its end");
			}
			if (p != NULL && i == 0) {
				ok(has_name(p, false, "agent.test") && has_name(p, true, "spiffe://acme.test/agent/7"), "the names are those of the certificate");
				ok(!has_name(p, true, "agent.test"), "each of its kind");
				ok(tls_detach(server.tls), "it rests");
				ok(tls_peer(server.tls) == p, "and is known all the same");
				tls_attach(server.tls, server.in, server.out);
			}
			stop();
		}
	end_rests = false;
	ok(end_rested > 20, "servers that rested in the middle took no other decision");
}

/* A client without any certificate meets a door that asks for none, though it has one. */
static void not_asked(void)
{
	unsigned before;

	setup();
	route.own = certs_read("client", KEY_P256);
	before = certs_signed;
	start(now);
	ok(tls_established(server.tls) && tls_peer(server.tls) == NULL, "who is not asked shows none");
	is_int(certs_signed, before + 1, "and signs nothing");
	stop();
}

static void signers(void)
{
	setup();
	certs_signer_broken = true;
	start(now);
	is_int(tls_why(server.tls), TLS_SIGNER, "a server without signature");
	ok(tls_why(client.tls) == TLS_PEER && told(&client) == 80, "tells its client that it is its own fault");
	ok(tls_state(server.tls) == TLS_CLOSED && tls_state(client.tls) == TLS_CLOSED, "both are done");
	stop();
	certs_signer_broken = false;
	door.clients = certs_anchors("all-cas");
	door.client_required = true;
	route.own = certs_read("client", KEY_P256);
	route.signer = NULL;
	start(now);
	is_int(tls_why(client.tls), TLS_SIGNER, "a client without signer");
	ok(tls_why(server.tls) == TLS_PEER && told(&server) == 80, "tells the server");
	stop();
}

/* BearSSL's client shows more certificates than anybody needs. */
static void long_chains(void)
{
	static br_ssl_client_context c;
	static br_x509_minimal_context x;
	struct span der[9], pem = certs_pem("client-long");
	br_x509_certificate chain[9];
	struct buf out;
	unsigned n = 0;

	setup();
	door.clients = certs_anchors("all-cas");
	out = buf_on(certs_take(pem.n), pem.n);
	ok(x509_pem_chain(pem, &out, der, 9, &n) == X509_OK && n == 9, "nine certificates");
	for (unsigned i = 0; i < n; i++)
		chain[i] = (br_x509_certificate){ (unsigned char *)(uintptr_t)der[i].p, der[i].n };
	for (unsigned shown = 8; shown < 10; shown++) {
		end_server(&server, &door);
		br_ssl_client_init_full(&c, &x, route.anchors->list, route.anchors->n);
		br_x509_minimal_set_time(&x, (uint32_t)(now / 86400000 + 719528), 0);
		br_ssl_client_set_single_ec(&c, chain, shown, br_skey_decoder_get_ec(certs_key(KEY_P256)), BR_KEYTYPE_SIGN, BR_KEYTYPE_EC,
			&br_ec_all_m31, &br_ecdsa_i31_sign_asn1);
		end_rough(&client, &c.eng);
		/* In many records: a server that rests whenever it may does not do so in the middle of them. */
		br_ssl_engine_set_buffers_bidi(&c.eng, client.in, TLS_IN_SIZE, client.out, 512 + 85);
		end_rests = true;
		br_ssl_client_reset(&c, "a.test", 0);
		pump(&server, &client, 1000);
		end_rests = false;
		ok(tls_established(server.tls) == (shown == 8), shown == 8 ? "eight are read" : "nine are too many, though the ninth is not needed");
		is_int(tls_why(server.tls), shown == 8 ? TLS_NO_ERROR : TLS_CERTIFICATE, "for that reason");
		stop();
	}
}

int main(void)
{
	servers();
	clients();
	not_asked();
	signers();
	long_chains();
	return done_testing();
}
