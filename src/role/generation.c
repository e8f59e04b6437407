/* A generation before it runs: its configuration, directories, sockets and the list of its processes. */
#include "os/clock.h"
#include "os/file.h"
#include "os/proc.h"
#include "os/sock.h"
#include "role/broker.h"
#include "role/house.h"
#include "role/log.h"
#include "role/program.h"
#include "role/provider.h"
#include "role/worker.h"

static void place(struct buf *b, const struct conf *c, const struct conf_server *s)
{
	buf_put(b, c->file);
	buf_char(b, ':');
	buf_u64(b, s->line);
	buf_char(b, ':');
	buf_u64(b, s->column);
	BUF_LIT(b, ": /mcpServers/");
	buf_put(b, s->name);
}

static bool open_dir(const struct conf *c, const struct conf_server *s, struct span member, struct span path, int *fd, struct buf *errors)
{
	char mem[FILE_PATH_MAX];
	struct buf full = buf_on(mem, sizeof mem);
	const char *why = "the path is too long";

	if (span_absent(path))
		return true;
	if (file_beside(&full, c->file, path) && file_open_dir(buf_span(&full), fd, &why))
		return true;
	place(errors, c, s);
	BUF_LIT(errors, "/");
	buf_put(errors, member);
	BUF_LIT(errors, ": cannot open the directory ");
	buf_put(errors, buf_span(&full));
	BUF_LIT(errors, ": ");
	buf_put(errors, span_z(why));
	buf_char(errors, '\n');
	return false;
}

static bool open_dirs(struct generation *g, struct buf *errors)
{
	const struct conf *c = g->config.conf;
	bool right = true;

	for (unsigned i = 0; i < c->nservers; i++) {
		const struct conf_server *s = &c->servers[i];

		if (s->kind != CONF_FILES)
			continue;
		right = open_dir(c, s, SPAN("root"), s->root, &g->dirs[i][0], errors) && right;
		right = open_dir(c, s, SPAN("prompts"), s->prompts, &g->dirs[i][1], errors) && right;
	}
	return right;
}

static struct listen_slot *claim(struct house *h, struct generation *g, const struct addr *at, unsigned key, unsigned count, struct span what,
	struct buf *errors)
{
	const char *why;
	struct listen_slot *s = listen_claim(&h->sockets, g->slot, at, key, count, &why);

	if (s)
		return s;
	buf_put(errors, g->config.conf->file);
	BUF_LIT(errors, ": ");
	buf_put(errors, what);
	BUF_LIT(errors, ": cannot listen on ");
	addr_write(errors, at);
	BUF_LIT(errors, ": ");
	buf_put(errors, span_z(why));
	BUF_LIT(errors, " (\"ss -ltnp\" shows who listens where; ports below 1024 need root at the start)\n");
	return NULL;
}

static bool open_sockets(struct house *h, struct generation *g, struct buf *errors)
{
	const struct conf *c = g->config.conf;
	bool right = true;

	for (unsigned i = 0; i < c->nlisteners; i++) {
		g->listeners[i] = claim(h, g, &c->listeners[i].address, i, c->workers, SPAN("listeners"), errors);
		right = right && g->listeners[i];
	}
	if (c->has_admin) {
		g->admin = claim(h, g, &c->admin, CONF_LISTENERS_MAX, 1, SPAN("admin"), errors);
		right = right && g->admin;
	}
	return right;
}

static bool enough_files(const struct conf *c, struct buf *errors)
{
	uint64_t need = 3 + 1 + 1 + c->nlisteners + worker_files(c);
	uint64_t may = proc_files_max();

	if (need <= may)
		return true;
	buf_put(errors, c->file);
	BUF_LIT(errors, ": a worker needs ");
	buf_u64(errors, need);
	BUF_LIT(errors, " open files and the hard limit is ");
	buf_u64(errors, may);
	BUF_LIT(errors, "; raise it (ulimit -Hn) or lower /memory/connections or /memory/links\n");
	return false;
}

/* Programs are started by a process that has to be there before the parent's filter. */
static bool launcher_there(const struct house *h, struct generation *g, struct buf *errors)
{
	g->programs = program_wanted(g->config.conf);
	if (!g->programs || h->numbers == 0 || h->launcher.pid)
		return true;
	buf_put(errors, g->config.conf->file);
	BUF_LIT(errors, ": /mcpServers: servers with a \"command\" are started by a process that runs from the beginning, and there is none; restart Postern\n");
	return false;
}

static void add(struct house *h, struct generation *g, enum role role, unsigned index)
{
	struct child *c = &g->children[g->nchildren++];

	memset(c, 0, sizeof *c);
	c->channel.fd = -1;
	c->house = h;
	c->of = g;
	c->role = role;
	c->index = index;
}

/* The files it names. Warnings go to the log, also when it is refused for something else. */
static enum config_end open_material(struct generation *g, struct buf *errors)
{
	struct buf warnings = config_warnings();
	enum config_end end = material_read(&g->material, g->config.conf, clock_unix_ms(), errors, &warnings);

	if (end == CONFIG_RIGHT && !material_open(&g->material, g->config.conf, errors, &warnings))
		end = CONFIG_UNREADABLE;
	log_lines(LOG_WARN, buf_span(&warnings));
	return end;
}

static bool fit_door(const struct house *h, struct conf *c, struct buf *errors)
{
	if (!h->stdio && c->nlisteners == 0) {
		buf_put(errors, c->file);
		BUF_LIT(errors, ": there are no \"listeners\", so this is for \"postern stdio\"; to serve it write such as \"listeners\": [{\"address\": "
			"\"127.0.0.1:8080\"}]\n");
		return false;
	}
	return !h->stdio || config_for_stdio(c, errors);
}

enum config_end generation_prepare(struct house *h, struct generation *g, struct buf *errors)
{
	unsigned slot = (unsigned)(g - h->generations);
	enum config_end end;
	const struct conf *c;

	memset(g, 0, sizeof *g);
	g->slot = slot;
	for (unsigned i = 0; i < CONF_SERVERS_MAX; i++)
		g->dirs[i][0] = g->dirs[i][1] = -1;
	end = config_load(&g->config, h->path, errors);
	if (end != CONFIG_RIGHT)
		return end;
	if (!fit_door(h, g->config.conf, errors)) {
		config_drop(&g->config);
		return CONFIG_WRONG;
	}
	c = g->config.conf;
	g->state = GENERATION_STARTING;
	end = open_material(g, errors);
	if (end != CONFIG_RIGHT) {
		generation_release(h, g);
		return end;
	}
	if (!launcher_there(h, g, errors) || !enough_files(c, errors) || !open_dirs(g, errors) || !open_sockets(h, g, errors)) {
		generation_release(h, g);
		return CONFIG_UNREADABLE;
	}
	g->number = ++h->numbers;
	if (g->material.nkeys > 0)
		add(h, g, ROLE_KEEPER, 0);
	if (broker_wanted(c))
		add(h, g, ROLE_BROKER, 0);
	for (unsigned i = 0; i < c->nservers; i++)
		if (c->servers[i].kind == CONF_FILES)
			add(h, g, ROLE_PROVIDER, i);
		else if (conf_bridged(&c->servers[i]))
			add(h, g, ROLE_BRIDGE, i);
	if (c->legacy_clients)
		add(h, g, ROLE_ELDER, 0);
	if (c->door)
		add(h, g, ROLE_STDIO, 0);
	for (unsigned i = 0; i < c->workers; i++)
		add(h, g, ROLE_WORKER, i);
	if (g->admin)
		add(h, g, ROLE_DESK, 0);
	return CONFIG_RIGHT;
}

void generation_release(struct house *h, struct generation *g)
{
	for (unsigned i = 0; i < CONF_SERVERS_MAX; i++)
		for (unsigned d = 0; d < 2; d++)
			if (g->dirs[i][d] >= 0)
				sock_close(g->dirs[i][d]);
	launching_forget(h, g);
	listen_release(&h->sockets, g->slot);
	material_drop(&g->material);
	config_drop(&g->config);
	g->state = GENERATION_FREE;
	g->nchildren = 0;
}
