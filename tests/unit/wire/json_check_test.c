/* wire/json_check: every error with its exact place, every text cut at every byte, all against a guard page. */
#include "wire/json_check.h"

#include "page.h"
#include "tap.h"

static enum json_error check(const char *text, size_t n, size_t *where)
{
	char *page = page_copy(text, n);
	enum json_error error = json_check(span_of(page, n), where);

	page_free(page, n);
	return error;
}

#define TEXT(literal) "" literal, sizeof(literal) - 1

static const struct { const char *text; size_t n; } good[] = {
	{ TEXT("{}") }, { TEXT("[]") }, { TEXT(" \t\r\n[ \t\r\n] \t\r\n") }, { TEXT("0") }, { TEXT("-0") }, { TEXT("\"\"") },
	{ TEXT("true") }, { TEXT("false") }, { TEXT("null") }, { TEXT("-0.0e-0") }, { TEXT("1E+400") }, { TEXT("10.25e7 ") },
	{ TEXT("123456789012345678901234567890123456789012345678901234567890") },
	{ TEXT("{\"a\":1,\"b\":[true,false,null,\"x\",{}],\"c\":{\"d\":-1.5e+3}}") },
	{ TEXT(" { \"a\" : 1 , \"b\" : [ 1 , 2 ] } ") },
	{ TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e9\\uFFFF\\ud83d\\uDE00\"") },
	{ TEXT("\"\x7f \xc3\xa9 \xe2\x82\xac \xed\x9f\xbf \xee\x80\x80 \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"") },
	{ TEXT("\"a string that is longer than sixteen bytes, so that words are used\"") },
	{ TEXT("[\"12345678\",\"1234567\",\"123456789\"]") },
	{ TEXT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]") },
	{ TEXT("\"\xef\xbb\xbf\"") },
};

static const struct { const char *text; size_t n; enum json_error error; size_t where; } wrong[] = {
	{ TEXT(""), JSON_EMPTY, 0 }, { TEXT(" \n"), JSON_EMPTY, 2 },
	{ TEXT("\xef\xbb\xbf{}"), JSON_BOM, 0 }, { TEXT("\xff\xfe{"), JSON_BOM, 0 }, { TEXT("\xfe\xff{"), JSON_BOM, 0 },
	{ TEXT(" \xef\xbb\xbf{}"), JSON_UNEXPECTED, 1 }, { TEXT("\xef\xbb"), JSON_NOT_UTF8, 0 },
	/* structure */
	{ TEXT("}"), JSON_UNEXPECTED, 0 }, { TEXT("]"), JSON_UNEXPECTED, 0 }, { TEXT(","), JSON_UNEXPECTED, 0 },
	{ TEXT(":"), JSON_UNEXPECTED, 0 }, { TEXT("[1,]"), JSON_UNEXPECTED, 3 }, { TEXT("[,1]"), JSON_UNEXPECTED, 1 },
	{ TEXT("[1 2]"), JSON_UNEXPECTED, 3 }, { TEXT("[1}"), JSON_UNEXPECTED, 2 }, { TEXT("{\"a\":1]"), JSON_UNEXPECTED, 6 },
	{ TEXT("{\"a\":1,}"), JSON_UNEXPECTED, 7 }, { TEXT("{,}"), JSON_UNEXPECTED, 1 }, { TEXT("{1:2}"), JSON_UNEXPECTED, 1 },
	{ TEXT("{a:2}"), JSON_UNEXPECTED, 1 }, { TEXT("{'a':2}"), JSON_UNEXPECTED, 1 }, { TEXT("{\"a\" 1}"), JSON_UNEXPECTED, 5 },
	{ TEXT("{\"a\"::1}"), JSON_UNEXPECTED, 5 }, { TEXT("{\"a\":}"), JSON_UNEXPECTED, 5 }, { TEXT("{\"a\":1 \"b\":2}"), JSON_UNEXPECTED, 7 },
	{ TEXT("{\"a\",1}"), JSON_UNEXPECTED, 4 }, { TEXT("{\"a\"}"), JSON_UNEXPECTED, 4 }, { TEXT("[1:2]"), JSON_UNEXPECTED, 2 },
	{ TEXT("{[]:1}"), JSON_UNEXPECTED, 1 }, { TEXT("[/**/]"), JSON_UNEXPECTED, 1 }, { TEXT("[\v]"), JSON_UNEXPECTED, 1 },
	{ TEXT("[\f]"), JSON_UNEXPECTED, 1 }, { TEXT("\0"), JSON_UNEXPECTED, 0 }, { TEXT("[\0]"), JSON_UNEXPECTED, 1 },
	{ TEXT("[\xc2\xa0]"), JSON_UNEXPECTED, 1 }, { TEXT("[\xa0]"), JSON_NOT_UTF8, 1 }, { TEXT("[1\xff]"), JSON_NOT_UTF8, 2 },
	/* the end */
	{ TEXT("["), JSON_TRUNCATED, 1 }, { TEXT("{"), JSON_TRUNCATED, 1 }, { TEXT("[1"), JSON_TRUNCATED, 2 }, { TEXT("[1,"), JSON_TRUNCATED, 3 },
	{ TEXT("{\"a\""), JSON_TRUNCATED, 4 }, { TEXT("{\"a\":"), JSON_TRUNCATED, 5 }, { TEXT("{\"a\":1,"), JSON_TRUNCATED, 7 },
	{ TEXT("[[] "), JSON_TRUNCATED, 4 },
	{ TEXT("{}{}"), JSON_TRAILING, 2 }, { TEXT("1 2"), JSON_TRAILING, 2 }, { TEXT("[]]"), JSON_TRAILING, 2 }, { TEXT("{} \0"), JSON_TRAILING, 3 },
	{ TEXT("\"a\"b"), JSON_TRAILING, 3 }, { TEXT("truefalse"), JSON_TRAILING, 4 }, { TEXT("nullx"), JSON_TRAILING, 4 },
	{ TEXT("[] #"), JSON_TRAILING, 3 }, { TEXT("0x1"), JSON_TRAILING, 1 }, { TEXT("1\xff"), JSON_TRAILING, 1 },
	/* words */
	{ TEXT("tru"), JSON_TRUNCATED, 3 }, { TEXT("trux"), JSON_UNEXPECTED, 3 }, { TEXT("TRUE"), JSON_UNEXPECTED, 0 },
	{ TEXT("fals]"), JSON_UNEXPECTED, 4 }, { TEXT("nul\xff"), JSON_NOT_UTF8, 3 }, { TEXT("NaN"), JSON_UNEXPECTED, 0 },
	{ TEXT("Infinity"), JSON_UNEXPECTED, 0 }, { TEXT("undefined"), JSON_UNEXPECTED, 0 }, { TEXT("nan"), JSON_UNEXPECTED, 1 },
	/* numbers */
	{ TEXT("01"), JSON_BAD_NUMBER, 1 }, { TEXT("-01"), JSON_BAD_NUMBER, 2 }, { TEXT("-"), JSON_TRUNCATED, 1 }, { TEXT("[-]"), JSON_BAD_NUMBER, 2 },
	{ TEXT("-x"), JSON_BAD_NUMBER, 1 }, { TEXT("1."), JSON_TRUNCATED, 2 }, { TEXT("[1.]"), JSON_BAD_NUMBER, 3 }, { TEXT("[1.e1]"), JSON_BAD_NUMBER, 3 },
	{ TEXT("1e"), JSON_TRUNCATED, 2 }, { TEXT("[1e]"), JSON_BAD_NUMBER, 3 }, { TEXT("[1e+]"), JSON_BAD_NUMBER, 4 }, { TEXT("1E-"), JSON_TRUNCATED, 3 },
	{ TEXT("[1e1.5]"), JSON_UNEXPECTED, 4 }, { TEXT("+1"), JSON_UNEXPECTED, 0 }, { TEXT(".5"), JSON_UNEXPECTED, 0 }, { TEXT("--1"), JSON_BAD_NUMBER, 1 },
	{ TEXT("[1a]"), JSON_UNEXPECTED, 2 }, { TEXT("[-Infinity]"), JSON_BAD_NUMBER, 2 }, { TEXT("1_000"), JSON_TRAILING, 1 }, { TEXT("-\xff"), JSON_BAD_NUMBER, 1 },
	/* strings */
	{ TEXT("\""), JSON_TRUNCATED, 1 }, { TEXT("\"abc"), JSON_TRUNCATED, 4 }, { TEXT("\"a\nb\""), JSON_CONTROL, 2 }, { TEXT("\"\0\""), JSON_CONTROL, 1 },
	{ TEXT("\"\x1f\""), JSON_CONTROL, 1 }, { TEXT("\"12345678901234\t\""), JSON_CONTROL, 15 }, { TEXT("{\"a\tb\":1}"), JSON_CONTROL, 3 },
	{ TEXT("\"\\"), JSON_TRUNCATED, 2 }, { TEXT("\"\\u"), JSON_TRUNCATED, 3 }, { TEXT("\"\\u12"), JSON_TRUNCATED, 5 },
	{ TEXT("\"ab\\x\""), JSON_BAD_ESCAPE, 3 }, { TEXT("\"\\'\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\U0041\""), JSON_BAD_ESCAPE, 1 },
	{ TEXT("\"\\a\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\0\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\\n\""), JSON_BAD_ESCAPE, 1 },
	{ TEXT("\"\\u12g4\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\u123\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\u 123\""), JSON_BAD_ESCAPE, 1 },
	{ TEXT("\"\\u00\xef\xbc\x91\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\u004:\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\u004@\""), JSON_BAD_ESCAPE, 1 },
	{ TEXT("\"\\u004G\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\u004`\""), JSON_BAD_ESCAPE, 1 }, { TEXT("\"\\u004/\""), JSON_BAD_ESCAPE, 1 },
	/* surrogates */
	{ TEXT("\"\\ud800\""), JSON_LONE_SURROGATE, 1 }, { TEXT("\"\\udc00\""), JSON_LONE_SURROGATE, 1 }, { TEXT("\"\\uDBFFx\""), JSON_LONE_SURROGATE, 1 },
	{ TEXT("\"a\\ud800\\n\""), JSON_LONE_SURROGATE, 2 }, { TEXT("\"\\ud800\\u0041\""), JSON_LONE_SURROGATE, 1 },
	{ TEXT("\"\\ud800\\ud800\\udc00\""), JSON_LONE_SURROGATE, 1 }, { TEXT("\"\\ud800\\udc00\\udc00\""), JSON_LONE_SURROGATE, 13 },
	{ TEXT("\"\\ud800\\ue000\""), JSON_LONE_SURROGATE, 1 }, { TEXT("\"\\ud800\\uzzzz\""), JSON_BAD_ESCAPE, 7 }, { TEXT("\"\\ud800"), JSON_TRUNCATED, 7 },
	{ TEXT("\"\\ud800\\"), JSON_TRUNCATED, 8 }, { TEXT("\"\\ud800\\u"), JSON_TRUNCATED, 9 }, { TEXT("\"\\ud800\\udc"), JSON_TRUNCATED, 11 },
	{ TEXT("{\"\\udfff\":1}"), JSON_LONE_SURROGATE, 2 },
	/* UTF-8 */
	{ TEXT("\"\x80\""), JSON_NOT_UTF8, 1 }, { TEXT("\"\xc0\xaf\""), JSON_NOT_UTF8, 1 }, { TEXT("\"\xc1\xbf\""), JSON_NOT_UTF8, 1 },
	{ TEXT("\"\xc3\""), JSON_NOT_UTF8, 1 }, { TEXT("\"\xe0\x9f\xbf\""), JSON_NOT_UTF8, 1 }, { TEXT("\"\xed\xa0\x80\""), JSON_NOT_UTF8, 1 },
	{ TEXT("\"\xf0\x8f\xbf\xbf\""), JSON_NOT_UTF8, 1 }, { TEXT("\"\xf4\x90\x80\x80\""), JSON_NOT_UTF8, 1 }, { TEXT("\"\xf5\x80\x80\x80\""), JSON_NOT_UTF8, 1 },
	{ TEXT("\"\xfe\""), JSON_NOT_UTF8, 1 }, { TEXT("\"\xe2\x82"), JSON_NOT_UTF8, 1 }, { TEXT("\"1234567890\xc3\xa9\xc3(\""), JSON_NOT_UTF8, 13 },
	/* depth */
	{ TEXT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), JSON_TOO_DEEP, 32 },
	{ TEXT("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{"), JSON_TOO_DEEP, 32 },
};

static void accepted(void)
{
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t where = 4711;

		ok(check(good[i].text, good[i].n, &where) == JSON_OK && where == 4711, "accepted, and where is left alone");
		/* Cut short it is never right: but for a number's digits and white space at the end. */
		for (size_t n = 0; n < good[i].n; n++) {
			enum json_error error = check(good[i].text, n, &where);
			char last = n > 0 ? good[i].text[n - 1] : ' ';
			bool may = error == JSON_OK && ((last >= '0' && last <= '9') || strspn(good[i].text + n, " \t\r\n") == good[i].n - n);

			if (!may && (where > n || error == JSON_OK)) {
				diag("cut at %zu of %s: error %d at %zu", n, good[i].text, (int)error, where);
				ok(false, "cut short");
			}
		}
	}
}

static void refused(void)
{
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		size_t where = 4711;
		enum json_error error = check(wrong[i].text, wrong[i].n, &where);

		if (!ok(error == wrong[i].error && where == wrong[i].where, "refused, at the right byte"))
			diag("%s: error %d at %zu, not %d at %zu", wrong[i].text, (int)error, where, (int)wrong[i].error, wrong[i].where);
	}
}

/* Each byte value at each place of a string of 24: only those that UTF-8 and JSON allow alone get through. */
static void every_byte(void)
{
	unsigned bad = 0;

	for (unsigned c = 0; c < 256; c++)
		for (size_t at = 1; at <= 24; at++) {
			char text[26];
			size_t where = 0;
			enum json_error error, want = JSON_OK;

			memset(text, 'x', sizeof text);
			text[0] = text[25] = '"';
			text[at] = (char)c;
			want = c < 0x20 ? JSON_CONTROL : c >= 0x80 ? JSON_NOT_UTF8 : c == '\\' ? (at == 24 ? JSON_TRUNCATED : JSON_BAD_ESCAPE)
				: c == '"' ? JSON_TRAILING : JSON_OK;
			error = check(text, sizeof text, &where);
			if (error != want || (error != JSON_OK && where != (c == '"' ? at + 1 : c == '\\' && at == 24 ? 26 : at)))
				bad++;
		}
	is_int(bad, 0, "every byte at every place of a string");
}

static void mixed_depth(void)
{
	char text[512];
	size_t n = 0, where = 0;

	/* Objects and arrays in a pattern that needs every bit of the stack. */
	for (unsigned i = 0; i < 32; i++) {
		if ((0xA53C96F1u >> i & 1) != 0) {
			memcpy(text + n, "{\"k\":", 5);
			n += 5;
		} else {
			text[n++] = '[';
		}
	}
	text[n++] = '1';
	for (unsigned i = 32; i-- > 0;)
		text[n++] = (0xA53C96F1u >> i & 1) != 0 ? '}' : ']';
	ok(check(text, n, &where) == JSON_OK, "32 levels of mixed kinds");
	for (size_t i = n - 32; i < n; i++) {
		char right = text[i];

		text[i] = right == '}' ? ']' : '}';
		if (check(text, n, &where) != JSON_UNEXPECTED || where != i)
			ok(false, "a bracket of the wrong kind");
		text[i] = right;
	}
	ok(check(text, n, &where) == JSON_OK, "and each closed by its own kind only");
}

static void sentences(void)
{
	bool all = true;

	for (unsigned e = 0; e < JSON_ERRORS; e++)
		for (unsigned d = 0; d <= e; d++) {
			struct span s = json_error_text((enum json_error)e);

			all = all && s.n > 10 && (d == e || !span_eq(s, json_error_text((enum json_error)d)));
		}
	ok(all, "every error has a sentence of its own");
	ok(json_error_text(JSON_ERRORS).n > 0, "and what is no error has one too");
}

int main(void)
{
	accepted();
	refused();
	every_byte();
	mixed_depth();
	sentences();
	return done_testing();
}
