/* role/talk.h: lines in and out of a stream, of every length around the limits, in pieces of every size. */
#include <stdlib.h>
#include <unistd.h>

#include "os/sock.h"
#include "role/talk.h"
#include "tap.h"

enum { CAP = 2 * TALK_ENDS + 2, OUT = 300 };

static struct loop loop;
static struct talk t;
static int far;
static char in_mem[CAP], out_mem[OUT];

static void begin(void)
{
	int pair[2];

	memset(&t, 0, sizeof t);
	t.in = in_mem;
	t.in_cap = sizeof in_mem;
	t.out = out_mem;
	t.out_cap = sizeof out_mem;
	if (!sock_pair(pair) || !talk_open(&t, &loop, pair[0]))
		exit(99);
	far = pair[1];
}

static void end(void)
{
	talk_close(&t, &loop);
	if (far >= 0)
		sock_close(far);
	far = -1;
}

static void say(const char *p, size_t n)
{
	if (write(far, p, n) != (ssize_t)n)
		exit(98);
	loop_wait(&loop, 0);
}

/* The lines of `text`, given in pieces of `piece` bytes, joined by '|'; a long one as (head..tail). */
static const char *heard(const char *text, size_t n, size_t piece)
{
	static char all[1 << 16];
	size_t have = 0;
	struct span line, tail;
	enum talk_got got;

	begin();
	for (size_t at = 0; at < n; at += piece) {
		say(text + at, n - at < piece ? n - at : piece);
		while ((got = talk_next(&t, &line, &tail)) == TALK_GOT || got == TALK_LONG || (got == TALK_NOTHING && t.readable))
			have += (size_t)(got == TALK_NOTHING ? 0 : got == TALK_GOT ? snprintf(all + have, sizeof all - have, "%.*s|", (int)line.n, line.p)
				: snprintf(all + have, sizeof all - have, "(%.3s..%.*s)|", line.p, 3, tail.p + tail.n - 3));
	}
	sock_close(far);
	far = -1;
	loop_wait(&loop, 0);
	got = talk_next(&t, &line, &tail);
	snprintf(all + have, sizeof all - have, "%s", got == TALK_END ? "end" : "?");
	end();
	return all;
}

static void lengths(void)
{
	static char text[3 * CAP], want[3 * CAP];

	for (size_t n = CAP - 3; n <= CAP + 3; n++) {
		char name[64];

		memset(text, 'x', n);
		memcpy(text, "abc", 3);
		memcpy(text + n - 3, "yz!\nnext\n", 9);
		snprintf(want, sizeof want, n < CAP ? "%.*s|next|end" : "(abc..yz!)|next|end", (int)n, text);
		snprintf(name, sizeof name, "a line of %zu bytes", n);
		is_str(heard(text, n + 6, 1 << 16), want, name);
		is_str(heard(text, n + 6, 7), want, "  in pieces");
	}
	for (size_t n = CAP; n < 3 * CAP - 20; n += 97) {
		memset(text, 'x', n);
		memcpy(text, "abc", 3);
		memcpy(text + n - 3, "yz!\nnext\n", 9);
		if (strcmp(heard(text, n + 6, 501), "(abc..yz!)|next|end") != 0)
			diag("%zu: %s", n, heard(text, n + 6, 501));
		ok(strcmp(heard(text, n + 6, 501), "(abc..yz!)|next|end") == 0, "one that is longer still");
	}
}

/* Whoever never ends a line, or says nothing but ends, must not keep us from all others. */
static void endless(char with, const char *name)
{
	static char much[100 << 10];
	struct span line, tail;
	unsigned turns = 0;

	memset(much, with, sizeof much);
	begin();
	say(much, sizeof much);
	while (turns < 10000 && talk_next(&t, &line, &tail) == TALK_NOTHING && t.readable)
		turns++;
	ok(turns >= sizeof much / CAP / TALK_READS && turns < 10000, name);
	ok(!t.readable && t.in_n <= sizeof in_mem, "  and all of it is heard in the end");
	end();
}

int main(void)
{
	char got[OUT + 1];
	struct span line, tail;

	if (!loop_open(&loop))
		return 99;
	for (size_t piece = 1; piece < 20; piece++)
		is_str(heard("one\r\n\n\r\ntwo three\n\nfo\rur\nrest", 30, piece), "one|two three|fo\rur|end", "lines in pieces; empty ones and a last that does not end are passed over");
	lengths();
	endless('x', "a line without an end lets others have their turn");
	endless('\n', "so do ends without lines");
	begin();
	ok(talk_room(&t) == OUT - 1 && talk_put(&t, span_of("hello", 5)) && talk_room(&t) == OUT - 7, "a line is kept until it is flushed");
	ok(!talk_put(&t, span_of(in_mem, OUT - 6)), "one that has no room is refused whole");
	talk_flush(&t, 5);
	ok(read(far, got, sizeof got) == 6 && memcmp(got, "hello\n", 6) == 0 && t.stuck_ms == 0, "and goes out with its line feed");
	for (int i = 0; i < 100000 && t.writable; i++) {
		talk_put(&t, span_of(in_mem, 200));
		talk_flush(&t, 7);
	}
	ok(!t.writable && t.stuck_ms == 7, "who does not read is noticed");
	while (read(far, got, OUT) > 0)
		;
	loop_wait(&loop, 0);
	talk_flush(&t, 9);
	ok(t.stuck_ms == 0 && talk_room(&t) == OUT - 1, "until it does");
	say("left\n", 5);
	sock_close(far);
	far = -1;
	loop_wait(&loop, 0);
	ok(talk_next(&t, &line, &tail) == TALK_GOT && line.n == 4 && talk_next(&t, &line, &tail) == TALK_END, "what was said before the end is heard");
	ok(talk_next(&t, &line, &tail) == TALK_END && talk_put(&t, span_of("x", 1)), "the end stays");
	end();
	ok(!talk_put(&t, span_of("x", 1)) && t.item.fd == -1, "closed, it takes nothing");
	return done_testing();
}
