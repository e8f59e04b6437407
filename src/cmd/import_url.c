/* A server that is reached by url: where it is, and the header that carries its credential. */
#include <stdio.h>

#include "cmd/import_priv.h"
#include "wire/http_value.h"
#include "wire/json_write.h"

#define NOTHING span_of(NULL, 0)

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
static void write_credential(struct import *im, struct import_from *s, struct span name, struct span value)
{
	const char *space = value.n > 0 ? memchr(value.p, ' ', value.n) : NULL;
	struct span scheme = space ? span_of(value.p, (size_t)(space - value.p)) : SPAN("");
	bool authorization = span_ieq(name, SPAN("Authorization"));

	if (!is_scheme(scheme, authorization))
		scheme = SPAN("");

	s->credential = true;
	snprintf(s->secret_header, sizeof s->secret_header, "%.*s", (int)name.n, name.p);
	import_member(im, "credentials");
	BUF_LIT(&im->out, "{\"secret\": ");
	import_secret(im, s, name, scheme.n > 0 ? "carries a credential: put what stands behind the first word into the file " : "carries a credential: put its value into the file ");
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

static bool write_headers(struct import *im, struct import_from *s, const struct import_url *u)
{
	const struct json *j = &im->json;
	uint32_t headers = s->token[HEADERS];
	static char name_mem[128], value_mem[8192];
	bool any = false;

	if (headers == JSON_NONE)
		return true;
	if (json_type(j, headers) != JSON_OBJECT) {
		import_left_out(im, "is left out: its \"headers\" are no object", NOTHING);
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
				import_left_out(im, "is left out: two of its headers carry a credential, and Postern shows one", NOTHING);
				return false;
			} else if (is_secret && !u->https && !u->local) {
				import_left_out(im, "is left out: its credential would pass the network in the clear; give it an https url there", NOTHING);
				return false;
			} else if (is_secret) {
				write_credential(im, s, name, value);
			} else {
				if (!any)
					import_member(im, "headers");
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

bool import_by_url(struct import *im, struct import_from *s)
{
	static const char *const keys[] = { "key=", "token=", "secret=", "password=", "auth=" };
	static char mem[2049];
	struct span text;
	struct import_url u;

	if (!import_plain(im, s->token[URL], "url", mem, sizeof mem - 1, &text))
		return false;
	if (!import_url(text, &u)) {
		import_left_out(im, "is left out: its url is none of http or https", NOTHING);
		return false;
	}
	if (u.password || import_is_secret_url(text) || (u.query.n > 0 && import_has_word(u.query, keys, sizeof keys / sizeof keys[0]))) {
		import_left_out(im, "is left out: its url carries a secret, and secrets never stand in a configuration; most servers take it from a header: write \"headers\" there", NOTHING);
		return false;
	}
	if (u.https && u.literal) {
		import_left_out(im, "is left out: its url has an IP address where a certificate has a name; write the name, and \"address\" beside it: ", u.host);
		return false;
	}
	const char *hash = memchr(text.p, '#', text.n);
	json_write_string(&im->out, hash ? span_of(text.p, (size_t)(hash - text.p)) : text);
	if (!u.literal && !u.local) {
		import_member(im, "address");
		BUF_LIT(&im->out, "\"192.0.2.1:");
		buf_u64(&im->out, u.port);
		BUF_LIT(&im->out, "\"");
		import_note(im, NOTHING, "needs an address, for Postern resolves no names: put the IP address in the place of 192.0.2.1, which leads nowhere: ", u.host);
		im->naddresses++;
	}
	if (u.https) {
		char path[96];
		snprintf(path, sizeof path, "ca/%s.pem", s->name);
		import_member(im, "tls");
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
