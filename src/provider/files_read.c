#include "base/text.h"
#include "provider/files_state.h"

enum { READ_PATH, READ_OFFSET, READ_LENGTH, READ_FIRST, READ_LAST };

void files_facts(struct buf *b, const struct dir_facts *facts)
{
	if (facts->kind == DIR_FILE) {
		BUF_LIT(b, ",\"size\":");
		buf_u64(b, facts->size);
	}
	BUF_LIT(b, ",\"modified\":\"");
	files_name_time(b, facts->modified_s);
	BUF_LIT(b, "\"");
}

void files_tool_info(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a)
{
	struct buf b = buf_on(f->scratch, f->structured_max);
	struct span path = span_of(a->path, a->path_len);
	struct dir_facts facts;
	enum dir_status status = dir_look(f->s.root_fd, path, &facts);

	if (status == DIR_FINE && facts.kind == DIR_OTHER)
		status = DIR_MISSING;
	if (status != DIR_FINE) {
		files_tool_wrong(f, l, r->m.id, SPAN(""), path, files_status_text(status));
		return;
	}
	BUF_LIT(&b, "{\"path\":");
	json_write_string(&b, path);
	BUF_LIT(&b, ",\"type\":");
	if (facts.kind == DIR_FILE)
		BUF_LIT(&b, "\"file\"");
	else
		BUF_LIT(&b, "\"directory\"");
	files_facts(&b, &facts);
	if (facts.kind == DIR_FILE) {
		BUF_LIT(&b, ",\"mime_type\":\"");
		buf_put(&b, files_name_mime(path));
		BUF_LIT(&b, "\",\"uri\":\"");
		files_name_uri(&b, f->s.name, path);
		BUF_LIT(&b, "\"");
	}
	BUF_LIT(&b, "}");
	files_tool_result(f, l, r->m.id, buf_span(&b));
}

/* A part of a file, and what of it is asked for. */
struct part {
	uint64_t offset;      /* of bytes in the file */
	struct span bytes;
	uint64_t first_line;  /* 0: it was asked for by bytes */
	uint64_t wanted_end;  /* offset where what was asked for ends */
};

/* Takes off the pieces of characters that a cut has left at both ends; a part that is no text even then stays whole. */
static bool trim_to_text(struct part *p)
{
	struct span s = p->bytes;
	size_t head = 0;

	while (p->offset > 0 && head < 3 && head < s.n && ((unsigned char)s.p[head] & 0xC0) == 0x80)
		head++;
	s = span_from(s, head);
	for (unsigned tail = 0; tail < 4 && tail <= s.n; tail++) {
		struct span t = span_of(s.p, s.n - tail);

		/* Only a lead byte and its continuations may be taken off: then fewer than four bytes, and the lead is the first of them. */
		if (tail > 0 && (unsigned char)s.p[s.n - tail] < 0x80)
			break;
		if (tail > 0 && ((unsigned char)s.p[s.n - tail] & 0xC0) == 0x80)
			continue;
		if (!utf8_valid(t))
			continue;
		if ((t.n == 0 && p->bytes.n > 0) || (t.n > 0 && memchr(t.p, 0, t.n)))
			return false;
		p->offset += head;
		p->bytes = t;
		return true;
	}
	return false;
}

static void write_part(struct files *f, struct buf *b, struct span path, const struct dir_facts *facts, struct part p)
{
	bool text = trim_to_text(&p);
	uint64_t end = p.offset + p.bytes.n;

	BUF_LIT(b, "{\"path\":");
	json_write_string(b, path);
	files_facts(b, facts);
	BUF_LIT(b, ",\"mime_type\":\"");
	buf_put(b, files_name_mime(path));
	if (text)
		BUF_LIT(b, "\",\"encoding\":\"utf-8\",\"offset\":");
	else
		BUF_LIT(b, "\",\"encoding\":\"base64\",\"offset\":");
	buf_u64(b, p.offset);
	BUF_LIT(b, ",\"length\":");
	buf_u64(b, p.bytes.n);
	if (p.first_line > 0) {
		BUF_LIT(b, ",\"first_line\":");
		buf_u64(b, p.first_line);
	}
	if (end >= p.wanted_end) {
		BUF_LIT(b, ",\"end\":true,\"content\":");
	} else {
		BUF_LIT(b, ",\"end\":false,\"next_offset\":");
		buf_u64(b, end);
		BUF_LIT(b, ",\"content\":");
	}
	if (text) {
		json_write_string(b, p.bytes);
	} else {
		buf_char(b, '"');
		b64_encode(b, p.bytes.p, p.bytes.n);
		buf_char(b, '"');
	}
	BUF_LIT(b, "}");
	(void)f;
}

/* Offset behind line number `line`, counted from 1 (0: the start of the first). */
static size_t behind_line(struct span file, uint64_t line)
{
	size_t at = 0;

	for (uint64_t n = 0; n < line && at < file.n; n++) {
		const char *end = memchr(file.p + at, '\n', file.n - at);

		at = end ? (size_t)(end - file.p) + 1 : file.n;
	}
	return at;
}

static void read_part(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a, int fd,
	const struct dir_facts *facts)
{
	struct span path = span_of(a->path, a->path_len);
	bool lines = a->token[READ_FIRST] != JSON_NONE || a->token[READ_LAST] != JSON_NONE;
	struct part p = { .offset = lines ? 0 : (uint64_t)a->number[READ_OFFSET] };
	size_t most = lines ? f->file_max : (size_t)a->number[READ_LENGTH];
	long got = dir_read(fd, f->file, most < f->file_max ? most : f->file_max, p.offset);

	if (got < 0) {
		files_tool_wrong(f, l, r->m.id, SPAN(""), path, files_status_text(DIR_FAILED));
		return;
	}
	p.bytes = span_of(f->file, (size_t)got);
	if (lines) {
		size_t from = behind_line(p.bytes, (uint64_t)a->number[READ_FIRST] - 1);
		uint64_t count = (uint64_t)(a->number[READ_LAST] - a->number[READ_FIRST]) + 1;

		p.first_line = (uint64_t)a->number[READ_FIRST];
		p.bytes = span_from(p.bytes, from);
		p.bytes.n = behind_line(p.bytes, count);
		p.offset = from;
	} else if (p.offset > facts->size) {
		p.offset = facts->size;
	}
	p.wanted_end = lines ? p.offset + p.bytes.n : facts->size;
	/* Escapes and base64 make it longer than it is; what does not fit is halved until it does. */
	for (;;) {
		struct buf b = buf_on(f->scratch, f->structured_max);

		write_part(f, &b, path, facts, p);
		if (!b.full) {
			files_tool_result(f, l, r->m.id, buf_span(&b));
			return;
		}
		if (p.bytes.n < 8)
			break;
		p.bytes.n /= 2;
	}
	files_tool_wrong(f, l, r->m.id, SPAN(""), path, SPAN(": the reply limit leaves no room for any of it"));
}

void files_tool_read(struct files *f, struct files_link *l, const struct files_request *r, const struct files_args *a)
{
	struct span path = span_of(a->path, a->path_len);
	bool bytes = a->token[READ_OFFSET] != JSON_NONE || a->token[READ_LENGTH] != JSON_NONE;
	struct dir_facts facts;
	int fd;
	enum dir_status status;

	if (bytes && (a->token[READ_FIRST] != JSON_NONE || a->token[READ_LAST] != JSON_NONE)) {
		files_tool_wrong(f, l, r->m.id, SPAN("first_line, last_line: found together with offset or length; give either bytes or lines"),
			span_of(NULL, 0), SPAN(""));
		return;
	}
	if (a->number[READ_LAST] < a->number[READ_FIRST]) {
		files_tool_wrong(f, l, r->m.id, SPAN("last_line: found "), json_raw(&r->json, a->token[READ_LAST]),
			SPAN("; it must not be less than first_line"));
		return;
	}
	status = a->path_len == 0 ? DIR_MISSING : dir_file(f->s.root_fd, path, &fd, &facts);
	if (status != DIR_FINE) {
		struct dir_facts other;

		if (status == DIR_MISSING && dir_look(f->s.root_fd, path, &other) == DIR_FINE && other.kind == DIR_DIRECTORY)
			files_tool_wrong(f, l, r->m.id, SPAN(""), path, SPAN(": found a directory; it must be a file (list_files shows what is in it)"));
		else
			files_tool_wrong(f, l, r->m.id, SPAN(""), path, files_status_text(status));
		return;
	}
	if (facts.size > f->s.file_bytes_max) {
		char mem[96];
		struct buf tail = buf_on(mem, sizeof mem);

		BUF_LIT(&tail, ": found ");
		buf_u64(&tail, facts.size);
		BUF_LIT(&tail, " bytes; files of at most ");
		buf_u64(&tail, f->s.file_bytes_max);
		BUF_LIT(&tail, " are read");
		files_tool_wrong(f, l, r->m.id, SPAN(""), path, buf_span(&tail));
	} else {
		read_part(f, l, r, a, fd, &facts);
	}
	dir_close(fd);
}
