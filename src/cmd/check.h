/* cmd/check.h: `postern check -c FILE`: is this configuration right, and could it start here?
 *
 * Reads and checks; opens no socket and no upstream. Exit: 0 right; 1 wrong (every complaint with its place on standard error); 2 usage;
 * 3 the file cannot be read, or it is right but names a directory that cannot be opened here. argv[0] is "check". */
#ifndef POSTERN_CMD_CHECK_H
#define POSTERN_CMD_CHECK_H

int cmd_check(int argc, char **argv);

#endif
