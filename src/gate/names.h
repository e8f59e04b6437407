/* gate/names.h: which names can stand beside each other (mcp.md 3.5, 15.5): of servers, and of what upstreams offer under them.
 *
 * A client sees `server__tool`. Servers' names hold no "__" and do not end with "_", so a name can be taken apart in one way only. But people
 * and models read names, and clients put other characters in place of some: what differs only so must not stand side by side. */
#ifndef POSTERN_GATE_NAMES_H
#define POSTERN_GATE_NAMES_H

#include "gate/catalog.h"

enum { NAMES_CLIENTS_MAX = 64 /* bytes of a tool's name that the clients of today hand on to a model */ };

/* Two servers whose names differ, each right by itself: could somebody take a name under one for a name under the other? Absent: no. Else
 * (static text) why: only case differs; or - and _; or 0 and O, or 1, l and I; or joined with some tool's name one can be the other's. */
struct span names_confused(struct span a, struct span b);

/* Can a tool or a prompt of this name be offered? `room`: bytes there are for it, behind its prefix. Absent: yes. Else (static text) why not. A tool's
 * name is printable ASCII without spaces: letters of other scripts can look like ours, and clients refuse them. A prompt's name is any text without
 * characters that cannot be seen. */
struct span names_unfit(enum catalog_kind kind, struct span name, size_t room);

#endif
