#include "conf/conf_priv.h"
#include "gate/names.h"

/* One worker's large buffers may not pass this: what is more is a slip of the keyboard, and mmap would say so less well. */
#define LARGE_TOTAL_MAX (UINT64_C(8) << 30)

static bool same_address(const struct addr *a, const struct addr *b)
{
	return a->family != 0 && a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

/* Port 0 is a new port each time. */
static bool same_door(const struct addr *a, const struct addr *b)
{
	return a->port != 0 && same_address(a, b);
}

static void doors(struct conf_reader *r)
{
	const struct conf *c = r->c;
	uint32_t list = conf_member(r, JSON_ROOT, "listeners"), servers = conf_member(r, JSON_ROOT, "mcpServers");
	uint32_t e = c->nlisteners > 0 ? json_first(&r->json, list) : JSON_NONE;

	for (unsigned i = 0; i < c->nlisteners; i++, e = json_next(&r->json, list, e)) {
		for (unsigned k = 0; k < i; k++)
			if (same_door(&c->listeners[i].address, &c->listeners[k].address)) {
				struct buf *b = conf_say(r, conf_member(r, e, "address"));

				BUF_LIT(b, "this is the address of /listeners/");
				buf_u64(b, k);
				BUF_LIT(b, " too; each listener needs one of its own");
				conf_said(r);
				break;
			}
		if (same_door(&c->listeners[i].address, &c->admin))
			conf_complain(r, conf_member(r, conf_member(r, JSON_ROOT, "admin"), "address"),
				SPAN("a listener has this address; the admin listener needs one of its own"));
	}
	e = c->nservers > 0 ? json_first(&r->json, servers) : JSON_NONE;
	for (unsigned i = 0; i < c->nservers; i++, e = json_next(&r->json, servers, e))
		for (unsigned k = 0; k < c->nlisteners; k++)
			if (same_door(&c->servers[i].address, &c->listeners[k].address))
				conf_complain(r, conf_member(r, json_value(&r->json, e), "url"),
					SPAN("this upstream is Postern's own listener: each call would come back to it; write the upstream's address"));
}

/* A pool that can never be used up is a misunderstanding; unless it was written down, it just shrinks to what can be used. */
static void at_most(struct conf_reader *r, const char *name, uint32_t *value, const char *by, uint32_t most)
{
	uint32_t token = conf_member(r, conf_member(r, JSON_ROOT, "memory"), name);
	struct buf *b;

	if (*value <= most)
		return;
	if (token == JSON_NONE) {
		*value = most;
		return;
	}
	b = conf_say(r, token);
	buf_u64(b, *value);
	BUF_LIT(b, " is more than \"");
	buf_put(b, span_z(by));
	BUF_LIT(b, "\" (");
	buf_u64(b, most);
	BUF_LIT(b, "), and each of these needs one of those; lower this or raise that");
	conf_said(r);
}

static void memory(struct conf_reader *r)
{
	struct conf *c = r->c;
	uint64_t each = c->memory.body > c->memory.reply ? c->memory.body : c->memory.reply, total = 0;
	uint64_t tls = c->memory.connections;
	struct buf *b;

	at_most(r, "requests", &c->memory.requests, "connections", c->memory.connections);
	at_most(r, "listens", &c->memory.listens, "connections", c->memory.connections);
	at_most(r, "listens_per_caller", &c->memory.listens_per_caller, "listens", c->memory.listens);
	/* Clients and upstreams together; more can never be at work. */
	for (unsigned i = 0; i < c->nservers; i++)
		tls += c->servers[i].tls.on ? c->memory.links : 0;
	if (c->memory.records > tls)
		c->memory.records = (uint32_t)tls;
	if (!__builtin_mul_overflow(each, (uint64_t)c->memory.large, &total) && total <= LARGE_TOTAL_MAX)
		return;
	b = conf_say(r, conf_member(r, JSON_ROOT, "memory"));
	BUF_LIT(b, "\"large\" buffers of the larger of \"body\" and \"reply\" come to ");
	conf_size_text(b, total);
	BUF_LIT(b, " in each worker; 8g is the limit: lower one of the three");
	conf_said(r);
}

static void children(struct conf_reader *r)
{
	uint64_t total = 0;
	struct buf *b;

	for (unsigned i = 0; i < r->c->nservers; i++)
		total += r->c->servers[i].kind == CONF_STDIO ? r->c->servers[i].children : 0;
	if (total <= CONF_CHILDREN_MAX)
		return;
	b = conf_say(r, conf_member(r, JSON_ROOT, "mcpServers"));
	BUF_LIT(b, "the \"children\" of all servers that are started come to ");
	buf_u64(b, total);
	BUF_LIT(b, "; 256 is the limit: lower some of them");
	conf_said(r);
}

/* Nobody's own token, and no key of ours, reaches the process that speaks to old servers. */
static void eras(struct conf_reader *r)
{
	uint32_t servers = conf_member(r, JSON_ROOT, "mcpServers"), name = r->c->nservers > 0 ? json_first(&r->json, servers) : JSON_NONE;

	for (unsigned i = 0; i < r->c->nservers; i++, name = json_next(&r->json, servers, name)) {
		const struct conf_server *v = &r->c->servers[i];

		if (v->kind == CONF_HTTP && v->era == CONF_ERA_LEGACY && !conf_bridged(v))
			conf_complain(r, conf_member(r, json_value(&r->json, name), "era"), v->tls.has_own
				? SPAN("found \"legacy\" beside a client certificate; a server of an older revision can be had with a \"secret\" or \"client_credentials\" only")
				: SPAN("found \"legacy\" beside \"token_exchange\"; a server of an older revision has one session for many callers: "
					"\"secret\" or \"client_credentials\" fit it"));
	}
}

/* Every two servers, the later one named: in the order of the file that is the one that came into it. */
static void names(struct conf_reader *r)
{
	struct conf *c = r->c;
	uint32_t servers = conf_member(r, JSON_ROOT, "mcpServers"), name = c->nservers > 0 ? json_first(&r->json, servers) : JSON_NONE;

	if (c->name_max == 0)
		c->name_max = c->plain ? MCP_NAME_MAX : NAMES_CLIENTS_MAX;
	for (unsigned i = 0; i < c->nservers; i++, name = json_next(&r->json, servers, name)) {
		struct span mine = c->servers[i].name;

		if (!c->plain && conf_server_name_ok(mine) && mine.n + 2 >= c->name_max) {
			struct buf *b = conf_say(r, name);
			BUF_LIT(b, "with this name and __ in front no tool's name fits into \"name_max\" (");
			buf_u64(b, c->name_max);
			BUF_LIT(b, "); a shorter name does");
			conf_said(r);
		}
		for (unsigned k = 0; k < i; k++) {
			struct span other = c->servers[k].name, why = conf_server_name_ok(mine) && conf_server_name_ok(other) ? names_confused(other, mine) : span_of(NULL, 0);
			if (span_absent(why))
				continue;
			struct buf *b = conf_say(r, name);
			BUF_LIT(b, "this name could be taken for that of the server \"");
			conf_shown(b, other, 64);
			BUF_LIT(b, "\" above: ");
			buf_put(b, why);
			BUF_LIT(b, "; give one of the two another name");
			conf_said(r);
			break;
		}
	}
}

void conf_cross(struct conf_reader *r)
{
	const struct conf *c = r->c;

	if (json_type(&r->json, JSON_ROOT) != JSON_OBJECT)
		return;
	doors(r);
	names(r);
	memory(r);
	children(r);
	eras(r);
	conf_cross_identity(r);
	conf_cross_policy(r);
	if (c->plain && c->nservers > 1) {
		struct buf *b = conf_say(r, conf_member(r, JSON_ROOT, "names"));

		BUF_LIT(b, "found \"plain\" with ");
		buf_u64(b, c->nservers);
		BUF_LIT(b, " servers; plain names need exactly one: write \"prefixed\", or leave one server");
		conf_said(r);
	}
}
