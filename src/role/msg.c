#include "role/msg.h"

#include "os/pass.h"
#include "os/sock.h"

static const uint8_t msg_size[MSG_TYPES] = {
	[MSG_START] = sizeof(struct msg_start), [MSG_READY] = sizeof(struct msg_ready), [MSG_LINK] = sizeof(struct msg_link),
	[MSG_STATE] = sizeof(struct msg_state), [MSG_DRAIN] = sizeof(struct msg_drain), [MSG_DRAINED] = sizeof(struct msg_drained),
	[MSG_LOAD] = sizeof(struct msg_load), [MSG_LOADED] = sizeof(struct msg_loaded), [MSG_FORGET] = sizeof(struct msg_forget),
	[MSG_INNER] = sizeof(struct msg_link),
};

#define BIT(type) (1U << (type))

/* Parent to role. LINK and STATE come whenever a peer or the house has changed; DRAIN also to a role that has not finished starting. */
static const uint32_t to_role[ROLES][PHASES] = {
	[ROLE_WORKER] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_LINK) | BIT(MSG_INNER) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_LINK) | BIT(MSG_INNER) | BIT(MSG_DRAIN),
		[PHASE_DRAINING] = BIT(MSG_LINK) | BIT(MSG_INNER),
	},
	[ROLE_PROVIDER] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_LINK) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_LINK) | BIT(MSG_DRAIN),
	},
	[ROLE_KEEPER] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_LINK) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_LINK) | BIT(MSG_DRAIN),
	},
	[ROLE_BROKER] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_LINK) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_LINK) | BIT(MSG_DRAIN),
	},
	[ROLE_ELDER] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_LINK) | BIT(MSG_INNER) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_LINK) | BIT(MSG_INNER) | BIT(MSG_DRAIN),
	},
	[ROLE_STDIO] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_INNER) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_INNER) | BIT(MSG_DRAIN),
	},

	[ROLE_BRIDGE] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_LINK) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_LINK) | BIT(MSG_DRAIN),
	},
	[ROLE_LAUNCHER] = {
		[PHASE_SERVING] = BIT(MSG_LOAD) | BIT(MSG_LINK) | BIT(MSG_FORGET) | BIT(MSG_DRAIN),
		[PHASE_DRAINING] = BIT(MSG_LINK) | BIT(MSG_FORGET),
	},
	[ROLE_DESK] = {
		[PHASE_STARTING] = BIT(MSG_START) | BIT(MSG_STATE) | BIT(MSG_DRAIN),
		[PHASE_SERVING] = BIT(MSG_STATE) | BIT(MSG_DRAIN),
		[PHASE_DRAINING] = BIT(MSG_STATE), /* it still answers who was there */
	},
};

/* Role to parent: a role says READY once, and a worker DRAINED once it was told to drain. A role can ask the parent for nothing. */
static const uint32_t to_parent[ROLES][PHASES] = {
	[ROLE_WORKER] = {
		[PHASE_STARTING] = BIT(MSG_READY),
		[PHASE_DRAINING] = BIT(MSG_DRAINED),
	},
	[ROLE_PROVIDER] = { [PHASE_STARTING] = BIT(MSG_READY) },
	[ROLE_KEEPER] = { [PHASE_STARTING] = BIT(MSG_READY) },
	[ROLE_BROKER] = { [PHASE_STARTING] = BIT(MSG_READY) },
	[ROLE_ELDER] = { [PHASE_STARTING] = BIT(MSG_READY) },
	[ROLE_STDIO] = { [PHASE_STARTING] = BIT(MSG_READY) },
	[ROLE_BRIDGE] = { [PHASE_STARTING] = BIT(MSG_READY) },
	/* It may be another one that says READY again: see role/launcher.h. */
	[ROLE_LAUNCHER] = {
		[PHASE_STARTING] = BIT(MSG_READY),
		[PHASE_SERVING] = BIT(MSG_READY) | BIT(MSG_LOADED),
		[PHASE_DRAINING] = BIT(MSG_READY) | BIT(MSG_LOADED),
	},
	[ROLE_DESK] = { [PHASE_STARTING] = BIT(MSG_READY) },
};

static bool has_fd(const union msg *m) { return m->type == MSG_LINK || m->type == MSG_INNER; }

bool msg_send(int channel, const union msg *m, int fd)
{
	return m->type > MSG_NONE && m->type < MSG_TYPES && (fd >= 0) == has_fd(m)
		&& pass_send(channel, m, msg_size[m->type], fd);
}

static const char *wrong(const union msg *m, long n, int fd, uint32_t permitted)
{
	if (n < (long)sizeof m->type || m->type == MSG_NONE || m->type >= MSG_TYPES)
		return "a message of no known type";
	if (n != msg_size[m->type])
		return "a message of the wrong length";
	if ((fd >= 0) != has_fd(m))
		return "a descriptor where none belongs, or none where one does";
	if (!(permitted & BIT(m->type)))
		return "a message that is not permitted now";
	return NULL;
}

enum msg_got msg_take(int channel, enum role receiver, enum role sender, enum phase phase, union msg *m, int *fd, const char **why)
{
	uint32_t permitted = receiver == ROLE_PARENT ? to_parent[sender][phase] : to_role[receiver][phase];
	long n = pass_take(channel, m, sizeof *m, fd);

	*why = NULL;
	if (n == PASS_NONE)
		return MSG_NOTHING;
	if (n == PASS_END)
		return MSG_CLOSED;
	*why = n == PASS_BROKEN ? "a message that is too long" : wrong(m, n, *fd, permitted);
	if (!*why)
		return MSG_GOT;
	if (*fd >= 0)
		sock_close(*fd);
	*fd = -1;
	return MSG_CLOSED;
}
