/* base/pace.h: what nobody asked for is a debt, answers are none, and time pays. */
#include "base/pace.h"
#include "tap.h"

static struct pace p;

static void owe(size_t bytes, int64_t now_ms)
{
	pace_note(&p, bytes - PACE_EACH);
	pace_owe(&p, now_ms);
}

int main(void)
{
	int64_t now = 1000;
	uint64_t heard = 0;
	int wait;

	ok(pace_wait_ms(&p, now) == 0, "who has said nothing is listened to");
	owe(PACE_BURST, now);
	ok(pace_wait_ms(&p, now) == 0, "so is who has said as much as is borne at once");
	owe(PACE_EACH, now);
	wait = PACE_BURST / 2 / PACE_BYTES_A_MS;
	ok(pace_wait_ms(&p, now) == wait, "one message more, and it waits until half of it is paid");
	ok(pace_wait_ms(&p, now + wait - 1) == 1 && pace_wait_ms(&p, now + wait) == 0, "and no longer");
	now += wait;
	owe(PACE_BURST / 2 + PACE_EACH, now);
	ok(pace_wait_ms(&p, now) == wait, "what was not paid by then is remembered");
	owe(PACE_BURST / 2, now + 1000000);
	ok(pace_wait_ms(&p, now + 1000000) == 0, "in the end all is paid, and nothing is put by");

	p = (struct pace){ 0 };
	for (int i = 0; i < 100; i++) {
		pace_note(&p, PACE_BURST);
		pace_forgive(&p);
	}
	owe(PACE_BURST, now);
	ok(pace_wait_ms(&p, now) == 0, "answers cost nothing");

	p = (struct pace){ 0 };
	for (int64_t at = 0; at < 10000; at++)
		for (int i = 0; i < 64 && pace_wait_ms(&p, at) == 0; i++, heard += 16384)
			owe(16384, at);
	ok(heard < 10000 * PACE_BYTES_A_MS + PACE_BURST + 64 * 16384, "a flood of ten seconds is heard no faster than that");
	ok(heard > 9000 * (uint64_t)PACE_BYTES_A_MS, "and not much slower");
	owe(SIZE_MAX, now);
	owe(SIZE_MAX, now);
	ok(pace_wait_ms(&p, now) > 1000 && pace_wait_ms(&p, now) < 2000, "however much it was, nobody waits longer than two seconds");
	return done_testing();
}
