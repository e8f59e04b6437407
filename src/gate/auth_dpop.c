#include "gate/auth_priv.h"

#include "base/text.h"
#include "wire/crypto.h"

enum { JTI_MAX = 256, METHOD_MAX = 16, URI_MAX = 1024 };

struct uri { struct span scheme, host, port, path; };

static bool uri_split(struct uri *u, struct span s)
{
	size_t i = 0, colon;

	while (i < s.n && s.p[i] != ':')
		i++;
	u->scheme = span_of(s.p, i);
	s = span_from(s, i);
	if (u->scheme.n == 0 || !span_starts(s, SPAN("://")))
		return false;
	s = span_from(s, 3);
	for (i = 0; i < s.n && s.p[i] != '/'; i++)
		if (s.p[i] == '@' || s.p[i] == '\\' || s.p[i] == '?' || s.p[i] == '#')
			return false;
	u->host = span_of(s.p, i);
	u->path = i < s.n ? span_from(s, i) : SPAN("/");
	/* The last colon parts off a port, unless it stands inside the brackets of an IPv6 address. */
	colon = u->host.n;
	for (i = u->host.n; i > 0 && u->host.p[i - 1] != ']' && colon == u->host.n; i--)
		if (u->host.p[i - 1] == ':')
			colon = i - 1;
	u->port = colon < u->host.n ? span_from(u->host, colon + 1) : SPAN("");
	u->host.n = colon;
	if (u->port.n == 0)
		u->port = span_ieq(u->scheme, SPAN("https")) ? SPAN("443") : span_ieq(u->scheme, SPAN("http")) ? SPAN("80") : u->port;
	for (i = 0; i < u->path.n; i++)
		if (u->path.p[i] == '?' || u->path.p[i] == '#')
			return false;
	return u->host.n > 0;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The next unit of a path: a byte, or 256 and the value of an escape that stands for something else than the byte itself would
 * (RFC 3986 6.2.2.2: escaped unreserved characters are those characters). -1: no escape after a `%`. */
static int path_unit(struct span *s)
{
	int high, low, c;

	c = (unsigned char)s->p[0];
	if (c != '%') {
		*s = span_from(*s, 1);
		return c;
	}
	if (s->n < 3)
		return -1;
	high = hex(s->p[1]);
	low = hex(s->p[2]);
	if (high < 0 || low < 0)
		return -1;
	*s = span_from(*s, 3);
	c = high << 4 | low;
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~')
		return c;
	return 256 + c;
}

bool auth_same_uri(struct span a, struct span b)
{
	struct uri x, y;

	if (!uri_split(&x, a) || !uri_split(&y, b))
		return false;
	if (!span_ieq(x.scheme, y.scheme) || !span_ieq(x.host, y.host) || !span_eq(x.port, y.port))
		return false;
	while (x.path.n > 0 && y.path.n > 0) {
		int c = path_unit(&x.path);

		if (c < 0 || c != path_unit(&y.path))
			return false;
	}
	return x.path.n == y.path.n;
}

static bool claims_fit(const struct auth_request *r, struct span token, const struct json *j, int64_t now_ms, int64_t *iat_ms)
{
	char method[METHOD_MAX], uri[URI_MAX];
	uint8_t hash[32], ath[32];
	struct span text = json_inner(j, json_get(j, JSON_ROOT, SPAN("ath")));
	size_t n;

	if (!auth_text(j, json_get(j, JSON_ROOT, SPAN("htm")), method, sizeof method, &n) || !span_eq(span_of(method, n), r->method))
		return false;
	if (!auth_text(j, json_get(j, JSON_ROOT, SPAN("htu")), uri, sizeof uri, &n) || !auth_same_uri(span_of(uri, n), r->uri))
		return false;
	if (!auth_date(j, json_get(j, JSON_ROOT, SPAN("iat")), iat_ms) || *iat_ms < now_ms - AUTH_PROOF_MS || *iat_ms > now_ms + AUTH_PROOF_MS)
		return false;
	if (span_absent(text) || !base64url_decode(text, (char *)ath, sizeof ath, &n) || n != sizeof ath)
		return false;
	crypto_sha256(token.p, token.n, hash);
	return crypto_equal(hash, ath, sizeof ath);
}

enum auth_reason auth_proof(const struct auth_bench *on, const struct auth_request *r, struct span token, const uint8_t thumbprint[32], int64_t now_ms)
{
	char jti[JTI_MAX];
	uint8_t own[32], mark[32];
	struct span parts[2];
	struct jwt t;
	struct json j;
	size_t n;
	int64_t now_s = now_ms / 1000, iat_ms;

	if (on->replay == NULL || on->proof_key == NULL || r->ndpop != 1 || span_absent(r->dpop))
		return AUTH_REASON_PROOF;
	if (jwt_read(&t, on->table, r->dpop, true) != JWT_OK || !t.has_jwk || !span_eq(t.typ, SPAN("dpop+jwt")))
		return AUTH_REASON_PROOF;
	jwk_thumbprint(&t.jwk, own);
	if (!crypto_equal(own, thumbprint, sizeof own))
		return AUTH_REASON_BINDING;
	if (jwt_verify(&t, &t.jwk) != JWT_OK || jwt_claims(&t, on->table, on->scratch, on->scratch_size, &j) != JWT_OK)
		return AUTH_REASON_PROOF;
	if (!claims_fit(r, token, &j, now_ms, &iat_ms) || !auth_text(&j, json_get(&j, JSON_ROOT, SPAN("jti")), jti, sizeof jti, &n))
		return AUTH_REASON_PROOF;

	/* Last of all, so that only a proof that would pass takes room: until its iat is too old, and no longer. */
	parts[0] = span_of((const char *)own, sizeof own);
	parts[1] = span_of(jti, n);
	crypto_hmac_sha256(on->proof_key, AUTH_PROOF_KEY, parts, 2, mark);
	if (!replay_first(on->replay, text_le64((const char *)mark), (uint32_t)now_s, (uint32_t)((iat_ms + AUTH_PROOF_MS) / 1000 + 1)))
		return AUTH_REASON_REPLAY;
	return AUTH_REASON_NONE;
}
