/* Adding and printing the memory table. */
#include "conf/budget.h"

#include "tap.h"

static char mem[16 * 1024];
static struct budget b;

static void add(void)
{
	memset(&b, 0, sizeof b);
	budget_part(&b, SPAN("worker"), span_of(NULL, 0), 2, 3);
	budget_row(&b, SPAN("connections"), 100, 10);
	budget_row(&b, SPAN("requests"), 7, 3);
	ok(budget_close(&b, 1030), "the owner's sum holds the rows");
	budget_part(&b, SPAN("provider"), SPAN("do\"cs"), 1, 1);
	budget_row(&b, SPAN("all"), 50, 1);
	ok(budget_close(&b, 50), "nothing is left over");
	ok(!budget_close(&b, 49), "rows that come to more than the owner's sum are noticed");
	budget_part(&b, SPAN("shared"), span_of(NULL, 0), 0, 1);
	budget_row(&b, SPAN("metrics"), 5, 2);
}

static void sums(void)
{
	add();
	is_uint(b.part[0].bytes, 1030, "one worker");
	is_uint(b.part[1].bytes, 50, "the provider");
	is_uint(b.part[2].bytes, 10, "what is shared");
	is_uint(b.total, 2 * 1030 + 50 + 10, "all: shared memory counts once");
	is_uint(b.reload_total, 3 * 2 * 1030 + 50 + 10, "with three generations of workers");
	is_uint(b.nrows, 5, "one row was made for the difference");
	ok(!b.overflow, "no overflow");
}

static void text(void)
{
	static const char want[] =
		"what                                          each     count           bytes\n"
		"\n"
		"worker, 2 processes\n"
		"  connections                                  100        10            1000\n"
		"  requests                                       7         3              21\n"
		"  bookkeeping and alignment                      9         1               9\n"
		"  each process                                                          1030\n"
		"  all 2                                                                 2060\n"
		"\n"
		"provider do\"cs\n"
		"  all                                           50         1              50\n"
		"  together                                                                50\n"
		"\n"
		"shared\n"
		"  metrics                                        5         2              10\n"
		"  together                                                                10\n"
		"\n"
		"total, worst case                                                       2120\n"
		"total while reloads overlap                                             6240\n";
	struct buf out = buf_on(mem, sizeof mem);

	add();
	budget_write_text(&out, &b);
	is_mem(out.p, out.n, want, sizeof want - 1, "the table for people");
	buf_reset(&out);
	out.cap = 20;
	budget_write_text(&out, &b);
	ok(out.full, "a buffer that is too small is full, no more");
}

static void json(void)
{
	static const char want[] =
		"{\"parts\":[{\"role\":\"worker\",\"processes\":2,\"generations\":3,\"rows\":[{\"what\":\"connections\",\"each\":100,\"count\":10,\"bytes\":1000},"
		"{\"what\":\"requests\",\"each\":7,\"count\":3,\"bytes\":21},{\"what\":\"bookkeeping and alignment\",\"each\":9,\"count\":1,\"bytes\":9}],"
		"\"bytes\":1030},{\"role\":\"provider\",\"name\":\"do\\\"cs\",\"processes\":1,\"generations\":1,\"rows\":[{\"what\":\"all\",\"each\":50,\"count\":1,\"bytes\":50}],"
		"\"bytes\":50},{\"role\":\"shared\",\"processes\":0,\"generations\":1,\"rows\":[{\"what\":\"metrics\",\"each\":5,\"count\":2,\"bytes\":10}],\"bytes\":10}],"
		"\"total\":2120,\"reload_total\":6240}\n";
	struct buf out = buf_on(mem, sizeof mem);

	add();
	budget_write_json(&out, &b);
	is_mem(out.p, out.n, want, sizeof want - 1, "the table for programs");
}

static void overflow(void)
{
	memset(&b, 0, sizeof b);
	budget_row(&b, SPAN("x"), 1, 1);
	ok(b.overflow, "a row without a part");
	memset(&b, 0, sizeof b);
	budget_part(&b, SPAN("p"), span_of(NULL, 0), 1, 1);
	budget_row(&b, SPAN("x"), UINT64_MAX, 1);
	ok(!b.overflow, "the largest number");
	budget_row(&b, SPAN("x"), 1, 1);
	ok(b.overflow, "and one more");
	memset(&b, 0, sizeof b);
	budget_part(&b, SPAN("p"), span_of(NULL, 0), 1, 1);
	budget_row(&b, SPAN("x"), UINT64_C(1) << 32, UINT64_C(1) << 32);
	ok(b.overflow, "each times count");
	memset(&b, 0, sizeof b);
	budget_part(&b, SPAN("p"), span_of(NULL, 0), 3, 1);
	budget_row(&b, SPAN("x"), UINT64_MAX / 2, 1);
	ok(b.overflow, "bytes times processes");
	memset(&b, 0, sizeof b);
	budget_part(&b, SPAN("p"), span_of(NULL, 0), 1, 3);
	budget_row(&b, SPAN("x"), UINT64_MAX / 2, 1);
	ok(b.overflow, "bytes times generations");
	memset(&b, 0, sizeof b);
	for (int i = 0; i < BUDGET_PARTS_MAX; i++)
		budget_part(&b, SPAN("p"), span_of(NULL, 0), 1, 1);
	ok(!b.overflow, "as many parts as fit");
	budget_part(&b, SPAN("p"), span_of(NULL, 0), 1, 1);
	ok(b.overflow, "and one more");
	memset(&b, 0, sizeof b);
	budget_part(&b, SPAN("p"), span_of(NULL, 0), 1, 1);
	for (int i = 0; i < BUDGET_ROWS_MAX; i++)
		budget_row(&b, SPAN("x"), 1, 1);
	ok(!b.overflow && b.total == BUDGET_ROWS_MAX, "as many rows as fit");
	budget_row(&b, SPAN("x"), 1, 1);
	ok(b.overflow, "and one more row");
}

int main(void)
{
	sums();
	text();
	json();
	overflow();
	return done_testing();
}
