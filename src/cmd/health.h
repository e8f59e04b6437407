/* cmd/health.h: `postern health`: asks the admin listener for /health, for a container that has no shell and no curl. Exit: 0 healthy;
 * 1 not; 2 usage; 3 the configuration cannot be read. argv[0] is "health". */
#ifndef POSTERN_CMD_HEALTH_H
#define POSTERN_CMD_HEALTH_H

int cmd_health(int argc, char **argv);

#endif
