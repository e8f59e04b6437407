#include "page.h"
#include "tap.h"
#include "wire/sse.h"

enum { EVENTS_MAX = 16, DATA_CAP = 64 };

struct outcome {
	unsigned count;
	enum sse_state state;
	uint64_t comments;
	size_t lens[EVENTS_MAX];
	char data[EVENTS_MAX][DATA_CAP];
	bool sane;
};

static struct outcome feed(struct span in, size_t cut, bool bytewise)
{
	struct outcome o = { .sane = true };
	struct sse_reader r;
	char *mem = page_copy(o.data, DATA_CAP);
	size_t at = 0;

	sse_start(&r, mem, DATA_CAP);
	while (at < in.n && r.state == SSE_MORE) {
		size_t to = bytewise ? at + 1 : at < cut ? cut : in.n, whole = to - at, used = 0;
		char *piece = page_copy(in.p + at, whole);

		while (used < whole && r.state != SSE_LARGE) {
			size_t took = sse_take(&r, piece + used, whole - used);

			o.sane = o.sane && took > 0 && took <= whole - used && (r.state != SSE_MORE || took == whole - used);
			used += took;
			if (r.state == SSE_EVENT) {
				o.sane = o.sane && sse_take(&r, piece, whole) == 0;
				if (o.count < EVENTS_MAX) {
					o.lens[o.count] = r.data.n;
					memcpy(o.data[o.count], r.data.p, r.data.n);
				}
				o.count++;
				o.sane = o.sane && r.events == o.count;
				sse_next(&r);
			}
			if (took == 0)
				break;
		}
		page_free(piece, whole);
		at = to;
	}
	o.state = r.state;
	o.comments = r.comments;
	page_free(mem, DATA_CAP);
	return o;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	if (!a->sane || !b->sane || a->count != b->count || a->state != b->state || a->comments != b->comments)
		return false;
	for (unsigned i = 0; i < a->count && i < EVENTS_MAX; i++)
		if (a->lens[i] != b->lens[i] || memcmp(a->data[i], b->data[i], a->lens[i]) != 0)
			return false;
	return true;
}

/* want: the events, each followed by '|'. */
static void one(struct span in, const char *want, enum sse_state state, const char *name)
{
	struct outcome whole = feed(in, in.n, false), other;
	char got[EVENTS_MAX * DATA_CAP + EVENTS_MAX];
	size_t n = 0;
	bool good = true;

	for (unsigned i = 0; i < whole.count && i < EVENTS_MAX; i++) {
		memcpy(got + n, whole.data[i], whole.lens[i]);
		n += whole.lens[i];
		got[n++] = '|';
	}
	is_mem(got, n, want, strlen(want), name);
	is_int(whole.state, state, "  and then");
	for (size_t cut = 0; cut <= in.n; cut++) {
		other = feed(in, cut, false);
		good = good && same(&whole, &other);
	}
	other = feed(in, 0, true);
	ok(good && same(&whole, &other), "  the same at every cut");
}

#define EVENTS(text, want) one(SPAN(text), want, SSE_MORE, text)

static void reading(void)
{
	EVENTS("", "");
	EVENTS("data: a\n\n", "a|");
	EVENTS("data: a\r\n\r\n", "a|");
	EVENTS("data: a\r\r", "a|");
	EVENTS("data: a\r\n\rdata: b\n\r\n", "a|b|");
	EVENTS("data: a\n\ndata: b\n\ndata: c\n", "a|b|");
	EVENTS("data:a\n\n", "a|");
	EVENTS("data:  a \n\n", " a |");
	EVENTS("data:\ta\n\n", "\ta|");
	EVENTS("data\n\n", "|");
	EVENTS("data:\n\n", "|");
	EVENTS("data: \n\n", "|");
	EVENTS("data\ndata\n\n", "\n|");
	EVENTS("data: a\ndata: b\r\ndata:c\rdata:\n\n", "a\nb\nc\n|");
	EVENTS("data: a:b: c\n\n", "a:b: c|");
	EVENTS("data: 0123456789abcdef\t0123456789abcdef\n\n", "0123456789abcdef\t0123456789abcdef|");
	EVENTS("\n\n\r\n\r\r\ndata: a\n\n\n\n", "a|");
	EVENTS("data: unfinished", "");
	EVENTS("data: unfinished\n", "");
	/* what is no data */
	EVENTS(": ping\n\n:\n\ndata: a\n: in between\n\n", "a|");
	EVENTS("id: 7\nretry: 10\n\n", "");
	EVENTS("id: 7\ndata: a\nretry: 10\n\n", "a|");
	EVENTS("datas: a\n\ndat: a\n\nData: a\n\nDATA: a\n\n data: a\n\ndata : a\n\n", "");
	EVENTS("datadata: a\n\nd: a\n\nd\n\n", "");
	EVENTS("x\ndata: a\n\nid\n\n", "a|");
	EVENTS("data\0: a\n\n", "");
	/* other events */
	EVENTS("event: message\ndata: a\n\n", "a|");
	EVENTS("event:message\ndata: a\n\n", "a|");
	EVENTS("event: \ndata: a\n\n", "a|");
	EVENTS("event\ndata: a\n\n", "a|");
	EVENTS("event: ping\ndata: a\n\ndata: b\n\n", "b|");
	EVENTS("data: a\nevent: ping\n\ndata: b\n\n", "b|");
	EVENTS("event: ping\nevent: message\ndata: a\n\n", "a|");
	EVENTS("event: message\nevent: ping\ndata: a\n\n", "");
	EVENTS("event: Message\ndata: a\n\n", "");
	EVENTS("event: messag\ndata: a\n\n", "");
	EVENTS("event: messages\ndata: a\n\n", "");
	EVENTS("event:  message\ndata: a\n\n", "");
	EVENTS("event: message \ndata: a\n\n", "");
	EVENTS("event: messagemessage\ndata: a\n\n", "");
	EVENTS("event: ping\n\ndata: a\n\n", "a|");
	EVENTS("events: ping\ndata: a\n\n", "a|");
	/* a byte order mark, at the beginning only */
	EVENTS("\xef\xbb\xbf" "data: a\n\n", "a|");
	EVENTS("\xef\xbb\xbf\n\xef\xbb\xbf" "data: a\n\n", "");
	EVENTS("\xef\xbb\xbf\xef\xbb\xbf" "data: a\n\n", "");
	EVENTS("\xef\xbb" "data: a\n\ndata: b\n\n", "b|");
	EVENTS("\xef: a\ndata: b\n\n", "b|");
	EVENTS("\xef\n\xef\xbb\r\ndata: b\n\n", "b|");
	EVENTS("\xbb\xbf" "data: a\n\n", "");
	EVENTS("data: a\n\ndata: \xef\xbb\xbf" "b\n\n", "a|\xef\xbb\xbf" "b|");
}

static void limits(void)
{
	char text[256];
	int n;

	/* 64 bytes fit */
	n = snprintf(text, sizeof(text), "data: %064d\n\ndata: b\n\n", 0);
	one(span_of(text, (size_t)n), "0000000000000000000000000000000000000000000000000000000000000000|b|", SSE_MORE, "an event that just fits");
	n = snprintf(text, sizeof(text), "data: b\n\ndata: %065d\n\n", 0);
	one(span_of(text, (size_t)n), "b|", SSE_LARGE, "one byte more is too large");
	n = snprintf(text, sizeof(text), "data: %032d\ndata: %032d\n\n", 0, 0);
	one(span_of(text, (size_t)n), "", SSE_LARGE, "the line feed between two lines counts");
	n = snprintf(text, sizeof(text), ": %0200d\n\ndata: b\n\n", 0);
	one(span_of(text, (size_t)n), "b|", SSE_MORE, "a long comment needs no room");
	n = snprintf(text, sizeof(text), "event: %0200d\ndata: a\n\ndata: b\n\n", 0);
	one(span_of(text, (size_t)n), "b|", SSE_MORE, "nor does a long event name");
	memset(text, 'm', sizeof(text));
	n = snprintf(text, sizeof(text), "event: message%0200d\ndata: a\n\n", 0);
	one(span_of(text, (size_t)n), "", SSE_MORE, "nor one that begins like ours");
}

static void counts(void)
{
	struct outcome o = feed(SPAN(":a\n:\n\ndata: a\n:b\n\n"), 0, true);

	is_uint(o.comments, 3, "comments are counted");
}

/* Written, read back: the same but for the line breaks, which become LF. */
static void writing(void)
{
	static const struct {
		const char *json, *wire, *back;
	} all[] = { { "{}", "data: {}\n\n", "{}|" }, { "{\n}", "data: {\ndata: }\n\n", "{\n}|" }, { "{\r\n}", "data: {\ndata: }\n\n", "{\n}|" },
		    { "{\r}", "data: {\ndata: }\n\n", "{\n}|" }, { "\n{}\n", "data: \ndata: {}\ndata: \n\n", "\n{}\n|" },
		    { "{\n\r\n\r}", "data: {\ndata: \ndata: \ndata: }\n\n", "{\n\n\n}|" }, { " {}", "data:  {}\n\n", " {}|" },
		    { "[1,\t2]\r\n", "data: [1,\t2]\ndata: \n\n", "[1,\t2]\n|" }, { "{\r", "data: {\ndata: \n\n", "{\n|" } };
	char mem[256];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char *edge = page_str(all[i].json);
		struct span json = span_of(edge, strlen(all[i].json));
		struct buf b = buf_on(mem, sizeof(mem));

		sse_write(&b, json);
		is_mem(b.p, b.n, all[i].wire, strlen(all[i].wire), "written");
		is_uint(sse_write_size(json), b.n, "  of the size foretold");
		one(buf_span(&b), all[i].back, SSE_MORE, "  read back");
		b = buf_on(mem, strlen(all[i].wire) - 1);
		sse_write(&b, json);
		ok(b.full, "  full without its last byte");
		page_free(edge, json.n);
	}
	struct buf b = buf_on(mem, sizeof(mem));
	sse_write_id(&b, SPAN("a-1"), 0);
	sse_write_id(&b, span_of(NULL, 0), 1500);
	sse_write_id(&b, span_of(NULL, 0), 0);
	is_mem(b.p, b.n, "id: a-1\nretry: 1500\n", 20, "an id, and when to come back");
}

/* The id and retry after all of `text`, cut anywhere. */
static void kept(const char *text, const char *id, int64_t retry_ms)
{
	struct span in = span_z(text);
	static const char zeros[DATA_CAP];
	bool good = true;

	for (size_t cut = 0; cut <= in.n; cut++) {
		char *mem = page_copy(zeros, DATA_CAP), *ids = page_copy(zeros, 16);
		struct sse_reader r;
		size_t at = 0;

		sse_start(&r, mem, DATA_CAP);
		sse_keep(&r, ids, 8);
		while (at < in.n) {
			at += sse_take(&r, in.p + at, at < cut ? cut - at : in.n - at);
			if (r.state == SSE_EVENT)
				sse_next(&r);
		}
		good = good && span_eq(sse_id(&r), span_z(id)) && r.retry_ms == retry_ms;
		page_free(mem, DATA_CAP);
		page_free(ids, 16);
	}
	ok(good, id ? id : "no id");
}

static void ids(void)
{
	kept("data: a\n\n", NULL, -1);
	kept("id: 7\ndata: a\n\n", "7", -1);
	kept("id: 7\n\n", "7", -1);
	kept("id:7\ndata: a\n\ndata: b\n\n", "7", -1);
	kept("id: 7\ndata: a\n\nid: 8\ndata: b\n", "7", -1); /* unfinished */
	kept("id: 7\ndata: a\n\nid: 8", "7", -1);
	kept("id: 7\nid: 8\r\n\r\n", "8", -1);
	kept("id: 7\ndata: a\n\nid\n\n", NULL, -1);
	kept("id: 7\ndata: a\n\nid: \n\n", NULL, -1);
	kept("id: 12345678\n\n", "12345678", -1);
	kept("id: 7\n\nid: 123456789\n\n", NULL, -1);
	kept("id: 7\n\nid: a\tb\n\n", NULL, -1);
	kept("event: x\nid: 9\ndata: a\n\n", "9", -1);
	kept("ids: 9\nI: 9\nid : 9\ni\n\n", NULL, -1);
	kept("retry: 10\n\n", NULL, 10);
	kept("retry:3000\nid: a\n\n", "a", 3000);
	kept("retry: 10x\n\n", NULL, -1);
	kept("retry: -1\nretry\nretry:\nretry: \nretr: 4\nretrying: 4\n\n", NULL, -1);
	kept("retry: 10\nretry: x\n\n", NULL, 10);
	kept("retry: 99999999999999999999999999\n\n", NULL, 86400000);
}

int main(void)
{
	ids();
	reading();
	limits();
	counts();
	writing();
	return done_testing();
}
