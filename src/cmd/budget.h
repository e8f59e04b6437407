/* cmd/budget.h: `postern budget -c FILE [--json]`: what this configuration reserves, the worst case, in bytes.
 *
 * The same functions that place the memory at start say how much it is, so the table cannot differ from what runs. Exit: 0; 1 the
 * configuration is wrong; 2 usage; 3 it cannot be read, or the sums do not fit 64 bits. argv[0] is "budget". */
#ifndef POSTERN_CMD_BUDGET_H
#define POSTERN_CMD_BUDGET_H

int cmd_budget(int argc, char **argv);

#endif
