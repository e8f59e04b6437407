/* base/bug.h: a broken invariant of ours ends the process at once: no guess, no unwinding. Never for what a peer sends.
 *
 * The text (static) goes to bug_say first, which role/ sets to its log; base itself does no I/O. */
#ifndef POSTERN_BASE_BUG_H
#define POSTERN_BASE_BUG_H

extern void (*bug_say)(const char *text);
_Noreturn void bug(const char *text);

#endif
