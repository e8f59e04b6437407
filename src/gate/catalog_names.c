#include "gate/catalog.h"

#include "wire/json_string.h"
#include "wire/json_write.h"

/* Open addressing in twice as many places as there may be names: a search ends at a free one. */
static uint64_t *table_of(struct catalog *c, enum catalog_kind kind, size_t *places)
{
	*places = kind == CATALOG_TOOL ? sizeof c->tool_names / sizeof c->tool_names[0] : sizeof c->prompt_names / sizeof c->prompt_names[0];
	return kind == CATALOG_TOOL ? c->tool_names : c->prompt_names;
}

static size_t search(const uint64_t *table, size_t places, uint64_t hash)
{
	size_t at = hash & (places - 1);

	while (table[at] != 0 && table[at] != hash)
		at = (at + 1) & (places - 1);
	return at;
}

/* 0: it cannot be a name. */
static uint64_t hash_of(const struct catalog *c, struct span name)
{
	char mem[MCP_NAME_MAX * 6];
	struct buf text = buf_on(mem, sizeof mem);
	uint64_t hash;

	if (name.n == 0 || name.n > MCP_NAME_MAX)
		return 0;
	json_write_inner(&text, name); /* the hash is one of JSON text */
	hash = json_string_hash(c->key, buf_span(&text));
	return hash != 0 ? hash : 1;
}

void catalog_learn_name(struct catalog *c, enum catalog_kind kind, struct span name)
{
	size_t places, at;
	uint64_t *table = table_of(c, kind, &places), hash = hash_of(c, name);

	if (hash == 0)
		return;
	at = search(table, places, hash);
	if (table[at] == hash)
		return;
	if (c->nnames[kind] == places / 2) {
		c->names_cut[kind] = true;
		return;
	}
	table[at] = hash;
	c->nnames[kind]++;
}

bool catalog_has_name(const struct catalog *c, enum catalog_kind kind, struct span name)
{
	uint64_t hash = hash_of(c, name);

	if (kind == CATALOG_TOOL)
		return hash != 0 && c->tool_names[search(c->tool_names, sizeof c->tool_names / sizeof c->tool_names[0], hash)] == hash;
	return hash != 0 && c->prompt_names[search(c->prompt_names, sizeof c->prompt_names / sizeof c->prompt_names[0], hash)] == hash;
}

void catalog_keep_names(struct catalog *c, enum catalog_kind kind, const struct catalog *from)
{
	c->nnames[kind] = from->nnames[kind];
	c->names_cut[kind] = from->names_cut[kind];
	if (kind == CATALOG_TOOL)
		memcpy(c->tool_names, from->tool_names, sizeof c->tool_names);
	else
		memcpy(c->prompt_names, from->prompt_names, sizeof c->prompt_names);
}
