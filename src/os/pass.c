#include "os/pass.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

union pass_control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int))];
};

bool pass_pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0;
}

bool pass_pair_asking(int fd[2], unsigned wait_ms)
{
	struct timeval t = { wait_ms / 1000, wait_ms % 1000 * 1000 };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
		return false;
	if (setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0 && setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) == 0)
		return true;
	close(fd[0]);
	close(fd[1]);
	return false;
}

bool pass_answer(int end, const void *packet, size_t n)
{
	ssize_t put;

	do
		put = send(end, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (put < 0 && errno == EINTR);
	return put == (ssize_t)n;
}

bool pass_send(int end, const void *packet, size_t n, int fd)
{
	union pass_control control;
	struct iovec part;
	struct msghdr m;
	ssize_t put;

	memset(&m, 0, sizeof m);
	memset(&control, 0, sizeof control);
	memcpy(&part.iov_base, &packet, sizeof packet); /* iovec knows no const */
	part.iov_len = n;
	if (fd < 0) {
		do
			put = write(end, packet, n);
		while (put < 0 && errno == EINTR);
		return put == (ssize_t)n;
	}
	m.msg_iov = &part;
	m.msg_iovlen = 1;
	m.msg_control = control.room;
	m.msg_controllen = sizeof control.room;
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
	do
		put = sendmsg(end, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (put < 0 && errno == EINTR);
	return put == (ssize_t)n;
}

long pass_take(int end, void *packet, size_t cap, int *fd)
{
	union pass_control control;
	struct iovec part = { packet, cap };
	struct msghdr m;
	ssize_t got;

	*fd = -1;
	memset(&m, 0, sizeof m);
	memset(&control, 0, sizeof control);
	m.msg_iov = &part;
	m.msg_iovlen = 1;
	m.msg_control = control.room;
	m.msg_controllen = sizeof control.room;
	do
		got = recvmsg(end, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == EAGAIN ? PASS_NONE : PASS_END;
	if (m.msg_controllen >= CMSG_LEN(sizeof *fd) && control.align.cmsg_level == SOL_SOCKET
	    && control.align.cmsg_type == SCM_RIGHTS && control.align.cmsg_len == CMSG_LEN(sizeof *fd))
		memcpy(fd, CMSG_DATA(&control.align), sizeof *fd);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
		return PASS_BROKEN;
	}
	return got;
}

void pass_wait(int end, int wait_ms)
{
	struct pollfd p = { .fd = end, .events = POLLIN };

	poll(&p, 1, wait_ms);
}
