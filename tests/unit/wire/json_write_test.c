/* wire/json_write: what we write is JSON and reads back as it was; UTF-8 that is none becomes U+FFFD; never half a string. */
#include "wire/json_write.h"

#include "wire/json_read.h"

#include "page.h"
#include "tap.h"

static char mem[4096];

static void written(const char *text, size_t n, const char *want)
{
	char *in = page_copy(text, n);
	size_t size = strlen(want);
	struct buf b = buf_on(mem, size);

	json_write_string(&b, span_of(in, n));
	is_mem(b.p, b.n, want, size, want);
	for (size_t cap = 0; cap < size; cap++) {
		char *room = page_copy(mem, cap);

		b = buf_on(room, cap);
		json_write_string(&b, span_of(in, n));
		if (!b.full || b.n != 0)
			ok(false, "a room too small gets nothing");
		page_free(room, cap);
	}
	b = buf_on(mem, sizeof mem);
	BUF_LIT(&b, "[");
	json_write_inner(&b, span_of(in, n));
	is_mem(b.p + 1, b.n - 1, want + 1, size - 2, "the same without quotes, after what was there");
	page_free(in, n);
}

#define TEXT(literal) "" literal, sizeof(literal) - 1

static void round_trip(void)
{
	static const uint8_t seed[16] = { 3 };
	static _Alignas(16) char table_mem[16384];
	struct json_table *table = json_table_place(table_mem, 64, seed);
	char plain[1024], back[1024];
	struct buf p = buf_on(plain, sizeof plain), b = buf_on(mem, sizeof mem), t = buf_on(back, sizeof back);
	struct json j;
	size_t where = 0;

	ok(json_table_need(64) <= sizeof table_mem, "the table fits");
	for (unsigned c = 0; c < 0x80; c++)
		buf_char(&p, (char)c);
	BUF_LIT(&p, "\xc2\x80\xdf\xbf\xe0\xa0\x80\xe2\x80\xa8\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
	json_write_string(&b, buf_span(&p));
	ok(json_read(&j, table, buf_span(&b), &where) == JSON_OK, "every ASCII byte and the edges of UTF-8 make a JSON string");
	json_text(&j, JSON_ROOT, &t);
	is_mem(t.p, t.n, p.p, p.n, "that reads back as it was");

	b = buf_on(mem, sizeof mem);
	buf_reset(&p);
	for (unsigned c = 0; c < 256; c++)
		buf_char(&p, (char)(c * 37));
	json_write_string(&b, buf_span(&p));
	ok(!b.full && json_check(buf_span(&b), &where) == JSON_OK, "any bytes at all make a JSON string");
}

int main(void)
{
	written(TEXT(""), "\"\"");
	written(TEXT("plain"), "\"plain\"");
	written(TEXT("\"\\/"), "\"\\\"\\\\/\"");
	written(TEXT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	written(TEXT("a\0b\x01\x1f\x7f"), "\"a\\u0000b\\u0001\\u001f\x7f\"");
	written(TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	written(TEXT("\xff"), "\"\xef\xbf\xbd\"");
	written(TEXT("a\xc3"), "\"a\xef\xbf\xbd\"");
	written(TEXT("\xe2\x82x"), "\"\xef\xbf\xbd\xef\xbf\xbdx\"");
	written(TEXT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	written(TEXT("\xc0\xaf\""), "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"");
	written(TEXT("\\u0041"), "\"\\\\u0041\"");
	round_trip();
	return done_testing();
}
