/* Every pair of edits on a short text, against putting it together by hand. */
#include "flow/edit.h"
#include "page.h"
#include "tap.h"

int main(void)
{
	char *text = page_copy("abcdef", 6);
	struct span all = { text, 6 };
	static const struct span with[] = { { "", 0 }, { "X", 1 }, { "long words", 10 } };
	unsigned wrong = 0, unordered = 0, sizes = 0, cut = 0, cases = 0;

	for (unsigned a = 0; a <= 6; a++)
		for (unsigned b = a; b <= 6; b++)
			for (unsigned c = b; c <= 6; c++)
				for (unsigned d = c; d <= 6; d++)
					for (unsigned w = 0; w < 9; w++) {
						struct edit mem[2];
						struct edits s = { mem, 0, 2, false };
						char want[64], got[64];
						struct buf wb = buf_on(want, sizeof want), gb = buf_on(got, sizeof got);
						edit_add(&s, text + a, text + b, with[w / 3]);
						edit_replace(&s, span_of(text + c, d - c), with[w % 3]);
						buf_put(&wb, span_of(text, a));
						buf_put(&wb, with[w / 3]);
						buf_put(&wb, span_of(text + b, c - b));
						buf_put(&wb, with[w % 3]);
						buf_put(&wb, span_of(text + d, 6 - d));
						edit_write(&gb, all, &s);
						wrong += gb.full || !span_eq(buf_span(&gb), buf_span(&wb));
						sizes += edit_size(all, &s) != wb.n;
						if (!(a == c && a == b && c == d)) { /* the other way round; two insertions at one place stand as they came */
							struct buf ob = buf_on(got, sizeof got);
							s.n = 0;
							edit_put(&s, text + c, text + d, with[w % 3]);
							edit_put(&s, text + a, text + b, with[w / 3]);
							edit_write(&ob, all, &s);
							unordered += (a != c || (a == b) != (c == d)) && (ob.full || !span_eq(buf_span(&ob), buf_span(&wb)));
						}
						for (size_t cap = 0; cap < wb.n; cap++) { /* too little room: said, and nothing beyond it */
							struct buf small = buf_on(got, cap);
							edit_write(&small, all, &s);
							cut += !small.full || small.n > cap;
						}
						cases++;
					}
	ok(cases == 210 * 9, "all pairs");
	is_int(wrong, 0, "the text with its edits");
	is_int(unordered, 0, "and with edits that come in the other order");
	is_int(sizes, 0, "the size is told before");
	is_int(cut, 0, "what does not fit is said");

	/* Of a list any may be left out, each with one comma. */
	static const char list_text[] = "[aa,b,ccc,d]";
	static const unsigned at[] = { 1, 4, 6, 10 }, to[] = { 3, 5, 9, 11 };
	char *list = page_copy(list_text, sizeof list_text - 1);
	unsigned odd = 0;
	for (unsigned keep = 0; keep < 16; keep++) {
		struct edit mem[4];
		struct edits l = { mem, 0, 4, false };
		struct edit_gap g = { list + 1, NULL, NULL };
		char want[32], got[32];
		struct buf wb = buf_on(want, sizeof want), gb = buf_on(got, sizeof got);
		bool any = false;
		BUF_LIT(&wb, "[");
		for (unsigned i = 0; i < 4; i++) {
			if (!(keep >> i & 1)) {
				edit_drop(&g, list + at[i], list + to[i]);
				continue;
			}
			edit_keep(&g, list + at[i], list + to[i], &l);
			if (any)
				BUF_LIT(&wb, ",");
			buf_put(&wb, span_of(list + at[i], to[i] - at[i]));
			any = true;
		}
		BUF_LIT(&wb, "]");
		edit_gap_end(&g, &l);
		edit_write(&gb, span_of(list, sizeof list_text - 1), &l);
		odd += l.full || !span_eq(buf_span(&gb), buf_span(&wb));
	}
	page_free(list, sizeof list_text - 1);
	is_int(odd, 0, "what is left of a list is a list");

	struct edit one[1];
	struct edits s = { one, 0, 1, false };
	edit_add(&s, text, text, with[1]);
	ok(!s.full, "as many as there is room for");
	edit_add(&s, text, text, with[1]);
	ok(s.full && s.n == 1, "one more is not taken, and that is remembered");
	struct edits none = { NULL, 0, 0, false };
	char out[8];
	struct buf b = buf_on(out, sizeof out);
	edit_write(&b, all, &none);
	is_mem(b.p, b.n, "abcdef", 6, "no edits: as it was");
	page_free(text, 6);
	return done_testing();
}
