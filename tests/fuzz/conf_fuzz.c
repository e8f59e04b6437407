/* Any bytes as a configuration: right ones keep every promise of conf.h, wrong ones are complained about in whole, harmless lines. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void within(uint64_t v, uint64_t least, uint64_t most)
{
	must(v >= least && v <= most);
}

static void no_controls(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		must((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7F);
}

static void server(const struct conf *c, const struct conf_server *v)
{
	within(v->name.n, 1, 32);
	must(v->line >= 1 && v->column >= 1);
	for (const struct conf_server *w = c->servers; w < v; w++)
		must(!span_eq(w->name, v->name));
	if (v->kind == CONF_FILES) {
		must(v->root.n > 0 && span_absent(v->url));
		no_controls(v->root);
		no_controls(v->prompts);
		within(v->file_bytes_max, 1024, 16 << 20);
		return;
	}
	must(span_starts(v->url, SPAN("http://")) && v->address.family != 0 && v->address.port != 0);
	must(v->host.n > 0 && v->path.n > 0 && v->path.p[0] == '/' && span_absent(v->root));
	no_controls(v->host);
	no_controls(v->path);
	must(v->nheaders <= CONF_NAMES_MAX);
	for (unsigned i = 0; i < v->nheaders; i++) {
		must(v->headers[i].name.n > 0);
		no_controls(v->headers[i].name);
		no_controls(v->headers[i].value);
		must(!span_ieq(v->headers[i].name, SPAN("host")) && !span_ieq(v->headers[i].name, SPAN("authorization")));
	}
	within((uint64_t)v->connect_ms, 10, 600000);
	within((uint64_t)v->idle_ms, 10, 86400000);
	within((uint64_t)v->call_ms, 10, 86400000);
}

static void right(const struct conf *c)
{
	within(c->nlisteners, 1, CONF_LISTENERS_MAX);
	within(c->nservers, 1, CONF_SERVERS_MAX);
	must(c->workers <= CONF_WORKERS_MAX && (!c->plain || c->nservers == 1));
	for (unsigned i = 0; i < c->nlisteners; i++) {
		must(c->listeners[i].address.family != 0 && (c->listeners[i].insecure || addr_is_loopback(&c->listeners[i].address)));
		must(c->listeners[i].path.n > 0 && c->listeners[i].path.p[0] == '/');
		must(c->listeners[i].nhosts <= CONF_NAMES_MAX && c->listeners[i].norigins <= CONF_NAMES_MAX);
	}
	must(!c->has_admin || (c->admin.family != 0 && (c->admin_insecure || addr_is_loopback(&c->admin))));
	for (unsigned i = 0; i < c->nservers; i++)
		server(c, &c->servers[i]);
	within(c->memory.connections, 1, 65536);
	within(c->memory.requests, 1, c->memory.connections);
	within(c->memory.listens, 1, c->memory.connections);
	within(c->memory.large, 1, 1024);
	within(c->memory.body, 4096, 8 << 20);
	within(c->memory.reply, 16384, 16 << 20);
	within(c->memory.tokens, 256, 1 << 20);
	within(c->memory.links, 1, 4096);
	within((uint64_t)c->timeouts.head_ms, 10, 600000);
	within((uint64_t)c->timeouts.drain_ms, 0, 3600000);
}

static void complaints(struct span said)
{
	unsigned lines = 0;

	must(said.n > 0 && said.p[said.n - 1] == '\n' && utf8_valid(said));
	while (said.n > 0) {
		const char *end = memchr(said.p, '\n', said.n);
		struct span line = span_of(said.p, (size_t)(end - said.p));

		must(span_starts(line, SPAN("f:")));
		no_controls(line);
		said = span_from(said, line.n + 1);
		lines++;
	}
	must(lines <= CONF_ERRORS_MAX + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char said[32 * 1024];
	struct buf errors = buf_on(said, sizeof said);
	size_t need = conf_arena_need(n);
	void *arena = malloc(need);
	struct conf c;

	must(arena != NULL);
	if (conf_read(&c, SPAN("f"), span_of((const char *)data, n), arena, need, &errors)) {
		must(errors.n == 0);
		right(&c);
	} else {
		must(!errors.full);
		complaints(buf_span(&errors));
	}
	free(arena);
	return 0;
}
