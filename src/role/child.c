/* One process below the parent: started, told, listened to, reaped. */
#include "os/clock.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/bridge.h"
#include "role/broker.h"
#include "role/desk.h"
#include "role/elder.h"
#include "role/enter.h"
#include "role/graph.h"
#include "role/keeper.h"
#include "role/log.h"
#include "role/provider.h"
#include "role/stdio.h"
#include "role/worker.h"

void child_name(struct buf *b, const struct child *c)
{
	switch (c->role) {
	case ROLE_LAUNCHER:
		BUF_LIT(b, "launcher");
		break;
	case ROLE_BRIDGE:
		BUF_LIT(b, "bridge ");
		buf_put(b, c->of->config.conf->servers[c->index].name);
		break;
	case ROLE_WORKER:
		BUF_LIT(b, "worker ");
		buf_u64(b, c->index);
		break;
	case ROLE_PROVIDER:
		BUF_LIT(b, "provider ");
		buf_put(b, c->of->config.conf->servers[c->index].name);
		break;
	case ROLE_KEEPER:
		BUF_LIT(b, "keeper");
		break;
	case ROLE_BROKER:
		BUF_LIT(b, "broker");
		break;
	case ROLE_ELDER:
		BUF_LIT(b, "elder");
		break;
	case ROLE_STDIO:
		BUF_LIT(b, "stdio");
		break;
	default:
		BUF_LIT(b, "desk");
	}
}

/* ---- in the new process ---- */

static void entry_for(struct entry *e, const struct child *c, int channel)
{
	char text[64];
	struct buf b = buf_on(text, sizeof text);

	memset(e, 0, sizeof *e);
	child_name(&b, c);
	memcpy(e->name, b.p, b.n < sizeof e->name - 1 ? b.n : sizeof e->name - 1);
	for (unsigned i = 0; i < sizeof e->name; i++) /* one word: tools split what /proc says at spaces */
		if (e->name[i] == ' ')
			e->name[i] = '-';
	e->role = c->role;
	e->parent_pid = c->house->pid;
	e->channel = channel;
	e->null_fd = c->house->null_fd;
	e->log_fd = c->house->log_fd;
}

/* What workers share, and others have no business with. */
static void drop_replay(const struct house *h)
{
	map_drop(h->replay, replay_need(HOUSE_REPLAY_MARKS));
}

/* The process's own page of metrics; it loses the others. */
static struct metrics *own_page(const struct child *c, unsigned index)
{
	union metrics_page *first = c->house->metrics[0], *mine = &c->house->metrics[c->of->slot][index];
	union metrics_page *end = first + LISTEN_USERS * HOUSE_METRICS;

	map_drop(first, (size_t)(mine - first) * sizeof *first);
	map_drop(mine + 1, (size_t)(end - mine - 1) * sizeof *first);
	return &mine->m;
}

static _Noreturn void become_worker(const struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct worker_start w;

	w.conf = c->of->config.conf;
	w.material = &c->of->material;
	w.replay = h->replay;
	w.entry = e;
	w.seed = h->seed;
	w.metrics = own_page(c, c->index);
	for (unsigned i = 0; i < w.conf->nlisteners; i++) {
		w.listeners[i] = c->of->listeners[i]->fd[c->index];
		w.bound[i] = c->of->listeners[i]->bound;
	}
	worker_run(&w);
}

static _Noreturn void become_provider(const struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct provider_start p;

	p.conf = c->of->config.conf;
	p.server = c->index;
	p.entry = e;
	p.seed = h->seed;
	p.dirs[0] = c->of->dirs[c->index][0];
	p.dirs[1] = c->of->dirs[c->index][1];
	map_drop(h->metrics, LISTEN_USERS * sizeof h->metrics[0]);
	drop_replay(h);
	provider_run(&p);
}

static _Noreturn void become_desk(const struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct desk_start d;

	d.entry = e;
	d.listener = c->of->admin->fd[0];
	d.bound = c->of->admin->bound;
	for (unsigned g = 0; g < LISTEN_USERS; g++)
		for (unsigned w = 0; w < HOUSE_METRICS; w++)
			d.blocks[d.nblocks++] = &h->metrics[g][w].m;
	d.own = c->of->slot * HOUSE_METRICS;
	d.nown = HOUSE_METRICS;
	for (unsigned i = 0; i < c->of->config.conf->nservers; i++)
		d.servers[d.nservers++] = c->of->config.conf->servers[i].name;
	map_read_only(h->metrics, LISTEN_USERS * sizeof h->metrics[0]);
	drop_replay(h);
	desk_run(&d);
}

static _Noreturn void become_keeper(struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct keeper_start k;

	k.conf = c->of->config.conf;
	k.material = &c->of->material;
	k.entry = e;
	k.metrics = own_page(c, HOUSE_METRICS - 1);
	drop_replay(h);
	keeper_run(&k);
}

static _Noreturn void become_broker(struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct broker_start b;

	b.conf = c->of->config.conf;
	b.material = &c->of->material;
	b.entry = e;
	b.seed = h->seed;
	map_drop(h->metrics, LISTEN_USERS * sizeof h->metrics[0]);
	drop_replay(h);
	broker_run(&b);
}

static _Noreturn void become_elder(const struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct elder_start s;

	s.conf = c->of->config.conf;
	s.entry = e;
	map_drop(h->metrics, LISTEN_USERS * sizeof h->metrics[0]);
	drop_replay(h);
	elder_run(&s);
}

static _Noreturn void become_stdio(const struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct stdio_start s;

	s.conf = c->of->config.conf;
	s.entry = e;
	s.in = h->door[0];
	s.out = h->door[1];
	s.seed = h->seed;
	map_drop(h->metrics, LISTEN_USERS * sizeof h->metrics[0]);
	drop_replay(h);
	stdio_run(&s);
}

static _Noreturn void become_bridge(struct child *c, struct entry *e)
{
	const struct house *h = c->house;
	static struct bridge_start b;

	b.conf = c->of->config.conf;
	b.server = c->index;
	b.entry = e;
	b.material = &c->of->material;
	b.seed = h->seed;
	map_drop(h->metrics, LISTEN_USERS * sizeof h->metrics[0]);
	drop_replay(h);
	bridge_run(&b);
}

static _Noreturn void become(struct child *c, int channel)
{
	static struct entry e;

	entry_for(&e, c, channel);
	if (c->role == ROLE_WORKER)
		become_worker(c, &e);
	/* What workers seal with the seed says who calls: others could make callers up. Any other keys hashes of names as well. */
	if (!clock_random(c->house->seed, sizeof c->house->seed)) {
		log_line(LOG_ERROR, SPAN("no random bytes"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	if (c->role == ROLE_PROVIDER)
		become_provider(c, &e);
	if (c->role == ROLE_BRIDGE)
		become_bridge(c, &e);
	if (c->role == ROLE_KEEPER)
		become_keeper(c, &e);
	if (c->role == ROLE_BROKER)
		become_broker(c, &e);
	if (c->role == ROLE_ELDER)
		become_elder(c, &e);
	if (c->role == ROLE_STDIO)
		become_stdio(c, &e);
	become_desk(c, &e);
}

/* ---- in the parent ---- */

static void close_channel(struct child *c)
{
	if (c->channel.fd < 0)
		return;
	loop_forget(&c->house->loop, &c->channel);
	sock_close(c->channel.fd);
	c->channel.fd = -1;
}

void child_kill(struct child *c)
{
	close_channel(c);
	if (c->pid)
		proc_kill(c->pid); /* not reaped yet, so the number is still its own */
}

void child_tell(struct child *c, const union msg *m, int fd)
{
	if (c->channel.fd >= 0 && !msg_send(c->channel.fd, m, fd))
		child_kill(c);
}

static void heard(struct child *c, const union msg *m)
{
	if (m->type == MSG_READY)
		c->phase = PHASE_SERVING;
	if (m->type == MSG_READY && c->role == ROLE_LAUNCHER)
		launching_ready(c->house);
	else if (m->type == MSG_READY)
		house_ready(c, m->ready.missing);
	else if (m->type == MSG_LOADED)
		house_loaded(c->house, &m->loaded);
}

static void on_child(struct loop_item *item, unsigned events)
{
	struct child *c = (struct child *)item;
	enum msg_got got = MSG_NOTHING;
	union msg m;
	const char *why = NULL;
	int fd;

	(void)events;
	while (c->channel.fd >= 0 && (got = msg_take(item->fd, ROLE_PARENT, c->role, c->phase, &m, &fd, &why)) == MSG_GOT)
		heard(c, &m);
	if (got != MSG_CLOSED)
		return;
	if (why) {
		struct buf *b = log_begin(LOG_ERROR);

		child_name(b, c);
		BUF_LIT(b, " sent ");
		buf_put(b, span_z(why));
		BUF_LIT(b, " and is ended");
		log_end();
		child_kill(c);
	} else {
		close_channel(c); /* it is ending; SIGCHLD tells how */
	}
}

bool child_listen(struct child *c, int channel)
{
	c->channel = (struct loop_item){ on_child, channel };
	if (loop_add(&c->house->loop, &c->channel))
		return true;
	child_kill(c);
	return false;
}

void child_start(struct child *c)
{
	int ours, theirs, pid = -1;

	c->phase = PHASE_STARTING;
	c->started_ms = c->house->loop.now_ms;
	if (graph_channel(&ours, &theirs)) {
		pid = proc_fork();
		if (pid == 0)
			become(c, theirs);
		sock_close(theirs);
		if (pid < 0)
			sock_close(ours);
	}
	if (pid < 0) {
		house_ended(c);
		return;
	}
	c->pid = pid;
	if (!child_listen(c, ours))
		return;
	graph_join(c);
	c->house->state_changed = true;
	child_tell(c, &(union msg){ .start = { MSG_START } }, -1);
}

static struct child *find(struct house *h, int pid)
{
	for (unsigned g = 0; g < LISTEN_USERS; g++)
		for (unsigned i = 0; i < h->generations[g].nchildren; i++)
			if (h->generations[g].children[i].pid == pid)
				return &h->generations[g].children[i];
	return NULL;
}

static void log_end_of(const struct child *c, const struct proc_end *end)
{
	bool told = c->of->state == GENERATION_DRAINING || c->of->condemned;
	struct buf *b = log_begin(told ? LOG_INFO : LOG_WARN);

	child_name(b, c);
	BUF_LIT(b, " (pid ");
	buf_u64(b, (unsigned)end->pid);
	BUF_LIT(b, ") ended: ");
	proc_end_write(b, end);
	log_end();
}

/* It was told to end, its client has left, or we killed it ourselves. */
static bool meant(const struct child *c, const struct proc_end *end)
{
	bool condemned = c->of->condemned;

	return (end->status == 0 && (condemned || c->of->state == GENERATION_DRAINING || c->role == ROLE_STDIO)) || (condemned && end->signal == PROC_KILLED);
}

void child_reap(struct house *h)
{
	struct proc_end end;

	while (proc_reap(&end)) { /* bounded by the processes there are */
		struct child *c = find(h, end.pid);

		if (launching_ended(h, end.pid))
			continue;
		if (!c)
			continue; /* a proof's child whose role was killed, if we are process 1 */
		if (!meant(c, &end))
			log_end_of(c, &end);
		close_channel(c);
		c->pid = 0;
		if (c->role == ROLE_WORKER)
			metrics_forget(&h->metrics[c->of->slot][c->index].m);
		if (c->role == ROLE_STDIO && end.status != 0 && !c->of->condemned) /* else we ended it ourselves, before it served */
			h->door_failed = true;
		house_ended(c);
	}
}
