#include "conf/conf_priv.h"
#include "wire/http_value.h"

enum refusal { SECRET, FRAMING, OURS };

/* Names that end with '*' stand for all that begin so. */
static const struct { const char *name; enum refusal why; } refused[] = {
	{ "authorization", SECRET }, { "proxy-authorization", SECRET }, { "cookie", SECRET }, { "cookie2", SECRET }, { "set-cookie", SECRET },
	{ "x-api-key", SECRET }, { "api-key", SECRET }, { "x-auth-token", SECRET },
	{ "host", FRAMING }, { "content-*", FRAMING }, { "transfer-*", FRAMING }, { "te", FRAMING }, { "trailer", FRAMING },
	{ "connection", FRAMING }, { "keep-alive", FRAMING }, { "proxy-*", FRAMING }, { "upgrade", FRAMING }, { "expect", FRAMING },
	{ "mcp-*", OURS }, { "accept", OURS }, { "accept-*", OURS }, { "origin", OURS }, { "last-event-id", OURS }
};

bool conf_header_name(struct conf_reader *r, uint32_t name, struct span s, bool credential)
{
	if (!http_token_ok(s) || s.n > 64) {
		conf_complain(r, name, SPAN("this is not a header name; one has 1 to 64 letters, digits and hyphens, such as \"X-Team\""));
		return false;
	}
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct span n = span_z(refused[i].name);
		bool prefix = n.p[n.n - 1] == '*';

		n.n -= prefix ? 1 : 0;
		if (s.n < n.n || !span_ieq(span_of(s.p, n.n), n) || (s.n > n.n && !prefix))
			continue;
		switch (refused[i].why) {
		case SECRET:
			if (credential && !prefix)
				continue;
			conf_complain(r, name, SPAN("this header carries a credential, and credentials never stand in this file (it gets copied, "
				"shown and kept); write \"credentials\" beside \"headers\", which names the file with the secret"));
			return false;
		case FRAMING:
			conf_complain(r, name, SPAN("this header belongs to the connection or the body, which Postern writes itself; take it out"));
			return false;
		case OURS:
			conf_complain(r, name, SPAN("Postern writes this header itself for every request; take it out"));
			return false;
		}
	}
	return true;
}

bool conf_header_value(struct conf_reader *r, uint32_t value, struct span s)
{
	bool right = s.n <= 1024 && span_trim(s).n == s.n;

	for (size_t i = 0; i < s.n; i++)
		right = right && s.p[i] >= ' ' && s.p[i] <= '~';
	if (!right)
		conf_complain(r, value, SPAN("a header value has at most 1024 printable ASCII characters and no space at either end"));
	return right;
}
