/* cmd/stdio.h: `postern stdio -c FILE`: serve one client on standard input and output. Exit as `postern serve`. argv[0] is "stdio". */
#ifndef POSTERN_CMD_STDIO_H
#define POSTERN_CMD_STDIO_H

int cmd_stdio(int argc, char **argv);

#endif
