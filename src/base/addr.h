/* base/addr.h: an IP address and port as a plain value. No names are ever resolved. */
#ifndef POSTERN_BASE_ADDR_H
#define POSTERN_BASE_ADDR_H

#include "base/buf.h"

struct addr {
	uint8_t family; /* 4 or 6; 0 is no address */
	uint8_t ip[16]; /* network order; the first 4 bytes for family 4 */
	uint16_t port;  /* host order */
};

enum { ADDR_TEXT_MAX = 48 }; /* "[...]:65535" */

/* "127.0.0.1:8080", "[::1]:8080"; `localhost:8080` is 127.0.0.1. False if it is anything else. Port 0 is allowed. */
bool addr_read(struct addr *a, struct span text);
/* "127.0.0.1" or "::1" (brackets allowed) or "localhost", with the port given. */
bool addr_read_ip(struct addr *a, struct span ip, uint16_t port);
void addr_write(struct buf *b, const struct addr *a);
bool addr_is_loopback(const struct addr *a);

#endif
