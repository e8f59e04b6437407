/* os/clock.h: the date for log lines, and randomness for keys. */
#ifndef POSTERN_OS_CLOCK_H
#define POSTERN_OS_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_unix_ms(void);
int64_t clock_monotonic_ms(void);
/* The same question as a real system call, as the vDSO asks it on machines whose clock it cannot read. */
bool clock_call(void);
/* From the kernel's generator, at start; waits until that is seeded. */
bool clock_random(void *to, size_t n);

#endif
