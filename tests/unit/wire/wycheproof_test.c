/* Project Wycheproof's cases for what we verify: JSON Web Signatures and Keys, ECDSA P-256 and P-384 as JWS writes it, RSA PKCS#1 v1.5.
 * None that is invalid may pass, whatever it is about; none that is valid and of our algorithms may be refused. ECDSA also in the form that TLS
 * has (ASN.1), through BearSSL's verifier, which TLS uses. SUITES names the directory of suites. */
#include "wire/jwt.h"

#include "page.h"
#include "tap.h"
#include "tokens.h"

enum { FILE_MAX = 1 << 21, TOKENS_MAX = 1 << 17, REASONS_MAX = 16 };

static struct json_table *table;
static char bytes[FILE_MAX];

static struct { const char *why; unsigned n; } skipped[REASONS_MAX];
static unsigned applied, valid, accepted_wrongly, refused_wrongly, acceptable;

static void skip_case(const char *why)
{
	unsigned i = 0;

	while (i < REASONS_MAX - 1 && skipped[i].why != NULL && strcmp(skipped[i].why, why) != 0)
		i++;
	skipped[i].why = why;
	skipped[i].n++;
}

static void start(void)
{
	applied = valid = accepted_wrongly = refused_wrongly = acceptable = 0;
	memset(skipped, 0, sizeof skipped);
}

static void report(const char *file, unsigned all, unsigned want_valid)
{
	unsigned left_out = 0;

	for (unsigned i = 0; i < REASONS_MAX && skipped[i].why != NULL; i++) {
		diag("%s: %u valid ones left out: %s", file, skipped[i].n, skipped[i].why);
		left_out += skipped[i].n;
	}
	diag("%s: %u cases, %u applied (%u of them valid), %u that may be either", file, all, applied, valid, acceptable);
	is_int(applied + left_out + acceptable, all, "every case is counted");
	is_int(accepted_wrongly, 0, "none accepted that is invalid");
	is_int(refused_wrongly, 0, "none refused that is valid");
	is_int(valid, want_valid, "and there were some to accept");
}

static bool load(struct json *j, const char *name)
{
	const char *suites = getenv("SUITES");
	char path[1024];
	size_t n, where;
	FILE *f;

	snprintf(path, sizeof path, "%s/wycheproof/%s", suites != NULL ? suites : "../shared/suites", name);
	f = fopen(path, "rb");
	if (f == NULL)
		return false;
	n = fread(bytes, 1, sizeof bytes, f);
	fclose(f);
	return ok(n < sizeof bytes && json_read(j, table, span_of(bytes, n), &where) == JSON_OK, name);
}

static size_t hex(const struct json *j, uint32_t token, unsigned char *to, size_t cap)
{
	struct span s = json_inner(j, token);
	char two[3] = "";

	if (s.n / 2 > cap)
		exit(99);
	for (size_t i = 0; i + 2 <= s.n; i += 2) {
		memcpy(two, s.p + i, 2);
		to[i / 2] = (unsigned char)strtoul(two, NULL, 16);
	}
	return s.n / 2;
}

/* skip: why a valid one is none of ours, or NULL. */
static void judge(const struct json *j, uint32_t test, bool accepted, const char *skip)
{
	uint32_t result = json_get(j, test, SPAN("result"));

	if (json_is(j, result, SPAN("acceptable"))) {
		acceptable++;
	} else if (json_is(j, result, SPAN("valid"))) {
		if (!accepted && skip != NULL) {
			skip_case(skip);
			return;
		}
		applied++;
		valid++;
		refused_wrongly += !accepted;
	} else {
		applied++;
		accepted_wrongly += accepted;
	}
	if (json_is(j, result, SPAN("valid")) ? !accepted : accepted)
		diag("case %.*s: %s", (int)json_raw(j, json_get(j, test, SPAN("tcId"))).n, json_raw(j, json_get(j, test, SPAN("tcId"))).p, accepted ? "accepted" : "refused");
}

/* An RSA group has its key as JWK; not every ECDSA group has, but all have the point. */
static enum jwk_error read_public(struct jwk *key, const struct json *j, uint32_t group)
{
	unsigned char point[97];
	char text[512];
	struct buf b = buf_on(text, sizeof text);
	struct json one;
	size_t n, where;

	if (json_get(j, group, SPAN("keyJwk")) != JSON_NONE)
		return jwk_read(key, j, json_get(j, group, SPAN("keyJwk")));
	n = (hex(j, json_get(j, json_get(j, group, SPAN("publicKey")), SPAN("uncompressed")), point, sizeof point) - 1) / 2;
	buf_put(&b, n == 32 ? SPAN("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"") : SPAN("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\""));
	base64url_write(&b, span_of((const char *)point + 1, n));
	BUF_LIT(&b, "\",\"y\":\"");
	base64url_write(&b, span_of((const char *)point + 1 + n, n));
	BUF_LIT(&b, "\"}");
	return json_read(&one, tokens_table(), buf_span(&b), &where) == JSON_OK ? jwk_read(key, &one, JSON_ROOT) : JWK_NOT_JSON;
}

/* The groups of a file of raw signatures. */
static void raw(const char *file, enum jwk_alg alg, unsigned want_valid, const char *what)
{
	static unsigned char message[1 << 16], sig[1 << 14], asn1[1 << 14];
	static char text[1 << 15];
	unsigned all = 0, asn1_n = 0, asn1_wrong = 0;
	struct json j;

	if (!load(&j, file)) {
		skip(1, what);
		return;
	}
	start();
	uint32_t groups = json_get(&j, JSON_ROOT, SPAN("testGroups"));
	for (uint32_t g = json_first(&j, groups); g != JSON_NONE; g = json_next(&j, groups, g)) {
		uint32_t tests = json_get(&j, g, SPAN("tests"));
		struct jwk key;
		enum jwk_error broken = read_public(&key, &j, g);

		for (uint32_t t = json_first(&j, tests); t != JSON_NONE; t = json_next(&j, tests, t), all++) {
			size_t n = hex(&j, json_get(&j, t, SPAN("msg")), message, sizeof message), sig_n = hex(&j, json_get(&j, t, SPAN("sig")), sig, sizeof sig);
			struct buf b = buf_on(text, sizeof text);
			struct jwt token = { .alg = alg };
			char *page = page_copy(message, n);
			bool accepted;

			base64url_write(&b, span_of((const char *)sig, sig_n));
			token.signed_part = span_of(page, n);
			token.signature = buf_span(&b);
			accepted = broken == JWK_OK && jwt_verify(&token, &key) == JWT_OK;
			judge(&j, t, accepted, broken == JWK_WEAK ? "a key too weak for us" : NULL);
			/* The same signature as TLS writes it. */
			if (key.kind != JWK_RSA && broken == JWK_OK && sig_n == (key.kind == JWK_P256 ? 64u : 96u)) {
				unsigned char hash[64], q[97];
				size_t hash_n = key.kind == JWK_P256 ? 32 : 48;
				br_ec_public_key pk = { key.kind == JWK_P256 ? BR_EC_secp256r1 : BR_EC_secp384r1, q, key.point_n };

				memcpy(q, key.point, sizeof q);
				memcpy(asn1, sig, sig_n);
				tokens_hash(hash_n, token.signed_part, hash);
				sig_n = br_ecdsa_raw_to_asn1(asn1, sig_n);
				asn1_n++;
				asn1_wrong += (br_ecdsa_i31_vrfy_asn1(&br_ec_all_m31, hash, hash_n, &pk, asn1, sig_n) == 1) != json_is(&j, json_get(&j, t, SPAN("result")), SPAN("valid"));
			}
			page_free(page, n);
		}
	}
	report(file, all, want_valid);
	if (alg == JWK_ES256 || alg == JWK_ES384) {
		diag("%s: %u as ASN.1", file, asn1_n);
		ok(asn1_n > 200 && asn1_wrong == 0, "the same verdicts for ASN.1");
	}
}

/* A key or a set; the one key a case is about. */
static enum jwk_error read_key(struct jwk_set *set, const struct json *j, uint32_t public)
{
	enum jwk_error e;

	if (json_get(j, public, SPAN("keys")) == JSON_NONE) {
		memset(set, 0, sizeof *set);
		e = jwk_read(&set->keys[0], j, public);
		set->n = e == JWK_OK;
		return e;
	}
	return jwk_set_read(set, tokens_table(), json_raw(j, public));
}

static bool has_empty_part(struct span token)
{
	for (size_t i = 0; i + 1 < token.n; i++)
		if (token.p[i] == '.' && token.p[i + 1] == '.')
			return true;
	return false;
}

static void json_web(const char *file, unsigned want, unsigned want_valid, const char *what)
{
	static struct jwk_set set;
	unsigned all = 0;
	struct json j;

	if (!load(&j, file)) {
		skip(1, what);
		return;
	}
	start();
	uint32_t groups = json_get(&j, JSON_ROOT, SPAN("testGroups"));
	for (uint32_t g = json_first(&j, groups); g != JSON_NONE; g = json_next(&j, groups, g)) {
		uint32_t tests = json_get(&j, g, SPAN("tests")), public = json_get(&j, g, SPAN("public"));
		/* Without a public half the keys are symmetric; read all the same, they must be refused. */
		enum jwk_error e = read_key(&set, &j, public != JSON_NONE ? public : json_get(&j, g, SPAN("private")));

		for (uint32_t t = json_first(&j, tests); t != JSON_NONE; t = json_next(&j, tests, t), all++) {
			uint32_t jws = json_get(&j, t, SPAN("jws"));
			struct span token = json_type(&j, jws) == JSON_STRING ? json_inner(&j, jws) : json_raw(&j, jws);
			char *page = page_copy(token.p, token.n);
			struct jwt header;
			enum jwt_error form = jwt_read(&header, tokens_table(), span_of(page, token.n), false);
			const struct jwk *key = form == JWT_OK ? jwk_find(&set, header.kid) : NULL;
			const char *why = NULL;

			if (e == JWK_SECRET)
				why = "symmetric keys";
			else if (form == JWT_FORM && has_empty_part(token))
				why = "a payload of no bytes: a token has claims";
			else if (form == JWT_ALG || e == JWK_NO_KEYS)
				why = "algorithms that are none of ours (PS256 to PS512, ES512)";
			judge(&j, t, key != NULL && jwt_verify(&header, key) == JWT_OK, why);
			page_free(page, token.n);
		}
	}
	is_int(all, want, file);
	report(file, all, want_valid);
}

int main(void)
{
	static const uint8_t seed[16] = { 2, 7, 1, 8 };
	void *mem = malloc(json_table_need(TOKENS_MAX));

	if (mem == NULL)
		return 99;
	table = json_table_place(mem, TOKENS_MAX, seed);
	json_web("json_web_signature_test.json", 401, 15, "Wycheproof's JWS cases are not there; SUITES names the directory of suites");
	json_web("json_web_key_test.json", 26, 1, "Wycheproof's JWK cases are not there; SUITES names the directory of suites");
	raw("ecdsa_secp256r1_sha256_p1363_test.json", JWK_ES256, 173, "Wycheproof's P-256 cases are not there; SUITES names the directory of suites");
	raw("ecdsa_secp384r1_sha384_p1363_test.json", JWK_ES384, 193, "Wycheproof's P-384 cases are not there; SUITES names the directory of suites");
	raw("rsa_signature_2048_sha256_test.json", JWK_RS256, 7, "Wycheproof's RS256 cases are not there; SUITES names the directory of suites");
	raw("rsa_signature_3072_sha384_test.json", JWK_RS384, 7, "Wycheproof's RS384 cases are not there; SUITES names the directory of suites");
	raw("rsa_signature_4096_sha512_test.json", JWK_RS512, 7, "Wycheproof's RS512 cases are not there; SUITES names the directory of suites");
	free(mem);
	return done_testing();
}
