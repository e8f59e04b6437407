/*
 * Views for tests of what reads parsed messages. Each text is copied to the end of a guard page; a view is good until the
 * next call of the same function.
 *
 * view_json(&j, text)           reads a JSON document (NUL-terminated); the result of json_read()
 * view_json_n(&j, text, n)      the same of n bytes
 * view_head(&h, lines)          reads a request head with these extra lines ("Name: value\r\n"…) after Host
 * view_head_n(&h, lines, n)     the same of n bytes
 */
#ifndef TESTS_VIEW_H
#define TESTS_VIEW_H

#include <stdio.h>

#include "page.h"
#include "wire/http_head.h"
#include "wire/json_read.h"

enum { VIEW_TOKENS = 1 << 16, VIEW_HEAD_MAX = 1 << 15 };

__attribute__((unused)) static enum json_error view_json_n(struct json *j, const char *text, size_t n)
{
	static const uint8_t seed[16] = { 7, 1, 8, 2 };
	static void *table;
	static char *page;
	static size_t page_n;
	size_t where = 0, need = (json_table_need(VIEW_TOKENS) + 15) & ~(size_t)15;

	if (table == NULL) {
		table = aligned_alloc(16, need);
		if (table == NULL)
			exit(99);
	}
	if (page != NULL)
		page_free(page, page_n);
	page = page_copy(text, n);
	page_n = n;
	return json_read(j, json_table_place(table, VIEW_TOKENS, seed), span_of(page, n), &where);
}

__attribute__((unused)) static enum json_error view_json(struct json *j, const char *text)
{
	return view_json_n(j, text, strlen(text));
}

__attribute__((unused)) static enum http_error view_head_n(struct http_head *h, const char *lines, size_t n)
{
	static const char start[] = "POST /mcp HTTP/1.1\r\nHost: localhost\r\n";
	static char all[VIEW_HEAD_MAX], *page;
	static size_t page_n;
	size_t where = 0;

	if (page != NULL)
		page_free(page, page_n);
	if (n > sizeof all - sizeof start - 2)
		exit(99);
	memcpy(all, start, sizeof start - 1);
	memcpy(all + sizeof start - 1, lines, n);
	page_n = sizeof start - 1 + n + 2;
	memcpy(all + page_n - 2, "\r\n", 2);
	page = page_copy(all, page_n);
	return http_request_read(h, span_of(page, page_n), &where);
}

__attribute__((unused)) static enum http_error view_head(struct http_head *h, const char *lines)
{
	return view_head_n(h, lines, strlen(lines));
}

#endif
