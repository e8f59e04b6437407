/* Listing: pages against a sorted walk by other means, big and deep directories, what changes meanwhile. */
#include "kit.h"

enum { MOST = 20000 };

static char *want[MOST];
static size_t nwant;

static int by_path(const void *a, const void *b)
{
	/* Component by component: a slash sorts before everything. */
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	while (*x && *x == *y)
		x++, y++;
	return (*x == '/' ? 1 : (unsigned char)*x + (*x != 0)) - (*y == '/' ? 1 : (unsigned char)*y + (*y != 0));
}

/* With an explicit stack of directories yet to read. */
static void collect(bool dirs)
{
	static char *todo[MOST];
	size_t ntodo = 0;

	for (; nwant > 0; nwant--)
		free(want[nwant - 1]);
	todo[ntodo++] = strdup("");
	while (ntodo > 0) {
		char *dir = todo[--ntodo];
		DIR *d = opendir(at(dir));

		for (struct dirent *e; d && (e = readdir(d));) {
			char path[2048];
			struct stat st;

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s%s%s", dir, *dir ? "/" : "", e->d_name);
			if (lstat(at(path), &st) != 0)
				continue;
			if (S_ISDIR(st.st_mode))
				todo[ntodo++] = strdup(path);
			if (S_ISREG(st.st_mode) || (dirs && S_ISDIR(st.st_mode)))
				want[nwant++] = strdup(path);
		}
		if (d)
			closedir(d);
		free(dir);
	}
	qsort(want, nwant, sizeof want[0], by_path);
}

/* Compares what follows each `key` in the line with want[*n…]; returns how many. -1: differs. */
static int matches(const char *line, const char *key, size_t *n)
{
	int count = 0;

	for (const char *p = line; (p = strstr(p, key)); count++) {
		size_t len = *n < nwant ? strlen(want[*n]) : 0;

		p += strlen(key);
		if (*n >= nwant || strncmp(p, want[*n], len) != 0 || p[len] != '"') {
			diag("entry %zu: want %s, got %.80s", *n, *n < nwant ? want[*n] : "nothing", p);
			return -1;
		}
		++*n;
	}
	return count;
}

static void all_resources(const char *name)
{
	char params[1200] = "";
	size_t n = 0;
	int pages = 0;
	bool right = true;

	collect(false);
	for (; right && pages < 1000; pages++) {
		const char *a = ask("resources/list", params), *cursor = strstr(a, "\"nextCursor\":\"");
		int got = matches(a, ",\"name\":\"", &n);

		/* The server's own name in _meta has no comma before it. */
		right = got >= 0 && (cursor ? got == 100 : got <= 100);
		if (!cursor)
			break;
		snprintf(params, sizeof params, "\"cursor\":\"%.*s\"", (int)strcspn(cursor + 14, "\""), cursor + 14);
	}
	ok(right, name);
	is_uint(n, nwant, "and none is missing");
	is_int(pages, nwant == 0 ? 0 : (int)((nwant - 1) / 100), "in pages of 100");
}

static void all_entries(const char *name)
{
	char arguments[1200] = "{\"depth\":32,\"limit\":137}";
	size_t n = 0;
	bool right = true;

	collect(true);
	for (int pages = 0; right && pages < 1000; pages++) {
		const char *a = strstr(call("list_files", arguments), "\"structuredContent\":"), *after = a ? strstr(a, "\"next_after\":\"") : NULL;
		const char *entries = a ? strstr(a, "\"entries\":") : NULL;
		int got = entries ? matches(entries, "{\"path\":\"", &n) : -1;

		right = got >= 0 && (after ? got == 137 : got <= 137);
		if (!after)
			break;
		snprintf(arguments, sizeof arguments, "{\"depth\":32,\"limit\":137,\"after\":\"%.*s\"}", (int)strcspn(after + 14, "\""), after + 14);
	}
	ok(right, name);
	is_uint(n, nwant, "and none is missing");
}

static void many(const char *dir, unsigned count, const char *pattern)
{
	make_dir(dir);
	for (unsigned i = 0; i < count; i++) {
		char path[512], name[256];

		snprintf(name, sizeof name, "%s%05u", pattern, i * 7919 % 100003);
		snprintf(path, sizeof path, "%s/%s", dir, name);
		put(path, "x");
	}
}

static void changing(void)
{
	char params[1200];
	const char *a, *cursor;
	size_t n = 100;

	/* The path in the cursor goes away, and so does its whole directory: the next page begins right behind where they were. */
	a = ask("resources/list", "");
	cursor = strstr(a, "\"nextCursor\":\"");
	if (!ok(cursor != NULL, "a cursor"))
		return;
	snprintf(params, sizeof params, "\"cursor\":\"%.*s\"", (int)strcspn(cursor + 14, "\""), cursor + 14);
	collect(false);
	if (unlink(at(want[99])) != 0)
		die(want[99]);
	a = ask("resources/list", params);
	ok(matches(a, ",\"name\":\"", &n) == 100, "a cursor whose file is gone");
	put("big0", "new and before the cursor");
	n = 100;
	a = ask("resources/list", params);
	ok(matches(a, ",\"name\":\"", &n) == 100, "what comes before the cursor does not matter");
	unlink(at("big0"));
}

static void completion(void)
{
	const char *a;

#define COMPLETE(value) "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"files://docs/{+path}\"},\"argument\":{\"name\":\"path\",\"value\":\"" \
	value "\"}"
	a = ask("completion/complete", COMPLETE(""));
	ok(has(a, "\"values\":[\"big/\"") && has(a, "\"hasMore\":false"), "the top, directories with a slash");
	a = ask("completion/complete", COMPLETE("big/f0"));
	ok(has(a, "\"values\":[\"big/f0") && has(a, "\"hasMore\":true"), "many");
	a = ask("completion/complete", COMPLETE("deep/d"));
	ok(has(a, "\"values\":[\"deep/d/\"],\"hasMore\":false"), "one");
	ok(has(ask("completion/complete", COMPLETE("nothing/x")), "\"values\":[],") && has(ask("completion/complete", COMPLETE("../x")), "\"values\":[],") &&
	    has(ask("completion/complete", COMPLETE("/")), "\"values\":[],") && has(ask("completion/complete", COMPLETE("zzz")), "\"values\":[]"), "none");
	ok(has(ask("completion/complete", "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"files://docs/{x}\"},\"argument\":{\"name\":\"path\",\"value\":\"\"}"),
		"-32602"), "another template");
	ok(has(ask("completion/complete", "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"files://docs/{+path}\"},\"argument\":{\"name\":\"p\",\"value\":\"\"}"),
		"-32602"), "another variable");
	ok(has(ask("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"x\"},\"argument\":{\"name\":\"p\",\"value\":\"\"}"), "-32602"),
		"a prompt where there are none");
}

int main(void)
{
	char path[1024] = "deep";

	kit_tree();
	kit_start(kit_defaults());
	all_resources("an empty tree");
	many("big", 5000, "f");
	many("mixed", 150, "m");
	put("mixed.txt", "sorts after mixed/ as a component");
	put("mixed-1", "x");
	make_dir("mixed/m00000.d");
	put("mixed/m00000.d/x", "x");
	make_dir("empty");
	make_dir("sub");
	/* More directories than a level keeps names, and in one of them more files than then is room for. */
	for (unsigned i = 0; i < 2500; i++) {
		char dir[64];

		snprintf(dir, sizeof dir, "sub/%u", i);
		make_dir(dir);
		snprintf(dir, sizeof dir, "sub/%u/file", i);
		put(dir, "x");
	}
	many("sub/100x", 1200, "n");
	make_dir("deep");
	for (unsigned i = 2; i < 32; i++) {
		strcat(path, "/d");
		make_dir(path);
		if (i == 30)
			put("deep/d/d/leaf", "x");
	}
	strcat(path, "/leaf");
	put(path, "at component 32");
	if (symlink("..", at("deep/up")) != 0)
		die("symlink");
	all_resources("pages equal the sorted walk");
	all_entries("so do entries of list_files");
	changing();
	completion();
	/* One deeper than there is anything. */
	strcpy(strrchr(path, '/'), "/d32");
	make_dir(path);
	{
		char params[1200];

		strcat(path, "/leaf");
		put(path, "at component 33");
		snprintf(params, sizeof params, "\"uri\":\"files://docs/%s\"", path);
		ok(has(ask("resources/read", params), "-32602") && !strstr(ask("resources/list", ""), "d32"), "nothing exists below 32 components");
	}
	ok(has(call("list_files", "{}"), "\"type\":\"directory\"") && !strstr(kit_line, "big/"), "depth 1 by default");
	ok(has(call("list_files", "{\"path\":\"sub/7\"}"), "\"entries\":[{\"path\":\"sub/7/file\",\"type\":\"file\",\"size\":1,"), "a directory");
	ok(has(call("list_files", "{\"path\":\"empty/\"}"), "\"structuredContent\":{\"path\":\"empty\",\"entries\":[],\"truncated\":false}"), "an empty one");
	ok(has(call("list_files", "{\"path\":\"mixed.txt\"}"), "isError") && has(kit_line, "found a file"), "a file is no directory");
	ok(has(call("list_files", "{\"path\":\"none\"}"), "isError") && has(kit_line, "there is no such"), "none");
	ok(has(call("list_files", "{\"path\":\"sub\",\"after\":\"mixed.txt\"}"), "isError") && has(kit_line, "next_after"), "after of another path");
	ok(has(call("list_files", "{\"path\":\"deep/up\"}"), "isError"), "a link is nothing");
	for (; nwant > 0; nwant--)
		free(want[nwant - 1]);
	kit_clear();
	return done_testing();
}
