/* role/log.h: one line per event on standard error: date, level, who, what.
 *
 * Control bytes, broken UTF-8 and what ends lines or turns text around in Unicode are written as \xHH: nobody forges a line or moves a terminal's
 * cursor. At most LOG_LINES_A_SECOND lines per process, the last LOG_LINES_KEPT of them for what is more than LOG_INFO; the rest is counted and the count is logged. A log that cannot take a line now loses it (counted as well): logging never
 * stops a role. */
#ifndef POSTERN_ROLE_LOG_H
#define POSTERN_ROLE_LOG_H

#include "base/buf.h"

enum { LOG_LINE_MAX = 2048, LOG_LINES_A_SECOND = 200, LOG_LINES_KEPT = 10 };
enum log_level { LOG_INFO, LOG_WARN, LOG_ERROR };

/* Who speaks from now on (static text or memory that stays). Also takes bug()'s last words. */
void log_name(const char *who);
/* In the parent, before any role: standard error as a description of our own that never blocks, where the system gives one. Returns its
 * descriptor (2 if there is none). */
int log_open(void);

void log_line(enum log_level level, struct span text);
/* Each line of a text. */
void log_lines(enum log_level level, struct span text);
/* Builds a line: append to what log_begin() returns, then log_end(). */
struct buf *log_begin(enum log_level level);
void log_end(void);

/* 2026-11-26T16:21:35.000Z */
void log_date(struct buf *b, int64_t unix_ms);

/* flow_settings.log */
void log_flow(struct span line);

#endif
