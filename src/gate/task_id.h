/* gate/task_id.h: ids of tasks as clients have them (mcp.md 9): the upstream's own id together with where the task is and what made it, sealed.
 *
 * Whoever may poll a task is decided by the id and by who comes with it: the key is made from the caller (tenant, and who it is there), so another
 * caller's id opens as little as one that was changed. No state: any worker can open it, in any generation of one run. Sealed (gate/seal.h, "t1.") for
 * the server's name are
 *     server byte | bytes of the tool's name | tool's name | upstream's id
 * The server byte is where it stood when the id was made; a server that stands elsewhere since is found by its name. */
#ifndef POSTERN_GATE_TASK_ID_H
#define POSTERN_GATE_TASK_ID_H

#include "gate/seal.h"
#include "wire/mcp_envelope.h"

enum { TASK_ID_INNER_MAX = 256 }; /* bytes of an upstream's id */

/* Appends the text: characters that need no escape in JSON nor in a header field. `tool`: at most MCP_NAME_MAX bytes. What does not fit, or an
 * `inner` over TASK_ID_INNER_MAX or of no bytes, sets out->full and writes nothing. */
void task_id_seal(struct buf *out, const uint8_t key[SEAL_KEY], unsigned server, struct span server_name, struct span tool, struct span inner);

/* False for any text that task_id_seal() did not make with this key for one of these servers; then *out is as before. Appends tool and inner, at which
 * the two spans point; `out` needs room for MCP_NAME_MAX + TASK_ID_INNER_MAX. */
bool task_id_open(struct span text, const uint8_t key[SEAL_KEY], const struct span *server_names, unsigned n, unsigned *server, struct buf *out,
	struct span *tool, struct span *inner);

#endif
