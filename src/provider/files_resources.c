#include "base/text.h"
#include "provider/files_state.h"

enum { TEMPLATES_TTL_MS = 3600000 };

void files_templates_list(struct files *f, struct files_link *l, const struct files_request *r)
{
	struct buf b;

	if (r->m.cursor != JSON_NONE) {
		struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("params.cursor: not a cursor of this list, which has one page") };

		files_fault(f, l, r->m.id, &fault);
		return;
	}
	b = files_answer(f, l, r->m.id);
	BUF_LIT(&b, ",\"resourceTemplates\":[{\"uriTemplate\":\"files://");
	json_write_inner(&b, f->s.name);
	BUF_LIT(&b, "/{+path}\",\"name\":\"file\",\"title\":\"A file by its path\",\"description\":\"Any file of the tree; path is relative to the "
		"root, percent-encoded, its parts joined by slashes.\"}]");
	files_cache(&b, TEMPLATES_TTL_MS);
	files_answer_end(f, l, r->m.id, &b);
}

static void too_large(struct files *f, struct files_link *l, const struct files_request *r, uint64_t size, uint64_t limit)
{
	char mem[FILES_URI_MAX + 128];
	struct buf data = buf_on(mem, sizeof mem);
	struct mcp_fault fault = { .code = MCP_INVALID_PARAMS, .text = SPAN("the resource is larger than this server reads whole; use the tool read_file") };

	BUF_LIT(&data, "{\"uri\":");
	buf_put(&data, json_raw(&r->json, r->m.name));
	BUF_LIT(&data, ",\"size\":");
	buf_u64(&data, size);
	BUF_LIT(&data, ",\"limit\":");
	buf_u64(&data, limit);
	BUF_LIT(&data, "}");
	if (!data.full)
		fault.data = buf_span(&data);
	files_fault(f, l, r->m.id, &fault);
}

static void answer_file(struct files *f, struct files_link *l, const struct files_request *r, struct span path, struct span bytes)
{
	struct buf b = files_answer(f, l, r->m.id);

	BUF_LIT(&b, ",\"contents\":[{\"uri\":");
	buf_put(&b, json_raw(&r->json, r->m.name));
	BUF_LIT(&b, ",\"mimeType\":\"");
	buf_put(&b, files_name_mime(path));
	if (utf8_valid(bytes)) {
		BUF_LIT(&b, "\",\"text\":");
		json_write_string(&b, bytes);
	} else {
		BUF_LIT(&b, "\",\"blob\":\"");
		b64_encode(&b, bytes.p, bytes.n);
		BUF_LIT(&b, "\"");
	}
	BUF_LIT(&b, "}]");
	files_cache(&b, 0);
	if (b.full || buf_room(&b) < FILES_CLOSING)
		too_large(f, l, r, bytes.n, f->s.reply_max);
	else
		files_answer_end(f, l, r->m.id, &b);
}

void files_resources_read(struct files *f, struct files_link *l, const struct files_request *r)
{
	char uri_mem[FILES_URI_MAX], mem[FILES_URI_MAX];
	struct buf uri = buf_on(uri_mem, sizeof uri_mem), path = buf_on(mem, sizeof mem);
	struct dir_facts facts;
	enum dir_status status = DIR_MISSING;
	long got = 0;
	int fd;

	json_text(&r->json, r->m.name, &uri);
	if (!uri.full && files_name_of_uri(&path, f->s.name, buf_span(&uri), f->s.hidden))
		status = dir_file(f->s.root_fd, buf_span(&path), &fd, &facts);
	if (status == DIR_FINE && facts.size <= f->s.file_bytes_max) {
		got = dir_read(fd, f->file, (size_t)f->s.file_bytes_max + 1, 0);
		if (got < 0)
			status = DIR_FAILED;
		else
			facts.size = (uint64_t)got;
		dir_close(fd);
	} else if (status == DIR_FINE) {
		dir_close(fd);
	}
	if (status == DIR_MISSING)
		files_fault_uri(f, l, r->m.id, SPAN("no such resource"), buf_span(&uri));
	else if (status == DIR_DENIED)
		files_fault_uri(f, l, r->m.id, SPAN("this server may not read that resource"), buf_span(&uri));
	else if (status == DIR_FAILED)
		files_fault(f, l, r->m.id, &(struct mcp_fault){ .code = MCP_INTERNAL, .text = SPAN("reading failed; try again") });
	else if (facts.size > f->s.file_bytes_max)
		too_large(f, l, r, facts.size, f->s.file_bytes_max);
	else
		answer_file(f, l, r, buf_span(&path), span_of(f->file, (size_t)got));
}
