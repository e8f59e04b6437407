#include "base/carve.h"
#include "base/text.h"
#include "conf/conf_priv.h"

enum { TOKENS_MAX = 32768 };

static const uint8_t seed[16]; /* the operator's own file: nobody in it attacks the hash of names */

static uint32_t tokens_for(size_t n)
{
	/* Every token but the first has at least a byte of its own and one that parts it from the next. */
	return n / 2 + 16 < TOKENS_MAX ? (uint32_t)(n / 2 + 16) : TOKENS_MAX;
}

/* Reader, tokens, texts of complaints, and strings with escapes, which are shorter than they were. */
size_t conf_arena_need(size_t n)
{
	return 64 + carve_up(sizeof(struct conf_reader)) + carve_up(json_table_need(tokens_for(n)))
		+ carve_up((size_t)CONF_LINES_MAX * CONF_LINE_SIZE) + carve_up(CONF_POINTERS_SIZE) + carve_up(n);
}

void conf_push(struct conf_reader *r, const struct conf_form *form, uint32_t object, void *to)
{
	if (r->njobs == CONF_JOBS_MAX)
		__builtin_trap(); /* the forms and their list bounds make this impossible */
	r->job[r->njobs++] = (struct conf_job){ form, object, to };
}

bool conf_given(const struct conf_form *form, uint32_t given, const char *name)
{
	for (unsigned i = 0; i < form->nmembers; i++)
		if (span_eq(form->members[i].name, span_z(name)))
			return (given >> i & 1) != 0;
	__builtin_trap(); /* no member of this form has ever this name */
}

uint32_t conf_member(const struct conf_reader *r, uint32_t object, const char *name)
{
	return json_get(&r->json, object, span_z(name));
}

uint32_t conf_member_name(const struct conf_reader *r, uint32_t object, const char *name)
{
	uint32_t value = conf_member(r, object, name);

	return value == JSON_NONE ? JSON_NONE : value - 1; /* tokens stand in file order */
}

/* ---- types ---- */

bool conf_expect(struct conf_reader *r, uint32_t value, enum json_type type, struct span right)
{
	struct buf *b;

	if (json_type(&r->json, value) == type)
		return true;
	b = conf_say(r, value);
	conf_found(r, b, value);
	BUF_LIT(b, "; this must be ");
	buf_put(b, right);
	conf_said(r);
	return false;
}

bool conf_text(struct conf_reader *r, uint32_t value, struct span right, size_t most, struct span *s)
{
	struct span in;
	size_t start = r->arena.n;

	if (!conf_expect(r, value, JSON_STRING, right))
		return false;
	in = json_inner(&r->json, value);
	if (in.n > 0 && memchr(in.p, '\\', in.n) != NULL) {
		json_text(&r->json, value, &r->arena);
		in = span_of(r->arena.p + start, r->arena.n - start);
	}
	for (size_t i = 0; i < in.n; i++)
		if ((unsigned char)in.p[i] < 0x20 || in.p[i] == 0x7F) {
			conf_complain(r, value, SPAN("there is a control character in this string; none of them means anything here"));
			return false;
		}
	if (in.n == 0 || in.n > most) {
		struct buf *b = conf_say(r, value);

		if (in.n == 0) {
			BUF_LIT(b, "found an empty string; this must be ");
			buf_put(b, right);
			BUF_LIT(b, ", and not empty");
		} else {
			BUF_LIT(b, "found a string of ");
			buf_u64(b, in.n);
			BUF_LIT(b, " bytes; at most ");
			buf_u64(b, most);
			BUF_LIT(b, " fit here");
		}
		conf_said(r);
		return false;
	}
	*s = in;
	return true;
}

static void number_text(struct buf *b, enum conf_type type, int64_t v)
{
	switch (type) {
	case CONF_SIZE:
		conf_size_text(b, (uint64_t)v);
		return;
	case CONF_DURATION:
		conf_duration_text(b, v);
		return;
	case CONF_BOOL:
	case CONF_COUNT:
	case CONF_STRING:
	case CONF_OBJECT:
	case CONF_LIST:
	case CONF_ANY:
	case CONF_NAMED:
	case CONF_FILE_REF:
	case CONF_SECRET_REF:
	case CONF_LATER:
	default:
		buf_i64(b, v);
	}
}

static void store_number(const struct conf_member *m, void *to, int64_t v)
{
	char *at = (char *)to + m->offset;
	uint32_t count = (uint32_t)v;
	uint64_t size = (uint64_t)v;
	bool on = v != 0;

	if (m->type == CONF_BOOL)
		memcpy(at, &on, sizeof on);
	else if (m->type == CONF_COUNT)
		memcpy(at, &count, sizeof count);
	else if (m->type == CONF_SIZE)
		memcpy(at, &size, sizeof size);
	else if (m->type == CONF_DURATION)
		memcpy(at, &v, sizeof v);
}

static void read_number(struct conf_reader *r, const struct conf_member *m, uint32_t value, void *to)
{
	const struct json *j = &r->json;
	struct span s = SPAN("");
	uint64_t size = 0;
	int64_t v = 0;
	bool right = false;
	struct buf *b;

	if (json_type(j, value) == JSON_STRING)
		s = json_inner(j, value);
	if (m->type == CONF_DURATION)
		right = conf_duration(s, &v);
	else if (json_int(j, value, &v))
		right = true;
	else if (m->type == CONF_SIZE && conf_size(s, &size)) {
		v = (int64_t)size;
		right = true;
	}
	if (right && v >= m->least && v <= m->most) {
		store_number(m, to, v);
		return;
	}
	b = conf_say(r, value);
	conf_found(r, b, value);
	if (!right && m->type == CONF_DURATION)
		BUF_LIT(b, "; this must be a duration in a string, a whole number and ms, s, m or h, such as \"15s\"; it may be from ");
	else if (!right && m->type == CONF_SIZE)
		BUF_LIT(b, "; this must be a size in bytes, such as 4096, \"64k\" or \"1m\"; it may be from ");
	else if (!right)
		BUF_LIT(b, "; this must be a whole number from ");
	else
		BUF_LIT(b, "; it may be from ");
	number_text(b, m->type, m->least);
	BUF_LIT(b, " to ");
	number_text(b, m->type, m->most);
	conf_said(r);
}

static void read_member(struct conf_reader *r, const struct conf_member *m, uint32_t name, uint32_t value, void *to)
{
	struct span s;

	switch (m->type) {
	case CONF_LATER: {
		struct buf *b = conf_say(r, name);

		BUF_LIT(b, "\"");
		buf_put(b, m->name);
		BUF_LIT(b, "\" is not in this version of Postern; take it out: nothing here would obey it");
		conf_said(r);
		return;
	}
	case CONF_BOOL: {
		enum json_type type = json_type(&r->json, value);
		bool on = type == JSON_TRUE;

		if (on || type == JSON_FALSE)
			memcpy((char *)to + m->offset, &on, sizeof on);
		else
			(void)conf_expect(r, value, JSON_TRUE, SPAN("true or false"));
		return;
	}
	case CONF_COUNT:
	case CONF_SIZE:
	case CONF_DURATION:
		read_number(r, m, value, to);
		return;
	case CONF_STRING:
		if (conf_text(r, value, SPAN("a string"), (size_t)m->most, &s))
			m->text(r, value, s, (char *)to + m->offset);
		return;
	case CONF_OBJECT:
		if (!conf_expect(r, value, JSON_OBJECT, SPAN("an object {...}")))
			return;
		if (m->walk != NULL)
			m->walk(r, value, to);
		else
			conf_push(r, m->form, value, (char *)to + m->offset);
		return;
	case CONF_LIST:
		if (conf_expect(r, value, JSON_ARRAY, SPAN("a list [...]")))
			m->walk(r, value, to);
		return;
	case CONF_ANY:
		m->walk(r, value, to);
		return;
	case CONF_NAMED:
		if (conf_expect(r, value, JSON_ARRAY, SPAN("a list [...]")))
			conf_named(r, value, m->naming, (uint64_t *)(void *)((char *)to + m->offset));
		return;
	case CONF_FILE_REF:
	case CONF_SECRET_REF:
		conf_file_ref(r, value, m->type == CONF_SECRET_REF, (struct conf_file *)(void *)((char *)to + m->offset));
		return;
	}
}

/* ---- forms ---- */

static const struct conf_member *find(const struct conf_form *form, const struct json *j, uint32_t name)
{
	for (unsigned i = 0; i < form->nmembers; i++)
		if (json_is(j, name, form->members[i].name))
			return &form->members[i];
	return NULL;
}

static void unknown(struct conf_reader *r, const struct conf_form *form, uint32_t name)
{
	struct span found = json_inner(&r->json, name), near = SPAN("");
	unsigned best = found.n <= 3 ? 1 : found.n <= 8 ? 2 : 3;
	const struct conf_form *home = NULL;
	struct buf *b = conf_say(r, name);

	best++;
	for (unsigned i = 0; i < form->nmembers; i++) {
		unsigned d = text_distance(found, form->members[i].name, best - 1);

		if (d < best && form->members[i].type != CONF_LATER) {
			best = d;
			near = form->members[i].name;
		}
	}
	for (unsigned i = 0; i < conf_nforms && home == NULL; i++)
		if (conf_forms[i] != form && find(conf_forms[i], &r->json, name) != NULL)
			home = conf_forms[i];
	BUF_LIT(b, "unknown member \"");
	conf_shown(b, found, 64);
	BUF_LIT(b, "\"");
	if (near.n > 0) {
		BUF_LIT(b, "; did you mean \"");
		buf_put(b, near);
		BUF_LIT(b, "\"?");
	} else if (home != NULL) {
		BUF_LIT(b, "; it does not belong here but in ");
		buf_put(b, home->where);
	} else {
		BUF_LIT(b, "; ");
		buf_put(b, form->where);
		BUF_LIT(b, " has: ");
		for (unsigned i = 0, n = 0; i < form->nmembers; i++) {
			if (form->members[i].type == CONF_LATER || form->members[i].name.p[0] == '$')
				continue;
			if (n++ > 0)
				BUF_LIT(b, ", ");
			buf_put(b, form->members[i].name);
		}
	}
	conf_said(r);
}

static void read_form(struct conf_reader *r, const struct conf_job *job)
{
	const struct conf_form *form = job->form;
	const struct json *j = &r->json;
	uint32_t given = 0;

	for (unsigned i = 0; i < form->nmembers; i++)
		store_number(&form->members[i], job->to, form->members[i].def);
	if (!conf_expect(r, job->object, JSON_OBJECT, SPAN("an object {...}")))
		return;
	for (uint32_t name = json_first(j, job->object); name != JSON_NONE; name = json_next(j, job->object, name)) {
		const struct conf_member *m = find(form, j, name);

		if (m == NULL) {
			unknown(r, form, name);
			continue;
		}
		given |= UINT32_C(1) << (m - form->members);
		read_member(r, m, name, json_value(j, name), job->to);
	}
	for (unsigned i = 0; i < form->nmembers; i++)
		if (form->members[i].required && (given >> i & 1) == 0) {
			struct buf *b = conf_say(r, job->object);

			BUF_LIT(b, "member \"");
			buf_put(b, form->members[i].name);
			BUF_LIT(b, "\" is missing; ");
			buf_put(b, form->where);
			BUF_LIT(b, " needs it");
			if (form->members[i].hint.n > 0) {
				BUF_LIT(b, ": ");
				buf_put(b, form->members[i].hint);
			}
			conf_said(r);
		}
	if (form->whole != NULL)
		form->whole(r, job->object, job->to, given);
}

/* Members that were not given still need their numbers. */
static void defaults(struct conf *c)
{
	for (unsigned f = 0; f < conf_nforms; f++)
		if (conf_forms[f]->at_root)
			for (unsigned i = 0; i < conf_forms[f]->nmembers; i++)
				store_number(&conf_forms[f]->members[i], c, conf_forms[f]->members[i].def);
}

bool conf_read(struct conf *c, struct span file, struct span text, void *arena, size_t arena_size, struct buf *errors)
{
	char *at = arena;
	struct conf_reader *r;
	enum json_error e;
	size_t where = 0;
	uint32_t tokens = tokens_for(text.n);

	memset(c, 0, sizeof *c);
	c->file = file;
	if (file.n > CONF_FILE_NAME_MAX || arena_size < conf_arena_need(text.n) || text.n > JSON_TEXT_MAX) {
		BUF_LIT(errors, "the configuration or its name is too large\n");
		return false;
	}
	at += -(uintptr_t)at & 63;
	r = (struct conf_reader *)(void *)at;
	memset(r, 0, sizeof *r);
	at += carve_up(sizeof *r);
	r->c = c;
	e = json_read(&r->json, json_table_place(at, tokens, seed), text, &where);
	at += carve_up(json_table_need(tokens));
	r->said = buf_on(at, 0);
	at += carve_up((size_t)CONF_LINES_MAX * CONF_LINE_SIZE);
	r->pointers = buf_on(at, CONF_POINTERS_SIZE);
	at += carve_up(CONF_POINTERS_SIZE);
	r->arena = buf_on(at, text.n);
	if (e != JSON_OK) {
		conf_not_json(errors, file, text, e, where);
		return false;
	}
	defaults(c);
	conf_push(r, &conf_form_root, JSON_ROOT, c);
	/* Jobs add jobs; the queue's size bounds them all. */
	for (unsigned i = 0; i < r->njobs; i++)
		read_form(r, &r->job[i]);
	conf_cross(r);
	if (r->arena.full)
		__builtin_trap(); /* conf_arena_need() was wrong */
	if (r->nlines == 0)
		return true;
	conf_write_lines(r, errors);
	return false;
}
