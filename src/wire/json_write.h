/* wire/json_write.h: JSON that we make ourselves; peers' bytes are spliced raw, never re-serialised. */
#ifndef POSTERN_WIRE_JSON_WRITE_H
#define POSTERN_WIRE_JSON_WRITE_H

#include "base/buf.h"

/* A quoted JSON string of UTF-8 text: escapes quote, backslash and control bytes; a byte that is not valid UTF-8 becomes
 * U+FFFD. Both write all or (with b->full set) nothing. At most 6 bytes for one. */
void json_write_string(struct buf *b, struct span text);
/* The same without the quotes, to put a string together from parts. */
void json_write_inner(struct buf *b, struct span text);

#endif
