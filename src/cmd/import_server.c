/* One server of an mcp.json. Members are told apart by the names that the common clients give them; what has no counterpart here is said. */
#include <stdio.h>

#include "cmd/import_priv.h"
#include "gate/names.h"
#include "wire/http_value.h"
#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

enum slot { TYPE, COMMAND, ARGS, ENV, CWD, URL, HEADERS, DISABLED, ENABLED, DENY, ALLOW, SLOTS, NOT_KEPT };

static const struct { const char *name; enum slot slot; const char *why; } members[] = {
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

struct server {
	uint32_t token[SLOTS];
	uint32_t args_in_command;      /* a list that begins with the program */
	const char *name;              /* here */
	char secret_header[80];        /* the header that became the credential */
	bool credential;
};

static void left_out(const struct import *im, const char *why, struct span shown) { import_note(im, NOTHING, why, shown); }

/* ---- members ---- */

static bool collect(struct import *im, uint32_t object, struct server *s)
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
			left_out(im, "is left out: it has two lists of arguments or of variables", NOTHING);
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

static void member(struct import *im, const char *name)
{
	BUF_LIT(&im->out, ",\n\t\t\t\"");
	buf_put(&im->out, span_z(name));
	BUF_LIT(&im->out, "\": ");
}

/* {"file": "secrets/SERVER.WORD"}, and what to put there. */
static void secret(struct import *im, const struct server *s, struct span of, const char *what)
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
			left_out(im, "is left out: an argument is no string, or too long", NOTHING);
			return false;
		}
		if ((names && equals) || (flag && text.n > 0 && text.p[0] != '-') || import_is_secret(text) || (equals && import_is_secret(span_from(text, (size_t)(equals + 1 - text.p))))) {
			left_out(im, "is left out: an argument seems to be a secret, and everybody on the machine can read arguments; most servers take it from a variable: put it into \"env\" there", NOTHING);
			return false;
		}
		if (import_is_reference(text)) {
			left_out(im, "is left out: nothing fills in variables here; write the value in place of ", import_reference(text));
			return false;
		}
		if (import_has_control(text)) {
			left_out(im, "is left out: there is a control character in an argument", NOTHING);
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

static bool write_env(struct import *im, const struct server *s)
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
		left_out(im, "is left out: its \"env\" is no object", NOTHING);
		return false;
	}
	member(im, "env");
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
			secret(im, s, name, import_is_reference(text) ? "in \"env\" was to be filled in by somebody else: put its value into the file " : "in \"env\" may be a secret: put its value into the file ");
		else
			json_write_string(&im->out, text);
	}
	BUF_LIT(&im->out, "}");
	return true;
}

/* A text member that a program or a path is taken from. */
static bool plain(struct import *im, uint32_t token, const char *what, char *mem, size_t cap, struct span *text)
{
	char why[160];

	*text = import_text(im, token, mem, cap);
	if (span_absent(*text) || text->n == 0) {
		snprintf(why, sizeof why, "is left out: its %s is no text, or empty, or too long", what);
		left_out(im, why, NOTHING);
		return false;
	}
	if (import_has_control(*text)) {
		snprintf(why, sizeof why, "is left out: there is a control character in its %s", what);
		left_out(im, why, NOTHING);
		return false;
	}
	if (import_is_reference(*text)) {
		snprintf(why, sizeof why, "is left out: nothing fills in variables here; in its %s write the value in place of ", what);
		left_out(im, why, import_reference(*text));
		return false;
	}
	if (text->p[0] == '~' && (text->n == 1 || text->p[1] == '/')) {
		snprintf(why, sizeof why, "is left out: nothing fills in ~ here; write the directory in its %s", what);
		left_out(im, why, NOTHING);
		return false;
	}
	return true;
}

static bool write_program(struct import *im, const struct server *s)
{
	static const char *const windows[] = { "\\", "cmd.exe", "powershell" };
	static char mem[4096];
	struct span text;
	uint32_t list = s->token[ARGS];
	bool any = false;

	if (!plain(im, s->token[COMMAND], "command", mem, sizeof mem, &text))
		return false;
	if (span_ieq(text, SPAN("cmd")) || import_has_word(text, windows, 3)) {
		left_out(im, "is left out: its command is one of Windows", NOTHING);
		return false;
	}
	if (memchr(text.p, ' ', text.n) && !memchr(text.p, '/', text.n)) {
		left_out(im, "is left out: its command has several words, and no shell parts them here: write the first as \"command\" and the others into \"args\" there", NOTHING);
		return false;
	}
	json_write_string(&im->out, text);
	if (list != JSON_NONE && json_type(&im->json, list) != JSON_ARRAY) {
		left_out(im, "is left out: its arguments are no list", NOTHING);
		return false;
	}
	if (list != JSON_NONE || s->args_in_command != JSON_NONE) {
		member(im, "args");
		BUF_LIT(&im->out, "[");
		if (s->args_in_command != JSON_NONE && !write_strings(im, s->args_in_command, json_next(&im->json, s->args_in_command, s->token[COMMAND]), &any))
			return false;
		if (list != JSON_NONE && !write_strings(im, list, json_first(&im->json, list), &any))
			return false;
		BUF_LIT(&im->out, "]");
	}
	if (s->token[CWD] != JSON_NONE) {
		if (!plain(im, s->token[CWD], "working directory", mem, sizeof mem, &text))
			return false;
		member(im, "cwd");
		json_write_string(&im->out, text);
	}
	if (s->token[HEADERS] != JSON_NONE)
		import_note(im, NOTHING, "is a program: its headers are not kept", NOTHING);
	if (!write_env(im, s))
		return false;
	member(im, "network"); /* as it was; to be seen, and to be thought about */
	BUF_LIT(&im->out, "true");
	return true;
}

/* ---- by url ---- */

static bool is_written_here(struct span name)
{
	static const struct span whole[] = { { "host", 4 }, { "te", 2 }, { "trailer", 7 }, { "connection", 10 }, { "keep-alive", 10 }, { "upgrade", 7 }, { "expect", 6 }, { "accept", 6 },
		{ "origin", 6 }, { "last-event-id", 13 } };
	static const struct span begins[] = { { "content-", 8 }, { "transfer-", 9 }, { "proxy-", 6 }, { "mcp-", 4 }, { "accept-", 7 } };

	for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
		if (span_ieq(name, whole[i]))
			return true;
	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (name.n >= begins[i].n && span_ieq(span_of(name.p, begins[i].n), begins[i]))
			return true;
	return false;
}

static bool header_good(struct span name, struct span value)
{
	bool good = name.n > 0 && name.n <= 64 && http_token_ok(name) && value.n <= 1024 && span_trim(value).n == value.n;

	for (size_t i = 0; i < value.n; i++)
		good = good && value.p[i] >= ' ' && value.p[i] <= '~';
	return good;
}

static bool has_secret(struct span name, struct span value)
{
	return import_is_secret_name(name) || import_is_secret(value) || import_is_reference(value) || span_ieq(name, SPAN("cookie"));
}

/* What is none is part of the secret. */
static bool is_scheme(struct span word, bool authorization)
{
	static const char *const known[] = { "Bearer", "Basic", "Token", "ApiKey", "Api-Key", "Key" };

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (span_ieq(word, span_z(known[i])))
			return true;
	for (size_t i = 0; i < word.n; i++)
		authorization = authorization && ((span_lower(word.p[i]) >= 'a' && span_lower(word.p[i]) <= 'z') || word.p[i] == '-');
	return authorization && word.n <= 16;
}

/* The header that carries the credential, if there is one: it goes into a file. */
static void write_credential(struct import *im, struct server *s, struct span name, struct span value)
{
	const char *space = value.n > 0 ? memchr(value.p, ' ', value.n) : NULL;
	struct span scheme = space ? span_of(value.p, (size_t)(space - value.p)) : SPAN("");
	bool authorization = span_ieq(name, SPAN("Authorization"));

	if (!is_scheme(scheme, authorization))
		scheme = SPAN("");

	s->credential = true;
	snprintf(s->secret_header, sizeof s->secret_header, "%.*s", (int)name.n, name.p);
	member(im, "credentials");
	BUF_LIT(&im->out, "{\"secret\": ");
	secret(im, s, name, scheme.n > 0 ? "carries a credential: put what stands behind the first word into the file " : "carries a credential: put its value into the file ");
	if (!authorization) {
		BUF_LIT(&im->out, ", \"header\": ");
		json_write_string(&im->out, name);
	}
	if (scheme.n > 0 ? !authorization || !span_eq(scheme, SPAN("Bearer")) : authorization) {
		BUF_LIT(&im->out, ", \"scheme\": ");
		json_write_string(&im->out, scheme);
	}
	BUF_LIT(&im->out, "}");
}

static bool write_headers(struct import *im, struct server *s, const struct import_url *u)
{
	const struct json *j = &im->json;
	uint32_t headers = s->token[HEADERS];
	static char name_mem[128], value_mem[8192];
	bool any = false;

	if (headers == JSON_NONE)
		return true;
	if (json_type(j, headers) != JSON_OBJECT) {
		left_out(im, "is left out: its \"headers\" are no object", NOTHING);
		return false;
	}
	for (int secrets = 1; secrets >= 0; secrets--) {
		for (uint32_t n = json_first(j, headers); n != JSON_NONE; n = json_next(j, headers, n)) {
			struct span name = import_text(im, n, name_mem, sizeof name_mem), value = import_text(im, json_value(j, n), value_mem, sizeof value_mem);
			bool good = header_good(name, value) && !span_absent(value), is_secret = good && has_secret(name, value);

			if (is_secret != (secrets == 1))
				continue;
			if (!good || is_written_here(name) || (is_secret && span_ieq(name, SPAN("cookie")))) {
				import_note(im, name, "in \"headers\" is not kept: Postern writes that one itself, or it cannot be a header", NOTHING);
			} else if (is_secret && s->credential) {
				left_out(im, "is left out: two of its headers carry a credential, and Postern shows one", NOTHING);
				return false;
			} else if (is_secret && !u->https && !u->local) {
				left_out(im, "is left out: its credential would pass the network in the clear; give it an https url there", NOTHING);
				return false;
			} else if (is_secret) {
				write_credential(im, s, name, value);
			} else {
				if (!any)
					member(im, "headers");
				buf_put(&im->out, any ? SPAN(", ") : SPAN("{"));
				any = true;
				json_write_string(&im->out, name);
				BUF_LIT(&im->out, ": ");
				json_write_string(&im->out, value);
			}
		}
	}
	if (any)
		BUF_LIT(&im->out, "}");
	return true;
}

static bool write_url(struct import *im, struct server *s)
{
	static const char *const keys[] = { "key=", "token=", "secret=", "password=", "auth=" };
	static char mem[2049];
	struct span text;
	struct import_url u;

	if (!plain(im, s->token[URL], "url", mem, sizeof mem - 1, &text))
		return false;
	if (!import_url(text, &u)) {
		left_out(im, "is left out: its url is none of http or https", NOTHING);
		return false;
	}
	if (u.password || import_is_secret_url(text) || (u.query.n > 0 && import_has_word(u.query, keys, sizeof keys / sizeof keys[0]))) {
		left_out(im, "is left out: its url carries a secret, and secrets never stand in a configuration; most servers take it from a header: write \"headers\" there", NOTHING);
		return false;
	}
	if (u.https && u.literal) {
		left_out(im, "is left out: its url has an IP address where a certificate has a name; write the name, and \"address\" beside it: ", u.host);
		return false;
	}
	const char *hash = memchr(text.p, '#', text.n);
	json_write_string(&im->out, hash ? span_of(text.p, (size_t)(hash - text.p)) : text);
	if (!u.literal && !u.local) {
		member(im, "address");
		BUF_LIT(&im->out, "\"192.0.2.1:");
		buf_u64(&im->out, u.port);
		BUF_LIT(&im->out, "\"");
		import_note(im, NOTHING, "needs an address, for Postern resolves no names: put the IP address in the place of 192.0.2.1, which leads nowhere: ", u.host);
		im->naddresses++;
	}
	if (u.https) {
		char path[96];
		snprintf(path, sizeof path, "ca/%s.pem", s->name);
		member(im, "tls");
		BUF_LIT(&im->out, "{\"ca\": ");
		json_write_string(&im->out, span_z(path));
		BUF_LIT(&im->out, "}");
		import_note(im, NOTHING, "needs the certificates of the authority that its own must end in: put them into the file ", span_z(path));
		im->nfiles++;
	}
	if (s->token[ARGS] != JSON_NONE || s->token[ENV] != JSON_NONE || s->token[CWD] != JSON_NONE)
		import_note(im, NOTHING, "is reached by url: what belongs to a program is not kept", NOTHING);
	return write_headers(im, s, &u);
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
static bool server(struct import *im, struct server *s)
{
	static const char *const http[] = { "http", "streamable-http", "streamableHttp", "streamable_http", "remote" }, *const program[] = { "stdio", "local" };
	const struct json *j = &im->json;
	uint32_t type = s->token[TYPE];
	bool by_url = s->token[URL] != JSON_NONE;
	char mem[2048];

	if (json_type(j, s->token[DISABLED]) == JSON_TRUE || json_type(j, s->token[ENABLED]) == JSON_FALSE) {
		left_out(im, "is left out: it is switched off there", NOTHING);
		return false;
	}
	struct span url = import_text(im, s->token[URL], mem, sizeof mem);
	if (json_is(j, type, SPAN("sse")) || (type == JSON_NONE && url.n > 4 && span_eq(span_from(url, url.n - 4), SPAN("/sse")))) {
		left_out(im, "is left out: it speaks HTTP with SSE as in the revision of 2024-11-05, which Postern does not; most such servers have a streamable one, often at /mcp", NOTHING);
		return false;
	}
	if (type != JSON_NONE && !is_word(im, type, http, 5) && !is_word(im, type, program, 2)) {
		left_out(im, "is left out: Postern knows no transport ", json_inner(j, type));
		return false;
	}
	if (by_url == (s->token[COMMAND] != JSON_NONE) || (type != JSON_NONE && is_word(im, type, http, 5) != by_url)) {
		left_out(im, "is left out: it needs either a command or a url, and a type that goes with it", NOTHING);
		return false;
	}
	BUF_LIT(&im->out, "\t\t\t\"");
	buf_put(&im->out, by_url ? SPAN("url") : SPAN("command"));
	BUF_LIT(&im->out, "\": ");
	return by_url ? write_url(im, s) : write_program(im, s);
}

void import_server(struct import *im, uint32_t name, uint32_t object)
{
	struct server s = { .args_in_command = JSON_NONE };
	static char mem[256];
	size_t start = im->out.n;
	unsigned files = im->nfiles, addresses = im->naddresses;

	im->at = import_text(im, name, mem, sizeof mem);
	if (json_type(&im->json, object) != JSON_OBJECT) {
		left_out(im, "is left out: it is no object", NOTHING);
		return;
	}
	if (im->nservers == CONF_SERVERS_MAX) {
		left_out(im, "is left out: Postern has at most 32 servers", NOTHING);
		return;
	}
	if (!collect(im, object, &s))
		return;
	if (!name_it(im, im->at)) {
		left_out(im, "is left out: too many servers have names like this one", NOTHING);
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
