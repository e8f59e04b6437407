/*
 * gate/replay compiled into a test, with a call of step() before each of its atomic operations.
 *
 * Marked as a system header so that the compiler's list of dependencies, from which the Makefile takes what to link, does not name replay.c.
 */
#ifndef TESTS_UNIT_GATE_REPLAY_STEPS_H
#define TESTS_UNIT_GATE_REPLAY_STEPS_H

#pragma GCC system_header

#include <stdatomic.h>

static void step(void);

#undef atomic_load
#undef atomic_compare_exchange_strong
#define atomic_load(p) (step(), atomic_load_explicit((p), memory_order_seq_cst))
#define atomic_compare_exchange_strong(p, old, word) \
	(step(), atomic_compare_exchange_strong_explicit((p), (old), (word), memory_order_seq_cst, memory_order_seq_cst))
#include "../../../src/gate/replay.c"

#endif
