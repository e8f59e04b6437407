/* os/map.h: memory from the kernel, at start only: a role's jail has no memory call. Zeroed, page-aligned, not resident until touched. */
#ifndef POSTERN_OS_MAP_H
#define POSTERN_OS_MAP_H

#include <stdbool.h>
#include <stddef.h>

enum { MAP_PAGE = 4096 }; /* what we round to; a larger hardware page is a multiple of it */

/* NULL: the environment has no such memory. */
void *map_private(size_t n);
/* Shared with every process forked later. */
void *map_shared(size_t n);
void map_drop(void *p, size_t n);
bool map_read_only(void *p, size_t n);

#endif
