/* gate/host.h: may a request with this Host and this Origin be answered on this listener? (DNS rebinding, CSRF; security B1, mcp.md 5.8)
 *
 * Host: the loopback names (localhost, 127.0.0.1, [::1], any port) on a listener bound to loopback; the listener's own address when it is
 * bound to one; and the configured hosts ("name" matches any port, "name:port" that port only). Names compare without case.
 * Origin: absent is fine (not a browser); else it must be byte-equal (host without case) to a configured origin, or, on a loopback
 * listener, be http:// + a loopback name + the listener's port. "null" never passes unless it is configured as such. */
#ifndef POSTERN_GATE_HOST_H
#define POSTERN_GATE_HOST_H

#include "base/addr.h"
#include "wire/http_head.h"

struct host_rules {
	struct addr address;
	const struct span *hosts;
	unsigned nhosts;
	const struct span *origins;
	unsigned norigins;
};

enum host_verdict { HOST_OK, HOST_FOREIGN /* 421 */, HOST_FOREIGN_ORIGIN /* 403 */ };

/* A doubled Origin is foreign. */
enum host_verdict host_check(const struct host_rules *r, const struct http_head *h);

#endif
