/* gate/catalog.h: what one upstream has said of itself: its capabilities, the names of its tools and prompts, and which parameters of its
 * tools are mirrored in headers (x-mcp-header, mcp.md 5.4). A plain value in memory the caller gives, zeroed at first; learned from
 * server/discover, tools/list and prompts/list. */
#ifndef POSTERN_GATE_CATALOG_H
#define POSTERN_GATE_CATALOG_H

#include "wire/http_head.h"
#include "wire/mcp_envelope.h"

enum { CATALOG_TEXT_MAX = 32768, CATALOG_TOOLS_MAX = 256, CATALOG_PARAMS_MAX = 512, CATALOG_PATH_MAX = 8,
	CATALOG_TOOL_NAMES_MAX = 2048, CATALOG_PROMPT_NAMES_MAX = 512 };

enum catalog_caps {
	CATALOG_TOOLS = 1,
	CATALOG_TOOLS_CHANGED = 2,
	CATALOG_RESOURCES = 4,
	CATALOG_RESOURCES_CHANGED = 8,
	CATALOG_SUBSCRIBE = 16,
	CATALOG_PROMPTS = 32,
	CATALOG_PROMPTS_CHANGED = 64,
	CATALOG_COMPLETIONS = 128,
	CATALOG_LOGGING = 256,
	CATALOG_TASKS = 512 /* the extension: whoever makes a task must be asked for it */
};

enum catalog_type { CATALOG_STRING, CATALOG_INTEGER, CATALOG_BOOLEAN };

struct catalog_param {
	struct span suffix;                      /* of Mcp-Param-<suffix>, as annotated */
	struct span path[CATALOG_PATH_MAX];      /* property names from the root, unescaped */
	uint8_t depth;
	enum catalog_type type;
};

/* Only tools that mirror something, or whose annotation is wrong, have an entry. */
struct catalog_tool {
	struct span name;                        /* unescaped */
	uint16_t first, count;                   /* in params */
	bool invalid;                            /* the definition must be dropped: not listed, not callable */
};

enum catalog_kind { CATALOG_TOOL, CATALOG_PROMPT, CATALOG_KINDS };

struct catalog {
	uint64_t key[2];                         /* of the names' hashes; the caller's, set before a name is learned, never cleared */
	unsigned caps;
	struct span instructions;                /* raw JSON string with quotes, absent if none; cut to nothing when over 8 KiB */
	struct span server_info;                 /* raw JSON object, absent if none */
	int64_t ttl_ms;                          /* of discover; 0 when absent */
	bool cut;                                /* something did not fit and is not known */
	unsigned ntools, nparams;
	size_t ntext;
	struct catalog_tool tools[CATALOG_TOOLS_MAX];
	struct catalog_param params[CATALOG_PARAMS_MAX];
	char text[CATALOG_TEXT_MAX];
	unsigned nnames[CATALOG_KINDS];
	bool names_cut[CATALOG_KINDS];           /* there are more names than are known */
	uint64_t tool_names[2 * CATALOG_TOOL_NAMES_MAX], prompt_names[2 * CATALOG_PROMPT_NAMES_MAX]; /* hashes; 0: free */
	unsigned nspellings;
	uint64_t spellings[2 * CATALOG_TOOL_NAMES_MAX]; /* of tools' names without case; 0: free */
};

void catalog_clear(struct catalog *c);
/* From a DiscoverResult, into a cleared catalogue. False: it offers no revision that we speak, or is malformed. */
bool catalog_discover(struct catalog *c, const struct json *j, uint32_t result);

enum catalog_verdict { CATALOG_PLAIN /* mirrors nothing */, CATALOG_MIRRORS, CATALOG_INVALID };
/* Judges one tool definition of a tools/list result without keeping anything. An invalid annotation: not a token, doubled without case, on
 * anything but string, integer or boolean (one type, no union), deeper than CATALOG_PATH_MAX, more than HTTP_FIELDS_MAX times, longer
 * than 128 bytes, or in a schema position not reached by `properties` steps alone; in data (default, const, enum, examples) or as a
 * parameter's name it means nothing. Invalid too is a tool without a name of 1 to MCP_NAME_MAX bytes, without an object as inputSchema,
 * or with a member that only folding makes one of these (A1). `why` (static text) for the log. */
enum catalog_verdict catalog_judge(const struct json *j, uint32_t tool, struct span *why);
/* Judges and keeps what is needed. The last definition learned under a name counts; learning the same again takes no more room. What has
 * no room is not known (cut): its headers then go upstream unchecked. */
enum catalog_verdict catalog_learn(struct catalog *c, const struct json *j, uint32_t tool, struct span *why);
/* NULL: no entry. `name` is unescaped. */
const struct catalog_tool *catalog_find(const struct catalog *c, struct span name);

/* The names of all there is, as hashes (catalog_names.c). `name` is unescaped, of 1 to MCP_NAME_MAX bytes; one of another length is none. What
 * has no room is not known: names_cut. */
void catalog_learn_name(struct catalog *c, enum catalog_kind kind, struct span name);
/* One in 2^53 unknown names is taken for a known one; nobody who has not the key can find it. */
bool catalog_has_name(const struct catalog *c, enum catalog_kind kind, struct span name);
/* The keyed hash of a name, 0 of one that cannot be one. */
uint64_t catalog_name_hash(const struct catalog *c, struct span name);
/* Takes over what another knows of one kind, under the same key. */
void catalog_keep_names(struct catalog *c, enum catalog_kind kind, const struct catalog *from);

/* Which of the tools' names are told apart by case only. False: this one has come in another spelling, and then neither can be offered. */
bool catalog_learn_spelling(struct catalog *c, struct span name);
bool catalog_has_twin(const struct catalog *c, struct span name);

/* Row 14: every Mcp-Param-* of `tool` against the arguments, both ways: a value (not null, not absent) needs its header, a header needs
 * its value; base64 decoded; integers as numbers (42.0 = 42) without floating point; doubled: mismatch. On success appends to `fields`
 * the regenerated lines "Mcp-Param-X: value\r\n" of this tool and, unchanged, the Mcp-Param-* the catalogue does not know. With `tool`
 * NULL all are unknown. With h NULL the caller has no headers at all, and the lines are made from the arguments. An argument of another type than the schema says is -32602. A fault's `where` may lie in scratch; on a fault
 * `fields` is as before. `scratch`: 8 KiB at least. */
struct mcp_fault catalog_params(const struct catalog *c, const struct catalog_tool *tool, const struct http_head *h,
	const struct json *j, uint32_t arguments, struct buf *scratch, struct buf *fields);

#endif
