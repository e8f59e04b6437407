/* gate/replay.h: proofs that were used already (DPoP, RFC 9449 11.1), shared by all workers without a lock.
 *
 * A fixed table in memory the caller gives (shared, zeroed): 64-bit marks of (key, jti) with the second they expire, in buckets; a full bucket
 * gives up its oldest mark only when that has expired, otherwise the proof is refused: never forget a live one. */
#ifndef POSTERN_GATE_REPLAY_H
#define POSTERN_GATE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay;
size_t replay_need(uint32_t marks);
struct replay *replay_place(void *mem, uint32_t marks);
/* True: this one was not there and is now, until `until_s` (Unix seconds). False: seen before, or no room. `mark` must be a keyed hash. */
bool replay_first(struct replay *r, uint64_t mark, uint32_t now_s, uint32_t until_s);

#endif
