/*
 * gate/replay: a mark is first once while it lives, a full bucket refuses, and of many processes at most one is told it was first.
 *
 * Besides processes that race as chance has it, others are put between any two steps of one: the module is compiled in here with a step() before
 * each of its atomic operations (replay_steps.h).
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay_steps.h"
#include "role/house.h"
#include "tap.h"

enum { NOW = 1790000000, PROCESSES = 4, MARKS = 20000 };

/* Before step `at` of a call that is watched another one runs for the same mark, `ahead` seconds later by its clock, and is watched in turn
 * while there are others. */
static struct { struct replay *table; bool on; unsigned count, at, others, ahead, told; uint64_t mark; } between;

static void step(void)
{
	if (!between.on || between.count++ != between.at || between.others == 0)
		return;
	between.others--;
	between.count = 0;
	between.told += replay_first(between.table, between.mark, NOW + between.ahead, NOW + 60);
	between.on = false;
}

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(99);
	return p;
}

static uint64_t mix(uint64_t x)
{
	x = (x + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void alone(void)
{
	size_t n = replay_need(1024);
	struct replay *r = replay_place(shared(n), 1024);
	unsigned first = 0;

	ok(n >= 8192 && n < 10000, "eight bytes a mark");
	ok(replay_first(r, mix(7), NOW, NOW + 60), "a mark is first");
	ok(!replay_first(r, mix(7), NOW, NOW + 60) && !replay_first(r, mix(7), NOW, NOW + 120), "once");
	ok(!replay_first(r, mix(7), NOW + 59, NOW + 90), "until its last second");
	ok(replay_place(r, 1024) == r && !replay_first(r, mix(7), NOW, NOW + 60), "placing again forgets nothing");
	ok(replay_first(r, mix(8), NOW, NOW + 60), "another one is first");
	ok(replay_first(r, mix(7) ^ UINT64_C(1) << 63, NOW, NOW + 60), "the upper bits count");
	ok(replay_first(r, mix(7), NOW + 60, NOW + 120), "after its last second it is first again");
	ok(!replay_first(r, mix(7), NOW + 61, NOW + 121), "once");
	ok(replay_first(r, 0, NOW, NOW + 60) && !replay_first(r, 0, NOW, NOW + 60), "a mark of zeros is a mark");
	ok(!replay_first(r, mix(9), NOW, NOW) && !replay_first(r, mix(9), NOW, NOW - 1), "what is over already is not first");
	ok(!replay_first(r, mix(9), NOW, NOW + 8192) && replay_first(r, mix(9), NOW, NOW + 8191), "nor what would be kept too long");
	ok(replay_first(r, mix(10), NOW, NOW + 60) && !replay_first(r, mix(10), NOW - 8000, NOW - 7940), "nor after the clock went back");
	for (unsigned i = 0; i < 500; i++)
		first += replay_first(r, mix(i), NOW, NOW + 60);
	ok(first > 490, "half full, next to all of them find room");

	/* The seconds wrap at 2^24, some time or other. */
	uint32_t wrap = (NOW | 0xffffff) - 5;
	ok(replay_first(r, mix(9001), wrap, wrap + 60) && !replay_first(r, mix(9001), wrap + 30, wrap + 90), "across the wrap");
	ok(replay_first(r, mix(9001), wrap + 60, wrap + 120), "and its end");
}

static void full(void)
{
	struct replay *r = replay_place(shared(replay_need(8)), 8);
	unsigned first = 0;

	for (unsigned i = 1; i <= 8; i++)
		first += replay_first(r, (uint64_t)i << 24, NOW, NOW + 10 * i);
	is_int(first, 8, "eight marks fit");
	ok(!replay_first(r, UINT64_C(9) << 24, NOW, NOW + 60), "the ninth is refused");
	ok(!replay_first(r, UINT64_C(9) << 24, NOW + 9, NOW + 60), "while all live");
	ok(replay_first(r, UINT64_C(9) << 24, NOW + 10, NOW + 99), "and takes the place of the one that is over");
	ok(!replay_first(r, UINT64_C(10) << 24, NOW + 10, NOW + 60), "one place");
	for (unsigned i = 2; i <= 9; i++)
		first += !replay_first(r, (uint64_t)i << 24, NOW + 10, NOW + 60);
	is_int(first, 16, "the others are all known");
	ok(replay_place(shared(replay_need(0)), 0) != NULL, "a table of none has a bucket");
}

/* All processes send the same marks at the same time; clocks differ by `apart` seconds, and the table is full of marks that end just then, so
 * that they disagree about which places are free. */
static void together(uint32_t apart, const char *name)
{
	struct replay *r = replay_place(shared(replay_need(MARKS * 2)), MARKS * 2);
	unsigned char *told = shared(PROCESSES * MARKS);
	volatile unsigned *go = shared(4096);
	unsigned twice = 0, never = 0;

	for (unsigned i = 0; i < MARKS && apart > 0; i++)
		replay_first(r, mix(1000000 + i), NOW - 10, NOW + 1);
	for (unsigned p = 0; p < PROCESSES; p++) {
		pid_t pid = fork();

		if (pid < 0)
			exit(99);
		if (pid > 0)
			continue;
		while (!*go)
			;
		for (unsigned i = 0; i < MARKS; i++)
			told[p * MARKS + i] = replay_first(r, mix(i), NOW + p % 2 * apart, NOW + 60);
		_exit(0);
	}
	*go = 1;
	for (unsigned p = 0; p < PROCESSES; p++)
		wait(NULL);
	for (unsigned i = 0; i < MARKS; i++) {
		unsigned n = 0;

		for (unsigned p = 0; p < PROCESSES; p++)
			n += told[p * MARKS + i];
		twice += n > 1;
		never += n == 0;
	}
	is_int(twice, 0, name);
	/* Refused altogether: a full bucket, or two that saw each other; how many do is up to the machine. */
	if (!ok(never < MARKS / 2, "and most have one"))
		diag("%u of %d had none", never, MARKS);
}

/* The bucket's eight marks end at NOW, at NOW + 1 or later, in every order (for six of them): so two whose clocks differ by a second see
 * different places free. */
static void interleaved(void)
{
	static const uint32_t ends[3] = { NOW, NOW + 1, NOW + 50 };
	size_t size = replay_need(8);
	unsigned twice = 0, never = 0, runs = 0;
	void *mem = shared(size);

	for (unsigned order = 0; order < 729; order++) {
		for (unsigned at = 0; at < 20; at++) {
			for (unsigned how = 0; how < 8; how++) {
				unsigned told;

				memset(mem, 0, size);
				between.table = replay_place(mem, 8);
				between.on = false;
				for (unsigned i = 0, left = order; i < 8; i++, left /= 3)
					replay_first(between.table, (uint64_t)(i + 1) << 24, NOW - 10, i < 6 ? ends[left % 3] : NOW + 50);
				between.on = true;
				between.count = between.told = 0;
				between.at = at;
				between.others = 1 + how / 4;
				between.ahead = how & 1;
				between.mark = UINT64_C(99) << 24;
				told = replay_first(between.table, between.mark, NOW + (how >> 1 & 1), NOW + 60);
				between.on = false;
				told += between.told;
				twice += told > 1;
				never += told == 0 && order != 728 && (how & 3) == 3; /* 728: all live on */
				runs++;
			}
		}
	}
	is_int(runs, 729 * 160, "interleavings");
	is_int(twice, 0, "in none are two first");
	is_int(never, 0, "and where the clocks agree and there is room, one is");
}

/* Proofs live for a minute. */
static void busy(void)
{
	struct replay *r = replay_place(shared(replay_need(HOUSE_REPLAY_MARKS)), HOUSE_REPLAY_MARKS);
	unsigned refused = 0;

	for (unsigned second = 0; second < 150; second++)
		for (unsigned i = 0; i < 1000; i++)
			refused += !replay_first(r, mix(second * 1000 + i), NOW + second, NOW + second + 61);
	is_int(refused, 0, "a thousand honest proofs a second find room in the house's table");
}

int main(void)
{
	busy();
	interleaved();
	alone();
	full();
	together(0, "at most one process of four is first");
	together(1, "also when their clocks differ by a second");
	return done_testing();
}
