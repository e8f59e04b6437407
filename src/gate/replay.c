#include "gate/replay.h"

#include <stdatomic.h>

/* A mark and its second in one word, so that one instruction puts both there: 40 bits of the mark above 24 bits of Unix time. Seconds are
 * compared on the circle of 2^24 (194 days): one that lies ahead by up to WINDOW lives, all others are over. */
enum { WAYS = 8, SECOND_BITS = 24, WINDOW = 8191, TRIES = 64 };

struct replay {
	uint64_t buckets;
	uint64_t spare[7];
	_Atomic uint64_t word[];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "eight bytes are written in one go, also between processes");

static uint64_t buckets_for(uint32_t marks)
{
	uint64_t n = ((uint64_t)marks + WAYS - 1) / WAYS;

	return n == 0 ? 1 : n;
}

size_t replay_need(uint32_t marks)
{
	return sizeof(struct replay) + (size_t)buckets_for(marks) * WAYS * sizeof(uint64_t);
}

struct replay *replay_place(void *mem, uint32_t marks)
{
	struct replay *r = mem;

	r->buckets = buckets_for(marks);
	return r;
}

static bool alive(uint64_t word, uint32_t now_s)
{
	uint32_t ahead = ((uint32_t)word - now_s) & ((1u << SECOND_BITS) - 1);

	return word != 0 && ahead > 0 && ahead <= WINDOW;
}

bool replay_first(struct replay *r, uint64_t mark, uint32_t now_s, uint32_t until_s)
{
	uint64_t tag = mark >> SECOND_BITS == 0 ? 1 : mark >> SECOND_BITS, word = tag << SECOND_BITS | (until_s & ((1u << SECOND_BITS) - 1));
	_Atomic uint64_t *bucket = r->word + ((mark & ((1u << SECOND_BITS) - 1)) * r->buckets >> SECOND_BITS) * WAYS;

	if (until_s <= now_s || until_s - now_s > WINDOW)
		return false;
	for (unsigned tries = 0; tries < TRIES; tries++) {
		int room = -1;
		uint64_t old = 0;

		for (int i = 0; i < WAYS; i++) {
			uint64_t seen = atomic_load(&bucket[i]);

			if (alive(seen, now_s)) {
				if (seen >> SECOND_BITS == tag)
					return false;
			} else if (room < 0) {
				room = i;
				old = seen;
			}
		}
		if (room < 0)
			return false;
		if (!atomic_compare_exchange_strong(&bucket[room], &old, word))
			continue;
		/* Another process may have put the same mark into another place meanwhile, if its clock is a second away. Both write before they
		 * look, so at least one sees the other; whoever does gives way. That both do is right too: the proof was sent twice. */
		for (int i = 0; i < WAYS; i++) {
			uint64_t seen = atomic_load(&bucket[i]);

			if (i != room && alive(seen, now_s) && seen >> SECOND_BITS == tag)
				return false;
		}
		return true;
	}
	return false;
}
