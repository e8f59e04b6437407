/* One loop per process: the batch of events being handed out is static, so that loop_forget() can strike an item out of it and a slot
 * that is used again at once never gets its predecessor's events. */
#include "os/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

enum { LOOP_BATCH = 256 };

static struct epoll_event batch[LOOP_BATCH];
static int batch_next; /* first event not handed out yet */
static int batch_end;

static int64_t clock_ms(void)
{
	struct timespec t = { 0, 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool loop_open(struct loop *l)
{
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	l->now_ms = clock_ms();
	l->turns = 0;
	return l->fd >= 0;
}

static bool control(struct loop *l, int what, struct loop_item *item, uint32_t events)
{
	struct epoll_event e = { .events = events, .data = { .ptr = item } };

	return epoll_ctl(l->fd, what, item->fd, &e) == 0;
}

bool loop_add(struct loop *l, struct loop_item *item)
{
	return control(l, EPOLL_CTL_ADD, item, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

bool loop_add_level(struct loop *l, struct loop_item *item)
{
	return control(l, EPOLL_CTL_ADD, item, EPOLLIN);
}

bool loop_pause(struct loop *l, struct loop_item *item)
{
	return control(l, EPOLL_CTL_MOD, item, 0);
}

bool loop_resume(struct loop *l, struct loop_item *item)
{
	return control(l, EPOLL_CTL_MOD, item, EPOLLIN);
}

void loop_forget(struct loop *l, struct loop_item *item)
{
	struct epoll_event none = { 0 };

	epoll_ctl(l->fd, EPOLL_CTL_DEL, item->fd, &none);
	item->event = NULL;
	for (int i = batch_next; i < batch_end; i++)
		if (batch[i].data.ptr == item)
			batch[i].data.ptr = NULL;
}

static unsigned meaning(uint32_t e)
{
	unsigned m = 0;

	if (e & EPOLLIN)
		m |= LOOP_READ;
	if (e & EPOLLOUT)
		m |= LOOP_WRITE;
	if (e & EPOLLRDHUP)
		m |= LOOP_HALF;
	if (e & (EPOLLHUP | EPOLLERR))
		m |= LOOP_GONE;
	return m;
}

bool loop_wait(struct loop *l, int wait_ms)
{
	int n = epoll_pwait(l->fd, batch, LOOP_BATCH, wait_ms, NULL);
	bool right = n >= 0 || errno == EINTR;

	l->now_ms = clock_ms();
	l->turns++;
	batch_next = 0;
	batch_end = n > 0 ? n : 0;
	while (batch_next < batch_end) {
		struct epoll_event *e = &batch[batch_next++];
		struct loop_item *item = e->data.ptr;

		if (item && item->event)
			item->event(item, meaning(e->events));
	}
	return right;
}
