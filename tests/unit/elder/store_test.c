/* elder/store: texts in blocks come out as they went in; full is full; what is kept gives way, the oldest first. */
#include <stdlib.h>

#include "elder/store.h"
#include "tap.h"

static struct store store;
static char text[300000], out[300000];

static void place(uint64_t bytes, uint64_t each)
{
	static void *mem;

	free(mem);
	mem = NULL;
	if (posix_memalign(&mem, 64, store_need(bytes)) != 0)
		abort();
	memset(mem, 0, store_need(bytes));
	memset(&store, 0, sizeof store);
	store_place(&store, mem, bytes, each);
}

static bool same(const struct chain *c, size_t n)
{
	struct buf b = buf_on(out, sizeof out);

	store_text(c, &b);
	return !b.full && b.n == n && memcmp(out, text, n) == 0;
}

int main(void)
{
	struct chain c, d;
	struct store_log a, b;
	bool right = true;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 31 + i / 251);
	place(128 << 10, 64 << 10);
	for (size_t n = 0; n < 10000; n += 1 + n / 7) {
		right = right && store_put(&store, &c, span_of(text, n)) && same(&c, n);
		store_drop(&store, &c);
	}
	ok(right, "texts of all lengths");
	is_uint(store.blocks.used, 0, "and all blocks are back");
	ok(!store_put(&store, &c, span_of(text, 200000)), "one that does not fit is not put");
	ok(c.first == NULL && store.blocks.used == 0, "and leaves nothing");

	store_log_start(&a);
	store_log_start(&b);
	for (uint32_t i = 1; i <= 200; i++)
		right = right && store_keep(&store, i & 1 ? &a : &b, 1, i, span_of(text, 2000));
	ok(right, "what is kept makes room for itself");
	ok(store.blocks.used <= 64, "within the pool");
	ok(store_next(&a, 1, 0)->seq > 100 && store_next(&b, 1, 0)->seq > 100, "the oldest went first");
	ok(store_next(&a, 1, 199) == NULL && store_next(&a, 2, 0) == NULL, "there is nothing behind the last, nor of another stream");
	ok(same(&store_next(&b, 1, 199)->text, 2000), "the last is whole");
	ok(store_put(&store, &c, span_of(text, 60 * 2000)) && same(&c, 60 * 2000), "what waits comes before what is kept");
	ok(!store_put(&store, &d, span_of(text, 60 * 2000)) && d.first == NULL, "but not before what waits");
	ok(store_next(&b, 1, 0) == NULL, "for the try all that was kept is gone");
	ok(!store_keep(&store, &a, 1, 1, span_of(text, 60 * 2000)), "nor is there room to keep it");
	store_drop(&store, &c);
	ok(!store_keep(&store, &a, 1, 1, span_of(text, (64 << 10) + 1)), "an event over the limit of a log is not kept");
	ok(store_keep(&store, &a, 1, 1, span_of(text, 64 << 10)), "one at the limit is");
	ok(store_keep(&store, &a, 1, 2, span_of(text, 1)) && store_next(&a, 1, 0)->seq == 2, "and gives way to the next");
	ok(store_keep(&store, &a, 1, 3, span_of(text, 0)) && same(&store_next(&a, 1, 2)->text, 0), "an empty one");
	store_log_drop(&store, &a);
	store_log_drop(&store, &b);
	/* A log is as long as its blocks are many: short events would else take everybody's. */
	ok(store_keep(&store, &b, 1, 1, span_of(text, 100)), "an event of one log");
	for (uint32_t i = 1; i <= 200; i++)
		right = right && store_keep(&store, &a, 1, i, span_of(text, 1));
	ok(right && store_next(&b, 1, 0) && same(&store_next(&b, 1, 0)->text, 100), "is not pushed out by many short ones of another");
	ok(store.blocks.used <= 1 + 33 && store_next(&a, 1, 199), "which push out each other");
	store_log_drop(&store, &a);
	store_log_drop(&store, &b);
	is_uint(store.blocks.used + store.events.used, 0, "nothing is left");
	ok(a.blocks == 0 && b.blocks == 0, "nor counted");
	return done_testing();
}
