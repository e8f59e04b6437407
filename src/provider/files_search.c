#include "base/text.h"
#include "provider/files_state.h"

enum { SEARCH_PATH, SEARCH_QUERY, SEARCH_CASE, SEARCH_LIMIT, SEARCH_CONTEXT };
enum {
	LINE_SHOWN = 300,           /* bytes of a line in the answer */
	LINE_BEFORE = 100,          /* of them before the match */
	SNIFF = 8192,               /* a NUL in this much of the start makes a file binary */
	PROGRESS_FILES = 64, PROGRESS_MS = 100, PROGRESS_BURST = 1024
};

/* Offset of the query in hay from `at` on, hay.n if it is not there. */
static size_t find(const struct files_call *c, struct span hay, size_t at)
{
	const char *hit;

	if (hay.n - at < c->query_len)
		return hay.n;
	if (c->exact) {
		hit = memmem(hay.p + at, hay.n - at, c->query, c->query_len);
		return hit ? (size_t)(hit - hay.p) : hay.n;
	}
	/* The query is in lower case already. */
	for (size_t last = hay.n - c->query_len; at <= last; at++) {
		size_t k = 0;

		while (k < c->query_len && span_lower(hay.p[at + k]) == c->query[k])
			k++;
		if (k == c->query_len)
			return at;
	}
	return hay.n;
}

static size_t line_start(struct span w, size_t at)
{
	const char *lf = at > 0 ? memrchr(w.p, '\n', at) : NULL;

	return lf ? (size_t)(lf - w.p) + 1 : 0;
}

/* Behind the LF, or w.n if it has none. */
static size_t line_end(struct span w, size_t at)
{
	const char *lf = at < w.n ? memchr(w.p + at, '\n', w.n - at) : NULL;

	return lf ? (size_t)(lf - w.p) + 1 : w.n;
}

/* The text of a line without its end, cut to what is shown round `at`. */
static struct span shown(struct span line, size_t at)
{
	size_t from = 0;

	if (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n <= LINE_SHOWN)
		return line;
	if (at > LINE_BEFORE)
		from = utf8_floor(line, at - LINE_BEFORE);
	line = span_from(line, from);
	return span_of(line.p, line.n > LINE_SHOWN ? utf8_floor(line, LINE_SHOWN) : line.n);
}

static void write_context(struct buf *b, struct span w, size_t at, size_t end, unsigned lines)
{
	bool first = true;

	for (unsigned i = 0; i < lines && at < end; i++) {
		size_t next = line_end(w, at);

		if (!first)
			BUF_LIT(b, ",");
		first = false;
		json_write_string(b, shown(span_of(w.p + at, next - at), 0));
		at = next;
	}
}

/* False: the room has ended, nothing was written. */
static bool report(struct files_call *c, struct files_job *j, struct span w, size_t start, size_t hit)
{
	size_t n = j->result.n, end = line_end(w, hit), back = start;
	struct buf *b = &j->result;

	if (j->count > 0)
		BUF_LIT(b, ",");
	BUF_LIT(b, "{\"path\":");
	json_write_string(b, files_walk_path(&j->walk));
	BUF_LIT(b, ",\"line\":");
	buf_u64(b, j->line);
	BUF_LIT(b, ",\"column\":");
	buf_u64(b, j->at + hit - j->line_at + 1);
	BUF_LIT(b, ",\"text\":");
	json_write_string(b, shown(span_of(w.p + start, end - start), hit - start));
	if (c->context > 0) {
		for (unsigned i = 0; i < c->context && back > 0; i++)
			back = line_start(w, back - 1);
		BUF_LIT(b, ",\"before\":[");
		write_context(b, w, back, start, c->context);
		BUF_LIT(b, "],\"after\":[");
		write_context(b, w, end, w.n, c->context);
		BUF_LIT(b, "]");
	}
	BUF_LIT(b, "}");
	if (!b->full && buf_room(b) >= FILES_TAIL)
		return true;
	b->n = n;
	b->full = false;
	return false;
}

/* How far a window may be searched: all of it at the end of the file; otherwise whole lines, less those that are context of the last ones;
 * otherwise, in one endless line, all but what may be the head of a match. */
static size_t search_end(const struct files_call *c, const struct files_job *j, struct span w, bool last)
{
	size_t end = line_start(w, w.n), less = end;

	if (last)
		return w.n;
	if (end <= j->from)
		return w.n - (c->query_len - 1u) > j->from ? w.n - (c->query_len - 1u) : w.n;
	for (unsigned i = 0; i < c->context && less > j->from; i++)
		less = line_start(w, less - 1);
	return less > j->from ? less : end;
}

/* Counts lines up to `to`, so that j->line and j->line_at are of the line that holds it. */
static void count_lines(struct files_job *j, struct span w, size_t *at, size_t to)
{
	while (*at < to) {
		size_t end = line_end(w, *at);

		if (end > to || w.p[end - 1] != '\n')
			break;
		*at = end;
		j->line++;
		j->line_at = j->at + end;
		j->line_done = false;
	}
}

/* One window. False: the answer is full. */
static bool search_window(struct files_call *c, struct files_job *j, struct span w, size_t end)
{
	/* Matches begin before `end` and may reach over it. */
	struct span hay = span_of(w.p, end + c->query_len - 1u < w.n ? end + c->query_len - 1u : w.n);
	size_t counted = (size_t)j->from, at = (size_t)j->from;

	if (j->line_done) {
		at = line_end(w, at);
		if (w.p[at - 1] != '\n')
			at = end;
	}
	while (at < end) {
		size_t hit = find(c, hay, at), start;

		if (hit >= end)
			break;
		count_lines(j, w, &counted, hit);
		start = j->line_at > j->at ? (size_t)(j->line_at - j->at) : 0;
		if (j->count == c->limit || !report(c, j, w, start, hit)) {
			j->cut = true;
			return false;
		}
		j->count++;
		j->line_done = true;
		at = line_end(w, hit);
	}
	count_lines(j, w, &counted, end);
	return true;
}

/* One slice of the file that walk.path names; j->inside is over when it is done. */
static void search_file(struct files *f, struct files_call *c, struct files_job *j, uint64_t *budget)
{
	struct dir_facts facts;
	struct span w;
	size_t end, back;
	long got;
	int fd;

	files_spend(budget, FILES_LOOK);
	if (dir_file(f->s.root_fd, files_walk_path(&j->walk), &fd, &facts) != DIR_FINE) {
		j->inside = false;
		j->skipped++;
		return;
	}
	got = facts.size > f->s.file_bytes_max ? -1 : dir_read(fd, f->file, FILES_SLICE, j->at);
	dir_close(fd);
	w = span_of(f->file, got > 0 ? (size_t)got : 0);
	files_spend(budget, w.n);
	if (got < 0 || (j->at == 0 && w.n > 0 && memchr(w.p, 0, w.n < SNIFF ? w.n : SNIFF))) {
		j->inside = false;
		j->skipped++;
		return;
	}
	/* A file that shrank while it was read has ended. One that grows is followed up to its limit. */
	if (w.n <= j->from) {
		j->inside = false;
		j->files++;
		return;
	}
	end = search_end(c, j, w, w.n < FILES_SLICE || j->at + w.n >= f->s.file_bytes_max);
	if (!search_window(c, j, w, end) || end == w.n) {
		j->inside = false;
		j->files++;
		return;
	}
	/* The next window begins with the context of its first line, unless that is most of a window. */
	back = end;
	for (unsigned i = 0; i < c->context && back > 0; i++)
		back = line_start(w, back - 1);
	if (end - back > FILES_SLICE / 2)
		back = end;
	j->at += back;
	j->from = end - back;
}

static void progress(struct files *f, struct files_link *l, const struct files_call *c, struct files_job *j)
{
	uint64_t fresh = j->files - j->told;
	struct buf b;

	if (c->token_len == 0 || fresh < PROGRESS_FILES || (fresh < PROGRESS_BURST && f->loop->now_ms - j->told_ms < PROGRESS_MS))
		return;
	if (!files_note(l, MCP_PROGRESS, &b))
		return;
	BUF_LIT(&b, "\"progressToken\":");
	buf_put(&b, span_of(c->token, c->token_len));
	BUF_LIT(&b, ",\"progress\":");
	buf_u64(&b, j->files);
	BUF_LIT(&b, ",\"message\":\"");
	buf_u64(&b, j->files);
	BUF_LIT(&b, " files searched, ");
	buf_u64(&b, j->count);
	BUF_LIT(&b, " lines found\"");
	if (files_note_end(l, &b)) {
		j->told = j->files;
		j->told_ms = f->loop->now_ms;
	}
}

static void enter_file(struct files_job *j)
{
	j->inside = true;
	j->line_done = false;
	j->at = j->from = j->line_at = 0;
	j->line = 1;
}

static void begin(struct files *f, struct files_call *c, struct files_job *j)
{
	struct dir_facts facts;

	BUF_LIT(&j->result, "{\"matches\":[");
	files_walk_start(&j->walk, f->s.root_fd, files_call_path(c), FILES_DEPTH_MAX, f->s.hidden);
	/* A walk of a file has no entries of its own: it is the one file. */
	if (dir_look(f->s.root_fd, files_call_path(c), &facts) == DIR_FINE && facts.kind == DIR_FILE) {
		j->walk.nlevels = 0;
		enter_file(j);
	}
}

static enum files_step search_step(struct files *f, struct files_link *l, struct files_call *c, struct files_job *j, uint64_t *budget)
{
	bool ended = false;

	if (j->result.n == 0)
		begin(f, c, j);
	while (*budget >= FILES_LOOK && !j->cut && !ended) {
		enum dir_kind kind;
		enum files_walk_step step;

		if (j->inside) {
			search_file(f, c, j, budget);
			continue;
		}
		step = files_walk_next(&j->walk, f->batch, &kind);
		files_spend(budget, step == FILES_WALK_MORE ? FILES_SORT : FILES_LOOK);
		ended = step == FILES_WALK_END;
		if (step == FILES_WALK_ENTRY && kind == DIR_FILE)
			enter_file(j);
	}
	if (!j->cut && !ended) {
		progress(f, l, c, j);
		return FILES_MORE;
	}
	BUF_LIT(&j->result, "],\"files_searched\":");
	buf_u64(&j->result, j->files);
	BUF_LIT(&j->result, ",\"files_skipped\":");
	buf_u64(&j->result, j->skipped);
	if (j->cut)
		BUF_LIT(&j->result, ",\"truncated\":true}");
	else
		BUF_LIT(&j->result, ",\"truncated\":false}");
	files_tool_result(f, l, files_call_id(c), buf_span(&j->result));
	return FILES_DONE;
}

void files_tool_search(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a)
{
	struct span path = span_of(a->path, a->path_len);
	char mem[FILES_QUERY_MAX];
	struct buf query = buf_on(mem, sizeof mem);
	struct dir_facts facts;
	enum dir_status status;
	struct files_call *c;
	bool control = false;

	json_text(&r->json, a->token[SEARCH_QUERY], &query);
	for (size_t i = 0; i < query.n; i++)
		control = control || mem[i] == '\n' || mem[i] == '\r' || mem[i] == 0;
	if (query.full || query.n == 0 || control) {
		files_tool_wrong(f, l, r->m.id, SPAN("query: found "), json_raw(&r->json, a->token[SEARCH_QUERY]),
			SPAN("; it must be 1 to 256 bytes of text within one line"));
		return;
	}
	status = dir_look(f->s.root_fd, path, &facts);
	if (status == DIR_FINE && facts.kind == DIR_OTHER)
		status = DIR_MISSING;
	if (status != DIR_FINE) {
		files_tool_wrong(f, l, r->m.id, SPAN(""), path, files_status_text(status));
		return;
	}
	c = files_call_new(f, l, r);
	if (!c)
		return;
	c->step = search_step;
	c->search = true;
	c->exact = a->number[SEARCH_CASE] != 0;
	c->limit = (uint64_t)a->number[SEARCH_LIMIT];
	c->context = (unsigned)a->number[SEARCH_CONTEXT];
	c->path_len = (uint16_t)path.n;
	memcpy(c->path, a->path, path.n);
	c->query_len = (uint16_t)query.n;
	for (size_t i = 0; i < query.n; i++)
		c->query[i] = c->exact ? mem[i] : span_lower(mem[i]);
}
