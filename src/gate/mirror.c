#include "gate/mirror.h"

#include "base/text.h"
#include "wire/http_write.h"
#include "wire/json_write.h"

static const struct mcp_fault fine = { 0, 0, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };

#define VERSION_HEADER SPAN("MCP-Protocol-Version")
#define METHOD_HEADER SPAN("Mcp-Method")
#define NAME_HEADER SPAN("Mcp-Name")

enum { REQUESTED_MAX = 64 }; /* bytes of a version that is not ours, said back */

static struct mcp_fault mismatch(struct span text, struct span header)
{
	return (struct mcp_fault){ MCP_HEADER_MISMATCH, 400, text, header, { NULL, 0 } };
}

/* There, and once. */
static struct mcp_fault once(const struct http_head *h, enum http_name id, struct span header)
{
	if (h->count[id] == 0)
		return mismatch(SPAN("A required header is missing"), header);
	if (h->count[id] > 1)
		return mismatch(SPAN("A header is there more than once"), header);
	return fine;
}

struct mcp_fault mirror_version_present(const struct http_head *h)
{
	return once(h, HTTP_MCP_PROTOCOL_VERSION, VERSION_HEADER);
}

static struct mcp_fault unserved(struct span given, struct buf *data)
{
	struct mcp_fault f = { MCP_UNSUPPORTED_VERSION, 400, SPAN("This server speaks " MCP_VERSION " only"), { NULL, 0 }, { NULL, 0 } };
	size_t start = data->n;

	BUF_LIT(data, "{\"supported\":[\"" MCP_VERSION "\"],\"requested\":");
	json_write_string(data, span_of(given.p, utf8_floor(given, REQUESTED_MAX)));
	BUF_LIT(data, "}");
	if (!data->full)
		f.data = span_of(data->p + start, data->n - start);
	return f;
}

struct mcp_fault mirror_version_alone(const struct mcp_message *m, const struct json *j, struct buf *data)
{
	char mem[4 * REQUESTED_MAX];
	struct buf given = buf_on(mem, sizeof mem);

	if (json_is(j, m->version, SPAN(MCP_VERSION)))
		return fine;
	json_text(j, m->version, &given);
	return unserved(given.full ? SPAN("") : buf_span(&given), data);
}

struct mcp_fault mirror_version(const struct http_head *h, const struct mcp_message *m, const struct json *j, struct buf *data)
{
	struct span given = h->known[HTTP_MCP_PROTOCOL_VERSION];
	struct mcp_fault f = mirror_version_present(h);

	if (f.code != 0)
		return f;
	if (!json_is(j, m->version, given))
		return mismatch(SPAN("A header differs from the protocolVersion in params._meta"), VERSION_HEADER);
	if (span_eq(given, SPAN(MCP_VERSION)))
		return fine;
	return unserved(given, data);
}

/* The header of a method that mirrors a member of params. */
static struct mcp_fault check_name(const struct http_head *h, const struct json *j, uint32_t mirrored, struct buf *scratch)
{
	struct mcp_fault f = once(h, HTTP_MCP_NAME, NAME_HEADER);
	size_t start = scratch->n;

	/* Nothing to mirror and nothing mirrored: the shape of params is another check's matter. */
	if (json_type(j, mirrored) != JSON_STRING && h->count[HTTP_MCP_NAME] == 0)
		return fine;
	if (f.code != 0)
		return f;
	if (http_read_mcp_value(h->known[HTTP_MCP_NAME], scratch) != MCP_VALUE_OK)
		return mismatch(SPAN("A header is malformed or too long: only visible ASCII and spaces, or =?base64?...?= with canonical base64"), NAME_HEADER);
	if (!json_is(j, mirrored, span_of(scratch->p + start, scratch->n - start)))
		return mismatch(SPAN("A header differs from the name or uri in params"), NAME_HEADER);
	return fine;
}

struct mcp_fault mirror_method(const struct http_head *h, const struct mcp_message *m, const struct json *j, struct buf *scratch)
{
	struct span named_by = mcp_method_named_by(m->method);
	struct mcp_fault f = once(h, HTTP_MCP_METHOD, METHOD_HEADER);

	if (f.code != 0)
		return f;
	if (!json_is(j, m->method_token, h->known[HTTP_MCP_METHOD]))
		return mismatch(SPAN("A header differs from the method in the body"), METHOD_HEADER);
	if (!span_absent(named_by))
		return check_name(h, j, json_get(j, m->params, named_by), scratch);
	return h->count[HTTP_MCP_NAME] > 1 ? once(h, HTTP_MCP_NAME, NAME_HEADER) : fine;
}
