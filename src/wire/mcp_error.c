#include "wire/mcp_error.h"
#include "wire/json_write.h"

void mcp_error_write(struct buf *b, struct span id, const struct mcp_fault *f)
{
	BUF_LIT(b, "{\"jsonrpc\":\"2.0\"");
	if (!span_absent(id)) {
		BUF_LIT(b, ",\"id\":");
		buf_put(b, id);
	}
	BUF_LIT(b, ",\"error\":{\"code\":");
	buf_i64(b, f->code);
	BUF_LIT(b, ",\"message\":\"");
	json_write_inner(b, f->text);
	if (!span_absent(f->where)) {
		BUF_LIT(b, ": ");
		json_write_inner(b, f->where);
	}
	BUF_LIT(b, "\"");
	if (!span_absent(f->data)) {
		BUF_LIT(b, ",\"data\":");
		buf_put(b, f->data);
	}
	BUF_LIT(b, "}}");
}
