/* cmd/version.h: `postern version [--json]`: version, protocol revisions, and the digest that the linker made of this very binary (its build-id:
 * two builds of one source show the same). argv[0] is "version". */
#ifndef POSTERN_CMD_VERSION_H
#define POSTERN_CMD_VERSION_H

int cmd_version(int argc, char **argv);

#endif
