/* Every configuration of tests/table/conf-right.txt and conf-wrong.txt through conf_read(): what is said must be what the table says. */
#include <stdlib.h>

#include "conf/conf.h"
#include "page.h"
#include "tap.h"

enum { TEXT_MAX = 64 * 1024 };

static const char one_listener[] = "\"listeners\":[{\"address\":\"127.0.0.1:8080\"}]";
static const char one_server[] = "\"mcpServers\":{\"docs\":{\"builtin\":\"files\",\"root\":\"docs\"}}";

static const char somebody[] = "\"identity\":{\"keys\":[{\"id\":\"k\",\"sha256\":"
	"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"tenant\":\"t\"}]},\"policy\":[]";

static char text[TEXT_MAX], want[TEXT_MAX], said[TEXT_MAX];

static void add_line(struct buf *b, const char *line)
{
	for (; *line != '\0' && *line != '\n'; line++) {
		if (line[0] == '@' && (line[1] == 'L' || line[1] == 'S' || line[1] == 'P')) {
			buf_put(b, span_z(line[1] == 'L' ? one_listener : line[1] == 'S' ? one_server : somebody));
			line++;
		} else {
			buf_char(b, *line);
		}
	}
}

static void check(const struct buf *t, const struct buf *w, const char *name)
{
	struct span file = SPAN("f");
	size_t need = conf_arena_need(t->n);
	char *copy = page_copy(t->p, t->n);
	void *arena = malloc(need);
	struct buf errors = buf_on(said, sizeof said);
	struct conf c;
	bool right = conf_read(&c, file, span_of(copy, t->n), arena, need, &errors);

	is_int(right, w->n == 0, name);
	is_mem(errors.p, errors.n, w->p, w->n, name);
	free(arena);
	page_free(copy, t->n);
}

/* A vector ends where the next one begins or at the end of the file. */
static unsigned run(const char *path)
{
	static char line[TEXT_MAX];
	struct buf t = buf_on(text, sizeof text), w = buf_on(want, sizeof want);
	unsigned vectors = 0, at = 0, lines = 0;
	char name[200], where[256];
	FILE *f = fopen(path, "r");

	if (f == NULL) {
		ok(false, path);
		return 0;
	}
	for (bool more = true, expecting = false; more;) {
		more = fgets(line, sizeof line, f) != NULL;
		at++;
		if (lines > 0 && (!more || (expecting && line[0] == '<') || line[0] == '\n')) {
			snprintf(where, sizeof where, "%s: %.150s", path, name);
			check(&t, &w, where);
			vectors++;
			buf_reset(&t);
			buf_reset(&w);
			lines = 0;
			expecting = false;
		}
		if (more && line[0] == '<') {
			if (lines++ > 0)
				buf_char(&t, '\n');
			add_line(&t, line + 2);
			snprintf(name, sizeof name, "line %u", at);
		} else if (more && line[0] == '>') {
			BUF_LIT(&w, "f:");
			add_line(&w, line + 2);
			buf_char(&w, '\n');
			expecting = true;
		}
	}
	fclose(f);
	return vectors;
}

int main(void)
{
	ok(run("tests/table/conf-right.txt") >= 30, "the right ones were found");
	ok(run("tests/table/conf-wrong.txt") >= 200, "the wrong ones were found");
	return done_testing();
}
