/* What a right configuration becomes, and what conf_read() does at its own limits. */
#include "conf/conf.h"

#include <stdlib.h>

#include "page.h"
#include "tap.h"

static char said[64 * 1024];
static struct buf errors;
static void *arena;
static char *copy;
static size_t copy_len;

static bool read_text(struct conf *c, const char *text)
{
	size_t need = conf_arena_need(strlen(text));

	free(arena);
	if (copy != NULL)
		page_free(copy, copy_len);
	copy_len = strlen(text);
	copy = page_copy(text, copy_len);
	arena = malloc(need);
	errors = buf_on(said, sizeof said);
	return conf_read(c, SPAN("dir/f.json"), span_of(copy, copy_len), arena, need, &errors);
}

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), name);
}

#define HASH "0123456789abcdefABCDEF6789abcdef0123456789abcdef0123456789abcdff"
#define SOMEBODY "\"identity\":{\"keys\":[{\"id\":\"k\",\"sha256\":\"" HASH "\",\"tenant\":\"t\"}]},\"policy\":[]"
#define BASE "\"listeners\":[{\"address\":\"127.0.0.1:8080\"}],\"mcpServers\":{\"docs\":{\"builtin\":\"files\",\"root\":\"docs\"}}," SOMEBODY

static void defaults(void)
{
	struct conf c;

	ok(read_text(&c, "{" BASE "}"), "the smallest configuration");
	is_span(c.file, "dir/f.json", "its name");
	is_int(errors.n, 0, "nothing is said");
	is_int(c.workers, 0, "workers: one per core");
	is_int(c.nlisteners, 1, "one listener");
	is_int(c.listeners[0].address.family, 4, "IPv4");
	is_int(c.listeners[0].address.port, 8080, "port");
	is_span(c.listeners[0].path, "/mcp", "path");
	ok(!c.listeners[0].insecure && c.listeners[0].nhosts == 0 && c.listeners[0].norigins == 0, "nothing else on it");
	ok(!c.has_admin && c.admin.family == 0, "no admin listener");
	ok(!c.plain && !c.strict, "prefixed, not strict");
	is_int(c.nservers, 1, "one server");
	is_int(c.servers[0].kind, CONF_FILES, "files");
	is_span(c.servers[0].name, "docs", "name");
	is_span(c.servers[0].root, "docs", "root, as written");
	ok(span_absent(c.servers[0].prompts), "no prompts");
	is_int(c.servers[0].file_bytes_max, 1 << 20, "max_file");
	is_int(c.servers[0].line, 1, "line");
	is_int(c.servers[0].column, 59, "column");
	is_int(c.memory.connections, 1024, "connections");
	is_int(c.memory.requests, 128, "requests");
	is_int(c.memory.listens, 64, "listens");
	is_int(c.memory.listens_per_caller, 32, "of one caller");
	ok(c.memory.legacy_sessions == 1024 && c.memory.legacy_kept == 16 << 20, "sessions of older clients, and room for them");
	is_int(c.memory.large, 16, "large");
	is_int(c.memory.body, 256 << 10, "body");
	is_int(c.memory.reply, 2 << 20, "reply");
	is_int(c.memory.tokens, 65536, "tokens");
	is_int(c.memory.links, 128, "links");
	is_int(c.timeouts.head_ms, 5000, "head");
	is_int(c.timeouts.body_ms, 30000, "body");
	is_int(c.timeouts.idle_ms, 75000, "idle");
	is_int(c.timeouts.write_ms, 30000, "write");
	is_int(c.timeouts.drain_ms, 10000, "drain");
	is_int(c.timeouts.keepalive_ms, 15000, "keepalive");
	is_int(c.timeouts.list_ms, 5000, "list");
	is_int(c.timeouts.handshake_ms, 5000, "handshake");
	is_int(c.memory.records, 64, "records");
	is_int(c.memory.sessions, 256, "sessions");
	is_int(c.memory.tokens_known, 256, "known_tokens");
	ok(!c.listeners[0].tls.on && !c.servers[0].tls.on && c.servers[0].credential.kind == CONF_NO_CREDENTIAL, "no TLS, no credential");
	is_int(c.identity.nkeys, 1, "one key");
	is_span(c.identity.keys[0].id, "k", "its id");
	is_int(c.identity.keys[0].sha256[10], 0xEF, "a digit in upper case");
	is_int(c.identity.keys[0].sha256[31], 0xFF, "its last byte");
	is_int(c.identity.keys[0].tenant, 0, "its tenant");
	is_int((intmax_t)c.identity.keys[0].roles, 0, "no roles");
	is_int(c.identity.ntenants, 1, "one tenant");
	ok(c.identity.nissuers == 0 && c.identity.ncertificates == 0 && c.identity.nrevoked == 0 && !c.identity.anonymous, "nobody else");
	ok(c.identity.dpop == AUTH_DPOP_OFF && !c.identity.certificate_bound && span_absent(c.identity.resource), "nothing about tokens");
	is_int(c.npolicy, 0, "no rule");
}

static void everything(void)
{
	struct conf c;

	ok(read_text(&c, "{\"$schema\":\"s\",\"workers\":3," SOMEBODY ",\n"
		"\"listeners\":[{\"address\":\"[::1]:0\",\"path\":\"/a\",\"hosts\":[\"gw.example\",\"gw.example:8443\"],\"origins\":[\"https://a.b\"]},\n"
		"{\"address\":\"0.0.0.0:81\",\"insecure\":true}],\"admin\":{\"address\":\"localhost:9090\"},\n"
		"\"strict\":true,\"names\":\"prefixed\",\n"
		"\"memory\":{\"connections\":9,\"requests\":8,\"listens\":7,\"large\":6,\"body\":\"64k\",\"reply\":\"1m\",\"tokens\":300,\"links\":5},\n"
		"\"timeouts\":{\"head\":\"500ms\",\"body\":\"2s\",\"idle\":\"3m\",\"write\":\"1h\",\"drain\":\"0ms\",\"keepalive\":\"20s\"},\n"
		"\"mcpServers\":{\"d\":{\"builtin\":\"files\",\"root\":\"\\/srv\\/d\\u00f6cs\",\"prompts\":\"../p\",\"hidden\":true,\"max_file\":2048},\n"
		"  \"up\":{\"url\":\"http://mcp.internal:3000/mcp?x=1\",\"address\":\"[2001:db8::5]:3001\",\"headers\":{\"X-A\":\"b c\",\"X-E\":\"\"},\n"
		"   \"connect_timeout\":\"1s\",\"idle_timeout\":\"2s\",\"call_timeout\":\"3s\"},\n"
		"  \"local\":{\"url\":\"http://localhost\"}, \"six\":{\"url\":\"http://[::1]:7?\",\"address\":\"127.0.0.1:7\"}}}") == false, "a query needs a path");
	is_span(buf_span(&errors), "dir/f.json:10:52: /mcpServers/six/url: found the string \"http://[::1]:7?\"; "
		"a path stands before the query: put a / before the ?\n", "and that is all that is wrong");
	ok(read_text(&c, "{\"$schema\":\"s\",\"workers\":3," SOMEBODY ",\n"
		"\"listeners\":[{\"address\":\"[::1]:0\",\"path\":\"/a\",\"hosts\":[\"gw.example\",\"gw.example:8443\"],\"origins\":[\"https://a.b\"]},\n"
		"{\"address\":\"0.0.0.0:81\",\"insecure\":true}],\"admin\":{\"address\":\"localhost:9090\"},\n"
		"\"strict\":true,\"names\":\"prefixed\",\n"
		"\"memory\":{\"connections\":9,\"requests\":8,\"listens\":7,\"large\":6,\"body\":\"64k\",\"reply\":\"1m\",\"tokens\":300,\"links\":5},\n"
		"\"timeouts\":{\"head\":\"500ms\",\"body\":\"2s\",\"idle\":\"3m\",\"write\":\"1h\",\"drain\":\"0ms\",\"keepalive\":\"20s\"},\n"
		"\"mcpServers\":{\"d\":{\"builtin\":\"files\",\"root\":\"\\/srv\\/d\\u00f6cs\",\"prompts\":\"../p\",\"hidden\":true,\"max_file\":2048},\n"
		"  \"up\":{\"url\":\"http://mcp.internal:3000/mcp?x=1\",\"address\":\"[2001:db8::5]:3001\",\"headers\":{\"X-A\":\"b\\u0020c\",\"X-E\":\"\"},\n"
		"   \"connect_timeout\":\"1s\",\"idle_timeout\":\"2s\",\"call_timeout\":\"3s\"},\n"
		"  \"local\":{\"url\":\"http://localhost\"}, \"six\":{\"address\":\"127.0.0.1:7\",\"url\":\"http://[::1]:9\"}}}"), "every member");
	diag("%.*s", (int)errors.n, errors.p);
	is_int(c.workers, 3, "workers");
	is_int(c.nlisteners, 2, "two listeners");
	is_int(c.listeners[0].address.family, 6, "IPv6");
	is_span(c.listeners[0].address_text, "[::1]:0", "as written");
	is_span(c.listeners[0].path, "/a", "path");
	is_int(c.listeners[0].nhosts, 2, "hosts");
	is_span(c.listeners[0].hosts[1], "gw.example:8443", "a host");
	is_span(c.listeners[0].origins[0], "https://a.b", "an origin");
	ok(c.listeners[1].insecure, "insecure");
	is_span(c.listeners[1].path, "/mcp", "path of the second");
	ok(c.has_admin && addr_is_loopback(&c.admin) && c.admin.port == 9090, "admin");
	is_span(c.admin_text, "localhost:9090", "as written");
	ok(c.strict && !c.plain, "strict, prefixed");
	is_int(c.memory.connections, 9, "connections");
	is_int(c.memory.requests, 8, "requests");
	is_int(c.memory.listens, 7, "listens");
	is_int(c.memory.listens_per_caller, 7, "no more of one caller");
	is_int(c.memory.large, 6, "large");
	is_int(c.memory.body, 65536, "body");
	is_int(c.memory.reply, 1 << 20, "reply");
	is_int(c.memory.tokens, 300, "tokens");
	is_int(c.memory.links, 5, "links");
	is_int(c.timeouts.head_ms, 500, "head");
	is_int(c.timeouts.body_ms, 2000, "body");
	is_int(c.timeouts.idle_ms, 180000, "idle");
	is_int(c.timeouts.write_ms, 3600000, "write");
	is_int(c.timeouts.drain_ms, 0, "drain");
	is_int(c.timeouts.keepalive_ms, 20000, "keepalive");
	is_int(c.nservers, 4, "servers");
	is_span(c.servers[0].root, "/srv/d\xc3\xb6" "cs", "root, unescaped");
	is_span(c.servers[0].prompts, "../p", "prompts");
	ok(c.servers[0].hidden, "hidden");
	is_int(c.servers[0].file_bytes_max, 2048, "max_file");
	is_int(c.servers[1].kind, CONF_HTTP, "http");
	is_int(c.servers[1].line, 8, "line of a server");
	is_int(c.servers[1].column, 3, "column of a server");
	is_span(c.servers[1].url, "http://mcp.internal:3000/mcp?x=1", "url");
	is_span(c.servers[1].host, "mcp.internal:3000", "host");
	is_span(c.servers[1].path, "/mcp?x=1", "path and query");
	is_int(c.servers[1].address.family, 6, "the address given");
	is_int(c.servers[1].address.port, 3001, "and its port");
	is_int(c.servers[1].nheaders, 2, "headers");
	is_span(c.servers[1].headers[0].name, "X-A", "header name");
	is_span(c.servers[1].headers[0].value, "b c", "header value");
	is_span(c.servers[1].headers[1].value, "", "empty header value");
	is_int(c.servers[1].connect_ms, 1000, "connect_timeout");
	is_int(c.servers[1].idle_ms, 2000, "idle_timeout");
	is_int(c.servers[1].call_ms, 3000, "call_timeout");
	is_int(c.servers[2].address.port, 80, "default port");
	ok(addr_is_loopback(&c.servers[2].address), "localhost");
	is_span(c.servers[2].path, "/", "default path");
	is_span(c.servers[2].host, "localhost", "host");
	is_int(c.servers[2].connect_ms, 5000, "default connect_timeout");
	is_int(c.servers[2].idle_ms, 30000, "default idle_timeout");
	is_int(c.servers[2].call_ms, 60000, "default call_timeout");
	is_int(c.servers[3].address.port, 7, "an address given before the url holds");
	is_int(c.servers[3].address.family, 4, "and its family");
}

static void is_file(struct conf_file f, const char *path, bool credential, unsigned line, unsigned column)
{
	is_span(f.path, path, path);
	ok(f.credential == credential && f.line == line && f.column == column, "as it stands there");
}

static void transport(void)
{
	struct conf c;

	ok(read_text(&c, "{\"listeners\":[\n"
		"{\"address\":\"0.0.0.0:1\",\"tls\":{\"cert\":\"gw.pem\",\"key\":{\"credential\":\"gw.key\"}}},\n"
		"{\"address\":\"127.0.0.1:2\",\"tls\":{\"certificates\":[{\"cert\":{\"file\":\"/a\"},\"key\":\"b\"},{\"cert\":\"c\",\"key\":\"d\"}],\n"
		" \"client_ca\":\"ca\",\"profile\":\"cnsa\"}},\n"
		"{\"address\":\"127.0.0.1:3\",\"tls\":{\"cert\":\"e\",\"key\":\"f\",\"client\":\"optional\",\"client_ca\":\"ca\"}}],\n"
		"\"mcpServers\":{\"a\":{\"url\":\"https://mcp.internal/x\",\"address\":\"10.0.0.5:8443\",\"tls\":{\"ca\":\"ca\"},\n"
		"  \"credentials\":{\"secret\":{\"file\":\"s\"}}},\n"
		" \"b\":{\"url\":\"https://10.0.0.6/\",\"tls\":{\"name\":\"b.internal\",\"ca\":\"ca\",\"cert\":\"g\",\"key\":\"h\",\"profile\":\"cnsa\"},\n"
		"  \"credentials\":{\"secret\":{\"credential\":\"s\"},\"header\":\"X-Api-Key\"}},\n"
		" \"c\":{\"url\":\"http://127.0.0.1:3000/\",\"credentials\":{\"secret\":{\"file\":\"s\"},\"scheme\":\"\"}},\n"
		" \"d\":{\"url\":\"http://127.0.0.1:3000/\",\"credentials\":{\"token_url\":\"https://idp.example/token\",\"address\":\"10.0.0.9:443\",\n"
		"  \"tls\":{\"ca\":\"ca\"},\"client_id\":\"gw\",\"client_secret\":{\"file\":\"t\"},\"scope\":\"a b\",\"resource\":\"https://r/\",\"audience\":\"u\"}},\n"
		" \"e\":{\"url\":\"http://127.0.0.1:3000/\",\"credentials\":{\"token_url\":\"http://127.0.0.1:9/t\",\"client_id\":\"gw\",\n"
		"  \"client_secret\":{\"file\":\"t\"},\"grant\":\"client_credentials\"}}}," SOMEBODY ",\"memory\":{\"records\":7,\"sessions\":8,\"known_tokens\":9},"
		"\"timeouts\":{\"handshake\":\"3s\"}}"), "TLS and credentials");
	diag("%.*s", (int)errors.n, errors.p);
	ok(c.listeners[0].tls.on && c.listeners[0].tls.ncerts == 1 && !c.listeners[0].tls.cnsa && !c.listeners[0].tls.client_required, "a listener with one certificate");
	is_file(c.listeners[0].tls.certs[0].cert, "gw.pem", false, 2, 38);
	is_file(c.listeners[0].tls.certs[0].key, "gw.key", true, 2, 53);
	ok(span_absent(c.listeners[0].tls.client_ca.path), "that asks for none");
	is_int(c.listeners[1].tls.ncerts, 2, "two certificates");
	is_file(c.listeners[1].tls.certs[0].cert, "/a", false, 3, 57);
	is_file(c.listeners[1].tls.certs[1].key, "d", false, 3, 100);
	ok(c.listeners[1].tls.client_required && c.listeners[1].tls.cnsa, "client certificates are required unless said");
	ok(!c.listeners[2].tls.client_required && !span_absent(c.listeners[2].tls.client_ca.path), "or optional");
	ok(c.servers[0].tls.on && !c.servers[0].tls.has_own && !c.servers[0].tls.cnsa, "https");
	is_span(c.servers[0].tls.name, "mcp.internal", "the name is the host's");
	is_int(c.servers[0].address.port, 8443, "the address's port");
	is_int(c.servers[0].credential.kind, CONF_SECRET, "a secret");
	is_span(c.servers[0].credential.header, "Authorization", "in Authorization");
	is_span(c.servers[0].credential.scheme, "Bearer", "as Bearer");
	is_int(c.servers[1].address.port, 443, "the port of https");
	is_span(c.servers[1].tls.name, "b.internal", "a name given");
	ok(c.servers[1].tls.has_own && c.servers[1].tls.cnsa, "with a certificate of its own");
	is_file(c.servers[1].tls.own.key, "h", false, 8, 87);
	is_span(c.servers[1].credential.header, "X-Api-Key", "another header");
	is_span(c.servers[1].credential.scheme, "", "has no scheme");
	ok(c.servers[1].credential.secret.credential, "a credential of the service manager");
	ok(!c.servers[2].tls.on && !span_absent(c.servers[2].credential.scheme) && c.servers[2].credential.scheme.n == 0, "no scheme if so said");
	is_int(c.servers[3].credential.kind, CONF_CLIENT_CREDENTIALS, "client credentials");
	is_span(c.servers[3].credential.token.url, "https://idp.example/token", "token_url");
	is_span(c.servers[3].credential.token.path, "/token", "its path");
	is_span(c.servers[3].credential.token.host, "idp.example", "its host");
	is_span(c.servers[3].credential.token.tls.name, "idp.example", "its name");
	is_int(c.servers[3].credential.token.address.ip[3], 9, "its address");
	is_span(c.servers[3].credential.client_id, "gw", "client_id");
	is_span(c.servers[3].credential.secret.path, "t", "client_secret");
	is_span(c.servers[3].credential.scope, "a b", "scope");
	is_span(c.servers[3].credential.resource, "https://r/", "resource");
	is_span(c.servers[3].credential.audience, "u", "audience");
	is_int(c.servers[4].credential.kind, CONF_CLIENT_CREDENTIALS, "said in words");
	ok(!c.servers[4].credential.token.tls.on && span_absent(c.servers[4].credential.scope), "over http on this machine");
	is_int(c.memory.records, 7, "records");
	is_int(c.memory.sessions, 8, "sessions");
	is_int(c.memory.tokens_known, 9, "known_tokens");
	is_int(c.timeouts.handshake_ms, 3000, "handshake");
}

static void identities(void)
{
	struct conf c;

	ok(read_text(&c, "{\"listeners\":[{\"address\":\"127.0.0.1:1\",\"tls\":{\"cert\":\"a\",\"key\":\"b\",\"client_ca\":\"c\"}}],\n"
		"\"mcpServers\":{\"docs\":{\"builtin\":\"files\",\"root\":\"docs\"},\"x\":{\"url\":\"http://127.0.0.1:3000/\",\"credentials\":{\"token_url\":"
		"\"http://[::1]:9/t\",\"client_id\":\"gw\",\"client_secret\":{\"file\":\"t\"},\"grant\":\"token_exchange\"}}},\n"
		"\"identity\":{\"resource\":\"https://gw.example:8443/mcp\",\"tenants\":[\"later\",\"acme\"],\"dpop\":\"required\",\"certificate_bound_tokens\":true,\n"
		" \"issuers\":[{\"issuer\":\"https://idp.example\",\"algorithms\":[\"RS256\",\"ES384\"],\"jwks\":\"keys.json\",\"tenant\":\"acme\",\"roles\":[\"reader\"]},\n"
		"  {\"issuer\":\"http://127.0.0.1:7/a\",\"audience\":\"x\",\"algorithms\":[\"ES256\"],\"jwks\":{\"url\":\"http://127.0.0.1:7/jwks\"},\n"
		"   \"introspection\":{\"url\":\"https://idp.example/i\",\"address\":\"10.0.0.9:443\",\"tls\":{\"ca\":\"ca\"},\"client_id\":\"gw\",\"client_secret\":{\"file\":\"t\"}},\n"
		"   \"claims\":{\"tenant\":\"org\",\"roles\":\"groups\"},\"typ\":\"legacy\",\"skew\":\"10s\",\"max_age\":\"1h\"},\n"
		"  {\"issuer\":\"https://op.example/\",\"introspection\":{\"url\":\"http://localhost:8/i\",\"client_id\":\"gw\",\"client_secret\":{\"file\":\"t\"},\"always\":true},\n"
		"   \"tenant\":\"later\"}],\n"
		" \"keys\":[{\"id\":\"ci\",\"sha256\":\"" HASH "\",\"tenant\":\"zeta\",\"roles\":[\"writer\",\"reader\"]}],\n"
		" \"certificates\":[{\"san\":\"spiffe://acme/agent\",\"tenant\":\"acme\",\"roles\":[\"agent\"]},{\"san\":\"agent.acme.example\",\"tenant\":\"acme\"}],\n"
		" \"revoked_certificates\":[\"" HASH "\"],\"anonymous\":{\"tenant\":\"local\",\"roles\":[\"reader\"]}},\n"
		"\"policy\":[{\"deny\":\"docs__secret*\"},{\"allow\":\"docs__*\",\"tenants\":[\"acme\",\"local\"],\"roles\":[\"reader\",\"fromtoken\"],\"scopes\":[\"mcp:read\"]}]}"),
		"everybody");
	diag("%.*s", (int)errors.n, errors.p);
	is_span(c.identity.resource, "https://gw.example:8443/mcp", "resource");
	is_int(c.identity.ntenants, 4, "tenants: all that are mentioned");
	is_span(c.identity.tenants[0], "later", "those listed come first");
	is_span(c.identity.tenants[1], "acme", "in their order");
	is_int(c.identity.nroles, 4, "roles");
	is_int(c.identity.nscopes, 1, "scopes");
	is_span(c.identity.scopes[0], "mcp:read", "the scope");
	is_int(c.identity.dpop, AUTH_DPOP_REQUIRED, "dpop");
	ok(c.identity.certificate_bound, "certificate_bound_tokens");
	is_int(c.identity.nissuers, 3, "issuers");
	is_span(c.identity.issuers[0].auth.audience, "https://gw.example:8443/mcp", "the audience is the resource");
	is_int(c.identity.issuers[0].auth.algs, 1 << JWK_RS256 | 1 << JWK_ES384, "algorithms");
	is_int(c.identity.issuers[0].auth.tenant, 1, "its tenant");
	is_int(c.identity.issuers[0].auth.skew_ms, 60000, "skew");
	is_int(c.identity.issuers[0].auth.age_max_ms, 0, "any age");
	is_span(c.identity.issuers[0].jwks.path, "keys.json", "its file");
	ok(!c.identity.issuers[0].auth.opaque && !c.identity.issuers[0].auth.introspect_all && !c.identity.issuers[0].auth.legacy_typ, "JWTs by RFC 9068 only");
	ok(span_absent(c.identity.issuers[0].auth.tenant_claim) && span_absent(c.identity.issuers[0].auth.roles_claim), "no claims of its own");
	is_span(c.identity.issuers[1].auth.audience, "x", "an audience");
	is_int(c.identity.issuers[1].auth.tenant, -1, "no tenant of its own");
	is_span(c.identity.issuers[1].auth.tenant_claim, "org", "but in its tokens");
	is_span(c.identity.issuers[1].auth.roles_claim, "groups", "and roles");
	is_int(c.identity.issuers[1].auth.skew_ms, 10000, "skew");
	is_int(c.identity.issuers[1].auth.age_max_ms, 3600000, "max_age");
	ok(c.identity.issuers[1].auth.legacy_typ && c.identity.issuers[1].auth.opaque && !c.identity.issuers[1].auth.introspect_all, "legacy, and opaque tokens too");
	ok(span_absent(c.identity.issuers[1].jwks.path) && c.identity.issuers[1].keys.address.port == 7, "its keys by url");
	is_span(c.identity.issuers[1].introspection.path, "/i", "introspection");
	is_span(c.identity.issuers[1].introspection.tls.name, "idp.example", "over TLS");
	is_span(c.identity.issuers[1].client_id, "gw", "its client_id");
	is_span(c.identity.issuers[1].client_secret.path, "t", "its secret");
	ok(c.identity.issuers[2].auth.introspect_all && c.identity.issuers[2].auth.opaque && c.identity.issuers[2].auth.algs == 0, "introspection alone");
	is_int(c.identity.issuers[2].auth.tenant, 0, "tenant");
	is_span(c.identity.tenants[c.identity.keys[0].tenant], "zeta", "a key's tenant");
	is_int(c.identity.ncertificates, 2, "certificates");
	is_span(c.identity.certificates[1].san, "agent.acme.example", "a san");
	is_int(c.identity.nrevoked, 1, "revoked");
	is_int(c.identity.revoked[0][1], 0x23, "its fingerprint");
	ok(c.identity.anonymous, "anonymous");
	is_span(c.identity.tenants[c.identity.anonymous_tenant], "local", "its tenant");
	is_int(c.npolicy, 2, "rules");
	ok(!c.policy[0].allow && c.policy[0].tenants == 0 && c.policy[0].roles == 0 && c.policy[0].scopes == 0, "a refusal for all");
	is_span(c.policy[0].pattern, "docs__secret*", "its pattern");
	ok(c.policy[1].allow && c.policy[1].scopes == 1, "and one that allows");
	is_int((intmax_t)c.policy[1].tenants, (1 << 1) | (1 << c.identity.anonymous_tenant), "to two tenants");
	ok((c.policy[1].roles & c.identity.anonymous_roles) == c.identity.anonymous_roles && c.identity.anonymous_roles != 0, "the same role everywhere");
	is_int(c.servers[1].credential.kind, CONF_EXCHANGE, "an exchange");
}

/* The most of everything, and one more. */
static void most(void)
{
	static char text[600 * 1024];
	struct conf c;
	struct buf b = buf_on(text, sizeof text);

	BUF_LIT(&b, "{\"listeners\":[{\"address\":\"127.0.0.1:1\",\"tls\":{\"cert\":\"a\",\"key\":\"b\",\"client_ca\":\"c\"}}],\"mcpServers\":{\"docs\":{\"builtin\":\"files\",\"root\":\"docs\"}},\"identity\":{\"keys\":[");
	for (unsigned i = 0; i < AUTH_KEYS_MAX; i++) {
		buf_put(&b, i > 0 ? SPAN(",{\"id\":\"k") : SPAN("{\"id\":\"k"));
		buf_u64(&b, i);
		BUF_LIT(&b, "\",\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc");
		buf_hex(&b, &(uint8_t){ (uint8_t)i }, 1);
		BUF_LIT(&b, "0\",\"tenant\":\"t");
		buf_u64(&b, i % 64);
		BUF_LIT(&b, "\",\"roles\":[\"r");
		buf_u64(&b, i % 64);
		BUF_LIT(&b, "\"]}");
	}
	BUF_LIT(&b, "],\"certificates\":[");
	for (unsigned i = 0; i < AUTH_CERTIFICATES_MAX; i++) {
		buf_put(&b, i > 0 ? SPAN(",{\"san\":\"c") : SPAN("{\"san\":\"c"));
		buf_u64(&b, i);
		BUF_LIT(&b, ".example\",\"tenant\":\"t1\"}");
	}
	BUF_LIT(&b, "],\"revoked_certificates\":[");
	for (unsigned i = 0; i < AUTH_REVOKED_MAX; i++) {
		buf_put(&b, i > 0 ? SPAN(",\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd") : SPAN("\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"));
		buf_hex(&b, &(uint8_t){ (uint8_t)i }, 1);
		BUF_LIT(&b, "\"");
	}
	BUF_LIT(&b, "]},\"policy\":[");
	for (unsigned i = 0; i < POLICY_RULES_MAX; i++) {
		buf_put(&b, i > 0 ? SPAN(",{\"allow\":\"docs__t") : SPAN("{\"allow\":\"docs__t"));
		buf_u64(&b, i);
		BUF_LIT(&b, "\",\"roles\":[\"r");
		buf_u64(&b, i % 64);
		BUF_LIT(&b, "\"]}");
	}
	BUF_LIT(&b, "]}");
	text[b.n] = '\0';
	ok(!b.full && read_text(&c, text), "256 keys, 128 certificates and as many revoked, 256 rules, 64 tenants and roles");
	diag("%.*s", (int)(errors.n < 400 ? errors.n : 400), errors.p);
	is_int(c.identity.nkeys, AUTH_KEYS_MAX, "keys");
	is_int(c.identity.ncertificates, AUTH_CERTIFICATES_MAX, "certificates");
	is_int(c.identity.nrevoked, AUTH_REVOKED_MAX, "revoked certificates");
	is_int(c.npolicy, POLICY_RULES_MAX, "rules");
	is_int(c.identity.ntenants, IDENTITY_TENANTS_MAX, "tenants");
	is_int(c.identity.nroles, IDENTITY_ROLES_MAX, "roles");
	is_uint(c.policy[255].roles, UINT64_C(1) << 63, "the last role");
}

static void shrinking(void)
{
	struct conf c;

	ok(read_text(&c, "{" BASE ",\"memory\":{\"connections\":10}}"), "few connections");
	is_int(c.memory.records, 10, "no more TLS at work than connections");
	is_int(c.memory.requests, 10, "no more requests than connections");
	is_int(c.memory.listens, 10, "no more listens than connections");
}

static void limits(void)
{
	static char text[600 * 1024], name[5000];
	struct conf c;
	struct buf small, b = buf_on(text, sizeof text);
	size_t need, worst = 0;

	small = buf_on(said, 40);
	need = conf_arena_need(2);
	arena = realloc(arena, need);
	ok(!conf_read(&c, SPAN("f"), SPAN("[]"), arena, need, &small), "a buffer too small for the complaint");
	ok(small.full, "is full");
	ok(!conf_read(&c, SPAN("f"), SPAN("[]"), arena, need - 1, &errors), "an arena too small is refused");

	/* The densest documents: the most tokens that n bytes can hold. */
	for (size_t n = 1; n < 2000; n += 37) {
		buf_reset(&b);
		buf_char(&b, '[');
		for (size_t i = 0; i < n; i++)
			buf_put(&b, i == 0 ? SPAN("1") : SPAN(",1"));
		buf_char(&b, ']');
		text[b.n] = '\0';
		worst += read_text(&c, text) || memcmp(errors.p, "dir/f.json:1:1: found a list", 28) != 0;
	}
	is_int(worst, 0, "dense documents find room for their tokens");

	buf_reset(&b);
	buf_char(&b, '[');
	for (size_t i = 0; i < 40000; i++)
		BUF_LIT(&b, "1,");
	BUF_LIT(&b, "1]");
	text[b.n] = '\0';
	ok(!read_text(&c, text), "more values than any configuration has");
	is_span(buf_span(&errors), "dir/f.json:1:65536: more JSON values than are accepted in one document\n", "are refused with a reason");

	/* Strings that are all escapes, as many complaints as fit, names as long as they come. */
	buf_reset(&b);
	BUF_LIT(&b, "{" BASE);
	for (size_t i = 0; i < 300; i++) {
		BUF_LIT(&b, ",\"");
		for (size_t k = 0; k < 90; k++)
			BUF_LIT(&b, "\\u20ac\\/");
		buf_u64(&b, i);
		BUF_LIT(&b, "\":1");
	}
	BUF_LIT(&b, "}");
	text[b.n] = '\0';
	ok(!read_text(&c, text), "300 unknown members with long names");
	ok(!errors.full && errors.n > 20, "are said");
	worst = 0;
	for (size_t i = 0; i < errors.n; i++)
		worst += errors.p[i] == '\n';
	is_int(worst, CONF_ERRORS_MAX + 1, "as twenty lines and one that counts the rest");
	ok(memmem(errors.p, errors.n, "and 280 more\n", 13) != NULL, "which is right");

	memset(name, 'd', sizeof name);
	errors = buf_on(said, sizeof said);
	ok(!conf_read(&c, span_of(name, 4097), SPAN("{}"), arena, need, &errors), "a file name beyond any path");
	errors = buf_on(said, sizeof said);
	ok(!conf_read(&c, span_of(name, 4096), SPAN("{}"), arena, need, &errors), "the longest file name");
	ok(memmem(errors.p, errors.n, "\"listeners\" is missing", 22) != NULL && !errors.full, "leaves room for the complaint");
}

int main(void)
{
	defaults();
	everything();
	transport();
	identities();
	most();
	shrinking();
	limits();
	free(arena);
	page_free(copy, copy_len);
	return done_testing();
}
