#include "gate/catalog_schema.h"

#define ANNOTATION SPAN("x-mcp-header")

enum shape { SCHEMA, SCHEMAS, MAP };

/* JSON Schema 2020-12, and the words of older drafts that held schemas. Whatever is not listed holds data. */
static const struct {
	struct span word;
	enum shape shape;
} keywords[] = {
	{ { "properties", 10 }, MAP },
	{ { "items", 5 }, SCHEMA },
	{ { "additionalProperties", 20 }, SCHEMA },
	{ { "anyOf", 5 }, SCHEMAS },
	{ { "oneOf", 5 }, SCHEMAS },
	{ { "allOf", 5 }, SCHEMAS },
	{ { "$defs", 5 }, MAP },
	{ { "definitions", 11 }, MAP },
	{ { "not", 3 }, SCHEMA },
	{ { "if", 2 }, SCHEMA },
	{ { "then", 4 }, SCHEMA },
	{ { "else", 4 }, SCHEMA },
	{ { "contains", 8 }, SCHEMA },
	{ { "prefixItems", 11 }, SCHEMAS },
	{ { "propertyNames", 13 }, SCHEMA },
	{ { "patternProperties", 17 }, MAP },
	{ { "dependentSchemas", 16 }, MAP },
	{ { "unevaluatedItems", 16 }, SCHEMA },
	{ { "unevaluatedProperties", 21 }, SCHEMA },
	{ { "contentSchema", 13 }, SCHEMA },
	{ { "additionalItems", 15 }, SCHEMA },
	{ { "dependencies", 12 }, MAP },
};

struct step {
	uint32_t container;
	uint32_t child;     /* next to be looked at */
	enum shape shape;
	bool reached;       /* from the root by `properties` alone */
	uint8_t depth;      /* how many property names lead here */
};

/* One way down the document, and the property names on it. */
struct walk {
	const struct json *j;
	struct step steps[JSON_DEPTH_MAX];
	unsigned nsteps;
	uint32_t path[JSON_DEPTH_MAX];
};

static bool is_suffix_taken(const struct catalog_finding *f, struct span suffix)
{
	for (unsigned i = 0; i < f->n; i++)
		if (span_ieq(f->found[i].suffix, suffix))
			return true;
	return false;
}

static bool read_type(enum catalog_type *type, const struct json *j, uint32_t token)
{
	if (json_is(j, token, SPAN("string")))
		*type = CATALOG_STRING;
	else if (json_is(j, token, SPAN("integer")))
		*type = CATALOG_INTEGER;
	else if (json_is(j, token, SPAN("boolean")))
		*type = CATALOG_BOOLEAN;
	else
		return false;
	return true;
}

/* What is wrong with the annotation of this schema; absent if nothing is, and then it is taken down. */
static struct span annotated(struct catalog_finding *f, const struct walk *w, const struct step *s, uint32_t annotation)
{
	struct buf text = buf_on(f->text + f->ntext, sizeof f->text - f->ntext);
	struct catalog_found *found = &f->found[f->n];

	if (!s->reached || s->depth == 0)
		return SPAN("x-mcp-header where `properties` alone do not lead");
	if (s->depth > CATALOG_PATH_MAX)
		return SPAN("x-mcp-header more than 8 properties deep");
	if (f->n == CATALOG_FOUND_MAX)
		return SPAN("x-mcp-header more than 64 times");
	if (json_type(w->j, annotation) != JSON_STRING)
		return SPAN("x-mcp-header is not a string");
	json_text(w->j, annotation, &text);
	if (text.full || text.n > CATALOG_SUFFIX_MAX)
		return SPAN("x-mcp-header is longer than 128 bytes, or all together than 4096");
	found->suffix = buf_span(&text);
	if (!http_token_ok(found->suffix))
		return SPAN("x-mcp-header is not a token");
	if (is_suffix_taken(f, found->suffix))
		return SPAN("x-mcp-header is the same for two parameters");
	if (!read_type(&found->type, w->j, json_get(w->j, s->container, SPAN("type"))))
		return SPAN("x-mcp-header on something other than one string, integer or boolean");
	found->depth = s->depth;
	memcpy(found->path, w->path, s->depth * sizeof w->path[0]);
	f->ntext += text.n;
	f->n++;
	return span_of(NULL, 0);
}

/* Goes down into a value if there can be schemas in it. */
static void enter(struct walk *w, uint32_t value, enum shape shape, bool reached, uint8_t depth)
{
	enum json_type type = json_type(w->j, value);

	/* One schema or an array of them: older drafts allow either in `items`, and looking costs nothing. */
	if (shape != MAP && type == JSON_ARRAY)
		shape = SCHEMAS;
	else if (shape == SCHEMAS && type == JSON_OBJECT)
		shape = SCHEMA;
	else if (type != JSON_OBJECT)
		return;
	/* A step is a level of the document: json_check() let no more than JSON_DEPTH_MAX pass. */
	if (w->nsteps < JSON_DEPTH_MAX)
		w->steps[w->nsteps++] = (struct step){ value, json_first(w->j, value), shape, reached, depth };
}

/* A member of a schema object. */
static void keyword(struct walk *w, const struct step *s, uint32_t name)
{
	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
		if (json_is(w->j, name, keywords[i].word)) {
			enter(w, json_value(w->j, name), keywords[i].shape, s->reached && i == 0, s->depth);
			return;
		}
	}
}

/* A named schema of a map. Only `properties` are reached at all, and their names make the path. */
static void named(struct walk *w, const struct step *s, uint32_t name)
{
	if (s->depth < JSON_DEPTH_MAX)
		w->path[s->depth] = name;
	enter(w, json_value(w->j, name), SCHEMA, s->reached, (uint8_t)(s->depth + 1));
}

enum catalog_verdict catalog_schema_walk(struct catalog_finding *f, const struct json *j, uint32_t schema, struct span *why)
{
	struct walk w;

	w.j = j;
	w.nsteps = 0;
	f->n = 0;
	f->ntext = 0;
	enter(&w, schema, SCHEMA, true, 0);
	while (w.nsteps > 0) {
		struct step *s = &w.steps[w.nsteps - 1];
		uint32_t child = s->child;

		if (child == JSON_NONE) {
			w.nsteps--;
			continue;
		}
		if (s->shape == SCHEMA && child == json_first(j, s->container)) {
			uint32_t annotation = json_get(j, s->container, ANNOTATION);
			struct span wrong = annotation == JSON_NONE ? span_of(NULL, 0) : annotated(f, &w, s, annotation);

			if (!span_absent(wrong)) {
				*why = wrong;
				return CATALOG_INVALID;
			}
		}
		s->child = json_next(j, s->container, child);
		if (s->shape == SCHEMA)
			keyword(&w, s, child);
		else if (s->shape == MAP)
			named(&w, s, child);
		else
			enter(&w, child, SCHEMA, false, s->depth);
	}
	return f->n > 0 ? CATALOG_MIRRORS : CATALOG_PLAIN;
}
