/* gate/cursor.h: pagination cursors of a list that is put together from several upstreams, one after the other (mcp.md 8.3).
 *
 * Such a cursor says at which upstream the list goes on, with which of its pages, and how many entries of that page have been given out. It
 * is sealed (gate/seal.h, "p3."): a client can neither make one nor carry it over to another list or another upstream, nor is it good for another that stands in
 * that one's place since. Inside: 8 bytes (server, whether an inner cursor names the page, entries to skip) and the inner cursor's bytes. */
#ifndef POSTERN_GATE_CURSOR_H
#define POSTERN_GATE_CURSOR_H

#include "gate/seal.h"
#include "wire/mcp_envelope.h"

enum {
	CURSOR_HEAD = 8,
	CURSOR_INNER_MAX = SEAL_PLAIN(MCP_CURSOR_MAX) - CURSOR_HEAD
};

struct cursor_place {
	unsigned server;      /* at most 255 */
	bool has_inner;       /* an inner cursor of no bytes is a cursor, and not the same as none */
	uint32_t skip;
	struct span inner;    /* not looked at without has_inner */
};

/* Appends the text: characters that need no escape in JSON. What does not fit in out, or a value over its limit, sets out->full and writes
 * nothing. */
void cursor_seal(struct buf *out, const uint8_t key[SEAL_KEY], enum mcp_method method, struct span server_name, const struct cursor_place *at);

/* False for any text that cursor_seal() did not make with this key for this method and one of these servers, where it stands; then *at and *inner are as before. Appends the inner
 * cursor's bytes to `inner`, which needs room for CURSOR_INNER_MAX; at->inner lies there. */
bool cursor_open(struct span text, const uint8_t key[SEAL_KEY], enum mcp_method method, const struct span *server_names, unsigned n,
	struct cursor_place *at, struct buf *inner);

#endif
