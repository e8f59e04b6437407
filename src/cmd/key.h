/* cmd/key.h: `postern key new`: a new API key, shown once, and the line of the configuration that lets its holder in.
 *
 * Standard output gets two lines, the key and the line (JSON); standard error says what to do with them. Nothing is stored. Exit: 0; 2 usage;
 * 3 no randomness, or nobody to write to. argv[0] is "key". */
#ifndef POSTERN_CMD_KEY_H
#define POSTERN_CMD_KEY_H

int cmd_key(int argc, char **argv);

#endif
