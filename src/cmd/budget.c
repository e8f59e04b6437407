#include "cmd/budget.h"

#include <stdio.h>

#include "cmd/load.h"
#include "conf/budget.h"
#include "flow/broker_client.h"
#include "os/jail.h"
#include "os/map.h"
#include "role/broker.h"
#include "role/desk.h"
#include "role/elder.h"
#include "role/house.h"
#include "role/keeper.h"
#include "role/listen.h"
#include "role/bridge.h"
#include "role/launcher.h"
#include "role/program.h"
#include "role/provider.h"
#include "role/stdio.h"
#include "role/worker.h"

static const char usage[] =
	"usage: postern budget -c FILE [--stdio] [--json]\n"
	"  Prints what this configuration reserves at start, per process, the worst case, in bytes. Memory that was never used is not resident.\n"
	"  With --stdio, or if it has no listeners, what `postern stdio` reserves.\n"
	"  exit: 0 printed, 1 the configuration is wrong, 2 wrong usage, 3 it cannot be read\n";

enum {
	OUT_SIZE = 64 * 1024
};

static void add_row(void *to, struct span what, uint64_t each, uint64_t count)
{
	budget_row(to, what, each, count);
}

/* What a role has besides: its copy of the program's variables, laid out by the linker, and a stack. */
extern const char __bss_start[], _end[];

static void add_variables(struct budget *b)
{
	budget_row(b, SPAN("static variables"), (uint64_t)((uintptr_t)_end - (uintptr_t)__bss_start), 1);
}

static void add_process(struct budget *b)
{
	add_variables(b);
	budget_row(b, SPAN("stack, at most"), JAIL_STACK, 1);
}

static bool fill(struct budget *b, const struct config *l)
{
	static struct flow_settings flow;
	static struct material material; /* sizes depend on what the configuration names, not on what is in the files */
	const struct conf *c = l->conf;
	unsigned users = c->door ? 1 : LISTEN_USERS; /* `postern stdio` reads its configuration once */
	bool sums;

	worker_settings(c, &material, &flow);
	budget_part(b, SPAN("worker"), span_of(NULL, 0), c->workers, users);
	flow_budget(&flow, add_row, b);
	sums = budget_close(b, flow_need(&flow));
	if (broker_wanted(c))
		broker_client_budget(&flow, add_row, b);
	if (worker_heads_need(c) > 0)
		budget_row(b, SPAN("head lines for upstreams"), worker_heads_need(c), 1);
	add_process(b);
	for (unsigned i = 0; i < c->nservers; i++) {
		struct files_settings files;

		if (c->servers[i].kind != CONF_FILES)
			continue;
		provider_settings(c, i, &files);
		if (!span_absent(c->servers[i].prompts))
			files.prompts_fd = 0; /* only whether there is one counts here */
		budget_part(b, SPAN("provider"), c->servers[i].name, 1, users);
		budget_row(b, SPAN("links, calls, buffers"), files_need(&files), 1);
		add_process(b);
	}
	for (unsigned i = 0; i < c->nservers; i++) {
		struct bridge_settings bridge;

		if (!conf_bridged(&c->servers[i]))
			continue;
		bridging_settings(c, i, &bridge);
		budget_part(b, SPAN("bridge"), c->servers[i].name, 1, users);
		budget_row(b, SPAN("calls, peers, what waits"), bridge_need(&bridge), 1);
		budget_row(b, SPAN("lines, children, sessions"), bridging_need(c, i), 1);
		add_process(b);
	}
	if (program_wanted(c)) {
		budget_part(b, SPAN("launcher"), span_of(NULL, 0), 2, 1); /* and its guard */
		budget_row(b, SPAN("programs, children"), launcher_need(), 1);
		budget_row(b, SPAN("configuration"), l->mem_size, users + 1);
		add_process(b);
	}
	material.nkeys = material_keys(c);
	if (material.nkeys > 0) {
		budget_part(b, SPAN("keeper"), span_of(NULL, 0), 1, users);
		budget_row(b, SPAN("private keys"), keeper_secret_need(&material), 1);
		budget_row(b, SPAN("edges"), keeper_need(), 1);
		add_process(b);
	}
	if (broker_wanted(c)) {
		static struct broker_settings broker;

		broker_from(c, NULL, &broker);
		budget_part(b, SPAN("broker"), span_of(NULL, 0), 1, users);
		broker_budget(&broker, add_row, b);
		sums = budget_close(b, broker_need(&broker)) && sums;
		add_process(b);
	}
	if (c->legacy_clients) {
		budget_part(b, SPAN("elder"), span_of(NULL, 0), 1, users);
		elder_role_budget(c, add_row, b);
		sums = budget_close(b, elder_role_need(c)) && sums;
		add_process(b);
	}
	if (c->door) {
		budget_part(b, SPAN("stdio"), span_of(NULL, 0), 1, 1);
		budget_row(b, SPAN("calls, and what waits"), stdio_need(c), 1);
		budget_row(b, SPAN("lines of the client"), stdio_line_need(c), 1);
		add_process(b);
	}
	if (c->has_admin) {
		budget_part(b, SPAN("desk"), span_of(NULL, 0), 1, users);
		budget_row(b, SPAN("admin connections"), desk_need(), 1);
		add_process(b);
	}
	budget_part(b, SPAN("parent"), span_of(NULL, 0), 1, 1);
	budget_row(b, SPAN("configuration"), l->mem_size, users); /* one of each generation */
	if (material_need(c) > 0)
		budget_row(b, SPAN("certificates and key sets, at most"), material_need(c), users);
	add_variables(b);
	budget_part(b, SPAN("shared by all"), span_of(NULL, 0), 0, 1);
	budget_row(b, SPAN("metrics, a page per process"), MAP_PAGE, LISTEN_USERS * HOUSE_METRICS);
	budget_row(b, SPAN("proofs of possession"), replay_need(HOUSE_REPLAY_MARKS), 1);
	return sums && !b->overflow;
}

int cmd_budget(int argc, char **argv)
{
	static struct budget budget;
	char *mem;
	struct buf out, errors = config_errors();
	struct load_options o;
	struct config l;
	int end;

	if (!load_options(&o, argc, argv, true, usage))
		return EXIT_USAGE;
	if (o.help)
		return EXIT_OK;
	end = load_conf(&l, o.path);
	if (end != EXIT_OK)
		return end;
	mem = map_private(OUT_SIZE);
	out = buf_on(mem, mem ? OUT_SIZE : 0);
	if ((o.stdio || l.conf->nlisteners == 0) && !config_for_stdio(l.conf, &errors)) {
		fwrite(errors.p, 1, errors.n, stderr);
		end = EXIT_NO;
	} else if (!fill(&budget, &l)) {
		fprintf(stderr, "%s: the sizes it asks for do not add up in 64 bits\n", o.path);
		end = EXIT_ENVIRONMENT;
	} else {
		if (o.json)
			budget_write_json(&out, &budget);
		else
			budget_write_text(&out, &budget);
		fwrite(out.p, 1, out.n, stdout);
	}
	map_drop(mem, mem ? OUT_SIZE : 0);
	config_drop(&l);
	return end;
}
