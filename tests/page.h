/*
 * Inputs that end at a guard page: one byte read past the end is a crash, not luck.
 *
 * page_copy(p, n)    a writable copy of n bytes whose last byte is the last before a PROT_NONE page.
 *                    n may be 0: the result then points at the guard page itself.
 * page_str(s)        the same of a C string without its NUL.
 * page_free(q, n)    gives back what page_copy(…, n) returned. Ends the program if the system refuses memory.
 */
#ifndef TESTS_PAGE_H
#define TESTS_PAGE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline size_t page_span(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page + page;
}

static inline char *page_copy(const void *bytes, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), span = page_span(len);
	char *map = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + span - page, page, PROT_NONE) != 0) {
		perror("page_copy");
		exit(99);
	}
	if (len > 0)
		memcpy(map + span - page - len, bytes, len);
	return map + span - page - len;
}

static inline char *page_str(const char *text)
{
	return page_copy(text, strlen(text));
}

static inline void page_free(char *copy, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), span = page_span(len);

	munmap(copy + len + page - span, span);
}

#endif
