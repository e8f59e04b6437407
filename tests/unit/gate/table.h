/*
 * Reads a table of cases, tests/table/NAME: one line a case, columns parted by TAB, lines that begin with # passed over.
 *
 * table_open(&t, path)     fails the test if there is no such file
 * table_next(&t)           true with t.column[0..t.columns), NUL-terminated, and t.line; false at the end
 * table_unescape(s)        \r \n \t \xNN \\ in place; returns the bytes
 */
#ifndef TESTS_UNIT_GATE_TABLE_H
#define TESTS_UNIT_GATE_TABLE_H

#include <stdlib.h>

#include "tap.h"

struct table {
	FILE *file;
	unsigned line, cases, columns;
	char *column[8];
	char text[8192];
};

static inline void table_open(struct table *t, const char *path)
{
	*t = (struct table){ .file = fopen(path, "r") };
	ok(t->file != NULL, path);
}

static inline bool table_next(struct table *t)
{
	while (t->file != NULL && fgets(t->text, sizeof t->text, t->file) != NULL) {
		t->line++;
		if (t->text[0] == '#' || t->text[0] == '\n')
			continue;
		t->text[strcspn(t->text, "\n")] = '\0';
		t->columns = 0;
		for (char *p = t->text; p != NULL && t->columns < 8; t->columns++) {
			t->column[t->columns] = p;
			p = strchr(p, '\t');
			if (p != NULL)
				*p++ = '\0';
		}
		t->cases++;
		return true;
	}
	if (t->file != NULL)
		fclose(t->file);
	t->file = NULL;
	return false;
}

static inline size_t table_unescape(char *s)
{
	char *out = s, *from = s;

	for (; *s != '\0'; s++) {
		if (*s != '\\') {
			*out++ = *s;
			continue;
		}
		s++;
		if (*s == 'x') {
			char hex[3] = { s[1], s[2], '\0' };

			*out++ = (char)strtoul(hex, NULL, 16);
			s += 2;
		} else {
			*out++ = *s == 'r' ? '\r' : *s == 'n' ? '\n' : *s == 't' ? '\t' : *s;
		}
	}
	return (size_t)(out - from);
}

#endif
