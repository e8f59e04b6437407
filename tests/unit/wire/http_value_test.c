#include "page.h"
#include "tap.h"
#include "wire/http_value.h"

/* Every input ends at a guard page. */
#define AT_EDGE(text, call)                                  \
	do {                                                 \
		char *edge_ = page_str(text);                \
		struct span v = span_of(edge_, strlen(text)); \
		call;                                        \
		page_free(edge_, v.n);                       \
	} while (0)

static void classes(void)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char target[] = "-._~!$&'()*+,;=:@/?0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char regname[] = "-._~!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char hex[] = "0123456789abcdefABCDEF";
	unsigned wrong = 0;

	for (int c = 0; c < 256; c++) {
		wrong += http_is((char)c, HTTP_C_TOKEN) != (c != 0 && strchr(token, c) != NULL);
		wrong += http_is((char)c, HTTP_C_TARGET) != (c != 0 && strchr(target, c) != NULL);
		wrong += http_is((char)c, HTTP_C_REGNAME) != (c != 0 && strchr(regname, c) != NULL);
		wrong += http_is((char)c, HTTP_C_HEX) != (c != 0 && strchr(hex, c) != NULL);
	}
	is_uint(wrong, 0, "byte classes are those of the RFCs");
}

/* Each byte at each place of texts up to 40 bytes: the eight-at-a-time path must say what the plain rule says. */
static void value_bytes(void)
{
	unsigned wrong = 0;

	for (size_t n = 0; n <= 40; n++) {
		char text[40], *edge;

		memset(text, 'a', sizeof(text));
		for (size_t at = 0; at < n; at++) {
			for (int c = 0; c < 256; c++) {
				bool control = (c < 0x20 && c != '\t') || c == 0x7f;

				text[at] = (char)c;
				wrong += http_value_stop(text, text + n) != text + (control ? at : n);
				wrong += http_value_ok(span_of(text, n)) == control;
			}
			text[at] = at % 3 == 0 ? '\t' : (char)0x80;
		}
		edge = page_copy(text, n);
		wrong += !http_value_ok(span_of(edge, n));
		page_free(edge, n);
	}
	is_uint(wrong, 0, "http_value_stop at every place");
	ok(http_value_ok(span_of(NULL, 0)), "nothing holds no control byte");
	ok(!http_token_ok(span_of("", 0)), "an empty token is none");
	ok(http_token_ok(SPAN("a-B.1")), "a token");
	ok(!http_token_ok(SPAN("a b")) && !http_token_ok(SPAN("a:")) && !http_token_ok(SPAN("\xc3\xa4")), "not tokens");
	ok(http_field_ok(SPAN("Authorization: Bearer x")) && http_field_ok(SPAN("a:")) && http_field_ok(SPAN("a:b:c\t")), "fields");
	ok(!http_field_ok(span_of(NULL, 0)) && !http_field_ok(SPAN("a")) && !http_field_ok(SPAN(": b")) && !http_field_ok(SPAN("a b: c")), "not fields");
	ok(!http_field_ok(SPAN("a: b\r\n")) && !http_field_ok(SPAN("a: b\r\nc: d")) && !http_field_ok(SPAN("a: b\n")) && !http_field_ok(SPAN("a: b\r")), "nor more than one line");
}

static void encoded(void)
{
	static const struct {
		const char *text;
		size_t end;
	} all[] = { { "", 0 }, { "/a%20", 5 }, { "/a%2", 2 }, { "/a%", 2 }, { "%41", 3 }, { "%4x", 0 }, { "%x4", 0 }, { "/a b", 2 }, { "/%%41", 1 } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		AT_EDGE(all[i].text, is_uint(http_encoded_end(v, HTTP_C_TARGET), all[i].end, all[i].text));
}

static void lists(void)
{
	static const struct {
		const char *list;
		bool has;
	} all[] = { { "close", true }, { "CLOSE", true }, { " \tclose\t ", true }, { "a,close", true }, { "close,", true }, { ",,close", true },
		    { "a , close\t, b", true }, { "", false }, { ",", false }, { "closed", false }, { "clos", false }, { "a close", false },
		    { "close;a=b", false }, { "\"close\"", false }, { "\"a, close, b\"", false }, { "\"a\\\", close\"", false },
		    { "\"a\", close", true }, { "\"open, close", false }, { "a\"b,\", close", true }, { "\"\\", false }, { "close, \"", true } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		AT_EDGE(all[i].list, is_int(http_list_has(v, SPAN("close")), all[i].has, all[i].list));
	ok(!http_list_has(span_of(NULL, 0), SPAN("close")), "an absent list has nothing");
}

static void accepts(void)
{
	static const struct {
		const char *accept;
		bool admits;
	} all[] = { { "application/json", true }, { "APPLICATION/JSON", true }, { "application/*", true }, { "*/*", true },
		    { "text/event-stream, application/json", true }, { "text/html,,application/json", true }, { "application/json;q=0.5", true },
		    { "application/json ; q=0.001", true }, { "application/json;Q=1.000", true }, { "application/json;charset=utf-8", true },
		    { "application/json;a=\"x,y\";q=1", true }, { "application/json;", true }, { "text/*, */*;q=0.1", true },
		    { "application/json;q=0, application/json", true },
		    { "", false }, { ",", false }, { "text/event-stream", false }, { "text/*", false }, { "application/json;q=0", false },
		    { "application/json;q=0.000", false }, { "application/json; q=0, */*", false }, { "*/*, application/json;q=0", false },
		    { "application/*;q=0, */*;q=1", false }, { "application/*, application/json;q=0.0", false }, { "*/*;q=0", false },
		    { "application", false }, { "application/", false }, { "/json", false }, { "*/json", false }, { "*", false },
		    { "application/jsonx", false }, { "xapplication/json", false }, { "application /json", false }, { "application/json x", false },
		    { "application/json;q=2", false }, { "application/json;q=1.001", false }, { "application/json;q=0.0000", false },
		    { "application/json;q=.5", false }, { "application/json;q=", false }, { "application/json;q", false },
		    { "application/json;q=0,5", false }, { "application/json;a=\"b", false }, { "\"application/json\"", false },
		    { "\"a, application/json", false }, { "application/json;q=x", false } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		AT_EDGE(all[i].accept, is_int(http_accepts(v, SPAN("application"), SPAN("json")), all[i].admits, all[i].accept));
	ok(http_accepts(span_of(NULL, 0), SPAN("application"), SPAN("json")), "no Accept admits everything");
}

static void media_types(void)
{
	static const struct {
		const char *type;
		bool is;
	} all[] = { { "application/json", true }, { "Application/JSON", true }, { "application/json;charset=utf-8", true },
		    { "application/json ; charset=UTF-8", true }, { "application/json; CharSet=\"utf-8\"", true }, { "application/json;", true },
		    { "application/json; ; a=b", true }, { "application/json;a=\"\"", true }, { "application/json \t", true },
		    { "", false }, { "application", false }, { "application/", false }, { "application/jsonx", false }, { "application/json-rpc", false },
		    { "text/json", false }, { "application/json, application/json", false }, { "application/json,", false }, { "application /json", false },
		    { "application/json;charset=latin-1", false }, { "application/json;charset=utf-8;charset=utf-16", false },
		    { "application/json;charset", false }, { "application/json;charset=", false }, { "application/json;=x", false },
		    { "application/json;a=\"b", false }, { "application/json;a=\"b\\", false }, { "application/json;a = b", false },
		    { "application/json;a=\"b\"c", false }, { "application/json x", false }, { "*/*", false } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		AT_EDGE(all[i].type, is_int(http_media_type_is(v, SPAN("application"), SPAN("json")), all[i].is, all[i].type));
	ok(!http_media_type_is(span_of(NULL, 0), SPAN("application"), SPAN("json")), "no Content-Type is none");
}

static void codings(void)
{
	ok(http_coding_list_ok(SPAN("a, b;c=d , e;f=\"g,h\"")), "a list of codings");
	ok(!http_coding_list_ok(SPAN("")) && !http_coding_list_ok(SPAN("a,,b")) && !http_coding_list_ok(SPAN("a,")) && !http_coding_list_ok(SPAN("a b")),
	    "not lists of codings");
	ok(!http_coding_list_ok(SPAN(" ")) && !http_coding_list_ok(SPAN("a, \"")), "nor these");
}

static void authorities(void)
{
	static const struct {
		const char *text, *host, *port; /* host NULL: malformed */
	} all[] = { { "a", "a", NULL }, { "a:", "a", "" }, { "a:0", "a", "0" }, { "a:65535", "a", "65535" }, { "a:08080", "a", "08080" },
		    { "127.0.0.1:80", "127.0.0.1", "80" }, { "[::1]", "[::1]", NULL }, { "[::1]:443", "[::1]", "443" },
		    { "[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", NULL }, { "a%41b", "a%41b", NULL }, { "A_b-c.d~", "A_b-c.d~", NULL },
		    { "", NULL, NULL }, { ":", NULL, NULL }, { ":80", NULL, NULL }, { "a:65536", NULL, NULL }, { "a:123456", NULL, NULL },
		    { "a:000001", NULL, NULL }, { "a:+1", NULL, NULL }, { "a:1 ", NULL, NULL }, { "a:b", NULL, NULL }, { "a:1:2", NULL, NULL },
		    { "a b", NULL, NULL }, { "a@b", NULL, NULL }, { "a/b", NULL, NULL }, { "a?b", NULL, NULL }, { "a#b", NULL, NULL }, { "a\\b", NULL, NULL },
		    { "a%4", NULL, NULL }, { "a%", NULL, NULL }, { "::1", NULL, NULL }, { "[::1", NULL, NULL }, { "[]", NULL, NULL }, { "[:]", NULL, NULL },
		    { "[::1]x", NULL, NULL }, { "[::1]]", NULL, NULL }, { "[::g]", NULL, NULL }, { "[v1.a]", NULL, NULL }, { "[1:2:3:4:5:6:7:8:9]", NULL, NULL },
		    { "[::1%25eth0]", NULL, NULL }, { "x[::1]", NULL, NULL }, { "\xc3\xa4", NULL, NULL } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct span host, port;

		AT_EDGE(all[i].text, {
			bool good = http_authority(v, &host, &port);

			ok(good == (all[i].host != NULL) && (!good || (span_eq(host, span_z(all[i].host)) && span_eq(port, span_z(all[i].port)))),
			    all[i].text);
		});
	}
}

int main(void)
{
	classes();
	value_bytes();
	encoded();
	lists();
	accepts();
	media_types();
	codings();
	authorities();
	return done_testing();
}
