#include "cmd/check.h"

#include <stdio.h>

#include "cmd/import_priv.h"
#include "cmd/load.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/map.h"
#include "os/sock.h"
#include "role/material.h"
#include "role/program.h"

static const char usage[] =
	"usage: postern check -c FILE\n"
	"  Reads a configuration and says what is wrong with it: file:line:column, what was found, what would be right.\n"
	"  Certificates and key sets that it names are read too; private keys and secrets are only opened. Warnings do not make it wrong.\n"
	"  exit: 0 right, 1 wrong, 2 wrong usage, 3 the file, or a file or directory that it names, cannot be opened\n";

static bool directory_there(const struct conf *c, const struct conf_server *v, const char *member, struct span as_written)
{
	char mem[FILE_PATH_MAX];
	struct buf path = buf_on(mem, sizeof mem);
	const char *why = "the path is too long";
	int fd;

	if (span_absent(as_written))
		return true;
	if (file_beside(&path, c->file, as_written) && file_open_dir(buf_span(&path), &fd, &why)) {
		sock_close(fd);
		return true;
	}
	fprintf(stderr, "%.*s:%u:%u: /mcpServers/%.*s/%s: cannot open the directory %.*s: %s\n", (int)c->file.n, c->file.p, (unsigned)v->line,
		(unsigned)v->column, (int)v->name.n, v->name.p, member, (int)path.n, path.p, why);
	return false;
}

static struct program_set *programs; /* mapped: `serve` does not reserve it */

static bool allows(const struct conf *c)
{
	for (unsigned i = 0; i < c->npolicy; i++)
		if (c->policy[i].allow)
			return true;
	return false;
}

/* The files it names, as `serve` reads and opens them. */
static int material_right(const struct conf *c)
{
	struct buf errors = config_errors(), warnings = config_warnings();
	static struct material m;
	enum config_end end = material_read(&m, c, clock_unix_ms(), &errors, &warnings);

	if (end == CONFIG_RIGHT && !material_open(&m, c, &errors, &warnings))
		end = CONFIG_UNREADABLE;
	material_drop(&m);
	programs = map_private(sizeof *programs);
	if ((!programs || !program_read(programs, c, &errors, &warnings)) && end == CONFIG_RIGHT)
		end = CONFIG_UNREADABLE;
	fwrite(errors.p, 1, errors.n, stderr);
	for (struct span rest = buf_span(&warnings); rest.n > 0; ) {
		const char *nl = memchr(rest.p, '\n', rest.n);
		size_t n = nl ? (size_t)(nl - rest.p) : rest.n;

		fprintf(stderr, "warning: %.*s\n", (int)n, rest.p);
		rest = span_from(rest, n + 1);
	}
	return end == CONFIG_RIGHT ? EXIT_OK : end == CONFIG_WRONG ? EXIT_NO : EXIT_ENVIRONMENT;
}

static void doubt(const char *file, const struct conf_server *v, const char *member, struct span name, const char *why)
{
	fprintf(stderr, "warning: %s:%u:%u: /mcpServers/%.*s/%s%.*s: %s\n", file, (unsigned)v->line, (unsigned)v->column, (int)v->name.n, v->name.p, member,
		(int)name.n, name.p, why);
}

/* What other programs would fill in or keep to themselves, and this one passes on as it stands. Names are ASCII, and values are not shown: they may
 * be secrets. */
static void look_at(const char *file, const struct conf_server *v)
{
	static const char filled[] = "there is a variable in it, and nothing fills it in: it is passed on as it stands; write the value";
	static const char secret[] = "this may be a secret, and the configuration gets copied, shown and kept; write {\"file\": \"/run/secrets/name\"} instead";

	for (unsigned i = 0; i < v->nenv; i++) {
		struct span text = v->env[i].value;

		if (!span_absent(v->env[i].secret.path) || text.n == 0)
			continue;
		if (import_is_reference(text))
			doubt(file, v, "env/", v->env[i].name, filled);
		else if ((import_is_secret_name(v->env[i].name) && !memchr("/.~", text.p[0], 3)) || import_is_secret(text))
			doubt(file, v, "env/", v->env[i].name, secret);
	}
	for (unsigned i = 0; i < v->nheaders; i++)
		if (import_is_secret(v->headers[i].value))
			doubt(file, v, "headers/", v->headers[i].name, "this may be a secret, and the configuration gets copied, shown and kept; write it into a file that \"credentials\" names");
	for (unsigned i = 0; i < v->nargs; i++)
		if (import_is_reference(v->args[i]) && !memchr(v->args[i].p, ' ', v->args[i].n))
			doubt(file, v, "args", SPAN(""), filled);
		else if (import_is_secret(v->args[i]))
			doubt(file, v, "args", SPAN(""), "this may be a secret, and everybody on the machine can read arguments; most servers take it from a variable, see \"env\"");
}

static const char *kind_of(const struct conf_server *v)
{
	return v->kind == CONF_FILES ? "files" : v->kind == CONF_HTTP ? "http" : "stdio";
}

static void summary(const char *file, const struct conf *c)
{
	printf("%s: ok (%u listener%s, admin %s, names %s, %u server%s:", file, c->nlisteners, c->nlisteners == 1 ? "" : "s",
		c->has_admin ? "on" : "off", c->plain ? "plain" : "prefixed", c->nservers, c->nservers == 1 ? "" : "s");
	for (unsigned i = 0; i < c->nservers; i++)
		printf("%s %.*s %s", i == 0 ? "" : ",", (int)c->servers[i].name.n, c->servers[i].name.p, kind_of(&c->servers[i]));
	printf(")\n");
	for (unsigned i = 0; i < c->nservers; i++)
		if (programs->of[i].path)
			printf("  %.*s runs %s\n", (int)c->servers[i].name.n, c->servers[i].name.p, programs->of[i].path);
}

int cmd_check(int argc, char **argv)
{
	struct load_options o;
	struct config l;
	bool there = true;
	int end;

	if (!load_options(&o, argc, argv, false, usage))
		return EXIT_USAGE;
	if (o.help)
		return EXIT_OK;
	end = load_conf(&l, o.path);
	if (end != EXIT_OK)
		return end;
	for (unsigned i = 0; i < l.conf->nservers; i++) {
		const struct conf_server *v = &l.conf->servers[i];

		there = directory_there(l.conf, v, "root", v->root) && there;
		there = directory_there(l.conf, v, "prompts", v->prompts) && there;
		look_at(o.path, v);
	}
	end = material_right(l.conf);
	if (!there && end == EXIT_OK)
		end = EXIT_ENVIRONMENT;
	if (end == EXIT_OK && !allows(l.conf))
		fprintf(stderr, "warning: %s: /policy: no rule allows anything: every call is refused, and every list is empty\n", o.path);
	if (end == EXIT_OK)
		summary(o.path, l.conf);
	config_drop(&l);
	return end;
}
