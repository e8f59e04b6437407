/* gate/sentinel.h: values of Mcp-Name and Mcp-Param-*, whose text may stand in base64 between "=?base64?" and "?=" (mcp.md 5.3).
 *
 * The markers are lower case only and do not overlap; a value with one of them is literal. */
#ifndef POSTERN_GATE_SENTINEL_H
#define POSTERN_GATE_SENTINEL_H

#include "base/buf.h"

/* What the header value `value` (without surrounding white space) says. *plain is either `value` itself or lies in scratch, after what was
 * there. False: a byte that must be encoded and is not (anything but 0x20..0x7E), base64 that is not canonical, or no room. */
bool sentinel_read(struct span value, struct buf *scratch, struct span *plain);

/* Appends the value that says `plain`: as it is where that is allowed, else encoded; an empty text is encoded too, for many an HTTP
 * stack drops an empty header. What it writes never begins or ends with white space and has no control byte. */
void sentinel_write(struct buf *out, struct span plain);

/* True if the text may be written as it is. */
bool sentinel_is_plain(struct span text);

#endif
