/* gate/mirror.h: the headers that mirror the body (MCP-Protocol-Version, Mcp-Method, Mcp-Name): both say the same or the request is
 * refused with -32020 and 400 (mcp.md 5.2, 5.3, 5.5; security A5). A doubled header is a mismatch. Faults name the header.
 *
 * The three parts are apart because other checks stand between them in the order of 5.5. */
#ifndef POSTERN_GATE_MIRROR_H
#define POSTERN_GATE_MIRROR_H

#include "wire/http_head.h"
#include "wire/mcp_envelope.h"

/* Row 6: the version header is there, once. */
struct mcp_fault mirror_version_present(const struct http_head *h);
/* Rows 8 and 9: equal to the body's; then served at all (-32022, whose data goes to `data`: {"supported":[…],"requested":"…"}). */
struct mcp_fault mirror_version(const struct http_head *h, const struct mcp_message *m, const struct json *j, struct buf *data);
/* Of a caller that has no head: the body's version is served (as above). */
struct mcp_fault mirror_version_alone(const struct mcp_message *m, const struct json *j, struct buf *data);
/* Row 10: Mcp-Method (case-sensitive, never base64) and, for the methods that have one, Mcp-Name (base64 form decoded first). For a
 * method that has none, a given Mcp-Name is ignored. `scratch`: at least 4 KiB. */
struct mcp_fault mirror_method(const struct http_head *h, const struct mcp_message *m, const struct json *j, struct buf *scratch);

#endif
