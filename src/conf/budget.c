#include "conf/budget.h"

#include "wire/json_write.h"

enum { WHAT_WIDTH = 38, EACH_WIDTH = 12, COUNT_WIDTH = 10, BYTES_WIDTH = 16 };

void budget_part(struct budget *b, struct span role, struct span name, uint64_t processes, uint64_t generations)
{
	if (b->nparts == BUDGET_PARTS_MAX) {
		b->overflow = true;
		return;
	}
	b->part[b->nparts++] = (struct budget_part){ role, name, processes, generations, b->nrows, 0, 0 };
}

void budget_row(struct budget *b, struct span what, uint64_t each, uint64_t count)
{
	struct budget_part *p;
	uint64_t bytes, all, reload;

	if (b->nparts == 0 || b->nrows == BUDGET_ROWS_MAX) {
		b->overflow = true;
		return;
	}
	p = &b->part[b->nparts - 1];
	if (__builtin_mul_overflow(each, count, &bytes) || __builtin_add_overflow(p->bytes, bytes, &p->bytes)
		|| __builtin_mul_overflow(bytes, p->processes == 0 ? 1 : p->processes, &all) || __builtin_add_overflow(b->total, all, &b->total)
		|| __builtin_mul_overflow(all, p->generations, &reload) || __builtin_add_overflow(b->reload_total, reload, &b->reload_total)) {
		b->overflow = true;
		return;
	}
	b->row[b->nrows++] = (struct budget_row){ what, each, count, bytes };
	p->nrows++;
}

bool budget_close(struct budget *b, uint64_t need)
{
	uint64_t have = b->nparts == 0 ? 0 : b->part[b->nparts - 1].bytes;

	if (have > need)
		return false;
	if (have < need)
		budget_row(b, SPAN("bookkeeping and alignment"), need - have, 1);
	return true;
}

/* ---- for people ---- */

static void left(struct buf *out, struct span s, size_t width)
{
	buf_put(out, s);
	for (size_t i = s.n; i < width; i++)
		buf_char(out, ' ');
}

static void right(struct buf *out, struct span s, size_t width)
{
	for (size_t i = s.n; i < width; i++)
		buf_char(out, ' ');
	buf_put(out, s);
}

static void sum(struct buf *out, struct span indent, struct span what, uint64_t bytes)
{
	buf_put(out, indent);
	left(out, what, WHAT_WIDTH - indent.n + EACH_WIDTH + COUNT_WIDTH);
	buf_u64_pad(out, bytes, BYTES_WIDTH);
	buf_char(out, '\n');
}

static struct span title(const struct budget_part *p, char *mem, size_t size)
{
	struct buf b = buf_on(mem, size);

	buf_put(&b, p->role);
	if (!span_absent(p->name)) {
		buf_char(&b, ' ');
		buf_put(&b, p->name);
	}
	return buf_span(&b);
}

static void part_text(struct buf *out, const struct budget *b, const struct budget_part *p)
{
	char mem[96], line[128];
	struct span name = title(p, mem, sizeof mem);
	struct buf l = buf_on(line, sizeof line);

	buf_char(out, '\n');
	buf_put(out, name);
	if (p->processes > 1) {
		BUF_LIT(out, ", ");
		buf_u64(out, p->processes);
		BUF_LIT(out, " processes");
	}
	buf_char(out, '\n');
	for (unsigned i = p->first; i < p->first + p->nrows; i++) {
		BUF_LIT(out, "  ");
		left(out, b->row[i].what, WHAT_WIDTH - 2);
		buf_u64_pad(out, b->row[i].each, EACH_WIDTH);
		buf_u64_pad(out, b->row[i].count, COUNT_WIDTH);
		buf_u64_pad(out, b->row[i].bytes, BYTES_WIDTH);
		buf_char(out, '\n');
	}
	if (p->processes <= 1) {
		sum(out, SPAN("  "), SPAN("together"), p->bytes);
		return;
	}
	sum(out, SPAN("  "), SPAN("each process"), p->bytes);
	BUF_LIT(&l, "all ");
	buf_u64(&l, p->processes);
	sum(out, SPAN("  "), buf_span(&l), p->bytes * p->processes);
}

void budget_write_text(struct buf *out, const struct budget *b)
{
	left(out, SPAN("what"), WHAT_WIDTH);
	right(out, SPAN("each"), EACH_WIDTH);
	right(out, SPAN("count"), COUNT_WIDTH);
	right(out, SPAN("bytes"), BYTES_WIDTH);
	buf_char(out, '\n');
	for (unsigned i = 0; i < b->nparts; i++)
		part_text(out, b, &b->part[i]);
	buf_char(out, '\n');
	sum(out, SPAN(""), SPAN("total, worst case"), b->total);
	sum(out, SPAN(""), SPAN("total while reloads overlap"), b->reload_total);
}

/* ---- for programs ---- */

static void member(struct buf *out, struct span name, uint64_t v)
{
	BUF_LIT(out, ",\"");
	buf_put(out, name);
	BUF_LIT(out, "\":");
	buf_u64(out, v);
}

void budget_write_json(struct buf *out, const struct budget *b)
{
	BUF_LIT(out, "{\"parts\":[");
	for (unsigned i = 0; i < b->nparts; i++) {
		const struct budget_part *p = &b->part[i];

		buf_put(out, i > 0 ? SPAN(",{\"role\":") : SPAN("{\"role\":"));
		json_write_string(out, p->role);
		if (!span_absent(p->name)) {
			BUF_LIT(out, ",\"name\":");
			json_write_string(out, p->name);
		}
		member(out, SPAN("processes"), p->processes);
		member(out, SPAN("generations"), p->generations);
		BUF_LIT(out, ",\"rows\":[");
		for (unsigned k = p->first; k < p->first + p->nrows; k++) {
			buf_put(out, k > p->first ? SPAN(",{\"what\":") : SPAN("{\"what\":"));
			json_write_string(out, b->row[k].what);
			member(out, SPAN("each"), b->row[k].each);
			member(out, SPAN("count"), b->row[k].count);
			member(out, SPAN("bytes"), b->row[k].bytes);
			BUF_LIT(out, "}");
		}
		BUF_LIT(out, "]");
		member(out, SPAN("bytes"), p->bytes);
		BUF_LIT(out, "}");
	}
	BUF_LIT(out, "]");
	member(out, SPAN("total"), b->total);
	member(out, SPAN("reload_total"), b->reload_total);
	BUF_LIT(out, "}\n");
}
