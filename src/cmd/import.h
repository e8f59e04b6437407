/* cmd/import.h: `postern import FILE [--allow]`: the servers that another client's mcp.json names, as a configuration of Postern's on standard output, and on
 * standard error what could not be kept and why. argv[0] is "import". No text of a secret is printed: what may be one becomes the name of a file. */
#ifndef POSTERN_CMD_IMPORT_H
#define POSTERN_CMD_IMPORT_H

int cmd_import(int argc, char **argv);

#endif
