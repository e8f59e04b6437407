#include "page.h"
#include "tap.h"
#include "wire/http_body.h"

struct outcome {
	enum http_body_state state;
	size_t used;
	size_t payload_len;
	char payload[256];
	bool sane;
};

/* Feeds in[0..n) in pieces that end at `cut` and, if `bytewise`, after each byte. */
static struct outcome feed(enum http_framing framing, uint64_t length, uint64_t limit, const char *in, size_t n, size_t cut, bool bytewise)
{
	struct outcome o = { .sane = true };
	struct http_body b;
	size_t at = 0;

	http_body_start(&b, framing, length, limit);
	while (at < n) {
		size_t to = bytewise ? at + 1 : at < cut ? cut : n;
		char *piece = page_copy(in + at, to - at);
		size_t used = 0, whole = to - at;

		while (used < whole && b.state == HTTP_BODY_MORE) {
			struct span run;
			size_t took = http_body_take(&b, piece + used, whole - used, &run);

			o.sane = o.sane && took <= whole - used && (took > 0 || b.state != HTTP_BODY_MORE) && run.n <= took &&
			         (run.n == 0 || (run.p >= piece + used && run.p + run.n <= piece + used + took));
			if (o.payload_len + run.n <= sizeof(o.payload) && run.n > 0)
				memcpy(o.payload + o.payload_len, run.p, run.n);
			o.payload_len += run.n;
			used += took;
		}
		o.sane = o.sane && b.total == o.payload_len && b.total <= limit;
		page_free(piece, whole);
		at += used;
		if (b.state != HTTP_BODY_MORE)
			break;
	}
	o.used = at;
	o.state = b.state;
	return o;
}

static bool same(struct outcome a, struct outcome b)
{
	return a.sane && b.sane && a.state == b.state && a.used == b.used && a.payload_len == b.payload_len && a.payload_len <= sizeof(a.payload) &&
	       memcmp(a.payload, b.payload, a.payload_len) == 0;
}

/* In place, behind four bytes of a head, in two pieces: the same payload behind the head, and the same bytes left over. */
static bool in_place(const struct outcome *want, enum http_framing framing, uint64_t length, uint64_t limit, const char *in, size_t n, size_t cut)
{
	char mem[1024] = "head";
	struct http_body b;
	size_t end = 4, raw = 4, have = 4;
	bool good = n <= sizeof mem - 4;

	http_body_start(&b, framing, length, limit);
	for (size_t at = 0; good && at <= n && b.state == HTTP_BODY_MORE; at = at < cut ? cut : n + 1) {
		size_t to = at < cut ? cut : n;

		memcpy(mem + have, in + at, to - at);
		have += to - at;
		http_body_unframe(&b, mem, &end, &raw, &have);
		if (b.state == HTTP_BODY_MORE)
			good = raw == end && have == end;
		else
			good = have - raw + (n - to) == n - want->used && memcmp(mem + raw, in + want->used, have - raw) == 0;
	}
	return good && b.state == want->state && end - 4 == want->payload_len && memcmp(mem, "head", 4) == 0 &&
	       memcmp(mem + 4, want->payload, want->payload_len) == 0;
}

static const char *const states[] = { "more", "done", "large", "broken" };

static void one(const char *name, enum http_framing framing, uint64_t length, uint64_t limit, struct span in, enum http_body_state state,
    size_t used, struct span payload)
{
	struct outcome whole = feed(framing, length, limit, in.p, in.n, in.n, false);
	bool good = true;

	is_str(states[whole.state], states[state], name);
	is_uint(whole.used, used, "  bytes used");
	is_mem(whole.payload, whole.payload_len, payload.p, payload.n, "  payload");
	for (size_t cut = 0; cut <= in.n; cut++)
		good = good && same(whole, feed(framing, length, limit, in.p, in.n, cut, false));
	good = good && same(whole, feed(framing, length, limit, in.p, in.n, 0, true));
	ok(good, "  the same at every cut");
	for (size_t cut = 0; cut <= in.n; cut++)
		good = good && in_place(&whole, framing, length, limit, in.p, in.n, cut);
	ok(good, "  and in place");
}

#define CHUNKS(text, state, used, payload) one(text, HTTP_CHUNKED, 0, 100, SPAN(text), HTTP_BODY_##state, used, SPAN(payload))

static void chunked(void)
{
	CHUNKS("0\r\n\r\n", DONE, 5, "");
	CHUNKS("00000000\r\n\r\n", DONE, 12, "");
	CHUNKS("5\r\nhello\r\n0\r\n\r\n", DONE, 15, "hello");
	CHUNKS("5\r\nhello\r\n0\r\n\r\nPOST /", DONE, 15, "hello");
	CHUNKS("1\r\na\r\n1\r\nb\r\n2\r\ncd\r\n000\r\n\r\n", DONE, 26, "abcd");
	CHUNKS("A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n", DONE, 36, "01234567890123456789");
	CHUNKS("4\r\n\r\n0\r\r\n0\r\n\r\n", DONE, 14, "\r\n0\r");
	CHUNKS("5\r\nhel", MORE, 6, "hel");
	CHUNKS("", MORE, 0, "");
	CHUNKS("5\r\nhello\r\n0\r\n\r", MORE, 14, "hello");
	/* size lines */
	CHUNKS("\r\n", BROKEN, 1, "");
	CHUNKS("g\r\n", BROKEN, 1, "");
	CHUNKS(" 5\r\nhello\r\n", BROKEN, 1, "");
	CHUNKS("5 \r\nhello\r\n", BROKEN, 2, "");
	CHUNKS("5\t\r\nhello\r\n", BROKEN, 2, "");
	CHUNKS("+5\r\nhello\r\n", BROKEN, 1, "");
	CHUNKS("-1\r\n", BROKEN, 1, "");
	CHUNKS("0x5\r\nhello\r\n", BROKEN, 2, "");
	CHUNKS("5;a=b\r\nhello\r\n", BROKEN, 2, "");
	CHUNKS("5;\r\nhello\r\n", BROKEN, 2, "");
	CHUNKS("5\nhello\n", BROKEN, 2, "");
	CHUNKS("5\r\rhello", BROKEN, 3, "");
	CHUNKS("5\rhello", BROKEN, 3, "");
	CHUNKS("000000005\r\nhello", BROKEN, 9, "");
	CHUNKS("100000000\r\n", BROKEN, 9, "");
	CHUNKS("\0", BROKEN, 1, "");
	CHUNKS("5\0\r\n", BROKEN, 2, "");
	CHUNKS("\xb5\r\n", BROKEN, 1, "");
	/* after the data */
	CHUNKS("5\r\nhelloX\r\n", BROKEN, 9, "hello");
	CHUNKS("5\r\nhello\n0\r\n\r\n", BROKEN, 9, "hello");
	CHUNKS("5\r\nhello\r0\r\n\r\n", BROKEN, 10, "hello");
	CHUNKS("5\r\nhello0\r\n\r\n", BROKEN, 9, "hello");
	/* trailers and other ends */
	CHUNKS("0\r\nX: a\r\n\r\n", BROKEN, 4, "");
	CHUNKS("0\r\n0\r\n\r\n", BROKEN, 4, "");
	CHUNKS("0\r\n\n", BROKEN, 4, "");
	CHUNKS("0\r\n\rX", BROKEN, 5, "");
	CHUNKS("0\n\n", BROKEN, 2, "");
	/* the limit is 100: decided at the size line */
	CHUNKS("65\r\n", LARGE, 3, "");
	CHUNKS("ffffffff\r\n", LARGE, 9, "");
	CHUNKS("5\r\nhello\r\n60\r\nx", LARGE, 13, "hello");
	CHUNKS("5\r\nhello\r\n5f\r\n01", MORE, 16, "hello01");
	CHUNKS("64\r\n", MORE, 4, "");
}

static void others(void)
{
	one("no body", HTTP_NO_BODY, 0, 100, SPAN("POST"), HTTP_BODY_DONE, 0, SPAN(""));
	one("length 0", HTTP_LENGTH, 0, 100, SPAN("POST"), HTTP_BODY_DONE, 0, SPAN(""));
	one("length 4", HTTP_LENGTH, 4, 100, SPAN("POST"), HTTP_BODY_DONE, 4, SPAN("POST"));
	one("length 4 and more", HTTP_LENGTH, 4, 100, SPAN("abcdPOST"), HTTP_BODY_DONE, 4, SPAN("abcd"));
	one("length 4, short", HTTP_LENGTH, 4, 100, SPAN("abc"), HTTP_BODY_MORE, 3, SPAN("abc"));
	one("length at the limit", HTTP_LENGTH, 4, 4, SPAN("abcd"), HTTP_BODY_DONE, 4, SPAN("abcd"));
	one("length over the limit", HTTP_LENGTH, 5, 4, SPAN("abcde"), HTTP_BODY_LARGE, 0, SPAN(""));
	one("the largest length", HTTP_LENGTH, UINT64_MAX, 4, SPAN("abcde"), HTTP_BODY_LARGE, 0, SPAN(""));
	one("no limit", HTTP_LENGTH, UINT64_MAX, UINT64_MAX, SPAN("abcde"), HTTP_BODY_MORE, 5, SPAN("abcde"));
	one("until close", HTTP_UNTIL_CLOSE, 0, 100, SPAN("abc"), HTTP_BODY_MORE, 3, SPAN("abc"));
	one("chunks and no room", HTTP_CHUNKED, 0, 0, SPAN("0\r\n\r\n"), HTTP_BODY_DONE, 5, SPAN(""));
	one("a chunk and no room", HTTP_CHUNKED, 0, 0, SPAN("1\r\na"), HTTP_BODY_LARGE, 2, SPAN(""));
}

static void until_close(void)
{
	struct http_body b;
	struct span run;

	http_body_start(&b, HTTP_UNTIL_CLOSE, 0, 4);
	is_uint(http_body_take(&b, "abcd", 4, &run), 4, "until close: up to the limit");
	is_int(b.state, HTTP_BODY_MORE, "  more could come");
	is_uint(run.n, 4, "  and all of it is payload");
	(void)http_body_take(&b, "e", 1, &run);
	is_int(b.state, HTTP_BODY_LARGE, "  one byte over is too much");
	is_uint(run.n, 0, "  and is not given out");
	http_body_eof(&b);
	is_int(b.state, HTTP_BODY_LARGE, "  for good");
}

/* The peer closes after each byte of each framing. */
static void eof(void)
{
	static const char chunks[] = "1\r\na\r\n0\r\n\r\n";
	struct http_body b;
	struct span run;

	for (size_t n = 0; n < sizeof(chunks); n++) {
		http_body_start(&b, HTTP_CHUNKED, 0, 100);
		for (size_t i = 0; i < n; i++)
			(void)http_body_take(&b, chunks + i, 1, &run);
		http_body_eof(&b);
		is_int(b.state, n == sizeof(chunks) - 1 ? HTTP_BODY_DONE : HTTP_BODY_BROKEN,
		    "closed inside chunks");
	}
	for (size_t n = 0; n <= 3; n++) {
		http_body_start(&b, HTTP_LENGTH, 3, 100);
		(void)http_body_take(&b, "abc", n, &run);
		http_body_eof(&b);
		is_int(b.state, n == 3 ? HTTP_BODY_DONE : HTTP_BODY_BROKEN, "closed inside a length");
		http_body_start(&b, HTTP_UNTIL_CLOSE, 0, 100);
		(void)http_body_take(&b, "abc", n, &run);
		http_body_eof(&b);
		is_int(b.state, HTTP_BODY_DONE, "closed where closing is the end");
	}
	http_body_start(&b, HTTP_LENGTH, 0, 0);
	is_uint(http_body_take(&b, "abc", 3, &run), 0, "a body that is done takes nothing");
	is_uint(run.n, 0, "  and gives nothing");
}

/* Every byte in place of every byte of a right body: nothing but hex case may be read as the same payload. */
static void mutations(void)
{
	static const char text[] = "a\r\n0123456789\r\n2\r\nxy\r\n0\r\n\r\n";
	static const char data[] = "0123456789xy";
	unsigned wrong = 0, done = 0;

	for (size_t at = 0; at + 1 < sizeof(text); at++) {
		for (int c = 0; c < 256; c++) {
			char copy[sizeof(text)];
			struct outcome o;
			bool in_data = (at >= 3 && at < 13) || (at >= 18 && at < 20);

			memcpy(copy, text, sizeof(text));
			copy[at] = (char)c;
			o = feed(HTTP_CHUNKED, 0, 100, copy, sizeof(text) - 1, sizeof(text) - 1, false);
			wrong += !o.sane;
			if (o.state != HTTP_BODY_DONE)
				continue;
			done++;
			if (!in_data && (o.payload_len != sizeof(data) - 1 || memcmp(o.payload, data, sizeof(data) - 1) != 0))
				wrong++;
		}
	}
	is_uint(wrong, 0, "no changed byte gives another payload");
	/* 12 data bytes × 256, 15 framing bytes that are right as they are, and 'A' for 'a'. */
	is_uint(done, 12 * 256 + 15 + 1, "and exactly these are right");
}

int main(void)
{
	chunked();
	others();
	until_close();
	eof();
	mutations();
	return done_testing();
}
