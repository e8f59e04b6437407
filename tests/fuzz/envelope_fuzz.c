/*
 * A request as the gate sees it. Input: header lines, an empty line, the body; without an empty line all is body. Whatever is in it, the
 * checks end, a fault is one of ours with a status and a text, the id is a piece of the body, and the Mcp-Param lines that would go
 * upstream pass the same check again and come out the same.
 */
#include <stdlib.h>

#include "base/text.h"
#include "gate/catalog.h"
#include "gate/cursor.h"
#include "gate/host.h"
#include "gate/mirror.h"
#include "gate/passport.h"
#include "gate/request_state.h"
#include "gate/task_id.h"

enum { TOKENS = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char tools[] =
	"{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"s\":{\"type\":\"string\",\"x-mcp-header\":\"S\"},"
	"\"i\":{\"type\":\"integer\",\"x-mcp-header\":\"I\"},\"b\":{\"type\":\"boolean\",\"x-mcp-header\":\"B\"},"
	"\"o\":{\"properties\":{\"s\":{\"type\":\"string\",\"x-mcp-header\":\"Deep\"}}}}}}";

static struct json_table *table;
static struct catalog catalog;
static char head_text[1 << 16], scratch_mem[8192], fields_mem[2][1 << 16], error_mem[1 << 17];

static void must(bool right)
{
	if (!right)
		__builtin_trap();
}

static void start(void)
{
	static const uint8_t seed[16];
	struct span why;
	struct json j;
	size_t where, need = (json_table_need(TOKENS) + 15) & ~(size_t)15;

	table = aligned_alloc(16, need);
	must(table != NULL);
	table = json_table_place(table, TOKENS, seed);
	must(json_read(&j, table, span_z(tools), &where) == JSON_OK);
	catalog_clear(&catalog);
	must(catalog_learn(&catalog, &j, JSON_ROOT, &why) == CATALOG_MIRRORS);
}

static void check(struct mcp_fault f, struct span id)
{
	struct buf b = buf_on(error_mem, sizeof error_mem);

	if (f.code == 0)
		return;
	must(f.code == MCP_INVALID_REQUEST || f.code == MCP_INVALID_PARAMS || f.code == MCP_HEADER_MISMATCH || f.code == MCP_UNSUPPORTED_VERSION);
	must(f.status == 400 || f.status == 431);
	must(f.text.n > 0);
	mcp_error_write(&b, id, &f);
	must(!b.full && utf8_valid(buf_span(&b)));
}

static bool read_head(struct http_head *h, struct span lines)
{
	struct buf b = buf_on(head_text, sizeof head_text);
	size_t where;

	BUF_LIT(&b, "POST /mcp HTTP/1.1\r\nHost: localhost\r\n");
	buf_put(&b, lines);
	BUF_LIT(&b, "\r\n");
	return !b.full && http_request_read(h, buf_span(&b), &where) == HTTP_OK;
}

static void params(struct http_head *h, const struct json *j, const struct mcp_message *m)
{
	struct buf scratch = buf_on(scratch_mem, sizeof scratch_mem), once = buf_on(fields_mem[0], sizeof fields_mem[0]), twice = buf_on(fields_mem[1], sizeof fields_mem[1]);
	const struct catalog_tool *tool = json_is(j, m->name, SPAN("t")) ? catalog_find(&catalog, SPAN("t")) : NULL;
	struct mcp_fault f = catalog_params(&catalog, tool, h, j, m->arguments, &scratch, &once);

	check(f, m->id);
	if (f.code != 0) {
		must(once.n == 0);
		return;
	}
	must(read_head(h, buf_span(&once)));
	buf_reset(&scratch);
	must(catalog_params(&catalog, tool, h, j, m->arguments, &scratch, &twice).code == 0);
	must(span_eq(buf_span(&once), buf_span(&twice)));
}

/* Nobody finds what was sealed. */
static void seals(struct span text, struct buf *scratch)
{
	static const uint8_t key[SEAL_KEY];
	static const struct passport_keys keys;
	static const struct request_of of = { MCP_TOOLS_CALL, { "n", 1 }, { "{}", 2 } };
	const struct span name = { "s", 1 };
	struct cursor_place at;
	struct span tool, inner;
	struct identity who;
	unsigned server;

	buf_reset(scratch);
	must(!cursor_open(text, key, MCP_TOOLS_LIST, &name, 1, &at, scratch) && !task_id_open(text, key, &name, 1, &server, scratch, &tool, &inner) && scratch->n == 0);
	must(!request_state_open(text, key, &name, 1, &of, 0, &server) && !passport_read(text, &keys, 1, &who));
}

static void request(struct http_head *h, const struct json *j, struct mcp_message *m)
{
	struct buf scratch = buf_on(scratch_mem, sizeof scratch_mem);
	struct mcp_fault f = mcp_request_meta(m, j);

	check(f, m->id);
	if (f.code != 0)
		return;
	check(mirror_version_present(h), m->id);
	check(mirror_version(h, m, j, &scratch), m->id);
	buf_reset(&scratch);
	check(mirror_method(h, m, j, &scratch), m->id);
	f = mcp_request_params(m, j);
	check(f, m->id);
	if (f.code != 0)
		return;
	if (m->cursor != JSON_NONE)
		seals(json_inner(j, m->cursor), &scratch);
	if (m->method == MCP_TOOLS_CALL)
		params(h, j, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct host_rules rules = { { 4, { 127, 0, 0, 1 }, 80 }, NULL, 0, NULL, 0 };
	struct span all = span_of((const char *)data, n), lines = span_of((const char *)data, 0), body = all;
	static struct http_head h;
	struct mcp_message m;
	struct json j;
	size_t where;

	if (table == NULL)
		start();
	for (size_t i = 0; i + 4 <= n; i++) {
		if (memcmp(data + i, "\r\n\r\n", 4) == 0) {
			lines = span_of(all.p, i + 2);
			body = span_from(all, i + 4);
			break;
		}
	}
	if (!read_head(&h, lines) && !read_head(&h, span_of(all.p, 0)))
		return 0;
	must(host_check(&rules, &h) != HOST_FOREIGN);
	if (json_read(&j, table, body, &where) != JSON_OK)
		return 0;

	struct mcp_fault f = mcp_message_read(&m, &j);
	must(span_absent(m.id) || (m.id.p >= body.p && m.id.p + m.id.n <= body.p + body.n && m.id.n > 0 && m.id.n <= MCP_ID_MAX));
	check(f, m.id);
	if (f.code != 0)
		return 0;
	switch (m.kind) {
	case MCP_REQUEST:
		must(!span_absent(m.id));
		request(&h, &j, &m);
		break;
	case MCP_NOTIFICATION:
		check(mcp_event_check(&m, &j), m.id);
		break;
	case MCP_RESULT:
	case MCP_ERROR:
		for (unsigned method = 0; method < MCP_REQUESTS; method++)
			check(mcp_reply_check(&m, &j, (enum mcp_method)method), m.id);
		break;
	}
	return 0;
}
