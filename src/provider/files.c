#include "provider/files_state.h"

#include "base/carve.h"

/* Lays things one behind the other; with no memory it only counts. */
struct lay { char *p; size_t n; };

static void *lay(struct lay *y, uint64_t each, uint64_t count)
{
	size_t at = carve_up(y->n);

	if (each > 0 && (count > (SIZE_MAX / 2) / each || at > SIZE_MAX / 2 - each * count)) {
		y->n = SIZE_MAX / 2;
		return NULL;
	}
	y->n = at + (size_t)(each * count);
	return y->p ? y->p + at : NULL;
}

static struct files *lay_out(struct lay *y, const struct files_settings *s)
{
	struct files *f = lay(y, sizeof *f, 1);
	struct files_link *links = lay(y, sizeof *links, s->links_max);
	struct files_job *jobs = lay(y, sizeof *jobs, FILES_JOBS);
	size_t structured = s->reply_max > 2 * FILES_ANSWER_REST ? (size_t)(s->reply_max - FILES_ANSWER_REST) / 3 : FILES_ANSWER_REST / 8;
	size_t result = structured < FILES_RESULT_MAX ? structured : FILES_RESULT_MAX;
	void *table = lay(y, json_table_need(s->tokens), 1);
	char *batch = lay(y, FILES_WALK_BATCH, 1), *scratch = lay(y, structured, 1), *prompt = lay(y, FILES_PROMPT_MAX + 1, 1);
	/* A slice of a search must fit even where files may only be small. */
	uint64_t file_max = s->file_bytes_max > FILES_SLICE ? s->file_bytes_max : FILES_SLICE;
	char *file = lay(y, file_max + 1, 1);

	for (unsigned i = 0; i < FILES_JOBS; i++) {
		char *mem = lay(y, result, 1);

		if (y->p) {
			jobs[i].result = buf_on(mem, result);
			jobs[i].walk.fd = -1;
		}
	}
	for (unsigned i = 0; i < s->links_max; i++) {
		char *in = lay(y, s->line_max + FILES_LINE_SLACK, 1), *out = lay(y, s->reply_max + FILES_SLACK + 1, 1);
		struct files_call *calls = lay(y, sizeof *calls, s->calls_max);
		struct files_listen *listens = lay(y, sizeof *listens, FILES_LISTENS);

		if (y->p) {
			links[i].item.fd = -1;
			links[i].in = in;
			links[i].out = buf_on(out, (size_t)s->reply_max + FILES_SLACK + 1);
			links[i].calls = calls;
			links[i].listens = listens;
		}
	}
	if (!y->p)
		return NULL;
	f->s = *s;
	f->table = json_table_place(table, s->tokens, s->seed);
	f->links = links;
	f->jobs = jobs;
	f->structured_max = structured;
	f->batch = batch;
	f->file = file;
	f->file_max = (size_t)file_max;
	f->scratch = scratch;
	f->prompt = prompt;
	return f;
}

size_t files_need(const struct files_settings *s)
{
	struct lay y = { NULL, 0 };

	lay_out(&y, s);
	return y.n;
}

struct files *files_place(void *mem, const struct files_settings *s, struct loop *loop)
{
	struct lay y = { mem, 0 };
	struct files *f = lay_out(&y, s);

	f->loop = loop;
	return f;
}

static void unlink_link(struct files *f, struct files_link *l)
{
	if (l->item.fd < 0)
		return;
	files_calls_drop(f, l);
	files_listens_drop(f, l);
	loop_forget(f->loop, &l->item);
	sock_close(l->item.fd);
	l->item.fd = -1;
	l->readable = l->writable = l->skipping = false;
	l->in_at = l->in_n = l->in_scanned = l->sent = l->out.n = 0;
}

/* Only notes what has become possible; the work is done in files_tick(). A reset shows when it is read. */
static void link_event(struct loop_item *item, unsigned events)
{
	struct files_link *l = (struct files_link *)(void *)item;

	if (events & (LOOP_READ | LOOP_HALF | LOOP_GONE))
		l->readable = true;
	if (events & (LOOP_WRITE | LOOP_GONE))
		l->writable = true;
}

void files_link(struct files *f, unsigned worker, int fd)
{
	struct files_link *l;

	if (worker >= f->s.links_max) {
		sock_close(fd);
		return;
	}
	l = &f->links[worker];
	unlink_link(f, l);
	l->item = (struct loop_item){ link_event, fd };
	l->readable = l->writable = true;
	if (!loop_add(f->loop, &l->item)) {
		sock_close(fd);
		l->item = (struct loop_item){ NULL, -1 };
	}
}

int files_tick(struct files *f)
{
	bool again = false;
	int64_t wait_ms;

	for (unsigned i = 0; i < f->s.links_max; i++) {
		bool more = false;

		if (f->links[i].item.fd < 0)
			continue;
		if (!files_lines(f, &f->links[i], &more))
			unlink_link(f, &f->links[i]);
		again = again || more;
	}
	again = files_work(f) || again;
	again = files_poll(f) || again;
	for (unsigned i = 0; i < f->s.links_max; i++) {
		struct files_link *l = &f->links[i];
		bool stuck = !files_out_ready(l);

		if (l->item.fd >= 0 && !files_flush(l))
			unlink_link(f, l);
		/* What waited for room may go on now. */
		again = again || (stuck && l->item.fd >= 0 && files_out_ready(l));
	}
	if (again)
		return 0;
	if (f->nlistens == 0)
		return -1;
	wait_ms = f->poll_ms - f->loop->now_ms;
	return wait_ms <= 0 ? 0 : wait_ms < FILES_POLL_MS ? (int)wait_ms : FILES_POLL_MS;
}
