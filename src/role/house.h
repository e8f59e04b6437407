/* role/house.h: what the parent knows: generations of processes, each made from one configuration.
 *
 * A reload makes a new generation beside the serving one; when all of it is READY the old one drains. Generations share listening
 * sockets (role/listen.h), metrics and the random seed, and nothing else. Private to role/. */
#ifndef POSTERN_ROLE_HOUSE_H
#define POSTERN_ROLE_HOUSE_H

#include "gate/metrics.h"
#include "os/loop.h"
#include "os/map.h"
#include "role/config.h"
#include "role/listen.h"
#include "role/material.h"
#include "role/msg.h"

enum {
	HOUSE_CHILDREN_MAX = CONF_WORKERS_MAX + CONF_SERVERS_MAX + 5, /* a provider or a bridge for each server */
	HOUSE_METRICS = CONF_WORKERS_MAX + 1, /* pages of a generation: each worker's, and the keeper's */
	HOUSE_REPLAY_MARKS = 1 << 20, /* proofs of possession remembered by all workers together: some thousands a second find room, so that no tenant takes all */
	HOUSE_START_MS = 30000,      /* a generation that is not READY by then has failed */
	HOUSE_KILL_MS = 2000,        /* what a role gets beyond its grace before it is killed */
	HOUSE_RESTART_MIN_MS = 100, HOUSE_RESTART_MAX_MS = 5000,
	HOUSE_STEADY_MS = 10000      /* a role that lived so long starts again without delay */
};

struct house;
struct generation;

struct child {
	struct loop_item channel;    /* fd -1: none. First member: events find the child by it */
	struct house *house;
	struct generation *of;       /* NULL: the launcher, which is of the house */
	enum role role;
	unsigned index;              /* worker number, or server number of a provider or bridge */
	int pid;                     /* 0: not running */
	enum phase phase;
	unsigned failures;           /* deaths in a row */
	int64_t started_ms, start_at_ms; /* start_at_ms: when to start it (again), while pid is 0 */
};

enum generation_state { GENERATION_FREE, GENERATION_STARTING, GENERATION_SERVING, GENERATION_DRAINING };

struct generation {
	enum generation_state state;
	unsigned number;             /* counts from 1 */
	unsigned slot;               /* its place in house.generations */
	struct config config;
	struct material material;
	int dirs[CONF_SERVERS_MAX][2]; /* root and prompts of built-in servers, -1: none */
	struct listen_slot *listeners[CONF_LISTENERS_MAX], *admin; /* admin NULL: no desk */
	struct child children[HOUSE_CHILDREN_MAX];
	unsigned nchildren;
	unsigned missing;            /* JAIL_NO_… of its roles together */
	int64_t deadline_ms;         /* STARTING: must be READY; DRAINING: is killed */
	bool ending;                 /* DRAINING: the workers are gone, the others have been told */
	bool condemned;              /* STARTING: it has failed */
	bool workers_begun;          /* STARTING: all others are READY, and the workers have been started */
	bool programs;               /* it needs the launcher */
	bool loaded;                 /* which has its configuration */
};

union metrics_page {             /* a page each: a process keeps its own and drops the rest */
	struct metrics m;
	char page[MAP_PAGE];
};

struct house {
	struct loop loop;
	struct loop_item signals;
	struct span path;            /* of the configuration file */
	int pid, null_fd, log_fd;
	uint8_t seed[64];
	union metrics_page (*metrics)[HOUSE_METRICS]; /* [generation slot][worker; last: keeper], shared */
	struct replay *replay;       /* shared; of workers only */
	struct listen_table sockets;
	struct child launcher;       /* the guard of role/launcher.h; pid 0: there is none, or none any more */
	int64_t launcher_until_ms;   /* told to end: how long it gets; 0: not told */
	struct generation generations[LISTEN_USERS];
	struct generation *serving;  /* NULL before the first is READY */
	struct generation *starting; /* NULL when none is */
	unsigned numbers;
	bool stdio;                  /* `postern stdio`: there is one client, at the other ends of `door` */
	int door[2];                 /* its pipes: in, out */
	bool door_failed;
	bool reload_wanted, stopping, state_changed;
	int exit_status;             /* -1: go on */
};

/* generation.c */
enum config_end generation_prepare(struct house *h, struct generation *g, struct buf *errors);
void generation_release(struct house *h, struct generation *g);

/* child.c */
void child_start(struct child *c);
void child_tell(struct child *c, const union msg *m, int fd); /* one that cannot be told is killed */
void child_kill(struct child *c);
bool child_listen(struct child *c, int channel);
void child_reap(struct house *h);
void child_name(struct buf *b, const struct child *c);        /* "worker 0", "provider docs", "desk" … */

/* launching.c: the launcher, and who needs it */
bool launching_begin(struct house *h, struct generation *first); /* before the parent's filter; false: there can be no process */
void launching_load(struct house *h, struct generation *g);
void launching_join(struct child *bridge);
void launching_forget(struct house *h, struct generation *g);
void launching_ready(struct house *h);
bool launching_ended(struct house *h, int pid);                  /* false: it is another process that has ended */
void launching_end(struct house *h);                             /* asks it to end; again, when it was long enough: kills it */

/* house.c: generations come and go */
enum { HOUSE_STOPPED = 0, HOUSE_WRONG = 1, HOUSE_ENVIRONMENT = 3 }; /* house.exit_status */
void house_start(struct house *h, struct generation *g);         /* one that is prepared */
void house_stop(struct house *h);                                /* lets all finish; the second time: ends all at once */
int house_tick(struct house *h);                                 /* does what is due; ms until more is, -1: nothing is */
bool house_lives(const struct house *h);                         /* some generation is not over */
/* What a child's news mean for the house. */
void house_ready(struct child *c, unsigned missing);             /* JAIL_NO_… of its jail */
void house_loaded(struct house *h, const struct msg_loaded *m);  /* from the launcher */
void house_ended(struct child *c);

#endif
