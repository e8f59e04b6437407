/* Prompt files, read at guard pages; then the prompt methods. */
#include "page.h"
#include "kit.h"
#include "provider/files_prompt.h"

static struct files_prompt p;
static char *copy;
static size_t copied;

static bool read_text(const char *text)
{
	if (copy)
		page_free(copy, copied);
	copied = strlen(text);
	copy = page_copy(text, copied);
	return files_prompt_read(&p, span_of(copy, copied));
}

static bool body_is(const char *text) { return p.body.n == strlen(text) && memcmp(p.body.p, text, p.body.n) == 0; }

static void parsing(void)
{
	char many[33 * 8 + 1];
	struct span value;
	size_t at_value = 0;

	ok(read_text("# Review code\n\nLook at {{file}}, in {{ tone | kind | strict||  }}.\n{{file}}\n"), "a prompt");
	ok(span_eq(p.title, SPAN("Review code")) && p.body.n > 0 && p.body.p[0] == 'L', "heading off, title on");
	ok(p.nargs == 2 && span_eq(p.args[0].name, SPAN("file")) && span_absent(p.args[0].values) && span_eq(p.args[1].name, SPAN("tone")), "arguments");
	ok(files_prompt_value(p.args[1].values, &at_value, &value) && span_eq(value, SPAN("kind")) &&
	    files_prompt_value(p.args[1].values, &at_value, &value) && span_eq(value, SPAN("strict")) &&
	    !files_prompt_value(p.args[1].values, &at_value, &value), "suggestions");
	ok(read_text("") && span_absent(p.title) && p.nargs == 0, "an empty file");
	ok(read_text("Text first\n# Later\nrest") && span_eq(p.title, SPAN("Later")) && body_is("Text first\n# Later\nrest"), "a heading further down stays");
	ok(read_text("\r\n# Title \r\n\r\nbody") && span_eq(p.title, SPAN("Title")) && body_is("body"), "CRLF");
	ok(read_text("#nothing\n##  two\nx") && span_absent(p.title), "no headings of the first level");
	ok(read_text("# T") && span_eq(p.title, SPAN("T")) && body_is(""), "nothing but a heading");
	ok(read_text("{{}} {{a b}} {{a\n}} {{{x}} {{|a}} {{-é}} {x}} {{y} {{"), "near misses");
	is_int(p.nargs, 1, "of which one is an argument");
	ok(span_eq(p.args[0].name, SPAN("x")), "the inner braces");
	ok(!read_text("a\xFF"), "not UTF-8");
	copied = 3;
	ok(!files_prompt_read(&p, span_of("a\0b", 3)), "NUL");
	copy = NULL;
	for (unsigned i = 0; i < 33; i++)
		snprintf(many + i * 8, 9, "{{a%03u}}", i);
	ok(!read_text(many), "33 arguments");
	many[32 * 8] = 0;
	ok(read_text(many) && p.nargs == 32, "32 arguments");
	ok(span_eq(files_prompt_name(SPAN("a.b-c_1.md")), SPAN("a.b-c_1")) && span_absent(files_prompt_name(SPAN(".md"))) &&
	    span_absent(files_prompt_name(SPAN(".x.md"))) && span_absent(files_prompt_name(SPAN("a b.md"))) &&
	    span_absent(files_prompt_name(SPAN("a.txt"))) && span_absent(files_prompt_name(SPAN("../a.md"))), "file names");
}

static void methods(void)
{
	const char *a = ask("prompts/list", "");

	ok(has(a, "\"prompts\":[{\"name\":\"plain\"},{\"name\":\"review\",\"title\":\"Review \\\"code\\\"\",\"description\":\"Review \\\"code\\\"\","
		"\"arguments\":[{\"name\":\"file\",\"required\":true},{\"name\":\"tone\",\"required\":true,\"description\":\"For example: kind, strict\"}]}]"),
		"prompts/list");
	ok(has(a, "\"ttlMs\":0,\"cacheScope\":\"private\""), "with its hints");
	ok(has(ask("server/discover", ""), "\"prompts\":{}"), "declared");
	a = ask("prompts/get", "\"name\":\"review\",\"arguments\":{\"file\":\"a\\\"b {{tone}} \\u00e9\",\"tone\":\"kind\"}");
	ok(has(a, "\"description\":\"Review \\\"code\\\"\",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":\""
		"Look at a\\\"b {{tone}} \\u00e9 in a kind tone.\\n\"}}]"), "values are put in and not looked through again");
	ok(has(ask("prompts/get", "\"name\":\"plain\""), "\"text\":\"Just text.\""), "without arguments");
	ok(has(ask("prompts/get", "\"name\":\"review\",\"arguments\":{\"tone\":\"x\"}"), "-32602") && has(kit_line, "missing required argument: file"), "missing");
	ok(has(ask("prompts/get", "\"name\":\"plain\",\"arguments\":{\"tone\":\"x\"}"), "-32602") && has(kit_line, "no such argument: tone"), "unknown");
	ok(has(ask("prompts/get", "\"name\":\"review\",\"arguments\":{\"file\":1,\"tone\":\"x\"}"), "-32602") && has(kit_line, "must be a string: file"), "no string");
	{
		static const char *const names[] = { "none", "../prompts/plain", "link", "large", "noutf8", "a b", "plain.md", ".hidden", "sub" };

		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			char params[128];

			snprintf(params, sizeof params, "\"name\":\"%s\"", names[i]);
			ok(has(ask("prompts/get", params), "-32602") && has(kit_line, "unknown prompt"), names[i]);
		}
	}
#define COMPLETE(prompt, arg, value) "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"" prompt "\"},\"argument\":{\"name\":\"" arg "\",\"value\":\"" value "\"}"
	ok(has(ask("completion/complete", COMPLETE("review", "tone", "")), "\"values\":[\"kind\",\"strict\"],\"hasMore\":false"), "completion");
	ok(has(ask("completion/complete", COMPLETE("review", "tone", "s")), "\"values\":[\"strict\"]"), "by prefix");
	ok(has(ask("completion/complete", COMPLETE("review", "file", "")), "\"values\":[]"), "no suggestions");
	ok(has(ask("completion/complete", COMPLETE("review", "x", "")), "-32602") && has(ask("completion/complete", COMPLETE("x", "x", "")), "-32602"),
		"unknown argument, unknown prompt");
	ok(has(ask("prompts/list", "\"cursor\":\"\""), "-32602") && has(ask("prompts/list", "\"cursor\":\"YQ==\""), "-32602"), "cursors of nobody");
}

static void pages(void)
{
	char params[256] = "";
	unsigned got = 0;

	for (unsigned i = 0; i < 250; i++) {
		char path[64];

		snprintf(path, sizeof path, "prompts/q%03u.md", i);
		put(path, "# Q\n");
	}
	for (int page = 0; page < 5; page++) {
		const char *a = ask("prompts/list", params), *cursor = strstr(a, "\"nextCursor\":\"");

		for (const char *n = a; (n = strstr(n, "{\"name\":\"q")); n++)
			got += (unsigned)atoi(n + 10) == got;
		if (!cursor)
			break;
		snprintf(params, sizeof params, "\"cursor\":\"%.*s\"", (int)strcspn(cursor + 14, "\""), cursor + 14);
	}
	is_uint(got, 250, "250 prompts in pages, in order");
}

int main(void)
{
	struct files_settings s;
	char *large = malloc(65538);

	parsing();
	kit_tree();
	make_dir("prompts");
	make_dir("prompts/sub.md");
	put("prompts/review.md", "# Review \"code\"\n\nLook at {{file}} in a {{tone|kind|strict}} tone.\n");
	put("prompts/plain.md", "Just text.");
	put("prompts/readme.txt", "no prompt");
	put("prompts/a b.md", "no name");
	put("prompts/.hidden.md", "hidden");
	put("prompts/noutf8.md", "\xFF");
	memset(large, 'x', 65537);
	large[65537] = 0;
	put("prompts/large.md", large);
	free(large);
	if (symlink("plain.md", at("prompts/link.md")) != 0)
		die("symlink");
	s = kit_defaults();
	s.prompts_fd = open(at("prompts"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	kit_start(s);
	methods();
	pages();
	kit_clear();
	return done_testing();
}
