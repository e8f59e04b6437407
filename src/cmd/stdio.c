#include "cmd/stdio.h"

#include "cmd/load.h"
#include "role/parent.h"

static const char usage[] =
	"usage: postern stdio -c FILE\n"
	"  Serves what the configuration says to one client, on standard input and output: MCP, one message a line. Listeners are not opened.\n"
	"  Ends with the end of standard input, or with SIGTERM. The log is on standard error.\n"
	"  exit: 0 stopped, 1 the configuration is wrong, 2 wrong usage, 3 the environment failed\n";

int cmd_stdio(int argc, char **argv)
{
	struct load_options o;

	if (!load_options(&o, argc, argv, false, usage))
		return EXIT_USAGE;
	if (o.help)
		return EXIT_OK;
	return parent_run_stdio(span_z(o.path));
}
