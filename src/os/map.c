#include "os/map.h"

#include <sys/mman.h>

static void *map(size_t n, int how)
{
	void *p = mmap(NULL, n ? n : 1, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *map_private(size_t n) { return map(n, MAP_PRIVATE); }
void *map_shared(size_t n) { return map(n, MAP_SHARED); }

void map_drop(void *p, size_t n)
{
	if (p && n)
		munmap(p, n);
}

bool map_read_only(void *p, size_t n)
{
	return mprotect(p, n, PROT_READ) == 0;
}
