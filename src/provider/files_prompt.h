/* provider/files_prompt.h: a prompt is a Markdown file NAME.md. Pure; no I/O.
 *
 * The first line "# heading" is its title; if nothing but blank lines stands before it, it is not part of the message. {{argument}} is
 * replaced by the caller's value, every argument is required; {{argument|one|two}} also suggests values (any other is allowed). Names are
 * [A-Za-z0-9_-]{1,64}, blanks round them and round suggestions do not count. Anything else between braces is plain text. */
#ifndef POSTERN_PROVIDER_FILES_PROMPT_H
#define POSTERN_PROVIDER_FILES_PROMPT_H

#include "base/buf.h"

enum { FILES_PROMPT_ARGS_MAX = 32, FILES_PROMPT_NAME_MAX = 64 };

struct files_prompt_arg {
	struct span name;
	struct span values; /* "one|two" as written; absent if there are none */
};

/* All spans point into the text read. */
struct files_prompt {
	struct span title;  /* absent if there is no heading */
	struct span body;
	unsigned nargs;     /* each name once, in the order of first use */
	struct files_prompt_arg args[FILES_PROMPT_ARGS_MAX];
};

/* False: not UTF-8, has a NUL, or more arguments than fit; such a file is no prompt. */
bool files_prompt_read(struct files_prompt *p, struct span text);
/* NAME of a file "NAME.md", NAME of [A-Za-z0-9_.-]{1,64} not beginning with a dot; absent if it is no prompt's. */
struct span files_prompt_name(struct span file);
/* The next suggestion at *at (start with 0), blanks trimmed; false at the end. Empty ones are left out. */
bool files_prompt_value(struct span values, size_t *at, struct span *value);
/* The next piece of the body from *at on: plain text, or an argument's index in *arg (-1 for text). False at the end. */
bool files_prompt_piece(const struct files_prompt *p, size_t *at, struct span *text, int *arg);

#endif
