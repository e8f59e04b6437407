/* gate/cursor.h: pagination cursors of a list that is put together from several upstreams, one after the other (mcp.md 8.3).
 *
 * Such a cursor says at which upstream the list goes on and with which of its cursors. It is sealed: a client can neither make one nor
 * carry it over to another list or another upstream. Text: "p1." and unpadded base64url of
 *     server byte | flag byte (0: begin that upstream's list, 1: go on with the inner cursor) | inner bytes | 16 bytes of HMAC-SHA256
 * where the MAC covers a domain string, the method's name and all bytes before it. One content has one text. */
#ifndef POSTERN_GATE_CURSOR_H
#define POSTERN_GATE_CURSOR_H

#include "base/buf.h"
#include "wire/mcp_envelope.h"

enum {
	CURSOR_KEY = 32,
	CURSOR_MAC = 16,
	CURSOR_HEAD = 3, /* "p1." */
	CURSOR_INNER_MAX = (MCP_CURSOR_MAX - CURSOR_HEAD) * 3 / 4 - 2 - CURSOR_MAC
};

/* Appends the text: characters that need no escape in JSON. `server` is at most 255. An inner cursor of no bytes is a cursor, and not the
 * same as none (`inner` is then not looked at). What does not fit in out, or an inner cursor over CURSOR_INNER_MAX, sets out->full and
 * writes nothing. */
void cursor_seal(struct buf *out, const uint8_t key[CURSOR_KEY], enum mcp_method method, unsigned server, bool has_inner,
	struct span inner);

/* False for any text that cursor_seal() did not make with this key for this method; then *inner is as before. Appends the inner cursor's
 * bytes; inner needs room for CURSOR_INNER_MAX. */
bool cursor_open(struct span text, const uint8_t key[CURSOR_KEY], enum mcp_method method, unsigned *server, bool *has_inner,
	struct buf *inner);

#endif
