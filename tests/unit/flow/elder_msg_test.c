/* Frames between a worker and the elder: what is written is read again, and what is not permitted is told from what is. */
#include "flow/elder_msg.h"
#include "page.h"
#include "tap.h"

enum { BODY_MAX = 256 };

static char wire[4096];

static size_t write_one(const struct elder_msg *m)
{
	struct buf b = buf_on(wire, sizeof wire);
	elder_msg_write(&b, m);
	return b.full ? 0 : b.n;
}

/* Reads a copy that ends at a guard page. */
static enum elder_taken read_copy(const char *p, size_t n, bool to_elder, struct elder_msg *m, size_t *used, const char **why)
{
	static char *last;
	static size_t last_n;
	if (last)
		page_free(last, last_n);
	last = page_copy(p, n);
	last_n = n;
	return elder_msg_read(m, span_of(last, n), to_elder, BODY_MAX, used, why);
}

static bool alike(const struct elder_msg *a, const struct elder_msg *b)
{
	return a->type == b->type && a->call == b->call && a->method == b->method && memcmp(a->principal, b->principal, ELDER_PRINCIPAL) == 0
		&& span_eq(a->version, b->version) && span_eq(a->session, b->session) && span_eq(a->event, b->event)
		&& span_eq(a->identity, b->identity) && span_eq(a->body, b->body) && a->status == b->status && a->again == b->again
		&& a->retry_ms == b->retry_ms && a->scopes == b->scopes;
}

/* There and back; every beginning of it asks for more, and tells the length as soon as the head is whole. */
static void there_and_back(const struct elder_msg *m, bool to_elder, const char *name)
{
	struct elder_msg got;
	size_t used, n = write_one(m);
	const char *why;
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		wrong += read_copy(wire, i, to_elder, &got, &used, &why) != ELDER_MORE;
		wrong += used != (i < sizeof(struct elder_frame) ? 0 : n);
	}
	is_int(wrong, 0, name);
	memcpy(wire + n, "next", 4);
	ok(n > 0 && elder_msg_size(m) == n && read_copy(wire, n + 4, to_elder, &got, &used, &why) == ELDER_WHOLE && used == n && alike(m, &got), name);
	ok(read_copy(wire, n, !to_elder, &got, &used, &why) == ELDER_WRONG && why, name);
	for (size_t cap = 0; cap < n; cap++) {
		char small[1024];
		struct buf b = buf_on(small, cap);
		elder_msg_write(&b, m);
		wrong += !b.full || b.n > 0;
	}
	is_int(wrong, 0, name);
}

static struct elder_msg request(void)
{
	return (struct elder_msg){ .type = ELDER_HTTP, .call = 7, .method = ELDER_POST, .principal = { 1, 2, 3, 255 }, .version = SPAN("2025-06-18"),
		.session = SPAN("abc.DEF"), .identity = SPAN("sealed-text"), .body = SPAN("{\"jsonrpc\":\"2.0\"}") };
}

static void texts(void)
{
	struct elder_msg m = request();
	there_and_back(&m, true, "a POST");
	m.session = m.version = span_of(NULL, 0);
	there_and_back(&m, true, "an initialize: no version, no session");
	m = request();
	m.method = ELDER_GET;
	m.body = span_of(NULL, 0);
	m.event = SPAN("17-4");
	there_and_back(&m, true, "a GET that resumes");
	m.method = ELDER_DELETE;
	m.event = span_of(NULL, 0);
	there_and_back(&m, true, "a DELETE");
	there_and_back(&(struct elder_msg){ .type = ELDER_GONE, .call = UINT64_MAX }, true, "GONE");
	there_and_back(&(struct elder_msg){ .type = ELDER_REPLY, .call = 1, .status = 200, .session = SPAN("s"), .body = SPAN("{}") }, false, "a REPLY");
	there_and_back(&(struct elder_msg){ .type = ELDER_REPLY, .call = 1, .status = 202 }, false, "an empty REPLY");
	there_and_back(&(struct elder_msg){ .type = ELDER_REPLY, .call = 1, .status = 503, .again = true, .body = SPAN("{}") }, false, "a REPLY to come again");
	there_and_back(&(struct elder_msg){ .type = ELDER_REPLY, .call = 1, .status = 403, .scopes = UINT64_MAX - 1, .body = SPAN("{}") }, false, "a REPLY that says what is lacking");
	there_and_back(&(struct elder_msg){ .type = ELDER_STREAM, .call = 1 }, false, "a STREAM");
	there_and_back(&(struct elder_msg){ .type = ELDER_STREAM, .call = 1, .session = SPAN("abc") }, false, "a STREAM of a new session");
	there_and_back(&(struct elder_msg){ .type = ELDER_EVENT, .call = 1, .event = SPAN("1"), .body = SPAN("{}") }, false, "an EVENT");
	there_and_back(&(struct elder_msg){ .type = ELDER_EVENT, .call = 1, .event = SPAN("1"), .retry_ms = 500 }, false, "an EVENT that only has an id");
	there_and_back(&(struct elder_msg){ .type = ELDER_EVENT, .call = 1, .body = SPAN("{}") }, false, "an EVENT without an id");
	there_and_back(&(struct elder_msg){ .type = ELDER_END, .call = 1 }, false, "an END");
}

static char long_text[ELDER_IDENTITY_MAX + 2];

/* What the rules forbid is not written. */
static void unwritten(void)
{
	struct elder_msg m = request();
	memset(long_text, 'x', sizeof long_text);

	ok(write_one(&m) > 0, "the request that the following differ from");
	m.call = 0;
	ok(write_one(&m) == 0, "no call");
	m = request();
	m.session = span_of(long_text, ELDER_SESSION_MAX);
	ok(write_one(&m) > 0, "the longest session id");
	m.session = span_of(long_text, ELDER_SESSION_MAX + 1);
	ok(write_one(&m) == 0, "a longer one");
	m = request();
	m.identity = span_of(long_text, ELDER_IDENTITY_MAX);
	ok(write_one(&m) > 0, "the longest identity");
	m.identity = span_of(long_text, ELDER_IDENTITY_MAX + 1);
	ok(write_one(&m) == 0, "a longer one");
	m.identity = span_of(NULL, 0);
	ok(write_one(&m) == 0, "a request of nobody");
	m = request();
	m.version = span_of(long_text, ELDER_VERSION_MAX + 1);
	ok(write_one(&m) == 0, "a version that is too long");
	m = request();
	m.session = SPAN("a\r\nX: y");
	ok(write_one(&m) == 0, "a session id with a line end");
	m = request();
	m.event = SPAN("1");
	ok(write_one(&m) == 0, "a POST with Last-Event-ID");
	m = request();
	m.method = ELDER_DELETE;
	ok(write_one(&m) == 0, "a DELETE with a body");
	m = request();
	m.body = span_of(NULL, 0);
	ok(write_one(&m) == 0, "a POST without one");
	m.method = ELDER_GET;
	m.session = span_of(NULL, 0);
	ok(write_one(&m) == 0, "a GET of no session");
	m = (struct elder_msg){ .type = ELDER_REPLY, .call = 1, .status = 101 };
	ok(write_one(&m) == 0, "an interim status");
	m.status = 202;
	m.body = SPAN("{}");
	ok(write_one(&m) == 0, "a 202 with a body");
	m = (struct elder_msg){ .type = ELDER_REPLY, .call = 1, .status = 200, .scopes = 1, .body = SPAN("{}") };
	ok(write_one(&m) == 0, "scopes that are lacking, and a result");
	m = (struct elder_msg){ .type = ELDER_EVENT, .call = 1 };
	ok(write_one(&m) == 0, "an event of nothing");
	m.event = SPAN("1\n");
	ok(write_one(&m) == 0, "an event id with a line end");
	m = (struct elder_msg){ .type = ELDER_TYPES, .call = 1 };
	ok(write_one(&m) == 0, "a type there is not");
}

/* `n` bytes at `at` of a written frame are another number. */
static const char *changed(const struct elder_msg *m, bool to_elder, size_t at, const void *value, size_t value_n)
{
	struct elder_msg got;
	size_t used, n = write_one(m);
	const char *why = NULL;

	memcpy(wire + at, value, value_n);
	enum elder_taken end = read_copy(wire, n, to_elder, &got, &used, &why);
	return end == ELDER_WRONG ? why : end == ELDER_MORE ? "more" : "whole";
}

#define CHANGED(m, to_elder, type, at, number) changed(m, to_elder, at, &(type){ number }, sizeof(type))

static void hostile(void)
{
	struct elder_msg post = request(), reply = { .type = ELDER_REPLY, .call = 1, .status = 200, .body = SPAN("{}") };
	struct elder_msg event = { .type = ELDER_EVENT, .call = 1, .event = SPAN("1"), .body = SPAN("{}") };
	size_t head = sizeof(struct elder_frame), http = head, body;

	is_str(CHANGED(&post, true, uint16_t, offsetof(struct elder_frame, type), 0), "a frame of no known type", "type 0");
	is_str(CHANGED(&post, true, uint16_t, offsetof(struct elder_frame, type), ELDER_TYPES), "a frame of no known type", "a type beyond the last");
	is_str(CHANGED(&post, true, uint16_t, offsetof(struct elder_frame, zero), 1), "a frame of no known type", "a byte that must be 0");
	is_str(CHANGED(&post, true, uint64_t, offsetof(struct elder_frame, call), 0), "a frame of no known type", "call 0");
	is_str(CHANGED(&post, true, uint32_t, 0, sizeof(struct elder_http) - 1), "a frame that is too short", "too short for its type");
	is_str(CHANGED(&post, true, uint32_t, 0, UINT32_MAX), "a frame that is too long", "the longest length there is");
	is_str(CHANGED(&post, true, uint32_t, 0, BODY_MAX + ELDER_FRAME_ROOM), "a frame that is too long", "longer than any body");
	is_str(CHANGED(&post, true, uint32_t, 0, (uint32_t)(elder_msg_size(&post) - head + 1)), "more", "one byte more is waited for");
	is_str(CHANGED(&post, true, uint32_t, 0, (uint32_t)(elder_msg_size(&post) - head - 1)), "a frame whose texts do not add up", "one less");
	is_str(CHANGED(&post, true, uint8_t, http + offsetof(struct elder_http, session_n), 255), "a frame whose texts do not add up", "a session beyond the end");
	is_str(CHANGED(&post, true, uint32_t, http + offsetof(struct elder_http, identity_n), UINT32_MAX), "a frame whose texts do not add up",
		"an identity beyond all ends");
	is_str(CHANGED(&post, true, uint32_t, http + offsetof(struct elder_http, body_n), UINT32_MAX - 3), "a frame whose texts do not add up",
		"a body whose length wraps round");
	is_str(CHANGED(&post, true, uint8_t, http + offsetof(struct elder_http, method), 200), "a request of no known kind", "a method there is not");
	is_str(CHANGED(&post, true, uint8_t, http + sizeof(struct elder_http), '\n'), "a text with a byte that is not visible", "a line end in the version");
	is_str(CHANGED(&reply, false, uint16_t, head, 999), "a status that may not be sent", "status 999");
	is_str(CHANGED(&reply, false, uint16_t, head, 204), "a status that may not be sent", "status 204");
	is_str(CHANGED(&reply, false, uint8_t, head + offsetof(struct elder_reply, again), 2), "a frame whose texts do not add up", "neither yes nor no");
	is_str(CHANGED(&reply, false, uint64_t, head + offsetof(struct elder_reply, scopes), 2), "scopes that nobody lacks", "a challenge with a result");
	is_str(CHANGED(&event, false, uint32_t, head + offsetof(struct elder_event, event_n), 4), "a frame whose texts do not add up", "an id beyond the end");
	is_str(CHANGED(&event, false, char, head + sizeof(struct elder_event), '\r'), "a text with a byte that is not visible", "a line end in an event's id");

	char big[BODY_MAX + 1];
	memset(big, '1', sizeof big);
	post.body = span_of(big, BODY_MAX);
	is_str(CHANGED(&post, true, uint64_t, offsetof(struct elder_frame, call), 5), "whole", "the longest body");
	post.body = span_of(big, BODY_MAX + 1);
	is_str(CHANGED(&post, true, uint64_t, offsetof(struct elder_frame, call), 5), "a body that is too long", "one byte longer");

	/* Any byte of any frame, any value: read within bounds, and never more than is there. */
	unsigned beyond = 0, cases = 0;
	const struct elder_msg *all[] = { &reply, &event };
	post = request();
	for (unsigned k = 0; k < 3; k++) {
		const struct elder_msg *m = k < 2 ? all[k] : &post;
		body = elder_msg_size(m);
		for (size_t at = 0; at < body; at++)
			for (unsigned v = 0; v < 256; v += 5) {
				struct elder_msg got = { .type = ELDER_NONE };
				size_t used, n = write_one(m);
				const char *why;
				wire[at] = (char)v;
				enum elder_taken end = read_copy(wire, n, m == &post, &got, &used, &why);
				beyond += end == ELDER_WHOLE && (used > n || elder_msg_size(&got) != used);
				beyond += (end == ELDER_WRONG) != (why != NULL);
				cases++;
			}
	}
	ok(cases > 5000, "many frames with one byte changed");
	is_int(beyond, 0, "none of them is read beyond its end");
}

int main(void)
{
	texts();
	unwritten();
	hostile();
	return done_testing();
}
