/* gate/names: servers that could be taken for each other, against every short pair; and which names can be offered. */
#include "gate/names.h"

#include "page.h"
#include "tap.h"

static const char *confused(const char *a, const char *b)
{
	static char text[128];
	struct span x = names_confused(span_z(a), span_z(b)), y = names_confused(span_z(b), span_z(a));

	if (!span_eq(x, y))
		return "(not the same the other way round)";
	snprintf(text, sizeof text, "%.*s", (int)x.n, x.p ? x.p : "");
	return text;
}

static bool server_ok(const char *s, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (s[i] == '_' && s[i + 1] == '_')
			return false;
	return n > 0 && s[n - 1] != '_';
}

/* Does some short pair of tools make these two servers' names the same, as a client writes them that puts _ for -? */
static bool can_meet(const char *a, size_t an, const char *b, size_t bn)
{
	static const char chars[] = "a_-";
	for (unsigned t = 0; t < 729; t++)
		for (unsigned u = 0; u < 729; u++) {
			char x[32], y[32];
			size_t xn = 0, yn = 0;
			memcpy(x, a, an), memcpy(x + an, "__", 2), xn = an + 2;
			memcpy(y, b, bn), memcpy(y + bn, "__", 2), yn = bn + 2;
			for (unsigned k = 0, v = t; k < 1 + t % 3; k++, v /= 3)
				x[xn++] = chars[v % 3];
			for (unsigned k = 0, v = u; k < 1 + u % 3; k++, v /= 3)
				y[yn++] = chars[v % 3];
			bool eq = xn == yn;
			for (size_t i = 0; eq && i < xn; i++)
				eq = (x[i] == '-' ? '_' : x[i]) == (y[i] == '-' ? '_' : y[i]);
			if (eq)
				return true;
		}
	return false;
}

static void all_short_servers(void)
{
	static const char chars[] = "a_-";
	char name[39][4];
	size_t len[39];
	unsigned n = 0, missed = 0, needless = 0, pairs = 0;

	for (size_t l = 1; l <= 3; l++)
		for (unsigned v = 0; v < (l == 1 ? 3u : l == 2 ? 9u : 27u); v++) {
			for (size_t i = 0, w = v; i < l; i++, w /= 3)
				name[n][i] = chars[w % 3];
			len[n] = l;
			n += server_ok(name[n], l);
		}
	for (unsigned a = 0; a < n; a++)
		for (unsigned b = 0; b < a; b++) {
			bool said = !span_absent(names_confused(span_of(name[a], len[a]), span_of(name[b], len[b])));
			bool real = can_meet(name[a], len[a], name[b], len[b]);
			missed += real && !said;
			needless += said && !real;
			pairs++;
		}
	ok(pairs > 100, "many pairs");
	is_uint(missed, 0, "two servers whose tools' names can meet are never let stand");
	is_uint(needless, 0, "and no others of them are refused");
}

static void servers(void)
{
	is_str(confused("docs", "data"), "", "names that differ");
	is_str(confused("docs", "docs2"), "", "one that begins with the other");
	is_str(confused("a", "a-b"), "", "with more behind a dash");
	is_str(confused("git", "git--hub"), "clients that write _ for - cannot tell names under one from names under the other", "git--hub and git with hub__x");
	is_str(confused("a", "a-"), "clients that write _ for - cannot tell names under one from names under the other", "a- and a with _x");
	is_str(confused("my-docs", "my_docs"), "clients that write _ for - cannot tell names under one from names under the other", "dash and underscore");
	is_str(confused("Docs", "docs"), "they differ only by case", "case");
	is_str(confused("My-Docs", "my_docs"), "they look alike", "both");
	is_str(confused("db0", "dbO"), "they look alike", "zero and O");
	is_str(confused("db0", "dbo"), "they look alike", "zero and o");
	is_str(confused("web1", "webl"), "they look alike", "one and l");
	is_str(confused("AI", "Al"), "they look alike", "I and l");
	is_str(confused("mail", "mall"), "", "i and l do not");
	is_str(confused("a", "a__b"), "joined with the name of a tool one can become the other", "names that no server may have, all the same");
}

static const char *unfit(enum catalog_kind kind, const char *name, size_t n, size_t room)
{
	static char text[128];
	char *page = page_copy(name, n);
	struct span why = names_unfit(kind, span_of(page, n), room);

	snprintf(text, sizeof text, "%.*s", (int)why.n, why.p ? why.p : "");
	page_free(page, n);
	return text;
}
#define UNFIT(kind, name) unfit(kind, name, sizeof(name) - 1, 64)

static void offered(void)
{
	static const char letter[] = "its name has a space, a control character or a letter beyond ASCII", hidden[] = "its name has characters that cannot be seen";

	is_str(UNFIT(CATALOG_TOOL, "get_user"), "", "a tool");
	is_str(UNFIT(CATALOG_TOOL, "a.b-c/d:e__f!~"), "", "signs that some use");
	is_str(UNFIT(CATALOG_TOOL, ""), "its name is empty", "no name");
	is_str(UNFIT(CATALOG_TOOL, "get user"), letter, "a space");
	is_str(UNFIT(CATALOG_TOOL, "get\tuser"), letter, "a tab");
	is_str(UNFIT(CATALOG_TOOL, "get\0user"), letter, "a NUL");
	is_str(UNFIT(CATALOG_TOOL, "get\x7f"), letter, "DEL");
	is_str(UNFIT(CATALOG_TOOL, "g\xd0\xb5t"), letter, "a Cyrillic letter that looks like ours");
	is_str(UNFIT(CATALOG_TOOL, "get\xe2\x80\x8b"), letter, "a space without width");
	is_str(UNFIT(CATALOG_PROMPT, "Frag nach \xc3\x9c"), "", "a prompt's name is any text");
	is_str(UNFIT(CATALOG_PROMPT, "\xe2\x82\xac\xe2\x80\x93\xe2\x80\xa7\xe2\x80\x8a\xf0\x9f\x98\x80\xc2\xa0\xe2\x9a\x99\xef\xb8\x8f\xe3\x85\xa5\xef\xbf\xbd"), "", "signs beside those that are not seen");
	static const char *const bad[] = { "a\nb", "a\x1b[2J", "\xc2\x85", "\xc2\xad", "\xe2\x80\x8b", "\xe2\x80\x8f", "\xe2\x80\xae", "\xe2\x80\xa8", "\xe2\x81\xa6", "\xe2\x81\xa0",
		"\xef\xbb\xbf", "\xf3\xa0\x81\x81", "ab\x7f", "\xf3\xa0\x84\x80", "\xf3\xa0\x87\xaf", "\xef\xb8\x80", "\xef\xb8\x8d", "\xe3\x85\xa4", "\xe1\x85\x9f",
		"\xe2\xa0\x80", "\xd8\x9c", "\xcd\x8f", "\xe1\xa0\x8e", "\xef\xbf\xb9", "\xf0\x9d\x85\xb3" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		is_str(unfit(CATALOG_PROMPT, bad[i], strlen(bad[i]), 64), hidden, "but none that cannot be seen");
	char text[70];
	memset(text, 'a', sizeof text);
	is_str(unfit(CATALOG_TOOL, text, 64, 64), "", "as long as there is room");
	is_str(unfit(CATALOG_TOOL, text, 65, 64), "its name is too long with the server's in front: see \"name_max\"", "longer");
	is_str(unfit(CATALOG_PROMPT, text, 65, 64), "its name is too long with the server's in front", "a prompt that is longer");
	is_str(unfit(CATALOG_TOOL, text, 1, 0), "its name is too long with the server's in front: see \"name_max\"", "no room at all");
}

int main(void)
{
	all_short_servers();
	servers();
	offered();
	return done_testing();
}
