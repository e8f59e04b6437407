/* The attacks of tests/table/auth-attacks.txt, where the words are explained, each against a gate that is otherwise as usual (auth_kit.h). */
#include "auth_kit.h"

#include "base/text.h"

#include "tap.h"

enum { LINE_BYTES = 16384, TEXT_MAX = 1 << 22, CLAIMS_MAX = 24 };

/* A JSON object under construction: members in order, each name's last value counts. */
struct members {
	unsigned n;
	struct { char name[64]; char value[4096]; } of[CLAIMS_MAX];
	char whole[8192];             /* instead of all members, if not empty */
};

static struct {
	char name[256], want[64], reason[64], gives[64];
	char head[4096], auth[8192], sig[64], peer[16];
	enum tokens_key key;
	char alg[16];
	struct members claims;
	bool bound, again;
	char proof[32], proof_head[4096], proof_sig[64], proof_text[512];
	enum tokens_key proof_key;
	struct members proof_claims;
	unsigned fields;
	char method[16];
	char scheme[16];
} c;

static char token[TEXT_MAX], proof[1 << 16], auth[TEXT_MAX], big[TEXT_MAX];
static unsigned cases, wrong, good, line;

/* Whole or not at all: an attack that was cut short is another one. */
static void keep(char *to, size_t cap, const char *from)
{
	size_t n = strlen(from);

	if (n >= cap) {
		diag("line %u is too long", line);
		exit(93);
	}
	memcpy(to, from, n + 1);
}

static void set(struct members *m, const char *name, const char *value)
{
	unsigned i = 0;

	while (i < m->n && strcmp(m->of[i].name, name) != 0)
		i++;
	if (i == CLAIMS_MAX)
		exit(99);
	if (i == m->n)
		m->n++;
	keep(m->of[i].name, sizeof m->of[i].name, name);
	keep(m->of[i].value, sizeof m->of[i].value, value);
}

static void drop(struct members *m, const char *name)
{
	for (unsigned i = 0; i < m->n; i++)
		if (strcmp(m->of[i].name, name) == 0) {
			memmove(&m->of[i], &m->of[i + 1], (m->n - i - 1) * sizeof m->of[0]);
			m->n--;
			return;
		}
	ok(false, "only what is there can be dropped");
}

static void defaults(void)
{
	memset(&c, 0, sizeof c);
	keep(c.head, sizeof c.head, KIT_HEADER);
	keep(c.sig, sizeof c.sig, "right");
	keep(c.proof_sig, sizeof c.proof_sig, "right");
	keep(c.proof, sizeof c.proof, "once");
	c.fields = 1;
	c.key = TOKENS_P256;
	c.proof_key = TOKENS_P256B;
	set(&c.claims, "iss", "\"https://idp.example\"");
	set(&c.claims, "aud", "\"" KIT_RESOURCE "\"");
	set(&c.claims, "exp", "1790000300");
	set(&c.claims, "iat", "1789999990");
	set(&c.claims, "sub", "\"user-1\"");
	set(&c.claims, "client_id", "\"agent-1\"");
	set(&c.claims, "jti", "\"t1\"");
	set(&c.claims, "tenant", "\"acme\"");
	set(&c.claims, "roles", "[\"reader\"]");
	set(&c.claims, "scope", "\"tools:use\"");
	keep(c.proof_head, sizeof c.proof_head, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":<jwk>}");
	set(&c.proof_claims, "jti", "\"p1\"");
	set(&c.proof_claims, "htm", "\"POST\"");
	set(&c.proof_claims, "htu", "\"" KIT_RESOURCE "\"");
	set(&c.proof_claims, "iat", "1790000000");
	set(&c.proof_claims, "ath", "\"<ath>\"");
	kit_start();
}

/* %NN is a byte, <<N text>> is N times the text, <jwk> <jkt> <ath> what they say. */
static void expand(struct buf *b, const char *s)
{
	uint8_t hash[32];
	unsigned v;

	for (; *s != '\0'; s++) {
		if (*s == '%' && sscanf(s + 1, "%2x", &v) == 1) {
			buf_char(b, (char)(unsigned char)v);
			s += 2;
		} else if (strncmp(s, "<<", 2) == 0) {
			char *from, *end = strstr(s, ">>");
			unsigned long n = strtoul(s + 2, &from, 10);

			for (unsigned long i = 0; i < n; i++)
				buf_put(b, span_of(from + 1, (size_t)(end - from - 1)));
			s = end + 1;
		} else if (strncmp(s, "<jwk>", 5) == 0) {
			tokens_jwk(b, TOKENS_P256B, "");
			s += 4;
		} else if (strncmp(s, "<jkt>", 5) == 0) {
			jwk_thumbprint(&kit.sets[1].keys[0], hash);
			base64url_write(b, span_of((const char *)hash, 32));
			s += 4;
		} else if (strncmp(s, "<ath>", 5) == 0) {
			crypto_sha256(kit.result.token.p, kit.result.token.n, hash);
			base64url_write(b, span_of((const char *)hash, 32));
			s += 4;
		} else {
			buf_char(b, *s);
		}
	}
	if (b->full)
		exit(98);
}

static void put_members(struct buf *b, const struct members *m)
{
	if (m->whole[0] != '\0') {
		expand(b, m->whole);
		return;
	}
	for (unsigned i = 0; i < m->n; i++) {
		buf_put(b, i == 0 ? SPAN("{\"") : SPAN(",\""));
		expand(b, m->of[i].name);
		BUF_LIT(b, "\":");
		expand(b, m->of[i].value);
	}
	buf_put(b, m->n == 0 ? SPAN("{}") : SPAN("}"));
}

/* The order of P-256, for signatures that are nearly right. */
static const unsigned char order[32] = {
	0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
	0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};

static void add_order(unsigned char *x, bool minus)
{
	int carry = 0;

	for (int i = 31; i >= 0; i--) {
		int v = minus ? order[i] - x[i] - carry : order[i] + x[i] + carry;

		carry = minus ? v < 0 : v > 255;
		x[i] = (unsigned char)(v & 255);
	}
}

/* HMAC-SHA256 under bytes that everybody has: what an algorithm confusion signs with. */
static size_t hs256(const char *secret, struct span text, unsigned char *sig)
{
	char mem[2048];
	struct buf b = buf_on(mem, sizeof mem);
	unsigned char q[BR_EC_KBUF_PUB_MAX_SIZE];
	size_t n = tokens_point(TOKENS_P256, q);
	static const unsigned char spki[] = {
		0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
	};

	if (strcmp(secret, "jwk") == 0) {
		tokens_jwk(&b, TOKENS_P256, "\"use\":\"sig\",");
	} else if (strcmp(secret, "empty") != 0) {
		char der[sizeof spki + 65];

		memcpy(der, spki, sizeof spki);
		memcpy(der + sizeof spki, q, n);
		if (strcmp(secret, "pem") == 0) {
			BUF_LIT(&b, "-----BEGIN PUBLIC KEY-----\n");
			b64_encode(&b, der, sizeof der);
			BUF_LIT(&b, "\n-----END PUBLIC KEY-----\n");
		} else {
			buf_put(&b, span_of(der, sizeof der));
		}
	}
	crypto_hmac_sha256(b.p, b.n, &text, 1, sig);
	return 32;
}

/* The signature part, as `how` says: right, or made wrong in a known way. */
static void sign(struct buf *b, const char *how, enum tokens_key key, enum jwk_alg alg, struct span text)
{
	unsigned char sig[1024];
	size_t n = 0;

	memset(sig, 0, sizeof sig);
	if (strncmp(how, "hs256-", 6) == 0) {
		n = hs256(how + 6, text, sig);
	} else if (strcmp(how, "none") != 0) {
		n = tokens_sign(key, alg, text, sig);
		if (n == 0)
			exit(97);
	}
	if (strcmp(how, "zero") == 0) {
		memset(sig, 0, n);
	} else if (strcmp(how, "r-zero") == 0) {
		memset(sig, 0, n / 2);
	} else if (strcmp(how, "s-zero") == 0) {
		memset(sig + n / 2, 0, n / 2);
	} else if (strcmp(how, "r-order") == 0) {
		memcpy(sig, order, 32);
	} else if (strcmp(how, "s-order") == 0) {
		memcpy(sig + 32, order, 32);
	} else if (strcmp(how, "r-plus-order") == 0) {
		add_order(sig, false);
	} else if (strcmp(how, "negative") == 0) {
		add_order(sig + 32, true);
	} else if (strcmp(how, "der") == 0) {
		n = br_ecdsa_raw_to_asn1(sig, n);
	} else if (strcmp(how, "zeros-in-front") == 0) {
		memmove(sig + n / 2 + 2, sig + n / 2, n / 2);
		memmove(sig + 1, sig, n / 2);
		sig[0] = sig[n / 2 + 1] = 0;
		n += 2;
	} else if (strcmp(how, "cut") == 0) {
		n--;
	} else if (strcmp(how, "trailing") == 0) {
		n++;
	} else if (strcmp(how, "flip") == 0) {
		sig[n / 3] ^= 4;
	} else if (strcmp(how, "right") != 0 && strcmp(how, "none") != 0 && strncmp(how, "hs256-", 6) != 0) {
		ok(false, how);
	}
	base64url_write(b, span_of((const char *)sig, n));
}

static enum jwk_alg alg_for(enum tokens_key key, const char *alg)
{
	static const enum jwk_alg usual[TOKENS_KEYS] = { JWK_ES256, JWK_ES256, JWK_ES384, JWK_RS256 };

	return alg[0] != '\0' ? jwk_alg_read(span_z(alg)) : usual[key];
}

/* header.claims.signature into b; where each part begins is in dot. */
static void compose(struct buf *b, const char *head, const struct members *claims, const char *how, enum tokens_key key, enum jwk_alg alg, size_t dot[2])
{
	struct buf text = buf_on(big, sizeof big);

	expand(&text, head);
	base64url_write(b, buf_span(&text));
	dot[0] = b->n;
	buf_char(b, '.');
	buf_reset(&text);
	put_members(&text, claims);
	base64url_write(b, buf_span(&text));
	dot[1] = b->n;
	buf_char(b, '.');
	sign(b, how, key, alg, span_of(b->p, dot[1]));
	if (b->full)
		exit(96);
}

static void put_auth(struct buf *b, const char *s, struct span whole, const size_t dot[2])
{
	for (; *s != '\0'; s++) {
		if (strncmp(s, "<token>", 7) == 0) {
			buf_put(b, whole);
			s += 6;
		} else if (strncmp(s, "<h>", 3) == 0) {
			buf_put(b, span_of(whole.p, dot[0]));
			s += 2;
		} else if (strncmp(s, "<p>", 3) == 0) {
			buf_put(b, span_of(whole.p + dot[0] + 1, dot[1] - dot[0] - 1));
			s += 2;
		} else if (strncmp(s, "<s>", 3) == 0) {
			buf_put(b, span_from(whole, dot[1] + 1));
			s += 2;
		} else if (strncmp(s, "<h-last>", 8) == 0 || strncmp(s, "<p-last>", 8) == 0 || strncmp(s, "<s-last>", 8) == 0) {
			/* The part with the next digit of base64url at its end: the same bytes, for whom trailing bits are nothing. */
			struct span part = s[1] == 'h' ? span_of(whole.p, dot[0]) : s[1] == 'p' ? span_of(whole.p + dot[0] + 1, dot[1] - dot[0] - 1) : span_from(whole, dot[1] + 1);

			ok(part.n % 4 != 0, "a part with trailing bits");
			buf_put(b, span_of(part.p, part.n - 1));
			buf_char(b, (char)(part.p[part.n - 1] + 1));
			s += 7;
		} else if (*s == '%') {
			char two[3] = { s[1], s[2], '\0' };

			buf_char(b, (char)(unsigned char)strtoul(two, NULL, 16));
			s += 2;
		} else {
			buf_char(b, *s);
		}
	}
	if (b->full)
		exit(95);
}

static void peer(const char *name)
{
	if (strcmp(name, "mine") == 0 || strcmp(name, "other") == 0 || strcmp(name, "revoked") == 0) {
		kit.request.peer.there = true;
		memset(kit.request.peer.fingerprint, name[0] == 'm' ? 0x11 : name[0] == 'o' ? 0x22 : 0xdd, 32);
	} else if (name[0] != '\0') {
		ok(false, name);
	}
}

static void run(void)
{
	struct buf t = buf_on(token, sizeof token), p = buf_on(proof, sizeof proof), a = buf_on(auth, sizeof auth);
	size_t dot[2], proof_dot[2];
	const char *verdict;
	char gives[64];

	if (c.name[0] == '\0')
		return;
	if (c.bound)
		set(&c.claims, "cnf", "{\"jkt\":\"<jkt>\"}");
	compose(&t, c.head, &c.claims, c.sig, c.key, alg_for(c.key, c.alg), dot);
	kit.result.token = buf_span(&t); /* for <ath> */
	if (c.auth[0] != '\0')
		put_auth(&a, c.auth, buf_span(&t), dot);
	else
		put_auth(&a, c.scheme[0] != '\0' ? strcmp(c.scheme, "Bearer") == 0 ? "Bearer <token>" : "DPoP <token>" : c.bound ? "DPoP <token>" : "Bearer <token>", buf_span(&t), dot);
	kit.request.authorization = c.fields > 0 ? buf_span(&a) : span_of(NULL, 0);
	kit.request.nauthorization = c.fields;
	peer(c.peer);
	if (c.method[0] != '\0')
		kit.request.method = span_z(c.method);
	if ((c.bound || strcmp(c.proof, "forced") == 0) && strcmp(c.proof, "none") != 0) {
		if (c.proof_text[0] != '\0')
			expand(&p, c.proof_text);
		else
			compose(&p, c.proof_head, &c.proof_claims, c.proof_sig, c.proof_key, alg_for(c.proof_key, ""), proof_dot);
		kit.request.dpop = buf_span(&p);
		kit.request.ndpop = strcmp(c.proof, "twice") == 0 ? 2 : 1;
	}
	kit_decide();
	if (c.again) {
		ok(kit.result.verdict == AUTH_OK, "it is good once");
		kit_decide();
	}
	cases++;
	verdict = kit_verdict(kit.result.verdict);
	good += kit.result.verdict == AUTH_OK;
	if (strcmp(verdict, c.want) != 0 || (c.reason[0] != '\0' && !span_eq(auth_reason_text(kit.result.reason), span_z(c.reason)))) {
		wrong++;
		diag("line %u: %s: %s %s, want %s %s", line, c.name, verdict, auth_reason_text(kit.result.reason).p, c.want, c.reason);
	}
	if (kit.result.verdict != AUTH_OK && kit.result.identity.kind != IDENTITY_NONE) {
		wrong++;
		diag("line %u: %s: an identity without AUTH_OK", line, c.name);
	}
	snprintf(gives, sizeof gives, "%u %u %u", kit.result.identity.tenant, (unsigned)kit.result.identity.roles, (unsigned)kit.result.identity.scopes);
	if (c.gives[0] != '\0' && strcmp(gives, c.gives) != 0) {
		wrong++;
		diag("line %u: %s: gives %s, want %s", line, c.name, gives, c.gives);
	}
}

#define IS(w) (strcmp(text, w) == 0)
#define TAKE(field) keep(field, sizeof field, rest)

static void word(char *text)
{
	char *rest = strchr(text, ' ');
	char *second;

	if (rest != NULL)
		*rest++ = '\0';
	else
		rest = text + strlen(text);
	second = strchr(rest, ' ');
	if (IS("want")) {
		if (second != NULL)
			*second++ = '\0';
		TAKE(c.want);
		keep(c.reason, sizeof c.reason, second != NULL ? second : "");
	} else if (IS("gives")) {
		TAKE(c.gives);
	} else if (IS("head")) {
		TAKE(c.head);
	} else if (IS("claims")) {
		TAKE(c.claims.whole);
	} else if (IS("set") || IS("proof-set")) {
		if (second == NULL)
			exit(94);
		*second++ = '\0';
		set(IS("set") ? &c.claims : &c.proof_claims, rest, second);
	} else if (IS("drop") || IS("proof-drop")) {
		drop(IS("drop") ? &c.claims : &c.proof_claims, rest);
	} else if (IS("key") || IS("proof-key")) {
		for (unsigned k = 0; k < TOKENS_KEYS; k++)
			if (strcmp(rest, tokens_names[k]) == 0)
				*(IS("key") ? &c.key : &c.proof_key) = (enum tokens_key)k;
	} else if (IS("alg")) {
		TAKE(c.alg);
	} else if (IS("sig")) {
		TAKE(c.sig);
	} else if (IS("auth")) {
		TAKE(c.auth);
	} else if (IS("fields")) {
		c.fields = (unsigned)atoi(rest);
	} else if (IS("peer")) {
		TAKE(c.peer);
	} else if (IS("method")) {
		TAKE(c.method);
	} else if (IS("now")) {
		kit.now_ms = strtoll(rest, NULL, 10) * 1000;
	} else if (IS("scheme")) {
		TAKE(c.scheme);
	} else if (IS("bound")) {
		c.bound = true;
	} else if (IS("again")) {
		c.again = true;
	} else if (IS("proof")) {
		TAKE(c.proof);
	} else if (IS("proof-head")) {
		TAKE(c.proof_head);
	} else if (IS("proof-sig")) {
		TAKE(c.proof_sig);
	} else if (IS("proof-text")) {
		TAKE(c.proof_text);
	} else if (IS("rules") && strcmp(rest, "dpop off") == 0) {
		kit.rules.dpop = AUTH_DPOP_OFF;
	} else if (IS("rules") && strcmp(rest, "dpop required") == 0) {
		kit.rules.dpop = AUTH_DPOP_REQUIRED;
	} else if (IS("rules") && strcmp(rest, "certificate") == 0) {
		kit.rules.certificate_bound = true;
	} else if (IS("rules") && strcmp(rest, "one issuer") == 0) {
		kit.rules.nissuers = 1;
	} else if (IS("rules") && strcmp(rest, "es384 only") == 0) {
		kit.issuers[0].algs = 1 << JWK_ES384;
	} else {
		ok(false, text);
		diag("line %u: no such word", line);
	}
}

int main(void)
{
	static char text[LINE_BYTES];
	FILE *f = fopen("tests/table/auth-attacks.txt", "r");

	if (!ok(f != NULL, "tests/table/auth-attacks.txt"))
		return done_testing();
	defaults();
	while (fgets(text, sizeof text, f) != NULL) {
		line++;
		text[strcspn(text, "\n")] = '\0';
		if (text[0] == '#' || text[0] == '\0')
			continue;
		if (strncmp(text, "= ", 2) == 0) {
			run();
			defaults();
			keep(c.name, sizeof c.name, text + 2);
		} else {
			word(text);
		}
	}
	run();
	fclose(f);
	is_int(wrong, 0, "every verdict and its reason");
	is_int(cases, 430, "all cases were tried");
	is_int(good, 42, "and what is right passes");
	return done_testing();
}
