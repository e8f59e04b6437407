/* role/log.h: one line is one line, whatever is in it; a flood is counted; a log that takes nothing stops nobody. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bug.h"
#include "role/log.h"
#include "tap.h"

static int log_end_fd;
static char text[1 << 18];

static const char *logged(void)
{
	size_t n = 0;
	ssize_t got;

	while (n < sizeof text - 1 && (got = read(log_end_fd, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = 0;
	return text;
}

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && strcmp(s + n - t, tail) == 0;
}

static unsigned lines(void)
{
	unsigned n = 0;

	for (const char *p = text; *p; p++)
		n += *p == '\n';
	return n;
}

int main(void)
{
	static char large[3 * LOG_LINE_MAX];
	struct buf *b;
	int pipe_fd[2];

	if (pipe(pipe_fd) != 0)
		return 1;
	fcntl(pipe_fd[0], F_SETFL, O_NONBLOCK);
	fcntl(pipe_fd[1], F_SETFL, O_NONBLOCK);
	log_end_fd = pipe_fd[0];
	dup2(pipe_fd[1], 2);

	log_name("tester");
	log_line(LOG_INFO, SPAN("hello"));
	ok(ends(logged(), "Z info tester: hello\n"), "date, level, who, what");
	ok(text[4] == '-' && text[10] == 'T' && text[19] == '.' && text[23] == 'Z' && strncmp(text, "20", 2) == 0, "the date as in RFC 3339");
	log_line(LOG_WARN, SPAN("a\nb\r\x1b[31m\x7f\0z"));
	ok(ends(logged(), " warning tester: a\\x0ab\\x0d\\x1b[31m\\x7f\\x00z\n"), "control bytes are shown, not sent");
	is_int(lines(), 1, "one line is one line");
	log_line(LOG_ERROR, SPAN("gr\xc3\xbc\xc3\x9f \xff \xc2\x9b \xed\xa0\x80"));
	ok(ends(logged(), " error tester: gr\xc3\xbc\xc3\x9f \\xff \\xc2\\x9b \\xed\\xa0\\x80\n"), "UTF-8 stays, what is none or controls does not");
	log_line(LOG_INFO, SPAN("a\xe2\x80\xa8" "b\xe2\x80\xae" "c\xe2\x81\xa6" "d\xe2\x80\xa6\xe2\x81\xaa" "e\xe2\x80\xaf"));
	ok(ends(logged(), ": a\\xe2\\x80\\xa8b\\xe2\\x80\\xaec\\xe2\\x81\\xa6d\xe2\x80\xa6\xe2\x81\xaa" "e\xe2\x80\xaf\n"),
		"nor what viewers take for a new line, or turn the rest around for");
	b = log_begin(LOG_INFO);
	BUF_LIT(b, "n=");
	buf_u64(b, 7);
	log_end();
	ok(ends(logged(), ": n=7\n"), "a line built in parts");
	memset(large, 'x', sizeof large);
	log_line(LOG_INFO, span_of(large, sizeof large));
	ok(ends(logged(), "x ...\n") && strlen(text) <= LOG_LINE_MAX && lines() == 1, "a line that is too long says so");

	for (int i = 0; i < 10 * LOG_LINES_A_SECOND; i++)
		log_line(LOG_INFO, SPAN("flood"));
	logged();
	ok(lines() >= 1 && lines() <= 3 * LOG_LINES_A_SECOND, "a flood is cut");
	log_line(LOG_WARN, SPAN("fire"));
	ok(ends(logged(), " warning tester: fire\n"), "  but not what warns, for which the last ten lines of a second are kept");
	ok(strstr(text, " log lines were left out before this one\n") != NULL, "  and what was cut is counted");
	usleep(1100000); /* the next second of the wall clock */
	log_line(LOG_INFO, SPAN("after"));
	logged();
	ok(ends(text, ": after\n") && lines() == 1, "the next second has lines of its own");

	while (write(pipe_fd[1], large, sizeof large) > 0)
		;
	while (write(pipe_fd[1], "y", 1) > 0)
		;
	log_line(LOG_INFO, SPAN("lost"));
	logged();
	ok(strstr(text, "lost") == NULL, "a log that is full loses the line, and nobody waits");
	log_line(LOG_INFO, SPAN("found"));
	ok(strstr(logged(), ": 1 log lines were left out before this one\n") && ends(text, ": found\n"), "which is counted as well");

	ok(bug_say != NULL, "bug() has a voice");
	bug_say("the sky fell");
	ok(ends(logged(), " error tester: bug in Postern: the sky fell\n"), "and it is this one");
	return done_testing();
}
