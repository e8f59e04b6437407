#include <stdlib.h>

#include "page.h"
#include "tap.h"
#include "wire/http_head.h"

static const char *const error_names[HTTP_ERRORS] = {
	[HTTP_OK] = "ok", [HTTP_BAD_LINE] = "bad_line", [HTTP_BAD_VERSION] = "bad_version", [HTTP_BAD_TARGET] = "bad_target",
	[HTTP_BAD_FIELD] = "bad_field", [HTTP_TOO_MANY_FIELDS] = "too_many_fields", [HTTP_BAD_HOST] = "bad_host",
	[HTTP_BAD_LENGTH] = "bad_length", [HTTP_BAD_CODING] = "bad_coding", [HTTP_UNKNOWN_CODING] = "unknown_coding",
};

/* Escapes of the table, in place. */
static size_t unescape(char *s)
{
	char *out = s, *from = s;

	for (char *p = s; *p != '\0'; p++) {
		if (*p != '\\') {
			*out++ = *p;
			continue;
		}
		p++;
		if (*p == 'x') {
			char hex[3] = { p[1], p[2], '\0' };

			*out++ = (char)strtoul(hex, NULL, 16);
			p += 2;
		} else {
			*out++ = *p == 'r' ? '\r' : *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
		}
	}
	return (size_t)(out - from);
}

static bool inside(struct span s, struct span head)
{
	return span_absent(s) || (s.p >= head.p && s.p + s.n <= head.p + head.n);
}

static bool view_inside(const struct http_head *h, struct span head)
{
	bool good = h->nfields <= HTTP_FIELDS_MAX && inside(h->method_text, head) && inside(h->target, head) && inside(h->path, head) &&
	            inside(h->query, head);

	for (unsigned i = 0; i < h->nfields && i < HTTP_FIELDS_MAX; i++)
		good = good && inside(h->fields[i].name, head) && inside(h->fields[i].value, head);
	for (unsigned i = 0; i < HTTP_NAMES; i++)
		good = good && inside(h->known[i], head) && span_absent(h->known[i]) == (h->count[i] == 0);
	return good;
}

enum kind { REQUEST, RESPONSE, RESPONSE_TO_HEAD };

static enum http_error read_any(enum kind kind, struct http_head *h, struct span head, size_t *where)
{
	return kind == REQUEST ? http_request_read(h, head, where) : http_response_read(h, head, kind == RESPONSE_TO_HEAD, where);
}

static const char *verdict(enum kind kind, struct span head)
{
	static char text[128];
	static struct http_head h;
	size_t where = 0;
	enum http_error e = read_any(kind, &h, head, &where);

	if (!view_inside(&h, head))
		return "a span outside the head";
	if (where > head.n)
		return "an offset outside the head";
	if (e != HTTP_OK) {
		snprintf(text, sizeof(text), "%s@%zu", error_names[e], where);
		return text;
	}
	if (h.head_len != head.n)
		return "a head_len that is not the head's";
	if (h.framing == HTTP_LENGTH)
		snprintf(text, sizeof(text), "ok length=%" PRIu64, h.length);
	else
		snprintf(text, sizeof(text), "ok %s", h.framing == HTTP_NO_BODY ? "none" : h.framing == HTTP_CHUNKED ? "chunked" : "until_close");
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s", h.keep_alive ? " keep" : " close",
	    h.expect_continue ? " expect" : "", h.bad_expect ? " badexpect" : "");
	return text;
}

/* However the bytes arrive, the end is found at the same place, and every cut-off head is refused without a look past its end. */
static bool same_at_every_cut(enum kind kind, const char *text, size_t n)
{
	static struct http_head h;
	size_t scanned = 0, whole, where = 0;
	bool good = true;

	whole = http_head_end(text, n, &scanned);
	scanned = 0;
	for (size_t cut = 0; cut < n; cut++) {
		char *part = page_copy(text, cut);
		size_t fresh = 0, end = http_head_end(part, cut, &fresh), grown = http_head_end(part, cut, &scanned);

		good = good && (whole > cut ? end == 0 && grown == 0 : end == whole && grown == whole) && scanned <= cut;
		if (whole > cut || whole == 0)
			good = good && read_any(kind, &h, span_of(part, cut), &where) != HTTP_OK && view_inside(&h, span_of(part, cut));
		page_free(part, cut);
	}
	for (size_t cut = 0; cut < n; cut++) {
		size_t twice = 0;

		if (http_head_end(text, cut, &twice) == 0)
			good = good && http_head_end(text, n, &twice) == whole;
	}
	return good;
}

static void table(const char *file, enum kind kind)
{
	static char line[8192], name[8300];
	FILE *f = fopen(file, "r");
	unsigned number = 0;

	if (!ok(f != NULL, file))
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		char *text = strchr(line, '\t'), *copy;
		enum kind this = kind;
		size_t n, scanned = 0, end;

		number++;
		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (!ok(text != NULL, "a table line has a TAB"))
			continue;
		*text++ = '\0';
		if (kind == RESPONSE && strncmp(text, "HEAD ", 5) == 0) {
			this = RESPONSE_TO_HEAD;
			text += 5;
		}
		snprintf(name, sizeof(name), "line %u: %s", number, text);
		n = unescape(text);
		copy = page_copy(text, n);
		end = http_head_end(copy, n, &scanned);
		is_str(end == 0 ? "no end" : verdict(this, span_of(copy, end)), line, name);
		if (strncmp(line, "ok", 2) == 0)
			is_uint(end, n, "  the whole text is the head");
		ok(same_at_every_cut(this, text, n), "  the same at every cut");
		page_free(copy, n);
	}
	fclose(f);
}

static bool eq(struct span s, const char *z) { return span_eq(s, span_z(z)); }

static void a_view(void)
{
	static const char text[] = "POST /mcp/a%20b?q=1?2 HTTP/1.1\r\nHost: h:80\r\nMCP-Protocol-Version: 2026-07-28\r\nmcp-method: tools/call\r\n"
	                           "Mcp-Name:  two words \r\nMcp-Param-A: 1\r\nMcp-Param-: 2\r\nX-Other:\r\nMcp-Name: again\r\n\r\n";
	static struct http_head h;
	char *head = page_str(text);
	size_t where = 77;

	is_int(http_request_read(&h, span_of(head, strlen(text)), &where), HTTP_OK, "a full request is read");
	is_uint(where, 77, "where is untouched");
	is_int(h.method, HTTP_POST, "method");
	ok(eq(h.method_text, "POST"), "method text");
	ok(eq(h.target, "/mcp/a%20b?q=1?2"), "target");
	ok(eq(h.path, "/mcp/a%20b"), "path");
	ok(eq(h.query, "q=1?2"), "query up to the end");
	is_uint(h.nfields, 8, "fields in order");
	ok(eq(h.fields[1].name, "MCP-Protocol-Version"), "a name as written");
	ok(eq(h.known[HTTP_MCP_NAME], "two words"), "the first of two, trimmed");
	is_int(h.count[HTTP_MCP_NAME], 2, "both counted");
	ok(eq(h.known[HTTP_MCP_METHOD], "tools/call"), "Mcp-Method without case");
	is_int(h.fields[4].id, HTTP_MCP_PARAM, "Mcp-Param-A");
	is_int(h.fields[5].id, HTTP_OTHER, "Mcp-Param- needs a suffix");
	is_int(h.fields[6].id, HTTP_OTHER, "unknown");
	ok(!span_absent(h.fields[6].value) && h.fields[6].value.n == 0, "an empty value is there");
	ok(span_absent(h.known[HTTP_ORIGIN]) && h.count[HTTP_ORIGIN] == 0, "what was not there is absent");
	page_free(head, strlen(text));
}

static void methods(void)
{
	static const struct {
		const char *text;
		enum http_method method;
	} all[] = { { "GET", HTTP_GET },         { "POST", HTTP_POST },  { "DELETE", HTTP_DELETE },       { "OPTIONS", HTTP_OPTIONS },
		    { "HEAD", HTTP_HEAD },       { "get", HTTP_METHOD_OTHER }, { "PUT", HTTP_METHOD_OTHER }, { "PATCH", HTTP_METHOD_OTHER },
		    { "POSTS", HTTP_METHOD_OTHER }, { "G", HTTP_METHOD_OTHER }, { "DELETF", HTTP_METHOD_OTHER }, { "HEAp", HTTP_METHOD_OTHER } };
	static struct http_head h;
	char text[64];
	size_t where;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: a\r\n\r\n", all[i].text);
		is_int(http_request_read(&h, span_z(text), &where), HTTP_OK, all[i].text);
		is_int(h.method, all[i].method, "  its method");
	}
}

/* Each known name in three spellings; every name one byte away from it is another. */
static void names(void)
{
	static const struct {
		const char *name;
		enum http_name id;
	} all[] = { { "Host", HTTP_HOST }, { "Content-Length", HTTP_CONTENT_LENGTH }, { "Transfer-Encoding", HTTP_TRANSFER_ENCODING },
		    { "Connection", HTTP_CONNECTION }, { "Content-Type", HTTP_CONTENT_TYPE }, { "Content-Encoding", HTTP_CONTENT_ENCODING },
		    { "Accept", HTTP_ACCEPT }, { "Origin", HTTP_ORIGIN }, { "Expect", HTTP_EXPECT }, { "Upgrade", HTTP_UPGRADE },
		    { "Authorization", HTTP_AUTHORIZATION }, { "DPoP", HTTP_DPOP }, { "Keep-Alive", HTTP_KEEP_ALIVE }, { "Retry-After", HTTP_RETRY_AFTER },
		    { "Access-Control-Request-Method", HTTP_ACR_METHOD }, { "Access-Control-Request-Headers", HTTP_ACR_HEADERS },
		    { "MCP-Protocol-Version", HTTP_MCP_PROTOCOL_VERSION }, { "Mcp-Method", HTTP_MCP_METHOD }, { "Mcp-Name", HTTP_MCP_NAME },
		    { "Mcp-Session-Id", HTTP_MCP_SESSION_ID }, { "Last-Event-ID", HTTP_LAST_EVENT_ID }, { "Postern-Identity", HTTP_POSTERN_IDENTITY },
		    { "Mcp-Param-x", HTTP_MCP_PARAM }, { "Mcp-Param-abc", HTTP_MCP_PARAM }, { "Mcp-Param-abcd", HTTP_MCP_PARAM },
		    { "Mcp-Param-Region", HTTP_MCP_PARAM }, { "Mcp-Param-Retry-After-And-More", HTTP_MCP_PARAM } };
	static struct http_head h;
	size_t where;

	is_int(sizeof(all) / sizeof(all[0]), HTTP_NAMES + 5, "every name is in this list");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool good = true, far = true;

		for (int spelling = 0; spelling < 3; spelling++) {
			char text[128], *name = text + 17;

			snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s: 1\r\n\r\n", all[i].name);
			for (size_t k = 0; k < strlen(all[i].name); k++)
				if (name[k] >= 'a' && name[k] <= 'z' && spelling == 1)
					name[k] = (char)(name[k] - 32);
				else if (name[k] >= 'A' && name[k] <= 'Z' && spelling == 2)
					name[k] = (char)(name[k] + 32);
			(void)http_response_read(&h, span_z(text), true, &where);
			good = good && h.nfields == 1 && h.fields[0].id == all[i].id;
		}
		ok(good, all[i].name);
		for (size_t k = 0; k < strlen(all[i].name); k++) {
			for (int c = 1; c < 256; c++) {
				char text[128], *name = text + 17;

				snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s: 1\r\n\r\n", all[i].name);
				if (span_lower((char)c) == span_lower(name[k]) || (k >= 10 && all[i].id == HTTP_MCP_PARAM))
					continue;
				name[k] = (char)c;
				if (http_response_read(&h, span_z(text), true, &where) == HTTP_OK && h.fields[0].id != HTTP_OTHER)
					far = false;
			}
		}
		ok(far, "  and nothing near it");
	}
}

static void limits(void)
{
	static char text[65536];
	static struct http_head h;
	size_t n, scanned = 0, where = 0, calls = 0;

	for (int count = HTTP_FIELDS_MAX; count <= HTTP_FIELDS_MAX + 1; count++) {
		n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n");
		for (int i = 1; i < count; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "X: %d\r\n", i);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
		is_int(http_request_read(&h, span_of(text, n), &where), count > HTTP_FIELDS_MAX ? HTTP_TOO_MANY_FIELDS : HTTP_OK, "number of fields");
	}
	is_uint(where, n - 2 - strlen("X: 64\r\n"), "the field too many is named");
	/* Content-Length 65 times: the counter must not come round. */
	n = (size_t)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n");
	for (int i = 0; i < HTTP_FIELDS_MAX - 1; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "Content-Length: 1\r\n");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "Host: a\r\n\r\n");
	is_int(http_request_read(&h, span_of(text, n), &where), HTTP_BAD_LENGTH, "the same field 63 times");
	/* One byte at a time over a long line: each call begins where the last one stopped. */
	memset(text, 'a', sizeof(text));
	for (n = 0; n <= sizeof(text); n++) {
		if (n > 0 && scanned != n - 1)
			calls++;
		(void)http_head_end(text, n, &scanned);
	}
	is_uint(calls, 0, "an endless line is looked at once");
}

static void answers(void)
{
	static const unsigned status[HTTP_ERRORS] = { 200, 400, 505, 400, 400, 431, 400, 400, 400, 501 };

	for (int e = 0; e < HTTP_ERRORS; e++) {
		is_uint(http_error_status((enum http_error)e), status[e], error_names[e]);
		ok(http_error_text((enum http_error)e).n > 0 && http_value_ok(http_error_text((enum http_error)e)), "  has a sentence");
	}
	is_uint(http_error_status(HTTP_ERRORS), 400, "no status is invented");
	ok(http_error_text(HTTP_ERRORS).n > 0, "nor an empty sentence");
}

int main(void)
{
	table("tests/table/http-request.txt", REQUEST);
	table("tests/table/http-response.txt", RESPONSE);
	a_view();
	methods();
	names();
	limits();
	answers();
	return done_testing();
}
