#include "role/serving.h"

#include "os/file.h"
#include "os/jail.h"
#include "role/log.h"

static void listener(struct buf *b, const struct generation *g, unsigned i)
{
	buf_put(b, g->config.conf->listeners[i].tls.on ? SPAN("listening https ") : SPAN("listening http "));
	addr_write(b, &g->listeners[i]->bound);
	buf_put(b, g->config.conf->listeners[i].path);
}

static void admin(struct buf *b, const struct generation *g)
{
	BUF_LIT(b, "admin http ");
	addr_write(b, &g->admin->bound);
}

static void server(struct buf *b, const struct conf_server *s)
{
	BUF_LIT(b, "serving ");
	buf_put(b, s->name);
	if (s->kind == CONF_FILES) {
		BUF_LIT(b, " (files ");
		buf_put(b, s->root);
	} else if (s->kind == CONF_STDIO) {
		BUF_LIT(b, " (command ");
		buf_put(b, s->command);
	} else {
		BUF_LIT(b, " (");
		buf_put(b, s->url);
	}
	BUF_LIT(b, ")\n");
}

static void flush(struct buf *b)
{
	file_write(1, buf_span(b));
	buf_reset(b);
}

void serving_print(const struct generation *g)
{
	static char mem[16 << 10]; /* one line at a time: a path or url of the configuration is at most 4000 bytes */
	struct buf b = buf_on(mem, sizeof mem);
	const struct conf *c = g->config.conf;

	for (unsigned i = 0; i < c->nlisteners; i++) {
		listener(&b, g, i);
		buf_char(&b, '\n');
		flush(&b);
	}
	if (g->admin) {
		admin(&b, g);
		buf_char(&b, '\n');
		flush(&b);
	}
	for (unsigned i = 0; i < c->nservers; i++) {
		server(&b, &c->servers[i]);
		flush(&b);
	}
	for (unsigned bit = 0; bit < JAIL_BITS; bit++)
		if (g->missing >> bit & 1) {
			BUF_LIT(&b, "missing ");
			buf_put(&b, span_z(jail_missing_name(bit)));
			BUF_LIT(&b, ": ");
			buf_put(&b, span_z(jail_missing_text(bit)));
			buf_char(&b, '\n');
			flush(&b);
		}
	BUF_LIT(&b, "ready\n");
	flush(&b);
}

void serving_log(const struct generation *g)
{
	for (unsigned i = 0; i < g->config.conf->nlisteners; i++) {
		listener(log_begin(LOG_INFO), g, i);
		log_end();
	}
	if (g->admin) {
		admin(log_begin(LOG_INFO), g);
		log_end();
	}
}
