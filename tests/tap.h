/*
 * TAP for unit tests in C: one header, no library.
 *
 *     #include "tap.h"
 *     int main(void)
 *     {
 *             ok(x > 0, "x is positive");
 *             is_int(body_len, 12, "length");
 *             return done_testing();
 *     }
 *
 * plan(n)                     optional, first: how many tests will run
 * ok(cond, name)              one test; each of these returns whether it passed
 * is_int(got, want, name)     whole numbers, compared as intmax_t; is_uint for those above INTMAX_MAX
 * is_str(got, want, name)     C strings, NULL allowed
 * is_mem(got, got_len, want, want_len, name)   bytes; shows where they part
 * skip(n, reason)             n tests that cannot run here
 * diag(format, ...)           a note on standard error
 * done_testing()              last: prints the plan, returns the exit status for main
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed, tap_planned = -1;

__attribute__((format(printf, 1, 2), unused)) static void diag(const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("# ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
}

__attribute__((unused)) static void plan(int count)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	tap_planned = count;
	printf("1..%d\n", count);
}

__attribute__((unused)) static bool tap_ok(bool passed, const char *name, const char *file, int line)
{
	if (tap_run == 0)
		setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%sok %d - %s\n", passed ? "" : "not ", ++tap_run, name);
	if (!passed) {
		tap_failed++;
		diag("FAILED: %s  (%s:%d)", name, file, line);
	}
	return passed;
}

__attribute__((unused)) static bool tap_is_int(intmax_t got, intmax_t want, const char *name, const char *file,
    int line)
{
	if (tap_ok(got == want, name, file, line))
		return true;
	diag("     got %" PRIdMAX, got);
	diag("    want %" PRIdMAX, want);
	return false;
}

__attribute__((unused)) static bool tap_is_uint(uintmax_t got, uintmax_t want, const char *name, const char *file,
    int line)
{
	if (tap_ok(got == want, name, file, line))
		return true;
	diag("     got %" PRIuMAX, got);
	diag("    want %" PRIuMAX, want);
	return false;
}

__attribute__((unused)) static bool tap_is_str(const char *got, const char *want, const char *name, const char *file,
    int line)
{
	bool same = got == want || (got != NULL && want != NULL && strcmp(got, want) == 0);

	if (tap_ok(same, name, file, line))
		return true;
	diag("     got %s%s%s", got ? "\"" : "", got ? got : "NULL", got ? "\"" : "");
	diag("    want %s%s%s", want ? "\"" : "", want ? want : "NULL", want ? "\"" : "");
	return false;
}

/* Up to 48 bytes round the place where the two part, unprintable ones as \xNN. */
__attribute__((unused)) static void tap_show(const char *label, const uint8_t *bytes, size_t len, size_t at)
{
	size_t from = at > 16 ? at - 16 : 0;
	size_t to = len - from > 48 ? from + 48 : len;

	fprintf(stderr, "# %8s %zu bytes, from %zu: \"", label, len, from);
	for (size_t i = from; i < to; i++) {
		if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\')
			fputc(bytes[i], stderr);
		else
			fprintf(stderr, "\\x%02x", bytes[i]);
	}
	fputs(to < len ? "\"...\n" : "\"\n", stderr);
}

__attribute__((unused)) static bool tap_is_mem(const void *got, size_t got_len, const void *want, size_t want_len,
    const char *name, const char *file, int line)
{
	const uint8_t *g = got, *w = want;
	size_t len = got_len < want_len ? got_len : want_len, at = 0;

	while (at < len && g[at] == w[at])
		at++;
	if (tap_ok(got_len == want_len && at == len, name, file, line))
		return true;
	diag("    they part at byte %zu", at);
	tap_show("got", g, got_len, at);
	tap_show("want", w, want_len, at);
	return false;
}

__attribute__((unused)) static void skip(int count, const char *reason)
{
	for (int i = 0; i < count; i++)
		printf("ok %d # SKIP %s\n", ++tap_run, reason);
}

/* A test that ran nothing has proved nothing, so that fails too. */
__attribute__((unused)) static int done_testing(void)
{
	if (tap_planned < 0)
		printf("1..%d\n", tap_run);
	if (tap_run == 0)
		diag("no test was run");
	if (tap_planned >= 0 && tap_planned != tap_run)
		diag("planned %d tests, ran %d", tap_planned, tap_run);
	if (tap_failed > 0)
		diag("%d of %d tests failed", tap_failed, tap_run);
	return tap_failed > 0 || tap_run == 0 || (tap_planned >= 0 && tap_planned != tap_run);
}

#define ok(cond, name) tap_ok((cond), (name), __FILE__, __LINE__)
#define is_int(got, want, name) tap_is_int((intmax_t)(got), (intmax_t)(want), (name), __FILE__, __LINE__)
#define is_uint(got, want, name) tap_is_uint((uintmax_t)(got), (uintmax_t)(want), (name), __FILE__, __LINE__)
#define is_str(got, want, name) tap_is_str((got), (want), (name), __FILE__, __LINE__)
#define is_mem(got, got_len, want, want_len, name) \
	tap_is_mem((got), (got_len), (want), (want_len), (name), __FILE__, __LINE__)

#endif
