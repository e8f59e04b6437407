/* flow/link_idle.h: how long an HTTP/1.1 server will keep a connection at rest. */
#ifndef POSTERN_FLOW_LINK_IDLE_H
#define POSTERN_FLOW_LINK_IDLE_H

#include "wire/http_head.h"

/* A second less than its Keep-Alive field says, a minute at most; without one `otherwise_ms`. */
int64_t link_idle_ms(const struct http_head *h, int64_t otherwise_ms);

#endif
