/* Which revisions a server at a url speaks, from what comes back for server/discover asked over HTTP (mcp.md 12.1): ours, or an older one, which is
 * then asked over the line of its bridge. What says neither (no connection, 401, 403, 5xx, a timeout) changes nothing. */
#include "flow/leg.h"
#include "flow/way.h"

#define NOTHING span_of(NULL, 0)

void way_begin(struct upstream *up)
{
	up->catalog_again = false;
	up->probing = up->set->kind == FLOW_HTTP && up->set->era == FLOW_ERA_AUTO && (!up->bridged || flow_now(up->f) >= up->probe_ms);
}

void way_modern(struct upstream *up)
{
	if (!up->probing)
		return;
	if (up->bridged)
		flow_log(up->f, SPAN("upstream"), up->set->name, SPAN("speaks MCP " MCP_VERSION " now, and is asked directly"));
	up->probing = up->bridged = false;
	up->era_known = true;
}

/* It is asked by line from now on. */
static void bridge(struct upstream *up)
{
	if (!up->bridged)
		flow_log(up->f, SPAN("upstream"), up->set->name, SPAN("speaks no MCP " MCP_VERSION ": it is asked for an older revision, over its bridge"));
	up->probing = false;
	up->bridged = up->era_known = true;
	up->probe_ms = flow_now(up->f) + FLOW_PROBE_MS;
}

/* Its bridge could not begin a session: which revision the server speaks is found out again, at once. */
static void bridge_fails(struct upstream *up)
{
	if (up->bridged && up->set->era == FLOW_ERA_AUTO && up->catalog_asked == MCP_DISCOVER)
		up->probe_ms = flow_now(up->f);
}

bool way_refused(struct upstream *up, enum leg_fault fault, unsigned status)
{
	bool client_fault = status >= 400 && status < 500 && status != 401 && status != 403 && status != 408 && status != 429;

	if (!up->probing) {
		bridge_fails(up);
		return false;
	}
	if (!up->bridged && !((fault == LEG_BROKEN || fault == LEG_REFUSED) && (status == 200 || client_fault)))
		return false;
	bridge(up);
	return true;
}

static bool lists_ours(const struct json *j, uint32_t list)
{
	if (json_type(j, list) != JSON_ARRAY)
		return false;
	for (uint32_t e = json_first(j, list); e != JSON_NONE; e = json_next(j, list, e))
		if (json_is(j, e, SPAN(MCP_VERSION)))
			return true;
	return false;
}

enum way_answer way_answered(struct upstream *up, const struct mcp_message *m, unsigned status)
{
	const struct json *j = &up->f->json;
	int64_t code = 0;

	if (m->kind == MCP_ERROR)
		(void)json_int(j, json_get(j, m->error, SPAN("code")), &code);
	if (code == MCP_UNSUPPORTED_VERSION && lists_ours(j, json_get(j, json_get(j, m->error, SPAN("data")), SPAN("supported"))) && !up->catalog_again) {
		up->catalog_again = true; /* it knows our version and refused it: once more */
		return WAY_AGAIN;
	}
	if (!up->probing && m->kind == MCP_ERROR)
		bridge_fails(up);
	if (!up->probing || code == MCP_HEADER_MISMATCH || code == MCP_MISSING_CAPABILITY || (code == MCP_METHOD_NOT_FOUND && status == 404))
		return WAY_NONE;
	if (status >= 500 && !up->bridged)
		return WAY_NONE;
	bridge(up);
	return WAY_AGAIN;
}
