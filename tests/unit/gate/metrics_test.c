/* gate/metrics.h: sums, peaks, histograms, and one header per family. */
#include "gate/metrics.h"
#include "tap.h"

static char text[16384];

static const char *render(const struct metrics *const *blocks, size_t n)
{
	struct buf b = buf_on(text, sizeof text - 1);

	metrics_write(&b, blocks, n);
	text[b.n] = 0;
	return b.full ? NULL : text;
}

static unsigned count(const char *needle)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, needle)) != NULL; p++)
		n++;
	return n;
}

int main(void)
{
	static struct metrics a, b;
	const struct metrics *const both[2] = { &a, &b };

	metrics_add(&a, METRIC_CONNECTIONS, 3);
	metrics_add(&b, METRIC_CONNECTIONS, 4);
	metrics_add(&a, METRIC_CONNECTIONS_OPEN, 2);
	metrics_sub(&a, METRIC_CONNECTIONS_OPEN, 1);
	metrics_add(&b, METRIC_CONNECTIONS_OPEN, 1);
	metrics_peak(&a, METRIC_POOL_LARGE_PEAK, 9);
	metrics_peak(&a, METRIC_POOL_LARGE_PEAK, 5);
	metrics_peak(&b, METRIC_POOL_LARGE_PEAK, 7);
	metrics_add(&a, METRIC_DURATION_LE_1MS, 5);
	metrics_add(&b, METRIC_DURATION_LE_100MS, 2);
	metrics_add(&b, METRIC_DURATION_INF, 1);
	metrics_add(&b, METRIC_DURATION_COUNT, 8);

	ok(render(both, 2) != NULL, "it fits");
	ok(strstr(text, "\npostern_connections_total 7\n") != NULL, "counters are summed");
	ok(strstr(text, "\npostern_connections_open 2\n") != NULL, "gauges are summed");
	ok(strstr(text, "\npostern_pool_peak{pool=\"large\"} 9\n") != NULL, "of peaks the largest is shown");
	ok(strstr(text, "le=\"1\"} 5\n") != NULL && strstr(text, "le=\"10\"} 5\n") != NULL && strstr(text, "le=\"100\"} 7\n") != NULL
		&& strstr(text, "le=\"+Inf\"} 8\n") != NULL, "buckets are cumulative");
	is_int(count("# TYPE postern_request_duration_ms histogram\n"), 1, "a histogram is one family");
	is_int(count("# TYPE postern_request_duration_ms"), 1, "with its sum and count");
	is_int(count("# TYPE postern_requests_total counter\n"), 1, "lines of one name share a header");
	is_int(count("# TYPE postern_pool_peak gauge\n"), 1, "a peak is a gauge to the outside");
	is_int(count("# HELP"), count("# TYPE"), "each header has both lines");
	is_int(count("\n") - 2 * count("# TYPE"), METRIC_COUNT, "each metric has one line");
	ok(strncmp(text, "# HELP ", 7) == 0 && strstr(text, "# HELP postern_refused_total Connections or requests") != NULL, "the first help of a name is used");

	static const struct span names[2] = { { "x", 1 }, { "y", 1 } };
	char shown[400];
	struct buf lines = buf_on(shown, sizeof shown - 1);
	a.down[1] = b.down[1] = 1;
	metrics_write_upstreams(&lines, both, 2, names, 2);
	shown[lines.n] = 0;
	ok(strstr(shown, "# TYPE postern_upstream_down gauge\npostern_upstream_down{server=\"x\"} 0\npostern_upstream_down{server=\"y\"} 2\n"), "upstreams that are down");
	metrics_forget(&a);
	ok(a.down[1] == 0 && b.down[1] == 1, "who dies has no opinion");
	render(both, 2);
	ok(strstr(text, "\npostern_connections_open 1\n") != NULL, "a dead owner's gauges are forgotten");
	ok(strstr(text, "\npostern_connections_total 7\n") != NULL && strstr(text, "le=\"1\"} 5\n") != NULL
		&& strstr(text, "\npostern_pool_peak{pool=\"large\"} 9\n") != NULL, "its counters, histograms and peaks are not");
	ok(render(both, 0) != NULL && strstr(text, "\npostern_connections_total 0\n") != NULL, "no blocks: zeros");
	{
		char small[64];
		struct buf out = buf_on(small, sizeof small);

		metrics_write(&out, both, 2);
		ok(out.full && out.n <= sizeof small, "what does not fit is said to be full");
	}
	return done_testing();
}
