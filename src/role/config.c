#include "role/config.h"

#include "base/carve.h"
#include "os/file.h"
#include "os/map.h"
#include "os/proc.h"
#include "wire/crypto.h"

enum { PAGES = 1 << 16 }; /* of whatever size they are */

static char errors_mem[CONF_ERRORS_SIZE], warnings_mem[CONF_ERRORS_SIZE];

struct buf config_errors(void) { return buf_on(errors_mem, sizeof errors_mem); }
struct buf config_warnings(void) { return buf_on(warnings_mem, sizeof warnings_mem); }

static bool read_text(char *text, size_t *n, struct span path, struct buf *errors)
{
	const char *why = "";

	if (file_read(path, text, CONFIG_TEXT_MAX, n, &why))
		return true;
	buf_put(errors, path);
	BUF_LIT(errors, ": cannot be read: ");
	buf_put(errors, span_z(why));
	buf_char(errors, '\n');
	return false;
}

enum config_end config_load(struct config *l, struct span path, struct buf *errors)
{
	size_t head = carve_up(sizeof *l->conf) + carve_up(path.n + 1);
	char *name, *text, *mem;
	size_t n, arena, used;

	memset(l, 0, sizeof *l);
	l->mem_size = head + CONFIG_TEXT_MAX + conf_arena_need(CONFIG_TEXT_MAX);
	l->mem = mem = map_private(l->mem_size);
	if (!mem) {
		BUF_LIT(errors, "no memory to read the configuration\n");
		return CONFIG_UNREADABLE;
	}
	name = mem + carve_up(sizeof *l->conf);
	text = mem + head;
	memcpy(name, path.p, path.n);
	if (!read_text(text, &n, path, errors)) {
		config_drop(l);
		return CONFIG_UNREADABLE;
	}
	crypto_sha256(text, n, l->sha256);
	arena = conf_arena_need(n);
	used = head + carve_up(n) + arena; /* most files are small: what a longer one would need is given back, and is not counted */
	used = (used + PAGES - 1) & ~(size_t)(PAGES - 1);
	if (used < l->mem_size) {
		map_drop(mem + used, l->mem_size - used);
		l->mem_size = used;
	}
	l->conf = (struct conf *)l->mem;
	if (!conf_read(l->conf, span_of(name, path.n), span_of(text, n), text + carve_up(n), arena, errors)) {
		config_drop(l);
		return CONFIG_WRONG;
	}
	if (l->conf->workers == 0)
		l->conf->workers = proc_cores();
	if (l->conf->workers > CONF_WORKERS_MAX)
		l->conf->workers = CONF_WORKERS_MAX;
	return CONFIG_RIGHT;
}

bool config_for_stdio(struct conf *c, struct buf *errors)
{
	if (!c->identity.stdio && !c->identity.anonymous) {
		buf_put(errors, c->file);
		BUF_LIT(errors, ": /identity: who calls over stdio is not said; write such as \"stdio\": {\"tenant\": \"local\", \"roles\": [\"reader\"]}\n");
		return false;
	}
	c->door = true;
	c->memory.connections = 1;
	c->workers = 1;
	c->nlisteners = 0;
	c->has_admin = false;
	return true;
}

void config_drop(struct config *l)
{
	map_drop(l->mem, l->mem_size);
	memset(l, 0, sizeof *l);
}
