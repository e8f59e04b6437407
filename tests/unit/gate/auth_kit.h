/*
 * A gate for tests of auth: rules with two issuers, keys, certificates and an API key, a clock at KIT_NOW, and tokens that it accepts.
 *
 *   issuer 0   https://idp.example, keys p256, p384 and rsa; RFC 9068; tenant and roles from the token; age up to an hour
 *   issuer 1   https://old.example, key p256b; legacy tokens; tenant umbrella, role writer for all; skew 0
 *   tenants    acme, umbrella      roles   reader, writer      scopes   tools:use, db:write
 *
 * kit_start()         everything fresh: nothing known, no proof seen
 * kit.rules, kit.on, kit.request may be changed after it; kit_decide() decides at kit.now_ms, with the fields at the ends of guard pages
 */
#ifndef TESTS_UNIT_GATE_AUTH_KIT_H
#define TESTS_UNIT_GATE_AUTH_KIT_H

#include <stdlib.h>

#include "gate/auth.h"
#include "page.h"
#include "tokens.h"
#include "wire/crypto.h"

#define KIT_NOW INT64_C(1790000000)
#define KIT_RESOURCE "https://gw.example:8443/mcp"
#define KIT_API_KEY "postern_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
/* base64url of 32 bytes 0x11, the fingerprint of the certificate `mine`. */
#define KIT_MINE "ERERERERERERERERERERERERERERERERERERERERERE"
#define KIT_HEADER "{\"alg\":\"ES256\",\"kid\":\"p256\",\"typ\":\"at+jwt\"}"

enum { KIT_CACHE = 16, KIT_MARKS = 64 };

static struct {
	struct auth_rules rules;
	struct auth_issuer issuers[2];
	struct auth_key keys[3];
	struct auth_certificate certificates[2];
	uint8_t revoked[2][32];
	struct jwk_set sets[2];
	const struct jwk_set *known[2];
	struct auth_bench on;
	struct auth_request request;
	struct auth_result result;
	int64_t now_ms;
	void *cache_mem, *replay_mem;
} kit;

static const struct span kit_tenants[] = { { "acme", 4 }, { "umbrella", 8 } };
static const struct span kit_roles[] = { { "reader", 6 }, { "writer", 6 } };
static const struct span kit_scopes[] = { { "tools:use", 9 }, { "db:write", 8 } };

__attribute__((unused)) static void kit_start(void)
{
	static const uint8_t seed[16] = { 8, 8 }, proof_key[AUTH_PROOF_KEY] = { 9 };
	static char mem[1 << 14], scratch[JWT_MAX];
	struct buf b = buf_on(mem, sizeof mem);

	if (kit.cache_mem == NULL) {
		kit.cache_mem = malloc(auth_cache_need(KIT_CACHE));
		kit.replay_mem = aligned_alloc(64, (replay_need(KIT_MARKS) + 63) & ~(size_t)63);
		tokens_set(&b, TOKENS_P256, 1);
		b.n -= 2;
		buf_char(&b, ',');
		tokens_jwk(&b, TOKENS_P384, "");
		buf_char(&b, ',');
		tokens_jwk(&b, TOKENS_RSA, "");
		BUF_LIT(&b, "]}");
		if (kit.cache_mem == NULL || kit.replay_mem == NULL || jwk_set_read(&kit.sets[0], tokens_table(), buf_span(&b)) != JWK_OK)
			exit(99);
		buf_reset(&b);
		tokens_set(&b, TOKENS_P256B, 1);
		if (jwk_set_read(&kit.sets[1], tokens_table(), buf_span(&b)) != JWK_OK)
			exit(99);
	}
	memset(kit.replay_mem, 0, replay_need(KIT_MARKS));
	kit.issuers[0] = (struct auth_issuer){
		.issuer = SPAN("https://idp.example"), .audience = SPAN(KIT_RESOURCE), .algs = (1 << JWK_ALGS) - 1, .skew_ms = 60000, .age_max_ms = 3600000,
		.tenant_claim = SPAN("tenant"), .roles_claim = SPAN("roles"), .tenant = -1,
	};
	kit.issuers[1] = (struct auth_issuer){
		.issuer = SPAN("https://old.example"), .audience = SPAN(KIT_RESOURCE), .algs = 1 << JWK_ES256, .legacy_typ = true, .tenant = 1, .roles = 2,
	};
	kit.keys[1] = (struct auth_key){ .id = SPAN("ci"), .tenant = 1, .roles = 1 };
	crypto_sha256(KIT_API_KEY, sizeof KIT_API_KEY - 1, kit.keys[1].sha256);
	memset(kit.keys[2].sha256, 0xff, 32);
	kit.certificates[0] = (struct auth_certificate){ .san = SPAN("spiffe://acme/agent"), .tenant = 0, .roles = 3 };
	kit.certificates[1] = (struct auth_certificate){ .san = SPAN("agent.acme.example"), .tenant = 1, .roles = 1 };
	memset(kit.revoked[0], 0xee, 32);
	memset(kit.revoked[1], 0xdd, 32);
	kit.rules = (struct auth_rules){
		.tenants = { kit_tenants, 2 }, .roles = { kit_roles, 2 }, .scopes = { kit_scopes, 2 }, .issuers = kit.issuers, .nissuers = 2,
		.keys = kit.keys, .nkeys = 3, .certificates = kit.certificates, .ncertificates = 2, .revoked = (const uint8_t (*)[32])kit.revoked, .nrevoked = 2,
		.anonymous = true, .anonymous_tenant = 1, .anonymous_roles = 1, .dpop = AUTH_DPOP_OPTIONAL,
	};
	kit.known[0] = &kit.sets[0];
	kit.known[1] = &kit.sets[1];
	kit.on = (struct auth_bench){
		.table = tokens_table(), .scratch = scratch, .scratch_size = sizeof scratch, .cache = auth_cache_place(kit.cache_mem, KIT_CACHE, seed),
		.replay = replay_place(kit.replay_mem, KIT_MARKS), .keys = kit.known, .proof_key = proof_key, .built_ms = (KIT_NOW - 86400) * 1000,
	};
	kit.request = (struct auth_request){ .method = SPAN("POST"), .uri = SPAN(KIT_RESOURCE) };
	kit.now_ms = KIT_NOW * 1000;
}

/* A copy before a guard page, good until the next one in this place. */
static inline struct span kit_page(unsigned place, struct span s)
{
	static struct span pages[2];

	if (!span_absent(pages[place]))
		page_free((char *)(uintptr_t)pages[place].p, pages[place].n);
	pages[place] = span_absent(s) ? s : span_of(page_copy(s.p, s.n), s.n);
	return pages[place];
}

__attribute__((unused)) static void kit_decide(void)
{
	struct auth_request r = kit.request;

	r.authorization = kit_page(0, r.authorization);
	r.dpop = kit_page(1, r.dpop);
	memset(&kit.result, 0xaa, sizeof kit.result);
	auth_decide(&kit.rules, &kit.on, &r, kit.now_ms, &kit.result);
}

__attribute__((unused)) static const char *kit_verdict(enum auth_verdict v)
{
	static const char *const names[] = { "ok", "missing", "invalid", "malformed", "need-keys", "need-introspection" };

	return v <= AUTH_NEED_INTROSPECTION ? names[v] : "?";
}

#endif
