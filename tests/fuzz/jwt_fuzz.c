/*
 * What callers bring, where nobody can have signed it. The first byte says what the rest is:
 *   T  an Authorization field: whatever it is, it is not let in
 *   H  the header of a token: what is kept of it is bounded and lies where it should
 *   C  an introspection answer, which the issuer did send: an identity it gives keeps the promises of identity.h, and is known the next time
 *   P  a DPoP field beside a token that is bound to a key of ours: no proof is right
 *   U  two URIs, parted by a newline: being the same is mutual, and each is the same as itself if it is one at all
 */
#include "gate/auth_priv.h"
#include "tokens.h"
#include "wire/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const int64_t now_ms = INT64_C(1790000000000);
static const struct span names[] = { { "acme", 4 }, { "umbrella", 8 } };
static const struct auth_issuer issuers[2] = {
	{ .issuer = { "https://a.example", 17 }, .audience = { "r", 1 }, .algs = 31, .legacy_typ = true, .tenant_claim = { "tenant", 6 }, .roles_claim = { "roles", 5 }, .tenant = -1, .opaque = true },
	{ .issuer = { "https://b.example", 17 }, .audience = { "r", 1 }, .algs = 31, .skew_ms = 60000, .age_max_ms = 3600000, .tenant = 1 },
};
static const struct auth_rules rules = {
	.tenants = { names, 2 }, .roles = { names, 2 }, .scopes = { names, 2 }, .issuers = issuers, .nissuers = 2, .dpop = AUTH_DPOP_OPTIONAL, .anonymous = true,
};
static struct jwk_set set;
static const struct jwk_set *const known[2] = { &set, &set };
static struct auth_bench on;
static struct auth_result result;

static void must(bool right)
{
	if (!right)
		__builtin_trap();
}

static void start(void)
{
	static const uint8_t seed[16] = { 1 }, proof_key[AUTH_PROOF_KEY] = { 2 };
	static char scratch[JWT_MAX], text[4096];
	struct buf b = buf_on(text, sizeof text);

	tokens_set(&b, TOKENS_P256, 4);
	must(jwk_set_read(&set, tokens_table(), buf_span(&b)) == JWK_OK);
	on = (struct auth_bench){
		.table = tokens_table(), .scratch = scratch, .scratch_size = sizeof scratch, .keys = known, .proof_key = proof_key,
		.cache = malloc(auth_cache_need(4)), .replay = aligned_alloc(64, (replay_need(8) + 63) & ~(size_t)63),
	};
	must(on.cache != NULL && on.replay != NULL);
	memset((void *)on.replay, 0, replay_need(8));
	auth_cache_place(on.cache, 4, seed);
	replay_place(on.replay, 8);
}

static void no_identity(void)
{
	must(result.verdict != AUTH_OK && result.verdict <= AUTH_NEED_INTROSPECTION && result.reason < AUTH_REASONS);
	must(result.identity.kind == IDENTITY_NONE);
	must(result.issuer < 2 || result.issuer == AUTH_ISSUERS_MAX);
}

static void token(struct span text)
{
	struct auth_request r = { .authorization = text, .nauthorization = 1, .loopback = true, .method = SPAN("POST"), .uri = SPAN("https://r/") };

	auth_decide(&rules, &on, &r, now_ms, &result);
	no_identity();
}

static void header(struct span text)
{
	static char mem[1 << 15];
	struct buf b = buf_on(mem, sizeof mem);
	struct jwt t;

	base64url_write(&b, text);
	BUF_LIT(&b, ".e30.AAAA");
	if (b.full)
		return;
	for (int want = 0; want < 2; want++) {
		enum jwt_error e = jwt_read(&t, on.table, buf_span(&b), want == 1);

		must(e == JWT_FORM || span_eq(t.payload, SPAN("e30")));
		if (e != JWT_OK)
			continue;
		must(t.alg < JWK_ALGS && (want == 1 || !t.has_jwk));
		must(span_absent(t.kid) || (t.kid.p == t.kid_mem && t.kid.n > 0 && t.kid.n <= JWK_KID_MAX));
		must(span_absent(t.typ) || (t.typ.p >= t.typ_mem && t.typ.p + t.typ.n <= t.typ_mem + sizeof t.typ_mem));
		must(!t.has_jwk || jwt_verify(&t, &t.jwk) != JWT_OK);
	}
}

static void answer(struct span text)
{
	struct auth_request r = { .authorization = SPAN("Bearer opaque"), .nauthorization = 1, .method = SPAN("POST"), .uri = SPAN("https://r/") };
	struct identity id;

	auth_cache_clear(on.cache);
	auth_introspected(&rules, &on, &r, 0, text, now_ms, &result);
	if (result.verdict != AUTH_OK) {
		no_identity();
		return;
	}
	id = result.identity;
	must(id.kind == IDENTITY_TOKEN && id.issuer == 0 && id.tenant < 2 && id.roles < 4 && id.scopes < 4);
	must(id.until_ms > now_ms && id.until_ms <= now_ms + AUTH_CACHE_MS && id.subject_n > 0 && id.subject_n <= IDENTITY_SUBJECT_MAX);
	for (unsigned i = 0; i < id.subject_n; i++)
		must(id.subject[i] >= 0x20 && id.subject[i] < 0x7f);
	auth_decide(&rules, &on, &r, now_ms, &result);
	must(result.verdict == AUTH_OK && memcmp(&result.identity, &id, sizeof id) == 0);
}

static void proof(struct span text)
{
	static char mem[512];
	struct buf b = buf_on(mem, sizeof mem);
	struct auth_request r = {
		.authorization = SPAN("DPoP opaque"), .nauthorization = 1, .dpop = text, .ndpop = 1, .method = SPAN("POST"), .uri = SPAN("https://r/"),
	};
	uint8_t hash[32];

	auth_cache_clear(on.cache);
	BUF_LIT(&b, "{\"active\":true,\"aud\":\"r\",\"exp\":1790000300,\"sub\":\"u\",\"tenant\":\"acme\",\"cnf\":{\"jkt\":\"");
	jwk_thumbprint(&set.keys[0], hash);
	base64url_write(&b, span_of((const char *)hash, 32));
	BUF_LIT(&b, "\"}}");
	auth_introspected(&rules, &on, &r, 0, buf_span(&b), now_ms, &result);
	no_identity();
	must(result.reason == AUTH_REASON_PROOF || result.reason == AUTH_REASON_BINDING);
	auth_decide(&rules, &on, &r, now_ms, &result);
	no_identity();
	must(result.reason == AUTH_REASON_PROOF || result.reason == AUTH_REASON_BINDING);
}

static void uris(struct span text)
{
	const char *end = text.n > 0 ? memchr(text.p, '\n', text.n) : NULL;
	struct span a = span_of(text.p, end != NULL ? (size_t)(end - text.p) : text.n), b = end != NULL ? span_from(text, a.n + 1) : a;
	bool same = auth_same_uri(a, b);

	must(same == auth_same_uri(b, a));
	must(!same || (auth_same_uri(a, a) && auth_same_uri(b, b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span rest = span_of((const char *)data + 1, n > 0 ? n - 1 : 0);

	if (on.table == NULL)
		start();
	switch (n > 0 ? data[0] : 0) {
	case 'T':
		token(rest);
		break;
	case 'H':
		header(rest);
		break;
	case 'C':
		answer(rest);
		break;
	case 'P':
		proof(rest);
		break;
	case 'U':
		uris(rest);
		break;
	}
	return 0;
}
