/* role/desk_page.h: what the desk answers: a head in, a whole response out. No I/O. Private to role/. */
#ifndef POSTERN_ROLE_DESK_PAGE_H
#define POSTERN_ROLE_DESK_PAGE_H

#include "gate/host.h"
#include "gate/metrics.h"
#include "role/msg.h"

struct desk_view {
	struct host_rules host;
	const struct msg_state *state;
	const struct metrics *const *blocks;
	unsigned nblocks;
	unsigned own, nown;               /* which of them are of the desk's own generation */
	const struct span *servers;       /* by their place in its configuration */
	unsigned nservers;
};

/* The response to a complete head. It always closes the connection. */
void desk_answer(struct buf *out, const struct desk_view *v, struct span head);
/* The response to what is no head at all. */
void desk_refuse(struct buf *out, unsigned status, struct span text);

#endif
