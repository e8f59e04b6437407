/* gate/sentinel: what is written is read back as it was, and is a field value that no stack changes. */
#include "gate/sentinel.h"

#include "page.h"
#include "tap.h"
#include "wire/http_value.h"

static void written(const char *text, size_t n, const char *want)
{
	char mem[256], back_mem[256], *page = page_copy(text, n);
	struct buf out = buf_on(mem, sizeof mem), scratch = buf_on(back_mem, sizeof back_mem);
	struct span plain = span_of(NULL, 0);

	sentinel_write(&out, span_of(page, n));
	is_mem(mem, out.n, want, strlen(want), want);
	ok(sentinel_read(buf_span(&out), &scratch, &plain), "it can be read");
	is_mem(plain.p, plain.n, text, n, "and says the same");
	ok(sentinel_is_plain(span_of(page, n)) == (out.n == n), "plain or not is known before");
	page_free(page, n);
}

static void refused(const char *value, const char *name)
{
	char mem[64], *page = page_str(value);
	struct buf scratch = buf_on(mem, sizeof mem);
	struct span plain;

	BUF_LIT(&scratch, "kept");
	ok(!sentinel_read(span_of(page, strlen(value)), &scratch, &plain) && scratch.n == 4, name);
	page_free(page, strlen(value));
}

int main(void)
{
	char mem[64], one[2], small[16];
	bool good = true;

	written("echo", 4, "echo");
	written("a b", 3, "a b");
	written("~ !", 3, "~ !");
	written("", 0, "=?base64?" "?=");
	written(" a", 2, "=?base64?IGE=?=");
	written("a ", 2, "=?base64?YSA=?=");
	written(" ", 1, "=?base64?IA==?=");
	written("a\tb", 3, "=?base64?YQli?=");
	written("\0", 1, "=?base64?AA==?=");
	written("\x7f", 1, "=?base64?fw==?=");
	written("\xc3\xbc", 2, "=?base64?w7w=?=");
	written("=?base64?" "?=", 11, "=?base64?PT9iYXNlNjQ/Pz0=?=");
	written("=?base64?YQ==?=", 15, "=?base64?PT9iYXNlNjQ/WVE9PT89?=");
	written("=?base64?=", 10, "=?base64?=");
	written("=?base64?", 9, "=?base64?");
	written("?=", 2, "?=");
	written("=?Base64?YQ==?=", 15, "=?Base64?YQ==?=");

	refused("\xc3\xbc", "obs-text");
	refused("a\tb", "a TAB");
	refused("a\x7f", "DEL");
	refused("=?base64?YQ?=", "no padding");
	refused("=?base64?YR==?=", "bits that pad");
	refused("=?base64?Y!==?=", "another alphabet");
	refused("=?base64?=?=", "padding alone");

	for (int c = 0; c < 256; c++) {
		struct buf out = buf_on(mem, sizeof mem);

		one[0] = (char)c;
		sentinel_write(&out, span_of(one, 1));
		good = good && http_value_ok(buf_span(&out)) && out.n > 0 && span_trim(buf_span(&out)).n == out.n;
	}
	ok(good, "whatever a text holds, its value is clean");
	for (size_t cap = 0; cap < 15; cap++) {
		struct buf out = buf_on(small, cap);

		sentinel_write(&out, SPAN(" a"));
		good = good && out.full && out.n == 0;
	}
	ok(good, "no room: nothing is written");
	for (size_t cap = 0; cap < 4; cap++) {
		struct buf scratch = buf_on(small, cap);
		struct span plain;

		good = good && sentinel_read(SPAN("=?base64?ZWNobw==?="), &scratch, &plain) == false && scratch.n == 0;
	}
	ok(good, "no room to decode: not read");
	return done_testing();
}
