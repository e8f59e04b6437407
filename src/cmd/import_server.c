/* One server of an mcp.json. Members are told apart by the names that the common clients give them; what has no counterpart here is said. */
#include <stdio.h>

#include "cmd/import_priv.h"
#include "gate/names.h"
#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

static const struct { const char *name; enum import_slot slot; const char *why; } members[] = {
	{ "type", TYPE, NULL }, { "transport", TYPE, NULL }, { "transportType", TYPE, NULL },
	{ "command", COMMAND, NULL }, { "args", ARGS, NULL }, { "arguments", ARGS, NULL }, { "env", ENV, NULL }, { "environment", ENV, NULL },
	{ "cwd", CWD, NULL }, { "workingDirectory", CWD, NULL },
	{ "url", URL, NULL }, { "serverUrl", URL, NULL }, { "httpUrl", URL, NULL }, { "headers", HEADERS, NULL }, { "http_headers", HEADERS, NULL },
	{ "disabled", DISABLED, NULL }, { "enabled", ENABLED, NULL },
	{ "disabledTools", DENY, NULL }, { "excludeTools", DENY, NULL }, { "enabledTools", ALLOW, NULL }, { "includeTools", ALLOW, NULL },
	{ "autoApprove", NOT_KEPT, "who may use a tool is for \"policy\"; asking the user first is the client's part" },
	{ "alwaysAllow", NOT_KEPT, "who may use a tool is for \"policy\"; asking the user first is the client's part" },
	{ "trust", NOT_KEPT, "who may use a tool is for \"policy\"; asking the user first is the client's part" },
	{ "timeout", NOT_KEPT, "it means seconds with some clients and milliseconds with others; write \"call_timeout\": \"60s\"" },
	{ "initTimeout", NOT_KEPT, "write \"start_timeout\": \"15s\"" }, { "startup_timeout_sec", NOT_KEPT, "write \"start_timeout\": \"15s\"" },
	{ "envFile", NOT_KEPT, "variables stand in \"env\" here, each with its text or the file that holds it" },
	{ "oauth", NOT_KEPT, "how to log in to it is for \"credentials\"" }, { "auth", NOT_KEPT, "how to log in to it is for \"credentials\"" },
	{ "bearer_token_env_var", NOT_KEPT, "write \"credentials\": {\"secret\": {\"file\": ...}}" },
	{ "description", NOT_KEPT, "nobody reads it here" }, { "name", NOT_KEPT, "nobody reads it here" }, { "title", NOT_KEPT, "nobody reads it here" }, { "icon", NOT_KEPT, "nobody reads it here" },
	{ "gallery", NOT_KEPT, "nobody reads it here" }, { "version", NOT_KEPT, "nobody reads it here" }, { "source", NOT_KEPT, "nobody reads it here" }, { "dev", NOT_KEPT, "nobody reads it here" },
	{ "note", NOT_KEPT, "nobody reads it here" },
};

/* ---- members ---- */

static bool collect(struct import *im, uint32_t object, struct import_from *s)
{
	const struct json *j = &im->json;
	char mem[256];

	for (uint32_t n = json_first(j, object); n != JSON_NONE; n = json_next(j, object, n)) {
		struct span name = import_text(im, n, mem, sizeof mem);
		size_t i = 0;

		while (i < sizeof members / sizeof members[0] && !span_eq(name, span_z(members[i].name)))
			i++;
		if (i == sizeof members / sizeof members[0]) {
			import_note(im, name, "is not kept: Postern knows no such member", NOTHING);
		} else if (members[i].slot == NOT_KEPT) {
			import_note(im, name, "is not kept: ", span_z(members[i].why));
		} else if (s->token[members[i].slot] != JSON_NONE) {
			import_note(im, name, "is there under two names; left out", NOTHING);
			return false;
		} else {
			s->token[members[i].slot] = json_value(j, n);
		}
	}
	/* {"command": {"path": …, "args": […], "env": {…}}} and {"command": ["program", "argument", …]} */
	uint32_t command = s->token[COMMAND];
	if (json_type(j, command) == JSON_OBJECT) {
		uint32_t args = json_get(j, command, SPAN("args")), env = json_get(j, command, SPAN("env"));

		if ((args != JSON_NONE && s->token[ARGS] != JSON_NONE) || (env != JSON_NONE && s->token[ENV] != JSON_NONE)) {
			import_left_out(im, "is left out: it has two lists of arguments or of variables", NOTHING);
			return false;
		}
		s->token[COMMAND] = json_get(j, command, SPAN("path"));
		s->token[ARGS] = args != JSON_NONE ? args : s->token[ARGS];
		s->token[ENV] = env != JSON_NONE ? env : s->token[ENV];
	} else if (json_type(j, command) == JSON_ARRAY) {
		s->args_in_command = command;
		s->token[COMMAND] = json_first(j, command);
	}
	return true;
}

/* ---- the name here ---- */

static bool is_taken(const struct import *im, struct span name)
{
	for (unsigned i = 0; i < im->nservers; i++)
		if (span_eq(span_z(im->name[i]), name) || !span_absent(names_confused(span_z(im->name[i]), name)))
			return true;
	return false;
}

static bool name_it(struct import *im, struct span original)
{
	char *to = im->name[im->nservers];

	if (!import_word(original, to, IMPORT_NAME))
		memcpy(to, "server", sizeof "server");
	for (unsigned i = 2; is_taken(im, span_z(to)); i++) {
		char base[IMPORT_NAME];
		if (i == 100)
			return false;
		(void)import_word(original, base, IMPORT_NAME - 3);
		snprintf(to, IMPORT_NAME, "%.29s-%u", base[0] ? base : "server", i);
	}
	if (!span_eq(span_z(to), original))
		import_note(im, NOTHING, "is called otherwise here, for a name has letters, digits, - and _ and must not be mistaken for another: ", span_z(to));
	return true;
}

/* ---- writing ---- */

void import_member(struct import *im, const char *name)
{
	BUF_LIT(&im->out, ",\n\t\t\t\"");
	buf_put(&im->out, span_z(name));
	BUF_LIT(&im->out, "\": ");
}

void import_secret(struct import *im, const struct import_from *s, struct span of, const char *what)
{
	char word[64], path[128];

	if (!import_word(of, word, sizeof word))
		memcpy(word, "secret", sizeof "secret");
	snprintf(path, sizeof path, "secrets/%s.%s", s->name, word);
	BUF_LIT(&im->out, "{\"file\": ");
	json_write_string(&im->out, span_z(path));
	BUF_LIT(&im->out, "}");
	import_note(im, of, what, span_z(path));
	im->nfiles++;
}

static bool write_strings(struct import *im, uint32_t list, uint32_t from, bool *any)
{
	const struct json *j = &im->json;
	static char mem[4001];
	bool flag = false; /* the one before said that a secret comes next */

	for (uint32_t e = from; e != JSON_NONE; e = json_next(j, list, e)) {
		struct span text = import_text(im, e, mem, sizeof mem);
		const char *equals = text.n > 0 ? memchr(text.p, '=', text.n) : NULL;
		bool names = text.n > 1 && text.p[0] == '-' && import_is_secret_name(equals ? span_of(text.p, (size_t)(equals - text.p)) : text);

		if (span_absent(text)) {
			import_left_out(im, "is left out: an argument is no string, or too long", NOTHING);
			return false;
		}
		if ((names && equals) || (flag && text.n > 0 && text.p[0] != '-') || import_is_secret(text) || (equals && import_is_secret(span_from(text, (size_t)(equals + 1 - text.p))))) {
			import_left_out(im, "is left out: an argument seems to be a secret, and everybody on the machine can read arguments; most servers take it from a variable: put it into \"env\" there", NOTHING);
			return false;
		}
		if (import_is_reference(text)) {
			import_left_out(im, "is left out: nothing fills in variables here; write the value in place of ", import_reference(text));
			return false;
		}
		if (import_has_control(text)) {
			import_left_out(im, "is left out: there is a control character in an argument", NOTHING);
			return false;
		}
		flag = names && !equals;
		if (*any)
			BUF_LIT(&im->out, ", ");
		*any = true;
		json_write_string(&im->out, text);
	}
	return true;
}

static bool write_env(struct import *im, const struct import_from *s)
{
	const struct json *j = &im->json;
	uint32_t env = s->token[ENV];
	static const char *const scheme[] = { "://" };
	static char mem[8192];
	char name_mem[128];
	bool any = false;

	if (env == JSON_NONE || (json_type(j, env) == JSON_OBJECT && json_size(j, env) == 0))
		return true;
	if (json_type(j, env) != JSON_OBJECT) {
		import_left_out(im, "is left out: its \"env\" is no object", NOTHING);
		return false;
	}
	import_member(im, "env");
	BUF_LIT(&im->out, "{");
	for (uint32_t n = json_first(j, env); n != JSON_NONE; n = json_next(j, env, n)) {
		uint32_t value = json_value(j, n);
		struct span name = import_text(im, n, name_mem, sizeof name_mem);
		struct span text = json_type(j, value) == JSON_STRING ? import_text(im, value, mem, sizeof mem) :
			json_type(j, value) == JSON_NUMBER || json_type(j, value) == JSON_TRUE || json_type(j, value) == JSON_FALSE ? json_raw(j, value) : NOTHING;
		bool good = name.n > 0 && !(name.p[0] >= '0' && name.p[0] <= '9');

		for (size_t i = 0; i < name.n; i++) {
			char l = span_lower(name.p[i]);
			good = good && ((l >= 'a' && l <= 'z') || l == '_' || (l >= '0' && l <= '9'));
		}
		for (size_t i = 0; i < text.n; i++)
			good = good && ((unsigned char)text.p[i] >= ' ' || text.p[i] == '\n');
		bool path = text.n > 0 && (text.p[0] == '/' || text.p[0] == '.' || text.p[0] == '~');
		bool hidden = good && (import_is_reference(text) || (import_is_secret_name(name) && !path) || import_is_secret(text) || (import_has_word(text, scheme, 1) && import_is_secret_url(text)) || memchr(text.p, '\n', text.n));
		if (!good || span_absent(text)) {
			import_note(im, name, "in \"env\" is not kept: its name or its value cannot be a variable's", NOTHING);
			continue;
		}
		buf_put(&im->out, any ? SPAN(", ") : SPAN(""));
		any = true;
		json_write_string(&im->out, name);
		BUF_LIT(&im->out, ": ");
		if (hidden && text.n > 0)
			import_secret(im, s, name, import_is_reference(text) ? "in \"env\" was to be filled in by somebody else: put its value into the file " : "in \"env\" may be a secret: put its value into the file ");
		else
			json_write_string(&im->out, text);
	}
	BUF_LIT(&im->out, "}");
	return true;
}

bool import_plain(struct import *im, uint32_t token, const char *what, char *mem, size_t cap, struct span *text)
{
	char why[160];

	*text = import_text(im, token, mem, cap);
	if (span_absent(*text) || text->n == 0) {
		snprintf(why, sizeof why, "is left out: its %s is no text, or empty, or too long", what);
		import_left_out(im, why, NOTHING);
		return false;
	}
	if (import_has_control(*text)) {
		snprintf(why, sizeof why, "is left out: there is a control character in its %s", what);
		import_left_out(im, why, NOTHING);
		return false;
	}
	if (import_is_reference(*text)) {
		snprintf(why, sizeof why, "is left out: nothing fills in variables here; in its %s write the value in place of ", what);
		import_left_out(im, why, import_reference(*text));
		return false;
	}
	if (text->p[0] == '~' && (text->n == 1 || text->p[1] == '/')) {
		snprintf(why, sizeof why, "is left out: nothing fills in ~ here; write the directory in its %s", what);
		import_left_out(im, why, NOTHING);
		return false;
	}
	return true;
}

static bool write_program(struct import *im, const struct import_from *s)
{
	static const char *const windows[] = { "\\", "cmd.exe", "powershell" };
	static char mem[4096];
	struct span text;
	uint32_t list = s->token[ARGS];
	bool any = false;

	if (!import_plain(im, s->token[COMMAND], "command", mem, sizeof mem, &text))
		return false;
	if (span_ieq(text, SPAN("cmd")) || import_has_word(text, windows, 3)) {
		import_left_out(im, "is left out: its command is one of Windows", NOTHING);
		return false;
	}
	if (memchr(text.p, ' ', text.n) && !memchr(text.p, '/', text.n)) {
		import_left_out(im, "is left out: its command has several words, and no shell parts them here: write the first as \"command\" and the others into \"args\" there", NOTHING);
		return false;
	}
	json_write_string(&im->out, text);
	if (list != JSON_NONE && json_type(&im->json, list) != JSON_ARRAY) {
		import_left_out(im, "is left out: its arguments are no list", NOTHING);
		return false;
	}
	if (list != JSON_NONE || s->args_in_command != JSON_NONE) {
		import_member(im, "args");
		BUF_LIT(&im->out, "[");
		if (s->args_in_command != JSON_NONE && !write_strings(im, s->args_in_command, json_next(&im->json, s->args_in_command, s->token[COMMAND]), &any))
			return false;
		if (list != JSON_NONE && !write_strings(im, list, json_first(&im->json, list), &any))
			return false;
		BUF_LIT(&im->out, "]");
	}
	if (s->token[CWD] != JSON_NONE) {
		if (!import_plain(im, s->token[CWD], "working directory", mem, sizeof mem, &text))
			return false;
		import_member(im, "cwd");
		json_write_string(&im->out, text);
	}
	if (s->token[HEADERS] != JSON_NONE)
		import_note(im, NOTHING, "is a program: its headers are not kept", NOTHING);
	if (!write_env(im, s))
		return false;
	import_member(im, "network"); /* as it was; to be seen, and to be thought about */
	BUF_LIT(&im->out, "true");
	return true;
}

/* ---- which tools ---- */

static void tools(struct import *im, uint32_t list, bool allow)
{
	const struct json *j = &im->json;
	char mem[MCP_NAME_MAX];

	if (json_type(j, list) != JSON_ARRAY)
		return;
	im->limited[im->nservers] = im->limited[im->nservers] || allow;
	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e)) {
		struct span name = import_text(im, e, mem, sizeof mem);
		if (span_absent(name) || !span_absent(names_unfit(CATALOG_TOOL, name, MCP_NAME_MAX)) || memchr(name.p, '*', name.n) || im->nrules == IMPORT_RULES_MAX)
			import_note(im, NOTHING, "has a rule for a tool that is not kept, for no tool can have that name or there are too many: ", name);
		else
			im->rule[im->nrules++] = (struct import_rule){ im->nservers, allow, e };
	}
}

static bool is_word(const struct import *im, uint32_t token, const char *const *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (json_is(&im->json, token, span_z(word[i])))
			return true;
	return false;
}

/* False: it is left out, and it has been said why. */
static bool server(struct import *im, struct import_from *s)
{
	static const char *const http[] = { "http", "streamable-http", "streamableHttp", "streamable_http", "remote" }, *const program[] = { "stdio", "local" };
	const struct json *j = &im->json;
	uint32_t type = s->token[TYPE];
	bool by_url = s->token[URL] != JSON_NONE;
	char mem[2048];

	if (json_type(j, s->token[DISABLED]) == JSON_TRUE || json_type(j, s->token[ENABLED]) == JSON_FALSE) {
		import_left_out(im, "is left out: it is switched off there", NOTHING);
		return false;
	}
	struct span url = import_text(im, s->token[URL], mem, sizeof mem);
	if (json_is(j, type, SPAN("sse")) || (type == JSON_NONE && url.n > 4 && span_eq(span_from(url, url.n - 4), SPAN("/sse")))) {
		import_left_out(im, "is left out: it speaks HTTP with SSE as in the revision of 2024-11-05, which Postern does not; most such servers have a streamable one, often at /mcp", NOTHING);
		return false;
	}
	if (type != JSON_NONE && !is_word(im, type, http, 5) && !is_word(im, type, program, 2)) {
		import_left_out(im, "is left out: Postern knows no transport ", json_inner(j, type));
		return false;
	}
	if (by_url == (s->token[COMMAND] != JSON_NONE) || (type != JSON_NONE && is_word(im, type, http, 5) != by_url)) {
		import_left_out(im, "is left out: it needs either a command or a url, and a type that goes with it", NOTHING);
		return false;
	}
	BUF_LIT(&im->out, "\t\t\t\"");
	buf_put(&im->out, by_url ? SPAN("url") : SPAN("command"));
	BUF_LIT(&im->out, "\": ");
	return by_url ? import_by_url(im, s) : write_program(im, s);
}

void import_server(struct import *im, uint32_t name, uint32_t object)
{
	struct import_from s = { .args_in_command = JSON_NONE };
	static char mem[256];
	size_t start = im->out.n;
	unsigned files = im->nfiles, addresses = im->naddresses;

	im->at = import_text(im, name, mem, sizeof mem);
	if (json_type(&im->json, object) != JSON_OBJECT) {
		import_left_out(im, "is left out: it is no object", NOTHING);
		return;
	}
	if (im->nservers == CONF_SERVERS_MAX) {
		import_left_out(im, "is left out: Postern has at most 32 servers", NOTHING);
		return;
	}
	if (!collect(im, object, &s))
		return;
	if (!name_it(im, im->at)) {
		import_left_out(im, "is left out: too many servers have names like this one", NOTHING);
		return;
	}
	s.name = im->name[im->nservers];
	buf_put(&im->out, im->nservers > 0 ? SPAN(",\n\t\t\"") : SPAN("\t\t\""));
	buf_put(&im->out, span_z(s.name));
	BUF_LIT(&im->out, "\": {\n");
	if (!server(im, &s)) {
		im->out.n = start;
		im->nfiles = files;
		im->naddresses = addresses;
		return;
	}
	BUF_LIT(&im->out, "\n\t\t}");
	tools(im, s.token[DENY], false);
	tools(im, s.token[ALLOW], true);
	im->nservers++;
}
