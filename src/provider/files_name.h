/* provider/files_name.h: the names of what `files` serves: paths, URIs, media types, times. Pure; no I/O.
 *
 * A path is relative to the root, components joined by '/', UTF-8 without control characters, at most FILES_PATH_MAX bytes and
 * FILES_DEPTH_MAX components of at most 255 bytes. `.`, `..` and empty components are no names; nor, unless hidden files are served, is
 * anything that begins with a dot. What has another name does not exist for anybody who asks. (512: a path in base64 must fit into a
 * cursor that a gateway has sealed, gate/cursor.h.) */
#ifndef POSTERN_PROVIDER_FILES_NAME_H
#define POSTERN_PROVIDER_FILES_NAME_H

#include "base/buf.h"

enum { FILES_PATH_MAX = 512, FILES_DEPTH_MAX = 32, FILES_NAME_MAX = 255, FILES_URI_MAX = 2048 };

/* One component. */
bool files_name_part(struct span name, bool hidden);
/* A whole path, not empty. */
bool files_name_path(struct span path, bool hidden);
/* The number of components; 0 for the empty path (the root). */
unsigned files_name_depth(struct span path);
/* The last component. */
struct span files_name_last(struct span path);

/* files://SERVER/path with everything but unreserved characters and '/' percent-encoded: one path has one such URI. */
void files_name_uri(struct buf *b, struct span server, struct span path);
/* Strict inverse for any spelling: appends the path. False, nothing appended: it is no URI of a path of this server (bad or missing
 * encoding, an encoded slash, `..`, an empty segment, NUL, a query, another server). */
bool files_name_of_uri(struct buf *path, struct span server, struct span uri, bool hidden);

/* Media type by the extension of the last component; static. */
struct span files_name_mime(struct span path);
/* 2026-07-28T09:30:00Z (RFC 3339), years 0000 to 9999; a time outside is moved to the nearest inside. */
void files_name_time(struct buf *b, int64_t seconds);

#endif
