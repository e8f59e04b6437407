/* cmd/serve.h: `postern serve -c FILE`: start everything, serve until told to stop. Exit: 0 stopped; 1 the configuration is wrong; 2 usage;
 * 3 the environment failed. argv[0] is "serve". */
#ifndef POSTERN_CMD_SERVE_H
#define POSTERN_CMD_SERVE_H

int cmd_serve(int argc, char **argv);

#endif
