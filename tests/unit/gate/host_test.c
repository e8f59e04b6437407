/* gate/host: which Host and which Origin may be answered where (security B1). One line a case. */
#include "gate/host.h"

#include "tap.h"
#include "view.h"

struct listener {
	const char *address;
	const struct span *hosts;
	unsigned nhosts;
	const struct span *origins;
	unsigned norigins;
};

static const struct span hosts[] = {
	{ "gw.example.net", 14 }, { "api.example.net:8443", 20 }, { "plain.example.net:80", 20 }, { "[2001:db8::7]", 13 }, { "not a host", 10 },
};
static const struct span origins[] = {
	{ "https://app.example.net", 23 }, { "http://[::7]:3000", 17 }, { "https://dev.example.net:8443", 28 }, { "vscode-webview://abc", 20 },
};
static const struct span null_origin[] = { { "null", 4 } };

static const struct listener loopback = { "127.0.0.1:8080", NULL, 0, NULL, 0 };
static const struct listener loopback6 = { "[::1]:8080", NULL, 0, NULL, 0 };
static const struct listener loopback80 = { "127.0.0.1:80", NULL, 0, NULL, 0 };
static const struct listener named = { "127.0.0.1:8080", hosts, 5, origins, 4 };
static const struct listener any = { "0.0.0.0:8080", hosts, 5, origins, 4 };
static const struct listener any6 = { "[::]:8080", hosts, 5, null_origin, 1 };
static const struct listener lan = { "192.0.2.10:8080", NULL, 0, NULL, 0 };
static const struct listener lan6 = { "[2001:db8::10]:8080", NULL, 0, NULL, 0 };

/* The verdict on `head`: what follows the request line. */
static enum host_verdict verdict(const struct listener *l, const char *lines, bool old)
{
	struct host_rules r = { { 0 }, l->hosts, l->nhosts, l->origins, l->norigins };
	static struct http_head h;
	char text[1024];
	size_t where, n = (size_t)snprintf(text, sizeof text, "POST /mcp HTTP/1.%d\r\n%s\r\n", old ? 0 : 1, lines);
	char *page = page_copy(text, n);
	enum host_verdict v = HOST_OK;

	if (!addr_read(&r.address, span_z(l->address)) || http_request_read(&h, span_of(page, n), &where) != HTTP_OK)
		ok(false, "a case that does not reach host_check()");
	else
		v = host_check(&r, &h);
	page_free(page, n);
	return v;
}

static const struct {
	const struct listener *listener;
	const char *host;
	enum host_verdict want;
} host_cases[] = {
	{ &loopback, "localhost", HOST_OK },
	{ &loopback, "LocalHost:8080", HOST_OK },
	{ &loopback, "localhost:", HOST_OK },
	{ &loopback, "localhost:1", HOST_OK },
	{ &loopback, "127.0.0.1", HOST_OK },
	{ &loopback, "127.0.0.1:65535", HOST_OK },
	{ &loopback, "[::1]", HOST_OK },
	{ &loopback, "[::1]:8080", HOST_OK },
	{ &loopback6, "localhost:8080", HOST_OK },
	{ &loopback6, "[::1]:8080", HOST_OK },
	{ &loopback6, "[0:0:0:0:0:0:0:1]:8080", HOST_OK },
	{ &loopback6, "127.0.0.1", HOST_OK },
	{ &loopback, "", HOST_FOREIGN },
	{ &loopback, "evil.example", HOST_FOREIGN },
	{ &loopback, "evil.example:8080", HOST_FOREIGN },
	{ &loopback, "localhost.", HOST_FOREIGN },
	{ &loopback, "localhost.evil.example", HOST_FOREIGN },
	{ &loopback, "localhost.:8080", HOST_FOREIGN },
	{ &loopback, "xlocalhost", HOST_FOREIGN },
	{ &loopback, "local%68ost", HOST_FOREIGN },
	{ &loopback, "127.0.0.1.", HOST_FOREIGN },
	{ &loopback, "127.0.0.2", HOST_FOREIGN },
	{ &loopback, "127.1", HOST_FOREIGN },
	{ &loopback, "0x7f.0.0.1", HOST_FOREIGN },
	{ &loopback, "2130706433", HOST_FOREIGN },
	{ &loopback, "0.0.0.0", HOST_FOREIGN },
	{ &loopback, "[::]", HOST_FOREIGN },
	{ &loopback, "[::ffff:127.0.0.1]", HOST_FOREIGN },
	{ &loopback, "[::ffff:7f00:1]", HOST_FOREIGN },
	{ &loopback, "gw.example.net", HOST_FOREIGN },
	{ &named, "gw.example.net", HOST_OK },
	{ &named, "GW.Example.Net:4711", HOST_OK },
	{ &named, "gw.example.net.", HOST_FOREIGN },
	{ &named, "agw.example.net", HOST_FOREIGN },
	{ &named, "gw.example.nets", HOST_FOREIGN },
	{ &named, "api.example.net:8443", HOST_OK },
	{ &named, "API.example.net:08443", HOST_OK },
	{ &named, "api.example.net", HOST_FOREIGN },
	{ &named, "api.example.net:", HOST_FOREIGN },
	{ &named, "api.example.net:443", HOST_FOREIGN },
	{ &named, "plain.example.net", HOST_OK },
	{ &named, "plain.example.net:", HOST_OK },
	{ &named, "plain.example.net:80", HOST_OK },
	{ &named, "plain.example.net:8080", HOST_FOREIGN },
	{ &named, "[2001:db8::7]:9", HOST_OK },
	{ &named, "[2001:DB8::7]", HOST_OK },
	{ &named, "[2001:db8::8]", HOST_FOREIGN },
	{ &any, "gw.example.net", HOST_OK },
	{ &any, "localhost:8080", HOST_FOREIGN },
	{ &any, "127.0.0.1:8080", HOST_FOREIGN },
	{ &any, "0.0.0.0:8080", HOST_FOREIGN },
	{ &any6, "[::]:8080", HOST_FOREIGN },
	{ &any6, "[::1]:8080", HOST_FOREIGN },
	{ &lan, "192.0.2.10", HOST_OK },
	{ &lan, "192.0.2.10:8080", HOST_OK },
	{ &lan, "192.0.2.10:18080", HOST_OK },
	{ &lan, "192.0.2.11:8080", HOST_FOREIGN },
	{ &lan, "192.0.2.10.evil.example", HOST_FOREIGN },
	{ &lan, "[c000:20a::]", HOST_FOREIGN },
	{ &lan, "localhost:8080", HOST_FOREIGN },
	{ &lan, "127.0.0.1:8080", HOST_FOREIGN },
	{ &lan6, "[2001:db8::10]:8080", HOST_OK },
	{ &lan6, "[2001:DB8:0:0::10]:8080", HOST_OK },
	{ &lan6, "[2001:db8::11]:8080", HOST_FOREIGN },
};

static const struct {
	const struct listener *listener;
	const char *lines;
	enum host_verdict want;
} origin_cases[] = {
	{ &loopback, "Host: localhost:8080\r\n", HOST_OK },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n", HOST_OK },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://LOCALHOST:8080\r\n", HOST_OK },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://127.0.0.1:8080\r\n", HOST_OK },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://[::1]:8080\r\n", HOST_OK },
	{ &loopback, "Host: localhost:8080\r\noRIGIN:\t http://localhost:8080 \t\r\n", HOST_OK },
	{ &loopback80, "Host: localhost\r\nOrigin: http://localhost\r\n", HOST_OK },
	{ &loopback80, "Host: localhost\r\nOrigin: http://localhost:80\r\n", HOST_OK },
	{ &loopback80, "Host: localhost\r\nOrigin: http://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback80, "Host: localhost\r\nOrigin: http://localhost:\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8081\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: https://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: HTTP://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8080/\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost.:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://user@localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8080@evil.example\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8080.evil.example\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://evil.example\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: null\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin:\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8080, http://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8080 http://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: http://localhost:8080\r\nOrigin: http://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: localhost:8080\r\nOrigin: https://app.example.net\r\n", HOST_FOREIGN_ORIGIN },
	{ &loopback, "Host: evil.example\r\nOrigin: http://localhost:8080\r\n", HOST_FOREIGN },
	{ &loopback, "Host: evil.example\r\nOrigin: http://evil.example\r\n", HOST_FOREIGN },
	{ &named, "Host: gw.example.net\r\nOrigin: https://app.example.net\r\n", HOST_OK },
	{ &named, "Host: gw.example.net\r\nOrigin: https://APP.example.net\r\n", HOST_OK },
	{ &named, "Host: gw.example.net\r\nOrigin: http://localhost:8080\r\n", HOST_OK },
	{ &named, "Host: gw.example.net\r\nOrigin: http://[::7]:3000\r\n", HOST_OK },
	{ &named, "Host: gw.example.net\r\nOrigin: https://dev.example.net:8443\r\n", HOST_OK },
	{ &named, "Host: gw.example.net\r\nOrigin: vscode-webview://abc\r\n", HOST_OK },
	{ &named, "Host: gw.example.net\r\nOrigin: https://app.example.net:443\r\n", HOST_FOREIGN_ORIGIN },
	{ &named, "Host: gw.example.net\r\nOrigin: http://app.example.net\r\n", HOST_FOREIGN_ORIGIN },
	{ &named, "Host: gw.example.net\r\nOrigin: https://dev.example.net\r\n", HOST_FOREIGN_ORIGIN },
	{ &named, "Host: gw.example.net\r\nOrigin: https://gw.example.net\r\n", HOST_FOREIGN_ORIGIN },
	{ &any, "Host: gw.example.net\r\nOrigin: http://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &any, "Host: gw.example.net\r\nOrigin: null\r\n", HOST_FOREIGN_ORIGIN },
	{ &any6, "Host: gw.example.net\r\nOrigin: null\r\n", HOST_OK },
	{ &any6, "Host: gw.example.net\r\nOrigin: NULL\r\n", HOST_FOREIGN_ORIGIN },
	{ &lan, "Host: 192.0.2.10:8080\r\nOrigin: http://192.0.2.10:8080\r\n", HOST_FOREIGN_ORIGIN },
	{ &lan, "Host: 192.0.2.10:8080\r\nOrigin: http://localhost:8080\r\n", HOST_FOREIGN_ORIGIN },
};

int main(void)
{
	char lines[300], name[400];

	for (size_t i = 0; i < sizeof host_cases / sizeof host_cases[0]; i++) {
		snprintf(lines, sizeof lines, "Host: %s\r\n", host_cases[i].host);
		snprintf(name, sizeof name, "%s: Host \"%s\"", host_cases[i].listener->address, host_cases[i].host);
		is_int(verdict(host_cases[i].listener, lines, false), host_cases[i].want, name);
	}
	for (size_t i = 0; i < sizeof origin_cases / sizeof origin_cases[0]; i++) {
		if (!is_int(verdict(origin_cases[i].listener, origin_cases[i].lines, false), origin_cases[i].want, "Host and Origin"))
			diag("%s on %s", origin_cases[i].lines, origin_cases[i].listener->address);
	}
	is_int(verdict(&loopback, "", true), HOST_FOREIGN, "HTTP/1.0 without a Host");
	is_int(verdict(&loopback, "Host: localhost\r\n", true), HOST_OK, "HTTP/1.0 with one");
	return done_testing();
}
