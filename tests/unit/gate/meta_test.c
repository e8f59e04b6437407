/* gate/meta: which members pass, by direction; the grammars of trace context and baggage; and what a configuration may name. */
#include "gate/meta.h"

#include "page.h"
#include "tap.h"
#include "view.h"

static struct json j;

static const struct span no_keys[1];
static const struct meta_rules none = { no_keys, 0 };

/* The members of `object` that pass, their names joined by commas as they stand there. */
static const char *passing(const char *object, enum meta_way way, const struct meta_rules *rules)
{
	static char names[1024];
	size_t n = 0;

	if (view_json(&j, object) != JSON_OK)
		return "(not read)";
	for (uint32_t m = json_first(&j, JSON_ROOT); m != JSON_NONE; m = json_next(&j, JSON_ROOT, m))
		if (meta_passes(&j, JSON_ROOT, m, way, rules))
			n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", n > 0 ? "," : "", (int)json_inner(&j, m).n, json_inner(&j, m).p);
	names[n] = '\0';
	return names;
}

#define IMCP "io.modelcontextprotocol/"
#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void directions(void)
{
	static const struct span keys[] = { { "com.example/", 12 }, { "org.x/one", 9 }, { "_fastmcp", 8 } };
	static const struct meta_rules some = { keys, 3 };
	static const char all[] = "{\"" IMCP "protocolVersion\":1,\"" IMCP "clientCapabilities\":1,\"" IMCP "clientInfo\":1,\"" IMCP "logLevel\":1,"
		"\"progressToken\":1,\"" IMCP "serverInfo\":1,\"" IMCP "subscriptionId\":1,\"" IMCP "related-task\":1,\"" IMCP "other\":1,\"ui\":1,"
		"\"ui/resourceUri\":1,\"postern/principal\":1,\"com.example/a\":1,\"com.example/\":1,\"com.examples/a\":1,\"org.x/one\":1,\"org.x/one2\":1,"
		"\"_fastmcp\":1,\"x\":1,\"\":1}";

	is_str(passing(all, META_REQUEST, &none), IMCP "protocolVersion," IMCP "clientCapabilities," IMCP "clientInfo," IMCP "logLevel,progressToken",
	       "a request: what the protocol defines for requests");
	is_str(passing(all, META_RESULT, &none), IMCP "serverInfo," IMCP "subscriptionId,ui", "a result: what it defines for results");
	is_str(passing(all, META_PART, &none), "ui,ui/resourceUri", "a tool or a piece of content: what Apps need");
	is_str(passing(all, META_PART, &some), "ui,ui/resourceUri,com.example/a,com.example/,org.x/one,_fastmcp", "and what is configured, whole keys and prefixes");
	is_str(passing("{\"progress\\u0054oken\":1,\"postern\\/principal\":1,\"com.example\\/a\":1}", META_REQUEST, &some),
	       "progress\\u0054oken,com.example\\/a", "escapes in a name change nothing");
	is_str(passing("{\"Postern/principal\":1,\"POSTERN/x\":1,\"\\uff50ostern/principal\":1,\"ProgressToken\":1}", META_REQUEST, &none), "",
	       "other spellings pass no more than the word itself");

	char long_name[400] = "{\"com.example/";
	memset(long_name + strlen(long_name), 'a', 200);
	strcat(long_name, "\\n\":1}");
	is_str(passing(long_name, META_PART, &some), "", "an escaped name that is longer than any key");
}

static void trace_members(void)
{
	is_str(passing("{\"traceparent\":\"" PARENT "\",\"tracestate\":\"a=b\",\"baggage\":\"k=v\"}", META_REQUEST, &none), "traceparent,tracestate,baggage",
	       "a trace passes in a request");
	is_str(passing("{\"tracestate\":\"a=b\",\"traceparent\":\"" PARENT "\"}", META_RESULT, &none), "tracestate,traceparent", "and in a notification");
	is_str(passing("{\"traceparent\":\"" PARENT "\"}", META_PART, &none), "", "but means nothing in a tool");
	is_str(passing("{\"tracestate\":\"a=b\",\"baggage\":\"k=v\"}", META_REQUEST, &none), "baggage", "a state without its parent goes");
	is_str(passing("{\"traceparent\":\"00-0-0-0\",\"tracestate\":\"a=b\"}", META_REQUEST, &none), "", "and beside one that is none");
	is_str(passing("{\"traceparent\":5,\"tracestate\":{},\"baggage\":null}", META_REQUEST, &none), "", "not strings");
	is_str(passing("{\"traceparent\":\"00\\u002d0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}", META_REQUEST, &none), "", "not written plainly");
}

static bool judged(bool (*check)(struct span), const char *text, size_t n)
{
	char *page = page_copy(text, n);
	bool good = check(span_of(page, n));

	page_free(page, n);
	return good;
}

struct example { const char *text; bool good; };

static void grammar(bool (*check)(struct span), const struct example *e, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (!ok(judged(check, e[i].text, strlen(e[i].text)) == e[i].good, what))
			diag("%s", e[i].text);
}
#define GRAMMAR(check, examples, what) grammar(check, examples, sizeof(examples) / sizeof((examples)[0]), what)

static void grammars(void)
{
	static const struct example parents[] = {
		{ PARENT, true }, { "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", true },
		{ "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true },
		{ "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes", true },
		{ "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-\x7f", false },
		{ "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", false },
		{ PARENT "-more", false }, { PARENT "0", false }, { " " PARENT, false }, { PARENT " ", false },
		{ "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false },
		{ "00-00000000000000000000000000000000-b7ad6b7169203331-01", false },
		{ "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false },
		{ "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false },
		{ "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g", false },
		{ "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false },
		{ "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false }, { "", false }, { "00", false },
	};
	static const struct example states[] = {
		{ "a=b", true }, { "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", true }, { "a=b , c=d", true }, { "a=b,,c=d", true }, { "1t@vendor=x", true },
		{ "a/b*c_d-e=!~", true }, { "a= b", true },
		{ "", false }, { ",", false }, { "a", false }, { "=b", false }, { "a=", false }, { "A=b", false }, { "1a=b", false }, { "a=b=c", false },
		{ "a@=b", false }, { "@a=b", false }, { "a@1=b", false }, { "a@abcdefghijklmno=b", false }, { "a b=c", false }, { "a=\x01", false }, { "a=\xc3\xa4", false },
	};
	static const struct example bags[] = {
		{ "k=v", true }, { "k=", true }, { "userId=alice,serverNode=DF%2028", true }, { "k = v ;p; q=1 , x=y", true }, { "k=a=b", true },
		{ "", false }, { "k", false }, { "=v", false }, { "k=v,", false }, { ",k=v", false }, { "k=v;", false }, { "k=a b", false }, { "k=\"v\"", false },
		{ "k=a\\b", false }, { "k=\xc3\xa4", false }, { "k(=v", false }, { "k=v;=q", false }, { "k=v\n", false },
	};
	char text[META_BAGGAGE_MAX + 8];
	size_t n = 0;

	GRAMMAR(meta_traceparent_ok, parents, "traceparent");
	GRAMMAR(meta_tracestate_ok, states, "tracestate");
	GRAMMAR(meta_baggage_ok, bags, "baggage");

	for (int i = 0; i < 33; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%sk%d=v", i > 0 ? "," : "", i);
	ok(!judged(meta_tracestate_ok, text, n) && judged(meta_tracestate_ok, text, n - 6), "32 members of a tracestate, not 33");
	memset(text, 'v', sizeof text);
	memcpy(text, "k=", 2);
	ok(judged(meta_tracestate_ok, text, 2 + 256) && !judged(meta_tracestate_ok, text, 2 + 257), "256 bytes of a value");
	ok(judged(meta_baggage_ok, text, META_BAGGAGE_MAX) && !judged(meta_baggage_ok, text, META_BAGGAGE_MAX + 1), "8192 bytes of baggage");
	for (n = 0; n < 181 * 4; n += 4)
		memcpy(text + n, "k=v,", 4);
	ok(judged(meta_baggage_ok, text, 180 * 4 - 1) && !judged(meta_baggage_ok, text, 181 * 4 - 1), "180 pairs of baggage");
	memset(text, 'a', sizeof text);
	memcpy(text, PARENT, 55);
	text[0] = text[1] = 'c', text[55] = '-';
	ok(judged(meta_traceparent_ok, text, META_TRACE_MAX) && !judged(meta_traceparent_ok, text, META_TRACE_MAX + 1), "512 bytes of a later traceparent");
	ok(judged(meta_tracestate_ok, "a=b ,c=d", 8), "white space around members");
}

static void extensions(void)
{
	static const struct span keys[] = { { "com.example/", 12 } };
	static const struct meta_rules some = { keys, 1 };
	unsigned with = 0, without = 0;

	view_json(&j, "{\"" META_TASKS "\":{},\"" META_UI "\":{},\"io.modelcontextprotocol\\/tasks2\":{},\"com.example/x\":{},\"postern/x\":{}}");
	for (uint32_t m = json_first(&j, JSON_ROOT); m != JSON_NONE; m = json_next(&j, JSON_ROOT, m)) {
		without = without << 1 | meta_extension_passes(&j, m, &none);
		with = with << 1 | meta_extension_passes(&j, m, &some);
	}
	is_uint(without, 0x18, "extensions: tasks and ui");
	is_uint(with, 0x1a, "and those that are configured");
}

static void configured(void)
{
	static const struct example keys[] = {
		{ "com.example/", true }, { "com.example/trace", true }, { "com.example/trace-id.x_1", true }, { "x", true }, { "_fastmcp", true }, { "com.example.mcp/", true },
		{ "a/", true }, { "a-b.c1/", true }, { "io.modelcontextprotocol/new-thing", true },
		{ "io.modelcontextprotocol/", false }, { "dev.MCP/", false }, { "postern/", false }, { "postern/principal", false }, { "Postern/x", false },
		{ "", false }, { "/", false }, { "/x", false }, { "1a/x", false }, { "a./x", false }, { ".a/x", false }, { "a-/x", false }, { "a/x/y", false }, { "a/_x", false },
		{ "a/x_", false }, { "_", false }, { "a b", false }, { "*", false }, { "com.example/*", false }, { "\xc3\xa4/x", false },
	};
	struct span why;

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		why = span_of(NULL, 0);
		if (!ok(meta_key_ok(span_z(keys[i].text), &why) == keys[i].good && span_absent(why) == keys[i].good, "what may be configured"))
			diag("%s", keys[i].text);
	}
	char text[META_KEY_MAX + 1];
	memset(text, 'a', sizeof text);
	ok(meta_key_ok(span_of(text, META_KEY_MAX), &why) && !meta_key_ok(span_of(text, META_KEY_MAX + 1), &why), "128 bytes of a key");
}

int main(void)
{
	directions();
	trace_members();
	grammars();
	extensions();
	configured();
	return done_testing();
}
