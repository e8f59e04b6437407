/* os/secret.h: memory for private keys, before the jail: zeroed, page-aligned, never swapped or dumped where the system lets us see to that. */
#ifndef POSTERN_OS_SECRET_H
#define POSTERN_OS_SECRET_H

#include <stdbool.h>
#include <stddef.h>

enum { SECRET_STACK = 64 << 10 };

/* From memfd_secret(2) (Linux 5.14, and switched on: CONFIG_SECRETMEM): no other process and, but for what runs inside it, not even the
 * kernel maps it: no /proc/PID/mem, no ptrace, no direct map. *hidden says if it is such. Else ordinary memory, locked as far as the limit
 * allows. NULL: there is none. */
void *secret_map(size_t n, bool *hidden);
/* The same for the part of the stack that a computation uses, as far as ordinary memory can have it: locked, not dumped. */
void secret_stack(void);

#endif
