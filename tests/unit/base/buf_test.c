/* base/buf: every builder, exactly full, one byte short, and sticky. */
#include "base/buf.h"

#include "page.h"
#include "tap.h"

static char mem[64];

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), name);
}

static void numbers(void)
{
	struct buf b = buf_on(mem, sizeof mem);

	buf_u64(&b, 0);
	buf_char(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	is_span(buf_span(&b), "0 18446744073709551615", "smallest and largest unsigned");

	buf_reset(&b);
	buf_i64(&b, INT64_MIN);
	buf_char(&b, ' ');
	buf_i64(&b, INT64_MAX);
	is_span(buf_span(&b), "-9223372036854775808 9223372036854775807", "smallest and largest signed");

	buf_reset(&b);
	buf_i64(&b, 0);
	buf_i64(&b, -1);
	buf_i64(&b, 10);
	is_span(buf_span(&b), "0-110", "around zero");

	buf_reset(&b);
	buf_u64_pad(&b, 42, 5);
	buf_u64_pad(&b, 12345, 3);
	buf_u64_pad(&b, 7, 0);
	is_span(buf_span(&b), "   42123457", "padded, never cut");

	buf_reset(&b);
	buf_hex(&b, "\x00\x7f\x80\xff", 4);
	buf_hex(&b, "", 0);
	is_span(buf_span(&b), "007f80ff", "hex");
}

/* Each builder with a room one byte too small writes nothing and sets full; with just enough it fits. */
static void fits(void (*build)(struct buf *), size_t size, const char *name)
{
	char *room = page_copy(mem, size);
	struct buf b = buf_on(room, size);

	build(&b);
	ok(!b.full && b.n == size, name);
	page_free(room, size);

	room = page_copy(mem, size - 1);
	b = buf_on(room, size - 1);
	build(&b);
	ok(b.full && b.n == 0, name);
	buf_put(&b, SPAN(""));
	buf_hex(&b, "", 0);
	buf_u64_pad(&b, 1, 1);
	ok(b.full && b.n == 0, "stays full, whatever comes after");
	buf_reset(&b);
	ok(!b.full && b.n == 0 && buf_room(&b) == size - 1, "until it is reset");
	page_free(room, size - 1);
}

static void put_char(struct buf *b) { buf_char(b, 'x'); }
static void put_lit(struct buf *b) { BUF_LIT(b, "hello"); }
static void put_u64(struct buf *b) { buf_u64(b, 1234567); }
static void put_i64(struct buf *b) { buf_i64(b, -1234567); }
static void put_hex(struct buf *b) { buf_hex(b, "abc", 3); }
static void put_pad(struct buf *b) { buf_u64_pad(b, 5, 10); }

static void overflow(void)
{
	struct buf b = buf_on(mem, 4);

	buf_hex(&b, mem, SIZE_MAX);
	ok(b.full && b.n == 0, "a size that would wrap when doubled");
	buf_reset(&b);
	buf_u64_pad(&b, 1, SIZE_MAX);
	ok(b.full && b.n == 0, "a width that would wrap");
	buf_reset(&b);
	buf_put(&b, span_of(NULL, 0));
	ok(!b.full && b.n == 0, "an absent span adds nothing");
}

int main(void)
{
	numbers();
	fits(put_char, 1, "buf_char");
	fits(put_lit, 5, "BUF_LIT");
	fits(put_u64, 7, "buf_u64");
	fits(put_i64, 8, "buf_i64");
	fits(put_hex, 6, "buf_hex");
	fits(put_pad, 10, "buf_u64_pad");
	overflow();
	return done_testing();
}
