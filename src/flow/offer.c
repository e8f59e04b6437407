/* Names that cannot be offered. An upstream is free in what it calls its tools; what would be too long, not to be seen, or not to be told from
 * another is left out here, and the rest of its list is served. */
#include "flow/flow_priv.h"
#include "gate/names.h"

static size_t room(const struct upstream *up, enum catalog_kind kind)
{
	uint32_t most = up->f->set->name_max;

	if (kind == CATALOG_PROMPT || most == 0 || most > MCP_NAME_MAX)
		most = MCP_NAME_MAX;
	return most > up->prefix.n ? most - up->prefix.n : 0;
}

struct span offer_unfit(const struct upstream *up, enum catalog_kind kind, struct span name)
{
	struct span why = names_unfit(kind, name, room(up, kind));

	if (span_absent(why) && kind == CATALOG_TOOL && up->catalog_state == CATALOG_KNOWN && catalog_has_twin(up->catalog, name))
		why = SPAN("there is another whose name differs only by case");
	return why;
}

void offer_begin(struct upstream *up)
{
	up->left_out.n = 0;
	up->left_out.mark = 0;
}

static void note(struct upstream *up, enum catalog_kind kind, struct span name, struct span why)
{
	struct buf text = buf_on(up->left_out.text, sizeof(up->left_out.text));

	up->left_out.mark += 1 + catalog_name_hash(up->staging, name);
	if (up->left_out.n++ > 0)
		return;
	buf_put(&text, kind == CATALOG_TOOL ? SPAN("the tool \"") : SPAN("the prompt \""));
	buf_put(&text, name);
	BUF_LIT(&text, "\": ");
	buf_put(&text, why);
	up->left_out.text_n = (uint32_t)text.n;
}

bool offer_learn(struct upstream *up, enum catalog_kind kind, uint32_t entry)
{
	char mem[MCP_NAME_MAX];
	struct buf name = buf_on(mem, sizeof(mem));

	json_text(&up->f->json, json_get(&up->f->json, entry, SPAN("name")), &name);
	if (name.full || name.n == 0)
		return true; /* no name: others see to that */
	struct span why = names_unfit(kind, buf_span(&name), room(up, kind));
	if (span_absent(why) && kind == CATALOG_TOOL && !catalog_learn_spelling(up->staging, buf_span(&name)))
		why = SPAN("there is another whose name differs only by case");
	if (span_absent(why))
		return true;
	note(up, kind, buf_span(&name), why);
	return false;
}

void offer_without(struct upstream *up, uint32_t tool, struct span why)
{
	char mem[MCP_NAME_MAX];
	struct buf name = buf_on(mem, sizeof(mem));

	json_text(&up->f->json, json_get(&up->f->json, tool, SPAN("name")), &name);
	note(up, CATALOG_TOOL, buf_span(&name), why);
}

void offer_say(struct upstream *up)
{
	char mem[384];
	struct buf text = buf_on(mem, sizeof(mem));

	if (up->left_out.mark == up->left_out.said)
		return;
	up->left_out.said = up->left_out.mark;
	if (up->left_out.n == 0)
		return;
	metrics_add(up->f->metrics, METRIC_NAMES_LEFT_OUT, up->left_out.n);
	buf_u64(&text, up->left_out.n);
	BUF_LIT(&text, " cannot be offered; first ");
	buf_put(&text, span_of(up->left_out.text, up->left_out.text_n));
	flow_log(up->f, SPAN("names are left out of upstream"), up->set->name, buf_span(&text));
}
