/* gate/replay.h: proofs that were used already (DPoP, RFC 9449 11.1), shared by all workers without a lock.
 *
 * A fixed table in memory the caller gives (shared, zeroed, aligned to 64): marks with the second they expire, in buckets of eight; a mark
 * gives its place up only when it has expired, and where there is no place the proof is refused: never forget a live one. 40 bits of a
 * mark are kept besides its bucket, so a new proof is taken for an old one with a chance of 2^-37. */
#ifndef POSTERN_GATE_REPLAY_H
#define POSTERN_GATE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay;
size_t replay_need(uint32_t marks);
/* Writes nothing but the size: may be called again on a table in use. */
struct replay *replay_place(void *mem, uint32_t marks);
/* True: this one was not there and is now, until `until_s` (Unix seconds, at most 8191 from now). False: seen before, or no room. `mark` must
 * be a keyed hash. Of several processes that ask about one mark at the same time at most one hears true. */
bool replay_first(struct replay *r, uint64_t mark, uint32_t now_s, uint32_t until_s);

#endif
