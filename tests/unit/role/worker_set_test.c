/* role/worker.h: what a worker's settings take from configuration and files. */
#include "role/worker.h"
#include "tap.h"

static struct conf c;
static struct material m;
static struct flow_settings s;

static void url(struct span resource, const char *want)
{
	char name[256];

	c.identity.resource = resource;
	worker_settings(&c, &m, &s);
	snprintf(name, sizeof name, "the metadata of %.*s", (int)resource.n, resource.p);
	ok(span_eq(s.listeners[0].metadata, span_z(want)), name);
}

int main(void)
{
	static struct jwk_set set;

	c.nlisteners = 2;
	c.listeners[1].tls.on = true;
	c.identity.nissuers = 1;
	url(SPAN("https://gw.example"), "https://gw.example/.well-known/oauth-protected-resource");
	url(SPAN("https://gw.example/"), "https://gw.example/.well-known/oauth-protected-resource");
	url(SPAN("https://gw.example:8443/mcp"), "https://gw.example:8443/.well-known/oauth-protected-resource/mcp");
	url(SPAN("https://gw.example/a/b"), "https://gw.example/.well-known/oauth-protected-resource/a/b");
	url(SPAN("https://gw.example/mcp/"), "https://gw.example/.well-known/oauth-protected-resource/mcp/");
	c.identity.issuers[0].auth.legacy_typ = true;
	m.sets[0] = &set;
	c.nservers = 3;
	c.servers[0].kind = CONF_FILES;
	c.servers[1].kind = c.servers[2].kind = CONF_HTTP;
	c.servers[1].tls.on = true;
	c.servers[1].credential.kind = CONF_EXCHANGE;
	c.servers[2].credential.kind = CONF_SECRET;
	worker_settings(&c, &m, &s);
	ok(!s.listeners[0].tls && s.listeners[1].tls == &m.doors[1], "a door where the configuration says tls");
	ok(!s.servers[0].tls && s.servers[1].tls == &m.upstreams[1] && !s.servers[2].tls, "a route likewise");
	ok(!s.servers[0].credential && s.servers[1].credential && s.servers[1].exchange && s.servers[2].credential && !s.servers[2].exchange, "credentials");
	ok(s.auth.nissuers == 1 && s.auth.issuers[0].legacy_typ && s.keys[0] == &set, "issuers and their keys");
	ok(s.built_ms > INT64_C(1750000000000), "the day it was built");
	static char heads[64];
	c.servers[1].nheaders = 2;
	c.servers[1].headers[0] = (struct conf_header){ SPAN("X-A"), SPAN("1") };
	c.servers[1].headers[1] = (struct conf_header){ SPAN("X-B"), SPAN("two") };
	c.servers[2].nheaders = 1;
	c.servers[2].headers[0] = (struct conf_header){ SPAN("Y"), SPAN("") };
	is_int((long)worker_heads_need(&c), 8 + 10 + 5, "head lines of all servers");
	worker_heads(&c, heads, &s);
	ok(s.servers[0].fields.n == 0 && span_eq(s.servers[1].fields, SPAN("X-A: 1\r\nX-B: two\r\n")) && span_eq(s.servers[2].fields, SPAN("Y: \r\n")), "each has its own");
	c.identity.nissuers = 0;
	worker_settings(&c, &m, &s);
	ok(span_absent(s.listeners[0].metadata), "without issuers there is no metadata");
	return done_testing();
}
