/* The wheel against a list of all timers: never early, at most a step late, each once. */
#include "flow/timer.h"
#include "tap.h"

enum { TIMERS = 64, STEPS = 20000 };

static struct item {
	struct timer t;
	int64_t want_ms;      /* 0: must not fire */
} item[TIMERS];
static struct timers wheel;
static int64_t now_ms;
static unsigned fired, early, unwanted;
static struct timer *victim, *again;

static uint64_t state = 88172645463325252u;
static uint32_t roll(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 20) % n);
}

static void fire(struct timer *t)
{
	struct item *i = LIST_OWNER(t, struct item, t);
	fired++;
	early += now_ms < i->want_ms;
	unwanted += i->want_ms == 0;
	i->want_ms = 0;
	if (victim) { /* a handler may disarm another that is due in the same turn */
		timer_disarm(&wheel, victim);
		LIST_OWNER(victim, struct item, t)->want_ms = 0;
		victim = NULL;
	}
	if (again == t) { /* or arm itself anew, even for a time gone by */
		again = NULL;
		i->want_ms = now_ms - 100;
		timer_arm(&wheel, t, now_ms - 100);
	}
}

static unsigned overdue(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < TIMERS; i++)
		n += item[i].want_ms != 0 && item[i].want_ms + 2 * TIMER_STEP_MS <= now_ms;
	return n;
}

static void random_runs(int64_t start_ms)
{
	unsigned late = 0, armed_wrong = 0, wait_wrong = 0;
	now_ms = start_ms;
	timers_init(&wheel, now_ms);
	for (unsigned i = 0; i < TIMERS; i++) {
		timer_init(&item[i].t, fire);
		item[i].want_ms = 0;
	}
	fired = early = unwanted = 0;
	for (unsigned s = 0; s < STEPS; s++) {
		struct item *i = &item[roll(TIMERS)];
		uint32_t what = roll(8);
		if (what < 5) {
			int64_t in = roll(4) ? roll(300) : (int64_t)roll(3 * TIMER_SLOTS * TIMER_STEP_MS); /* also several rounds away */
			bool past = roll(20) == 0;
			i->want_ms = now_ms + (past ? 0 : in);
			timer_arm(&wheel, &i->t, i->want_ms - (past ? 500 : 0));
		} else if (what == 5) {
			i->want_ms = 0;
			timer_disarm(&wheel, &i->t);
		}
		unsigned armed = 0;
		for (unsigned k = 0; k < TIMERS; k++)
			armed += item[k].want_ms != 0;
		armed_wrong += armed != wheel.armed;
		int wait = timers_wait(&wheel, now_ms);
		int64_t next = INT64_MAX;
		for (unsigned k = 0; k < TIMERS; k++)
			if (item[k].want_ms != 0 && item[k].want_ms < next)
				next = item[k].want_ms;
		wait_wrong += armed == 0 ? wait != -1 : wait < 0 || (next > now_ms && now_ms + wait > next + 2 * TIMER_STEP_MS);
		now_ms += roll(3) ? roll(40) : roll(50) ? (int64_t)roll(2000) : (int64_t)roll(60000);
		timers_run(&wheel, now_ms);
		late += overdue();
	}
	ok(fired > STEPS / 20, "timers fired");
	is_int(early, 0, "none early");
	is_int(late, 0, "none later than two steps");
	is_int(unwanted, 0, "none that was disarmed, none twice");
	is_int(armed_wrong, 0, "armed is counted");
	is_int(wait_wrong, 0, "the wait ends in time");
}

int main(void)
{
	random_runs(1000000);
	random_runs(17);

	now_ms = 50000;
	timers_init(&wheel, now_ms);
	timer_init(&item[0].t, fire);
	timer_init(&item[1].t, fire);
	is_int(timers_wait(&wheel, now_ms), -1, "nothing armed: no wait");
	timer_disarm(&wheel, &item[0].t);
	is_int(wheel.armed, 0, "disarming what is not armed is nothing");
	for (int i = 0; i < 2; i++) {
		item[i].want_ms = now_ms + 10;
		timer_arm(&wheel, &item[i].t, now_ms + 10);
	}
	victim = &item[1].t;
	fired = 0;
	now_ms += 100;
	timers_run(&wheel, now_ms);
	is_int(fired, 1, "a handler disarms its neighbour");
	is_int(wheel.armed, 0, "and nothing is left");

	item[0].want_ms = now_ms + 5;
	timer_arm(&wheel, &item[0].t, now_ms + 5);
	again = &item[0].t;
	fired = 0;
	now_ms += 40;
	timers_run(&wheel, now_ms);
	ok(fired >= 1 && fired <= 3, "a handler that arms itself for the past does not run for ever");
	now_ms += 64;
	timers_run(&wheel, now_ms);
	is_int(fired, 2, "but once more");

	now_ms += 100 * INT64_C(3600000);
	item[0].want_ms = now_ms;
	timer_arm(&wheel, &item[0].t, now_ms);
	timers_run(&wheel, now_ms + 1000000);
	is_int(fired, 3, "a long sleep fires what is due");
	return done_testing();
}
