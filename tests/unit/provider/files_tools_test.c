/* Tools: definitions, arguments, read_file in bytes and lines, file_info. */
#include "base/text.h"
#include "kit.h"

static const char *structured(void)
{
	const char *p = strstr(kit_line, "\"structuredContent\":");

	return p ? p + 20 : "";
}

static bool wrong(const char *tool, const char *arguments, const char *says)
{
	call(tool, arguments);
	return has(kit_line, "\"resultType\":\"complete\"") && has(kit_line, "\"isError\":true") && has(kit_line, says) &&
		!strstr(kit_line, "structuredContent");
}

static void arguments(void)
{
	char name[700];

	ask("tools/list", "");
	ok(has(kit_line, "\"tools\":[{\"name\":\"list_files\"") && has(kit_line, "\"name\":\"read_file\"") && has(kit_line, "\"name\":\"search_text\"") &&
	    has(kit_line, "\"name\":\"file_info\"") && has(kit_line, "\"ttlMs\":3600000"), "four tools");
	ok(has(ask("tools/list", "\"cursor\":\"\""), "-32602"), "no second page");
	ok(has(ask("tools/call", "\"name\":\"write_file\",\"arguments\":{}"), "\"code\":-32602") && has(kit_line, "unknown tool: write_file"), "unknown tool");
	ok(has(ask("tools/call", "\"name\":\"list_files\""), "structuredContent"), "no arguments at all");
	ok(has(ask("tools/call", "\"name\":\"list_files\",\"arguments\":[]"), "-32602"), "arguments of another type");
	ok(wrong("read_file", "{}", "path: missing; it must be a string"), "missing");
	ok(wrong("read_file", "{\"path\":7}", "path: found 7; it must be a string"), "number for a path");
	ok(wrong("read_file", "{\"path\":null}", "path: found null; it must be"), "null");
	ok(wrong("read_file", "{\"path\":\"a.txt\",\"pth\":1}", "pth: no such argument; read_file takes path, offset, length, first_line, last_line; "
		"did you mean path?"), "unknown argument");
	ok(wrong("read_file", "{\"path\":\"a.txt\",\"encoding\":1}", "encoding: no such argument"), "far from any");
	ok(wrong("read_file", "{\"path\":\"a.txt\",\"offset\":-1}", "offset: found -1; it must be an integer from 0"), "negative");
	ok(wrong("read_file", "{\"path\":\"a.txt\",\"offset\":1.5}", "offset: found 1.5;"), "fraction");
	ok(wrong("read_file", "{\"path\":\"a.txt\",\"length\":0}", "length: found 0; it must be an integer from 1 to 1048576"), "zero");
	ok(wrong("read_file", "{\"path\":\"a.txt\",\"offset\":1,\"last_line\":2}", "give either bytes or lines"), "both kinds of range");
	ok(wrong("read_file", "{\"path\":\"a.txt\",\"first_line\":3,\"last_line\":2}", "last_line: found 2"), "a range backwards");
	ok(wrong("search_text", "{\"query\":\"x\",\"case_sensitive\":\"no\"}", "case_sensitive: found \\\"no\\\"; it must be true or false"), "a string for a boolean");
	ok(wrong("search_text", "{\"query\":\"\"}", "query: found \\\"\\\"; it must be 1 to 256 bytes"), "an empty query");
	ok(wrong("search_text", "{\"query\":\"a\\nb\"}", "within one line"), "a query of two lines");
	ok(wrong("list_files", "{\"depth\":33}", "depth: found 33; it must be an integer from 1 to 32"), "too deep");
	{
		static const char *const paths[] = { "/etc/passwd", "../x", "a/../a.txt", "a//b", ".secret", "a.txt\\u0000", "\\u0001", "./../x", "..", "//" };

		for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
			snprintf(name, sizeof name, "{\"path\":\"%s\"}", paths[i]);
			ok(wrong("read_file", name, "path: found") && wrong("file_info", name, "path: found"), paths[i]);
		}
	}
	memset(name, 'a', 650);
	memcpy(name, "{\"path\":\"", 9);
	memcpy(name + 640, "\"}", 3);
	ok(wrong("file_info", name, "aaa...; it must be"), "an over-long path, shown in part");
	ok(wrong("read_file", "{\"path\":\"none.txt\"}", "none.txt: there is no such file"), "missing file");
	ok(wrong("read_file", "{\"path\":\"dir\"}", "dir: found a directory"), "directory");
	ok(wrong("read_file", "{\"path\":\".\"}", "found a directory"), "the root");
	ok(wrong("read_file", "{\"path\":\"out\"}", "no such") && wrong("file_info", "{\"path\":\"out\"}", "no such") &&
	    wrong("list_files", "{\"path\":\"out\"}", "no such") && wrong("search_text", "{\"query\":\"root\",\"path\":\"out\"}", "no such") &&
	    wrong("read_file", "{\"path\":\"dir/loop/a.txt\"}", "no such"), "links do not exist");
	ok(wrong("read_file", "{\"path\":\"fifo\"}", "no such") && wrong("file_info", "{\"path\":\"fifo\"}", "no such"), "nor does a FIFO");
}

static void reading(void)
{
	call("read_file", "{\"path\":\"./a.txt\"}");
	ok(has(structured(), "{\"path\":\"a.txt\",\"size\":24,\"modified\":\"20") && has(structured(), "\"mime_type\":\"text/plain\",\"encoding\":\"utf-8\","
		"\"offset\":0,\"length\":24,\"end\":true,\"content\":\"one\\ntwo\\n\\nfour \\\"q\\\"\\n\xC3\xA9\xE2\x82\xAC\\n\"}"), "whole");
	ok(has(kit_line, "\"text\":\"{\\\"path\\\":\\\"a.txt\\\"") && has(kit_line, "four \\\\\\\"q\\\\\\\""), "and as text");
	call("read_file", "{\"path\":\"a.txt\",\"offset\":4,\"length\":3}");
	ok(has(structured(), "\"offset\":4,\"length\":3,\"end\":false,\"next_offset\":7,\"content\":\"two\""), "part");
	call("read_file", "{\"path\":\"a.txt\",\"offset\":18,\"length\":2}");
	ok(has(structured(), "\"offset\":18,\"length\":2,\"end\":false,\"next_offset\":20,\"content\":\"\xC3\xA9\""), "a whole character");
	call("read_file", "{\"path\":\"a.txt\",\"offset\":18,\"length\":4}");
	ok(has(structured(), "\"length\":2,\"end\":false,\"next_offset\":20,\"content\":\"\xC3\xA9\""), "the next one would be split");
	call("read_file", "{\"path\":\"a.txt\",\"offset\":19,\"length\":4}");
	ok(has(structured(), "\"offset\":20,\"length\":3,\"end\":false,\"next_offset\":23,\"content\":\"\xE2\x82\xAC\""), "the first one is split");
	call("read_file", "{\"path\":\"a.txt\",\"offset\":21,\"length\":1}");
	ok(has(structured(), "\"encoding\":\"base64\",\"offset\":21,\"length\":1,\"end\":false,\"next_offset\":22,\"content\":\"gg==\""), "nothing but a splinter");
	call("read_file", "{\"path\":\"a.txt\",\"offset\":24}");
	ok(has(structured(), "\"offset\":24,\"length\":0,\"end\":true,\"content\":\"\""), "at the end");
	call("read_file", "{\"path\":\"a.txt\",\"offset\":9007199254740991}");
	ok(has(structured(), "\"offset\":24,\"length\":0,\"end\":true"), "far behind it");
	call("read_file", "{\"path\":\"empty\"}");
	ok(has(structured(), "\"size\":0,") && has(structured(), "\"encoding\":\"utf-8\",\"offset\":0,\"length\":0,\"end\":true,\"content\":\"\""), "empty");
	call("read_file", "{\"path\":\"bin\"}");
	ok(has(structured(), "\"encoding\":\"base64\",\"offset\":0,\"length\":4,\"end\":true,\"content\":\"AP+AQQ==\""), "binary");
	call("read_file", "{\"path\":\"nul\"}");
	ok(has(structured(), "\"encoding\":\"base64\"") && has(structured(), "\"content\":\"YQBi\""), "a NUL makes it binary");

	call("read_file", "{\"path\":\"a.txt\",\"first_line\":2,\"last_line\":3}");
	ok(has(structured(), "\"offset\":4,\"length\":5,\"first_line\":2,\"end\":true,\"content\":\"two\\n\\n\""), "lines");
	call("read_file", "{\"path\":\"a.txt\",\"first_line\":5}");
	ok(has(structured(), "\"offset\":18,\"length\":6,\"first_line\":5,\"end\":true"), "lines to the end");
	call("read_file", "{\"path\":\"a.txt\",\"last_line\":1}");
	ok(has(structured(), "\"content\":\"one\\n\""), "the first");
	call("read_file", "{\"path\":\"a.txt\",\"first_line\":600}");
	ok(has(structured(), "\"offset\":24,\"length\":0,\"first_line\":600,\"end\":true,\"content\":\"\""), "lines behind the end");
	call("file_info", "{\"path\":\"a.txt\"}");
	ok(has(structured(), "\"type\":\"file\",\"size\":24,\"modified\":\"20") && has(structured(), "\"uri\":\"files://docs/a.txt\""), "file_info");
	call("file_info", "{\"path\":\".\"}");
	ok(has(structured(), "{\"path\":\"\",\"type\":\"directory\",\"modified\":\""), "of the root");
	call("file_info", "{\"path\":\"bigger\"}");
	ok(has(structured(), "\"size\":1048577"), "of a file that is too large to read");
	ok(wrong("read_file", "{\"path\":\"bigger\"}", "bigger: found 1048577 bytes; files of at most 1048576 are read"), "which is not read");
	if (geteuid() == 0)
		skip(1, "root reads everything");
	else
		ok(wrong("read_file", "{\"path\":\"denied\"}", "may not read"), "permissions");
}

/* Parts put together by next_offset are the file, whatever the answer's limit makes of their lengths. */
static void in_parts(const char *path, const char *arguments, const unsigned char *want, size_t n, const char *name)
{
	static char got[1 << 20];
	struct buf all = buf_on(got, sizeof got);
	uint64_t offset = 0;
	int parts = 0;
	bool right = true;

	for (; parts < 10000 && right; parts++) {
		char text[256];
		const char *content, *next;
		size_t len;

		snprintf(text, sizeof text, "{\"path\":\"%s\",\"offset\":%" PRIu64 "%s}", path, offset, arguments);
		call("read_file", text);
		content = strstr(structured(), "\"content\":\"");
		next = strstr(structured(), "\"next_offset\":");
		right = content && strstr(structured(), "\"encoding\":\"base64\"");
		if (!right)
			break;
		content += 11;
		len = strcspn(content, "\"");
		right = b64_decode(&all, span_of(content, len));
		if (!next)
			break;
		right = right && strtoull(next + 14, NULL, 10) > offset;
		offset = strtoull(next + 14, NULL, 10);
	}
	ok(right && all.n == n && memcmp(all.p, want, n) == 0, name);
	ok(parts > 0, "in several parts");
}

int main(void)
{
	static unsigned char noise[900000];
	uint32_t x = 1;
	struct files_settings s;

	kit_tree();
	make_dir("dir");
	put("a.txt", "one\ntwo\n\nfour \"q\"\n\xC3\xA9\xE2\x82\xAC\n");
	put("empty", "");
	put("denied", "x");
	put_bytes("bin", "\x00\xFF\x80" "A", 4);
	put_bytes("nul", "a\0b", 3);
	put("bigger", "");
	put(".secret", "x");
	if (truncate(at("bigger"), 1048577) || chmod(at("denied"), 0) || symlink("/etc/passwd", at("out")) || symlink("..", at("dir/loop")) ||
	    mkfifo(at("fifo"), 0600))
		die("tree");
	for (size_t i = 0; i < sizeof noise; i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = (unsigned char)(0x80 | x >> 24);
	}
	put_bytes("noise", noise, sizeof noise);
	kit_start(kit_defaults());
	arguments();
	reading();
	in_parts("noise", ",\"length\":1048576", noise, sizeof noise, "parts of a binary file as large as an answer may be");
	s = kit_settings;
	s.reply_max = 16384;
	kit_start(s);
	in_parts("noise", "", noise, sizeof noise, "and with the least reply limit");
	ok(has(ask("tools/list", ""), "\"tools\":["), "whose answers hold the tools");
	kit_clear();
	return done_testing();
}
