#include "cmd/serve.h"

#include "cmd/load.h"
#include "role/parent.h"

static const char usage[] =
	"usage: postern serve -c FILE\n"
	"  Serves what the configuration says, until SIGTERM or SIGINT. SIGHUP reads the configuration again.\n"
	"  exit: 0 stopped, 1 the configuration is wrong, 2 wrong usage, 3 the environment failed\n";

int cmd_serve(int argc, char **argv)
{
	struct load_options o;

	if (!load_options(&o, argc, argv, false, usage))
		return EXIT_USAGE;
	if (o.help)
		return EXIT_OK;
	return parent_run(span_z(o.path));
}
