/* gate/catalog_schema.h: where in a tool's inputSchema x-mcp-header stands, and whether it may stand there (mcp.md 5.4). A step of
 * gate/catalog.h and used by it alone.
 *
 * Only positions that hold schemas are walked, so the words of the annotation in data (default, const, enum, examples) or as the name of
 * a parameter are what they are. No recursion: a path in a document is never longer than JSON_DEPTH_MAX. */
#ifndef POSTERN_GATE_CATALOG_SCHEMA_H
#define POSTERN_GATE_CATALOG_SCHEMA_H

#include "gate/catalog.h"

enum {
	CATALOG_FOUND_MAX = HTTP_FIELDS_MAX, /* no request could carry more */
	CATALOG_SUFFIX_MAX = 128,
	CATALOG_SUFFIXES_MAX = 4096          /* bytes of all suffixes of a tool */
};

struct catalog_found {
	struct span suffix;                 /* unescaped, in the text of the finding */
	uint32_t path[CATALOG_PATH_MAX];    /* name tokens from the root's properties down */
	uint8_t depth;
	enum catalog_type type;
};

struct catalog_finding {
	unsigned n;
	struct catalog_found found[CATALOG_FOUND_MAX];
	size_t ntext;
	char text[CATALOG_SUFFIXES_MAX];
};

/* Fills what the verdict CATALOG_MIRRORS needs; `why` (static) is set for CATALOG_INVALID. `schema` is an object. */
enum catalog_verdict catalog_schema_walk(struct catalog_finding *f, const struct json *j, uint32_t schema, struct span *why);

#endif
