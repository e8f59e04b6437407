#include "role/log.h"

#include "base/bug.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/file.h"

static const char *name = "postern";
static char text[LOG_LINE_MAX / 2];
static struct buf building;
static enum log_level building_level;
static int64_t second;
static unsigned lines_in_second;
static uint64_t lost;

static void say_bug(const char *what)
{
	struct buf *b = log_begin(LOG_ERROR);

	BUF_LIT(b, "bug in Postern: ");
	buf_put(b, span_z(what));
	log_end();
}

void log_name(const char *who)
{
	name = who;
	bug_say = say_bug;
}

int log_open(void)
{
	return file_reopen_log();
}

static void two(struct buf *b, int64_t v)
{
	buf_char(b, (char)('0' + v / 10 % 10));
	buf_char(b, (char)('0' + v % 10));
}

/* RFC 3339 in UTC. Days to date as in the proleptic Gregorian calendar, counted from 1 March 0000. */
void log_date(struct buf *b, int64_t ms)
{
	int64_t s = ms / 1000, day = s / 86400 + 719468, in_day = s % 86400;
	int64_t era = day / 146097, of_era = day % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	year += era * 400 + (month >= 10);
	buf_i64(b, year);
	buf_char(b, '-');
	two(b, month < 10 ? month + 3 : month - 9);
	buf_char(b, '-');
	two(b, of_year - (153 * month + 2) / 5 + 1);
	buf_char(b, 'T');
	two(b, in_day / 3600);
	buf_char(b, ':');
	two(b, in_day / 60 % 60);
	buf_char(b, ':');
	two(b, in_day % 60);
	buf_char(b, '.');
	buf_char(b, (char)('0' + ms / 100 % 10));
	two(b, ms % 100);
	buf_char(b, 'Z');
}

/* U+2028 and 2029 end lines in some viewers; U+200E, 200F, 202A to 202E and 2066 to 2069 turn text around. */
static bool turns(const char *p)
{
	unsigned c = (unsigned)(unsigned char)p[1] << 8 | (unsigned char)p[2];

	return p[0] == '\xE2' && ((c >= 0x80A8 && c <= 0x80AE) || (c >= 0x81A6 && c <= 0x81A9) || c == 0x808E || c == 0x808F);
}

static void escaped(struct buf *b, struct span s)
{
	while (s.n > 0 && !b->full) {
		size_t step = utf8_step(s);
		unsigned char c = (unsigned char)s.p[0];
		bool c1 = step == 2 && c == 0xC2 && (unsigned char)s.p[1] < 0xA0;

		if (step == 0 || c < 0x20 || c == 0x7F || c1 || (step == 3 && turns(s.p))) {
			step = 1;
			BUF_LIT(b, "\\x");
			buf_hex(b, s.p, 1);
		} else {
			buf_put(b, span_of(s.p, step));
		}
		s = span_from(s, step);
	}
}

static void put_line(enum log_level level, struct span what, int64_t now_ms)
{
	static char line[LOG_LINE_MAX];
	struct buf b = buf_on(line, sizeof line - 8);

	log_date(&b, now_ms);
	buf_put(&b, level == LOG_INFO ? SPAN(" info ") : level == LOG_WARN ? SPAN(" warning ") : SPAN(" error "));
	buf_put(&b, span_z(name));
	BUF_LIT(&b, ": ");
	escaped(&b, what);
	b.cap = sizeof line;
	if (b.full) {
		b.full = false;
		BUF_LIT(&b, " ...");
	}
	buf_char(&b, '\n');
	if (!file_put(2, buf_span(&b)))
		lost++;
}

void log_line(enum log_level level, struct span what)
{
	int64_t now_ms = clock_unix_ms();

	if (now_ms / 1000 != second) {
		second = now_ms / 1000;
		lines_in_second = 0;
	}
	if (lines_in_second >= (level == LOG_INFO ? LOG_LINES_A_SECOND - LOG_LINES_KEPT : LOG_LINES_A_SECOND)) {
		lost++;
		return;
	}
	lines_in_second++;
	if (lost > 0) {
		char mem[96];
		struct buf b = buf_on(mem, sizeof mem);

		buf_u64(&b, lost);
		BUF_LIT(&b, " log lines were left out before this one");
		lost = 0;
		put_line(LOG_WARN, buf_span(&b), now_ms);
	}
	put_line(level, what, now_ms);
}

void log_lines(enum log_level level, struct span lines)
{
	while (lines.n > 0) {
		const char *nl = memchr(lines.p, '\n', lines.n);
		size_t n = nl ? (size_t)(nl - lines.p) : lines.n;

		log_line(level, span_of(lines.p, n));
		lines = span_from(lines, nl ? n + 1 : n);
	}
}

struct buf *log_begin(enum log_level level)
{
	building = buf_on(text, sizeof text);
	building_level = level;
	return &building;
}

void log_end(void)
{
	log_line(building_level, buf_span(&building));
}

void log_flow(struct span line)
{
	log_line(LOG_INFO, line);
}
