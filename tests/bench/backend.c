/* The upstream of the hop measurement: a minimal MCP server whose every answer is a tools/call result of 400 bytes with the request's id.
 * The id is found by looking for its name, which is enough for requests of our own making. tools/list gets one tool. */
#define _GNU_SOURCE
#include "serve.h"

enum { BODY_LEN = 400 };

static const char before[] = "{\"jsonrpc\":\"2.0\",\"id\":", list[] = ",\"result\":{\"resultType\":\"complete\",\"ttlMs\":3600000,\"cacheScope\":\"public\","
	"\"tools\":[{\"name\":\"bench_tool\",\"inputSchema\":{\"type\":\"object\"}}],\"_meta\":{\"pad\":\"",
	call[] = ",\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"", list_end[] = "\"}}}", call_end[] = "\"}]}}";

static size_t put(char *out, const char *p, size_t n)
{
	memcpy(out, p, n);
	return n;
}

static size_t answer(char *out, size_t cap, const char *body, size_t body_len)
{
	const char *id = memmem(body, body_len, "\"id\":", 5), *end = body + body_len;
	size_t id_len = 0;
	int listing = memmem(body, body_len, "\"tools/list\"", 12) != NULL;

	(void)cap;
	if (id) {
		id += 5;
		if (*id == '"')
			for (id_len = 1; id + id_len < end && id[id_len] != '"'; id_len++)
				;
		while (id + id_len < end && id[id_len] != ',' && id[id_len] != '}')
			id_len++;
	}
	if (id_len == 0 || id_len > 100) {
		id = "0";
		id_len = 1;
	}
	size_t n = (size_t)snprintf(out, 128, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", BODY_LEN);
	size_t start = n;
	n += put(out + n, before, sizeof(before) - 1);
	n += put(out + n, id, id_len);
	n += listing ? put(out + n, list, sizeof(list) - 1) : put(out + n, call, sizeof(call) - 1);
	size_t tail = listing ? sizeof(list_end) - 1 : sizeof(call_end) - 1, pad = start + BODY_LEN - tail - n;
	memset(out + n, 'x', pad);
	n += pad;
	return n + put(out + n, listing ? list_end : call_end, tail);
}

int main(void) { return serve(); }
