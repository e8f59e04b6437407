/* role/desk_page.h: what the desk answers, without a socket. The rest of its rules are tried from outside, in tests/system/06-admin.t. */
#include "os/jail.h"
#include "page.h"
#include "role/desk_page.h"
#include "tap.h"

static struct msg_state state;
static struct metrics block;
static const struct metrics *const blocks[1] = { &block };
static struct desk_view view = { .state = &state, .blocks = blocks, .nblocks = 1 };
static char out[24576];

static const char *answer(const char *head)
{
	struct buf b = buf_on(out, sizeof out - 1);
	size_t n = strlen(head);

	desk_answer(&b, &view, span_of(page_copy(head, n), n));
	out[b.n] = 0;
	return b.full ? "" : out;
}

static const char *get(const char *path)
{
	char head[128];

	snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
	return answer(head);
}

static bool says(const char *text, unsigned status, const char *body)
{
	char line[32];
	const char *at = strstr(text, "\r\n\r\n");

	snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
	return strncmp(text, line, strlen(line)) == 0 && strstr(text, "\r\nConnection: close\r\n") && at && (!body || strcmp(at + 4, body) == 0);
}

int main(void)
{
	addr_read(&view.host.address, SPAN("127.0.0.1:9090"));
	ok(says(get("/health"), 200, "ok\n"), "/health asks nobody");
	ok(says(get("/ready"), 503, "{\"ready\":false,\"generation\":0,\"roles\":{\"up\":0,\"wanted\":0},\"missing\":[],\"reasons\":[\"not all roles are up\"]}\n"),
		"before the first word of the parent: not ready");
	state = (struct msg_state){ .type = MSG_STATE, .generation = 3, .up = 4, .wanted = 4 };
	ok(says(get("/ready"), 200, "{\"ready\":true,\"generation\":3,\"roles\":{\"up\":4,\"wanted\":4},\"missing\":[]}\n"), "ready");
	state.missing = JAIL_NO_LANDLOCK_NET | JAIL_NO_MDWE;
	ok(says(get("/ready"), 200, "{\"ready\":true,\"generation\":3,\"roles\":{\"up\":4,\"wanted\":4},\"missing\":[\"landlock-net\",\"mdwe\"]}\n"),
		"what the kernel lacks is said, and does not make it unready");
	ok(strstr(get("/metrics"), "\npostern_sandbox_missing{part=\"mdwe\"} 1\n") && strstr(out, "{part=\"landlock\"} 0\n"), "and counted");
	state.draining = 1;
	ok(says(get("/ready"), 503, NULL) && strstr(out, "\"reasons\":[\"draining\"]}"), "draining");
	state.up = 3;
	ok(says(get("/ready"), 503, NULL) && strstr(out, "\"reasons\":[\"draining\",\"not all roles are up\"]}"), "both reasons");
	static const struct span servers[2] = { { "clock", 5 }, { "docs", 4 } };
	view.nown = 1;
	view.servers = servers;
	view.nservers = 2;
	block.down[1] = 1;
	ok(strstr(get("/metrics"), "\npostern_upstream_down{server=\"clock\"} 0\npostern_upstream_down{server=\"docs\"} 1\n"), "servers by name");
	static struct span many[METRICS_UPSTREAMS];
	for (unsigned i = 0; i < METRICS_UPSTREAMS; i++)
		many[i] = SPAN("a_name_of_thirty_two_characters_");
	view.servers = many;
	view.nservers = METRICS_UPSTREAMS;
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		block.v[i] = UINT64_MAX >> 1;
	state = (struct msg_state){ MSG_STATE, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 1 };
	ok(says(get("/metrics"), 200, NULL), "the longest figures fit");
	ok(says(get("/ready"), 503, NULL), "so does the longest state");
	ok(says(get("/nowhere"), 404, NULL), "404");
	ok(says(answer("POST /health HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n"), 405, NULL) && strstr(out, "\r\nAllow: GET\r\n"), "405 says what is allowed");
	ok(says(answer("GET /health HTTP/1.1\r\nHost: elsewhere\r\n\r\n"), 421, NULL), "421");
	ok(says(answer("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1:9090\r\n\r\n"), 403, NULL), "no Origin is good enough");
	ok(says(answer("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, NULL), "no body, chunked neither");
	ok(says(answer("GET /health HTTP/1.1\nHost: 127.0.0.1\r\n\r\n"), 400, NULL), "a bare LF: 400");
	return done_testing();
}
