/* gate/meta.h: which members of a `_meta` object pass between a client and an upstream (mcp.md 1.3, 8.7, 15.6).
 *
 * What passes is what the protocol defines for that direction and what the configuration names for that upstream; the rest is a channel
 * that nobody asked for, and is left out. "postern/…" never passes: between our own processes those members say who is calling. */
#ifndef POSTERN_GATE_META_H
#define POSTERN_GATE_META_H

#include "wire/mcp_method.h"
#include "wire/json_read.h"

enum { META_KEYS_MAX = 16, META_KEY_MAX = 128, META_TRACE_MAX = 512, META_BAGGAGE_MAX = 8192 };

/* Whole keys ("com.example/trace-id", "_fastmcp"), or prefixes that end with a slash ("com.example/"). */
struct meta_rules {
	const struct span *keys;
	unsigned n;
};

enum meta_way {
	META_REQUEST, /* params._meta of a client's request */
	META_RESULT,  /* a result's or a notification's own */
	META_PART     /* that of something inside: a tool, a resource, a piece of content */
};

/* May the member whose name is token `name` of object `meta` pass? Trace context has to be what W3C says: a traceparent of the form, and
 * tracestate only beside one; baggage of its form. */
bool meta_passes(const struct json *j, uint32_t meta, uint32_t name, enum meta_way way, const struct meta_rules *rules);
/* May this extension be spoken of in capabilities? Those whose shapes are known here: tasks, whose ids are sealed, and ui, which
 * needs nothing changed; and those that the rules name. `name` is the token of its name. */
bool meta_extension_passes(const struct json *j, uint32_t name, const struct meta_rules *rules);

/* W3C Trace Context 3.2, 3.3 and W3C Baggage 3.2, with the lengths and counts they allow. */
bool meta_traceparent_ok(struct span s);
bool meta_tracestate_ok(struct span s);
bool meta_baggage_ok(struct span s);

/* What the configuration may name: a key or a prefix of the form of mcp.md 1.3, and not what is reserved. `why` (static text): what is wrong. */
bool meta_key_ok(struct span key, struct span *why);

#define META_TASKS "io.modelcontextprotocol/tasks"
#define META_UI "io.modelcontextprotocol/ui"

#endif
