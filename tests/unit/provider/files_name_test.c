/* Names, URIs, times: at guard pages. */
#include "page.h"
#include "provider/files_name.h"
#include "tap.h"

static bool path_is(const char *text, bool hidden)
{
	size_t n = strlen(text);
	char *copy = page_copy(text, n);
	bool right = files_name_path(span_of(copy, n), hidden);

	page_free(copy, n);
	return right;
}

static const char *decoded(const char *uri, bool hidden)
{
	static char mem[FILES_URI_MAX + 1];
	struct buf path = buf_on(mem, FILES_URI_MAX);
	size_t n = strlen(uri);
	char *copy = page_copy(uri, n);
	bool right = files_name_of_uri(&path, SPAN("docs"), span_of(copy, n), hidden);

	page_free(copy, n);
	mem[path.n] = 0;
	return right ? mem : NULL;
}

static const char *timed(int64_t s)
{
	static char mem[32];
	struct buf b = buf_on(mem, sizeof mem - 1);

	files_name_time(&b, s);
	mem[b.n] = 0;
	return mem;
}

int main(void)
{
	static const char *const good[] = { "a", "a/b", "a b", "\xC3\xBC", "a..b", "a.", "..." };
	static const char *const bad[] = { "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\nb", "a\x7F", "a\xFF", "\xC3" };
	char deep[2 * 33];
	char longest[FILES_PATH_MAX + 2];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ok(path_is(good[i], true), good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok(!path_is(bad[i], true), "no path");
	ok(path_is(".a", true) && !path_is(".a", false) && !path_is("b/.a/c", false) && !path_is("...", false), "hidden");
	ok(!files_name_path(span_of("a\0b", 3), true), "NUL");
	for (size_t i = 0; i < 33; i++)
		memcpy(deep + 2 * i, "a/", 2);
	deep[2 * 32 - 1] = 0;
	ok(path_is(deep, false), "32 components");
	deep[2 * 32 - 1] = '/';
	deep[2 * 33 - 1] = 0;
	ok(!path_is(deep, false), "33 components");
	memset(longest, 'a', sizeof longest);
	longest[255] = '/';
	longest[511] = 0;
	ok(path_is(longest, false), "511 bytes, components of 255");
	longest[255] = 'a';
	ok(!path_is(longest, false), "a component of 511");
	longest[255] = '/';
	longest[400] = '/';
	longest[511] = 'a';
	longest[512] = 0;
	ok(path_is(longest, false), "512 bytes");
	longest[512] = 'a';
	longest[513] = 0;
	ok(!path_is(longest, false), "513 bytes");

	is_str(decoded("files://docs/a/b", false), "a/b", "plain");
	is_str(decoded("files://docs/%41%2d", false), "A-", "encoded, both cases of hex");
	is_str(decoded("files://docs/a;b=c@d:e,f", false), "a;b=c@d:e,f", "what a segment may hold");
	is_str(decoded("files://docs/%C3%BC", false), "\xC3\xBC", "UTF-8");
	{
		static const char *const wrong[] = { "", "files", "files://", "files://docs", "files://docs/", "files://doc/a", "files://docsx/a",
			"files://docs/%", "files://docs/a%4", "files://docs/%4", "files://docs/%g0", "files://docs/%2F", "files://docs/%00",
			"files://docs/a%2fb", "files://docs/%2e", "files://docs/..", "files://docs/a?b", "files://docs/a#b", "files://docs/a b",
			"files://docs/\xC3\xBC", "files://docs/%FF", "files://docs/a//b", "files://docs/a/", "files://docs/[", "files://docs/%0A" };

		for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
			ok(decoded(wrong[i], true) == NULL, "no URI of a path");
	}
	{
		char mem[64];
		struct buf b = buf_on(mem, sizeof mem);

		files_name_uri(&b, SPAN("docs"), SPAN("a b/\xC3\xBC%~"));
		is_mem(b.p, b.n, "files://docs/a%20b/%C3%BC%25~", 29, "written");
		is_str(decoded("files://docs/a%20b/%C3%BC%25~", false), "a b/\xC3\xBC%~", "and read back");
	}

	is_str(timed(0), "1970-01-01T00:00:00Z", "the epoch");
	is_str(timed(951782400), "2000-02-29T00:00:00Z", "a leap day of a year divisible by 400");
	is_str(timed(1709251199), "2024-02-29T23:59:59Z", "the end of a leap day");
	is_str(timed(1709251200), "2024-03-01T00:00:00Z", "and the day after");
	is_str(timed(4107542400), "2100-03-01T00:00:00Z", "a year that is none");
	is_str(timed(-1), "1969-12-31T23:59:59Z", "before the epoch");
	is_str(timed(INT64_MAX), "9999-12-31T23:59:59Z", "the last");
	is_str(timed(INT64_MIN), "0000-01-01T00:00:00Z", "the first");

	ok(span_eq(files_name_mime(SPAN("a/b.MD")), SPAN("text/markdown")), "extension in any case");
	ok(span_eq(files_name_mime(SPAN("a.md/b")), SPAN("application/octet-stream")), "of the last component only");
	ok(span_eq(files_name_mime(SPAN(".md")), SPAN("application/octet-stream")), "a leading dot is none");
	is_int(files_name_depth(SPAN("")), 0, "the root");
	is_int(files_name_depth(SPAN("a/b")), 2, "two");
	return done_testing();
}
