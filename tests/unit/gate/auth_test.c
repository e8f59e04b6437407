/* gate/auth: who is calling, by what they bring; what is remembered; introspection; challenge and metadata. Attacks: auth_attacks_test.c. */
#include "auth_kit.h"

#include "gate/auth_priv.h"
#include "tap.h"

static char mem[1 << 15], auth_mem[1 << 15];

#define CLAIMS(more) "{\"iss\":\"https://idp.example\",\"aud\":\"" KIT_RESOURCE "\",\"exp\":1790000300,\"iat\":1789999990,\"sub\":\"user-1\"," \
	"\"client_id\":\"agent-1\",\"jti\":\"t1\",\"tenant\":\"acme\",\"roles\":[\"reader\"],\"scope\":\"tools:use\"" more "}"
#define LEGACY(more) "{\"iss\":\"https://old.example\",\"aud\":\"" KIT_RESOURCE "\",\"exp\":1790000300,\"sub\":\"u\"" more "}"
#define LEGACY_HEADER "{\"alg\":\"ES256\",\"kid\":\"p256b\"}"

static void bring(const char *scheme, const char *token)
{
	struct buf b = buf_on(auth_mem, sizeof auth_mem);

	buf_put(&b, span_z(scheme));
	buf_char(&b, ' ');
	buf_put(&b, span_z(token));
	kit.request.authorization = buf_span(&b);
	kit.request.nauthorization = 1;
}

static void bring_jwt(const char *header, const char *claims, enum tokens_key key)
{
	struct buf b = buf_on(auth_mem, sizeof auth_mem);

	BUF_LIT(&b, "Bearer ");
	tokens_write(&b, span_z(header), span_z(claims), key, key == TOKENS_P384 ? JWK_ES384 : JWK_ES256);
	kit.request.authorization = buf_span(&b);
	kit.request.nauthorization = 1;
}

static void is_verdict(enum auth_verdict want, enum auth_reason reason, const char *name)
{
	if (!ok(kit.result.verdict == want && kit.result.reason == reason, name))
		diag("%s %s, want %s %s", kit_verdict(kit.result.verdict), auth_reason_text(kit.result.reason).p, kit_verdict(want), auth_reason_text(reason).p);
}

static void is_subject(const char *want)
{
	is_mem(kit.result.identity.subject, kit.result.identity.subject_n, want, strlen(want), "the subject");
}

static void nothing_brought(void)
{
	kit_start();
	kit_decide();
	is_verdict(AUTH_MISSING, AUTH_REASON_NONE, "nothing, from afar");
	ok(!kit.result.dpop, "ask for Bearer");
	kit.request.loopback = true;
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "nothing, on loopback");
	ok(kit.result.identity.kind == IDENTITY_ANONYMOUS && kit.result.identity.tenant == 1 && kit.result.identity.roles == 1 && kit.result.identity.until_ms == 0, "is anonymous");
	kit.now_ms = 0;
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "whatever the time");
	kit.now_ms = KIT_NOW * 1000;
	kit.rules.anonymous = false;
	kit.rules.dpop = AUTH_DPOP_REQUIRED;
	kit_decide();
	is_verdict(AUTH_MISSING, AUTH_REASON_NONE, "nobody is, if there is none");
	ok(kit.result.dpop, "ask for DPoP where it is asked for");

	kit_start();
	kit.request.loopback = true;
	bring("Bearer", "wrong.token.here");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_FORM, "a wrong token on loopback is no anonymous caller");
	kit.request.authorization = SPAN("");
	kit_decide();
	is_verdict(AUTH_MALFORMED, AUTH_REASON_FORM, "nor is an empty field");
	kit.request.authorization = span_of(NULL, 0);
	kit.request.nauthorization = 0;
	kit.request.ndpop = 1;
	kit.request.dpop = SPAN("e30.e30.AAAA");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_PROOF, "nor one who only proves something");
	kit.request.ndpop = 0;
	kit.request.dpop = span_of(NULL, 0);
	kit.request.peer.there = true;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_UNKNOWN_KEY, "nor one with a certificate that nobody knows");
}

static void certificates(void)
{
	struct auth_peer *peer = &kit.request.peer;

	kit_start();
	peer->there = true;
	peer->nnames = 2;
	peer->until_ms = kit.now_ms + 1000;
	peer->names[0].text = SPAN("other.example");
	peer->names[1].uri = true;
	peer->names[1].text = SPAN("spiffe://acme/agent");
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a certificate with a URI that we know");
	ok(kit.result.identity.kind == IDENTITY_CERTIFICATE && kit.result.identity.tenant == 0 && kit.result.identity.roles == 3, "is who that is");
	ok(kit.result.identity.until_ms == kit.now_ms + 1000, "as long as it lasts");
	is_subject("spiffe://acme/agent");
	kit.now_ms += 1000;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_EXPIRED, "not longer");
	kit.now_ms -= 1000;
	peer->names[1].uri = false;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_UNKNOWN_KEY, "a DNS name that looks like it is another");
	peer->names[1].uri = true;
	peer->names[1].text = SPAN("spiffe://acme/Agent");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_UNKNOWN_KEY, "a URI in other case is another");
	peer->names[0].text = SPAN("Agent.ACME.example");
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a DNS name in other case is the same");
	is_subject("agent.acme.example");
	peer->names[0].uri = true;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_UNKNOWN_KEY, "as a URI it is none");
	peer->names[0].uri = false;
	peer->nnames = 0;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_UNKNOWN_KEY, "only names that are there count");
	peer->nnames = 1;
	memset(peer->fingerprint, 0xee, 32);
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_REVOKED, "one that was revoked");
	peer->fingerprint[31] ^= 1;
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "is that one alone");
	bring_jwt(KIT_HEADER, CLAIMS(""), TOKENS_P256);
	kit_decide();
	ok(kit.result.verdict == AUTH_OK && kit.result.identity.kind == IDENTITY_TOKEN && kit.result.identity.tenant == 0, "beside a token, the token says who");
	peer->until_ms = kit.now_ms + 1000;
	kit_decide();
	ok(kit.result.verdict == AUTH_OK && kit.result.identity.until_ms == INT64_C(1790000360000), "and until when, if it is not bound");
	bring("Bearer", KIT_API_KEY);
	kit_decide();
	ok(kit.result.verdict == AUTH_OK && kit.result.identity.kind == IDENTITY_KEY, "beside a key, the key");
	bring("Bearer", "a.b.c");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_FORM, "and a wrong token is not made good by a certificate");

	/* Who is who is told by the subject: sessions, tasks and limits are its own. */
	static char names[3][201];
	struct identity who[3];
	for (unsigned i = 0; i < 3; i++) {
		memset(names[i], 'a', 200);
		memcpy(names[i], "spiffe://", 9);
		names[i][i == 0 ? 127 : 199] = 'b';
		kit_start();
		kit.certificates[0].san = span_of(names[i], i == 0 ? 128 : i == 1 ? 200 : 199);
		peer->there = true;
		peer->nnames = 1;
		peer->until_ms = kit.now_ms + 1000;
		peer->names[0].uri = true;
		peer->names[0].text = kit.certificates[0].san;
		kit_decide();
		is_verdict(AUTH_OK, AUTH_REASON_NONE, "a long name");
		who[i] = kit.result.identity;
	}
	ok(who[0].subject_n == 128 && memcmp(who[0].subject, names[0], 128) == 0, "one that has room stands as it is");
	ok(who[1].subject_n == 128 && memcmp(who[1].subject, names[1], 64) == 0, "a longer one is cut");
	ok(memcmp(who[1].subject, who[2].subject, 128) != 0, "but two are never one");
}

static void keys(void)
{
	kit_start();
	bring("Bearer", KIT_API_KEY);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "an API key");
	ok(kit.result.identity.kind == IDENTITY_KEY && kit.result.identity.tenant == 1 && kit.result.identity.roles == 1 && kit.result.identity.until_ms == 0, "is who that is");
	ok(span_absent(kit.result.token), "and no token to hand on");
	is_subject("ci");
	kit.rules.nkeys = 1;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_UNKNOWN_KEY, "that was taken away");
	ok(kit.result.issuer == AUTH_ISSUERS_MAX, "of no issuer");

	/* A hash in the configuration of something that is no key of ours by its form. */
	kit_start();
	crypto_sha256("postern_short", 13, kit.keys[0].sha256);
	bring("Bearer", "postern_short");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_UNKNOWN_KEY, "a key has its length");
}

static void tokens(void)
{
	kit_start();
	bring_jwt(KIT_HEADER, CLAIMS(""), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a token");
	ok(kit.result.issuer == 0 && kit.result.identity.issuer == 0 && kit.result.identity.kind == IDENTITY_TOKEN, "of its issuer");
	ok(kit.result.identity.until_ms == INT64_C(1790000360000), "until exp and the skew");
	ok(span_eq(kit.result.token, span_from(kit.request.authorization, 7)), "it is there to be exchanged");
	is_subject("user-1");
	bring_jwt(KIT_HEADER, CLAIMS(",\"exp2\":1"), TOKENS_P256);
	kit.issuers[0].age_max_ms = 100000;
	kit_decide();
	ok(kit.result.verdict == AUTH_OK && kit.result.identity.until_ms == INT64_C(1790000150000), "or until it is too old");

	kit_start();
	bring_jwt(LEGACY_HEADER, LEGACY(",\"client_id\":\"c\""), TOKENS_P256B);
	kit_decide();
	ok(kit.result.verdict == AUTH_OK && kit.result.issuer == 1 && kit.result.identity.tenant == 1 && kit.result.identity.roles == 2, "a legacy one");
	bring_jwt(LEGACY_HEADER, LEGACY(",\"tenant\":\"acme\",\"roles\":[\"reader\"]"), TOKENS_P256B);
	kit_decide();
	ok(kit.result.verdict == AUTH_OK && kit.result.identity.tenant == 1 && kit.result.identity.roles == 2, "what is not mapped is not read");
	kit.issuers[1].tenant = -1;
	bring_jwt(LEGACY_HEADER, LEGACY(""), TOKENS_P256B);
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_TENANT, "no tenant, no caller");
	kit.rules.nissuers = 0;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_ISSUER, "no issuer, no token");

	kit_start();
	kit.known[0] = NULL;
	bring_jwt(KIT_HEADER, CLAIMS(""), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_NEED_KEYS, AUTH_REASON_NO_KEY, "keys that are not there yet are asked for");
	ok(kit.result.issuer == 0 && !span_absent(kit.result.token), "of this issuer");
	kit.known[0] = &kit.sets[0];
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "and then it is decided");
	kit.on.keys = NULL;
	bring_jwt(KIT_HEADER, CLAIMS(",\"x\":1"), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_NEED_KEYS, AUTH_REASON_NO_KEY, "no keys of anybody");

	kit_start();
	kit.now_ms = kit.on.built_ms - 1;
	bring_jwt(KIT_HEADER, CLAIMS(""), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_CLOCK, "a clock that cannot be right");
}

/* A token that is known costs no signature: without any key it passes. */
static void remembered(void)
{
	struct auth_rules rules;

	kit_start();
	bring_jwt(KIT_HEADER, CLAIMS(""), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a token, once");
	kit.known[0] = NULL;
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "and again, without keys");
	is_subject("user-1");
	ok(kit.result.issuer == 0 && kit.result.identity.scopes == 1 && !span_absent(kit.result.token), "the same in all");
	kit.now_ms += AUTH_CACHE_MS - 1;
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "for five minutes");
	kit.now_ms += 1;
	kit_decide();
	is_verdict(AUTH_NEED_KEYS, AUTH_REASON_NO_KEY, "not longer");
	kit.now_ms = KIT_NOW * 1000 - 1;
	kit_decide();
	is_verdict(AUTH_NEED_KEYS, AUTH_REASON_NO_KEY, "and not before it was seen");
	kit.now_ms = KIT_NOW * 1000;
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "(it is still there)");
	((char *)(uintptr_t)kit.request.authorization.p)[kit.request.authorization.n - 1] ^= 1;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_FORM, "another last byte is another token");
	((char *)(uintptr_t)kit.request.authorization.p)[kit.request.authorization.n - 1] ^= 1;
	rules = kit.rules;
	kit.rules.certificate_bound = true;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_BINDING, "what is asked of it is asked each time");
	kit.rules = rules;
	auth_cache_clear(kit.on.cache);
	kit_decide();
	is_verdict(AUTH_NEED_KEYS, AUTH_REASON_NO_KEY, "a change of keys forgets it");

	/* Near its end. */
	kit_start();
	kit.now_ms = (KIT_NOW + 359) * 1000;
	bring_jwt(KIT_HEADER, CLAIMS(""), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a token a second before its end");
	kit.now_ms += 1000;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_EXPIRED, "ends then, known or not");

	/* Bound to a certificate: the binding is looked at each time. */
	kit_start();
	kit.request.peer.there = true;
	kit.request.peer.until_ms = kit.now_ms + 5000;
	memset(kit.request.peer.fingerprint, 0x11, 32);
	bring_jwt(KIT_HEADER, CLAIMS(",\"cnf\":{\"x5t#S256\":\"" KIT_MINE "\"}"), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a bound token");
	ok(kit.result.identity.until_ms == kit.now_ms + 5000, "ends with its certificate");
	kit.request.peer.until_ms = kit.now_ms + 999000;
	kit_decide();
	ok(kit.result.identity.until_ms == INT64_C(1790000360000), "or with itself");
	kit.request.peer.until_ms = 0;
	kit_decide();
	ok(kit.result.identity.until_ms == INT64_C(1790000360000), "with itself if the certificate has no end");
	kit.request.peer.fingerprint[0] ^= 1;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_BINDING, "is refused on another connection");
	kit.request.peer.there = false;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_BINDING, "and on one without");
}

static void crowded(void)
{
	unsigned known = 0;
	char claims[600];

	kit_start();
	for (unsigned i = 0; i < 3 * KIT_CACHE; i++) {
		snprintf(claims, sizeof claims, CLAIMS(",\"n\":%u"), i);
		bring_jwt(KIT_HEADER, claims, TOKENS_P256);
		kit_decide();
		known += kit.result.verdict == AUTH_OK;
	}
	is_int(known, 3 * KIT_CACHE, "more tokens than are kept all pass");
	kit.known[0] = NULL;
	known = 0;
	for (unsigned i = 0; i < 3 * KIT_CACHE; i++) {
		snprintf(claims, sizeof claims, CLAIMS(",\"n\":%u"), i);
		bring_jwt(KIT_HEADER, claims, TOKENS_P256);
		kit_decide();
		known += kit.result.verdict == AUTH_OK;
	}
	ok(known > KIT_CACHE / 2 && known <= KIT_CACHE, "and so many of them are known as have room");
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "the last of them among these");
	kit.issuers[0].opaque = true;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(claims, sizeof claims, "made-up-%u", i);
		bring("Bearer", claims);
		auth_introspected(&kit.rules, &kit.on, &kit.request, 0, SPAN("{\"active\":false}"), kit.now_ms, &kit.result);
	}
	for (unsigned i = 0; i < 3 * KIT_CACHE; i++) {
		snprintf(claims, sizeof claims, CLAIMS(",\"n\":%u"), i);
		bring_jwt(KIT_HEADER, claims, TOKENS_P256);
		kit_decide();
		known -= kit.result.verdict == AUTH_OK;
	}
	is_int(known, 0, "and no refusal takes the place of one");

	/* Tables of any size work. */
	for (uint32_t entries = 0; entries < 12; entries++) {
		static const uint8_t seed[16] = { 1 };
		void *place = malloc(auth_cache_need(entries));

		if (place == NULL)
			exit(99);
		kit_start();
		kit.on.cache = auth_cache_place(place, entries, seed);
		bring_jwt(KIT_HEADER, CLAIMS(""), TOKENS_P256);
		kit_decide();
		known = kit.result.verdict == AUTH_OK;
		kit.known[0] = NULL;
		kit_decide();
		known += kit.result.verdict == AUTH_OK;
		if (known != 2)
			ok(false, "a table of any size keeps one");
		free(place);
	}
}

#define ANSWER(more) "{\"active\":true,\"aud\":\"" KIT_RESOURCE "\",\"exp\":1790000300,\"sub\":\"u\",\"tenant\":\"acme\",\"scope\":\"db:write\"" more "}"

static void answered(const char *text)
{
	memset(&kit.result, 0xaa, sizeof kit.result);
	auth_introspected(&kit.rules, &kit.on, &kit.request, 0, text != NULL ? span_z(text) : span_of(NULL, 0), kit.now_ms, &kit.result);
}

static void refused_answer(const char *text, enum auth_reason reason, const char *name)
{
	kit_start();
	kit.issuers[0].opaque = true;
	bring("Bearer", "opaque-token");
	answered(text);
	is_verdict(AUTH_INVALID, reason, name);
	kit_decide();
	is_verdict(text == NULL || reason == AUTH_REASON_NONE ? AUTH_NEED_INTROSPECTION : AUTH_INVALID, text == NULL ? AUTH_REASON_NONE : AUTH_REASON_INACTIVE, "and for a while it is not asked again");
}

static void introspection(void)
{
	kit_start();
	bring("Bearer", "opaque-token");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_FORM, "an opaque token, and nobody to ask");
	kit.issuers[0].opaque = kit.issuers[1].opaque = true;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_FORM, "of two issuers none is asked");
	kit.issuers[1].opaque = false;
	kit_decide();
	is_verdict(AUTH_NEED_INTROSPECTION, AUTH_REASON_NONE, "one is");
	ok(kit.result.issuer == 0 && span_eq(kit.result.token, SPAN("opaque-token")), "about this token");
	answered(ANSWER(""));
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "an answer");
	ok(kit.result.identity.kind == IDENTITY_TOKEN && kit.result.identity.scopes == 2 && kit.result.identity.tenant == 0 && span_eq(kit.result.token, SPAN("opaque-token")), "says who it is");
	ok(kit.result.identity.until_ms == kit.now_ms + AUTH_CACHE_MS, "for five minutes at most");
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "it is believed");
	kit.now_ms += AUTH_ANSWER_MS;
	kit_decide();
	is_verdict(AUTH_NEED_INTROSPECTION, AUTH_REASON_NONE, "for half a minute");
	kit.now_ms = INT64_C(1790000350000);
	answered(ANSWER(""));
	ok(kit.result.verdict == AUTH_OK && kit.result.identity.until_ms == INT64_C(1790000360000), "and never beyond its end");
	bring("Bearer", "a.b.c.d.e");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_FORM, "a JWE is not asked about");
	static const char *const wrong[] = { "opaque,token", "opaque\"token", "opaque\x01token", "opaque\xc3\xa9", "=", "opaque=token", "{}" };
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		bring("Bearer", wrong[i]);
		kit_decide();
		is_verdict(AUTH_INVALID, AUTH_REASON_FORM, "nor what is no token");
	}
	static const char *const right[] = { "a", "A-._~+/z0==", "a.b", "a.b.c.d" };
	for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
		bring("Bearer", right[i]);
		kit_decide();
		is_verdict(AUTH_NEED_INTROSPECTION, AUTH_REASON_NONE, "all other words are");
	}

	refused_answer(NULL, AUTH_REASON_INACTIVE, "no answer");
	refused_answer("{\"active\":false}", AUTH_REASON_INACTIVE, "not active");
	refused_answer("{\"active\":\"true\",\"aud\":\"" KIT_RESOURCE "\",\"exp\":1790000300,\"sub\":\"u\",\"tenant\":\"acme\"}", AUTH_REASON_INACTIVE, "active as text");
	refused_answer("{\"active\":1}", AUTH_REASON_INACTIVE, "active as number");
	refused_answer("{}", AUTH_REASON_INACTIVE, "no active");
	refused_answer(ANSWER(",\"iss\":\"https://old.example\""), AUTH_REASON_ISSUER, "of another issuer");
	refused_answer("{\"active\":true,\"exp\":1790000300,\"sub\":\"u\",\"tenant\":\"acme\"}", AUTH_REASON_AUDIENCE, "without aud");
	refused_answer("{\"active\":true,\"aud\":\"https://other\",\"exp\":1790000300,\"sub\":\"u\",\"tenant\":\"acme\"}", AUTH_REASON_AUDIENCE, "for somebody else");
	refused_answer("{\"active\":true,\"aud\":\"" KIT_RESOURCE "\",\"sub\":\"u\",\"tenant\":\"acme\"}", AUTH_REASON_CLAIMS, "without exp");
	refused_answer("{\"active\":true,\"aud\":\"" KIT_RESOURCE "\",\"exp\":1789999000,\"sub\":\"u\",\"tenant\":\"acme\"}", AUTH_REASON_EXPIRED, "expired");
	refused_answer(ANSWER(",\"nbf\":1790000100"), AUTH_REASON_NOT_YET, "not yet");
	refused_answer("{\"active\":true,\"aud\":\"" KIT_RESOURCE "\",\"exp\":1790000300,\"tenant\":\"acme\",\"iat\":1790000000}", AUTH_REASON_CLAIMS, "nobody's");
	refused_answer(ANSWER(",\"token_type\":\"refresh_token\""), AUTH_REASON_TYPE, "a refresh token");
	refused_answer(ANSWER(",\"token_type\":1"), AUTH_REASON_TYPE, "a type that is a number");

	kit_start();
	kit.issuers[0].opaque = true;
	kit.issuers[0].age_max_ms = 0;
	bring("Bearer", "opaque-token");
	answered(ANSWER(",\"token_type\":\"bearer\",\"iss\":\"https://idp.example\""));
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a Bearer token of this issuer");
	bring("Bearer", "opaque-token-2");
	answered(ANSWER(",\"cnf\":{\"x5t#S256\":\"" KIT_MINE "\"}"));
	is_verdict(AUTH_INVALID, AUTH_REASON_BINDING, "a bound one without the certificate");
	kit.request.peer.there = true;
	memset(kit.request.peer.fingerprint, 0x11, 32);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "and with it");
	answered("{\"active\":true");
	is_verdict(AUTH_INVALID, AUTH_REASON_INACTIVE, "an answer that is no JSON");
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "changes nothing of what is known");
	kit.request.nauthorization = 2;
	answered(ANSWER(""));
	is_verdict(AUTH_MALFORMED, AUTH_REASON_FORM, "an answer does not make good a request that is wrong");
	kit.request.nauthorization = 1;
	kit.now_ms = 0;
	answered(ANSWER(""));
	is_verdict(AUTH_INVALID, AUTH_REASON_CLOCK, "nor a clock");

	/* The last word about a token counts. */
	kit_start();
	kit.issuers[0].opaque = true;
	bring("Bearer", "opaque-token");
	for (unsigned i = 0; i < 3; i++) {
		answered("{\"active\":false}");
		kit_decide();
		is_verdict(AUTH_INVALID, AUTH_REASON_INACTIVE, "not active");
		answered(ANSWER(""));
		kit_decide();
		is_verdict(AUTH_OK, AUTH_REASON_NONE, "active after all");
	}
	auth_introspected(&kit.rules, &kit.on, &kit.request, 2, SPAN(ANSWER("")), kit.now_ms, &kit.result);
	is_verdict(AUTH_INVALID, AUTH_REASON_INACTIVE, "an answer of an issuer that there is not");

	/* JWTs too, whatever their header says. */
	kit_start();
	kit.issuers[0].introspect_all = true;
	bring_jwt("{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}", CLAIMS(""), TOKENS_P256);
	kit_decide();
	is_verdict(AUTH_NEED_INTROSPECTION, AUTH_REASON_NONE, "a JWT that is for its issuer to judge");
	ok(kit.result.issuer == 0, "for that one");
	bring_jwt(LEGACY_HEADER, LEGACY(""), TOKENS_P256B);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "the other's are judged here");
}

/* Many made-up tokens that were refused do not make a good one be forgotten. */
static void flood(void)
{
	char text[32];

	kit_start();
	kit.issuers[0].opaque = true;
	kit.issuers[0].age_max_ms = 0;
	bring("Bearer", "good-one");
	answered(ANSWER(""));
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "a good token");
	for (unsigned i = 0; i < 500; i++) {
		snprintf(text, sizeof text, "made-up-%u", i);
		bring("Bearer", text);
		answered("{\"active\":false}");
	}
	bring("Bearer", "good-one");
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "is known still");
	bring("Bearer", "made-up-499");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_INACTIVE, "and so is the last refusal");
	kit.now_ms += AUTH_INACTIVE_MS;
	kit_decide();
	is_verdict(AUTH_NEED_INTROSPECTION, AUTH_REASON_NONE, "for a while");
}

static void proof_needs(void)
{
	kit_start();
	struct buf b = buf_on(mem, sizeof mem);
	uint8_t hash[32];

	BUF_LIT(&b, "{\"iss\":\"https://old.example\",\"aud\":\"" KIT_RESOURCE "\",\"exp\":1790000300,\"sub\":\"u\",\"cnf\":{\"jkt\":\"");
	jwk_thumbprint(&kit.sets[0].keys[2], hash);
	base64url_write(&b, span_of((const char *)hash, 32));
	BUF_LIT(&b, "\"}}");
	buf_char(&b, '\0');
	bring_jwt(LEGACY_HEADER, mem, TOKENS_P256B);
	memcpy(auth_mem, "DPoP   ", 7); /* and two more spaces */
	static char proof[4096], head[1024], claims[512];
	struct buf p = buf_on(proof, sizeof proof), h = buf_on(head, sizeof head), c = buf_on(claims, sizeof claims);
	struct span token = span_from(kit.request.authorization, 7);

	BUF_LIT(&h, "{\"typ\":\"dpop+jwt\",\"alg\":\"RS256\",\"jwk\":");
	tokens_jwk(&h, TOKENS_RSA, "");
	BUF_LIT(&h, "}");
	BUF_LIT(&c, "{\"jti\":\"1\",\"htm\":\"POST\",\"htu\":\"" KIT_RESOURCE "\",\"iat\":1790000000,\"ath\":\"");
	crypto_sha256(token.p, token.n, hash);
	base64url_write(&c, span_of((const char *)hash, 32));
	BUF_LIT(&c, "\"}");
	tokens_write(&p, buf_span(&h), buf_span(&c), TOKENS_RSA, JWK_RS256);
	kit.request.dpop = buf_span(&p);
	kit.request.ndpop = 1;
	kit.on.proof_key = NULL;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_PROOF, "a proof, and no key for its mark");
	ok(kit.result.dpop, "the challenge is for DPoP, as that was tried");
	kit_start();
	bring_jwt(LEGACY_HEADER, mem, TOKENS_P256B);
	memcpy(auth_mem, "DPoP   ", 7);
	kit.request.dpop = buf_span(&p);
	kit.request.ndpop = 1;
	kit.on.replay = NULL;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_PROOF, "a proof, and no place for its mark");
	kit.on.replay = kit.replay_mem;
	kit.known[1] = NULL;
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "an RSA proof for a token that is known");
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_REPLAY, "once");
	void *table = aligned_alloc(64, 192);

	kit.on.replay = replay_place(memset(table, 0, 192), 8);
	for (uint64_t i = 1; i < 8; i++)
		replay_first(kit.on.replay, i << 24, KIT_NOW, KIT_NOW + 8000);
	kit_decide();
	is_verdict(AUTH_OK, AUTH_REASON_NONE, "the same proof takes the last place of another table");
	ok(!replay_first(kit.on.replay, UINT64_C(8) << 24, KIT_NOW + 60, KIT_NOW + 100), "and keeps it as long as its iat is accepted");
	ok(replay_first(kit.on.replay, UINT64_C(8) << 24, KIT_NOW + 61, KIT_NOW + 100), "but not longer");
	kit.on.replay = kit.replay_mem;
	free(table);
	kit.now_ms += 60000;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_REPLAY, "as long as it would pass");
	kit.now_ms += 1;
	kit_decide();
	is_verdict(AUTH_INVALID, AUTH_REASON_PROOF, "and then it is too old");
}

static void uris(void)
{
	static const struct { const char *a, *b; bool same; } pairs[] = {
		{ "https://a/", "https://a", true }, { "https://a:443/x", "https://A/x", true }, { "http://a:80/", "http://a/", true }, { "http://a:443/", "http://a/", false },
		{ "https://a:/x", "https://a/x", true }, { "https://[::1]:8443/x", "HTTPS://[::1]:8443/x", true }, { "https://[::1]/x", "https://[::1]:443/x", true },
		{ "https://[::1]/x", "https://[::1]:1/x", false }, { "https://a/%7ex", "https://a/~x", true }, { "https://a/%2fx", "https://a/%2Fx", true },
		{ "https://a/%2fx", "https://a//x", false }, { "https://a/x", "https://a/x/", false }, { "https://a/x", "https://a/X", false }, { "https://a/%", "https://a/%", false },
		{ "https://a/%2", "https://a/%2", false }, { "https://a/%zz", "https://a/%zz", false }, { "https:///x", "https:///x", false }, { "https://a?x", "https://a?x", false },
		{ "a", "a", false }, { "", "", false }, { "://a", "://a", false }, { "https://a@b/", "https://a@b/", false }, { "https://a#", "https://a#", false },
		{ "https://a/x#", "https://a/x#", false }, { "https://a\\b/", "https://a\\b/", false },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		if (!ok(auth_same_uri(span_z(pairs[i].a), span_z(pairs[i].b)) == pairs[i].same && auth_same_uri(span_z(pairs[i].b), span_z(pairs[i].a)) == pairs[i].same, pairs[i].a))
			diag("%s %s", pairs[i].a, pairs[i].b);
}

static void challenge_is(bool dpop, const char *error, uint64_t scopes, const char *metadata, const char *want)
{
	struct buf b = buf_on(mem, sizeof mem);

	auth_challenge(&b, &kit.rules, dpop, span_z(error), scopes, span_z(metadata));
	is_mem(b.p, b.n, want, strlen(want), "a challenge");
}

static void says(void)
{
	static const char metadata[] = "https://gw.example:8443/.well-known/oauth-protected-resource/mcp";
	struct buf b = buf_on(mem, sizeof mem);
	struct json j;
	size_t where;

	kit_start();
	kit.rules.dpop = AUTH_DPOP_OFF;
	challenge_is(false, NULL, 0, metadata, "Bearer resource_metadata=\"https://gw.example:8443/.well-known/oauth-protected-resource/mcp\"");
	challenge_is(false, "invalid_token", 1, metadata,
		"Bearer error=\"invalid_token\", scope=\"tools:use\", resource_metadata=\"https://gw.example:8443/.well-known/oauth-protected-resource/mcp\"");
	challenge_is(false, "insufficient_scope", 3, NULL, "Bearer error=\"insufficient_scope\", scope=\"tools:use db:write\"");
	challenge_is(false, NULL, 0, NULL, "Bearer realm=\"mcp\"");
	challenge_is(false, NULL, 0, "a\"b\\", "Bearer resource_metadata=\"a\\\"b\\\\\"");
	challenge_is(true, NULL, 2, NULL, "DPoP algs=\"ES256 ES384 RS256 RS384 RS512\", scope=\"db:write\"");
	kit.rules.dpop = AUTH_DPOP_OPTIONAL;
	challenge_is(false, "invalid_token", 0, NULL, "Bearer error=\"invalid_token\", DPoP error=\"invalid_token\", algs=\"ES256 ES384 RS256 RS384 RS512\"");

	auth_metadata(&b, &kit.rules, SPAN(KIT_RESOURCE));
	is_int(json_read(&j, tokens_table(), buf_span(&b), &where), JSON_OK, "metadata is JSON");
	ok(json_is(&j, json_get(&j, JSON_ROOT, SPAN("resource")), SPAN(KIT_RESOURCE)), "the resource byte for byte");
	is_int(json_size(&j, json_get(&j, JSON_ROOT, SPAN("authorization_servers"))), 2, "both issuers");
	is_int(json_size(&j, json_get(&j, JSON_ROOT, SPAN("scopes_supported"))), 2, "both scopes");
	ok(json_is(&j, json_first(&j, json_get(&j, JSON_ROOT, SPAN("bearer_methods_supported"))), SPAN("header")), "only the header");
	is_int(json_size(&j, json_get(&j, JSON_ROOT, SPAN("dpop_signing_alg_values_supported"))), JWK_ALGS, "proofs of all our algorithms");
	ok(json_get(&j, JSON_ROOT, SPAN("dpop_bound_access_tokens_required")) == JSON_NONE, "not required");
	kit.rules.dpop = AUTH_DPOP_REQUIRED;
	kit.rules.certificate_bound = true;
	kit.rules.scopes.n = 0;
	kit.rules.nissuers = 1;
	buf_reset(&b);
	auth_metadata(&b, &kit.rules, SPAN(KIT_RESOURCE));
	is_int(json_read(&j, tokens_table(), buf_span(&b), &where), JSON_OK, "metadata is JSON");
	is_int(json_type(&j, json_get(&j, JSON_ROOT, SPAN("dpop_bound_access_tokens_required"))), JSON_TRUE, "required");
	is_int(json_type(&j, json_get(&j, JSON_ROOT, SPAN("tls_client_certificate_bound_access_tokens"))), JSON_TRUE, "bound to certificates");
	ok(json_get(&j, JSON_ROOT, SPAN("scopes_supported")) == JSON_NONE, "no scopes, no list");
	kit.rules.dpop = AUTH_DPOP_OFF;
	kit.rules.certificate_bound = false;
	kit.rules.nissuers = 1;
	buf_reset(&b);
	auth_metadata(&b, &kit.rules, SPAN("r"));
	is_mem(b.p, b.n, "{\"resource\":\"r\",\"authorization_servers\":[\"https://idp.example\"],\"bearer_methods_supported\":[\"header\"]}", 102, "the least");
	for (unsigned r = 0; r < AUTH_REASONS; r++)
		if (auth_reason_text((enum auth_reason)r).n == 0 || span_eq(auth_reason_text((enum auth_reason)r), SPAN("unknown")))
			ok(false, "every reason has its word");
}

int main(void)
{
	nothing_brought();
	certificates();
	keys();
	tokens();
	remembered();
	crowded();
	introspection();
	flood();
	proof_needs();
	uris();
	says();
	return done_testing();
}
