/* gate/request_state.h: what an upstream gives a client along with a question (mcp.md 6), sealed for that client and that request.
 *
 * Whoever comes with it must be who it was given to (the key is made from the caller), with the same request: method, name, and arguments byte for
 * byte, at the server that asked, in time. No state here: any worker can tell, in any generation of one run. The upstream's own text is not hidden, and is
 * not changed: in front of it come a seal (gate/seal.h, "s1.") of server and expiry, which is bound to the server's name, that request and the text, and a dot. */
#ifndef POSTERN_GATE_REQUEST_STATE_H
#define POSTERN_GATE_REQUEST_STATE_H

#include "gate/seal.h"
#include "wire/mcp_method.h"

enum { REQUEST_STATE_HEAD = SEAL_TEXT(8) + 1 };

/* The request it belongs to. `name` unescaped, `arguments` raw (absent: none). */
struct request_of {
	enum mcp_method method;
	struct span name, arguments;
};

/* Appends what stands in front of `state`, the upstream's text unescaped: REQUEST_STATE_HEAD characters that need no escape in JSON. `server`: at most
 * 255. What does not fit sets out->full. */
void request_state_seal(struct buf *out, const uint8_t key[SEAL_KEY], unsigned server, struct span server_name, const struct request_of *of,
	struct span state, int64_t until_unix_ms);

/* `text`: unescaped. True: it was sealed with this key for this request by one of these servers, which still stands where it stood (*server), and its time
 * is not over; the upstream's text is what is behind the head. */
bool request_state_open(struct span text, const uint8_t key[SEAL_KEY], const struct span *server_names, unsigned n, const struct request_of *of,
	int64_t now_unix_ms, unsigned *server);

#endif
