#include "role/provider.h"

#include "os/proc.h"
#include "role/log.h"

enum {
	PROVIDER_LINE_SLACK = 4096, /* what a worker may add to a client's message: its own id and progress token */
	PROVIDER_FILES = 64         /* open while searching and reading: one per call in progress at most, and the walk's */
};

static struct files_settings settings;
static struct files *files;
static const struct entry *self;
static enum phase phase = PHASE_STARTING;

void provider_settings(const struct conf *c, unsigned server, struct files_settings *s)
{
	const struct conf_server *from = &c->servers[server];

	memset(s, 0, sizeof *s);
	s->name = from->name;
	s->version = SPAN(POSTERN_VERSION);
	s->root_fd = -1;
	s->prompts_fd = -1;
	s->hidden = from->hidden;
	s->file_bytes_max = from->file_bytes_max;
	s->line_max = c->memory.body + PROVIDER_LINE_SLACK;
	s->reply_max = c->memory.reply;
	s->links_max = c->workers ? c->workers : proc_cores();
	s->calls_max = c->memory.requests;
	s->tokens = c->memory.tokens;
}

/* How many descriptors a provider may hold open besides its directories, its channel, its loop and the three standard ones. */
static unsigned provider_files(const struct conf *c)
{
	unsigned workers = c->workers ? c->workers : proc_cores();

	/* The link of a worker that is started again comes before the old one is closed. */
	return 2 * workers + PROVIDER_FILES;
}

static void handle(const union msg *m, int fd)
{
	switch (m->type) {
	case MSG_START:
		phase = PHASE_SERVING;
		role_ready(self);
		break;
	case MSG_LINK:
		if (m->link.of != ROLE_WORKER || m->link.peer >= settings.links_max)
			role_end("a link from a worker that is not there");
		files_link(files, m->link.peer, fd);
		break;
	case MSG_DRAIN: /* the workers are gone: there is nobody to answer */
		proc_exit(0);
	}
}

void provider_run(struct provider_start *p)
{
	struct entry *e = p->entry;
	int wait_ms = 0;

	provider_settings(p->conf, p->server, &settings);
	e->keep[e->nkeep++] = &p->dirs[0];
	e->keep[e->nkeep++] = &p->dirs[1];
	e->list = &seccomp_provider;
	e->need = files_need(&settings);
	e->files = provider_files(p->conf);
	e->land.read_dirs = p->dirs;
	e->land.nread_dirs = p->dirs[1] >= 0 ? 2 : 1;
	memcpy(settings.seed, p->seed, sizeof settings.seed);
	role_enter(e);

	self = e;
	settings.root_fd = p->dirs[0];
	settings.prompts_fd = p->dirs[1];
	files = files_place(e->memory, &settings, &e->loop);
	if (!files || !role_listen(e, &phase, handle)) {
		log_line(LOG_ERROR, SPAN("cannot lay out its memory"));
		proc_exit(ENTRY_EXIT_WALLS);
	}
	while (loop_wait(&e->loop, wait_ms))
		wait_ms = files_tick(files);
	log_line(LOG_ERROR, SPAN("epoll failed"));
	proc_exit(1);
}
