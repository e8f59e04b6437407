#include "flow/link_idle.h"

#include "base/text.h"

int64_t link_idle_ms(const struct http_head *h, int64_t otherwise_ms)
{
	struct span v = h->known[HTTP_KEEP_ALIVE];
	uint64_t seconds;

	for (size_t i = 0; i + 8 < v.n; i++) {
		if (!span_ieq(span_of(v.p + i, 8), SPAN("timeout=")))
			continue;
		struct span digits = span_of(v.p + i + 8, 0);
		while (digits.p + digits.n < v.p + v.n && digits.p[digits.n] >= '0' && digits.p[digits.n] <= '9')
			digits.n++;
		if (text_u64(digits, &seconds) && seconds > 0)
			return seconds > 60 ? 59000 : (int64_t)seconds * 1000 - (seconds > 1 ? 1000 : 500);
	}
	return otherwise_ms;
}
