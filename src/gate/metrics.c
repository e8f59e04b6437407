#include "gate/metrics.h"

enum metric_kind { KIND_counter, KIND_gauge, KIND_peak, KIND_histogram };

static const struct {
	struct span name; /* with its labels */
	enum metric_kind kind;
	struct span help;
} table[METRIC_COUNT] = {
#define METRIC(symbol, name, kind, help) [METRIC_##symbol] = { { name, sizeof name - 1 }, KIND_##kind, { help, sizeof help - 1 } },
	METRICS(METRIC)
#undef METRIC
};

static bool ends(struct span s, struct span tail)
{
	return s.n >= tail.n && memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0;
}

/* The name without labels, and for a histogram without _bucket, _sum and _count. */
static struct span family(size_t i)
{
	const struct span tails[] = { SPAN("_bucket"), SPAN("_sum"), SPAN("_count") };
	struct span name = table[i].name;
	const char *brace = memchr(name.p, '{', name.n);

	if (brace)
		name.n = (size_t)(brace - name.p);
	if (table[i].kind == KIND_histogram)
		for (size_t t = 0; t < sizeof tails / sizeof tails[0]; t++)
			if (ends(name, tails[t])) {
				name.n -= tails[t].n;
				break;
			}
	return name;
}

static uint64_t value(size_t i, const struct metrics *const *blocks, size_t nblocks)
{
	uint64_t v = 0;

	for (size_t b = 0; b < nblocks; b++) {
		uint64_t one = blocks[b]->v[i];

		if (table[i].kind != KIND_peak)
			v += one;
		else if (one > v)
			v = one;
	}
	return v;
}

static struct span kind_name(enum metric_kind k)
{
	if (k == KIND_counter)
		return SPAN("counter");
	return k == KIND_histogram ? SPAN("histogram") : SPAN("gauge");
}

static void write_header(struct buf *b, size_t i, struct span name)
{
	BUF_LIT(b, "# HELP ");
	buf_put(b, name);
	buf_char(b, ' ');
	buf_put(b, table[i].help);
	BUF_LIT(b, "\n# TYPE ");
	buf_put(b, name);
	buf_char(b, ' ');
	buf_put(b, kind_name(table[i].kind));
	buf_char(b, '\n');
}

void metrics_forget(struct metrics *m)
{
	for (size_t i = 0; i < METRIC_COUNT; i++)
		if (table[i].kind == KIND_gauge)
			m->v[i] = 0;
	for (size_t i = 0; i < METRICS_UPSTREAMS; i++)
		m->down[i] = 0;
}

void metrics_write(struct buf *b, const struct metrics *const *blocks, size_t nblocks)
{
	struct span last = { NULL, 0 };
	uint64_t below = 0; /* events in the smaller buckets of this histogram */

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		struct span name = family(i);
		uint64_t v = value(i, blocks, nblocks);

		if (!span_eq(name, last)) {
			write_header(b, i, name);
			below = 0;
		}
		last = name;
		if (table[i].kind == KIND_histogram && memchr(table[i].name.p, '{', table[i].name.n)) {
			below += v;
			v = below;
		}
		buf_put(b, table[i].name);
		buf_char(b, ' ');
		buf_u64(b, v);
		buf_char(b, '\n');
	}
}

void metrics_write_upstreams(struct buf *b, const struct metrics *const *blocks, size_t nblocks, const struct span *names, size_t nnames)
{
	BUF_LIT(b, "# HELP postern_upstream_down Workers to which the last word of this server was a fault\n# TYPE postern_upstream_down gauge\n");
	for (size_t i = 0; i < nnames && i < METRICS_UPSTREAMS; i++) {
		uint64_t n = 0;

		for (size_t k = 0; k < nblocks; k++)
			n += blocks[k]->down[i];
		BUF_LIT(b, "postern_upstream_down{server=\"");
		buf_put(b, names[i]);
		BUF_LIT(b, "\"} ");
		buf_u64(b, n);
		buf_char(b, '\n');
	}
}
