/* Lists of several upstreams, on the network of sim.h: scripted servers with pages, faults and silence; what a client is told is compared with
 * what the script says. And subscriptions to several: lost upstreams, and what is said when they are back. */
#include <stdarg.h>
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "tap.h"
#include "unit/flow/sim.h"
#include "flow/list.h"
#include "wire/crypto.h"

#define KEY_ACME "postern_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_BOLT "postern_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"

enum { SERVERS = 3, QUESTIONS = 4096 };
enum mode { GOOD, SILENT, REFUSES, HANGS_UP, GARBAGE, NO_LIST, NO_SUCH, FAILS, FORGETS, MODES };
static const char *const mode_names[MODES] = { "good", "silent", "unreachable", "hanging up", "talking garbage", "without a list", "without such a list",
	"failing", "forgetting cursors" };

static struct server {
	enum mode mode;
	unsigned entries, per_page;
	unsigned pad;               /* bytes in each entry besides its name */
	int ttl_ms;
	const char *scope, *caps, *instructions;
	bool no_acknowledgement, circle;
} server[SERVERS];

static struct question {
	int server;
	char method[40], cursor[40], text[600];
	uint64_t id;
	struct sim_conn *on;
	bool answered;
} asked[QUESTIONS];
static unsigned nasked;

static struct flow_settings set;
static struct loop loop;
static struct metrics metrics;
static struct flow *f;
static char *area;

#define CAPS "\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":true},\"resources\":{\"subscribe\":true,\"listChanged\":true}"

/* ---- the servers ---- */

static char big[1 << 21];

static void http(struct sim_conn *c, const char *type, const char *body)
{
	char head[200];
	int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", type, strlen(body));
	sim_say(c, head, (size_t)n);
	sim_say(c, body, strlen(body));
}

static void event(struct sim_conn *c, const char *json)
{
	char text[2000];
	int n = snprintf(text, sizeof text, "%zx\r\ndata: %s\n\n\r\n", strlen(json) + 8, json);
	sim_say(c, text, (size_t)n);
}

static const char *kind_of(const char *method)
{
	return strcmp(method, "tools/list") == 0 ? "tools" : strcmp(method, "prompts/list") == 0 ? "prompts" :
		strcmp(method, "resources/list") == 0 ? "resources" : "resourceTemplates";
}

static int one_entry(char *to, size_t cap, const char *kind, int s, unsigned i, unsigned pad, bool prefixed)
{
	static char fill[100001];
	char prefix[20] = "";
	memset(fill, 'x', sizeof fill - 1);
	if (prefixed && (kind[0] == 't' || kind[0] == 'p'))
		snprintf(prefix, sizeof prefix, "s%d__", s);
	return snprintf(to, cap, "{\"name\":\"%sn%d.%u\"%s%s,\"pad\":\"%.*s\"}", prefix, s, i,
	    kind[0] == 't' ? ",\"inputSchema\":{\"type\":\"object\"}" : kind[0] == 'r' && kind[8] == 's' ? ",\"uri\":\"x://1\"" : "",
	    strcmp(kind, "resourceTemplates") == 0 ? ",\"uriTemplate\":\"x://{a}\"" : "", (int)pad, fill);
}

static void answer_list(struct question *q)
{
	const struct server *s = &server[q->server];
	unsigned from = q->cursor[0] ? (unsigned)strtoul(q->cursor + 1, NULL, 10) : 0, to = from + s->per_page < s->entries ? from + s->per_page : s->entries;
	size_t n = (size_t)snprintf(big, sizeof big, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",\"ttlMs\":%d,\"cacheScope\":\"%s\",\"%s\":[",
	    (unsigned long long)q->id, s->ttl_ms, s->scope, kind_of(q->method));
	for (unsigned i = from; i < to; i++) {
		if (i > from)
			big[n++] = ',';
		n += (size_t)one_entry(big + n, sizeof big - n, kind_of(q->method), q->server, i, s->pad, false);
	}
	n += (size_t)snprintf(big + n, sizeof big - n, "]");
	if (s->circle)
		n += (size_t)snprintf(big + n, sizeof big - n, ",\"nextCursor\":\"c0\"");
	else if (to < s->entries)
		n += (size_t)snprintf(big + n, sizeof big - n, ",\"nextCursor\":\"c%u\"", to);
	snprintf(big + n, sizeof big - n, "}}");
	http(q->on, "application/json", big);
}

static void say_error(struct question *q, int code)
{
	char text[200];
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":%d,\"message\":\"no\"}}", (unsigned long long)q->id, code);
	http(q->on, "application/json", text);
}

static void acknowledge(struct question *q)
{
	char text[900];
	const char *at = strstr(q->text, "\"notifications\":");
	int n = at ? (int)(strstr(at, "},\"_meta\"") - at) + 1 : 0;
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{%.*s,\"_meta\":{"
	    "\"io.modelcontextprotocol/subscriptionId\":%llu}}}", n, at, (unsigned long long)q->id);
	sim_say(q->on, head, sizeof head - 1);
	event(q->on, text);
}

static void answer(struct question *q)
{
	const struct server *s = &server[q->server];
	bool list = strstr(q->method, "/list") && q->method[0] != 's';

	if (s->mode == SILENT)
		return;
	q->answered = true;
	if (s->mode == HANGS_UP) {
		sim_close(q->on);
	} else if (s->mode == GARBAGE) {
		http(q->on, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[");
	} else if (strcmp(q->method, "server/discover") == 0) {
		char text[1200];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
		    "\"capabilities\":{%s},\"instructions\":\"%s\",\"ttlMs\":%d,\"cacheScope\":\"public\"}}", (unsigned long long)q->id, s->caps, s->instructions, s->ttl_ms);
		http(q->on, "application/json", text);
	} else if (strcmp(q->method, "subscriptions/listen") == 0) {
		if (!s->no_acknowledgement)
			acknowledge(q);
	} else if (strcmp(q->method, "resources/read") == 0 && s->mode == NO_SUCH) {
		say_error(q, -32602);
	} else if (strcmp(q->method, "resources/read") == 0) {
		char text[300];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",\"contents\":[{\"uri\":\"x://1\",\"text\":\"read of s%d\"}],"
		    "\"ttlMs\":1,\"cacheScope\":\"public\"}}", (unsigned long long)q->id, q->server);
		http(q->on, "application/json", text);
	} else if (list && s->mode == NO_LIST) {
		char text[200];
		snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\",\"tools\":{}}}", (unsigned long long)q->id);
		http(q->on, "application/json", text);
	} else if (list && (s->mode == NO_SUCH || s->mode == FAILS)) {
		say_error(q, s->mode == NO_SUCH ? -32601 : -32603);
	} else if (list && s->mode == FORGETS && q->cursor[0]) {
		say_error(q, -32602);
	} else if (list) {
		answer_list(q);
	}
}

static void copy(char *to, size_t cap, const char *from, char until)
{
	const char *end = from ? strchr(from, until) : NULL;
	snprintf(to, cap, "%.*s", end ? (int)(end - from) : 0, from ? from : "");
}

static const char *behind(const char *text, const char *what)
{
	const char *p = strstr(text, what);
	return p ? p + strlen(what) : NULL;
}

static bool upstream_act(struct sim_conn *c)
{
	char text[4000];
	snprintf(text, sizeof text, "%.*s", (int)c->got.n, c->got.n ? c->got.p : "");
	const char *body = behind(text, "\r\n\r\n"), *length = behind(text, "Content-Length: ");
	size_t n = length ? strtoul(length, NULL, 10) : 0, all = body ? (size_t)(body - text) + n : 0;
	if (!body || c->got.n < all || nasked == QUESTIONS)
		return false;
	struct question *q = &asked[nasked++];
	*q = (struct question){ .server = c->port - 1, .on = c };
	snprintf(q->text, sizeof q->text, "%s", body);
	copy(q->method, sizeof q->method, behind(body, "\"method\":\""), '"');
	copy(q->cursor, sizeof q->cursor, behind(body, "\"cursor\":\""), '"');
	q->id = strtoull(behind(body, "\"id\":"), NULL, 10);
	sim_took(c, all);
	answer(q);
	return true;
}

static bool act(void)
{
	bool did = false;

	for (unsigned k = 0; k < sim.top; k++) {
		struct sim_conn *c = &sim.conn[k];

		if (c->used && c->connecting && server[c->port - 1].mode == REFUSES) {
			c->connecting = false;
			sim_reset(c);
			did = true;
		}
	}
	did |= sim_connect_all();
	for (unsigned k = 0; k < sim.top; k++) {
		struct sim_conn *c = &sim.conn[k];

		if (c->used && c->port && !c->gate_closed && !c->reset && !c->connecting)
			did |= upstream_act(c);
	}
	return did;
}

static int tick(void) { return flow_tick(f); }
static void settle(void) { sim_settle(&loop, act, tick); }
static void pass_time(int64_t ms) { sim_pass_time(ms, 50, settle); }

/* All questions that wait, the last one first: now they are answered. */
static void answer_waiting(void)
{
	for (unsigned i = nasked; i > 0; i--)
		if (!asked[i - 1].answered && !asked[i - 1].on->gate_closed) {
			answer(&asked[i - 1]);
			settle();
		}
}

/* ---- the world ---- */

static const struct policy_rule all[] = { { .allow = true, .pattern = { "*", 1 } } };
static int64_t unix_ms(void *ctx) { (void)ctx; return 1000000000000 + sim.now_ms; }
static struct auth_key keys[2];
static const struct span tenants[] = { { "acme", 4 }, { "bolt", 4 } };

static void begin(void)
{
	static const struct span names[] = { { "s0", 2 }, { "s1", 2 }, { "s2", 2 } };
	sim_begin(1, false);
	memset(&metrics, 0, sizeof metrics);
	nasked = 0;
	for (unsigned i = 0; i < SERVERS; i++)
		server[i] = (struct server){ .entries = 3, .per_page = 100, .ttl_ms = 60000, .scope = "public", .caps = CAPS, .instructions = "words" };
	keys[0] = (struct auth_key){ .id = SPAN("k0") };
	keys[1] = (struct auth_key){ .id = SPAN("k1"), .tenant = 1 };
	crypto_sha256(KEY_ACME, sizeof KEY_ACME - 1, keys[0].sha256);
	crypto_sha256(KEY_BOLT, sizeof KEY_BOLT - 1, keys[1].sha256);
	set = (struct flow_settings){ .nlisteners = 1, .nservers = SERVERS, .version = SPAN("0"), .connections = 32, .requests = 8, .listens = 8,
		.large = 4, .tokens = 65536, .links = 4, .body_max = 100000, .reply_max = 400000, .head_ms = 20000, .body_ms = 30000, .idle_ms = 600000,
		.write_ms = 30000, .keepalive_ms = 15000, .list_ms = 2000, .listens_each = 2, .metrics = &metrics, .known_tokens = 16,
		.auth = { .keys = keys, .nkeys = 2, .tenants = { tenants, 2 } }, .policy = { all, 1 }, .hooks = { .unix_ms = unix_ms } };
	memset(set.seed, 7, sizeof set.seed);
	set.listeners[0] = (struct flow_listener){ .fd = SIM_LISTEN_FD, .path = SPAN("/mcp"), .address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = 80 } };
	for (unsigned i = 0; i < SERVERS; i++)
		set.servers[i] = (struct flow_server){ .name = names[i], .kind = FLOW_HTTP, .host = SPAN("up"), .path = SPAN("/up"), .fields = SPAN(""),
			.address = { .family = 4, .ip = { 127, 0, 0, 1 }, .port = (uint16_t)(i + 1) }, .connect_ms = 2000, .idle_ms = 8000, .call_ms = 8000 };
}

static void place(void)
{
	size_t need = flow_need(&set);
	free(area);
	area = aligned_alloc(64, (need + 63) & ~(size_t)63);
	if (!area)
		abort();
	memset(area, 0, need);
	loop.now_ms = sim.now_ms;
	f = flow_place(area, &set, &loop);
	if (!flow_open(f))
		abort();
	settle();
	nasked = 0;
}

static void end(void)
{
	for (unsigned i = 0; i < sim.top; i++)
		if (sim.conn[i].used)
			sim_reset(&sim.conn[i]);
	for (unsigned i = 0; i < SERVERS; i++)
		server[i].mode = REFUSES;
	pass_time(200);
	is_int(f->txns.used + f->legs.used + f->links.used + f->small.used + f->large.used + f->gathers.used + f->fronts.used + f->listens + f->ahead, 0, "  and nothing is left in use");
	sim_end();
}

static char got[1 << 21];

static const char *heard(struct sim_conn *c)
{
	snprintf(got, sizeof got, "%.*s", (int)c->got.n, c->got.n ? c->got.p : "");
	if (c->got.n > 0)
		sim_took(c, c->got.n);
	return got;
}

static struct sim_conn *say_all(const char *key, const char *method, const char *params, const char *name)
{
	struct sim_conn *c = sim_client();
	char body[3000], head[600];
	int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":{%s\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
	    "\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":\"mine\"}}}", method, params);
	int h = snprintf(head, sizeof head, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n%s%s%s%s%s%sContent-Length: %d\r\n\r\n", method, *name ? "Mcp-Name: " : "", name, *name ? "\r\n" : "", *key ? "Authorization: Bearer " : "", key, *key ? "\r\n" : "", n);
	sim_say(c, head, (size_t)h);
	sim_say(c, body, (size_t)n);
	settle();
	return c;
}

static struct sim_conn *say_as(const char *key, const char *method, const char *params) { return say_all(key, method, params, ""); }
static struct sim_conn *say_named(const char *method, const char *params, const char *name) { return say_all(KEY_ACME, method, params, name); }
static struct sim_conn *say(const char *method, const char *params) { return say_as(KEY_ACME, method, params); }
static const char *ask(const char *method, const char *params) { return heard(say(method, params)); }
static bool says(const char *text, const char *what) { return strstr(text, what) != NULL; }
static bool is_status(const char *text, unsigned status) { return strncmp(text, "HTTP/1.1 ", 9) == 0 && strtoul(text + 9, NULL, 10) == status; }

static unsigned times(const char *text, const char *what)
{
	unsigned n = 0;
	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

/* ---- what a list should be ---- */

static char want[1 << 21];
static size_t want_n;

static void expect(const char *method, unsigned s)
{
	for (unsigned i = 0; i < server[s].entries; i++) {
		if (want_n > 0)
			want[want_n++] = ',';
		want_n += (size_t)one_entry(want + want_n, sizeof want - want_n, kind_of(method), (int)s, i, server[s].pad, true);
	}
	want[want_n] = 0;
}

/* The entries of an answer, as they stand. */
static char shown[1 << 21];
static size_t shown_n;

static bool add_page(const char *text, const char *method, char *cursor, size_t cap)
{
	char open[40];
	snprintf(open, sizeof open, "\"%s\":[", kind_of(method));
	const char *from = behind(text, open), *to = from ? strstr(from, "],\"") : NULL;
	if (from && !to)
		to = strstr(from, "]}");
	if (!to)
		return false;
	if (from[0] == ']')
		to = from;
	if (to > from) {
		if (shown_n > 0)
			shown[shown_n++] = ',';
		memcpy(shown + shown_n, from, (size_t)(to - from));
		shown_n += (size_t)(to - from);
	}
	shown[shown_n] = 0;
	copy(cursor, cap, behind(text, "\"nextCursor\":\""), '"');
	return true;
}

static unsigned pages;
static bool all_good;

static bool lists_as_wanted(const char *method)
{
	char cursor[1100] = "", params[1200] = "";
	shown_n = 0;
	all_good = true;
	for (pages = 1; pages < 400; pages++) {
		const char *a = ask(method, params);
		struct json j;
		size_t where;
		const char *body = behind(a, "\r\n\r\n");
		all_good = all_good && is_status(a, 200) && body && json_read(&j, f->table, span_z(body), &where) == JSON_OK;
		if (!add_page(a, method, cursor, sizeof cursor))
			return false;
		if (!cursor[0])
			break;
		snprintf(params, sizeof params, "\"cursor\":\"%s\",", cursor);
	}
	return all_good && shown_n == want_n && memcmp(shown, want, want_n) == 0;
}

static const char *const methods[] = { "tools/list", "prompts/list", "resources/list", "resources/templates/list" };

/* ---- lists ---- */

static void together(void)
{
	begin();
	place();
	for (unsigned m = 0; m < 4; m++) {
		want_n = 0;
		for (unsigned s = 0; s < SERVERS; s++)
			expect(methods[m], s);
		ok(lists_as_wanted(methods[m]) && pages == 1, methods[m]);
	}
	const char *a = ask("tools/list", "");
	ok(says(a, "\"ttlMs\":60000,\"cacheScope\":\"public\"") && says(a, "\"name\":\"postern\"") && !says(a, "unavailable"), "what all say may be shared");
	server[1].ttl_ms = 500;
	server[2].scope = "private";
	a = ask("tools/list", "");
	ok(says(a, "\"ttlMs\":500,\"cacheScope\":\"private\""), "the least time, and private if one is");
	server[1].ttl_ms = -5;
	ok(says(ask("tools/list", ""), "\"ttlMs\":0"), "a time before now is none");
	/* Many pages each, and other orders of answering. */
	for (unsigned s = 0; s < SERVERS; s++) {
		server[s].entries = 7;
		server[s].per_page = 2;
	}
	want_n = 0;
	for (unsigned s = 0; s < SERVERS; s++)
		expect("tools/list", s);
	nasked = 0;
	ok(lists_as_wanted("tools/list") && pages == 1 && nasked == 12, "pages of servers are read to the end");
	for (unsigned s = 0; s < SERVERS; s++)
		server[s].mode = SILENT;
	nasked = 0;
	struct sim_conn *c = say("tools/list", "");
	ok(nasked == 3 && c->got.n == 0, "all are asked at once");
	for (unsigned s = 0; s < SERVERS; s++)
		server[s].mode = GOOD;
	answer_waiting();
	char cursor[1100];
	shown_n = 0;
	ok(add_page(heard(c), "tools/list", cursor, sizeof cursor) && shown_n == want_n && memcmp(shown, want, want_n) == 0, "and the last to come may be the first to stand there");
	end();
}

static void one_has_it(void)
{
	begin();
	server[0].caps = "\"prompts\":{}";
	server[2].caps = "\"prompts\":{}";
	server[1] = (struct server){ .entries = 5, .per_page = 2, .ttl_ms = 1, .scope = "public", .caps = "\"tools\":{}", .instructions = "" };
	place();
	want_n = 0;
	expect("tools/list", 1);
	ok(lists_as_wanted("tools/list") && pages == 3 && nasked == 3, "what one server has passes page by page");
	ok(says(ask("resources/list", ""), "\"resources\":[]"), "what nobody offers is empty");
	ok(is_status(ask("tools/list", "\"cursor\":\"p3.AAAA\","), 200) && says(got, "-32602"), "a cursor of somebody else's making");
	end();
}

static void faults(void)
{
	for (unsigned m = 0; m < 4; m++)
		for (unsigned s = 0; s < SERVERS; s++)
			for (unsigned mode = GOOD + 1; mode < FORGETS; mode++) {
				char name[120], mark[60];
				begin();
				place();
				server[s].mode = (enum mode)mode;
				if (mode == HANGS_UP || mode == REFUSES)
					pass_time(FLOW_LINK_IDLE_MS + 100);
				want_n = 0;
				for (unsigned o = 0; o < SERVERS; o++)
					if (o != s)
						expect(methods[m], o);
				struct sim_conn *c = say(methods[m], "");
				int64_t from = sim.now_ms;
				while (c->got.n == 0 && sim.now_ms < from + 20000)
					pass_time(50);
				int64_t took = sim.now_ms - from;
				char cursor[1100];
				shown_n = 0;
				const char *a = heard(c);
				bool right = is_status(a, 200) && add_page(a, methods[m], cursor, sizeof cursor) && shown_n == want_n && memcmp(shown, want, want_n) == 0 && !cursor[0];
				snprintf(name, sizeof name, "%s, s%u %s", methods[m], s, mode_names[mode]);
				ok(right && took <= (mode == SILENT ? set.list_ms + 50 : 100), name);
				snprintf(mark, sizeof mark, "\"postern/unavailable\":[\"s%u\"]", s);
				ok(says(a, mark) == (mode != NO_SUCH) && says(a, "\"ttlMs\":1000") == (mode != NO_SUCH) &&
				    metrics.v[METRIC_LISTS_INCOMPLETE] == (mode != NO_SUCH) &&
				    metrics.down[s] == (mode == SILENT || mode == REFUSES || mode == HANGS_UP || mode == GARBAGE), "  it is named, and looked for again soon");
				if (mode == SILENT) {
					from = sim.now_ms;
					a = ask(methods[m], "");
					ok(says(a, mark) && sim.now_ms == from, "  it is waited for once");
					server[s].mode = GOOD;
					answer_waiting();
					pass_time(FLOW_CATALOG_MIN_MS);
					ask(methods[m], "");
					a = ask(methods[m], "");
					ok(is_status(a, 200) && !says(a, "unavailable"), "  and is back when it answers");
				} else {
					server[s].mode = GOOD;
					pass_time(FLOW_CATALOG_RETRY_MS);
					a = ask(methods[m], "");
					ok(is_status(a, 200) && !says(a, "unavailable"), "  and is back at once");
				ok(metrics.down[s] == 0, "  and not counted as down any more");
				}
				end();
			}
}

/* Behind one that is silent, others have many pages; one of these falls silent in its turn. */
static void late_pages(void)
{
	char cursor[1100];
	begin();
	for (unsigned s = 1; s < SERVERS; s++) {
		server[s].entries = 7;
		server[s].per_page = 2;
	}
	place();
	server[0].mode = SILENT;
	want_n = 0;
	expect("tools/list", 1);
	expect("tools/list", 2);
	struct sim_conn *c = say("tools/list", "");
	pass_time(set.list_ms + 50);
	shown_n = 0;
	ok(add_page(heard(c), "tools/list", cursor, sizeof cursor) && shown_n == want_n && memcmp(shown, want, want_n) == 0 && !cursor[0], "behind a silent one, all pages of the others");
	end();
	begin();
	server[1].entries = 7;
	server[1].per_page = 2;
	place();
	server[0].mode = server[1].mode = server[2].mode = SILENT;
	c = say("tools/list", "");
	server[1].mode = server[2].mode = GOOD;
	answer_waiting();
	server[1].mode = SILENT; /* behind its first page */
	pass_time(set.list_ms + 50);
	ok(c->got.n == 0, "who has answered gets as much time again");
	pass_time(set.list_ms + 50);
	const char *a = heard(c);
	ok(is_status(a, 200) && says(a, "s1__n1.1") && !says(a, "s1__n1.2") && says(a, "s2__n2.2") && says(a, "\"postern/unavailable\":[\"s0\",\"s1\"]"), "and no more");
	end();
}

/* A resource is looked for where it can be. */
static void read_beside(void)
{
	begin();
	place();
	server[0].mode = HANGS_UP;
	server[1].mode = REFUSES;
	pass_time(FLOW_LINK_IDLE_MS + 100);
	nasked = 0;
	struct sim_conn *c = say_named("resources/read", "\"uri\":\"x://1\",", "x://1");
	pass_time(200);
	ok(is_status(heard(c), 200) && says(got, "read of s2"), "two servers are down: the third has it");
	server[2].mode = NO_SUCH;
	c = say_named("resources/read", "\"uri\":\"x://1\",", "x://1");
	pass_time(200);
	ok(is_status(heard(c), 502) && says(got, "Upstream \\\"s0\\\" cannot be asked for it now"), "if it has not, one of them may");
	server[2].mode = REFUSES;
	pass_time(FLOW_LINK_IDLE_MS + 100);
	c = say_named("resources/read", "\"uri\":\"x://1\",", "x://1");
	pass_time(200);
	ok(is_status(heard(c), 503) && says(got, "s2"), "if all are down, the last says so");
	server[0].mode = server[1].mode = GOOD;
	server[2].mode = NO_SUCH;
	server[0].mode = NO_SUCH;
	server[1].mode = NO_SUCH;
	pass_time(FLOW_CATALOG_RETRY_MS);
	c = say_named("resources/read", "\"uri\":\"x://1\",", "x://1");
	pass_time(200);
	ok(is_status(heard(c), 200) && says(got, "-32602"), "if all are up and none has it, it is not there");
	end();
}

static void nobody(void)
{
	for (unsigned mode = GOOD + 1; mode < FORGETS; mode++) {
		if (mode == NO_SUCH)
			continue;
		begin();
		place();
		for (unsigned s = 0; s < SERVERS; s++)
			server[s].mode = (enum mode)mode;
		pass_time(FLOW_LINK_IDLE_MS + 100);
		struct sim_conn *c = say("tools/list", "");
		pass_time(9000);
		const char *a = heard(c);
		ok((is_status(a, 502) || is_status(a, 503) || is_status(a, 504)) && says(a, "-32603") && says(a, "Upstream \\\"s0\\\"") && says(a, "2 other servers cannot be listed"), mode_names[mode]);
		end();
		/* From the start: nothing is known of them either. */
		if (mode == NO_LIST || mode == FAILS)
			continue;
		begin();
		for (unsigned s = 0; s < SERVERS; s++)
			server[s].mode = (enum mode)mode;
		place();
		c = say("tools/list", "");
		pass_time(2100);
		a = heard(c);
		ok(is_status(a, 502) && says(a, "Upstream \\\"s0\\\" could not be asked"), "  from the start");
		c = say("server/discover", "");
		pass_time(2100);
		ok(is_status(heard(c), 502), "  nor is there a discovery");
		server[1].mode = GOOD;
		answer_waiting();
		pass_time(9000); /* what hangs is given up */
		(void)ask("tools/list", "");
		pass_time(3000);
		a = ask("tools/list", "");
		ok(is_status(a, 200) && says(a, "n1.2") && says(a, "\"postern/unavailable\":[\"s0\",\"s2\"]"), "  one comes back");
		a = ask("server/discover", "");
		ok(is_status(a, 200) && says(a, "\"instructions\":\"s1__*: words\"") && says(a, "\"postern/unavailable\":[\"s0\",\"s2\"]"), "  and is discovered");
		end();
	}
}

static void full_pages(void)
{
	begin();
	place();
	server[0].entries = 900;
	server[0].per_page = 500;
	server[1].entries = 900;
	server[1].per_page = 800;
	server[2].entries = 1500;
	server[2].per_page = 1500;
	for (unsigned m = 0; m < 4; m++) {
		want_n = 0;
		for (unsigned s = 0; s < SERVERS; s++)
			expect(methods[m], s);
		ok(lists_as_wanted(methods[m]) && pages == 4, methods[m]);
		ok(all_good, "  every page is JSON");
	}
	const char *a = ask("tools/list", "");
	ok(says(a, "nextCursor") && says(a, "\"cacheScope\":\"private\""), "of a list in pages nobody knows what the next will say");
	/* Bytes: three entries of 100,000 bytes fill a page of 400,000 or so. */
	for (unsigned s = 0; s < SERVERS; s++) {
		server[s].entries = 4;
		server[s].per_page = 3;
		server[s].pad = 100000;
	}
	want_n = 0;
	for (unsigned s = 0; s < SERVERS; s++)
		expect("tools/list", s);
	ok(lists_as_wanted("tools/list") && pages == 4, "pages end where no more fits");
	/* The second page of ours begins in the middle of the second of s0, which it has forgotten meanwhile. */
	server[0].entries = 7;
	char cursor[1100], params[1200];
	copy(cursor, sizeof cursor, behind(ask("tools/list", ""), "\"nextCursor\":\""), '"');
	snprintf(params, sizeof params, "\"cursor\":\"%s\",", cursor);
	server[0].mode = FORGETS;
	a = ask("tools/list", params);
	ok(is_status(a, 200) && says(a, "\"code\":-32602") && says(a, "begin the list again"), "a cursor that its server does not know any more is not good any more");
	/* Forgotten within one page of ours it is a fault like others. */
	server[0].entries = 4;
	server[0].pad = server[1].pad = server[2].pad = 10;
	a = ask("tools/list", "");
	ok(is_status(a, 200) && says(a, "n0.2") && !says(a, "n0.3") && says(a, "n2.3") && says(a, "\"postern/unavailable\":[\"s0\"]"), "a server that gives cursors it does not know");
	end();
}

static void short_of_buffers(void)
{
	begin();
	place();
	for (unsigned s = 0; s < SERVERS; s++) {
		server[s].entries = 60;
		server[s].per_page = 60;
		server[s].pad = 200;
	}
	want_n = 0;
	for (unsigned s = 0; s < SERVERS; s++)
		expect("prompts/list", s);
	struct buffer *taken[16];
	unsigned n = 0;
	while (n < 3)
		taken[n++] = buffer_take(f, FLOW_SMALL + 1);
	ok(lists_as_wanted("prompts/list") && pages == 1, "one large buffer is enough: what does not fit is asked for in its turn");
	taken[n++] = buffer_take(f, FLOW_SMALL + 1);
	ok(lists_as_wanted("prompts/list") && pages > 1, "and without any, pages are small");
	while (n > 0)
		buffer_give(f, taken[--n]);
	f->ahead = flow_ahead(&set);
	ok(lists_as_wanted("prompts/list"), "they may be asked one after the other");
	f->ahead = 0;
	while (slots_take(&f->gathers))
		n++;
	ok(is_status(ask("prompts/list", ""), 503) && says(got, "limit of calls"), "too many lists at once");
	f->gathers.used = 0;
	slots_place(&f->gathers, f->gathers.mem, gather_size(), f->gathers.count);
	end();
}

static void left(void)
{
	begin();
	place();
	for (unsigned s = 0; s < SERVERS; s++)
		server[s].mode = SILENT;
	struct sim_conn *c = say("tools/list", "");
	is_int(f->legs.used, 3, "three are asked");
	sim_reset(c);
	pass_time(100);
	ok(f->legs.used == 0 && f->gathers.used == 0 && f->txns.used == 0, "a client that leaves calls all of them off");
	server[0].mode = GOOD;
	server[0].entries = 2000;
	server[0].per_page = 2000;
	c = say("resources/list", "");
	answer_waiting();
	ok(is_status(heard(c), 200) && says(got, "nextCursor") && f->legs.used == 0, "so does a page that is full");
	end();
}

/* Anything, compared with the script. */
static void any(uint64_t seed)
{
	begin();
	sim.dice = seed * 0x9e3779b97f4a7c15u + 1;
	place();
	bool good = true;
	unsigned most = 0;
	for (unsigned round = 0; round < 6 && good; round++) {
		const char *method = methods[sim_roll(4)];
		want_n = 0;
		for (unsigned s = 0; s < SERVERS; s++) {
			server[s].entries = sim_roll(2) ? sim_roll(6) : sim_roll(1300);
			server[s].per_page = 1 + server[s].entries / (1 + sim_roll(8));
			server[s].pad = sim_roll(3) ? sim_roll(40) : sim_roll(server[s].entries < 20 ? 60000 : 500);
			expect(method, s);
		}
		if (want_n > 1500000)
			continue;
		good = lists_as_wanted(method);
		most = pages > most ? pages : most;
	}
	if (!good)
		fprintf(stderr, "# seed %llu: %zu bytes wanted, %zu shown, %u pages\n", (unsigned long long)seed, want_n, shown_n, pages);
	for (unsigned s = 0; s < SERVERS; s++)
		server[s] = (struct server){ .mode = REFUSES };
	ok(good, "any lists are whole, in order and once");
	end();
}

/* An upstream whose list never ends goes no further than where it says that it was. */
static void in_circles(void)
{
	begin();
	server[0].circle = true;
	server[1].caps = server[2].caps = "\"tools\":{}";
	place();
	const char *a = ask("tools/list", "");
	unsigned n = 0;
	for (unsigned i = 0; i < nasked; i++)
		n += asked[i].server == 0;
	ok(n == 2 && times(a, "\"name\":\"s0__") == 6 && times(a, "\"name\":\"s2__") == 3 && says(a, "\"postern/unavailable\":[\"s0\"]") && !says(a, "nextCursor"),
	    "a cursor that leads where it was: the rest is served, and who gave it is named");
	char cursor[1100], params[1200];
	copy(cursor, sizeof cursor, behind(ask("prompts/list", ""), "\"nextCursor\":\""), '"');
	snprintf(params, sizeof params, "\"cursor\":\"%s\",", cursor);
	ok(cursor[0] && is_status(ask("prompts/list", params), 502) && says(got, "leads where it was"), "the only one that has a list: its fault is said");
	server[0].circle = false;
	server[0].ttl_ms = 2000000000;
	ok(says(ask("prompts/list", ""), "\"ttlMs\":3600000"), "no list is good for longer than an hour");
	end();
}

/* Who polls tasks does not wait for somebody else. */
static void tasks_beside(void)
{
	begin();
	server[0].mode = SILENT;
	server[1].caps = "\"tools\":{},\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}";
	place();
	struct sim_conn *c = say_named("tasks/get", "\"taskId\":\"t1.AAAA\",", "t1.AAAA");
	pass_time(2100);
	ok(is_status(heard(c), 400) && says(got, "-32021"), "a silent server does not keep those who ask another for a task");
	end();
}

/* ---- subscriptions ---- */

static unsigned looks(int s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < nasked; i++)
		n += asked[i].server == s && strcmp(asked[i].method, "server/discover") == 0;
	return n;
}

static struct question *listen_of(int s)
{
	for (unsigned i = nasked; i > 0; i--)
		if (asked[i - 1].server == s && strcmp(asked[i - 1].method, "subscriptions/listen") == 0)
			return &asked[i - 1];
	return NULL;
}

#define FILTER "\"notifications\":{\"toolsListChanged\":true,\"resourcesListChanged\":true,\"resourceSubscriptions\":[\"x://1\"]},"

static void again(void)
{
	begin();
	server[1].caps = "\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true}";
	server[2].caps = "\"tools\":{}";
	place();
	struct sim_conn *c = say("subscriptions/listen", FILTER);
	const char *a = heard(c);
	ok(is_status(a, 200) && says(a, "\"notifications\":{\"toolsListChanged\":true,\"resourcesListChanged\":true,\"resourceSubscriptions\":[\"x://1\"") &&
	    listen_of(0) && listen_of(1) && !listen_of(2), "two of three can be listened to");
	struct question *first = listen_of(1);
	sim_close(first->on);
	settle();
	ok(c->got.n == 0 && f->listens == 1, "one is lost: the client keeps its stream");
	pass_time(2100);
	ok(listen_of(1) != first, "it is listened to again");
	a = heard(c);
	ok(times(a, "tools/list_changed") == 1 && !says(a, "resources/list_changed") && !says(a, "acknowledged") && times(a, "\"method\":\"notifications/resources/updated\"") == 1 &&
	    says(a, "\"uri\":\"x://1\",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":7}"), "and what may have been said meanwhile is said");
	char text[300];
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"x://1\",\"_meta\":{"
	    "\"io.modelcontextprotocol/subscriptionId\":%llu}}}", (unsigned long long)listen_of(1)->id);
	event(listen_of(1)->on, text);
	settle();
	ok(times(heard(c), "resources/updated") == 1, "what it says now is heard");
	/* All are gone for a while. */
	server[0].mode = server[1].mode = REFUSES;
	sim_reset(listen_of(0)->on);
	sim_reset(listen_of(1)->on);
	settle();
	unsigned connects = (unsigned)metrics.v[METRIC_UPSTREAM_CONNECTS];
	pass_time(60000);
	connects = (unsigned)metrics.v[METRIC_UPSTREAM_CONNECTS] - connects;
	ok(f->listens == 1 && !says(heard(c), "data:"), "all are lost: the stream stays, and nothing is said");
	ok(connects >= 8 && connects <= 20, "they are looked for less and less often");
	server[0].mode = server[1].mode = GOOD;
	pass_time(50000);
	a = heard(c);
	ok(times(a, "tools/list_changed") == 2 && times(a, "\"notifications/resources/list_changed\"") == 1, "until they are back");
	end();
	/* One that will never say anything is not asked again; one that ends gracefully is. */
	begin();
	server[0].no_acknowledgement = server[1].no_acknowledgement = true;
	server[2].caps = "\"tools\":{}";
	place();
	c = say("subscriptions/listen", FILTER);
	say_error(listen_of(0), -32601);
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"resultType\":\"complete\"}}", (unsigned long long)listen_of(1)->id);
	acknowledge(listen_of(1));
	event(listen_of(1)->on, text);
	settle();
	struct question *of0 = listen_of(0), *of1 = listen_of(1);
	pass_time(2100);
	ok(is_status(heard(c), 200) && says(got, "acknowledged") && listen_of(0) == of0 && listen_of(1) != of1, "one that has ended is asked again, one that cannot is not");
	end();
}

/* One agrees and is lost, the other refuses: there is somebody to come back. */
static void refused_last(void)
{
	begin();
	server[1].no_acknowledgement = true;
	server[2].caps = "\"tools\":{}";
	place();
	struct sim_conn *c = say("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true},");
	sim_close(listen_of(0)->on);
	settle();
	say_error(listen_of(1), -32601);
	settle();
	ok(is_status(heard(c), 200) && says(got, "acknowledged\",\"params\":{\"notifications\":{\"toolsListChanged\":true}"), "what one has agreed to counts, though it is lost and the other refuses");
	end();
}

/* What nobody has asked for is not passed on, and who says that it changed all the time is not looked at all the time. */
static void storm(void)
{
	char text[400];
	begin();
	server[0].no_acknowledgement = true;
	server[1].caps = server[2].caps = "\"tools\":{}";
	place();
	struct sim_conn *c = say("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true},");
	struct question *q = listen_of(0);
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
	sim_say(q->on, head, sizeof head - 1);
	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{\"toolsListChanged\":true,"
	    "\"promptsListChanged\":true},\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":%llu}}}", (unsigned long long)q->id);
	event(q->on, text);
	settle();
	ok(says(heard(c), "\"notifications\":{\"toolsListChanged\":true}"), "acknowledged is what was asked for, whatever else an upstream agrees to");
	nasked = (unsigned)(q - asked) + 1;
	unsigned told = 0;
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned k = 0; k < 2; k++) {
			snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/%s/list_changed\",\"params\":{\"_meta\":{"
			    "\"io.modelcontextprotocol/subscriptionId\":%llu}}}", k ? "prompts" : "tools", (unsigned long long)q->id);
			event(q->on, text);
		}
		settle();
		told += times(heard(c), "tools/list_changed");
		ok(!says(got, "prompts/list_changed"), "and passed on too");
		(void)ask("tools/list", "");
	}
	is_int(told, 20, "every change is passed on");
	is_int(looks(0), 5, "it is looked at a few times at once");
	pass_time(3000);
	(void)ask("tools/list", "");
	is_int(looks(0), 6, "and again when it has calmed down");
	end();
}

static void promised(void)
{
	begin();
	server[1].mode = SILENT;
	place();
	struct sim_conn *c = say("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":true,\"resourceSubscriptions\":[\"x://1\"]},");
	ok(c->got.n == 0, "who is asked what it offers is waited for");
	pass_time(2100);
	const char *a = heard(c);
	ok(says(a, "acknowledged") && says(a, "\"toolsListChanged\":true,\"promptsListChanged\":true,\"resourceSubscriptions\":[\"x://1\""), "but not for ever");
	server[1].mode = GOOD;
	answer_waiting();
	pass_time(12000);
	a = heard(c);
	ok(listen_of(1) && times(a, "tools/list_changed") == 1 && times(a, "prompts/list_changed") == 1 && !says(a, "\"notifications/resources/updated\""),
	    "when it is there, its lists have changed; of its resources nothing was promised");
	end();
	begin();
	for (unsigned s = 0; s < SERVERS; s++)
		server[s].caps = "\"tools\":{}";
	place();
	c = say("subscriptions/listen", FILTER);
	ok(says(heard(c), "\"notifications\":{},"), "nobody can notify: nothing is promised");
	end();
}

static void limits(void)
{
	begin();
	place();
	struct sim_conn *c[4];
	for (unsigned i = 0; i < 4; i++)
		c[i] = say_as(i < 3 ? KEY_ACME : KEY_BOLT, "subscriptions/listen", FILTER);
	ok(is_status(heard(c[0]), 200) && is_status(heard(c[1]), 200), "two subscriptions of one caller");
	ok(is_status(heard(c[2]), 503) && says(got, "listens_per_caller") && says(got, "Retry-After"), "a third is refused");
	ok(is_status(heard(c[3]), 200), "another's is not");
	sim_reset(c[0]);
	pass_time(100);
	ok(is_status(heard(say("subscriptions/listen", FILTER)), 200), "one ends, another may begin");
	end();
	begin();
	set.auth.anonymous = true;
	set.listens_each = 1;
	place();
	for (unsigned i = 0; i < 3; i++)
		c[i] = say_as("", "subscriptions/listen", FILTER);
	ok(is_status(heard(c[0]), 200) && is_status(heard(c[2]), 200), "anonymous callers cannot be told apart");
	end();
}

static void discovered(void)
{
	static char words[801];
	static const struct policy_rule two[] = { { .allow = false, .pattern = { "s1__*", 5 } }, { .allow = true, .pattern = { "*", 1 } } };
	begin();
	memset(words, 'w', sizeof words - 1);
	server[0].instructions = "first";
	server[1].instructions = "secret";
	server[2].instructions = words;
	server[2].ttl_ms = 7000;
	server[0].caps = "\"prompts\":{}";
	server[2].caps = "\"tools\":{\"listChanged\":true},\"logging\":{}";
	set.policy = (struct policy){ two, 2 };
	place();
	const char *a = ask("server/discover", "");
	ok(says(a, "\"instructions\":\"s0__*: first\\n\\ns2__*: www") && !says(a, "secret") && !says(a, "s1"), "instructions of whom the caller may use, in order");
	ok(says(a, "\"capabilities\":{\"logging\":{},\"prompts\":{},\"tools\":{\"listChanged\":true}}"), "capabilities of any of them");
	ok(says(a, "\"ttlMs\":7000"), "the least time");
	server[2].mode = REFUSES;
	ok(!says(ask("tools/list", ""), "s1"), "and a list does not name whom it may not use");
	end();
}

int main(void)
{
	together();
	one_has_it();
	faults();
	late_pages();
	read_beside();
	nobody();
	full_pages();
	short_of_buffers();
	left();
	for (uint64_t seed = 1; seed <= 12; seed++)
		any(seed);
	in_circles();
	tasks_beside();
	again();
	refused_last();
	storm();
	promised();
	limits();
	discovered();
	free(area);
	return done_testing();
}
