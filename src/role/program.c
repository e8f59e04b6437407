#include "role/program.h"

#include <stdlib.h>

#include "os/sock.h"
#include "role/material.h"
#include "wire/crypto.h"

struct reading {
	struct program_set *set;
	const struct conf *c;
	const struct conf_server *v;
	struct buf *errors, *warnings;
	bool right;
};

bool program_wanted(const struct conf *c)
{
	for (unsigned i = 0; i < c->nservers; i++)
		if (c->servers[i].kind == CONF_STDIO)
			return true;
	return false;
}

/* FILE:LINE:COLUMN: /mcpServers/NAME/MEMBER: CANNOT WHAT: WHY */
static void complain(struct reading *r, const char *member, const char *cannot, struct span what, const char *why)
{
	struct buf *b = r->errors;

	r->right = false;
	buf_put(b, r->c->file);
	buf_char(b, ':');
	buf_u64(b, r->v->line);
	buf_char(b, ':');
	buf_u64(b, r->v->column);
	BUF_LIT(b, ": /mcpServers/");
	buf_put(b, r->v->name);
	buf_char(b, '/');
	buf_put(b, span_z(member));
	BUF_LIT(b, ": ");
	buf_put(b, span_z(cannot));
	buf_char(b, ' ');
	buf_put(b, what);
	BUF_LIT(b, ": ");
	buf_put(b, span_z(why));
	buf_char(b, '\n');
}

static const char *keep(struct reading *r, struct span s)
{
	char *to = r->set->text + r->set->n;

	if (sizeof r->set->text - r->set->n <= s.n)
		return NULL;
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	to[s.n] = 0;
	r->set->n += s.n + 1;
	return to;
}

/* A path of the configuration, from the root on; NULL: that has been said. */
static const char *path_of(struct reading *r, const char *member, struct span path)
{
	char beside_mem[FILE_PATH_MAX], mem[FILE_PATH_MAX];
	struct buf beside = buf_on(beside_mem, sizeof beside_mem), full = buf_on(mem, sizeof mem);
	const char *kept = NULL;

	if (file_beside(&beside, r->c->file, path) && file_absolute(&full, buf_span(&beside)))
		kept = keep(r, buf_span(&full));
	if (!kept)
		complain(r, member, "cannot use", path, "the path is too long, or all of them are together");
	return kept;
}

static void cannot_execute(struct reading *r, struct span what, const char *why)
{
	bool words = memchr(r->v->command.p, ' ', r->v->command.n);

	complain(r, "command", words ? "cannot execute (arguments stand in \"args\", each by itself)" : "cannot execute", what, why);
}

static const char *in_path(struct reading *r, struct span command)
{
	const char *all = getenv("PATH"), *why;
	struct span rest = span_z(all ? all : START_PATH);

	while (rest.n > 0) {
		const char *colon = memchr(rest.p, ':', rest.n);
		size_t n = colon ? (size_t)(colon - rest.p) : rest.n;
		char mem[FILE_PATH_MAX];
		struct buf full = buf_on(mem, sizeof mem);

		buf_put(&full, span_of(rest.p, n));
		buf_char(&full, '/');
		buf_put(&full, command);
		if (n > 0 && rest.p[0] == '/' && !full.full && file_may_run(buf_span(&full), &why))
			return keep(r, buf_span(&full));
		rest = span_from(rest, colon ? n + 1 : n);
	}
	cannot_execute(r, command, "there is no such program in PATH");
	return NULL;
}

static const char *program_of(struct reading *r)
{
	struct span command = r->v->command;
	const char *path, *why;

	if (!memchr(command.p, '/', command.n))
		return in_path(r, command);
	path = path_of(r, "command", command);
	if (path && !file_may_run(span_z(path), &why)) {
		cannot_execute(r, span_z(path), why);
		return NULL;
	}
	return path;
}

static const char *dir_of(struct reading *r)
{
	const char *dir = path_of(r, "cwd", span_absent(r->v->cwd) ? SPAN(".") : r->v->cwd), *why;
	int fd;

	if (dir && file_open_dir(span_z(dir), &fd, &why))
		sock_close(fd);
	else if (dir)
		complain(r, "cwd", "cannot open the directory", span_z(dir), why);
	return dir;
}

static void roots(struct reading *r, const char *member, const struct span *from, unsigned n, const char **to)
{
	for (unsigned i = 0; i < n; i++) {
		const char *why;

		to[i] = path_of(r, member, from[i]);
		if (to[i] && !file_is_there(span_z(to[i]), &why))
			complain(r, member, "cannot open", span_z(to[i]), why);
	}
}

static const char *secret_of(struct reading *r, const struct conf_file *f)
{
	char path_mem[FILE_PATH_MAX], mem[PROGRAM_SECRET_MAX + 2];
	struct buf path = buf_on(path_mem, sizeof path_mem);
	const char *why, *kept = NULL;
	unsigned mode;
	size_t n = 0;
	int fd;

	if (material_path(&path, r->c, f, &why) && file_open_regular(buf_span(&path), &fd, &mode, &why)) {
		sock_close(fd);
		if (mode & 07) {
			material_place(r->warnings, r->c, f);
			BUF_LIT(r->warnings, "everybody may read this secret; chmod 600 keeps it to its owner\n");
		}
		if (file_read(buf_span(&path), mem, sizeof mem, &n, &why)) {
			n -= n > 0 && mem[n - 1] == '\n';
			n -= n > 0 && mem[n - 1] == '\r';
			why = n > PROGRAM_SECRET_MAX || memchr(mem, 0, n) ? "it holds a NUL byte, or more than 8192 bytes" : "all of them are too long together";
			kept = n > PROGRAM_SECRET_MAX || memchr(mem, 0, n) ? NULL : keep(r, span_of(mem, n));
		}
	}
	crypto_wipe(mem, sizeof mem);
	if (!kept) {
		material_place(r->errors, r->c, f);
		BUF_LIT(r->errors, "cannot be read: ");
		buf_put(r->errors, span_z(why));
		buf_char(r->errors, '\n');
		r->right = false;
	}
	return kept;
}

bool program_read(struct program_set *p, const struct conf *c, struct buf *errors, struct buf *warnings)
{
	struct reading r = { .set = p, .c = c, .errors = errors, .warnings = warnings, .right = true };

	memset(p->of, 0, sizeof p->of);
	p->n = 0;
	for (unsigned i = 0; i < c->nservers; i++) {
		struct program *to = &p->of[i];

		r.v = &c->servers[i];
		if (r.v->kind != CONF_STDIO)
			continue;
		to->path = program_of(&r);
		to->dir = dir_of(&r);
		roots(&r, "read", r.v->read, r.v->nread, to->read);
		roots(&r, "write", r.v->write, r.v->nwrite, to->write);
		for (unsigned e = 0; e < r.v->nenv; e++)
			if (!span_absent(r.v->env[e].secret.path))
				to->secret[e] = secret_of(&r, &r.v->env[e].secret);
	}
	if (!r.right)
		program_forget(p);
	return r.right;
}

void program_forget(struct program_set *p)
{
	crypto_wipe(p, sizeof *p);
}
