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

uint64_t catalog_name_hash(const struct catalog *c, struct span name)
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
	uint64_t *table = table_of(c, kind, &places), hash = catalog_name_hash(c, name);

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
	uint64_t hash = catalog_name_hash(c, name);

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

/* ---- names that differ only by case ---- */

enum { TWIN = 1, EXACT_BITS = 20 }; /* a place: hash without case | 20 bits of the hash as it is | has a twin */
#define FOLDED_MASK (~(uint64_t)0 << (EXACT_BITS + 1))

static uint64_t spelling_of(const struct catalog *c, struct span name)
{
	char mem[MCP_NAME_MAX];
	uint64_t exact = catalog_name_hash(c, name), folded;

	if (exact == 0)
		return 0;
	for (size_t i = 0; i < name.n; i++)
		mem[i] = span_lower(name.p[i]);
	folded = catalog_name_hash(c, span_of(mem, name.n));
	return (folded & FOLDED_MASK) | (exact << 1 & ~FOLDED_MASK) | 1u << EXACT_BITS; /* never 0, nor less than one place */
}

/* The place of the name whatever its case, or a free one. */
static size_t spelled(const struct catalog *c, uint64_t spelling)
{
	size_t places = sizeof c->spellings / sizeof c->spellings[0], at = spelling >> (EXACT_BITS + 1) & (places - 1);

	while (c->spellings[at] != 0 && ((c->spellings[at] ^ spelling) & FOLDED_MASK) != 0)
		at = (at + 1) & (places - 1);
	return at;
}

bool catalog_learn_spelling(struct catalog *c, struct span name)
{
	uint64_t spelling = spelling_of(c, name);
	size_t at = spelled(c, spelling);

	if (spelling == 0)
		return true;
	if (c->spellings[at] == 0) {
		if (c->nspellings < CATALOG_TOOL_NAMES_MAX) {
			c->spellings[at] = spelling;
			c->nspellings++;
		}
		return true;
	}
	if (((c->spellings[at] ^ spelling) & ~(uint64_t)TWIN) != 0)
		c->spellings[at] |= TWIN;
	return (c->spellings[at] & TWIN) == 0;
}

bool catalog_has_twin(const struct catalog *c, struct span name)
{
	uint64_t spelling = spelling_of(c, name);

	return spelling != 0 && (c->spellings[spelled(c, spelling)] & TWIN) != 0;
}
