#include "conf/conf_priv.h"

#define MB (INT64_C(1024) * 1024)

/* MCP servers that Postern starts: the program, what it is given, what it may. */

/* A list of strings, which may be empty ones if `empty`. */
static void strings(struct conf_reader *r, uint32_t list, bool empty, unsigned most, struct span right, struct span *to, unsigned *n)
{
	if (json_size(&r->json, list) > most) {
		conf_wrong_number(r, list, json_size(&r->json, list), right);
		return;
	}
	for (uint32_t e = json_first(&r->json, list); e != JSON_NONE; e = json_next(&r->json, list, e)) {
		struct span s = SPAN("");

		if ((empty && json_is(&r->json, e, SPAN(""))) || conf_text(r, e, SPAN("a string"), 4000, &s))
			to[(*n)++] = s;
	}
}

void conf_walk_args(struct conf_reader *r, uint32_t value, void *server)
{
	struct conf_server *v = server;

	strings(r, value, true, CONF_ARGS_MAX, SPAN("arguments; 64 fit"), v->args, &v->nargs);
}

void conf_walk_read(struct conf_reader *r, uint32_t value, void *server)
{
	struct conf_server *v = server;

	v->read_given = true;
	strings(r, value, false, CONF_ROOTS_MAX, SPAN("directories and files; 16 fit"), v->read, &v->nread);
}

void conf_walk_write(struct conf_reader *r, uint32_t value, void *server)
{
	struct conf_server *v = server;

	v->write_given = true;
	strings(r, value, false, CONF_ROOTS_MAX, SPAN("directories and files; 16 fit"), v->write, &v->nwrite);
}

void conf_walk_network(struct conf_reader *r, uint32_t value, void *server)
{
	struct conf_server *v = server;

	v->offline = json_type(&r->json, value) == JSON_FALSE;
	if (!v->offline)
		(void)conf_expect(r, value, JSON_TRUE, SPAN("true or false"));
}

void conf_walk_ask(struct conf_reader *r, uint32_t value, void *server)
{
	static const char *const word[] = { "elicitation", "sampling", "roots" };
	struct conf_server *v = server;
	struct span s;

	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e)) {
		int i;

		if (!conf_text(r, e, SPAN("a string"), 64, &s))
			continue;
		i = conf_choice(r, e, s, word, 3, SPAN("a server may ask for \"elicitation\", \"sampling\" and \"roots\""));
		if (i >= 0)
			v->ask |= 1U << i;
	}
}

static bool variable_ok(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char l = span_lower(s.p[i]);

		if (!(l >= 'a' && l <= 'z') && s.p[i] != '_' && (i == 0 || s.p[i] < '0' || s.p[i] > '9'))
			return false;
	}
	return s.n > 0;
}

void conf_walk_env(struct conf_reader *r, uint32_t value, void *server)
{
	struct conf_server *v = server;

	if (json_size(&r->json, value) > CONF_ENV_MAX) {
		conf_wrong_number(r, value, json_size(&r->json, value), SPAN("variables; 32 fit"));
		return;
	}
	for (uint32_t n = json_first(&r->json, value); n != JSON_NONE; n = json_next(&r->json, value, n)) {
		uint32_t at = json_value(&r->json, n);
		struct conf_env e = { .value = SPAN("") };

		if (!conf_text(r, n, SPAN("a name"), 128, &e.name))
			continue;
		if (!variable_ok(e.name)) {
			conf_complain(r, n, SPAN("a variable is named with letters, digits and _, no digit in front"));
			continue;
		}
		if (json_type(&r->json, at) == JSON_OBJECT)
			conf_file_ref(r, at, true, &e.secret);
		else if (!json_is(&r->json, at, SPAN(""))
			&& !conf_text(r, at, SPAN("a string, or {\"file\": \"/run/secrets/name\"} for a secret"), 8192, &e.value))
			continue;
		v->env[v->nenv++] = e;
	}
}

static const struct conf_member limits_members[] = {
	{ MEMBER(conf_server, limits.memory, "memory", CONF_SIZE), .least = 16 * MB, .most = 1024 * 1024 * MB },
	{ MEMBER(conf_server, limits.cpu_ms, "cpu", CONF_DURATION), .least = SECOND, .most = 24 * 365 * HOUR },
	{ MEMBER(conf_server, limits.files, "files", CONF_COUNT), .least = 16, .most = 1048576, .def = 1024 },
	{ MEMBER(conf_server, limits.processes, "processes", CONF_COUNT), .least = 1, .most = 1048576 },
};
const struct conf_form conf_form_limits = {
	.where = SPAN_INIT("limits of a server"), .members = limits_members, .nmembers = COUNT_OF(limits_members)
};
