/* role/msg.h: every type in every phase for every receiver, lengths, descriptors. */
#include <unistd.h>

#include "os/pass.h"
#include "os/sock.h"
#include "role/msg.h"
#include "tap.h"

static int channel[2];

static const char *const type_name[] = { "none", "START", "READY", "LINK", "STATE", "DRAIN", "DRAINED", "LOAD", "LOADED", "FORGET", "INNER" };
static const char *const role_name[] = { "parent", "provider", "worker", "desk", "keeper", "broker", "bridge", "launcher", "elder", "stdio" };
static const char *const phase_name[] = { "starting", "serving", "draining" };

/* role, phase, what it may be told, what it may say: written by hand, against the table in msg.c */
static const struct { enum role role; enum phase phase; const char *told, *says; } want[] = {
	{ ROLE_WORKER, PHASE_STARTING, "START LINK INNER DRAIN", "READY" },
	{ ROLE_WORKER, PHASE_SERVING, "LINK INNER DRAIN", "" },
	{ ROLE_WORKER, PHASE_DRAINING, "LINK INNER", "DRAINED" },
	{ ROLE_PROVIDER, PHASE_STARTING, "START LINK DRAIN", "READY" },
	{ ROLE_PROVIDER, PHASE_SERVING, "LINK DRAIN", "" },
	{ ROLE_PROVIDER, PHASE_DRAINING, "", "" },
	{ ROLE_KEEPER, PHASE_STARTING, "START LINK DRAIN", "READY" },
	{ ROLE_KEEPER, PHASE_SERVING, "LINK DRAIN", "" },
	{ ROLE_KEEPER, PHASE_DRAINING, "", "" },
	{ ROLE_BROKER, PHASE_STARTING, "START LINK DRAIN", "READY" },
	{ ROLE_BROKER, PHASE_SERVING, "LINK DRAIN", "" },
	{ ROLE_BROKER, PHASE_DRAINING, "", "" },
	{ ROLE_ELDER, PHASE_STARTING, "START LINK INNER DRAIN", "READY" },
	{ ROLE_ELDER, PHASE_SERVING, "LINK INNER DRAIN", "" },
	{ ROLE_ELDER, PHASE_DRAINING, "", "" },
	{ ROLE_STDIO, PHASE_STARTING, "START INNER DRAIN", "READY" },
	{ ROLE_STDIO, PHASE_SERVING, "INNER DRAIN", "" },
	{ ROLE_STDIO, PHASE_DRAINING, "", "" },
	{ ROLE_BRIDGE, PHASE_STARTING, "START LINK DRAIN", "READY" },
	{ ROLE_BRIDGE, PHASE_SERVING, "LINK DRAIN", "" },
	{ ROLE_BRIDGE, PHASE_DRAINING, "", "" },
	{ ROLE_LAUNCHER, PHASE_STARTING, "", "READY" },
	{ ROLE_LAUNCHER, PHASE_SERVING, "LOAD LINK FORGET DRAIN", "READY LOADED" },
	{ ROLE_LAUNCHER, PHASE_DRAINING, "LINK FORGET", "READY LOADED" },
	{ ROLE_DESK, PHASE_STARTING, "START STATE DRAIN", "READY" },
	{ ROLE_DESK, PHASE_SERVING, "STATE DRAIN", "" },
	{ ROLE_DESK, PHASE_DRAINING, "STATE", "" },
};

static bool has(const char *list, const char *word)
{
	const char *p = strstr(list, word);
	size_t n = strlen(word);

	return p && (p == list || p[-1] == ' ') && (p[n] == 0 || p[n] == ' '); /* "DRAIN" is not in "DRAINED" */
}

static enum msg_got pass(enum role receiver, enum role sender, enum phase phase, uint32_t type, const char **why)
{
	union msg m = { .state = { type, 1, 2, 3, 4, 5 } }, got;
	int fd;
	enum msg_got end;

	if (!msg_send(channel[0], &m, type == MSG_LINK || type == MSG_INNER ? 2 : -1))
		return MSG_NOTHING;
	end = msg_take(channel[1], receiver, sender, phase, &got, &fd, why);
	if (end == MSG_GOT && (got.type != type || (fd >= 0) != (type == MSG_LINK || type == MSG_INNER)))
		end = MSG_CLOSED;
	if (fd >= 0)
		sock_close(fd);
	return end;
}

static void permits(void)
{
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		for (uint32_t type = MSG_START; type < MSG_TYPES; type++) {
			const char *why;
			char name[96];
			enum msg_got told = pass(want[i].role, ROLE_PARENT, want[i].phase, type, &why);
			enum msg_got says = pass(ROLE_PARENT, want[i].role, want[i].phase, type, &why);

			snprintf(name, sizeof name, "%s, %s: may%s be told %s", role_name[want[i].role], phase_name[want[i].phase],
				has(want[i].told, type_name[type]) ? "" : " not", type_name[type]);
			is_int(told, has(want[i].told, type_name[type]) ? MSG_GOT : MSG_CLOSED, name);
			snprintf(name, sizeof name, "%s, %s: may%s say %s", role_name[want[i].role], phase_name[want[i].phase],
				has(want[i].says, type_name[type]) ? "" : " not", type_name[type]);
			is_int(says, has(want[i].says, type_name[type]) ? MSG_GOT : MSG_CLOSED, name);
		}
}

static void raw(const void *p, size_t n, int fd, const char *want_why, const char *name)
{
	union msg m;
	const char *why = NULL;
	int got_fd;
	enum msg_got end;

	pass_send(channel[0], p, n, fd);
	end = msg_take(channel[1], ROLE_WORKER, ROLE_PARENT, PHASE_STARTING, &m, &got_fd, &why);
	ok(end == MSG_CLOSED && got_fd == -1 && why && strcmp(why, want_why) == 0, name);
}

int main(void)
{
	union msg m = { .link = { MSG_LINK, ROLE_PROVIDER, 0, 0 } };
	const char *why;
	struct { struct msg_link l; uint32_t more; } longer = { { MSG_LINK, ROLE_PROVIDER, 0, 0 }, 0 };
	struct { union msg m; uint32_t more; } too_long = { { .type = MSG_STATE }, 0 };
	struct { uint32_t type, peer; } shorter = { MSG_LINK, 0 };
	uint32_t unknown = MSG_TYPES, sign = MSG_SIGN, none = MSG_NONE, huge = 0xffffffff, link_only = MSG_LINK, start = MSG_START;
	int fd;

	ok(pass_pair(channel), "a channel");
	permits();
	raw(&unknown, sizeof unknown, -1, "a message of no known type", "an unknown type");
	raw(&none, sizeof none, -1, "a message of no known type", "type 0");
	raw(&huge, sizeof huge, -1, "a message of no known type", "a huge type");
	raw(&sign, sizeof sign, -1, "a message of no known type", "a question for a signature, which belongs elsewhere");
	raw(&shorter, sizeof shorter, 2, "a message of the wrong length", "a LINK that does not say of whom");
	raw("ab", 2, -1, "a message of no known type", "less than a type");
	raw(&link_only, sizeof link_only, 2, "a message of the wrong length", "a LINK without its peer");
	raw(&longer, sizeof longer, 2, "a message of the wrong length", "a LINK and a word more");
	raw(&too_long, sizeof too_long, -1, "a message that is too long", "longer than any message");
	raw(&start, sizeof start, 2, "a descriptor where none belongs, or none where one does", "a START with a descriptor");
	raw(&m, sizeof m.link, -1, "a descriptor where none belongs, or none where one does", "a LINK without one");
	ok(!msg_send(channel[0], &m, -1), "a LINK without a descriptor is not even sent");
	m.type = MSG_START;
	ok(!msg_send(channel[0], &m, 2), "nor a START with one");
	m.type = 77;
	ok(!msg_send(channel[0], &m, -1), "nor what is no message");
	is_int(msg_take(channel[1], ROLE_WORKER, ROLE_PARENT, PHASE_SERVING, &m, &fd, &why), MSG_NOTHING, "nothing is left");
	sock_close(channel[0]);
	is_int(msg_take(channel[1], ROLE_WORKER, ROLE_PARENT, PHASE_SERVING, &m, &fd, &why), MSG_CLOSED, "the end of the other side");
	ok(why == NULL, "which is no lie");
	return done_testing();
}
