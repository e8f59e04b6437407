/* os/image.h: what the running program is: the build-id that the linker computed over its bytes (an ELF note, read from our own memory). */
#ifndef POSTERN_OS_IMAGE_H
#define POSTERN_OS_IMAGE_H

#include "base/buf.h"

/* Hex digits; "unknown" in a binary linked without one. */
void image_build_id(struct buf *b);

#endif
