#include "cmd/import.h"

#include <stdio.h>
#include <stdlib.h>

#include "cmd/import_priv.h"
#include "cmd/load.h"
#include "os/file.h"
#include "os/map.h"
#include "wire/json_write.h"

static const char usage[] =
	"usage: postern import FILE [--allow]\n"
	"  Prints a Postern configuration with the servers of an mcp.json (mcpServers, servers, context_servers, mcp), and says on standard error\n"
	"  what could not be kept and why. It allows nothing; with --allow, everything that the servers offer, to who reaches 127.0.0.1:8080.\n"
	"  exit: 0 printed, 1 there is nothing that could be kept, 2 wrong usage, 3 the file cannot be read\n";

enum { TEXT_MAX = 1 << 20, TOKENS = 1 << 16, OUT_MAX = 4 << 20 };

/* ---- notes ---- */

static void shown(struct span text)
{
	for (size_t i = 0; i < text.n && i < 120; i++)
		fprintf(stderr, text.p[i] >= ' ' && text.p[i] <= '~' ? "%c" : "\\x%02x", (unsigned char)text.p[i]);
	if (text.n > 120)
		fputs("...", stderr);
}

void import_note(const struct import *im, struct span what, const char *text, struct span more)
{
	if (!span_absent(im->at)) {
		shown(im->at);
		fputs(": ", stderr);
	}
	if (!span_absent(what)) {
		fputs("\"", stderr);
		shown(what);
		fputs("\" ", stderr);
	}
	fputs(text, stderr);
	shown(more);
	fputs("\n", stderr);
}

/* ---- the file ---- */

/* Some clients allow comments and a comma before the end of a list: both become white space. True: there were such. */
static bool plain_json(char *p, size_t n)
{
	bool string = false, changed = false;
	size_t comma = n; /* the last comma with nothing but white space behind it */

	for (size_t i = 0; i < n; i++) {
		if (string) {
			if (p[i] == '\\')
				i++;
			else
				string = p[i] != '"';
			continue;
		}
		if (p[i] == '/' && i + 1 < n && (p[i + 1] == '/' || p[i + 1] == '*')) {
			bool line = p[i + 1] == '/';
			size_t end = i + 2;
			while (end < n && !(line ? p[end] == '\n' : p[end - 1] == '*' && p[end] == '/' && end > i + 2))
				end++;
			for (; i < n && i < end + !line; i++)
				p[i] = p[i] == '\n' ? '\n' : ' ';
			i--;
			changed = true;
			continue;
		}
		if ((p[i] == '}' || p[i] == ']') && comma < n) {
			p[comma] = ' ';
			changed = true;
		}
		if (p[i] == ',')
			comma = i;
		else if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			comma = n;
		string = p[i] == '"';
	}
	return changed;
}

/* Where the servers stand, as the clients have it. */
static uint32_t find(const struct json *j)
{
	static const struct span names[] = { { "mcpServers", 10 }, { "servers", 7 }, { "context_servers", 15 } };
	uint32_t mcp = json_get(j, JSON_ROOT, SPAN("mcp")), at;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		at = json_get(j, JSON_ROOT, names[i]);
		if (at == JSON_NONE)
			at = json_get(j, mcp, names[i]);
		if (json_type(j, at) == JSON_OBJECT)
			return at;
	}
	return json_type(j, mcp) == JSON_OBJECT ? mcp : JSON_NONE;
}

static void others(const struct import *im, uint32_t servers)
{
	const struct json *j = &im->json;
	char mem[128];

	for (uint32_t n = json_first(j, JSON_ROOT); n != JSON_NONE; n = json_next(j, JSON_ROOT, n)) {
		struct span name = import_text(im, n, mem, sizeof mem);
		uint32_t value = json_value(j, n);
		if (value == servers || span_eq(name, SPAN("$schema")) || (json_type(j, value) == JSON_OBJECT && span_eq(name, SPAN("mcp"))))
			continue;
		import_note(im, name, span_eq(name, SPAN("inputs")) ? "of the file is not kept: what it asks the user for goes into files here" : "of the file is not kept: it is not about servers",
			span_of(NULL, 0));
	}
}

/* ---- the configuration ---- */

static void rules(struct buf *b, const struct import *im, bool allow)
{
	char mem[MCP_NAME_MAX];
	bool any = false;

	for (int kind = 0; kind < (allow ? 2 : 1); kind++) { /* what is denied first: the first rule that matches decides */
		for (unsigned i = 0; i < im->nrules; i++) {
			const struct import_rule *r = &im->rule[i];
			if (r->allow != (kind == 1))
				continue;
			buf_put(b, any ? SPAN(",\n\t\t") : SPAN("\n\t\t"));
			any = true;
			buf_put(b, r->allow ? SPAN("{\"allow\": \"") : SPAN("{\"deny\": \""));
			json_write_inner(b, span_z(im->name[r->server]));
			BUF_LIT(b, "__");
			json_write_inner(b, import_text(im, r->tool, mem, sizeof mem));
			buf_put(b, r->allow ? SPAN("\", \"roles\": [\"local\"]}") : SPAN("\"}"));
		}
		for (unsigned i = 0; kind == 1 && i < im->nservers; i++) {
			if (im->limited[i])
				continue;
			buf_put(b, any ? SPAN(",\n\t\t") : SPAN("\n\t\t"));
			any = true;
			BUF_LIT(b, "{\"allow\": \"");
			buf_put(b, span_z(im->name[i]));
			BUF_LIT(b, "__*\", \"roles\": [\"local\"]}");
		}
	}
	if (any)
		BUF_LIT(b, "\n\t");
}

static void whole(struct buf *b, const struct import *im, bool allow)
{
	BUF_LIT(b, "{\n\t\"listeners\": [{\"address\": \"127.0.0.1:8080\", \"path\": \"/mcp\"}],\n"
		"\t\"identity\": {\"anonymous\": {\"tenant\": \"local\", \"roles\": [\"local\"]}},\n\t\"policy\": [");
	rules(b, im, allow);
	BUF_LIT(b, "],\n\t\"names\": \"prefixed\",\n\t\"mcpServers\": {\n");
	buf_put(b, buf_span(&im->out));
	BUF_LIT(b, "\n\t}\n}\n");
}

/* Mapped and not static: static memory is every process's of Postern. */
struct room {
	char text[TEXT_MAX], out[OUT_MAX / 2], whole[OUT_MAX], errors[CONF_ERRORS_SIZE];
	struct conf conf;
	struct import import;
};
static struct room *room;

/* As `postern check` would: what is printed has to be right. */
static bool is_right(struct span text, struct buf *errors)
{
	size_t need = conf_arena_need(text.n);
	void *arena = aligned_alloc(64, (need + 63) & ~(size_t)63);
	bool right = arena && conf_read(&room->conf, SPAN("the configuration"), text, arena, need, errors);

	free(arena);
	return right;
}

static int finish(struct import *im, bool allow)
{
	struct buf b = buf_on(room->whole, sizeof room->whole), errors = buf_on(room->errors, sizeof room->errors);

	im->at = span_of(NULL, 0);
	whole(&b, im, allow);
	if (b.full || im->out.full) {
		fprintf(stderr, "postern import: the configuration would be too large\n");
		return EXIT_NO;
	}
	if (!file_write(1, buf_span(&b))) {
		fprintf(stderr, "postern import: standard output takes nothing\n");
		return EXIT_ENVIRONMENT;
	}
	fprintf(stderr, "%u server%s", im->nservers, im->nservers == 1 ? "" : "s");
	if (im->nfiles > 0)
		fprintf(stderr, "; %u file%s to make, beside the configuration, readable by Postern only", im->nfiles, im->nfiles == 1 ? "" : "s");
	if (im->naddresses > 0)
		fprintf(stderr, "; %u address%s to fill in", im->naddresses, im->naddresses == 1 ? "" : "es");
	if (allow)
		fprintf(stderr, "; whoever reaches 127.0.0.1:8080 may use all that is listed in \"policy\"\n");
	else
		fprintf(stderr, "; nothing is allowed yet: rules go into \"policy\", such as {\"allow\": \"%s__*\", \"roles\": [\"local\"]}\n", im->name[0]);
	if (!is_right(buf_span(&b), &errors)) {
		fprintf(stderr, "before it can be used, what `postern check` says has to be put right:\n");
		fwrite(errors.p, 1, errors.n, stderr);
	}
	return EXIT_OK;
}

static int import(const char *path, bool allow)
{
	static const uint8_t seed[16]; /* the operator's own file */
	size_t n = 0, from = 0, where = 0;
	const char *why;
	void *table = aligned_alloc(16, (json_table_need(TOKENS) + 15) & ~(size_t)15);

	room = map_private(sizeof *room);
	if (!table || !room || !file_read(span_z(path), room->text, sizeof room->text, &n, &why)) {
		fprintf(stderr, "postern import: %s: %s\n", path, table && room ? why : "no memory");
		free(table);
		return EXIT_ENVIRONMENT;
	}
	char *text = room->text;
	struct import *im = &room->import;
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		from = 3;
	if (plain_json(text + from, n - from))
		fprintf(stderr, "comments and commas before an end are not JSON: left out\n");
	*im = (struct import){ .out = buf_on(room->out, sizeof room->out), .at = span_of(NULL, 0) };
	enum json_error e = json_read(&im->json, json_table_place(table, TOKENS, seed), span_of(text + from, n - from), &where);
	int end = EXIT_NO;
	uint32_t servers = e == JSON_OK ? find(&im->json) : JSON_NONE;
	if (e != JSON_OK) {
		struct span said = json_error_text(e);
		fprintf(stderr, "postern import: %s: not JSON: %.*s at byte %zu\n", path, (int)said.n, said.p, from + where);
	} else if (servers == JSON_NONE) {
		fprintf(stderr, "postern import: %s: there is no object mcpServers, servers, context_servers or mcp in it\n", path);
	} else {
		others(im, servers);
		for (uint32_t name = json_first(&im->json, servers); name != JSON_NONE; name = json_next(&im->json, servers, name))
			import_server(im, name, json_value(&im->json, name));
		if (im->nservers > 0)
			end = finish(im, allow);
		else
			fprintf(stderr, "postern import: %s: no server could be kept\n", path);
	}
	free(table);
	return end;
}

int cmd_import(int argc, char **argv)
{
	const char *path = NULL;
	bool allow = false;

	for (int i = 1; i < argc; i++) {
		struct span a = span_z(argv[i]);

		if (span_eq(a, SPAN("-h")) || span_eq(a, SPAN("--help"))) {
			fputs(usage, stdout);
			return EXIT_OK;
		}
		if (span_eq(a, SPAN("--allow"))) {
			allow = true;
		} else if (path == NULL && a.n > 0 && a.p[0] != '-') {
			path = argv[i];
		} else {
			fprintf(stderr, "postern import: unknown option or argument: %s\n%s", argv[i], usage);
			return EXIT_USAGE;
		}
	}
	if (path == NULL) {
		fprintf(stderr, "postern import: which file? Its name is missing\n%s", usage);
		return EXIT_USAGE;
	}
	return import(path, allow);
}
