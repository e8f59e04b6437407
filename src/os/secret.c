#include "os/secret.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/map.h"

enum { CALL_MEMFD_SECRET = 447 }; /* on every architecture; older headers lack it */

static void *hidden_map(size_t n)
{
	int fd = (int)syscall(CALL_MEMFD_SECRET, O_CLOEXEC);
	void *p = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)n) == 0)
		p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

/* The limit on locked memory may forbid the first; then it is at least not dumped. */
static void lock(void *p, size_t n)
{
	mlock(p, n);
	madvise(p, n, MADV_DONTDUMP);
}

void *secret_map(size_t n, bool *hidden)
{
	void *p;

	n = (n + MAP_PAGE - 1) / MAP_PAGE * MAP_PAGE;
	p = hidden_map(n);
	*hidden = p != NULL;
	if (p)
		return p;
	p = map_private(n);
	if (p)
		lock(p, n);
	return p;
}

void secret_stack(void)
{
	volatile char here[SECRET_STACK];
	uintptr_t from = ((uintptr_t)here + MAP_PAGE - 1) / MAP_PAGE * MAP_PAGE;

	for (size_t i = 0; i < sizeof here; i += MAP_PAGE) /* so that the pages are there */
		here[i] = 0;
	lock((void *)from, sizeof here - MAP_PAGE);
}
